//! The verdict as text.

use super::numbers::SweepReport;
use crate::base::one_line::OneLine;
use crate::report::chart::axis::fixed;
use crate::report::text::{Grouped, Names, counted};
use std::fmt::{self, Display, Write};

/// The lines.
pub fn terminal(report: &SweepReport) -> String {
    let mut out = String::new();
    write(&mut out, report).expect("a String takes every character");
    out
}

fn sentence(out: &mut String, text: &str) -> fmt::Result {
    // Names come from files: they give a terminal no commands.
    OneLine(&mut *out).write_str(text)?;
    out.push('\n');
    Ok(())
}

fn write(out: &mut String, report: &SweepReport) -> fmt::Result {
    writeln!(out, "in short")?;
    let verdict = &report.verdict;
    verdict.in_sample.iter().chain(&verdict.sentences).try_for_each(|text| sentence(out, &format!("  {text}")))?;
    let counts = &report.counts;
    let line = |out: &mut String, name: &str, value: &dyn Display| Names::RUN.line(out, name, value);
    let broken = match counts.captures_broken {
        0 => String::new(),
        broken => format!(", {broken} more could not be read to the end"),
    };
    line(
        out,
        "settings tried",
        &format_args!(
            "{}, {} of them with trades, over {}{broken}",
            Grouped(counts.settings as u64),
            Grouped(counts.settings_traded as u64),
            counted(counts.captures as u64, "capture")
        ),
    )?;
    if let Some(deflated) = &report.deflated
        && counts.settings > 1
    {
        line(
            out,
            "deflated Sharpe ratio",
            &format_args!(
                "{}; {} if each setting were an independent trial; worth {} independent trials",
                fixed(deflated.probability, 3),
                fixed(deflated.probability_all, 3),
                fixed(deflated.effective_trials, 1)
            ),
        )?;
    }
    if let Some(halves) = &report.cross_validation {
        line(
            out,
            "backtest overfitting",
            &format_args!(
                "probability {}, by {}",
                fixed(halves.probability, 3),
                counted(halves.splits as u64, "split")
            ),
        )?;
    }
    if let Some(check) = &report.reality_check {
        line(
            out,
            "reality check",
            &format_args!(
                "p {} (Hansen), {} (White), by {}",
                fixed(check.spa.consistent, 4),
                fixed(check.white, 4),
                counted(check.replicates.into(), "resample")
            ),
        )?;
    }
    Ok(())
}
