use crate::common::figures;
use crate::common::{fail, papertrader, succeed};
use crate::support::{HEADER, Runs};
use serde_json::json;
use std::fs;
use std::path::Path;

fn refused(runs: &Runs, arguments: &[&Path]) -> String {
    let (code, error) = fail(papertrader().arg("report").args(arguments));
    assert_eq!(code, 2, "{error}");
    error.replace(&format!("{}/", runs.folder.path().display()), "")
}

#[test]
fn a_damaged_trade_log_is_refused_with_its_place() {
    let runs = Runs::new();
    let csv = runs.path("r.csv");
    assert_eq!(refused(&runs, &[&csv]), "error: cannot read r.csv: No such file or directory (os error 2)");
    for (text, error) in [
        ("", "error: r.csv is empty; a trade log begins with a line of column names"),
        ("time,price\n1,2\n", "error: r.csv, line 1: no column buy_sequence_number; is it a trade log?"),
        (&format!("{HEADER}\n0,20,5,5,0.1,0\n1,21,5,5\n"), "error: r.csv, line 3: 4 columns instead of 6"),
        (
            &format!("{HEADER}\n0,20,5,<script>,0.1,0\n"),
            "error: r.csv, line 2, column 4 (sell_amount): '<script>' is not a number from 0 on",
        ),
        (&format!("{HEADER}\n0,20,5,5,0.1,NaN\n"), "error: r.csv, line 2, column 6 (profit): 'NaN' is not a number"),
        (
            &format!("{HEADER}\n0,20,5,5,0.1,0\n1,19,5,5,0.1,0\n"),
            "error: r.csv, line 3, column 2 (sell_sequence_number): '19' is not a whole number from the previous sale's on",
        ),
        (
            &format!("{HEADER}\n20,0,5,5,0.1,0\n"),
            "error: r.csv, line 2, column 2 (sell_sequence_number): '0' is not a whole number from the purchase's on",
        ),
        (
            &format!("{HEADER}\n0,20,5,-5,0.1,0\n"),
            "error: r.csv, line 2, column 4 (sell_amount): '-5' is not a number from 0 on",
        ),
        (
            &format!("{HEADER}\n0,20,1e308,1e308,0.1,0\n"),
            "error: r.csv, line 2, column 3 (buy_amount): '1e308' is not a number above 0",
        ),
        (
            &format!("{HEADER},probability\n0,20,5,5,0.1,0,1.5\n"),
            "error: r.csv, line 2, column 7 (probability): '1.5' is not a number from 0 to 1",
        ),
        (&format!("{HEADER},profit\n"), "error: r.csv, line 1: two columns profit; is it a trade log?"),
        (&format!("{HEADER}\n0,20,5,5,0.1,inf\n"), "error: r.csv, line 2, column 6 (profit): 'inf' is not a number"),
    ] {
        fs::write(&csv, text).unwrap();
        assert_eq!(refused(&runs, &[&csv]), error);
        assert!(!runs.path("r.html").exists());
    }
}

#[test]
fn arguments_that_fit_no_run_are_refused() {
    let runs = Runs::new();
    for name in ["a.csv", "b.csv"] {
        fs::write(runs.path(name), format!("{HEADER}\n0,20,5,5,0.1,0\n")).unwrap();
    }
    let (a, b) = (runs.path("a.csv"), runs.path("b.csv"));
    let compare = Path::new("--compare");
    assert_eq!(refused(&runs, &[&a, &b]), "error: 2 runs were given; put them side by side with --compare");
    assert_eq!(refused(&runs, &[compare, &a]), "error: --compare needs at least two runs");
    let many = [[compare].as_slice(), &[a.as_path(); 9]].concat();
    assert_eq!(refused(&runs, &many), "error: 9 runs are too many to tell apart; give at most 8");
    assert_eq!(refused(&runs, &[&runs.path("a.json")]), "error: a.json: the name of a trade log ends in .csv");
    for taken in ["a.csv", "a.json", "a.hlog", "../x/a.csv"] {
        let taken = if taken.starts_with("..") {
            let name = runs.folder.path().file_name().unwrap();
            runs.folder.path().join("..").join(name).join("a.csv")
        } else {
            runs.path(taken)
        };
        let error = refused(&runs, &[&a, Path::new("-o"), &taken]);
        assert!(error.ends_with("belongs to the run a.csv; give -o another name"), "{error}");
    }
    assert!(runs.text("a.csv").starts_with(HEADER));
}

