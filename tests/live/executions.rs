//! Recorded is lived for every execution: the replay of a session's recording leaves the same logs, byte for byte.

use crate::common::{reported, succeed};
use crate::support::*;
use papertrader::exchange::{ExchangeConfig, Pace, SourceConfig};
use std::collections::BTreeSet;
use std::path::Path;

const LOGS: [&str; 4] = ["orders", "fills", "markouts", "legs"];
const ACCOUNTS: [&str; 4] = ["taker", "maker-through", "maker-queue", "maker-touch"];
const ALL: [&str; 5] = ["--execution", "original,taker,maker", "--short", "--order-latency", "5ms"];

fn logs(folder: &Path, name: &str) -> [String; 4] {
    LOGS.map(|log| read(&folder.join(format!("{name}.{log}.csv"))))
}

/// The cells of a column.
fn column<'a>(log: &'a str, name: &str) -> Vec<&'a str> {
    let place = log.lines().next().and_then(|header| header.split(',').position(|column| column == name));
    let place = place.unwrap_or_else(|| panic!("no column {name}"));
    log.lines().skip(1).map(|row| row.split(',').nth(place).expect("a cell")).collect()
}

fn lived_and_replayed(faults: &[&str], capture: &str, options: &[&str]) -> (String, [String; 4]) {
    let source = SourceConfig::Synthetic { seed: 7, pace: Pace::Rate { frames_per_s: 300.0 }, snapshot_levels: 500 };
    let exchange = start(with_tls(ExchangeConfig { source, ..market(faults) }));
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join(capture);
    let mut command = live(&exchange, folder.path());
    let report = succeed(command.args(["--duration", "10"]).args(ALL).args(options).arg("--record").arg(&capture));
    let lived = logs(folder.path(), "live");
    let trades = read(&folder.path().join("live.csv"));
    for way in [&["--force"][..], &["--force", "--fused"]] {
        succeed(replay(&capture, folder.path()).args(ALL).args(options).args(way));
        assert_eq!(read(&folder.path().join("replay.csv")), trades);
        for ((log, lived), replayed) in LOGS.iter().zip(&lived).zip(logs(folder.path(), "replay")) {
            let differ = lived.lines().zip(replayed.lines()).find(|(lived, replayed)| lived != replayed);
            assert_eq!(differ, None, "{way:?}: {log}");
            assert_eq!(lived.len(), replayed.len(), "{way:?}: {log}");
        }
    }
    (report, lived)
}

fn assert_all_traded(logs: &[String; 4]) {
    for log in logs {
        let accounts: BTreeSet<&str> = column(log, "account").into_iter().collect();
        assert_eq!(accounts, ACCOUNTS.into_iter().collect());
    }
}

#[test]
fn with_faults() {
    let faults = ["gap@150", "lost-print@3", "disconnect-rst@350", "off-tick@400", "crossed@450"];
    let (report, logs) = lived_and_replayed(&faults, "a.l2.zst", &[]);
    assert_eq!(reported(&report, "connected"), "3 times (2 reconnects)", "{report}");
    assert_eq!(reported(&report, "sequence gap"), "1");
    assert_all_traded(&logs);
    let lost = column(&logs[0], "reason").into_iter().filter(|&reason| reason == "book invalid").count();
    assert!(lost > 0, "nothing was live when the book was lost");
}

#[test]
fn with_prices_between_and_a_trader_of_other_rules() {
    let rules = [
        ["--maker-then", "take"],
        ["--maker-exit", "take"],
        ["--maker-offset", "-1"],
        ["--queue", "power3"],
        ["--maker-fee-bps", "-0.5"],
        ["--taker-fee-bps", "2"],
    ];
    let (_, logs) = lived_and_replayed(&["off-tick@200", "repeat@600"], "a.l2.gz", &rules.concat());
    assert_all_traded(&logs);
    assert!(column(&logs[1], "fee").iter().any(|fee| fee.starts_with('-')), "a rebate");
}
