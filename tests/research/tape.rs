//! Features of the tape: the same rows wherever they are computed, none that knows what came later, and captures without prints.

use crate::common::{fail, papertrader, stderr, succeed};
use crate::support::{csv_table, synthetic, with_prints};
use std::fs;
use std::path::{Path, PathBuf};

/// After frame `at`: up to three prints of the taker's side, price and size.
pub fn some_prints(at: usize) -> Vec<(&'static str, String, String)> {
    let print = |number: usize| {
        let side = if (at / 3 + number).is_multiple_of(2) { "BUY" } else { "SELL" };
        // Of the book's tick or finer.
        let price = format!("{}.{}", 60_000 + at % 7, if at.is_multiple_of(11) { "125" } else { "5" });
        (side, price, format!("0.{:03}", 1 + (at * 37 + number * 11) % 900))
    };
    (0..[0, 1, 0, 3, 2][at % 5]).map(print).collect()
}

fn table(capture: &Path, features: &str) -> Vec<Vec<String>> {
    let table = capture.with_extension("csv");
    succeed(papertrader().arg("features").arg(capture).args(["--features", features, "--force", "-o"]).arg(&table));
    csv_table(&table).1
}

/// Columns between the mid and the label.
fn features_of(row: &[String]) -> &[String] {
    &row[7..row.len() - 2]
}

#[test]
fn no_row_knows_prints_that_came_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let plain = synthetic(&folder, "plain.l2", 3, 1_000);
    let none = |_: usize| Vec::new();
    let all = with_prints(&plain, &folder.path().join("all.l2"), some_prints);
    let early =
        with_prints(&plain, &folder.path().join("early.l2"), |at| if at < 600 { some_prints(at) } else { none(at) });
    let late =
        with_prints(&plain, &folder.path().join("late.l2"), |at| at.checked_sub(1).map_or_else(Vec::new, some_prints));
    let list = "print_signed_volume_1,print_count_20,print_imbalance_3,print_count_50ms,print_vwap_minus_mid_20,\
                seconds_since_print,last_print_side";
    let [all_rows, early_rows] = [&all, &early].map(|capture| table(capture, list));
    let sequence = |row: &[String]| row[1].parse::<usize>().unwrap();
    let mut differ = 0;
    for (one, other) in all_rows.iter().zip(&early_rows) {
        assert_eq!(one[1], other[1]);
        // Prints after frame 600 are in the rows from 601 on.
        if sequence(one) <= 600 {
            assert_eq!(features_of(one), features_of(other), "frame {}", one[1]);
        } else {
            differ += usize::from(features_of(one) != features_of(other));
        }
    }
    assert!(differ > 300, "{differ}");

    // A frame later: what does not look at the book is seen a frame later.
    let list = "print_signed_volume_1,print_count_20,print_imbalance_3,last_print_side";
    let [prompt, late] = [&all, &late].map(|capture| table(capture, list));
    assert_eq!(prompt.len(), 980);
    for (one, other) in prompt.iter().zip(&late[1..]) {
        assert_eq!((sequence(one) + 1, features_of(one)), (sequence(other), features_of(other)));
    }
    assert!(prompt.windows(2).any(|rows| features_of(&rows[0]) != features_of(&rows[1])));
}

