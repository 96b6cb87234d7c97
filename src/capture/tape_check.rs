//! Whether a capture's prints say from which side the taker came, and how: by the maker's side, as the venue does, or by the
//! taker's.
//!
//! Each print is compared with the book before the trade: one nearer to the best ask was a purchase. A venue tells prints later
//! than the book that they have changed, so the book before is found by the venue's times; where they say nothing it is the book
//! at the print's arrival. Where neither reading agrees with nine prints of ten, nothing can be said of who was filled.
//!
//! ```
//! use papertrader::base::clock::Speed;
//! use papertrader::capture::replay::Replay;
//! use papertrader::capture::tape_check::{TapeError, reading};
//! use papertrader::feed::intake::ScaleRule;
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 100 frames of the synthetic market, without prints.
//! let folder = tempfile::tempdir()?;
//! let capture = synthetic::capture(folder.path(), 100)?;
//! let market = Replay::open(&capture, None, ScaleRule::default(), Speed::Max)?;
//! assert!(matches!(reading(market, &capture), Err(TapeError::NoPrints(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::replay::{ReplayError, ReplayOutcome};
use crate::engine::status::Status;
use crate::execution::hold_back::TapeClock;
use crate::market::book::Follower;
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::Side;
use crate::run::session::Feed;
use std::collections::VecDeque;
use std::path::Path;

/// Prints that are looked at, at most.
const PRINTS_MAX: u64 = 20_000;
/// The share that a reading must agree with.
pub const SHARE_MIN: f64 = 0.9;

/// How prints name the side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As the venue does: it is the maker's.
    MakersSide,
    /// It is the taker's.
    TakersSide,
}

/// Why prints do not say what fills a resting order.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// The capture.
    #[error(transparent)]
    Capture(#[from] ReplayError),
    /// There are none.
    #[error("{0} has no prints (market_trades): makers are filled by them")]
    NoPrints(String),
    /// Their sides are nobody's.
    #[error(
        "{path}: the side of {agreeing} of {compared} prints is that of the nearer best price; makers need {share:.0} % one way or \
         the other, or --prints-side", share = 100.0 * SHARE_MIN
    )]
    NoSide {
        /// The capture.
        path: String,
        /// Prints whose side fits the venue's reading.
        agreeing: u64,
        /// Prints compared.
        compared: u64,
    },
}

/// Books that are remembered: more than a venue sends while a print is on its way.
const BOOKS_MAX: usize = 1 << 14;

/// Looks at the first prints of a capture.
#[derive(Default)]
struct Look {
    follower: Follower,
    /// The mids after the last frames of a book, each with the venue's time of its frame, never falling; NaN where the book was
    /// crossed or had one side.
    mids: VecDeque<(i64, f64)>,
    clock: TapeClock,
    agreeing: u64,
    compared: u64,
}

impl Look {
    /// The mid before a trade of that time, by the venue's clock.
    fn mid_before(&self, ts_event_ns: Option<i64>) -> Option<f64> {
        // The last one where the trade has no time.
        let ts_event_ns = ts_event_ns.unwrap_or(i64::MAX);
        let before = self.mids.partition_point(|&(ts, _)| ts < ts_event_ns).checked_sub(1)?;
        Some(self.mids[before].1).filter(|mid| !mid.is_nan())
    }

    fn print(&mut self, print: Print, head: &FrameHead) {
        let ts_event_ns = self.clock.venue_ns(&print, head);
        let Some(mid) = self.mid_before(ts_event_ns) else { return };
        let price = print.price_ticks as f64 / head.scale.ticks_per_unit();
        if price != mid {
            self.compared += 1;
            self.agreeing += u64::from((price > mid) == (print.aggressor == Side::Bid));
        }
    }

