//! What sessions of one strategy and of many have in common: their files, and what is said of each at the end.
//!
//! ```
//! use clap::Parser;
//! use papertrader::base::output::IfTaken;
//! use papertrader::cli::arguments::{Models, plans};
//! use papertrader::cli::commands::strategies::{SessionFiles, strategies};
//! use papertrader::cli::{Cli, Command};
//!
//! let folder = tempfile::tempdir()?;
//! std::env::set_current_dir(&folder)?;
//! let model = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0], "horizon_updates": 20}"#;
//! std::fs::write("imbalance.json", model)?;
//! std::fs::write("mine.toml", "model = 'imbalance.json'\n[often]\nthreshold = 0.55\n[seldom]\nthreshold = 0.8\n")?;
//! let arguments = ["papertrader", "replay", "market.zst", "--strategies", "mine.toml", "--out", ".", "--name", "run"];
//! let Command::Replay(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! let plans = plans(&args.trading, &args.execution, &mut Models::default()).expect("the file is well-formed");
//!
//! let files = SessionFiles::create(&args.results, "BTC-USD", &plans, &[], &[], IfTaken::Refuse);
//! let files = files.expect("the names are free");
//! assert_eq!(files.of_strategies[1].csv, std::path::Path::new("./run.seldom.csv"));
//! assert_eq!(strategies(&plans, &files).len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::{out_of_depth, overrun, published, returns_doubts, without_tape};
use crate::base::failure::Failure;
use crate::base::output::{IfTaken, write_file};
use crate::base::places::check_apart;
use crate::cli::arguments::{ResultArgs, StrategyPlan, TradingArgs, unsaid};
use crate::cli::display::warn;
use crate::cli::printer::Printer;
use crate::feed::intake::{FaultNote, IntakeCounts};
use crate::feed::intakes::ProductSeen;
use crate::report::html::doubts_in_text;
use crate::report::overview::{Overview, OverviewText};
use crate::report::publish::{numbers_without_report, publish};
use crate::report::terminal::{Run, RunReport};
use crate::run::files::{ReportFiles, RunFiles, files_of};
use crate::run::session::{SessionReport, Strategy};
use crate::strategy::features::Input;
use std::path::{Path, PathBuf};

/// The files of a session.
#[derive(Debug)]
pub struct SessionFiles {
    /// Of each strategy, in their order.
    pub of_strategies: Vec<RunFiles>,
    /// What compares several of them.
    pub overview: Option<ReportFiles>,
    /// Keeps the name that they share.
    claim: Option<RunFiles>,
}

impl SessionFiles {
    /// Those of a strategy that is alone.
    pub fn alone(files: RunFiles) -> Self {
        Self { of_strategies: vec![files], overview: None, claim: None }
    }

    /// Names the files of a session that starts now, reads `inputs` and writes `others` too. Those of a strategy that is alone are
    /// named as the session.
    ///
    /// # Errors
    /// They cannot be made, or would be written over what is read.
    pub fn create(
        results: &ResultArgs,
        product: &str,
        plans: &[StrategyPlan],
        inputs: &[PathBuf],
        others: &[&Path],
        if_taken: IfTaken,
    ) -> Result<Self, Failure> {
        let read: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
        let named = |results: &ResultArgs, plan: &StrategyPlan, if_taken| {
            let mut files = results.files_beside(product, plan.settings.fee_bps, &read, others, if_taken)?;
            plan.execution.name_logs(&plan.settings.strategy, &mut files);
            Ok::<_, Failure>(files)
        };
        if let [plan] = plans {
            return Ok(Self::alone(named(results, plan, if_taken)?));
        }
        let given =
            [("--probabilities", results.probabilities.is_some()), ("--decisions", results.decisions.is_some())];
        if let Some((option, _)) = given.into_iter().find(|&(_, given)| given) {
            return Err(Failure::input(format!("{option} is the file of one strategy, and there are {}", plans.len())));
        }
        let claim = results.claim(product, if_taken)?;
        let stem = claim.csv.file_stem().unwrap_or_default().to_string_lossy();
        let of_strategy = |plan: &StrategyPlan| {
            let name = plan.name.as_deref().unwrap_or_default();
            let results = ResultArgs { name: Some(format!("{stem}.{name}")), ..results.clone() };
            named(&results, plan, IfTaken::Refuse)
        };
        let files = Self {
            of_strategies: plans.iter().map(of_strategy).collect::<Result<_, _>>()?,
            overview: (!results.no_report).then(|| ReportFiles::beside(&claim.csv)),
            claim: Some(claim),
        };
        files.check_apart_from(inputs, others)?;
        Ok(files)
    }

    /// The trade log by whose name the session goes. Of several strategies none has it.
    pub fn csv(&self) -> &Path {
        &self.claim.as_ref().unwrap_or(&self.of_strategies[0]).csv
    }

    /// Refuses to write over what the session reads, and to write two files to one place. `others` are written beside its own.
    ///
    /// # Errors
    /// As it says.
    pub fn check_apart_from(&self, inputs: &[PathBuf], others: &[&Path]) -> Result<(), Failure> {
        let of_strategies = self.of_strategies.iter().flat_map(|files| files_of(&files.csv));
        let of_overview = self.overview.iter().flat_map(|files| [files.json.clone(), files.html.clone()]);
        let others = others.iter().map(|&path| path.to_owned());
        check_apart(of_strategies.chain(of_overview).chain(others), inputs).map_err(Failure::input)
    }
}

/// All files that a session's strategies read, the one that names them included.
pub fn session_inputs(trading: &TradingArgs, plans: &[StrategyPlan]) -> Vec<PathBuf> {
    trading.inputs().into_iter().chain(plans.iter().flat_map(StrategyPlan::inputs)).collect()
}

