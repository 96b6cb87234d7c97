//! Columns of a Parquet file, some rows at a time, whatever its types and compression.
//!
//! What a file says of itself is checked before it is believed: pages that claim more than they hold are refused ([`pages`]), and a
//! decoder that damaged bytes mislead ends in an error.
//!
//! ```
//! use papertrader::sources::columns::Columns;
//! use papertrader::sources::table::cells::Cell;
//! use parquet::data_type::DoubleType;
//! use parquet::file::writer::SerializedFileWriter;
//! use parquet::schema::parser::parse_message_type;
//! use std::sync::Arc;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("rows.parquet");
//! let schema = Arc::new(parse_message_type("message rows { required double price; }")?);
//! let mut writer = SerializedFileWriter::new(std::fs::File::create(&path)?, schema, Default::default())?;
//! let mut group = writer.next_row_group()?;
//! let mut column = group.next_column()?.unwrap();
//! column.typed::<DoubleType>().write_batch(&[61804.7], None, None)?;
//! column.close()?;
//! group.close()?;
//! writer.close()?;
//!
//! let mut columns = Columns::open(&path)?;
//! assert_eq!(columns.names(), ["price"]);
//! assert!(columns.advance()?);
//! assert_eq!(columns.cell(0), Cell::Float(61804.7));
//! assert!(!columns.advance()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arrow_schema;
pub mod pages;
#[cfg(test)]
pub(crate) mod writing;

#[cfg(test)]
mod tests;

