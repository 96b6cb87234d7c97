//! L2-penalised logistic regression, solved to the optimum by Newton's method.
//!
//! The objective is scikit-learn's: ½·Σ w² + C·Σ_i [u_i·ln(1 + e^−t_i) + d_i·ln(1 + e^t_i)] with t_i = w·z_i + b, where u_i
//! and d_i are a row's weights as up and as not up and the intercept b is not penalised. The penalty makes the Hessian
//! positive definite in w whatever the features' dependences, so that a singular design has one optimum like any other.
//!
//! ```
//! use papertrader::research::fit::{Design, fit, mean_loss};
//! use papertrader::research::scaler::Scaler;
//! use papertrader::research::table::{RowKey, Table};
//! use papertrader::statistics::labels::Ties;
//!
//! let mut table = Table::new(1, 1 << 20);
//! for (ordinal, (value, sign)) in (0..).zip([(-2.0, -1), (-1.0, 1), (1.0, -1), (2.0, 1)]) {
//!     table.push(RowKey { ordinal, sequence: ordinal, until: ordinal, capture: 0, sign }, &[value])?;
//! }
//! table.finish()?;
//!
//! let rows = [0..4];
//! let scaler = Scaler::fit(&table, &[0], &rows, Ties::Drop, 1)?;
//! let design = Design { table: &table, columns: &[0], rows: &rows, ties: Ties::Drop, scaler: &scaler, threads: 1 };
//! let found = fit(&design, 1.0, None, &|| false)?;
//! assert!(found.weights[0] > 0.0 && found.intercept.abs() < 1e-9);
//! assert!(found.gradient_max < 1e-6);
//! // Better than a coin.
//! assert!(mean_loss(&design, &found)? < 2.0_f64.ln());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::matrix;
use super::passes::{self, Sum};
use super::scaler::Scaler;
use super::table::{RowKey, Table};
use crate::statistics::labels::Ties;
use std::io;
use std::ops::Range;

/// Iterations after which a fit counts as failed; eight are usual.
const ITERATIONS_MAX: u32 = 100;
/// A step whose Newton decrement, squared, is below this is the last: Newton's method squares the error once more.
const DECREMENT_SQUARED: f64 = 1e-11;
/// A fit to one row in so many comes first.
const COARSE_SHARE: usize = 16;
/// With fewer rows it does not pay: the first fit's optimum is too far off, and steps from there have to be cut.
const COARSE_FROM_ROWS: usize = 100_000;
/// From how many places the rows of the first fit come, in a table of some size.
const COARSE_STRETCHES: usize = 64;
/// The first fit needs so many rows of both outcomes.
const COARSE_OUTCOMES_MIN: f64 = 20.0;
/// The first fit need not be exact.
const COARSE_DECREMENT_SQUARED: f64 = 1.0;
/// Times that a step is cut to a quarter before it is given up.
const SHORTENINGS_MAX: u32 = 30;
/// Rows that are scaled and multiplied at a time: they stay in the first-level cache or near it.
const CHUNK_ROWS: usize = 128;

/// What is fitted to what.
#[derive(Clone, Copy, Debug)]
pub struct Design<'a> {
    /// The rows.
    pub table: &'a Table,
    /// Which of its columns are features.
    pub columns: &'a [usize],
    /// Which of its rows.
    pub rows: &'a [Range<usize>],
    /// How rows weigh whose mid stays.
    pub ties: Ties,
    /// Brings features to mean 0 and spread 1.
    pub scaler: &'a Scaler,
    /// How many threads may work.
    pub threads: usize,
}

/// An optimum.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Of the scaled features.
    pub weights: Vec<f64>,
    /// The logit where all scaled features are 0.
    pub intercept: f64,
    /// The penalised objective there.
    pub objective: f64,
    /// The largest component of the gradient there, by amount.
    pub gradient_max: f64,
    /// Newton steps that were taken.
    pub iterations: u32,
    /// Passes over the rows.
    pub passes: u32,
}

/// Why there is no optimum.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The table's file.
    #[error("cannot read the temporary feature cache: {0}")]
    Table(#[from] io::Error),
    /// It does not come.
    #[error(
        "the fit did not converge in {ITERATIONS_MAX} iterations (gradient {gradient_max:e}); is a feature out of all proportion?"
    )]
    NotConverged {
        /// The largest component of the gradient at the end.
        gradient_max: f64,
    },
    /// Numbers grew beyond all bounds, or are too far apart for what is computed with them.
    #[error("the fit met numbers that are not finite or too far apart; is a feature out of all proportion?")]
    NotFinite,
    /// Somebody asked for the end.
    #[error("interrupted; nothing was written")]
    Interrupted,
}

