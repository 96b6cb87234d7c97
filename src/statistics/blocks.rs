//! Blocks of time, long enough that neighbours hardly depend on each other.
//!
//! What overlaps in time is no independent sample: labels of neighbouring rows look at the same stretch of the future, trades
//! held at the same time meet the same market. Time is divided into cells, and so many successive cells are a block that
//!
//! - a block lasts ten times as long as half of the rows look ahead, and twice as long as all but a twentieth of them do:
//!   [`Reach::shortest_block_s`];
//! - it is twice as long as the dependence between cells asks for by the rule of Politis and White (2004), as corrected by
//!   Patton, Politis and White (2009): [`dependence_cells`]. Their length has the least mean squared error of the variance;
//!   twice as long halves its bias, which is what makes intervals too narrow;
//! - there are at most [`BLOCKS_MAX`] blocks. Longer ones also cover dependence that is too weak to be seen between single
//!   cells, at the price of an interval wider by 3 % (Ibragimov and Müller 2010 for few, long groups and Student's t).
//!
//! ```
//! use papertrader::statistics::blocks::{Cells, Reach};
//!
//! // A row per 0.1 s for a minute; each looks 0.1 s ahead.
//! let rows = (0..600).map(|row| (0, row * 100_000_000));
//! let reach = Reach::of(vec![0.1; 599]).expect("there are rows");
//! let cells = Cells::new(rows, reach.shortest_block_s());
//! assert_eq!((cells.count, cells.per_block, cells.blocks()), (600, 10, 60));
//! // Rows that do not depend on each other: nothing asks for longer blocks but the greatest number of them.
//! let series: Vec<f64> = (0..600).map(|row| f64::from(row * 7919 % 601) - 300.0).collect();
//! let cells = cells.chosen(&[series]);
//! assert_eq!((cells.per_block, cells.blocks()), (12, 50));
//! ```

/// Fewer blocks than this give no interval: no verdict.
pub const BLOCKS_MIN: usize = 20;
/// Blocks whose length is chosen are at most so many.
pub const BLOCKS_MAX: usize = 50;
/// Cells in a block of the shortest length.
const CELLS_PER_BLOCK: usize = 10;
/// Beyond so many cells they get longer: what is summed per cell takes a bounded amount of memory for any day.
const CELLS_MAX: usize = 50_000;
/// A block is at least so many horizons long.
pub const HORIZONS_PER_BLOCK: u64 = 10;
/// A block lasts at least so many times as long as half of the rows look ahead.
const MEDIANS: f64 = HORIZONS_PER_BLOCK as f64;
/// A block lasts at least so many times as long as all but a twentieth of the rows look ahead.
const NEARLY_ALL: f64 = 2.0;
/// No block is shorter, in seconds: rows that look no time ahead share a receive time with what they look at.
const BLOCK_S_MIN: f64 = 0.001;
/// By how much blocks are longer than the rule of Politis and White.
const LENGTHENED: f64 = 2.0;

/// How far rows look ahead, or how long trades are held, in seconds; nearest ranks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    /// Of half of them, at most.
    pub median_s: f64,
    /// Of all but a twentieth, at most.
    pub nearly_all_s: f64,
}

impl Reach {
    /// `None` for nothing.
    pub fn of(mut ahead_s: Vec<f64>) -> Option<Self> {
        ahead_s.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (share * ahead_s.len() as f64).ceil() as usize;
            ahead_s.get(rank.saturating_sub(1)).copied()
        };
        Some(Self { median_s: at(0.5)?, nearly_all_s: at(0.95)? })
    }

    /// The shortest block for it, in seconds.
    pub fn shortest_block_s(self) -> f64 {
        (MEDIANS * self.median_s).max(NEARLY_ALL * self.nearly_all_s).max(BLOCK_S_MIN)
    }
}

/// Rows by cells of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    /// Each row's cell.
    pub of_row: Vec<u32>,
    /// Cells in all, those without rows included.
    pub count: usize,
    /// Cells in a block; at least 1.
    pub per_block: usize,
    /// Length of a cell in seconds; 0 for cells of rows.
    pub cell_s: f64,
}

impl Cells {
    /// Cells of equally many rows each instead of equally long ones, and so many of them in a block, at least 1.
    pub fn of_rows(count: usize, per_block: usize) -> Self {
        Self { of_row: Vec::new(), count, per_block: per_block.max(1), cell_s: 0.0 }
    }

    /// Puts rows, given as (capture, receive time in ns) in order, into cells of a tenth of a block, longer ones where there
    /// would be more than 50,000. Time between captures does not count, and within a capture no hole counts as longer than
    /// `block_s`.
    pub fn new(rows: impl Iterator<Item = (u32, i64)> + Clone, block_s: f64) -> Self {
        let fine = Self::with(rows.clone(), block_s, 1);
        match fine.count.div_ceil(CELLS_MAX) {
            0 | 1 => fine,
            tenths => Self::with(rows, block_s, tenths),
        }
    }

