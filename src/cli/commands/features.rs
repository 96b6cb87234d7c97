//! `papertrader features`: what a model would see after each frame, as a table.
//!
//! ```
//! use papertrader::cli::printer::Printer;
//! use clap::Parser;
//! use papertrader::cli::{Cli, Command, commands};
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 100 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! std::env::set_current_dir(&folder)?;
//! synthetic::capture(folder.path(), 100)?;
//! let arguments = ["papertrader", "features", "market.txt", "--features", "mid,imbalance_1", "--output", "rows.csv"];
//! let Command::Features(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! commands::features::run(&args, &mut Printer::stdout()).expect("the capture is whole");
//! assert_eq!(std::fs::read_to_string("rows.csv")?.lines().count(), 101);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::overrun;
use crate::base::failure::Failure;
use crate::base::places::check_apart;
use crate::cli::arguments::{LAG_UPDATES, LabelArgs, SourceArgs};
use crate::cli::display::{bar, warn};
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::research::dataset::{FeatureRows, LabelledRow, RowCounts, SinkError};
use crate::research::export::{ExportError, RowWriter};
use crate::research::feature_list::{file_of, parse_features};
use crate::research::source::{CaptureFacts, RowShape, Source, Watch, total_counts, without_prints};
use crate::research::source_error::SourceError;
use crate::research::tape_export::{CaptureTape, TapeWriter};
use crate::strategy::features::{CATALOGUE, Family, FeatureSet, Input};
use clap::Args;
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Arguments of `papertrader features`.
#[derive(Clone, Debug, Args)]
pub struct FeaturesArgs {
    /// Recorded markets of one product, plain, .gz or .zst
    #[arg(required_unless_present = "list", value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Table of features to write; its name ends in .csv or .parquet
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["list", "prints"])]
    pub output: Option<PathBuf>,
    /// Table of the tape to write, a row per print; its name ends in .csv or .parquet
    #[arg(long, value_name = "FILE")]
    pub prints: Option<PathBuf>,
    /// Features separated by commas: seed (the original's 28), all (of the book), tape (of the prints), names, NAME = EXPRESSION;
    /// or @FILE, one a line
    #[arg(long, value_name = "LIST", default_value = "seed")]
    pub features: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub label: LabelArgs,
    /// Write every so many evaluated frames
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub every: u32,
    /// Replace outputs that exist
    #[arg(long)]
    pub force: bool,
    /// List the features that can be named, and do nothing else
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub source: SourceArgs,
}

/// The catalogue as text.
fn list() -> String {
    let mut text = String::from(
        "N is a level or depth from 1 to 10, K a number of book updates from 1 to 10000, T a number of milliseconds from 1 to \
         60000.\n\n",
    );
    let width =
        |pick: fn(&Family) -> &str| CATALOGUE.iter().map(|family| pick(family).chars().count()).max().unwrap_or(0);
    let (name, unit) = (width(|family| family.pattern), width(|family| family.unit));
    for Family { pattern, unit: of, formula, source } in CATALOGUE {
        text.push_str(&format!("{pattern:name$}  {of:unit$}  {formula}  [{source}]\n"));
    }
    text.push_str(
        "\nNAME = EXPRESSION makes a feature of these: + - * /, comparisons (1 or 0), parentheses, and\n\
         ln(x) sqrt(x) abs(x) sign(x) min(a, b) max(a, b) clip(x, low, high)\n\
         lag(x, K) delta(x, K) mean(x, K) std(x, K) ema(x, K)  over K updates or a time, as 500ms or 2s\n\
         sum(x, A..B) mean(x, A..B) min(x, A..B) max(x, A..B)  over levels, as sum(bid_price * bid_size, 1..10)\n",
    );
    text
}

/// Writes the table and says what is in it.
///
/// # Errors
/// Bad arguments, a bad capture, or a table that cannot be written.
pub fn run(args: &FeaturesArgs, printer: &mut Printer) -> Result<(), Failure> {
    if args.list {
        printer.print(list());
        return Ok(());
    }
    if args.output.is_none() && args.prints.is_none() {
        return Err(Failure::input("name the table to write with --output or --prints"));
    }
    let features = parse_features(&args.features).map_err(Failure::input)?;
    let captures = args.source.inputs(&args.captures)?;
    let inputs = captures.iter().map(PathBuf::as_path).chain(file_of(&args.features));
    check_apart(args.output.iter().chain(&args.prints), inputs).map_err(Failure::input)?;
    let source = args.source.open(&args.captures)?;
    let names: Vec<String> = source.paths().iter().map(|path| path.display().to_string()).collect();
    let rows = args.output.as_deref().map(|output| RowWriter::create(output, args.force, &names, &features));
    let mut rows = rows.transpose().map_err(not_begun)?;
    let tape = args.prints.as_deref().map(|prints| TapeWriter::create(prints, args.force, &names));
    let tape = tape.transpose().map_err(not_begun)?.map(RefCell::new);
    let interrupt = Interrupt::watch()?;
    let bar = bar(source.bytes(), "features");
    let started = Instant::now();
    let mut observer = FeatureRows::new(FeatureSet::new(&features));
    let watch = Watch { bar: &bar, stop: &|| interrupt.is_set() };
    let facts = read(args, &source, &mut observer, &watch, &mut rows, tape.as_ref())?;
    let total = rows.as_ref().map(|_| total_counts(&facts, args.label.rule(LAG_UPDATES))).transpose()?;
    let mut lines = Vec::new();
    // First: where it could not be written, not all frames were read.
    if let (Some(tape), Some(output)) = (tape, &args.prints) {
        let prints = tape.into_inner().finish().map_err(Failure::running)?;
        lines.push(format!("prints of {} in {}", source.product(), output.display()));
        lines.push(format!("prints        {prints:>12}"));
    }
    if let (Some(rows), Some(total), Some(output)) = (rows, total, &args.output) {
        rows.finish().map_err(Failure::running)?;
        lines.push(format!("features of {} in {}", source.product(), output.display()));
        lines.extend(counted(&total, started.elapsed()));
    }
    bar.finish_and_clear();
    warn_of(args, &features, &facts, &observer);
    printer.print(lines.join("\n") + "\n");
    Ok(())
}

