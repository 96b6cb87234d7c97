//! What is refused, each in one line that says what, where and what to do.

use crate::common::{fail, stderr, succeed};
use crate::support::{Markets, model, sweep};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

#[test]
fn grids_of_nothing_of_nonsense_or_of_too_much() {
    let markets = Markets::new(1, 200);
    for (arguments, said) in [
        (&["--threshold", ""][..], "'' is not a number, nor a range FROM:TO:STEP"),
        (
            &["--threshold", "0.6:0.5:0.1"],
            "the range 0.6:0.5:0.1 holds no value: STEP is above 0 and TO not below FROM",
        ),
        (&["--threshold", "0.5:0.6:0"], "the range 0.5:0.6:0 holds no value: STEP is above 0 and TO not below FROM"),
        (
            &["--threshold", "0.1:0.9:0.00001"],
            "the range 0.1:0.9:0.00001 holds more than 10000 values; choose a greater STEP",
        ),
        (&["--threshold", "0.5,0.5"], "0.5 is there twice"),
        (&["--threshold", "0.5,1"], "1: a probability lies between 0 and 1, both excluded"),
        (&["--lag", "0,5"], "0: a holding period is a whole number from 1 to 1000000"),
        (&["--lag", "2.5"], "2.5: a holding period is a whole number from 1 to 1000000"),
        (&["--buy-amount", "5,-1"], "-1: an amount is a number above 0"),
        (
            &["--execution", ""],
            "there are original, taker, maker-through, maker-queue, maker-touch, and maker for three",
        ),
        (&["--execution", "maker,maker-queue"], "maker-queue is there twice"),
        (
            &["--execution", "taker", "--order-latency", "5"],
            "a latency is a number with ns, us, ms or s, from 0 to 60 s",
        ),
        (&["--execution", "taker", "--order-latency", "5ms,5000us"], "5000us is there twice"),
        (&["--order-latency", "5ms"], "--order-latency needs --execution taker or maker"),
        (&["--short"], "--short needs --execution taker or maker"),
        (&["--execution", "taker", "--queue", "risk"], "--queue needs --execution maker"),
        (
            &["--execution", "maker", "--maker-timeout", "7", "--lag", "10,5"],
            "--maker-timeout: it lies from 1 to the holding period, which is 5 updates",
        ),
        (
            &["--threshold", "0.01:0.99:0.01", "--lag", "1:150:1"],
            "14,850 settings over 1 capture are 14,850 rows; give --yes if that is meant",
        ),
        (&["--threshold", "0.001:0.999:0.001", "--lag", "1:1000:1"], "999000 settings; a sweep has at most 100000"),
        (&["--resume", "--force"], "--resume"),
        (&["--slices", "0"], "0"),
    ] {
        let (code, error) = fail(&mut markets.sweep("a", arguments));
        assert_eq!(code, 2, "{error}");
        assert!(error.starts_with("error: ") && error.contains(said) && error.lines().count() == 1, "{error}");
    }
    let many: Vec<PathBuf> = (0..12).map(|n| markets.path(&format!("{n}.l2"))).collect();
    let grid = ["--threshold", "0.01:0.99:0.01", "--lag", "1:1000:1", "--yes"];
    let (code, error) = fail(&mut sweep(&many, &markets.path(""), "a", &grid));
    let due = "error: 99,000 settings over 12 captures are 1,188,000 rows; a sweep has at most 1,000,000";
    assert_eq!((code, error.as_str()), (2, due));
    let (code, error) = fail(crate::common::papertrader().args(["sweep", "--model", "a.json"]));
    assert!(code == 2 && error.contains("CAPTURE"), "{error}");
    // A name is needed to find what was stopped.
    let mut unnamed = crate::common::papertrader();
    unnamed.arg("sweep").arg(&markets.captures[0]).arg("--model").arg(model("imbalance.json")).arg("--resume");
    let (code, error) = fail(&mut unnamed);
    assert!(code == 2 && error.contains("--name"), "{error}");
    assert_eq!(fs::read_dir(markets.path("")).unwrap().count(), 1, "nothing was written");
}

