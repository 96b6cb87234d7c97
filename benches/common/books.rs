//! Books under comparison: ours, and the obvious one of two ordered maps.

use super::{Arm, Parsed, mix, mix_level};
use papertrader::market::book::{Book, Level, TOP_LEVELS};
use papertrader::market::event::FrameKind;
use papertrader::market::units::{Scale, Side};
use std::collections::BTreeMap;
use std::hint::black_box;

/// How many levels of each side are read.
pub const TOP: usize = 10;

/// A book of any maker.
pub trait Depth {
    /// A frame as the book's interface takes it.
    type Frame;

    /// Reads all levels of a frame, to have them in the caches as the thread that takes them from a ring has them.
    fn touch(frame: &Self::Frame) -> u64;

    /// Applies all levels of a frame.
    fn apply(&mut self, frame: &Self::Frame);

    /// Reads the [`TOP`] best levels of both sides and gives their checksum.
    fn top_sum(&self) -> u64;
}

const _: () = assert!(TOP <= TOP_LEVELS);

/// The checksum of prices in ticks and sizes in lots, best first. It begins anew with every frame, so that no frame's work
/// waits for the checksum of the one before.
#[inline]
pub fn levels_sum(bids: impl Iterator<Item = (u64, u64)>, asks: impl Iterator<Item = (u64, u64)>) -> u64 {
    bids.take(TOP).chain(asks.take(TOP)).fold(0, |sum, (price_ticks, size_lots)| mix_level(sum, price_ticks, size_lots))
}

/// Frames whose levels are brought into the caches at a time.
const BLOCK_FRAMES: usize = 64;

/// An arm that applies every frame and reads the best levels after it. The book is kept from round to round, as a running
/// program keeps it; the snapshot that begins it anew is not timed.
pub fn apply_and_read<'a, D: Depth + 'a>(name: &'a str, book: D, frames: &'a [D::Frame]) -> Arm<'a> {
    arm(name, book, frames, |book, frames| {
        frames.iter().fold(0, |sum, frame| {
            book.apply(frame);
            mix(sum, book.top_sum())
        })
    })
}

/// The same, but the best levels are read after every block of frames only.
pub fn apply_alone<'a, D: Depth + 'a>(name: &'a str, book: D, frames: &'a [D::Frame]) -> Arm<'a> {
    arm(name, book, frames, |book, frames| {
        frames.iter().for_each(|frame| book.apply(frame));
        book.top_sum()
    })
}

fn arm<'a, D: Depth + 'a>(
    name: &'a str,
    book: D,
    frames: &'a [D::Frame],
    run: impl Fn(&mut D, &[D::Frame]) -> u64 + 'a,
) -> Arm<'a> {
    let (snapshot, updates) = (&frames[0], &frames[1..]);
    let block = |at: usize| &updates[at * BLOCK_FRAMES..updates.len().min((at + 1) * BLOCK_FRAMES)];
    let prepare = move |book: &mut D, at: usize| {
        if at == 0 {
            book.apply(snapshot);
        }
        black_box(block(at).iter().map(D::touch).fold(0, u64::wrapping_add));
    };
    Arm::in_blocks(name, book, updates.len().div_ceil(BLOCK_FRAMES), prepare, move |book, at| run(book, block(at)))
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

    fn touch((_, levels): &Parsed) -> u64 {
        levels.iter().map(|level| level.price_ticks()).fold(0, u64::wrapping_add)
    }

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
        levels_sum(self.book.bids().top().levels().map(pair), self.book.asks().top().levels().map(pair))
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

    fn touch((_, levels): &Parsed) -> u64 {
        levels.iter().map(|level| level.price_ticks()).fold(0, u64::wrapping_add)
    }

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
