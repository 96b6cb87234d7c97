//! After a sweep, or long after it: the numbers of its page as a file, and the page.
//!
//! ```
//! use papertrader::report::sweep::publish::{SweepFiles, publish};
//! use papertrader::sweep::result::SweepResult;
//!
//! let folder = tempfile::tempdir()?;
//! let files = SweepFiles::of(&folder.path().join("grid.sweep.json")).expect("its name ends so");
//! let report = publish(&SweepResult::default(), &files, false)?;
//! assert_eq!(report.name, "grid");
//! assert!(folder.path().join("grid.sweep.html").exists() && folder.path().join("grid.sweep.report.json").exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::numbers::SweepReport;
use super::page::page;
use crate::base::output::{OutputError, write_file};
use crate::sweep::result::SweepResult;
use std::path::{Path, PathBuf};

/// How a sweep's file ends.
pub const ENDING: &str = ".sweep.json";

/// Where a sweep's report lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepFiles {
    /// The sweep's name.
    pub name: String,
    /// The numbers of the page.
    pub json: PathBuf,
    /// The page.
    pub html: PathBuf,
}

impl SweepFiles {
    /// Beside the sweep's own file, `NAME.sweep.json`; `None` where its name does not end so.
    pub fn of(sweep: &Path) -> Option<Self> {
        let name = sweep.file_name()?.to_str()?.strip_suffix(ENDING).filter(|name| !name.is_empty())?;
        let beside = |ending: &str| sweep.with_file_name(format!("{name}.sweep.{ending}"));
        Some(Self { name: name.into(), json: beside("report.json"), html: beside("html") })
    }
}

/// Judges a sweep and writes both files. A file that exists is replaced only where `replace` says so.
///
/// # Errors
/// A file cannot be written.
pub fn publish(result: &SweepResult, files: &SweepFiles, replace: bool) -> Result<SweepReport, OutputError> {
    let report = SweepReport::of(&files.name, result);
    write_file(&files.json, replace, &report.to_json())?;
    write_file(&files.html, replace, &page(&report))?;
    Ok(report)
}
