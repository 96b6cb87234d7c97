//! Which venue's message a text is.

use super::binance::BinanceMessage;
use super::bybit::BybitMessage;
use super::coinbase::CoinbaseMessage;
use super::kraken::KrakenMessage;
use crate::sources::json::{self, shown};
use serde::Deserialize;
use sonic_rs::LazyValue;
use std::borrow::Cow;

/// A message.
pub(super) enum Message<'a> {
    /// Nothing of a book or tape.
    Other,
    Binance(BinanceMessage<'a>),
    Bybit(BybitMessage<'a>),
    Coinbase(CoinbaseMessage<'a>),
    Kraken(KrakenMessage<'a>),
}

/// What tells the messages apart.
#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<LazyValue<'a>>,
    #[serde(borrow)]
    e: Option<LazyValue<'a>>,
    #[serde(rename = "type", borrow)]
    kind: Option<LazyValue<'a>>,
    #[serde(rename = "lastUpdateId", borrow)]
    last_update_id: Option<LazyValue<'a>>,
    #[serde(borrow)]
    topic: Option<LazyValue<'a>>,
    #[serde(borrow)]
    channel: Option<LazyValue<'a>>,
    /// Of Bybit's answers.
    #[serde(borrow)]
    op: Option<LazyValue<'a>>,
    /// Of Kraken's requests and answers.
    #[serde(borrow)]
    method: Option<LazyValue<'a>>,
    /// Of an acknowledgement of Binance's.
    #[serde(borrow)]
    id: Option<LazyValue<'a>>,
}

const COINBASE_KINDS: [&str; 9] =
    ["snapshot", "l2update", "match", "last_match", "ticker", "heartbeat", "subscriptions", "status", "error"];

/// How Kraken's messages begin that may come first. Coinbase Advanced Trade's own `status` has another second key.
const KRAKEN_BEGINNINGS: [&str; 5] = [
    "{\"channel\":\"book\"",
    "{\"channel\":\"status\",\"type\":\"update\"",
    "{\"channel\":\"heartbeat\"}",
    "{\"channel\":\"trade\",\"type\":",
    "{\"method\":",
];

/// Whether a message, of a line that could be one of this program's own captures, is of another venue.
pub(super) fn is_of_another_venue(text: &[u8]) -> bool {
    // What is cut at the end of the bytes looked at has these keys before.
    let starts = |prefix: &str| text.starts_with(prefix.as_bytes());
    if starts("{\"papertrader\":") {
        return false;
    }
    let is_kind = |kind: &&str| {
        text.strip_prefix(b"{\"type\":\"")
            .and_then(|rest| rest.strip_prefix(kind.as_bytes()))
            .is_some_and(|rest| rest.starts_with(b"\""))
    };
    starts("{\"stream\":")
        || starts("{\"lastUpdateId\":")
        || starts("{\"e\":")
        || starts("{\"result\":")
        || KRAKEN_BEGINNINGS.iter().any(|beginning| starts(beginning))
        || starts("{\"channel\":\"l2Book\"")
        || starts("{\"channel\":\"trades\",\"data\":[{\"coin\"")
        || starts("{\"topic\":\"")
        || starts("{\"success\":")
        || COINBASE_KINDS.iter().filter(|kind| **kind != "error").any(is_kind)
}

/// Reads a message.
pub(super) fn parse(text: &[u8]) -> Result<Message<'_>, String> {
    let peek: Peek<'_> = json::parse(text)?;
    let word = |value: &LazyValue<'_>| value.as_raw_str().trim_matches('"').to_owned();
    let stream = peek.stream.as_deref().unwrap_or_default();
    if let Some(message) = kraken(text, &peek)? {
        return Ok(message);
    }
    if peek.op.is_some() {
        return Ok(Message::Other);
    }
    if let Some(topic) = &peek.topic {
        return bybit(text, &word(topic));
    }
    if let Some(channel) = &peek.channel {
        return Err(not_read(&format!("channel '{}'", shown(word(channel).as_bytes()))));
    }
    if let Some(kind) = &peek.kind {
        let kind = word(kind);
        return match kind.as_str() {
            "snapshot" | "l2update" | "match" => Ok(Message::Coinbase(json::parse(text)?)),
            other if COINBASE_KINDS.contains(&other) => Ok(Message::Other),
            other => Err(not_read(&format!("type '{}'", shown(other.as_bytes())))),
        };
    }
    if let Some(data) = peek.data.as_ref().filter(|_| !stream.is_empty()) {
        // Both borrow from the text.
        let data = data.as_raw_cow();
        let Cow::Borrowed(data) = data else { return Ok(Message::Other) };
        let inner: Peek<'_> = json::parse(data.as_bytes())?;
        return binance(data.as_bytes(), &inner, stream);
    }
    if peek.e.is_some() || peek.last_update_id.is_some() {
        return binance(text, &peek, "");
    }
    match peek.id {
        Some(_) => Ok(Message::Other),
        None => Err(not_read(&shown(text))),
    }
}

/// Bybit's message.
fn bybit<'a>(text: &'a [u8], topic: &str) -> Result<Message<'a>, String> {
    Ok(match topic.split('.').next().unwrap_or_default() {
        "orderbook" => Message::Bybit(BybitMessage::Book(json::parse(text)?)),
        "publicTrade" => Message::Bybit(BybitMessage::Trades(json::parse(text)?)),
        "tickers" | "kline" | "liquidation" | "allLiquidation" => Message::Other,
        other => return Err(not_read(&format!("topic '{}'", shown(other.as_bytes())))),
    })
}

/// Kraken's message, if it is one.
fn kraken<'a>(text: &'a [u8], peek: &Peek<'_>) -> Result<Option<Message<'a>>, String> {
    let word =
        |value: &Option<LazyValue<'_>>| value.as_ref().map(|value| value.as_raw_str().trim_matches('"').to_owned());
    if peek.method.is_some() {
        return Ok(Some(Message::Kraken(KrakenMessage::Acknowledged(json::parse(text)?))));
    }
    let Some(channel) = word(&peek.channel) else { return Ok(None) };
    Ok(match channel.as_str() {
        "book" => Some(Message::Kraken(KrakenMessage::Book(json::parse(text)?))),
        "trade" => Some(Message::Kraken(KrakenMessage::Trade(json::parse(text)?))),
        "status" | "heartbeat" | "ticker" | "ohlc" | "instrument" => Some(Message::Other),
        _ => None,
    })
}

fn binance<'a>(text: &'a [u8], peek: &Peek<'_>, stream: &str) -> Result<Message<'a>, String> {
    let event = peek.e.as_ref().map(|event| event.as_raw_str().trim_matches('"'));
    Ok(match event {
        Some("depthUpdate") => Message::Binance(BinanceMessage::Depth(json::parse(text)?)),
        Some("trade") => Message::Binance(BinanceMessage::Trade(json::parse(text)?)),
        Some("aggTrade") => Message::Binance(BinanceMessage::AggTrade(json::parse(text)?)),
        // Streams such as `@depth20` send books of so many levels in a snapshot's shape.
        None if peek.last_update_id.is_some() && (stream.is_empty() || stream.ends_with("@depthSnapshot")) => {
            let symbol = stream.split_once('@').map(|(symbol, _)| symbol.to_uppercase());
            Message::Binance(BinanceMessage::Snapshot(json::parse(text)?, symbol))
        }
        _ => Message::Other,
    })
}

#[cold]
fn not_read(what: &str) -> String {
    format!("{what} is of no message that is read here: there are Binance's, Bybit's, Coinbase Exchange's and Kraken's")
}
