//! After a run: its `RUN.json`, its page, and what the terminal shows of them.
//!
//! ```
//! use papertrader::report::publish::publish;
//! use papertrader::report::terminal::Run;
//! use papertrader::run::settings::TradingSettings;
//! use papertrader::run::files::ReportFiles;
//! use std::time::Duration;
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // A session over 500 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let (strategy, threads, mut files, report) = synthetic::session(&synthetic::capture(folder.path(), 500)?)?;
//! files.report = Some(ReportFiles::beside(&files.csv));
//! let run = Run {
//!     title: "replay of market.txt".into(),
//!     in_sample: None,
//!     product: "BTC-USD",
//!     alias: None,
//!     other_products: &[],
//!     settings: &TradingSettings { strategy, threshold: 0.6, fee_bps: 1.0, fees: None },
//!     threads: &threads,
//!     strategy: 0,
//!     files: &files,
//!     source: Vec::new(),
//!     elapsed: Duration::from_secs(1),
//!     stopped: false,
//!     paced: false,
//! };
//! let material = publish(&run, &report, &report.feed.first().counts, &[], None)?.expect("it was asked for");
//! assert_eq!(material.numbers.trades, report.engine().trader().totals.trades);
//! assert!(folder.path().join("run.html").exists() && folder.path().join("run.json").exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::html::page;
use super::material::{Material, MaterialError, read_logs};
use super::run_file::RunFile;
use super::terminal::Run;
use super::trades::{TradeNumbers, TradeTable};
use crate::base::output::{OutputError, is_special, write_file};
use crate::feed::intake::{FaultNote, IntakeCounts};
use crate::run::session::SessionReport;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A log that was just written cannot be read back.
    #[error(transparent)]
    Logs(#[from] MaterialError),
    /// A file.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Writes a run's report, if it is to have one, and gives what it was made from.
///
/// # Errors
/// A file cannot be written, or a log cannot be read back.
pub fn publish<O>(
    run: &Run<'_>,
    session: &SessionReport<O>,
    feed: &IntakeCounts,
    notes: &[FaultNote],
    fault: Option<String>,
) -> Result<Option<Material>, ReportError> {
    let Some(files) = &run.files.report else { return Ok(None) };
    let (table, executed) = read_logs(&run.files.csv)?;
    let numbers = numbers(run, session, &table);
    let executions = executed.as_ref().map(|executed| executed.numbers.clone());
    RunFile::new(run, session, feed, notes, fault, numbers, executions).write(&files.json, run.files.replace)?;
    let material = Material::with_logs(&run.files.csv, table, executed);
    write_file(&files.html, run.files.replace, &page(&material))?;
    Ok(Some(material))
}

/// What a run's trades come to.
fn numbers<O>(run: &Run<'_>, session: &SessionReport<O>, table: &TradeTable) -> TradeNumbers {
    let lot = 1.0 / session.strategy(run.strategy).engine.scale.lots_per_unit();
    TradeNumbers::of(table, run.settings.fee_bps).with_lot(table, Some(lot))
}

/// What the trades of a run come to that is to have no report. Nothing of a log that went into a pipe or a device.
///
/// # Errors
/// The trade log cannot be read back.
pub fn numbers_without_report<O>(
    run: &Run<'_>,
    session: &SessionReport<O>,
) -> Result<Option<TradeNumbers>, ReportError> {
    if run.files.report.is_some() || session.written.is_err() || is_special(&run.files.csv) {
        return Ok(None);
    }
    let table = TradeTable::read(&run.files.csv).map_err(MaterialError::from)?;
    Ok(Some(numbers(run, session, &table)))
}
