//! What trades beside the original program's execution, and by which rules.

use super::trading::parse_amount;
use crate::base::failure::Failure;
use crate::base::small_file;
use crate::execution::account::{AccountRules, AfterTimeout, ExitStyle, LEGS_MAX, Limits, MakerRules};
use crate::execution::contract::{Contract, Increments};
use crate::execution::fees::FeePlan;
use crate::execution::hold_back::{HOLD_DEFAULT_NS, HOLD_MAX_NS};
use crate::execution::latency::{LATENCY_MAX_NS, Latency};
use crate::execution::matching::queue::QueueModel;
use crate::execution::records::AccountKind;
use crate::run::files::{RunFiles, execution_logs};
use crate::run::latency_log::decision_latencies_ns;
use crate::run::session::{AccountSettings, StrategySettings};
use crate::sweep::plan::AccountPlan;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// An execution, as named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExecutionName {
    /// The original program's: buys and sells in the deciding instant; always run
    Original,
    /// Takes from the book, by the rules below
    Taker,
    /// Posts, under three models of what fills side by side: through, queue, touch
    Maker,
}

/// A queue model, as named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QueueName {
    /// None of what is cancelled was ahead of an order
    Risk,
    /// A share that falls with the cube of the order's place
    Power3,
}

/// Whose side prints name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrintsSide {
    /// That of who rested, as the venue does
    Maker,
    /// That of who took
    Taker,
}

/// What becomes of an entry that timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThenName {
    /// It is dropped
    Drop,
    /// What is left of it is taken
    Take,
}

/// How a maker leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExitName {
    /// Posted before it falls due, taken then
    Post,
    /// Taken when it falls due
    Take,
}

/// What trades beside the original's execution.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Executions")]
pub struct ExecutionArgs {
    /// Executions that run in one pass: original, taker, maker. All but the original's write NAME.orders.csv, NAME.fills.csv,
    /// NAME.markouts.csv and NAME.legs.csv [default: original]
    #[arg(long, value_name = "LIST", value_enum, value_delimiter = ',')]
    pub execution: Vec<ExecutionName>,
    /// Time from a decision to the venue, such as 5ms or 250us [default: orders act in the deciding instant]
    #[arg(long, value_name = "TIME", value_parser = parse_latency, conflicts_with = "order_latency_file")]
    pub order_latency: Option<i64>,
    /// Draw that time from a file: nanoseconds, one a line, or a run's .hlog
    #[arg(long, value_name = "FILE")]
    pub order_latency_file: Option<PathBuf>,
    /// Seed of what is drawn from it
    #[arg(long, value_name = "N", default_value_t = 1, requires = "order_latency_file")]
    pub order_latency_seed: u64,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub of_accounts: AccountArgs,
}

