//! Every evaluation against what the mid did.

use super::NOT_OBSERVED;
use super::reliability::{Counted, Diagram, Tenth};
use crate::report::chart::axis::{extent, fixed};
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Slot, thinned};
use crate::report::material::Material;
use crate::report::text::plain;
use crate::run::observe::{BinRow, Calibration, Outcomes, ReliabilityRow, outcomes_of};

/// The most bars of a histogram.
const BARS: u64 = 100;
/// The least extent of a histogram's axis.
const RANGE_MIN: f64 = 0.1;
/// Where logarithmic bars begin: one evaluation is seen.
const FLOOR: f64 = -0.15;

pub fn figures(material: &Material) -> Vec<Slot> {
    let Some((run, observed)) = material.run.as_ref().and_then(|run| Some((run, run.observed.as_ref()?))) else {
        return vec![Slot::missing("Probabilities against outcomes", NOT_OBSERVED)];
    };
    let calibration = &observed.calibration;
    if calibration.bins.is_empty() {
        return vec![Slot::missing("Probabilities against outcomes", "The model was not evaluated once.")];
    }
    vec![
        histogram(calibration, run.settings.threshold),
        threshold(calibration, run.settings.threshold),
        reliability(calibration),
        roc(calibration),
    ]
}

/// Bins in groups of equally many, from the first to the last that has an evaluation or the threshold, and some about them if
/// these are few.
struct Histogram {
    /// Where each group begins, and the end of the last.
    edges: Vec<f64>,
    sums: Vec<Outcomes>,
}

impl Histogram {
    fn of(bin_count: usize, bins: &[BinRow], threshold: f64, bars: u64) -> Self {
        let count = bin_count as u64;
        let at_threshold = ((threshold * count as f64) as u64).min(count - 1);
        let mut first = bins.first().map_or(0, |bin| bin[0]).min(at_threshold);
        let mut last = bins.last().map_or(0, |bin| bin[0]).max(at_threshold);
        let least = (RANGE_MIN * count as f64) as u64;
        let lacking = least.saturating_sub(last - first + 1);
        first = first.saturating_sub(lacking.div_ceil(2));
        last = (last + lacking.div_ceil(2)).min(count - 1);
        let together = (last - first + 1).div_ceil(bars).max(1);
        let mut sums = vec![Outcomes::default(); ((last - first) / together + 1) as usize];
        for bin in bins {
            let sum = &mut sums[((bin[0] - first) / together) as usize];
            *sum = sum.plus(outcomes_of(bin));
        }
        let edges = (0..=sums.len() as u64).map(|bar| (first + bar * together) as f64 / count as f64).collect();
        Self { edges, sums }
    }

    fn most(&self) -> f64 {
        self.sums.iter().map(Outcomes::total).max().unwrap_or(0) as f64
    }

    /// Whether few bars tower over the others, which can then be seen on a logarithmic axis only.
    fn is_uneven(&self) -> bool {
        let shown = self.sums.iter().map(Outcomes::total).filter(|&total| total > 0);
        let tall = shown.clone().filter(|&total| total as f64 >= self.most() / 20.0).count();
        4 * tall < shown.count()
    }

    /// The outcomes on one another.
    fn stacked(&self) -> Vec<Mark> {
        let layer = |below: fn(&Outcomes) -> u64, own: fn(&Outcomes) -> u64, ink| {
            let shown = self.sums.iter().enumerate().filter(|(_, sum)| own(sum) > 0);
            let bar = |(bar, sum): (usize, &Outcomes)| {
                let (from, to) = (self.edges[bar], self.edges[bar + 1]);
                [(from, below(sum) as f64), (from + (to - from) * 0.94, (below(sum) + own(sum)) as f64)]
            };
            Mark::Bars(shown.map(bar).collect(), ink, 0.9)
        };
        vec![
            layer(|_| 0, |sum| sum.up, Ink::Up),
            layer(|sum| sum.up, |sum| sum.down, Ink::Down),
            layer(|sum| sum.up + sum.down, |sum| sum.tied + sum.unknown, Ink::Tied),
        ]
    }

