//! The tables of the page.

use crate::feed::breaks::Cause;
use crate::report::html::tables::{close, folded, open, row, words};
use crate::report::html::{Document, Shown, escaped};
use crate::report::text::plain;
use crate::research::evaluation::{ContestantReport, MetricFigure, PartReport};
use crate::research::report::{FitReport, Report};
use crate::research::source::CaptureFacts;
use crate::research::validation_report::{ChoiceReport, ValidationReport};
use std::fmt::{self, Write};

/// How far DeLong's test goes.
pub const DELONG_REMARK: &str = "DeLong’s test takes rows as independent, which overlapping labels are not: its p is too small. The paired interval decides.";

/// Longer tables are folded.
const UNFOLDED_MAX: usize = 40;

/// A number with its interval below it, if it has one.
pub fn figure(document: &Document, value: &str, interval: &str, shown: Shown) -> String {
    let interval = document.interval(interval, shown).map(|ends| format!("<small>{ends}</small>")).unwrap_or_default();
    format!("<td class=\"n\">{}{interval}</td>", document.span(value, shown))
}

/// Metrics line by line, a column for each of `columns`: its heading, and where its list of metrics lies.
fn metric_columns(
    out: &mut String,
    id: &str,
    metrics: &[MetricFigure],
    columns: &[(String, String)],
    (document, shown): (&Document, Shown),
) -> fmt::Result {
    let headings: Vec<&str> = ["metric"].into_iter().chain(columns.iter().map(|(name, _)| name.as_str())).collect();
    open(out, id, &headings)?;
    for (at, metric) in metrics.iter().enumerate() {
        let cell = |(_, list): &(String, String)| {
            let path = format!("{list}.{at}");
            figure(document, &format!("{path}.value"), &format!("{path}.interval"), shown)
        };
        row(out, metric.metric.name(), columns.iter().map(cell))?;
    }
    close(out)
}

/// Every contestant's metrics on a part.
pub fn metrics(out: &mut String, id: &str, path: &str, part: &PartReport, document: &Document) -> fmt::Result {
    let contestants = part.contestants.iter().enumerate();
    let columns: Vec<(String, String)> = contestants
        .map(|(at, contestant)| (contestant.name.clone(), format!("{path}.contestants.{at}.metrics")))
        .collect();
    metric_columns(out, id, &part.contestants[0].metrics, &columns, (document, Shown::Fixed(4)))
}

/// The first contestant against each other one.
pub fn differences(out: &mut String, id: &str, path: &str, part: &PartReport, document: &Document) -> fmt::Result {
    let Some(first) = part.differences.first() else { return Ok(()) };
    let differences = part.differences.iter().enumerate();
    let columns: Vec<(String, String)> = differences
        .map(|(at, difference)| (format!("minus {}", difference.minus), format!("{path}.differences.{at}.metrics")))
        .collect();
    let title = escaped(&first.of);
    writeln!(out, "<h3>Differences: {title} minus each other one</h3>")?;
    metric_columns(out, id, &first.metrics, &columns, (document, Shown::Signed(4)))?;
    delong(out, path, part, &columns, document)
}

/// The test of the AUCs beside their paired intervals.
fn delong(
    out: &mut String,
    path: &str,
    part: &PartReport,
    columns: &[(String, String)],
    document: &Document,
) -> fmt::Result {
    if part.differences.iter().all(|difference| difference.delong.is_none()) {
        return Ok(());
    }
    writeln!(out, "<h3>DeLong’s test of the AUCs</h3>\n<p class=\"note\">{DELONG_REMARK}</p>")?;
    let headings: Vec<&str> = [""].into_iter().chain(columns.iter().map(|(name, _)| name.as_str())).collect();
    open(out, "table-delong", &headings)?;
    for (name, field, shown) in [
        ("difference", "difference", Shown::Signed(4)),
        ("standard error", "standard_error", Shown::Figures),
        ("z", "z", Shown::Signed(2)),
        ("p, two-sided", "p", Shown::Figures),
    ] {
        let cell = |at: usize| document.cell(&format!("{path}.differences.{at}.delong.{field}"), shown, "");
        row(out, name, (0..columns.len()).map(cell))?;
    }
    close(out)
}

