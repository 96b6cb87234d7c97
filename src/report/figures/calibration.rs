//! Every evaluation against what the mid did.

use super::NOT_OBSERVED;
use crate::report::chart::axis::fixed;
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Slot, thinned};
use crate::report::material::Material;
use crate::report::observe::{Calibration, Outcomes};

/// The most bars of a histogram.
const BARS: u64 = 100;

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

fn histogram(calibration: &Calibration, threshold: f64) -> Slot {
    let count = calibration.bin_count as f64;
    let at_threshold = (threshold * count) as u64;
    let first = calibration.bins.first().map_or(0, |bin| bin[0]).min(at_threshold);
    let last = calibration.bins.last().map_or(0, |bin| bin[0]).max(at_threshold);
    let figure = Figure::half("fig-probability", "Probabilities", 340, |size| {
        let most_bars = if size.is_narrow() { BARS / 2 } else { BARS };
        let together = (last - first + 1).div_ceil(most_bars).max(1);
        let bars = (last - first) / together + 1;
        let mut sums = vec![Outcomes::default(); bars as usize];
        for bin in &calibration.bins {
            let sum = &mut sums[((bin[0] - first) / together) as usize];
            *sum = sum.plus(crate::report::observe::outcomes_of(bin));
        }
        let place = |bar: usize| (first + bar as u64 * together) as f64 / count;
        let width = together as f64 / count;
        let layer = |below: fn(&Outcomes) -> u64, own: fn(&Outcomes) -> u64| {
            let shown = sums.iter().enumerate().filter(move |(_, sum)| own(sum) > 0);
            let corner = shown.map(move |(bar, sum)| {
                let (from, to) = (below(sum) as f64, (below(sum) + own(sum)) as f64);
                [(place(bar), from), (place(bar) + width * 0.94, to)]
            });
            corner.collect::<Vec<_>>()
        };
        let most = sums.iter().map(Outcomes::total).max().map_or(0.0, |most| most as f64);
        let range = (place(0), place(sums.len()));
        vec![Panel {
            x: Axis::exact("probability", range, size.x_labels()),
            y: Axis::from_zero("evaluations", most, 5),
            weight: 1.0,
            marks: vec![
                Mark::Bars(layer(|_| 0, |sum| sum.up), Ink::Up, 0.9),
                Mark::Bars(layer(|sum| sum.up, |sum| sum.down), Ink::Down, 0.9),
                Mark::Bars(layer(|sum| sum.up + sum.down, |sum| sum.tied + sum.unknown), Ink::Tied, 0.9),
                Mark::Rule((threshold, 0.0), (threshold, most), Ink::Text),
            ],
        }]
    });
    figure
        .legend(Ink::Up, "mid rose")
        .legend(Ink::Down, "mid fell")
        .legend(Ink::Tied, "stayed or unknown")
        .caption(format!("Every evaluation. The dashed line is the threshold, {threshold}."))
        .slot()
}

fn threshold(calibration: &Calibration, threshold: f64) -> Slot {
    let sides = [calibration.below, calibration.at_or_above];
    let names = ["below".to_string(), "at or above".to_string()];
    let share = |side: &Outcomes, part: u64| {
        let known = side.up + side.down + side.tied;
        if known > 0 { part as f64 / known as f64 } else { 0.0 }
    };
    let figure = Figure::half("fig-threshold", "On each side of the threshold", 340, |size| {
        let mut marks = Vec::new();
        for (row, side) in sides.iter().enumerate() {
            let row = row as f64;
            let mut from = 0.0;
            for (part, ink) in [(side.up, Ink::Up), (side.tied, Ink::Tied), (side.down, Ink::Down)] {
                let width = share(side, part);
                if part > 0 {
                    marks.push(Mark::Bars(vec![[(from, row - 0.32), (from + width, row + 0.32)]], ink, 0.9));
                }
                if width > 0.12 {
                    let label = format!("{} %", fixed(100.0 * width, 1));
                    marks.push(Mark::Words((from, row), label, Ink::Text, true));
                }
                from += width;
            }
        }
        vec![Panel {
            x: Axis::share(
                "share of evaluations with a known outcome",
                (0.0, 1.0),
                if size.is_narrow() { 4 } else { 6 },
            ),
            y: Axis::names(format!("probability {threshold}"), names.clone()),
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
    let rows: Vec<_> = calibration.reliability.iter().filter(|row| row.moved > 0).collect();
    let most = rows.iter().map(|row| row.moved).max().unwrap_or(0) as f64;
    if rows.is_empty() {
        return Slot::missing("Reliability", "The mid never moved within a horizon.");
    }
    let figure = Figure::half("fig-reliability", "Reliability", 420, |size| {
        let points: Vec<(f64, f64)> =
            rows.iter().filter_map(|row| Some((row.mean_probability?, row.up_share?))).collect();
        let discs = rows.iter().zip(&points).map(|(row, &(x, y))| (x, y, 2.5 + 6.0 * (row.moved as f64 / most).sqrt()));
        let bars = rows.iter().map(|row| [(row.from + 0.005, 0.0), (row.from + 0.095, row.moved as f64)]);
        let labels = size.x_labels().min(6);
        vec![
            Panel {
                x: Axis::exact("", (0.0, 1.0), labels),
                y: Axis::share("share of rises among the moves", (0.0, 1.0), 5),
                weight: 2.4,
                marks: vec![
                    Mark::Rule((0.0, 0.0), (1.0, 1.0), Ink::Muted),
                    Mark::Line(points.clone(), Ink::Series(0), 1.2),
                    Mark::Discs(discs.collect(), Ink::Series(0), 0.9),
                ],
            },
            Panel {
                x: Axis::exact("mean probability, by tenths", (0.0, 1.0), labels),
                y: Axis::from_zero("evaluations after which the mid moved", most, 3),
                weight: 1.2,
                marks: vec![Mark::Bars(bars.collect(), Ink::Series(0), 0.5)],
            },
        ]
    });
    figure
        .caption("A model that means what it says lies on the dashed line. The area of a mark goes with its evaluations. Ties are left out.")
        .slot()
}

fn roc(calibration: &Calibration) -> Slot {
    let curve = calibration.roc();
    if curve.is_empty() {
        return Slot::missing("ROC curve", "It needs evaluations before a rise and before a fall of the mid.");
    }
    let auc = calibration.score.auc.unwrap_or(f64::NAN);
    Figure::half("fig-roc", "ROC curve", 420, |size| {
        let curve = thinned(curve.iter().copied(), (0.0, 1.0), size.places());
        vec![Panel {
            x: Axis::share("falls at or above a threshold", (0.0, 1.0), 5),
            y: Axis::share("rises at or above a threshold", (0.0, 1.0), 5),
            weight: 1.0,
            marks: vec![Mark::Rule((0.0, 0.0), (1.0, 1.0), Ink::Muted), Mark::Line(curve, Ink::Series(0), 2.0)],
        }]
    })
    .caption(format!("The area under the curve is {auc:.4}; 0.5 is no better than a coin. Ties are left out."))
    .slot()
}
