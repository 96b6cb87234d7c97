//! Time stamps of messages.

use super::TIME_MAX;
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
    /// Reads the stamp at the beginning of `text`, which a quote ends. Gives what begins with that quote.
    #[inline]
    pub fn read<'a>(&mut self, text: &'a [u8]) -> Option<(i64, &'a [u8])> {
        // A stamp two bytes shorter has a quote at the same place: that of the next name.
        let usual = text.get(TIME_MAX - 1..=TIME_MAX) == Some(br#"Z""#);
        let bytes = if usual { TIME_MAX } else { text.iter().take(TIME_MAX).position(|&byte| byte == b'"')? };
        let (stamp, rest) = text.split_at_checked(bytes)?;
        Some((self.parse_utc_ns(stamp)?, rest))
    }

    /// As [`parse_utc_ns`], which reads the stamps of other shapes.
    #[inline]
    fn parse_utc_ns(&mut self, text: &[u8]) -> Option<i64> {
        let (Some(minute), 30) = (text.first_chunk::<17>(), text.len()) else { return parse_utc_ns(text) };
        if *minute != self.text {
            self.start_ns = minute_start_ns(minute)?;
            self.text = *minute;
        }
        let pair = |at: usize| text[at].is_ascii_digit() && text[at + 1].is_ascii_digit();
        let (values, others) = digits(u64::from_le_bytes(*text[20..].first_chunk()?));
        let last = text[28].wrapping_sub(b'0');
        let good = pair(17) && text[17] < b'6' && text[19] == b'.' && others == 0 && last < 10 && text[29] == b'Z';
        let seconds = i64::from(text[17].wrapping_sub(b'0')) * 10 + i64::from(text[18].wrapping_sub(b'0'));
        // Below 10^9.
        let fraction_ns = number(values) as i64 * 10 + i64::from(last);
        self.start_ns.checked_add(seconds * 1_000_000_000 + fraction_ns).filter(|_| good)
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
            "2024-08-08T23:61:00.000000000Z",
            "2024-08-08T23:61:00.000000001Z",
            "2024-08-08T23:55:01.00000000xZ",
            "2024-08-08T23:55:01.000x00000Z",
            "2262-04-11T23:47:16.854775807Z",
            "2262-04-11T23:47:16.854775808Z",
            "9999-04-11T23:47:16.854775808Z",
        ] {
            assert_eq!(minute.parse_utc_ns(text.as_bytes()), parse_utc_ns(text.as_bytes()), "{text}");
        }
    }
}
