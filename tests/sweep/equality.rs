//! Every row is what a replay with its settings says, whatever else is swept beside it.

use crate::common::{papertrader, shared_data, succeed};
use crate::support::{Markets, model, sweep};
use papertrader::strategy::model::Model;
use papertrader::sweep::grid::{Axes, values};
use papertrader::sweep::plan::{Plan, PlannedModel};
use papertrader::sweep::result::{Execution, Row, Setting, SweepResult};
use papertrader::sweep::{Sweep, Watch, gather, log_name};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A number below a bound.
fn below(random: &mut Xoshiro256PlusPlus, bound: usize) -> usize {
    (random.next_u64() % bound as u64) as usize
}

fn as_number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// The figures of a row by the original's rules against those of `RUN.json`.
fn is_of_trades(row: &Row, run: &Value) {
    let trades = &run["trades"];
    assert_eq!((Some(row.trades), Some(row.winners)), (trades["trades"].as_u64(), trades["winners"].as_u64()));
    let held = as_number(&trades["held_s"]["p50"]);
    let [gross, net] = ["gross_bps", "net_bps"].map(|name| &trades["interval"][name]);
    for (name, swept, replayed) in [
        ("win rate", row.win_rate, as_number(&trades["win_rate"])),
        ("bought", Some(row.bought), as_number(&trades["bought"])),
        ("gross profit", Some(row.gross_profit), as_number(&trades["gross_profit"])),
        ("net profit", Some(row.net_profit), as_number(&trades["net_profit"])),
        ("gross bps", row.gross_bps, as_number(&trades["gross_bps"])),
        ("net bps", row.net_bps, as_number(&trades["net_bps"])),
        ("gross low", row.gross_bps_interval.map(|of| of.low), as_number(&gross["low"])),
        ("gross high", row.gross_bps_interval.map(|of| of.high), as_number(&gross["high"])),
        ("net low", row.net_bps_interval.map(|of| of.low), as_number(&net["low"])),
        ("net high", row.net_bps_interval.map(|of| of.high), as_number(&net["high"])),
        ("break-even fee", row.break_even_fee_bps, as_number(&trades["break_even_fee_bps"])),
        ("drawdown", Some(row.drawdown_max), as_number(&trades["drawdown_max"])),
        ("held", row.held_s_p50, held),
        ("open", Some(row.open as f64), as_number(&run["counters"]["trading"]["open_positions"])),
        ("blocks", row.blocks.map(|blocks| blocks as f64), as_number(&trades["interval"]["blocks"])),
    ] {
        assert_eq!(swept, replayed, "{name}");
    }
    assert_eq!(row.finding.as_deref(), trades["finding"].as_str());
    // Each kind is among them, and each of them is of a kind.
    let across = trades["held_across_gaps"]["trades"].as_u64();
    let kinds = [across, trades["took_again"].as_u64(), trades["below_lot"].as_u64()].map(Option::unwrap_or_default);
    let doubtful = row.doubtful.unwrap();
    assert!(kinds.iter().all(|&kind| kind <= doubtful) && doubtful <= kinds.iter().sum(), "{doubtful} of {kinds:?}");
    assert!(doubtful > 0 || row.doubtful_net_profit == Some(0.0));
    let others = row.net_profit - row.doubtful_net_profit.unwrap();
    assert!(doubtful < row.trades || others.abs() <= 1e-9 * row.bought, "{others}");
}

