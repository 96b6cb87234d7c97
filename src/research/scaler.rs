//! The standard scaler: means and population standard deviations of the training rows, as scikit-learn computes them.
//!
//! ```
//! use papertrader::research::scaler::Scaler;
//! use papertrader::research::table::{RowKey, Table};
//! use papertrader::statistics::labels::Ties;
//!
//! let mut table = Table::new(2, 1 << 20);
//! for (ordinal, values) in (0..).zip([[1.0, 7.0], [3.0, 7.0]]) {
//!     table.push(RowKey { ordinal, sequence: ordinal, until: ordinal, capture: 0, sign: 1 }, &values)?;
//! }
//! table.finish()?;
//! let scaler = Scaler::fit(&table, &[0, 1], &[0..2], Ties::Drop, 1)?;
//! assert_eq!((scaler.mean, scaler.scale), (vec![2.0, 7.0], vec![1.0, 1.0]));
//! assert_eq!(scaler.constant, [false, true]);
//! # Ok::<(), std::io::Error>(())
//! ```

use super::passes::{self, Sum};
use super::table::{RowKey, Table};
use crate::statistics::labels::Ties;
use std::io;
use std::ops::Range;

/// Per feature, in its units.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler {
    /// Means.
    pub mean: Vec<f64>,
    /// Population standard deviations; 1 for a constant feature.
    pub scale: Vec<f64>,
    /// Whether the feature has one value in all rows, but for rounding, by the rule of scikit-learn's scalers.
    pub constant: Vec<bool>,
}

/// Whether a variance over so many rows is no more than what rounding makes of a constant `mean`: the error bound of the
/// two-pass algorithm (Chan, Golub and LeVeque 1983), by which scikit-learn's scaler tells constants too.
fn is_rounding(variance: f64, mean: f64, rows: f64) -> bool {
    const UNIT: f64 = f64::EPSILON;
    variance <= rows * UNIT * variance + (rows * mean * UNIT).powi(2)
}

/// First pass: sums and extremes.
struct First {
    columns: Vec<usize>,
    width: usize,
    ties: Ties,
    weight: f64,
    sum: Vec<f64>,
    min: Vec<f64>,
    max: Vec<f64>,
}

impl Sum for First {
    fn add(&mut self, keys: &[RowKey], values: &[f64]) {
        for (key, row) in keys.iter().zip(values.chunks_exact(self.width)) {
            if self.ties.weight(key.sign).total() == 0.0 {
                continue;
            }
            self.weight += 1.0;
            for (at, &column) in self.columns.iter().enumerate() {
                self.sum[at] += row[column];
                self.min[at] = self.min[at].min(row[column]);
                self.max[at] = self.max[at].max(row[column]);
            }
        }
    }

    fn merge(&mut self, later: Self) {
        self.weight += later.weight;
        for at in 0..self.sum.len() {
            self.sum[at] += later.sum[at];
            self.min[at] = self.min[at].min(later.min[at]);
            self.max[at] = self.max[at].max(later.max[at]);
        }
    }
}

/// Second pass: deviations from the mean and their squares.
struct Second<'a> {
    columns: &'a [usize],
    width: usize,
    ties: Ties,
    mean: &'a [f64],
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl Sum for Second<'_> {
    fn add(&mut self, keys: &[RowKey], values: &[f64]) {
        for (key, row) in keys.iter().zip(values.chunks_exact(self.width)) {
            if self.ties.weight(key.sign).total() == 0.0 {
                continue;
            }
            for (at, &column) in self.columns.iter().enumerate() {
                let deviation = row[column] - self.mean[at];
                self.sum[at] += deviation;
                self.squares[at] += deviation * deviation;
            }
        }
    }

    fn merge(&mut self, later: Self) {
        for at in 0..self.sum.len() {
            self.sum[at] += later.sum[at];
            self.squares[at] += later.squares[at];
        }
    }
}

