//! The logs of a run's executions read back, and what they come to: account by account, makers as a bracket.
//!
//! ```
//! use papertrader::results::executions::Logs;
//!
//! let folder = tempfile::tempdir()?;
//! // A run of the original rules alone has no such logs.
//! assert!(Logs::read(&folder.path().join("run.csv"))?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod logs;
mod numbers;
mod reader;
mod records;
mod shortfall;

pub use logs::{AccountLogs, Logs};
pub use numbers::{
    AccountNumbers, Bracket, Drift, Ended, ExecutionNumbers, FillTimes, MARKOUT_UPDATES, Makers, MarkoutNumbers,
    NetInterval, Open, OrderCounts,
};
pub use reader::ROWS_MAX;
pub use records::{Account, Fill, Leg, Markout, Order, Outcome, Purpose, REASONS};
pub use shortfall::{Parts, Shortfall, Shortfalls};

use std::io;
use std::path::{Path, PathBuf};

/// A run's executions, read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Executed {
    /// What they come to.
    pub numbers: ExecutionNumbers,
    /// Logs whose last row was cut and left out, with its line.
    pub cut: Vec<(PathBuf, u64)>,
    /// See [`Logs::left_out`].
    pub left_out: u64,
}

impl Executed {
    /// Reads the logs beside a trade log; `None` where there is none of them.
    ///
    /// # Errors
    /// As [`Logs::read`].
    pub fn read(csv: &Path) -> Result<Option<Self>, ExecutionsError> {
        let logs = Logs::read(csv)?;
        Ok(logs.map(|logs| Self { numbers: ExecutionNumbers::of(&logs), left_out: logs.left_out, cut: logs.cut }))
    }
}

/// Why a log of executions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionsError {
    /// The file.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A run writes all or none.
    #[error("there is no {path}, which a run writes together with {beside}")]
    Missing {
        /// What is not there.
        path: PathBuf,
        /// What is.
        beside: PathBuf,
    },
    /// Not the columns that a log has.
    #[error("{path}, line 1: {what}; is it a log of executions?")]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// More rows than are held.
    #[error("{path} has more than {ROWS_MAX} rows; cut the run into shorter ones")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A cell that does not hold what its column should.
    #[error("{path}, line {line}, column {column} ({name}): '{text}' is not {rule}")]
    Cell {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// Counted from 1.
        column: usize,
        /// The column's name.
        name: &'static str,
        /// The cell's beginning.
        text: String,
        /// What it should be.
        rule: &'static str,
    },
    /// Cells that no run writes together.
    #[error("{path}, line {line}: {what}")]
    Row {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// Two logs that contradict each other.
    #[error("{path}: {what}")]
    Sums {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

#[cfg(test)]
mod tests;
