//! Decimals of any scale: from text, with exponents too, and from floats.
//!
//! ```
//! use papertrader::sources::number::Number;
//!
//! // 0.1 + 0.2 is what a tool computed; the nearest tick is what it meant.
//! let mut rounded = 0;
//! let price = Number::from_f64(0.1 + 0.2, None, &mut rounded)?;
//! assert_eq!((price.to_string().as_str(), rounded), ("0.3", 1));
//! assert_eq!(Number::from_text(b"1e-7")?.to_string(), "0.0000001");
//! assert_eq!(Number::from_text(b"61830.1700")?, Number::from_f64(61_830.17, None, &mut rounded)?);
//! # Ok::<(), papertrader::sources::number::NotANumber>(())
//! ```

use crate::market::units::{COUNT_MAX, DECIMALS_MAX, Decimal, NumberError, parse_count};
use std::cmp::Ordering;
use std::fmt;

/// A decimal from 0 on, without trailing zeros behind its point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number {
    /// In units of `10^-decimals`; at most [`COUNT_MAX`].
    count: u64,
    /// At most [`DECIMALS_MAX`].
    decimals: u8,
}

/// Why something is no number that a book can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    /// The text.
    #[error(transparent)]
    Text(#[from] NumberError),
    /// Not a number, or without end.
    #[error("is not a finite number")]
    NotFinite,
    /// Below the finest scale.
    #[error("needs more than {DECIMALS_MAX} decimals")]
    TooFine,
}

