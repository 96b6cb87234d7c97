//! `papertrader exchange`: a local exchange for everything that wants something real to connect to.
//!
//! ```
//! use clap::Parser;
//! use papertrader::cli::{Cli, Command};
//!
//! let arguments = ["papertrader", "exchange", "--tls", "--rate", "1000", "--fault", "gap@100"];
//! let Command::Exchange(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! assert!(args.tls && args.listen.ip().is_loopback());
//! assert_eq!((args.rate, args.fault.len()), (Some(1_000.0), 1));
//! assert_eq!(args.layout, papertrader::exchange::message::Layout::Year2026);
//! # Ok::<(), clap::Error>(())
//! ```

use crate::base::failure::Failure;
use crate::cli::arguments::parse_product;
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::exchange::faults::{FaultKind, FaultSpec};
use crate::exchange::message::Layout;
use crate::exchange::{Exchange, ExchangeConfig, ExchangeStats, Pace, SourceConfig, TlsFiles};
use clap::Args;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// How long before a frame is due an exchange with `--spin` stops sleeping.
const SPIN: Duration = Duration::from_micros(200);

/// A synthetic market's changes within so long make one message, as the venue's do, unless the arguments say otherwise.
const BATCH: Duration = Duration::from_millis(50);
/// The longest that changes may be collected for.
const BATCH_MAX: Duration = Duration::from_secs(10);

/// Arguments of `papertrader exchange`.
#[derive(Clone, Debug, Args)]
pub struct ExchangeArgs {
    /// Address to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Speak TLS, with certificates made now
    #[arg(long)]
    pub tls: bool,
    /// Write the authority's certificate to this file, for clients to trust
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca_out: Option<PathBuf>,
    /// `synthetic`, or a market of any format to play: a capture's messages as they are, others as the venue would send them
    #[arg(long, value_name = "SOURCE", default_value = "synthetic")]
    pub source: PathBuf,
    /// Product to serve; repeatable [default: BTC-USD, or all in the capture]
    #[arg(long, value_name = "NAME", value_parser = parse_product)]
    pub product: Vec<String>,
    /// Seed of the synthetic market
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Frames a second: the mean of a synthetic market, even spacing for a capture [default: 200 if synthetic, which go
    /// out in batches]
    #[arg(long, value_name = "FRAMES/S", conflicts_with = "speed", value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// Speed of a capture: 1x, 10x, …, or max, which also serves a synthetic market as fast as clients read
    /// [default: 1x]
    #[arg(long, value_name = "SPEED")]
    pub speed: Option<Pace>,
    /// Send a synthetic market's changes of so long as one frame; 0 sends each of its frames by itself [default: 50ms;
    /// 0 with --rate, --speed or --layout 2024]
    #[arg(long, value_name = "TIME", value_parser = parse_batch)]
    pub batch: Option<Duration>,
    /// Layout of the messages: 2026, today's, or 2024, the older one with client_id, times of nine digits, 1970 in
    /// snapshots, and acknowledgements before the first update. A capture's frames stay as they are
    #[arg(long, value_name = "YEAR", default_value_t)]
    pub layout: Layout,
    /// Begin the capture again at its end
    #[arg(long = "loop")]
    pub looping: bool,
    /// Levels in a synthetic market's first book
    #[arg(long, value_name = "LEVELS", default_value_t = 20_000)]
    pub levels: usize,
    /// Close the connections when the capture is over
    #[arg(long)]
    pub close_at_end: bool,
    /// Something to go wrong: `KIND[:AMOUNT][@MOMENT|/MOMENT][xTIMES]`, such as gap@100, disconnect-rst@3s,
    /// stall:2s/500x3, or random:SEED/MEAN; repeatable
    #[arg(long, value_name = "FAULT", long_help = fault_help())]
    pub fault: Vec<FaultSpec>,
    /// Write `sequence_num wall_ns` of the first client's frames, just before each was given to the socket
    #[arg(long, value_name = "FILE")]
    pub send_log: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
    /// Spin before each frame is due instead of sleeping: exact pacing for a whole core
    #[arg(long)]
    pub spin: bool,
}

/// Reads a number of frames a second.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    let good = |rate: &f64| *rate > 0.0 && *rate <= 1e6;
    text.parse().ok().filter(good).ok_or_else(|| "a rate lies above 0 and at most at 1000000".into())
}

