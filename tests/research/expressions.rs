//! Expressions from the command line to a trained model and a run of it.

use crate::common::{fail, papertrader, succeed};
use crate::support::{csv_table, synthetic};
use papertrader::statistics::labels::{Ties, Weight};
use papertrader::statistics::metrics::Ranking;
use serde_json::Value;
use std::fs;
use std::path::Path;

const IMBALANCE_5: &str = "(sum(bid_size, 1..5) - sum(ask_size, 1..5)) / (sum(bid_size, 1..5) + sum(ask_size, 1..5))";

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_model_of_expressions_is_trained_evaluated_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let capture = synthetic(&folder, "a.l2", 3, 4_000);
    let slope = "(mid - ema(mid, 500ms)) / (0.01 + std(mid, 50))";
    let list = format!("spread_ticks, imb5 = {IMBALANCE_5}, slope = {slope}");
    let train = ["--features", &list, "--resamples", "100", "-o"];
    succeed(papertrader().arg("train").arg(&capture).args(train).arg(at("m.json")));
    let model = json(&at("m.json"));
    assert_eq!(model["features"], serde_json::json!(["spread_ticks", { "imb5": IMBALANCE_5 }, { "slope": slope }]));
    assert_eq!(model["provenance"]["features"][1]["name"], "imb5");
    assert_eq!(json(&at("m.report.json"))["fit"]["features"][2]["name"], "slope");

    // By the catalogue's name for the same it is the same model.
    let built_in = list.replace(&format!("imb5 = {IMBALANCE_5}"), "imbalance_5");
    let train = ["--features", &built_in, "--resamples", "100", "-o"];
    succeed(papertrader().arg("train").arg(&capture).args(train).arg(at("n.json")));
    assert_eq!(json(&at("n.json"))["coefficients"], model["coefficients"]);

    let evaluate = |model: &str, stem: &str| {
        let mut evaluate = papertrader();
        evaluate.arg("evaluate").arg(&capture).args(["--resamples", "100", "--model"]).arg(at(model));
        succeed(evaluate.arg("--report").arg(at(stem)));
        json(&at(&format!("{stem}.report.json")))["test"]["contestants"][0]["metrics"].clone()
    };
    assert_eq!(evaluate("m.json", "e"), evaluate("n.json", "f"));

    // A run buys what the run of the other buys, and its report names the features.
    let replay = |model: &str, out: &str| {
        let mut replay = papertrader();
        replay.arg("replay").arg(&capture).args(["--speed", "max", "--threshold", "0.5", "--model"]).arg(at(model));
        succeed(replay.arg("--out").arg(at(out)));
        let ends = |end: &str| {
            let mut files = fs::read_dir(at(out)).unwrap().map(|entry| entry.unwrap().path());
            files.find(|path| path.to_string_lossy().ends_with(end)).unwrap_or_else(|| panic!("{end}"))
        };
        (fs::read_to_string(ends(".csv")).unwrap(), json(&ends(".json")))
    };
    let ((trades, run), (others, _)) = (replay("m.json", "runs"), replay("n.json", "others"));
    // Their logits are summed up in another order.
    let but_for_probabilities = |text: &str| -> Vec<String> {
        let without =
            text.lines().map(|line| line.split(',').enumerate().filter(|(at, _)| *at != 10).map(|(_, cell)| cell));
        without.map(|cells| cells.collect::<Vec<_>>().join(",")).collect()
    };
    assert!(trades.lines().count() > 20);
    assert!(but_for_probabilities(&trades) == but_for_probabilities(&others));
    assert_eq!(run["settings"]["model"]["features"][1]["name"], "imb5");
    assert_eq!(
        run["counters"]["trading"]["none_warming_up"],
        json(&at("m.report.json"))["captures"][0]["counts"]["warming_up"]
    );
}

