//! A report for people without a browser: a few lines with sparklines.
//!
//! ```
//! use papertrader::report::material::Material;
//! use papertrader::report::summary::Summary;
//!
//! let folder = tempfile::tempdir()?;
//! let csv = folder.path().join("run.csv");
//! let rows = "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit\n0,20,100,101,1,1\n";
//! std::fs::write(&csv, rows)?;
//! let material = Material::read(&csv)?;
//! assert!(Summary(&material).to_string().lines().all(|line| line.starts_with("  ")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::executions::Open;
use super::html::{Shown, break_even, doubts_in_text, finding};
use super::material::Material;
use super::run_file::Work;
use super::text::{Names, counted};
use crate::run::observe::Drift;
use std::fmt::{self, Display, Formatter};

/// Characters of a sparkline.
const WIDTH: usize = 48;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Values as a row of blocks, from their least to their greatest.
fn sparkline(values: impl IntoIterator<Item = f64>) -> String {
    let values: Vec<f64> = values.into_iter().collect();
    let (low, high) = super::chart::axis::extent(values.iter().copied());
    let block = |value: f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.0 };
        BLOCKS[((share * BLOCKS.len() as f64) as usize).min(BLOCKS.len() - 1)]
    };
    values.into_iter().map(block).collect()
}

/// Cuts a list into at most `WIDTH` successive parts of nearly equal length.
fn parts<T>(list: &[T]) -> impl Iterator<Item = &[T]> {
    let count = list.len().min(WIDTH);
    (0..count).map(move |part| &list[part * list.len() / count..(part + 1) * list.len() / count])
}

/// The lines, each indented by two.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a>(pub &'a Material);

impl Summary<'_> {
    fn profit(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let profits = &self.0.table.profit;
        if profits.is_empty() {
            return Ok(());
        }
        let sums: Vec<f64> = profits
            .iter()
            .scan(0.0, |sum, profit| {
                *sum += profit;
                Some(*sum)
            })
            .collect();
        let ends = parts(&sums).map(|part| part[part.len() - 1]);
        let (low, high) = super::chart::axis::extent(sums.iter().copied());
        let money = |value: f64| Shown::Profit.text(value);
        line(f, "cumulative profit", &sparkline(ends), &format!("{} to {} quote, gross", money(low), money(high)))
    }

    /// A line per account below a line of names.
    fn executions(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(numbers) = self.0.executions.as_ref().filter(|numbers| !numbers.accounts.is_empty()) else {
            return Ok(());
        };
        let line = |f: &mut Formatter<'_>, cells: [&str; 7]| {
            let [account, legs, rate, gross, net, maker, taker] = cells;
            writeln!(f, "  {account:<14} {legs:>9} {rate:>9} {gross:>10} {net:>32} {maker:>16} {taker:>16}")
        };
        let names = ["net bp [95 % interval]", "break-even maker", "break-even taker"];
        line(f, ["executions", "legs", "fill rate", "gross bp", names[0], names[1], names[2]])?;
        let bps = |value| Shown::SignedBasisPoints.text_of(value);
        for account in &numbers.accounts {
            let sure = account.interval.and_then(|interval| interval.net_bps);
            let sure =
                sure.map_or_else(String::new, |sure| format!(" [{}, {}]", bps(Some(sure.low)), bps(Some(sure.high))));
            let (maker, taker) = (account.break_even_maker_bps, account.break_even_taker_bps);
            let cells = [
                account.account.name().to_string(),
                Shown::Count.text(account.legs as f64),
                Shown::Percent(1).text_of(account.fill_rate),
                bps(account.gross_bps),
                format!("{}{sure}", bps(account.net_bps)),
                Shown::BasisPoints.text_of(maker),
                Shown::BasisPoints.text_of(taker),
            ];
            line(f, cells.each_ref().map(String::as_str))?;
        }
        for account in numbers.accounts.iter().filter(|account| account.open_legs > 0) {
            let both = [account.open_long, account.open_short].into_iter().filter(|open| open.legs > 0);
            let sum = |of: fn(&Open) -> Option<f64>| both.clone().map(|open| of(&open)).sum::<Option<f64>>();
            let marks = [("the mid", sum(|open| open.mark_mid)), ("a walk of the book", sum(|open| open.mark_walk))];
            let marks = marks.map(|(by, worth)| {
                let worth = worth.map_or_else(|| "not known".into(), |worth| Shown::Money.text(worth));
                format!("{worth} by {by}")
            });
            let (name, open) = (account.account.name(), counted(account.open_legs, "leg"));
            let cost = Shown::Money.text_of(sum(|open| Some(open.entry_value)));
            writeln!(
                f,
                "  {name}: {open} open at the end, in no profit: entered for {cost}, worth {}",
                marks.join(", ")
            )?;
        }
        numbers.rebates_alone().map_or(Ok(()), |sentence| writeln!(f, "  {sentence}"))
    }

    fn drift(&self) -> Option<&Drift> {
        self.0.run.as_ref()?.observed.as_ref()?.drift.as_ref()
    }

    fn probabilities(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let observed = self.0.run.as_ref().and_then(|run| run.observed.as_ref());
        let Some(calibration) = observed.map(|observed| &observed.calibration) else { return Ok(()) };
        let (Some(first), Some(last)) = (calibration.bins.first(), calibration.bins.last()) else { return Ok(()) };
        let (first, bins) = (first[0], last[0] - first[0] + 1);
        let width = bins.div_ceil(WIDTH as u64);
        let mut counts = vec![0; bins.div_ceil(width) as usize];
        for &[bin, up, down, tied, unknown] in &calibration.bins {
            counts[((bin - first) / width) as usize] += up + down + tied + unknown;
        }
        let share = |bin: u64| Shown::Fixed(3).text(bin as f64 / calibration.bin_count as f64);
        let auc = calibration.auc_sentence().map_or_else(String::new, |auc| format!(", {auc}"));
        let range = format!("{} to {}{auc}", share(first), share(first + bins));
        line(f, "probabilities", &sparkline(counts.into_iter().map(|count| count as f64)), &range)
    }

    fn latency(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_queued() {
            return self.work(f);
        }
        let Some(log) = self.0.latency.as_ref().filter(|log| !log.intervals.is_empty()) else { return Ok(()) };
        // The worst of each part; logarithms, as in the pictures.
        let worst =
            |part: &[crate::run::latency_log::LatencyInterval]| part.iter().map(|one| one.p99_ns).max().unwrap_or(0);
        let values: Vec<u64> = parts(&log.intervals).map(worst).collect();
        let (low, high) = super::chart::axis::extent(values.iter().map(|&ns| ns as f64));
        let mut range = Shown::Time.text(low);
        if high > low {
            range = format!("{range} to {}", Shown::Time.text(high));
        }
        line(f, "latency, 99 %", &sparkline(values.iter().map(|&ns| (ns.max(1) as f64).ln())), &range)
    }
}