/// One bad file among many stops the sweep before anything runs.
#[test]
fn models_and_captures_are_looked_at_before_anything_runs() {
    let markets = Markets::new(2, 200);
    let at = |name: &str| markets.path(name);
    fs::write(at("bad.json"), "{\"features\": [\"nothing\"]}").unwrap();
    fs::copy(model("imbalance.json"), at("again.json")).unwrap();
    let good = model("imbalance.json").display().to_string();
    for (name, said) in [
        ("none.json", "none.json"),
        ("bad.json", "bad.json"),
        ("again.json", "are the same model, and would count twice"),
    ] {
        let bad = at(name).display().to_string();
        let (code, error) = fail(&mut markets.sweep("a", &["--model", &good, "--model", &bad]));
        assert!(code == 2 && error.contains(said) && error.lines().count() == 1, "{error}");
    }
    fs::write(at("empty.l2"), "").unwrap();
    fs::write(at("other.csv"), "a,b\n1,2\n").unwrap();
    let no_prints = at("no_prints.l2");
    let mut generate = crate::common::papertrader();
    succeed(generate.args(["generate", "--levels", "300", "--frames", "200", "--no-trades", "-o"]).arg(&no_prints));
    for (capture, arguments, said) in [
        (at("nowhere.l2"), &[][..], "nowhere.l2"),
        (at("empty.l2"), &[], "empty.l2"),
        (at("other.csv"), &[], "other.csv"),
        (at("no*thing"), &[], "matches no file"),
        (markets.captures[0].clone(), &[], "is there twice, which would count it twice"),
        (at("x/../market_000.l2"), &[], "market_000.l2"),
        (no_prints.clone(), &["--execution", "maker"], "has no prints (market_trades): makers are filled by them"),
        (no_prints.clone(), &["--product", "ETH-USD"], "holds no book of ETH-USD"),
    ] {
        let captures = [&markets.captures[..], &[capture]].concat();
        let (code, error) = fail(&mut sweep(&captures, &at("out"), "a", arguments));
        assert!(code == 2 && error.contains(said) && error.lines().count() == 1, "{error}");
        let left: Vec<PathBuf> = fs::read_dir(at("out"))
            .map_or_else(|_| Vec::new(), |files| files.map(|file| file.unwrap().path()).collect());
        assert!(left.is_empty(), "{left:?}");
    }
}

/// What breaks in the middle is named; the others' rows are those of a sweep without it.
#[test]
fn a_capture_that_breaks_costs_its_own_rows() {
    let markets = Markets::new(3, 400);
    let grid = ["--threshold", "0.4:0.7:0.1", "--lag", "2,10"];
    let without = [markets.captures[0].clone(), markets.captures[2].clone()];
    succeed(&mut sweep(&without, &markets.path(""), "without", &grid));
    let whole = fs::read(&markets.captures[1]).unwrap();
    fs::write(&markets.captures[1], [&whole[..whole.len() / 2], b"\nnonsense\n", &whole[whole.len() / 2..]].concat())
        .unwrap();
    for (name, threads) in [("one", "1"), ("two", "2")] {
        let output = markets.sweep(name, &[&grid[..], &["--threads", threads]].concat()).output().unwrap();
        let (error, path) = (stderr(&output), markets.captures[1].display().to_string());
        assert_eq!(output.status.code(), Some(1), "{error}");
        let lines: Vec<&str> = error.lines().collect();
        let [warning, last] = lines[..] else { panic!("two lines: {error}") };
        assert!(
            warning.starts_with(&format!("warning: no rows of {path}: it broke, capture {path}, line ")),
            "{error}"
        );
        let due = format!(
            "error: 1 of 3 captures broke, the first {path}; mend or remove them, and give --resume for their rows"
        );
        assert_eq!(last, due);
        let result = markets.result(name);
        assert_eq!((result.broken.len(), result.broken[0].number, result.captures.len()), (1, 1, 2));
        let rows = |result: &papertrader::sweep::result::SweepResult| {
            result.rows.iter().map(|row| (row.setting, row.net_profit, row.trades)).collect::<Vec<_>>()
        };
        assert_eq!(rows(&result), rows(&markets.result("without")));
    }
    markets.same("one", "two");
    // Mended, and gone on with.
    fs::write(&markets.captures[1], whole).unwrap();
    succeed(&mut markets.sweep("whole", &grid));
    succeed(&mut markets.sweep("one", &[&grid[..], &["--resume"]].concat()));
    markets.same("whole", "one");
    // A book that never is there to trade on.
    fs::write(
        markets.path("dead.l2"),
        fs::read_to_string(&markets.captures[0])
            .unwrap()
            .lines()
            .skip(1)
            .fold(String::new(), |text, line| text + line + "\n"),
    )
    .unwrap();
    let captures = [markets.captures[0].clone(), markets.path("dead.l2")];
    let (code, error) = fail(&mut sweep(&captures, &markets.path(""), "dead", &grid));
    assert!(code == 1 && error.contains("dead.l2: the book of BTC-USD never was live"), "{error}");
}

