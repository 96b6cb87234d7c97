//! What a run keeps of a stage's latency.
//!
//! ```
//! use papertrader::engine::latency::{Stage, StageTimes};
//! use papertrader::run::stage_facts::StageFacts;
//!
//! let mut times = StageTimes::default();
//! for time_ns in [900, 1_000, 1_100] {
//!     times.histogram.record(time_ns)?;
//!     times.max_ns = times.max_ns.max(time_ns);
//! }
//! let facts = StageFacts::of(Stage::Book, &times);
//! assert_eq!((facts.stage.as_str(), facts.count), ("book", 3));
//! assert_eq!([facts.min_ns, facts.p50_ns, facts.max_ns], [Some(900), Some(1_000), Some(1_100)]);
//! let nothing = StageFacts::of(Stage::Queue, &StageTimes::default());
//! assert!(nothing.p50_ns.is_none() && nothing.curve.is_empty());
//! # Ok::<(), hdrhistogram::RecordError>(())
//! ```

use super::percentiles::TICKS_PER_HALF_DISTANCE;
use crate::engine::latency::{Stage, StageTimes};
use serde::{Deserialize, Serialize};

/// A stage's latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StageFacts {
    /// The stage's tag in the interval log.
    pub stage: String,
    /// From which stamp to which.
    pub name: String,
    pub count: u64,
    /// Beyond the histograms' range.
    pub out_of_range: u64,
    /// `None` where there is no time within the range, as all percentiles.
    pub min_ns: Option<u64>,
    pub p50_ns: Option<u64>,
    pub p90_ns: Option<u64>,
    pub p99_ns: Option<u64>,
    pub p99_9_ns: Option<u64>,
    pub p99_99_ns: Option<u64>,
    /// `None` where nothing was measured.
    pub max_ns: Option<u64>,
    /// Quantile and nanoseconds, five steps per halving of the distance to 1.
    pub curve: Vec<(f64, u64)>,
}

impl StageFacts {
    /// A stage's figures.
    pub fn of(stage: Stage, times: &StageTimes) -> Self {
        let curve = times.histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE);
        Self {
            stage: stage.tag().into(),
            name: stage.name().into(),
            count: times.count(),
            out_of_range: times.out_of_range,
            min_ns: times.min_ns(),
            p50_ns: times.quantile_ns(0.5),
            p90_ns: times.quantile_ns(0.9),
            p99_ns: times.quantile_ns(0.99),
            p99_9_ns: times.quantile_ns(0.999),
            p99_99_ns: times.quantile_ns(0.9999),
            max_ns: times.longest_ns(),
            curve: curve
                .map(|step| (step.quantile_iterated_to(), step.value_iterated_to().min(times.max_ns)))
                .collect(),
        }
    }
}
