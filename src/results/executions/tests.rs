use super::*;
use std::fs;

const ORDERS: &str = "account,order_id,leg,purpose,kind,side,price,volume,decided_sequence,decided_ts_recv_ns,probability,\
                      decided_bid,decided_ask,leg_sequence,leg_mid,due_sequence,arrived_sequence,arrived_ts_ns,arrived_bid,\
                      arrived_ask,queue_ahead,ended_sequence,ended_ts_ns,outcome,reason,filled_volume,filled_value,fee";
const FILLS: &str = "account,fill_id,order_id,leg,purpose,side,liquidity,sequence,venue_sequence_num,ts_ns,price,volume,value,\
                     fee,mid,best";
const MARKOUTS: &str = "account,order_id,mid_1,mid_5,mid_20,mid_100";
const LEGS: &str = "account,leg,side,decided_sequence,decided_ts_recv_ns,probability,decided_mid,due_sequence,entered_volume,\
                    entry_value,entry_fee,exited_volume,exit_value,exit_fee,profit,net,closed_sequence,\
                    closed_ts_ns,snapshots_while_held,open_volume,open_mark_mid,open_mark_walk";

/// Three legs of a taker, three of a maker by the queue, one of a maker that nobody filled.
fn sample() -> [String; 4] {
    let orders = [
        "taker,0,0,entry,take,buy,,2,1,1000000000,0.9,99.9,100.1,1,100,21,2,1100000000,100.1,100.3,,2,1100000000,filled,,2,200.7,0.1",
        "taker,1,0,exit,take,sell,,2,21,3000000000,0.9,101.9,102.1,1,100,21,22,3100000000,101.8,102,,22,3100000000,filled,,2,203.6,0.1",
        "taker,2,1,entry,take,sell,,1,30,4000000000,0.1,99.9,100.1,30,100,50,30,4000000000,99.9,100.1,,30,4000000000,filled,,1,99.9,0.05",
        "taker,4,2,entry,take,buy,,1,40,4500000000,0.9,,,40,,60,,,,,,41,4600000000,refused,no book,0,0,0",
        "taker,3,1,exit,take,buy,,1,50,6000000000,0.1,100.9,101.1,30,100,50,50,6000000000,100.9,101.1,,50,6000000000,filled,,1,101.1,0.05",
        "maker-through,0,0,entry,post,buy,99.9,1,1,1000000000,0.9,99.9,100.1,1,100,21,1,1000000000,99.9,100.1,3,9,5000000000,cancelled,timeout,0,0,0",
        "maker-queue,0,0,entry,post,buy,99.9,2,1,1000000000,0.9,99.9,100.1,1,100,21,1,1000000000,99.9,100.1,3,9,5000000000,cancelled,timeout,1,99.9,-0.01",
        "maker-queue,1,0,exit,post,sell,100.1,1,15,7000000000,0.9,99.9,100.1,1,100,21,15,7000000000,99.9,100.1,0,18,8000000000,filled,,1,100.1,-0.01",
        "maker-queue,2,1,entry,post,buy,99.9,1,30,10000000000,0.9,99.9,100.1,30,100,50,30,10000000000,99.9,100.1,3,35,12000000000,filled,,1,99.9,-0.01",
        "maker-queue,3,2,entry,post,buy,99.9,1,40,13000000000,0.9,99.9,100.1,40,100,60,40,13000000000,99.9,100.1,3,49,15000000000,cancelled,timeout,0,0,0",
    ];
    let fills = [
        "taker,0,0,0,entry,buy,taker,2,2,1100000000,100.3,1,100.3,0.05,100.2,100.3",
        "taker,1,0,0,entry,buy,taker,2,2,1100000000,100.4,1,100.4,0.05,100.2,100.3",
        "taker,2,1,0,exit,sell,taker,22,22,3100000000,101.8,2,203.6,0.1,101.9,101.8",
        "taker,3,2,1,entry,sell,taker,30,30,4000000000,99.9,1,99.9,0.05,100,99.9",
        "taker,4,3,1,exit,buy,taker,50,50,6000000000,101.1,1,101.1,0.05,101,101.1",
        "maker-queue,0,0,0,entry,buy,maker,8,8,4500000000,99.9,1,99.9,-0.01,99.8,",
        "maker-queue,1,1,0,exit,sell,maker,18,18,8000000000,100.1,1,100.1,-0.01,100.2,",
        "maker-queue,2,2,1,entry,buy,maker,35,35,12000000000,99.9,1,99.9,-0.01,99.8,",
    ];
    let markouts = [
        "taker,0,100.1,100.2,100.5,102",
        "taker,2,99.9,100,100.5,",
        "maker-queue,0,99.9,99.8,99.5,99",
        "maker-queue,2,99.8,99.8,99.5,",
        "maker-queue,3,100.1,100.2,100.5,101",
    ];
    let legs = [
        "taker,0,long,1,1000000000,0.9,100,21,2,200.7,0.1,2,203.6,0.1,2.9000000000000057,2.7000000000000055,22,3100000000,0,0,,",
        "taker,2,long,40,4500000000,0.9,,60,0,0,0,0,0,0,0,0,41,4600000000,0,0,,",
        "taker,1,short,30,4000000000,0.1,100,50,1,99.9,0.05,1,101.1,0.05,-1.1999999999999886,-1.2999999999999887,50,6000000000,0,0,,",
        "maker-through,0,long,1,1000000000,0.9,100,21,0,0,0,0,0,0,0,0,9,5000000000,0,0,,",
        "maker-queue,0,long,1,1000000000,0.9,100,21,1,99.9,-0.01,1,100.1,-0.01,0.19999999999998863,0.21999999999998862,18,8000000000,0,0,,",
        "maker-queue,2,long,40,13000000000,0.9,100,60,0,0,0,0,0,0,0,0,49,15000000000,0,0,,",
        "maker-queue,1,long,30,10000000000,0.9,100,50,1,99.9,-0.01,0,0,0,0,0.01,,,0,1,99.5,99.4",
    ];
    let log = |header: &str, rows: &[&str]| format!("{header}\n{}\n", rows.join("\n"));
    [log(ORDERS, &orders), log(FILLS, &fills), log(MARKOUTS, &markouts), log(LEGS, &legs)]
}

