//! Rows of a table, whatever its encoding.
//!
//! ```
//! use papertrader::sources::ReadError;
//! use papertrader::sources::table::rows::Rows;
//!
//! /// How many rows there are.
//! fn count(rows: &mut dyn Rows) -> Result<u64, ReadError> {
//!     let mut count = 0;
//!     while rows.next()? {
//!         count += 1;
//!     }
//!     Ok(count)
//! }
//! # let _ = count;
//! ```

use super::cells::Cell;
use crate::capture::Progress;
use crate::sources::ReadError;
use std::path::Path;
use std::sync::Arc;

/// Rows of a table, whatever its encoding.
pub trait Rows: Send {
    /// The names of its columns.
    fn columns(&self) -> &[String];

    /// Only these columns are looked at from now on, before the first row: the others need not be decoded.
    fn choose(&mut self, _columns: &[usize]) {}

    /// Goes to the next row; false at the end.
    ///
    /// # Errors
    /// The data is cut or damaged.
    fn next(&mut self) -> Result<bool, ReadError>;

    /// A cell of the row; absent in a column that was not chosen.
    fn cell(&self, column: usize) -> Cell<'_>;

    /// The error of the row.
    fn wrong(&self, what: &str) -> ReadError;

    /// The file of the row.
    fn path(&self) -> &Path;

    /// How far the file has been read.
    fn progress(&self) -> Arc<Progress>;

    /// What the file notes under a name.
    fn note(&self, _name: &str) -> Option<String> {
        None
    }

    /// How many files are behind it.
    fn files_before(&self) -> u64 {
        0
    }

    /// Whether the row is of text without a line break behind it.
    fn is_open(&self) -> bool {
        false
    }
}
