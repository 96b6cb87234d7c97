//! Tardis' downloadable CSV files: `incremental_book_L2` and `trades` (docs.tardis.dev).
//!
//! Microseconds of UTC, ordered by `local_timestamp`; where both times are equal the venue gave none. Sizes are absolute, 0 removes.
//! Rows before the first snapshot say nothing. Where `is_snapshot` becomes true the book begins again; some venues send every
//! message so, and then a side that does not occur stays.
//!
//! ```
//! use papertrader::sources::tardis::TradesReader;
//! use papertrader::sources::{FrameReader, RawFrame, ReaderSettings};
//! use papertrader::market::units::Side;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("trades.csv");
//! std::fs::write(&path, "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n\
//!     bitmex,XBTUSD,1583020803145000,1583020803307160,8e39,buy,8531.5,2152\n")?;
//! let mut trades = TradesReader::open(&path, &ReaderSettings::default())?;
//! let mut frame = RawFrame::default();
//! assert!(trades.next(&mut frame)?);
//! // The side is the aggressor's; a name that is no number is left out.
//! assert_eq!((frame.prints[0].aggressor, frame.prints[0].trade_id), (Side::Bid, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::bytes::{Lines, open};
use super::number::{NotANumber, Number};
use super::prints::{PrintRow, gather};
use super::snapshots::Snapshots;
use super::venue::check;
use super::{
    FRAME_LEVELS_MAX, FrameReader, RawFrame, RawKind, RawLevel, RawPrint, ReadError, ReaderCounts, ReaderSettings,
    TimeChoice,
};
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use crate::capture::Progress;
use crate::market::units::Side;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The header of `incremental_book_L2`.
pub const BOOK_HEADER: &str = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount";
/// The header of `trades`.
pub const TRADES_HEADER: &str = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount";

/// 1980 to 2100, microseconds.
const TIMES_US: std::ops::Range<i64> = 315_532_800_000_000..4_102_444_800_000_000;

const NOT_EIGHT: &str = "has not eight cells; is it cut?";

/// A row's cells; every file here has eight.
type Cells<'a> = [&'a [u8]; 8];

fn cells(line: &[u8]) -> Option<Cells<'_>> {
    let mut cells: Cells<'_> = [&[]; 8];
    let mut commas = memchr::memchr_iter(b',', line);
    let mut from = 0;
    for cell in &mut cells[..7] {
        let comma = commas.next()?;
        *cell = &line[from..comma];
        from = comma + 1;
    }
    cells[7] = &line[from..];
    commas.next().is_none().then_some(cells)
}

fn shown(cell: &[u8]) -> String {
    quote(&String::from_utf8_lossy(cell), QUOTE_CHARS_MAX)
}

/// Microseconds as nanoseconds.
#[inline]
fn time_ns(cell: &[u8], column: &str) -> Result<i64, String> {
    let digits = || std::str::from_utf8(cell).ok()?.parse::<i64>().ok();
    match digits() {
        Some(us) if TIMES_US.contains(&us) => Ok(us * 1_000),
        Some(us) if TIMES_US.contains(&(us / 1_000)) => {
            Err(format!("{column} '{us}' is in nanoseconds; Tardis' files have microseconds: divide it by 1000"))
        }
        Some(us) if us.checked_mul(1_000).is_some_and(|us| TIMES_US.contains(&us)) => {
            Err(format!("{column} '{us}' is in milliseconds; Tardis' files have microseconds: multiply it by 1000"))
        }
        _ => Err(format!("{column} '{}' is not a time in microseconds since 1970", shown(cell))),
    }
}

fn number(cell: &[u8], decimals: Option<u8>, rounded: &mut u64, column: &str) -> Result<Number, String> {
    Number::from_tool(cell, decimals, rounded)
        .map_err(|error: NotANumber| format!("{column} '{}' {error}", shown(cell)))
}

/// Whether the beginning of a file is the header of `incremental_book_L2`.
pub fn is_book(head: &[u8]) -> bool {
    head.starts_with(BOOK_HEADER.as_bytes())
}

