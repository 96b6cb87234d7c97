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
//! # Ok::<(), papertrader::run::parquet_logs::ParquetLogError>(())
//! ```

use crate::base::output::{Output, OutputError};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows that a row group gathers before it is written.
const ROW_GROUP_ROWS: usize = 1 << 15;

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
    /// A file of it.
    #[error("cannot write: {0}")]
    Io(#[from] io::Error),
    /// The library.
    #[error("cannot write: {0}")]
    Parquet(#[from] ParquetError),
}

/// A column of a row group in the making. Empty cells have a definition of 0 and no value.
enum Column {
    Text(Vec<ByteArray>),
    Whole(Vec<i64>),
    /// Unix nanoseconds.
    Time(Vec<i64>),
    Double(Vec<f64>),
}

/// A column of Unix nanoseconds, UTC.
pub fn nanoseconds() -> LogicalType {
    LogicalType::timestamp(true, TimeUnit::NANOS)
}

impl Column {
    fn of(name: &str) -> Self {
        let is_whole = ["leg", "snapshots_while_held", "updates_late"].contains(&name)
            || ["_id", "_num", "sequence", "sequence_number"].iter().any(|ending| name.ends_with(ending));
        if TEXTS.contains(&name) {
            Self::Text(Vec::new())
        } else if name.ends_with("_ns") {
            Self::Time(Vec::new())
        } else if is_whole {
            Self::Whole(Vec::new())
        } else {
            Self::Double(Vec::new())
        }
    }

    /// Whether the cell is of its kind.
    fn push(&mut self, cell: &str) -> bool {
        match self {
            Self::Text(texts) => texts.push(ByteArray::from(cell)),
            Self::Whole(numbers) | Self::Time(numbers) => match cell.parse() {
                Ok(number) => numbers.push(number),
                Err(_) => return false,
            },
            Self::Double(numbers) => match cell.parse() {
                Ok(number) => numbers.push(number),
                Err(_) => return false,
            },
        }
        true
    }

    fn schema(&self, name: &str) -> Result<Type, ParquetError> {
        let (physical, logical) = match self {
            Self::Text(_) => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
            Self::Whole(_) => (PhysicalType::INT64, None),
            Self::Time(_) => (PhysicalType::INT64, Some(nanoseconds())),
            Self::Double(_) => (PhysicalType::DOUBLE, None),
        };
        let column = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        column.with_logical_type(logical).build()
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
    let mut columns: Vec<(Column, Vec<i16>)> = names.iter().map(|name| (Column::of(name), Vec::new())).collect();
    let types = names.iter().zip(&columns).map(|(name, (column, _))| column.schema(name).map(Arc::new));
    let schema = Type::group_type_builder("log").with_fields(types.collect::<Result<_, _>>()?).build()?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let output = Output::create(path, replace)?;
    let mut writer = SerializedFileWriter::new(output, Arc::new(schema), Arc::new(properties))?;
    let (mut record, mut count) = (csv::StringRecord::new(), 0);
    while rows.read_record(&mut record).map_err(read)? {
        count += 1;
        for ((cell, name), (column, defined)) in record.iter().zip(&names).zip(&mut columns) {
            defined.push(i16::from(!cell.is_empty()));
            if !cell.is_empty() && !column.push(cell) {
                return Err(ParquetLogError::Cell { path: csv.into(), row: count, column: name.clone() });
            }
        }
        if count % ROW_GROUP_ROWS as u64 == 0 {
            write_group(&mut writer, &mut columns)?;
        }
    }
    if columns.first().is_some_and(|(_, defined)| !defined.is_empty()) {
        write_group(&mut writer, &mut columns)?;
    }
    writer.into_inner()?.finish()?;
    Ok(count)
}

fn write_group(
    writer: &mut SerializedFileWriter<Output>,
    columns: &mut [(Column, Vec<i16>)],
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for (column, defined) in columns {
        let Some(mut into) = group.next_column()? else { break };
        match column {
            Column::Text(texts) => {
                into.typed::<ByteArrayType>().write_batch(texts, Some(defined), None)?;
                texts.clear();
            }
            Column::Whole(numbers) | Column::Time(numbers) => {
                into.typed::<Int64Type>().write_batch(numbers, Some(defined), None)?;
                numbers.clear();
            }
            Column::Double(numbers) => {
                into.typed::<DoubleType>().write_batch(numbers, Some(defined), None)?;
                numbers.clear();
            }
        }
        into.close()?;
        defined.clear();
    }
    group.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let rows = ROW_GROUP_ROWS + 3;
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
