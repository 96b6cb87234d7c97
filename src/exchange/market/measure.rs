//! What a market looks like from outside, measured alike on synthetic frames and on recorded ones.

use super::LevelUpdate;
use crate::market::units::{Scale, Side};
use std::collections::BTreeMap;
use std::fmt;

/// Watches frames go by and keeps the book in ordered maps.
pub(super) struct Observer {
    scale: Scale,
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
    last_ns: Option<i64>,
    gaps_ns: Vec<f64>,
    updates: Vec<f64>,
    removals: u64,
    additions: u64,
    spreads: Vec<f64>,
    touch_sizes: Vec<f64>,
    level_gaps: Vec<f64>,
    /// After each frame: the sum of best bid and ask in ticks, and `imbalance_1`.
    tops: Vec<(u64, f64)>,
}

impl Observer {
    pub(super) fn new(scale: Scale, snapshot: &[LevelUpdate]) -> Self {
        let mut observer = Self {
            scale,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            last_ns: None,
            gaps_ns: Vec::new(),
            updates: Vec::new(),
            removals: 0,
            additions: 0,
            spreads: Vec::new(),
            touch_sizes: Vec::new(),
            level_gaps: Vec::new(),
            tops: Vec::new(),
        };
        observer.apply(snapshot);
        (observer.removals, observer.additions) = (0, 0);
        observer
    }

    fn apply(&mut self, updates: &[LevelUpdate]) {
        for update in updates {
            let book = if update.side == Side::Bid { &mut self.bids } else { &mut self.asks };
            if update.size_lots == 0 {
                self.removals += 1;
                book.remove(&update.price_ticks);
            } else if book.insert(update.price_ticks, update.size_lots).is_none() {
                self.additions += 1;
            }
        }
    }

    pub(super) fn frame(&mut self, time_ns: i64, updates: &[LevelUpdate]) {
        self.apply(updates);
        self.updates.push(updates.len() as f64);
        if let Some(last_ns) = self.last_ns.replace(time_ns) {
            self.gaps_ns.push((time_ns - last_ns) as f64);
        }
        let mut bids = self.bids.iter().rev();
        let mut asks = self.asks.iter();
        let ((&bid, &bid_lots), (&ask, &ask_lots)) = (bids.next().expect("bids"), asks.next().expect("asks"));
        let ticks = self.scale.ticks_per_unit();
        assert!(bid < ask, "crossed or locked: {bid} {ask}");
        self.spreads.push((ask - bid) as f64);
        let next = [bids.next().map(|(next, _)| bid - next), asks.next().map(|(next, _)| next - ask)];
        self.level_gaps.extend(next.into_iter().flatten().map(|gap| gap as f64 / ticks));
        let [bid_size, ask_size] = [bid_lots, ask_lots].map(|lots| lots as f64 / self.scale.lots_per_unit());
        self.touch_sizes.extend([bid_size, ask_size]);
        self.tops.push((bid + ask, (bid_size - ask_size) / (bid_size + ask_size)));
    }

    pub(super) fn book(&self) -> impl Iterator<Item = LevelUpdate> {
        let level = |side, (&price_ticks, &size_lots): (&u64, &u64)| LevelUpdate { side, price_ticks, size_lots };
        let bids = self.bids.iter().rev().map(move |entry| level(Side::Bid, entry));
        bids.chain(self.asks.iter().map(move |entry| level(Side::Ask, entry)))
    }