/// Loss, gradient and Hessian, without the penalty, at one point.
struct Derivatives<'a> {
    design: &'a Design<'a>,
    /// The point: weights, then the intercept.
    point: &'a [f64],
    inverse_scale: &'a [f64],
    with_hessian: bool,
    loss: f64,
    /// Π (1 + e^−|t|) over the rows of the chunk, at most 2 to the power of [`CHUNK_ROWS`]: one logarithm for all.
    softplus_product: f64,
    gradient: Vec<f64>,
    /// The upper triangle, row by row, of `width` columns.
    hessian: Vec<f64>,
    /// Scaled rows with a 1 and zeros behind each, row by row.
    chunk: Vec<f64>,
    /// The length of a row of both: the point's, padded.
    width: usize,
}

impl<'a> Derivatives<'a> {
    fn new(design: &'a Design<'a>, point: &'a [f64], inverse_scale: &'a [f64], with_hessian: bool) -> Self {
        let width = matrix::padded(point.len());
        Self {
            design,
            point,
            inverse_scale,
            with_hessian,
            loss: 0.0,
            softplus_product: 1.0,
            gradient: vec![0.0; point.len()],
            hessian: vec![0.0; width * width],
            chunk: Vec::with_capacity(CHUNK_ROWS * width),
            width,
        }
    }

    /// Adds the chunk's rows, which are weighted by the square root of their curvature, to the Hessian, and empties it.
    fn multiply(&mut self) {
        if self.with_hessian {
            matrix::add_products(&self.chunk, self.width, &mut self.hessian);
        }
        self.chunk.clear();
        self.loss += self.softplus_product.ln();
        self.softplus_product = 1.0;
    }
}

impl Sum for Derivatives<'_> {
    fn add(&mut self, keys: &[RowKey], values: &[f64]) {
        let Design { table, columns, scaler, ties, .. } = *self.design;
        let (weights, intercept) = self.point.split_at(columns.len());
        let every_column = columns.iter().copied().eq(0..table.width());
        for (key, row) in keys.iter().zip(values.chunks_exact(table.width())) {
            let weight = ties.weight(key.sign);
            if weight.total() == 0.0 {
                continue;
            }
            debug_assert_eq!(weight.total(), 1.0, "a row that counts counts once");
            let at = self.chunk.len();
            self.chunk.resize(at + self.width, 0.0);
            let scaling = scaler.mean.iter().zip(self.inverse_scale);
            let places = self.chunk[at..].iter_mut().zip(scaling);
            if every_column {
                for ((place, (mean, inverse)), value) in places.zip(row) {
                    *place = (value - mean) * inverse;
                }
            } else {
                for ((place, (mean, inverse)), &column) in places.zip(columns) {
                    *place = (row[column] - mean) * inverse;
                }
            }
            let scaled = &mut self.chunk[at..];
            scaled[weights.len()] = 1.0;
            let logit = intercept[0] + dot(weights, &scaled[..weights.len()]);

            // e^−|t| serves both logarithms and the probability without overflow.
            let small = (-logit.abs()).exp();
            // ln(1 + e^t) = ln(1 + e^−|t|) + max(t, 0)
            self.softplus_product *= 1.0 + small;
            self.loss += weight.up * (-logit).max(0.0) + weight.down * logit.max(0.0);
            let larger = 1.0 / (1.0 + small);
            let probability = if logit >= 0.0 { larger } else { small * larger };
            let residual = probability - weight.up;
            let root = small.sqrt() * larger;
            for (gradient, value) in self.gradient.iter_mut().zip(scaled) {
                *gradient += residual * *value;
                *value *= root;
            }
            if self.chunk.len() == CHUNK_ROWS * self.width {
                self.multiply();
            }
        }
        self.multiply();
    }

    fn merge(&mut self, later: Self) {
        self.loss += later.loss;
        for (sum, value) in self.gradient.iter_mut().zip(later.gradient) {
            *sum += value;
        }
        for (sum, value) in self.hessian.iter_mut().zip(later.hessian) {
            *sum += value;
        }
    }
}

/// Four sums side by side, in a fixed order.
#[inline]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_fours, a_rest) = a.as_chunks::<4>();
    let (b_fours, b_rest) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in a_fours.iter().zip(b_fours) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}

/// The penalised objective at a point.
struct At {
    objective: f64,
    gradient: Vec<f64>,
    hessian: Vec<f64>,
}

