//! The tables of a run's page.

use crate::engine::latency::Stage;
use crate::report::figures::{FeatureFacts, feature_facts};
use crate::report::html::document::{Document, Shown};
use crate::report::html::escape::escaped;
use crate::report::html::tables::{close, derived, folded, open, row, words};
use crate::report::material::Material;
use crate::report::run_file::{FaultCount, is_work};
use crate::report::text::{NO_ARRIVALS, plain, things};
use crate::run::observe::{Calibration, Outcomes};
use crate::statistics::drift::SHIFTED;
use std::fmt::{self, Write};

/// Thresholds that are looked at, besides the run's.
const THRESHOLDS: [f64; 8] = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9];

/// Profit at fees.
pub fn fees(out: &mut String, document: &Document) -> fmt::Result {
    open(out, "table-fees", &["fee, bp per side", "net profit, quote", "net per trade, bp"])?;
    for at in 0..document.len("trades.by_fee") {
        let path = |field: &str| format!("trades.by_fee.{at}.{field}");
        let fee = document.number(&path("fee_bps")).unwrap_or_default();
        let cells = [
            document.cell(&path("profit"), Shown::Profit, ""),
            document.cell(&path("bps"), Shown::SignedBasisPoints, ""),
        ];
        row(out, &plain(fee), cells)?;
    }
    close(out)
}

/// How profit and holding time are spread over trades.
pub fn spreads(out: &mut String, document: &Document) -> fmt::Result {
    const RANKS: [&str; 7] = ["min", "p5", "p25", "p50", "p75", "p95", "max"];
    open(out, "table-spreads", &["per trade", "least", "5 %", "25 %", "median", "75 %", "95 %", "greatest"])?;
    for (name, path, shown) in [
        ("gross profit, bp", "profit_bps", Shown::SignedBasisPoints),
        ("held, updates", "held_updates", Shown::Count),
        ("held, s", "held_s", Shown::Fixed(3)),
    ] {
        row(out, name, RANKS.map(|rank| document.cell(&format!("trades.{path}.{rank}"), shown, "")))?;
    }
    close(out)?;
    writeln!(
        out,
        "<p class=\"note\">Deepest fall of the gross profit below its highest point: {} quote.</p>",
        document.span("trades.drawdown_max", Shown::Money)
    )
}

/// By tenth and, for long runs, by hour.
pub fn parts(out: &mut String, document: &Document) -> fmt::Result {
    for (id, list, head, name) in
        [("table-tenths", "tenths", "tenth, from frame", "from_sequence"), ("table-hours", "hours", "hour", "hour")]
    {
        let count = document.len(&format!("trades.{list}"));
        if count == 0 {
            continue;
        }
        folded(out, &format!("Table by {}", list.trim_end_matches('s')), |out| {
            open(out, id, &[head, "trades", "winners", "gross profit, quote"])?;
            for at in 0..count {
                let path = |field: &str| format!("trades.{list}.{at}.{field}");
                writeln!(
                    out,
                    "<tr>{}{}{}{}</tr>",
                    document.cell(&path(name), Shown::Count, ""),
                    document.cell(&path("trades"), Shown::Count, ""),
                    document.cell(&path("winners"), Shown::Count, ""),
                    document.cell(&path("profit"), Shown::Profit, "")
                )?;
            }
            close(out)
        })?;
    }
    Ok(())
}

