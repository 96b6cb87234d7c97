//! `papertrader inspect`: what a file of a market is.
//!
//! ```
//! use papertrader::cli::printer::Printer;
//! use clap::Parser;
//! use papertrader::cli::{Cli, Command, commands::inspect};
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! let folder = tempfile::tempdir()?;
//! let market = synthetic::capture(folder.path(), 100)?;
//! let Command::Inspect(args) = Cli::try_parse_from(["papertrader".as_ref(), "inspect".as_ref(), market.as_os_str()])?.command else {
//!     panic!("another command")
//! };
//! inspect::run(&args, &mut Printer::stdout()).expect("the capture is whole");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::failure::Failure;
use crate::capture::frames::{FrameFile, Index, Totals};
use crate::cli::arguments::SourceArgs;
use crate::cli::printer::Printer;
use crate::engine::status::Status;
use crate::market::book::Follower;
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::Decimal;
use crate::report::text::Grouped;
use crate::run::session::Feed;
use crate::sources::detect::{Format, detect};
use crate::sources::market::Market;
use clap::Args;
use jiff::Timestamp;
use std::path::PathBuf;

/// Arguments of `papertrader inspect`.
#[derive(Clone, Debug, Args)]
pub struct InspectArgs {
    /// Market of any format
    pub market: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: SourceArgs,
}

/// What frames show.
#[derive(Default)]
struct Look {
    follower: Follower,
    first_ns: Option<i64>,
    last_ns: i64,
    frames: u64,
    snapshots: u64,
    levels: u64,
    prints: u64,
    faults: u64,
    crossed: u64,
    /// Messages whose times of receipt are before those of the messages before.
    back: u64,
    /// Messages with a venue's time, and those of them whose is after the time of receipt.
    timed: u64,
    ahead: u64,
    longest_pause_ns: i64,
}

impl Publish for Look {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        if self.first_ns.is_some() {
            self.back += u64::from(head.ts_recv_ns < self.last_ns);
            self.longest_pause_ns = self.longest_pause_ns.max(head.ts_recv_ns.saturating_sub(self.last_ns));
        }
        self.first_ns.get_or_insert(head.ts_recv_ns);
        self.last_ns = head.ts_recv_ns;
        if head.ts_event_ns != 0 {
            self.timed += 1;
            self.ahead += u64::from(head.ts_event_ns > head.ts_recv_ns);
        }
        self.follower.count(head);
        // A book that does not fit is invalid, and counted as not live.
        let _ = self.follower.begin(head);
        match head.kind {
            FrameKind::Prints => self.prints += (events.len() / PRINT_EVENTS) as u64,
            FrameKind::Snapshot | FrameKind::Update => {
                self.frames += 1;
                self.snapshots += u64::from(head.kind == FrameKind::Snapshot);
                self.levels += events.len() as u64;
                self.follower.levels(events);
            }
            FrameKind::Invalid(_) => self.faults += 1,
            FrameKind::Connected => {}
        }
        let _ = self.follower.end();
        let is_crossed = self.follower.is_live() && self.follower.book().is_crossed_or_locked();
        self.crossed += u64::from(head.kind.is_book_frame() && is_crossed);
        Ok(())
    }
}

fn time(ns: i64) -> String {
    Timestamp::from_nanosecond(ns.into()).map_or_else(|_| format!("{ns} ns"), |time| time.to_string())
}

fn seconds(ns: i64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}

/// Says what the file is.
///
/// # Errors
/// It cannot be read, or not to its end.
pub fn run(args: &InspectArgs, printer: &mut Printer) -> Result<(), Failure> {
    let settings = args.source.settings()?;
    let format = args.source.market.format.or_else(|| detect(&args.market).ok().flatten()).unwrap_or(Format::Capture);
    let mut line = |name: &str, value: String| printer.print(format_args!("{name:<24} {value}\n"));
    line("format", format.name().into());
    if format == Format::Frames {
        let file = FrameFile::open(&args.market).map_err(Failure::input)?;
        let header = file.header();
        line("product", header.product.clone());
        line("written by", header.program.clone());
        for from in &header.made_from {
            line("made from", format!("{} ({}, SHA-256 {})", from.path.display(), from.format, from.sha256));
        }
        if let Some(index) = file.index() {
            by_index(index, &mut line);
            return Ok(());
        }
    }
    let market = Market::open(&args.market, &settings).map_err(Failure::input)?;
    if format != Format::Frames {
        line("product", market.product().into());
    }
    let mut look = Look::default();
    let outcome = market.run(&mut look, &Status::default());
    let scale = outcome.scale;
    let step = |decimals| Decimal { count: 1, decimals }.to_string();
    let first_ns = look.first_ns.unwrap_or_default();
    let count = |count: u64| Grouped(count).to_string();
    line("from", time(first_ns));
    line("to", time(look.last_ns));
    line("lasts", seconds(look.last_ns.saturating_sub(first_ns)));
    line("longest pause", seconds(look.longest_pause_ns));
    line("tick, lot", format!("{}, {}", step(scale.price_decimals), step(scale.size_decimals)));
    line("frames", count(look.frames));
    line("  snapshots", count(look.snapshots));
    line("  levels", count(look.levels));
    line("  crossed or locked", count(look.crossed));
    line("prints", count(look.prints));
    line("book lost", count(look.faults));
    for note in outcome.notes.iter().take(5) {
        line("", format!("{}: {}", note.fault.name(), note.detail));
    }
    line("times that go back", count(look.back));
    line("venue's times", format!("{}, {} after their receipt", count(look.timed), count(look.ahead)));
    outcome.remarks.into_iter().for_each(|remark| line("", remark));
    if let Some(cut) = outcome.cut {
        line("", cut.to_string());
    }
    outcome.error.map_or(Ok(()), |error| Err(Failure::input(error)))
}

/// By the index alone, without reading the frames.
fn by_index(index: &Index, line: &mut impl FnMut(&str, String)) {
    let Totals { frames, snapshots, levels, prints } = index.totals;
    let first_ns = index.entries.first().map_or(0, |entry| entry.first_ns);
    let last_ns = index.entries.iter().map(|entry| entry.last_ns).max().unwrap_or_default();
    let count = |count: u64| Grouped(count).to_string();
    line("from", time(first_ns));
    line("to", time(last_ns));
    line("lasts", seconds(last_ns.saturating_sub(first_ns)));
    line("frames", count(frames));
    line("  snapshots", count(snapshots));
    line("  levels", count(levels));
    line("prints", count(prints));
    line("blocks", count(index.entries.len() as u64));
}
