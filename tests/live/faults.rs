//! Every fault of the exchange: a session survives it or refuses, says so, and ends with the exchange's book.

use crate::support::*;
use papertrader::engine::EngineReport;
use papertrader::exchange::faults::FaultKind;
use papertrader::exchange::{ExchangeConfig, Pace, RunningExchange, SourceConfig};
use papertrader::feed::intake::ScaleRule;
use papertrader::feed::live::{LiveOutcome, LiveSettings};
use papertrader::feed::vitals::Patience;
use papertrader::handoff::Wait;
use papertrader::market::event::Fault;
use std::time::Duration;

/// Runs a session through a fault that strikes once. With `reconnects` it must end its connection and make another. The
/// book must be the exchange's after it.
fn lived_through(
    exchange: &RunningExchange,
    kind: FaultKind,
    settings: LiveSettings,
    reconnects: bool,
) -> (LiveOutcome, EngineReport, Vec<String>) {
    let session = Session::start(settings);
    wait_until("the fault strikes", || fired(exchange, kind) > 0);
    let connections = if reconnects { 2 } else { 1 };
    wait_until("the session is connected", || session.connections() >= connections);
    session.go_on(200);
    session.assert_book(exchange);
    let notices = session.notices.try_iter().collect();
    let (outcome, engine) = session.stop();
    assert_eq!(outcome.connections, connections);
    assert!(outcome.gave_up.is_none());
    assert!(engine.trader().totals.trades > 0, "it trades");
    (outcome, engine, notices)
}

/// A fault that costs the connection: counted once, said once, under that name.
fn costs_the_connection(spec: &str, kind: FaultKind, fault: Fault, words: &str) {
    costs_with(spec, kind, fault, words, |_| {});
}

fn costs_with(spec: &str, kind: FaultKind, fault: Fault, words: &str, change: impl FnOnce(&mut LiveSettings)) {
    let exchange = start(market(&[spec]));
    let mut settings = settings(&exchange);
    change(&mut settings);
    let (outcome, engine, notices) = lived_through(&exchange, kind, settings, true);
    assert_eq!(faults(&outcome), [(fault, 1)]);
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].starts_with(fault.name()) && notices[0].contains(words), "{notices:?}");
    assert!(notices[0].ends_with("; reconnecting"), "{notices:?}");
    assert_eq!(outcome.first().notes.len(), 1);
    assert!(outcome.first().notes[0].detail.contains(words), "{:?}", outcome.first().notes);
    assert_eq!(engine.counts.connections, 2);
}

/// A fault that a session takes in its stride.
fn costs_nothing(spec: &str, kind: FaultKind) -> (LiveOutcome, EngineReport) {
    let exchange = start(market(&[spec]));
    let (outcome, engine, notices) = lived_through(&exchange, kind, settings(&exchange), false);
    assert_eq!(faults(&outcome), []);
    assert_eq!(notices, [""; 0]);
    (outcome, engine)
}

#[test]
fn gap() {
    costs_the_connection("gap@100", FaultKind::Gap, Fault::SequenceGap, "was due");
}

#[test]
fn repeat() {
    costs_the_connection("repeat@100", FaultKind::Repeat, Fault::SequenceRepeat, "was due");
}

#[test]
fn disconnect() {
    let words = "the venue closed the connection with code 1001 (going away (injected))";
    costs_the_connection("disconnect@100", FaultKind::Disconnect, Fault::Disconnected, words);
}

#[test]
fn disconnect_fin() {
    costs_the_connection("disconnect-fin@100", FaultKind::DisconnectFin, Fault::Disconnected, "");
}

#[test]
fn disconnect_rst() {
    costs_the_connection("disconnect-rst@100", FaultKind::DisconnectRst, Fault::Disconnected, "");
}

#[test]
fn stall_is_seen_by_the_missing_heartbeat() {
    costs_with("stall@100", FaultKind::Stall, Fault::NoHeartbeat, "no heartbeat for 3s", |settings| {
        settings.patience.heartbeat = Duration::from_secs(3);
    });
}

#[test]
fn stall_is_seen_by_the_missing_bytes() {
    costs_with("stall@100", FaultKind::Stall, Fault::NoBytes, "no bytes for 3s", |settings| {
        settings.patience = Patience { bytes: Duration::from_secs(3), heartbeat: PATIENCE, ..settings.patience };
    });
}

#[test]
fn short_stall_is_no_fault() {
    costs_nothing("stall:300ms@100", FaultKind::Stall);
}

#[test]
fn silent_book() {
    costs_with("silent-book@100", FaultKind::SilentBook, Fault::StaleProduct, "no frame of the product", |settings| {
        settings.patience.stale_after = Duration::from_secs(2);
    });
}

#[test]
fn malformed() {
    costs_the_connection("malformed@100", FaultKind::Malformed, Fault::Malformed, "");
}

#[test]
fn invalid_utf8() {
    costs_the_connection("invalid-utf8@100", FaultKind::InvalidUtf8, Fault::Malformed, "UTF-8");
}

