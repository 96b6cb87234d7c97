//! The figures of a run's report, the one that reports of research share with it, and those of a sweep.
//!
//! ```
//! use papertrader::report::chart::Slot;
//! use papertrader::report::figures::{Chapter, figures};
//! use papertrader::report::material::Material;
//!
//! let folder = tempfile::tempdir()?;
//! let csv = folder.path().join("run.csv");
//! let rows = "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit\n0,20,100,101,1,1\n";
//! std::fs::write(&csv, rows)?;
//! let latency = figures(&Material::read(&csv)?, Chapter::Latency);
//! // Without RUN.json and RUN.hlog there is nothing to draw, and the page says so.
//! assert!(latency.iter().all(|slot| matches!(slot, Slot::Missing(..))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod book;
mod calibration;
pub mod compare;
mod executions;
mod features;
mod latency;
mod profit;
pub mod reliability;
pub mod sweep;

pub use features::{FeatureFacts, feature_facts};
pub use latency::places_of;

use super::chart::Slot;
use super::material::Material;

/// Why a figure over evaluations is missing.
const NOT_OBSERVED: &str = "What every live frame said is not known of this run.";

/// A chapter of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chapter {
    /// What was won.
    Profit,
    /// What each way to execute came to.
    Executions,
    /// How good the probabilities were.
    Model,
    /// How long it took.
    Latency,
    /// What the market did.
    Book,
    /// What the model looks at.
    Features,
}

/// A chapter's figures.
pub fn figures(material: &Material, chapter: Chapter) -> Vec<Slot> {
    match chapter {
        Chapter::Profit => profit::figures(material),
        Chapter::Executions => executions::figures(material),
        Chapter::Model => calibration::figures(material),
        Chapter::Latency => latency::figures(material),
        Chapter::Book => book::figures(material),
        Chapter::Features => features::figures(material),
    }
}
