//! The same bytes however it runs, and the original beside others as it is alone.

use crate::common::{papertrader, succeed};
use crate::support::{ALL, LOGS, Market, assert_whole, of};
use std::collections::{HashMap, HashSet};
use std::path::Path;

#[test]
fn the_same_bytes_however_it_runs() {
    let market = Market::new(3_000);
    let run = |way: &[&str]| {
        market.replay("run", &[&ALL[..], &["--short"], way].concat());
        (market.text("run.csv"), market.logs("run"), market.json("run")["executions"].clone())
    };
    let first = run(&[]);
    assert_whole(&market, "run");
    let [orders, fills, ..] = &first.1;
    assert!(orders.lines().count() > 1_000 && fills.lines().count() > 500, "too little to compare");
    for way in [&[][..], &["--fused"], &["--wait", "yield"], &["--speed", "20x"], &["--speed", "20x", "--fused"]] {
        let again = run(way);
        assert!(again.0 == first.0, "{way:?}: another trade log");
        for (log, (again, first)) in LOGS.iter().zip(again.1.iter().zip(&first.1)) {
            assert!(again == first, "{way:?}: other {log}");
        }
        assert_eq!(again.2, first.2, "{way:?}");
    }
}

#[test]
fn others_leave_the_original_as_it_is() {
    let market = Market::new(3_000);
    let run = |way: &[&str]| {
        let probabilities = market.path("probabilities.txt");
        market.replay("run", &[way, &["--no-report", "--probabilities", probabilities.to_str().unwrap()]].concat());
        (market.text("run.csv"), market.text("probabilities.txt"))
    };
    let alone = run(&[]);
    assert!(alone.0.lines().count() > 500);
    for log in LOGS {
        assert!(!market.path(&format!("run.{log}.csv")).exists());
    }
    assert!(run(&["--execution", "original"]) == alone);
    for execution in ["original,taker", "original,maker", "maker,taker,original"] {
        for more in [&[][..], &["--fused", "--short", "--order-latency", "1ms"]] {
            assert!(run(&[&["--execution", execution], more].concat()) == alone, "{execution} {more:?}");
            assert!(market.text("run.orders.csv").lines().count() > 500);
        }
    }
}

/// Without latency, depletion and limits a taker is the original, also where it walks many levels.
#[test]
fn a_taker_by_the_originals_rules_is_the_original() {
    let market = Market::new(3_000);
    for amount in ["5", "2000000"] {
        let run = |way: &[&str]| {
            let amount = ["--execution", "original,taker", "--no-report", "--buy-amount", amount];
            market.replay("run", &[&amount[..], way].concat());
            let trades = crate::support::rows(&market.text("run.csv"));
            let legs = market.rows("run", "legs");
            let pair =
                |columns: [&str; 7], row: &crate::support::Row| columns.map(|column| row.text(column).to_owned());
            let trade = [
                "buy_sequence_number",
                "sell_sequence_number",
                "buy_amount",
                "sell_amount",
                "volume",
                "profit",
                "unsold_volume",
            ];
            let leg = [
                "decided_sequence",
                "closed_sequence",
                "entry_value",
                "exit_value",
                "entered_volume",
                "profit",
                "open_volume",
            ];
            // What nobody buys the original writes off, and others keep.
            let whole = trades.iter().filter(|trade| trade.number("unsold_volume") == 0.0);
            let legs: HashMap<&str, &crate::support::Row> =
                legs.iter().map(|leg| (leg.text("decided_sequence"), leg)).collect();
            let of = |trade: &crate::support::Row| legs[trade.text("buy_sequence_number")];
            (
                whole.clone().map(|row| pair(trade, row)).collect::<Vec<_>>(),
                whole.map(|row| pair(leg, of(row))).collect::<Vec<_>>(),
            )
        };
        let (trades, legs) = run(&["--no-depletion"]);
        assert!(trades.len() > 500);
        for (trade, leg) in trades.iter().zip(&legs) {
            assert_eq!(trade, leg, "{amount}");
        }
        assert_eq!(trades.len(), legs.len(), "{amount}");
        let (again, depleted) = run(&[]);
        assert!(again == trades && depleted != trades, "{amount}: depletion is of consequence");
    }
}

/// Prints that name the taker's side where the venue names the maker's fill the same orders.
#[test]
fn either_reading_of_a_print_s_side() {
    let market = Market::new(3_000);
    let run_with = |more: &[&str]| {
        market.replay("run", &[&ALL[..], &["--no-report"], more].concat());
        market.logs("run")
    };
    let run = || run_with(&[]);
    let makers_side = run();
    assert!(run_with(&["--prints-side", "maker"]) == makers_side);
    assert!(run_with(&["--prints-side", "taker"]) != makers_side);
    assert!(!of(&crate::support::rows(&makers_side[1]), "maker-touch").is_empty());
    let lines = market.lines();
    let turned = lines.iter().map(|line| {
        if line.contains("market_trades") {
            line.replace("\"BUY\"", "\"-\"").replace("\"SELL\"", "\"BUY\"").replace("\"-\"", "\"SELL\"")
        } else {
            line.clone()
        }
    });
    market.rewrite(turned);
    assert!(market.lines() != lines);
    assert!(run() == makers_side);
    assert!(run_with(&["--prints-side", "taker"]) == makers_side);
}

/// Prints that are told in batches of 250 ms, as the venue does, fill whom they fill when each is told at once; in order of
/// arrival they fill others.
#[test]
fn a_tape_that_is_told_late_fills_the_same_orders() {
    let Some(data) = crate::common::shared_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for capture in ["btc-perp-a", "btc-spot-a"] {
        // Entries of the middle account of which something was filled.
        let filled = |prints: &str, hold_back: &str| -> Option<HashSet<String>> {
            let path = data.join(format!("captures/{capture}.{prints}.l2.gz"));
            if !path.is_file() {
                eprintln!("SKIPPED: there is no {}", path.display());
                return None;
            }
            let mut command = papertrader();
            command.arg("replay").arg(path).arg("--model").arg(root.join("models/imbalance.json"));
            command.args([
                "--threshold",
                "0.8",
                "--lag",
                "20",
                "--buy-amount",
                "62000",
                "--short",
                "--no-report",
                "--force",
            ]);
            command.args(["--execution", "maker", "--order-latency", "5ms", "--hold-back", hold_back, "--name", "run"]);
            succeed(command.arg("--out").arg(folder.path()));
            let orders = std::fs::read_to_string(folder.path().join("run.orders.csv")).unwrap();
            let orders = crate::support::rows(&orders);
            let entries = of(&orders, "maker-queue").into_iter();
            let entries =
                entries.filter(|order| order.text("purpose") == "entry" && order.number("filled_volume") > 0.0);
            Some(entries.map(|order| order.text("leg").to_owned()).collect())
        };
        let [Some(told_at_once), Some(late), Some(in_order_of_arrival)] =
            [("trades", "none"), ("today", "500ms"), ("today", "none")]
                .map(|(prints, hold_back)| filled(prints, hold_back))
        else {
            return;
        };
        let others = |filled: &HashSet<String>| filled.symmetric_difference(&told_at_once).count();
        // The clocks of both are known to some milliseconds.
        assert!(told_at_once.len() > 50 && 20 * others(&late) <= told_at_once.len(), "{capture}: {}", others(&late));
        assert!(4 * others(&in_order_of_arrival) > told_at_once.len(), "{capture}: {}", others(&in_order_of_arrival));
    }
}
