//! What a report says first: data in sample, and how the model does beside a single feature.

use crate::common::{papertrader, succeed};
use crate::support::{THIN_FEATURES, moving, synthetic};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

fn json_of(folder: &TempDir, name: &str) -> Value {
    serde_json::from_str(&read(folder, name)).unwrap()
}

/// The first sentences of a page.
fn findings(page: &str) -> Vec<String> {
    let parts = page.split("<p class=\"finding\">").skip(1);
    parts.map(|rest| rest.split("</p>").next().unwrap().replace('\u{a0}', " ")).collect()
}

fn train(folder: &TempDir, captures: &[&Path], more: &[&str]) -> String {
    let mut command = papertrader();
    command.arg("train").args(captures).args(["--resamples", "100", "--block", "0.5", "--force"]).args(more);
    succeed(command.arg("-o").arg(folder.path().join("m.json")))
}

#[test]
fn a_model_that_loses_to_one_feature_says_so_first() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 8_000);
    // Noise.
    let shown = train(&folder, &[&capture], &["--features", "seconds_since_update"]);
    let first = shown.lines().next().unwrap();
    assert!(first.starts_with("model loses to imbalance_1 alone"), "{first}");
    let report = json_of(&folder, "m.report.json");
    assert_eq!(report["headline"], json!([first]));
    assert_eq!(findings(&read(&folder, "m.report.html"))[0], first);
    // The difference with its interval, and the share of ties.
    let test = &report["test"];
    let auc = &test["differences"].as_array().unwrap().last().unwrap()["metrics"][0];
    assert_eq!(auc["metric"], "auc");
    let number = |value: &Value| format!("{:+.4}", value.as_f64().unwrap());
    let interval = &auc["interval"];
    let difference = format!(
        ", difference {} [{}, {}]; log-loss difference ",
        number(&auc["value"]),
        number(&interval["low"]),
        number(&interval["high"])
    );
    assert!(auc["value"].as_f64().unwrap() < 0.0 && first.contains(&difference), "{first}");
    let share = test["ties"].as_f64().unwrap() / test["rows"].as_f64().unwrap();
    assert_eq!(test["tie_share"], share);
    assert!(first.ends_with(&format!("; {:.1} % of the rows are ties, left out.", 100.0 * share)), "{first}");

    // The model's file holds the same.
    let provenance = &json_of(&folder, "m.json")["provenance"];
    assert_eq!(
        (&provenance["test"]["tie_share"], &provenance["test"]["rival"][0]),
        (&test["tie_share"], &"imbalance_1".into())
    );
    assert_eq!(provenance["training"]["span_ns"], report["training"]["span_ns"]);

    // One feature against itself.
    let shown = train(&folder, &[&capture], &["--features", "imbalance_1"]);
    assert!(shown.starts_with("model is no better than imbalance_1 alone: AUC "), "{shown}");
}

