//! `RUN.json`: what a run was told, what it counted, what its frames and trades said. `simulations/README.md` documents it.
//!
//! ```
//! use papertrader::report::run_file::{RunFile, RunFileError};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("run.json");
//! assert!(RunFile::read(&path)?.is_none());
//! std::fs::write(&path, "{}")?;
//! assert!(matches!(RunFile::read(&path), Err(RunFileError::Other { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod compose;
mod fees;
mod json;
mod tape;

pub use fees::{FeeFacts, TierFacts};
pub(in crate::report) use json::text as text_of;
pub use tape::TapeCounters;

use crate::base::output::{OutputError, write_file};
use crate::base::small_file;
use crate::engine::latency::Stage;
use crate::report::executions::ExecutionNumbers;
use crate::report::text::{Grouped, things};
use crate::run::observe::Observed;
use crate::run::stage_facts::StageFacts;
use crate::strategy::model::Cost;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::{Path, PathBuf};

/// The name of the schema.
pub const SCHEMA: &str = "papertrader-run";
/// Its version: another one means other fields.
pub const SCHEMA_VERSION: u32 = 1;
/// The largest file that is read; what a run writes is below a megabyte.
const BYTES_MAX: u64 = 64 << 20;

/// A feature of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFeature {
    /// Its name.
    pub name: String,
    /// Its weight, a scaler folded in, if the model is linear.
    pub coefficient: Option<f64>,
    /// Over the rows that the model was trained on, if its file says so.
    pub trained_mean: Option<f64>,
    /// Over the rows that the model was trained on, if its file says so.
    pub trained_scale: Option<f64>,
}

/// The model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Its file.
    pub path: String,
    /// The logit where all features are 0, a scaler folded in, if it is linear.
    pub intercept: Option<f64>,
    /// In the model's order.
    pub features: Vec<ModelFeature>,
}

/// What the run was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The probability from which to buy.
    pub threshold: f64,
    /// Updates from purchase to sale.
    pub lag_updates: u32,
    /// Updates from an evaluation to the mid that it is scored against.
    pub horizon_updates: u32,
    /// Quote currency spent per purchase.
    pub buy_amount: f64,
    /// Fee per side in basis points; with a schedule that of a taker where the account began.
    pub fee_bps: f64,
    /// The schedule, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fees: Option<FeeFacts>,
    /// The model.
    pub model: ModelFacts,
}

/// What ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhatRan {
    /// What is to be said before all else where the model was trained on what it traded, or its file does not tell.
    #[serde(default)] // Earlier files lack it.
    pub in_sample: Option<String>,
    /// The command and its source.
    pub title: String,
    /// The product as asked for.
    pub product: String,
    /// The name under which the venue streamed it, when that is another.
    pub streamed_as: Option<String>,
    /// Other products whose levels were passed over.
    pub passed_over: Vec<String>,
    /// The price step at the end, quote currency.
    pub tick: String,
    /// The quantity step at the end, base currency.
    pub lot: String,
    /// Whether it was stopped before the end of its source.
    pub stopped: bool,
    /// What ended it, if that was a fault.
    pub fault: Option<String>,
}

/// A kind of fault that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCount {
    /// The kind.
    pub fault: String,
    /// How often.
    pub count: u64,
}

/// What the feed counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct FeedCounters {
    pub messages: u64,
    pub frames: u64,
    pub snapshots: u64,
    pub level_updates: u64,
    #[serde(default)] // Earlier files lack it and the next three.
    pub prints: u64,
    #[serde(default)]
    pub prints_lost: u64,
    #[serde(default)]
    pub prints_that_came_again: u64,
    #[serde(default)]
    pub prints_unreadable: u64,
    pub heartbeats: u64,
    pub acknowledgements: u64,
    pub other_products_frames: u64,
    pub other_messages: u64,
    pub scale_refinements: u64,
    pub faults: u64,
    pub faults_by_kind: Vec<FaultCount>,
    /// The first few, spelt out.
    pub fault_notes: Vec<String>,
}

/// What the book counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct BookCounters {
    pub frames: u64,
    pub frames_live: u64,
    pub frames_empty: u64,
    pub frames_syncing: u64,
    pub frames_invalid: u64,
    pub state_at_the_end: String,
    pub connections: u64,
    pub snapshots: u64,
    pub updates_passed_over: u64,
    pub crossed_or_locked: u64,
    pub window_moves: u64,
    pub rebuilt_at_finer_scale: u64,
    pub faults: u64,
    pub faults_by_kind: Vec<FaultCount>,
}

