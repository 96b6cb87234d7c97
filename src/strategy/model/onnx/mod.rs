//! ONNX files: the part of their graph that leads to probabilities, compiled into steps over one arena of numbers.
//!
//! What scikit-learn's, LightGBM's and XGBoost's converters write is understood: scalers, linear models, ensembles of trees,
//! perceptrons, calibrated and stacked pipelines. Any other operator is refused by its name. Numbers are floats or doubles as the
//! graph has them; sums within a step are doubles.

mod attributes;
mod forests;
mod graph;
mod proto;
mod steps;

use super::error::{LibraryError, quoted};
use super::evaluator::{Evaluate, log_odds};
use super::forest::softmax_log_odds;
use super::names::{ModelOptions, parse_classes};
use crate::statistics::labels::{LabelRule, Ties};
use crate::strategy::features::Input;
use graph::Building;
use prost::Message;
use proto::ModelProto;
use steps::Step;

/// A compiled graph.
#[derive(Clone, Debug)]
pub struct Pipeline {
    steps: Vec<Step>,
    arena: Vec<f64>,
    inputs: usize,
    /// Whether inputs are floats.
    single: bool,
    /// Where the output lies.
    output: std::ops::Range<usize>,
    outcome: Outcome,
}

/// What the output is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// Probabilities, of which this one is that of up; one alone may be that of down.
    Probability { at: usize, of_down: bool },
    /// Log-odds, or logarithms of shares of several.
    LogOdds { at: usize, of_down: bool },
}

impl Evaluate for Pipeline {
    fn of_row(&mut self, row: impl Iterator<Item = f64>) -> f64 {
        let Self { steps, arena, inputs, single, output, outcome } = self;
        for (to, value) in arena[..*inputs].iter_mut().zip(row) {
            *to = if *single { f64::from(value as f32) } else { value };
        }
        steps.iter_mut().for_each(|step| step.run(arena));
        let output = &arena[output.clone()];
        let (odds, of_down) = match *outcome {
            Outcome::Probability { at, of_down } => (log_odds(output[at]), of_down),
            Outcome::LogOdds { at, of_down } if output.len() == 1 => (output[at], of_down),
            Outcome::LogOdds { at, of_down } => (softmax_log_odds(output, at), of_down),
        };
        if of_down { -odds } else { odds }
    }
}

/// What the file's metadata say for us.
#[derive(Debug, Default)]
pub struct Told {
    /// `horizon_updates`.
    pub horizon_updates: Option<u32>,
    /// `label`.
    pub label: Option<LabelRule>,
    /// `ties`.
    pub ties: Option<Ties>,
    /// `threshold`.
    pub threshold: Option<f64>,
}

/// Reads such a file.
pub fn read(bytes: &[u8], options: &ModelOptions) -> Result<(Vec<Input>, Pipeline, Told), LibraryError> {
    let model = ModelProto::decode(bytes)
        .map_err(|error| LibraryError::broken(format!("it is no whole ONNX file: {error}")))?;
    let graph = model.graph.ok_or_else(|| LibraryError::broken("it has no graph: it is no ONNX model"))?;
    let told = |key: &str| model.metadata_props.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let building = Building::of(&graph)?;
    let names = match told("features") {
        Some(text) if text.trim_start().starts_with('[') => serde_json::from_str(text).map_err(LibraryError::Json)?,
        Some(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        None => building.input_names.clone(),
    };
    let features = options.features(building.inputs, &names)?;
    let mut options = options.clone();
    if let (None, Some(classes)) = (&options.classes, told("classes")) {
        options.classes =
            Some(parse_classes(classes).map_err(|what| LibraryError::broken(format!("metadata 'classes': {what}")))?);
    }
    let output = building.output.place.clone();
    let up = options.up(output.len().max(2), building.up)?;
    // One number alone is of the second of two classes.
    let (at, of_down) = if output.len() == 1 { (0, up == 0) } else { (up, false) };
    let outcome = match told("output") {
        Some("logit") => Outcome::LogOdds { at, of_down },
        Some("probability") => Outcome::Probability { at, of_down },
        Some(other) => {
            return Err(LibraryError::broken(format!(
                "metadata 'output' is '{}'; it is logit or probability",
                quoted(other)
            )));
        }
        None if building.ends_in_affine => {
            let what = format!("an output of {} that may be a logit or a probability", building.last);
            return Err(LibraryError::unsupported(what, "say which in the metadata: output = logit or probability"));
        }
        None => Outcome::Probability { at, of_down },
    };
    let number = |key: &str| told(key).map(|text| (key.to_owned(), quoted(text), text.trim().to_owned()));
    let bad = |(key, text, _): (String, String, String)| {
        LibraryError::broken(format!("metadata '{key}' is '{text}', which is out of its range"))
    };
    let mut said = Told::default();
    if let Some(entry) = number("horizon_updates") {
        said.horizon_updates = Some(entry.2.parse().map_err(|_| bad(entry))?);
    }
    if let Some(text) = told("label") {
        let rule = text.parse().map_err(|error| LibraryError::broken(format!("metadata 'label': {error}")))?;
        said.label = Some(rule);
    }
    if let Some(text) = told("ties") {
        let wrong =
            || LibraryError::broken(format!("metadata 'ties' is '{}'; it is drop, down or three", quoted(text)));
        said.ties = Some(Ties::of_name(text.trim()).ok_or_else(wrong)?);
    }
    if let Some(entry) = number("threshold") {
        let threshold = entry.2.parse().ok().filter(|&threshold: &f64| threshold > 0.0 && threshold < 1.0);
        said.threshold = Some(threshold.ok_or_else(|| bad(entry))?);
    }
    let Building { steps, arena, inputs, single, .. } = building;
    Ok((features, Pipeline { steps, arena, inputs, single, output, outcome }, said))
}

#[cfg(test)]
mod tests;
