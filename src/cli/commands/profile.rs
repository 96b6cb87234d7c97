//! `papertrader profile`: the latency from a frame's due time to its decision, at fixed rates.
//!
//! ```
//! use clap::Parser;
//! use papertrader::cli::{Cli, Command};
//!
//! let arguments = ["papertrader", "profile", "market.zst", "--model", "imbalance.json", "--rates", "1k,1M"];
//! let Command::Profile(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! assert_eq!(args.rates, [1_000, 1_000_000]);
//! # Ok::<(), clap::Error>(())
//! ```

use super::strategies::session_inputs;
use super::{Dead, published, with_kept};
use crate::base::clock::{Clock, wall_ns};
use crate::base::cores::Pins;
use crate::base::failure::Failure;
use crate::base::output::{IfTaken, write_file};
use crate::base::places::check_apart;
use crate::cli::arguments::{
    ExecutionArgs, MarketArgs, Models, SpreadArgs, StrategyPlan, ThreadArgs, TradingArgs, parse_duration,
    parse_product, place, plans,
};
use crate::cli::display::warn;
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::engine::latency::{STAGES_EVERY, Stage, StageTable, StageTimes};
use crate::engine::status::Status;
use crate::feed::breaks::Breaks;
use crate::feed::intake::ScaleRule;
use crate::profile::{DURATION_MAX, Feeder, Frames, Noise, NoiseMeter, Presented, ping_pong_ns};
use crate::report::publish::publish;
use crate::report::terminal::{Grouped, Run, StageLines};
use crate::run::files::{ReportFiles, RunFiles, files_of, taken_by};
use crate::run::session::{self, SessionReport, Strategy, ThreadSettings};
use crate::sources::market::Market;
use clap::Args;
use serde_json::{Value, json};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Arguments of `papertrader profile`.
#[derive(Clone, Debug, Args)]
pub struct ProfileArgs {
    /// Recorded market, plain, .gz or .zst; its frames from the first snapshot on are held in memory
    pub capture: PathBuf,
    /// Product to present [default: the first in the capture]
    #[arg(long, value_name = "NAME", value_parser = parse_product)]
    pub product: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: MarketArgs,
    /// Frames a second, one run each: 1k,10k,100k,1M
    #[arg(long, value_name = "RATES", value_delimiter = ',', default_value = "1k,10k,100k,1M", value_parser = parse_rate)]
    pub rates: Vec<u64>,
    /// How long frames are due at each rate: seconds, or with a unit such as 1m
    #[arg(long, value_name = "TIME", default_value = "5", value_parser = parse_seconds)]
    pub seconds: Duration,
    /// The knee is the highest rate whose 99th percentile, received → decided, is at most so many microseconds
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub knee_p99_us: u64,
    /// Write no page and no RUN.json per rate
    #[arg(long)]
    pub no_report: bool,
    /// Folder for the histograms, the summary and the pages
    #[arg(long, value_name = "FOLDER", default_value = "simulations")]
    pub out: PathBuf,
    /// Name of the files in it: NAME.json, and NAME.RATE.hgrm and the like [default: profile, with a number if taken]
    #[arg(long, value_name = "NAME", value_parser = crate::cli::arguments::parse_name)]
    pub name: Option<String>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub trading: TradingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub threads: ThreadArgs,
}

impl ProfileArgs {
    /// `profile`, with a number if one of its files is there.
    fn free_stem(&self) -> String {
        let stems = (1_u64..).map(|number| if number == 1 { "profile".into() } else { format!("profile_{number}") });
        let is_free = |stem: &String| {
            let mut names = self.rates.iter().map(|rate| format!("{stem}.{rate}.csv")).chain([format!("{stem}.csv")]);
            self.force || names.all(|name| taken_by(&self.out.join(name)).is_none())
        };
        stems.into_iter().find(is_free).expect("numbers do not end")
    }

