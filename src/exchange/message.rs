//! The venue's messages, rendered into a buffer that is used again.
//!
//! The layout is byte for byte the venue's own: no white space, its order of keys, decimals without trailing zeros, a
//! removed level as `"0"`, `offer` for the ask side, the epoch as the event time of a snapshot's levels. Facts from the
//! venue's documentation of its WebSocket channels (docs.cdp.coinbase.com, Advanced Trade) and from recorded frames.
//!
//! Every function clears the buffer first and leaves one whole message in it. Once the buffer has grown to the size of
//! the messages, nothing is allocated. Times are nanoseconds since the Unix epoch, UTC.
//!
//! ```
//! use papertrader::exchange::market::LevelUpdate;
//! use papertrader::exchange::message::{L2Kind, l2_data};
//! use papertrader::market::units::{Scale, Side};
//!
//! let update = LevelUpdate { side: Side::Ask, price_ticks: 6_183_018, size_lots: 50_000_000 };
//! let scale = Scale { price_decimals: 2, size_decimals: 8 };
//! let mut message = Vec::new();
//! l2_data(&mut message, L2Kind::Update, "BTC-USD", 5, 1_723_161_600_000_000_000, scale, &[update]);
//! assert_eq!(
//!     String::from_utf8(message)?,
//!     r#"{"channel":"l2_data","client_id":"","timestamp":"2024-08-09T00:00:00.000000000Z","sequence_num":5,"#.to_owned()
//!         + r#""events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"offer","#
//!         + r#""event_time":"2024-08-09T00:00:00.000000000Z","price_level":"61830.18","new_quantity":"0.5"}]}]}"#
//! );
//! # Ok::<(), std::string::FromUtf8Error>(())
//! ```

use super::market::LevelUpdate;
use crate::market::units::{Scale, Side};
use jiff::Timestamp;
use std::fmt::Arguments;
use std::io::Write;
use std::ops::Range;

/// What the levels of an `l2_data` message are to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L2Kind {
    /// The whole book; it replaces what was there.
    Snapshot,
    /// Levels that changed, with their new sizes.
    Update,
}

