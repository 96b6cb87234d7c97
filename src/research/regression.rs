//! A regression with what it is a regression of, and how one is made of some rows of a table.
//!
//! ```
//! use papertrader::research::regression::Fitting;
//! use papertrader::research::table::{RowKey, Table};
//! use papertrader::statistics::labels::Ties;
//! use papertrader::strategy::features::{Feature, Input};
//!
//! let mut table = Table::new(1, 1 << 20);
//! for (ordinal, (value, sign)) in (0..).zip([(-2.0, -1), (-1.0, 1), (1.0, -1), (2.0, 1)]) {
//!     table.push(RowKey { ordinal, sequence: ordinal, until: ordinal, capture: 0, sign }, &[value])?;
//! }
//! table.finish()?;
//! let inputs = [Input::from(Feature::Imbalance(1))];
//! let fitting = Fitting { table: &table, inputs: &inputs, ties: Ties::Drop, c: Some(1.0), embargo: 0, threads: 1 };
//! let fitted = fitting.fit(&[0], &[0..4], &|| false, &|| ())?;
//! assert!(fitted.regression.fit.weights[0] > 0.0);
//! assert_eq!(fitted.base_rate, 0.5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::fit::{Design, Fit, FitError, fit};
use super::penalty::{FOLDS, Search, Tried, best, try_grid};
use super::scaler::Scaler;
use super::table::Table;
use crate::statistics::labels::{Ties, Weight};
use crate::strategy::features::Input;
use crate::strategy::model::ModelFile;
use std::io;
use std::ops::Range;

/// A fit with what it is a fit of.
#[derive(Clone, Debug)]
pub struct Regression {
    /// What it looks at.
    pub features: Vec<Input>,
    /// Brings them to mean 0 and spread 1.
    pub scaler: Scaler,
    /// The optimum.
    pub fit: Fit,
}

impl Regression {
    /// As it lies in a file.
    pub fn to_file(&self, horizon: u32, threshold: f64, provenance: Option<serde_json::Value>) -> ModelFile {
        ModelFile {
            features: self.features.iter().map(Input::definition).collect(),
            intercept: self.fit.intercept,
            coefficients: self.fit.weights.clone(),
            mean: Some(self.scaler.mean.clone()),
            scale: Some(self.scaler.scale.clone()),
            horizon_updates: Some(horizon),
            threshold: Some(threshold),
            provenance,
            calibration: None,
        }
    }
}

/// Why rows gave no regression.
#[derive(Debug, thiserror::Error)]
pub enum NoRegression {
    /// Every row has the same outcome, or there are none.
    #[error("one class only: the mid goes {direction} after every one of the {rows} rows to train on")]
    OneClass {
        /// Which outcome.
        direction: &'static str,
        /// To train on.
        rows: usize,
    },
    /// No feature moves.
    #[error("every feature is constant over the {0} rows to train on")]
    AllConstant(usize),
    /// No value of C could be compared.
    #[error("cross-validation found no value of C: the training part is too short for {FOLDS} blocks with an embargo")]
    NoChoice,
    /// The table's file.
    #[error("cannot read the temporary feature cache: {0}")]
    Table(#[from] io::Error),
    /// The fit.
    #[error(transparent)]
    Fit(#[from] FitError),
}

impl NoRegression {
    /// Whether the rows are too few or too much alike.
    pub fn is_of_rows(&self) -> bool {
        matches!(self, Self::OneClass { .. } | Self::AllConstant(_) | Self::NoChoice)
    }

    /// Whether it is no fault of the input's.
    pub fn is_of_running(&self) -> bool {
        matches!(self, Self::Table(_) | Self::Fit(FitError::Interrupted | FitError::Table(_)))
    }
}

/// How regressions are made of rows of a table.
#[derive(Clone, Copy, Debug)]
pub struct Fitting<'a> {
    /// The rows.
    pub table: &'a Table,
    /// What its columns are.
    pub inputs: &'a [Input],
    /// How rows weigh whose mid stays.
    pub ties: Ties,
    /// The inverse strength of the penalty; `None` for the choice by cross-validation.
    pub c: Option<f64>,
    /// Rows left out behind each block of a cross-validation, besides those that its labels reach.
    pub embargo: usize,
    /// How many threads may work.
    pub threads: usize,
}

/// A regression with the penalty that it was given.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The regression.
    pub regression: Regression,
    /// The penalty's inverse strength.
    pub c: f64,
    /// How cross-validation chose it, if it did.
    pub tried: Vec<Tried>,
    /// The share of up in the rows.
    pub base_rate: f64,
}

impl Fitting<'_> {
    /// What rows of the table weigh together.
    pub fn weight(&self, rows: &[Range<usize>]) -> Weight {
        let keys = rows.iter().flat_map(|rows| &self.table.keys()[rows.clone()]);
        keys.map(|key| self.ties.weight(key.sign))
            .fold(Weight::default(), |sum, weight| Weight { up: sum.up + weight.up, down: sum.down + weight.down })
    }

    /// Fits a regression of some columns to some rows, given in order. `step` is told of every fit of a cross-validation.
    ///
    /// # Errors
    /// See [`NoRegression`].
    pub fn fit(
        &self,
        columns: &[usize],
        rows: &[Range<usize>],
        stop: &dyn Fn() -> bool,
        step: &dyn Fn(),
    ) -> Result<Fitted, NoRegression> {
        let Self { table, inputs, ties, embargo, threads, .. } = *self;
        let weight = self.weight(rows);
        if weight.up == 0.0 || weight.down == 0.0 {
            let direction = match ties {
                _ if weight.up > 0.0 => "up",
                Ties::Down => "not up",
                _ => "down",
            };
            let rows = rows.iter().map(Range::len).sum();
            return Err(NoRegression::OneClass { direction, rows });
        }
        let scaler = Scaler::fit(table, columns, rows, ties, threads)?;
        let (c, tried) = match self.c {
            Some(c) => (c, Vec::new()),
            None => {
                let tried = try_grid(&Search { table, columns, rows, ties, embargo, threads }, stop, step)?;
                (best(&tried).ok_or(NoRegression::NoChoice)?.c, tried)
            }
        };
        let design = Design { table, columns, rows, ties, scaler: &scaler, threads };
        let fit = fit(&design, c, None, stop)?;
        let features = columns.iter().map(|&column| inputs[column].clone()).collect();
        let base_rate = weight.up / weight.total();
        Ok(Fitted { regression: Regression { features, scaler, fit }, c, tried, base_rate })
    }
}
