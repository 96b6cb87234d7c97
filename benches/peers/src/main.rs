//! Our book and our parser beside those of other projects, on the same frames, in turns, with the same results.
//!
//! Every book gets the same levels, converted beforehand to what its interface takes, applies them, and gives the ten best
//! levels of both sides after every frame.

#[path = "../../common/mod.rs"]
mod common;

use barter_data::books::OrderBook as BarterBook;
use barter_data::subscription::book::OrderBookEvent;
use common::{Arm, Parsed, Work, captures, compare, mix};
use hftbacktest::depth::{HashMapMarketDepth, L2MarketDepth, MarketDepth, ROIVectorMarketDepth};
use hftbacktest::types::Side as HftSide;
use nautilus_model::data::{BookOrder, OrderBookDelta};
use nautilus_model::enums::{BookAction, BookType, OrderSide};
use nautilus_model::identifiers::InstrumentId;
use nautilus_model::orderbook::{BookLevel, OrderBook as NautilusBook};
use nautilus_model::types::{Price, Quantity};
use papertrader::book::{Book, Level};
use papertrader::event::{Event, FrameKind};
use papertrader::feed::level2::Parser;
use papertrader::units::{Scale, Side, parse_count};
use rust_decimal::Decimal;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

const TOP: usize = 10;

fn top_sum(sum: u64, levels: impl Iterator<Item = (u64, u64)>) -> u64 {
    levels.take(TOP).fold(sum, |sum, (price_ticks, size_lots)| mix(mix(sum, price_ticks), size_lots))
}

fn ours(scale: Scale, frames: &[Parsed]) -> u64 {
    let mut book = Book::default();
    let pair = |level: Level| (level.price_ticks, level.size_lots);
    frames.iter().fold(0, |sum, (kind, levels)| {
        if *kind == FrameKind::Snapshot {
            book.begin_snapshot(scale);
            book.stage(levels);
            book.end_snapshot().expect("a book of ordinary size");
        } else {
            book.apply(levels);
            book.end_update().expect("a book of ordinary size");
        }
        top_sum(top_sum(sum, book.bids().levels().map(pair)), book.asks().levels().map(pair))
    })
}

fn maps(frames: &[Parsed]) -> u64 {
    let (mut bids, mut asks) = (BTreeMap::new(), BTreeMap::new());
    let pair = |(&price, &size): (&u64, &u64)| (price, size);
    frames.iter().fold(0, |sum, (kind, levels)| {
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
        top_sum(top_sum(sum, bids.iter().rev().map(pair)), asks.iter().map(pair))
    })
}

/// A level as hftbacktest takes it.
type FloatLevel = (Side, f64, f64);

fn hftbacktest<D: L2MarketDepth + MarketDepth>(mut depth: D, scale: Scale, frames: &[(FrameKind, Vec<FloatLevel>)]) -> u64 {
    let lots = |size: f64| (size * scale.lots_per_unit()).round() as u64;
    frames.iter().fold(0, |sum, (kind, levels)| {
        if *kind == FrameKind::Snapshot {
            depth.clear_depth(HftSide::None, 0.0);
        }
        for &(side, price, size) in levels {
            match side {
                Side::Bid => depth.update_bid_depth(price, size, 0),
                Side::Ask => depth.update_ask_depth(price, size, 0),
            };
        }
        // Its way to read a level: tick by tick from the best.
        let occupied = |tick: i64, size: f64| (size > 0.0).then(|| (tick as u64, lots(size)));
        let bids = (0..).map(|n| depth.best_bid_tick() - n).filter_map(|tick| occupied(tick, depth.bid_qty_at_tick(tick)));
        let asks = (0..).map(|n| depth.best_ask_tick() + n).filter_map(|tick| occupied(tick, depth.ask_qty_at_tick(tick)));
        top_sum(top_sum(sum, bids), asks)
    })
}

/// nautilus-model keeps prices and sizes in units of this many decimals.
const NAUTILUS_DECIMALS: u8 = 9;

