//! Permutation importance on the page.

use super::tables::{figure, unfolded_if_short};
use crate::report::chart::axis::extent;
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Size, Slot};
use crate::report::html::slots::write_slots;
use crate::report::html::tables::{close, open, row};
use crate::report::html::{Document, Shown, escaped};
use crate::research::importance::{FeatureImportance, Importance};
use std::fmt::{self, Write};

/// Features that are drawn; the table has all.
const DRAWN: usize = 20;

/// How to read it, in one sentence.
pub const REMARK: &str = "Each feature’s blocks of time were permuted: what this model loses on these rows without it. Features that \
                          say the same hide each other.";

/// The chapter.
pub fn importance(out: &mut String, importance: &Importance, document: &Document) -> fmt::Result {
    writeln!(out, "<h2 id=\"importance\">Importance</h2>")?;
    let repeats = document.span("importance.repeats", Shown::Count);
    let of = escaped(&importance.of);
    writeln!(out, "<p class=\"note\">Features of {of}, mean of {repeats} permutations. {REMARK}</p>")?;
    let ranked = importance.ranked();
    write_slots(out, &[drops(&ranked)])?;
    unfolded_if_short(out, ranked.len(), "features", |out| {
        open(out, "table-importance", &["feature", "drop in AUC", "rise in log-loss"])?;
        for (at, feature) in ranked {
            let cell = |field: &str| {
                let path = format!("importance.features.{at}.{field}");
                figure(document, &format!("{path}.value"), &format!("{path}.interval"), Shown::Signed(6))
            };
            row(out, &feature.name, ["auc_drop", "log_loss_rise"].map(cell))?;
        }
        close(out)
    })
}

fn drops(ranked: &[(usize, &FeatureImportance)]) -> Slot {
    let title = "Drop in AUC by feature permuted";
    let of = |(_, feature): &(usize, &FeatureImportance)| {
        Some((feature.name.clone(), feature.auc_drop.value?, feature.auc_drop.interval))
    };
    let rows: Vec<_> = ranked.iter().filter_map(of).take(DRAWN).collect();
    if rows.is_empty() {
        return Slot::missing(title, "The rows lie in fewer than two blocks, or have one outcome only.");
    }
    let ends = rows.iter().flat_map(|(_, drop, interval)| {
        [Some(*drop), interval.map(|ends| ends.low), interval.map(|ends| ends.high)].into_iter().flatten()
    });
    let range = extent(ends.chain([0.0]));
    let figure = Figure::half_tall("fig-importance", title, 90 + 22 * rows.len() as u32, |size: Size| {
        let place = |at: usize| (rows.len() - 1 - at) as f64;
        let y = Axis::names("", rows.iter().rev().map(|(name, ..)| name.clone()));
        let bars = rows.iter().enumerate().map(|(at, &(_, drop, _))| [(0.0, place(at) - 0.3), (drop, place(at) + 0.3)]);
        let lines = rows.iter().enumerate().filter_map(|(at, &(.., interval))| {
            let ends = interval?;
            Some(Mark::Line(vec![(ends.low, place(at)), (ends.high, place(at))], Ink::Text, 1.5))
        });
        let zero = Mark::Rule((0.0, y.range.0), (0.0, y.range.1), Ink::Muted);
        let bars = Mark::Bars(bars.collect(), Ink::Series(0), 0.7);
        let marks = [bars, zero].into_iter().chain(lines).collect();
        vec![Panel { x: Axis::linear("drop in AUC", range, size.x_labels().min(6)), y, weight: 1.0, marks }]
    });
    let dropped = if ranked.len() > rows.len() { format!(" The {} largest.", rows.len()) } else { String::new() };
    figure.caption(format!("Lines are 95\u{a0}% intervals, by the same resamples as all others.{dropped}")).slot()
}
