//! What a cell of a table says: times of any unit, sizes and prices, levels that are absent, lists of levels.
//!
//! ```
//! use papertrader::sources::table::cells::{Cell, Unit, time_ns};
//!
//! let mut unit = None;
//! assert_eq!(time_ns(Cell::Text(b"1598918403.810979"), &mut unit)?, 1_598_918_403_810_979_000);
//! assert_eq!(unit, Some(Unit::Seconds));
//! // A column has one unit.
//! assert!(time_ns(Cell::Text(b"1598918403810"), &mut unit).is_err());
//! # Ok::<(), String>(())
//! ```

use super::layout::TABLE_LEVELS_MAX;
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use crate::market::units::Side;
use crate::sources::number::Number;
use crate::sources::{RawLevel, ReaderCounts, ReaderSettings};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use parquet::data_type::ByteArray;
use std::fmt;

/// A cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// As text.
    Text(&'a [u8]),
    /// As a float.
    Float(f64),
    /// As a whole number.
    Int(i64),
    /// As a whole number of units of `10^-decimals`.
    Decimal(i128, u8),
    /// The same in the fixed width of NautilusTrader, which may have been made from a float.
    Fixed(i128, u8),
    /// As a time, Unix nanoseconds.
    Time(i64),
    /// As a list of pairs, one value after the other.
    List(&'a [Held]),
    /// Without a value.
    Absent,
}

/// A cell that is held by what has read it.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// As [`Cell::Text`].
    Text(ByteArray),
    /// As [`Cell::Float`].
    Float(f64),
    /// As [`Cell::Int`].
    Int(i64),
    /// As [`Cell::Decimal`].
    Decimal(i128, u8),
    /// As [`Cell::Fixed`].
    Fixed(i128, u8),
    /// As [`Cell::Time`].
    Time(i64),
    /// As [`Cell::List`].
    List(Vec<Held>),
    /// As [`Cell::Absent`].
    Absent,
}

impl Held {
    /// It, borrowed.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Self::Text(text) => Cell::Text(text.data()),
            Self::Float(value) => Cell::Float(*value),
            Self::Int(value) => Cell::Int(*value),
            Self::Decimal(count, decimals) => Cell::Decimal(*count, *decimals),
            Self::Fixed(count, decimals) => Cell::Fixed(*count, *decimals),
            Self::Time(ns) => Cell::Time(*ns),
            Self::List(values) => Cell::List(values),
            Self::Absent => Cell::Absent,
        }
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quote(&String::from_utf8_lossy(text), QUOTE_CHARS_MAX)),
            Self::Float(value) => value.fmt(f),
            Self::Int(value) | Self::Time(value) => value.fmt(f),
            Self::Decimal(count, 0) | Self::Fixed(count, 0) => count.fmt(f),
            Self::Decimal(count, decimals) | Self::Fixed(count, decimals) => {
                let digits = format!("{:0>width$}", count.unsigned_abs(), width = usize::from(*decimals) + 1);
                let (whole, part) = digits.split_at(digits.len() - usize::from(*decimals));
                write!(f, "{}{whole}.{part}", if *count < 0 { "-" } else { "" })
            }
            Self::List(values) => write!(f, "a list of {} values", values.len()),
            Self::Absent => Ok(()),
        }
    }
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
    /// A date and time of day.
    Iso,
}

impl Unit {
    const ALL: [(Self, i64, &str); 5] = [
        (Self::Seconds, 1_000_000_000, "seconds"),
        (Self::Millis, 1_000_000, "milliseconds"),
        (Self::Micros, 1_000, "microseconds"),
        (Self::Nanos, 1, "nanoseconds"),
        (Self::Iso, 0, "dates"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(unit, _, _)| *unit == self).map_or("", |(_, _, name)| name)
    }
}

/// 1980 to 2100, seconds.
const TIMES_S: std::ops::Range<i64> = 315_532_800..4_102_444_800;
/// Absent prices as integers: LOBSTER's, and Databento's undefined one.
const ABSENT_INTS: [i64; 3] = [9_999_999_999, -9_999_999_999, i64::MAX];
/// The same in units: Databento's and NautilusTrader's undefined prices.
const ABSENT_UNITS: [i128; 2] = [i64::MAX as i128, i128::MAX];
/// The least price in 1e-9 that is taken for one: 0.0001. What is less was hardly meant so.
const NANOS_MIN: i64 = 100_000;
/// Decimals of Databento's whole prices.
const PRICE_DECIMALS: u8 = 9;

fn iso_ns(text: &str) -> Option<i64> {
    let stamp = text.parse::<Timestamp>().ok();
    // Without an offset it is UTC.
    let civil = || Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    i64::try_from(stamp.or_else(civil)?.as_nanosecond()).ok()
}

/// The unit by the magnitude of the whole part, and nanoseconds of both parts.
fn by_magnitude(whole: i64, fraction: &[u8]) -> Option<(Unit, i64)> {
    let (unit, ns_each, _) =
        Unit::ALL[..4].iter().find(|(_, ns_each, _)| TIMES_S.contains(&(whole / (1_000_000_000 / ns_each))))?;
    let mut part = *ns_each;
    let mut ns = whole.checked_mul(*ns_each)?;
    for digit in fraction {
        part /= 10;
        ns += i64::from(digit - b'0') * part;
    }
    Some((*unit, ns))
}

