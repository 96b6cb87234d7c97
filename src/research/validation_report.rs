//! What training has to say of how it came to its model: the validation, the choice of features, what was tried, the calibration.
//!
//! ```
//! use papertrader::research::validation_report::TriedReport;
//!
//! let tried = TriedReport { models: 3, penalties: 9, feature_sets: 0 };
//! assert_eq!(
//!     tried.headline().as_deref(),
//!     Some("3 models have been tested on these rows, this one included: the best of several looks better than it is."),
//! );
//! ```

use super::calibrating::CalibrationKind;
use super::evaluation::{Figure, PartReport, Valued};
use super::feature_choice::Step;
use super::regression::Fitted;
use super::scoring::{Part, Rules};
use super::training::{CHOSEN_BEFORE, Trained};
use super::validation::{Judged, Refit, Refits};
use crate::statistics::metrics::Metric;
use crate::strategy::attempts::Attempts;
use serde::Serialize;

/// A fold of the validation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoldReport {
    /// Rows that the model was fitted to.
    pub fitted_rows: usize,
    /// Rows that it was tested on.
    pub rows: u64,
    /// Receive times of the first and the last of them, Unix nanoseconds.
    pub span_ns: (i64, i64),
    /// The penalty's inverse strength.
    pub c: f64,
    /// What the model looks at.
    pub features: Vec<String>,
    /// The model's area under the curve.
    pub auc: Figure,
    /// The model's log-loss.
    pub log_loss: Figure,
    /// The area under the curve of the model of one feature.
    pub rival_auc: Figure,
}

/// The way to make the model, judged inside the training part by models that had not seen what they are judged by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValidationReport {
    /// As it is written.
    pub scheme: String,
    /// In words.
    pub meaning: String,
    /// Rows left out behind a block, besides those that its labels reach.
    pub embargo_rows: usize,
    /// In order of time.
    pub folds: Vec<FoldReport>,
    /// The rows of all folds.
    #[serde(flatten)]
    pub part: PartReport,
}

impl ValidationReport {
    /// What the folds showed.
    pub fn new(refits: &Refits, judged: &Judged, rules: &Rules, embargo_rows: usize) -> Self {
        let fold = |(refit, part): (&Refit, &Part)| {
            let report = part.report(&judged.contestants, rules);
            let (first, rival) = (&report.contestants[0], &report.contestants[report.contestants.len() - 1]);
            FoldReport {
                fitted_rows: refit.fitted_rows,
                rows: report.rows,
                span_ns: report.span_ns,
                c: refit.fitted[0].c,
                features: refit.fitted[0].regression.features.iter().map(ToString::to_string).collect(),
                auc: first.figure(Metric::Auc),
                log_loss: first.figure(Metric::LogLoss),
                rival_auc: rival.figure(Metric::Auc),
            }
        };
        Self {
            scheme: refits.scheme.to_string(),
            meaning: refits.scheme.meaning(),
            embargo_rows,
            folds: refits.folds.iter().zip(&judged.folds).map(fold).collect(),
            part: judged.whole.report(&judged.contestants, rules),
        }
    }
}

/// A feature of the path by which features were chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// Its name.
    pub feature: String,
    /// The mean log-loss with it on the blocks left out: what it was chosen by.
    pub log_loss: f64,
    /// Whether it is taken.
    pub taken: bool,
    /// How many folds of the validation chose it too.
    pub folds: usize,
}

/// How features were chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChoiceReport {
    /// From how many.
    pub candidates: usize,
    /// How many were taken.
    pub taken: usize,
    /// In the order in which they were added.
    pub path: Vec<StepReport>,
    /// The price of having chosen: log-loss of the choice repeated without the rows that it is judged by, minus that of the
    /// features that were chosen with them in view.
    pub price: Figure,
}

impl ChoiceReport {
    /// Of a training that chose, and its validation.
    pub fn new(trained: &Trained, candidates: &[String], validation: &ValidationReport) -> Option<Self> {
        let choice = trained.choice.as_ref()?;
        let step = |(at, step): (usize, &Step)| StepReport {
            feature: candidates[step.column].clone(),
            log_loss: step.log_loss,
            taken: at < choice.taken,
            folds: validation.folds.iter().filter(|fold| fold.features.contains(&candidates[step.column])).count(),
        };
        let difference = validation.part.differences.iter().find(|difference| difference.minus == CHOSEN_BEFORE);
        Some(Self {
            candidates: candidates.len(),
            taken: choice.taken,
            path: choice.path.iter().enumerate().map(step).collect(),
            price: difference.and_then(|difference| difference.figure(Metric::LogLoss))?,
        })
    }

    /// The choice in a sentence.
    pub fn headline(&self) -> String {
        let Self { candidates, taken, price, .. } = self;
        format!(
            "{taken} of {candidates} features were chosen; the price of having chosen is {} of log-loss: {}.",
            Valued(*price, true),
            match price.interval {
                Some(interval) if interval.low > 0.0 =>
                    "by so much features chosen with the tested rows in view look better than features chosen without them",
                Some(_) => "features chosen with the tested rows in view look no better, as far as the interval tells",
                None => "without an interval, nobody can tell by how much chance",
            }
        )
    }
}

/// What was tried for a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TriedReport {
    /// Models tested on these rows, this one included.
    pub models: u64,
    /// Values of C that were compared for this one, in the training part and in each fold.
    pub penalties: usize,
    /// Sets of features that were compared for this one, in the training part and in each fold.
    pub feature_sets: usize,
}

impl TriedReport {
    /// Of a training, with the models that were tried, it included.
    pub fn new(trained: &Trained, attempts: &Attempts, product: &str, test_span_ns: (i64, i64)) -> Self {
        let of_folds = |count: &dyn Fn(&Fitted) -> usize| -> usize {
            let folds = trained.refits.iter().flat_map(|refits| &refits.folds);
            folds.flat_map(|fold| &fold.fitted).map(count).sum()
        };
        Self {
            models: attempts.on(product, test_span_ns),
            penalties: trained.tried.len() + of_folds(&|fitted| fitted.tried.len()),
            feature_sets: trained.choice.as_ref().map_or(0, |choice| choice.sets)
                + trained.refits.as_ref().map_or(0, |refits| refits.sets),
        }
    }

    /// What is to be said first, if there is more than this model.
    pub fn headline(&self) -> Option<String> {
        let models = self.models;
        (models > 1).then(|| {
            format!(
                "{models} models have been tested on these rows, this one included: the best of several looks better than it is."
            )
        })
    }
}

/// How the model was calibrated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CalibrationReport {
    /// Which kind.
    pub kind: CalibrationKind,
    /// Rows of the validation that it was fitted to.
    pub rows: u64,
}
