//! From captures to a model: rows into a table, a cut in time, a fit on what is before it.
//!
//! ```
//! use papertrader::research::training::Cut;
//!
//! // The test part begins with frame 700 of capture 1. Rows belong to a part with the frames to which their labels look.
//! let cut = Cut { capture: 1, sequence: 700 };
//! assert_eq!(cut.part_of(0, 9_000, 9_020), Some(0));
//! assert_eq!(cut.part_of(1, 679, 699), Some(0));
//! assert_eq!(cut.part_of(1, 680, 700), None);
//! assert_eq!(cut.part_of(1, 700, 720), Some(1));
//! ```

use super::dataset::{FeatureRows, RowCounts};
use super::distribution::Sample;
use super::fit::{Dependence, Design, Fit, FitError, fit};
use super::scaler::Scaler;
use super::selection::{FOLDS, GRID, Selection, Tried, best, try_grid};
use super::source::{CaptureFacts, RowShape, Source, Watch, broken, total_counts, without_prints};
use super::source_error::{Broken, NoPrints, SourceError};
use super::table::{RowKey, Table};
use crate::base::failure::Failure;
use crate::statistics::labels::{LabelRule, Ties};
use crate::strategy::features::{self, Feature, FeatureSet, Input, InputsError};
use crate::strategy::model::ModelFile;
use serde::Serialize;
use std::io;
use std::ops::Range;

/// Fewer rows than this, or than two for each feature, are no training set.
const ROWS_MIN: usize = 100;

/// How to train.
#[derive(Clone, Debug)]
pub struct TrainSettings {
    /// What the model looks at.
    pub features: Vec<Input>,
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
    /// Every row has the same outcome.
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
    /// The cache.
    #[error("cannot use the temporary feature cache: {0}")]
    Cache(#[from] io::Error),
    /// The fit.
    #[error(transparent)]
    Fit(#[from] FitError),
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
        let of_rows =
            matches!(self, Self::TooFewRows { .. } | Self::OneClass { .. } | Self::AllConstant(_) | Self::NoChoice);
        if of_rows && !broken.is_none() { Self::Broken { error: Box::new(self), broken } } else { self }
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Source(error) => error.into(),
            TrainError::Cache(_) | TrainError::Fit(FitError::Interrupted | FitError::Table(_)) => Self::running(error),
            _ => Self::input(error),
        }
    }
}

/// Where the test part begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The first capture with rows of the test part.
    pub capture: u32,
    /// In it, the first frame of the test part.
    pub sequence: u64,
}

impl Cut {
    /// 0 for a row of the training part, 1 for one of the test part, `None` for one whose label, which looks to frame `until`, reaches
    /// from one into the other.
    pub fn part_of(self, capture: u32, sequence: u64, until: u64) -> Option<usize> {
        if (capture, sequence) >= (self.capture, self.sequence) {
            Some(1)
        } else if capture == self.capture && until >= self.sequence {
            None
        } else {
            Some(0)
        }
    }
}

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
            ..ModelFile::default()
        }
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
    /// Rows at equal distances, ties included.
    pub sample: Sample,
}

/// Steps that [`train`] tells of when it chooses C.
pub const SELECTION_STEPS: u64 = (FOLDS * GRID.len()) as u64;

/// Trains on captures. `selecting` is told of every fit of the cross-validation.
///
/// # Errors
/// See [`TrainError`].
pub fn train(
    source: &Source,
    settings: &TrainSettings,
    watch: &Watch<'_>,
    selecting: impl FnMut(),
) -> Result<Trained, TrainError> {
    let mut columns = settings.features.clone();
    let baseline_column = columns.iter().position(|feature| *feature == BASELINE).unwrap_or_else(|| {
        columns.push(BASELINE.into());
        settings.features.len()
    });
    features::check(&columns).map_err(TrainError::Features)?;
    let rows = read(source, &columns, settings, watch)?;
    if let Some(none) = without_prints(&columns, &rows.facts) {
        return Err(TrainError::NoPrints(none));
    }
    let counts = total_counts(&rows.facts, settings.label)?;
    let broken = broken(&rows.facts);
    fit_both(rows, counts, baseline_column, source.paths().len(), settings, watch, selecting)
        .map_err(|error| error.with(broken))
}

/// The feature of the model that every other one has to beat.
pub const BASELINE: Feature = Feature::Imbalance(1);

