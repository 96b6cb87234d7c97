//! Tables written as Parquet, row by row, with a row group's memory at most.
//!
//! ```
//! use papertrader::base::parquet_table::{Cell, Kind, ParquetTable};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("trades.parquet");
//! let mut table = ParquetTable::create(&path, false, "trade", &[("time", Kind::TimeNs), ("price", Kind::Double)])?;
//! table.push([Cell::TimeNs(1_723_161_256_610_000_000), Cell::Double(61_804.7)])?;
//! table.push([Cell::TimeNs(1_723_161_256_620_000_000), Cell::Absent])?;
//! assert_eq!(table.finish()?, 2);
//! assert!(std::fs::read(&path)?.starts_with(b"PAR1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::output::{Output, OutputError};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as PhysicalType, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Rows that a row group gathers before it is written.
const ROW_GROUP_ROWS: usize = 1 << 16;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text in UTF-8.
    Text,
    /// Whole numbers.
    Whole,
    /// Doubles.
    Double,
    /// True or false.
    Truth,
    /// Times, Unix nanoseconds, of UTC.
    TimeNs,
}

/// A cell of a row.
#[derive(Clone, Debug)]
pub enum Cell {
    /// None.
    Absent,
    /// Of a column of texts. Its bytes are shared, not copied.
    Text(ByteArray),
    /// Of a column of whole numbers.
    Whole(i64),
    /// Of a column of doubles.
    Double(f64),
    /// Of a column of truths.
    Truth(bool),
    /// Of a column of times, Unix nanoseconds.
    TimeNs(i64),
}

/// The values of a column of a row group.
enum Values {
    Text(Vec<ByteArray>),
    Whole(Vec<i64>),
    Double(Vec<f64>),
    Truth(Vec<bool>),
}

struct Column {
    name: String,
    values: Values,
    /// 1 for a cell with a value, else 0.
    defined: Vec<i16>,
}

impl Column {
    fn new(name: &str, kind: Kind) -> Self {
        let values = match kind {
            Kind::Text => Values::Text(Vec::new()),
            Kind::Whole | Kind::TimeNs => Values::Whole(Vec::new()),
            Kind::Double => Values::Double(Vec::new()),
            Kind::Truth => Values::Truth(Vec::new()),
        };
        Self { name: name.into(), values, defined: Vec::new() }
    }

    /// False where the cell is not of the column's kind.
    fn push(&mut self, cell: Cell) -> bool {
        self.defined.push(i16::from(!matches!(cell, Cell::Absent)));
        match (&mut self.values, cell) {
            (_, Cell::Absent) => {}
            (Values::Text(values), Cell::Text(text)) => values.push(text),
            (Values::Whole(values), Cell::Whole(value) | Cell::TimeNs(value)) => values.push(value),
            (Values::Double(values), Cell::Double(value)) => values.push(value),
            (Values::Truth(values), Cell::Truth(value)) => values.push(value),
            _ => return false,
        }
        true
    }
}

/// The type of a column of Unix nanoseconds, UTC.
pub fn nanoseconds() -> LogicalType {
    LogicalType::timestamp(true, TimeUnit::NANOS)
}

fn not_written(path: &Path, error: ParquetError) -> OutputError {
    OutputError::at(path)(io::Error::other(error))
}

fn schema(name: &str, columns: &[(&str, Kind)]) -> Result<Type, ParquetError> {
    let field = |&(name, kind): &(&str, Kind)| {
        let (physical, logical) = match kind {
            Kind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Whole => (PhysicalType::INT64, None),
            Kind::Double => (PhysicalType::DOUBLE, None),
            Kind::Truth => (PhysicalType::BOOLEAN, None),
            Kind::TimeNs => (PhysicalType::INT64, Some(nanoseconds())),
        };
        let column = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        column.with_logical_type(logical).build().map(Arc::new)
    };
    let fields = columns.iter().map(field).collect::<Result<_, _>>()?;
    Type::group_type_builder(name).with_fields(fields).build()
}

/// Writes a table.
pub struct ParquetTable {
    writer: SerializedFileWriter<Output>,
    columns: Vec<Column>,
    rows_in_group: usize,
    rows: u64,
}

impl ParquetTable {
    /// Begins a file of rows called `name`.
    ///
    /// # Errors
    /// The file is there and `force` does not say to replace it, or it cannot be made.
    pub fn create(path: &Path, force: bool, name: &str, columns: &[(&str, Kind)]) -> Result<Self, OutputError> {
        let output = Output::create(path, force)?;
        let wrong = |error| not_written(path, error);
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder().set_compression(zstd).build();
        let schema = Arc::new(schema(name, columns).map_err(wrong)?);
        let writer = SerializedFileWriter::new(output, schema, Arc::new(properties)).map_err(wrong)?;
        let columns = columns.iter().map(|&(name, kind)| Column::new(name, kind)).collect();
        Ok(Self { writer, columns, rows_in_group: 0, rows: 0 })
    }

