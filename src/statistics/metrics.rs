//! How good probabilities are: sums over rows from which every figure follows, and the area under the ROC curve.
//!
//! ```
//! use papertrader::statistics::labels::Ties;
//! use papertrader::statistics::metrics::{Metric, Ranking, Tally};
//!
//! let (logits, signs) = ([2.0, -1.0, 0.5], [1, -1, 0]);
//! let mut tally = Tally::default();
//! for (logit, sign) in logits.into_iter().zip(signs) {
//!     tally.add(logit, sign, Ties::Drop, 0.0);
//! }
//! let auc = Ranking::new(&logits, &signs, Ties::Drop).auc(|row| Ties::Drop.weight(signs[row]));
//! let values = tally.values(auc);
//! let value = |metric| values[Metric::ALL.iter().position(|&each| each == metric).unwrap()];
//! assert_eq!(value(Metric::Auc), 1.0);
//! assert_eq!(value(Metric::Accuracy), 1.0);
//! assert_eq!(value(Metric::ShareAtThreshold), 2.0 / 3.0);
//! ```

use super::labels::{Ties, Weight};
use crate::statistics::logistic::probability;
use serde::Serialize;

/// Reliability bins, equally wide.
pub const BINS: usize = 10;

/// A figure of merit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Area under the ROC curve; equal scores count half.
    Auc,
    /// Mean of −ln of the probability given to what happened.
    LogLoss,
    /// Mean squared distance of the probability from what happened.
    Brier,
    /// Share of rows on the right side of one half.
    Accuracy,
    /// Share of up.
    BaseRate,
    /// Expected calibration error: |mean probability − share of up| over the bins, weighted by their rows.
    Ece,
    /// Share of all rows, ties included, whose probability reaches the threshold.
    ShareAtThreshold,
    /// Share of up among the rows that reach it, as the ties rule counts rows.
    HitRate,
    /// Share of up among all rows that reach it, ties included: what a live decision meets.
    HitRateAllRows,
    /// Mean probability minus share of up among the rows that reach it, as the ties rule counts rows.
    BiasAtThreshold,
}

impl Metric {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::Auc,
        Self::LogLoss,
        Self::Brier,
        Self::Accuracy,
        Self::BaseRate,
        Self::Ece,
        Self::ShareAtThreshold,
        Self::HitRate,
        Self::HitRateAllRows,
        Self::BiasAtThreshold,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auc => "AUC",
            Self::LogLoss => "log-loss",
            Self::Brier => "Brier score",
            Self::Accuracy => "accuracy",
            Self::BaseRate => "base rate of up",
            Self::Ece => "ECE",
            Self::ShareAtThreshold => "share at threshold",
            Self::HitRate => "hit rate there",
            Self::HitRateAllRows => "hit rate, all rows",
            Self::BiasAtThreshold => "bias there",
        }
    }
}

impl Metric {
    /// The least and the greatest that it can be.
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::LogLoss => (0.0, f64::INFINITY),
            Self::BiasAtThreshold => (-1.0, 1.0),
            _ => (0.0, 1.0),
        }
    }

    /// Whether only the rows that reach the threshold count.
    pub fn is_of_reached(self) -> bool {
        matches!(self, Self::HitRate | Self::HitRateAllRows | Self::BiasAtThreshold)
    }
}

/// A value per metric, in the order of [`Metric::ALL`]; NaN where there is none.
pub type Values = [f64; Metric::ALL.len()];

/// −ln of the probability given to what happened, by the logit, for a row of this weight.
pub fn log_loss(logit: f64, weight: Weight) -> f64 {
    let small = (-logit.abs()).exp().ln_1p();
    weight.up * (small + (-logit).max(0.0)) + weight.down * (small + logit.max(0.0))
}

/// Rows of a reliability bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Rows, as the ties rule counts them.
    pub weight: f64,
    /// Σ of their probability.
    pub probability: f64,
    /// Those of them that went up.
    pub up: f64,
    /// All rows.
    pub rows: f64,
    /// All rows that went up.
    pub rows_up: f64,
    /// All rows whose mid stayed.
    pub rows_tied: f64,
}

