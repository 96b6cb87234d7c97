//! How often the best of as many settings earns as much as the best one here when each of them earns nothing on average.
//!
//! - White (Econometrica 2000), "A reality check for data snooping": the greatest √n · mean over the settings.
//! - Hansen (Journal of Business & Economic Statistics 2005), "A test for superior predictive ability": the greatest t, that is
//!   √n · mean ÷ ω, not below 0; settings with much spread do not drown the others. Settings that are far below 0 say nothing
//!   of the best one: of three ways to centre them, Hansen's consistent one counts those whose t is at least −√(2 ln ln n).
//!
//! Both are set against n slices drawn again and again by the stationary bootstrap (Politis and Romano, JASA 1994), all settings
//! at once, so that their dependence is kept: blocks of successive slices of random length, geometric with mean 1 ÷ q, round the
//! end. ω² is the variance of √n · mean under that same bootstrap, which is known without drawing: R(0) + 2 Σ (1 − i ÷ n)
//! (1 − q)^i R(i) over the circular autocovariances R.
//!
//! The mean length of a block is twice as long as the rule of Politis and White (2004; corrected 2009) asks for, as everywhere in
//! this program ([`blocks`](super::super::blocks)), by the best setting or the median one, whichever asks for more.
//! A p is (1 + resamples that reach the figure) ÷ (1 + resamples).
//!
//! Resamples are drawn around the mean of the slices at hand and vary less than means do: by the share
//! K = (1 + 2 Σ (1 − i ÷ n) (1 − q)^i) ÷ n of the variance. With 60 slices in blocks of six it is a fifth. What a resample
//! deviates by, and ω, is made larger by √(1 ÷ (1 − K)), which the papers leave out.
//!
//! ```
//! use papertrader::statistics::overfitting::Returns;
//! use papertrader::statistics::overfitting::reality_check::{RealityCheck, Resampling};
//!
//! // Two settings that win and lose by turns.
//! let values: Vec<f64> = (0..40).flat_map(|slice| [f64::from(slice % 3 - 1), f64::from(slice % 5 - 2)]).collect();
//! let check = RealityCheck::of(&Returns::new(&values, 2)?, Resampling { replicates: 500, seed: 7 }, 2).expect("40 slices");
//! assert!(check.white > 0.2 && check.spa.consistent > 0.2);
//! # Ok::<(), papertrader::statistics::overfitting::ReturnsError>(())
//! ```

use super::sharpe::Moments;
use super::{Returns, SLICES_MIN, best_of};
use crate::statistics::blocks::dependence_cells;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// How much longer blocks are than the rule of Politis and White asks for.
const LENGTHENED: f64 = 2.0;
/// A block is at most this share of all slices on average.
const BLOCK_SHARE_MAX: f64 = 0.1;
/// Profits that are added up in all resamples together, at most, as far as [`REPLICATES_MIN`] are left.
const ADDITIONS_MAX: u64 = 10_000_000_000;
/// No large sweep has fewer resamples than this, if as many were asked for.
pub const REPLICATES_MIN: u32 = 500;
/// Weights of autocovariances below this are left out.
const WEIGHT_MIN: f64 = 1e-12;

/// What is drawn how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resampling {
    /// Resamples, at least 1.
    pub replicates: u32,
    /// Decides which.
    pub seed: u64,
}

/// The probabilities of Hansen's test by how settings are centred.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuperiorAbility {
    /// The greatest t, not below 0.
    pub statistic: f64,
    /// With every loss taken as what that setting truly earns: the lower bound.
    pub lower: f64,
    /// Hansen's consistent one.
    pub consistent: f64,
    /// With every setting at 0: the upper bound.
    pub upper: f64,
}

/// The best setting against the best of resamples in which none earns anything on average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealityCheck {
    /// How many resamples were drawn.
    pub replicates: u32,
    /// What decided which.
    pub seed: u64,
    /// The mean length of a block, slices; at least 1.
    pub block_slices: f64,
    /// The greatest √n · mean, in the unit of the profits.
    pub statistic: f64,
    /// White's p.
    pub white: f64,
    /// Hansen's.
    pub spa: SuperiorAbility,
}

