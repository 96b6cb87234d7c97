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
mod parquet;
mod rows;
mod tardis;

use crate::base::failure::Failure;
use crate::base::output::{IfTaken, OutputError, check_free};
use crate::base::places::check_apart;
use crate::capture::CaptureError;
use crate::capture::frames::{FrameWriter, Header, MadeFrom, Totals};
use crate::cli::arguments::SourceArgs;
use crate::cli::display::warn;
use crate::cli::interrupt::{Decision, Interrupt};
use crate::cli::printer::Printer;
use crate::engine::status::Status;
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS};
use crate::market::publish::{EngineGone, Publish};
use crate::report::text::counted;
use crate::research::source::sha256;
use crate::run::session::Feed;
use crate::sources::bytes::head;
use crate::sources::columns::Columns;
use crate::sources::detect::{Format, detect};
use crate::sources::files::{expand, named};
use crate::sources::market::Market;
use crate::sources::table::changes::NO_EVENT_TIME;
use crate::sources::tardis::{TRADES_HEADER, trades_path};
use capture::CaptureSink;
use clap::Args;
use hftbacktest::NpzSink;
use parquet::ParquetSink;
use rows::ForRows;
use std::path::{Path, PathBuf};
use std::{fs, io};
use tardis::TardisSink;

/// Arguments of `papertrader convert`.
#[derive(Clone, Debug, Args)]
pub struct ConvertArgs {
    /// Market of any format; several files, folders and patterns are one market in the order of time
    #[arg(required = true, value_name = "MARKET")]
    pub markets: Vec<PathBuf>,
    /// File to write: .frames (blocks that replay without parsing), .l2, .l2.gz or .l2.zst (a capture: the venue's messages),
    /// .csv or .csv.gz (as Tardis' incremental_book_L2), .parquet (the same columns), .npz (as hftbacktest's events)
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: SourceArgs,
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
    Parquet(Box<ParquetSink>),
    Hftbacktest(Box<NpzSink>),
}

/// What an output's name says.
#[derive(Clone, Copy)]
enum Kind {
    Frames,
    Capture,
    Tardis,
    Parquet,
    Hftbacktest,
}

impl Kind {
    fn of(output: &Path) -> Result<Self, Failure> {
        let name = output.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
        let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        let kind = match plain.rsplit('.').next() {
            Some("frames") => Self::Frames,
            Some("npz") => Self::Hftbacktest,
            Some("parquet") => Self::Parquet,
            Some("l2" | "txt") => Self::Capture,
            Some("csv") if !name.ends_with(".zst") => Self::Tardis,
            _ => {
                let endings = ".frames, .l2, .l2.gz, .l2.zst, .csv, .csv.gz, .parquet or .npz";
                let what = format!("is of no kind that can be written: give a name that ends in {endings}");
                return Err(Failure::input(format!("{} {what}", output.display())));
            }
        };
        if plain != name && matches!(kind, Self::Frames | Self::Hftbacktest | Self::Parquet) {
            let what = "such files are compressed by themselves: leave .gz or .zst out";
            return Err(Failure::input(format!("{}: {what}", output.display())));
        }
        Ok(kind)
    }

    /// What stands between the market and rows of other programs.
    fn for_rows(self) -> Option<ForRows> {
        matches!(self, Self::Tardis | Self::Parquet | Self::Hftbacktest).then(ForRows::default)
    }

    /// What is written beside it.
    fn beside(self, output: &Path) -> Option<PathBuf> {
        matches!(self, Self::Tardis | Self::Parquet).then(|| trades_path(output))
    }
}

