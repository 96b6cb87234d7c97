//! A NautilusTrader catalogue's order-book deltas, Parquet.
//!
//! The width of a number tells its scale: 8 bytes count 1e-9, 16 bytes 1e-16. Where numbers were made from floats they are rounded
//! to the precision in the file's metadata. A frame ends with the flag `LAST`, and where the next row has another `ts_init`. A clear
//! begins a snapshot, and so does the first row with the flag `SNAPSHOT` after others. Orders are added up to levels by their numbers;
//! rows without a number are levels. The parts of a catalogue are one stream: only the first must begin with a snapshot.
//!
//! ```no_run
//! use papertrader::sources::nautilus::NautilusReader;
//! use papertrader::sources::{FrameReader, RawFrame, ReaderSettings};
//!
//! let path = std::path::Path::new("catalog/data/order_book_deltas/BTCUSDT.BINANCE/part-0.parquet");
//! let mut deltas = NautilusReader::open(path, &ReaderSettings::default())?;
//! let mut frame = RawFrame::default();
//! while deltas.next(&mut frame)? {
//!     println!("{} {:?}: {} levels", frame.ts_recv_ns, frame.kind, frame.levels.len());
//! }
//! println!("{} rows of {}", deltas.counts().rows, deltas.product());
//! # Ok::<(), papertrader::sources::ReadError>(())
//! ```

use super::columns::Columns;
use super::databento::orders::ORDERS_MAX;
use super::holes::Holes;
use super::number::Number;
use super::table::cells::{Cell, Unit, time_ns};
use super::{
    FRAME_LEVELS_MAX, FrameReader, RawFrame, RawKind, RawLevel, ReadError, ReaderCounts, ReaderSettings, TimeChoice,
};
use crate::capture::Progress;
use crate::market::event::Fault;
use crate::market::units::Side;
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The columns, in the order in which they are read.
const COLUMNS: [&str; 8] = ["action", "side", "price", "size", "order_id", "flags", "ts_event", "ts_init"];

const ADD: i128 = 1;
const UPDATE: i128 = 2;
const DELETE: i128 = 3;
const CLEAR: i128 = 4;

/// The event's last row.
const LAST: i128 = 128;
/// A row of a snapshot.
const SNAPSHOT: i128 = 32;
/// The book cannot be trusted.
const MAYBE_BAD_BOOK: i128 = 4;

/// Whether columns of these names are a catalogue's deltas.
pub fn are_deltas(names: &[String]) -> bool {
    COLUMNS.iter().all(|column| names.iter().any(|name| name == column))
}

/// A row of deltas.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    action: i128,
    /// 1 buy, 2 sell, 0 neither.
    side: i128,
    price: i128,
    size: i128,
    order_id: i128,
    flags: i128,
    ts_event_ns: i64,
    ts_recv_ns: i64,
}

/// Which order: by its side and number, or by its price where it has no number.
type Key = (bool, bool, i128);

/// Orders, and what levels they add up to, in the file's units.
#[derive(Debug)]
struct Orders {
    /// The most that a book may have.
    most: usize,
    orders: HashMap<Key, (i128, i128)>,
    levels: HashMap<(bool, i128), i128>,
    /// Levels that changed since the frame began, in that order.
    changed: Vec<(bool, i128)>,
    is_changed: HashSet<(bool, i128)>,
}

impl Orders {
    fn new(most: usize) -> Self {
        let (orders, levels) = (HashMap::new(), HashMap::new());
        Self { most, orders, levels, changed: Vec::new(), is_changed: HashSet::new() }
    }

    fn clear(&mut self) {
        self.orders.clear();
        self.levels.clear();
        self.begin();
    }

    fn begin(&mut self) {
        self.changed.clear();
        self.is_changed.clear();
    }

    fn change(&mut self, level: (bool, i128), by: i128) {
        let size = self.levels.entry(level).or_default();
        *size = size.saturating_add(by);
        if *size <= 0 {
            self.levels.remove(&level);
        }
        if self.is_changed.insert(level) {
            self.changed.push(level);
        }
    }