    /// After a frame of the book.
    fn remember(&mut self, kind: FrameKind, ts_event_ns: i64) {
        if !self.follower.is_live() || kind == FrameKind::Snapshot {
            self.mids.clear();
        }
        if !self.follower.is_live() {
            return;
        }
        let book = self.follower.book();
        let mid = book.best().filter(|(bid, ask)| bid.price_ticks < ask.price_ticks).map_or(f64::NAN, |(bid, ask)| {
            (bid.price_ticks as f64 + ask.price_ticks as f64) / 2.0 / book.scale().ticks_per_unit()
        });
        if self.mids.len() == BOOKS_MAX {
            self.mids.pop_front();
        }
        let last_ns = self.mids.back().map_or(i64::MIN, |&(ts, _)| ts);
        self.mids.push_back((ts_event_ns.max(last_ns), mid));
    }
}

impl Publish for Look {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        self.follower.count(head);
        // A book that is lost has no best prices.
        let _ = self.follower.begin(head);
        if head.kind == FrameKind::Prints {
            let (prints, _) = events.as_chunks::<PRINT_EVENTS>();
            prints.iter().for_each(|&print| self.print(Print::decode(print), head));
        } else {
            self.follower.levels(events);
        }
        let _ = self.follower.end();
        if head.kind != FrameKind::Prints {
            self.remember(head.kind, head.ts_event_ns);
        }
        if self.compared >= PRINTS_MAX { Err(EngineGone) } else { Ok(()) }
    }
}

/// How a market's prints name the side; `path` is what errors call it.
///
/// # Errors
/// It has no prints, or their sides fit neither reading.
pub fn reading(market: impl Feed<Outcome = ReplayOutcome>, path: &Path) -> Result<Reading, TapeError> {
    let mut look = Look::default();
    let outcome = market.run(&mut look, &Status::default());
    let path = path.display().to_string();
    let Look { agreeing, compared, .. } = look;
    if outcome.first().counts.prints == 0 {
        return Err(TapeError::NoPrints(path));
    }
    let fits = |prints: u64| prints as f64 >= SHARE_MIN * compared as f64;
    if compared > 0 && fits(agreeing) {
        Ok(Reading::MakersSide)
    } else if compared > 0 && fits(compared - agreeing) {
        Ok(Reading::TakersSide)
    } else {
        Err(TapeError::NoSide { path, agreeing, compared })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::event::{UNMEASURED, UNSTAMPED};
    use crate::market::units::Scale;

    #[test]
    fn a_print_is_held_against_the_book_before_its_trade() {
        let head = FrameHead {
            kind: FrameKind::Prints,
            product: 0,
            levels: 2,
            scale: Scale { price_decimals: 0, size_decimals: 0 },
            sequence_num: 1,
            ts_recv_ns: 0,
            ts_event_ns: 40,
            arrived: UNSTAMPED,
            received: UNMEASURED,
            decoded: UNSTAMPED,
            published: UNSTAMPED,
        };
        let mids = [(10, 100.0), (20, f64::NAN), (30, 110.0)];
        let print = |aggressor, price_ticks, ts_event_ns| Print {
            aggressor,
            price_ticks,
            size_lots: 1,
            trade_id: 0,
            ts_event_ns,
        };
        for (aggressor, price_ticks, ts_event_ns, (agreeing, compared)) in [
            // Bought above the first book, which the second frame has changed.
            (Side::Bid, 101, 20, (1, 1)),
            (Side::Ask, 101, 11, (0, 1)),
            // The last book before was crossed.
            (Side::Bid, 101, 30, (0, 0)),
            // Nobody knows the book before the first.
            (Side::Bid, 101, 10, (0, 0)),
            // Without a time it is the last book's.
            (Side::Ask, 101, 0, (1, 1)),
            (Side::Ask, 101, 31, (1, 1)),
            (Side::Ask, 110, 31, (0, 0)),
        ] {
            let mut look = Look { mids: mids.into(), ..Look::default() };
            look.print(print(aggressor, price_ticks, ts_event_ns), &head);
            assert_eq!(
                (look.agreeing, look.compared),
                (agreeing, compared),
                "{aggressor:?} {price_ticks} {ts_event_ns}"
            );
        }
    }
}