impl At {
    fn gradient_max(&self) -> f64 {
        self.gradient.iter().fold(0.0, |max, component| component.abs().max(max))
    }
}

fn evaluate(design: &Design<'_>, c: f64, point: &[f64], inverse_scale: &[f64], with_hessian: bool) -> io::Result<At> {
    let sums = passes::sum(design.table, design.rows, design.threads, || {
        Derivatives::new(design, point, inverse_scale, with_hessian)
    })?;
    let count = point.len();
    let (weights, _) = point.split_at(count - 1);
    let mut gradient: Vec<f64> = sums.gradient.iter().map(|component| c * component).collect();
    let hessian = sums.hessian.chunks_exact(sums.width).take(count).flat_map(|row| &row[..count]);
    let mut hessian: Vec<f64> = hessian.map(|component| c * component).collect();
    for (at, weight) in weights.iter().enumerate() {
        gradient[at] += weight;
        hessian[at * count + at] += 1.0;
    }
    Ok(At { objective: c * sums.loss + dot(weights, weights) / 2.0, gradient, hessian })
}

/// −H⁻¹·g, or `None` where the Hessian is numerically not positive definite.
fn newton_step(at: &At) -> Option<Vec<f64>> {
    let downhill: Vec<f64> = at.gradient.iter().map(|component| -component).collect();
    let step = matrix::solve(&at.hessian, &downhill)?;
    step.iter().all(|component| component.is_finite()).then_some(step)
}

/// Solves the regression. `start` is a fit nearby, if one is known; `stop` says that somebody asked for the end.
///
/// An iteration is one pass over the rows, or two where a full step went too far.
///
/// # Errors
/// See [`FitError`].
pub fn fit(design: &Design<'_>, c: f64, start: Option<&Fit>, stop: &dyn Fn() -> bool) -> Result<Fit, FitError> {
    let coarse = if start.is_none() { coarse_fit(design, c, stop)? } else { None };
    solve(design, c, start.or(coarse.as_ref()), DECREMENT_SQUARED, stop)
}

