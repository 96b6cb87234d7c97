//! How far what a model sees has moved from what it was trained on: the population stability index, by stretches of rows.
//!
//! The index of two lists of shares over the same bins is `Σ (q − p) · ln(q / p)`, the symmetric divergence of Jeffreys (1946) and of
//! Kullback and Leibler (1951). Shares below [`SHARE_FLOOR`] count as that, so that an empty bin costs something finite. Credit
//! scoring takes 0.1 for a move and 0.25 for a shift (Siddiqi 2006, *Credit Risk Scorecards*). Rows of a market depend on each
//! other, so that two stretches of one and the same market lie far apart by chance: [`TrainingDistribution`] therefore
//! keeps how far stretches of the training were from the whole of it.
//!
//! ```
//! use papertrader::statistics::drift::{Profile, decile_edges, psi};
//!
//! // 10 of 100 in each tenth, and a run with everything in the highest.
//! let mut values: Vec<f64> = (1..=100).map(f64::from).collect();
//! let edges = decile_edges(&mut values);
//! assert_eq!(edges, [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0]);
//! let mut profile = Profile::new(edges, Vec::new(), 16);
//! values.iter().for_each(|&value| profile.add(value, std::iter::empty()));
//! let trained = profile.finish();
//! assert_eq!(trained.score.counts, [10; 10]);
//! let mut seen = vec![0; 10];
//! seen[trained.score.bin(1_000.0)] = 1;
//! assert!(psi(&trained.score.counts, &seen).is_some_and(|psi| psi > 0.25));
//! assert_eq!(psi(&trained.score.counts, &trained.score.counts), Some(0.0));
//! ```

use serde::{Deserialize, Serialize};

/// A smaller share counts as this one.
pub const SHARE_FLOOR: f64 = 1e-4;
/// From here on a distribution has moved, by custom.
pub const MOVED: f64 = 0.1;
/// From here on it has shifted, by custom.
pub const SHIFTED: f64 = 0.25;
/// A stretch is unusual if its index is above so many times the largest of the training's own stretches: the largest of ten is
/// beaten by one stretch in eleven of the same market, and a run has many windows and features.
pub const USUAL_TIMES: f64 = 2.0;
/// Rows of the shortest stretches.
pub const WINDOW_ROWS: u64 = 2_048;
/// The most stretches of a training that are looked at, an even number: two million rows' before they double.
const TRAINING_WINDOWS: usize = 512;
/// The most edges of a quantity: nine deciles, and one below a lowest value that is common.
const EDGES_MAX: usize = 10;
/// The most lengths of stretches: each is twice the one before.
const LENGTHS_MAX: usize = 48;
/// No count is larger: sums of counts do not overflow.
const COUNT_MAX: u64 = 1 << 50;

/// The population stability index of counts over the same bins; `None` where either counts nothing.
pub fn psi(trained: &[u64], seen: &[u64]) -> Option<f64> {
    let [trained_rows, seen_rows] = [trained, seen].map(|counts| counts.iter().sum::<u64>());
    if trained_rows == 0 || seen_rows == 0 {
        return None;
    }
    let share = |count: u64, rows: u64| (count as f64 / rows as f64).max(SHARE_FLOOR);
    let terms = trained.iter().zip(seen).map(|(&trained, &seen)| {
        let (p, q) = (share(trained, trained_rows), share(seen, seen_rows));
        // The logarithm of each, so that both ways round give the same bits.
        (q - p) * (libm::log(q) - libm::log(p))
    });
    Some(terms.sum())
}

/// The index above which a stretch is out, by the largest of the training's own.
pub fn bar(psi_max: f64) -> f64 {
    SHIFTED.max(USUAL_TIMES * psi_max)
}

/// The upper edges of tenths of values, which are sorted and finite: a value belongs to the first bin whose edge is not below it, or to
/// the last. Fewer where values are common; then shares are not tenths. A lowest value of a tenth or more of them has an edge
/// below it, so that lower ones are told from it.
pub fn decile_edges(values: &mut [f64]) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let decile = |tenth: usize| values[(values.len() * tenth).div_ceil(10) - 1];
    let mut edges: Vec<f64> = Vec::with_capacity(EDGES_MAX);
    let Some(&lowest) = values.first() else { return edges };
    let below = lowest.next_down();
    if decile(1) == lowest && below.is_finite() {
        edges.push(below);
    }
    for edge in (1..10).map(decile) {
        if edges.last().is_none_or(|&last| last < edge) {
            edges.push(edge);
        }
    }
    edges
}

/// The bin of a value; the lowest for what is not a number.
fn bin_of(edges: &[f64], value: f64) -> usize {
    edges.partition_point(|&edge| edge < value)
}