#[test]
fn every_area_has_its_interval_the_ties_and_the_rival_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 8_000);
    let shown = train(&folder, &[&capture], &["--features", "imbalance_1,ofi_1_20"]);
    let areas: Vec<&str> = shown.lines().filter(|line| line.contains("AUC 0.") && !line.contains("minus")).collect();
    // The headline, and three of the training part.
    assert_eq!(areas.len(), 4, "{shown}");
    assert!(areas.iter().all(|line| line.contains(" [0.")), "{areas:#?}");
    assert_eq!(shown.matches(" ties (").count(), 2, "{shown}");
    let page = read(&folder, "m.report.html");
    let tile = page.split("<dt>AUC</dt>").nth(1).unwrap().split("</div>").next().unwrap();
    for path in
        ["test.tie_share", "test.contestants.0.metrics.0.interval.low", "test.contestants.2.metrics.0.interval.high"]
    {
        assert!(tile.contains(&format!("data-key=\"{path}\" data-value")), "{tile}");
    }

    // A run: by its bins, of which the rival's are in the file too.
    let mut replay = papertrader();
    replay
        .arg("replay")
        .arg(&capture)
        .arg("--model")
        .arg(folder.path().join("m.json"))
        .args(["--name", "run", "--out"]);
    let shown = succeed(replay.arg(folder.path()));
    let calibration = &json_of(&folder, "run.json")["observed"]["calibration"];
    let score = &calibration["score"];
    let outcomes = &calibration["outcomes"];
    let count = |name: &str| outcomes[name].as_f64().unwrap();
    assert_eq!(score["tied_share"], count("tied") / (count("up") + count("down") + count("tied")));
    let bins: Vec<[u64; 3]> = serde_json::from_value(calibration["imbalance_bins"].clone()).unwrap();
    let (mut below, mut wins) = (0, 0.0);
    for [_, up, down] in &bins {
        wins += *up as f64 * (below as f64 + *down as f64 / 2.0);
        below += down;
    }
    let rival = score["imbalance_1_auc"].as_f64().unwrap();
    assert!((rival - wins / (count("up") * count("down"))).abs() < 1e-12 && rival > 0.55, "{rival}");
    let intervals = &calibration["intervals"];
    let ends = |of: &str| ["low", "high"].map(|end| intervals[of][end].as_f64().unwrap());
    let ([low, high], [rival_low, rival_high]) = (ends("auc"), ends("imbalance_1_auc"));
    let said = format!(
        "AUC {:.4} [{low:.4}, {high:.4}] (imbalance_1 alone {rival:.4} [{rival_low:.4}, {rival_high:.4}], {:.1} % ties left out)",
        score["auc"].as_f64().unwrap(),
        100.0 * score["tied_share"].as_f64().unwrap()
    );
    assert!(shown.contains(&said), "{said}\n{shown}");
    let page = read(&folder, "run.html");
    assert!(page.contains(&said.replace('%', "\u{a0}%").replace(" \u{a0}%", " %")) || page.contains(&said), "{said}");
    for path in ["score.imbalance_1_auc", "score.tied_share", "intervals.auc.low", "intervals.difference.high"] {
        assert!(page.contains(&format!("data-key=\"observed.calibration.{path}\" data-value")), "{path}");
    }

    // The slices of the file add up to the area, and `evaluate` finds nearly the same interval in blocks of seconds.
    let slices = &calibration["slices"];
    let sum = |column: &Value| column.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).sum::<f64>();
    let auc = score["auc"].as_f64().unwrap();
    assert!((sum(&slices["model"]["up"]) / count("up") - auc).abs() < 1e-9);
    assert!((sum(&slices["imbalance_1"]["down"]) / count("down") - rival).abs() < 1e-9);
    let mut evaluate = papertrader();
    evaluate.arg("evaluate").arg(&capture).arg("--model").arg(folder.path().join("m.json"));
    succeed(evaluate.arg("--report").arg(folder.path().join("e")));
    let metric = &json_of(&folder, "e.report.json")["test"]["contestants"][0]["metrics"][0];
    let [evaluated_low, evaluated_high] = ["low", "high"].map(|end| metric["interval"][end].as_f64().unwrap());
    assert!((metric["value"].as_f64().unwrap() - auc).abs() < 1e-3, "{metric} {auc}");
    let ratio = (high - low) / (evaluated_high - evaluated_low);
    assert!((0.6..1.6).contains(&ratio), "{low} to {high}, {evaluated_low} to {evaluated_high}");
}

/// A market, from one of its frames on.
fn market(folder: &TempDir, name: &str, (start_ns, from): (i64, u32), product: &str) -> PathBuf {
    moving(folder, name, start_ns, (from..3_000).map(|n| (10_000 + n * n / 7 % 3, 1 + n % 5)), product)
}

