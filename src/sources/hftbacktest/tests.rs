use super::event::{Bits, HftEvent};
use super::npy::LAYOUT;
use super::reader::NpzReader;
use super::writer::{NpzWriter, Times, Trade, Written, float};
use crate::market::units::Side::{self, Ask, Bid};
use crate::sources::detect::{Format, detect};
use crate::sources::number::Number;
use crate::sources::{FrameReader, RawFrame, RawKind, RawLevel, ReadError, ReaderCounts, ReaderSettings, TimeChoice};
use flate2::read::GzDecoder;
use proptest::prelude::*;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

const LOCAL: u64 = Bits::LOCAL;
const BUY: u64 = Bits::BUY;
const SELL: u64 = Bits::SELL;
const T: i64 = 1_723_161_257_000_000_000;

fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(name);
    if !path.is_file() {
        eprintln!("SKIPPED: {name} is not there");
        return None;
    }
    Some(path)
}

fn zipped(name: &str, bytes: &[u8], method: CompressionMethod) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("btcusdt_20240808.npz");
    let mut archive = ZipWriter::new(File::create(&path).unwrap());
    archive.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
    archive.write_all(bytes).unwrap();
    archive.finish().unwrap();
    (folder, path)
}

fn npy(rows: &[HftEvent]) -> Vec<u8> {
    let mut bytes = LAYOUT.header(rows.len() as u64);
    rows.iter().for_each(|row| bytes.extend(row.encode()));
    bytes
}

fn npz(rows: &[HftEvent]) -> (TempDir, PathBuf) {
    zipped("data.npy", &npy(rows), CompressionMethod::Deflated)
}

/// A row, so many microseconds after the first, seen a microsecond after it happened.
fn row(ev: u64, us: i64, px: f64, qty: f64) -> HftEvent {
    let local_ts = T + us * 1_000;
    HftEvent { ev: ev | LOCAL | Bits::EXCH, exch_ts: local_ts - 1_000, local_ts, px, qty }
}

fn all(path: &Path, settings: &ReaderSettings) -> Result<(Vec<RawFrame>, ReaderCounts), ReadError> {
    let mut reader = NpzReader::open(path, settings)?;
    let mut frames = Vec::new();
    let mut frame = RawFrame::default();
    while reader.next(&mut frame)? {
        frames.push(frame.clone());
    }
    Ok((frames, reader.counts()))
}

fn read(rows: &[HftEvent]) -> Result<Vec<RawFrame>, String> {
    let (_folder, path) = npz(rows);
    let (frames, _) = all(&path, &ReaderSettings::default())
        .map_err(|error| error.to_string().split_once("npz").unwrap().1.to_owned())?;
    Ok(frames)
}

/// `b99.5x2` is a bid of 2 at 99.5.
fn shown(frame: &RawFrame) -> String {
    let side = |side: Side| if side == Bid { 'b' } else { 'a' };
    let levels = frame.levels.iter().map(|level| format!("{}{}x{}", side(level.side), level.price, level.size));
    let prints = frame.prints.iter().map(|print| format!("{}{}x{}", side(print.aggressor), print.price, print.size));
    let kind = match frame.kind {
        RawKind::Snapshot => "S",
        RawKind::Update => "U",
        RawKind::Prints => "P",
        RawKind::Lost(_) => "L",
    };
    [kind.to_owned()].into_iter().chain(levels).chain(prints).collect::<Vec<_>>().join(" ")
}

fn shown_all(frames: &[RawFrame]) -> Vec<String> {
    frames.iter().map(shown).collect()
}

/// The levels of each message of a capture.
fn capture_levels(path: &Path) -> impl Iterator<Item = Vec<RawLevel>> {
    let lines = BufReader::new(GzDecoder::new(File::open(path).unwrap())).lines();
    lines.map(|line| {
        let line = line.unwrap();
        let message: serde_json::Value = serde_json::from_str(line.split_once(' ').unwrap().1).unwrap();
        let number = |value: &serde_json::Value| Number::from_text(value.as_str().unwrap().as_bytes()).unwrap();
        let updates = message["events"][0]["updates"].as_array().unwrap();
        let level = |update: &serde_json::Value| RawLevel {
            side: if update["side"] == "bid" { Bid } else { Ask },
            price: number(&update["price_level"]),
            size: number(&update["new_quantity"]),
        };
        updates.iter().map(level).collect()
    })
}

