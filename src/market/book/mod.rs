//! The order book: exact, price-indexed, direction-generic.
//!
//! After every frame it equals a pair of ordered maps fed the same frames, whatever the prices are.
//!
//! ```
//! use papertrader::market::book::{Book, BookState, Level};
//! use papertrader::market::event::{Event, Fault};
//! use papertrader::market::units::{Scale, Side};
//!
//! let mut book = Book::default();
//! book.begin_snapshot(Scale { price_decimals: 2, size_decimals: 8 });
//! book.stage(&[Event::level(Side::Bid, 9_999, 300), Event::level(Side::Ask, 10_001, 500)]);
//! book.end_snapshot()?;
//! assert_eq!(book.state(), BookState::Live);
//!
//! // A better bid, and the only ask goes.
//! book.apply(&[Event::level(Side::Bid, 10_000, 200), Event::level(Side::Ask, 10_001, 0)]);
//! book.end_update()?;
//! assert_eq!(book.bids().best(), Some(Level { price_ticks: 10_000, size_lots: 200 }));
//! assert_eq!(book.asks().best(), None);
//! # Ok::<(), Fault>(())
//! ```

pub mod bitmap;
pub mod direction;
pub mod follower;
pub mod ladder;
pub mod top;

pub use direction::{Asks, Bids};
pub use follower::Follower;
pub use ladder::Ladder;
pub use top::{Level, TOP_LEVELS, TOP_ROOM, Top};

use crate::market::event::{Event, Fault};
use crate::market::units::{Scale, Side};

/// Whether a book can be traded on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookState {
    /// Nothing has come yet.
    Empty,
    /// Connected and waiting for a snapshot, or in the middle of one.
    Syncing,
    /// As the venue has it.
    Live,
    /// Something was lost or impossible; only a snapshot mends it.
    Invalid,
}

impl BookState {
    /// All states, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Empty, Self::Syncing, Self::Live, Self::Invalid];

    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Syncing => "syncing",
            Self::Live => "live",
            Self::Invalid => "invalid",
        }
    }
}

/// Both sides of one product's market, with its state.
#[derive(Debug)]
pub struct Book {
    bids: Ladder<Bids>,
    asks: Ladder<Asks>,
    scale: Scale,
    state: BookState,
    /// Times that a finer scale made the book anew.
    rescales: u64,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            bids: Ladder::default(),
            asks: Ladder::default(),
            scale: Scale::default(),
            state: BookState::Empty,
            rescales: 0,
        }
    }
}

impl Book {
    /// Buyers.
    #[inline]
    pub fn bids(&self) -> &Ladder<Bids> {
        &self.bids
    }

    /// Sellers.
    #[inline]
    pub fn asks(&self) -> &Ladder<Asks> {
        &self.asks
    }

    /// The scale of prices and sizes.
    #[inline]
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Whether the book can be traded on.
    #[inline]
    pub fn state(&self) -> BookState {
        self.state
    }

    /// Times that a finer scale made the book anew.
    pub fn rescales(&self) -> u64 {
        self.rescales
    }

    /// Both best levels, when both sides have one.
    #[inline]
    pub fn best(&self) -> Option<(Level, Level)> {
        Some((self.bids.best()?, self.asks.best()?))
    }

    /// The size at a price in lots; see [`Ladder::size_at`].
    #[inline]
    pub fn size_at(&self, side: Side, price_ticks: u64) -> u64 {
        match side {
            Side::Bid => self.bids.size_at(price_ticks),
            Side::Ask => self.asks.size_at(price_ticks),
        }
    }

    /// The best price of a side that is worse than `price_ticks`; see [`Ladder::next_behind`].
    #[inline]
    pub fn next_behind(&self, side: Side, price_ticks: u64) -> Option<u64> {
        match side {
            Side::Bid => self.bids.next_behind(price_ticks),
            Side::Ask => self.asks.next_behind(price_ticks),
        }
    }

