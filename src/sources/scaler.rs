//! From frames of decimals to the ring's events at the scale of the book.
//!
//! The first snapshot finds the scale, unless the user gave it; a finer number makes it finer, as in a live session. Frames get
//! numbers of their own, one after the other.
//!
//! ```
//! use papertrader::base::clock::Clock;
//! use papertrader::feed::intake::{Arrival, ScaleRule};
//! use papertrader::market::event::{UNMEASURED, UNSTAMPED};
//! use papertrader::market::units::{Scale, Side};
//! use papertrader::research::source::Nobody;
//! use papertrader::sources::number::Number;
//! use papertrader::sources::scaler::Scaler;
//! use papertrader::sources::{RawFrame, RawLevel};
//!
//! let price = Number::from_text(b"61830.17").unwrap();
//! let frame = RawFrame { levels: vec![RawLevel { side: Side::Bid, price, size: price }], ..RawFrame::default() };
//! let arrival = Arrival { ts_recv_ns: 0, arrived: None, received: UNMEASURED, decoded: UNSTAMPED };
//! let mut scaler = Scaler::new(ScaleRule::default(), Clock::new());
//! scaler.take(&frame, &arrival, &mut Nobody)?;
//! assert_eq!(scaler.scale(), Scale { price_decimals: 2, size_decimals: 2 });
//! # Ok::<(), papertrader::market::publish::EngineGone>(())
//! ```

use super::{RawFrame, RawKind};
use crate::base::clock::Clock;
use crate::engine::latency::STAGES_EVERY;
use crate::feed::intake::{Arrival, FRAME_LEVELS_MAX, FaultNote, IntakeCounts, ScaleRule};
use crate::market::event::{Event, Fault, FrameHead, FrameKind, Print, UNMEASURED, UNSTAMPED};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::{DECIMALS_MAX, Scale};

/// Fault notes that are kept.
const NOTES_MAX: usize = 64;

/// The state from frame to frame.
#[derive(Debug)]
pub struct Scaler {
    clock: Clock,
    rule: ScaleRule,
    scale: Scale,
    events: Vec<Event>,
    /// The number of the next frame.
    sequence_num: u64,
    counts: IntakeCounts,
    notes: Vec<FaultNote>,
}

impl Scaler {
    /// Nothing has been taken yet.
    pub fn new(rule: ScaleRule, clock: Clock) -> Self {
        let scale =
            Scale { price_decimals: rule.price_decimals.unwrap_or(0), size_decimals: rule.size_decimals.unwrap_or(0) };
        Self {
            clock,
            rule,
            scale,
            events: Vec::new(),
            sequence_num: 0,
            counts: IntakeCounts::default(),
            notes: Vec::new(),
        }
    }

    /// What was taken.
    pub fn counts(&self) -> &IntakeCounts {
        &self.counts
    }

    /// The first faults.
    pub fn notes(&self) -> &[FaultNote] {
        &self.notes
    }

    /// The scale in force.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Publishes a frame.
    ///
    /// # Errors
    /// The engine has ended.
    pub fn take(&mut self, frame: &RawFrame, arrival: &Arrival, engine: &mut impl Publish) -> Result<(), EngineGone> {
        self.counts.messages += 1;
        self.events.clear();
        match frame.kind {
            RawKind::Lost(fault) => self.fault(fault, "the file says so".into(), frame, arrival, engine),
            RawKind::Prints => self.take_prints(frame, arrival, engine),
            RawKind::Snapshot => self.take_levels(FrameKind::Snapshot, frame, arrival, engine),
            RawKind::Update => self.take_levels(FrameKind::Update, frame, arrival, engine),
        }
    }

