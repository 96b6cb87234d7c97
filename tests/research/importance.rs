//! Permutation importance: what it must be where that is known, and the same bytes however it is computed.

use crate::common::{fail, forest, papertrader, stderr, succeed};
use crate::support::{moving, synthetic};
use papertrader::feed::intake::ScaleRule;
use papertrader::research::importance::{ImportanceError, Permuting, importance};
use papertrader::research::scoring::{By, Contestant, Rules, score_and_keep};
use papertrader::research::source::{Nobody, Source, Watch};
use papertrader::research::table::Table;
use papertrader::statistics::bootstrap::BootstrapSettings;
use papertrader::statistics::labels::{LabelRule, Ties};
use papertrader::strategy::model::Model;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// Half a minute of a market whose best bid tells the next move, in three of four cases.
fn foretelling(folder: &TempDir, frames: usize) -> PathBuf {
    let mut state = 7_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut ticks = 100_000;
    let frames: Vec<(u32, u32)> = (0..frames)
        .map(|_| {
            let now = ticks;
            let rises = random().is_multiple_of(2);
            let honest = !random().is_multiple_of(4);
            ticks = if rises { ticks + 1 } else { ticks - 1 };
            (now, if rises == honest { 8 } else { 2 } + (random() % 3) as u32)
        })
        .collect();
    moving(folder, "foretelling.l2", 0, frames.into_iter(), "A-USD")
}

fn model(folder: &TempDir, name: &str, features: &str, coefficients: &str) -> PathBuf {
    let path = folder.path().join(name);
    let text =
        format!(r#"{{"features":[{features}],"intercept":0.1,"coefficients":[{coefficients}],"horizon_updates":1}}"#);
    fs::write(&path, text).unwrap();
    path
}

/// The report as a file, with its standard error.
fn evaluated(capture: &Path, model: &Path, more: &[&str]) -> (String, Value, String) {
    let stem = model.with_extension("of");
    let mut evaluate = papertrader();
    evaluate.arg("evaluate").arg(capture).arg("--model").arg(model).args(["--importance", "--resamples", "100"]);
    let output = evaluate.args(["--force", "--report"]).arg(&stem).args(more).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = fs::read_to_string(stem.with_extension("of.report.json")).unwrap();
    let json = serde_json::from_str(&text).unwrap();
    (text, json, stderr(&output))
}

fn drop_of(json: &Value, at: usize) -> f64 {
    json["importance"]["features"][at]["auc_drop"]["value"].as_f64().unwrap()
}

#[test]
fn what_foretells_matters_and_what_has_no_weight_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let capture = foretelling(&folder, 3_000);
    let features = r#""updates_since_mid_change","imbalance_1","seconds_since_update","mid_return_3","bid_size_1""#;
    let path = model(&folder, "m.json", features, "0.3,2,0,2000,0");
    let (_, json, _) = evaluated(&capture, &path, &["--block", "0.5"]);
    let importance = &json["importance"];
    assert_eq!((&importance["of"], &importance["repeats"]), (&"m".into(), &5.into()));
    let features = importance["features"].as_array().unwrap();
    assert_eq!(features[1]["name"], "imbalance_1");
    let of = |at: usize, field: &str, part: &str| features[at][field][part].clone();
    assert!(drop_of(&json, 1) > 0.15, "{importance}");
    assert!(of(1, "auc_drop", "interval")["low"].as_f64().unwrap() > 0.1, "{importance}");
    assert!(of(1, "log_loss_rise", "interval")["low"].as_f64().unwrap() > 0.0, "{importance}");
    for other in [0, 2, 3, 4] {
        assert!(drop_of(&json, other) < 0.05, "{importance}");
    }
    // Exactly: their columns are multiplied by 0.
    for at in [2, 4] {
        for field in ["auc_drop", "log_loss_rise"] {
            assert_eq!(
                features[at][field].to_string(),
                r#"{"interval":{"high":0.0,"low":0.0},"value":0.0}"#,
                "{field}"
            );
        }
    }
}

