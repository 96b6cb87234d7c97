//! After a run: its `RUN.json`, its page, and what the terminal shows of them.

use super::html::page;
use super::material::Material;
use super::run_file::RunFile;
use super::terminal::Run;
use super::trades::{TradeNumbers, TradeTable, TradesError};
use crate::base::output::{OutputError, write_file};
use crate::feed::intake::{FaultNote, IntakeCounts};
use crate::run::session::SessionReport;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The trade log that was just written cannot be read back.
    #[error(transparent)]
    Trades(#[from] TradesError),
    /// A file.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Writes a run's report, if it is to have one, and gives what it was made from.
///
/// # Errors
/// A file cannot be written, or the trade log cannot be read back.
pub fn publish<O>(
    run: &Run<'_>,
    session: &SessionReport<O>,
    feed: &IntakeCounts,
    notes: &[FaultNote],
    fault: Option<String>,
) -> Result<Option<Material>, ReportError> {
    let Some(files) = &run.files.report else { return Ok(None) };
    let table = TradeTable::read(&run.files.csv)?;
    let numbers = TradeNumbers::of(&table, run.settings.fee_bps);
    RunFile::new(run, session, feed, notes, fault, numbers).write(&files.json)?;
    let material = Material::with_table(&run.files.csv, table);
    write_file(&files.html, true, &page(&material))?;
    Ok(Some(material))
}
