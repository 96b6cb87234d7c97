//! How much a model loses where a feature tells it nothing: permutation importance (Breiman, Machine Learning 2001), in blocks of
//! time.
//!
//! A feature's values are taken from other rows, the model's logits are computed again, and its AUC and log-loss are compared with
//! those of the rows as they are. Rows are not shuffled one by one: the blocks of the bootstrap change places as wholes, so that a
//! feature that changes slowly still does. Blocks hold different numbers of rows; they are put behind each other in their new
//! order, and every row gets one value of the column, every value one row. The mean of several such permutations is told, with
//! its interval by the same paired resamples as every other difference.
//!
//! It is the importance for *this model* on *these rows*, not of a feature in itself. Where two features say nearly the same, the
//! model leans on either: alone, each can be taken away at little loss, and both look useless. And a row with one feature of
//! another time may be like no row that there ever was.
//!
//! ```
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::research::importance::{Permuting, importance};
//! use papertrader::research::scoring::{By, Contestant, Rules, score_and_keep};
//! use papertrader::research::source::{Nobody, Source, Watch};
//! use papertrader::research::table::Table;
//! use papertrader::statistics::bootstrap::BootstrapSettings;
//! use papertrader::statistics::labels::{LabelRule, Ties};
//! use papertrader::strategy::model::Model;
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 2,000 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let source = Source::open(&[synthetic::capture(folder.path(), 2_000)?], None, ScaleRule::default())?;
//! let text = r#"{"features": ["imbalance_1", "mid"], "intercept": 0.0, "coefficients": [2.0, 0.0]}"#;
//! let model = Model::parse("imbalance.json".as_ref(), text)?;
//! let contestants = [Contestant { name: "imbalance".into(), by: By::Model(Box::new(model.clone())) }];
//! let bootstrap = BootstrapSettings { block_s: Some(0.5), replicates: 100, seed: 1 };
//! let (label, ties) = (LabelRule::mid_after(20), Ties::Drop);
//! let rules = Rules { label, horizon: 20, ties, threshold: 0.6, buy_amount: 100.0, bootstrap, threads: 1 };
//!
//! // Its features are kept while it is scored.
//! let mut table = Table::new(2, 1 << 20);
//! let watch = Watch { bar: &Nobody, stop: &|| false };
//! let mut keep = |_: usize, key, features: &[f64]| table.push(key, features);
//! let (parts, _) = score_and_keep(&source, &contestants, &rules, 1, &|_, _, _| Some(0), &watch, &mut keep)?;
//! table.finish()?;
//!
//! let permuting = Permuting { part: &parts[0], table: &table, name: "imbalance", model: &model, repeats: 5 };
//! let found = importance(&permuting, &rules, &|| false, || {})?;
//! let drop = |at: usize| found.features[at].auc_drop.value;
//! assert!(drop(0) > Some(0.01));
//! // What has no weight has no importance.
//! assert_eq!(drop(1), Some(0.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::evaluation::Figure;
use super::passes::{Sum, sum};
use super::scoring::{Part, Rules};
use super::table::{RowKey, Table};
use crate::base::failure::Failure;
use crate::statistics::blocks::Cells;
use crate::statistics::bootstrap::{interval, resample};
use crate::statistics::labels::{Ties, Weight};
use crate::statistics::metrics::{Ranking, log_loss, pairs_won};
use crate::strategy::model::Model;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use std::io;
use std::ops::Range;
use std::slice;
use std::sync::{Mutex, PoisonError};

/// What a model loses without a feature.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureImportance {
    /// Its name.
    pub name: String,
    /// The AUC on the rows as they are less that with the feature permuted.
    pub auc_drop: Figure,
    /// The log-loss with the feature permuted less that on the rows as they are.
    pub log_loss_rise: Figure,
}

