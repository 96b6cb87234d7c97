//! The original program's results, reproduced from the same captures with the same model.

mod common;

use common::{gunzip, papertrader, reported, shared_data, succeed};
use std::fs;
use std::path::Path;

/// The original prints twelve decimals.
const PRINTED: f64 = 0.5e-12;

/// The first six columns of a trade log, in either program's format.
fn trades(text: &str) -> Vec<(u64, u64, [f64; 4])> {
    let mut lines = text.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit")
    );
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let number = |at: usize| cells[at].parse().unwrap();
            (cells[0].parse().unwrap(), cells[1].parse().unwrap(), [number(2), number(3), number(4), number(5)])
        })
        .collect()
}

fn probabilities(text: &str) -> Vec<(u64, f64)> {
    text.lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(sequence_num, p)| (sequence_num.parse().unwrap(), p.parse().unwrap()))
        .collect()
}

/// Replays a capture by the given threads and returns the bytes of the trade log and of the probabilities.
fn replay(data: &Path, capture: &str, rules: &str, threads: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let parts: Vec<&str> = rules.split('_').collect();
    let [threshold, lag, amount] = parts[..] else { panic!("{rules}") };
    let all = folder.path().join("p.txt");
    let report = succeed(
        papertrader()
            .args([
                "replay",
                "--threshold",
                threshold,
                "--lag",
                lag,
                "--buy-amount",
                amount,
                "--name",
                "run",
                "--speed",
                "max",
            ])
            .arg(data.join(format!("captures/{capture}.l2.gz")))
            .arg("--model")
            .arg(data.join("models/20_update_log_classifier.txt"))
            .arg("--out")
            .arg(folder.path())
            .arg("--probabilities")
            .arg(&all)
            .args(threads),
    );
    for ending in ["hgrm", "hlog"] {
        assert!(folder.path().join(format!("run.{ending}")).metadata().unwrap().len() > 0);
    }
    let log = fs::read_to_string(folder.path().join("run.csv")).unwrap();
    assert_eq!(reported(&report, "closed trades").replace(',', ""), (log.lines().count() - 1).to_string());
    (log, fs::read_to_string(all).unwrap())
}

/// What a log says but for the venue's numbers and our clock: prints between the frames have numbers too.
fn without_numbers(log: &str) -> Vec<String> {
    let kept = |line: &str| {
        let cells = line.split(',').enumerate().filter(|(at, _)| !(6..10).contains(at));
        cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(",")
    };
    log.lines().map(kept).collect()
}

/// The same captures with prints between the frames, in both layouts: prints are no frames of the book, and change nothing.
#[test]
fn prints_change_neither_trades_nor_probabilities() {
    let Some(data) = shared_data() else { return };
    for capture in ["btc-perp-a", "btc-spot-a"] {
        for rules in ["0.6_20_5", "0.52_50_2000000"] {
            let (log, all) = replay(&data, capture, rules, &[]);
            let alone: Vec<f64> = probabilities(&all).into_iter().map(|(_, p)| p).collect();
            for with in ["trades", "today"] {
                let name = format!("{capture}.{with}");
                if !data.join(format!("captures/{name}.l2.gz")).is_file() {
                    eprintln!("SKIPPED: there is no {name}");
                    continue;
                }
                for way in [&["--fused"][..], &["--wait", "block"]] {
                    let (its_log, its_all) = replay(&data, &name, rules, way);
                    assert!(without_numbers(&its_log) == without_numbers(&log), "{name} {rules}: other trades");
                    let its: Vec<f64> = probabilities(&its_all).into_iter().map(|(_, p)| p).collect();
                    assert!(its == alone, "{name} {rules}: other probabilities");
                }
            }
        }
    }
}

#[test]
fn replays_reproduce_the_originals_trades_and_probabilities() {
    let Some(data) = shared_data() else { return };
    for capture in ["btc-perp-a", "btc-spot-a"] {
        let expected = probabilities(&gunzip(&data.join(format!("golden/{capture}.probability.txt.gz"))));
        for rules in ["0.6_20_5", "0.52_50_2000000"] {
            let (log, all) = replay(&data, capture, rules, &[]);
            let ours = probabilities(&all);
            assert_eq!(ours.len(), expected.len());
            for (&(number, p), &(expected_number, expected_p)) in ours.iter().zip(&expected) {
                assert_eq!(number, expected_number);
                assert!((p - expected_p).abs() <= 1e-9, "{capture} {number}: {p} against {expected_p}");
            }
            let originals = trades(&gunzip(&data.join(format!("golden/{capture}.{rules}.trades.csv.gz"))));
            let ours = trades(&log);
            assert_eq!(ours.len(), originals.len());
            for (ours, original) in ours.iter().zip(&originals) {
                assert_eq!((ours.0, ours.1), (original.0, original.1));
                for (number, expected) in ours.2.iter().zip(original.2) {
                    let off = (number - expected).abs();
                    assert!(off <= 1e-9 * expected.abs() + PRINTED, "{capture} {rules}: {ours:?} against {original:?}");
                }
            }

            // Neither threads nor pins nor waits change a byte.
            let ways: [&[&str]; 7] = [
                &["--fused"],
                &["--pin-cores", "0"],
                &["--pin-cores", "0,1"],
                &["--pin-cores", "0,1", "--wait", "yield"],
                &["--wait", "spin"],
                &["--wait", "yield"],
                &["--wait", "block", "--tick-size", "0.01", "--lot-size", "0.00000001"],
            ];
            for way in ways {
                let again = replay(&data, capture, rules, way);
                assert!(again.0 == log, "{capture} {rules} {way:?}: other trades");
                assert!(again.1 == all, "{capture} {rules} {way:?}: other probabilities");
            }
        }
    }
}
