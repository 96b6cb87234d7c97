use super::*;
use crate::market::units::Side::{self, Ask, Bid};
use crate::sources::RawLevel;
use crate::sources::detect::{Format, detect};
use crate::sources::number::Number;
use flate2::read::GzDecoder;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

const T: i64 = 1_723_161_256_000_000_000;
const T_MS: i64 = T / 1_000_000;

fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(name);
    if !path.is_file() {
        eprintln!("SKIPPED: {name} is not there");
        return None;
    }
    Some(path)
}

fn all(path: &Path, settings: &ReaderSettings) -> Result<(Vec<RawFrame>, ReaderCounts, String), ReadError> {
    let mut reader = RawReader::open(path, settings)?;
    let (mut frames, mut frame) = (Vec::new(), RawFrame::default());
    while reader.next(&mut frame)? {
        frames.push(frame.clone());
    }
    Ok((frames, reader.counts(), reader.product().into()))
}

/// `b99.5x2` is a bid of 2 at 99.5; the time is in milliseconds after the first.
fn shown(frame: &RawFrame) -> String {
    let side = |side: Side| if side == Bid { 'b' } else { 'a' };
    let levels = frame.levels.iter().map(|level| format!("{}{}x{}", side(level.side), level.price, level.size));
    let prints = frame.prints.iter().map(|print| format!("{}{}x{}", side(print.aggressor), print.price, print.size));
    let kind = match frame.kind {
        RawKind::Snapshot => "S".into(),
        RawKind::Update => "U".into(),
        RawKind::Prints => "P".into(),
        RawKind::Lost(fault) => format!("L {}", fault.name()),
    };
    let kind = format!("{} {kind}", (frame.ts_recv_ns - T) / 1_000_000);
    [kind].into_iter().chain(levels).chain(prints).collect::<Vec<_>>().join(" ")
}

fn read_with(text: &str, settings: &ReaderSettings) -> Result<(Vec<String>, ReaderCounts), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.txt");
    std::fs::write(&path, text).unwrap();
    let (frames, counts, _) = all(&path, settings).map_err(|error| error.to_string())?;
    assert_eq!(detect(&path).unwrap(), Some(Format::Raw), "{text}");
    Ok((frames.iter().map(shown).collect(), counts))
}

fn read(text: &str) -> Result<Vec<String>, String> {
    read_with(text, &ReaderSettings::default()).map(|(frames, _)| frames)
}

fn collector(after_ms: i64, message: &str) -> String {
    format!("{} {message}\n", T + after_ms * 1_000_000)
}

fn depth(after_ms: i64, product: &str, numbers: (u64, u64, Option<u64>), bids: &str) -> String {
    let (first, last, previous) = numbers;
    let futures = previous.map_or(String::new(), |pu| format!("\"T\":{},\"pu\":{pu},", T_MS + after_ms - 1));
    let message = format!(
        "{{\"stream\":\"{}@depth\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{},{futures}\"s\":\"{product}\",\"U\":{first},\
         \"u\":{last},\"b\":{bids},\"a\":[]}}}}",
        product.to_lowercase(),
        T_MS + after_ms
    );
    collector(after_ms, &message)
}

fn snapshot(after_ms: i64, last: u64, bids: &str) -> String {
    collector(after_ms, &format!("{{\"lastUpdateId\":{last},\"bids\":{bids},\"asks\":[[\"11\",\"5\"]]}}"))
}

/// Levels of each message of a capture of this program's own.
fn capture_frames(path: &Path) -> Vec<(i64, Vec<RawLevel>)> {
    let number = |value: &Value| Number::from_text(value.as_str().unwrap().as_bytes()).unwrap();
    let mut frames = Vec::new();
    for line in BufReader::new(GzDecoder::new(File::open(path).unwrap())).lines() {
        let line = line.unwrap();
        let (time, message) = line.split_once(' ').unwrap();
        let message: Value = serde_json::from_str(message).unwrap();
        if message["channel"] != "l2_data" {
            continue;
        }
        for event in message["events"].as_array().unwrap() {
            let levels = event["updates"].as_array().unwrap().iter().map(|level| RawLevel {
                side: if level["side"] == "bid" { Bid } else { Ask },
                price: number(&level["price_level"]),
                size: number(&level["new_quantity"]),
            });
            frames.push((time.parse().unwrap(), levels.collect()));
        }
    }
    frames
}

