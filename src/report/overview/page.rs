//! The page that compares strategies.

use super::Overview;
use crate::report::chart::axis::extent;
use crate::report::chart::{Axis, Figure, Ink, Mark, Panel, Slot};
use crate::report::html::head::{foot, head, remarks};
use crate::report::html::slots::write_slots;
use crate::report::html::tables::{close, open, row, words};
use crate::report::html::{Document, Shown, escaped};
use crate::statistics::bootstrap::Interval;
use std::fmt::{self, Write};

/// Strategies that a picture holds; the table has all.
const DRAWN_MAX: usize = 40;

pub fn page(overview: &Overview) -> String {
    let mut out = String::new();
    write(&mut out, overview).expect("a String takes every character");
    out
}

fn write(out: &mut String, overview: &Overview) -> fmt::Result {
    let document = Document::of(overview);
    let below = format!("{} · {} strategies on one book", overview.product, overview.tried);
    head(out, &overview.title, &overview.title, Some(&below), &[])?;
    remarks(out, &overview.remarks())?;
    writeln!(out, "<section id=\"verdict\">")?;
    for sentence in overview.verdict() {
        writeln!(out, "<p>{}</p>", escaped(&sentence))?;
    }
    writeln!(out, "</section>\n<h2>Net profit per trade</h2>")?;
    write_slots(out, &[intervals(overview)])?;
    writeln!(out, "<h2>Strategies</h2>")?;
    table(out, overview, &document)?;
    foot(out, ". Quote currency is the product's; a basis point (bp) is 0.01 % of the amount bought")
}

/// Each strategy's mean with its interval, the best on top.
fn intervals(overview: &Overview) -> Slot {
    let title = "Net profit per trade and its 95\u{a0}% interval";
    let drawn: Vec<_> = overview.strategies.iter().filter(|row| row.verdict_bps.is_some()).take(DRAWN_MAX).collect();
    if drawn.is_empty() {
        return Slot::missing(title, "No strategy has a closed trade.");
    }
    let left_out = overview.tried - drawn.len();
    // Names begin below.
    let drawn: Vec<_> = drawn.into_iter().rev().collect();
    let names: Vec<String> = drawn.iter().map(|row| row.name.clone()).collect();
    let lines: Vec<(f64, Option<Interval>)> =
        drawn.iter().map(|row| (row.verdict_bps.unwrap_or_default(), row.verdict_interval)).collect();
    let height = 110 + 28 * drawn.len() as u32;
    let figure = Figure::whole("fig-overview", title, height, move |size| {
        let ends = lines.iter().flat_map(|&(mean, interval)| {
            let Interval { low, high } = interval.unwrap_or(Interval { low: mean, high: mean });
            [mean, low, high]
        });
        let count = lines.len() as f64;
        let mut marks = vec![Mark::Rule((0.0, -0.5), (0.0, count - 0.5), Ink::Muted)];
        for (row, &(mean, interval)) in lines.iter().enumerate() {
            let row = row as f64;
            let ink = match interval {
                Some(Interval { low, .. }) if low > 0.0 => Ink::Up,
                Some(Interval { high, .. }) if high < 0.0 => Ink::Down,
                _ => Ink::Tied,
            };
            if let Some(Interval { low, high }) = interval {
                marks.push(Mark::Line(vec![(low, row), (high, row)], ink, 2.5));
            }
            marks.push(Mark::Discs(vec![(mean, row, 4.5)], ink, 1.0));
        }
        vec![Panel {
            x: Axis::linear("basis points of what was bought", extent(ends.chain([0.0])), size.x_labels()),
            y: Axis::names("", names.clone()),
            weight: 1.0,
            marks,
        }]
    });
    let more = match left_out {
        0 => String::new(),
        left_out => format!(" {left_out} more are in the table."),
    };
    let caption = format!(
        "At the fee of the verdict: the strategy's own, but no less than the lowest that a venue publishes. A disc alone has no \
         interval: its trades are too few.{more}"
    );
    figure
        .legend(Ink::Up, "interval above zero")
        .legend(Ink::Tied, "holds zero, or unknown")
        .legend(Ink::Down, "below zero")
        .caption(caption)
        .slot()
}

fn table(out: &mut String, overview: &Overview, document: &Document) -> fmt::Result {
    let headings = [
        "strategy",
        "rank",
        "net per trade, bp",
        "95 % interval",
        "fee of the verdict, bp",
        "closed trades",
        "gross per trade, bp",
        "break-even fee, bp per side",
        "gross profit, quote",
        "win rate before fees",
        "open positions",
        "threshold",
        "holding time, updates",
        "model",
        "executions",
    ];
    open(out, "table-strategies", &headings)?;
    for (index, strategy) in overview.strategies.iter().enumerate() {
        let cell = |field: &str, shown| document.cell(&format!("strategies.{index}.{field}"), shown, "");
        let interval = document
            .interval(&format!("strategies.{index}.verdict_interval"), Shown::SignedBasisPoints)
            .unwrap_or_else(|| "none".into());
        let executions = match strategy.executions.is_empty() {
            true => "original".to_owned(),
            false => format!("original, {}", strategy.executions.join(", ")),
        };
        let cells = [
            cell("rank", Shown::Count),
            cell("verdict_bps", Shown::SignedBasisPoints),
            format!("<td class=\"n\">{interval}</td>"),
            cell("verdict_fee_bps", Shown::Plain),
            cell("trades", Shown::Count),
            cell("gross_bps", Shown::SignedBasisPoints),
            cell("break_even_fee_bps", Shown::BasisPoints),
            cell("gross_profit", Shown::Profit),
            cell("win_rate", Shown::Percent(1)),
            cell("open_positions", Shown::Count),
            cell("threshold", Shown::Plain),
            cell("lag_updates", Shown::Count),
            words(&strategy.model),
            words(&executions),
        ];
        row(out, &strategy.name, cells)?;
    }
    close(out)?;
    let pages = overview.strategies.iter().filter_map(|row| Some((row.page.as_ref()?, &row.name)));
    let links: Vec<String> =
        pages.map(|(page, name)| format!("<a href=\"{}\">{}</a>", escaped(page), escaped(name))).collect();
    if !links.is_empty() {
        writeln!(out, "<p class=\"note\">A page each: {}.</p>", links.join(", "))?;
    }
    writeln!(
        out,
        "<p class=\"note\">{} strategies in this session; what was tried before is not counted.</p>",
        document.span("tried", Shown::Count)
    )
}
