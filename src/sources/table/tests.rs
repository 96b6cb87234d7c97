use super::*;
use crate::sources::columns::writing::{self, Given};
use crate::sources::detect::{Format, detect};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use proptest::prelude::*;
use std::path::PathBuf;

fn sample(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/samples")).join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not here", path.display());
    None
}

/// All frames, and the error that ends them.
fn read(path: &Path, settings: &ReaderSettings) -> (Vec<RawFrame>, ReaderCounts, Option<String>) {
    let mut frames = Vec::new();
    let mut reader = match TableReader::open(path, settings) {
        Ok(reader) => reader,
        Err(error) => return (frames, ReaderCounts::default(), Some(error.to_string())),
    };
    let mut frame = RawFrame::default();
    loop {
        match reader.next(&mut frame) {
            Ok(true) => frames.push(frame.clone()),
            Ok(false) => return (frames, reader.counts(), None),
            Err(error) => return (frames, reader.counts(), Some(error.to_string())),
        }
    }
}

fn of_text(text: &str, settings: &ReaderSettings) -> (Vec<RawFrame>, ReaderCounts, Option<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, text).unwrap();
    read(&path, settings)
}

fn error_of(text: &str) -> String {
    of_text(text, &ReaderSettings::default()).2.expect("an error")
}

/// A frame's levels as text.
fn shown(frame: &RawFrame) -> Vec<String> {
    let name = |side| if side == Side::Bid { "bid" } else { "ask" };
    frame.levels.iter().map(|level| format!("{} {} {}", name(level.side), level.price, level.size)).collect()
}

#[test]
fn tardis_books_become_a_snapshot_and_differences() {
    let Some(path) = sample("tardis/binance-futures_book_snapshot_5_BTCUSDT.csv") else { return };
    assert_eq!(detect(&path).unwrap(), Some(Format::Table));
    let (frames, counts, error) = read(&path, &ReaderSettings::default());
    assert_eq!((frames.len(), counts.rows, error), (10, 10, None));
    assert_eq!((frames[0].kind, frames[0].levels.len()), (RawKind::Snapshot, 10));
    assert_eq!((frames[0].ts_recv_ns, frames[0].ts_event_ns), (1_598_918_403_810_979_000, 1_598_918_403_696_000_000));
    assert_eq!(frames[1].kind, RawKind::Update);
    assert_eq!(shown(&frames[1]), ["ask 11657.08 1.476"]);
    let Some(path) = sample("tardis/binance-futures_book_snapshot_25_BTCUSDT.csv") else { return };
    let (frames, _, error) = read(&path, &ReaderSettings::default());
    assert_eq!((frames.len(), frames[0].levels.len(), error), (10, 50, None));
}

#[test]
fn databentos_books_of_ten_levels_are_read() {
    let Some(path) = sample("databento_csv/mbp-10.csv.gz") else { return };
    let (frames, counts, error) = read(&path, &ReaderSettings::default());
    assert_eq!((error, counts.rows), (None, 2_999));
    // The first row clears a book that nobody knows.
    assert_eq!(counts.before_snapshot, 1);
    assert_eq!(shown(&frames[0]), ["bid 5.51 100"]);
    assert_eq!(frames.iter().filter(|frame| frame.kind == RawKind::Snapshot).count(), 1);
}

