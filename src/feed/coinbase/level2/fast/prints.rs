//! Prints of the venue's usual layout, read byte for byte.
//!
//! ```text
//! {"channel":"market_trades","timestamp":"…","sequence_num":N,"events":[{"type":"update","trades":[{"product_id":"…",
//! "trade_id":"…","price":"…","size":"…","time":"…","side":"SELL"},…]}]}
//! ```
//!
//! The reader gives up where anything differs, as that of levels does: at another product, a number that is not an exact count
//! at the book's scale, a snapshot.

use super::decimal::{Counts, OFFSET_MAX, WINDOW, Window, quoted_number, whole_number};
use super::minute::Minute;
use super::{CLIENT, SEQUENCE_NUM, TAIL, TIMESTAMP};
use crate::market::event::{Event, Print};
use crate::market::units::{Scale, Side};

const CHANNEL: &[u8; 26] = br#"{"channel":"market_trades""#;
const LIST: &[u8; 38] = br#","events":[{"type":"update","trades":["#;
const PRICE: &[u8; 11] = br#"","price":""#;
const SIZE: &[u8; 10] = br#"","size":""#;
const TIME: &[u8; 10] = br#"","time":""#;
const BUY: &[u8; 16] = br#"","side":"BUY"}X"#;
const SELL: &[u8; 16] = br#"","side":"SELL"}"#;
/// How much of [`BUY`] and [`SELL`] stands in a message.
const BUY_BYTES: usize = BUY.len() - 1;

/// A print's bytes behind its opening, up to the window of its size: its number, its price and what stands around them.
const BEFORE_SIZE: usize = 15 + PRICE.len() + 17 + SIZE.len();
/// Room for what is left of a message when less than a print's windows are, twice.
const PADDED: usize = 512;

/// What a message of prints says besides them.
#[derive(Clone, Copy, Debug)]
pub struct UsualPrints {
    pub sequence_num: u64,
    pub ts_event_ns: i64,
    /// Whether the product stands under its other name.
    pub is_twin: bool,
}

/// What stands before a print's number.
#[derive(Debug)]
struct Opening {
    bytes: Box<[u8]>,
    is_twin: bool,
}

/// Reads messages of prints of one product.
#[derive(Debug)]
pub struct Reader {
    openings: Vec<Opening>,
}

impl Reader {
    /// For a product of these names, which JSON has no need to escape.
    pub fn new<'a>(names: impl Iterator<Item = (&'a str, bool)>) -> Self {
        let openings = names.map(|(name, is_twin)| {
            let text = format!(r#"{{"product_id":"{name}","trade_id":""#);
            Opening { bytes: text.into_bytes().into(), is_twin }
        });
        // Longer names are nobody's.
        let openings = openings.filter(|opening| 2 * (opening.bytes.len() + BEFORE_SIZE + WINDOW) <= PADDED);
        Self { openings: openings.collect() }
    }

    /// Reads a message and appends its prints.
    #[inline]
    pub fn read(
        &self,
        message: &[u8],
        scale: Scale,
        minute: &mut Minute,
        prints: &mut Vec<Event>,
    ) -> Option<UsualPrints> {
        let rest = message.strip_prefix(CHANNEL)?;
        let rest = rest.strip_prefix(CLIENT).unwrap_or(rest);
        let rest = rest.strip_prefix(TIMESTAMP)?;
        let (ts_event_ns, rest) = minute.read(rest)?;
        let rest = rest.strip_prefix(SEQUENCE_NUM)?;
        let (sequence_num, rest) = whole_number(rest)?;
        let rest = rest.strip_prefix(LIST)?;
        let opening = self.openings.iter().find(|opening| rest.starts_with(&opening.bytes))?;

        let counts = [Counts::of(scale.price_decimals), Counts::of(scale.size_decimals)];
        let (rest, ended) = opening.read_prints(rest, &counts, minute, prints)?;
        let rest = if ended { rest } else { opening.read_last(rest, &counts, minute, prints)? };
        (rest == TAIL).then_some(UsualPrints { sequence_num, ts_event_ns, is_twin: opening.is_twin })
    }
}

