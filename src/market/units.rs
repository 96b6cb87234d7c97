//! Prices and quantities as integers.
//!
//! A price is an integer count of ticks of `10^-price_decimals` quote units, a quantity an integer count of lots of
//! `10^-size_decimals` base units. Both are read straight from the venue's decimal text, never through a float, so that
//! `ticks / 10^decimals` is exactly the double that `strtod` gives for the text (as long as the count is below 2^53).
//!
//! ```
//! use papertrader::market::units::{Decimal, NumberError, parse_count, parse_step};
//!
//! let price_ticks = parse_count(b"61830.17000000", 2)?;
//! assert_eq!(price_ticks, 6_183_017);
//! assert_eq!(parse_count(b"61830.175", 2), Err(NumberError::FinerThanScale { needs: 3 }));
//! assert_eq!(Decimal { count: price_ticks, decimals: 2 }.to_string(), "61830.17");
//! assert_eq!(parse_step("0.01").unwrap(), 2);
//! # Ok::<(), NumberError>(())
//! ```

use std::fmt;

/// One side of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Buyers; the best bid is the highest.
    Bid,
    /// Sellers; the best ask is the lowest.
    Ask,
}

/// The finest scale: `10^-18` still leaves room for a price of 9 in 64 bits.
pub const DECIMALS_MAX: u8 = 18;

/// The largest count of ticks or lots. One bit of 64 stays free for the side of a level.
pub const COUNT_MAX: u64 = i64::MAX as u64;

const POWERS_OF_TEN: [f64; DECIMALS_MAX as usize + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// How many decimals a count of ticks and a count of lots carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// One tick is `10^-price_decimals` quote units. At most [`DECIMALS_MAX`].
    pub price_decimals: u8,
    /// One lot is `10^-size_decimals` base units. At most [`DECIMALS_MAX`].
    pub size_decimals: u8,
}

impl Scale {
    /// Ticks in one quote unit, as the divisor that turns ticks into a price.
    pub fn ticks_per_unit(self) -> f64 {
        POWERS_OF_TEN[usize::from(self.price_decimals)]
    }

    /// Lots in one base unit, as the divisor that turns lots into a size.
    pub fn lots_per_unit(self) -> f64 {
        POWERS_OF_TEN[usize::from(self.size_decimals)]
    }
}

/// Why a decimal text is not a count at the scale in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Nothing between the quotes.
    #[error("is empty")]
    Empty,
    /// A minus sign leads.
    #[error("is negative")]
    Negative,
    /// Not digits with at most one point between them. Exponents are not decimals.
    #[error("is not a decimal number")]
    NotDecimal,
    /// The count does not fit into 63 bits.
    #[error("is too large")]
    TooLarge,
    /// Digits other than zero stand beyond the scale's decimals.
    #[error("needs {needs} decimals")]
    FinerThanScale {
        /// Decimals that would hold the number exactly; it can exceed [`DECIMALS_MAX`].
        needs: u32,
    },
}

/// Reads a non-negative decimal such as `61830.17000000` as an exact count of `10^-decimals`.
///
/// Trailing zeros do not count as decimals. An error about the form of the text wins over one about its size or scale.
///
/// # Errors
/// See [`NumberError`].
pub fn parse_count(text: &[u8], decimals: u8) -> Result<u64, NumberError> {
    match text.first() {
        None => return Err(NumberError::Empty),
        Some(b'-') => return Err(NumberError::Negative),
        Some(_) => {}
    }
    let point = text.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &text[..0]),
    };
    let all_digits = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
    if whole.is_empty() || (point.is_some() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return Err(NumberError::NotDecimal);
    }
    let significant = fraction.len() - fraction.iter().rev().take_while(|&&digit| digit == b'0').count();
    let scale_digits = usize::from(decimals);
    if significant > scale_digits {
        return Err(NumberError::FinerThanScale { needs: significant as u32 });
    }
    let missing = scale_digits - significant;
    let push = |count: u64, digit: u8| count.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    whole
        .iter()
        .chain(&fraction[..significant])
        .try_fold(0, |count, &digit| push(count, digit))
        .and_then(|count| count.checked_mul(10_u64.pow(missing as u32)))
        .filter(|&count| count <= COUNT_MAX)
        .ok_or(NumberError::TooLarge)
}

/// Why a text is not a tick or lot size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a power of ten from 1 down to 0.000000000000000001")]
pub struct StepError(String);