#[test]
fn every_layout_gives_the_same_book() {
    let tables = [
        "timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,asks[1].price,asks[1].amount,bids[1].price,bids[1].amount\n1598918403000000,1598918403810979,101,1,100,2,102.5,3,,\n",
        "ts_event,ts_recv,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,bid_ct_00,ask_ct_00,bid_px_01,ask_px_01,bid_sz_01,ask_sz_01\n1598918403000000000,1598918403810979000,100000000000,101000000000,2,1,7,7,9223372036854775807,102500000000,0,3\n",
        "origin_time,received_time,sequence_number,bid_0_price,bid_0_size,bid_1_price,bid_1_size,ask_0_price,ask_0_size,ask_1_price,ask_1_size\n2020-09-01 00:00:03,2020-09-01 00:00:03.810979,1,100.0,2.0,NaN,NaN,101.0,1.0,102.5,3.0\n",
        "\u{feff}event_time;received_at;Bid_Price_1;Bid_Size_1;Bid_Price_2;Bid_Size_2;Ask_Price_1;Ask_Size_1;Ask_Price_2;Ask_Size_2\n1598918403;1598918403.810979;100;2;-9999999999;0;101;1;102.5;3\n",
        "event_time,local_time,bid_price_0,bid_size_0,bid_price_1,bid_size_1,ask_price_0,ask_size_0,ask_price_1,ask_size_1\n1598918403000,2020-09-01T00:00:03.810979Z,100,2,0,0,101,1,102.5,3\n",
        "ts_event,ts_recv,bids,asks\n1598918403000,2020-09-01T02:00:03.810979+02:00,\"[[100,2]]\",\"[[\"\"101\"\",'1'], [1.025e2, 3, 7]]\"\n",
    ];
    for table in tables {
        let (frames, _, error) = of_text(table, &ReaderSettings::default());
        assert_eq!(error, None, "{table}");
        assert_eq!(
            (frames[0].ts_recv_ns, frames[0].ts_event_ns),
            (1_598_918_403_810_979_000, 1_598_918_403_000_000_000),
            "{table}"
        );
        let mut levels = shown(&frames[0]);
        levels.sort();
        assert_eq!(levels, ["ask 101 1", "ask 102.5 3", "bid 100 2"], "{table}");
    }
}

#[test]
fn a_pattern_and_a_column_of_times_can_be_given() {
    let settings = ReaderSettings {
        pattern: Some("L{level}-{side}{field}".into()),
        time_column: Some("When".into()),
        ..ReaderSettings::default()
    };
    let (frames, _, error) = of_text("when,L1-BidPx,L1-BidQty,L1-AskPx,L1-AskQty\n1598918403,1,2,3,4\n", &settings);
    assert_eq!((shown(&frames[0]), error), (vec!["bid 1 2".to_owned(), "ask 3 4".into()], None));
}

const HEADER: &str =
    "time,bid_price_1,bid_size_1,bid_price_2,bid_size_2,ask_price_1,ask_size_1,ask_price_2,ask_size_2\n";

#[test]
fn a_row_without_levels_loses_the_book_and_rows_of_one_time_are_one_frame() {
    let rows = "1598918401,,,,,,,,\n1598918402,9,1,8,1,10,1,11,1\n1598918402,9,2,8,1,10,1,11,1\n1598918403,,,,,,,,\n\
                1598918404,9,1,8,1,10,1,11,1\n1598918404,9,1,8,1,10,1,11,1\n1598918404,9,1,8,1,10,1,11,1\n";
    let (frames, counts, error) = of_text(&format!("{HEADER}{rows}"), &ReaderSettings::default());
    let kinds: Vec<RawKind> = frames.iter().map(|frame| frame.kind).collect();
    assert_eq!(kinds, [RawKind::Snapshot, RawKind::Lost(Fault::RecordingGap), RawKind::Snapshot]);
    assert_eq!((shown(&frames[0])[0].as_str(), counts.before_snapshot, error), ("bid 9 2", 1, None));
    assert_eq!(counts.replaced, 3);
    assert_eq!(counts.remarks()[1], "3 rows replaced by a later row of the same time");
}

