//! Rows are what the engine computes, and labels know nothing of what they must not.

use crate::common::{papertrader, shared_data, succeed};
use crate::support::{csv_table, made_up, moving, one_feature, seen_by_the_engine, synthetic, with_prints};
use crate::tape::some_prints;
use papertrader::research::feature_list::parse_features;
use papertrader::statistics::labels::{Ties, Weight};
use papertrader::statistics::metrics::Ranking;
use serde_json::Value;
use std::fs;
use std::path::Path;

#[test]
fn exported_features_are_what_the_engine_computes_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let plain = synthetic(&folder, "plain.l2", 3, 3_000);
    let mut captures = vec![
        synthetic(&folder, "a.l2.zst", 3, 3_000),
        with_prints(&plain, &folder.path().join("prints.l2"), some_prints),
    ];
    for name in ["btc-spot-a", "btc-spot-a.trades", "btc-perp-a.trades"] {
        captures.extend(shared_data().map(|data| data.join(format!("captures/{name}.l2.gz"))));
    }
    for (number, capture) in captures.iter().enumerate() {
        let table = folder.path().join(format!("{number}.csv"));
        // The longest history decides which frames have a row: each feature alone has more of them.
        let list = "bid_minus_ask,bid_size_3,ask_price_1,ln_ask_size_5,imbalance_1,imbalance_10,bid_vwap_10,ln_ask_vwap_10,\
                    microprice_minus_mid,spread_ticks,mid_return_20,ofi_5_20,updates_since_mid_change,seconds_since_update,\
                    print_signed_volume_20,print_count_500ms,print_imbalance_20,print_vwap_minus_mid_500ms,seconds_since_print,\
                    last_print_side,slope = (mid - mean(mid, 50)) / max(std(mid, 50), 0.01),slow = ema(ofi_5_20, 500ms),\
                    old = lag(print_count_500ms, 2s) + delta(ask_price_2, 30),weight = sum(ln(bid_size) * bid_price, 2..7)";
        succeed(papertrader().arg("features").arg(capture).args(["--features", list, "-o"]).arg(&table));
        let (header, cells) = csv_table(&table);
        assert!(cells.len() > 2_000);
        for feature in parse_features(list).unwrap() {
            let column = header.iter().position(|name| *name == feature.to_string()).unwrap();
            let seen = seen_by_the_engine(capture, one_feature(&feature));
            let mut seen = seen.iter().skip_while(|(number, _)| number.to_string() != cells[0][2]);
            for row in &cells {
                let (number, value) = seen.next().unwrap();
                assert_eq!(number.to_string(), row[2]);
                let exported: f64 = row[column].parse().unwrap();
                // The dot product's sums turn a negative zero into a positive one.
                assert_eq!((exported + 0.0).to_bits(), value.to_bits(), "{feature} at {number}");
            }
            assert_eq!(seen.next(), None);
        }
        if capture.to_string_lossy().contains("trades") || capture.ends_with("prints.l2") {
            let column = header.iter().position(|name| name == "print_count_500ms").unwrap();
            assert!(cells.iter().any(|row| row[column] != "0.0"), "{}", capture.display());
        }
    }
}

#[test]
fn both_formats_hold_the_same_rows() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 3, 2_000);
    let [csv, parquet] = ["t.csv", "t.parquet"].map(|name| folder.path().join(name));
    for table in [&csv, &parquet] {
        succeed(papertrader().arg("features").arg(&capture).args(["--every", "3", "-o"]).arg(table));
    }
    let (header, cells) = csv_table(&csv);
    assert_eq!(header.len(), 7 + 28 + 2);
    let reader = SerializedFileReader::new(fs::File::open(&parquet).unwrap()).unwrap();
    let mut rows = reader.get_row_iter(None).unwrap();
    for cells in &cells {
        let row = rows.next().unwrap().unwrap();
        for ((name, field), cell) in row.get_column_iter().zip(cells) {
            let same = match field {
                Field::Null => cell.is_empty(),
                Field::Str(text) => text == cell,
                Field::Int(number) => number.to_string() == *cell,
                Field::Long(number) => number.to_string() == *cell,
                Field::Double(number) => cell.parse::<f64>().unwrap().to_bits() == number.to_bits(),
                other => panic!("{other:?}"),
            };
            assert!(same, "{name}: {field} and {cell}");
        }
    }
    assert!(rows.next().is_none());
    // Every third of the frames 0 to 1999, the last without a label.
    assert_eq!(cells.len(), 667);
    assert_eq!(cells.iter().filter(|row| row.last().unwrap().is_empty()).count(), 7);
    assert!(cells[660..661].iter().all(|row| row[1] == "1980" && row.last().unwrap().is_empty()));
}

#[test]
fn rows_of_a_truncated_capture_are_those_of_the_whole_up_to_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "whole.l2", 5, 2_000);
    let text = fs::read_to_string(&capture).unwrap();
    let cut = folder.path().join("cut.l2");
    let lines: Vec<&str> = text.lines().take(1_234).collect();
    fs::write(&cut, lines.join("\n") + "\n").unwrap();
    let table = |capture: &Path| {
        let table = capture.with_extension("csv");
        succeed(papertrader().arg("features").arg(capture).args(["--features", "all", "-o"]).arg(&table));
        csv_table(&table).1
    };
    let (whole, cut) = (table(&capture), table(&cut));
    // 100 updates of history, then every frame.
    assert_eq!((whole.len(), cut.len()), (1_900, 1_134));
    for (at, (whole, cut)) in whole.iter().zip(&cut).enumerate() {
        // The first column is the file; a label needs the 20 frames after its row.
        let features = whole.len() - 2;
        assert_eq!(whole[1..features], cut[1..features], "{at}");
        if at < 1_114 {
            assert_eq!(whole[features..], cut[features..], "{at}");
        } else {
            assert_eq!(cut[features..], ["", ""], "{at}");
        }
    }
}

