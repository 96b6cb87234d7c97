//! The report as text.

use super::importance::REMARK as IMPORTANCE_REMARK;
use super::tables::DELONG_REMARK;
use crate::base::one_line::OneLine;
use crate::feed::breaks::Cause;
use crate::report::html::lowest_taker_fee;
use crate::report::text::{Names, amount, basis_points, plain, signed, things, utc};
use crate::research::evaluation::{BinReport, ContestantReport, Figure, PartReport};
use crate::research::importance::Importance;
use crate::research::report::{FitReport, Report};
use crate::research::validation_report::{CalibrationReport, ChoiceReport, FoldReport, TriedReport, ValidationReport};
use crate::statistics::delong::DeLong;
use crate::statistics::metrics::Metric;
use std::fmt::{self, Display, Write};

/// Features and correlations that are shown; the JSON has all.
const SHOWN: usize = 10;
/// A p below this is not told exactly.
const P_SHOWN: f64 = 1e-99;

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "—".into(), |value| format!("{value:.4}"))
}

fn figure(figure: Figure) -> String {
    match figure.interval {
        Some(interval) => format!("{} [{:.4}, {:.4}]", number(figure.value), interval.low, interval.high),
        None => number(figure.value),
    }
}

fn line(out: &mut String, name: &str, value: impl Display) -> fmt::Result {
    Names::RESEARCH.line(out, name, value)
}

/// The whole report.
pub fn terminal(report: &Report) -> String {
    let mut out = String::new();
    write(&mut out, report).expect("a String takes every character");
    // Names come from files and venues: they give a terminal no commands.
    let mut shown = OneLine(String::with_capacity(out.len()));
    for line in out.lines() {
        shown.write_str(line).expect("a String takes every character");
        shown.0.push('\n');
    }
    shown.0
}

fn write(out: &mut String, report: &Report) -> fmt::Result {
    report.headline.iter().try_for_each(|sentence| writeln!(out, "{sentence}"))?;
    writeln!(out, "{}", report.title)?;
    write_source(out, report)?;
    if let Some(fit) = &report.fit {
        write_fit(out, fit)?;
    }
    if let Some(choice) = &report.choice {
        write_choice(out, choice)?;
    }
    if let Some(tried) = &report.tried {
        write_tried(out, tried)?;
    }
    if let Some(training) = &report.training {
        write_training(out, training)?;
    }
    if let Some(validation) = &report.validation {
        write_validation(out, validation)?;
    }
    if let Some(CalibrationReport { kind, rows }) = &report.calibration {
        line(out, "calibration", format_args!("{kind}, fitted to {rows} {} of the validation", things(*rows, "row")))?;
    }
    write_test(out, report)?;
    for contestant in report.test.contestants.iter().filter(|contestant| contestant.economics.is_some()) {
        write_reliability(out, contestant, report.rules.threshold)?;
    }
    report.test.contestants.iter().try_for_each(|contestant| write_economics(out, contestant, report))?;
    report.importance.as_ref().map_or(Ok(()), |importance| write_importance(out, importance))
}

/// What the model loses without its features.
fn write_importance(out: &mut String, importance: &Importance) -> fmt::Result {
    let Importance { of, repeats, features } = importance;
    line(
        out,
        "importance",
        format_args!("of {of}’s features, mean of {repeats} {}", things((*repeats).into(), "permutation")),
    )?;
    writeln!(out, "  {IMPORTANCE_REMARK}")?;
    write_shortened(out, "drop in AUC, largest first; rise in log-loss", features.len())?;
    for (_, feature) in importance.ranked().into_iter().take(SHOWN) {
        let [drop, rise] = [feature.auc_drop, feature.log_loss_rise].map(signed_figure);
        writeln!(out, "    {drop:32}  {rise:32}  {}", feature.name)?;
    }
    Ok(())
}

fn signed_figure(figure: Figure) -> String {
    let value = figure.value.map_or_else(|| "—".into(), |value| format!("{value:+.4}"));
    figure.interval.map_or(value.clone(), |ends| format!("{value} [{:+.4}, {:+.4}]", ends.low, ends.high))
}

