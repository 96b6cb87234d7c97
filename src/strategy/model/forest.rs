//! Log-odds from the sums of an ensemble of trees.

use super::evaluator::{Evaluate, log_odds};
use super::trees::{CLASSES_MAX, Ensemble, Real, Row};

/// What the sums of the classes mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// The first is the log-odds, times this.
    LogOdds(f64),
    /// They are logarithms of shares, of so many classes; the one that says up is named.
    Softmax {
        /// Its number.
        up: usize,
        /// How many there are.
        classes: usize,
    },
    /// Each is the log-odds of its class alone, times this; the one that says up is named.
    Each {
        /// Its number.
        up: usize,
        /// What it is multiplied by.
        slope: f64,
    },
    /// The first is a probability.
    Probability,
}

impl Outcome {
    /// The log-odds of up.
    #[inline]
    pub fn log_odds(self, sums: [f64; CLASSES_MAX]) -> f64 {
        match self {
            Self::LogOdds(slope) => slope * sums[0],
            Self::Each { up, slope } => slope * sums[up],
            Self::Probability => log_odds(sums[0]),
            Self::Softmax { up, classes } => softmax_log_odds(&sums[..classes], up),
        }
    }
}

/// ln(p / (1 − p)) of one of several shares whose logarithms these are, but for a constant.
pub fn softmax_log_odds(logarithms: &[f64], up: usize) -> f64 {
    let others = || logarithms.iter().enumerate().filter(|&(class, _)| class != up).map(|(_, &logarithm)| logarithm);
    let most = others().fold(f64::NEG_INFINITY, f64::max);
    logarithms[up] - most - others().map(|logarithm| (logarithm - most).exp()).sum::<f64>().ln()
}

/// An ensemble with what is made of its sums.
#[derive(Clone, Debug)]
pub struct Forest<T> {
    ensemble: Ensemble<T>,
    /// What the sums begin with.
    base: [T; CLASSES_MAX],
    /// What they are divided by, where they are averages.
    divisor: f64,
    outcome: Outcome,
    row: Row<T>,
}

impl<T: Real> Forest<T> {
    /// Sums that begin with `base` and are divided by `divisor`.
    pub fn new(ensemble: Ensemble<T>, base: [T; CLASSES_MAX], divisor: f64, outcome: Outcome) -> Self {
        Self { ensemble, base, divisor, outcome, row: Row::default() }
    }
}

impl<T: Real> Evaluate for Forest<T> {
    #[inline]
    fn of_row(&mut self, values: impl Iterator<Item = f64>) -> f64 {
        let Self { ensemble, base, divisor, outcome, row } = self;
        ensemble.lay_out(row, values);
        let mut sums = *base;
        ensemble.add_up(row, &mut sums);
        outcome.log_odds(sums.map(|sum| sum.wide() / *divisor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::logistic::probability;

    #[test]
    fn what_sums_mean() {
        let sums = [0.5, -1.0, 2.0];
        assert_eq!(Outcome::LogOdds(2.0).log_odds(sums), 1.0);
        assert_eq!(Outcome::Each { up: 1, slope: 0.5 }.log_odds(sums), -0.5);
        assert!((probability(Outcome::Probability.log_odds(sums)) - 0.5).abs() < 1e-15);
        let shares: Vec<f64> = sums.iter().map(|sum| sum.exp()).collect();
        for up in 0..3 {
            let expected = shares[up] / shares.iter().sum::<f64>();
            assert!((probability(Outcome::Softmax { up, classes: 3 }.log_odds(sums)) - expected).abs() < 1e-15);
        }
        // Far apart, nothing overflows.
        assert_eq!(softmax_log_odds(&[-800.0, 0.0, 900.0], 2), 900.0);
    }
}