/// Where the `trades` of a book are: Tardis names both after the venue, the day and the product; beside another name, `NAME.csv`,
/// they are `NAME_trades.csv`.
pub fn trades_path(book: &Path) -> PathBuf {
    let name = book.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.contains("_incremental_book_L2_") {
        return book.with_file_name(name.replace("_incremental_book_L2_", "_trades_"));
    }
    let (name, ending) = [".csv.gz", ".csv", ".parquet"]
        .into_iter()
        .find_map(|ending| {
            let at = name.len().checked_sub(ending.len())?;
            let is_it = name.get(at..)?.eq_ignore_ascii_case(ending);
            is_it.then(|| name.split_at(at))
        })
        .unwrap_or((name, ""));
    book.with_file_name(format!("{name}_trades{ending}"))
}

/// They, if they are there.
pub fn trades_beside(book: &Path) -> Option<PathBuf> {
    Some(trades_path(book)).filter(|path| path.is_file())
}

/// The product of a file's first row, which is the one that is read where none is asked for; `None` where no row is whole.
///
/// # Errors
/// It cannot be read.
pub fn first_product(path: &Path) -> Result<Option<String>, ReadError> {
    let mut lines = Lines::new(path, open(path)?);
    lines.next()?;
    let cells = lines.next()?.and_then(cells);
    Ok(cells.map(|cells| String::from_utf8_lossy(cells[1]).into_owned()))
}

/// What both files share: the product, the order of time.
struct Rows {
    product: String,
    /// The venue of the rows before.
    venue: Vec<u8>,
    time: TimeChoice,
    price_decimals: Option<u8>,
    size_decimals: Option<u8>,
    last_ns: i64,
    counts: ReaderCounts,
}

/// The cells that both files begin with.
struct Common {
    ts_recv_ns: i64,
    ts_event_ns: i64,
}

impl Rows {
    /// Opens the lines of a file behind its header.
    fn open(path: &Path, header: &str, settings: &ReaderSettings) -> Result<(Lines, Self), ReadError> {
        let mut lines = Lines::new(path, open(path)?);
        match lines.header()? {
            // A day without data is an empty gzip.
            None => return Err(ReadError::file(path, "is empty: the venue sent nothing on that day")),
            Some(line) if line == header.as_bytes() => {}
            Some(line) => {
                let line = shown(line);
                return Err(ReadError::row(path, 1, format_args!("the header is '{line}' where '{header}' is due")));
            }
        }
        let &ReaderSettings { time, price_decimals, size_decimals, .. } = settings;
        let product = settings.product.clone().unwrap_or_default();
        let counts = ReaderCounts::default();
        let venue = Vec::new();
        Ok((lines, Self { product, venue, time, price_decimals, size_decimals, last_ns: i64::MIN, counts }))
    }

    /// Whether the row is of the product, which is that of the first row where none is asked for.
    #[inline]
    fn is_ours(&mut self, symbol: &[u8]) -> bool {
        if self.product.is_empty() {
            self.product = String::from_utf8_lossy(symbol).into_owned();
        }
        let ours = symbol == self.product.as_bytes();
        self.counts.other_products += u64::from(!ours);
        ours
    }
}

/// Refuses a header of other columns than the file's: the rows behind it would be read by the wrong ones.
fn refuse_header(cells: &Cells<'_>) -> Result<(), String> {
    if cells.contains(&&b"local_timestamp"[..]) {
        return Err("another header stands here: the rows behind it have other columns; give files of one kind".into());
    }
    Ok(())
}

/// The times of a row: of receipt, and the venue's.
#[inline]
fn times(cells: &Cells<'_>, time: TimeChoice, last_ns: &mut i64) -> Result<Common, String> {
    let ts_event_ns = time_ns(cells[2], "timestamp")?;
    let local_ns = time_ns(cells[3], "local_timestamp")?;
    let ts_recv_ns = match time {
        TimeChoice::Recv if local_ns < *last_ns => {
            return Err(format!(
                "local_timestamp goes back from {} to {}; sort the rows by it",
                *last_ns / 1_000,
                local_ns / 1_000
            ));
        }
        TimeChoice::Recv => local_ns,
        // The venue's times may go back by a little in the order of receipt.
        TimeChoice::Event => ts_event_ns.max(*last_ns),
    };
    *last_ns = ts_recv_ns;
    Ok(Common { ts_recv_ns, ts_event_ns: if ts_event_ns == local_ns { 0 } else { ts_event_ns } })
}

