//! Choosing features: forward selection by purged cross-validation inside the rows to fit on.
//!
//! From no feature on, the one is added whose model has the least mean log-loss on the blocks left out, until there are as many
//! as are allowed. Of the path the shortest set is taken whose loss lies within one standard error of the least, the standard
//! error being that of the paired differences between blocks (the one-standard-error rule of Breiman, Friedman, Olshen and Stone
//! 1984, section 3.4.3, as paired differences). The loss by which features were chosen flatters them: what the choice is worth is
//! told by rows that had no part in it alone.
//!
//! ```
//! use papertrader::research::feature_choice::{Chooser, Step};
//! use papertrader::research::regression::Fitting;
//! use papertrader::research::table::{RowKey, Table};
//! use papertrader::statistics::labels::Ties;
//! use papertrader::strategy::features::{Feature, Input};
//!
//! // The first column foretells the sign, the second is noise.
//! let mut table = Table::new(2, 1 << 20);
//! for at in 0..400_u64 {
//!     let sign = if at * 7919 % 13 < 6 { 1 } else { -1 };
//!     let values = [f64::from(sign) + (at * 31 % 17) as f64 / 4.0, (at * 57 % 11) as f64];
//!     table.push(RowKey { ordinal: at, sequence: at, until: at + 2, capture: 0, sign }, &values)?;
//! }
//! table.finish()?;
//! let inputs = [Feature::Imbalance(1).into(), Feature::Imbalance(2).into()];
//! let fitting = Fitting { table: &table, inputs: &inputs, ties: Ties::Drop, c: Some(1.0), embargo: 0, threads: 1 };
//! let chooser = Chooser { fitting, candidates: 2, at_most: 2 };
//! let choice = chooser.choose(&[0..400], &|| false, &|| ())?;
//! assert_eq!(choice.columns(), [0]);
//! // Of one feature both sets, of two features one.
//! assert_eq!(choice.sets, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::fit::{Design, Fit, FitError, fit, mean_loss};
use super::folds::{outside, stretch};
use super::penalty::FOLDS;
use super::regression::{Fitting, NoRegression};
use super::scaler::Scaler;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// The penalty's inverse strength while features are chosen, where none is given.
const C: f64 = 1.0;

/// What to choose from.
#[derive(Clone, Copy, Debug)]
pub struct Chooser<'a> {
    /// How regressions are made.
    pub fitting: Fitting<'a>,
    /// The first so many columns of the table are the candidates.
    pub candidates: usize,
    /// The most features.
    pub at_most: usize,
}

/// A feature of the path.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The column that was added.
    pub column: usize,
    /// The mean log-loss with it on the blocks left out.
    pub log_loss: f64,
    /// By block.
    block_losses: Vec<f64>,
}

/// What was chosen, and from what.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The path, as far as it was walked.
    pub path: Vec<Step>,
    /// How many features of it are taken.
    pub taken: usize,
    /// How many sets of features were tried.
    pub sets: usize,
}

impl Choice {
    /// The chosen columns, in the table's order.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = self.path[..self.taken].iter().map(|step| step.column).collect();
        columns.sort_unstable();
        columns
    }
}

/// A block of rows that is left out, with the scaler of the others.
struct Block {
    tested_on: Vec<Range<usize>>,
    fitted_on: Vec<Range<usize>>,
    scaler: Scaler,
    /// The candidates' weights and the intercept of the path so far.
    fit: Option<Fit>,
}

