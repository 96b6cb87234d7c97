//! The venue's messages: the envelope of any message, and the levels of `l2_data` as events.
//!
//! The parser takes any key order, white space, unknown fields, several events in a message and escaped strings, and
//! allocates nothing for a message that is well. Messages of the venue's usual layout take a faster way to the same
//! result. What it reads is in the venue's documentation of the Advanced Trade websocket, channel `level2`.
//!
//! ```
//! use papertrader::feed::coinbase::level2::{BookPart, Parser};
//! use papertrader::market::event::{Event, FrameKind};
//! use papertrader::market::units::{Scale, Side};
//!
//! let text = br#"{"channel":"l2_data","timestamp":"2024-08-09T00:00:00.12345678Z","sequence_num":5,"events":[
//!     {"type":"update","product_id":"BTC-USD","updates":[{"side":"offer","event_time":"2024-08-09T00:00:00.08216Z",
//!     "price_level":"61830.18","new_quantity":"0.00000005"}]}]}"#;
//! let mut parser = Parser::new("BTC-USD");
//! let mut levels = Vec::new();
//!
//! // The numbers need a finer scale than whole units.
//! let message = parser.parse(text, Scale::default(), &mut levels)?;
//! let BookPart::Finer(scale) = message.book else { panic!("whole units do not do") };
//! assert_eq!(scale, Scale { price_decimals: 2, size_decimals: 8 });
//!
//! let message = parser.parse(text, scale, &mut levels)?;
//! assert_eq!((message.book, message.sequence_num), (BookPart::Frame(FrameKind::Update), Some(5)));
//! assert_eq!(levels, [Event::level(Side::Ask, 6_183_018, 5)]);
//! # Ok::<(), papertrader::feed::coinbase::level2::Malformed>(())
//! ```

mod fast;
mod general;

use crate::market::event::{Event, Fault, FrameKind, PRINT_EVENTS, Print};
use crate::market::units::Scale;
use general::{Envelope, EnvelopeVisitor, Sink};
use serde::de::Deserializer as _;
use std::borrow::Cow;

/// Names of other products that a parser remembers, to tell the user what there is.
pub const OTHER_PRODUCTS_MAX: usize = 64;
/// The longest such name; the venue's are a fifth of that. Longer ones are nobody's product and not kept.
pub const PRODUCT_BYTES_MAX: usize = 64;

/// Which of the venue's channels a message is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// `l2_data`: levels.
    Level2,
    /// `market_trades`: prints.
    Trades,
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
    /// Prints, oldest first, lie there.
    Prints(TapePart),
    /// Numbers need more decimals than the scale in force has; this one would do.
    Finer(Scale),
    /// A level is impossible.
    Impossible(LevelError),
}

/// What a message of `market_trades` tells of the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapePart {
    /// The last trades before the subscription.
    Snapshot,
    /// New trades.
    Update,
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

/// A name of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Own,
    Twin,
}

impl Name {
    /// What the last snapshot's name is after levels under this one, where it was `known` before; `None` if the levels are
    /// another market's.
    fn seen(self, known: Option<Self>, kind: FrameKind) -> Option<Option<Self>> {
        match (self, known, kind) {
            (Self::Twin, Some(Self::Own), _) => None,
            (_, _, FrameKind::Snapshot) => Some(Some(self)),
            (_, Some(known), _) if known != self => None,
            _ => Some(known),
        }
    }
}

/// Reads messages for one product.
#[derive(Debug)]
pub struct Parser {
    product: Box<str>,
    /// The name under which the venue streams the product if not under its own.
    twin: Option<Box<str>>,
    /// Under which of the two the last snapshot came.
    name: Option<Name>,
    other_products: Vec<Box<str>>,
    usual: fast::Reader,
    /// The prints of the message in hand, in its order.
    prints: Vec<Event>,
    /// Prints of the product that could not be read.
    unread_prints: u64,
    /// Things seen that are not the product's, where the general way read the message.
    foreign: u64,
}

impl Parser {
    /// A parser for `product`. A `-USDC` product is also recognised as its `-USD` twin, under which the venue streams it; a
    /// few, such as USDT-USDC, are markets beside that twin. The last snapshot's name tells: updates under the other are
    /// another market's, and after a snapshot under the product's own name so are the twin's.
    pub fn new(product: &str) -> Self {
        let twin: Option<Box<str>> = twin_of(product).map(Into::into);
        Self {
            product: product.into(),
            usual: fast::Reader::new(product, twin.as_deref()),
            twin,
            name: None,
            other_products: Vec::new(),
            prints: Vec::new(),
            unread_prints: 0,
            foreign: 0,
        }
    }

    /// How many events and prints of other products, or of none, have been passed over. If a message leaves it as it was, all
    /// that the message tells of a market is the product's own. What comes in the usual layout does.
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Prints of the product without side, price or size.
    pub fn unread_prints(&self) -> u64 {
        self.unread_prints
    }

