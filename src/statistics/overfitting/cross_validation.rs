//! The probability of backtest overfitting: how often the setting that is best on one half of the time is below the median on
//! the other.
//!
//! Combinatorially symmetric cross-validation: Bailey, Borwein, López de Prado and Zhu (Journal of Computational Finance 2016),
//! "The probability of backtest overfitting". The slices are cut into S successive blocks of equal length; each of the
//! C(S, S ÷ 2) choices of half of the blocks is in sample once, the rest out of sample. The setting with the greatest Sharpe
//! ratio in sample has the rank r of N out of sample, from 1 for the worst, the relative rank ω = r ÷ (N + 1), and the logit
//! ln(ω ÷ (1 − ω)). The probability is the share of logits below 0.
//!
//! What is tied: out of sample a rank is the mean of those that equal ratios share; where several are best in sample, their
//! relative ranks are averaged; a logit of 0 counts half. A setting that earned nothing in a half has the ratio 0 there; one
//! that never traded is no candidate and left out.
//! Where the number of slices is no multiple of S, blocks differ by one slice.
//!
//! ```
//! use papertrader::statistics::overfitting::Returns;
//! use papertrader::statistics::overfitting::cross_validation::CrossValidation;
//!
//! // Each of two settings earns in one half of the time what it loses in the other.
//! let values: Vec<f64> = (0..64).flat_map(|slice| if slice < 32 { [1.0, -1.0] } else { [-1.0, 1.0] }).collect();
//! let found = CrossValidation::of(&Returns::new(&values, 2)?).expect("two settings, 64 slices");
//! assert_eq!((found.blocks, found.splits), (16, 12_870));
//! assert!(found.probability > 0.75);
//! # Ok::<(), papertrader::statistics::overfitting::ReturnsError>(())
//! ```

use super::Returns;
use serde::{Deserialize, Serialize};

/// At most so many blocks: 12,870 splits.
pub const BLOCKS_MAX: usize = 16;
/// Fewer blocks, 70 splits, say nothing.
pub const BLOCKS_MIN: usize = 8;
/// A block has at least so many slices.
const SLICES_PER_BLOCK_MIN: usize = 2;
/// Sums of blocks that are added up in all splits together, at most.
const ADDITIONS_MAX: u64 = 2_000_000_000;
/// A variance below this share of the mean square is rounding.
const ROUNDING: f64 = 1e-12;

/// What the splits say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    /// S, even.
    pub blocks: usize,
    /// C(S, S ÷ 2).
    pub splits: usize,
    /// The probability of backtest overfitting.
    pub probability: f64,
    /// The share of splits in which the best setting in sample lost money out of sample.
    pub loss_probability: f64,
    /// The median of the logits, the lower of two in the middle.
    pub median_logit: f64,
    /// The logit of each split, by the blocks in sample as a number in binary, the first block its lowest digit: first with
    /// that block in sample, in ascending order, each followed by its opposite.
    #[serde(skip)]
    pub logits: Vec<f64>,
}

/// Count, sum and sum of squares of profits.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    sum: f64,
    squares: f64,
}

impl Sums {
    /// The Sharpe ratio of `count` slices: 0 for no profit, infinite for the same profit in each.
    fn sharpe(self, count: f64) -> f64 {
        let scatter = self.squares - self.sum * self.sum / count;
        if self.sum == 0.0 {
            return 0.0;
        }
        if scatter <= ROUNDING * self.squares {
            return f64::INFINITY.copysign(self.sum);
        }
        self.sum / count / (scatter / (count - 1.0)).sqrt()
    }
}

/// C(blocks, blocks ÷ 2).
fn splits(blocks: usize) -> u64 {
    (1..=blocks as u64 / 2).fold(1, |product, at| product * (blocks as u64 / 2 + at) / at)
}

/// As many blocks as the slices and the work allow; `None` below [`BLOCKS_MIN`].
fn blocks_for(slices: usize, settings: usize) -> Option<usize> {
    let fits = |blocks: &usize| {
        let additions = splits(*blocks).saturating_mul(*blocks as u64).saturating_mul(settings as u64);
        blocks * SLICES_PER_BLOCK_MIN <= slices && additions <= ADDITIONS_MAX
    };
    (BLOCKS_MIN..=BLOCKS_MAX).rev().filter(|blocks| blocks.is_multiple_of(2)).find(fits)
}

