//! LOBSTER's pairs of files: `TICKER_DATE_START_END_message_LEVELS.csv` and `…_orderbook_LEVELS.csv`, plain or compressed.
//!
//! Row k of the order book is the book after message k. Its rows become their differences; executions become prints, whose taker came
//! from the other side than the order that rested. Hidden executions (type 5) are prints that leave the book; cross trades (type 6)
//! have no aggressor and are counted. A halt (type 7) makes the book invalid until trading resumes.
//!
//! Times are seconds after midnight in New York; the date stands in the name. There is no time of receipt. LOBSTER's data begins in
//! June 2007, after the last change of the American rules of daylight saving, so that those are written here and no database of time
//! zones is needed.
//!
//! ```
//! use papertrader::sources::lobster::LobsterReader;
//! use papertrader::sources::{FrameReader, RawFrame, RawKind, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let messages = folder.path().join("AMZN_2012-06-21_34200000_57600000_message_1.csv");
//! let books = folder.path().join("AMZN_2012-06-21_34200000_57600000_orderbook_1.csv");
//! std::fs::write(&messages, "34200.18960767,1,11885113,21,2238100,1\n34200.190226476,4,11885113,20,2238100,1\n")?;
//! std::fs::write(&books, "2239500,100,2238100,21\n2239500,100,2238100,1\n")?;
//! let mut reader = LobsterReader::open(&messages, &ReaderSettings::default())?;
//! let (mut frame, mut kinds) = (RawFrame::default(), Vec::new());
//! while reader.next(&mut frame)? {
//!     kinds.push(frame.kind);
//! }
//! assert_eq!(kinds, [RawKind::Snapshot, RawKind::Prints, RawKind::Update]);
//! assert_eq!((reader.product(), frame.levels[0].size.to_string().as_str()), ("AMZN", "1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::bytes::{Lines, open};
use super::differences::Differences;
use super::number::Number;
use super::{
    FRAME_LEVELS_MAX, FrameReader, RawFrame, RawKind, RawLevel, RawPrint, ReadError, ReaderCounts, ReaderSettings,
};
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use crate::capture::Progress;
use crate::market::event::Fault;
use crate::market::units::Side;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The rules of daylight saving since 2007.
const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
const FIRST_YEAR: i16 = 2007;
/// Prices are dollars times 10,000.
const PRICE_DECIMALS: u8 = 4;
/// Stands where a side has no such level.
const NO_LEVEL: &[u8] = b"9999999999";
const DAY_NS: i64 = 86_400_000_000_000;

/// What a name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    ticker: String,
    date: Date,
    levels: usize,
    messages: PathBuf,
    books: PathBuf,
}

/// What both names end like after the word.
fn parts(path: &Path) -> Option<(&str, bool, &str)> {
    let name = path.file_name()?.to_str()?;
    let find = |word: &'static str| name.rfind(word).map(|at| (at, word.len()));
    let (is_messages, (at, length)) = match (find("_message_"), find("_orderbook_")) {
        (Some(found), None) => (true, found),
        (None, Some(found)) => (false, found),
        _ => return None,
    };
    let rest = &name[at + length..];
    let levels = rest.split('.').next().filter(|levels| levels.bytes().all(|byte| byte.is_ascii_digit()))?;
    (!levels.is_empty() && rest[levels.len()..].starts_with(".csv")).then_some((&name[..at], is_messages, rest))
}

/// Whether a file is one of a pair, by its name.
pub fn is_named(path: &Path) -> bool {
    parts(path).is_some_and(|(stem, ..)| stem.split('_').count() >= 4)
}

/// The other file of a pair, if it is there.
pub fn partner(path: &Path) -> Option<PathBuf> {
    let Named { messages, books, .. } = Named::of(path).ok().filter(|_| is_named(path))?;
    Some(if messages == path { books } else { messages })
}

/// Where the other file of a pair may be, one of which may be compressed, and the word in its name; nowhere by another name.
pub fn partners(path: &Path) -> Vec<PathBuf> {
    parts(path).filter(|_| is_named(path)).map_or_else(Vec::new, |parts| beside(path, parts).1.into())
}

fn beside(path: &Path, (stem, is_messages, rest): (&str, bool, &str)) -> (&'static str, [PathBuf; 3]) {
    let word = if is_messages { "orderbook" } else { "message" };
    let plain = rest.strip_suffix(".gz").unwrap_or(rest);
    let names = [rest.to_owned(), plain.to_owned(), format!("{plain}.gz")];
    (word, names.map(|rest| path.with_file_name(format!("{stem}_{word}_{rest}"))))
}

