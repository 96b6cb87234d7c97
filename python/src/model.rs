//! Models.

use crate::work::work;
use numpy::{PyArray1, PyReadonlyArray2};
use papertrader::base::failure::Failure;
use papertrader::base::output::write_bytes;
use papertrader::cli::Command;
use papertrader::cli::arguments::ModelArgs;
use papertrader::cli::host::{Interrupt, parse};
use papertrader::statistics::logistic::probability;
use papertrader::strategy::features::Input;
use papertrader::strategy::model::{Model, ModelOptions};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Rows between two looks at whether somebody wants the end.
const ROWS: usize = 1 << 12;

type Doubles<'py> = Bound<'py, PyArray1<f64>>;

/// A model with the bytes of its file.
#[pyclass(frozen, module = "papertrader._papertrader")]
pub struct ModelFile {
    /// Evaluating writes to memory of its own.
    model: Arc<Mutex<Model>>,
    bytes: Arc<[u8]>,
}

/// What a user says about a library's model, by the words of the command line.
fn options(features: Option<String>, classes: Option<String>) -> Result<ModelOptions, Failure> {
    let given = [("--model-features=", features), ("--model-classes=", classes)];
    let given = given.into_iter().filter_map(|(option, value)| Some(OsString::from(option.to_owned() + &value?)));
    let command = ["replay", "--model=none", "none"].map(OsString::from);
    match parse(command.into_iter().chain(given))? {
        Command::Replay(args) => Ok(ModelArgs::options(&args.trading.of_model)),
        _ => Err(Failure::input("these are not the options of a model")),
    }
}

impl ModelFile {
    fn of(model: Model, bytes: Vec<u8>) -> Self {
        Self { model: Arc::new(Mutex::new(model)), bytes: bytes.into() }
    }

    /// The model.
    pub fn model(&self) -> Model {
        self.model.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn said<T>(&self, what: impl FnOnce(&Model) -> T) -> T {
        what(&self.model.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl ModelFile {
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf, features: Option<String>, classes: Option<String>) -> PyResult<Self> {
        work(py, move || {
            let options = options(features, classes)?;
            let bytes = Model::read_bytes(&path).map_err(Failure::input)?;
            let model = Model::parse_bytes(&path, &bytes, &options).map_err(Failure::input)?;
            Ok(Self::of(model, bytes))
        })
    }

    #[staticmethod]
    fn parse(
        py: Python<'_>,
        path: PathBuf,
        bytes: Vec<u8>,
        features: Option<String>,
        classes: Option<String>,
    ) -> PyResult<Self> {
        work(py, move || {
            let model = Model::parse_bytes(&path, &bytes, &options(features, classes)?).map_err(Failure::input)?;
            Ok(Self::of(model, bytes))
        })
    }

    fn save(&self, py: Python<'_>, path: PathBuf, force: bool) -> PyResult<()> {
        let bytes = Arc::clone(&self.bytes);
        let ending = self.said(|model| model.path.extension().map(ToOwned::to_owned));
        work(py, move || {
            if path.extension() != ending.as_deref() {
                let ending = ending.unwrap_or_default();
                let what = format!("{}: the name of this model must end in .{}", path.display(), ending.display());
                return Err(Failure::input(what));
            }
            write_bytes(&path, force, &bytes).map_err(Failure::input)
        })
    }

    #[getter]
    fn bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.said(|model| model.path.clone())
    }

    #[getter]
    fn features(&self) -> Vec<String> {
        self.said(|model| model.features.iter().map(Input::definition).collect())
    }

    #[getter]
    fn names(&self) -> Vec<String> {
        self.said(|model| model.features.iter().map(ToString::to_string).collect())
    }

    #[getter]
    fn horizon_updates(&self) -> Option<u32> {
        self.said(|model| model.horizon_updates)
    }

    #[getter]
    fn threshold(&self) -> Option<f64> {
        self.said(|model| model.threshold)
    }

    #[getter]
    fn label(&self) -> Option<String> {
        self.said(|model| model.label.map(|label| label.to_string()))
    }

    #[getter]
    fn ties(&self) -> Option<String> {
        self.said(|model| model.ties.map(|ties| ties.to_string()))
    }

    /// The log-odds of each row and their probabilities.
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        rows: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<(Doubles<'py>, Doubles<'py>)> {
        let view = rows.as_array();
        let width = view.ncols();
        // A copy: whoever owns the array may write to it meanwhile.
        let rows: Vec<f64> = view.iter().copied().collect();
        let model = Arc::clone(&self.model);
        let (logits, probabilities) = work(py, move || {
            let interrupt = Interrupt::watch()?;
            let mut model = model.lock().unwrap_or_else(PoisonError::into_inner);
            if width != model.features.len() {
                let due = model.features.len();
                return Err(Failure::input(format!(
                    "rows of {width} numbers are given, and the model has {due} features"
                )));
            }
            let mut logits = Vec::with_capacity(rows.len() / width.max(1));
            for part in rows.chunks(ROWS * width) {
                if interrupt.is_set() {
                    return Err(Failure::running("interrupted"));
                }
                logits.extend(part.chunks(width).map(|row| model.logit_of_row(row)));
            }
            let probabilities = logits.iter().map(|&logit| probability(logit)).collect();
            Ok((logits, probabilities))
        })?;
        Ok((PyArray1::from_vec(py, logits), PyArray1::from_vec(py, probabilities)))
    }
}