#[test]
fn what_a_model_was_trained_on_is_in_sample() {
    let folder = tempfile::tempdir().unwrap();
    let capture = market(&folder, "a.l2", (0, 0), "A-USD");
    let shown = train(&folder, &[&capture], &THIN_FEATURES);
    assert!(!shown.contains("In sample"), "{shown}");
    let text = fs::read_to_string(&capture).unwrap();
    let mut encoder = GzEncoder::new(fs::File::create(folder.path().join("again.l2.gz")).unwrap(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap();
    // The test part is the last 30 %.
    market(&folder, "tail.l2", (22_000_000_000, 2_200), "A-USD");
    market(&folder, "other.l2", (0, 0), "B-USD");
    market(&folder, "later.l2", (40_000_000_000, 0), "A-USD");

    let model = folder.path().join("m.json");
    let trained = "In sample: m was trained on A-USD from 1970-01-01T00:00:00Z to 1970-01-01T00:00:2";
    for (name, by) in [
        (
            "a.l2",
            Some(" % of the time looked at here, and on this very file; these figures say little about other data."),
        ),
        (
            "again.l2.gz",
            Some(
                " % of the time looked at here, by product and receive time; these figures say little about other data.",
            ),
        ),
        ("tail.l2", None),
        ("other.l2", None),
        ("later.l2", None),
    ] {
        let capture = folder.path().join(name);
        let mut evaluate = papertrader();
        evaluate.arg("evaluate").arg(&capture).arg("--model").arg(&model).args(["--resamples", "100", "--force"]);
        let evaluated = succeed(evaluate.arg("--report").arg(folder.path().join("e")));
        let mut replay = papertrader();
        replay.arg("replay").arg(&capture).arg("--model").arg(&model).args(["--force", "--name", "run", "--out"]);
        let replayed = succeed(replay.arg(folder.path()));
        let run = &json_of(&folder, "run.json")["run"];
        let pages = [read(&folder, "e.report.html"), read(&folder, "run.html")].map(|page| findings(&page));
        let Some(by) = by else {
            for text in [&evaluated, &replayed, &pages[0][0], &pages[1][0]] {
                assert!(!text.contains("In sample"), "{name}: {text}");
            }
            assert!(run["in_sample"].is_null(), "{name}");
            continue;
        };
        let sentence = evaluated.lines().next().unwrap();
        assert!(sentence.starts_with(trained) && sentence.ends_with(by), "{sentence}");
        // 70 % of the time, but for the last labels.
        let share: f64 = sentence.split(" %").next().unwrap().split(' ').next_back().unwrap().parse().unwrap();
        assert!((68.0..70.0).contains(&share), "{sentence}");
        assert_eq!(json_of(&folder, "e.report.json")["headline"][0], sentence);
        assert_eq!(pages[0][0], sentence);
        let of_run = sentence.replace("In sample: m ", "In sample: the model ");
        assert_eq!(replayed.lines().next().unwrap(), of_run);
        assert!(replayed.contains(&format!("\nin short\n  {of_run}\n")), "{replayed}");
        assert_eq!(run["in_sample"], of_run);
        assert_eq!(pages[1][0], of_run);
        // The page made again, and beside another run.
        succeed(papertrader().arg("report").arg(folder.path().join("run.csv")).arg("--force"));
        assert_eq!(findings(&read(&folder, "run.html"))[0], of_run);
    }

    // Where only hashes are known.
    let evaluated = json_of(&folder, "e.report.json");
    let hash = &evaluated["captures"][0]["sha256"];
    let text = json!({"features": ["imbalance_1"], "intercept": 0, "coefficients": [1], "provenance": {"captures": [{"sha256": hash}]}});
    fs::write(folder.path().join("hashed.json"), text.to_string()).unwrap();
    let mut replay = papertrader();
    replay.arg("replay").arg(folder.path().join("later.l2")).arg("--model").arg(folder.path().join("hashed.json"));
    let replayed = succeed(replay.args(["--force", "--name", "run", "--out"]).arg(folder.path()));
    assert!(replayed.starts_with("In sample: the model was trained on this very file; "), "{replayed}");
}

/// Allowed to, a test capture may overlap: its figures say so.
#[test]
fn an_allowed_overlap_is_in_sample() {
    let folder = tempfile::tempdir().unwrap();
    let capture = market(&folder, "a.l2", (0, 0), "A-USD");
    let overlapping = market(&folder, "b.l2", (15_000_000_000, 0), "A-USD");
    let test = overlapping.display().to_string();
    let more = [&THIN_FEATURES[..], &["--allow-overlap", "--test", &test]].concat();
    let shown = train(&folder, &[&capture], &more);
    assert!(shown.starts_with("In sample: the model was trained on A-USD from 1970-01-01T00:00:00Z to "), "{shown}");
}

#[test]
fn a_short_run_says_why_its_area_has_no_interval() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 1_000);
    let model = folder.path().join("m.json");
    fs::write(&model, r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#).unwrap();
    let mut replay = papertrader();
    replay.arg("replay").arg(&capture).arg("--model").arg(&model).args(["--name", "run", "--out"]).arg(folder.path());
    let shown = succeed(&mut replay);
    let intervals = &json_of(&folder, "run.json")["observed"]["calibration"]["intervals"];
    assert!(intervals["auc"].is_null() && intervals["blocks"].as_u64().unwrap() < 20, "{intervals}");
    let why = format!(
        "no interval: {} blocks of {} evaluations, 20 are needed",
        intervals["blocks"], intervals["evaluations_per_block"]
    );
    assert!(shown.contains(&format!("ties left out, {why})")), "{why}\n{shown}");
    let page = read(&folder, "run.html");
    assert!(page.contains(&why) && page.contains(&why.replace("no interval", "The AUC has no interval")), "{why}");

    // So does an evaluation.
    let evaluated =
        succeed(papertrader().arg("evaluate").arg(&capture).arg("--model").arg(&model).args(["--resamples", "100"]));
    assert!(
        evaluated.contains("\n  no intervals: it covers ") && !evaluated.contains("intervals: 95 %"),
        "{evaluated}"
    );
}

#[test]
fn a_model_without_provenance_is_of_unknown_origin() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 500);
    let txt = folder.path().join("m.txt");
    fs::write(&txt, vec!["0.01"; 29].join("\n")).unwrap();
    let unknown = "Not known whether this is in sample: the file of the model does not say what it was trained on.";
    let mut replay = papertrader();
    replay.arg("replay").arg(&capture).arg("--model").arg(&txt).args(["--name", "run", "--out"]).arg(folder.path());
    assert_eq!(succeed(&mut replay).lines().next().unwrap(), unknown);
    assert_eq!(json_of(&folder, "run.json")["run"]["in_sample"], unknown);
    assert_eq!(findings(&read(&folder, "run.html"))[0], unknown);

    // Models of one stem, of which neither tells; the baselines are fitted here, and said to be.
    fs::create_dir(folder.path().join("other")).unwrap();
    let other = folder.path().join("other/m.txt");
    fs::write(&other, vec!["0.02"; 29].join("\n")).unwrap();
    let mut evaluate = papertrader();
    evaluate.current_dir(folder.path()).args(["evaluate", "a.l2", "--model", "m.txt", "--model", "other/m.txt"]);
    let shown = succeed(evaluate.args(["--resamples", "100"]));
    let heads: Vec<&str> = shown.lines().take(2).collect();
    assert_eq!(heads, ["m.txt", "other/m.txt"].map(|whom| unknown.replace("the model", whom)));
    assert!(shown.contains("m.txt minus other/m.txt: ") && !shown.contains("file of imbalance_1"), "{shown}");

    // A trade log alone.
    fs::copy(folder.path().join("run.csv"), folder.path().join("bare.csv")).unwrap();
    let output = papertrader().arg("report").arg(folder.path().join("bare.csv")).output().unwrap();
    let (said, page) = (String::from_utf8(output.stderr).unwrap(), read(&folder, "bare.html"));
    let lacks = "as are the product's lot and whether the model was trained on this data; the fee is taken as 0";
    assert!(output.status.success() && said.contains(lacks), "{said}");
    assert!(page.contains("the product") && page.contains("whether the model was trained on this data"), "{page}");
}

