mod faults;
mod parquet;
mod properties;
mod samples;

use super::*;
use crate::market::event::Fault;
use crate::market::units::Side;
use crate::sources::bytes::open;
use crate::sources::detect::{Format, detect};
use crate::sources::{RawKind, RawLevel};
use dbn::decode::DecodeRecordRef;
use dbn::decode::dbn::Decoder;
use proptest::prelude::*;
use record::{LEVELS, Pair, UNDEFINED_PRICE};
use std::collections::BTreeMap;
use std::ffi::c_char;
use std::io::Read;
use std::path::PathBuf;

const T0: u64 = 1_752_735_909_000_000_000;
const HEADER: &str = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,price,size,order_id,flags,symbol";

fn sample(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/samples")).join(name);
    if !path.is_file() {
        eprintln!("SKIPPED: {} is missing", path.display());
        return None;
    }
    Some(path)
}

struct All {
    frames: Vec<RawFrame>,
    counts: ReaderCounts,
    product: String,
    unknown_orders: u64,
    error: Option<String>,
}

fn read(path: &Path, settings: &ReaderSettings) -> All {
    let mut all = All {
        frames: Vec::new(),
        counts: ReaderCounts::default(),
        product: String::new(),
        unknown_orders: 0,
        error: None,
    };
    // Paths differ from run to run.
    let text = |error: ReadError| error.to_string().replace(&path.display().to_string(), "FILE");
    let mut reader = match DatabentoReader::open(path, settings) {
        Ok(reader) => reader,
        Err(error) => return All { error: Some(text(error)), ..all },
    };
    let mut frame = RawFrame::default();
    loop {
        match reader.next(&mut frame) {
            Ok(true) => all.frames.push(frame.clone()),
            Ok(false) => break,
            Err(error) => {
                all.error = Some(text(error));
                break;
            }
        }
    }
    (all.counts, all.product) = (reader.counts(), reader.product().into());
    all.unknown_orders = reader.unknown_orders();
    all
}

fn read_bytes(bytes: &[u8], settings: &ReaderSettings) -> All {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    read(&path, settings)
}

fn of(product: &str) -> ReaderSettings {
    ReaderSettings { product: Some(product.into()), ..ReaderSettings::default() }
}

type Book = BTreeMap<(Side, u64), u64>;

fn apply(book: &mut Book, frame: &RawFrame) {
    if frame.kind == RawKind::Snapshot {
        book.clear();
    }
    for RawLevel { side, price, size } in &frame.levels {
        let key = (*side, price.at(9).unwrap());
        match size.at(0).unwrap() {
            0 => book.remove(&key),
            size => book.insert(key, size),
        };
    }
}

/// The ten best of a side, best first.
fn top(book: &Book, side: Side) -> Vec<(u64, u64)> {
    let mut levels: Vec<_> = book.iter().filter(|(key, _)| key.0 == side).map(|(key, size)| (key.1, *size)).collect();
    if side == Side::Bid {
        levels.reverse();
    }
    levels.truncate(LEVELS);
    levels
}

/// A row of `mbo` in a CSV.
fn row(ms: u64, action: char, side: char, price: &str, size: u32, order_id: u64, flags: u8) -> String {
    let ns = T0 + ms * 1_000_000;
    format!("{ns},{},160,2,1108,{action},{side},{price},{size},{order_id},{flags},ARL", ns - 1_000)
}

fn csv(rows: &[String]) -> Vec<u8> {
    format!("{HEADER}\n{}\n", rows.join("\n")).into_bytes()
}

/// What frames do, in short.
fn short(frames: &[RawFrame]) -> Vec<String> {
    let ms = |frame: &RawFrame| (frame.ts_recv_ns - T0 as i64) / 1_000_000;
    let levels = |frame: &RawFrame| {
        let shown = |level: &RawLevel| format!(" {:?} {}x{}", level.side, level.price, level.size);
        frame.levels.iter().map(shown).collect::<String>()
    };
    let prints = |frame: &RawFrame| {
        frame.prints.iter().map(|print| format!(" {:?} {}x{}", print.aggressor, print.price, print.size)).collect()
    };
    frames
        .iter()
        .map(|frame| {
            let what: String = if frame.kind == RawKind::Prints { prints(frame) } else { levels(frame) };
            format!("{} {:?}{what}", ms(frame), frame.kind)
        })
        .collect()
}