/// Sums over rows. Adding tallies, times how often their rows were drawn, gives the tally of a resample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// By probability, from low to high.
    pub bins: [Bin; BINS],
    /// The rows that reach the threshold.
    pub reached: Bin,
    log_loss: f64,
    squares: f64,
    correct: f64,
}

impl Bin {
    fn add(&mut self, probability: f64, sign: i8, weight: Weight) {
        self.weight += weight.total();
        self.probability += weight.total() * probability;
        self.up += weight.up;
        self.rows += 1.0;
        self.rows_up += f64::from(u8::from(sign > 0));
        self.rows_tied += f64::from(u8::from(sign == 0));
    }

    fn add_times(&mut self, other: &Self, times: f64) {
        let Self { weight, probability, up, rows, rows_up, rows_tied } = self;
        *weight += times * other.weight;
        *probability += times * other.probability;
        *up += times * other.up;
        *rows += times * other.rows;
        *rows_up += times * other.rows_up;
        *rows_tied += times * other.rows_tied;
    }
}

impl Tally {
    /// Adds a row with the model's logit.
    pub fn add(&mut self, logit: f64, sign: i8, ties: Ties, threshold_logit: f64) {
        let weight = ties.weight(sign);
        let p = probability(logit);
        // A probability of 1 belongs to the last bin.
        let bin = ((p * BINS as f64) as usize).min(BINS - 1);
        self.bins[bin].add(p, sign, weight);
        if logit >= threshold_logit {
            self.reached.add(p, sign, weight);
        }
        if weight.total() > 0.0 {
            self.log_loss += log_loss(logit, weight);
            self.squares += weight.up * (1.0 - p) * (1.0 - p) + weight.down * p * p;
            self.correct += if p >= 0.5 { weight.up } else { weight.down };
        }
    }

    /// Adds another tally `times` times.
    pub fn add_times(&mut self, other: &Self, times: f64) {
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.add_times(other, times);
        }
        self.reached.add_times(&other.reached, times);
        self.log_loss += times * other.log_loss;
        self.squares += times * other.squares;
        self.correct += times * other.correct;
    }

    /// Parts and wholes of mean loss, share of up, and share of up among the rows that reach the threshold: ratios of sums
    /// whose dependence between cells tells that of the other metrics.
    pub fn ratios(&self) -> [(f64, f64); 3] {
        let whole = self.whole();
        [(self.log_loss, whole.weight), (whole.up, whole.weight), (self.reached.up, self.reached.weight)]
    }

    /// All rows together.
    pub fn whole(&self) -> Bin {
        let mut whole = Bin::default();
        self.bins.iter().for_each(|bin| whole.add_times(bin, 1.0));
        whole
    }

    /// Every metric, with the area under the curve as it was found.
    pub fn values(&self, auc: f64) -> Values {
        let whole = self.whole();
        let gap = |bin: &Bin| bin.probability - bin.up;
        let ece = self.bins.iter().map(|bin| gap(bin).abs()).sum::<f64>() / whole.weight;
        let reached = &self.reached;
        Metric::ALL.map(|metric| match metric {
            Metric::Auc => auc,
            Metric::LogLoss => self.log_loss / whole.weight,
            Metric::Brier => self.squares / whole.weight,
            Metric::Accuracy => self.correct / whole.weight,
            Metric::BaseRate => whole.up / whole.weight,
            Metric::Ece => ece,
            Metric::ShareAtThreshold => reached.rows / whole.rows,
            Metric::HitRate => reached.up / reached.weight,
            Metric::HitRateAllRows => reached.rows_up / reached.rows,
            Metric::BiasAtThreshold => gap(reached) / reached.weight,
        })
    }
}

/// Rows in the order of their score, for areas under the curve of many resamples.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// Rows that count, from the lowest score.
    rows: Vec<u32>,
    /// Whether a row of `rows` has the score of the one before it.
    same: Vec<bool>,
    /// Where in `rows` the strata begin, without the first.
    strata: Vec<usize>,
}

