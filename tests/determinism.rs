//! The same replay again and again, on other threads and other cores: the same bytes.

mod common;

use common::{papertrader, succeed};
use std::fs;
use std::path::Path;

/// How often. `tools/determinism.sh` does the same over two builds of the program.
const REPLAYS: usize = 20;

/// Everything of a report that does not depend on when or how fast it ran.
fn numbers(report: &str) -> String {
    let timeless = |line: &&str| {
        let timed = ["threads", "bound by", "feed waited", "ran for", "full-ring waits", "writer waits"];
        !timed.iter().any(|name| line.trim_start().starts_with(name))
    };
    // At full speed on two threads the table is of work alone.
    let table = report.find("\nlatency, ns").or_else(|| report.find("\nwork, ns"));
    let before_latency = &report[..table.expect("a latency table")];
    before_latency.lines().filter(timeless).collect::<Vec<_>>().join("\n")
}

#[test]
fn twenty_replays_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("a.l2.zst");
    succeed(papertrader().args(["generate", "--frames", "2000", "--levels", "1000", "--output"]).arg(&capture));
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/synthetic.json");
    let (one, two) = match papertrader::base::cores::allowed()[..] {
        [a, b, ..] => (a.to_string(), format!("{a},{b}")),
        [a] => (a.to_string(), a.to_string()),
        [] => unreachable!("this runs somewhere"),
    };
    let ways: [&[&str]; 7] = [
        &[],
        &["--fused"],
        &["--pin-cores", &one],
        &["--pin-cores", &two, "--wait", "yield"],
        &["--wait", "yield"],
        &["--wait", "spin", "--fused"],
        &["--speed", "500x"],
    ];
    let run = |way: &[&str]| {
        let probabilities = folder.path().join("probabilities.txt");
        let mut command = papertrader();
        command.arg("replay").arg(&capture).arg("--model").arg(&model).args([
            "--threshold",
            "0.55",
            "--name",
            "run",
            "--force",
        ]);
        command.arg("--probabilities").arg(&probabilities).arg("--out").arg(folder.path());
        let report = succeed(command.args(way));
        let read = |path: &Path| fs::read(path).unwrap();
        (read(&folder.path().join("run.csv")), read(&probabilities), numbers(&report))
    };
    let first = run(&[]);
    assert!(first.0.iter().filter(|&&byte| byte == b'\n').count() > 20, "too few trades to compare");
    assert!(first.1.iter().filter(|&&byte| byte == b'\n').count() > 1_000, "too few evaluations to compare");
    for replay in 1..REPLAYS {
        let way = ways[replay % ways.len()];
        let again = run(way);
        assert!(again.0 == first.0, "{way:?}: another trade log");
        assert!(again.1 == first.1, "{way:?}: other probabilities");
        assert_eq!(again.2, first.2, "{way:?}");
    }
}
