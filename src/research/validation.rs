//! Judging a way to make models inside the training part: it is repeated on the rows of each fold, and each fold is tested on by
//! what was made without it.
//!
//! What is judged is the way, not one model: [`Way::Chosen`] chooses its features anew for every fold, so that the choice has never
//! seen the rows that it is judged by (nested cross-validation; Varma and Simon 2006).
//!
//! ```
//! use papertrader::research::folds::Scheme;
//! use papertrader::research::regression::Fitting;
//! use papertrader::research::table::{RowKey, Table};
//! use papertrader::research::validation::{Procedure, Way, refit};
//! use papertrader::statistics::labels::Ties;
//! use papertrader::strategy::features::{Feature, Input};
//!
//! let mut table = Table::new(1, 1 << 20);
//! for at in 0..400_u64 {
//!     let sign = if at % 3 == 0 { 1 } else { -1 };
//!     let values = [f64::from(sign) + (at % 7) as f64];
//!     table.push(RowKey { ordinal: at, sequence: at, until: at + 2, capture: 0, sign }, &values)?;
//! }
//! table.finish()?;
//! let inputs = [Input::from(Feature::Imbalance(1))];
//! let fitting = Fitting { table: &table, inputs: &inputs, ties: Ties::Drop, c: Some(1.0), embargo: 0, threads: 1 };
//! let procedures = vec![Procedure { name: "model".into(), way: Way::Columns(vec![0]) }];
//! let refits = refit(&fitting, Scheme::WalkForward(3), &(0..400), procedures, 50, &|| false, &|| ())?;
//! assert_eq!(refits.folds.iter().map(|fold| fold.fitted_rows).collect::<Vec<_>>(), [98, 198, 298]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::feature_choice::Chooser;
use super::folds::{Fold, Scheme, folds};
use super::regression::{Fitted, Fitting, NoRegression, Regression};
use super::scoring::{By, Contestant, Part, Rules, score};
use super::source::{Source, Watch};
use super::source_error::SourceError;
use super::training::Cut;
use crate::base::failure::Failure;
use crate::strategy::model::{Model, ModelError};
use std::ops::Range;
use std::path::Path;

/// How a model is made of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Of these columns.
    Columns(Vec<usize>),
    /// Of columns that are chosen by the rows themselves.
    Chosen {
        /// The first so many columns are the candidates.
        candidates: usize,
        /// The most that are chosen.
        at_most: usize,
    },
}

/// A way with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Procedure {
    /// For reports.
    pub name: String,
    /// How it makes models.
    pub way: Way,
}

/// What was made for a fold.
#[derive(Clone, Debug)]
pub struct Refit {
    /// Capture and frame of the first row that is tested on.
    pub tested_from: (u32, u64),
    /// Rows fitted on.
    pub fitted_rows: usize,
    /// By procedure.
    pub fitted: Vec<Fitted>,
}

/// What was made for every fold.
#[derive(Clone, Debug)]
pub struct Refits {
    /// The folds' scheme.
    pub scheme: Scheme,
    /// The ways.
    pub procedures: Vec<Procedure>,
    /// In order of time.
    pub folds: Vec<Refit>,
    /// Sets of features that were tried for it.
    pub sets: usize,
}

/// Why a fold has no model.
#[derive(Debug, thiserror::Error)]
pub enum NoRefits {
    /// Too few rows.
    #[error(
        "{scheme}: fold {fold} has {fitted} rows to fit on and {tested} to test on; {needed} to fit on and 1 to test on are \
         needed; give fewer folds or more captures"
    )]
    TooFewRows {
        /// Which scheme.
        scheme: Scheme,
        /// Which fold, from 1.
        fold: usize,
        /// To fit on.
        fitted: usize,
        /// To test on.
        tested: usize,
        /// To fit on, at least.
        needed: usize,
    },
    /// The rows give no regression.
    #[error("{scheme}: fold {fold}: {source}")]
    Fold {
        /// Which scheme.
        scheme: Scheme,
        /// Which fold, from 1.
        fold: usize,
        /// Why.
        source: NoRegression,
    },
}

impl NoRefits {
    /// Whether the rows are too few or too much alike.
    pub fn is_of_rows(&self) -> bool {
        match self {
            Self::TooFewRows { .. } => true,
            Self::Fold { source, .. } => source.is_of_rows(),
        }
    }
}