/// What executions beside the original's are told, but for the time of their orders.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Executions")]
pub struct AccountArgs {
    /// Hold book and prints back for this long and hand them to the executions by the venue's times: prints are told later
    /// than the book that they change, and would count twice. At most 10s; none: in order of arrival [default: 500ms for
    /// makers, else none]
    #[arg(long, value_name = "TIME", value_parser = parse_hold_back)]
    pub hold_back: Option<HoldBackFor>,
    /// Let takers take what they have taken before from a level that the venue has not named since
    #[arg(long)]
    pub no_depletion: bool,
    /// Sell short where the probability is at most 1 minus the threshold
    #[arg(long)]
    pub short: bool,
    /// Greatest position, long or short, in units of size
    #[arg(long, value_name = "SIZE", value_parser = parse_amount)]
    pub max_position: Option<f64>,
    /// Greatest amount of quote currency in open entries
    #[arg(long, value_name = "QUOTE", value_parser = parse_amount)]
    pub max_cash: Option<f64>,
    /// Most orders under way and resting
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=LEGS_MAX as i64))]
    pub max_open_orders: Option<u32>,
    /// Sizes are multiples of this [default: any size for takers, the book's lot for makers]
    #[arg(long, value_name = "SIZE", value_parser = parse_amount)]
    pub order_lot: Option<f64>,
    /// Prices of posted orders are multiples of this [default: the book's tick]
    #[arg(long, value_name = "PRICE", value_parser = parse_amount)]
    pub order_tick: Option<f64>,
    /// Least size of an order
    #[arg(long, value_name = "SIZE", value_parser = parse_amount)]
    pub min_size: Option<f64>,
    /// Least value of an order
    #[arg(long, value_name = "VALUE", value_parser = parse_amount)]
    pub min_value: Option<f64>,
    /// What a unit of size is: so many base units, or quote units with --inverse
    #[arg(long, value_name = "UNITS", value_parser = parse_contract_size)]
    pub contract_size: Option<f64>,
    /// Contracts of quote units, settled in base currency
    #[arg(long)]
    pub inverse: bool,
    /// An entry takes no level that is further than this from the best at its decision
    #[arg(long, value_name = "BPS", value_parser = parse_cap)]
    pub slippage_cap: Option<f64>,
    /// Post so many ticks in front of the own side's best price; negative: behind it
    #[arg(long, value_name = "TICKS", allow_hyphen_values = true, value_parser = clap::value_parser!(i64).range(-1_000_000..=1_000_000))]
    pub maker_offset: Option<i64>,
    /// Updates that an entry rests at most, and that an exit is posted before it falls due; at most the holding period
    /// [default: half of it]
    #[arg(long, value_name = "UPDATES")]
    pub maker_timeout: Option<u32>,
    /// What becomes of an entry that timed out [default: drop]
    #[arg(long, value_enum)]
    pub maker_then: Option<ThenName>,
    /// How a maker leaves [default: post]
    #[arg(long, value_enum)]
    pub maker_exit: Option<ExitName>,
    /// How much of what is cancelled was ahead of an order, for the execution in the middle [default: risk]
    #[arg(long, value_enum)]
    pub queue: Option<QueueName>,
    /// Whose side prints name [default: found out from a capture, which is refused where it does not tell; live, the maker's]
    #[arg(long, value_enum)]
    pub prints_side: Option<PrintsSide>,
}