impl Named {
    fn of(path: &Path) -> Result<Self, String> {
        const LIKE: &str = "a name like AMZN_2012-06-21_34200000_57600000_message_10.csv tells ticker, date and levels";
        let (stem, is_messages, rest) = parts(path).ok_or(LIKE)?;
        let mut pieces = stem.rsplitn(4, '_').skip(2);
        let (date, ticker) = pieces.next().zip(pieces.next()).ok_or(LIKE)?;
        let date: Date =
            date.parse().map_err(|_| format!("'{}' is not a date; {LIKE}", quote(date, QUOTE_CHARS_MAX)))?;
        if date.year() < FIRST_YEAR {
            return Err(format!("is of {date}; LOBSTER's data begins in {FIRST_YEAR}"));
        }
        let levels = rest.split('.').next().and_then(|levels| levels.parse().ok()).ok_or(LIKE)?;
        let (word, others) = beside(path, (stem, is_messages, rest));
        let other = others.into_iter().find(|path| path.is_file());
        let other = other.ok_or_else(|| format!("comes without the {word} file that belongs beside it"))?;
        let (messages, books) = if is_messages { (path.to_owned(), other) } else { (other, path.to_owned()) };
        Ok(Self { ticker: ticker.to_owned(), date, levels, messages, books })
    }
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message {
    ts_event_ns: i64,
    kind: u8,
    size: Number,
    /// Halts carry states in it: -1, 0, 1.
    price: i64,
    /// That of the order that rests.
    side: Side,
}

/// Reads a pair of files.
pub struct LobsterReader {
    messages: Lines,
    books: Lines,
    ticker: String,
    levels: usize,
    midnight_ns: i64,
    last_ns: i64,
    differences: Differences,
    /// What follows the prints of the same message.
    update: RawFrame,
    has_update: bool,
    is_halted: bool,
    counts: ReaderCounts,
}

fn shown(cell: &[u8]) -> String {
    quote(&String::from_utf8_lossy(cell), QUOTE_CHARS_MAX)
}

fn whole(cell: &[u8], name: &str) -> Result<i64, String> {
    let text = std::str::from_utf8(cell).ok().and_then(|text| text.parse().ok());
    text.ok_or_else(|| format!("{name} '{}' is not a whole number", shown(cell)))
}

/// Nanoseconds after midnight of a text in seconds.
fn seconds(cell: &[u8]) -> Result<i64, String> {
    let wrong = |what: &str| format!("time '{}' {what}", shown(cell));
    let number = Number::from_text(cell).map_err(|_| wrong("is not a number of seconds"))?;
    let ns = number
        .at(9)
        .and_then(|ns| i64::try_from(ns).ok())
        .ok_or_else(|| wrong("is finer than nanoseconds or too large"))?;
    if ns >= DAY_NS {
        return Err(wrong("is not within a day: times are in seconds after midnight"));
    }
    Ok(ns)
}

fn message(line: &[u8], midnight_ns: i64) -> Result<Message, String> {
    let mut cells = [&b""[..]; 6];
    let mut found = line.split(|&byte| byte == b',');
    for cell in &mut cells {
        *cell = found.next().ok_or("has fewer than six cells; is it cut?")?;
    }
    if found.next().is_some() {
        return Err("has more than six cells".into());
    }
    let kind = match cells[1] {
        [kind @ b'1'..=b'7'] => kind - b'0',
        other => return Err(format!("type '{}' is not one from 1 to 7", shown(other))),
    };
    let side = match cells[5] {
        b"1" => Side::Bid,
        b"-1" => Side::Ask,
        // Crosses and halts have none that matters.
        _ if kind >= 6 => Side::Bid,
        other => return Err(format!("direction '{}' is neither 1 nor -1", shown(other))),
    };
    let size = Number::from_text(cells[3]).map_err(|what| format!("size '{}' {what}", shown(cells[3])))?;
    let ts_event_ns = midnight_ns + seconds(cells[0])?;
    Ok(Message { ts_event_ns, kind, size, price: whole(cells[4], "price")?, side })
}

/// A price above 0.
fn price(count: i64) -> Result<Number, String> {
    let number = u64::try_from(count).ok().filter(|&count| count > 0);
    number.and_then(|count| Number::new(count, PRICE_DECIMALS)).ok_or_else(|| format!("price '{count}' is not above 0"))
}

/// Reads a row of the order book: asks and bids in turns.
fn book(line: &[u8], levels: usize, frame: &mut RawFrame) -> Result<(), String> {
    let mut cells = line.split(|&byte| byte == b',');
    for at in 0..2 * levels {
        let (Some(at_price), Some(size)) = (cells.next(), cells.next()) else {
            return Err(format!("has fewer than {} cells, four for each of {levels} levels; is it cut?", 4 * levels));
        };
        if at_price.strip_prefix(b"-").unwrap_or(at_price) == NO_LEVEL {
            continue;
        }
        let side = if at % 2 == 0 { Side::Ask } else { Side::Bid };
        let price = price(whole(at_price, "price")?)?;
        let size = Number::from_text(size).map_err(|what| format!("size '{}' {what}", shown(size)))?;
        frame.levels.push(RawLevel { side, price, size });
    }
    match cells.next() {
        None => Ok(()),
        Some(_) => Err(format!("has more than {} cells, four for each of {levels} levels", 4 * levels)),
    }
}

impl LobsterReader {
    /// Opens a pair by either of its files.
    ///
    /// # Errors
    /// The other one is missing, a name does not tell what it should, or one cannot be read.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let wrong = |what: String| ReadError::file(path, what);
        let named = Named::of(path).map_err(wrong)?;
        if !(1..=FRAME_LEVELS_MAX / 2).contains(&named.levels) {
            return Err(wrong(format!("has {} levels by its name", named.levels)));
        }
        if let Some(product) = settings.product.as_ref().filter(|&product| *product != named.ticker) {
            let product = quote(product, QUOTE_CHARS_MAX);
            return Err(wrong(format!("holds no {product}; it has {}", named.ticker)));
        }
        let midnight = TimeZone::posix(NEW_YORK).and_then(|zone| named.date.to_zoned(zone));
        let midnight = midnight.map_err(|error| wrong(format!("is of a day without midnight: {error}")))?;
        let midnight_ns = midnight.timestamp().as_nanosecond() as i64;
        Ok(Self {
            messages: Lines::new(&named.messages, open(&named.messages)?),
            books: Lines::new(&named.books, open(&named.books)?),
            ticker: named.ticker,
            levels: named.levels,
            midnight_ns,
            last_ns: midnight_ns,
            differences: Differences::default(),
            update: RawFrame::default(),
            has_update: false,
            is_halted: false,
            counts: ReaderCounts::default(),
        })
    }

