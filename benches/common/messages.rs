//! Raw messages under comparison: our parser, and the obvious structures for parsers of any JSON.

use super::{Arm, Frames, Work, mix, mix_level};
use papertrader::feed::coinbase::level2::{BookPart, Malformed, Message as Parsed, Parser, TapePart};
use papertrader::market::event::Event;
use papertrader::market::units::{Scale, Side, parse_count};
use serde::Deserialize;
use std::borrow::Cow;
use std::mem::{replace, take};
use std::ops::Range;

/// The obvious structures, without a copy where the text has no escapes.
#[derive(Deserialize)]
pub struct Message<'a> {
    sequence_num: u64,
    #[serde(borrow)]
    events: Vec<BookEvent<'a>>,
}

#[derive(Deserialize)]
struct BookEvent<'a> {
    #[serde(borrow)]
    product_id: Cow<'a, str>,
    #[serde(borrow)]
    updates: Vec<Update<'a>>,
}

#[derive(Deserialize)]
struct Update<'a> {
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    price_level: Cow<'a, str>,
    #[serde(borrow)]
    new_quantity: Cow<'a, str>,
}

impl Message<'_> {
    /// The checksum of the product's levels. The decimals are read by our own code, whoever parsed the JSON.
    pub fn sum(&self, product: &str, scale: Scale) -> u64 {
        let events = self.events.iter().filter(|event| event.product_id == product);
        events.flat_map(|event| &event.updates).fold(self.sequence_num, |sum, update| {
            let side = if update.side == "bid" { Side::Bid } else { Side::Ask };
            let price_ticks = parse_count(update.price_level.as_bytes(), scale.price_decimals).expect("a price");
            let size_lots = parse_count(update.new_quantity.as_bytes(), scale.size_decimals).expect("a size");
            level_sum(sum, side, price_ticks, size_lots)
        })
    }
}

fn level_sum(sum: u64, side: Side, price_ticks: u64, size_lots: u64) -> u64 {
    mix_level(sum, price_ticks ^ u64::from(side == Side::Ask) << 63, size_lots)
}

/// A capture's messages about its book but the first snapshot, which is a start-up matter; or those about its prints.
pub struct Messages<'a> {
    pub product: &'a str,
    pub scale: Scale,
    messages: Vec<&'a [u8]>,
    levels: usize,
    /// Messages that are received at a time.
    blocks: Vec<Range<usize>>,
}

/// The most bytes that are received at a time, but for a longer message: few enough for the caches.
const BLOCK_BYTES: usize = 128 << 10;

/// Messages as a read leaves them: behind one another, and in the caches.
#[derive(Default)]
struct Received {
    bytes: Vec<u8>,
    lengths: Vec<usize>,
}

impl Received {
    fn receive(&mut self, messages: &[&[u8]]) {
        self.bytes.clear();
        self.lengths.clear();
        for message in messages {
            self.bytes.extend_from_slice(message);
            self.lengths.push(message.len());
        }
    }

    fn sum(&mut self, mut message_sum: impl FnMut(&mut [u8]) -> u64) -> u64 {
        let mut rest = &mut self.bytes[..];
        self.lengths.iter().fold(0, |sum, &length| {
            let (message, behind) = take(&mut rest).split_at_mut(length);
            rest = behind;
            mix(sum, message_sum(message))
        })
    }
}

impl<'a> Messages<'a> {
    pub fn new(capture: &'a Frames, scale: Scale) -> Self {
        Self::of(capture, scale, |book| matches!(book, BookPart::Frame(_)))
    }

    /// The messages of prints, but the first.
    pub fn prints(capture: &'a Frames, scale: Scale) -> Self {
        Self::of(capture, scale, |book| *book == BookPart::Prints(TapePart::Update))
    }

    fn of(capture: &'a Frames, scale: Scale, is_wanted: impl Fn(&BookPart) -> bool) -> Self {
        let (mut parser, mut buffer) = (Parser::new(&capture.product), Vec::new());
        let (mut messages, mut levels) = (Vec::new(), 0);
        let mut begun = false;
        for (_, message) in &capture.frames {
            let read = parser.parse(message, scale, &mut buffer);
            if !read.is_ok_and(|read| is_wanted(&read.book)) {
                continue;
            }
            if replace(&mut begun, true) {
                messages.push(&message[..]);
                levels += buffer.len();
            }
        }
        let (mut blocks, mut begin, mut bytes) = (Vec::new(), 0, 0);
        for (at, message) in messages.iter().enumerate() {
            if bytes + message.len() > BLOCK_BYTES && at > begin {
                blocks.push(begin..at);
                (begin, bytes) = (at, 0);
            }
            bytes += message.len();
        }
        blocks.push(begin..messages.len());
        Self { product: &capture.product, scale, messages, levels, blocks }
    }

    pub fn work(&self) -> Work {
        let bytes = self.messages.iter().map(|message| message.len()).sum();
        Work { frames: self.messages.len(), levels: self.levels, bytes }
    }

    /// Our parser by its usual way.
    pub fn ours(&self, name: &'a str) -> Arm<'_> {
        self.parser(name, |parser, message, scale, levels| parser.parse(message, scale, levels))
    }

    /// Our parser by the way that takes any layout.
    pub fn ours_any_layout(&self, name: &'a str) -> Arm<'_> {
        self.parser(name, |parser, message, scale, levels| parser.parse_any_layout(message, scale, levels))
    }

    fn parser(
        &self,
        name: &'a str,
        parse: impl Fn(&mut Parser, &[u8], Scale, &mut Vec<Event>) -> Result<Parsed, Malformed> + 'static,
    ) -> Arm<'_> {
        let (mut parser, mut levels) = (Parser::new(self.product), Vec::with_capacity(1 << 14));
        self.arm(name, move |message| {
            let parsed = parse(&mut parser, message, self.scale, &mut levels).expect("a message");
            let level = |sum, level: &Event| level_sum(sum, level.side(), level.price_ticks(), level.size_lots());
            levels.iter().fold(parsed.sequence_num.unwrap_or(0), level)
        })
    }

    /// The obvious structures, by the parser given, which may write over the message.
    pub fn typed(&self, name: &'a str, mut read: impl for<'m> FnMut(&'m mut [u8]) -> Message<'m> + 'a) -> Arm<'_> {
        self.arm(name, move |message| read(message).sum(self.product, self.scale))
    }

    fn arm<'s>(&'s self, name: &'a str, mut message_sum: impl FnMut(&mut [u8]) -> u64 + 's) -> Arm<'s> {
        let receive = |received: &mut Received, at: usize| received.receive(&self.messages[self.blocks[at].clone()]);
        let run = move |received: &mut Received, _| received.sum(&mut message_sum);
        Arm::in_blocks(name, Received::default(), self.blocks.len(), receive, run)
    }
}
