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
//! # Ok::<(), clap::Error>(())
//! ```

use crate::base::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::exchange::faults::FaultSpec;
use crate::exchange::{Exchange, ExchangeConfig, ExchangeStats, Pace, SourceConfig, TlsFiles};
use clap::Args;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// How long before a frame is due an exchange with `--spin` stops sleeping.
const SPIN: Duration = Duration::from_micros(200);

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
    /// `synthetic`, or a capture to play
    #[arg(long, value_name = "SOURCE", default_value = "synthetic")]
    pub source: PathBuf,
    /// Product to serve; repeatable [default: BTC-USD, or all in the capture]
    #[arg(long, value_name = "NAME")]
    pub product: Vec<String>,
    /// Seed of the synthetic market
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Frames a second: the mean of a synthetic market, even spacing for a capture [default: 200 if synthetic]
    #[arg(long, value_name = "FRAMES/S", conflicts_with = "speed", value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// Speed of a capture: 1x, 10x, …, or max, which also serves a synthetic market as fast as clients read
    /// [default: 1x]
    #[arg(long, value_name = "SPEED")]
    pub speed: Option<Pace>,
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
    #[arg(long, value_name = "FAULT")]
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
        ("heartbeats sent", sent.heartbeats),
        ("acknowledgements sent", sent.subscriptions),
        ("errors sent", sent.errors),
        ("bytes sent", stats.bytes_sent),
        ("latest frame, us late", u64::try_from(stats.behind_max.as_micros()).unwrap_or(u64::MAX)),
        ("levels refused", stats.levels_refused),
    ] {
        line(name, count);
    }
    for (fault, &count) in &stats.faults {
        line(&format!("fault {}", fault.name()), count);
    }
    report
}