#[test]
fn errors_name_the_row_and_what_to_do() {
    for (rows, due) in [
        (
            "1598918402,9,1,9.5,1,10,1,11,1\n",
            "line 2: bid 9.5 stands behind bid 9: prices must fall from level to level",
        ),
        ("1598918402,9,1,8,1,10,1,10,1\n", "line 2: ask 10 stands behind ask 10: prices must rise from level to level"),
        ("1598918402,9,1,8,1,10,1,11,1\n1598918401,9,1,8,1,10,1,11,1\n", "line 3: time goes back to '1598918401'"),
        (
            "1598918402,9,1,8,1,10,1,11,1\n1598918403000,9,1,8,1,10,1,11,1\n",
            "line 3: the time '1598918403000' is in milliseconds where those before are in seconds",
        ),
        ("7,9,1,8,1,10,1,11,1\n", "line 2: the time '7' is neither Unix time from 1980 to 2100 nor a date"),
        ("1598918402,-9,1,8,1,10,1,11,1\n", "line 2: bid_price_1 and bid_size_1: the price '-9'"),
        ("1598918402,x,1,8,1,10,1,11,1\n", "line 2: bid_price_1 and bid_size_1: the price 'x'"),
        ("1598918402,9,1,8,1,10,1\n", "line 2: has 7 cells where the header has 9; is it cut?"),
    ] {
        let error = error_of(&format!("{HEADER}{rows}"));
        assert!(error.contains(due), "{error}\n{due}");
    }
    for (table, due) in [
        ("", ": is empty"),
        ("time,x,y\n", "line 1: names no columns of levels that are known; say how they are named by --table-pattern"),
        (
            "when,bids,asks\n",
            "line 1: has no column of times that is known; name it by --time-column: it has when, bids, asks",
        ),
        ("time,bid_price_1,bid_size_1\n", "there is none of asks"),
        ("time,bid_price_1,bid_size_1,ask_price_1\n", "has no column of the size of ask 1"),
        (
            "time,bid_price_1,bid_size_1,bid_price_3,bid_size_3,ask_price_1,ask_size_1\n",
            "has no columns of bid 2, but of bid 3",
        ),
        ("time,bids,asks\n1598918402,[1],[[2]]\n", "line 2: '[1]' is not a list of pairs"),
    ] {
        let error = error_of(table);
        assert!(error.contains(due), "{error}\n{due}");
    }
}

#[test]
fn what_holds_no_book_is_refused_with_the_reason() {
    let fi_2010 = "2.6154000e-01 ".repeat(149);
    for (table, due) in [
        (
            "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n",
            "Tardis' quotes, level 1 alone",
        ),
        ("exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n", "holds trades alone, no book"),
        ("open_time,open,high,low,close,volume\n", "a table of aggregates"),
        ("timestamp,percentage,depth,notional\n", "bands of percent"),
        ("market,time,coin_metrics_id,asks,bids,database_time\n", "Coin Metrics"),
        (
            "system_time,midpoint,bids_distance_0,bids_notional_0,asks_distance_0,asks_notional_0\n",
            "distances from the mid",
        ),
        (fi_2010.as_str(), "is of FI-2010: it has no times"),
    ] {
        let error = error_of(table);
        assert!(error.contains(due), "{error}\n{due}");
        assert!(is_table(table.as_bytes()), "{table}");
    }
    let Some(path) = sample("tardis/huobi-dm-swap_quotes_BTC-USD.csv") else { return };
    assert!(read(&path, &ReaderSettings::default()).2.unwrap().contains("level 1 alone"));
}

proptest! {
    #[test]
    fn no_bytes_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>(), lists in any::<bool>()) {
        let text = if lists {
            "time,bids,asks\n1598918402,\"[[9,1],[8,1]]\",\"[[10,1]]\"\n1598918403.5,\"[[9,1e-7]]\",\"[[10,1]]\"\n".to_owned()
        } else {
            format!("{HEADER}1598918402,9,1,8,1,10,1,11,1\n1598918403,9.000000000000001,2,nan,1,10,1,1e1,1\n")
        };
        let mut bytes = text.into_bytes();
        for (at, byte) in &flips {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, &bytes).unwrap();
        is_table(&bytes);
        read(&path, &ReaderSettings::default());
    }
}

