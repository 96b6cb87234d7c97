//! Rows of a table in text: cells by commas, semicolons or tabs, plain or in quotes, with a header.
//!
//! Lines are bounded, so a file without breaks does not fill the memory.
//!
//! ```
//! use papertrader::sources::table::cells::Cell;
//! use papertrader::sources::table::csv_rows::CsvRows;
//! use papertrader::sources::table::rows::Rows;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("books.csv");
//! std::fs::write(&path, "time,bids\n1,\"[[2,3]]\"\n")?;
//! let mut rows = CsvRows::open(&path)?;
//! assert!(rows.next()?);
//! assert_eq!(rows.cell(1), Cell::Text(b"[[2,3]]"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::cells::Cell;
use super::rows::Rows;
use crate::capture::Progress;
use crate::sources::ReadError;
use crate::sources::bytes::{Lines, open};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The most columns of a table.
pub const COLUMNS_MAX: usize = 8_192;

/// Rows of text.
pub struct CsvRows {
    lines: Lines,
    delimiter: u8,
    columns: Vec<String>,
    /// The row's cells one behind the other, without quotes.
    text: Vec<u8>,
    cells: Vec<Range<usize>>,
}

/// Splits a line. False where a quote is not closed or there are too many cells.
fn split(line: &[u8], delimiter: u8, text: &mut Vec<u8>, cells: &mut Vec<Range<usize>>) -> bool {
    text.clear();
    cells.clear();
    if memchr::memchr(b'"', line).is_none() {
        text.extend_from_slice(line);
        let mut from = 0;
        for at in memchr::memchr_iter(delimiter, line).chain([line.len()]) {
            if cells.len() == COLUMNS_MAX {
                return false;
            }
            cells.push(from..at);
            from = at + 1;
        }
        return true;
    }
    let (mut from, mut is_quoted, mut at) = (0, false, 0);
    while at < line.len() {
        let byte = line[at];
        match byte {
            b'"' if is_quoted && line.get(at + 1) == Some(&b'"') => {
                text.push(b'"');
                at += 1;
            }
            b'"' => is_quoted = !is_quoted,
            _ if byte == delimiter && !is_quoted => {
                if cells.len() + 1 == COLUMNS_MAX {
                    return false;
                }
                cells.push(from..text.len());
                from = text.len();
            }
            _ => text.push(byte),
        }
        at += 1;
    }
    cells.push(from..text.len());
    !is_quoted
}

/// The columns that a header names, and what parts them. `None` where it is no header.
pub fn header(line: &[u8]) -> Option<(Vec<String>, u8)> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let delimiter = b",;\t".iter().copied().max_by_key(|delimiter| memchr::memchr_iter(*delimiter, line).count())?;
    let (mut text, mut cells) = (Vec::new(), Vec::new());
    if !split(line, delimiter, &mut text, &mut cells) {
        return None;
    }
    let columns = cells.iter().map(|cell| String::from_utf8(text[cell.clone()].to_vec()).ok());
    Some((columns.collect::<Option<_>>()?, delimiter))
}

impl CsvRows {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// It cannot be read, is empty, or its first line is no header.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let mut lines = Lines::new(path, open(path)?);
        let Some(line) = lines.header()? else {
            return Err(ReadError::file(path, "is empty"));
        };
        let Some((columns, delimiter)) = header(line) else {
            return Err(ReadError::row(path, 1, "is not a header of columns"));
        };
        Ok(Self { lines, delimiter, columns, text: Vec::new(), cells: Vec::new() })
    }
}

impl Rows for CsvRows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self) -> Result<bool, ReadError> {
        let Some(line) = self.lines.next()? else { return Ok(false) };
        let is_whole = split(line, self.delimiter, &mut self.text, &mut self.cells);
        if !is_whole || self.cells.len() != self.columns.len() {
            let (found, due) = (self.cells.len(), self.columns.len());
            return Err(self.lines.wrong(format_args!("has {found} cells where the header has {due}; is it cut?")));
        }
        Ok(true)
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        self.cells.get(column).map_or(Cell::Absent, |cell| Cell::Text(&self.text[cell.clone()]))
    }

    fn wrong(&self, what: &str) -> ReadError {
        self.lines.wrong(what)
    }

    fn path(&self) -> &Path {
        self.lines.path()
    }

    fn progress(&self) -> Arc<Progress> {
        self.lines.progress()
    }

    fn is_open(&self) -> bool {
        self.lines.is_open()
    }
}
