//! Several runs side by side.

use super::sentences::{break_even, finding};
use crate::report::figures::compare::figures;
use crate::report::html::document::{Document, Shown};
use crate::report::html::escape::escaped;
use crate::report::html::head::{foot, head, remarks};
use crate::report::html::slots::write_slots;
use crate::report::html::tables::{close, open, row};
use crate::report::material::Material;
use std::fmt::{self, Write};

/// A table: its name, and its rows by path; the path of an interval has `low` and `high` below it.
type Rows = &'static [(&'static str, &'static str, Shown)];

const PROFIT: Rows = &[
    ("closed trades", "trades.trades", Shown::Count),
    ("break-even fee, bp per side", "trades.break_even_fee_bps", Shown::BasisPoints),
    ("win rate before fees", "trades.win_rate", Shown::Percent(1)),
    ("losers before fees", "trades.losers", Shown::Count),
    ("bought, quote", "trades.bought", Shown::Money),
    ("gross profit, quote", "trades.gross_profit", Shown::Profit),
    ("gross profit per trade, bp", "trades.gross_bps", Shown::SignedBasisPoints),
    ("… 95 % interval", "trades.interval.gross_bps", Shown::SignedBasisPoints),
    ("fee, bp per side", "trades.fee_bps", Shown::Plain),
    ("net profit per trade, bp", "trades.net_bps", Shown::SignedBasisPoints),
    ("… 95 % interval", "trades.interval.net_bps", Shown::SignedBasisPoints),
    ("fee of the verdict, bp per side", "trades.verdict_fee_bps", Shown::Plain),
    ("net profit per trade at it, bp", "trades.verdict_bps", Shown::SignedBasisPoints),
    ("… 95 % interval", "trades.interval.verdict_bps", Shown::SignedBasisPoints),
    ("held across a gap, trades", "trades.held_across_gaps.trades", Shown::Count),
    ("… gross profit without them, quote", "trades.held_across_gaps.others_gross_profit", Shown::Profit),
    ("took the same liquidity again, trades", "trades.took_again", Shown::Count),
    ("bought less than a lot, trades", "trades.below_lot", Shown::Count),
    ("deepest drawdown, gross, quote", "trades.drawdown_max", Shown::Money),
    ("profit per trade, median, bp", "trades.profit_bps.p50", Shown::SignedBasisPoints),
    ("held, median, s", "trades.held_s.p50", Shown::Fixed(3)),
    ("open positions", "counters.trading.open_positions", Shown::Count),
];

const MODEL: Rows = &[
    ("threshold", "settings.threshold", Shown::Plain),
    ("holding time, updates", "settings.lag_updates", Shown::Count),
    ("horizon, updates", "settings.horizon_updates", Shown::Count),
    ("evaluations", "observed.calibration.evaluations", Shown::Count),
    ("… after which the mid rose", "observed.calibration.outcomes.up", Shown::Count),
    ("… fell", "observed.calibration.outcomes.down", Shown::Count),
    ("… stayed", "observed.calibration.outcomes.tied", Shown::Count),
    ("… is unknown", "observed.calibration.outcomes.unknown", Shown::Count),
    ("AUC", "observed.calibration.score.auc", Shown::Fixed(4)),
    ("… 95 % interval", "observed.calibration.intervals.auc", Shown::Fixed(4)),
    ("AUC of imbalance_1 alone", "observed.calibration.score.imbalance_1_auc", Shown::Fixed(4)),
    ("… 95 % interval", "observed.calibration.intervals.imbalance_1_auc", Shown::Fixed(4)),
    ("… of the difference", "observed.calibration.intervals.difference", Shown::Fixed(4)),
    ("share of ties, left out", "observed.calibration.score.tied_share", Shown::Percent(1)),
    ("log-loss", "observed.calibration.score.log_loss", Shown::Fixed(4)),
    ("Brier score", "observed.calibration.score.brier", Shown::Fixed(4)),
    ("accuracy at one half", "observed.calibration.score.accuracy", Shown::Fixed(4)),
    ("expected calibration error", "observed.calibration.score.ece", Shown::Fixed(4)),
    ("share of rises", "observed.calibration.score.base_rate", Shown::Fixed(4)),
];

