//! Where the time goes between the wire and the decision.
//!
//! The engine counts each frame's way, and the stages of one frame in [`STAGES_EVERY`], by spans of raw clock counts; once an
//! interval it swaps its tables for empty ones through a pair of rings, and a thread that is not hot turns them into
//! histograms of nanoseconds, sums them up and writes them out.
//!
//! ```
//! use papertrader::base::clock::Clock;
//! use papertrader::engine::latency::{EngineStamps, Stage, recorder};
//! use papertrader::market::event::{FrameHead, FrameKind, UNSTAMPED};
//! use papertrader::market::units::Scale;
//! use std::time::Duration;
//!
//! let clock = Clock::new();
//! let (mut recorder, mut tables) = recorder(clock.clone(), Duration::from_secs(1));
//! let [received, decoded, published] = [clock.stamp(), clock.stamp(), clock.stamp()];
//! let head = FrameHead {
//!     kind: FrameKind::Update,
//!     product: 0,
//!     levels: 0,
//!     scale: Scale::default(),
//!     sequence_num: 0,
//!     ts_recv_ns: 0,
//!     ts_event_ns: 0,
//!     arrived: UNSTAMPED,
//!     received,
//!     decoded,
//!     published,
//! };
//! let [taken, applied, featured, decided] = [clock.stamp(), clock.stamp(), clock.stamp(), clock.stamp()];
//! recorder.record(&head, &EngineStamps { taken, applied, decided: Some((featured, decided)) });
//! recorder.finish();
//! assert!(tables.take(|table| {
//!     assert_eq!(table.stage(Stage::Total).count(), 1);
//!     assert!(table.stage(Stage::Total).max_ns >= table.stage(Stage::Book).max_ns);
//! }));
//! ```

use crate::base::clock::Clock;
use crate::market::event::{FrameHead, UNMEASURED, UNSTAMPED};
use hdrhistogram::Histogram;
use rtrb::{Consumer, Producer, RingBuffer};
use std::time::Duration;

/// The longest time that a histogram tells apart: a minute.
pub const RANGE_NS_MAX: u64 = 60_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;
/// Tables in circulation: one with the engine, one on the way, one being summed up.
const SETS: usize = 3;

/// Frames whose sequence number is a multiple of it are stamped at every stage, the others when they are received and when
/// the decision is made: a stamp costs some ten nanoseconds, and six a frame would be a tenth of the path.
pub const STAGES_EVERY: u64 = 32;

/// A part of a frame's way, from one stamp to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The frame had reached this machine → the read that completed it returned. Only of frames from a socket whose system stamps
    /// arrivals; at least so long, as [`FrameHead::arrived`] says.
    Queue,
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
    /// Received → decided.
    #[default]
    Total,
    /// Everything: arrived → decided. Of the same frames as [`Self::Queue`].
    Arrival,
}

impl Stage {
    /// In the order of the way, what comprises others last.
    pub const ALL: [Self; 9] = [
        Self::Queue,
        Self::Decode,
        Self::Parse,
        Self::Handoff,
        Self::Book,
        Self::Features,
        Self::Decide,
        Self::Total,
        Self::Arrival,
    ];

    /// Whether it comprises others; it is recorded of every frame, and not of one in [`STAGES_EVERY`].
    pub fn comprises_others(self) -> bool {
        matches!(self, Self::Total | Self::Arrival)
    }

    /// Whether the processor works on a frame in it. Before it is read and between the threads a frame waits, and the stages that
    /// comprise others hold these waits.
    pub fn is_work(self) -> bool {
        !matches!(self, Self::Queue | Self::Handoff | Self::Total | Self::Arrival)
    }

    /// The stage with that [`Stage::tag`].
    pub fn by_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.tag() == tag)
    }

    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "arrived → received",
            Self::Decode => "received → decoded",
            Self::Parse => "decoded → published",
            Self::Handoff => "published → taken",
            Self::Book => "taken → applied",
            Self::Features => "applied → featured",
            Self::Decide => "featured → decided",
            Self::Total => "received → decided",
            Self::Arrival => "arrived → decided",
        }
    }

    /// The tag used in interval logs.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Decode => "decode",
            Self::Parse => "parse",
            Self::Handoff => "handoff",
            Self::Book => "book",
            Self::Features => "features",
            Self::Decide => "decide",
            Self::Total => "total",
            Self::Arrival => "arrival",
        }
    }
}

