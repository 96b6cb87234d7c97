//! `papertrader live`: paper trading against the live feed.
//!
//! ```
//! use clap::Parser;
//! use papertrader::cli::{Cli, Command};
//!
//! let arguments = ["papertrader", "live", "--model", "imbalance.json", "--record", "market.zst", "--duration", "30m"];
//! let Command::Live(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! assert_eq!(args.connection.url, papertrader::cli::arguments::VENUE_URL);
//! assert_eq!(args.record, Some("market.zst".into()));
//! # Ok::<(), clap::Error>(())
//! ```

use super::strategies::{
    Reported, SessionFiles, feeds, report, session_inputs, strategies, warn_of_strategies, warn_of_unsaid,
};
use super::{Dead, never_live_of, was_live, with_kept};
use crate::base::failure::Failure;
use crate::base::output::IfTaken;
use crate::capture::CaptureError;
use crate::capture::recording::{self, Recorded, Recording};
use crate::cli::arguments::{
    ConnectionArgs, ExecutionArgs, Models, ResultArgs, SpreadArgs, StrategyPlan, ThreadArgs, TradingArgs, label, place,
    plans,
};
use crate::cli::display::{status_line, tell, warn};
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::engine::status::Status;
use crate::feed::age::AgeFacts;
use crate::feed::breaks::times;
use crate::feed::live::{LiveFeed, LiveOutcome, LiveSettings, PrintsSubscribed};
use crate::report::html;
use crate::report::terminal::Run;
use crate::report::text::{Grouped, amount, counted, things};
use crate::run::session::{self, ThreadSettings};
use crate::run::spread::Spread;
use crate::statistics::logistic::probability;
use crate::strategy::features::Input;
use clap::Args;
use crossbeam_channel::{Receiver, bounded};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Notices that wait to be printed at most; more are dropped, the report counts all.
const NOTICES: usize = 64;

/// Arguments of `papertrader live`.
#[derive(Clone, Debug, Args)]
pub struct LiveArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub connection: ConnectionArgs,
    /// Record what arrives; the name's ending .gz or .zst compresses. A name that is taken gets a number
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
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

/// Runs a session to its end and reports.
///
/// # Errors
/// Bad arguments, no connection, or files that cannot be written.
pub fn run(args: &LiveArgs, printer: &mut Printer) -> Result<(), Failure> {
    let threads = args.threads.settings()?;
    let threads = if args.spread.engines.is_some() { threads } else { threads.for_a_socket() };
    let settings = args.connection.settings(args.trading.scale_rule(), threads.wait)?;
    let plans = plans(&args.trading, &args.execution, &mut Models::default())?;
    let (mut plans, products) = place(plans, &args.connection.product.0)?;
    let spread = args.spread.spread(&products, threads.pins, threads.fused)?;
    for plan in &mut plans {
        plan.settings.strategy.observe = !args.results.no_report;
        if plan.execution.has_makers() && args.connection.no_trades {
            return Err(Failure::input("--execution maker needs prints: leave --no-trades out"));
        }
    }
    let mut read = session_inputs(&args.trading, &plans);
    read.extend(args.connection.ca_cert.clone());
    let others = args.record.as_deref();
    let files =
        SessionFiles::create(&args.results, &label(&products), &plans, &read, others.as_slice(), IfTaken::Number)?;
    warn_of_unsaid(&plans);
    let session = LiveSession {
        title: format!("live session with {}", args.connection.url),
        settings,
        threads,
        spread,
        plans,
        files,
        record: args.record.clone(),
        replace: args.results.force,
        tell_every: None,
    };
    session.run(&Interrupt::watch()?, printer)
}

/// A session ready to run.
#[derive(Debug)]
pub struct LiveSession {
    /// What the report calls it.
    pub title: String,
    /// The feed's settings.
    pub settings: LiveSettings,
    /// Where and how the hot threads run.
    pub threads: ThreadSettings,
    /// The products' engines.
    pub spread: Spread,
    /// The strategies.
    pub plans: Vec<StrategyPlan>,
    /// What to write.
    pub files: SessionFiles,
    /// The capture to write.
    pub record: Option<PathBuf>,
    /// Whether it may replace one that is there.
    pub replace: bool,
    /// How often to print a line on standard error where that is no terminal; on a terminal a line shows the state anyway.
    pub tell_every: Option<Duration>,
}

