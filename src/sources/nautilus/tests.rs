//! Catalogues against counts taken by pyarrow, and against damage.

use super::*;
use crate::engine::status::Status;
use crate::market::event::{Event, FrameHead};
use crate::market::publish::{EngineGone, Publish};
use crate::run::session::Feed;
use crate::sources::columns::writing::{self, Given};
use crate::sources::detect::{Format, detect};
use crate::sources::files::expand;
use crate::sources::market::{Market, MarketSettings};
use parquet::basic::Compression;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn sample(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/samples/nautilus")).join(name);
    if !path.is_file() {
        eprintln!("SKIPPED: no sample {}", path.display());
        return None;
    }
    Some(path)
}

fn frames(path: &Path, settings: &ReaderSettings) -> Result<(Vec<RawFrame>, NautilusReader), ReadError> {
    let mut reader = NautilusReader::open(path, settings)?;
    let (mut frames, mut frame) = (Vec::new(), RawFrame::default());
    while reader.next(&mut frame)? {
        frames.push(frame.clone());
    }
    Ok((frames, reader))
}

fn told(frame: &RawFrame) -> String {
    let levels = frame.levels.iter().map(|level| format!("{:?} {} {}", level.side, level.price, level.size));
    format!("{:?}: {}", frame.kind, levels.collect::<Vec<_>>().join(", "))
}

/// An engine that listens to nothing.
struct Nobody;

impl Publish for Nobody {
    fn publish(&mut self, _: &FrameHead, _: &[Event]) -> Result<(), EngineGone> {
        Ok(())
    }
}

/// Rows of action, side, price, size, order, flags and milliseconds after the first.
type Given7 = (i32, i32, f64, f64, i64, i32, i64);

const TIME: i64 = 1_723_161_256_600_000_000;

fn write(path: &Path, width: usize, rows: &[Given7]) {
    write_with(path, [width; 2], rows, &|row, field| {
        let value = [row.2, row.3][field];
        match width {
            8 => ((value * 1e9) as i64).to_le_bytes().to_vec(),
            // As NautilusTrader computed it: with the dust of a float.
            _ => ((value * 1e16) as i128).to_le_bytes().to_vec(),
        }
    });
}

/// The same with other bytes of price and size.
fn write_with(path: &Path, widths: [usize; 2], rows: &[Given7], fixed: &dyn Fn(&Given7, usize) -> Vec<u8>) {
    let [price, size] = widths;
    let fields = format!(
        "required int32 action (UINT_8); required int32 side (UINT_8); required fixed_len_byte_array({price}) price; \
         required fixed_len_byte_array({size}) size; required int64 order_id (UINT_64); required int32 flags (UINT_8); \
         required int64 sequence (UINT_64); required int64 ts_event (UINT_64); required int64 ts_init (UINT_64);"
    );
    let small = |of: fn(&Given7) -> i32| Given::Small(rows.iter().map(of).collect());
    let times = |by: i64| Given::Whole(rows.iter().map(|row| TIME + by + row.6 * 1_000_000).collect());
    let given = [
        small(|row| row.0),
        small(|row| row.1),
        Given::Fixed(rows.iter().map(|row| fixed(row, 0)).collect()),
        Given::Fixed(rows.iter().map(|row| fixed(row, 1)).collect()),
        Given::Whole(rows.iter().map(|row| row.4).collect()),
        small(|row| row.5),
        Given::Whole(vec![0; rows.len()]),
        times(0),
        times(5),
    ];
    writing::write(path, &fields, &given, rows.len(), 4, Compression::SNAPPY);
}

fn of_rows(width: usize, rows: &[Given7]) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part-0.parquet");
    write(&path, width, rows);
    assert_eq!(detect(&path).unwrap(), Some(Format::Nautilus));
    let found = frames(&path, &ReaderSettings::default());
    found.map(|(frames, _)| frames.iter().map(told).collect()).map_err(|error| error.to_string())
}

#[test]
fn the_sample_is_the_book_that_pyarrow_reads() {
    let Some(path) = sample("64-bit-deltas.parquet") else { return };
    let (frames, reader) = frames(&path, &ReaderSettings::default()).unwrap();
    assert_eq!(reader.product(), "1.166564490-60424-0.0.BETFAIR");
    assert_eq!((reader.part.price_decimals, reader.part.size_decimals), (Some(0), Some(0)));
    let (counts, progress) = (reader.counts(), reader.progress());
    assert_eq!(progress.bytes_read(), std::fs::metadata(&path).unwrap().len());
    assert_eq!((counts.rows, counts.out_of_order, counts.before_snapshot, counts.rounded), (1_077, 1, 0, 0));
    let snapshots = frames.iter().filter(|frame| frame.kind == RawKind::Snapshot).count();
    assert_eq!((frames.len(), snapshots), (930, 1));
    let mut book = BTreeMap::new();
    for level in frames.iter().flat_map(|frame| &frame.levels) {
        let key = (level.side == Side::Ask, level.price.to_string());
        if level.size.is_zero() {
            book.remove(&key)
        } else {
            book.insert(key, level.size.to_string())
        };
    }
    let found: Vec<String> = book.iter().map(|((ask, price), size)| format!("{ask} {price} {size}")).collect();
    assert_eq!(found, ["false 100 73300", "false 200 88300", "true 100000 1400", "true 200 102300", "true 300 300"]);
}