impl Opening {
    /// The bytes within which a print's numbers are read.
    fn windows(&self) -> usize {
        self.bytes.len() + BEFORE_SIZE + WINDOW
    }

    /// Reads prints while the windows of one are left. Gives what follows, and whether the list has ended before it.
    #[inline]
    fn read_prints<'a>(
        &self,
        mut rest: &'a [u8],
        counts: &[Counts; 2],
        minute: &mut Minute,
        prints: &mut Vec<Event>,
    ) -> Option<(&'a [u8], bool)> {
        while rest.len() >= self.windows() {
            let (print, after) = self.read_print(rest, counts, minute)?;
            prints.extend(print.encode());
            let (&separator, after) = after.split_first()?;
            match separator {
                b',' => rest = after,
                b']' => return Some((after, true)),
                _ => return None,
            }
        }
        Some((rest, false))
    }

    /// Reads prints of which less than the windows is left, to the end of the list. Gives what follows.
    #[inline(never)] // Not every message comes here, and clearing the room takes its time.
    fn read_last<'a>(
        &self,
        rest: &'a [u8],
        counts: &[Counts; 2],
        minute: &mut Minute,
        prints: &mut Vec<Event>,
    ) -> Option<&'a [u8]> {
        // No text holds a zero byte: nothing matches behind the end.
        let mut padded = [0; PADDED];
        padded[..rest.len()].copy_from_slice(rest);
        let (bytes, windows) = (rest.len(), self.windows());
        let (after, ended) = self.read_prints(&padded[..bytes + windows], counts, minute, prints)?;
        ended.then(|| &rest[(bytes + windows - after.len()).min(bytes)..])
    }

    #[inline(always)]
    fn read_print<'a>(
        &self,
        text: &'a [u8],
        [price, size]: &[Counts; 2],
        minute: &mut Minute,
    ) -> Option<(Print, &'a [u8])> {
        let rest = text.strip_prefix(&*self.bytes)?;
        let (trade_id, rest) = quoted_number(rest)?;
        let rest = rest.strip_prefix(PRICE)?;
        let (price_ticks, rest) = count(rest, price)?;
        let rest = rest.strip_prefix(SIZE)?;
        let (size_lots, rest) = count(rest, size)?;
        let rest = rest.strip_prefix(TIME)?;
        let (ts_event_ns, rest) = minute.read(rest)?;
        // The side is the maker's.
        let side: &[u8; 16] = rest.first_chunk()?;
        let (aggressor, bytes) = match () {
            () if side == SELL => (Side::Bid, SELL.len()),
            () if side[..BUY_BYTES] == BUY[..BUY_BYTES] => (Side::Ask, BUY_BYTES),
            () => return None,
        };
        let good = price_ticks > 0 && size_lots > 0;
        good.then_some((Print { aggressor, price_ticks, size_lots, trade_id, ts_event_ns }, &rest[bytes..]))
    }
}

/// Reads a number by words. The caller finds out whether a quote stands behind it.
#[inline(always)]
fn count<'a>(text: &'a [u8], counts: &Counts) -> Option<(u64, &'a [u8])> {
    let window: &Window = text.first_chunk()?;
    let (count, bytes) = counts.read(window, 0)?;
    Some((count, &text[bytes & OFFSET_MAX..]))
}

#[cfg(test)]
mod tests {
    use super::super::super::{BookPart, Channel, Message, Parser, TapePart};
    use super::*;
    use flate2::read::MultiGzDecoder;
    use proptest::prelude::*;
    use std::fs::File;
    use std::io::{BufRead, BufReader};

