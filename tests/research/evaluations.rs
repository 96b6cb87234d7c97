//! Evaluations agree with the engine and with each other.

use crate::common::{fail, papertrader, shared_data, succeed};
use crate::support::{Rows, rows, seen_by_the_engine, synthetic};
use papertrader::statistics::labels::Ties;
use papertrader::statistics::metrics::Ranking;
use papertrader::strategy::features::Feature;
use papertrader::strategy::model::Model;
use serde_json::Value;
use std::fs;

#[test]
fn several_models_are_compared_resample_by_resample() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 12_000);
    let model = |name: &str, coefficient: f64| {
        let path = folder.path().join(name);
        let text = format!(r#"{{"features":["imbalance_1"],"intercept":0,"coefficients":[{coefficient}]}}"#);
        fs::write(&path, text).unwrap();
        path
    };
    let (good, bad) = (model("good.json", 1.5), model("bad.json", -1.5));
    let stem = folder.path().join("e");
    let report = succeed(
        papertrader()
            .arg("evaluate")
            .arg(&capture)
            .arg("--model")
            .arg(&good)
            .arg("--model")
            .arg(&bad)
            .args(["--resamples", "200", "--report"])
            .arg(&stem),
    );
    assert!(report.contains("good minus bad:"), "{report}");
    let json: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("e.report.json")).unwrap()).unwrap();
    let difference = &json["test"]["differences"][0];
    assert_eq!((&difference["of"], &difference["minus"]), (&"good".into(), &"bad".into()));
    let auc = &difference["metrics"][0];
    let contestants = json["test"]["contestants"].as_array().unwrap();
    let of = |at: usize| contestants[at]["metrics"][0]["value"].as_f64().unwrap();
    assert!((auc["value"].as_f64().unwrap() - (of(0) - of(1))).abs() < 1e-12);
    assert!((of(0) + of(1) - 1.0).abs() < 1e-12);
    assert!(auc["interval"]["low"].as_f64().unwrap() > 0.0);

    let differing = folder.path().join("other.json");
    fs::write(&differing, r#"{"features":["mid"],"intercept":0,"coefficients":[1],"horizon_updates":5}"#).unwrap();
    let third = folder.path().join("third.json");
    fs::write(&third, r#"{"features":["mid"],"intercept":0,"coefficients":[1],"horizon_updates":6}"#).unwrap();
    let mut evaluate = papertrader();
    evaluate.arg("evaluate").arg(&capture).arg("--model").arg(&differing).arg("--model").arg(&third);
    let (code, message) = fail(&mut evaluate);
    assert_eq!(code, 2);
    assert!(
        message.starts_with("error: the models differ in their horizon: ") && message.ends_with("give --horizon"),
        "{message}"
    );
}

/// 6,000 frames in half a minute: 20 updates take a tenth of a second, 400 take two.
#[test]
fn blocks_are_chosen_and_short_ones_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 6_000);
    let model = folder.path().join("m.json");
    fs::write(&model, r#"{"features":["imbalance_1"],"intercept":0,"coefficients":[1.5]}"#).unwrap();
    let stem = folder.path().join("e");
    let evaluated = |more: &[&str]| {
        let mut command = papertrader();
        command.arg("evaluate").arg(&capture).arg("--model").arg(&model).args(["--resamples", "100", "--force"]);
        let terminal = succeed(command.args(more).arg("--report").arg(&stem));
        let text = fs::read_to_string(folder.path().join("e.report.json")).unwrap();
        (terminal, serde_json::from_str::<Value>(&text).unwrap())
    };
    let of_blocks = |json: &Value| {
        let first = json["warnings"][0].as_str().unwrap_or_default();
        if first.contains("intervals") { first.to_string() } else { String::new() }
    };

    let (terminal, json) = evaluated(&[]);
    assert_eq!(of_blocks(&json), "");
    assert!(terminal.contains(" (by horizon and dependence), 100 resamples"), "{terminal}");
    assert!(json["rules"]["bootstrap"]["block_s"].is_null());
    let number = |json: &Value, field: &str| json["test"][field].as_f64().unwrap();
    assert!((0.05..0.2).contains(&number(&json, "horizon_s")), "{}", number(&json, "horizon_s"));
    assert!(number(&json, "block_s") >= 10.0 * number(&json, "horizon_s"));
    assert!((20.0..=50.0).contains(&number(&json, "blocks")));
    assert!(json["test"]["contestants"][0]["metrics"][0]["interval"].is_object());

    let (terminal, json) = evaluated(&["--horizon", "20", "--block", "0.5"]);
    let first = of_blocks(&json);
    assert!(
        first.starts_with(
            "the intervals of the test part are too narrow: a block of 0.500 s is shorter than horizon and "
        ) && first.contains("; leave out --block, or give "),
        "{first}"
    );
    assert!(terminal.contains(" (as given, which is too short), "), "{terminal}");

    let (_, json) = evaluated(&["--horizon", "400", "--block", "0.5"]);
    let first = of_blocks(&json);
    assert!(
        first.starts_with(
            "the test part has no intervals: a block of 0.500 s is shorter than the horizon of 400 updates, "
        ),
        "{first}"
    );
    let contestant = &json["test"]["contestants"][0];
    assert!(contestant["metrics"].as_array().unwrap().iter().all(|metric| metric["interval"].is_null()));
    assert!(contestant["economics"]["gross_bps_interval"].is_null());

    let (_, json) = evaluated(&["--horizon", "400"]);
    let first = of_blocks(&json);
    assert!(first.starts_with("the test part has no intervals: it covers 1 of the 20 blocks of "), "{first}");
    assert!(first.ends_with(" s that they need; give more captures"), "{first}");
}

