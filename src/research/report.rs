//! What training and evaluation have to say: one structure, which is shown on the terminal, as JSON and as a page.
//!
//! ```
//! use papertrader::research::report::RulesReport;
//! use papertrader::research::scoring::Rules;
//! use papertrader::statistics::bootstrap::BootstrapSettings;
//! use papertrader::statistics::labels::{LabelRule, Ties};
//!
//! let bootstrap = BootstrapSettings { block_s: None, replicates: 1_000, seed: 1 };
//! let (label, ties) = (LabelRule::mid_after(20), Ties::Down);
//! let rules = Rules { label, horizon: 20, ties, threshold: 0.6, buy_amount: 100.0, bootstrap, threads: 4 };
//! let report = RulesReport::from(&rules);
//! assert_eq!((report.horizon_updates, report.probability_of), (20, "P(up) over all rows"));
//! ```

use super::evaluation::{ContestantReport, PartReport, Valued};
use super::importance::Importance;
use super::penalty::Tried;
use super::regression::Regression;
use super::scoring::Rules;
use super::source::CaptureFacts;
use super::training::{Outcomes, Trained};
use super::validation_report::{CalibrationReport, ChoiceReport, TriedReport, ValidationReport};
use crate::feed::breaks::times;
use crate::statistics::blocks::BLOCKS_MIN;
use crate::statistics::bootstrap::BootstrapSettings;
use crate::statistics::labels::Ties;
use crate::statistics::metrics::Metric;
use serde::Serialize;

/// The test part may look better than the training part by so much AUC before it is suspicious.
const AUC_GAIN_SUSPICIOUS: f64 = 0.02;
/// Fewer changes of the mid than this say little.
const CHANGES_FEW: u64 = 1_000;
/// A feature has drifted when its mean in the test part lies so many training deviations off.
const DRIFT_DEVIATIONS: f64 = 2.0;

/// The settings behind every figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RulesReport {
    /// What a row is scored against, as it is written.
    pub label: String,
    /// The same in words.
    pub label_of: String,
    /// How far it looks, in words.
    #[serde(skip)]
    pub label_reach: String,
    /// The holding time of trades.
    pub horizon_updates: u32,
    /// How rows count whose mid stays.
    pub ties: Ties,
    /// What a probability means.
    pub probability_of: &'static str,
    /// The probability from which to buy.
    pub threshold: f64,
    /// Quote currency spent per purchase.
    pub buy_amount: f64,
    /// Behind the intervals.
    pub bootstrap: BootstrapSettings,
}

impl From<&Rules> for RulesReport {
    fn from(rules: &Rules) -> Self {
        Self {
            label: rules.label.to_string(),
            label_of: rules.label.meaning(),
            label_reach: rules.label.reach(),
            horizon_updates: rules.horizon,
            ties: rules.ties,
            probability_of: rules.ties.meaning(),
            threshold: rules.threshold,
            buy_amount: rules.buy_amount,
            bootstrap: rules.bootstrap,
        }
    }
}

/// A feature of a trained model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureReport {
    /// Its name.
    pub name: String,
    /// Its weight once scaled to mean 0 and spread 1.
    pub standardised_weight: f64,
    /// Over the rows trained on.
    pub mean: f64,
    /// Over the rows trained on; the scaler divides a constant feature by 1 instead.
    pub standard_deviation: f64,
    /// Over the test part, in training deviations from the training mean.
    pub drift: Option<f64>,
}

/// Two features that say nearly the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CorrelationReport {
    /// One.
    pub a: String,
    /// The other.
    pub b: String,
    /// Theirs.
    pub correlation: f64,
}

