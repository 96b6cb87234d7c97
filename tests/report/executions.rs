//! The report of a run's executions: what it says on the page, in `RUN.json` and on the terminal.

use super::support::{Runs, between};
use crate::common::{fail, papertrader, succeed};
use std::fmt::Write;
use std::fs;

const ENDINGS: [&str; 4] = ["orders.csv", "fills.csv", "markouts.csv", "legs.csv"];
const HEADERS: [&str; 4] = [
    "account,order_id,leg,purpose,kind,side,price,volume,decided_sequence,decided_ts_recv_ns,probability,decided_bid,decided_ask,\
     leg_sequence,leg_mid,due_sequence,arrived_sequence,arrived_ts_ns,arrived_bid,arrived_ask,queue_ahead,ended_sequence,\
     ended_ts_ns,outcome,reason,filled_volume,filled_value,fee",
    "account,fill_id,order_id,leg,purpose,side,liquidity,sequence,venue_sequence_num,ts_ns,price,volume,value,fee,mid,best",
    "account,order_id,mid_1,mid_5,mid_20,mid_100",
    "account,leg,side,decided_sequence,decided_ts_recv_ns,probability,decided_mid,due_sequence,entered_volume,entry_value,\
     entry_fee,exited_volume,exit_value,exit_fee,profit,net,closed_sequence,closed_ts_ns,\
     snapshots_while_held,open_volume,open_mark_mid,open_mark_walk",
];

/// Uniform from 0 to 1, by a generator of its own.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// One fill of an order: its price, and what the market looked like.
struct Fill {
    price: f64,
    best: Option<f64>,
}

/// Logs as a run writes them, row by row.
struct Logs {
    texts: [String; 4],
    fee_bps: [f64; 2],
    next_order: u64,
    next_fill: u64,
}

impl Logs {
    /// Writes an order with its fills, half of the volume each; gives value and fee.
    #[allow(clippy::too_many_arguments)]
    fn order(
        &mut self,
        account: &str,
        leg: u64,
        purpose: &str,
        buys: bool,
        (decided, leg_mid, arrived): (f64, f64, f64),
        at_ns: i64,
        (outcome, reason): (&str, &str),
        fills: &[Fill],
    ) -> (f64, f64) {
        let (id, side) = (self.next_order, if buys { "buy" } else { "sell" });
        self.next_order += 1;
        let takes = account == "taker" || reason == "due";
        let liquidity = if takes { "taker" } else { "maker" };
        let (volume, mut filled, mut value, mut fees) = (2.0, 0.0, 0.0_f64, 0.0);
        for Fill { price, best } in fills {
            let fee = self.fee_bps[usize::from(takes)] / 1e4 * price;
            let best = best.map_or_else(String::new, |best| best.to_string());
            writeln!(
                self.texts[1],
                "{account},{},{id},{leg},{purpose},{side},{liquidity},{leg},{leg},{},{price},1,{price},{fee},{arrived},{best}",
                self.next_fill,
                at_ns + 30_000_000
            )
            .unwrap();
            self.next_fill += 1;
            filled += 1.0;
            value += price;
            fees += fee;
        }
        let (kind, price) = if takes {
            ("take", String::new())
        } else {
            ("post", fills.first().map_or(decided - 0.05, |fill| fill.price).to_string())
        };
        writeln!(
            self.texts[0],
            "{account},{id},{leg},{purpose},{kind},{side},{price},{volume},{leg},{at_ns},0.7,{},{},{leg},{leg_mid},{},{leg},{},{},{},,{leg},{},{outcome},{reason},{filled},{value},{fees}",
            decided - 0.05,
            decided + 0.05,
            leg + 20,
            at_ns + 10_000_000,
            arrived - 0.05,
            arrived + 0.05,
            at_ns + 30_000_000 + 1_000_000 * (id % 7) as i64,
        )
        .unwrap();
        if purpose == "entry" && outcome != "refused" {
            let last = if id.is_multiple_of(9) { String::new() } else { (leg_mid + 0.04).to_string() };
            writeln!(self.texts[2], "{account},{id},{},{},{},{last}", leg_mid + 0.01, leg_mid - 0.02, leg_mid + 0.03)
                .unwrap();
        }
        (value, fees)
    }
}

