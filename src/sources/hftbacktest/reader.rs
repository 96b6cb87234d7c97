//! Reads hftbacktest's events as its local side replays them.
//!
//! Rows with the LOCAL bit, in the order of the file, grouped by `local_ts`. A clear of both sides makes a snapshot, of the rows that
//! follow at its time and of what a clear up to a price leaves behind that price; a clear of one side removes levels. Rows before the
//! first clear or snapshot row say nothing and are counted. A file that has neither in its first million rows begins as hftbacktest
//! begins it: with the book of `initial_snapshot`, or with an empty one. Best bids and offers (`ev` 5) change no book here or there.
//!
//! ```
//! use papertrader::sources::hftbacktest::reader::product_of;
//!
//! // The files do not name their product.
//! assert_eq!(product_of("btcusdt_20240808.npz".as_ref()), "btcusdt");
//! ```

use super::event::{HftEvent, Kind};
use super::npy::Rows;
use crate::capture::Progress;
use crate::market::units::{DECIMALS_MAX, Side};
use crate::sources::holes::Holes;
use crate::sources::number::Number;
use crate::sources::{
    FRAME_LEVELS_MAX, FrameReader, RawFrame, RawKind, RawLevel, RawPrint, ReadError, ReaderCounts, ReaderSettings,
    TimeChoice,
};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows among which the first clear or snapshot row is looked for.
const LOOK_AHEAD_ROWS: u64 = 1 << 20;
/// 1980 to 2100, nanoseconds.
const TIMES_NS: std::ops::Range<i64> = 315_532_800_000_000_000..4_102_444_800_000_000_000;

/// A file's name without endings, and the product of a name PRODUCT_DAY.
fn named(path: &Path) -> (&str, Option<&str>) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.split('.').next().unwrap_or_default();
    let is_day = |text: &str| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let product = name.rsplit_once('_').filter(|(product, day)| is_day(day) && !product.is_empty());
    (name, product.map(|(product, _)| product))
}

/// The product that a file's name gives: what stands before its endings and its day.
pub fn product_of(path: &Path) -> String {
    let (name, product) = named(path);
    product.unwrap_or(name).into()
}

/// Refuses files whose names tell two products: rows tell none.
fn check_one_product(paths: &[PathBuf]) -> Result<(), ReadError> {
    let mut told = paths.iter().filter_map(|path| Some((path, named(path).1?)));
    let Some((first, product)) = told.next() else { return Ok(()) };
    match told.find(|&(_, other)| other != product) {
        Some((path, other)) => {
            let what =
                format!("is of {other} by its name, and {} of {product}: give files of one product", first.display());
            Err(ReadError::file(path, what + ", or its name by --product if they are of one"))
        }
        None => Ok(()),
    }
}

fn time_ns(time: i64, column: &str) -> Result<i64, String> {
    let finer = [(1_000, "micro"), (1_000_000, "milli"), (1_000_000_000, "")];
    if TIMES_NS.contains(&time) {
        return Ok(time);
    }
    let unit = finer.into_iter().find(|(factor, _)| time.checked_mul(*factor).is_some_and(|ns| TIMES_NS.contains(&ns)));
    Err(match unit {
        Some((factor, unit)) => {
            format!(
                "{column} {time} is in {unit}seconds; hftbacktest's files have nanoseconds: multiply it by {factor}"
            )
        }
        None => format!("{column} {time} is not a time in nanoseconds since 1970"),
    })
}

/// A price of any scale as an order.
fn key(price: Number) -> u128 {
    let decimals = price.decimals();
    let count = price.at(decimals).unwrap_or(0);
    u128::from(count) * 10_u128.pow(u32::from(DECIMALS_MAX - decimals))
}

/// Both sides, for clears up to a price.
#[derive(Default)]
struct Book {
    bids: BTreeMap<u128, RawLevel>,
    asks: BTreeMap<u128, RawLevel>,
}

impl Book {
    fn side(&mut self, side: Side) -> &mut BTreeMap<u128, RawLevel> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    fn set(&mut self, level: RawLevel) -> Result<(), String> {
        let key = key(level.price);
        if level.size.is_zero() {
            self.side(level.side).remove(&key);
            return Ok(());
        }
        self.side(level.side).insert(key, level);
        match self.bids.len() + self.asks.len() > FRAME_LEVELS_MAX {
            true => Err(format!("the book has more than {FRAME_LEVELS_MAX} levels")),
            false => Ok(()),
        }
    }

