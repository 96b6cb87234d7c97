//! ONNX files: the part of their graph that leads to probabilities, compiled into steps over one arena of numbers.
//!
//! What scikit-learn's, LightGBM's and XGBoost's converters write is understood: scalers, linear models, ensembles of trees,
//! perceptrons, calibrated and stacked pipelines. Numbers are floats or doubles as the graph has them; sums within a step are
//! doubles. A graph with any other operator is run by tract where the feature `onnx-graphs` is there (`general`), and else refused by the operator's
//! name.

mod attributes;
mod forests;
#[cfg(feature = "onnx-graphs")]
mod general;
mod graph;
mod proto;
mod steps;

use super::error::{LibraryError, quoted};
use super::evaluator::{Evaluate, log_odds};
use super::forest::softmax_log_odds;
use super::names::{ModelOptions, parse_classes};
use crate::statistics::labels::{LabelRule, Ties};
use crate::strategy::features::Input;
#[cfg(feature = "onnx-graphs")]
pub use general::General;
use graph::Building;
pub use graph::NUMBERS_MAX;
use prost::Message;
use proto::{GraphProto, ModelProto};
use steps::Step;

/// The most nodes that lead to the output of a graph that tract runs.
pub const GRAPH_NODES_MAX: usize = 4_096;
/// The most products that an evaluation of such a graph adds up; its working memory is at most so many floats.
pub const GRAPH_PRODUCTS_MAX: u64 = 1 << 26;

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
        outcome.log_odds(&arena[output.clone()])
    }
}

impl Outcome {
    fn log_odds(self, output: &[f64]) -> f64 {
        let (odds, of_down) = match self {
            Self::Probability { at, of_down } => (log_odds(output[at]), of_down),
            Self::LogOdds { at, of_down } if output.len() == 1 => (output[at], of_down),
            Self::LogOdds { at, of_down } => (softmax_log_odds(output, at), of_down),
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

/// What evaluates a graph.
#[derive(Debug)]
pub enum Compiled {
    Pipeline(Pipeline),
    #[cfg(feature = "onnx-graphs")]
    General(Box<General>),
}

/// A graph, before its features and its output have a meaning.
struct Meaningless {
    compiled: Compiled,
    inputs: usize,
    input_names: Vec<String>,
    width: usize,
    up: Option<usize>,
    /// The last operator, if its result may be a logit or a probability.
    open: Option<String>,
}

impl Meaningless {
    fn of(bytes: &[u8], graph: &GraphProto) -> Result<Self, LibraryError> {
        let building = match Building::of(graph) {
            Err(LibraryError::Operator { .. }) if cfg!(feature = "onnx-graphs") => return Self::general(bytes, graph),
            other => other?,
        };
        let Building { steps, arena, inputs, input_names, single, output, up, ends_in_affine, last, .. } = building;
        let (output, outcome) = (output.place, Outcome::Probability { at: 0, of_down: false });
        Ok(Self {
            width: output.len(),
            compiled: Compiled::Pipeline(Pipeline { steps, arena, inputs, single, output, outcome }),
            inputs,
            input_names,
            up,
            open: ends_in_affine.then_some(last),
        })
    }

    #[cfg(feature = "onnx-graphs")]
    fn general(bytes: &[u8], graph: &GraphProto) -> Result<Self, LibraryError> {
        let general::Loaded { general, inputs, input_names, width, up, open } = general::load(bytes, graph)?;
        Ok(Self { compiled: Compiled::General(Box::new(general)), inputs, input_names, width, up, open })
    }

    #[cfg(not(feature = "onnx-graphs"))]
    fn general(_: &[u8], _: &GraphProto) -> Result<Self, LibraryError> {
        unreachable!("asked for only where the feature is there")
    }
}

/// Reads such a file.
pub fn read(bytes: &[u8], options: &ModelOptions) -> Result<(Vec<Input>, Compiled, Told), LibraryError> {
    let model = ModelProto::decode(bytes)
        .map_err(|error| LibraryError::broken(format!("it is no whole ONNX file: {error}")))?;
    let graph = model.graph.ok_or_else(|| LibraryError::broken("it has no graph: it is no ONNX model"))?;
    let told = |key: &str| model.metadata_props.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let Meaningless { mut compiled, inputs, input_names, width, up, open } = Meaningless::of(bytes, &graph)?;
    let names = match told("features") {
        Some(text) if text.trim_start().starts_with('[') => serde_json::from_str(text).map_err(LibraryError::Json)?,
        Some(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        None => input_names,
    };
    let features = options.features(inputs, &names)?;
    let mut options = options.clone();
    if let (None, Some(classes)) = (&options.classes, told("classes")) {
        options.classes =
            Some(parse_classes(classes).map_err(|what| LibraryError::broken(format!("metadata 'classes': {what}")))?);
    }
    let up = options.up(width.max(2), up)?;
    // One number alone is of the second of two classes.
    let (at, of_down) = if width == 1 { (0, up == 0) } else { (up, false) };
    let outcome = match told("output") {
        Some("logit") => Outcome::LogOdds { at, of_down },
        Some("probability") => Outcome::Probability { at, of_down },
        Some(other) => {
            return Err(LibraryError::broken(format!(
                "metadata 'output' is '{}'; it is logit or probability",
                quoted(other)
            )));
        }
        None => {
            if let Some(last) = open {
                let what = format!("an output of {last} that may be a logit or a probability");
                return Err(LibraryError::unsupported(
                    what,
                    "say which in the metadata: output = logit or probability",
                ));
            }
            Outcome::Probability { at, of_down }
        }
    };
    match &mut compiled {
        Compiled::Pipeline(pipeline) => pipeline.outcome = outcome,
        #[cfg(feature = "onnx-graphs")]
        Compiled::General(general) => general.outcome = outcome,
    }
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
    Ok((features, compiled, said))
}

#[cfg(test)]
mod tests;
