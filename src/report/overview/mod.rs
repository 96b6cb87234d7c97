//! Several strategies of one session: which did best, how sure that is, and what having tried so many means.
//!
//! ```
//! use papertrader::report::overview::chance_above_zero;
//!
//! // Each of eight strategies without an edge has one chance in forty that its 95 % interval lies above zero.
//! assert!((chance_above_zero(8) - 0.183).abs() < 1e-3);
//! assert_eq!(chance_above_zero(1), 0.025000000000000022);
//! ```

mod page;

use super::html::finding;
use super::run_file::text_of;
use super::terminal::{Run, RunReport};
use super::text::{basis_points, signed};
use super::trades::{Finding, TradeNumbers};
use crate::run::session::SessionReport;
use crate::statistics::bootstrap::Interval;
use serde::Serialize;
use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

/// The name of the format.
pub const SCHEMA: &str = "papertrader.overview";
/// Its version.
pub const SCHEMA_VERSION: u32 = 1;

/// The chance that at least one of so many independent strategies without an edge has a 95 % interval above zero.
pub fn chance_above_zero(strategies: usize) -> f64 {
    1.0 - 0.975_f64.powi(i32::try_from(strategies).unwrap_or(i32::MAX))
}

/// A strategy of the session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name; in a session of several products with what it trades, unless it is named so.
    pub name: String,
    /// What it trades.
    #[serde(skip)]
    product: String,
    /// From 1, by the net profit per trade at the fee of the verdict. Strategies whose trades are too few come last.
    pub rank: usize,
    /// Its model's file.
    pub model: String,
    /// The probability from which it buys.
    pub threshold: f64,
    /// How long it holds, in updates.
    pub lag_updates: u32,
    /// Quote currency per purchase.
    pub buy_amount: f64,
    /// Accounts beside the original's.
    pub executions: Vec<&'static str>,
    /// Closed trades.
    pub trades: u64,
    /// Positions still open.
    pub open_positions: usize,
    /// Winners over trades.
    pub win_rate: Option<f64>,
    /// Quote currency spent.
    pub bought: f64,
    /// Quote currency, before fees.
    pub gross_profit: f64,
    /// Gross profit per trade, basis points of what was bought.
    pub gross_bps: Option<f64>,
    /// Fee per side, basis points.
    pub fee_bps: f64,
    /// Quote currency, after fees.
    pub net_profit: f64,
    /// The fee per side at which nothing is won or lost, basis points.
    pub break_even_fee_bps: Option<f64>,
    /// The fee per side at which strategies are ranked, basis points: theirs, but no less than the lowest that a venue publishes.
    pub verdict_fee_bps: f64,
    /// Net profit per trade at it, basis points of what was bought.
    pub verdict_bps: Option<f64>,
    /// Its 95 % interval, if there is one.
    pub verdict_interval: Option<Interval>,
    /// What may be said of it.
    pub finding: Finding,
    /// What is said before all else where its model was trained on what it trades, or its file does not tell.
    pub in_sample: Option<String>,
    /// The page of its own, beside this one.
    pub page: Option<String>,
    /// What may be said of it, in a sentence.
    #[serde(skip)]
    sentence: String,
    #[serde(skip)]
    files: Vec<PathBuf>,
}

impl Row {
    fn new<O>(name: &str, run: &Run<'_>, session: &SessionReport<O>, numbers: &TradeNumbers) -> Self {
        let strategy = &run.settings.strategy;
        let trader = session.strategy(run.strategy).trader;
        let page = run.files.report.as_ref().and_then(|report| report.html.file_name());
        let accounts = strategy.accounts.iter().flat_map(|accounts| &accounts.kinds);
        Self {
            name: name.into(),
            product: run.product.into(),
            rank: 0,
            model: strategy.model.path.display().to_string(),
            threshold: run.settings.threshold,
            lag_updates: strategy.rules.lag_updates,
            buy_amount: strategy.rules.buy_amount,
            executions: accounts.map(|kind| kind.name()).collect(),
            trades: numbers.trades,
            open_positions: trader.open_positions,
            win_rate: numbers.win_rate,
            bought: numbers.bought,
            gross_profit: numbers.gross_profit,
            gross_bps: numbers.gross_bps,
            fee_bps: numbers.fee_bps,
            net_profit: numbers.net_profit,
            break_even_fee_bps: numbers.break_even_fee_bps,
            verdict_fee_bps: numbers.verdict_fee_bps,
            verdict_bps: numbers.verdict_bps,
            verdict_interval: numbers.interval.and_then(|interval| interval.verdict_bps),
            finding: numbers.finding,
            in_sample: run.in_sample.clone(),
            page: page.map(|page| page.to_string_lossy().into_owned()),
            sentence: finding(numbers),
            files: vec![run.files.csv.clone()],
        }
    }

