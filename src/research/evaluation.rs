//! What is said of models that have been scored: figures with intervals, reliability, economics, differences.
//!
//! ```
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::research::scoring::{By, Contestant, Rules, score};
//! use papertrader::research::source::{Nobody, Source, Watch};
//! use papertrader::statistics::bootstrap::BootstrapSettings;
//! use papertrader::statistics::labels::{LabelRule, Ties};
//! use papertrader::statistics::metrics::Metric;
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 200 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let source = Source::open(&[synthetic::capture(folder.path(), 200)?], None, ScaleRule::default())?;
//! let contestants = [Contestant { name: "coin".into(), by: By::Constant(0.5) }];
//! let bootstrap = BootstrapSettings { block_s: None, replicates: 100, seed: 1 };
//! let (label, ties) = (LabelRule::mid_after(20), Ties::Drop);
//! let rules = Rules { label, horizon: 20, ties, threshold: 0.6, buy_amount: 100.0, bootstrap, threads: 1 };
//! let watch = Watch { bar: &Nobody, stop: &|| false };
//! let (parts, _) = score(&source, &contestants, &rules, 1, &|_, _, _| Some(0), &watch)?;
//!
//! let report = parts[0].report(&contestants, &rules);
//! assert_eq!((report.rows, report.up + report.down + report.ties), (180, 180));
//! assert_eq!(report.contestants[0].figure(Metric::Brier).value, Some(0.25));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::economics::{Closed, Economics, by_cell};
use super::scoring::{By, Contestant, Part, Rules};
use crate::statistics::blocks::{BLOCKS_MIN, Cells, Reach, residuals};
use crate::statistics::bootstrap::{BootstrapSettings, Interval, interval, resample};
use crate::statistics::delong::{DeLong, Placements};
use crate::statistics::labels::{Ties, Weight};
use crate::statistics::logistic::logit_of;
use crate::statistics::metrics::{Metric, Ranking, Tally, Values};
use serde::Serialize;
use std::fmt;

/// A figure with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// `None` where there is none, such as a hit rate without a row that reaches the threshold.
    pub value: Option<f64>,
    /// 95 %, by the bootstrap.
    pub interval: Option<Interval>,
}

impl Figure {
    pub(super) fn new(value: f64, interval: Option<Interval>) -> Self {
        Self { value: value.is_finite().then_some(value), interval }
    }
}

/// A figure with its interval, or that there is none; with its sign, if asked.
pub(super) struct Valued(pub Figure, pub bool);

impl fmt::Display for Valued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Figure { value, interval }, signed) = self;
        let number = |value: f64| if *signed { format!("{value:+.4}") } else { format!("{value:.4}") };
        write!(f, "{} ", value.map_or_else(|| "—".into(), number))?;
        match interval {
            Some(interval) => write!(f, "[{}, {}]", number(interval.low), number(interval.high)),
            None => f.write_str("(no interval)"),
        }
    }
}

/// A metric's figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MetricFigure {
    /// Which.
    pub metric: Metric,
    /// How much.
    #[serde(flatten)]
    pub figure: Figure,
}

/// A reliability bin, or the rows that reach the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BinReport {
    /// The lowest probability of the bin.
    pub from: f64,
    /// Rows, as the ties rule counts them.
    pub rows: f64,
    /// Their mean probability.
    pub mean_probability: Option<f64>,
    /// Their share of up.
    pub up: Option<f64>,
    /// All rows, ties included.
    pub all_rows: f64,
    /// Share of up among all rows.
    pub all_up: Option<f64>,
    /// Share of ties among all rows.
    pub all_tied: Option<f64>,
}

/// What is known of a contestant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContestantReport {
    /// Its name.
    pub name: String,
    /// Figures.
    pub metrics: Vec<MetricFigure>,
    /// By tenths of probability.
    pub reliability: Vec<BinReport>,
    /// The rows that reach the threshold.
    pub reached: BinReport,
    /// Of a model, from the engine.
    pub economics: Option<Economics>,
}

impl ContestantReport {
    /// A metric's figure.
    pub fn figure(&self, metric: Metric) -> Figure {
        let found = self.metrics.iter().find(|figure| figure.metric == metric);
        found.expect("a report has every metric").figure
    }
}

impl Difference {
    /// A metric's difference, if it is one that is compared.
    pub fn figure(&self, metric: Metric) -> Option<Figure> {
        self.metrics.iter().find(|figure| figure.metric == metric).map(|found| found.figure)
    }
}

