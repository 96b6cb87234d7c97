//! `papertrader profile`: the latency from a frame's due time to its decision, at fixed rates.

use super::published;
use crate::base::clock::{Clock, Speed, wall_ns};
use crate::base::cores::Pins;
use crate::base::failure::Failure;
use crate::capture::replay::Replay;
use crate::cli::arguments::{ThreadArgs, TradingArgs, parse_duration};
use crate::cli::display::warn;
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::engine::latency::{STAGES_EVERY, Stage, StageTable, StageTimes};
use crate::engine::status::Status;
use crate::profile::{Feeder, Frames, Noise, NoiseMeter, ping_pong_ns};
use crate::report::publish::publish;
use crate::report::terminal::{Grouped, Run, StageLines};
use crate::run::files::{ReportFiles, RunFiles, WriteError};
use crate::run::session;
use clap::Args;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Arguments of `papertrader profile`.
#[derive(Clone, Debug, Args)]
pub struct ProfileArgs {
    /// Recorded market, plain, .gz or .zst; its frames from the first snapshot on are held in memory
    pub capture: PathBuf,
    /// Product to present [default: the first in the capture]
    #[arg(long, value_name = "NAME")]
    pub product: Option<String>,
    /// Frames a second, one run each: 1k,10k,100k,1M
    #[arg(long, value_name = "RATES", value_delimiter = ',', default_value = "1k,10k,100k,1M", value_parser = parse_rate)]
    pub rates: Vec<u64>,
    /// How long frames are due at each rate: seconds, or with a unit such as 1m
    #[arg(long, value_name = "TIME", default_value = "5", value_parser = parse_duration)]
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
    /// Name of the files in it: NAME.json, and NAME.RATE.hgrm and the like; what is there is replaced
    #[arg(long, value_name = "NAME", default_value = "profile", value_parser = crate::cli::arguments::parse_name)]
    pub name: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub trading: TradingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub threads: ThreadArgs,
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

/// One rate's run.
struct AtRate {
    rate: u64,
    due: u64,
    presented: u64,
    achieved_rate: f64,
    latency: StageTable,
    ring_high_water_events: usize,
    ring_full_waits: u64,
    noise: Noise,
    complaints: Vec<String>,
    files: RunFiles,
}

impl AtRate {
    fn total(&self) -> &StageTimes {
        self.latency.stage(Stage::Total)
    }

    /// Whether all frames were presented and the tail is within the bound.
    fn is_within(&self, p99_ns_max: u64) -> bool {
        self.presented == self.due && self.total().quantile_ns(0.99) <= p99_ns_max
    }

    fn print(&self, printer: &mut Printer) {
        printer.print(format_args!("\n{} frames/s\n", Grouped(self.rate)));
        let (presented, due) = (Grouped(self.presented), Grouped(self.due));
        printer.print(format_args!(
            "  {presented} of {due} due frames presented, {} a second\n",
            Grouped(self.achieved_rate as u64)
        ));
        printer.print(StageLines(&self.latency));
        printer.print(format_args!(
            "  ring high water {} events, full-ring waits {}\n",
            Grouped(self.ring_high_water_events as u64),
            Grouped(self.ring_full_waits)
        ));
        for complaint in &self.complaints {
            printer.print(format_args!("  too noisy to trust: {complaint}\n"));
        }
    }

