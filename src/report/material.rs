//! Everything that a report of a run is made from: its trade log, and what lies beside it.
//!
//! ```
//! use papertrader::report::material::Material;
//!
//! let folder = tempfile::tempdir()?;
//! let csv = folder.path().join("run.csv");
//! let rows = "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit\n0,20,100,101,1,1\n";
//! std::fs::write(&csv, rows)?;
//! let material = Material::read(&csv)?;
//! assert_eq!((material.table.len(), material.numbers.gross_bps), (1, Some(100.0)));
//! // Neither RUN.json nor RUN.hlog lies beside it.
//! assert!(material.run.is_none() && material.latency.is_none() && !material.remarks.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::executions::{Executed, ExecutionNumbers, ExecutionsError};
use super::run_file::{RunFile, RunFileError};
use super::trades::{TradeNumbers, TradeTable, TradesError};
use crate::engine::latency::Stage;
use crate::report::text::counted;
use crate::run::latency_log::{LatencyLog, LatencyLogError};
use crate::run::stage_facts::StageFacts;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Why there is nothing to report of.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// The trade log.
    #[error(transparent)]
    Trades(#[from] TradesError),
    /// A log of executions.
    #[error(transparent)]
    Executions(#[from] ExecutionsError),
}

/// The trades of a log and the executions beside it. A run without the original's execution has no trade log, or an empty
/// one: it has no trades.
///
/// # Errors
/// As [`TradeTable::read`] and [`Executed::read`].
pub fn read_logs(csv: &Path) -> Result<(TradeTable, Option<Executed>), MaterialError> {
    let executed = Executed::read(csv)?;
    let table = match TradeTable::read(csv) {
        Err(TradesError::Empty { .. }) if executed.is_some() => TradeTable::default(),
        Err(TradesError::Read { source, .. }) if executed.is_some() && source.kind() == ErrorKind::NotFound => {
            TradeTable::default()
        }
        table => table?,
    };
    Ok((table, executed))
}

/// A run, read back.
#[derive(Debug)]
pub struct Material {
    /// The trade log.
    pub csv: PathBuf,
    /// Its name without folder and ending.
    pub name: String,
    /// Its rows.
    pub table: TradeTable,
    /// What they come to.
    pub numbers: TradeNumbers,
    /// What its executions come to, but for the original's; `None` where it has no logs of others.
    pub executions: Option<ExecutionNumbers>,
    /// `RUN.json`.
    pub run: Option<RunFile>,
    /// `RUN.hlog`.
    pub latency: Option<LatencyLog>,
    /// What is missing or does not fit, and what that means for the report, a sentence each.
    pub remarks: Vec<String>,
}

impl Material {
    /// Reads a run's files. Only the trade log must be there and be whole, and the logs of executions that are there.
    ///
    /// # Errors
    /// Those of these logs.
    pub fn read(csv: &Path) -> Result<Self, MaterialError> {
        let (table, executed) = read_logs(csv)?;
        Ok(Self::with_logs(csv, table, executed))
    }

    /// The same where the logs have been read.
    pub fn with_logs(csv: &Path, table: TradeTable, executed: Option<Executed>) -> Self {
        let run = RunFile::read(&csv.with_extension("json"));
        let latency = |with_stages| LatencyLog::read(&csv.with_extension("hlog"), with_stages);
        let mut material = Self::of(csv, table, run, latency);
        if let Some(Executed { numbers, cut, left_out }) = executed {
            let cut = cut
                .iter()
                .map(|(log, line)| format!("{}, line {line}: the last row is cut and was left out", log.display()));
            material.remarks.extend(cut);
            material.remarks.extend((left_out > 0).then(|| {
                let rows = counted(left_out, "row");
                format!("the run was killed: {rows} of fills and markouts whose orders had not ended were left out")
            }));
            material.executions = Some(numbers);
        }
        material
    }

    /// A run of what has been read of it; the interval log's stages are asked for where `RUN.json` has none.
    pub fn of(
        csv: &Path,
        table: TradeTable,
        run: Result<Option<RunFile>, RunFileError>,
        latency: impl FnOnce(bool) -> Result<Option<LatencyLog>, LatencyLogError>,
    ) -> Self {
        let mut remarks = Vec::new();
        if let Some(line) = table.cut_line {
            remarks.push(format!("{}, line {line}: the last row is cut and was left out", csv.display()));
        }
        let json = csv.with_extension("json");
        let run = run.unwrap_or_else(|error| {
            remarks.push(format!("{error}; the report is made without it"));
            None
        });
        if run.is_none() && remarks.len() == usize::from(table.cut_line.is_some()) {
            remarks.push(format!(
                "there is no {}, which a run writes at its end unless it is killed or told --no-report: settings, counters, \
                 evaluations and the book are unknown, as are the product's lot and whether the model was trained on this \
                 data; the fee is taken as 0",
                json.display()
            ));
        }
        if let Some(run) = &run
            && run.counters.trading.closed_trades != table.len() as u64
        {
            remarks.push(format!(
                "{} counts {} and {} has {}: are they of the same run?",
                json.display(),
                counted(run.counters.trading.closed_trades, "closed trade"),
                csv.display(),
                table.len()
            ));
        }
        let hlog = csv.with_extension("hlog");
        let knows_stages = run.as_ref().is_some_and(|run| !run.timing.stages.is_empty());
        let latency = match latency(!knows_stages) {
            Ok(None) => {
                remarks.push(format!("there is no {}: latency over time is unknown", hlog.display()));
                None
            }
            Ok(log) => log,
            Err(error) => {
                remarks.push(format!("{error}; latency over time is left out"));
                None
            }
        };
        if table.is_timed() && !table.is_in_time() {
            remarks.push(
                "receive times go back, as where a recording is played in a loop: there are no figures over time and no \
                 confidence interval, and what was bought before such a seam and sold behind it is no trade of any market"
                    .into(),
            );
        }
        let fee_bps = run.as_ref().map_or(0.0, |run| run.settings.fee_bps);
        let lot = run.as_ref().and_then(|run| run.run.lot.parse().ok()).filter(|lot: &f64| *lot > 0.0);
        let numbers = TradeNumbers::of(&table, fee_bps).with_lot(&table, lot);
        let name = csv.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Self { csv: csv.into(), name, table, numbers, executions: None, run, latency, remarks }
    }

    /// Whether the frames only waited for each other, so that their latency is that of a queue.
    pub fn is_queued(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.timing.is_queued())
    }

    /// What is to be said before all else where the model was trained on what it traded, or its file does not tell.
    pub fn in_sample(&self) -> Option<&str> {
        self.run.as_ref()?.run.in_sample.as_deref()
    }

    /// Every stage's latency, from wherever it is known.
    pub fn stages(&self) -> &[StageFacts] {
        let from_run = self.run.as_ref().map(|run| &run.timing.stages[..]).filter(|stages| !stages.is_empty());
        from_run.or(self.latency.as_ref().map(|log| &log.stages[..])).unwrap_or(&[])
    }

    /// The stage that tells most of the way to the decision, as [`StageTable::whole`].
    ///
    /// [`StageTable::whole`]: crate::engine::latency::StageTable::whole
    pub fn whole(&self) -> Stage {
        if self.stage(Stage::Arrival.tag()).is_some() { Stage::Arrival } else { Stage::Total }
    }

    /// One stage's latency, if anything was measured.
    pub fn stage(&self, tag: &str) -> Option<&StageFacts> {
        self.stages().iter().find(|stage| stage.stage == tag && stage.count > 0)
    }
}
