//! The report as a page that needs nothing else: tables, and a reliability diagram for each model.

use super::{importance, tables};
use crate::report::chart::{Ink, Slot};
use crate::report::figures::reliability::{Counted, Diagram, Tenth};
use crate::report::html::head::{foot, head, remarks};
use crate::report::html::slots::write_slots;
use crate::report::html::tables::tile;
use crate::report::html::{Document, Shown, escaped};
use crate::report::text::{plain, things};
use crate::research::evaluation::{BinReport, ContestantReport};
use crate::research::report::Report;
use crate::research::validation_report::ValidationReport;
use crate::statistics::metrics::Metric;
use std::fmt::{self, Write};

/// The whole page.
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    write(&mut out, report).expect("a String takes every character");
    out
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    let document = Document::of(report);
    let mut chapters = vec![("metrics", "Metrics"), ("reliability", "Reliability"), ("economics", "Economics")];
    chapters.extend(report.importance.as_ref().map(|_| ("importance", "Importance")));
    chapters.extend(report.choice.as_ref().map(|_| ("choice", "Choice")));
    chapters.extend(report.validation.as_ref().map(|_| ("validation", "Validation")));
    chapters.extend(report.fit.as_ref().map(|_| ("fit", "Fit")));
    chapters.extend([("data", "Captures"), ("settings", "Settings")]);
    let plural = if report.captures.len() == 1 { "" } else { "s" };
    let below = format!("{} · {} capture{plural}", report.product, report.captures.len());
    head(out, &report.title, &report.title, Some(&below), &chapters)?;
    remarks(out, &report.warnings)?;
    tiles(out, report, &document)?;
    metrics(out, report, &document)?;
    reliability(out, report, &document)?;
    economics(out, report, &document)?;
    if let Some(of_features) = &report.importance {
        importance::importance(out, of_features, &document)?;
    }
    if let Some(choice) = &report.choice {
        writeln!(out, "<h2 id=\"choice\">Choice of features</h2>")?;
        tables::choice(out, choice, &document)?;
    }
    if let Some(validation) = &report.validation {
        write_validation(out, validation, &document)?;
    }
    if let Some(fit) = &report.fit {
        tables::fit(out, fit, &document)?;
    }
    writeln!(out, "<h2 id=\"data\">Captures</h2>")?;
    tables::captures(out, report, &document)?;
    tables::parts(out, report, &document)?;
    writeln!(out, "<h2 id=\"settings\">Settings</h2>")?;
    tables::settings(out, report, &document)?;
    foot(out, ". Quote currency is the product's; a basis point (bp) is 0.01 % of the amount bought")
}

/// The first contestant on the test part, in a few numbers.
fn tiles(out: &mut String, report: &Report, document: &Document) -> fmt::Result {
    let first = "test.contestants.0";
    let span = |path: &str, shown| document.span(path, shown);
    let below = |interval: Option<String>| {
        interval.map_or_else(|| "no interval".into(), |interval| format!("95\u{a0}%: {interval}"))
    };
    let place = |metric: Metric| Metric::ALL.iter().position(|&other| other == metric).expect("ALL has every metric");
    let metric = |out: &mut String, name: &str, metric: Metric, shown: Shown| {
        let path = format!("{first}.metrics.{}", place(metric));
        let interval = below(document.interval(&format!("{path}.interval"), shown));
        tile(out, name, &span(&format!("{path}.value"), shown), &interval)
    };
    writeln!(out, "<section id=\"verdict\">")?;
    report.headline.iter().try_for_each(|sentence| writeln!(out, "<p class=\"finding\">{}</p>", escaped(sentence)))?;
    writeln!(out, "<p class=\"finding\">{} on the test part</p>", escaped(&report.test.contestants[0].name))?;
    writeln!(out, "<dl class=\"tiles\">")?;
    let auc = format!("{first}.metrics.{}", place(Metric::Auc));
    let interval = below(document.interval(&format!("{auc}.interval"), Shown::Fixed(4)));
    let ties = span("test.tie_share", Shown::Percent(1));
    let rival = report.test.rival().map(|rival| {
        let path = format!("test.contestants.{}.metrics.{}", report.test.contestants.len() - 1, place(Metric::Auc));
        let interval = below(document.interval(&format!("{path}.interval"), Shown::Fixed(4)));
        format!("; {} alone {}, {interval}", escaped(&rival.name), span(&format!("{path}.value"), Shown::Fixed(4)))
    });
    let beside = format!("{interval}; {ties} ties{}", rival.unwrap_or_default());
    tile(out, "AUC", &span(&format!("{auc}.value"), Shown::Fixed(4)), &beside)?;
    metric(out, "log-loss", Metric::LogLoss, Shown::Fixed(4))?;
    metric(out, "expected calibration error", Metric::Ece, Shown::Fixed(4))?;
    let hit_rate = format!("hit rate at p ≥ {}, all rows", plain(report.rules.threshold));
    metric(out, &hit_rate, Metric::HitRateAllRows, Shown::Percent(1))?;
    let [up, down, ties] = ["up", "down", "ties"].map(|way| span(&format!("test.{way}"), Shown::Count));
    tile(out, "test rows", &span("test.rows", Shown::Count), &format!("{up} up, {down} down, {ties} ties"))?;
    let economics = |field: &str| format!("{first}.economics.{field}");
    let winners = format!("{} winners before fees", span(&economics("winners"), Shown::Percent(1)));
    tile(out, "closed trades", &span(&economics("trades"), Shown::Count), &winners)?;
    let interval = below(document.interval(&economics("gross_bps_interval"), Shown::Signed(3)));
    tile(out, "gross profit per trade, bp", &span(&economics("gross_bps"), Shown::Signed(3)), &interval)?;
    let fee = span(&economics("break_even_fee_bps"), Shown::Fixed(3));
    tile(out, "break-even fee, bp per side", &fee, "")?;
    writeln!(out, "</dl>\n</section>")
}

