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

use crate::base::failure::Failure;
use crate::base::output::{IfTaken, Output, OutputError, check};
use crate::base::places::check_apart;
use crate::cli::arguments::{
    AMOUNT_MAX, AccountArgs, BUY_AMOUNT, FeeArgs, LAG_UPDATES, MarketArgs, ModelArgs, THRESHOLD, no_timeout,
    parse_amount, parse_latency, parse_name, parse_product, parse_threshold,
};
use crate::cli::display::{bar, warn};
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::execution::fees::{FeePlan, FeeSchedule};
use crate::execution::rules::LAG_MAX;
use crate::feed::intake::ScaleRule;
use crate::market::units::parse_step;
use crate::report::sweep::publish::{SweepFiles, publish};
use crate::report::sweep::terminal;
use crate::report::text::{Grouped, counted};
use crate::run::files::{execution_logs, stem_now};
use crate::sources::files::expand;
use crate::strategy::model::Model;
use crate::sweep::grid::{self, Axes, SWEEP_ROWS_MAX, SWEEP_ROWS_UNASKED};
use crate::sweep::journal::{Identity, Journal, check as check_part, check_captures};
use crate::sweep::plan::{Plan, PlannedModel};
use crate::sweep::result::{BrokenCapture, Execution, Row, SLICES, SLICES_MAX, SweepResult};
use crate::sweep::{Part, STEPS, Sweep, SweepError, Watch, check as check_plan, gather, is_log_name, log_name, tables};
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{fs, thread};

/// Arguments of `papertrader sweep`.
#[derive(Clone, Debug, Args)]
pub struct SweepArgs {
    /// Recorded markets, of any format, each of its own; folders and patterns stand for their files
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Product to trade [default: the first in each capture]
    #[arg(long, value_name = "NAME", value_parser = parse_product)]
    pub product: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: MarketArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub grid: GridArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub fees: FeeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub of_accounts: AccountArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub of_model: ModelArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub results: SweepResultArgs,
}

/// What is combined. A LIST is values and ranges FROM:TO:STEP, separated by commas.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Grid")]
pub struct GridArgs {
    /// Model files; give several, or the option several times
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub model: Vec<PathBuf>,
    /// Buy when the model's probability is at least this: values and ranges, such as 0.5:0.9:0.05 [default: each model file's,
    /// else 0.6]
    #[arg(long, value_name = "LIST", value_parser = parse_thresholds)]
    pub threshold: Option<List<f64>>,
    /// Holding periods in book updates: values and ranges, such as 5,10:50:10 [default: each model file's horizon, else 20]
    #[arg(long, value_name = "LIST", value_parser = parse_lags)]
    pub lag: Option<List<u32>>,
    /// Quote currency spent per purchase: values and ranges
    #[arg(long, value_name = "LIST", default_value_t = List(vec![BUY_AMOUNT]), value_parser = parse_amounts)]
    pub buy_amount: List<f64>,
    /// Who trades: original, taker, maker-through, maker-queue, maker-touch; maker is the three
    #[arg(long, value_name = "LIST", default_value = "original", value_parser = parse_executions)]
    pub execution: List<Execution>,
    /// Times from a decision to the venue, such as none,250us,5ms, for all but the original, whose orders act in the deciding
    /// instant [default: none]
    #[arg(long, value_name = "LIST", value_parser = parse_latencies)]
    pub order_latency: Option<List<Option<i64>>>,
    /// The price step, a power of ten such as 0.01 [default: what the first snapshot needs]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub tick_size: Option<u8>,
    /// The quantity step, a power of ten such as 0.00000001 [default: what the first snapshot needs]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub lot_size: Option<u8>,
    /// Sweep more than 10,000 rows, settings times captures
    #[arg(long)]
    pub yes: bool,
}

