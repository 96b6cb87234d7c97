//! Prints beside the book: what a session asks for, and what it bears.

use crate::common::{reported, succeed};
use crate::support::{PRODUCT, Session, fired, live, market, read, replay, start, wait_until};
use crate::venue::{Client, Venue};
use papertrader::exchange::faults::FaultKind;
use papertrader::feed::live::LiveSettings;
use serde_json::{Value, json};

fn asking(settings: LiveSettings) -> LiveSettings {
    LiveSettings { prints: true, ..settings }
}

/// Takes requests up to the one for heartbeats, which is the last, and gives their channels.
fn channels(client: &mut Client) -> Vec<String> {
    let mut channels = Vec::new();
    while channels.last().is_none_or(|channel| channel != "heartbeats") {
        channels.push(client.request()["channel"].as_str().expect("a text").to_owned());
    }
    channels
}

fn market_trades(kind: &str, trade_ids: &[u64]) -> Value {
    let trade = |id: &u64| {
        json!({"product_id": PRODUCT, "trade_id": id.to_string(), "price": "11", "size": "0.5",
            "time": "2026-09-30T02:39:54.18954Z", "side": "SELL"})
    };
    let trades: Vec<Value> = trade_ids.iter().map(trade).collect();
    json!({"channel": "market_trades", "timestamp": "2026-09-30T02:39:54.2Z", "sequence_num": 0,
        "events": [{"type": kind, "trades": trades}]})
}

const ALL: [&str; 3] = ["level2", "market_trades", "heartbeats"];
const WITHOUT: [&str; 2] = ["level2", "heartbeats"];

/// Refusals that name the channel, acknowledgements that do not, and none at all.
#[test]
fn a_venue_without_prints_serves_its_book() {
    let refusal = "unknown channel market_trades";
    for refuses in [true, false] {
        let venue = Venue::serve(move |client| {
            let channels = channels(client);
            if refuses {
                client.send_text(&json!({"type": "error", "message": refusal}).to_string());
            }
            client.snapshot();
            client.acknowledge(&[PRODUCT]);
            client.heartbeats(5);
            client.until_closed();
            channels
        });
        let session = Session::start(asking(venue.settings()));
        wait_until("the book is there", || session.frames() > 0);
        let notices = session.notices.clone();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let (outcome, _) = session.stop();
        assert_eq!((outcome.connections, outcome.first().counts.faults.total()), (1, 0), "{:?}", outcome.first().notes);
        assert_eq!((outcome.prints_subscribed.asked, outcome.prints_subscribed.acknowledged), (1, 0));
        assert_eq!(outcome.first().counts.prints_refused, u64::from(refuses));
        let said: Vec<String> = notices.try_iter().collect();
        let expected = format!("no prints, the book goes on: the venue says '{refusal}'");
        assert_eq!(said, if refuses { vec![expected] } else { vec![] });
        assert_eq!(venue.end(), [ALL]);
    }
}

