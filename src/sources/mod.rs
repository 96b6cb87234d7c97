//! Markets in other people's formats: vendors' files, recorders' lines, tables of snapshots.
//!
//! Each format is a [`FrameReader`] in a file of its own: it yields frames of decimals, in the order of the file, and knows
//! neither scales nor commands. [`scaler`] turns them into the ring's events, [`market`] opens whatever a path names.
//!
//! ```
//! use papertrader::sources::{FrameReader, RawFrame, RawKind, ReadError, ReaderSettings};
//! use papertrader::sources::tardis::IncrementalReader;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("deribit_incremental_book_L2_2020-04-01_BTC-PERPETUAL.csv");
//! std::fs::write(&path, "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
//!     deribit,BTC-PERPETUAL,1585699200245000,1585699200250351,true,bid,6421.5,18640\n\
//!     deribit,BTC-PERPETUAL,1585699200245000,1585699200250351,true,ask,6422,100\n")?;
//! let mut reader = IncrementalReader::open(&path, &ReaderSettings::default())?;
//! let mut frame = RawFrame::default();
//! assert!(reader.next(&mut frame)?);
//! assert_eq!((frame.kind, frame.levels.len()), (RawKind::Snapshot, 2));
//! assert_eq!(frame.levels[0].price.to_string(), "6421.5");
//! assert!(!reader.next(&mut frame)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod binance_history;
pub mod book_lines;
pub mod bybit;
pub mod bytes;
pub mod columns;
pub mod databento;
pub mod detect;
pub mod differences;
pub mod files;
pub mod hftbacktest;
pub mod holes;
pub mod json;
pub mod lobster;
pub mod market;
pub mod merge;
pub mod nautilus;
pub mod number;
pub mod okx;
pub mod prints;
pub mod raw;
pub mod replay;
pub mod scaler;
pub mod snapshots;
pub mod table;
pub mod tardis;
pub mod tarred;
pub mod venue;
pub mod window;
pub mod zipped;

use crate::capture::replay::ReplayError;
use crate::capture::{CaptureError, Progress};
use crate::market::event::Fault;
use crate::market::units::Side;
use holes::Holes;
use number::Number;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a frame does to the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RawKind {
    /// Its levels replace the book.
    #[default]
    Snapshot,
    /// Its levels change the book: absolute sizes, 0 removes.
    Update,
    /// It tells of trades.
    Prints,
    /// The book cannot be trusted until the next snapshot.
    Lost(Fault),
}

/// A level as a file tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLevel {
    /// Its side.
    pub side: Side,
    /// Its price, above 0.
    pub price: Number,
    /// Its size; 0 removes it.
    pub size: Number,
}

/// A trade as a file tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawPrint {
    /// The side from which the taker came; prints of which nobody knows it are left out and counted.
    pub aggressor: Side,
    /// Its price, above 0.
    pub price: Number,
    /// Its size, above 0.
    pub size: Number,
    /// The venue's number of it where that is one; else 0.
    pub trade_id: u64,
    /// The venue's time of it, Unix nanoseconds; 0 where there is none.
    pub ts_event_ns: i64,
}

/// A frame as a file tells it. Its memory is used again from frame to frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawFrame {
    /// What it does.
    pub kind: RawKind,
    /// When it was received, or happened where a file does not say; Unix nanoseconds.
    pub ts_recv_ns: i64,
    /// The venue's time of it, Unix nanoseconds; 0 where there is none.
    pub ts_event_ns: i64,
    /// Its levels, unless it is of prints.
    pub levels: Vec<RawLevel>,
    /// Its prints, oldest first, if it is of prints.
    pub prints: Vec<RawPrint>,
}

impl RawFrame {
    /// Empties it for another frame.
    pub fn begin(&mut self, kind: RawKind, ts_recv_ns: i64, ts_event_ns: i64) {
        (self.kind, self.ts_recv_ns, self.ts_event_ns) = (kind, ts_recv_ns, ts_event_ns);
        self.levels.clear();
        self.prints.clear();
    }
}

/// The most levels that a frame may have, as of the venue's messages.
pub const FRAME_LEVELS_MAX: usize = crate::feed::intake::FRAME_LEVELS_MAX;

/// Which clock orders a market and counts as the time of receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeChoice {
    /// The recorder's where a file has one, else the venue's.
    #[default]
    Recv,
    /// The venue's.
    Event,
}

/// How files are to be read.
#[derive(Clone, Debug, Default)]
pub struct ReaderSettings {
    /// The product, where a file holds several; else the only one, or the first.
    pub product: Option<String>,
    /// Which clock.
    pub time: TimeChoice,
    /// A file with the opening book, where a format keeps that apart.
    pub initial_snapshot: Option<PathBuf>,
    /// Decimals of the tick that the user gave: floats are rounded to it.
    pub price_decimals: Option<u8>,
    /// Decimals of the lot that the user gave.
    pub size_decimals: Option<u8>,
    /// How a table names its columns of levels, see [`table::layout::Pattern`]; else its header tells.
    pub pattern: Option<String>,
    /// A table's column of the time of receipt; else told by its name.
    pub time_column: Option<String>,
}

