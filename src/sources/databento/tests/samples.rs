//! Real files, beside what others read in them.

use super::*;

/// Its time, and the price and size of each bid and ask.
type Row = (i64, Vec<(u64, u64)>, Vec<(u64, u64)>);

/// An MBP-10 CSV read plainly: the time and both sides of rows with the flag LAST.
fn plain_rows(path: &Path) -> Vec<Row> {
    let mut text = String::new();
    open(path).unwrap().read_to_string(&mut text).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let rows = lines.map(|line| line.split(',').collect::<Vec<_>>());
    let is_last = |row: &Vec<&str>| row[column("flags")].parse::<u8>().unwrap() & 128 != 0;
    rows.filter(is_last)
        .map(|row| {
            let side = |side: &str| {
                let levels = (0..LEVELS).map(|at| {
                    let cell = |what: &str| row[column(&format!("{side}_{what}_{at:02}"))];
                    (cell("px"), cell("sz"))
                });
                let count = |price: &str| (price.parse::<f64>().unwrap() * 1e4).round() as u64 * 100_000;
                levels.filter(|(price, _)| !price.is_empty()).map(|(px, sz)| (count(px), sz.parse().unwrap())).collect()
            };
            let time: jiff::Timestamp = row[column("ts_event")].parse().unwrap();
            (time.as_nanosecond() as i64, side("bid"), side("ask"))
        })
        .collect()
}

/// Compares the book of a reader, as of each row's time, with the row's ten levels.
fn same_as_rows(frames: &[RawFrame], rows: &[Row], until_ns: i64) -> usize {
    let (mut book, mut at, mut compared) = (Book::new(), 0, 0);
    for (ts_event_ns, bids, asks) in rows.iter().filter(|row| row.0 <= until_ns) {
        while at < frames.len() && frames[at].ts_event_ns <= *ts_event_ns {
            apply(&mut book, &frames[at]);
            at += 1;
        }
        assert_eq!((&top(&book, Side::Bid), &top(&book, Side::Ask)), (bids, asks), "at {ts_event_ns}");
        compared += 1;
    }
    compared
}

#[test]
fn a_book_of_orders_equals_the_ten_levels_of_the_same_day() {
    let (Some(mbo), Some(mbp)) = (sample("databento_csv/mbo.csv.gz"), sample("databento_csv/mbp-10.csv.gz")) else {
        return;
    };
    let orders = read(&mbo, &ReaderSettings::default());
    assert_eq!((orders.error, orders.product.as_str(), orders.counts.rows), (None, "ARL", 2_999));
    assert_eq!((orders.unknown_orders, orders.counts.before_snapshot, orders.counts.prints_without_side), (0, 0, 23));
    let rows = plain_rows(&mbp);
    assert_eq!(rows.len(), 2_385);
    let until_ns = orders.frames.last().unwrap().ts_event_ns;
    assert_eq!(same_as_rows(&orders.frames, &rows, until_ns), 1_543);
    // The reader of ten levels agrees with all rows.
    let levels = read(&mbp, &ReaderSettings::default());
    assert_eq!((levels.error, levels.product.as_str(), levels.counts.rows), (None, "ARL", 2_999));
    assert_eq!(levels.counts.prints_without_side, 25);
    assert_eq!(same_as_rows(&levels.frames, &rows, i64::MAX), 2_385);
    let snapshots = |frames: &[RawFrame]| frames.iter().filter(|frame| frame.kind == RawKind::Snapshot).count();
    assert_eq!((snapshots(&orders.frames), snapshots(&levels.frames)), (1, 1));
    let prints: Vec<_> = orders.frames.iter().flat_map(|frame| &frame.prints).collect();
    assert_eq!(prints.len(), 1);
    assert_eq!((prints[0].aggressor, prints[0].price.to_string().as_str()), (Side::Bid, "13.4"));
}