/// Digits beyond which a float's shortest text is arithmetic's dust.
const DIGITS_KEPT: usize = 12;
/// Digits that every float keeps; text of more that is not whole was a float before it was written.
const DIGITS_OF_FLOATS: usize = 15;
const POWERS_OF_TEN: [u64; DECIMALS_MAX as usize + 1] = {
    let mut powers = [1; DECIMALS_MAX as usize + 1];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

impl Number {
    /// Nothing.
    pub const ZERO: Self = Self { count: 0, decimals: 0 };

    /// So many units of `10^-decimals`. `None` beyond what a book can hold.
    pub fn new(count: u64, decimals: u8) -> Option<Self> {
        (count <= COUNT_MAX && decimals <= DECIMALS_MAX).then(|| Self { count, decimals }.stripped())
    }

    fn stripped(mut self) -> Self {
        while self.decimals > 0 && self.count.is_multiple_of(10) {
            self.count /= 10;
            self.decimals -= 1;
        }
        self
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self.count == 0
    }

    /// Decimals that it needs.
    pub fn decimals(self) -> u8 {
        self.decimals
    }

    /// Whether it is less or more than another.
    pub fn cmp_value(self, other: Self) -> Ordering {
        let decimals = self.decimals.max(other.decimals);
        // 2^63 times 10^18 is less than 2^128.
        let units = |number: Self| {
            u128::from(number.count) * u128::from(POWERS_OF_TEN[usize::from(decimals - number.decimals)])
        };
        units(self).cmp(&units(other))
    }

    /// In units of `10^-decimals`; `None` if that scale is too coarse or the count too large.
    #[inline]
    pub fn at(self, decimals: u8) -> Option<u64> {
        let more = decimals.checked_sub(self.decimals)?;
        self.count.checked_mul(POWERS_OF_TEN[usize::from(more.min(DECIMALS_MAX))]).filter(|&count| count <= COUNT_MAX)
    }

    /// Reads a decimal or a number with an exponent.
    ///
    /// # Errors
    /// It is empty, negative, no number, or beyond what a book can hold.
    #[inline]
    pub fn from_text(text: &[u8]) -> Result<Self, NotANumber> {
        // Most are short: digits with one point.
        if let Some(number) = Self::from_short(text) {
            return Ok(number);
        }
        Self::from_any(text)
    }

    /// The same of text that a tool may have written from a float: of more than fifteen digits and not whole, it is read as
    /// [`Number::from_f64`] reads that float.
    ///
    /// # Errors
    /// As for both.
    #[inline]
    pub fn from_tool(text: &[u8], decimals: Option<u8>, rounded: &mut u64) -> Result<Self, NotANumber> {
        let read = Self::from_text(text);
        if text.len() <= DIGITS_OF_FLOATS {
            return read;
        }
        let is_dust = match read {
            Ok(number) => number.decimals > 0 && number.digits() > DIGITS_OF_FLOATS,
            Err(error) => error == NotANumber::TooFine,
        };
        match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
            Some(value) if is_dust => {
                *rounded += 1;
                Self::from_f64(value, decimals, &mut 0)
            }
            _ => read,
        }
    }

    /// A whole number of units of `10^-decimals`, as databases and catalogues hold them. It is rounded to the decimals that the user
    /// or the file gives, and without them to twelve digits where it may have been made from a float; that is counted.
    ///
    /// # Errors
    /// It is negative, or beyond what a book can hold.
    pub fn from_units(
        count: i128,
        decimals: u8,
        to: Option<u8>,
        may_be_float: bool,
        rounded: &mut u64,
    ) -> Result<Self, NotANumber> {
        let (mut count, mut decimals) = (count, decimals);
        if count < 0 {
            return Err(NumberError::Negative.into());
        }
        while decimals > 0 && count % 10 == 0 {
            (count, decimals) = (count / 10, decimals - 1);
        }
        let digits = count.checked_ilog10().map_or(1, |log| log as usize + 1);
        let coarse = usize::from(decimals).saturating_sub(digits.saturating_sub(DIGITS_KEPT)) as u8;
        // A number of twelve digits and fewer is what was meant, whatever the tick.
        let is_dust = may_be_float && digits > DIGITS_KEPT;
        let kept = is_dust.then(|| to.unwrap_or(coarse)).filter(|&kept| kept < decimals);
        if let Some(kept) = kept {
            // Beyond such a power nothing is left of the number.
            let power = 10_i128.checked_pow(u32::from(decimals - kept)).unwrap_or(i128::MAX);
            count = count / power + i128::from(count % power >= power / 2);
            decimals = kept;
            *rounded += 1;
            while decimals > 0 && count % 10 == 0 {
                (count, decimals) = (count / 10, decimals - 1);
            }
        }
        if decimals > DECIMALS_MAX {
            return Err(NotANumber::TooFine);
        }
        let number = u64::try_from(count).ok().and_then(|count| Self::new(count, decimals));
        number.ok_or_else(|| NumberError::TooLarge.into())
    }

    fn digits(self) -> usize {
        self.count.checked_ilog10().map_or(1, |log| log as usize + 1)
    }

    #[inline]
    fn from_short(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > 18 {
            return None;
        }
        let (mut count, mut point) = (0_u64, None);
        for (at, &byte) in text.iter().enumerate() {
            match byte {
                b'0'..=b'9' => count = count * 10 + u64::from(byte - b'0'),
                b'.' if point.is_none() && at > 0 => point = Some(at),
                _ => return None,
            }
        }
        let decimals = match point {
            None => 0,
            Some(at) if at + 1 < text.len() => text.len() - 1 - at,
            Some(_) => return None,
        };
        Some(Self { count, decimals: decimals as u8 }.stripped())
    }

    #[cold]
    fn from_any(text: &[u8]) -> Result<Self, NotANumber> {
        let exponent_at = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (digits, exponent) = match exponent_at {
            None => (text, 0),
            Some(at) => {
                let exponent = std::str::from_utf8(&text[at + 1..]).ok().and_then(|text| text.parse::<i32>().ok());
                (&text[..at], exponent.ok_or(NumberError::NotDecimal)?)
            }
        };
        let needs = match parse_count(digits, 0) {
            Ok(count) => return Self { count, decimals: 0 }.shifted(exponent),
            Err(NumberError::FinerThanScale { needs }) => {
                u8::try_from(needs).ok().filter(|&needs| needs <= DECIMALS_MAX)
            }
            Err(error) => return Err(error.into()),
        };
        let decimals = needs.ok_or(NotANumber::TooFine)?;
        Self { count: parse_count(digits, decimals)?, decimals }.shifted(exponent)
    }

    fn shifted(self, exponent: i32) -> Result<Self, NotANumber> {
        let number = self.stripped();
        if number.count == 0 {
            return Ok(Self::ZERO);
        }
        let decimals = i32::from(number.decimals).saturating_sub(exponent);
        if decimals >= 0 {
            let mut number = number;
            let mut left = decimals;
            while left > i32::from(DECIMALS_MAX) && number.count.is_multiple_of(10) {
                number.count /= 10;
                left -= 1;
            }
            let decimals = u8::try_from(left).ok().filter(|&decimals| decimals <= DECIMALS_MAX);
            return Ok(Self { decimals: decimals.ok_or(NotANumber::TooFine)?, ..number }.stripped());
        }
        let power = POWERS_OF_TEN.get(decimals.unsigned_abs() as usize).ok_or(NumberError::TooLarge)?;
        let count = number.count.checked_mul(*power).filter(|&count| count <= COUNT_MAX);
        Ok(Self { count: count.ok_or(NumberError::TooLarge)?, decimals: 0 })
    }

    /// The decimal that a float was made from: its shortest text that reads back the same. Where that has more than twelve
    /// digits, a tool computed it: it is rounded to `decimals` where the user gave them, else to twelve digits, and counted.
    ///
    /// # Errors
    /// It is negative, not finite, or beyond what a book can hold.
    pub fn from_f64(value: f64, decimals: Option<u8>, rounded: &mut u64) -> Result<Self, NotANumber> {
        if !value.is_finite() {
            return Err(NotANumber::NotFinite);
        }
        if value < 0.0 {
            return Err(NumberError::Negative.into());
        }
        let mut buffer = ryu::Buffer::new();
        let text = buffer.format_finite(value.abs());
        let shortest = Self::from_text(text.as_bytes());
        match shortest {
            // Whole numbers have no dust.
            Ok(number) if number.decimals == 0 || number.digits() <= DIGITS_KEPT => Ok(number),
            Err(error) if error != NotANumber::TooFine => Err(error),
            _ => {
                let whole_digits = (value.log10().floor() as i32 + 1).max(0);
                let kept = decimals.unwrap_or_else(|| (DIGITS_KEPT as i32 - whole_digits).clamp(0, 18) as u8);
                let number = Self::from_any(format!("{value:.*}", usize::from(kept)).as_bytes())?.stripped();
                *rounded += u64::from(shortest != Ok(number));
                Ok(number)
            }
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal { count: self.count, decimals: self.decimals }.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> Result<String, NotANumber> {
        Number::from_text(text.as_bytes()).map(|number| number.to_string())
    }

    #[test]
    fn numbers_of_files() {
        for (given, read) in [
            ("0", "0"),
            ("0.000", "0"),
            ("61804.7", "61804.7"),
            ("61830.17000000", "61830.17"),
            ("007.50", "7.5"),
            ("1e-7", "0.0000001"),
            ("1.50E+3", "1500"),
            ("5e0", "5"),
            ("12300e-2", "123"),
            ("0e-99", "0"),
            ("9223372036854775807", "9223372036854775807"),
        ] {
            assert_eq!(text(given).as_deref(), Ok(read), "{given}");
        }
        for (given, error) in [
            ("", NumberError::Empty.into()),
            ("-1", NumberError::Negative.into()),
            ("1e", NumberError::NotDecimal.into()),
            ("e5", NumberError::Empty.into()),
            ("1.2.3", NumberError::NotDecimal.into()),
            ("nan", NumberError::NotDecimal.into()),
            ("5.", NumberError::NotDecimal.into()),
            (".5", NumberError::NotDecimal.into()),
            ("1e30", NumberError::TooLarge.into()),
            ("1e-19", NotANumber::TooFine),
            ("0.0000000000000000001", NotANumber::TooFine),
        ] {
            assert_eq!(text(given), Err(error), "{given}");
        }
    }

    #[test]
    fn floats_of_files() {
        let mut rounded = 0;
        for (given, decimals, read, dust) in [
            (61_659.700_000_000_004, None, "61659.7", 1),
            (61_659.700_000_000_004, Some(1), "61659.7", 1),
            (0.000_01, None, "0.00001", 0),
            (1e-7, None, "0.0000001", 0),
            (9_007_199_254_740_993.0, None, "9007199254740992", 0),
            // No dust: a number off the tick is the book's to refuse.
            (61_804.75, Some(1), "61804.75", 0),
            (0.0, None, "0", 0),
            (1e-30, None, "0", 1),
        ] {
            let before = rounded;
            let number = Number::from_f64(given, decimals, &mut rounded).unwrap();
            assert_eq!((number.to_string().as_str(), rounded - before), (read, dust), "{given}");
        }
        for (given, error) in [
            (f64::NAN, NotANumber::NotFinite),
            (f64::INFINITY, NotANumber::NotFinite),
            (-0.5, NumberError::Negative.into()),
            (1e30, NumberError::TooLarge.into()),
        ] {
            assert_eq!(Number::from_f64(given, None, &mut rounded), Err(error), "{given}");
        }
    }

    #[test]
    fn text_that_a_tool_wrote() {
        let mut rounded = 0;
        for (given, decimals, read, dust) in [
            ("0.30000000000000004", None, "0.3", 1),
            ("61659.700000000004", Some(1), "61659.7", 1),
            ("61830.1700000000000000", None, "61830.17", 0),
            ("1234567.12345678", None, "1234567.12345678", 0),
            ("9223372036854775807", None, "9223372036854775807", 0),
            ("1.0000000000000000000001", None, "1", 1),
        ] {
            let before = rounded;
            let number = Number::from_tool(given.as_bytes(), decimals, &mut rounded).unwrap();
            assert_eq!((number.to_string().as_str(), rounded - before), (read, dust), "{given}");
        }
        let error = Number::from_tool(b"1.2.3456789012345678", None, &mut rounded);
        assert_eq!((error, rounded), (Err(NumberError::NotDecimal.into()), 3));
    }

    #[test]
    fn units_of_catalogues() {
        let mut rounded = 0;
        for (count, decimals, to, may_be_float, read, dust) in [
            (61_804_700_000_000, 9, None, true, "61804.7", 0),
            (618_047_i128 * 10_i128.pow(15), 16, None, true, "61804.7", 0),
            // As a float was multiplied.
            ((61_804.7 * 1e16) as i128, 16, None, true, "61804.7", 1),
            ((61_804.7 * 1e16) as i128, 16, Some(1), true, "61804.7", 1),
            (1_234_567_890_123_456_789, 9, None, false, "1234567890.123456789", 0),
            (1_255, 2, Some(1), true, "12.55", 0),
            (1_234_567_890_123_456_789, 9, Some(1), false, "1234567890.123456789", 0),
            (1_234_567_890_123_456_789, 9, Some(1), true, "1234567890.1", 1),
            (0, 38, None, true, "0", 0),
            (5 * 10_i128.pow(37), 38, None, false, "0.5", 0),
            (i128::from(u64::MAX / 2), 0, None, true, "9223372036854775807", 0),
        ] {
            let before = rounded;
            let number = Number::from_units(count, decimals, to, may_be_float, &mut rounded).unwrap();
            assert_eq!((number.to_string().as_str(), rounded - before), (read, dust), "{count} {decimals}");
        }
        for (count, decimals, error) in [
            (-1, 9, NumberError::Negative.into()),
            (i128::MIN, 0, NumberError::Negative.into()),
            (i128::MAX, 0, NumberError::TooLarge.into()),
            (1, 19, NotANumber::TooFine),
        ] {
            assert_eq!(Number::from_units(count, decimals, None, false, &mut rounded), Err(error), "{count}");
        }
    }

    proptest! {
        #[test]
        fn units_read_as_text(count in 0..=COUNT_MAX, decimals in 0..=DECIMALS_MAX) {
            let due = Number::new(count, decimals).unwrap();
            let mut rounded = 0;
            prop_assert_eq!(Number::from_units(count.into(), decimals, None, false, &mut rounded), Ok(due));
            prop_assert_eq!(rounded, 0);
        }

        #[test]
        fn text_reads_as_the_venues_parser_reads_it(count in 0..=COUNT_MAX, decimals in 0..=DECIMALS_MAX) {
            let shown = Decimal { count, decimals }.to_string();
            let number = Number::from_text(shown.as_bytes()).unwrap();
            prop_assert_eq!(number, Number::new(count, decimals).unwrap());
            prop_assert_eq!(number.at(decimals), Some(count));
            prop_assert_eq!(number.to_string(), Number::from_text(number.to_string().as_bytes()).unwrap().to_string());
        }

        #[test]
        fn a_float_of_a_short_decimal_is_that_decimal(count in 0..1_000_000_000_000_u64, decimals in 0..=12_u8) {
            let number = Number::new(count, decimals).unwrap();
            let value: f64 = number.to_string().parse().unwrap();
            let mut rounded = 0;
            prop_assert_eq!(Number::from_f64(value, None, &mut rounded), Ok(number));
            prop_assert_eq!(rounded, 0);
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(prop_oneof![b'0'..=b'9', Just(b'.'), Just(b'e'), Just(b'-')], 0..30)) {
            let _ = Number::from_text(&bytes);
        }
    }
}