    /// A side's best level.
    #[inline]
    pub fn best_of(&self, side: Side) -> Option<Level> {
        match side {
            Side::Bid => self.bids.best(),
            Side::Ask => self.asks.best(),
        }
    }

    /// Whether the best bid is at or above the best ask.
    #[inline]
    pub fn is_crossed_or_locked(&self) -> bool {
        self.best().is_some_and(|(bid, ask)| bid.price_ticks >= ask.price_ticks)
    }

    /// Has the system give memory to the windows now and not level by level: for threads that must not wait. Before the first
    /// snapshot.
    pub fn fault_in(&mut self) {
        assert_eq!(self.state, BookState::Empty, "before the first snapshot");
        self.bids.fault_in();
        self.asks.fault_in();
    }

    /// Forgets the book and waits for a snapshot.
    pub fn await_snapshot(&mut self) {
        self.clear(BookState::Syncing);
    }

    /// Forgets the book: it cannot be trusted until the next snapshot.
    pub fn invalidate(&mut self) {
        self.clear(BookState::Invalid);
    }

    fn clear(&mut self, state: BookState) {
        self.bids.clear();
        self.asks.clear();
        self.state = state;
    }

    /// Begins a snapshot in the given scale. [`Book::stage`] gives its levels and [`Book::end_snapshot`] ends it.
    pub fn begin_snapshot(&mut self, scale: Scale) {
        self.clear(BookState::Syncing);
        self.scale = scale;
    }

    /// Takes levels of a snapshot.
    pub fn stage(&mut self, levels: &[Event]) {
        for level in levels {
            match level.side() {
                Side::Bid => self.bids.stage(level.price_ticks(), level.size_lots()),
                Side::Ask => self.asks.stage(level.price_ticks(), level.size_lots()),
            }
        }
    }

    /// Makes the staged levels the book, which is then live.
    ///
    /// # Errors
    /// [`Fault::TooManyLevels`]; the book is then invalid.
    pub fn end_snapshot(&mut self) -> Result<(), Fault> {
        let settled = self.bids.end_snapshot().and(self.asks.end_snapshot());
        self.state = BookState::Live;
        settled.map_err(|_| self.fail(Fault::TooManyLevels))
    }

    /// Changes levels of a live book. [`Book::end_update`] follows the last of a frame.
    #[inline]
    pub fn apply(&mut self, levels: &[Event]) {
        for level in levels {
            match level.side() {
                Side::Bid => self.bids.set(level.price_ticks(), level.size_lots()),
                Side::Ask => self.asks.set(level.price_ticks(), level.size_lots()),
            }
        }
    }

    /// Ends a frame of changes.
    ///
    /// # Errors
    /// [`Fault::TooManyLevels`]; the book is then invalid.
    #[inline]
    pub fn end_update(&mut self) -> Result<(), Fault> {
        match self.bids.settle().and(self.asks.settle()) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.fail(Fault::TooManyLevels)),
        }
    }

    /// Makes the book anew at a scale at least as fine in both prices and sizes.
    ///
    /// # Errors
    /// [`Fault::NumberTooLarge`] when a level does not fit; the book is then invalid.
    pub fn refine(&mut self, scale: Scale) -> Result<(), Fault> {
        let times = |from: u8, to: u8| 10_u64.checked_pow(u32::from(to.saturating_sub(from))).unwrap_or(u64::MAX);
        let ticks_times = times(self.scale.price_decimals, scale.price_decimals);
        let lots_times = times(self.scale.size_decimals, scale.size_decimals);
        let bids = self.bids.rescale(ticks_times, lots_times);
        let asks = self.asks.rescale(ticks_times, lots_times);
        self.scale = scale;
        self.rescales += 1;
        bids.and(asks).map_err(|_| self.fail(Fault::NumberTooLarge))
    }

    #[cold]
    fn fail(&mut self, fault: Fault) -> Fault {
        self.invalidate();
        fault
    }
}

#[cfg(test)]
mod tests;
