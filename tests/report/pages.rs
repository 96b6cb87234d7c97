use crate::common::{figures, keys, papertrader, shared_data, succeed};
use crate::support::{Runs, at, between};
use serde_json::Value;
use std::fs;

const ALL_FIGURES: [&str; 15] = [
    "fig-profit-sequence",
    "fig-profit-time",
    "fig-profit-distribution",
    "fig-profit-tenths",
    "fig-holding",
    "fig-probability",
    "fig-threshold",
    "fig-reliability",
    "fig-roc",
    "fig-latency-percentiles",
    "fig-mid",
    "fig-spread",
    "fig-imbalance",
    "fig-weights",
    "fig-drift",
];

/// The rows of a CSV file by column.
fn column(csv: &str, name: &str) -> Vec<f64> {
    let mut lines = csv.lines();
    let place = lines.next().unwrap().split(',').position(|column| column == name).unwrap();
    lines.map(|line| line.split(',').nth(place).unwrap().parse().unwrap()).collect()
}

#[test]
fn a_run_leaves_numbers_and_a_page_that_agree_with_its_trades() {
    let runs = Runs::new();
    let capture = runs.capture(3_000);
    let shown = runs.replay(&capture, "run", &["--threshold", "0.55", "--fee-bps", "0.5"]);
    assert!(shown.contains("\nin short\n") && shown.contains("\n  cumulative profit        "), "{shown}");
    for ending in ["csv", "hgrm", "hlog", "json", "html"] {
        let path = runs.path(&format!("run.{ending}"));
        assert!(path.exists() && shown.contains(&format!("  {}\n", path.display())), "{ending}\n{shown}");
    }
    let (csv, json, page) = (runs.text("run.csv"), runs.json("run.json"), runs.text("run.html"));
    // An interval of the latency log takes a second: a run this short has no figure of it.
    assert_eq!(figures(&page), ALL_FIGURES);
    assert_eq!(page.matches("<svg class=\"wide\"").count(), page.matches("<svg class=\"narrow\"").count());
    assert!(page.contains("<strong>Latency over time, received → decided.</strong>"), "its absence is told");

    // Every number of the page is that of RUN.json.
    let keys = keys(&page);
    assert!(keys.len() > 150, "{}", keys.len());
    for (path, value) in &keys {
        let there = at(&json, path);
        assert_eq!(value.as_deref(), there.as_number().map(ToString::to_string).as_deref(), "{path}");
    }

    // And that of RUN.json what the trade log comes to.
    let (bought, sold) = (column(&csv, "buy_amount"), column(&csv, "sell_amount"));
    let profit = column(&csv, "profit");
    let trades = &json["trades"];
    assert!(profit.len() > 100, "{}", profit.len());
    let sum = |values: &[f64]| values.iter().sum::<f64>();
    assert_eq!(trades["trades"], profit.len());
    assert_eq!(trades["winners"], profit.iter().filter(|&&profit| profit > 0.0).count());
    assert_eq!(trades["gross_profit"].as_f64().unwrap(), sum(&profit));
    assert_eq!(trades["gross_bps"].as_f64().unwrap(), 1e4 * sum(&profit) / sum(&bought));
    let turnover = sum(&bought) + sum(&sold);
    assert_eq!(trades["net_profit"].as_f64().unwrap(), sum(&profit) - 0.5 / 1e4 * turnover);
    assert_eq!(trades["break_even_fee_bps"].as_f64().unwrap(), 1e4 * sum(&profit) / turnover);
    let mut highest = 0.0_f64;
    let mut cumulative = 0.0;
    let deepest = profit.iter().fold(0.0_f64, |deepest, profit| {
        cumulative += profit;
        highest = highest.max(cumulative);
        deepest.max(highest - cumulative)
    });
    assert_eq!(trades["drawdown_max"].as_f64().unwrap(), deepest);
    let tenths: u64 = trades["tenths"].as_array().unwrap().iter().map(|tenth| tenth["trades"].as_u64().unwrap()).sum();
    assert_eq!(tenths, profit.len() as u64);
    assert_eq!(json["settings"]["fee_bps"], 0.5);
    assert_eq!(json["counters"]["trading"]["closed_trades"], profit.len());

    // The command makes the same page from the same files.
    fs::remove_file(runs.path("run.html")).unwrap();
    let shown = runs.report("run.csv");
    assert_eq!(runs.text("run.html"), page);
    assert!(shown.contains("After fees of 0.5 bp per side") && shown.contains("▁"), "{shown}");
    assert!(shown.ends_with(&format!("wrote\n  {}\n", runs.path("run.html").display())), "{shown}");
}

