//! What a trading session is told: model and rules, threads, results.

use super::fees::FeeArgs;
use super::model::{ModelArgs, Models};
use crate::base::cores::{self, Pins};
use crate::base::failure::Failure;
use crate::base::output::{IfTaken, is_pipe, is_special};
use crate::execution::rules::{LAG_MAX, OriginalRules};
use crate::feed::intake::ScaleRule;
use crate::handoff::Wait;
use crate::market::units::parse_step;
use crate::run::execution_logs::LOGS;
use crate::run::files::{EquityFiles, RETURNS, ReportFiles, RunFiles, all_for_others};
use crate::run::session::{StrategySettings, ThreadSettings};
use crate::run::settings::TradingSettings;
use crate::statistics::logistic::logit_of;
use clap::Args;
use std::path::{Path, PathBuf};

/// The original program's threshold.
pub const THRESHOLD: f64 = 0.6;
/// The original program's holding time in updates.
pub const LAG_UPDATES: u32 = 20;
/// The original program's purchase in quote currency.
pub const BUY_AMOUNT: f64 = 5.0;

/// What every trading session is told.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Trading")]
pub struct TradingArgs {
    /// Model file: .txt (the original's 28 features) or .json, or as a library saves it: LightGBM's .txt, XGBoost's .json or .ubj, .onnx
    #[arg(long, value_name = "FILE", required_unless_present = "strategies")]
    pub model: Option<PathBuf>,
    /// Any number of strategies on one book: a TOML file with a section `[NAME]` for each, whose keys are the options of this
    /// group and of executions; keys before the first section are said of all. Each writes NAME.STRATEGY.csv and the like
    #[arg(long, value_name = "FILE.toml")]
    #[arg(conflicts_with_all = ["model", "threshold", "lag", "override_model", "buy_amount", "fee_bps", "fees", "maker_fee_bps",
        "taker_fee_bps", "trailing_value", "model_features", "model_classes"])]
    pub strategies: Option<PathBuf>,
    /// Buy when the model's probability is at least this [default: the model file's, else 0.6]
    #[arg(long, value_name = "P", value_parser = parse_threshold)]
    pub threshold: Option<f64>,
    /// Holding period N: sell when the N-th book update after buying arrives, into the book before it, which is that of
    /// update N − 1. At least 1 [default: the model file's horizon, else 20]
    #[arg(long, value_name = "UPDATES", value_parser = clap::value_parser!(u32).range(1..=i64::from(LAG_MAX)))]
    pub lag: Option<u32>,
    /// Let --lag contradict the horizon that the model's file says
    #[arg(long)]
    pub override_model: bool,
    /// Quote currency spent per purchase
    #[arg(long, value_name = "QUOTE", default_value_t = BUY_AMOUNT, value_parser = parse_amount)]
    pub buy_amount: f64,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub fees: FeeArgs,
    /// The price step, a power of ten such as 0.01 [default: what the first snapshot needs]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub tick_size: Option<u8>,
    /// The quantity step, a power of ten such as 0.00000001 [default: what the first snapshot needs]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub lot_size: Option<u8>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub of_model: ModelArgs,
}

impl TradingArgs {
    /// All files that these name: what a run reads, besides its market.
    pub fn inputs(&self) -> Vec<PathBuf> {
        let list = self.of_model.file().map(Into::into);
        self.model.clone().into_iter().chain(self.strategies.clone()).chain(self.fees.file()).chain(list).collect()
    }
}

/// Where and how the hot threads run.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Threads")]
pub struct ThreadArgs {
    /// Pin the feed thread to core A and the engine thread to core B; a single core runs both fused on it
    #[arg(long, value_name = "A[,B]")]
    pub pin_cores: Option<String>,
    /// Feed and engine on one thread, without the ring between them [default for a live session that blocks
    /// unpinned]
    #[arg(long)]
    pub fused: bool,
    /// How hot threads wait for each other [default: spin when pinned, else block]
    #[arg(long, value_enum)]
    pub wait: Option<Wait>,
}