fn read(logs: &[String; 4]) -> Result<Option<Logs>, String> {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("r.csv");
    Logs::paths(&csv).iter().zip(logs).for_each(|(path, text)| fs::write(path, text).unwrap());
    let folder = format!("{}/", folder.path().display());
    Logs::read(&csv).map_err(|error| error.to_string().replace(&folder, ""))
}

fn numbers() -> ExecutionNumbers {
    ExecutionNumbers::of(&read(&sample()).unwrap().unwrap())
}

fn near(found: impl Into<Option<f64>>, expected: f64) {
    let found = found.into().unwrap();
    assert!((found - expected).abs() <= 1e-9 * (1.0 + expected.abs()), "{found}, by hand {expected}");
}

fn parts(found: &Shortfall, fills: u64, value: f64, [spread, latency, walk, fees]: [f64; 4]) {
    assert_eq!(found.fills, fills);
    near(found.value, value);
    near(found.money.spread, spread);
    near(found.money.latency, latency);
    near(found.money.walk, walk);
    near(found.money.fees, fees);
    near(found.money.total, spread + latency + walk + fees);
    near(found.bps.unwrap().total, 1e4 * (spread + latency + walk + fees) / value);
}

#[test]
fn a_taker_by_hand() {
    let numbers = numbers();
    let taker = numbers.account(Account::Taker).unwrap();
    assert_eq!((taker.legs, taker.entered_legs, taker.open_legs), (3, 2, 0));
    assert_eq!((taker.entries, taker.entries_filled, taker.fill_rate), (3, 2, Some(2.0 / 3.0)));
    let OrderCounts { sent, filled, cancelled, refused, ended, .. } = &taker.orders;
    assert_eq!((*sent, *filled, *cancelled, *refused), (5, 4, 0, 1));
    let ended: Vec<_> = ended.iter().map(|row| (row.outcome, row.reason, row.entries, row.exits)).collect();
    assert_eq!(ended, [(Outcome::Filled, "", 2, 2), (Outcome::Refused, "no book", 1, 0)]);
    assert_eq!(taker.time_to_fill_s, Some(FillTimes { p50: 0.0, p90: 0.0 }));
    near(taker.entered_value, 300.6);
    near(taker.gross, 1.7);
    near(taker.fees, 0.3);
    near(taker.net, 1.4);
    near(taker.gross_bps, 1e4 * 1.7 / 300.6);
    near(taker.net_bps, 1e4 * 1.4 / 300.6);
    assert_eq!((taker.maker_value, taker.break_even_maker_bps), (0.0, None));
    near(taker.taker_value, 605.3);
    near(taker.break_even_taker_bps, 1e4 * 1.7 / 605.3);
    near(taker.drawdown_max, 1.3);
    // Two legs in five seconds are no block.
    assert_eq!(taker.interval.unwrap().net_bps, None);
    let Shortfalls { entries, exits, all, unknown } = &taker.shortfall;
    parts(entries, 3, 300.6, [0.3, 0.4, 0.1, 0.15]);
    parts(exits, 2, 304.7, [0.3, 0.2, 0.0, 0.15]);
    parts(all, 5, 605.3, [0.6, 0.6, 0.1, 0.3]);
    assert_eq!(*unknown, 0);
    for (markout, (updates, count, mean)) in
        taker.markouts.iter().zip([(1, 2, 10.0), (5, 2, 10.0), (20, 2, 0.0), (100, 1, 200.0)])
    {
        assert_eq!((markout.updates, markout.filled.count), (updates, count));
        near(markout.filled.mean_bps, mean);
        assert_eq!(markout.unfilled, Drift::default());
    }
}

