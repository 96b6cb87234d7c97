//! A log of executions, row by row, its cells in the documented order.

use super::ExecutionsError;
use crate::results::trades::lines::Lines;
use csv::{ByteRecord, ReaderBuilder};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// No row is longer: a run's have some 300 bytes.
const LINE_BYTES_MAX: usize = 1 << 16;
/// No log has more rows: what is kept of one stays below some gigabytes.
pub const ROWS_MAX: u64 = 1 << 24;
/// How much of a bad cell is quoted.
const QUOTED: usize = 40;
/// No amount of money, size or price is larger.
const AMOUNT_MAX: f64 = 1e50;

/// What is wrong with a row.
pub(super) enum BadRow {
    /// The cell in the documented column.
    Cell { column: usize, rule: &'static str },
    /// Several cells, or another log.
    Row(String),
}

/// A row, read from its first documented column to its last.
pub(super) struct Row<'a> {
    record: &'a ByteRecord,
    /// Where the documented columns lie.
    places: &'a [usize],
    next: usize,
}

impl<'a> Row<'a> {
    fn cell(&mut self) -> (usize, &'a [u8]) {
        let column = self.next;
        self.next += 1;
        (column, &self.record[self.places[column]])
    }

    /// A word of a few.
    pub fn word<T: Copy>(&mut self, words: &[(&str, T)], rule: &'static str) -> Result<T, BadRow> {
        let (column, cell) = self.cell();
        let found = words.iter().find(|(word, _)| word.as_bytes() == cell);
        found.map(|&(_, value)| value).ok_or(BadRow::Cell { column, rule })
    }

    /// A whole number.
    pub fn count(&mut self) -> Result<u64, BadRow> {
        self.parsed("a whole number", |_| true)
    }

    /// The same, or nothing.
    pub fn count_or_none(&mut self) -> Result<Option<u64>, BadRow> {
        self.or_none(|row| row.parsed("a whole number or nothing", |_| true))
    }

    /// A time.
    pub fn time(&mut self) -> Result<i64, BadRow> {
        self.parsed("a time in nanoseconds", |_| true)
    }

    /// The same, or nothing.
    pub fn time_or_none(&mut self) -> Result<Option<i64>, BadRow> {
        self.or_none(|row| row.parsed("a time in nanoseconds or nothing", |_| true))
    }

    /// Money or a size, from 0 on.
    pub fn amount(&mut self) -> Result<f64, BadRow> {
        self.number("a number from 0 on", |number| number >= 0.0)
    }

    /// The same, or nothing.
    pub fn amount_or_none(&mut self) -> Result<Option<f64>, BadRow> {
        self.or_none(|row| row.number("a number from 0 on or nothing", |number| number >= 0.0))
    }

    /// Money either way.
    pub fn money(&mut self) -> Result<f64, BadRow> {
        self.number("a number", |_| true)
    }

    /// A price or a size that there must be.
    pub fn above_zero(&mut self) -> Result<f64, BadRow> {
        self.number("a number above 0", |number| number > 0.0)
    }

    /// A price, or nothing.
    pub fn price_or_none(&mut self) -> Result<Option<f64>, BadRow> {
        self.or_none(|row| row.number("a number above 0 or nothing", |number| number > 0.0))
    }

    /// Money either way, or nothing.
    pub fn money_or_none(&mut self) -> Result<Option<f64>, BadRow> {
        self.or_none(|row| row.number("a number or nothing", |_| true))
    }

    /// A share.
    pub fn share(&mut self) -> Result<f64, BadRow> {
        self.number("a number from 0 to 1", |share| (0.0..=1.0).contains(&share))
    }

    fn or_none<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, BadRow>) -> Result<Option<T>, BadRow> {
        if self.record[self.places[self.next]].is_empty() {
            self.next += 1;
            return Ok(None);
        }
        read(self).map(Some)
    }

    fn number(&mut self, rule: &'static str, good: impl Fn(f64) -> bool) -> Result<f64, BadRow> {
        self.parsed(rule, |&number: &f64| number.abs() <= AMOUNT_MAX && good(number))
    }

    fn parsed<T: std::str::FromStr>(&mut self, rule: &'static str, good: impl Fn(&T) -> bool) -> Result<T, BadRow> {
        let (column, cell) = self.cell();
        let text = std::str::from_utf8(cell).ok();
        text.and_then(|text| text.parse().ok()).filter(good).ok_or(BadRow::Cell { column, rule })
    }
}

