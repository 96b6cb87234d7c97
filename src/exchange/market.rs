//! A seeded synthetic limit-order-book market.
//!
//! Frames depend on nothing but the configuration: the same seed gives the same frames on every machine.
//!
//! # The model
//!
//! Queue-reactive with self-excitation:
//!
//! - At the best of each side, limit orders, cancellations and market orders arrive at rates that depend on both best
//!   queues, after Huang, Lehalle and Rosenbaum, "Simulating and analyzing order book data: the queue-reactive model",
//!   Journal of the American Statistical Association 110 (2015). Market orders prefer the thinner side. This alone makes
//!   the imbalance at the top foretell the mid; no drift and no hidden signal is added.
//! - Market orders of a side set off more of the same, and whole frames set off further frames, both with exponential
//!   kernels, as in Wu, Rambaldi, Muzy and Bacry, "Queue-reactive Hawkes models for the order flow", arXiv:1901.08938
//!   (2019). Frames therefore come in bursts, and busy frames are longer.
//! - When a best queue is depleted, the orders just behind it may withdraw, new orders close the spread, nearly always
//!   from the other side, and some of the crowd is quoted again near the new best: the original model's redraw of the book
//!   around a new reference price, in steps that a feed shows.
//! - Behind the best, orders come, move, change and go over distances of 1 to 262,143 ticks, as often as recorded at each
//!   distance. They come where the book is sparse and go where it is dense, so that it neither empties nor fills up.
//! - A weak pull leads the price back to its start: a per cent away from it, market orders against the move come four per
//!   cent more often. After millions of frames the book is still like the one that was laid out. A side that began with
//!   few levels grows to about 1,000.
//!
//! # What it looks like
//!
//! At the default configuration, 30,000 frames, beside two recordings of 8 August 2024. Three numbers are the quantiles at
//! 0.1, 0.5 and 0.9. A test measures the same figures and bounds the distance.
//!
//! | | synthetic | BTC spot, 100 ms frames | BTC perpetual, 13 ms frames |
//! | --- | --- | --- | --- |
//! | level updates in a frame, mean | 8.4 | 36.0 | 9.9 |
//! | level updates in a frame | 1, 5, 19 | 6, 16, 70 | 1, 6, 21 |
//! | removals among them | 0.42 | 0.48 | 0.43 |
//! | levels that were not there before | 0.41 | 0.40 | 0.28 |
//! | spread of one tick, share of frames | 0.999 | 0.994 | 0.998 |
//! | mid moves, share of frames | 0.051 | 0.081 | 0.015 |
//! | step of the mid when it moves, USD | 0.04, 1.40, 5.64 | 0.04, 2.66, 9.59 | 0.40, 1.95, 5.30 |
//! | gap from best to second level, USD | 0.01, 0.04, 0.63 | 0.01, 0.04, 1.17 | 0.20, 1.00, 3.10 |
//! | size at the best, BTC | 0.11, 1.50, 6.56 | 0.19, 2.04, 4.64 | in contracts |
//! | AUC of `imbalance_1` for the mid 20 frames on | 0.68 | 0.74 | 0.97 |
//! | gaps between frames, deviation / mean | 1.56 | 0.05 (timer) | 0.47 (timer) |
//!
//! [`Batches`] collects the frames of a fixed time, 50 ms on the venue, into one, and [`Tape`] adds the prints of the trades.
//!
//! It is no model of fundamentals: returns have no memory beyond the excitation's seconds, the volatility has no time of
//! day, and no agent reacts to what a user does.
//!
//! # Example
//!
//! ```
//! use papertrader::exchange::market::{MarketConfig, SyntheticMarket};
//!
//! let config = MarketConfig { seed: 7, snapshot_levels: 500, ..MarketConfig::default() };
//! let (mut market, mut twin) = (SyntheticMarket::new(&config), SyntheticMarket::new(&config));
//! let (mut updates, mut same) = (Vec::new(), Vec::new());
//! market.snapshot(&mut updates);
//! assert!(updates.len() > 100);
//! for _ in 0..100 {
//!     assert!(market.next_frame(&mut updates) > config.start_ns);
//!     twin.next_frame(&mut same);
//!     assert_eq!(updates, same);
//! }
//! ```

mod batches;
mod draw;
mod flow;
mod hawkes;
mod ladder;
mod tape;
mod trades;

pub use self::batches::Batches;
pub use self::tape::{PRINTS_EVERY, Part, Tape};
pub use self::trades::Trade;

use self::flow::Flow;
use self::hawkes::Hawkes;
use self::trades::{Stretch, Take};
use crate::market::units::{Scale, Side};

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
    /// Decimals of prices and sizes in messages. The model counts in ticks and lots and does not look at it.
    pub scale: Scale,
    /// Time of the snapshot, in nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// Mean rate of frames, brought into [`FRAMES_PER_S_MIN`] to [`FRAMES_PER_S_MAX`].
    pub frames_per_s: f64,
    /// About how many levels the first snapshot has, both sides together, brought into [`SNAPSHOT_LEVELS_MIN`] to
    /// [`SNAPSHOT_LEVELS_MAX`]. A low price leaves room for fewer.
    pub snapshot_levels: usize,
    /// Best bid to start from, in ticks, brought into [`MID_TICKS_MIN`] to [`MID_TICKS_MAX`].
    pub mid_ticks: u64,
}

