//! What a client that behaves sees, and what becomes of one that does not.

use crate::support::*;
use papertrader::exchange::message::Layout;
use papertrader::exchange::{Exchange, ExchangeConfig, ExchangeError, Limits, Pace, SourceConfig, TlsFiles};
use serde_json::json;
use std::time::Duration;
use tungstenite::{Error, Message};

#[test]
fn numbers_run_on_over_all_channels() {
    for config in [config(), with_tls(config())] {
        let exchange = start(config);
        let mut client = Client::subscribed(&exchange, "BTC-USD");
        let snapshot = client.next();
        assert_eq!(snapshot["channel"], "l2_data");
        assert_eq!(snapshot["events"][0]["type"], "snapshot");
        assert!(snapshot["events"][0]["updates"].as_array().expect("levels").len() > 100);
        let answer = client.next_of("subscriptions");
        assert_eq!(answer["events"], json!([{"subscriptions": {"level2": ["BTC-USD"]}}]));
        client.subscribe_heartbeats();
        let answer = client.next_of("subscriptions");
        let set = json!([{"subscriptions": {"level2": ["BTC-USD"], "heartbeats": ["heartbeats"]}}]);
        assert_eq!(answer["events"], set);
        for counter in [1, 2] {
            assert_eq!(client.next_of("heartbeats")["events"][0]["heartbeat_counter"], counter);
        }
        assert!(client.books["BTC-USD"].updates > 100, "updates in between");
        client.assert_book(&exchange, "BTC-USD");
        let stats = exchange.stop().expect("stops");
        assert_eq!(
            (stats.accepted, stats.sent.subscriptions, stats.sent.snapshots, stats.sent.heartbeats),
            (1, 2, 1, 2)
        );
        assert_eq!(client.close_code(), 1001);
    }
}

/// Today's acknowledgements have the numbers 3 and 5, the older ones come at once. A machine that does nothing for half a
/// second makes them come earlier: one connection of several is enough.
#[test]
fn acknowledgements_come_after_the_first_levels() {
    for (layout, expected) in [(Layout::Year2026, [3, 5]), (Layout::Year2024, [1, 2])] {
        let exchange = start(ExchangeConfig { layout, ..config() });
        let numbers = || {
            let mut client = Client::subscribed(&exchange, "BTC-USD");
            client.subscribe_heartbeats();
            [(); 2].map(|()| {
                let answer = client.next_of("subscriptions");
                assert_eq!(answer.get("client_id").is_some(), layout == Layout::Year2024);
                assert_eq!(client.books["BTC-USD"].snapshots, 1, "the book is there");
                answer["sequence_num"].as_u64().expect("a number")
            })
        };
        let seen: Vec<_> = (0..5).map(|_| numbers()).collect();
        // The older ones can have a frame before the second.
        assert!(seen.contains(&expected), "{layout}: {seen:?}");
    }
}

/// Where no levels come an acknowledgement waits for none.
#[test]
fn a_market_that_stands_still_is_acknowledged() {
    let exchange = start(config());
    exchange.pause().expect("runs");
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    client.next();
    assert_eq!(client.next()["events"], json!([{"subscriptions": {"level2": ["BTC-USD"]}}]));
    client.unsubscribe(&["BTC-USD"]);
    assert_eq!(client.next()["events"], json!([{"subscriptions": {}}]));
}

