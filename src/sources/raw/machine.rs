//! tardis-machine's lines: a venue's message in an envelope, or its own normalized messages.

use super::message::{self, Message};
use super::{State, binance, bybit, coinbase, kraken, utc_ns};
use crate::base::clock::parse_utc_ns;
use crate::market::event::Fault;
use crate::market::units::Side;
use crate::sources::json::{Pair, Text, is_plausible_ns, parse, push_levels, shown};
use crate::sources::{RawKind, RawPrint};
use serde::Deserialize;
use sonic_rs::LazyValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Normalized<'a> {
    #[serde(rename = "localTimestamp", borrow)]
    local_timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<LazyValue<'a>>,
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    symbol: Option<Cow<'a, str>>,
    #[serde(rename = "isSnapshot")]
    is_snapshot: Option<bool>,
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
    /// Some kinds have what is no list of levels under these names.
    #[serde(borrow)]
    bids: Option<LazyValue<'a>>,
    #[serde(borrow)]
    asks: Option<LazyValue<'a>>,
    #[serde(borrow)]
    side: Option<Cow<'a, str>>,
    #[serde(borrow)]
    price: Option<Text<'a>>,
    #[serde(borrow)]
    amount: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<LazyValue<'a>>,
}

fn time_ns(text: Option<&str>) -> Result<i64, String> {
    let text = text.ok_or("has no localTimestamp")?;
    let ns = parse_utc_ns(text.as_bytes()).filter(|&ns| is_plausible_ns(ns));
    ns.ok_or_else(|| {
        format!("localTimestamp '{}' is not a time such as 2019-06-01T00:00:10.426Z", shown(text.as_bytes()))
    })
}

pub(super) fn take(state: &mut State, line: &[u8]) -> Result<(), String> {
    let normalized: Normalized<'_> = parse(line)?;
    if normalized.kind.as_deref() == Some("disconnect") {
        state.lose(Fault::Disconnected);
        state.splice.clear(&mut state.counts);
        return Ok(());
    }
    let ts_recv_ns = time_ns(normalized.local_timestamp.as_deref())?;
    if let Some(message) = &normalized.message {
        return match message::parse(message.as_raw_str().as_bytes())? {
            Message::Other => Ok(()),
            Message::Binance(message) => binance::take(state, ts_recv_ns, &message, None),
            Message::Bybit(message) => bybit::take(state, ts_recv_ns, &message),
            Message::Coinbase(message) => coinbase::take(state, ts_recv_ns, &message),
            Message::Kraken(message) => kraken::take(state, ts_recv_ns, &message),
        };
    }
    let missing = |what: &str| format!("has no {what}; is it cut?");
    let symbol = || normalized.symbol.as_deref().ok_or_else(|| missing("symbol"));
    // tardis-machine takes the time of receipt where the venue gives none.
    let ts_event_ns = normalized.timestamp.as_deref().map_or(0, utc_ns);
    let ts_event_ns = if ts_event_ns == ts_recv_ns { 0 } else { ts_event_ns };
    match normalized.kind.as_deref() {
        Some("book_change") => {
            if !state.is_ours(symbol()?) {
                return Ok(());
            }
            let is_snapshot = normalized.is_snapshot.ok_or_else(|| missing("isSnapshot"))?;
            let kind = if is_snapshot { RawKind::Snapshot } else { RawKind::Update };
            let mut frame = state.frame(kind, ts_recv_ns, ts_event_ns);
            for (side, levels) in [(Side::Bid, &normalized.bids), (Side::Ask, &normalized.asks)] {
                let levels = levels.as_ref().ok_or_else(|| missing("bids or asks"))?;
                push_levels(&mut frame, side, &parse::<Vec<Pair<'_>>>(levels.as_raw_str().as_bytes())?)?;
            }
            if is_snapshot { state.give_snapshot(frame) } else { state.give_update(frame) }
        }
        Some("trade") => {
            if !state.product.is_empty() && symbol()? != state.product {
                state.counts.other_products += 1;
                return Ok(());
            }
            let price = normalized.price.as_ref().ok_or_else(|| missing("price"))?.number("price")?;
            let size = normalized.amount.as_ref().ok_or_else(|| missing("amount"))?.number("amount")?;
            let aggressor = match normalized.side.as_deref() {
                Some("buy") => Side::Bid,
                Some("sell") => Side::Ask,
                Some("unknown") | None => {
                    state.counts.prints_without_side += 1;
                    return Ok(());
                }
                Some(other) => {
                    return Err(format!("side '{}' is neither buy, sell nor unknown", shown(other.as_bytes())));
                }
            };
            let id = normalized.id.as_ref().and_then(|id| id.as_raw_str().trim_matches('"').parse().ok());
            let print = RawPrint { aggressor, price, size, trade_id: id.unwrap_or(0), ts_event_ns };
            state.give_print(ts_recv_ns, print);
        }
        // Others, such as book_snapshot and quote, say again what these say.
        Some(_) => {}
        None => return Err(missing("message or type")),
    }
    Ok(())
}