/// One stage's times.
#[derive(Clone, Debug)]
pub struct StageTimes {
    /// Times up to [`RANGE_NS_MAX`], nanoseconds, three significant digits. A time is first rounded to a 4,096th of itself, and
    /// not beyond the longest.
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
    fn record(&mut self, time_ns: u64, times: u64) {
        // The only error is a value beyond the range.
        if self.histogram.record_n(time_ns, times).is_err() {
            self.out_of_range += times;
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

    /// The time that the given share of all within the range lies at or below, nanoseconds; never more than the longest. `None`
    /// when there is none.
    pub fn quantile_ns(&self, quantile: f64) -> Option<u64> {
        (!self.histogram.is_empty()).then(|| self.histogram.value_at_quantile(quantile).min(self.max_ns))
    }

    /// The shortest time within the range, nanoseconds; `None` when there is none.
    pub fn min_ns(&self) -> Option<u64> {
        (!self.histogram.is_empty()).then(|| self.histogram.min())
    }

    /// The longest time, nanoseconds; `None` when there is none.
    pub fn longest_ns(&self) -> Option<u64> {
        (self.count() > 0).then_some(self.max_ns)
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

    /// The stage that tells most of the way to the decision: from the arrival where that was stamped, else from the receipt.
    pub fn whole(&self) -> Stage {
        if self.stage(Stage::Arrival).count() > 0 { Stage::Arrival } else { Stage::Total }
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

/// Spans of clock counts that a bucket tells apart: below `2 * LINEAR` each has its own, above every doubling has
/// [`LINEAR`] of them.
const LINEAR: u64 = 1 << LINEAR_BITS;
const LINEAR_BITS: u32 = 11;
/// The longest span that is counted where it belongs; it is longer than [`RANGE_NS_MAX`] for clocks up to 9 GHz.
const SPAN_MAX: u64 = (1 << 39) - 1;
const BUCKETS: usize = bucket(SPAN_MAX) + 1;

/// The bucket of a span of at most [`SPAN_MAX`].
#[inline]
const fn bucket(span: u64) -> usize {
    let shift = (span | (2 * LINEAR - 1)).ilog2() - LINEAR_BITS;
    (shift as usize) * LINEAR as usize + (span >> shift) as usize
}

/// The middle of a bucket's spans.
fn middle(bucket: usize) -> u64 {
    let shift = (bucket as u64 / LINEAR).saturating_sub(1);
    let lowest = (bucket as u64 - shift * LINEAR) << shift;
    lowest + (1 << shift) / 2
}

/// One stage's spans, as the hot thread counts them.
#[derive(Debug)]
struct Spans {
    counts: Box<[u32; BUCKETS]>,
    max: u64,
}

impl Default for Spans {
    fn default() -> Self {
        // Through a vector: zeroed pages that nobody has touched cost nothing, and nothing passes over the stack.
        Self { counts: vec![0; BUCKETS].try_into().expect("the vector has BUCKETS elements"), max: 0 }
    }
}

impl Spans {
    /// Counts the span between two stamps, which is 0 when they are the other way round, as stamps of two cores can be by a
    /// few counts.
    #[inline]
    fn record(&mut self, from: u64, to: u64) {
        let span = to.saturating_sub(from);
        self.max = self.max.max(span);
        // Four thousand million frames in an interval do not occur; a wrapped count would only spoil a report.
        let count = &mut self.counts[bucket(span.min(SPAN_MAX))];
        *count = count.wrapping_add(1);
    }

    /// Adds the spans to `times`, and forgets them without writing to pages that hold none.
    fn drain(&mut self, clock: &Clock, times: &mut StageTimes) {
        for (bucket, count) in self.counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            times.record(clock.between_ns(0, middle(bucket).min(self.max)), u64::from(*count));
            *count = 0;
        }
        times.max_ns = times.max_ns.max(clock.between_ns(0, self.max));
        self.max = 0;
    }
}

/// All stages' spans over an interval.
#[derive(Debug, Default)]
struct SpanTable {
    stages: [Spans; Stage::ALL.len()],
    from: u64,
    to: u64,
}

/// The engine's stamps of one frame. Those before the decision mean nothing for a frame whose stages are not stamped.
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
    table: Box<SpanTable>,
    filled: Producer<Box<SpanTable>>,
    empty: Consumer<Box<SpanTable>>,
    /// Clock counts.
    interval: u64,
}

/// The other end: takes tables and gives them back empty.
#[derive(Debug)]
pub struct Tables {
    clock: Clock,
    /// The table in hand, in nanoseconds; made with the first one, so that a start does not wait for it.
    times: Option<Box<StageTable>>,
    filled: Consumer<Box<SpanTable>>,
    empty: Producer<Box<SpanTable>>,
}

/// Makes a recorder that hands over its times once an interval.
pub fn recorder(clock: Clock, interval: Duration) -> (Recorder, Tables) {
    let (filled, filled_out) = RingBuffer::new(SETS);
    let (mut empty, empty_out) = RingBuffer::new(SETS);
    for _ in 1..SETS {
        empty.push(Box::default()).expect("the ring holds all sets");
    }
    let mut table = Box::<SpanTable>::default();
    table.from = clock.stamp();
    let interval = clock.later(0, u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX));
    let tables = Tables { clock: clock.clone(), times: None, filled: filled_out, empty };
    (Recorder { clock, table, filled, empty: empty_out, interval }, tables)
}

impl Recorder {
    /// A stamp between two stages of a frame, if they are stamped.
    #[inline]
    pub fn stage_stamp(&self, head: &FrameHead) -> u64 {
        if head.published == UNSTAMPED { UNSTAMPED } else { self.clock.stamp() }
    }

    /// A stamp of the decision, unless the frame's latencies are not recorded.
    #[inline]
    pub fn decision_stamp(&self, head: &FrameHead) -> u64 {
        if head.received == UNMEASURED { UNSTAMPED } else { self.clock.stamp() }
    }

    /// Records a frame's way, and its stages if they are stamped.
    #[inline]
    pub fn record(&mut self, head: &FrameHead, stamps: &EngineStamps) {
        if head.received == UNMEASURED {
            return;
        }
        let mut now = head.received;
        if let Some((_, decided)) = stamps.decided {
            self.table.stages[Stage::Total as usize].record(head.received, decided);
            if head.arrived != UNSTAMPED {
                self.table.stages[Stage::Arrival as usize].record(head.arrived, decided);
            }
            now = decided;
        }
        if head.published != UNSTAMPED {
            self.record_stages(head, stamps);
        }
        if now.saturating_sub(self.table.from) >= self.interval {
            self.hand_over(now);
        }
    }

    fn record_stages(&mut self, head: &FrameHead, stamps: &EngineStamps) {
        let EngineStamps { taken, applied, decided } = *stamps;
        let mut record = |stage: Stage, from, to| self.table.stages[stage as usize].record(from, to);
        if head.arrived != UNSTAMPED {
            record(Stage::Queue, head.arrived, head.received);
        }
        record(Stage::Decode, head.received, head.decoded);
        record(Stage::Parse, head.decoded, head.published);
        record(Stage::Handoff, head.published, taken);
        record(Stage::Book, taken, applied);
        if let Some((featured, decided)) = decided {
            record(Stage::Features, applied, featured);
            record(Stage::Decide, featured, decided);
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
        let Ok(mut spans) = self.filled.pop() else { return false };
        let table = self.times.get_or_insert_default();
        table.clear();
        for (spans, times) in spans.stages.iter_mut().zip(&mut table.stages) {
            spans.drain(&self.clock, times);
        }
        (table.from, table.to) = (spans.from, spans.to);
        use_table(table);
        // The recorder may have ended.
        let _ = self.empty.push(spans);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::event::FrameKind;
    use crate::market::units::Scale;
    use proptest::prelude::*;

    fn head(arrived: u64, received: u64, decoded: u64, published: u64) -> FrameHead {
        FrameHead {
            kind: FrameKind::Update,
            product: 0,
            levels: 0,
            scale: Scale::default(),
            sequence_num: 0,
            ts_recv_ns: 0,
            ts_event_ns: 0,
            arrived,
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
        let frames = 25 * STAGES_EVERY;
        for frame in 0..frames {
            let at = |n: u64| (frame + 1) * 1_000_000 + n * 1_000;
            let stamps =
                EngineStamps { taken: at(3), applied: at(4), decided: (frame % 10 != 0).then(|| (at(5), at(6))) };
            let published = if frame % STAGES_EVERY == 0 { at(2) } else { UNSTAMPED };
            // The system stamps the first 300 of the frames alone.
            let arrived = if frame < 300 { at(0) - 4_000 } else { UNSTAMPED };
            recorder.record(&head(arrived, at(0), at(1), published), &stamps);
            if frame % 3 == 0 {
                while tables.take(|table| sum.add(table)) {}
            }
        }
        recorder.finish();
        while tables.take(|table| sum.add(table)) {}
        for (stage, count) in Stage::ALL.into_iter().zip([10, 25, 25, 25, 25, 20, 20, frames - frames / 10, 270]) {
            assert_eq!(sum.stage(stage).count(), count, "{stage:?}");
        }
        for (stage, counts) in [(Stage::Queue, 4_000), (Stage::Total, 6_000), (Stage::Arrival, 10_000)] {
            let (longest_ns, expected_ns) = (sum.stage(stage).max_ns, clock.between_ns(0, counts));
            assert!(longest_ns.abs_diff(expected_ns) <= 1, "{stage:?}: {longest_ns} against {expected_ns}");
        }
        assert_eq!((sum.whole(), StageTable::default().whole()), (Stage::Arrival, Stage::Total));
    }

    #[test]
    fn nothing_measured_has_no_times() {
        let mut times = StageTimes::default();
        assert_eq!((times.count(), times.min_ns(), times.quantile_ns(0.5), times.longest_ns()), (0, None, None, None));
        // One beyond the range: no percentile, but a longest time.
        times.record(2 * times.histogram.high(), 1);
        times.max_ns = 99;
        assert_eq!(
            (times.count(), times.min_ns(), times.quantile_ns(0.5), times.longest_ns()),
            (1, None, None, Some(99))
        );
    }

    #[test]
    fn what_is_out_of_range_is_counted_and_the_maximum_is_true() {
        let clock = Clock::new();
        let (mut spans, mut times) = (Spans::default(), StageTimes::default());
        let most_that_fits = times.histogram.high();
        for time_ns in [0, RANGE_NS_MAX, 2 * most_that_fits, 300 * most_that_fits] {
            spans.record(7, clock.later(7, time_ns));
        }
        // The other way round.
        spans.record(9, 7);
        spans.drain(&clock, &mut times);
        assert_eq!((times.count(), times.out_of_range, times.min_ns()), (5, 2, Some(0)));
        assert!(times.max_ns.abs_diff(300 * most_that_fits) <= 300, "{}", times.max_ns);
        let mut again = StageTimes::default();
        spans.drain(&clock, &mut again);
        assert_eq!((again.count(), again.max_ns), (0, 0));
    }

    proptest! {
        #[test]
        fn a_bucket_holds_spans_within_a_4096th(span in prop_oneof![0..=SPAN_MAX, 0..10_000_u64, (11..39_u32).prop_map(|n| 1 << n)]) {
            let middle = middle(bucket(span));
            prop_assert!(middle.abs_diff(span) <= span / 4_096 + u64::from(span >= 2 * LINEAR), "{span}: {middle}");
            prop_assert_eq!(bucket(middle), bucket(span));
            prop_assert!(span == 0 || bucket(span) - bucket(span - 1) <= 1);
        }

        #[test]
        fn quantiles_are_those_of_the_sorted_times(mut times_ns in prop::collection::vec(1..10_000_000_u64, 1..300), sixty_fourths in 0..=64_u64) {
            let mut times = StageTimes::default();
            times_ns.iter().for_each(|&time_ns| times.record(time_ns, 1));
            times.max_ns = times_ns.iter().copied().max().unwrap_or(0);
            times_ns.sort_unstable();
            // Quantiles that a double holds exactly.
            let rank = (times_ns.len() as u64 * sixty_fourths).div_ceil(64).max(1) as usize;
            let exact = times_ns[rank - 1];
            let ours = times.histogram.value_at_quantile(sixty_fourths as f64 / 64.0);
            prop_assert!(times.histogram.equivalent(ours, exact), "{} against {}", ours, exact);
        }
    }
}
