//! Decimals from words of eight bytes.

use crate::base::swar::{digits, number};
use crate::market::units::parse_count;

/// A level is read from so many bytes: sixteen behind any offset. Offsets that depend on the text are masked, which tells the
/// compiler that they are in bounds.
pub const WINDOW: usize = OFFSET_MAX + 17;
pub type Window = [u8; WINDOW];
pub const OFFSET_MAX: usize = 127;

/// The longest number that is read, its quote included.
const NUMBER_MAX: usize = 40;
/// The longest number that is read by words: eight digits on both sides of the point.
pub const BY_WORDS_MAX: usize = 17;

/// Eight bytes as an integer, the first lowest.
#[inline(always)]
pub fn word<const W: usize>(bytes: &[u8; W], at: usize) -> u64 {
    u64::from_le_bytes(*chunk(bytes, at))
}

#[inline(always)]
pub fn chunk<const N: usize, const W: usize>(bytes: &[u8; W], at: usize) -> &[u8; N] {
    let at = at & OFFSET_MAX;
    bytes[at..at + N].first_chunk().expect("the slice has N bytes")
}

/// How decimal texts become counts at a scale.
#[derive(Debug)]
pub struct Counts {
    decimals: u8,
    /// `10^decimals`.
    unit: u64,
    /// The longest whole part that is read by words; 0 at scales beyond them.
    whole_bytes_max: usize,
    /// The bytes of a fraction's word that are finer than the scale.
    finer: u64,
    /// Moves the scale's digits of a fraction's word to its end.
    shift: u32,
}

impl Counts {
    #[inline]
    pub fn of(decimals: u8) -> Self {
        let by_words = decimals <= 8;
        Self {
            decimals,
            unit: POWERS_OF_TEN[usize::from(decimals.min(8))],
            whole_bytes_max: if by_words { 8 } else { 0 },
            finer: u64::MAX.checked_shl(8 * u32::from(decimals)).unwrap_or(0),
            shift: 64_u32.saturating_sub(8 * u32::from(decimals)),
        }
    }

    /// Reads the number at `at`, of at most eight digits before and behind the point. Gives its count and its length; the
    /// caller finds out whether a quote stands behind it.
    #[inline(always)]
    pub fn read(&self, window: &Window, at: usize) -> Option<(u64, usize)> {
        let (values, others) = digits(word(window, at));
        let whole_bytes = others.trailing_zeros() as usize / 8;
        if whole_bytes.wrapping_sub(1) >= self.whole_bytes_max {
            return None;
        }
        if window[(at + whole_bytes) & OFFSET_MAX] != b'.' {
            return Some((number(values << (64 - 8 * whole_bytes)) * self.unit, whole_bytes));
        }
        // The end of the fraction, if it lies in the same word.
        let others = others & others.wrapping_sub(1);
        let bytes = others.trailing_zeros() as usize / 8;
        let missing = (usize::from(self.decimals) + whole_bytes + 1).wrapping_sub(bytes);
        if others != 0 && bytes > whole_bytes + 1 && missing < POWERS_OF_TEN.len() {
            // Without the point.
            let whole = u64::MAX >> (64 - 8 * whole_bytes);
            let joined = values & whole | (values >> 8) & !whole;
            return Some((number(joined << (72 - 8 * bytes)) * POWERS_OF_TEN[missing], bytes));
        }
        let whole = number(values << (64 - 8 * whole_bytes));
        let (values, others) = digits(word(window, at + whole_bytes + 1));
        let fraction_bytes = others.trailing_zeros() as usize / 8;
        if fraction_bytes == 0 {
            return None;
        }
        // What follows the digits is cleared.
        let others_bits = 64 - 8 * fraction_bytes;
        let digits = values << others_bits >> others_bits;
        if digits & self.finer != 0 {
            return None;
        }
        // At scale 0 the digits are all zeros and the shift, by the whole width, does not matter.
        Some((whole * self.unit + number(digits.wrapping_shl(self.shift)), whole_bytes + 1 + fraction_bytes))
    }

