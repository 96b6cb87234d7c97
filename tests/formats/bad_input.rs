//! What cannot be read, by text and exit code.

use crate::common::{fail, papertrader, reported, stderr, succeed};
use parquet::data_type::{DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const HEADER: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";

fn replay(folder: &TempDir, market: &Path) -> Command {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json");
    let mut command = papertrader();
    command.arg("replay").arg(market).arg("--model").arg(model).args([
        "--no-report",
        "--force",
        "--name",
        "run",
        "--out",
    ]);
    command.arg(folder.path().join("out"));
    command
}

fn row(at: u64, cells: &str) -> String {
    format!("x,P,{at},{at},{cells}\n")
}

#[test]
fn rows_of_tardis_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.csv");
    let at = 1_585_699_200_245_000_u64;
    let first = row(at, "true,bid,10,1");
    let begun = |second: String| format!("{HEADER}{first}{second}");
    for (text, says) in [
        (HEADER.to_owned(), ": holds no snapshot of the product: nothing can be made of its updates".to_owned()),
        (
            format!("{HEADER}{}", row(at, "false,bid,10,1")),
            ": holds no snapshot of the product: nothing can be made of its updates".into(),
        ),
        (begun("x,P,1,2\n".into()), ", line 3: has not eight cells; is it cut?".into()),
        (
            begun(row(at * 1_000, "true,bid,10,1")),
            format!(
                ", line 3: timestamp '{}' is in nanoseconds; Tardis' files have microseconds: divide it by 1000",
                at * 1_000
            ),
        ),
        (
            begun(row(at / 1_000, "true,bid,10,1")),
            format!(
                ", line 3: timestamp '{}' is in milliseconds; Tardis' files have microseconds: multiply it by 1000",
                at / 1_000
            ),
        ),
        (
            begun(row(at - 1, "false,bid,10,1")),
            format!(", line 3: local_timestamp goes back from {at} to {}; sort the rows by it", at - 1),
        ),
        (begun(row(at, "yes,bid,10,1")), ", line 3: is_snapshot 'yes' is neither true nor false".into()),
        (begun(row(at, "true,buy,10,1")), ", line 3: side 'buy' is neither bid nor ask".into()),
        (begun(row(at, "true,bid,0,1")), ", line 3: price is 0".into()),
        (begun(row(at, "true,bid,-1,1")), ", line 3: price '-1' is negative".into()),
        (begun(row(at, "true,bid,NaN,1")), ", line 3: price 'NaN' is not a decimal number".into()),
        (begun(row(at, "true,bid,10,")), ", line 3: amount '' is empty".into()),
    ] {
        fs::write(&path, &text).unwrap();
        let (code, error) = fail(&mut replay(&folder, &path));
        assert_eq!(
            (code, error.lines().last().unwrap()),
            (2, format!("error: {}{says}", path.display()).as_str()),
            "{text}"
        );
    }
    // An exponent is a number in files that scripts have written.
    fs::write(&path, begun(row(at, "true,ask,1.1e1,5e-1"))).unwrap();
    assert!(succeed(&mut replay(&folder, &path)).contains("tick 1, lot 0.1"));
    // A header of another file of theirs is no book.
    fs::write(&path, HEADER.replace("amount", "size")).unwrap();
    let (code, error) = fail(replay(&folder, &path).args(["--format", "tardis"]));
    let due = HEADER.trim_end();
    let says = format!(
        "error: {}, line 1: the header is '{}' where '{due}' is due",
        path.display(),
        due.replace("amount", "size")
    );
    assert_eq!((code, error), (2, says));
    fs::write(&path, "").unwrap();
    let (code, error) = fail(replay(&folder, &path).args(["--format", "tardis"]));
    assert_eq!((code, error), (2, format!("error: {}: is empty: the venue sent nothing on that day", path.display())));
}

fn frames(folder: &TempDir) -> (PathBuf, Vec<u8>) {
    let (market, frames) = (folder.path().join("m.l2"), folder.path().join("m.frames"));
    succeed(papertrader().args(["generate", "--levels", "500", "--frames", "20000", "-o"]).arg(&market));
    succeed(papertrader().arg("convert").arg(&market).arg("-o").arg(&frames));
    let bytes = fs::read(&frames).unwrap();
    (frames, bytes)
}

