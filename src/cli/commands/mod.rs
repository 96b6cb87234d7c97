//! The commands: arguments in, work done, report out.

pub mod demo;
pub mod evaluate;
pub mod exchange;
pub mod features;
pub mod generate;
pub mod live;
pub mod profile;
pub mod record;
pub mod replay;
pub mod report;
pub mod train;

use crate::report::material::Material;
use crate::report::publish::ReportError;
use crate::run::files::WriteError;
use crate::run::writer::Written;

/// Makes a run's report, if its files could be written: those of a run whose files could not say nothing true.
fn published(
    written: &Result<Written, WriteError>,
    publish: impl FnOnce() -> Result<Option<Material>, ReportError>,
) -> Result<Option<Material>, ReportError> {
    if written.is_ok() { publish() } else { Ok(None) }
}
