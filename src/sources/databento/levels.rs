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
use crate::sources::differences::Differences;
use crate::sources::number::Number;
use crate::sources::{RawFrame, RawKind, RawLevel};
use dbn::flags;

/// The book told last, and the one that the next frame will tell.
#[derive(Debug, Default)]
pub struct LevelBook {
    differences: Differences,
    pending: RawFrame,
    /// Prices of the record before, bid and ask, as they stand there and as decimals.
    prices: [[Option<(i64, Number)>; 2]; LEVELS],
    is_pending: bool,
    is_bad: bool,
    before_snapshot: u64,
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
            self.end_frame(queue);
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
            self.differences.begin_again();
            self.is_bad = false;
        }
        self.pending.begin(RawKind::Update, ts_recv_ns, record.ts_event_ns);
        for (at, pair) in record.levels.iter().enumerate() {
            let Pair { bid_price, ask_price, bid_size, ask_size } = *pair;
            self.level(at, Side::Bid, bid_price, bid_size)?;
            self.level(at, Side::Ask, ask_price, ask_size)?;
        }
        self.is_pending = true;
        if is_clear || record.has(flags::LAST) {
            self.end_frame(queue);
        }
        Ok(())
    }

    /// The file has ended.
    ///
    /// # Errors
    /// None: a record without the flag LAST at the end tells its levels too.
    pub fn end(&mut self, queue: &mut Queue) -> Result<(), String> {
        self.end_frame(queue);
        queue.end_prints();
        Ok(())
    }

    fn level(&mut self, at: usize, side: Side, count: i64, lots: u32) -> Result<(), String> {
        if count != UNDEFINED_PRICE && lots > 0 {
            // Most levels stay in their places, and decimals take divisions.
            let known = &mut self.prices[at][usize::from(side == Side::Ask)];
            let price = match *known {
                Some((before, price)) if before == count => price,
                _ => price(count)?,
            };
            *known = Some((count, price));
            self.pending.levels.push(RawLevel { side, price, size: size(lots.into()) });
        }
        Ok(())
    }

    fn end_frame(&mut self, queue: &mut Queue) {
        if !std::mem::take(&mut self.is_pending) {
            return;
        }
        queue.end_prints();
        self.differences.apply(&mut self.pending);
        let RawFrame { kind, ts_recv_ns, ts_event_ns, levels, .. } = &self.pending;
        if *kind == RawKind::Snapshot || !levels.is_empty() {
            queue.push(*kind, *ts_recv_ns, *ts_event_ns).levels.extend_from_slice(levels);
        }
    }
}