/// Repeats every procedure on the folds of a stretch of rows, each of which has to have `needed` rows to fit on. `step` is told of
/// every fit of a cross-validation and every set of features.
///
/// # Errors
/// See [`NoRefits`].
pub fn refit(
    fitting: &Fitting<'_>,
    scheme: Scheme,
    rows: &Range<usize>,
    procedures: Vec<Procedure>,
    needed: usize,
    stop: &(dyn Fn() -> bool + Sync),
    step: &(dyn Fn() + Sync),
) -> Result<Refits, NoRefits> {
    let keys = fitting.table.keys();
    let mut refits = Refits { scheme, procedures, folds: Vec::new(), sets: 0 };
    for (at, Fold { fitted_on, tested_on }) in folds(scheme, keys, rows, fitting.embargo).into_iter().enumerate() {
        let fold = at + 1;
        let (fitted_rows, tested) = (fitted_on.iter().map(Range::len).sum(), tested_on.len());
        if fitted_rows < needed || tested == 0 {
            return Err(NoRefits::TooFewRows { scheme, fold, fitted: fitted_rows, tested, needed });
        }
        let mut fitted = Vec::new();
        for procedure in &refits.procedures {
            let made = match &procedure.way {
                Way::Columns(columns) => fitting.fit(columns, &fitted_on, stop, step),
                &Way::Chosen { candidates, at_most } => {
                    let chooser = Chooser { fitting: *fitting, candidates, at_most };
                    chooser.choose(&fitted_on, stop, step).and_then(|choice| {
                        refits.sets += choice.sets;
                        fitting.fit(&choice.columns(), &fitted_on, stop, step)
                    })
                }
            };
            fitted.push(made.map_err(|source| NoRefits::Fold { scheme, fold, source })?);
        }
        let first = keys[tested_on.start];
        refits.folds.push(Refit { tested_from: (first.capture, first.sequence), fitted_rows, fitted });
    }
    Ok(refits)
}

/// The rows of all folds with what was said of them by models that had not seen them.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The procedures, and before the last the base rate: named as in [`Judged::whole`], each by what it made for the first fold.
    pub contestants: Vec<Contestant>,
    /// All rows.
    pub whole: Part,
    /// The rows of each fold.
    pub folds: Vec<Part>,
}

/// Why nothing was judged.
#[derive(Debug, thiserror::Error)]
pub enum NotJudged {
    /// The captures.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A regression whose numbers make no model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl From<NotJudged> for Failure {
    fn from(error: NotJudged) -> Self {
        match error {
            NotJudged::Source(error) => error.into(),
            NotJudged::Model(error) => Self::running(error),
        }
    }
}

impl Refits {
    /// Scores what was made for each fold on the rows of that fold, all of which lie before `cut`.
    ///
    /// # Errors
    /// See [`NotJudged`].
    pub fn judge(&self, source: &Source, cut: Cut, rules: &Rules, watch: &Watch<'_>) -> Result<Judged, NotJudged> {
        // Before the last, which is the rival in reports.
        let base_rate = self.procedures.len() - 1;
        let mut names: Vec<&str> = self.procedures.iter().map(|procedure| procedure.name.as_str()).collect();
        names.insert(base_rate, "base rate");
        let mut contestants = Vec::new();
        for fold in &self.folds {
            let model = |regression: &Regression| -> Result<By, ModelError> {
                let file = regression.to_file(rules.horizon, rules.threshold, None);
                Ok(By::Model(Box::new(Model::from_file(Path::new("the validation's model"), &file)?)))
            };
            let made: Result<Vec<By>, ModelError> = fold.fitted.iter().map(|made| model(&made.regression)).collect();
            let mut made = made?;
            made.insert(base_rate, By::Constant(fold.fitted[0].base_rate));
            contestants.extend(names.iter().zip(made).map(|(name, by)| Contestant { name: (*name).into(), by }));
        }
        let part_of = |capture: u32, sequence: u64, until: u64| {
            cut.part_of(capture, sequence, until).filter(|&part| part == 0)?;
            self.folds.partition_point(|fold| fold.tested_from <= (capture, sequence)).checked_sub(1)
        };
        let (parts, _) = score(source, &contestants, rules, self.folds.len(), &part_of, watch)?;
        let own = |fold: usize| fold * names.len()..(fold + 1) * names.len();
        let folds: Vec<Part> = parts.into_iter().enumerate().map(|(fold, part)| part.only(own(fold))).collect();
        let whole = Part::joined(&folds);
        contestants.truncate(names.len());
        Ok(Judged { contestants, whole, folds })
    }
}
