//! Text that stays on its line.
//!
//! ```
//! use papertrader::base::one_line::OneLine;
//! use std::fmt::Write;
//!
//! let mut line = OneLine(String::new());
//! line.write_str("BTC-USD\n\x1b[31m")?;
//! assert_eq!(line.0, r"BTC-USD\n\u{1b}[31m");
//! # Ok::<(), std::fmt::Error>(())
//! ```

use std::fmt::{self, Write};

/// Characters of a venue's words, such as an error or an acknowledgement, that a message of ours quotes.
pub const QUOTE_CHARS_MAX: usize = 200;

/// The beginning of a text from a venue or a file, fit for one line.
pub fn quote(text: &str, chars_max: usize) -> String {
    let mut quoted: String = text.chars().take(chars_max).flat_map(char::escape_debug).collect();
    if text.chars().nth(chars_max).is_some() {
        quoted.push('…');
    }
    quoted
}

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