/// What the rows are.
fn write_source(out: &mut String, report: &Report) -> fmt::Result {
    let rules = &report.rules;
    line(out, "product", &report.product)?;
    for capture in &report.captures {
        let counts = &capture.counts;
        line(
            out,
            "capture",
            format_args!(
                "{}  {} {}, {} {} ({} unlabelled, {} thin, {} warming up{})",
                capture.path.display(),
                counts.frames,
                things(counts.frames, "frame"),
                counts.rows,
                things(counts.rows, "row"),
                counts.unlabelled,
                counts.thin,
                counts.warming_up,
                // Of expressions alone.
                if counts.undefined > 0 { format!(", {} undefined", counts.undefined) } else { String::new() }
            ),
        )?;
        for Cause { fault, count } in &capture.breaks.causes {
            writeln!(out, "  book faults: {fault} {count}")?;
        }
        capture.breaks.notes.iter().try_for_each(|note| writeln!(out, "    {note}"))?;
    }
    line(out, "label", format_args!("{}; ties: {}", rules.label_of, rules.ties))?;
    line(out, "probability", rules.probability_of)
}

fn write_training(out: &mut String, training: &PartReport) -> fmt::Result {
    write_part(out, "training part", training)?;
    write_contestants(out, training)
}

fn write_contestants(out: &mut String, part: &PartReport) -> fmt::Result {
    for contestant in &part.contestants {
        let [auc, log_loss] = [Metric::Auc, Metric::LogLoss].map(|metric| figure(contestant.figure(metric)));
        writeln!(out, "  {:24} AUC {auc}  log-loss {log_loss}", contestant.name)?;
    }
    Ok(())
}

fn write_choice(out: &mut String, choice: &ChoiceReport) -> fmt::Result {
    line(out, "choice", format_args!("{} of {} features, in the order of adding", choice.taken, choice.candidates))?;
    for step in &choice.path {
        let (mark, folds) = (if step.taken { "+" } else { " " }, step.folds);
        writeln!(
            out,
            "  {mark} log-loss {:.6}  in {folds} {}  {}",
            step.log_loss,
            things(folds as u64, "fold"),
            step.feature
        )?;
    }
    writeln!(out, "  price of having chosen: log-loss {}", figure(choice.price))
}

fn write_tried(out: &mut String, tried: &TriedReport) -> fmt::Result {
    let TriedReport { models, penalties, feature_sets } = *tried;
    let mut said = vec![format!("{models} {} on these test rows", things(models, "model"))];
    for (count, what) in [(penalties, "value"), (feature_sets, "set")] {
        if count > 0 {
            let of = if what == "value" { "of C" } else { "of features" };
            said.push(format!("{count} {} {of}", things(count as u64, what)));
        }
    }
    line(out, "tried", said.join(", "))
}

fn write_validation(out: &mut String, validation: &ValidationReport) -> fmt::Result {
    write_part(out, "validation", &validation.part)?;
    writeln!(out, "  {}: {}; embargo {}", validation.scheme, validation.meaning, validation.embargo_rows)?;
    write_contestants(out, &validation.part)?;
    write_differences(out, &validation.part)?;
    for (at, fold) in validation.folds.iter().enumerate() {
        let FoldReport { fitted_rows, rows, c, auc, log_loss, rival_auc, .. } = fold;
        writeln!(
            out,
            "  fold {}: {fitted_rows} {} fitted, C = {}, {rows} tested: AUC {}, log-loss {}; one feature alone AUC {}",
            at + 1,
            things(*fitted_rows as u64, "row"),
            plain(*c),
            figure(*auc),
            figure(*log_loss),
            figure(*rival_auc)
        )?;
    }
    Ok(())
}

