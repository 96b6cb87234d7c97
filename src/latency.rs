//! Where the time goes between the wire and the decision.
//!
//! The engine records each frame's stages into fixed-range histograms of its own; once an interval it swaps them for empty
//! ones through a pair of rings, and a thread that is not hot sums them up and writes them out.

use crate::clock::Clock;
use crate::event::FrameHead;
use hdrhistogram::Histogram;
use rtrb::{Consumer, Producer, RingBuffer};
use std::time::Duration;

/// The longest time that a histogram tells apart: a minute.
pub const RANGE_NS_MAX: u64 = 60_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;
/// Sets of histograms in circulation: one with the engine, one on the way, one being summed up.
const SETS: usize = 3;

/// In place of a frame's receive stamp: its latencies are not recorded.
pub const UNMEASURED: u64 = u64::MAX;

/// A part of a frame's way, from one stamp to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The read that completed the frame returned → TLS and websocket are done.
    Decode,
    /// → parsed, and about to be visible to the engine.
    Parse,
    /// → the engine has it.
    Handoff,
    /// → due positions are sold and the levels are in the book.
    Book,
    /// → the features are computed.
    Features,
    /// → the model is evaluated and a purchase, if any, is made.
    Decide,
    /// All of them: received → decided.
    Total,
}

impl Stage {
    /// In the order of the way, the whole last.
    pub const ALL: [Self; 7] =
        [Self::Decode, Self::Parse, Self::Handoff, Self::Book, Self::Features, Self::Decide, Self::Total];

    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "received → decoded",
            Self::Parse => "decoded → published",
            Self::Handoff => "published → taken",
            Self::Book => "taken → applied",
            Self::Features => "applied → featured",
            Self::Decide => "featured → decided",
            Self::Total => "received → decided",
        }
    }

    /// The tag used in interval logs.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Parse => "parse",
            Self::Handoff => "handoff",
            Self::Book => "book",
            Self::Features => "features",
            Self::Decide => "decide",
            Self::Total => "total",
        }
    }
}

/// One stage's times.
#[derive(Clone, Debug)]
pub struct StageTimes {
    /// Times up to [`RANGE_NS_MAX`], nanoseconds, three significant digits.
    pub histogram: Histogram<u64>,
    /// Times beyond the range.
    pub out_of_range: u64,
    /// The longest time, exactly.
    pub max_ns: u64,
}

impl Default for StageTimes {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, RANGE_NS_MAX, SIGNIFICANT_DIGITS).expect("the bounds are legal");
        Self { histogram, out_of_range: 0, max_ns: 0 }
    }
}

impl StageTimes {
    #[inline]
    fn record(&mut self, time_ns: u64) {
        self.max_ns = self.max_ns.max(time_ns);
        // The only error is a value beyond the range.
        if self.histogram.record(time_ns).is_err() {
            self.out_of_range += 1;
        }
    }

    /// Adds what another histogram of a log holds.
    ///
    /// # Errors
    /// It holds times beyond the range.
    pub fn add(&mut self, other: &Histogram<u64>) -> Result<(), hdrhistogram::AdditionError> {
        self.histogram.add(other)?;
        self.max_ns = self.max_ns.max(other.max());
        Ok(())
    }

    /// The time that the given share of all lies at or below, nanoseconds; never more than the longest.
    pub fn quantile_ns(&self, quantile: f64) -> u64 {
        self.histogram.value_at_quantile(quantile).min(self.max_ns)
    }

    /// The shortest time, nanoseconds; 0 when there is none.
    pub fn min_ns(&self) -> u64 {
        if self.histogram.is_empty() { 0 } else { self.histogram.min() }
    }

    /// Times recorded, those out of range too.
    pub fn count(&self) -> u64 {
        self.histogram.len() + self.out_of_range
    }
}

/// All stages' times over some span.
#[derive(Clone, Debug, Default)]
pub struct StageTable {
    stages: [StageTimes; Stage::ALL.len()],
    /// The stamp at which the span begins.
    from: u64,
    /// The stamp at which it ends.
    to: u64,
}

impl StageTable {
    /// One stage's times.
    pub fn stage(&self, stage: Stage) -> &StageTimes {
        &self.stages[stage as usize]
    }

    /// The stamps between which it was recorded.
    pub fn span(&self) -> (u64, u64) {
        (self.from, self.to)
    }

    /// Adds another table's times.
    pub fn add(&mut self, other: &Self) {
        for (sum, stage) in self.stages.iter_mut().zip(&other.stages) {
            sum.histogram.add(&stage.histogram).expect("all histograms have the same range");
            sum.out_of_range += stage.out_of_range;
            sum.max_ns = sum.max_ns.max(stage.max_ns);
        }
    }

    fn clear(&mut self) {
        for stage in &mut self.stages {
            stage.histogram.reset();
            stage.out_of_range = 0;
            stage.max_ns = 0;
        }
    }
}

/// The engine's stamps of one frame.
#[derive(Clone, Copy, Debug)]
pub struct EngineStamps {
    /// The engine has the frame.
    pub taken: u64,
    /// Its levels are in the book.
    pub applied: u64,
    /// Features computed and decision made; `None` when the frame had no features.
    pub decided: Option<(u64, u64)>,
}

/// The engine's end: records, and hands over a table per interval.
#[derive(Debug)]
pub struct Recorder {
    clock: Clock,
    table: Box<StageTable>,
    filled: Producer<Box<StageTable>>,
    empty: Consumer<Box<StageTable>>,
    interval_ns: u64,
}