/// A row of the book.
#[derive(Clone, Copy)]
struct BookRow {
    ts_recv_ns: i64,
    ts_event_ns: i64,
    is_snapshot: bool,
    level: RawLevel,
}

/// Reads `incremental_book_L2`.
pub struct IncrementalReader {
    lines: Lines,
    rows: Rows,
    prefix: Prefix,
    /// The first row of the next frame.
    next: Option<BookRow>,
    has_begun: bool,
    snapshots: Snapshots,
}

impl IncrementalReader {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or its header is another.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let (lines, rows) = Rows::open(path, BOOK_HEADER, settings)?;
        Ok(Self {
            lines,
            rows,
            prefix: Prefix::default(),
            next: None,
            has_begun: false,
            snapshots: Snapshots::default(),
        })
    }

    /// The next row of the product from the first snapshot on.
    #[inline]
    fn row(&mut self) -> Result<Option<BookRow>, ReadError> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            self.rows.counts.rows += 1;
            match self.rows.book_row(line, &mut self.prefix, self.has_begun) {
                Ok(None) => {}
                Ok(Some(row)) => {
                    self.has_begun = true;
                    return Ok(Some(row));
                }
                Err(what) => return Err(self.lines.wrong(what)),
            }
        }
    }
}

/// What rows of one frame have in common: everything up to the side.
#[derive(Default)]
struct Prefix {
    /// Of the last row of the product, with the comma; empty before the first.
    text: Vec<u8>,
    ts_recv_ns: i64,
    ts_event_ns: i64,
    is_snapshot: bool,
}

impl Rows {
    /// A row of the product from the first snapshot on.
    #[inline]
    fn book_row(&mut self, line: &[u8], prefix: &mut Prefix, has_begun: bool) -> Result<Option<BookRow>, String> {
        let rest = match line.strip_prefix(&*prefix.text) {
            Some(rest) if !prefix.text.is_empty() => rest,
            _ => match self.begin_row(line, prefix, has_begun)? {
                Some(rest) => rest,
                None => return Ok(None),
            },
        };
        let (side, rest) = match rest {
            [b'b', b'i', b'd', b',', rest @ ..] => (Side::Bid, rest),
            [b'a', b's', b'k', b',', rest @ ..] => (Side::Ask, rest),
            other => {
                let side = other.split(|&byte| byte == b',').next().unwrap_or_default();
                return Err(format!("side '{}' is neither bid nor ask", shown(side)));
            }
        };
        let comma = memchr::memchr(b',', rest).ok_or(NOT_EIGHT)?;
        let price = number(&rest[..comma], self.price_decimals, &mut self.counts.rounded, "price")?;
        if price.is_zero() {
            return Err("price is 0".into());
        }
        let size = number(&rest[comma + 1..], self.size_decimals, &mut self.counts.rounded, "amount")?;
        let Prefix { ts_recv_ns, ts_event_ns, is_snapshot, .. } = *prefix;
        Ok(Some(BookRow { ts_recv_ns, ts_event_ns, is_snapshot, level: RawLevel { side, price, size } }))
    }

    /// Reads what rows of a frame have in common. Gives the rest of the row, or nothing where it is none of ours.
    fn begin_row<'a>(
        &mut self,
        line: &'a [u8],
        prefix: &mut Prefix,
        has_begun: bool,
    ) -> Result<Option<&'a [u8]>, String> {
        let cells = cells(line).ok_or(NOT_EIGHT)?;
        if !self.is_ours(cells[1]) {
            return refuse_header(&cells).map(|()| None);
        }
        let is_snapshot = match cells[4] {
            // As pandas writes them.
            b"true" | b"True" => true,
            b"false" | b"False" => false,
            other => return Err(format!("is_snapshot '{}' is neither true nor false", shown(other))),
        };
        check(cells[0], &mut self.venue)?;
        let Common { ts_recv_ns, ts_event_ns } = times(&cells, self.time, &mut self.last_ns)?;
        if !has_begun && !is_snapshot {
            self.counts.before_snapshot += 1;
            return Ok(None);
        }
        let bytes = cells[..5].iter().map(|cell| cell.len() + 1).sum();
        prefix.text.clear();
        prefix.text.extend_from_slice(&line[..bytes]);
        (prefix.ts_recv_ns, prefix.ts_event_ns, prefix.is_snapshot) = (ts_recv_ns, ts_event_ns, is_snapshot);
        Ok(Some(&line[bytes..]))
    }
}

