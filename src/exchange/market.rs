//! A seeded synthetic limit-order-book market.
//!
//! The order flow is the zero-intelligence one of Smith, Farmer, Gillemot and Krishnamurthy, "Statistical theory of the
//! continuous double auction", Quantitative Finance 3 (2003): limit orders, cancellations and market orders arrive at
//! random. The same seed gives the same frames on every machine.

use crate::units::{Scale, Side};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// The new size of one level, absolute; 0 lots remove the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelUpdate {
    /// The side of the book that the level stands on.
    pub side: Side,
    /// Price in ticks.
    pub price_ticks: u64,
    /// Size in lots after the change.
    pub size_lots: u64,
}

/// What a synthetic market is made from.
#[derive(Clone, Debug)]
pub struct MarketConfig {
    /// Decides everything that is random.
    pub seed: u64,
    /// The product's name in messages.
    pub product: String,
    /// Decimals of prices and sizes.
    pub scale: Scale,
    /// Time of the snapshot, in nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// Mean rate of frames.
    pub frames_per_s: f64,
    /// Levels in the first snapshot, both sides together.
    pub snapshot_levels: usize,
}

impl Default for MarketConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            product: "BTC-USD".to_owned(),
            scale: Scale { price_decimals: 2, size_decimals: 8 },
            start_ns: 1_723_161_600_000_000_000,
            frames_per_s: 200.0,
            snapshot_levels: 20_000,
        }
    }
}

/// A market that makes its own order flow.
#[derive(Clone, Debug)]
pub struct SyntheticMarket {
    random: Xoshiro256PlusPlus,
    now_ns: i64,
    mean_gap_ns: f64,
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
}

impl SyntheticMarket {
    /// The market as its first snapshot shows it.
    pub fn new(config: &MarketConfig) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(config.seed);
        let (mut bids, mut asks) = (BTreeMap::new(), BTreeMap::new());
        let mid = 6_180_000;
        for index in 0..(config.snapshot_levels as u64 / 2).saturating_sub(1) {
            bids.insert(mid - 1 - index * 7 - random.next_u64() % 7, 1 + random.next_u64() % 100_000_000);
            asks.insert(mid + 1 + index * 7 + random.next_u64() % 7, 1 + random.next_u64() % 100_000_000);
        }
        bids.insert(1, 1_000_000_000);
        asks.insert(8_385_505_700, 1_000_000);
        Self { random, now_ns: config.start_ns, mean_gap_ns: 1e9 / config.frames_per_s, bids, asks }
    }

    /// Time of the last frame, in nanoseconds since the Unix epoch.
    pub fn now_ns(&self) -> i64 {
        self.now_ns
    }

    /// The whole book: bids, then asks, best first. Clears `levels` first.
    pub fn snapshot(&self, levels: &mut Vec<LevelUpdate>) {
        levels.clear();
        let level = |side, (&price_ticks, &size_lots): (&u64, &u64)| LevelUpdate { side, price_ticks, size_lots };
        levels.extend(self.bids.iter().rev().map(|entry| level(Side::Bid, entry)));
        levels.extend(self.asks.iter().map(|entry| level(Side::Ask, entry)));
    }

    /// Advances by one frame: the levels that changed, at least one. Clears `updates` first.
    ///
    /// Returns the frame's time, in nanoseconds since the Unix epoch.
    pub fn next_frame(&mut self, updates: &mut Vec<LevelUpdate>) -> i64 {
        updates.clear();
        let gap = (self.random.next_u64() % 2_000) as f64 / 1_000.0;
        self.now_ns += (self.mean_gap_ns * gap) as i64 + 1;
        let best_bid = *self.bids.keys().next_back().expect("the bid at one tick is never taken");
        let best_ask = *self.asks.keys().next().expect("the far ask is never taken");
        let side = if self.random.next_u64() & 1 == 0 { Side::Bid } else { Side::Ask };
        let away = self.random.next_u64() % 300;
        let (book, price_ticks) = match side {
            Side::Bid => (&mut self.bids, (best_ask - 1).saturating_sub(away).max(2)),
            Side::Ask => (&mut self.asks, best_bid + 1 + away),
        };
        let removes = book.len() > 2 && self.random.next_u64() & 1 == 0;
        let update = if removes {
            let price_ticks = match side {
                Side::Bid => best_bid,
                Side::Ask => best_ask,
            };
            book.remove(&price_ticks);
            LevelUpdate { side, price_ticks, size_lots: 0 }
        } else {
            let size_lots = 1 + self.random.next_u64() % 100_000_000;
            book.insert(price_ticks, size_lots);
            LevelUpdate { side, price_ticks, size_lots }
        };
        updates.push(update);
        self.now_ns
    }
}
