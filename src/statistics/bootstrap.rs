//! Intervals for what rows that overlap in time say: the moving-block bootstrap (Künsch 1989), with blocks of time.
//!
//! Labels of neighbouring rows look at the same stretch of the future, so that rows are no independent samples. Blocks of
//! time, much longer than the horizon, nearly are. Time is divided into cells, a tenth of a block each; a block is ten
//! successive cells from any cell on, and a resample as many blocks, drawn with replacement, as cover the rows' time.
//!
//! ```
//! use papertrader::statistics::bootstrap::{BootstrapSettings, Cells, interval, resample};
//!
//! // A row a second; every fourth went up.
//! let up = |second: usize| f64::from(u8::from(second % 4 == 0));
//! let rows = (0..1_000).map(|second| (0, second * 1_000_000_000));
//! let cells = Cells::new(rows, 10.0);
//! assert_eq!(cells.blocks(), 100);
//!
//! let settings = BootstrapSettings { block_s: 10.0, replicates: 200, seed: 1 };
//! let shares = resample(&cells, settings, 2, |times| {
//!     let sum: f64 = times.iter().enumerate().map(|(second, &times)| f64::from(times) * up(second)).sum();
//!     sum / times.iter().sum::<u32>() as f64
//! });
//! let share = interval(shares).expect("every resample has rows");
//! assert!(share.low < 0.25 && 0.25 < share.high);
//! ```

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Cells in a block.
const CELLS_PER_BLOCK: usize = 10;
/// Beyond so many cells a block has two of them: the sums per cell then take a bounded amount of memory for any day.
const FINE_CELLS_MAX: usize = 50_000;
/// Fewer blocks than this give no interval.
pub const BLOCKS_MIN: usize = 5;

/// What is drawn how often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BootstrapSettings {
    /// Length of a block in seconds.
    pub block_s: f64,
    /// Resamples.
    pub replicates: u32,
    /// Decides which.
    pub seed: u64,
}

/// Rows by cells of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    /// Each row's cell.
    pub of_row: Vec<u32>,
    /// Cells in all, those without rows included.
    pub count: usize,
    /// Cells in a block.
    pub per_block: usize,
}

impl Cells {
    /// Puts rows, given as (capture, receive time in ns) in order, into cells. Time between captures does not count, and
    /// within a capture no hole counts as longer than a block.
    pub fn new(rows: impl Iterator<Item = (u32, i64)> + Clone, block_s: f64) -> Self {
        let fine = Self::with(rows.clone(), block_s, CELLS_PER_BLOCK);
        if fine.count <= FINE_CELLS_MAX { fine } else { Self::with(rows, block_s, 2) }
    }

    fn with(rows: impl Iterator<Item = (u32, i64)>, block_s: f64, per_block: usize) -> Self {
        let cell_ns = (block_s * 1e9 / per_block as f64).max(1.0);
        let mut of_row = Vec::new();
        // The cell in hand, its capture, and its number in that capture.
        let mut current: Option<(u32, u32, i64)> = None;
        let mut start_ns = 0;
        for (capture, ts_recv_ns) in rows {
            let (cell, number) = match current {
                Some((cell, same, before)) if same == capture => {
                    // Receive times do not go back, or a row joins the cell in hand.
                    let number = ((ts_recv_ns.saturating_sub(start_ns) as f64 / cell_ns) as i64).max(before);
                    (cell + (number - before).min(per_block as i64) as u32, number)
                }
                other => {
                    start_ns = ts_recv_ns;
                    (other.map_or(0, |(cell, ..)| cell + 1), 0)
                }
            };
            current = Some((cell, capture, number));
            of_row.push(cell);
        }
        Self { count: current.map_or(0, |(cell, ..)| cell as usize + 1), of_row, per_block }
    }

    /// How many whole blocks the rows cover, side by side.
    pub fn blocks(&self) -> usize {
        self.count / self.per_block
    }

    /// How often each cell is in a resample.
    pub fn draw(&self, seed: u64, replicate: u32) -> Vec<u32> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ (u64::from(replicate) << 32 | 0x0b00_7057));
        let mut times = vec![0; self.count];
        let starts = (self.count + 1).saturating_sub(self.per_block).max(1) as u64;
        for _ in 0..self.count.div_ceil(self.per_block) {
            // Uniform in 0..starts, with a bias below starts / 2^64.
            let start = ((u128::from(random.next_u64()) * u128::from(starts)) >> 64) as usize;
            let end = (start + self.per_block).min(self.count);
            times[start..end].iter_mut().for_each(|times| *times += 1);
        }
        times
    }
}

