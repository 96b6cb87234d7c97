//! Many settings over many captures: every combination, one pass over a book for as many as fit.
//!
//! A row depends on its setting and its capture alone: a part of a sweep, on another thread or machine, gives the rows of the whole.
//!
//! ```
//! use papertrader::strategy::model::Model;
//! use papertrader::sweep::grid::{Axes, values};
//! use papertrader::sweep::plan::{Plan, PlannedModel};
//! use papertrader::sweep::result::Execution;
//! use papertrader::sweep::{Sweep, Watch};
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 500 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let capture = synthetic::capture(folder.path(), 500)?;
//! let file = folder.path().join("imbalance.json");
//! std::fs::write(&file, r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#)?;
//!
//! let axes = Axes {
//!     models: vec![(values("0.5:0.7:0.1")?, vec![5, 20])],
//!     buy_amounts: vec![100.0],
//!     executions: vec![Execution::Original],
//!     order_latencies_ns: vec![None],
//! };
//! let models = vec![PlannedModel::of(Model::read(&file)?)?];
//! let sweep = Sweep::open(Plan::new(models, axes.settings()?, vec![capture]), 2)?;
//! let whole = sweep.run(2, Vec::new(), &Watch::nobody(), |_| Ok(()))?;
//! assert_eq!(whole.rows.len(), 6);
//!
//! // A part gives the same rows.
//! let part = sweep.part(0, &[4, 1], 1, &Watch::nobody())?;
//! assert_eq!(part.rows, [whole.rows[1].clone(), whole.rows[4].clone()]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod grid;
pub mod journal;
mod pass;
pub mod plan;
pub mod result;
mod rows;
mod store;
pub mod tables;

pub use self::pass::{PASS_BYTES_MAX, TRADERS_MAX};
pub use self::store::TRADES_HELD_MAX;

use self::pass::{AccountFiles, Group, Pass, Passed, Trades, passes};
use self::plan::Plan;
use self::result::{BrokenCapture, InSample, Row, SLICES_MAX, SweepResult, SweptCapture};
use crate::base::clock::Clock;
use crate::base::output::{Output, OutputError};
use crate::base::places::is_same;
use crate::capture::replay::{ReplayError, ReplayOutcome};
use crate::capture::tape_check::{self, Reading, TapeError};
use crate::engine::status::Status;
use crate::execution::ledger::Trade;
use crate::research::source::sha256;
use crate::research::source_error::SourceError;
use crate::results::executions::{Account, ExecutionsError, Logs};
use crate::results::trades::TradeTable;
use crate::run::files::execution_logs;
use crate::run::session::Feed;
use crate::run::trade_log::TradeLog;
use crate::sources::market::{Market, MarketSettings};
use crate::strategy::trained_on::Sample;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Steps of [`Watch::progress`] that a row is worth.
pub const STEPS: u64 = 1_000;

/// Rows of a capture, in the order of their settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The capture.
    pub capture: SweptCapture,
    /// Of some settings.
    pub rows: Vec<Row>,
}

/// Who looks on.
pub struct Watch<'a> {
    /// Called now and then with the steps that have been made, of [`STEPS`] a row.
    pub progress: &'a (dyn Fn(u64) + Sync),
    /// Whether somebody asked for the end.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

impl Watch<'_> {
    /// Nobody does.
    pub fn nobody() -> Self {
        Self { progress: &|_| {}, stop: &|| false }
    }
}