/// Figures of merit.
pub fn scores(out: &mut String, calibration: &Calibration, document: &Document) -> fmt::Result {
    const HEADINGS: [&str; 4] =
        ["over evaluations after which the mid moved", "value", "imbalance_1 alone", "a constant base rate"];
    open(out, "table-scores", &HEADINGS)?;
    let rate = document.number("observed.calibration.score.base_rate");
    let entropy = rate.map(|p| if p > 0.0 && p < 1.0 { -(p * p.ln() + (1.0 - p) * (1.0 - p).ln()) } else { 0.0 });
    let constant = |field: &str| match field {
        "auc" => Some(0.5),
        "log_loss" => entropy,
        "brier" => rate.map(|p| p * (1.0 - p)),
        "accuracy" => rate.map(|p| p.max(1.0 - p)),
        "ece" => Some(0.0),
        _ => rate,
    };
    for (name, field) in [
        ("AUC", "auc"),
        ("log-loss", "log_loss"),
        ("Brier score", "brier"),
        ("accuracy at one half", "accuracy"),
        ("expected calibration error", "ece"),
        ("share of rises", "base_rate"),
    ] {
        let value = document.cell(&format!("observed.calibration.score.{field}"), Shown::Fixed(4), "");
        let rival = match field {
            "auc" => document.cell("observed.calibration.score.imbalance_1_auc", Shown::Fixed(4), ""),
            _ => "<td></td>".into(),
        };
        row(out, name, [value, rival, derived(constant(field), Shown::Fixed(4))])?;
        if field == "auc" && calibration.intervals.is_some() {
            let ends = |of: &str| {
                let ends = document.interval(&format!("observed.calibration.intervals.{of}"), Shown::Fixed(4));
                format!("<td class=\"n\">{}</td>", ends.unwrap_or_else(|| "–".into()))
            };
            row(out, "… 95\u{a0}% interval", [ends("auc"), ends("imbalance_1_auc"), "<td></td>".into()])?;
            row(out, "… less that of imbalance_1, 95\u{a0}% interval", [ends("difference")])?;
        }
    }
    let ties = document.cell("observed.calibration.score.tied_share", Shown::Percent(1), "");
    row(out, "share of ties, left out", [ties])?;
    close(out)?;
    let how = match (&calibration.intervals, calibration.no_interval()) {
        (_, Some(why)) => format!("The AUC has no interval: {}.", escaped(&why)),
        (None, None) => String::new(),
        (Some(_), None) => format!(
            "The intervals are from {} resamples of circular blocks of {} evaluations, {} side by side, at least ten horizons \
             long: evaluations that share part of their horizons are not independent.",
            document.span("observed.calibration.intervals.replicates", Shown::Count),
            document.span("observed.calibration.intervals.evaluations_per_block", Shown::Count),
            document.span("observed.calibration.intervals.blocks", Shown::Count)
        ),
    };
    writeln!(out, "<p class=\"note\">{how} imbalance_1 is ranked as it is and needs no fit.</p>")
}

/// What thresholds split.
pub fn thresholds(out: &mut String, calibration: &Calibration, threshold: f64) -> fmt::Result {
    open(
        out,
        "table-thresholds",
        &["threshold", "at or above", "rose", "stayed", "fell", "right", "below", "rose", "stayed", "fell", "right"],
    )?;
    split_row(out, &format!("{}, the run's", plain(threshold)), calibration.below, calibration.at_or_above)?;
    for other in THRESHOLDS.into_iter().filter(|&other| other != threshold) {
        let (below, above) = calibration.split_at(other);
        split_row(out, &other.to_string(), below, above)?;
    }
    close(out)?;
    writeln!(
        out,
        "<p class=\"note\">Right is a rise at or above the threshold and a fall below it, as a share of the evaluations with a \
         known outcome, those after which the mid stayed included.</p>"
    )
}

fn split_row(out: &mut String, name: &str, below: Outcomes, above: Outcomes) -> fmt::Result {
    let side = |side: Outcomes, right: u64| {
        let known = side.up + side.down + side.tied;
        let counts = [side.total(), side.up, side.tied, side.down];
        let share = (known > 0).then(|| right as f64 / known as f64);
        counts
            .map(|count| derived(Some(count as f64), Shown::Count))
            .into_iter()
            .chain([derived(share, Shown::Percent(1))])
    };
    row(out, name, side(above, above.up).chain(side(below, below.down)))
}

