//! `papertrader sweep`: many settings over many captures.
//!
//! ```
//! use clap::Parser;
//! use papertrader::cli::printer::Printer;
//! use papertrader::cli::{Cli, Command, commands};
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 500 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! std::env::set_current_dir(&folder)?;
//! synthetic::capture(folder.path(), 500)?;
//! std::fs::write("imbalance.json", r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#)?;
//! let arguments = "papertrader sweep market.txt --model imbalance.json --threshold 0.5:0.7:0.1 --lag 5,20 --out . --name grid";
//! let Command::Sweep(args) = Cli::try_parse_from(arguments.split(' '))?.command else { panic!("another command") };
//! commands::sweep::run(&args, &mut Printer::stdout()).expect("the capture is whole");
//! assert_eq!(std::fs::read_to_string("grid.sweep.csv")?.lines().count(), 1 + 6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod elsewhere;
mod places;

pub use self::elsewhere::{Elsewhere, part};
pub use crate::cli::arguments::{GridArgs, List, SweepArgs, SweepResultArgs};

use self::places::Places;
use crate::base::failure::Failure;
use crate::base::output::{Output, OutputError};
use crate::cli::arguments::{AMOUNT_MAX, LAG_UPDATES, THRESHOLD, no_timeout};
use crate::cli::display::{bar, warn};
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::execution::fees::{FeePlan, FeeSchedule};
use crate::execution::rules::LAG_MAX;
use crate::feed::intake::ScaleRule;
use crate::report::sweep::publish::publish;
use crate::report::sweep::terminal;
use crate::report::text::{Grouped, counted};
use crate::run::files::{execution_logs, stem_now};
use crate::sources::files::expand;
use crate::strategy::model::Model;
use crate::sweep::grid::{Axes, SWEEP_ROWS_MAX, SWEEP_ROWS_UNASKED};
use crate::sweep::journal::{Identity, Journal, check_captures};
use crate::sweep::plan::{Plan, PlannedModel};
use crate::sweep::result::{Row, SweepResult};
use crate::sweep::{Part, STEPS, Sweep, Watch, log_name, tables};
use std::path::PathBuf;
use std::sync::Mutex;
use std::{fs, thread};

/// Reads the models and makes the grid.
fn planned(args: &SweepArgs, captures: Vec<PathBuf>, files: &Places) -> Result<Plan, Failure> {
    let (options, grid) = (args.of_model.options(), &args.grid);
    let mut models: Vec<PlannedModel> = Vec::new();
    for path in &grid.model {
        let model = Model::read_with(path, &options).map_err(Failure::input)?;
        models.push(PlannedModel::of(model).map_err(Failure::input)?);
        let (last, before) = models.split_last().expect("one was pushed");
        if let Some(same) = before.iter().find(|model| model.facts.sha256 == last.facts.sha256) {
            let (path, same) = (path.display(), &same.facts.path);
            return Err(Failure::input(format!(
                "--model: {path} and {same} are the same model, and would count twice"
            )));
        }
    }
    let list = |given: &Option<List<f64>>, own: f64| given.as_ref().map_or_else(|| vec![own], |list| list.0.clone());
    let axes = |planned: &PlannedModel| {
        let Model { threshold, horizon_updates, .. } = *planned.model;
        let own_lag = horizon_updates.unwrap_or(LAG_UPDATES);
        if grid.lag.is_none() && !(1..=LAG_MAX).contains(&own_lag) {
            let file = &planned.facts.path;
            let wrong = format!("model {file}: horizon_updates is {own_lag}; it lies from 1 to {LAG_MAX}");
            return Err(Failure::input(wrong));
        }
        let lags = grid.lag.as_ref().map_or_else(|| vec![own_lag], |list| list.0.clone());
        Ok((list(&grid.threshold, threshold.unwrap_or(THRESHOLD)), lags))
    };
    let latencies = grid.order_latency.as_ref().map_or_else(|| vec![None], |list| list.0.clone());
    let axes = Axes {
        models: models.iter().map(axes).collect::<Result<_, _>>()?,
        buy_amounts: grid.buy_amount.0.clone(),
        executions: grid.execution.0.clone(),
        order_latencies_ns: latencies,
    };
    let settings = axes.settings().map_err(Failure::input)?;
    let fees = args.fees.plan()?;
    let fee_bps = fees.as_ref().map_or(args.fees.fee_bps, |plan| plan.first_tier().taker_bps);
    let of_accounts = fees.clone().map_or_else(|| flat(fee_bps), Ok)?;
    let rule = ScaleRule { price_decimals: grid.tick_size, size_decimals: grid.lot_size };
    let plan = Plan {
        market: args.source.settings(args.product.as_deref(), rule)?,
        fee_bps,
        fees,
        accounts: args.of_accounts.plan(of_accounts),
        slices: args.results.slices,
        logs: args.results.keep_logs.then(|| files.logs.clone()),
        spill: args.results.out.clone(),
        ..Plan::new(models, settings, captures)
    };
    check_accounts(args, &plan)?;
    Ok(plan)
}