impl Scaler {
    /// The scaler of columns of a table over the rows that `ties` does not leave out.
    ///
    /// The corrected two-pass algorithm (Chan, Golub and LeVeque 1983, eq. 1.7): the second pass removes what rounding
    /// left in the mean. A constant feature's mean is its value, so that it becomes exactly 0.
    ///
    /// # Errors
    /// The table's file cannot be read.
    pub fn fit(
        table: &Table,
        columns: &[usize],
        rows: &[Range<usize>],
        ties: Ties,
        threads: usize,
    ) -> io::Result<Self> {
        let count = columns.len();
        let width = table.width();
        let First { weight, sum, min, max, .. } = passes::sum(table, rows, threads, || First {
            columns: columns.to_vec(),
            width,
            ties,
            weight: 0.0,
            sum: vec![0.0; count],
            min: vec![f64::INFINITY; count],
            max: vec![f64::NEG_INFINITY; count],
        })?;
        let constant: Vec<bool> = min.iter().zip(&max).map(|(min, max)| min >= max).collect();
        let mean: Vec<f64> = (0..count).map(|at| if constant[at] { min[at] } else { sum[at] / weight }).collect();
        let Second { sum, squares, .. } = passes::sum(table, rows, threads, || Second {
            columns,
            width,
            ties,
            mean: &mean,
            sum: vec![0.0; count],
            squares: vec![0.0; count],
        })?;
        let mut scaler = Self { scale: vec![1.0; count], mean: mean.clone(), constant };
        for at in 0..count {
            if scaler.constant[at] {
                continue;
            }
            let variance = (squares[at] - sum[at] * sum[at] / weight) / weight;
            scaler.mean[at] += sum[at] / weight;
            scaler.scale[at] = variance.sqrt();
            // The squares of a small spread may vanish.
            if is_rounding(variance, scaler.mean[at], weight) || !scaler.scale[at].is_normal() {
                scaler.scale[at] = 1.0;
                scaler.constant[at] = true;
            }
        }
        Ok(scaler)
    }

    /// What deviations from the mean are multiplied by in a fit: 0 for a constant feature, whose weight is 0 therefore.
    pub fn inverse_scale(&self) -> Vec<f64> {
        let inverse = |(scale, &constant): (&f64, &bool)| if constant { 0.0 } else { scale.recip() };
        self.scale.iter().zip(&self.constant).map(inverse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaler(values: &[f64]) -> Scaler {
        let mut table = Table::new(1, 1 << 20);
        for (ordinal, &value) in (0..).zip(values) {
            table.push(RowKey { ordinal, sequence: ordinal, until: ordinal, capture: 0, sign: 1 }, &[value]).unwrap();
        }
        table.finish().unwrap();
        Scaler::fit(&table, &[0], std::slice::from_ref(&(0..values.len())), Ties::Drop, 1).unwrap()
    }

    #[test]
    fn a_deviation_that_is_rounding_is_a_constant_s() {
        let by_turns = |a: f64, b: f64| (0..400).map(|at| if at % 3 == 0 { a } else { b }).collect::<Vec<_>>();
        // Neighbouring doubles, as of a sum in two orders.
        for value in [0.3, -61_830.17, 1e-9, 1e300_f64.sqrt()] {
            let scaler = scaler(&by_turns(value, value * (1.0 + f64::EPSILON)));
            assert_eq!((scaler.scale[0], scaler.constant[0]), (1.0, true), "{value}");
            assert_eq!(scaler.inverse_scale(), [0.0]);
        }
        // A difference of floats was as uneven as that: far above rounding of its own mean, and so taken for a spread.
        assert!(!scaler(&by_turns(1_000.00 - 1_000.01, 61_000.00 - 61_000.01)).constant[0]);
        // Small spreads about zero, or beside a mean, are spreads.
        for (a, b) in [(1e-12, -1e-12), (61_830.17, 61_830.18), (0.0, 1e-150)] {
            let scaler = scaler(&by_turns(a, b));
            assert!(!scaler.constant[0] && scaler.scale[0] > 0.0, "{a} {b}");
        }
    }
}
