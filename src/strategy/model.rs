//! Model files, and the logit that a model gives a row of features.
//!
//! ```
//! use papertrader::strategy::features::Feature;
//! use papertrader::strategy::model::{Model, ModelError};
//!
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0], "mean": [0.5], "scale": [4.0]}"#;
//! let model = Model::parse("imbalance.json".as_ref(), text)?;
//! assert_eq!(model.features, [Feature::Imbalance(1)]);
//! // The scaler is folded in.
//! assert_eq!((model.coefficients[0], model.intercept), (0.5, -0.25));
//!
//! let unknown = Model::parse("m.json".as_ref(), &text.replace("imbalance_1", "momentum"));
//! assert!(matches!(unknown, Err(ModelError::Feature { index: 0, .. })));
//! # Ok::<(), ModelError>(())
//! ```

use crate::base::small_file;
use crate::strategy::features::{FEATURES_MAX, FeatureSet, Input, InputError, InputsError, SEED, Weights, check, json};
use crate::strategy::trained_on::TrainedOn;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The largest model file that is read.
pub const MODEL_BYTES_MAX: u64 = 1 << 20;

/// A model as it lies in a `.json` file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The probability from which the model's maker would buy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Where the model comes from: captures with their hashes, rows, metrics, date, program version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<serde_json::Value>,
}

/// A model ready for use.
#[derive(Clone, Debug)]
pub struct Model {
    /// The file it was read from.
    pub path: PathBuf,
    /// What it looks at, in order.
    pub features: Vec<Input>,
    /// Per feature, with the scaler folded in.
    pub coefficients: Vec<f64>,
    /// With the scaler folded in.
    pub intercept: f64,
    /// The scaler's means, if the file has them, for reports.
    pub mean: Option<Vec<f64>>,
    /// The scaler's scales, if the file has them, for reports.
    pub scale: Option<Vec<f64>>,
    /// How many updates ahead it predicts, if the file says so.
    pub horizon_updates: Option<u32>,
    /// The threshold that the file recommends, if it does.
    pub threshold: Option<f64>,
    /// What it was trained on, as far as the file says so.
    pub trained_on: TrainedOn,
    weights: Weights,
}

/// What can be wrong with a model file.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error("cannot read model {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file passes [`MODEL_BYTES_MAX`].
    #[error("model {path} is larger than {MODEL_BYTES_MAX} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Neither `.txt` nor `.json`.
    #[error("model {path}: the name must end in .txt (one number a line) or .json")]
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

