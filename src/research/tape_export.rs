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
//!     product: 0,
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
use crate::base::parquet_table::{Cell, Kind, ParquetTable};
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::Side;
use parquet::data_type::ByteArray;
use std::cell::RefCell;
use std::io::Write;
use std::path::Path;

/// Columns of the tape.
pub const TAPE_COLUMNS: [&str; 8] =
    ["capture", "sequence", "ts_recv_ns", "ts_event_ns", "trade_id", "price", "size", "aggressor"];

const KINDS: [Kind; TAPE_COLUMNS.len()] =
    [Kind::Text, Kind::Whole, Kind::TimeNs, Kind::TimeNs, Kind::Whole, Kind::Double, Kind::Double, Kind::Text];

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
    Parquet(Box<ParquetTable>),
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
                let columns: Vec<_> = TAPE_COLUMNS.into_iter().zip(KINDS).collect();
                Format::Parquet(Box::new(ParquetTable::create(path, force, "print", &columns)?))
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
            Format::Parquet(table) => {
                table.finish()?;
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
            Format::Parquet(table) => table.push([
                Cell::Text(ByteArray::from(capture.as_str())),
                // Parquet's unsigned numbers are a note on its signed ones; these fit both.
                row.sequence.map_or(Cell::Absent, |sequence| Cell::Whole(sequence as i64)),
                Cell::TimeNs(ts_recv_ns),
                if ts_event_ns == 0 { Cell::Absent } else { Cell::TimeNs(ts_event_ns) },
                Cell::Whole(trade_id as i64),
                Cell::Double(price),
                Cell::Double(size),
                Cell::Text(ByteArray::from(aggressor)),
            ])?,
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