/// Where the results go, and how much of them.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Results")]
pub struct SweepResultArgs {
    /// Folder for the table NAME.sweep.csv and .parquet, the page .html, and .json and .report.json for machines
    #[arg(long, value_name = "FOLDER", default_value = "simulations")]
    pub out: PathBuf,
    /// Name of the files in it, without ending [default: start time]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub name: Option<String>,
    /// Replace files that exist
    #[arg(long, conflicts_with = "resume")]
    pub force: bool,
    /// Go on with the sweep of that name that was stopped, or in which captures broke
    #[arg(long, requires = "name")]
    pub resume: bool,
    /// Keep the logs of every setting over every capture as a replay writes them: NAME.sweep.logs/CAPTURE-SETTING.csv
    #[arg(long)]
    pub keep_logs: bool,
    /// Equal slices of each capture's time, for which net profit is kept
    #[arg(long, value_name = "N", default_value_t = SLICES, value_parser = clap::value_parser!(u32).range(1..=i64::from(SLICES_MAX)))]
    pub slices: u32,
    /// Threads [default: the cores that the process may use]; rows do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// Values in one argument.
#[derive(Clone, Debug, PartialEq)]
pub struct List<T>(pub Vec<T>);

impl<T: Display> Display for List<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, value) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Numbers and ranges, each of which `read` reads as an option of one value would.
fn parse_list<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<List<T>, String> {
    let values = grid::values(text).map_err(|error| error.to_string())?;
    let read = |value: &f64| read(&value.to_string()).map_err(|what| format!("{value}: {what}"));
    values.iter().map(read).collect::<Result<_, _>>().map(List)
}

fn parse_thresholds(text: &str) -> Result<List<f64>, String> {
    parse_list(text, parse_threshold)
}

fn parse_amounts(text: &str) -> Result<List<f64>, String> {
    parse_list(text, parse_amount)
}

fn parse_lags(text: &str) -> Result<List<u32>, String> {
    let lag = |text: &str| text.parse().ok().filter(|lag| (1..=LAG_MAX).contains(lag));
    parse_list(text, |text| lag(text).ok_or_else(|| format!("a holding period is a whole number from 1 to {LAG_MAX}")))
}

/// Values that are no numbers, each once.
fn parse_words<T: PartialEq>(text: &str, read: impl Fn(&str) -> Result<Vec<T>, String>) -> Result<List<T>, String> {
    let mut values = Vec::new();
    for word in text.split(',').map(str::trim) {
        for value in read(word)? {
            if values.contains(&value) {
                return Err(format!("{word} is there twice"));
            }
            values.push(value);
        }
    }
    Ok(List(values))
}

fn parse_executions(text: &str) -> Result<List<Execution>, String> {
    let names = || Execution::ALL.map(Execution::name).join(", ");
    parse_words(text, |word| match word {
        "maker" => Ok(Execution::ALL.into_iter().filter(|execution| execution.is_maker()).collect()),
        _ => {
            let named = Execution::ALL.into_iter().find(|execution| execution.name() == word);
            named.map(|execution| vec![execution]).ok_or_else(|| format!("there are {}, and maker for three", names()))
        }
    })
}

fn parse_latencies(text: &str) -> Result<List<Option<i64>>, String> {
    parse_words(text, |word| match word {
        "none" => Ok(vec![None]),
        _ => parse_latency(word).map(|ns| vec![Some(ns)]),
    })
}

/// The files of a sweep.
#[derive(Debug)]
struct Places {
    csv: PathBuf,
    parquet: PathBuf,
    json: PathBuf,
    /// What the page is made from, and the page.
    report: SweepFiles,
    journal: PathBuf,
    logs: PathBuf,
}

impl Places {
    fn of(folder: &Path, stem: &str) -> Self {
        let with = |ending: &str| folder.join(format!("{stem}.sweep.{ending}"));
        let (name, html, report) = (stem.into(), with("html"), with("report.json"));
        Self {
            csv: with("csv"),
            parquet: with("parquet"),
            json: with("json"),
            report: SweepFiles { name, html, json: report },
            journal: with("part"),
            logs: with("logs"),
        }
    }

    /// Those that a sweep leaves when it has ended.
    fn results(&self) -> [&PathBuf; 5] {
        [&self.csv, &self.parquet, &self.json, &self.report.json, &self.report.html]
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.results().into_iter().chain([&self.journal, &self.logs])
    }

    /// A sweep's error; of one that somebody stopped, how it goes on.
    fn stopped(&self, error: SweepError) -> Failure {
        match error {
            SweepError::Stopped { .. } => {
                let journal = self.journal.display();
                Failure::running(format!("{error} and kept in {journal}; give --resume to go on"))
            }
            error => Failure::running(error),
        }
    }

    /// Removes what a sweep of before has kept of its settings: they were others.
    fn remove_logs(&self) -> Result<(), Failure> {
        let Ok(files) = fs::read_dir(&self.logs) else { return Ok(()) };
        for path in files.flatten().map(|file| file.path()).filter(|path| is_log_name(path)) {
            fs::remove_file(&path).map_err(OutputError::at(&path)).map_err(Failure::running)?;
        }
        Ok(())
    }