    /// A line for each outcome, log10: heights on one another would mean nothing there.
    fn outlined(&self) -> Vec<Mark> {
        let line = |own: fn(&Outcomes) -> u64, ink| {
            let height = |sum| (own(sum) as f64).log10().max(FLOOR);
            let steps = self.sums.iter().enumerate();
            let corners = steps.flat_map(|(bar, sum)| [bar, bar + 1].map(|edge| (self.edges[edge], height(sum))));
            Mark::Line(corners.collect(), ink, 1.5)
        };
        vec![
            line(|sum| sum.tied + sum.unknown, Ink::Tied),
            line(|sum| sum.down, Ink::Down),
            line(|sum| sum.up, Ink::Up),
        ]
    }
}

fn histogram(calibration: &Calibration, threshold: f64) -> Slot {
    let of = |bars| Histogram::of(calibration.bin_count, &calibration.bins, threshold, bars);
    let is_uneven = of(BARS / 2).is_uneven();
    let figure = Figure::half("fig-probability", "Probabilities", 340, |size| {
        let narrower = if size.is_narrow() { 2 } else { 1 };
        let bars = if is_uneven { BARS / 2 } else { BARS };
        let histogram = of(bars / narrower);
        let most = histogram.most();
        let (y, mut marks) = if is_uneven {
            let most = most.log10();
            let mut y = Axis::powers("evaluations, logarithmic", (0.0, most));
            y.range = (FLOOR, most * 1.05);
            y.ticks.retain(|&(at, _)| at <= y.range.1);
            (y, histogram.outlined())
        } else {
            (Axis::from_zero("evaluations", most, 5), histogram.stacked())
        };
        marks.push(Mark::Rule((threshold, y.range.0), (threshold, y.range.1), Ink::Text));
        let range = extent(histogram.edges.iter().copied());
        vec![Panel { x: Axis::linear("probability", range, size.x_labels()), y, weight: 1.0, marks }]
    });
    figure
        .legend(Ink::Up, "mid rose")
        .legend(Ink::Down, "mid fell")
        .legend(Ink::Tied, "stayed or unknown")
        .caption(format!("Every evaluation. The dashed line is the threshold, {}.", plain(threshold)))
        .slot()
}

fn threshold(calibration: &Calibration, threshold: f64) -> Slot {
    let sides = [calibration.below, calibration.at_or_above];
    let names = ["below".to_string(), "at or above".to_string()];
    let share = |side: &Outcomes, part: u64| {
        let known = side.up + side.down + side.tied;
        if known > 0 { part as f64 / known as f64 } else { 0.0 }
    };
    let right = [calibration.below.down, calibration.at_or_above.up];
    let figure = Figure::half("fig-threshold", "On each side of the threshold", 340, |size| {
        let mut marks = Vec::new();
        for (row, (side, right)) in sides.iter().zip(right).enumerate() {
            let row = row as f64;
            let mut from = 0.0;
            for (part, ink) in [(side.up, Ink::Up), (side.tied, Ink::Tied), (side.down, Ink::Down)] {
                let width = share(side, part);
                if part > 0 {
                    marks.push(Mark::Bars(vec![[(from, row - 0.26), (from + width, row + 0.26)]], ink, 0.9));
                }
                from += width;
            }
            let known = side.up + side.down + side.tied;
            let words = if known > 0 {
                format!("right {} % of {}", fixed(100.0 * share(side, right), 1), fixed(known as f64, 0))
            } else {
                "none".into()
            };
            marks.push(Mark::Words((0.0, row + 0.38), words, Ink::Text, true));
        }
        vec![Panel {
            x: Axis::share(
                "share of evaluations with a known outcome",
                (0.0, 1.0),
                if size.is_narrow() { 4 } else { 6 },
            ),
            y: Axis::names(format!("threshold {}", plain(threshold)), names.clone()),
            weight: 1.0,
            marks,
        }]
    });
    figure
        .legend(Ink::Up, "mid rose")
        .legend(Ink::Tied, "stayed")
        .legend(Ink::Down, "mid fell")
        .caption("At or above the threshold a rise is right, below it a fall.")
        .slot()
}

