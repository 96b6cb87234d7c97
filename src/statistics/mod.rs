//! Statistics that research, runs and reports share: labels, metrics, intervals, drift, overfitting.
//!
//! ```
//! use papertrader::statistics::labels::{DoubleMid, Ties};
//! use papertrader::statistics::logistic::{logit_of, probability};
//!
//! let now = DoubleMid { ticks: 20_001, price_decimals: 2 };
//! let later = DoubleMid { ticks: 20_003, price_decimals: 2 };
//! let change = now.change_to(later);
//! assert_eq!((change.sign, change.ticks), (1, 1.0));
//! assert_eq!(Ties::Drop.weight(change.sign).up, 1.0);
//! assert_eq!(probability(logit_of(0.75)), 0.75);
//! ```

pub mod blocks;
pub mod bootstrap;
#[cfg(test)]
mod coverage;
pub mod delong;
pub mod drift;
pub mod labels;
pub mod logistic;
pub mod metrics;
pub mod overfitting;
pub mod students_t;
