//! Choosing the penalty by blocked cross-validation inside the rows to fit on.
//!
//! ```
//! use papertrader::research::penalty::{Tried, best};
//!
//! let tried = [Tried { c: 0.1, log_loss: 0.6 }, Tried { c: 1.0, log_loss: 0.5 }, Tried { c: 10.0, log_loss: 0.5 }];
//! assert_eq!(best(&tried), Some(tried[1]));
//! ```

use super::fit::{Design, Fit, FitError, fit, mean_loss};
use super::folds::{outside, stretch};
use super::scaler::Scaler;
use super::table::Table;
use crate::statistics::labels::Ties;
use serde::Serialize;
use std::ops::Range;

/// Blocks of time; each is tested on once.
pub const FOLDS: usize = 5;
/// The values of C that are tried.
pub const GRID: [f64; 9] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4];

/// How a value of C did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// The value.
    pub c: f64,
    /// Mean log-loss on the blocks left out.
    pub log_loss: f64,
}

/// What the penalty is chosen for.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The rows.
    pub table: &'a Table,
    /// Which of its columns are features.
    pub columns: &'a [usize],
    /// The rows to fit on, in order.
    pub rows: &'a [Range<usize>],
    /// How rows weigh whose mid stays.
    pub ties: Ties,
    /// Rows left out behind a block, besides those that its labels reach.
    pub embargo: usize,
    /// How many threads may work.
    pub threads: usize,
}

/// Tries the grid, from the strongest penalty to the weakest; tells of each fit by `step`.
///
/// # Errors
/// A fit fails.
pub fn try_grid(search: &Search<'_>, stop: &dyn Fn() -> bool, step: &dyn Fn()) -> Result<Vec<Tried>, FitError> {
    let Search { table, columns, rows, ties, embargo, threads } = *search;
    let count: usize = rows.iter().map(Range::len).sum();
    let mut losses = [(0.0, 0.0); GRID.len()];
    for fold in 0..FOLDS {
        let at = |fold: usize| count * fold / FOLDS;
        let tested_on = stretch(rows, at(fold)..at(fold + 1));
        let fitted_on = outside(table.keys(), rows, &tested_on, embargo);
        if tested_on.is_empty() || fitted_on.is_empty() {
            continue;
        }
        let weight = (at(fold + 1) - at(fold)) as f64;
        let scaler = Scaler::fit(table, columns, &fitted_on, ties, threads)?;
        let inside = Design { table, columns, rows: &fitted_on, ties, scaler: &scaler, threads };
        let outside = Design { rows: &tested_on, ..inside };
        let mut start: Option<Fit> = None;
        for (c, (loss, total)) in GRID.into_iter().zip(&mut losses) {
            let found = fit(&inside, c, start.as_ref(), stop)?;
            *loss += weight * mean_loss(&outside, &found)?;
            *total += weight;
            start = Some(found);
            step();
        }
    }
    Ok(GRID.into_iter().zip(losses).map(|(c, (loss, total))| Tried { c, log_loss: loss / total }).collect())
}

/// The value with the least loss; of equals the strongest penalty.
pub fn best(tried: &[Tried]) -> Option<Tried> {
    tried
        .iter()
        .copied()
        .filter(|tried| tried.log_loss.is_finite())
        .reduce(|best, next| if next.log_loss < best.log_loss { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_of_the_best_is_chosen() {
        let tried = |c, log_loss| Tried { c, log_loss };
        assert_eq!(best(&[tried(0.1, 0.7), tried(1.0, 0.5), tried(10.0, 0.5)]), Some(tried(1.0, 0.5)));
        assert_eq!(best(&[tried(0.1, f64::NAN)]), None);
    }
}
