//! Intervals for what rows that overlap in time say: the circular block bootstrap (Politis and Romano 1992) with Student's t.
//!
//! A resample draws blocks of successive [cells of time](super::blocks), from any cell on and round the end, with
//! replacement, until it has as many cells as there are; the last block is cut. The figure is computed on each resample. Its
//! 95 % interval is, with b blocks side by side,
//!
//! > figure ± t(b − 1) · √(b ÷ (b − 1)) · standard deviation of the resamples,
//!
//! where t is Student's 97.5 % quantile. The root makes up for blocks being drawn around their own mean, t for the deviation
//! being known from b blocks only. This takes nothing but the figure on a resample, and holds for ratios of sums, shares,
//! areas under the curve and losses alike. Fewer than [`BLOCKS_MIN`] blocks give no interval.
//!
//! ```
//! use papertrader::statistics::blocks::Cells;
//! use papertrader::statistics::bootstrap::{BootstrapSettings, interval, resample};
//!
//! // A row a second; every fourth went up.
//! let up = |second: usize| f64::from(u8::from(second % 4 == 0));
//! let rows = (0..1_000).map(|second| (0, second * 1_000_000_000));
//! let cells = Cells::new(rows, 10.0);
//! assert_eq!(cells.blocks(), 100);
//!
//! let settings = BootstrapSettings { block_s: None, replicates: 200, seed: 1 };
//! let shares = resample(&cells, settings, 2, |times| {
//!     let sum: f64 = times.iter().enumerate().map(|(second, &times)| f64::from(times) * up(second)).sum();
//!     sum / times.iter().sum::<u32>() as f64
//! });
//! let share = interval(0.25, shares, cells.blocks()).expect("every resample has rows");
//! assert!(share.low < 0.25 && 0.25 < share.high);
//! ```

use super::blocks::{BLOCKS_MIN, Cells};
use super::students_t::two_sided_95;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// What is drawn how often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BootstrapSettings {
    /// Length of a block in seconds; `None` to choose it by what rows look ahead and by their dependence.
    pub block_s: Option<f64>,
    /// Resamples.
    pub replicates: u32,
    /// Decides which.
    pub seed: u64,
}

/// How often each cell is in a resample.
pub fn draw(cells: &Cells, seed: u64, replicate: u32) -> Vec<u32> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ (u64::from(replicate) << 32 | 0x0b00_7057));
    let mut times = vec![0; cells.count];
    let mut missing = cells.count;
    while missing > 0 {
        // Uniform in 0..count, with a bias below count / 2^64.
        let start = ((u128::from(random.next_u64()) * cells.count as u128) >> 64) as usize;
        let length = cells.per_block.clamp(1, missing);
        let end = start + length;
        times[start..end.min(cells.count)].iter_mut().for_each(|times| *times += 1);
        times[..end.saturating_sub(cells.count)].iter_mut().for_each(|times| *times += 1);
        missing -= length;
    }
    times
}

/// Where the true figure lies, in 95 % of cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Without what no figure of its kind can be.
    #[must_use]
    pub fn within(self, (least, greatest): (f64, f64)) -> Self {
        Self { low: self.low.max(least), high: self.high.min(greatest) }
    }
}

/// The interval of a figure by its resamples and by the number of blocks that have something of it; `None` where there is no
/// figure, where fewer than half of the resamples have it, and below [`BLOCKS_MIN`] blocks.
pub fn interval(figure: f64, mut resampled: Vec<f64>, blocks: usize) -> Option<Interval> {
    let drawn = resampled.len();
    resampled.retain(|value| value.is_finite());
    if !figure.is_finite() || blocks < BLOCKS_MIN || resampled.len() < 2 || resampled.len() * 2 < drawn {
        return None;
    }
    let count = resampled.len() as f64;
    let mean = resampled.iter().sum::<f64>() / count;
    let squares: f64 = resampled.iter().map(|value| (value - mean) * (value - mean)).sum();
    let deviation = (squares / (count - 1.0)).sqrt();
    let freedom = u32::try_from(blocks - 1).unwrap_or(u32::MAX);
    let half = two_sided_95(freedom) * (blocks as f64 / f64::from(freedom)).sqrt() * deviation;
    half.is_finite().then_some(Interval { low: figure - half, high: figure + half })
}

