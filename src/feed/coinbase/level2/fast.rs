//! The venue's usual layout, read byte for byte.
//!
//! A message about one product looks like this, without any white space; before the time stamp there may be the older
//! layout's `"client_id":"",`:
//!
//! ```text
//! {"channel":"l2_data","timestamp":"…","sequence_num":N,"events":[{"type":"update","product_id":"…",
//! "updates":[{"side":"bid","event_time":"…","price_level":"…","new_quantity":"…"},…]}]}
//! ```
//!
//! At the first byte that differs, and at every number that is not an exact count at the scale in force, the reader gives
//! up and the general parser begins anew: it alone decides what is malformed, impossible or finer. What is accepted here
//! is what the general parser makes of the same bytes. Every byte of an accepted message has been compared or found to
//! be in a range of ASCII, so that no UTF-8 check is needed.
//!
//! A level begins with its side and its time, and nearly all levels of a message have the same time: what stands before the
//! price is compared, sixty-four bytes at once, with what stood there in the level before. Digits are converted eight at a
//! time. A level is read from a window of fixed size, within which the compiler knows all offsets to be in bounds.

mod decimal;
mod minute;
mod prints;

use crate::base::swar::EACH;
use crate::market::event::{Event, FrameKind};
use crate::market::units::{Scale, Side};
use decimal::{BY_WORDS_MAX, Counts, OFFSET_MAX, WINDOW, Window, chunk, whole_number, word};
use minute::Minute;
use prints::Reader as PrintReader;
pub use prints::UsualPrints;

/// Lengths of a level's time: `1970-01-01T00:00:00Z` up to nine digits of fraction.
const TIME_MIN: usize = 20;
const TIME_MAX: usize = 30;
const CHANNEL: &[u8; 20] = br#"{"channel":"l2_data""#;
const CLIENT: &[u8; 15] = br#","client_id":"""#;
const TIMESTAMP: &[u8; 14] = br#","timestamp":""#;
const SEQUENCE_NUM: &[u8; 17] = br#"","sequence_num":"#;
const TAIL: &[u8; 3] = b"}]}";

const BID: &[u8; 28] = br#"{"side":"bid","event_time":""#;
const ASK: &[u8; 30] = br#"{"side":"offer","event_time":""#;
const PRICE: &[u8; 17] = br#"","price_level":""#;
const QUANTITY: &[u8; 18] = br#"","new_quantity":""#;

/// The byte that tells the sides apart, by its lowest bit.
const SIDE_AT: usize = 9;
const _: () = assert!(BID[SIDE_AT] & 1 == 0 && ASK[SIDE_AT] & 1 == 1);

/// The bytes of an opening that are compared with those of the level before, and the last ones of any opening, which are
/// compared besides: together they cover it.
const OPENING_HEAD: usize = 64;
const OPENING_TAIL: usize = 16;
const _: () = assert!(WINDOW >= OPENING_HEAD);
const _: () = assert!(BID.len() + TIME_MIN + PRICE.len() >= OPENING_HEAD && PRICE.len() >= OPENING_TAIL);
const _: () = assert!(ASK.len() + TIME_MAX + PRICE.len() <= OPENING_HEAD + OPENING_TAIL);
/// Only the end of the longest level lies behind the mask of offsets, by two bytes at the most. What is found in its place is
/// the level's beginning, which is no end, and the slow way reads the level.
const _: () = assert!(ASK.len() + TIME_MAX + PRICE.len() + 2 * BY_WORDS_MAX + QUANTITY.len() <= OFFSET_MAX + 2);
const PRICE_END: &[u8; OPENING_TAIL] = br#","price_level":""#;

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
struct ListOpening {
    bytes: Box<[u8]>,
    kind: FrameKind,
    is_twin: bool,
}

/// What stands before the price in the levels of both sides, with the time of the level before.
#[derive(Debug)]
struct Openings {
    bid: [u8; OPENING_HEAD],
    ask: [u8; OPENING_HEAD],
    /// The time's length, from [`TIME_MIN`] to [`TIME_MAX`].
    time_bytes: usize,
    /// Of any value: what differs is read again.
    likely: Likely,
}

impl Default for Openings {
    fn default() -> Self {
        let mut openings =
            Self { bid: [0; OPENING_HEAD], ask: [0; OPENING_HEAD], time_bytes: TIME_MAX, likely: Likely::default() };
        openings.bid[..BID.len()].copy_from_slice(BID);
        openings.ask[..ASK.len()].copy_from_slice(ASK);
        // Some time, for what equals an opening needs no further check.
        let is_time = openings.set_time(b"1970-01-01T00:00:00.000000000Z  ", TIME_MAX);
        debug_assert!(is_time);
        openings
    }
}

