//! The engine thread: a book, and the traders on it, frame by frame.
//!
//! ```
//! use papertrader::base::clock::{Clock, Speed};
//! use papertrader::capture::replay::Replay;
//! use papertrader::engine::latency::recorder;
//! use papertrader::engine::status::Status;
//! use papertrader::engine::Engine;
//! use papertrader::engine::trader::{Outputs, Trader};
//! use papertrader::execution::rules::OriginalRules;
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::run::session::Feed;
//! use papertrader::strategy::model::Model;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! let folder = tempfile::tempdir()?;
//! let capture = synthetic::capture(folder.path(), 100)?;
//!
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#;
//! let model = Model::parse("imbalance.json".as_ref(), text)?;
//! let rules = OriginalRules { threshold_logit: f64::NEG_INFINITY, lag_updates: 20, buy_amount: 100.0 };
//! let (recorder, _tables) = recorder(Clock::new(), Duration::MAX);
//! let (trades, _taken) = rtrb::RingBuffer::new(1_000);
//! let status = Arc::new(Status::default());
//! let outputs = Outputs::of(trades);
//! let trader = Trader::original(model, rules, outputs);
//! let mut engine = Engine::new(vec![trader], recorder, Arc::clone(&status));
//!
//! // On the feed's own thread, without a ring between the two.
//! Replay::open(&capture, None, ScaleRule::default(), Speed::Max)?.run(&mut engine, &status);
//! let report = engine.finish();
//! assert_eq!((report.counts.frames, report.trader().counts.inferences), (100, 100));
//! assert_eq!((report.trader().totals.trades, report.trader().open_positions), (80, 20));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod latency;
pub mod observation;
mod panel;
pub mod several;
pub mod status;
pub mod trader;

use self::latency::{EngineStamps, Recorder};
use self::observation::Evaluation;
use self::panel::Panels;
use self::status::Status;
use self::trader::{LiveFrame, Trader, TraderCounts, TraderReport};
use crate::execution::ledger::{Moment, Trade};
use crate::execution::records::Record;
use crate::handoff::FrameTaker;
use crate::market::book::{Book, BookState, Follower};
use crate::market::event::{Event, Fault, FaultCounts, FrameHead, FrameKind};
use crate::market::prints::PrintReader;
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::Scale;
use std::sync::Arc;
use std::time::Duration;

/// How long a live book may stay crossed or locked. Markets are so for moments; a book that stays so has a level that the venue
/// removed.
pub const CROSSED_MAX: Duration = Duration::from_secs(5);

/// What an engine has seen of its market.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineCounts {
    /// Frames of the book.
    pub frames: u64,
    /// Frames of the book by the state in which they left it, in the order empty, syncing, live, invalid.
    pub frames_by_state: [u64; 4],
    /// Snapshots among them.
    pub snapshots: u64,
    /// Updates passed over because the book was not live.
    pub ignored: u64,
    /// Connections announced by the feed.
    pub connections: u64,
    /// Live frames that left the book crossed or locked.
    pub crossed_or_locked: u64,
    /// Faults that the book itself found.
    pub faults: FaultCounts,
}

/// An engine's state at the end.
#[derive(Clone, Debug)]
pub struct EngineReport {
    /// What was seen.
    pub counts: EngineCounts,
    /// What came of each trader, in their order.
    pub traders: Vec<TraderReport>,
    /// The book's state.
    pub book_state: BookState,
    /// The book's scale.
    pub scale: Scale,
    /// Times that a ladder's window moved.
    pub recentres: u64,
    /// Times that a finer scale made the book anew.
    pub rescales: u64,
    /// The most events waiting in the ring; 0 without one.
    pub ring_high_water_events: usize,
}

impl EngineReport {
    /// The first trader's: a run has one.
    pub fn trader(&self) -> &TraderReport {
        self.traders.first().expect("an engine has a trader")
    }
}

