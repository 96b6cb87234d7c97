//! `papertrader select`: features chosen by nested cross-validation, with the price of having chosen, and a model of them.
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
//!     "papertrader", "select", "market.txt", "--output", "model.json", "--at-most", "1",
//!     "--features", "imbalance_1,spread_ticks", "--validate", "kfold:3", "--resamples", "100",
//! ];
//! let Command::Select(args) = Cli::try_parse_from(arguments)?.command else { panic!("another command") };
//! commands::select::run(&args, &mut Printer::stdout()).expect("the capture is whole");
//! assert!(std::fs::read_to_string("model.json")?.contains("imbalance_1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::training::{self, Job, TrainingArgs};
use crate::base::failure::Failure;
use crate::cli::printer::Printer;
use crate::strategy::features::FEATURES_MAX;
use clap::Args;

/// Arguments of `papertrader select`.
#[derive(Clone, Debug, Args)]
pub struct SelectArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub training: TrainingArgs,
    /// Choose so many features at most
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=FEATURES_MAX as i64))]
    pub at_most: u16,
}

/// Chooses, trains, tests once, writes the model and the report.
///
/// # Errors
/// Bad arguments, bad captures, or files that cannot be written.
pub fn run(args: &SelectArgs, printer: &mut Printer) -> Result<(), Failure> {
    training::run(&Job { args: &args.training, choose: Some(args.at_most.into()), txt: None }, printer)
}
