//! Visitors over the JSON of a message of any layout.

mod levels;
mod prints;
mod values;

use self::levels::UpdatesVisitor;
use self::prints::TradesVisitor;
use self::values::{Key, KeySeed, PassOver, Text, Unsigned, pass_over, seed};
use super::{Channel, LevelError, LevelField, Name, Parser, TapePart};
use crate::base::clock::parse_utc_ns;
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use crate::market::event::{Event, Fault, FrameKind};
use crate::market::units::{DECIMALS_MAX, NumberError, Scale, parse_count};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Characters of a faulty number or side that an error quotes.
const VALUE_CHARS_MAX: usize = 48;

/// What is known of the envelope.
#[derive(Default)]
pub(super) struct Envelope {
    pub(super) channel: Channel,
    pub(super) sequence_num: Option<u64>,
    pub(super) ts_event_ns: i64,
    pub(super) is_error: bool,
    pub(super) message: Option<Box<str>>,
}

/// Where the visitors put what they read.
pub(super) struct Sink<'a> {
    pub(super) parser: &'a mut Parser,
    /// The parser's, as it is after the events so far.
    pub(super) name: Option<Name>,
    pub(super) scale: Scale,
    pub(super) levels: &'a mut Vec<Event>,
    pub(super) envelope: Envelope,
    pub(super) kind: Option<FrameKind>,
    pub(super) error: Option<LevelError>,
    /// The coarsest scale, not coarser than the one in force, that holds every number.
    pub(super) needs: Scale,
    /// What the message tells of the tape. Its prints lie in the parser.
    pub(super) tape: Option<TapePart>,
    /// As [`Sink::needs`], of the prints.
    pub(super) prints_need: Scale,
    /// Prints of the product that say no side, price or size.
    pub(super) unread_prints: u64,
}

/// What is known of one event of a message. Its product or type can come after its levels.
struct EventState {
    product: EventProduct,
    kind: EventKind,
    /// Where its levels begin in the sink.
    start: usize,
    /// Whether there is an `updates`.
    has_levels: bool,
    error: Option<LevelError>,
    needs: Scale,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EventProduct {
    Missing,
    Other,
    /// Ours, if the name's levels are.
    Named(Name),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EventKind {
    Missing,
    Unknown,
    Known(FrameKind),
}

impl EventState {
    fn fail(&mut self, index: usize, field: LevelField, fault: Fault, reason: impl Into<Cow<'static, str>>) {
        self.error.get_or_insert(LevelError { fault, index, field, reason: reason.into() });
    }

    fn number(&mut self, index: usize, field: LevelField, text: &str, decimals: u8) -> u64 {
        match parse_count(text.as_bytes(), decimals) {
            Ok(0) if field == LevelField::Price => self.fail(index, field, Fault::BadNumber, "is zero"),
            Ok(count) => return count,
            Err(NumberError::FinerThanScale { needs }) if needs <= u32::from(DECIMALS_MAX) => {
                let needed = match field {
                    LevelField::Price => &mut self.needs.price_decimals,
                    _ => &mut self.needs.size_decimals,
                };
                // At most DECIMALS_MAX.
                *needed = (*needed).max(needs as u8);
            }
            Err(error) => {
                let fault = match error {
                    NumberError::TooLarge | NumberError::FinerThanScale { .. } => Fault::NumberTooLarge,
                    NumberError::Empty | NumberError::Negative | NumberError::NotDecimal => Fault::BadNumber,
                };
                self.fail(index, field, fault, format!("'{}' {error}", quote(text, VALUE_CHARS_MAX)));
            }
        }
        0
    }
}

impl Sink<'_> {
    /// Whether an event is about our market, and if its kind tells, under which name that comes.
    fn is_ours(&mut self, event: &EventState) -> bool {
        let (name, kind) = match (event.product, event.kind) {
            (EventProduct::Named(name), EventKind::Known(kind)) => (name, kind),
            // Without its kind it is faulty or nothing.
            (product, _) => return matches!(product, EventProduct::Named(_)),
        };
        let seen = name.seen(self.name, kind);
        match seen {
            Some(known) => self.name = known,
            None if name == Name::Twin => {
                let twin = self.parser.twin.clone();
                twin.iter().for_each(|twin| self.parser.remember(twin));
            }
            None => {}
        }
        seen.is_some()
    }

    /// Takes over what an event brought.
    fn end_event(&mut self, mut event: EventState) {
        let is_ours = self.is_ours(&event);
        let lacks_product = event.product == EventProduct::Missing;
        self.parser.foreign += u64::from(lacks_product && event.has_levels);
        if event.has_levels && lacks_product {
            event.fail(0, LevelField::Whole, Fault::Malformed, "has no product_id");
        } else if is_ours && event.kind == EventKind::Missing {
            event.fail(0, LevelField::Whole, Fault::Malformed, "has no type");
        } else if is_ours && event.kind != EventKind::Unknown && !event.has_levels {
            event.fail(0, LevelField::Whole, Fault::Malformed, "has no updates");
        }
        match event.kind {
            _ if !(is_ours || lacks_product && event.has_levels) => {
                self.levels.truncate(event.start);
                return;
            }
            EventKind::Known(FrameKind::Snapshot) => {
                // What came before in this message is void.
                self.levels.drain(..event.start);
                self.kind = Some(FrameKind::Snapshot);
            }
            EventKind::Known(kind) => {
                self.kind.get_or_insert(kind);
            }
            EventKind::Unknown => {
                self.levels.truncate(event.start);
                return;
            }
            EventKind::Missing => {}
        }
        self.needs.price_decimals = self.needs.price_decimals.max(event.needs.price_decimals);
        self.needs.size_decimals = self.needs.size_decimals.max(event.needs.size_decimals);
        if self.error.is_none() {
            self.error = event.error;
        }
    }
}

pub(super) struct EnvelopeVisitor<'s, 'a>(pub(super) &'s mut Sink<'a>);

impl<'de> Visitor<'de> for EnvelopeVisitor<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(sink) = self;
        while let Some(key) = map.next_key_seed(KeySeed)? {
            let envelope = &mut sink.envelope;
            match key {
                Key::Channel => map.next_value_seed(Text(|text: &str| {
                    envelope.channel = match text {
                        "l2_data" => Channel::Level2,
                        "market_trades" => Channel::Trades,
                        "heartbeats" => Channel::Heartbeats,
                        "subscriptions" => Channel::Subscriptions,
                        _ => Channel::Other,
                    };
                }))?,
                Key::Timestamp => map.next_value_seed(Text(|text: &str| {
                    envelope.ts_event_ns = parse_utc_ns(text.as_bytes()).unwrap_or(0);
                }))?,
                Key::SequenceNum => envelope.sequence_num = map.next_value_seed(Unsigned)?,
                Key::Type => map.next_value_seed(Text(|text: &str| envelope.is_error = text == "error"))?,
                Key::Message => map
                    .next_value_seed(Text(|text: &str| envelope.message = Some(quote(text, QUOTE_CHARS_MAX).into())))?,
                Key::Events => map.next_value_seed(EventsVisitor(sink))?,
                _ => {
                    map.next_value_seed(PassOver::default())?;
                }
            }
        }
        Ok(())
    }
}

