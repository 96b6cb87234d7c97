//! The trade log and those of accounts as Parquet: made from the CSV ones when a run has ended, row group by row group.
//! Columns that end in `_ns` are time stamps in UTC.
//!
//! ```
//! use papertrader::run::parquet_logs::write_parquet;
//!
//! let folder = tempfile::tempdir()?;
//! let csv = folder.path().join("run.markouts.csv");
//! std::fs::write(&csv, "account,order_id,mid_1,mid_5,mid_20,mid_100\ntaker,7,100.5,101.0,,\n")?;
//! let path = folder.path().join("run.markouts.parquet");
//! assert_eq!(write_parquet(&csv, &path, false)?, 1);
//! assert!(std::fs::read(&path)?.starts_with(b"PAR1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::output::OutputError;
use crate::base::parquet_table::{Cell, Kind, ParquetTable};
use parquet::data_type::ByteArray;
use std::path::{Path, PathBuf};

/// Columns of text; counts, numbers of orders and frames are whole, times are time stamps, all others are doubles.
const TEXTS: [&str; 7] = ["account", "purpose", "kind", "side", "outcome", "reason", "liquidity"];

/// Why a log cannot be written as Parquet.
#[derive(Debug, thiserror::Error)]
pub enum ParquetLogError {
    /// The CSV log.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The log.
        path: PathBuf,
        /// What is wrong.
        source: csv::Error,
    },
    /// A cell is not of its column's kind.
    #[error("{path}, row {row}: '{column}' is not a number")]
    Cell {
        /// The log.
        path: PathBuf,
        /// Counted from 1, the header left out.
        row: u64,
        /// Its column.
        column: String,
    },
    /// The Parquet file.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// What a log's column of this name holds.
pub fn kind_of(name: &str) -> Kind {
    let is_whole = ["leg", "snapshots_while_held", "updates_late"].contains(&name)
        || ["_id", "_num", "sequence", "sequence_number"].iter().any(|ending| name.ends_with(ending));
    if TEXTS.contains(&name) {
        Kind::Text
    } else if name.ends_with("_ns") {
        Kind::TimeNs
    } else if is_whole {
        Kind::Whole
    } else {
        Kind::Double
    }
}

/// A cell of a kind; `None` where the text is not of it.
fn cell_of(kind: Kind, text: &str) -> Option<Cell> {
    if text.is_empty() {
        return Some(Cell::Absent);
    }
    match kind {
        Kind::Text => Some(Cell::Text(ByteArray::from(text))),
        Kind::Whole => text.parse().ok().map(Cell::Whole),
        Kind::TimeNs => text.parse().ok().map(Cell::TimeNs),
        Kind::Double => text.parse().ok().map(Cell::Double),
        Kind::Truth => None,
    }
}

/// Writes a CSV log as Parquet; a file that is there is refused, or replaced. Gives the number of rows.
///
/// # Errors
/// See [`ParquetLogError`]; a file that could not be written to the end does not appear.
pub fn write_parquet(csv: &Path, path: &Path, replace: bool) -> Result<u64, ParquetLogError> {
    let read = |source| ParquetLogError::Read { path: csv.into(), source };
    let mut rows = csv::Reader::from_path(csv).map_err(read)?;
    let names: Vec<String> = rows.headers().map_err(read)?.iter().map(Into::into).collect();
    let columns: Vec<(&str, Kind)> = names.iter().map(|name| (name.as_str(), kind_of(name))).collect();
    let mut table = ParquetTable::create(path, replace, "log", &columns)?;
    let (mut record, mut cells, mut count) = (csv::StringRecord::new(), Vec::new(), 0);
    while rows.read_record(&mut record).map_err(read)? {
        count += 1;
        for (text, &(name, kind)) in record.iter().zip(&columns) {
            let wrong = || ParquetLogError::Cell { path: csv.into(), row: count, column: name.into() };
            cells.push(cell_of(kind, text).ok_or_else(wrong)?);
        }
        table.push(cells.drain(..))?;
    }
    Ok(table.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::parquet_table::nanoseconds;
    use parquet::basic::Type as PhysicalType;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    use std::fs::{self, File};

    #[test]
    fn columns_are_of_their_kinds() {
        use crate::run::trade_log::TradeLog;
        let folder = tempfile::tempdir().unwrap();
        let (csv, path) = (folder.path().join("a.csv"), folder.path().join("a.parquet"));
        TradeLog::new(File::create(&csv).unwrap()).unwrap().flush().unwrap();
        assert_eq!(write_parquet(&csv, &path, false).unwrap(), 0);
        let file = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let columns = file.metadata().file_metadata().schema_descr().columns().to_vec();
        let (mut times, mut whole) = (Vec::new(), Vec::new());
        for column in &columns {
            match (column.physical_type(), column.logical_type_ref()) {
                (PhysicalType::INT64, Some(kind)) if *kind == nanoseconds() => times.push(column.name()),
                (PhysicalType::INT64, None) => whole.push(column.name()),
                (PhysicalType::DOUBLE, None) => {}
                other => panic!("{}: {other:?}", column.name()),
            }
        }
        assert_eq!(times, ["buy_ts_recv_ns", "sell_ts_recv_ns"]);
        let names =
            ["buy_sequence_number", "sell_sequence_number", "buy_venue_sequence_num", "sell_venue_sequence_num"];
        assert_eq!(whole, [&names[..], &["snapshots_while_held", "updates_late"]].concat());
    }

    #[test]
    fn what_was_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let (csv, path) = (folder.path().join("a.csv"), folder.path().join("a.parquet"));
        // Of more than one row group.
        let rows = 70_000_usize;
        let lines = (0..rows).map(|at| {
            let price = if at % 3 == 0 { String::new() } else { format!("{}.25", at) };
            format!("taker,{at},{price},timeout\n")
        });
        fs::write(&csv, format!("account,order_id,price,reason\n{}", lines.collect::<String>())).unwrap();
        assert_eq!(write_parquet(&csv, &path, false).unwrap(), rows as u64);
        let file = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(file.num_row_groups(), 2);
        for (at, row) in file.get_row_iter(None).unwrap().enumerate() {
            let row = row.unwrap();
            assert_eq!((row.get_string(0).unwrap().as_str(), row.get_long(1).unwrap()), ("taker", at as i64));
            assert_eq!(row.get_double(2).ok(), (at % 3 != 0).then_some(at as f64 + 0.25));
        }
        assert!(matches!(write_parquet(&csv, &path, false), Err(ParquetLogError::Output(OutputError::Exists(_)))));
        fs::write(&csv, "account,order_id\ntaker,x\n").unwrap();
        let error = write_parquet(&csv, &path, true).unwrap_err().to_string();
        assert_eq!(error, format!("{}, row 1: 'order_id' is not a number", csv.display()));
        // The one before is still there.
        assert!(fs::read(&path).unwrap().len() > 1_000);
    }
}
