//! Two readers of one market, such as a book and its trades, in order of time.
//!
//! ```
//! use papertrader::sources::merge::Merged;
//! use papertrader::sources::tardis::{IncrementalReader, TradesReader};
//! use papertrader::sources::{FrameReader, RawFrame, RawKind, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let (book, trades) = (folder.path().join("book.csv"), folder.path().join("trades.csv"));
//! std::fs::write(&book, "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
//!     x,P,1585699200000000,1585699200000001,true,bid,10,1\nx,P,1585699200000003,1585699200000004,false,bid,10,2\n")?;
//! std::fs::write(&trades, "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n\
//!     x,P,1585699200000002,1585699200000003,7,buy,11,1\n")?;
//! let settings = ReaderSettings::default();
//! let mut market = Merged::new(IncrementalReader::open(&book, &settings)?, TradesReader::open(&trades, &settings)?);
//! let (mut frame, mut kinds) = (RawFrame::default(), Vec::new());
//! while market.next(&mut frame)? {
//!     kinds.push(frame.kind);
//! }
//! assert_eq!(kinds, [RawKind::Snapshot, RawKind::Prints, RawKind::Update]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::{FrameReader, RawFrame, ReadError, ReaderCounts};
use crate::capture::Progress;
use std::sync::Arc;

/// Frames of both by their times of receipt; of one time the trades first, as the book shows what they have done.
pub struct Merged<B, T> {
    book: B,
    trades: T,
    next_book: Option<RawFrame>,
    next_trades: Option<RawFrame>,
    has_begun: bool,
}

impl<B: FrameReader, T: FrameReader> Merged<B, T> {
    /// Of a book and its trades.
    pub fn new(book: B, trades: T) -> Self {
        Self { book, trades, next_book: None, next_trades: None, has_begun: false }
    }
}

fn pull(reader: &mut impl FrameReader, slot: &mut Option<RawFrame>) -> Result<(), ReadError> {
    let mut frame = slot.take().unwrap_or_default();
    *slot = reader.next(&mut frame)?.then_some(frame);
    Ok(())
}

impl<B: FrameReader, T: FrameReader> FrameReader for Merged<B, T> {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        if !self.has_begun {
            self.has_begun = true;
            pull(&mut self.book, &mut self.next_book)?;
            pull(&mut self.trades, &mut self.next_trades)?;
        }
        let time = |slot: &Option<RawFrame>| slot.as_ref().map_or(i64::MAX, |frame| frame.ts_recv_ns);
        let is_trades = self.next_trades.is_some() && time(&self.next_trades) <= time(&self.next_book);
        if is_trades {
            let Some(next) = &mut self.next_trades else { return Ok(false) };
            std::mem::swap(frame, next);
            pull(&mut self.trades, &mut self.next_trades)?;
        } else {
            let Some(next) = &mut self.next_book else { return Ok(false) };
            std::mem::swap(frame, next);
            pull(&mut self.book, &mut self.next_book)?;
        }
        Ok(true)
    }

    fn progress(&self) -> Arc<Progress> {
        self.book.progress()
    }

    fn product(&self) -> &str {
        self.book.product()
    }

    fn counts(&self) -> ReaderCounts {
        let (book, trades) = (self.book.counts(), self.trades.counts());
        ReaderCounts {
            rows: book.rows + trades.rows,
            other_products: book.other_products + trades.other_products,
            before_snapshot: book.before_snapshot + trades.before_snapshot,
            rounded: book.rounded + trades.rounded,
            prints_without_side: book.prints_without_side + trades.prints_without_side,
            out_of_order: book.out_of_order + trades.out_of_order,
            replaced: book.replaced + trades.replaced,
            open: book.open + trades.open,
            unchecked: book.unchecked + trades.unchecked,
            unopened: book.unopened + trades.unopened,
            stale: book.stale + trades.stale,
            unmarked: book.unmarked + trades.unmarked,
        }
    }

    fn has_event_times_only(&self) -> bool {
        self.book.has_event_times_only()
    }
}