/// The same of an account.
fn is_of_account(row: &Row, execution: Execution, run: &Value) {
    let accounts = run["executions"]["accounts"].as_array().unwrap();
    let name = execution.name().replace('-', "_");
    let is_it = |account: &&Value| account["account"].as_str().map(|it| it.replace('-', "_")) == Some(name.clone());
    let Some(account) = accounts.iter().find(is_it) else {
        // A replay leaves out who did nothing.
        assert_eq!((row.trades, row.orders, row.net_profit), (0, Some(0), 0.0));
        return;
    };
    let fee = if execution.is_maker() { "break_even_maker_bps" } else { "break_even_taker_bps" };
    let interval = &account["interval"];
    for (name, swept, replayed) in [
        ("gross", Some(row.gross_profit), as_number(&account["gross"])),
        ("net", Some(row.net_profit), as_number(&account["net"])),
        ("gross bps", row.gross_bps, as_number(&account["gross_bps"])),
        ("net bps", row.net_bps, as_number(&account["net_bps"])),
        ("gross low", row.gross_bps_interval.map(|of| of.low), as_number(&interval["gross_bps"]["low"])),
        ("net high", row.net_bps_interval.map(|of| of.high), as_number(&interval["net_bps"]["high"])),
        ("bought", Some(row.bought), as_number(&account["closed_value"])),
        ("break-even fee", row.break_even_fee_bps, as_number(&account[fee])),
        ("drawdown", Some(row.drawdown_max), as_number(&account["drawdown_max"])),
        ("open", Some(row.open as f64), as_number(&account["open_legs"])),
        ("orders", row.orders.map(|orders| orders as f64), as_number(&account["orders"]["sent"])),
        ("fill rate", row.fill_rate, as_number(&account["fill_rate"])),
        ("fees", row.fees, as_number(&account["fees"])),
    ] {
        assert_eq!(swept, replayed, "{name}");
    }
}