#[test]
fn a_page_that_cannot_be_written_is_a_failure_of_the_run() {
    let runs = Runs::new();
    fs::write(runs.path("a.csv"), format!("{HEADER}\n")).unwrap();
    fs::create_dir(runs.path("taken.html")).unwrap();
    let (code, error) =
        fail(papertrader().arg("report").arg(runs.path("a.csv")).arg("--force").arg("-o").arg(runs.path("taken.html")));
    assert_eq!(code, 1);
    assert!(error.starts_with(&format!("error: cannot write {}: ", runs.path("taken.html").display())), "{error}");
}

/// Makes a page of a trade log alone and gives it with what the terminal shows and warns of.
fn bare(text: &str) -> (String, String, String) {
    let runs = Runs::new();
    fs::write(runs.path("r.csv"), text).unwrap();
    let output = papertrader().arg("report").arg(runs.path("r.csv")).output().unwrap();
    assert!(output.status.success(), "{}", crate::common::stderr(&output));
    (runs.text("r.html"), String::from_utf8(output.stdout.clone()).unwrap(), crate::common::stderr(&output))
}

#[test]
fn runs_with_next_to_nothing_have_a_page() {
    let (page, shown, warned) = bare(&format!("{HEADER}\n"));
    assert!(shown.contains("  No trade was closed.\n"), "{shown}");
    assert!(page.contains("data-finding=\"no_trades\"") && page.contains("There is no closed trade."));
    assert!(
        warned.contains("warning: there is no ") && warned.contains("unless it is killed or told --no-report"),
        "{warned}"
    );
    assert!(figures(&page).is_empty());

    let timed = format!("{HEADER},buy_ts_recv_ns,sell_ts_recv_ns");
    let (page, shown, _) = bare(&format!("{timed}\n0,20,5,5.5,0.1,0.5,1000,2000\n"));
    assert!(page.contains("data-finding=\"too_few\""));
    assert!(
        shown.contains("Not enough trades to tell: 1 trade in less than one block of 1.00 ms, where at least 30 trades and 20 blocks are needed. Before fees it made +1,000.000 bp."),
        "{shown}"
    );
    assert!(figures(&page).contains(&"fig-profit-sequence".to_string()));

    // The original program's columns, and a row that was cut.
    let (page, shown, warned) = bare(&format!("{HEADER}\n0,20,5,4.5,0.1,-0.5\n1,21,5"));
    assert!(page.contains("The trade log has no receive times"));
    assert!(
        shown.contains("the trades have no receive times that go forward")
            && shown.contains(": it lost before any fee."),
        "{shown}"
    );
    assert!(warned.contains("r.csv, line 3: the last row is cut and was left out"), "{warned}");

    // The same trade again and again, and time that goes back.
    let rows: String = (0..200)
        .map(|n| format!("{n},{},5,5,0.1,0,{},{}\n", n + 20, n * 1_000_000_000, (n + 1) * 1_000_000_000_i64))
        .collect();
    let (page, shown, _) = bare(&format!("{timed}\n{rows}"));
    assert!(page.contains("data-finding=\"loss\"") && shown.contains("Before fees it made 0.000 bp"), "{shown}");
    let (page, shown, warned) = bare(&format!("{timed}\n{rows}200,220,5,5,0.1,0,0,1\n"));
    assert!(shown.contains("A gain or a loss cannot be told from chance: the trades"), "{shown}");
    assert!(warned.contains("receive times go back") && !figures(&page).contains(&"fig-profit-time".to_string()));
}

#[test]
fn constant_probabilities_have_a_page() {
    let runs = Runs::new();
    let capture = runs.capture(1_000);
    let model = runs.path("flat.model.json");
    for (intercept, trades) in [(-3.0, false), (0.405_465_108_108_164_4, true), (30.0, true)] {
        let text = format!("{{\"features\": [\"spread_ticks\"], \"intercept\": {intercept}, \"coefficients\": [0.0]}}");
        fs::write(&model, text).unwrap();
        runs.replay_with(&capture, &model, "flat", &["--threshold", "0.6"]);
        let (json, page) = (runs.json("flat.json"), runs.text("flat.html"));
        let calibration = &json["observed"]["calibration"];
        assert_eq!(calibration["bins"].as_array().unwrap().len(), 1);
        assert_eq!(calibration["score"]["auc"], 0.5);
        assert_eq!(json["trades"]["trades"].as_u64().unwrap() > 0, trades);
        for id in ["fig-probability", "fig-threshold", "fig-reliability", "fig-roc"] {
            assert!(figures(&page).contains(&id.to_string()), "{intercept} {id}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf "), "{intercept}");
    }
}

