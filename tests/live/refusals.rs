//! What a session refuses, and how it says so.

use crate::common::{fail, papertrader};
use crate::support::*;
use crate::venue::Venue;
use papertrader::market::event::Fault;
use serde_json::json;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// A live session with any URL, results in a folder that goes.
fn live_with(url: &str, folder: &Path) -> Command {
    let mut command = papertrader();
    command.args(["live", "--url", url, "--max-retries", "1", "--model"]).arg(model_path()).arg("--out").arg(folder);
    command
}

/// Fails with nothing on standard output and one line on standard error.
fn fails_in_one_line(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().count(), 1, "{said}");
    (output.status.code().expect("a code"), said.trim_end().into())
}

#[test]
fn a_port_where_nobody_listens() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let url = format!("ws://{address}");
    let (code, said) = fails_in_one_line(&mut live_with(&url, folder.path()));
    let start = format!("error: cannot connect to {address}: Connection refused");
    assert_eq!(code, 1);
    assert!(said.starts_with(&start) && said.ends_with("; gave up after 1 attempt"), "{said}");

    let mut record = papertrader();
    record.args(["record", "--url", &url, "--max-retries", "1"]).arg(folder.path().join("a.l2"));
    let (code, said) = fails_in_one_line(&mut record);
    assert_eq!(code, 1);
    assert!(said.starts_with(&start), "{said}");
}

#[test]
fn the_attempts_before_the_first_connection_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let exchange = start(market(&["handshake-503/1"]));
    let (code, said) = fail(live(&exchange, folder.path()).args(["--max-retries", "2"]));
    assert_eq!(code, 1);
    assert_eq!(
        said,
        "warning: the server answered the websocket upgrade with HTTP 503 Service Unavailable; trying again\n\
         error: the server answered the websocket upgrade with HTTP 503 Service Unavailable; gave up after 2 attempts"
    );
}

#[test]
fn an_authority_that_nobody_vouches_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let exchange = start(with_tls(market(&[])));
    let (code, said) = fails_in_one_line(&mut live_with(&exchange.url(), folder.path()));
    assert_eq!(code, 1);
    assert!(said.starts_with("error: the certificate of '127.0.0.1' is not valid: "), "{said}");
}

#[test]
fn bad_urls() {
    let folder = tempfile::tempdir().expect("a folder");
    for (url, words) in [
        ("ws://192.0.2.1:80", "would not be encrypted; use wss://, or --allow-plaintext"),
        ("ws://feed.example", "would not be encrypted; use wss://, or --allow-plaintext"),
        ("https://feed.example", "'https://' is not a websocket scheme"),
        ("feed.example", "the URL has no scheme"),
        ("wss://", "the URL names no host"),
        ("wss://feed.example:99999", "'99999' is not a port"),
        ("wss://name:secret@feed.example", "the URL must not carry a user name or password"),
    ] {
        let (code, said) = fails_in_one_line(&mut live_with(url, folder.path()));
        assert_eq!(code, 2, "{url}");
        assert!(said.starts_with("error: ") && said.contains(words) && !said.contains("secret@"), "{url}: {said}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "no files for a session that never was");
}

#[test]
fn bad_certificate_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let no_pem = folder.path().join("no.pem");
    std::fs::write(&no_pem, "no certificate").expect("written");
    for (path, words) in [
        (folder.path().join("nowhere.pem"), "cannot read root certificates from "),
        (no_pem, "holds no certificate in PEM form"),
    ] {
        let mut command = live_with("wss://127.0.0.1:9", folder.path());
        let (code, said) = fails_in_one_line(command.arg("--ca-cert").arg(&path));
        assert_eq!(code, 2);
        assert!(said.contains(words) && said.contains(path.to_str().expect("UTF-8")), "{said}");
    }
}

#[test]
fn bad_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [["--max-retries", "0"], ["--stale-after", "0"], ["--duration", "1d"], ["--tick-size", "0.3"]] {
        let (code, said) = fail(live_with("ws://127.0.0.1:9", folder.path()).args(arguments));
        assert_eq!(code, 2, "{arguments:?}: {said}");
    }
}

#[test]
fn a_recording_that_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = live_with("ws://127.0.0.1:9", folder.path());
    let (code, said) = fails_in_one_line(command.args(["--record", "/nowhere/a.l2"]));
    assert_eq!(code, 2);
    assert!(said.starts_with("error: cannot write /nowhere/a.l2: "), "{said}");
}