#[test]
fn the_perpetual_is_the_capture() {
    let Some(path) = data("samples/hftbacktest/cm_btcusd_perp_20240808.v2.npz") else { return };
    let Some(capture) = data("captures/btc-perp-a.l2.gz") else { return };
    let (frames, counts) = all(&path, &ReaderSettings::default()).unwrap();
    // Counted with numpy: 275 local rows stand before the snapshot.
    assert_eq!(counts, ReaderCounts { rows: 303_861, before_snapshot: 275, ..ReaderCounts::default() });
    let of = |kind| frames.iter().filter(move |frame| frame.kind == kind);
    let numbers = [RawKind::Snapshot, RawKind::Update, RawKind::Prints].map(|kind| of(kind).count());
    assert_eq!(numbers, [1, 26_822, 2_285]);
    let books = frames.iter().filter(|frame| frame.kind != RawKind::Prints);
    let mut same = 0;
    for (frame, levels) in books.zip(capture_levels(&capture)) {
        // Of the updates before the snapshot two are newer than it: the capture has them in its first book.
        assert!(frame.levels == levels || same == 0, "frame {same}");
        same += 1;
    }
    assert_eq!((same, frames[0].levels.len()), (26_823, 2_000));
    assert_eq!(frames[0].ts_recv_ns, 1_723_161_257_877_323_605);
    assert_eq!(detect(&path), Ok(Some(Format::Hftbacktest)));
}

#[test]
fn an_opening_book_of_its_own() {
    let Some(opening) = data("samples/hftbacktest/usdm_btcusdt_20240808.v2.eod.npz") else { return };
    let (_folder, path) = npz(&[row(BUY | 1, 0, 61_659.7, 3.0), row(SELL | 1, 1, 61_700.0, 0.0)]);
    let settings = ReaderSettings { initial_snapshot: Some(opening), ..ReaderSettings::default() };
    let (frames, counts) = all(&path, &settings).unwrap();
    // Counted with numpy: 5,019 bids and 4,578 asks, 3,418 of which are a tick times 0.1 with dust; the best bid is 61659.7.
    let bids = frames[0].levels.iter().filter(|level| level.side == Bid).count();
    assert_eq!((frames[0].kind, bids, frames[0].levels.len()), (RawKind::Snapshot, 5_019, 9_597));
    assert_eq!(frames[0].levels[0].price.to_string(), "61659.7");
    assert_eq!((frames[0].ts_recv_ns, counts.rounded), (T, 3_418));
    assert_eq!(shown_all(&frames[1..]), ["U b61659.7x3", "U a61700x0"]);
}

#[test]
fn clears_snapshots_and_trades() {
    let frames = read(&[
        row(BUY | 1, 0, 98.0, 9.0),
        row(3, 1, f64::NAN, 0.0),
        row(BUY | 4, 1, 99.0, 1.0),
        row(BUY | 4, 1, 98.0, 2.0),
        row(SELL | 4, 1, 101.0, 3.0),
        row(BUY | 2, 2, 101.0, 0.5),
        row(2, 2, 101.0, 0.5),
        row(SELL | 2, 2, 99.0, 0.25),
        row(SELL | 1, 2, 101.0, 2.5),
        row(BUY | 1, 3, 97.0, 4.0),
        // From the best bid down to 98.
        row(BUY | 3, 4, 98.0, 0.0),
        row(BUY | 4, 4, 98.5, 6.0),
        // Both sides up to a price: a new snapshot, with what lies behind.
        row(BUY | 3, 5, 98.0, 0.0),
        row(BUY | 4, 5, 99.5, 7.0),
        row(SELL | 3, 5, 102.0, 0.0),
        row(SELL | 4, 5, 100.5, 8.0),
        row(5 | BUY, 6, 1.0, 1.0),
        row(3, 7, f64::NAN, 0.0),
    ]);
    let expected = [
        "S b99x1 b98x2 a101x3",
        "P b101x0.5 a99x0.25",
        "U a101x2.5",
        "U b97x4",
        "U b98x0 b99x0 b98.5x6",
        "S b99.5x7 b97x4 a100.5x8",
        "S",
    ];
    assert_eq!(shown_all(&frames.unwrap()), expected);
}

#[test]
fn only_what_the_recorder_saw_and_an_empty_book_at_first() {
    let unseen = HftEvent { ev: Bits::EXCH | BUY | 1, ..row(0, 1, 50.0, 1.0) };
    let rows = [row(BUY | 1, 0, 98.0, 9.0), unseen, row(SELL | 1, 0, 101.0, 1.0), row(BUY | 1, 2, 98.0, 0.0)];
    assert_eq!(shown_all(&read(&rows).unwrap()), ["S", "U b98x9 a101x1", "U b98x0"]);
}

