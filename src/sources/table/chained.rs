//! Tables of which each goes on where the one before ends, as one.
//!
//! ```
//! use papertrader::sources::table::chained::ChainedRows;
//! use papertrader::sources::table::rows::Rows;
//!
//! let folder = tempfile::tempdir()?;
//! let paths = ["a.csv", "b.csv"].map(|name| folder.path().join(name));
//! std::fs::write(&paths[0], "time,price\n1,2\n")?;
//! std::fs::write(&paths[1], "time,price\n3,4\n")?;
//! let mut rows = ChainedRows::open(&paths)?;
//! assert!(rows.next()? && rows.next()? && !rows.next()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::cells::Cell;
use super::open_rows;
use super::rows::Rows;
use crate::capture::Progress;
use crate::sources::ReadError;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows after which the progress is told.
const PROGRESS_ROWS: u64 = 4_096;

/// Rows of tables with the same columns.
pub struct ChainedRows {
    now: Box<dyn Rows>,
    later: VecDeque<PathBuf>,
    chosen: Option<Vec<usize>>,
    files_before: u64,
    bytes_before: u64,
    rows: u64,
    progress: Arc<Progress>,
}

impl ChainedRows {
    /// Opens the first; the others are opened when their time comes.
    ///
    /// # Errors
    /// It cannot be read, or there is none.
    pub fn open(paths: &[PathBuf]) -> Result<Self, ReadError> {
        let mut later: VecDeque<PathBuf> = paths.iter().cloned().collect();
        let first = later.pop_front().ok_or_else(|| ReadError::file(Path::new(""), "no file is named"))?;
        let bytes = paths.iter().filter_map(|path| path.metadata().ok()).map(|file| file.len()).sum();
        let (now, progress) = (open_rows(&first)?, Arc::new(Progress::of(bytes)));
        Ok(Self { now, later, chosen: None, files_before: 0, bytes_before: 0, rows: 0, progress })
    }
}

impl Rows for ChainedRows {
    fn columns(&self) -> &[String] {
        self.now.columns()
    }

    fn choose(&mut self, columns: &[usize]) {
        self.now.choose(columns);
        self.chosen = Some(columns.to_vec());
    }

    fn next(&mut self) -> Result<bool, ReadError> {
        self.rows += 1;
        if self.rows.is_multiple_of(PROGRESS_ROWS) {
            self.progress.read_to(self.bytes_before + self.now.progress().bytes_read());
        }
        while !self.now.next()? {
            let Some(path) = self.later.pop_front() else { return Ok(false) };
            let mut next = open_rows(&path)?;
            if next.columns() != self.now.columns() {
                return Err(ReadError::file(&path, "has other columns than the files before it"));
            }
            self.chosen.iter().for_each(|chosen| next.choose(chosen));
            self.bytes_before += self.now.progress().bytes_total();
            self.files_before += 1;
            self.now = next;
        }
        Ok(true)
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        self.now.cell(column)
    }

    fn wrong(&self, what: &str) -> ReadError {
        self.now.wrong(what)
    }

    fn path(&self) -> &Path {
        self.now.path()
    }

    fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    fn note(&self, name: &str) -> Option<String> {
        self.now.note(name)
    }

    fn files_before(&self) -> u64 {
        self.files_before
    }

    fn is_open(&self) -> bool {
        self.now.is_open()
    }
}
