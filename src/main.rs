//! The `papertrader` program: arguments to a command, its failure to a line and an exit code.

// Both panic where nobody reads: what is printed goes through the library's printer.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

use papertrader::cli;
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where standard error takes nothing, the exit code still tells.
            let _ = writeln!(io::stderr(), "error: {}", cli::failure_line(&failure));
            failure.exit_code()
        }
    }
}
