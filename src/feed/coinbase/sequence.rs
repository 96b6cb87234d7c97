//! The venue's message counter: contiguous over all channels of one connection, from 0.
//!
//! ```
//! use papertrader::feed::coinbase::sequence::Sequence;
//! use papertrader::market::event::Fault;
//!
//! let mut sequence = Sequence::default();
//! sequence.connected();
//! assert_eq!(sequence.check(0), Ok(()));
//! assert_eq!(sequence.check(2), Err((Fault::SequenceGap, 1)));
//! assert_eq!(sequence.check(3), Ok(()));
//! assert_eq!(sequence.check(3), Err((Fault::SequenceRepeat, 4)));
//! ```

use crate::market::event::Fault;

/// Follows `sequence_num` through a connection.
#[derive(Debug, Default)]
pub struct Sequence {
    /// The next number, once one is known.
    expected: Option<u64>,
}

impl Sequence {
    /// Starts anew, as a connection does, whose first number is 0.
    pub fn connected(&mut self) {
        self.expected = Some(0);
    }

    /// Takes the next message's number. Without a connection's beginning any first number is good, and after a fault the
    /// count goes on from the number that came.
    ///
    /// # Errors
    /// [`Fault::SequenceGap`] or [`Fault::SequenceRepeat`], with the number that was expected.
    #[inline]
    pub fn check(&mut self, sequence_num: u64) -> Result<(), (Fault, u64)> {
        let expected = self.expected.replace(sequence_num.wrapping_add(1)).unwrap_or(sequence_num);
        match sequence_num.cmp(&expected) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err((Fault::SequenceGap, expected)),
            std::cmp::Ordering::Less => Err((Fault::SequenceRepeat, expected)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_repeats_are_told_apart_and_the_count_goes_on() {
        let mut sequence = Sequence::default();
        for (number, verdict) in [
            (5, Ok(())),
            (6, Ok(())),
            (8, Err((Fault::SequenceGap, 7))),
            (9, Ok(())),
            (9, Err((Fault::SequenceRepeat, 10))),
            (10, Ok(())),
            (0, Err((Fault::SequenceRepeat, 11))),
            (1, Ok(())),
            (u64::MAX, Err((Fault::SequenceGap, 2))),
        ] {
            assert_eq!(sequence.check(number), verdict, "{number}");
        }
        sequence.connected();
        assert_eq!(sequence.check(0), Ok(()));
        sequence.connected();
        assert_eq!(sequence.check(1), Err((Fault::SequenceGap, 0)));
    }
}
