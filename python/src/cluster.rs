//! Sweeps whose rows are made on other machines.

use crate::replay::Printed;
use crate::work::work;
use papertrader::base::failure::Failure;
use papertrader::cli::Command;
use papertrader::cli::commands::sweep::{Elsewhere, SweepArgs, part};
use papertrader::cli::host::parse;
use papertrader::cli::printer::Printer;
use papertrader::sources::files;
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

fn arguments(args: Vec<OsString>) -> Result<SweepArgs, Failure> {
    match parse(args)? {
        Command::Sweep(args) => Ok(args),
        _ => Err(Failure::input("these are not the arguments of sweep")),
    }
}

/// What has ended, or broke while it was used.
fn ended() -> Failure {
    Failure::running("this sweep has ended")
}

/// A sweep that takes parts; see `papertrader.cluster`.
#[pyclass(frozen, module = "papertrader._papertrader")]
pub struct Gathering {
    /// `None` once it has ended.
    sweep: Arc<Mutex<Option<Elsewhere>>>,
}

#[pymethods]
impl Gathering {
    #[new]
    fn new(py: Python<'_>, args: Vec<OsString>) -> PyResult<Self> {
        let sweep = work(py, move || Elsewhere::begin(&arguments(args)?))?;
        Ok(Self { sweep: Arc::new(Mutex::new(Some(sweep))) })
    }

    fn missing(&self, py: Python<'_>) -> PyResult<Vec<Vec<u32>>> {
        let sweep = Arc::clone(&self.sweep);
        work(py, move || {
            let sweep = sweep.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(sweep.as_ref().ok_or_else(ended)?.missing())
        })
    }

    fn add(&self, py: Python<'_>, part: String) -> PyResult<()> {
        let sweep = Arc::clone(&self.sweep);
        work(py, move || {
            let part = serde_json::from_str(&part).map_err(Failure::running)?;
            sweep.lock().unwrap_or_else(PoisonError::into_inner).as_mut().ok_or_else(ended)?.add(part)
        })
    }

    fn finish(&self, py: Python<'_>, broken: BTreeMap<u32, String>) -> PyResult<(PathBuf, String)> {
        let sweep = Arc::clone(&self.sweep);
        work(py, move || {
            let sweep = sweep.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(ended)?;
            let printed = Printed::default();
            let csv = sweep.finish(&broken, &mut Printer::to(printed.clone()))?;
            Ok((csv, printed.text()))
        })
    }
}

/// Makes rows of a sweep over its only capture; gives them as JSON.
#[pyfunction]
pub fn sweep_part(
    py: Python<'_>,
    args: Vec<OsString>,
    number: u32,
    name: String,
    settings: Vec<u32>,
) -> PyResult<String> {
    work(py, move || {
        let part = part(&arguments(args)?, (number, &name), &settings)?;
        serde_json::to_string(&part).map_err(Failure::running)
    })
}

/// The files that paths, folders and patterns stand for; what does not exist here stays as it is.
#[pyfunction]
pub fn expanded(py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<Vec<String>> {
    work(py, move || {
        let files = files::expand(&paths).map_err(Failure::input)?;
        Ok(files.iter().map(|path| path.display().to_string()).collect())
    })
}

/// Where the file that is read beside this one may be: the first of these that is there is it.
#[pyfunction]
pub fn companions(py: Python<'_>, path: PathBuf) -> PyResult<Vec<String>> {
    work(py, move || Ok(files::companions(&path).iter().map(|path| path.display().to_string()).collect()))
}
