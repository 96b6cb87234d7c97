//! Every fault, as it is on the wire.

use crate::support::*;
use papertrader::exchange::faults::FaultKind;
use papertrader::exchange::{ExchangeConfig, Pace, RunningExchange, SourceConfig};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::{Error, Message};

/// An exchange with these faults and a client that has its snapshot and the acknowledgement.
fn struck(faults: &[&str]) -> (RunningExchange, Client) {
    let exchange = start(with_faults(faults));
    let client = subscribed(&exchange);
    (exchange, client)
}

fn subscribed(exchange: &RunningExchange) -> Client {
    let mut client = Client::subscribed(exchange, "BTC-USD");
    client.next_of("subscriptions");
    client
}

fn assert_fired(exchange: &RunningExchange, kind: FaultKind, times: u64) {
    assert_eq!(exchange.stats().expect("runs").faults.get(&kind), Some(&times));
}

/// After a fault that ends the connection a new one works, and its book is right.
fn assert_next_connection_works(exchange: &RunningExchange, kind: FaultKind) {
    let mut client = subscribed(exchange);
    while client.books["BTC-USD"].updates < 20 {
        client.next();
    }
    client.assert_book(exchange, "BTC-USD");
    assert_fired(exchange, kind, 1);
}

fn sequence_num(message: &Value) -> u64 {
    message["sequence_num"].as_u64().expect("a number")
}

#[test]
fn gap_skips_a_number() {
    let (exchange, mut client) = struck(&["gap@10"]);
    let numbers: Vec<u64> = (0..20).map(|_| sequence_num(&client.next_unchecked())).collect();
    // Before the tenth frame came the snapshot and the acknowledgement.
    let expected: Vec<u64> = (numbers[0]..).filter(|&number| number != 11).take(20).collect();
    assert_eq!(numbers, expected);
    assert!(numbers[0] < 11);
    assert_fired(&exchange, FaultKind::Gap, 1);
}

#[test]
fn repeat_sends_twice() {
    let (exchange, mut client) = struck(&["repeat@5"]);
    let texts: Vec<String> = (0..12).map(|_| client.next_text().expect("a message")).collect();
    let twice = texts.windows(2).position(|pair| pair[0] == pair[1]).expect("one comes twice");
    let numbers: Vec<u64> =
        texts[twice + 1..].iter().map(|text| sequence_num(&serde_json::from_str(text).expect("JSON"))).collect();
    // Before the fifth frame came the snapshot and the acknowledgement.
    assert_eq!(numbers, (6..).take(11 - twice).collect::<Vec<_>>());
    assert_fired(&exchange, FaultKind::Repeat, 1);
}

#[test]
fn disconnect_says_so() {
    let (exchange, mut client) = struck(&["disconnect@3"]);
    assert_eq!(client.close_code(), 1001);
    assert!(matches!(client.end(), Error::ConnectionClosed));
    assert_next_connection_works(&exchange, FaultKind::Disconnect);
}

#[test]
fn fin_comes_without_a_word() {
    for tls in [false, true] {
        let config = with_faults(&["disconnect-fin@3"]);
        let exchange = start(if tls { with_tls(config) } else { config });
        let mut client = subscribed(&exchange);
        let end = client.end();
        match &end {
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) if !tls => {}
            Error::Io(error) if tls && error.kind() == std::io::ErrorKind::UnexpectedEof => {}
            _ => panic!("{end:?}"),
        }
        assert_next_connection_works(&exchange, FaultKind::DisconnectFin);
    }
}

#[test]
fn reset_is_one() {
    let (exchange, mut client) = struck(&["disconnect-rst@50"]);
    let end = client.end();
    assert!(matches!(&end, Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionReset), "{end:?}");
    assert_next_connection_works(&exchange, FaultKind::DisconnectRst);
}