/// How features were chosen.
pub fn choice(out: &mut String, choice: &ChoiceReport, document: &Document) -> fmt::Result {
    open(
        out,
        "table-choice",
        &["feature, in the order of adding", "log-loss with it", "taken", "folds that chose it too"],
    )?;
    for (at, step) in choice.path.iter().enumerate() {
        let cell = |field: &str, shown| document.cell(&format!("choice.path.{at}.{field}"), shown, "");
        let taken = words(if step.taken { "yes" } else { "no" });
        row(out, &step.feature, [cell("log_loss", Shown::Fixed(6)), taken, cell("folds", Shown::Count)])?;
    }
    close(out)?;
    let count = |field: &str| document.span(&format!("choice.{field}"), Shown::Count);
    let price = document.span("choice.price.value", Shown::Signed(6));
    let interval = document.interval("choice.price.interval", Shown::Signed(6)).unwrap_or_else(|| "no interval".into());
    writeln!(
        out,
        "<p class=\"note\">{} of {} candidates are taken: the shortest part of the path whose loss lies within one standard error \
         of the least. The price of having chosen is {price} of log-loss ({interval}): by so much features that were chosen with \
         the tested rows in view look better than features chosen anew without them.</p>",
        count("taken"),
        count("candidates")
    )
}

/// The folds of the validation.
pub fn folds(out: &mut String, validation: &ValidationReport, document: &Document) -> fmt::Result {
    const HEADINGS: [&str; 8] =
        ["fold", "tested from", "rows fitted on", "rows tested on", "C", "AUC", "log-loss", "AUC of one feature"];
    open(out, "table-folds", &HEADINGS)?;
    for at in 0..validation.folds.len() {
        let path = |field: &str| format!("validation.folds.{at}.{field}");
        let [from, to] = ["span_ns.0", "span_ns.1"].map(|field| document.span(&path(field), Shown::Utc));
        let cell = |field: &str, shown| document.cell(&path(field), shown, "");
        let with_interval = |field: &str| {
            let shown = Shown::Fixed(4);
            figure(document, &path(&format!("{field}.value")), &path(&format!("{field}.interval")), shown)
        };
        let cells = [
            format!("<td class=\"n\">{from}<small>to {to}</small></td>"),
            cell("fitted_rows", Shown::Count),
            cell("rows", Shown::Count),
            cell("c", Shown::Plain),
            with_interval("auc"),
            with_interval("log_loss"),
            with_interval("rival_auc"),
        ];
        row(out, &(at + 1).to_string(), cells)?;
    }
    close(out)
}

/// A model's probabilities by tenths.
pub fn reliability(
    out: &mut String,
    at: usize,
    contestant: &ContestantReport,
    threshold: f64,
    document: &Document,
) -> fmt::Result {
    const HEADINGS: [&str; 7] = ["from", "rows", "mean p", "up", "all rows", "of all up", "of all tied"];
    let path = format!("test.contestants.{at}");
    let cells = |bin: &str| {
        [
            ("rows", Shown::Count),
            ("mean_probability", Shown::Fixed(4)),
            ("up", Shown::Fixed(4)),
            ("all_rows", Shown::Count),
            ("all_up", Shown::Fixed(4)),
            ("all_tied", Shown::Fixed(4)),
        ]
        .map(|(field, shown)| document.cell(&format!("{path}.{bin}.{field}"), shown, ""))
    };
    open(out, &format!("table-reliability-{at}"), &HEADINGS)?;
    for (bin, facts) in contestant.reliability.iter().enumerate().filter(|(_, bin)| bin.all_rows > 0.0) {
        row(out, &Shown::Fixed(1).text(facts.from), cells(&format!("reliability.{bin}")))?;
    }
    row(out, &format!("p ≥ {}", plain(threshold)), cells("reached"))?;
    close(out)
}