    /// The next message; its book goes into the update.
    fn message(&mut self) -> Result<Option<Message>, ReadError> {
        let Self { messages, books, update, .. } = self;
        update.begin(RawKind::Update, 0, 0);
        let told = messages.next()?.map(|line| message(line, self.midnight_ns));
        let shown = books.next()?.map(|line| book(line, self.levels, update));
        let ends = |shorter: &Lines, longer: &Lines| {
            let (rows, path) = (shorter.number(), shorter.path().file_name().unwrap_or_default().display());
            longer.wrong(format_args!("{path} ends after {rows} rows: the files do not belong together, or one is cut"))
        };
        let message = match (told, shown) {
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(ends(books, messages)),
            (None, Some(_)) => return Err(ends(messages, books)),
            (Some(told), Some(shown)) => {
                shown.map_err(|what| books.wrong(what))?;
                told.map_err(|what| messages.wrong(what))?
            }
        };
        self.counts.rows += 1;
        if message.ts_event_ns < self.last_ns {
            return Err(messages.wrong("time goes back; sort both files by it"));
        }
        self.last_ns = message.ts_event_ns;
        (update.ts_recv_ns, update.ts_event_ns) = (message.ts_event_ns, message.ts_event_ns);
        Ok(Some(message))
    }

    /// Turns a message into frames: its own into `frame`, and perhaps an update. False where it is none.
    fn take(&mut self, message: &Message, frame: &mut RawFrame) -> Result<bool, String> {
        let Message { ts_event_ns, kind, size, side, .. } = *message;
        let mut has_frame = false;
        match kind {
            4 | 5 => {
                if size.is_zero() {
                    return Err("an execution of size 0".into());
                }
                let aggressor = if side == Side::Bid { Side::Ask } else { Side::Bid };
                frame.begin(RawKind::Prints, ts_event_ns, ts_event_ns);
                frame.prints.push(RawPrint { aggressor, price: price(message.price)?, size, trade_id: 0, ts_event_ns });
                has_frame = true;
            }
            6 => self.counts.prints_without_side += 1,
            7 => match message.price {
                -1 if !self.is_halted => {
                    self.is_halted = true;
                    frame.begin(RawKind::Lost(Fault::StaleProduct), ts_event_ns, ts_event_ns);
                    has_frame = true;
                }
                // Quotes resume before trading does.
                -1 | 0 => {}
                1 => {
                    if std::mem::take(&mut self.is_halted) {
                        self.differences.begin_again();
                    }
                }
                other => return Err(format!("a halt of state {other}, which is none of -1, 0 and 1")),
            },
            _ => {}
        }
        if self.is_halted {
            self.counts.before_snapshot += u64::from(kind != 7);
            return Ok(has_frame);
        }
        self.differences.apply(&mut self.update);
        self.has_update = self.update.kind == RawKind::Snapshot || !self.update.levels.is_empty();
        Ok(has_frame)
    }
}

impl FrameReader for LobsterReader {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        loop {
            if std::mem::take(&mut self.has_update) {
                std::mem::swap(frame, &mut self.update);
                return Ok(true);
            }
            let Some(message) = self.message()? else {
                if self.counts.rows == 0 {
                    return Err(ReadError::file(self.messages.path(), "is empty"));
                }
                return Ok(false);
            };
            if self.take(&message, frame).map_err(|what| self.messages.wrong(what))? {
                return Ok(true);
            }
        }
    }

    fn progress(&self) -> Arc<Progress> {
        self.messages.progress()
    }

    fn product(&self) -> &str {
        &self.ticker
    }

    fn counts(&self) -> ReaderCounts {
        let open = u64::from(self.messages.is_open()) + u64::from(self.books.is_open());
        ReaderCounts { open, ..self.counts }
    }

    fn has_event_times_only(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