impl FrameReader for IncrementalReader {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        let first = match self.next.take() {
            Some(row) => row,
            None => match self.row()? {
                Some(row) => row,
                None if !self.has_begun => {
                    let what = "holds no snapshot of the product: nothing can be made of its updates";
                    return Err(ReadError::file(self.lines.path(), what));
                }
                None => return Ok(false),
            },
        };
        let kind = if first.is_snapshot { RawKind::Snapshot } else { RawKind::Update };
        frame.begin(kind, first.ts_recv_ns, first.ts_event_ns);
        frame.levels.push(first.level);
        while let Some(row) = self.row()? {
            if (row.ts_recv_ns, row.is_snapshot) != (first.ts_recv_ns, first.is_snapshot) {
                self.next = Some(row);
                break;
            }
            if frame.levels.len() == FRAME_LEVELS_MAX {
                let what =
                    format_args!("the frame of {} µs has more than {FRAME_LEVELS_MAX} rows", row.ts_recv_ns / 1_000);
                return Err(self.lines.wrong(what));
            }
            frame.ts_event_ns = frame.ts_event_ns.max(row.ts_event_ns);
            frame.levels.push(row.level);
        }
        self.snapshots.complete(frame);
        Ok(true)
    }

    fn progress(&self) -> Arc<Progress> {
        self.lines.progress()
    }

    fn product(&self) -> &str {
        &self.rows.product
    }

    fn counts(&self) -> ReaderCounts {
        ReaderCounts { open: self.lines.is_open().into(), ..self.rows.counts }
    }

    fn has_event_times_only(&self) -> bool {
        self.rows.time == TimeChoice::Event
    }
}

/// Reads `trades`.
pub struct TradesReader {
    lines: Lines,
    rows: Rows,
    next: Option<PrintRow>,
}

impl TradesReader {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or its header is another.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let (lines, rows) = Rows::open(path, TRADES_HEADER, settings)?;
        Ok(Self { lines, rows, next: None })
    }

    fn row(&mut self) -> Result<Option<PrintRow>, ReadError> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            self.rows.counts.rows += 1;
            match self.rows.trade(line) {
                Ok(None) => {}
                Ok(Some(row)) => return Ok(Some(row)),
                Err(what) => return Err(self.lines.wrong(what)),
            }
        }
    }
}

impl Rows {
    fn trade(&mut self, line: &[u8]) -> Result<Option<PrintRow>, String> {
        let cells = cells(line).ok_or(NOT_EIGHT)?;
        if !self.is_ours(cells[1]) {
            return refuse_header(&cells).map(|()| None);
        }
        check(cells[0], &mut self.venue)?;
        let price = number(cells[6], self.price_decimals, &mut self.counts.rounded, "price")?;
        let size = number(cells[7], self.size_decimals, &mut self.counts.rounded, "amount")?;
        let Common { ts_recv_ns, ts_event_ns } = times(&cells, self.time, &mut self.last_ns)?;
        let aggressor = match cells[5] {
            b"buy" => Side::Bid,
            b"sell" => Side::Ask,
            b"unknown" | b"" => {
                self.counts.prints_without_side += 1;
                return Ok(None);
            }
            other => return Err(format!("side '{}' is neither buy, sell nor unknown", shown(other))),
        };
        // Venues that number by text have numbers that are none.
        let trade_id = std::str::from_utf8(cells[4]).ok().and_then(|id| id.parse().ok()).unwrap_or(0);
        Ok(Some(PrintRow { ts_recv_ns, print: RawPrint { aggressor, price, size, trade_id, ts_event_ns } }))
    }
}

impl FrameReader for TradesReader {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        let mut next = self.next.take();
        let found = gather(&mut next, frame, || self.row());
        self.next = next;
        found
    }

    fn progress(&self) -> Arc<Progress> {
        self.lines.progress()
    }

    fn product(&self) -> &str {
        &self.rows.product
    }

    fn counts(&self) -> ReaderCounts {
        ReaderCounts { open: self.lines.is_open().into(), ..self.rows.counts }
    }
}