/// What a quantity was like over the training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedBins {
    /// Upper edges of the bins but the last, ascending. A value on an edge belongs below it.
    pub edges: Vec<f64>,
    /// Rows in each bin, one more than there are edges.
    pub counts: Vec<u64>,
    /// By the lengths of [`TrainingDistribution::window_rows`]: the largest index of a stretch of that length against all rows.
    pub psi_max: Vec<f64>,
}

impl TrainedBins {
    /// The bin of a value; the lowest for what is not a number.
    #[inline]
    pub fn bin(&self, value: f64) -> usize {
        bin_of(&self.edges, value)
    }

    fn fault(&self, lengths: usize) -> Option<String> {
        let Self { edges, counts, psi_max } = self;
        if edges.len() > EDGES_MAX {
            return Some(format!("edges has {} entries; it has at most {EDGES_MAX}", edges.len()));
        }
        if !edges.iter().all(|edge| edge.is_finite()) || !edges.is_sorted_by(|a, b| a < b) {
            return Some("edges do not ascend".into());
        }
        if counts.len() != edges.len() + 1 {
            return Some(format!("counts has {} entries for {} edges; it has one more", counts.len(), edges.len()));
        }
        if counts.iter().any(|&count| count > COUNT_MAX) || counts.iter().all(|&count| count == 0) {
            return Some("counts counts no rows, or more than any training has".into());
        }
        if psi_max.len() != lengths {
            return Some(format!("psi_max has {} entries for {lengths} lengths of window_rows", psi_max.len()));
        }
        psi_max.iter().any(|psi| !psi.is_finite() || *psi < 0.0).then(|| "psi_max has one below 0".into())
    }
}

/// What a model's features and score were like over the rows that it was trained on, those included after which the mid stayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingDistribution {
    /// Rows.
    pub rows: u64,
    /// Lengths of stretches of which there are at least two, ascending. Features are looked at as in a run: every sixteenth row.
    pub window_rows: Vec<u64>,
    /// The logit.
    pub score: TrainedBins,
    /// In the model's order.
    pub features: Vec<TrainedBins>,
}

impl TrainingDistribution {
    /// What is wrong with that of a model of so many features, if anything: where and what.
    pub fn fault(&self, features: usize) -> Option<String> {
        let Self { window_rows, .. } = self;
        if self.features.len() != features {
            return Some(format!("features has {} entries for {features} features", self.features.len()));
        }
        if window_rows.len() > LENGTHS_MAX || window_rows.contains(&0) || !window_rows.is_sorted_by(|a, b| a < b) {
            return Some("window_rows do not ascend".into());
        }
        let lengths = window_rows.len();
        let of_features = self.features.iter().enumerate();
        let mut faults = of_features
            .filter_map(|(at, bins)| bins.fault(lengths).map(|what| format!("features[{at}].{what}")))
            .chain(self.score.fault(lengths).map(|what| format!("score.{what}")));
        faults.next()
    }

    /// With which of [`TrainingDistribution::window_rows`] a stretch of so many rows is compared: the longest that is no longer.
    /// `None` for one that is shorter than all.
    pub fn length_for(&self, rows: u64) -> Option<usize> {
        self.window_rows.partition_point(|&length| length <= rows).checked_sub(1)
    }
}

/// Counts by stretches of rows, in a bounded number of windows: when all are used, neighbours merge in pairs and each holds twice as
/// many rows. What comes out depends on the rows alone.
#[derive(Clone, Debug)]
pub struct Windows {
    windows_max: usize,
    rows_per_window: u64,
    in_current: u64,
    current: Vec<u64>,
    full: Vec<Vec<u64>>,
}

impl Windows {
    /// At most `windows_max` windows, an even number, of `rows_per_window` rows at first, counting in so many places.
    pub fn new(windows_max: usize, rows_per_window: u64, places: usize) -> Self {
        assert!(windows_max >= 2 && windows_max.is_multiple_of(2), "windows merge in pairs");
        assert!(rows_per_window >= 1, "a window has a row");
        Self { windows_max, rows_per_window, in_current: 0, current: vec![0; places], full: Vec::new() }
    }

    /// Counts a row in these places.
    #[inline]
    pub fn add(&mut self, places: impl Iterator<Item = usize>) {
        if self.full.len() == self.windows_max {
            self.merge();
        }
        places.for_each(|place| self.current[place] += 1);
        self.in_current += 1;
        if self.in_current == self.rows_per_window {
            let empty = vec![0; self.current.len()];
            self.full.push(std::mem::replace(&mut self.current, empty));
            self.in_current = 0;
        }
    }

    /// Rows of each window but the last, if that is not full.
    pub fn rows_per_window(&self) -> u64 {
        self.rows_per_window
    }

    /// Counts of the windows that are full.
    pub fn full(&self) -> &[Vec<u64>] {
        &self.full
    }

