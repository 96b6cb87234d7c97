//! `papertrader replay`: paper trading over a recorded market.
//!
//! ```
//! use papertrader::cli::printer::Printer;
//! use clap::Parser;
//! use papertrader::cli::{Cli, Command, commands};
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 500 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! std::env::set_current_dir(&folder)?;
//! synthetic::capture(folder.path(), 500)?;
//! std::fs::write("imbalance.json", r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#)?;
//! let arguments = ["papertrader", "replay", "market.txt", "--model", "imbalance.json", "--out", ".", "--name", "run"];
//! let Command::Replay(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! commands::replay::run(&args, &mut Printer::stdout()).expect("the capture is whole");
//! assert!(std::fs::exists("run.csv")? && std::fs::exists("run.html")?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::strategies::{
    Reported, SessionFiles, feeds, report, session_inputs, strategies, warn_of_strategies, warn_of_unsaid,
};
use super::{Dead, never_live_of, was_live, with_kept};
use crate::base::clock::Speed;
use crate::base::failure::Failure;
use crate::base::output::IfTaken;
use crate::capture::replay::Waits;
use crate::capture::tape_check::{self, Reading, TapeError};
use crate::cli::arguments::{
    ExecutionArgs, MarketArgs, Models, ProductList, ResultArgs, SpreadArgs, StrategyPlan, ThreadArgs, TradingArgs,
    check_products, label, parse_products, place, plans,
};
use crate::cli::display::{byte_bar, warn};
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::engine::status::Status;
use crate::report::in_sample::in_sample;
use crate::report::terminal::Run;
use crate::report::text::{amount, counted};
use crate::research::source::sha256;
use crate::research::source_error::NoPrints;
use crate::run::session;
use crate::sources::files::{expand, named};
use crate::sources::market::{Market, MarketSettings};
use crate::strategy::features::Input;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Arguments of `papertrader replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// Recorded market, of any format; several files, folders and patterns are one market in the order of time
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Product to trade, or several of a capture, separated by commas [default: the first in the capture]
    #[arg(long, value_name = "NAME,…", value_parser = parse_products)]
    pub product: Option<ProductList>,
    /// As fast as it goes (max), or so many times as fast as it was recorded (1x, 10x, 0.5x); a paced frame's latency counts
    /// from when it is due
    #[arg(long, value_name = "SPEED", default_value = "max", value_parser = parse_speed)]
    pub speed: Speed,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: MarketArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub trading: TradingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub execution: ExecutionArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub threads: ThreadArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub spread: SpreadArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub results: ResultArgs,
}

/// Reads `max`, `1x`, `10x`, `0.5x`.
pub fn parse_speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let times = text.strip_suffix('x').and_then(|times| times.parse().ok());
    times
        .filter(|times: &f64| *times > 0.0 && times.is_finite())
        .map(Speed::Times)
        .ok_or_else(|| "a speed is max or a multiple such as 1x, 10x, 0.5x".into())
}

/// Replays, reports, and fails if something was wrong with the capture or the disk on the way.
///
/// # Errors
/// Bad arguments, a bad capture, or files that cannot be written.
pub fn run(args: &ReplayArgs, printer: &mut Printer) -> Result<(), Failure> {
    replay(args, &mut Models::default(), printer).map(|_| ())
}

/// The same with models that are known already; gives the strategies and their files too.
///
/// # Errors
/// As for [`run`].
pub fn replay(
    args: &ReplayArgs,
    models: &mut Models,
    printer: &mut Printer,
) -> Result<(Vec<StrategyPlan>, SessionFiles), Failure> {
    let threads = args.threads.settings()?;
    let rule = args.trading.scale_rule();
    let ProductList(asked) = args.product.clone().unwrap_or_default();
    check_products(&asked, rule)?;
    let plans = plans(&args.trading, &args.execution, models)?;
    let (mut plans, products) = place(plans, &asked)?;
    check_products(&products, rule)?;
    let spread = args.spread.spread(&products, threads.pins, threads.fused)?;
    for plan in &mut plans {
        plan.settings.strategy.observe = !args.results.no_report;
    }
    let hot_threads = if threads.fused { 1 } else { 1 + spread.engines() };
    let source = args.source.settings(products.first().map(String::as_str), rule)?;
    if args.source.from.is_some() && args.speed != Speed::Max {
        let what = "--from: a paced replay waits for what is before; convert that part first and replay it";
        return Err(Failure::input(what));
    }
    let also = products.get(1..).unwrap_or_default().to_vec();
    let source = MarketSettings { speed: args.speed, hot_threads, also, ..source };
    let captures = expand(&args.captures).map_err(Failure::input)?;
    let name = named(&captures);
    let replay = Market::open_all(&captures, &source).map_err(Failure::input)?.waiting(threads.wait);
    let reads_ahead = replay.reads_ahead();
    if plans.iter().any(|plan| plan.execution.has_makers()) {
        for (index, product) in replay.products().iter().enumerate() {
            let mut plans: Vec<&mut StrategyPlan> = plans.iter_mut().filter(|plan| plan.product == index).collect();
            if plans.iter().any(|plan| plan.execution.has_makers()) {
                let source = MarketSettings { speed: Speed::Max, also: Vec::new(), ..source.of_product(product) };
                let market = Market::open_all(&captures, &source).map_err(Failure::input)?;
                find_sides(&mut plans, tape_check::reading(market, Path::new(&name)))?;
            }
        }
    }
    let read = [session_inputs(&args.trading, &plans), args.source.inputs(&captures)].concat();
    let files = SessionFiles::create(&args.results, &label(&replay.products()), &plans, &read, &[], IfTaken::Refuse)?;
    warn_of_unsaid(&plans);
    let interrupt = Interrupt::watch()?;
    let status = Arc::new(Status::of_products(replay.products().len()));

    let progress = replay.progress();
    let bar = byte_bar(progress.bytes_total());
    let started = Instant::now();
    let watch = |status: &Status| {
        interrupt.pass_on(status);
        let now = status.read_together();
        bar.set_position(progress.bytes_read());
        let rate = now.frames as f64 / started.elapsed().as_secs_f64();
        bar.set_message(format!("{rate:.0} frames/s  {}  profit {}", counted(now.trades, "trade"), amount(now.profit)));
    };
    let strategies = strategies(&plans, &files);
    let session = session::run_products(&threads, &spread, &strategies, &status, replay, watch);
    let session = session.map_err(Failure::input)?;
    let elapsed = started.elapsed();
    bar.finish_and_clear();

    let mut source = Vec::new();
    if args.speed == Speed::Max {
        let waits = Waits::new(session.feed.waited_for_file, session.ring_full_waited, elapsed);
        source.push(("bound by", waits.bound().text(threads.fused, reads_ahead).into()));
        let (file, engine) = (100.0 * waits.file, 100.0 * waits.engine);
        source.push(("feed waited", format!("{file:.0} % of the time for the file, {engine:.0} % for the engine")));
    }
    let outcome = &session.feed;
    if outcome.files > 1 {
        let hole_s = outcome.longest_hole_ns as f64 / 1e9;
        source.push(("files", format!("{}, at most {hole_s:.3} s between them", outcome.files)));
    }
    let hash = || captures.iter().filter_map(|capture| sha256(capture).ok()).collect();
    let title = format!("replay of {name}");
    let in_sample_of = |plan: &StrategyPlan| {
        let seen = &outcome.products[plan.product];
        let span_ns: Vec<_> = seen.counts.span_ns.into_iter().collect();
        in_sample("the model", &plan.settings.strategy.model.trained_on, &seen.name, &span_ns, hash)
    };
    let runs = plans.iter().enumerate().map(|(index, plan)| Run {
        title: plan.titled(&title, plans.len()),
        in_sample: in_sample_of(plan),
        product: &outcome.products[plan.product].name,
        alias: outcome.products[plan.product].alias.as_deref(),
        other_products: &session.feed.other_products,
        settings: &plan.settings,
        threads: &threads,
        strategy: index,
        files: &files.of_strategies[index],
        source: source.clone(),
        elapsed,
        stopped: session.feed.stopped,
        paced: args.speed != Speed::Max,
    });
    let runs: Vec<Run<'_>> = runs.filter(|run| was_live(&status, plans[run.strategy].product)).collect();
    let dead = never_live_of(&status, &session, &outcome.products);
    if dead.len() == outcome.products.len() {
        let never_live = with_kept(&Dead::lines(&dead).join("; "), None);
        return Err(match session.feed.error {
            Some(error) => Failure::input(error),
            None => Failure::running(never_live),
        });
    }
    let fault = outcome.error.as_ref().map(ToString::to_string);
    let feeds = feeds(&outcome.products, fault.as_deref());
    let Reported { doubts, published } = report(&title, &runs, &plans, &files, &session, &feeds, printer);
    if let Some(cut) = &session.feed.cut {
        warn(cut);
    }
    session.feed.remarks.iter().for_each(|remark| warn(format_args!("{name}: {remark}")));
    let no_tape = |feature: &Input| NoPrints { feature: feature.clone(), captures: captures.clone() }.warning();
    warn_of_strategies(&plans, &files, &session, &feeds, no_tape);
    Dead::lines(&dead).iter().for_each(warn);
    if let Err(error) = session.written {
        return Err(Failure::running(error));
    }
    match session.feed.error {
        Some(error) => Err(Failure::input(error)),
        None => doubts.and(published).map(|()| (plans, files)),
    }
}

/// Tells makers whose side prints name, as a capture's tape shows it, unless they were told: who says it knows better.
fn find_sides(plans: &mut [&mut StrategyPlan], reading: Result<Reading, TapeError>) -> Result<(), Failure> {
    let is_untold =
        |plan: &StrategyPlan| plan.execution.has_makers() && plan.execution.of_accounts.prints_side.is_none();
    let takers_side = match reading {
        Ok(reading) => reading == Reading::TakersSide,
        Err(TapeError::NoSide { .. }) if !plans.iter().any(|plan| is_untold(plan)) => return Ok(()),
        Err(error) => return Err(Failure::input(error)),
    };
    for plan in plans.iter_mut().filter(|plan| is_untold(plan)) {
        if let Some(accounts) = &mut plan.settings.strategy.accounts {
            accounts.rules.takers_side = takers_side;
        }
    }
    Ok(())
}