impl FeatureImportance {
    /// Whether an interval tells the loss from none; `None` without intervals.
    pub fn is_told(&self) -> Option<bool> {
        let intervals = [self.auc_drop.interval, self.log_loss_rise.interval];
        let mut told =
            intervals.into_iter().flatten().map(|interval| interval.low > 0.0 || interval.high < 0.0).peekable();
        told.peek()?;
        Some(told.any(|told| told))
    }
}

/// What a model loses without each of its features.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// The model, by its name among the contestants.
    pub of: String,
    /// Permutations, of whose losses the mean is told; the bootstrap's seed decides which.
    pub repeats: u32,
    /// In the model's order.
    pub features: Vec<FeatureImportance>,
}

impl Importance {
    /// The features with their places in the model, from the largest drop of the AUC.
    pub fn ranked(&self) -> Vec<(usize, &FeatureImportance)> {
        let mut features: Vec<_> = self.features.iter().enumerate().collect();
        let drop = |feature: &FeatureImportance| feature.auc_drop.value.unwrap_or(f64::NEG_INFINITY);
        features.sort_by(|(_, a), (_, b)| drop(b).total_cmp(&drop(a)));
        features
    }

    /// What should give pause.
    pub fn warning(&self) -> Option<String> {
        if self.features.iter().any(|feature| feature.auc_drop.value.is_none()) {
            return Some(format!(
                "{} has no importance of features: its rows lie in fewer than two blocks, or have one outcome only",
                self.of
            ));
        }
        let none_told = self.features.iter().all(|feature| feature.is_told() == Some(false));
        none_told.then(|| {
            format!(
                "no feature of {} matters beyond chance: the intervals of all drops in AUC and rises in log-loss hold 0; \
                 features that say the same hide each other",
                self.of
            )
        })
    }
}

/// Why there is no importance.
#[derive(Debug, thiserror::Error)]
pub enum ImportanceError {
    /// Somebody stopped the program.
    #[error("interrupted; nothing was written")]
    Interrupted,
    /// The table.
    #[error("cannot use the temporary feature cache: {0}")]
    Cache(#[from] io::Error),
}

impl From<ImportanceError> for Failure {
    fn from(error: ImportanceError) -> Self {
        Self::running(error)
    }
}

/// What is permuted.
#[derive(Clone, Copy, Debug)]
pub struct Permuting<'a> {
    /// The rows, of one model and not of several folds'.
    pub part: &'a Part,
    /// The model's features on each of them.
    pub table: &'a Table,
    /// The model's name.
    pub name: &'a str,
    /// It.
    pub model: &'a Model,
    /// Permutations of each feature.
    pub repeats: u32,
}

