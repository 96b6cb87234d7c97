//! Binance's messages: spot, and futures in both margins.
//!
//! The snapshot comes by HTTP and is recorded behind updates that are newer than it. So updates before it are kept; those that it
//! holds already (`u` up to its `lastUpdateId`) are dropped and the others applied. A gap is, of futures, a `pu` that is not the
//! `u` before, of spot a `U` that is not the `u` before + 1. Another snapshot while nothing is missing says nothing new.

use super::{State, Tape};
use crate::market::event::Fault;
use crate::market::units::Side;
use crate::sources::json::{Pair, Text, ms_to_ns, push_levels};
use crate::sources::{RawFrame, RawKind, RawPrint, ReaderCounts};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::VecDeque;

/// Levels of updates that are kept for a snapshot. The oldest are dropped beyond: no snapshot comes so late.
const KEPT_LEVELS_MAX: usize = 1 << 20;
/// Updates that are kept.
const KEPT_UPDATES_MAX: usize = 1 << 16;

/// A message.
pub(super) enum BinanceMessage<'a> {
    Depth(Depth<'a>),
    /// A book by HTTP, and the product where its stream names that.
    Snapshot(Snapshot<'a>, Option<String>),
    Trade(Trade<'a>),
    AggTrade(Trade<'a>),
}

#[derive(Deserialize)]
pub(super) struct Depth<'a> {
    #[serde(rename = "E")]
    event_ms: i64,
    /// Futures only: when the engine changed the book.
    #[serde(rename = "T")]
    transaction_ms: Option<i64>,
    #[serde(rename = "s", borrow)]
    symbol: Cow<'a, str>,
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(rename = "pu")]
    previous: Option<u64>,
    #[serde(rename = "b", borrow)]
    bids: Vec<Pair<'a>>,
    #[serde(rename = "a", borrow)]
    asks: Vec<Pair<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Snapshot<'a> {
    #[serde(rename = "lastUpdateId")]
    last: u64,
    #[serde(rename = "T")]
    transaction_ms: Option<i64>,
    #[serde(borrow)]
    symbol: Option<Cow<'a, str>>,
    #[serde(borrow)]
    bids: Vec<Pair<'a>>,
    #[serde(borrow)]
    asks: Vec<Pair<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Trade<'a> {
    #[serde(rename = "s", borrow)]
    symbol: Cow<'a, str>,
    /// Number of a trade, or of an aggregate.
    t: Option<u64>,
    a: Option<u64>,
    #[serde(rename = "p", borrow)]
    price: Text<'a>,
    #[serde(rename = "q", borrow)]
    size: Text<'a>,
    #[serde(rename = "m")]
    is_buyer_maker: bool,
    #[serde(rename = "T")]
    ts_ms: i64,
}

/// The numbers of an update.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    first: u64,
    last: u64,
    previous: Option<u64>,
}

impl Numbers {
    /// Whether it follows an update that ended at `last`.
    fn follows(&self, last: u64) -> bool {
        self.previous.map_or_else(|| last.checked_add(1) == Some(self.first), |previous| previous == last)
    }

    /// Whether it is the first that a snapshot of `last` does not hold, or one that it holds in part.
    fn continues(&self, last: u64) -> bool {
        self.previous.unwrap_or_else(|| self.first.saturating_sub(1)) <= last && self.last > last
    }
}

/// Updates and their snapshot.
#[derive(Default)]
pub(super) struct Splice {
    /// Those since the connection began or an update was missing.
    kept: VecDeque<(Numbers, RawFrame)>,
    kept_levels: usize,
    /// While live: where the book ends.
    end: Option<End>,
}

#[derive(Clone, Copy)]
enum End {
    /// At a snapshot.
    Snapshot(u64),
    /// At an update.
    Update(u64),
}

impl Splice {
    /// The connection ended: what was kept belongs to none that comes.
    pub(super) fn clear(&mut self, counts: &mut ReaderCounts) {
        counts.before_snapshot += self.kept.len() as u64;
        self.kept.clear();
        (self.kept_levels, self.end) = (0, None);
    }

    fn keep(&mut self, numbers: Numbers, frame: RawFrame, counts: &mut ReaderCounts) {
        self.kept_levels += frame.levels.len();
        self.kept.push_back((numbers, frame));
        while self.kept_levels > KEPT_LEVELS_MAX || self.kept.len() > KEPT_UPDATES_MAX {
            if self.pop().is_none() {
                break;
            }
            counts.before_snapshot += 1;
        }
    }

    fn pop(&mut self) -> Option<(Numbers, RawFrame)> {
        let popped = self.kept.pop_front()?;
        self.kept_levels -= popped.1.levels.len();
        Some(popped)
    }
}

