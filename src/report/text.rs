//! What reports on a terminal share: lines of a name and its value, counts, times.
//!
//! ```
//! use papertrader::report::text::{Grouped, Names, utc};
//!
//! let mut text = String::new();
//! Names::RUN.line(&mut text, "frames", Grouped(1_234_567))?;
//! assert_eq!(text, "  frames                   1,234,567\n");
//! assert_eq!(utc(1_723_161_256_000_000_000), "2024-08-08T23:54:16Z");
//! # Ok::<(), std::fmt::Error>(())
//! ```

use crate::base::one_line::OneLine;
use std::fmt::{self, Display, Formatter, Write};

/// Why the stages from a frame's arrival have no times.
pub const NO_ARRIVALS: &str =
    "not measured: only where frames come from a socket does the system stamp them, and not every system";

/// Where names begin and how wide their column is, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// Blanks before a name.
    pub indent: usize,
    /// From the start of a name to the blank before its value.
    pub width: usize,
}

impl Names {
    /// Of reports on runs.
    pub const RUN: Self = Self { indent: 2, width: 24 };
    /// Of reports on training and evaluation.
    pub const RESEARCH: Self = Self { indent: 0, width: 15 };

    /// Writes a name and its value, control characters escaped, on a line of their own.
    ///
    /// # Errors
    /// The writer's.
    pub fn line(self, out: &mut impl Write, name: &str, value: impl Display) -> fmt::Result {
        let Self { indent, width } = self;
        write!(OneLine(&mut *out), "{:indent$}{name:<width$} {value}", "")?;
        writeln!(out)
    }
}

/// A count with its thousands apart.
#[derive(Clone, Copy, Debug)]
pub struct Grouped(pub u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.char_indices() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// Unix nanoseconds as a date and time of day in UTC, to the second.
pub fn utc(ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ns)).map_or_else(|_| ns.to_string(), |time| format!("{time:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (count, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (123_456, "123,456"), (u64::MAX, "18,446,744,073,709,551,615")]
        {
            assert_eq!(Grouped(count).to_string(), text);
        }
    }

    #[test]
    fn a_name_and_its_value_stay_on_one_line() {
        let mut out = String::new();
        Names { indent: 2, width: 6 }.line(&mut out, "name", "a\nb\u{1b}").unwrap();
        Names { indent: 0, width: 3 }.line(&mut out, "longer", 1).unwrap();
        assert_eq!(out, "  name   a\\nb\\u{1b}\nlonger 1\n");
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(utc(1_723_161_256_400_000_000), "2024-08-08T23:54:16Z");
    }
}
