//! Our own model files: linear models, `.txt` and `.json`.

use super::calibration::Calibration;
use super::error::{ModelError, quoted};
use super::linear::Linear;
use super::{Evaluator, Model};
use crate::statistics::drift::TrainingDistribution;
use crate::statistics::labels::{LabelRule, Ties};
use crate::strategy::attempts::Attempts;
use crate::strategy::features::{FEATURES_MAX, Input, SEED, check, json};
use crate::strategy::trained_on::TrainedOn;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// A model as it lies in a `.json` file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Names of features, or `NAME = EXPRESSION`, in the order of the coefficients.
    #[serde(with = "json")]
    pub features: Vec<String>,
    /// The logit where all (scaled) features are 0.
    pub intercept: f64,
    /// One for each feature.
    pub coefficients: Vec<f64>,
    /// The standard scaler's means, in the features' units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f64>>,
    /// The standard scaler's scales, in the features' units; none is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Vec<f64>>,
    /// How many updates ahead the model predicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_updates: Option<u32>,
    /// The rule of the label that it predicts, as `--label` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How rows counted whose mid stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ties: Option<Ties>,
    /// The probability from which the model's maker would buy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Where the model comes from: captures with their hashes, rows, metrics, date, program version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<serde_json::Value>,
    /// What makes probabilities of the logit, if it was fitted to other rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// What features and score were like over the rows that it was trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_distribution: Option<TrainingDistribution>,
}

impl Model {
    pub(super) fn from_txt(path: &Path, text: &str) -> Result<Self, ModelError> {
        let mut numbers = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let number: Option<f64> = line.trim().parse().ok().filter(|number: &f64| number.is_finite());
            numbers.push(number.ok_or_else(|| ModelError::Number {
                path: path.into(),
                line: index + 1,
                text: quoted(line.trim()),
            })?);
        }
        match numbers.split_first() {
            Some((&intercept, coefficients)) if coefficients.len() == SEED.len() => {
                let names = SEED.iter().map(ToString::to_string).collect();
                let file =
                    ModelFile { features: names, intercept, coefficients: coefficients.into(), ..ModelFile::default() };
                // Nothing but numbers is in it.
                Ok(Self { can_say: false, ..Self::from_file(path, &file)? })
            }
            _ => Err(ModelError::Count { path: path.into(), count: numbers.len() }),
        }
    }

    /// Checks a model's parts and folds its scaler into its coefficients. `path` names it in errors.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn from_file(path: &Path, file: &ModelFile) -> Result<Self, ModelError> {
        let value = |field: String, value: f64, rule| ModelError::Value { path: path.into(), field, value, rule };
        let count = file.features.len();
        if !(1..=FEATURES_MAX).contains(&count) {
            return Err(value("the number of features".into(), count as f64, "a model has from 1 to 128"));
        }
        let features = file.features.iter().enumerate().map(|(index, name)| {
            name.parse().map_err(|source| ModelError::Feature { path: path.into(), index, source })
        });
        let features: Vec<Input> = features.collect::<Result<_, _>>()?;
        check(&features).map_err(|source| ModelError::Features { path: path.into(), source })?;
        let lists =
            [("coefficients", Some(&file.coefficients)), ("mean", file.mean.as_ref()), ("scale", file.scale.as_ref())];
        for (field, list) in lists {
            let Some(list) = list else { continue };
            if list.len() != count {
                return Err(ModelError::Length { path: path.into(), field, count: list.len(), features: count });
            }
            if let Some(index) = list.iter().position(|number| !number.is_finite()) {
                return Err(value(format!("{field}[{index}]"), list[index], "numbers must be finite"));
            }
        }
        if let Some(index) = file.scale.iter().flatten().position(|&scale| scale <= 0.0) {
            let scale = file.scale.as_ref().map_or(0.0, |scale| scale[index]);
            return Err(value(format!("scale[{index}]"), scale, "a scale is above 0"));
        }
        if let Some(threshold) = file.threshold.filter(|threshold| !(0.0..1.0).contains(threshold) || *threshold == 0.0)
        {
            return Err(value("threshold".into(), threshold, "a threshold lies between 0 and 1"));
        }
        let mut intercept = file.intercept;
        let mut coefficients = file.coefficients.clone();
        for (index, coefficient) in coefficients.iter_mut().enumerate() {
            if let Some(scale) = &file.scale {
                *coefficient /= scale[index];
            }
            if let Some(mean) = &file.mean {
                intercept -= *coefficient * mean[index];
            }
        }
        if let Some(index) = coefficients.iter().position(|coefficient| !coefficient.is_finite()) {
            return Err(value(format!("coefficients[{index}] / scale"), coefficients[index], "numbers must be finite"));
        }
        if !intercept.is_finite() {
            return Err(value("intercept".into(), intercept, "numbers must be finite"));
        }
        if let Some((field, wrong, rule)) = file.calibration.as_ref().and_then(Calibration::fault) {
            return Err(value(field, wrong, rule));
        }
        let label: Option<LabelRule> = file
            .label
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|source| ModelError::Label { path: path.into(), source })?;
        let attempts = file.provenance.as_ref().map(Attempts::of).transpose();
        let attempts = attempts.map_err(|what| ModelError::Attempts { path: path.into(), what })?.unwrap_or_default();
        if let Some(what) = file.training_distribution.as_ref().and_then(|trained| trained.fault(count)) {
            return Err(ModelError::Distribution { path: path.into(), what });
        }
        let mut linear = Linear::new(&features, coefficients, intercept);
        (linear.mean, linear.scale) = (file.mean.clone(), file.scale.clone());
        Ok(Self {
            path: path.into(),
            features,
            cost: None,
            evaluator: Evaluator::Linear(linear),
            calibration: file.calibration.clone(),
            horizon_updates: file.horizon_updates,
            label,
            ties: file.ties,
            can_say: true,
            distribution: file.training_distribution.clone().map(Arc::new),
            threshold: file.threshold,
            attempts,
            trained_on: file.provenance.as_ref().map(TrainedOn::of).unwrap_or_default(),
        })
    }
}