/// Without a page doubts were not said at all, and small fees had hundreds of digits.
#[test]
fn doubts_are_said_without_a_report_and_no_amount_is_endless() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 2_000);
    let model = folder.path().join("m.json");
    fs::write(&model, r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#).unwrap();
    let shown = |more: &[&str]| {
        let mut replay = papertrader();
        replay.arg("replay").arg(&capture).arg("--model").arg(&model).args(["--force", "--name", "run"]).args(more);
        succeed(replay.arg("--out").arg(folder.path()))
    };
    let tiny = ["--buy-amount", "1e-9", "--fee-bps", "1e-320"];
    let with_page = shown(&tiny);
    let without = shown(&[&tiny[..], &["--no-report"]].concat());
    for text in [&with_page, &without] {
        assert!(text.contains(" bought less than one lot, the smallest volume of the product."), "{text}");
        assert!(text.contains("buy 1e-9 at probability") && text.contains(" after 1e-320 bp per side"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 400), "{text}");
    }
    assert!(!folder.path().join("run.json").exists());
    assert!(!shown(&["--no-report"]).contains("one lot"));
    let page = {
        shown(&tiny);
        read(&folder, "run.html")
    };
    assert!(!page.contains(&"0".repeat(40)), "endless digits");
    shown(&["--buy-amount", "1e300"]);
    assert!(!read(&folder, "run.html").split('<').any(|part| part.contains(&"0,000".repeat(4))));
}
