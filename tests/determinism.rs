//! The same replay again and again, on other threads and other cores: the same bytes.

mod common;

use common::{papertrader, reported, succeed};
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

/// The market's prints are left out: the bytes are those of its frames alone, and a replay computes the same from both.
#[test]
fn prints_are_beside_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let generate = |name: &str, more: &[&str]| {
        let arguments = ["generate", "--force", "--frames", "3000", "--levels", "1000", "--output"];
        succeed(papertrader().args(arguments).arg(path(name)).args(more));
        fs::read_to_string(path(name)).unwrap()
    };
    let replay = |name: &str, way: &[&str]| {
        let mut command = papertrader();
        command.arg("replay").arg(path(name)).args(["--threshold", "0.55", "--name", "run", "--force", "--model"]);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/synthetic.json"));
        let report = succeed(command.arg("--out").arg(folder.path()).args(way));
        let log = fs::read_to_string(path("run.csv")).unwrap();
        // But for the venue's number, in which prints take part.
        let kept = |line: &str| line.split(',').take(6).collect::<Vec<_>>().join(",");
        (log.lines().map(kept).collect::<Vec<_>>(), report)
    };
    for more in [&[][..], &["--batch", "50ms"], &["--layout", "2024"]] {
        let with = generate("with.l2", more);
        assert!(with == generate("again.l2", more), "the same seed, other bytes");
        let without = generate("without.l2", &[more, &["--no-trades"]].concat());
        assert_eq!(without.lines().count(), 3_000);
        let book = with.lines().filter(|line| line.contains(r#"{"channel":"l2_data""#));
        let renumbered = book.zip(0..).map(|(line, number)| {
            let (head, rest) = line.split_once("\"sequence_num\":").unwrap();
            format!("{head}\"sequence_num\":{number}{}\n", &rest[rest.find(',').unwrap()..])
        });
        assert!(renumbered.collect::<String>() == without, "{more:?}: other frames");

        let (alone, report) = replay("without.l2", &[]);
        assert_eq!(reported(&report, "prints"), "0");
        assert!(alone.len() > 20);
        let evaluations = reported(&report, "evaluations").to_owned();
        for way in [&["--fused"][..], &["--wait", "block"], &["--wait", "yield"]] {
            let (trades, report) = replay("with.l2", way);
            assert!(trades == alone, "{more:?} {way:?}: prints changed a trade");
            assert_eq!((reported(&report, "frames"), reported(&report, "evaluations")), ("3,000", &*evaluations));
            let prints: u64 = reported(&report, "prints").replace(',', "").parse().unwrap();
            assert!(prints > 100 && reported(&report, "prints lost") == "0", "{report}");
            assert_eq!(reported(&report, "faults"), "0");
        }
    }
}
