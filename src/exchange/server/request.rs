//! What clients ask for.

use serde::Deserialize;
use std::borrow::Cow;

/// A client's request, as far as its form goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Begin a channel.
    Subscribe(Channel),
    /// End a channel.
    Unsubscribe(Channel),
}

/// A channel and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// The books of these products; at least one.
    Level2(Vec<String>),
    /// The prints of these products; at least one.
    MarketTrades(Vec<String>),
    /// A sign of life every second; products do not matter.
    Heartbeats,
}

/// Why a request cannot be met; the text goes to the client in an `error` message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestError {
    #[error("message is not a JSON object with text fields: {0}")]
    Json(String),
    #[error("message is binary; requests are JSON text")]
    Binary,
    #[error("missing field '{0}'")]
    Missing(&'static str),
    #[error("unknown type '{0}'; types are subscribe, unsubscribe")]
    UnknownType(String),
    #[error("unknown channel '{0}'; channels are level2, market_trades, heartbeats")]
    UnknownChannel(String),
    #[error("unknown product '{0}'")]
    UnknownProduct(String),
    #[error("too many L2 streams: at most {max} products on a connection")]
    TooManyStreams { max: usize },
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    product_ids: Option<Vec<String>>,
}

impl Request {
    /// Reads a request. Fields that are not needed (`jwt`, `timestamp`) are not looked at.
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| RequestError::Json(error.to_string()))?;
        let kind = fields.kind.ok_or(RequestError::Missing("type"))?;
        let request = match &*kind {
            "subscribe" => Self::Subscribe,
            "unsubscribe" => Self::Unsubscribe,
            _ => return Err(RequestError::UnknownType(kind.into_owned())),
        };
        let channel = fields.channel.ok_or(RequestError::Missing("channel"))?;
        match &*channel {
            "level2" | "market_trades" => match fields.product_ids {
                Some(products) if !products.is_empty() && channel == "level2" => Ok(request(Channel::Level2(products))),
                Some(products) if !products.is_empty() => Ok(request(Channel::MarketTrades(products))),
                _ => Err(RequestError::Missing("product_ids")),
            },
            "heartbeats" => Ok(request(Channel::Heartbeats)),
            _ => Err(RequestError::UnknownChannel(channel.into_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_requests() {
        let level2 = |products: &[&str]| Channel::Level2(products.iter().map(|&product| product.into()).collect());
        for (text, expected) in [
            (
                r#"{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"level2","jwt":"x.y.z"}"#,
                Request::Subscribe(level2(&["BTC-USD", "ETH-USD"])),
            ),
            (r#"{"channel":"heartbeats","type":"subscribe"}"#, Request::Subscribe(Channel::Heartbeats)),
            (
                r#"{"type":"subscribe","product_ids":["A"],"channel":"market_trades"}"#,
                Request::Subscribe(Channel::MarketTrades(vec!["A".into()])),
            ),
            (
                r#"{"type":"subscribe","product_ids":["A"],"channel":"heartbeats","timestamp":17}"#,
                Request::Subscribe(Channel::Heartbeats),
            ),
            (
                r#" { "type" : "unsubscribe", "product_ids" : ["\u0041"], "channel" : "level2" } "#,
                Request::Unsubscribe(level2(&["A"])),
            ),
        ] {
            assert_eq!(Request::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_with_the_reason() {
        for (text, expected) in [
            (r#"{"channel":"level2","product_ids":["A"]}"#, "missing field 'type'"),
            (r#"{"type":"subscribe","product_ids":["A"]}"#, "missing field 'channel'"),
            (r#"{"type":"subscribe","channel":"level2"}"#, "missing field 'product_ids'"),
            (r#"{"type":"subscribe","channel":"level2","product_ids":[]}"#, "missing field 'product_ids'"),
            (r#"{"type":"subscribe","channel":"market_trades"}"#, "missing field 'product_ids'"),
            (r#"{"type":"hello","channel":"level2"}"#, "unknown type 'hello'; types are subscribe, unsubscribe"),
            (
                r#"{"type":"subscribe","channel":"ticker"}"#,
                "unknown channel 'ticker'; channels are level2, market_trades, heartbeats",
            ),
        ] {
            assert_eq!(Request::parse(text).map_err(|error| error.to_string()), Err(expected.into()), "{text}");
        }
        for text in ["", "{", "[1]", "7", r#"{"type":7}"#, r#"{"type":"subscribe","product_ids":"A"}"#] {
            assert!(matches!(Request::parse(text), Err(RequestError::Json(_))), "{text}");
        }
    }
}
