//! What was won: over the run, by trade, by part, and how long positions were held.

use crate::report::chart::axis::{extent, fixed};
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Size, Slot, Thinned, thinned};
use crate::report::material::Material;
use crate::report::trades::{TradeNumbers, TradeTable, drawdowns, profits_bps};

/// Bars of a distribution.
const BARS: usize = 60;
/// Where logarithmic bars begin: one trade is seen.
const FLOOR: f64 = -0.15;
/// A distribution shows all but this share at each end as they are, and the rest in its outermost bars.
const TAIL: f64 = 0.001;

pub fn figures(material: &Material) -> Vec<Slot> {
    let Material { table, numbers, .. } = material;
    if table.is_empty() {
        return vec![Slot::missing("Profit", "There is no closed trade.")];
    }
    let mut slots = vec![over_sequence(table, numbers)];
    slots.push(if table.is_in_time() {
        over_time(table, numbers)
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

/// The lines of cumulative profit and, below, the depth under the highest point. `x_of` gives a trade's place.
fn profit_panels(
    table: &TradeTable,
    fees: &[f64],
    size: Size,
    x_axis: Axis,
    x_of: impl Fn(usize) -> f64,
) -> Vec<Panel> {
    let range = x_axis.range;
    let mut lines: Vec<(f64, Thinned)> = fees.iter().map(|_| (0.0, Thinned::new(range, size.places()))).collect();
    for (line, fee_bps) in lines.iter_mut().zip(fees) {
        line.1.push(range.0, 0.0);
        for at in 0..table.len() {
            line.0 += table.profit[at] - fee_bps / 1e4 * (table.bought[at] + table.sold[at]);
            line.1.push(x_of(at), line.0);
        }
    }
    let lines: Vec<Vec<(f64, f64)>> = lines.into_iter().map(|(_, line)| line.finish()).collect();
    let heights = extent(lines.iter().flatten().map(|&(_, y)| y));
    let depths =
        thinned(drawdowns(&table.profit).enumerate().map(|(at, depth)| (x_of(at), 0.0 - depth)), range, size.places());
    let deepest = extent(depths.iter().map(|&(_, y)| y)).0;
    let mut outline = vec![(range.0, 0.0)];
    outline.extend(&depths);
    outline.extend(depths.last().map(|&(x, _)| (x, 0.0)));
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
        let meaning = if *fee_bps == 0.0 { "gross".into() } else { format!("after {fee_bps} bp per side") };
        figure = figure.legend(ink_of(number), meaning);
    }
    figure.legend(Ink::Down, "gross drawdown").slot()
}

fn over_sequence(table: &TradeTable, numbers: &TradeNumbers) -> Slot {
    let fees = fee_levels(numbers);
    let first = table.buy_sequence.iter().min().map_or(0.0, |&first| first as f64);
    let last = table.sell_sequence.iter().max().map_or(0.0, |&last| last as f64);
    let figure = Figure::whole("fig-profit-sequence", "Cumulative profit over the sequence of frames", 420, |size| {
        let axis = Axis::whole("frames of the book since the session began", (first, last), size.x_labels());
        profit_panels(table, &fees, size, axis, |at| table.sell_sequence[at] as f64)
    });
    with_fees(
        figure.caption(
            "Each trade counts where it was sold. The drawdown is how far the gross profit lies below its highest point so far.",
        ),
        &fees,
    )
}

fn over_time(table: &TradeTable, numbers: &TradeNumbers) -> Slot {
    let fees = fee_levels(numbers);
    let first = table.buy_ts_recv_ns.iter().copied().min().unwrap_or(0);
    let since = |ts_recv_ns: i64| ts_recv_ns.saturating_sub(first) as f64 / 1e9;
    let last = table.sell_ts_recv_ns.last().map_or(0.0, |&last| since(last));
    let figure = Figure::whole("fig-profit-time", "Cumulative profit over time", 420, |size| {
        let axis = Axis::seconds("time since the first purchase", (0.0, last), size.x_labels());
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

fn distribution(table: &TradeTable, numbers: &TradeNumbers) -> Slot {
    let mut sorted: Vec<f64> = profits_bps(table).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let skipped = (sorted.len() as f64 * TAIL) as usize;
    let (low, high) = (sorted[skipped], sorted[sorted.len() - 1 - skipped]);
    let room = if high > low { (high - low) * 0.01 } else { low.abs().max(1.0) * 0.05 };
    let range = (low - room, high + room);
    let (least, greatest) = (sorted[0], sorted[sorted.len() - 1]);
    let figure = Figure::half("fig-profit-distribution", "Profit per trade", 340, |size| {
        let bars = if size.is_narrow() { BARS / 2 } else { BARS };
        let counts = counted(sorted.iter().copied(), range, bars);
        let width = (range.1 - range.0) / bars as f64;
        // Few trades must be seen beside many: a logarithm, with room for a bar of one.
        let height = |count: u64| (count as f64).log10();
        let bar = |at: usize| {
            let left = range.0 + at as f64 * width;
            (left + width / 2.0, [(left, FLOOR), (left + width * 0.92, height(counts[at]))])
        };
        let side = |won: bool| {
            let shown = (0..bars).filter(|&at| counts[at] > 0).map(bar);
            shown.filter(|&(middle, _)| (middle > 0.0) == won).map(|(_, bar)| bar).collect()
        };
        let most = counts.iter().max().map_or(0.0, |&most| height(most));
        let mut y = Axis::powers("trades, logarithmic", (0.0, most.max(1.0)));
        y.range = (FLOOR, most.max(0.7) * 1.05);
        y.ticks.retain(|&(at, _)| at <= y.range.1);
        vec![Panel {
            x: Axis::exact("gross profit per trade, bp of the amount bought", range, size.x_labels()),
            y,
            weight: 1.0,
            marks: vec![
                Mark::Bars(side(true), Ink::Up, 0.85),
                Mark::Bars(side(false), Ink::Down, 0.85),
                Mark::Rule((0.0, FLOOR), (0.0, most), Ink::Muted),
            ],
        }]
    });
    let tails =
        if least < range.0 || greatest > range.1 { "The outermost bars hold everything beyond them. " } else { "" };
    let mean = numbers.gross_bps.unwrap_or_default();
    figure
        .caption(format!("{tails}From {} to {} bp; mean {} bp.", fixed(least, 2), fixed(greatest, 2), fixed(mean, 3)))
        .slot()
}

/// Bars of profit by part of the run.
fn parts(profits: &[f64], x: Axis, y_title: &str) -> Vec<Panel> {
    let (low, high) = extent(profits.iter().copied().chain([0.0]));
    let bar = |at: usize| [(at as f64 - 0.4, 0.0), (at as f64 + 0.4, profits[at])];
    let side = |won: bool| (0..profits.len()).filter(|&at| (profits[at] > 0.0) == won).map(bar).collect();
    let zero = Mark::Rule((x.range.0, 0.0), (x.range.1, 0.0), Ink::Muted);
    vec![Panel {
        x,
        y: Axis::linear(y_title, (low, high), 5),
        weight: 1.0,
        marks: vec![Mark::Bars(side(true), Ink::Up, 0.85), Mark::Bars(side(false), Ink::Down, 0.85), zero],
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
    fn bars_count_everything() {
        assert_eq!(counted([-9.0, 0.0, 0.5, 0.999, 1.0, 7.0].into_iter(), (0.0, 1.0), 2), [2, 4]);
    }
}