#[test]
fn nothing_that_is_read_or_not_ours_is_written_over() {
    let markets = Markets::new(1, 200);
    let at = |name: &str| markets.path(name);
    // A capture that has the name of a result.
    let named = at("a.sweep.csv");
    fs::rename(&markets.captures[0], &named).unwrap();
    let over = sweep(std::slice::from_ref(&named), &at(""), "a", &["--force"]).output().unwrap();
    let due =
        format!("error: {} would be written over, and this command reads it; choose another name\n", named.display());
    assert_eq!((stderr(&over), over.status.code()), (due, Some(2)));
    fs::rename(&named, &markets.captures[0]).unwrap();
    fs::copy(model("imbalance.json"), at("b.sweep.json")).unwrap();
    let own = at("b.sweep.json").display().to_string();
    let (code, error) = fail(&mut markets.sweep("b", &["--model", &own, "--force"]));
    assert!(code == 2 && error.contains("would be written over"), "{error}");
    // Results of before.
    for ending in ["csv", "parquet", "json", "report.json", "html"] {
        let path = markets.file("c", ending);
        fs::write(&path, "kept").unwrap();
        let (code, error) = fail(&mut markets.sweep("c", &[]));
        assert_eq!((code, error), (2, format!("error: {} exists; give --force to replace it", path.display())));
        assert_eq!(fs::read(&path).unwrap(), b"kept");
        fs::remove_file(&path).unwrap();
    }
    // A capture that has the name of a log of settings, which --force clears away.
    fs::create_dir(at("e.sweep.logs")).unwrap();
    let log = at("e.sweep.logs/000000-000000.csv");
    fs::rename(&markets.captures[0], &log).unwrap();
    let (code, error) = fail(&mut sweep(std::slice::from_ref(&log), &at(""), "e", &["--force"]));
    assert!(code == 2 && error.contains("would be written over, and this command reads it"), "{error}");
    fs::rename(&log, &markets.captures[0]).unwrap();
    fs::write(markets.file("c", "csv"), "old").unwrap();
    succeed(&mut markets.sweep("c", &["--force"]));
    succeed(&mut markets.sweep("d", &[]));
    markets.same("c", "d");
}

#[test]
fn a_full_disk_is_one_clear_error() {
    let markets = Markets::new(2, 300);
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_papertrader")]);
    limited.arg("sweep").args(&markets.captures).arg("--model").arg(model("imbalance.json"));
    limited.args(["--threshold", "0.3:0.8:0.05", "--name", "a", "--out"]).arg(markets.path(""));
    let (code, error) = fail(&mut limited);
    let journal = markets.file("a", "part");
    let due = format!("error: cannot write {}: File too large (os error 27)", journal.display());
    assert_eq!((code, error), (1, due));
    // What fitted is gone on with where there is room.
    let grid = ["--threshold", "0.3:0.8:0.05"];
    succeed(&mut markets.sweep("a", &[&grid[..], &["--resume"]].concat()));
    succeed(&mut markets.sweep("b", &grid));
    markets.same("a", "b");
}
