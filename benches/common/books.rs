//! Books under comparison: ours, and the obvious one of two ordered maps.

use super::{Arm, Parsed, mix, mix_level};
use papertrader::book::{Book, Level};
use papertrader::event::FrameKind;
use papertrader::units::{Scale, Side};
use std::collections::BTreeMap;

/// How many levels of each side are read.
pub const TOP: usize = 10;

/// A book of any maker.
pub trait Depth {
    /// A frame as the book's interface takes it.
    type Frame;

    /// Applies all levels of a frame.
    fn apply(&mut self, frame: &Self::Frame);

    /// Reads the [`TOP`] best levels of both sides and gives their checksum.
    fn top_sum(&self) -> u64;
}

/// The checksum of prices in ticks and sizes in lots, best first. It begins anew with every frame, so that no frame's work
/// waits for the checksum of the one before.
#[inline]
pub fn levels_sum(bids: impl Iterator<Item = (u64, u64)>, asks: impl Iterator<Item = (u64, u64)>) -> u64 {
    bids.take(TOP).chain(asks.take(TOP)).fold(0, |sum, (price_ticks, size_lots)| mix_level(sum, price_ticks, size_lots))
}

/// An arm that applies every frame and reads the best levels after it. The book is kept from round to round, as a running
/// program keeps it; the snapshot that begins it anew is not timed.
pub fn apply_and_read<'a, D: Depth + 'a>(name: &'a str, book: D, frames: &'a [D::Frame]) -> Arm<'a> {
    let run = |book: &mut D| {
        frames[1..].iter().fold(0, |sum, frame| {
            book.apply(frame);
            mix(sum, book.top_sum())
        })
    };
    Arm::prepared(name, book, |book| book.apply(&frames[0]), run)
}

/// The same, but the best levels are read after the last frame only.
pub fn apply_alone<'a, D: Depth + 'a>(name: &'a str, book: D, frames: &'a [D::Frame]) -> Arm<'a> {
    let run = |book: &mut D| {
        frames[1..].iter().for_each(|frame| book.apply(frame));
        book.top_sum()
    };
    Arm::prepared(name, book, |book| book.apply(&frames[0]), run)
}

/// Our book.
pub struct Ours {
    book: Book,
    scale: Scale,
}

impl Ours {
    pub fn new(scale: Scale) -> Self {
        Self { book: Book::default(), scale }
    }
}

impl Depth for Ours {
    type Frame = Parsed;

    fn apply(&mut self, (kind, levels): &Parsed) {
        if *kind == FrameKind::Snapshot {
            self.book.begin_snapshot(self.scale);
            self.book.stage(levels);
            self.book.end_snapshot().expect("a book of ordinary size");
        } else {
            self.book.apply(levels);
            self.book.end_update().expect("a book of ordinary size");
        }
    }

    fn top_sum(&self) -> u64 {
        let pair = |level: Level| (level.price_ticks, level.size_lots);
        levels_sum(self.book.bids().levels().map(pair), self.book.asks().levels().map(pair))
    }
}

/// Sizes by price.
#[derive(Default)]
pub struct Maps {
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
}

impl Depth for Maps {
    type Frame = Parsed;

    fn apply(&mut self, (kind, levels): &Parsed) {
        if *kind == FrameKind::Snapshot {
            self.bids.clear();
            self.asks.clear();
        }
        for level in levels {
            let side = if level.side() == Side::Bid { &mut self.bids } else { &mut self.asks };
            match level.size_lots() {
                0 => side.remove(&level.price_ticks()),
                lots => side.insert(level.price_ticks(), lots),
            };
        }
    }

    fn top_sum(&self) -> u64 {
        let pair = |(&price_ticks, &size_lots): (&u64, &u64)| (price_ticks, size_lots);
        levels_sum(self.bids.iter().rev().map(pair), self.asks.iter().map(pair))
    }
}