#[test]
fn the_venues_clock() {
    let early = HftEvent { exch_ts: T - 9_000_000, ..row(BUY | 1, 5, 99.0, 1.0) };
    let (_folder, path) = npz(&[row(BUY | 4, 0, 98.0, 9.0), row(BUY | 1, 3, 97.0, 1.0), early]);
    let settings = ReaderSettings { time: TimeChoice::Event, ..ReaderSettings::default() };
    let (frames, _) = all(&path, &settings).unwrap();
    let times: Vec<_> = frames.iter().map(|frame| (frame.ts_recv_ns - T, frame.ts_event_ns - T)).collect();
    assert_eq!(times, [(-1_000, -1_000), (2_000, 2_000), (2_000, -9_000_000)]);
    assert!(NpzReader::open(&path, &settings).unwrap().has_event_times_only());
}

#[test]
fn each_wrong_row_is_named() {
    let good = row(BUY | 4, 0, 98.0, 9.0);
    let back = HftEvent { local_ts: T - 1, ..good };
    let at = |local_ts: i64| HftEvent { local_ts, ..good };
    for (row, error) in [
        (row(BUY | 1, 1, f64::NAN, 1.0), "px NaN is not a finite number"),
        (row(BUY | 1, 1, -5.0, 1.0), "px -5 is negative"),
        (row(BUY | 1, 1, 0.0, 1.0), "px 0 is 0"),
        (row(BUY | 1, 1, 1.0, f64::INFINITY), "qty inf is not a finite number"),
        (row(BUY | 2, 1, 1.0, 0.0), "is a trade of size 0"),
        (row(1, 1, 1.0, 1.0), "is a level without side"),
        (
            row(4, 1, 1.0, 1.0),
            "is a snapshot row without side, of an older hftbacktest: convert the recording with 2.x",
        ),
        (row(BUY | SELL | 1, 1, 1.0, 1.0), "ev 0xf0000001 has both sides"),
        (
            row(BUY | 10, 1, 1.0, 1.0),
            "is of single orders (ev & 0xff is 10): books by order are not read; record depth by level",
        ),
        (row(BUY | 77, 1, 1.0, 1.0), "is of a kind that hftbacktest 2.4 does not know (77)"),
        (
            back,
            "local_ts goes back from 1723161257000000000 to 1723161256999999999; sort the rows with \
             hftbacktest.data.correct_event_order",
        ),
        (
            at(T / 1_000),
            "local_ts 1723161257000000 is in microseconds; hftbacktest's files have nanoseconds: multiply it by 1000",
        ),
        (at(5), "local_ts 5 is not a time in nanoseconds since 1970"),
    ] {
        assert_eq!(read(&[good, row]), Err(format!(", record 1: {error}")));
    }
}

#[test]
fn each_wrong_file_is_named() {
    let rows = [row(BUY | 4, 0, 98.0, 9.0)];
    let good = npy(&rows);
    let replaced = |from: &str, to: &str| {
        let at = good.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        [&good[..at], to.as_bytes(), &good[at + from.len()..]].concat()
    };
    let newer = [&good[..6], &[2, 0], &good[8..]].concat();
    let bomb = [LAYOUT.header(1 << 20), vec![0; 64 << 20]].concat();
    let deflated = CompressionMethod::Deflated;
    for (name, bytes, error) in [
        ("arr_0.npy", &good, "0 of its 1 members are data.npy, where one is due"),
        ("data.npy", &b"PNG".to_vec(), "its data.npy ends within the header"),
        ("data.npy", &vec![7; 500], "its data.npy is not an array of numpy"),
        ("data.npy", &newer, "its data.npy has version 2.0 of the npy format, not 1.0"),
        ("data.npy", &good[..good.len() - 1].to_vec(), "its data.npy has 319 bytes, which are not 1 rows of 64"),
        ("data.npy", &npy(&[]), "holds no rows"),
        ("data.npy", &replaced("(1,)", "(1,2"), "the shape of its data.npy is not that of one column of rows"),
        ("data.npy", &replaced("'<i8'", "'>i8'"), "the dtype of its data.npy is not hftbacktest's event"),
        ("data.npy", &bomb, "bytes, more than 200 to 1"),
    ] {
        let (_folder, path) = zipped(name, bytes, deflated);
        let found = all(&path, &ReaderSettings::default()).unwrap_err().to_string();
        assert!(found.contains(error), "{found} has not {error}");
    }
    let Some(old) = data("samples/hftbacktest/old_layout_eod.npz") else { return };
    let found = all(&old, &ReaderSettings::default()).unwrap_err().to_string();
    let error = "old_layout_eod.npz: is of hftbacktest 1, rows of six floats: convert it with hftbacktest.data.utils.migration2.convert";
    assert!(found.ends_with(error), "{found}");
}