/// The whole path behind the ring.
#[derive(Debug)]
pub struct Engine {
    follower: Follower,
    /// At least one.
    traders: Vec<Trader>,
    /// Features and models of all of them.
    panels: Panels,
    /// Whether anybody wants to know of live frames.
    is_observed: bool,
    /// Whether any of them has accounts, which look at more than the book.
    has_desks: bool,
    /// Whether any has accounts that are kept behind, with a book of their own.
    holds_back: bool,
    /// For accounts.
    prints: PrintReader,
    /// Whether any of them reads the tape. Where none does, prints are passed over.
    reads_tape: bool,
    /// Any of the three.
    looks_at_events: bool,
    recorder: Recorder,
    status: Arc<Status>,
    counts: EngineCounts,
    /// Whether the book was live before the frame in hand.
    was_live: bool,
    /// The receive time, Unix nanoseconds, since which the live book is crossed or locked.
    crossed_since_ns: Option<i64>,
    /// Of the message in hand, where there are accounts; Unix nanoseconds.
    last_recv_ns: i64,
    taken: u64,
}

impl Engine {
    /// An engine with an empty book. The latencies recorded are those until the last trader has decided.
    pub fn new(mut traders: Vec<Trader>, recorder: Recorder, status: Arc<Status>) -> Self {
        assert!(!traders.is_empty(), "an engine has a trader");
        let (panels, seats) = Panels::new(traders.iter().map(Trader::model));
        for (trader, seat) in traders.iter_mut().zip(seats) {
            trader.seat = seat;
        }
        let reads_tape = panels.read_tape();
        Self {
            follower: Follower::default(),
            panels,
            is_observed: traders.iter().any(Trader::is_observed),
            has_desks: traders.iter().any(Trader::has_desk),
            holds_back: traders.iter().any(Trader::holds_back),
            prints: PrintReader::default(),
            reads_tape,
            looks_at_events: reads_tape || traders.iter().any(|trader| trader.has_desk() || trader.holds_back()),
            traders,
            recorder,
            status,
            counts: EngineCounts::default(),
            was_live: false,
            crossed_since_ns: None,
            last_recv_ns: 0,
            taken: 0,
        }
    }

    /// Touches the book's memory on the thread that will use it, so that no frame waits for the system to give it. Before the
    /// first frame.
    pub fn fault_in(&mut self) {
        self.follower.fault_in();
    }

    /// The hot loop: takes frames until the feed has gone.
    pub fn run(mut self, mut frames: FrameTaker) -> EngineReport {
        while let Some(head) = frames.next_head() {
            self.begin(&head);
            frames.take_levels(&head, |levels| self.levels(&head, levels));
            self.end(&head);
        }
        EngineReport { ring_high_water_events: frames.high_water(), ..self.finish() }
    }

    /// Before the frame's levels: what is due is sold into the book as it was.
    #[inline]
    fn begin(&mut self, head: &FrameHead) {
        self.taken = self.recorder.stage_stamp(head);
        if self.has_desks || self.holds_back {
            self.begin_for_desks(head);
        }
        self.follower.count(head);
        self.was_live = self.follower.is_live();
        if head.kind.is_book_frame() {
            self.counts.frames += 1;
            if self.was_live {
                self.close_due(head);
            }
        }
        match head.kind {
            FrameKind::Update => self.counts.ignored += u64::from(!self.was_live),
            FrameKind::Snapshot => {
                self.counts.snapshots += 1;
                self.crossed_since_ns = None;
                self.panels.reset();
            }
            FrameKind::Connected => self.counts.connections += 1,
            FrameKind::Invalid(_) | FrameKind::Prints => {}
        }
        match self.follower.begin(head) {
            Ok(None) => {}
            Ok(Some(before)) => {
                self.panels.refine(before, head.scale);
                self.traders.iter_mut().for_each(|trader| trader.refine(before, head.scale));
            }
            Err(fault) => self.found(fault),
        }
    }

    /// Before anything of a message: what was sent to the venue may have arrived before it, and what it loses is taken back.
    fn begin_for_desks(&mut self, head: &FrameHead) {
        if self.holds_back && head.kind != FrameKind::Prints {
            self.traders.iter_mut().for_each(|trader| trader.hold_begin(head));
        }
        self.last_recv_ns = head.ts_recv_ns;
        let book = self.follower.book();
        for trader in &mut self.traders {
            trader.arrivals(head.ts_recv_ns, book);
        }
        let is_lost = matches!(head.kind, FrameKind::Snapshot | FrameKind::Connected | FrameKind::Invalid(_));
        if is_lost && self.follower.is_live() {
            self.book_lost(head.ts_recv_ns);
        }
    }

    #[cold]
    fn book_lost(&mut self, ts_recv_ns: i64) {
        let book = self.follower.book();
        self.traders.iter_mut().for_each(|trader| trader.book_lost(ts_recv_ns, book));
    }