#[test]
fn rows_without_a_value_are_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let capture = synthetic(&folder, "a.l2", 3, 2_000);
    let features = |list: &str, out: &str| {
        let mut features = papertrader();
        features.arg("features").arg(&capture).args(["--features", list, "-o"]).arg(at(out));
        features
    };
    let list = "updates_since_mid_change, since = 1 / updates_since_mid_change";
    let said = succeed(&mut features(list, "t.csv"));
    let (_, all) = {
        succeed(&mut features("updates_since_mid_change", "all.csv"));
        csv_table(&at("all.csv"))
    };
    let (header, cells) = csv_table(&at("t.csv"));
    assert_eq!(header[7..9], ["updates_since_mid_change", "since"]);
    let defined: Vec<&str> = all.iter().filter(|row| row[7] != "0.0").map(|row| &row[1][..]).collect();
    let rows: Vec<&str> = cells.iter().map(|row| &row[1][..]).collect();
    assert_eq!(rows, defined);
    let undefined = all.len() - rows.len();
    assert!(undefined > 10);
    let line = format!("undefined     {undefined:>12}  live frames without row: an expression has no value");
    assert!(said.contains(&line), "{said}");

    // The engine leaves out the same frames.
    let model = format!(
        r#"{{"features":[{{"since":"{}"}}],"intercept":0,"coefficients":[1]}}"#,
        "1 / updates_since_mid_change"
    );
    fs::write(at("m.json"), model).unwrap();
    let mut replay = papertrader();
    replay
        .arg("replay")
        .arg(&capture)
        .args(["--speed", "max", "--model"])
        .arg(at("m.json"))
        .arg("--out")
        .arg(at("runs"));
    let said = succeed(&mut replay);
    let line = said.lines().find(|line| line.contains("none: undefined")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.ends_with(&format!(" {undefined}")), "{line}");

    let (code, message) = fail(&mut features("never = 1 / (bid_size_1 - bid_size_1)", "none.csv"));
    assert_eq!(code, 2);
    assert_eq!(
        message,
        "error: no frame has features: of 2000 frames 2000 left the book live, 0 of these with fewer levels than the features \
         look at, 0 with fewer updates than they look back on and 2000 without a value of an expression"
    );
}

