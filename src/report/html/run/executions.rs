//! The chapter of executions: accounts side by side.

use crate::report::executions::{Account, Ended, ExecutionNumbers, Outcome};
use crate::report::figures::{Chapter, figures};
use crate::report::html::document::{Document, Shown};
use crate::report::html::slots::write_slots;
use crate::report::html::tables::{close, derived, open, row};
use crate::report::material::Material;
use std::fmt::{self, Write};

/// Rows of a table: their names, fields of an account and how these are shown; an interval has `low` and `high` below it.
type Rows = &'static [(&'static str, &'static str, Shown)];

const ACCOUNTS: Rows = &[
    ("legs", "legs", Shown::Count),
    ("… that entered something", "entered_legs", Shown::Count),
    ("… open at the end", "open_legs", Shown::Count),
    ("entries sent", "entries", Shown::Count),
    ("… filled whole", "fill_rate", Shown::Percent(1)),
    ("time to fill, median, s", "time_to_fill_s.p50", Shown::Fixed(3)),
    ("… 90 %, s", "time_to_fill_s.p90", Shown::Fixed(3)),
    ("value entered", "entered_value", Shown::Money),
    ("… exited again", "closed_value", Shown::Money),
    ("gross profit", "gross", Shown::Profit),
    ("fees paid, less rebates", "fees", Shown::Money),
    ("net profit", "net", Shown::Profit),
    ("gross profit, bp of the value exited", "gross_bps", Shown::SignedBasisPoints),
    ("… 95 % interval", "interval.gross_bps", Shown::SignedBasisPoints),
    ("net profit, bp of the value exited", "net_bps", Shown::SignedBasisPoints),
    ("… 95 % interval", "interval.net_bps", Shown::SignedBasisPoints),
    ("turnover as maker, of the value exited", "maker_value", Shown::Money),
    ("… as taker", "taker_value", Shown::Money),
    ("break-even maker fee where takers pay nothing, bp", "break_even_maker_bps", Shown::BasisPoints),
    ("break-even taker fee where makers pay nothing, bp", "break_even_taker_bps", Shown::BasisPoints),
    ("deepest drawdown of the net", "drawdown_max", Shown::Money),
];

const SHORTFALL: Rows = &[
    ("spread", "spread", Shown::SignedBasisPoints),
    ("latency", "latency", Shown::SignedBasisPoints),
    ("walk", "walk", Shown::SignedBasisPoints),
    ("fees", "fees", Shown::SignedBasisPoints),
    ("total", "total", Shown::SignedBasisPoints),
];

const OPEN: Rows = &[
    ("long legs", "open_long.legs", Shown::Count),
    ("… entered for", "open_long.entry_value", Shown::Money),
    ("… worth at the mid", "open_long.mark_mid", Shown::Money),
    ("… worth by walking the book", "open_long.mark_walk", Shown::Money),
    ("short legs", "open_short.legs", Shown::Count),
    ("… entered for", "open_short.entry_value", Shown::Money),
    ("… worth at the mid", "open_short.mark_mid", Shown::Money),
    ("… worth by walking the book", "open_short.mark_walk", Shown::Money),
];

/// Writes it, where the run has such logs.
pub fn write(out: &mut String, material: &Material, document: &Document) -> fmt::Result {
    let Some(numbers) = &material.executions else { return Ok(()) };
    writeln!(out, "<h2 id=\"executions\">Executions</h2>")?;
    if numbers.accounts.is_empty() {
        return writeln!(out, "<p class=\"note\">No account sent an order.</p>");
    }
    let span = |path: &str, shown| document.span(&format!("executions.makers.{path}"), shown);
    if let Some(makers) = numbers.makers {
        let [low, high] = ["net.low", "net.high"].map(|path| span(path, Shown::Profit));
        let bps = makers.net_bps.map(|_| {
            let [low, high] = ["net_bps.low", "net_bps.high"].map(|path| span(path, Shown::SignedBasisPoints));
            format!(", {low} to\u{a0}{high} bp of the value exited")
        });
        let interval = document.interval("executions.makers.net_bps_interval", Shown::SignedBasisPoints);
        let interval = interval.map(|interval| format!("; their 95\u{a0}% intervals span {interval} bp"));
        writeln!(
            out,
            "<p>Makers, by the models of their queue: net {low} to\u{a0}{high}{}{}.</p>",
            bps.unwrap_or_default(),
            interval.unwrap_or_default()
        )?;
    }
    if let Some(tape) = material.run.as_ref().and_then(|run| run.counters.tape.as_ref()) {
        writeln!(out, "<p class=\"note\">Makers saw book and prints {}.</p>", tape.order())?;
        for doubt in tape.doubts() {
            writeln!(out, "<p class=\"remark\">{doubt}</p>")?;
        }
    }
    if let Some(sentence) = numbers.rebates_alone() {
        writeln!(out, "<p class=\"remark\">{sentence}</p>")?;
    }
    write_slots(out, &figures(material, Chapter::Executions))?;
    let headings = headings(numbers);
    writeln!(out, "<h3>Accounts</h3>")?;
    table(out, "table-executions", &headings, ACCOUNTS, numbers, document, "")?;
    writeln!(
        out,
        "<h3>Shortfall</h3>\n<p class=\"note\">Against the mid at the decision, bp of the value filled; below zero it was better \
         than the mid.</p>"
    )?;
    for (name, part) in [("entries", "entries"), ("exits", "exits"), ("both", "all")] {
        let headings: Vec<String> = std::iter::once(name.to_string()).chain(headings[1..].iter().cloned()).collect();
        let (id, path) = (format!("table-shortfall-{part}"), format!("shortfall.{part}.bps."));
        table(out, &id, &headings, SHORTFALL, numbers, document, &path)?;
    }
    let unknown: u64 = numbers.accounts.iter().map(|account| account.shortfall.unknown).sum();
    if unknown > 0 {
        writeln!(out, "<p class=\"note\">Left out: {} fills whose decision's mid is not known.</p>", unknown)?;
    }
    writeln!(out, "<h3>Orders by outcome</h3>")?;
    outcomes(out, &headings, numbers, document)?;
    writeln!(out, "<h3>Markouts</h3>")?;
    markouts(out, &headings, numbers, document)?;
    if numbers.accounts.iter().any(|account| account.open_legs > 0) {
        writeln!(out, "<h3>Open at the end, in no profit</h3>")?;
        table(out, "table-executions-open", &headings, OPEN, numbers, document, "")?;
    }
    Ok(())
}