/// 900 legs of each account, two a second: takers fill all, makers by their luck.
fn logs() -> [String; 4] {
    let mut logs =
        Logs { texts: HEADERS.map(|header| format!("{header}\n")), fee_bps: [-0.2, 1.2], next_order: 0, next_fill: 0 };
    for (account, luck) in [("taker", 1.0_f64), ("maker-through", 0.2_f64), ("maker-queue", 0.35), ("maker-touch", 0.6)]
    {
        let mut random = Random(luck.to_bits());
        (logs.next_order, logs.next_fill) = (0, 0);
        for leg in 0..900_u64 {
            let at_ns = 1_700_000_000_000_000_000 + 500_000_000 * leg as i64;
            let (mid, is_long) = (100.0 + random.next(), random.next() < 0.7);
            let side = if is_long { 1.0 } else { -1.0 };
            let takes = account == "taker";
            let arrived = mid + 0.02 * (random.next() - 0.5);
            let best = arrived + 0.05 * side;
            let price = if takes { best } else { mid - 0.05 * side };
            let fills = |count: usize, price: f64, best: Option<f64>, side: f64| -> Vec<Fill> {
                (0..count)
                    .map(|at| Fill { price: price + 0.01 * at as f64 * side * f64::from(best.is_some()), best })
                    .collect()
            };
            let (filled, ended) = match random.next() {
                chance if chance < 0.9 * luck => (2, ("filled", "")),
                chance if chance < luck => (1, ("cancelled", if takes { "nothing to take" } else { "timeout" })),
                chance if chance > 0.97 => (0, ("refused", if takes { "no book" } else { "would cross" })),
                _ => (0, ("cancelled", "timeout")),
            };
            let entry = fills(filled, price, takes.then_some(best), side);
            let (entry_value, entry_fee) =
                logs.order(account, leg, "entry", is_long, (mid, mid, arrived), at_ns, ended, &entry);
            let is_open = leg > 895 && filled > 0;
            let (later, later_arrived) = (mid + 0.1 * (random.next() - 0.48), mid + 0.1 * (random.next() - 0.48));
            let (mut exit_value, mut exit_fee) = (0.0, 0.0);
            if filled > 0 && !is_open {
                let exit_best = later_arrived - 0.05 * side;
                let exit = fills(filled, exit_best, takes.then_some(exit_best), -side);
                let ended = if filled == 2 {
                    ("filled", "")
                } else {
                    ("cancelled", if takes { "nothing to take" } else { "timeout" })
                };
                let mids = (later, mid, later_arrived);
                (exit_value, exit_fee) =
                    logs.order(account, leg, "exit", !is_long, mids, at_ns + 200_000_000, ended, &exit);
            }
            let volume = filled as f64;
            let (exited, open) = if is_open { (0.0, volume) } else { (volume, 0.0) };
            let profit = if is_open { 0.0 } else { side * (exit_value - entry_value) };
            let net = profit - (entry_fee + exit_fee);
            let closed = if is_open { ",".into() } else { format!("{},{}", leg + 20, at_ns + 250_000_000) };
            let marks = if is_open { format!("{},{}", mid * open, (mid - 0.05) * open) } else { ",".into() };
            let name = if is_long { "long" } else { "short" };
            writeln!(
                logs.texts[3],
                "{account},{leg},{name},{leg},{at_ns},0.7,{mid},{},{volume},{entry_value},{entry_fee},{exited},{exit_value},{exit_fee},{profit},{net},{closed},0,{open},{marks}",
                leg + 20
            )
            .unwrap();
        }
    }
    logs.texts
}

fn write(runs: &Runs, name: &str, logs: &[String; 4]) {
    ENDINGS
        .iter()
        .zip(logs)
        .for_each(|(ending, text)| fs::write(runs.path(&format!("{name}.{ending}")), text).unwrap());
}

