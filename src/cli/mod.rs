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
mod interrupt;
pub mod printer;

pub mod commands;

use crate::base::failure::Failure;
use clap::{Parser, Subcommand};
use printer::Printer;
use std::ffi::OsString;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "papertrader", version, about, args_override_self = true, propagate_version = true)]
#[command(
    after_help = "After a command, --config FILE takes options from a TOML file (threshold = 0.7, pin-cores = \"2,3\", \
                        fused = true); what follows on the command line wins.\n\n\
                        Exit status: 0 done, 1 failed while running, 2 bad arguments or input files."
)]
pub struct Cli {
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
    /// Write what a model sees after each frame as a table, with labels.
    Features(commands::features::FeaturesArgs),
    /// Train a model on recorded markets, and test it once on what comes after.
    Train(commands::train::TrainArgs),
    /// Test models on recorded markets, side by side.
    Evaluate(commands::evaluate::EvaluateArgs),
}

/// Does what the command line says. With bad arguments the process ends here, with usage on standard error and status 2.
///
/// # Errors
/// The command's; where it has none, that its report could not be printed.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let mut printer = Printer::stdout();
    match Cli::try_parse_from(config::expand_config(arguments)?) {
        Ok(cli) => execute(&cli.command, &mut printer)?,
        Err(refused) if refused.use_stderr() => refused.exit(),
        Err(help) => printer.print_help(&help),
    }
    printer.finish()
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
        Command::Features(args) => commands::features::run(args, printer),
        Command::Train(args) => commands::train::run(args, printer),
        Command::Evaluate(args) => commands::evaluate::run(args, printer),
    }
}

#[cfg(test)]
mod tests {
    use super::config::expand_config;
    use super::*;
    use crate::base::cores;
    use clap::CommandFactory;
    use std::fs;
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
            let settings = live.trading.settings(&live.threads).unwrap();
            assert_eq!(settings.session.fused, replay_fused);
            assert_eq!(settings.for_a_socket().session.fused, live_fused);
        }
    }

    #[test]
    fn configuration_stands_where_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(&path, "threshold = 0.7\nlag = 5\npin-cores = \"0\"\nfused = true\n").unwrap();
        let named = format!("--config={}", path.display());
        let arguments = ["papertrader", "replay", "x", "--model", "m", &named, "--lag", "9"].map(OsString::from);
        let cli = Cli::try_parse_from(expand_config(arguments).unwrap()).unwrap();
        let Command::Replay(replay) = cli.command else { panic!("a replay") };
        assert_eq!((replay.trading.threshold, replay.trading.lag), (Some(0.7), Some(9)));
        assert_eq!((replay.threads.pin_cores.as_deref(), replay.threads.fused), (Some("0"), true));

        for (content, ends) in [("threshold = [1]", "'threshold' is no plain value"), ("threshold", "TOML parse error")]
        {
            fs::write(&path, content).unwrap();
            let error = expand_config([OsString::from(&named)]).unwrap_err().to_string();
            assert!(error.contains(ends) && error.lines().count() == 1, "{error}");
        }
        let error = expand_config(["--config".into(), "/nowhere.toml".into()]).unwrap_err().to_string();
        assert!(error.starts_with("cannot read configuration /nowhere.toml: "), "{error}");
        assert_eq!(expand_config(["--config".into()]).unwrap_err().to_string(), "--config needs a file");
    }
}