#[test]
fn the_collectors_recording_is_the_capture() {
    let Some(path) = data("samples/hftbacktest/cm_btcusd_perp_20240808.gz") else { return };
    let Some(capture) = data("captures/btc-perp-a.l2.gz") else { return };
    assert_eq!(detect(&path).unwrap(), Some(Format::Raw));
    assert_eq!(detect(&capture).unwrap(), Some(Format::Capture));
    let (frames, counts, product) = all(&path, &ReaderSettings::default()).unwrap();
    assert_eq!(product, "BTCUSD_PERP");
    // Counted with Python's json: 48,270 lines; 23 updates and a trade that the snapshot holds already.
    assert_eq!(counts, ReaderCounts { rows: 48_270, before_snapshot: 24, ..ReaderCounts::default() });
    let of = |kind| frames.iter().filter(move |frame| frame.kind == kind);
    let numbers = [RawKind::Snapshot, RawKind::Update, RawKind::Prints].map(|kind| of(kind).count());
    assert_eq!(numbers, [1, 26_824, 2_285]);
    assert_eq!(frames.len(), 29_110);
    assert_eq!(of(RawKind::Update).map(|frame| frame.levels.len()).sum::<usize>(), 295_747);
    let aggressors = |side| of(RawKind::Prints).filter(move |frame| frame.prints[0].aggressor == side).count();
    assert_eq!(aggressors(Bid) + aggressors(Ask), 2_285);
    // The capture's first book has the two updates in it that were recorded before the snapshot and are newer.
    let expected = capture_frames(&capture);
    let mut book: BTreeMap<_, _> = BTreeMap::new();
    let key = |level: &RawLevel| (level.side, level.price.at(1).unwrap());
    for frame in of(RawKind::Snapshot).chain(of(RawKind::Update).take(2)) {
        assert_eq!(frame.ts_recv_ns, expected[0].0);
        for level in &frame.levels {
            if level.size.is_zero() {
                book.remove(&key(level));
            } else {
                book.insert(key(level), level.size);
            }
        }
    }
    assert_eq!(book, expected[0].1.iter().map(|level| (key(level), level.size)).collect());
    let mut same = 0;
    for (frame, (time, levels)) in of(RawKind::Update).skip(2).zip(&expected[1..]) {
        assert_eq!((frame.ts_recv_ns, &frame.levels), (*time, levels), "update {same}");
        same += 1;
    }
    assert_eq!((same, expected.len()), (26_822, 26_823));
}

#[test]
fn cryptofeeds_recording_of_coinbase_exchange() {
    let Some(path) = data("samples/cryptofeed/COINBASE.ws.28.0.head.gz") else { return };
    assert_eq!(detect(&path).unwrap(), Some(Format::Raw));
    // Counted with Python's json.
    for (product, levels, updates, prints) in
        [("SKL-USD", 2_155, 406, 5), ("SKL-BTC", 627, 307, 4), ("NU-GBP", 570, 31, 0), ("NMR-EUR", 941, 64, 5)]
    {
        let settings = ReaderSettings { product: Some(product.into()), ..ReaderSettings::default() };
        let (frames, counts, _) = all(&path, &settings).unwrap();
        let of = |kind| frames.iter().filter(move |frame| frame.kind == kind);
        let numbers = [RawKind::Snapshot, RawKind::Update, RawKind::Prints].map(|kind| of(kind).count());
        assert_eq!(numbers, [1, updates, prints], "{product}");
        assert_eq!(of(RawKind::Snapshot).map(|frame| frame.levels.len()).sum::<usize>(), levels, "{product}");
        assert_eq!(of(RawKind::Update).map(|frame| frame.levels.len()).sum::<usize>(), updates, "{product}");
        assert_eq!((counts.before_snapshot, counts.out_of_order), (0, 0));
    }
}

