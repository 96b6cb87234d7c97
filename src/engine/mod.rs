//! The engine thread: book, features, model, simulator, frame by frame.

pub mod latency;
pub mod observation;
pub mod status;

use crate::engine::latency::{EngineStamps, Recorder};
use crate::engine::observation::{Evaluation, Observation, RowSender};
use crate::engine::status::Status;
use crate::execution::simulator::{Moment, Simulator, SimulatorSettings, Totals, Trade};
use crate::handoff::{FrameTaker, Wait, for_room};
use crate::market::book::{Book, BookState, Follower};
use crate::market::event::{Event, Fault, FaultCounts, FrameHead, FrameKind};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::Scale;
use crate::strategy::features::{FeatureSet, NoFeatures};
use crate::strategy::model::Model;
use rtrb::{Producer, PushError};
use std::sync::Arc;

/// Rings to the writer thread.
#[derive(Debug)]
pub struct Outputs {
    /// Closed trades.
    pub trades: Producer<Trade>,
    /// Live frames, when somebody asked for them.
    pub observations: Option<Producer<Observation>>,
    /// Features of some evaluations, when somebody asked for them.
    pub rows: Option<RowSender>,
}

/// What an engine has seen and done.
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
    /// Evaluations of the model.
    pub inferences: u64,
    /// Live frames without evaluation: a side has fewer levels than the model looks at.
    pub thin: u64,
    /// Live frames without evaluation: too few updates since the snapshot for the model's history.
    pub warming_up: u64,
    /// Live frames that left the book crossed or locked.
    pub crossed_or_locked: u64,
    /// Purchases not made because the book was crossed or locked.
    pub purchases_withheld: u64,
    /// Faults that the book itself found.
    pub faults: FaultCounts,
    /// Times that the engine waited for the writer thread.
    pub writer_waits: u64,
}

/// An engine's state at the end.
#[derive(Clone, Debug)]
pub struct EngineReport {
    /// What was seen and done.
    pub counts: EngineCounts,
    /// Closed trades.
    pub totals: Totals,
    /// Purchases not made because nobody sold.
    pub empty_asks: u64,
    /// Positions still open.
    pub open_positions: usize,
    /// What they cost, and what they would bring in the book at the end if it is live.
    pub open_cost_and_worth: (f64, Option<f64>),
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

/// The whole path behind the ring.
#[derive(Debug)]
pub struct Engine {
    follower: Follower,
    features: FeatureSet,
    model: Model,
    /// The model's, for the features as they last were.
    logit: f64,
    simulator: Simulator,
    recorder: Recorder,
    outputs: Outputs,
    status: Arc<Status>,
    counts: EngineCounts,
    /// Whether the book was live before the frame in hand.
    was_live: bool,
    taken: u64,
}

impl Engine {
    /// An engine with an empty book.
    pub fn new(
        model: Model,
        settings: SimulatorSettings,
        recorder: Recorder,
        outputs: Outputs,
        status: Arc<Status>,
    ) -> Self {
        Self {
            follower: Follower::default(),
            features: FeatureSet::new(&model.features),
            model,
            logit: f64::NAN,
            simulator: Simulator::new(settings),
            recorder,
            outputs,
            status,
            counts: EngineCounts::default(),
            was_live: false,
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
            frames.take_levels(&head, |levels| self.follower.levels(levels));
            self.end(&head);
        }
        EngineReport { ring_high_water_events: frames.high_water(), ..self.finish() }
    }

    /// The frame's place in the simulation. Only for frames since the first snapshot, which have been counted.
    #[inline]
    fn moment(&self, head: &FrameHead) -> Moment {
        let sequence = self.follower.sequence().expect("a book that is traded on has had a snapshot");
        Moment { sequence, venue_sequence_num: head.sequence_num, ts_recv_ns: head.ts_recv_ns }
    }

    #[inline]
    fn sell_due(&mut self, head: &FrameHead) {
        let moment = self.moment(head);
        let Self { simulator, follower, outputs, counts, .. } = self;
        simulator.sell_due(moment, follower.book(), |trade| push(&mut outputs.trades, trade, &mut counts.writer_waits));
    }

