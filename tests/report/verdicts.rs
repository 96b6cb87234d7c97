//! What a run's report says of trades that no market would have made, and of the fee that would leave nothing.

use crate::common::succeed;
use crate::support::{HEADER, Runs, at, between};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// Buys in every frame, whatever it shows.
const ALWAYS: &str = r#"{"features": ["spread_ticks"], "intercept": 30.0, "coefficients": [0.0]}"#;

/// A market of one's own making: each frame with its kind, the second when it is received, and its (price, size) on both
/// sides.
struct Market {
    text: String,
    frames: u64,
}

impl Market {
    fn new() -> Self {
        Self { text: String::new(), frames: 0 }
    }

    fn frame(&mut self, kind: &str, second: u64, bids: &[(&str, &str)], offers: &[(&str, &str)]) {
        let side = |name: &str, levels: &[(&str, &str)]| -> Vec<String> {
            let time = "2026-01-01T00:00:00Z";
            let level = |(price, size): &(&str, &str)| {
                format!(r#"{{"side":"{name}","event_time":"{time}","price_level":"{price}","new_quantity":"{size}"}}"#)
            };
            levels.iter().map(level).collect()
        };
        let updates = [side("bid", bids), side("offer", offers)].concat().join(",");
        writeln!(
            self.text,
            r#"{}000000000 {{"channel":"l2_data","client_id":"","timestamp":"2026-01-01T00:00:00Z","sequence_num":{},"events":[{{"type":"{kind}","product_id":"BTC-USD","updates":[{updates}]}}]}}"#,
            1_767_225_600 + second,
            self.frames
        )
        .unwrap();
        self.frames += 1;
    }

    /// Replays it with a model that always buys, and gives what the terminal shows.
    fn replay(&self, runs: &Runs, more: &[&str]) -> String {
        let model = runs.path("always.json");
        fs::write(&model, ALWAYS).unwrap();
        runs.replay_with(&self.capture(runs), &model, "run", more)
    }

    fn capture(&self, runs: &Runs) -> PathBuf {
        let path = runs.path("made.l2");
        fs::write(&path, &self.text).unwrap();
        path
    }
}

#[test]
fn a_trade_held_across_a_snapshot_is_counted_apart() {
    let runs = Runs::new();
    let mut market = Market::new();
    let (bids, offers) = ([("100", "50"), ("99", "50")], [("101", "50"), ("102", "50")]);
    market.frame("snapshot", 0, &bids, &offers);
    for second in 1..4 {
        market.frame("update", second, &[("99", "51")], &[]);
    }
    // A number is missing: the book is invalid until the next snapshot, an hour later. No frame was late by number.
    market.frames += 1;
    market.frame("update", 4, &[("99", "52")], &[]);
    market.frame("snapshot", 3_600, &[("90", "50"), ("89", "50")], &[("91", "50"), ("92", "50")]);
    for second in 3_601..3_606 {
        market.frame("update", second, &[("89", "51")], &[]);
    }
    let shown = market.replay(&runs, &["--lag", "3"]);
    let (json, csv, page) = (runs.json("run.json"), runs.text("run.csv"), runs.text("run.html"));
    let rows: Vec<Vec<f64>> =
        csv.lines().skip(1).map(|row| row.split(',').map(|cell| cell.parse().unwrap_or(0.0)).collect()).collect();
    // Bought in frames 0 to 3, of which the first was sold in time; then every frame from the snapshot on.
    let gaps: Vec<bool> = rows.iter().map(|row| row[14] + row[15] > 0.0).collect();
    assert_eq!(gaps, [false, true, true, true, false, false, false], "{csv}");
    let sum = |wanted: bool| -> f64 {
        rows.iter().zip(&gaps).filter(|&(_, &gap)| gap == wanted).map(|(row, _)| row[5]).sum()
    };
    let told = &json["trades"]["held_across_gaps"];
    assert_eq!(told["trades"], 3);
    assert!((told["gross_profit"].as_f64().unwrap() - sum(true)).abs() < 1e-12);
    assert!((told["others_gross_profit"].as_f64().unwrap() - sum(false)).abs() < 1e-12);
    assert!(shown.contains("\n  3 trades were held across a gap: a snapshot came between buy and sale, "), "{shown}");
    let verdict = between(&page, "<section id=\"verdict\"", "</section>");
    assert!(verdict.contains("data-key=\"trades.held_across_gaps.trades\" data-value=\"3\">3</span> trades were held"));
    assert!(verdict.contains("data-key=\"trades.held_across_gaps.others_gross_profit\""));
}

#[test]
fn liquidity_that_is_counted_again_is_counted() {
    let runs = Runs::new();
    let mut market = Market::new();
    let (bids, offers) = ([("100", "0.06"), ("50", "5")], [("100.01", "5"), ("101", "5")]);
    market.frame("snapshot", 0, &bids, &offers);
    for second in 1..3 {
        market.frame("update", second, &[], &[("101", &format!("{}", 5 + second))]);
    }
    // What was bought in frames 0 to 2 falls due while the book is dead, and is sold at once.
    market.frames += 1;
    for second in 3..6 {
        market.frame("update", second, &[], &[("101", "9")]);
    }
    market.frame("snapshot", 7, &bids, &offers);
    let shown = market.replay(&runs, &["--lag", "3", "--lot-size", "0.01"]);
    let json = runs.json("run.json");
    // 0.04999 each of a bid of 0.06: there is enough for the first.
    assert_eq!([&json["trades"]["trades"], &json["trades"]["took_again"]], [3, 2]);
    assert!(shown.contains("\n  The same liquidity was counted again 2 times: "), "{shown}");
    assert!(runs.text("run.html").contains("data-key=\"trades.took_again\" data-value=\"2\">2</span> times: "));
    // Five cents each: there is enough for all.
    let shown = market.replay(&runs, &["--lag", "3", "--lot-size", "0.01", "--buy-amount", "1.9"]);
    assert_eq!(runs.json("run.json")["trades"]["took_again"], 0);
    assert!(!shown.contains("The same liquidity"), "{shown}");
}

#[test]
fn less_than_a_lot_is_warned_of() {
    let runs = Runs::new();
    let mut market = Market::new();
    market.frame("snapshot", 0, &[("100", "6"), ("99", "5")], &[("101", "5"), ("102", "5")]);
    for second in 1..6 {
        market.frame("update", second, &[("99", &format!("{}", 5 + second))], &[]);
    }
    let shown = market.replay(&runs, &["--lag", "2", "--buy-amount", "5"]);
    assert!(
        shown.contains(", lot 1\n") && shown.contains("\n  Warning: 4 trades bought less than one lot, "),
        "{shown}"
    );
    assert!(
        runs.text("run.html").contains("Warning: <span data-key=\"trades.below_lot\" data-value=\"4\">4</span> trades")
    );
    let shown = market.replay(&runs, &["--lag", "2", "--buy-amount", "101"]);
    assert!(!shown.contains("Warning"), "{shown}");
    assert_eq!(runs.json("run.json")["trades"]["below_lot"], 0);
}

#[test]
fn amounts_have_the_digits_that_they_need() {
    let runs = Runs::new();
    let mut market = Market::new();
    let offers = [("0.0000001232", "100000"), ("0.0000001233", "100000")];
    market.frame("snapshot", 0, &[("0.0000001231", "100000"), ("0.0000001230", "100000")], &offers);
    for second in 1..9 {
        market.frame("update", second, &[("0.0000001230", &format!("{}", 100_000 + second))], &[]);
    }
    let shown = market.replay(&runs, &["--lag", "3", "--buy-amount", "0.0001"]);
    // Each of six trades loses a tick of 1,232: 8.117e-8.
    assert!(shown.contains("\n  gross profit             −0.000000487 on 0.000600 bought (−8.117 bp)\n"), "{shown}");
    assert!(shown.contains("\n  net profit               −0.000000487 after 0 bp per side\n"), "{shown}");
    assert!(shown.contains("cost 0.000300, mark 0.0002998 (not in the profit)"), "{shown}");
    assert!(shown.contains("  −0.000000487 to −0.00000008117 quote, gross\n"), "{shown}");
    let page = runs.text("run.html");
    assert!(page.contains(">−0.000000487</span>"));
    for text in [&shown, &page] {
        let zeros = text.match_indices("−0.000000").filter(|(at, _)| {
            text[at + "−0.000000".len()..].bytes().take_while(u8::is_ascii_digit).all(|digit| digit == b'0')
        });
        assert_eq!(zeros.count(), 0, "a zero with a sign");
    }
}

#[test]
fn a_profit_of_nothing_is_neither_won_nor_lost() {
    let runs = Runs::new();
    let mut market = Market::new();
    // The bid rises to where the ask was: bought and sold at 61,804.7, which rounding does not give back.
    market.frame("snapshot", 0, &[("61804.6", "6"), ("61804.5", "5")], &[("61804.7", "5"), ("61805", "5")]);
    market.frame("update", 1, &[("61804.7", "3")], &[("61804.7", "0")]);
    for second in 2..4 {
        market.frame("update", second, &[("61804.5", &format!("{second}"))], &[]);
    }
    let shown = market.replay(&runs, &["--lag", "2", "--lot-size", "0.00000001"]);
    let json = runs.json("run.json");
    let count = |name: &str| at(&json, &format!("trades.{name}")).as_u64().unwrap();
    // The first is even, the second pays the spread.
    assert_eq!((count("trades"), count("winners"), count("losers")), (2, 0, 1));
    assert!(shown.contains("\n  winners                  0 (0.0 %), 1 loser\n"), "{shown}");

    let rows: String = (0..40).map(|n| format!("{n},{},5,5,0.1,0\n", n + 20)).collect();
    fs::write(runs.path("even.csv"), format!("{HEADER}\n{rows}")).unwrap();
    let shown = runs.report("even.csv");
    assert!(shown.contains("  Break-even fee: 0.000 bp per side: nothing was won or lost before fees.\n"), "{shown}");
    assert!(!shown.contains("lost before any fee"), "{shown}");
}

/// A trade a second, each with the same profit on 100.
fn steady(profit: f64) -> String {
    let header = format!("{HEADER},buy_ts_recv_ns,sell_ts_recv_ns\n");
    (0..600).fold(header, |mut text, n| {
        let (sold, from, to) = (100.0 + profit, n * 1_000_000_000_i64, n * 1_000_000_000_i64 + 100_000_000);
        writeln!(text, "{n},{},100,{sold},1,{profit},{from},{to}", n + 20).unwrap();
        text
    })
}

#[test]
fn no_page_is_green_where_the_lowest_published_fee_eats_the_gain() {
    let runs = Runs::new();
    for (profit, finding, start) in [
        (0.006, "gain_before_fees_only", "A loss after fees: "),
        (0.05, "gain", "A gain after fees: "),
        (-0.01, "loss", "A loss: "),
    ] {
        fs::write(runs.path("r.csv"), steady(profit)).unwrap();
        let shown = succeed(crate::common::papertrader().arg("report").arg(runs.path("r.csv")).arg("--force"));
        let page = runs.text("r.html");
        let verdict = between(&page, "<section id=\"verdict\"", "</section>");
        assert!(verdict.contains(&format!("data-finding=\"{finding}\"")), "{verdict}");
        // The break-even fee leads, on the page and on the terminal.
        let [first, second] =
            shown.lines().skip_while(|line| !line.starts_with("  Break-even fee: ")).take(2).collect::<Vec<_>>()[..]
        else {
            panic!("{shown}")
        };
        assert!(second.starts_with(&format!("  {start}")), "{shown}");
        assert!(verdict.contains(&format!("<p class=\"finding\">{}</p>", first.trim())), "{verdict}");
        let tile = between(verdict, "<dl class=\"tiles\">", "</dt>");
        assert!(tile.contains("break-even fee"), "{tile}");
    }
    // Its own colour.
    let page = runs.text("r.html");
    assert!(page.contains("#verdict[data-finding=\"gain\"] { border-left-color: var(--up); }"));
    assert!(page.contains("#verdict[data-finding=\"gain_in_doubt\"], #verdict[data-finding=\"gain_before_fees_only\"] { border-left-color: var(--warn); }"));
}

#[test]
fn a_replay_at_full_speed_shows_work_and_no_queue() {
    let runs = Runs::new();
    let capture = runs.capture(1_500);
    let shown = runs.replay(&capture, "run", &[]);
    let (json, page) = (runs.json("run.json"), runs.text("run.html"));
    assert_eq!(json["timing"]["paced"], false);
    assert!(!shown.contains("received → decided") && !shown.contains("published → taken"), "{shown}");
    assert!(shown.contains("\nwork, ns; ") && shown.contains("\n  work, added up "), "{shown}");
    assert!(shown.contains("\n  work per frame           "), "{shown}");
    // All stages stay for machines, and the work is the sum of those without a wait.
    let stages = json["timing"]["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 9);
    let sum = |field: &str| -> u64 {
        let work = stages.iter().filter(|stage| {
            ["decode", "parse", "book", "features", "decide"].contains(&stage["stage"].as_str().unwrap())
        });
        work.map(|stage| stage[field].as_u64().unwrap()).sum()
    };
    for field in ["p50_ns", "p99_ns"] {
        assert_eq!(json["timing"]["work"][field], sum(field));
    }
    assert!(
        page.contains("data-key=\"timing.work.p50_ns\"") && !page.contains("data-key=\"timing.stages.total.p50_ns\"")
    );
    assert!(page.contains("<strong>Latency over time, received → decided.</strong> Nothing paced this run"));

    for (way, paced) in [(&["--speed", "1000x"][..], true), (&["--fused"], false)] {
        let shown = runs.replay(&capture, "run", way);
        assert_eq!(runs.json("run.json")["timing"]["paced"], paced);
        assert!(shown.contains("\n  received → decided ") && !shown.contains("work per frame"), "{shown}");
        assert!(runs.text("run.html").contains("data-key=\"timing.stages.total.p50_ns\""), "{way:?}");
    }
}

#[test]
fn the_page_says_when_exactly_a_position_is_sold() {
    let runs = Runs::new();
    let capture = runs.capture(300);
    for (lag, rule) in [
        (
            "20",
            "when book update 20 after the buy arrives, into the book before that update, which is the book after update 19;",
        ),
        (
            "1",
            "when the next book update after the buy arrives, into the book before that update, which is the book that it was bought from;",
        ),
    ] {
        runs.replay(&capture, "run", &["--lag", lag, "--override-model"]);
        let page = runs.text("run.html");
        assert!(between(&page, "<table id=\"table-settings\">", "</table>").contains(rule), "{lag}");
    }
}