#[test]
fn frames_that_are_damaged_or_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bytes) = frames(&folder);
    let mut damaged = bytes.clone();
    let middle = bytes.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let (code, error) = fail(&mut replay(&folder, &path));
    let says = format!("error: {}: 1 damaged block was left out; what is whole was used", path.display());
    assert_eq!((code, error.lines().last()), (2, Some(says.as_str())));
    // What came before the cut was traded.
    fs::write(&path, &bytes[..bytes.len() * 3 / 4]).unwrap();
    let (code, error) = fail(&mut replay(&folder, &path));
    let says = format!("error: {} is cut: its index is missing; what came before was used", path.display());
    assert_eq!((code, error.lines().last()), (2, Some(says.as_str())));
    assert!(fs::read_to_string(folder.path().join("out/run.csv")).unwrap().lines().count() > 100);
    let mut newer = bytes;
    newer[8] = 3;
    fs::write(&path, &newer).unwrap();
    let (code, error) = fail(&mut replay(&folder, &path));
    let says = format!("error: {}: is of version 3; this program reads 1 to 2: use a newer one", path.display());
    assert_eq!((code, error), (2, says));
}

#[test]
fn damaged_parquet_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.parquet");
    let names = ["bid_price_1", "bid_size_1", "ask_price_1", "ask_size_1"];
    let fields: String = names.map(|name| format!("required double {name}; ")).concat();
    let schema = parse_message_type(&format!("message books {{ required int64 time; {fields} }}")).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let file = fs::File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema.into(), properties.into()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int64Type>()
        .write_batch(&[1_723_161_256_000_000_000, 1_723_161_257_000_000_000], None, None)
        .unwrap();
    column.close().unwrap();
    for first in [99.0, 1.0, 100.0, 1.0] {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(&[first, first + 1.0], None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    succeed(&mut replay(&folder, &path));
    let bytes = fs::read(&path).unwrap();
    let mut refused = 0;
    // The head of the first page: one of its bytes asks for a dictionary that is not there, at which the library panics.
    for at in 4..30 {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        let output = replay(&folder, &path).output().unwrap();
        let (error, code) = (stderr(&output), output.status.code());
        assert!(!error.contains("panicked"), "{at}: {error}");
        if code != Some(0) {
            let says = format!("error: {}, record ", path.display());
            assert!(code == Some(2) && error.starts_with(&says) && error.lines().count() == 1, "{at}: {error}");
            refused += 1;
        }
    }
    assert!(refused > 5, "{refused}");
}

#[test]
fn arguments_that_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = frames(&folder);
    let (code, error) = fail(replay(&folder, &path).args(["--product", "ETH-USD"]));
    assert_eq!((code, error), (2, format!("error: {} holds no book of ETH-USD; it holds BTC-USD", path.display())));
    let (code, error) = fail(replay(&folder, &path).args(["--format", "xml"]));
    assert_eq!(code, 2);
    assert!(
        error.starts_with("error: invalid value 'xml' for '--format <NAME>': there are capture, frames, tardis"),
        "{error}"
    );
    for (output, says) in [
        ("x.frames.gz", "x.frames.gz: such files are compressed by themselves: leave .gz or .zst out"),
        ("x.doc", "x.doc is of no kind that can be written: give a name that ends in .frames, "),
    ] {
        let output = folder.path().join(output);
        let (code, error) = fail(papertrader().arg("convert").arg(&path).arg("-o").arg(&output));
        assert_eq!(code, 2);
        assert!(error.contains(says), "{error}");
        assert!(!output.exists());
    }
    let before = fs::read(&path).unwrap();
    let (code, error) = fail(papertrader().arg("convert").arg(&path).arg("-o").arg(&path).arg("--force"));
    let says =
        format!("error: {} would be written over, and this command reads it; choose another name", path.display());
    assert_eq!((code, error), (2, says));
    let taken = folder.path().join("taken.l2");
    fs::write(&taken, "kept").unwrap();
    let (code, error) = fail(papertrader().arg("convert").arg(&path).arg("-o").arg(&taken));
    assert_eq!((code, error), (2, format!("error: {} exists; give --force to replace it", taken.display())));
    assert_eq!((fs::read(&path).unwrap() == before, fs::read(&taken).unwrap()), (true, b"kept".to_vec()));
}

