//! The venue's messages: the envelope of any message, and the levels of `l2_data` as events.
//!
//! The parser takes any key order, white space, unknown fields, several events in a message and escaped strings, and
//! allocates nothing for a message that is well. Messages of the venue's usual layout take a faster way to the same
//! result. What it reads is in the venue's documentation of the Advanced Trade websocket, channel `level2`.

mod fast;

use crate::clock::parse_utc_ns;
use crate::event::{Event, Fault, FrameKind};
use crate::units::{DECIMALS_MAX, NumberError, Scale, Side, parse_count};
use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Names of other products that a parser remembers, to tell the user what there is.
const OTHER_PRODUCTS_MAX: usize = 64;
/// Characters of a faulty text that an error quotes.
const QUOTE_CHARS_MAX: usize = 48;

/// Which of the venue's channels a message is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// `l2_data`: levels.
    Level2,
    /// `heartbeats`, one a second.
    Heartbeats,
    /// `subscriptions`: acknowledgement of a subscribe or unsubscribe.
    Subscriptions,
    /// Any other, or none.
    #[default]
    Other,
}

/// What a message means for the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BookPart {
    /// Nothing: another channel or another product.
    None,
    /// The levels lie in the buffer given to [`Parser::parse`].
    Frame(FrameKind),
    /// Numbers need more decimals than the scale in force has; this one would do.
    Finer(Scale),
    /// A level is impossible.
    Impossible(LevelError),
}

/// A message, its levels apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel.
    pub channel: Channel,
    /// The connection's counter over all channels.
    pub sequence_num: Option<u64>,
    /// The venue's clock, Unix nanoseconds; 0 where it said nothing readable.
    pub ts_event_ns: i64,
    /// What the message means for the book.
    pub book: BookPart,
    /// The text of an error message.
    pub venue_error: Option<Box<str>>,
}

/// Not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Bytes that are no UTF-8, which JSON is.
    #[error("not UTF-8")]
    Utf8,
    /// Not JSON, or JSON but no object.
    #[error("not a JSON object, from byte {offset} on")]
    Json {
        /// Where reading stopped.
        offset: usize,
    },
}

/// An impossible level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("level {index}: {field} {reason}", field = .field.name())]
pub struct LevelError {
    /// The kind of fault.
    pub fault: Fault,
    /// Counted from 0 in its event.
    pub index: usize,
    /// Where.
    pub field: LevelField,
    /// What is wrong, with the text.
    pub reason: Cow<'static, str>,
}

/// A field of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelField {
    /// `side`
    Side,
    /// `price_level`
    Price,
    /// `new_quantity`
    Quantity,
    /// The level itself, or its event.
    Whole,
}

impl LevelField {
    fn name(self) -> &'static str {
        match self {
            Self::Side => "side",
            Self::Price => "price_level",
            Self::Quantity => "new_quantity",
            Self::Whole => "it",
        }
    }
}

/// Reads messages for one product.
#[derive(Debug)]
pub struct Parser {
    product: Box<str>,
    /// The name under which the venue streams the product if not under its own.
    twin: Option<Box<str>>,
    twin_seen: bool,
    other_products: Vec<Box<str>>,
    usual: fast::Reader,
}

impl Parser {
    /// A parser for `product`. A `-USDC` product is also recognised as its `-USD` twin, under which the venue streams it.
    pub fn new(product: &str) -> Self {
        let twin: Option<Box<str>> = product.strip_suffix("-USDC").map(|base| format!("{base}-USD").into());
        Self {
            product: product.into(),
            usual: fast::Reader::new(product, twin.as_deref()),
            twin,
            twin_seen: false,
            other_products: Vec::new(),
        }
    }

    /// The name under which the product's levels came, when it is not the product's own.
    pub fn alias(&self) -> Option<&str> {
        self.twin.as_deref().filter(|_| self.twin_seen)
    }

    /// Other products seen in level messages, at most 64.
    pub fn other_products(&self) -> impl Iterator<Item = &str> {
        self.other_products.iter().map(|product| &**product)
    }

    /// Reads one message. The product's levels, at `scale`, replace what is in `levels`; they mean something only if
    /// the message's [`BookPart`] is a frame.
    ///
    /// Levels that a later snapshot in the same message makes void are left out.
    ///
    /// # Errors
    /// The message is not UTF-8 or not a JSON object.
    #[inline]
    pub fn parse(&mut self, message: &[u8], scale: Scale, levels: &mut Vec<Event>) -> Result<Message, Malformed> {
        levels.clear();
        let Some(usual) = self.usual.read(message, scale, levels) else {
            return self.parse_any_layout(message, scale, levels);
        };
        self.twin_seen |= usual.is_twin;
        Ok(Message {
            channel: Channel::Level2,
            sequence_num: Some(usual.sequence_num),
            ts_event_ns: usual.ts_event_ns,
            book: BookPart::Frame(usual.kind),
            venue_error: None,
        })
    }

