//! Databento's Parquet against its CSV.

use super::*;
use crate::sources::columns::writing::{self, Given};
use ::parquet::basic::{Compression, ZstdLevel};

/// All records of a CSV.
fn records(path: &Path) -> (Vec<Record>, String) {
    let mut records = TextRecords::open(path, &ReaderSettings::default()).unwrap();
    let (mut all, mut record) = (Vec::new(), Record::default());
    while records.next(&mut record).unwrap() {
        all.push(record.clone());
    }
    (all, records.product().into())
}

/// Writes records as Databento does: prices as floats or integers, times as such or as integers.
fn write(path: &Path, records: &[Record], product: &str, is_pretty: bool) {
    let is_mbo = records[0].schema == Schema::Mbo;
    let mut fields = String::new();
    let mut given = Vec::new();
    let mut add = |field: String, column: Given| {
        fields.push_str(&field);
        given.push(column);
    };
    let whole = |of: fn(&Record) -> i64| Given::Whole(records.iter().map(of).collect());
    let small = |of: fn(&Record) -> i32| Given::Small(records.iter().map(of).collect());
    let letter =
        |of: fn(&Record) -> u8| Given::Text(records.iter().map(|record| char::from(of(record)).into()).collect());
    let time = |name| {
        if is_pretty {
            format!("required int64 {name} (TIMESTAMP(NANOS,true)); ")
        } else {
            format!("required int64 {name} (UINT_64); ")
        }
    };
    let price = |name: &str, of: &dyn Fn(&Record) -> i64| {
        let prices = records.iter().map(of);
        if is_pretty {
            let real = |price: i64| (price != UNDEFINED_PRICE).then(|| price as f64 / 1e9);
            (format!("optional double {name}; "), Given::Real(prices.map(real).collect()))
        } else {
            (format!("required int64 {name}; "), Given::Whole(prices.collect()))
        }
    };
    add(time("ts_event"), whole(|record| record.ts_event_ns));
    add("required int32 rtype (UINT_8); ".into(), small(|_| 160));
    add("required int32 publisher_id (UINT_16); ".into(), small(|record| record.publisher_id.into()));
    add("required int32 instrument_id (UINT_32); ".into(), small(|record| record.instrument_id.cast_signed()));
    add("required binary action (UTF8); ".into(), letter(|record| record.action));
    add("required binary side (UTF8); ".into(), letter(|record| record.side));
    let (field, column) = price("price", &|record| record.price);
    add(field, column);
    add("required int32 size (UINT_32); ".into(), small(|record| record.size.cast_signed()));
    add("required int32 flags (UINT_8); ".into(), small(|record| record.flags.into()));
    if is_mbo {
        add("required int64 order_id (UINT_64); ".into(), whole(|record| record.order_id.cast_signed()));
    } else {
        for level in 0..LEVELS {
            let (field, column) = price(&format!("bid_px_{level:02}"), &|record| record.levels[level].bid_price);
            add(field, column);
            let (field, column) = price(&format!("ask_px_{level:02}"), &|record| record.levels[level].ask_price);
            add(field, column);
            for (name, of) in [("bid_sz", (|pair| pair.bid_size) as fn(&Pair) -> u32), ("ask_sz", |pair| pair.ask_size)]
            {
                let sizes = records.iter().map(|record| of(&record.levels[level]).cast_signed()).collect();
                add(format!("required int32 {name}_{level:02} (UINT_32); "), Given::Small(sizes));
            }
        }
    }
    add("required binary symbol (UTF8); ".into(), Given::Text(vec![product.into(); records.len()]));
    // The index of Databento's frames stands behind their columns.
    add(time("ts_recv"), whole(|record| record.ts_recv_ns));
    writing::write(path, &fields, &given, records.len(), 1_700, Compression::ZSTD(ZstdLevel::default()));
}

#[test]
fn parquet_is_the_same_market_as_the_csv() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("market.parquet");
    for name in ["databento_csv/mbo.csv.gz", "databento_csv/mbp-10.csv.gz"] {
        let Some(csv) = sample(name) else { return };
        let due = read(&csv, &ReaderSettings::default());
        let (records, product) = records(&csv);
        for is_pretty in [false, true] {
            write(&path, &records, &product, is_pretty);
            assert_eq!(detect(&path).unwrap(), Some(Format::Databento));
            let found = read(&path, &ReaderSettings::default());
            assert_eq!((found.error, found.product), (None, due.product.clone()), "{name} {is_pretty}");
            assert_eq!(found.counts, due.counts, "{name} {is_pretty}");
            assert!(found.frames == due.frames && found.frames.len() > 2_000, "{name} {is_pretty}");
        }
    }
}

#[test]
fn faults_of_parquet_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("market.parquet");
    let record = Record {
        action: b'R',
        side: b'N',
        flags: 128,
        ts_recv_ns: T0 as i64,
        ts_event_ns: T0 as i64,
        ..Record::default()
    };
    let order = Record { action: b'A', side: b'B', size: 1, price: 10_000_000_000, order_id: 1, ..record.clone() };
    for (second, due) in [
        (Record { action: b'X', ..order.clone() }, "FILE, record 1: action 'X' is none of A, C, M, R, T, F and N"),
        (Record { price: -1, ..order.clone() }, "FILE, record 1: price -0.000000001 is negative"),
        (
            Record { ts_recv_ns: 17, ..order.clone() },
            "FILE, record 1: ts_recv 17 is not a time in nanoseconds since 1970",
        ),
    ] {
        write(&path, &[record.clone(), second], "ARL", false);
        let error = read(&path, &ReaderSettings::default()).error.expect(due);
        assert!(error.starts_with(due), "{error}");
    }
    write(&path, &[record, order], "ARL", false);
    let error = read(&path, &of("XYZ")).error.unwrap();
    assert!(error.contains("XYZ"), "{error}");
    let fields = "required int64 ts_event; required int32 rtype; required int32 publisher_id; required double open; required double close;";
    writing::write(
        &path,
        fields,
        &[Given::Whole(vec![]), Given::Small(vec![]), Given::Small(vec![]), Given::Real(vec![]), Given::Real(vec![])],
        0,
        1,
        Compression::SNAPPY,
    );
    assert_eq!(detect(&path).unwrap(), Some(Format::Databento));
    let error = read(&path, &ReaderSettings::default()).error.unwrap();
    assert_eq!(error, "FILE: has schema ohlcv: bars without a book; ask Databento for mbo or mbp-10");
}

#[test]
fn a_book_may_have_so_many_orders_and_not_one_more() {
    let (mut book, mut queue) = (OrderBook::holding(2), Queue::default());
    let record = |action, order_id| Record {
        action,
        order_id,
        side: b'B',
        size: 1,
        price: 10_000_000_000,
        flags: 128,
        ..Record::default()
    };
    for record in [record(b'R', 0), record(b'A', 1), record(b'A', 2)] {
        book.take(&record, 1, &mut queue).unwrap();
    }
    assert_eq!(book.take(&record(b'A', 3), 1, &mut queue).unwrap_err(), "more than 2 orders are open");
    book.take(&record(b'C', 1), 1, &mut queue).unwrap();
    book.take(&record(b'A', 3), 1, &mut queue).unwrap();
}