#[test]
fn makers_by_hand() {
    let numbers = numbers();
    let maker = numbers.account(Account::MakerQueue).unwrap();
    assert_eq!((maker.legs, maker.entered_legs, maker.open_legs), (3, 2, 1));
    assert_eq!((maker.entries, maker.entries_filled, maker.orders.cancelled_in_part), (3, 1, 1));
    assert_eq!(maker.time_to_fill_s, Some(FillTimes { p50: 2.0, p90: 2.0 }));
    near(maker.gross, 0.2);
    near(maker.fees, -0.03);
    near(maker.net, 0.23);
    // A leg of 99.9 is open, whose entry's rebate is in the net but in no basis points.
    near(maker.entered_value, 199.8);
    near(maker.closed_value, 99.9);
    near(maker.gross_bps, 1e4 * 0.2 / 99.9);
    near(maker.net_bps, 1e4 * 0.22 / 99.9);
    near(maker.maker_value, 200.0);
    near(maker.break_even_maker_bps, 1e4 * 0.2 / 200.0);
    near(maker.break_even_maker_bps_at(7.0), 1e4 * 0.2 / 200.0);
    assert_eq!(maker.break_even_taker_bps, None);
    let open = Open { legs: 1, entry_value: 99.9, mark_mid: Some(99.5), mark_walk: Some(99.4) };
    assert_eq!((maker.open_long, maker.open_short), (open, Open::default()));
    // Half a spread earned a fill, and a rebate.
    parts(&maker.shortfall.all, 3, 299.9, [-0.3, 0.0, 0.0, -0.03]);
    let [first, .., last] = &maker.markouts[..] else { panic!("four") };
    assert_eq!((first.filled.count, first.unfilled.count, last.filled.count), (2, 1, 1));
    near(first.filled.mean_bps, -15.0);
    near(first.unfilled.mean_bps, 10.0);
    near(last.filled.mean_bps, -100.0);
    let Makers { net, net_bps, net_bps_interval } = numbers.makers.unwrap();
    assert_eq!((net.low, net_bps, net_bps_interval), (0.0, None, None));
    near(net.high, 0.23);
    assert_eq!(numbers.account(Account::MakerTouch), None);
}

