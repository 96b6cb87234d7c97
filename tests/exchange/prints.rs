//! The channel `market_trades`.

use crate::support::*;
use papertrader::exchange::faults::FaultKind;
use papertrader::exchange::message::Layout;
use papertrader::exchange::{ExchangeConfig, Pace, SourceConfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;

fn subscribe_prints(client: &mut Client, kind: &str, products: &[&str]) {
    client.send(&json!({"type": kind, "product_ids": products, "channel": "market_trades"}).to_string());
}

fn trades(message: &Value) -> &Vec<Value> {
    message["events"][0]["trades"].as_array().expect("prints")
}

fn id(trade: &Value) -> u64 {
    trade["trade_id"].as_str().expect("a text").parse().expect("a number")
}

fn number(text: &Value) -> f64 {
    text.as_str().expect("a text").parse().expect("a number")
}

/// The last trades, newest first, then new ones, numbered on, each after the book's loss that it explains.
#[test]
fn prints_trail_the_book_that_they_explain() {
    for layout in [Layout::Year2026, Layout::Year2024] {
        let exchange = start(ExchangeConfig { layout, ..config() });
        let mut client = Client::subscribed(&exchange, "BTC-USD");
        client.next();
        subscribe_prints(&mut client, "subscribe", &["BTC-USD"]);
        let (mut last_id, mut messages, mut told) = (None, 0, 0);
        // What levels showed and lost, by maker's side and price.
        let mut shown: BTreeMap<(bool, String), f64> = BTreeMap::new();
        let mut lost: BTreeMap<(bool, String), f64> = BTreeMap::new();
        while messages < 8 {
            let message = client.next();
            for level in message["events"][0]["updates"].as_array().into_iter().flatten() {
                let place = (level["side"] == "bid", level["price_level"].as_str().expect("a text").to_owned());
                let size = number(&level["new_quantity"]);
                // A level that no message here has told of showed what it likes.
                let before = shown.insert(place.clone(), size).unwrap_or(f64::INFINITY);
                *lost.entry(place).or_default() += (before - size).max(0.0);
            }
            if message["channel"] != "market_trades" {
                continue;
            }
            assert_eq!(message.get("client_id").is_some(), layout == Layout::Year2024);
            let trades = trades(&message);
            assert!(trades.windows(2).all(|pair| id(&pair[0]) == id(&pair[1]) + 1), "newest first");
            let Some(last) = last_id.replace(id(&trades[0])) else {
                assert_eq!((&message["events"][0]["type"], trades.len()), (&json!("snapshot"), 100));
                continue;
            };
            assert_eq!(message["events"][0]["type"], "update");
            assert_eq!(id(trades.last().expect("some")), last + 1, "no trade is left out");
            messages += 1;
            if messages == 1 {
                // Their levels may have lost it before the subscription.
                continue;
            }
            for trade in trades {
                assert_eq!(trade["product_id"], "BTC-USD");
                assert!(trade["time"].as_str() < message["timestamp"].as_str());
                let place = (trade["side"] == "BUY", trade["price"].as_str().expect("a text").to_owned());
                let explained = lost.get_mut(&place).unwrap_or_else(|| panic!("{trade} explains nothing"));
                *explained -= number(&trade["size"]);
                assert!(*explained > -1e-9, "{trade}");
                told += 1;
            }
        }
        assert!(told > 10, "{told}");
        client.assert_book(&exchange, "BTC-USD");
        assert_eq!(exchange.stop().expect("stops").sent.prints, 9);
    }
}

#[test]
fn prints_are_subscribed_to_and_acknowledged_apart_from_the_book() {
    let exchange = start(config());
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    subscribe_prints(&mut client, "subscribe", &["BTC-USD"]);
    client.subscribe_heartbeats();
    let mut listed = || client.next_of("subscriptions")["events"][0]["subscriptions"].clone();
    assert_eq!(listed(), json!({"level2": ["BTC-USD"]}));
    assert_eq!(listed(), json!({"level2": ["BTC-USD"], "market_trades": ["BTC-USD"]}));
    let all = json!({"level2": ["BTC-USD"], "market_trades": ["BTC-USD"], "heartbeats": ["heartbeats"]});
    assert_eq!(listed(), all);
    client.next_of("market_trades");
    subscribe_prints(&mut client, "unsubscribe", &["BTC-USD"]);
    let all = json!({"level2": ["BTC-USD"], "heartbeats": ["heartbeats"]});
    assert_eq!(client.next_of("subscriptions")["events"][0]["subscriptions"], all);
    let updates = client.books["BTC-USD"].updates + 300;
    while client.books["BTC-USD"].updates < updates {
        assert_ne!(client.next()["channel"], "market_trades");
    }
    subscribe_prints(&mut client, "subscribe", &["NO-ONE"]);
    assert!(client.next_of_error().contains("unknown product 'NO-ONE'"));
}

/// Its number is missing, and nothing else.
#[test]
fn a_print_is_lost() {
    let exchange = start(with_faults(&["lost-print@2"]));
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    subscribe_prints(&mut client, "subscribe", &["BTC-USD"]);
    let mut ids = vec![id(&trades(&client.next_of("market_trades"))[0])];
    for _ in 0..6 {
        ids.extend(trades(&client.next_of("market_trades")).iter().rev().map(id));
    }
    let missing: Vec<_> = ids.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    assert!(matches!(missing[..], [pair] if pair[1] == pair[0] + 2), "{ids:?}");
    client.assert_book(&exchange, "BTC-USD");
    assert_eq!(exchange.stop().expect("stops").faults[&FaultKind::LostPrint], 1);
}

fn playback(lines: &[&str]) -> (tempfile::NamedTempFile, ExchangeConfig) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    for (line, at) in lines.iter().zip(1_i64..) {
        writeln!(file, "{} {line}", at * 1_000_000).expect("written");
    }
    let source = SourceConfig::Capture { path: file.path().into(), pace: Pace::Speed { factor: 0.02 }, looping: false };
    (file, ExchangeConfig { source, ..config() })
}

