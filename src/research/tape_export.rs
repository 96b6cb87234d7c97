//! The tape as a file: a row per print, CSV or Parquet, written as they come.
//!
//! ```
//! use papertrader::market::event::{FrameHead, FrameKind, Print, UNMEASURED, UNSTAMPED};
//! use papertrader::market::publish::Publish;
//! use papertrader::market::units::{Scale, Side};
//! use papertrader::research::tape_export::{CaptureTape, TapeWriter};
//! use std::cell::RefCell;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("tape.csv");
//! let writer = RefCell::new(TapeWriter::create(&path, false, &["market.zst".into()])?);
//! let head = FrameHead {
//!     kind: FrameKind::Prints,
//!     levels: 2,
//!     scale: Scale { price_decimals: 2, size_decimals: 3 },
//!     sequence_num: 7,
//!     ts_recv_ns: 9,
//!     ts_event_ns: 8,
//!     arrived: UNSTAMPED,
//!     received: UNMEASURED,
//!     decoded: UNSTAMPED,
//!     published: UNSTAMPED,
//! };
//! let print = Print { aggressor: Side::Bid, price_ticks: 10_050, size_lots: 250, trade_id: 3, ts_event_ns: 6 };
//! CaptureTape::new(&writer, 0).publish(&head, &print.encode()).expect("the file takes it");
//! assert_eq!(writer.into_inner().finish()?, 1);
//!
//! let text = std::fs::read_to_string(&path)?;
//! // No frame of the book came before.
//! assert_eq!(text.lines().last(), Some("market.zst,,9,6,3,100.5,0.25,buy"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::export::{ExportError, quoted};
use crate::base::output::Output;
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::Side;
use crate::run::parquet_logs::nanoseconds;
use parquet::basic::{Compression, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Columns of the tape.
pub const TAPE_COLUMNS: [&str; 8] =
    ["capture", "sequence", "ts_recv_ns", "ts_event_ns", "trade_id", "price", "size", "aggressor"];

/// Rows that a Parquet row group gathers before it is written.
const ROW_GROUP_ROWS: usize = 1 << 15;

/// A row.
#[derive(Clone, Copy, Debug)]
struct Row {
    capture: u32,
    /// Of the frame of the book before it; `None` before the first snapshot.
    sequence: Option<u64>,
    ts_recv_ns: i64,
    /// In quote units.
    price: f64,
    /// In base units.
    size: f64,
    print: Print,
}

fn aggressor(side: Side) -> &'static str {
    match side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    }
}

/// Writes the tape of captures as the file's name says.
pub struct TapeWriter {
    captures: Vec<String>,
    format: Format,
    rows: u64,
    failed: Option<ExportError>,
}

enum Format {
    Csv(Output),
    Parquet(Box<SerializedFileWriter<Output>>, Columns),
}

/// A row group in the making.
#[derive(Default)]
struct Columns {
    capture: Vec<ByteArray>,
    sequence: Vec<i64>,
    /// 1 where there is a sequence, else 0.
    sequenced: Vec<i16>,
    ts_recv_ns: Vec<i64>,
    /// Of prints with a time of the venue only.
    ts_event_ns: Vec<i64>,
    /// 1 for such a print, else 0.
    timed: Vec<i16>,
    trade_id: Vec<i64>,
    price: Vec<f64>,
    size: Vec<f64>,
    aggressor: Vec<ByteArray>,
}