/// What a reader counted that a user should know of; all 0 of a file without oddities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderCounts {
    /// Rows, records or lines taken.
    pub rows: u64,
    /// Those of other products.
    pub other_products: u64,
    /// Those before the first snapshot, which say nothing about a book that nobody knows.
    pub before_snapshot: u64,
    /// Prices and sizes that were rounded to a tick or lot.
    pub rounded: u64,
    /// Prints without the aggressor's side, left out.
    pub prints_without_side: u64,
    /// Rows whose time is before the row's before.
    pub out_of_order: u64,
    /// Rows of whole books in whose place stands a later row of the same time.
    pub replaced: u64,
    /// Rows of text without a line break, 1 at the end of a file that may be cut there.
    pub open: u64,
    /// Messages that do not say which was before them, in formats that do.
    pub unchecked: u64,
    /// Files that begin without a book, where none is given.
    pub unopened: u64,
    /// Opening books that are older than the first row by more than a minute.
    pub stale: u64,
    /// Files of changes that mark no snapshot and begin as if their first rows were one.
    pub unmarked: u64,
}

impl ReaderCounts {
    /// What a user should know of, in words.
    pub fn remarks(&self) -> Vec<String> {
        let &Self {
            rows: _,
            other_products,
            before_snapshot,
            rounded,
            prints_without_side,
            out_of_order,
            replaced,
            open,
            unchecked,
            unopened,
            stale,
            unmarked,
        } = self;
        let no_mark = "no row marks a snapshot: the book begins with the rows of the first time, and is whole only if they are \
             (else give --initial-snapshot)";
        let no_book =
            "the file begins without a book: levels are known once they change (else give --initial-snapshot)";
        let old_book =
            "the opening book is older than the first row by more than a minute: what changed between is not known";
        let all = [
            (other_products, "of other products, left out"),
            (before_snapshot, "before the first snapshot: nobody knows the book that they change"),
            (rounded, "with prices or sizes that were rounded to a tick or lot"),
            (prints_without_side, "of trades without the taker's side, left out"),
            (out_of_order, "whose times go back"),
            (replaced, "replaced by a later row of the same time"),
            (open, "at the end without a line break: numbers may be cut"),
        ];
        let told = all.into_iter().filter(|&(count, _)| count > 0);
        let rows = |count| if count == 1 { "row" } else { "rows" };
        let told = told.map(|(count, what)| format!("{count} {} {what}", rows(count)));
        let messages = if unchecked == 1 { "message" } else { "messages" };
        let no_number =
            || format!("{unchecked} {messages} without pu: nobody can tell whether one is missing before them");
        told.chain((unchecked > 0).then(no_number))
            .chain((unmarked > 0).then(|| no_mark.into()))
            .chain((unopened > 0).then(|| no_book.into()))
            .chain((stale > 0).then(|| old_book.into()))
            .collect()
    }
}

/// Reads a market frame by frame.
pub trait FrameReader: Send {
    /// Puts the next frame into `frame`; false at the end of the data.
    ///
    /// # Errors
    /// The data is not what the format says. What came before was good.
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError>;

    /// How far the file has been read.
    fn progress(&self) -> Arc<Progress>;

    /// The product, as the file names it; empty where it does not.
    fn product(&self) -> &str;

    /// What was counted so far.
    fn counts(&self) -> ReaderCounts;

    /// What a user should know of, in words.
    fn remarks(&self) -> Vec<String> {
        self.counts().remarks()
    }

    /// What is between the files, where there are several.
    fn holes(&self) -> Holes {
        Holes::default()
    }

    /// Whether times of receipt are the venue's, there being no others or none asked for.
    fn has_event_times_only(&self) -> bool {
        false
    }
}

/// Where in a file something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The whole of it.
    File,
    /// A row or line, counted from 1, a header included.
    Row(u64),
    /// A record, counted from 0.
    Record(u64),
}

/// Why a file cannot be read, or not further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}{place}: {what}", path = path.display())]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// Where.
    pub place: Place,
    /// What is wrong and, where that is not plain, what to do.
    pub what: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Row(row) => write!(f, ", line {row}"),
            Self::Record(record) => write!(f, ", record {record}"),
        }
    }
}

impl From<ReadError> for CaptureError {
    fn from(error: ReadError) -> Self {
        Self::Foreign(Box::new(error))
    }
}

impl From<ReadError> for ReplayError {
    fn from(error: ReadError) -> Self {
        Self::Capture(error.into())
    }
}

impl ReadError {
    /// Of a whole file.
    pub fn file(path: &Path, what: impl fmt::Display) -> Self {
        Self { path: path.into(), place: Place::File, what: what.to_string() }
    }

    /// Of a row or line, counted from 1.
    pub fn row(path: &Path, row: u64, what: impl fmt::Display) -> Self {
        Self { path: path.into(), place: Place::Row(row), what: what.to_string() }
    }

    /// Of a record, counted from 0.
    pub fn record(path: &Path, record: u64, what: impl fmt::Display) -> Self {
        Self { path: path.into(), place: Place::Record(record), what: what.to_string() }
    }
}