#[test]
fn frames_end_with_the_flag_last_or_with_the_time() {
    let rows = [
        (UPDATE as i32, 1, 1.0, 1.0, 0, 0, 0),
        (CLEAR as i32, 0, 0.0, 0.0, 0, 32, 1),
        (ADD as i32, 1, 61_804.7, 0.3, 0, 32, 1),
        (ADD as i32, 2, 61_804.8, 7.0, 0, 160, 1),
        (UPDATE as i32, 1, 61_804.7, 1.1, 0, 0, 2),
        (DELETE as i32, 2, 61_804.8, 0.0, 0, 128, 2),
        (ADD as i32, 2, 61_804.9, 2.0, 0, 128, 2),
        (UPDATE as i32, 1, 61_804.7, 2.0, 0, 0, 3),
        (UPDATE as i32, 1, 61_804.7, 3.0, 0, 0, 4),
        (UPDATE as i32, 1, 61_804.7, 3.0, 0, 132, 5),
        (UPDATE as i32, 1, 61_804.7, 4.0, 0, 128, 6),
        (ADD as i32, 1, 61_804.7, 5.0, 0, 160, 7),
    ];
    let due = [
        "Snapshot: Bid 61804.7 0.3, Ask 61804.8 7",
        "Update: Bid 61804.7 1.1, Ask 61804.8 0",
        "Update: Ask 61804.9 2",
        "Update: Bid 61804.7 2",
        "Update: Bid 61804.7 3",
        "Lost(RecordingGap): ",
        "Snapshot: Bid 61804.7 5",
    ];
    for width in [8, 16] {
        assert_eq!(of_rows(width, &rows).unwrap(), due, "{width}");
    }
}

#[test]
fn orders_add_up_to_levels() {
    let rows = [
        (CLEAR as i32, 0, 0.0, 0.0, 0, 0, 0),
        (ADD as i32, 1, 10.0, 1.0, 7, 0, 0),
        (ADD as i32, 1, 10.0, 2.0, 8, 0, 0),
        // Moves to another price.
        (UPDATE as i32, 1, 11.0, 5.0, 7, 0, 1),
        (DELETE as i32, 1, 10.0, 2.0, 8, 0, 2),
        (DELETE as i32, 1, 9.0, 2.0, 99, 0, 3),
    ];
    let due = ["Snapshot: Bid 10 3", "Update: Bid 10 2, Bid 11 5", "Update: Bid 10 0", "Update: Bid 9 0"];
    assert_eq!(of_rows(8, &rows).unwrap(), due);
}

