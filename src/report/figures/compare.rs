//! Several runs in one picture, a colour each.
//!
//! ```
//! use papertrader::report::figures::compare::figures;
//! use papertrader::report::material::Material;
//!
//! let folder = tempfile::tempdir()?;
//! let runs = ["a.csv", "b.csv"].map(|name| folder.path().join(name));
//! let rows = "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit\n0,20,100,101,1,1\n";
//! for run in &runs {
//!     std::fs::write(run, rows)?;
//! }
//! let runs = [Material::read(&runs[0])?, Material::read(&runs[1])?];
//! assert!(!figures(&runs).is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::latency::places_of;
use crate::engine::latency::Stage;
use crate::report::chart::axis::extent;
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Slot, thinned};
use crate::report::material::Material;
use crate::report::trades::profits_bps;
use crate::run::observe::Calibration;

/// Runs that are told apart by colour.
pub const RUNS_MAX: usize = Ink::SERIES as usize;
/// Steps of a distribution.
const STEPS: usize = 400;
/// Probabilities told apart.
const PROBABILITIES: usize = 50;

/// All figures of a comparison.
pub fn figures(runs: &[Material]) -> Vec<Slot> {
    vec![profit(runs), distribution(runs), probability(runs), reliability(runs), roc(runs), latency(runs)]
}

fn ink(run: usize) -> Ink {
    Ink::Series(run as u8)
}

/// A line of each run that has one.
type Lines = Vec<(usize, Vec<(f64, f64)>)>;

fn marks(lines: Lines, width: f64) -> impl Iterator<Item = Mark> {
    lines.into_iter().map(move |(run, line)| Mark::Line(line, ink(run), width))
}

fn with_runs(figure: Figure, runs: &[Material], lines: &Lines) -> Slot {
    let named = lines.iter().fold(figure, |figure, (run, _)| figure.legend(ink(*run), runs[*run].name.clone()));
    named.slot()
}

fn calibration(run: &Material) -> Option<&Calibration> {
    run.run.as_ref()?.observed.as_ref().map(|observed| &observed.calibration)
}

fn points(lines: &Lines) -> impl Iterator<Item = &(f64, f64)> {
    lines.iter().flat_map(|(_, line)| line)
}

fn profit(runs: &[Material]) -> Slot {
    let title = "Cumulative gross profit over each run";
    // Runs differ in length and in what they bought.
    let lines = |places: usize| -> Lines {
        let with_trades = runs.iter().enumerate().filter(|(_, run)| !run.table.is_empty());
        let line = |(number, run): (usize, &Material)| {
            let count = run.table.len() as f64;
            let sums = run.table.profit.iter().enumerate().scan(0.0, |sum, (at, profit)| {
                let before = *sum;
                *sum += profit;
                let x = (at + 1) as f64 / count;
                Some([before, *sum].map(|sum| (x, 1e4 * sum / run.numbers.bought)))
            });
            (number, thinned(std::iter::once((0.0, 0.0)).chain(sums.flatten()), (0.0, 1.0), places))
        };
        with_trades.map(line).collect()
    };
    let shown = lines(2);
    if shown.is_empty() {
        return Slot::missing(title, "None of the runs has a closed trade.");
    }
    let figure = Figure::whole("fig-compare-profit", title, 360, |size| {
        let lines = lines(size.places());
        let (low, high) = extent(points(&lines).map(|&(_, y)| y).chain([0.0]));
        let zero = Mark::Rule((0.0, 0.0), (1.0, 0.0), Ink::Muted);
        vec![Panel {
            x: Axis::share("share of the run's trades", (0.0, 1.0), 5),
            y: Axis::linear("basis points of all that was bought", (low, high), 6),
            weight: 1.0,
            marks: std::iter::once(zero).chain(marks(lines, 1.7)).collect(),
        }]
    });
    with_runs(figure.caption("The right end is the run's gross profit per trade."), runs, &shown)
}

fn distribution(runs: &[Material]) -> Slot {
    let title = "Profit per trade";
    let lines: Lines = runs
        .iter()
        .enumerate()
        .filter(|(_, run)| !run.table.is_empty())
        .map(|(number, run)| {
            let mut sorted: Vec<f64> = profits_bps(&run.table).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let steps = sorted.len().min(STEPS);
            let at = |step: usize| {
                let rank = (step * sorted.len()).div_ceil(steps);
                (sorted[rank.max(1) - 1], rank as f64 / sorted.len() as f64)
            };
            (number, (0..=steps).map(at).collect())
        })
        .collect();
    if lines.is_empty() {
        return Slot::missing(title, "None of the runs has a closed trade.");
    }
    let figure = Figure::half("fig-compare-distribution", title, 340, |size| {
        vec![Panel {
            x: Axis::linear("gross profit per trade, bp", extent(points(&lines).map(|&(x, _)| x)), size.x_labels()),
            y: Axis::share("share of trades at or below", (0.0, 1.0), 5),
            weight: 1.0,
            marks: marks(lines.clone(), 1.7).collect(),
        }]
    });
    with_runs(figure, runs, &lines)
}