/// Levels of one product's book, as one event in an `l2_data` message.
///
/// The levels of an update carry `time_ns` as their event time, those of a snapshot the epoch.
pub fn l2_data(
    out: &mut Vec<u8>,
    kind: L2Kind,
    product: &str,
    sequence_num: u64,
    time_ns: i64,
    scale: Scale,
    updates: &[LevelUpdate],
) {
    let time = envelope(out, "l2_data", sequence_num, time_ns);
    out.extend_from_slice(match kind {
        L2Kind::Snapshot => br#"{"type":"snapshot","product_id":"#,
        L2Kind::Update => br#"{"type":"update","product_id":"#,
    });
    json_string(out, product);
    out.extend_from_slice(br#","updates":["#);
    for (index, update) in updates.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(match update.side {
            Side::Bid => br#"{"side":"bid","event_time":""#,
            Side::Ask => br#"{"side":"offer","event_time":""#,
        });
        match kind {
            L2Kind::Snapshot => out.extend_from_slice(b"1970-01-01T00:00:00Z"),
            L2Kind::Update => out.extend_from_within(time.clone()),
        }
        out.extend_from_slice(br#"","price_level":""#);
        decimal(out, update.price_ticks, scale.price_decimals);
        out.extend_from_slice(br#"","new_quantity":""#);
        decimal(out, update.size_lots, scale.size_decimals);
        out.extend_from_slice(br#""}"#);
    }
    out.extend_from_slice(b"]}]}");
}

/// The sign of life that the `heartbeats` channel sends every second. `counter` counts seconds; the venue's is not
/// always unique.
pub fn heartbeat(out: &mut Vec<u8>, sequence_num: u64, time_ns: i64, counter: u64) {
    envelope(out, "heartbeats", sequence_num, time_ns);
    // The text of a Go `time.Time`, with its reading of the monotonic clock behind `m=`.
    let time = Timestamp::from_nanosecond(time_ns.into()).expect(TIME_FITS);
    let time = time.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC");
    text(out, format_args!(r#"{{"current_time":"{time} m=+{counter}.000000000","heartbeat_counter":{counter}}}]}}"#));
}

/// The acknowledgement of a subscribe or unsubscribe request: everything that the connection is subscribed to now, the
/// products of the `level2` channel and whether `heartbeats` run.
pub fn subscriptions(out: &mut Vec<u8>, sequence_num: u64, time_ns: i64, level2: &[String], heartbeats: bool) {
    envelope(out, "subscriptions", sequence_num, time_ns);
    out.extend_from_slice(br#"{"subscriptions":{"#);
    if heartbeats {
        out.extend_from_slice(br#""heartbeats":["heartbeats"]"#);
    }
    if !level2.is_empty() {
        if heartbeats {
            out.push(b',');
        }
        out.extend_from_slice(br#""level2":["#);
        for (index, product) in level2.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            json_string(out, product);
        }
        out.push(b']');
    }
    out.extend_from_slice(b"}}]}");
}

/// The answer to a request that cannot be met. It has no channel and takes no sequence number.
pub fn error(out: &mut Vec<u8>, message: &str) {
    out.clear();
    out.extend_from_slice(br#"{"type":"error","message":"#);
    json_string(out, message);
    out.push(b'}');
}

const TIME_FITS: &str = "every 64-bit count of nanoseconds lies within the years 1677 to 2262";

/// Clears the buffer, writes everything up to the first event, and returns where the time stamp stands in it.
fn envelope(out: &mut Vec<u8>, channel: &str, sequence_num: u64, time_ns: i64) -> Range<usize> {
    out.clear();
    text(out, format_args!(r#"{{"channel":"{channel}","client_id":"","timestamp":""#));
    let start = out.len();
    text(out, format_args!("{:.9}", Timestamp::from_nanosecond(time_ns.into()).expect(TIME_FITS)));
    let end = out.len();
    text(out, format_args!(r#"","sequence_num":{sequence_num},"events":["#));
    start..end
}

fn text(out: &mut Vec<u8>, arguments: Arguments<'_>) {
    out.write_fmt(arguments).expect("a Vec takes every byte");
}

fn json_string(out: &mut Vec<u8>, value: &str) {
    serde_json::to_writer(out, value).expect("a Vec takes every byte, and a str is a JSON string");
}

/// Writes `count · 10^-decimals` with no more digits than it needs.
fn decimal(out: &mut Vec<u8>, count: u64, decimals: u8) {
    let unit = 10_u64.pow(u32::from(decimals));
    let (whole, fraction) = (count / unit, count % unit);
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(whole).as_bytes());
    if fraction > 0 {
        // A one in front keeps the fraction's leading zeros; below 2·10^18 it cannot overflow.
        let padded = digits.format(unit + fraction);
        out.push(b'.');
        out.extend_from_slice(padded[1..].trim_end_matches('0').as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::units::{COUNT_MAX, DECIMALS_MAX, parse_count};
    use proptest::prelude::*;

    const TIME_NS: i64 = 1_723_161_256_609_369_665;
    const SCALE: Scale = Scale { price_decimals: 2, size_decimals: 8 };

    fn rendered(render: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"what was there before".to_vec();
        render(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    const UPDATES: [LevelUpdate; 3] = [
        LevelUpdate { side: Side::Bid, price_ticks: 6_180_470, size_lots: 3_500_000_000 },
        LevelUpdate { side: Side::Ask, price_ticks: 8_385_505_700, size_lots: 1 },
        LevelUpdate { side: Side::Ask, price_ticks: 1, size_lots: 0 },
    ];

    #[test]
    fn snapshot_is_the_venues_text() {
        let text = rendered(|out| l2_data(out, L2Kind::Snapshot, "BTC-USD", 0, TIME_NS, SCALE, &UPDATES));
        assert_eq!(
            text,
            concat!(
                r#"{"channel":"l2_data","client_id":"","timestamp":"2024-08-08T23:54:16.609369665Z","sequence_num":0,"#,
                r#""events":[{"type":"snapshot","product_id":"BTC-USD","updates":["#,
                r#"{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"61804.7","new_quantity":"35"},"#,
                r#"{"side":"offer","event_time":"1970-01-01T00:00:00Z","price_level":"83855057","new_quantity":"0.00000001"},"#,
                r#"{"side":"offer","event_time":"1970-01-01T00:00:00Z","price_level":"0.01","new_quantity":"0"}]}]}"#,
            )
        );
    }

    #[test]
    fn update_carries_the_frames_time() {
        let text = rendered(|out| l2_data(out, L2Kind::Update, "BTC-USD", 17, TIME_NS, SCALE, &UPDATES[..1]));
        assert_eq!(
            text,
            concat!(
                r#"{"channel":"l2_data","client_id":"","timestamp":"2024-08-08T23:54:16.609369665Z","sequence_num":17,"#,
                r#""events":[{"type":"update","product_id":"BTC-USD","updates":["#,
                r#"{"side":"bid","event_time":"2024-08-08T23:54:16.609369665Z","price_level":"61804.7","new_quantity":"35"}]}]}"#,
            )
        );
    }

    #[test]
    fn time_keeps_nine_decimals_over_the_whole_range() {
        for (time_ns, expected) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (1_709_164_800_100_000_000, "2024-02-29T00:00:00.100000000Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        ] {
            let text = rendered(|out| heartbeat(out, 0, time_ns, 0));
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(value["timestamp"], expected);
        }
    }

    #[test]
    fn heartbeat_is_the_venues_text() {
        assert_eq!(
            rendered(|out| heartbeat(out, 3, TIME_NS, 139_651)),
            concat!(
                r#"{"channel":"heartbeats","client_id":"","timestamp":"2024-08-08T23:54:16.609369665Z","sequence_num":3,"#,
                r#""events":[{"current_time":"2024-08-08 23:54:16.609369665 +0000 UTC m=+139651.000000000","#,
                r#""heartbeat_counter":139651}]}"#,
            )
        );
    }

    #[test]
    fn subscriptions_list_the_whole_set() {
        let products = ["BTC-USD".to_owned(), "ETH-USD".to_owned()];
        for (level2, heartbeats, set) in [
            (&products[..], true, r#"{"heartbeats":["heartbeats"],"level2":["BTC-USD","ETH-USD"]}"#),
            (&products[..1], false, r#"{"level2":["BTC-USD"]}"#),
            (&[], true, r#"{"heartbeats":["heartbeats"]}"#),
            (&[], false, "{}"),
        ] {
            let text = rendered(|out| subscriptions(out, 1, TIME_NS, level2, heartbeats));
            let (head, tail) = text.split_once(r#""events":"#).expect("events");
            assert_eq!(
                head,
                r#"{"channel":"subscriptions","client_id":"","timestamp":"2024-08-08T23:54:16.609369665Z","sequence_num":1,"#
            );
            assert_eq!(tail, format!(r#"[{{"subscriptions":{set}}}]}}"#));
        }
    }

    #[test]
    fn text_of_others_is_escaped() {
        assert_eq!(
            rendered(|out| error(out, "no \"channel\" \\ in\n\u{1}")),
            r#"{"type":"error","message":"no \"channel\" \\ in\n\u0001"}"#
        );
        let text = rendered(|out| l2_data(out, L2Kind::Update, "A\"B", 0, 0, SCALE, &[]));
        assert!(text.ends_with(r#""product_id":"A\"B","updates":[]}]}"#), "{text}");
    }

    #[test]
    fn grown_buffer_is_kept() {
        let mut out = Vec::new();
        let mut render = |kind| {
            l2_data(&mut out, kind, "BTC-USD", u64::MAX, TIME_NS, SCALE, &UPDATES);
            (out.as_ptr(), out.capacity())
        };
        let first = render(L2Kind::Update);
        assert_eq!(render(L2Kind::Snapshot), first);
        assert_eq!(render(L2Kind::Update), first);
    }

    proptest! {
        #[test]
        fn decimals_read_back_and_are_shortest(count in 0..=COUNT_MAX, decimals in 0..=DECIMALS_MAX) {
            let text = rendered(|out| { out.clear(); decimal(out, count, decimals) });
            prop_assert_eq!(parse_count(text.as_bytes(), decimals), Ok(count));
            prop_assert!(!text.contains('.') || !text.ends_with(['0', '.']), "{}", text);
        }

        #[test]
        fn messages_are_json_with_exact_levels(
            levels in proptest::collection::vec((any::<bool>(), 0..=COUNT_MAX, 0..=COUNT_MAX), 0..40),
            time_ns: i64,
            sequence_num: u64,
            product in ".*",
        ) {
            let side = |bid| if bid { Side::Bid } else { Side::Ask };
            let updates: Vec<_> = levels
                .iter()
                .map(|&(bid, price_ticks, size_lots)| LevelUpdate { side: side(bid), price_ticks, size_lots })
                .collect();
            let text = rendered(|out| l2_data(out, L2Kind::Update, &product, sequence_num, time_ns, SCALE, &updates));
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(&value["sequence_num"], sequence_num);
            prop_assert_eq!(&value["events"][0]["product_id"], &product);
            let time: Timestamp = value["timestamp"].as_str().expect("a text").parse().expect("RFC 3339");
            prop_assert_eq!(time.as_nanosecond(), i128::from(time_ns));
            let read = value["events"][0]["updates"].as_array().expect("levels");
            prop_assert_eq!(read.len(), updates.len());
            for (read, update) in read.iter().zip(&updates) {
                let count = |key: &str, decimals| parse_count(read[key].as_str().expect("a text").as_bytes(), decimals);
                prop_assert_eq!(&read["side"], if update.side == Side::Bid { "bid" } else { "offer" });
                prop_assert_eq!(&read["event_time"], &value["timestamp"]);
                prop_assert_eq!(count("price_level", SCALE.price_decimals), Ok(update.price_ticks));
                prop_assert_eq!(count("new_quantity", SCALE.size_decimals), Ok(update.size_lots));
            }
        }
    }
}
