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
use crate::capture::frames::{FAR_NS, Finder, Findings, FrameFile, Index, Totals};
use crate::capture::replay::check_file;
use crate::cli::arguments::SourceArgs;
use crate::cli::printer::Printer;
use crate::engine::status::Status;
use crate::market::book::Follower;
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::Decimal;
use crate::report::text::{Grouped, counted};
use crate::run::session::Feed;
use crate::sources::bytes::check_unpacked;
use crate::sources::detect::{Format, detect};
use crate::sources::files::{expand, named};
use crate::sources::market::{Market, MarketSettings};
use clap::Args;
use jiff::Timestamp;
use std::path::PathBuf;

/// Arguments of `papertrader inspect`.
#[derive(Clone, Debug, Args)]
pub struct InspectArgs {
    /// Market of any format; several files, folders and patterns are one market in the order of time
    #[arg(required = true, value_name = "MARKET")]
    pub markets: Vec<PathBuf>,
    /// Read all frames of a file that has an index of them, as without one
    #[arg(long)]
    pub full: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: SourceArgs,
}

/// What frames show.
#[derive(Default)]
struct Look {
    follower: Follower,
    finder: Finder,
    totals: Totals,
    crossed: u64,
}

impl Publish for Look {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        self.finder.take(head);
        self.follower.count(head);
        // A book that does not fit is invalid, and counted as not live.
        let _ = self.follower.begin(head);
        match head.kind {
            FrameKind::Prints => self.totals.prints += (events.len() / PRINT_EVENTS) as u64,
            FrameKind::Snapshot | FrameKind::Update => {
                self.totals.frames += 1;
                self.totals.snapshots += u64::from(head.kind == FrameKind::Snapshot);
                self.totals.levels += events.len() as u64;
                self.follower.levels(events);
            }
            FrameKind::Invalid(_) | FrameKind::Connected => {}
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
    let markets = expand(&args.markets).map_err(Failure::input)?;
    markets.iter().try_for_each(|market| check_file(market)).map_err(Failure::input)?;
    markets.iter().try_for_each(|market| check_unpacked(market)).map_err(Failure::input)?;
    let settings = args.source.settings()?;
    let found = markets.first().and_then(|first| detect(first).ok().flatten());
    let format = args.source.market.format.or(found).unwrap_or(Format::Capture);
    let mut line = |name: &str, value: String| printer.print(format_args!("{name:<24} {value}\n"));
    if markets.len() > 1 {
        line("files", named(&markets));
    }
    line("format", format.name().into());
    if let (Format::Frames, [market]) = (format, &markets[..]) {
        let file = FrameFile::open(market).map_err(Failure::input)?;
        let header = file.header();
        line("product", header.product.clone());
        line("written by", header.program.clone());
        for from in &header.made_from {
            line("made from", format!("{} ({}, SHA-256 {})", from.path.display(), from.format, from.sha256));
        }
        if let Some(index) = file.index().filter(|_| !args.full && is_of_all(&settings, &header.product)) {
            by_index(index, &mut line);
            return Ok(());
        }
    }
    let market = Market::open_all(&markets, &settings).map_err(Failure::input)?;
    if format != Format::Frames || markets.len() > 1 {
        line("product", market.product().into());
    }
    let mut look = Look::default();
    let outcome = market.run(&mut look, &Status::default());
    if !outcome.other_products.is_empty() {
        line("other products", outcome.other_products.join(", "));
    }
    show(&look.totals, Ok(&look.finder.findings()), Some(look.crossed), &mut line);
    for note in outcome.first().notes.iter().take(5) {
        line("", format!("{}: {}", note.fault.name(), note.detail));
    }
    // Readers of other formats say so themselves.
    let unread = Some(outcome.first().counts.prints_unread).filter(|&unread| format == Format::Capture && unread > 0);
    unread.into_iter().for_each(|unread| line("", format!("{} that cannot be read", counted(unread, "print"))));
    outcome.remarks.into_iter().for_each(|remark| line("", remark));
    if let Some(cut) = outcome.cut {
        line("", cut.to_string());
    }
    outcome.error.map_or(Ok(()), |error| Err(Failure::input(error)))
}

/// Whether a file is to be looked at as it is, which its index tells.
fn is_of_all(settings: &MarketSettings, product: &str) -> bool {
    settings.window.is_all() && settings.reader.product.as_deref().is_none_or(|asked| asked == product)
}

/// Stands where an index tells nothing.
const NOT_IN_INDEX: &str = "not in the index; --full reads all frames";

/// By the index alone, without reading the frames.
fn by_index(index: &Index, line: &mut impl FnMut(&str, String)) {
    // Within a block no time of an older file is known to be before its first.
    let first_ns = index.entries.iter().map(|entry| entry.first_ns).min().unwrap_or_default();
    let last_ns = index.entries.iter().map(|entry| entry.last_ns).max().unwrap_or_default();
    show(&index.totals, index.findings.as_ref().ok_or((first_ns, last_ns)), None, line);
    line("blocks", Grouped(index.entries.len() as u64).to_string());
}

/// The numbers; without findings there are only the first time and the last.
fn show(
    totals: &Totals,
    findings: Result<&Findings, (i64, i64)>,
    crossed: Option<u64>,
    line: &mut impl FnMut(&str, String),
) {
    let &Totals { frames, snapshots, levels, prints } = totals;
    let count = |count: u64| Grouped(count).to_string();
    let step = |decimals| Decimal { count: 1, decimals }.to_string();
    let of = |show: &dyn Fn(&Findings) -> String| findings.map_or_else(|_| NOT_IN_INDEX.into(), show);
    let (first_ns, last_ns) = findings.map_or_else(|span| span, |found| (found.first_ns, found.last_ns));
    line("from", time(first_ns));
    line("to", time(last_ns));
    line("lasts", seconds(last_ns.saturating_sub(first_ns)));
    line("longest pause", of(&|found| seconds(found.longest_pause_ns)));
    line(
        "tick, lot",
        of(&|found| format!("{}, {}", step(found.scale.price_decimals), step(found.scale.size_decimals))),
    );
    line("frames", count(frames));
    line("  snapshots", count(snapshots));
    line("  levels", count(levels));
    line("  crossed or locked", crossed.map_or_else(|| NOT_IN_INDEX.into(), count));
    line("prints", count(prints));
    line("times that go back", of(&|found| count(found.back)));
    line("venue's times", of(&|found| format!("{}, {} after their receipt", count(found.timed), count(found.ahead))));
    if let Ok(found) = findings {
        if found.far_ahead > 0 {
            let frames = counted(found.far_ahead, "frame");
            line("", format!("{frames} whose venue's time is more than a day after the receipt: a time may be wrong"));
        }
        if found.longest_pause_ns > FAR_NS {
            line("", "a frame comes more than a day after the one before: a time may be wrong".into());
        }
    }
    line("book lost", of(&|found| count(found.faults)));
}
