//! The figures of a sweep.
//!
//! ```
//! use papertrader::report::figures::sweep::{maps, over_time};
//! use papertrader::report::sweep::numbers::SweepReport;
//! use papertrader::sweep::result::SweepResult;
//!
//! let report = SweepReport::of("grid", &SweepResult::default());
//! // Nothing to draw, and the page says so.
//! assert_eq!((maps(&report).len(), over_time(&report).len()), (1, 2));
//! ```

use crate::report::chart::axis::{extent, fixed};
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Size, Slot};
use crate::report::sweep::numbers::{Histogram, Map, SettingFacts, SweepReport};
use crate::report::sweep::settings::in_words;
use crate::report::text::plain;

/// What earns and what loses: blue and orange, which colour-blind readers tell apart.
pub const GAIN: Ink = Ink::Series(0);
/// What loses.
pub const LOSS: Ink = Ink::Series(1);
/// Opacity of the least and of the greatest figure: words on a cell stay readable.
const FAINT: f64 = 0.06;
const DEEP: f64 = 0.5;
/// Height of a map's row and of the rest of its figure, CSS pixels.
const ROW: u32 = 27;
const REST: u32 = 66;
/// The most rows with a height of their own.
const ROWS_MAX: u32 = 24;
/// Width that a figure in a cell takes, CSS pixels a letter.
const LETTER: f64 = 7.8;
/// Width of a drawing that no cell has: labels and margins.
const BESIDE: f64 = 64.0;
/// Settings whose ranks are followed over captures.
const FOLLOWED: usize = 6;

/// A map of thresholds and lags for each model and execution, all in one scale.
pub fn maps(report: &SweepReport) -> Vec<Slot> {
    let title = "Net profit by threshold and lag";
    let greatest = deepest_bps(report).unwrap_or(0.0);
    if report.counts.settings_traded == 0 {
        return vec![Slot::missing(title, "No setting closed a trade.")];
    }
    report.maps.iter().enumerate().map(|(at, map)| one_map(report, at, map, greatest)).collect()
}

fn figures_of(maps: &[Map]) -> impl Iterator<Item = f64> {
    maps.iter().flat_map(|map| map.net_bps.iter().flatten().flatten().copied())
}

/// The deepest colour of all maps, basis points; `None` where there is nothing to show.
pub fn deepest_bps(report: &SweepReport) -> Option<f64> {
    figures_of(&report.maps).map(f64::abs).reduce(f64::max)
}

/// A cell's figure with the most decimals, up to two, for which all of a map's fit; `None` where none do.
fn decimals_for(map: &Map, size: Size) -> Option<usize> {
    let width = (f64::from(size.width) - BESIDE) / map.lags_updates.len() as f64;
    let fits = |decimals: &usize| {
        let figures = figures_of(std::slice::from_ref(map));
        figures.map(|net| fixed(net, *decimals).chars().count()).max().unwrap_or(0) as f64 * LETTER < width
    };
    let is_high = map.thresholds.len() as u32 <= ROWS_MAX;
    [2, 1, 0].into_iter().find(|decimals| is_high && fits(decimals))
}

fn one_map(report: &SweepReport, at: usize, map: &Map, greatest: f64) -> Slot {
    let title = format!("{}, {}", map.name.model, map.name.execution);
    let height = REST + ROW * (map.thresholds.len() as u32).clamp(2, ROWS_MAX);
    let best = report.best().filter(|best| best.name == map.name);
    let figure = Figure::half_tall(format!("fig-sweep-map-{at}"), title, height, |size| {
        let decimals = decimals_for(map, size);
        let mut marks = Vec::new();
        for (row, of_row) in map.net_bps.iter().enumerate() {
            for (column, &net) in of_row.iter().enumerate() {
                marks.extend(cell((column as f64, row as f64), net, greatest, decimals));
            }
        }
        marks.extend(best.and_then(|best| outline(map, best)));
        let names = |values: Vec<String>| Axis { range: (-0.5, values.len() as f64 - 0.5), ..Axis::names("", values) };
        let lags = names(map.lags_updates.iter().map(ToString::to_string).collect());
        let thresholds = names(map.thresholds.iter().map(|&threshold| plain(threshold)).collect());
        vec![Panel {
            x: Axis { title: "lag, updates".into(), ..lags },
            y: Axis { title: "threshold".into(), ..thinned(thresholds, height) },
            weight: 1.0,
            marks,
        }]
    });
    figure.slot()
}