impl PartReport {
    /// The model of `imbalance_1`, which every other one has to beat: the last contestant, if there are others.
    pub fn rival(&self) -> Option<&ContestantReport> {
        self.contestants.last().filter(|last| self.contestants.len() > 1 && last.economics.is_some())
    }
}

/// One contestant's figures minus another's, resample by resample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The first contestant.
    pub of: String,
    /// The one it is compared with.
    pub minus: String,
    /// AUC, log-loss, Brier score and the like.
    pub metrics: Vec<MetricFigure>,
    /// Of the AUCs, as if rows were independent; `None` where rows count in both classes, a class has fewer than two,
    /// or rows are of several folds' models, whose scores are not compared.
    pub delong: Option<DeLong>,
}

/// What is known of a part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartReport {
    /// Labelled rows.
    pub rows: u64,
    /// Rows after which the mid was higher.
    pub up: u64,
    /// Rows after which it was lower.
    pub down: u64,
    /// Rows after which it was the same.
    pub ties: u64,
    /// Their share; `None` without rows.
    pub tie_share: Option<f64>,
    /// Receive times of the first and the last row, Unix nanoseconds.
    pub span_ns: (i64, i64),
    /// Rows whose mid is not that of the row before.
    pub mid_changes: u64,
    /// Rows with a moved mid that lie a horizon apart at least: changes that no two labels share.
    pub independent_changes: u64,
    /// Seconds that half of the rows look ahead, at most; `None` where no row has another a horizon later.
    pub horizon_s: Option<f64>,
    /// Length of a block of the bootstrap, seconds.
    pub block_s: f64,
    /// The length that horizon and dependence ask for, seconds.
    pub block_s_needed: f64,
    /// Whole blocks, side by side.
    pub blocks: usize,
    /// By contestant.
    pub contestants: Vec<ContestantReport>,
    /// The first contestant minus each of the others.
    pub differences: Vec<Difference>,
}

/// Metrics that are compared between contestants.
const COMPARED: [Metric; 5] = [Metric::Auc, Metric::LogLoss, Metric::Brier, Metric::Accuracy, Metric::Ece];

impl Part {
    /// The area under the curve of one contestant.
    pub fn auc(&self, contestant: usize, ties: Ties) -> f64 {
        let ranking = Ranking::new(&self.logits[contestant], &self.signs, ties);
        ranking.auc(|row| ties.weight(self.signs[row]))
    }

    /// Everything about the part.
    pub fn report(&self, contestants: &[Contestant], rules: &Rules) -> PartReport {
        let count = |sign: i8| self.signs.iter().filter(|&&of_row| of_row == sign).count() as u64;
        let blocks = self.blocks(rules);
        let (cells, rules) = (&blocks.cells, &Rules { bootstrap: blocks.bootstrap, ..*rules });
        let scores = Scores::of(self, cells, rules);
        let reports = contestants.iter().enumerate();
        let reports = reports.map(|(which, contestant)| self.contestant(which, contestant, &scores, cells, rules));
        // Beside an interval, and of scores of one model.
        let is_tested = self.strata.is_empty() && cells.blocks() >= BLOCKS_MIN && rules.bootstrap.replicates > 0;
        let placed =
            |which: usize| is_tested.then(|| Placements::new(&self.logits[which], &self.signs, rules.ties)).flatten();
        let first = placed(0);
        let differences = (1..contestants.len()).map(|other| Difference {
            of: contestants[0].name.clone(),
            minus: contestants[other].name.clone(),
            metrics: scores.figures(
                &COMPARED,
                |values, at| values[0][at] - values[other][at],
                |_| (f64::NEG_INFINITY, f64::INFINITY),
                |_| cells.blocks(),
            ),
            delong: first.as_ref().zip(placed(other)).map(|(first, other)| DeLong::of(first, &other)),
        });
        PartReport {
            rows: self.rows() as u64,
            up: count(1),
            down: count(-1),
            ties: count(0),
            tie_share: (self.rows() > 0).then(|| count(0) as f64 / self.rows() as f64),
            span_ns: (
                self.times_ns.first().copied().unwrap_or_default(),
                self.times_ns.last().copied().unwrap_or_default(),
            ),
            mid_changes: self.mid_changes,
            independent_changes: self.independent_changes(),
            horizon_s: blocks.horizon_s,
            block_s: cells.block_s(),
            block_s_needed: blocks.needed_s,
            blocks: cells.blocks(),
            contestants: reports.collect(),
            differences: differences.collect(),
        }
    }