    /// Appends a row: a cell for each column, of its kind.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) -> Result<(), OutputError> {
        for (column, cell) in self.columns.iter_mut().zip(row) {
            if !column.push(cell) {
                let what = io::Error::other(format!("a cell is not of the kind of its column '{}'", column.name));
                return Err(OutputError::at(self.writer.inner().path())(what));
            }
        }
        self.rows += 1;
        self.rows_in_group += 1;
        if self.rows_in_group == ROW_GROUP_ROWS {
            self.end_group()?;
        }
        Ok(())
    }

    /// Puts a note into the file's metadata, which readers show by its name.
    pub fn note(&mut self, name: &str, value: &str) {
        self.writer.append_key_value_metadata(KeyValue::new(name.into(), Some(value.into())));
    }

    fn end_group(&mut self) -> Result<(), OutputError> {
        self.rows_in_group = 0;
        let written = write_group(&mut self.writer, &mut self.columns);
        written.map_err(|error| not_written(self.writer.inner().path(), error))
    }

    /// Writes the file to its end, without putting it in its place: several files may have to be whole first. Gives the rows too.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(mut self) -> Result<(Output, u64), OutputError> {
        if self.rows_in_group > 0 {
            self.end_group()?;
        }
        let Self { writer, rows, .. } = self;
        let path = writer.inner().path().to_owned();
        let output = writer.into_inner().map_err(|error| not_written(&path, error))?;
        Ok((output, rows))
    }

    /// Ends the file and puts it in its place. Gives the number of rows.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<u64, OutputError> {
        let (output, rows) = self.end()?;
        output.finish()?;
        Ok(rows)
    }
}

fn write_group(writer: &mut SerializedFileWriter<Output>, columns: &mut [Column]) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for Column { values, defined, .. } in columns {
        let Some(mut into) = group.next_column()? else { break };
        let levels = Some(defined.as_slice());
        match values {
            Values::Text(values) => {
                into.typed::<ByteArrayType>().write_batch(values, levels, None)?;
                values.clear();
            }
            Values::Whole(values) => {
                into.typed::<Int64Type>().write_batch(values, levels, None)?;
                values.clear();
            }
            Values::Double(values) => {
                into.typed::<DoubleType>().write_batch(values, levels, None)?;
                values.clear();
            }
            Values::Truth(values) => {
                into.typed::<BoolType>().write_batch(values, levels, None)?;
                values.clear();
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
    use std::fs::File;

    #[test]
    fn what_was_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let kinds = [
            ("time", Kind::TimeNs),
            ("side", Kind::Text),
            ("count", Kind::Whole),
            ("price", Kind::Double),
            ("mark", Kind::Truth),
        ];
        let mut table = ParquetTable::create(&path, false, "row", &kinds).unwrap();
        let bid = ByteArray::from("bid");
        let rows = ROW_GROUP_ROWS as i64 + 3;
        for at in 0..rows {
            let price = if at % 3 == 0 { Cell::Absent } else { Cell::Double(at as f64 + 0.25) };
            let row = [Cell::TimeNs(at), Cell::Text(bid.clone()), Cell::Whole(-at), price, Cell::Truth(at % 2 == 0)];
            table.push(row).unwrap();
        }
        assert!(!path.exists());
        assert_eq!(table.finish().unwrap(), rows as u64);
        let file = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(file.num_row_groups(), 2);
        let time = file.metadata().file_metadata().schema_descr().column(0);
        assert_eq!(time.logical_type_ref(), Some(&nanoseconds()));
        for (at, row) in file.get_row_iter(None).unwrap().enumerate() {
            let row = row.unwrap();
            assert_eq!((row.get_string(1).unwrap().as_str(), row.get_long(2).unwrap()), ("bid", -(at as i64)));
            assert_eq!(row.get_double(3).ok(), (at % 3 != 0).then_some(at as f64 + 0.25));
            assert_eq!(row.get_bool(4).unwrap(), at % 2 == 0);
        }
        let taken = ParquetTable::create(&path, false, "row", &kinds).map(|_| ()).unwrap_err();
        assert!(matches!(taken, OutputError::Exists(_)));
        let other = folder.path().join("b.parquet");
        let mut table = ParquetTable::create(&other, false, "row", &[("n", Kind::Whole)]).unwrap();
        let error = table.push([Cell::Double(1.0)]).unwrap_err().to_string();
        assert_eq!(error, format!("cannot write {}: a cell is not of the kind of its column 'n'", other.display()));
    }
}
