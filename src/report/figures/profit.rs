//! What was won: over the run, by trade, by part, and how long positions were held.

use crate::execution::fees::Turnover;
use crate::report::chart::axis::extent;
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Size, Slot, Thinned};
use crate::report::material::Material;
use crate::report::text::{basis_points, plain};
use crate::report::trades::{TradeNumbers, TradeTable, drawdowns, profits_bps};

/// Bars of a distribution.
const BARS: usize = 60;
/// Where logarithmic bars begin: one trade is seen.
const FLOOR: f64 = -0.15;
/// A bar of more trades than this needs a logarithm for those of one to be seen beside it.
const MANY: u64 = 50;
/// A distribution shows all but this share at each end as they are, and the rest in its outermost bars.
const TAIL: f64 = 0.001;

pub fn figures(material: &Material) -> Vec<Slot> {
    let Material { table, numbers, .. } = material;
    if table.is_empty() {
        return vec![Slot::missing("Profit", "There is no closed trade.")];
    }
    let mut slots = vec![over_sequence(material)];
    slots.push(if table.is_in_time() {
        over_time(material)
    } else {
        Slot::missing("Cumulative profit over time", "The trade log has no receive times that go forward.")
    });
    slots.push(distribution(table, numbers));
    slots.push(tenths(numbers));
    if !numbers.hours.is_empty() {
        slots.push(hours(numbers));
    }
    slots.push(holding(table));
    slots
}