#[test]
fn nautilus_files_without_whole_books_are_refused_with_the_reason() {
    for (name, due) in [
        ("nautilus/64-bit-trades.parquet", "NautilusTrader's trades alone, no book"),
        ("nautilus/128-bit-trades.parquet", "NautilusTrader's trades alone, no book"),
        (
            "nautilus/64-bit-deltas.parquet",
            "holds NautilusTrader's deltas, no whole books; read it by --format nautilus",
        ),
    ] {
        let Some(path) = sample(name) else { return };
        let (_, _, error) = read(&path, &ReaderSettings::default());
        assert!(error.as_deref().is_some_and(|error| error.contains(due)), "{error:?}");
    }
}

#[test]
fn damaged_parquet_does_not_panic() {
    let Some(path) = sample("nautilus/64-bit-trades.parquet") else { return };
    let whole = std::fs::read(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(mut rows) = open_rows(&path) {
            while let Ok(true) = rows.next() {}
        }
    }
}

/// The same books as text and in every shape of Parquet.
#[test]
fn parquet_of_every_shape_is_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    let rows = 1_500_usize;
    let time = |at: usize| 1_723_161_256_000_000_000 + at as i64 * 250_000_000;
    // The second ask is absent now and then.
    let price = |at: usize, level: usize| 61_804.75 + (at % 5) as f64 + level as f64 * 0.25;
    let size = |at: usize, level: usize| ((at * (level + 3)) % 11 + 1) as f64 * 0.125;
    let ask_2 = |at: usize| (!at.is_multiple_of(3)).then(|| [price(at, 3), size(at, 3)]);
    let row = |at: usize| [[price(at, 1), size(at, 0)], [price(at, 0), size(at, 1)], [price(at, 2), size(at, 2)]];
    let mut text = HEADER.to_owned();
    for at in 0..rows {
        let [[b1, q1], [b2, q2], [a1, v1]] = row(at);
        let last = ask_2(at).map_or(",".to_owned(), |[price, size]| format!("{price},{size}"));
        text.push_str(&format!("{},{b1},{q1},{b2},{q2},{a1},{v1},{last}\n", time(at)));
    }
    let (due, _, error) = of_text(&text, &ReaderSettings::default());
    assert_eq!((due.len(), error), (rows, None));

    let times = || Given::Whole((0..rows).map(time).collect());
    let by = |divisor: i64| Given::Whole((0..rows).map(|at| time(at) / divisor).collect());
    let column = |level: usize, field: usize| Given::Real((0..rows).map(|at| Some(row(at)[level][field])).collect());
    let last = |field: usize| Given::Real((0..rows).map(|at| ask_2(at).map(|level| level[field])).collect());
    let mut levels: Vec<Given> =
        (0..3).flat_map(|level| [0, 1].map(|field| column(level, field))).chain([0, 1].map(last)).collect();
    let fields: String = HEADER.trim().split(',').skip(1).map(|name| format!("optional double {name}; ")).collect();
    for (named, given, compression) in [
        ("required int64 time", times(), Compression::UNCOMPRESSED),
        ("required int64 time (TIMESTAMP(NANOS,true))", times(), Compression::ZSTD(ZstdLevel::default())),
        ("required int64 time (TIMESTAMP(MICROS,false))", by(1_000), Compression::SNAPPY),
        ("required int64 time (TIMESTAMP(MILLIS,true))", by(1_000_000), Compression::GZIP(GzipLevel::default())),
        ("required int64 time", by(1_000), Compression::LZ4_RAW),
        ("required int64 time", by(1_000_000), Compression::LZ4),
    ] {
        levels.insert(0, given);
        writing::write(&path, &format!("{named}; {fields}"), &levels, rows, 300, compression);
        levels.remove(0);
        let (found, counts, error) = read(&path, &ReaderSettings::default());
        assert_eq!((counts.rows, error), (rows as u64, None), "{named} {compression}");
        assert!(found == due, "{named} {compression}");
    }

    // 32-bit floats, and decimals of a database.
    let all = |at: usize| [row(at)[0], row(at)[1], row(at)[2], ask_2(at).unwrap_or([f64::NAN, 0.0])];
    let cell = |at: usize, place: usize| all(at)[place / 2][place % 2];
    let short = (0..8).map(|place| Given::Short((0..rows).map(|at| cell(at, place) as f32).collect()));
    let given: Vec<Given> = [times()].into_iter().chain(short).collect();
    writing::write(
        &path,
        &format!("required int64 time; {}", fields.replace("optional double", "required float")),
        &given,
        rows,
        700,
        Compression::SNAPPY,
    );
    assert!(read(&path, &ReaderSettings::default()).0 == due);
    let units = |at: usize, place: usize| {
        Some(cell(at, place)).filter(|value| !value.is_nan()).map_or(0, |value| (value * 1_000.0) as i64)
    };
    let decimals = (0..8).map(|place| Given::Whole((0..rows).map(|at| units(at, place)).collect()));
    let given: Vec<Given> = [times()].into_iter().chain(decimals).collect();
    let named: String =
        HEADER.trim().split(',').skip(1).map(|name| format!("required int64 {name} (DECIMAL(18,3)); ")).collect();
    writing::write(&path, &format!("required int64 time; {named}"), &given, rows, 700, Compression::SNAPPY);
    assert!(read(&path, &ReaderSettings::default()).0 == due);

    // Lists of pairs, as lists and as text.
    let sides = |at: usize| [row(at)[..2].to_vec(), [row(at)[2]].into_iter().chain(ask_2(at)).collect::<Vec<_>>()];
    let fields = format!("required int64 time; {} {}", writing::list("bids"), writing::list("asks"));
    let lists = [0, 1].map(|side| Given::Lists((0..rows).map(|at| sides(at)[side].clone()).collect()));
    let given: Vec<Given> = [times()].into_iter().chain(lists).collect();
    writing::write(&path, &fields, &given, rows, 300, Compression::SNAPPY);
    let (found, _, error) = read(&path, &ReaderSettings::default());
    assert_eq!(error, None);
    assert!(found == due);
    let lists = [0, 1].map(|side| Given::Text((0..rows).map(|at| format!("{:?}", sides(at)[side])).collect()));
    let given: Vec<Given> = [times()].into_iter().chain(lists).collect();
    let fields = "required int64 time; required binary bids (UTF8); required binary asks (UTF8);";
    writing::write(&path, fields, &given, rows, 1_000, Compression::SNAPPY);
    assert!(read(&path, &ReaderSettings::default()).0 == due);
}