fn metrics(out: &mut String, report: &Report, document: &Document) -> fmt::Result {
    writeln!(out, "<h2 id=\"metrics\">Metrics</h2>")?;
    let intervals = match report.no_intervals(&report.test) {
        Some(why) => format!("The figures of the test part have no intervals: {}.", escaped(&why)),
        None => format!(
            "Below each figure is its 95\u{a0}% interval, from {} resamples of circular blocks; the \
             <a href=\"#table-parts\">parts</a> have their lengths.",
            document.span("rules.bootstrap.replicates", Shown::Count)
        ),
    };
    writeln!(out, "<p class=\"note\">{intervals} The baselines are {}.</p>", escaped(report.baselines))?;
    writeln!(out, "<div class=\"columns\"><div><h3>Test part</h3>")?;
    tables::metrics(out, "table-metrics", "test", &report.test, document)?;
    if let Some(training) = &report.training {
        writeln!(out, "</div><div><h3>Training part</h3>")?;
        tables::metrics(out, "table-training-metrics", "training", training, document)?;
    }
    writeln!(out, "</div></div>")?;
    tables::differences(out, "table-differences", "test", &report.test, document)
}

fn reliability(out: &mut String, report: &Report, document: &Document) -> fmt::Result {
    writeln!(out, "<h2 id=\"reliability\">Reliability</h2>")?;
    let figures: Vec<Slot> = models(report).map(|(at, contestant)| diagram(at, contestant)).collect();
    write_slots(out, &figures)?;
    writeln!(out, "<div class=\"columns\">")?;
    for (at, contestant) in models(report) {
        writeln!(out, "<div><h3>{}</h3>", escaped(&contestant.name))?;
        tables::reliability(out, at, contestant, report.rules.threshold, document)?;
        writeln!(out, "</div>")?;
    }
    writeln!(out, "</div>")
}

/// The contestants that are models, each with its place among all.
fn models(report: &Report) -> impl Iterator<Item = (usize, &ContestantReport)> {
    models_of(&report.test.contestants)
}

fn models_of(contestants: &[ContestantReport]) -> impl Iterator<Item = (usize, &ContestantReport)> {
    contestants.iter().enumerate().filter(|(_, contestant)| contestant.economics.is_some())
}

fn diagram(at: usize, contestant: &ContestantReport) -> Slot {
    let title = format!("Reliability of {}", contestant.name);
    let counted = |ink: Ink, count: fn(&BinReport) -> f64, up: fn(&BinReport) -> Option<f64>| {
        let tenth = |bin: &BinReport| {
            let (mean_probability, up_share) = (bin.mean_probability?, up(bin)?);
            Some(Tenth { from: bin.from, mean_probability, up_share, count: count(bin) })
        };
        let tenths = contestant.reliability.iter().filter_map(tenth).collect();
        // Rows share parts of their horizons: an interval for independent ones would be too narrow.
        Counted { ink, tenths, has_intervals: false }
    };
    let diagram = Diagram {
        counted: vec![
            counted(Ink::Tied, |bin| bin.all_rows, |bin| bin.all_up),
            counted(Ink::Series(0), |bin| bin.rows, |bin| bin.up),
        ],
        share: "share of up",
        count: "rows",
    };
    if diagram.counted.iter().all(|counted| counted.tenths.is_empty()) {
        return Slot::missing(&title, "No row counts under this ties rule.");
    }
    diagram
        .figure(format!("fig-reliability-{at}"), title)
        .legend(Ink::Series(0), "rows as the ties rule counts them")
        .legend(Ink::Tied, "all rows, ties included")
        .caption("A model that means what it says lies on the dashed line. The area of a mark goes with its rows.")
        .slot()
}

fn economics(out: &mut String, report: &Report, document: &Document) -> fmt::Result {
    writeln!(out, "<h2 id=\"economics\">Economics</h2>")?;
    writeln!(
        out,
        "<p class=\"note\">Trades on the test part: buy {} at p ≥ {}, sell {} {} later.</p>",
        document.span("rules.buy_amount", Shown::Plain),
        document.span("rules.threshold", Shown::Plain),
        document.span("rules.horizon_updates", Shown::Count),
        things(report.rules.horizon_updates.into(), "update")
    )?;
    let models: Vec<(usize, &ContestantReport)> = models(report).collect();
    tables::economics(out, "table-economics", "test", &models, document)
}

/// How the way to the model did inside the training part.
fn write_validation(out: &mut String, validation: &ValidationReport, document: &Document) -> fmt::Result {
    writeln!(out, "<h2 id=\"validation\">Validation</h2>")?;
    writeln!(
        out,
        "<p class=\"note\">Inside the training part ({}): {}. Rows whose labels reach across an edge are left out, and {} behind \
         each block. Base rates and models are of each fold's own rows.</p>",
        escaped(&validation.scheme),
        escaped(&validation.meaning),
        document.span("validation.embargo_rows", Shown::Count)
    )?;
    tables::metrics(out, "table-validation-metrics", "validation", &validation.part, document)?;
    tables::differences(out, "table-validation-differences", "validation", &validation.part, document)?;
    writeln!(out, "<h3>Folds</h3>")?;
    tables::folds(out, validation, document)?;
    writeln!(out, "<h3>Economics of the folds' models</h3>")?;
    let models: Vec<(usize, &ContestantReport)> = models_of(&validation.part.contestants).collect();
    tables::economics(out, "table-validation-economics", "validation", &models, document)
}