#[test]
fn unknown_channel() {
    let (outcome, _) = costs_nothing("unknown-channel@100x3", FaultKind::UnknownChannel);
    assert_eq!(outcome.first().counts.other_messages, 3);
}

#[test]
fn error() {
    let words = "the venue says 'internal error (injected)'";
    costs_the_connection("error@100", FaultKind::Error, Fault::VenueError, words);
}

#[test]
fn fragmented() {
    costs_nothing("fragmented@100", FaultKind::Fragmented);
}

#[test]
fn dribble() {
    costs_nothing("dribble:50@100", FaultKind::Dribble);
}

#[test]
fn oversized() {
    costs_the_connection("oversized@100", FaultKind::Oversized, Fault::Malformed, "67108864");
}

#[test]
fn oversized_in_fragments() {
    costs_the_connection("oversized-fragments@100", FaultKind::OversizedFragments, Fault::Malformed, "67108864");
}

#[test]
fn late_snapshot() {
    costs_nothing("late-snapshot:500ms@1", FaultKind::LateSnapshot);
}

#[test]
fn no_snapshot() {
    let spec = "late-snapshot:10m@1";
    costs_with(spec, FaultKind::LateSnapshot, Fault::NoSnapshot, "no snapshot 2s after subscribing", |settings| {
        settings.patience.snapshot = Duration::from_secs(2);
    });
}

#[test]
fn off_tick_refines_the_scale() {
    let (outcome, engine) = costs_nothing("off-tick@100", FaultKind::OffTick);
    assert_eq!((outcome.first().counts.refinements, engine.rescales), (1, 1));
}

#[test]
fn off_tick_is_a_fault_when_the_tick_was_given() {
    let words = "a price needs 3 decimals, off the given tick size 0.01";
    costs_with("off-tick@100", FaultKind::OffTick, Fault::OffGrid, words, |settings| {
        settings.rule = ScaleRule { price_decimals: Some(2), size_decimals: None };
    });
}

#[test]
fn crossed() {
    let (_, engine) = costs_nothing("crossed@100", FaultKind::Crossed);
    assert_eq!(engine.counts.crossed_or_locked, 1);
}

#[test]
fn lost_removal() {
    let spec = "lost-removal@100";
    costs_the_connection(spec, FaultKind::LostRemoval, Fault::StaysCrossed, "");
}

#[test]
fn empty_acknowledgements() {
    let (outcome, _) = costs_nothing("ack-empty@1x3", FaultKind::AckEmpty);
    assert_eq!(outcome.first().counts.subscriptions, 3);
}

#[test]
fn partial_acknowledgements() {
    let (outcome, _) = costs_nothing("ack-partial@1x3", FaultKind::AckPartial);
    assert_eq!(outcome.first().counts.subscriptions, 3);
}

#[test]
fn acknowledgements_of_null() {
    let (outcome, _) = costs_nothing("ack-null@1x3", FaultKind::AckNull);
    assert_eq!(outcome.first().counts.subscriptions, 3);
}

/// They come behind the book, and would not be missed.
#[test]
fn late_acknowledgements() {
    costs_nothing("ack-late:200ms@1x2", FaultKind::AckLate);
    let (outcome, _) = costs_nothing("ack-late:10m@1x2", FaultKind::AckLate);
    assert_eq!(outcome.first().counts.subscriptions, 0);
}

/// The venue removes what it never published; a level that came and went within a batch is such.
#[test]
fn removals_of_unknown_levels() {
    let exchange = start(ExchangeConfig { batch: Duration::from_millis(50), ..market(&[]) });
    let session = Session::with(&exchange);
    session.go_on(60);
    session.assert_book(&exchange);
    let (outcome, engine) = session.stop();
    assert_eq!((outcome.connections, faults(&outcome)), (1, vec![]));
    assert!(engine.trader().totals.trades > 0, "it trades");
}

#[test]
fn huge_number() {
    let words = "new_quantity '123456789012345678901234567890' is too large";
    costs_the_connection("huge-number@100", FaultKind::HugeNumber, Fault::NumberTooLarge, words);
}

#[test]
fn ping_flood() {
    costs_nothing("ping-flood@100", FaultKind::PingFlood);
}

/// A connection that cannot be made, and then one that can.
fn fails_at_first(config: ExchangeConfig, times: u64, words: &str, change: impl FnOnce(&mut LiveSettings)) {
    let kind = match config.faults[..] {
        [papertrader::exchange::faults::FaultSpec::Named { fault, .. }] => fault.kind,
        _ => panic!("one fault"),
    };
    let exchange = start(config);
    let mut settings = settings(&exchange);
    change(&mut settings);
    let (outcome, _, notices) = lived_through(&exchange, kind, settings, false);
    assert_eq!(outcome.failed_attempts, times);
    assert_eq!(faults(&outcome), []);
    // The same cause is said once, however often it comes.
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains(words) && notices[0].ends_with("; trying again"), "{notices:?}");
}