impl ThreadArgs {
    /// Where and how the threads run: checks the cores.
    ///
    /// # Errors
    /// They are not to be had.
    pub fn settings(&self) -> Result<ThreadSettings, Failure> {
        let pins = match &self.pin_cores {
            None => Pins::Anywhere,
            Some(text) => {
                Pins::parse(text, &cores::allowed()).map_err(|error| Failure::input(format!("--pin-cores: {error}")))?
            }
        };
        if self.fused && matches!(pins, Pins::Two(..)) {
            return Err(Failure::input("--fused runs on one core: give --pin-cores one"));
        }
        let wait = self.wait.unwrap_or(if pins == Pins::Anywhere { Wait::Block } else { Wait::Spin });
        Ok(ThreadSettings { pins, fused: self.fused || matches!(pins, Pins::One(_)), wait })
    }
}

/// Where the results go.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Results")]
pub struct ResultArgs {
    /// Folder for the trade log, the latency histograms and the report
    #[arg(long, value_name = "FOLDER", default_value = "simulations")]
    pub out: PathBuf,
    /// Name of the files in it, without ending [default: start time and product]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub name: Option<String>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
    /// Write neither RUN.json nor the page RUN.html, and do not gather what they say; what gives pause about trades is still printed
    #[arg(long)]
    pub no_report: bool,
    /// Write the trade log, and the logs of executions, as Parquet too, when the run has ended: NAME.trades.parquet
    #[arg(long)]
    pub parquet: bool,
    /// Write NAME.equity.npz: mid, position and balance every 10 s and at the end, as hftbacktest's recorder writes them
    #[arg(long)]
    pub equity_npz: bool,
    /// Write NAME.returns.csv: date,return by the UTC day, after fees, for quantstats and pyfolio
    #[arg(long)]
    pub returns: bool,
    /// What returns are of [default: the most that was held at a time, at cost, and the losses until then]
    #[arg(long, value_name = "QUOTE", value_parser = parse_amount, requires = "returns")]
    pub capital: Option<f64>,
    /// Write `sequence_num probability` of every evaluation to this file
    #[arg(long, value_name = "FILE")]
    pub probabilities: Option<PathBuf>,
    /// Write `sequence_num wall_ns` of every evaluation to this file: our wall clock at the decision, Unix nanoseconds
    #[arg(long, value_name = "FILE")]
    pub decisions: Option<PathBuf>,
}

fn number_in(text: &str, rule: &str, good: impl Fn(f64) -> bool) -> Result<f64, String> {
    text.parse().ok().filter(|&number: &f64| good(number)).ok_or_else(|| rule.into())
}

/// Reads a probability.
pub fn parse_threshold(text: &str) -> Result<f64, String> {
    number_in(text, "a probability lies between 0 and 1, both excluded", |p| p > 0.0 && p < 1.0)
}

/// Reads a share.
pub fn parse_share(text: &str) -> Result<f64, String> {
    number_in(text, "a share lies between 0 and 1, both excluded", |share| share > 0.0 && share < 1.0)
}

/// Reads an amount of quote currency.
pub fn parse_amount(text: &str) -> Result<f64, String> {
    number_in(text, "an amount is a number above 0", |amount| amount > 0.0 && amount.is_finite())
}

/// Reads a file name without a folder.
pub fn parse_name(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && !text.starts_with('.') && !text.contains(['/', '\\']) && is_printable(text);
    if let Some(log) =
        LOGS.into_iter().chain([RETURNS]).find(|log| text.strip_suffix(log).is_some_and(|name| name.ends_with('.')))
    {
        return Err(format!("a name does not end in .{log}: a run writes such logs of its own"));
    }
    plain
        .then(|| text.into())
        .ok_or_else(|| "a name has no folder and no control character in it and does not begin with a dot".into())
}

/// Reads the name of a product.
pub fn parse_product(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a product's name is empty: write it as the venue does, and commas between several".into());
    }
    is_printable(text).then(|| text.into()).ok_or_else(|| "a product has a name without control characters".into())
}

/// Whether a terminal that shows a text takes no part of it for a command.
fn is_printable(text: &str) -> bool {
    !text.contains(char::is_control)
}

impl TradingArgs {
    /// The scale that the user gave.
    pub fn scale_rule(&self) -> ScaleRule {
        ScaleRule { price_decimals: self.tick_size, size_decimals: self.lot_size }
    }

