//! Time stamps of messages.

use super::decimal::{POWERS_OF_TEN, word};
use crate::base::clock::parse_utc_ns;
use crate::base::swar::{digits, number};

/// Reads time stamps of which most lie in the same minute as the one before.
#[derive(Debug)]
pub struct Minute {
    /// `2024-08-08T23:54:`. Never anything else, so that what equals it needs no further check.
    text: [u8; 17],
    /// Its beginning, Unix nanoseconds.
    start_ns: i64,
}

impl Default for Minute {
    fn default() -> Self {
        Self { text: *b"1970-01-01T00:00:", start_ns: 0 }
    }
}

impl Minute {
    /// Reads the stamp at the beginning of `text`, of up to nine digits of fraction, as [`parse_utc_ns`] does; a quote ends it, and
    /// some text follows. Gives what begins with that quote.
    #[inline]
    pub fn read<'a>(&mut self, text: &'a [u8]) -> Option<(i64, &'a [u8])> {
        let stamp: &[u8; 32] = text.first_chunk()?;
        let minute: &[u8; 17] = stamp.first_chunk()?;
        if *minute != self.text {
            self.start_ns = minute_start_ns(minute)?;
            self.text = *minute;
        }
        let is_digit = |at: usize| stamp[at].is_ascii_digit();
        let seconds = i64::from(stamp[17].wrapping_sub(b'0')) * 10 + i64::from(stamp[18].wrapping_sub(b'0'));
        let (values, others) = digits(word(stamp, 20));
        let fraction_bytes = others.trailing_zeros() as usize / 8;
        let (fraction_ns, bytes) = match (stamp[19] == b'.', fraction_bytes) {
            (true, 8) if is_digit(28) => (10 * number(values) + u64::from(stamp[28] - b'0'), 29),
            (true, 1..) => {
                (number(values << (64 - 8 * fraction_bytes)) * POWERS_OF_TEN[9 - fraction_bytes], 20 + fraction_bytes)
            }
            (true, 0) => return None,
            (false, _) => (0, 19),
        };
        let good = is_digit(17) && stamp[17] < b'6' && is_digit(18) && stamp[bytes] == b'Z' && stamp[bytes + 1] == b'"';
        // The fraction is below 10^9.
        let ts_ns = self.start_ns.checked_add(seconds * 1_000_000_000 + fraction_ns as i64)?;
        good.then_some((ts_ns, &text[bytes + 1..]))
    }
}

#[cold]
fn minute_start_ns(minute: &[u8; 17]) -> Option<i64> {
    let mut whole = *b"YYYY-MM-DDTHH:MM:00Z";
    whole[..17].copy_from_slice(minute);
    parse_utc_ns(&whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_every_length_end_at_their_quote() {
        let whole = "2024-08-08T23:54:16.618936965";
        for stamp in (19..=whole.len()).filter(|&bytes| bytes != 20).map(|bytes| format!("{}Z", &whole[..bytes])) {
            let text = format!(r#"{stamp}","sequence_num":17"#);
            let (ts_ns, rest) = Minute::default().read(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((Some(ts_ns), rest), (parse_utc_ns(stamp.as_bytes()), &text.as_bytes()[stamp.len()..]));
        }
    }

    #[test]
    fn a_minute_remembered_is_the_minute_of_the_text() {
        let mut minute = Minute::default();
        for text in [
            "1970-01-01T00:00:01.000000002Z",
            "2024-08-08T23:54:16.618936965Z",
            "2024-08-08T23:54:59.999999999Z",
            "2024-08-08T23:54:60.999999999Z",
            "2024-08-08T23:55:00.000000000Z",
            "2024-08-08T23:55:00Z",
            "2024-08-08T23:55:00.Z",
            "2024-08-08T23:55:00.1Z",
            "2024-08-08T23:55:0x.1Z",
            "2024-08-08T23:55:00.12345678Z",
            "2024-08-08T23:55:00.1234567890Z",
            "2024-08-08T23:55:00+00:00",
            "2024-08-08T23:61:00.000000000Z",
            "2024-08-08T23:61:00.000000001Z",
            "2024-08-08T23:55:01.00000000xZ",
            "2024-08-08T23:55:01.000x00000Z",
            "2262-04-11T23:47:16.854775807Z",
            "2262-04-11T23:47:16.854775808Z",
            "9999-04-11T23:47:16.854775808Z",
        ] {
            let stamp = format!(r#"{text}","sequence_num":17"#);
            let read = minute.read(stamp.as_bytes()).map(|(ts_ns, _)| ts_ns);
            assert_eq!(read, parse_utc_ns(text.as_bytes()), "{text}");
        }
    }
}