/// Permutes each feature of a model in turn. `stop` says that somebody asked for the end; `step` is told of every feature.
///
/// Beside the table it takes some 30 bytes a row for each permutation.
///
/// # Errors
/// See [`ImportanceError`].
///
/// # Panics
/// The table does not have the part's rows, or not the model's features, or the part is of several folds.
pub fn importance(
    permuting: &Permuting<'_>,
    rules: &Rules,
    stop: &(dyn Fn() -> bool + Sync),
    mut step: impl FnMut(),
) -> Result<Importance, ImportanceError> {
    let Permuting { part, table, name, model, repeats } = *permuting;
    assert_eq!((table.keys().len(), table.width()), (part.rows(), model.features.len()), "a row is a row of both");
    assert!(part.strata.is_empty(), "the rows are one model's");
    let blocks = part.blocks(rules);
    let (cells, ties) = (&blocks.cells, rules.ties);
    let stretches = stretches(cells);
    // One block cannot change places.
    let is_permuted = stretches.len() > 1;
    let orders: Vec<Vec<u32>> = (0..repeats).map(|repeat| order(&stretches, blocks.bootstrap.seed, repeat)).collect();
    let evaluator = Evaluator { table, model, pool: Mutex::new(Vec::new()), threads: rules.threads, stop };
    let scored = |logits: &[f64]| Scored::new(logits, part, cells, ties);
    let resampled = |scored: &[Scored]| {
        resample(cells, blocks.bootstrap, rules.threads, |times| {
            // What is left of an interrupted run is thrown away below.
            if stop() { Vec::new() } else { scored.iter().map(|scored| scored.values(times)).collect() }
        })
    };
    let once = vec![1; cells.count];
    let as_they_are: Vec<Scored> =
        evaluator.logits(0, &[(0..part.rows() as u32).collect()])?.iter().map(|logits| scored(logits)).collect();
    let base = as_they_are[0].values(&once);
    let base_resampled = resampled(&as_they_are);

    let mut features = Vec::new();
    for feature in 0..model.features.len() {
        let permuted: Vec<Scored> = evaluator.logits(feature, &orders)?.iter().map(|logits| scored(logits)).collect();
        let values: Vec<Pair> = permuted.iter().map(|scored| scored.values(&once)).collect();
        let point = mean_change(&base, &values);
        let changes: Vec<Pair> = base_resampled
            .iter()
            .zip(resampled(&permuted))
            .map(|(base, values)| mean_change(&base[0], &values))
            .collect();
        if stop() {
            return Err(ImportanceError::Interrupted);
        }
        let figure = |which: usize, sign: f64| {
            // A negative of 0 is 0.
            let point = if is_permuted { sign * point[which] + 0.0 } else { f64::NAN };
            let resampled = changes.iter().map(|change| sign * change[which]).collect();
            Figure::new(point, interval(point, resampled, cells.blocks()))
        };
        features.push(FeatureImportance {
            name: model.features[feature].to_string(),
            auc_drop: figure(0, -1.0),
            log_loss_rise: figure(1, 1.0),
        });
        step();
    }
    Ok(Importance { of: name.into(), repeats, features })
}

/// AUC and log-loss.
type Pair = [f64; 2];

/// The mean, over permutations, of what is permuted less what is not: of equal numbers exactly 0.
fn mean_change(base: &Pair, permuted: &[Pair]) -> Pair {
    [0, 1].map(|which| permuted.iter().map(|values| values[which] - base[which]).sum::<f64>() / permuted.len() as f64)
}

/// The rows of each block, of those that have any. The last may be shorter than a block.
fn stretches(cells: &Cells) -> Vec<Range<usize>> {
    let block = |cell: &u32| *cell as usize / cells.per_block.max(1);
    let mut from = 0;
    let stretch = |rows: &[u32]| {
        from += rows.len();
        from - rows.len()..from
    };
    cells.of_row.chunk_by(|a, b| block(a) == block(b)).map(stretch).collect()
}

/// From which row each row takes its value: the stretches in another order, each as likely as any other (Fisher and Yates).
fn order(stretches: &[Range<usize>], seed: u64, repeat: u32) -> Vec<u32> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed ^ (u64::from(repeat) << 32 | 0x1a70_57a1));
    let mut stretches = stretches.to_vec();
    for last in (1..stretches.len()).rev() {
        // Uniform in 0..=last, with a bias below count / 2^64.
        let other = ((u128::from(random.next_u64()) * (last as u128 + 1)) >> 64) as usize;
        stretches.swap(last, other);
    }
    stretches.into_iter().flatten().map(|row| row as u32).collect()
}

/// A model and rows for it.
struct Evaluator<'a> {
    table: &'a Table,
    model: &'a Model,
    /// Copies that no thread uses at the moment; a model computes in its own memory.
    pool: Mutex<Vec<Model>>,
    threads: usize,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl Evaluator<'_> {
    /// The logits of all rows by each order of a feature's column.
    fn logits(&self, feature: usize, orders: &[Vec<u32>]) -> Result<Vec<Vec<f64>>, ImportanceError> {
        let all = 0..self.table.keys().len();
        let all = slice::from_ref(&all);
        let Column { values: column, .. } =
            sum(self.table, all, self.threads, || Column { feature, width: self.table.width(), values: Vec::new() })?;
        let empty =
            || Logits { evaluator: self, feature, column: &column, orders, by_order: vec![Vec::new(); orders.len()] };
        let Logits { by_order, .. } = sum(self.table, all, self.threads, empty)?;
        if (self.stop)() { Err(ImportanceError::Interrupted) } else { Ok(by_order) }
    }
}