/// Reads for how long changes are collected: `50ms`, `1s`, `0`.
pub fn parse_batch(text: &str) -> Result<Duration, String> {
    let (number, per_s) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.parse().ok().map(|number: f64| number / per_s);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|&time| time <= BATCH_MAX)
        .ok_or_else(|| "a batch takes 0 to 10 s: a number with ms or s, such as 50ms".into())
}

/// The forms of a fault and every kind.
fn fault_help() -> String {
    let mut help = "Something to go wrong: KIND[:AMOUNT][@MOMENT|/MOMENT][xTIMES], such as gap@100 (at the 100th frame), \
        gap/500 (at every 500th), disconnect-rst@3s, stall:2s/500x3 (three times), or random:SEED/MEAN, a survivable one \
        every MEAN frames or seconds; repeatable. MOMENT counts frames, snapshots, messages of prints, acknowledgements or \
        connections, whatever the kind strikes, or is a time since the first client connected.\n"
        .to_owned();
    for kind in FaultKind::ALL {
        // Writing to a string does not fail.
        let _ = write!(help, "\n{:<19} {}", kind.name(), kind.about());
    }
    help
}

impl ExchangeArgs {
    fn config(&self) -> Result<ExchangeConfig, Failure> {
        let synthetic = self.source.as_os_str() == "synthetic";
        let pace = match (self.rate, self.speed) {
            (Some(frames_per_s), _) => Pace::Rate { frames_per_s },
            (None, Some(Pace::Speed { .. })) if synthetic => {
                return Err(Failure::input("--speed of a synthetic market can only be max; use --rate"));
            }
            (None, Some(pace)) => pace,
            (None, None) if synthetic => Pace::Rate { frames_per_s: 200.0 },
            (None, None) => Pace::Speed { factor: 1.0 },
        };
        if self.batch.is_some() && !synthetic {
            return Err(Failure::input("--batch is for a synthetic market; a capture's frames stay as they are"));
        }
        let is_old_pace = self.rate.is_some() || self.speed.is_some() || self.layout == Layout::Year2024;
        let batch = self.batch.unwrap_or(if is_old_pace { Duration::ZERO } else { BATCH });
        let source = if synthetic {
            SourceConfig::Synthetic { seed: self.seed, pace, snapshot_levels: self.levels }
        } else {
            SourceConfig::Capture { path: self.source.clone(), pace, looping: self.looping }
        };
        Ok(ExchangeConfig {
            listen: self.listen,
            tls: self.tls.then(|| TlsFiles { ca_out: self.ca_out.clone() }),
            products: self.product.clone(),
            source,
            layout: self.layout,
            batch,
            close_at_end: self.close_at_end,
            faults: self.fault.clone(),
            send_log: self.send_log.clone(),
            replace_files: self.force,
            spin: if self.spin { SPIN } else { Duration::ZERO },
            ..ExchangeConfig::default()
        })
    }
}

/// Serves until somebody stops it.
///
/// # Errors
/// Bad arguments, an address that cannot be listened on, a bad capture, files that cannot be written.
pub fn run(args: &ExchangeArgs, printer: &mut Printer) -> Result<(), Failure> {
    let interrupt = Interrupt::watch()?;
    let exchange = Exchange::start(args.config()?).map_err(Failure::input)?;
    printer.print(format_args!("papertrader {}: exchange at {}\n", env!("CARGO_PKG_VERSION"), exchange.url()));
    while !interrupt.is_set() {
        thread::sleep(Duration::from_millis(50));
        // The exchange ends by itself only when something went wrong.
        if exchange.stats().is_err() {
            break;
        }
    }
    let stats = exchange.stop().map_err(Failure::running)?;
    printer.print(report(&stats));
    match stats.source_error {
        Some(error) => Err(Failure::input(error)),
        None => Ok(()),
    }
}

