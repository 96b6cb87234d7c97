//! What every kind of model has in common.

use crate::strategy::features::{FeatureSet, Share};

/// The log-odds of a probability next to 1: further out a probability rounds to 1. What is certain stays finite by it.
pub const LOG_ODDS_MAX: f64 = 36.736_800_569_677_1;

/// Gives a row of features its log-odds.
///
/// An evaluator may keep room of its own for numbers in between; what it gives depends on the row alone.
pub trait Evaluate {
    /// The log-odds of a row, in the order of the model's features.
    fn of_row(&mut self, row: impl Iterator<Item = f64>) -> f64;

    /// The log-odds of features as they last were.
    #[inline]
    fn logit(&mut self, features: &FeatureSet) -> f64 {
        self.of_row(features.values())
    }

    /// The same where the model's features are a part of the set.
    #[inline]
    fn logit_in(&mut self, features: &FeatureSet, share: &Share) -> f64 {
        self.of_row(features.values_of(share))
    }
}

/// The log-odds of a probability, finite where it is 0 or 1.
pub fn log_odds(probability: f64) -> f64 {
    (probability.ln() - (-probability).ln_1p()).clamp(-LOG_ODDS_MAX, LOG_ODDS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::logistic::probability;

    #[test]
    fn log_odds_are_finite_and_give_the_probability_back() {
        for p in [0.0, 1e-300, 1e-17, 1e-9, 0.25, 0.5, 0.999, 1.0 - 1e-12, 1.0 - f64::EPSILON / 2.0, 1.0] {
            let z = log_odds(p);
            assert!(z.is_finite() && (probability(z) - p).abs() <= 3e-16, "{p} {z}");
        }
        assert!(log_odds(f64::NAN).is_nan() && log_odds(1.5).is_nan());
    }
}