#[test]
fn events_of_orders_become_frames() {
    let rows = [
        // Before the clear nothing is known.
        row(0, 'C', 'B', "9.0", 1, 77, 128),
        row(1, 'R', 'N', "", 0, 0, 8),
        row(2, 'A', 'B', "10.0", 5, 1, 0),
        row(2, 'A', 'A', "11.0", 7, 2, 128),
        // A trade stands before what it does to the book.
        row(3, 'T', 'B', "11.0", 3, 0, 0),
        row(3, 'F', 'A', "11.0", 3, 2, 0),
        row(3, 'C', 'A', "11.0", 3, 2, 128),
        // An event that changes nothing in the end is none.
        row(4, 'A', 'B', "9.0", 4, 3, 0),
        row(4, 'C', 'B', "9.0", 4, 3, 128),
        // One that is replaced leaves its level.
        row(5, 'M', 'B', "10.5", 2, 1, 128),
        row(6, 'M', 'B', "10.0", 1, 9, 128),
        row(7, 'C', 'B', "10.0", 1, 10, 128),
        row(8, 'T', 'N', "10.5", 1, 0, 128),
        // Flag MAYBE_BAD_BOOK.
        row(9, 'A', 'B', "10.0", 1, 11, 132),
        row(10, 'A', 'B', "10.0", 1, 12, 128),
        row(11, 'A', 'B', "10.0", 6, 13, 32),
        row(11, 'A', 'A', "12.0", 6, 14, 160),
        // An event without an end is left out.
        row(12, 'A', 'A', "13.0", 6, 15, 0),
    ];
    let all = read_bytes(&csv(&rows), &ReaderSettings::default());
    assert_eq!(all.error, None);
    assert_eq!(
        short(&all.frames),
        [
            "1 Snapshot",
            "2 Update Bid 10x5 Ask 11x7",
            "3 Prints Bid 11x3",
            "3 Update Ask 11x4",
            "5 Update Bid 10x0 Bid 10.5x2",
            "6 Update Bid 10x1",
            "9 Lost(RecordingGap)",
            "11 Snapshot Bid 10x6 Ask 12x6",
        ]
    );
    assert_eq!((all.unknown_orders, all.counts.before_snapshot, all.counts.prints_without_side), (2, 3, 1));
}

fn mbp(ms: u64, action: char, side: char, flags: u8, bid: Option<(i64, u32)>, ask: Option<(i64, u32)>) -> Vec<u8> {
    let mut record = dbn::Mbp10Msg::default();
    let ns = T0 + ms * 1_000_000;
    (record.hd.publisher_id, record.hd.instrument_id, record.hd.ts_event) = (1, 118, ns - 1_000);
    (record.ts_recv, record.action, record.side) = (ns, action as c_char, side as c_char);
    (record.flags, record.price, record.size) = (flags.into(), 10_000_000_000, 3);
    for level in &mut record.levels {
        (level.bid_px, level.ask_px, level.bid_sz, level.ask_sz) = (UNDEFINED_PRICE, UNDEFINED_PRICE, 0, 0);
    }
    if let Some((price, size)) = bid {
        (record.levels[0].bid_px, record.levels[0].bid_sz) = (price * 1_000_000_000, size);
    }
    if let Some((price, size)) = ask {
        (record.levels[0].ask_px, record.levels[0].ask_sz) = (price * 1_000_000_000, size);
    }
    record.as_ref().to_vec()
}