/// Takes a column out of a table.
struct Column {
    feature: usize,
    width: usize,
    values: Vec<f64>,
}

impl Sum for Column {
    fn add(&mut self, _: &[RowKey], values: &[f64]) {
        self.values.extend(values.chunks_exact(self.width).map(|row| row[self.feature]));
    }

    fn merge(&mut self, later: Self) {
        self.values.extend(later.values);
    }
}

/// Logits of rows with values of one feature from other rows, one order after the other.
struct Logits<'a> {
    evaluator: &'a Evaluator<'a>,
    feature: usize,
    column: &'a [f64],
    orders: &'a [Vec<u32>],
    by_order: Vec<Vec<f64>>,
}

impl Sum for Logits<'_> {
    fn add(&mut self, keys: &[RowKey], values: &[f64]) {
        let Evaluator { table, model, pool, stop, .. } = self.evaluator;
        // What is missing then is never looked at.
        if stop() {
            return;
        }
        let free = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut model = free.unwrap_or_else(|| Model::clone(model));
        let mut row = Vec::with_capacity(table.width());
        for (key, own) in keys.iter().zip(values.chunks_exact(table.width())) {
            row.clear();
            row.extend_from_slice(own);
            for (order, logits) in self.orders.iter().zip(&mut self.by_order) {
                row[self.feature] = self.column[order[key.ordinal as usize] as usize];
                logits.push(model.logit_of_row(&row));
            }
        }
        pool.lock().unwrap_or_else(PoisonError::into_inner).push(model);
    }

    fn merge(&mut self, later: Self) {
        self.by_order.iter_mut().zip(later.by_order).for_each(|(logits, later)| logits.extend(later));
    }
}

/// A row in the order of its score. Resamples go over these, so that only the cells' counts are looked up here and there.
struct Ranked {
    cell: u32,
    sign: i8,
    /// Whether its score is that of the one before it.
    is_same: bool,
}

/// Logits made ready for many resamples.
struct Scored {
    /// From the lowest logit.
    ranked: Vec<Ranked>,
    /// By cell: sums of losses, and of weights.
    losses: Vec<(f64, f64)>,
    ties: Ties,
}

impl Scored {
    fn new(logits: &[f64], part: &Part, cells: &Cells, ties: Ties) -> Self {
        let mut losses = vec![(0.0, 0.0); cells.count];
        for ((&logit, &sign), &cell) in logits.iter().zip(&part.signs).zip(&cells.of_row) {
            let weight = ties.weight(sign);
            if weight.total() > 0.0 {
                let (loss, total) = &mut losses[cell as usize];
                *loss += log_loss(logit, weight);
                *total += weight.total();
            }
        }
        let ranking = Ranking::new(logits, &part.signs, ties);
        let ranked =
            ranking.rows().map(|(row, is_same)| Ranked { cell: cells.of_row[row], sign: part.signs[row], is_same });
        Self { ranked: ranked.collect(), losses, ties }
    }