    /// The name under which the product's levels came, when it is not the product's own.
    pub fn alias(&self) -> Option<&str> {
        self.twin.as_deref().filter(|_| self.name == Some(Name::Twin))
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
            return self.parse_prints(message, scale, levels);
        };
        let name = if usual.is_twin { Name::Twin } else { Name::Own };
        if self.name != Some(name) {
            let Some(known) = name.seen(self.name, usual.kind) else {
                return self.parse_any_layout(message, scale, levels);
            };
            self.name = known;
        }
        Ok(Message {
            channel: Channel::Level2,
            sequence_num: Some(usual.sequence_num),
            ts_event_ns: usual.ts_event_ns,
            book: BookPart::Frame(usual.kind),
            venue_error: None,
        })
    }

    /// Reads a message that is none of levels in the usual layout.
    fn parse_prints(&mut self, message: &[u8], scale: Scale, levels: &mut Vec<Event>) -> Result<Message, Malformed> {
        levels.clear();
        let Some(usual) = self.usual.read_prints(message, scale, levels) else {
            return self.parse_any_layout(message, scale, levels);
        };
        let name = if usual.is_twin { Name::Twin } else { Name::Own };
        if self.name.is_some_and(|known| known != name) {
            return self.parse_any_layout(message, scale, levels);
        }
        oldest_first(levels);
        Ok(Message {
            channel: Channel::Trades,
            sequence_num: Some(usual.sequence_num),
            ts_event_ns: usual.ts_event_ns,
            book: BookPart::Prints(TapePart::Update),
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
        let name = self.name;
        let envelope = Envelope::default();
        self.prints.clear();
        let mut sink = Sink {
            parser: self,
            name,
            scale,
            levels,
            envelope,
            kind: None,
            error: None,
            needs: scale,
            tape: None,
            prints_need: scale,
            unread_prints: 0,
        };
        // Also what makes the JSON parser sound: it takes the bytes of keys and strings for UTF-8 unseen.
        let message = simdutf8::basic::from_utf8(message).map_err(|_| Malformed::Utf8)?;
        let mut json = sonic_rs::Deserializer::from_str(message);
        json.deserialize_map(EnvelopeVisitor(&mut sink))
            .and_then(|()| json.end())
            .map_err(|error| Malformed::Json { offset: error.offset() })?;
        let Sink { parser, name, envelope, kind, error, needs, levels, tape, prints_need, unread_prints, .. } = sink;
        let book = match (envelope.channel, error, kind) {
            (Channel::Level2, Some(error), _) => BookPart::Impossible(error),
            (Channel::Level2, None, Some(_)) if needs != scale => BookPart::Finer(needs),
            (Channel::Level2, None, Some(kind)) => BookPart::Frame(kind),
            (Channel::Trades, ..) => parser.end_prints(tape, prints_need, unread_prints, scale, levels),
            _ => BookPart::None,
        };
        if matches!(book, BookPart::Frame(_)) {
            parser.name = name;
        }
        Ok(Message {
            channel: envelope.channel,
            sequence_num: envelope.sequence_num,
            ts_event_ns: envelope.ts_event_ns,
            book,
            venue_error: if envelope.is_error { Some(envelope.message.unwrap_or_default()) } else { None },
        })
    }

    /// Puts the prints of a message into its place, oldest first; the venue sends them newest first.
    fn end_prints(
        &mut self,
        tape: Option<TapePart>,
        needs: Scale,
        unread_prints: u64,
        scale: Scale,
        levels: &mut Vec<Event>,
    ) -> BookPart {
        let Some(part) = tape else {
            self.unread_prints += unread_prints;
            return BookPart::None;
        };
        if needs != scale {
            return BookPart::Finer(needs);
        }
        self.unread_prints += unread_prints;
        levels.clear();
        levels.extend_from_slice(&self.prints);
        oldest_first(levels);
        BookPart::Prints(part)
    }

    /// Whether a print of that product belongs to the book of ours.
    fn prints_of(&self, product: &str) -> bool {
        let known = self.name;
        self.name_of(product).is_some_and(|name| known.is_none_or(|known| known == name))
    }

    /// Which of the product's names this is.
    fn name_of(&self, product: &str) -> Option<Name> {
        if product == &*self.product {
            return Some(Name::Own);
        }
        self.twin.as_deref().filter(|&twin| twin == product).map(|_| Name::Twin)
    }

    /// Remembers another product.
    fn remember(&mut self, product: &str) {
        self.foreign += 1;
        if self.other_products.len() < OTHER_PRODUCTS_MAX
            && product.len() <= PRODUCT_BYTES_MAX
            && self.other_products().all(|other| other != product)
        {
            self.other_products.push(product.into());
        }
    }
}

/// The other name under which the venue may stream a product: a `-USDC` product's `-USD` twin.
pub fn twin_of(product: &str) -> Option<String> {
    product.strip_suffix("-USDC").map(|base| format!("{base}-USD"))
}

/// Turns a list of prints that begins with the newest.
fn oldest_first(prints: &mut [Event]) {
    let (prints, _) = prints.as_chunks_mut::<PRINT_EVENTS>();
    let id = |print: Option<&[Event; PRINT_EVENTS]>| print.map(|&print| Print::decode(print).trade_id);
    if id(prints.first()) > id(prints.last()) {
        prints.reverse();
    }
}

#[cfg(test)]
mod tests;
