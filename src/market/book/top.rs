//! The best levels of a side, at hand after every frame.
//!
//! ```
//! use papertrader::market::book::{Asks, Ladder, Level, TOP_LEVELS};
//!
//! let mut asks = Ladder::<Asks>::default();
//! (0..20).for_each(|step| asks.stage(10_000 + step, 5));
//! asks.end_snapshot().expect("20 levels are not too many");
//!
//! let top = asks.top();
//! assert_eq!(top.len(), TOP_LEVELS);
//! assert_eq!(top.levels().last(), Some(Level { price_ticks: 10_009, size_lots: 5 }));
//! let seen = top.version();
//! asks.set(10_015, 0);
//! asks.settle().expect("19 levels are not too many");
//! assert_eq!(asks.top().version(), seen);
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

/// A price with what is offered there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// In ticks; at least 1.
    pub price_ticks: u64,
    /// In lots; never 0 in a book.
    pub size_lots: u64,
}

/// Levels of a side that are kept at hand.
pub const TOP_LEVELS: usize = 10;
/// Room for them in whole vectors of four numbers.
pub const TOP_ROOM: usize = TOP_LEVELS.next_multiple_of(4);

/// The [`TOP_LEVELS`] best levels of a side after a frame. Prices and sizes lie apart, for who computes with all of them.
#[derive(Clone, Debug)]
pub struct Top {
    /// The best first, and zeros behind the last: the ladder writes them, as everything here.
    pub(super) price_ticks: [u64; TOP_ROOM],
    /// In the same order, and zeros behind the last.
    pub(super) size_lots: [u64; TOP_ROOM],
    /// At most [`TOP_LEVELS`].
    pub(super) len: usize,
    /// Rises with every change.
    pub(super) version: u64,
}

impl Top {
    pub(super) fn new() -> Self {
        /// Changes that a ladder has numbers for; beyond them it takes those of the next ladder.
        const CHANGES: u64 = 1 << 40;
        static LADDERS: AtomicU64 = AtomicU64::new(0);
        // Relaxed: nothing else is read on the strength of the number.
        let version = LADDERS.fetch_add(1, Ordering::Relaxed).wrapping_mul(CHANGES);
        Self { price_ticks: [0; TOP_ROOM], size_lots: [0; TOP_ROOM], len: 0, version }
    }

    /// How many there are: [`TOP_LEVELS`], or as many as the side has.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the side has no level.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Prices in ticks, the best first; behind the last level zeros.
    #[inline]
    pub fn price_ticks(&self) -> &[u64; TOP_ROOM] {
        &self.price_ticks
    }

    /// Sizes in lots; behind the last level zeros.
    #[inline]
    pub fn size_lots(&self) -> &[u64; TOP_ROOM] {
        &self.size_lots
    }

    /// A number that is another one whenever a level is, and that of no other ladder of the process: who has seen it knows
    /// the levels.
    #[inline]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The levels, the best first.
    #[inline]
    pub fn levels(&self) -> impl ExactSizeIterator<Item = Level> + '_ {
        let pairs = self.price_ticks.iter().zip(&self.size_lots).take(self.len);
        pairs.map(|(&price_ticks, &size_lots)| Level { price_ticks, size_lots })
    }
}