/// An error that does not say what it is about, or a close frame: the next connection does without prints.
#[test]
fn what_may_be_a_refusal_is_tried_without_prints() {
    for closes in [false, true] {
        let venue = Venue::serve(move |client| {
            let channels = channels(client);
            if channels.len() == ALL.len() {
                client.snapshot();
                if closes {
                    client.close("authentication failure");
                } else {
                    client.send_text(r#"{"type":"error","message":"authentication failure"}"#);
                }
            } else {
                client.begin_with_book();
            }
            client.until_closed();
            channels
        });
        let session = Session::start(asking(venue.settings()));
        wait_until("the second book is there", || session.connections() == 2 && session.frames() == 2);
        let notices = session.notices.clone();
        let (outcome, _) = session.stop();
        assert_eq!((outcome.connections, outcome.first().counts.faults.total()), (2, 1));
        assert_eq!(outcome.prints_subscribed.asked, 1);
        let said: Vec<String> = notices.try_iter().collect();
        assert_eq!(said[1], "this connection leaves out market_trades, which the venue may have refused");
        assert_eq!(venue.end(), [&ALL[..], &WITHOUT[..]]);
    }
}

/// Numbers that are missing are counted and are no fault of the book.
#[test]
fn lost_prints_are_counted_and_end_nothing() {
    let venue = Venue::serve(|client| {
        channels(client);
        client.snapshot();
        client.acknowledge_all(&[PRODUCT]);
        let first = 100;
        client.send(market_trades("snapshot", &[first, first - 1]));
        client.send(market_trades("update", &[first + 2, first + 1]));
        client.send(market_trades("update", &[first + 5]));
        client.send(market_trades("update", &[first + 5, first + 4]));
        let mut unreadable = market_trades("update", &[first + 6]);
        unreadable["events"][0]["trades"][0]["side"] = json!("both");
        client.send(unreadable);
        client.heartbeats(1);
        client.until_closed();
    });
    let session = Session::start(asking(venue.settings()));
    wait_until("the book is there", || session.frames() > 0);
    std::thread::sleep(std::time::Duration::from_millis(500));
    let (outcome, engine) = session.stop();
    let counts = &outcome.first().counts;
    assert_eq!((outcome.connections, counts.faults.total(), engine.counts.frames), (1, 0, 1));
    assert_eq!((counts.prints, counts.prints_lost, counts.prints_repeated, counts.prints_unread), (3, 2, 2, 1));
    assert_eq!((outcome.prints_subscribed.asked, outcome.prints_subscribed.acknowledged), (1, 1));
    venue.end();
}

/// The exchange leaves a print out: its number is missing, and nothing ends.
#[test]
fn lost_print() {
    let exchange = start(market(&["lost-print@2"]));
    let session = Session::with(&exchange);
    wait_until("the print is lost", || fired(&exchange, FaultKind::LostPrint) > 0);
    session.go_on(400);
    session.assert_book(&exchange);
    let (outcome, engine) = session.stop();
    assert_eq!((outcome.connections, outcome.first().counts.faults.total(), engine.counts.faults.total()), (1, 0, 0));
    assert_eq!(
        (
            outcome.first().counts.prints_lost,
            outcome.first().counts.prints_repeated,
            outcome.first().counts.prints_unread
        ),
        (1, 0, 0)
    );
    assert!(outcome.first().counts.prints > 10, "{:?}", outcome.first().counts);
    assert_eq!((outcome.prints_subscribed.asked, outcome.prints_subscribed.acknowledged), (1, 1));
    exchange.stop().expect("stops");
}

/// What is subscribed to, as a user says it.
#[test]
fn the_command_line_leaves_prints_out() {
    let exchange = start(market(&[]));
    for (arguments, subscribed) in [(&[][..], "yes"), (&["--no-trades"], "no")] {
        let folder = tempfile::tempdir().expect("a folder");
        let capture = folder.path().join("a.l2");
        let mut command = live(&exchange, folder.path());
        let report = succeed(command.args(["--duration", "2", "--record"]).arg(&capture).args(arguments));
        assert_eq!(reported(&report, "prints subscribed"), subscribed);
        let prints: u64 = reported(&report, "prints").replace(',', "").parse().expect("a number");
        assert_eq!((prints > 0, reported(&report, "prints lost")), (subscribed == "yes", "0"), "{report}");
        assert_eq!(read(&capture).contains("market_trades"), subscribed == "yes");
        // The recording's replay has the same prints.
        let replayed = succeed(&mut replay(&capture, folder.path()));
        assert_eq!(reported(&replayed, "prints").replace(',', ""), prints.to_string());
        let run = read(&folder.path().join("live.json"));
        assert!(run.contains(&format!("\"prints\": {prints},\n      \"prints_lost\": 0,")), "{run}");
        let page = read(&folder.path().join("live.html"));
        assert!(page.contains("prints that came again"), "the page counts prints");
    }
}
