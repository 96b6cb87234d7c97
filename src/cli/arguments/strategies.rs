//! Strategies of a session: that of the command line, or those of a file.
//!
//! ```
//! use clap::Parser;
//! use papertrader::cli::arguments::{Models, plans};
//! use papertrader::cli::{Cli, Command};
//!
//! let folder = tempfile::tempdir()?;
//! std::env::set_current_dir(&folder)?;
//! let model = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0], "horizon_updates": 20}"#;
//! std::fs::write("imbalance.json", model)?;
//! let text = "model = 'imbalance.json'\n[often]\nthreshold = 0.55\n[seldom]\nthreshold = 0.8\nfee-bps = 1.5\n";
//! std::fs::write("mine.toml", text)?;
//! let arguments = ["papertrader", "replay", "market.zst", "--strategies", "mine.toml"];
//! let Command::Replay(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//!
//! let plans = plans(&args.trading, &args.execution, &mut Models::default()).expect("the file is well-formed");
//! assert_eq!(plans.iter().filter_map(|plan| plan.name.as_deref()).collect::<Vec<_>>(), ["often", "seldom"]);
//! assert_eq!((plans[1].settings.threshold, plans[1].settings.fee_bps), (0.8, 1.5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::execution::ExecutionArgs;
use super::model::Models;
use super::trading::{TradingArgs, parse_name, parse_product};
use crate::base::failure::Failure;
use crate::cli::config::{self, Setting, Settings};
use crate::cli::refusal;
use crate::run::settings::TradingSettings;
use clap::{CommandFactory, Parser};
use std::collections::HashSet;
use std::ffi::OsString;
use std::path::PathBuf;

/// The most strategies of a session.
pub const STRATEGIES_MAX: usize = 1_000;

/// What a file says of a strategy: options of the command line.
#[derive(Clone, Debug, Parser)]
#[command(name = "strategy", disable_help_flag = true, mut_args(config::undoable))]
struct OfFile {
    /// What it trades, where a session has several products
    #[arg(long, value_name = "NAME", value_parser = parse_product)]
    product: Option<String>,
    #[command(flatten)]
    trading: TradingArgs,
    #[command(flatten)]
    execution: ExecutionArgs,
}

/// Options of the whole session, which no strategy has.
const OF_SESSION: [&str; 3] = ["strategies", "tick-size", "lot-size"];

/// A strategy as the command line or a file has it.
#[derive(Clone, Debug)]
pub struct StrategyPlan {
    /// Its name in the file, or what it trades where the command line's trades several products; `None` for that of the command
    /// line.
    pub name: Option<String>,
    /// The product that the file says.
    pub said_product: Option<String>,
    /// The index of what it trades among the session's products.
    pub product: usize,
    /// What was said of it.
    pub trading: TradingArgs,
    /// What was said of executions beside the original's.
    pub execution: ExecutionArgs,
    /// What follows from it.
    pub settings: TradingSettings,
}

/// The strategies of a session, each with its model read and everything that it says checked.
///
/// # Errors
/// Something is wrong with one of them, which is named with its place.
pub fn plans(
    trading: &TradingArgs,
    execution: &ExecutionArgs,
    models: &mut Models,
) -> Result<Vec<StrategyPlan>, Failure> {
    let Some(path) = &trading.strategies else {
        return plan(None, None, trading.clone(), execution.clone(), models).map(|plan| vec![plan]);
    };
    if let Some(option) = execution.first_given() {
        let path = path.display();
        return Err(Failure::input(format!("{option} belongs to a strategy: say it in {path}")));
    }
    let settings = Settings::read("strategies", path)?;
    let sections = settings.sections();
    let shown = path.display();
    if sections.is_empty() {
        return Err(Failure::input(format!(
            "strategies {shown} names none: a strategy is a section [NAME] with a model"
        )));
    }
    if sections.len() > STRATEGIES_MAX {
        let count = sections.len();
        return Err(Failure::input(format!(
            "strategies {shown} names {count}; a session has at most {STRATEGIES_MAX}"
        )));
    }
    let mut endings: HashSet<String> = HashSet::new();
    for (name, line) in &sections {
        let at = |what: &str| Failure::input(format!("strategies {shown}, line {line}: {what}"));
        parse_name(name).map_err(|what| at(&what))?;
        // Files are named after them, and some systems take both cases for one.
        if !endings.insert(name.to_lowercase()) {
            return Err(at(&format!("'{name}' differs from another strategy's name by its case alone")));
        }
    }
    let of_file = |name: &str| -> Result<OfFile, Failure> {
        let mut command = OfFile::command();
        command.build();
        let mut words: Vec<OsString> = vec!["strategy".into()];
        let mut said: HashSet<String> = HashSet::new();
        // What stands at the top is said of all, and a strategy says it anew.
        for setting in settings.of(Some(name)).chain(settings.of(None)) {
            let Setting { key, line, .. } = setting;
            let at = |what: String| Failure::input(format!("strategies {shown}, line {line}: {what}"));
            if OF_SESSION.contains(&key.as_str()) {
                return Err(at(format!("'{key}' is an option of the session, not of a strategy")));
            }
            let excluded = said.iter().any(|other| settings.exclude(&command, other, key));
            if setting.section.is_none() && (said.contains(key) || excluded) {
                continue;
            }
            words.extend(settings.said(&command, setting).map_err(at)?);
            said.insert(key.clone());
        }
        let line = sections.iter().find(|(section, _)| section == name).map_or(0, |(_, line)| *line);
        OfFile::try_parse_from(words).map_err(|error| {
            let text = refusal::text(&error, "papertrader replay");
            Failure::input(format!("strategies {shown}, line {line}, [{name}]: {text}"))
        })
    };
    let in_file = |name: &str, failure: Failure| match failure {
        Failure::Input(error) => Failure::input(format!("strategies {shown}, [{name}]: {error}")),
        other => other,
    };
    sections
        .iter()
        .map(|(name, _)| {
            let OfFile { product, trading: of_strategy, execution } = of_file(name)?;
            let of_strategy = TradingArgs { tick_size: trading.tick_size, lot_size: trading.lot_size, ..of_strategy };
            plan(Some(name), product, of_strategy, execution, models).map_err(|failure| in_file(name, failure))
        })
        .collect()
}

fn plan(
    name: Option<&str>,
    said_product: Option<String>,
    trading: TradingArgs,
    execution: ExecutionArgs,
    models: &mut Models,
) -> Result<StrategyPlan, Failure> {
    let mut settings = trading.settings(models)?;
    settings.strategy.accounts = execution.accounts(&settings.strategy, settings.fee_plan())?;
    Ok(StrategyPlan { name: name.map(Into::into), said_product, product: 0, trading, execution, settings })
}

impl StrategyPlan {
    /// All files that it reads.
    pub fn inputs(&self) -> Vec<PathBuf> {
        self.trading.inputs().into_iter().chain(self.execution.order_latency_file.clone()).collect()
    }

    /// A title for its run, one of `strategies`.
    pub fn titled(&self, title: &str, strategies: usize) -> String {
        match &self.name {
            Some(name) if strategies > 1 => format!("{title}, strategy {name}"),
            _ => title.into(),
        }
    }
}