    const PRODUCT: &str = "BTC-USD";
    const SCALE: Scale = Scale { price_decimals: 2, size_decimals: 8 };

    fn print(id: u64, price: &str, size: &str, time: &str, side: &str) -> String {
        format!(
            r#"{{"product_id":"{PRODUCT}","trade_id":"{id}","price":"{price}","size":"{size}","time":"{time}","side":"{side}"}}"#
        )
    }

    fn message(kind: &str, prints: &[String]) -> String {
        format!(
            r#"{{"channel":"market_trades","timestamp":"2026-09-30T02:39:54.406912Z","sequence_num":39,"events":[{{"type":"{kind}","trades":[{}]}}]}}"#,
            prints.join(",")
        )
    }

    fn two() -> String {
        message(
            "update",
            &[
                print(1_100_253_498, "83279.4", "1", "2026-09-30T02:39:54.19Z", "BUY"),
                print(1_100_253_497, "83279.35", "0.00720495", "2026-09-30T02:39:54.18954Z", "SELL"),
            ],
        )
    }

    /// Whether the fast way took it; both ways' results are compared.
    fn both(parser: &mut Parser, text: &[u8], scale: Scale) -> (bool, Result<Message, super::super::super::Malformed>) {
        let (mut usual, mut general) = (Vec::new(), Vec::new());
        let expected = parser.parse_any_layout(text, scale, &mut general);
        let fast = parser.usual.read_prints(text, scale, &mut usual).is_some();
        let parsed = parser.parse(text, scale, &mut usual);
        let shown = String::from_utf8_lossy(text);
        assert_eq!(parsed, expected, "{shown}");
        if matches!(parsed, Ok(Message { book: BookPart::Prints(_), .. })) {
            assert_eq!(usual, general, "{shown}");
        }
        (fast, parsed)
    }

    #[test]
    fn the_venues_message_is_read_oldest_first() {
        let mut prints = Vec::new();
        let read = Parser::new(PRODUCT).parse(two().as_bytes(), SCALE, &mut prints).unwrap();
        assert_eq!((read.channel, read.book), (Channel::Trades, BookPart::Prints(TapePart::Update)));
        assert_eq!((read.sequence_num, read.ts_event_ns), (Some(39), 1_790_735_994_406_912_000));
        let (prints, _) = prints.as_chunks();
        // The maker sold: a purchase.
        let older = Print {
            aggressor: Side::Bid,
            price_ticks: 8_327_935,
            size_lots: 720_495,
            trade_id: 1_100_253_497,
            ts_event_ns: 1_790_735_994_189_540_000,
        };
        let newer = Print {
            aggressor: Side::Ask,
            price_ticks: 8_327_940,
            size_lots: 100_000_000,
            trade_id: 1_100_253_498,
            ts_event_ns: 1_790_735_994_190_000_000,
        };
        assert_eq!(prints.iter().map(|&print| Print::decode(print)).collect::<Vec<_>>(), [older, newer]);
    }