    fn name_product(&mut self) {
        if self.name != self.product {
            self.name = format!("{} ({})", self.name, self.product);
        }
    }

    /// What tells too little comes last.
    fn order(&self, other: &Self) -> Ordering {
        let tells_nothing = |row: &Self| matches!(row.finding, Finding::NoTrades | Finding::TooFew);
        let profit = |row: &Self| row.verdict_bps.unwrap_or(f64::NEG_INFINITY);
        let by_finding = tells_nothing(self).cmp(&tells_nothing(other));
        by_finding.then(profit(other).total_cmp(&profit(self))).then_with(|| self.name.cmp(&other.name))
    }
}

/// All strategies of a session, the best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Overview {
    schema: &'static str,
    schema_version: u32,
    program_version: &'static str,
    /// What ran.
    pub title: String,
    /// What was traded.
    pub product: String,
    /// Whether it was stopped before the end of its source.
    pub stopped: bool,
    /// What ended it, if that was a fault.
    pub fault: Option<String>,
    /// How many strategies were tried in this session.
    pub tried: usize,
    /// [`chance_above_zero`] of them.
    pub chance_of_an_interval_above_zero: f64,
    /// The strategies by their ranks.
    pub strategies: Vec<Row>,
}

impl Overview {
    /// Of the strategies that a session ran, each with its name, its run and what its page was made from; `fault` being what ended it
    /// if that was one.
    pub fn new<'a, O>(
        title: &str,
        strategies: impl IntoIterator<Item = (&'a str, &'a Run<'a>, &'a TradeNumbers)>,
        session: &SessionReport<O>,
        fault: Option<&str>,
    ) -> Self {
        let mut products: Vec<&str> = Vec::new();
        let mut rows = Vec::new();
        let mut stopped = false;
        for (name, run, numbers) in strategies {
            stopped |= run.stopped;
            if !products.contains(&run.product) {
                products.push(run.product);
            }
            rows.push(Row::new(name, run, session, numbers));
        }
        if products.len() > 1 {
            rows.iter_mut().for_each(Row::name_product);
        }
        let fault = fault.map(Into::into);
        Self { stopped, fault, ..Self::of_rows(title, &products.join(", "), rows) }
    }

    fn of_rows(title: &str, product: &str, mut rows: Vec<Row>) -> Self {
        rows.sort_by(Row::order);
        rows.iter_mut().zip(1..).for_each(|(row, rank)| row.rank = rank);
        Self {
            schema: SCHEMA,
            schema_version: SCHEMA_VERSION,
            program_version: env!("CARGO_PKG_VERSION"),
            title: title.into(),
            product: product.into(),
            stopped: false,
            fault: None,
            tried: rows.len(),
            chance_of_an_interval_above_zero: chance_above_zero(rows.len()),
            strategies: rows,
        }
    }

    /// For machines.
    pub fn json(&self) -> String {
        text_of(self)
    }

    /// For people.
    pub fn page(&self) -> String {
        page::page(self)
    }

    /// What is said before all else: how the session ended, and what was in sample.
    fn remarks(&self) -> Vec<String> {
        let stopped = self.stopped.then(|| "The session was stopped before the end of its source.".to_owned());
        let fault = self.fault.as_ref().map(|fault| format!("The session ended with a fault: {fault}"));
        fault.into_iter().chain(stopped).chain(self.in_samples()).collect()
    }

    /// What is said before all else of strategies whose model was trained on what they trade, once for those of which the same is
    /// said.
    fn in_samples(&self) -> Vec<String> {
        let mut sentences: Vec<(&str, Vec<&str>)> = Vec::new();
        for row in &self.strategies {
            let Some(sentence) = row.in_sample.as_deref() else { continue };
            match sentences.iter_mut().find(|(known, _)| *known == sentence) {
                Some((_, names)) => names.push(&row.name),
                None => sentences.push((sentence, vec![&row.name])),
            }
        }
        sentences.into_iter().map(|(sentence, names)| format!("{}: {sentence}", names.join(", "))).collect()
    }

    /// What may be said of all of them.
    pub fn verdict(&self) -> Vec<String> {
        let Some(best) = self.strategies.first() else { return Vec::new() };
        let gains = self.strategies.iter().filter(|row| row.finding == Finding::Gain).count();
        let tried = format!("{} {}", self.tried, if self.tried == 1 { "strategy" } else { "strategies" });
        let first = match gains {
            0 => format!("None of {tried} shows a gain after fees. The best by net profit per trade is {}.", best.name),
            gains => format!("{gains} of {tried} {} a gain after fees; the best is {}.", shows(gains), best.name),
        };
        let chance = 100.0 * self.chance_of_an_interval_above_zero;
        let luck = format!(
            "{tried} were tried in this session. Among so many independent ones without any edge, at least one has a \
             95\u{a0}% interval above zero with a probability of {chance:.0} %: judge the best by data that it was not chosen on."
        );
        let by_original = self.strategies.iter().any(|row| !row.executions.is_empty()).then(|| {
            "The ranks are by the original's execution, which fills at once. What takers and makers earned stands on each strategy's page."
                .to_owned()
        });
        [first, format!("{}: {}", best.name, best.sentence), luck].into_iter().chain(by_original).collect()
    }
}

