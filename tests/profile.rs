//! `papertrader profile`: its arguments, and what it writes.

mod common;

use common::{fail, papertrader, succeed};
use papertrader::engine::latency::STAGES_EVERY;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json")
}

/// A capture of the synthetic market in a folder of its own.
fn capture() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("market.l2");
    succeed(papertrader().args(["generate", "--frames", "300", "--output"]).arg(&path));
    (folder, path)
}

#[test]
fn every_rate_is_run_and_written() {
    let (folder, path) = capture();
    for threads in [&["--fused"][..], &["--wait", "yield"]] {
        let report = succeed(
            papertrader()
                .arg("profile")
                .arg(&path)
                .args([
                    "--rates",
                    "500,1k",
                    "--seconds",
                    "0.2",
                    "--knee-p99-us",
                    "60000000",
                    "--name",
                    "run",
                    "--force",
                    "--out",
                ])
                .arg(folder.path())
                .arg("--model")
                .arg(model())
                .args(threads),
        );
        for line in ["500 frames/s", "1,000 frames/s", "received → decided", "a stamp costs", "knee: 1,000 frames/s"]
        {
            assert!(report.contains(line), "no '{line}' in\n{report}");
        }
        let summary: Value = serde_json::from_slice(&fs::read(folder.path().join("run.json")).unwrap()).unwrap();
        let rates = summary["rates"].as_array().unwrap();
        assert_eq!(rates.len(), 2);
        for (run, (rate, frames)) in rates.iter().zip([(500, 100_u64), (1_000, 200)]) {
            assert_eq!((&run["rate"], &run["due"], &run["presented"]), (&rate.into(), &frames.into(), &frames.into()));
            for stage in ["decode", "parse", "handoff", "book", "features", "decide", "total"] {
                let summary = &run["stages"][stage];
                let count = summary["count"].as_u64().unwrap();
                if stage == "total" {
                    assert_eq!(count, frames);
                } else {
                    // By sequence numbers, which begin again with the capture.
                    let expected = frames / STAGES_EVERY;
                    assert!(count >= expected / 2 && count <= expected * 2, "{stage}: {count} of {frames}");
                }
                let values = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns"]
                    .map(|name| summary[name].as_u64().unwrap());
                assert!(values.is_sorted(), "{stage}: {values:?}");
            }
            for stage in ["queue", "arrival"] {
                let summary = &run["stages"][stage];
                assert_eq!(summary["count"], 0);
                assert!(summary["p50_ns"].is_null() && summary["max_ns"].is_null(), "nothing arrives: {summary}");
            }
            for kind in ["hgrm", "hlog"] {
                let text = fs::read_to_string(run[kind].as_str().unwrap()).unwrap();
                assert!(!text.is_empty());
            }
        }
        let fused = threads == ["--fused"];
        assert_eq!(summary["threads"]["fused"], fused);
        assert_eq!(summary["floors"]["ping_pong_ns"].is_null(), fused);
        assert_eq!(summary["knee"]["rate"], 1_000);
        assert_eq!(summary["stages_every"], STAGES_EVERY);
    }
}

#[test]
fn a_bound_that_nothing_meets_has_no_knee() {
    let (folder, path) = capture();
    let report = succeed(
        papertrader()
            .arg("profile")
            .arg(&path)
            // The generated frames cannot all be presented at such a rate.
            .args(["--rates", "1000M", "--seconds", "0.01", "--fused", "--out"])
            .arg(folder.path())
            .arg("--model")
            .arg(model()),
    );
    assert!(report.contains("knee: none of the rates has p99 <= 100 us"), "{report}");
}

#[test]
fn bad_arguments_are_named() {
    let (folder, path) = capture();
    let updates = folder.path().join("updates.l2");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&updates, text.split_once('\n').unwrap().1).unwrap();
    let cases: [(&Path, &[&str], &str); 5] = [
        (&path, &["--rates", "0"], "a rate is a whole number"),
        (&path, &["--rates", "10k,fast"], "a rate is a whole number"),
        (&path, &["--seconds", "0"], "a duration is seconds above 0"),
        (&path, &["--product", "X-Y"], "holds no book of X-Y"),
        (&updates, &[], "with updates behind it"),
    ];
    for (path, arguments, text) in cases {
        let mut command = papertrader();
        command.arg("profile").arg(path).arg("--out").arg(folder.path()).arg("--model").arg(model()).args(arguments);
        let (code, message) = fail(&mut command);
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(text), "{message}");
    }
}