#[test]
fn what_a_maker_takes_is_no_second_entry() {
    let mut logs = sample();
    logs[0] += "maker-queue,4,2,entry,take,buy,,1,49,15000000000,0.9,99.9,100.1,40,100,60,49,15000000000,99.9,100.1,,49,15000000000,\
                refused,nothing to take,0,0,0\n";
    let numbers = ExecutionNumbers::of(&read(&logs).unwrap().unwrap());
    let maker = numbers.account(Account::MakerQueue).unwrap();
    assert_eq!((maker.orders.sent, maker.entries, maker.entries_filled), (5, 3, 1));
}

/// Legs every second, half of them of each account's own luck.
#[test]
fn intervals_are_those_of_the_legs() {
    let mut sample = sample();
    let mut random = 12_345_u64;
    let legs = (0..600_u64).map(|leg| {
        random = (1_103_515_245 * random + 12_345) % (1 << 31);
        let exit = 100.0 + ((random >> 16) % 201) as f64 / 1_000.0;
        let (at, closed) = (1_000_000_000 * leg as i64, 1_000_000_000 * leg as i64 + 500_000_000);
        let (profit, net) = (exit - 100.0, exit - 100.0 - 0.02);
        format!("maker-touch,{leg},long,{leg},{at},0.9,100,{leg},1,100,0.01,1,{exit},0.01,{profit},{net},{leg},{closed},0,0,,")
    });
    sample[3] = format!("{LEGS}\n{}\n", legs.collect::<Vec<_>>().join("\n"));
    let numbers = ExecutionNumbers::of(&read(&sample).unwrap().unwrap());
    let touch = numbers.account(Account::MakerTouch).unwrap();
    let interval = touch.interval.unwrap();
    assert!((45..=50).contains(&interval.blocks), "{interval:?}");
    let (gross, net) = (interval.gross_bps.unwrap(), interval.net_bps.unwrap());
    assert!(gross.low < 10.0 && gross.high > 10.0, "{gross:?}");
    near(gross.low - net.low, 2.0);
    near(touch.gross_bps.unwrap() - touch.net_bps.unwrap(), 2.0);
    assert!(interval.settings.block_s.unwrap() >= 5.0);
}

#[test]
fn inverse_contracts_win_where_the_value_falls() {
    let flip = |logs: &Logs| logs.inverse;
    assert_eq!(flip(&read(&sample()).unwrap().unwrap()), Some(false));
    let [orders, fills, markouts, legs] = sample();
    let legs = legs
        .replace(",2.9000000000000057,2.7000000000000055,", ",-2.9000000000000057,-3.1000000000000056,")
        .replace(",-1.1999999999999886,-1.2999999999999887,", ",1.1999999999999886,1.0999999999999885,")
        .replace(",0.19999999999998863,0.21999999999998862,", ",-0.19999999999998863,-0.17999999999998864,");
    let mirrored = read(&[orders, fills, markouts, legs]).unwrap().unwrap();
    assert_eq!(flip(&mirrored), Some(true));
}

