//! The `papertrader` program: arguments to a command, its failure to a line and an exit code.

// Both panic where nobody reads: what is printed goes through the library's printer.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

use papertrader::cli;
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    // The crate's allocator is the program's, then: the system's, which looks at a thread-local number each time.
    #[cfg(feature = "onnx-graphs")]
    papertrader::strategy::model::count_allocations_by(|work| {
        let counted = allocation_counter::measure(work);
        (counted.count_total, counted.bytes_total)
    });
    match cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where standard error takes nothing, the exit code still tells.
            let _ = writeln!(io::stderr(), "error: {}", cli::failure_line(&failure));
            failure.exit_code()
        }
    }
}
