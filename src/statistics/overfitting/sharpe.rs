//! Sharpe ratios of slices, and how sure their sign is.
//!
//! ```
//! use papertrader::statistics::overfitting::sharpe::Moments;
//!
//! let moments = Moments::of([1.0, 2.0, 3.0, 2.0].into_iter());
//! assert_eq!((moments.count, moments.mean, moments.skewness), (4, 2.0, 0.0));
//! assert!((moments.sharpe().expect("they vary") - 6.0_f64.sqrt()).abs() < 1e-12);
//! // Above 0 with probability Φ(√7.2), by four slices that are taken as independent.
//! assert!((moments.probability_above(0.0).expect("they vary") - 0.996_355).abs() < 1e-6);
//! ```

use super::normal::share_below;
use serde::{Deserialize, Serialize};

/// A variance below this share of the mean square is rounding.
const ROUNDING: f64 = 1e-12;

/// The first four moments of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// How many values there are.
    pub count: usize,
    /// Their mean, in their unit.
    pub mean: f64,
    /// Their standard deviation, by n − 1, in their unit; 0 where they do not vary.
    pub deviation: f64,
    /// m₃ ÷ m₂^1.5 of the central moments by n; 0 where they do not vary.
    pub skewness: f64,
    /// m₄ ÷ m₂², 3 for a normal distribution; 3 where they do not vary.
    pub kurtosis: f64,
}

impl Moments {
    /// Of a series.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count();
        let size = count as f64;
        let mean = if count == 0 { 0.0 } else { values.clone().sum::<f64>() / size };
        let (mut squares, mut cubes, mut fourths) = (0.0, 0.0, 0.0);
        for value in values {
            let square = (value - mean) * (value - mean);
            squares += square;
            cubes += square * (value - mean);
            fourths += square * square;
        }
        let variance = if count < 2 { 0.0 } else { squares / size };
        if variance <= ROUNDING * (variance + mean * mean) {
            return Self { count, mean, deviation: 0.0, skewness: 0.0, kurtosis: 3.0 };
        }
        Self {
            count,
            mean,
            deviation: (variance * size / (size - 1.0)).sqrt(),
            skewness: cubes / size / (variance * variance.sqrt()),
            kurtosis: fourths / size / (variance * variance),
        }
    }

    /// Mean ÷ standard deviation, of one slice; `None` where nothing varies.
    pub fn sharpe(&self) -> Option<f64> {
        (self.deviation > 0.0).then(|| self.mean / self.deviation)
    }

    /// The probabilistic Sharpe ratio: the probability that the true ratio is above `bar`; `None` where nothing varies.
    ///
    /// Bailey and López de Prado (2012), "The Sharpe ratio efficient frontier": Φ((SR − bar) √(n − 1) ÷
    /// √(1 − γ₃ SR + (γ₄ − 1) ÷ 4 · SR²)) with the skewness γ₃ and the kurtosis γ₄. It takes slices as independent.
    pub fn probability_above(&self, bar: f64) -> Option<f64> {
        let sharpe = self.sharpe()?;
        probability_above(sharpe, bar, self.count, (self.skewness, self.kurtosis))
    }
}

/// [`Moments::probability_above`] by its numbers: the ratio, the bar, how many slices, and their skewness and kurtosis. `None`
/// where the ratio has no variance.
pub fn probability_above(sharpe: f64, bar: f64, slices: usize, (skewness, kurtosis): (f64, f64)) -> Option<f64> {
    // At least (1 − γ₃ SR ÷ 2)², as a kurtosis is at least 1 + γ₃².
    let spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe;
    let z = (sharpe - bar) * (slices as f64 - 1.0).sqrt() / spread.sqrt();
    (slices > 1 && spread > 0.0).then(|| share_below(z))
}
