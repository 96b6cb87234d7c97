//! Commands that leave files or a report.

use crate::model::ModelFile;
use crate::replay::Printed;
use crate::work::work;
use papertrader::base::failure::Failure;
use papertrader::cli::Command;
use papertrader::cli::commands as program;
use papertrader::cli::host::parse;
use papertrader::cli::printer::Printer;
use pyo3::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;

/// Judges models; gives the report as JSON and what the command prints.
#[pyfunction]
pub fn evaluate(py: Python<'_>, args: Vec<OsString>, models: Vec<Py<ModelFile>>) -> PyResult<(String, String)> {
    let models = models.iter().map(|model| model.get().model()).collect();
    work(py, move || {
        let Command::Evaluate(mut args) = parse(args)? else {
            return Err(Failure::input("these are not the arguments of evaluate"));
        };
        args.held = models;
        let printed = Printed::default();
        let report = program::evaluate::evaluate(&args, &mut Printer::to(printed.clone()))?;
        Ok((report.json(), printed.text()))
    })
}

/// Trains a model, or chooses its features first; gives what the command prints.
#[pyfunction]
pub fn train(py: Python<'_>, args: Vec<OsString>) -> PyResult<String> {
    work(py, move || {
        let printed = Printed::default();
        let printer = &mut Printer::to(printed.clone());
        match parse(args)? {
            Command::Train(args) => program::train::run(&args, printer)?,
            Command::Select(args) => program::select::run(&args, printer)?,
            _ => return Err(Failure::input("these are not the arguments of train")),
        }
        Ok(printed.text())
    })
}

/// Sweeps settings; gives the table's CSV file and what the command prints.
#[pyfunction]
pub fn sweep(py: Python<'_>, args: Vec<OsString>) -> PyResult<(PathBuf, String)> {
    work(py, move || {
        let Command::Sweep(args) = parse(args)? else {
            return Err(Failure::input("these are not the arguments of sweep"));
        };
        let printed = Printed::default();
        let csv = program::sweep::sweep(&args, &mut Printer::to(printed.clone()))?;
        Ok((csv, printed.text()))
    })
}

/// Writes a capture of the synthetic market.
#[pyfunction]
pub fn generate(py: Python<'_>, args: Vec<OsString>) -> PyResult<()> {
    work(py, move || match parse(args)? {
        Command::Generate(args) => program::generate::run(&args),
        _ => Err(Failure::input("these are not the arguments of generate")),
    })
}