fn write_test(out: &mut String, report: &Report) -> fmt::Result {
    let bootstrap = report.rules.bootstrap;
    let how = match bootstrap.block_s {
        None => "by horizon and dependence",
        Some(_) if report.test.block_s < report.test.block_s_needed => "as given, which is too short",
        Some(_) => "as given",
    };
    write_part(out, "test part", &report.test)?;
    match report.no_intervals(&report.test) {
        Some(why) => writeln!(out, "  no intervals: {why}")?,
        None => writeln!(
            out,
            "  intervals: 95 %, {} circular blocks of {:.3} s ({}), {} resamples, seed {}",
            report.test.blocks, report.test.block_s, how, bootstrap.replicates, bootstrap.seed
        )?,
    }
    writeln!(out, "  baselines: {}", report.baselines)?;
    write_metrics(out, &report.test)?;
    write_differences(out, &report.test)
}

fn write_differences(out: &mut String, part: &PartReport) -> fmt::Result {
    for difference in &part.differences {
        write!(out, "  {} minus {}:", difference.of, difference.minus)?;
        for metric in &difference.metrics {
            if matches!(metric.metric, Metric::Auc | Metric::LogLoss) {
                write!(out, "  {} {}", metric.metric.name(), figure(metric.figure))?;
            }
        }
        writeln!(out)?;
    }
    write_delong(out, part)
}

/// The test of the AUCs beside their paired intervals.
fn write_delong(out: &mut String, part: &PartReport) -> fmt::Result {
    let tested = part.differences.iter().filter_map(|difference| Some((difference, difference.delong?)));
    for (at, (difference, DeLong { standard_error, z, p, .. })) in tested.enumerate() {
        if at == 0 {
            writeln!(out, "  {DELONG_REMARK}")?;
        }
        let z = z.map_or_else(|| "—".into(), |z| format!("{z:+.2}"));
        let p = p.map_or_else(
            || "—".into(),
            |p| if p < P_SHOWN { format!("below {P_SHOWN:e}") } else { format!("{p:.2e}") },
        );
        writeln!(out, "    minus {}: standard error {standard_error:.6}, z {z}, p {p}", difference.minus)?;
    }
    Ok(())
}

fn write_fit(out: &mut String, fit: &FitReport) -> fmt::Result {
    let by = if fit.cross_validation.is_empty() { "as given" } else { "by cross-validation" };
    let (rows, features, c) = (fit.rows, fit.features.len(), plain(fit.c));
    let things_of = (things(rows as u64, "row"), things(features as u64, "feature"));
    line(out, "fit", format_args!("{rows} {}, {features} {}, C = {c} {by}", things_of.0, things_of.1))?;
    for tried in &fit.cross_validation {
        writeln!(out, "  C {:<12} log-loss {:.6}", tried.c, tried.log_loss)?;
    }
    writeln!(
        out,
        "  objective {:.10}, gradient {:.1e}, {} {}",
        fit.objective,
        fit.gradient_max,
        fit.iterations,
        things(u64::from(fit.iterations), "Newton step")
    )?;
    match fit.condition_number {
        Some(number) => writeln!(out, "  condition number of the correlations {number:.3e}")?,
        None => {
            writeln!(out, "  condition number of the correlations: infinite, features depend on each other exactly")?
        }
    }
    write_shortened(out, "correlations above 0.99", fit.correlations.len())?;
    for pair in fit.correlations.iter().take(SHOWN) {
        writeln!(out, "    {:+.6}  {} and {}", pair.correlation, pair.a, pair.b)?;
    }
    let mut features: Vec<_> = fit.features.iter().collect();
    features.sort_by(|a, b| b.standardised_weight.abs().total_cmp(&a.standardised_weight.abs()));
    write_shortened(out, "standardised weights, largest first", features.len())?;
    for feature in features.into_iter().take(SHOWN) {
        writeln!(out, "    {:+.6}  {}", feature.standardised_weight, feature.name)?;
    }
    Ok(())
}

fn write_shortened(out: &mut String, what: &str, count: usize) -> fmt::Result {
    let shown = if count > SHOWN { format!(", {SHOWN} shown") } else { String::new() };
    writeln!(out, "  {what}: {count}{shown}")
}