    /// Every file that may be written: the summary, and those of each rate.
    fn places(&self, stem: &str, plans: &[StrategyPlan]) -> Vec<PathBuf> {
        let of_rate = |rate: &u64| -> Vec<PathBuf> {
            let stems = plans.iter().map(|plan| stem_at(stem, *rate, plan, plans.len()));
            stems.flat_map(|stem| files_of(&self.out.join(format!("{stem}.csv")))).collect()
        };
        [self.out.join(format!("{stem}.json"))].into_iter().chain(self.rates.iter().flat_map(of_rate)).collect()
    }
}

/// What the files of a strategy at a rate are called.
fn stem_at(stem: &str, rate: u64, plan: &StrategyPlan, strategies: usize) -> String {
    match &plan.name {
        Some(name) if strategies > 1 => format!("{stem}.{rate}.{name}"),
        _ => format!("{stem}.{rate}"),
    }
}

/// The highest rate that is taken: a frame a nanosecond.
const RATE_MAX: u64 = 1_000_000_000;

/// Reads `500`, `10k`, `1.5k`, `1M`.
fn parse_rate(text: &str) -> Result<u64, String> {
    let (number, times) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 1e3),
        Some(b'M') => (&text[..text.len() - 1], 1e6),
        _ => (text, 1.0),
    };
    let rate = number.parse().ok().map(|number: f64| number * times);
    rate.filter(|rate| (1.0..=RATE_MAX as f64).contains(rate) && rate.fract() == 0.0)
        .map(|rate| rate as u64)
        .ok_or_else(|| {
            "a rate is a whole number of frames a second from 1 to 1000M, with k or M for thousands and millions".into()
        })
}

/// Reads a duration of at most a day.
fn parse_seconds(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration <= DURATION_MAX { Ok(duration) } else { Err("a rate is presented for at most a day".into()) }
}

/// One rate's run.
struct AtRate {
    rate: u64,
    due: u64,
    presented: u64,
    achieved_rate: f64,
    latency: Arc<StageTable>,
    ring_high_water_events: usize,
    ring_full_waits: u64,
    breaks: Breaks,
    noise: Noise,
    complaints: Vec<String>,
    files: Vec<RunFiles>,
}

impl AtRate {
    fn new(rate: u64, report: SessionReport<Presented>, noise: Noise, files: Vec<RunFiles>) -> Result<Self, Failure> {
        let engine = report.engine().clone();
        let presented = report.feed;
        let seconds = presented.elapsed_ns as f64 / 1e9;
        Ok(Self {
            rate,
            due: presented.due,
            presented: presented.presented,
            achieved_rate: if seconds > 0.0 { presented.presented as f64 / seconds } else { 0.0 },
            latency: report.written.map_err(Failure::running)?.swap_remove(0).latency,
            ring_high_water_events: engine.ring_high_water_events,
            ring_full_waits: report.ring_full_waits,
            breaks: Breaks::new(&presented.counts.faults, &engine.counts.faults, &presented.notes),
            noise,
            complaints: noise.complaints(seconds),
            files,
        })
    }

    fn total(&self) -> &StageTimes {
        self.latency.stage(Stage::Total)
    }

    /// Whether all frames were presented and the tail is within the bound.
    fn is_within(&self, p99_ns_max: u64) -> bool {
        self.presented == self.due && self.total().quantile_ns(0.99).is_some_and(|p99_ns| p99_ns <= p99_ns_max)
    }

    fn json(&self) -> Value {
        let stages: serde_json::Map<String, Value> = Stage::ALL
            .into_iter()
            .map(|stage| {
                let times = self.latency.stage(stage);
                let mut summary = json!({
                    "count": times.count(), "out_of_range": times.out_of_range,
                    "min_ns": times.min_ns(), "max_ns": times.longest_ns(),
                });
                for (name, quantile) in
                    [("p50_ns", 0.5), ("p90_ns", 0.9), ("p99_ns", 0.99), ("p99_9_ns", 0.999), ("p99_99_ns", 0.9999)]
                {
                    summary[name] = times.quantile_ns(quantile).into();
                }
                (stage.tag().into(), summary)
            })
            .collect();
        json!({
            "rate": self.rate,
            "due": self.due,
            "presented": self.presented,
            "achieved_rate": self.achieved_rate,
            "stages": stages,
            "ring_high_water_events": self.ring_high_water_events,
            "ring_full_waits": self.ring_full_waits,
            "faults": self.breaks.total,
            "faults_by_kind": self.breaks.causes,
            "fault_notes": self.breaks.notes,
            "steal_ms": self.noise.steal_ms,
            "involuntary_switches": self.noise.involuntary_switches,
            "too_noisy": self.complaints,
            "hgrm": self.files[0].hgrm,
            "hlog": self.files[0].hlog,
        })
    }
}