/// What a market is read from besides the file that is named: the opening book, trades beside a book, a folder's files.
#[test]
fn nothing_that_is_read_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let rows = format!("{HEADER}{}", row(1_585_699_200_245_000, "true,bid,10,1"));
    let trades = HEADER.replace("is_snapshot", "id");
    fs::write(at("m.csv"), &rows).unwrap();
    fs::write(at("m_trades.csv"), &trades).unwrap();
    let changes = "received_time,side_is_bid,price,size\n1585699200,1,10,1\n";
    fs::write(at("changes.csv"), changes).unwrap();
    let book = "time,bid_price_1,bid_size_1,ask_price_1,ask_size_1\n1585699100,9,1,11,1\n";
    fs::write(at("book.csv"), book).unwrap();
    let kept = [("m.csv", rows.as_str()), ("m_trades.csv", &trades), ("book.csv", book), ("changes.csv", changes)];
    let refused = |command: &mut Command, name: &str| {
        let (code, error) = fail(command);
        let says = format!(
            "error: {} would be written over, and this command reads it; choose another name",
            at(name).display()
        );
        assert_eq!((code, error.lines().last().unwrap()), (2, says.as_str()), "{command:?}");
        for (name, text) in kept {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), text, "{command:?}");
        }
    };
    let market = at("m.csv");
    let opening = [std::ffi::OsStr::new("--initial-snapshot"), at("book.csv").as_os_str()].map(ToOwned::to_owned);
    for (market, name, more) in
        [(&market, "m.csv", &[][..]), (&market, "m_trades.csv", &[]), (&at("changes.csv"), "book.csv", &opening)]
    {
        refused(replay(&folder, market).args(more).arg("--probabilities").arg(at(name)), name);
        for command in ["features", "convert"] {
            let mut command_line = papertrader();
            command_line.arg(command).arg(market).args(more);
            refused(command_line.args(["--force", "-o"]).arg(at(name)), name);
        }
    }
    // A folder is its files.
    let mut features = papertrader();
    refused(features.arg("features").arg(folder.path()).args(["--force", "-o"]).arg(at("m.csv")), "m.csv");
    // The trades that belong to an output are one too.
    let mut convert = papertrader();
    convert.arg("convert").arg(at("m_trades.csv")).args(["--format", "tardis", "--force", "-o"]);
    refused(convert.arg(&market), "m_trades.csv");
}

/// Trades of another market beside new rows would be taken for theirs.
#[test]
fn rows_have_no_other_market_s_trades_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeed(
        papertrader().args(["generate", "--levels", "500", "--frames", "100", "--no-trades", "-o"]).arg(at("m.l2")),
    );
    fs::write(at("m_trades.csv"), "of another").unwrap();
    let (code, error) = fail(papertrader().arg("convert").arg(at("m.l2")).arg("-o").arg(at("m.csv")));
    assert_eq!(
        (code, error),
        (2, format!("error: {} exists; give --force to replace it", at("m_trades.csv").display()))
    );
    assert!(!at("m.csv").exists() && at("m_trades.csv").exists());
    // Nor is it replaced or removed: this program did not write it. A link and a folder are not either.
    let foreign = HEADER.replace("is_snapshot", "id") + "x,P,1585699200000000,1585699200000001,7,buy,10,1\n";
    let other = at("other.csv");
    fs::write(&other, &foreign).unwrap();
    for ending in ["csv", "parquet"] {
        let (output, trades) = (at(&format!("m.{ending}")), at(&format!("m_trades.{ending}")));
        let convert = |from: &str| {
            let mut command = papertrader();
            command.arg("convert").arg(at(from)).args(["--force", "-o"]).arg(&output);
            command
        };
        let says = "is there, would be read as this market's trades, and was not written by this program: move it away";
        let refused = || {
            let (code, error) = fail(&mut convert("m.l2"));
            assert_eq!((code, error), (2, format!("error: {} {says}", trades.display())));
            assert!(!output.exists());
        };
        for text in ["of another", &foreign] {
            fs::write(&trades, text).unwrap();
            refused();
            assert_eq!(fs::read_to_string(&trades).unwrap(), text);
            fs::remove_file(&trades).unwrap();
        }
        fs::create_dir(&trades).unwrap();
        refused();
        fs::remove_dir(&trades).unwrap();
        // What it wrote itself goes.
        succeed(
            papertrader().args(["generate", "--levels", "500", "--frames", "300", "--force", "-o"]).arg(at("w.l2")),
        );
        succeed(&mut convert("w.l2"));
        assert!(trades.is_file());
        let told = succeed(&mut convert("m.l2"));
        assert!(told.contains(&format!("removed {}", trades.display())), "{told}");
        assert!(output.exists() && !trades.exists());
    }
}