    /// The same as [`Parser::parse`], by the general way alone: what the faster one is compared with.
    ///
    /// # Errors
    /// The message is not UTF-8 or not a JSON object.
    pub fn parse_any_layout(
        &mut self,
        message: &[u8],
        scale: Scale,
        levels: &mut Vec<Event>,
    ) -> Result<Message, Malformed> {
        levels.clear();
        let mut sink =
            Sink { parser: self, scale, levels, envelope: Envelope::default(), kind: None, error: None, needs: scale };
        // Also what makes the JSON parser sound: it takes the bytes of keys and strings for UTF-8 unseen.
        let message = simdutf8::basic::from_utf8(message).map_err(|_| Malformed::Utf8)?;
        let mut json = sonic_rs::Deserializer::from_str(message);
        json.deserialize_map(EnvelopeVisitor(&mut sink))
            .and_then(|()| json.end())
            .map_err(|error| Malformed::Json { offset: error.offset() })?;
        let Sink { envelope, kind, error, needs, .. } = sink;
        let book = match (envelope.channel, error, kind) {
            (Channel::Level2, Some(error), _) => BookPart::Impossible(error),
            (Channel::Level2, None, Some(_)) if needs != scale => BookPart::Finer(needs),
            (Channel::Level2, None, Some(kind)) => BookPart::Frame(kind),
            _ => BookPart::None,
        };
        Ok(Message {
            channel: envelope.channel,
            sequence_num: envelope.sequence_num,
            ts_event_ns: envelope.ts_event_ns,
            book,
            venue_error: if envelope.is_error { Some(envelope.message.unwrap_or_default()) } else { None },
        })
    }

    /// Whether an event's product is ours; others are remembered.
    fn is_ours(&mut self, product: &str) -> bool {
        if product == &*self.product {
            return true;
        }
        if self.twin.as_deref() == Some(product) {
            self.twin_seen = true;
            return true;
        }
        if self.other_products.len() < OTHER_PRODUCTS_MAX && self.other_products().all(|other| other != product) {
            self.other_products.push(product.into());
        }
        false
    }
}

/// What is known of the envelope.
#[derive(Default)]
struct Envelope {
    channel: Channel,
    sequence_num: Option<u64>,
    ts_event_ns: i64,
    is_error: bool,
    message: Option<Box<str>>,
}

/// Where the visitors put what they read.
struct Sink<'a> {
    parser: &'a mut Parser,
    scale: Scale,
    levels: &'a mut Vec<Event>,
    envelope: Envelope,
    kind: Option<FrameKind>,
    error: Option<LevelError>,
    /// The coarsest scale, not coarser than the one in force, that holds every number.
    needs: Scale,
}

/// What is known of one event of a message. Its product or type can come after its levels.
struct EventState {
    ours: Option<bool>,
    kind: EventKind,
    /// Where its levels begin in the sink.
    start: usize,
    /// Whether there is an `updates`.
    has_levels: bool,
    error: Option<LevelError>,
    needs: Scale,
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
                self.fail(index, field, fault, format!("'{}' {error}", quote(text)));
            }
        }
        0
    }
}

impl Sink<'_> {
    /// Takes over what an event brought.
    fn end_event(&mut self, mut event: EventState) {
        if event.has_levels && event.ours.is_none() {
            event.fail(0, LevelField::Whole, Fault::Malformed, "has no product_id");
        } else if event.ours == Some(true) && event.kind == EventKind::Missing {
            event.fail(0, LevelField::Whole, Fault::Malformed, "has no type");
        } else if event.ours == Some(true) && event.kind != EventKind::Unknown && !event.has_levels {
            event.fail(0, LevelField::Whole, Fault::Malformed, "has no updates");
        }
        match event.kind {
            _ if event.ours == Some(false) || (event.ours.is_none() && !event.has_levels) => {
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

/// The beginning of a text from the venue, fit for one line.
fn quote(text: &str) -> Box<str> {
    let mut quoted: String = text.chars().take(QUOTE_CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(QUOTE_CHARS_MAX).is_some() {
        quoted.push('…');
    }
    quoted.into()
}

/// A visitor that can stand for a value of any type.
macro_rules! seed {
    ($visitor:ty, $value:ty $(, $($generics:tt)*)?) => {
        impl<'de, $($($generics)*)?> DeserializeSeed<'de> for $visitor {
            type Value = $value;
            fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_any(self)
            }
        }
    };
}

/// The visits by which a visitor passes over values that it has no use for; they yield the default.
macro_rules! pass_over {
    ($($visit:ident($type:ty)),*; $($nested:ident: $access:ident),*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON value")
        }
        $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok(Default::default())
        })*
        $(fn $nested<A: $access<'de>>(self, nested: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.$nested(nested).map(|_| Default::default())
        })*
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Default::default())
        }
    };
}

/// Calls its function with a string; anything else in its place is passed over.
struct Text<F>(F);

seed!(Text<F>, (), F: FnOnce(&str));

