//! Rows of a Parquet file, some hundred at a time of each column.
//!
//! ```
//! use papertrader::sources::table::parquet_rows::is_parquet;
//!
//! assert!(is_parquet(b"PAR1\x15\x04"));
//! ```

use super::cells::Cell;
use super::rows::Rows;
use crate::capture::Progress;
use crate::sources::ReadError;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Cells held at a time, over all columns.
const CELLS_MAX: usize = 1 << 19;
/// Rows held at a time.
const ROWS_MAX: usize = 1_024;
/// The most columns of a table.
const COLUMNS_MAX: usize = 8_192;
/// The most bytes that a column of a row group may have when decompressed.
const CHUNK_BYTES_MAX: i64 = 1 << 30;

/// A cell that is held.
#[derive(Clone, Debug)]
enum Held {
    Absent,
    Int(i64),
    Float(f64),
    Text(ByteArray),
}

/// Rows of Parquet.
pub struct ParquetRows {
    path: PathBuf,
    file: SerializedFileReader<File>,
    columns: Vec<String>,
    /// The row group that is read next, and the readers of that before.
    group: usize,
    readers: Vec<ColumnReader>,
    /// The rows held: of each column its cells.
    held: Vec<Vec<Held>>,
    rows_held: usize,
    at: usize,
    number: u64,
    progress: Arc<Progress>,
}

/// Whether the beginning of a file is Parquet's.
pub fn is_parquet(head: &[u8]) -> bool {
    head.starts_with(b"PAR1")
}

impl ParquetRows {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, is cut, or has columns of decimals, lists or structures.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let wrong = |error: ParquetError| {
            ReadError::file(path, format_args!("is not a whole Parquet file, is it cut? The library says: {error}"))
        };
        let opened =
            File::open(path).map_err(|error| ReadError::file(path, format_args!("cannot be read: {error}")))?;
        let progress = Arc::new(Progress::of(opened.metadata().map_or(0, |metadata| metadata.len())));
        let file = SerializedFileReader::new(opened).map_err(wrong)?;
        let schema = file.metadata().file_metadata().schema_descr();
        if schema.num_columns() > COLUMNS_MAX {
            return Err(ReadError::file(path, format_args!("has more than {COLUMNS_MAX} columns")));
        }
        for column in schema.columns() {
            let name = column.path().string();
            let is_decimal = matches!(column.logical_type_ref(), Some(LogicalType::Decimal { .. }))
                || column.converted_type() == ConvertedType::DECIMAL;
            if is_decimal {
                return Err(ReadError::file(
                    path,
                    format_args!("column '{name}' is of decimals; write it as floats or text"),
                ));
            }
            if column.max_rep_level() > 0 {
                let what = format_args!("column '{name}' is a list; write each level into columns of its own");
                return Err(ReadError::file(path, what));
            }
            if column.physical_type() == Type::INT96 {
                let what = format_args!("column '{name}' is of 96 bits (old times); write it as 64-bit times");
                return Err(ReadError::file(path, what));
            }
        }
        let columns = schema.columns().iter().map(|column| column.path().string()).collect();
        Ok(Self {
            path: path.into(),
            file,
            columns,
            group: 0,
            readers: Vec::new(),
            held: Vec::new(),
            rows_held: 0,
            at: 0,
            number: 0,
            progress,
        })
    }

    /// Holds the next rows; false at the end.
    fn fill(&mut self) -> Result<bool, ParquetError> {
        loop {
            if !self.readers.is_empty() {
                let rows = (CELLS_MAX / self.readers.len()).clamp(1, ROWS_MAX);
                self.held.resize(self.readers.len(), Vec::new());
                for (reader, held) in self.readers.iter_mut().zip(&mut self.held) {
                    read_column(reader, rows, held)?;
                }
                self.rows_held = self.held[0].len();
                self.at = 0;
                if self.held.iter().any(|held| held.len() != self.rows_held) {
                    return Err(ParquetError::General("columns of a row group differ in length".into()));
                }
                if self.rows_held > 0 {
                    return Ok(true);
                }
                self.readers.clear();
            }
            if self.group == self.file.num_row_groups() || self.columns.is_empty() {
                return Ok(false);
            }
            let group = self.file.get_row_group(self.group)?;
            self.group += 1;
            if group.metadata().columns().iter().any(|chunk| chunk.uncompressed_size() > CHUNK_BYTES_MAX) {
                return Err(ParquetError::General(format!(
                    "a column of a row group has more than {CHUNK_BYTES_MAX} bytes"
                )));
            }
            // The library takes for granted that these are good.
            let is_good = |chunk: &ColumnChunkMetaData| {
                let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
                start >= 0 && chunk.compressed_size() >= 0 && start.checked_add(chunk.compressed_size()).is_some()
            };
            if !group.metadata().columns().iter().all(is_good) {
                return Err(ParquetError::General("a column's place in the file is negative".into()));
            }
            self.readers = (0..group.num_columns()).map(|at| group.get_column_reader(at)).collect::<Result<_, _>>()?;
        }
    }
}

