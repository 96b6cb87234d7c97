//! Rows as files: CSV and Parquet, written as they come.
//!
//! ```
//! use papertrader::research::dataset::{LabelledRow, RowHead};
//! use papertrader::research::export::RowWriter;
//! use papertrader::statistics::labels::{Change, DoubleMid};
//! use papertrader::strategy::features::Feature;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("rows.csv");
//! let mut writer = RowWriter::create(&path, false, &["market.zst".into()], &[Feature::Imbalance(1)])?;
//! let mid = DoubleMid { ticks: 20_001, price_decimals: 2 };
//! let head = RowHead { capture: 0, sequence: 5, venue_sequence_num: 7, ts_recv_ns: 9, ts_event_ns: 8, mid, tick_decimals: 2 };
//! writer.write(&LabelledRow { head, values: &[0.5], change: Some(Change { sign: 1, ticks: 1.5 }), until: 20 })?;
//! writer.finish()?;
//!
//! let text = std::fs::read_to_string(&path)?;
//! assert_eq!(text.lines().last(), Some("market.zst,5,7,9,8,2,10000.5,0.5,1.5,1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::dataset::{LabelledRow, RowHead};
use crate::base::output::{Output, OutputError};
use crate::base::parquet_table::nanoseconds;
use crate::statistics::labels::Change;
use parquet::basic::{Compression, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Rows that a Parquet row group gathers before it is written: 9 MB of memory with the seed's features.
const ROW_GROUP_ROWS: usize = 1 << 15;

/// Columns before the features.
pub const LEADING: [&str; 7] =
    ["capture", "sequence", "venue_sequence_num", "ts_recv_ns", "ts_event_ns", "price_decimals", "mid_ticks"];
/// Columns after the features.
pub const TRAILING: [&str; 2] = ["mid_change_ticks", "label"];

/// Why rows cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The name says no format.
    #[error("{0}: the name must end in .csv or .parquet")]
    Kind(std::path::PathBuf),
    /// The file.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Writing.
    #[error("cannot write rows: {0}")]
    Io(#[from] io::Error),
    /// The Parquet library.
    #[error("cannot write rows: {0}")]
    Parquet(#[from] ParquetError),
}

/// Writes rows as the file's name says.
pub struct RowWriter {
    captures: Vec<String>,
    format: Format,
}

enum Format {
    Csv { output: Output, line: Vec<u8> },
    Parquet(Box<ParquetRows>),
}

struct ParquetRows {
    writer: SerializedFileWriter<Output>,
    columns: Columns,
}

/// A row group in the making.
#[derive(Default)]
struct Columns {
    captures: Vec<ByteArray>,
    capture: Vec<ByteArray>,
    sequence: Vec<i64>,
    venue_sequence_num: Vec<i64>,
    ts_recv_ns: Vec<i64>,
    /// Of frames with a time of the venue only.
    ts_event_ns: Vec<i64>,
    /// 1 for such a frame, else 0.
    timed: Vec<i16>,
    price_decimals: Vec<i32>,
    mid_ticks: Vec<f64>,
    features: Vec<Vec<f64>>,
    /// Values of labelled rows only, as Parquet wants it.
    mid_change_ticks: Vec<f64>,
    label: Vec<i32>,
    /// 1 for a labelled row, else 0.
    labelled: Vec<i16>,
}

impl RowWriter {
    /// Begins `path`. `captures` are the names that rows refer to by number.
    ///
    /// # Errors
    /// The name says no format, or the file is there and `force` does not say to replace it, or it cannot be made.
    pub fn create(
        path: &Path,
        force: bool,
        captures: &[String],
        features: &[impl Display],
    ) -> Result<Self, ExportError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let names: Vec<String> = features.iter().map(ToString::to_string).collect();
        let format = match extension {
            Some("csv") => {
                let mut output = Output::create(path, force)?;
                let header: Vec<&str> =
                    LEADING.into_iter().chain(names.iter().map(String::as_str)).chain(TRAILING).collect();
                writeln!(output, "{}", header.join(","))?;
                Format::Csv { output, line: Vec::new() }
            }
            Some("parquet") => {
                let output = Output::create(path, force)?;
                let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                let writer = SerializedFileWriter::new(output, Arc::new(schema(&names)?), Arc::new(properties))?;
                let columns = Columns {
                    captures: captures.iter().map(|name| ByteArray::from(name.as_str())).collect(),
                    features: vec![Vec::with_capacity(ROW_GROUP_ROWS); features.len()],
                    ..Columns::default()
                };
                Format::Parquet(Box::new(ParquetRows { writer, columns }))
            }
            _ => return Err(ExportError::Kind(path.into())),
        };
        let captures = captures.iter().map(|name| quoted(name)).collect();
        Ok(Self { captures, format })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, row: &LabelledRow<'_>) -> Result<(), ExportError> {
        match &mut self.format {
            Format::Csv { output, line } => {
                line.clear();
                csv_line(line, &self.captures[row.head.capture as usize], row);
                Ok(output.write_all(line)?)
            }
            Format::Parquet(rows) => {
                let ParquetRows { writer, columns } = &mut **rows;
                columns.push(row);
                if columns.sequence.len() == ROW_GROUP_ROWS {
                    columns.write(writer.next_row_group()?)?;
                }
                Ok(())
            }
        }
    }

    /// Ends the file and puts it in its place.
    ///
    /// # Errors
    /// It cannot be written to the end.
    pub fn finish(self) -> Result<(), ExportError> {
        match self.format {
            Format::Csv { output, .. } => Ok(output.finish()?),
            Format::Parquet(rows) => {
                let ParquetRows { mut writer, mut columns } = *rows;
                if !columns.sequence.is_empty() {
                    columns.write(writer.next_row_group()?)?;
                }
                Ok(writer.into_inner()?.finish()?)
            }
        }
    }
}

/// A field of CSV, in quotes where it must be (RFC 4180).
pub(super) fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.into() }
}