    fn contestant(
        &self,
        which: usize,
        contestant: &Contestant,
        scores: &Scores,
        cells: &Cells,
        rules: &Rules,
    ) -> ContestantReport {
        let tally = &scores.tallies[which];
        let bins = tally.bins.iter().enumerate();
        ContestantReport {
            name: contestant.name.clone(),
            metrics: scores.figures(
                &Metric::ALL,
                |values, at| values[which][at],
                Metric::range,
                |metric| {
                    if metric.is_of_reached() { scores.reached_blocks[which] } else { cells.blocks() }
                },
            ),
            reliability: bins.map(|(bin, sums)| bin_report(bin as f64 / tally.bins.len() as f64, sums)).collect(),
            reached: bin_report(rules.threshold, &tally.reached),
            economics: matches!(contestant.by, By::Model(_)).then(|| {
                let cell_of = |trade: &Closed| self.cell_of(cells, trade);
                let (trades, open) = (&self.trades[which], self.open[which]);
                Economics::of(trades, open, cells, cell_of, rules.bootstrap, rules.threads)
            }),
        }
    }

    /// The blocks of the part: as they are given, or chosen by horizon and dependence.
    pub(super) fn blocks(&self, rules: &Rules) -> Blocks {
        let times = self.captures.iter().copied().zip(self.times_ns.iter().copied());
        let reach = Reach::of(self.ahead_s());
        let horizon_s = reach.map(|reach| reach.median_s);
        let span_s = self
            .times_ns
            .first()
            .zip(self.times_ns.last())
            .map_or(0.0, |(first, last)| last.saturating_sub(*first) as f64 / 1e9);
        // A horizon that no two rows lie apart leaves one block at most.
        let shortest_s = reach.map_or(span_s + 1.0, Reach::shortest_block_s);
        let cells = Cells::new(times.clone(), shortest_s);
        let series = self.dependence(&cells, rules);
        let needed_s = cells.block_s_needed(&series);
        let mut bootstrap = rules.bootstrap;
        let cells = match bootstrap.block_s {
            None => cells.chosen(&series),
            Some(block_s) => Cells::new(times, block_s),
        };
        // Blocks within a horizon would say nothing but how alike neighbours are.
        if horizon_s.is_some_and(|horizon_s| cells.block_s() < horizon_s) {
            bootstrap.replicates = 0;
        }
        Blocks { cells, bootstrap, horizon_s, needed_s }
    }

    /// Series of a value per cell each, by whose dependence blocks are chosen.
    fn dependence(&self, cells: &Cells, rules: &Rules) -> Vec<Vec<f64>> {
        let mut series = Vec::new();
        for (logits, trades) in self.logits.iter().zip(&self.trades) {
            let tallies = self.tallies(logits, cells, rules);
            let ratios: Vec<[(f64, f64); 3]> = tallies.iter().map(Tally::ratios).collect();
            series.extend((0..3).map(|which| residuals(ratios.iter().map(|ratios| ratios[which]))));
            let trades = by_cell(trades, cells, |trade| self.cell_of(cells, trade));
            series.push(residuals(trades.iter().copied()));
        }
        series
    }

    /// Seconds from each row to the first one of its capture to which its label looks, or behind that, if there is one.
    fn ahead_s(&self) -> Vec<f64> {
        let mut later = 0;
        let ahead_s = (0..self.rows()).filter_map(|row| {
            let reached =
                |later: usize| self.captures[later] != self.captures[row] || self.sequences[later] >= self.untils[row];
            later = later.max(row);
            while later < self.rows() && !reached(later) {
                later += 1;
            }
            let is_same = later < self.rows() && self.captures[later] == self.captures[row];
            is_same.then(|| self.times_ns[later].saturating_sub(self.times_ns[row]) as f64 / 1e9)
        });
        ahead_s.collect()
    }

    /// A contestant's sums over the rows of each cell.
    fn tallies(&self, logits: &[f64], cells: &Cells, rules: &Rules) -> Vec<Tally> {
        let threshold_logit = logit_of(rules.threshold);
        let mut by_cell = vec![Tally::default(); cells.count];
        for ((&logit, &sign), &cell) in logits.iter().zip(&self.signs).zip(&cells.of_row) {
            by_cell[cell as usize].add(logit, sign, rules.ties, threshold_logit);
        }
        by_cell
    }