/// Rows cannot say that nobody knows the book.
#[test]
fn rows_before_the_first_snapshot_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeed(papertrader().args(["generate", "--levels", "500", "--frames", "100", "-o"]).arg(at("m.l2")));
    let text = fs::read_to_string(at("m.l2")).unwrap();
    let is_snapshot = |line: &&str| line.contains("\"l2_data\"") && line.contains("\"type\":\"snapshot\"");
    let without: Vec<&str> = text.lines().filter(|line| !is_snapshot(line)).collect();
    fs::write(at("none.l2"), without.join("\n") + "\n").unwrap();
    for ending in ["npz", "csv", "parquet"] {
        let output = at(&format!("out.{ending}"));
        let (code, error) = fail(papertrader().arg("convert").arg(at("none.l2")).arg("-o").arg(&output));
        let says = "holds no snapshot of the product, without which rows are of no book; ";
        assert_eq!(code, 2, "{error}");
        assert!(error.contains(says), "{error}");
        assert!(!output.exists());
    }
}

/// A book is opened once, by its own product, and rows that it holds already do nothing.
#[test]
fn parts_of_a_stream_of_changes_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let header = "received_time,symbol,side_is_bid,price,size\n";
    let row = |second: u64, cells: &str| format!("{},P,{cells}\n", 1_723_161_256 + second);
    let parts = [row(1, "1,10,1") + &row(2, "0,12,3"), row(3, "1,10,0") + &row(4, "1,9,5")];
    fs::write(at("whole.csv"), format!("{header}{}", parts.concat())).unwrap();
    fs::create_dir(at("parts")).unwrap();
    // By their times, not by their names.
    for (name, part) in ["b.csv", "a.csv"].iter().zip(&parts) {
        fs::write(at("parts").join(name), format!("{header}{part}")).unwrap();
    }
    let book = "time,symbol,bid_price_1,bid_size_1,ask_price_1,ask_size_1\n";
    fs::write(at("book.csv"), format!("{book}1723161256,Q,1,1,2,1\n1723161256,P,8,7,13,7\n")).unwrap();
    let rows = |market: &str, book: Option<&str>| {
        let mut command = papertrader();
        command.arg("convert").arg(at(market)).args(["--force", "-o"]).arg(at("out.csv"));
        if let Some(book) = book {
            command.arg("--initial-snapshot").arg(at(book));
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let rows = fs::read_to_string(at("out.csv")).unwrap();
        let rows: Vec<String> =
            rows.lines().skip(1).map(|row| row.split(',').skip(4).collect::<Vec<_>>().join(",")).collect();
        (rows, stderr(&output))
    };
    let (found, _) = rows("whole.csv", Some("book.csv"));
    assert_eq!(
        found,
        ["true,bid,8,7", "true,ask,13,7", "false,bid,10,1", "false,ask,12,3", "false,bid,10,0", "false,bid,9,5"]
    );
    assert_eq!(rows("parts", Some("book.csv")).0, found);
    assert_eq!(rows("parts", None).0, rows("whole.csv", None).0);
    // A book of 1723161258 holds the first two rows; one of the day before is said to be old.
    fs::write(at("late.csv"), format!("{book}1723161258,P,10,1,12,3\n")).unwrap();
    let (found, told) = rows("whole.csv", Some("late.csv"));
    assert_eq!(found, ["true,bid,10,1", "true,ask,12,3", "false,bid,10,0", "false,bid,9,5"]);
    assert!(told.contains("2 rows before the first snapshot") && !told.contains("older"), "{told}");
    fs::write(at("old.csv"), format!("{book}1723074856,P,10,1,12,3\n")).unwrap();
    let (_, told) = rows("whole.csv", Some("old.csv"));
    assert!(told.contains("the opening book is older than the first row by more than a minute"), "{told}");
    // Formats that bring their own book say so.
    let tardis = format!("{HEADER}{}", self::row(1_585_699_200_245_000, "true,bid,10,1"));
    fs::write(at("m.csv"), tardis).unwrap();
    let mut command = papertrader();
    let (code, error) = fail(command.arg("inspect").arg(at("m.csv")).arg("--initial-snapshot").arg(at("book.csv")));
    let says = "brings its own book: leave --initial-snapshot out";
    assert_eq!((code, error), (2, format!("error: {}: {says}", at("m.csv").display())));
}

