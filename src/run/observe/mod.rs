//! What a run's live frames say, gathered on the writer thread while the run goes on: constant work per frame, bounded memory.
//!
//! ```
//! use papertrader::engine::observation::{Evaluation, Observation};
//! use papertrader::market::book::Level;
//! use papertrader::market::event::UNSTAMPED;
//! use papertrader::market::units::Scale;
//! use papertrader::run::observe::Collector;
//! use papertrader::strategy::features::Feature;
//!
//! let mut collector = Collector::new(&[Feature::Imbalance(1).into()], 0.4, 1);
//! for sequence in 0..10 {
//!     collector.frame(&Observation {
//!         sequence,
//!         venue_sequence_num: sequence,
//!         ts_recv_ns: sequence as i64 * 1_000_000,
//!         stretch: 1,
//!         bid: Level { price_ticks: 9_999 + sequence, size_lots: 300 },
//!         ask: Level { price_ticks: 10_001 + sequence, size_lots: 100 },
//!         scale: Scale { price_decimals: 2, size_decimals: 2 },
//!         evaluation: Some(Evaluation { logit: 1.0, decided: UNSTAMPED }),
//!     });
//!     collector.row([0.5].into_iter());
//! }
//! let observed = collector.finish();
//! assert_eq!((observed.live_frames, observed.one_sided_frames), (10, 0));
//! ```

mod calibration;
mod drift;
mod horizon;
mod moments;
mod series;
mod slices;

pub use calibration::{BINS, BinRow, Calibration, Outcomes, ReliabilityRow, Score, outcomes_of};
pub use drift::{DRIFT_WINDOWS, Drift, QuantityDrift};
pub use moments::{FeatureMoments, Moments};
pub use series::{BUCKETS, Extent, Series};
pub use slices::{AucIntervals, Placements, SLICES, Slices};

use crate::engine::observation::{Observation, ROW_EVERY};
use crate::statistics::drift::TrainingDistribution;
use crate::statistics::labels::{DoubleMid, LabelRule};
use crate::strategy::features::Input;
use calibration::Gauge;
use drift::DriftSums;
use horizon::{Horizon, Scores, Settled};
use moments::MomentSums;
use serde::{Deserialize, Serialize};
use series::Sampler;
use std::sync::Arc;

/// What is gathered; its place in `RUN.json` is `observed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Frames that left the book live.
    pub live_frames: u64,
    /// Those without a best bid or a best ask; they are in no series.
    pub one_sided_frames: u64,
    /// Updates from an evaluation to the mid that it is scored against.
    pub horizon_updates: u32,
    /// The rule of the label that it is scored against.
    #[serde(default)] // Earlier files lack it: theirs was the mid after the horizon.
    pub label: Option<String>,
    /// Probabilities against what the mid did.
    pub calibration: Calibration,
    /// Of some evaluations' features.
    pub features: Moments,
    /// How far score and features lie from the training's; `None` where the model's file does not say what they were there.
    #[serde(default)] // Earlier files lack it.
    pub drift: Option<Drift>,
    /// The book over time.
    pub book: Series,
}

/// Gathers it.
#[derive(Debug)]
pub struct Collector {
    live_frames: u64,
    one_sided_frames: u64,
    horizon_updates: u32,
    label: LabelRule,
    horizon: Horizon,
    gauge: Gauge,
    features: Vec<Input>,
    /// The row that came last.
    row: Vec<f64>,
    moments: MomentSums,
    drift: Option<DriftSums>,
    series: Sampler,
}

impl Collector {
    /// Of a model with these features, which buys from a threshold on and is scored against the mid `horizon_updates`,
    /// at least 1, later.
    pub fn new(features: &[Input], threshold_logit: f64, horizon_updates: u32) -> Self {
        Self::by_label(features, threshold_logit, LabelRule::mid_after(horizon_updates), horizon_updates)
    }

    /// The same scored against another label. `horizon_updates` tells how long evaluations share their outcomes where the label looks
    /// over a time.
    pub fn by_label(features: &[Input], threshold_logit: f64, label: LabelRule, horizon_updates: u32) -> Self {
        let horizon_updates = label.span_updates().unwrap_or(horizon_updates);
        Self {
            live_frames: 0,
            one_sided_frames: 0,
            horizon_updates,
            label,
            horizon: Horizon::new(label),
            gauge: Gauge::new(threshold_logit, horizon_updates),
            features: features.to_vec(),
            row: Vec::with_capacity(features.len()),
            moments: MomentSums::new(features.len()),
            drift: None,
            series: Sampler::default(),
        }
    }

    /// With a look at how far score and features move from what they were in training.
    #[must_use]
    pub fn drifting_from(self, trained: Option<&Arc<TrainingDistribution>>) -> Self {
        let drift = trained.and_then(|trained| DriftSums::new(Arc::clone(trained), self.features.len()));
        Self { drift, ..self }
    }

    /// Takes a live frame.
    pub fn frame(&mut self, frame: &Observation) {
        self.live_frames += 1;
        let two_sided = frame.bid.size_lots > 0 && frame.ask.size_lots > 0;
        let mid = two_sided.then(|| DoubleMid {
            ticks: frame.bid.price_ticks + frame.ask.price_ticks,
            price_decimals: frame.scale.price_decimals,
        });
        let Self { horizon, gauge, .. } = self;
        let [bid_lots, ask_lots] = [frame.bid, frame.ask].map(|level| level.size_lots as f64);
        let imbalance = (bid_lots - ask_lots) / (bid_lots + ask_lots);
        let scores = frame.evaluation.map(|evaluation| Scores { logit: evaluation.logit, imbalance });
        if let (Some(drift), Some(evaluation)) = (&mut self.drift, frame.evaluation) {
            drift.evaluation(frame.sequence, frame.ts_recv_ns, evaluation.logit);
        }
        horizon.frame(frame, mid, scores, |Settled { scores, sign }| gauge.add(scores, sign));
        if two_sided {
            self.series.frame(frame);
        } else {
            self.one_sided_frames += 1;
        }
    }

    /// How many values the next row of features has.
    pub fn row_width(&self) -> usize {
        self.features.len()
    }

    /// Takes the features of an evaluation.
    pub fn row(&mut self, values: impl Iterator<Item = f64>) {
        self.row.clear();
        self.row.extend(values);
        self.moments.add(self.row.iter().copied());
        if let Some(drift) = &mut self.drift {
            drift.row(self.row.iter().copied());
        }
    }

    /// Whether the model is out of its depth by now, where its file says what its training was like.
    pub fn is_out_of_depth(&mut self) -> bool {
        self.drift.as_mut().is_some_and(|drift| drift.is_out_of_depth(&self.features))
    }

    /// The run is over.
    pub fn finish(mut self) -> Observed {
        let gauge = &mut self.gauge;
        self.horizon.flush(&mut |Settled { scores, sign }| gauge.add(scores, sign));
        Observed {
            live_frames: self.live_frames,
            one_sided_frames: self.one_sided_frames,
            horizon_updates: self.horizon_updates,
            label: Some(self.label.to_string()),
            calibration: self.gauge.finish(),
            features: self.moments.finish(&self.features, ROW_EVERY),
            drift: self.drift.map(|drift| drift.finish(&self.features)),
            book: self.series.finish(),
        }
    }
}

#[cfg(test)]
mod tests;
