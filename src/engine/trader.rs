//! A trader on the engine's book: a model, an execution, and what comes of them.
//!
//! ```
//! use papertrader::engine::trader::{Outputs, Trader};
//! use papertrader::execution::rules::OriginalRules;
//! use papertrader::market::book::Book;
//! use papertrader::strategy::model::Model;
//!
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#;
//! let model = Model::parse("imbalance.json".as_ref(), text)?;
//! let rules = OriginalRules { threshold_logit: 0.4, lag_updates: 20, buy_amount: 100.0 };
//! let (trades, mut taken) = rtrb::RingBuffer::new(16);
//! let trader = Trader::original(model, rules, Outputs::of(trades));
//!
//! // An engine would show it frames in between.
//! let report = trader.finish(&Book::default());
//! assert_eq!((report.counts.inferences, report.open_positions), (0, 0));
//! assert!(taken.pop().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::observation::{Evaluation, Observation, RowSender};
use super::panel::Seat;
use super::status::Status;
use crate::execution::Execution;
use crate::execution::desk::{Desk, DeskReport};
use crate::execution::hold_back::{HoldBack, HoldBackCounts};
use crate::execution::ledger::{Moment, Totals, Trade};
use crate::execution::original::Original;
use crate::execution::records::Record;
use crate::execution::rules::OriginalRules;
use crate::handoff::{Wait, for_room};
use crate::market::book::{Book, BookState};
use crate::market::event::{Event, FrameHead, Print};
use crate::market::units::Scale;
use crate::strategy::features::NoFeatures;
use crate::strategy::model::Model;
use rtrb::{Producer, PushError};
use std::sync::Arc;

/// Where a trader's records go.
#[derive(Debug)]
pub enum Sink<T> {
    /// To another thread.
    Ring(Producer<T>),
    /// Into memory, until whoever drives the engine takes them: [`Engine::take_trades`](super::Engine::take_trades).
    Kept(Vec<T>),
}

impl<T> From<Producer<T>> for Sink<T> {
    fn from(ring: Producer<T>) -> Self {
        Self::Ring(ring)
    }
}

impl<T> Sink<T> {
    /// Hands a record over; waits when the writer thread is behind, and counts the wait.
    #[inline]
    fn push(&mut self, record: T, waits: &mut u64) {
        match self {
            Self::Ring(ring) => push(ring, record, waits),
            Self::Kept(kept) => kept.push(record),
        }
    }

    fn take(&mut self) -> impl Iterator<Item = T> + '_ {
        match self {
            Self::Ring(_) => None,
            Self::Kept(kept) => Some(kept.drain(..)),
        }
        .into_iter()
        .flatten()
    }
}

/// What a trader hands over, and where it goes.
#[derive(Debug)]
pub struct Outputs {
    /// Closed trades.
    pub trades: Sink<Trade>,
    /// Live frames, when somebody asked for them.
    pub observations: Option<Producer<Observation>>,
    /// In their place, the log-odds of each live frame, if there are any: of a trader whose frames another one, before it on the same
    /// book, tells of.
    pub logits: Option<Producer<Option<f64>>>,
    /// Features of some evaluations, when somebody asked for them.
    pub rows: Option<RowSender>,
}

impl Outputs {
    /// Closed trades alone.
    pub fn of(trades: impl Into<Sink<Trade>>) -> Self {
        Self { trades: trades.into(), observations: None, logits: None, rows: None }
    }
}

/// What a trader has seen and done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraderCounts {
    /// Evaluations of the model.
    pub inferences: u64,
    /// Live frames without evaluation: a side has fewer levels than the model looks at.
    pub thin: u64,
    /// Live frames without evaluation: too few updates, or too little time, since the snapshot for the model's history.
    pub warming_up: u64,
    /// Live frames without evaluation: an expression among the model's features has no value.
    pub undefined: u64,
    /// Purchases not made because the book was crossed or locked.
    pub purchases_withheld: u64,
    /// Times that the engine waited for the writer thread.
    pub writer_waits: u64,
    /// Messages of prints that a feature's window of time lost early, see [`FeatureSet::tape_overruns`](crate::strategy::features::FeatureSet::tape_overruns).
    pub tape_overruns: u64,
    /// Updates that an expression's window of time lost early, see [`FeatureSet::update_overruns`](crate::strategy::features::FeatureSet::update_overruns).
    pub update_overruns: u64,
}

