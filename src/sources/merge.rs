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
//! let mut market = Merged::new(IncrementalReader::open(&book, &settings)?, TradesReader::open(&trades, &settings)?, &[trades]);
//! let (mut frame, mut kinds) = (RawFrame::default(), Vec::new());
//! while market.next(&mut frame)? {
//!     kinds.push(frame.kind);
//! }
//! assert_eq!(kinds, [RawKind::Snapshot, RawKind::Prints, RawKind::Update]);
//! assert!(market.remarks().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::holes::Holes;
use super::number::Number;
use super::{FrameReader, RawFrame, RawKind, ReadError, ReaderCounts};
use crate::capture::Progress;
use crate::market::units::Side;
use std::path::PathBuf;
use std::sync::Arc;

/// By how much all prices of trades must differ from the book's before that is said.
const FAR_FACTOR: f64 = 2.0;

/// Whether trades are of the book's time and prices.
#[derive(Default)]
struct Fit {
    book_ns: Option<(i64, i64)>,
    trades_ns: Option<(i64, i64)>,
    has_book_ended: bool,
    have_trades_ended: bool,
    /// The best bid and ask of the last snapshot that has both.
    bests: Option<[f64; 2]>,
    /// Trades far off them, until one is not.
    far: u64,
    is_near: bool,
}

fn widen(span_ns: &mut Option<(i64, i64)>, ns: i64) {
    let (first_ns, last_ns) = span_ns.unwrap_or((ns, ns));
    *span_ns = Some((first_ns.min(ns), last_ns.max(ns)));
}

fn float(number: Number) -> f64 {
    number.to_string().parse().unwrap_or(f64::NAN)
}

impl Fit {
    fn book(&mut self, frame: &RawFrame) {
        widen(&mut self.book_ns, frame.ts_recv_ns);
        if self.is_near || frame.kind != RawKind::Snapshot {
            return;
        }
        let of = |side| frame.levels.iter().filter(move |level| level.side == side).map(|level| float(level.price));
        let bid = of(Side::Bid).fold(f64::NEG_INFINITY, f64::max);
        let ask = of(Side::Ask).fold(f64::INFINITY, f64::min);
        // Rows that begin a book without a mark may be some levels far from the best.
        if bid > 0.0 && ask < FAR_FACTOR * bid {
            self.bests = Some([bid, ask]);
        }
    }

    fn trades(&mut self, frame: &RawFrame) {
        widen(&mut self.trades_ns, frame.ts_recv_ns);
        if self.is_near {
            return;
        }
        let Some([bid, ask]) = self.bests else { return };
        for print in &frame.prints {
            let price = float(print.price);
            let is_far = price * FAR_FACTOR <= bid || price >= ask * FAR_FACTOR;
            self.far += u64::from(is_far);
            self.is_near |= !is_far;
        }
    }

    fn remarks(&self, trades: &str) -> Vec<String> {
        let mut remarks = Vec::new();
        let clock = "its trades may be of another day or clock";
        let seconds = |ns: i64| ns as f64 / 1e9;
        if let (Some((book_first, book_last)), Some((first, last))) = (self.book_ns, self.trades_ns) {
            if self.have_trades_ended && last < book_first {
                let by_s = seconds(book_first.saturating_sub(last));
                remarks.push(format!("{trades} ends {by_s} s before the book begins: {clock}"));
            }
            if self.has_book_ended && first > book_last {
                let by_s = seconds(first.saturating_sub(book_last));
                remarks.push(format!("{trades} begins {by_s} s after the book ends: {clock}"));
            }
        }
        if self.far > 0 && !self.is_near {
            let (far, noun) = (self.far, if self.far == 1 { "trade" } else { "trades" });
            remarks.push(format!(
                "all prices in {trades} ({far} {noun}) are half the book's or less, or twice or more: they may be of another product or unit"
            ));
        }
        remarks
    }
}

/// Frames of both by their times of receipt; of one time the trades first, as the book shows what they have done.
pub struct Merged<B, T> {
    book: B,
    trades: T,
    next_book: Option<RawFrame>,
    next_trades: Option<RawFrame>,
    has_begun: bool,
    fit: Fit,
    /// What a remark calls the trades.
    named: String,
}

impl<B: FrameReader, T: FrameReader> Merged<B, T> {
    /// Of a book and its trades, which are in these files.
    pub fn new(book: B, trades: T, paths: &[PathBuf]) -> Self {
        let named = match paths {
            [] => "the file of trades".into(),
            [path] => path.display().to_string(),
            [first, .., last] => format!("{} files from {} to {}", paths.len(), first.display(), last.display()),
        };
        let fit = Fit::default();
        Self { book, trades, next_book: None, next_trades: None, has_begun: false, fit, named }
    }
}

/// Puts the next frame into the slot. Gives whether there is none.
fn pull(reader: &mut impl FrameReader, slot: &mut Option<RawFrame>) -> Result<bool, ReadError> {
    let mut frame = slot.take().unwrap_or_default();
    *slot = reader.next(&mut frame)?.then_some(frame);
    Ok(slot.is_none())
}

impl<B: FrameReader, T: FrameReader> FrameReader for Merged<B, T> {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        if !self.has_begun {
            self.has_begun = true;
            self.fit.has_book_ended = pull(&mut self.book, &mut self.next_book)?;
            self.fit.have_trades_ended = pull(&mut self.trades, &mut self.next_trades)?;
        }
        let time = |slot: &Option<RawFrame>| slot.as_ref().map_or(i64::MAX, |frame| frame.ts_recv_ns);
        let is_trades = self.next_trades.is_some() && time(&self.next_trades) <= time(&self.next_book);
        if is_trades {
            let Some(next) = &mut self.next_trades else { return Ok(false) };
            std::mem::swap(frame, next);
            self.fit.trades(frame);
            self.fit.have_trades_ended = pull(&mut self.trades, &mut self.next_trades)?;
        } else {
            let Some(next) = &mut self.next_book else { return Ok(false) };
            std::mem::swap(frame, next);
            self.fit.book(frame);
            self.fit.has_book_ended = pull(&mut self.book, &mut self.next_book)?;
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

    fn remarks(&self) -> Vec<String> {
        self.counts().remarks().into_iter().chain(self.fit.remarks(&self.named)).collect()
    }

    fn holes(&self) -> Holes {
        self.book.holes()
    }

    fn has_event_times_only(&self) -> bool {
        self.book.has_event_times_only()
    }
}
