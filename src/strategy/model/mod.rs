//! Model files, and the log-odds that a model gives a row of features.
//!
//! | file | what | evaluated |
//! | --- | --- | --- |
//! | `.txt`, `.json` | papertrader's own: linear | as doubles |
//! | `.txt` | LightGBM's `save_model` | as doubles |
//! | `.json`, `.ubj` | XGBoost's `save_model` | as floats |
//! | `.onnx` | what converters make of scikit-learn, LightGBM and XGBoost | as floats or doubles, as the graph says |
//!
//! All are compiled when loaded and evaluated without allocation, but for ONNX graphs that tract runs (feature `onnx-graphs`): what
//! those cost is measured when a session begins, see [`Cost`].
//!
//! ```
//! use papertrader::strategy::features::Feature;
//! use papertrader::strategy::model::{Model, ModelError};
//!
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0], "mean": [0.5], "scale": [4.0]}"#;
//! let model = Model::parse("imbalance.json".as_ref(), text)?;
//! assert_eq!(model.features, [Feature::Imbalance(1)]);
//! // The scaler is folded in.
//! let linear = model.linear().expect("no trees");
//! assert_eq!((linear.coefficients[0], linear.intercept), (0.5, -0.25));
//!
//! let unknown = Model::parse("m.json".as_ref(), &text.replace("imbalance_1", "momentum"));
//! assert!(matches!(unknown, Err(ModelError::Feature { index: 0, .. })));
//! # Ok::<(), ModelError>(())
//! ```

mod calibration;
mod cost;
mod error;
mod evaluator;
mod file;
mod forest;
mod lightgbm;
mod linear;
mod names;
mod onnx;
mod trees;
mod ubjson;
mod xgboost;

pub use calibration::{Calibration, ISOTONIC_POINTS_MAX};
pub use cost::{COST_ROWS, COST_TIME_MAX, Cost, CountAllocations, count_allocations_by};
pub use error::{LibraryError, ModelError};
pub use evaluator::{Evaluate, LOG_ODDS_MAX};
pub use file::ModelFile;
pub use forest::{Forest, Outcome};
pub use linear::Linear;
pub use names::{Class, ModelOptions, parse_classes};
use onnx::Compiled;
#[cfg(feature = "onnx-graphs")]
pub use onnx::General;
pub use onnx::{GRAPH_NODES_MAX, GRAPH_PRODUCTS_MAX, NUMBERS_MAX, Pipeline};
pub use trees::{
    CLASSES_MAX, Child, Ensemble, MASKED_NODES_MAX, Missing, NODES_MAX, Row, Split, TREE_DEPTH_MAX, Test, Tree,
    TreeFault,
};

use crate::base::small_file;
use crate::statistics::drift::TrainingDistribution;
use crate::statistics::labels::{LabelRule, Ties};
use crate::strategy::attempts::Attempts;
use crate::strategy::features::{FeatureSet, Input, Share};
use crate::strategy::trained_on::TrainedOn;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest model file of our own that is read.
pub const MODEL_BYTES_MAX: u64 = 1 << 20;
/// The largest model file of a library that is read.
pub const LIBRARY_MODEL_BYTES_MAX: u64 = 256 << 20;

const LIGHTGBM: &str = "LightGBM";
const XGBOOST: &str = "XGBoost";
const ONNX: &str = "ONNX";

/// A model ready for use.
#[derive(Clone, Debug)]
pub struct Model {
    /// The file it was read from.
    pub path: PathBuf,
    /// What it looks at, in order.
    pub features: Vec<Input>,
    /// How many updates ahead it predicts, if the file says so.
    pub horizon_updates: Option<u32>,
    /// The rule of the label that it predicts, if the file says so.
    pub label: Option<LabelRule>,
    /// How rows counted whose mid stays, if the file says so.
    pub ties: Option<Ties>,
    /// What features and score were like over the rows that it was trained on, if the file says so.
    pub distribution: Option<Arc<TrainingDistribution>>,
    /// The threshold that the file recommends, if it does.
    pub threshold: Option<f64>,
    /// What it was trained on, as far as the file says so.
    pub trained_on: TrainedOn,
    /// What an evaluation costs, once [`measure`](Self::measure) was asked; `None` for models that the program compiles itself.
    pub cost: Option<Cost>,
    /// The models that were tried before it, and itself, as far as the file says so.
    pub attempts: Attempts,
    evaluator: Evaluator,
    calibration: Option<Calibration>,
    /// Whether files of its kind have a place for what it predicts.
    can_say: bool,
}

/// The kinds of model. A frame asks once which it is.
#[derive(Clone, Debug)]
enum Evaluator {
    Linear(Linear),
    /// Of LightGBM.
    Doubles(Forest<f64>),
    /// Of XGBoost.
    Floats(Forest<f32>),
    Pipeline(Box<Pipeline>),
    #[cfg(feature = "onnx-graphs")]
    General(Box<General>),
}

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    PlainText,
    PlainJson,
    LightGbm,
    XgboostJson,
    XgboostUbjson,
    Onnx,
}