/// Reads a time such as `250us`, `5ms`, `1s`, `0ns`, as nanoseconds from 0 to `most`.
fn parse_ns(text: &str, most: i64) -> Option<i64> {
    let units = [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    let of = |(unit, ns): (&str, f64)| text.strip_suffix(unit)?.parse().ok().map(|number: f64| number * ns);
    let ns = units.into_iter().find_map(of).filter(|ns| (0.0..=most as f64).contains(ns));
    ns.map(|ns| ns.round() as i64)
}

pub(in crate::cli) fn parse_latency(text: &str) -> Result<i64, String> {
    parse_ns(text, LATENCY_MAX_NS).ok_or_else(|| "a latency is a number with ns, us, ms or s, from 0 to 60 s".into())
}

/// For how long book and prints are held back; `None`: not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldBackFor(Option<i64>);

fn parse_hold_back(text: &str) -> Result<HoldBackFor, String> {
    if text == "none" {
        return Ok(HoldBackFor(None));
    }
    let ns = parse_ns(text, HOLD_MAX_NS);
    ns.map(|ns| HoldBackFor(Some(ns)))
        .ok_or_else(|| "it is none or a number with ns, us, ms or s, from 0 to 10 s".into())
}

fn parse_contract_size(text: &str) -> Result<f64, String> {
    let size = text.parse().ok().filter(|size: &f64| (1e-12..=1e12).contains(size));
    size.ok_or_else(|| "a contract is a number of units from 1e-12 to 1e12".into())
}

fn parse_cap(text: &str) -> Result<f64, String> {
    let cap = text.parse().ok().filter(|cap: &f64| (0.0..=10_000.0).contains(cap));
    cap.ok_or_else(|| "a cap is a number of basis points from 0 to 10000".into())
}

impl ExecutionArgs {
    /// Names the logs of accounts among a run's files, as Parquet too where its trades are.
    pub fn name_logs(&self, strategy: &StrategySettings, files: &mut RunFiles) {
        let has_accounts = strategy.accounts.is_some();
        files.executions = has_accounts.then(|| execution_logs(&files.csv, "csv"));
        files.parquet = (has_accounts && files.trades_parquet.is_some()).then(|| execution_logs(&files.csv, "parquet"));
    }

    fn asks_for(&self, name: ExecutionName) -> bool {
        self.execution.contains(&name)
    }

    /// Whether makers run: they need prints.
    pub fn has_makers(&self) -> bool {
        self.asks_for(ExecutionName::Maker)
    }

    /// Of the options that need an execution beside the original's, the first that is given.
    fn given(&self) -> Option<&'static str> {
        let options = [
            ("--order-latency", self.order_latency.is_some()),
            ("--order-latency-file", self.order_latency_file.is_some()),
        ];
        options.into_iter().find(|&(_, given)| given).map(|(name, _)| name).or_else(|| self.of_accounts.given())
    }

    /// The first option that is given, if any is.
    pub fn first_given(&self) -> Option<&'static str> {
        (!self.execution.is_empty())
            .then_some("--execution")
            .or_else(|| self.given())
            .or_else(|| self.of_accounts.given_maker())
    }

    /// The accounts beside the original's, if any are asked for. Reads the file of latencies.
    ///
    /// # Errors
    /// Options without their execution, or a bad file or time.
    pub fn accounts(&self, strategy: &StrategySettings, fees: FeePlan) -> Result<Option<AccountSettings>, Failure> {
        let mut kinds = Vec::new();
        if self.asks_for(ExecutionName::Taker) {
            kinds.push(AccountKind::Taker);
        }
        if self.has_makers() {
            kinds.extend(AccountKind::MAKERS);
        }
        if let Some(option) = self.of_accounts.given_maker().filter(|_| !self.has_makers()) {
            return Err(Failure::input(format!("{option} needs --execution maker")));
        }
        if let Some(option) = self.given().filter(|_| kinds.is_empty()) {
            return Err(Failure::input(format!("{option} needs --execution taker or maker")));
        }
        if kinds.is_empty() {
            return Ok(None);
        }
        let (lag_updates, amount) = (strategy.rules.lag_updates, strategy.rules.buy_amount);
        if amount > AMOUNT_MAX {
            return Err(Failure::input(format!(
                "--buy-amount: beside the original's, executions take {AMOUNT_MAX:e} at most"
            )));
        }
        let plan = self.of_accounts.plan(fees);
        let timeout_updates = plan.maker_timeout_updates.unwrap_or(lag_updates.div_ceil(2));
        if !(1..=lag_updates).contains(&timeout_updates) {
            return Err(no_timeout(lag_updates));
        }
        let rules = AccountRules {
            threshold_logit: strategy.rules.threshold_logit,
            lag_updates,
            amount,
            latency: self.latency()?,
            maker: MakerRules { timeout_updates, ..plan.rules.maker },
            takers_side: plan.takers_side == Some(true),
            ..plan.rules
        };
        let hold_ns = plan.hold_ns.unwrap_or_else(|| self.has_makers().then_some(HOLD_DEFAULT_NS));
        Ok(Some(AccountSettings { kinds, rules, hold_ns }))
    }

    fn latency(&self) -> Result<Latency, Failure> {
        match (&self.order_latency_file, self.order_latency) {
            (Some(file), _) => {
                let wrong = |error: &dyn std::fmt::Display| {
                    Failure::input(format!("--order-latency-file {}: {error}", file.display()))
                };
                let ns = latencies_ns(file).map_err(|error| wrong(&error))?;
                Latency::drawn(ns, self.order_latency_seed).map_err(|error| wrong(&error))
            }
            (None, Some(ns)) => Ok(Latency::Fixed(ns)),
            (None, None) => Ok(Latency::Absent),
        }
    }
}

/// What is said of a timeout that no entry can have.
pub(in crate::cli) fn no_timeout(lag_updates: u32) -> Failure {
    Failure::input(format!("--maker-timeout: it lies from 1 to the holding period, which is {lag_updates} updates"))
}