fn write_part(out: &mut String, name: &str, part: &PartReport) -> fmt::Result {
    line(out, name, format_args!("{} to {}", utc(part.span_ns.0), utc(part.span_ns.1)))?;
    writeln!(
        out,
        "  {} {}: {} up, {} down, {} {} ({:.1} %)",
        part.rows,
        things(part.rows, "row"),
        part.up,
        part.down,
        part.ties,
        things(part.ties, "tie"),
        100.0 * part.tie_share.unwrap_or_default()
    )?;
    writeln!(
        out,
        "  {} mid {}, {} of them a horizon apart; {} {} of {:.3} s",
        part.mid_changes,
        things(part.mid_changes, "change"),
        part.independent_changes,
        part.blocks,
        things(part.blocks as u64, "block"),
        part.block_s
    )
}

fn write_metrics(out: &mut String, part: &PartReport) -> fmt::Result {
    let cells: Vec<Vec<String>> = Metric::ALL
        .iter()
        .map(|&metric| part.contestants.iter().map(|contestant| figure(contestant.figure(metric))).collect())
        .collect();
    let widths: Vec<usize> = (0..part.contestants.len())
        .map(|at| {
            let name = part.contestants[at].name.chars().count();
            cells.iter().map(|row| row[at].chars().count()).chain([name]).max().unwrap_or(0)
        })
        .collect();
    write!(out, "  {:18}", "")?;
    for (contestant, width) in part.contestants.iter().zip(&widths) {
        write!(out, "  {:width$}", contestant.name)?;
    }
    writeln!(out)?;
    for (metric, row) in Metric::ALL.iter().zip(&cells) {
        write!(out, "  {:18}", metric.name())?;
        for (cell, width) in row.iter().zip(&widths) {
            write!(out, "  {cell:width$}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_bin(out: &mut String, name: &str, bin: &BinReport) -> fmt::Result {
    writeln!(
        out,
        "    {name:10} {:>9} {:>8} {:>8} {:>10} {:>8} {:>8}",
        bin.rows,
        number(bin.mean_probability),
        number(bin.up),
        bin.all_rows,
        number(bin.all_up),
        number(bin.all_tied)
    )
}

fn write_reliability(out: &mut String, contestant: &ContestantReport, threshold: f64) -> fmt::Result {
    writeln!(out, "  reliability of {}", contestant.name)?;
    writeln!(
        out,
        "    {:10} {:>9} {:>8} {:>8} {:>10} {:>8} {:>8}",
        "from", "rows", "mean p", "up", "all rows", "up", "tied"
    )?;
    for bin in contestant.reliability.iter().filter(|bin| bin.all_rows > 0.0) {
        write_bin(out, &format!("{:.1}", bin.from), bin)?;
    }
    write_bin(out, &format!("p ≥ {}", plain(threshold)), &contestant.reached)
}

fn write_economics(out: &mut String, contestant: &ContestantReport, report: &Report) -> fmt::Result {
    let Some(economics) = &contestant.economics else { return Ok(()) };
    writeln!(
        out,
        "  trades of {} (buy {} at p ≥ {}, sell {} {} later)",
        contestant.name,
        plain(report.rules.buy_amount),
        plain(report.rules.threshold),
        report.rules.horizon_updates,
        things(report.rules.horizon_updates.into(), "update")
    )?;
    let winners = economics.winners.map_or(String::new(), |share| format!(", {:.1} % of them winners", 100.0 * share));
    let trades = things(economics.trades, "trade");
    writeln!(out, "    {} {trades}{winners}, {} still open", economics.trades, economics.open)?;
    let gross = Figure { value: economics.gross_bps, interval: economics.gross_bps_interval };
    writeln!(
        out,
        "    break-even fee: {} bp per side; {}",
        economics.break_even_fee_bps.map_or_else(|| "—".into(), basis_points),
        lowest_taker_fee()
    )?;
    let profit = |value: f64| signed(value, &amount(value));
    writeln!(out, "    gross {}, per trade {} bp of the amount", profit(economics.gross), figure(gross))?;
    let nets = economics.net.iter().map(|net| format!("{} bp: {}", plain(net.fee_bps), profit(net.profit)));
    writeln!(out, "    net at fees per side of {}", nets.collect::<Vec<_>>().join(", "))
}
