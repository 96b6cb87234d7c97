//! What a sweep's report says, field by field.

use crate::statistics::bootstrap::Interval;
use crate::statistics::overfitting::SLICES_MIN;
use crate::statistics::overfitting::cross_validation::CrossValidation;
use crate::statistics::overfitting::deflated::Deflated;
use crate::statistics::overfitting::reality_check::RealityCheck;
use crate::sweep::result::InSample;
use serde::Serialize;

/// What tells such a file.
pub const SCHEMA: &str = "papertrader-sweep-report";
/// Its version: another one means other fields.
pub const SCHEMA_VERSION: u32 = 1;
/// What may be said of the best setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// No capture was read to its end.
    NoCaptures,
    /// No setting closed a trade.
    NoTrades,
    /// Too few slices of time, or too few of them with trades.
    TooLittle,
    /// No setting earned anything after fees.
    Loss,
    /// Both tests call the best one luck.
    Luck,
    /// The tests disagree.
    Open,
    /// The tests found it better than luck, or disagree, by fees below the lowest that a venue publishes; at that one it loses.
    BeforeFeesOnly,
    /// Both tests find the best one better than luck.
    Survives,
}

/// What is said first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Of the best setting.
    pub finding: Finding,
    /// Whether the best setting's model was trained on what it is judged by, on all captures, on some, or nobody knows.
    pub in_sample: Option<String>,
    /// The verdict, and what it stands on.
    pub sentences: Vec<String>,
}

/// How much was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Points of the grid.
    pub settings: usize,
    /// Those that closed a trade.
    pub settings_traded: usize,
    /// Captures that were read to their end.
    pub captures: usize,
    /// Those in which some setting closed a trade.
    pub captures_traded: usize,
    /// Those that were not.
    pub captures_broken: usize,
    /// Those that hold the bytes of another one.
    pub captures_twice: usize,
    /// Closed trades of all settings.
    pub trades: u64,
    /// Slices of time of all captures.
    pub slices: usize,
    /// Slices of the sweep's file that are one of these.
    pub slices_together: usize,
    /// Pairs of a model and a capture.
    pub pairs: usize,
    /// Those of them that are in sample.
    pub pairs_in_sample: usize,
    /// Those of which nobody knows.
    pub pairs_unknown: usize,
}

/// What a setting is called, but for threshold and lag.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SettingName {
    /// The model.
    pub model: String,
    /// Who trades, and where they differ the amount and the latency.
    pub execution: String,
}

/// A setting over all captures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SettingFacts {
    /// In the sweep's file.
    pub number: u32,
    /// Model and execution.
    pub name: SettingName,
    /// The probability from which to buy.
    pub threshold: f64,
    /// Book updates from buying to selling.
    pub lag_updates: u32,
    /// Quote currency per purchase.
    pub buy_amount: f64,
    /// Time from a decision to the venue.
    pub order_latency_ns: Option<i64>,
    /// Closed trades.
    pub trades: u64,
    /// Quote currency.
    pub bought: f64,
    /// Quote currency, before fees.
    pub gross_profit: f64,
    /// Quote currency, after fees.
    pub net_profit: f64,
    /// Gross profit over what was bought, basis points.
    pub gross_bps: Option<f64>,
    /// Net profit over what was bought, basis points.
    pub net_bps: Option<f64>,
    /// Trades that no market would have made like that, of the original alone: held across a gap, from liquidity taken before, of less
    /// than a lot.
    pub doubtful: Option<u64>,
    /// Their profit in quote currency, after fees.
    pub doubtful_net_profit: Option<f64>,
    /// 95 % interval of the net profit over what was bought, of those in the table of the best.
    pub net_bps_interval: Option<Interval>,
    /// Slices of time in which it earned or lost something.
    pub slices_traded: usize,
    /// Mean ÷ standard deviation of a slice's net return; `None` without trades.
    pub sharpe: Option<f64>,
    /// By it, from 1; no trades count as 0.
    pub rank: f64,
    /// In the first half of the slices.
    pub rank_first_half: f64,
    /// In the second half of the slices.
    pub rank_second_half: f64,
    /// The worst in any capture.
    pub rank_worst: f64,
}