/// A real run of everything on the synthetic market, makers being paid for every fill.
#[test]
fn a_run_with_executions_tells_of_them_everywhere() {
    let runs = Runs::new();
    let capture = runs.capture(6_000);
    let fees = runs.path("mine.toml");
    fs::write(&fees, "name = \"mine\"\n[[tier]]\nfrom = 0\nmaker-bps = -40\ntaker-bps = 1.2\n").unwrap();
    let more = ["--execution", "original,taker,maker", "--short", "--threshold", "0.55", "--order-latency", "5ms"];
    let shown = runs.replay(&capture, "run", &[&more[..], &["--fees", fees.to_str().unwrap()]].concat());
    let text = runs.text("run.json");
    assert!(!text.contains("-0.0,") && !text.contains("-0.0}") && !text.contains("-0.0\n"));
    let json = runs.json("run.json");
    let accounts = json["executions"]["accounts"].as_array().unwrap();
    let names: Vec<&str> = accounts.iter().map(|account| account["account"].as_str().unwrap()).collect();
    assert_eq!(names, ["taker", "maker-through", "maker-queue", "maker-touch"]);
    assert_eq!(json["settings"]["fees"]["name"], "mine");
    let number = |at: usize, field: &str| accounts[at][field].as_f64().unwrap();
    let (legs, orders) = (runs.text("run.legs.csv"), runs.text("run.orders.csv"));
    let rows = |log: &str, name: &str| log.lines().filter(|line| line.starts_with(&format!("{name},"))).count() as f64;
    let (mut paid, table) = (Vec::new(), between(&shown, "  executions  ", "cumulative"));
    for (at, name) in names.iter().enumerate() {
        assert_eq!(number(at, "legs"), rows(&legs, name), "{name}");
        assert_eq!(accounts[at]["orders"]["sent"].as_f64().unwrap(), rows(&orders, name), "{name}");
        assert!(number(at, "entered_legs") > 50.0, "{name}: {}", accounts[at]);
        let (gross, net, fees) = (number(at, "gross"), number(at, "net"), number(at, "fees"));
        assert!((gross - fees - net).abs() < 1e-9);
        if gross <= 0.0 && net > 0.0 {
            paid.push(*name);
        }
        let parts = &accounts[at]["shortfall"]["all"]["money"];
        let part = |name: &str| parts[name].as_f64().unwrap();
        let sum = part("spread") + part("latency") + part("walk") + part("fees");
        assert!((sum - part("total")).abs() < 1e-9, "{name}: {parts}");
        // The line leaves nothing at both of its ends.
        for (value, end) in [("maker_value", "break_even_maker_bps"), ("taker_value", "break_even_taker_bps")] {
            if let Some(bps) = accounts[at][end].as_f64() {
                assert!((bps / 1e4 * number(at, value) - gross).abs() < 1e-9, "{name} {end}");
            }
        }
        let line = table.lines().find(|line| line.starts_with(&format!("  {name} ")));
        assert!(line.is_some_and(|line| line.contains(" % ")), "{table}");
    }
    let [through, queue, touch] = [1, 2, 3].map(|at| number(at, "entries_filled"));
    assert!(through <= queue && queue <= touch && touch < number(3, "entries"), "{through} {queue} {touch}");
    assert!(paid.len() > 1, "{json:#}");
    let sentence = format!("Rebates alone make the net of {} a gain: ", paid.join(", "));
    assert!(shown.contains(&sentence), "{shown}");
    let net = &json["executions"]["makers"]["net"];
    let nets: Vec<f64> = (1..4).map(|at| number(at, "net")).collect();
    assert_eq!(net["low"].as_f64().unwrap(), nets.iter().copied().fold(f64::INFINITY, f64::min));
    assert_eq!(net["high"].as_f64().unwrap(), nets.iter().copied().fold(f64::NEG_INFINITY, f64::max));

    let page = runs.text("run.html");
    assert!(page.contains(&sentence));
    for id in ["fig-executions-break-even", "fig-executions-net", "fig-executions-markouts"] {
        let figure = between(&page, &format!("<figure id=\"{id}\""), "</figure>");
        assert_eq!(figure.matches("<svg ").count(), 2, "{id}");
    }
    let picture = between(&page, "<figure id=\"fig-executions-break-even\"", "</figure>");
    assert!(picture.contains("kraken-maker-rebates") && picture.contains("this run"));
    assert!(page.contains("<a href=\"#executions\">Executions</a>"));
    for table in
        ["executions", "shortfall-entries", "shortfall-exits", "shortfall-all", "executions-orders", "markouts"]
    {
        assert!(page.contains(&format!("<table id=\"table-{table}\">")), "{table}");
    }
    assert!(page.contains("data-key=\"executions.accounts.maker-queue.net\""));
    // The same again from the files alone.
    let again = succeed(papertrader().arg("report").arg(runs.path("run.csv")).arg("--force"));
    assert_eq!(between(&again, "  executions  ", "cumulative"), table);
    assert_eq!(
        between(&runs.text("run.html"), "<h2 id=\"executions\"", "<h2 id=\"model\""),
        between(&page, "<h2 id=\"executions\"", "<h2 id=\"model\"")
    );
}

#[test]
fn runs_without_such_logs_say_nothing_of_them() {
    let runs = Runs::new();
    let shown = runs.replay(&runs.capture(200), "run", &[]);
    assert!(!shown.contains("executions"), "{shown}");
    let json = runs.json("run.json");
    assert!(json.get("executions").is_none() && json["settings"].get("fees").is_none());
    assert!(!between(&runs.text("run.html"), "</style>", "</html>").contains("xecutions"));
}

#[test]
fn a_run_without_the_originals_trades_has_a_page() {
    let runs = Runs::new();
    write(&runs, "run", &logs());
    let shown = runs.report("run.csv");
    assert!(shown.contains("No trade was closed.") && shown.contains("  maker-queue "), "{shown}");
    assert!(runs.text("run.html").contains("fig-executions-net"));
}

#[test]
fn damage_ends_the_report_with_its_place() {
    let runs = Runs::new();
    let mut logs = logs();
    logs[1] = logs[1].replacen("taker,0,0,0,entry", "taker,0,7777,0,entry", 1);
    write(&runs, "run", &logs);
    let error = fail(papertrader().arg("report").arg(runs.path("run.csv")));
    assert_eq!(error, (2, format!("error: {}, line 2: taker has no order 7777", runs.path("run.fills.csv").display())));
    fs::remove_file(runs.path("run.legs.csv")).unwrap();
    let (code, error) = fail(papertrader().arg("report").arg(runs.path("run.csv")));
    assert_eq!(code, 2);
    assert!(error.starts_with(&format!("error: there is no {}, ", runs.path("run.legs.csv").display())), "{error}");
}
