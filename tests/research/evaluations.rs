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