/// A time in Unix nanoseconds; its unit told by magnitude, and the same in the whole column.
///
/// # Errors
/// It is no time between 1980 and 2100, or of another unit than those before.
pub fn time_ns(cell: Cell<'_>, unit: &mut Option<Unit>) -> Result<i64, String> {
    let mut buffer = ryu::Buffer::new();
    let read = match cell {
        Cell::Int(value) => by_magnitude(value, b""),
        Cell::Float(value) if value.is_finite() && value.fract() == 0.0 && value.abs() < 9e18 => {
            by_magnitude(value as i64, b"")
        }
        Cell::Float(value) if value.is_finite() => of_text(buffer.format_finite(value).as_bytes()),
        Cell::Text(text) => of_text(text),
        Cell::Time(ns) => Some((Unit::Nanos, ns)).filter(|_| TIMES_S.contains(&(ns / 1_000_000_000))),
        Cell::Decimal(..) | Cell::Fixed(..) | Cell::List(_) | Cell::Float(_) | Cell::Absent => None,
    };
    let Some((found, ns)) = read else {
        return Err(format!("the time '{cell}' is neither Unix time from 1980 to 2100 nor a date with a time of day"));
    };
    match *unit {
        Some(before) if before != found => Err(format!(
            "the time '{cell}' is in {} where those before are in {}; give all in one unit",
            found.name(),
            before.name()
        )),
        _ => {
            *unit = Some(found);
            Ok(ns)
        }
    }
}

fn of_text(text: &[u8]) -> Option<(Unit, i64)> {
    let text = text.trim_ascii();
    let point = memchr::memchr(b'.', text).unwrap_or(text.len());
    let (whole, fraction) = (&text[..point], text.get(point + 1..).unwrap_or_default());
    let is_digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok()?;
    if !whole.is_empty() && is_digits(whole) && is_digits(fraction) {
        return by_magnitude(text[..point].parse().ok()?, fraction);
    }
    // As pandas writes large floats.
    if let Some(value) = text.contains(['e', 'E']).then(|| text.parse::<f64>().ok()).flatten()
        && value.is_finite()
        && value.abs() < 9e18
    {
        return by_magnitude(value as i64, b"");
    }
    iso_ns(text).map(|ns| (Unit::Iso, ns))
}

/// A price or size, 0 included; `None` where there is none.
///
/// # Errors
/// It is no number that a book can hold.
pub fn number(cell: Cell<'_>, decimals: Option<u8>, counts: &mut ReaderCounts) -> Result<Option<Number>, String> {
    let found = match cell {
        Cell::Absent => return Ok(None),
        Cell::Int(value) if ABSENT_INTS.contains(&value) => return Ok(None),
        Cell::Int(value) => Number::from_text(itoa::Buffer::new().format(value).as_bytes()),
        Cell::Float(value) if value.is_nan() || is_absent(value) => return Ok(None),
        Cell::Float(value) => Number::from_f64(value, decimals, &mut counts.rounded),
        Cell::Decimal(count, _) | Cell::Fixed(count, _) if ABSENT_UNITS.contains(&count) => return Ok(None),
        Cell::Decimal(count, of) => Number::from_units(count, of, decimals, false, &mut counts.rounded),
        Cell::Fixed(count, of) => Number::from_units(count, of, decimals, true, &mut counts.rounded),
        Cell::Time(_) | Cell::List(_) => return Err(format!("'{cell}' is not a number")),
        Cell::Text(text) => match text.trim_ascii() {
            b"" => return Ok(None),
            text if text.first().is_some_and(|byte| !byte.is_ascii_digit()) || text.len() >= ABSENT_CHARS => {
                let value = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
                match value {
                    Some(value) if value.is_nan() || is_absent(value) => return Ok(None),
                    None if matches!(text.to_ascii_lowercase().as_slice(), b"null" | b"none" | b"<na>" | b"nat") => {
                        return Ok(None);
                    }
                    _ => Number::from_tool(text, decimals, &mut counts.rounded),
                }
            }
            text => Number::from_tool(text, decimals, &mut counts.rounded),
        },
    };
    match found {
        Ok(number) if number.at(0).is_some_and(|value| value == 9_999_999_999) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(error) => Err(format!("'{cell}' {error}")),
    }
}

/// Characters of 2^63 billionths, rounded to a float.
const ABSENT_CHARS: usize = 17;

fn is_absent(value: f64) -> bool {
    // The greatest integer is not a float: 2^63 is what it becomes.
    value.abs() == 9_999_999_999.0 || value == 9_223_372_036_854_775_807.0 || value == 9_223_372_036.854_776
}