impl LiveSession {
    /// Runs it, prints its report, and says what went wrong, if anything did.
    ///
    /// # Errors
    /// No connection, or files that could not be written.
    pub fn run(self, interrupt: &Interrupt, printer: &mut Printer) -> Result<(), Failure> {
        let Self { title, settings, threads, spread, plans, files, record, replace, tell_every } = self;
        let duration = settings.duration;
        let (tape, recorder) = match &record {
            Some(path) => {
                let (tape, recorder) =
                    recording::start(path, IfTaken::number_unless(replace)).map_err(Failure::input)?;
                (Some(tape), Some(recorder))
            }
            None => (None, None),
        };
        let (notices, heard) = bounded(NOTICES);
        let status = Arc::new(Status::of_products(settings.products.len()));
        let feed = LiveFeed::new(settings, tape, notices);
        let started = Instant::now();
        let line = status_line();
        let tell_every = tell_every.filter(|_| line.is_hidden());
        let mut shown = Shown::new(recorder.as_ref(), duration, tell_every);
        let watch = |status: &Status| {
            interrupt.pass_on(status);
            shown.look(status, &heard, &line);
        };
        let strategies = strategies(&plans, &files);
        let session = session::run_products(&threads, &spread, &strategies, &status, feed, watch);
        let session = session.map_err(Failure::input)?;
        let elapsed = started.elapsed();
        line.finish_and_clear();
        print_notices(&heard);

        let recorded = recorder.map(Recording::finish);
        let outcome = &session.feed;
        let dead = never_live_of(&status, &session, &outcome.products);
        if dead.len() == outcome.products.len() {
            // There is nothing to report. What arrived is kept.
            let (recorded, error) = recorded.unzip();
            finish(error.flatten(), outcome)?;
            return Err(Failure::running(with_kept(&Dead::lines(&dead).join("; "), recorded.as_ref())));
        }
        let mut source = connection_lines(outcome);
        source.push(("arrivals stamped", arrivals_line(outcome)));
        source.push(("age by venue's clock", age_line(outcome)));
        source.extend(recorded.as_ref().map(|(recorded, _)| ("recorded", recorded_line(recorded))));
        let runs = plans.iter().enumerate().map(|(index, plan)| Run {
            title: plan.titled(&title, plans.len()),
            in_sample: None,
            product: &outcome.products[plan.product].name,
            alias: outcome.products[plan.product].alias.as_deref(),
            other_products: &outcome.other_products,
            settings: &plan.settings,
            threads: &threads,
            strategy: index,
            files: &files.of_strategies[index],
            source: source.clone(),
            elapsed,
            stopped: outcome.stopped,
            paced: true,
        });
        let runs: Vec<Run<'_>> = runs.filter(|run| was_live(&status, plans[run.strategy].product)).collect();
        let feeds = feeds(&outcome.products, outcome.gave_up.as_deref());
        let Reported { doubts, published } = report(&title, &runs, &plans, &files, &session, &feeds, printer);
        let no_tape = |feature: &Input| {
            format!(
                "the session had no prints (channel market_trades), which '{feature}' reads; features of the tape were as \
                 without trades"
            )
        };
        warn_of_strategies(&plans, &files, &session, &feeds, no_tape);
        Dead::lines(&dead).iter().for_each(warn);
        if let Err(error) = session.written {
            return Err(Failure::running(error));
        }
        finish(recorded.and_then(|(_, error)| error), outcome)?;
        doubts.and(published)
    }
}

/// The report's lines about connections.
pub fn connection_lines(outcome: &LiveOutcome) -> Vec<(&'static str, String)> {
    let reconnects = counted(outcome.reconnects, "reconnect");
    vec![
        ("connected", format!("{} ({reconnects})", counted(outcome.connections, "time"))),
        ("failed attempts", outcome.failed_attempts.to_string()),
        ("prints subscribed", prints_line(outcome)),
    ]
}

/// The report's line about the subscription to prints.
fn prints_line(outcome: &LiveOutcome) -> String {
    let PrintsSubscribed { asked, acknowledged, refusals } = outcome.prints_subscribed;
    let refused = match refusals {
        0 => String::new(),
        count => format!(", refused {}", times(count)),
    };
    match asked {
        0 => "no".into(),
        1 if acknowledged == 1 => format!("yes{refused}"),
        asked => format!("acknowledged on {acknowledged} of {asked} connections{refused}"),
    }
}

/// The report's line about the system's receive stamps.
fn arrivals_line(outcome: &LiveOutcome) -> String {
    match outcome.stamped_messages {
        0 => "none: this system gives no receive stamps for the socket".into(),
        stamped => format!("{} of {}, by the system", Grouped(stamped), counted(outcome.messages, "message")),
    }
}

/// The report's line about how old frames were when they were read.
fn age_line(outcome: &LiveOutcome) -> String {
    let Some(age) = outcome.venue_ages.facts() else { return "—".into() };
    let text = |ns: u64| html::Shown::Time.text(ns as f64);
    let beyond = match age.beyond {
        0 => String::new(),
        beyond => format!(", {} ahead of our clock or an hour behind", Grouped(beyond)),
    };
    let AgeFacts { min_ns, p50_ns, p99_ns, max_ns, .. } = age;
    format!("min {}, p50 {}, p99 {}, max {}{beyond}", text(min_ns), text(p50_ns), text(p99_ns), text(max_ns))
}

/// The report's line about the recording.
pub fn recorded_line(recorded: &Recorded) -> String {
    let Recorded { path, frames, bytes, lost, failed } = recorded;
    let place = path.as_ref().map_or_else(|| "no file".into(), |path| path.display().to_string());
    let (messages, of_bytes) = (things(*frames, "message"), things(*bytes, "byte"));
    if *failed {
        return format!("failed: at most the first {frames} {messages}, {bytes} {of_bytes}, are in {place}");
    }
    format!("{frames} {messages}, {bytes} {of_bytes}, {lost} lost, in {place}")
}