fn reliability(calibration: &Calibration) -> Slot {
    let tenth = |row: &ReliabilityRow| {
        let count = row.moved as f64;
        Some(Tenth { from: row.from, mean_probability: row.mean_probability?, up_share: row.up_share?, count })
    };
    let tenths: Vec<Tenth> = calibration.reliability.iter().filter(|row| row.moved > 0).filter_map(tenth).collect();
    if tenths.is_empty() {
        return Slot::missing("Reliability", "The mid never moved within a horizon.");
    }
    let diagram = Diagram {
        counted: vec![Counted { ink: Ink::Series(0), tenths, has_intervals: true }],
        share: "share of rises among the moves",
        count: "evaluations after which the mid moved",
    };
    diagram
        .figure("fig-reliability", "Reliability")
        .caption(
            "A model that means what it says lies on the dashed line. Vertical lines are 95\u{a0}% intervals (Wilson) of as many \
             independent evaluations; those that share part of their horizon are not independent, so the true intervals are \
             wider. Counts are below. Ties are left out.",
        )
        .slot()
}

fn roc(calibration: &Calibration) -> Slot {
    let curve = calibration.roc();
    if curve.is_empty() {
        return Slot::missing("ROC curve", "It needs evaluations before a rise and before a fall of the mid.");
    }
    let auc = calibration.auc_sentence().unwrap_or_default();
    Figure::half("fig-roc", "ROC curve", 420, |size| {
        let curve = thinned(curve.iter().copied(), (0.0, 1.0), size.places());
        vec![Panel {
            x: Axis::share("falls at or above a threshold", (0.0, 1.0), 5),
            y: Axis::share("rises at or above a threshold", (0.0, 1.0), 5),
            weight: 1.0,
            marks: vec![Mark::Rule((0.0, 0.0), (1.0, 1.0), Ink::Muted), Mark::Line(curve, Ink::Series(0), 2.0)],
        }]
    })
    .caption(format!("The area under the curve: {auc}. 0.5 is no better than a coin."))
    .slot()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_holds_everything_and_its_threshold() {
        for (bins, threshold) in [
            (vec![[622, 3, 4, 5, 6]], 0.6),
            (vec![[0, 1, 0, 0, 0], [999, 1, 0, 0, 0]], 1.0),
            (vec![[999, 1, 2, 3, 0]], 0.999_999),
            (vec![[0, 1, 2, 3, 0]], 0.0),
        ] {
            for bars in [1, 7, 25, 100] {
                let histogram = Histogram::of(1_000, &bins, threshold, bars);
                let all: u64 = histogram.sums.iter().map(Outcomes::total).sum();
                assert_eq!(all, bins.iter().map(|bin| bin[1..].iter().sum::<u64>()).sum::<u64>());
                let (from, to) = (histogram.edges[0], histogram.edges[histogram.sums.len()]);
                assert!(from <= threshold && threshold <= to + 1e-9 && histogram.sums.len() <= bars as usize);
            }
        }
    }

    #[test]
    fn towers_need_a_logarithm() {
        let uneven = |bins: &[[u64; 5]]| Histogram::of(1_000, bins, 0.5, 50).is_uneven();
        let low: Vec<_> = (1..50).map(|bin| [bin * 20, 3, 0, 0, 0]).collect();
        assert!(!uneven(&low) && !uneven(&low[..1]));
        assert!(uneven(&[&[[0, 1_000, 0, 0, 0]], &low[..]].concat()));
    }
}
