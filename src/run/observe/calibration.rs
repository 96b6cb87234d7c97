//! Probabilities against outcomes: counts in narrow bins of probability, from which the histogram and what any threshold would
//! have done follow, in narrow bins of logit, from which the ROC curve follows however sure the model is, and the exact sums of
//! `research`.

use super::horizon::Scores;
use super::slices::{AucIntervals, Slicer, Slices};
use crate::statistics::blocks::BLOCKS_MIN;
use crate::statistics::bootstrap::Interval;
use crate::statistics::labels::Ties;
use crate::statistics::logistic::probability;
use crate::statistics::metrics::{self, Metric, Tally};
use serde::{Deserialize, Serialize};

/// Bins of probability, equally wide.
pub const BINS: usize = 2_000;

/// Width of a bin of logits, of their inverse hyperbolic sine: 0.002 near 0, and 0.2 % of the logit far from it.
pub const ASINH_STEP: f64 = 0.002;
/// Logits beyond so many steps from 0, 1.6 million, are in the outermost bins.
const ASINH_STEPS_MAX: i64 = 7_500;

/// Bins of the imbalance, equally wide from −1 to 1. A prime: the ratio of ordinary sizes lies on no edge.
const IMBALANCE_BINS: usize = 1_999;

/// How often the mid did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// It was higher at the horizon.
    pub up: u64,
    /// It was lower.
    pub down: u64,
    /// It was the same.
    pub tied: u64,
    /// Nobody knows: the book was lost, had one side only, or the run ended before the horizon.
    pub unknown: u64,
}

impl Outcomes {
    fn add(&mut self, sign: Option<i8>) {
        let count = match sign {
            Some(1..) => &mut self.up,
            Some(0) => &mut self.tied,
            Some(..0) => &mut self.down,
            None => &mut self.unknown,
        };
        *count += 1;
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.up + self.down + self.tied + self.unknown
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            up: self.up + other.up,
            down: self.down + other.down,
            tied: self.tied + other.tied,
            unknown: self.unknown + other.unknown,
        }
    }
}

/// A bin that is not empty: its number (it begins at number ÷ [`BINS`]), then up, down, tied, unknown.
pub type BinRow = [u64; 5];

/// A bin of logits that is not empty: its number (it begins at sinh(number × [`ASINH_STEP`])), then up, down.
pub type LogitRow = (i64, u64, u64);

/// A bin of imbalances that is not empty: its number (it begins at 2 · number ÷ 1,999 − 1), then up, down.
pub type ImbalanceRow = (u64, u64, u64);

/// A tenth of the probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityRow {
    /// Probabilities from here on.
    pub from: f64,
    /// Evaluations after which the mid moved.
    pub moved: u64,
    /// Their mean probability.
    pub mean_probability: Option<f64>,
    /// The share of them after which it moved up.
    pub up_share: Option<f64>,
    /// Evaluations after which it stayed.
    pub tied: u64,
}

/// Figures over the evaluations after which the mid moved; `None` where there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Area under the ROC curve, from the bins of logits: evaluations of one bin count as equal.
    pub auc: Option<f64>,
    /// The same of `imbalance_1` alone, over the same evaluations, from its bins.
    #[serde(default)] // Earlier files lack it.
    pub imbalance_1_auc: Option<f64>,
    /// Ties, which are in no other figure, as a share of the evaluations with a known outcome.
    #[serde(default)]
    pub tied_share: Option<f64>,
    /// Mean of −ln of the probability given to what happened.
    pub log_loss: Option<f64>,
    /// Mean squared distance of the probability from what happened.
    pub brier: Option<f64>,
    /// Share on the right side of one half.
    pub accuracy: Option<f64>,
    /// Share of up.
    pub base_rate: Option<f64>,
    /// Expected calibration error over tenths of probability.
    pub ece: Option<f64>,
}

/// Every evaluation of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Evaluations.
    pub evaluations: u64,
    /// Those that gave no number; they are in no other figure.
    pub not_a_number: u64,
    /// What the mid did after them.
    pub outcomes: Outcomes,
    /// After evaluations that reached the run's threshold.
    pub at_or_above: Outcomes,
    /// After the others.
    pub below: Outcomes,
    /// Figures of merit.
    pub score: Score,
    /// By tenths of probability.
    pub reliability: Vec<ReliabilityRow>,
    /// Bins in all, equally wide from 0 to 1.
    pub bin_count: usize,
    /// The bins that are not empty, in order.
    pub bins: Vec<BinRow>,
    /// Bins of logits with evaluations after which the mid moved, in order.
    pub logit_bins: Vec<LogitRow>,
    /// Bins of imbalances with the same evaluations, in order.
    #[serde(default)] // Earlier files lack it.
    pub imbalance_bins: Vec<ImbalanceRow>,
    /// Evaluations with a known outcome in slices of time.
    #[serde(default)] // Earlier files lack it.
    pub slices: Slices,
    /// Intervals of the areas under the curve.
    #[serde(default)] // Earlier files lack them.
    pub intervals: Option<AucIntervals>,
}