#[test]
fn messages_of_other_venues_are_refused_by_name() {
    let Some(path) = data("samples/hftbacktest/hyperliquid_btcusd_20250126.gz") else { return };
    assert_eq!(detect(&path).unwrap(), Some(Format::Raw));
    let error = all(&path, &ReaderSettings::default()).unwrap_err().to_string();
    let due = ", line 1: channel 'l2Book' is of no message that is read here: there are Binance's, Bybit's, Coinbase \
               Exchange's and Kraken's";
    assert!(error.ends_with(due), "{error}");
}

#[test]
fn a_spot_snapshot_behind_newer_updates() {
    let text = [
        depth(0, "P", (1, 3, None), r#"[["9","1"]]"#),
        depth(1, "P", (4, 6, None), r#"[["9","2"]]"#),
        collector(2, r#"{"stream":"p@trade","data":{"e":"trade","s":"P","t":1,"p":"10","q":"1","m":false,"T":1723161256001}}"#),
        depth(3, "P", (7, 8, None), r#"[["9","3"]]"#),
        snapshot(4, 5, r#"[["9","7"],["8","0"]]"#),
        // Aggregates tell the trades again; a book of some levels is no snapshot.
        collector(5, r#"{"stream":"p@aggTrade","data":{"e":"aggTrade","s":"P","a":1,"p":"10","q":"1","m":false,"T":1723161256001}}"#),
        collector(5, r#"{"stream":"p@depth5","data":{"lastUpdateId":9,"bids":[],"asks":[]}}"#),
        collector(6, r#"{"stream":"p@trade","data":{"e":"trade","s":"P","t":2,"p":"9","q":"4","m":true,"T":1723161256005}}"#),
        depth(7, "Q", (1, 2, None), r#"[["1","1"]]"#),
        depth(8, "P", (9, 9, None), r#"[["9","0"]]"#),
        snapshot_of(9, "P", 5),
        depth(10, "P", (11, 12, None), r#"[["7","1"]]"#),
        depth(11, "P", (13, 13, None), r#"[["7","2"]]"#),
        snapshot_of(12, "P", 12),
        depth(13, "P", (14, 14, None), r#"[["7","3"]]"#),
    ]
    .concat();
    let (frames, counts) = read_with(&text, &ReaderSettings::default()).unwrap();
    assert_eq!(
        frames,
        [
            "4 S b9x7 a11x5",
            "4 U b9x2",
            "4 U b9x3",
            "6 P a9x4",
            "8 U b9x0",
            "8 L sequence gap",
            "12 S b6x1",
            "12 U b7x2",
            "13 U b7x3"
        ]
    );
    assert_eq!((counts.other_products, counts.before_snapshot), (1, 3));
}

fn snapshot_of(after_ms: i64, product: &str, last: u64) -> String {
    let message = format!("{{\"lastUpdateId\":{last},\"symbol\":\"{product}\",\"bids\":[[\"6\",\"1\"]],\"asks\":[]}}");
    collector(after_ms, &message)
}

#[test]
fn futures_are_chained_by_the_number_before() {
    let text = [
        depth(0, "P", (10, 15, Some(7)), r#"[["9","1"]]"#),
        snapshot(1, 12, r#"[["9","7"]]"#),
        depth(2, "P", (18, 20, Some(15)), r#"[["9","2"]]"#),
        // Of spot this would follow.
        depth(3, "P", (21, 22, Some(19)), r#"[["9","3"]]"#),
        snapshot(4, 22, r#"[["9","4"]]"#),
        depth(5, "P", (25, 26, Some(23)), r#"[["9","5"]]"#),
    ]
    .concat();
    let settings = ReaderSettings { time: TimeChoice::Event, ..ReaderSettings::default() };
    let (frames, counts) = read_with(&text, &settings).unwrap();
    let due = ["1 S b9x7 a11x5", "1 U b9x1", "1 U b9x2", "1 L sequence gap", "1 S b9x4 a11x5", "1 L sequence gap"];
    assert_eq!(frames, due);
    assert_eq!(counts.before_snapshot, 1);
}

#[test]
fn layouts() {
    let book = r#"{"type":"snapshot","product_id":"P","bids":[["9","1"]],"asks":[["11","5"]]}"#;
    let change = r#"{"type":"l2update","product_id":"P","changes":[["sell","11","0"],["buy","8","2"]],"time":"0001-01-01T00:00:00Z"}"#;
    let trade = r#"{"type":"match","product_id":"P","trade_id":5,"side":"sell","price":"11","size":"2","time":"2024-08-08T23:54:16Z"}"#;
    let both = ["0 S b9x1 a11x5", "1 U a11x0 b8x2", "2 P b11x2"];
    let lost = ["0 S b9x1 a11x5", "0 L connection lost", "2 P b11x2"];
    // The old collector's microseconds.
    let us = |ms: i64, message: &str| format!("{} {message}\n", (T + ms * 1_000_000) / 1_000);
    assert_eq!(read(&[us(0, book), us(1, change), us(2, trade)].concat()).unwrap(), both);
    let iso = |ms: i64, message: &str| format!("2024-08-08T23:54:16.{ms:03}0000Z {message}\n");
    assert_eq!(read(&[iso(0, book), iso(1, change), iso(2, trade)].concat()).unwrap(), both);
    assert_eq!(
        read(&["\n".into(), iso(0, book), "\n\n".into(), iso(1, change), iso(2, trade)].concat()).unwrap(),
        lost
    );
    let machine = |ms: i64, message: &str| {
        format!("{{\"localTimestamp\":\"2024-08-08T23:54:16.{ms:03}0Z\",\"message\":{message}}}\n")
    };
    assert_eq!(read(&[machine(0, book), machine(1, change), machine(2, trade)].concat()).unwrap(), both);
    let seconds = |ms: i64, message: &str| format!("1723161256.{ms:03}: {message}\n");
    let connected = "wss://ws-feed.pro.coinbase.com <-> 1723161255.9\n";
    let head = format!("configuration: {{}}\n{connected}wss://ws-feed.pro.coinbase.com <- 1723161255.9: {{}}\n");
    assert_eq!(read(&[head.clone(), seconds(0, book), seconds(1, change), seconds(2, trade)].concat()).unwrap(), both);
    let again = [head, seconds(0, book), connected.into(), seconds(1, change), seconds(2, trade)].concat();
    assert_eq!(read(&again).unwrap(), lost);
    let rest = "https://api.binance.com/api/v3/depth?symbol=P&limit=9 -> 1723161256.0: {\"lastUpdateId\":3,\"bids\":[[\"9\",\"1\"]],\
                \"asks\":[]}\n";
    let update = depth(1, "P", (4, 4, None), r#"[["9","2"]]"#);
    let update = update.split_once(' ').unwrap().1;
    let other = rest.replace("symbol=P", "symbol=Q").replace("\"9\"", "\"7\"");
    let text = [connected.into(), seconds(0, update), rest.into(), other].concat();
    assert_eq!(read(&text).unwrap(), ["0 S b9x1", "0 U b9x2"]);
    let normalized = |ms: i64, kind: &str, more: &str| {
        format!(
            "{{\"type\":\"{kind}\",\"symbol\":\"P\",\"timestamp\":\"2024-08-08T23:54:15.9Z\",\"localTimestamp\":\
                 \"2024-08-08T23:54:16.{ms:03}Z\",{more}}}\n"
        )
    };
    let text = [
        normalized(0, "book_change", r#""isSnapshot":true,"bids":[{"price":9,"amount":1e-7}],"asks":[]"#),
        normalized(
            1,
            "book_change",
            r#""isSnapshot":false,"bids":[{"price":9.5,"amount":0}],"asks":[{"price":11,"amount":2}]"#,
        ),
        normalized(2, "trade", r#""id":"7","price":11,"amount":2,"side":"buy""#),
        normalized(2, "trade", r#""id":"8","price":11,"amount":2,"side":"unknown""#),
        normalized(3, "book_snapshot", r#""bids":{},"asks":{}"#),
        "{\"type\":\"disconnect\",\"exchange\":\"bitmex\"}\n".into(),
        normalized(4, "book_change", r#""isSnapshot":false,"bids":[],"asks":[]"#),
    ]
    .concat();
    let (frames, counts) = read_with(&text, &ReaderSettings::default()).unwrap();
    assert_eq!(frames, ["0 S b9x0.0000001", "1 U b9.5x0 a11x2", "2 P b11x2", "2 L connection lost"]);
    assert_eq!((counts.prints_without_side, counts.before_snapshot), (1, 1));
}

#[test]
fn a_clock_that_steps_back_is_counted() {
    let text = [
        snapshot(5, 5, "[]"),
        depth(3, "P", (6, 6, None), r#"[["9","1"]]"#),
        depth(6, "P", (7, 7, None), r#"[["9","2"]]"#),
    ]
    .concat();
    let (frames, counts) = read_with(&text, &ReaderSettings::default()).unwrap();
    assert_eq!(frames, ["5 S a11x5", "5 U b9x1", "6 U b9x2"]);
    assert_eq!(counts.out_of_order, 1);
}

#[test]
fn what_is_wrong_is_said() {
    let book = snapshot(0, 5, r#"[["9","7"]]"#);
    let then = |bids: &str| book.clone() + &depth(1, "P", (6, 6, None), bids);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.txt");
    for (text, error) in [
        (String::new(), ": holds no snapshot of the product"),
        (depth(1, "P", (6, 6, None), "[]"), "Record the venue's snapshot beside them"),
        ("hello\n".into(), ", line 1: is no line of a recording"),
        (then(r#"[["-9","1"]]"#), ", line 2: price '-9' is negative"),
        (then(r#"[["9",NaN]]"#), ", line 2: is not a message as the venue sends it"),
        (then(r#"[["0","1"]]"#), ", line 2: price is 0"),
        (book.replace(&T.to_string(), "1723161256000"), "'1723161256000' has 13 digits; due are Unix nanoseconds (19)"),
        (book.replace(&T.to_string(), "9223161256000000000"), "'9223161256000000000' has 19 digits"),
        (then("[]").replace(&format!("\"E\":{}", T_MS + 1), "\"E\":1723161256"), "E '1723161256' is in seconds"),
        (book.clone() + "2024 {}\n", ", line 2: the time '2024' has 4 digits"),
        (book.clone() + "x\n", ", line 2: a line reads '<Unix time in ns> {…}' here, not 'x'"),
        (book.clone() + &book[..50], ", line 2: is not a message as the venue sends it"),
        (collector(0, r#"{"topic":"insurance.P","type":"snapshot"}"#), "topic 'insurance' is of no message"),
        (collector(0, r#"{"topic":"orderbook.50.P","type":"snapshot"}"#), "missing field `ts`"),
        (collector(0, r#"{"type":"full"}"#), "type 'full' is of no message"),
        (collector(0, r#"{"type":"snapshot"}"#), "missing field `product_id`"),
        (
            collector(0, r#"{"type":"snapshot","product_id":"P"}"#)
                + &collector(1, r#"{"type":"l2update","product_id":"P","changes":[["up","1","2"]]}"#),
            ", line 2: side 'up' is neither buy nor sell",
        ),
        (
            depth(0, "P", (1, 1, None), "[]") + &depth(1, "Q", (1, 1, None), "[]") + &snapshot(2, 1, "[]"),
            ", line 3: a snapshot without a symbol among several products",
        ),
        ("{\"type\":\"book_change\",\"symbol\":\"P\"}\n".into(), ", line 1: has no localTimestamp"),
        (
            "{\"localTimestamp\":\"1723161256\",\"message\":{}}\n".into(),
            "localTimestamp '1723161256' is not a time such as",
        ),
    ] {
        std::fs::write(&path, &text).unwrap();
        let found = all(&path, &ReaderSettings::default()).unwrap_err().to_string();
        assert!(found.contains(error), "{text}: {found}");
    }
}

#[test]
fn captures_are_no_recordings() {
    for line in [
        "1723161256609369665 {\"channel\":\"l2_data\",\"events\":[]}",
        "1723161256609369665 {\"papertrader\":\"connected\",\"connection\":1}",
        "1723161256609369665 {\"type\":\"error\",\"message\":\"x\"}",
        "exchange,symbol,timestamp",
        "{\"type\":\"snapshot\",\"product_id\":\"P\"}",
        "",
    ] {
        assert!(!is_recording(line.as_bytes()), "{line}");
    }
}

proptest! {
    /// Whatever is lost and whenever a snapshot comes: a book that is live is the venue's.
    #[test]
    fn a_live_book_is_the_venues(
        changes in prop::collection::vec((0..5_u64, 0..4_u64, prop::bool::weighted(0.1), prop::option::weighted(0.15, 0..6_u64)), 1..60),
        is_futures in any::<bool>(),
    ) {
        let (mut truth, mut books) = (BTreeMap::new(), vec![BTreeMap::new()]);
        let mut text = snapshot_of(0, "P", 0);
        for (at, (price, size, is_lost, snapshot_back)) in changes.into_iter().enumerate() {
            let number = at as u64 + 1;
            truth.insert(price + 1, size);
            truth.retain(|_, size| *size > 0);
            books.push(truth.clone());
            if !is_lost {
                let previous = is_futures.then_some(number - 1);
                // The event's time tells the update's number.
                text += &depth(at as i64 + 1, "P", (number, number, previous), &format!("[[\"{}\",\"{size}\"]]", price + 1));
            }
            if let Some(back) = snapshot_back {
                let last = number.saturating_sub(back);
                let bids: Vec<String> =
                    books[last as usize].iter().map(|(price, size)| format!("[\"{price}\",\"{size}\"]")).collect();
                let message = format!("{{\"lastUpdateId\":{last},\"symbol\":\"P\",\"bids\":[{}],\"asks\":[]}}", bids.join(","));
                text += &collector(at as i64 + 1, &message);
            }
        }
        let text = text.replacen(r#"[["6","1"]]"#, "[]", 1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.txt");
        std::fs::write(&path, &text).unwrap();
        let (frames, _, _) = all(&path, &ReaderSettings::default()).unwrap();
        let (mut book, mut is_live) = (BTreeMap::new(), false);
        for frame in &frames {
            match frame.kind {
                RawKind::Snapshot => {
                    book.clear();
                    is_live = true;
                }
                RawKind::Lost(_) => is_live = false,
                _ => prop_assert!(is_live),
            }
            for level in &frame.levels {
                book.insert(level.price.at(0).unwrap(), level.size.at(0).unwrap());
            }
            book.retain(|_, size| *size > 0);
            if frame.kind == RawKind::Update {
                let number = frame.ts_event_ns / 1_000_000 - T_MS + i64::from(is_futures);
                prop_assert_eq!(&book, &books[number as usize]);
            }
        }
    }

    #[test]
    fn nothing_panics(layout in 0..4_u8, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let time = |ms: u8| match layout {
            0 => format!("172316125600{ms}000000 "),
            1 => format!("2024-08-08T23:54:16.00{ms}0000Z "),
            2 => format!("172316125{ms}.1: "),
            _ => format!("{{\"localTimestamp\":\"2024-08-08T23:54:16.{ms}Z\",\"message\":"),
        };
        let end = if layout == 3 { "}\n" } else { "\n" };
        let text: String = [
            r#"{"lastUpdateId":7,"bids":[["61804.7","35"]],"asks":[["61804.8","2"]]}"#,
            r#"{"stream":"p@depth","data":{"e":"depthUpdate","E":1723161256600,"s":"P","U":6,"u":9,"b":[["61804.7","0"]],"a":[]}}"#,
            r#"{"stream":"p@trade","data":{"e":"trade","s":"P","t":2,"p":"9","q":"4","m":true,"T":1723161256005}}"#,
            r#"{"type":"snapshot","product_id":"P","bids":[["9","1"]],"asks":[]}"#,
            r#"{"type":"l2update","product_id":"P","changes":[["sell","11","0"]],"time":"2024-08-08T23:54:16Z"}"#,
        ]
        .iter()
        .zip(1..)
        .map(|(message, ms)| time(ms) + message + end)
        .collect();
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.index(4 * bytes.len()).max(1));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.txt");
        std::fs::write(&path, &bytes).unwrap();
        let _ = (all(&path, &ReaderSettings::default()), detect(&path));
    }
}

/// Lines of the collector of what Kraken sent, a second apart.
fn kraken(messages: &[&str]) -> String {
    (0..).zip(messages).map(|(second, message)| collector(1_000 * second, message)).collect()
}

#[test]
fn krakens_books_are_cut_and_checked() {
    let Some(path) = data("venues/kraken/tickvault_kraken_book_2026-08-24.jsonl") else { return };
    let recorded = std::fs::read_to_string(path).unwrap();
    let messages: Vec<&str> = recorded.lines().collect();
    let (shown, counts) = read_with(&kraken(&messages), &ReaderSettings::default()).unwrap();
    assert_eq!((shown.len(), counts.before_snapshot, counts.out_of_order), (4, 0, 0));
    assert!(shown[0].starts_with("2000 S b78871.5x0.01266503 b78868.4x0.000051 "), "{}", shown[0]);
    assert_eq!(shown[1], "5000 U b78858.8x0 b78857x0.34775324");
    assert!(shown.iter().all(|frame| !frame.contains('L')));
    // Without its first update the book is another one than the venue's, until the next snapshot.
    let updates: Vec<usize> =
        (0..messages.len()).filter(|&at| messages[at].contains("\"type\":\"update\",\"data\":[{\"symbol")).collect();
    let mut without = messages.clone();
    without.remove(updates[0]);
    let snapshot = messages.iter().find(|message| message.contains("snapshot\",\"data")).unwrap();
    without.extend([snapshot, messages[updates[0]]]);
    let shown = read(&kraken(&without)).unwrap();
    let kinds: Vec<&str> = shown.iter().map(|frame| frame.split(' ').nth(1).unwrap()).collect();
    assert_eq!(kinds, ["S", "L", "S", "U"], "{shown:#?}");
    assert!(shown[1].ends_with("L checksum of another book"), "{}", shown[1]);
}

/// All 510 messages of another recording, by the reader: as many frames, whose books are the venue's ten levels at every step.
#[test]
fn krakens_frames_lead_to_the_venues_book() {
    let Some(path) = data("venues/kraken/orderbook-v2.json") else { return };
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let messages: Vec<String> =
        std::iter::once(&file["init"]).chain(file["updates"].as_array().unwrap()).map(Value::to_string).collect();
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("kraken.txt");
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    std::fs::write(&recording, kraken(&messages)).unwrap();
    let (frames, _, product) = all(&recording, &ReaderSettings::default()).unwrap();
    assert_eq!((frames.len(), product.as_str()), (510, "BTC/USD"));
    let mut book: BTreeMap<(bool, u64), u64> = BTreeMap::new();
    for frame in &frames {
        assert!(matches!(frame.kind, RawKind::Snapshot | RawKind::Update), "{frame:?}");
        for level in &frame.levels {
            let key = (level.side == Bid, level.price.at(1).unwrap());
            match level.size.at(8).unwrap() {
                0 => book.remove(&key),
                lots => book.insert(key, lots),
            };
        }
        let of = |side: bool| book.keys().filter(|&&(of, _)| of == side).count();
        // No removal is lost, nor is anything kept that left the depth.
        assert!((1..=10).contains(&of(true)) && (1..=10).contains(&of(false)), "{} bids, {} asks", of(true), of(false));
    }
}

#[test]
fn krakens_trades_are_the_takers() {
    let snapshot = r#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":10.0,"qty":1.50}],"asks":[{"price":10.5,"qty":2.00}]}]}"#;
    let trades = |kind: &str, side: &str| {
        format!(
            r#"{{"channel":"trade","type":"{kind}","data":[{{"symbol":"BTC/USD","side":"{side}","price":10.5,"qty":0.30,"ord_type":"limit","trade_id":7,"timestamp":"2024-08-09T00:00:00Z"}},{{"symbol":"ETH/USD","side":"sell","price":1.0,"qty":1.0,"ord_type":"limit","trade_id":8,"timestamp":"2024-08-09T00:00:00Z"}}]}}"#
        )
    };
    let status = r#"{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2"}]}"#;
    let lines = [status, snapshot, &trades("snapshot", "buy"), &trades("update", "buy"), &trades("update", "sell")];
    assert_eq!(read(&kraken(&lines)).unwrap(), ["1000 S b10x1.5 a10.5x2", "3000 P b10.5x0.3", "4000 P a10.5x0.3"]);
    let error = read(&kraken(&[snapshot, &trades("update", "both")])).unwrap_err();
    assert!(error.ends_with("line 2: side 'both' is neither buy nor sell"), "{error}");
}

#[test]
fn bybits_books_are_chained() {
    let Some(path) = data("venues/bybit/tickvault_bybit_orderbook50_2026-08-24.jsonl") else { return };
    let recorded = std::fs::read_to_string(path).unwrap();
    let messages: Vec<&str> = recorded.lines().collect();
    let lines = |messages: &[&str]| (0..).zip(messages).map(|(at, message)| collector(at, message)).collect::<String>();
    let shown = read(&lines(&messages)).unwrap();
    let kinds =
        |shown: &[String]| shown.iter().map(|frame| frame.split(' ').nth(1).unwrap()).collect::<Vec<_>>().join("");
    assert_eq!(kinds(&shown), "SUUUUUUUU");
    assert!(shown[0].starts_with("1 S b78715x1.271882 b78713.8x0.050215 "), "{}", shown[0]);
    assert_eq!(shown[1], "2 U a78716.8x0.027559 a78748.5x0");
    // A lost update is seen, and nothing is believed until the next snapshot; another depth is another count.
    let other = messages[1].replace("orderbook.50.", "orderbook.1.");
    let mut without = messages.clone();
    without.insert(3, &other);
    without.remove(5);
    without.extend([messages[1], messages[2]]);
    let shown = read(&lines(&without)).unwrap();
    assert_eq!(kinds(&shown), "SUULSU", "{shown:#?}");
    assert!(shown[3].ends_with("L sequence gap"), "{}", shown[3]);
    // The same message again.
    let shown = read(&lines(&[messages[1], messages[2], messages[2]])).unwrap();
    assert!(shown[2].ends_with("L sequence repeat"), "{}", shown[2]);
    // The service has begun again: a delta that is whole.
    let anew = messages[2].replace("\"u\":217107085", "\"u\":1");
    let shown = read(&lines(&[messages[1], messages[2], &anew])).unwrap();
    assert_eq!(shown[2], "2 S a78716.8x0.027559");
}

#[test]
fn bybits_trades_are_the_takers() {
    let book = r#"{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1723161256000,"data":{"s":"BTCUSDT","b":[["10","1"]],"a":[["10.5","2"]],"u":5,"seq":1}}"#;
    let trades = |side: &str| {
        format!(
            r#"{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1723161256001,"data":[{{"T":1723161256000,"s":"BTCUSDT","S":"{side}","v":"0.3","p":"10.50","L":"PlusTick","i":"2290000000061666327","BT":false}}]}}"#
        )
    };
    let pong = r#"{"success":true,"ret_msg":"pong","conn_id":"x","op":"ping"}"#;
    let lines = |messages: &[&str]| (0..).zip(messages).map(|(at, message)| collector(at, message)).collect::<String>();
    let shown = read(&lines(&[pong, book, &trades("Buy"), &trades("Sell")])).unwrap();
    assert_eq!(shown, ["1 S b10x1 a10.5x2", "2 P b10.5x0.3", "3 P a10.5x0.3"]);
    let error = read(&lines(&[book, &trades("buy")])).unwrap_err();
    assert!(error.ends_with("line 2: side 'buy' is neither Buy nor Sell"), "{error}");
    let error = read(&lines(&[book, &book.replace("orderbook.50", "insurance")])).unwrap_err();
    let due = "line 2: topic 'insurance' is of no message that is read here: there are Binance's, Bybit's, Coinbase Exchange's and Kraken's";
    assert!(error.ends_with(due), "{error}");
}
