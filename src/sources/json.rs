//! What venues' messages share in JSON: levels as pairs, decimals as text or numbers, times by their unit.
//!
//! ```
//! use papertrader::sources::json::{Pair, parse};
//!
//! let bids: Vec<Pair<'_>> = parse(br#"[["61804.7","35"],[61804.6,1e-7,2]]"#)?;
//! assert_eq!(bids[0].price()?.to_string(), "61804.7");
//! assert_eq!(bids[1].size()?.to_string(), "0.0000001");
//! # Ok::<(), String>(())
//! ```

use super::number::Number;
use super::{FRAME_LEVELS_MAX, RawFrame, RawLevel};
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use crate::market::units::Side;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use sonic_rs::LazyValue;
use std::fmt;

/// 1980 to 2100, nanoseconds.
const TIMES_NS: std::ops::Range<i64> = 315_532_800_000_000_000..4_102_444_800_000_000_000;
const NS_PER_MS: i64 = 1_000_000;

/// The beginning of what a file says, fit for an error.
pub fn shown(text: &[u8]) -> String {
    quote(&String::from_utf8_lossy(text), QUOTE_CHARS_MAX)
}

/// Reads a message.
///
/// # Errors
/// It is not UTF-8, not JSON, or of another shape.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    let text = simdutf8::basic::from_utf8(text).map_err(|_| "is not UTF-8".to_owned())?;
    // The parser's own words span several lines.
    sonic_rs::from_str(text).map_err(|error| {
        let what = error.to_string();
        let what = what.lines().next().unwrap_or_default();
        format!("is not a message as the venue sends it ({what}); is it cut?")
    })
}

/// A decimal, given as text or as a number.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub LazyValue<'a>);

impl Text<'_> {
    /// Without quotes.
    pub fn as_str(&self) -> &str {
        self.0.as_raw_str().trim_matches('"')
    }

    /// The number; `what` names it in an error.
    ///
    /// # Errors
    /// It is none that a book can hold.
    pub fn number(&self, what: &str) -> Result<Number, String> {
        let text = self.as_str().as_bytes();
        Number::from_text(text).map_err(|error| format!("{what} '{}' {error}", shown(text)))
    }
}

/// A level: `[price, size, …]`, or an object with `price` and `amount`.
#[derive(Debug)]
pub struct Pair<'a> {
    price: Text<'a>,
    size: Text<'a>,
}

impl Pair<'_> {
    /// Its price.
    ///
    /// # Errors
    /// It is not a number above 0.
    pub fn price(&self) -> Result<Number, String> {
        let price = self.price.number("price")?;
        if price.is_zero() { Err("price is 0".into()) } else { Ok(price) }
    }

    /// Its size.
    ///
    /// # Errors
    /// It is not a number.
    pub fn size(&self) -> Result<Number, String> {
        self.size.number("size")
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pair<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairVisitor;

        impl<'de> Visitor<'de> for PairVisitor {
            type Value = Pair<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a level: price and size")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut cells: A) -> Result<Self::Value, A::Error> {
                let price = cells.next_element()?.ok_or_else(|| A::Error::missing_field("price"))?;
                let size = cells.next_element()?.ok_or_else(|| A::Error::missing_field("size"))?;
                while cells.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Pair { price, size })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut cells: A) -> Result<Self::Value, A::Error> {
                let (mut price, mut size) = (None, None);
                while let Some(key) = cells.next_key::<String>()? {
                    match key.as_str() {
                        "price" => price = Some(cells.next_value()?),
                        "amount" => size = Some(cells.next_value()?),
                        _ => drop(cells.next_value::<IgnoredAny>()?),
                    }
                }
                let price = price.ok_or_else(|| A::Error::missing_field("price"))?;
                Ok(Pair { price, size: size.ok_or_else(|| A::Error::missing_field("amount"))? })
            }
        }

        deserializer.deserialize_any(PairVisitor)
    }
}

/// Appends a side's levels to a frame.
///
/// # Errors
/// A level is none, or there are more than [`FRAME_LEVELS_MAX`].
pub fn push_levels(frame: &mut RawFrame, side: Side, pairs: &[Pair<'_>]) -> Result<(), String> {
    if frame.levels.len() + pairs.len() > FRAME_LEVELS_MAX {
        return Err(format!("has more than {FRAME_LEVELS_MAX} levels"));
    }
    for pair in pairs {
        frame.levels.push(RawLevel { side, price: pair.price()?, size: pair.size()? });
    }
    Ok(())
}

/// Milliseconds as nanoseconds; `what` names the time in an error.
///
/// # Errors
/// They are of another unit, or no time of a market.
pub fn ms_to_ns(ms: i64, what: &str) -> Result<i64, String> {
    let ns = ms.checked_mul(NS_PER_MS).filter(|ns| TIMES_NS.contains(ns));
    ns.ok_or_else(|| match ms {
        ns if TIMES_NS.contains(&ns) => format!("{what} '{ms}' is in nanoseconds, where milliseconds are due"),
        us if TIMES_NS.contains(&us.saturating_mul(1_000)) => {
            format!("{what} '{ms}' is in microseconds, where milliseconds are due")
        }
        s if TIMES_NS.contains(&s.saturating_mul(1_000_000_000)) => {
            format!("{what} '{ms}' is in seconds, where milliseconds are due")
        }
        _ => format!("{what} '{ms}' is not a time in milliseconds since 1970"),
    })
}

/// Whether it is a time of a market: 1980 to 2100.
pub fn is_plausible_ns(ns: i64) -> bool {
    TIMES_NS.contains(&ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_messages() {
        for (text, error) in [
            (r#"["1","2"]"#, None),
            (r#"[1.5,2,[]]"#, None),
            (r#"{"amount":2,"n":[{}],"price":1e-3}"#, None),
            (r#"["0.00","2"]"#, Some("price is 0")),
            (r#"["-1","2"]"#, Some("price '-1' is negative")),
            (r#"["x","2"]"#, Some("price 'x'")),
            (r#"["1",null]"#, Some("size 'null'")),
            (r#"["1"]"#, Some("missing field `size`")),
            (r#"{"price":1}"#, Some("missing field `amount`")),
            ("7", Some("expected a level: price and size")),
            (r#"["1","2""#, Some("is it cut?")),
        ] {
            let read = parse::<Pair<'_>>(text.as_bytes()).and_then(|pair| Ok((pair.price()?, pair.size()?)));
            match (read, error) {
                (Ok((price, _)), None) => assert!(!price.is_zero()),
                (Err(found), Some(error)) => assert!(found.contains(error) && !found.contains('\n'), "{text}: {found}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
        assert_eq!(parse::<Pair<'_>>(b"[\"\xff\",1]").unwrap_err(), "is not UTF-8");
    }

    #[test]
    fn units_of_times() {
        for (given, read) in [
            (1_733_011_200_691, Ok(1_733_011_200_691_000_000)),
            (1_733_011_200_691_000, Err("ts '1733011200691000' is in microseconds, where milliseconds are due")),
            (1_733_011_200_691_000_000, Err("ts '1733011200691000000' is in nanoseconds, where milliseconds are due")),
            (1_733_011_200, Err("ts '1733011200' is in seconds, where milliseconds are due")),
            (0, Err("ts '0' is not a time in milliseconds since 1970")),
            (i64::MIN, Err("ts '-9223372036854775808' is not a time in milliseconds since 1970")),
        ] {
            assert_eq!(ms_to_ns(given, "ts"), read.map_err(str::to_owned), "{given}");
        }
    }
}