/// What the last level was like, as the next one most likely is.
///
/// Where a level ends depends on its side and on the lengths of its numbers, each of which is known only once what stands before
/// it has been read. Compared with these, the first two are matters of prediction, and the processor reads on meanwhile: a level
/// took 24.2 ns where it waited for all three and takes 20.2 (a spot book's, whose prices are of one length; 18.9 and 17.9 of a
/// perpetual's). Sizes have lengths of their own: compared too, they took 28.
#[derive(Clone, Copy, Debug, Default)]
struct Likely {
    is_ask: bool,
    price_bytes: usize,
}

/// Why a level was not read.
enum Unlikely {
    /// It is otherwise than was likely, namely so.
    Is(Likely),
    /// It has to be read in the slow way.
    Unusual,
}

/// Reads messages of the usual layout for one product.
#[derive(Debug)]
pub struct Reader {
    /// The likeliest first.
    lists: Vec<ListOpening>,
    openings: Openings,
    minute: Minute,
    prints: PrintReader,
}

impl Reader {
    pub fn new(product: &str, twin: Option<&str>) -> Self {
        // What JSON would escape does not stand in a message as it is.
        let plain = |name: &&str| name.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        let names = [(Some(product), false), (twin, true)];
        let names = names.into_iter().filter_map(|(name, is_twin)| Some((name.filter(plain)?, is_twin)));
        let lists = names.clone().flat_map(|(name, is_twin)| {
            [("update", FrameKind::Update), ("snapshot", FrameKind::Snapshot)].map(|(word, kind)| {
                let text = format!(r#","events":[{{"type":"{word}","product_id":"{name}","updates":["#);
                ListOpening { bytes: text.into_bytes().into(), kind, is_twin }
            })
        });
        Self {
            lists: lists.collect(),
            openings: Openings::default(),
            minute: Minute::default(),
            prints: PrintReader::new(names),
        }
    }

    /// Reads a message of prints and appends them, in the message's order. `None` where it is not of the usual layout: `prints`
    /// then hold a part.
    #[inline]
    pub fn read_prints(&mut self, message: &[u8], scale: Scale, prints: &mut Vec<Event>) -> Option<UsualPrints> {
        self.prints.read(message, scale, &mut self.minute, prints)
    }

    /// Reads a message and appends its levels. `None` where it is not of the usual layout: `levels` then hold a part.
    #[inline]
    pub fn read(&mut self, message: &[u8], scale: Scale, levels: &mut Vec<Event>) -> Option<Usual> {
        let rest = message.strip_prefix(CHANNEL)?;
        let rest = rest.strip_prefix(CLIENT).unwrap_or(rest);
        let rest = rest.strip_prefix(TIMESTAMP)?;
        let (ts_event_ns, rest) = self.minute.read(rest)?;
        let rest = rest.strip_prefix(SEQUENCE_NUM)?;
        let (sequence_num, rest) = whole_number(rest)?;
        let (list, rest) = self.lists.iter().find_map(|list| Some((list, rest.strip_prefix(&*list.bytes)?)))?;
        let (kind, is_twin) = (list.kind, list.is_twin);

        let mut at = message.len() - rest.len();
        if rest.first() == Some(&b']') {
            at += 1;
        } else {
            let counts = [Counts::of(scale.price_decimals), Counts::of(scale.size_decimals)];
            self.openings.learn(rest);
            let mut ended;
            (at, ended) = self.openings.read_levels(message, at, &counts, levels)?;
            if !ended {
                // What is left is shorter than a window. No text holds a zero byte: nothing matches behind the end.
                let mut padded = [0; 2 * WINDOW];
                padded[..WINDOW].copy_from_slice(message.last_chunk::<WINDOW>()?);
                let before = message.len() - WINDOW;
                (at, ended) = self.openings.read_levels(&padded, at - before, &counts, levels)?;
                at += before;
            }
            if !ended {
                return None;
            }
        }
        (message.get(at..)? == TAIL).then_some(Usual { kind, sequence_num, ts_event_ns, is_twin })
    }
}

impl Openings {
    /// Takes over the time of the level at the beginning of `text`, if it looks like one: the levels of a message have one
    /// time, of the length of those before.
    #[inline]
    fn learn(&mut self, text: &[u8]) {
        if let Some(window) = text.first_chunk::<OPENING_HEAD>() {
            let at = if window[SIDE_AT] & 1 == 0 { BID.len() } else { ASK.len() };
            self.set_time(chunk(window, at), self.time_bytes);
        }
    }