/// How a model was fitted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitReport {
    /// Rows trained on.
    pub rows: usize,
    /// Their outcomes; ties that are left out are not among them.
    pub outcomes: Outcomes,
    /// The penalty's inverse strength.
    pub c: f64,
    /// How cross-validation chose it, if it did.
    pub cross_validation: Vec<Tried>,
    /// The penalised objective at the optimum.
    pub objective: f64,
    /// The largest component of the gradient there.
    pub gradient_max: f64,
    /// Newton steps.
    pub iterations: u32,
    /// The logit where all scaled features are 0.
    pub intercept: f64,
    /// Condition number of the features' correlations; `None` where they depend on each other exactly.
    pub condition_number: Option<f64>,
    /// Correlations above 0.99.
    pub correlations: Vec<CorrelationReport>,
    /// In the model's order.
    pub features: Vec<FeatureReport>,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What is said before all else, a sentence each: whether a model was trained on what it is judged by, and how the first
    /// does beside the model of one feature.
    pub headline: Vec<String>,
    /// What this is a report of.
    pub title: String,
    /// The program's version.
    pub program_version: &'static str,
    /// The product.
    pub product: String,
    /// The captures, in order of time.
    pub captures: Vec<CaptureFacts>,
    /// The settings.
    pub rules: RulesReport,
    /// How the first model was fitted, after training.
    pub fit: Option<FitReport>,
    /// The part trained on, after training.
    pub training: Option<PartReport>,
    /// How the way to the model did inside the training part, if it was asked for.
    pub validation: Option<ValidationReport>,
    /// How features were chosen, if they were.
    pub choice: Option<ChoiceReport>,
    /// How the model was calibrated, if it was.
    pub calibration: Option<CalibrationReport>,
    /// What was tried, after training.
    pub tried: Option<TriedReport>,
    /// The part tested on.
    pub test: PartReport,
    /// What the first model loses there without each of its features, if that was asked for.
    pub importance: Option<Importance>,
    /// Where the baselines come from.
    pub baselines: &'static str,
    /// What should give pause.
    pub warnings: Vec<String>,
}

impl FitReport {
    /// Of a training, with the means of the model's features over the test part.
    pub fn new(trained: &Trained, test_means: &[f64]) -> Self {
        let Regression { features, scaler, fit } = &trained.model;
        let name = |at: usize| features[at].to_string();
        let feature = |at: usize| {
            let constant = scaler.constant[at];
            let drift = test_means.get(at).map(|mean| (mean - scaler.mean[at]) / scaler.scale[at]);
            FeatureReport {
                name: name(at),
                standardised_weight: fit.weights[at],
                mean: scaler.mean[at],
                standard_deviation: if constant { 0.0 } else { scaler.scale[at] },
                drift: drift.filter(|drift| drift.is_finite()),
            }
        };
        let pairs = trained.dependence.pairs.iter();
        let condition_number = trained.dependence.condition_number();
        Self {
            rows: trained.rows,
            outcomes: trained.outcomes,
            c: trained.c,
            cross_validation: trained.tried.clone(),
            objective: fit.objective,
            gradient_max: fit.gradient_max,
            iterations: fit.iterations,
            intercept: fit.intercept,
            condition_number: condition_number.is_finite().then_some(condition_number),
            correlations: pairs
                .map(|&(a, b, correlation)| CorrelationReport { a: name(a), b: name(b), correlation })
                .collect(),
            features: (0..features.len()).map(feature).collect(),
        }
    }

    fn warnings(&self, warnings: &mut Vec<String>) {
        for feature in &self.features {
            if feature.standard_deviation == 0.0 {
                warnings.push(format!("feature {} is constant in the training part; its weight is 0", feature.name));
            } else if let Some(drift) = feature.drift.filter(|drift| drift.abs() > DRIFT_DEVIATIONS) {
                warnings.push(format!(
                    "feature {} drifts: its mean in the test part lies {drift:+.1} training deviations off",
                    feature.name
                ));
            }
        }
    }
}

/// How the first contestant does beside the model of one feature.
fn against_rival(part: &PartReport, ties: Ties) -> Option<String> {
    let (first, rival, difference) = (part.contestants.first()?, part.rival()?, part.differences.last()?);
    let [auc, log_loss] = [Metric::Auc, Metric::LogLoss].map(|metric| difference.figure(metric));
    let (auc, log_loss) = (auc?, log_loss?);
    let name = format!("{} alone", rival.name);
    let worse = log_loss.interval.is_some_and(|interval| interval.low > 0.0);
    let does = match (auc.value?, auc.interval) {
        (_, Some(interval)) if interval.high < 0.0 => format!("loses to {name}"),
        (value, _) if value < 0.0 && worse => format!("loses to {name}"),
        (value, Some(_)) if value < 0.0 => format!("loses to {name}, within the interval"),
        (value, None) if value < 0.0 => format!("loses to {name}, by how much chance nobody can tell"),
        (value, _) if worse => {
            format!("loses to {name} by log-loss, {} by AUC", if value > 0.0 { "not" } else { "and is no better" })
        }
        (0.0, _) => format!("is no better than {name}"),
        (_, Some(interval)) if interval.low > 0.0 => format!("beats {name}"),
        _ => format!("cannot be told from {name}"),
    };
    let [of_first, of_rival] = [first, rival].map(|contestant| Valued(contestant.figure(Metric::Auc), false));
    let tied = match ties {
        Ties::Drop => "left out",
        Ties::Down => "counted as not up",
        Ties::Three => "counted half as up",
    };
    let share = 100.0 * part.tie_share.unwrap_or_default();
    Some(format!(
        "{} {does}: AUC {of_first} against {of_rival}, difference {}; log-loss difference {}; {share:.1} % of the rows are ties, {tied}.",
        first.name,
        Valued(auc, true),
        Valued(log_loss, true)
    ))
}

