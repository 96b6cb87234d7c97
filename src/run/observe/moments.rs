//! Means and spreads of features, one value at a time (Welford 1962).

use crate::strategy::features::Input;
use serde::{Deserialize, Serialize};

/// A feature over a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureMoments {
    /// Its name.
    pub name: String,
    /// `None` where no evaluation gave its features.
    pub mean: Option<f64>,
    /// Over all rows, not over one less; `None` as for the mean.
    pub standard_deviation: Option<f64>,
}

/// The model's features over a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Of so many evaluations one gave its features, the first first.
    pub every: u32,
    /// How many did.
    pub rows: u64,
    /// In the model's order.
    pub features: Vec<FeatureMoments>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Running {
    mean: f64,
    squares: f64,
}

/// Running means and squares.
#[derive(Debug)]
pub(super) struct MomentSums {
    rows: u64,
    features: Vec<Running>,
}

impl MomentSums {
    pub fn new(features: usize) -> Self {
        Self { rows: 0, features: vec![Running::default(); features] }
    }

    pub fn add(&mut self, values: impl Iterator<Item = f64>) {
        self.rows += 1;
        let count = self.rows as f64;
        for (running, value) in self.features.iter_mut().zip(values) {
            let from_mean = value - running.mean;
            running.mean += from_mean / count;
            running.squares += from_mean * (value - running.mean);
        }
    }

    pub fn finish(self, names: &[Input], every: u32) -> Moments {
        let known = |value: f64| (self.rows > 0 && value.is_finite()).then_some(value);
        let features = names.iter().zip(&self.features).map(|(feature, running)| FeatureMoments {
            name: feature.to_string(),
            mean: known(running.mean),
            standard_deviation: known((running.squares / self.rows as f64).sqrt()),
        });
        Moments { every, rows: self.rows, features: features.collect() }
    }
}