    /// Makes a time, which is the beginning of `text`, part of the openings. False if it is none.
    #[inline]
    fn set_time(&mut self, text: &[u8; 32], time_bytes: usize) -> bool {
        let time_bytes = time_bytes.clamp(TIME_MIN, TIME_MAX);
        if !is_time(text, time_bytes) {
            return false;
        }
        let mut both = [0; 64];
        both[..32].copy_from_slice(text);
        both[time_bytes..time_bytes + PRICE.len()].copy_from_slice(PRICE);
        self.bid[BID.len()..].copy_from_slice(&both[..OPENING_HEAD - BID.len()]);
        self.ask[ASK.len()..].copy_from_slice(&both[..OPENING_HEAD - ASK.len()]);
        self.time_bytes = time_bytes;
        true
    }

    /// Reads the levels from `at` on while a whole window is left. Gives where it stopped, and whether the list ended there.
    fn read_levels(
        &mut self,
        text: &[u8],
        mut at: usize,
        counts: &[Counts; 2],
        levels: &mut Vec<Event>,
    ) -> Option<(usize, bool)> {
        let mut likely = self.likely;
        while let Some(window) = text.get(at..).and_then(<[u8]>::first_chunk) {
            let (level, bytes, separator) = match self.read_level(window, counts, likely) {
                Ok(level) => level,
                // Twice at the most.
                Err(Unlikely::Is(other)) => {
                    likely = other;
                    self.likely = other;
                    continue;
                }
                Err(Unlikely::Unusual) => self.read_level_slowly(&text[at..], counts)?,
            };
            levels.push(level);
            prefetch(text, at + PREFETCH_BYTES);
            at += bytes;
            if separator != b',' {
                return (separator == b']').then_some((at, true));
            }
        }
        Some((at, false))
    }

    /// Reads the level at the window's start. Gives its length, the separator behind it included, and that separator.
    ///
    /// # Errors
    /// It is not as was likely, or it has another time than the level before, or numbers that [`Counts::read`] does not take.
    #[inline(always)]
    fn read_level(
        &self,
        window: &Window,
        [price, size]: &[Counts; 2],
        likely: Likely,
    ) -> Result<(Event, usize, u8), Unlikely> {
        let is_ask = window[SIDE_AT] & 1 != 0;
        if is_ask != likely.is_ask {
            return Err(Unlikely::Is(Likely { is_ask, ..likely }));
        }
        let (opening, before_time) = if likely.is_ask { (&self.ask, ASK.len()) } else { (&self.bid, BID.len()) };
        let at = before_time + self.time_bytes + PRICE.len();
        let same = *chunk::<32, _>(window, 0) == opening[..32]
            && *chunk::<32, _>(window, 32) == opening[32..]
            && *chunk::<OPENING_TAIL, _>(window, at - OPENING_TAIL) == *PRICE_END;
        if !same {
            return Err(Unlikely::Unusual);
        }
        let (price_ticks, price_bytes) = price.read(window, at).ok_or(Unlikely::Unusual)?;
        if price_bytes != likely.price_bytes {
            return Err(Unlikely::Is(Likely { price_bytes, ..likely }));
        }
        let at = at + likely.price_bytes;
        if price_ticks == 0 || !is_quantity(window, at) {
            return Err(Unlikely::Unusual);
        }
        let at = at + QUANTITY.len();
        let (size_lots, size_bytes) = size.read(window, at).ok_or(Unlikely::Unusual)?;
        let at = at + size_bytes;
        if *chunk::<2, _>(window, at) != *br#""}"# {
            return Err(Unlikely::Unusual);
        }
        let side = if likely.is_ask { Side::Ask } else { Side::Bid };
        Ok((Event::level(side, price_ticks, size_lots), at + 3, window[(at & OFFSET_MAX) + 2]))
    }