impl Calibration {
    /// The area under the curve with its interval, or why it has none, the rival's and the share of ties, without markup.
    pub fn auc_sentence(&self) -> Option<String> {
        let auc = self.score.auc?;
        let ends = |interval: Option<Interval>| {
            interval.map_or_else(String::new, |Interval { low, high }| format!(" [{low:.4}, {high:.4}]"))
        };
        let intervals = self.intervals.as_ref();
        let rival = self.score.imbalance_1_auc.map_or_else(String::new, |auc| {
            format!("imbalance_1 alone {auc:.4}{}, ", ends(intervals.and_then(|intervals| intervals.imbalance_1_auc)))
        });
        let ties = self.score.tied_share.map_or_else(|| "ties".into(), |share| format!("{:.1} % ties", 100.0 * share));
        let own = ends(intervals.and_then(|intervals| intervals.auc));
        let none = self.no_interval().map_or_else(String::new, |why| format!(", no interval: {why}"));
        Some(format!("AUC {auc:.4}{own} ({rival}{ties} left out{none})"))
    }

    /// Why the area under the curve has no interval, if it has none.
    pub fn no_interval(&self) -> Option<String> {
        let Some(intervals) = &self.intervals else { return Some("an earlier version wrote this file".into()) };
        let length = format!("of {} evaluations", intervals.evaluations_per_block);
        match (intervals.auc, intervals.blocks) {
            (Some(_), _) => None,
            (None, 0) => Some(format!("less than one block {length}, {BLOCKS_MIN} are needed")),
            (None, 1) => Some(format!("1 block {length}, {BLOCKS_MIN} are needed")),
            (None, blocks @ ..BLOCKS_MIN) => Some(format!("{blocks} blocks {length}, {BLOCKS_MIN} are needed")),
            (None, _) => Some("too many resamples have no rise or no fall".into()),
        }
    }

    /// What a threshold at the edge of a bin would have split: outcomes below it, and from it on.
    pub fn split_at(&self, threshold: f64) -> (Outcomes, Outcomes) {
        let edge = (threshold * self.bin_count as f64).round() as u64;
        self.bins.iter().fold((Outcomes::default(), Outcomes::default()), |(below, above), bin| {
            let outcomes = outcomes_of(bin);
            if bin[0] < edge { (below.plus(outcomes), above) } else { (below, above.plus(outcomes)) }
        })
    }

    /// The ROC curve: shares of down and of up at or above a probability, from (0, 0) to (1, 1), a point per bin.
    /// Nothing without both.
    pub fn roc(&self) -> Vec<(f64, f64)> {
        roc(self.logit_bins.iter().map(|&(_, up, down)| (up, down)))
    }
}

/// The ROC curve of counts of up and down, the lowest score first.
fn roc(bins: impl DoubleEndedIterator<Item = (u64, u64)> + Clone) -> Vec<(f64, f64)> {
    let (up, down) = bins.clone().fold((0, 0), |(ups, downs), (up, down)| (ups + up, downs + down));
    if up == 0 || down == 0 {
        return Vec::new();
    }
    let mut points = vec![(0.0, 0.0)];
    let (mut ups, mut downs) = (0, 0);
    for (bin_up, bin_down) in bins.rev() {
        ups += bin_up;
        downs += bin_down;
        points.push((downs as f64 / down as f64, ups as f64 / up as f64));
    }
    points
}

/// The area under a curve; NaN under none.
fn area(roc: &[(f64, f64)]) -> f64 {
    let area = roc.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0).sum();
    if roc.is_empty() { f64::NAN } else { area }
}

/// Up and down of a bin.
fn count((up, down): &mut (u64, u64), sign: i8) {
    *up += u64::from(sign > 0);
    *down += u64::from(sign < 0);
}

/// The counts of a bin.
pub fn outcomes_of(&[_, up, down, tied, unknown]: &BinRow) -> Outcomes {
    Outcomes { up, down, tied, unknown }
}

/// Counts evaluations.
#[derive(Debug)]
pub(super) struct Gauge {
    threshold_logit: f64,
    bins: Vec<Outcomes>,
    /// Up and down by logit, the lowest first.
    logit_bins: Vec<(u64, u64)>,
    /// Up and down by imbalance, the lowest first.
    imbalance_bins: Vec<(u64, u64)>,
    at_or_above: Outcomes,
    below: Outcomes,
    not_a_number: u64,
    tally: Tally,
    slicer: Slicer,
}