#[test]
fn nautilus_depths_have_the_scale_of_their_width() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("depth10.parquet");
    for width in [8, 16] {
        let bytes = |value: f64| match width {
            8 => ((value * 1e9) as i64).to_le_bytes().to_vec(),
            _ => ((value * 1e16) as i128).to_le_bytes().to_vec(),
        };
        let absent = || if width == 8 { i64::MAX.to_le_bytes().to_vec() } else { i128::MAX.to_le_bytes().to_vec() };
        let (mut fields, mut given) = (String::new(), Vec::new());
        for (side, best, step) in [("bid", 61_804.7, -0.1), ("ask", 61_804.8, 0.1)] {
            for level in 0..10 {
                fields.push_str(&format!("required fixed_len_byte_array({width}) {side}_price_{level}; "));
                let price = bytes(best + step * f64::from(level));
                // The last level is undefined, the one before it empty.
                given.push(Given::Fixed(vec![if level == 9 { absent() } else { price }]));
            }
            for level in 0..10 {
                fields.push_str(&format!("required fixed_len_byte_array({width}) {side}_size_{level}; "));
                given.push(Given::Fixed(vec![bytes(if level == 8 { 0.0 } else { 0.3 })]));
            }
            for level in 0..10 {
                fields.push_str(&format!("required int32 {side}_count_{level} (UINT_32); "));
                given.push(Given::Small(vec![1]));
            }
        }
        fields.push_str("required int32 flags (UINT_8); required int64 sequence (UINT_64); required int64 ts_event (UINT_64); required int64 ts_init (UINT_64);");
        let ns = 1_723_161_256_600_000_000;
        given.extend([
            Given::Small(vec![0]),
            Given::Whole(vec![1]),
            Given::Whole(vec![ns - 1]),
            Given::Whole(vec![ns]),
        ]);
        writing::write(&path, &fields, &given, 1, 1, Compression::ZSTD(ZstdLevel::default()));
        assert_eq!(detect(&path).unwrap(), Some(Format::Table));
        let (frames, _, error) = read(&path, &ReaderSettings::default());
        assert_eq!((error, frames.len(), frames[0].levels.len()), (None, 1, 16));
        assert_eq!((frames[0].ts_recv_ns, frames[0].ts_event_ns), (ns, ns - 1));
        let levels = shown(&frames[0]);
        assert_eq!((levels[0].as_str(), levels[7].as_str()), ("bid 61804.7 0.3", "bid 61804 0.3"));
        assert_eq!((levels[8].as_str(), levels[15].as_str()), ("ask 61804.8 0.3", "ask 61805.5 0.3"));
    }
}