fn probability(runs: &[Material]) -> Slot {
    let title = "Probabilities";
    let lines: Lines = runs
        .iter()
        .enumerate()
        .filter_map(|(number, run)| {
            let calibration = calibration(run).filter(|calibration| !calibration.bins.is_empty())?;
            let together = (calibration.bin_count / PROBABILITIES).max(1) as u64;
            let mut counts = vec![0; PROBABILITIES];
            for &[bin, up, down, tied, unknown] in &calibration.bins {
                counts[((bin / together) as usize).min(PROBABILITIES - 1)] += up + down + tied + unknown;
            }
            let all = calibration.outcomes.total() as f64;
            let place = |at: usize| (at as f64 + 0.5) / PROBABILITIES as f64;
            Some((number, counts.iter().enumerate().map(|(at, &count)| (place(at), count as f64 / all)).collect()))
        })
        .collect();
    if lines.is_empty() {
        return Slot::missing(title, super::NOT_OBSERVED);
    }
    let figure = Figure::half("fig-compare-probability", title, 340, |size| {
        let most = extent(points(&lines).map(|&(_, y)| y)).1;
        vec![Panel {
            x: Axis::exact("probability", (0.0, 1.0), size.x_labels()),
            y: Axis::share("share of evaluations, by fiftieths", (0.0, most * 1.05), 5),
            weight: 1.0,
            marks: marks(lines.clone(), 1.7).collect(),
        }]
    });
    with_runs(figure, runs, &lines)
}

fn reliability(runs: &[Material]) -> Slot {
    let title = "Reliability";
    let lines: Lines = runs
        .iter()
        .enumerate()
        .filter_map(|(number, run)| {
            let rows = calibration(run)?.reliability.iter();
            let line: Vec<_> = rows.filter_map(|row| Some((row.mean_probability?, row.up_share?))).collect();
            (!line.is_empty()).then_some((number, line))
        })
        .collect();
    if lines.is_empty() {
        return Slot::missing(title, super::NOT_OBSERVED);
    }
    let figure = Figure::half("fig-compare-reliability", title, 380, |size| {
        let discs = lines
            .iter()
            .map(|(run, line)| Mark::Discs(line.iter().map(|&(x, y)| (x, y, 3.5)).collect(), ink(*run), 0.9));
        let diagonal = Mark::Rule((0.0, 0.0), (1.0, 1.0), Ink::Muted);
        vec![Panel {
            x: Axis::exact("mean probability, by tenths", (0.0, 1.0), size.x_labels().min(6)),
            y: Axis::share("share of rises among the moves", (0.0, 1.0), 5),
            weight: 1.0,
            marks: std::iter::once(diagonal).chain(marks(lines.clone(), 1.4)).chain(discs).collect(),
        }]
    });
    with_runs(figure, runs, &lines)
}

fn roc(runs: &[Material]) -> Slot {
    let title = "ROC curves";
    let curve = |(number, run): (usize, &Material)| Some((number, calibration(run)?.roc()));
    let lines: Lines = runs.iter().enumerate().filter_map(curve).filter(|(_, curve)| !curve.is_empty()).collect();
    if lines.is_empty() {
        return Slot::missing(title, super::NOT_OBSERVED);
    }
    let figure = Figure::half("fig-compare-roc", title, 380, |size| {
        let thin = |(number, line): &(usize, Vec<(f64, f64)>)| {
            Mark::Line(thinned(line.iter().copied(), (0.0, 1.0), size.places()), ink(*number), 1.7)
        };
        let diagonal = Mark::Rule((0.0, 0.0), (1.0, 1.0), Ink::Muted);
        vec![Panel {
            x: Axis::share("falls at or above a threshold", (0.0, 1.0), 5),
            y: Axis::share("rises at or above a threshold", (0.0, 1.0), 5),
            weight: 1.0,
            marks: std::iter::once(diagonal).chain(lines.iter().map(thin)).collect(),
        }]
    });
    with_runs(figure, runs, &lines)
}

fn latency(runs: &[Material]) -> Slot {
    // The same of all: from the arrival only where every run has it.
    let whole = if runs.iter().all(|run| run.whole() == Stage::Arrival) { Stage::Arrival } else { Stage::Total };
    let title = &format!("Latency by percentile, {}", whole.name());
    let line = |(number, run): (usize, &Material)| {
        let total = run.stage(whole.tag()).filter(|_| !run.is_queued());
        let total = total.filter(|total| total.max_ns.is_some_and(|ns| ns > 0) && !total.curve.is_empty())?;
        Some((number, places_of(total)))
    };
    let lines: Lines = runs.iter().enumerate().filter_map(line).collect();
    if lines.is_empty() {
        let why = if runs.iter().any(Material::is_queued) {
            "Nothing paced these runs: at full speed frames only wait for each other. The table has their work."
        } else {
            "No latency was measured."
        };
        return Slot::missing(title, why);
    }
    let figure = Figure::whole("fig-compare-latency", title, 400, |size| {
        vec![Panel {
            x: Axis::nines("share of frames at or below", extent(points(&lines).map(|&(x, _)| x)).1, size.is_narrow()),
            y: Axis::nanoseconds("latency", extent(points(&lines).map(|&(_, y)| y))),
            weight: 1.0,
            marks: marks(lines.clone(), 1.7).collect(),
        }]
    });
    let others = if runs.iter().any(Material::is_queued) {
        " Runs at full speed are left out: they show their queue."
    } else {
        ""
    };
    with_runs(figure.caption(format!("Both axes are logarithmic.{others}")), runs, &lines)
}