/// Every label, every second, … so that rows of a high map do not touch.
fn thinned(mut axis: Axis, height: u32) -> Axis {
    let room = (height.saturating_sub(REST) / 16).max(1) as usize;
    let step = axis.ticks.len().div_ceil(room).max(1);
    let mut place = 0;
    axis.ticks.retain(|_| {
        place += 1;
        (place - 1) % step == 0
    });
    axis
}

fn cell((x, y): (f64, f64), net: Option<f64>, greatest: f64, decimals: Option<usize>) -> Vec<Mark> {
    const HALF: f64 = 0.475;
    let corners = vec![[(x - HALF, y - HALF), (x + HALF, y + HALF)]];
    let Some(net) = net else {
        let words = decimals.map(|_| Mark::Centred((x, y), "–".into(), Ink::Muted));
        return words.into_iter().collect();
    };
    let share = if greatest > 0.0 { net.abs() / greatest } else { 0.0 };
    let ink = if net < 0.0 { LOSS } else { GAIN };
    // In steps: as few colours as can be told apart.
    let opacity = ((FAINT + (DEEP - FAINT) * share) * 50.0).round() / 50.0;
    let mut marks = vec![Mark::Bars(corners, ink, opacity)];
    marks.extend(decimals.map(|decimals| Mark::Centred((x, y), fixed(net, decimals), Ink::Text)));
    marks
}

fn outline(map: &Map, best: &SettingFacts) -> Option<Mark> {
    let x = map.lags_updates.iter().position(|&lag| lag == best.lag_updates)? as f64;
    let y = map.thresholds.iter().position(|&threshold| threshold == best.threshold)? as f64;
    const HALF: f64 = 0.475;
    let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0)];
    let line = corners.into_iter().map(|(right, up)| (x + right * HALF, y + up * HALF)).collect();
    Some(Mark::Line(line, Ink::Text, 2.0))
}

/// The best setting's profit by slice, and ranks by capture.
pub fn over_time(report: &SweepReport) -> Vec<Slot> {
    vec![cumulative(report), ranks(report)]
}

fn cumulative(report: &SweepReport) -> Slot {
    let title = "Profit of the best setting over time";
    let time = &report.over_time;
    if time.best_bps.is_empty() {
        return Slot::missing(title, "No setting closed a trade.");
    }
    let line = |sums: &[f64]| -> Vec<(f64, f64)> {
        std::iter::once((0.0, 0.0)).chain((1..).zip(sums).map(|(slice, &sum)| (f64::from(slice), sum))).collect()
    };
    let caption = "Net profit in basis points of one purchase, summed over slices of equal time within each capture. Dashed upright lines: where \
         the next capture begins.";
    Figure::whole("fig-sweep-time", title, 320, |size| {
        let (low, high) = extent(time.best_bps.iter().chain(&time.median_bps).copied().chain([0.0]));
        let y = Axis::linear("cumulative net profit, bp of a purchase", (low, high), 5);
        let end = time.best_bps.len() as f64;
        // Lines beside each other would be a grey wall.
        let shown = time.capture_begins.len() <= size.places() / 8;
        let begins = time.capture_begins.iter().filter(|_| shown).map(|&slice| {
            let slice = slice as f64;
            Mark::Rule((slice, y.range.0), (slice, y.range.1), Ink::Tied)
        });
        let mut marks: Vec<Mark> = begins.collect();
        marks.push(Mark::Rule((0.0, 0.0), (end, 0.0), Ink::Muted));
        marks.push(Mark::Line(line(&time.median_bps), Ink::Series(6), 1.7));
        marks.push(Mark::Line(line(&time.best_bps), GAIN, 2.0));
        vec![Panel { x: Axis::whole("slices of time", (0.0, end), size.x_labels()), y, weight: 1.0, marks }]
    })
    .caption(caption)
    .legend(GAIN, "the best setting")
    .legend(Ink::Series(6), "the median of all settings")
    .slot()
}

