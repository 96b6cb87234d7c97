//! The exchange's view of the book, event by event: which prices are best after each level, within a frame too.
//!
//! A venue's frame lists its changes side by side, so that a book in the middle of one is often crossed. Where a level comes
//! that crosses the other side, it is the other side's levels that are outdated: the best price there moves to the next level
//! that is not crossed, though the crossed ones are still listed (as in hftbacktest's depth).
//!
//! ```
//! use papertrader::execution::matching::depth::Depth;
//! use papertrader::market::units::Side::{Ask, Bid};
//!
//! let mut depth = Depth::default();
//! for (side, price, size) in [(Bid, 100, 5), (Ask, 101, 5), (Ask, 103, 5)] {
//!     depth.set(side, price, size);
//! }
//! depth.set(Bid, 102, 1);
//! assert_eq!((depth.best(Bid), depth.best(Ask)), (Some(102), Some(103)));
//! ```

use crate::market::units::Side;
use std::collections::BTreeMap;

/// What a level did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The level's size before, in lots.
    pub before_lots: u64,
    /// The side's best price, in ticks, where the level made it better.
    pub improved_to: Option<u64>,
}

/// Both sides.
#[derive(Clone, Debug, Default)]
pub struct Depth {
    bids: Levels,
    asks: Levels,
}

/// A side. Keys rise from the best price outwards: asks by their price, bids by its negative.
#[derive(Clone, Debug, Default)]
struct Levels {
    lots: BTreeMap<i64, u64>,
    best: Option<i64>,
}

fn key(side: Side, price_ticks: u64) -> i64 {
    // Prices are at most COUNT_MAX.
    match side {
        Side::Bid => -(price_ticks as i64),
        Side::Ask => price_ticks as i64,
    }
}

impl Levels {
    fn next_behind(&self, key: i64) -> Option<i64> {
        self.lots.range(key.saturating_add(1)..).next().map(|(&key, _)| key)
    }
}

impl Depth {
    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn side(&self, side: Side) -> &Levels {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// The best price, in ticks.
    pub fn best(&self, side: Side) -> Option<u64> {
        self.side(side).best.map(i64::unsigned_abs)
    }

    /// What is displayed at a price, in lots.
    pub fn lots(&self, side: Side, price_ticks: u64) -> u64 {
        self.side(side).lots.get(&key(side, price_ticks)).copied().unwrap_or(0)
    }

    /// A level's new size; 0 removes it.
    pub fn set(&mut self, side: Side, price_ticks: u64, size_lots: u64) -> Change {
        let (own, other) = match side {
            Side::Bid => (&mut self.bids, &mut self.asks),
            Side::Ask => (&mut self.asks, &mut self.bids),
        };
        let key = key(side, price_ticks);
        if size_lots == 0 {
            let before_lots = own.lots.remove(&key).unwrap_or(0);
            if own.best == Some(key) {
                own.best = own.next_behind(key);
            }
            return Change { before_lots, improved_to: None };
        }
        let before_lots = own.lots.insert(key, size_lots).unwrap_or(0);
        if own.best.is_some_and(|best| best <= key) {
            return Change { before_lots, improved_to: None };
        }
        own.best = Some(key);
        // The same price has the opposite key on the other side.
        if other.best.is_some_and(|best| best <= -key) {
            other.best = other.next_behind(-key);
        }
        Change { before_lots, improved_to: Some(price_ticks) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Side::{Ask, Bid};

    #[test]
    fn both_sides_follow_events() {
        for (own, other, at) in [(Bid, Ask, (|price| price) as fn(u64) -> u64), (Ask, Bid, |price| 1_000 - price)] {
            let mut depth = Depth::default();
            let levels = [(own, 100, 5), (own, 98, 5), (other, 101, 4), (other, 103, 6)];
            for (side, price, size) in levels {
                depth.set(side, at(price), size);
            }
            assert_eq!((depth.best(own), depth.best(other)), (Some(at(100)), Some(at(101))));
            // It crosses 101, which is still listed but no longer the best.
            let crossing = depth.set(own, at(102), 7);
            assert_eq!(crossing, Change { before_lots: 0, improved_to: Some(at(102)) });
            assert_eq!((depth.best(own), depth.best(other)), (Some(at(102)), Some(at(103))));
            assert_eq!(depth.lots(other, at(101)), 4);
            // Without it, the outdated level is not the best again; a level named anew is.
            assert_eq!(depth.set(own, at(102), 0), Change { before_lots: 7, improved_to: None });
            assert_eq!((depth.best(own), depth.best(other)), (Some(at(100)), Some(at(103))));
            assert_eq!(depth.set(other, at(101), 2), Change { before_lots: 4, improved_to: Some(at(101)) });
            // Nothing behind it: the side has no best price.
            depth.set(own, at(104), 1);
            assert_eq!(depth.best(other), None);
        }
    }
}