/// From ticks of the row's scale to the capture's, by which that scale is finer or, after a snapshot, coarser: a quotient or
/// a product of exact numbers.
fn in_capture_ticks(head: &RowHead, ticks: f64) -> f64 {
    let step = |decimals: u8| 10_f64.powi(i32::from(decimals));
    match head.mid.price_decimals.checked_sub(head.tick_decimals) {
        Some(0) => ticks,
        Some(finer) => ticks / step(finer),
        None => ticks * step(head.tick_decimals - head.mid.price_decimals),
    }
}

/// The mid of a row in ticks of its capture, as tables have it.
pub fn mid_ticks(head: &RowHead) -> f64 {
    in_capture_ticks(head, head.mid.mid_ticks())
}

/// What the mid did in ticks of the row's capture, as tables have it.
pub fn change_ticks(head: &RowHead, change: Change) -> f64 {
    in_capture_ticks(head, change.ticks)
}

/// Floats are the shortest text that reads back the same.
fn csv_line(line: &mut Vec<u8>, capture: &str, row: &LabelledRow<'_>) {
    let head = &row.head;
    let (mut whole, mut float) = (itoa::Buffer::new(), ryu::Buffer::new());
    line.extend_from_slice(capture.as_bytes());
    for number in [head.sequence, head.venue_sequence_num] {
        line.push(b',');
        line.extend_from_slice(whole.format(number).as_bytes());
    }
    for number in [head.ts_recv_ns, head.ts_event_ns, i64::from(head.tick_decimals)] {
        line.push(b',');
        line.extend_from_slice(whole.format(number).as_bytes());
    }
    for &number in std::iter::once(&mid_ticks(head)).chain(row.values) {
        line.push(b',');
        line.extend_from_slice(float.format(number).as_bytes());
    }
    line.push(b',');
    if let Some(change) = row.change {
        line.extend_from_slice(float.format(change_ticks(head, change)).as_bytes());
        line.push(b',');
        line.extend_from_slice(whole.format(change.sign).as_bytes());
    } else {
        line.push(b',');
    }
    line.push(b'\n');
}

