//! The head of a page: what to think of the run, in a few sentences and numbers.

use super::sentences::{break_even, doubts, finding};
use crate::report::chart::axis::fixed;
use crate::report::html::document::{Document, Shown};
use crate::report::html::escape::escaped;
use crate::report::html::tables::tile;
use crate::report::material::Material;
use crate::report::run_file::RunFile;
use crate::report::text::things;
use crate::report::trades::Finding;
use std::fmt::{self, Write};

/// The name of a finding in the page's attributes.
fn name(finding: Finding) -> &'static str {
    match finding {
        Finding::NoTrades => "no_trades",
        Finding::TooFew => "too_few",
        Finding::Gain => "gain",
        Finding::GainInDoubt => "gain_in_doubt",
        Finding::GainBeforeFeesOnly => "gain_before_fees_only",
        Finding::Loss => "loss",
        Finding::Undecided => "undecided",
    }
}

/// Writes it.
pub fn write(out: &mut String, material: &Material, document: &Document) -> fmt::Result {
    let numbers = &material.numbers;
    writeln!(out, "<section id=\"verdict\" data-finding=\"{}\">", name(numbers.finding))?;
    if let Some(sentence) = material.in_sample() {
        writeln!(out, "<p class=\"finding\">{}</p>", escaped(sentence))?;
    }
    let span = |path: &str, shown| document.span(path, shown);
    match break_even(numbers) {
        Some(sentence) => {
            writeln!(out, "<p class=\"finding\">{sentence}</p>")?;
            writeln!(out, "<p>{}</p>", finding(numbers))?;
        }
        None => writeln!(out, "<p class=\"finding\">{}</p>", finding(numbers))?,
    }
    for sentence in doubts(numbers, span) {
        writeln!(out, "<p class=\"remark\">{sentence}</p>")?;
    }
    let observed = material.run.as_ref().and_then(|run| run.observed.as_ref());
    if let Some(drift) = observed.and_then(|observed| observed.drift.as_ref())
        && drift.out_of_depth == Some(true)
    {
        writeln!(out, "<p class=\"remark\">{}</p>", escaped(&drift.sentence()))?;
    }
    tiles(out, material, document)?;
    not_counted(out, material, document)?;
    writeln!(out, "</section>")
}

fn tiles(out: &mut String, material: &Material, document: &Document) -> fmt::Result {
    let numbers = &material.numbers;
    let span = |path: &str, shown| document.span(path, shown);
    let bps = Shown::SignedBasisPoints;
    let interval = |which: &str| {
        let interval = document.interval(&format!("trades.interval.{which}"), bps);
        interval.map_or_else(|| "no interval".into(), |interval| format!("95\u{a0}%: {interval}"))
    };
    let net = |fee: &str| format!("net profit per trade, bp, at {} bp per side", span(fee, Shown::Plain));
    writeln!(out, "<dl class=\"tiles\">")?;
    tile(out, "break-even fee, bp per side", &span("trades.break_even_fee_bps", Shown::BasisPoints), "")?;
    tile(out, "gross profit per trade, bp", &span("trades.gross_bps", bps), &interval("gross_bps"))?;
    tile(out, &net("trades.verdict_fee_bps"), &span("trades.verdict_bps", bps), &interval("verdict_bps"))?;
    if numbers.fee_bps != 0.0 && numbers.fee_bps != numbers.verdict_fee_bps {
        tile(out, &net("trades.fee_bps"), &span("trades.net_bps", bps), &interval("net_bps"))?;
    }
    let of = format!("on {} bought", span("trades.bought", Shown::Money));
    tile(out, "gross profit, quote", &span("trades.gross_profit", Shown::Profit), &of)?;
    tile(out, "closed trades", &span("trades.trades", Shown::Count), "")?;
    let sides = format!(
        "{} {}, {} {} before fees",
        span("trades.winners", Shown::Count),
        things(numbers.winners, "winner"),
        span("trades.losers", Shown::Count),
        things(numbers.losers, "loser")
    );
    tile(out, "win rate", &span("trades.win_rate", Shown::Percent(1)), &sides)?;
    latency(out, material, document)?;
    if material.run.is_some() {
        tile(out, "resyncs", &resyncs(material), "snapshots after the first")?;
    }
    writeln!(out, "</dl>")
}