impl RealityCheck {
    /// Of a sweep, on up to `threads` threads, on whose number nothing depends; `None` where no setting traded, below
    /// [`SLICES_MIN`] slices, and without resamples. Where the work would be too much there are fewer resamples, down to
    /// [`REPLICATES_MIN`].
    pub fn of(returns: &Returns<'_>, resampling: Resampling, threads: usize) -> Option<Self> {
        let (slices, moments) = (returns.slices(), returns.moments());
        let best = best_of(&moments)?;
        let block_slices = block_slices(returns, &moments, best);
        let each = returns.settings() as u64 * slices as u64;
        let affordable = u32::try_from(ADDITIONS_MAX / each.max(1)).unwrap_or(u32::MAX).max(REPLICATES_MIN);
        let replicates = resampling.replicates.min(affordable);
        (slices >= SLICES_MIN && replicates > 0).then(|| {
            let resampling = Resampling { replicates, ..resampling };
            Self::with_blocks(returns, &moments, resampling, block_slices, threads)
        })
    }

    fn with_blocks(
        returns: &Returns<'_>,
        moments: &[Moments],
        resampling: Resampling,
        block_slices: f64,
        threads: usize,
    ) -> Self {
        let Resampling { replicates, seed } = resampling;
        let root = (returns.slices() as f64).sqrt();
        let widened = (1.0 / (1.0 - share_missed(returns.slices(), block_slices))).sqrt();
        let settings: Vec<Setting> = (0..returns.settings())
            .map(|setting| Setting::of(returns, setting, moments[setting], (block_slices, widened)))
            .collect();
        let statistic = greatest(settings.iter().map(|setting| root * setting.mean));
        let spa_statistic = greatest(settings.iter().map(|setting| setting.t)).max(0.0);
        let figures = [statistic, spa_statistic, spa_statistic, spa_statistic];
        let reaches = |replicate| {
            let means = resampled_means(returns, block_slices, seed, replicate);
            let mut most = [f64::NEG_INFINITY, 0.0, 0.0, 0.0];
            for (setting, mean) in settings.iter().zip(means) {
                let deviation = widened * (mean - setting.mean);
                most[0] = most[0].max(root * deviation);
                for (most, kept) in most[1..].iter_mut().zip(setting.kept) {
                    *most = most.max((deviation + kept) * setting.per_mean);
                }
            }
            [0, 1, 2, 3].map(|test| most[test] >= figures[test])
        };
        // What is counted is the same in whatever order.
        let (next, reached) = (AtomicU32::new(0), [const { AtomicU32::new(0) }; 4]);
        thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    loop {
                        let replicate = next.fetch_add(1, Ordering::Relaxed);
                        if replicate >= replicates {
                            break;
                        }
                        for (reached, reaches) in reached.iter().zip(reaches(replicate)) {
                            reached.fetch_add(u32::from(reaches), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let [white, lower, consistent, upper] =
            reached.map(|reached| (1.0 + f64::from(reached.into_inner())) / (1.0 + f64::from(replicates)));
        let spa = SuperiorAbility { statistic: spa_statistic, lower, consistent, upper };
        Self { replicates, seed, block_slices, statistic, white, spa }
    }
}

fn greatest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NEG_INFINITY, f64::max)
}

/// What the tests need of a setting.
struct Setting {
    mean: f64,
    /// √n · mean ÷ ω; 0 where nothing varies.
    t: f64,
    /// √n ÷ ω; 0 where nothing varies.
    per_mean: f64,
    /// What its resampled means keep of its mean: lower, consistent, upper.
    kept: [f64; 3],
}

impl Setting {
    fn of(returns: &Returns<'_>, setting: usize, moments: Moments, (block_slices, widened): (f64, f64)) -> Self {
        let slices = returns.slices() as f64;
        let values: Vec<f64> = returns.of_setting(setting).map(|value| value - moments.mean).collect();
        let variance = if moments.deviation > 0.0 { variance_of_mean(&values, block_slices) } else { 0.0 };
        let per_mean = if variance > 0.0 { (slices / variance).sqrt() / widened } else { 0.0 };
        let (mean, t) = (moments.mean, moments.mean * per_mean);
        let threshold = -(2.0 * libm::log(libm::log(slices))).sqrt();
        let kept = if t >= threshold { 0.0 } else { mean };
        Self { mean, t, per_mean, kept: [mean.min(0.0), kept, 0.0] }
    }
}

/// ω²: the variance of √n · mean of resamples of values whose mean is 0.
fn variance_of_mean(values: &[f64], block_slices: f64) -> f64 {
    let count = values.len();
    let covariance = |lag: usize| {
        let round = values[lag..].iter().chain(&values[..lag]);
        values.iter().zip(round).map(|(a, b)| a * b).sum::<f64>() / count as f64
    };
    let further = weights(count, block_slices).map(|(lag, weight)| 2.0 * weight * covariance(lag));
    covariance(0) + further.sum::<f64>()
}

/// Lags from 1 on and how much of the autocovariance there is in a resample, once: (1 − lag ÷ n) (1 − q)^lag.
fn weights(slices: usize, block_slices: f64) -> impl Iterator<Item = (usize, f64)> {
    let goes_on = 1.0 - 1.0 / block_slices;
    let powers = std::iter::successors(Some(goes_on), move |power| Some(power * goes_on));
    let lags = (1..slices).zip(powers).take_while(|(_, power)| *power >= WEIGHT_MIN);
    lags.map(move |(lag, power)| (lag, (1.0 - lag as f64 / slices as f64) * power))
}

/// K: the share of the variance that resamples do not have.
fn share_missed(slices: usize, block_slices: f64) -> f64 {
    let further: f64 = weights(slices, block_slices).map(|(_, weight)| weight).sum();
    (1.0 + 2.0 * further) / slices as f64
}

/// The mean length of a block, slices.
fn block_slices(returns: &Returns<'_>, moments: &[Moments], best: usize) -> f64 {
    // The rule for the circular bootstrap and that for the stationary one have the same numerator; D is 4/3 R² and 2 R².
    let of = |setting| {
        let series: Vec<f64> = returns.of_setting(setting).collect();
        LENGTHENED * dependence_cells(&series) * libm::cbrt(2.0 / 3.0)
    };
    let traded = (0..returns.settings()).filter(|&setting| moments[setting].deviation > 0.0);
    let mut lengths: Vec<f64> = traded.map(of).collect();
    lengths.sort_unstable_by(f64::total_cmp);
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0.0);
    median.max(of(best)).min(BLOCK_SHARE_MAX * returns.slices() as f64).max(1.0)
}