/// A fit to a sixteenth of the rows, from all over the time, as a start that saves passes over all; `None` for few rows.
fn coarse_fit(design: &Design<'_>, c: f64, stop: &dyn Fn() -> bool) -> Result<Option<Fit>, FitError> {
    let whole: usize = design.rows.iter().map(Range::len).sum();
    if whole < COARSE_FROM_ROWS {
        return Ok(None);
    }
    let stretch = (whole / COARSE_STRETCHES).clamp(COARSE_SHARE, super::table::BLOCK_ROWS);
    let rows: Vec<Range<usize>> = design
        .rows
        .iter()
        .flat_map(|rows| rows.clone().step_by(stretch).map(|at| at..rows.end.min(at + stretch / COARSE_SHARE)))
        .collect();
    let mut up_and_down = (0.0, 0.0);
    for key in rows.iter().flat_map(|rows| &design.table.keys()[rows.clone()]) {
        let weight = design.ties.weight(key.sign);
        up_and_down = (up_and_down.0 + weight.up, up_and_down.1 + weight.down);
    }
    // Without both outcomes the intercept would run away.
    if up_and_down.0.min(up_and_down.1) < COARSE_OUTCOMES_MIN {
        return Ok(None);
    }
    let coarse = Design { rows: &rows, ..*design };
    match solve(&coarse, c * COARSE_SHARE as f64, None, COARSE_DECREMENT_SQUARED, stop) {
        Ok(fit) => Ok(Some(fit)),
        Err(FitError::NotConverged { .. } | FitError::NotFinite) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Newton's method until the squared decrement is below `enough`.
fn solve(
    design: &Design<'_>,
    c: f64,
    start: Option<&Fit>,
    enough: f64,
    stop: &dyn Fn() -> bool,
) -> Result<Fit, FitError> {
    let inverse_scale = design.scaler.inverse_scale();
    let mut point = match start {
        Some(fit) => fit.weights.iter().copied().chain([fit.intercept]).collect(),
        None => vec![0.0; design.columns.len() + 1],
    };
    let mut passes = 1;
    let mut here = evaluate(design, c, &point, &inverse_scale, true)?;
    for iterations in 1..=ITERATIONS_MAX {
        if stop() {
            return Err(FitError::Interrupted);
        }
        if !here.objective.is_finite() {
            return Err(FitError::NotFinite);
        }
        // Where curvature has vanished, far out, the gradient's direction is as good as any.
        let mut step = newton_step(&here).unwrap_or_else(|| here.gradient.iter().map(|component| -component).collect());
        let decrement_squared = -dot(&here.gradient, &step);
        let last = decrement_squared <= enough;
        let mut moved = false;
        for _ in 0..SHORTENINGS_MAX {
            let next: Vec<f64> = point.iter().zip(&step).map(|(from, step)| from + step).collect();
            let there = evaluate(design, c, &next, &inverse_scale, !last)?;
            passes += 1;
            // At the bottom the objective no longer tells better from worse.
            let rounding = 1e-12 * here.objective.abs();
            if there.objective <= here.objective + rounding {
                (point, here) = (next, there);
                moved = true;
                break;
            }
            step.iter_mut().for_each(|component| *component /= 4.0);
        }
        if !moved {
            break;
        }
        if last {
            let intercept = point.pop().expect("the intercept is there");
            return Ok(Fit {
                weights: point,
                intercept,
                objective: here.objective,
                gradient_max: here.gradient_max(),
                iterations,
                passes,
            });
        }
    }
    Err(FitError::NotConverged { gradient_max: here.gradient_max() })
}

/// The mean loss per unit of weight of a fit on a design's rows, without the penalty; NaN without rows.
///
/// # Errors
/// The table's file cannot be read.
pub fn mean_loss(design: &Design<'_>, fit: &Fit) -> io::Result<f64> {
    let inverse_scale = design.scaler.inverse_scale();
    let point: Vec<f64> = fit.weights.iter().copied().chain([fit.intercept]).collect();
    let sums = passes::sum(design.table, design.rows, design.threads, || {
        Derivatives::new(design, &point, &inverse_scale, false)
    })?;
    let keys = design.rows.iter().flat_map(|rows| &design.table.keys()[rows.clone()]);
    Ok(sums.loss / keys.map(|key| design.ties.weight(key.sign).total()).sum::<f64>())
}

/// How the scaled features depend on each other.
#[derive(Clone, Debug)]
pub struct Dependence {
    /// The correlation matrix's eigenvalues, from the smallest.
    pub eigenvalues: Vec<f64>,
    /// Pairs of features (by place) with their correlation, strongest first, above 0.99 by amount.
    pub pairs: Vec<(usize, usize, f64)>,
}

/// Correlations above this, by amount, are reported.
pub const CORRELATION_REPORTED: f64 = 0.99;

impl Dependence {
    /// Correlations of the design's features over its rows.
    ///
    /// # Errors
    /// The table's file cannot be read, or the matrix has no eigenvalues because it is not finite.
    pub fn of(design: &Design<'_>) -> Result<Self, FitError> {
        let count = design.columns.len();
        let inverse_scale = design.scaler.inverse_scale();
        // At the origin every row has a curvature of a quarter of its weight: the Hessian there is the weighted products.
        let origin = vec![0.0; count + 1];
        let products = passes::sum(design.table, design.rows, design.threads, || {
            Derivatives::new(design, &origin, &inverse_scale, true)
        })?;
        let at = |row: usize, column: usize| products.hessian[row.min(column) * products.width + row.max(column)];
        let correlation =
            |row: usize, column: usize| match (design.scaler.constant[row], design.scaler.constant[column]) {
                (false, false) => at(row, column) / (at(row, row) * at(column, column)).sqrt(),
                _ => f64::from(u8::from(row == column)),
            };
        let correlations: Vec<f64> = (0..count * count).map(|at| correlation(at / count, at % count)).collect();
        let eigenvalues = matrix::eigenvalues(&correlations, count).ok_or(FitError::NotFinite)?;
        let mut pairs: Vec<(usize, usize, f64)> = (0..count)
            .flat_map(|a| (a + 1..count).map(move |b| (a, b)))
            .map(|(a, b)| (a, b, correlation(a, b)))
            .filter(|(_, _, correlation)| correlation.abs() > CORRELATION_REPORTED)
            .collect();
        pairs.sort_by(|(_, _, a), (_, _, b)| b.abs().total_cmp(&a.abs()));
        Ok(Self { eigenvalues, pairs })
    }

    /// The ratio of the largest eigenvalue to the smallest; infinite where features depend on each other exactly.
    pub fn condition_number(&self) -> f64 {
        let (smallest, largest) =
            (self.eigenvalues.first().copied().unwrap_or(1.0), self.eigenvalues.last().copied().unwrap_or(1.0));
        if smallest <= 0.0 { f64::INFINITY } else { largest / smallest }
    }
}