impl Ranking {
    /// Ranks the rows that the ties rule does not leave out. At most 2^32 rows.
    pub fn new(logits: &[f64], signs: &[i8], ties: Ties) -> Self {
        Self::within(logits, signs, &[], ties)
    }

    /// The same for rows in strata, each judged by a model of its own: scores of different models are not compared, which would
    /// flatter none and punish all (Parker, Günter and Bedo 2007). `starts` are the rows from which the strata begin, in order,
    /// without the first.
    pub fn within(logits: &[f64], signs: &[i8], starts: &[usize], ties: Ties) -> Self {
        let mut ranking = Self { rows: Vec::new(), same: Vec::new(), strata: Vec::new() };
        let edges = [0].into_iter().chain(starts.iter().copied());
        let ends = starts.iter().copied().chain([logits.len()]);
        for (from, to) in edges.zip(ends) {
            let first = ranking.rows.len();
            let counts = |row: &u32| ties.weight(signs[*row as usize]).total() > 0.0;
            ranking.rows.extend((from as u32..to as u32).filter(counts));
            let rows = &mut ranking.rows[first..];
            rows.sort_by(|&a, &b| logits[a as usize].total_cmp(&logits[b as usize]));
            let is_same = |at: usize| at > 0 && logits[rows[at] as usize] == logits[rows[at - 1] as usize];
            ranking.same.extend((0..rows.len()).map(is_same));
            if from > 0 {
                ranking.strata.push(first);
            }
        }
        ranking
    }

    /// The rows, from the lowest score of their stratum, each with whether its score is that of the one before it.
    pub fn rows(&self) -> impl Iterator<Item = (usize, bool)> + '_ {
        self.rows.iter().zip(&self.same).map(|(&row, &same)| (row as usize, same))
    }

    /// The area under the curve with each row taken as often as `times` says; NaN without up or without down.
    ///
    /// It is the probability that a row that goes up scores higher than one that does not, half of that where the scores
    /// are equal (Hanley and McNeil 1982); of several strata, over the pairs within them.
    pub fn auc(&self, weight: impl Fn(usize) -> Weight) -> f64 {
        let edges = [0].into_iter().chain(self.strata.iter().copied());
        let ends = self.strata.iter().copied().chain([self.rows.len()]);
        let of_strata = edges.zip(ends).map(|(from, to)| {
            let rows = self.rows[from..to].iter().zip(&self.same[from..to]);
            pairs_won(rows.map(|(&row, &same)| (weight(row as usize), same)))
        });
        let (wins, pairs) = of_strata.fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        wins / pairs
    }
}