/// Replays a setting, and holds its logs and figures against the sweep's.
fn is_replayed(result: &SweepResult, out: &Path, capture: &Path, row: &Row, fees: &str, accounts: &[&str]) {
    let setting = &result.settings[row.setting as usize];
    let mut replay = papertrader();
    replay.arg("replay").arg(capture).arg("--model").arg(&result.models[setting.model as usize].path);
    replay.args(["--threshold", &setting.threshold.to_string(), "--lag", &setting.lag_updates.to_string()]);
    replay
        .args(["--buy-amount", &setting.buy_amount.to_string(), "--override-model", "--fused"])
        .args(fees.split_whitespace());
    let execution = if setting.execution.is_maker() { "maker" } else { setting.execution.name() };
    replay.args(["--execution", execution]);
    // What is for makers alone is refused beside others.
    let is_for = |option: &&&str| setting.execution.is_maker() || !option.contains("maker");
    if setting.execution != Execution::Original {
        replay.args(accounts.iter().filter(is_for).flat_map(|option| option.split_whitespace()));
    }
    if let Some(ns) = setting.order_latency_ns {
        replay.args(["--order-latency", &format!("{ns}ns")]);
    }
    succeed(replay.args(["--name", "single", "--force", "--out"]).arg(out));
    let logs = out.join("grid.sweep.logs").join(log_name(row.capture, row.setting));
    let ends = ["csv", "orders.csv", "fills.csv", "markouts.csv", "legs.csv"];
    let ends = if setting.execution == Execution::Original { &ends[..1] } else { &ends };
    for ending in ends {
        let [swept, single] = [logs.with_extension(ending), out.join("single.x").with_extension(ending)]
            .map(|path| fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        assert!(swept == single, "{setting:?}: {ending} differs");
    }
    let run: Value = serde_json::from_str(&fs::read_to_string(out.join("single.json")).unwrap()).unwrap();
    match setting.execution {
        Execution::Original => is_of_trades(row, &run),
        execution => is_of_account(row, execution, &run),
    }
    // The slices hold what was won and spent, but for rounding.
    let closed_net = match setting.execution {
        Execution::Original => Some(row.net_profit),
        _ => row.net_bps.map(|bps| bps * row.bought / 1e4),
    };
    let net: f64 = row.slice_net.iter().sum();
    let size = row.bought.max(1.0) * 1e-9;
    assert!((net - closed_net.unwrap_or(0.0)).abs() <= size, "{net} {closed_net:?}");
    assert!((row.slice_bought.iter().sum::<f64>() - row.bought).abs() <= size);
}

/// Sweeps, draws so many rows of every execution by a seed, and replays them.
fn draws(captures: &[PathBuf], out: &Path, (seed, draws): (u64, usize), grid: &str, fees: &str, accounts: &[&str]) {
    let all = [grid, fees, "--keep-logs"].into_iter().chain(accounts.iter().copied());
    let words: Vec<&str> = all.flat_map(str::split_whitespace).collect();
    succeed(&mut sweep(captures, out, "grid", &words));
    let result = SweepResult::read(&out.join("grid.sweep.json")).unwrap();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    for execution in Execution::ALL {
        let of = |row: &&Row| result.settings[row.setting as usize].execution == execution;
        let rows: Vec<&Row> = result.rows.iter().filter(of).collect();
        if rows.is_empty() {
            continue;
        }
        for _ in 0..draws {
            let row = rows[below(&mut random, rows.len())];
            is_replayed(&result, out, &captures[row.capture as usize], row, fees, accounts);
        }
        let traded = rows.iter().filter(|row| row.trades > 0).count();
        assert!(traded > 0, "nothing to compare: no row of {} has a trade", execution.name());
    }
}

#[test]
fn rows_of_generated_markets_are_those_of_replays() {
    let markets = Markets::new(2, 800);
    let [one, two] = ["imbalance.json", "synthetic.json"].map(|name| model(name).display().to_string());
    let grid = format!(
        "--model {one} {two} --threshold 0.45:0.55:0.1 --lag 1,15,80 --buy-amount 5,20000 \
         --execution original,taker,maker --order-latency none,3ms"
    );
    draws(&markets.captures, &markets.path("a"), (1, 3), &grid, "--fee-bps 0.5", &[]);
    let grid = "--threshold 0.5,0.6 --lag 3,40 --buy-amount 1000 --execution original,taker,maker-queue";
    let accounts = ["--short", "--maker-then take", "--hold-back none", "--slippage-cap 5"];
    draws(&markets.captures, &markets.path("b"), (2, 2), grid, "--maker-fee-bps -0.5 --taker-fee-bps 2", &accounts);
}

#[test]
fn rows_of_real_markets_are_those_of_replays() {
    let Some(data) = shared_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let captures = ["btc-spot-a.trades.l2.gz", "btc-perp-a.trades.l2.gz"].map(|name| data.join("captures").join(name));
    let grid =
        "--threshold 0.6,0.8 --lag 5,50 --buy-amount 5000 --execution original,taker,maker-queue --order-latency 5ms";
    draws(&captures[..1], folder.path(), (3, 1), grid, "", &["--order-lot 0.00000001"]);
    let grid = "--threshold 0.5:0.9:0.1 --lag 5,20,50";
    draws(&captures, &folder.path().join("both"), (4, 3), grid, "--fees coinbase-exchange", &[]);
}

fn planned(captures: &[PathBuf]) -> Plan {
    let axes = Axes {
        models: vec![(values("0.4:0.7:0.1").unwrap(), vec![2, 30]), (values("0.5,0.9").unwrap(), vec![7])],
        buy_amounts: vec![300.0],
        executions: vec![Execution::Original, Execution::MakerTouch, Execution::Taker, Execution::MakerQueue],
        order_latencies_ns: vec![None, Some(1_000_000)],
    };
    let models = ["imbalance.json", "synthetic.json"];
    let models = models.map(|name| PlannedModel::of(Model::read(&model(name)).unwrap()).unwrap());
    Plan { slices: 7, ..Plan::new(models.to_vec(), axes.settings().unwrap(), captures.to_vec()) }
}

/// Parts made anywhere, in any order and on any number of threads, are put together to what one run gives.
#[test]
fn parts_of_a_grid_are_the_rows_of_the_whole() {
    let markets = Markets::new(2, 800);
    let sweep = Sweep::open(planned(&markets.captures), 2).unwrap();
    let nobody = Watch::nobody();
    let whole = sweep.run(1, Vec::new(), &nobody, |_| Ok(())).unwrap();
    assert_eq!(whole.rows.len() as u64, sweep.plan().rows());
    assert_eq!(sweep.run(3, Vec::new(), &nobody, |_| Ok(())).unwrap(), whole);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
    let mut parts = Vec::new();
    for capture in [1, 0] {
        let mut left: Vec<u32> = sweep.plan().settings.iter().map(|setting| setting.number).collect();
        while !left.is_empty() {
            let many = 1 + below(&mut random, left.len());
            let chosen: Vec<u32> = (0..many).map(|_| left.swap_remove(below(&mut random, left.len()))).collect();
            parts.push(sweep.part(capture, &chosen, 1 + below(&mut random, 3), &nobody).unwrap());
        }
    }
    assert_eq!(gather(sweep.plan(), parts.clone(), Vec::new()).unwrap(), whole);
    // What is done is not done again.
    let done: Vec<_> = parts.iter().step_by(2).cloned().collect();
    let rows_done: usize = done.iter().map(|part| part.rows.len()).sum();
    let mut made = 0;
    let again = sweep.run(2, done, &nobody, |part| {
        made += part.rows.len();
        Ok(())
    });
    assert_eq!((again.unwrap(), made), (whole.clone(), whole.rows.len() - rows_done));
    // A missing part is missed, and one of another file is seen.
    let error = gather(sweep.plan(), parts[1..].to_vec(), Vec::new()).unwrap_err().to_string();
    assert!(
        error.starts_with("stopped: ") && error.ends_with(&format!(" of {} rows are done", whole.rows.len())),
        "{error}"
    );
    parts[0].capture.sha256 = "of another".into();
    let error = gather(sweep.plan(), parts, Vec::new()).unwrap_err().to_string();
    assert!(error.contains("changed while it was swept; leave it alone and sweep again"), "{error}");
}

#[test]
fn returns_are_by_setting_slice_and_capture() {
    let markets = Markets::new(2, 400);
    let plan = planned(&markets.captures);
    let sweep = Sweep::open(plan, 2).unwrap();
    let whole = sweep.run(2, Vec::new(), &Watch::nobody(), |_| Ok(())).unwrap();
    let returns = whole.returns();
    assert_eq!((returns.len(), returns[0].len()), (whole.settings.len(), 2 * 7));
    for (setting, column) in whole.settings.iter().zip(&returns) {
        let Setting { number, buy_amount, .. } = *setting;
        for (place, slices) in column.chunks(7).enumerate() {
            let row = &whole.rows_of(place)[number as usize];
            let due: Vec<f64> = row.slice_net.iter().map(|net| net / buy_amount).collect();
            assert_eq!((row.setting, row.capture as usize, slices), (number, place, &due[..]));
        }
    }
    assert!(returns.iter().flatten().any(|&net| net != 0.0));
}

/// The same bytes on any number of threads.
#[test]
fn threads_change_no_byte() {
    let markets = Markets::new(3, 600);
    let grid = ["--threshold", "0.4:0.7:0.05", "--lag", "2,10", "--execution", "original,taker,maker"];
    for threads in ["1", "2", "5"] {
        let more = [&grid[..], &["--threads", threads, "--buy-amount", "400"]].concat();
        succeed(&mut markets.sweep(&format!("on_{threads}"), &more));
    }
    markets.same("on_1", "on_2");
    markets.same("on_1", "on_5");
    assert_eq!(markets.result("on_1").rows.len(), 3 * 7 * 2 * 5);
    // The table holds what the file for machines does.
    let csv = String::from_utf8(markets.bytes("on_1", "csv")).unwrap();
    let result = markets.result("on_1");
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    for (line, row) in csv.lines().skip(1).zip(&result.rows) {
        let cells: Vec<&str> = line.split(',').collect();
        let setting = &result.settings[row.setting as usize];
        assert_eq!(cells.len(), header.len());
        assert_eq!(cells[column("threshold")].parse(), Ok(setting.threshold));
        assert_eq!(cells[column("execution")], setting.execution.name());
        assert_eq!(cells[column("net_profit_quote")].parse(), Ok(row.net_profit));
        assert_eq!(cells[column("trades")].parse(), Ok(row.trades));
        assert_eq!(cells[column("fill_rate")].parse().ok(), row.fill_rate);
    }
    assert_eq!(csv.lines().count(), 1 + result.rows.len());
}
