//! The program: a command line to a command.
//!
//! ```
//! use clap::Parser;
//! use papertrader::cli::{Cli, Command};
//!
//! let cli = Cli::try_parse_from(["papertrader", "generate", "--output", "market.zst", "--frames", "100"])?;
//! let Command::Generate(generate) = cli.command else { panic!("another command") };
//! assert_eq!((generate.frames, generate.product.as_str()), (100, "BTC-USD"));
//! assert!(Cli::try_parse_from(["papertrader", "generate"]).is_err());
//! # Ok::<(), clap::Error>(())
//! ```

pub mod arguments;
pub mod config;
mod display;
mod guest;
pub mod host;
mod interrupt;
pub mod printer;
pub mod refusal;

pub mod commands;

use crate::base::failure::Failure;
use crate::base::places::also_reads;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use config::Expanded;
pub use display::failure_line;
use printer::Printer;
use std::ffi::OsString;
use std::path::PathBuf;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "papertrader", version, about, args_override_self = true, propagate_version = true)]
#[command(mut_subcommands(|command| command.mut_args(config::undoable)))]
#[command(after_help = "Exit status: 0 done, 1 failed while running, 2 bad arguments or input files.")]
pub struct Cli {
    /// Take options from a TOML file for all commands: threshold = 0.7, fused = true, or under `[live]`. What follows on
    /// the command line wins: the same option, one that excludes it, --FLAG=false. Paths are relative to the file's folder
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trade on paper over a recorded market.
    Replay(commands::replay::ReplayArgs),
    /// Trade on paper against the live feed.
    Live(commands::live::LiveArgs),
    /// Record the live feed without trading.
    Record(commands::record::RecordArgs),
    /// Run a local exchange that speaks the venue's protocol.
    Exchange(commands::exchange::ExchangeArgs),
    /// Run a live session against a local exchange, with no network and no arguments.
    Demo(commands::demo::DemoArgs),
    /// Measure the latency from a frame's due time to its decision, at fixed rates.
    Profile(commands::profile::ProfileArgs),
    /// Make the page of a run that has ended, or put several side by side.
    Report(commands::report::ReportArgs),
    /// Write a capture of the project's own synthetic market.
    Generate(commands::generate::GenerateArgs),
    /// Convert a market from any format into another.
    Convert(commands::convert::ConvertArgs),
    /// Say what a file of a market is.
    Inspect(commands::inspect::InspectArgs),
    /// Write what a model sees after each frame as a table, with labels.
    Features(commands::features::FeaturesArgs),
    /// Train a model on recorded markets, and test it once on what comes after.
    Train(commands::train::TrainArgs),
    /// Choose features by nested cross-validation, train a model of them, and say what having chosen costs.
    Select(commands::select::SelectArgs),
    /// Test models on recorded markets, side by side.
    Evaluate(commands::evaluate::EvaluateArgs),
    /// Trade every combination of settings over recorded markets.
    Sweep(commands::sweep::SweepArgs),
}

/// Does what the command line says.
///
/// # Errors
/// Bad arguments, in one line; the command's; where it has none, that its report could not be printed.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let mut printer = Printer::stdout();
    let expanded = config::expand(&Cli::command(), arguments)?;
    match Cli::try_parse_from(&expanded.arguments) {
        Ok(cli) => {
            cli.config.iter().for_each(|path| also_reads(path));
            execute(&cli.command, &mut printer).map_err(|failure| expanded.placed(failure))?;
        }
        Err(help) if !help.use_stderr() => printer.print_help(&help),
        // Nothing was asked for: this is help too, where errors go.
        Err(help) if help.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => help.exit(),
        Err(refused) => return Err(refusal(&refused, &expanded)),
    }
    printer.finish()
}

fn refusal(refused: &clap::Error, Expanded { arguments, origins }: &Expanded) -> Failure {
    let program = Cli::command();
    let mut words = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    let command = words.find_map(|word| program.find_subcommand(word));
    let named = command.map_or_else(|| "papertrader".into(), |command| format!("papertrader {}", command.get_name()));
    Failure::input(refusal::text_of_file(refused, &named, origins))
}

fn execute(command: &Command, printer: &mut Printer) -> Result<(), Failure> {
    match command {
        Command::Replay(args) => commands::replay::run(args, printer),
        Command::Live(args) => commands::live::run(args, printer),
        Command::Record(args) => commands::record::run(args, printer),
        Command::Exchange(args) => commands::exchange::run(args, printer),
        Command::Demo(args) => commands::demo::run(args, printer),
        Command::Profile(args) => commands::profile::run(args, printer),
        Command::Report(args) => commands::report::run(args, printer),
        Command::Generate(args) => commands::generate::run(args),
        Command::Convert(args) => commands::convert::run(args, printer),
        Command::Inspect(args) => commands::inspect::run(args, printer),
        Command::Features(args) => commands::features::run(args, printer),
        Command::Train(args) => commands::train::run(args, printer),
        Command::Select(args) => commands::select::run(args, printer),
        Command::Evaluate(args) => commands::evaluate::run(args, printer),
        Command::Sweep(args) => commands::sweep::run(args, printer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::cores;
    use std::path::Path;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_session_that_sleeps_at_its_socket_is_one_thread() {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json");
        let core = cores::allowed()[0].to_string();
        for (arguments, replay_fused, live_fused) in [
            (vec![], false, true),
            (vec!["--wait", "spin"], false, false),
            (vec!["--wait", "yield"], false, false),
            (vec!["--fused", "--wait", "spin"], true, true),
            (vec!["--pin-cores", &core], true, true),
        ] {
            let live = ["papertrader", "live", "--model"].map(OsString::from);
            let arguments = live.into_iter().chain([model.clone().into()]).chain(arguments.iter().map(OsString::from));
            let Command::Live(live) = Cli::try_parse_from(arguments).unwrap().command else { panic!("a session") };
            let threads = live.threads.settings().unwrap();
            assert_eq!(threads.fused, replay_fused);
            assert_eq!(threads.for_a_socket().fused, live_fused);
        }
    }
}