impl fmt::Display for AtRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (presented, due) = (Grouped(self.presented), Grouped(self.due));
        let achieved_rate = Grouped(self.achieved_rate as u64);
        let high_water = Grouped(self.ring_high_water_events as u64);
        writeln!(f, "\n{} frames/s", Grouped(self.rate))?;
        writeln!(f, "  {presented} of {due} due frames presented, {achieved_rate} a second")?;
        write!(f, "{}", StageLines(&self.latency))?;
        writeln!(f, "  ring high water {high_water} events, full-ring waits {}", Grouped(self.ring_full_waits))?;
        if !self.breaks.is_none() {
            writeln!(f, "  {}", self.breaks)?;
        }
        self.complaints.iter().try_for_each(|complaint| writeln!(f, "  too noisy to trust: {complaint}"))
    }
}

/// What no run can be faster than, nanoseconds.
struct Floors {
    /// A stamp of the clock.
    stamp_ns: u64,
    /// A cache line from one hot thread to the other, where there are two.
    ping_pong_ns: Option<f64>,
}

impl Floors {
    fn measure(threads: &ThreadSettings) -> Result<Self, Failure> {
        let stamp_ns = Clock::new().floor_ns();
        let cores = match threads.pins {
            Pins::Two(feed, engine) => (Some(feed), Some(engine)),
            _ => (None, None),
        };
        let ping_pong_ns = if threads.fused { None } else { Some(ping_pong_ns(cores).map_err(Failure::input)?) };
        Ok(Self { stamp_ns, ping_pong_ns })
    }
}

/// What all rates share.
struct Profile<'a> {
    args: &'a ProfileArgs,
    plans: Vec<StrategyPlan>,
    threads: ThreadSettings,
    rule: ScaleRule,
    frames: Arc<Frames>,
    /// The name of all files.
    stem: String,
    /// Keeps that name.
    _claim: RunFiles,
}

impl<'a> Profile<'a> {
    fn prepare(args: &'a ProfileArgs) -> Result<Self, Failure> {
        let threads = args.threads.settings()?;
        let plans = plans(&args.trading, &ExecutionArgs::default(), &mut Models::default())?;
        let said = plans.iter().find_map(|plan| plan.said_product.clone());
        let product = args.product.clone().or(said);
        let (plans, _) = place(plans, product.as_slice())?;
        SpreadArgs::default().spread(&[product.clone().unwrap_or_default()], threads.pins, threads.fused)?;
        if let Some(plan) = plans.iter().find(|plan| plan.settings.strategy.accounts.is_some()) {
            let (name, path) = (plan.name.as_deref().unwrap_or_default(), args.trading.strategies.as_deref());
            let path = path.unwrap_or(Path::new("")).display();
            let what = "a profile runs the original's execution alone";
            return Err(Failure::input(format!("strategies {path}, [{name}]: {what}")));
        }
        let rule = args.trading.scale_rule();
        let source = args.source.settings(product.as_deref(), rule)?;
        let market = Market::open(&args.capture, &source).map_err(Failure::input)?;
        let frames = Arc::new(Frames::read_market(&args.capture, market.product(), &source).map_err(Failure::input)?);
        let stem = args.name.clone().unwrap_or_else(|| args.free_stem());
        let inputs = args.source.inputs(std::slice::from_ref(&args.capture));
        check_apart(args.places(&stem, &plans), [session_inputs(&args.trading, &plans), inputs].concat())
            .map_err(Failure::input)?;
        let claim = RunFiles::named(&args.out, &stem, IfTaken::refuse_unless(args.force)).map_err(Failure::input)?;
        Ok(Self { args, plans, threads, rule, frames, stem, _claim: claim })
    }

