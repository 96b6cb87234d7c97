//! From captures to a model: rows into a table, a cut in time, a fit on what is before it.
//!
//! ```
//! use papertrader::research::folds::Scheme;
//! use papertrader::research::training::TrainSettings;
//! use papertrader::statistics::labels::{LabelRule, Ties};
//! use papertrader::strategy::features::SEED;
//!
//! let settings = TrainSettings {
//!     features: SEED.map(Into::into).to_vec(),
//!     beside: Vec::new(),
//!     choose: None,
//!     validate: Some(Scheme::WalkForward(4)),
//!     label: LabelRule::mid_after(20),
//!     embargo: 0,
//!     ties: Ties::Drop,
//!     c: None,
//!     test_share: 0.3,
//!     memory_bytes: 1 << 30,
//!     threads: 2,
//! };
//! // Nine values of C on five blocks, for the model and, in four folds, for it and its baseline.
//! assert_eq!(settings.steps(), 45 * (1 + 4 * 2));
//! ```

use super::dataset::{FeatureRows, RowCounts};
use super::distribution::Sample;
use super::feature_choice::{Choice, Chooser};
use super::fit::{Dependence, Design};
use super::folds::{Cut, Scheme};
use super::penalty::{FOLDS, GRID, Tried};
use super::regression::{Fitting, NoRegression, Regression};
use super::source::{CaptureFacts, RowShape, Source, Watch, broken, total_counts, without_prints};
use super::source_error::{Broken, NoPrints, SourceError};
use super::table::{RowKey, Table};
use super::validation::{NoRefits, Procedure, Refits, Way, refit};
use crate::base::failure::Failure;
use crate::statistics::labels::{LabelRule, Ties};
use crate::strategy::features::{self, Feature, FeatureSet, Input, InputsError};
use serde::Serialize;
use std::io;
use std::ops::Range;

/// Fewer rows than this, or than two for each feature, are no training set.
const ROWS_MIN: usize = 100;

/// How to train.
#[derive(Clone, Debug)]
pub struct TrainSettings {
    /// What the model looks at, or may look at.
    pub features: Vec<Input>,
    /// What every row has to have besides, though no model looks at it.
    pub beside: Vec<Input>,
    /// The most features that are chosen of them; `None` to take all.
    pub choose: Option<usize>,
    /// How the model is judged inside the training part, if it is.
    pub validate: Option<Scheme>,
    /// What a row is scored against.
    pub label: LabelRule,
    /// Rows left out behind each block of the cross-validation, besides those that its labels reach.
    pub embargo: usize,
    /// How rows count whose mid stays.
    pub ties: Ties,
    /// The inverse strength of the penalty; `None` for the choice by cross-validation.
    pub c: Option<f64>,
    /// The share of the rows, the last in time, that is kept for the test; 0 where other captures are.
    pub test_share: f64,
    /// Bytes of rows that stay in memory.
    pub memory_bytes: usize,
    /// How many threads may work.
    pub threads: usize,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The captures.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Features that fill a model, so that the baseline's finds no room beside them.
    #[error("with imbalance_1 for the baseline beside them: {0}; leave one out")]
    Features(InputsError),
    /// Not enough rows.
    #[error(
        "too few rows: {rows} to train on with {features} features ({labelled} labelled rows in the captures, {ties} of them \
         ties that are left out); {needed} are needed"
    )]
    TooFewRows {
        /// To train on.
        rows: usize,
        /// In the model.
        features: usize,
        /// In all captures.
        labelled: u64,
        /// Left out.
        ties: u64,
        /// At least.
        needed: usize,
    },
    /// Features of the tape, and a capture without one.
    #[error("{0}; leave the capture or the features of the tape out")]
    NoPrints(NoPrints),
    /// The rows give no regression.
    #[error(transparent)]
    Regression(#[from] NoRegression),
    /// A fold of the validation gives none.
    #[error(transparent)]
    Refits(#[from] NoRefits),
    /// The cache.
    #[error("cannot use the temporary feature cache: {0}")]
    Cache(#[from] io::Error),
    /// One of those before, of captures whose books were broken.
    #[error("{error}{broken}")]
    Broken {
        /// Which.
        error: Box<TrainError>,
        /// What broke the books.
        broken: Broken,
    },
}

impl TrainError {
    /// An error of rows that have been read, which may be too few or too much alike because books were broken.
    fn with(self, broken: Broken) -> Self {
        let of_rows = match &self {
            Self::TooFewRows { .. } => true,
            Self::Regression(error) => error.is_of_rows(),
            Self::Refits(error) => error.is_of_rows(),
            _ => false,
        };
        if of_rows && !broken.is_none() { Self::Broken { error: Box::new(self), broken } } else { self }
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Source(error) => error.into(),
            TrainError::Cache(_) => Self::running(error),
            TrainError::Regression(of) | TrainError::Refits(NoRefits::Fold { source: of, .. })
                if of.is_of_running() =>
            {
                Self::running(of)
            }
            _ => Self::input(error),
        }
    }
}

impl Trained {
    /// The model's columns among the features that were given.
    pub fn columns(&self, settings: &TrainSettings) -> Vec<usize> {
        self.choice.as_ref().map_or_else(|| (0..settings.features.len()).collect(), Choice::columns)
    }
}

/// Rows by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// After which the mid is higher.
    pub up: u64,
    /// After which it is lower.
    pub down: u64,
    /// After which it is the same.
    pub ties: u64,
}

