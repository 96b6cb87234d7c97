//! What reports share: lines of a name and its value, counts, amounts, times.
//!
//! ```
//! use papertrader::report::text::{Grouped, Names, amount, utc};
//!
//! let mut text = String::new();
//! Names::RUN.line(&mut text, "frames", Grouped(1_234_567))?;
//! assert_eq!(text, "  frames                   1,234,567\n");
//! // As many digits as it needs.
//! assert_eq!([amount(0.5), amount(-0.000_000_012_3)], ["0.500000", "−0.0000000123"]);
//! assert_eq!(utc(1_723_161_256_000_000_000), "2024-08-08T23:54:16Z");
//! # Ok::<(), std::fmt::Error>(())
//! ```

use crate::base::one_line::OneLine;
use crate::report::chart::axis::fixed;
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

/// What is counted, in the singular where it is one: `trade`, `trades`.
pub fn things(count: u64, one: &str) -> String {
    if count == 1 { one.into() } else { format!("{one}s") }
}

/// A count and what is counted: `1 trade`, `2,000 trades`.
pub fn counted(count: u64, one: &str) -> String {
    format!("{} {}", Grouped(count), things(count, one))
}

/// A number as somebody gave it: the fewest digits that read back the same, with a power of ten where it is very small or very
/// large.
pub fn plain(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), Into::into)
}

/// Below 10 to this power numbers are written with a power of ten.
const POWER_MIN: i32 = -12;

/// A number with `decimals` decimals, or as many as show `figures` of its digits. What is 0 has no sign.
fn needed(value: f64, decimals: usize, figures: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return fixed(value, decimals);
    }
    let power = value.abs().log10().floor() as i32;
    if power < POWER_MIN {
        let sign = if value < 0.0 { "−" } else { "" };
        return format!("{sign}{:.*e}", figures.max(1) as usize - 1, value.abs());
    }
    let wanted = (figures - 1 - power).max(0) as usize;
    let text = fixed(value, wanted.max(decimals));
    // Zeros beyond the decimals that every number has say nothing.
    let least = text.len() - wanted.saturating_sub(decimals);
    let digits = text.trim_end_matches('0').len();
    text[..digits.max(least)].to_string()
}

/// An amount of quote currency: six decimals, or as many as its digits need where it is small, two from a thousand on.
pub fn amount(value: f64) -> String {
    if value.abs() >= 1_000.0 { fixed(value, 2) } else { needed(value, 6, 4) }
}

/// Basis points: three decimals, or as many as two of its digits need where it is small.
pub fn basis_points(value: f64) -> String {
    needed(value, 3, 2)
}

/// The same text with a plus sign if the value lies above 0.
pub fn signed(value: f64, text: &str) -> String {
    let shows_something = text.bytes().any(|digit| (b'1'..=b'9').contains(&digit));
    format!("{}{text}", if value > 0.0 && shows_something { "+" } else { "" })
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
    fn one_is_singular() {
        let said = [0, 1, 2, 2_000].map(|count| counted(count, "trade"));
        assert_eq!(said, ["0 trades", "1 trade", "2 trades", "2,000 trades"]);
    }

    /// A fee of 1e-320 was printed with 320 decimals, an amount of 1e300 with 301 digits.
    #[test]
    fn no_number_has_hundreds_of_digits() {
        for (value, text) in
            [(0.6, "0.6"), (5.0, "5"), (-1.0, "-1"), (1e-320, "1e-320"), (1e300, "1e300"), (1e15, "1e15")]
        {
            assert_eq!(plain(value).replace("1000000000000000", "1e15"), text);
            assert_eq!(plain(value).parse(), Ok(value));
        }
        for value in [5e-324, 1e-320, 1e-150, 1e-13, 1e-12, 0.1 + 0.2, 1e14, 1e15, 1e22, 1e150, f64::MAX] {
            for value in [value, -value] {
                for text in [plain(value), amount(value), basis_points(value), fixed(value, 2)] {
                    assert!(text.chars().count() <= 26, "{text}");
                    assert!(!text.ends_with(',') && !text.is_empty());
                }
            }
        }
        assert_eq!([amount(1e300), basis_points(-1e300)], ["1.000e300", "−1.000e300"]);
    }

    #[test]
    fn amounts_have_the_digits_that_they_need() {
        for (value, text) in [
            (0.0, "0.000000"),
            (-0.0, "0.000000"),
            (0.283_822_1, "0.283822"),
            (-12_345.678, "−12,345.68"),
            (0.000_1, "0.000100"),
            (-0.000_752_04, "−0.000752"),
            (0.000_123_46, "0.0001235"),
            (-8.1e-8, "−0.000000081"),
            (0.000_000_1, "0.0000001"),
            (1.234_56e-12, "0.000000000001235"),
            (-5.551_115e-17, "−5.551e-17"),
            (5e-324, "4.941e-324"),
            (999.999_999_9, "1,000.000000"),
        ] {
            assert_eq!(amount(value), text, "{value:e}");
        }
        let points = [0.0, 0.027, 0.000_4, -0.000_000_123, 148.0, -3.127].map(basis_points);
        assert_eq!(points, ["0.000", "0.027", "0.0004", "−0.00000012", "148.000", "−3.127"]);
        let with_sign = [0.0, 0.5, -0.5, 0.000_01].map(|value| signed(value, &fixed(value, 3)));
        assert_eq!(with_sign, ["0.000", "+0.500", "−0.500", "0.000"]);
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
