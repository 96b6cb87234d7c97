//! Fits against independent results.

use crate::common::{papertrader, shared_data, succeed};
use crate::support::{Rows, rows, synthetic};
use papertrader::research::fit::{Design, fit};
use papertrader::research::scaler::Scaler;
use papertrader::statistics::labels::Ties;
use papertrader::statistics::logistic::probability;
use papertrader::strategy::features::SEED;
use papertrader::strategy::model::Model;
use serde_json::Value;
use std::fs;

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[track_caller]
fn assert_close(ours: &[f64], theirs: &[f64], relative: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() <= relative * theirs.abs(), "{at}: {ours} and {theirs}");
    }
}

#[test]
fn the_reference_fit_is_reproduced() {
    let Some(data) = shared_data() else { return };
    let golden: Value =
        serde_json::from_str(&fs::read_to_string(data.join("golden/btc-perp-a.reference_fit.json")).unwrap()).unwrap();
    let capture = data.join("captures/btc-perp-a.l2.gz");
    let Rows { table, labelled, ties } = rows(&[capture], &SEED, 20);
    let keys = table.keys();
    assert_eq!(labelled, 26_823 - 20);
    assert_eq!(keys.len() as u64, golden["n"].as_u64().unwrap());
    assert_eq!(ties, golden["ties_dropped"].as_u64().unwrap());
    assert_eq!(keys.iter().filter(|key| key.sign > 0).count() as u64, golden["positives"].as_u64().unwrap());
    let sequences: Vec<u64> = keys.iter().map(|key| key.sequence).collect();
    let golden_rows =
        |name: &str| -> Vec<u64> { golden[name].as_array().unwrap().iter().map(|row| row.as_u64().unwrap()).collect() };
    assert_eq!(sequences[..5], golden_rows("first_rows"));
    assert_eq!(sequences[keys.len() - 5..], golden_rows("last_rows"));
    let mut first = Vec::new();
    table.read(&(0..1), &mut Vec::new(), |_, values| first.extend_from_slice(values)).unwrap();
    // The golden subtracts prices as doubles, we as integers.
    assert_close(&first, &floats(&golden["features_of_first_training_row"]), 1e-9);

    let columns: Vec<usize> = (0..SEED.len()).collect();
    let all = vec![0..keys.len(); 1];
    let scaler = Scaler::fit(&table, &columns, &all, Ties::Drop, 1).unwrap();
    assert_close(&scaler.mean, &floats(&golden["scaler"]["mean"]), 1e-12);
    assert_close(&scaler.scale, &floats(&golden["scaler"]["scale"]), 1e-12);

    let design =
        |threads| Design { table: &table, columns: &columns, rows: &all, ties: Ties::Drop, scaler: &scaler, threads };
    let found = fit(&design(1), 1.0, None, &|| false).unwrap();
    assert_eq!(found, fit(&design(2), 1.0, None, &|| false).unwrap());
    let optimum = &golden["optimum_newton"];
    assert_close(&[found.objective], &[optimum["objective"].as_f64().unwrap()], 1e-9);
    assert!(found.gradient_max < 1e-8, "{}", found.gradient_max);
    for (ours, theirs) in found.weights.iter().zip(floats(&optimum["coef"])) {
        assert!((ours - theirs).abs() < 1e-8, "{ours} and {theirs}");
    }

    // Rows of a capture that is not here, by their features.
    let rows = golden["test_rows"]["features"].as_array().unwrap();
    let probabilities = floats(&golden["test_rows"]["p_optimum"]);
    assert_eq!(rows.len(), 20);
    for (row, theirs) in rows.iter().map(floats).zip(probabilities) {
        let scaled =
            row.iter().zip(&scaler.mean).zip(&scaler.scale).map(|((value, mean), scale)| (value - mean) / scale);
        let logit: f64 =
            found.intercept + scaled.zip(&found.weights).map(|(value, weight)| value * weight).sum::<f64>();
        assert!((probability(logit) - theirs).abs() < 1e-8, "{} and {theirs}", probability(logit));
    }
}

#[test]
fn a_trained_model_replays_and_its_plain_form_is_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2.gz", 7, 6_000);
    let (json, txt) = (folder.path().join("m.json"), folder.path().join("m.txt"));
    let train = |threads: &str, memory: &str| {
        let out = succeed(
            papertrader()
                .arg("train")
                .arg(&capture)
                .args(["--threads", threads, "--memory", memory, "--resamples", "100", "--force", "-o"])
                .arg(&json)
                .arg("--txt")
                .arg(&txt),
        );
        (out, fs::read_to_string(&json).unwrap())
    };
    let (report, model) = train("1", "1024");
    assert!(report.contains("hit rate, all rows") && report.contains("break-even fee: "));
    // Neither threads nor the cache on disk change a byte.
    assert_eq!(train("2", "0"), (report, model));
    let (json, txt) = (Model::read(&json).unwrap(), Model::read(&txt).unwrap());
    let of = |model: &Model| model.linear().map(|linear| (linear.intercept, linear.coefficients.clone())).unwrap();
    assert_eq!(of(&json), of(&txt));
    assert_eq!(json.features, txt.features);
    assert_eq!((json.horizon_updates, json.threshold), (Some(20), Some(0.6)));
    let page = fs::read_to_string(folder.path().join("m.report.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>") && page.contains("<svg"));
}

#[test]
fn the_penalty_is_chosen_by_cross_validation() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 6_000);
    let model = folder.path().join("m.json");
    for ties in ["drop", "down", "three"] {
        let report = succeed(
            papertrader()
                .arg("train")
                .arg(&capture)
                .args(["--cv", "--ties", ties, "--features", "imbalance_1,spread_ticks,ofi_1_20"])
                .args(["--resamples", "100", "--force", "-o"])
                .arg(&model),
        );
        assert!(report.contains("by cross-validation"), "{report}");
        let file: Value = serde_json::from_str(&fs::read_to_string(&model).unwrap()).unwrap();
        let tried = file["provenance"]["cross_validation"].as_array().unwrap();
        assert_eq!(tried.len(), 9);
        let losses: Vec<f64> = tried.iter().map(|tried| tried["log_loss"].as_f64().unwrap()).collect();
        let best = losses.iter().position(|loss| losses.iter().all(|other| loss <= other)).unwrap();
        assert_eq!(file["provenance"]["c"], tried[best]["c"]);
    }
}