#[test]
fn a_cut_or_damaged_file_says_so() {
    let rows: Vec<_> = (0..20_000).map(|at| row(BUY | 4, at, 98.0 + at as f64, 1.0)).collect();
    let (_folder, path) = zipped("data.npy", &npy(&rows), CompressionMethod::Stored);
    let mut bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let found = all(&path, &ReaderSettings::default()).unwrap_err().to_string();
    assert!(found.contains("is not a whole zip archive"), "{found}");
    assert_eq!(detect(&path), Ok(Some(Format::Hftbacktest)));
    // A size's last bit.
    let at = bytes.len() - 1_000;
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let found = all(&path, &ReaderSettings::default()).unwrap_err().to_string();
    assert!(found.contains("its member's checksum is wrong: the file is damaged"), "{found}");
}

/// Writes frames and reads them back.
fn written_and_read(frames: &[RawFrame]) -> (Written, Vec<RawFrame>, Vec<HftEvent>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let mut writer = NpzWriter::create(&path, false).unwrap();
    let decimal = |number: Number| float(number.at(number.decimals()).unwrap(), number.decimals());
    for frame in frames {
        let times = Times { ts_recv_ns: frame.ts_recv_ns, ts_event_ns: frame.ts_event_ns };
        let levels = frame.levels.iter().map(|level| (level.side, decimal(level.price), decimal(level.size)));
        let trades = frame.prints.iter().map(|print| Trade {
            aggressor: print.aggressor,
            px: decimal(print.price),
            qty: decimal(print.size),
            ts_event_ns: print.ts_event_ns,
        });
        match frame.kind {
            RawKind::Snapshot => writer.snapshot(times, levels).unwrap(),
            RawKind::Update => writer.update(times, levels).unwrap(),
            RawKind::Prints => writer.trades(times, trades).unwrap(),
            RawKind::Lost(_) => {}
        }
    }
    let written = writer.finish().unwrap();
    let mut rows = super::npy::Rows::open(&path).unwrap();
    let events = std::iter::from_fn(|| rows.next().unwrap()).collect();
    (written, all(&path, &ReaderSettings::default()).unwrap().0, events)
}

/// Both orders that hftbacktest asks for, and as many rows in each.
fn check_orders(rows: &[HftEvent]) {
    let of = |flag: u64| rows.iter().filter(move |row| row.ev & flag != 0);
    assert!(rows.iter().all(|row| row.exch_ts <= row.local_ts && row.ev & (Bits::EXCH | LOCAL) != 0));
    assert!(of(Bits::EXCH).is_sorted_by_key(|row| row.exch_ts) && of(LOCAL).is_sorted_by_key(|row| row.local_ts));
    assert_eq!(of(Bits::EXCH).count(), of(LOCAL).count());
}

#[test]
fn the_perpetual_written_is_the_perpetual() {
    let Some(path) = data("samples/hftbacktest/cm_btcusd_perp_20240808.v2.npz") else { return };
    let (frames, _) = all(&path, &ReaderSettings::default()).unwrap();
    let (written, read, rows) = written_and_read(&frames);
    // 300,301 local rows less 275 before the snapshot, whose two clears have become one; 1,686 trades are told behind the depth
    // that shows them.
    let seen = rows.iter().filter(|row| row.is_local()).count();
    assert_eq!((seen, written.rows, rows.len()), (300_025, 301_711, 301_711));
    let prints = |frames: &[RawFrame]| -> Vec<i64> {
        frames.iter().flat_map(|frame| &frame.prints).map(|print| print.ts_event_ns).collect()
    };
    // All that happened before it was seen keeps its time.
    let late = prints(&frames).iter().zip(prints(&read)).filter(|&(one, other)| *one != other).count();
    assert_eq!(late, 0);
    check_orders(&rows);
    assert_eq!(frames.len(), read.len());
    for (at, (one, other)) in frames.iter().zip(&read).enumerate() {
        let same = (one.kind, one.ts_recv_ns, &one.levels) == (other.kind, other.ts_recv_ns, &other.levels);
        assert!(same && shown(one) == shown(other), "frame {at}");
    }
}

