//! The exchange's own books: plain ordered maps, the truth that clients are held against.

use crate::exchange::market::LevelUpdate;
use crate::market::units::{COUNT_MAX, Scale, Side};
use std::collections::BTreeMap;

/// One product's book as of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookState {
    /// Decimals of the prices and sizes below.
    pub scale: Scale,
    /// `(price_ticks, size_lots)`, highest price first. No size is zero.
    pub bids: Vec<(u64, u64)>,
    /// `(price_ticks, size_lots)`, lowest price first. No size is zero.
    pub asks: Vec<(u64, u64)>,
    /// Frames of the market that went into the book since the exchange started, whether or not a client received them.
    pub frames: u64,
}

/// A book that frames are applied to.
#[derive(Clone, Debug, Default)]
pub(super) struct Depth {
    pub scale: Scale,
    pub bids: BTreeMap<u64, u64>,
    pub asks: BTreeMap<u64, u64>,
    pub frames: u64,
    /// A snapshot has come, so that there is a book to show.
    pub has_snapshot: bool,
}

impl Depth {
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    pub fn apply(&mut self, update: LevelUpdate) {
        let levels = match update.side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        };
        match update.size_lots {
            0 => levels.remove(&update.price_ticks),
            size_lots => levels.insert(update.price_ticks, size_lots),
        };
    }

    /// The highest bid as `(price_ticks, size_lots)`.
    pub fn best_bid(&self) -> Option<(u64, u64)> {
        self.bids.last_key_value().map(|(&price_ticks, &size_lots)| (price_ticks, size_lots))
    }

    /// The lowest ask as `(price_ticks, size_lots)`.
    pub fn best_ask(&self) -> Option<(u64, u64)> {
        self.asks.first_key_value().map(|(&price_ticks, &size_lots)| (price_ticks, size_lots))
    }

    /// Every level: bids, then asks, best first. Clears `levels` first.
    pub fn levels(&self, levels: &mut Vec<LevelUpdate>) {
        levels.clear();
        let level = |side| move |(&price_ticks, &size_lots): (&u64, &u64)| LevelUpdate { side, price_ticks, size_lots };
        levels.extend(self.bids.iter().rev().map(level(Side::Bid)));
        levels.extend(self.asks.iter().map(level(Side::Ask)));
    }

    pub fn state(&self) -> BookState {
        let pair = |(&price_ticks, &size_lots): (&u64, &u64)| (price_ticks, size_lots);
        BookState {
            scale: self.scale,
            bids: self.bids.iter().rev().map(pair).collect(),
            asks: self.asks.iter().map(pair).collect(),
            frames: self.frames,
        }
    }

    /// Goes over to a scale with at least so many decimals, exactly. False, with nothing changed, if a count would pass
    /// [`COUNT_MAX`].
    pub fn refine(&mut self, price_decimals: u8, size_decimals: u8) -> bool {
        let finer = Scale {
            price_decimals: price_decimals.max(self.scale.price_decimals),
            size_decimals: size_decimals.max(self.scale.size_decimals),
        };
        let price_factor = 10_u64.pow(u32::from(finer.price_decimals - self.scale.price_decimals));
        let size_factor = 10_u64.pow(u32::from(finer.size_decimals - self.scale.size_decimals));
        let refined = |levels: &BTreeMap<u64, u64>| -> Option<BTreeMap<u64, u64>> {
            let times = |count: u64, factor| count.checked_mul(factor).filter(|&count| count <= COUNT_MAX);
            levels
                .iter()
                .map(|(&price, &size)| Some((times(price, price_factor)?, times(size, size_factor)?)))
                .collect()
        };
        let (Some(bids), Some(asks)) = (refined(&self.bids), refined(&self.asks)) else { return false };
        (self.bids, self.asks, self.scale) = (bids, asks, finer);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(side: Side, price_ticks: u64, size_lots: u64) -> LevelUpdate {
        LevelUpdate { side, price_ticks, size_lots }
    }

    #[test]
    fn keeps_levels_best_first() {
        let mut depth = Depth::default();
        for (side, price, size) in
            [(Side::Bid, 9, 1), (Side::Bid, 10, 2), (Side::Ask, 12, 3), (Side::Ask, 11, 4), (Side::Bid, 9, 0)]
        {
            depth.apply(update(side, price, size));
        }
        let state = depth.state();
        assert_eq!((state.bids, state.asks), (vec![(10, 2)], vec![(11, 4), (12, 3)]));
        assert_eq!((depth.best_bid(), depth.best_ask()), (Some((10, 2)), Some((11, 4))));
        let mut levels = Vec::new();
        depth.levels(&mut levels);
        assert_eq!(levels, [update(Side::Bid, 10, 2), update(Side::Ask, 11, 4), update(Side::Ask, 12, 3)]);
    }

    #[test]
    fn refines_exactly_or_not_at_all() {
        let mut depth = Depth::default();
        depth.apply(update(Side::Bid, 10, 3));
        assert!(depth.refine(1, 2));
        assert_eq!(depth.scale, Scale { price_decimals: 1, size_decimals: 2 });
        assert_eq!(depth.best_bid(), Some((100, 300)));
        assert!(depth.refine(0, 0), "a coarser scale asks for nothing");
        assert_eq!(depth.best_bid(), Some((100, 300)));
        assert!(!depth.refine(18, 2), "10 with 18 decimals passes 63 bits");
        assert_eq!(depth.best_bid(), Some((100, 300)));
    }
}
