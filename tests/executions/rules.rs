//! Latencies from files, short sales, limits and caps, through the program.

use crate::support::{ACCOUNTS, ALL, Market, Row, of};
use std::fs;

#[test]
fn a_file_of_one_latency_is_that_latency() {
    let market = Market::new(2_000);
    let file = market.path("latencies.txt");
    let file = file.to_str().unwrap();
    let run = |latency: &[&str]| {
        market.replay("run", &[&["--execution", "taker,maker", "--no-report"], latency].concat());
        market.logs("run")
    };
    let fixed = run(&["--order-latency", "5ms"]);
    fs::write(file, "5000000\n\n5000000\n").unwrap();
    let from_file = ["--order-latency-file", file];
    assert!(run(&from_file) == fixed);
    fs::write(file, "1000000\n9000000\n").unwrap();
    let drawn = run(&from_file);
    assert!(drawn != fixed && run(&from_file) == drawn);
    assert!(run(&["--order-latency-file", file, "--order-latency-seed", "2"]) != drawn);
    // 0 is not the same as none: what falls due is sold into the book after its frame.
    assert!(run(&["--order-latency", "0ns"]) != run(&[]));
    // A run's own latencies.
    let log = market.path("run.hlog");
    fs::copy(&log, market.path("measured.hlog")).unwrap();
    let measured = market.path("measured.hlog");
    let own = run(&["--order-latency-file", measured.to_str().unwrap()]);
    assert!(own[0].lines().count() > 500);
}

#[test]
fn arrivals_come_in_the_order_sent_and_take_their_time() {
    let market = Market::new(2_000);
    let file = market.path("latencies.txt");
    fs::write(&file, "1000000\n9000000\n40000000\n").unwrap();
    let options = ["--execution", "taker", "--no-report", "--order-latency-file", file.to_str().unwrap()];
    market.replay("run", &options);
    let orders = market.rows("run", "orders");
    let mut entries: Vec<&Row> = orders.iter().filter(|order| !order.text("arrived_ts_ns").is_empty()).collect();
    entries.sort_by_key(|order| order.count("order_id"));
    assert!(entries.len() > 500);
    let mut last_ns = 0;
    for order in entries.iter().filter(|order| order.text("purpose") == "entry") {
        let (decided_ns, arrived_ns) = (order.count("decided_ts_recv_ns"), order.count("arrived_ts_ns"));
        assert!(arrived_ns >= last_ns && arrived_ns >= decided_ns + 1_000_000, "{order:?}");
        assert!(order.count("arrived_sequence") >= order.count("decided_sequence"));
        last_ns = arrived_ns;
    }
}

#[test]
fn short_sales_are_beside_what_is_bought() {
    let market = Market::new(2_000);
    let run = |more: &[&str]| {
        market.replay("run", &[&ALL[..], &["--no-report"], more].concat());
        market.rows("run", "legs")
    };
    assert!(run(&[]).iter().all(|leg| leg.text("side") == "long" && leg.number("probability") >= 0.6));
    let legs = run(&["--short"]);
    for account in ACCOUNTS {
        let shorts = of(&legs, account).into_iter().filter(|leg| leg.text("side") == "short").collect::<Vec<_>>();
        assert!(shorts.len() > 50, "{account}");
        for leg in shorts {
            assert!(leg.number("probability") <= 0.4);
            if leg.number("open_volume") == 0.0 {
                let profit = leg.number("entry_value") - leg.number("exit_value");
                assert!((leg.number("profit") - profit).abs() < 1e-9, "{leg:?}");
            }
        }
    }
}

/// Orders and positions over time, of each account.
#[test]
fn limits_hold_at_every_moment() {
    let market = Market::new(3_000);
    let run = |more: &[&str]| {
        market.replay("run", &[&ALL[..], &["--no-report"], more].concat());
        (market.rows("run", "orders"), market.rows("run", "fills"))
    };
    // How many orders were live at once.
    let most_live = |orders: &[&Row]| {
        let live = |at: &Row| {
            let sent = at.count("decided_ts_recv_ns");
            orders.iter().filter(|o| o.count("decided_ts_recv_ns") <= sent && o.count("ended_ts_ns") > sent).count()
        };
        orders.iter().filter(|order| order.text("purpose") == "entry").map(|order| live(order)).max().unwrap()
    };
    let most_held = |fills: &[&Row]| {
        let (mut held, mut most) = (0.0_f64, 0.0_f64);
        for fill in fills {
            held += if fill.text("side") == "buy" { fill.number("volume") } else { -fill.number("volume") };
            most = most.max(held);
        }
        most
    };
    let (free_orders, free_fills) = run(&[]);
    let (orders, _) = run(&["--max-open-orders", "2"]);
    let (_, fills) = run(&["--max-position", "0.0003"]);
    let (_, cash) = run(&["--max-cash", "20"]);
    for account in ACCOUNTS {
        assert!(most_held(&of(&free_fills, account)) > 0.0003, "{account}: nothing to limit");
        assert!((0.00007..=0.0003).contains(&most_held(&of(&fills, account))), "{account}");
        assert!((0.00007..=20.01 / 61_000.0).contains(&most_held(&of(&cash, account))), "{account}");
        if account != "taker" {
            assert!(most_live(&of(&free_orders, account)) > 2, "{account}: nothing to limit");
            assert!(most_live(&of(&orders, account)) <= 2, "{account}");
        }
        assert!(of(&orders, account).len() < of(&free_orders, account).len(), "{account}");
    }
}

#[test]
fn no_entry_is_filled_beyond_its_cap() {
    let market = Market::new(3_000);
    let run = |cap: &[&str]| {
        let options = ["--execution", "taker", "--no-report", "--order-latency", "20ms", "--buy-amount", "500000"];
        market.replay("run", &[&options[..], cap].concat());
        let (orders, fills) = (market.rows("run", "orders"), market.rows("run", "fills"));
        let of_entries = orders.iter().filter(|order| order.text("purpose") == "entry");
        let mut worst_bps = f64::NEG_INFINITY;
        for order in of_entries.clone() {
            let fills = fills.iter().filter(|fill| fill.text("order_id") == order.text("order_id"));
            for fill in fills {
                worst_bps = worst_bps.max(1e4 * (fill.number("price") / order.number("decided_ask") - 1.0));
            }
        }
        let beyond = of_entries.filter(|order| order.text("reason") == "beyond cap");
        (worst_bps, beyond.count())
    };
    let (free, none) = run(&[]);
    assert!(free > 0.5 && none == 0, "{free}");
    let (capped, refused) = run(&["--slippage-cap", "0.3"]);
    assert!(capped <= 0.3 && capped > 0.0 && refused > 0, "{capped} {refused}");
}
