//! How long it took: by percentile, and over time.

use crate::engine::latency::Stage;
use crate::report::chart::axis::extent;
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Slot};
use crate::report::material::Material;
use crate::report::run_file::is_work;
use crate::run::stage_facts::StageFacts;

pub fn figures(material: &Material) -> Vec<Slot> {
    vec![percentiles(material), over_time(material)]
}

/// A logarithm to base 10 of nanoseconds; less than one counts as one.
fn log_ns(ns: u64) -> f64 {
    (ns.max(1) as f64).log10()
}

/// A percentile curve by log10 of 1 / (1 − quantile) and of nanoseconds.
pub fn places_of(stage: &StageFacts) -> Vec<(f64, f64)> {
    // The longest of n is where only one in n is as long.
    let end = (stage.count.max(1) as f64).log10();
    let place = |quantile: f64| if quantile < 1.0 { (-(1.0 - quantile).log10()).min(end) } else { end };
    stage.curve.iter().map(|&(quantile, ns)| (place(quantile), log_ns(ns))).collect()
}

/// A stage has the same colour in every run. There are more stages than series: the whole from the arrival, which comprises the
/// others, has that of words.
fn ink_of(stage: &StageFacts) -> Ink {
    match Stage::by_tag(&stage.stage) {
        Some(Stage::Arrival) => Ink::Text,
        Some(Stage::Queue) => Ink::Series(Ink::SERIES - 1),
        stage => Ink::Series(stage.unwrap_or(Stage::Decode) as u8 - Stage::Decode as u8),
    }
}

/// What its name says, and that it comprises others.
fn legend_of(stage: &StageFacts) -> String {
    let all = if Stage::by_tag(&stage.stage).is_some_and(Stage::comprises_others) { ", all stages" } else { "" };
    format!("{}{all}", stage.name)
}

fn percentiles(material: &Material) -> Slot {
    let stages: Vec<&StageFacts> = material
        .stages()
        .iter()
        .filter(|stage| stage.max_ns.is_some_and(|ns| ns > 0) && !stage.curve.is_empty())
        .filter(|stage| !material.is_queued() || is_work(stage))
        .collect();
    if stages.is_empty() {
        return Slot::missing("Latency by percentile", "No latency was measured.");
    }
    let curves: Vec<Vec<(f64, f64)>> = stages.iter().map(|stage| places_of(stage)).collect();
    let points = || curves.iter().flatten();
    let mut figure = Figure::whole("fig-latency-percentiles", "Latency by percentile", 440, |size| {
        let greatest = extent(points().map(|&(x, _)| x)).1;
        // The whole first: what is most of it is then seen on it.
        let marks = curves.iter().enumerate().rev().map(|(number, curve)| {
            let is_whole = stages[number].stage == material.whole().tag();
            Mark::Line(curve.clone(), ink_of(stages[number]), if is_whole { 4.5 } else { 1.5 })
        });
        vec![Panel {
            x: Axis::nines("share of frames at or below", greatest, size.is_narrow())
                .ending_with("max", size.is_narrow()),
            y: Axis::nanoseconds("latency", extent(points().map(|&(_, y)| y))),
            weight: 1.0,
            marks: marks.collect(),
        }]
    })
    .caption(format!(
        "Each nine gets the same room: the right end is the slowest frame of all. Both axes are logarithmic.{}",
        if material.is_queued() {
            " Stages of work alone: nothing paced this run, and waiting is not shown."
        } else {
            ""
        }
    ));
    for stage in stages {
        figure = figure.legend(ink_of(stage), legend_of(stage));
    }
    figure.slot()
}

fn over_time(material: &Material) -> Slot {
    let log = material.latency.as_ref();
    let title = &format!("Latency over time, {}", log.map_or(Stage::Total, |log| log.whole).name());
    if material.is_queued() {
        let why = "Nothing paced this run at full speed: over time it would show how long its queue was. Replay with --speed 1x.";
        return Slot::missing(title, why);
    }
    let intervals = log.map_or(&[][..], |log| &log.intervals);
    let [first, .., last] = intervals else {
        let why =
            if intervals.is_empty() { "The interval log has no interval." } else { "The run has a single interval." };
        return Slot::missing(title, why);
    };
    let middle = |from_s: f64, to_s: f64| (from_s + to_s) / 2.0;
    Figure::whole("fig-latency-time", title, 340, |size| {
        let line = |ns: fn(&crate::run::latency_log::LatencyInterval) -> u64| -> Vec<(f64, f64)> {
            intervals.iter().map(|one| (middle(one.from_s, one.to_s), log_ns(ns(one)))).collect()
        };
        let lines = [line(|one| one.p50_ns), line(|one| one.p99_ns), line(|one| one.max_ns)];
        let heights = extent(lines.iter().flatten().map(|&(_, y)| y));
        let marks = lines.into_iter().zip([Ink::Series(0), Ink::Series(1), Ink::Series(3)]);
        vec![Panel {
            x: Axis::seconds("time since the start", (first.from_s, last.to_s), size.x_labels()),
            y: Axis::nanoseconds("latency", heights),
            weight: 1.0,
            marks: marks.map(|(line, ink)| Mark::Line(line, ink, 1.5)).collect(),
        }]
    })
    .legend(Ink::Series(0), "median")
    .legend(Ink::Series(1), "99 %")
    .legend(Ink::Series(3), "maximum")
    .caption("Per interval of the interval log. Logarithmic.")
    .slot()
}