use super::ReadError;
use super::table::cells::{Cell, Held};
use super::table::layout::TABLE_LEVELS_MAX;
use crate::base::guarded::guarded;
use crate::capture::Progress;
use pages::Pages;
use parquet::basic::{Compression, ConvertedType, LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most columns that a file may have.
pub const COLUMNS_MAX: usize = 8_192;
/// The most bytes that a column of a row group may have once decompressed: writers make row groups of some 128 MiB in all.
pub const CHUNK_BYTES_MAX: i64 = 1 << 28;
/// Cells held at a time, over all columns.
const CELLS_MAX: usize = 1 << 19;
/// Rows held at a time.
const ROWS_MAX: usize = 1_024;
/// The same where a column holds lists.
const ROWS_OF_LISTS_MAX: usize = 64;
/// The most values of a list in a cell.
const LIST_VALUES_MAX: usize = 2 * TABLE_LEVELS_MAX;

/// Whether the beginning of a file is Parquet's.
pub fn is_parquet(head: &[u8]) -> bool {
    head.starts_with(b"PAR1")
}

/// Reads columns.
pub struct Columns {
    path: PathBuf,
    file: Arc<File>,
    metadata: ParquetMetaData,
    names: Vec<String>,
    /// The columns that are read.
    chosen: Vec<usize>,
    /// The row group that is read next.
    group: usize,
    readers: Vec<ColumnReader>,
    rows_of_group: usize,
    rows_left_in_group: usize,
    /// The group's place in the file.
    bytes: Range<u64>,
    /// Of each column its cells; none of those that are not read.
    held: Vec<Vec<Held>>,
    rows_held: usize,
    /// The row given, among those held.
    at: usize,
    /// Rows given.
    rows: u64,
    progress: Arc<Progress>,
}

/// What is wrong with a file.
enum Wrong {
    /// What the decoder says.
    Decoder(ParquetError),
    /// What is not read here.
    Ours(String),
}

impl From<ParquetError> for Wrong {
    fn from(error: ParquetError) -> Self {
        Self::Decoder(error)
    }
}

/// Runs the decoder on bytes that nobody vouches for: some make it panic.
fn decode<T>(damaged: &str, work: impl FnOnce() -> Result<T, Wrong>) -> Result<T, String> {
    match guarded(work) {
        Some(Ok(value)) => Ok(value),
        Some(Err(Wrong::Decoder(error))) => Err(format!("{damaged} {error}")),
        Some(Err(Wrong::Ours(what))) => Err(what),
        None => Err(format!("{damaged} a page is not what its head says")),
    }
}

impl Columns {
    /// Opens a file; all of its columns are read unless some are chosen.
    ///
    /// # Errors
    /// It cannot be read, is cut, or has more columns than anything here needs.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|error| ReadError::file(path, format_args!("cannot be read: {error}")))?;
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let damaged = "is not a whole Parquet file, is it cut? The library says:";
        let metadata = decode(damaged, || Ok(ParquetMetaDataReader::new().parse_and_finish(&file)?));
        let metadata = metadata.map_err(|what| ReadError::file(path, what))?;
        let schema = metadata.file_metadata().schema_descr();
        if schema.num_columns() > COLUMNS_MAX {
            return Err(ReadError::file(path, format_args!("has more than {COLUMNS_MAX} columns")));
        }
        let name = |column: &ColumnDescriptor| match column.path().parts() {
            [name, ..] if column.max_rep_level() == 2 => name.clone(),
            parts => parts.join("."),
        };
        let names: Vec<String> = schema.columns().iter().map(|column| name(column)).collect();
        Ok(Self {
            path: path.into(),
            file: Arc::new(file),
            metadata,
            chosen: (0..names.len()).collect(),
            group: 0,
            readers: Vec::new(),
            rows_of_group: 0,
            rows_left_in_group: 0,
            bytes: 0..0,
            held: vec![Vec::new(); names.len()],
            names,
            rows_held: 0,
            at: 0,
            rows: 0,
            progress: Arc::new(Progress::of(length)),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The columns' names; of lists of pairs the names of the lists.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of a column of that name.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// The text that the file's metadata hold under a key, or that of the Arrow schema in them.
    pub fn metadata(&self, key: &str) -> Option<String> {
        let pairs = self.metadata.file_metadata().key_value_metadata()?;
        let text = |key: &str| pairs.iter().find(|pair| pair.key == key)?.value.as_deref();
        text(key).map(Into::into).or_else(|| arrow_schema::value(text(arrow_schema::KEY)?, key))
    }

    /// How far the file has been read.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Only these columns are read, the others are absent. Before the first row.
    pub fn choose(&mut self, chosen: &[usize]) {
        self.chosen = chosen.iter().copied().filter(|&column| column < self.names.len()).collect();
        self.chosen.sort_unstable();
        self.chosen.dedup();
    }

    /// Goes to the next row; false at the end.
    ///
    /// # Errors
    /// The file is damaged, or a column holds what cannot be read.
    pub fn advance(&mut self) -> Result<bool, ReadError> {
        self.at += 1;
        if self.at >= self.rows_held {
            self.at = 0;
            let filled = decode("cannot be read, the file is damaged:", || self.fill());
            let filled = filled.map_err(|what| ReadError::record(&self.path, self.rows, what));
            // After an error there is no row, and nothing is read any more.
            if !matches!(filled, Ok(true)) {
                self.rows_held = 0;
                (self.group, self.rows_left_in_group) = (self.metadata.num_row_groups(), 0);
                return filled;
            }
        }
        self.rows += 1;
        Ok(true)
    }

    /// A cell of the row; absent in a column that was not chosen.
    pub fn cell(&self, column: usize) -> Cell<'_> {
        self.held.get(column).and_then(|held| held.get(self.at)).map_or(Cell::Absent, Held::cell)
    }

    /// The error of the row.
    pub fn wrong(&self, what: impl std::fmt::Display) -> ReadError {
        ReadError::record(&self.path, self.rows.saturating_sub(1), what)
    }

    /// Holds the next rows; false at the end.
    fn fill(&mut self) -> Result<bool, Wrong> {
        for held in &mut self.held {
            held.clear();
        }
        while self.rows_left_in_group == 0 {
            if self.group == self.metadata.num_row_groups() {
                self.progress.read_to(self.progress.bytes_total());
                return Ok(false);
            }
            self.begin_group()?;
        }
        let schema = self.metadata.file_metadata().schema_descr();
        let has_lists = self.chosen.iter().any(|&column| schema.column(column).max_rep_level() > 0);
        let most = if has_lists { ROWS_OF_LISTS_MAX } else { ROWS_MAX };
        let rows = (CELLS_MAX / self.chosen.len().max(1)).clamp(1, most).min(self.rows_left_in_group);
        for (reader, &column) in self.readers.iter_mut().zip(&self.chosen) {
            let Some(held) = self.held.get_mut(column) else { continue };
            let descriptor = schema.column(column);
            read_column(reader, &descriptor, rows, held)?;
            if held.len() != rows {
                return Err(Wrong::Ours(format!(
                    "cannot be read, the file is damaged: column '{}' ends before its rows do",
                    descriptor.path().string()
                )));
            }
        }
        self.rows_left_in_group -= rows;
        self.rows_held = rows;
        let read = (self.rows_of_group - self.rows_left_in_group) as u128;
        let bytes = u128::from(self.bytes.end - self.bytes.start) * read / self.rows_of_group.max(1) as u128;
        self.progress.read_to(self.bytes.start + bytes as u64);
        Ok(true)
    }

    fn begin_group(&mut self) -> Result<(), Wrong> {
        let damaged = |what: String| Wrong::Ours(format!("cannot be read, the file is damaged: {what}"));
        let group = self.metadata.row_group(self.group);
        let rows = usize::try_from(group.num_rows())
            .map_err(|_| damaged(format!("row group {} has {} rows", self.group, group.num_rows())))?;
        self.readers.clear();
        for &column in &self.chosen {
            let chunk = group.column(column);
            let descriptor = chunk.column_descr_ptr();
            let name = descriptor.path().string();
            let unread = match chunk.compression() {
                Compression::BROTLI(_) => Some("Brotli"),
                Compression::LZO => Some("LZO"),
                _ => None,
            };
            if let Some(codec) = unread {
                let what = format!("column '{name}' is compressed by {codec}, which is not read: write it with zstd");
                return Err(Wrong::Ours(what));
            }
            if chunk.uncompressed_size() > CHUNK_BYTES_MAX {
                let (bytes, group) = (chunk.uncompressed_size(), self.group);
                let what = format!(
                    "column '{name}' has {bytes} bytes in row group {group}, of at most {CHUNK_BYTES_MAX}: write smaller row groups"
                );
                return Err(Wrong::Ours(what));
            }
            if place(chunk).is_none() {
                return Err(damaged(format!("the place of column '{name}' in the file is negative")));
            }
            if descriptor.max_rep_level() == 0 && chunk.num_values() != group.num_rows() {
                let (values, rows) = (chunk.num_values(), group.num_rows());
                return Err(damaged(format!("column '{name}' has {values} values of {rows} rows")));
            }
            let pages = Pages::open(&self.file, chunk, rows)?;
            self.readers.push(get_column_reader(descriptor, Box::new(pages)));
        }
        let places = || group.columns().iter().filter_map(place);
        let start = places().map(|place| place.start).min().unwrap_or(0);
        self.bytes = start..places().map(|place| place.end).max().unwrap_or(0).max(start);
        (self.rows_of_group, self.rows_left_in_group) = (rows, rows);
        self.group += 1;
        Ok(())
    }
}

/// Where a column of a row group lies; the library takes for granted that it is not negative.
fn place(chunk: &ColumnChunkMetaData) -> Option<Range<u64>> {
    let start = u64::try_from(chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset())).ok()?;
    let length = u64::try_from(chunk.compressed_size()).ok()?;
    Some(start..start.checked_add(length).filter(|&end| i64::try_from(end).is_ok())?)
}

/// Reads so many rows of a column.
fn read_column(
    reader: &mut ColumnReader,
    column: &ColumnDescriptor,
    rows: usize,
    held: &mut Vec<Held>,
) -> Result<(), Wrong> {
    let number = whole_of(column);
    let decimals = decimals_of(column);
    let is_unsigned = is_unsigned(column);
    match reader {
        ColumnReader::BoolColumnReader(reader) => read(reader, column, rows, held, |value| Held::Int(value.into())),
        ColumnReader::Int32ColumnReader(reader) => read(reader, column, rows, held, |value| {
            number(if is_unsigned { value.cast_unsigned().into() } else { value.into() })
        }),
        ColumnReader::Int64ColumnReader(reader) => read(reader, column, rows, held, |value| {
            number(if is_unsigned { value.cast_unsigned().into() } else { value.into() })
        }),
        ColumnReader::Int96ColumnReader(reader) => {
            read(reader, column, rows, held, |value| Held::Time(value.to_nanos()))
        }
        // The shortest text of the short float, not the long one nearest to it.
        ColumnReader::FloatColumnReader(reader) => {
            read(reader, column, rows, held, |value| Held::Float(value.to_string().parse().unwrap_or(f64::NAN)))
        }
        ColumnReader::DoubleColumnReader(reader) => read(reader, column, rows, held, Held::Float),
        ColumnReader::ByteArrayColumnReader(reader) => read(reader, column, rows, held, |value| match decimals {
            Some(decimals) => Held::Decimal(big_endian(value.data()), decimals),
            None => Held::Text(value),
        }),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => {
            let is_plain = column.logical_type_ref().is_none() && column.converted_type() == ConvertedType::NONE;
            read(reader, column, rows, held, |value| match (value.data(), decimals) {
                (bytes, Some(decimals)) => Held::Decimal(big_endian(bytes), decimals),
                (bytes, None) if is_plain => fixed(bytes).unwrap_or_else(|| Held::Text(value.into())),
                _ => Held::Text(value.into()),
            })
        }
    }
}

/// NautilusTrader's numbers: the width tells the scale.
fn fixed(bytes: &[u8]) -> Option<Held> {
    if let Ok(bytes) = <[u8; 8]>::try_from(bytes) {
        return Some(Held::Fixed(i64::from_le_bytes(bytes).into(), 9));
    }
    Some(Held::Fixed(i128::from_le_bytes(bytes.try_into().ok()?), 16))
}

/// A signed number of at most 16 bytes; of more the largest, which no book holds.
fn big_endian(bytes: &[u8]) -> i128 {
    let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let mut whole = [if is_negative { 0xff } else { 0 }; 16];
    match whole.len().checked_sub(bytes.len()).and_then(|from| whole.get_mut(from..)) {
        Some(place) => place.copy_from_slice(bytes),
        None => return i128::MAX - 1,
    }
    i128::from_be_bytes(whole)
}

fn is_unsigned(column: &ColumnDescriptor) -> bool {
    use ConvertedType::{UINT_8, UINT_16, UINT_32, UINT_64};
    matches!(column.logical_type_ref(), Some(LogicalType::Integer(integer)) if !integer.is_signed)
        || matches!(column.converted_type(), UINT_8 | UINT_16 | UINT_32 | UINT_64)
}

fn decimals_of(column: &ColumnDescriptor) -> Option<u8> {
    let is_decimal = matches!(column.logical_type_ref(), Some(LogicalType::Decimal(_)))
        || column.converted_type() == ConvertedType::DECIMAL;
    u8::try_from(column.type_scale()).ok().filter(|_| is_decimal)
}

/// What a column's whole numbers mean.
fn whole_of(column: &ColumnDescriptor) -> impl Fn(i128) -> Held + use<> {
    let unit_ns = match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Timestamp(time)), _) => match time.unit {
            TimeUnit::MILLIS => 1_000_000,
            TimeUnit::MICROS => 1_000,
            TimeUnit::NANOS => 1,
        },
        (None, ConvertedType::TIMESTAMP_MILLIS) => 1_000_000,
        (None, ConvertedType::TIMESTAMP_MICROS) => 1_000,
        _ => 0,
    };
    let decimals = decimals_of(column);
    move |value| match (unit_ns, decimals) {
        (0, Some(decimals)) => Held::Decimal(value, decimals),
        (0, None) => i64::try_from(value).map_or(Held::Decimal(value, 0), Held::Int),
        // NaT is the least number.
        _ => i64::try_from(value * unit_ns).ok().filter(|&ns| ns != i64::MIN).map_or(Held::Absent, Held::Time),
    }
}

fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    column: &ColumnDescriptor,
    rows: usize,
    held: &mut Vec<Held>,
    hold: impl Fn(T::T) -> Held,
) -> Result<(), Wrong> {
    if column.max_rep_level() > 0 {
        return read_lists(reader, column, rows, held, hold);
    }
    let full = column.max_def_level();
    let (mut values, mut definitions) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    reader.read_records(rows, Some(&mut definitions), None, &mut values)?;
    if full == 0 || values.len() == rows {
        held.extend(values.into_iter().map(hold));
        return Ok(());
    }
    let mut values = values.into_iter();
    held.extend(definitions.iter().map(|&level| {
        let value = if level == full { values.next() } else { None };
        value.map_or(Held::Absent, &hold)
    }));
    Ok(())
}

/// Lists of pairs, one list at a time: nothing else bounds how long it says it is.
fn read_lists<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    column: &ColumnDescriptor,
    rows: usize,
    held: &mut Vec<Held>,
    hold: impl Fn(T::T) -> Held,
) -> Result<(), Wrong> {
    let wrong = |what: &str| Wrong::Ours(format!("column '{}' holds {what}", column.path().string()));
    if column.max_rep_level() != 2 {
        return Err(wrong("lists of another shape than [[price, size], …]"));
    }
    let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        values.clear();
        definitions.clear();
        repetitions.clear();
        reader.read_records(1, Some(&mut definitions), Some(&mut repetitions), &mut values)?;
        if definitions.is_empty() {
            return Ok(());
        }
        let mut values = values.drain(..);
        let (mut list, mut in_pair) = (Vec::new(), 0);
        for (&definition, &repetition) in definitions.iter().zip(&repetitions) {
            in_pair = if repetition == 2 { in_pair + 1 } else { 0 };
            if repetition != 2 && !list.len().is_multiple_of(2) {
                return Err(wrong("a level without a size"));
            }
            // A third number, of orders, says nothing of the book.
            if definition == column.max_def_level()
                && let Some(value) = values.next()
                && in_pair < 2
            {
                if list.len() == LIST_VALUES_MAX {
                    return Err(wrong(&format!("a list of more than {TABLE_LEVELS_MAX} levels")));
                }
                list.push(hold(value));
            }
        }
        if !list.len().is_multiple_of(2) {
            return Err(wrong("a level without a size"));
        }
        held.push(Held::List(list));
    }
    Ok(())
}
