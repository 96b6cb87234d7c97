//! The venue's usual layout, read byte for byte.
//!
//! A message about one product looks like this, without any white space; `client_id` may be absent:
//!
//! ```text
//! {"channel":"l2_data","client_id":"","timestamp":"…","sequence_num":N,"events":[{"type":"update","product_id":"…",
//! "updates":[{"side":"bid","event_time":"…","price_level":"…","new_quantity":"…"},…]}]}
//! ```
//!
//! At the first byte that differs, and at every number that is not an exact count at the scale in force, the reader gives
//! up and the general parser begins anew: it alone decides what is malformed, impossible or finer. What is accepted here
//! is what the general parser makes of the same bytes. Every byte of an accepted message has been compared or found to
//! be in a range of ASCII, so that no UTF-8 check is needed.
//!
//! Words are compared and digits converted eight bytes at a time in 64-bit integers (SWAR); the conversion is D. Lemire's,
//! "Quickly parsing eight digits", 2018. A level is read from a window of fixed size, within which the compiler knows
//! all offsets to be in bounds.

use crate::clock::parse_utc_ns;
use crate::event::{Event, FrameKind};
use crate::units::{Scale, Side, parse_count};

/// Bytes that a level can take, with the separator behind it, and one word more.
const WINDOW: usize = 192;
type Window = [u8; WINDOW];

/// Lengths of a level's time that are skipped: `1970-01-01T00:00:00Z` up to nine digits of fraction, and two words at
/// least.
const TIME_MIN: usize = 16;
const TIME_MAX: usize = 31;
/// The longest number that is read, its quote included.
const NUMBER_MAX: usize = 40;

const _: () = assert!(
    BEFORE_TIME_MAX + TIME_MAX + PRICE.len() + 2 * NUMBER_MAX + QUANTITY.len() + 2 + 8 <= WINDOW,
    "every offset into a window, and a word behind it, is in bounds"
);

const CHANNEL: &[u8; 20] = br#"{"channel":"l2_data""#;
const CLIENT: &[u8; 15] = br#","client_id":"""#;
const TIMESTAMP: &[u8; 14] = br#","timestamp":""#;
const SEQUENCE_NUM: &[u8; 17] = br#"","sequence_num":"#;
const TAIL: &[u8; 3] = b"}]}";

