//! What may happen to the program while it runs: to its files, its time, its cores, its connection.

use crate::common::{fail, papertrader, reported, succeed};
use crate::ending::{assert_whole, signal, spawn, text};
use crate::support::*;
use crate::venue::Venue;
use papertrader::exchange::RunningExchange;
use papertrader::exchange::message::L2Kind;
use papertrader::market::event::Fault;
use papertrader::market::units::Side;
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
        assert_eq!(reported(&report, "connected"), "1 time (0 reconnects)", "{report}");
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
    assert_eq!(outcome.first().counts.faults.total(), outcome.connections - 1, "{:?}", outcome.first().counts.faults);
    assert_eq!(outcome.failed_attempts, 0);
    assert_eq!(engine.counts.connections, outcome.connections);
    assert!(engine.trader().totals.trades > 100, "{}", engine.trader().totals.trades);
}

/// On a slow link the heartbeats wait behind the snapshot.
#[test]
fn a_slow_snapshot_is_waited_for() {
    let venue = Venue::serve(|client| {
        client.request();
        assert!(client.slow_snapshot(25), "the client waits");
        client.acknowledge(&[PRODUCT]);
        client.heartbeats(10);
        client.until_closed();
    });
    let mut settings = venue.settings();
    settings.patience.heartbeat = Duration::from_secs(1);
    settings.patience.snapshot = Duration::from_secs(1);
    settings.duration = Some(Duration::from_secs(4));
    let (outcome, _) = Session::start(settings).wait();
    assert_eq!(
        (outcome.connections, outcome.first().counts.snapshots, outcome.first().counts.faults.total()),
        (1, 1, 0)
    );
    venue.end();
}

/// But not for ever: not while nothing comes, and not beyond a bound, whose cause is named.
#[test]
fn a_snapshot_that_never_ends_is_given_up() {
    let venue = Venue::serve(|client| {
        client.request();
        client.slow_snapshot(200);
    });
    let mut settings = venue.settings();
    settings.patience.message = Duration::from_secs(2);
    let session = Session::start(settings);
    wait_until("it reconnects", || session.connections() >= 2);
    let (outcome, _) = session.stop();
    assert_eq!(outcome.first().notes[0].fault, Fault::NoSnapshot);
    let detail = &outcome.first().notes[0].detail;
    assert!(detail.ends_with(" bytes of a message in 2s, and it is not whole: the link is too slow"), "{detail}");
    venue.end();
}

/// What lies on disk from before is nobody's to destroy.
#[test]
fn a_session_that_cannot_connect_leaves_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["live.csv", "live.html", "live.json", "live.hlog", "live.hgrm", "a.l2.zst", "p.txt"];
    let write_all = || names.iter().for_each(|name| std::fs::write(folder.path().join(name), "kept").expect("written"));
    let assert_kept = || {
        for name in names {
            assert_eq!(read(&folder.path().join(name)), "kept", "{name}");
        }
        assert_eq!(folder.path().read_dir().expect("a folder").count(), names.len());
    };
    write_all();
    let path = |name: &str| folder.path().join(name);
    for force in [&[][..], &["--force"]] {
        let mut live = papertrader();
        live.args(["live", "--url", "ws://127.0.0.1:9", "--max-retries", "1", "--name", "live", "--model"]);
        live.arg(model_path()).arg("--out").arg(folder.path()).arg("--record").arg(path("a.l2.zst")).args(force);
        assert_eq!(fail(&mut live).0, 1);
        assert_kept();
        let mut record = papertrader();
        record.args(["record", "--url", "ws://127.0.0.1:9", "--max-retries", "1"]).arg(path("a.l2.zst")).args(force);
        assert_eq!(fail(&mut record).0, 1);
        assert_kept();
    }
    let mut live = papertrader();
    live.args(["live", "--url", "ws://127.0.0.1:9", "--max-retries", "1", "--probabilities"]).arg(path("p.txt"));
    let (code, said) = fail(live.arg("--model").arg(model_path()).arg("--out").arg(folder.path()));
    assert_eq!((code, said), (2, format!("error: {} exists; give --force to replace it", path("p.txt").display())));
    assert_kept();
}

/// A supervisor that starts the same command again gets the next name.
#[test]
fn what_is_started_again_has_a_name_of_its_own() {
    let exchange = start(market(&[]));
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("live.json"), "kept").expect("written");
    std::fs::write(path("a.l2.zst"), "kept").expect("written");
    let mut command = live(&exchange, folder.path());
    let report = succeed(command.args(["--duration", "1", "--record"]).arg(path("a.l2.zst")));
    assert!(reported(&report, "recorded").ends_with(&format!("in {}", path("a_2.l2.zst").display())), "{report}");
    for (name, kept) in [("live.json", true), ("a.l2.zst", true), ("live_2.csv", false), ("live_2.json", false)] {
        assert_eq!(read(&path(name)) == "kept", kept, "{name}");
    }
    // Into a folder: a name of the time and the product.
    let recordings = path("recordings");
    std::fs::create_dir(&recordings).expect("made");
    for _ in 0..2 {
        succeed(papertrader().args(["record", "--url", &exchange.url(), "--duration", "1"]).arg(&recordings));
    }
    let names: Vec<_> = recordings.read_dir().expect("a folder").map(|entry| entry.expect("one").file_name()).collect();
    assert!(
        names.len() == 2 && names.iter().all(|name| name.to_string_lossy().ends_with("BTC-USD.l2.zst")),
        "{names:?}"
    );
}

/// A file that a run reads is not written over, whatever may be replaced.
#[test]
fn a_model_is_not_replaced_by_a_run_of_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("flat.json");
    std::fs::copy(model_path(), &model).expect("copied");
    let mut command = papertrader();
    command.args(["live", "--url", "ws://127.0.0.1:9", "--name", "flat", "--force", "--model"]).arg(&model);
    let (code, said) = fail(command.arg("--out").arg(folder.path()));
    let why = "would be written over, and this command reads it; choose another name";
    assert_eq!((code, said), (2, format!("error: {} {why}", model.display())));
    assert_eq!(read(&model), read(&model_path()));
}

/// A removal that never comes leaves the book crossed: after five seconds a new snapshot is asked for.
#[test]
fn a_book_that_stays_crossed_is_got_anew() {
    let venue = Venue::serve(|client| {
        client.begin();
        for number in 0..70 {
            client.levels(L2Kind::Update, &[(Side::Bid, 12, number + 1)]);
            client.heartbeats(1);
        }
    });
    let session = Session::start(venue.settings());
    wait_until("it reconnects", || session.connections() >= 2);
    let (outcome, engine) = session.stop();
    assert_eq!(outcome.first().notes[0].fault, Fault::StaysCrossed);
    assert!(engine.counts.crossed_or_locked > 40 && engine.counts.faults.of(Fault::StaysCrossed) == 1);
    venue.end();
}