impl Chooser<'_> {
    /// How many sets of features a choice tries.
    pub fn sets(candidates: usize, at_most: usize) -> usize {
        (0..at_most.min(candidates)).map(|taken| candidates - taken).sum()
    }

    /// Chooses by some rows, given in order. `step` is told of every set that was tried, by any thread.
    ///
    /// # Errors
    /// See [`NoRegression`].
    pub fn choose(
        &self,
        rows: &[Range<usize>],
        stop: &(dyn Fn() -> bool + Sync),
        step: &(dyn Fn() + Sync),
    ) -> Result<Choice, NoRegression> {
        let mut blocks = self.blocks(rows)?;
        if blocks.is_empty() {
            return Err(NoRegression::NoChoice);
        }
        let mut path: Vec<Step> = Vec::new();
        let mut sets = 0;
        while path.len() < self.at_most.min(self.candidates) {
            let taken: Vec<usize> = path.iter().map(|step| step.column).collect();
            let candidates: Vec<usize> = (0..self.candidates).filter(|column| !taken.contains(column)).collect();
            sets += candidates.len();
            let tried = self.try_all(&blocks, &taken, &candidates, stop, step)?;
            let best = tried
                .into_iter()
                .filter(|(step, _)| step.log_loss.is_finite())
                .reduce(|best, next| if next.0.log_loss < best.0.log_loss { next } else { best });
            let Some((step, fits)) = best else { break };
            path.push(step);
            blocks.iter_mut().zip(fits).for_each(|(block, fit)| block.fit = Some(fit));
        }
        if path.is_empty() {
            return Err(NoRegression::NoChoice);
        }
        Ok(Choice { taken: shortest(&path), path, sets })
    }

    fn blocks(&self, rows: &[Range<usize>]) -> Result<Vec<Block>, NoRegression> {
        let Fitting { table, ties, embargo, threads, .. } = self.fitting;
        let count: usize = rows.iter().map(Range::len).sum();
        let candidates: Vec<usize> = (0..self.candidates).collect();
        let mut blocks = Vec::new();
        for block in 0..FOLDS {
            let tested_on = stretch(rows, count * block / FOLDS..count * (block + 1) / FOLDS);
            let fitted_on = outside(table.keys(), rows, &tested_on, embargo);
            let (tested, fitted) = (self.fitting.weight(&tested_on), self.fitting.weight(&fitted_on));
            if tested.total() == 0.0 || fitted.up == 0.0 || fitted.down == 0.0 {
                continue;
            }
            let scaler = Scaler::fit(table, &candidates, &fitted_on, ties, threads)?;
            blocks.push(Block { tested_on, fitted_on, scaler, fit: None });
        }
        Ok(blocks)
    }

    /// Each candidate beside what is taken, in the candidates' order.
    fn try_all(
        &self,
        blocks: &[Block],
        taken: &[usize],
        candidates: &[usize],
        stop: &(dyn Fn() -> bool + Sync),
        step: &(dyn Fn() + Sync),
    ) -> Result<Vec<(Step, Vec<Fit>)>, NoRegression> {
        type Tried = Result<(Step, Vec<Fit>), FitError>;
        let next = AtomicUsize::new(0);
        let results: Vec<Mutex<Option<Tried>>> = candidates.iter().map(|_| Mutex::new(None)).collect();
        thread::scope(|scope| {
            for _ in 0..self.fitting.threads.clamp(1, candidates.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(&candidate) = candidates.get(at) else { break };
                        let tried = self.try_one(blocks, taken, candidate, stop);
                        *results[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(tried);
                        step();
                    }
                });
            }
        });
        let results = results.into_iter().map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(results.map(|tried| tried.expect("every candidate was tried")).collect::<Result<_, _>>()?)
    }

    fn try_one(
        &self,
        blocks: &[Block],
        taken: &[usize],
        candidate: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<(Step, Vec<Fit>), FitError> {
        let Fitting { table, ties, c, .. } = self.fitting;
        let columns: Vec<usize> = taken.iter().copied().chain([candidate]).collect();
        let (mut losses, mut fits) = (Vec::new(), Vec::new());
        let (mut sum, mut weight) = (0.0, 0.0);
        for block in blocks {
            let of = |values: &[f64]| columns.iter().map(|&column| values[column]).collect();
            let scaler = Scaler {
                mean: of(&block.scaler.mean),
                scale: of(&block.scaler.scale),
                constant: columns.iter().map(|&column| block.scaler.constant[column]).collect(),
            };
            // One thread: the candidates are tried side by side.
            let inside = Design { table, columns: &columns, rows: &block.fitted_on, ties, scaler: &scaler, threads: 1 };
            let start = block.fit.as_ref().map(|fit| {
                let weights = fit.weights.iter().copied().chain([0.0]).collect();
                Fit { weights, ..fit.clone() }
            });
            let found = fit(&inside, c.unwrap_or(C), start.as_ref(), stop)?;
            let loss = mean_loss(&Design { rows: &block.tested_on, ..inside }, &found)?;
            let rows = self.fitting.weight(&block.tested_on).total();
            (sum, weight) = (sum + rows * loss, weight + rows);
            losses.push(loss);
            fits.push(found);
        }
        Ok((Step { column: candidate, log_loss: sum / weight, block_losses: losses }, fits))
    }
}

/// The length of the shortest part of a path whose loss cannot be told from the least one: see the module.
fn shortest(path: &[Step]) -> usize {
    let least = path.iter().enumerate().min_by(|(_, a), (_, b)| a.log_loss.total_cmp(&b.log_loss));
    let Some((best, least)) = least else { return 0 };
    let within = |step: &Step| {
        let differences: Vec<f64> =
            step.block_losses.iter().zip(&least.block_losses).map(|(loss, least)| loss - least).collect();
        let count = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / count;
        let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
        // One block alone tells nothing of the spread.
        count > 1.0 && mean <= (squares / (count - 1.0) / count).sqrt()
    };
    path[..best].iter().position(within).unwrap_or(best) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_set_within_one_standard_error_is_taken() {
        let step = |column, block_losses: [f64; 4]| Step {
            column,
            log_loss: block_losses.iter().sum::<f64>() / 4.0,
            block_losses: block_losses.to_vec(),
        };
        let path = [
            step(4, [0.70, 0.68, 0.69, 0.69]),
            step(1, [0.66, 0.64, 0.65, 0.63]),
            // Better by 0.005 on average, and by no more than its differences scatter.
            step(7, [0.67, 0.62, 0.63, 0.64]),
            step(2, [0.68, 0.63, 0.64, 0.65]),
        ];
        assert_eq!(shortest(&path), 2);
        // Better in every block.
        let path = [step(4, [0.70, 0.68, 0.69, 0.69]), step(1, [0.69, 0.67, 0.68, 0.68])];
        assert_eq!(shortest(&path), 2);
        // The first is the best.
        assert_eq!(shortest(&[step(0, [0.5; 4]), step(1, [0.6; 4])]), 1);
        assert_eq!(Chooser::sets(5, 3), 12);
        assert_eq!(Chooser::sets(2, 9), 3);
    }
}
