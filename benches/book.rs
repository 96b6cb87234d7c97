//! Parsed frames into a book, then the ten best levels of both sides: our book beside two ordered maps.
//!

mod common;

use common::{Arm, Parsed, Work, captures, compare, mix};
use papertrader::book::{Book, Level};
use papertrader::event::FrameKind;
use papertrader::units::{Scale, Side};
use std::collections::BTreeMap;

const TOP: usize = 10;

fn top_sum(sum: u64, levels: impl Iterator<Item = (u64, u64)>) -> u64 {
    levels.take(TOP).fold(sum, |sum, (price_ticks, size_lots)| mix(mix(sum, price_ticks), size_lots))
}

fn ours(scale: Scale, frames: &[Parsed], read: bool) -> u64 {
    let mut book = Book::default();
    let mut sum = 0;
    for (kind, levels) in frames {
        if *kind == FrameKind::Snapshot {
            book.begin_snapshot(scale);
            book.stage(levels);
            book.end_snapshot().expect("a book of ordinary size");
        } else {
            book.apply(levels);
            book.end_update().expect("a book of ordinary size");
        }
        if read {
            let pair = |level: Level| (level.price_ticks, level.size_lots);
            sum = top_sum(sum, book.bids().levels().map(pair));
            sum = top_sum(sum, book.asks().levels().map(pair));
        }
    }
    if read { sum } else { final_sum(book.best()) }
}

fn final_sum(best: Option<(Level, Level)>) -> u64 {
    best.map_or(0, |(bid, ask)| mix(bid.price_ticks, ask.price_ticks))
}

fn maps(frames: &[Parsed], read: bool) -> u64 {
    let (mut bids, mut asks) = (BTreeMap::new(), BTreeMap::new());
    let mut sum = 0;
    for (kind, levels) in frames {
        if *kind == FrameKind::Snapshot {
            bids.clear();
            asks.clear();
        }
        for level in levels {
            let side = if level.side() == Side::Bid { &mut bids } else { &mut asks };
            match level.size_lots() {
                0 => side.remove(&level.price_ticks()),
                lots => side.insert(level.price_ticks(), lots),
            };
        }
        if read {
            sum = top_sum(sum, bids.iter().rev().map(|(&price, &size)| (price, size)));
            sum = top_sum(sum, asks.iter().map(|(&price, &size)| (price, size)));
        }
    }
    let level = |(&price_ticks, &size_lots): (&u64, &u64)| Level { price_ticks, size_lots };
    if read { sum } else { final_sum(bids.last_key_value().map(level).zip(asks.first_key_value().map(level))) }
}

fn main() {
    for capture in captures() {
        let (scale, frames) = capture.parsed();
        let work = Work { frames: frames.len(), levels: frames.iter().map(|(_, levels)| levels.len()).sum(), bytes: 0 };
        for (what, read) in [("apply and read the ten best", true), ("apply alone", false)] {
            compare(
                &format!("book, {}: {what}", capture.name),
                work,
                &mut [
                    Arm::new("papertrader", || ours(scale, &frames, read)),
                    Arm::new("two BTreeMaps", || maps(&frames, read)),
                ],
            );
        }
    }
}
