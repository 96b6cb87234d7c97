//! Orders under way when the book is lost, when a run ends early, and when it is killed.

use crate::common::{papertrader, reported};
use crate::support::{ACCOUNTS, ALL, LOGS, Market, assert_whole, of, rows};
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A paced replay of which so many lines of the orders are on disk.
fn begun(market: &Market, name: &str, options: &[&str], rows: usize) -> Child {
    let mut command = market.command(name, &[options, &["--speed", "1x"]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    let path = market.path(&format!("{name}.orders.csv"));
    while std::fs::read_to_string(&path).map_or(0, |text| text.lines().count()) < rows {
        assert!(started.elapsed() < Duration::from_secs(60), "never: {rows} orders on disk");
        thread::sleep(Duration::from_millis(5));
    }
    child
}

/// The rows of a whole run and those of one that was stopped, as far as both go: the end of the stopped one aside.
fn assert_begins(whole: &str, stopped: &str, ends: impl Fn(&str) -> bool) -> usize {
    let (whole, stopped): (Vec<&str>, Vec<&str>) = (whole.lines().collect(), stopped.lines().collect());
    let lived = stopped.iter().position(|row| ends(row)).unwrap_or(stopped.len());
    assert!(lived <= whole.len());
    assert_eq!(stopped[..lived], whole[..lived]);
    lived
}

#[test]
fn a_signal_cancels_what_is_live_and_says_so() {
    let market = Market::new(20_000);
    // With so long a latency something always is under way.
    let options = ["--execution", "original,taker,maker", "--order-latency", "2s"];
    let child = begun(&market, "stopped", &options, 200);
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(reported(&report, "ran for").ends_with(", stopped before the end"), "{report}");
    assert!(report.contains("  maker-queue "), "{report}");
    assert!(market.text("stopped.html").contains("table-executions-orders"));
    assert_whole(&market, "stopped");

    let orders = market.rows("stopped", "orders");
    let json = market.json("stopped");
    let mut cancelled_at_the_end = 0;
    for (at, account) in ACCOUNTS.into_iter().enumerate() {
        let ended = of(&orders, account).into_iter().filter(|order| order.text("reason") == "end of run");
        let ended: Vec<_> = ended.collect();
        assert!(!ended.is_empty() && ended.iter().all(|order| order.text("outcome") == "cancelled"), "{account}");
        let said = json["executions"]["accounts"][at]["orders"]["ended"].as_array().unwrap();
        let said = said.iter().filter(|ended| ended["reason"] == "end of run");
        let said: u64 = said.map(|ended| ended["entries"].as_u64().unwrap() + ended["exits"].as_u64().unwrap()).sum();
        assert_eq!(said, ended.len() as u64, "{account}");
        cancelled_at_the_end += ended.len();
    }
    // The same as far as it went.
    market.replay("whole", &[&options[..], &["--no-report"]].concat());
    let [orders, fills, ..] = market.logs("stopped");
    let [whole_orders, whole_fills, ..] = market.logs("whole");
    let lived = assert_begins(&whole_orders, &orders, |row| row.contains(",end of run,"));
    assert_eq!(orders.lines().count() - lived, cancelled_at_the_end);
    assert!(lived > 200 && orders.len() < whole_orders.len() / 2);
    assert_begins(&whole_fills, &fills, |_| false);
}

/// What nobody could prevent: rows are on disk within a second, and what is there is reported.
#[test]
fn a_kill_leaves_what_was_promised() {
    let market = Market::new(20_000);
    market.replay("whole", &[&ALL[..], &["--no-report"]].concat());
    let whole = market.logs("whole");
    // Of a run that is replaced: it had ended.
    std::fs::write(market.path("killed.hgrm"), "old").unwrap();
    let mut child = begun(&market, "killed", &ALL, 100);
    let last_ns = |text: &str| {
        let text = &text[..=text.rfind('\n').unwrap()];
        let orders = rows(text);
        orders.iter().map(|order| order.count("ended_ts_ns")).max().unwrap()
    };
    let seen_ns = last_ns(&market.text("killed.orders.csv"));
    thread::sleep(Duration::from_secs(3));
    child.kill().unwrap();
    child.wait().unwrap();
    // A second is promised, and a busy machine replays later by another.
    let promised_ns = seen_ns + 1_000_000_000;
    for ((log, text), whole) in LOGS.iter().zip(market.logs("killed")).zip(&whole) {
        let end = text.rfind('\n').expect("a whole row") + 1;
        assert!(whole.starts_with(&text), "{log}: a row that is none");
        assert!(rows(&text[..end]).len() > 50, "{log}");
        if let Some(column) = [("orders", "ended_ts_ns"), ("fills", "ts_ns"), ("legs", "closed_ts_ns")]
            .iter()
            .find_map(|(of, column)| (of == log).then_some(column))
        {
            let old = |text: &str| rows(text).iter().filter(|row| row.count(column) < promised_ns).count();
            assert_eq!(old(&text[..end]), old(whole), "{log}: lost although it was old");
        }
    }
    let report = || {
        let output = papertrader().arg("report").arg(market.path("killed.csv")).arg("--force").output().unwrap();
        let (shown, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(0), "{said}");
        for account in ACCOUNTS {
            assert!(shown.contains(&format!("  {account} ")), "{account}\n{shown}");
        }
        said
    };
    report();
    // The system had taken fills before their orders, and no row is cut.
    let orders = market.text("killed.orders.csv");
    let kept: String = orders.split_inclusive('\n').take(60).collect();
    std::fs::write(market.path("killed.orders.csv"), kept).unwrap();
    let said = report();
    let left_out = said.lines().find(|line| line.contains(" of fills and markouts whose orders had not ended"));
    assert!(left_out.is_some_and(|line| line.starts_with("warning: the run was killed: ")), "{said}");
}

/// The second capture behind the first, from whose middle a frame is missing: the book is lost there, and a snapshot follows.
fn with_a_gap(market: &Market) {
    let lines = market.lines();
    let split = |line: &str| {
        let (ns, frame) = line.split_once(' ').unwrap();
        (ns.parse::<i64>().unwrap(), frame.to_owned())
    };
    let (first_ns, _) = split(&lines[0]);
    let (last_ns, _) = split(lines.last().unwrap());
    let missing = lines.len() / 2;
    let missing = missing + lines[missing..].iter().position(|line| line.contains("l2_data")).unwrap();
    let again = lines.iter().enumerate().map(|(at, line)| {
        let (ns, frame) = split(line);
        let numbered =
            frame.replacen(&format!("\"sequence_num\":{at},"), &format!("\"sequence_num\":{},", lines.len() + at), 1);
        assert_ne!(numbered, frame);
        format!("{} {numbered}", ns + (last_ns - first_ns) + 1_000_000)
    });
    let rest = lines.iter().enumerate().filter(|&(at, _)| at != missing).map(|(_, line)| line.clone());
    market.rewrite(rest.chain(again));
}

#[test]
fn a_gap_cancels_what_is_live_and_is_counted() {
    let market = Market::new(3_000);
    with_a_gap(&market);
    let report = market.replay("run", &["--execution", "original,taker,maker", "--order-latency", "200ms", "--short"]);
    assert_eq!(reported(&report, "sequence gap"), "1");
    assert_whole(&market, "run");
    let (orders, fills, legs) = (market.rows("run", "orders"), market.rows("run", "fills"), market.rows("run", "legs"));
    let json = market.json("run");
    let mut lost_at = BTreeMap::new();
    for (at, account) in ACCOUNTS.into_iter().enumerate() {
        let cancelled: Vec<_> =
            of(&orders, account).into_iter().filter(|order| order.text("reason") == "book invalid").collect();
        for order in &cancelled {
            assert_eq!(order.text("outcome"), "cancelled");
            // An exit that takes waits for the next book.
            assert_ne!((order.text("purpose"), order.text("kind")), ("exit", "take"), "{order:?}");
            *lost_at.entry(order.count("ended_ts_ns")).or_insert(0) += 1;
        }
        assert!(!cancelled.is_empty(), "{account}: nothing was live");
        let said = json["executions"]["accounts"][at]["orders"]["ended"].as_array().unwrap();
        let said = said.iter().filter(|ended| ended["reason"] == "book invalid");
        let said: u64 = said.map(|ended| ended["entries"].as_u64().unwrap() + ended["exits"].as_u64().unwrap()).sum();
        assert_eq!(said, cancelled.len() as u64, "{account}");
    }
    // All at one moment: the frame behind the missing one.
    assert_eq!(lost_at.len(), 1, "{lost_at:?}");
    let lost_ns = *lost_at.first_key_value().unwrap().0;
    let lines = market.lines();
    let snapshot = lines.iter().skip(1).find(|line| line.contains(r#""type":"snapshot","product_id""#)).unwrap();
    let snapshot_ns: u64 = snapshot.split_once(' ').unwrap().0.parse().unwrap();
    // Nobody trades or decides without a book, and everybody does before and after.
    for account in ACCOUNTS {
        let times: Vec<u64> = of(&fills, account).iter().map(|fill| fill.count("ts_ns")).collect();
        assert!(times.iter().all(|&ns| ns < lost_ns || ns >= snapshot_ns), "{account}");
        assert!(times.iter().any(|&ns| ns < lost_ns) && times.iter().any(|&ns| ns > snapshot_ns), "{account}");
        let decided = of(&orders, account).into_iter().filter(|order| order.text("purpose") == "entry");
        let mut decided = decided.map(|order| order.count("decided_ts_recv_ns"));
        assert!(decided.all(|ns| ns < lost_ns || ns >= snapshot_ns), "{account}");
        // Exits that take were under way, and took from the next book.
        let waited = of(&orders, account)
            .into_iter()
            .filter(|order| order.count("decided_ts_recv_ns") < lost_ns && order.count("ended_ts_ns") >= snapshot_ns);
        let waited: Vec<_> = waited.collect();
        assert!(account != "taker" || !waited.is_empty(), "no exit was under way");
        for order in waited {
            assert_eq!(["purpose", "kind", "outcome"].map(|column| order.text(column)), ["exit", "take", "filled"]);
        }
        // What was held then is held over the snapshot, and sold behind it.
        let over = of(&legs, account).into_iter().filter(|leg| leg.count("snapshots_while_held") > 0);
        let over: Vec<_> = over.filter(|leg| leg.number("entered_volume") > 0.0).collect();
        if account == "taker" {
            assert!(!over.is_empty(), "nothing was held");
        }
        for leg in over {
            assert!(leg.count("decided_ts_recv_ns") < lost_ns && leg.count("closed_ts_ns") >= snapshot_ns, "{leg:?}");
            assert_eq!((leg.number("open_volume"), leg.count("snapshots_while_held")), (0.0, 1));
        }
    }
}

/// An end of the capture is an end of the run.
#[test]
fn the_end_cancels_what_is_live_and_marks_what_is_held() {
    let market = Market::new(3_000);
    market.replay("run", &ALL);
    assert_whole(&market, "run");
    let (orders, legs) = (market.rows("run", "orders"), market.rows("run", "legs"));
    let last_sequence = 2_999;
    let ended: Vec<_> = orders.iter().filter(|order| order.text("reason") == "end of run").collect();
    assert!(!ended.is_empty());
    assert!(ended.iter().all(|order| order.count("ended_sequence") == last_sequence));
    let open: Vec<_> = legs.iter().filter(|leg| leg.number("open_volume") > 0.0).collect();
    assert!(!open.is_empty());
    for leg in open {
        assert!(leg.number("open_mark_walk") <= leg.number("open_mark_mid"), "{leg:?}");
        let held = leg.number("entered_volume") - leg.number("exited_volume");
        assert!((held - leg.number("open_volume")).abs() < 1e-12);
        // Its profit is that of what was sold.
        assert!(leg.number("exited_volume") > 0.0 || leg.number("profit") == 0.0);
    }
}
