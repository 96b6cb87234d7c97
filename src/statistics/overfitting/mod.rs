//! Whether the best of many settings is better than what luck gives the best of as many.
//!
//! All of it starts from [`Returns`]: what each setting earned in successive slices of time of equal length, net of fees. Three
//! questions are asked of them:
//!
//! - [`deflated`]: is the best setting's Sharpe ratio above the greatest one that so many settings without any skill would show?
//! - [`cross_validation`]: does what was best on one half of the time stay above the median on the other?
//! - [`reality_check`]: how often does the best of as many settings earn as much when each earns nothing on average?
//!
//! Sharpe ratios here are those of a slice: mean ÷ standard deviation, not annualised.
//!
//! ```
//! use papertrader::statistics::overfitting::Returns;
//! use papertrader::statistics::overfitting::cross_validation::CrossValidation;
//! use papertrader::statistics::overfitting::deflated::Deflated;
//! use papertrader::statistics::overfitting::reality_check::{RealityCheck, Resampling};
//!
//! // 60 slices of two settings: one earns in most of them, the other loses as often as it earns.
//! let values: Vec<f64> = (0..60).flat_map(|slice| {
//!     let swing = f64::from(slice * 7 % 11 - 5);
//!     [2.0 + swing, -swing]
//! }).collect();
//! let returns = Returns::new(&values, 2)?;
//! assert_eq!(returns.best(), Some(0));
//! let deflated = Deflated::of(&returns).expect("there are slices enough");
//! assert!(deflated.probability > 0.99);
//! let halves = CrossValidation::of(&returns).expect("two settings");
//! assert_eq!(halves.probability, 0.0);
//! let check = RealityCheck::of(&returns, Resampling { replicates: 200, seed: 1 }, 2).expect("there are slices enough");
//! assert!(check.spa.consistent < 0.05);
//! # Ok::<(), papertrader::statistics::overfitting::ReturnsError>(())
//! ```

pub mod cross_validation;
pub mod deflated;
pub mod normal;
pub mod ranks;
pub mod reality_check;
pub mod sharpe;
#[cfg(test)]
mod tests;

use sharpe::Moments;

/// Fewer slices than this judge nothing.
pub const SLICES_MIN: usize = super::blocks::BLOCKS_MIN;

/// Why there are no returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReturnsError {
    /// There is no setting.
    #[error("there is no setting to judge")]
    NoSettings,
    /// The last slice lacks settings.
    #[error("{values} profits are not a whole number of slices of {settings} settings each")]
    Ragged {
        /// How many values there are.
        values: usize,
        /// How many a slice has.
        settings: usize,
    },
    /// A profit that is no number.
    #[error("the profit of setting {setting} in slice {slice}, both counted from 0, is not a finite number")]
    NotFinite {
        /// The row.
        slice: usize,
        /// The column.
        setting: usize,
    },
}

/// What each setting earned in successive slices of time, all in one unit: slices × settings, one slice after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Returns<'a> {
    /// Finite; the profits of a slice's settings stand side by side.
    values: &'a [f64],
    /// At least 1.
    settings: usize,
}

impl<'a> Returns<'a> {
    /// Of values that stand slice by slice.
    ///
    /// # Errors
    /// No setting, a slice that is not whole, or a value that is not finite.
    pub fn new(values: &'a [f64], settings: usize) -> Result<Self, ReturnsError> {
        if settings == 0 {
            return Err(ReturnsError::NoSettings);
        }
        if !values.len().is_multiple_of(settings) {
            return Err(ReturnsError::Ragged { values: values.len(), settings });
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(ReturnsError::NotFinite { slice: at / settings, setting: at % settings });
        }
        Ok(Self { values, settings })
    }

    /// How many settings there are.
    pub fn settings(&self) -> usize {
        self.settings
    }

    /// How many slices there are.
    pub fn slices(&self) -> usize {
        self.values.len() / self.settings
    }

    /// The slices, the profit of every setting in each.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &'a [f64]> + Clone + use<'a> {
        self.values.chunks_exact(self.settings)
    }

    /// What one setting earned, slice by slice.
    pub fn of_setting(&self, setting: usize) -> impl Iterator<Item = f64> + Clone + use<'a> {
        self.values.iter().skip(setting).step_by(self.settings).copied()
    }

    /// The moments of each setting's profits.
    pub fn moments(&self) -> Vec<Moments> {
        (0..self.settings).map(|setting| Moments::of(self.of_setting(setting))).collect()
    }

    /// The setting with the greatest Sharpe ratio, the first of several; `None` where none has one, as none traded.
    pub fn best(&self) -> Option<usize> {
        best_of(&self.moments())
    }
}

/// The first of those with the greatest Sharpe ratio.
fn best_of(moments: &[Moments]) -> Option<usize> {
    let sharpes = moments.iter().enumerate().filter_map(|(setting, moments)| Some((setting, moments.sharpe()?)));
    sharpes.reduce(|best, other| if other.1 > best.1 { other } else { best }).map(|(setting, _)| setting)
}