impl AccountArgs {
    /// Of the options that need an execution beside the original's, the first that is given.
    pub(in crate::cli) fn given(&self) -> Option<&'static str> {
        let options = [
            ("--hold-back", self.hold_back.is_some()),
            ("--no-depletion", self.no_depletion),
            ("--short", self.short),
            ("--max-position", self.max_position.is_some()),
            ("--max-cash", self.max_cash.is_some()),
            ("--max-open-orders", self.max_open_orders.is_some()),
            ("--order-lot", self.order_lot.is_some()),
            ("--order-tick", self.order_tick.is_some()),
            ("--min-size", self.min_size.is_some()),
            ("--min-value", self.min_value.is_some()),
            ("--contract-size", self.contract_size.is_some()),
            ("--inverse", self.inverse),
            ("--slippage-cap", self.slippage_cap.is_some()),
        ];
        options.into_iter().find(|&(_, given)| given).map(|(name, _)| name)
    }

    /// The same of those that need makers.
    pub(in crate::cli) fn given_maker(&self) -> Option<&'static str> {
        let options = [
            ("--maker-offset", self.maker_offset.is_some()),
            ("--maker-timeout", self.maker_timeout.is_some()),
            ("--maker-then", self.maker_then.is_some()),
            ("--maker-exit", self.maker_exit.is_some()),
            ("--queue", self.queue.is_some()),
            ("--prints-side", self.prints_side.is_some()),
        ];
        options.into_iter().find(|&(_, given)| given).map(|(name, _)| name)
    }

    /// What accounts are told that pay these fees.
    pub fn plan(&self, fees: FeePlan) -> AccountPlan {
        let plain = AccountPlan::plain(fees);
        let size = self.contract_size.unwrap_or(1.0);
        let rules = AccountRules {
            short: self.short,
            depletion: !self.no_depletion,
            contract: if self.inverse { Contract::Inverse { size } } else { Contract::Linear { size } },
            increments: Increments {
                lot: self.order_lot,
                tick: self.order_tick,
                size_min: self.min_size.unwrap_or(0.0),
                value_min: self.min_value.unwrap_or(0.0),
            },
            cap_bps: self.slippage_cap,
            limits: Limits {
                position: self.max_position,
                cash: self.max_cash,
                open_orders: self.max_open_orders.map_or(LEGS_MAX, |orders| orders as usize),
            },
            maker: MakerRules {
                offset_ticks: self.maker_offset.unwrap_or(0),
                after_timeout: match self.maker_then {
                    Some(ThenName::Take) => AfterTimeout::Take,
                    _ => AfterTimeout::Drop,
                },
                exits: match self.maker_exit {
                    Some(ExitName::Take) => ExitStyle::Take,
                    _ => ExitStyle::Post,
                },
                queue: match self.queue {
                    Some(QueueName::Power3) => QueueModel::Power3,
                    _ => QueueModel::RiskAverse,
                },
                ..plain.rules.maker
            },
            ..plain.rules
        };
        AccountPlan {
            rules,
            maker_timeout_updates: self.maker_timeout,
            hold_ns: self.hold_back.map(|HoldBackFor(hold_ns)| hold_ns),
            takers_side: self.prints_side.map(|side| side == PrintsSide::Taker),
        }
    }
}

/// The greatest amount of which every size is a number that logs can hold, whatever a contract is.
pub(in crate::cli) const AMOUNT_MAX: f64 = 1e30;

/// The largest file of latencies: millions of lines.
const LATENCY_BYTES_MAX: u64 = 64 << 20;

/// Reads latencies, nanoseconds, one a line, or those of a run's interval log.
fn latencies_ns(path: &Path) -> Result<Vec<i64>, String> {
    if path.extension().is_some_and(|extension| extension == "hlog") {
        return decision_latencies_ns(path).map_err(|error| error.to_string());
    }
    let text = small_file::read_text(path, LATENCY_BYTES_MAX).map_err(|error| error.to_string())?;
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())).filter(|(_, line)| !line.is_empty());
    lines
        .map(|(at, line)| {
            line.parse().map_err(|_| format!("line {at}: '{}' is not a whole number of nanoseconds", short(line)))
        })
        .collect()
}

/// The beginning of a text that may be anything.
fn short(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(40).collect()
}