/// The time to a decision: the work alone where the frames wait for each other.
fn latency(out: &mut String, material: &Material, document: &Document) -> fmt::Result {
    let whole = material.whole();
    let (name, path) = if material.is_queued() {
        ("work per frame, medians of its stages added up".to_owned(), "timing.work".to_owned())
    } else {
        (format!("latency, median, {}", whole.name()), format!("timing.stages.{}", whole.tag()))
    };
    let at = |field: &str| document.span(&format!("{path}.{field}"), Shown::Time);
    tile(out, &name, &at("p50_ns"), &format!("99 %: {}", at("p99_ns")))
}

fn resyncs(material: &Material) -> String {
    let snapshots = material.run.as_ref().map_or(0, |run| run.counters.book.snapshots);
    fixed(snapshots.saturating_sub(1) as f64, 0)
}

/// What is in none of the figures above.
fn not_counted(out: &mut String, material: &Material, document: &Document) -> fmt::Result {
    let Some(run) = &material.run else { return Ok(()) };
    let counts = passed_over(run);
    let named = counts.iter().filter(|(value, ..)| *value > 0);
    let named = named.map(|&(count, path, what, words)| {
        format!("{} {} {words}", document.span(path, Shown::Count), things(count, what))
    });
    let items: Vec<String> = open_positions(run, document).into_iter().chain(named).collect();
    if items.is_empty() {
        return writeln!(out, "<p class=\"note\">Everything was counted.</p>");
    }
    writeln!(out, "<p class=\"note\">Not counted:</p><ul class=\"note\">")?;
    items.iter().try_for_each(|item| writeln!(out, "<li>{item}</li>"))?;
    writeln!(out, "</ul>")
}

fn open_positions(run: &RunFile, document: &Document) -> Option<String> {
    let trading = &run.counters.trading;
    let money = |path: &str| document.span(path, Shown::Money);
    let mark = match trading.open_mark {
        Some(_) => format!("which the book would have paid {} for", money("counters.trading.open_mark")),
        None => "with no live book to mark them".into(),
    };
    (trading.open_positions > 0).then(|| {
        format!(
            "{} open {}, bought for {}, {mark}: not in the profit",
            document.span("counters.trading.open_positions", Shown::Count),
            things(trading.open_positions, "position"),
            money("counters.trading.open_cost")
        )
    })
}

/// Counts of what is in no figure: each with its path, what it counts, and the words behind it.
fn passed_over(run: &RunFile) -> Vec<(u64, &'static str, &'static str, &'static str)> {
    let (trading, book) = (&run.counters.trading, &run.counters.book);
    let mut counts = vec![
        (
            trading.purchases_withheld,
            "counters.trading.purchases_withheld",
            "purchase",
            "withheld, the book being crossed or locked",
        ),
        (
            trading.purchases_without_asks,
            "counters.trading.purchases_without_asks",
            "purchase",
            "for which nobody sold",
        ),
        (
            trading.sold_in_part,
            "counters.trading.sold_in_part",
            "trade",
            "that the book bought back in part only; the rest is written off",
        ),
        (
            trading.none_book_too_thin,
            "counters.trading.none_book_too_thin",
            "live frame",
            "not evaluated: too few levels for the model",
        ),
        (
            trading.none_warming_up,
            "counters.trading.none_warming_up",
            "live frame",
            "not evaluated: too few updates since the snapshot",
        ),
        (
            trading.none_undefined,
            "counters.trading.none_undefined",
            "live frame",
            "not evaluated: an expression among the model's features has no value",
        ),
        (book.frames_empty, "counters.book.frames_empty", "frame", "before any snapshot"),
        (book.frames_syncing, "counters.book.frames_syncing", "frame", "while a snapshot was awaited"),
        (book.frames_invalid, "counters.book.frames_invalid", "frame", "of an invalid book"),
    ];
    if let Some(observed) = &run.observed {
        let calibration = &observed.calibration;
        counts.extend([
            (
                calibration.outcomes.tied,
                "observed.calibration.outcomes.tied",
                "evaluation",
                "after which the mid stayed: in no score of the model",
            ),
            (
                calibration.outcomes.unknown,
                "observed.calibration.outcomes.unknown",
                "evaluation",
                "not scored: the horizon runs past the data or a book reset",
            ),
            (calibration.not_a_number, "observed.calibration.not_a_number", "evaluation", "that gave no number"),
        ]);
    }
    counts
}
