//! The pages of training and evaluation against their JSON.

use crate::common::{figures, keys, papertrader, succeed};
use crate::support::synthetic;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Every number of a JSON value by its path.
fn numbers(value: &Value, path: &str, found: &mut BTreeMap<String, String>) {
    let below = |step: &str| if path.is_empty() { step.to_string() } else { format!("{path}.{step}") };
    match value {
        Value::Number(number) => drop(found.insert(path.into(), number.to_string())),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, entry)| numbers(entry, &below(&at.to_string()), found));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, field)| numbers(field, &below(name), found)),
        _ => {}
    }
}

/// Numbers that only the JSON has, or that name a line of a table.
fn is_not_keyed(path: &str, json: &Value) -> bool {
    let steps: Vec<&str> = path.split('.').collect();
    match steps[..] {
        ["rules", "bootstrap", "seed"] => true,
        ["captures", _, "price_decimals"] | ["captures", _, "counts", "live" | "longest_live"] => true,
        ["fit", "cross_validation", _, "c"] | [.., "net", _, "fee_bps"] => true,
        ["training", "differences", ..] => true,
        ["training", "contestants", _, part, ..] => part != "metrics",
        ["validation", "contestants", _, part, ..] => !["metrics", "economics"].contains(&part),
        ["test", "contestants", at, "reliability" | "reached", .., field] => {
            let contestant = &json["test"]["contestants"][at.parse::<usize>().unwrap()];
            let bin = steps[4].parse::<usize>().ok().map(|bin| &contestant["reliability"][bin]);
            field == "from" || contestant["economics"].is_null() || bin.is_some_and(|bin| bin["all_rows"] == 0.0)
        }
        _ => false,
    }
}

struct Made {
    json: Value,
    page: String,
    terminal: String,
}

impl Made {
    fn read(stem: &Path, terminal: String) -> Self {
        let text = |ending: &str| {
            let mut path = stem.as_os_str().to_owned();
            path.push(ending);
            fs::read_to_string(path).unwrap()
        };
        Self { json: serde_json::from_str(&text(".report.json")).unwrap(), page: text(".report.html"), terminal }
    }
}

fn trained(capture: &Path, stem: PathBuf, more: &[&str]) -> Made {
    made_by("train", capture, stem, more)
}

fn made_by(name: &str, capture: &Path, stem: PathBuf, more: &[&str]) -> Made {
    let mut command = papertrader();
    command.arg(name).arg(capture).args(["--resamples", "100", "--block", "1", "--force"]).args(more);
    let terminal = succeed(command.arg("-o").arg(stem.with_extension("json")));
    Made::read(&stem, terminal)
}

fn evaluated(capture: &Path, models: &[PathBuf], stem: PathBuf, more: &[&str]) -> Made {
    let mut command = papertrader();
    command.arg("evaluate").arg(capture).args(["--resamples", "100", "--block", "1", "--force"]).args(more);
    for model in models {
        command.arg("--model").arg(model);
    }
    let terminal = succeed(command.arg("--report").arg(&stem));
    Made::read(&stem, terminal)
}

/// A model of `imbalance_1`.
fn model(folder: &TempDir, name: &str, coefficient: f64) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, format!(r#"{{"features":["imbalance_1"],"intercept":0,"coefficients":[{coefficient}]}}"#))
        .unwrap();
    path
}

#[track_caller]
fn assert_has_every_number(made: &Made) {
    let mut all = BTreeMap::new();
    numbers(&made.json, "", &mut all);
    let keys = keys(&made.page);
    for (path, value) in &keys {
        assert_eq!(value.as_ref(), all.get(path), "{path}");
    }
    let shown: BTreeSet<&String> = keys.iter().map(|(path, _)| path).collect();
    let lost: Vec<&String> =
        all.keys().filter(|path| !shown.contains(path) && !is_not_keyed(path, &made.json)).collect();
    assert!(lost.is_empty(), "{lost:#?}");
    // As it is read, not only as an attribute.
    for contestant in made.json["test"]["contestants"].as_array().unwrap() {
        for metric in contestant["metrics"].as_array().unwrap() {
            let Some(value) = metric["value"].as_f64() else { continue };
            let text = format!("{:.4}</span>", value.abs());
            assert!(made.page.contains(&text), "{metric}");
        }
    }
}