impl Model {
    /// Reads a model, `.txt` or `.json` as its name says.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let read_error = |source| ModelError::Read { path: path.into(), source };
        match small_file::read_text(path, MODEL_BYTES_MAX) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(ModelError::TooLarge { path: path.into() })
            }
            Err(error) => Err(read_error(error)),
        }
    }

    /// The same from a text. The path says which kind of file it is, and names it in errors.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ModelError> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("txt") => Self::from_txt(path, text),
            Some("json") => {
                let file =
                    serde_json::from_str(text).map_err(|source| ModelError::Json { path: path.into(), source })?;
                Self::from_file(path, &file)
            }
            _ => Err(ModelError::Kind { path: path.into() }),
        }
    }

    fn from_txt(path: &Path, text: &str) -> Result<Self, ModelError> {
        let mut numbers = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let number: Option<f64> = line.trim().parse().ok().filter(|number: &f64| number.is_finite());
            numbers.push(number.ok_or_else(|| ModelError::Number {
                path: path.into(),
                line: index + 1,
                text: line.trim().chars().take(40).flat_map(char::escape_debug).collect(),
            })?);
        }
        match numbers.split_first() {
            Some((&intercept, coefficients)) if coefficients.len() == SEED.len() => {
                let names = SEED.iter().map(ToString::to_string).collect();
                let file = ModelFile {
                    features: names,
                    intercept,
                    coefficients: coefficients.into(),
                    mean: None,
                    scale: None,
                    horizon_updates: None,
                    threshold: None,
                    provenance: None,
                };
                Self::from_file(path, &file)
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
        Ok(Self {
            path: path.into(),
            weights: Weights::new(&features, &coefficients),
            features,
            coefficients,
            intercept,
            mean: file.mean.clone(),
            scale: file.scale.clone(),
            horizon_updates: file.horizon_updates,
            threshold: file.threshold,
            trained_on: file.provenance.as_ref().map(TrainedOn::of).unwrap_or_default(),
        })
    }

    /// The log-odds that the mid will be higher, given this model's features as they last were.
    #[inline]
    pub fn logit(&self, features: &FeatureSet) -> f64 {
        self.intercept + features.dot(&self.weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::book::Book;
    use crate::market::event::Event;
    use crate::market::units::{Scale, Side};
    use std::fs;

    fn json(text: &str) -> Result<Model, ModelError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.json");
        fs::write(&path, text).unwrap();
        Model::read(&path)
    }

    fn txt(text: &str) -> Result<Model, ModelError> {
        Model::from_txt(Path::new("m.txt"), text)
    }

    #[test]
    fn a_plain_model_has_the_originals_features() {
        let text: String = (0..29).map(|n| format!("{}\n", f64::from(n) / 8.0)).collect();
        let model = txt(&text).unwrap();
        assert_eq!(model.features, SEED);
        assert_eq!(model.intercept, 0.0);
        assert_eq!(model.coefficients[27], 3.5);
        assert_eq!((model.horizon_updates, model.threshold), (None, None));
    }

    #[test]
    fn a_scaler_is_folded_in() {
        let model = json(
            r#"{"features":["bid_price_1","ask_size_1"],"intercept":0.5,"coefficients":[3.0,-2.0],"mean":[100.0,1.0],"scale":[2.0,4.0],
                "horizon_updates":20,"threshold":0.7,"provenance":{"by":"hand"}}"#,
        )
        .unwrap();
        assert_eq!((model.horizon_updates, model.threshold), (Some(20), Some(0.7)));
        let mut book = Book::default();
        book.begin_snapshot(Scale { price_decimals: 0, size_decimals: 0 });
        book.stage(&[Event::level(Side::Bid, 103, 1), Event::level(Side::Ask, 104, 9)]);
        book.end_snapshot().unwrap();
        let mut features = FeatureSet::new(&model.features);
        features.update(&book, 0).unwrap();
        let by_hand = 0.5 + 3.0 * (103.0 - 100.0) / 2.0 - 2.0 * (9.0 - 1.0) / 4.0;
        assert!((model.logit(&features) - by_hand).abs() < 1e-12);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let one = |rest: &str| json(&format!(r#"{{"features":["mid"],"intercept":0{rest}}}"#)).unwrap_err().to_string();
        for (message, ends) in [
            (
                txt("1\n2\n").unwrap_err().to_string(),
                "model m.txt has 2 numbers; a .txt model has 29, the intercept and the original's 28 coefficients, and any other list of features needs a .json model",
            ),
            (
                txt("").unwrap_err().to_string(),
                "model m.txt has 0 numbers; a .txt model has 29, the intercept and the original's 28 coefficients, and any other list of features needs a .json model",
            ),
            (txt("1\nNaN\n").unwrap_err().to_string(), "model m.txt, line 2: 'NaN' is not a finite number"),
            (txt("1\n\n1e999\n").unwrap_err().to_string(), "model m.txt, line 3: '1e999' is not a finite number"),
            (txt("x\u{1b}[2J").unwrap_err().to_string(), "model m.txt, line 1: 'x\\u{1b}[2J' is not a finite number"),
            (one(r#","coefficients":[]"#), "coefficients has 0 entries for 1 features"),
            (one(r#","coefficients":[1],"mean":[1,2]"#), "mean has 2 entries for 1 features"),
            (one(r#","coefficients":[1],"scale":[0]"#), "scale[0] is 0; a scale is above 0"),
            (
                one(r#","coefficients":[1e300],"scale":[1e-300]"#),
                "coefficients[0] / scale is inf; numbers must be finite",
            ),
            (one(r#","coefficients":[1],"threshold":1"#), "threshold is 1; a threshold lies between 0 and 1"),
            (
                one(r#","coefficients":[1],"treshold":0.5"#),
                "unknown field `treshold`, expected one of `features`, `intercept`, `coefficients`, `mean`, `scale`, `horizon_updates`, `threshold`, `provenance` at line 1 column 63",
            ),
            (one(r#","coefficients":[NaN]"#), "expected value at line 1 column 51"),
            (one(r#","coefficients":[1e999]"#), "number out of range at line 1 column 55"),
            (one(""), "missing field `coefficients` at line 1 column 34"),
            (
                json(r#"{"features":["mid","what"],"intercept":0,"coefficients":[1,2]}"#).unwrap_err().to_string(),
                "m.json, features[1]: unknown feature 'what'; `papertrader features --list` names all",
            ),
            (
                json(r#"{"features":[],"intercept":0,"coefficients":[]}"#).unwrap_err().to_string(),
                "the number of features is 0; a model has from 1 to 128",
            ),
        ] {
            assert!(message.ends_with(ends), "{message}");
        }
        assert!(matches!(Model::read(Path::new("/nowhere/m.json")), Err(ModelError::Read { .. })));
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("m.csv");
        fs::write(&other, "1").unwrap();
        assert!(matches!(Model::read(&other), Err(ModelError::Kind { .. })));
        let large = folder.path().join("m.txt");
        fs::write(&large, vec![b'1'; MODEL_BYTES_MAX as usize + 1]).unwrap();
        assert!(matches!(Model::read(&large), Err(ModelError::TooLarge { .. })));
        fs::write(&large, vec![b'1'; MODEL_BYTES_MAX as usize]).unwrap();
        assert!(matches!(Model::read(&large), Err(ModelError::Number { .. })));
    }
}