/// What training gives.
#[derive(Debug)]
pub struct Trained {
    /// The model.
    pub model: Regression,
    /// A model of `imbalance_1` alone, fitted in the same way to the same rows.
    pub baseline: Regression,
    /// The share of up in the rows trained on.
    pub base_rate: f64,
    /// The penalty's inverse strength.
    pub c: f64,
    /// How cross-validation chose it, if it did.
    pub tried: Vec<Tried>,
    /// Rows trained on.
    pub rows: usize,
    /// Their outcomes, as far as the table keeps them: ties that are left out are not among them.
    pub outcomes: Outcomes,
    /// How the features depend on each other.
    pub dependence: Dependence,
    /// Where the test part begins.
    pub cut: Cut,
    /// The captures.
    pub facts: Vec<CaptureFacts>,
    /// Their rows.
    pub counts: RowCounts,
    /// Outcomes of all labelled rows of the captures.
    pub all_outcomes: Outcomes,
    /// Bytes of rows that lay on disk.
    pub disk_bytes: u64,
    /// Rows of all features at equal distances, ties included.
    pub sample: Sample,
    /// How the features were chosen, if they were.
    pub choice: Option<Choice>,
    /// The refits by which the model is judged inside the training part.
    pub refits: Option<Refits>,
}

impl TrainSettings {
    /// Steps that [`train`] tells of: fits of cross-validations, and sets of features.
    pub fn steps(&self) -> u64 {
        let of_penalty = if self.c.is_none() { FOLDS * GRID.len() } else { 0 };
        let of_choice = self.choose.map_or(0, |at_most| Chooser::sets(self.features.len(), at_most));
        let folds = self.validate.map_or(0, |scheme| scheme.count() as usize);
        let procedures = if self.choose.is_some() { 4 } else { 2 };
        (of_choice * (1 + folds) + of_penalty * (1 + procedures * folds)) as u64
    }
}

/// Trains on captures. `step` is told of every fit of a cross-validation and every set of features.
///
/// # Errors
/// See [`TrainError`].
pub fn train(
    source: &Source,
    settings: &TrainSettings,
    watch: &Watch<'_>,
    step: &(dyn Fn() + Sync),
) -> Result<Trained, TrainError> {
    let mut columns = settings.features.clone();
    let baseline_column = columns.iter().position(|feature| *feature == BASELINE).unwrap_or_else(|| {
        columns.push(BASELINE.into());
        settings.features.len()
    });
    for input in &settings.beside {
        if !columns.contains(input) {
            columns.push(input.clone());
        }
    }
    features::check(&columns).map_err(TrainError::Features)?;
    let rows = read(source, &columns, settings, watch)?;
    if let Some(none) = without_prints(&columns, &rows.facts) {
        return Err(TrainError::NoPrints(none));
    }
    let counts = total_counts(&rows.facts, settings.label)?;
    let broken = broken(&rows.facts);
    let (cut, trained_on) = cut(&rows.table, rows.labelled, settings.test_share, source.paths().len());
    let part = TrainingPart { columns: &columns, baseline_column, cut, rows: trained_on };
    fit_all(rows, counts, &part, settings, watch, step).map_err(|error| error.with(broken))
}