/// Whether nothing comes for that long.
fn is_silent(client: &mut Client, time: Duration) -> bool {
    let set = |client: &Client, time| match client.websocket.get_ref() {
        Stream::Plain(socket) => socket.set_read_timeout(Some(time)).expect("set"),
        Stream::Tls(stream) => stream.sock.set_read_timeout(Some(time)).expect("set"),
    };
    set(client, time);
    let silent = match client.websocket.read() {
        Err(Error::Io(error)) => matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        _ => false,
    };
    set(client, Duration::from_secs(20));
    silent
}

#[test]
fn stall_without_end_is_silent_and_open() {
    let (exchange, mut client) = struck(&["stall@3"]);
    client.until(4);
    client.subscribe_heartbeats();
    client.websocket.send(Message::Ping("anybody?".into())).expect("sent");
    assert!(is_silent(&mut client, Duration::from_millis(1_500)), "no heartbeat and no pong either");
    assert_eq!(exchange.stats().expect("runs").clients, 1);
    assert_next_connection_works(&exchange, FaultKind::Stall);
}

#[test]
fn stall_with_an_end_loses_nothing() {
    let (exchange, mut client) = struck(&["stall:1500ms@3"]);
    client.until(4);
    assert!(is_silent(&mut client, Duration::from_millis(300)));
    while client.books["BTC-USD"].updates < 1_000 {
        client.next();
    }
    client.assert_book(&exchange, "BTC-USD");
    assert_fired(&exchange, FaultKind::Stall, 1);
}

#[test]
fn silent_book_goes_on_beating() {
    let (exchange, mut client) = struck(&["silent-book@30"]);
    client.subscribe_heartbeats();
    client.next_of("subscriptions");
    client.next_of("heartbeats");
    assert!(client.books["BTC-USD"].updates <= 30);
    for _ in 0..2 {
        assert_eq!(client.next()["channel"], "heartbeats", "and nothing else");
    }
    assert_next_connection_works(&exchange, FaultKind::SilentBook);
}

#[test]
fn silent_book_with_an_end_begins_anew() {
    let (exchange, mut client) = struck(&["silent-book:300ms@3"]);
    while client.books["BTC-USD"].updates < 100 {
        client.next();
    }
    assert_eq!(client.books["BTC-USD"].snapshots, 2);
    client.assert_book(&exchange, "BTC-USD");
    assert_fired(&exchange, FaultKind::SilentBook, 1);
}