/// The AUC that `evaluate` gives the original's model is that of the logits by which the engine trades, in order.
#[test]
fn evaluation_agrees_with_the_engine() {
    let Some(data) = shared_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let capture = data.join("captures/btc-perp-a.l2.gz");
    let stem = folder.path().join("e");
    succeed(
        papertrader()
            .arg("evaluate")
            .arg(&capture)
            .arg("--model")
            .arg(data.join("models/20_update_log_classifier.txt"))
            .args(["--resamples", "100", "--report"])
            .arg(&stem),
    );
    let json: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("e.report.json")).unwrap()).unwrap();
    let evaluated = json["test"]["contestants"][0]["metrics"][0]["value"].as_f64().unwrap();
    let model = Model::read(&data.join("models/20_update_log_classifier.txt")).unwrap();
    let seen = seen_by_the_engine(&capture, model);
    let Rows { table, .. } = rows(&[capture], &[Feature::Mid], 20);
    let signs: Vec<i8> = table.keys().iter().map(|key| key.sign).collect();
    let scores: Vec<f64> = table.keys().iter().map(|key| seen[key.sequence as usize].1).collect();
    let auc = Ranking::new(&scores, &signs, Ties::Drop).auc(|row| Ties::Drop.weight(signs[row]));
    assert!((evaluated - auc).abs() < 1e-12, "{evaluated} and {auc}");
}

#[test]
fn the_last_share_is_judged_as_train_tests() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 6_000);
    let path = |name: &str| folder.path().join(name);
    let mut train = papertrader();
    train.arg("train").arg(&capture).args(["--features", "imbalance_1,ofi_1_50", "--resamples", "100", "-o"]);
    succeed(train.arg(path("m.json")));
    let evaluate = |more: &[&str]| {
        let mut evaluate = papertrader();
        evaluate
            .arg("evaluate")
            .arg(&capture)
            .arg("--model")
            .arg(path("m.json"))
            .args(["--resamples", "100"])
            .args(more);
        evaluate.arg("--report").arg(path("e")).arg("--force");
        evaluate
    };
    let shown = succeed(&mut evaluate(&["--last", "0.3"]));
    let report = |name: &str| -> Value { serde_json::from_str(&fs::read_to_string(path(name)).unwrap()).unwrap() };
    let [trained, evaluated] = ["m.report.json", "e.report.json"].map(report);
    // The model, the base rate and the model of one feature, to the last digit.
    for at in 0..3 {
        let [expected, found] = [&trained, &evaluated].map(|report| {
            let mut contestant = report["test"]["contestants"][at].clone();
            contestant["name"] = Value::Null;
            contestant
        });
        assert_eq!(found, expected, "{at}");
    }
    assert_eq!(evaluated["test"]["span_ns"], trained["test"]["span_ns"]);
    // What came before is not what it is judged by.
    assert!(!shown.contains("in sample") && !shown.contains("trained on"), "{shown}");
    assert!(shown.contains("baselines: fitted to the rows before, as `train` does"), "{shown}");
    assert!(succeed(&mut evaluate(&[])).contains("trained on"));
    let (code, error) = fail(&mut evaluate(&["--last", "1"]));
    assert_eq!(code, 2);
    assert!(error.contains("a share lies between 0 and 1, both excluded"), "{error}");
}