/// How many pairs of an up and another row the up wins, and how many there are: of rows from the lowest score on, each with whether
/// its score is that of the one before it. Equal scores are half a win.
pub fn pairs_won(rows: impl Iterator<Item = (Weight, bool)>) -> (f64, f64) {
    let (mut ups, mut downs, mut wins) = (0.0, 0.0, 0.0);
    let (mut group_up, mut group_down) = (0.0, 0.0);
    for (weight, same) in rows {
        if !same {
            wins += group_up * (downs + group_down / 2.0);
            ups += group_up;
            downs += group_down;
            (group_up, group_down) = (0.0, 0.0);
        }
        group_up += weight.up;
        group_down += weight.down;
    }
    wins += group_up * (downs + group_down / 2.0);
    ups += group_up;
    downs += group_down;
    (wins, ups * downs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::logistic::logit_of;
    use proptest::prelude::*;

    /// Every pair of an up and a not-up, one by one.
    fn auc_by_pairs(logits: &[f64], weights: &[Weight]) -> f64 {
        let (mut wins, mut pairs) = (0.0, 0.0);
        for (a, up) in logits.iter().zip(weights) {
            for (b, down) in logits.iter().zip(weights) {
                let pair = up.up * down.down;
                pairs += pair;
                wins += pair
                    * if a > b {
                        1.0
                    } else if a == b {
                        0.5
                    } else {
                        0.0
                    };
            }
        }
        wins / pairs
    }

    #[test]
    fn figures_of_a_small_case_by_hand() {
        let mut tally = Tally::default();
        // p = 0.8 up, 0.8 down, 0.3 down, 0.6 tie.
        for (p, sign) in [(0.8, 1), (0.8, -1), (0.3, -1), (0.6, 0)] {
            tally.add(logit_of(p), sign, Ties::Drop, logit_of(0.55));
        }
        let values = tally.values(0.75);
        let get = |metric: Metric| values[Metric::ALL.iter().position(|&m| m == metric).unwrap()];
        let close = |metric, value: f64| assert!((get(metric) - value).abs() < 1e-12, "{metric:?} {}", get(metric));
        close(Metric::Auc, 0.75);
        close(Metric::LogLoss, -(0.8_f64.ln() + 0.2_f64.ln() + 0.7_f64.ln()) / 3.0);
        close(Metric::Brier, (0.04 + 0.64 + 0.09) / 3.0);
        close(Metric::Accuracy, 2.0 / 3.0);
        close(Metric::BaseRate, 1.0 / 3.0);
        close(Metric::Ece, (0.6 + 0.3) / 3.0);
        close(Metric::ShareAtThreshold, 3.0 / 4.0);
        close(Metric::HitRate, 0.5);
        close(Metric::HitRateAllRows, 1.0 / 3.0);
        close(Metric::BiasAtThreshold, 0.3);
    }

    #[test]
    fn extreme_logits_have_finite_losses() {
        let mut tally = Tally::default();
        tally.add(800.0, -1, Ties::Drop, 0.0);
        tally.add(-800.0, -1, Ties::Drop, 0.0);
        assert_eq!(tally.values(0.0)[1], 400.0);
        assert!(tally.values(0.0)[7] == 0.0 && Tally::default().values(0.0)[7].is_nan());
    }

    proptest! {
        #[test]
        fn ranks_agree_with_pairs(
            rows in prop::collection::vec((-4..4_i8, -1..=1_i8, 0..3_u8), 1..40),
            ties in prop_oneof![Just(Ties::Drop), Just(Ties::Down), Just(Ties::Three)],
        ) {
            let logits: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let signs: Vec<i8> = rows.iter().map(|row| row.1).collect();
            let weights: Vec<Weight> = rows.iter().map(|row| {
                let weight = ties.weight(row.1);
                Weight { up: weight.up * f64::from(row.2), down: weight.down * f64::from(row.2) }
            }).collect();
            let ranked = Ranking::new(&logits, &signs, ties).auc(|row| weights[row]);
            // In two strata the pairs of each.
            let middle = logits.len() / 2;
            let halves = Ranking::within(&logits, &signs, &[middle], ties).auc(|row| weights[row]);
            let pairs = |weights: &[Weight]| {
                let (up, down) = weights.iter().fold((0.0, 0.0), |sum, of| (sum.0 + of.up, sum.1 + of.down));
                up * down
            };
            let (mut wins, mut all) = (0.0, 0.0);
            for rows in [0..middle, middle..logits.len()] {
                let own = pairs(&weights[rows.clone()]);
                if own > 0.0 {
                    wins += own * auc_by_pairs(&logits[rows.clone()], &weights[rows]);
                    all += own;
                }
            }
            prop_assert!((halves.is_nan() && all == 0.0) || (halves - wins / all).abs() < 1e-9, "{halves} {wins} {all}");
            let paired = auc_by_pairs(&logits, &weights);
            prop_assert!(ranked == paired || (ranked - paired).abs() < 1e-12 || (ranked.is_nan() && paired.is_nan()));
        }

        #[test]
        fn tallies_add_up(rows in prop::collection::vec((-5.0..5.0, -1..=1_i8), 1..40), times in 0..4_u8) {
            let (mut all, mut one) = (Tally::default(), Tally::default());
            for &(logit, sign) in &rows {
                one.add(logit, sign, Ties::Three, 0.3);
                (0..times).for_each(|_| all.add(logit, sign, Ties::Three, 0.3));
            }
            let mut multiplied = Tally::default();
            multiplied.add_times(&one, f64::from(times));
            for (a, b) in all.values(0.5).iter().zip(multiplied.values(0.5)) {
                prop_assert!((a - b).abs() < 1e-9 || (a.is_nan() && b.is_nan()));
            }
        }
    }
}