#[test]
fn impossible_rows_are_named() {
    let change = |log: usize, from: &str, to: &str| {
        let mut logs = sample();
        assert!(logs[log].contains(from), "{from}");
        logs[log] = logs[log].replacen(from, to, 1);
        read(&logs).unwrap_err()
    };
    for (log, from, to, error) in [
        (0, "account,", "acount,", "r.orders.csv, line 1: no column account; is it a log of executions?"),
        (0, "kind,", "leg,", "r.orders.csv, line 1: two columns leg; is it a log of executions?"),
        (
            0,
            "taker,0,0,entry",
            "baker,0,0,entry",
            "r.orders.csv, line 2, column 1 (account): 'baker' is not taker, maker-through, maker-queue or maker-touch",
        ),
        (
            0,
            ",0.9,99.9",
            ",1.9,99.9",
            "r.orders.csv, line 2, column 11 (probability): '1.9' is not a number from 0 to 1",
        ),
        (
            0,
            ",no book,0,",
            ",no book,1,",
            "r.orders.csv, line 5: no order ends refused for the reason 'no book' with 1 filled",
        ),
        (0, "taker,1,0,exit", "taker,0,0,exit", "r.orders.csv, line 3: order 0 of taker ended before"),
        (
            0,
            ",200.7,0.1",
            ",200.6,0.1",
            "r.orders.csv: order 0 of taker has a filled_value of 200.6, its fills come to 200.7",
        ),
        (
            0,
            ",no book,",
            ",no luck,",
            "r.orders.csv, line 5, column 25 (reason): 'no luck' is not nothing or a reason that orders end for",
        ),
        (1, "taker,0,0,0,", "taker,0,9,0,", "r.fills.csv, line 2: taker has no order 9"),
        (
            1,
            "taker,0,0,0,entry,buy",
            "taker,0,0,0,entry,sell",
            "r.fills.csv, line 2: order 0 has another leg, purpose or side than its fill",
        ),
        (
            1,
            ",100.3,1,100.3,",
            ",NaN,1,100.3,",
            "r.fills.csv, line 2, column 11 (price): 'NaN' is not a number above 0",
        ),
        (2, "taker,2,", "taker,1,", "r.markouts.csv, line 3: order 1 is no entry"),
        (3, ",0.1,2,203.6", ",0.1,1,203.6", "r.legs.csv, line 2: 2 was entered, 1 exited or still open"),
        (
            3,
            ",2.7000000000000055,",
            ",2.9,",
            "r.legs.csv, line 2: net 2.9 is not profit 2.9000000000000057 less fees 0.2",
        ),
        (
            3,
            ",2.9000000000000057,2.7000000000000055,",
            ",2,1.8,",
            "r.legs.csv, line 2: profit 2 is not what exit value less entry value comes to",
        ),
        (
            3,
            ",-1.1999999999999886,-1.2999999999999887,",
            ",1.1999999999999886,1.0999999999999885,",
            "r.legs.csv, line 4: profit 1.1999999999999886 has another sign than the values of the legs before say",
        ),
        (3, "taker,2,long", "taker,0,long", "r.legs.csv, line 3: leg 0 of taker was closed before"),
        (3, ",21,2,200.7", ",21,200.7", "r.legs.csv, line 2: 21 columns instead of 22"),
    ] {
        assert_eq!(change(log, from, to), error);
    }
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("r.csv");
    fs::write(csv.with_extension("legs.csv"), LEGS).unwrap();
    let error = Logs::read(&csv).unwrap_err().to_string();
    assert!(error.starts_with("there is no ") && error.ends_with("r.legs.csv"), "{error}");
    let mut logs = sample();
    logs[2].clear();
    assert_eq!(read(&logs).unwrap_err(), "r.markouts.csv, line 1: it is empty; is it a log of executions?");
}

#[test]
fn a_row_that_was_cut_is_left_out() {
    let mut logs = sample();
    logs[2].push_str("maker-queue,3,10");
    let cut = read(&logs).unwrap().unwrap().cut;
    assert_eq!((cut.len(), cut[0].1), (1, 7));
    assert!(cut[0].0.ends_with("r.markouts.csv"));
}

#[test]
fn a_killed_run_leaves_fills_without_their_orders() {
    let mut logs = sample();
    let orders = logs[0].lines().count();
    let last = logs[0].lines().nth(orders - 1).unwrap().len() + 1;
    logs[0].truncate(logs[0].len() - last);
    assert!(read(&logs).unwrap_err().contains(" has no order "));
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("r.csv");
    Logs::paths(&csv).iter().zip(&logs).for_each(|(path, text)| fs::write(path, text).unwrap());
    // An interval log is begun with the run, percentiles are written at its end.
    fs::write(csv.with_extension("hlog"), "").unwrap();
    let killed = Logs::read(&csv).unwrap().unwrap();
    assert!(killed.left_out > 0 && killed.cut.is_empty());
    fs::write(csv.with_extension("hgrm"), "").unwrap();
    assert!(Logs::read(&csv).unwrap_err().to_string().contains(" has no order "));
}