impl TapeWriter {
    /// Begins `path`. `captures` are the names of the captures by their numbers.
    ///
    /// # Errors
    /// The name says no format, or the file is there and `force` does not say to replace it, or it cannot be made.
    pub fn create(path: &Path, force: bool, captures: &[String]) -> Result<Self, ExportError> {
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => {
                let mut output = Output::create(path, force)?;
                writeln!(output, "{}", TAPE_COLUMNS.join(","))?;
                Format::Csv(output)
            }
            Some("parquet") => {
                let output = Output::create(path, force)?;
                let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                let writer = SerializedFileWriter::new(output, Arc::new(schema()?), Arc::new(properties))?;
                Format::Parquet(Box::new(writer), Columns::default())
            }
            _ => return Err(ExportError::Kind(path.into())),
        };
        Ok(Self { captures: captures.to_vec(), format, rows: 0, failed: None })
    }

    /// Ends the file and puts it in its place. Gives the number of prints.
    ///
    /// # Errors
    /// It could not be written to the end.
    pub fn finish(self) -> Result<u64, ExportError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.format {
            Format::Csv(output) => output.finish()?,
            Format::Parquet(mut writer, mut columns) => {
                if !columns.price.is_empty() {
                    columns.write(writer.next_row_group()?)?;
                }
                writer.into_inner()?.finish()?;
            }
        }
        Ok(self.rows)
    }

    fn write(&mut self, row: &Row) -> Result<(), ExportError> {
        let capture = &self.captures[row.capture as usize];
        let Row { ts_recv_ns, price, size, print, .. } = *row;
        let Print { trade_id, ts_event_ns, .. } = print;
        let aggressor = aggressor(print.aggressor);
        self.rows += 1;
        match &mut self.format {
            Format::Csv(output) => {
                let sequence = row.sequence.map_or_else(String::new, |sequence| sequence.to_string());
                let (mut price_text, mut size_text) = (ryu::Buffer::new(), ryu::Buffer::new());
                let (price, size) = (price_text.format(price), size_text.format(size));
                let capture = quoted(capture);
                writeln!(
                    output,
                    "{capture},{sequence},{ts_recv_ns},{ts_event_ns},{trade_id},{price},{size},{aggressor}"
                )?;
            }
            Format::Parquet(writer, columns) => {
                columns.capture.push(ByteArray::from(capture.as_str()));
                columns.sequenced.push(i16::from(row.sequence.is_some()));
                columns.sequence.extend(row.sequence.map(|sequence| sequence as i64));
                columns.ts_recv_ns.push(ts_recv_ns);
                columns.timed.push(i16::from(ts_event_ns != 0));
                columns.ts_event_ns.extend((ts_event_ns != 0).then_some(ts_event_ns));
                // Parquet's unsigned numbers are a note on its signed ones; numbers of trades fit both.
                columns.trade_id.push(trade_id as i64);
                columns.price.push(price);
                columns.size.push(size);
                columns.aggressor.push(ByteArray::from(aggressor));
                if columns.price.len() == ROW_GROUP_ROWS {
                    columns.write(writer.next_row_group()?)?;
                }
            }
        }
        Ok(())
    }
}

/// Follows the frames of one capture and writes its prints.
pub struct CaptureTape<'a> {
    writer: &'a RefCell<TapeWriter>,
    capture: u32,
    /// Frames of the book since the first snapshot, that one included.
    frames: u64,
}

impl<'a> CaptureTape<'a> {
    /// For the capture of that number.
    pub fn new(writer: &'a RefCell<TapeWriter>, capture: u32) -> Self {
        Self { writer, capture, frames: 0 }
    }
}

impl Publish for CaptureTape<'_> {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        let counts = self.frames > 0 || head.kind == FrameKind::Snapshot;
        self.frames += u64::from(counts && head.kind.is_book_frame());
        if head.kind != FrameKind::Prints {
            return Ok(());
        }
        let mut writer = self.writer.borrow_mut();
        for &events in levels.as_chunks::<PRINT_EVENTS>().0 {
            let print = Print::decode(events);
            let row = Row {
                capture: self.capture,
                sequence: self.frames.checked_sub(1),
                ts_recv_ns: head.ts_recv_ns,
                price: print.price_ticks as f64 / head.scale.ticks_per_unit(),
                size: print.size_lots as f64 / head.scale.lots_per_unit(),
                print,
            };
            if let Err(error) = writer.write(&row) {
                // It comes out at the end.
                writer.failed = Some(error);
                return Err(EngineGone);
            }
        }
        Ok(())
    }
}

fn schema() -> Result<Type, ParquetError> {
    use PhysicalType::{BYTE_ARRAY, DOUBLE, INT64};
    let physical = [BYTE_ARRAY, INT64, INT64, INT64, INT64, DOUBLE, DOUBLE, BYTE_ARRAY];
    let fields = TAPE_COLUMNS.into_iter().zip(physical).map(|(name, physical)| {
        let may_lack = ["sequence", "ts_event_ns"].contains(&name);
        let repetition = if may_lack { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let logical = match physical {
            BYTE_ARRAY => Some(LogicalType::String),
            _ => name.ends_with("_ns").then(nanoseconds),
        };
        let column = Type::primitive_type_builder(name, physical).with_repetition(repetition);
        Ok(Arc::new(column.with_logical_type(logical).build()?))
    });
    Type::group_type_builder("print").with_fields(fields.collect::<Result<_, ParquetError>>()?).build()
}

impl Columns {
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
        column!(Int64Type, self.sequence, Some(&self.sequenced));
        column!(Int64Type, self.ts_recv_ns, None);
        column!(Int64Type, self.ts_event_ns, Some(&self.timed));
        column!(Int64Type, self.trade_id, None);
        column!(DoubleType, self.price, None);
        column!(DoubleType, self.size, None);
        column!(ByteArrayType, self.aggressor, None);
        self.sequenced.clear();
        self.timed.clear();
        group.close()?;
        Ok(())
    }
}
