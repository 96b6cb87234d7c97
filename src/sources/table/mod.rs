//! Tables of successive books: a row is a whole book of some levels.
//!
//! The header tells the layout: Tardis' `book_snapshot_*`, Databento's names, Crypto Lake's, home-made ones counted from 0 or 1,
//! lists in columns `bids` and `asks`, or a pattern that the user gives. The first row becomes a snapshot, each later one the
//! difference from the row before. Columns of Databento's names (`bid_px_00`) hold whole prices in 1e-9 or decimals. Rows of one time of receipt are one frame, of which the last row is the book. A row without
//! any level is a book that is lost until the next.
//!
//! ```
//! use papertrader::sources::table::TableReader;
//! use papertrader::sources::{FrameReader, RawFrame, RawKind, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("books.csv");
//! std::fs::write(&path, "time,bid_price_1,bid_size_1,ask_price_1,ask_size_1\n\
//!     1598918403.81,11657.07,10.896,11657.08,1.714\n\
//!     1598918403.89,11657.07,10.896,11657.08,1.476\n")?;
//! let mut reader = TableReader::open(&path, &ReaderSettings::default())?;
//! let mut frame = RawFrame::default();
//! assert!(reader.next(&mut frame)?);
//! assert_eq!((frame.kind, frame.levels.len()), (RawKind::Snapshot, 2));
//! assert!(reader.next(&mut frame)?);
//! assert_eq!((frame.kind, frame.levels.len()), (RawKind::Update, 1));
//! assert_eq!((frame.ts_recv_ns, frame.levels[0].size.to_string().as_str()), (1_598_918_403_890_000_000, "1.476"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cells;
pub mod chained;
pub mod changes;
pub mod csv_rows;
pub mod layout;
pub mod parquet_rows;
pub mod refuse;
pub mod rows;
#[cfg(test)]
mod tests;
pub mod trades;

use super::bytes::open;
use super::columns::is_parquet;
use super::differences::Differences;
use super::merge::Merged;
use super::tardis::trades_beside;
use super::venue::check;
use super::{FrameReader, RawFrame, RawKind, RawLevel, ReadError, ReaderCounts, ReaderSettings, TimeChoice};
use crate::capture::Progress;
use crate::market::event::Fault;
use crate::market::units::{DECIMALS_MAX, Side};
use cells::{Cell, Unit, databento_price, level, list, pairs, time_ns};
use changes::{ChangesReader, NO_EVENT_TIME, PRICE_DECIMALS, SIZE_DECIMALS};
use csv_rows::CsvRows;
use layout::{Layout, Levels, TABLE_LEVELS_MAX, layout_of};
use parquet_rows::ParquetRows;
use rows::Rows;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trades::TradeRowsReader;

/// Opens the rows of a file.
///
/// # Errors
/// It cannot be read or has no header.
pub fn open_rows(path: &Path) -> Result<Box<dyn Rows>, ReadError> {
    let mut magic = Vec::new();
    // What cannot be read the reader refuses.
    let _ = open(path)?.take(4).read_to_end(&mut magic);
    if is_parquet(&magic) { Ok(Box::new(ParquetRows::open(path)?)) } else { Ok(Box::new(CsvRows::open(path)?)) }
}

/// Opens a table of books or of changes, as its columns say; the latter with the trades beside it.
///
/// # Errors
/// It cannot be read, or its columns are not those of one.
pub fn open_table(path: &Path, settings: &ReaderSettings) -> Result<Box<dyn FrameReader>, ReadError> {
    if settings.pattern.is_some() || !holds_changes(path)? {
        check_no_opening_book(path, settings)?;
        return Ok(Box::new(TableReader::open(path, settings)?));
    }
    open_changes(&[path.into()], settings)
}

/// Opens tables of changes that mark no snapshot as one market: each goes on where the one before ends.
///
/// # Errors
/// One cannot be read.
pub fn open_parts(paths: &[PathBuf], settings: &ReaderSettings) -> Result<Box<dyn FrameReader>, ReadError> {
    let begins = |path: &PathBuf| Ok((changes::begins_ns(path, settings)?, path.clone()));
    let mut timed = paths.iter().map(begins).collect::<Result<Vec<_>, ReadError>>()?;
    timed.sort();
    let paths: Vec<PathBuf> = timed.into_iter().map(|(_, path)| path).collect();
    open_changes(&paths, settings)
}

