//! Lets models decide on captures: their logits on every row, and the trades that they would have made.
//!
//! ```
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::research::scoring::{By, Contestant, Rules, score};
//! use papertrader::research::source::{Nobody, Source, Watch};
//! use papertrader::statistics::bootstrap::BootstrapSettings;
//! use papertrader::statistics::labels::{LabelRule, Ties};
//! use papertrader::strategy::model::Model;
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 2,000 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let source = Source::open(&[synthetic::capture(folder.path(), 2_000)?], None, ScaleRule::default())?;
//!
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#;
//! let model = Model::parse("imbalance.json".as_ref(), text)?;
//! let contestants = [
//!     Contestant { name: "imbalance".into(), by: By::Model(Box::new(model)) },
//!     Contestant { name: "coin".into(), by: By::Constant(0.5) },
//! ];
//! let bootstrap = BootstrapSettings { block_s: None, replicates: 100, seed: 1 };
//! let (label, ties) = (LabelRule::mid_after(20), Ties::Drop);
//! let rules = Rules { label, horizon: 20, ties, threshold: 0.6, buy_amount: 100.0, bootstrap, threads: 1 };
//! let watch = Watch { bar: &Nobody, stop: &|| false };
//! let (parts, facts) = score(&source, &contestants, &rules, 1, &|_, _, _| Some(0), &watch)?;
//! assert_eq!((facts[0].counts.frames, parts[0].rows()), (2_000, 1_980));
//! assert!(parts[0].auc(0, Ties::Drop) > 0.5);
//! assert_eq!(parts[0].auc(1, Ties::Drop), 0.5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::dataset::{Observer, SinkError};
use super::economics::{Backtest, Closed, Traded};
use super::source::{CaptureFacts, RowShape, Source, Watch};
use super::source_error::SourceError;
use super::table::RowKey;
use crate::execution::rules::OriginalRules;
use crate::market::book::Book;
use crate::market::event::{Event, FrameHead};
use crate::market::units::Scale;
use crate::statistics::bootstrap::BootstrapSettings;
use crate::statistics::labels::{DoubleMid, LabelRule, Ties};
use crate::statistics::logistic::logit_of;
use crate::strategy::features::{FeatureSet, NoFeatures};
use crate::strategy::model::Model;
use std::io;

/// Somebody who gives probabilities.
#[derive(Clone, Debug)]
pub struct Contestant {
    /// For reports.
    pub name: String,
    /// What it goes by.
    pub by: By,
}

impl Contestant {
    /// How many features it looks at.
    fn width(&self) -> usize {
        match &self.by {
            By::Model(model) => model.features.len(),
            By::Constant(_) => 0,
        }
    }
}

/// What a contestant goes by.
#[derive(Clone, Debug)]
pub enum By {
    /// A model of the book.
    Model(Box<Model>),
    /// Always the same probability.
    Constant(f64),
}

/// How models are scored.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What a row is scored against.
    pub label: LabelRule,
    /// The holding time of the trades, in updates.
    pub horizon: u32,
    /// How rows count whose mid stays.
    pub ties: Ties,
    /// The probability from which to buy.
    pub threshold: f64,
    /// Quote currency spent per purchase.
    pub buy_amount: f64,
    /// For intervals.
    pub bootstrap: BootstrapSettings,
    /// How many threads may work.
    pub threads: usize,
}

impl Rules {
    /// What the engine is told.
    pub fn trading(&self) -> OriginalRules {
        OriginalRules {
            threshold_logit: logit_of(self.threshold),
            lag_updates: self.horizon,
            buy_amount: self.buy_amount,
        }
    }
}

/// The logits of all contestants after each frame, and behind them the features of all their models.
struct LogitRows {
    contestants: Vec<Contestant>,
    sets: Vec<Option<FeatureSet>>,
}

impl LogitRows {
    fn new(contestants: &[Contestant]) -> Self {
        let sets = contestants.iter().map(|contestant| match &contestant.by {
            By::Model(model) => Some(FeatureSet::new(&model.features)),
            By::Constant(_) => None,
        });
        Self { contestants: contestants.to_vec(), sets: sets.collect() }
    }
}

impl Observer for LogitRows {
    fn width(&self) -> usize {
        self.sets.len() + self.sets.iter().flatten().map(|set| set.features().len()).sum::<usize>()
    }

    fn begin(&mut self) {
        self.sets.iter_mut().flatten().for_each(FeatureSet::begin);
    }

    fn reset(&mut self) {
        self.sets.iter_mut().flatten().for_each(FeatureSet::reset);
    }