const LATENCY: Rows = &[
    ("work, medians of the stages added up, ns", "timing.work.p50_ns", Shown::Nanoseconds),
    ("work, 99 % of the stages added up, ns", "timing.work.p99_ns", Shown::Nanoseconds),
    ("received → decided, waiting included, frames", "timing.stages.total.count", Shown::Count),
    ("median, ns", "timing.stages.total.p50_ns", Shown::Nanoseconds),
    ("99 %, ns", "timing.stages.total.p99_ns", Shown::Nanoseconds),
    ("99.9 %, ns", "timing.stages.total.p99_9_ns", Shown::Nanoseconds),
    ("greatest, ns", "timing.stages.total.max_ns", Shown::Nanoseconds),
    ("arrived → decided, frames", "timing.stages.arrival.count", Shown::Count),
    ("median, ns", "timing.stages.arrival.p50_ns", Shown::Nanoseconds),
    ("99 %, ns", "timing.stages.arrival.p99_ns", Shown::Nanoseconds),
    ("99.9 %, ns", "timing.stages.arrival.p99_9_ns", Shown::Nanoseconds),
    ("greatest, ns", "timing.stages.arrival.max_ns", Shown::Nanoseconds),
    ("frames a second", "timing.frames_per_s", Shown::Count),
];

const COUNTERS: Rows = &[
    ("messages", "counters.feed.messages", Shown::Count),
    ("frames", "counters.book.frames", Shown::Count),
    ("live frames", "counters.book.frames_live", Shown::Count),
    ("snapshots", "counters.book.snapshots", Shown::Count),
    ("faults of the feed", "counters.feed.faults", Shown::Count),
    ("faults of the book", "counters.book.faults", Shown::Count),
    ("crossed or locked", "counters.book.crossed_or_locked", Shown::Count),
    ("purchases withheld", "counters.trading.purchases_withheld", Shown::Count),
    ("full-ring waits", "timing.full_ring_waits", Shown::Count),
];

/// The page.
pub fn comparison(runs: &[Material]) -> String {
    let mut out = String::new();
    write(&mut out, runs).expect("a String takes every character");
    out
}

fn table(out: &mut String, title: &str, rows: Rows, runs: &[Material], documents: &[Document]) -> fmt::Result {
    writeln!(out, "<h3>{title}</h3>")?;
    let headings: Vec<&str> = [""].into_iter().chain(runs.iter().map(|run| run.name.as_str())).collect();
    open(out, &format!("table-{}", title.to_lowercase()), &headings)?;
    for (name, path, shown) in rows {
        let cell = |(number, document): (usize, &Document)| {
            let run = format!(" data-run=\"{number}\"");
            if path.starts_with("trades.interval.") || path.starts_with("observed.calibration.intervals.") {
                let [low, high] = ["low", "high"].map(|end| document.span_with(&format!("{path}.{end}"), *shown, &run));
                format!("<td class=\"n\">{low} to {high}</td>")
            } else {
                document.cell(path, *shown, &run)
            }
        };
        row(out, name, documents.iter().enumerate().map(cell))?;
    }
    close(out)
}

fn write(out: &mut String, runs: &[Material]) -> fmt::Result {
    let documents: Vec<Document> = runs.iter().map(Document::new).collect();
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    head(out, &names.join(", "), &format!("{} runs side by side", runs.len()), None, &[])?;
    for run in runs {
        let named = run.remarks.iter().map(|remark| format!("{}: {remark}", run.name));
        remarks(out, &named.collect::<Vec<_>>())?;
    }
    writeln!(out, "<section id=\"verdict\">")?;
    for (run, document) in runs.iter().zip(&documents) {
        let source = document.text("run.title").map(|title| format!(" <span class=\"note\">({title})</span>"));
        writeln!(
            out,
            "<p><strong>{}</strong>{}<br>{}{}{}</p>",
            escaped(&run.name),
            source.unwrap_or_default(),
            run.in_sample().map(|sentence| escaped(sentence) + " ").unwrap_or_default(),
            break_even(&run.numbers).map(|sentence| format!("{sentence} ")).unwrap_or_default(),
            finding(&run.numbers)
        )?;
    }
    writeln!(out, "</section>\n<h2>Figures</h2>")?;
    write_slots(out, &figures(runs))?;
    writeln!(out, "<h2>Numbers</h2>")?;
    table(out, "Profit", PROFIT, runs, &documents)?;
    table(out, "Model", MODEL, runs, &documents)?;
    table(out, "Latency", LATENCY, runs, &documents)?;
    table(out, "Counters", COUNTERS, runs, &documents)?;
    foot(out, "")
}