    /// Sets an order, or takes it away if its size is 0.
    fn set(&mut self, row: &Row) -> Result<(), String> {
        let is_bid = row.side == 1;
        let key = if row.order_id == 0 { (is_bid, false, row.price) } else { (is_bid, true, row.order_id) };
        let is_gone = row.action == DELETE || row.size == 0;
        if let Some((price, size)) = self.orders.remove(&key) {
            self.change((is_bid, price), -size);
        } else if is_gone {
            // Where the file begins in the middle, and of levels behind those that a venue shows.
            self.change((is_bid, row.price), 0);
        }
        if !is_gone {
            if self.orders.len() == self.most {
                return Err(format!("more than {} orders are open", self.most));
            }
            self.orders.insert(key, (row.price, row.size));
            self.change((is_bid, row.price), row.size);
        }
        Ok(())
    }
}

/// Reads deltas.
pub struct NautilusReader {
    part: Part,
    /// Files that follow.
    parts: VecDeque<PathBuf>,
    /// Bytes of the files before.
    bytes_before: u64,
    progress: Arc<Progress>,
    settings: ReaderSettings,
    product: String,
    /// Decimals of the file's units, once a number was read.
    decimals: Option<u8>,
    orders: Orders,
    next: Option<Row>,
    /// Whether there is a book.
    has_begun: bool,
    /// Whether there ever was one.
    has_told: bool,
    /// Whether the row before was of a snapshot.
    was_snapshot: bool,
    last_ns: i64,
    counts: ReaderCounts,
    holes: Holes,
}

/// A file that is open.
struct Part {
    columns: Columns,
    /// Where the columns stand.
    places: [usize; COLUMNS.len()],
    product: Option<String>,
    price_decimals: Option<u8>,
    size_decimals: Option<u8>,
}

impl Part {
    fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let mut columns = Columns::open(path)?;
        let mut places = [0; COLUMNS.len()];
        for (place, name) in places.iter_mut().zip(COLUMNS) {
            *place = columns.named(name).ok_or_else(|| {
                let what = if columns.named("aggressor_side").is_some() {
                    "holds NautilusTrader's trades alone, no book; take its order_book_deltas".to_owned()
                } else {
                    format!("lacks the column {name} of NautilusTrader's deltas; take a catalogue's order_book_deltas")
                };
                ReadError::file(path, what)
            })?;
        }
        columns.choose(&places);
        let decimals = |key| columns.metadata(key).and_then(|text| text.parse().ok());
        Ok(Self {
            price_decimals: settings.price_decimals.or_else(|| decimals("price_precision")),
            size_decimals: settings.size_decimals.or_else(|| decimals("size_precision")),
            product: columns.metadata("instrument_id"),
            columns,
            places,
        })
    }

    /// Whether a product is that of the file, as far as it tells one.
    fn check_product(&self, asked: &str) -> Result<(), ReadError> {
        match &self.product {
            Some(held) if held != asked => {
                Err(ReadError::file(self.columns.path(), format_args!("is of {held} and not of {asked}")))
            }
            _ => Ok(()),
        }
    }

    fn cell(&self, at: usize) -> Cell<'_> {
        self.columns.cell(self.places[at])
    }

    fn whole(&self, at: usize) -> Result<i128, String> {
        match self.cell(at) {
            Cell::Int(value) => Ok(value.into()),
            Cell::Decimal(value, 0) => Ok(value),
            other => Err(format!("{} '{other}' is not a whole number", COLUMNS[at])),
        }
    }

    fn fixed(&self, at: usize) -> Result<(i128, u8), String> {
        match self.cell(at) {
            Cell::Fixed(count, _) if count < 0 => Err(format!("{} is negative: {}", COLUMNS[at], self.cell(at))),
            Cell::Fixed(count, decimals) => Ok((count, decimals)),
            other => Err(format!("{} '{other}' is not of a fixed width of 8 or 16 bytes", COLUMNS[at])),
        }
    }

    fn time(&self, at: usize) -> Result<i64, String> {
        time_ns(self.cell(at), &mut Some(Unit::Nanos)).map_err(|what| format!("{}: {what}", COLUMNS[at]))
    }

    /// The time of the first row; the latest there is of a file without rows.
    fn begins_ns(mut self, time: TimeChoice) -> Result<i64, ReadError> {
        if !self.columns.advance()? {
            return Ok(i64::MAX);
        }
        self.time(time_column(time)).map_err(|what| self.columns.wrong(what))
    }
}

