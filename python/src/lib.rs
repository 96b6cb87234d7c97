//! What the Python package `papertrader` calls: the program's commands as functions.
//!
//! Python's keyword arguments become the arguments of a command (`papertrader/_options.py`), which is read and refused as on the
//! command line. The work runs on a thread of its own without the interpreter's lock ([`work`]).

#![allow(missing_docs)] // Of functions that Python calls, `papertrader/_papertrader.pyi` says more.

mod book;
mod cluster;
mod columns;
mod commands;
mod features;
mod model;
mod replay;
mod work;

use pyo3::pymodule;

/// The package's compiled half.
#[pymodule(name = "_papertrader")]
mod module {
    #[pymodule_export]
    use super::book::{Frame, Walk, walk};
    #[pymodule_export]
    use super::cluster::{Gathering, companions, expanded, sweep_part};
    #[pymodule_export]
    use super::columns::{read_log, read_sweep};
    #[pymodule_export]
    use super::commands::{evaluate, generate, sweep, train};
    #[pymodule_export]
    use super::features::{feature_list, features, product};
    #[pymodule_export]
    use super::model::ModelFile;
    #[pymodule_export]
    use super::replay::replay;

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