    /// Looks at all places before anything runs.
    fn check(&self, args: &SweepResultArgs, inputs: &[PathBuf]) -> Result<(), Failure> {
        // Logs of a sweep of before go, whatever they are by now.
        let logs = fs::read_dir(&self.logs).into_iter().flatten().flatten().map(|file| file.path());
        let outputs = self.all().cloned().chain(logs.filter(|path| is_log_name(path)));
        check_apart(outputs, inputs).map_err(Failure::input)?;
        if let Some(parent) = self.csv.parent() {
            fs::create_dir_all(parent).map_err(OutputError::at(parent)).map_err(Failure::input)?;
        }
        if args.resume || args.force {
            let mut files = self.results().into_iter().chain([&self.journal]);
            return files.try_for_each(|path| check(path, IfTaken::Replace).map(drop)).map_err(Failure::input);
        }
        if self.journal.exists() {
            return Err(Failure::input(format!(
                "{} exists: that sweep was stopped; give --resume to go on, or --force to begin again",
                self.journal.display()
            )));
        }
        self.all().try_for_each(|path| check(path, IfTaken::Refuse).map(drop)).map_err(Failure::input)
    }
}

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

/// A sweep whose rows are made elsewhere, by [`part`], and end here. No capture needs to be at hand.
#[derive(Debug)]
pub struct Elsewhere {
    plan: Plan,
    files: Places,
    results: SweepResultArgs,
    identity: Identity,
    journal: Journal,
    parts: Vec<Part>,
}

impl Elsewhere {
    /// Reads everything but the captures, whose names stand for themselves.
    ///
    /// # Errors
    /// Bad arguments or models, files that exist, or a journal of another sweep.
    pub fn begin(args: &SweepArgs) -> Result<Self, Failure> {
        let (plan, files) = prepared(args, args.captures.clone())?;
        check_plan(&plan).map_err(Failure::input)?;
        let identity = Identity::of(&plan);
        let (journal, parts) = begun(&args.results, &files, &identity)?;
        Ok(Self { plan, files, results: args.results.clone(), identity, journal, parts })
    }

    /// The settings that have no rows yet, for each capture by its number.
    pub fn missing(&self) -> Vec<Vec<u32>> {
        let rows = self.parts.iter().flat_map(|part| &part.rows);
        let known: BTreeSet<(u32, u32)> = rows.map(|row| (row.capture, row.setting)).collect();
        let numbers = || self.plan.settings.iter().map(|setting| setting.number);
        let of = |capture: u32| numbers().filter(|&setting| !known.contains(&(capture, setting))).collect();
        (0..self.plan.captures.len() as u32).map(of).collect()
    }

    /// Takes a part, and keeps it on disk.
    ///
    /// # Errors
    /// It is none of this sweep's, or cannot be written.
    pub fn add(&mut self, part: Part) -> Result<(), Failure> {
        check_part(&part, &self.identity).map_err(Failure::running)?;
        self.journal.add(&part).map_err(Failure::running)?;
        self.parts.push(part);
        Ok(())
    }

    /// Writes what it came to; gives the table's CSV file. `broken` are captures by their numbers, and why they have no rows.
    ///
    /// # Errors
    /// Rows are missing, a capture was not the same for all, or a file cannot be written.
    pub fn finish(self, broken: &BTreeMap<u32, String>, printer: &mut Printer) -> Result<PathBuf, Failure> {
        let Self { plan, files, results, journal, parts, .. } = self;
        drop(journal);
        let of = |(number, path): (u32, &PathBuf)| {
            let why = broken.get(&number)?.clone();
            Some(BrokenCapture { number, path: path.display().to_string(), why })
        };
        let broken = (0..).zip(&plan.captures).filter_map(of).collect();
        let result = gather(&plan, parts, broken).map_err(|error| files.stopped(error))?;
        left(&result, &plan, (&results, &files), printer)?;
        Ok(files.csv)
    }
}

/// Makes rows of a sweep over its only capture, which is `number` of another sweep and called `name` there.
///
/// # Errors
/// Bad arguments or models, or the capture is bad.
pub fn part(args: &SweepArgs, (number, name): (u32, &str), settings: &[u32]) -> Result<Part, Failure> {
    let interrupt = Interrupt::watch()?;
    let plan = planned(args, args.captures.clone(), &Places::of(&args.results.out, "part"))?;
    let threads = args.results.threads.map_or(1, usize::from);
    let sweep = Sweep::open(plan, threads).map_err(Failure::input)?;
    let watch = Watch { progress: &|_| {}, stop: &|| interrupt.is_set() };
    let mut part = sweep.part(0, settings, threads, &watch).map_err(Failure::running)?;
    part.capture.number = number;
    part.capture.path = name.into();
    part.rows.iter_mut().for_each(|row| row.capture = number);
    Ok(part)
}
