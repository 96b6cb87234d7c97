//! How far what the model sees lies from what it was trained on, over the run's time: population stability indexes of score and
//! features in a bounded number of windows, with what stretches of the training had.
//!
//! The score is counted at every evaluation, features as they are handed over, at every sixteenth. A quantity is *out* in a window if its
//! index there is above [`SHIFTED`](crate::statistics::drift::SHIFTED) and above twice that of every equally long stretch of the training:
//! see [`bar`]. The last window counts if it is full. The model is out of its depth if its score, or a feature, is out in at
//! least half of the windows, and in two if there are two.

use crate::engine::observation::ROW_EVERY;
use crate::statistics::drift::{
    TrainedBins, TrainingDistribution, WINDOW_ROWS, Windows, bar, offsets, psi as index_of,
};
use crate::strategy::features::Input;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// The most windows of a run; an even number.
pub const DRIFT_WINDOWS: usize = 20;
const _: () = assert!(DRIFT_WINDOWS.is_multiple_of(2), "windows merge in pairs");
const _: () = assert!(WINDOW_ROWS.is_multiple_of(ROW_EVERY as u64), "windows of features end with those of the score");
/// A quantity makes the verdict if it is out in one of so many windows: by chance some are out in any run.
const OUT_OF: usize = 2;

/// How far a quantity of the run lies from the training's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantityDrift {
    /// `score`, or the feature.
    pub name: String,
    /// Index of the whole run; `None` where nothing was counted.
    pub psi: Option<f64>,
    /// Largest index of a stretch of the training as long as a window; `None` where the training had no two of them.
    pub psi_max_trained: Option<f64>,
    /// Index of each window.
    pub windows: Vec<Option<f64>>,
    /// Windows in which it is out.
    pub windows_out: usize,
    /// Over the run, by the bins of the model's file.
    pub counts: Vec<u64>,
}

/// How far the run lies from the training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Rows of the training.
    pub trained_rows: u64,
    /// Evaluations in each window but the last.
    pub evaluations_per_window: u64,
    /// Frames of the book since the session began, at each window's first evaluation.
    pub sequence: Vec<u64>,
    /// Its receive time, Unix nanoseconds.
    pub ts_recv_ns: Vec<i64>,
    /// Windows that are full: all, or all but the last.
    pub windows_full: usize,
    /// Windows that are judged: the full ones, where the training is long enough to say what is usual.
    pub windows_judged: usize,
    /// Whether the model is out of its depth; `None` where no window is judged.
    pub out_of_depth: Option<bool>,
    /// The model's log-odds.
    pub score: QuantityDrift,
    /// In the model's order.
    pub features: Vec<QuantityDrift>,
}

impl Drift {
    /// The score and the features.
    pub fn all(&self) -> impl Iterator<Item = &QuantityDrift> {
        std::iter::once(&self.score).chain(&self.features)
    }

    /// A quantity's indexes in the windows that are worth a look: the full ones, else the only one.
    pub fn shown<'a>(&self, quantity: &'a QuantityDrift) -> &'a [Option<f64>] {
        &quantity.windows[..if self.windows_full > 0 { self.windows_full } else { quantity.windows.len() }]
    }

    /// Places of the features, the farthest first.
    pub fn farthest(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.features.len()).collect();
        let key = |at: usize| (self.features[at].windows_out, self.features[at].psi.unwrap_or(0.0));
        places.sort_by(|&a, &b| {
            let ((a_out, a_psi), (b_out, b_psi)) = (key(a), key(b));
            b_out.cmp(&a_out).then(b_psi.total_cmp(&a_psi))
        });
        places
    }

    /// How far it went, in a sentence without markup.
    pub fn sentence(&self) -> String {
        let of = |drift: &QuantityDrift| {
            let psi = drift.psi.map_or_else(|| "unknown".into(), |psi| format!("{psi:.2}"));
            let greatest = drift.windows[..self.windows_judged].iter().flatten().copied().fold(0.0, f64::max);
            let out = match drift.windows_out {
                0 => String::new(),
                out => format!(
                    " over the run, {greatest:.2} in its worst window (out in {out} of {} windows)",
                    self.windows_judged
                ),
            };
            format!("{psi}{out}")
        };
        let worst = self.farthest().first().map_or_else(String::new, |&at| {
            format!(", farthest feature {} {}", self.features[at].name, of(&self.features[at]))
        });
        let figures = format!("score PSI {}{worst}", of(&self.score));
        match self.out_of_depth {
            Some(true) => format!("The model is out of its depth: {figures}."),
            Some(false) => format!("The market is like the training's: {figures}."),
            None => format!("Too few evaluations to say whether the market is like the training's: {figures}."),
        }
    }
}

