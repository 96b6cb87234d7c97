//! Whether a run could have written a file: what the report relies on. Types and finite numbers are the reader's affair.

use super::{RunFile, Settings};
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use crate::engine::latency::Stage;
use crate::run::observe::{Calibration, DRIFT_WINDOWS, Drift, Outcomes, QuantityDrift, Series, Slices, outcomes_of};
use crate::run::stage_facts::StageFacts;

/// No count is larger, far more than a run of ten years at a million frames a second: sums of counts do not overflow.
const COUNT_MAX: u64 = 1 << 50;
/// No more bins of probability than this.
const BINS_MAX: usize = 1 << 20;
/// No price is larger: differences and means stay finite.
const VALUE_MAX: f64 = 1e50;
/// The largest fee per side, either way, in basis points.
const FEE_BPS_MAX: f64 = 10_000.0;

/// What is impossible, and why.
pub fn check<T>(run: &RunFile<T>) -> Result<(), String> {
    settings(&run.settings)?;
    run.timing.stages.iter().try_for_each(stage)?;
    let Some(observed) = &run.observed else { return Ok(()) };
    calibration(&observed.calibration).map_err(|what| format!("observed.calibration.{what}"))?;
    if let Some(found) = &observed.drift {
        drift(found).map_err(|what| format!("observed.drift.{what}"))?;
    }
    series(&observed.book).map_err(|what| format!("observed.book.{what}"))
}

fn must(good: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(what()) }
}

fn is_share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

fn settings(Settings { threshold, buy_amount, fee_bps, fees, .. }: &Settings) -> Result<(), String> {
    must(is_share(*threshold), || format!("settings.threshold is {threshold}; a probability lies from 0 to 1"))?;
    must(*buy_amount > 0.0, || format!("settings.buy_amount is {buy_amount}; an amount is above 0"))?;
    must(fee_bps.abs() <= FEE_BPS_MAX, || {
        format!("settings.fee_bps is {fee_bps}; a fee lies from -{FEE_BPS_MAX} to {FEE_BPS_MAX}")
    })?;
    let Some(fees) = fees else { return Ok(()) };
    fees.plan().map(|_| ()).map_err(|what| format!("settings.fees: {what}"))
}

fn stage(StageFacts { stage, count, curve, .. }: &StageFacts) -> Result<(), String> {
    let known = Stage::ALL.iter().any(|known| known.tag() == stage);
    must(known, || format!("timing.stages has a stage '{}'", quote(stage, QUOTE_CHARS_MAX)))?;
    must(*count <= COUNT_MAX, || format!("timing.stages.{stage}.count is {count}; no run has so many frames"))?;
    must(curve.iter().all(|&(quantile, _)| is_share(quantile)), || {
        format!("timing.stages.{stage}.curve has a quantile that is not from 0 to 1")
    })
}

fn calibration(calibration: &Calibration) -> Result<(), String> {
    let Calibration { outcomes, at_or_above, below, reliability, bin_count, bins, logit_bins, .. } = calibration;
    must((1..=BINS_MAX).contains(bin_count), || format!("bin_count is {bin_count}; it lies from 1 to {BINS_MAX}"))?;
    let in_order = |numbers: &mut dyn Iterator<Item = i128>| numbers.is_sorted_by(|a, b| a < b);
    must(in_order(&mut bins.iter().map(|bin| bin[0].into())), || "bins are not in order".into())?;
    must(bins.last().is_none_or(|bin| bin[0] < *bin_count as u64), || {
        format!("bins has one beyond bin_count, which is {bin_count}")
    })?;
    must(in_order(&mut logit_bins.iter().map(|bin| bin.0.into())), || "logit_bins are not in order".into())?;
    let few = |counts: &[u64]| {
        counts.iter().try_fold(0_u64, |sum, &count| sum.checked_add(count).filter(|&sum| sum <= COUNT_MAX))
    };
    let each = |&Outcomes { up, down, tied, unknown }: &Outcomes| [up, down, tied, unknown];
    let in_bins: Vec<u64> = bins.iter().map(outcomes_of).flat_map(|outcomes| each(&outcomes)).collect();
    let in_logit_bins: Vec<u64> = logit_bins.iter().flat_map(|&(_, up, down)| [up, down]).collect();
    for (name, counts) in [
        ("outcomes", &each(outcomes)[..]),
        ("at_or_above", &each(at_or_above)),
        ("below", &each(below)),
        ("bins", &in_bins),
        ("logit_bins", &in_logit_bins),
    ] {
        must(few(counts).is_some(), || format!("{name} counts more evaluations than any run has"))?;
    }
    slices(&calibration.slices)?;
    let Calibration { intervals, .. } = calibration;
    let ends = intervals.iter().flat_map(|intervals| [intervals.auc, intervals.imbalance_1_auc]).flatten();
    must(ends.flat_map(|ends| [ends.low, ends.high]).all(is_share), || {
        "intervals has an area that is not from 0 to 1".into()
    })?;
    must(few(&in_bins) == few(&each(outcomes)), || "bins do not add up to outcomes".into())?;
    let shares = |from: f64, others: [Option<f64>; 2]| is_share(from) && others.into_iter().flatten().all(is_share);
    let good = reliability.iter().all(|row| shares(row.from, [row.mean_probability, row.up_share]));
    must(good, || "reliability has a share that is not from 0 to 1".into())
}