/// Fees per side worth a line, in basis points: none, and around the one at which nothing is left.
fn fee_levels(numbers: &TradeNumbers) -> Vec<f64> {
    let near = numbers.break_even_fee_bps.map_or(0.05, f64::abs).clamp(0.01, 20.0);
    let power = 10_f64.powf(near.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().rev().find(|times| times * power <= near * 1.000_001).unwrap_or(1.0);
    // Products of small numbers: what is printed is what is meant.
    let round = |fee: f64| (fee * 1e4).round() / 1e4;
    let mut fees = vec![0.0, round(times * power / 2.0), round(times * power), round(times * power * 2.0)];
    if !fees.contains(&numbers.fee_bps) {
        fees.push(numbers.fee_bps);
    }
    fees.sort_by(f64::total_cmp);
    fees.dedup();
    fees
}

fn ink_of(number: usize) -> Ink {
    Ink::Series(number as u8)
}

/// A quantity that keeps its value until the next place, 0 at first.
struct Steps {
    line: Thinned,
    value: f64,
}

impl Steps {
    fn new(range: (f64, f64), size: Size) -> Self {
        let mut line = Thinned::new(range, size.places());
        line.push(range.0, 0.0);
        Self { line, value: 0.0 }
    }

    fn to(&mut self, x: f64, value: f64) {
        self.line.push(x, self.value);
        self.line.push(x, value);
        self.value = value;
    }

    fn finish(mut self, end: f64) -> Vec<(f64, f64)> {
        self.line.push(end, self.value);
        self.line.finish()
    }
}

/// The lines of cumulative profit and, below, the depth under the highest point. `x_of` gives a trade's place.
fn profit_panels(
    table: &TradeTable,
    fees: &[f64],
    size: Size,
    x_axis: Axis,
    x_of: impl Fn(usize) -> f64,
) -> Vec<Panel> {
    let range = x_axis.range;
    let line = |&fee_bps: &f64| {
        let (mut line, mut sum) = (Steps::new(range, size), 0.0);
        for at in 0..table.len() {
            let turnover = Turnover { bought: table.bought[at], sold: table.sold[at] };
            sum += turnover.net(table.profit[at], fee_bps);
            line.to(x_of(at), sum);
        }
        line.finish(range.1)
    };
    let lines: Vec<Vec<(f64, f64)>> = fees.iter().map(line).collect();
    let heights = extent(lines.iter().flatten().map(|&(_, y)| y));
    let mut depths = Steps::new(range, size);
    drawdowns(&table.profit).enumerate().for_each(|(at, depth)| depths.to(x_of(at), 0.0 - depth));
    let mut outline = depths.finish(range.1);
    let deepest = extent(outline.iter().map(|&(_, y)| y)).0;
    outline.push((range.1, 0.0));
    let zero = Mark::Rule((range.0, 0.0), (range.1, 0.0), Ink::Muted);
    let drawn = lines
        .into_iter()
        .enumerate()
        .rev()
        .map(|(number, line)| Mark::Line(line, ink_of(number), if number == 0 { 2.0 } else { 1.4 }));
    let untitled = Axis { title: String::new(), ..x_axis.clone() };
    vec![
        Panel {
            x: untitled,
            y: Axis::linear("cumulative profit, quote currency", (heights.0.min(0.0), heights.1.max(0.0)), 6),
            weight: 2.6,
            marks: std::iter::once(zero).chain(drawn).collect(),
        },
        Panel {
            x: x_axis,
            y: Axis::exact(
                "gross drawdown, quote currency",
                (if deepest < 0.0 { deepest * 1.06 } else { -1.0 }, 0.0),
                3,
            ),
            weight: 1.0,
            marks: vec![Mark::Area(outline, Ink::Down, 0.55)],
        },
    ]
}

fn with_fees(mut figure: Figure, fees: &[f64]) -> Slot {
    for (number, fee_bps) in fees.iter().enumerate() {
        let meaning = if *fee_bps == 0.0 { "gross".into() } else { format!("after {} bp per side", plain(*fee_bps)) };
        figure = figure.legend(ink_of(number), meaning);
    }
    figure.legend(Ink::Down, "gross drawdown").slot()
}

/// The first frame, where it is known: its sequence number and receive time; and those of the last bucket of frames.
fn frames(material: &Material) -> Option<[(u64, i64); 2]> {
    let book = &material.run.as_ref()?.observed.as_ref()?.book;
    let at = |at: usize| Some((*book.sequence.get(at)?, *book.ts_recv_ns.get(at)?));
    Some([at(0)?, at(book.sequence.len() - 1)?])
}

fn over_sequence(material: &Material) -> Slot {
    let table = &material.table;
    let fees = fee_levels(&material.numbers);
    let ends = frames(material).map(|frames| frames.map(|(sequence, _)| sequence));
    let first = table.buy_sequence.iter().copied().chain(ends.map(|[first, _]| first)).min().unwrap_or(0);
    let last = table.sell_sequence.iter().copied().chain(ends.map(|[_, last]| last)).max().unwrap_or(0);
    let figure = Figure::whole("fig-profit-sequence", "Cumulative profit over the sequence of frames", 420, |size| {
        let range = (first as f64, last as f64);
        let axis = Axis::whole("frames of the book since the session began", range, size.x_labels());
        profit_panels(table, &fees, size, axis, |at| table.sell_sequence[at] as f64)
    });
    with_fees(
        figure.caption(
            "Each trade counts where it was sold. The drawdown is how far the gross profit lies below its highest point so far. \
             The fees drawn lie around the one that would leave nothing; the run's own is among them.",
        ),
        &fees,
    )
}

fn over_time(material: &Material) -> Slot {
    let table = &material.table;
    let fees = fee_levels(&material.numbers);
    let bought = table.buy_ts_recv_ns.iter().copied().min().unwrap_or(0);
    let sold = table.sell_ts_recv_ns.iter().copied().max().unwrap_or(0);
    // Frames whose times go back are no clock.
    let ends = frames(material).map(|frames| frames.map(|(_, ts_recv_ns)| ts_recv_ns));
    let ends = ends.filter(|&[first, last]| first <= bought && first <= last);
    let (start_ns, from) = ends.map_or((bought, "first purchase"), |[first, _]| (first, "first frame"));
    let since = |ts_recv_ns: i64| ts_recv_ns.saturating_sub(start_ns) as f64 / 1e9;
    let last = since(ends.map_or(sold, |[_, last]| last.max(sold)));
    let figure = Figure::whole("fig-profit-time", "Cumulative profit over time", 420, |size| {
        let axis = Axis::seconds(&format!("time since the {from}"), (0.0, last), size.x_labels());
        profit_panels(table, &fees, size, axis, |at| since(table.sell_ts_recv_ns[at]))
    });
    with_fees(figure, &fees)
}

/// Counts of values in equal bars over a range; what lies beyond is in the outermost bars.
fn counted(values: impl Iterator<Item = f64>, (low, high): (f64, f64), bars: usize) -> Vec<u64> {
    let mut counts = vec![0; bars];
    for value in values {
        let place = ((value - low) / (high - low) * bars as f64).clamp(0.0, bars as f64 - 1.0);
        counts[place as usize] += 1;
    }
    counts
}

/// Profits in bars of one width that meet at 0, so that none holds both gains and losses.
#[derive(Debug, PartialEq)]
struct Bars {
    width: f64,
    /// The place of the first bar: bar `n` lies from `n` to `n + 1` times the width.
    first: i64,
    counts: Vec<u64>,
    /// Trades that made exactly nothing, which are in no bar.
    nothing: u64,
}

impl Bars {
    /// Of values in their order, in at most `bars` bars and two; the outermost hold what lies beyond `low` and `high`.
    fn of(sorted: &[f64], (low, high): (f64, f64), bars: usize) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let width = if high > low { (high - low) / bars as f64 } else { 2.0 / bars as f64 };
        let mut first = (low / width).floor() as i64;
        let mut end = (high / width).ceil() as i64;
        // A single gain or loss beyond an end at 0 has a bar.
        if sorted.first().is_some_and(|&least| least < 0.0) {
            first = first.min(-1);
        }
        if sorted.last().is_some_and(|&greatest| greatest > 0.0) {
            end = end.max(1);
        }
        let (mut counts, mut nothing) = (vec![0; (end - first).max(1) as usize], 0);
        for &value in sorted {
            let place = if value > 0.0 {
                ((value / width) as i64).min(end - 1)
            } else if value < 0.0 {
                ((value / width).ceil() as i64 - 1).max(first)
            } else {
                nothing += 1;
                continue;
            };
            counts[(place - first) as usize] += 1;
        }
        Self { width, first, counts, nothing }
    }

    /// Both ends.
    fn range(&self) -> (f64, f64) {
        (self.first as f64 * self.width, (self.first + self.counts.len() as i64) as f64 * self.width)
    }

    fn most(&self) -> u64 {
        self.counts.iter().copied().max().unwrap_or(0).max(self.nothing)
    }
}

