//! The numbers of a sweep's page, computed from its file alone: the same file, the same bytes.
//!
//! ```
//! use papertrader::report::sweep::numbers::{Finding, SweepReport};
//! use papertrader::sweep::result::SweepResult;
//!
//! let report = SweepReport::of("grid", &SweepResult::default());
//! assert_eq!((report.verdict.finding, report.counts.settings), (Finding::NoCaptures, 0));
//! ```

pub use super::facts::{
    CaptureFacts, Counts, Finding, Histogram, Map, OverTime, SCHEMA, SCHEMA_VERSION, SettingFacts, SettingName,
    SweepReport, Verdict, has_slices,
};

use super::settings::{Varying, totals};
use super::verdict;
use crate::report::text::{counted, plain};
use crate::statistics::blocks::{Cells, residuals};
use crate::statistics::bootstrap::{Interval, draw, interval};
use crate::statistics::overfitting::Returns;
use crate::statistics::overfitting::cross_validation::CrossValidation;
use crate::statistics::overfitting::deflated::Deflated;
use crate::statistics::overfitting::ranks::{correlation, ranks};
use crate::statistics::overfitting::reality_check::{RealityCheck, Resampling};
use crate::statistics::overfitting::sharpe::Moments;
use crate::sweep::result::{InSample, Row, SweepResult};

/// Settings in the table of the best.
pub const TOP: usize = 20;
/// Slices of all captures together that the statistics look at, at most; neighbours are put together where there are more.
const SLICES_MAX: usize = 2_048;
/// Resamples of the reality check and of intervals.
const REPLICATES: u32 = 2_000;
/// Decides which.
const SEED: u64 = 1;
/// Maps of thresholds and lags, at most.
const MAPS_MAX: usize = 24;
/// Bars of a histogram, and at most one more.
const BARS: usize = 24;

impl SweepReport {
    /// Judges a sweep.
    pub fn of(name: &str, result: &SweepResult) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, Into::into);
        let slices = Slices::of(result);
        let settings = result.settings.len();
        // A profit that is no finite number is that of a broken file: nothing is judged by it.
        let returns = Returns::new(&slices.returns, settings).ok();
        let deflated = returns.as_ref().and_then(Deflated::of);
        let cross_validation = returns.as_ref().and_then(CrossValidation::of);
        let reality_check = returns
            .as_ref()
            .and_then(|returns| RealityCheck::of(returns, Resampling { replicates: REPLICATES, seed: SEED }, threads));
        let mut facts = Judged { result, slices: &slices }.settings();
        let sharpes = histogram(facts.iter().filter_map(|setting| setting.sharpe));
        let (maps, maps_left_out) = maps(&facts);
        let counts = counts(result, &slices, &facts);
        let halves = slices.halves();
        let over_time = returns.as_ref().and_then(Returns::best).map(|best| OverTime {
            best_bps: slices.cumulative_bps(best),
            median_bps: slices.median_bps(),
            capture_begins: slices.begins[1..].to_vec(),
            rank_correlation: halves.and_then(|[first, second]| correlation(&first, &second)),
        });
        facts.sort_by(|a, b| a.rank.total_cmp(&b.rank));
        facts.retain(|setting| setting.trades > 0);
        let most_profit =
            facts.iter().reduce(|most, next| if next.net_profit > most.net_profit { next } else { most }).cloned();
        facts.truncate(TOP);
        facts.iter_mut().for_each(|setting| setting.net_bps_interval = slices.interval(result, setting));
        let captures = captures(result, &slices, &facts);
        let mut report = Self {
            schema: SCHEMA,
            schema_version: SCHEMA_VERSION,
            program_version: result.program_version.clone(),
            name: name.into(),
            product: products(result),
            fee_bps: result.fee_bps,
            fees: result.fees.clone(),
            verdict: Verdict { finding: Finding::NoCaptures, in_sample: None, sentences: Vec::new() },
            warnings: warnings(result),
            counts,
            logits: cross_validation.as_ref().and_then(|found| histogram(found.logits.iter().copied())),
            deflated,
            cross_validation,
            reality_check,
            sharpes,
            top: facts,
            most_profit,
            captures,
            over_time: over_time.unwrap_or_default(),
            maps,
            maps_left_out,
        };
        report.verdict = verdict::verdict(&report);
        report
    }
}

/// Net returns by slices of time.
struct Slices {
    settings: usize,
    /// Slices × settings: net profit of a slice over the amount of a purchase.
    returns: Vec<f64>,
    /// The first slice of each capture.
    begins: Vec<usize>,
    /// Slices of the file in one of these.
    together: usize,
}