pub(super) fn take(
    state: &mut State,
    ts_recv_ns: i64,
    message: &BinanceMessage<'_>,
    symbol: Option<&str>,
) -> Result<(), String> {
    match message {
        BinanceMessage::Depth(depth) => take_depth(state, ts_recv_ns, depth),
        BinanceMessage::Snapshot(snapshot, of_stream) => {
            let symbol = snapshot.symbol.as_deref().or(of_stream.as_deref()).or(symbol);
            take_snapshot(state, ts_recv_ns, snapshot, symbol)
        }
        BinanceMessage::Trade(trade) => take_trade(state, ts_recv_ns, trade, Tape::Trades),
        BinanceMessage::AggTrade(trade) => take_trade(state, ts_recv_ns, trade, Tape::Aggregated),
    }
}

fn take_depth(state: &mut State, ts_recv_ns: i64, depth: &Depth<'_>) -> Result<(), String> {
    if !state.is_ours(&depth.symbol) {
        return Ok(());
    }
    let ts_event_ns = match depth.transaction_ms {
        Some(ms) => ms_to_ns(ms, "T")?,
        None => ms_to_ns(depth.event_ms, "E")?,
    };
    let mut frame = state.frame(RawKind::Update, ts_recv_ns, ts_event_ns);
    push_levels(&mut frame, Side::Bid, &depth.bids)?;
    push_levels(&mut frame, Side::Ask, &depth.asks)?;
    let numbers = Numbers { first: depth.first, last: depth.last, previous: depth.previous };
    offer(state, numbers, frame);
    Ok(())
}

/// Gives an update where it follows, and keeps it where a snapshot is still to come.
fn offer(state: &mut State, numbers: Numbers, frame: RawFrame) {
    let follows = match state.splice.end {
        None => return state.splice.keep(numbers, frame, &mut state.counts),
        // The snapshot holds it already.
        Some(End::Snapshot(last)) if numbers.last <= last => {
            state.counts.before_snapshot += 1;
            return;
        }
        Some(End::Snapshot(last)) => numbers.continues(last),
        Some(End::Update(last)) => numbers.follows(last),
    };
    if follows {
        state.splice.end = Some(End::Update(numbers.last));
        state.give_update(frame);
    } else {
        state.lose(Fault::SequenceGap);
        state.splice.end = None;
        state.splice.keep(numbers, frame, &mut state.counts);
    }
}

fn take_snapshot(
    state: &mut State,
    ts_recv_ns: i64,
    snapshot: &Snapshot<'_>,
    symbol: Option<&str>,
) -> Result<(), String> {
    match symbol {
        Some(symbol) if !state.is_ours(symbol) => return Ok(()),
        None if state.counts.other_products > 0 => {
            return Err("a snapshot without a symbol among several products: nobody knows whose it is".into());
        }
        _ => {}
    }
    if state.splice.end.is_some() {
        return Ok(());
    }
    let ts_event_ns = snapshot.transaction_ms.map_or(Ok(0), |ms| ms_to_ns(ms, "T"))?;
    let mut frame = state.frame(RawKind::Snapshot, ts_recv_ns, ts_event_ns);
    push_levels(&mut frame, Side::Bid, &snapshot.bids)?;
    push_levels(&mut frame, Side::Ask, &snapshot.asks)?;
    state.give_snapshot(frame);
    state.splice.end = Some(End::Snapshot(snapshot.last));
    // What was kept is offered once: what does not follow is kept again, for another snapshot.
    for _ in 0..state.splice.kept.len() {
        let Some((numbers, mut frame)) = state.splice.pop() else { break };
        // It counts from when the book that it changes was there.
        frame.ts_recv_ns = ts_recv_ns;
        offer(state, numbers, frame);
    }
    Ok(())
}

fn take_trade(state: &mut State, ts_recv_ns: i64, trade: &Trade<'_>, tape: Tape) -> Result<(), String> {
    if state.is_anothers_trade(&trade.symbol) {
        return Ok(());
    }
    if *state.tape.get_or_insert(tape) != tape {
        return Ok(());
    }
    // Who rested was hit by the other side.
    let aggressor = if trade.is_buyer_maker { Side::Ask } else { Side::Bid };
    let print = RawPrint {
        aggressor,
        price: trade.price.number("price")?,
        size: trade.size.number("quantity")?,
        trade_id: trade.t.or(trade.a).unwrap_or(0),
        ts_event_ns: ms_to_ns(trade.ts_ms, "T")?,
    };
    state.give_print(ts_recv_ns, print);
    Ok(())
}