/// Computes something for every resample, on up to `threads` threads; the order is that of the replicates. Empty where
/// there are too few blocks.
pub fn resample<T: Send>(
    cells: &Cells,
    settings: BootstrapSettings,
    threads: usize,
    compute: impl Fn(&[u32]) -> T + Sync,
) -> Vec<T> {
    if cells.blocks() < BLOCKS_MIN {
        return Vec::new();
    }
    if threads <= 1 {
        return (0..settings.replicates).map(|at| compute(&draw(cells, settings.seed, at))).collect();
    }
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<T>>> = (0..settings.replicates).map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(place) = results.get(at) else { break };
                    let computed = compute(&draw(cells, settings.seed, at as u32));
                    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(computed);
                }
            });
        }
    });
    let taken = results.into_iter().map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner));
    taken.map(|result| result.expect("every replicate has been computed")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u32) -> Cells {
        Cells::new((0..count).map(|row| (0, i64::from(row) * 1_000_000_000)), 10.0)
    }

    #[test]
    fn resamples_are_blocks_and_the_same_for_a_seed() {
        let cells = seconds(205);
        assert_eq!(cells.blocks(), 20);
        let times = draw(&cells, 7, 3);
        assert_eq!(times, draw(&cells, 7, 3));
        assert_ne!(times, draw(&cells, 7, 4));
        assert_ne!(times, draw(&cells, 8, 3));
        assert_eq!(times.iter().sum::<u32>(), 205);
        let settings = BootstrapSettings { block_s: None, replicates: 50, seed: 7 };
        let by = |threads| resample(&cells, settings, threads, <[u32]>::to_vec);
        assert_eq!(by(1), by(3));
        assert_eq!(by(1)[3], times);
    }

    /// A block that begins near the end goes on at the beginning: no cell is drawn more rarely than another.
    #[test]
    fn resamples_go_round() {
        let cells = seconds(200);
        let drawn = (0..2_000).map(|replicate| draw(&cells, 1, replicate));
        let often =
            drawn.fold(vec![0; 200], |sum: Vec<u32>, times| sum.iter().zip(times).map(|(a, b)| a + b).collect());
        assert!(often.iter().all(|times| (1_800..2_200).contains(times)), "{often:?}");
    }

    #[test]
    fn too_little_time_gives_nothing() {
        let settings = BootstrapSettings { block_s: None, replicates: 50, seed: 7 };
        assert!(resample(&seconds(199), settings, 1, |_| ()).is_empty());
        assert_eq!(resample(&seconds(200), settings, 1, |_| ()).len(), 50);
        assert!(draw(&seconds(0), 1, 1).is_empty());
    }

    #[test]
    fn intervals_by_hand() {
        // Deviation 1, t(19) = 2.093, and the root of 20 ÷ 19.
        let resampled = vec![1.0, 2.0, 3.0, f64::NAN];
        let half = 2.093_024_054_408_263 * (20.0_f64 / 19.0).sqrt();
        let Interval { low, high } = interval(5.0, resampled.clone(), 20).unwrap();
        assert!((low - (5.0 - half)).abs() < 1e-12 && (high - (5.0 + half)).abs() < 1e-12, "{low} to {high}");
        assert_eq!(interval(5.0, resampled.clone(), 19), None);
        assert_eq!(interval(f64::NAN, resampled, 20), None);
        assert_eq!(interval(5.0, vec![f64::NAN, f64::NAN, f64::NAN, 1.0, 2.0], 20), None);
        assert_eq!(interval(5.0, Vec::new(), 20), None);
        assert_eq!(Interval { low: -0.5, high: 1.5 }.within((0.0, 1.0)), Interval { low: 0.0, high: 1.0 });
    }
}