    /// Takes levels of the frame, in any number of slices.
    #[inline]
    fn levels(&mut self, head: &FrameHead, levels: &[Event]) {
        if !self.looks_at_events {
            return self.follower.levels(levels);
        }
        if self.holds_back && head.kind != FrameKind::Prints {
            self.traders.iter_mut().for_each(|trader| trader.hold_levels(head, levels));
        }
        match head.kind {
            FrameKind::Prints => self.prints(head, levels),
            FrameKind::Update if self.has_desks && self.was_live => self.levels_for_desks(levels),
            _ => self.follower.levels(levels),
        }
    }

    /// Levels of an update: one by one only while an order rests.
    fn levels_for_desks(&mut self, levels: &[Event]) {
        self.traders.iter_mut().for_each(|trader| trader.named(levels));
        if !self.traders.iter().any(Trader::rests) {
            return self.follower.levels(levels);
        }
        for level in levels {
            let book = self.follower.book();
            self.traders.iter_mut().for_each(|trader| trader.level(book, *level));
            self.follower.levels(std::slice::from_ref(level));
        }
    }

    #[inline(never)] // Out of the loop, which stays as it is without it.
    fn prints(&mut self, head: &FrameHead, events: &[Event]) {
        if self.reads_tape {
            self.panels.prints(head, events);
        }
        if self.has_desks || self.holds_back {
            self.prints_for_desks(head, events);
        }
    }

    fn prints_for_desks(&mut self, head: &FrameHead, events: &[Event]) {
        let Self { traders, follower, prints, .. } = self;
        let book = follower.book();
        prints.read(events, |print| {
            for trader in &mut *traders {
                trader.print(book, &print, head.scale);
                trader.hold_print(head, print);
            }
        });
    }

    /// After the frame's levels: features, model, decision.
    #[inline]
    fn end(&mut self, head: &FrameHead) {
        if let Err(fault) = self.follower.end() {
            self.found(fault);
        }
        let applied = self.recorder.stage_stamp(head);
        if head.kind.is_book_frame() {
            let is_live = self.follower.is_live();
            if !self.was_live && is_live {
                self.went_live(head);
            }
            self.counts.frames_by_state[self.book().state() as usize] += 1;
            let decided = if is_live { self.decide(head) } else { None };
            self.recorder.record(head, &EngineStamps { taken: self.taken, applied, decided });
        } else if self.has_desks && head.kind == FrameKind::Prints {
            let book = self.follower.book();
            self.traders.iter_mut().for_each(|trader| trader.settle(head, book));
        }
        if self.holds_back {
            self.traders.iter_mut().for_each(|trader| trader.hold_end(head));
        }
        self.status.publish(self.follower.book(), self.counts.frames);
    }

    #[inline(always)]
    fn close_due(&mut self, head: &FrameHead) {
        let (moment, book) = (self.moment(head), self.follower.book());
        // Prices of a crossed, locked or one-sided book are nobody's: what is due waits, as while the book is dead.
        if book.best().is_some_and(|(bid, ask)| bid.price_ticks < ask.price_ticks) {
            for trader in &mut self.traders {
                trader.close_due(moment, book, &self.status);
            }
        }
    }

    /// What fell due without a live book is sold into the first one.
    #[cold]
    fn went_live(&mut self, head: &FrameHead) {
        self.status.went_live();
        self.close_due(head);
    }

    /// Computes the features, evaluates the models and lets every trader decide. Gives the stamps of the features and of the last
    /// trader's decision, unless no model could be evaluated.
    #[inline(always)]
    fn decide(&mut self, head: &FrameHead) -> Option<(u64, u64)> {
        let (moment, book) = (self.moment(head), self.follower.book());
        let is_crossed_or_locked = book.is_crossed_or_locked();
        if is_crossed_or_locked || self.crossed_since_ns.is_some() {
            self.look_at_crossed(is_crossed_or_locked, head.ts_recv_ns);
        }
        let book = self.follower.book();
        let frame = LiveFrame { head, moment, book, is_crossed_or_locked };
        let Self { traders, panels, recorder, status, .. } = self;
        if self.has_desks {
            traders.iter_mut().for_each(|trader| trader.after_frame(&frame));
        }
        let mut stamps = None;
        if panels.update(book, head.ts_recv_ns) {
            let featured = recorder.stage_stamp(head);
            panels.evaluate();
            for trader in &mut *traders {
                let logit = panels.logit(trader.seat);
                trader.decide(&frame, logit, status);
                if let Ok(logit) = logit {
                    status.inferred(logit);
                }
            }
            stamps = Some((featured, recorder.decision_stamp(head)));
        } else {
            traders.iter_mut().for_each(|trader| trader.decide(&frame, panels.logit(trader.seat), status));
        }
        if self.is_observed {
            let decided = stamps.map(|(_, decided)| decided);
            for trader in traders {
                let seat = trader.seat;
                let logit = panels.logit(seat).ok();
                let evaluation = logit.zip(decided).map(|(logit, decided)| Evaluation { logit, decided });
                trader.observe(&frame, evaluation, || panels.values(seat));
            }
        }
        stamps
    }