fn open_changes(paths: &[PathBuf], settings: &ReaderSettings) -> Result<Box<dyn FrameReader>, ReadError> {
    // The trades and the opening book may begin with those of another product.
    let product = match (&settings.product, paths.first()) {
        (None, Some(path)) => changes::first_product(path)?,
        (product, _) => product.clone(),
    };
    let settings = ReaderSettings { product, ..settings.clone() };
    let book = ChangesReader::open_parts(paths, &settings)?;
    let trades: Vec<PathBuf> = paths.iter().filter_map(|path| trades_beside(path)).collect();
    if trades.is_empty() {
        return Ok(Box::new(book));
    }
    Ok(Box::new(Merged::new(book, TradeRowsReader::open_parts(&trades, &settings)?, &trades)))
}

/// Refuses an opening book where a format has its own.
///
/// # Errors
/// One is named.
pub fn check_no_opening_book(path: &Path, settings: &ReaderSettings) -> Result<(), ReadError> {
    match &settings.initial_snapshot {
        None => Ok(()),
        Some(_) => Err(ReadError::file(path, "brings its own book: leave --initial-snapshot out")),
    }
}

/// Whether a file is a table of changes.
///
/// # Errors
/// It cannot be read or has no header.
pub fn holds_changes(path: &Path) -> Result<bool, ReadError> {
    Ok(changes::is_changes(open_rows(path)?.columns()))
}

/// Whether a file is a table of changes that marks no snapshot.
///
/// # Errors
/// It cannot be read or has no header.
pub fn is_unmarked(path: &Path) -> Result<bool, ReadError> {
    let rows = open_rows(path)?;
    Ok(changes::is_changes(rows.columns()) && !changes::is_marked(rows.columns()))
}

/// Whether the beginning of a file is that of a table of books, or of one that is known and refused.
pub fn is_table(head: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', head).unwrap_or(head.len());
    is_parquet(head)
        || refuse::is_fi_2010(&head[..end])
        || csv_rows::header(&head[..end]).is_some_and(|(columns, _)| {
            refuse::refusal(&columns).is_some()
                || changes::is_changes(&columns)
                || !matches!(layout_of(&columns, None, None), Ok(None))
        })
}

/// The times of rows, in the order of one of them.
pub(super) struct Times {
    recv: usize,
    event: Option<usize>,
    choice: TimeChoice,
    units: [Option<Unit>; 2],
    last_ns: i64,
    /// Whether both times are equal where the venue gave none.
    is_equal_none: bool,
}

impl Times {
    pub(super) fn new(recv: usize, event: Option<usize>, choice: TimeChoice) -> Self {
        Self { recv, event, choice, units: [None; 2], last_ns: i64::MIN, is_equal_none: true }
    }

    /// The same, but as the file notes.
    fn noted(self, rows: &dyn Rows) -> Self {
        Self { is_equal_none: rows.note(NO_EVENT_TIME).as_deref() != Some("null"), ..self }
    }

    /// The row's time of receipt and the venue's, 0 where there is none.
    pub(super) fn of(&mut self, rows: &dyn Rows) -> Result<(i64, i64), String> {
        let event_ns = match self.event {
            None => 0,
            Some(column) => match rows.cell(column) {
                Cell::Absent | Cell::Text(b"") if self.choice == TimeChoice::Recv => 0,
                cell => time_ns(cell, &mut self.units[1])?,
            },
        };
        let recv_ns = time_ns(rows.cell(self.recv), &mut self.units[0])?;
        let ns = match (self.choice, self.event) {
            // The venue's times may go back by a little in the order of receipt.
            (TimeChoice::Event, Some(_)) => event_ns.max(self.last_ns),
            _ if recv_ns < self.last_ns => {
                let column = &rows.columns()[self.recv];
                return Err(format!(
                    "{column} goes back to '{}' from {} ns; sort the rows by it",
                    rows.cell(self.recv),
                    self.last_ns
                ));
            }
            _ => recv_ns,
        };
        self.last_ns = ns;
        Ok((ns, if self.is_equal_none && event_ns == recv_ns { 0 } else { event_ns }))
    }
}