#[test]
fn every_fault_says_where_and_what() {
    let clear = (CLEAR as i32, 0, 0.0, 0.0, 0, 0, 0);
    for (row, what) in [
        ((9, 1, 1.0, 1.0, 0, 0, 1), ", record 1: action 9 is neither 1 add, 2 update, 3 delete nor 4 clear"),
        ((1, 0, 1.0, 1.0, 0, 0, 1), ", record 1: side 0 is neither 1 buy nor 2 sell"),
        ((1, 1, 0.0, 1.0, 0, 0, 1), ", record 1: price is 0"),
        ((1, 1, -1.0, 1.0, 0, 0, 1), ", record 1: price is negative: -1.000000000"),
        ((1, 1, 1.0, 1.0, 0, 0, -TIME / 1_000_000), ", record 1: ts_event: the time '0' is neither Unix time"),
    ] {
        let row: Given7 = row;
        let error = of_rows(8, &[clear, row]).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
    let error = of_rows(8, &[(UPDATE as i32, 1, 1.0, 1.0, 0, 0, 0)]).unwrap_err();
    assert!(error.ends_with("holds no clear and no snapshot: nothing can be made of its updates"), "{error}");
    for name in ["64-bit-trades.parquet", "128-bit-trades.parquet"] {
        let Some(path) = sample(name) else { return };
        let due = "holds NautilusTrader's trades alone, no book; take its order_book_deltas";
        let error = NautilusReader::open(&path, &ReaderSettings::default()).map(drop).unwrap_err();
        assert_eq!(error.what, due);
        // So does whoever is not told what it is.
        let error = Market::open(&path, &MarketSettings::default()).map(drop).unwrap_err().to_string();
        assert!(error.contains("NautilusTrader's trades alone, no book"), "{error}");
    }
    let Some(path) = sample("64-bit-deltas.parquet") else { return };
    let other = ReaderSettings { product: Some("X".into()), ..ReaderSettings::default() };
    let error = NautilusReader::open(&path, &other).map(drop).unwrap_err();
    assert_eq!(error.what, "is of 1.166564490-60424-0.0.BETFAIR and not of X");
}

#[test]
fn widths_other_than_eight_and_sixteen_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part-0.parquet");
    let clear = (CLEAR as i32, 0, 0.0, 0.0, 0, 0, 0);
    for (price, size, due) in [
        (12, 12, ", record 1: price 'AAAAAAAAAAAA' is not of a fixed width of 8 or 16 bytes"),
        (8, 16, ", record 1: price and size have different widths"),
        (16, 4, ", record 1: size 'AAAA' is not of a fixed width of 8 or 16 bytes"),
    ] {
        let bytes = |width: usize| match width {
            8 | 16 => [&[1_u8][..], &[0; 15]].concat()[..width].to_vec(),
            _ => vec![b'A'; width],
        };
        let rows = [clear, (ADD as i32, 1, 0.0, 0.0, 0, 0, 1)];
        write_with(&path, [price, size], &rows, &|_, field| bytes([price, size][field]));
        let error = frames(&path, &ReaderSettings::default()).map(drop).unwrap_err().to_string();
        assert!(error.ends_with(due), "{error}");
    }
}

#[test]
fn a_book_that_may_be_bad_waits_for_a_clear_or_a_snapshot() {
    let rows = [
        (CLEAR as i32, 0, 0.0, 0.0, 0, 0, 0),
        (ADD as i32, 1, 10.0, 1.0, 0, 128, 0),
        // Without LAST, so that the next row is read ahead.
        (UPDATE as i32, 1, 10.0, 2.0, 0, 4, 1),
        (UPDATE as i32, 1, 10.0, 3.0, 0, 128, 2),
        (UPDATE as i32, 1, 10.0, 4.0, 0, 128, 3),
        (CLEAR as i32, 0, 0.0, 0.0, 0, 0, 4),
        (ADD as i32, 2, 11.0, 1.0, 0, 128, 4),
        // A snapshot without a clear takes the place of the book.
        (ADD as i32, 1, 9.0, 1.0, 0, 32, 5),
        (ADD as i32, 2, 12.0, 1.0, 0, 160, 5),
        (UPDATE as i32, 1, 9.0, 0.0, 0, 132, 6),
    ];
    let due = [
        "Snapshot: Bid 10 1",
        "Lost(RecordingGap): ",
        "Snapshot: Ask 11 1",
        "Snapshot: Bid 9 1, Ask 12 1",
        // What was lost at the end is not found again, and the file is read to its end.
        "Lost(RecordingGap): ",
    ];
    for width in [8, 16] {
        assert_eq!(of_rows(width, &rows).unwrap(), due);
    }
}

#[test]
fn a_book_may_have_so_many_orders_and_not_one_more() {
    let mut orders = Orders::new(2);
    let row = |order_id, action| Row { action, side: 1, price: 1, size: 1, order_id, ..Row::default() };
    for order_id in [1, 2] {
        orders.set(&row(order_id, ADD)).unwrap();
    }
    assert_eq!(orders.set(&row(3, ADD)).unwrap_err(), "more than 2 orders are open");
    orders.set(&row(1, DELETE)).unwrap();
    orders.set(&row(3, ADD)).unwrap();
}