/// The feature of the model that every other one has to beat.
pub const BASELINE: Feature = Feature::Imbalance(1);

/// The rows before the cut, and what their columns are.
struct TrainingPart<'a> {
    columns: &'a [Input],
    baseline_column: usize,
    cut: Cut,
    rows: Range<usize>,
}

/// Fits the model, the baseline of one column in the same way, and both to the folds of the validation.
fn fit_all(
    Rows { table, facts, outcomes: all_outcomes, labelled, sample }: Rows,
    counts: RowCounts,
    part: &TrainingPart<'_>,
    settings: &TrainSettings,
    watch: &Watch<'_>,
    step: &(dyn Fn() + Sync),
) -> Result<Trained, TrainError> {
    let TrainSettings { features, ties, c, embargo, threads, .. } = settings;
    let rows_list = std::slice::from_ref(&part.rows);
    let outcomes = check(&table, &part.rows, settings, labelled)?;
    let fitting =
        Fitting { table: &table, inputs: part.columns, ties: *ties, c: *c, embargo: *embargo, threads: *threads };
    let all: Vec<usize> = (0..features.len()).collect();
    let choice = match settings.choose {
        Some(at_most) => {
            let chooser = Chooser { fitting, candidates: features.len(), at_most };
            Some(chooser.choose(rows_list, watch.stop, step)?)
        }
        None => None,
    };
    let columns = choice.as_ref().map_or_else(|| all.clone(), Choice::columns);
    let model = fitting.fit(&columns, rows_list, watch.stop, step)?;
    if model.regression.scaler.constant.iter().all(|&constant| constant) {
        return Err(NoRegression::AllConstant(part.rows.len()).into());
    }
    // The same penalty, so that features alone tell the two apart.
    let same_penalty = Fitting { c: Some(model.c), ..fitting };
    let baseline = same_penalty.fit(&[part.baseline_column], rows_list, watch.stop, step)?;
    let design = Design {
        table: &table,
        columns: &columns,
        rows: rows_list,
        ties: *ties,
        scaler: &model.regression.scaler,
        threads: *threads,
    };
    let dependence = Dependence::of(&design).map_err(NoRegression::from)?;
    let refits = match settings.validate {
        Some(scheme) => {
            let alone = Procedure { name: BASELINE.to_string(), way: Way::Columns(vec![part.baseline_column]) };
            let procedures = match settings.choose {
                None => vec![Procedure { name: "model".into(), way: Way::Columns(columns) }, alone],
                Some(at_most) => vec![
                    Procedure { name: "model".into(), way: Way::Chosen { candidates: features.len(), at_most } },
                    Procedure { name: CHOSEN_BEFORE.into(), way: Way::Columns(columns) },
                    Procedure { name: "all candidates".into(), way: Way::Columns(all) },
                    alone,
                ],
            };
            Some(refit(&fitting, scheme, &part.rows, procedures, needed(settings), watch.stop, step)?)
        }
        None => None,
    };
    Ok(Trained {
        base_rate: model.base_rate,
        model: model.regression,
        baseline: baseline.regression,
        c: model.c,
        tried: model.tried,
        rows: part.rows.len(),
        outcomes,
        dependence,
        cut: part.cut,
        facts,
        counts,
        all_outcomes,
        disk_bytes: table.disk_bytes(),
        sample,
        choice,
        refits,
    })
}

/// The name of the features that were chosen by all rows, as they are judged on the folds of the validation.
pub const CHOSEN_BEFORE: &str = "chosen beforehand";

