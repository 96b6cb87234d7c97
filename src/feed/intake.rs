//! Takes messages, however they came, and publishes frames: the part of the feed that live sessions and replays share.
//!
//! It checks the sequence of every message, reads the product's levels at the scale in force, and turns everything that
//! makes the book unreliable into a frame that says so, in its place between the others.
//!
//! ```
//! use papertrader::base::clock::Clock;
//! use papertrader::feed::intake::{Arrival, Intake, ScaleRule, Taken};
//! use papertrader::market::event::{Fault, UNMEASURED, UNSTAMPED};
//! use papertrader::research::source::Nobody;
//!
//! let mut intake = Intake::new("BTC-USD", ScaleRule::default(), Clock::new());
//! let arrival = Arrival { ts_recv_ns: 0, arrived: None, received: UNMEASURED, decoded: UNSTAMPED };
//! intake.connected(&arrival, &mut Nobody)?;
//! let heartbeat = |number: u64| format!(r#"{{"channel":"heartbeats","sequence_num":{number},"events":[]}}"#);
//! assert_eq!(intake.take(heartbeat(0).as_bytes(), &arrival, &mut Nobody)?, Taken::Heartbeat);
//!
//! // Message 1 was lost.
//! let taken = intake.take(heartbeat(2).as_bytes(), &arrival, &mut Nobody)?;
//! let Taken::Fault(note) = taken else { panic!("a gap is a fault") };
//! assert_eq!(note.fault, Fault::SequenceGap);
//! assert_eq!(note.detail, "sequence_num 2 where 1 was due");
//! # Ok::<(), papertrader::market::publish::EngineGone>(())
//! ```

use super::coinbase::level2::{BookPart, Channel, LevelError, Malformed, Message, Parser, TapePart};
use super::coinbase::sequence::Sequence;
use super::coinbase::subscription::MARKET_TRADES;
pub use super::counts::IntakeCounts;
use super::prints::Continuity;
use crate::base::clock::Clock;
use crate::engine::latency::STAGES_EVERY;
use crate::market::event::{Event, Fault, FrameHead, FrameKind, PRINT_EVENTS, Print, UNMEASURED, UNSTAMPED};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::{Decimal, Scale};

/// Room for a frame's levels that is there from the start; larger frames, as snapshots are, enlarge it.
const LEVELS_RESERVED: usize = 1 << 14;
/// The most levels that a message may have. Memory is bounded by the message's length before; this is where a book
/// becomes one that no venue has.
pub const FRAME_LEVELS_MAX: usize = 1 << 20;
/// Fault notes that are kept for the report.
const NOTES_MAX: usize = 64;

/// When a message came; the stamps are raw readings of the [`Clock`].
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Our clock, Unix nanoseconds.
    pub ts_recv_ns: i64,
    /// It had reached this machine, as [`FrameHead::arrived`]; `None` where nobody stamped that.
    pub arrived: Option<u64>,
    /// The read that completed the message returned, or a paced recording's frame was due.
    pub received: u64,
    /// Transport decoding is done.
    pub decoded: u64,
}

/// A scale, given by the user or found in the data.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScaleRule {
    /// Decimals of the tick that the user gave.
    pub price_decimals: Option<u8>,
    /// Decimals of the lot that the user gave.
    pub size_decimals: Option<u8>,
}

impl ScaleRule {
    /// What is given, and whole units where nothing is.
    fn coarsest(self) -> Scale {
        Scale { price_decimals: self.price_decimals.unwrap_or(0), size_decimals: self.size_decimals.unwrap_or(0) }
    }

    /// Whether a finer scale may be taken.
    fn allows(self, needs: Scale) -> bool {
        self.price_decimals.is_none_or(|given| needs.price_decimals <= given)
            && self.size_decimals.is_none_or(|given| needs.size_decimals <= given)
    }
}

/// Something that made the book unreliable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultNote {
    /// The kind.
    pub fault: Fault,
    /// What it was and where, for one line.
    pub detail: String,
}