#[test]
fn malformed_is_cut_text() {
    let (exchange, mut client) = struck(&["malformed@4"]);
    client.until(4);
    let text = client.next_text().expect("a message");
    assert!(text.starts_with(r#"{"channel":"l2_data","#), "{text}");
    assert!(serde_json::from_str::<Value>(&text).is_err());
    assert_eq!(sequence_num(&client.next_unchecked()), 6, "the cut one was 5");
    assert_next_connection_works(&exchange, FaultKind::Malformed);
}

#[test]
fn invalid_utf8_is_not_text() {
    let (exchange, mut client) = struck(&["invalid-utf8@4"]);
    let end = client.end();
    assert!(matches!(end, Error::Utf8(_)), "{end:?}");
    assert_next_connection_works(&exchange, FaultKind::InvalidUtf8);
}

#[test]
fn unknown_channel_has_its_number() {
    let (exchange, mut client) = struck(&["unknown-channel@4x2"]);
    for _ in 0..2 {
        assert_eq!(client.next_of("moon_phase")["events"][0]["phase"], "new");
    }
    while client.books["BTC-USD"].updates < 50 {
        client.next();
    }
    client.assert_book(&exchange, "BTC-USD");
    assert_fired(&exchange, FaultKind::UnknownChannel, 2);
}

#[test]
fn error_has_neither_channel_nor_number() {
    let (exchange, mut client) = struck(&["error@4"]);
    let error = std::iter::repeat_with(|| client.next()).take(10).find(|message| message.get("type").is_some());
    assert_eq!(error, Some(json!({"type": "error", "message": "internal error (injected)"})));
    client.assert_book(&exchange, "BTC-USD");
    assert_fired(&exchange, FaultKind::Error, 1);
}

#[test]
fn fragments_make_up_the_message() {
    for fault in ["fragmented/3", "fragmented:1/3", "fragmented:1000000/3"] {
        let (exchange, mut client) = struck(&[fault]);
        let mut pings = 0;
        while client.books["BTC-USD"].updates < 60 {
            match client.websocket.read().expect("a message") {
                Message::Text(text) => client.apply(&serde_json::from_str(text.as_str()).expect("JSON")),
                Message::Ping(payload) => {
                    assert_eq!(&payload[..], b"between fragments");
                    pings += 1;
                }
                other => panic!("{other}"),
            }
        }
        assert!((19..=20).contains(&pings), "a ping in each message of several frames: {pings}");
        let fired = exchange.stats().expect("runs").faults[&FaultKind::Fragmented];
        assert!(fired >= 20, "{fired}");
    }
}

#[test]
fn dribble_arrives_whole() {
    for tls in [false, true] {
        let source = SourceConfig::Synthetic { seed: 7, pace: Pace::Max, snapshot_levels: 200 };
        let config = ExchangeConfig { source, ..with_faults(&["dribble@5x3", "dribble:1@40"]) };
        let exchange = start(if tls { with_tls(config) } else { config });
        let before = Instant::now();
        let mut client = subscribed(&exchange);
        while client.books["BTC-USD"].updates < 50 {
            client.next();
        }
        // A message of 200 bytes or more, a byte every quarter of a millisecond.
        assert!(before.elapsed() > Duration::from_millis(50));
        client.assert_book(&exchange, "BTC-USD");
        assert_fired(&exchange, FaultKind::Dribble, 4);
    }
}

#[test]
fn oversized_messages_pass_the_limits() {
    // tungstenite limits a frame to 16 MiB unless told otherwise; a message to 64 MiB.
    let (exchange, mut client) = struck(&["oversized@3"]);
    let end = client.end();
    let expected = CapacityError::MessageTooLong { size: (64 << 20) + 1, max_size: 16 << 20 };
    assert!(matches!(&end, Error::Capacity(error) if *error == expected), "{end:?}");
    drop(client);
    assert_next_connection_works(&exchange, FaultKind::Oversized);

    let (exchange, mut client) = struck(&["oversized-fragments@3"]);
    let end = client.end();
    let expected = CapacityError::MessageTooLong { size: (64 << 20) + 1, max_size: 64 << 20 };
    assert!(matches!(&end, Error::Capacity(error) if *error == expected), "{end:?}");
    drop(client);
    assert_next_connection_works(&exchange, FaultKind::OversizedFragments);
}

#[test]
fn late_snapshot_comes_before_any_update() {
    let exchange = start(with_faults(&["late-snapshot:500ms@1"]));
    let before = Instant::now();
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    assert_eq!(client.next()["channel"], "subscriptions");
    let message = client.next();
    assert_eq!(message["events"][0]["type"], "snapshot");
    assert!(before.elapsed() >= Duration::from_millis(500));
    while client.books["BTC-USD"].updates < 20 {
        client.next();
    }
    client.assert_book(&exchange, "BTC-USD");
    assert_fired(&exchange, FaultKind::LateSnapshot, 1);
}

/// Takes in messages up to the first whose one level is as the predicate wants it.
fn level_where(client: &mut Client, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let message = client.next();
        let updates = message["events"][0]["updates"].as_array().cloned().unwrap_or_default();
        if let Some(level) = updates.into_iter().find(|level| wanted(level)) {
            return level;
        }
    }
}

#[test]
fn off_tick_level_comes_and_goes() {
    let (exchange, mut client) = struck(&["off-tick@4"]);
    let price = |level: &Value| level["price_level"].as_str().expect("a price").to_owned();
    let off_tick = |level: &Value| price(level).split_once('.').is_some_and(|(_, decimals)| decimals.len() == 3);
    let level = level_where(&mut client, off_tick);
    assert!(price(&level).ends_with('5') && level["side"] == "bid" && level["new_quantity"] != "0", "{level}");
    let removal = level_where(&mut client, off_tick);
    assert_eq!((price(&removal), &removal["new_quantity"]), (price(&level), &json!("0")));
    client.assert_book(&exchange, "BTC-USD");
    assert_fired(&exchange, FaultKind::OffTick, 1);
}

#[test]
fn crossed_book_is_crossed_for_one_message() {
    let (exchange, mut client) = struck(&["crossed@4"]);
    let mut crossed = 0;
    for _ in 0..30 {
        client.next();
        crossed += u32::from(client.is_crossed("BTC-USD"));
    }
    assert_eq!(crossed, 1);
    client.assert_book(&exchange, "BTC-USD");
    assert_fired(&exchange, FaultKind::Crossed, 1);
}

#[test]
fn huge_number_is_put_right() {
    let (exchange, mut client) = struck(&["huge-number@4"]);
    let text = loop {
        let text = client.next_text().expect("a message");
        if text.contains(r#""new_quantity":"123456789012345678901234567890""#) {
            break text;
        }
        client.apply(&serde_json::from_str(&text).expect("JSON"));
    };
    let wrong: Value = serde_json::from_str(&text).expect("JSON, whatever the number");
    let right = client.next_unchecked();
    assert_eq!(sequence_num(&right), sequence_num(&wrong) + 1);
    let price = |message: &Value| message["events"][0]["updates"][0]["price_level"].clone();
    assert_eq!(price(&right), price(&wrong));
    assert_next_connection_works(&exchange, FaultKind::HugeNumber);
}

#[test]
fn lost_removal_leaves_the_book_crossed() {
    let (exchange, mut client) = struck(&["lost-removal@4"]);
    while !client.is_crossed("BTC-USD") {
        client.next();
    }
    for _ in 0..100 {
        client.next();
        assert!(client.is_crossed("BTC-USD"));
    }
    assert_next_connection_works(&exchange, FaultKind::LostRemoval);
}

#[test]
fn acknowledgements_list_what_they_should_not() {
    for (fault, kind, listed) in [
        ("ack-empty@1x2", FaultKind::AckEmpty, json!({})),
        ("ack-partial@1x2", FaultKind::AckPartial, json!({"heartbeats": ["heartbeats"]})),
        ("ack-null@1x2", FaultKind::AckNull, json!(null)),
    ] {
        let exchange = start(with_faults(&[fault]));
        let mut client = Client::subscribed(&exchange, "BTC-USD");
        client.subscribe_heartbeats();
        for _ in 0..2 {
            assert_eq!(client.next_of("subscriptions")["events"], json!([{"subscriptions": listed}]), "{fault}");
        }
        client.assert_book(&exchange, "BTC-USD");
        assert_fired(&exchange, kind, 2);
        client.subscribe(&["BTC-USD"]);
        let whole = json!({"level2": ["BTC-USD"], "heartbeats": ["heartbeats"]});
        assert_eq!(client.next_of("subscriptions")["events"], json!([{"subscriptions": whole}]), "{fault}");
    }
}

#[test]
fn acknowledgement_comes_late() {
    let exchange = start(with_faults(&["ack-late:700ms@1"]));
    let before = Instant::now();
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    let answer = client.next_of("subscriptions");
    assert!(before.elapsed() >= Duration::from_millis(700));
    assert_eq!(answer["events"], json!([{"subscriptions": {"level2": ["BTC-USD"]}}]));
    client.assert_book(&exchange, "BTC-USD");
    assert_fired(&exchange, FaultKind::AckLate, 1);
}

#[test]
fn ping_flood_is_pings() {
    let (exchange, mut client) = struck(&["ping-flood@4"]);
    let mut pings = 0;
    while client.books["BTC-USD"].updates < 30 {
        match client.websocket.read().expect("a message") {
            Message::Text(text) => client.apply(&serde_json::from_str(text.as_str()).expect("JSON")),
            Message::Ping(_) => pings += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(pings, 1_000);
    assert_fired(&exchange, FaultKind::PingFlood, 1);
}

#[test]
fn handshake_is_refused_then_works() {
    for tls in [false, true] {
        let config = with_faults(&["handshake-503@1x2"]);
        let exchange = start(if tls { with_tls(config) } else { config });
        for _ in 0..2 {
            let error = handshake(&exchange).err().expect("refused");
            assert!(matches!(&error, Error::Http(response) if response.status() == 503), "{error:?}");
        }
        subscribed(&exchange).assert_book(&exchange, "BTC-USD");
        let stats = exchange.stats().expect("runs");
        assert_eq!((stats.faults[&FaultKind::Handshake503], stats.handshakes_failed), (2, 2));
    }
}

#[test]
fn handshake_hangs() {
    let exchange = start(with_faults(&["handshake-hang:400ms@1", "handshake-hang@2"]));
    let before = Instant::now();
    assert!(handshake(&exchange).is_err());
    assert!(before.elapsed() >= Duration::from_millis(400));
    let mut hung = tcp(&exchange);
    hung.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
    std::io::Write::write_all(&mut hung, b"GET / HTTP/1.1\r\n").expect("sent");
    let error = std::io::Read::read(&mut hung, &mut [0; 9]).expect_err("nothing to read, and no end");
    assert!(matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{error}");
    wait_for(&exchange, |stats| stats.clients == 1);
    drop(hung);
    wait_for(&exchange, |stats| stats.clients == 0);
    assert_fired(&exchange, FaultKind::HandshakeHang, 2);
    subscribed(&exchange).assert_book(&exchange, "BTC-USD");
}

#[test]
fn wrong_certificates_are_seen_as_such() {
    let exchange = start(with_tls(with_faults(&["expired-cert@1", "wrong-host-cert@2"])));
    for reason in ["certificate expired", "certificate not valid for name \"localhost\""] {
        let error = handshake(&exchange).err().expect("refused");
        assert!(error.to_string().contains(reason), "{error}");
    }
    wait_for(&exchange, |stats| stats.handshakes_failed == 2);
    subscribed(&exchange).assert_book(&exchange, "BTC-USD");
    assert_fired(&exchange, FaultKind::ExpiredCert, 1);
    assert_fired(&exchange, FaultKind::WrongHostCert, 1);
}

#[test]
fn faults_can_be_added_while_running() {
    let (exchange, mut client) = struck(&[]);
    while client.books["BTC-USD"].updates < 20 {
        client.next();
    }
    exchange.inject("disconnect".parse().expect("a fault")).expect("runs");
    assert_eq!(client.close_code(), 1001);
    assert_fired(&exchange, FaultKind::Disconnect, 1);
}

/// A client that knows nothing but to reconnect when anything is wrong.
#[test]
fn random_faults_are_survived() {
    let source = SourceConfig::Synthetic { seed: 7, pace: Pace::Rate { frames_per_s: 2_000.0 }, snapshot_levels: 200 };
    let exchange = start(ExchangeConfig { source, ..with_faults(&["random:7/40"]) });
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut kinds = 0;
    let mut connections = 0;
    while kinds < 22 && Instant::now() < deadline {
        connections += 1;
        let Ok(mut client) = handshake(&exchange) else { continue };
        client.subscribe(&["BTC-USD"]);
        while client.try_next().is_ok() {}
        kinds = exchange.stats().expect("runs").faults.len();
    }
    assert_eq!(kinds, 22, "after {connections} connections");
    exchange.pause().expect("runs");
    let mut client = subscribed(&exchange);
    client.assert_book(&exchange, "BTC-USD");
    let stats = exchange.stop().expect("stops");
    assert!(stats.faults.values().sum::<u64>() > 22);
}