#[test]
fn a_page_has_every_number_of_its_report() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 6_000);
    let features = "imbalance_1,ofi_1_20,bid_size_1";
    let made =
        trained(&capture, folder.path().join("m"), &["--cv", "--importance", "--block", "0.2", "--features", features]);
    assert_has_every_number(&made);
    assert_eq!(figures(&made.page), ["fig-reliability-0", "fig-reliability-2", "fig-importance"]);
    // The test of the AUCs says of both comparisons how far it goes.
    let remark = "DeLong’s test takes rows as independent, which overlapping labels are not: its p is too small.";
    assert!(made.page.contains(remark) && made.terminal.contains(remark), "{}", made.terminal);
    assert!(made.terminal.contains("    minus imbalance_1: standard error "), "{}", made.terminal);
    assert!(made.json["test"]["differences"][1]["delong"]["p"].is_number());
    assert!(made.page.contains("C, by cross-validation"));

    let calibrated = ["--validate", "walk-forward:4", "--calibrate", "sigmoid", "--features", "imbalance_1,bid_size_1"];
    let made = trained(&capture, folder.path().join("m"), &calibrated);
    assert_has_every_number(&made);
    assert!(made.page.contains("id=\"table-folds\"") && !made.page.contains("id=\"table-choice\""));
    let chosen = ["--at-most", "2", "--features", "imbalance_1,ofi_1_20,bid_size_1"];
    let made = made_by("select", &capture, folder.path().join("m"), &chosen);
    assert_has_every_number(&made);
    assert!(made.page.contains("id=\"table-folds\"") && made.page.contains("id=\"table-choice\""));

    let models = [model(&folder, "good.json", 1.5), model(&folder, "bad.json", -1.5)];
    // No block: no interval. Another ties rule: rows count in halves.
    for more in [&["--ties", "three"][..], &["--block", "3600"], &["--threshold", "0.999999"]] {
        let made = evaluated(&capture, &models, folder.path().join("e"), more);
        assert_has_every_number(&made);
        assert_eq!(figures(&made.page), ["fig-reliability-0", "fig-reliability-1", "fig-reliability-3"]);
        assert_eq!(
            made.page.matches("<svg class=\"wide\"").count(),
            made.page.matches("<svg class=\"narrow\"").count()
        );
        assert!(!made.page.contains("id=\"fit\"") && !made.page.contains("href=\"#fit\""));
        for warning in made.json["warnings"].as_array().unwrap() {
            assert!(made.page.contains(&format!("<p class=\"remark\">{}</p>", warning.as_str().unwrap())), "{warning}");
        }
        assert!(made.terminal.contains("good minus bad:"), "{}", made.terminal);
        // Where a tie counts in both classes there is no test, nor where there is no interval beside it.
        let has_test = !more.contains(&"three") && !more.contains(&"3600");
        assert_eq!(made.json["test"]["differences"][0]["delong"].is_object(), has_test);
        assert_eq!(made.page.contains("DeLong"), has_test);
    }
}

#[test]
fn names_stay_text() {
    const MARKUP: &str = "<img src=x onerror=alert(1)>&\"'";
    const ESCAPED: &str = "&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#39;";
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, &format!("{MARKUP}.l2"), 7, 3_000);
    let model = model(&folder, &format!("{MARKUP}.json"), 1.5);
    let stem = folder.path().join("e");
    let pages = [
        evaluated(&capture, &[model.clone(), model], stem, &["--importance"]).page,
        trained(&capture, folder.path().join(format!("{MARKUP}m")), &["--features", "imbalance_1"]).page,
    ];
    for page in pages {
        assert!(!page.contains("<img") && !page.contains("\"'"), "{page}");
        // In the title and the heading, and in the table of captures.
        assert!(page.matches(ESCAPED).count() >= 3, "{page}");
    }
}

#[test]
fn a_page_asks_for_nothing_but_itself() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 7, 3_000);
    let made = trained(&capture, folder.path().join("m"), &["--features", "imbalance_1"]);
    for reference in ["<script", "src=", "url(", "@import", "http:", "https:"] {
        assert!(!made.page.contains(reference), "{reference}");
    }
    let targets = made.page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    for target in targets {
        let id = target.strip_prefix('#');
        assert!(target == "data:," || id.is_some_and(|id| made.page.contains(&format!("id=\"{id}\""))), "{target}");
    }
}
