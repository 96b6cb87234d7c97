//! The book of `mbp-10`: ten levels after every record, of which the differences are told.
//!
//! A frame ends with the flag LAST or with the time of receipt: trades before an event of their own lack the flag.
//!
//! ```
//! use papertrader::sources::databento::levels::LevelBook;
//! use papertrader::sources::databento::queue::Queue;
//! use papertrader::sources::databento::record::{Pair, Record};
//! use papertrader::sources::{RawFrame, RawKind};
//!
//! let (mut book, mut queue, mut frame) = (LevelBook::default(), Queue::default(), RawFrame::default());
//! let mut record = Record { action: b'A', side: b'B', flags: dbn::flags::LAST, ..Record::default() };
//! record.levels[0] = Pair { bid_price: 13_400_000_000, bid_size: 5, ..Pair::default() };
//! book.take(&record, 1, &mut queue)?;
//! assert!(queue.pop(&mut frame));
//! assert_eq!((frame.kind, frame.levels.len()), (RawKind::Snapshot, 1));
//! // The same levels again are no frame.
//! book.take(&record, 2, &mut queue)?;
//! assert!(!queue.pop(&mut frame));
//! # Ok::<(), String>(())
//! ```

use super::queue::Queue;
use super::record::{LEVELS, Pair, Record, UNDEFINED_PRICE, price, size};
use crate::market::event::Fault;
use crate::market::units::Side;
use crate::sources::differences::{Shown, removed, set};
use crate::sources::number::Number;
use crate::sources::{RawKind, RawLevel};
use dbn::flags;

/// The book told last, and the one that the next frame will tell.
#[derive(Debug, Default)]
pub struct LevelBook {
    /// `None` where the next frame is a snapshot.
    told: Option<[Pair; LEVELS]>,
    pending: Pending,
    is_pending: bool,
    is_bad: bool,
    before_snapshot: u64,
    prices: Prices,
    found: Vec<RawLevel>,
}

/// The levels that the next frame will tell.
#[derive(Debug, Default)]
struct Pending {
    levels: [Pair; LEVELS],
    ts_recv_ns: i64,
    ts_event_ns: i64,
}

/// A level that is there, of a side that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Level {
    /// In 1e-9.
    price: i64,
    size: u32,
}

impl Shown for Level {
    #[inline]
    fn has_price_of(&self, other: &Self) -> bool {
        self.price == other.price
    }
}

/// The levels of a side that may have changed.
#[derive(Default)]
struct Changed {
    levels: [Level; LEVELS],
    count: usize,
}

impl Changed {
    #[inline]
    fn add(&mut self, price: i64, size: u32) {
        if price != UNDEFINED_PRICE && size > 0 {
            self.levels[self.count] = Level { price, size };
            self.count += 1;
        }
    }

    fn levels(&self) -> &[Level] {
        &self.levels[..self.count]
    }
}

/// Prices as decimals: a market's come again and again, and decimals take divisions.
#[derive(Debug)]
struct Prices(Box<[(i64, Number); Self::ROOM]>);

impl Default for Prices {
    fn default() -> Self {
        Self(Box::new([(0, Number::ZERO); Self::ROOM]))
    }
}

impl Prices {
    const ROOM: usize = 256;

    #[inline]
    fn decimal(&mut self, count: i64) -> Result<Number, String> {
        // The golden ratio's bits spread neighbours; the highest eight choose the place.
        let at = count.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        let known = &mut self.0[at as usize];
        if known.0 != count {
            *known = (count, price(count)?);
        }
        Ok(known.1)
    }
}

impl LevelBook {
    /// Records while the book was bad.
    pub fn before_snapshot(&self) -> u64 {
        self.before_snapshot
    }

    /// Takes a record.
    ///
    /// # Errors
    /// It is not what the schema says.
    pub fn take(&mut self, record: &Record, ts_recv_ns: i64, queue: &mut Queue) -> Result<(), String> {
        queue.end_prints_before(ts_recv_ns);
        if self.pending.ts_recv_ns != ts_recv_ns {
            self.end_frame(queue)?;
        }
        match record.action {
            b'T' => queue.print(record, ts_recv_ns)?,
            b'A' | b'C' | b'M' | b'R' | b'F' | b'N' => {}
            _ => return Err(record.unknown_action()),
        }
        if record.has(flags::MAYBE_BAD_BOOK) {
            self.is_pending = false;
            self.before_snapshot += u64::from(self.is_bad);
            if !self.is_bad {
                self.is_bad = true;
                queue.end_prints();
                queue.push(RawKind::Lost(Fault::RecordingGap), ts_recv_ns, record.ts_event_ns);
            }
            return Ok(());
        }
        let is_clear = record.action == b'R';
        if self.is_bad && !is_clear && !record.has(flags::SNAPSHOT) {
            self.before_snapshot += 1;
            return Ok(());
        }
        if is_clear || self.is_bad {
            self.told = None;
            self.is_bad = false;
        }
        for Pair { bid_price, ask_price, bid_size, ask_size } in &record.levels {
            for (count, size) in [(*bid_price, *bid_size), (*ask_price, *ask_size)] {
                if count <= 0 && size > 0 {
                    price(count)?;
                }
            }
        }
        let &Record { levels, ts_event_ns, .. } = record;
        self.pending = Pending { levels, ts_recv_ns, ts_event_ns };
        self.is_pending = true;
        if is_clear || record.has(flags::LAST) {
            self.end_frame(queue)?;
        }
        Ok(())
    }

    /// The file has ended.
    ///
    /// # Errors
    /// None: a record without the flag LAST at the end tells its levels too.
    pub fn end(&mut self, queue: &mut Queue) -> Result<(), String> {
        self.end_frame(queue)?;
        queue.end_prints();
        Ok(())
    }

    fn end_frame(&mut self, queue: &mut Queue) -> Result<(), String> {
        if !std::mem::take(&mut self.is_pending) {
            return Ok(());
        }
        queue.end_prints();
        let Self { told, pending: Pending { levels, ts_recv_ns, ts_event_ns }, prices, found, .. } = self;
        let kind = if told.is_some() { RawKind::Update } else { RawKind::Snapshot };
        let before = told.get_or_insert_default();
        // Most levels stay in their places.
        let (mut bids, mut asks) = <([Changed; 2], [Changed; 2])>::default();
        for (before, after) in before.iter().zip(&*levels) {
            if before != after {
                for (at, pair) in [before, after].into_iter().enumerate() {
                    bids[at].add(pair.bid_price, pair.bid_size);
                    asks[at].add(pair.ask_price, pair.ask_size);
                }
            }
        }
        let mut wrong = None;
        let mut tell = |side, price, size: Number| match prices.decimal(price) {
            Ok(price) => found.push(RawLevel { side, price, size }),
            Err(what) => wrong = Some(what),
        };
        let both = [(Side::Bid, bids), (Side::Ask, asks)];
        for (side, [before, after]) in &both {
            removed(before.levels(), after.levels(), |level| tell(*side, level.price, Number::ZERO));
        }
        for (side, [before, after]) in &both {
            set(before.levels(), after.levels(), |level| tell(*side, level.price, size(level.size.into())));
        }
        *before = *levels;
        if let Some(what) = wrong {
            return Err(what);
        }
        if kind == RawKind::Snapshot || !found.is_empty() {
            queue.push(kind, *ts_recv_ns, *ts_event_ns).levels.append(found);
        }
        Ok(())
    }
}