fn flat(fee_bps: f64) -> Result<FeePlan, Failure> {
    let schedule = FeeSchedule::flat("as given", fee_bps, fee_bps).map_err(Failure::input)?;
    Ok(FeePlan { schedule, trailing_value: 0.0 })
}

/// Options of accounts without their execution, and what no account can have.
fn check_accounts(args: &SweepArgs, plan: &Plan) -> Result<(), Failure> {
    let accounts = || plan.settings.iter().filter(|setting| setting.execution.account().is_some());
    let makers = || plan.settings.iter().filter(|setting| setting.execution.is_maker());
    if let Some(option) = args.of_accounts.given_maker().filter(|_| makers().next().is_none()) {
        return Err(Failure::input(format!("{option} needs --execution maker")));
    }
    let latency = args.grid.order_latency.as_ref().map(|_| "--order-latency");
    if let Some(option) = latency.or(args.of_accounts.given()).filter(|_| accounts().next().is_none()) {
        return Err(Failure::input(format!("{option} needs --execution taker or maker")));
    }
    if accounts().any(|setting| setting.buy_amount > AMOUNT_MAX) {
        let wrong = format!("--buy-amount: beside the original's, executions take {AMOUNT_MAX:e} at most");
        return Err(Failure::input(wrong));
    }
    let Some(timeout) = plan.accounts.maker_timeout_updates else { return Ok(()) };
    match makers().find(|setting| !(1..=setting.lag_updates).contains(&timeout)) {
        Some(setting) => Err(no_timeout(setting.lag_updates)),
        None => Ok(()),
    }
}

/// Refuses more rows than are held, and asks about many.
fn check_rows(args: &SweepArgs, plan: &Plan) -> Result<(), Failure> {
    let (settings, captures) = (plan.settings.len() as u64, plan.captures.len() as u64);
    let all = || {
        format!(
            "{} over {} are {} rows",
            counted(settings, "setting"),
            counted(captures, "capture"),
            Grouped(plan.rows())
        )
    };
    if plan.rows() > SWEEP_ROWS_MAX {
        return Err(Failure::input(format!("{}; a sweep has at most {}", all(), Grouped(SWEEP_ROWS_MAX))));
    }
    if plan.rows() > SWEEP_ROWS_UNASKED && !args.grid.yes {
        return Err(Failure::input(format!("{}; give --yes if that is meant", all())));
    }
    Ok(())
}

/// Sweeps, and fails if a capture broke on the way.
///
/// # Errors
/// Bad arguments, models or captures, or files that cannot be written.
pub fn run(args: &SweepArgs, printer: &mut Printer) -> Result<(), Failure> {
    sweep(args, printer).map(|_| ())
}