/// A trader's state at the end.
#[derive(Clone, Debug)]
pub struct TraderReport {
    /// What was seen and done.
    pub counts: TraderCounts,
    /// Closed trades.
    pub totals: Totals,
    /// Purchases not made because nobody sold.
    pub empty_asks: u64,
    /// Positions still open.
    pub open_positions: usize,
    /// What they cost, and what they would bring in the book at the end if it is live.
    pub open_cost_and_worth: (f64, Option<f64>),
    /// What came of the accounts beside the original's.
    pub desk: DeskReport,
    /// What was held back for them, if anything was to be.
    pub hold_back: Option<HoldBackCounts>,
    /// Records of accounts that were kept and that nobody took before the end, those of the end included.
    pub last_records: Vec<Record>,
}

/// A live frame, as traders see it: its levels are in the book.
#[derive(Clone, Copy, Debug)]
pub struct LiveFrame<'a> {
    /// The frame's head.
    pub head: &'a FrameHead,
    /// Its place in the simulation.
    pub moment: Moment,
    /// The book after it.
    pub book: &'a Book,
    /// Whether it left the book crossed or locked.
    pub is_crossed_or_locked: bool,
}

/// Accounts, and where their records go.
#[derive(Debug)]
struct Accounts<D> {
    desk: D,
    records: Sink<Record>,
}

impl<D> Accounts<D> {
    /// Lets the desk do something, its records going to the writer thread.
    #[inline]
    fn act<T>(&mut self, waits: &mut u64, act: impl FnOnce(&mut D, &mut dyn FnMut(Record)) -> T) -> T {
        let Self { desk, records } = self;
        act(desk, &mut |record| records.push(record, waits))
    }
}

/// A trader.
#[derive(Debug)]
pub struct Trader {
    model: Arc<Model>,
    /// Where the engine evaluates it.
    pub(super) seat: Seat,
    execution: Execution,
    /// Beside it: on the engine's book, or kept behind on a book of their own.
    accounts: Option<Box<Accounts<Desk>>>,
    held_back: Option<Box<Accounts<HoldBack>>>,
    /// The model's for the frame in hand, if it was evaluated and accounts are held back.
    held_logit: Option<f64>,
    outputs: Outputs,
    counts: TraderCounts,
}

impl Trader {
    /// A trader without positions. An engine evaluates a model once for all traders that share it.
    pub fn new(model: impl Into<Arc<Model>>, execution: Execution, outputs: Outputs) -> Self {
        Self {
            model: model.into(),
            seat: Seat::default(),
            execution,
            accounts: None,
            held_back: None,
            held_logit: None,
            outputs,
            counts: TraderCounts::default(),
        }
    }

    /// The same with accounts beside its execution. Their records go into `records`.
    #[must_use]
    pub fn with_desk(self, desk: Desk, records: impl Into<Sink<Record>>) -> Self {
        Self { accounts: Some(Box::new(Accounts { desk, records: records.into() })), ..self }
    }

    /// The same with accounts that are kept behind.
    #[must_use]
    pub fn with_hold_back(self, desk: HoldBack, records: impl Into<Sink<Record>>) -> Self {
        Self { held_back: Some(Box::new(Accounts { desk, records: records.into() })), ..self }
    }