/// A capture and the settings on it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CaptureFacts {
    /// As it was named.
    pub path: String,
    /// Whether the best setting's model was trained on it.
    pub in_sample: InSample,
    /// Closed trades of all settings.
    pub trades: u64,
    /// Closed trades of the best setting over all captures.
    pub best_trades: u64,
    /// Its net profit, basis points of what it bought.
    pub best_net_bps: Option<f64>,
    /// Its rank here by Sharpe ratio.
    pub best_rank: f64,
    /// The best one's here, basis points; `None` where nobody trades.
    pub winner_net_bps: Option<f64>,
    /// That one's number.
    pub winner: Option<u32>,
    /// Spearman's, of the settings' Sharpe ratios here and on all other captures together; `None` of one capture or setting.
    pub rank_correlation: Option<f64>,
    /// The ranks here of the settings in the table of the best, in its order.
    pub top_ranks: Vec<f64>,
}

/// Equal bars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// The lower end of the first bar.
    pub from: f64,
    /// How wide a bar is.
    pub width: f64,
    /// What falls into each.
    pub counts: Vec<u64>,
}

/// Thresholds × lags of one model and execution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Map {
    /// Whose.
    pub name: SettingName,
    /// Ascending.
    pub thresholds: Vec<f64>,
    /// Ascending.
    pub lags_updates: Vec<u32>,
    /// Net profit per trade, basis points, by threshold and then by lag; `None` without trades or such a setting.
    pub net_bps: Vec<Vec<Option<f64>>>,
}

/// The best setting over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OverTime {
    /// Cumulative net return of the best setting after each slice, basis points of one purchase.
    pub best_bps: Vec<f64>,
    /// The same of the median of all settings: the median of the sums.
    pub median_bps: Vec<f64>,
    /// Slices at which a capture begins, the first left out.
    pub capture_begins: Vec<usize>,
    /// Spearman's, of the settings' Sharpe ratios in both halves of the slices.
    pub rank_correlation: Option<f64>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepReport {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The program's that swept.
    pub program_version: String,
    /// The sweep's.
    pub name: String,
    /// What was traded, the products of all captures.
    pub product: String,
    /// Fee per side of the original's trades, basis points.
    pub fee_bps: f64,
    /// The schedule by which accounts were charged.
    pub fees: Option<String>,
    /// What is said first.
    pub verdict: Verdict,
    /// What gives pause, a sentence each.
    pub warnings: Vec<String>,
    /// How much was looked at.
    pub counts: Counts,
    /// The deflated Sharpe ratio.
    pub deflated: Option<Deflated>,
    /// The probability of backtest overfitting.
    pub cross_validation: Option<CrossValidation>,
    /// Its logits.
    pub logits: Option<Histogram>,
    /// The reality check.
    pub reality_check: Option<RealityCheck>,
    /// The Sharpe ratios of all settings that traded.
    pub sharpes: Option<Histogram>,
    /// The best settings by Sharpe ratio, the best first.
    pub top: Vec<SettingFacts>,
    /// The setting with the greatest net profit, the first of several; without an interval.
    pub most_profit: Option<SettingFacts>,
    /// In the sweep's order.
    pub captures: Vec<CaptureFacts>,
    /// The best setting over time.
    pub over_time: OverTime,
    /// The maps with the best settings first.
    pub maps: Vec<Map>,
    /// Maps that were left out.
    pub maps_left_out: usize,
}

impl SweepReport {
    /// As `NAME.sweep.report.json` has it.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("its keys are text") + "\n"
    }

    /// The best setting.
    pub fn best(&self) -> Option<&SettingFacts> {
        self.top.first()
    }
}

/// Whether there is time enough to judge a setting: slices in which it trades.
pub fn has_slices(setting: &SettingFacts) -> bool {
    setting.slices_traded >= SLICES_MIN
}