impl Sink {
    /// As the name of the output says.
    fn create(args: &ConvertArgs, product: &str, header: &Header) -> Result<Self, Failure> {
        let (output, force) = (&args.output, args.force);
        if matches!(Kind::of(output)?, Kind::Tardis) && product.contains([',', '"', '\n', '\r']) {
            let what = "cannot stand in these rows: name the product by --product, or write .parquet or .frames";
            return Err(Failure::input(format!("{}: the product '{product}' {what}", output.display())));
        }
        if let Some(trades) = Kind::of(output)?.beside(output) {
            check_trades_place(&trades, force)?;
        }
        let if_taken = IfTaken::refuse_unless(force);
        Ok(match Kind::of(output)? {
            Kind::Frames => {
                let writer = FrameWriter::create(output, header, !args.no_compression, if_taken);
                Self::Frames(Box::new(writer.map_err(Failure::input)?))
            }
            Kind::Capture => {
                Self::Capture(Box::new(CaptureSink::create(output, product, force).map_err(Failure::input)?))
            }
            Kind::Tardis => Self::Tardis(Box::new(TardisSink::create(output, product, force).map_err(Failure::input)?)),
            Kind::Parquet => {
                Self::Parquet(Box::new(ParquetSink::create(output, product, force).map_err(Failure::input)?))
            }
            Kind::Hftbacktest => Self::Hftbacktest(Box::new(NpzSink::create(output, force).map_err(Failure::input)?)),
        })
    }

    /// Gives what the user should know of the file.
    fn finish(self) -> Result<Option<String>, SinkError> {
        match self {
            Self::Frames(writer) => writer.finish().map(|_| None).map_err(Into::into),
            Self::Capture(sink) => sink.finish().map(|()| None).map_err(Into::into),
            Self::Tardis(sink) => sink.finish().map_err(Into::into),
            Self::Parquet(sink) => sink.finish().map_err(Into::into),
            Self::Hftbacktest(sink) => sink.finish().map_err(Into::into),
        }
    }
}

impl Sink {
    fn push(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), SinkError> {
        match self {
            Self::Frames(writer) => writer.push(head, events).map_err(Into::into),
            Self::Capture(sink) => sink.push(head, events).map_err(Into::into),
            Self::Tardis(sink) => sink.push(head, events).map_err(Into::into),
            Self::Parquet(sink) => sink.push(head, events).map_err(Into::into),
            Self::Hftbacktest(sink) => sink.push(head, events).map_err(Into::into),
        }
    }
}

/// The place of the trades must be free, or with `force` hold trades that this program wrote: a file of others is read beside the
/// book as its trades, and is not ours to replace or to remove.
fn check_trades_place(path: &Path, force: bool) -> Result<(), Failure> {
    check_free(path, force).map_err(Failure::input)?;
    let is_there = fs::symlink_metadata(path).is_ok();
    if is_there && !(path.is_file() && is_written_by_us(path)) {
        let what = "is there, would be read as this market's trades, and was not written by this program: move it away";
        return Err(Failure::input(format!("{} {what}", path.display())));
    }
    Ok(())
}

/// Whether a file of trades is this program's: Tardis' rows name their venue, Parquet of others lacks our notes.
fn is_written_by_us(path: &Path) -> bool {
    match Columns::open(path) {
        Ok(columns) => columns.metadata(NO_EVENT_TIME).is_some(),
        Err(_) => head(path, 4_096).is_ok_and(|head| {
            let mut lines = head.split(|&byte| byte == b'\n');
            lines.next() == Some(TRADES_HEADER.as_bytes()) && lines.next().is_some_and(|row| row.starts_with(b","))
        }),
    }
}

/// What is to be said of rows of which a number does not read back from its float.
fn rounded_note(rows: u64) -> Option<String> {
    let rows = (rows > 0).then(|| counted(rows, "row"))?;
    let what = "with a price or size of more digits than a double holds: it reads back rounded";
    Some(format!("{rows} {what}\n"))
}

/// Trades of another market would be taken for this one's. Gives what the user should know.
fn remove_trades(path: &Path) -> Result<Option<String>, OutputError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(Some(format!("removed {}: this market has no prints\n", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OutputError::at(path)(error)),
    }
}

/// A sink until it fails or somebody asks for the end.
struct Writing<'a> {
    sink: Sink,
    for_rows: Option<ForRows>,
    interrupt: &'a Interrupt,
    taken: u64,
    written: Totals,
    error: Option<SinkError>,
}

impl Publish for Writing<'_> {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        self.taken += 1;
        if self.error.is_some() || (self.taken.is_multiple_of(1_024) && self.interrupt.is_set()) {
            return Err(EngineGone);
        }
        let events = match &mut self.for_rows {
            None => events,
            Some(rows) => match rows.pass(head, events) {
                Some(events) => events,
                None => return Ok(()),
            },
        };
        match head.kind {
            FrameKind::Snapshot | FrameKind::Update => {
                self.written.frames += 1;
                self.written.levels += events.len() as u64;
            }
            FrameKind::Prints => self.written.prints += (events.len() / PRINT_EVENTS) as u64,
            FrameKind::Connected | FrameKind::Invalid(_) => {}
        }
        self.sink.push(head, events).map_err(|error| {
            self.error = Some(error);
            EngineGone
        })
    }
}

