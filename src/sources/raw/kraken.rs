//! Kraken's messages of its websocket, version 2: `book` and `trade`.
//!
//! The venue does not say what leaves the depth subscribed to: it is cut here as there, and told as removed. A message whose checksum
//! is not that of the book which it leads to makes the book unreliable until the next snapshot.

use super::{State, utc_ns};
use crate::feed::kraken::depth_book::{DEPTHS, DepthBook};
use crate::market::event::Fault;
use crate::market::units::Side;
use crate::sources::json::{Text, shown};
use crate::sources::number::Number;
use crate::sources::{FRAME_LEVELS_MAX, RawKind, RawLevel, RawPrint};
use serde::Deserialize;
use std::borrow::Cow;

/// A message.
pub(super) enum KrakenMessage<'a> {
    Book(Message<'a, Book<'a>>),
    Trade(Message<'a, Trade<'a>>),
    Acknowledged(Acknowledgement<'a>),
}

#[derive(Deserialize)]
pub(super) struct Message<'a, T> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    data: Vec<T>,
}

#[derive(Deserialize)]
pub(super) struct Book<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(default, borrow)]
    bids: Vec<Level<'a>>,
    #[serde(default, borrow)]
    asks: Vec<Level<'a>>,
    checksum: Option<u32>,
    /// Older recordings' snapshots have none.
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow)]
    price: Text<'a>,
    #[serde(borrow)]
    qty: Text<'a>,
}

#[derive(Deserialize)]
pub(super) struct Trade<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    price: Text<'a>,
    #[serde(borrow)]
    qty: Text<'a>,
    trade_id: u64,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Acknowledgement<'a> {
    #[serde(borrow)]
    result: Option<Subscribed<'a>>,
}

#[derive(Deserialize)]
struct Subscribed<'a> {
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow)]
    symbol: Option<Cow<'a, str>>,
    depth: Option<usize>,
}

/// The product's book, as the venue keeps it.
#[derive(Default)]
pub(super) struct Depth {
    /// As acknowledged: product and depth.
    subscribed: Vec<(String, usize)>,
    book: DepthBook,
    /// The venue's precision: decimals as written, of prices and sizes.
    decimals: [u8; 2],
}

/// Acknowledgements that are remembered.
const SUBSCRIBED_MAX: usize = 1_024;

impl Depth {
    fn remember(&mut self, acknowledgement: &Acknowledgement<'_>) {
        let Some(Subscribed { channel: Some(channel), symbol: Some(symbol), depth: Some(depth) }) =
            &acknowledgement.result
        else {
            return;
        };
        if channel == "book" {
            self.subscribed.retain(|(known, _)| known != symbol);
            if self.subscribed.len() < SUBSCRIBED_MAX {
                self.subscribed.push((symbol.to_string(), *depth));
            }
        }
    }

    /// The depth of a book, as acknowledged, or else the least that the venue serves and a snapshot fits into.
    fn of(&self, symbol: &str, book: &Book<'_>) -> usize {
        let acknowledged = self.subscribed.iter().find(|(known, _)| known == symbol).map(|&(_, depth)| depth);
        let longest = book.bids.len().max(book.asks.len());
        acknowledged.unwrap_or_else(|| DEPTHS.into_iter().find(|&depth| longest <= depth).unwrap_or(longest))
    }
}

/// Decimals as written.
fn decimals(text: &str) -> u8 {
    let fraction = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    u8::try_from(fraction).unwrap_or(u8::MAX)
}

pub(super) fn take(state: &mut State, ts_recv_ns: i64, message: &KrakenMessage<'_>) -> Result<(), String> {
    match message {
        KrakenMessage::Acknowledged(acknowledgement) => state.depth.remember(acknowledgement),
        KrakenMessage::Book(message) => {
            for book in &message.data {
                if state.is_ours(&book.symbol) {
                    take_book(state, ts_recv_ns, message.kind == "snapshot", book)?;
                }
            }
        }
        // What was traded before the subscription is no news.
        KrakenMessage::Trade(message) if message.kind == "snapshot" => {}
        KrakenMessage::Trade(message) => {
            for trade in &message.data {
                take_trade(state, ts_recv_ns, trade)?;
            }
        }
    }
    Ok(())
}