/// What a message was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Levels of the product, published.
    Frame,
    /// Prints of the product, published unless they were before the subscription or known already.
    Prints,
    /// A heartbeat.
    Heartbeat,
    /// An acknowledgement.
    Subscriptions,
    /// The venue's error message that it does not serve the prints.
    PrintsRefused(Box<str>),
    /// Another channel, another product, nothing.
    Other,
    /// The book was declared invalid.
    Fault(FaultNote),
}

/// The feed's state from message to message.
#[derive(Debug)]
pub struct Intake {
    clock: Clock,
    /// The product's index in the session.
    product: u8,
    parser: Parser,
    rule: ScaleRule,
    scale: Scale,
    /// The scale of the prints in hand: the book's, or a finer one that leaves the book as it is.
    prints_scale: Scale,
    sequence: Sequence,
    tape: Continuity,
    /// Whether a snapshot has come since the connection was made or a fault was found.
    synced: bool,
    /// Whether the engine has been told that the book is invalid since the last snapshot.
    invalid: bool,
    /// Whether a fault has been counted since the connection was made.
    faulted: bool,
    /// Of the message in hand.
    pub(super) levels: Vec<Event>,
    /// The venue's time of the frame published last, Unix nanoseconds.
    ts_event_ns: i64,
    /// The stamp of its receipt; 0 before any.
    frame_received: u64,
    counts: IntakeCounts,
    notes: Vec<FaultNote>,
}

impl Intake {
    /// An intake for one product.
    pub fn new(product: &str, rule: ScaleRule, clock: Clock) -> Self {
        Self {
            clock,
            product: 0,
            parser: Parser::new(product),
            rule,
            scale: rule.coarsest(),
            prints_scale: rule.coarsest(),
            sequence: Sequence::default(),
            tape: Continuity::default(),
            synced: false,
            invalid: false,
            faulted: false,
            levels: Vec::with_capacity(LEVELS_RESERVED),
            ts_event_ns: 0,
            frame_received: 0,
            counts: IntakeCounts::default(),
            notes: Vec::new(),
        }
    }

    /// The same for the product of that index in its session.
    #[must_use]
    pub fn of_product(self, product: u8) -> Self {
        Self { product, ..self }
    }

    /// The product's index in its session.
    pub fn product(&self) -> usize {
        usize::from(self.product)
    }

    /// Goes on counting from these.
    pub(super) fn counted(&mut self, counts: IntakeCounts) {
        self.counts = counts;
    }

    /// What has been seen so far.
    pub fn counts(&self) -> &IntakeCounts {
        &self.counts
    }

    /// The first faults, at most 64.
    pub fn notes(&self) -> &[FaultNote] {
        &self.notes
    }

    /// The parser, which knows aliases and other products.
    pub fn parser(&self) -> &Parser {
        &self.parser
    }

    /// The scale in force.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// The venue's clock in the envelope of the frame published last, Unix nanoseconds; 0 where it said nothing readable.
    pub fn ts_event_ns(&self) -> i64 {
        self.ts_event_ns
    }

    /// The stamp of the receipt of the frame published last; 0 before any.
    pub fn frame_received(&self) -> u64 {
        self.frame_received
    }

    /// Whether the book has been declared invalid since its last snapshot, and the connection made before.
    pub fn is_invalid(&self) -> bool {
        self.invalid
    }

    /// Whether the book is as the venue has it, as far as the feed can tell.
    pub fn is_synced(&self) -> bool {
        self.synced
    }

    /// Tells the engine of a new connection.
    ///
    /// # Errors
    /// The engine has ended.
    pub fn connected(&mut self, arrival: &Arrival, engine: &mut impl Publish) -> Result<(), EngineGone> {
        self.sequence.connected();
        self.synced = false;
        self.invalid = false;
        self.faulted = false;
        self.levels.clear();
        self.publish(FrameKind::Connected, 0, 0, arrival, engine)
    }

    /// Takes any sequence number next, as when a recording begins again.
    pub fn begin_again(&mut self) {
        self.sequence = Sequence::default();
        self.tape.begin_again();
    }