#[test]
fn whole_prices_of_databentos_names_count_billionths() {
    let header = "ts_recv,bid_px_00,bid_sz_00,ask_px_00,ask_sz_00\n";
    let at = 1_598_918_403_810_979_000_i64;
    for (rows, due) in [
        (format!("{at},61804750000000,2,61805000000000,1\n"), Ok(["bid 61804.75 2", "ask 61805 1"])),
        (format!("{at},61804.750000000,2,61805.000000000,1\n"), Ok(["bid 61804.75 2", "ask 61805 1"])),
        (
            format!("{at},61804.75,2,61805,1\n"),
            Err("the price '61805' follows prices that are decimals: write all of them in one way"),
        ),
        (
            format!("{at},61804750000000,2,61805.0,1\n"),
            Err("the price '61805.0' follows prices that are whole numbers in 1e-9: write all of them in one way"),
        ),
        (
            format!("{at},61804,2,61805,1\n"),
            Err("the price '61804' is a whole number, and columns of Databento's names hold 1e-9"),
        ),
        (format!("{at},99999999999999999999,2,61805,1\n"), Err("the price '99999999999999999999' is too large")),
    ] {
        let (frames, _, error) = of_text(&format!("{header}{rows}"), &ReaderSettings::default());
        match due {
            Ok(due) => assert_eq!((shown(&frames[0]), error), (due.map(String::from).to_vec(), None)),
            Err(due) => assert!(error.as_ref().is_some_and(|error| error.contains(due)), "{error:?}\n{due}"),
        }
    }
    // Other names' whole numbers are what they say.
    let header = "ts_recv,bid_price_00,bid_size_00,ask_price_00,ask_size_00\n";
    let (frames, _, error) = of_text(&format!("{header}{at},61804,2,61805,1\n"), &ReaderSettings::default());
    assert_eq!((shown(&frames[0]), error), (vec!["bid 61804 2".to_owned(), "ask 61805 1".into()], None));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mbp.parquet");
    let fields = "required int64 ts_recv; required int64 bid_px_00; required int32 bid_sz_00; required int64 ask_px_00; \
                  required int32 ask_sz_00; required int64 bid_px_01; required int32 bid_sz_01;";
    let given = [
        Given::Whole(vec![at]),
        Given::Whole(vec![61_804_750_000_000]),
        Given::Small(vec![2]),
        Given::Whole(vec![61_805_000_000_000]),
        Given::Small(vec![1]),
        Given::Whole(vec![i64::MAX]),
        Given::Small(vec![0]),
    ];
    writing::write(&path, fields, &given, 1, 1, Compression::SNAPPY);
    let (frames, _, error) = read(&path, &ReaderSettings::default());
    assert_eq!((shown(&frames[0]), error), (vec!["bid 61804.75 2".to_owned(), "ask 61805 1".into()], None));
}