/// 95 % of the resamples lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The 2.5th percentile.
    pub low: f64,
    /// The 97.5th percentile.
    pub high: f64,
}

/// The interval of a figure's resamples; `None` where fewer than half have the figure.
pub fn interval(mut resampled: Vec<f64>) -> Option<Interval> {
    let drawn = resampled.len();
    resampled.retain(|value| value.is_finite());
    if resampled.is_empty() || resampled.len() * 2 < drawn {
        return None;
    }
    resampled.sort_by(f64::total_cmp);
    // Nearest rank.
    let at = |share: f64| resampled[((share * resampled.len() as f64).ceil() as usize).clamp(1, resampled.len()) - 1];
    Some(Interval { low: at(0.025), high: at(0.975) })
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
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<T>>> = (0..settings.replicates).map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(place) = results.get(at) else { break };
                    let computed = compute(&cells.draw(settings.seed, at as u32));
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

    fn seconds(at: &[(u32, f64)]) -> impl Iterator<Item = (u32, i64)> + Clone {
        at.iter().map(|&(capture, s)| (capture, (s * 1e9) as i64)).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn rows_fall_into_cells_of_time() {
        let rows = [(0, 5.0), (0, 5.9), (0, 6.1), (0, 9.0), (0, 8.0), (0, 5000.0), (1, 7.0), (1, 8.5)];
        let cells = Cells::new(seconds(&rows), 10.0);
        assert_eq!(cells.of_row, [0, 0, 1, 4, 4, 14, 15, 16]);
        assert_eq!((cells.count, cells.per_block, cells.blocks()), (17, 10, 1));
    }

    #[test]
    fn resamples_are_blocks_and_the_same_for_a_seed() {
        let rows: Vec<(u32, f64)> = (0..1000).map(|row| (0, f64::from(row) * 0.1)).collect();
        let cells = Cells::new(seconds(&rows), 10.0);
        assert_eq!(cells.blocks(), 10);
        let times = cells.draw(7, 3);
        assert_eq!(times, cells.draw(7, 3));
        assert_ne!(times, cells.draw(7, 4));
        assert_ne!(times, cells.draw(8, 3));
        assert_eq!(times.iter().sum::<u32>(), 100);
        let settings = BootstrapSettings { block_s: 10.0, replicates: 50, seed: 7 };
        let by = |threads| resample(&cells, settings, threads, <[u32]>::to_vec);
        assert_eq!(by(1), by(3));
        assert_eq!(by(1)[3], times);
    }

    #[test]
    fn too_little_time_gives_nothing() {
        let rows: Vec<(u32, f64)> = (0..490).map(|row| (0, f64::from(row) * 0.1)).collect();
        let cells = Cells::new(seconds(&rows), 10.0);
        let settings = BootstrapSettings { block_s: 10.0, replicates: 50, seed: 7 };
        assert!(resample(&cells, settings, 1, |_| ()).is_empty());
        assert_eq!(Cells::new(seconds(&[]), 10.0).count, 0);
    }

    #[test]
    fn intervals_are_percentiles() {
        let values: Vec<f64> = (1..=1000).rev().map(f64::from).collect();
        assert_eq!(interval(values), Some(Interval { low: 25.0, high: 975.0 }));
        assert_eq!(interval(vec![f64::NAN, f64::NAN, 1.0]), None);
        assert_eq!(interval(Vec::new()), None);
    }

    /// The mean of overlapping sums: the blocks' interval covers the truth as often as it should, single rows' would not.
    #[test]
    fn the_interval_of_overlapping_rows_is_wide_enough() {
        let settings = BootstrapSettings { block_s: 10.0, replicates: 200, seed: 5 };
        let mut covered = 0;
        for world in 0..60 {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(world);
            let mut unit = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
            // A row per 0.1 s that averages 20 draws, as labels over 20 updates do.
            let draws: Vec<f64> = (0..2020).map(|_| unit()).collect();
            let rows: Vec<f64> = draws.windows(20).map(|window| window.iter().sum()).collect();
            let times: Vec<(u32, f64)> = (0..rows.len()).map(|row| (0, row as f64 * 0.1)).collect();
            let cells = Cells::new(seconds(&times), 10.0);
            let means = resample(&cells, settings, 1, |times| {
                let (mut sum, mut count) = (0.0, 0.0);
                for (row, cell) in rows.iter().zip(&cells.of_row) {
                    sum += row * f64::from(times[*cell as usize]);
                    count += f64::from(times[*cell as usize]);
                }
                sum / count
            });
            let Interval { low, high } = interval(means).unwrap();
            covered += u32::from(low <= 0.0 && 0.0 <= high);
        }
        assert!((50..=60).contains(&covered), "{covered} of 60");
    }
}