/// What model and simulation counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TradingCounters {
    pub evaluations: u64,
    pub none_book_too_thin: u64,
    pub none_warming_up: u64,
    #[serde(default)] // Earlier files lack it.
    pub none_undefined: u64,
    pub purchases_withheld: u64,
    pub purchases_without_asks: u64,
    pub closed_trades: u64,
    pub sold_in_part: u64,
    #[serde(default)] // Earlier files lack it.
    pub sold_late: u64,
    pub open_positions: u64,
    /// Quote currency.
    pub open_cost: f64,
    /// Quote currency that each would bring alone in the book at the end; `None` without a live one.
    pub open_mark: Option<f64>,
}

/// Counters that do not depend on how fast the run was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Counters {
    pub feed: FeedCounters,
    pub book: BookCounters,
    pub trading: TradingCounters,
    /// Of accounts beside the original's, where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountCounters>,
    /// Of the prints that filled them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tape: Option<TapeCounters>,
}

/// What kept an account from acting, and what it did then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AccountCounters {
    pub account: String,
    /// Decisions that asked for an order.
    pub decisions: u64,
    pub sent: u64,
    pub filled: u64,
    pub cancelled: u64,
    pub refused: u64,
    /// Decisions not acted on, and why.
    pub book_crossed_or_locked: u64,
    pub book_one_sided: u64,
    pub position_limit: u64,
    pub cash_limit: u64,
    pub open_orders_limit: u64,
    pub below_the_least_size: u64,
    /// Entries of which the slippage cap dropped a part.
    pub cut_by_the_cap: u64,
    pub exits_that_waited: u64,
}

/// Everything that depends on when, where and how fast the run was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Timing {
    /// Our wall clock at the end, Unix nanoseconds.
    pub finished_unix_ns: i64,
    pub elapsed_s: f64,
    pub frames_per_s: f64,
    /// Feed and engine on one thread.
    pub fused: bool,
    /// Frames came at a pace of their own. At full speed they only wait for each other. Earlier files do not say.
    #[serde(default = "yes")]
    pub paced: bool,
    pub feed_core: Option<usize>,
    pub engine_core: Option<usize>,
    pub wait: String,
    /// Lines about the source, such as connections.
    pub source: Vec<(String, String)>,
    pub full_ring_waits: u64,
    pub ring_high_water_events: u64,
    pub writer_waits: u64,
    pub stamp_floor_ns: u64,
    /// Earlier files lack it.
    #[serde(default)]
    pub work: Option<Work>,
    /// Of a model that the program does not compile itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelCost>,
    pub stages: Vec<StageFacts>,
}

/// What an evaluation of an ONNX graph costs that tract runs: measured before the session, over rows of zeros and of ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ModelCost {
    pub evaluations: u64,
    pub p50_ns: u64,
    pub p99_ns: u64,
    /// In one evaluation, at most; `None` where the program does not count.
    pub allocations: Option<u64>,
    pub allocated_bytes: Option<u64>,
}

impl From<Cost> for ModelCost {
    fn from(Cost { evaluations, p50_ns, p99_ns, allocations }: Cost) -> Self {
        let (allocations, allocated_bytes) = allocations.unzip();
        Self { evaluations, p50_ns, p99_ns, allocations, allocated_bytes }
    }
}

impl Display for ModelCost {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a general ONNX graph, run by tract; an evaluation ")?;
        if let (Some(allocations), Some(bytes)) = (self.allocations, self.allocated_bytes) {
            let (times, bytes) = (Grouped(allocations), Grouped(bytes));
            write!(f, "allocates {times} {}, {bytes} bytes, and ", things(allocations, "time"))?;
        }
        let [p50_us, p99_us] = [self.p50_ns, self.p99_ns].map(|ns| ns as f64 / 1e3);
        write!(f, "takes p50 {p50_us:.1} µs, p99 {p99_us:.1} µs (before the session, {} rows)", self.evaluations)
    }
}

fn yes() -> bool {
    true
}

/// What a frame takes of the processor: its stages without `published → taken`, where it waits. Sums of the stages'
/// percentiles, which no frame need have reached all at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Work {
    pub p50_ns: u64,
    pub p99_ns: u64,
}

