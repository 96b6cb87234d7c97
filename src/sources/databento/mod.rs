//! Databento's files: DBN (`.dbn`, `.dbn.zst`, versions 1 to 3), its CSV and its Parquet, of the schemas `mbo` and `mbp-10`.
//!
//! `mbo` tells of every order; its sizes are added up by price ([`orders`]). An event ends with a record that has the flag LAST. The
//! book begins with a clear (action R) or a snapshot (flag SNAPSHOT): what comes before is skipped and counted, and a file without
//! either is refused, since nobody knows the orders that rested when it began. `mbp-10` tells the ten best levels after every record,
//! which become their differences ([`levels`]). Trades (action T) become prints and never touch a book; their side is the
//! aggressor's. The flag MAYBE_BAD_BOOK makes the book invalid until the next clear or snapshot without it.
//!
//! A file of several instruments yields one: that of the product asked for, by symbol or instrument id, else that of the first
//! record, of the publisher of its first record. Schemas without a book of several levels are refused by name, as are negative
//! prices, which spreads have.
//!
//! ```
//! use papertrader::sources::databento::DatabentoReader;
//! use papertrader::sources::{FrameReader, RawFrame, RawKind, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("mbo.csv");
//! std::fs::write(&path, "ts_recv,ts_event,action,side,price,size,order_id,flags,symbol\n\
//!     2025-07-17T07:05:09.03Z,2025-07-17T07:05:09.02Z,R,N,,0,0,136,ARL\n\
//!     2025-07-17T08:05:03.36Z,2025-07-17T08:05:03.35Z,A,B,5.510000000,100,817593,128,ARL\n\
//!     2025-07-17T08:05:04.36Z,2025-07-17T08:05:04.35Z,C,B,5.510000000,40,817593,128,ARL\n")?;
//! let mut reader = DatabentoReader::open(&path, &ReaderSettings::default())?;
//! let mut frame = RawFrame::default();
//! assert!(reader.next(&mut frame)?);
//! assert_eq!((frame.kind, frame.levels.len()), (RawKind::Snapshot, 0));
//! assert!(reader.next(&mut frame)? && reader.next(&mut frame)?);
//! assert_eq!((frame.kind, frame.levels[0].size.to_string().as_str()), (RawKind::Update, "60"));
//! assert!(!reader.next(&mut frame)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod binary;
pub mod choice;
pub mod levels;
pub mod orders;
pub mod queue;
pub mod record;
pub mod text;

#[cfg(test)]
mod tests;

use super::bytes::head;
use super::columns::is_parquet;
use super::{FrameReader, RawFrame, ReadError, ReaderCounts, ReaderSettings, TimeChoice};
use crate::capture::Progress;
use binary::BinaryRecords;
use levels::LevelBook;
use orders::OrderBook;
use queue::Queue;
use record::{Record, Schema};
use std::path::Path;
use std::sync::Arc;
use text::TextRecords;

/// Records of either encoding.
enum Records {
    Binary(Box<BinaryRecords>),
    Text(Box<TextRecords>),
}

impl Records {
    fn next(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        match self {
            Self::Binary(records) => records.next(record),
            Self::Text(records) => records.next(record),
        }
    }

    /// The error of the record given last.
    fn wrong(&self, what: String) -> ReadError {
        match self {
            Self::Binary(records) => records.wrong(what),
            Self::Text(records) => records.wrong(what),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Binary(records) => records.path(),
            Self::Text(records) => records.path(),
        }
    }

    fn product(&self) -> &str {
        match self {
            Self::Binary(records) => records.product(),
            Self::Text(records) => records.product(),
        }
    }

    fn counts(&self) -> ReaderCounts {
        match self {
            Self::Binary(records) => records.counts(),
            Self::Text(records) => records.counts(),
        }
    }
}

enum Book {
    /// Not known before the first record of a file without a schema.
    Unknown,
    Orders(Box<OrderBook>),
    Levels(Box<LevelBook>),
}

/// Reads DBN, and Databento's CSV and Parquet.
pub struct DatabentoReader {
    records: Records,
    record: Record,
    book: Book,
    clock: Clock,
    queue: Queue,
    progress: Arc<Progress>,
    is_at_end: bool,
}

/// The clock that orders the market.
struct Clock {
    choice: TimeChoice,
    last_ns: i64,
    out_of_order: u64,
}