    fn json(&self) -> Value {
        let stages: serde_json::Map<String, Value> = Stage::ALL
            .into_iter()
            .map(|stage| {
                let times = self.latency.stage(stage);
                let mut summary = json!({
                    "count": times.count(), "out_of_range": times.out_of_range,
                    "min_ns": times.min_ns(), "max_ns": times.max_ns,
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
            "steal_ms": self.noise.steal_ms,
            "involuntary_switches": self.noise.involuntary_switches,
            "too_noisy": self.complaints,
            "hgrm": self.files.hgrm,
            "hlog": self.files.hlog,
        })
    }
}

/// Runs every rate, reports, and writes the summary.
///
/// # Errors
/// Bad arguments, a bad capture, or files that cannot be written.
pub fn run(args: &ProfileArgs, printer: &mut Printer) -> Result<(), Failure> {
    let settings = args.trading.settings(&args.threads)?;
    let session = &settings.session;
    let rule = args.trading.scale_rule();
    let replay = Replay::open(&args.capture, args.product.as_deref(), rule, Speed::Max).map_err(Failure::input)?;
    let frames = Arc::new(Frames::read(&args.capture, replay.product()).map_err(Failure::input)?);
    drop(replay);
    let interrupt = Interrupt::watch()?;

    let clock = Clock::new();
    let stamp_ns = clock.floor_ns();
    let ping_pong_ns = match session.pins {
        _ if session.fused => None,
        Pins::Two(feed, engine) => Some(ping_pong_ns((Some(feed), Some(engine))).map_err(Failure::input)?),
        _ => Some(ping_pong_ns((None, None)).map_err(Failure::input)?),
    };
    printer.print(format_args!("papertrader {}: profile of {}\n", env!("CARGO_PKG_VERSION"), args.capture.display()));
    printer.print(format_args!(
        "  {} frames of {} behind a snapshot, in memory\n",
        Grouped(frames.len() as u64 - 1),
        frames.product
    ));
    let threads = if session.fused { "one thread (fused)" } else { "two threads" };
    printer.print(format_args!("  {threads}, {}, wait {}\n", cores(session.pins), session.wait.name()));
    printer.print(format_args!("  the stages of one frame in {STAGES_EVERY} are stamped, received → decided of all\n"));
    printer.print(format_args!("  floors: a stamp costs {stamp_ns} ns\n"));
    if let Some(hop_ns) = ping_pong_ns {
        printer.print(format_args!("          a cache line takes {hop_ns:.0} ns from one thread to the other\n"));
    }

    let mut runs: Vec<AtRate> = Vec::new();
    for &rate in &args.rates {
        if interrupt.is_set() {
            break;
        }
        let stem = format!("{}.{rate}", args.name);
        let mut files = RunFiles::create(&args.out, &frames.product, Some(&stem)).map_err(Failure::input)?;
        let pages = ReportFiles::beside(&files.csv);
        pages.remove();
        files.report = (!args.no_report).then_some(pages);
        let feeder = Feeder { frames: Arc::clone(&frames), rule, rate, duration: args.seconds };
        let status = Arc::new(Status::default());
        let mut meter = NoiseMeter::start();
        let watch = |status: &Status| {
            interrupt.pass_on(status);
            meter.look();
        };
        let started = Instant::now();
        let report = session::run(session, &files, &status, feeder, watch).map_err(Failure::input)?;
        let noise = meter.noise();
        let run = Run {
            title: format!("profile of {} at {} frames/s", args.capture.display(), Grouped(rate)),
            product: &frames.product,
            alias: None,
            other_products: &[],
            settings: &settings,
            files: &files,
            source: Vec::new(),
            elapsed: started.elapsed(),
            stopped: report.feed.presented < report.feed.due,
        };
        published(&report.written, || publish(&run, &report, &report.feed.counts, &[], None))
            .map_err(Failure::running)?;
        let presented = report.feed;
        let seconds = presented.elapsed_ns as f64 / 1e9;
        let at_rate = AtRate {
            rate,
            due: presented.due,
            presented: presented.presented,
            achieved_rate: if seconds > 0.0 { presented.presented as f64 / seconds } else { 0.0 },
            latency: report.written.map_err(Failure::running)?.latency,
            ring_high_water_events: report.engine.ring_high_water_events,
            ring_full_waits: report.ring_full_waits,
            noise,
            complaints: noise.complaints(seconds),
            files,
        };
        at_rate.print(printer);
        runs.push(at_rate);
    }

    let p99_ns_max = args.knee_p99_us.saturating_mul(1_000);
    let knee = runs.iter().filter(|run| run.is_within(p99_ns_max)).map(|run| run.rate).max();
    match knee {
        Some(rate) => printer.print(format_args!(
            "\nknee: {} frames/s, the highest rate with p99 <= {} us\n",
            Grouped(rate),
            args.knee_p99_us
        )),
        None => printer.print(format_args!("\nknee: none of the rates has p99 <= {} us\n", args.knee_p99_us)),
    }
    let noisy = runs.iter().filter(|run| !run.complaints.is_empty()).count();
    if noisy > 0 {
        warn(format_args!("{noisy} of {} runs are too noisy to trust their tails", runs.len()));
    }
    let summary = json!({
        "papertrader": env!("CARGO_PKG_VERSION"),
        "finished_unix_ns": wall_ns(),
        "capture": args.capture,
        "product": frames.product,
        "frames": frames.len(),
        "model": session.model.path,
        "features": session.model.features.len(),
        "threads": { "fused": session.fused, "feed_core": session.pins.feed(), "engine_core": session.pins.engine(),
            "wait": session.wait.name() },
        "seconds": args.seconds.as_secs_f64(),
        "stages_every": STAGES_EVERY,
        "floors": { "stamp_ns": stamp_ns, "ping_pong_ns": ping_pong_ns },
        "knee": { "p99_us_max": args.knee_p99_us, "rate": knee },
        "rates": runs.iter().map(AtRate::json).collect::<Vec<_>>(),
    });
    let path = args.out.join(format!("{}.json", args.name));
    let text = serde_json::to_string_pretty(&summary).map_err(Failure::running)?;
    fs::create_dir_all(&args.out)
        .and_then(|()| fs::write(&path, text + "\n"))
        .map_err(|source| Failure::running(WriteError::at(&path)(source)))?;
    printer.print(format_args!("\nwrote\n  {}\n", path.display()));
    for run in &runs {
        printer.print(format_args!("  {}\n  {}\n", run.files.hgrm.display(), run.files.hlog.display()));
        if let Some(report) = &run.files.report {
            printer.print(format_args!("  {}\n  {}\n", report.json.display(), report.html.display()));
        }
    }
    Ok(())
}

fn cores(pins: Pins) -> String {
    match pins {
        Pins::Anywhere => "any core".into(),
        Pins::One(core) => format!("core {core}"),
        Pins::Two(feed, engine) => format!("cores {feed} (feed) and {engine} (engine)"),
    }
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
}