#[test]
fn errors_point_into_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let capture = synthetic(&folder, "a.l2", 3, 200);
    let wrong = "(sum(bid_size, 1..5) - bid_sise_3)";
    let said = "column 24: unknown feature 'bid_sise_3'; the nearest is 'bid_size_3'";
    let list = format!("mid, bid_size_1, imb5 = {wrong}");
    for command in ["features", "train"] {
        let mut run = papertrader();
        run.arg(command).arg(&capture).args(["--features", &list, "-o"]).arg(at("out.json"));
        let (code, message) = fail(&mut run);
        assert_eq!((code, message), (2, format!(r#"error: features[2] "imb5", {said}"#)));
    }
    // Full without the baseline's feature.
    let full: Vec<String> = (1..=128).map(|k| format!("mid_return_{k}")).collect();
    let mut run = papertrader();
    run.arg("train").arg(&capture).args(["--features", &full.join(","), "-o"]).arg(at("out.json"));
    let (code, message) = fail(&mut run);
    assert_eq!(
        (code, &message[..]),
        (
            2,
            "error: with imbalance_1 for the baseline beside them: 129 features are too many; a model has at most 128; leave one out"
        )
    );
    fs::write(at("list.txt"), format!("mid\nimb5 = {wrong}\n")).unwrap();
    let mut run = papertrader();
    let file = format!("@{}", at("list.txt").display());
    let (code, message) = fail(run.arg("features").arg(&capture).args(["--features", &file, "-o"]).arg(at("t.csv")));
    assert_eq!((code, message), (2, format!(r#"error: {}, line 2: "imb5", {said}"#, at("list.txt").display())));

    let path = at("m.json");
    for (features, said) in [
        (format!(r#"["mid", {{"imb5": "{wrong}"}}]"#), format!(r#", features[1] "imb5", {said}"#)),
        (r#"["mid", "imb5 = lag(mid, 20000)"]"#.into(), r#", features[1] "imb5", column 10: '20000': the number of updates goes from 1 to 10000"#.into()),
        (r#"["mid", {"imb5": "mid / 0"}]"#.into(), r#", features[1] "imb5", column 5: division by 0"#.into()),
        (r#"["mid", {"mid": "bid_size_1"}]"#.into(), ", features[1]: an expression cannot be called 'mid': that is a feature of the catalogue".into()),
        (r#"[{"a": "bid_size_1"}, {"a": "bid_size_2"}]"#.into(), ": feature 'a' is named twice".into()),
        (
            r#"["mid", {"a": "mid", "b": "mid"}]"#.into(),
            ": an object in a list of features has one name and its expression at line 1 column 45".into(),
        ),
        (r#"["mid", 3]"#.into(), r#": invalid type: integer `3`, expected a feature's name or an object {"NAME": "EXPRESSION"} at line 1 column 22"#.into()),
    ] {
        fs::write(&path, format!(r#"{{"features": {features}, "intercept": 0, "coefficients": [1, 1]}}"#)).unwrap();
        let (code, message) = fail(papertrader().arg("replay").arg(&capture).arg("--model").arg(&path).arg("--out").arg(at("runs")));
        assert_eq!((code, message), (2, format!("error: model {}{said}", path.display())));
    }
}

/// Every function that looks back, and a value of many parts.
const LOOKING_BACK: &str = "a = lag(imbalance_1, 3), b = delta(mid, 200ms), c = mean(imbalance_2, 20), d = std(mid, 20), \
    e = ema(imbalance_1, 10), f = ema(bid_size_1, 2s), g = mean(ask_size_1, 1s), h = std(bid_size_2, 300ms), \
    i = lag(bid_price_3, 500ms) - ask_price_1, j = clip(delta(mid, 5) / std(mid, 50), -3, 3), k = sum(ln(bid_size) * ask_size, 2..9), \
    l = min(bid_size, 1..4) > max(ask_size_1, 0.5) + sign(mid - bid_price_2)";

/// What comes later changes no earlier row, whatever comes.
#[test]
fn no_row_knows_what_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let whole = synthetic(&folder, "whole.l2", 5, 1_500);
    let text = fs::read_to_string(&whole).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // Sizes a hundred times as large from frame 1,000 on.
    let other: Vec<String> =
        lines
            .iter()
            .enumerate()
            .map(|(at, line)| {
                if at < 1_000 { line.to_string() } else { line.replace(r#""new_quantity":""#, r#""new_quantity":"9"#) }
            })
            .collect();
    let write = |name: &str, lines: &[String]| {
        let path = folder.path().join(name);
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        path
    };
    let (cut, other) = (write("cut.l2", &other[..1_000]), write("other.l2", &other));
    let table = |capture: &Path| {
        let table = capture.with_extension("csv");
        succeed(papertrader().arg("features").arg(capture).args(["--features", LOOKING_BACK, "-o"]).arg(&table));
        csv_table(&table).1
    };
    let [whole, cut, other] = [whole, cut, other].map(|capture| table(&capture));
    let columns = 7..19;
    assert!(cut.len() > 300 && cut.len() < whole.len());
    for (row, ((whole, cut), other)) in whole.iter().zip(&cut).zip(&other).enumerate() {
        assert_eq!(whole[columns.clone()], cut[columns.clone()], "{row}");
        assert_eq!(whole[columns.clone()], other[columns.clone()], "{row}");
    }
    // Sizes that are looked at show it from then on.
    let first = whole.iter().zip(&other).position(|(whole, other)| whole[columns.clone()] != other[columns.clone()]);
    assert!(first.is_some_and(|first| first >= cut.len()), "{first:?}");
}

/// As for the catalogue's features: a row's own value is neither the one before nor the one after it.
#[test]
fn shifted_rows_differ() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 11, 12_000);
    let table = folder.path().join("t.csv");
    let list = "own = imbalance_1 + 0, lagged = lag(imbalance_1, 1), \
                smooth = ema(imbalance_1, 3), moved = delta(mid, 1s)";
    succeed(papertrader().arg("features").arg(&capture).args(["--features", list, "-o"]).arg(&table));
    let (_, cells) = csv_table(&table);
    let auc = |column: usize, shift: isize| {
        let (mut scores, mut signs) = (Vec::new(), Vec::new());
        for (at, row) in cells.iter().enumerate() {
            let from = at.checked_add_signed(shift).and_then(|from| cells.get(from));
            let (Some(from), Ok(sign)) = (from, row.last().unwrap().parse::<i8>()) else { continue };
            scores.push(from[column].parse::<f64>().unwrap());
            signs.push(sign);
        }
        let weight = |row: usize| -> Weight { Ties::Drop.weight(signs[row]) };
        Ranking::new(&scores, &signs, Ties::Drop).auc(weight)
    };
    // What knows the book of the frame loses by looking at an earlier one, and would win by a later one.
    for column in [7, 9] {
        let [lagging, exact, leaking] = [-1, 0, 1].map(|shift| auc(column, shift));
        assert!(lagging < exact && exact < leaking, "{column}: {lagging} {exact} {leaking}");
    }
    // A lag of one is the row before.
    for pair in cells.windows(2) {
        assert_eq!(pair[1][8], pair[0][7]);
    }
    let reversed: Vec<&str> = cells.iter().rev().map(|row| &row[10][..]).collect();
    assert!(cells.iter().zip(reversed).any(|(row, reversed)| row[10] != reversed));
}
