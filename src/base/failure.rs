//! How a command fails: what it says and with which code it exits.
//!
//! ```
//! use papertrader::base::failure::Failure;
//! use std::process::ExitCode;
//!
//! let failure = Failure::input("line 3:\n  not a number");
//! assert_eq!(failure.to_string(), "line 3: not a number");
//! assert_eq!(failure.exit_code(), ExitCode::from(2));
//! ```

use crate::base::one_line::OneLine;
use std::error::Error;
use std::fmt::{self, Write};
use std::process::ExitCode;

/// The end of a command that did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// Bad arguments or input files: nothing, or only what came before the fault, was done.
    Input(Box<dyn Error + Send + Sync>),
    /// Failed while running.
    Running(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// For `map_err` on what the user gave.
    pub fn input(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Input(error.into())
    }

    /// For `map_err` on what went wrong later.
    pub fn running(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Running(error.into())
    }

    /// 2 for bad input, 1 for the rest.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) => ExitCode::from(2),
            Self::Running(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Input(error) | Self::Running(error)) = self;
        // One line, whatever an underlying library says.
        for (index, line) in error.to_string().lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            OneLine(&mut *f).write_str(line)?;
        }
        Ok(())
    }
}