impl CrossValidation {
    /// Of a sweep; `None` of fewer than two settings that traded, of fewer than 16 slices, and of more than 3.5 million settings.
    pub fn of(returns: &Returns<'_>) -> Option<Self> {
        Self::with_blocks(returns, blocks_for(returns.slices(), returns.settings())?)
    }

    /// With so many blocks: even, from 2 to [`BLOCKS_MAX`], and no more than there are slices; `None` otherwise, and of fewer
    /// than two settings that traded.
    pub fn with_blocks(returns: &Returns<'_>, blocks: usize) -> Option<Self> {
        let slices = returns.slices();
        let mut traded = vec![false; returns.settings()];
        for row in returns.rows() {
            traded.iter_mut().zip(row).for_each(|(traded, profit)| *traded |= *profit != 0.0);
        }
        let settings = traded.iter().filter(|traded| **traded).count();
        let is_possible = (2..=BLOCKS_MAX).contains(&blocks) && blocks.is_multiple_of(2) && blocks <= slices;
        if !is_possible || settings < 2 {
            return None;
        }
        let mut counts = vec![0.0; blocks];
        let mut sums = vec![Sums::default(); blocks * settings];
        for (slice, row) in returns.rows().enumerate() {
            // The block whose balanced range holds the slice.
            let block = ((slice + 1) * blocks - 1) / slices;
            counts[block] += 1.0;
            let profits = row.iter().zip(&traded).filter(|(_, traded)| **traded).map(|(profit, _)| profit);
            for (sums, profit) in sums[block * settings..].iter_mut().zip(profits) {
                sums.sum += profit;
                sums.squares += profit * profit;
            }
        }
        let halves = |mask: u32| {
            let mut scores = [vec![Sums::default(); settings], vec![Sums::default(); settings]];
            let mut slices = [0.0; 2];
            for block in 0..blocks {
                let side = usize::from(mask >> block & 1 == 0);
                slices[side] += counts[block];
                for (sums, more) in scores[side].iter_mut().zip(&sums[block * settings..]) {
                    sums.sum += more.sum;
                    sums.squares += more.squares;
                }
            }
            let [first, second] = scores;
            [(first, slices[0]), (second, slices[1])]
        };
        let mut logits = Vec::with_capacity(splits(blocks) as usize);
        let mut losses = 0.0;
        let masks = (0..1_u32 << blocks).filter(|mask| mask.count_ones() as usize == blocks / 2 && mask & 1 == 1);
        for mask in masks {
            let [first, second] = halves(mask).map(|(sums, count)| Half::of(&sums, count));
            for (within, outside) in [(&first, &second), (&second, &first)] {
                let (relative_rank, lost) = outside.of_best(within);
                logits.push(libm::log(relative_rank / (1.0 - relative_rank)));
                losses += lost;
            }
        }
        let below: f64 = logits
            .iter()
            .map(|&logit| {
                if logit < 0.0 {
                    1.0
                } else if logit == 0.0 {
                    0.5
                } else {
                    0.0
                }
            })
            .sum();
        let mut sorted = logits.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let count = logits.len();
        Some(Self {
            blocks,
            splits: count,
            probability: below / count as f64,
            loss_probability: losses / count as f64,
            median_logit: sorted[(count - 1) / 2],
            logits,
        })
    }
}

/// Every setting on one half of the slices.
struct Half {
    sharpes: Vec<f64>,
    /// The greatest of them.
    best: f64,
    profits: Vec<f64>,
}

impl Half {
    fn of(sums: &[Sums], count: f64) -> Self {
        let sharpes: Vec<f64> = sums.iter().map(|sums| sums.sharpe(count)).collect();
        let best = sharpes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self { sharpes, best, profits: sums.iter().map(|sums| sums.sum).collect() }
    }

    /// The relative rank here, and the share that lost money here, of what is best on the other half.
    fn of_best(&self, other: &Self) -> (f64, f64) {
        let (mut ranks, mut losses, mut best) = (0.0, 0.0, 0.0);
        let winners = other.sharpes.iter().zip(self.sharpes.iter().zip(&self.profits));
        for (_, (&here, &profit)) in winners.filter(|&(&sharpe, _)| sharpe == other.best) {
            let count =
                |is: fn(&f64, &f64) -> bool| self.sharpes.iter().filter(|other| is(other, &here)).count() as f64;
            ranks += count(|other, here| other < here) + (count(|other, here| other == here) + 1.0) / 2.0;
            losses += f64::from(u8::from(profit < 0.0));
            best += 1.0;
        }
        (ranks / best / (self.sharpes.len() as f64 + 1.0), losses / best)
    }
}