impl Drift {
    /// The sentence as a warning, if the model is out of its depth.
    pub fn warning(&self) -> Option<String> {
        (self.out_of_depth == Some(true)).then(|| self.sentence().trim_end_matches('.').replacen('T', "t", 1))
    }
}

/// Counts a run's evaluations by the bins of the training.
#[derive(Clone, Debug)]
pub(super) struct DriftSums {
    trained: Arc<TrainingDistribution>,
    offsets: Vec<usize>,
    score: Windows,
    features: Windows,
    evaluations: u64,
    /// Of each window of the score.
    begins: Vec<(u64, i64)>,
    /// Length and number of full windows when it was last looked whether the model is out of its depth, and whether it was.
    looked_at: (u64, usize),
    was_out: bool,
}

impl DriftSums {
    /// `None` if the distribution is of other features.
    pub fn new(trained: Arc<TrainingDistribution>, features: usize) -> Option<Self> {
        if trained.features.len() != features {
            return None;
        }
        let offsets = offsets(trained.features.iter().map(|bins| &bins.edges[..]));
        Some(Self {
            score: Windows::new(DRIFT_WINDOWS, WINDOW_ROWS, trained.score.counts.len()),
            features: Windows::new(DRIFT_WINDOWS, WINDOW_ROWS / u64::from(ROW_EVERY), offsets[features]),
            offsets,
            trained,
            evaluations: 0,
            begins: Vec::with_capacity(DRIFT_WINDOWS + 1),
            looked_at: (0, 0),
            was_out: false,
        })
    }

    /// Takes an evaluation of the frame `sequence`. What is not a number takes its place in its window and is not counted.
    #[inline]
    pub fn evaluation(&mut self, sequence: u64, ts_recv_ns: i64, logit: f64) {
        let width = self.score.rows_per_window();
        self.score.add((!logit.is_nan()).then(|| self.trained.score.bin(logit)).into_iter());
        if self.score.rows_per_window() != width {
            keep_even(&mut self.begins);
        }
        if self.evaluations.is_multiple_of(self.score.rows_per_window()) {
            self.begins.push((sequence, ts_recv_ns));
        }
        self.evaluations += 1;
    }

    /// Takes the features of an evaluation.
    pub fn row(&mut self, values: impl Iterator<Item = f64>) {
        let bins = self.trained.features.iter().zip(&self.offsets).zip(values);
        self.features.add(bins.map(|((bins, offset), value)| offset + bins.bin(value)));
    }

    /// Whether the model is out of its depth by now. Looks again when another window is full.
    pub fn is_out_of_depth(&mut self, names: &[Input]) -> bool {
        let full = (self.features.rows_per_window(), self.score.full().len().min(self.features.full().len()));
        if full != self.looked_at {
            self.looked_at = full;
            self.was_out = self.clone().finish(names).out_of_depth == Some(true);
        }
        self.was_out
    }