fn report(stats: &ExchangeStats) -> String {
    let mut report = String::new();
    // Writing to a string does not fail.
    let mut line = |name: &str, count: u64| {
        let _ = writeln!(report, "  {name:<26} {count}");
    };
    let sent = stats.sent;
    for (name, count) in [
        ("clients accepted", stats.accepted),
        ("  refused, too many", stats.refused),
        ("  handshakes failed", stats.handshakes_failed),
        ("  no subscription in time", stats.no_subscribe),
        ("  too slow", stats.slow_clients),
        ("market frames", stats.market_frames),
        ("snapshots sent", sent.snapshots),
        ("updates sent", sent.updates),
        ("messages of prints sent", sent.prints),
        ("heartbeats sent", sent.heartbeats),
        ("acknowledgements sent", sent.subscriptions),
        ("errors sent", sent.errors),
        ("bytes sent", stats.bytes_sent),
        ("latest frame, us late", u64::try_from(stats.behind_max.as_micros()).unwrap_or(u64::MAX)),
        ("levels refused", stats.levels_refused),
    ] {
        line(name, count);
    }
    for (fault, count) in stats.recording_faults.iter() {
        line(&format!("recording: {}", fault.name()), count);
    }
    for (fault, &count) in &stats.faults {
        line(&format!("fault {}", fault.name()), count);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    /// The exchange's configuration for `papertrader exchange` with these arguments.
    fn config(arguments: &[&str]) -> Result<ExchangeConfig, Failure> {
        let arguments = ["papertrader", "exchange"].iter().chain(arguments);
        match crate::cli::Cli::try_parse_from(arguments).expect("arguments").command {
            crate::cli::Command::Exchange(args) => args.config(),
            _ => unreachable!("the command is exchange"),
        }
    }

    #[test]
    fn the_default_pace_is_the_venues() {
        for (arguments, batch_ms) in [
            (&[][..], 50),
            (&["--rate", "200"], 0),
            (&["--speed", "max"], 0),
            (&["--layout", "2024"], 0),
            (&["--batch", "0"], 0),
            (&["--rate", "1000", "--batch", "20ms"], 20),
            (&["--layout", "2024", "--batch", "1s"], 1_000),
        ] {
            let config = config(arguments).expect("good arguments");
            assert_eq!(config.batch, Duration::from_millis(batch_ms), "{arguments:?}");
            let is_old = arguments.contains(&"2024");
            assert_eq!(config.layout, if is_old { Layout::Year2024 } else { Layout::Year2026 });
        }
        let error = config(&["--source", "a.l2", "--batch", "50ms"]).expect_err("no batches");
        assert_eq!(error.to_string(), "--batch is for a synthetic market; a capture's frames stay as they are");
    }

    #[test]
    fn batches_have_units_and_bounds() {
        for (text, us) in
            [("50ms", 50_000), ("1s", 1_000_000), ("0", 0), ("0.5", 500_000), ("0.2ms", 200), ("10s", 10_000_000)]
        {
            assert_eq!(parse_batch(text), Ok(Duration::from_micros(us)), "{text}");
        }
        for text in ["", "ms", "-1ms", "11s", "1m", "NaN", "inf", "1e300"] {
            assert!(parse_batch(text).is_err(), "{text}");
        }
    }

    #[test]
    fn help_lists_every_fault() {
        let mut cli = crate::cli::Cli::command();
        let help = cli.find_subcommand_mut("exchange").expect("a command").render_long_help().to_string();
        for kind in FaultKind::ALL {
            let line = help.lines().find(|line| line.trim_start().starts_with(&format!("{} ", kind.name())));
            assert!(line.is_some(), "{kind} in {help}");
        }
    }
}