    /// Counts of the window that is not full, if it holds a row.
    pub fn begun(&self) -> Option<&[u64]> {
        (self.in_current > 0).then_some(&self.current[..])
    }

    /// Counts of all rows.
    pub fn total(&self) -> Vec<u64> {
        let mut total = self.current.clone();
        self.full.iter().for_each(|window| add(&mut total, window));
        total
    }

    /// Makes windows twice as long. One that is left over is no longer full.
    #[cold]
    pub fn merge(&mut self) {
        if self.full.len() % 2 == 1
            && let Some(last) = self.full.pop()
        {
            add(&mut self.current, &last);
            self.in_current += self.rows_per_window;
        }
        let pairs = self.full.chunks_exact(2);
        self.full = pairs
            .map(|pair| {
                let mut both = pair[0].clone();
                add(&mut both, &pair[1]);
                both
            })
            .collect();
        self.rows_per_window *= 2;
    }
}

fn add(to: &mut [u64], counts: &[u64]) {
    to.iter_mut().zip(counts).for_each(|(to, count)| *to += count);
}

/// Where the bins of each of some quantities lie in one list of counts, the end last.
pub fn offsets<'a>(quantities: impl IntoIterator<Item = &'a [f64]>) -> Vec<usize> {
    let mut offsets = vec![0];
    for edges in quantities {
        offsets.push(offsets[offsets.len() - 1] + edges.len() + 1);
    }
    offsets
}

/// Makes a [`TrainingDistribution`] of a training's rows in the order of time.
#[derive(Debug)]
pub struct Profile {
    score: Vec<f64>,
    features: Vec<Vec<f64>>,
    /// Of so many rows one gives its features to the windows.
    every: u64,
    offsets: Vec<usize>,
    rows: u64,
    /// Of all rows.
    feature_counts: Vec<u64>,
    score_windows: Windows,
    feature_windows: Windows,
}

impl Profile {
    /// Of a score and features with these edges. Of every `every` rows one gives its features to the windows, as in a run.
    pub fn new(score: Vec<f64>, features: Vec<Vec<f64>>, every: u32) -> Self {
        let offsets = offsets(features.iter().map(Vec::as_slice));
        let (places, every) = (offsets[features.len()], u64::from(every));
        Self {
            score_windows: Windows::new(TRAINING_WINDOWS, WINDOW_ROWS, score.len() + 1),
            feature_windows: Windows::new(TRAINING_WINDOWS, WINDOW_ROWS / every, places),
            feature_counts: vec![0; places],
            score,
            features,
            every,
            offsets,
            rows: 0,
        }
    }

    /// Takes the next row.
    pub fn add(&mut self, score: f64, features: impl Iterator<Item = f64> + Clone) {
        self.score_windows.add(std::iter::once(bin_of(&self.score, score)));
        let values = self.features.iter().zip(&self.offsets).zip(features);
        let places = values.map(|((edges, offset), value)| offset + bin_of(edges, value));
        places.clone().for_each(|place| self.feature_counts[place] += 1);
        if self.rows.is_multiple_of(self.every) {
            self.feature_windows.add(places);
        }
        self.rows += 1;
    }

    /// The training is over.
    pub fn finish(mut self) -> TrainingDistribution {
        let score_counts = self.score_windows.total();
        let ranges: Vec<_> = self.offsets.windows(2).map(|ends| ends[0]..ends[1]).collect();
        let (mut window_rows, mut score_max) = (Vec::new(), Vec::new());
        let mut feature_max = vec![Vec::new(); self.features.len()];
        let largest = |windows: &Windows, range: &std::ops::Range<usize>, counts: &[u64]| {
            let found = windows.full().iter().filter_map(|window| psi(counts, &window[range.clone()]));
            found.fold(0.0, f64::max)
        };
        while self.score_windows.full().len() >= 2 && self.feature_windows.full().len() >= 2 {
            window_rows.push(self.score_windows.rows_per_window());
            score_max.push(largest(&self.score_windows, &(0..score_counts.len()), &score_counts));
            for (psi_max, range) in feature_max.iter_mut().zip(&ranges) {
                psi_max.push(largest(&self.feature_windows, range, &self.feature_counts[range.clone()]));
            }
            self.score_windows.merge();
            self.feature_windows.merge();
        }
        let features = self.features.into_iter().zip(ranges).zip(feature_max);
        let features = features.map(|((edges, range), psi_max)| TrainedBins {
            edges,
            counts: self.feature_counts[range].to_vec(),
            psi_max,
        });
        TrainingDistribution {
            rows: self.rows,
            window_rows,
            score: TrainedBins { edges: self.score, counts: score_counts, psi_max: score_max },
            features: features.collect(),
        }
    }
}

#[cfg(test)]
mod tests;