/// What models would have earned on the part at `part`.
pub fn economics(
    out: &mut String,
    id: &str,
    part: &str,
    models: &[(usize, &ContestantReport)],
    document: &Document,
) -> fmt::Result {
    let headings: Vec<&str> = [""].into_iter().chain(models.iter().map(|(_, model)| model.name.as_str())).collect();
    let path = |at: usize, field: &str| format!("{part}.contestants.{at}.economics.{field}");
    let cells = |field: &str, shown: Shown| -> Vec<String> {
        models.iter().map(|&(at, _)| document.cell(&path(at, field), shown, "")).collect()
    };
    open(out, id, &headings)?;
    row(out, "closed trades", cells("trades", Shown::Count))?;
    row(out, "winners before fees", cells("winners", Shown::Percent(1)))?;
    row(out, "still open, in no other figure", cells("open", Shown::Count))?;
    row(out, "gross profit, quote", cells("gross", Shown::Profit))?;
    let gross = |&(at, _): &(usize, &ContestantReport)| {
        figure(document, &path(at, "gross_bps"), &path(at, "gross_bps_interval"), Shown::Signed(4))
    };
    row(out, "gross profit per trade, bp of the amount", models.iter().map(gross))?;
    row(out, "break-even fee, bp per side", cells("break_even_fee_bps", Shown::Fixed(4)))?;
    let nets = models.first().and_then(|(_, model)| model.economics.as_ref()).map_or(&[][..], |first| &first.net);
    for (at, net) in nets.iter().enumerate() {
        let name = format!("net profit at {} bp per side, quote", net.fee_bps);
        row(out, &name, cells(&format!("net.{at}.profit"), Shown::Profit))?;
    }
    close(out)
}

/// How the model was fitted.
pub fn fit(out: &mut String, fit: &FitReport, document: &Document) -> fmt::Result {
    writeln!(out, "<h2 id=\"fit\">Fit</h2>")?;
    open::<&str>(out, "table-fit", &[])?;
    let c = if fit.cross_validation.is_empty() { "C, as given" } else { "C, by cross-validation" };
    for (name, field, shown) in [
        ("rows trained on", "rows", Shown::Count),
        ("… up", "outcomes.up", Shown::Count),
        ("… down", "outcomes.down", Shown::Count),
        ("… ties, unless left out", "outcomes.ties", Shown::Count),
        (c, "c", Shown::Plain),
        ("objective", "objective", Shown::Fixed(10)),
        ("largest component of the gradient", "gradient_max", Shown::Figures),
        ("Newton steps", "iterations", Shown::Count),
        ("intercept", "intercept", Shown::Fixed(6)),
    ] {
        row(out, name, [document.cell(&format!("fit.{field}"), shown, "")])?;
    }
    let condition = match fit.condition_number {
        Some(_) => document.cell("fit.condition_number", Shown::Figures, ""),
        None => words("infinite: features depend on each other exactly"),
    };
    row(out, "condition number of the correlations", [condition])?;
    close(out)?;
    cross_validation(out, fit, document)?;
    weights(out, fit, document)?;
    correlations(out, fit, document)
}

fn cross_validation(out: &mut String, fit: &FitReport, document: &Document) -> fmt::Result {
    if fit.cross_validation.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h3>Cross-validation</h3>")?;
    open(out, "table-cross-validation", &["C", "log-loss"])?;
    for (at, tried) in fit.cross_validation.iter().enumerate() {
        let loss = document.cell(&format!("fit.cross_validation.{at}.log_loss"), Shown::Fixed(6), "");
        row(out, &tried.c.to_string(), [loss])?;
    }
    close(out)
}