    /// Reads a number of any length at the beginning of `text`. Gives what begins with the quote behind it.
    pub fn read_plainly<'a>(&self, text: &'a [u8]) -> Option<(u64, &'a [u8])> {
        let bytes = text.iter().take(NUMBER_MAX).position(|&byte| byte == b'"')?;
        let (number, rest) = text.split_at(bytes);
        Some((parse_count(number, self.decimals).ok()?, rest))
    }
}

pub const POWERS_OF_TEN: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Reads a JSON number without sign, fraction and exponent from the beginning.
#[inline]
pub fn whole_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let (values, others) = digits(u64::from_le_bytes(*text.first_chunk()?));
    let bytes = others.trailing_zeros() as usize / 8;
    if bytes == 8 {
        return long_whole_number(text);
    }
    if bytes == 0 || (text[0] == b'0' && bytes > 1) {
        return None;
    }
    Some((number(values << (64 - 8 * bytes)), &text[bytes..]))
}

/// Reads digits up to a quote, sixteen at the most, from the beginning of a text that is longer. Gives what begins with the quote.
#[inline]
pub fn quoted_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let bytes: &[u8; 16] = text.first_chunk()?;
    let (first, others) = digits(word(bytes, 0));
    let mut digit_bytes = others.trailing_zeros() as usize / 8;
    let mut read = number(first.checked_shl(64 - 8 * digit_bytes as u32).unwrap_or(0));
    if digit_bytes == 8 {
        let (second, others) = digits(word(bytes, 8));
        let more = others.trailing_zeros() as usize / 8;
        read = read * POWERS_OF_TEN[more] + number(second.checked_shl(64 - 8 * more as u32).unwrap_or(0));
        digit_bytes += more;
    }
    (digit_bytes > 0 && text.get(digit_bytes) == Some(&b'"')).then(|| (read, &text[digit_bytes..]))
}

#[cold]
fn long_whole_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let bytes = text.iter().take(20).position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at(bytes);
    // At most 19 digits.
    let number = digits.iter().fold(0, |number, digit| 10 * number + u64::from(digit - b'0'));
    (digits[0] != b'0').then_some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::units::{DECIMALS_MAX, NumberError};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quoted_numbers_are_those_of_the_plain_reading(text in "[0-9]{0,18}[x\"]?") {
            let quoted = format!("{text}\",\"price\":\"61830.17\"");
            let bytes = quoted.bytes().take_while(u8::is_ascii_digit).count();
            let plain = (1..=16).contains(&bytes) && quoted.as_bytes()[bytes] == b'"';
            let plain = plain.then(|| (quoted[..bytes].parse::<u64>().unwrap(), &quoted.as_bytes()[bytes..]));
            prop_assert_eq!(quoted_number(quoted.as_bytes()), plain);
        }

        #[test]
        fn counts_are_those_of_the_plain_reading(
            text in "[0-9]{0,12}(\\.[0-9]{0,12})?[0-9.x-]?", decimals in 0..=DECIMALS_MAX,
        ) {
            let mut window = [0; WINDOW];
            window[..text.len()].copy_from_slice(text.as_bytes());
            window[text.len()] = b'"';
            let plain: Result<u64, NumberError> = parse_count(text.as_bytes(), decimals);
            let counts = Counts::of(decimals);
            // Who reads by words looks for the quote behind.
            let by_words = counts.read(&window, 0).filter(|&(_, bytes)| window[bytes] == b'"');
            prop_assert!(by_words.is_none_or(|read| plain == Ok(read.0) && read.1 == text.len()));
            let short = text.split('.').all(|digits| digits.len() <= 8) && !text.ends_with('.');
            prop_assert!(by_words.is_some() || plain.is_err() || decimals > 8 || !short);
            let plainly = counts.read_plainly(&window).map(|(count, rest)| (count, window.len() - rest.len()));
            prop_assert_eq!(plainly, plain.ok().map(|count| (count, text.len())));
        }
    }
}