    fn refine(&mut self, from: Scale, to: Scale) {
        self.sets.iter_mut().flatten().for_each(|set| set.refine(from, to));
    }

    fn prints(&mut self, head: &FrameHead, events: &[Event]) {
        self.sets.iter_mut().flatten().for_each(|set| set.prints(head, events));
    }

    fn observe(&mut self, book: &Book, ts_recv_ns: i64, values: &mut [f64]) -> Result<(), NoFeatures> {
        let (logits, mut features) = values.split_at_mut(self.sets.len());
        // All look at every frame, so that each remembers what it would remember alone.
        let mut seen = Ok(());
        for ((contestant, set), logit) in self.contestants.iter_mut().zip(&mut self.sets).zip(logits) {
            match (&mut contestant.by, set) {
                (By::Model(model), Some(set)) => {
                    seen = seen.and(set.update(book, ts_recv_ns).map(|_| ()));
                    *logit = model.logit(set);
                    let (own, rest) = features.split_at_mut(model.features.len());
                    own.iter_mut().zip(set.values()).for_each(|(place, value)| *place = value);
                    features = rest;
                }
                (By::Constant(probability), _) => *logit = logit_of(*probability),
                (By::Model(_), None) => {}
            }
        }
        seen
    }
}

/// A stretch of rows that belong together: those trained on, or those tested on.
#[derive(Clone, Debug)]
pub struct Part {
    pub(super) captures: Vec<u32>,
    pub(super) sequences: Vec<u64>,
    /// The frames to which the labels look.
    pub(super) untils: Vec<u64>,
    pub(super) times_ns: Vec<i64>,
    pub(super) signs: Vec<i8>,
    /// The rows from which other models judge, without the first: see [`Ranking::within`](crate::statistics::metrics::Ranking).
    pub(super) strata: Vec<usize>,
    /// By contestant.
    pub(super) logits: Vec<Vec<f64>>,
    /// Sums of the contestants' features, as the observer has them.
    feature_sums: Vec<f64>,
    pub(super) mid_changes: u64,
    last_mid: Option<(u32, DoubleMid)>,
    /// By contestant.
    pub(super) trades: Vec<Vec<Closed>>,
    /// By contestant: positions still open.
    pub(super) open: Vec<u64>,
}

impl Part {
    fn new(contestants: usize) -> Self {
        Self {
            captures: Vec::new(),
            sequences: Vec::new(),
            untils: Vec::new(),
            times_ns: Vec::new(),
            signs: Vec::new(),
            strata: Vec::new(),
            logits: vec![Vec::new(); contestants],
            feature_sums: Vec::new(),
            mid_changes: 0,
            last_mid: None,
            trades: vec![Vec::new(); contestants],
            open: vec![0; contestants],
        }
    }

    /// Labelled rows.
    pub fn rows(&self) -> usize {
        self.signs.len()
    }

    /// What a contestant gave the rows.
    pub fn logits(&self, contestant: usize) -> &[f64] {
        &self.logits[contestant]
    }

    /// What the mid did after the rows: 1 up, 0 the same, −1 down.
    pub fn signs(&self) -> &[i8] {
        &self.signs
    }

    /// The same rows with some of the contestants. Means of features are left behind.
    #[must_use]
    pub fn only(self, contestants: std::ops::Range<usize>) -> Self {
        fn some<T>(mut list: Vec<T>, range: &std::ops::Range<usize>) -> Vec<T> {
            list.truncate(range.end);
            list.split_off(range.start)
        }
        let (logits, trades) = (some(self.logits, &contestants), some(self.trades, &contestants));
        let open = some(self.open, &contestants);
        Self { logits, trades, open, feature_sums: Vec::new(), ..self }
    }

    /// The rows of parts that follow on each other, with equally many contestants each, which differ from part to part.
    pub fn joined(parts: &[Self]) -> Self {
        let mut joined = Self::new(parts.first().map_or(0, |part| part.logits.len()));
        for part in parts {
            if joined.rows() > 0 {
                joined.strata.push(joined.rows());
            }
            joined.captures.extend(&part.captures);
            joined.sequences.extend(&part.sequences);
            joined.untils.extend(&part.untils);
            joined.times_ns.extend(&part.times_ns);
            joined.signs.extend(&part.signs);
            joined.mid_changes += part.mid_changes;
            for at in 0..joined.logits.len() {
                joined.logits[at].extend(&part.logits[at]);
                joined.trades[at].extend(&part.trades[at]);
                joined.open[at] += part.open[at];
            }
        }
        joined
    }

