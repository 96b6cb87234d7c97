//! The pages of runs: one run's, and several side by side.

mod comparison;
mod tables;
mod verdict;

pub use comparison::comparison;
pub use verdict::{fee_sentence, finding};

use super::document::{Document, Shown};
use super::escape::escaped;
use super::head::{head, remarks};
use super::slots::write_slots;
use crate::report::figures::{Chapter, figures};
use crate::report::material::Material;
use std::fmt::{self, Write};

/// A run's page.
pub fn page(material: &Material) -> String {
    let mut out = String::new();
    write_page(&mut out, material).expect("a String takes every character");
    out
}

fn write_page(out: &mut String, material: &Material) -> fmt::Result {
    let document = Document::new(material);
    let name = escaped(&material.name);
    head(out, &format!("{name} – papertrader"))?;
    writeln!(out, "<header><h1>{name}</h1>")?;
    if let Some(title) = document.text("run.title") {
        let stopped = material.run.as_ref().is_some_and(|run| run.run.stopped);
        let stopped = if stopped { ", stopped before the end" } else { "" };
        let product = document.text("run.product").unwrap_or_default();
        writeln!(out, "<p class=\"sub\">{product} · {title}{stopped}</p>")?;
    }
    writeln!(
        out,
        "<nav><a href=\"#profit\">Profit</a><a href=\"#model\">Model</a><a href=\"#latency\">Latency</a>\
         <a href=\"#book\">Book</a><a href=\"#features\">Features</a><a href=\"#counters\">Counters</a></nav></header>\n<main>"
    )?;
    if let Some(fault) = material.run.as_ref().and_then(|run| run.run.fault.as_ref()) {
        writeln!(out, "<p class=\"remark\">The run ended by a fault: {}</p>", escaped(fault))?;
    }
    remarks(out, &material.remarks)?;
    verdict::write(out, material, &document)?;

    writeln!(out, "<h2 id=\"profit\">Profit</h2>")?;
    write_slots(out, &figures(material, Chapter::Profit))?;
    if !material.table.is_empty() {
        writeln!(out, "<h3>Net profit by fee</h3>")?;
        tables::fees(out, &document)?;
        writeln!(out, "<h3>Spread over trades</h3>")?;
        tables::spreads(out, &document)?;
        tables::parts(out, &document)?;
    }

    writeln!(out, "<h2 id=\"model\">Model</h2>")?;
    if let Some((run, observed)) = material.run.as_ref().and_then(|run| Some((run, run.observed.as_ref()?))) {
        writeln!(
            out,
            "<p class=\"note\">All {} evaluations, each against the mid {} updates later, not only those that bought.</p>",
            document.span("observed.calibration.evaluations", Shown::Count),
            document.span("observed.horizon_updates", Shown::Count)
        )?;
        write_slots(out, &figures(material, Chapter::Model))?;
        writeln!(out, "<h3>Scores</h3>")?;
        tables::scores(out, &document)?;
        writeln!(out, "<h3>Thresholds</h3>")?;
        tables::thresholds(out, &observed.calibration, run.settings.threshold)?;
    } else {
        write_slots(out, &figures(material, Chapter::Model))?;
    }

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
    tables::features(out, material)?;
    writeln!(out, "<h2 id=\"counters\">Settings and counters</h2>")?;
    tables::settings(out, material)?;
    tables::counters(out, material, &document)?;
    writeln!(
        out,
        "</main>\n<footer>Made by papertrader {} from {} and what lies beside it. Quote currency is the product's; a basis point \
         (bp) is 0.01 % of the amount bought.</footer>\n</body></html>",
        env!("CARGO_PKG_VERSION"),
        escaped(&material.csv.file_name().unwrap_or_default().to_string_lossy())
    )
}