    /// Counts a crossed or locked book, and asks for a new snapshot where it stays so.
    #[cold]
    fn look_at_crossed(&mut self, is_crossed_or_locked: bool, ts_recv_ns: i64) {
        if !is_crossed_or_locked {
            self.crossed_since_ns = None;
            return;
        }
        self.counts.crossed_or_locked += 1;
        let since_ns = *self.crossed_since_ns.get_or_insert(ts_recv_ns);
        if u128::from(ts_recv_ns.abs_diff(since_ns.min(ts_recv_ns))) > CROSSED_MAX.as_nanos() {
            // Again after as long, should nobody have acted on it.
            self.crossed_since_ns = None;
            self.found(Fault::StaysCrossed);
        }
    }

    /// The frame's place in the simulation. Only for frames since the first snapshot, which have been counted.
    #[inline(always)]
    fn moment(&self, head: &FrameHead) -> Moment {
        let sequence = self.follower.sequence().expect("a book that is traded on has had a snapshot");
        Moment {
            sequence,
            venue_sequence_num: head.sequence_num,
            ts_recv_ns: head.ts_recv_ns,
            stretch: self.counts.snapshots,
        }
    }

    /// The book itself found a fault.
    #[cold]
    fn found(&mut self, fault: Fault) {
        self.counts.faults.count(fault);
        self.status.engine_found(fault, self.counts.connections);
        if self.has_desks && !self.follower.is_live() {
            let last_ns = self.last_recv_ns;
            self.book_lost(last_ns);
        }
    }

    /// Ends the engine: hands over the last latencies, lets the writer thread end, and reports.
    pub fn finish(self) -> EngineReport {
        let Self { follower, traders, panels, recorder, counts, .. } = self;
        let book = follower.book();
        recorder.finish();
        let finish = |trader: Trader| {
            let (tape_overruns, update_overruns) = panels.overruns(trader.seat);
            let report = trader.finish(book);
            TraderReport { counts: TraderCounts { tape_overruns, update_overruns, ..report.counts }, ..report }
        };
        EngineReport {
            traders: traders.into_iter().map(finish).collect(),
            book_state: book.state(),
            scale: book.scale(),
            recentres: book.bids().recentres() + book.asks().recentres(),
            rescales: book.rescales(),
            ring_high_water_events: 0,
            counts,
        }
    }

    /// Takes the trades that traders have kept since this was last asked, with each one's index.
    pub fn take_trades(&mut self, mut each: impl FnMut(usize, Trade)) {
        for (index, trader) in self.traders.iter_mut().enumerate() {
            trader.take_trades().for_each(|trade| each(index, trade));
        }
    }

    /// The same for records of their accounts.
    pub fn take_records(&mut self, mut each: impl FnMut(usize, Record)) {
        for (index, trader) in self.traders.iter_mut().enumerate() {
            trader.take_records().for_each(|record| each(index, record));
        }
    }

    /// The book, for tests that compare it.
    pub fn book(&self) -> &Book {
        self.follower.book()
    }
}

/// Fused: the feed calls the engine on its own thread.
impl Publish for Engine {
    #[inline]
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.begin(head);
        self.levels(head, levels);
        self.end(head);
        Ok(())
    }
}

#[cfg(test)]
mod hold_back_tests;
#[cfg(test)]
mod tests {
    use super::trader::Outputs;
    use super::*;
    use crate::base::clock::Clock;
    use crate::engine::latency::recorder;
    use crate::execution::ledger::Trade;
    use crate::execution::rules::OriginalRules;
    use crate::market::event::{UNMEASURED, UNSTAMPED};
    use crate::market::units::Side;
    use crate::strategy::model::{Model, ModelFile};
    use proptest::prelude::*;
    use rtrb::{Consumer, RingBuffer};

