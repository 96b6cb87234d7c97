//! Walk-forward, K-fold, choice of features, calibration, and what is told of them.

use crate::common::{fail, forest, papertrader, succeed};
use crate::support::{moving, synthetic};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs `command` on a capture. Gives the model, its report and what was shown.
fn made(command: &str, capture: &Path, stem: &Path, more: &[&str]) -> (Value, Value, String) {
    let model = stem.with_extension("json");
    let mut run = papertrader();
    run.arg(command).arg(capture).args(["--resamples", "100", "-o"]).arg(&model).args(more);
    let shown = succeed(&mut run);
    (json(&model), json(&stem.with_extension("report.json")), shown)
}

fn metric(contestant: &Value, name: &str) -> f64 {
    let metrics = contestant["metrics"].as_array().unwrap();
    metrics.iter().find(|metric| metric["metric"] == name).unwrap()["value"].as_f64().unwrap()
}

/// A market whose best bid size foretells its next move: 2,400 frames, the mid goes up after a large bid.
fn foretold(folder: &TempDir) -> std::path::PathBuf {
    let mut source = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut random = move || source.next_u64() >> 33;
    let mut price = 10_000;
    let frames = (0..2_400).map(move |_| {
        let up = random() % 2 == 0;
        // Three times in four the size tells the truth.
        let told = if random() % 4 == 0 { !up } else { up };
        let frame = (price, if told { 8 } else { 2 });
        price = if up { price + 1 } else { price - 1 };
        frame
    });
    moving(folder, "foretold.l2", 1_000_000_000_000, frames.collect::<Vec<_>>().into_iter(), "BTC-USD")
}

#[test]
fn refits_are_tested_on_what_they_have_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let capture = foretold(&folder);
    let base = ["--features", "imbalance_1,bid_size_1", "--horizon", "1", "--force"];
    for (scheme, folds, fitted_of_last) in [("walk-forward:3", 3, 1_257), ("rolling:3", 3, 419), ("kfold:4", 4, 1_257)]
    {
        let more = [&base[..], &["--validate", scheme, "--embargo", "5"]].concat();
        let (model, report, shown) = made("train", &capture, &folder.path().join("m"), &more);
        let validation = &report["validation"];
        assert_eq!((&validation["scheme"], &validation["embargo_rows"]), (&scheme.into(), &5.into()));
        let each = validation["folds"].as_array().unwrap();
        assert_eq!(each.len(), folds);
        // 2,399 labelled rows, 70 % of them to train on; a label looks one frame ahead.
        let fitted = each.last().unwrap()["fitted_rows"].as_u64().unwrap();
        assert!(fitted.abs_diff(fitted_of_last) <= 8, "{scheme}: {fitted}");
        let tested: u64 = each.iter().map(|fold| fold["rows"].as_u64().unwrap()).sum();
        assert_eq!(Value::from(tested), validation["rows"]);
        // The truth is told three times in four: no model that has not seen the rows knows more.
        let auc = metric(&validation["contestants"][0], "auc");
        assert!((auc - 0.75).abs() < 0.03, "{scheme}: {auc}");
        // Scores of different folds are not compared: the base rates are worth nothing.
        let names: Vec<&str> = (0..3).map(|at| validation["contestants"][at]["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["model", "base rate", "imbalance_1"]);
        assert_eq!(metric(&validation["contestants"][1], "auc"), 0.5);
        assert_eq!(model["provenance"]["validation"]["scheme"], scheme);
        assert!(shown.contains(&format!("  {scheme}: ")) && shown.contains("  fold 3: "), "{shown}");
        // The validation lies before the test part, which it does not touch.
        assert!(validation["span_ns"][1].as_i64() < report["test"]["span_ns"][0].as_i64());
        if scheme != "kfold:4" {
            assert!(validation["span_ns"][0].as_i64() > report["training"]["span_ns"][0].as_i64());
        }
    }
}

#[test]
fn what_is_chosen_is_judged_without_having_been_chosen_by_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let capture = foretold(&folder);
    // Noise: lags of the size tell nothing, as moves are independent.
    let noise: Vec<String> = (2..22).map(|lag| format!("noise_{lag} = lag(bid_size_1, {lag})")).collect();
    let features = format!("imbalance_1,{}", noise.join(","));
    let more = ["--features", &features, "--horizon", "1", "--at-most", "4", "--validate", "kfold:3"];
    let (model, report, shown) = made("select", &capture, &folder.path().join("m"), &more);
    let choice = &report["choice"];
    assert_eq!(choice["candidates"], 21);
    let path = choice["path"].as_array().unwrap();
    assert_eq!(path.len(), 4);
    assert_eq!(
        (&path[0]["feature"], &path[0]["taken"], &path[0]["folds"]),
        (&"imbalance_1".into(), &true.into(), &3.into())
    );
    let taken = path.iter().filter(|step| step["taken"] == true).count();
    assert_eq!(Value::from(taken), choice["taken"]);
    assert_eq!(
        model["features"].as_array().map(Vec::len).or(model["features"].as_object().map(serde_json::Map::len)),
        Some(taken)
    );
    let names: Vec<&str> =
        report["validation"]["contestants"].as_array().unwrap().iter().map(|of| of["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["model", "chosen beforehand", "all candidates", "base rate", "imbalance_1"]);
    // Four steps of 21, 20, 19 and 18 sets, in the training part and in three folds.
    assert_eq!(report["tried"]["feature_sets"], 4 * (21 + 20 + 19 + 18));
    let loss = |at: usize| metric(&report["validation"]["contestants"][at], "log_loss");
    let price = choice["price"]["value"].as_f64().unwrap();
    assert!((price - (loss(0) - loss(1))).abs() < 1e-12, "{price}");
    assert!(shown.contains("the price of having chosen is"), "{shown}");
    // Twenty features of noise cost more than they bring.
    assert!(loss(2) > loss(0), "{} {}", loss(2), loss(0));
}

#[test]
fn the_choice_does_not_depend_on_threads() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 3_000);
    let files = |threads: &str| {
        let more = [
            "--features",
            "imbalance_1,spread_ticks,ofi_1_20,bid_size_1",
            "--at-most",
            "2",
            "--force",
            "--threads",
            threads,
        ];
        let (_, _, shown) = made("select", &capture, &folder.path().join("m"), &more);
        (shown, fs::read_to_string(folder.path().join("m.report.json")).unwrap())
    };
    // The second run replaces the first, and tries nothing new.
    assert!(files("1") == files("2"));
}