/// The stages' latencies.
pub fn stages(out: &mut String, material: &Material, document: &Document) -> fmt::Result {
    const FIELDS: [&str; 7] = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns"];
    open(out, "table-stages", &["ns", "frames", "least", "median", "90 %", "99 %", "99.9 %", "99.99 %", "greatest"])?;
    let queued = material.is_queued();
    for stage in material.stages().iter().filter(|stage| !queued || is_work(stage)) {
        let path = |field: &str| format!("timing.stages.{}.{field}", stage.stage);
        let all = if Stage::by_tag(&stage.stage).is_some_and(Stage::comprises_others) { " (all)" } else { "" };
        let times = FIELDS.map(|field| document.cell(&path(field), Shown::Nanoseconds, ""));
        let count = document.cell(&path("count"), Shown::Count, "");
        row(out, &format!("{}{all}", stage.name), [count].into_iter().chain(times))?;
    }
    close(out)?;
    if queued {
        writeln!(
            out,
            "<p class=\"note\">Work per frame, these stages added up: {} median, {} at 99 %. Waiting in the ring between the \
             threads is not shown: nothing paced the frames of this run, so that they only waited for each other. RUN.json has \
             all stages.</p>",
            document.span("timing.work.p50_ns", Shown::Time),
            document.span("timing.work.p99_ns", Shown::Time)
        )?;
    } else if material.whole() == Stage::Total {
        writeln!(out, "<p class=\"note\">{NO_ARRIVALS}</p>")?;
    }
    if material.run.is_some() {
        writeln!(
            out,
            "<p class=\"note\">A stamp costs {} ns. No stage can be measured finer than that.</p>",
            document.span("timing.stamp_floor_ns", Shown::Count)
        )?;
    }
    Ok(())
}

/// A counter's name in words, those of the terminal.
fn counter_name(field: &str) -> String {
    match field {
        "other_products_frames" => "other products' frames".into(),
        "none_book_too_thin" => "not evaluated: book too thin".into(),
        "none_warming_up" => "not evaluated: warming up".into(),
        "none_undefined" => "not evaluated: undefined".into(),
        "full_ring_waits" => "full-ring waits".into(),
        _ => field.replace('_', " "),
    }
}

/// What is counted: the title of a table, where its numbers lie, and their fields.
const COUNTERS: [(&str, &str, &[&str]); 4] = [
    (
        "Feed",
        "counters.feed",
        &[
            "messages",
            "frames",
            "snapshots",
            "level_updates",
            "prints",
            "prints_lost",
            "prints_that_came_again",
            "prints_unreadable",
            "heartbeats",
            "acknowledgements",
            "other_products_frames",
            "other_messages",
            "scale_refinements",
            "faults",
        ],
    ),
    (
        "Book",
        "counters.book",
        &[
            "frames",
            "frames_live",
            "frames_empty",
            "frames_syncing",
            "frames_invalid",
            "connections",
            "snapshots",
            "updates_passed_over",
            "crossed_or_locked",
            "window_moves",
            "rebuilt_at_finer_scale",
            "faults",
        ],
    ),
    (
        "Model and trades",
        "counters.trading",
        &[
            "evaluations",
            "none_book_too_thin",
            "none_warming_up",
            "none_undefined",
            "purchases_withheld",
            "purchases_without_asks",
            "closed_trades",
            "sold_in_part",
            "sold_late",
            "open_positions",
        ],
    ),
    ("Threads", "timing", &["full_ring_waits", "ring_high_water_events", "writer_waits"]),
];

/// What is counted of an account: fields below `counters.accounts`.
const ACCOUNT_COUNTERS: [&str; 13] = [
    "decisions",
    "sent",
    "filled",
    "cancelled",
    "refused",
    "book_crossed_or_locked",
    "book_one_sided",
    "position_limit",
    "cash_limit",
    "open_orders_limit",
    "below_the_least_size",
    "cut_by_the_cap",
    "exits_that_waited",
];

/// What is counted of the prints that makers were shown: fields below `counters.tape`.
const TAPE_COUNTERS: [&str; 6] = [
    "sides_compared",
    "sides_agreeing",
    "held_prints",
    "prints_too_late",
    "prints_without_time",
    "updates_let_go_early",
];