#[test]
fn the_tape_is_exported_as_it_was_received() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    let folder = tempfile::tempdir().unwrap();
    let plain = synthetic(&folder, "plain.l2", 3, 100);
    let capture = with_prints(&plain, &folder.path().join("a.l2"), some_prints);
    let [csv, parquet] = ["tape.csv", "tape.parquet"].map(|name| folder.path().join(name));
    for tape in [&csv, &parquet] {
        let said = succeed(papertrader().arg("features").arg(&capture).arg("--prints").arg(tape));
        assert_eq!(said.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>(), ["prints", "120"]);
    }
    let (header, cells) = csv_table(&csv);
    assert_eq!(header.join(","), "capture,sequence,ts_recv_ns,ts_event_ns,trade_id,price,size,aggressor");
    let mut expected = (0..100).flat_map(|at| some_prints(at).into_iter().map(move |print| (at, print)));
    for (number, row) in cells.iter().enumerate() {
        let (at, (side, price, size)) = expected.next().unwrap();
        let number_of = |text: &str| text.parse::<f64>().unwrap();
        assert_eq!((row[1].clone(), row[4].clone()), (at.to_string(), (number + 1).to_string()));
        assert_eq!((number_of(&row[5]), number_of(&row[6])), (number_of(&price), number_of(&size)));
        assert_eq!(row[7], side.to_lowercase());
    }
    assert_eq!(expected.next(), None);

    let reader = SerializedFileReader::new(fs::File::open(&parquet).unwrap()).unwrap();
    let mut rows = reader.get_row_iter(None).unwrap();
    for cells in &cells {
        let row = rows.next().unwrap().unwrap();
        for ((name, field), cell) in row.get_column_iter().zip(cells) {
            let same = match field {
                Field::Str(text) => text == cell,
                Field::Long(number) => number.to_string() == *cell,
                Field::Double(number) => cell.parse::<f64>().unwrap().to_bits() == number.to_bits(),
                other => panic!("{other:?}"),
            };
            assert!(same, "{name}: {field} and {cell}");
        }
    }
    assert!(rows.next().is_none());

    // The rules of all outputs.
    let refused = |output: &Path, more: &[&str]| {
        let (code, message) = fail(papertrader().arg("features").arg(&capture).arg("--prints").arg(output).args(more));
        assert_eq!(code, 2, "{message}");
        message
    };
    assert!(refused(&capture, &["--force"]).contains("would be written over, and this command reads it"));
    assert!(refused(&csv, &[]).contains("tape.csv"), "a file that exists");
    assert!(refused(&folder.path().join("tape.txt"), &[]).ends_with("tape.txt: the name must end in .csv or .parquet"));
    let both = refused(&csv, &["--force", "-o", csv.to_str().unwrap()]);
    assert!(both.contains("would be written twice by this command"), "{both}");
}

#[test]
fn features_of_the_tape_without_prints_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let plain = synthetic(&folder, "plain.l2", 3, 2_000);
    let holds = format!("{} holds no prints (channel market_trades)", plain.display());
    let model = folder.path().join("tape.json");
    let text =
        r#"{"features":["imbalance_1","print_count_5"],"intercept":0,"coefficients":[1,1],"horizon_updates":20}"#;
    fs::write(&model, text).unwrap();
    let warning =
        format!("warning: {holds}, which 'print_count_5' reads; features of the tape are as without trades there\n");
    let table = folder.path().join("t.csv");
    let warned = |arguments: &[&str], paths: &[(&str, &PathBuf)]| {
        let mut command = papertrader();
        command.arg(arguments[0]).arg(&plain).args(&arguments[1..]).current_dir(&folder);
        command.args(paths.iter().flat_map(|(name, path)| [name.as_ref(), path.as_os_str()]));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let features = ["features", "--features", "imbalance_1,print_count_5"];
    assert_eq!(warned(&features, &[("-o", &table)]), warning);
    assert!(warned(&["evaluate", "--resamples", "100"], &[("--model", &model)]).contains(&warning));
    assert!(warned(&["replay", "--no-report"], &[("--model", &model)]).contains(&warning));
    let tape = folder.path().join("tape.csv");
    assert_eq!(warned(&["features"], &[("--prints", &tape)]), format!("warning: {holds}\n"));

    // A model is not trained on nothing.
    let out = folder.path().join("m.json");
    let train = |captures: &[&PathBuf]| {
        let mut command = papertrader();
        command.arg("train").args(captures).arg("-o").arg(&out).args(["--resamples", "100"]);
        fail(command.args(["--features", "imbalance_1,print_count_5"]))
    };
    let refusal =
        format!("error: {holds}, which 'print_count_5' reads; leave the capture or the features of the tape out");
    assert_eq!(train(&[&plain]), (2, refusal));
    assert!(!out.exists());

    // Where there are prints there is a model, and no word of them.
    let capture = with_prints(&plain, &folder.path().join("a.l2"), some_prints);
    let mut command = papertrader();
    command.arg("train").arg(&capture).arg("-o").arg(&out).args([
        "--resamples",
        "100",
        "--features",
        "imbalance_1,print_count_5",
    ]);
    let output = command.output().unwrap();
    assert!(output.status.success() && !stderr(&output).contains("prints"), "{}", stderr(&output));
    assert!(fs::read_to_string(&out).unwrap().contains("print_count_5"));
}