#[test]
fn records_are_those_of_the_dbn_crate() {
    for (name, records) in [
        ("orderbooks_mbo_2024-05-08T00-00-00_2024-05-08T00-00-02.dbn.zst", 13_796),
        ("esh4-glbx-mdp3-20231224.mbo.dbn.zst", 8_725),
        ("test_data.mbo.v3.dbn.zst", 2),
        ("test_data.mbp-10.dbn", 2),
        ("test_data.mbp-10.v1.dbn.zst", 2),
        ("test_data.mbp-10.v3.dbn.zst", 2),
    ] {
        let Some(path) = sample(&format!("databento/{name}")) else { return };
        assert_eq!(detect(&path).unwrap(), Some(Format::Databento));
        let mut theirs = Decoder::new(open(&path).unwrap()).unwrap();
        let mut ours = BinaryRecords::open(&path, &ReaderSettings::default()).unwrap();
        let (mut record, mut count) = (Record::default(), 0);
        let letter = |letter: c_char| letter as u8;
        let time = |time: u64| if time == u64::MAX { 0 } else { time as i64 };
        while let Some(their) = theirs.decode_record_ref().unwrap() {
            assert!(ours.next(&mut record).unwrap());
            let expected = if let Ok(mbo) = their.try_get::<dbn::MboMsg>() {
                Record {
                    schema: Schema::Mbo,
                    publisher_id: mbo.hd.publisher_id,
                    instrument_id: mbo.hd.instrument_id,
                    ts_recv_ns: time(mbo.ts_recv),
                    ts_event_ns: time(mbo.hd.ts_event),
                    action: letter(mbo.action),
                    side: letter(mbo.side),
                    flags: mbo.flags.raw(),
                    price: mbo.price,
                    size: mbo.size,
                    order_id: mbo.order_id,
                    levels: Default::default(),
                }
            } else {
                let mbp = their.try_get::<dbn::Mbp10Msg>().unwrap();
                Record {
                    schema: Schema::Mbp10,
                    publisher_id: mbp.hd.publisher_id,
                    instrument_id: mbp.hd.instrument_id,
                    ts_recv_ns: time(mbp.ts_recv),
                    ts_event_ns: time(mbp.hd.ts_event),
                    action: letter(mbp.action),
                    side: letter(mbp.side),
                    flags: mbp.flags.raw(),
                    price: mbp.price,
                    size: mbp.size,
                    order_id: 0,
                    levels: std::array::from_fn(|at| Pair {
                        bid_price: mbp.levels[at].bid_px,
                        ask_price: mbp.levels[at].ask_px,
                        bid_size: mbp.levels[at].bid_sz,
                        ask_size: mbp.levels[at].ask_sz,
                    }),
                }
            };
            assert_eq!(record, expected, "{name}, record {count}");
            count += 1;
        }
        assert!(!ours.next(&mut record).unwrap());
        assert_eq!(count, records);
    }
}

#[test]
fn two_seconds_of_a_future_from_midnight_on() {
    let Some(path) = sample("databento/orderbooks_mbo_2024-05-08T00-00-00_2024-05-08T00-00-02.dbn.zst") else { return };
    let all = read(&path, &ReaderSettings::default());
    assert_eq!((all.error, all.product.as_str(), all.unknown_orders), (None, "ESM4", 0));
    let (mut book, mut updates, mut prints) = (Book::new(), 0, 0);
    for (at, frame) in all.frames.iter().enumerate() {
        match frame.kind {
            RawKind::Snapshot => assert_eq!((at, frame.levels.len()), (0, 1_547)),
            RawKind::Update => updates += 1,
            RawKind::Prints => {
                // A buyer takes at the best ask as it was.
                for print in &frame.prints {
                    let best = top(&book, Side::Ask)[0].0;
                    assert_eq!((print.aggressor, print.price.at(9)), (Side::Bid, Some(best)));
                    prints += 1;
                }
            }
            RawKind::Lost(_) => panic!("lost"),
        }
        apply(&mut book, frame);
        assert!(top(&book, Side::Bid)[0].0 < top(&book, Side::Ask)[0].0);
    }
    assert_eq!((updates, prints), (184, 5));
    let levels = |side: Side| book.keys().filter(|key| key.0 == side).count();
    assert_eq!((levels(Side::Bid), levels(Side::Ask), book.values().sum::<u64>()), (976, 571, 45_972));
    assert_eq!((top(&book, Side::Bid)[0].0, top(&book, Side::Ask)[0].0), (5_214_000_000_000, 5_214_250_000_000));
    // By the venue's time the snapshot stands where the newest of its orders was made.
    let event = read(&path, &ReaderSettings { time: TimeChoice::Event, ..ReaderSettings::default() });
    assert_eq!((event.error, event.frames.len()), (None, all.frames.len()));
    assert!(event.frames.windows(2).all(|two| two[0].ts_recv_ns <= two[1].ts_recv_ns));
}

#[test]
fn a_snapshot_without_a_clear_is_one_frame() {
    let Some(path) = sample("databento/esh4-glbx-mdp3-20231224.mbo.dbn.zst") else { return };
    let all = read(&path, &of("ESH4"));
    assert_eq!((all.error, all.frames.len()), (None, 1));
    assert_eq!((all.frames[0].kind, all.frames[0].levels.len()), (RawKind::Snapshot, 892 + 559));
}

#[test]
fn ten_levels_of_each_version_are_the_same() {
    let mut first = None;
    for name in ["test_data.mbp-10.dbn", "test_data.mbp-10.v1.dbn.zst", "test_data.mbp-10.v3.dbn.zst"] {
        let Some(path) = sample(&format!("databento/{name}")) else { return };
        let all = read(&path, &ReaderSettings::default());
        assert_eq!((&all.error, all.frames.len(), all.frames[0].levels.len()), (&None, 2, 20));
        // One order of the second best bid is cancelled.
        assert_eq!(short(&all.frames[1..]), ["-143575508999 Update Bid 3720x30"]);
        assert_eq!(first.get_or_insert_with(|| all.frames.clone()), &all.frames);
    }
}
