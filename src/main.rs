//! The `papertrader` program: arguments to a command, its failure to a line and an exit code.

use clap::Parser;
use papertrader::base::failure::Failure;
use papertrader::cli::commands;
use papertrader::cli::{Cli, Command, expand_config};
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where standard error takes nothing, the exit code still tells.
            let _ = writeln!(io::stderr(), "error: {failure}");
            failure.exit_code()
        }
    }
}

fn run() -> Result<(), Failure> {
    match Cli::parse_from(expand_config(std::env::args_os())?).command {
        Command::Replay(args) => commands::replay::run(&args),
        Command::Live(args) => commands::live::run(&args),
        Command::Record(args) => commands::record::run(&args),
        Command::Exchange(args) => commands::exchange::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Profile(args) => commands::profile::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Generate(args) => commands::generate::run(&args),
        Command::Features(args) => commands::features::run(&args),
        Command::Train(args) => commands::train::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
    }
}
