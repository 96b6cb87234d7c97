//! Rows of two markets in one: trades of another clock or price beside a book, two venues in a file.

use crate::common::{fail, papertrader, reported, succeed};
use std::fs;
use std::path::Path;

const US: u64 = 1_585_699_200_000_000;
const BOOK: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
const TRADES: &str = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n";

fn inspect(market: &Path) -> String {
    succeed(papertrader().arg("inspect").arg(market))
}

/// Rows at microseconds behind [`US`].
fn rows(header: &str, rows: &[(i64, &str)]) -> String {
    let row = |&(at, cells): &(i64, &str)| {
        let us = US.checked_add_signed(at).unwrap();
        format!("x,P,{us},{},{cells}\n", us + 1)
    };
    header.to_owned() + &rows.iter().map(row).collect::<String>()
}

/// Both as Tardis' rows and as tables, of which the columns stand in another order.
fn remarks_on_trades(trades: &[(i64, &str)]) -> [Vec<String>; 2] {
    let book = [
        (0, "true,bid,100,1"),
        (0, "true,bid,1,1"),
        (0, "true,ask,101,1"),
        (0, "true,ask,9000,1"),
        (9_000_000, "false,bid,99,2"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("m.csv"), rows(BOOK, &book)).unwrap();
    fs::write(at("m_trades.csv"), rows(TRADES, trades)).unwrap();
    let turned = |text: String| {
        let turn = |line: &str| {
            let (first, rest) = line.split_once(',').unwrap();
            format!("{rest},{first}\n")
        };
        text.lines().map(turn).collect::<String>()
    };
    fs::write(at("t.csv"), turned(rows(BOOK, &book))).unwrap();
    fs::write(at("t_trades.csv"), turned(rows(TRADES, trades))).unwrap();
    [("m.csv", "tardis"), ("t.csv", "table")].map(|(name, format)| {
        let inspected = inspect(&at(name));
        assert_eq!(reported(&inspected, "format"), format);
        let beside = at(name).with_extension("").display().to_string() + "_trades.csv";
        let of_trades = inspected.lines().filter(|line| line.contains("_trades.csv"));
        of_trades.map(|line| line.trim().replace(&beside, "T")).collect()
    })
}

#[test]
fn trades_of_another_clock_or_price_are_said() {
    let clock = "its trades may be of another day or clock";
    let far = "are half the book's or less, or twice or more: they may be of another product or unit";
    for (trades, says) in [
        (&[(1, "1,buy,101,1"), (2, "2,sell,100,1")][..], None),
        // One in the book's time, or at its price, is enough.
        (&[(-5_000_000, "1,buy,101,1"), (12_000_000, "2,sell,100,1")], None),
        (&[(1, "1,buy,10100,1"), (2, "2,sell,51,1")], None),
        (&[(1, "1,buy,202,1"), (2, "2,sell,50,1")], Some(format!("all prices in T (2 trades) {far}"))),
        (&[(1, "1,buy,1.01,1")], Some(format!("all prices in T (1 trade) {far}"))),
        (
            &[(-5_000_000, "1,buy,101,1"), (-3_500_000, "2,buy,101,1")],
            Some(format!("T ends 3.5 s before the book begins: {clock}")),
        ),
        (&[(9_000_002, "1,buy,101,1")], Some(format!("T begins 0.000002 s after the book ends: {clock}"))),
    ] {
        let due: Vec<String> = says.into_iter().collect();
        assert_eq!(remarks_on_trades(trades), [due.clone(), due], "{trades:?}");
    }
}

/// A part of which the book goes on behind it says nothing of the book's end.
#[test]
fn trades_behind_a_window_are_not_behind_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let book = [(0, "true,bid,100,1"), (2_000_000, "false,bid,99,1"), (9_000_000, "false,bid,99,2")];
    fs::write(at("m.csv"), rows(BOOK, &book)).unwrap();
    fs::write(at("m_trades.csv"), rows(TRADES, &[(8_000_000, "1,buy,101,1")])).unwrap();
    let part = succeed(papertrader().arg("inspect").arg(at("m.csv")).args(["--to", "2020-04-01T00:00:01Z"]));
    assert!(reported(&part, "frames") == "1" && !part.contains("_trades.csv"), "{part}");
}

