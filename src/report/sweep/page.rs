//! The page.

use super::numbers::{Finding, SweepReport};
use super::tables;
use crate::report::figures::sweep::{GAIN, LOSS, deepest_bps, maps, over_time, statistics};
use crate::report::html::head::{foot, head, remarks};
use crate::report::html::slots::write_slots;
use crate::report::html::tables::tile;
use crate::report::html::{Document, Shown, escaped};
use crate::report::text::{basis_points, counted};
use std::fmt::{self, Write};

/// The whole page.
pub fn page(report: &SweepReport) -> String {
    let mut out = String::new();
    write(&mut out, report).expect("a String takes every character");
    out
}

fn write(out: &mut String, report: &SweepReport) -> fmt::Result {
    let document = Document::of(report);
    let chapters = [
        ("maps", "Maps"),
        ("stability", "Stability"),
        ("best", "Best settings"),
        ("statistics", "Luck"),
        ("data", "Captures"),
    ];
    let title = format!("Sweep {}", report.name);
    let counts = &report.counts;
    let below = format!(
        "{} · {} · {}",
        report.product,
        counted(counts.settings as u64, "setting"),
        counted(counts.captures as u64, "capture")
    );
    head(out, &title, &title, Some(&below), &chapters)?;
    remarks(out, &report.warnings)?;
    verdict(out, report, &document)?;
    writeln!(out, "<h2 id=\"maps\">Maps</h2>")?;
    if let Some(deepest) = deepest_bps(report) {
        writeln!(
            out,
            "<p class=\"note\">Net profit per trade in basis points, all captures together, by threshold and lag. – : no trades. Framed: the \
             best by Sharpe ratio.</p>\n<p class=\"legend\"><span><i style=\"background:var({})\"></i>earns, the deeper the more, up to {} \
             bp either way</span><span><i style=\"background:var({})\"></i>loses</span></p>",
            GAIN.variable(),
            basis_points(deepest),
            LOSS.variable()
        )?;
    }
    if report.maps_left_out > 0 {
        writeln!(
            out,
            "<p class=\"note\">Those with the best settings; {} more are in the sweep’s table.</p>",
            document.span("maps_left_out", Shown::Count)
        )?;
    }
    write_slots(out, &maps(report))?;
    writeln!(out, "<h2 id=\"stability\">Stability</h2>")?;
    if let Some(correlation) = document
        .get("over_time.rank_correlation")
        .map(|_| document.span("over_time.rank_correlation", Shown::Signed(2)))
    {
        writeln!(
            out,
            "<p class=\"note\">Rank correlation of the settings’ Sharpe ratios in the first and in the second half of the time: \
             {correlation}. At 1 both halves put the settings in one order, at 0 the first says nothing of the second.</p>"
        )?;
    }
    write_slots(out, &over_time(report))?;
    writeln!(out, "<h2 id=\"best\">Best settings</h2>")?;
    tables::best(out, report, &document)?;
    writeln!(out, "<h2 id=\"statistics\">Luck</h2>")?;
    write_slots(out, &statistics(report))?;
    tables::statistics(out, report, &document)?;
    writeln!(out, "<h2 id=\"data\">Captures</h2>")?;
    tables::captures(out, report, &document)?;
    foot(
        out,
        ". Net profits are after the fees that were given; a basis point (bp) is 0.01 % of the amount bought. A slice’s Sharpe ratio is the mean of its net return over its standard deviation, not annualised",
    )
}

fn verdict(out: &mut String, report: &SweepReport, document: &Document) -> fmt::Result {
    let is_doubtful = report.verdict.in_sample.is_some();
    let finding = match report.verdict.finding {
        Finding::Survives if !is_doubtful => "gain",
        Finding::Survives | Finding::Open => "gain_in_doubt",
        Finding::BeforeFeesOnly => "gain_before_fees_only",
        Finding::Loss | Finding::Luck => "loss",
        Finding::NoCaptures | Finding::NoTrades | Finding::TooLittle => "none",
    };
    writeln!(out, "<section id=\"verdict\" data-finding=\"{finding}\">")?;
    let leading = report.verdict.in_sample.iter().chain(report.verdict.sentences.first());
    leading.into_iter().try_for_each(|text| writeln!(out, "<p class=\"finding\">{}</p>", escaped(text)))?;
    report.verdict.sentences.iter().skip(1).try_for_each(|text| writeln!(out, "<p>{}</p>", escaped(text)))?;
    writeln!(out, "<dl class=\"tiles\">")?;
    let span = |path: &str, shown| document.span(path, shown);
    let traded = format!("{} of them with trades", span("counts.settings_traded", Shown::Count));
    let worth = report
        .deflated
        .as_ref()
        .map(|_| format!("; worth {} independent trials", span("deflated.effective_trials", Shown::Fixed(1))));
    let beside = format!("{traded}{}", worth.unwrap_or_default());
    tile(out, "settings tried", &span("counts.settings", Shown::Count), &beside)?;
    let broken = match report.counts.captures_broken {
        0 => String::new(),
        _ => format!("; {} more broken", span("counts.captures_broken", Shown::Count)),
    };
    let slices = format!("{} slices of time{broken}", span("counts.slices", Shown::Count));
    tile(out, "captures", &span("counts.captures", Shown::Count), &slices)?;
    if report.best().is_some() {
        let interval = document.interval("top.0.net_bps_interval", Shown::SignedBasisPoints);
        let below = interval.map_or_else(|| "no interval".into(), |ends| format!("95%: {ends}"));
        tile(out, "best setting, net bp per trade", &span("top.0.net_bps", Shown::SignedBasisPoints), &below)?;
        let gross = format!("{} bp before fees", span("top.0.gross_bps", Shown::SignedBasisPoints));
        tile(out, "best setting, trades", &span("top.0.trades", Shown::Count), &gross)?;
    }
    if report.deflated.is_some() {
        let alone = format!(
            "{} if it were the only setting; {} if all were independent",
            span("deflated.probability_alone", Shown::Fixed(3)),
            span("deflated.probability_all", Shown::Fixed(3))
        );
        tile(out, "deflated Sharpe ratio", &span("deflated.probability", Shown::Fixed(3)), &alone)?;
    }
    if report.reality_check.is_some() {
        let white = format!("White’s {}", span("reality_check.white", Shown::Fixed(4)));
        tile(out, "reality check, p", &span("reality_check.spa.consistent", Shown::Fixed(4)), &white)?;
    }
    if report.cross_validation.is_some() {
        let loss = format!("out of sample a loss: {}", span("cross_validation.loss_probability", Shown::Fixed(3)));
        tile(out, "backtest overfitting, probability", &span("cross_validation.probability", Shown::Fixed(3)), &loss)?;
    }
    writeln!(out, "</dl>\n</section>")
}
