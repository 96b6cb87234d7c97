//! The commands: arguments in, work done, report out.

pub mod demo;
pub mod evaluate;
pub mod exchange;
pub mod features;
pub mod generate;
pub mod live;
pub mod profile;
pub mod record;
pub mod replay;
pub mod report;
pub mod train;

use crate::base::failure::Failure;
use crate::engine::status::Status;
use crate::report::material::Material;
use crate::report::publish::ReportError;
use crate::run::writer::{WriteError, Written};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a program that a signal ended at once: 128 and the number of SIGINT, as shells have it.
const ENDED_AT_ONCE: i32 = 130;

/// Set by the first Ctrl-C or SIGTERM; the second ends the program at once.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches for the signals from now on.
    ///
    /// # Errors
    /// The system refuses handlers.
    pub fn watch() -> Result<Self, Failure> {
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the second signal finds the flag set by the first.
            flag::register_conditional_shutdown(signal, ENDED_AT_ONCE, Arc::clone(&interrupt.0))
                .and_then(|_| flag::register(signal, Arc::clone(&interrupt.0)))
                .map_err(Failure::running)?;
        }
        Ok(interrupt)
    }

    /// Whether somebody asked for the end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Passes the wish on to the hot threads.
    pub fn pass_on(&self, status: &Status) {
        if self.is_set() {
            status.stop();
        }
    }
}

/// Makes a run's report, if its files could be written: those of a run whose files could not say nothing true.
fn published(
    written: &Result<Written, WriteError>,
    publish: impl FnOnce() -> Result<Option<Material>, ReportError>,
) -> Result<Option<Material>, ReportError> {
    if written.is_ok() { publish() } else { Ok(None) }
}

/// A bar over so many bytes on standard error, if that is a terminal; else one that shows nothing.
fn byte_bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:12} {bytes}/{total_bytes}  {wide_msg}")
        .expect("the template is well-formed");
    let target = if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(Some(bytes), target).with_style(style)
}

/// Prints a report on standard output. A reader that has seen enough, as `head` has, is no failure.
fn print(report: impl Display) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match write!(output, "{report}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::running(format!("cannot print the report: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a warning on standard error, one line.
fn warn(text: impl Display) {
    // Where standard error takes nothing there is nobody to tell.
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// A line on standard error that is written anew, if that is a terminal; else one that shows nothing.
fn status_line() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").expect("the template is well-formed");
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(None, target).with_style(style)
}