#[test]
fn permuted_alone_a_feature_loses_all_and_beside_its_twin_little() {
    let folder = tempfile::tempdir().unwrap();
    let capture = foretelling(&folder, 3_000);
    let alone = evaluated(&capture, &model(&folder, "alone.json", r#""imbalance_1""#, "2"), &[]).1;
    let auc = alone["test"]["contestants"][0]["metrics"][0]["value"].as_f64().unwrap();
    assert!((drop_of(&alone, 0) - (auc - 0.5)).abs() < 0.03, "{auc} {}", alone["importance"]);
    let twins = model(&folder, "twins.json", r#""imbalance_1",{"same":"imbalance_1 + 0"}"#, "1,1");
    let twins = evaluated(&capture, &twins, &[]).1;
    for at in [0, 1] {
        assert!(drop_of(&twins, at) < 0.7 * drop_of(&alone, 0), "{}", twins["importance"]);
    }
}

#[test]
fn any_number_of_threads_and_any_memory_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 6_000);
    let path = folder.path().join("forest.txt");
    fs::write(&path, forest(&["imbalance_1", "spread_ticks", "ofi_1_20"], 3)).unwrap();
    let of = |more: &[&str]| evaluated(&capture, &path, &[&["--block", "1", "--repeats", "3"], more].concat()).0;
    let one = of(&["--threads", "1"]);
    assert!(one == of(&["--threads", "3"]));
    assert!(one == of(&["--threads", "2", "--memory", "0"]));
    let part = |text: &str| serde_json::from_str::<Value>(text).unwrap()["importance"].clone();
    assert_eq!(part(&one)["repeats"], 3);
    assert!(part(&one) != part(&of(&["--seed", "2"])));
    // What is trained has the same, on its test part alone.
    let out = folder.path().join("t.json");
    let train = |threads: &str| {
        // A model that it replaces would be counted.
        drop(fs::remove_file(&out));
        let mut train = papertrader();
        train.arg("train").arg(&capture).args([
            "--features",
            "imbalance_1,ofi_1_20",
            "--resamples",
            "100",
            "--block",
            "1",
        ]);
        let said = succeed(train.args(["--importance", "--force", "--threads", threads, "-o"]).arg(&out));
        assert!(said.contains("importance      of model’s features, mean of 5 permutations\n"), "{said}");
        fs::read_to_string(folder.path().join("t.report.json")).unwrap()
    };
    let trained = train("1");
    assert!(trained == train("2"));
    let json: Value = serde_json::from_str(&trained).unwrap();
    assert!(drop_of(&json, 0) > 0.0, "{}", json["importance"]);
}

#[test]
fn what_cannot_be_told_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let capture = foretelling(&folder, 3_000);
    let none = model(&folder, "none.json", r#""seconds_since_update","mid_return_3""#, "0,0");
    let said = evaluated(&capture, &none, &["--block", "0.5"]).2;
    assert!(
        said.contains("warning: no feature of none matters beyond chance: the intervals of all drops in AUC"),
        "{said}"
    );
    // One block cannot change places.
    let (_, json, said) = evaluated(&capture, &none, &["--block", "3600"]);
    assert!(
        said.contains("warning: none has no importance of features: its rows lie in fewer than two blocks"),
        "{said}"
    );
    assert!(json["importance"]["features"][0]["auc_drop"]["value"].is_null());
    let mut alone = papertrader();
    alone.arg("evaluate").arg(&capture).arg("--model").arg(&none).args(["--repeats", "3"]);
    let (code, message) = fail(&mut alone);
    assert!(code == 2 && message.contains("--importance"), "{message}");
}

/// Wherever it is asked for, the end comes soon: after as many questions as there are threads and passes in hand.
#[test]
fn an_interrupt_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 3_000);
    let source = Source::open(&[capture], None, ScaleRule::default()).unwrap();
    let text = r#"{"features":["imbalance_1","spread_ticks"],"intercept":0,"coefficients":[1,1]}"#;
    let model = Model::parse("m.json".as_ref(), text).unwrap();
    let contestants = [Contestant { name: "m".into(), by: By::Model(Box::new(model.clone())) }];
    let bootstrap = BootstrapSettings { block_s: Some(0.5), replicates: 200, seed: 1 };
    let (label, ties) = (LabelRule::mid_after(20), Ties::Drop);
    let rules = Rules { label, horizon: 20, ties, threshold: 0.6, buy_amount: 100.0, bootstrap, threads: 2 };
    let mut table = Table::new(2, usize::MAX);
    let watch = Watch { bar: &Nobody, stop: &|| false };
    let mut keep = |_: usize, key, features: &[f64]| table.push(key, features);
    let (parts, _) = score_and_keep(&source, &contestants, &rules, 1, &|_, _, _| Some(0), &watch, &mut keep).unwrap();
    table.finish().unwrap();
    let permuting = Permuting { part: &parts[0], table: &table, name: "m", model: &model, repeats: 2 };
    let asked = AtomicUsize::new(0);
    let whole = importance(&permuting, &rules, &|| asked.fetch_add(1, Ordering::Relaxed) == usize::MAX, || {});
    assert_eq!(whole.unwrap().features.len(), 2);
    let questions = asked.load(Ordering::Relaxed);
    // Each resample asks, of the rows as they are and of each feature.
    assert!(questions > 600, "{questions}");
    for after in [0, 1, 2, 50, 250, 500, questions - 1] {
        let asked = AtomicUsize::new(0);
        let stop = || asked.fetch_add(1, Ordering::Relaxed) >= after;
        let ended = importance(&permuting, &rules, &stop, || {});
        assert!(matches!(ended, Err(ImportanceError::Interrupted)), "{after}: {ended:?}");
        assert!(asked.load(Ordering::Relaxed) <= questions);
    }
}
