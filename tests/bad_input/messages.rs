//! Messages that cannot be trusted. Each makes the book invalid until the next snapshot, is counted, and is told of.

use super::common::{fail, papertrader};
use super::market::{Capture, Level, PRODUCT, QUIET, Setup, imbalance_model, message};

/// Two live frames, a bad message, a frame that must be passed over, and a snapshot with which trading goes on.
fn around(bad: impl FnOnce(Capture) -> Capture) -> Capture {
    bad(Capture::default().snapshot().quiet(1)).quiet(1).snapshot().quiet(2)
}

/// Frames of the venue that leave a live book around a bad message that has a number.
const LIVE: [u64; 5] = [0, 1, 4, 5, 6];
/// The bad message is no frame of the book. What was bought before it falls due while the book is invalid and is sold in
/// frame 4: the first that finds a live book, that of the snapshot.
const TRADES: [(u64, u64); 3] = [(0, 3), (1, 3), (3, 5)];

fn bad_level(level: Level) -> Capture {
    around(|capture| capture.update(&[QUIET[0], level]))
}

fn assert_invalid(capture: &Capture, arguments: &[&str], fault: &str, detail: &str) {
    for threads in [&[][..], &["--fused"]] {
        let arguments = [arguments, threads].concat();
        let replayed = capture.replay_with(&arguments).well().says(&format!("{fault}: {detail}"));
        assert_eq!((replayed.count("faults"), replayed.count(fault)), (1, 1), "{}", replayed.report);
        assert_eq!(replayed.evaluated, LIVE, "{fault}");
        assert_eq!(replayed.trades, TRADES, "{fault}");
        assert_eq!((replayed.count("updates passed over"), replayed.count("snapshots")), (1, 2));
        assert_eq!((replayed.count("invalid"), replayed.count("frames leaving it live")), (1, 5));
    }
}

#[test]
fn impossible_levels() {
    let number = "impossible price or quantity";
    let large = "number too large";
    let digits = "1234567890".repeat(4);
    let digits_fraction = format!("0.{digits}");
    let nines = "99999999999999999999";
    let long = "x".repeat(1_000);
    let quoted = format!("sequence_num 2, level 1: new_quantity '{}…' is not a decimal number", "x".repeat(48));
    for (level, fault, detail) in [
        (("buy", "99.8", "1"), "unknown side", "level 1: side 'buy' is neither bid nor offer"),
        (("", "99.8", "1"), "unknown side", "level 1: side '' is neither bid nor offer"),
        (("bid", "-99.8", "1"), number, "level 1: price_level '-99.8' is negative"),
        (("bid", "99.8", "-1"), number, "level 1: new_quantity '-1' is negative"),
        (("bid", "", "1"), number, "level 1: price_level '' is empty"),
        (("bid", "99.8", ""), number, "level 1: new_quantity '' is empty"),
        (("bid", "1e400", "1"), number, "level 1: price_level '1e400' is not a decimal number"),
        (("bid", "99.8", "1e400"), number, "level 1: new_quantity '1e400' is not a decimal number"),
        (("bid", "NaN", "1"), number, "level 1: price_level 'NaN' is not a decimal number"),
        (("bid", "99.8", "inf"), number, "level 1: new_quantity 'inf' is not a decimal number"),
        (("bid", "99,8", "1"), number, "level 1: price_level '99,8' is not a decimal number"),
        (("bid", "99.8.1", "1"), number, "level 1: price_level '99.8.1' is not a decimal number"),
        (("bid", " 99.8", "1"), number, "level 1: price_level ' 99.8' is not a decimal number"),
        (("bid", "٣", "1"), number, "level 1: price_level '٣' is not a decimal number"),
        (("bid", "0", "1"), number, "level 1: price_level is zero"),
        (("bid", "0.00", "0"), number, "level 1: price_level is zero"),
        (("bid", &digits, "1"), large, &format!("level 1: price_level '{digits}' is too large")),
        (("bid", "99.8", &digits), large, &format!("level 1: new_quantity '{digits}' is too large")),
        (("bid", nines, "1"), large, &format!("level 1: price_level '{nines}' is too large")),
        (("bid", &digits_fraction, "1"), large, &format!("level 1: price_level '{digits_fraction}' needs 39 decimals")),
        (("bid", "99.8", &long), number, &quoted["sequence_num 2, ".len()..]),
        (("bid", "\\u001b[2J", "1"), number, "level 1: price_level '\\u{1b}[2J' is not a decimal number"),
    ] {
        assert_invalid(&bad_level(level), &[], fault, &format!("sequence_num 2, {detail}"));
    }
}