fn weights(out: &mut String, fit: &FitReport, document: &Document) -> fmt::Result {
    const HEADINGS: [&str; 5] =
        ["feature", "standardised weight", "training mean", "training deviation", "drift, training deviations"];
    let mut features: Vec<_> = fit.features.iter().enumerate().collect();
    features.sort_by(|(_, a), (_, b)| b.standardised_weight.abs().total_cmp(&a.standardised_weight.abs()));
    writeln!(out, "<h3>Weights, largest first</h3>")?;
    unfolded_if_short(out, features.len(), "features", |out| {
        open(out, "table-features", &HEADINGS)?;
        for (at, feature) in features {
            let cell = |field: &str, shown| document.cell(&format!("fit.features.{at}.{field}"), shown, "");
            let cells = [
                cell("standardised_weight", Shown::Signed(6)),
                cell("mean", Shown::Figures),
                cell("standard_deviation", Shown::Figures),
                cell("drift", Shown::Signed(2)),
            ];
            row(out, &feature.name, cells)?;
        }
        close(out)
    })
}

fn correlations(out: &mut String, fit: &FitReport, document: &Document) -> fmt::Result {
    writeln!(out, "<h3>Correlations above 0.99</h3>")?;
    if fit.correlations.is_empty() {
        return writeln!(out, "<p class=\"note\">None.</p>");
    }
    unfolded_if_short(out, fit.correlations.len(), "correlations", |out| {
        open(out, "table-correlations", &["features", "correlation"])?;
        for (at, pair) in fit.correlations.iter().enumerate() {
            let cell = document.cell(&format!("fit.correlations.{at}.correlation"), Shown::Signed(6), "");
            row(out, &format!("{} and {}", pair.a, pair.b), [cell])?;
        }
        close(out)
    })
}

/// A table, or one to unfold where it is long.
pub fn unfolded_if_short(
    out: &mut String,
    count: usize,
    what: &str,
    table: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    if count > UNFOLDED_MAX { folded(out, &format!("All {count} {what}"), table) } else { table(out) }
}

/// Where the rows come from.
pub fn captures(out: &mut String, report: &Report, document: &Document) -> fmt::Result {
    const COLUMNS: [(&str, &str, Shown); 8] = [
        ("frames", "counts.frames", Shown::Count),
        ("rows", "counts.rows", Shown::Count),
        ("unlabelled", "counts.unlabelled", Shown::Count),
        ("thin", "counts.thin", Shown::Count),
        ("warming up", "counts.warming_up", Shown::Count),
        ("undefined", "counts.undefined", Shown::Count),
        ("mid changes", "counts.mid_changes", Shown::Count),
        ("book faults", "faults", Shown::Count),
    ];
    let headings: Vec<&str> =
        ["capture"].into_iter().chain(COLUMNS.map(|(name, ..)| name)).chain(["received"]).collect();
    open(out, "table-captures", &headings)?;
    for (at, capture) in report.captures.iter().enumerate() {
        let path = |field: &str| format!("captures.{at}.{field}");
        let counts = COLUMNS.map(|(_, field, shown)| document.cell(&path(field), shown, "")).concat();
        let [from, to] = ["first_ts_recv_ns", "last_ts_recv_ns"].map(|field| document.span(&path(field), Shown::Utc));
        let name = words(&capture.path.display().to_string());
        writeln!(out, "<tr>{name}{counts}<td class=\"n\">{from}<small>to {to}</small></td></tr>")?;
    }
    close(out)?;
    report.captures.iter().enumerate().try_for_each(|(at, capture)| breaks(out, at, capture, document))
}