impl Work {
    /// Of a run's stages; `None` where none was measured.
    pub fn of(stages: &[StageFacts]) -> Option<Self> {
        let mut work = stages.iter().filter(|stage| stage.count > 0 && is_work(stage)).peekable();
        work.peek()?;
        Some(work.fold(Self { p50_ns: 0, p99_ns: 0 }, |sum, stage| Self {
            p50_ns: sum.p50_ns.saturating_add(stage.p50_ns.unwrap_or(0)),
            p99_ns: sum.p99_ns.saturating_add(stage.p99_ns.unwrap_or(0)),
        }))
    }
}

/// Whether the processor works on a frame in a stage. Between the threads a frame waits, and the whole way holds that wait.
pub fn is_work(stage: &StageFacts) -> bool {
    Stage::by_tag(&stage.stage).is_some_and(Stage::is_work)
}

impl Timing {
    /// Whether frames wait behind each other for nothing but the processor, so that `published → taken` and the whole way
    /// tell of the queue and not of a market.
    pub fn is_queued(&self) -> bool {
        !self.paced && !self.fused
    }
}

/// The file. `trades` is what the trade log came to: whoever reads the file has the log, and computes that anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFile<T = serde::de::IgnoredAny> {
    /// [`SCHEMA`].
    pub schema: String,
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The program's.
    pub program_version: String,
    /// What ran.
    pub run: WhatRan,
    /// What it was told.
    pub settings: Settings,
    /// What it counted.
    pub counters: Counters,
    /// What its trades came to.
    pub trades: T,
    /// What its executions came to, but for the original's; `None` where it had no others. Whoever reads the file has the logs.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub executions: Option<ExecutionNumbers>,
    /// What its live frames said; `None` where they were not gathered.
    pub observed: Option<Observed>,
    /// Everything that another run over the same frames need not have in common.
    pub timing: Timing,
}

/// The fields by which a file is recognised, whatever its version.
#[derive(Deserialize)]
struct Recognised {
    schema: Option<String>,
    schema_version: Option<u64>,
}

/// Why there is nothing of a `RUN.json`.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// The file.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More than a run writes.
    #[error("{path} is larger than {BYTES_MAX} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not as documented.
    #[error("{path}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: serde_json::Error,
    },
    /// Not what a run could have written.
    #[error("{path}: {what}")]
    Impossible {
        /// The file.
        path: PathBuf,
        /// What, and why it cannot be.
        what: String,
    },
    /// JSON of something else.
    #[error("{path} is no {SCHEMA} file")]
    Other {
        /// The file.
        path: PathBuf,
    },
    /// A file of another version of this program.
    #[error("{path} has schema version {version}, this program reads version {SCHEMA_VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
}

impl RunFile {
    /// The same with what the trade log and the logs of executions came to.
    pub fn with_trades<T>(&self, trades: T, executions: Option<ExecutionNumbers>) -> RunFile<T> {
        let Self { schema, schema_version, program_version, run, settings, counters, observed, timing, .. } =
            self.clone();
        RunFile {
            schema,
            schema_version,
            program_version,
            run,
            settings,
            counters,
            trades,
            executions,
            observed,
            timing,
        }
    }

    /// Reads a file; `None` where there is none.
    ///
    /// # Errors
    /// See [`RunFileError`].
    pub fn read(path: &Path) -> Result<Option<Self>, RunFileError> {
        match small_file::read_text(path, BYTES_MAX) {
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(RunFileError::TooLarge { path: path.into() })
            }
            Err(source) => Err(RunFileError::Read { path: path.into(), source }),
        }
    }

    /// Reads a file's text; `path` is what errors call it.
    ///
    /// # Errors
    /// See [`RunFileError`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, RunFileError> {
        let json_error = |source| RunFileError::Json { path: path.into(), source };
        let recognised: Recognised = serde_json::from_str(text).map_err(json_error)?;
        match recognised {
            Recognised { schema: Some(schema), schema_version: Some(version) } if schema == SCHEMA => {
                if version != u64::from(SCHEMA_VERSION) {
                    return Err(RunFileError::Version { path: path.into(), version });
                }
            }
            _ => return Err(RunFileError::Other { path: path.into() }),
        }
        let run: Self = serde_json::from_str(text).map_err(json_error)?;
        check::check(&run).map_err(|what| RunFileError::Impossible { path: path.into(), what })?;
        Ok(run)
    }
}

impl<T: Serialize> RunFile<T> {
    /// Writes the file.
    ///
    /// # Errors
    /// It is there and not to be replaced, or cannot be written.
    pub fn write(&self, path: &Path, replace: bool) -> Result<(), OutputError> {
        write_file(path, replace, &json::text(self))
    }
}

#[cfg(test)]
mod tests;
