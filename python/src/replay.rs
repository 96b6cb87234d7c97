//! Paper trading over a recorded market.

use crate::model::ModelFile;
use crate::work::work;
use papertrader::base::failure::Failure;
use papertrader::cli::Command;
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

/// Trades; gives the trade log, beside which the other files lie, and what the command prints.
#[pyfunction]
pub fn replay(py: Python<'_>, args: Vec<OsString>, model: Option<Py<ModelFile>>) -> PyResult<(PathBuf, String)> {
    let model = model.map(|model| model.get().model());
    work(py, move || {
        let Command::Replay(mut args) = parse(args)? else {
            return Err(Failure::input("these are not the arguments of replay"));
        };
        args.trading.held = model;
        let printed = Printed::default();
        let files = commands::replay::replay(&args, &mut Printer::to(printed.clone()))?;
        Ok((files.csv.clone(), printed.text()))
    })
}