#[test]
fn two_venues_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let says = |name: &str, line: u64| {
        format!(
            "error: {}, line {line}: the venue is 'bybit', and of the rows before 'binance': two venues have two books; keep the \
             rows of one",
            at(name).display()
        )
    };
    let books = "exchange,time,bid_price_1,bid_size_1,ask_price_1,ask_size_1\n";
    let changes = "venue,received_time,symbol,side_is_bid,price,size\n";
    for (name, text, line) in [
        ("tardis.csv", format!("{BOOK}binance,P,{US},{US},true,bid,10,1\nbybit,P,{US},{US},true,bid,9,1\n"), 3),
        (
            "books.csv",
            format!("{books}binance,1585699200,10,1,11,1\nbinance,1585699201,10,1,11,1\nbybit,1585699202,9,1,11,1\n"),
            4,
        ),
        ("changes.csv", format!("{changes}binance,1585699200,P,1,10,1\nbybit,1585699200,P,1,9,1\n"), 3),
    ] {
        fs::write(at(name), text).unwrap();
        let (code, error) = fail(papertrader().arg("inspect").arg(at(name)));
        assert_eq!((code, error.lines().last()), (2, Some(says(name, line).as_str())));
        // Of another product it does not matter.
        let text = fs::read_to_string(at(name)).unwrap();
        if name != "books.csv" {
            fs::write(at(name), text.replace("bybit,P", "bybit,Q").replace("bybit,1585699200,P", "bybit,1585699200,Q"))
                .unwrap();
            assert!(inspect(&at(name)).contains("1 row of other products, left out"));
        }
    }
    // The trades beside a book too.
    fs::write(at("m.csv"), format!("{BOOK},P,{US},{US},true,bid,10,1\n")).unwrap();
    fs::write(
        at("m_trades.csv"),
        format!("{TRADES}binance,P,{US},{US},1,buy,10,1\n,P,{US},{US},1,buy,10,1\nbybit,P,{US},{US},1,buy,10,1\n"),
    )
    .unwrap();
    let (code, error) = fail(papertrader().arg("inspect").arg(at("m.csv")));
    assert_eq!((code, error.lines().last()), (2, Some(says("m_trades.csv", 4).as_str())));
}

/// Tardis' `timestamp` is the venue's, whether or not the other time is there.
#[test]
fn a_venue_s_time_alone_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.csv");
    let remark = "times of receipt are the venue's";
    for (text, is_said) in [
        (format!("exchange,symbol,timestamp,is_snapshot,side,price,amount\nx,P,{US},true,bid,10,1\n"), true),
        (format!("symbol,timestamp,is_snapshot,side,price,amount\nP,{US},true,bid,10,1\n"), true),
        (format!("timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount\n{US},11,1,10,1\n"), true),
        (format!("symbol,time,is_snapshot,side,price,amount\nP,{US},true,bid,10,1\n"), false),
        (format!("timestamp,bid_price_1,bid_size_1,ask_price_1,ask_size_1\n{US},10,1,11,1\n"), false),
        (format!("{BOOK}x,P,{US},{US},true,bid,10,1\n"), false),
    ] {
        fs::write(&path, &text).unwrap();
        assert_eq!(inspect(&path).contains(remark), is_said, "{text}");
    }
}