fn mbo(instrument_id: u32, publisher_id: u16, ms: u64, action: char, price: i64, flags: u8) -> Vec<u8> {
    let mut record = dbn::MboMsg::default();
    let ns = T0 + ms * 1_000_000;
    (record.hd.publisher_id, record.hd.instrument_id, record.hd.ts_event) = (publisher_id, instrument_id, ns - 1_000);
    (record.ts_recv, record.action, record.side) = (ns, action as c_char, b'B' as c_char);
    (record.flags, record.price, record.size, record.order_id) = (flags.into(), price, 1, ms);
    record.as_ref().to_vec()
}

/// A file of version 1 with symbols' instruments.
fn binary(schema: u16, symbols: &[(&str, &[u32])], records: &[Vec<u8>]) -> Vec<u8> {
    let fixed = |text: &str, length: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(length, 0);
        bytes
    };
    let mut body = fixed("GLBX.MDP3", 16);
    body.extend(schema.to_le_bytes());
    body.extend(T0.to_le_bytes());
    body.extend([0; 24]);
    // From symbols to instrument ids.
    body.extend([1, 0, 0]);
    body.extend([0; 47 + 4 + 12]);
    body.extend((symbols.len() as u32).to_le_bytes());
    for (symbol, ids) in symbols {
        body.extend(fixed(symbol, 22));
        body.extend((ids.len() as u32).to_le_bytes());
        for id in *ids {
            body.extend([20_250_717_u32.to_le_bytes(), 20_250_718_u32.to_le_bytes()].concat());
            body.extend(fixed(&id.to_string(), 22));
        }
    }
    let head = [&b"DBN\x01"[..], &(body.len() as u32).to_le_bytes()].concat();
    [head, body, records.concat()].concat()
}

const MBO: u16 = 0;
const MBP10: u16 = 2;

#[test]
fn a_level_of_price_0_is_an_error_in_the_first_record_and_later() {
    let good = mbp(0, 'A', 'B', 128, Some((9, 1)), None);
    let bad = || mbp(1, 'A', 'B', 128, Some((0, 1)), None);
    for records in [vec![bad()], vec![good, bad()]] {
        let all = read_bytes(&binary(MBP10, &[("ESU4", &[118])], &records), &ReaderSettings::default());
        let at = records.len() - 1;
        assert_eq!(all.error, Some(format!("FILE, record {at}: price is 0")));
    }
}

#[test]
fn ten_levels_become_frames() {
    let (bid, ask) = (Some((9, 1)), Some((10, 4)));
    let records = [
        mbp(0, 'A', 'B', 128, bid, None),
        mbp(1, 'A', 'A', 0, bid, ask),
        // A trade without the flag LAST, and the event that it began.
        mbp(2, 'T', 'B', 0, bid, ask),
        mbp(3, 'C', 'A', 128, bid, Some((10, 1))),
        // The book again, as at midnight.
        mbp(4, 'A', 'N', 168, bid, Some((10, 1))),
        mbp(5, 'T', 'N', 0, bid, Some((10, 1))),
        mbp(6, 'A', 'B', 132, bid, None),
        mbp(7, 'A', 'B', 128, bid, None),
        mbp(8, 'R', 'N', 8, None, None),
        mbp(9, 'A', 'A', 128, None, ask),
    ];
    let all = read_bytes(&binary(MBP10, &[("ESU4", &[118])], &records), &ReaderSettings::default());
    assert_eq!((all.error, all.product.as_str()), (None, "ESU4"));
    assert_eq!(
        short(&all.frames),
        [
            "0 Snapshot Bid 9x1",
            "1 Update Ask 10x4",
            "2 Prints Bid 10x3",
            "3 Update Ask 10x1",
            "6 Lost(RecordingGap)",
            "8 Snapshot",
            "9 Update Ask 10x4",
        ]
    );
    assert_eq!((all.counts.prints_without_side, all.counts.before_snapshot), (1, 1));
    assert_eq!(all.frames[4].kind, RawKind::Lost(Fault::RecordingGap));
}

