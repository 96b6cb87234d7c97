//! The head of a page: what to think of the run, in a few sentences and numbers.

use crate::report::chart::axis::fixed;
use crate::report::html::document::{Document, Shown};
use crate::report::html::tables::tile;
use crate::report::material::Material;
use crate::report::run_file::RunFile;
use crate::report::trades::{Finding, TRADES_MIN, TradeNumbers};
use crate::statistics::bootstrap::{BLOCKS_MIN, Interval};
use std::fmt::{self, Write};

/// What may be said of the profit, in one or two sentences without markup.
pub fn finding(numbers: &TradeNumbers) -> String {
    let net = numbers.net_bps.unwrap_or_default();
    let fee = match numbers.fee_bps {
        0.0 => "Before fees".to_string(),
        fee => format!("After fees of {fee} bp per side"),
    };
    let bps = |value: f64| format!("{} bp", Shown::Signed(3).text(value));
    let interval = |Interval { low, high }: Interval| format!("{} to {}", Shown::Signed(3).text(low), bps(high));
    let sure = numbers.interval.and_then(|interval| interval.net_bps).map(interval).unwrap_or_default();
    let mean = format!("{} made {}", if numbers.trades == 1 { "it" } else { "the mean trade" }, bps(net));
    match numbers.finding {
        Finding::NoTrades => "No trade was closed.".into(),
        Finding::TooFew => {
            let Some(interval) = numbers.interval else {
                return format!(
                    "A gain or a loss cannot be told from chance: the trades have no receive times that go forward. {fee} {mean}."
                );
            };
            let trades = fixed(numbers.trades as f64, 0);
            let plural = if numbers.trades == 1 { "" } else { "s" };
            let block_s = fixed(interval.settings.block_s, 0);
            let blocks = match interval.blocks {
                0 => format!("less than one block of {block_s} s"),
                1 => format!("1 whole block of {block_s} s"),
                more => format!("{more} whole blocks of {block_s} s"),
            };
            format!(
                "Not enough trades to tell: {trades} trade{plural} in {blocks}, where at least {TRADES_MIN} trades and \
                 {BLOCKS_MIN} blocks are needed. {fee} {mean}."
            )
        }
        Finding::Gain => format!("{fee} a gain: {mean}; the 95\u{a0}% interval of the mean, {sure}, lies above zero."),
        Finding::Loss => format!("{fee} a loss: {mean}; the 95\u{a0}% interval of the mean, {sure}, lies below zero."),
        Finding::Undecided => {
            format!(
                "{fee} neither a gain nor a loss can be told: {mean}; the 95\u{a0}% interval of the mean, {sure}, holds zero."
            )
        }
    }
}

/// What fee the run would bear.
pub fn fee_sentence(numbers: &TradeNumbers) -> Option<String> {
    let fee = numbers.break_even_fee_bps?;
    Some(if fee > 0.0 {
        format!("A fee of {} bp per side would leave nothing of it.", fixed(fee, 3))
    } else {
        "It lost before any fee.".into()
    })
}

/// The name of a finding in the page's attributes.
fn name(finding: Finding) -> &'static str {
    match finding {
        Finding::NoTrades => "no_trades",
        Finding::TooFew => "too_few",
        Finding::Gain => "gain",
        Finding::Loss => "loss",
        Finding::Undecided => "undecided",
    }
}