#[test]
fn a_calibrated_model_says_what_it_was_before() {
    let folder = tempfile::tempdir().unwrap();
    let capture = foretold(&folder);
    for kind in ["sigmoid", "isotonic"] {
        let more = ["--features", "imbalance_1", "--horizon", "1", "--calibrate", kind, "--force"];
        let (model, report, shown) = made("train", &capture, &folder.path().join("m"), &more);
        assert_eq!(model["calibration"]["kind"], kind);
        assert_eq!(
            (&report["calibration"]["kind"], &report["validation"]["scheme"]),
            (&kind.into(), &"kfold:5".into())
        );
        let names: Vec<&str> =
            report["test"]["contestants"].as_array().unwrap().iter().map(|of| of["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["model", "uncalibrated", "base rate", "imbalance_1"]);
        // Monotone steps keep the order but for ties; two scores have but two probabilities.
        let [after, before] = [0, 1].map(|at| metric(&report["test"]["contestants"][at], "auc"));
        assert!((after - before).abs() < 1e-12, "{kind}: {after} {before}");
        assert!(shown.contains(&format!("calibration     {kind}, fitted to ")), "{shown}");
        // The file is the calibrated model.
        let mut evaluate = papertrader();
        evaluate.arg("evaluate").arg(&capture).arg("--model").arg(folder.path().join("m.json"));
        succeed(evaluate.args(["--horizon", "1", "--resamples", "100"]));
    }
}

#[test]
fn models_tried_before_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 2_000);
    let stem = |name: &str| folder.path().join(name);
    let base = ["--features", "imbalance_1"];
    let (_, report, shown) = made("train", &capture, &stem("a"), &base);
    assert_eq!(report["tried"]["models"], 1);
    assert!(!shown.contains("models have been tested"), "{shown}");
    let a = stem("a.json");
    let (_, report, _) =
        made("train", &capture, &stem("b"), &[&base[..], &["--c", "2", "--after", a.to_str().unwrap()]].concat());
    assert_eq!(report["tried"]["models"], 2);
    // The same output again, and one that names both.
    let b = stem("b.json");
    let (model, report, shown) = made(
        "train",
        &capture,
        &stem("b"),
        &[&base[..], &["--c", "3", "--force", "--after", a.to_str().unwrap(), "--after", b.to_str().unwrap()]].concat(),
    );
    assert_eq!(report["tried"]["models"], 3);
    assert!(shown.starts_with("model ") && shown.contains("3 models have been tested on these rows"), "{shown}");
    let attempts = model["provenance"]["attempts"]["models"].as_array().unwrap();
    assert_eq!(attempts.iter().map(|of| of["c"].as_f64().unwrap()).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
    // Whoever evaluates is told.
    let mut evaluate = papertrader();
    let shown = succeed(evaluate.arg("evaluate").arg(&capture).args(["--resamples", "100", "--model"]).arg(&b));
    assert!(shown.contains("b is the last of 3 models that were tried"), "{shown}");
}

#[test]
fn what_is_said_of_models_tried_before_has_to_be_readable() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 2_000);
    let model = folder.path().join("old.json");
    let after = |attempts: &str| {
        let text = r#"{"features":["imbalance_1"],"intercept":0,"coefficients":[1],"provenance":{ATTEMPTS}}"#;
        fs::write(&model, text.replace("ATTEMPTS", attempts)).unwrap();
        let mut train = papertrader();
        train.arg("train").arg(&capture).args([
            "--features",
            "imbalance_1",
            "--resamples",
            "100",
            "--force",
            "--after",
        ]);
        train.arg(&model).arg("-o").arg(folder.path().join("m.json"));
        train
    };
    // A model that names none is one itself, however often it is named.
    for _ in 0..2 {
        let report = succeed(&mut after(r#""by": "hand""#));
        assert!(report.contains("2 models have been tested on these rows, this one included"), "{report}");
    }
    assert!(
        succeed(&mut after(r#""attempts": {"older": 18446744073709551615, "models": []}"#))
            .contains("models have been")
    );
    for (attempts, what) in [
        (r#""attempts": 7"#, "invalid type: integer `7`, expected struct Attempts"),
        (r#""attempts": {"older": -1, "models": []}"#, "invalid value: integer `-1`, expected u64"),
        (r#""attempts": {"models": "x"}"#, "invalid type: string \"x\", expected a sequence"),
    ] {
        let (code, error) = fail(&mut after(attempts));
        let says = format!(
            "error: model {}: provenance.attempts: {what}; it says how many models were tried before: mend it, or leave it out",
            model.display()
        );
        assert_eq!((code, error), (2, says));
    }
}

#[test]
fn what_a_training_reads_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 1_000);
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("a.json"), r#"{"features":["imbalance_1"],"intercept":0,"coefficients":[1]}"#).unwrap();
    fs::copy(path("a.json"), path("b.report.json")).unwrap();
    fs::write(path("list.txt"), "seed").unwrap();
    let list = format!("@{}", path("list.txt"));
    for (arguments, kept) in [
        (vec!["-o", "new.json", "--after", "a.json", "--txt", "a.json"], "a.json"),
        (vec!["-o", "b.json", "--after", "b.report.json"], "b.report.json"),
        (vec!["-o", "new.json", "--features", &list, "--txt", "list.txt"], "list.txt"),
    ] {
        let before = fs::read(path(kept)).unwrap();
        let mut train = papertrader();
        train.arg("train").arg(&capture).arg("--force");
        for argument in arguments {
            let is_name = argument.contains('.') && !argument.starts_with('@');
            train.arg(if is_name { path(argument) } else { argument.into() });
        }
        let (code, error) = fail(&mut train);
        let says =
            format!("error: {} would be written over, and this command reads it; choose another name", path(kept));
        assert_eq!((code, error), (2, says));
        assert_eq!(fs::read(path(kept)).unwrap(), before);
    }
    let mut features = papertrader();
    features.arg("features").arg(&capture).args(["--force", "--features", &list, "-o", &path("list.txt")]);
    assert_eq!(fail(&mut features).0, 2);
    // Of a library's model too, whatever command runs it.
    fs::write(path("forest.txt"), forest(&["imbalance_1", "spread_ticks"], 3)).unwrap();
    let names = format!("@{}", path("e.report.json"));
    fs::write(path("e.report.json"), "imbalance_1\nspread_ticks\n").unwrap();
    let model = ["--model", &path("forest.txt"), "--model-features", &names, "--force"];
    let mut evaluate = papertrader();
    evaluate.arg("evaluate").arg(&capture).args(model).args(["--report", &path("e")]);
    fs::copy(path("e.report.json"), path("run.json")).unwrap();
    let run_names = format!("@{}", path("run.json"));
    let mut replay = papertrader();
    replay.arg("replay").arg(&capture).args([
        "--model",
        &path("forest.txt"),
        "--model-features",
        &run_names,
        "--force",
    ]);
    replay.args(["--name", "run", "--out"]).arg(folder.path());
    for (command, kept) in [(&mut evaluate, "e.report.json"), (&mut replay, "run.json")] {
        let (code, error) = fail(command);
        let says =
            format!("error: {} would be written over, and this command reads it; choose another name", path(kept));
        assert_eq!((code, error), (2, says));
        assert_eq!(fs::read_to_string(path(kept)).unwrap(), "imbalance_1\nspread_ticks\n");
    }
}

#[test]
fn what_cannot_be_validated_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 1_000);
    let refused = |more: &[&str]| {
        let mut run = papertrader();
        run.arg("train").arg(&capture).arg("-o").arg(folder.path().join("m.json")).args(more);
        fail(&mut run)
    };
    let (code, error) = refused(&["--features", "imbalance_1", "--validate", "walk-forward:90"]);
    assert_eq!(code, 2);
    assert!(
        error.starts_with("error: walk-forward:90: fold 1 has ")
            && error.contains("; 100 to fit on and 1 to test on are needed"),
        "{error}"
    );
    let (code, error) = refused(&["--embargo", "5"]);
    assert_eq!(
        (code, error.as_str()),
        (2, "error: --embargo needs --cv or --validate: nothing else leaves blocks out")
    );
    let (code, error) = refused(&["--validate", "loo"]);
    assert_eq!(code, 2);
    assert!(error.contains("'loo' is none of kfold:K, walk-forward:K and rolling:K, K from 2 to 100"), "{error}");
    let (code, error) = refused(&["--after", "nowhere.json"]);
    assert_eq!(code, 2);
    assert!(error.contains("nowhere.json"), "{error}");
    assert!(!folder.path().join("m.json").exists());
}