#[test]
fn times_that_break_the_order_are_moved() {
    let frame = |ts_recv_ns: i64, ts_event_ns: i64, kind, px| RawFrame {
        kind,
        ts_recv_ns: T + ts_recv_ns,
        ts_event_ns: if ts_event_ns == 0 { 0 } else { T + ts_event_ns },
        levels: vec![RawLevel { side: Bid, price: Number::new(px, 0).unwrap(), size: Number::new(1, 0).unwrap() }],
        prints: Vec::new(),
    };
    let (written, read, rows) = written_and_read(&[
        frame(100, 90, RawKind::Snapshot, 7),
        frame(200, 80, RawKind::Update, 8),
        frame(200, 1_000, RawKind::Update, 9),
        frame(300, 0, RawKind::Update, 6),
    ]);
    assert_eq!(written, Written { rows: 5, moved: 2, moved_ns_max: 799 });
    let times: Vec<_> = rows.iter().map(|row| (row.exch_ts - T, row.local_ts - T)).collect();
    assert_eq!(times, [(90, 100), (90, 100), (90, 200), (201, 201), (300, 300)]);
    assert_eq!(shown_all(&read), ["S b7x1", "U b8x1", "U b9x1", "U b6x1"]);
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        frames in prop::collection::vec((0..3_u8, 0..3_i64, -5..5_i64, prop::collection::vec((any::<bool>(), 1..=9_007_199_254_740_993_u64, 0..=8_u8, 0..9_u64), 1..6)), 1..20),
    ) {
        let mut ts_recv_ns = T;
        let frames: Vec<_> = frames.into_iter().enumerate().map(|(at, (kind, later, event, levels))| {
            ts_recv_ns += later;
            let kind = if at == 0 { RawKind::Snapshot } else { [RawKind::Snapshot, RawKind::Update, RawKind::Prints][usize::from(kind)] };
            let mut seen = std::collections::BTreeSet::new();
            // Twelve digits and fewer: floats of more are rounded when they are read.
            let levels = levels.into_iter().map(|(bid, price, decimals, size)| RawLevel {
                side: if bid { Bid } else { Ask },
                price: Number::new(1 + price % 999_999_999_999, decimals).unwrap(),
                size: Number::new(size + u64::from(kind != RawKind::Update), 2).unwrap(),
            }).filter(|level| seen.insert(level.price.to_string())).collect::<Vec<_>>();
            let mut frame = RawFrame { kind, ts_recv_ns, ts_event_ns: ts_recv_ns + event, ..RawFrame::default() };
            match kind {
                RawKind::Prints => frame.prints = levels.iter().map(|level| crate::sources::RawPrint {
                    aggressor: level.side, price: level.price, size: level.size, trade_id: 0, ts_event_ns: 0,
                }).collect(),
                _ => frame.levels = levels,
            }
            frame
        }).collect();
        let (_, read, rows) = written_and_read(&frames);
        check_orders(&rows);
        prop_assert_eq!(frames.len(), read.len());
        for (one, other) in frames.iter().zip(&read) {
            // A snapshot is a book, each side from its best on.
            let sorted = |frame: &RawFrame| {
                let mut words: Vec<_> = shown(frame).split(' ').map(str::to_owned).collect();
                if frame.kind == RawKind::Snapshot {
                    words.sort();
                }
                words
            };
            prop_assert_eq!(sorted(one), sorted(other));
        }
    }

    #[test]
    fn floats_are_the_nearest(count in any::<u64>(), short in any::<bool>(), decimals in 0..=18_u8) {
        let count = if short { count >> 20 } else { count >> 1 };
        let text = crate::market::units::Decimal { count, decimals }.to_string();
        prop_assert_eq!(float(count, decimals), text.parse::<f64>().unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn nothing_panics(at in 0..3_000_usize, with in any::<u8>(), cut in 0..3_000_usize, stored in any::<bool>(), inside in any::<bool>()) {
        let rows: Vec<_> = (0..40).map(|at| row([BUY | 4, SELL | 1, SELL | 2, BUY | 3][at % 4], at as i64 / 3, 98.0, 1.0)).collect();
        let mut bytes = npy(&rows);
        let method = if stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        if inside {
            let at = at % bytes.len();
            bytes[at] = with;
        }
        let (_folder, path) = zipped("data.npy", &bytes, method);
        if !inside {
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at % bytes.len();
            bytes[at] = with;
            bytes.truncate(bytes.len().saturating_sub(cut % 50));
            std::fs::write(&path, bytes).unwrap();
        }
        let _ = all(&path, &ReaderSettings::default());
        let _ = detect(&path);
    }
}
