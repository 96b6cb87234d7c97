//! What a client says to the venue, and what an acknowledgement means.
//!
//! ```
//! use papertrader::feed::coinbase::subscription::{Acknowledged, acknowledged, subscribe};
//!
//! let requests = subscribe(&["BTC-USDC"], true, None, 0)?;
//! assert_eq!(requests[0], r#"{"type":"subscribe","product_ids":["BTC-USDC"],"channel":"level2"}"#);
//! assert_eq!(requests[1], r#"{"type":"subscribe","product_ids":["BTC-USDC"],"channel":"market_trades"}"#);
//!
//! // The venue streams a -USDC product as its -USD twin.
//! let answer = br#"{"channel":"subscriptions","events":[{"subscriptions":{"level2":["BTC-USD"]}}]}"#;
//! assert_eq!(acknowledged(answer, "BTC-USDC"), Acknowledged::Yes);
//! let refusal = "the venue acknowledges level2 of BTC-USD instead of ETH-USD";
//! assert_eq!(acknowledged(answer, "ETH-USD"), Acknowledged::Other(refusal.into()));
//! # Ok::<(), papertrader::feed::coinbase::auth::AuthError>(())
//! ```

use super::auth::{AuthError, Credentials};
use super::level2::twin_of;
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A `subscribe` or `unsubscribe` message; one channel each.
#[derive(Serialize)]
struct Subscribe<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    product_ids: &'a [&'a str],
    channel: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt: Option<String>,
}

/// The most products whose books one connection has. The venue says no number; 16 have worked, and 32 were refused ("too many L2
/// streams").
pub const PRODUCTS_PER_CONNECTION: usize = 16;

/// The channel of prints.
pub const MARKET_TRADES: &str = "market_trades";
/// The channel of books, as requests call it.
const LEVEL2: &str = "level2";

/// The messages that subscribe to the products' books, their prints if they are wanted, and heartbeats, in this order, each with a
/// fresh token if there are credentials.
///
/// # Errors
/// A token cannot be signed.
pub fn subscribe<T: AsRef<str>>(
    products: &[T],
    prints: bool,
    credentials: Option<&Credentials>,
    now_unix_s: u64,
) -> Result<Vec<String>, AuthError> {
    let products: Vec<&str> = products.iter().map(AsRef::as_ref).collect();
    let message = |channel, product_ids: &[&str]| request("subscribe", channel, product_ids, credentials, now_unix_s);
    let mut messages = vec![message(LEVEL2, &products)?];
    if prints {
        messages.push(message(MARKET_TRADES, &products)?);
    }
    messages.push(message("heartbeats", &[])?);
    Ok(messages)
}

/// The messages that end the subscription to a product's book and begin it again, so that the venue sends a snapshot.
///
/// # Errors
/// A token cannot be signed.
pub fn subscribe_again(
    product: &str,
    credentials: Option<&Credentials>,
    now_unix_s: u64,
) -> Result<[String; 2], AuthError> {
    let message = |kind| request(kind, LEVEL2, &[product], credentials, now_unix_s);
    Ok([message("unsubscribe")?, message("subscribe")?])
}

fn request(
    kind: &'static str,
    channel: &'static str,
    product_ids: &[&str],
    credentials: Option<&Credentials>,
    now_unix_s: u64,
) -> Result<String, AuthError> {
    let jwt = credentials.map(|credentials| credentials.token(now_unix_s)).transpose()?;
    Ok(serde_json::to_string(&Subscribe { kind, product_ids, channel, jwt }).expect("strings serialise"))
}

#[derive(Deserialize)]
struct Acknowledgement {
    events: Option<Vec<Option<Event>>>,
}

#[derive(Deserialize)]
struct Event {
    subscriptions: Option<BTreeMap<String, Option<Vec<String>>>>,
}

/// What an acknowledgement says of a book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// It lists the book.
    Yes,
    /// It lists no book at all: the venue sends such ones for other channels, and before the one that counts.
    NotYet,
    /// It lists other books; in words.
    Other(String),
}

/// What an acknowledgement lists of a channel. Whatever cannot be read lists nothing.
fn listed(message: &[u8], channel: &str) -> Vec<String> {
    let events = serde_json::from_slice(message).ok().and_then(|read: Acknowledgement| read.events).unwrap_or_default();
    let lists = events.into_iter().flatten().filter_map(|event| event.subscriptions?.remove(channel)?);
    lists.flatten().collect()
}

/// Whether a list has a product, or the `-USD` twin of a `-USDC` product.
fn has(list: &[String], product: &str) -> bool {
    let twin = twin_of(product);
    list.iter().any(|listed| listed == product || Some(listed) == twin.as_ref())
}