    /// The lines before the first rate.
    fn head(&self, floors: &Floors) -> String {
        let threads = &self.threads;
        let frames = Grouped(self.frames.len() as u64 - 1);
        let prints = match self.frames.prints() {
            0 => String::new(),
            prints => format!(", {} messages of prints between them, not measured", Grouped(prints as u64)),
        };
        let how_many = if threads.fused { "one thread (fused)" } else { "two threads" };
        let mut lines = vec![
            format!("papertrader {}: profile of {}", env!("CARGO_PKG_VERSION"), self.args.capture.display()),
            format!("  {frames} frames of {} behind a snapshot{prints}, in memory", self.frames.product),
            format!("  {how_many}, {}, wait {}", threads.pins, threads.wait.name()),
            format!(
                "  the stages of one frame in {STAGES_EVERY} are stamped, received → decided of all, received being due;"
            ),
            "  nothing arrives from a socket".into(),
            format!("  floors: a stamp costs {} ns", floors.stamp_ns),
        ];
        if let Some(hop_ns) = floors.ping_pong_ns {
            lines.push(format!("          a cache line takes {hop_ns:.0} ns from one thread to the other"));
        }
        lines.join("\n") + "\n"
    }

    /// Names the files of a rate, of each strategy.
    fn files_at(&self, rate: u64) -> Result<Vec<RunFiles>, Failure> {
        let of_strategy = |plan: &StrategyPlan| {
            let stem = stem_at(&self.stem, rate, plan, self.plans.len());
            let if_taken = IfTaken::refuse_unless(self.args.force);
            let mut files = RunFiles::named(&self.args.out, &stem, if_taken).map_err(Failure::input)?;
            files.report = (!self.args.no_report).then(|| ReportFiles::beside(&files.csv));
            Ok(files)
        };
        self.plans.iter().map(of_strategy).collect()
    }

    /// Runs one rate and writes its files.
    fn at_rate(&self, rate: u64, interrupt: &Interrupt) -> Result<AtRate, Failure> {
        let files = self.files_at(rate)?;
        let feeder = Feeder { frames: Arc::clone(&self.frames), rule: self.rule, rate, duration: self.args.seconds };
        let status = Arc::new(Status::default());
        let mut meter = NoiseMeter::start();
        let watch = |status: &Status| {
            interrupt.pass_on(status);
            meter.look();
        };
        let started = Instant::now();
        let settings = self.plans.iter().map(|plan| &plan.settings.strategy);
        let strategies: Vec<Strategy<'_>> =
            settings.zip(&files).map(|(settings, files)| Strategy { settings, files, product: 0 }).collect();
        let report = session::run(&self.threads, &strategies, &status, feeder, watch).map_err(Failure::input)?;
        if !status.has_been_live() {
            let dead = Dead::new(&self.frames.product, &report.feed.counts, Some(report.engine()));
            return Err(Failure::running(with_kept(&Dead::lines(&[dead]).join("; "), None)));
        }
        let noise = meter.noise();
        let title = format!("profile of {} at {} frames/s", self.args.capture.display(), Grouped(rate));
        let elapsed = started.elapsed();
        for (strategy, plan) in self.plans.iter().enumerate() {
            let run = Run {
                title: plan.titled(&title, self.plans.len()),
                in_sample: None,
                product: &self.frames.product,
                alias: None,
                other_products: &[],
                settings: &plan.settings,
                threads: &self.threads,
                strategy,
                files: &files[strategy],
                source: Vec::new(),
                elapsed,
                stopped: report.feed.presented < report.feed.due,
                paced: true,
            };
            published(&report.written, || publish(&run, &report, &report.feed.counts, &report.feed.notes, None))
                .map_err(Failure::running)?;
        }
        AtRate::new(rate, report, noise, files)
    }