/// All but what depends on when and how fast a run was.
fn without_timing(mut json: Value) -> Value {
    json.as_object_mut().unwrap().remove("timing").expect("a section of its own");
    json
}

#[test]
fn the_same_frames_give_the_same_report() {
    let runs = Runs::new();
    let capture = runs.capture(2_000);
    // The page names its run: both must have the same name.
    let mut reports = Vec::new();
    for threads in [&[][..], &["--fused"], &["--wait", "yield"]] {
        runs.replay(&capture, "run", threads);
        reports.push((without_timing(runs.json("run.json")), runs.text("run.html")));
    }
    let (json, page) = &reports[0];
    for (other_json, other_page) in &reports[1..] {
        assert_eq!(json, other_json);
        for (from, to) in [("<h2 id=\"profit\">", "<h2 id=\"latency\">"), ("<h2 id=\"book\">", "<h2 id=\"counters\">")]
        {
            assert_eq!(between(page, from, to), between(other_page, from, to));
        }
    }
}

/// Two recordings behind one another, the second after a gap.
fn broken(runs: &Runs) -> std::path::PathBuf {
    let capture = runs.capture(1_500);
    let text = fs::read_to_string(&capture).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let last: i64 = lines[lines.len() - 1].split(' ').next().unwrap().parse().unwrap();
    let mut joined = text.clone();
    joined.push_str(&format!("{last} {{\"papertrader\":\"gap\",\"frames\":3}}\n"));
    joined.push_str(&format!("{last} {{\"papertrader\":\"connected\",\"connection\":2}}\n"));
    let first: i64 = lines[0].split(' ').next().unwrap().parse().unwrap();
    for line in lines {
        let (ts_recv_ns, frame) = line.split_once(' ').unwrap();
        joined.push_str(&format!("{} {frame}\n", ts_recv_ns.parse::<i64>().unwrap() - first + last));
    }
    let path = runs.path("broken.l2");
    fs::write(&path, joined).unwrap();
    path
}

#[test]
fn outcomes_are_those_of_the_research_commands() {
    let runs = Runs::new();
    let mut cases = vec![(broken(&runs), "imbalance_1,ofi_1_20")];
    cases.extend(shared_data().map(|data| (data.join("captures/btc-spot-a.l2.gz"), "imbalance_1,mid_return_20")));
    for (capture, features) in cases {
        let model = runs.path("model.json");
        let names: Vec<&str> = features.split(',').collect();
        let text = serde_json::json!({
            "features": names, "intercept": 0.1, "coefficients": [1.5, -0.02], "mean": [0.0, 0.5], "scale": [0.6, 2.0],
            "horizon_updates": 7,
        });
        fs::write(&model, text.to_string()).unwrap();
        runs.replay_with(&capture, &model, "run", &[]);
        let observed = &runs.json("run.json")["observed"];

        let rows = runs.path("rows.csv");
        let mut command = papertrader();
        command.arg("features").arg(&capture).args(["--features", features, "--horizon", "7", "--force", "-o"]);
        succeed(command.arg(&rows));
        let rows = fs::read_to_string(rows).unwrap();
        let header: Vec<&str> = rows.lines().next().unwrap().split(',').collect();
        let place =
            |name: &str| header.iter().position(|column| *column == name).unwrap_or_else(|| panic!("{header:?}"));
        let mut counts = [[0_u64; 4]; 2];
        let mut values = [Vec::new(), Vec::new()];
        for line in rows.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let value = |at: usize| cells[place(names[at])].parse::<f64>().unwrap();
            let logit = 0.1 + 1.5 * value(0) / 0.6 - 0.02 * (value(1) - 0.5) / 2.0;
            let outcome = match cells[place("label")] {
                "1" => 0,
                "-1" => 1,
                "0" => 2,
                "" => 3,
                other => panic!("{other}"),
            };
            counts[usize::from(logit >= (0.6_f64 / 0.4).ln())][outcome] += 1;
            (0..2).for_each(|at| values[at].push(value(at)));
        }
        let calibration = &observed["calibration"];
        for (side, counts) in ["below", "at_or_above"].into_iter().zip(counts) {
            let ours = ["up", "down", "tied", "unknown"].map(|name| calibration[side][name].as_u64().unwrap());
            assert_eq!(ours, counts, "{} {side}", capture.display());
            assert!(ours.iter().sum::<u64>() > 0);
        }
        assert_eq!(calibration["evaluations"], rows.lines().count() - 1);

        // Every sixteenth row.
        for (at, feature) in observed["features"]["features"].as_array().unwrap().iter().enumerate() {
            let seen: Vec<f64> = values[at].iter().copied().step_by(16).collect();
            let mean = seen.iter().sum::<f64>() / seen.len() as f64;
            let spread = (seen.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / seen.len() as f64).sqrt();
            assert_eq!(observed["features"]["rows"], seen.len());
            assert!((feature["mean"].as_f64().unwrap() - mean).abs() < 1e-9 * (1.0 + mean.abs()));
            assert!((feature["standard_deviation"].as_f64().unwrap() - spread).abs() < 1e-9 * (1.0 + spread));
        }
    }
}