struct EventsVisitor<'s, 'a>(&'s mut Sink<'a>);

impl EventsVisitor<'_, '_> {
    const NULL: () = ();
}

seed!(EventsVisitor<'_, '_>, ());

impl<'de> Visitor<'de> for EventsVisitor<'_, '_> {
    type Value = ();
    pass_over!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str); visit_map: MapAccess);
    fn visit_seq<A: SeqAccess<'de>>(self, mut events: A) -> Result<(), A::Error> {
        while events.next_element_seed(EventVisitor(self.0))?.is_some() {}
        Ok(())
    }
}

struct EventVisitor<'s, 'a>(&'s mut Sink<'a>);

impl EventVisitor<'_, '_> {
    const NULL: () = ();
}

seed!(EventVisitor<'_, '_>, ());

impl<'de> Visitor<'de> for EventVisitor<'_, '_> {
    type Value = ();
    pass_over!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str); visit_seq: SeqAccess);
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(sink) = self;
        let prints_start = sink.parser.prints.len();
        let mut event = EventState {
            product: EventProduct::Missing,
            kind: EventKind::Missing,
            start: sink.levels.len(),
            has_levels: false,
            error: None,
            needs: sink.scale,
        };
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match key {
                Key::Type => map.next_value_seed(Text(|text: &str| {
                    event.kind = match text {
                        "snapshot" => EventKind::Known(FrameKind::Snapshot),
                        "update" => EventKind::Known(FrameKind::Update),
                        _ => EventKind::Unknown,
                    };
                }))?,
                Key::ProductId => map.next_value_seed(Text(|text: &str| {
                    event.product = match sink.parser.name_of(text) {
                        Some(name) => EventProduct::Named(name),
                        None => {
                            sink.parser.remember(text);
                            EventProduct::Other
                        }
                    };
                }))?,
                Key::Trades => map.next_value_seed(TradesVisitor(&mut *sink))?,
                Key::Updates if event.product != EventProduct::Other => {
                    event.has_levels = true;
                    if !map.next_value_seed(UpdatesVisitor { sink: &mut *sink, event: &mut event })? {
                        event.fail(0, LevelField::Whole, Fault::Malformed, "has updates that are no array");
                    }
                }
                _ => {
                    map.next_value_seed(PassOver::default())?;
                }
            }
        }
        sink.end_prints(prints_start, event.kind);
        sink.end_event(event);
        Ok(())
    }
}