impl Slices {
    fn of(result: &SweepResult) -> Self {
        let (settings, per_capture) = (result.settings.len(), result.slices as usize);
        let all = per_capture * result.captures.len();
        let together = all.div_ceil(SLICES_MAX).clamp(1, per_capture.max(1));
        let per_capture = per_capture.div_ceil(together);
        let mut returns = vec![0.0; per_capture * result.captures.len() * settings];
        for place in 0..result.captures.len() {
            for (row, setting) in result.rows_of(place).iter().zip(&result.settings) {
                for (slice, net) in row.slice_net.iter().enumerate() {
                    let slice = place * per_capture + slice / together;
                    returns[slice * settings + setting.number as usize] += net / setting.buy_amount;
                }
            }
        }
        let begins = (0..result.captures.len()).map(|place| place * per_capture).collect();
        Self { settings, returns, begins, together }
    }

    fn count(&self) -> usize {
        self.returns.len().checked_div(self.settings).unwrap_or(0)
    }

    /// A setting's returns in a range of slices.
    fn of_setting(&self, setting: usize, slices: std::ops::Range<usize>) -> impl Iterator<Item = f64> + Clone {
        slices.map(move |slice| self.returns[slice * self.settings + setting])
    }

    /// Every setting's Sharpe ratio in a range of slices; 0 where it does not trade.
    fn sharpes(&self, slices: std::ops::Range<usize>) -> Vec<f64> {
        let of = |setting| Moments::of(self.of_setting(setting, slices.clone())).sharpe().unwrap_or(0.0);
        (0..self.settings).map(of).collect()
    }

    fn halves(&self) -> Option<[Vec<f64>; 2]> {
        let middle = self.count() / 2;
        (middle > 0).then(|| [0..middle, middle..self.count()].map(|half| self.sharpes(half)))
    }

    /// The slices of a capture by its place.
    fn of_capture(&self, place: usize) -> std::ops::Range<usize> {
        self.begins[place]..self.begins.get(place + 1).copied().unwrap_or(self.count())
    }

    fn cumulative_bps(&self, setting: usize) -> Vec<f64> {
        let sum = |sum: &mut f64, value: f64| {
            *sum += 1e4 * value;
            Some(*sum)
        };
        self.of_setting(setting, 0..self.count()).scan(0.0, sum).collect()
    }

    /// The median of the settings' cumulative returns after each slice, the lower of two in the middle.
    fn median_bps(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.settings];
        let of_slice = |row: &[f64]| {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += 1e4 * value);
            let mut sorted = sums.clone();
            let middle = (sorted.len() - 1) / 2;
            *sorted.select_nth_unstable_by(middle, f64::total_cmp).1
        };
        self.returns.chunks_exact(self.settings).map(of_slice).collect()
    }

    /// The interval of a setting's net profit over what it bought: the circular block bootstrap over slices.
    fn interval(&self, result: &SweepResult, setting: &SettingFacts) -> Option<Interval> {
        // Of one capture the row's own, which stands on its trades.
        if result.captures.len() == 1 {
            return result.rows_of(0)[setting.number as usize].net_bps_interval;
        }
        let rows = (0..result.captures.len()).map(|place| &result.rows_of(place)[setting.number as usize]);
        let of = |row: &Row| -> Vec<(f64, f64)> {
            let slices = row.slice_net.chunks(self.together).zip(row.slice_bought.chunks(self.together));
            slices.map(|(net, bought)| (net.iter().sum(), bought.iter().sum())).collect()
        };
        let cells: Vec<(f64, f64)> = rows.flat_map(of).collect();
        let blocks = Cells::of_rows(cells.len(), 1).chosen(&[residuals(cells.iter().copied())]);
        let ratio = |times: &[u32]| {
            let drawn =
                times.iter().zip(&cells).map(|(&times, cell)| (f64::from(times) * cell.0, f64::from(times) * cell.1));
            let (net, bought) = drawn.fold((0.0, 0.0), |sums, cell| (sums.0 + cell.0, sums.1 + cell.1));
            1e4 * net / bought
        };
        let resampled = (0..REPLICATES).map(|replicate| ratio(&draw(&blocks, SEED, replicate))).collect();
        interval(setting.net_bps?, resampled, blocks.blocks_with(|cell| cells[cell].1 > 0.0))
    }
}

struct Judged<'a> {
    result: &'a SweepResult,
    slices: &'a Slices,
}