    /// The same for any time and any number, and remembers the time.
    #[cold]
    fn read_level_slowly(&mut self, text: &[u8], [price, size]: &[Counts; 2]) -> Option<(Event, usize, u8)> {
        let (side, rest) = match (text.strip_prefix(BID), text.strip_prefix(ASK)) {
            (Some(rest), _) => (Side::Bid, rest),
            (_, Some(rest)) => (Side::Ask, rest),
            _ => return None,
        };
        let time_bytes = rest.iter().take(TIME_MAX + 1).position(|&byte| byte == b'"')?;
        if time_bytes < TIME_MIN || !self.set_time(rest.first_chunk()?, time_bytes) {
            return None;
        }
        let rest = rest[time_bytes..].strip_prefix(PRICE)?;
        let (price_ticks, rest) = price.read_plainly(rest)?;
        let rest = rest.strip_prefix(QUANTITY)?;
        let (size_lots, rest) = size.read_plainly(rest)?;
        let rest = rest.strip_prefix(br#""}"#)?;
        let (&separator, rest) = rest.split_first()?;
        (price_ticks > 0).then(|| (Event::level(side, price_ticks, size_lots), text.len() - rest.len(), separator))
    }
}

/// How far ahead of the level in hand its text is asked for, a whole level at a time.
///
/// A replayed message comes from another core's cache or from memory, which the processor's own prefetching follows too late:
/// a level of a capture of 36 MB took 31.8 ns without, 28.9, 27.6, 20.0 and 20.1 with 256, 512, 1,024 and 2,048 bytes. Behind
/// the message lies the next.
const PREFETCH_BYTES: usize = 1_024;

/// Asks for the two cache lines from `at` on.
#[inline(always)]
fn prefetch(text: &[u8], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let line = text.as_ptr().wrapping_add(at).cast::<i8>();
        // SAFETY: a prefetch is a hint, which reads nothing that the program sees and faults at no address; the pointer is
        // formed without claiming to be in bounds and is not dereferenced. Every x86-64 has SSE, where the instruction is from.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line);
            _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(64));
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (text, at);
}

/// Whether the words between a price and a quantity stand there.
#[inline(always)]
fn is_quantity(window: &Window, at: usize) -> bool {
    *chunk::<16, _>(window, at) == QUANTITY[..16] && *chunk::<2, _>(window, at + 16) == QUANTITY[16..]
}

/// Whether the first bytes all lie between `-` and `Z`: letters, digits and marks of a time, and nothing that a JSON string
/// holds only escaped.
#[inline]
fn is_time(text: &[u8; 32], bytes: usize) -> bool {
    const BELOW: u64 = EACH * (0x80 - b'-' as u64);
    const ABOVE: u64 = EACH * (0x7f - b'Z' as u64);
    // A high bit is set for a byte that is no ASCII, too high or too low. Sums of ASCII do not carry into the next byte.
    let outside = |at: usize| {
        let word = word(text, at);
        word | word.wrapping_add(ABOVE) | !word.wrapping_add(BELOW)
    };
    // The words overlap where the time is shorter than four.
    let outside = outside(0) | outside(8) | outside(bytes - 16) | outside(bytes - 8);
    outside & (EACH * 0x80) == 0
}

#[cfg(test)]
mod tests {
    use super::super::{BookPart, Message, Parser};
    use super::*;
    use crate::market::units::{DECIMALS_MAX, Decimal};
    use flate2::read::MultiGzDecoder;
    use proptest::prelude::*;
    use std::fs::File;
    use std::io::Read;

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
    fn a_product_that_json_would_escape_is_left_to_the_general_way() {
        for product in ["A\"B", "A\\B", "A\nB"] {
            let message = frame("update", "", &[]).replace(PRODUCT, product);
            assert!(Parser::new(product).parse(message.as_bytes(), SCALE, &mut Vec::new()).is_err(), "{product:?}");
        }
    }

    #[test]
    fn the_other_name_is_noticed() {
        let mut parser = Parser::new("BTC-USDC");
        let message = frame("snapshot", "", &[]);
        assert!(parser.usual.read(message.as_bytes(), SCALE, &mut Vec::new()).is_some_and(|usual| usual.is_twin));
        parser.parse(message.as_bytes(), SCALE, &mut Vec::new()).unwrap();
        assert_eq!(parser.alias(), Some("BTC-USD"));
    }

    /// A frame in so many is also tried with each of its bytes changed, left out and doubled.
    const CHANGED_EVERY: usize = 1_000;