#[test]
fn the_parts_of_a_catalogue_are_one_stream() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let whole: Vec<Given7> = vec![
        (CLEAR as i32, 0, 0.0, 0.0, 0, 0, 0),
        (ADD as i32, 1, 10.0, 1.0, 0, 0, 0),
        (ADD as i32, 2, 11.0, 1.0, 0, 0, 1),
        (UPDATE as i32, 1, 10.0, 2.0, 0, 0, 2),
        (DELETE as i32, 2, 11.0, 0.0, 0, 0, 3),
    ];
    write(&at("whole.parquet"), 8, &whole);
    // In the other order by their names.
    write(&at("b.parquet"), 8, &whole[..3]);
    write(&at("a.parquet"), 8, &whole[3..]);
    let (due, _) = frames(&at("whole.parquet"), &ReaderSettings::default()).unwrap();
    let mut reader = NautilusReader::open_all(&[at("a.parquet"), at("b.parquet")], &ReaderSettings::default()).unwrap();
    let (mut found, mut frame) = (Vec::new(), RawFrame::default());
    while reader.next(&mut frame).unwrap() {
        found.push(frame.clone());
    }
    assert_eq!((&found, found.len()), (&due, 4));
    assert_eq!(reader.progress().bytes_read(), reader.progress().bytes_total());
    // So they are as a folder and by a pattern.
    std::fs::rename(at("whole.parquet"), at("whole")).unwrap();
    std::fs::create_dir(at("parts")).unwrap();
    for name in ["a.parquet", "b.parquet"] {
        std::fs::copy(at(name), at("parts").join(name)).unwrap();
    }
    for named in [at("parts"), at("*.parquet")] {
        let paths = expand(&[named]).unwrap();
        let market = Market::open_all(&paths, &MarketSettings::default()).unwrap();
        let outcome = market.run(&mut Nobody, &Status::default());
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert_eq!((outcome.first().counts.frames, outcome.first().counts.snapshots, outcome.lines), (4, 1, 5));
    }
    // Alone, the second has nothing to begin with.
    let error = frames(&at("a.parquet"), &ReaderSettings::default()).map(drop).unwrap_err();
    assert_eq!(error.what, "holds no clear and no snapshot: nothing can be made of its updates");

    write(&at("a.parquet"), 8, &whole[2..]);
    write(&at("b.parquet"), 8, &whole[..4]);
    let mut reader = NautilusReader::open_all(&[at("a.parquet"), at("b.parquet")], &ReaderSettings::default()).unwrap();
    let error = loop {
        match reader.next(&mut frame) {
            Ok(true) => {}
            Ok(false) => panic!("the parts overlap"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("a.parquet: begins 1000000 ns before "), "{error}");
    assert!(error.ends_with("b.parquet ends: give files that do not overlap"), "{error}");

    write(&at("a.parquet"), 16, &whole[3..]);
    write(&at("b.parquet"), 8, &whole[..3]);
    let mut reader = NautilusReader::open_all(&[at("a.parquet"), at("b.parquet")], &ReaderSettings::default()).unwrap();
    let found = (0..4).map(|_| reader.next(&mut frame)).find_map(Result::err).unwrap();
    assert_eq!(found.what, "numbers have another width than in the files before");
}

#[test]
fn a_missing_part_is_a_hole() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let part = |name: &str, first_ms: i64| {
        let row = |ms: i64| -> Given7 { (UPDATE as i32, 1, 10.0, 1.0 + (ms % 7) as f64, 0, 0, ms) };
        let begin = (first_ms == 0).then_some((CLEAR as i32, 0, 0.0, 0.0, 0, 0, 0));
        write(&at(name), 8, &begin.into_iter().chain([row(first_ms), row(first_ms + 1_000)]).collect::<Vec<_>>());
    };
    part("a.parquet", 0);
    part("b.parquet", 2_000);
    part("d.parquet", 123_000);
    let read = |names: &[&str]| {
        let paths: Vec<PathBuf> = names.iter().map(|name| at(name)).collect();
        let outcome =
            Market::open_all(&paths, &MarketSettings::default()).unwrap().run(&mut Nobody, &Status::default());
        (outcome.files, outcome.longest_hole_ns, outcome.remarks)
    };
    assert_eq!(read(&["a.parquet", "b.parquet"]), (2, 1_000_000_000, vec![]));
    let says = format!(
        "{} begins 120 s after the file before it ends: is one missing between them? A book that does not begin anew there went on \
         as it was",
        at("d.parquet").display()
    );
    assert_eq!(read(&["d.parquet", "b.parquet", "a.parquet"]), (3, 120_000_000_000, vec![says]));
    assert_eq!(read(&["a.parquet"]), (1, 0, vec![]));
}

proptest! {
    #[test]
    fn no_damage_panics(edits in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6), cut in prop_oneof![4 => Just(0), 1 => any::<usize>()]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part-0.parquet");
        write(&path, 8, &[(CLEAR as i32, 0, 0.0, 0.0, 0, 0, 0), (ADD as i32, 1, 10.0, 1.0, 0, 0, 0), (ADD as i32, 2, 11.0, 1.0, 0, 0, 1)]);
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len();
        for (at, byte) in edits {
            bytes[at % length] = byte;
        }
        bytes.truncate(length - cut % length);
        std::fs::write(&path, &bytes).unwrap();
        let _ = detect(&path);
        let _ = frames(&path, &ReaderSettings::default());
    }
}