    #[test]
    fn both_layouts_take_the_fast_way_and_odd_ones_the_general() {
        let mut parser = Parser::new(PRODUCT);
        let one = print(7, "61804.80", "1.00000000", "2024-08-08T23:54:18.748000Z", "SELL");
        let padded =
            message("update", std::slice::from_ref(&one)).replace(r#"","timestamp"#, r#"","client_id":"","timestamp"#);
        for text in [two(), padded, message("update", &vec![one.clone(); 50])] {
            assert!(both(&mut parser, text.as_bytes(), SCALE).0, "{text}");
        }
        let other = |from: &str, to: &str| message("update", &[one.replace(from, to)]);
        for (text, what) in [
            (message("snapshot", std::slice::from_ref(&one)), BookPart::Prints(TapePart::Snapshot)),
            (message("other", std::slice::from_ref(&one)), BookPart::None),
            (message("update", &[]), BookPart::None),
            (other("BTC-USD", "ETH-USD"), BookPart::None),
            (other("SELL", "sell"), BookPart::None),
            (other("61804.80", "0"), BookPart::None),
            (other("61804.80", "-1"), BookPart::None),
            (other("1.00000000", "0.0"), BookPart::None),
            (other("61804.80", "1.001"), BookPart::Finer(Scale { price_decimals: 3, size_decimals: 8 })),
            (other("\"7\"", "7"), BookPart::Prints(TapePart::Update)),
            (other("\"7\"", "\"x\""), BookPart::Prints(TapePart::Update)),
            (other("2024-", "then "), BookPart::Prints(TapePart::Update)),
        ] {
            let (fast, read) = both(&mut parser, text.as_bytes(), SCALE);
            assert_eq!((fast, read.unwrap().book), (false, what), "{text}");
        }
        // Each of the four unreadable ones by the general way alone and again by the parser.
        assert_eq!(parser.unread_prints(), 8);
    }

    #[test]
    fn the_twins_prints_are_the_products_while_its_levels_are() {
        let mut parser = Parser::new("BTC-USDC");
        let snapshot = |product: &str| {
            format!(
                r#"{{"channel":"l2_data","timestamp":"2026-09-30T02:39:54Z","sequence_num":0,"events":[{{"type":"snapshot","product_id":"{product}","updates":[]}}]}}"#
            )
        };
        let mut levels = Vec::new();
        for (product, taken) in [("BTC-USD", true), ("BTC-USDC", false), ("BTC-USD", false)] {
            parser.parse(snapshot(product).as_bytes(), SCALE, &mut levels).unwrap();
            let (fast, read) = both(&mut parser, two().as_bytes(), SCALE);
            let book = if taken { BookPart::Prints(TapePart::Update) } else { BookPart::None };
            assert_eq!(read.unwrap().book, book, "{product}");
            assert!(fast, "whose prints they are is found out afterwards");
        }
    }

    #[test]
    fn recorded_prints_have_one_result() {
        for (name, fast_share) in [("trades", 1.0), ("today", 0.999)] {
            for (market, product) in [("perp", "BTC-PERP"), ("spot", "BTC-USDT")] {
                let path =
                    format!("{}/../shared/data/captures/btc-{market}-a.{name}.l2.gz", env!("CARGO_MANIFEST_DIR"));
                let Ok(file) = File::open(&path) else {
                    eprintln!("SKIPPED: there is no {path}");
                    continue;
                };
                let mut parser = Parser::new(product);
                let (mut messages, mut fast) = (0.0, 0.0);
                for line in BufReader::new(MultiGzDecoder::new(file)).lines().map(Result::unwrap) {
                    let (_, text) = line.split_once(' ').unwrap();
                    if text.starts_with(r#"{"channel":"market_trades""#) {
                        let (by_the_fast_way, read) = both(&mut parser, text.as_bytes(), SCALE);
                        assert!(matches!(read.unwrap().book, BookPart::Prints(_)), "{text}");
                        messages += 1.0;
                        fast += f64::from(u8::from(by_the_fast_way));
                    }
                }
                assert!(messages > 100.0 && fast / messages >= fast_share, "{path}: {fast} of {messages}");
            }
        }
    }

    proptest! {
        #[test]
        fn changed_messages_have_one_result(
            changes in prop::collection::vec((0..600_usize, prop_oneof![any::<u8>(), b'-'..=b'Z'], 0..3_u8), 1..4),
            decimals in 0..=10_u8,
        ) {
            let mut text = two().into_bytes();
            for (at, byte, how) in changes {
                let at = at % text.len();
                match how {
                    0 => text[at] = byte,
                    1 => text.insert(at, byte),
                    _ => { text.remove(at); }
                }
            }
            let scale = Scale { price_decimals: decimals, size_decimals: decimals };
            both(&mut Parser::new(PRODUCT), &text, scale).1.ok();
        }
    }
}