/// Bins of logits.
const LOGIT_BINS: usize = 2 * ASINH_STEPS_MAX as usize;

impl Gauge {
    pub fn new(threshold_logit: f64, horizon_updates: u32) -> Self {
        Self {
            threshold_logit,
            bins: vec![Outcomes::default(); BINS],
            logit_bins: vec![(0, 0); LOGIT_BINS],
            imbalance_bins: vec![(0, 0); IMBALANCE_BINS],
            at_or_above: Outcomes::default(),
            below: Outcomes::default(),
            not_a_number: 0,
            tally: Tally::default(),
            slicer: Slicer::new(horizon_updates, [LOGIT_BINS, IMBALANCE_BINS]),
        }
    }

    #[inline]
    pub fn add(&mut self, Scores { logit, imbalance }: Scores, sign: Option<i8>) {
        if logit.is_nan() {
            self.not_a_number += 1;
            return;
        }
        // A probability of 1 belongs to the last bin.
        let bin = ((probability(logit) * BINS as f64) as usize).min(BINS - 1);
        self.bins[bin].add(sign);
        let side = if logit >= self.threshold_logit { &mut self.at_or_above } else { &mut self.below };
        side.add(sign);
        if let Some(sign) = sign {
            let step = (libm::asinh(logit) / ASINH_STEP).floor() as i64;
            let step = step.clamp(-ASINH_STEPS_MAX, ASINH_STEPS_MAX - 1);
            let logit_bin = (step + ASINH_STEPS_MAX) as usize;
            // An imbalance of 1 belongs to the last bin. A known outcome has both sizes.
            let imbalance_bin = ((imbalance + 1.0) / 2.0 * IMBALANCE_BINS as f64) as usize;
            let imbalance_bin = imbalance_bin.min(IMBALANCE_BINS - 1);
            count(&mut self.logit_bins[logit_bin], sign);
            count(&mut self.imbalance_bins[imbalance_bin], sign);
            self.slicer.add([logit_bin, imbalance_bin], sign, logit, logit >= self.threshold_logit);
            self.tally.add(logit, sign, Ties::Drop, self.threshold_logit);
        }
    }

    pub fn finish(self) -> Calibration {
        let outcomes = self.at_or_above.plus(self.below);
        let rows = self.bins.iter().enumerate().filter(|(_, bin)| bin.total() > 0);
        let bins: Vec<BinRow> = rows.map(|(at, bin)| [at as u64, bin.up, bin.down, bin.tied, bin.unknown]).collect();
        let logit_rows = self.logit_bins.iter().enumerate().filter(|(_, (up, down))| up + down > 0);
        let imbalance_rows = self.imbalance_bins.iter().enumerate().filter(|(_, (up, down))| up + down > 0);
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let reliability = self.tally.bins.iter().enumerate().map(|(at, bin)| ReliabilityRow {
            from: at as f64 / metrics::BINS as f64,
            // Weights are whole numbers where ties are left out.
            moved: bin.weight as u64,
            mean_probability: share(bin.probability, bin.weight),
            up_share: share(bin.up, bin.weight),
            tied: bin.rows_tied as u64,
        });
        let reliability = reliability.collect();
        let (slices, intervals) = self.slicer.finish([&self.logit_bins, &self.imbalance_bins]);
        let mut calibration = Calibration {
            evaluations: outcomes.total() + self.not_a_number,
            not_a_number: self.not_a_number,
            outcomes,
            at_or_above: self.at_or_above,
            below: self.below,
            score: Score::default(),
            reliability,
            bin_count: BINS,
            bins,
            logit_bins: logit_rows.map(|(at, &(up, down))| (at as i64 - ASINH_STEPS_MAX, up, down)).collect(),
            imbalance_bins: imbalance_rows.map(|(at, &(up, down))| (at as u64, up, down)).collect(),
            slices,
            intervals: Some(intervals),
        };
        let values = self.tally.values(area(&calibration.roc()));
        let rival = area(&roc(self.imbalance_bins.iter().copied()));
        let Outcomes { up, down, tied, .. } = outcomes;
        let figure = |metric: Metric| {
            let place = Metric::ALL.iter().position(|&other| other == metric);
            place.map(|place| values[place]).filter(|value| value.is_finite())
        };
        calibration.score = Score {
            auc: figure(Metric::Auc),
            imbalance_1_auc: Some(rival).filter(|area| area.is_finite()),
            tied_share: share(tied as f64, (up + down + tied) as f64),
            log_loss: figure(Metric::LogLoss),
            brier: figure(Metric::Brier),
            accuracy: figure(Metric::Accuracy),
            base_rate: figure(Metric::BaseRate),
            ece: figure(Metric::Ece),
        };
        calibration
    }
}
