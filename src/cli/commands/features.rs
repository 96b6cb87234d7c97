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

use crate::base::failure::Failure;
use crate::base::places::check_apart;
use crate::cli::arguments::SourceArgs;
use crate::cli::display::{bar, warn};
use crate::cli::interrupt::Interrupt;
use crate::cli::printer::Printer;
use crate::research::dataset::FeatureRows;
use crate::research::export::{ExportError, RowWriter};
use crate::research::feature_list::parse_features;
use crate::research::source::{RowShape, Watch, total_counts};
use crate::statistics::labels::HORIZON_MAX;
use crate::strategy::features::{CATALOGUE, Family, FeatureSet};
use clap::Args;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `papertrader features`.
#[derive(Clone, Debug, Args)]
pub struct FeaturesArgs {
    /// Recorded markets of one product, plain, .gz or .zst
    #[arg(required_unless_present = "list", value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Table to write; its name ends in .csv or .parquet
    #[arg(short, long, value_name = "FILE", required_unless_present = "list")]
    pub output: Option<PathBuf>,
    /// Features: seed (the original's 28), all, or names separated by commas
    #[arg(long, value_name = "LIST", default_value = "seed")]
    pub features: String,
    /// The label looks at the mid so many book updates later
    #[arg(long, value_name = "UPDATES", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(HORIZON_MAX)))]
    pub horizon: u32,
    /// Write every so many evaluated frames
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub every: u32,
    /// Replace the output if it exists
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
    let mut text = String::from("N is a level or depth from 1 to 10, K a number of book updates from 1 to 10000.\n\n");
    let width =
        |pick: fn(&Family) -> &str| CATALOGUE.iter().map(|family| pick(family).chars().count()).max().unwrap_or(0);
    let (name, unit) = (width(|family| family.pattern), width(|family| family.unit));
    for Family { pattern, unit: of, formula, source } in CATALOGUE {
        text.push_str(&format!("{pattern:name$}  {of:unit$}  {formula}  [{source}]\n"));
    }
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
    let output = args.output.as_deref().ok_or_else(|| Failure::input("name the table to write with --output"))?;
    let features = parse_features(&args.features).map_err(Failure::input)?;
    check_apart([output], &args.captures).map_err(Failure::input)?;
    let source = args.source.open(&args.captures)?;
    let names: Vec<String> = source.paths().iter().map(|path| path.display().to_string()).collect();
    let mut writer = RowWriter::create(output, args.force, &names, &features).map_err(|error| match error {
        ExportError::Io(_) | ExportError::Parquet(_) => Failure::running(error),
        ExportError::Kind(_) | ExportError::Output(_) => Failure::input(error),
    })?;
    let interrupt = Interrupt::watch()?;
    let bar = bar(source.bytes(), "features");
    let shape = RowShape { horizon: args.horizon, every: args.every };
    let started = Instant::now();
    let mut observer = FeatureRows::new(FeatureSet::new(&features));
    let watch = Watch { bar: &bar, stop: &|| interrupt.is_set() };
    let facts = source.read_rows(shape, &mut observer, &watch, &mut |row| Ok(writer.write(row)?))?;
    let total = total_counts(&facts, args.horizon)?;
    writer.finish().map_err(Failure::running)?;
    let elapsed = started.elapsed();
    bar.finish_and_clear();
    facts.iter().flat_map(|fact| fact.warnings()).for_each(warn);

    let lines = [
        format!("features of {} in {}", source.product(), output.display()),
        format!("frames        {:>12}", total.frames),
        format!("rows          {:>12}  {} without label", total.rows, total.unlabelled),
        format!("thin book     {:>12}  live frames without row", total.thin),
        format!("warming up    {:>12}  live frames without row", total.warming_up),
        format!("mid changes   {:>12}", total.mid_changes),
        format!("frames/s      {:>12.0}", total.frames as f64 / elapsed.as_secs_f64()),
    ];
    printer.print(lines.join("\n") + "\n");
    Ok(())
}