#[test]
fn what_lies_beside_a_trade_log_may_be_missing_or_foreign() {
    let runs = Runs::new();
    let capture = runs.capture(1_000);
    runs.replay(&capture, "run", &["--threshold", "0.5"]);
    let json = runs.json("run.json");
    let good = json.to_string();
    let report = || {
        let output = papertrader().arg("report").arg(runs.path("run.csv")).arg("--force").output().unwrap();
        assert!(output.status.success(), "{}", crate::common::stderr(&output));
        let warned = crate::common::stderr(&output);
        (runs.text("run.html"), warned.replace(&format!("{}/", runs.folder.path().display()), ""))
    };
    assert_eq!(report().1, "");
    let mut other_version = json.clone();
    other_version["schema_version"] = 7.into();
    let mut short = json.clone();
    short["counters"]["trading"]["closed_trades"] = 3.into();
    for (text, warning) in [
        (
            other_version.to_string(),
            "run.json has schema version 7, this program reads version 1; the report is made without it",
        ),
        ("{\"rates\":[]}".into(), "run.json is no papertrader-run file; the report is made without it"),
        // Cut behind a comma: within a number it would be another error.
        (good[..=good[..good.len() / 2].rfind(',').unwrap()].to_string(), "run.json: EOF while parsing"),
        (good.replace("\"elapsed_s\":", "\"elapsed_s\":null,\"x\":"), "run.json: invalid type: null, expected f64"),
        (short.to_string(), "run.json counts 3 closed trades and run.csv has "),
    ] {
        fs::write(runs.path("run.json"), text).unwrap();
        let (page, warned) = report();
        assert!(warned.starts_with(&format!("warning: {warning}")) && warned.lines().count() == 1, "{warned}");
        assert!(page.contains("<p class=\"remark\">") && page.contains("fig-profit-sequence"));
    }
    fs::remove_file(runs.path("run.json")).unwrap();
    let (page, warned) = report();
    assert!(warned.starts_with("warning: there is no run.json, which a run writes at its end"), "{warned}");
    // The stages are then those of the interval log.
    assert!(page.contains("data-key=\"timing.stages.total.p99_ns\" data-value="));
    fs::write(runs.path("run.hlog"), "#x\nTag=total,0.1,0.2,0.3,AAAA\n").unwrap();
    let (_, warned) = report();
    assert!(warned.contains("run.hlog: entry 1 is no histogram of an interval log: "), "{warned}");
    fs::remove_file(runs.path("run.hlog")).unwrap();
    let (page, warned) = report();
    assert!(warned.contains("there is no run.hlog: latency over time is unknown"), "{warned}");
    assert!(page.contains("No latency was measured."));
}

#[test]
fn a_run_that_ends_by_a_fault_has_a_report_of_what_came_before() {
    let runs = Runs::new();
    let capture = runs.capture(1_000);
    let mut text = fs::read_to_string(&capture).unwrap();
    text.push_str("no capture line\n");
    fs::write(&capture, text).unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json");
    let mut command = papertrader();
    command.arg("replay").arg(&capture).arg("--model").arg(&model).arg("--out").arg(runs.folder.path());
    let (code, error) = fail(command.args(["--name", "run"]));
    assert_eq!(code, 2);
    let fault = runs.json("run.json")["run"]["fault"].as_str().unwrap().to_string();
    assert_eq!(error, format!("error: {fault}"));
    assert!(runs.text("run.html").contains("The run ended by a fault: "));
    assert_eq!(runs.json("run.json")["counters"]["book"]["frames"], 1_000);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let runs = Runs::new();
    fs::write(runs.path("r.csv"), format!("{HEADER}\n")).unwrap();
    succeed(
        std::process::Command::new("sh")
            .arg("-c")
            .arg("\"$0\" report \"$1\" 2>/dev/null | true")
            .args([Path::new(env!("CARGO_BIN_EXE_papertrader")), &runs.path("r.csv")]),
    );
}