impl Judged<'_> {
    /// Every setting, in the file's order.
    fn settings(&self) -> Vec<SettingFacts> {
        let varying = Varying::of(self.result);
        let all = 0..self.slices.count();
        let mut facts: Vec<SettingFacts> =
            self.result.settings.iter().map(|setting| totals(self.result, setting, varying)).collect();
        for (at, setting) in facts.iter_mut().enumerate() {
            let returns = self.slices.of_setting(at, all.clone());
            setting.slices_traded = returns.clone().filter(|&value| value != 0.0).count();
            setting.sharpe = Moments::of(returns).sharpe();
        }
        let mut rank = |sharpes: &[f64], put: fn(&mut SettingFacts, f64)| {
            facts.iter_mut().zip(ranks(sharpes)).for_each(|(setting, rank)| put(setting, rank));
        };
        rank(&self.slices.sharpes(all), |setting, rank| setting.rank = rank);
        if let Some([first, second]) = self.slices.halves() {
            rank(&first, |setting, rank| setting.rank_first_half = rank);
            rank(&second, |setting, rank| setting.rank_second_half = rank);
        }
        for place in 0..self.result.captures.len() {
            let here = self.slices.sharpes(self.slices.of_capture(place));
            rank(&here, |setting, rank| setting.rank_worst = setting.rank_worst.max(rank));
        }
        facts
    }
}

/// Sum and sum of squares of returns.
#[derive(Clone, Copy, Default)]
struct Powers(f64, f64);

/// Every setting's Sharpe ratio on all captures but one: of sums, so that a thousand captures take as long as one. 0 without trades.
struct Elsewhere {
    by_capture: Vec<Vec<Powers>>,
    all: Vec<Powers>,
}

impl Elsewhere {
    /// A sum of squares below this share of that of all captures is rounding.
    const ROUNDING: f64 = 1e-12;

    fn new(slices: &Slices) -> Self {
        let powers = |returns: &mut dyn Iterator<Item = f64>| {
            returns.fold(Powers::default(), |Powers(sum, squares), value| Powers(sum + value, squares + value * value))
        };
        let of = |place| {
            let here: std::ops::Range<usize> = slices.of_capture(place);
            (0..slices.settings).map(|setting| powers(&mut slices.of_setting(setting, here.clone()))).collect()
        };
        let by_capture: Vec<Vec<Powers>> = (0..slices.begins.len()).map(of).collect();
        let all =
            (0..slices.settings).map(|setting| powers(&mut slices.of_setting(setting, 0..slices.count()))).collect();
        Self { by_capture, all }
    }

    fn sharpes(&self, place: usize, slices: &Slices) -> Vec<f64> {
        let count = (slices.count() - slices.of_capture(place).len()) as f64;
        let of = |(all, here): (&Powers, &Powers)| {
            let (sum, squares) = (all.0 - here.0, all.1 - here.1);
            let scatter = squares - sum * sum / count;
            let varies = scatter > Self::ROUNDING * all.1 && count > 1.0;
            if varies { sum / count / (scatter / (count - 1.0)).sqrt() } else { 0.0 }
        };
        self.all.iter().zip(&self.by_capture[place]).map(of).collect()
    }
}

fn captures(result: &SweepResult, slices: &Slices, top: &[SettingFacts]) -> Vec<CaptureFacts> {
    let elsewhere = (result.captures.len() > 1).then(|| Elsewhere::new(slices));
    let facts = |(place, capture): (usize, &crate::sweep::result::SweptCapture)| {
        let rows = result.rows_of(place);
        let here = slices.sharpes(slices.of_capture(place));
        let ranked = ranks(&here);
        let best = top.first().map(|best| best.number as usize);
        let winner =
            (0..here.len()).filter(|&at| rows[at].trades > 0).reduce(|a, b| if here[b] > here[a] { b } else { a });
        CaptureFacts {
            path: capture.path.clone(),
            in_sample: best.map_or(InSample::Unknown, |best| capture.in_sample[result.settings[best].model as usize]),
            trades: rows.iter().map(|row| row.trades).sum(),
            best_trades: best.map_or(0, |best| rows[best].trades),
            best_net_bps: best.and_then(|best| rows[best].net_bps),
            best_rank: best.map_or(0.0, |best| ranked[best]),
            winner_net_bps: winner.and_then(|winner| rows[winner].net_bps),
            winner: winner.map(|winner| winner as u32),
            rank_correlation: elsewhere.as_ref().and_then(|others| correlation(&here, &others.sharpes(place, slices))),
            top_ranks: top.iter().map(|setting| ranked[setting.number as usize]).collect(),
        }
    };
    result.captures.iter().enumerate().map(facts).collect()
}

fn counts(result: &SweepResult, slices: &Slices, facts: &[SettingFacts]) -> Counts {
    let places = 0..result.captures.len();
    let in_sample = result.captures.iter().flat_map(|capture| &capture.in_sample);
    let pairs = |of: InSample| in_sample.clone().filter(|&&pair| pair == of).count();
    Counts {
        settings: result.settings.len(),
        settings_traded: facts.iter().filter(|setting| setting.trades > 0).count(),
        captures: result.captures.len(),
        captures_traded: places.filter(|&place| result.rows_of(place).iter().any(|row| row.trades > 0)).count(),
        captures_broken: result.broken.len(),
        captures_twice: (0..result.captures.len()).filter(|&place| twin(result, place).is_some()).count(),
        trades: facts.iter().map(|setting| setting.trades).sum(),
        slices: slices.count(),
        slices_together: slices.together,
        pairs: in_sample.clone().count(),
        pairs_in_sample: pairs(InSample::Yes),
        pairs_unknown: pairs(InSample::Unknown),
    }
}