fn schema(features: &[String]) -> Result<Type, ParquetError> {
    let column = |name: &str, physical: PhysicalType, repetition: Repetition| {
        Ok::<_, ParquetError>(Arc::new(
            Type::primitive_type_builder(name, physical).with_repetition(repetition).build()?,
        ))
    };
    let mut fields = vec![Arc::new(
        Type::primitive_type_builder(LEADING[0], PhysicalType::BYTE_ARRAY)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(Some(parquet::basic::LogicalType::String))
            .build()?,
    )];
    for name in &LEADING[1..3] {
        fields.push(column(name, PhysicalType::INT64, Repetition::REQUIRED)?);
    }
    // The venue does not always tell its time.
    for (name, repetition) in LEADING[3..5].iter().zip([Repetition::REQUIRED, Repetition::OPTIONAL]) {
        let time = Type::primitive_type_builder(name, PhysicalType::INT64).with_repetition(repetition);
        fields.push(Arc::new(time.with_logical_type(Some(nanoseconds())).build()?));
    }
    fields.push(column(LEADING[5], PhysicalType::INT32, Repetition::REQUIRED)?);
    fields.push(column(LEADING[6], PhysicalType::DOUBLE, Repetition::REQUIRED)?);
    for name in features {
        fields.push(column(name, PhysicalType::DOUBLE, Repetition::REQUIRED)?);
    }
    fields.push(column(TRAILING[0], PhysicalType::DOUBLE, Repetition::OPTIONAL)?);
    fields.push(column(TRAILING[1], PhysicalType::INT32, Repetition::OPTIONAL)?);
    Type::group_type_builder("row").with_fields(fields).build()
}

impl Columns {
    fn push(&mut self, row: &LabelledRow<'_>) {
        let head = &row.head;
        self.capture.push(self.captures[head.capture as usize].clone());
        // Parquet's unsigned numbers are a note on its signed ones; a count of frames fits both.
        self.sequence.push(head.sequence as i64);
        self.venue_sequence_num.push(head.venue_sequence_num as i64);
        self.ts_recv_ns.push(head.ts_recv_ns);
        self.timed.push(i16::from(head.ts_event_ns != 0));
        self.ts_event_ns.extend((head.ts_event_ns != 0).then_some(head.ts_event_ns));
        self.price_decimals.push(i32::from(head.tick_decimals));
        self.mid_ticks.push(mid_ticks(head));
        for (column, &value) in self.features.iter_mut().zip(row.values) {
            column.push(value);
        }
        self.labelled.push(i16::from(row.change.is_some()));
        if let Some(change) = row.change {
            self.mid_change_ticks.push(change_ticks(head, change));
            self.label.push(i32::from(change.sign));
        }
    }

    /// Writes what has been gathered and forgets it.
    fn write(&mut self, mut group: SerializedRowGroupWriter<'_, Output>) -> Result<(), ParquetError> {
        macro_rules! column {
            ($kind:ty, $values:expr, $levels:expr) => {{
                let mut column = group.next_column()?.expect("the schema has a column for each write");
                column.typed::<$kind>().write_batch(&$values, $levels, None)?;
                column.close()?;
                $values.clear();
            }};
        }
        column!(ByteArrayType, self.capture, None);
        column!(Int64Type, self.sequence, None);
        column!(Int64Type, self.venue_sequence_num, None);
        column!(Int64Type, self.ts_recv_ns, None);
        column!(Int64Type, self.ts_event_ns, Some(&self.timed));
        column!(Int32Type, self.price_decimals, None);
        column!(DoubleType, self.mid_ticks, None);
        for values in &mut self.features {
            column!(DoubleType, *values, None);
        }
        column!(DoubleType, self.mid_change_ticks, Some(&self.labelled));
        column!(Int32Type, self.label, Some(&self.labelled));
        self.labelled.clear();
        self.timed.clear();
        group.close()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("a b.gz"), "a b.gz");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