/// What the venue sends today, by its text; and the older layout.
#[test]
fn layouts_are_the_venues() {
    for layout in [Layout::Year2026, Layout::Year2024] {
        let exchange = start(ExchangeConfig { layout, ..config() });
        let mut client = Client::subscribed(&exchange, "BTC-USD");
        client.subscribe_heartbeats();
        let is_today = layout == Layout::Year2026;
        for _ in 0..100 {
            let text = client.next_text().expect("a message");
            assert_eq!(text.contains(r#""client_id":"""#), !is_today, "{text}");
            let message: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let time = |value: &serde_json::Value| value.as_str().expect("a time").to_owned();
            let stamp = time(&message["timestamp"]);
            assert!(
                if is_today { !stamp.ends_with("0Z") || !stamp.contains('.') } else { stamp.len() == 30 },
                "{stamp}"
            );
            let Some(updates) = message["events"][0]["updates"].as_array().filter(|updates| !updates.is_empty()) else {
                continue;
            };
            let event_time = time(&updates[0]["event_time"]);
            assert!(updates.iter().all(|level| level["event_time"] == event_time), "one time a message");
            match (is_today, message["events"][0]["type"] == "snapshot") {
                (true, _) => assert!(event_time.len() <= 27 && event_time < stamp, "{event_time} {stamp}"),
                (false, true) => assert_eq!(event_time, "1970-01-01T00:00:00Z"),
                (false, false) => assert_eq!(event_time, stamp),
            }
            let sides: Vec<_> = updates.iter().map(|level| level["side"] == "offer").collect();
            assert!(sides.is_sorted(), "bids first");
        }
        let beat = client.next_of_unchecked("heartbeats");
        assert_eq!(beat["events"][0]["heartbeat_counter"].is_u64(), is_today, "{beat}");
    }
}

/// Batches are what the market's frames come to: the book is the same, in fewer and longer messages, and levels are
/// removed that no message showed.
#[test]
fn batches_make_the_book_of_their_frames() {
    let config = ExchangeConfig { batch: Duration::from_millis(50), ..config() };
    let exchange = start(config);
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    let mut unknown = 0;
    while client.books.get("BTC-USD").is_none_or(|book| book.updates < 60) {
        let text = client.next_text().expect("a message");
        unknown += client.removals_of_unknown_levels(&serde_json::from_str(&text).expect("JSON"));
        client.apply(&serde_json::from_str(&text).expect("JSON"));
    }
    assert!(unknown > 0);
    client.assert_book(&exchange, "BTC-USD");
}

#[test]
fn latecomers_get_the_book_as_of_now() {
    let exchange = start(config());
    wait_for(&exchange, |stats| stats.market_frames > 300);
    let mut first = Client::subscribed(&exchange, "BTC-USD");
    while first.books.get("BTC-USD").is_none_or(|book| book.updates < 200) {
        first.next();
    }
    let mut second = Client::subscribed(&exchange, "BTC-USD");
    second.next();
    assert_eq!(second.books["BTC-USD"].snapshots, 1);
    second.assert_book(&exchange, "BTC-USD");
    first.assert_book(&exchange, "BTC-USD");
    while second.books["BTC-USD"].updates < 200 {
        second.next();
    }
    second.assert_book(&exchange, "BTC-USD");
}

#[test]
fn many_clients_and_products_at_once() {
    let products = ["BTC-USD", "ETH-USD", "SOL-EUR"];
    let exchange = start(ExchangeConfig { products: products.map(String::from).into(), ..config() });
    let mut clients: Vec<_> = (0..32).map(|index| (index, Client::connect(&exchange))).collect();
    for (index, client) in &mut clients {
        match *index % 4 {
            3 => client.subscribe(&products),
            product => client.subscribe(&products[product..=product]),
        }
    }
    for (index, client) in &mut clients {
        let own = if *index % 4 == 3 { &products[..] } else { &products[*index % 4..=*index % 4] };
        while own.iter().any(|&product| client.books.get(product).is_none_or(|book| book.updates < 20)) {
            client.next();
        }
        assert_eq!(client.books.len(), own.len(), "nothing but what was asked for");
        own.iter().for_each(|product| client.assert_book(&exchange, product));
    }
    assert_eq!(exchange.stats().expect("runs").clients, 32);
    let stats = exchange.stop().expect("stops");
    assert_eq!((stats.accepted, stats.sent.snapshots, stats.slow_clients), (32, 48, 0));
}

#[test]
fn unsubscribing_ends_and_subscribing_again_begins_anew() {
    let exchange = start(ExchangeConfig { products: vec!["A-USD".into(), "B-USD".into()], ..config() });
    let mut client = Client::connect(&exchange);
    client.subscribe(&["A-USD", "B-USD"]);
    assert_eq!(client.next_of("subscriptions")["events"][0]["subscriptions"]["level2"], json!(["A-USD", "B-USD"]));
    client.unsubscribe(&["A-USD"]);
    assert_eq!(client.next_of("subscriptions")["events"][0]["subscriptions"], json!({"level2": ["B-USD"]}));
    let updates = client.books["A-USD"].updates;
    while client.books["B-USD"].updates < 50 {
        client.next();
    }
    assert_eq!(client.books["A-USD"].updates, updates, "no more of it");
    client.subscribe(&["B-USD"]);
    client.next_of("subscriptions");
    assert_eq!(client.books["B-USD"].snapshots, 1, "it had never ended");
    client.subscribe(&["A-USD"]);
    assert_eq!(client.next_of("subscriptions")["events"][0]["subscriptions"]["level2"], json!(["B-USD", "A-USD"]));
    assert_eq!(client.books["A-USD"].snapshots, 2);
    client.assert_book(&exchange, "A-USD");
}

#[test]
fn usdc_product_streams_as_its_twin() {
    let exchange = start(config());
    let mut client = Client::subscribed(&exchange, "BTC-USDC");
    assert_eq!(client.next_of("subscriptions")["events"][0]["subscriptions"]["level2"], json!(["BTC-USD"]));
    client.assert_book(&exchange, "BTC-USD");
}

#[test]
fn bad_requests_are_answered_and_forgiven() {
    let exchange = start(config());
    let mut client = Client::connect(&exchange);
    for (request, reason) in [
        ("nonsense", "message is not a JSON object with text fields: expected ident at line 1 column 2"),
        (r#"{"channel":"level2"}"#, "missing field 'type'"),
        (r#"{"type":"subscribe"}"#, "missing field 'channel'"),
        (r#"{"type":"subscribe","channel":"level2"}"#, "missing field 'product_ids'"),
        (r#"{"type":"order","channel":"level2"}"#, "unknown type 'order'; types are subscribe, unsubscribe"),
        (
            r#"{"type":"subscribe","channel":"user"}"#,
            "unknown channel 'user'; channels are level2, market_trades, heartbeats",
        ),
        (r#"{"type":"subscribe","channel":"level2","product_ids":["BTC-USD","NO-USD"]}"#, "unknown product 'NO-USD'"),
    ] {
        client.send(request);
        assert_eq!(client.next(), json!({"type": "error", "message": reason}), "{request}");
    }
    client.websocket.send(Message::binary(vec![1, 2, 3])).expect("sent");
    assert_eq!(client.next(), json!({"type": "error", "message": "message is binary; requests are JSON text"}));
    client.subscribe(&["BTC-USD"]);
    assert_eq!(client.next()["sequence_num"], 0, "errors use up no number, and half a request subscribed to nothing");
    assert_eq!(exchange.stop().expect("stops").sent.errors, 8);
}

#[test]
fn streams_on_a_connection_are_limited() {
    let products: Vec<String> = (0..17).map(|index| format!("P{index}-USD")).collect();
    let exchange = start(ExchangeConfig { products: products.clone(), ..config() });
    let names: Vec<&str> = products.iter().map(String::as_str).collect();
    let mut client = Client::connect(&exchange);
    client.subscribe(&names);
    let reason = "too many L2 streams: at most 16 products on a connection";
    assert_eq!(client.next(), json!({"type": "error", "message": reason}));
    client.subscribe(&names[..16]);
    client.next_of("subscriptions");
    assert_eq!(client.books.len(), 16);
}

#[test]
fn silence_after_connecting_ends_the_connection() {
    let limits = Limits { subscribe_within: Duration::from_secs(1), ..Limits::default() };
    let exchange = start(ExchangeConfig { limits, ..config() });
    let mut silent = Client::connect(&exchange);
    let mut wrong = Client::connect(&exchange);
    wrong.send("{}");
    let mut subscribed = Client::connect(&exchange);
    subscribed.subscribe_heartbeats();
    let mut tcp_only = tcp(&exchange);
    assert_eq!(silent.close_code(), 1008);
    assert_eq!(wrong.close_code(), 1008);
    assert_eq!(std::io::Read::read(&mut tcp_only, &mut [0; 9]).expect("a clean end"), 0);
    subscribed.next_of("heartbeats");
    let stats = exchange.stats().expect("runs");
    assert_eq!((stats.no_subscribe, stats.handshakes_failed), (2, 1));
}

#[test]
fn pings_are_answered() {
    let exchange = start(config());
    let mut client = Client::connect(&exchange);
    for text in ["one", "two"] {
        client.websocket.send(Message::Ping(text.into())).expect("sent");
        assert_eq!(client.websocket.read().expect("an answer"), Message::Pong(text.into()));
    }
}

#[test]
fn closing_is_answered() {
    let exchange = start(config());
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    client.next();
    client.websocket.close(None).expect("sent");
    assert!(matches!(client.end(), Error::ConnectionClosed));
    wait_for(&exchange, |stats| stats.clients == 0);
}

#[test]
fn huge_requests_end_the_connection() {
    let exchange = start(config());
    let mut client = Client::connect(&exchange);
    client.send(&"x".repeat(65 << 10));
    assert_eq!(client.close_code(), 1009);
    wait_for(&exchange, |stats| stats.clients == 0);
}

/// A client that asks for more than it reads.
fn glutton(exchange: &papertrader::exchange::RunningExchange) -> Client {
    let mut client = Client::connect(exchange);
    for _ in 0..40 {
        client.subscribe(&["BTC-USD"]);
        client.unsubscribe(&["BTC-USD"]);
    }
    client
}

#[test]
fn slow_clients_are_let_go() {
    let source = SourceConfig::Synthetic { seed: 7, pace: Pace::Rate { frames_per_s: 100.0 }, snapshot_levels: 10_000 };
    let bounded = Limits { outbox_bytes_max: 4 << 20, ..Limits::default() };
    let patient = Limits { outbox_bytes_max: 1 << 30, blocked_max: Duration::from_millis(300), ..Limits::default() };
    for limits in [bounded, patient] {
        let exchange = start(ExchangeConfig { source: source.clone(), limits, ..config() });
        let mut good = Client::subscribed(&exchange, "BTC-USD");
        good.next();
        let slow = glutton(&exchange);
        wait_for(&exchange, |stats| stats.slow_clients == 1 && stats.clients == 1);
        good.assert_book(&exchange, "BTC-USD");
        drop(slow);
    }
}

#[test]
fn too_many_clients_are_turned_away() {
    let limits = Limits { clients_max: 2, ..Limits::default() };
    let exchange = start(ExchangeConfig { limits, ..config() });
    let first = Client::connect(&exchange);
    let second = Client::connect(&exchange);
    assert!(handshake(&exchange).is_err());
    drop((first, second));
    wait_for(&exchange, |stats| stats.clients == 0);
    Client::subscribed(&exchange, "BTC-USD").next();
    assert_eq!(exchange.stop().expect("stops").refused, 1);
}

#[test]
fn unpaced_market_waits_for_its_readers() {
    let source = SourceConfig::Synthetic { seed: 7, pace: Pace::Max, snapshot_levels: 200 };
    let exchange = start(ExchangeConfig { source, ..config() });
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(exchange.stats().expect("runs").market_frames, 0, "nobody reads");
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    client.next();
    while client.books["BTC-USD"].updates < 3_000 {
        client.next();
    }
    client.assert_book(&exchange, "BTC-USD");
    let stats = exchange.stop().expect("stops");
    assert_eq!(stats.slow_clients, 0);
    assert_eq!(stats.sent.updates, stats.market_frames);
}

#[test]
fn seed_decides_the_market() {
    let frames = |seed| {
        let source = SourceConfig::Synthetic { seed, pace: Pace::Max, snapshot_levels: 50 };
        let exchange = start(ExchangeConfig { source, ..config() });
        let mut client = Client::subscribed(&exchange, "BTC-USD");
        let mut levels = Vec::new();
        while levels.len() < 50 {
            let events = client.next_of("l2_data")["events"].clone();
            let updates = events[0]["updates"].as_array().expect("updates").clone();
            levels.push(
                updates
                    .into_iter()
                    .map(|level| (level["side"].clone(), level["price_level"].clone(), level["new_quantity"].clone()))
                    .collect::<Vec<_>>(),
            );
        }
        levels
    };
    let seven = frames(7);
    assert_eq!(frames(7), seven);
    assert_ne!(frames(8), seven);
}

#[test]
fn authority_is_written_and_nobody_else_is_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ca.pem");
    let tls = Some(TlsFiles { ca_out: Some(path.clone()) });
    let exchange = start(ExchangeConfig { tls, ..config() });
    assert_eq!(std::fs::read_to_string(&path).expect("written"), exchange.ca_pem().expect("TLS"));
    assert!(exchange.url().starts_with("wss://127.0.0.1:"));
    Client::subscribed(&exchange, "BTC-USD").next();

    let stranger = start(with_tls(config()));
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let config = tls_config(stranger.ca_pem().expect("TLS"));
    let connection = rustls::ClientConnection::new(config, name).expect("a client");
    let mut stream = rustls::StreamOwned::new(connection, tcp(&exchange));
    let error = std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n").expect_err("not trusted");
    assert!(error.to_string().contains("certificate"), "{error}");
    drop(stream);
    wait_for(&exchange, |stats| stats.handshakes_failed == 1);
}

#[test]
fn what_cannot_start_says_why() {
    let running = start(config());
    let listen = running.local_addr();
    let refused = |config| Exchange::start(config).err().expect("refused");
    let error = refused(ExchangeConfig { listen, ..config() });
    assert!(matches!(error, ExchangeError::Listen { address, .. } if address == listen), "{error}");
    assert!(error.to_string().starts_with(&format!("cannot listen on {listen}: ")), "{error}");

    let error = refused(with_faults(&["gap@1", "expired-cert/1"]));
    assert_eq!(error.to_string(), "fault 'expired-cert/1' needs TLS: start the exchange with it");
    let error = running.inject("wrong-host-cert@1".parse().expect("a fault")).expect_err("refused");
    assert!(matches!(error, ExchangeError::FaultNeedsTls { .. }));

    let tls = Some(TlsFiles { ca_out: Some("/proc/nowhere/ca.pem".into()) });
    let error = refused(ExchangeConfig { tls, ..config() });
    assert!(error.to_string().starts_with("cannot write /proc/nowhere/ca.pem: "), "{error}");
    let error = refused(ExchangeConfig { send_log: Some("/no/such/folder/sent".into()), ..config() });
    assert!(error.to_string().starts_with("cannot write /no/such/folder/sent: "), "{error}");
}