/// Writes it.
pub fn write(out: &mut String, material: &Material, document: &Document) -> fmt::Result {
    let numbers = &material.numbers;
    writeln!(out, "<section id=\"verdict\" data-finding=\"{}\">", name(numbers.finding))?;
    writeln!(out, "<p class=\"finding\">{}</p>", finding(numbers))?;
    if let Some(sentence) = fee_sentence(numbers) {
        writeln!(out, "<p>{sentence}</p>")?;
    }
    writeln!(out, "<dl class=\"tiles\">")?;
    let interval = |which: &str| {
        let interval = document.interval(&format!("trades.interval.{which}"), Shown::Signed(3));
        interval.map_or_else(|| "no interval".into(), |interval| format!("95\u{a0}%: {interval}"))
    };
    let span = |path: &str, shown| document.span(path, shown);
    tile(out, "closed trades", &span("trades.trades", Shown::Count), "")?;
    let winners = format!("{} winners before fees", span("trades.winners", Shown::Count));
    tile(out, "win rate", &span("trades.win_rate", Shown::Percent(1)), &winners)?;
    tile(out, "gross profit per trade, bp", &span("trades.gross_bps", Shown::Signed(3)), &interval("gross_bps"))?;
    let net = format!("net profit per trade, bp, at {} bp per side", span("trades.fee_bps", Shown::Plain));
    tile(out, &net, &span("trades.net_bps", Shown::Signed(3)), &interval("net_bps"))?;
    tile(out, "break-even fee, bp per side", &span("trades.break_even_fee_bps", Shown::Fixed(3)), "")?;
    let of = format!("on {} bought", span("trades.bought", Shown::Money));
    tile(out, "gross profit, quote", &span("trades.gross_profit", Shown::Profit), &of)?;
    let whole = material.whole();
    let latency = |field: &str| span(&format!("timing.stages.{}.{field}", whole.tag()), Shown::Time);
    let p99 = format!("99 %: {}", latency("p99_ns"));
    tile(out, &format!("latency, median, {}", whole.name()), &latency("p50_ns"), &p99)?;
    if material.run.is_some() {
        tile(out, "resyncs", &resyncs(material), "snapshots after the first")?;
    }
    writeln!(out, "</dl>")?;
    not_counted(out, material, document)?;
    writeln!(out, "</section>")
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
    let named = named.map(|(_, path, words)| format!("{} {words}", document.span(path, Shown::Count)));
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
            "{} open positions, bought for {}, {mark}: not in the profit",
            document.span("counters.trading.open_positions", Shown::Count),
            money("counters.trading.open_cost")
        )
    })
}

/// Counts of what is in no figure: each with its path, and with the words behind it.
fn passed_over(run: &RunFile) -> Vec<(u64, &'static str, &'static str)> {
    let (trading, book) = (&run.counters.trading, &run.counters.book);
    let mut counts = vec![
        (
            trading.purchases_withheld,
            "counters.trading.purchases_withheld",
            "purchases withheld, the book being crossed or locked",
        ),
        (trading.purchases_without_asks, "counters.trading.purchases_without_asks", "purchases for which nobody sold"),
        (
            trading.sold_in_part,
            "counters.trading.sold_in_part",
            "trades that the book bought back in part only; the rest is written off",
        ),
        (
            trading.none_book_too_thin,
            "counters.trading.none_book_too_thin",
            "live frames not evaluated: too few levels for the model",
        ),
        (
            trading.none_warming_up,
            "counters.trading.none_warming_up",
            "live frames not evaluated: too few updates since the snapshot",
        ),
        (book.frames_empty, "counters.book.frames_empty", "frames before any snapshot"),
        (book.frames_syncing, "counters.book.frames_syncing", "frames while a snapshot was awaited"),
        (book.frames_invalid, "counters.book.frames_invalid", "frames of an invalid book"),
    ];
    if let Some(observed) = &run.observed {
        let calibration = &observed.calibration;
        counts.extend([
            (
                calibration.outcomes.tied,
                "observed.calibration.outcomes.tied",
                "evaluations after which the mid stayed: in no score of the model",
            ),
            (
                calibration.outcomes.unknown,
                "observed.calibration.outcomes.unknown",
                "evaluations whose outcome nobody knows: the horizon reaches over the end of a book",
            ),
            (calibration.not_a_number, "observed.calibration.not_a_number", "evaluations that gave no number"),
        ]);
    }
    counts
}