    /// With cells of so many tenths of a block.
    fn with(rows: impl Iterator<Item = (u32, i64)>, block_s: f64, tenths: usize) -> Self {
        let cell_s = block_s / CELLS_PER_BLOCK as f64 * tenths as f64;
        let per_block = CELLS_PER_BLOCK.div_ceil(tenths);
        let cell_ns = (cell_s * 1e9).max(1.0);
        let mut of_row = Vec::new();
        // The cell in hand, its capture, and its number in that capture.
        let mut current: Option<(u32, u32, i64)> = None;
        let mut start_ns = 0;
        for (capture, ts_recv_ns) in rows {
            let (cell, number) = match current {
                Some((cell, same, before)) if same == capture => {
                    // Receive times do not go back, or a row joins the cell in hand.
                    let number = ((i128::from(ts_recv_ns) - i128::from(start_ns)) as f64 / cell_ns) as i64;
                    let number = number.max(before);
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
        Self { count: current.map_or(0, |(cell, ..)| cell as usize + 1), of_row, per_block, cell_s }
    }

    /// Length of a block in seconds.
    pub fn block_s(&self) -> f64 {
        self.cell_s * self.per_block as f64
    }

    /// How many whole blocks the rows cover, side by side.
    pub fn blocks(&self) -> usize {
        self.count / self.per_block.max(1)
    }

    /// How many of them have a cell with something in it.
    pub fn blocks_with(&self, has: impl Fn(usize) -> bool) -> usize {
        let blocks = (0..self.blocks()).map(|block| block * self.per_block..(block + 1) * self.per_block);
        blocks.filter(|cells| cells.clone().any(&has)).count()
    }

    /// Cells that a block must have for what the series, a value per cell each, show.
    pub fn needed(&self, series: &[Vec<f64>]) -> usize {
        let longest = series.iter().map(|series| dependence_cells(series)).fold(0.0, f64::max);
        self.per_block.max((LENGTHENED * longest).ceil() as usize)
    }

    /// Seconds that a block must last, by its length so far and by what the series, a value per cell each, show.
    pub fn block_s_needed(&self, series: &[Vec<f64>]) -> f64 {
        self.cell_s * self.needed(series) as f64
    }

    /// With blocks as long as they must be, and as few as they may be.
    #[must_use]
    pub fn chosen(self, series: &[Vec<f64>]) -> Self {
        Self { per_block: self.needed(series).max(self.count.div_ceil(BLOCKS_MAX)), ..self }
    }
}

/// What each cell adds to a ratio of sums beyond its share: parts − ratio · wholes. Its dependence is that of the ratio.
pub fn residuals(cells: impl Iterator<Item = (f64, f64)> + Clone) -> Vec<f64> {
    let (part, whole) = cells.clone().fold((0.0, 0.0), |sums, cell| (sums.0 + cell.0, sums.1 + cell.1));
    let ratio = if whole == 0.0 { 0.0 } else { part / whole };
    cells.map(|(part, whole)| part - ratio * whole).collect()
}

/// The block length, in cells, that a series asks for: Politis and White (2004), "Automatic block-length selection for the
/// dependent bootstrap", for the circular bootstrap, as corrected by Patton, Politis and White (2009). 0 where the series
/// shows nothing.
///
/// With the autocovariances R(k), n values and the flat-top window λ(x) = min(1, 2 (1 − |x|)) up to M, it is
/// (2 G² ÷ D)^⅓ n^⅓, where G = Σ λ(k ÷ M) |k| R(k) and D = 4/3 (Σ λ(k ÷ M) R(k))², over k from −M to M. M is twice the lag
/// after which K successive autocorrelations are below 2 √(log₁₀ n ÷ n), K = max(5, √log₁₀ n).
pub fn dependence_cells(series: &[f64]) -> f64 {
    let n = series.len();
    if n < BLOCKS_MIN {
        return 0.0;
    }
    let (size, log) = (n as f64, libm::log10(n as f64));
    let successive = 5.max(log.sqrt().ceil() as usize);
    let lag_max = (size.sqrt().ceil() as usize + successive).min(n - 1);
    let covariances = covariances(series, lag_max);
    let variance = covariances[0];
    if !variance.is_finite() || variance <= 0.0 {
        return 0.0;
    }
    let bound = 2.0 * (log / size).sqrt() * variance;
    let stands_out: Vec<bool> = covariances.iter().map(|covariance| covariance.abs() >= bound).collect();
    let quiet = stands_out[1..].windows(successive).position(|lags| !lags.contains(&true));
    let last = || stands_out.iter().rposition(|&lag| lag).unwrap_or(1);
    let window = (2 * quiet.unwrap_or_else(last).max(1)).min(lag_max);
    let (mut spectrum, mut slope) = (variance, 0.0);
    for (lag, covariance) in covariances.iter().enumerate().take(window + 1).skip(1) {
        let weight = (2.0 * (1.0 - lag as f64 / window as f64)).min(1.0);
        spectrum += 2.0 * weight * covariance;
        slope += 2.0 * weight * lag as f64 * covariance;
    }
    if spectrum <= 0.0 {
        return 0.0;
    }
    let length = libm::cbrt(2.0 * slope * slope / (4.0 / 3.0 * spectrum * spectrum) * size);
    length.min((3.0 * size.sqrt()).min(size / 3.0).ceil())
}

/// Autocovariances up to a lag.
fn covariances(series: &[f64], lag_max: usize) -> Vec<f64> {
    let size = series.len() as f64;
    let mean = series.iter().sum::<f64>() / size;
    let centred: Vec<f64> = series.iter().map(|value| value - mean).collect();
    let product = |lag: usize| centred[lag..].iter().zip(&centred).map(|(a, b)| a * b).sum::<f64>();
    (0..=lag_max).map(|lag| product(lag) / size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    fn seconds(at: &[(u32, f64)]) -> impl Iterator<Item = (u32, i64)> + Clone {
        at.iter().map(|&(capture, s)| (capture, (s * 1e9) as i64)).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn rows_fall_into_cells_of_time() {
        let rows = [(0, 5.0), (0, 5.9), (0, 6.1), (0, 9.0), (0, 8.0), (0, 5000.0), (1, 7.0), (1, 8.5)];
        let cells = Cells::new(seconds(&rows), 10.0);
        assert_eq!(cells.of_row, [0, 0, 1, 4, 4, 14, 15, 16]);
        assert_eq!((cells.count, cells.per_block, cells.blocks(), cells.block_s()), (17, 10, 1, 10.0));
        assert_eq!(Cells::new(seconds(&[]), 10.0).count, 0);
        // The last cells are no whole block.
        let cells = Cells { per_block: 5, ..cells };
        assert_eq!((cells.blocks(), cells.blocks_with(|cell| [6, 16].contains(&cell))), (3, 1));
    }

    #[test]
    fn long_times_have_longer_cells() {
        let rows: Vec<(u32, f64)> = (0..120_000).map(|row| (0, f64::from(row))).collect();
        let cells = Cells::new(seconds(&rows), 10.0);
        assert_eq!((cells.count, cells.per_block, cells.cell_s), (40_000, 4, 3.0));
        assert_eq!(cells.chosen(&[]).blocks(), BLOCKS_MAX);
        // A clock from one end of time to the other.
        assert_eq!(Cells::new([(0, i64::MIN), (0, i64::MAX)].into_iter(), 10.0).of_row, [0, 10]);
    }

    #[test]
    fn blocks_outlast_what_rows_look_at() {
        let shortest_s = |ahead_s| Reach::of(ahead_s).map(Reach::shortest_block_s);
        assert_eq!(shortest_s(Vec::new()), None);
        assert_eq!(shortest_s(vec![3.0]), Some(30.0));
        assert_eq!(shortest_s(vec![0.0; 9]), Some(BLOCK_S_MIN));
        let mut ahead_s = vec![0.1; 90];
        ahead_s.extend([4.0; 10]);
        assert_eq!(shortest_s(ahead_s), Some(8.0));
    }

    fn autoregressive(seed: u64, of_last: f64, count: usize) -> Vec<f64> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut value = 0.0;
        let next = || {
            value = of_last * value + (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
            value
        };
        std::iter::repeat_with(next).skip(100).take(count).collect()
    }

    /// For an autoregression of order one the rule is known: (6 ρ² ÷ (1 − ρ²)² · n)^⅓.
    #[test]
    fn dependence_is_that_of_politis_and_white() {
        for of_last in [0.3_f64, 0.6, 0.9] {
            let known = (6.0 * of_last.powi(2) / (1.0 - of_last.powi(2)).powi(2) * 20_000.0).cbrt();
            let found = dependence_cells(&autoregressive(3, of_last, 20_000));
            assert!((found / known - 1.0).abs() < 0.15, "{of_last}: {found}, known {known}");
        }
        assert!(dependence_cells(&autoregressive(3, 0.0, 20_000)) < 5.0);
        assert_eq!(dependence_cells(&[1.0; 1_000]), 0.0);
        assert_eq!(dependence_cells(&[f64::NAN; 1_000]), 0.0);
        assert_eq!(dependence_cells(&[1.0, 2.0]), 0.0);
    }

    #[test]
    fn dependence_lengthens_blocks() {
        let rows: Vec<(u32, f64)> = (0..1_000).map(|row| (0, f64::from(row))).collect();
        let cells = |of_last| Cells::new(seconds(&rows), 10.0).chosen(&[autoregressive(1, of_last, 1_000)]);
        assert_eq!(cells(0.0).per_block, 20);
        assert!(cells(0.9).per_block > 50, "{}", cells(0.9).per_block);
        assert_eq!(Cells::new(seconds(&rows), 10.0).block_s_needed(&[]), 10.0);
    }

    #[test]
    fn residuals_are_what_is_beyond_the_ratio() {
        assert_eq!(residuals([(1.0, 1.0), (0.0, 0.0), (2.0, 5.0)].into_iter()), [0.5, 0.0, -0.5]);
        assert_eq!(residuals([(1.0, 0.0)].into_iter()), [1.0]);
    }
}
