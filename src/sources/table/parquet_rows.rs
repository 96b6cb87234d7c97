//! Rows of a Parquet file.
//!
//! ```no_run
//! use papertrader::sources::table::parquet_rows::ParquetRows;
//! use papertrader::sources::table::rows::Rows;
//!
//! let mut rows = ParquetRows::open(std::path::Path::new("books.parquet"))?;
//! rows.choose(&[0]);
//! while rows.next()? {
//!     println!("{} {}", rows.columns()[0], rows.cell(0));
//! }
//! # Ok::<(), papertrader::sources::ReadError>(())
//! ```

use super::cells::Cell;
use super::rows::Rows;
use crate::capture::Progress;
use crate::sources::ReadError;
use crate::sources::columns::Columns;
use std::path::Path;
use std::sync::Arc;

/// Rows of Parquet.
pub struct ParquetRows(Columns);

impl ParquetRows {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read or is cut.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Columns::open(path).map(Self)
    }
}

impl Rows for ParquetRows {
    fn columns(&self) -> &[String] {
        self.0.names()
    }

    fn choose(&mut self, columns: &[usize]) {
        self.0.choose(columns);
    }

    fn next(&mut self) -> Result<bool, ReadError> {
        self.0.advance()
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        self.0.cell(column)
    }

    fn note(&self, name: &str) -> Option<String> {
        self.0.metadata(name)
    }

    fn wrong(&self, what: &str) -> ReadError {
        self.0.wrong(what)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn progress(&self) -> Arc<Progress> {
        self.0.progress()
    }
}