impl Clock {
    /// The time of a record that counts as its receipt.
    fn stamp(&mut self, record: &Record) -> Result<i64, String> {
        let ts_recv_ns = match self.choice {
            TimeChoice::Event if record.ts_event_ns == 0 && self.last_ns == 0 => {
                return Err("ts_event is undefined, so that nothing can be replayed by the venue's time".into());
            }
            // The venue's times may go back in the order of receipt; orders of a snapshot carry the time when they were made.
            TimeChoice::Event => record.ts_event_ns.max(self.last_ns),
            TimeChoice::Recv if record.ts_recv_ns == 0 => {
                return Err("ts_recv is undefined; replay by the venue's time: --time event".into());
            }
            TimeChoice::Recv if record.ts_recv_ns < self.last_ns && record.flags & dbn::flags::BAD_TS_RECV != 0 => {
                self.out_of_order += 1;
                self.last_ns
            }
            TimeChoice::Recv if record.ts_recv_ns < self.last_ns => {
                let (before, now) = (self.last_ns, record.ts_recv_ns);
                return Err(format!("ts_recv goes back from {before} to {now}; sort the records by it"));
            }
            TimeChoice::Recv => record.ts_recv_ns,
        };
        self.last_ns = ts_recv_ns;
        Ok(ts_recv_ns)
    }
}

/// Whether the beginning of a file's content is DBN's.
pub fn is_binary(head: &[u8]) -> bool {
    head.starts_with(binary::MAGIC)
}

/// Whether the beginning of a file's content is the header of a CSV as Databento writes it.
pub fn is_text(head: &[u8]) -> bool {
    text::is_header(head.split(|&byte| byte == b'\n').next().unwrap_or_default())
}

/// Whether a Parquet file's columns are named as Databento names them.
pub fn are_names(names: &[String]) -> bool {
    text::are_names(&names.iter().map(String::as_bytes).collect::<Vec<_>>())
}

impl DatabentoReader {
    /// Opens a file of either encoding.
    ///
    /// # Errors
    /// It cannot be read, is of a newer version or another schema, or does not hold the product.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let (records, schema, progress, has_receipts) = if binary::is(path)? {
            let records = BinaryRecords::open(path, settings)?;
            let (schema, progress) = (records.schema(), records.progress());
            (Records::Binary(Box::new(records)), schema, progress, true)
        } else {
            let is_parquet = head(path, 4).is_ok_and(|head| is_parquet(&head));
            let open = if is_parquet { TextRecords::open_parquet } else { TextRecords::open };
            let records = open(path, settings)?;
            let (schema, progress, has_receipts) = (records.schema(), records.progress(), records.has_receipts());
            (Records::Text(Box::new(records)), Some(schema), progress, has_receipts)
        };
        let choice = if has_receipts { settings.time } else { TimeChoice::Event };
        Ok(Self {
            records,
            record: Record::default(),
            book: schema.map_or(Book::Unknown, Book::of),
            clock: Clock { choice, last_ns: 0, out_of_order: 0 },
            queue: Queue::default(),
            progress,
            is_at_end: false,
        })
    }

    /// Cancels and changes of orders of which the file does not tell, after the book had begun.
    pub fn unknown_orders(&self) -> u64 {
        match &self.book {
            Book::Orders(book) => book.unknown_orders(),
            Book::Levels(_) | Book::Unknown => 0,
        }
    }

    fn take(&mut self) -> Result<(), String> {
        let Self { record, book, clock, queue, .. } = self;
        if matches!(book, Book::Unknown) {
            *book = Book::of(record.schema);
        }
        let ts_recv_ns = clock.stamp(record)?;
        match book {
            Book::Orders(book) => book.take(record, ts_recv_ns, queue),
            Book::Levels(book) => book.take(record, ts_recv_ns, queue),
            Book::Unknown => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), ReadError> {
        let ended = match &mut self.book {
            Book::Orders(book) => book.end(&mut self.queue),
            Book::Levels(book) => book.end(&mut self.queue),
            Book::Unknown => Err("holds no record of schema mbo or mbp-10".into()),
        };
        ended.map_err(|what| ReadError::file(self.records.path(), what))
    }
}

impl Book {
    fn of(schema: Schema) -> Self {
        match schema {
            Schema::Mbo => Self::Orders(Box::default()),
            Schema::Mbp10 => Self::Levels(Box::default()),
        }
    }
}

impl FrameReader for DatabentoReader {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        loop {
            if self.queue.pop(frame) {
                return Ok(true);
            }
            if self.is_at_end {
                return Ok(false);
            }
            if self.records.next(&mut self.record)? {
                self.take().map_err(|what| self.records.wrong(what))?;
            } else {
                self.is_at_end = true;
                self.end()?;
            }
        }
    }

    fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    fn product(&self) -> &str {
        self.records.product()
    }

    fn counts(&self) -> ReaderCounts {
        let before_snapshot = match &self.book {
            Book::Orders(book) => book.before_snapshot(),
            Book::Levels(book) => book.before_snapshot(),
            Book::Unknown => 0,
        };
        let (prints_without_side, out_of_order) = (self.queue.prints_without_side(), self.clock.out_of_order);
        ReaderCounts { before_snapshot, prints_without_side, out_of_order, ..self.records.counts() }
    }

    fn has_event_times_only(&self) -> bool {
        self.clock.choice == TimeChoice::Event
    }
}