/// Fits the model, and the baseline of one column in the same way, to what lies before the cut.
fn fit_both(
    Rows { table, facts, outcomes: all_outcomes, labelled, sample }: Rows,
    counts: RowCounts,
    baseline_column: usize,
    captures: usize,
    settings: &TrainSettings,
    watch: &Watch<'_>,
    selecting: impl FnMut(),
) -> Result<Trained, TrainError> {
    let TrainSettings { features, ties, threads, .. } = settings;
    let (ties, threads) = (*ties, *threads);
    let (cut, rows) = cut(&table, labelled, settings.test_share, captures);
    let outcomes = check(&table, &rows, settings, labelled)?;
    let columns: Vec<usize> = (0..features.len()).collect();
    let rows_list = std::slice::from_ref(&rows);
    let (c, tried) = match settings.c {
        Some(c) => (c, Vec::new()),
        None => {
            let selection =
                Selection { table: &table, columns: &columns, rows: &rows, ties, embargo: settings.embargo, threads };
            let tried = try_grid(&selection, watch.stop, selecting)?;
            (best(&tried).ok_or(TrainError::NoChoice)?.c, tried)
        }
    };
    let scaler = Scaler::fit(&table, &columns, rows_list, ties, threads)?;
    if scaler.constant.iter().all(|&constant| constant) {
        return Err(TrainError::AllConstant(rows.len()));
    }
    let design = Design { table: &table, columns: &columns, rows: rows_list, ties, scaler: &scaler, threads };
    let dependence = Dependence::of(&design)?;
    let model = fit(&design, c, None, watch.stop)?;

    let baseline_columns = [baseline_column];
    let baseline_scaler = Scaler::fit(&table, &baseline_columns, rows_list, ties, threads)?;
    let baseline_design = Design { columns: &baseline_columns, scaler: &baseline_scaler, ..design };
    let baseline = fit(&baseline_design, c, None, watch.stop)?;
    let weights = outcomes_weight(outcomes, ties);
    Ok(Trained {
        base_rate: weights.0 / (weights.0 + weights.1),
        model: Regression { features: features.clone(), scaler: scaler.clone(), fit: model },
        baseline: Regression { features: vec![BASELINE.into()], scaler: baseline_scaler, fit: baseline },
        c,
        tried,
        rows: rows.len(),
        outcomes,
        dependence,
        cut,
        facts,
        counts,
        all_outcomes,
        disk_bytes: table.disk_bytes(),
        sample,
    })
}

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

/// Weights of up and of not up.
fn outcomes_weight(outcomes: Outcomes, ties: Ties) -> (f64, f64) {
    let tie = ties.weight(0);
    let tied = outcomes.ties as f64;
    (outcomes.up as f64 + tie.up * tied, outcomes.down as f64 + tie.down * tied)
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

/// Counts the outcomes of the rows to train on and refuses what cannot be trained on.
fn check(table: &Table, rows: &Range<usize>, settings: &TrainSettings, labelled: u64) -> Result<Outcomes, TrainError> {
    let mut outcomes = Outcomes::default();
    for key in &table.keys()[rows.clone()] {
        match key.sign {
            1 => outcomes.up += 1,
            0 => outcomes.ties += 1,
            _ => outcomes.down += 1,
        }
    }
    let needed = ROWS_MIN.max(2 * settings.features.len());
    if rows.len() < needed {
        let ties = labelled - table.keys().len() as u64;
        let features = settings.features.len();
        return Err(TrainError::TooFewRows { rows: rows.len(), features, labelled, ties, needed });
    }
    let (up, down) = outcomes_weight(outcomes, settings.ties);
    if up == 0.0 || down == 0.0 {
        let direction = match settings.ties {
            _ if down == 0.0 => "up",
            Ties::Down => "not up",
            _ => "down",
        };
        return Err(TrainError::OneClass { direction, rows: rows.len() });
    }
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_near_the_cut_belong_to_no_part() {
        let cut = Cut { capture: 1, sequence: 100 };
        for (capture, sequence, part) in [
            (0, 5000, Some(0)),
            (1, 79, Some(0)),
            (1, 80, None),
            (1, 99, None),
            (1, 100, Some(1)),
            (1, u64::MAX, Some(1)),
            (2, 0, Some(1)),
        ] {
            assert_eq!(cut.part_of(capture, sequence, sequence.saturating_add(20)), part, "{capture} {sequence}");
        }
    }

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
