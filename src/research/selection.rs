//! Choosing the penalty by blocked cross-validation inside the training part.
//!
//! ```
//! use papertrader::research::selection::{Tried, around, best};
//! use papertrader::research::table::RowKey;
//!
//! // Rows 40 to 59 are left out, and the 10 on both sides whose labels reach across an edge.
//! let key = |sequence| RowKey { ordinal: sequence, sequence, until: sequence + 10, capture: 0, sign: 1 };
//! let keys: Vec<RowKey> = (0..100).map(key).collect();
//! assert_eq!(around(&keys, &(0..100), &(40..60), 0), [0..30, 70..100]);
//!
//! let tried = [Tried { c: 0.1, log_loss: 0.6 }, Tried { c: 1.0, log_loss: 0.5 }, Tried { c: 10.0, log_loss: 0.5 }];
//! assert_eq!(best(&tried), Some(tried[1]));
//! ```

use super::fit::{Design, Fit, FitError, fit, mean_loss};
use super::scaler::Scaler;
use super::table::{RowKey, Table};
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

/// The rows to fit on while `left_out` is tested on: those before it up to the first whose label reaches into it, and those behind
/// it from the first on that no label of it reaches, less `embargo` rows (purging and embargo, López de Prado 2018, chapter 7).
pub fn around(keys: &[RowKey], rows: &Range<usize>, left_out: &Range<usize>, embargo: usize) -> [Range<usize>; 2] {
    let (first, last) = (keys[left_out.start], keys[left_out.end - 1]);
    let before = &keys[rows.start..left_out.start];
    let reaches = |key: &RowKey| (key.capture, key.until) >= (first.capture, first.sequence);
    let before = before.iter().position(reaches).unwrap_or(before.len());
    let ours = keys[left_out.clone()].iter().rev().take_while(|key| key.capture == last.capture);
    let until = ours.map(|key| key.until).max().unwrap_or(last.until);
    let after =
        keys[left_out.end..rows.end].partition_point(|key| (key.capture, key.sequence) <= (last.capture, until));
    let after = left_out.end + after;
    [rows.start..rows.start + before, after.saturating_add(embargo).min(rows.end).max(after)..rows.end]
}

/// What to choose from.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// The rows.
    pub table: &'a Table,
    /// Which of its columns are features.
    pub columns: &'a [usize],
    /// The training part.
    pub rows: &'a Range<usize>,
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
pub fn try_grid(
    selection: &Selection<'_>,
    stop: &dyn Fn() -> bool,
    mut step: impl FnMut(),
) -> Result<Vec<Tried>, FitError> {
    let Selection { table, columns, rows, ties, embargo, threads } = *selection;
    let mut losses = [(0.0, 0.0); GRID.len()];
    for fold in 0..FOLDS {
        let at = |fold: usize| rows.start + rows.len() * fold / FOLDS;
        let left_out = at(fold)..at(fold + 1);
        if left_out.is_empty() {
            continue;
        }
        let weight = left_out.len() as f64;
        let fitted_on = around(table.keys(), rows, &left_out, embargo);
        if fitted_on.iter().all(Range::is_empty) {
            continue;
        }
        let scaler = Scaler::fit(table, columns, &fitted_on, ties, threads)?;
        let tested_on = [left_out];
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
    fn no_label_reaches_across_the_edge_of_a_block() {
        let keys: Vec<RowKey> = (0..300_u64)
            .map(|at| RowKey {
                ordinal: at,
                sequence: at % 150 * 2,
                until: at % 150 * 2 + 20,
                capture: (at / 150) as u32,
                sign: 1,
            })
            .collect();
        let rows = 10..290;
        // Rows 100..120 of the first capture are frames 200 to 238.
        let [before, after] = around(&keys, &rows, &(100..120), 0);
        assert_eq!(before, 10..90);
        assert_eq!(keys[before.end - 1].sequence + 20, 198);
        assert_eq!(after, 130..290);
        assert_eq!(keys[after.start].sequence, 238 + 22);
        // At the beginning of a capture nothing reaches in.
        assert_eq!(around(&keys, &rows, &(150..160), 0), [10..150, 170..290]);
    }

    #[test]
    fn rows_are_purged_and_embargoed_as_defined() {
        let key = |at: u64| RowKey { ordinal: at, sequence: at, until: at + 2, capture: 0, sign: 1 };
        let keys: Vec<RowKey> = (0..12).map(key).collect();
        let train = |embargo| around(&keys, &(0..12), &(4..8), embargo).into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(train(1), [0, 1, 11]);
        assert_eq!(train(0), [0, 1, 10, 11]);
        assert_eq!(train(usize::MAX), [0, 1]);
    }

    #[test]
    fn spans_of_any_length_are_purged() {
        // Barriers: a long label among short ones, before the block and in it.
        let until = [1, 9, 3, 4, 5, 11, 7, 8, 9, 10, 11, 12];
        let key = |(at, &until): (usize, &u64)| RowKey {
            ordinal: at as u64,
            sequence: at as u64,
            until,
            capture: 0,
            sign: 1,
        };
        let keys: Vec<RowKey> = until.iter().enumerate().map(key).collect();
        assert_eq!(around(&keys, &(0..12), &(4..8), 0), [0..1, 12..12]);
        assert_eq!(around(&keys, &(0..12), &(6..8), 0), [0..1, 9..12]);
    }

    #[test]
    fn the_strongest_of_the_best_is_chosen() {
        let tried = |c, log_loss| Tried { c, log_loss };
        assert_eq!(best(&[tried(0.1, 0.7), tried(1.0, 0.5), tried(10.0, 0.5)]), Some(tried(1.0, 0.5)));
        assert_eq!(best(&[tried(0.1, f64::NAN)]), None);
    }
}
