//! Eight bytes of text at a time in 64-bit integers (SWAR). The conversion of digits is D. Lemire's, "Quickly parsing eight
//! digits", 2018.

/// A byte in each of a word's eight places.
pub const EACH: u64 = u64::from_le_bytes([1; 8]);

/// The values of a word's bytes as digits, and the high bits of the bytes that are none. Behind the first such byte both are
/// anything.
#[inline(always)]
pub fn digits(text: u64) -> (u64, u64) {
    let values = text ^ (EACH * u64::from(b'0'));
    // A byte's high bit is set when its value is above 9. A carry from one such byte spoils only those behind it.
    (values, (values.wrapping_add(EACH * (0x80 - 10)) | values) & (EACH * 0x80))
}

/// The number that eight bytes of digits, the most significant lowest, stand for.
#[inline(always)]
pub fn number(digits: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let (even, odd) = (pairs & PAIRS, (pairs >> 16) & PAIRS);
    even.wrapping_mul(100 + (1_000_000 << 32)).wrapping_add(odd.wrapping_mul(1 + (10_000 << 32))) >> 32
}

/// Reads digits, up to nineteen of them. `None` for anything else and for more than 64 bits hold.
#[inline]
pub fn whole(text: &[u8]) -> Option<u64> {
    let (words, rest) = text.as_chunks::<8>();
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let mut whole = 0;
    for word in words {
        let (values, others) = digits(u64::from_le_bytes(*word));
        if others != 0 {
            return None;
        }
        whole = whole * 100_000_000 + number(values);
    }
    for digit in rest {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        // Nineteen nines are less than 2^64.
        whole = whole * 10 + u64::from(value);
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whole_numbers_are_those_of_the_standard_library(text in "[0-9]{0,20}", at: prop::sample::Index, byte: u8) {
            let short = text.len() <= 19;
            prop_assert_eq!(whole(text.as_bytes()), text.parse().ok().filter(|_| short));
            let mut changed = text.into_bytes();
            if !changed.is_empty() {
                let at = at.index(changed.len());
                changed[at] = byte;
                let is_number = changed.iter().all(u8::is_ascii_digit);
                prop_assert_eq!(whole(&changed).is_some(), is_number && short);
            }
        }
    }
}