/// Reads the rows of a log that has the columns `names`; `take` reads each from its first column on. Gives the line of a last
/// row that its writer did not finish, which is left out. Errors name the file `path`.
///
/// # Errors
/// The file, its header, or a row that `take` refuses.
pub(super) fn read(
    path: &Path,
    file: impl Read + Seek,
    names: &[&'static str],
    take: impl FnMut(&mut Row<'_>) -> Result<(), BadRow>,
) -> Result<Option<u64>, ExecutionsError> {
    read_up_to(ROWS_MAX, path, file, names, take)
}

/// The same of a log with at most `rows_max` rows.
fn read_up_to(
    rows_max: u64,
    path: &Path,
    mut file: impl Read + Seek,
    names: &[&'static str],
    mut take: impl FnMut(&mut Row<'_>) -> Result<(), BadRow>,
) -> Result<Option<u64>, ExecutionsError> {
    let read_error = |source| ExecutionsError::Read { path: path.into(), source };
    let csv_error = |error: csv::Error| read_error(io::Error::from(error));
    let ends_whole = ends_with_line_break(&mut file).map_err(read_error)?;
    let mut rows = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(Lines::new(file, LINE_BYTES_MAX));
    let mut record = ByteRecord::new();
    if !rows.read_byte_record(&mut record).map_err(csv_error)? {
        return Err(ExecutionsError::Header { path: path.into(), what: "it is empty".into() });
    }
    let header = |what: String| ExecutionsError::Header { path: path.into(), what };
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        let mut found = record.iter().enumerate().filter(|(_, cell)| *cell == name.as_bytes());
        let (place, _) = found.next().ok_or_else(|| header(format!("no column {name}")))?;
        if found.next().is_some() {
            return Err(header(format!("two columns {name}")));
        }
        places.push(place);
    }
    let cells = record.len();
    let mut count = 0;
    while rows.read_byte_record(&mut record).map_err(csv_error)? {
        count += 1;
        if count > rows_max {
            return Err(ExecutionsError::TooLong { path: path.into() });
        }
        let line = record.position().map_or(0, csv::Position::line);
        let taken = if record.len() == cells {
            take(&mut Row { record: &record, places: &places, next: 0 })
        } else {
            Err(BadRow::Row(format!("{} columns instead of {cells}", record.len())))
        };
        let Err(bad) = taken else { continue };
        let mut after = ByteRecord::new();
        if !ends_whole && !rows.read_byte_record(&mut after).map_err(csv_error)? {
            return Ok(Some(line));
        }
        return Err(match bad {
            BadRow::Row(what) => ExecutionsError::Row { path: path.into(), line, what },
            BadRow::Cell { column, rule } => ExecutionsError::Cell {
                path: path.into(),
                line,
                column: places[column] + 1,
                name: names[column],
                text: String::from_utf8_lossy(&record[places[column]]).chars().take(QUOTED).collect(),
                rule,
            },
        });
    }
    Ok(None)
}

/// A row is written with its line break: a file that ends with another byte was cut.
fn ends_with_line_break(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    file.rewind()?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_log_may_have_so_many_rows_and_not_one_more() {
        // Other columns, and another order, do not matter.
        let text = "c,b,a\n,1,2\n,3,4\n";
        let rows = |rows_max| {
            let mut rows = Vec::new();
            let read = read_up_to(rows_max, Path::new("r.csv"), Cursor::new(text), &["a", "b"], |row| {
                rows.push((row.count()?, row.count()?));
                Ok(())
            });
            read.map(|_| rows)
        };
        assert_eq!(rows(2).unwrap(), [(2, 1), (4, 3)]);
        assert!(matches!(rows(1), Err(ExecutionsError::TooLong { .. })));
    }
}