    /// Means of the features of a contestant's model, in the model's order.
    pub fn feature_means(&self, contestants: &[Contestant], which: usize) -> Vec<f64> {
        let from: usize = contestants[..which].iter().map(Contestant::width).sum();
        let own = self.feature_sums.get(from..from + contestants[which].width()).unwrap_or_default();
        own.iter().map(|sum| sum / self.rows() as f64).collect()
    }
}

/// To which part a row belongs, by its capture's number, its sequence and the frame to which it looks; `None` for neither.
pub type PartOf<'a> = &'a dyn Fn(u32, u64, u64) -> Option<usize>;

/// Takes the features of the first contestant's model on each row: the part, the row's place in it as the key's ordinal, and the
/// values in the model's order.
pub type Keep<'a> = &'a mut dyn FnMut(usize, RowKey, &[f64]) -> io::Result<()>;

/// Reads captures and scores the contestants on `parts` parts of them.
///
/// # Errors
/// A capture is not as it should be, or somebody asked for the end.
pub fn score(
    source: &Source,
    contestants: &[Contestant],
    rules: &Rules,
    parts: usize,
    part_of: PartOf<'_>,
    watch: &Watch<'_>,
) -> Result<(Vec<Part>, Vec<CaptureFacts>), SourceError> {
    score_and_keep(source, contestants, rules, parts, part_of, watch, &mut |_, _, _| Ok(()))
}

/// The same, and `keep` gets what the first contestant's model looks at.
///
/// # Errors
/// As for [`score`], and where `keep` fails.
pub fn score_and_keep(
    source: &Source,
    contestants: &[Contestant],
    rules: &Rules,
    parts: usize,
    part_of: PartOf<'_>,
    watch: &Watch<'_>,
    keep: Keep<'_>,
) -> Result<(Vec<Part>, Vec<CaptureFacts>), SourceError> {
    let kept = contestants.first().map_or(0, Contestant::width);
    let mut scored = vec![Part::new(contestants.len()); parts];
    let shape = RowShape { label: rules.label, every: 1 };
    let mut traded: Vec<(u32, Vec<Traded>)> = Vec::new();
    let mut observer = LogitRows::new(contestants);
    let facts = source.read(
        shape,
        &mut observer,
        watch,
        &mut |row| -> Result<(), SinkError> {
            let (capture, sequence) = (row.head.capture, row.head.sequence);
            let (Some(change), Some(number)) = (row.change, part_of(capture, sequence, row.until)) else {
                return Ok(());
            };
            let part = &mut scored[number];
            let ordinal = part.rows() as u64;
            part.captures.push(capture);
            part.sequences.push(sequence);
            part.untils.push(row.until);
            part.times_ns.push(row.head.ts_recv_ns);
            part.signs.push(change.sign);
            let (logits, features) = row.values.split_at(contestants.len());
            for (column, &logit) in part.logits.iter_mut().zip(logits) {
                column.push(logit);
            }
            let key = RowKey { ordinal, sequence, until: row.until, capture, sign: change.sign };
            keep(number, key, &features[..kept])
                .map_err(|error| format!("cannot use the temporary feature cache: {error}"))?;
            part.feature_sums.resize(features.len(), 0.0);
            for (sum, feature) in part.feature_sums.iter_mut().zip(features) {
                *sum += feature;
            }
            let moved = |(before, mid): (u32, DoubleMid)| before == capture && mid.change_to(row.head.mid).sign != 0;
            part.mid_changes += u64::from(part.last_mid.is_some_and(moved));
            part.last_mid = Some((capture, row.head.mid));
            Ok(())
        },
        |capture| {
            let traders = contestants.iter().filter_map(|contestant| match &contestant.by {
                By::Model(model) => Some(Backtest::new(capture, model, rules.trading())),
                By::Constant(_) => None,
            });
            traders.collect::<Vec<_>>()
        },
        |capture, backtests: Vec<Backtest>| {
            traded.push((capture, backtests.into_iter().map(Backtest::finish).collect()))
        },
    )?;
    for (capture, traders) in traded {
        let models = (0..contestants.len()).filter(|&at| matches!(contestants[at].by, By::Model(_)));
        for (contestant, Traded { closed, open }) in models.zip(traders) {
            for trade in closed {
                if let Some(part) = part_of(trade.capture, trade.sequence, trade.sequence + u64::from(rules.horizon)) {
                    scored[part].trades[contestant].push(trade);
                }
            }
            // What is open at a capture's end was bought in its last frames.
            if let Some(part) = part_of(capture, u64::MAX, u64::MAX) {
                scored[part].open[contestant] += open as u64;
            }
        }
    }
    Ok((scored, facts))
}