const SIDE: u64 = u64::from_le_bytes(*br#"{"side":"#);
const BID: u64 = u64::from_le_bytes(*br#""bid","e"#);
const OFFER: u64 = u64::from_le_bytes(*br#""offer","#);
/// `{"side":"bid",`; the ask side's word is two letters longer.
const SIDE_BYTES: usize = 14;
const EVENT_TIME: &[u8; 14] = br#""event_time":""#;
const BEFORE_TIME_MAX: usize = SIDE_BYTES + 2 + EVENT_TIME.len();
const PRICE: &[u8; 17] = br#"","price_level":""#;
const QUANTITY: &[u8; 18] = br#"","new_quantity":""#;

/// What a message of the usual layout says besides its levels.
#[derive(Clone, Copy, Debug)]
pub struct Usual {
    pub kind: FrameKind,
    pub sequence_num: u64,
    pub ts_event_ns: i64,
    /// Whether the product stands under its other name.
    pub is_twin: bool,
}

/// What stands between the sequence number and the levels in messages of one product.
#[derive(Debug)]
struct Opening {
    bytes: Box<[u8]>,
    kind: FrameKind,
    is_twin: bool,
}

/// Reads messages of the usual layout for one product.
#[derive(Debug)]
pub struct Reader {
    /// The likeliest first.
    openings: Vec<Opening>,
    /// The length of the last level's time: the next is likely as long.
    time_bytes: usize,
    minute: Minute,
}

impl Reader {
    pub fn new(product: &str, twin: Option<&str>) -> Self {
        // What JSON would escape does not stand in a message as it is.
        let plain = |name: &&str| name.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        let names = [(Some(product), false), (twin, true)];
        let names = names.into_iter().filter_map(|(name, is_twin)| Some((name.filter(plain)?, is_twin)));
        let openings = names.flat_map(|(name, is_twin)| {
            [("update", FrameKind::Update), ("snapshot", FrameKind::Snapshot)].map(|(word, kind)| {
                let text = format!(r#","events":[{{"type":"{word}","product_id":"{name}","updates":["#);
                Opening { bytes: text.into_bytes().into(), kind, is_twin }
            })
        });
        Self { openings: openings.collect(), time_bytes: TIME_MAX - 1, minute: Minute::default() }
    }

    /// Reads a message and appends its levels. `None` where it is not of the usual layout: `levels` then hold a part.
    #[inline]
    pub fn read(&mut self, message: &[u8], scale: Scale, levels: &mut Vec<Event>) -> Option<Usual> {
        let rest = message.strip_prefix(CHANNEL)?;
        let rest = rest.strip_prefix(CLIENT).unwrap_or(rest);
        let rest = rest.strip_prefix(TIMESTAMP)?;
        let time_bytes = rest.iter().take(TIME_MAX).position(|&byte| byte == b'"')?;
        let (time, rest) = rest.split_at(time_bytes);
        let ts_event_ns = self.minute.parse_utc_ns(time)?;
        let rest = rest.strip_prefix(SEQUENCE_NUM)?;
        let (sequence_num, rest) = whole_number(rest)?;
        let (opening, rest) =
            self.openings.iter().find_map(|opening| Some((opening, rest.strip_prefix(&*opening.bytes)?)))?;
        let (kind, is_twin) = (opening.kind, opening.is_twin);

        let (price, size) = (Counts::of(scale.price_decimals), Counts::of(scale.size_decimals));
        let end = message.len();
        let mut at = end - rest.len();
        if rest.first() == Some(&b']') {
            at += 1;
        } else {
            loop {
                let rest = &message[at..];
                let padded: Window;
                let window = match rest.first_chunk() {
                    Some(window) => window,
                    None => {
                        // No text holds a zero byte: nothing matches behind the end.
                        let mut bytes = [0; WINDOW];
                        bytes[..rest.len()].copy_from_slice(rest);
                        padded = bytes;
                        &padded
                    }
                };
                let (level, bytes, separator) = self.read_level(window, &price, &size)?;
                levels.push(level);
                at += bytes;
                match separator {
                    b',' => {}
                    b']' => break,
                    _ => return None,
                }
            }
        }
        (message[at..] == *TAIL).then_some(Usual { kind, sequence_num, ts_event_ns, is_twin })
    }

    /// Reads the level at the window's start. Gives its length, the separator behind it included, and that separator.
    #[inline(always)]
    fn read_level(&mut self, window: &Window, price: &Counts, size: &Counts) -> Option<(Event, usize, u8)> {
        let side = word(window, 8);
        let is_ask = side == OFFER;
        if word(window, 0) != SIDE || !(is_ask || side == BID) {
            return None;
        }
        let at = SIDE_BYTES + 2 * usize::from(is_ask);
        if *chunk::<14>(window, at) != *EVENT_TIME {
            return None;
        }
        let at = at + EVENT_TIME.len();
        if *chunk::<17>(window, at + (self.time_bytes & TIME_MAX)) != *PRICE {
            self.time_bytes = time_bytes(window, at)?;
            if *chunk::<17>(window, at + self.time_bytes) != *PRICE {
                return None;
            }
        }
        let time_bytes = self.time_bytes & TIME_MAX;
        if !is_time(window, at, time_bytes) {
            return None;
        }
        let at = at + time_bytes + PRICE.len();
        let (price_ticks, bytes) = price.read(window, at)?;
        let at = at + bytes;
        if price_ticks == 0 || *chunk::<18>(window, at) != *QUANTITY {
            return None;
        }
        let at = at + QUANTITY.len();
        let (size_lots, bytes) = size.read(window, at)?;
        let at = at + bytes;
        if *chunk::<2>(window, at) != *br#""}"# {
            return None;
        }
        let side = if is_ask { Side::Ask } else { Side::Bid };
        Some((Event::level(side, price_ticks, size_lots), at + 3, window[at + 2]))
    }
}

/// Eight bytes as an integer, the first lowest.
#[inline(always)]
fn word(window: &Window, at: usize) -> u64 {
    u64::from_le_bytes(*chunk(window, at))
}

#[inline(always)]
fn chunk<const N: usize>(window: &Window, at: usize) -> &[u8; N] {
    window[at..at + N].first_chunk().expect("the slice has N bytes")
}

/// Where the quote behind a time stands.
#[cold]
fn time_bytes(window: &Window, at: usize) -> Option<usize> {
    (TIME_MIN..TIME_MAX).find(|bytes| window[at + bytes] == b'"')
}

/// Whether all bytes of a time lie between `-` and `Z`: letters, digits and marks of a time, and nothing that a JSON string
/// holds only escaped.
#[inline(always)]
fn is_time(window: &Window, at: usize, bytes: usize) -> bool {
    const BELOW: u64 = EACH * (0x80 - b'-' as u64);
    const ABOVE: u64 = EACH * (0x7f - b'Z' as u64);
    // A high bit is set for a byte that is no ASCII, too high or too low. Sums of ASCII do not carry into the next byte.
    let outside = |at: usize| {
        let word = word(window, at);
        word | word.wrapping_add(ABOVE) | !word.wrapping_add(BELOW)
    };
    // The words overlap where the time is shorter than four.
    let outside = outside(at) | outside(at + 8) | outside(at + bytes - 16) | outside(at + bytes - 8);
    outside & (EACH * 0x80) == 0
}

const EACH: u64 = u64::from_le_bytes([1; 8]);

/// How decimal texts become counts at a scale.
struct Counts {
    decimals: u8,
    /// `10^decimals`.
    unit: u64,
    /// The longest whole part that is read by words, no longer than leaves room for its separator.
    whole_bytes_max: usize,
    /// The bytes of a fraction's word that are finer than the scale.
    finer: u64,
    /// Moves the scale's digits of a fraction's word to its end.
    shift: u32,
}

impl Counts {
    #[inline]
    fn of(decimals: u8) -> Self {
        let by_words = decimals <= 8;
        Self {
            decimals,
            unit: POWERS_OF_TEN[usize::from(decimals.min(8))],
            whole_bytes_max: if by_words { 7 } else { 0 },
            finer: u64::MAX.checked_shl(8 * u32::from(decimals)).unwrap_or(0),
            shift: 64_u32.saturating_sub(8 * u32::from(decimals)),
        }
    }

    /// Reads the number at `at`. Gives its count and its length; what stands behind it is a quote.
    #[inline(always)]
    fn read(&self, window: &Window, at: usize) -> Option<(u64, usize)> {
        let (digits, whole_bytes) = digits(word(window, at));
        if whole_bytes.wrapping_sub(1) >= self.whole_bytes_max {
            return self.read_slowly(window, at);
        }
        let whole = number(digits << (64 - 8 * whole_bytes));
        let mark = window[at + whole_bytes];
        if mark == b'"' {
            return Some((whole * self.unit, whole_bytes));
        }
        let (digits, fraction_bytes) = self::digits(word(window, at + whole_bytes + 1));
        let bytes = whole_bytes + 1 + fraction_bytes;
        // Of eight digits nothing is cleared; else the bytes from the first that is no digit on.
        let digits = digits & !u64::MAX.checked_shl(8 * fraction_bytes as u32).unwrap_or(0);
        if mark != b'.' || fraction_bytes == 0 || window[at + bytes] != b'"' || digits & self.finer != 0 {
            return self.read_slowly(window, at);
        }
        // At scale 0 the digits are all zeros and the shift, by the whole width, does not matter.
        Some((whole * self.unit + number(digits.wrapping_shl(self.shift)), bytes))
    }

    #[cold]
    fn read_slowly(&self, window: &Window, at: usize) -> Option<(u64, usize)> {
        let text = &window[at..at + NUMBER_MAX];
        let bytes = text.iter().position(|&byte| byte == b'"')?;
        Some((parse_count(&text[..bytes], self.decimals).ok()?, bytes))
    }
}

const POWERS_OF_TEN: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The values of a word's leading digits, a byte each, and how many there are. The bytes behind them are anything.
#[inline(always)]
fn digits(text: u64) -> (u64, usize) {
    let values = text ^ (EACH * u64::from(b'0'));
    // A byte's high bit is set when its value is above 9. A carry from one such byte spoils only those behind it.
    let others = (values.wrapping_add(EACH * (0x80 - 10)) | values) & (EACH * 0x80);
    (values, others.trailing_zeros() as usize / 8)
}

/// The number that eight bytes of digits, the most significant lowest, stand for.
#[inline(always)]
fn number(digits: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let (even, odd) = (pairs & PAIRS, (pairs >> 16) & PAIRS);
    even.wrapping_mul(100 + (1_000_000 << 32)).wrapping_add(odd.wrapping_mul(1 + (10_000 << 32))) >> 32
}

/// Reads a JSON number without sign, fraction and exponent from the beginning.
#[inline]
fn whole_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let bytes = text.iter().take(20).position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at(bytes);
    if bytes == 0 || (digits[0] == b'0' && bytes > 1) {
        return None;
    }
    // At most 19 digits.
    Some((digits.iter().fold(0, |number, digit| 10 * number + u64::from(digit - b'0')), rest))
}

/// Reads time stamps of which most lie in the same minute as the one before.
#[derive(Debug)]
struct Minute {
    /// `2024-08-08T23:54:`; at first what no string holds.
    text: [u8; 17],
    /// Its beginning, Unix nanoseconds.
    start_ns: i64,
}

impl Default for Minute {
    fn default() -> Self {
        Self { text: [b'"'; 17], start_ns: 0 }
    }
}

impl Minute {
    /// As [`parse_utc_ns`], which reads the stamps of other shapes.
    #[inline]
    fn parse_utc_ns(&mut self, text: &[u8]) -> Option<i64> {
        let (Some(minute), 30) = (text.first_chunk::<17>(), text.len()) else { return parse_utc_ns(text) };
        if *minute != self.text {
            self.start_ns = minute_start_ns(minute)?;
            self.text = *minute;
        }
        let pair = |at: usize| text[at].is_ascii_digit() && text[at + 1].is_ascii_digit();
        let (values, fraction_bytes) = digits(u64::from_le_bytes(*text[20..].first_chunk()?));
        let last = text[28].wrapping_sub(b'0');
        let good =
            pair(17) && text[17] < b'6' && text[19] == b'.' && fraction_bytes == 8 && last < 10 && text[29] == b'Z';
        let seconds = i64::from(text[17].wrapping_sub(b'0')) * 10 + i64::from(text[18].wrapping_sub(b'0'));
        // Below 10^9.
        let fraction_ns = number(values) as i64 * 10 + i64::from(last);
        self.start_ns.checked_add(seconds * 1_000_000_000 + fraction_ns).filter(|_| good)
    }
}

#[cold]
fn minute_start_ns(minute: &[u8; 17]) -> Option<i64> {
    let mut whole = *b"YYYY-MM-DDTHH:MM:00Z";
    whole[..17].copy_from_slice(minute);
    parse_utc_ns(&whole)
}

#[cfg(test)]
mod tests {
    use super::super::{BookPart, Message, Parser};
    use super::*;
    use crate::exchange::market::LevelUpdate;
    use crate::exchange::message::{L2Kind, l2_data};
    use crate::units::{DECIMALS_MAX, NumberError};
    use proptest::prelude::*;

    const PRODUCT: &str = "BTC-USD";
    const SCALE: Scale = Scale { price_decimals: 2, size_decimals: 8 };

    /// Both ways' results, compared; the fast way's answer besides.
    fn both(message: &[u8], scale: Scale) -> Option<Message> {
        let mut parser = Parser::new(PRODUCT);
        both_by(&mut parser, message, scale)
    }

    fn both_by(parser: &mut Parser, message: &[u8], scale: Scale) -> Option<Message> {
        let (mut usual, mut general) = (Vec::new(), Vec::new());
        let expected = Parser::new(PRODUCT).parse_any_layout(message, scale, &mut general);
        let fast = parser.usual.read(message, scale, &mut usual).is_some();
        let parsed = parser.parse(message, scale, &mut usual);
        let shown = String::from_utf8_lossy(message);
        assert_eq!(parsed, expected, "{shown}");
        if matches!(parsed, Ok(Message { book: BookPart::Frame(_), .. })) {
            assert_eq!(usual, general, "{shown}");
        }
        if fast { Some(parsed.expect("the general way takes what the fast one takes")) } else { None }
    }

    fn level(side: &str, time: &str, price: &str, quantity: &str) -> String {
        format!(r#"{{"side":"{side}","event_time":"{time}","price_level":"{price}","new_quantity":"{quantity}"}}"#)
    }

    fn frame(kind: &str, client: &str, levels: &[String]) -> String {
        format!(
            r#"{{"channel":"l2_data"{client},"timestamp":"2024-08-08T23:54:16.618936965Z","sequence_num":17,"events":[{{"type":"{kind}","product_id":"{PRODUCT}","updates":[{}]}}]}}"#,
            levels.join(",")
        )
    }

    const CLIENT_ID: &str = r#","client_id":"""#;
    const TIME: &str = "2024-08-08T23:54:17.875000000Z";

    fn usual_frames() -> Vec<String> {
        vec![
            frame("update", CLIENT_ID, &[level("bid", TIME, "61754.30", "0.21367000")]),
            frame(
                "update",
                "",
                &[
                    level("bid", TIME, "61754.3", "6632"),
                    level("offer", "2024-08-08T23:54:17.8Z", "61830.17000000", "0.00000000"),
                    level("offer", TIME, "9", "12.5"),
                ],
            ),
            frame("snapshot", CLIENT_ID, &[level("offer", "1970-01-01T00:00:00Z", "1234567.89", "1234567.12345678")]),
            frame("snapshot", CLIENT_ID, &[level("bid", "1970-01-01T00:00:00Z", "12345678.25", "123456789.1")]),
            frame("update", CLIENT_ID, &[]),
        ]
    }

    #[test]
    fn the_usual_layout_is_taken_by_the_fast_way() {
        for text in usual_frames() {
            let message = both(text.as_bytes(), SCALE).unwrap_or_else(|| panic!("not fast: {text}"));
            assert_eq!((message.sequence_num, message.ts_event_ns), (Some(17), 1_723_161_256_618_936_965));
        }
    }

    #[test]
    fn every_change_of_one_byte_has_one_result() {
        // All bytes that mean something to JSON, to times or to decimals, and some that mean nothing.
        let bytes = b"\0\n \"\\,-./0159:;Z[]aenz{}~\x7f\x80\xc3\xff";
        for text in usual_frames() {
            for at in 0..text.len() {
                let mut changed = text.clone().into_bytes();
                for &byte in bytes {
                    changed[at] = byte;
                    both(&changed, SCALE);
                }
                changed.remove(at);
                both(&changed, SCALE);
                both(&text.as_bytes()[..at], SCALE);
                changed.insert(at, text.as_bytes()[at]);
                changed.insert(at, text.as_bytes()[at]);
                both(&changed, SCALE);
            }
        }
    }

    #[test]
    fn numbers_and_times_of_any_shape_have_one_result() {
        let numbers = [
            "0",
            "00",
            "0.0",
            "1",
            "01",
            "1.",
            ".1",
            ".",
            "",
            "-1",
            "1-",
            "1e5",
            "1.5.5",
            "1234567",
            "12345678",
            "123456789",
            "1234567.12345678",
            "1234567.123456789",
            "0.00000001",
            "0.000000001",
            "0.010000000000",
            "9223372036854775807",
            "9223372036854775808",
            "92233720368.54775807",
            "1.0000000000000000000000000000000000000000000001",
        ];
        let times = [
            "",
            "Z",
            "2024",
            "2024-08-08T23:54:17Z",
            "2024-08-08T23:5\\u0034:17Z",
            "2024-08-08T23:54:17.8750000000000Z",
            "2024-08-08 23:54:17Z",
            "2024-08-08T23:54:17.875\u{e9}00Z",
            "ZZZZZZZZZZZZZZZZ",
            "2024-08-08T23:54:17.87500\\\"Z",
        ];
        for decimals in 0..=DECIMALS_MAX {
            let scale = Scale { price_decimals: decimals, size_decimals: decimals };
            for number in numbers {
                both(frame("update", "", &[level("bid", TIME, number, "1")]).as_bytes(), scale);
                both(frame("update", "", &[level("bid", TIME, "1", number)]).as_bytes(), scale);
            }
        }
        for time in times {
            for first in [TIME, "1970-01-01T00:00:00Z"] {
                let levels = [level("bid", first, "1", "1"), level("offer", time, "1", "1")];
                let message = frame("update", "", &levels);
                both(message.as_bytes(), SCALE);
                both(message.replacen("2024-08-08T23:54:16.618936965Z", time, 1).as_bytes(), SCALE);
            }
        }
        for sequence_num in
            ["0", "00", "01", "-1", "1.0", "1e3", "18446744073709551615", "18446744073709551616", "\"1\""]
        {
            let message = frame("update", "", &[]).replace(":17,", &format!(":{sequence_num},"));
            both(message.as_bytes(), SCALE);
        }
    }

    #[test]
    fn a_minute_remembered_is_the_minute_of_the_text() {
        let mut minute = Minute::default();
        for text in [
            "2024-08-08T23:54:16.618936965Z",
            "2024-08-08T23:54:59.999999999Z",
            "2024-08-08T23:54:60.999999999Z",
            "2024-08-08T23:55:00.000000000Z",
            "2024-08-08T23:55:00Z",
            "2024-08-08T23:61:00.000000000Z",
            "2024-08-08T23:61:00.000000001Z",
            "2024-08-08T23:55:01.00000000xZ",
            "2024-08-08T23:55:01.000x00000Z",
            "2262-04-11T23:47:16.854775807Z",
            "2262-04-11T23:47:16.854775808Z",
            "9999-04-11T23:47:16.854775808Z",
        ] {
            assert_eq!(minute.parse_utc_ns(text.as_bytes()), parse_utc_ns(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_product_that_json_would_escape_is_left_to_the_general_way() {
        for product in ["A\"B", "A\\B", "A\nB"] {
            let message = frame("update", "", &[]).replace(PRODUCT, product);
            assert!(Parser::new(product).parse(message.as_bytes(), SCALE, &mut Vec::new()).is_err(), "{product:?}");
        }
    }

    #[test]
    fn the_other_name_is_noticed() {
        let mut parser = Parser::new("BTC-USDC");
        let message = frame("update", "", &[]);
        assert!(parser.usual.read(message.as_bytes(), SCALE, &mut Vec::new()).is_some_and(|usual| usual.is_twin));
        parser.parse(message.as_bytes(), SCALE, &mut Vec::new()).unwrap();
        assert_eq!(parser.alias(), Some("BTC-USD"));
    }

    #[test]
    fn real_frames_have_one_result_and_are_usual() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/captures");
        for (name, product) in [("btc-perp-a", "BTC-PERP"), ("btc-spot-a", "BTC-USDT")] {
            let path = folder.join(format!("{name}.l2.gz"));
            let Ok(mut reader) = crate::capture::CaptureReader::open(&path) else {
                eprintln!("SKIPPED: no {}", path.display());
                continue;
            };
            let (mut parser, mut general) = (Parser::new(product), Parser::new(product));
            let (mut usual_levels, mut general_levels) = (Vec::new(), Vec::new());
            while let Some(line) = reader.next_line().unwrap() {
                let crate::capture::Item::Frame(frame) = line.item else { continue };
                usual_levels.clear();
                assert!(parser.usual.read(frame, SCALE, &mut usual_levels).is_some());
                let parsed = parser.parse(frame, SCALE, &mut usual_levels);
                assert_eq!(parsed, general.parse_any_layout(frame, SCALE, &mut general_levels));
                assert!(usual_levels == general_levels, "{:?}", parsed);
            }
        }
    }

    proptest! {
        #[test]
        fn rendered_frames_are_usual_and_have_one_result(
            levels in prop::collection::vec((any::<bool>(), 1..100_000_000_u64, 0..1_000_000_000_000_u64), 0..40),
            price_decimals in 0..=9_u8, size_decimals in 0..=9_u8, finer in 0..3_u8, is_snapshot: bool,
            sequence_num in 0..u64::MAX, time_ns in 0..i64::MAX,
        ) {
            let levels: Vec<LevelUpdate> = levels.into_iter().map(|(is_ask, price_ticks, size_lots)| {
                let side = if is_ask { Side::Ask } else { Side::Bid };
                LevelUpdate { side, price_ticks, size_lots }
            }).collect();
            let kind = if is_snapshot { L2Kind::Snapshot } else { L2Kind::Update };
            let printed = Scale { price_decimals, size_decimals };
            let scale = Scale { price_decimals: price_decimals + finer, size_decimals: size_decimals + finer };
            let mut message = Vec::new();
            l2_data(&mut message, kind, PRODUCT, sequence_num, time_ns, printed, &levels);
            let fast = both(&message, scale).is_some();
            prop_assert!(fast || sequence_num >= 10_u64.pow(19));
        }

        #[test]
        fn changed_frames_have_one_result(
            which in 0..5_usize,
            changes in prop::collection::vec((0..500_usize, prop_oneof![any::<u8>(), b'-'..=b'Z'], 0..3_u8), 1..4),
            decimals in 0..=10_u8,
        ) {
            let mut message = usual_frames()[which].clone().into_bytes();
            for (at, byte, how) in changes {
                let at = at % message.len();
                match how {
                    0 => message[at] = byte,
                    1 => message.insert(at, byte),
                    _ => { message.remove(at); }
                }
            }
            // A reader that has seen another message, as all but the first have.
            let mut parser = Parser::new(PRODUCT);
            parser.parse(usual_frames()[(which + 1) % 5].as_bytes(), SCALE, &mut Vec::new()).unwrap();
            both_by(&mut parser, &message, Scale { price_decimals: decimals, size_decimals: decimals });
        }

        #[test]
        fn counts_are_those_of_the_plain_reading(
            text in "[0-9]{0,12}(\\.[0-9]{0,12})?[0-9.x-]?", decimals in 0..=DECIMALS_MAX,
        ) {
            let mut window = [0; WINDOW];
            window[..text.len()].copy_from_slice(text.as_bytes());
            window[text.len()] = b'"';
            let plain: Result<u64, NumberError> = parse_count(text.as_bytes(), decimals);
            prop_assert_eq!(Counts::of(decimals).read(&window, 0), plain.ok().map(|count| (count, text.len())));
        }
    }
}