/// Files that go on where the one before ends: tables of changes, and hftbacktest's.
#[test]
fn a_missing_file_is_a_hole() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let header = "received_time,symbol,side_is_bid,price,size\n";
    let part = |name: &str, second: u64, price: u64| {
        let row = |second: u64, price: u64| format!("{},P,1,{price},1\n", 1_723_161_256 + second);
        fs::write(at(name), format!("{header}{}{}", row(second, price), row(second + 1, price + 1))).unwrap();
    };
    fs::create_dir(at("parts")).unwrap();
    for (name, second) in [("a", 0), ("b", 2), ("d", 100), ("f", 3_701)] {
        part(&format!("parts/{name}.csv"), second, 1_000 + second);
    }
    let what = "is one missing between them? A book that does not begin anew there went on as it was";
    for ending in ["csv", "npz"] {
        let market = at(if ending == "csv" { "parts" } else { "npz" });
        if ending == "npz" {
            fs::create_dir(&market).unwrap();
            for name in ["a", "b", "d", "f"] {
                let mut convert = papertrader();
                convert.arg("convert").arg(at("parts").join(name).with_extension("csv")).arg("-o");
                succeed(convert.arg(market.join(name).with_extension("npz")));
            }
        }
        let file = |name: &str| market.join(name).with_extension(ending);
        let output = replay(&folder, &market).output().unwrap();
        let (said, error) = (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output));
        assert!(output.status.success(), "{error}");
        assert_eq!(reported(&said, "files"), "4, at most 3600.000 s between them");
        let says = format!(
            "2 holes of more than a minute are between files, the longest of 3600 s before {}: {what}",
            file("f").display()
        );
        assert!(error.contains(&says), "{error}");
        let output = succeed(papertrader().arg("inspect").args([file("a"), file("b")]));
        assert!(!output.contains("missing"), "{output}");
        let output = succeed(papertrader().arg("inspect").args([file("a"), file("b"), file("d")]));
        assert!(output.contains(&format!("{} begins 97 s after the file before it ends: {what}", file("d").display())));
    }
}

/// Rows of hftbacktest name no product: their files' names do, or the user.
#[test]
fn a_product_that_is_not_there_is_named_beside_one_that_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeed(papertrader().args(["generate", "--levels", "500", "--frames", "300", "-o"]).arg(at("m.l2")));
    let inspect = |names: &[&str], more: &[&str]| {
        let mut inspect = papertrader();
        inspect.arg("inspect").args(names.iter().map(|name| at(name))).args(more);
        inspect
    };
    let refused = |names: &[&str], more: &[&str]| {
        let (code, error) = fail(&mut inspect(names, more));
        assert_eq!(code, 2, "{error}");
        error.lines().last().unwrap().replace(&format!("{}/", folder.path().display()), "")
    };
    for name in ["m.csv", "m.parquet"] {
        succeed(papertrader().arg("convert").arg(at("m.l2")).arg("-o").arg(at(name)));
        let says = format!("error: {name}: holds no row of X; its first rows are of BTC-USD");
        assert_eq!(refused(&[name], &["--product", "X"]), says);
    }
    let days = [("a_20240808.npz", "2024-08-09T00:00:01Z"), ("b_20240809.npz", "2024-08-09T00:00:02Z")];
    for (name, to) in days {
        let mut convert = papertrader();
        convert.arg("convert").arg(at("m.l2")).args([
            "--from",
            &to.replace("01Z", "00Z").replace("02Z", "01Z"),
            "--to",
            to,
        ]);
        succeed(convert.arg("-o").arg(at(name)));
    }
    let [(a, _), (b, _)] = days;
    let both = "error: b_20240809.npz: is of b by its name, and a_20240808.npz of a: give files of one product, or its name by \
                --product if they are of one";
    assert_eq!(refused(&[a, b], &[]), both);
    let inspected = succeed(&mut inspect(&[a, b], &["--product", "c"]));
    assert_eq!(reported(&inspected, "product"), "c");
    fs::copy(at(a), at("a_20240810.npz")).unwrap();
    let error = refused(&[a, "a_20240810.npz"], &[]);
    assert!(error.starts_with("error: a_20240810.npz, record 0: begins "), "{error}");
    assert!(error.ends_with(" ns before the file before it ends: give files that do not overlap"), "{error}");
}