    /// Takes the side from its best level to `upto` out of the book, or all of it.
    fn clear(&mut self, side: Side, upto: Option<Number>) -> BTreeMap<u128, RawLevel> {
        let levels = self.side(side);
        match (side, upto.map(key)) {
            (_, None) => std::mem::take(levels),
            (Side::Bid, Some(upto)) => levels.split_off(&upto),
            (Side::Ask, Some(upto)) => {
                let stay = levels.split_off(&(upto + 1));
                std::mem::replace(levels, stay)
            }
        }
    }

    /// Each side from its best level on.
    fn levels(&self) -> impl Iterator<Item = RawLevel> {
        self.bids.values().rev().chain(self.asks.values()).copied()
    }
}

/// How a file's book begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// With the rows of the first clear or snapshot, the row of this number being the first of its group.
    AtRow(u64),
    /// With the book there is, before the first row.
    Given,
    /// It has begun.
    Done,
}

/// Reads an npz.
pub struct NpzReader {
    rows: Rows,
    /// Files that go on where this one ends.
    later: VecDeque<PathBuf>,
    product: String,
    time: TimeChoice,
    decimals: (Option<u8>, Option<u8>),
    start: Start,
    book: Book,
    /// The first row of the next frame.
    next: Option<HftEvent>,
    last_local_ns: i64,
    last_ns: i64,
    counts: ReaderCounts,
    holes: Holes,
    /// The file that has begun, before its first row.
    begun: Option<PathBuf>,
}

