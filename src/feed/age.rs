//! How old messages are by the venue's clock when they are read.
//!
//! The system's stamp of a read is that of its newest bytes: of messages that waited in the socket together it tells the wait of
//! the last. The venue's own time in each message tells each one's, but with the difference of the two clocks and the way from
//! the venue in it. Both are in the least age too: what ages exceed it by is how much longer messages took.
//!
//! ```
//! use papertrader::feed::age::VenueAges;
//!
//! let mut ages = VenueAges::default();
//! ages.record(1_723_161_600_000_000_000, 1_723_161_600_020_000_000);
//! let facts = ages.facts().expect("one frame has an age");
//! assert_eq!((facts.frames, facts.beyond), (1, 0));
//! assert!(facts.p50_ns.abs_diff(20_000_000) <= 20_000);
//! ```

use hdrhistogram::Histogram;

/// The oldest message that is told from older ones: an hour, for the clocks may differ.
const AGE_NS_MAX: u64 = 3_600_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// The ages of a session's frames.
#[derive(Clone, Debug)]
pub struct VenueAges {
    /// Nanoseconds.
    ages: Histogram<u64>,
    /// Frames that the venue's clock puts after ours, or an hour and more before it.
    beyond: u64,
}

/// What they come to, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AgeFacts {
    pub frames: u64,
    pub min_ns: u64,
    pub p50_ns: u64,
    pub p99_ns: u64,
    pub max_ns: u64,
    /// Frames that are in none of the figures: the venue's clock puts them after ours, or an hour and more before it.
    pub beyond: u64,
}

impl Default for VenueAges {
    fn default() -> Self {
        let ages = Histogram::new_with_bounds(1, AGE_NS_MAX, SIGNIFICANT_DIGITS).expect("the bounds are legal");
        Self { ages, beyond: 0 }
    }
}

impl VenueAges {
    /// Counts a frame of the venue's time `ts_event_ns`, read at `ts_recv_ns` by our clock, both Unix nanoseconds. A venue's time of
    /// 0 stands for none.
    pub fn record(&mut self, ts_event_ns: i64, ts_recv_ns: i64) {
        if ts_event_ns == 0 {
            return;
        }
        let age_ns = u64::try_from(ts_recv_ns.saturating_sub(ts_event_ns));
        if !age_ns.is_ok_and(|age_ns| age_ns <= AGE_NS_MAX && self.ages.record(age_ns).is_ok()) {
            self.beyond += 1;
        }
    }

    /// The figures; `None` where no frame has any.
    pub fn facts(&self) -> Option<AgeFacts> {
        let at = |quantile| self.ages.value_at_quantile(quantile);
        (!self.ages.is_empty()).then(|| AgeFacts {
            frames: self.ages.len(),
            min_ns: self.ages.min(),
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            max_ns: self.ages.max(),
            beyond: self.beyond,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_those_of_frames_with_a_time_within_an_hour() {
        let mut ages = VenueAges::default();
        assert_eq!(ages.facts(), None);
        // No time; a clock ahead of ours; the greatest difference there can be.
        for (ts_event_ns, ts_recv_ns) in [(0, 5), (1_001, 1_000), (i64::MIN, i64::MAX)] {
            ages.record(ts_event_ns, ts_recv_ns);
        }
        assert_eq!(ages.facts(), None);
        for age_ns in 1..=100 {
            ages.record(1_000_000, 1_000_000 + age_ns);
        }
        let facts = ages.facts();
        let expected = AgeFacts { frames: 100, min_ns: 1, p50_ns: 50, p99_ns: 99, max_ns: 100, beyond: 2 };
        assert_eq!(facts, Some(expected));
    }
}