fn headings(numbers: &ExecutionNumbers) -> Vec<String> {
    let names = numbers.accounts.iter().map(|account| account.account.name().to_string());
    std::iter::once(String::new()).chain(names).collect()
}

/// The path of an account's field.
fn path(account: Account, field: &str) -> String {
    format!("executions.accounts.{}.{field}", account.name())
}

fn table(
    out: &mut String,
    id: &str,
    headings: &[String],
    rows: Rows,
    numbers: &ExecutionNumbers,
    document: &Document,
    below: &str,
) -> fmt::Result {
    open(out, id, headings)?;
    for (name, field, shown) in rows {
        let cells = numbers.accounts.iter().map(|account| {
            let path = path(account.account, &format!("{below}{field}"));
            match field.starts_with("interval.") {
                true => {
                    let interval = document.interval(&path, *shown).unwrap_or_else(|| "–".into());
                    format!("<td class=\"n\">{interval}</td>")
                }
                false => document.cell(&path, *shown, ""),
            }
        });
        row(out, name, cells)?;
    }
    close(out)
}

fn outcomes(out: &mut String, headings: &[String], numbers: &ExecutionNumbers, document: &Document) -> fmt::Result {
    open(out, "table-executions-orders", headings)?;
    let fields = [("sent", "orders.sent"), ("cancelled after a part was filled", "orders.cancelled_in_part")];
    for (name, field) in fields {
        let cells =
            numbers.accounts.iter().map(|account| document.cell(&path(account.account, field), Shown::Count, ""));
        row(out, name, cells)?;
    }
    let mut kinds: Vec<(Outcome, &str)> = Vec::new();
    for ended in numbers.accounts.iter().flat_map(|account| &account.orders.ended) {
        if !kinds.contains(&(ended.outcome, ended.reason)) {
            kinds.push((ended.outcome, ended.reason));
        }
    }
    kinds.sort();
    for (outcome, reason) in kinds {
        let how = format!("{outcome:?}").to_lowercase();
        let same = |ended: &Ended| (ended.outcome, ended.reason) == (outcome, reason);
        let counts = |count: fn(&Ended) -> u64| {
            let ended = numbers.accounts.iter().flat_map(|account| &account.orders.ended);
            ended.filter(|ended| same(ended)).map(count).sum::<u64>()
        };
        for (what, count) in [("entries", counts(|ended| ended.entries)), ("exits", counts(|ended| ended.exits))] {
            if count == 0 {
                continue;
            }
            let cells: Vec<String> = numbers
                .accounts
                .iter()
                .map(|account| match account.orders.ended.iter().position(same) {
                    Some(at) => {
                        let path = path(account.account, &format!("orders.ended.{at}.{what}"));
                        document.cell(&path, Shown::Count, "")
                    }
                    None => derived(Some(0.0), Shown::Count),
                })
                .collect();
            let why = if reason.is_empty() { String::new() } else { format!(", {reason}") };
            row(out, &format!("{what} {how}{why}"), cells)?;
        }
    }
    close(out)
}

fn markouts(out: &mut String, headings: &[String], numbers: &ExecutionNumbers, document: &Document) -> fmt::Result {
    open(out, "table-markouts", headings)?;
    let Some(first) = numbers.accounts.first() else { return close(out) };
    for (at, markout) in first.markouts.iter().enumerate() {
        for what in ["filled", "unfilled"] {
            let cells = numbers.accounts.iter().map(|account| {
                let at = |field: &str| path(account.account, &format!("markouts.{at}.{what}.{field}"));
                let mean = document.span(&at("mean_bps"), Shown::SignedBasisPoints);
                format!("<td class=\"n\">{mean} ({})</td>", document.span(&at("count"), Shown::Count))
            });
            let plural = if markout.updates == 1 { "" } else { "s" };
            row(out, &format!("{what}, {} update{plural} later, bp (entries)", markout.updates), cells)?;
        }
    }
    close(out)
}