/// Which of the columns tells the time of receipt.
fn time_column(time: TimeChoice) -> usize {
    match time {
        TimeChoice::Event => 6,
        TimeChoice::Recv => 7,
    }
}

impl NautilusReader {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or holds no deltas.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        Self::open_all(&[path.into()], settings)
    }

    /// Opens the parts of a catalogue, which may be given in any order.
    ///
    /// # Errors
    /// One cannot be read, holds no deltas, or is of another product; there is none.
    pub fn open_all(paths: &[PathBuf], settings: &ReaderSettings) -> Result<Self, ReadError> {
        let mut parts = Vec::new();
        let mut bytes = 0;
        for path in paths {
            let part = Part::open(path, settings)?;
            bytes += part.columns.progress().bytes_total();
            let begins_ns = if paths.len() == 1 { 0 } else { part.begins_ns(settings.time)? };
            parts.push((begins_ns, path.clone()));
        }
        parts.sort();
        let mut parts: VecDeque<PathBuf> = parts.into_iter().map(|(_, path)| path).collect();
        let first = parts.pop_front().ok_or_else(|| ReadError::file(Path::new(""), "no file is named"))?;
        let part = Part::open(&first, settings)?;
        let product = settings.product.clone().or_else(|| part.product.clone()).unwrap_or_default();
        part.check_product(&product)?;
        Ok(Self {
            part,
            parts,
            bytes_before: 0,
            progress: Arc::new(Progress::of(bytes)),
            settings: settings.clone(),
            product,
            decimals: None,
            orders: Orders::new(ORDERS_MAX),
            next: None,
            has_begun: false,
            has_told: false,
            was_snapshot: false,
            last_ns: i64::MIN,
            counts: ReaderCounts::default(),
            holes: Holes::default(),
        })
    }

    /// The next row that says something about a book that is known.
    fn row(&mut self) -> Result<Option<Row>, ReadError> {
        loop {
            let row = match self.next.take() {
                Some(row) => row,
                None if self.part.columns.advance()? => {
                    self.counts.rows += 1;
                    self.parse().map_err(|what| self.part.columns.wrong(what))?
                }
                None if self.open_next()? => continue,
                None => return Ok(None),
            };
            if self.has_begun || row.action == CLEAR || row.flags & SNAPSHOT != 0 {
                return Ok(Some(row));
            }
            self.counts.before_snapshot += 1;
        }
    }

    /// Goes to the next part; false if there is none.
    fn open_next(&mut self) -> Result<bool, ReadError> {
        let Some(path) = self.parts.pop_front() else { return Ok(false) };
        let begins_ns = Part::open(&path, &self.settings)?.begins_ns(self.settings.time)?;
        if begins_ns < self.last_ns {
            let (by_ns, before) = (self.last_ns - begins_ns, self.part.columns.path().display());
            let what = format_args!("begins {by_ns} ns before {before} ends: give files that do not overlap");
            return Err(ReadError::file(&path, what));
        }
        if begins_ns < i64::MAX {
            // Behind a file without rows there is no time.
            self.holes.note(&path, if self.last_ns == i64::MIN { begins_ns } else { self.last_ns }, begins_ns);
        }
        self.bytes_before += self.part.columns.progress().bytes_total();
        self.part = Part::open(&path, &self.settings)?;
        self.part.check_product(&self.product)?;
        Ok(true)
    }

    fn parse(&mut self) -> Result<Row, String> {
        let part = &self.part;
        let [action, side, order_id, flags] = [part.whole(0)?, part.whole(1)?, part.whole(4)?, part.whole(5)?];
        let (ts_event_ns, ts_ns) = (part.time(6)?, part.time(time_column(self.settings.time))?);
        if !matches!(action, ADD | UPDATE | DELETE | CLEAR) {
            return Err(format!("action {action} is neither 1 add, 2 update, 3 delete nor 4 clear"));
        }
        self.counts.out_of_order += u64::from(ts_ns < self.last_ns);
        self.last_ns = self.last_ns.max(ts_ns);
        let row = Row { action, side, order_id, flags, ts_event_ns, ts_recv_ns: self.last_ns, ..Row::default() };
        if action == CLEAR {
            return Ok(row);
        }
        if !matches!(side, 1 | 2) {
            return Err(format!("side {side} is neither 1 buy nor 2 sell"));
        }
        let ((price, decimals), (size, size_decimals)) = (part.fixed(2)?, part.fixed(3)?);
        if decimals != size_decimals {
            return Err("price and size have different widths".into());
        }
        if *self.decimals.get_or_insert(decimals) != decimals {
            return Err("numbers have another width than in the files before".into());
        }
        let counted = &mut self.counts.rounded;
        let price = rounded(price, decimals, part.price_decimals, counted).map_err(|what| format!("price {what}"))?;
        let size = rounded(size, decimals, part.size_decimals, counted).map_err(|what| format!("size {what}"))?;
        if price == 0 {
            return Err("price is 0".into());
        }
        Ok(Row { price, size, ..row })
    }

    /// A level that changed, in decimals.
    fn level(&self, (is_bid, price): (bool, i128)) -> Result<RawLevel, String> {
        let size = self.orders.levels.get(&(is_bid, price)).copied().unwrap_or(0);
        let number = |count| Number::from_units(count, self.decimals.unwrap_or(0), None, false, &mut 0);
        Ok(RawLevel {
            side: if is_bid { Side::Bid } else { Side::Ask },
            price: number(price).map_err(|what| format!("price {what}"))?,
            size: number(size).map_err(|what| format!("size {what}"))?,
        })
    }
}