impl Report {
    /// The parts that there are, each with its name.
    pub fn parts(&self) -> Vec<(&'static str, &PartReport)> {
        let training = self.training.iter().map(|part| ("training", part));
        let validation = self.validation.iter().map(|validation| ("validation", &validation.part));
        training.chain(validation).chain([("test", &self.test)]).collect()
    }

    /// Why a part has no intervals, if it has none.
    pub fn no_intervals(&self, part: &PartReport) -> Option<String> {
        let PartReport { blocks, block_s, .. } = *part;
        match part.horizon_s.filter(|&horizon_s| self.rules.bootstrap.block_s.is_some() && block_s < horizon_s) {
            Some(horizon_s) => {
                Some(format!("a block of {block_s:.3} s is shorter than {}, {horizon_s:.3} s", self.rules.label_reach))
            }
            None if blocks < BLOCKS_MIN => {
                Some(format!("it covers {blocks} of the {BLOCKS_MIN} blocks of {block_s:.3} s that they need"))
            }
            None => None,
        }
    }

    /// What is wrong with a part's blocks.
    fn block_warning(&self, name: &str, part: &PartReport) -> Option<String> {
        let PartReport { block_s, block_s_needed: needed_s, .. } = *part;
        let is_given = self.rules.bootstrap.block_s.is_some();
        // Rounded up: what is said here may be given.
        let ask = format!("leave out --block, or give {:.3} at least", (needed_s * 1e3).ceil() / 1e3);
        match self.no_intervals(part) {
            Some(why) if why.starts_with("a block") => Some(format!("the {name} part has no intervals: {why}; {ask}")),
            Some(why) => Some(format!(
                "the {name} part has no intervals: {why}; give more captures{}",
                if is_given && block_s > needed_s { " or a shorter --block" } else { "" }
            )),
            None if is_given && block_s < needed_s => Some(format!(
                "the intervals of the {name} part are too narrow: a block of {block_s:.3} s is shorter than horizon and \
                 dependence ask for; {ask}"
            )),
            None => None,
        }
    }

    /// Adds the headline and the warnings that follow from the figures.
    pub fn warn(mut self) -> Self {
        self.headline.extend(against_rival(&self.test, self.rules.ties));
        self.headline.extend(self.choice.as_ref().map(ChoiceReport::headline));
        self.headline.extend(self.tried.as_ref().and_then(TriedReport::headline));
        // What makes every interval doubtful comes first.
        let parts = self.parts();
        let mut warnings: Vec<String> =
            parts.into_iter().filter_map(|(name, part)| self.block_warning(name, part)).collect();
        warnings.extend(self.captures.iter().flat_map(CaptureFacts::warnings));
        if let Some(fit) = &self.fit {
            fit.warnings(&mut warnings);
        }
        let auc = |contestant: &ContestantReport| contestant.figure(Metric::Auc).value;
        if let Some(training) = &self.training
            && let [Some(train), Some(test)] = [training, &self.test].map(|part| auc(&part.contestants[0]))
            && test > train + AUC_GAIN_SUSPICIOUS
        {
            warnings.push(format!(
                "the test part looks better than the training part (AUC {test:.4} over {train:.4}): does something of the \
                 future leak, or is the test part too short?"
            ));
        }
        for (name, part) in self.parts() {
            if part.mid_changes < CHANGES_FEW {
                warnings.push(format!(
                    "the mid changed only {} in the {name} part ({} a horizon apart); figures from fewer than \
                     {CHANGES_FEW} changes say little",
                    times(part.mid_changes),
                    part.independent_changes
                ));
            }
        }
        for contestant in self.test.contestants.iter().filter(|contestant| contestant.economics.is_some()) {
            let bias = contestant.figure(Metric::BiasAtThreshold);
            if let (Some(value), Some(interval)) = (bias.value, bias.interval)
                && interval.low > 0.0
            {
                warnings.push(format!(
                    "{}: probabilities at the threshold are too high by {value:.3} ({:.3} to {:.3})",
                    contestant.name, interval.low, interval.high
                ));
            }
        }
        warnings.extend(self.importance.as_ref().and_then(Importance::warning));
        self.warnings.extend(warnings);
        self
    }

    /// As JSON, indented.
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report is plain data");
        text.push('\n');
        text
    }
}