/// How often each slice is in a resample of the stationary bootstrap.
fn draw(slices: usize, block_slices: f64, seed: u64, replicate: u32) -> Vec<u32> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ (u64::from(replicate) << 32 | 0x57a7_b007));
    let mut times = vec![0; slices];
    let ends = 1.0 / block_slices;
    let mut at = slices;
    for _ in 0..slices {
        let is_new = at == slices || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 <= ends;
        at = if is_new {
            // Uniform in 0..slices, with a bias below slices / 2^64.
            ((u128::from(random.next_u64()) * slices as u128) >> 64) as usize
        } else {
            (at + 1) % slices
        };
        times[at] += 1;
    }
    times
}

/// Every setting's mean on a resample.
fn resampled_means(returns: &Returns<'_>, block_slices: f64, seed: u64, replicate: u32) -> Vec<f64> {
    let slices = returns.slices();
    let mut sums = vec![0.0; returns.settings()];
    let times = draw(slices, block_slices, seed, replicate);
    for (row, &times) in returns.rows().zip(&times).filter(|(_, times)| **times > 0) {
        let times = f64::from(times);
        sums.iter_mut().zip(row).for_each(|(sum, profit)| *sum += times * profit);
    }
    sums.iter_mut().for_each(|sum| *sum /= slices as f64);
    sums
}