/// The area under the curve of `imbalance_1` when its rows are shifted by some frames against the labels.
fn shifted_auc(cells: &[Vec<String>], column: usize, shift: isize) -> f64 {
    let (mut scores, mut signs) = (Vec::new(), Vec::new());
    for (at, row) in cells.iter().enumerate() {
        let from = at.checked_add_signed(shift).and_then(|from| cells.get(from));
        let (Some(from), Ok(sign)) = (from, row.last().unwrap().parse::<i8>()) else { continue };
        scores.push(from[column].parse::<f64>().unwrap());
        signs.push(sign);
    }
    let weight = |row: usize| -> Weight { Ties::Drop.weight(signs[row]) };
    Ranking::new(&scores, &signs, Ties::Drop).auc(weight)
}

/// Features of a later frame know more of the future, features of an earlier one less. If the pipeline took features from
/// the wrong frame, its own figure would equal one of the shifted.
#[test]
fn features_neither_look_ahead_nor_lag() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 11, 12_000);
    let table = folder.path().join("t.csv");
    succeed(papertrader().arg("features").arg(&capture).args(["--features", "imbalance_1", "-o"]).arg(&table));
    let (_, cells) = csv_table(&table);
    let column = 7;
    let [lagging, exact, leaking] = [-1, 0, 1].map(|shift| shifted_auc(&cells, column, shift));
    assert!(lagging < exact && exact < leaking, "{lagging} {exact} {leaking}");

    // What `evaluate` finds for a model of that one feature is the exact one.
    let model = folder.path().join("imbalance.json");
    fs::write(&model, r#"{"features":["imbalance_1"],"intercept":0,"coefficients":[1],"horizon_updates":20}"#).unwrap();
    let stem = folder.path().join("e");
    succeed(papertrader().arg("evaluate").arg(&capture).arg("--model").arg(&model).arg("--report").arg(&stem));
    let report: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("e.report.json")).unwrap()).unwrap();
    let metric = &report["test"]["contestants"][0]["metrics"][0];
    assert_eq!(metric["metric"], "auc");
    let evaluated = metric["value"].as_f64().unwrap();
    assert!((evaluated - exact).abs() < 1e-12, "{evaluated} and {exact}");
    assert!((evaluated - lagging).abs() > 1e-6 && (evaluated - leaking).abs() > 1e-6);
}

/// A gap in the sequence makes the book unreliable; no label reaches across.
#[test]
fn no_label_reaches_across_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let whole = moving(&folder, "whole.l2", 0, (0..400).map(|n| (10_000 + n / 7 % 3, 1 + n % 5)), "A-USD");
    let text = fs::read_to_string(&whole).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let holed = folder.path().join("holed.l2");
    // After frame 200 one is lost; frame 250 is a snapshot.
    let snapshot =
        fs::read_to_string(made_up(&folder, "s.l2", 0, (0..400).map(|n| (10_000 + n / 7 % 3, 1 + n % 5)), "A-USD"));
    let snapshot = snapshot.unwrap().lines().nth(250).unwrap().to_owned();
    let kept: Vec<&str> =
        (0..400).filter(|&at| at != 201).map(|at| if at == 250 { snapshot.as_str() } else { lines[at] }).collect();
    fs::write(&holed, kept.join("\n") + "\n").unwrap();
    let table = folder.path().join("t.csv");
    let mut features = papertrader();
    features.arg("features").arg(&holed).args(["--features", "imbalance_1", "-o"]).arg(&table);
    let unreliable = "the book became unreliable 1 time: ";
    let said = features.output().unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains(unreliable), "{said:?}");
    let (_, cells) = csv_table(&table);
    // Frames 0 to 200, then 250 to 399; of both stretches the last 20 have no label.
    assert_eq!(cells.len(), 201 + 150);
    let unlabelled: Vec<&str> =
        cells.iter().filter(|row| row.last().unwrap().is_empty()).map(|row| row[2].as_str()).collect();
    let expected: Vec<String> = (181..201).chain(380..400).map(|number: u32| number.to_string()).collect();
    assert_eq!(unlabelled, expected);

    // A book whose numbers do not fit the finer scale of another one is lost as well: 9.1e18 units of size.
    let unfit = folder.path().join("unfit.l2");
    let mut unfitting: Vec<String> = lines[..40].iter().map(ToString::to_string).collect();
    unfitting[29] = unfitting[29].replacen(r#""new_quantity":""#, r#""new_quantity":"910000000000000000"#, 1);
    unfitting[30] = unfitting[30].replacen(r#""new_quantity":""#, r#""new_quantity":"0.01"#, 1);
    fs::write(&unfit, unfitting.join("\n") + "\n").unwrap();
    let mut features = papertrader();
    features.arg("features").arg(&unfit).args(["--features", "imbalance_1", "--force", "-o"]).arg(&table);
    let said = features.output().unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains(unreliable), "{said:?}");
    let (_, cells) = csv_table(&table);
    assert_eq!(cells.len(), 30);

    // What comes before the first snapshot is not counted, as in the simulation.
    let late = folder.path().join("late.l2");
    fs::write(&late, kept[240..].join("\n") + "\n").unwrap();
    succeed(papertrader().arg("features").arg(&late).args(["--features", "imbalance_1", "--force", "-o"]).arg(&table));
    let (_, cells) = csv_table(&table);
    // The tenth line is the snapshot, number 250 of the venue.
    assert_eq!((cells.len(), &cells[0][1][..], &cells[0][2][..]), (150, "0", "250"));
}