/// The other end: takes tables and gives them back empty.
#[derive(Debug)]
pub struct Tables {
    filled: Consumer<Box<StageTable>>,
    empty: Producer<Box<StageTable>>,
}

/// Makes a recorder that hands over its times once an interval.
pub fn recorder(clock: Clock, interval: Duration) -> (Recorder, Tables) {
    let (filled, filled_out) = RingBuffer::new(SETS);
    let (mut empty, empty_out) = RingBuffer::new(SETS);
    for _ in 1..SETS {
        empty.push(Box::default()).expect("the ring holds all sets");
    }
    let mut table = Box::<StageTable>::default();
    table.from = clock.stamp();
    let interval_ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    (Recorder { clock, table, filled, empty: empty_out, interval_ns }, Tables { filled: filled_out, empty })
}

impl Recorder {
    /// The clock of the stamps.
    #[inline]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Records a frame's stages.
    #[inline]
    pub fn record(&mut self, head: &FrameHead, stamps: &EngineStamps) {
        let EngineStamps { taken, applied, decided } = *stamps;
        if head.received == UNMEASURED {
            return;
        }
        let Self { clock, table, .. } = self;
        let mut record = |stage: Stage, from: u64, to: u64| {
            table.stages[stage as usize].record(clock.between_ns(from, to));
        };
        record(Stage::Decode, head.received, head.decoded);
        record(Stage::Parse, head.decoded, head.published);
        record(Stage::Handoff, head.published, taken);
        record(Stage::Book, taken, applied);
        if let Some((featured, decided)) = decided {
            record(Stage::Features, applied, featured);
            record(Stage::Decide, featured, decided);
            record(Stage::Total, head.received, decided);
        }
        let now = decided.map_or(applied, |(_, decided)| decided);
        if self.clock.between_ns(self.table.from, now) >= self.interval_ns {
            self.hand_over(now);
        }
    }

    /// Swaps the table for an empty one. If none has come back yet the interval goes on.
    #[cold]
    fn hand_over(&mut self, now: u64) {
        let Ok(mut next) = self.empty.pop() else { return };
        next.from = now;
        self.table.to = now;
        let full = std::mem::replace(&mut self.table, next);
        self.filled.push(full).expect("the ring holds all sets");
    }

    /// Hands over what is left.
    pub fn finish(mut self) {
        self.table.to = self.clock.stamp();
        // The rings hold all sets, so that there is room whatever the other end does.
        let _ = self.filled.push(self.table);
    }
}

impl Tables {
    /// Gives the next table, if there is one, to `use_table`.
    pub fn take(&mut self, use_table: impl FnOnce(&StageTable)) -> bool {
        let Ok(mut table) = self.filled.pop() else { return false };
        use_table(&table);
        table.clear();
        // The recorder may have ended.
        let _ = self.empty.push(table);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FrameKind;
    use crate::units::Scale;
    use proptest::prelude::*;

    fn head(received: u64, decoded: u64, published: u64) -> FrameHead {
        FrameHead {
            kind: FrameKind::Update,
            levels: 0,
            scale: Scale::default(),
            sequence_num: 0,
            ts_recv_ns: 0,
            ts_event_ns: 0,
            received,
            decoded,
            published,
        }
    }

    #[test]
    fn every_stage_is_recorded_and_tables_come_round() {
        let clock = Clock::new();
        let (mut recorder, mut tables) = recorder(clock.clone(), Duration::ZERO);
        let mut sum = StageTable::default();
        for frame in 0..100_u64 {
            let at = |n: u64| frame * 1_000_000 + n * 1_000;
            let stamps =
                EngineStamps { taken: at(3), applied: at(4), decided: (frame % 10 != 0).then(|| (at(5), at(6))) };
            recorder.record(&head(at(0), at(1), at(2)), &stamps);
            if frame % 3 == 0 {
                while tables.take(|table| sum.add(table)) {}
            }
        }
        recorder.finish();
        while tables.take(|table| sum.add(table)) {}
        for (stage, count) in Stage::ALL.into_iter().zip([100, 100, 100, 100, 90, 90, 90]) {
            assert_eq!(sum.stage(stage).count(), count, "{stage:?}");
        }
        let whole_ns = clock.between_ns(0, 6_000);
        let total = sum.stage(Stage::Total);
        assert!(total.max_ns.abs_diff(whole_ns) <= 1, "{} against {whole_ns}", total.max_ns);
    }

    #[test]
    fn what_is_out_of_range_is_counted_and_the_maximum_is_true() {
        let mut times = StageTimes::default();
        times.record(0);
        times.record(RANGE_NS_MAX);
        let most_that_fits = times.histogram.high();
        for time_ns in [2 * most_that_fits, 3 * most_that_fits] {
            times.record(time_ns);
        }
        assert_eq!((times.count(), times.out_of_range, times.max_ns), (4, 2, 3 * most_that_fits));
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_sorted_times(mut times_ns in prop::collection::vec(1..10_000_000_u64, 1..300), sixty_fourths in 0..=64_u64) {
            let mut times = StageTimes::default();
            times_ns.iter().for_each(|&time_ns| times.record(time_ns));
            times_ns.sort_unstable();
            // Quantiles that a double holds exactly.
            let rank = (times_ns.len() as u64 * sixty_fourths).div_ceil(64).max(1) as usize;
            let exact = times_ns[rank - 1];
            let ours = times.histogram.value_at_quantile(sixty_fourths as f64 / 64.0);
            prop_assert!(times.histogram.equivalent(ours, exact), "{} against {}", ours, exact);
        }
    }
}
