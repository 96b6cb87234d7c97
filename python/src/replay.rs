//! Paper trading over a recorded market.

use crate::model::ModelFile;
use crate::work::work;
use papertrader::base::failure::Failure;
use papertrader::cli::Command;
use papertrader::cli::arguments::Models;
use papertrader::cli::commands;
use papertrader::cli::host::parse;
use papertrader::cli::printer::Printer;
use pyo3::prelude::*;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps what a command prints.
#[derive(Clone, Default)]
pub struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    /// The text so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Each strategy's name, where it has one, and its trade log, beside which its other files lie; the session's other page; and what the
/// command prints.
type Traded = (Vec<(Option<String>, PathBuf)>, Option<PathBuf>, String);

/// Trades.
#[pyfunction]
pub fn replay(py: Python<'_>, args: Vec<OsString>, model: Option<Py<ModelFile>>) -> PyResult<Traded> {
    let model = model.map(|model| model.get().model());
    work(py, move || {
        let Command::Replay(args) = parse(args)? else {
            return Err(Failure::input("these are not the arguments of replay"));
        };
        let mut models = Models::default();
        if let Some(model) = model {
            models.hold(model);
        }
        let printed = Printed::default();
        let (plans, files) = commands::replay::replay(&args, &mut models, &mut Printer::to(printed.clone()))?;
        let logs = files.of_strategies.iter().map(|files| files.csv.clone());
        let named = plans.iter().map(|plan| plan.name.clone()).zip(logs).collect();
        Ok((named, files.overview.as_ref().map(|overview| overview.html.clone()), printed.text()))
    })
}