/// Reads a tick or lot size (`1`, `0.1`, `0.01`, …) as its number of decimals.
///
/// # Errors
/// Anything but a power of ten from 1 to `10^-18`.
pub fn parse_step(text: &str) -> Result<u8, StepError> {
    (0..=DECIMALS_MAX)
        .find(|&decimals| parse_count(text.as_bytes(), decimals) == Ok(1))
        .ok_or_else(|| StepError(text.into()))
}

/// Shows a count of ticks or lots as a decimal, all `decimals` of it.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    /// Ticks or lots.
    pub count: u64,
    /// One of them is `10^-decimals`.
    pub decimals: u8,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.pow(u32::from(self.decimals));
        let (whole, fraction) = (self.count / unit, self.count % unit);
        if self.decimals == 0 {
            write!(f, "{whole}")
        } else {
            write!(f, "{whole}.{fraction:0width$}", width = usize::from(self.decimals))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_venues_print() {
        for (text, decimals, count) in [
            ("61804.7", 1, 618_047),
            ("61830.17000000", 2, 6_183_017),
            ("0.00000000", 8, 0),
            ("0.00000000", 0, 0),
            ("0", 0, 0),
            ("35", 0, 35),
            ("35", 3, 35_000),
            ("007.50", 1, 75),
            ("0.01", 2, 1),
            ("83855057", 2, 8_385_505_700),
            ("9223372036854775807", 0, COUNT_MAX),
        ] {
            assert_eq!(parse_count(text.as_bytes(), decimals), Ok(count), "{text} at {decimals}");
        }
    }

    #[test]
    fn refuses_the_rest_by_reason() {
        use NumberError::*;
        for (text, decimals, error) in [
            ("", 2, Empty),
            ("-1", 2, Negative),
            ("-", 2, Negative),
            (".", 2, NotDecimal),
            (".5", 2, NotDecimal),
            ("5.", 2, NotDecimal),
            ("1.2.3", 2, NotDecimal),
            ("1e400", 2, NotDecimal),
            ("+1", 2, NotDecimal),
            (" 1", 2, NotDecimal),
            ("0x10", 2, NotDecimal),
            ("nan", 2, NotDecimal),
            ("٣", 2, NotDecimal),
            ("1234567890123456789012345678901234567890", 2, TooLarge),
            ("9223372036854775808", 0, TooLarge),
            ("92233720368547758.08", 2, TooLarge),
            ("1.001", 2, FinerThanScale { needs: 3 }),
            ("1.0010", 2, FinerThanScale { needs: 3 }),
            ("0.00000000000000000000000000000000000001", 2, FinerThanScale { needs: 38 }),
        ] {
            assert_eq!(parse_count(text.as_bytes(), decimals), Err(error), "{text:?} at {decimals}");
        }
    }

    #[test]
    fn steps_are_powers_of_ten() {
        assert_eq!(parse_step("1"), Ok(0));
        assert_eq!(parse_step("0.1"), Ok(1));
        assert_eq!(parse_step("0.010"), Ok(2));
        for bad in ["0", "10", "0.05", "0.2", "", "-0.1", "1e-2", "x"] {
            assert!(parse_step(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_of_a_count_reads_back(count in 0..=COUNT_MAX, decimals in 0..=DECIMALS_MAX, zeros in 0..9_usize) {
            let mut text = Decimal { count, decimals }.to_string();
            if decimals > 0 {
                text.push_str(&"0".repeat(zeros));
            }
            prop_assert_eq!(parse_count(text.as_bytes(), decimals), Ok(count));
        }

        #[test]
        fn quotient_is_the_double_of_the_text(count in 0..1_u64 << 53, decimals in 0..=DECIMALS_MAX) {
            let scale = Scale { price_decimals: decimals, size_decimals: decimals };
            let text = Decimal { count, decimals }.to_string();
            let by_text: f64 = text.parse().expect("a decimal");
            prop_assert_eq!(count as f64 / scale.ticks_per_unit(), by_text);
            prop_assert_eq!(count as f64 / scale.lots_per_unit(), by_text);
        }

        #[test]
        fn finer_scales_hold_what_they_say(count in 1..=COUNT_MAX, decimals in 1..=DECIMALS_MAX) {
            let text = Decimal { count, decimals }.to_string();
            match parse_count(text.as_bytes(), 0) {
                Ok(_) => prop_assert_eq!(count % 10_u64.pow(u32::from(decimals)), 0),
                Err(NumberError::FinerThanScale { needs }) => {
                    prop_assert!(parse_count(text.as_bytes(), needs as u8).is_ok());
                    prop_assert!(parse_count(text.as_bytes(), needs as u8 - 1).is_err());
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