/// The same; gives the table's CSV file too, beside which the others lie.
///
/// # Errors
/// As for [`run`].
pub fn sweep(args: &SweepArgs, printer: &mut Printer) -> Result<PathBuf, Failure> {
    let (plan, files) = prepared(args, expand(&args.captures).map_err(Failure::input)?)?;
    let results = &args.results;
    let threads = results.threads.map_or_else(|| thread::available_parallelism().map_or(1, Into::into), usize::from);
    let interrupt = Interrupt::watch()?;
    let identity = Identity::of(&plan);
    let sweep = Sweep::open(plan, threads).map_err(Failure::input)?;
    let (journal, done) = begun(results, &files, &identity)?;
    let journal = Mutex::new(journal);
    let bar = bar(sweep.plan().rows() * STEPS, "rows");
    let watch = Watch { progress: &|steps| bar.set_position(steps), stop: &|| interrupt.is_set() };
    let swept =
        sweep.run(threads, done, &watch, |part| journal.lock().unwrap_or_else(|lock| lock.into_inner()).add(part));
    bar.finish_and_clear();
    // Nothing of it is held: systems that lock files remove the journal then.
    drop(journal);
    let result = swept.map_err(|error| files.stopped(error))?;
    let broken = result.broken.first().map(|first| (result.broken.len(), first.path.clone()));
    left(&result, sweep.plan(), (results, &files), printer)?;
    match broken {
        None => Ok(files.csv),
        Some((count, first)) => {
            let due = sweep.plan().captures.len();
            Err(Failure::running(format!(
                "{count} of {due} captures broke, the first {first}; mend or remove them, and give --resume for their rows"
            )))
        }
    }
}

/// Everything that needs no capture: reads the models, makes the grid and looks at all places.
fn prepared(args: &SweepArgs, captures: Vec<PathBuf>) -> Result<(Plan, Places), Failure> {
    let results = &args.results;
    let stem = results.name.clone().unwrap_or_else(|| stem_now("sweep"));
    let files = Places::of(&results.out, &stem);
    let list = args.of_model.file().map(Into::into);
    let models = args.grid.model.iter().cloned().chain(args.fees.file()).chain(list);
    let inputs: Vec<PathBuf> = args.source.inputs(&captures).into_iter().chain(models).collect();
    let plan = planned(args, captures, &files)?;
    check_rows(args, &plan)?;
    files.check(results, &inputs)?;
    Ok((plan, files))
}

/// The journal, and what it has.
fn begun(results: &SweepResultArgs, files: &Places, identity: &Identity) -> Result<(Journal, Vec<Part>), Failure> {
    if results.resume {
        let (journal, mut done) = Journal::go_on(&files.journal, identity).map_err(Failure::input)?;
        check_captures(&files.journal, &done).map_err(Failure::input)?;
        if results.keep_logs {
            // Rows whose logs are gone are made again, and their logs.
            let are_kept = |row: &Row| {
                let log = files.logs.join(log_name(row.capture, row.setting));
                let setting = identity.settings.get(row.setting as usize);
                let of_account =
                    setting.and_then(|setting| setting.execution.account()).map(|_| execution_logs(&log, "csv"));
                log.exists() && of_account.iter().flatten().all(|log| log.exists())
            };
            done.retain(|part| part.rows.iter().all(are_kept));
        }
        return Ok((journal, done));
    }
    files.remove_logs()?;
    Ok((Journal::begin(&files.journal, identity, results.force).map_err(Failure::input)?, Vec::new()))
}

/// Writes what a sweep came to. The journal goes unless a capture broke: everything that it says is in the results.
fn left(
    result: &SweepResult,
    plan: &Plan,
    (results, files): (&SweepResultArgs, &Places),
    printer: &mut Printer,
) -> Result<(), Failure> {
    let replace = results.force || results.resume;
    tables::write(result, &files.csv, &files.parquet, replace).map_err(Failure::running)?;
    let mut json = Output::create(&files.json, replace).map_err(Failure::running)?;
    result.write_json(&mut json).map_err(OutputError::at(&files.json)).map_err(Failure::running)?;
    json.finish().map_err(Failure::running)?;
    let report = publish(result, &files.report, replace).map_err(Failure::running)?;
    let rows = counted(result.rows.len() as u64, "row");
    let captures = counted(result.captures.len() as u64, "capture");
    printer.print(format_args!("sweep: {rows} of {captures}\n{}wrote\n", terminal(&report)));
    let logs = plan.logs.iter().filter(|logs| logs.exists());
    files.results().into_iter().chain(logs).for_each(|path| printer.print(format_args!("  {}\n", path.display())));
    report.warnings.iter().for_each(warn);
    if result.broken.is_empty() {
        fs::remove_file(&files.journal).map_err(OutputError::at(&files.journal)).map_err(Failure::running)?;
    }
    Ok(())
}