/// Whole numbers beyond 2^53 are decimals of a book; doubles hold one of two.
#[test]
fn what_a_double_does_not_hold_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let us = 1_585_699_200_245_000_u64;
    let (held, rounded) = (1_u64 << 53, (1_u64 << 53) + 1);
    let write = |sizes: [u64; 3]| {
        let [first, second, traded] = sizes;
        let rows = [row(us, &format!("true,bid,10.5,{first}")), row(us + 1, &format!("false,bid,10.25,{second}"))];
        fs::write(at("m.csv"), HEADER.to_owned() + &rows.concat()).unwrap();
        let trade = row(us + 1, &format!("7,buy,10.5,{traded}"));
        fs::write(at("m_trades.csv"), HEADER.replace("is_snapshot", "id") + &trade).unwrap();
    };
    for (sizes, says) in [
        ([held, 999_999_999_999_999, held + 2], None),
        ([rounded, held, held], Some("1 row")),
        ([rounded, 1, rounded + 2], Some("2 rows")),
    ] {
        write(sizes);
        for output in ["out.parquet", "out.npz", "out.frames", "out.csv"] {
            let mut convert = papertrader();
            convert.arg("convert").arg(at("m.csv")).arg("--force").arg("-o").arg(at(output));
            let said = succeed(&mut convert);
            let note = "with a price or size of more digits than a double holds: it reads back rounded";
            let of_floats = output.ends_with("parquet") || output.ends_with("npz");
            match says.filter(|_| of_floats) {
                Some(says) => assert!(said.contains(&format!("{says} {note}\n")), "{output}: {said}"),
                None => assert!(!said.contains(note), "{output}: {said}"),
            }
            // What was not counted reads back.
            let mut back = papertrader();
            back.arg("convert").arg(at(output)).args(["--product", "P", "--force", "-o"]).arg(at("back.csv"));
            succeed(&mut back);
            let back =
                fs::read_to_string(at("back.csv")).unwrap() + &fs::read_to_string(at("back_trades.csv")).unwrap();
            let same = sizes.iter().filter(|size| back.contains(&format!(",{size}\n"))).count();
            let due = if of_floats { says.map_or(3, |says| 3 - usize::from(says.as_bytes()[0] - b'0')) } else { 3 };
            assert_eq!(same, due, "{output}: {back}");
        }
    }
}

/// A product's name comes from a file's, and may be one that rows cannot hold.
#[test]
fn rows_hold_no_comma_in_a_product() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeed(papertrader().args(["generate", "--levels", "500", "--frames", "100", "-o"]).arg(at("m.l2")));
    succeed(papertrader().arg("convert").arg(at("m.l2")).arg("-o").arg(at("a,b.npz")));
    let mut convert = papertrader();
    let (code, error) = fail(convert.arg("convert").arg(at("a,b.npz")).arg("-o").arg(at("m.csv")));
    let says =
        "the product 'a,b' cannot stand in these rows: name the product by --product, or write .parquet or .frames";
    assert_eq!((code, error), (2, format!("error: {}: {says}", at("m.csv").display())));
    assert!(!at("m.csv").exists());
    succeed(papertrader().arg("convert").arg(at("a,b.npz")).args(["--product", "ab", "-o"]).arg(at("m.csv")));
}

