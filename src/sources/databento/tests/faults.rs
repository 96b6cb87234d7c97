//! Each fault by its words.

use super::*;

#[test]
fn faults_of_binary_files_are_named() {
    let good = binary(MBO, &[("ESH4", &[7])], &[mbo(7, 1, 0, 'R', UNDEFINED_PRICE, 128), mbo(7, 1, 1, 'A', 5, 128)]);
    let error = |bytes: &[u8]| read_bytes(bytes, &ReaderSettings::default()).error.unwrap_or_default();
    let of_record =
        |record: Vec<u8>| error(&binary(MBO, &[("ESH4", &[7])], &[mbo(7, 1, 0, 'R', UNDEFINED_PRICE, 128), record]));
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let metadata = good.len() - 2 * 56;
    assert_eq!(read_bytes(&good, &ReaderSettings::default()).error, None);
    let cut = read_bytes(&good[..good.len() - 1], &ReaderSettings::default());
    assert_eq!(
        cut.error.as_deref(),
        Some("FILE, record 1: the file ends within this record; what came before was used")
    );
    assert_eq!(cut.frames.len(), 1);
    let compressed = zstd::encode_all(&good[..], 3).unwrap();
    assert_eq!(read_bytes(&compressed, &ReaderSettings::default()).frames.len(), 2);
    let action = |at| if at == 0 { 'R' } else { 'A' };
    let many: Vec<_> = (0..10_000).map(|at| mbo(7, 1, at, action(at), 1 + at as i64, 128)).collect();
    let compressed = zstd::encode_all(&binary(MBO, &[], &many)[..], 3).unwrap();
    let cut = read_bytes(&compressed[..compressed.len() - 4], &ReaderSettings::default());
    assert!(cut.error.unwrap().ends_with(": the file ends within this record; what came before was used"));
    assert!(cut.frames.len() > 5_000);
    for (bytes, what) in [
        (with(3, 4), "FILE: is DBN version 4; versions 1 to 3 can be read: download it again as version 3"),
        (with(7, 127), "FILE: has 2130706608 bytes of metadata, of at most 67108864; is it damaged?"),
        (with(metadata, 3), "FILE, record 0: tells a length of 12 bytes, shorter than a header; is the file damaged?"),
        (with(metadata, 4), "FILE, record 0: has 16 bytes where 56 are due"),
        (good[..metadata].to_vec(), "FILE: holds no records"),
        (good[..30].to_vec(), "FILE: ends within its metadata"),
        (with(metadata + 38, b'x'), "FILE, record 0: action 'x' is none of A, C, M, R, T, F and N"),
        (
            binary(1, &[], &[]),
            "FILE: has schema mbp-1: one level a side, where models need more; ask Databento for mbo or mbp-10",
        ),
        (binary(4, &[], &[]), "FILE: has schema trades: trades without a book; ask Databento for mbo or mbp-10"),
        (binary(5, &[], &[]), "FILE: has schema ohlcv-1s: bars without a book; ask Databento for mbo or mbp-10"),
        (binary(11, &[], &[]), "FILE: has schema status: no book; ask Databento for mbo or mbp-10"),
    ] {
        assert_eq!(error(&bytes), what);
    }
    assert!(error(&with(24, 99)).starts_with("FILE: has metadata that cannot be read: "));
    let negative = "FILE, record 1: price -0.250000000 is negative: spreads cannot be replayed, choose an outright";
    assert_eq!(of_record(mbo(7, 1, 1, 'A', -250_000_000, 128)), negative);
    assert_eq!(of_record(mbo(7, 1, 1, 'A', UNDEFINED_PRICE, 128)), "FILE, record 1: price is undefined");
    assert_eq!(of_record(mbo(7, 1, 1, 'A', 0, 128)), "FILE, record 1: price is 0");
    let level = "FILE, record 1: tells of a level (flag TOB or MBP), not of an order: ask Databento for mbp-10";
    assert_eq!(of_record(mbo(7, 1, 1, 'A', 5, 128 + 64)), level);
    let mut early = mbo(7, 1, 1, 'A', 5, 128);
    early[40..48].copy_from_slice(&(T0 - 5).to_le_bytes());
    let back = format!("FILE, record 1: ts_recv goes back from {T0} to {}; sort the records by it", T0 - 5);
    assert_eq!(of_record(early.clone()), back);
    // Where the record says that its time is bad, it is counted.
    early[36] = 128 + 8;
    let clear = mbo(7, 1, 0, 'R', UNDEFINED_PRICE, 128);
    let all = read_bytes(&binary(MBO, &[], &[clear, early.clone()]), &ReaderSettings::default());
    assert_eq!((all.error, all.counts.out_of_order, all.frames[1].ts_recv_ns), (None, 1, T0 as i64));
    assert_eq!(all.product, "7");
    early[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
    let none = "FILE, record 1: ts_recv is undefined; replay by the venue's time: --time event";
    assert_eq!(of_record(early.clone()), none);
    let event = ReaderSettings { time: TimeChoice::Event, ..ReaderSettings::default() };
    let mut first = mbo(7, 1, 0, 'R', UNDEFINED_PRICE, 128);
    first[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(
        read_bytes(&binary(MBO, &[], &[first]), &event).error.as_deref(),
        Some("FILE, record 0: ts_event is undefined, so that nothing can be replayed by the venue's time")
    );
    early[40..48].copy_from_slice(&(T0 / 1_000).to_le_bytes());
    let unit = "ts_recv 1752735909000000 is in microseconds; Databento's files have nanoseconds: multiply it by 1000";
    assert_eq!(of_record(early), format!("FILE, record 1: {unit}"));
}

#[test]
fn slices_and_other_schemas_are_refused_with_the_reason() {
    let slice = "FILE: holds neither a clear (action R) nor a snapshot of the product, so that nobody knows which orders \
        rested: ask Databento for data from the session's start or from midnight UTC on";
    for (name, counted, what) in [
        ("test_data.mbo.v3.dbn.zst", 2, slice),
        (
            "test_data.mbp-1.v3.dbn.zst",
            0,
            "FILE: has schema mbp-1: one level a side, where models need more; ask Databento for mbo or mbp-10",
        ),
        (
            "futures_trades_2024-07-01T23-58_2024-07-02T00-02.dbn.zst",
            0,
            "FILE: has schema trades: trades without a book; ask Databento for mbo or mbp-10",
        ),
    ] {
        let Some(path) = sample(&format!("databento/{name}")) else { return };
        let all = read(&path, &ReaderSettings::default());
        assert_eq!((all.error.as_deref(), all.counts.before_snapshot, all.frames.len()), (Some(what), counted, 0));
    }
}

#[test]
fn faults_of_rows_are_named() {
    let error = |bytes: &[u8]| read_bytes(bytes, &ReaderSettings::default()).error.unwrap_or_default();
    let clear = || row(0, 'R', 'N', "", 0, 0, 128);
    let of_row = |row: String| error(&csv(&[clear(), row]));
    let good = row(1, 'A', 'B', "5.0", 1, 1, 128);
    assert_eq!(of_row(good.clone()), "");
    for (row, what) in [
        (
            good.replace(",5.0,", ",-5.0,"),
            "price -5.000000000 is negative: spreads cannot be replayed, choose an outright",
        ),
        (good.replace(",5.0,", ",nan,"), "price 'nan' is not a finite number"),
        (good.replace(",5.0,", ",x.y,"), "price 'x.y' is not a number"),
        (good.replace(",5.0,", ",,"), "price is undefined"),
        (good.replace(",A,B,", ",AA,B,"), "action 'AA' is not one letter"),
        (good.replace(",A,B,", ",X,B,"), "action 'X' is none of A, C, M, R, T, F and N"),
        (good.replace(",A,B,", ",A,X,"), "side 'X' is neither A, B nor N"),
        (good.replace(",A,B,", ",A,N,"), "an order without a side"),
        (good.replace(",1,1,128", ",,1,128"), "an order without a size"),
        (good.replace(",1,1,128", ",-1,1,128"), "size '-1' is not a whole number"),
        (good.replace(",1,1,128", ",1,1,300"), "flags '300' is too large"),
        (good.replace(",1,1,128", ",1,q,128"), "order_id 'q' is not a whole number"),
        (good.replace(",ARL", ""), "has 11 cells where 12 are due; is it cut?"),
        (format!("{good},x"), "has more than 12 cells"),
        (good.replacen("1752735909001000000", "yesterday", 1), "ts_recv 'yesterday' is not a time"),
        (
            good.replacen("1752735909001000000", "1752735909001", 1),
            "ts_recv 1752735909001 is in milliseconds; Databento's files have nanoseconds: multiply it by 1000000",
        ),
        (good.replacen("1752735909001000000", "7", 1), "ts_recv 7 is not a time in nanoseconds since 1970"),
    ] {
        assert_eq!(of_row(row), format!("FILE, line 3: {what}"));
    }
    let mixed = error(&csv(&[clear(), good.clone(), row(2, 'A', 'B', "5", 1, 2, 128)]));
    let what = "FILE, line 4: price '5' follows prices that are decimals: write all of them in one way";
    assert_eq!(mixed, what);
    assert_eq!(error(b""), "FILE: is empty");
    assert_eq!(error(format!("{HEADER}\n").as_bytes()), "FILE: holds no records");
    assert_eq!(
        error(&csv(&[row(0, 'R', 'N', "", 0, 0, 8), row(0, 'A', 'B', "5.0", 1, 1, 0)])),
        "FILE: has no record with the flag LAST (128), so that nobody knows where an event ends"
    );
    for (header, what) in [
        ("a,b", "the header is 'a,b', which is not that of Databento's mbo or mbp-10"),
        (
            "ts_event,rtype,publisher_id,open,close",
            "has schema ohlcv: bars without a book; ask Databento for mbo or mbp-10",
        ),
        (
            "ts_event,rtype,publisher_id,bid_px_00",
            "has schema mbp-1 or another of one level: models need more; ask Databento for mbo or mbp-10",
        ),
        (
            "ts_event,action,flags,price",
            "has no column order_id or bid_px_09: no book; ask Databento for mbo or mbp-10",
        ),
        ("ts_event,action,flags,order_id,side,size", "lacks the column price"),
        ("ts_event,action,flags,side,size,price,bid_px_00,bid_px_09", "lacks the column bid_sz_00"),
    ] {
        assert_eq!(error(format!("{header}\n").as_bytes()), format!("FILE, line 1: {what}"));
    }
}