/// Reads a table of books.
pub struct TableReader {
    rows: Box<dyn Rows>,
    layout: Layout,
    settings: ReaderSettings,
    times: Times,
    venue: Venue,
    /// Whether prices in columns of Databento's names are whole numbers in 1e-9, once one was read.
    are_nanos: Option<bool>,
    product: String,
    counts: ReaderCounts,
    differences: Differences,
    /// Whether a book has been told and not been lost.
    is_live: bool,
    /// The row ahead.
    next: Option<Book>,
    spare: Vec<RawLevel>,
}

/// A row's book.
struct Book {
    ts_recv_ns: i64,
    ts_event_ns: i64,
    levels: Vec<RawLevel>,
}

impl TableReader {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, is known to hold no book, or its columns are not those of one.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let mut rows = open_rows(path)?;
        let columns = rows.columns();
        if columns.first().is_some_and(|line| columns.len() == 1 && refuse::is_fi_2010(line.as_bytes())) {
            return Err(ReadError::file(path, refuse::FI_2010));
        }
        if let Some(why) = refuse::refusal(columns).filter(|_| settings.pattern.is_none()) {
            return Err(ReadError::file(path, why));
        }
        let layout = layout_of(columns, settings.pattern.as_deref(), settings.time_column.as_deref());
        let layout = layout.map_err(|what| ReadError::row(path, 1, what))?.ok_or_else(|| {
            let what = "names no columns of levels that are known; say how they are named by --table-pattern, \
                        such as '{side}_{field}_{level}'";
            ReadError::row(path, 1, what)
        })?;
        rows.choose(&layout.columns());
        let times = Times::new(layout.recv, layout.event, settings.time);
        Ok(Self {
            venue: Venue::new(layout.venue),
            rows,
            layout,
            settings: settings.clone(),
            times,
            are_nanos: None,
            product: settings.product.clone().unwrap_or_default(),
            counts: ReaderCounts::default(),
            differences: Differences::default(),
            is_live: false,
            next: None,
            spare: Vec::new(),
        })
    }

    /// The next row of the product.
    fn row(&mut self) -> Result<Option<Book>, ReadError> {
        while self.rows.next()? {
            self.counts.rows += 1;
            if !is_ours(&*self.rows, self.layout.product, &mut self.product) {
                self.counts.other_products += 1;
                continue;
            }
            let mut levels = std::mem::take(&mut self.spare);
            levels.clear();
            let read = self.venue.check(&*self.rows).and_then(|()| self.times.of(&*self.rows)).and_then(|times| {
                self.levels(&mut levels)?;
                check_order(&levels)?;
                Ok(times)
            });
            match read {
                Ok((ts_recv_ns, ts_event_ns)) => return Ok(Some(Book { ts_recv_ns, ts_event_ns, levels })),
                Err(what) => return Err(self.rows.wrong(&what)),
            }
        }
        Ok(None)
    }

    fn levels(&mut self, levels: &mut Vec<RawLevel>) -> Result<(), String> {
        let Self { rows, layout, settings, counts, are_nanos, .. } = self;
        match &layout.levels {
            Levels::Columns(columns) => {
                for &(side, price, size) in columns {
                    let price_cell = rows.cell(price);
                    let price_cell =
                        if layout.is_databento { databento_price(price_cell, are_nanos) } else { Ok(price_cell) };
                    let found = price_cell.and_then(|cell| level(side, cell, rows.cell(size), settings, counts));
                    levels.extend(
                        found.map_err(|what| {
                            format!("{} and {}: {what}", rows.columns()[price], rows.columns()[size])
                        })?,
                    );
                }
            }
            Levels::Lists(columns) => {
                for &(side, column) in columns {
                    match rows.cell(column) {
                        Cell::Absent => {}
                        Cell::Text(text) => list(side, text, settings, counts, levels)?,
                        Cell::List(values) => pairs(side, values, settings, counts, levels)?,
                        other => return Err(format!("'{other}' is not a list of levels")),
                    }
                }
            }
        }
        debug_assert!(levels.len() <= 2 * TABLE_LEVELS_MAX);
        Ok(())
    }
}

