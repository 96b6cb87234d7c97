//! What can be wrong with a model file, in one line each.

use super::trees::TreeFault;
use crate::statistics::labels::LabelRuleError;
use crate::strategy::features::{FEATURES_MAX, InputError, InputsError};
use std::io;
use std::path::PathBuf;

/// What can be wrong with a model file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file cannot be read.
    #[error("cannot read model {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file passes [`MODEL_BYTES_MAX`](super::MODEL_BYTES_MAX), or
    /// [`LIBRARY_MODEL_BYTES_MAX`](super::LIBRARY_MODEL_BYTES_MAX) if a library wrote it.
    #[error("model {path} is larger than {bytes_max} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that it may have.
        bytes_max: u64,
    },
    /// A name that says nothing of what is in the file.
    #[error(
        "model {path}: the name must end in .txt (one number a line, or LightGBM's), .json (papertrader's, or XGBoost's), .ubj \
         (XGBoost's) or .onnx"
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A `.txt` model with a line that is no number.
    #[error("model {path}, line {line}: '{text}' is not a finite number")]
    Number {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The line's beginning.
        text: String,
    },
    /// A `.txt` model with another count of numbers than an intercept and the original's features.
    #[error(
        "model {path} has {count} numbers; a .txt model has 29, the intercept and the original's 28 coefficients, and any other \
         list of features needs a .json model"
    )]
    Count {
        /// The file.
        path: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// A `.json` model that is not as documented.
    #[error("model {path}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: serde_json::Error,
    },
    /// A list of another length than that of the features.
    #[error("model {path}: {field} has {count} entries for {features} features")]
    Length {
        /// The file.
        path: PathBuf,
        /// The list.
        field: &'static str,
        /// Its length.
        count: usize,
        /// How many features there are.
        features: usize,
    },
    /// A feature that is neither in the catalogue nor an expression over it.
    #[error("model {path}, {}", source.at(*index))]
    Feature {
        /// The file.
        path: PathBuf,
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        source: InputError,
    },
    /// Features that cannot be computed together.
    #[error("model {path}: {source}")]
    Features {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: InputsError,
    },
    /// A library's file that cannot be used.
    #[error("model {path} ({library}): {source}")]
    Library {
        /// The file.
        path: PathBuf,
        /// Whose kind of file it is.
        library: &'static str,
        /// What is wrong.
        source: LibraryError,
    },
    /// Options for a file that says these things itself.
    #[error("model {path} names its features itself: leave out --{option}")]
    NamesItself {
        /// The file.
        path: PathBuf,
        /// The option.
        option: &'static str,
    },
    /// A label that is none.
    #[error("model {path}: {source}")]
    Label {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: LabelRuleError,
    },
    /// A list of models tried before that cannot be read.
    #[error(
        "model {path}: provenance.attempts: {what}; it says how many models were tried before: mend it, or leave it out"
    )]
    Attempts {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A training distribution that `train` could not have written.
    #[error("model {path}: training_distribution.{what}")]
    Distribution {
        /// The file.
        path: PathBuf,
        /// Where and what.
        what: String,
    },
    /// A value out of its range.
    #[error("model {path}: {field} is {value}; {rule}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// Its value.
        value: f64,
        /// What it should be.
        rule: &'static str,
    },
}

/// What can be wrong with a library's model file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// Not what such a file holds.
    #[error("{0}")]
    Broken(String),
    /// Something that is understood and not done.
    #[error("{what} is not supported; {instead}")]
    Unsupported {
        /// What the file asks for.
        what: String,
        /// What to do.
        instead: &'static str,
    },
    /// An operator that is not compiled.
    #[error(
        "the operator {operator} of node '{node}' is not supported; scalers, linear models, trees, perceptrons and calibration are, \
         and a program built with --features onnx-graphs runs others"
    )]
    Operator {
        /// Its name.
        operator: String,
        /// The node's.
        node: String,
    },
    /// A text that is no JSON, or not such a model's.
    #[error("{0}")]
    Json(serde_json::Error),
    /// A bad tree.
    #[error("tree {tree}: {fault}")]
    Tree {
        /// Counted from 0.
        tree: usize,
        /// What is wrong.
        fault: TreeFault,
    },
    /// No names of features.
    #[error("it does not name its {0} inputs; give --model-features NAME,NAME,… in the order of its training columns")]
    NoFeatures(usize),
    /// Other names than those of features.
    #[error("input {index}: {fault}, or give --model-features NAME,NAME,… in the order of its training columns")]
    Feature {
        /// Counted from 0.
        index: usize,
        /// What is wrong with the name.
        fault: Box<InputError>,
    },
    /// Features that cannot be computed together.
    #[error(transparent)]
    Features(Box<InputsError>),
    /// More or fewer names than inputs.
    #[error("it takes {inputs} inputs, and {features} features are named")]
    Inputs {
        /// What it takes.
        inputs: usize,
        /// What is named.
        features: usize,
    },
    /// Out of what can be computed.
    #[error("it takes {0} inputs; a model has from 1 to {FEATURES_MAX}")]
    Count(usize),
    /// Classes without meaning.
    #[error(
        "it has {0} classes; give --model-classes with one of down, same, up for each, in the order of its classes"
    )]
    NoClasses(usize),
    /// A map of another length.
    #[error("it has {classes} classes, and --model-classes names {named}")]
    Classes {
        /// What it has.
        classes: usize,
        /// What is named.
        named: usize,
    },
}

impl LibraryError {
    /// What is broken.
    pub fn broken(what: impl Into<String>) -> Self {
        Self::Broken(what.into())
    }

    /// What is not supported, and what to do.
    pub fn unsupported(what: impl Into<String>, instead: &'static str) -> Self {
        Self::Unsupported { what: what.into(), instead }
    }
}

/// A text of a file within a line: its beginning, without what a terminal takes for a command.
pub fn quoted(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}