fn nautilus_deltas(scale: Scale, frames: &[Parsed]) -> Vec<Vec<OrderBookDelta>> {
    let id = InstrumentId::from("BTC.VENUE");
    let exponent = |decimals: u8| -(decimals as i8);
    frames
        .iter()
        .map(|(kind, levels)| {
            let clear = (*kind == FrameKind::Snapshot).then(|| OrderBookDelta::clear(id, 0, 0.into(), 0.into()));
            let deltas = levels.iter().map(|level| {
                let side = if level.side() == Side::Bid { OrderSide::Buy } else { OrderSide::Sell };
                let (ticks, lots) = (level.price_ticks() as i64, level.size_lots());
                let price = Price::from_mantissa_exponent(ticks, exponent(scale.price_decimals), scale.price_decimals);
                let size = Quantity::from_mantissa_exponent(lots, exponent(scale.size_decimals), scale.size_decimals);
                let action = if lots == 0 { BookAction::Delete } else { BookAction::Update };
                OrderBookDelta::new(id, action, BookOrder::new(side, price, size, 0), 0, 0, 0.into(), 0.into())
            });
            clear.into_iter().chain(deltas).collect()
        })
        .collect()
}

fn nautilus(scale: Scale, frames: &[Vec<OrderBookDelta>]) -> u64 {
    let mut book = NautilusBook::new(InstrumentId::from("BTC.VENUE"), BookType::L2_MBP);
    let tick = 10_i64.pow(u32::from(NAUTILUS_DECIMALS - scale.price_decimals));
    let lot = 10_u64.pow(u32::from(NAUTILUS_DECIMALS - scale.size_decimals));
    let pair = |level: &BookLevel| ((level.price.value.raw / tick) as u64, level.size_raw() / lot);
    frames.iter().fold(0, |sum, deltas| {
        for delta in deltas {
            book.apply_delta(delta).expect("a delta for this book");
        }
        top_sum(top_sum(sum, book.bids(Some(TOP)).map(pair)), book.asks(Some(TOP)).map(pair))
    })
}

fn barter_events(scale: Scale, frames: &[Parsed]) -> Vec<OrderBookEvent> {
    let level = |level: &Event| {
        let price = Decimal::new(level.price_ticks() as i64, u32::from(scale.price_decimals));
        (price, Decimal::new(level.size_lots() as i64, u32::from(scale.size_decimals)))
    };
    frames
        .iter()
        .map(|(kind, levels)| {
            let side = |side: Side| levels.iter().filter(move |level| level.side() == side).map(level);
            let book = BarterBook::new(0, None, side(Side::Bid), side(Side::Ask));
            if *kind == FrameKind::Snapshot { OrderBookEvent::Snapshot(book) } else { OrderBookEvent::Update(book) }
        })
        .collect()
}

fn barter(frames: &[OrderBookEvent]) -> u64 {
    let mut book = BarterBook::default();
    let pair = |level: &barter_data::books::Level| (level.price.mantissa() as u64, level.amount.mantissa() as u64);
    frames.iter().fold(0, |sum, event| {
        book.update(event);
        top_sum(top_sum(sum, book.bids().levels().iter().map(pair)), book.asks().levels().iter().map(pair))
    })
}

