//! Bybit's messages of its websocket, version 5: `orderbook.DEPTH.SYMBOL` and `publicTrade.SYMBOL`.
//!
//! `u` counts a topic's messages by 1; a snapshot, or 1, begins again. After a gap nothing is believed until the next snapshot. What
//! leaves the depth is removed by the venue. Of several depths of a product the first is taken. Source: Bybit, API version 5, "Orderbook"
//! and "Trade".

use super::State;
use crate::market::event::Fault;
use crate::market::units::Side;
use crate::sources::json::{Pair, Text, ms_to_ns, push_levels, shown};
use crate::sources::{RawKind, RawPrint};
use serde::Deserialize;
use std::borrow::Cow;

/// A message.
pub(super) enum BybitMessage<'a> {
    Book(Book<'a>),
    Trades(Trades<'a>),
}

#[derive(Deserialize)]
pub(super) struct Book<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    ts: i64,
    /// When the engine changed the book, where it is told.
    cts: Option<i64>,
    #[serde(borrow)]
    data: Levels<'a>,
}

#[derive(Deserialize)]
struct Levels<'a> {
    #[serde(rename = "s", borrow)]
    symbol: Cow<'a, str>,
    #[serde(rename = "b", borrow)]
    bids: Vec<Pair<'a>>,
    #[serde(rename = "a", borrow)]
    asks: Vec<Pair<'a>>,
    u: u64,
}

#[derive(Deserialize)]
pub(super) struct Trades<'a> {
    #[serde(borrow)]
    data: Vec<Trade<'a>>,
}

#[derive(Deserialize)]
struct Trade<'a> {
    #[serde(rename = "T")]
    ts_ms: i64,
    #[serde(rename = "s", borrow)]
    symbol: Cow<'a, str>,
    #[serde(rename = "S", borrow)]
    side: Cow<'a, str>,
    #[serde(rename = "v", borrow)]
    size: Text<'a>,
    #[serde(rename = "p", borrow)]
    price: Text<'a>,
    /// A number on the spot market, letters and digits elsewhere.
    #[serde(rename = "i", borrow)]
    id: Option<Cow<'a, str>>,
}

/// The topic that is taken, and where its book stands.
#[derive(Default)]
pub(super) struct Topic {
    name: String,
    /// The last `u` of a book that can be trusted.
    last: Option<u64>,
}

pub(super) fn take(state: &mut State, ts_recv_ns: i64, message: &BybitMessage<'_>) -> Result<(), String> {
    match message {
        BybitMessage::Book(book) => take_book(state, ts_recv_ns, book),
        BybitMessage::Trades(trades) => trades.data.iter().try_for_each(|trade| take_trade(state, ts_recv_ns, trade)),
    }
}

fn take_book(state: &mut State, ts_recv_ns: i64, Book { topic, kind, ts, cts, data }: &Book<'_>) -> Result<(), String> {
    if !state.is_ours(&data.symbol) {
        return Ok(());
    }
    if state.topic.name.is_empty() {
        state.topic.name = topic.clone().into_owned();
    }
    if state.topic.name != *topic {
        return Ok(());
    }
    let is_snapshot = match kind.as_ref() {
        "snapshot" => true,
        // The venue's service has begun again: such a message is whole.
        "delta" => data.u == 1,
        other => return Err(format!("type '{}' is neither snapshot nor delta", shown(other.as_bytes()))),
    };
    let follows = |last: u64| last.checked_add(1) == Some(data.u);
    match state.topic.last {
        _ if is_snapshot => {}
        Some(last) if state.is_live && follows(last) => {}
        Some(last) if state.is_live => {
            state.topic.last = None;
            state.lose(if data.u > last { Fault::SequenceGap } else { Fault::SequenceRepeat });
            return Ok(());
        }
        _ => {
            state.counts.before_snapshot += 1;
            return Ok(());
        }
    }
    let kind = if is_snapshot { RawKind::Snapshot } else { RawKind::Update };
    let ts_event_ns = ms_to_ns(cts.unwrap_or(*ts), "ts")?;
    let mut frame = state.frame(kind, ts_recv_ns, ts_event_ns);
    push_levels(&mut frame, Side::Bid, &data.bids)?;
    push_levels(&mut frame, Side::Ask, &data.asks)?;
    state.topic.last = Some(data.u);
    if is_snapshot {
        state.give_snapshot(frame)
    } else {
        state.give_update(frame)
    }
    Ok(())
}

fn take_trade(state: &mut State, ts_recv_ns: i64, trade: &Trade<'_>) -> Result<(), String> {
    if state.is_anothers_trade(&trade.symbol) {
        return Ok(());
    }
    // The side is the taker's.
    let aggressor = match trade.side.as_ref() {
        "Buy" => Side::Bid,
        "Sell" => Side::Ask,
        other => return Err(format!("side '{}' is neither Buy nor Sell", shown(other.as_bytes()))),
    };
    let print = RawPrint {
        aggressor,
        price: trade.price.number("price")?,
        size: trade.size.number("volume")?,
        trade_id: trade.id.as_deref().and_then(|id| id.parse().ok()).unwrap_or(0),
        ts_event_ns: ms_to_ns(trade.ts_ms, "T")?,
    };
    state.give_print(ts_recv_ns, print);
    Ok(())
}