impl Summary<'_> {
    /// Of a run at full speed, whose latency over time is the length of its queue.
    fn work(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(work) = Work::of(self.0.stages()) else { return Ok(()) };
        let [p50, p99] = [work.p50_ns, work.p99_ns].map(|ns| Shown::Time.text(ns as f64));
        let text =
            format_args!("{p50} median, {p99} 99 %, stages added up; waiting is not shown, nothing paced this run");
        Names::RUN.line(f, "work per frame", text)
    }
}

fn line(f: &mut Formatter<'_>, name: &str, blocks: &str, range: &str) -> fmt::Result {
    Names::RUN.line(f, name, format_args!("{blocks}  {range}"))
}

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let numbers = &self.0.numbers;
        if let Some(sentence) = self.0.in_sample() {
            writeln!(f, "  {sentence}")?;
        }
        if let Some(sentence) = break_even(numbers) {
            writeln!(f, "  {sentence}")?;
        }
        writeln!(f, "  {}", finding(numbers))?;
        for sentence in doubts_in_text(numbers) {
            writeln!(f, "  {sentence}")?;
        }
        let drift = self.drift();
        if let Some(drift) = drift.filter(|drift| drift.out_of_depth == Some(true)) {
            writeln!(f, "  {}", drift.sentence())?;
        }
        self.executions(f)?;
        self.profit(f)?;
        self.probabilities(f)?;
        if let Some((drift, psi)) = drift.and_then(|drift| Some((drift, drift.score.psi?))) {
            let windows = drift.shown(&drift.score).iter().flatten().copied();
            let (low, high) = super::chart::axis::extent(windows.clone());
            let index = |psi: f64| Shown::Fixed(3).text(psi);
            let range = format!("PSI {} to {}, over the run {}", index(low), index(high), index(psi));
            line(f, "drift of the score", &sparkline(windows), &range)?;
        }
        self.latency(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_is_low_and_the_greatest_is_high() {
        assert_eq!(sparkline([0.0, 0.5, 1.0]), "▁▅█");
        assert_eq!(sparkline([3.0, 3.0]), "▁▁");
        assert_eq!(sparkline([]), "");
    }

    #[test]
    fn parts_are_all_of_a_list() {
        for count in [0, 1, WIDTH - 1, WIDTH, 1_000] {
            let list: Vec<usize> = (0..count).collect();
            assert_eq!(parts(&list).flatten().copied().collect::<Vec<_>>(), list);
            assert!(parts(&list).count() <= WIDTH && parts(&list).all(|part| !part.is_empty()));
        }
    }
}