    /// Before the frame's levels: what is due is sold into the book as it was.
    #[inline]
    fn begin(&mut self, head: &FrameHead) {
        self.taken = self.recorder.stage_stamp(head);
        self.follower.count(head);
        self.was_live = self.follower.is_live();
        if head.kind.is_book_frame() {
            self.counts.frames += 1;
            if self.was_live {
                self.sell_due(head);
            }
        }
        match head.kind {
            FrameKind::Update => self.counts.ignored += u64::from(!self.was_live),
            FrameKind::Snapshot => {
                self.counts.snapshots += 1;
                self.features.reset();
            }
            FrameKind::Connected => self.counts.connections += 1,
            FrameKind::Invalid(_) => {}
        }
        match self.follower.begin(head) {
            Ok(None) => {}
            Ok(Some(before)) => self.features.refine(before, head.scale),
            Err(fault) => self.found(fault),
        }
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
                // What fell due without a live book is sold into the first one.
                self.sell_due(head);
            }
            self.counts.frames_by_state[self.book().state() as usize] += 1;
            let decided = if is_live { self.decide(head) } else { None };
            self.recorder.record(head, &EngineStamps { taken: self.taken, applied, decided });
        }
        self.status.publish(self.follower.book(), &self.simulator, self.counts.frames);
    }

    /// The book itself found a fault.
    #[cold]
    fn found(&mut self, fault: Fault) {
        self.counts.faults.count(fault);
        self.status.engine_found(fault);
    }

    /// Evaluates the model and buys if it says so. Gives the stamps of the features and of the decision.
    #[inline]
    fn decide(&mut self, head: &FrameHead) -> Option<(u64, u64)> {
        let crossed = self.book().is_crossed_or_locked();
        self.counts.crossed_or_locked += u64::from(crossed);
        let changed = match self.features.update(self.follower.book(), head.ts_recv_ns) {
            Ok(changed) => changed,
            Err(reason) => {
                match reason {
                    NoFeatures::Thin => self.counts.thin += 1,
                    NoFeatures::WarmingUp => self.counts.warming_up += 1,
                }
                self.observe(head, None);
                return None;
            }
        };
        let featured = self.recorder.stage_stamp(head);
        if changed {
            self.logit = self.model.logit(&self.features);
        }
        let logit = self.logit;
        if self.simulator.wants(logit) {
            if crossed {
                self.counts.purchases_withheld += 1;
            } else {
                self.simulator.buy(self.moment(head), logit, self.follower.book());
            }
        }
        let decided = self.recorder.decision_stamp(head);
        self.counts.inferences += 1;
        self.status.inferred(logit);
        self.observe(head, Some(Evaluation { logit, decided }));
        if let Some(rows) = &mut self.outputs.rows {
            rows.evaluated(&self.features, &mut self.counts.writer_waits);
        }
        Some((featured, decided))
    }

    /// Tells the writer thread of a live frame. After the last stamp: it is no part of the latency.
    #[inline]
    fn observe(&mut self, head: &FrameHead, evaluation: Option<Evaluation>) {
        let Moment { sequence, venue_sequence_num, ts_recv_ns } = self.moment(head);
        if let Some(observations) = &mut self.outputs.observations {
            let book = self.follower.book();
            let observation = Observation {
                sequence,
                venue_sequence_num,
                ts_recv_ns,
                stretch: self.counts.snapshots,
                bid: book.bids().best().unwrap_or_default(),
                ask: book.asks().best().unwrap_or_default(),
                scale: book.scale(),
                evaluation,
            };
            push(observations, observation, &mut self.counts.writer_waits);
        }
    }

    /// Ends the engine: hands over the last latencies, lets the writer thread end, and reports.
    pub fn finish(self) -> EngineReport {
        let Self { follower, simulator, recorder, outputs, counts, .. } = self;
        let book = follower.book();
        recorder.finish();
        drop(outputs);
        let (cost, worth) = simulator.mark(book);
        EngineReport {
            totals: simulator.totals(),
            empty_asks: simulator.empty_asks(),
            open_positions: simulator.open().len(),
            open_cost_and_worth: (cost, (book.state() == BookState::Live).then_some(worth)),
            book_state: book.state(),
            scale: book.scale(),
            recentres: book.bids().recentres() + book.asks().recentres(),
            rescales: book.rescales(),
            ring_high_water_events: 0,
            counts,
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
        self.follower.levels(levels);
        self.end(head);
        Ok(())
    }
}

/// Hands a record to the writer thread; waits when it is behind, and counts the wait.
#[inline]
fn push<T>(ring: &mut Producer<T>, record: T, waits: &mut u64) {
    if let Err(PushError::Full(record)) = ring.push(record) {
        wait_and_push(ring, record, waits);
    }
}

#[cold]
fn wait_and_push<T>(ring: &mut Producer<T>, record: T, waits: &mut u64) {
    *waits += 1;
    // A writer that has gone has reported why, and the run is ending.
    if for_room(Wait::Yield, 1, || ring.slots(), || ring.is_abandoned()) {
        // There is room: only this thread fills the ring.
        let _ = ring.push(record);
    }
}