/// What rows without a table were read from.
pub struct ReadRows {
    /// Their product.
    pub product: String,
    /// Each capture, in order of time: rows name it by its place here.
    pub captures: Vec<CaptureFacts>,
    /// What became of all frames.
    pub counts: RowCounts,
}

/// Gives `sink` the rows that the command would write, and writes nothing.
///
/// # Errors
/// Bad arguments, a bad capture, or the sink's.
pub fn read_rows(
    args: &FeaturesArgs,
    sink: &mut dyn FnMut(&LabelledRow<'_>) -> Result<(), SinkError>,
) -> Result<ReadRows, Failure> {
    let features = parse_features(&args.features).map_err(Failure::input)?;
    let source = args.source.open(&args.captures)?;
    let interrupt = Interrupt::watch()?;
    let bar = bar(source.bytes(), "features");
    let mut observer = FeatureRows::new(FeatureSet::new(&features));
    let watch = Watch { bar: &bar, stop: &|| interrupt.is_set() };
    let label = args.label.rule(LAG_UPDATES);
    let captures = source.read_rows(RowShape { label, every: args.every }, &mut observer, &watch, sink)?;
    let counts = total_counts(&captures, label)?;
    bar.finish_and_clear();
    warn_of(args, &features, &captures, &observer);
    Ok(ReadRows { product: source.product().into(), captures, counts })
}

/// Warns of what was found while reading.
fn warn_of(args: &FeaturesArgs, features: &[Input], facts: &[CaptureFacts], observer: &FeatureRows) {
    facts.iter().flat_map(|fact| fact.warnings()).chain(tape_warnings(args, features, facts)).for_each(warn);
    overrun(observer.tape_overruns(), observer.update_overruns()).for_each(warn);
}

/// Reads the captures once for both tables.
fn read(
    args: &FeaturesArgs,
    source: &Source,
    observer: &mut FeatureRows,
    watch: &Watch<'_>,
    rows: &mut Option<RowWriter>,
    tape: Option<&RefCell<TapeWriter>>,
) -> Result<Vec<CaptureFacts>, SourceError> {
    let shape = RowShape { label: args.label.rule(LAG_UPDATES), every: args.every };
    let mut sink = |row: &LabelledRow<'_>| match rows {
        Some(rows) => Ok(rows.write(row)?),
        None => Ok(()),
    };
    match tape {
        Some(tape) => {
            source.read(shape, observer, watch, &mut sink, |number| CaptureTape::new(tape, number), |_, _| {})
        }
        None => source.read_rows(shape, observer, watch, &mut sink),
    }
}

/// A table that could not be begun.
fn not_begun(error: ExportError) -> Failure {
    match error {
        ExportError::Io(_) | ExportError::Parquet(_) => Failure::running(error),
        ExportError::Kind(_) | ExportError::Output(_) => Failure::input(error),
    }
}

/// What is to be said of captures without prints.
fn tape_warnings(args: &FeaturesArgs, features: &[Input], facts: &[CaptureFacts]) -> Vec<String> {
    match without_prints(features, facts).filter(|_| args.output.is_some()) {
        Some(none) => vec![none.warning()],
        None if args.prints.is_some() => {
            let none = facts.iter().filter(|fact| fact.prints == 0);
            none.map(|fact| format!("{} holds no prints (channel market_trades)", fact.path.display())).collect()
        }
        None => Vec::new(),
    }
}

/// The terminal's lines about the rows.
fn counted(total: &RowCounts, elapsed: Duration) -> Vec<String> {
    let mut lines = vec![
        format!("frames        {:>12}", total.frames),
        format!("rows          {:>12}  {} without label", total.rows, total.unlabelled),
        format!("thin book     {:>12}  live frames without row", total.thin),
        format!("warming up    {:>12}  live frames without row", total.warming_up),
    ];
    if total.undefined > 0 {
        lines.push(format!(
            "undefined     {:>12}  live frames without row: an expression has no value",
            total.undefined
        ));
    }
    lines.extend([
        format!("mid changes   {:>12}", total.mid_changes),
        format!("frames/s      {:>12.0}", total.frames as f64 / elapsed.as_secs_f64()),
    ]);
    lines
}