    fn model(feature: &str, intercept: f64) -> Model {
        let file =
            ModelFile { features: vec![feature.into()], intercept, coefficients: vec![1.0], ..ModelFile::default() };
        Model::from_file("m.json".as_ref(), &file).unwrap()
    }

    fn trader(model: impl Into<Arc<Model>>, lag_updates: u32) -> (Trader, Consumer<Trade>) {
        let (trades, taken) = RingBuffer::new(1_000);
        let rules = OriginalRules { threshold_logit: 0.0, lag_updates, buy_amount: 5.0 };
        (Trader::original(model, rules, Outputs::of(trades)), taken)
    }

    /// Two trade by one model, two more look at the book alone by models of their own.
    fn traders() -> Vec<(Trader, Consumer<Trade>)> {
        let shared = Arc::new(model("imbalance_1", 0.0));
        vec![
            trader(Arc::clone(&shared), 3),
            trader(model("ofi_1_3", 0.5), 1),
            trader(model("spread_ticks", -1.0), 7),
            trader(shared, 2),
            trader(model("imbalance_4", 0.1), 4),
        ]
    }

    /// What comes of traders on one engine: each one's report and trades.
    fn run(traders: Vec<(Trader, Consumer<Trade>)>, frames: &[Vec<(bool, u64, u64)>]) -> Vec<String> {
        let (recorder, _tables) = recorder(Clock::new(), Duration::MAX);
        let (traders, taken): (Vec<_>, Vec<_>) = traders.into_iter().unzip();
        let status = Arc::new(Status::default());
        let mut engine = Engine::new(traders, recorder, Arc::clone(&status));
        let mut seconds = 0;
        let mut publish = |kind, levels: &[Event]| {
            seconds += 1;
            let head = FrameHead {
                kind,
                product: 0,
                levels: levels.len() as u32,
                scale: Scale { price_decimals: 1, size_decimals: 0 },
                sequence_num: seconds,
                ts_recv_ns: seconds as i64 * 1_000_000_000,
                ts_event_ns: 0,
                arrived: UNSTAMPED,
                received: UNMEASURED,
                decoded: UNMEASURED,
                published: UNSTAMPED,
            };
            engine.publish(&head, levels).unwrap();
        };
        let sides = [Side::Bid, Side::Ask];
        let all: Vec<Event> = (0..12_u64)
            .flat_map(|level| {
                sides.map(|side| Event::level(side, if side == Side::Bid { 999 - level } else { 1_000 + level }, 5))
            })
            .collect();
        publish(FrameKind::Snapshot, &all);
        for (number, frame) in frames.iter().enumerate() {
            let event = |&(is_ask, offset, size): &(bool, u64, u64)| {
                let (side, price) = if is_ask { (Side::Ask, 998 + offset) } else { (Side::Bid, 1_001 - offset) };
                Event::level(side, price, size)
            };
            publish(FrameKind::Update, &frame.iter().map(event).collect::<Vec<_>>());
            if number % 40 == 20 {
                publish(FrameKind::Invalid(Fault::SequenceGap), &[]);
                publish(FrameKind::Snapshot, &all);
            }
        }
        let report = engine.finish();
        let sums = report.traders.iter().map(|trader| trader.totals);
        let (trades, profit) = sums.fold((0, 0.0), |sums, totals| (sums.0 + totals.trades, sums.1 + totals.profit));
        let shown = status.read();
        assert_eq!(shown.trades, trades);
        // Summed up in another order.
        assert!((shown.profit - profit).abs() <= 1e-9 * (1.0 + profit.abs()), "{} {profit}", shown.profit);
        let open: usize = report.traders.iter().map(|trader| trader.open_positions).sum();
        assert_eq!(shown.open_positions, open as u64);
        let mut results = Vec::new();
        for (trader, mut trades) in report.traders.into_iter().zip(taken) {
            let trades: Vec<Trade> = std::iter::from_fn(|| trades.pop().ok()).collect();
            assert_eq!(trades.len() as u64, trader.totals.trades);
            results.push(format!("{trader:?} {trades:?}"));
        }
        results
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn traders_on_one_book_do_not_know_of_each_other(
            frames in prop::collection::vec(prop::collection::vec((any::<bool>(), 0..14_u64, 0..9_u64), 0..6), 0..120),
        ) {
            let together = run(traders(), &frames);
            let alone: Vec<String> = traders().into_iter().flat_map(|trader| run(vec![trader], &frames)).collect();
            prop_assert_eq!(together, alone);
        }
    }