/// The lowest mean rate of frames.
pub const FRAMES_PER_S_MIN: f64 = 0.001;
/// The highest mean rate of frames: times are nanoseconds.
pub const FRAMES_PER_S_MAX: f64 = 1e9;
/// The smallest book to start from.
pub const SNAPSHOT_LEVELS_MIN: usize = 500;
/// The largest book to start from.
pub const SNAPSHOT_LEVELS_MAX: usize = 1_000_000;
/// The lowest price to start from.
pub const MID_TICKS_MIN: u64 = 1_000_000;
/// The highest price to start from.
pub const MID_TICKS_MAX: u64 = 1_000_000_000_000;

impl Default for MarketConfig {
    /// BTC-USD at 61,837.63 on 9 August 2024, midnight UTC; ticks of 0.01, lots of `10^-8`, 200 frames a second, 20,000
    /// levels, seed 1.
    fn default() -> Self {
        Self {
            seed: 1,
            product: "BTC-USD".to_owned(),
            scale: Scale { price_decimals: 2, size_decimals: 8 },
            start_ns: 1_723_161_600_000_000_000,
            frames_per_s: 200.0,
            snapshot_levels: 20_000,
            mid_ticks: 6_183_763,
        }
    }
}

/// Frames between the book as it is laid out and the first snapshot, for the layout to be forgotten.
const FRAMES_BEFORE_SNAPSHOT: usize = 2_000;

/// Trades before a subscription that the venue tells.
pub const TRADES_BEFORE: usize = 100;

/// A market that makes its own order flow.
#[derive(Clone, Debug)]
pub struct SyntheticMarket {
    /// The last trades before the start, oldest first.
    trades_before: Vec<Trade>,
    now_ns: i64,
    mean_gap_ns: f64,
    arrivals: Hawkes,
    flow: Flow,
}

impl SyntheticMarket {
    /// The market as its first snapshot shows it, at `start_ns`.
    pub fn new(config: &MarketConfig) -> Self {
        // A comparison that NaN fails, unlike `clamp`.
        let frames_per_s = if config.frames_per_s > FRAMES_PER_S_MIN { config.frames_per_s } else { FRAMES_PER_S_MIN };
        let levels = config.snapshot_levels.clamp(SNAPSHOT_LEVELS_MIN, SNAPSHOT_LEVELS_MAX);
        let mut market = Self {
            trades_before: Vec::new(),
            now_ns: 0,
            mean_gap_ns: 1e9 / frames_per_s.min(FRAMES_PER_S_MAX),
            arrivals: Hawkes::new(),
            flow: Flow::new(config.seed, levels, config.mid_ticks.clamp(MID_TICKS_MIN, MID_TICKS_MAX)),
        };
        market.warm_up();
        let ends_ns = market.now_ns;
        market.now_ns = config.start_ns;
        for trade in &mut market.trades_before {
            trade.time_ns = config.start_ns.saturating_sub(ends_ns.saturating_sub(trade.time_ns));
        }
        market
    }

    fn warm_up(&mut self) {
        let (mut updates, mut stretch, mut last_trade_id) = (Vec::new(), Stretch::default(), 0);
        for _ in 0..FRAMES_BEFORE_SNAPSHOT {
            let time_ns = self.next_frame(&mut updates);
            stretch.clear();
            stretch.push(time_ns, &updates, self.lots_before(), self.takes());
            stretch.trades(&updates, &mut last_trade_id, &mut self.trades_before);
        }
        self.trades_before.drain(..self.trades_before.len().saturating_sub(TRADES_BEFORE));
    }

    /// The last trades before the first snapshot, oldest first, at most [`TRADES_BEFORE`].
    pub fn trades_before(&self) -> &[Trade] {
        &self.trades_before
    }

    fn lots_before(&self) -> &[u64] {
        self.flow.lots_before()
    }

    fn takes(&self) -> &[Take] {
        self.flow.takes()
    }

    /// Time of the last frame, in nanoseconds since the Unix epoch.
    pub fn now_ns(&self) -> i64 {
        self.now_ns
    }

    /// The whole book: bids, then asks, best first. Clears `levels` first.
    pub fn snapshot(&self, levels: &mut Vec<LevelUpdate>) {
        levels.clear();
        self.flow.levels(levels);
    }

    /// Advances by one frame: every level that it touched, once, bids then asks, best first; at least one. Clears
    /// `updates` first.
    ///
    /// A level can come and go within the frame, or change and change back: then the frame removes what was not there,
    /// or repeats a size, as the venue's frames do.
    ///
    /// Returns the frame's time, in nanoseconds since the Unix epoch. Times never go back; they rise by at least 1 as
    /// long as the count of nanoseconds lasts (until the year 2262).
    pub fn next_frame(&mut self, updates: &mut Vec<LevelUpdate>) -> i64 {
        let gap = self.arrivals.advance(self.flow.draw());
        self.now_ns = self.now_ns.saturating_add(((gap * self.mean_gap_ns) as i64).max(1));
        updates.clear();
        self.flow.frame(gap, self.arrivals.intensity(), updates);
        self.now_ns
    }
}

#[cfg(test)]
mod measure;
#[cfg(test)]
mod tests;
