//! A linear model: a weighted sum of features.

use super::evaluator::Evaluate;
use crate::strategy::features::{FeatureSet, Input, Share, Weights};

/// Coefficients and an intercept.
#[derive(Clone, Debug)]
pub struct Linear {
    /// Per feature, with the scaler folded in.
    pub coefficients: Vec<f64>,
    /// With the scaler folded in.
    pub intercept: f64,
    /// The scaler's means, if the file has them, for reports.
    pub mean: Option<Vec<f64>>,
    /// The scaler's scales, if the file has them, for reports.
    pub scale: Option<Vec<f64>>,
    weights: Weights,
}

impl Linear {
    /// A model of these features, with a coefficient for each.
    pub fn new(features: &[Input], coefficients: Vec<f64>, intercept: f64) -> Self {
        let weights = Weights::new(features, &coefficients);
        Self { coefficients, intercept, mean: None, scale: None, weights }
    }
}

impl Linear {
    /// Prepares it for its features where they lie in a set that computes other lists too.
    pub fn place_in(&mut self, features: &[Input], share: &Share) {
        self.weights = Weights::within(features, &self.coefficients, share);
    }
}

impl Evaluate for Linear {
    fn of_row(&mut self, row: impl Iterator<Item = f64>) -> f64 {
        self.intercept + row.zip(&self.coefficients).map(|(value, coefficient)| value * coefficient).sum::<f64>()
    }

    /// Over the numbers where they lie: in another order than [`Evaluate::of_row`], and faster.
    #[inline]
    fn logit(&mut self, features: &FeatureSet) -> f64 {
        self.intercept + features.dot(&self.weights)
    }

    /// The weights know where the numbers lie: [`Linear::place_in`].
    #[inline]
    fn logit_in(&mut self, features: &FeatureSet, _share: &Share) -> f64 {
        self.logit(features)
    }
}