    pub fn finish(mut self, names: &[Input]) -> Drift {
        // Windows that are shorter than what the training is known by say less than longer ones.
        while self.trained.length_for(self.score.rows_per_window()).is_none()
            && self.score.full().len() >= 2
            && !self.trained.window_rows.is_empty()
        {
            self.score.merge();
            self.features.merge();
            keep_even(&mut self.begins);
        }
        let width = self.score.rows_per_window();
        let length = self.trained.length_for(width);
        // Features of a window come with its first evaluations.
        let full = self.score.full().len().min(self.features.full().len());
        let judged = if length.is_some() { full } else { 0 };
        let quantity = |name: String, bins: &TrainedBins, windows: &Windows, range: Range<usize>| {
            let index = |counts: &[u64]| index_of(&bins.counts, &counts[range.clone()]);
            let by_window: Vec<Option<f64>> =
                windows.full().iter().map(Vec::as_slice).chain(windows.begun()).map(index).collect();
            let psi_max_trained = length.map(|length| bins.psi_max[length]);
            let is_out = |psi: &&Option<f64>| psi.zip(psi_max_trained).is_some_and(|(psi, max)| psi > bar(max));
            let total = windows.total();
            QuantityDrift {
                name,
                psi: index(&total),
                psi_max_trained,
                windows_out: by_window[..judged].iter().filter(is_out).count(),
                windows: by_window,
                counts: total[range.clone()].to_vec(),
            }
        };
        let trained = &self.trained;
        let score = quantity("score".into(), &trained.score, &self.score, 0..trained.score.counts.len());
        let features = names.iter().zip(&trained.features).zip(self.offsets.windows(2));
        let features: Vec<QuantityDrift> = features
            .map(|((name, bins), ends)| quantity(name.to_string(), bins, &self.features, ends[0]..ends[1]))
            .collect();
        let most_out = features.iter().map(|drift| drift.windows_out).chain([score.windows_out]).max().unwrap_or(0);
        let needed = judged.div_ceil(OUT_OF).max(judged.min(2));
        Drift {
            trained_rows: trained.rows,
            evaluations_per_window: width,
            sequence: self.begins.iter().map(|(sequence, _)| *sequence).collect(),
            ts_recv_ns: self.begins.iter().map(|(_, ts_recv_ns)| *ts_recv_ns).collect(),
            windows_full: full,
            windows_judged: judged,
            out_of_depth: (judged > 0).then_some(most_out >= needed),
            score,
            features,
        }
    }
}

