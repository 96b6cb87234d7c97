//! `papertrader convert`: a market from any format into another.
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
//! let arguments = ["papertrader", "convert", "market.txt", "--output", "market.frames"];
//! let Command::Convert(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! commands::convert::run(&args, &mut Printer::stdout()).expect("the capture is whole");
//! assert!(std::fs::exists("market.frames")?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod capture;
mod hftbacktest;
mod tardis;

use crate::base::failure::Failure;
use crate::base::output::{IfTaken, OutputError};
use crate::base::places::check_apart;
use crate::capture::CaptureError;
use crate::capture::frames::{FrameWriter, Header, MadeFrom, Totals};
use crate::cli::arguments::{MarketArgs, parse_product};
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::engine::status::Status;
use crate::feed::intake::ScaleRule;
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::parse_step;
use crate::report::text::counted;
use crate::research::source::sha256;
use crate::run::session::Feed;
use crate::sources::detect::{Format, detect};
use crate::sources::market::Market;
use capture::CaptureSink;
use clap::Args;
use hftbacktest::NpzSink;
use std::path::{Path, PathBuf};
use tardis::TardisSink;

/// Arguments of `papertrader convert`.
#[derive(Clone, Debug, Args)]
pub struct ConvertArgs {
    /// Market of any format
    pub market: PathBuf,
    /// File to write: .frames (blocks that replay without parsing), .l2, .l2.gz or .l2.zst (a capture: the venue's messages),
    /// .csv or .csv.gz (as Tardis' incremental_book_L2), .npz (as hftbacktest's events)
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Product [default: the first in the market]
    #[arg(long, value_name = "NAME", value_parser = parse_product)]
    pub product: Option<String>,
    /// The price step, a power of ten such as 0.01 [default: what the market needs]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub tick_size: Option<u8>,
    /// The quantity step, a power of ten such as 0.00000001 [default: what the market needs]
    #[arg(long, value_name = "STEP", value_parser = parse_step)]
    pub lot_size: Option<u8>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: MarketArgs,
    /// Do not compress blocks of frames
    #[arg(long)]
    pub no_compression: bool,
    /// Replace a file that exists
    #[arg(long)]
    pub force: bool,
}

/// Why a market was not written.
#[derive(Debug, thiserror::Error)]
enum SinkError {
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(transparent)]
    Capture(#[from] CaptureError),
}

/// Where frames go.
enum Sink {
    Frames(Box<FrameWriter>),
    Capture(Box<CaptureSink>),
    Tardis(Box<TardisSink>),
    Hftbacktest(Box<NpzSink>),
}

impl Sink {
    /// As the name of the output says.
    fn create(args: &ConvertArgs, product: &str, header: &Header) -> Result<Self, Failure> {
        let name = args.output.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
        let if_taken = if args.force { IfTaken::Replace } else { IfTaken::Refuse };
        match name.rsplit('.').next() {
            Some("npz") if name.len() < args.output.file_name().map_or(0, |name| name.len()) => {
                let what = "an npz is compressed by itself: leave .gz or .zst out";
                Err(Failure::input(format!("{}: {what}", args.output.display())))
            }
            Some("npz") => {
                Ok(Self::Hftbacktest(Box::new(NpzSink::create(&args.output, args.force).map_err(Failure::input)?)))
            }
            Some("frames")
                if name.len() < args.output.as_os_str().len() && args.output.extension() != Some("frames".as_ref()) =>
            {
                let what = "blocks of frames are compressed by themselves: leave .gz or .zst out";
                Err(Failure::input(format!("{}: {what}", args.output.display())))
            }
            Some("frames") => {
                let writer = FrameWriter::create(&args.output, header, !args.no_compression, if_taken);
                Ok(Self::Frames(Box::new(writer.map_err(Failure::input)?)))
            }
            Some("l2" | "txt") => Ok(Self::Capture(Box::new(
                CaptureSink::create(&args.output, product, args.force).map_err(Failure::input)?,
            ))),
            Some("csv") => Ok(Self::Tardis(Box::new(
                TardisSink::create(&args.output, product, args.force).map_err(Failure::input)?,
            ))),
            _ => {
                let what = "is of no kind that can be written: give a name that ends in .frames, .l2, .l2.gz, .l2.zst, .csv, .csv.gz or .npz";
                Err(Failure::input(format!("{} {what}", args.output.display())))
            }
        }
    }

