//! Rows of values after each frame of the book, each with its label.
//!
//! ```
//! use papertrader::base::clock::Speed;
//! use papertrader::capture::replay::Replay;
//! use papertrader::engine::status::Status;
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::research::dataset::{Collector, FeatureRows, LabelledRow};
//! use papertrader::run::session::Feed;
//! use papertrader::statistics::labels::LabelRule;
//! use papertrader::strategy::features::{Feature, FeatureSet};
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 100 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let capture = synthetic::capture(folder.path(), 100)?;
//!
//! let mut features = FeatureRows::new(FeatureSet::new(&[Feature::Imbalance(1)]));
//! let mut sink = |row: &LabelledRow<'_>| {
//!     assert!((-1.0..=1.0).contains(&row.values[0]));
//!     Ok(())
//! };
//! let mut collector = Collector::new(0, LabelRule::mid_after(20), 1, &mut features, &mut sink);
//! Replay::open(&capture, None, ScaleRule::default(), Speed::Max)?.run(&mut collector, &Status::default());
//! let counts = collector.finish()?;
//! // The last 20 rows have no mid 20 updates later.
//! assert_eq!((counts.frames, counts.rows, counts.unlabelled), (100, 100, 20));
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```

use crate::market::book::{Book, Follower};
use crate::market::event::{Event, FaultCounts, FrameHead, FrameKind};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::Scale;
use crate::statistics::labels::{Change, DoubleMid, Label, LabelRule, Labeller};
use crate::strategy::features::{FeatureSet, NoFeatures};
use serde::Serialize;
use std::collections::VecDeque;
use std::error::Error;

/// What is computed after each frame.
pub trait Observer {
    /// How many values a row has.
    fn width(&self) -> usize;
    /// A capture begins.
    fn begin(&mut self);
    /// The book has been replaced or lost.
    fn reset(&mut self);
    /// The book has gone over to a finer scale.
    fn refine(&mut self, from: Scale, to: Scale);
    /// Takes a frame of prints, as events; they belong to what comes after them.
    fn prints(&mut self, _head: &FrameHead, _events: &[Event]) {}
    /// Computes the values after a frame received at `ts_recv_ns`; `values` holds [`Observer::width`] of them.
    ///
    /// # Errors
    /// Why there are none.
    fn observe(&mut self, book: &Book, ts_recv_ns: i64, values: &mut [f64]) -> Result<(), NoFeatures>;
}

/// The features themselves.
#[derive(Debug)]
pub struct FeatureRows {
    features: FeatureSet,
}

impl FeatureRows {
    /// Rows of these features.
    pub fn new(features: FeatureSet) -> Self {
        Self { features }
    }

    /// See [`FeatureSet::tape_overruns`].
    pub fn tape_overruns(&self) -> u64 {
        self.features.tape_overruns()
    }

    /// See [`FeatureSet::update_overruns`].
    pub fn update_overruns(&self) -> u64 {
        self.features.update_overruns()
    }
}

impl Observer for FeatureRows {
    fn width(&self) -> usize {
        self.features.features().len()
    }

    fn begin(&mut self) {
        self.features.begin();
    }

    fn reset(&mut self) {
        self.features.reset();
    }

    fn refine(&mut self, from: Scale, to: Scale) {
        self.features.refine(from, to);
    }

    fn prints(&mut self, head: &FrameHead, events: &[Event]) {
        self.features.prints(head, events);
    }

    fn observe(&mut self, book: &Book, ts_recv_ns: i64, values: &mut [f64]) -> Result<(), NoFeatures> {
        self.features.update(book, ts_recv_ns)?;
        values.iter_mut().zip(self.features.values()).for_each(|(place, value)| *place = value);
        Ok(())
    }
}

/// Where a row comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowHead {
    /// The capture, by its place in the list.
    pub capture: u32,
    /// Frames of the book since the capture's first snapshot, which is 0: the simulation's count.
    pub sequence: u64,
    /// The venue's number of the frame's message.
    pub venue_sequence_num: u64,
    /// Our clock, Unix nanoseconds.
    pub ts_recv_ns: i64,
    /// The venue's clock, Unix nanoseconds; 0 where it said nothing readable.
    pub ts_event_ns: i64,
    /// Twice the mid.
    pub mid: DoubleMid,
    /// Decimals of the capture's tick, in which a row is written: those of the first live book's scale.
    pub tick_decimals: u8,
}

/// A row with everything that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct LabelledRow<'a> {
    /// Where it comes from.
    pub head: RowHead,
    /// What the observer computed.
    pub values: &'a [f64],
    /// What the mid did, by the label's rule; `None` where the book was lost, or the capture ended, before that was known.
    pub change: Option<Change>,
    /// The frame, by its sequence, to which the label looks.
    pub until: u64,
}

/// What became of the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RowCounts {
    /// Frames of the book.
    pub frames: u64,
    /// Those that left the book live.
    pub live: u64,
    /// Live frames without a row: a side has fewer levels than the features look at.
    pub thin: u64,
    /// Live frames without a row: too few updates, or too little time, since the snapshot for the features' history.
    pub warming_up: u64,
    /// Live frames without a row: an expression among the features has no value.
    pub undefined: u64,
    /// Rows.
    pub rows: u64,
    /// Rows without label: the capture or its book ended before the horizon, or had one side only there.
    pub unlabelled: u64,
    /// Frames that moved the mid.
    pub mid_changes: u64,
    /// The longest stretch of live frames from a snapshot on.
    pub longest_live: u64,
}

impl RowCounts {
    /// Adds what another capture gave.
    pub fn add(&mut self, other: &Self) {
        let Self { frames, live, thin, warming_up, undefined, rows, unlabelled, mid_changes, longest_live } = self;
        *frames += other.frames;
        *live += other.live;
        *thin += other.thin;
        *warming_up += other.warming_up;
        *undefined += other.undefined;
        *rows += other.rows;
        *unlabelled += other.unlabelled;
        *mid_changes += other.mid_changes;
        *longest_live = other.longest_live.max(*longest_live);
    }
}

/// What a receiver of rows may fail with.
pub type SinkError = Box<dyn Error + Send + Sync>;

/// A row that waits for its label.
#[derive(Clone, Copy, Debug)]
struct Pending {
    head: RowHead,
    slot: usize,
}

/// Follows one capture's frames and hands out its rows in order, as soon as their labels are known.
pub struct Collector<'a, O> {
    capture: u32,
    every: u64,
    follower: Follower,
    observer: &'a mut O,
    sink: &'a mut dyn FnMut(&LabelledRow<'_>) -> Result<(), SinkError>,
    labels: Labeller,
    /// Oldest first, each a row of `labels`.
    pending: VecDeque<Pending>,
    /// Values of pending rows, a slot each; as many slots as were ever needed at once.
    values: Vec<f64>,
    free_slots: Vec<usize>,
    /// Live frames since the snapshot.
    at: u64,
    evaluated: u64,
    /// Decimals of the capture's tick: those of the first live book's scale.
    tick_decimals: Option<u8>,
    mid: Option<DoubleMid>,
    counts: RowCounts,
    faults: FaultCounts,
    failed: Option<SinkError>,
}

impl<'a, O: Observer> Collector<'a, O> {
    /// A collector of the rows of capture number `capture`. Of the frames that have values every `every`-th becomes a
    /// row. `every` is at least 1.
    pub fn new(
        capture: u32,
        label: LabelRule,
        every: u32,
        observer: &'a mut O,
        sink: &'a mut dyn FnMut(&LabelledRow<'_>) -> Result<(), SinkError>,
    ) -> Self {
        assert!(every >= 1, "a step goes forward");
        observer.begin();
        Self {
            capture,
            every: u64::from(every),
            follower: Follower::default(),
            observer,
            sink,
            labels: Labeller::new(label),
            pending: VecDeque::new(),
            values: Vec::new(),
            free_slots: Vec::new(),
            at: 0,
            evaluated: 0,
            tick_decimals: None,
            mid: None,
            counts: RowCounts::default(),
            faults: FaultCounts::default(),
            failed: None,
        }
    }

    /// Faults that the book itself found.
    pub fn faults(&self) -> &FaultCounts {
        &self.faults
    }

    /// Decimals of the capture's tick, those of the first live book's scale; `None` before there is one.
    pub fn tick_decimals(&self) -> Option<u8> {
        self.tick_decimals
    }

    /// Ends the capture: rows that wait go out without label.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(mut self) -> Result<RowCounts, SinkError> {
        self.flush();
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.counts),
        }
    }

    fn emit(&mut self, row: Pending, Label { change, until }: Label) {
        let width = self.observer.width();
        self.counts.rows += 1;
        self.counts.unlabelled += u64::from(change.is_none());
        let values = &self.values[row.slot * width..][..width];
        if self.failed.is_none() {
            self.failed = (self.sink)(&LabelledRow { head: row.head, values, change, until }).err();
        }
        self.free_slots.push(row.slot);
    }

    /// No label can come for what waits.
    fn flush(&mut self) {
        self.labels.reset();
        self.emit_known();
    }

    fn emit_known(&mut self) {
        while let Some(label) = self.labels.next_known() {
            if let Some(row) = self.pending.pop_front() {
                self.emit(row, label);
            }
        }
    }

    fn live_frame(&mut self, head: &FrameHead, sequence: u64) {
        self.counts.live += 1;
        let book = self.follower.book();
        let mid = book.best().map(|(bid, ask)| DoubleMid {
            // Two counts of at most 63 bits.
            ticks: bid.price_ticks + ask.price_ticks,
            price_decimals: book.scale().price_decimals,
        });
        let tick_decimals = *self.tick_decimals.get_or_insert(book.scale().price_decimals);
        self.labels.set_tick_decimals(tick_decimals);
        if let (Some(before), Some(now)) = (self.mid, mid) {
            self.counts.mid_changes += u64::from(before.change_to(now).sign != 0);
        }
        self.mid = mid;
        self.labels.frame(sequence, head.ts_recv_ns, mid);
        self.emit_known();

        let width = self.observer.width();
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.values.resize(self.values.len() + width, 0.0);
            self.values.len() / width - 1
        });
        let values = &mut self.values[slot * width..][..width];
        let observed = self.observer.observe(self.follower.book(), head.ts_recv_ns, values);
        let (Ok(()), Some(mid)) = (observed, mid) else {
            let count = match observed {
                Err(NoFeatures::WarmingUp) => &mut self.counts.warming_up,
                Err(NoFeatures::Undefined) => &mut self.counts.undefined,
                // Or there is no mid.
                Err(NoFeatures::Thin) | Ok(()) => &mut self.counts.thin,
            };
            *count += 1;
            self.free_slots.push(slot);
            return;
        };
        if self.evaluated.is_multiple_of(self.every) {
            let head = RowHead {
                capture: self.capture,
                sequence,
                venue_sequence_num: head.sequence_num,
                ts_recv_ns: head.ts_recv_ns,
                ts_event_ns: head.ts_event_ns,
                mid,
                tick_decimals,
            };
            self.labels.row();
            self.pending.push_back(Pending { head, slot });
        } else {
            self.free_slots.push(slot);
        }
        self.evaluated += 1;
    }
}

impl<O: Observer> Publish for Collector<'_, O> {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        if head.kind == FrameKind::Prints {
            self.observer.prints(head, levels);
            return Ok(());
        }
        self.follower.count(head);
        let begun = self.follower.begin(head);
        self.follower.levels(levels);
        let ended = self.follower.end();
        self.counts.frames += u64::from(head.kind.is_book_frame());
        [begun.err(), ended.err()].into_iter().flatten().for_each(|fault| self.faults.count(fault));

        // Whether what is remembered of the book from before is void.
        let is_anew = head.kind != FrameKind::Update;
        if is_anew {
            self.observer.reset();
        }
        if let Ok(Some(before)) = begun {
            self.observer.refine(before, head.scale);
        }
        let is_live = self.follower.is_live();
        if is_anew || !is_live {
            self.flush();
            self.at = 0;
            self.mid = None;
        }
        if let (true, Some(sequence)) = (is_live, self.follower.sequence()) {
            self.live_frame(head, sequence);
            self.at += 1;
            self.counts.longest_live = self.counts.longest_live.max(self.at);
        }
        if self.failed.is_some() { Err(EngineGone) } else { Ok(()) }
    }
}