/// Reads up to so many rows of a column.
fn read_column(reader: &mut ColumnReader, rows: usize, held: &mut Vec<Held>) -> Result<(), ParquetError> {
    match reader {
        ColumnReader::BoolColumnReader(reader) => read_typed(reader, rows, held, |value| Held::Int(value.into())),
        ColumnReader::Int32ColumnReader(reader) => read_typed(reader, rows, held, |value| Held::Int(value.into())),
        ColumnReader::Int64ColumnReader(reader) => read_typed(reader, rows, held, Held::Int),
        // The shortest text of the short float, not the long one nearest to it.
        ColumnReader::FloatColumnReader(reader) => {
            read_typed(reader, rows, held, |value| Held::Float(value.to_string().parse().unwrap_or(f64::NAN)))
        }
        ColumnReader::DoubleColumnReader(reader) => read_typed(reader, rows, held, Held::Float),
        ColumnReader::ByteArrayColumnReader(reader) => read_typed(reader, rows, held, Held::Text),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => {
            read_typed(reader, rows, held, |value| Held::Text(value.into()))
        }
        ColumnReader::Int96ColumnReader(_) => Err(ParquetError::General("a column is of 96 bits".into())),
    }
}

fn read_typed<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    held: &mut Vec<Held>,
    hold: impl Fn(T::T) -> Held,
) -> Result<(), ParquetError> {
    held.clear();
    let (mut values, mut levels) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    while held.len() < rows {
        values.clear();
        levels.clear();
        let (records, read, _) = reader.read_records(rows - held.len(), Some(&mut levels), None, &mut values)?;
        if records == 0 {
            break;
        }
        // Without absent values a column tells no levels.
        if read == records {
            held.extend(values.drain(..).map(&hold));
            continue;
        }
        let most = levels.iter().copied().max().unwrap_or(0).max(1);
        let mut present = values.drain(..);
        for level in &levels {
            let value = if *level == most { present.next() } else { None };
            held.push(value.map_or(Held::Absent, &hold));
        }
    }
    Ok(())
}

impl Rows for ParquetRows {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next(&mut self) -> Result<bool, ReadError> {
        self.at += 1;
        if self.at >= self.rows_held {
            // The library panics on some damaged pages; the reader is not used after an error.
            let filled = catch_unwind(AssertUnwindSafe(|| self.fill()));
            let broken = || Err(ParquetError::General("a page is not what its head says".into()));
            match filled.unwrap_or_else(|_| broken()) {
                Ok(true) => {}
                Ok(false) => {
                    self.rows_held = 0;
                    return Ok(false);
                }
                Err(error) => {
                    let what = format_args!("cannot be read, the file is damaged: {error}");
                    return Err(ReadError::record(&self.path, self.number, what));
                }
            }
        }
        self.number += 1;
        Ok(true)
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        match self.held.get(column).and_then(|held| held.get(self.at)) {
            None | Some(Held::Absent) => Cell::Absent,
            Some(Held::Int(value)) => Cell::Int(*value),
            Some(Held::Float(value)) => Cell::Float(*value),
            Some(Held::Text(text)) => Cell::Text(text.data()),
        }
    }

    fn note(&self, name: &str) -> Option<String> {
        let notes = self.file.metadata().file_metadata().key_value_metadata()?;
        notes.iter().find(|note| note.key == name)?.value.clone()
    }

    fn wrong(&self, what: &str) -> ReadError {
        ReadError::record(&self.path, self.number.saturating_sub(1), what)
    }

    fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
}
