//! Text that stays on its line.

use std::fmt::{self, Write};

/// Passes text on with its control characters escaped: names and messages that come from a venue or a file stay on their
/// line and give a terminal no commands.
#[derive(Debug)]
pub struct OneLine<W>(pub W);

impl<W: Write> Write for OneLine<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|letter| {
            if letter.is_control() { write!(self.0, "{}", letter.escape_debug()) } else { self.0.write_char(letter) }
        })
    }
}