#[test]
fn one_of_several_instruments_is_read() {
    let records = [
        mbo(7, 1, 0, 'R', UNDEFINED_PRICE, 128),
        mbo(8, 1, 1, 'R', UNDEFINED_PRICE, 128),
        mbo(8, 1, 2, 'A', 5_000_000_000, 128),
        mbo(8, 2, 3, 'A', 6_000_000_000, 128),
        mbo(9, 1, 4, 'A', 6_000_000_000, 128),
    ];
    let file = binary(MBO, &[("ESH4", &[7]), ("ESM4", &[8]), ("ES.c.0", &[8, 9]), ("ES.v.1", &[8])], &records);
    for (settings, product, frames, others) in
        [(ReaderSettings::default(), "ESH4", 1, 4), (of("ESM4"), "ESM4", 2, 3), (of("8"), "ESM4", 2, 3)]
    {
        let all = read_bytes(&file, &settings);
        assert_eq!((all.error, all.product.as_str(), all.frames.len()), (None, product, frames));
        assert_eq!((all.counts.other_products, all.counts.rows), (others, 5));
    }
    for (product, error) in [
        ("ES.c.0", "FILE: ES.c.0 is several instruments: 8, 9; choose one by its id"),
        ("NQH4", "FILE: holds no NQH4; it has ES.c.0, ES.v.1, ESH4, ESM4"),
    ] {
        assert_eq!(read_bytes(&file, &of(product)).error.as_deref(), Some(error));
    }
    // In a CSV the rows tell.
    let mut other = row(0, 'R', 'N', "", 0, 0, 128);
    let rows = [other.clone(), row(1, 'A', 'B', "5.0", 1, 1, 128)];
    assert_eq!(read_bytes(&csv(&rows), &of("1108")).frames.len(), 2);
    let error = read_bytes(&csv(&rows), &of("IBM")).error;
    assert_eq!(error.as_deref(), Some("FILE: holds no record of IBM"));
    other = other.replace("1108", "1109");
    let error = read_bytes(&csv(&[other, rows[1].clone()]), &ReaderSettings::default()).error;
    let what = "FILE, line 3: symbol ARL becomes instrument 1108 after 1109: choose one by its instrument id";
    assert_eq!(error.as_deref(), Some(what));
}

#[test]
fn raw_and_pretty_rows_are_the_same() {
    let pretty = csv(&[row(0, 'R', 'N', "", 0, 0, 128), row(1, 'A', 'B', "5.510000000", 1, 1, 128)]);
    let raw = csv(&[row(0, 'R', 'N', "9223372036854775807", 0, 0, 128), row(1, 'A', 'B', "5510000000", 1, 1, 128)]);
    let text = String::from_utf8(pretty.clone()).unwrap();
    let time = |ms: u32| [format!("175273590900{ms}000000"), format!("2025-07-17T07:05:09.00{ms}000000Z")];
    let times = text.replace(&time(0)[0], &time(0)[1]).replace(&time(1)[0], &time(1)[1]);
    assert!(times.contains('T'));
    // As pandas writes it.
    let dust = times.replace("5.510000000", "5.510000000000001").replace('\n', "\r\n");
    let frames = read_bytes(&pretty, &ReaderSettings::default()).frames;
    assert_eq!(short(&frames), ["0 Snapshot", "1 Update Bid 5.51x1"]);
    for (other, rounded) in [(raw, 0), (times.into_bytes(), 0), (dust.into_bytes(), 1)] {
        let all = read_bytes(&other, &ReaderSettings::default());
        assert_eq!((all.error, &all.frames, all.counts.rounded), (None, &frames, rounded));
    }
    // Without receive times the venue's are the clock.
    let without = text.lines().map(|line| line.split_once(',').unwrap().1).collect::<Vec<_>>().join("\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    std::fs::write(&path, without).unwrap();
    let mut reader = DatabentoReader::open(&path, &ReaderSettings::default()).unwrap();
    let mut frame = RawFrame::default();
    assert!(reader.next(&mut frame).unwrap() && reader.has_event_times_only());
    assert_eq!(frame.ts_recv_ns, frames[0].ts_event_ns);
}
