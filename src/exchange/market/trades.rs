//! Trades of the synthetic market, as far as its book shows them.

use super::LevelUpdate;
use crate::market::units::Side;
use std::collections::BTreeMap;

/// A trade as the venue's tape tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Consecutive within a market.
    pub trade_id: u64,
    /// The side on which the maker's order rested: [`Side::Bid`] where the taker sold.
    pub maker: Side,
    /// Price in ticks.
    pub price_ticks: u64,
    /// Size in lots, above 0.
    pub size_lots: u64,
    /// When it happened, in nanoseconds since the Unix epoch.
    pub time_ns: i64,
}

/// What a market order took from one level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Take {
    pub(super) maker: Side,
    pub(super) price_ticks: u64,
    pub(super) lots: u64,
}

/// Where a level stands.
type Place = (bool, u64);

fn place(side: Side, price_ticks: u64) -> Place {
    (side == Side::Bid, price_ticks)
}

/// Takes of a stretch of frames that a client sees as one, and what its levels were before.
#[derive(Clone, Debug, Default)]
pub(super) struct Stretch {
    /// With their times, in order.
    takes: Vec<(i64, Take)>,
    /// Levels and their sizes before a change, in order of time.
    before: Vec<(Place, u64)>,
}

impl Stretch {
    pub(super) fn clear(&mut self) {
        self.takes.clear();
        self.before.clear();
    }

    /// Adds a frame: its levels, their sizes before it, and what was taken in it.
    pub(super) fn push(&mut self, time_ns: i64, updates: &[LevelUpdate], lots_before: &[u64], takes: &[Take]) {
        let places = updates.iter().map(|update| place(update.side, update.price_ticks));
        self.before.extend(places.zip(lots_before.iter().copied()));
        self.takes.extend(takes.iter().map(|&take| (time_ns, take)));
    }

    /// Appends the trades that the change of the book explains; `updates` are the levels at the end. What was taken from a
    /// level is told up to what the level lost: what came and went within the stretch nobody saw.
    pub(super) fn trades(&self, updates: &[LevelUpdate], last_trade_id: &mut u64, trades: &mut Vec<Trade>) {
        if self.takes.is_empty() {
            return;
        }
        let places = self.takes.iter().map(|(_, take)| place(take.maker, take.price_ticks));
        let mut lost: BTreeMap<Place, Option<u64>> = places.map(|place| (place, None)).collect();
        for (place, lots_before) in &self.before {
            if let Some(lots) = lost.get_mut(place) {
                lots.get_or_insert(*lots_before);
            }
        }
        for update in updates {
            if let Some(Some(lots)) = lost.get_mut(&place(update.side, update.price_ticks)) {
                *lots = lots.saturating_sub(update.size_lots);
            }
        }
        for &(time_ns, Take { maker, price_ticks, lots }) in &self.takes {
            let left = lost.get_mut(&place(maker, price_ticks)).and_then(Option::as_mut);
            let Some(left) = left.filter(|left| **left > 0) else { continue };
            let size_lots = lots.min(*left);
            *left -= size_lots;
            *last_trade_id += 1;
            trades.push(Trade { trade_id: *last_trade_id, maker, price_ticks, size_lots, time_ns });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Side::{Ask, Bid};

    #[test]
    fn trades_are_told_up_to_what_a_level_lost() {
        let level = |price_ticks, size_lots| LevelUpdate { side: Bid, price_ticks, size_lots };
        let take = |price_ticks, lots| Take { maker: Bid, price_ticks, lots };
        let mut stretch = Stretch::default();
        // 10 lots at 100 and 4 at 99; 7 come and 12 are taken at 100, all at 99; 3 at 101 come and go.
        stretch.push(5, &[level(101, 0), level(100, 5)], &[0, 10], &[take(101, 3), take(100, 8), take(100, 4)]);
        stretch.push(6, &[level(99, 0)], &[4], &[take(99, 4)]);
        // An ask at the same price is another level.
        stretch.push(7, &[LevelUpdate { side: Ask, price_ticks: 100, size_lots: 9 }], &[0], &[]);
        let (mut last_trade_id, mut trades) = (41, Vec::new());
        stretch.trades(&[level(101, 0), level(100, 5), level(99, 0)], &mut last_trade_id, &mut trades);
        let trade =
            |trade_id, price_ticks, size_lots, time_ns| Trade { trade_id, maker: Bid, price_ticks, size_lots, time_ns };
        assert_eq!(trades, [trade(42, 100, 5, 5), trade(43, 99, 4, 6)]);
        assert_eq!(last_trade_id, 43);
        stretch.clear();
        stretch.trades(&[level(100, 5)], &mut last_trade_id, &mut trades);
        assert_eq!(trades.len(), 2);
    }
}