/// The settings, with the decimals that a file notes where the user gave none.
fn with_noted_decimals(settings: &ReaderSettings, rows: &dyn Rows) -> ReaderSettings {
    let noted = |name| rows.note(name)?.parse().ok().filter(|&decimals: &u8| decimals <= DECIMALS_MAX);
    let [price, size] = [PRICE_DECIMALS, SIZE_DECIMALS].map(noted);
    let (price_decimals, size_decimals) = (settings.price_decimals.or(price), settings.size_decimals.or(size));
    ReaderSettings { price_decimals, size_decimals, ..settings.clone() }
}

/// Whether the row is of the product, which is that of the first row where none is asked for. A row without one is of another.
pub(super) fn is_ours(rows: &dyn Rows, column: Option<usize>, product: &mut String) -> bool {
    let mut buffer = itoa::Buffer::new();
    let symbol = match column.map(|column| rows.cell(column)) {
        None => return true,
        Some(Cell::Text(symbol)) => symbol,
        Some(Cell::Int(number)) => buffer.format(number).as_bytes(),
        Some(_) => return false,
    };
    if product.is_empty() {
        *product = String::from_utf8_lossy(symbol).into_owned();
    }
    symbol == product.as_bytes()
}

/// The venue that the rows are of: two of them have two books.
pub(super) struct Venue {
    column: Option<usize>,
    name: Vec<u8>,
}

impl Venue {
    pub(super) fn new(column: Option<usize>) -> Self {
        Self { column, name: Vec::new() }
    }

    /// Whether the row is of the venue of the rows before. A row without one is.
    pub(super) fn check(&mut self, rows: &dyn Rows) -> Result<(), String> {
        let mut buffer = itoa::Buffer::new();
        let name = match self.column.map(|column| rows.cell(column)) {
            Some(Cell::Text(name)) => name,
            Some(Cell::Int(number)) => buffer.format(number).as_bytes(),
            _ => return Ok(()),
        };
        check(name, &mut self.name)
    }
}

/// Each side's prices lead away from the best.
fn check_order(levels: &[RawLevel]) -> Result<(), String> {
    let decimals = levels.iter().map(|level| level.price.decimals()).max().unwrap_or(0);
    for pair in levels.windows(2) {
        let [before, level] = pair else { continue };
        if before.side != level.side {
            continue;
        }
        let (Some(near), Some(far)) = (before.price.at(decimals), level.price.at(decimals)) else {
            return Err(format!("the price {} is too large beside {}", before.price, level.price));
        };
        let (is_ordered, side, due) = match level.side {
            Side::Bid => (far < near, "bid", "fall"),
            Side::Ask => (far > near, "ask", "rise"),
        };
        if !is_ordered {
            let (near, far) = (before.price, level.price);
            return Err(format!("{side} {far} stands behind {side} {near}: prices must {due} from level to level"));
        }
    }
    Ok(())
}

impl FrameReader for TableReader {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        loop {
            let mut book = match self.next.take() {
                Some(book) => book,
                None => match self.row()? {
                    Some(book) => book,
                    None => return Ok(false),
                },
            };
            while let Some(after) = self.row()? {
                if after.ts_recv_ns != book.ts_recv_ns {
                    self.next = Some(after);
                    break;
                }
                self.counts.replaced += 1;
                self.spare = std::mem::replace(&mut book, after).levels;
            }
            frame.begin(RawKind::Update, book.ts_recv_ns, book.ts_event_ns);
            if book.levels.is_empty() {
                self.spare = book.levels;
                if !std::mem::take(&mut self.is_live) {
                    self.counts.before_snapshot += 1;
                    continue;
                }
                self.differences.begin_again();
                frame.kind = RawKind::Lost(Fault::RecordingGap);
                return Ok(true);
            }
            std::mem::swap(&mut frame.levels, &mut book.levels);
            self.spare = book.levels;
            self.differences.apply(frame);
            self.is_live = true;
            return Ok(true);
        }
    }

    fn progress(&self) -> Arc<Progress> {
        self.rows.progress()
    }

    fn product(&self) -> &str {
        &self.product
    }

    fn counts(&self) -> ReaderCounts {
        ReaderCounts { open: self.rows.is_open().into(), ..self.counts }
    }

    fn has_event_times_only(&self) -> bool {
        self.layout.is_venue_time_only || self.settings.time == TimeChoice::Event && self.layout.event.is_some()
    }
}