/// Everything that a page counts with is checked first: no file makes it count wrongly or end.
#[test]
fn a_run_file_that_no_run_could_have_written() {
    let runs = Runs::new();
    let capture = runs.capture(1_000);
    runs.replay(&capture, "run", &["--threshold", "0.5"]);
    let good = runs.json("run.json");
    for (pointer, value, says) in [
        ("calibration/bin_count", json!(0), "calibration.bin_count is 0; it lies from 1 to 1048576"),
        ("calibration/bin_count", json!(1), "calibration.bins has one beyond bin_count, which is 1"),
        ("calibration/bins/0/0", json!(1_999), "calibration.bins are not in order"),
        ("calibration/bins/0/1", json!(u64::MAX), "calibration.bins counts more evaluations than any run has"),
        ("calibration/bins/0/1", json!(1_000_000), "calibration.bins do not add up to outcomes"),
        ("calibration/outcomes/up", json!(u64::MAX), "calibration.outcomes counts more"),
        ("calibration/below/down", json!(u64::MAX), "calibration.below counts more"),
        ("calibration/logit_bins/0/2", json!(u64::MAX), "calibration.logit_bins counts more"),
        ("calibration/reliability/5/up_share", json!(-1e308), "calibration.reliability has a share"),
        ("book/ts_recv_ns", json!([]), "book.ts_recv_ns has 0 entries, where sequence has "),
        ("book/mid", json!([[1, 1, 1, 1, 1]]), "book.mid has 1 entries, where sequence has "),
        ("book/sequence/0", json!(u64::MAX), "book.sequence falls"),
        ("book/spread/0/1", json!(-1e308), "book.spread has a value beyond 1e50"),
        ("/settings/fee_bps", json!(1e300), "settings.fee_bps is 1"),
        ("/settings/threshold", json!(7), "settings.threshold is 7; a probability lies from 0 to 1"),
        ("/settings/buy_amount", json!(-1), "settings.buy_amount is -1; an amount is above 0"),
        ("/timing/stages/0/stage", json!("\"><script>"), "timing.stages has a stage '"),
        ("/timing/stages/1/count", json!(u64::MAX), "timing.stages.decode.count is 18446744073709551615; "),
        ("/timing/stages/1/curve/0/0", json!(2), "timing.stages.decode.curve has a quantile that is not from 0 to 1"),
    ] {
        let observed = |separator: &str| if pointer.starts_with('/') { "" } else { separator }.to_owned();
        let (pointer, says) = (observed("/observed/") + pointer, observed("observed.") + says);
        let mut bad = good.clone();
        *bad.pointer_mut(&pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
        fs::write(runs.path("run.json"), bad.to_string()).unwrap();
        let output = papertrader().arg("report").arg(runs.path("run.csv")).arg("--force").output().unwrap();
        let warned = crate::common::stderr(&output).replace(&format!("{}/", runs.folder.path().display()), "");
        assert!(output.status.success(), "{pointer}: {warned}");
        assert!(warned.starts_with(&format!("warning: run.json: {says}")), "{pointer}: {warned}");
        assert!(warned.ends_with("; the report is made without it\n") && warned.lines().count() == 1, "{warned}");
        assert!(!runs.text("run.html").contains("<script"));
    }
}

/// What is possible but absurd has a page of numbers.
#[test]
fn absurd_numbers_have_a_page() {
    let timed = format!("{HEADER},buy_ts_recv_ns,sell_ts_recv_ns,probability,buy_mid,sell_mid,unsold_volume");
    let (sequence, first, last) = (u64::MAX, i64::MIN, i64::MAX);
    for rows in [
        format!("0,{sequence},1e-300,1e-300,1,0,{first},{last},0,,,0\n"),
        format!("{sequence},{sequence},1e50,1e50,1e50,-1e50,{last},{last},1,1e50,1e-300,1e50\n").repeat(100),
        "0,0,1e-20,1e10,1,1e10,0,0,0.5,1,1,0\n1,1,1e10,1e-20,1,-1e10,0,0,0.5,1,1,0\n".into(),
        "0,20,5e-324,5e-324,5e-324,5e-324,1,2,5e-324,5e-324,5e-324,5e-324\n".repeat(3),
    ] {
        let (page, shown, _) = bare(&format!("{timed}\n{rows}"));
        for text in [page, shown] {
            let mut words = text.split(|letter: char| !letter.is_alphanumeric());
            assert!(!words.any(|word| ["NaN", "inf"].contains(&word)), "{rows}");
        }
    }
}