fn drift(found: &Drift) -> Result<(), String> {
    let Drift { evaluations_per_window, sequence, ts_recv_ns, windows_full, windows_judged, .. } = found;
    must((1..=COUNT_MAX).contains(evaluations_per_window), || {
        format!("evaluations_per_window is {evaluations_per_window}; a window has at least 1")
    })?;
    let windows = sequence.len();
    let counts_fit = windows_judged <= windows_full && *windows_full <= windows && windows <= DRIFT_WINDOWS;
    must(counts_fit && ts_recv_ns.len() == windows, || {
        format!(
            "sequence has {windows} entries, ts_recv_ns {}; windows_full is {windows_full} and windows_judged {windows_judged}",
            ts_recv_ns.len()
        )
    })?;
    must(sequence.is_sorted(), || "sequence falls".into())?;
    for QuantityDrift { name, psi, psi_max_trained, windows: of_windows, windows_out, .. } in found.all() {
        let name = quote(name, QUOTE_CHARS_MAX);
        must(of_windows.len() == windows && windows_out <= windows_judged, || {
            format!("{name} has {} windows, {windows_out} of them out, where sequence has {windows}", of_windows.len())
        })?;
        let mut all = of_windows.iter().chain([psi, psi_max_trained]).flatten();
        must(all.all(|psi| (0.0..=VALUE_MAX).contains(psi)), || format!("{name} has an index below 0"))?;
    }
    Ok(())
}

fn slices(Slices { up, down, model, imbalance_1, .. }: &Slices) -> Result<(), String> {
    for (name, length) in [
        ("down", down.len()),
        ("model.up", model.up.len()),
        ("model.down", model.down.len()),
        ("imbalance_1.up", imbalance_1.up.len()),
        ("imbalance_1.down", imbalance_1.down.len()),
    ] {
        must(length == up.len(), || format!("slices.{name} has {length} entries, where slices.up has {}", up.len()))?;
    }
    Ok(())
}

fn series(Series { sequence, ts_recv_ns, frames, mid, spread, imbalance, .. }: &Series) -> Result<(), String> {
    for (name, length) in [
        ("ts_recv_ns", ts_recv_ns.len()),
        ("frames", frames.len()),
        ("mid", mid.len()),
        ("spread", spread.len()),
        ("imbalance", imbalance.len()),
    ] {
        must(length == sequence.len(), || {
            format!("{name} has {length} entries, where sequence has {}", sequence.len())
        })?;
    }
    must(sequence.is_sorted(), || "sequence falls".into())?;
    for (name, column) in [("mid", mid), ("spread", spread), ("imbalance", imbalance)] {
        let good = column.iter().all(|extent| <[f64; 5]>::from(*extent).iter().all(|value| value.abs() <= VALUE_MAX));
        must(good, || format!("{name} has a value beyond {VALUE_MAX:e}"))?;
    }
    Ok(())
}