/// Why there is no sweep, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// There is nothing to sweep.
    #[error("a grid of nothing: {0}")]
    Nothing(&'static str),
    /// A setting that no plan has.
    #[error("setting {0} names no model of the sweep, or has not its own number")]
    Setting(u32),
    /// Slices out of range.
    #[error("{0} slices; a capture's time has 1 to {SLICES_MAX}")]
    Slices(u32),
    /// A capture twice.
    #[error("{0} is there twice, which would count it twice")]
    Twice(PathBuf),
    /// A capture cannot be opened.
    #[error(transparent)]
    Capture(#[from] ReplayError),
    /// Makers have nothing to be filled by.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// A file cannot be hashed.
    #[error(transparent)]
    Hash(#[from] SourceError),
    /// A capture that is not what it was.
    #[error("{0} changed while it was swept; leave it alone and sweep again")]
    Changed(String),
    /// A capture broke in the middle.
    #[error("{}", .0.why)]
    Broken(BrokenCapture),
    /// What does not fit into memory.
    #[error("cannot write a temporary file in {}: {source}", folder.display())]
    Spill {
        /// Where.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A log of an account cannot be read back.
    #[error(transparent)]
    Logs(#[from] ExecutionsError),
    /// An output.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The system gives no threads.
    #[error("cannot start {threads} threads: {what}")]
    Threads {
        /// How many.
        threads: usize,
        /// What is wrong.
        what: String,
    },
    /// Somebody stopped it.
    #[error("stopped: {done} of {due} rows are done")]
    Stopped {
        /// Rows that were made.
        done: u64,
        /// Rows of the whole.
        due: u64,
    },
}

/// Models and captures that have been looked at.
#[derive(Debug)]
pub struct Sweep {
    plan: Plan,
    /// Of each capture.
    products: Vec<String>,
    /// Whether each capture's prints name the taker's side.
    takers_side: Vec<bool>,
    clock: Clock,
}

/// What is to be done in one pass.
struct Unit {
    capture: usize,
    groups: Vec<Group>,
}

/// What threads have done so far.
#[derive(Default)]
struct Done {
    parts: Vec<Part>,
    broken: BTreeMap<usize, String>,
    failure: Option<SweepError>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, SweepError> {
    let threads = threads.max(1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|at| format!("sweep {at}"));
    pool.build().map_err(|error| SweepError::Threads { threads, what: error.to_string() })
}

/// Looks at a plan, and at no capture.
///
/// # Errors
/// There is nothing to do, a setting's number or model is not there, or a capture is there twice.
pub fn check(plan: &Plan) -> Result<(), SweepError> {
    let empty = [
        ("no model", plan.models.is_empty()),
        ("no setting", plan.settings.is_empty()),
        ("no capture", plan.captures.is_empty()),
    ];
    if let Some((what, _)) = empty.into_iter().find(|&(_, is_empty)| is_empty) {
        return Err(SweepError::Nothing(what));
    }
    if !(1..=SLICES_MAX).contains(&plan.slices) {
        return Err(SweepError::Slices(plan.slices));
    }
    let is_wrong = |&(number, setting): &(u32, &result::Setting)| {
        setting.number != number || setting.model as usize >= plan.models.len()
    };
    if let Some((number, _)) = (0..).zip(&plan.settings).find(is_wrong) {
        return Err(SweepError::Setting(number));
    }
    let mut sorted: Vec<&PathBuf> = plan.captures.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1] || is_same(pair[0], pair[1])) {
        Some(pair) => Err(SweepError::Twice(pair[1].clone())),
        None => Ok(()),
    }
}

/// Puts parts together, wherever they were made.
///
/// # Errors
/// A capture was not the same for all, or a row is missing. Of rows that are there twice the first is taken.
pub fn gather(plan: &Plan, parts: Vec<Part>, broken: Vec<BrokenCapture>) -> Result<SweepResult, SweepError> {
    let mut captures: BTreeMap<u32, SweptCapture> = BTreeMap::new();
    let mut rows: Vec<Row> = Vec::new();
    for Part { capture, rows: of_part } in parts {
        let number = capture.number;
        if broken.iter().any(|broken| broken.number == number) {
            continue;
        }
        match captures.get(&number) {
            Some(known) if *known != capture => return Err(SweepError::Changed(capture.path)),
            Some(_) => {}
            None => _ = captures.insert(number, capture),
        }
        rows.extend(of_part);
    }
    rows.sort_by_key(|row| (row.capture, row.setting));
    rows.dedup_by_key(|row| (row.capture, row.setting));
    let due = captures.len() as u64 * plan.settings.len() as u64;
    if rows.len() as u64 != due || captures.len() + broken.len() < plan.captures.len() {
        return Err(SweepError::Stopped { done: rows.len() as u64, due: plan.rows() });
    }
    Ok(SweepResult {
        program_version: env!("CARGO_PKG_VERSION").into(),
        fee_bps: plan.fee_bps,
        fees: plan.fees.as_ref().map(|plan| plan.schedule.name().into()),
        slices: plan.slices,
        models: plan.models.iter().map(|model| model.facts.clone()).collect(),
        settings: plan.settings.clone(),
        captures: captures.into_values().collect(),
        broken,
        rows,
    })
}

impl Sweep {
    /// Looks at all captures, on so many threads, before anything runs.
    ///
    /// # Errors
    /// There is nothing to do, a capture cannot be opened or has no prints for makers.
    pub fn open(plan: Plan, threads: usize) -> Result<Self, SweepError> {
        check(&plan)?;
        let has_makers = plan.settings.iter().any(|setting| setting.execution.is_maker());
        let look = |path: &PathBuf| {
            let market = Market::open(path, &plan.market)?;
            let product = market.product().to_owned();
            let takers_side = if has_makers { takers_side(market, path, &plan)? } else { false };
            Ok::<_, SweepError>((product, takers_side))
        };
        // All of them, so that the first that is wrong is the same on any number of threads.
        let looked: Vec<_> = pool(threads)?.install(|| plan.captures.par_iter().map(look).collect());
        let (products, takers_side) = looked.into_iter().collect::<Result<_, _>>()?;
        Ok(Self { plan, products, takers_side, clock: Clock::new() })
    }

    /// What it was told.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Makes all rows that `done` does not have, on so many threads. `each` is given every part when it has been made, one at a
    /// time.
    ///
    /// # Errors
    /// Somebody stopped it, a file cannot be written, or `done` has rows of another capture than the one that is there now. A
    /// capture that breaks in the middle is no error: the result names it.
    pub fn run(
        &self,
        threads: usize,
        done: Vec<Part>,
        watch: &Watch<'_>,
        each: impl FnMut(&Part) -> Result<(), OutputError> + Send,
    ) -> Result<SweepResult, SweepError> {
        let known: BTreeSet<(u32, u32)> =
            done.iter().flat_map(|part| part.rows.iter().map(|row| (row.capture, row.setting))).collect();
        let units = self.units(threads, |row| known.contains(&row));
        let steps = AtomicU64::new(known.len() as u64 * STEPS);
        let all = Mutex::new((Done { parts: done, ..Done::default() }, each));
        pool(threads)?.install(|| {
            units.into_par_iter().with_max_len(1).for_each(|unit| {
                let capture = unit.capture;
                let is_over = |done: &Done| done.failure.is_some() || done.broken.contains_key(&capture);
                if (watch.stop)() || is_over(&lock(&all).0) {
                    return;
                }
                let made = self.unit(unit, threads, &steps, watch);
                let (done, each) = &mut *lock(&all);
                if is_over(done) {
                    return;
                }
                match made {
                    Ok(part) => match each(&part) {
                        Ok(()) => done.parts.push(part),
                        Err(error) => done.failure = Some(error.into()),
                    },
                    Err(SweepError::Broken(broken)) => _ = done.broken.insert(capture, broken.why),
                    Err(SweepError::Stopped { .. }) => {}
                    Err(error) => done.failure = Some(error),
                }
            });
        });
        let (Done { parts, broken, failure }, _) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = failure {
            return Err(failure);
        }
        let rows = parts.iter().map(|part| part.rows.len() as u64).sum();
        let captures = (0..).zip(&self.plan.captures);
        let broken: Vec<BrokenCapture> = captures
            .filter_map(|(number, path): (u32, _)| {
                let why = broken.get(&(number as usize))?.clone();
                Some(BrokenCapture { number, path: path.display().to_string(), why })
            })
            .collect();
        let due = self.plan.rows() - broken.len() as u64 * self.plan.settings.len() as u64;
        let rows_of_broken = |part: &Part| broken.iter().any(|broken| broken.number == part.capture.number);
        let of_broken: u64 = parts.iter().filter(|part| rows_of_broken(part)).map(|part| part.rows.len() as u64).sum();
        if rows - of_broken < due {
            return Err(SweepError::Stopped { done: rows, due: self.plan.rows() });
        }
        gather(&self.plan, parts, broken)
    }

    /// Makes the rows of some settings over a capture, by their numbers.
    ///
    /// # Errors
    /// There is no such capture or setting, the capture broke, somebody stopped it, or a file cannot be written.
    pub fn part(&self, capture: u32, settings: &[u32], threads: usize, watch: &Watch<'_>) -> Result<Part, SweepError> {
        let mut numbers = settings.to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        if capture as usize >= self.plan.captures.len() {
            return Err(SweepError::Nothing("no capture of that number"));
        }
        let settings = numbers
            .iter()
            .map(|&number| self.plan.settings.get(number as usize).copied().ok_or(SweepError::Setting(number)));
        let groups = Group::of(settings.collect::<Result<Vec<_>, _>>()?);
        let steps = AtomicU64::new(0);
        let mut whole: Option<Part> = None;
        for groups in passes(groups, 1, threads) {
            let made = self.unit(Unit { capture: capture as usize, groups }, threads, &steps, watch)?;
            match &mut whole {
                None => whole = Some(made),
                Some(part) if part.capture == made.capture => part.rows.extend(made.rows),
                Some(part) => return Err(SweepError::Changed(part.capture.path.clone())),
            }
        }
        let mut whole = whole.ok_or(SweepError::Nothing("no setting"))?;
        whole.rows.sort_unstable_by_key(|row| row.setting);
        Ok(whole)
    }

    /// What is to be done: captures one after the other, each in as many passes as there are threads that would have nothing else.
    fn units(&self, threads: usize, is_done: impl Fn((u32, u32)) -> bool) -> Vec<Unit> {
        let captures = self.plan.captures.len();
        let parts = threads.div_ceil(captures);
        let of = |capture: usize| {
            let missing = self.plan.settings.iter().filter(|setting| !is_done((capture as u32, setting.number)));
            passes(Group::of(missing.copied()), parts, threads).into_iter().map(move |groups| Unit { capture, groups })
        };
        (0..captures).flat_map(of).collect()
    }

    /// One pass.
    fn unit(&self, unit: Unit, threads: usize, steps: &AtomicU64, watch: &Watch<'_>) -> Result<Part, SweepError> {
        let Unit { capture, groups } = unit;
        let plan = &self.plan;
        let path = &plan.captures[capture];
        let broken = |why: String| {
            let path = path.display().to_string();
            SweepError::Broken(BrokenCapture { number: capture as u32, path, why })
        };
        let stopped = || SweepError::Stopped { done: 0, due: plan.rows() };
        let spill = |source| SweepError::Spill { folder: plan.spill.clone(), source };
        let settings = MarketSettings { hot_threads: threads, ..plan.market.of_product(&self.products[capture]) };
        let market = Market::open(path, &settings).map_err(|error| broken(error.to_string()))?;
        let (progress, status) = (market.progress(), Arc::new(Status::default()));
        let rows = groups.iter().map(|group| group.settings.len() as u64).sum::<u64>();
        // The pass and the rows are a half each.
        let (mut told, halves) = (0, rows * STEPS / 2);
        let advance = |more: u64| (watch.progress)(steps.fetch_add(more, Ordering::Relaxed) + more);
        let mut look = || {
            let share = progress.bytes_read() as f64 / progress.bytes_total().max(1) as f64;
            let now = (share.min(1.0) * halves as f64) as u64;
            if now > told {
                advance(now - told);
                told = now;
            }
            (watch.stop)()
        };
        let mut pass = Pass::new(
            plan,
            &groups,
            self.takers_side[capture],
            threads,
            (self.clock.clone(), Arc::clone(&status)),
            &mut look,
        )
        .map_err(spill)?;
        let outcome = market.run(&mut pass, &status);
        let passed = pass.finish().map_err(spill)?;
        if let Some(error) = &outcome.error {
            return Err(broken(error.to_string()));
        }
        if outcome.stopped {
            return Err(stopped());
        }
        if passed.live_ns.is_none() {
            let product = &self.products[capture];
            return Err(broken(format!("{}: the book of {product} never was live", path.display())));
        }
        advance(halves - told);
        let facts = self.facts(capture, &outcome, &passed)?;
        let Passed { report, mut store, logs, .. } = passed;
        let mut made = Vec::with_capacity(rows as usize);
        for (((at, group), logs), trader) in groups.iter().enumerate().zip(logs).zip(&report.traders) {
            if (watch.stop)() {
                return Err(stopped());
            }
            let files = self.kept(&facts, group);
            let (mut table, mut log) = (TradeTable::default(), Log::begin(&files)?);
            let mut written = Ok(());
            let taken = store.take(at, |trade| {
                if group.trades == Trades::Original {
                    table.push(trade);
                }
                if written.is_ok() {
                    written = log.write(trade);
                }
            });
            taken.map_err(spill)?;
            written.and_then(|()| log.finish())?;
            match logs {
                None => {
                    let open = trader.open_positions as u64;
                    made.extend(
                        group.settings.iter().map(|setting| rows::of_trades(plan, setting, &facts, &table, open)),
                    );
                }
                Some(mut logs) => {
                    files.iter().try_for_each(|file| keep_logs(file, &mut logs).map_err(SweepError::from))?;
                    let logs = Logs::read_from(path, logs)?;
                    made.extend(group.settings.iter().filter_map(|setting| {
                        let kind = setting.execution.account()?;
                        let account = Account::ALL.into_iter().find(|account| account.name() == kind.name())?;
                        Some(rows::of_account(plan, setting, &facts, &logs, account))
                    }));
                }
            }
            advance(group.settings.len() as u64 * STEPS / 2);
        }
        made.sort_unstable_by_key(|row| row.setting);
        Ok(Part { capture: facts, rows: made })
    }

    /// The trade logs that are kept of a group, one for each of its settings.
    fn kept(&self, capture: &SweptCapture, group: &Group) -> Vec<PathBuf> {
        let name = |setting: u32| log_name(capture.number, setting);
        let of = |folder: &PathBuf| group.settings.iter().map(|setting| folder.join(name(setting.number))).collect();
        self.plan.logs.as_ref().map_or_else(Vec::new, of)
    }

    fn facts(&self, capture: usize, outcome: &ReplayOutcome, passed: &Passed) -> Result<SweptCapture, SweepError> {
        let path = &self.plan.captures[capture];
        let sha256 = sha256(path)?;
        let span_ns: Vec<_> = outcome.first().counts.span_ns.into_iter().collect();
        let in_sample = |model: &plan::PlannedModel| {
            let trained_on = &model.model.trained_on;
            match trained_on.sample(&outcome.first().name, &span_ns, || vec![sha256.clone()]) {
                Sample::Unknown => InSample::Unknown,
                Sample::Out => InSample::No,
                Sample::In { .. } => InSample::Yes,
            }
        };
        let report = &passed.report;
        Ok(SweptCapture {
            number: capture as u32,
            path: path.display().to_string(),
            in_sample: self.plan.models.iter().map(in_sample).collect(),
            beside_sha256: journal::beside_sha256(path),
            bytes: path.metadata().map_or(0, |file| file.len()),
            product: outcome.first().name.clone(),
            frames: report.counts.frames,
            frames_live: report.counts.frames_by_state[2],
            live_ns: passed.live_ns,
            faults: outcome.first().counts.faults.total() + report.counts.faults.total(),
            price_decimals: report.scale.price_decimals,
            size_decimals: report.scale.size_decimals,
            remarks: outcome.cut.iter().map(ToString::to_string).chain(outcome.remarks.clone()).collect(),
            sha256,
        })
    }
}

/// Whether a capture's prints name the taker's side.
fn takers_side(market: Market, path: &Path, plan: &Plan) -> Result<bool, SweepError> {
    match (tape_check::reading(market, path), plan.accounts.takers_side) {
        (Ok(_) | Err(TapeError::NoSide { .. }), Some(takers_side)) => Ok(takers_side),
        (reading, _) => Ok(reading? == Reading::TakersSide),
    }
}

/// The name of the trade log of a setting over a capture, where logs are kept.
pub fn log_name(capture: u32, setting: u32) -> String {
    format!("{capture:06}-{setting:06}.csv")
}

/// Whether a file has the name of a log that is kept.
pub fn is_log_name(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let numbers = name.and_then(|name| name.strip_suffix(".csv")?.split('.').next()?.split_once('-'));
    let is_number = |text: &str| text.len() >= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(capture, setting)| is_number(capture) && is_number(setting))
}

/// Trade logs that are kept: the same trades in each.
struct Log {
    logs: Vec<(PathBuf, TradeLog<Output>)>,
}

impl Log {
    fn begin(files: &[PathBuf]) -> Result<Self, OutputError> {
        let begin = |path: &PathBuf| {
            let log = TradeLog::new(Output::create(path, true)?).map_err(OutputError::at(path))?;
            Ok((path.clone(), log))
        };
        Ok(Self { logs: files.iter().map(begin).collect::<Result<_, _>>()? })
    }

    fn write(&mut self, trade: &Trade) -> Result<(), OutputError> {
        self.logs.iter_mut().try_for_each(|(path, log)| log.write(trade).map_err(OutputError::at(path)))
    }

    fn finish(self) -> Result<(), OutputError> {
        self.logs.into_iter().try_for_each(|(path, log)| log.into_inner().map_err(OutputError::at(&path))?.finish())
    }
}

/// Copies the logs of accounts to their places beside a trade log.
fn keep_logs(csv: &Path, logs: &mut AccountFiles) -> Result<(), OutputError> {
    for (path, log) in execution_logs(csv, "csv").iter().zip(logs) {
        let mut output = Output::create(path, true)?;
        log.rewind().and_then(|()| io::copy(log, &mut output)).map_err(OutputError::at(path))?;
        output.finish()?;
    }
    Ok(())
}