fn take_book(state: &mut State, ts_recv_ns: i64, is_snapshot: bool, book: &Book<'_>) -> Result<(), String> {
    if !is_snapshot && !state.is_live {
        state.counts.before_snapshot += 1;
        return Ok(());
    }
    if book.bids.len() + book.asks.len() > FRAME_LEVELS_MAX {
        return Err(format!("has more than {FRAME_LEVELS_MAX} levels"));
    }
    let mut levels = Vec::with_capacity(book.bids.len() + book.asks.len());
    let mut written = if is_snapshot { [0; 2] } else { state.depth.decimals };
    for (side, of_side) in [(Side::Bid, &book.bids), (Side::Ask, &book.asks)] {
        for level in of_side {
            let (price, size) = (level.price.number("price")?, level.qty.number("quantity")?);
            if price.is_zero() {
                return Err("price is 0".into());
            }
            written = [written[0].max(decimals(level.price.as_str())), written[1].max(decimals(level.qty.as_str()))];
            levels.push(RawLevel { side, price, size });
        }
    }
    if is_snapshot {
        state.depth.book = DepthBook::new(state.depth.of(&book.symbol, book));
    } else if written != state.depth.decimals {
        // The venue's precision is the snapshot's: what it hides is seen by the checksum, which this book cannot have any more.
        return lost(state);
    }
    state.depth.decimals = written;
    for level in &levels {
        let units = |number: Number, decimals| {
            number.at(decimals).ok_or_else(|| format!("{number} is too large at {decimals} decimals"))
        };
        state.depth.book.set(level.side, units(level.price, written[0])?, units(level.size, written[1])?);
    }
    let price = |ticks| Number::new(ticks, written[0]).unwrap_or_default();
    state.depth.book.cut(|side, ticks| levels.push(RawLevel { side, price: price(ticks), size: Number::ZERO }));
    if book.checksum.is_some_and(|checksum| checksum != state.depth.book.checksum()) {
        return lost(state);
    }
    let kind = if is_snapshot { RawKind::Snapshot } else { RawKind::Update };
    let mut frame = state.frame(kind, ts_recv_ns, book.timestamp.as_deref().map_or(0, utc_ns));
    if is_snapshot {
        let all = |side| state.depth.book.levels(side).iter().map(move |&(ticks, lots)| (side, ticks, lots));
        let size = |lots| Number::new(lots, written[1]).unwrap_or_default();
        frame.levels.extend(all(Side::Bid).chain(all(Side::Ask)).map(|(side, ticks, lots)| RawLevel {
            side,
            price: price(ticks),
            size: size(lots),
        }));
        state.give_snapshot(frame);
    } else {
        frame.levels.extend(levels);
        state.give_update(frame);
    }
    Ok(())
}

fn lost(state: &mut State) -> Result<(), String> {
    state.lose(Fault::ChecksumMismatch);
    Ok(())
}

fn take_trade(state: &mut State, ts_recv_ns: i64, trade: &Trade<'_>) -> Result<(), String> {
    if state.is_anothers_trade(&trade.symbol) {
        return Ok(());
    }
    // The side is the taker's.
    let aggressor = match trade.side.as_ref() {
        "buy" => Side::Bid,
        "sell" => Side::Ask,
        other => return Err(format!("side '{}' is neither buy nor sell", shown(other.as_bytes()))),
    };
    let print = RawPrint {
        aggressor,
        price: trade.price.number("price")?,
        size: trade.qty.number("quantity")?,
        trade_id: trade.trade_id,
        ts_event_ns: utc_ns(&trade.timestamp),
    };
    state.give_print(ts_recv_ns, print);
    Ok(())
}