/// What remains to be said after the report.
///
/// # Errors
/// The recording could not be written, or no connection could be made.
pub fn finish(recording: Option<CaptureError>, outcome: &LiveOutcome) -> Result<(), Failure> {
    match (recording, &outcome.gave_up) {
        (Some(error), _) => Err(Failure::running(error)),
        (None, Some(reason)) => Err(Failure::running(reason.as_str())),
        (None, None) => Ok(()),
    }
}

/// Prints what the feed had to say so far.
pub fn print_notices(heard: &Receiver<String>) {
    heard.try_iter().for_each(warn);
}

/// What the watching thread shows while a session runs.
struct Shown<'a> {
    recording: Option<&'a Recording>,
    recording_failed: bool,
    told_out_of_depth: bool,
    /// When the session began and how long it is to last.
    started: Instant,
    duration: Option<Duration>,
    tell_every: Option<Duration>,
    told: Instant,
    second: Instant,
    frames: u64,
}

impl<'a> Shown<'a> {
    fn new(recording: Option<&'a Recording>, duration: Option<Duration>, tell_every: Option<Duration>) -> Self {
        let now = Instant::now();
        Self {
            recording,
            recording_failed: false,
            told_out_of_depth: false,
            started: now,
            duration,
            tell_every,
            told: now,
            second: now,
            frames: 0,
        }
    }

    /// How much longer the session lasts, where that is known, in words before what else is said.
    fn left(&self) -> String {
        let left = self.duration.map(|duration| duration.saturating_sub(self.started.elapsed()).as_secs_f64().ceil());
        left.map_or_else(String::new, |left| format!("{left:.0} s left  "))
    }

    /// The line that is to be printed now, where no terminal shows the state.
    fn told(&mut self, status: &Status) -> Option<String> {
        let every = self.tell_every?;
        (self.told.elapsed() >= every).then(|| {
            self.told = Instant::now();
            let now = status.read_together();
            let profit = amount(now.profit);
            format!(
                "{}{}  {}  profit {profit}",
                self.left(),
                counted(now.frames, "frame"),
                counted(now.trades, "trade")
            )
        })
    }

    fn look(&mut self, status: &Status, heard: &Receiver<String>, line: &indicatif::ProgressBar) {
        if !heard.is_empty() {
            line.suspend(|| print_notices(heard));
        }
        if !self.recording_failed
            && let Some(why) = self.recording.and_then(Recording::failure)
        {
            self.recording_failed = true;
            line.suspend(|| warn(format_args!("the recording ends here, the session goes on: {why}")));
        }
        if !self.told_out_of_depth && status.read_together().out_of_depth {
            self.told_out_of_depth = true;
            let what =
                "the model is out of its depth: the market is not like its training; the report will have the figures";
            line.suspend(|| warn(what));
        }
        self.told(status).into_iter().for_each(tell);
        let elapsed = self.second.elapsed();
        if elapsed < Duration::from_secs(1) {
            return;
        }
        let now = status.read_together();
        let rate = (now.frames - self.frames) as f64 / elapsed.as_secs_f64();
        (self.second, self.frames) = (Instant::now(), now.frames);
        let state = if now.connected { now.state.name() } else { "disconnected" };
        let best = now.best.map_or_else(|| "no quotes".into(), |(bid, ask)| format!("{bid} / {ask}"));
        let latency = now.latency_p50_p99_ns.map_or_else(
            || "—".into(),
            |(p50_ns, p99_ns)| format!("{:.1}/{:.1} µs", p50_ns as f64 / 1e3, p99_ns as f64 / 1e3),
        );
        line.set_message(format!(
            "{}{state}  {rate:.0} frames/s  {best}  p {:.3}  {} open  {}  profit {}  p50/p99 {latency}  {}",
            self.left(),
            probability(now.logit),
            now.open_positions,
            counted(now.trades, "trade"),
            amount(now.profit),
            counted(now.reconnects, "reconnect"),
        ));
        line.tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_without_a_terminal_says_now_and_then_that_it_is_alive() {
        let status = Status::default();
        let minute = Some(Duration::from_secs(60));
        let told = |tell_every, duration| Shown::new(None, duration, tell_every).told(&status);
        assert_eq!(told(Some(Duration::ZERO), minute).unwrap(), "60 s left  0 frames  0 trades  profit 0.000000");
        assert_eq!(told(Some(Duration::ZERO), None).unwrap(), "0 frames  0 trades  profit 0.000000");
        assert_eq!((told(None, minute), told(minute, minute)), (None, None));
        let mut shown = Shown::new(None, minute, Some(Duration::from_secs(30)));
        shown.told = shown.told.checked_sub(Duration::from_secs(31)).expect("the machine has run for so long");
        assert!(shown.told(&status).is_some());
        assert_eq!(shown.told(&status), None);
    }
}