/// A number without the dust of floats, in the same units.
fn rounded(count: i128, decimals: u8, to: Option<u8>, counted: &mut u64) -> Result<i128, String> {
    let number = Number::from_units(count, decimals, to, true, counted).map_err(|error| error.to_string())?;
    let scale = 10_i128.pow(decimals.saturating_sub(number.decimals()).into());
    let units = number.at(number.decimals()).and_then(|units| scale.checked_mul(units.into()));
    units.ok_or_else(|| "is larger than a book can hold".into())
}

impl FrameReader for NautilusReader {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        let Some(first) = self.row()? else {
            self.progress.read_to(self.progress.bytes_total());
            if self.has_told {
                return Ok(false);
            }
            let what = "holds no clear and no snapshot: nothing can be made of its updates";
            return Err(ReadError::file(self.part.columns.path(), what));
        };
        self.progress.read_to(self.bytes_before + self.part.columns.progress().bytes_read());
        frame.begin(RawKind::Update, first.ts_recv_ns, first.ts_event_ns);
        self.orders.begin();
        let (mut row, mut is_bad) = (first, false);
        loop {
            is_bad |= row.flags & MAYBE_BAD_BOOK != 0;
            frame.ts_event_ns = frame.ts_event_ns.max(row.ts_event_ns);
            let is_snapshot = row.flags & SNAPSHOT != 0;
            if row.action == CLEAR || is_snapshot && !self.was_snapshot {
                self.orders.clear();
                frame.kind = RawKind::Snapshot;
            }
            self.was_snapshot = is_snapshot;
            (self.has_begun, self.has_told) = (true, true);
            if row.action != CLEAR {
                self.orders.set(&row).map_err(|what| self.part.columns.wrong(what))?;
            }
            if self.orders.changed.len() > FRAME_LEVELS_MAX {
                let what = format_args!("a frame has more than {FRAME_LEVELS_MAX} levels");
                return Err(self.part.columns.wrong(what));
            }
            if row.flags & LAST != 0 {
                break;
            }
            let Some(later) = self.row()? else { break };
            if later.ts_recv_ns != first.ts_recv_ns {
                self.next = Some(later);
                break;
            }
            row = later;
        }
        if is_bad {
            frame.kind = RawKind::Lost(Fault::RecordingGap);
            (self.has_begun, self.was_snapshot) = (false, false);
            return Ok(true);
        }
        let is_snapshot = frame.kind == RawKind::Snapshot;
        for &level in &self.orders.changed {
            let level = self.level(level).map_err(|what| self.part.columns.wrong(what))?;
            if !(is_snapshot && level.size.is_zero()) {
                frame.levels.push(level);
            }
        }
        Ok(true)
    }

    fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    fn product(&self) -> &str {
        &self.product
    }

    fn counts(&self) -> ReaderCounts {
        self.counts
    }

    fn holes(&self) -> Holes {
        self.holes.clone()
    }

    fn has_event_times_only(&self) -> bool {
        self.settings.time == TimeChoice::Event
    }
}

#[cfg(test)]
mod tests;