#[test]
fn nothing_is_written_of_a_run_that_is_to_have_no_report() {
    let runs = Runs::new();
    let capture = runs.capture(300);
    runs.replay(&capture, "run", &[]);
    let shown = runs.replay(&capture, "run", &["--no-report"]);
    // What an earlier run left says nothing of this one.
    assert!(!runs.path("run.json").exists() && !runs.path("run.html").exists());
    assert!(!shown.contains("in short") && !shown.contains(".html"), "{shown}");
}

#[test]
fn runs_stand_side_by_side() {
    let runs = Runs::new();
    let capture = runs.capture(2_000);
    runs.replay(&capture, "a", &["--threshold", "0.55"]);
    // Only what has no queue has a latency to compare.
    runs.replay(&capture, "b", &["--threshold", "0.6", "--lag", "50", "--override-model", "--fused"]);
    let shown = succeed(papertrader().args(["report", "--compare"]).args([runs.path("a.csv"), runs.path("b.csv")]));
    assert!(shown.ends_with(&format!("wrote\n  {}\n", runs.path("a.compare.html").display())), "{shown}");
    let page = runs.text("a.compare.html");
    assert_eq!(
        figures(&page),
        [
            "fig-compare-profit",
            "fig-compare-distribution",
            "fig-compare-probability",
            "fig-compare-reliability",
            "fig-compare-roc",
            "fig-compare-latency"
        ]
    );
    assert!(page.contains("Runs at full speed are left out: they show their queue."));
    for (number, name) in ["a.json", "b.json"].into_iter().enumerate() {
        let json = runs.json(name);
        let cells: Vec<&str> =
            page.split("<td").filter(|cell| cell.contains(&format!("data-run=\"{number}\""))).collect();
        assert!(cells.len() > 40, "{}", cells.len());
        for (path, value) in cells.iter().flat_map(|cell| keys(cell)) {
            assert_eq!(value.as_deref(), at(&json, &path).as_number().map(ToString::to_string).as_deref(), "{path}");
        }
    }
}

#[test]
fn every_rate_of_a_profile_has_a_page() {
    let runs = Runs::new();
    let capture = runs.capture(300);
    let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json");
    let mut command = papertrader();
    command.arg("profile").arg(&capture).arg("--model").arg(&model).arg("--out").arg(runs.folder.path());
    command.args(["--rates", "500", "--seconds", "0.5", "--fused", "--name", "p", "--force"]);
    succeed(&mut command);
    let (json, page) = (runs.json("p.500.json"), runs.text("p.500.html"));
    assert!(json["observed"].is_null(), "the measured path is the shorter one");
    assert!(figures(&page).iter().any(|id| id == "fig-latency-percentiles"), "{:?}", figures(&page));
    assert!(page.contains("What every live frame said is not known of this run."));
    succeed(command.arg("--no-report"));
    assert!(!runs.path("p.500.json").exists() && !runs.path("p.500.html").exists() && runs.path("p.json").exists());
}