/// A level of two cells; `None` where it is absent.
///
/// # Errors
/// A number is negative, or none.
pub fn level(
    side: Side,
    price: Cell<'_>,
    size: Cell<'_>,
    settings: &ReaderSettings,
    counts: &mut ReaderCounts,
) -> Result<Option<RawLevel>, String> {
    let price = number(price, settings.price_decimals, counts).map_err(|what| format!("the price {what}"))?;
    let Some(price) = price.filter(|price| !price.is_zero()) else { return Ok(None) };
    let size = number(size, settings.size_decimals, counts).map_err(|what| format!("the size {what}"))?;
    Ok(size.filter(|size| !size.is_zero()).map(|size| RawLevel { side, price, size }))
}

/// Whether a cell is true; `None` where it is neither true nor false.
pub fn truth(cell: Cell<'_>) -> Option<bool> {
    match cell {
        Cell::Int(value) => (0..=1).contains(&value).then_some(value == 1),
        Cell::Text(text) => match text.trim_ascii().to_ascii_lowercase().as_slice() {
            b"true" | b"1" => Some(true),
            b"false" | b"0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A price in a column of Databento's name: a whole number counts 1e-9 there, and decimals are what they say. The first price tells
/// how all of them are written.
///
/// # Errors
/// It is written in the other way, or too small for a price in 1e-9.
pub fn databento_price<'a>(cell: Cell<'a>, are_nanos: &mut Option<bool>) -> Result<Cell<'a>, String> {
    let (value, is_nanos) = match cell {
        Cell::Int(value) => (value, true),
        Cell::Text(text) => match std::str::from_utf8(text.trim_ascii()).unwrap_or_default() {
            text if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                (text.parse().map_err(|_| format!("the price '{cell}' is too large"))?, true)
            }
            text if text.starts_with(|first: char| first.is_ascii_digit()) => (i64::MAX, false),
            // An absent one, or no number.
            _ => return Ok(cell),
        },
        _ => return Ok(cell),
    };
    if is_nanos && matches!(value, 0 | i64::MAX) {
        return Ok(Cell::Absent);
    }
    if *are_nanos.get_or_insert(is_nanos) != is_nanos {
        let before = if is_nanos { "decimals" } else { "whole numbers in 1e-9" };
        return Err(format!("the price '{cell}' follows prices that are {before}: write all of them in one way"));
    }
    if is_nanos && (0..NANOS_MIN).contains(&value) {
        return Err(format!(
            "the price '{cell}' is a whole number, and columns of Databento's names hold 1e-9 then: write decimals, or name the \
             columns otherwise"
        ));
    }
    Ok(if is_nanos { Cell::Decimal(value.into(), PRICE_DECIMALS) } else { cell })
}

/// Levels of a list that is held: price and size, one after the other.
///
/// # Errors
/// It has more than [`TABLE_LEVELS_MAX`] levels, or a number is none.
pub fn pairs(
    side: Side,
    values: &[Held],
    settings: &ReaderSettings,
    counts: &mut ReaderCounts,
    levels: &mut Vec<RawLevel>,
) -> Result<(), String> {
    if values.len() > 2 * TABLE_LEVELS_MAX {
        return Err(format!("a list has more than {TABLE_LEVELS_MAX} levels"));
    }
    for pair in values.chunks_exact(2) {
        let [price, size] = pair else { continue };
        levels.extend(level(side, price.cell(), size.cell(), settings, counts)?);
    }
    Ok(())
}

/// Levels of a list such as `[[6421.5, 10], ["6421", "7"]]`; what stands behind price and size of a level is left out.
///
/// # Errors
/// It is no such list, or has more than [`TABLE_LEVELS_MAX`] levels.
pub fn list(
    side: Side,
    text: &[u8],
    settings: &ReaderSettings,
    counts: &mut ReaderCounts,
    levels: &mut Vec<RawLevel>,
) -> Result<(), String> {
    let not_a_list = || format!("'{}' is not a list of pairs [[price, size], …]", Cell::Text(text));
    let mut depth = 0_u8;
    let mut pair: [&[u8]; 2] = [b"", b""];
    let (mut values, mut given, mut at) = (0, 0, 0);
    while at < text.len() {
        match text[at] {
            b'[' | b'(' if depth < 2 => {
                depth += 1;
                values = 0;
            }
            b']' | b')' if depth == 2 => {
                depth = 1;
                if values < 2 {
                    return Err(not_a_list());
                }
                if given == TABLE_LEVELS_MAX {
                    return Err(format!("a list has more than {TABLE_LEVELS_MAX} levels"));
                }
                given += 1;
                levels.extend(level(side, Cell::Text(pair[0]), Cell::Text(pair[1]), settings, counts)?);
            }
            b']' | b')' if depth == 1 => depth = 0,
            b',' | b' ' | b'"' | b'\'' | b'\t' => {}
            byte if depth == 2 && (byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')) => {
                let end = text[at..].iter().position(|byte| matches!(byte, b',' | b']' | b')' | b'"' | b'\'' | b' '));
                let end = at + end.unwrap_or(text.len() - at);
                if let Some(place) = pair.get_mut(values) {
                    *place = &text[at..end];
                }
                values += 1;
                at = end - 1;
            }
            _ => return Err(not_a_list()),
        }
        at += 1;
    }
    if depth == 0 { Ok(()) } else { Err(not_a_list()) }
}