#[test]
fn handshake_503() {
    fails_at_first(market(&["handshake-503@1x3"]), 3, "503", |_| {});
}

#[test]
fn handshake_hang() {
    let exchange = start(market(&["handshake-hang@1"]));
    let mut settings = settings(&exchange);
    settings.connector = connector(&exchange, |config| config.handshake_timeout = Duration::from_secs(1));
    let (outcome, _, notices) = lived_through(&exchange, FaultKind::HandshakeHang, settings, false);
    assert_eq!(outcome.failed_attempts, 1);
    assert_eq!(notices, ["no answer within 1s (websocket upgrade); trying again"]);
}

#[test]
fn expired_cert() {
    fails_at_first(with_tls(market(&["expired-cert@1x2"])), 2, "expired", |_| {});
}

#[test]
fn wrong_host_cert() {
    fails_at_first(with_tls(market(&["wrong-host-cert@1x2"])), 2, "certificate", |_| {});
}

/// As long as the certificate is bad there is no connection, and the session ends.
#[test]
fn bad_certificates_are_never_accepted() {
    for spec in ["expired-cert/1", "wrong-host-cert/1"] {
        let exchange = start(with_tls(market(&[spec])));
        let (outcome, engine) = Session::with(&exchange).wait();
        let reason = outcome.gave_up.expect("it gives up");
        assert!(reason.contains("certificate") && reason.ends_with("; gave up after 5 attempts"), "{reason}");
        assert_eq!((outcome.connections, outcome.failed_attempts, engine.counts.frames), (0, 5, 0));
    }
}

/// Once it has been connected it goes on trying, unless it is told how often.
#[test]
fn retries_after_the_first_connection_have_the_given_limit() {
    for (max_retries, gives_up) in [(Some(3), true), (None, false)] {
        let exchange = start(market(&["disconnect@50", "handshake-503@2x7"]));
        let session = Session::start(LiveSettings { max_retries, ..settings(&exchange) });
        if gives_up {
            let (outcome, _) = session.wait();
            assert!(outcome.gave_up.expect("it gives up").ends_with("; gave up after 3 attempts"));
        } else {
            wait_until("it is connected again", || session.connections() == 2);
            session.assert_book(&exchange);
            let (outcome, _) = session.stop();
            assert_eq!((outcome.failed_attempts, outcome.gave_up), (7, None));
        }
    }
}

/// A position is held through the time without a book, and what fell due meanwhile is sold on the first live one.
#[test]
fn positions_live_through_a_reconnection() {
    let exchange = start(market(&["disconnect@200"]));
    let session = Session::with(&exchange);
    wait_until("it is connected again", || session.connections() == 2);
    session.go_on(300);
    let (_, engine) = session.stop();
    let counts = &engine.counts;
    // Every purchase was sold or is open; nothing was lost with the connection.
    assert_eq!(counts.connections, 2);
    assert!(engine.trader().totals.trades > 20);
    assert!(engine.trader().open_positions <= 6, "lag is 5 updates: {}", engine.trader().open_positions);
}

/// How long a session with random faults runs; longer on request: `PAPERTRADER_RANDOM_FAULTS_S=60`.
fn random_faults_time() -> Duration {
    let given = std::env::var("PAPERTRADER_RANDOM_FAULTS_S").ok();
    Duration::from_secs(given.map_or(6, |text| text.parse().expect("a number of seconds")))
}

#[test]
fn random_faults_end_with_the_exchanges_book() {
    std::thread::scope(|scope| {
        scope.spawn(|| random_faults(market, Wait::Block));
        scope.spawn(|| random_faults(|faults| with_tls(market(faults)), Wait::Yield));
    });
}

fn random_faults(market: impl Fn(&[&str]) -> ExchangeConfig, wait: Wait) {
    let source =
        SourceConfig::Synthetic { seed: 7, pace: Pace::Rate { frames_per_s: 1_000.0 }, snapshot_levels: 2_000 };
    let exchange = start(ExchangeConfig { source, ..market(&["random:11/60"]) });
    let session = Session::start(LiveSettings { wait, ..settings(&exchange) });
    std::thread::sleep(random_faults_time());
    session.assert_book(&exchange);
    session.go_on(500);
    session.assert_book(&exchange);
    let (outcome, engine) = session.stop();
    let struck = exchange.stop().expect("stops").faults;
    assert!(struck.values().sum::<u64>() > 50, "{struck:?}");
    // Every connection but the last ended with one fault, and failed attempts are the refused handshakes.
    assert_eq!(outcome.first().counts.faults.total(), outcome.connections - 1, "{:?}", outcome.first().counts.faults);
    assert_eq!(outcome.failed_attempts, struck.get(&FaultKind::Handshake503).copied().unwrap_or(0));
    assert_eq!(outcome.first().counts.frames, engine.counts.frames);
    assert!(engine.trader().totals.trades > 1_000, "{}", engine.trader().totals.trades);
}