    /// The cell of the row at or before a trade's purchase.
    fn cell_of(&self, cells: &Cells, trade: &Closed) -> usize {
        let key = (trade.capture, trade.sequence);
        let (mut low, mut high) = (0, self.rows());
        while low < high {
            let middle = low + (high - low) / 2;
            if (self.captures[middle], self.sequences[middle]) <= key { low = middle + 1 } else { high = middle }
        }
        cells.of_row.get(low.saturating_sub(1)).map_or(0, |&cell| cell as usize)
    }

    fn independent_changes(&self) -> u64 {
        let mut last: Option<(u32, u64)> = None;
        let mut changes = 0;
        for (row, (&capture, &sign)) in self.captures.iter().zip(&self.signs).enumerate() {
            let apart = last.is_none_or(|(before, until)| before != capture || self.sequences[row] >= until);
            if sign != 0 && apart {
                changes += 1;
                last = Some((capture, self.untils[row]));
            }
        }
        changes
    }
}

/// How the rows of a part are drawn.
pub(super) struct Blocks {
    pub(super) cells: Cells,
    pub(super) bootstrap: BootstrapSettings,
    horizon_s: Option<f64>,
    needed_s: f64,
}

/// Every contestant's metrics, over the rows as they are and over each resample of them.
struct Scores {
    /// By contestant: sums over all rows.
    tallies: Vec<Tally>,
    /// By contestant: blocks with rows that reach the threshold.
    reached_blocks: Vec<usize>,
    /// By contestant.
    point: Vec<Values>,
    /// By resample, then by contestant.
    resampled: Vec<Vec<Values>>,
}

impl Scores {
    fn of(part: &Part, cells: &Cells, rules: &Rules) -> Self {
        let ties = rules.ties;
        let contestants: Vec<(Ranking, Vec<Tally>)> = part
            .logits
            .iter()
            .map(|logits| {
                let ranking = Ranking::within(logits, &part.signs, &part.strata, ties);
                (ranking, part.tallies(logits, cells, rules))
            })
            .collect();
        // Over the rows of each cell as often as it is drawn.
        let over = |times: &[u32]| -> Vec<(Tally, Values)> {
            let scored = contestants.iter().map(|(ranking, by_cell)| {
                let mut tally = Tally::default();
                for (cell, &times) in by_cell.iter().zip(times).filter(|(_, times)| **times > 0) {
                    tally.add_times(cell, f64::from(times));
                }
                let auc = ranking.auc(|row| {
                    let weight = ties.weight(part.signs[row]);
                    let times = f64::from(times[cells.of_row[row] as usize]);
                    Weight { up: weight.up * times, down: weight.down * times }
                });
                let values = tally.values(auc);
                (tally, values)
            });
            scored.collect()
        };
        let (tallies, point) = over(&vec![1; cells.count]).into_iter().unzip();
        let reached =
            contestants.iter().map(|(_, by_cell)| cells.blocks_with(|cell| by_cell[cell].reached.weight > 0.0));
        let resampled = resample(cells, rules.bootstrap, rules.threads, |times| {
            over(times).into_iter().map(|(_, values)| values).collect()
        });
        Self { tallies, reached_blocks: reached.collect(), point, resampled }
    }

    /// Figures by metric; `value` gives one from all contestants' values and the metric's place in them, `range` what it can
    /// be, and `blocks` how many have something of it.
    fn figures(
        &self,
        metrics: &[Metric],
        value: impl Fn(&[Values], usize) -> f64,
        range: impl Fn(Metric) -> (f64, f64),
        blocks: impl Fn(Metric) -> usize,
    ) -> Vec<MetricFigure> {
        let figure = |&metric: &Metric| {
            let at = Metric::ALL.iter().position(|&other| other == metric).expect("ALL has every metric");
            let resampled = self.resampled.iter().map(|values| value(values, at)).collect();
            let point = value(&self.point, at);
            let interval = interval(point, resampled, blocks(metric));
            MetricFigure { metric, figure: Figure::new(point, interval.map(|interval| interval.within(range(metric)))) }
        };
        metrics.iter().map(figure).collect()
    }
}

fn bin_report(from: f64, bin: &crate::statistics::metrics::Bin) -> BinReport {
    let share = |part: f64, of: f64| (of > 0.0).then(|| part / of);
    BinReport {
        from,
        rows: bin.weight,
        mean_probability: share(bin.probability, bin.weight),
        up: share(bin.up, bin.weight),
        all_rows: bin.rows,
        all_up: share(bin.rows_up, bin.rows),
        all_tied: share(bin.rows_tied, bin.rows),
    }
}