    /// Tells the engine that the book cannot be trusted, and counts why.
    ///
    /// # Errors
    /// The engine has ended.
    pub fn fault(
        &mut self,
        fault: Fault,
        detail: String,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<FaultNote, EngineGone> {
        self.faulted = true;
        self.counts.faults.count(fault);
        let note = FaultNote { fault, detail };
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note.clone());
        }
        self.invalidate(fault, arrival, engine)?;
        Ok(note)
    }

    fn invalidate(&mut self, fault: Fault, arrival: &Arrival, engine: &mut impl Publish) -> Result<(), EngineGone> {
        self.synced = false;
        self.invalid = true;
        self.levels.clear();
        self.publish(FrameKind::Invalid(fault), 0, 0, arrival, engine)
    }

    /// Tells the engine that the connection ended. A session ends a connection with its first fault: if one has been
    /// counted already, it is the cause and not counted again.
    ///
    /// # Errors
    /// The engine has ended.
    pub fn disconnected(
        &mut self,
        fault: Fault,
        detail: String,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<(), EngineGone> {
        match (self.faulted, self.invalid) {
            (false, _) => self.fault(fault, detail, arrival, engine).map(|_| ()),
            // A snapshot came together with the fault.
            (true, false) => self.invalidate(fault, arrival, engine),
            (true, true) => Ok(()),
        }
    }

    /// Takes one message.
    ///
    /// # Errors
    /// The engine has ended.
    pub fn take(&mut self, message: &[u8], arrival: &Arrival, engine: &mut impl Publish) -> Result<Taken, EngineGone> {
        self.counts.messages += 1;
        let message = match self.parse(message) {
            Ok(message) => message,
            Err(malformed) => {
                let detail = format!("message {} is {malformed}", self.counts.messages);
                return self.fault(Fault::Malformed, detail, arrival, engine).map(Taken::Fault);
            }
        };
        let mut gap = None;
        match message.sequence_num.map(|number| self.sequence.check(number)) {
            Some(Ok(())) => {}
            Some(Err((fault, expected))) => {
                let detail = format!("sequence_num {} where {expected} was due", message.sequence_num.unwrap_or(0));
                // The levels of this message are kept: a snapshot mends what the gap broke.
                let levels = std::mem::take(&mut self.levels);
                gap = Some(self.fault(fault, detail, arrival, engine)?);
                self.levels = levels;
            }
            None if message.channel == Channel::Level2 => {
                let detail = format!("message {} of l2_data has no sequence_num", self.counts.messages);
                return self.fault(Fault::Malformed, detail, arrival, engine).map(Taken::Fault);
            }
            None => {}
        }
        let taken = self.take_content(message, arrival, engine)?;
        Ok(gap.map_or(taken, Taken::Fault))
    }

    /// Takes what a message says besides its number.
    pub(super) fn take_content(
        &mut self,
        message: Message,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<Taken, EngineGone> {
        let at = || message.sequence_num.map_or_else(|| "a message".into(), |number| format!("sequence_num {number}"));
        if let Some(text) = &message.venue_error {
            // Whatever the venue has against the prints, the book does not hang on them.
            if text.contains(MARKET_TRADES) {
                self.counts.prints_refused += 1;
                self.levels.clear();
                return Ok(Taken::PrintsRefused(text.clone()));
            }
            let detail = format!("{}: the venue says '{text}'", at());
            return self.fault(Fault::VenueError, detail, arrival, engine).map(Taken::Fault);
        }
        let kind = match message.book {
            BookPart::Frame(kind) => kind,
            BookPart::Prints(part) => return self.take_prints(part, &message, arrival, engine),
            BookPart::None => {
                let (counter, taken) = match message.channel {
                    Channel::Heartbeats => (&mut self.counts.heartbeats, Taken::Heartbeat),
                    Channel::Subscriptions => (&mut self.counts.subscriptions, Taken::Subscriptions),
                    Channel::Level2 => (&mut self.counts.other_product_frames, Taken::Other),
                    Channel::Trades | Channel::Other => (&mut self.counts.other_messages, Taken::Other),
                };
                *counter += 1;
                self.counts.prints_unread = self.parser.unread_prints();
                return Ok(taken);
            }
            BookPart::Impossible(error) => {
                return self.fault(error.fault, format!("{}, {error}", at()), arrival, engine).map(Taken::Fault);
            }
            BookPart::Finer(needs) => {
                let detail = format!("{}: {}", at(), self.off_grid(needs));
                return self.fault(Fault::OffGrid, detail, arrival, engine).map(Taken::Fault);
            }
        };
        if self.levels.len() > FRAME_LEVELS_MAX {
            let count = self.levels.len();
            let detail = format!("{}: {count} levels in one message, of at most {FRAME_LEVELS_MAX}", at());
            return self.fault(Fault::TooManyLevels, detail, arrival, engine).map(Taken::Fault);
        }
        let mut fault = None;
        match kind {
            FrameKind::Snapshot => {
                self.synced = true;
                self.invalid = false;
                self.counts.snapshots += 1;
            }
            _ if !self.synced && !self.invalid => {
                let detail = format!("{}: levels came before a snapshot", at());
                let levels = std::mem::take(&mut self.levels);
                fault = Some(self.fault(Fault::UpdateBeforeSnapshot, detail, arrival, engine)?);
                self.levels = levels;
            }
            _ => {}
        }
        self.counts.frames += 1;
        let ts_recv_ns = arrival.ts_recv_ns;
        let (first, last) = self.counts.span_ns.unwrap_or((ts_recv_ns, ts_recv_ns));
        self.counts.span_ns = Some((first.min(ts_recv_ns), last.max(ts_recv_ns)));
        self.counts.levels += self.levels.len() as u64;
        self.ts_event_ns = message.ts_event_ns;
        self.frame_received = arrival.received;
        // A message without a number is no frame.
        self.publish(kind, message.sequence_num.unwrap_or(0), message.ts_event_ns, arrival, engine)?;
        Ok(fault.map_or(Taken::Frame, Taken::Fault))
    }

    /// Publishes prints that are new. What was traded before the subscription belongs to no book that is known here.
    fn take_prints(
        &mut self,
        part: TapePart,
        message: &Message,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<Taken, EngineGone> {
        let (prints, _) = self.levels.as_chunks_mut::<PRINT_EVENTS>();
        let mut new = 0;
        match part {
            TapePart::Snapshot => {
                // They are known together: none of them is lost to the others.
                let newest = prints.iter().map(|&print| Print::decode(print).trade_id).max();
                self.tape.subscribed_after(newest.unwrap_or(0));
            }
            TapePart::Update => {
                for at in 0..prints.len() {
                    if self.tape.is_new(Print::decode(prints[at]).trade_id) {
                        prints[new] = prints[at];
                        new += 1;
                    }
                }
            }
        }
        self.levels.truncate(PRINT_EVENTS * new);
        self.counts.prints += new as u64;
        self.counts.prints_lost = self.tape.lost();
        self.counts.prints_repeated = self.tape.repeated();
        self.counts.prints_unread = self.parser.unread_prints();
        if !self.levels.is_empty() {
            self.publish(FrameKind::Prints, message.sequence_num.unwrap_or(0), message.ts_event_ns, arrival, engine)?;
        }
        Ok(Taken::Prints)
    }

    fn publish(
        &mut self,
        kind: FrameKind,
        sequence_num: u64,
        ts_event_ns: i64,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<(), EngineGone> {
        // By a count of our own, which the first frame has made 1: the venue's may be all odd for one product.
        let stages_stamped = self.counts.frames % STAGES_EVERY == 1 && arrival.received != UNMEASURED;
        let head = FrameHead {
            kind,
            product: self.product,
            // At most FRAME_LEVELS_MAX.
            levels: self.levels.len() as u32,
            scale: if kind == FrameKind::Prints { self.prints_scale } else { self.scale },
            sequence_num,
            ts_recv_ns: arrival.ts_recv_ns,
            ts_event_ns,
            arrived: arrival.arrived.unwrap_or(UNSTAMPED),
            received: arrival.received,
            decoded: arrival.decoded,
            published: if stages_stamped { self.clock.stamp() } else { UNSTAMPED },
        };
        engine.publish(&head, &self.levels)
    }

    /// Parses at the scale in force; where that does not do, at a finer one or, for a snapshot, at any that does.
    #[inline]
    pub(super) fn parse(&mut self, message: &[u8]) -> Result<Message, Malformed> {
        let parsed = self.parser.parse(message, self.scale, &mut self.levels)?;
        match parsed.book {
            BookPart::Finer(_) | BookPart::Impossible(_) => self.parse_rescaled(message, parsed),
            BookPart::Prints(_) => {
                self.prints_scale = self.scale;
                Ok(parsed)
            }
            _ => Ok(parsed),
        }
    }

    #[cold]
    fn parse_rescaled(&mut self, message: &[u8], parsed: Message) -> Result<Message, Malformed> {
        match &parsed.book {
            // The book does not hang on the tape's numbers.
            BookPart::Finer(needs) if parsed.channel == Channel::Trades => {
                self.prints_scale = *needs;
                self.parser.parse(message, *needs, &mut self.levels)
            }
            BookPart::Finer(needs) if self.rule.allows(*needs) => {
                let refined = self.parser.parse(message, *needs, &mut self.levels)?;
                if matches!(refined.book, BookPart::Frame(_)) {
                    self.counts.refinements += u64::from(self.counts.snapshots > 0);
                    self.scale = *needs;
                }
                Ok(refined)
            }
            // The scale has become so fine that ordinary numbers do not fit: a snapshot begins anew.
            BookPart::Impossible(LevelError { fault: Fault::NumberTooLarge, .. })
                if self.scale != self.rule.coarsest() =>
            {
                let mut scale = self.rule.coarsest();
                let mut anew = self.parser.parse(message, scale, &mut self.levels)?;
                if let BookPart::Finer(needs) = anew.book
                    && self.rule.allows(needs)
                {
                    scale = needs;
                    anew = self.parser.parse(message, scale, &mut self.levels)?;
                }
                if anew.book == BookPart::Frame(FrameKind::Snapshot) {
                    self.scale = scale;
                    return Ok(anew);
                }
                Ok(parsed)
            }
            _ => Ok(parsed),
        }
    }

    /// Says which number does not fit the grid that the user gave.
    fn off_grid(&self, needs: Scale) -> String {
        let step = |decimals| Decimal { count: 1, decimals };
        match self.rule.price_decimals {
            Some(given) if needs.price_decimals > given => {
                format!("a price needs {} decimals, off the given tick size {}", needs.price_decimals, step(given))
            }
            _ => format!(
                "a quantity needs {} decimals, off the given lot size {}",
                needs.size_decimals,
                step(self.scale.size_decimals)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::units::Side;

    #[derive(Default)]
    struct Published(Vec<(FrameKind, Scale, Vec<Event>)>);

    impl Publish for Published {
        fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
            assert_eq!(head.levels as usize, levels.len());
            self.0.push((head.kind, head.scale, levels.to_vec()));
            Ok(())
        }
    }

    const ARRIVAL: Arrival = Arrival { ts_recv_ns: 1, arrived: None, received: 2, decoded: 3 };

    fn message(sequence_num: u64, kind: &str, price: &str, size: &str) -> String {
        format!(
            r#"{{"channel":"l2_data","sequence_num":{sequence_num},"events":[{{"type":"{kind}","product_id":"P","updates":[{{"side":"bid","price_level":"{price}","new_quantity":"{size}"}}]}}]}}"#
        )
    }

    struct Run {
        intake: Intake,
        published: Published,
    }

    impl Run {
        fn new(rule: ScaleRule) -> Self {
            Self { intake: Intake::new("P", rule, Clock::new()), published: Published::default() }
        }

        fn take(&mut self, message: &str) -> Taken {
            self.intake.take(message.as_bytes(), &ARRIVAL, &mut self.published).unwrap()
        }

        fn fault(&mut self, message: &str) -> String {
            match self.take(message) {
                Taken::Fault(note) => note.detail,
                other => panic!("{other:?}"),
            }
        }

        fn kinds(&mut self) -> Vec<FrameKind> {
            std::mem::take(&mut self.published.0).into_iter().map(|(kind, ..)| kind).collect()
        }
    }

    fn scale(price_decimals: u8, size_decimals: u8) -> Scale {
        Scale { price_decimals, size_decimals }
    }

    #[test]
    fn the_first_snapshot_sets_the_scale_and_later_numbers_refine_it() {
        let mut run = Run::new(ScaleRule::default());
        assert_eq!(run.take(&message(0, "snapshot", "61804.70", "0.5")), Taken::Frame);
        assert_eq!(run.intake.scale(), scale(1, 1));
        assert_eq!(run.take(&message(1, "update", "61804.75", "0.5")), Taken::Frame);
        assert_eq!(run.intake.counts().refinements, 1);
        assert_eq!(run.published.0[1], (FrameKind::Update, scale(2, 1), vec![Event::level(Side::Bid, 6_180_475, 5)]));
        // Too fine for 64 bits: the scale stays as it was.
        let detail = run.fault(&message(2, "update", "61804.123456789012345678", "1"));
        assert_eq!(detail, "sequence_num 2, level 0: price_level '61804.123456789012345678' is too large");
        assert_eq!(run.intake.scale(), scale(2, 1));
        assert_eq!(run.take(&message(3, "snapshot", "61804.7", "0.5")), Taken::Frame);
    }

    #[test]
    fn a_snapshot_begins_anew_when_the_scale_has_become_too_fine() {
        let mut run = Run::new(ScaleRule::default());
        run.take(&message(0, "snapshot", "1", "1"));
        run.take(&message(1, "update", "1.000000000000000001", "1"));
        assert_eq!(run.intake.scale(), scale(18, 0));
        assert!(run.fault(&message(2, "update", "61804.7", "1")).ends_with("price_level '61804.7' is too large"));
        assert_eq!(run.take(&message(3, "snapshot", "61804.7", "1")), Taken::Frame);
        assert_eq!(run.intake.scale(), scale(1, 0));
    }

    #[test]
    fn a_given_grid_is_kept() {
        let mut run = Run::new(ScaleRule { price_decimals: Some(1), size_decimals: Some(0) });
        assert_eq!(run.take(&message(0, "snapshot", "61804", "5")), Taken::Frame);
        assert_eq!(run.intake.scale(), scale(1, 0));
        assert_eq!(
            run.fault(&message(1, "update", "61804.75", "5")),
            "sequence_num 1: a price needs 2 decimals, off the given tick size 0.1"
        );
        assert_eq!(
            run.fault(&message(2, "update", "61804.7", "5.5")),
            "sequence_num 2: a quantity needs 1 decimals, off the given lot size 1"
        );
        assert_eq!(run.intake.counts().faults.of(Fault::OffGrid), 2);
    }

    #[test]
    fn gaps_invalidate_and_a_snapshot_mends() {
        let mut run = Run::new(ScaleRule::default());
        run.take(&message(0, "snapshot", "1", "1"));
        assert_eq!(run.fault(&message(2, "update", "1", "2")), "sequence_num 2 where 1 was due");
        assert_eq!(run.take(&message(3, "update", "1", "2")), Taken::Frame);
        assert_eq!(run.fault(&message(3, "snapshot", "1", "2")), "sequence_num 3 where 4 was due");
        assert_eq!(
            run.kinds(),
            [
                FrameKind::Snapshot,
                FrameKind::Invalid(Fault::SequenceGap),
                FrameKind::Update,
                FrameKind::Update,
                FrameKind::Invalid(Fault::SequenceRepeat),
                FrameKind::Snapshot
            ]
        );
        assert!(run.intake.is_synced());
    }

    #[test]
    fn updates_before_a_snapshot_are_a_fault_once() {
        let mut run = Run::new(ScaleRule::default());
        assert_eq!(run.fault(&message(0, "update", "1", "2")), "sequence_num 0: levels came before a snapshot");
        assert_eq!(run.take(&message(1, "update", "1", "2")), Taken::Frame);
        assert_eq!(run.intake.counts().faults.total(), 1);
        run.intake.connected(&ARRIVAL, &mut run.published).unwrap();
        run.kinds();
        assert_eq!(run.fault(&message(0, "update", "1", "2")), "sequence_num 0: levels came before a snapshot");
        assert_eq!(run.kinds(), [FrameKind::Invalid(Fault::UpdateBeforeSnapshot), FrameKind::Update]);
    }

    #[test]
    fn the_fault_that_ends_a_connection_counts_once() {
        let mut run = Run::new(ScaleRule::default());
        run.intake.connected(&ARRIVAL, &mut run.published).unwrap();
        // A gap just before the snapshot: the book would be good, but the session ends the connection.
        let detail = run.fault(&message(1, "snapshot", "1", "1"));
        run.intake.disconnected(Fault::SequenceGap, detail, &ARRIVAL, &mut run.published).unwrap();
        assert_eq!(run.intake.counts().faults.total(), 1);
        assert!(!run.intake.is_synced());
        assert_eq!(run.kinds().pop(), Some(FrameKind::Invalid(Fault::SequenceGap)));
        run.intake.connected(&ARRIVAL, &mut run.published).unwrap();
        run.intake.disconnected(Fault::Disconnected, "it was lost".into(), &ARRIVAL, &mut run.published).unwrap();
        run.intake.disconnected(Fault::Disconnected, "it was lost".into(), &ARRIVAL, &mut run.published).unwrap();
        assert_eq!(run.intake.counts().faults.total(), 2);
    }

    #[test]
    fn a_snapshot_may_have_so_many_levels_and_not_one_more() {
        let snapshot = |count: usize| {
            let level = r#"{"side":"bid","price_level":"1","new_quantity":"1"}"#;
            let levels = vec![level; count].join(",");
            format!(
                r#"{{"channel":"l2_data","sequence_num":0,"events":[{{"type":"snapshot","product_id":"P","updates":[{levels}]}}]}}"#
            )
        };
        let mut run = Run::new(ScaleRule::default());
        assert_eq!(run.take(&snapshot(FRAME_LEVELS_MAX)), Taken::Frame);
        run.intake.connected(&ARRIVAL, &mut run.published).unwrap();
        let detail = run.fault(&snapshot(FRAME_LEVELS_MAX + 1));
        assert_eq!(detail, "sequence_num 0: 1048577 levels in one message, of at most 1048576");
        assert_eq!(run.intake.counts().faults.of(Fault::TooManyLevels), 1);
        assert!(!run.intake.is_synced());
    }

    #[test]
    fn other_messages_count_and_consume_numbers() {
        let mut run = Run::new(ScaleRule::default());
        assert_eq!(run.take(r#"{"channel":"subscriptions","sequence_num":0,"events":[]}"#), Taken::Subscriptions);
        assert_eq!(run.take(r#"{"channel":"heartbeats","sequence_num":1,"events":[]}"#), Taken::Heartbeat);
        assert_eq!(run.take(r#"{"channel":"status","sequence_num":2,"events":[]}"#), Taken::Other);
        assert_eq!(run.fault(r#"{"type":"error","message":"no"}"#), "a message: the venue says 'no'");
        assert_eq!(run.fault(r#"{"channel":"l2_data","events":[]}"#), "message 5 of l2_data has no sequence_num");
        assert_eq!(run.fault("{"), "message 6 is not a JSON object, from byte 0 on");
        assert_eq!(run.fault(r#"{"channel":"heartbeats","sequence_num":4}"#), "sequence_num 4 where 3 was due");
        let counts = run.intake.counts();
        assert_eq!((counts.messages, counts.heartbeats, counts.subscriptions, counts.other_messages), (7, 2, 1, 1));
        assert_eq!(run.intake.notes().len(), 4);
    }
}