/// Whether an acknowledgement lists the prints of `product`, or of the `-USD` twin of a `-USDC` product.
pub fn acknowledges_prints(message: &[u8], product: &str) -> bool {
    has(&listed(message, MARKET_TRADES), product)
}

/// Whether an acknowledgement lists the book of `product`, or of the `-USD` twin of a `-USDC` product. Whatever cannot be read
/// lists none.
pub fn acknowledged(message: &[u8], product: &str) -> Acknowledged {
    let books = listed(message, LEVEL2);
    if has(&books, product) {
        return Acknowledged::Yes;
    }
    if books.is_empty() {
        return Acknowledged::NotYet;
    }
    let listed = quote(&books.join(", "), QUOTE_CHARS_MAX);
    Acknowledged::Other(format!("the venue acknowledges level2 of {listed} instead of {product}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_the_venues() {
        let level2 = r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}"#;
        let prints = r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"market_trades"}"#;
        let heartbeats = r#"{"type":"subscribe","channel":"heartbeats"}"#;
        assert_eq!(subscribe(&["BTC-USD"], true, None, 0).unwrap(), [level2, prints, heartbeats]);
        assert_eq!(subscribe(&["BTC-USD"], false, None, 0).unwrap(), [level2, heartbeats]);
        let both = level2.replace(r#"["BTC-USD"]"#, r#"["BTC-USD","ETH-USD"]"#);
        assert_eq!(subscribe(&["BTC-USD", "ETH-USD"], false, None, 0).unwrap(), [&*both, heartbeats]);
        let end = level2.replace("subscribe", "unsubscribe");
        assert_eq!(subscribe_again("BTC-USD", None, 0).unwrap(), [&*end, level2]);
    }

    #[test]
    fn prints_are_acknowledged_beside_the_book() {
        let text = |lists: &str| format!(r#"{{"channel":"subscriptions","events":[{{"subscriptions":{{{lists}}}}}]}}"#);
        let both = text(r#""level2":["BTC-USD"],"market_trades":["BTC-USD"]"#);
        assert!(acknowledges_prints(both.as_bytes(), "BTC-USD") && acknowledges_prints(both.as_bytes(), "BTC-USDC"));
        assert_eq!(acknowledged(both.as_bytes(), "BTC-USD"), Acknowledged::Yes);
        for none in [r#""level2":["BTC-USD"]"#, r#""market_trades":null"#, r#""market_trades":["ETH-USD"]"#, ""] {
            assert!(!acknowledges_prints(text(none).as_bytes(), "BTC-USD"), "{none}");
        }
        // The book is not refused for the sake of the prints.
        let prints_of_another = text(r#""market_trades":["ETH-USD"]"#);
        assert_eq!(acknowledged(prints_of_another.as_bytes(), "BTC-USD"), Acknowledged::NotYet);
    }

    #[test]
    fn acknowledgements_are_read_leniently() {
        let acknowledge = |books: &str, product: &str| {
            let text =
                format!(r#"{{"channel":"subscriptions","events":[{{"subscriptions":{{"level2":[{books}]}}}}]}}"#);
            acknowledged(text.as_bytes(), product)
        };
        assert_eq!(acknowledge(r#""BTC-USD""#, "BTC-USD"), Acknowledged::Yes);
        assert_eq!(acknowledge(r#""ETH-USD","BTC-USD""#, "BTC-USDC"), Acknowledged::Yes);
        assert_eq!(acknowledge("", "BTC-USD"), Acknowledged::NotYet);
        let other = "the venue acknowledges level2 of ETH-USD, X\\n instead of BTC-USD";
        assert_eq!(acknowledge(r#""ETH-USD","X\n""#, "BTC-USD"), Acknowledged::Other(other.into()));
        for (length, cut) in [(QUOTE_CHARS_MAX, ""), (QUOTE_CHARS_MAX + 1, "…"), (1 << 20, "…")] {
            let quoted = "X".repeat(QUOTE_CHARS_MAX);
            let other = format!("the venue acknowledges level2 of {quoted}{cut} instead of P");
            assert_eq!(acknowledge(&format!("\"{}\"", "X".repeat(length)), "P"), Acknowledged::Other(other));
        }
        for nothing in [
            r#"{"events":[{"subscriptions":{"heartbeats":["heartbeats"]}}]}"#,
            r#"{"events":[{"subscriptions":{}}]}"#,
            r#"{"events":[{"subscriptions":{"level2":null}}]}"#,
            r#"{"events":[{"subscriptions":null}]}"#,
            r#"{"events":[null]}"#,
            r#"{"events":null}"#,
            r#"{"events":7}"#,
            "{}",
            "nonsense",
        ] {
            assert_eq!(acknowledged(nothing.as_bytes(), "BTC-USD"), Acknowledged::NotYet, "{nothing}");
        }
    }
}