    /// Everything that a strategy needs, but accounts: reads the model.
    ///
    /// # Errors
    /// It is bad, or contradicts what is said.
    pub fn settings(&self, models: &mut Models) -> Result<TradingSettings, Failure> {
        let path = self.model.as_deref().unwrap_or_else(|| Path::new(""));
        let model = models.read(path, &self.of_model)?;
        if let (Some(lag), Some(said)) = (self.lag, model.horizon_updates)
            && lag != said
            && !self.override_model
        {
            return Err(Failure::input(format!(
                "--lag {lag} contradicts model {}, whose horizon_updates is {said}: leave --lag out, or give --override-model",
                path.display()
            )));
        }
        let lag_updates = self.lag.or(model.horizon_updates).unwrap_or(LAG_UPDATES);
        if !(1..=LAG_MAX).contains(&lag_updates) {
            let (file, wrong) = (path.display(), format!("horizon_updates is {lag_updates}"));
            return Err(Failure::input(format!("model {file}: {wrong}; it lies from 1 to {LAG_MAX}")));
        }
        let threshold = self.threshold.or(model.threshold).unwrap_or(THRESHOLD);
        let rules = OriginalRules { threshold_logit: logit_of(threshold), lag_updates, buy_amount: self.buy_amount };
        let strategy = StrategySettings { model, rules, observe: false, accounts: None };
        let fees = self.fees.plan()?;
        // What takes pays the tier where the account begins.
        let fee_bps = fees.as_ref().map_or(self.fees.fee_bps, |plan| plan.first_tier().taker_bps);
        Ok(TradingSettings { strategy, threshold, fee_bps, fees })
    }
}

/// What is said of a model whose file does not say what it predicts, though files of its kind can.
pub fn unsaid(args: &TradingArgs, strategy: &StrategySettings) -> Option<String> {
    let model = &strategy.model;
    // --lag says both: evaluations are then scored against the mid so many updates later. How ties count is nothing to a run.
    let is_missing = |field: &&str| args.lag.is_none() && *field != "ties";
    let unsaid: Vec<&str> = model.unsaid().into_iter().filter(is_missing).collect();
    let (path, lag, label) = (model.path.display(), strategy.rules.lag_updates, strategy.label());
    (!unsaid.is_empty()).then(|| {
        format!(
            "model {path} does not say its {}; trades hold for {lag} updates, and evaluations are scored against {label}",
            unsaid.join(" and ")
        )
    })
}

impl ResultArgs {
    /// Names the files of a run that starts now, pays `fee_bps` per side and reads `inputs`.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn files(&self, product: &str, fee_bps: f64, inputs: &[&Path]) -> Result<RunFiles, Failure> {
        self.files_beside(product, fee_bps, inputs, &[], IfTaken::Refuse)
    }

    /// Keeps a name for the files of several strategies.
    ///
    /// # Errors
    /// It is taken.
    pub fn claim(&self, product: &str, if_taken: IfTaken) -> Result<RunFiles, Failure> {
        let named = match &self.name {
            Some(name) => RunFiles::named(&self.out, name, if self.force { IfTaken::Replace } else { if_taken }),
            None => RunFiles::create(&self.out, product, None),
        };
        named.map_err(Failure::input)
    }

    /// The same for a run that writes `others` too, and does with a given name that is taken as it is told.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn files_beside(
        &self,
        product: &str,
        fee_bps: f64,
        inputs: &[&Path],
        others: &[&Path],
        if_taken: IfTaken,
    ) -> Result<RunFiles, Failure> {
        let mut files = self.claim(product, if_taken)?;
        files.replace |= self.force;
        files.report = (!self.no_report).then(|| ReportFiles::beside(&files.csv));
        let [parquet, record, returns] = all_for_others(&files.csv);
        files.trades_parquet = self.parquet.then_some(parquet);
        files.equity = (self.equity_npz || self.returns).then(|| EquityFiles {
            record: self.equity_npz.then_some(record),
            returns: self.returns.then_some(returns),
            fee_bps,
            capital: self.capital,
        });
        files.probabilities.clone_from(&self.probabilities);
        files.decisions.clone_from(&self.decisions);
        files.check_apart_from(inputs, others).map_err(Failure::input)?;
        if files.report.is_some() && is_pipe(&files.csv) {
            let csv = files.csv.display();
            return Err(Failure::input(format!("{csv} is a pipe, and a report reads the trade log; give --no-report")));
        }
        let reading = [("--parquet", self.parquet), ("--equity-npz", self.equity_npz), ("--returns", self.returns)];
        if let Some((option, _)) = reading.into_iter().find(|&(_, given)| given && is_special(&files.csv)) {
            let csv = files.csv.display();
            return Err(Failure::input(format!(
                "{csv} is no file, and {option} reads the trade log when the run has ended"
            )));
        }
        Ok(files)
    }
}