fn ranks(report: &SweepReport) -> Slot {
    let title = "Ranks of the best settings by capture";
    if report.captures.len() < 2 || report.counts.settings < 2 || report.top.is_empty() {
        return Slot::missing(title, "One capture, or one setting, has nothing to compare.");
    }
    let followed = report.top.len().min(FOLLOWED);
    let last = report.captures.len() as f64;
    let settings = report.counts.settings as f64;
    let figure = Figure::whole("fig-sweep-ranks", title, 320, |size| {
        let mut marks = vec![Mark::Rule((0.6, 0.5), (last + 0.4, 0.5), Ink::Muted)];
        // The best is drawn last, on the others.
        for setting in (0..followed).rev() {
            let share = |rank: f64| (settings - rank) / (settings - 1.0);
            let places = (1..)
                .zip(&report.captures)
                .map(|(number, capture)| (f64::from(number), share(capture.top_ranks[setting])));
            let line: Vec<(f64, f64)> = places.collect();
            let ink = Ink::Series(setting as u8);
            marks.push(Mark::Discs(
                line.iter().map(|&(x, y)| (x, y, if setting == 0 { 4.5 } else { 3.0 })).collect(),
                ink,
                1.0,
            ));
            marks.push(Mark::Line(line, ink, if setting == 0 { 2.2 } else { 1.2 }));
        }
        vec![Panel {
            x: Axis {
                range: (0.6, last + 0.4),
                ..Axis::whole("capture, in the order of the table", (1.0, last), size.x_labels())
            },
            y: Axis::share("share of settings that it beats", (-0.03, 1.03), 5),
            weight: 1.0,
            marks,
        }]
    })
    .caption("By Sharpe ratio within the capture. What is luck wanders; what is real stays high. Dashed: the median.");
    let named = report.top.iter().take(followed).enumerate();
    named
        .fold(figure, |figure, (at, setting)| {
            figure.legend(Ink::Series(at as u8), format!("{}: {}", at + 1, in_words(setting)))
        })
        .slot()
}

/// What luck gives the best of as many, and what a choice on one half is worth on the other.
pub fn statistics(report: &SweepReport) -> Vec<Slot> {
    vec![sharpes(report), logits(report)]
}

fn bars(histogram: &Histogram, is_gain: impl Fn(f64) -> bool) -> (Vec<Mark>, (f64, f64), f64) {
    let edge = |at: usize| histogram.from + histogram.width * at as f64;
    let bar = |at: usize, count: u64| {
        let inset = histogram.width * 0.04;
        [(edge(at) + inset, 0.0), (edge(at + 1) - inset, count as f64)]
    };
    let of = |gain: bool| -> Vec<[(f64, f64); 2]> {
        let counted = histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let of_kind = counted.filter(|(at, _)| is_gain(edge(*at) + histogram.width / 2.0) == gain);
        of_kind.map(|(at, &count)| bar(at, count)).collect()
    };
    let marks = vec![Mark::Bars(of(true), GAIN, 0.8), Mark::Bars(of(false), LOSS, 0.8)];
    let most = histogram.counts.iter().max().copied().unwrap_or(0) as f64;
    (marks, (edge(0), edge(histogram.counts.len())), most)
}

fn sharpes(report: &SweepReport) -> Slot {
    let title = "Sharpe ratios of all settings";
    let (Some(histogram), Some(deflated)) = (&report.sharpes, &report.deflated) else {
        return Slot::missing(title, "There are too few slices of time, or no trades.");
    };
    Figure::half("fig-sweep-sharpes", title, 320, |size| {
        let (mut marks, ends, most) = bars(histogram, |sharpe| sharpe >= 0.0);
        let y = Axis::from_zero("settings", most * 1.12, 5);
        let (low, high) = extent([ends.0, ends.1, deflated.expected_maximum, 0.0]);
        let x = Axis::linear("Sharpe ratio of a slice", (low, high), size.x_labels());
        marks.push(Mark::Rule((deflated.expected_maximum, 0.0), (deflated.expected_maximum, y.range.1), Ink::Text));
        vec![Panel { x, y, weight: 1.0, marks }]
    })
    .legend(GAIN, "above 0")
    .legend(LOSS, "below 0")
    .caption("Dashed: the greatest that luck is expected to give. The deflated Sharpe ratio is how surely the best lies beyond it.")
    .slot()
}

fn logits(report: &SweepReport) -> Slot {
    let title = "The best of one half of the time on the other";
    let Some(histogram) = &report.logits else {
        return Slot::missing(title, "It takes two settings and 16 slices of time.");
    };
    Figure::half("fig-sweep-logits", title, 320, |size| {
        let (mut marks, (low, high), most) = bars(histogram, |logit| logit >= 0.0);
        let y = Axis::from_zero("splits", most * 1.12, 5);
        let ends = extent([low, high, 0.0]);
        marks.push(Mark::Rule((0.0, 0.0), (0.0, y.range.1), Ink::Text));
        vec![Panel {
            x: Axis::linear("logit of the relative rank out of sample", ends, size.x_labels()),
            y,
            weight: 1.0,
            marks,
        }]
    })
    .legend(GAIN, "above the median")
    .legend(LOSS, "below: overfitted")
    .caption("Each split of the blocks of time into two halves: how high the best of one half ranks on the other.")
    .slot()
}
