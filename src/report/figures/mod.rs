//! The figures of a run's report, and the one that reports of research share with it.

mod book;
mod calibration;
pub mod compare;
mod features;
mod latency;
mod profit;
pub mod reliability;

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
        Chapter::Model => calibration::figures(material),
        Chapter::Latency => latency::figures(material),
        Chapter::Book => book::figures(material),
        Chapter::Features => features::figures(material),
    }
}