/// Files one behind the other, in an archive or not: a header that comes again is no row, and another one is refused.
#[test]
fn a_header_comes_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let archive = |name: &str, members: &[(&str, &str)]| {
        let mut archive = tar::Builder::new(fs::File::create(at(name)).unwrap());
        for (name, text) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            archive.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
    };
    let tardis = [(1, "true,bid,100,1"), (2, "false,bid,99,1"), (3, "false,bid,98,1")].map(|row| rows(BOOK, &[row]));
    let header = "time,bid_price_1,bid_size_1,ask_price_1,ask_size_1\r\n";
    let books = [1, 2, 3].map(|size| format!("{header}{},10,{size},11,1\r\n", 1_585_699_200 + size));
    let databento = "ts_recv,ts_event,action,side,price,size,order_id,flags,symbol\n";
    let orders = [1_u64, 2, 3].map(|at| {
        let ns = (US + at) * 1_000;
        let order = if at == 1 { "R,N,,0,0".into() } else { format!("A,B,{at}000000000,1,{at}") };
        format!("{databento}{ns},{ns},{order},128,P\n")
    });
    for (name, parts) in [("tardis", &tardis), ("table", &books), ("databento", &orders)] {
        let [first, second, third] = [0, 1, 2].map(|part: usize| parts[part].as_str());
        archive("m.tar", &[("a.csv", first), ("b.csv", second), ("c.csv", third)]);
        fs::write(at("m.csv"), parts.concat()).unwrap();
        for market in ["m.tar", "m.csv"] {
            let inspected = inspect(&at(market));
            let said = ["format", "frames"].map(|name| reported(&inspected, name));
            assert_eq!((said, inspected.contains("other products")), ([name, "3"], false), "{inspected}");
        }
        // An archive without a break at a member's end, and one of which a member has no header.
        let (_, bare) = second.split_once('\n').unwrap();
        archive("m.tar", &[("a.csv", first.trim_end()), ("b.csv", second.trim_end()), ("empty", ""), ("c.csv", bare)]);
        let inspected = inspect(&at("m.tar"));
        assert_eq!(["format", "frames"].map(|name| reported(&inspected, name)), [name, "2"], "{inspected}");
        archive("m.tar", &[("a.csv", first), ("b.csv", &second.replacen(',', ",more,", 1))]);
        let (code, error) = fail(papertrader().arg("inspect").arg(at("m.tar")));
        let says = "cannot be read: the rows of the member 'b.csv' have another header than those of 'a.csv': give files of one kind";
        assert!(code == 2 && error.ends_with(says), "{error}");
    }
}

/// Rows of one snapshot may bear several times of receipt; what begins at the best again is another snapshot.
#[test]
fn parts_of_a_snapshot_are_one_book() {
    let folder = tempfile::tempdir().unwrap();
    let (market, out) = (folder.path().join("m.csv"), folder.path().join("out.csv"));
    let at = |venue: u64, local: u64, cells: &str| format!("x,P,{},{},{cells}\n", US + venue, US + local);
    let first = [at(0, 1, "true,bid,100,1"), at(0, 1, "true,bid,99,1"), at(0, 1, "true,ask,101,1")].concat();
    let second = [at(0, 2, "true,bid,98,1"), at(0, 2, "true,ask,102,1")].concat();
    let third = at(0, 3, "true,ask,103,1");
    let again = [at(4, 5, "true,bid,99,2"), at(4, 5, "true,ask,104,2")].concat();
    let parts = [first, second, third].concat();
    for (text, snapshots, marks) in [
        (parts.clone(), "1", "true true true false false false"),
        (parts + &again, "2", "true true true false false false true true"),
        // One level alone may have moved.
        ([at(0, 1, "true,bid,100,1"), at(1, 2, "true,bid,99,1")].concat(), "2", "true true"),
    ] {
        fs::write(&market, BOOK.to_owned() + &text).unwrap();
        let inspected = inspect(&market);
        assert_eq!(reported(&inspected, "snapshots"), snapshots, "{text}");
        succeed(papertrader().arg("convert").arg(&market).arg("--force").arg("-o").arg(&out));
        let rows = fs::read_to_string(&out).unwrap();
        let found: Vec<&str> = rows.lines().skip(1).filter_map(|row| row.split(',').nth(4)).collect();
        assert_eq!(found.join(" "), marks, "{rows}");
    }
}

#[test]
fn a_second_header_with_other_columns_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.csv");
    let header = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount";
    let swapped = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,amount,price";
    let rows = "x,P,1585699200000000,1585699200000000,true,bid,100,20\nx,P,1585699200000000,1585699200000000,true,ask,101,20\n";
    fs::write(&path, format!("{header}\n{rows}{swapped}\n{rows}")).unwrap();
    let (code, error) = fail(papertrader().arg("inspect").arg(&path));
    let what = "another header stands here: the rows behind it have other columns; give files of one kind";
    assert_eq!((code, error), (2, format!("error: {}, line 4: {what}", path.display())));
}