/// Converts; the output is there when it is whole.
///
/// # Errors
/// Bad arguments, a market that cannot be read to its end, or a file that cannot be written.
pub fn run(args: &ConvertArgs, printer: &mut Printer) -> Result<(), Failure> {
    let markets = expand(&args.markets).map_err(Failure::input)?;
    let inputs = args.source.inputs(&markets)?;
    let outputs = [args.output.clone()].into_iter().chain(Kind::of(&args.output)?.beside(&args.output));
    check_apart(outputs, &inputs).map_err(Failure::input)?;
    let interrupt = Interrupt::watch()?;
    let (mine, of_work) = (args.clone(), interrupt.clone());
    let converted = interrupt.or_give_up(move |decision| convert(&mine, &markets, &of_work, decision))?;
    let Some(converted) = converted else { return Err(stopped(args)) };
    let Converted { text, remarks, error } = converted?;
    printer.print(text);
    remarks.iter().for_each(warn);
    // What came before it has been written.
    error.map_or(Ok(()), |error| Err(Failure::input(error)))
}

/// What was converted.
struct Converted {
    text: String,
    remarks: Vec<String>,
    error: Option<CaptureError>,
}

fn stopped(args: &ConvertArgs) -> Failure {
    Failure::running(format!("stopped; {} was not written", args.output.display()))
}

fn convert(
    args: &ConvertArgs,
    markets: &[PathBuf],
    interrupt: &Interrupt,
    decision: &Decision,
) -> Result<Converted, Failure> {
    let settings = args.source.settings()?;
    let market = Market::open_all(markets, &settings).map_err(Failure::input)?;
    let product = market.product().to_owned();
    let header = header(markets, args.source.market.format, &product)?;
    let sink = Sink::create(args, &product, &header)?;
    let for_rows = Kind::of(&args.output)?.for_rows();
    let mut writing = Writing { sink, for_rows, interrupt, taken: 0, written: Totals::default(), error: None };
    let outcome = market.run(&mut writing, &Status::default());
    if interrupt.is_set() {
        return Err(stopped(args));
    }
    let Writing { sink, for_rows, written, error, .. } = writing;
    if let Some(error) = error {
        return Err(Failure::running(error));
    }
    if for_rows.as_ref().is_some_and(|rows| !rows.has_begun()) {
        let what = "holds no snapshot of the product, without which rows are of no book";
        let cause = outcome.error.map_or_else(String::new, |error| format!("; {error}"));
        let (market, output) = (named(markets), args.output.display());
        return Err(Failure::input(format!("{market}: {what}; {output} was not written{cause}")));
    }
    if !decision.take() {
        return Err(stopped(args));
    }
    let note = sink.finish().map_err(Failure::running)?;
    let [frames, levels, prints] = [(written.frames, "frame"), (written.levels, "level"), (written.prints, "print")]
        .map(|(count, one)| counted(count, one));
    let text = format!("wrote {}: {product}, {frames}, {levels}, {prints}\n", args.output.display());
    let name = named(markets);
    let of_rows = for_rows.map(|rows| rows.remarks()).unwrap_or_default();
    let remarks = outcome.remarks.iter().chain(&of_rows).map(|remark| format!("{name}: {remark}"));
    let remarks = remarks.chain(outcome.cut.map(|cut| cut.to_string())).collect();
    Ok(Converted { text: text + &note.unwrap_or_default(), remarks, error: outcome.error })
}

fn header(paths: &[PathBuf], format: Option<Format>, product: &str) -> Result<Header, Failure> {
    let made_from = |path: &PathBuf| {
        let format = format.or_else(|| detect(path).ok().flatten()).unwrap_or(Format::Capture);
        let sha256 = sha256(path).map_err(Failure::input)?;
        Ok(MadeFrom { path: path.clone(), sha256, format: format.name().into() })
    };
    Ok(Header { made_from: paths.iter().map(made_from).collect::<Result<_, Failure>>()?, ..Header::of(product) })
}
