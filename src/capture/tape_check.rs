//! Whether a capture's prints say from which side the taker came, and how: by the maker's side, as the venue does, or by the
//! taker's.
//!
//! Each print is compared with the book before it: one nearer to the best ask was a purchase. Where neither reading agrees with
//! nine prints of ten, nothing can be said of who was filled.

use super::replay::{Replay, ReplayError};
use crate::base::clock::Speed;
use crate::engine::status::Status;
use crate::feed::intake::ScaleRule;
use crate::market::book::Follower;
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::{Scale, Side};
use crate::run::session::Feed;
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
         the other", share = 100.0 * SHARE_MIN
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

/// Looks at the first prints of a capture.
struct Look {
    follower: Follower,
    agreeing: u64,
    compared: u64,
}

impl Look {
    fn print(&mut self, print: Print, scale: Scale) {
        let Some((bid, ask)) = self.follower.book().best() else { return };
        let ticks_per_unit = self.follower.book().scale().ticks_per_unit();
        let middle = (bid.price_ticks as f64 + ask.price_ticks as f64) / 2.0 / ticks_per_unit;
        let price = print.price_ticks as f64 / scale.ticks_per_unit();
        if bid.price_ticks < ask.price_ticks && price != middle {
            self.compared += 1;
            self.agreeing += u64::from((price > middle) == (print.aggressor == Side::Bid));
        }
    }
}

impl Publish for Look {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        self.follower.count(head);
        // A book that is lost has no best prices.
        let _ = self.follower.begin(head);
        if head.kind == FrameKind::Prints {
            let (prints, _) = events.as_chunks::<PRINT_EVENTS>();
            prints.iter().for_each(|&print| self.print(Print::decode(print), head.scale));
        } else {
            self.follower.levels(events);
        }
        let _ = self.follower.end();
        if self.compared >= PRINTS_MAX { Err(EngineGone) } else { Ok(()) }
    }
}

/// How a capture's prints name the side.
///
/// # Errors
/// It cannot be read, has no prints, or their sides fit neither reading.
pub fn reading(path: &Path, product: Option<&str>, rule: ScaleRule) -> Result<Reading, TapeError> {
    let mut look = Look { follower: Follower::default(), agreeing: 0, compared: 0 };
    let outcome = Replay::open(path, product, rule, Speed::Max)?.run(&mut look, &Status::default());
    let path = path.display().to_string();
    let Look { agreeing, compared, .. } = look;
    if outcome.counts.prints == 0 || compared == 0 {
        return Err(TapeError::NoPrints(path));
    }
    let share = agreeing as f64 / compared as f64;
    if share >= SHARE_MIN {
        Ok(Reading::MakersSide)
    } else if share <= 1.0 - SHARE_MIN {
        Ok(Reading::TakersSide)
    } else {
        Err(TapeError::NoSide { path, agreeing, compared })
    }
}