impl Kind {
    /// By its name, and where two kinds share an ending by how it begins.
    fn of(path: &Path, begins: &[u8]) -> Option<Self> {
        match path.extension()?.to_str()? {
            "txt" if lightgbm::begins_as(begins) => Some(Self::LightGbm),
            "txt" => Some(Self::PlainText),
            "json" if xgboost::begins_as(begins) => Some(Self::XgboostJson),
            "json" => Some(Self::PlainJson),
            "ubj" => Some(Self::XgboostUbjson),
            "onnx" => Some(Self::Onnx),
            _ => None,
        }
    }

    fn bytes_max(self) -> u64 {
        match self {
            Self::PlainText | Self::PlainJson => MODEL_BYTES_MAX,
            Self::LightGbm | Self::XgboostJson | Self::XgboostUbjson | Self::Onnx => LIBRARY_MODEL_BYTES_MAX,
        }
    }
}

impl Model {
    /// Reads a model of the kind that its name and its beginning say.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        Self::read_with(path, &ModelOptions::default())
    }

    /// The same with what the user says about a library's model.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn read_with(path: &Path, options: &ModelOptions) -> Result<Self, ModelError> {
        Self::parse_bytes(path, &Self::read_bytes(path)?, options)
    }

    /// Reads the bytes of a model's file, no more than its kind may have: [`parse_bytes`](Self::parse_bytes) makes the model of them.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn read_bytes(path: &Path) -> Result<Vec<u8>, ModelError> {
        let read_error = |source| ModelError::Read { path: path.into(), source };
        let (begins, whole) = small_file::read_beginning(path, MODEL_BYTES_MAX).map_err(read_error)?;
        let bytes_max = Kind::of(path, &begins).ok_or_else(|| ModelError::Kind { path: path.into() })?.bytes_max();
        if whole {
            return Ok(begins);
        }
        let too_large = || ModelError::TooLarge { path: path.into(), bytes_max };
        if bytes_max == MODEL_BYTES_MAX {
            return Err(too_large());
        }
        small_file::read(path, bytes_max).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => too_large(),
            _ => read_error(error),
        })
    }

    /// The same from a text. The path says which kind of file it is, and names it in errors.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ModelError> {
        Self::parse_bytes(path, text.as_bytes(), &ModelOptions::default())
    }

    /// The same from a file's bytes.
    ///
    /// # Errors
    /// See [`ModelError`].
    pub fn parse_bytes(path: &Path, bytes: &[u8], options: &ModelOptions) -> Result<Self, ModelError> {
        let kind = Kind::of(path, bytes).ok_or_else(|| ModelError::Kind { path: path.into() })?;
        let text = || {
            let not_text = || io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text");
            str::from_utf8(bytes).map_err(|_| ModelError::Read { path: path.into(), source: not_text() })
        };
        let fault = |library| move |source| ModelError::Library { path: path.into(), library, source };
        match kind {
            Kind::PlainText | Kind::PlainJson => {
                let given =
                    [("model-features", options.features.is_some()), ("model-classes", options.classes.is_some())];
                if let Some((option, _)) = given.into_iter().find(|&(_, given)| given) {
                    return Err(ModelError::NamesItself { path: path.into(), option });
                }
                let text = text()?;
                if kind == Kind::PlainText {
                    return Self::from_txt(path, text);
                }
                let file =
                    serde_json::from_str(text).map_err(|source| ModelError::Json { path: path.into(), source })?;
                Self::from_file(path, &file)
            }
            Kind::LightGbm => {
                let (features, forest) = lightgbm::read(text()?, options).map_err(fault(LIGHTGBM))?;
                Ok(Self::of_library(path, features, Evaluator::Doubles(forest)))
            }
            Kind::XgboostJson => {
                let (features, forest) = xgboost::read_json(text()?, options).map_err(fault(XGBOOST))?;
                Ok(Self::of_library(path, features, Evaluator::Floats(forest)))
            }
            Kind::XgboostUbjson => {
                let (features, forest) = xgboost::read_ubjson(bytes, options).map_err(fault(XGBOOST))?;
                Ok(Self::of_library(path, features, Evaluator::Floats(forest)))
            }
            Kind::Onnx => {
                let (features, compiled, told) = onnx::read(bytes, options).map_err(fault(ONNX))?;
                let evaluator = match compiled {
                    Compiled::Pipeline(pipeline) => Evaluator::Pipeline(Box::new(pipeline)),
                    #[cfg(feature = "onnx-graphs")]
                    Compiled::General(general) => Evaluator::General(general),
                };
                Ok(Self {
                    horizon_updates: told.horizon_updates,
                    label: told.label,
                    ties: told.ties,
                    can_say: true,
                    threshold: told.threshold,
                    ..Self::of_library(path, features, evaluator)
                })
            }
        }
    }

    fn of_library(path: &Path, features: Vec<Input>, evaluator: Evaluator) -> Self {
        Self {
            path: path.into(),
            features,
            cost: None,
            evaluator,
            calibration: None,
            horizon_updates: None,
            label: None,
            ties: None,
            can_say: false,
            distribution: None,
            threshold: None,
            trained_on: TrainedOn::default(),
            attempts: Attempts::default(),
        }
    }

    /// What its file does not say of what it predicts, though files of its kind can: our own `.json` and ONNX. Empty for the others,
    /// whose silence means nothing.
    pub fn unsaid(&self) -> Vec<&'static str> {
        let fields = [
            ("horizon_updates", self.horizon_updates.is_some()),
            ("label", self.label.is_some()),
            ("ties", self.ties.is_some()),
        ];
        fields.into_iter().filter(|&(_, said)| self.can_say && !said).map(|(field, _)| field).collect()
    }

    /// Measures what an evaluation costs if another library runs the model. What the program compiles itself allocates nothing.
    pub fn measure(&mut self) {
        #[cfg(feature = "onnx-graphs")]
        if matches!(self.evaluator, Evaluator::General(_)) {
            self.cost = Some(Cost::of(self));
        }
    }

    /// Its coefficients, if it is linear.
    pub fn linear(&self) -> Option<&Linear> {
        match &self.evaluator {
            Evaluator::Linear(linear) => Some(linear),
            _ => None,
        }
    }

    /// The log-odds that the mid will be higher, given this model's features as they last were.
    #[inline]
    pub fn logit(&mut self, features: &FeatureSet) -> f64 {
        let score = match &mut self.evaluator {
            Evaluator::Linear(linear) => linear.logit(features),
            Evaluator::Doubles(forest) => forest.logit(features),
            Evaluator::Floats(forest) => forest.logit(features),
            Evaluator::Pipeline(pipeline) => pipeline.logit(features),
            #[cfg(feature = "onnx-graphs")]
            Evaluator::General(general) => general.logit(features),
        };
        self.calibrated(score)
    }

    /// Prepares it for features that are a part of a set: before [`Model::logit_in`].
    pub fn place_in(&mut self, share: &Share) {
        let Self { features, evaluator, .. } = self;
        if let Evaluator::Linear(linear) = evaluator {
            linear.place_in(features, share);
        }
    }

    /// The same for features that are a part of a set. A model gives the bits that it gives alone.
    #[inline]
    pub fn logit_in(&mut self, features: &FeatureSet, share: &Share) -> f64 {
        let score = match &mut self.evaluator {
            Evaluator::Linear(linear) => linear.logit_in(features, share),
            Evaluator::Doubles(forest) => forest.logit_in(features, share),
            Evaluator::Floats(forest) => forest.logit_in(features, share),
            Evaluator::Pipeline(pipeline) => pipeline.logit_in(features, share),
            #[cfg(feature = "onnx-graphs")]
            Evaluator::General(general) => general.logit_in(features, share),
        };
        self.calibrated(score)
    }

    /// The same for a row of numbers in the order of the features. A linear model's last bits may differ.
    pub fn logit_of_row(&mut self, row: &[f64]) -> f64 {
        let row = row.iter().copied();
        let score = match &mut self.evaluator {
            Evaluator::Linear(linear) => linear.of_row(row),
            Evaluator::Doubles(forest) => forest.of_row(row),
            Evaluator::Floats(forest) => forest.of_row(row),
            Evaluator::Pipeline(pipeline) => pipeline.of_row(row),
            #[cfg(feature = "onnx-graphs")]
            Evaluator::General(general) => general.of_row(row),
        };
        self.calibrated(score)
    }

    #[inline]
    fn calibrated(&self, score: f64) -> f64 {
        match &self.calibration {
            None => score,
            Some(calibration) => calibration.log_odds(score),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::book::Book;
    use crate::market::event::Event;
    use crate::market::units::{Scale, Side};
    use crate::strategy::features::SEED;
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
        let linear = model.linear().unwrap();
        assert_eq!((linear.intercept, linear.coefficients[27]), (0.0, 3.5));
        assert_eq!((model.horizon_updates, model.threshold), (None, None));
    }

    #[test]
    fn a_scaler_is_folded_in() {
        let mut model = json(
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
                "unknown field `treshold`, expected one of `features`, `intercept`, `coefficients`, `mean`, `scale`, `horizon_updates`, `label`, `ties`, `threshold`, `provenance`, `calibration`, `training_distribution` at line 1 column 63",
            ),
            (
                one(r#","coefficients":[1],"calibration":{"kind":"isotonic","x":[1,0],"y":[0,1]}"#),
                "calibration.x[1] is 0; scores are finite and ascend",
            ),
            (
                one(r#","coefficients":[1],"calibration":{"kind":"platt"}"#),
                "unknown variant `platt`, expected `sigmoid` or `isotonic` at line 1 column 82",
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
        for (option, options) in [
            ("model-features", ModelOptions { features: Some(SEED.map(Into::into).to_vec()), classes: None }),
            ("model-classes", ModelOptions { features: None, classes: Some(vec![Class::Down, Class::Up]) }),
        ] {
            let error = Model::parse_bytes(Path::new("m.txt"), b"1", &options).unwrap_err().to_string();
            assert_eq!(error, format!("model m.txt names its features itself: leave out --{option}"));
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
