//! The tables of the page.

use super::numbers::SweepReport;
use crate::report::html::tables::{close, folded, open, row, words};
use crate::report::html::{Document, Shown};
use std::fmt;

/// Longer tables are folded.
const UNFOLDED_MAX: usize = 40;

/// The best settings.
pub fn best(out: &mut String, report: &SweepReport, document: &Document) -> fmt::Result {
    let headings = [
        "setting",
        "execution",
        "threshold",
        "lag",
        "trades",
        "net bp per trade",
        "net profit",
        "Sharpe ratio",
        "rank, 1st half",
        "2nd half",
        "worst capture",
    ];
    open(out, "table-best", &headings)?;
    for (at, setting) in report.top.iter().enumerate() {
        let path = |field: &str| format!("top.{at}.{field}");
        let cell = |field: &str, shown| document.cell(&path(field), shown, "");
        let interval = document.interval(&path("net_bps_interval"), Shown::SignedBasisPoints);
        let below = interval.map(|ends| format!("<small>{ends}</small>")).unwrap_or_default();
        let net = format!("<td class=\"n\">{}{below}</td>", document.span(&path("net_bps"), Shown::SignedBasisPoints));
        row(
            out,
            &format!("{}  {}", at + 1, setting.name.model),
            [
                words_short(&setting.name.execution),
                cell("threshold", Shown::Plain),
                cell("lag_updates", Shown::Count),
                cell("trades", Shown::Count),
                net,
                cell("net_profit", Shown::Profit),
                cell("sharpe", Shown::Signed(3)),
                cell("rank_first_half", Shown::Plain),
                cell("rank_second_half", Shown::Plain),
                cell("rank_worst", Shown::Plain),
            ],
        )?;
    }
    close(out)
}

fn words_short(text: &str) -> String {
    format!("<td class=\"n\">{}</td>", crate::report::html::escaped(text))
}

/// What the verdict stands on.
pub fn statistics(out: &mut String, report: &SweepReport, document: &Document) -> fmt::Result {
    open::<&str>(out, "table-statistics", &[])?;
    let mut line = |name: &str, path: &str, shown: Shown, meaning: &str| {
        row(out, name, [document.cell(path, shown, ""), words(meaning)])
    };
    line("settings tried", "counts.settings", Shown::Count, "Every point of the grid. More settings, more luck.")?;
    if report.deflated.is_some() {
        line("with trades", "deflated.trials", Shown::Count, "Those with a Sharpe ratio.")?;
        line(
            "mean correlation",
            "deflated.mean_correlation",
            Shown::Signed(3),
            "Of all pairs of them, slice by slice.",
        )?;
        line(
            "effective trials",
            "deflated.effective_trials",
            Shown::Fixed(1),
            "ρ + (1 − ρ) N by the mean correlation ρ: what so many settings that trade alike are worth in independent ones.",
        )?;
        line(
            "best Sharpe ratio",
            "deflated.sharpe",
            Shown::Signed(4),
            "Of a slice: mean of the net return over its standard deviation.",
        )?;
        line(
            "skewness",
            "deflated.moments.skewness",
            Shown::Signed(2),
            "Of its slices. Rare large losses make it negative, and a Sharpe ratio less sure.",
        )?;
        line("kurtosis", "deflated.moments.kurtosis", Shown::Fixed(2), "Of its slices; 3 for a normal distribution.")?;
        line(
            "expected by luck",
            "deflated.expected_maximum",
            Shown::Fixed(4),
            "The greatest Sharpe ratio of as many effective trials without skill, by the spread between the settings, as far as chance makes it.",
        )?;
        line(
            "deflated Sharpe ratio",
            "deflated.probability",
            Shown::Fixed(4),
            "The probability that the best is truly beyond that (Bailey and López de Prado 2014). More than luck from 0.95 on.",
        )?;
        line(
            "as independent trials",
            "deflated.probability_all",
            Shown::Fixed(4),
            "The same if every setting counted in full.",
        )?;
        line(
            "by the whole spread",
            "deflated.probability_unbounded",
            Shown::Fixed(4),
            "The paper’s own: what the settings truly differ by counts as luck too. Low where fees or thresholds set them far apart.",
        )?;
        line(
            "as the only setting",
            "deflated.probability_alone",
            Shown::Fixed(4),
            "The same if nothing else had been tried: what a report of the best alone would claim.",
        )?;
    }
    if report.cross_validation.is_some() {
        line(
            "backtest overfitting",
            "cross_validation.probability",
            Shown::Fixed(4),
            "The probability that the best on one half of the time is below the median on the other (Bailey and others 2016). 0.5 is a blind choice.",
        )?;
        line(
            "loss out of sample",
            "cross_validation.loss_probability",
            Shown::Fixed(4),
            "The share of splits in which it loses money there.",
        )?;
        line("splits", "cross_validation.splits", Shown::Count, "Ways to put half of the blocks of time in sample.")?;
        line("blocks", "cross_validation.blocks", Shown::Count, "Successive stretches of time of equal length.")?;
    }
    if report.reality_check.is_some() {
        line(
            "reality check, Hansen",
            "reality_check.spa.consistent",
            Shown::Fixed(4),
            "How often the best of as many settings does as well when each earns nothing on average (Hansen 2005, consistent). More than luck up to 0.05.",
        )?;
        line("its bounds: lower", "reality_check.spa.lower", Shown::Fixed(4), "With every loss taken as true.")?;
        line("upper", "reality_check.spa.upper", Shown::Fixed(4), "With every setting at 0.")?;
        line(
            "reality check, White",
            "reality_check.white",
            Shown::Fixed(4),
            "The same by the mean alone (White 2000): settings with much spread weigh more.",
        )?;
        line("resamples", "reality_check.replicates", Shown::Count, "Stationary bootstrap, all settings at once.")?;
        line(
            "mean block",
            "reality_check.block_slices",
            Shown::Fixed(1),
            "Successive slices that are drawn together.",
        )?;
    }
    line(
        "slices",
        "counts.slices",
        Shown::Count,
        "Equal stretches of each capture’s time; slices without trades count as 0.",
    )?;
    close(out)
}

/// Captures, and how the best setting did on each.
pub fn captures(out: &mut String, report: &SweepReport, document: &Document) -> fmt::Result {
    let table = |out: &mut String| {
        let headings = [
            "capture",
            "in sample",
            "trades",
            "of the best",
            "its net bp",
            "its rank",
            "best here, net bp",
            "rank correlation",
        ];
        open(out, "table-captures", &headings)?;
        for (at, capture) in report.captures.iter().enumerate() {
            let cell = |field: &str, shown| document.cell(&format!("captures.{at}.{field}"), shown, "");
            row(
                out,
                &format!("{}  {}", at + 1, capture.path),
                [
                    words_short(capture.in_sample.name()),
                    cell("trades", Shown::Count),
                    cell("best_trades", Shown::Count),
                    cell("best_net_bps", Shown::SignedBasisPoints),
                    cell("best_rank", Shown::Plain),
                    cell("winner_net_bps", Shown::SignedBasisPoints),
                    cell("rank_correlation", Shown::Signed(2)),
                ],
            )?;
        }
        close(out)
    };
    let count = report.captures.len();
    if count > UNFOLDED_MAX { folded(out, &format!("All {count} captures"), table) } else { table(out) }
}