/// A number off the tick that was given is no smaller a fault in floats than in text.
#[test]
fn steps_that_are_given_round_dust_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeed(papertrader().args(["generate", "--levels", "500", "--frames", "100", "-o"]).arg(at("m.l2")));
    for name in ["m.csv", "m.parquet", "m.npz", "m.frames"] {
        succeed(papertrader().arg("convert").arg(at("m.l2")).arg("-o").arg(at(name)));
    }
    let lost = |name: &str| {
        let output = papertrader().arg("inspect").arg(at(name)).args(["--full", "--tick-size", "1"]).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output))
    };
    let due = lost("m.l2").1;
    let due = reported(&due, "book lost");
    assert_ne!(due, "0");
    for name in ["m.csv", "m.parquet", "m.npz"] {
        let (_, inspected, _) = lost(name);
        assert!(!inspected.contains("rounded"), "{inspected}");
        assert_eq!(reported(&inspected, "book lost"), due, "{name}");
    }
    let (code, _, error) = lost("m.frames");
    let says = "has the steps that it was written with: leave --tick-size and --lot-size out";
    assert_eq!((code, error), (2, format!("error: {}: {says}\n", at("m.frames").display())));
}

/// Where the disk is full the old files stay, both of them.
#[cfg(target_os = "linux")]
#[test]
fn rows_that_find_no_room_replace_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (market, more) in [("with.l2", &[][..]), ("without.l2", &["--no-trades"])] {
        let mut generate = papertrader();
        succeed(generate.args(["generate", "--levels", "500", "--frames", "300", "-o"]).arg(at(market)).args(more));
        // Such as this program writes them.
        let trades = HEADER.replace("is_snapshot", "id") + ",P,1585699200000000,1585699200000001,7,buy,10,1\n";
        let old = [("m.csv", "old rows"), ("m_trades.csv", &trades)];
        old.iter().for_each(|(name, text)| fs::write(at(name), text).unwrap());
        let mut limited = Command::new("sh");
        limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_papertrader")]);
        let (code, error) = fail(limited.arg("convert").arg(at(market)).arg("--force").arg("-o").arg(at("m.csv")));
        assert_eq!(code, 1, "{error}");
        assert!(error.contains("File too large"), "{error}");
        for (name, text) in old {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), text, "{market}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "{market}");
        fs::remove_file(at(market)).unwrap();
    }
}

/// A market of which rows of other programs cannot say everything: lost, with a clock that goes back and a tape that is ahead.
#[test]
fn rows_do_not_make_a_lost_book_good() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeed(papertrader().args(["generate", "--levels", "500", "--frames", "400", "-o"]).arg(at("m.l2")));
    let text = fs::read_to_string(at("m.l2")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let gap: Vec<&str> = [&lines[..100], &lines[101..]].concat();
    fs::write(at("gap.l2"), gap.join("\n") + "\n").unwrap();
    let live = |market: &Path| {
        let text = succeed(&mut replay(&folder, market));
        let line = text.lines().find(|line| line.contains(" live")).expect("the report counts live frames");
        line.split_whitespace().find_map(|word| word.replace(',', "").parse::<u64>().ok()).expect("a number")
    };
    let of_gap = live(&at("gap.l2"));
    assert!(of_gap < 120, "{of_gap}");
    for name in ["gap.csv", "gap.npz"] {
        let output = papertrader().arg("convert").arg(at("gap.l2")).arg("-o").arg(at(name)).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        let says = "the book was lost 1 time; rows cannot say so, ";
        assert!(output.status.success() && error.contains(says), "{error}");
        assert_eq!(live(&at(name)), of_gap, "{name}");
    }
}

/// Trades beside a book begin with another product: a group's files.
#[test]
fn trades_are_of_the_book_s_product() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let us = 1_585_699_200_245_000_u64;
    let book = [HEADER, &row(us, "true,bid,10,1"), &row(us, "true,ask,11,1"), &row(us + 9, "false,ask,11,2")].concat();
    fs::write(at("m.csv"), book).unwrap();
    let (first, second) = (us + 2, us + 5);
    let trades = format!("x,Q,{first},{first},1,sell,3,1\nx,P,{second},{second},2,sell,10,1\n");
    fs::write(at("m_trades.csv"), HEADER.replace("is_snapshot", "id") + &trades).unwrap();
    let output = papertrader().arg("convert").arg(at("m.csv")).arg("-o").arg(at("m.l2")).output().unwrap();
    let (said, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(said.contains(": P, 2 frames, 3 levels, 1 print\n"), "{said}");
    assert!(error.contains("1 row of other products, left out"), "{error}");
}

