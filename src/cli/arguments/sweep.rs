//! What a sweep is told: the grid, and what becomes of it.

use super::execution::{AccountArgs, parse_latency};
use super::fees::FeeArgs;
use super::market::MarketArgs;
use super::model::ModelArgs;
use super::trading::{BUY_AMOUNT, parse_amount, parse_name, parse_product, parse_threshold};
use crate::execution::rules::LAG_MAX;
use crate::market::units::parse_step;
use crate::sweep::grid;
use crate::sweep::result::{Execution, SLICES, SLICES_MAX};
use clap::Args;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

/// Arguments of `papertrader sweep`.
#[derive(Clone, Debug, Args)]
pub struct SweepArgs {
    /// Recorded markets, of any format, each of its own; folders and patterns stand for their files
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Product to trade [default: the first in each capture]
    #[arg(long, value_name = "NAME", value_parser = parse_product)]
    pub product: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: MarketArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub grid: GridArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub fees: FeeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub of_accounts: AccountArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub of_model: ModelArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub results: SweepResultArgs,
}

/// What is combined. A LIST is values and ranges FROM:TO:STEP, separated by commas.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Grid")]
pub struct GridArgs {
    /// Model files; give several, or the option several times
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub model: Vec<PathBuf>,
    /// Buy when the model's probability is at least this: values and ranges, such as 0.5:0.9:0.05 [default: each model file's,
    /// else 0.6]
    #[arg(long, value_name = "LIST", value_parser = parse_thresholds)]
    pub threshold: Option<List<f64>>,
    /// Holding periods in book updates: values and ranges, such as 5,10:50:10 [default: each model file's horizon, else 20]
    #[arg(long, value_name = "LIST", value_parser = parse_lags)]
    pub lag: Option<List<u32>>,
    /// Quote currency spent per purchase: values and ranges
    #[arg(long, value_name = "LIST", default_value_t = List(vec![BUY_AMOUNT]), value_parser = parse_amounts)]
    pub buy_amount: List<f64>,
    /// Who trades: original, taker, maker-through, maker-queue, maker-touch; maker is the three
    #[arg(long, value_name = "LIST", default_value = "original", value_parser = parse_executions)]
    pub execution: List<Execution>,
    /// Times from a decision to the venue, such as none,250us,5ms, for all but the original, whose orders act in the deciding
    /// instant [default: none]
    #[arg(long, value_name = "LIST", value_parser = parse_latencies)]
    pub order_latency: Option<List<Option<i64>>>,
    /// The price step, a power of ten such as 0.01 [default: what the first snapshot needs]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub tick_size: Option<u8>,
    /// The quantity step, a power of ten such as 0.00000001 [default: what the first snapshot needs]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub lot_size: Option<u8>,
    /// Sweep more than 10,000 rows, settings times captures
    #[arg(long)]
    pub yes: bool,
}

/// Where the results go, and how much of them.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Results")]
pub struct SweepResultArgs {
    /// Folder for the table NAME.sweep.csv and .parquet, the page .html, and .json and .report.json for machines
    #[arg(long, value_name = "FOLDER", default_value = "simulations")]
    pub out: PathBuf,
    /// Name of the files in it, without ending [default: start time]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub name: Option<String>,
    /// Replace files that exist
    #[arg(long, conflicts_with = "resume")]
    pub force: bool,
    /// Go on with the sweep of that name that was stopped, or in which captures broke
    #[arg(long, requires = "name")]
    pub resume: bool,
    /// Keep the logs of every setting over every capture as a replay writes them: NAME.sweep.logs/CAPTURE-SETTING.csv
    #[arg(long)]
    pub keep_logs: bool,
    /// Equal slices of each capture's time, for which net profit is kept
    #[arg(long, value_name = "N", default_value_t = SLICES, value_parser = clap::value_parser!(u32).range(1..=i64::from(SLICES_MAX)))]
    pub slices: u32,
    /// Threads [default: the cores that the process may use]; rows do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// Values in one argument.
#[derive(Clone, Debug, PartialEq)]
pub struct List<T>(pub Vec<T>);

impl<T: Display> Display for List<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, value) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Numbers and ranges, each of which `read` reads as an option of one value would.
fn parse_list<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<List<T>, String> {
    let values = grid::values(text).map_err(|error| error.to_string())?;
    let read = |value: &f64| read(&value.to_string()).map_err(|what| format!("{value}: {what}"));
    values.iter().map(read).collect::<Result<_, _>>().map(List)
}

fn parse_thresholds(text: &str) -> Result<List<f64>, String> {
    parse_list(text, parse_threshold)
}

fn parse_amounts(text: &str) -> Result<List<f64>, String> {
    parse_list(text, parse_amount)
}

fn parse_lags(text: &str) -> Result<List<u32>, String> {
    let lag = |text: &str| text.parse().ok().filter(|lag| (1..=LAG_MAX).contains(lag));
    parse_list(text, |text| lag(text).ok_or_else(|| format!("a holding period is a whole number from 1 to {LAG_MAX}")))
}

/// Values that are no numbers, each once.
fn parse_words<T: PartialEq>(text: &str, read: impl Fn(&str) -> Result<Vec<T>, String>) -> Result<List<T>, String> {
    let mut values = Vec::new();
    for word in text.split(',').map(str::trim) {
        for value in read(word)? {
            if values.contains(&value) {
                return Err(format!("{word} is there twice"));
            }
            values.push(value);
        }
    }
    Ok(List(values))
}

fn parse_executions(text: &str) -> Result<List<Execution>, String> {
    let names = || Execution::ALL.map(Execution::name).join(", ");
    parse_words(text, |word| match word {
        "maker" => Ok(Execution::ALL.into_iter().filter(|execution| execution.is_maker()).collect()),
        _ => {
            let named = Execution::ALL.into_iter().find(|execution| execution.name() == word);
            named.map(|execution| vec![execution]).ok_or_else(|| format!("there are {}, and maker for three", names()))
        }
    })
}

fn parse_latencies(text: &str) -> Result<List<Option<i64>>, String> {
    parse_words(text, |word| match word {
        "none" => Ok(vec![None]),
        _ => parse_latency(word).map(|ns| vec![Some(ns)]),
    })
}