/// Everything that was counted.
pub fn counters(out: &mut String, material: &Material, document: &Document) -> fmt::Result {
    let Some(run) = &material.run else { return Ok(()) };
    writeln!(out, "<div class=\"columns\">")?;
    for (title, path, fields) in COUNTERS {
        writeln!(out, "<div><h3>{title}</h3>")?;
        open::<&str>(out, &path.replace('.', "-"), &[])?;
        for field in fields {
            row(out, &counter_name(field), [document.cell(&format!("{path}.{field}"), Shown::Count, "")])?;
        }
        let faults: &[FaultCount] = match path {
            "counters.feed" => &run.counters.feed.faults_by_kind,
            "counters.book" => &run.counters.book.faults_by_kind,
            _ => &[],
        };
        for (at, fault) in faults.iter().enumerate() {
            let cell = document.cell(&format!("{path}.faults_by_kind.{at}.count"), Shown::Count, "");
            row(out, &format!("· {}", fault.fault), [cell])?;
        }
        close(out)?;
        writeln!(out, "</div>")?;
    }
    if run.counters.tape.is_some() {
        writeln!(out, "<div><h3>Prints shown to makers</h3>")?;
        open::<&str>(out, "counters-tape", &[])?;
        for field in TAPE_COUNTERS {
            row(out, &counter_name(field), [document.cell(&format!("counters.tape.{field}"), Shown::Count, "")])?;
        }
        close(out)?;
        writeln!(out, "</div>")?;
    }
    for (at, account) in run.counters.accounts.iter().enumerate() {
        writeln!(out, "<div><h3>{}</h3>", escaped(&account.account))?;
        open::<&str>(out, &format!("counters-accounts-{at}"), &[])?;
        for field in ACCOUNT_COUNTERS {
            let cell = document.cell(&format!("counters.accounts.{at}.{field}"), Shown::Count, "");
            row(out, &counter_name(field), [cell])?;
        }
        close(out)?;
        writeln!(out, "</div>")?;
    }
    writeln!(out, "</div>")?;
    if !run.counters.feed.fault_notes.is_empty() {
        writeln!(out, "<h3>The first faults</h3><ul class=\"note\">")?;
        run.counters.feed.fault_notes.iter().try_for_each(|note| writeln!(out, "<li>{}</li>", escaped(note)))?;
        writeln!(out, "</ul>")?;
    }
    Ok(())
}

/// When exactly a position is sold.
fn sale_rule(lag_updates: u32) -> String {
    let (nth, before) = match lag_updates {
        1 => ("the next book update".to_string(), "the book that it was bought from".to_string()),
        n => (format!("book update {n}"), format!("the book after update {}", n - 1)),
    };
    format!(
        "when {nth} after the buy arrives, into the book before that update, which is {before}; while the book is crossed, \
         locked, one-sided or not live, what is due waits"
    )
}

/// What the run was told and where it ran.
pub fn settings(out: &mut String, material: &Material) -> fmt::Result {
    let Some(run) = &material.run else { return Ok(()) };
    let (settings, timing) = (&run.settings, &run.timing);
    let alias = run.run.streamed_as.as_ref().map(|alias| format!(" (streamed as {alias})")).unwrap_or_default();
    let features = settings.model.features.len();
    let threads = if timing.fused { "one thread" } else { "two threads" };
    let core = |thread: &str, core: Option<usize>| match core {
        Some(core) => format!("{thread} on core {core}"),
        None => format!("{thread} not pinned"),
    };
    let cores = match (timing.feed_core, timing.engine_core) {
        (None, None) => "not pinned".into(),
        (feed, engine) => format!("{}, {}", core("feed", feed), core("engine", engine)),
    };
    let fees = settings.fees.as_ref().and_then(|fees| fees.plan().ok()).map(|plan| {
        let tier = plan.first_tier();
        let source = plan.schedule.source().map_or_else(String::new, |source| format!("; {source}"));
        let traded = Shown::Money.text(plan.trailing_value);
        format!(
            "{}; maker {} bp, taker {} bp at {traded} traded before{source}",
            plan.schedule, tier.maker_bps, tier.taker_bps
        )
    });
    let mut rows = vec![
        ("product", format!("{}{alias}, tick {}, lot {}", run.run.product, run.run.tick, run.run.lot)),
        ("model", format!("{}, {features} feature{}", settings.model.path, if features == 1 { "" } else { "s" })),
        (
            "rules",
            format!(
                "buy {} at probability >= {}, sell {} {} later; horizon {} {}; fee {} bp per side",
                plain(settings.buy_amount),
                plain(settings.threshold),
                settings.lag_updates,
                things(settings.lag_updates.into(), "update"),
                settings.horizon_updates,
                things(settings.horizon_updates.into(), "update"),
                plain(settings.fee_bps)
            ),
        ),
        ("sale", sale_rule(settings.lag_updates)),
        ("threads", format!("{threads}, {cores}, wait {}", timing.wait)),
        (
            "ran for",
            format!(
                "{} s, {} frames/s",
                Shown::Fixed(3).text(timing.elapsed_s),
                Shown::Count.text(timing.frames_per_s)
            ),
        ),
    ];
    rows.extend(timing.model.map(|cost| ("evaluation", cost.to_string())));
    rows.extend(fees.map(|fees| ("fees", fees)));
    rows.extend(timing.source.iter().map(|(name, value)| (name.as_str(), value.clone())));
    if !run.run.passed_over.is_empty() {
        rows.push(("passed over", run.run.passed_over.join(", ")));
    }
    open::<&str>(out, "table-settings", &[])?;
    rows.iter().try_for_each(|(name, value)| row(out, name, [words(value)]))?;
    close(out)
}

