//! How a session ends: by its time, by a signal, by two.

use crate::common::{fail, reported, succeed};
use crate::support::*;
use crate::venue::Venue;
use papertrader::exchange::RunningExchange;
use papertrader::exchange::faults::FaultKind;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &process.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

pub fn spawn(exchange: &RunningExchange, folder: &Path, capture: &Path, arguments: &[&str]) -> Child {
    let mut command = live(exchange, folder);
    command.args(arguments).arg("--record").arg(capture).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The session has ended in order: a report, and files that are whole.
pub fn assert_whole(output: &Output, folder: &Path, capture: &Path) {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = text(&output.stdout);
    assert!(reported(&report, "ran for").ends_with(", stopped before the end"), "{report}");
    let replayed = replay(capture, folder).output().expect("it runs");
    // No warning of a cut file.
    assert_eq!((replayed.status.code(), text(&replayed.stderr)), (Some(0), String::new()));
    let trades = read(&folder.join("live.csv"));
    assert_eq!(read(&folder.join("replay.csv")), trades);
    let closed = reported(&report, "closed trades").replace(',', "");
    assert_eq!(trades.lines().count() - 1, closed.parse::<usize>().expect("a count"));
    assert!(read(&folder.join("live.hgrm")).contains("#[Max"));
}

fn ended_by(name: &str, capture: &str) {
    let exchange = start(with_tls(market(&[])));
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join(capture);
    let process = spawn(&exchange, folder.path(), &capture, &[]);
    wait_until("much has been sent", || exchange.stats().expect("runs").sent.updates > 500);
    let before = Instant::now();
    signal(&process, name);
    let output = process.wait_with_output().expect("it ends");
    // A second is promised; a busy machine gets more.
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    assert_whole(&output, folder.path(), &capture);
}

#[test]
fn by_ctrl_c() {
    ended_by("INT", "a.l2.zst");
}

#[test]
fn by_sigterm() {
    ended_by("TERM", "a.l2.gz");
}

/// Between two connections, and with a venue that says nothing any more.
#[test]
fn by_ctrl_c_without_a_working_connection() {
    for (fault, kind) in [("handshake-hang@2", FaultKind::HandshakeHang), ("stall@300", FaultKind::Stall)] {
        let exchange = start(market(&["disconnect@200", fault]));
        let folder = tempfile::tempdir().expect("a folder");
        let capture = folder.path().join("a.l2");
        let process = spawn(&exchange, folder.path(), &capture, &[]);
        wait_until("the fault strikes", || fired(&exchange, kind) > 0);
        let before = Instant::now();
        signal(&process, "INT");
        let output = process.wait_with_output().expect("it ends");
        assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
        assert_whole(&output, folder.path(), &capture);
    }
}

#[test]
fn at_once_by_the_second_signal() {
    // The venue is silent: the session waits half a second for the answer to its close frame.
    let exchange = start(market(&["stall@100"]));
    let folder = tempfile::tempdir().expect("a folder");
    let process = spawn(&exchange, folder.path(), &folder.path().join("a.l2"), &[]);
    wait_until("the fault strikes", || fired(&exchange, FaultKind::Stall) > 0);
    signal(&process, "INT");
    thread::sleep(Duration::from_millis(20));
    signal(&process, "TERM");
    let output = process.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(130), String::new()));
}

#[test]
fn by_its_time() {
    let exchange = start(market(&[]));
    let folder = tempfile::tempdir().expect("a folder");
    for duration in ["1", "1.2s", "0.02m"] {
        let report = succeed(live(&exchange, folder.path()).args(["--duration", duration]));
        assert!(!reported(&report, "ran for").contains("stopped"), "{report}");
        assert_eq!(reported(&report, "connected"), "1 time (0 reconnects)");
    }
    for duration in ["0", "-1", "x", "5d", ""] {
        let (code, said) = crate::common::fail(live(&exchange, folder.path()).args(["--duration", duration]));
        assert_eq!(code, 2, "{said}");
    }
}

/// The time may be up while a connection is being made.
#[test]
fn by_its_time_while_connecting() {
    let exchange = start(market(&["handshake-hang/1"]));
    let folder = tempfile::tempdir().expect("a folder");
    let before = Instant::now();
    let failed = fail(live(&exchange, folder.path()).args(["--duration", "1"]));
    assert!(before.elapsed() < Duration::from_secs(8), "the handshake alone would take ten");
    let why = "error: the book of BTC-USD never was live: 0 messages, no snapshot came; nothing was written";
    assert_eq!(failed, (1, why.into()));
    assert_eq!(folder.path().read_dir().expect("a folder").count(), 0);
}

#[test]
fn with_a_close_frame() {
    let venue = Venue::serve(|client| {
        client.begin();
        client.until_closed()
    });
    let session = Session::start(papertrader::feed::live::LiveSettings {
        duration: Some(Duration::from_secs(1)),
        ..venue.settings()
    });
    let (outcome, _) = session.wait();
    assert_eq!((outcome.connections, outcome.first().counts.frames, outcome.first().counts.faults.total()), (1, 1, 0));
    assert_eq!(venue.end(), [Some(1000)]);
}
