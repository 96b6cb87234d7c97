//! Coinbase Exchange's messages (not Advanced Trade's): `snapshot`, `l2update`, `match`. They carry no number that would show a loss.

use super::{State, utc_ns};
use crate::market::units::Side;
use crate::sources::json::{Pair, Text, push_levels, shown};
use crate::sources::number::Number;
use crate::sources::{FRAME_LEVELS_MAX, RawKind, RawLevel, RawPrint};
use serde::Deserialize;
use std::borrow::Cow;

/// A change of a level: side, price, size.
type Change<'a> = (Text<'a>, Text<'a>, Text<'a>);

#[derive(Deserialize)]
pub(super) struct CoinbaseMessage<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    product_id: Cow<'a, str>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    bids: Vec<Pair<'a>>,
    #[serde(default, borrow)]
    asks: Vec<Pair<'a>>,
    #[serde(default, borrow)]
    changes: Vec<Change<'a>>,
    #[serde(borrow)]
    side: Option<Cow<'a, str>>,
    #[serde(borrow)]
    price: Option<Text<'a>>,
    #[serde(borrow)]
    size: Option<Text<'a>>,
    trade_id: Option<u64>,
}

fn side(text: &str) -> Result<Side, String> {
    match text {
        "buy" => Ok(Side::Bid),
        "sell" => Ok(Side::Ask),
        other => Err(format!("side '{}' is neither buy nor sell", shown(other.as_bytes()))),
    }
}

fn above_zero(number: Number) -> Result<Number, String> {
    if number.is_zero() { Err("price is 0".into()) } else { Ok(number) }
}

pub(super) fn take(state: &mut State, ts_recv_ns: i64, message: &CoinbaseMessage<'_>) -> Result<(), String> {
    let is_of_book = message.kind != "match";
    // The tape may come before the book; the book names the product.
    if !is_of_book && state.product.is_empty() {
        state.counts.before_snapshot += 1;
        return Ok(());
    }
    if !state.is_ours(&message.product_id) {
        return Ok(());
    }
    let ts_event_ns = message.time.as_deref().map_or(0, utc_ns);
    match message.kind.as_ref() {
        "snapshot" => {
            let mut frame = state.frame(RawKind::Snapshot, ts_recv_ns, ts_event_ns);
            push_levels(&mut frame, Side::Bid, &message.bids)?;
            push_levels(&mut frame, Side::Ask, &message.asks)?;
            state.give_snapshot(frame);
        }
        "l2update" => {
            if message.changes.len() > FRAME_LEVELS_MAX {
                return Err(format!("has more than {FRAME_LEVELS_MAX} levels"));
            }
            let mut frame = state.frame(RawKind::Update, ts_recv_ns, ts_event_ns);
            for (of, price, size) in &message.changes {
                let price = above_zero(price.number("price")?)?;
                frame.levels.push(RawLevel { side: side(of.as_str())?, price, size: size.number("size")? });
            }
            state.give_update(frame);
        }
        _ => {
            let missing = || "a match without side, price or size; is it cut?".to_owned();
            let maker = side(message.side.as_deref().ok_or_else(missing)?)?;
            let price = message.price.as_ref().ok_or_else(missing)?.number("price")?;
            let size = message.size.as_ref().ok_or_else(missing)?.number("size")?;
            // The side is that of the order that rested.
            let aggressor = if maker == Side::Bid { Side::Ask } else { Side::Bid };
            let trade_id = message.trade_id.unwrap_or(0);
            state.give_print(ts_recv_ns, RawPrint { aggressor, price, size, trade_id, ts_event_ns });
        }
    }
    Ok(())
}
