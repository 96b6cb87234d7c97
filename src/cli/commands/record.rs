//! `papertrader record`: the live feed into a capture, without a model.
//!
//! ```
//! use papertrader::cli::printer::Printer;
//! use clap::Parser;
//! use papertrader::capture::CaptureReader;
//! use papertrader::cli::{Cli, Command, commands};
//! use papertrader::exchange::{Exchange, ExchangeConfig};
//!
//! // The local exchange stands in for the venue.
//! let exchange = Exchange::start(ExchangeConfig::default())?;
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.zst");
//! let arguments = ["papertrader", "record", "--url", &exchange.url(), "--duration", "1", &path.to_string_lossy()];
//! let Command::Record(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! commands::record::run(&args, &mut Printer::stdout()).expect("the exchange is there");
//! assert!(CaptureReader::open(&path)?.next_line()?.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::live::{connection_lines, finish, print_notices, recorded_line};
use super::{Dead, kept};
use crate::base::failure::Failure;
use crate::base::output::IfTaken;
use crate::base::places::check_apart;
use crate::capture::recording;
use crate::cli::arguments::{ConnectionArgs, label};
use crate::cli::display::{status_line, warn};
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::engine::status::Status;
use crate::feed::intake::{IntakeCounts, ScaleRule};
use crate::feed::intakes::ProductSeen;
use crate::feed::live::LiveFeed;
use crate::handoff::Wait;
use crate::market::event::{Event, Fault, FrameHead};
use crate::market::publish::{EngineGone, Publish};
use crate::report::text::counted;
use crate::run::files::stem_now;
use crate::run::session::Feed;
use clap::Args;
use crossbeam_channel::bounded;
use std::fmt::Write;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Arguments of `papertrader record`.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// Capture to write; the name's ending .gz or .zst compresses. A name that is taken gets a number. In a folder the name
    /// is the start time and the product
    pub capture: PathBuf,
    /// Replace a capture that exists
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub connection: ConnectionArgs,
}

/// Takes frames and does nothing with them: the feed itself checks sequence and levels.
struct NoEngine;

impl Publish for NoEngine {
    fn publish(&mut self, _: &FrameHead, _: &[Event]) -> Result<(), EngineGone> {
        Ok(())
    }
}

/// Records until the time is up or somebody stops it.
///
/// # Errors
/// Bad arguments, no connection, a book that never was live, or a file that cannot be written.
pub fn run(args: &RecordArgs, printer: &mut Printer) -> Result<(), Failure> {
    let settings = args.connection.settings(ScaleRule::default(), Wait::Block)?;
    let place = if args.capture.is_dir() {
        args.capture.join(stem_now(&label(&args.connection.product.0)) + ".l2.zst")
    } else {
        args.capture.clone()
    };
    check_apart([&place], &args.connection.ca_cert).map_err(Failure::input)?;
    let (tape, recorder) = recording::start(&place, IfTaken::number_unless(args.force)).map_err(Failure::input)?;
    let (notices, heard) = bounded(64);
    let feed = LiveFeed::new(settings, Some(tape), notices);
    let status = Status::default();
    let interrupt = Interrupt::watch()?;
    let started = Instant::now();
    let line = status_line();

    let outcome = thread::scope(|scope| {
        let feeding = scope.spawn(|| feed.run(&mut NoEngine, &status));
        while !feeding.is_finished() {
            thread::sleep(Duration::from_millis(50));
            interrupt.pass_on(&status);
            if recorder.failure().is_some() {
                // Nothing is left to do but to say why.
                status.stop();
            }
            if !heard.is_empty() {
                line.suspend(|| print_notices(&heard));
            }
            let now = status.read();
            let state = if now.connected { "connected" } else { "disconnected" };
            line.set_message(format!(
                "{state} for {} s, {}",
                started.elapsed().as_secs(),
                counted(now.reconnects, "reconnect")
            ));
        }
        feeding.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    line.finish_and_clear();
    print_notices(&heard);

    let (recorded, error) = recorder.finish();
    if outcome.connections == 0 && outcome.gave_up.is_some() {
        // There is nothing to report.
        return finish(None, &outcome);
    }
    let never_live = outcome.products.iter().filter(|product| product.counts.snapshots == 0);
    let dead: Vec<Dead> = never_live.map(|product| Dead::new(&product.name, &product.counts, None)).collect();
    let why = Dead::lines(&dead);
    if dead.len() == outcome.products.len() {
        // There is nothing to report either. What arrived is kept.
        finish(error, &outcome)?;
        let kept = kept(&recorded).unwrap_or_else(|| "nothing was recorded".into());
        return Err(Failure::running(format!("{}; {kept}", why.join("; "))));
    }
    why.iter().for_each(warn);
    let mut lines = connection_lines(&outcome);
    lines.extend(product_lines(&outcome.products));
    lines.push(("recorded", recorded_line(&recorded)));
    let mut report = format!("papertrader {}: recording of {}\n", env!("CARGO_PKG_VERSION"), args.connection.url);
    for (name, value) in lines {
        // Writing to a string does not fail.
        let _ = writeln!(report, "  {name:<24} {value}");
    }
    printer.print(report);
    finish(error, &outcome)
}

/// What came of the products: a number each, with its product's name where there are several.
fn product_lines(products: &[ProductSeen]) -> impl Iterator<Item = (&'static str, String)> + '_ {
    let line = move |count: &dyn Fn(&IntakeCounts) -> u64| match products {
        [product] => count(&product.counts).to_string(),
        // What is nothing is left out.
        products => {
            let counted = products.iter().map(|product| (&product.name, count(&product.counts)));
            let each: Vec<String> =
                counted.filter(|&(_, count)| count > 0).map(|(name, count)| format!("{name} {count}")).collect();
            if each.is_empty() { "0".into() } else { each.join(", ") }
        }
    };
    let counts = [
        ("frames", line(&|counts| counts.frames)),
        ("level updates", line(&|counts| counts.levels)),
        ("prints", line(&|counts| counts.prints)),
        ("prints lost", line(&|counts| counts.prints_lost)),
        ("prints that came again", line(&|counts| counts.prints_repeated)),
        ("prints unreadable", line(&|counts| counts.prints_unread)),
        ("faults", line(&|counts| counts.faults.total())),
    ];
    let happened = Fault::ALL.into_iter().filter(|&fault| products.iter().any(|seen| seen.counts.faults.of(fault) > 0));
    counts.into_iter().chain(happened.map(move |fault| (fault.name(), line(&|counts| counts.faults.of(fault)))))
}