    /// A ring of seven events cuts prints in their middle.
    #[test]
    fn prints_through_a_small_ring_are_those_of_one_thread() {
        use crate::engine::observation::Observation;
        use crate::handoff::{Wait, handoff};
        use crate::market::event::Print;
        let head = |number: u64, kind, events: &[Event]| FrameHead {
            kind,
            product: 0,
            levels: events.len() as u32,
            scale: Scale { price_decimals: 1, size_decimals: 0 },
            sequence_num: number,
            ts_recv_ns: number as i64 * 1_000_000,
            ts_event_ns: 0,
            arrived: UNSTAMPED,
            received: UNMEASURED,
            decoded: UNMEASURED,
            published: UNSTAMPED,
        };
        let frames: Vec<(FrameHead, Vec<Event>)> = (0..200_u64)
            .map(|number| {
                let sides = [Event::level(Side::Bid, 999, 1 + number), Event::level(Side::Ask, 1_000, 5)];
                let print = |at: u64| Print {
                    aggressor: if (number + at).is_multiple_of(3) { Side::Ask } else { Side::Bid },
                    price_ticks: 1_000,
                    size_lots: 1 + (number * 7 + at) % 11,
                    trade_id: 0,
                    ts_event_ns: 0,
                };
                let (kind, events) = match number {
                    0 => (FrameKind::Snapshot, sides.to_vec()),
                    _ if number % 2 == 0 => (FrameKind::Update, sides[..1].to_vec()),
                    _ => (FrameKind::Prints, (0..1 + number % 5).flat_map(|at| print(at).encode()).collect()),
                };
                (head(number, kind, &events), events)
            })
            .collect();
        let engine = || {
            let (recorder, _tables) = recorder(Clock::new(), Duration::MAX);
            let (trades, taken) = RingBuffer::new(1_000);
            let (observations, seen) = RingBuffer::new(1_000);
            let rules = OriginalRules { threshold_logit: f64::INFINITY, lag_updates: 3, buy_amount: 5.0 };
            let outputs = Outputs { observations: Some(observations), ..Outputs::of(trades) };
            let trader = Trader::original(model("print_signed_volume_3", 0.0), rules, outputs);
            (Engine::new(vec![trader], recorder, Arc::new(Status::default())), seen, taken)
        };
        let logits = |mut seen: Consumer<Observation>| -> Vec<Option<f64>> {
            std::iter::from_fn(|| seen.pop().ok()).map(|frame| frame.evaluation.map(|made| made.logit)).collect()
        };
        let (mut fused, fused_seen, _taken) = engine();
        frames.iter().for_each(|(head, events)| fused.publish(head, events).unwrap());
        let (by_ring, ring_seen, _taken) = engine();
        let (mut publisher, taker) = handoff(7, Wait::Yield);
        std::thread::scope(|scope| {
            scope.spawn(|| by_ring.run(taker));
            frames.iter().for_each(|(head, events)| publisher.publish(head, events).unwrap());
            drop(publisher);
        });
        let (fused, by_ring) = (logits(fused_seen), logits(ring_seen));
        assert_eq!(fused, by_ring);
        assert!(fused.iter().flatten().any(|&logit| logit > 0.0));
        // The obvious sum over the last three updates: prints with the odd numbers before each.
        let signed = |events: &[Event]| -> i64 {
            let prints = events.as_chunks().0.iter().map(|&print| Print::decode(print));
            prints.map(|print| if print.aggressor == Side::Bid { 1 } else { -1 } * print.size_lots as i64).sum()
        };
        for (at, logit) in fused.iter().enumerate().skip(3) {
            let sum: i64 = (at - 3..at).map(|update| signed(&frames[2 * update + 1].1)).sum();
            assert_eq!(*logit, Some(sum as f64), "update {at}");
        }
    }

    #[test]
    fn the_traders_of_the_test_trade() {
        let frames: Vec<Vec<(bool, u64, u64)>> =
            (0..100).map(|at| vec![(at % 3 == 0, 2 + at % 5, at % 7), (at % 2 == 0, 3, 1 + at % 4)]).collect();
        let results = run(traders(), &frames);
        assert!(results.iter().all(|result| !result.contains("totals: Totals { trades: 0,")), "{results:#?}");
    }
}