/// The rows of all captures.
struct Rows {
    /// Those that the ties rule counts.
    table: Table,
    /// Of each capture.
    facts: Vec<CaptureFacts>,
    /// Of all labelled rows.
    outcomes: Outcomes,
    /// Labelled rows.
    labelled: u64,
    /// Some of them.
    sample: Sample,
}

fn read(source: &Source, columns: &[Input], settings: &TrainSettings, watch: &Watch<'_>) -> Result<Rows, TrainError> {
    let mut table = Table::new(columns.len(), settings.memory_bytes);
    let mut outcomes = Outcomes::default();
    let mut labelled = 0;
    let mut sample = Sample::new(settings.features.len());
    let shape = RowShape { label: settings.label, every: 1 };
    let mut observer = FeatureRows::new(FeatureSet::new(columns));
    let facts = source.read_rows(shape, &mut observer, watch, &mut |row| {
        let Some(change) = row.change else { return Ok(()) };
        let outcome = match change.sign {
            1 => &mut outcomes.up,
            0 => &mut outcomes.ties,
            _ => &mut outcomes.down,
        };
        *outcome += 1;
        sample.see((row.head.capture, row.head.sequence, row.until), row.values);
        if settings.ties.weight(change.sign).total() > 0.0 {
            let (sequence, capture) = (row.head.sequence, row.head.capture);
            table.push(
                RowKey { ordinal: labelled, sequence, until: row.until, capture, sign: change.sign },
                row.values,
            )?;
        }
        labelled += 1;
        Ok(())
    })?;
    table.finish()?;
    Ok(Rows { table, facts, outcomes, labelled, sample })
}

/// Where the test part begins, and the rows of the table before it whose labels do not reach into it.
fn cut(table: &Table, labelled: u64, test_share: f64, captures: usize) -> (Cut, Range<usize>) {
    let keys = table.keys();
    let from = (labelled as f64 * (1.0 - test_share)).round() as u64;
    let at = keys.partition_point(|key| key.ordinal < from);
    let cut = match keys.get(at) {
        Some(key) if test_share > 0.0 => Cut { capture: key.capture, sequence: key.sequence },
        _ => Cut { capture: captures as u32, sequence: 0 },
    };
    let is_of_test = |key: &RowKey| cut.part_of(key.capture, key.sequence, key.until) != Some(0);
    (cut, 0..keys.iter().position(is_of_test).unwrap_or(keys.len()))
}

/// Rows that a training set has at least.
fn needed(settings: &TrainSettings) -> usize {
    ROWS_MIN.max(2 * settings.features.len())
}

/// Counts the outcomes of the rows to train on and refuses too few.
fn check(table: &Table, rows: &Range<usize>, settings: &TrainSettings, labelled: u64) -> Result<Outcomes, TrainError> {
    let mut outcomes = Outcomes::default();
    for key in &table.keys()[rows.clone()] {
        match key.sign {
            1 => outcomes.up += 1,
            0 => outcomes.ties += 1,
            _ => outcomes.down += 1,
        }
    }
    let needed = needed(settings);
    if rows.len() < needed {
        let ties = labelled - table.keys().len() as u64;
        let features = settings.features.len();
        return Err(TrainError::TooFewRows { rows: rows.len(), features, labelled, ties, needed });
    }
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_lies_at_the_share_of_all_rows() {
        let mut table = Table::new(1, usize::MAX);
        // Every third row is kept.
        for at in (0..900_u64).filter(|at| at.is_multiple_of(3)) {
            table.push(RowKey { ordinal: at, sequence: at + 7, until: at + 27, capture: 0, sign: 1 }, &[0.0]).unwrap();
        }
        table.finish().unwrap();
        let (at, rows) = cut(&table, 900, 0.3, 1);
        assert_eq!(at, Cut { capture: 0, sequence: 637 });
        assert_eq!(rows, 0..204);
        assert_eq!(table.keys()[203].sequence + 20, 636);
        assert_eq!(cut(&table, 900, 0.0, 1), (Cut { capture: 1, sequence: 0 }, 0..300));
    }
}
