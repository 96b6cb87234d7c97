//! A process that is killed leaves what it had promised.

use crate::common::succeed;
use crate::support::*;
use papertrader::base::clock::wall_ns;
use std::collections::HashSet;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// The rows of a trade log that are whole, each with its time of sale.
fn rows(text: &str) -> Vec<(i64, &str)> {
    let end = text.rfind('\n').map_or(0, |end| end + 1);
    let row = |row| (str::split(row, ',').nth(9).expect("a column").parse().expect("a time"), row);
    text[..end].lines().skip(1).map(row).collect()
}

fn killed(name: &str) {
    let exchange = start(market(&["disconnect@200"]));
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join(name);
    let mut command = live(&exchange, folder.path());
    command.arg("--record").arg(&capture).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = command.spawn().expect("it starts");
    wait_until("much has been sent", || exchange.stats().expect("runs").sent.updates > 1_500);
    thread::sleep(Duration::from_millis(300));
    let killed_ns = wall_ns();
    process.kill().expect("it can be killed");
    process.wait().expect("it ends");

    let promised_ns = killed_ns - 1_000_000_000;
    let trades = read(&folder.path().join("live.csv"));
    let lived = rows(&trades);
    // The recording is good up to the cut.
    succeed(&mut replay(&capture, folder.path()));
    let replayed_trades = read(&folder.path().join("replay.csv"));
    let replayed = rows(&replayed_trades);
    let old = |rows: &[(i64, &str)]| rows.iter().filter(|(sold_ns, _)| *sold_ns < promised_ns).count();
    assert!(old(&replayed) > 20, "{} rows", replayed.len());
    let common = lived.len().min(replayed.len());
    assert_eq!(lived[..common], replayed[..common], "{name}");
    let kept: HashSet<&str> = lived.iter().map(|&(_, row)| row).collect();
    for (sold_ns, row) in &replayed {
        assert!(*sold_ns >= promised_ns || kept.contains(row), "{name}: lost although it was old: {row}");
    }
    assert_eq!(old(&lived), old(&replayed), "{name}: what is old is in both");
}

#[test]
fn what_was_promised_is_there() {
    thread::scope(|scope| {
        for name in ["a.l2", "a.l2.gz", "a.l2.zst"] {
            scope.spawn(move || killed(name));
        }
    });
}
