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
use crate::sources::differences::{Changes, RANKED_MAX, Ranked};
use crate::sources::number::Number;
use crate::sources::{RawKind, RawLevel};
use dbn::flags;

/// The book told last, and the one that the next frame will tell.
#[derive(Debug, Default)]
pub struct LevelBook {
    /// The pending book, and the one told last.
    books: [Sides; 2],
    /// Which of both is pending.
    pending: usize,
    is_pending: bool,
    ts_recv_ns: i64,
    ts_event_ns: i64,
    /// Whether the next frame is an update and not a snapshot.
    has_begun: bool,
    is_bad: bool,
    before_snapshot: u64,
    prices: Prices,
    changes: [Changes; 2],
}

const _: () = assert!(LEVELS <= RANKED_MAX, "all levels are compared");

/// Bids and asks, by [`Side`].
#[derive(Debug, Default)]
struct Sides([Ranked; 2]);

impl Sides {
    #[inline]
    fn set(&mut self, levels: &[Pair; LEVELS]) {
        let [bids, asks] = &mut self.0;
        bids.clear();
        asks.clear();
        for &Pair { bid_price, ask_price, bid_size, ask_size } in levels {
            bids.add(bid_price.wrapping_neg(), bid_size, (bid_price != UNDEFINED_PRICE) & (bid_size > 0));
            asks.add(ask_price, ask_size, (ask_price != UNDEFINED_PRICE) & (ask_size > 0));
        }
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
    const ROOM: usize = 1 << Self::BITS;
    const BITS: u32 = 10;

    #[inline]
    fn decimal(&mut self, count: i64) -> Result<Number, String> {
        // The golden ratio's bits spread neighbours; the highest choose the place.
        let at = count.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - Self::BITS);
        let known = &mut self.0[at as usize];
        if known.0 != count {
            *known = (count, price(count)?);
        }
        Ok(known.1)
    }
}

impl Pair {
    /// Whether a level that is there has a price that none can have.
    #[inline]
    fn is_wrong(&self) -> bool {
        (self.bid_price <= 0) & (self.bid_size > 0) | (self.ask_price <= 0) & (self.ask_size > 0)
    }
}

#[cold]
fn wrong_price(levels: &[Pair; LEVELS]) -> String {
    let both = levels.iter().flat_map(|pair| [(pair.bid_price, pair.bid_size), (pair.ask_price, pair.ask_size)]);
    let prices = both.filter(|&(count, size)| count <= 0 && size > 0).find_map(|(count, _)| price(count).err());
    prices.unwrap_or_default()
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
        if self.ts_recv_ns != ts_recv_ns {
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
            self.has_begun = false;
            self.is_bad = false;
        }
        if record.levels.iter().fold(false, |is_wrong, pair| is_wrong | pair.is_wrong()) {
            return Err(wrong_price(&record.levels));
        }
        self.books[self.pending].set(&record.levels);
        (self.ts_recv_ns, self.ts_event_ns) = (ts_recv_ns, record.ts_event_ns);
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
        let told = 1 - self.pending;
        let is_update = std::mem::replace(&mut self.has_begun, true);
        if !is_update {
            self.books[told] = Sides::default();
        }
        let Self { books, pending, ts_recv_ns, ts_event_ns, prices, changes, .. } = self;
        let mut count = 0;
        for (side, changes) in changes.iter_mut().enumerate() {
            changes.find(&books[told].0[side], &books[*pending].0[side]);
            count += changes.removed().len() + changes.set().len();
        }
        *pending = told;
        if is_update && count == 0 {
            return Ok(());
        }
        let kind = if is_update { RawKind::Update } else { RawKind::Snapshot };
        let levels = &mut queue.push(kind, *ts_recv_ns, *ts_event_ns).levels;
        levels.reserve(count);
        let [bids, asks] = changes;
        let sides = [(Side::Bid, &*bids), (Side::Ask, &*asks)];
        for (side, changes) in sides {
            for &(rank, _) in changes.removed() {
                levels.push(RawLevel { side, price: prices.decimal(rank.abs())?, size: Number::ZERO });
            }
        }
        for (side, changes) in sides {
            for &(rank, lots) in changes.set() {
                levels.push(RawLevel { side, price: prices.decimal(rank.abs())?, size: size(lots.into()) });
            }
        }
        Ok(())
    }
}