impl NpzReader {
    /// Opens a file, and that of its opening book if the settings name one.
    ///
    /// # Errors
    /// One of them cannot be read, or is not of hftbacktest 2's rows.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        Self::open_parts(&[path.into()], settings)
    }

    /// Opens files of which each goes on where the one before ends, as hftbacktest reads them; the opening book is that of the first.
    ///
    /// # Errors
    /// One of them cannot be read, or there is none.
    pub fn open_parts(paths: &[PathBuf], settings: &ReaderSettings) -> Result<Self, ReadError> {
        let mut later: VecDeque<PathBuf> = paths.iter().cloned().collect();
        let path = later.pop_front().ok_or_else(|| ReadError::file(Path::new(""), "no file is named"))?;
        let path = path.as_path();
        if settings.product.is_none() {
            check_one_product(paths)?;
        }
        let rows = Rows::open(path)?;
        let product = settings.product.clone().unwrap_or_else(|| product_of(path));
        let mut reader = Self {
            rows,
            later,
            product,
            time: settings.time,
            decimals: (settings.price_decimals, settings.size_decimals),
            start: Start::Given,
            book: Book::default(),
            next: None,
            last_local_ns: i64::MIN,
            last_ns: i64::MIN,
            counts: ReaderCounts::default(),
            holes: Holes::default(),
            begun: None,
        };
        match &settings.initial_snapshot {
            Some(opening) => reader.load(opening)?,
            None => reader.start = first_reset(path)?,
        }
        let is_known = settings.initial_snapshot.is_some() || reader.start != Start::Given;
        reader.counts.unopened = u64::from(!is_known);
        Ok(reader)
    }

    /// Reads the opening book.
    fn load(&mut self, path: &Path) -> Result<(), ReadError> {
        let mut rows = Rows::open(path)?;
        while let Some(row) = rows.next()? {
            if !row.is_local() {
                continue;
            }
            let taken = match Kind::of(row.ev) {
                Kind::Depth | Kind::Snapshot | Kind::Clear => self.apply(&row, &mut Vec::new()).map(|_| ()),
                _ => Err(format!("is not a level of an opening book (ev & 0xff is {})", row.ev as u8)),
            };
            taken.map_err(|what| rows.wrong(what))?;
        }
        if self.book.levels().next().is_none() {
            return Err(ReadError::file(path, "holds no level of an opening book"));
        }
        Ok(())
    }

    /// The next row that the recorder saw, from the start on.
    #[inline]
    fn row(&mut self) -> Result<Option<HftEvent>, ReadError> {
        loop {
            let Some(row) = self.rows.next()? else {
                let Some(path) = self.later.pop_front() else { return Ok(None) };
                self.rows = Rows::open(&path)?;
                self.begun = Some(path.clone());
                if matches!(self.start, Start::AtRow(_)) {
                    self.start = first_reset(&path)?;
                }
                continue;
            };
            self.counts.rows += 1;
            if !row.is_local() {
                continue;
            }
            if matches!(self.start, Start::AtRow(first) if self.rows.taken() <= first) {
                self.counts.before_snapshot += 1;
                continue;
            }
            let before_ns = self.last_local_ns;
            match self.check(&row) {
                Ok(true) => {
                    if let Some(path) = self.begun.take() {
                        let begins_ns = self.last_local_ns;
                        self.holes.note(&path, if before_ns == i64::MIN { begins_ns } else { before_ns }, begins_ns);
                    }
                    return Ok(Some(row));
                }
                Ok(false) => {}
                Err(what) => return Err(self.rows.wrong(what)),
            }
        }
    }

    /// Whether a row is one that is replayed; its times and kind are good then.
    #[inline]
    fn check(&mut self, row: &HftEvent) -> Result<bool, String> {
        match Kind::of(row.ev) {
            Kind::Depth | Kind::Trade | Kind::Clear | Kind::Snapshot => {}
            Kind::Best => return Ok(false),
            Kind::Order => {
                let code = row.ev as u8;
                let what = "books by order are not read; record depth by level";
                return Err(format!("is of single orders (ev & 0xff is {code}): {what}"));
            }
            Kind::Unknown(code) => return Err(format!("is of a kind that hftbacktest 2.4 does not know ({code})")),
        }
        let local_ns = time_ns(row.local_ts, "local_ts")?;
        if row.exch_ts != 0 || self.time == TimeChoice::Event {
            time_ns(row.exch_ts, "exch_ts")?;
        }
        if local_ns < self.last_local_ns && self.begun.is_some() {
            let by_ns = self.last_local_ns.saturating_sub(local_ns);
            return Err(format!("begins {by_ns} ns before the file before it ends: give files that do not overlap"));
        }
        if local_ns < self.last_local_ns {
            let what = "sort the rows with hftbacktest.data.correct_event_order";
            return Err(format!("local_ts goes back from {} to {local_ns}; {what}", self.last_local_ns));
        }
        self.last_local_ns = local_ns;
        Ok(true)
    }

    /// Takes a row of the book into it, and what it changes into `levels`. Gives which sides it clears.
    #[inline]
    fn apply(&mut self, row: &HftEvent, levels: &mut Vec<RawLevel>) -> Result<[bool; 2], String> {
        let side = row.side()?;
        if Kind::of(row.ev) == Kind::Clear {
            return self.clear(row, side, levels);
        }
        let side = side.ok_or_else(|| match Kind::of(row.ev) {
            Kind::Snapshot => "is a snapshot row without side, of an older hftbacktest: convert the recording with 2.x",
            _ => "is a level without side",
        })?;
        let (price, size) = self.numbers(row)?;
        let level = RawLevel { side, price, size };
        self.book.set(level)?;
        levels.push(level);
        Ok([false; 2])
    }

    #[cold]
    fn clear(&mut self, row: &HftEvent, side: Option<Side>, levels: &mut Vec<RawLevel>) -> Result<[bool; 2], String> {
        let upto = match side.is_some() && row.px.is_finite() {
            true => Some(self.price(row.px)?),
            false => None,
        };
        let is_of = |other: Side| side.is_none_or(|side| side == other);
        for side in [Side::Bid, Side::Ask].into_iter().filter(|&side| is_of(side)) {
            let gone = self.book.clear(side, upto);
            levels.extend(gone.into_values().map(|level| RawLevel { size: Number::ZERO, ..level }));
        }
        Ok([is_of(Side::Bid), is_of(Side::Ask)])
    }

    fn price(&mut self, px: f64) -> Result<Number, String> {
        let price = Number::from_f64(px, self.decimals.0, &mut self.counts.rounded);
        let price = price.map_err(|error| format!("px {px} {error}"))?;
        if price.is_zero() { Err(format!("px {px} is 0")) } else { Ok(price) }
    }

    #[inline]
    fn numbers(&mut self, row: &HftEvent) -> Result<(Number, Number), String> {
        let price = self.price(row.px)?;
        let size = Number::from_f64(row.qty, self.decimals.1, &mut self.counts.rounded);
        Ok((price, size.map_err(|error| format!("qty {} {error}", row.qty))?))
    }

    /// A trade; `None` without the aggressor's side or with nothing traded.
    fn print(&mut self, row: &HftEvent) -> Result<Option<RawPrint>, String> {
        let Some(aggressor) = row.side()? else {
            self.counts.prints_without_side += 1;
            return Ok(None);
        };
        let (price, size) = self.numbers(row)?;
        if size.is_zero() {
            return Err("is a trade of size 0".into());
        }
        Ok(Some(RawPrint { aggressor, price, size, trade_id: 0, ts_event_ns: row.exch_ts }))
    }

    fn begin(&mut self, kind: RawKind, row: &HftEvent, frame: &mut RawFrame) {
        let ts_recv_ns = match self.time {
            TimeChoice::Recv => row.local_ts,
            // The venue's times may go back by a little in the order of receipt.
            TimeChoice::Event => row.exch_ts.max(self.last_ns),
        };
        self.last_ns = ts_recv_ns;
        frame.begin(kind, ts_recv_ns, row.exch_ts);
    }

    /// Takes the rows of one time and kind, whose first is `first`, into `frame`.
    fn fill(&mut self, first: HftEvent, frame: &mut RawFrame) -> Result<(), ReadError> {
        let is_trade = |row: &HftEvent| Kind::of(row.ev) == Kind::Trade;
        let of_trades = is_trade(&first);
        self.begin(if of_trades { RawKind::Prints } else { RawKind::Update }, &first, frame);
        let mut cleared = [false; 2];
        let mut row = first;
        loop {
            let taken = match of_trades {
                true => self.print(&row).map(|print| frame.prints.extend(print)),
                false => self.apply(&row, &mut frame.levels).map(|sides| {
                    cleared = [cleared[0] | sides[0], cleared[1] | sides[1]];
                }),
            };
            taken.map_err(|what| self.rows.wrong(what))?;
            if frame.levels.len().max(frame.prints.len()) > FRAME_LEVELS_MAX {
                let what = format_args!("local_ts {} has more than {FRAME_LEVELS_MAX} rows", row.local_ts);
                return Err(self.rows.wrong(what));
            }
            frame.ts_event_ns = frame.ts_event_ns.max(row.exch_ts);
            match self.row()? {
                Some(next) if next.local_ts == first.local_ts && is_trade(&next) == of_trades => row = next,
                next => {
                    self.next = next;
                    break;
                }
            }
        }
        if !of_trades && (cleared == [true; 2] || self.start != Start::Done) {
            self.start = Start::Done;
            frame.kind = RawKind::Snapshot;
            frame.levels.clear();
            frame.levels.extend(self.book.levels());
        }
        Ok(())
    }
}

