//! The pages of runs: one run's, and several side by side.

mod comparison;
mod executions;
mod sentences;
mod tables;
mod verdict;

pub use comparison::comparison;
pub use sentences::{break_even, doubts_in_text, finding, lowest_taker_fee};

use super::document::{Document, Shown};
use super::escape::escaped;
use super::head::{foot, head, remarks};
use super::slots::write_slots;
use crate::report::figures::{Chapter, figures};
use crate::report::material::Material;
use crate::report::text::things;
use crate::statistics::labels::LabelRule;
use std::fmt::{self, Write};

/// A run's page.
pub fn page(material: &Material) -> String {
    let mut out = String::new();
    write_page(&mut out, material).expect("a String takes every character");
    out
}

/// The chapters of a run's page, by id.
const CHAPTERS: [(&str, &str); 6] = [
    ("profit", "Profit"),
    ("model", "Model"),
    ("latency", "Latency"),
    ("book", "Book"),
    ("features", "Features"),
    ("counters", "Counters"),
];

fn write_page(out: &mut String, material: &Material) -> fmt::Result {
    let document = Document::new(material);
    let name = &material.name;
    let below = material.run.as_ref().map(|run| {
        let stopped = if run.run.stopped { ", stopped before the end" } else { "" };
        format!("{} · {}{stopped}", run.run.product, run.run.title)
    });
    let mut chapters = CHAPTERS.to_vec();
    if material.executions.is_some() {
        chapters.insert(1, ("executions", "Executions"));
    }
    head(out, name, name, below.as_deref(), &chapters)?;
    if let Some(fault) = material.run.as_ref().and_then(|run| run.run.fault.as_ref()) {
        remarks(out, [&format!("The run ended by a fault: {fault}")])?;
    }
    remarks(out, &material.remarks)?;
    verdict::write(out, material, &document)?;
    profit(out, material, &document)?;
    executions::write(out, material, &document)?;
    model(out, material, &document)?;
    writeln!(out, "<h2 id=\"latency\">Latency</h2>")?;
    write_slots(out, &figures(material, Chapter::Latency))?;
    if !material.stages().is_empty() {
        writeln!(out, "<h3>Stages</h3>")?;
        tables::stages(out, material, &document)?;
    }
    writeln!(out, "<h2 id=\"book\">Book</h2>")?;
    write_slots(out, &figures(material, Chapter::Book))?;
    writeln!(out, "<h2 id=\"features\">Features</h2>")?;
    write_slots(out, &figures(material, Chapter::Features))?;
    tables::drift(out, material, &document)?;
    tables::features(out, material)?;
    writeln!(out, "<h2 id=\"counters\">Settings and counters</h2>")?;
    tables::settings(out, material)?;
    tables::counters(out, material, &document)?;
    let csv = material.csv.file_name().unwrap_or_default().to_string_lossy();
    let origin = format!(
        " from {csv} and what lies beside it. Quote currency is the product's; a basis point (bp) is 0.01 % of the amount \
         bought"
    );
    foot(out, &origin)
}

fn profit(out: &mut String, material: &Material, document: &Document) -> fmt::Result {
    writeln!(out, "<h2 id=\"profit\">Profit</h2>")?;
    write_slots(out, &figures(material, Chapter::Profit))?;
    if material.table.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h3>Net profit by fee</h3>")?;
    tables::fees(out, document)?;
    writeln!(out, "<h3>Spread over trades</h3>")?;
    tables::spreads(out, document)?;
    tables::parts(out, document)
}

fn model(out: &mut String, material: &Material, document: &Document) -> fmt::Result {
    writeln!(out, "<h2 id=\"model\">Model</h2>")?;
    let observed = material.run.as_ref().and_then(|run| Some((run, run.observed.as_ref()?)));
    let Some((run, observed)) = observed else {
        return write_slots(out, &figures(material, Chapter::Model));
    };
    let plain = LabelRule::mid_after(observed.horizon_updates).to_string();
    let against = match observed.label.as_deref().filter(|&label| label != plain) {
        None => format!(
            "the mid {} {} later",
            document.span("observed.horizon_updates", Shown::Count),
            things(observed.horizon_updates.into(), "update")
        ),
        Some(label) => format!("the model's label, {}", escaped(label)),
    };
    writeln!(
        out,
        "<p class=\"note\">All {} evaluations, each against {against}, not only those that bought.</p>",
        document.span("observed.calibration.evaluations", Shown::Count),
    )?;
    write_slots(out, &figures(material, Chapter::Model))?;
    writeln!(out, "<h3>Scores</h3>")?;
    tables::scores(out, &observed.calibration, document)?;
    writeln!(out, "<h3>Thresholds</h3>")?;
    tables::thresholds(out, &observed.calibration, run.settings.threshold)
}