    /// With each cell taken as often as `times` says.
    fn values(&self, times: &[u32]) -> Pair {
        let (wins, pairs) = pairs_won(self.ranked.iter().map(|row| {
            let weight = self.ties.weight(row.sign);
            let times = f64::from(times[row.cell as usize]);
            (Weight { up: weight.up * times, down: weight.down * times }, row.is_same)
        }));
        let add = |(loss, total), (&(of_loss, of_total), &times): (&(f64, f64), &u32)| {
            (loss + f64::from(times) * of_loss, total + f64::from(times) * of_total)
        };
        let (loss, total) = self.losses.iter().zip(times).fold((0.0, 0.0), add);
        [wins / pairs, loss / total]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whole blocks change places: every row gives its value once, and within a block rows stay neighbours in their order.
        #[test]
        fn a_permutation_is_a_bijection_of_blocks(
            gaps in prop::collection::vec(0..4_u32, 1..300),
            per_block in 1..12_usize,
            seed: u64,
            repeat in 0..5_u32,
        ) {
            let of_row: Vec<u32> = gaps.iter().scan(0, |cell, gap| { *cell += gap; Some(*cell) }).collect();
            let count = *of_row.last().unwrap() as usize + 1;
            let cells = Cells { of_row, count, per_block, cell_s: 1.0 };
            let stretches = stretches(&cells);
            prop_assert_eq!(stretches.iter().cloned().flatten().collect::<Vec<_>>(), (0..gaps.len()).collect::<Vec<_>>());
            let block = |row: usize| cells.of_row[row] as usize / per_block;
            prop_assert!(stretches.iter().all(|rows| rows.clone().all(|row| block(row) == block(rows.start))));
            prop_assert!(stretches.windows(2).all(|pair| block(pair[0].start) < block(pair[1].start)));

            let order = order(&stretches, seed, repeat);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..gaps.len() as u32).collect::<Vec<_>>());
            // As many breaks as there are blocks at most, all at the edge of one.
            for pair in order.windows(2).filter(|pair| pair[1] != pair[0] + 1) {
                prop_assert!(stretches.iter().any(|rows| rows.end == pair[0] as usize + 1));
                prop_assert!(stretches.iter().any(|rows| rows.start == pair[1] as usize));
            }
        }
    }

    #[test]
    fn orders_are_the_seeds_and_all_come() {
        let stretches = [0..2, 2..3, 3..7];
        let drawn: Vec<Vec<u32>> = (0..600).map(|repeat| order(&stretches, 1, repeat)).collect();
        assert_eq!(drawn[5], order(&stretches, 1, 5));
        assert!((0..600).any(|repeat| order(&stretches, 2, repeat) != drawn[repeat as usize]));
        let mut kinds = drawn.clone();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), 6);
        // A sixth each, more or less.
        assert!(kinds.iter().all(|kind| (60..140).contains(&drawn.iter().filter(|order| *order == kind).count())));
    }

    #[test]
    fn equal_numbers_differ_by_nothing() {
        let base = [0.1 + 0.2, 1.0 / 3.0];
        assert_eq!(mean_change(&base, &[base; 5]), [0.0, 0.0]);
        assert_eq!(mean_change(&[0.5, 1.0], &[[0.25, 2.0], [0.75, 4.0]]), [0.0, 2.0]);
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let figure = |value: f64, interval: Option<(f64, f64)>| {
            let interval = interval.map(|(low, high)| crate::statistics::bootstrap::Interval { low, high });
            Figure { value: value.is_finite().then_some(value), interval }
        };
        let feature =
            |drop: Figure, rise: Figure| FeatureImportance { name: "f".into(), auc_drop: drop, log_loss_rise: rise };
        let of = |features: Vec<FeatureImportance>| Importance { of: "m".into(), repeats: 5, features };
        let (within, beyond) = (figure(0.1, Some((-0.1, 0.3))), figure(0.1, Some((0.05, 0.15))));
        let nothing = figure(0.0, Some((0.0, 0.0)));
        let said = "no feature of m matters beyond chance: the intervals of all drops in AUC and rises in log-loss hold 0; \
                    features that say the same hide each other";
        assert_eq!(of(vec![feature(within, within), feature(nothing, nothing)]).warning().as_deref(), Some(said));
        assert_eq!(of(vec![feature(within, within), feature(within, beyond)]).warning(), None);
        assert_eq!(of(vec![feature(figure(0.1, None), figure(0.1, None))]).warning(), None);
        let none = of(vec![feature(figure(f64::NAN, None), figure(f64::NAN, None))]);
        let said = "m has no importance of features: its rows lie in fewer than two blocks, or have one outcome only";
        assert_eq!(none.warning().as_deref(), Some(said));
        let largest_first =
            of(vec![feature(within, within), feature(figure(0.3, None), within), feature(nothing, within)]);
        assert_eq!(largest_first.ranked().iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 0, 2]);
    }
}