impl<'de, F: FnOnce(&str)> Visitor<'de> for Text<F> {
    type Value = ();
    pass_over!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64); visit_seq: SeqAccess, visit_map: MapAccess);
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0(text);
        Ok(())
    }
}

/// Yields an unsigned number; anything else in its place is none.
struct Unsigned;

seed!(Unsigned, Option<u64>);

impl<'de> Visitor<'de> for Unsigned {
    type Value = Option<u64>;
    pass_over!(visit_bool(bool), visit_i64(i64), visit_f64(f64), visit_str(&str); visit_seq: SeqAccess, visit_map: MapAccess);
    fn visit_u64<E>(self, number: u64) -> Result<Option<u64>, E> {
        Ok(Some(number))
    }
}

/// The keys that mean something, at any depth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Channel,
    Timestamp,
    SequenceNum,
    Events,
    Type,
    Message,
    ProductId,
    Updates,
    Side,
    PriceLevel,
    NewQuantity,
    Unknown,
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "channel" => Key::Channel,
            "timestamp" => Key::Timestamp,
            "sequence_num" => Key::SequenceNum,
            "events" => Key::Events,
            "type" => Key::Type,
            "message" => Key::Message,
            "product_id" => Key::ProductId,
            "updates" => Key::Updates,
            "side" => Key::Side,
            "price_level" => Key::PriceLevel,
            "new_quantity" => Key::NewQuantity,
            _ => Key::Unknown,
        })
    }
}

struct EnvelopeVisitor<'s, 'a>(&'s mut Sink<'a>);

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
                Key::Message => map.next_value_seed(Text(|text: &str| envelope.message = Some(quote(text))))?,
                Key::Events => map.next_value_seed(EventsVisitor(sink))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct EventsVisitor<'s, 'a>(&'s mut Sink<'a>);

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

seed!(EventVisitor<'_, '_>, ());

impl<'de> Visitor<'de> for EventVisitor<'_, '_> {
    type Value = ();
    pass_over!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str); visit_seq: SeqAccess);
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(sink) = self;
        let mut event = EventState {
            ours: None,
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
                Key::ProductId => {
                    map.next_value_seed(Text(|text: &str| event.ours = Some(sink.parser.is_ours(text))))?;
                }
                Key::Updates if event.ours != Some(false) => {
                    event.has_levels = true;
                    if !map.next_value_seed(UpdatesVisitor { sink: &mut *sink, event: &mut event })? {
                        event.fail(0, LevelField::Whole, Fault::Malformed, "has updates that are no array");
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        sink.end_event(event);
        Ok(())
    }
}

/// Yields whether the value is an array.
struct UpdatesVisitor<'s, 'a> {
    sink: &'s mut Sink<'a>,
    event: &'s mut EventState,
}

seed!(UpdatesVisitor<'_, '_>, bool);

impl<'de> Visitor<'de> for UpdatesVisitor<'_, '_> {
    type Value = bool;
    pass_over!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str); visit_map: MapAccess);
    fn visit_seq<A: SeqAccess<'de>>(self, mut updates: A) -> Result<bool, A::Error> {
        let Self { sink, event } = self;
        let mut index = 0;
        while let Some(level) =
            updates.next_element_seed(LevelVisitor { event: &mut *event, index, scale: sink.scale })?
        {
            match level {
                Some(level) => sink.levels.push(level),
                None => {
                    event.fail(index, LevelField::Whole, Fault::Malformed, "is no object of side, price and quantity")
                }
            }
            index += 1;
        }
        Ok(true)
    }
}

/// Yields a level, whose counts are 0 where an error was noted, or none if a field is missing or no string.
struct LevelVisitor<'s> {
    event: &'s mut EventState,
    index: usize,
    scale: Scale,
}

seed!(LevelVisitor<'_>, Option<Event>);

impl<'de> Visitor<'de> for LevelVisitor<'_> {
    type Value = Option<Event>;
    pass_over!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str); visit_seq: SeqAccess);
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Event>, A::Error> {
        let Self { event, index, scale } = self;
        let (mut side, mut price_ticks, mut size_lots) = (None, None, None);
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match key {
                Key::Side => map.next_value_seed(Text(|text: &str| {
                    side = Some(match text {
                        "bid" => Side::Bid,
                        "offer" | "ask" => Side::Ask,
                        _ => {
                            let reason = format!("'{}' is neither bid nor offer", quote(text));
                            event.fail(index, LevelField::Side, Fault::UnknownSide, reason);
                            Side::Bid
                        }
                    });
                }))?,
                Key::PriceLevel => map.next_value_seed(Text(|text: &str| {
                    price_ticks = Some(event.number(index, LevelField::Price, text, scale.price_decimals));
                }))?,
                Key::NewQuantity => map.next_value_seed(Text(|text: &str| {
                    size_lots = Some(event.number(index, LevelField::Quantity, text, scale.size_decimals));
                }))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((|| Some(Event::level(side?, price_ticks?, size_lots?)))())
    }
}

#[cfg(test)]
mod tests;
