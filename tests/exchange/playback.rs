//! Captures as the source.

use crate::support::*;
use papertrader::base::clock::wall_ns;
use papertrader::exchange::{Exchange, ExchangeConfig, ExchangeError, Pace, SourceConfig};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

fn config(path: &Path, pace: Pace, looping: bool) -> ExchangeConfig {
    let source = SourceConfig::Capture { path: path.into(), pace, looping };
    ExchangeConfig { source, ..ExchangeConfig::default() }
}

/// A capture of so many frames, a snapshot and updates, a millisecond apart, with words of another channel in between.
fn capture(frames: u64) -> (tempfile::NamedTempFile, Vec<Value>) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let level = |side: &str, price: u64, size: u64| {
        let price = format!("{}.{}0", price / 10, price % 10);
        json!({"side": side, "event_time": "t", "price_level": price, "new_quantity": format!("{size}.500")})
    };
    let mut events = vec![json!([{
        "type": "snapshot", "product_id": "BTC-USD",
        "updates": [level("bid", 999, 1), level("offer", 1_001, 2)],
    }])];
    events.extend((1..frames).map(|n| {
        let (bid, ask) = (level("bid", 900 + n % 100, n), level("offer", 1_001 + n % 100, n));
        json!([{"type": "update", "product_id": "BTC-USD", "updates": [bid, ask]}])
    }));
    for (events, n) in events.iter().zip(0_u64..) {
        let ts_recv_ns = 1_700_000_000_000_000_000 + n * 1_000_000;
        let frame = json!({"channel": "l2_data", "timestamp": "t", "sequence_num": n, "events": events});
        writeln!(file, "{ts_recv_ns} {frame}\n{ts_recv_ns} {}", json!({"channel": "heartbeats"})).expect("written");
    }
    (file, events)
}

#[test]
fn single_client_gets_the_captures_frames() {
    let (file, events) = capture(500);
    for pace in [Pace::Max, Pace::Rate { frames_per_s: 2_000.0 }, Pace::Speed { factor: 5.0 }] {
        let exchange = start(ExchangeConfig { close_at_end: true, ..config(file.path(), pace, false) });
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(exchange.stats().expect("runs").market_frames, 0, "it waits for a subscriber");
        let before = Instant::now();
        let mut client = Client::subscribed(&exchange, "BTC-USD");
        let mut served = Vec::new();
        while served.len() < events.len() {
            let message = client.next();
            match message["channel"].as_str() {
                Some("l2_data") => served.push(message["events"].clone()),
                Some("subscriptions") => assert!((1..=3).contains(&served.len()), "the snapshot stands before it"),
                _ => panic!("{message}"),
            }
        }
        assert_eq!(served, events, "{pace:?}");
        let least_ms = match pace {
            Pace::Max => 0,
            Pace::Rate { .. } => 249,
            Pace::Speed { .. } => 99,
        };
        assert!(before.elapsed() >= Duration::from_millis(least_ms), "{pace:?}");
        assert_eq!(client.close_code(), 1000);
        let stats = exchange.stop().expect("stops");
        assert_eq!((stats.market_frames, stats.source_ended, stats.levels_refused), (500, true, 0));
    }
}

#[test]
fn latecomers_get_the_book_as_of_now() {
    let (file, _) = capture(300);
    let exchange = start(config(file.path(), Pace::Rate { frames_per_s: 1_000.0 }, true));
    let mut first = Client::subscribed(&exchange, "BTC-USD");
    first.next();
    while first.books["BTC-USD"].updates < 100 {
        first.next();
    }
    let mut second = Client::subscribed(&exchange, "BTC-USD");
    second.next();
    second.assert_book(&exchange, "BTC-USD");
    while second.books["BTC-USD"].snapshots < 3 {
        second.next();
    }
    second.assert_book(&exchange, "BTC-USD");
    first.assert_book(&exchange, "BTC-USD");
    assert!(first.books["BTC-USD"].snapshots >= 3, "each round begins with the capture's own");
}

#[test]
fn end_of_a_capture_leaves_the_heartbeats() {
    let (file, _) = capture(10);
    let exchange = start(config(file.path(), Pace::Max, false));
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    client.subscribe_heartbeats();
    client.next_of("heartbeats");
    assert_eq!(client.books["BTC-USD"].updates, 9);
    assert!(exchange.stats().expect("runs").source_ended);
    client.assert_book(&exchange, "BTC-USD");
}