#[test]
fn levels_of_another_shape() {
    for (level, detail) in [
        (
            r#"{"side":"bid","price_level":"99.8"}"#,
            "sequence_num 2, level 0: it is no object of side, price and quantity",
        ),
        (
            r#"{"side":"bid","new_quantity":"1"}"#,
            "sequence_num 2, level 0: it is no object of side, price and quantity",
        ),
        (
            r#"{"price_level":"99.8","new_quantity":"1"}"#,
            "sequence_num 2, level 0: it is no object of side, price and quantity",
        ),
        (
            r#"{"side":"bid","price_level":99.8,"new_quantity":"1"}"#,
            "sequence_num 2, level 0: it is no object of side, price and quantity",
        ),
    ] {
        let with = message(PRODUCT, "update", 2, &[]).replace("[]", &format!("[{level}]"));
        let capture = around(|capture| capture.raw(&with).numbered(3));
        assert_invalid(&capture, &[], "malformed message", detail);
    }
}

#[test]
fn numbers_off_the_given_grid() {
    let fault = "off the given tick or lot grid";
    assert_invalid(
        &bad_level(("bid", "99.85", "1")),
        &["--tick-size", "0.1"],
        fault,
        "sequence_num 2: a price needs 2 decimals, off the given tick size 0.1",
    );
    assert_invalid(
        &bad_level(("bid", "99.8", "1.5")),
        &["--lot-size", "1"],
        fault,
        "sequence_num 2: a quantity needs 1 decimals, off the given lot size 1",
    );
    // A scale that was inferred is refined instead, and nothing is lost.
    let refined = bad_level(("bid", "99.85", "1.5")).replay().well();
    assert_eq!((refined.count("faults"), refined.count("scale refinements")), (0, 1));
    assert_eq!(refined.evaluated, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(refined.trades, [(0, 2), (1, 3), (2, 4), (3, 5), (4, 6)]);
    // A snapshot off the grid leaves no book at all.
    let never = Capture::default().snapshot().quiet(3).replay_with(&["--tick-size", "1"]);
    let says = format!("error: the book of BTC-USD never was live: 4 messages, {fault} 4 times; nothing was written");
    assert_eq!((never.code, never.stderr), (1, says));
    assert_eq!((never.report.as_str(), never.evaluated.len(), never.trades.len()), ("", 0, 0));
    // Nor does a profile of it have a result, or leave a file.
    let setup = Setup::new(Capture::default().snapshot().quiet(3).text().as_bytes());
    let mut profile = papertrader();
    profile.arg("profile").arg(setup.capture()).args([
        "--rates",
        "1k",
        "--seconds",
        "0.1",
        "--tick-size",
        "1",
        "--model",
    ]);
    let (code, said) = fail(profile.arg(imbalance_model()).arg("--out").arg(setup.out()));
    assert!(code == 1 && said.starts_with("error: the book of BTC-USD never was live: "), "{code} {said}");
    assert_eq!(setup.out().read_dir().unwrap().count(), 0);
}

#[test]
fn what_is_no_json_loses_its_number_too() {
    for bad in ["{\"channel\":\"l2_data\",", "nonsense", "[]", "{\"channel\":\"l2_data\"}}"] {
        let capture = around(|capture| capture.raw(bad).numbered(3));
        let replayed = capture.replay().well();
        assert_eq!(replayed.count("malformed message"), 1, "{bad}\n{}", replayed.report);
        // The number of the message after it is then not the one due.
        assert_eq!((replayed.count("sequence gap"), replayed.count("faults")), (1, 2));
        assert_eq!((replayed.evaluated, replayed.trades), (LIVE.to_vec(), TRADES.to_vec()), "{bad}");
        assert!(replayed.report.contains("malformed message: message 3 is not a JSON object, from byte "), "{bad}");
    }
    let mut bytes = Capture::default().snapshot().quiet(1).text().as_bytes().to_vec();
    bytes.extend_from_slice(b"1723161600020000000 {\"channel\":\"\xff\"}\n");
    let rest = Capture::default().numbered(3).quiet(1).snapshot().quiet(2);
    bytes.extend_from_slice(rest.text().as_bytes());
    let replayed = super::market::Setup::new(&bytes).replay(&[]).well();
    let replayed = replayed.says("malformed message: message 3 is not UTF-8");
    assert_eq!((replayed.evaluated, replayed.trades), (LIVE.to_vec(), TRADES.to_vec()));
}

#[test]
fn messages_without_what_they_need() {
    let whole = message(PRODUCT, "update", 2, &QUIET);
    for (from, to, detail) in [
        ("\"sequence_num\":2,", "", "message 3 of l2_data has no sequence_num"),
        ("\"sequence_num\":2,", "\"sequence_num\":\"2\",", "message 3 of l2_data has no sequence_num"),
        ("\"sequence_num\":2,", "\"sequence_num\":-2,", "message 3 of l2_data has no sequence_num"),
        ("\"product_id\":\"BTC-USD\",", "", "sequence_num 2, level 0: it has no product_id"),
        ("\"type\":\"update\",", "", "sequence_num 2, level 0: it has no type"),
        ("\"updates\"", "\"changes\"", "sequence_num 2, level 0: it has no updates"),
    ] {
        let bad = whole.replace(from, to);
        assert_ne!(bad, whole);
        let numbered = bad.contains("\"sequence_num\":2,");
        let replayed = around(|capture| capture.raw(&bad).numbered(3)).replay().well();
        let replayed = replayed.says(&format!("malformed message: {detail}"));
        assert_eq!(replayed.count("sequence gap"), u64::from(!numbered), "{detail}");
        assert_eq!((replayed.evaluated, replayed.trades), (LIVE.to_vec(), TRADES.to_vec()), "{detail}");
    }
}

#[test]
fn an_error_message_of_the_venue() {
    let capture = around(|capture| capture.raw(r#"{"type":"error","message":"too many\nL2 streams"}"#).numbered(2));
    let replayed = capture.replay().well();
    let replayed = replayed.says("error message from the venue: a message: the venue says 'too many\\nL2 streams'");
    assert_eq!(replayed.count("faults"), 1);
    // It has no number, so that none is missing.
    assert_eq!((replayed.evaluated, replayed.trades), (vec![0, 1, 3, 4, 5], TRADES.to_vec()));
}

#[test]
fn a_gap_and_a_repeat_of_the_sequence() {
    let live = |capture: Capture| capture.snapshot().quiet(1);
    for (next, fault, detail, after) in [
        (3, "sequence gap", "sequence_num 3 where 2 was due", 5),
        (1, "sequence repeat", "sequence_num 1 where 2 was due", 3),
        (0, "sequence repeat", "sequence_num 0 where 2 was due", 2),
    ] {
        let capture = live(Capture::default()).numbered(next).quiet(2).snapshot().quiet(2);
        let replayed = capture.replay().well().says(&format!("{fault}: {detail}"));
        assert_eq!((replayed.count("faults"), replayed.count(fault)), (1, 1));
        assert_eq!(replayed.evaluated, [0, 1, after, after + 1, after + 2]);
        // Both frames after the gap are frames of the book, passed over.
        assert_eq!(replayed.trades, [(0, 4), (1, 4), (4, 6)]);
        assert_eq!(replayed.count("updates passed over"), 2);
    }
    // A snapshot mends the gap before it, and is not sold into before it is there.
    let capture = live(Capture::default()).numbered(7).snapshot().quiet(2);
    let replayed = capture.replay().well().says("sequence gap: sequence_num 7 where 2 was due");
    assert_eq!(replayed.evaluated, [0, 1, 7, 8, 9]);
    assert_eq!(replayed.trades, [(0, 2), (1, 3), (2, 4)]);
}

#[test]
fn numbers_that_other_channels_use_are_no_gap() {
    let heartbeat = |number| format!(r#"{{"channel":"heartbeats","sequence_num":{number},"events":[]}}"#);
    let capture = Capture::default().raw(r#"{"channel":"subscriptions","sequence_num":0,"events":[]}"#).numbered(1);
    let capture = capture.snapshot().quiet(1).raw(&heartbeat(3)).numbered(4).quiet(1).raw(&heartbeat(6)).numbered(7);
    let replayed = capture.quiet(1).replay().well();
    assert_eq!((replayed.count("heartbeats"), replayed.count("acknowledgements")), (2, 1));
    assert_eq!(replayed.count("sequence gap"), 1);
    assert_eq!(replayed.evaluated, [1, 2, 4]);
    // Holding times count frames of the book.
    assert_eq!(replayed.trades, [(0, 2)]);
}

#[test]
fn updates_before_any_snapshot() {
    let replayed = Capture::default().quiet(2).snapshot().quiet(2).replay().well();
    let replayed = replayed.says("update before a snapshot: sequence_num 0: levels came before a snapshot");
    assert_eq!((replayed.count("faults"), replayed.count("updates passed over")), (1, 2));
    assert_eq!(replayed.evaluated, [2, 3, 4]);
    assert_eq!(replayed.trades, [(0, 2)]);
    let never = Capture::default().quiet(5).replay();
    let why = "5 messages, update before a snapshot 1 time; nothing was written";
    assert_eq!((never.code, never.stderr), (1, format!("error: the book of BTC-USD never was live: {why}")));
    assert_eq!((never.report.as_str(), never.evaluated.len(), never.trades.len()), ("", 0, 0));
}

#[test]
fn what_was_open_is_sold_into_the_snapshots_book() {
    let capture = Capture::default().snapshot().quiet(1).raw("cut").numbered(3).quiet(3);
    let capture = capture.frame(PRODUCT, "snapshot", &[("bid", "50.0", "10"), ("offer", "50.1", "1")]).quiet(1);
    let replayed = capture.replay().well();
    assert_eq!(replayed.trades, [(0, 5), (1, 5)]);
    for received in replayed.received {
        // 5 bought at 100.1 and sold at 50.
        assert!((received - 5.0 / 100.1 * 50.0).abs() < 1e-12, "{received}");
    }
}

#[test]
fn what_is_open_when_the_book_is_lost_for_good_is_no_profit() {
    let replayed = Capture::default().snapshot().quiet(1).raw("cut").numbered(3).quiet(5).replay().well();
    let replayed = replayed.says("open positions           2, cost 10.000000, no live book to mark them");
    assert_eq!((replayed.count("closed trades"), replayed.trades.len()), (0, 0));
}

#[test]
fn control_lines_of_the_recorder() {
    let lost = |capture: Capture| {
        capture.raw(r#"{"papertrader":"disconnected","connection":1,"cause":"reset\nby peer"}"#).quiet(1)
    };
    let connected = |capture: Capture, number: u64| {
        capture.raw(&format!(r#"{{"papertrader":"connected","connection":{number}}}"#)).numbered(0)
    };
    let capture = connected(Capture::default(), 1).snapshot().quiet(1);
    let capture = connected(lost(capture), 2).snapshot().quiet(2);
    let replayed = capture.replay().well();
    let replayed = replayed.says("connection lost: reset\\nby peer");
    assert_eq!((replayed.count("connection lost"), replayed.count("faults")), (1, 1));
    assert_eq!(replayed.count("connections"), 2);
    assert_eq!(replayed.evaluated, [0, 1, 0, 1, 2]);
    assert_eq!(replayed.trades, [(0, 3), (1, 3), (3, 5)]);

    // A new connection waits for its own snapshot, and its first number is 0.
    let capture = connected(Capture::default().snapshot().quiet(1), 2);
    let replayed = capture.clone().quiet(1).snapshot().quiet(1).replay().well();
    assert_eq!(replayed.count("update before a snapshot"), 1);
    assert_eq!((replayed.evaluated, replayed.trades), (vec![0, 1, 1, 2], vec![(0, 3), (1, 3)]));
    let replayed = capture.numbered(1).snapshot().replay().well();
    assert_eq!(replayed.count("sequence gap"), 1);

    let gap = around(|capture| capture.raw(r#"{"papertrader":"gap","frames":3}"#).numbered(2));
    let replayed = gap.replay().well().says("gap in the recording: 3 frames were not recorded");
    assert_eq!((replayed.evaluated, replayed.trades), (vec![0, 1, 3, 4, 5], TRADES.to_vec()));
}

#[test]
fn the_first_faults_are_told_and_all_are_counted() {
    let capture = (0..100).fold(Capture::default().snapshot(), |capture, _| capture.raw("cut"));
    let replayed = capture.replay().well().says("and more");
    assert_eq!(replayed.count("malformed message"), 100);
    assert_eq!(replayed.report.matches("malformed message: ").count(), 10);
}