fn distribution(table: &TradeTable, numbers: &TradeNumbers) -> Slot {
    let mut sorted: Vec<f64> = profits_bps(table).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let skipped = (sorted.len() as f64 * TAIL) as usize;
    let (low, high) = (sorted[skipped], sorted[sorted.len() - 1 - skipped]);
    let (least, greatest) = (sorted[0], sorted[sorted.len() - 1]);
    let figure = Figure::half("fig-profit-distribution", "Profit per trade", 340, |size| {
        let bars = Bars::of(&sorted, (low, high), if size.is_narrow() { BARS / 2 } else { BARS });
        let most = bars.most();
        // Few trades must be seen beside many: a logarithm, with room for a bar of one.
        let logarithmic = most > MANY;
        let height = |count: u64| if logarithmic { (count as f64).log10() } else { count as f64 };
        let y = if logarithmic {
            let mut y = Axis::powers("trades, logarithmic", (0.0, height(most)));
            y.range = (FLOOR, height(most) * 1.05);
            y.ticks.retain(|&(at, _)| at <= y.range.1);
            y
        } else {
            Axis::whole("trades", (0.0, most as f64 * 1.06), 5)
        };
        let foot = y.range.0;
        let side = |won: bool| {
            let shown = bars.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
            shown
                .map(|(at, &count)| (bars.first + at as i64, count))
                .filter(|&(place, _)| (place >= 0) == won)
                .map(|(place, count)| {
                    let left = place as f64 * bars.width;
                    [(left + bars.width * 0.04, foot), (left + bars.width * 0.96, height(count))]
                })
                .collect()
        };
        let half = bars.width * 0.3;
        let nothing = (bars.nothing > 0).then(|| [(-half, foot), (half, height(bars.nothing))]);
        let (from, to) = bars.range();
        // Room for the bar at 0, and between the bars and the frame.
        let room = (to - from) * 0.01;
        vec![Panel {
            marks: vec![
                Mark::Bars(side(true), Ink::Up, 0.85),
                Mark::Bars(side(false), Ink::Down, 0.85),
                Mark::Rule((0.0, foot), (0.0, y.range.1), Ink::Muted),
                Mark::Bars(nothing.into_iter().collect(), Ink::Tied, 1.0),
            ],
            x: Axis::exact("gross profit per trade, bp", (from - room, to + room), size.x_labels()),
            y,
            weight: 1.0,
        }]
    });
    let figure = figure.legend(Ink::Up, "gain").legend(Ink::Down, "loss");
    let figure = if sorted.contains(&0.0) { figure.legend(Ink::Tied, "exactly nothing") } else { figure };
    if sorted.len() == 1 {
        return figure.caption(format!("One trade: {} bp of the amount bought.", basis_points(least))).slot();
    }
    let tails = if least < low || greatest > high { " The outermost bars hold everything beyond them." } else { "" };
    let mean = numbers.gross_bps.unwrap_or_default();
    let (least, greatest, mean) = (basis_points(least), basis_points(greatest), basis_points(mean));
    figure
        .caption(format!(
            "From {least} to {greatest} bp of the amount bought; mean {mean} bp. No bar reaches over zero.{tails}"
        ))
        .slot()
}

