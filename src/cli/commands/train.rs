//! `papertrader train`: captures to a model, with a report that says how far to trust it.
//!
//! ```
//! use papertrader::cli::printer::Printer;
//! use clap::Parser;
//! use papertrader::cli::{Cli, Command, commands};
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 2,000 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! std::env::set_current_dir(&folder)?;
//! synthetic::capture(folder.path(), 2_000)?;
//! let arguments = [
//!     "papertrader", "train", "market.txt", "--output", "model.json",
//!     "--features", "imbalance_1,spread_ticks", "--resamples", "100",
//! ];
//! let Command::Train(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! commands::train::run(&args, &mut Printer::stdout()).expect("the capture is whole");
//! assert!(std::fs::read_to_string("model.json")?.contains("spread_ticks"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::training::{self, Job, TrainingArgs};
use crate::base::failure::Failure;
use crate::cli::printer::Printer;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `papertrader train`.
#[derive(Clone, Debug, Args)]
pub struct TrainArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub training: TrainingArgs,
    /// Write the model as plain text too: intercept, then the coefficients of the seed features, scaler folded in
    #[arg(long, value_name = "FILE", conflicts_with = "calibrate")]
    pub txt: Option<PathBuf>,
}

/// Trains, tests once, writes the model and the report.
///
/// # Errors
/// Bad arguments, bad captures, or files that cannot be written.
pub fn run(args: &TrainArgs, printer: &mut Printer) -> Result<(), Failure> {
    training::run(&Job { args: &args.training, choose: None, txt: args.txt.as_deref() }, printer)
}
