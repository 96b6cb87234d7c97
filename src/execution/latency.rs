//! How long an order takes to reach the venue.
//!
//! ```
//! use papertrader::execution::latency::Latency;
//!
//! let mut latency = Latency::Drawn { ns: vec![5, 7, 9].into(), seed: 1 };
//! let drawn: Vec<i64> = (0..4).map(|message| latency.of(message).expect("it has one")).collect();
//! assert!(drawn.iter().all(|ns| [5, 7, 9].contains(ns)));
//! // The same message of the same seed takes as long.
//! assert_eq!(latency.of(2), Some(drawn[2]));
//! assert_eq!(Latency::Absent.of(0), None);
//! ```

use std::sync::Arc;

/// From a decision to the venue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Latency {
    /// Orders act in the deciding instant, as the original program's do: what is due by frame *s* is done into the book before
    /// it.
    #[default]
    Absent,
    /// Nanoseconds, at least 0. Even 0 is not [`Latency::Absent`]: what is due by frame *s* is decided after it.
    Fixed(i64),
    /// One of these, at least one and none negative, by a hash of the seed and the message's number.
    Drawn {
        /// Nanoseconds.
        ns: Arc<[i64]>,
        /// Of the hash.
        seed: u64,
    },
}

/// Why a list of latencies cannot be drawn from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LatencyError {
    /// No latencies.
    #[error("it holds no latency")]
    Empty,
    /// A negative one.
    #[error("latency {index} is negative: {ns} ns")]
    Negative {
        /// Counted from 1.
        index: usize,
        /// Nanoseconds.
        ns: i64,
    },
    /// One that is longer than any.
    #[error("latency {index} is {ns} ns; none is longer than 60 s")]
    TooLong {
        /// Counted from 1.
        index: usize,
        /// Nanoseconds.
        ns: i64,
    },
}

/// The longest latency, nanoseconds: 60 s.
pub const LATENCY_MAX_NS: i64 = 60_000_000_000;

impl Latency {
    /// One drawn from measured ones.
    ///
    /// # Errors
    /// The list is empty or has a latency that is negative or above [`LATENCY_MAX_NS`].
    pub fn drawn(ns: Vec<i64>, seed: u64) -> Result<Self, LatencyError> {
        if ns.is_empty() {
            return Err(LatencyError::Empty);
        }
        match ns.iter().enumerate().find(|&(_, ns)| !(0..=LATENCY_MAX_NS).contains(ns)) {
            Some((at, &ns)) if ns < 0 => Err(LatencyError::Negative { index: at + 1, ns }),
            Some((at, &ns)) => Err(LatencyError::TooLong { index: at + 1, ns }),
            None => Ok(Self::Drawn { ns: ns.into(), seed }),
        }
    }

    /// Of the message with that number, in nanoseconds; `None` where it acts in the deciding instant.
    #[inline]
    pub fn of(&self, message: u64) -> Option<i64> {
        match self {
            Self::Absent => None,
            Self::Fixed(ns) => Some(*ns),
            Self::Drawn { ns, seed } => Some(ns[(mixed(*seed, message) % ns.len() as u64) as usize]),
        }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014) over the message's place in the seed's sequence.
fn mixed(seed: u64, message: u64) -> u64 {
    let mut word = seed.wrapping_add(message.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // The first outputs of SplitMix64 seeded with 1234567.
        let outputs = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([0, 1, 2].map(|message| mixed(1_234_567, message)), outputs);
    }

    #[test]
    fn lists_are_checked() {
        assert_eq!(Latency::drawn(vec![], 1), Err(LatencyError::Empty));
        assert_eq!(Latency::drawn(vec![0, -3], 1), Err(LatencyError::Negative { index: 2, ns: -3 }));
        let long = LATENCY_MAX_NS + 1;
        assert_eq!(Latency::drawn(vec![0, 5, long], 1), Err(LatencyError::TooLong { index: 3, ns: long }));
        let all: Vec<i64> = (0..1_000).map(|m| Latency::drawn(vec![1, 2], 1).unwrap().of(m).unwrap()).collect();
        let ones = all.iter().filter(|&&ns| ns == 1).count();
        assert!((400..600).contains(&ones), "{ones}");
    }
}
