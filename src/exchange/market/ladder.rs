//! One side of the synthetic book, the same code for both.

use crate::market::units::{COUNT_MAX, Side};

/// One price level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    /// The price, turned so that better is greater: `ticks` of a bid, `-ticks` of an ask.
    pub(super) key: i64,
    /// Never 0.
    pub(super) size_lots: u64,
}

impl Level {
    pub(super) fn price_ticks(self) -> u64 {
        self.key.unsigned_abs()
    }
}

/// The levels of one side, worst first, in one sorted vector.
///
/// Nearly all of the flow happens a few hundred levels from the best, so an insertion moves a few kilobytes at the
/// vector's end, and the n-th best level is one index away. Never empty.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    side: Side,
    levels: Vec<Level>,
}

impl Ladder {
    /// Takes prices with their sizes, worst first, without repeats, at least one.
    pub(super) fn new(side: Side, worst_first: impl Iterator<Item = (u64, u64)>) -> Self {
        let levels: Vec<_> =
            worst_first.map(|(price_ticks, size_lots)| Level { key: key(side, price_ticks), size_lots }).collect();
        debug_assert!(!levels.is_empty() && levels.is_sorted_by(|worse, better| worse.key < better.key));
        Self { side, levels }
    }

    pub(super) fn len(&self) -> usize {
        self.levels.len()
    }

    pub(super) fn best(&self) -> Level {
        *self.levels.last().expect("a side is never empty")
    }

    /// The best `0`, the next `1`, and so on.
    pub(super) fn nth(&self, n: usize) -> Option<Level> {
        self.levels.iter().rev().nth(n).copied()
    }

    pub(super) fn best_first(&self) -> impl Iterator<Item = Level> {
        self.levels.iter().rev().copied()
    }

    /// The best level that is not better than the key, if there is one.
    pub(super) fn at_or_behind(&self, key: i64) -> Option<Level> {
        let behind = self.end_of(key);
        behind.checked_sub(1).map(|index| self.levels[index])
    }

    /// Size at the key; 0 where there is no level.
    pub(super) fn size_lots(&self, key: i64) -> u64 {
        self.at_or_behind(key).filter(|level| level.key == key).map_or(0, |level| level.size_lots)
    }

    /// Sets the level's size; 0 removes it. The last level stays as it is when asked to go.
    pub(super) fn set(&mut self, key: i64, size_lots: u64) {
        let end = self.end_of(key);
        let present = end > 0 && self.levels[end - 1].key == key;
        match (present, size_lots) {
            (true, 0) if self.levels.len() > 1 => drop(self.levels.remove(end - 1)),
            (true, 0) | (false, 0) => {}
            (true, _) => self.levels[end - 1].size_lots = size_lots,
            (false, _) => self.levels.insert(end, Level { key, size_lots }),
        }
    }

    /// The worst key that is a price: one tick for bids, [`COUNT_MAX`] ticks for asks.
    pub(super) fn worst_key(&self) -> i64 {
        match self.side {
            Side::Bid => 1,
            Side::Ask => -(COUNT_MAX as i64),
        }
    }

    /// How many levels are not better than the key.
    fn end_of(&self, key: i64) -> usize {
        // Most of the flow is near the best; a short tail of the vector stays in the nearest cache.
        const TAIL: usize = 512;
        let tail = self.levels.len().saturating_sub(TAIL);
        let start = if tail > 0 && self.levels[tail].key <= key { tail } else { 0 };
        start + self.levels[start..].partition_point(|level| level.key <= key)
    }
}

fn key(side: Side, price_ticks: u64) -> i64 {
    let ticks = price_ticks.min(COUNT_MAX) as i64;
    match side {
        Side::Bid => ticks,
        Side::Ask => -ticks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn ladder_is_an_ordered_map(
            side in prop_oneof![Just(Side::Bid), Just(Side::Ask)],
            first in 1..2_000_u64,
            changes in proptest::collection::vec((1..2_000_u64, 0..3_u64), 0..3_000),
        ) {
            let mut ladder = Ladder::new(side, std::iter::once((first, 9)));
            let mut map = BTreeMap::from([(key(side, first), 9)]);
            for (price_ticks, size_lots) in changes {
                let key = key(side, price_ticks);
                ladder.set(key, size_lots);
                if size_lots > 0 {
                    map.insert(key, size_lots);
                } else if map.len() > 1 {
                    map.remove(&key);
                }
                prop_assert_eq!(ladder.size_lots(key), map.get(&key).copied().unwrap_or(0));
                let behind = map.range(..=key).next_back().map(|(&key, &size_lots)| Level { key, size_lots });
                prop_assert_eq!(ladder.at_or_behind(key), behind);
            }
            let levels: Vec<_> = map.iter().rev().map(|(&key, &size_lots)| Level { key, size_lots }).collect();
            prop_assert_eq!(ladder.len(), levels.len());
            prop_assert_eq!(ladder.best(), levels[0]);
            prop_assert_eq!(ladder.nth(levels.len() - 1), levels.last().copied());
            prop_assert_eq!(ladder.nth(levels.len()), None);
            prop_assert!(ladder.best_first().eq(levels));
        }
    }
}
