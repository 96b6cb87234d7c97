//! What commands show on standard error while they work.

use super::guest;
use crate::base::failure::Failure;
use crate::feed::coinbase::secrecy::without_keys;
use crate::research::source::ReadProgress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// Standard error, if that is a terminal and ours.
fn target() -> ProgressDrawTarget {
    if io::stderr().is_terminal() && !guest::is_hosted() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}

/// A bar over so many bytes on standard error, if that is a terminal; else one that shows nothing.
pub fn byte_bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:12} {bytes}/{total_bytes}  {wide_msg}")
        .expect("the template is well-formed");
    ProgressBar::with_draw_target(Some(bytes), target()).with_style(style)
}

/// A failure as it is shown: one line, without anything of a key.
pub fn failure_line(failure: &Failure) -> String {
    without_keys(&failure.to_string()).into_owned()
}

/// Prints a warning on standard error, one line, or gives it to the host.
pub fn warn(text: impl Display) {
    let text = failure_line(&Failure::running(text.to_string()));
    if let Some(text) = guest::keep(text) {
        // Where standard error takes nothing there is nobody to tell.
        let _ = writeln!(io::stderr(), "warning: {text}");
    }
}

/// Prints a line on standard error about how far a command is.
pub fn tell(text: impl Display) {
    // Where standard error takes nothing there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// A line on standard error that is written anew, if that is a terminal; else one that shows nothing.
pub fn status_line() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").expect("the template is well-formed");
    ProgressBar::with_draw_target(None, target()).with_style(style)
}

/// A bar over so many steps on standard error with the time left, if that is a terminal; else one that shows nothing.
pub fn bar(steps: u64, what: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {bar:30} {percent}%  {eta} left").expect("the template is well-formed");
    ProgressBar::with_draw_target(Some(steps), target()).with_style(style).with_message(what)
}

impl ReadProgress for ProgressBar {
    fn bytes_read(&self, bytes: u64) {
        self.set_position(bytes);
    }
}