/// How far score and features lie from the training's, the farthest feature first.
pub fn drift(out: &mut String, material: &Material, document: &Document) -> fmt::Result {
    let observed = material.run.as_ref().and_then(|run| run.observed.as_ref());
    let Some(drift) = observed.and_then(|observed| observed.drift.as_ref()) else { return Ok(()) };
    writeln!(
        out,
        "<p class=\"note\">{} Out is a window whose index is above {SHIFTED} and above twice the largest of the training's own stretches, \
         which are as long where the training is long enough; {} of {} windows are judged, those that are full.</p>",
        escaped(&drift.sentence()),
        document.span("observed.drift.windows_judged", Shown::Count),
        Shown::Count.text(drift.sequence.len() as f64)
    )?;
    let path = |quantity: &str, field: &str| format!("observed.drift.{quantity}.{field}");
    let line = |out: &mut String, name: &str, quantity: &str| {
        let cells = [
            document.cell(&path(quantity, "psi"), Shown::Fixed(3), ""),
            document.cell(&path(quantity, "psi_max_trained"), Shown::Fixed(3), ""),
            document.cell(&path(quantity, "windows_out"), Shown::Count, ""),
        ];
        row(out, name, cells)
    };
    folded(out, "Table of drift", |out| {
        let headings =
            ["population stability index", "of the run", "largest of the training's stretches", "windows out"];
        open(out, "table-drift", &headings)?;
        line(out, "score", "score")?;
        for at in drift.farthest() {
            line(out, &drift.features[at].name, &format!("features.{at}"))?;
        }
        close(out)
    })
}

/// What the model looks at.
pub fn features(out: &mut String, material: &Material) -> fmt::Result {
    let facts = feature_facts(material);
    if facts.is_empty() {
        return Ok(());
    }
    if let Some(observed) = material.run.as_ref().and_then(|run| run.observed.as_ref()) {
        writeln!(
            out,
            "<p class=\"note\">This run's means and deviations are those of {} evaluations, one in {}.</p>",
            Shown::Count.text(observed.features.rows as f64),
            observed.features.every
        )?;
    }
    const HEADINGS: [&str; 8] = [
        "feature",
        "coefficient",
        "per deviation",
        "training mean",
        "training deviation",
        "run's mean",
        "run's deviation",
        "drift",
    ];
    folded(out, "Table of features", |out| {
        open(out, "table-features", &HEADINGS)?;
        facts.into_iter().try_for_each(|facts| feature_row(out, &facts))?;
        close(out)
    })
}

fn feature_row(out: &mut String, facts: &FeatureFacts) -> fmt::Result {
    let values = [
        facts.coefficient,
        facts.standardised_weight,
        facts.trained_mean,
        facts.trained_scale,
        facts.mean,
        facts.standard_deviation,
        facts.drift,
    ];
    let cell = |value: Option<f64>| {
        let attribute = value.map(|value| format!(" data-value=\"{}\"", serde_json::json!(value))).unwrap_or_default();
        format!("<td class=\"n\"{attribute}>{}</td>", Shown::Figures.text_of(value))
    };
    row(out, &facts.name, values.map(cell))
}