    /// Its model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Trades that were kept since they were last taken.
    pub(super) fn take_trades(&mut self) -> impl Iterator<Item = Trade> + '_ {
        self.outputs.trades.take()
    }

    /// Records of accounts that were kept since they were last taken.
    pub(super) fn take_records(&mut self) -> impl Iterator<Item = Record> + '_ {
        let on_the_book = self.accounts.iter_mut().flat_map(|accounts| accounts.records.take());
        on_the_book.chain(self.held_back.iter_mut().flat_map(|held| held.records.take()))
    }

    /// Whether there are accounts on the engine's book.
    pub fn has_desk(&self) -> bool {
        self.accounts.is_some()
    }

    /// Whether there are accounts that are kept behind: they take every message by themselves.
    pub fn holds_back(&self) -> bool {
        self.held_back.is_some()
    }

    /// For accounts that are kept behind: a message that is not of prints comes.
    pub fn hold_begin(&mut self, head: &FrameHead) {
        self.held_logit = None;
        if let Some(held) = &mut self.held_back {
            held.act(&mut self.counts.writer_waits, |held, out| held.begin(head, out));
        }
    }

    /// For them: its levels.
    pub fn hold_levels(&mut self, head: &FrameHead, levels: &[Event]) {
        if let Some(held) = &mut self.held_back {
            held.desk.levels(head, levels);
        }
    }

    /// For them: a print.
    pub fn hold_print(&mut self, head: &FrameHead, print: Print) {
        if let Some(held) = &mut self.held_back {
            held.act(&mut self.counts.writer_waits, |held, out| held.print(head, print, out));
        }
    }

    /// For them: a message has ended.
    pub fn hold_end(&mut self, head: &FrameHead) {
        let logit = self.held_logit.take();
        if let Some(held) = &mut self.held_back {
            held.act(&mut self.counts.writer_waits, |held, out| held.end(head, logit, out));
        }
    }

    /// Before a message that came at `ts_recv_ns`: what has arrived at the venue before it.
    #[inline]
    pub fn arrivals(&mut self, ts_recv_ns: i64, book: &Book) {
        if let Some(accounts) = &mut self.accounts {
            accounts.act(&mut self.counts.writer_waits, |desk, out| desk.arrivals(ts_recv_ns, book, out));
        }
    }

    /// The book is about to be lost, or replaced by a snapshot.
    pub fn book_lost(&mut self, ts_recv_ns: i64, book: &Book) {
        if let Some(accounts) = &mut self.accounts {
            accounts.act(&mut self.counts.writer_waits, |desk, out| desk.book_lost(ts_recv_ns, book, out));
        }
    }

    /// Whether levels are to be told one by one, before the book takes them.
    #[inline]
    pub fn rests(&self) -> bool {
        self.accounts.as_ref().is_some_and(|accounts| accounts.desk.rests())
    }

    /// A level that the book is about to take.
    #[inline]
    pub fn level(&mut self, book: &Book, level: Event) {
        if let Some(accounts) = &mut self.accounts
            && accounts.desk.rests()
        {
            accounts.desk.level(book, level);
        }
    }

    /// Levels of an update.
    #[inline]
    pub fn named(&mut self, levels: &[Event]) {
        if let Some(accounts) = &mut self.accounts {
            accounts.desk.named(levels);
        }
    }

    /// A print.
    pub fn print(&mut self, book: &Book, print: &Print, scale: Scale) {
        if let Some(accounts) = &mut self.accounts
            && accounts.desk.rests()
        {
            accounts.desk.print(book, print, scale);
        }
    }

    /// After a message of prints: what they have filled.
    pub fn settle(&mut self, head: &FrameHead, book: &Book) {
        if let Some(accounts) = &mut self.accounts {
            let (sequence_num, ts_recv_ns) = (head.sequence_num, head.ts_recv_ns);
            accounts.act(&mut self.counts.writer_waits, |desk, out| {
                desk.settle(book, sequence_num, ts_recv_ns, out);
            });
        }
    }

    /// A trader by the original program's rules.
    pub fn original(model: impl Into<Arc<Model>>, rules: OriginalRules, outputs: Outputs) -> Self {
        Self::new(model, Execution::Original(Original::new(rules)), outputs)
    }

    /// The book's scale has become finer.
    #[inline]
    pub fn refine(&mut self, before: Scale, scale: Scale) {
        if let Some(accounts) = &mut self.accounts {
            accounts.desk.refine(before, scale);
        }
    }

    /// Closes what is due by the frame `now` in the live book before it, or in the first live book since.
    #[inline(always)]
    pub fn close_due(&mut self, now: Moment, book: &Book, status: &Status) {
        let Self { execution, outputs, counts, .. } = self;
        execution.close_due(now, book, |trade| {
            status.closed(trade.profit());
            outputs.trades.push(trade, &mut counts.writer_waits);
        });
        if let Some(accounts) = &mut self.accounts {
            accounts.act(&mut self.counts.writer_waits, |desk, out| desk.close_due(now, book, out));
        }
    }

    /// What accounts do with a live frame before anything is decided in it.
    #[inline(always)]
    pub fn after_frame(&mut self, frame: &LiveFrame<'_>) {
        if let Some(accounts) = &mut self.accounts {
            accounts.act(&mut self.counts.writer_waits, |desk, out| desk.after_frame(frame.moment, frame.book, out));
        }
    }

    /// Opens a position if the model's `logit` says so.
    #[inline(always)] // Built into the engine's loop: the frame stays in registers.
    pub fn decide(&mut self, frame: &LiveFrame<'_>, logit: Result<f64, NoFeatures>, status: &Status) {
        let logit = match logit {
            Ok(logit) => logit,
            Err(NoFeatures::Thin) => return self.counts.thin += 1,
            Err(NoFeatures::WarmingUp) => return self.counts.warming_up += 1,
            Err(NoFeatures::Undefined) => return self.counts.undefined += 1,
        };
        if self.execution.wants(logit) {
            if frame.is_crossed_or_locked {
                self.counts.purchases_withheld += 1;
            } else if self.execution.open(frame.moment, logit, frame.book) {
                status.opened();
            }
        }
        if let Some(accounts) = &mut self.accounts {
            accounts.act(&mut self.counts.writer_waits, |desk, out| {
                desk.decide(frame.moment, logit, frame.book, out);
            });
        }
        self.held_logit = Some(logit);
        self.counts.inferences += 1;
    }

    /// Whether somebody wants to know of every live frame: then it wants [`Trader::observe`].
    pub fn is_observed(&self) -> bool {
        let Outputs { observations, logits, rows, .. } = &self.outputs;
        observations.is_some() || logits.is_some() || rows.is_some()
    }

    /// Tells the writer thread of a live frame. After the last stamp: it is no part of the latency.
    #[inline(always)]
    pub fn observe<V: Iterator<Item = f64>>(
        &mut self,
        frame: &LiveFrame<'_>,
        evaluation: Option<Evaluation>,
        values: impl FnOnce() -> V,
    ) {
        let Moment { sequence, venue_sequence_num, ts_recv_ns, stretch } = frame.moment;
        if let Some(observations) = &mut self.outputs.observations {
            let book = frame.book;
            let observation = Observation {
                sequence,
                venue_sequence_num,
                ts_recv_ns,
                stretch,
                bid: book.bids().best().unwrap_or_default(),
                ask: book.asks().best().unwrap_or_default(),
                scale: book.scale(),
                evaluation,
            };
            push(observations, observation, &mut self.counts.writer_waits);
        }
        if let Some(logits) = &mut self.outputs.logits {
            push(logits, evaluation.map(|evaluation| evaluation.logit), &mut self.counts.writer_waits);
        }
        if let (Some(rows), Some(_)) = (&mut self.outputs.rows, evaluation) {
            rows.evaluated(values, &mut self.counts.writer_waits);
        }
    }

    /// Ends the trader: lets the writer thread end, and reports. `book` is the book at the end.
    pub fn finish(mut self, book: &Book) -> TraderReport {
        let (cost, worth) = self.execution.mark(book);
        let waits = &mut self.counts.writer_waits;
        let mut last_records = Vec::new();
        let mut desk_report = self.accounts.take().map_or_else(DeskReport::default, |accounts| {
            let Accounts { desk, mut records } = *accounts;
            let report = desk.finish(book, &mut |record| records.push(record, waits));
            last_records.extend(records.take());
            report
        });
        let hold_back = self.held_back.take().map(|held| {
            let Accounts { desk, mut records } = *held;
            let (report, counts) = desk.finish(&mut |record| records.push(record, waits));
            desk_report = report;
            last_records.extend(records.take());
            counts
        });
        TraderReport {
            totals: *self.execution.totals(),
            empty_asks: self.execution.empty_asks(),
            open_positions: self.execution.open_positions(),
            open_cost_and_worth: (cost, (book.state() == BookState::Live).then_some(worth)),
            desk: desk_report,
            hold_back,
            last_records,
            counts: self.counts,
        }
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