/// Bars of profit by part of the run.
fn parts(profits: &[f64], x: Axis, y_title: &str) -> Vec<Panel> {
    let (low, high) = extent(profits.iter().copied().chain([0.0]));
    let bar = |at: usize| [(at as f64 - 0.4, 0.0), (at as f64 + 0.4, profits[at])];
    let side = |sign: f64| (0..profits.len()).filter(|&at| profits[at] * sign > 0.0).map(bar).collect();
    let zero = Mark::Rule((x.range.0, 0.0), (x.range.1, 0.0), Ink::Muted);
    vec![Panel {
        x,
        y: Axis::linear(y_title, (low, high), 7),
        weight: 1.0,
        marks: vec![Mark::Bars(side(1.0), Ink::Up, 0.85), Mark::Bars(side(-1.0), Ink::Down, 0.85), zero],
    }]
}

fn tenths(numbers: &TradeNumbers) -> Slot {
    let profits: Vec<f64> = numbers.tenths.iter().map(|tenth| tenth.profit).collect();
    let names = || (1..=profits.len()).map(|tenth| tenth.to_string());
    Figure::half("fig-profit-tenths", "Profit by tenth of the run", 340, |_| {
        parts(
            &profits,
            Axis::names("tenth of the run, by sequence number of the sale", names()),
            "gross profit, quote currency",
        )
    })
    .caption("A profit that comes from one tenth alone is no habit.")
    .slot()
}

fn hours(numbers: &TradeNumbers) -> Slot {
    let profits: Vec<f64> = numbers.hours.iter().map(|hour| hour.profit).collect();
    Figure::whole("fig-profit-hours", "Profit by hour", 300, |size| {
        let range = (-0.6, profits.len() as f64 - 0.4);
        let axis = Axis::whole("hours since the first purchase", range, size.x_labels());
        parts(&profits, axis, "gross profit, quote currency")
    })
    .caption("By the hour of the sale. The last may be shorter than the others.")
    .slot()
}