    pub(super) fn summary(mut self) -> Summary {
        let frames = self.tops.len();
        let moved = |pair: &[(u64, f64)]| pair[0].0 != pair[1].0;
        let moves = self.tops.windows(2).filter(|pair| moved(pair)).count();
        let half_ticks = 2.0 * self.scale.ticks_per_unit();
        let mut steps: Vec<_> = self
            .tops
            .windows(2)
            .filter(|pair| moved(pair))
            .map(|pair| pair[0].0.abs_diff(pair[1].0) as f64 / half_ticks)
            .collect();
        let updates: f64 = self.updates.iter().sum();
        let gap_mean = self.gaps_ns.iter().sum::<f64>() / self.gaps_ns.len() as f64;
        let gap_square = self.gaps_ns.iter().map(|gap| gap * gap).sum::<f64>() / self.gaps_ns.len() as f64;
        let (auc_20, ties_20) = self.auc(20);
        Summary {
            frames,
            levels: self.bids.len() + self.asks.len(),
            frames_per_s: 1e9 / gap_mean,
            gap_variation: (gap_square / (gap_mean * gap_mean) - 1.0).sqrt(),
            updates_mean: updates / frames as f64,
            updates: quantiles(&mut self.updates),
            removal_share: self.removals as f64 / updates,
            addition_share: self.additions as f64 / updates,
            one_tick_share: self.spreads.iter().filter(|&&spread| spread == 1.0).count() as f64 / frames as f64,
            move_share: moves as f64 / (frames - 1) as f64,
            step: quantiles(&mut steps),
            gap_mean: self.level_gaps.iter().sum::<f64>() / self.level_gaps.len() as f64,
            gap: quantiles(&mut self.level_gaps),
            touch_size: quantiles(&mut self.touch_sizes),
            auc_20,
            ties_20,
        }
    }

    /// How well `imbalance_1` ranks whether the mid is higher or lower `horizon` frames later: the area under the ROC
    /// curve over the frames where it is one of the two, and the share of those where it is neither.
    fn auc(&self, horizon: usize) -> (f64, f64) {
        let rows = self.tops.iter().zip(&self.tops[horizon..]);
        let mut rows: Vec<_> =
            rows.filter(|(now, then)| now.0 != then.0).map(|(now, then)| (now.1, then.0 > now.0)).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut rank_sum = 0.0;
        let mut below = 0;
        for equal in rows.chunk_by(|a, b| a.0 == b.0) {
            let rank = below as f64 + (equal.len() + 1) as f64 / 2.0;
            rank_sum += rank * equal.iter().filter(|row| row.1).count() as f64;
            below += equal.len();
        }
        let up = rows.iter().filter(|row| row.1).count() as f64;
        let down = rows.len() as f64 - up;
        let ties = 1.0 - rows.len() as f64 / (self.tops.len() - horizon) as f64;
        ((rank_sum - up * (up + 1.0) / 2.0) / (up * down), ties)
    }
}

/// Figures of a stretch of frames. Prices are in quote units, sizes in base units; three numbers are the quantiles at
/// 0.1, 0.5 and 0.9.
pub(super) struct Summary {
    pub frames: usize,
    pub levels: usize,
    pub frames_per_s: f64,
    pub gap_variation: f64,
    pub updates_mean: f64,
    pub updates: [f64; 3],
    pub removal_share: f64,
    pub addition_share: f64,
    pub one_tick_share: f64,
    pub move_share: f64,
    pub step: [f64; 3],
    pub gap_mean: f64,
    pub gap: [f64; 3],
    pub touch_size: [f64; 3],
    pub auc_20: f64,
    pub ties_20: f64,
}

fn quantiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [0.1, 0.5, 0.9].map(|share| values.get((values.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "frames {}, levels at the end {}", self.frames, self.levels)?;
        writeln!(f, "  frames/s {:.1}, variation of the gaps {:.2}", self.frames_per_s, self.gap_variation)?;
        writeln!(f, "  updates a frame: mean {:.1}, quantiles {:.0?}", self.updates_mean, self.updates)?;
        writeln!(f, "  removals {:.3}, new levels {:.3} of updates", self.removal_share, self.addition_share)?;
        writeln!(f, "  spread of one tick {:.4}, mid moves {:.4} of frames", self.one_tick_share, self.move_share)?;
        writeln!(f, "  step of the mid {:.3?}", self.step)?;
        writeln!(f, "  gap behind the best: mean {:.3}, quantiles {:.3?}", self.gap_mean, self.gap)?;
        writeln!(f, "  size at the best {:.4?}", self.touch_size)?;
        write!(f, "  AUC of imbalance_1 at 20 frames {:.3}, ties {:.3}", self.auc_20, self.ties_20)
    }
}
