//! What a client says to the venue, and what an acknowledgement means.
//!
//! ```
//! use papertrader::feed::coinbase::subscription::{check_acknowledgement, subscribe};
//!
//! let [level2, _] = subscribe("BTC-USDC", None, 0)?;
//! assert_eq!(level2, r#"{"type":"subscribe","product_ids":["BTC-USDC"],"channel":"level2"}"#);
//!
//! // The venue streams a -USDC product as its -USD twin.
//! let answer = br#"{"channel":"subscriptions","events":[{"subscriptions":{"level2":["BTC-USD"]}}]}"#;
//! assert_eq!(check_acknowledgement(answer, "BTC-USDC"), Ok(()));
//! let refusal = check_acknowledgement(answer, "ETH-USD").unwrap_err();
//! assert_eq!(refusal, "the venue acknowledges level2 of BTC-USD instead of ETH-USD");
//! # Ok::<(), papertrader::feed::coinbase::auth::AuthError>(())
//! ```

use super::auth::{AuthError, Credentials};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A `subscribe` message; one channel each.
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

/// The messages that subscribe to a product's book and, after it, to heartbeats, each with a fresh token if there are
/// credentials.
///
/// # Errors
/// A token cannot be signed.
pub fn subscribe(product: &str, credentials: Option<&Credentials>, now_unix_s: u64) -> Result<[String; 2], AuthError> {
    let message = |channel, product_ids: &[&str]| -> Result<String, AuthError> {
        let jwt = credentials.map(|credentials| credentials.token(now_unix_s)).transpose()?;
        let subscribe = Subscribe { kind: "subscribe", product_ids, channel, jwt };
        Ok(serde_json::to_string(&subscribe).expect("strings serialise"))
    };
    Ok([message("level2", &[product])?, message("heartbeats", &[])?])
}

/// Characters of an unexpected acknowledgement that an error quotes.
pub const QUOTE_CHARS_MAX: usize = 200;

#[derive(Deserialize)]
struct Acknowledgement {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    subscriptions: BTreeMap<String, Vec<String>>,
}

/// Whether an acknowledgement lists the book of `product`, or of the `-USD` twin of a `-USDC` product. The error says what
/// it lists instead.
///
/// # Errors
/// It does not, or is not shaped like an acknowledgement.
pub fn check_acknowledgement(message: &[u8], product: &str) -> Result<(), String> {
    let acknowledgement: Acknowledgement =
        serde_json::from_slice(message).map_err(|error| format!("the acknowledgement cannot be read: {error}"))?;
    let twin = product.strip_suffix("-USDC").map(|base| format!("{base}-USD"));
    let listed = acknowledgement.events.iter().filter_map(|event| event.subscriptions.get("level2")).flatten();
    let books: Vec<&str> = listed.map(String::as_str).collect();
    if books.iter().any(|&book| book == product || Some(book) == twin.as_deref()) {
        return Ok(());
    }
    Err(match books[..] {
        [] => "the venue acknowledges no level2 subscription".into(),
        _ => {
            let listed = books.join(", ");
            let cut = if listed.chars().nth(QUOTE_CHARS_MAX).is_some() { "…" } else { "" };
            let listed: String = listed.chars().take(QUOTE_CHARS_MAX).flat_map(char::escape_debug).collect();
            format!("the venue acknowledges level2 of {listed}{cut} instead of {product}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_the_venues() {
        let [level2, heartbeats] = subscribe("BTC-USD", None, 0).unwrap();
        assert_eq!(level2, r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}"#);
        assert_eq!(heartbeats, r#"{"type":"subscribe","channel":"heartbeats"}"#);
    }

    #[test]
    fn acknowledgements_are_checked() {
        let acknowledge = |books: &str, product: &str| {
            let text =
                format!(r#"{{"channel":"subscriptions","events":[{{"subscriptions":{{"level2":[{books}]}}}}]}}"#);
            check_acknowledgement(text.as_bytes(), product)
        };
        assert_eq!(acknowledge(r#""BTC-USD""#, "BTC-USD"), Ok(()));
        assert_eq!(acknowledge(r#""BTC-USD""#, "BTC-USDC"), Ok(()));
        assert_eq!(acknowledge("", "BTC-USD"), Err("the venue acknowledges no level2 subscription".into()));
        assert_eq!(
            acknowledge(r#""ETH-USD","X\n""#, "BTC-USD"),
            Err("the venue acknowledges level2 of ETH-USD, X\\n instead of BTC-USD".into())
        );
        for (length, cut) in [(QUOTE_CHARS_MAX, ""), (QUOTE_CHARS_MAX + 1, "…"), (1 << 20, "…")] {
            let said = acknowledge(&format!("\"{}\"", "X".repeat(length)), "P").unwrap_err();
            let quoted = "X".repeat(QUOTE_CHARS_MAX);
            assert_eq!(said, format!("the venue acknowledges level2 of {quoted}{cut} instead of P"));
        }
        let none = check_acknowledgement(br#"{"events":[{"subscriptions":{"heartbeats":["heartbeats"]}}]}"#, "BTC-USD");
        assert_eq!(none, Err("the venue acknowledges no level2 subscription".into()));
        assert!(check_acknowledgement(b"{}", "BTC-USD").unwrap_err().starts_with("the acknowledgement cannot be read"));
    }
}