/// What made a capture's book unreliable.
fn breaks(out: &mut String, at: usize, capture: &CaptureFacts, document: &Document) -> fmt::Result {
    if capture.breaks.is_none() {
        return Ok(());
    }
    writeln!(out, "<h3>Faults of {}</h3><ul class=\"note\">", escaped(&capture.path.display().to_string()))?;
    for (cause, Cause { fault, .. }) in capture.breaks.causes.iter().enumerate() {
        let count = document.span(&format!("captures.{at}.faults_by_kind.{cause}.count"), Shown::Count);
        writeln!(out, "<li>{}: {count}</li>", escaped(fault))?;
    }
    writeln!(out, "</ul><p class=\"note\">The first:</p><ul class=\"note\">")?;
    capture.breaks.notes.iter().try_for_each(|note| writeln!(out, "<li>{}</li>", escaped(note)))?;
    writeln!(out, "</ul>")
}

/// What was trained on and tested on.
pub fn parts(out: &mut String, report: &Report, document: &Document) -> fmt::Result {
    let parts = report.parts();
    let headings: Vec<&str> = ["part"].into_iter().chain(parts.iter().map(|(name, _)| *name)).collect();
    let line = |out: &mut String, name: &str, field: &str, shown: Shown| {
        row(out, name, parts.iter().map(|(part, _)| document.cell(&format!("{part}.{field}"), shown, "")))
    };
    writeln!(out, "<h3>Parts</h3>")?;
    open(out, "table-parts", &headings)?;
    line(out, "from", "span_ns.0", Shown::Utc)?;
    line(out, "to", "span_ns.1", Shown::Utc)?;
    for (name, field) in [("labelled rows", "rows"), ("up", "up"), ("down", "down"), ("ties", "ties")] {
        line(out, name, field, Shown::Count)?;
    }
    line(out, "share of ties", "tie_share", Shown::Percent(1))?;
    line(out, "mid changes", "mid_changes", Shown::Count)?;
    line(out, "… a horizon apart", "independent_changes", Shown::Count)?;
    line(out, "horizon, median, s", "horizon_s", Shown::Figures)?;
    line(out, "bootstrap: block, s", "block_s", Shown::Figures)?;
    line(out, "… that horizon and dependence ask for", "block_s_needed", Shown::Figures)?;
    line(out, "bootstrap: whole blocks", "blocks", Shown::Count)?;
    close(out)
}

/// What every figure rests on.
pub fn settings(out: &mut String, report: &Report, document: &Document) -> fmt::Result {
    let number = |field: &str, shown| format!("<td>{}</td>", document.span(&format!("rules.{field}"), shown));
    let rules = &report.rules;
    open::<&str>(out, "table-settings", &[])?;
    row(out, "product", [words(&report.product)])?;
    row(out, "label", [words(&rules.label_of)])?;
    row(out, "trades' holding time, updates", [number("horizon_updates", Shown::Count)])?;
    row(out, "ties", [words(&rules.ties.to_string())])?;
    row(out, "probability", [words(rules.probability_of)])?;
    row(out, "threshold", [number("threshold", Shown::Plain)])?;
    row(out, "bought per trade, quote", [number("buy_amount", Shown::Plain)])?;
    row(out, "bootstrap: block as given, s", [number("bootstrap.block_s", Shown::Plain)])?;
    row(out, "bootstrap: resamples", [number("bootstrap.replicates", Shown::Count)])?;
    row(out, "bootstrap: seed", [words(&rules.bootstrap.seed.to_string())])?;
    row(out, "baselines", [words(report.baselines)])?;
    if report.tried.is_some() {
        let tried = |field: &str| document.cell(&format!("tried.{field}"), Shown::Count, "");
        row(out, "models tested on these rows", [tried("models")])?;
        row(out, "values of C compared", [tried("penalties")])?;
        row(out, "sets of features compared", [tried("feature_sets")])?;
    }
    if let Some(calibration) = &report.calibration {
        row(out, "calibration", [words(&calibration.kind.to_string())])?;
        row(out, "… fitted to rows of the validation", [document.cell("calibration.rows", Shown::Count, "")])?;
    }
    close(out)
}