    #[test]
    fn real_frames_and_their_mutations_have_one_result_and_are_usual() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/captures");
        for (name, product) in [
            ("btc-perp-a.l2.gz", "BTC-PERP"),
            ("btc-spot-a.l2.gz", "BTC-USDT"),
            ("btc-perp-a.today.l2.gz", "BTC-PERP"),
            ("btc-spot-a.today.l2.gz", "BTC-USDT"),
        ] {
            let path = folder.join(name);
            let Ok(file) = File::open(&path) else {
                eprintln!("SKIPPED: no {}", path.display());
                continue;
            };
            let mut lines = Vec::new();
            MultiGzDecoder::new(file).read_to_end(&mut lines).unwrap();
            let (mut parser, mut general) = (Parser::new(product), Parser::new(product));
            let (mut usual_levels, mut general_levels) = (Vec::new(), Vec::new());
            let mut frames = 0_usize;
            for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                // Behind the receive time.
                let frame = &line[line.iter().position(|&byte| byte == b' ').unwrap() + 1..];
                if !frame.starts_with(CHANNEL) {
                    continue;
                }
                usual_levels.clear();
                assert!(parser.usual.read(frame, SCALE, &mut usual_levels).is_some());
                let parsed = parser.parse(frame, SCALE, &mut usual_levels);
                assert_eq!(parsed, general.parse_any_layout(frame, SCALE, &mut general_levels));
                assert!(usual_levels == general_levels, "{:?}", parsed);
                frames += 1;
                if frames.is_multiple_of(CHANGED_EVERY) {
                    for at in 0..frame.len() {
                        // Another byte in each place of each frame, of those that mean something and those that do not.
                        let byte = (at * 151 + frames / CHANGED_EVERY * 37) as u8;
                        let (before, after) = (&frame[..at], &frame[at + 1..]);
                        for instead in [&[byte][..], &[], &[frame[at], frame[at]]] {
                            let changed = [before, instead, after].concat();
                            let parsed = parser.parse(&changed, SCALE, &mut usual_levels);
                            let expected = general.parse_any_layout(&changed, SCALE, &mut general_levels);
                            assert_eq!(parsed, expected, "frame {frames}, byte {at}: {instead:?}");
                            if matches!(parsed, Ok(Message { book: BookPart::Frame(_), .. })) {
                                assert!(usual_levels == general_levels, "frame {frames}, byte {at}: {instead:?}");
                            }
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn rendered_frames_are_usual_and_have_one_result(
            levels in prop::collection::vec((any::<bool>(), 1..100_000_000_u64, 0..1_000_000_000_000_u64), 0..40),
            price_decimals in 0..=9_u8, size_decimals in 0..=9_u8, finer in 0..3_u8, is_snapshot: bool,
            sequence_num in 0..u64::MAX, time_ns in 0..i64::MAX, is_today: bool,
        ) {
            let time = |ns: i64| jiff::Timestamp::from_nanosecond(ns.into()).unwrap();
            // Today's event times are of microseconds, in snapshots too; the older ones are the message's or the epoch.
            let event_ns = match (is_today, is_snapshot) {
                (true, _) => time_ns / 1_000 * 1_000,
                (false, true) => 0,
                (false, false) => time_ns,
            };
            let event_time = time(event_ns).to_string();
            let levels: Vec<String> = levels.into_iter().map(|(is_ask, price_ticks, size_lots)| {
                let price = Decimal { count: price_ticks, decimals: price_decimals };
                let size = Decimal { count: size_lots, decimals: size_decimals };
                level(if is_ask { "offer" } else { "bid" }, &event_time, &price.to_string(), &size.to_string())
            }).collect();
            let scale = Scale { price_decimals: price_decimals + finer, size_decimals: size_decimals + finer };
            let client = if is_today { "" } else { CLIENT_ID };
            let message = frame(if is_snapshot { "snapshot" } else { "update" }, client, &levels)
                .replace("\"sequence_num\":17", &format!("\"sequence_num\":{sequence_num}"))
                .replace("2024-08-08T23:54:16.618936965Z", &time(time_ns).to_string());
            let message = message.as_bytes();
            let fast = both(message, scale).is_some();
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
    }

    /// A reader that had seen no message yet took these for a time, since it remembered what it took no string to hold.
    #[test]
    fn what_was_remembered_at_first_stood_in_a_message() {
        let level = r#"{"side":"bid","event_time":"1970-01-01T00:00:00.000000000Z","price_level":"61804.70","new_quantity":"1"}"#;
        let good = format!(
            r#"{{"channel":"l2_data","client_id":"","timestamp":"1970-01-01T00:00:16.618936965Z","sequence_num":17,"events":[{{"type":"update","product_id":"{PRODUCT}","updates":[{}]}}]}}"#,
            [level; 4].join(",")
        );
        assert!(both(good.as_bytes(), SCALE).is_some());
        let stamp = good.replace("1970-01-01T00:00:16.618936965Z", &format!("{}16.618936965Z", "\"".repeat(17)));
        assert_eq!(both(stamp.as_bytes(), SCALE), None);
        for nothing in ["\0", "\"", " "] {
            let opening = &level[28..64];
            assert_eq!(both(good.replace(opening, &nothing.repeat(opening.len())).as_bytes(), SCALE), None);
        }
    }
}