const BOOK: &str = r#"{"channel":"l2_data","timestamp":"2026-09-30T02:39:54Z","sequence_num":0,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2026-09-30T02:39:54Z","price_level":"5","new_quantity":"1"},{"side":"offer","event_time":"2026-09-30T02:39:54Z","price_level":"6","new_quantity":"1"}]}]}"#;
const PRINT: &str = r#"{"channel":"market_trades","client_id":"me","timestamp":"2026-09-30T02:39:54.5Z","sequence_num":1,"events":[{"type":"update","trades":[{"product_id":"BTC-USD","trade_id":"7","price":"5.000","size":"0.50","time":"then","side":"BUY"}]}]}"#;

#[test]
fn a_recording_s_prints_are_served_as_recorded() {
    let later = PRINT.replace("\"7\"", "\"8\"").replace(":1,", ":2,");
    let (_file, config) = playback(&[BOOK, PRINT, &later]);
    let exchange = start(config);
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    subscribe_prints(&mut client, "subscribe", &["BTC-USD"]);
    for print in [PRINT, &later] {
        let served = client.next_of("market_trades");
        let mut recorded: Value = serde_json::from_str(print).expect("JSON");
        recorded["sequence_num"] = served["sequence_num"].clone();
        assert_eq!(served, recorded);
    }
    // Who comes later gets what was played.
    let mut second = Client::connect(&exchange);
    subscribe_prints(&mut second, "subscribe", &["BTC-USD"]);
    let snapshot = second.next();
    assert_eq!(
        (&snapshot["events"][0]["type"], trades(&snapshot).iter().map(id).collect::<Vec<_>>()),
        (&json!("snapshot"), vec![8, 7])
    );
}

#[test]
fn a_recording_without_prints_serves_none() {
    let (_file, config) = playback(&[BOOK]);
    let exchange = start(config);
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    subscribe_prints(&mut client, "subscribe", &["BTC-USD"]);
    client.next_of("subscriptions");
    let all = json!({"level2": ["BTC-USD"], "market_trades": ["BTC-USD"]});
    assert_eq!(client.next_of("subscriptions")["events"][0]["subscriptions"], all);
    assert_eq!(exchange.stop().expect("stops").sent.prints, 0);
}