    fn fault(
        &mut self,
        fault: Fault,
        detail: String,
        frame: &RawFrame,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<(), EngineGone> {
        self.counts.faults.count(fault);
        if self.notes.len() < NOTES_MAX {
            self.notes.push(FaultNote { fault, detail });
        }
        self.events.clear();
        self.publish(FrameKind::Invalid(fault), self.scale, frame, arrival, engine)
    }

    fn take_levels(
        &mut self,
        kind: FrameKind,
        frame: &RawFrame,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<(), EngineGone> {
        if frame.levels.len() > FRAME_LEVELS_MAX {
            let detail = format!("frame {} has {} levels", self.sequence_num, frame.levels.len());
            return self.fault(Fault::TooManyLevels, detail, frame, arrival, engine);
        }
        while let Some(at) = self.first_that_does_not_fit(frame) {
            if let Err((fault, detail)) = self.refine(frame, at) {
                return self.fault(fault, detail, frame, arrival, engine);
            }
        }
        self.counts.frames += 1;
        self.counts.snapshots += u64::from(kind == FrameKind::Snapshot);
        self.counts.levels += frame.levels.len() as u64;
        let (first, last) = self.counts.span_ns.unwrap_or((frame.ts_recv_ns, frame.ts_recv_ns));
        self.counts.span_ns = Some((first.min(frame.ts_recv_ns), last.max(frame.ts_recv_ns)));
        self.publish(kind, self.scale, frame, arrival, engine)
    }

    /// Puts levels into events. Gives the first whose numbers do not fit the scale.
    fn first_that_does_not_fit(&mut self, frame: &RawFrame) -> Option<usize> {
        self.events.clear();
        let Scale { price_decimals, size_decimals } = self.scale;
        for (at, level) in frame.levels.iter().enumerate() {
            let Some((price, size)) = level.price.at(price_decimals).zip(level.size.at(size_decimals)) else {
                return Some(at);
            };
            self.events.push(Event::level(level.side, price, size));
        }
        None
    }

    /// Makes the scale fit a frame's levels from the one at `at` on, or says why it does not.
    #[cold]
    fn refine(&mut self, frame: &RawFrame, at: usize) -> Result<(), (Fault, String)> {
        let mut scale = self.scale;
        for level in &frame.levels[at..] {
            scale.price_decimals = scale.price_decimals.max(level.price.decimals());
            scale.size_decimals = scale.size_decimals.max(level.size.decimals());
        }
        let (price, size) = (frame.levels[at].price, frame.levels[at].size);
        let number = self.sequence_num;
        let is_given = |given: Option<u8>, needs: u8| given.is_some_and(|given| needs > given);
        if is_given(self.rule.price_decimals, scale.price_decimals)
            || is_given(self.rule.size_decimals, scale.size_decimals)
        {
            return Err((Fault::OffGrid, format!("frame {number}: price {price}, size {size}")));
        }
        if scale == self.scale || scale.price_decimals > DECIMALS_MAX || scale.size_decimals > DECIMALS_MAX {
            return Err((Fault::NumberTooLarge, format!("frame {number}: price {price}, size {size}")));
        }
        self.counts.refinements += u64::from(self.counts.snapshots > 0);
        self.scale = scale;
        Ok(())
    }

    fn take_prints(
        &mut self,
        frame: &RawFrame,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<(), EngineGone> {
        // The book does not hang on the tape's numbers.
        let mut scale = self.scale;
        for print in &frame.prints {
            scale.price_decimals = scale.price_decimals.max(print.price.decimals());
            scale.size_decimals = scale.size_decimals.max(print.size.decimals());
        }
        for print in &frame.prints {
            let counts = print.price.at(scale.price_decimals).zip(print.size.at(scale.size_decimals));
            let Some((price_ticks, size_lots)) = counts.filter(|&(price, size)| price > 0 && size > 0) else {
                self.counts.prints_unread += 1;
                continue;
            };
            let (aggressor, trade_id, ts_event_ns) = (print.aggressor, print.trade_id, print.ts_event_ns);
            let print = Print { aggressor, price_ticks, size_lots, trade_id, ts_event_ns };
            self.events.extend(print.encode());
            self.counts.prints += 1;
        }
        if self.events.is_empty() {
            return Ok(());
        }
        self.publish(FrameKind::Prints, scale, frame, arrival, engine)
    }

    fn publish(
        &mut self,
        kind: FrameKind,
        scale: Scale,
        frame: &RawFrame,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<(), EngineGone> {
        let stages_stamped = self.counts.frames % STAGES_EVERY == 1 && arrival.received != UNMEASURED;
        let head = FrameHead {
            kind,
            product: 0,
            levels: self.events.len() as u32,
            scale,
            sequence_num: self.sequence_num,
            ts_recv_ns: frame.ts_recv_ns,
            ts_event_ns: frame.ts_event_ns,
            arrived: UNSTAMPED,
            received: arrival.received,
            decoded: arrival.decoded,
            published: if stages_stamped { self.clock.stamp() } else { UNSTAMPED },
        };
        self.sequence_num += 1;
        engine.publish(&head, &self.events)
    }
}
