//! The report as a page that needs nothing else: tables and a reliability diagram for each model.

use super::terminal;
use crate::report::html::escaped;
use crate::research::evaluation::{BinReport, ContestantReport};
use crate::research::report::Report;
use std::fmt::{self, Write};

/// Side of a diagram's square, in pixels.
const SIDE: f64 = 260.0;
/// Room around it for the numbers.
const MARGIN: f64 = 34.0;

/// The whole page.
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    write(&mut out, report).expect("a String takes every character");
    out
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    let title = escaped(&report.title);
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n<style>\n\
         body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }}\n\
         pre {{ background: #f6f6f4; padding: 1rem; overflow-x: auto; }}\n\
         figure {{ display: inline-block; margin: 0 2rem 1rem 0; }}\n\
         figcaption {{ font-weight: 600; }}\n\
         .warning {{ border-left: 4px solid #c60; padding-left: .7rem; }}\n\
         </style></head><body>\n<h1>{title}</h1>"
    )?;
    for warning in &report.warnings {
        writeln!(out, "<p class=\"warning\">{}</p>", escaped(warning))?;
    }
    writeln!(
        out,
        "<h2>Reliability</h2>\n<p>Share of up against mean probability, by tenths of probability. Filled: rows as \
         the ties rule counts them; hollow: all rows, ties included. The area of a mark goes with its rows.</p>"
    )?;
    for contestant in report.test.contestants.iter().filter(|contestant| contestant.economics.is_some()) {
        diagram(out, contestant)?;
    }
    writeln!(out, "<h2>Figures</h2>\n<pre>{}</pre>\n</body></html>", escaped(&terminal(report)))
}

fn diagram(out: &mut String, contestant: &ContestantReport) -> fmt::Result {
    let size = SIDE + 2.0 * MARGIN;
    let (x, y) = (|share: f64| MARGIN + SIDE * share, |share: f64| MARGIN + SIDE * (1.0 - share));
    writeln!(
        out,
        "<figure><figcaption>{}</figcaption><svg width=\"{size}\" height=\"{size}\" role=\"img\" \
         aria-label=\"reliability diagram\" font-size=\"11\">",
        escaped(&contestant.name)
    )?;
    writeln!(
        out,
        "<rect x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" stroke=\"#999\"/>\
         <line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"#999\" stroke-dasharray=\"4 3\"/>",
        x(0.0),
        y(0.0),
        x(1.0),
        y(1.0)
    )?;
    for tick in [0.0, 0.5, 1.0] {
        writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{tick}</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{tick}</text>",
            x(tick),
            MARGIN + SIDE + 14.0,
            MARGIN - 6.0,
            y(tick) + 4.0
        )?;
    }
    let most = contestant.reliability.iter().fold(1.0_f64, |most, bin| most.max(bin.all_rows));
    let mut mark = |bin: &BinReport, up: Option<f64>, rows: f64, style: &str| -> fmt::Result {
        let (Some(p), Some(up)) = (bin.mean_probability, up) else { return Ok(()) };
        let radius = 2.0 + 10.0 * (rows / most).sqrt();
        writeln!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\" {style}/>", x(p), y(up))
    };
    for bin in &contestant.reliability {
        mark(bin, bin.all_up, bin.all_rows, "fill=\"none\" stroke=\"#2266aa\"")?;
        mark(bin, bin.up, bin.rows, "fill=\"#2266aa\" fill-opacity=\"0.75\"")?;
    }
    writeln!(out, "</svg></figure>")
}
