//! Whether a run says that the market is another than the training's, and where it stays silent.

use crate::common::{figures, papertrader, stderr, succeed};
use crate::support::synthetic;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const FEATURES: &str = "imbalance_1,imbalance_3,microprice_minus_mid,spread_ticks";

fn trained(folder: &TempDir, capture: &Path) -> PathBuf {
    let model = folder.path().join("m.json");
    let mut train = papertrader();
    train.arg("train").arg(capture).args(["--features", FEATURES, "--resamples", "100", "-o"]).arg(&model);
    succeed(&mut train);
    model
}

/// The standard error of a replay, its `observed` and its page.
fn replayed(folder: &TempDir, capture: &Path, model: &Path, more: &[&str]) -> (String, Value, String) {
    let mut replay = papertrader();
    replay.arg("replay").arg(capture).arg("--model").arg(model).arg("--out").arg(folder.path());
    let output = replay.args(["--name", "run", "--force"]).args(more).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = |ending: &str| fs::read_to_string(folder.path().join(format!("run.{ending}"))).unwrap();
    let mut run: Value = serde_json::from_str(&text("json")).unwrap();
    (stderr(&output), run["observed"].take(), text("html"))
}

/// The same market with asks twenty times as large from a line on.
fn with_large_asks(capture: &Path, path: &Path, from: usize) {
    let mut text = String::new();
    for (at, line) in fs::read_to_string(capture).unwrap().lines().enumerate() {
        let (ts_recv_ns, message) = line.split_once(' ').unwrap();
        let mut message: Value = serde_json::from_str(message).unwrap();
        for update in message["events"][0]["updates"].as_array_mut().into_iter().flatten() {
            if at >= from && update["side"] == "offer" {
                let size: f64 = update["new_quantity"].as_str().unwrap().parse().unwrap();
                update["new_quantity"] = format!("{:.8}", 20.0 * size).into();
            }
        }
        text.push_str(&format!("{ts_recv_ns} {message}\n"));
    }
    fs::write(path, text).unwrap();
}

#[test]
fn a_run_over_the_training_is_in_its_depth() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 9_000);
    let model = trained(&folder, &capture);
    let file: Value = serde_json::from_str(&fs::read_to_string(&model).unwrap()).unwrap();
    let distribution = &file["training_distribution"];
    let rows = file["provenance"]["training"]["rows"].as_u64().unwrap();
    // Rows after which the mid stays are there too.
    assert_eq!(distribution["rows"], rows);
    assert!(rows > file["provenance"]["rows"].as_u64().unwrap());
    assert_eq!(distribution["window_rows"], serde_json::json!([2_048]));
    let sum = |counts: &Value| counts.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum(&distribution["score"]["counts"]), rows);
    assert_eq!(distribution["features"].as_array().unwrap().len(), 4);
    assert!(distribution["features"].as_array().unwrap().iter().all(|bins| sum(&bins["counts"]) == rows));

    let (said, observed, page) = replayed(&folder, &capture, &model, &[]);
    assert!(!said.contains("out of its depth"), "{said}");
    let drift = &observed["drift"];
    assert_eq!((&drift["out_of_depth"], &drift["windows_judged"]), (&false.into(), &4.into()), "{drift}");
    assert!(drift["score"]["psi"].as_f64().unwrap() < 0.1, "{drift}");
    assert_eq!(sum(&drift["score"]["counts"]), observed["calibration"]["evaluations"].as_u64().unwrap());
    assert_eq!(sum(&drift["features"][0]["counts"]), observed["features"]["rows"].as_u64().unwrap());
    assert!(figures(&page).contains(&"fig-psi".to_string()) && !page.contains("The model is out of its depth"));
    // Neither threads nor the clock change it.
    let (_, again, _) = replayed(&folder, &capture, &model, &["--fused"]);
    assert_eq!(again, observed);
}

#[test]
fn another_market_is_out_of_its_depth() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 9_000);
    let model = trained(&folder, &capture);
    let other = folder.path().join("b.l2");
    with_large_asks(&synthetic(&folder, "c.l2", 10, 9_000), &other, 0);
    let (said, observed, page) = replayed(&folder, &other, &model, &[]);
    let warning = said.lines().find(|line| line.contains("out of its depth")).unwrap_or_else(|| panic!("{said}"));
    assert!(warning.starts_with("warning: the model is out of its depth: score PSI "), "{warning}");
    assert!(warning.contains(" (out in 4 of 4 windows), farthest feature "), "{warning}");
    assert_eq!(observed["drift"]["out_of_depth"], true);
    assert!(page.contains("<p class=\"remark\">The model is out of its depth: score PSI "));

    // From the middle on: the windows before are as ever.
    with_large_asks(&capture, &other, 4_500);
    let (_, observed, _) = replayed(&folder, &other, &model, &[]);
    let score = &observed["drift"]["score"];
    let psi = |at: usize| score["windows"][at].as_f64().unwrap();
    assert!(psi(0) < 0.25 && psi(1) < 0.25 && psi(2) > 0.25 && psi(3) > 0.25, "{score}");
    assert_eq!((&score["windows_out"], &observed["drift"]["out_of_depth"]), (&2.into(), &true.into()));
}

#[test]
fn a_model_without_a_distribution_has_no_drift_and_the_page_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 9, 300);
    let model = folder.path().join("m.json");
    let text = r#"{"features":["imbalance_1"],"intercept":0,"coefficients":[1.5],"horizon_updates":20,"label":"mid:20","ties":"drop"}"#;
    fs::write(&model, text).unwrap();
    let (said, observed, page) = replayed(&folder, &capture, &model, &[]);
    assert_eq!((said.as_str(), &observed["drift"]), ("", &Value::Null));
    assert!(page.contains("The model file has no training_distribution, which papertrader train writes."));
}

/// Many features, few rows in a window: what ten stretches of the training have is beaten by one in eleven of the same market.
#[test]
fn a_market_of_the_same_kind_is_no_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 101, 30_000);
    let model = folder.path().join("m.json");
    let features = "imbalance_1,imbalance_5,imbalance_10,spread_ticks,microprice_minus_mid,ofi_1_50,ofi_5_50,mid_return_50,\
                    mid_return_10,bid_size_1,ask_size_1,bid_size_2,ask_size_2,updates_since_mid_change";
    let mut train = papertrader();
    train.arg("train").arg(&capture).args(["--features", features, "--resamples", "100", "-o"]).arg(&model);
    succeed(&mut train);
    for seed in [102, 103, 104, 105] {
        let other = synthetic(&folder, &format!("{seed}.l2"), seed, 16_000);
        let (said, observed, _) = replayed(&folder, &other, &model, &[]);
        let drift = &observed["drift"];
        assert_eq!((&drift["windows_judged"], &drift["out_of_depth"]), (&7.into(), &false.into()), "{seed}: {said}");
    }
}