/// Where the first clear or snapshot row's group begins.
fn first_reset(path: &Path) -> Result<Start, ReadError> {
    let mut rows = Rows::open(path)?;
    let (mut group, mut local_ts) = (0, i64::MIN);
    while rows.taken() < LOOK_AHEAD_ROWS {
        let Some(row) = rows.next()? else { break };
        if !row.is_local() {
            continue;
        }
        if row.local_ts != local_ts {
            (group, local_ts) = (rows.taken() - 1, row.local_ts);
        }
        if matches!(Kind::of(row.ev), Kind::Clear | Kind::Snapshot) {
            return Ok(Start::AtRow(group));
        }
    }
    Ok(Start::Given)
}

impl FrameReader for NpzReader {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        loop {
            let first = match self.next.take() {
                Some(row) => row,
                None => match self.row()? {
                    Some(row) => row,
                    None => return Ok(false),
                },
            };
            if self.start == Start::Given {
                self.start = Start::Done;
                self.begin(RawKind::Snapshot, &first, frame);
                frame.levels.extend(self.book.levels());
                self.next = Some(first);
                return Ok(true);
            }
            self.fill(first, frame)?;
            // Trades of which nobody knows the aggressor leave nothing.
            if frame.kind != RawKind::Prints || !frame.prints.is_empty() {
                return Ok(true);
            }
        }
    }

    fn progress(&self) -> Arc<Progress> {
        self.rows.progress()
    }

    fn product(&self) -> &str {
        &self.product
    }

    fn holes(&self) -> Holes {
        self.holes.clone()
    }

    fn counts(&self) -> ReaderCounts {
        self.counts
    }

    fn has_event_times_only(&self) -> bool {
        self.time == TimeChoice::Event
    }
}