    /// Gives what the user should know of the file.
    fn finish(self) -> Result<Option<String>, SinkError> {
        match self {
            Self::Frames(writer) => writer.finish().map(|_| None).map_err(Into::into),
            Self::Capture(sink) => sink.finish().map(|()| None).map_err(Into::into),
            Self::Tardis(sink) => sink.finish().map(|()| None).map_err(Into::into),
            Self::Hftbacktest(sink) => sink.finish().map_err(Into::into),
        }
    }
}

impl Publish for Sink {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        match self {
            Self::Frames(writer) => writer.publish(head, events),
            Self::Capture(sink) => sink.publish(head, events),
            Self::Tardis(sink) => sink.publish(head, events),
            Self::Hftbacktest(sink) => sink.publish(head, events),
        }
    }
}

/// A sink, as long as nobody asks for the end.
struct Interruptible<'a> {
    sink: Sink,
    interrupt: &'a Interrupt,
    taken: u64,
    written: Totals,
}

impl Publish for Interruptible<'_> {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        self.taken += 1;
        if self.taken.is_multiple_of(1_024) && self.interrupt.is_set() {
            return Err(EngineGone);
        }
        match head.kind {
            FrameKind::Snapshot | FrameKind::Update => {
                self.written.frames += 1;
                self.written.levels += events.len() as u64;
            }
            FrameKind::Prints => self.written.prints += (events.len() / PRINT_EVENTS) as u64,
            FrameKind::Connected | FrameKind::Invalid(_) => {}
        }
        self.sink.publish(head, events)
    }
}

/// Converts; the output is there when it is whole.
///
/// # Errors
/// Bad arguments, a market that cannot be read to its end, or a file that cannot be written.
pub fn run(args: &ConvertArgs, printer: &mut Printer) -> Result<(), Failure> {
    check_apart([&args.output], [&args.market].into_iter().chain(&args.source.initial_snapshot))
        .map_err(Failure::input)?;
    let interrupt = Interrupt::watch()?;
    let rule = ScaleRule { price_decimals: args.tick_size, size_decimals: args.lot_size };
    let settings = args.source.settings(args.product.as_deref(), rule)?;
    let market = Market::open(&args.market, &settings).map_err(Failure::input)?;
    let format = args.source.format.or_else(|| detect(&args.market).ok().flatten()).unwrap_or(Format::Capture);
    let product = market.product().to_owned();
    let header = header(&args.market, format, &product)?;
    let sink = Sink::create(args, &product, &header)?;
    let mut sink = Interruptible { sink, interrupt: &interrupt, taken: 0, written: Totals::default() };
    let outcome = market.run(&mut sink, &Status::default());
    if interrupt.is_set() {
        return Err(Failure::running(format!("stopped; {} was not written", args.output.display())));
    }
    let written = sink.written;
    let note = sink.sink.finish().map_err(Failure::running)?;
    let [frames, levels, prints] = [(written.frames, "frame"), (written.levels, "level"), (written.prints, "print")]
        .map(|(count, one)| counted(count, one));
    printer.print(format_args!("wrote {}: {product}, {frames}, {levels}, {prints}\n", args.output.display()));
    if let Some(note) = note {
        printer.print(format_args!("{note}"));
    }
    match outcome.error {
        Some(error) => Err(Failure::running(error)),
        None => Ok(()),
    }
}

fn header(path: &Path, format: Format, product: &str) -> Result<Header, Failure> {
    let made_from =
        MadeFrom { path: path.into(), sha256: sha256(path).map_err(Failure::input)?, format: format.name().into() };
    Ok(Header { made_from: vec![made_from], ..Header::of(product) })
}
