//! Frames collected over a time, as the venue's are.

use super::trades::{Stretch, Trade};
use super::{LevelUpdate, SyntheticMarket};
use crate::market::units::Side;
use std::time::Duration;

/// A market's frames in one batch: a fuller one goes out early. It bounds the levels of a message.
const FRAMES_MAX: usize = 20_000;

/// A market whose changes within a fixed time make one frame: every level that changed, once, with its last size. The
/// frame has the time of its last change. A time without a change makes none.
///
/// A level that came and went within the batch is removed though no frame ever showed it, as the venue removes levels
/// that it never published: at the default configuration 8% of the updates in batches of 50 ms, 1% without batches.
///
/// ```
/// use papertrader::exchange::market::{Batches, MarketConfig, SyntheticMarket};
/// use std::time::Duration;
///
/// let config = MarketConfig { snapshot_levels: 500, ..MarketConfig::default() };
/// let mut batches = Batches::new(SyntheticMarket::new(&config), Duration::from_millis(50));
/// let (mut updates, mut time_ns) = (Vec::new(), config.start_ns);
/// for _ in 0..100 {
///     time_ns = batches.next_frame(&mut updates);
/// }
/// // Twenty a second, instead of the market's two hundred.
/// assert!((time_ns - config.start_ns) / 100 > 45_000_000);
/// ```
#[derive(Clone, Debug)]
pub struct Batches {
    market: SyntheticMarket,
    /// Zero: every frame goes as it is.
    every_ns: i64,
    start_ns: i64,
    /// The first frame of the next batch; empty before there is one.
    ahead: Vec<LevelUpdate>,
    ahead_ns: i64,
    /// Of the last batch.
    stretch: Stretch,
    trades: Vec<Trade>,
    last_trade_id: u64,
}

impl Batches {
    /// Collects the market's changes from here on, each time beginning where the last one ended. A time of zero collects
    /// nothing: each frame is the market's own.
    pub fn new(market: SyntheticMarket, every: Duration) -> Self {
        let every_ns = i64::try_from(every.as_nanos()).unwrap_or(i64::MAX);
        Self {
            start_ns: market.now_ns(),
            last_trade_id: market.trades_before().last().map_or(0, |trade| trade.trade_id),
            market,
            every_ns,
            ahead: Vec::new(),
            ahead_ns: 0,
            stretch: Stretch::default(),
            trades: Vec::new(),
        }
    }

    /// The market; its last frame may belong to a batch to come.
    pub(super) fn market(&self) -> &SyntheticMarket {
        &self.market
    }

    /// The trades of the last frame, oldest first: each at a level of the frame, and those at a level together no more than
    /// the level lost by the frame.
    pub fn trades(&self) -> &[Trade] {
        &self.trades
    }

    /// The next frame, in the form of [`SyntheticMarket::next_frame`], and its time. Clears `updates` first.
    pub fn next_frame(&mut self, updates: &mut Vec<LevelUpdate>) -> i64 {
        self.stretch.clear();
        self.trades.clear();
        let time_ns = self.collect(updates);
        self.stretch.trades(updates, &mut self.last_trade_id, &mut self.trades);
        time_ns
    }

    fn collect(&mut self, updates: &mut Vec<LevelUpdate>) -> i64 {
        if self.every_ns == 0 {
            let time_ns = self.market.next_frame(updates);
            self.stretch.push(time_ns, updates, self.market.lots_before(), self.market.takes());
            return time_ns;
        }
        if self.ahead.is_empty() {
            self.ahead_ns = self.market.next_frame(&mut self.ahead);
        }
        updates.clear();
        let batch = self.batch_of(self.ahead_ns);
        let mut time_ns = self.ahead_ns;
        for _ in 0..FRAMES_MAX {
            // The frame ahead is the market's last one.
            self.stretch.push(self.ahead_ns, &self.ahead, self.market.lots_before(), self.market.takes());
            updates.append(&mut self.ahead);
            time_ns = self.ahead_ns;
            self.ahead_ns = self.market.next_frame(&mut self.ahead);
            if self.batch_of(self.ahead_ns) != batch {
                break;
            }
        }
        keep_last_sizes(updates);
        time_ns
    }