fn shows(count: usize) -> &'static str {
    if count == 1 { "shows" } else { "show" }
}

/// The session and its strategies for a terminal.
#[derive(Debug)]
pub struct OverviewText<'a> {
    /// The strategies.
    pub overview: &'a Overview,
    /// Each product's part of the report, from the run of any of its strategies.
    pub products: Vec<RunReport<'a>>,
    /// What was written for all of them.
    pub files: &'a [PathBuf],
}

impl Display for OverviewText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { overview, products, files } = self;
        overview.remarks().iter().try_for_each(|sentence| writeln!(f, "{sentence}"))?;
        RunReport::session(f, &overview.title, overview.tried, products)?;
        writeln!(f, "\nstrategies, by net profit per trade at the verdict's fee")?;
        let width = overview.strategies.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(8);
        let heads = ["trades", "gross, bp", "fee, bp", "net, bp", "95 % interval"];
        let [trades, gross, fee, net, interval] = heads;
        writeln!(f, "  {:>3} {:<width$} {trades:>9} {gross:>10} {fee:>8} {net:>10}  {interval}", "", "strategy")?;
        for row in &overview.strategies {
            let bps = |value: Option<f64>| value.map_or_else(|| "–".into(), |bps| signed(bps, &basis_points(bps)));
            let interval = row.verdict_interval.map_or_else(
                || "none".into(),
                |Interval { low, high }| format!("{} to {}", bps(Some(low)), bps(Some(high))),
            );
            let (rank, name, trades) = (row.rank, &row.name, row.trades);
            let [gross, fee, net] = [bps(row.gross_bps), basis_points(row.verdict_fee_bps), bps(row.verdict_bps)];
            writeln!(f, "  {rank:>3} {name:<width$} {trades:>9} {gross:>10} {fee:>8} {net:>10}  {interval}")?;
        }
        writeln!(f, "\nin short")?;
        overview.verdict().iter().try_for_each(|sentence| writeln!(f, "  {sentence}"))?;
        writeln!(f, "\nwrote")?;
        let logs = overview.strategies.iter().flat_map(|row| &row.files);
        files.iter().chain(logs).try_for_each(|path| writeln!(f, "  {}", path.display()))
    }
}

#[cfg(test)]
mod tests;