/// Pairs have merged: each begins with its first.
fn keep_even(begins: &mut Vec<(u64, i64)>) {
    let mut at = 0;
    begins.retain(|_| {
        at += 1;
        at % 2 == 1
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::drift::{Profile, SHIFTED, decile_edges};
    use crate::strategy::features::Feature;

    /// A training whose score and feature go round through a thousand values.
    fn trained(rows: u64) -> Arc<TrainingDistribution> {
        let value = |row: u64| (row * 7_919 % 1_000) as f64;
        let mut values: Vec<f64> = (0..1_000).map(value).collect();
        let edges = decile_edges(&mut values);
        let mut profile = Profile::new(edges.clone(), vec![edges], ROW_EVERY);
        (0..rows).for_each(|row| profile.add(value(row), std::iter::once(value(row))));
        Arc::new(profile.finish())
    }

    /// A run of so many evaluations, shifted from the evaluation `from` on.
    fn run(trained: &Arc<TrainingDistribution>, evaluations: u64, from: u64, shift: f64) -> Drift {
        let mut sums = DriftSums::new(Arc::clone(trained), 1).unwrap();
        for at in 0..evaluations {
            let value = (at * 6_007 % 1_000) as f64 + if at >= from { shift } else { 0.0 };
            sums.evaluation(at + 5, at as i64 * 10, value);
            if at.is_multiple_of(u64::from(ROW_EVERY)) {
                sums.row(std::iter::once(value));
            }
        }
        sums.finish(&[Feature::Mid.into()])
    }

    #[test]
    fn a_run_like_the_training_is_in_its_depth() {
        let trained = trained(50_000);
        for evaluations in [WINDOW_ROWS, 10_000, 40_960, 40_961, 300_000] {
            let drift = run(&trained, evaluations, 0, 0.0);
            assert_eq!(drift.out_of_depth, Some(false), "{evaluations}: {drift:?}");
            let width = drift.evaluations_per_window;
            assert_eq!(drift.windows_judged as u64, evaluations / width);
            let begins: Vec<u64> = (0..evaluations).step_by(width as usize).map(|at| at + 5).collect();
            assert_eq!(drift.sequence, begins);
            assert!(drift.all().all(|drift| drift.windows.len() == begins.len()), "{drift:?}");
            assert!(drift.sentence().starts_with("The market is like the training's: score PSI 0.0"));
        }
    }

    #[test]
    fn a_shift_is_seen_where_it_is() {
        let trained = trained(50_000);
        let drift = run(&trained, 20_480, 10_240, 600.0);
        assert_eq!((drift.windows_judged, drift.out_of_depth), (10, Some(true)));
        for quantity in drift.all() {
            let out: Vec<bool> = quantity.windows.iter().map(|psi| psi.unwrap() > SHIFTED).collect();
            assert_eq!(out, [[false; 5], [true; 5]].concat());
            assert_eq!(
                (quantity.windows_out, quantity.counts.iter().sum::<u64>()),
                (5, if quantity.name == "score" { 20_480 } else { 1_280 })
            );
        }
        let sentence = drift.sentence();
        assert!(sentence.starts_with("The model is out of its depth: score PSI "), "{sentence}");
        assert!(sentence.ends_with(" (out in 5 of 10 windows)."), "{sentence}");
        // Fewer than half of ten windows are not enough.
        assert_eq!(run(&trained, 20_480, 18_432, 600.0).out_of_depth, Some(false));
        assert_eq!(run(&trained, 20_480, 16_384, 600.0).out_of_depth, Some(false));
        assert_eq!(run(&trained, 20_480, 12_288, 600.0).out_of_depth, Some(false));
    }

    #[test]
    fn a_run_that_goes_on_tells_when_it_comes_to_that() {
        let trained = trained(50_000);
        let mut sums = DriftSums::new(Arc::clone(&trained), 1).unwrap();
        let mut told = Vec::new();
        for at in 0..12 * WINDOW_ROWS {
            let value = (at * 6_007 % 1_000) as f64 + if at >= 5 * WINDOW_ROWS { 600.0 } else { 0.0 };
            sums.evaluation(at, 0, value);
            if at.is_multiple_of(u64::from(ROW_EVERY)) {
                sums.row(std::iter::once(value));
            }
            if sums.is_out_of_depth(&[Feature::Mid.into()]) {
                told.push(at);
            }
        }
        // Five windows of ten are out, and more of those that follow.
        assert_eq!(told, (10 * WINDOW_ROWS - 1..12 * WINDOW_ROWS).collect::<Vec<_>>());
    }

    #[test]
    fn short_runs_and_short_trainings_are_not_judged() {
        let drift = run(&trained(50_000), WINDOW_ROWS - 1, 0, 900.0);
        assert_eq!((drift.windows_judged, drift.out_of_depth, drift.score.windows.len()), (0, None, 1));
        assert!(drift.sentence().starts_with("Too few evaluations to say "), "{}", drift.sentence());
        let drift = run(&trained(4_095), 50_000, 0, 900.0);
        assert_eq!((drift.windows_judged, drift.out_of_depth, drift.score.psi_max_trained), (0, None, None));
        // Nothing at all.
        let drift = run(&trained(50_000), 0, 0, 0.0);
        assert_eq!((drift.score.psi, drift.out_of_depth, drift.sequence.len()), (None, None, 0));
        assert!(DriftSums::new(trained(10), 2).is_none());
    }

    /// Windows of a long training are longer than a short run's at first.
    #[test]
    fn windows_grow_to_what_the_training_is_known_by() {
        let mut long = (*trained(50_000)).clone();
        long.window_rows.remove(0);
        for bins in long.features.iter_mut().chain([&mut long.score]) {
            bins.psi_max.remove(0);
        }
        let drift = run(&Arc::new(long), 10_000, 0, 0.0);
        assert_eq!((drift.evaluations_per_window, drift.windows_judged), (2 * WINDOW_ROWS, 2));
        assert_eq!(drift.sequence, [5, 5 + 2 * WINDOW_ROWS, 5 + 4 * WINDOW_ROWS]);
    }

    #[test]
    fn what_is_no_number_is_not_counted() {
        let mut sums = DriftSums::new(trained(50_000), 1).unwrap();
        (0..10).for_each(|at| sums.evaluation(at, 0, if at % 2 == 0 { f64::NAN } else { 1.0 }));
        assert_eq!(sums.finish(&[Feature::Mid.into()]).score.counts.iter().sum::<u64>(), 5);
    }
}