/// The strategies with their files, as a session takes them.
pub fn strategies<'a>(plans: &'a [StrategyPlan], files: &'a SessionFiles) -> Vec<Strategy<'a>> {
    let settings = plans.iter().map(|plan| &plan.settings.strategy);
    let products = plans.iter().map(|plan| plan.product);
    let strategies = settings.zip(&files.of_strategies).zip(products);
    strategies.map(|((settings, files), product)| Strategy { settings, files, product }).collect()
}

/// Warns of models that do not say what they predict.
pub fn warn_of_unsaid(plans: &[StrategyPlan]) {
    let mut told: Vec<String> = Vec::new();
    for plan in plans {
        let new = unsaid(&plan.trading, &plan.settings.strategy).filter(|warning| !told.contains(warning));
        if let Some(warning) = new {
            warn(&warning);
            told.push(warning);
        }
    }
}

/// What a session's feed has to say of a product, for all strategies.
#[derive(Clone, Copy, Debug)]
pub struct FeedFacts<'a> {
    /// What it has seen.
    pub counts: &'a IntakeCounts,
    /// The first faults.
    pub notes: &'a [FaultNote],
    /// What ended the session, if that was a fault.
    pub fault: Option<&'a str>,
}

/// Of each product.
pub fn feeds<'a>(products: &'a [ProductSeen], fault: Option<&'a str>) -> Vec<FeedFacts<'a>> {
    products.iter().map(|seen| FeedFacts { counts: &seen.counts, notes: &seen.notes, fault }).collect()
}

/// What is left to be said of reports once they are printed: failures in the order in which they count.
#[derive(Debug)]
pub struct Reported {
    /// A log that cannot be read back for what gives pause.
    pub doubts: Result<(), Failure>,
    /// A report that cannot be written.
    pub published: Result<(), Failure>,
}

/// Writes and prints what came of every strategy of a session that is called `title`. `runs` are those of products whose book was
/// live; `feeds` has a row for each product.
pub fn report<O>(
    title: &str,
    runs: &[Run<'_>],
    plans: &[StrategyPlan],
    files: &SessionFiles,
    session: &SessionReport<O>,
    feeds: &[FeedFacts<'_>],
    printer: &mut Printer,
) -> Reported {
    let mut reported = Reported { doubts: Ok(()), published: Ok(()) };
    let mut all = Vec::new();
    for run in runs {
        let feed = feeds[session.strategy(run.strategy).product];
        let fault = feed.fault.map(Into::into);
        let made = published(&session.written, || publish(run, session, feed.counts, feed.notes, fault));
        let material = made.as_ref().ok().and_then(Option::as_ref);
        let unpublished = numbers_without_report(run, session).map_err(Failure::running);
        let numbers = unpublished.as_ref().ok().and_then(Option::as_ref);
        if plans.len() == 1 {
            let text = RunReport::new(run, session, feed.counts, feed.notes).with(material);
            printer.print(text.doubting(numbers.map(doubts_in_text).unwrap_or_default()));
        }
        all.extend(material.map(|material| &material.numbers).or(numbers).cloned());
        reported.doubts = reported.doubts.and(unpublished.map(|_| ()));
        reported.published = reported.published.and(made.map_err(Failure::running).map(|_| ()));
    }
    if plans.len() == 1 {
        return reported;
    }
    let names = runs.iter().map(|run| plans[run.strategy].name.as_deref().unwrap_or_default());
    let strategies = names.zip(runs).zip(&all).map(|((name, run), numbers)| (name, run, numbers));
    let fault = feeds.iter().find_map(|feed| feed.fault);
    let overview = Overview::new(title, strategies, session, fault);
    let mut written = Vec::new();
    if let (Some(to), Ok(_)) = (&files.overview, &session.written) {
        let replace = files.of_strategies.iter().all(|files| files.replace);
        for (path, text) in [(&to.json, overview.json()), (&to.html, overview.page())] {
            match write_file(path, replace, &text) {
                Ok(()) => written.push(path.clone()),
                Err(error) => reported.published = reported.published.and(Err(Failure::running(error))),
            }
        }
    }
    // The first run of each product stands for it.
    let mut products: Vec<RunReport<'_>> = Vec::new();
    for (product, feed) in feeds.iter().enumerate() {
        let first = runs.iter().find(|run| session.strategy(run.strategy).product == product);
        products.extend(first.map(|run| RunReport::new(run, session, feed.counts, feed.notes)));
    }
    printer.print(OverviewText { overview: &overview, products, files: &written });
    reported
}

/// Warns of what a strategy's figures do not show. `no_tape` says what it means that there were no prints for a feature.
pub fn warn_of_strategies<O>(
    plans: &[StrategyPlan],
    files: &SessionFiles,
    session: &SessionReport<O>,
    feeds: &[FeedFacts<'_>],
    no_tape: impl Fn(&Input) -> String,
) {
    for (index, plan) in plans.iter().enumerate() {
        let of = session.strategy(index);
        let counts = &of.trader.counts;
        let without_tape =
            without_tape(&plan.settings.strategy.model.features, feeds[plan.product].counts).map(&no_tape);
        let warnings = without_tape.into_iter().chain(overrun(counts.tape_overruns, counts.update_overruns));
        let warnings = warnings.chain(out_of_depth(of.written));
        let warnings = warnings.chain(returns_doubts(of.written, &files.of_strategies[index]));
        for warning in warnings {
            match &plan.name {
                Some(name) if plans.len() > 1 => warn(format_args!("[{name}] {warning}")),
                _ => warn(warning),
            }
        }
    }
}