#[test]
fn send_log_has_a_line_for_each_frame() {
    let (file, events) = capture(200);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sent");
    let exchange = start(ExchangeConfig {
        send_log: Some(path.clone()),
        spin: Duration::from_micros(100),
        ..config(file.path(), Pace::Rate { frames_per_s: 1_000.0 }, false)
    });
    let before_ns = wall_ns();
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    let mut numbers = Vec::new();
    while numbers.len() < events.len() {
        let message = client.next();
        if message["channel"] == "l2_data" {
            numbers.push(message["sequence_num"].as_u64().expect("a number"));
        }
    }
    let mut other = Client::subscribed(&exchange, "BTC-USD");
    other.next();
    drop(client);
    wait_for(&exchange, |stats| stats.clients == 1);
    let text = std::fs::read_to_string(&path).expect("written when its client left");
    let lines: Vec<(u64, i64)> = text
        .lines()
        .map(|line| line.split_once(' ').expect("two columns"))
        .map(|(number, wall_ns)| (number.parse().expect("a number"), wall_ns.parse().expect("a time")))
        .collect();
    assert_eq!(lines.iter().map(|line| line.0).collect::<Vec<_>>(), numbers);
    assert!(lines.windows(2).all(|pair| pair[0].1 <= pair[1].1));
    assert!(lines[0].1 >= before_ns && lines[199].1 <= wall_ns());
    assert!(lines[199].1 - before_ns >= 199_000_000, "the last is due 199 ms after the first");
}

#[test]
fn products_can_be_chosen() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    for product in ["A-USD", "B-USD", "A-USD"] {
        let updates = json!([{"side": "bid", "price_level": "1", "new_quantity": "1"}]);
        let events = json!([{"type": "snapshot", "product_id": product, "updates": updates}]);
        writeln!(file, "5 {}", json!({"channel": "l2_data", "timestamp": "t", "events": events})).expect("written");
    }
    let all = start(config(file.path(), Pace::Max, false));
    assert!(all.book("A-USD").expect("runs").is_some() && all.book("B-USD").expect("runs").is_some());
    let one = start(ExchangeConfig { products: vec!["B-USD".into()], ..config(file.path(), Pace::Max, false) });
    assert!(one.book("A-USD").expect("runs").is_none());
    let mut client = Client::subscribed(&one, "B-USD");
    client.next_of("subscriptions");
    assert_eq!(one.stats().expect("runs").market_frames, 1);
}

#[test]
fn bad_captures_are_refused_or_reported() {
    let missing = Exchange::start(config(Path::new("/no/such/capture"), Pace::Max, false)).err().expect("refused");
    assert!(matches!(missing, ExchangeError::Capture(_)), "{missing}");

    let (file, _) = capture(3);
    let mut text = std::fs::read_to_string(file.path()).expect("readable");
    text.push_str("this is no line\nneither is this\n");
    std::fs::write(file.path(), text).expect("written");
    // Products are looked for at the start; give one, so that the bad lines come up while playing.
    let products = vec!["BTC-USD".into()];
    let exchange = start(ExchangeConfig { products, ..config(file.path(), Pace::Max, true) });
    let mut client = Client::subscribed(&exchange, "BTC-USD");
    client.next_of("subscriptions");
    let stats = wait_for(&exchange, |stats| stats.source_ended);
    let reason = stats.source_error.expect("a reason");
    assert!(reason.contains("line 7"), "{reason}");
    client.assert_book(&exchange, "BTC-USD");
}

#[test]
fn real_captures_come_through_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/captures");
    let path = folder.join("btc-spot-a.l2.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        eprintln!("skipped: no {}", path.display());
        return;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("readable");
    let exchange = start(config(&path, Pace::Max, false));
    let mut client = Client::subscribed(&exchange, "BTC-USDT");
    for line in text.lines().take(1_000) {
        let (_, frame) = line.split_once(' ').expect("a frame");
        let recorded: Value = serde_json::from_str(frame).expect("JSON");
        assert_eq!(client.next_of("l2_data")["events"], recorded["events"]);
    }
    client.assert_book(&exchange, "BTC-USDT");
}