    /// Counted from the start.
    fn batch_of(&self, time_ns: i64) -> i64 {
        time_ns.saturating_sub(self.start_ns) / self.every_ns
    }
}

/// Of each level the last update, bids from the highest down, then asks from the lowest up.
fn keep_last_sizes(updates: &mut Vec<LevelUpdate>) {
    let place = |update: &LevelUpdate| match update.side {
        Side::Bid => (false, !update.price_ticks),
        Side::Ask => (true, update.price_ticks),
    };
    // Last ones first, and a sort that leaves it so.
    updates.reverse();
    updates.sort_by_key(place);
    updates.dedup_by_key(|update| place(update));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::market::MarketConfig;
    use std::collections::{BTreeMap, HashSet};

    const EVERY: Duration = Duration::from_millis(50);

    fn config(seed: u64) -> MarketConfig {
        MarketConfig { seed, snapshot_levels: 2_000, ..MarketConfig::default() }
    }

    #[test]
    fn a_time_of_zero_changes_nothing() {
        let mut market = SyntheticMarket::new(&config(7));
        let mut batches = Batches::new(market.clone(), Duration::ZERO);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            assert_eq!(batches.next_frame(&mut ours), market.next_frame(&mut theirs));
            assert_eq!(ours, theirs);
        }
    }

    /// The plain way: frames into lists by their time, each list through a map.
    #[test]
    fn batches_are_the_frames_of_their_time() {
        let mut market = SyntheticMarket::new(&config(7));
        let mut batches = Batches::new(market.clone(), EVERY);
        type List = (i64, BTreeMap<(bool, i64), LevelUpdate>);
        let mut lists: BTreeMap<i64, List> = BTreeMap::new();
        let (start_ns, mut updates) = (market.now_ns(), Vec::new());
        for _ in 0..5_000 {
            let time_ns = market.next_frame(&mut updates);
            let list = lists.entry((time_ns - start_ns) / 50_000_000).or_default();
            list.0 = time_ns;
            for &update in &updates {
                let ticks = update.price_ticks as i64;
                let place = if update.side == Side::Bid { (false, -ticks) } else { (true, ticks) };
                list.1.insert(place, update);
            }
        }
        // The last may go on.
        lists.pop_last();
        assert!(lists.len() > 300);
        for (time_ns, list) in lists.into_values() {
            assert_eq!(batches.next_frame(&mut updates), time_ns);
            assert!(updates.iter().eq(list.values()));
        }
    }

    #[test]
    fn the_pace_is_the_venues_and_unknown_levels_are_removed() {
        for seed in [7, 11] {
            let mut market = Batches::new(SyntheticMarket::new(&config(seed)), EVERY);
            let mut updates = Vec::new();
            market.market.snapshot(&mut updates);
            let place = |update: &LevelUpdate| (update.side == Side::Bid, update.price_ticks);
            let mut known: HashSet<_> = updates.iter().map(place).collect();
            let (start_ns, mut time_ns, mut levels, mut unknown) = (market.start_ns, 0, 0, 0);
            const FRAMES: usize = 2_000;
            for _ in 0..FRAMES {
                time_ns = market.next_frame(&mut updates);
                levels += updates.len();
                for update in &updates {
                    if update.size_lots > 0 {
                        known.insert(place(update));
                    } else if !known.remove(&place(update)) {
                        unknown += 1;
                    }
                }
            }
            let per_s = FRAMES as f64 * 1e9 / (time_ns - start_ns) as f64;
            assert!((17.0..=20.0).contains(&per_s), "{per_s} frames a second");
            let (levels, unknown) = (levels as f64, f64::from(unknown));
            assert!((0.02..0.15).contains(&(unknown / levels)), "{unknown} of {levels} levels");
            assert!((30.0..100.0).contains(&(levels / FRAMES as f64)), "{levels} levels");
        }
    }

    #[test]
    fn a_clock_at_its_end_ends_a_batch() {
        let config = MarketConfig { start_ns: i64::MAX, ..config(7) };
        let mut batches = Batches::new(SyntheticMarket::new(&config), EVERY);
        let mut updates = Vec::new();
        assert_eq!(batches.next_frame(&mut updates), i64::MAX);
        assert!(!updates.is_empty());
    }
}