    /// The numbers of all rates, for machines.
    fn summary(&self, floors: &Floors, runs: &[AtRate], knee: Option<u64>) -> Value {
        let threads = &self.threads;
        let models: Vec<_> = self.plans.iter().map(|plan| &plan.settings.strategy.model).collect();
        json!({
            "papertrader": env!("CARGO_PKG_VERSION"),
            "finished_unix_ns": wall_ns(),
            "capture": self.args.capture,
            "product": self.frames.product,
            "frames": self.frames.len(),
            "messages_of_prints": self.frames.prints(),
            "model": models[0].path,
            "features": models[0].features.len(),
            "strategies": self.plans.iter().filter_map(|plan| plan.name.as_deref()).collect::<Vec<_>>(),
            "threads": { "fused": threads.fused, "feed_core": threads.pins.feed(),
                "engine_core": threads.pins.engine(), "wait": threads.wait.name() },
            "seconds": self.args.seconds.as_secs_f64(),
            "stages_every": STAGES_EVERY,
            "floors": { "stamp_ns": floors.stamp_ns, "ping_pong_ns": floors.ping_pong_ns },
            "knee": { "p99_us_max": self.args.knee_p99_us, "rate": knee },
            "rates": runs.iter().map(AtRate::json).collect::<Vec<_>>(),
        })
    }
}

/// Runs every rate, reports, and writes the summary.
///
/// # Errors
/// Bad arguments, a bad capture, or files that cannot be written.
pub fn run(args: &ProfileArgs, printer: &mut Printer) -> Result<(), Failure> {
    let profile = Profile::prepare(args)?;
    let interrupt = Interrupt::watch()?;
    let floors = Floors::measure(&profile.threads)?;
    printer.print(profile.head(&floors));
    let mut runs: Vec<AtRate> = Vec::new();
    for &rate in &args.rates {
        if interrupt.is_set() {
            break;
        }
        let at_rate = profile.at_rate(rate, &interrupt)?;
        printer.print(&at_rate);
        runs.push(at_rate);
    }
    let p99_ns_max = args.knee_p99_us.saturating_mul(1_000);
    let knee = runs.iter().filter(|run| run.is_within(p99_ns_max)).map(|run| run.rate).max();
    printer.print(knee_line(knee, args.knee_p99_us));
    let noisy = runs.iter().filter(|run| !run.complaints.is_empty()).count();
    if noisy > 0 {
        warn(format_args!("{noisy} of {} runs are too noisy to trust their tails", runs.len()));
    }
    let path = args.out.join(format!("{}.json", profile.stem));
    let summary = serde_json::to_string_pretty(&profile.summary(&floors, &runs, knee)).map_err(Failure::running)?;
    write_file(&path, args.force, &(summary + "\n")).map_err(Failure::running)?;
    printer.print(written_lines(&path, &runs));
    Ok(())
}

fn knee_line(knee: Option<u64>, p99_us_max: u64) -> String {
    match knee {
        Some(rate) => {
            format!("\nknee: {} frames/s, the highest rate with p99 <= {p99_us_max} us\n", Grouped(rate))
        }
        None => format!("\nknee: none of the rates has p99 <= {p99_us_max} us\n"),
    }
}

/// What was written where.
fn written_lines(summary: &Path, runs: &[AtRate]) -> String {
    let mut paths = vec![summary];
    for files in runs.iter().flat_map(|run| &run.files) {
        paths.extend([&*files.hgrm, &*files.hlog]);
        paths.extend(files.report.iter().flat_map(|report| [&*report.json, &*report.html]));
    }
    let lines: String = paths.iter().map(|path| format!("  {}\n", path.display())).collect();
    format!("\nwrote\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_whole_numbers() {
        for (text, rate) in
            [("1", 1), ("500", 500), ("10k", 10_000), ("1.5k", 1_500), ("1M", 1_000_000), ("1000M", RATE_MAX)]
        {
            assert_eq!(parse_rate(text), Ok(rate), "{text}");
        }
        for text in ["", "k", "0", "-1", "0.5", "1.0001k", "1001M", "1G", "1 k", "nan", "infM"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_presented_for_a_day_at_most() {
        assert_eq!(parse_seconds("24h"), Ok(DURATION_MAX));
        for text in ["86401", "1e19", "0"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