/// Frames from the snapshot on: the other books keep or lose levels that a second one would have to clear.
fn books() {
    for capture in captures() {
        let (scale, frames) = capture.parsed();
        let work = Work { frames: frames.len(), levels: frames.iter().map(|(_, levels)| levels.len()).sum(), bytes: 0 };
        let (tick, lot) = (1.0 / scale.ticks_per_unit(), 1.0 / scale.lots_per_unit());
        let floats: Vec<(FrameKind, Vec<FloatLevel>)> = frames
            .iter()
            .map(|(kind, levels)| {
                let level = |level: &Event| {
                    let price = level.price_ticks() as f64 / scale.ticks_per_unit();
                    (level.side(), price, level.size_lots() as f64 / scale.lots_per_unit())
                };
                (*kind, levels.iter().map(level).collect())
            })
            .collect();
        let best = floats[0].1.iter().filter(|level| level.0 == Side::Bid).map(|level| level.1).fold(0.0, f64::max);
        // Its range of interest: a tenth around the best price. Levels outside are not kept.
        let (lowest, highest) = ((best * 0.9).round(), (best * 1.1).round());
        let deltas = nautilus_deltas(scale, &frames);
        let events = barter_events(scale, &frames);
        compare(
            &format!("book, {}: apply and read the ten best", capture.name),
            work,
            &mut [
                Arm::new("papertrader", || ours(scale, &frames)),
                Arm::new("two BTreeMaps", || maps(&frames)),
                Arm::new("hftbacktest ROIVectorMarketDepth", || {
                    hftbacktest(ROIVectorMarketDepth::new(tick, lot, lowest, highest), scale, &floats)
                }),
                Arm::new("hftbacktest HashMapMarketDepth", || {
                    hftbacktest(HashMapMarketDepth::new(tick, lot), scale, &floats)
                }),
                Arm::new("nautilus-model OrderBook", || nautilus(scale, &deltas)),
                Arm::new("barter-data OrderBook", || barter(&events)),
            ],
        );
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    sequence_num: u64,
    #[serde(borrow)]
    events: Vec<BookEvent<'a>>,
}

#[derive(Deserialize)]
struct BookEvent<'a> {
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

fn level_sum(sum: u64, level: Event) -> u64 {
    mix(mix(sum, level.price_ticks() ^ u64::from(level.side() == Side::Ask) << 63), level.size_lots())
}

fn typed_sum(sum: u64, message: &Message<'_>, scale: Scale) -> u64 {
    let updates = message.events.iter().flat_map(|event| &event.updates);
    updates.fold(mix(sum, message.sequence_num), |sum, update| {
        let side = if update.side == "bid" { Side::Bid } else { Side::Ask };
        let price = parse_count(update.price_level.as_bytes(), scale.price_decimals).expect("a price");
        let size = parse_count(update.new_quantity.as_bytes(), scale.size_decimals).expect("a size");
        level_sum(sum, Event::level(side, price, size))
    })
}

fn parsers() {
    for capture in captures() {
        let (scale, parsed) = capture.parsed();
        let frames = &capture.frames[1..];
        let work = Work {
            frames: frames.len(),
            levels: parsed[1..].iter().map(|(_, levels)| levels.len()).sum(),
            bytes: frames.iter().map(|(_, frame)| frame.len()).sum(),
        };
        let (mut parser, mut levels) = (Parser::new(&capture.product), Vec::with_capacity(1 << 14));
        let mut scratch = Vec::new();
        let each = |sum: &mut dyn FnMut(u64, &[u8]) -> u64| frames.iter().fold(0, |total, (_, frame)| sum(total, frame));
        compare(
            &format!("parse, {}: a raw frame to levels", capture.name),
            work,
            &mut [
                Arm::new("papertrader", || {
                    each(&mut |sum, frame| {
                        let message = parser.parse(frame, scale, &mut levels).expect("a message");
                        levels.iter().fold(mix(sum, message.sequence_num.unwrap_or(0)), |sum, &l| level_sum(sum, l))
                    })
                }),
                Arm::new("sonic-rs, typed", || {
                    each(&mut |sum, frame| typed_sum(sum, &sonic_rs::from_slice(frame).expect("a message"), scale))
                }),
                // It parses in place: the copy is part of what it costs.
                Arm::new("simd-json, typed", || {
                    each(&mut |sum, frame| {
                        scratch.clear();
                        scratch.extend_from_slice(frame);
                        typed_sum(sum, &simd_json::from_slice(&mut scratch).expect("a message"), scale)
                    })
                }),
                Arm::new("serde_json, typed", || {
                    each(&mut |sum, frame| typed_sum(sum, &serde_json::from_slice(frame).expect("a message"), scale))
                }),
            ],
        );
    }
}

fn main() {
    books();
    parsers();
}