/// The products of all captures, each once.
fn products(result: &SweepResult) -> String {
    let mut names: Vec<&str> = result.captures.iter().map(|capture| capture.product.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// An earlier capture with the same bytes.
fn twin(result: &SweepResult, place: usize) -> Option<&str> {
    let capture = &result.captures[place];
    let twin = result.captures[..place].iter().find(|other| other.sha256 == capture.sha256);
    twin.map(|other| other.path.as_str())
}

fn warnings(result: &SweepResult) -> Vec<String> {
    let mut warnings: Vec<String> =
        result.broken.iter().map(|broken| format!("no rows of {}: it broke, {}", broken.path, broken.why)).collect();
    let without: Vec<&str> = result
        .captures
        .iter()
        .enumerate()
        .filter(|&(place, _)| result.rows_of(place).iter().all(|row| row.trades == 0))
        .map(|(_, capture)| capture.path.as_str())
        .collect();
    if let Some(first) = without.first().filter(|_| without.len() < result.captures.len()) {
        let others = match without.len() {
            1 => String::new(),
            more => format!(" and {}", counted(more as u64 - 1, "other capture")),
        };
        warnings
            .push(format!("No setting closes a trade in {first}{others}: its slices count as slices without profit."));
    }
    for (place, capture) in result.captures.iter().enumerate() {
        if let Some(other) = twin(result, place) {
            warnings.push(format!("{} holds the bytes of {other}: what they show is counted twice.", capture.path));
        }
        if capture.frames_live < capture.frames / 2 {
            warnings.push(format!(
                "{}: the book was live in {} of {} only.",
                capture.path,
                plain(capture.frames_live as f64),
                counted(capture.frames, "frame")
            ));
        }
    }
    let remarks = result
        .captures
        .iter()
        .flat_map(|capture| capture.remarks.iter().map(|remark| format!("{}: {remark}", capture.path)));
    warnings.extend(remarks);
    warnings
}

/// Equal bars from the least to the greatest value, none across 0; `None` of none.
fn histogram(values: impl Iterator<Item = f64> + Clone) -> Option<Histogram> {
    let (low, high) = values
        .clone()
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |ends, value| (ends.0.min(value), ends.1.max(value)));
    if low > high {
        return None;
    }
    let width = if high > low { (high - low) / BARS as f64 } else { low.abs().max(1.0) / BARS as f64 };
    // 0 lies between two bars.
    let first = (low / width).floor();
    let place = |value: f64| (value / width).floor() - first;
    let mut counts = vec![0; place(high) as usize + 1];
    for value in values.filter(|value| value.is_finite()) {
        counts[place(value) as usize] += 1;
    }
    Some(Histogram { from: first * width, width, counts })
}

/// A map for each model and execution, those with the best settings first.
fn maps(facts: &[SettingFacts]) -> (Vec<Map>, usize) {
    let mut names: Vec<(&SettingName, f64)> = Vec::new();
    let mut by_rank: Vec<&SettingFacts> = facts.iter().collect();
    by_rank.sort_by(|a, b| a.rank.total_cmp(&b.rank));
    for setting in &by_rank {
        if !names.iter().any(|(name, _)| *name == &setting.name) {
            names.push((&setting.name, setting.rank));
        }
    }
    let left_out = names.len().saturating_sub(MAPS_MAX);
    let map = |(name, _): &(&SettingName, f64)| {
        let of_name = || facts.iter().filter(|setting| &setting.name == *name);
        let mut thresholds: Vec<f64> = of_name().map(|setting| setting.threshold).collect();
        thresholds.sort_unstable_by(f64::total_cmp);
        thresholds.dedup();
        let mut lags: Vec<u32> = of_name().map(|setting| setting.lag_updates).collect();
        lags.sort_unstable();
        lags.dedup();
        let mut net_bps = vec![vec![None; lags.len()]; thresholds.len()];
        for setting in of_name() {
            let place = |threshold: &f64| *threshold == setting.threshold;
            let (row, column) =
                (thresholds.iter().position(place), lags.iter().position(|&lag| lag == setting.lag_updates));
            if let (Some(row), Some(column)) = (row, column) {
                net_bps[row][column] = setting.net_bps;
            }
        }
        Map { name: (*name).clone(), thresholds, lags_updates: lags, net_bps }
    };
    (names.iter().take(MAPS_MAX).map(map).collect(), left_out)
}