#[test]
fn what_was_left_out_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.csv");
    let at = 1_585_699_200_245_000_u64;
    fs::write(
        &path,
        [HEADER, &row(at, "false,bid,9,1"), &row(at + 1, "true,bid,10,1"), &row(at + 1, "true,ask,11,1")].concat(),
    )
    .unwrap();
    let remark = "1 row before the first snapshot: nobody knows the book that they change";
    let said = format!("{}: {remark}", path.display());
    for time in ["recv", "event"] {
        let output = replay(&folder, &path).args(["--time", time]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && text.contains(&said), "{text}");
        assert_eq!(text.contains("times of receipt are the venue's"), time == "event", "{text}");
    }
    assert!(succeed(papertrader().arg("inspect").arg(&path)).contains(remark));
    // A number that may be cut, and a part of which nothing is there.
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.trim_end()).unwrap();
    let cut = "1 row at the end without a line break: numbers may be cut";
    assert!(succeed(papertrader().arg("inspect").arg(&path)).contains(cut));
    let mut convert = papertrader();
    convert
        .arg("convert")
        .arg(&path)
        .args(["--from", "2030-01-01T00:00:00Z", "-o"])
        .arg(folder.path().join("m.frames"));
    let error = String::from_utf8(convert.output().unwrap().stderr).unwrap();
    assert!(error.contains("nothing is between --from and --to"), "{error}");
}

/// By its content, whatever its name, and in whatever place it is named.
#[test]
fn what_is_compressed_otherwise_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("changes.csv"), "received_time,side_is_bid,price,size\n1585699200,1,10,1\n").unwrap();
    for (bytes, what, tool) in [
        (&b"\xfd7zXZ\0\0\x04"[..], "xz", "xz -dk"),
        (b"BZh91AY&SY\x12\x34", "bzip2", "bzip2 -dk"),
        (b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0", "bzip2", "bzip2 -dk"),
        (b"\x04\x22\x4d\x18\x64\x40", "lz4", "lz4 -dk"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "7-Zip", "7z x"),
        (b"Rar!\x1a\x07\x01\0", "RAR", "unrar x"),
        (b"\x1f\x9d\x90", "compress", "uncompress -k"),
    ] {
        for name in ["m.csv", "m.parquet", "m.l2", "x_incremental_book_L2_y.csv.xz"] {
            fs::write(at(name), bytes).unwrap();
            let says = format!(
                "error: {}: is compressed by {what}, which is not read here: unpack it first, by {tool}",
                at(name).display()
            );
            for options in [&[][..], &["--format", "tardis"], &["--format", "nautilus"]] {
                let output = papertrader().arg("inspect").arg(at(name)).args(options).output().unwrap();
                let said = (output.status.code(), stderr(&output).trim_end().to_owned());
                assert_eq!((said, output.stdout.len()), ((Some(2), says.clone()), 0), "{name} {options:?}");
            }
            let mut opened = papertrader();
            opened.arg("inspect").arg(at("changes.csv")).arg("--initial-snapshot").arg(at(name));
            let (code, error) = fail(&mut opened);
            assert_eq!((code, error.lines().last()), (2, Some(says.as_str())), "{name}");
        }
    }
}

#[test]
fn endings_may_be_in_capitals() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    succeed(papertrader().args(["generate", "--levels", "500", "--frames", "300", "-o"]).arg(at("m.l2")));
    let inspected = |path: &Path| {
        let text = succeed(papertrader().arg("inspect").arg(path));
        ["product", "frames", "levels", "prints"].map(|name| reported(&text, name).to_owned())
    };
    let due = inspected(&at("m.l2"));
    assert_ne!(due[3], "0");
    for (name, trades, magic) in [
        ("M.PARQUET", Some("M_trades.PARQUET"), &b"PAR1"[..]),
        ("M.Csv", Some("M_trades.Csv"), b"exchange"),
        ("M.CSV.GZ", Some("M_trades.CSV.GZ"), b"\x1f\x8b"),
        ("M.L2.ZST", None, b"\x28\xb5\x2f\xfd"),
        ("M.NPZ", None, b"PK"),
        ("M.Frames", None, b"PTFRAMES"),
    ] {
        succeed(papertrader().arg("convert").arg(at("m.l2")).arg("-o").arg(at(name)));
        let begins = fs::read(at(name)).unwrap();
        assert!(begins.starts_with(magic), "{name}");
        assert!(trades.is_none_or(|trades| at(trades).is_file()), "{name}");
        let found = inspected(&at(name));
        assert_eq!(found[1..], due[1..], "{name}");
    }
}
