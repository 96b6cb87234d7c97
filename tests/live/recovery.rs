//! What may happen to the program while it runs: to its files, its time, its cores, its connection.

use crate::common::reported;
use crate::ending::{assert_whole, signal, spawn, text};
use crate::support::*;
use papertrader::exchange::RunningExchange;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

fn sent(exchange: &RunningExchange) -> u64 {
    exchange.stats().expect("the exchange runs").sent.updates
}

fn wait_for_updates(exchange: &RunningExchange, updates: u64) {
    let until = sent(exchange) + updates;
    wait_until("frames go on", || sent(exchange) >= until);
}

#[test]
fn its_trade_log_is_removed() {
    let exchange = start(market(&[]));
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.l2");
    let process = spawn(&exchange, folder.path(), &capture, &[]);
    let csv = folder.path().join("live.csv");
    wait_until("a trade is on disk", || std::fs::read_to_string(&csv).is_ok_and(|log| log.lines().count() > 1));
    std::fs::remove_file(&csv).expect("removed");
    wait_for_updates(&exchange, 500);
    signal(&process, "INT");
    let output = process.wait_with_output().expect("it ends");
    // The session went on to its end and is reported; that its log is lost is said.
    let expected = format!("error: cannot write {}: it was removed while the program ran\n", csv.display());
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), expected));
    let frames = text(&output.stdout);
    assert!(reported(&frames, "frames").replace(',', "").parse::<u64>().expect("a count") > 400, "{frames}");
    // What the recording promised is there all the same.
    let replayed = replay(&capture, folder.path()).output().expect("it runs");
    assert_eq!((replayed.status.code(), text(&replayed.stderr)), (Some(0), String::new()));
}

/// How long it is suspended: longer than it waits for a heartbeat. `PAPERTRADER_SUSPENDED_S=60` makes it a minute.
fn suspension() -> Duration {
    let given = std::env::var("PAPERTRADER_SUSPENDED_S").ok();
    Duration::from_secs(given.map_or(6, |text| text.parse().expect("a number of seconds")))
}

/// It finds its heartbeats waiting and goes on. If it was away for so long that the exchange has let it go, it connects
/// again. Either way what was recorded is what was traded.
#[test]
fn it_is_suspended() {
    let exchange = start(with_tls(market(&[])));
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.l2.zst");
    let process = spawn(&exchange, folder.path(), &capture, &[]);
    wait_for_updates(&exchange, 300);
    signal(&process, "STOP");
    thread::sleep(suspension());
    signal(&process, "CONT");
    wait_for_updates(&exchange, 800);
    let slow = exchange.stats().expect("runs").slow_clients;
    signal(&process, "INT");
    let output = process.wait_with_output().expect("it ends");
    assert_whole(&output, folder.path(), &capture);
    let report = text(&output.stdout);
    if slow == 0 {
        assert_eq!(reported(&report, "connected"), "1 times (0 reconnects)", "{report}");
        assert_eq!(text(&output.stderr), "");
    }
}

/// Pinned and spinning on two cores, of which one is taken away, then given back.
#[test]
fn a_core_is_taken_away() {
    let [a, b, ..] = papertrader::base::cores::allowed()[..] else {
        eprintln!("SKIPPED: there is one core");
        return;
    };
    if Command::new("taskset").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: there is no taskset");
        return;
    }
    let exchange = start(market(&[]));
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.l2");
    let pins = format!("{a},{b}");
    let process = spawn(&exchange, folder.path(), &capture, &["--pin-cores", &pins]);
    wait_for_updates(&exchange, 200);
    for cores in [a.to_string(), pins] {
        let mut taskset = Command::new("taskset");
        taskset.args(["-a", "-p", "-c", &cores, &process.id().to_string()]).stdout(Stdio::null());
        assert!(taskset.status().expect("it runs").success());
        wait_for_updates(&exchange, 300);
    }
    signal(&process, "INT");
    assert_whole(&process.wait_with_output().expect("it ends"), folder.path(), &capture);
}

#[test]
fn its_connection_ends_a_hundred_times_in_a_row() {
    let exchange = start(market(&["disconnect/15"]));
    let session = Session::with(&exchange);
    wait_until("it has reconnected a hundred times", || session.connections() > 100);
    session.assert_book(&exchange);
    let (outcome, engine) = session.stop();
    assert_eq!(outcome.counts.faults.total(), outcome.connections - 1, "{:?}", outcome.counts.faults);
    assert_eq!(outcome.failed_attempts, 0);
    assert_eq!(engine.counts.connections, outcome.connections);
    assert!(engine.trader().totals.trades > 100, "{}", engine.trader().totals.trades);
}