fn holding(table: &TradeTable) -> Slot {
    if !table.is_timed() {
        return Slot::missing("Time held", "The trade log has no receive times.");
    }
    let pairs = table.buy_ts_recv_ns.iter().zip(&table.sell_ts_recv_ns);
    // A clock that goes back, or a sale in the next nanosecond.
    let held: Vec<f64> = pairs.map(|(&buy, &sell)| (sell.saturating_sub(buy).max(1) as f64).log10()).collect();
    let (low, high) = extent(held.iter().copied());
    let range = if high > low { (low, high) } else { (low - 0.05, high + 0.05) };
    Figure::whole("fig-holding", "Time held", 280, |size| {
        let bars = if size.is_narrow() { BARS / 2 } else { BARS };
        let counts = counted(held.iter().copied(), range, bars);
        let width = (range.1 - range.0) / bars as f64;
        let bar = |at: usize| {
            let left = range.0 + at as f64 * width;
            [(left, 0.0), (left + width * 0.92, counts[at] as f64)]
        };
        let most = counts.iter().max().map_or(0.0, |&most| most as f64);
        vec![Panel {
            x: Axis::durations("from purchase to sale", range, size.is_narrow()),
            y: Axis::from_zero("trades", most, 5),
            weight: 1.0,
            marks: vec![Mark::Bars((0..bars).map(bar).collect(), Ink::Series(0), 0.85)],
        }]
    })
    .caption("The number of updates is fixed, the time that they take is not. Logarithmic.")
    .slot()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_lie_around_the_one_at_which_nothing_is_left() {
        let numbers = |break_even: Option<f64>, fee_bps: f64| TradeNumbers {
            break_even_fee_bps: break_even,
            fee_bps,
            ..TradeNumbers::of(&TradeTable::default(), 0.0)
        };
        assert_eq!(fee_levels(&numbers(Some(0.027), 0.0)), [0.0, 0.01, 0.02, 0.04]);
        assert_eq!(fee_levels(&numbers(Some(-3.1), 0.5)), [0.0, 0.5, 1.0, 2.0, 4.0]);
        assert_eq!(fee_levels(&numbers(None, 60.0)), [0.0, 0.025, 0.05, 0.1, 60.0]);
    }

    #[test]
    fn no_bar_holds_gains_and_losses() {
        let values = [-9.0, -1.0, -0.5, -1e-12, 0.0, 0.0, 1e-12, 0.5, 2.0, 3.0];
        for bars in 1..40 {
            let bars = Bars::of(&values, (-1.0, 2.0), bars);
            let losses = (-bars.first) as usize;
            assert_eq!(bars.counts[..losses].iter().sum::<u64>(), 4, "{bars:?}");
            assert_eq!(bars.counts[losses..].iter().sum::<u64>(), 4, "{bars:?}");
            assert_eq!((bars.nothing, bars.most() >= 2), (2, true));
            assert!(bars.range().0 <= -1.0 && bars.range().1 >= 2.0, "{bars:?}");
        }
        assert_eq!(
            Bars::of(&[-4.0, -3.0, -1.0, 1.0], (-4.0, 0.0), 4),
            Bars { width: 1.0, first: -4, counts: vec![2, 0, 1, 0, 1], nothing: 0 },
            "an edge belongs to the bar that is farther from 0"
        );
        assert_eq!(Bars::of(&[0.0], (0.0, 0.0), 2), Bars { width: 1.0, first: 0, counts: vec![0], nothing: 1 });
    }

    #[test]
    fn bars_count_everything() {
        assert_eq!(counted([-9.0, 0.0, 0.5, 0.999, 1.0, 7.0].into_iter(), (0.0, 1.0), 2), [2, 4]);
    }
}