/// An acknowledgement of something else is no subscription.
#[test]
fn an_acknowledgement_of_another_product() {
    let venue = Venue::serve(|client| {
        let requests = [client.request(), client.request()];
        client.snapshot();
        client.acknowledge(&["ETH-USD"]);
        client.until_closed();
        requests
    });
    let session = Session::start(venue.settings());
    wait_until("it reconnects", || session.connections() >= 2);
    let (outcome, _) = session.stop();
    assert!(outcome.first().counts.faults.of(Fault::SubscriptionRefused) >= 1);
    assert!(outcome.first().notes[0].detail.contains("ETH-USD instead of BTC-USD"), "{:?}", outcome.first().notes);
    let [level2, heartbeats] = &venue.end()[0];
    assert_eq!((level2["channel"].as_str(), heartbeats["channel"].as_str()), (Some("level2"), Some("heartbeats")));
    assert_eq!(level2["product_ids"], serde_json::json!([PRODUCT]));
    assert!(heartbeats.get("product_ids").is_none() && level2.get("jwt").is_none());
}

/// Heartbeats alone are no subscription.
#[test]
fn neither_acknowledgement_nor_book() {
    let venue = Venue::serve(|client| {
        client.request();
        client.heartbeats(60);
    });
    let mut settings = venue.settings();
    settings.patience.snapshot = std::time::Duration::from_secs(2);
    let session = Session::start(settings);
    wait_until("it reconnects", || session.connections() >= 2);
    let (outcome, _) = session.stop();
    assert_eq!(outcome.first().notes[0].fault, Fault::SubscriptionRefused);
    assert_eq!(
        outcome.first().notes[0].detail,
        "neither an acknowledgement of the book nor a snapshot 2s after subscribing"
    );
    venue.end();
}

/// The book is what counts: acknowledgements that list nothing, or are none, end nothing.
#[test]
fn a_book_needs_no_acknowledgement() {
    let venue = Venue::serve(|client| {
        client.request();
        client.snapshot();
        for subscriptions in
            [json!({}), json!(null), json!({"level2": null}), json!({"heartbeats": ["heartbeats"]}), json!(7)]
        {
            client.send(json!({"channel": "subscriptions", "events": [{"subscriptions": subscriptions}]}));
        }
        client.send(json!({"channel": "subscriptions", "events": null}));
        client.heartbeats(30);
        client.until_closed();
    });
    let mut settings = venue.settings();
    settings.patience.snapshot = std::time::Duration::from_secs(1);
    settings.duration = Some(std::time::Duration::from_secs(2));
    let (outcome, _) = Session::start(settings).wait();
    assert_eq!(
        (outcome.connections, outcome.first().counts.subscriptions, outcome.first().counts.faults.total()),
        (1, 6, 0)
    );
    venue.end();
}

/// A recording of a book that never came is no recording: one line, as of a session. What did come is kept.
#[test]
fn a_recording_without_a_book() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.l2");
    let record = |url: &str| {
        let mut command = papertrader();
        command.args(["record", "--url", url, "--duration", "1"]).arg(&path);
        fails_in_one_line(&mut command)
    };
    let silent = Venue::serve(|client| _ = client.until_closed());
    let (code, said) = record(&silent.url);
    assert_eq!(code, 1);
    let never = "error: the book of BTC-USD never was live: ";
    assert!(said.starts_with(&format!("{never}0 messages, no snapshot came; ")), "{said}");
    silent.end();

    let _ = std::fs::remove_file(&path);
    let heartbeats = Venue::serve(|client| {
        client.heartbeats(3);
        client.until_closed();
    });
    let (code, said) = record(&heartbeats.url);
    assert_eq!(code, 1);
    let kept = format!(" were recorded in {}", path.display());
    assert!(said.starts_with(&format!("{never}3 messages, no snapshot came; ")) && said.ends_with(&kept), "{said}");
    assert_eq!(std::fs::read_to_string(&path).expect("a capture").matches("heartbeat_counter").count(), 3);
    heartbeats.end();

    let heartbeats = Venue::serve(|client| {
        client.heartbeats(2);
        client.until_closed();
    });
    let path = folder.path().join("b.l2");
    let mut command = papertrader();
    command.args(["live", "--url", &heartbeats.url, "--duration", "1", "--model"]).arg(model_path());
    let (code, said) = fails_in_one_line(command.arg("--out").arg(folder.path()).arg("--record").arg(&path));
    assert_eq!(code, 1);
    let kept = format!("; 2 messages were recorded in {}, nothing else was written", path.display());
    assert!(said.starts_with(&format!("{never}2 messages, ")) && said.ends_with(&kept), "{said}");
    heartbeats.end();
}
