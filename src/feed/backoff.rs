//! How long to wait before the next attempt to connect.
//!
//! ```
//! use papertrader::feed::backoff::{Backoff, DELAY_MIN, GOOD_SESSION_MIN};
//!
//! let mut backoff = Backoff::new(7);
//! let (first, second) = (backoff.next_delay(), backoff.next_delay());
//! assert!(DELAY_MIN <= first && first < 2 * DELAY_MIN);
//! assert!(2 * DELAY_MIN <= second && second < 4 * DELAY_MIN);
//!
//! backoff.session_ended(GOOD_SESSION_MIN);
//! assert!(backoff.next_delay() < 2 * DELAY_MIN);
//! ```

use std::time::Duration;

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// The shortest delay.
pub const DELAY_MIN: Duration = Duration::from_secs(1);

/// The longest delay.
pub const DELAY_MAX: Duration = Duration::from_secs(60);

/// A session whose book was live for this long was good: the next delay is short again.
///
/// Not shorter than [`DELAY_MAX`], so that a venue which accepts connections and drops them soon after is still left
/// alone for most of the time.
pub const GOOD_SESSION_MIN: Duration = DELAY_MAX;

/// Exponential backoff with jitter.
///
/// After `n` failures in a row the delay is uniform in `[f, 2f)` with the floor `f = min(1 s · 2^n, 30 s)`: between 1 s
/// and 60 s. That is the "equal jitter" of Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015):
/// half of the delay is certain. "Full jitter", uniform from zero, spreads clients better but tries again at once
/// now and then, and the venue limits the rate of connections.
#[derive(Clone, Debug)]
pub struct Backoff {
    jitter: SplitMix64,
    /// Doubles with each delay handed out; `floor_min ..= floor_max`.
    floor: Duration,
    floor_min: Duration,
    floor_max: Duration,
}

impl Backoff {
    /// Begins with the shortest delays. The seed decides the jitter, all of it.
    pub fn new(seed: u64) -> Self {
        Self::between(seed, DELAY_MIN, DELAY_MAX)
    }

    /// The same with other bounds, for venues on this machine that nobody else needs. Every delay lies in `[min, max)`;
    /// `max` is at least twice `min`.
    pub fn between(seed: u64, min: Duration, max: Duration) -> Self {
        let floor_max = (max / 2).max(min);
        Self { jitter: SplitMix64::seed_from_u64(seed), floor: min, floor_min: min, floor_max }
    }

    /// The delay before the next attempt. The one after it is about twice as long.
    pub fn next_delay(&mut self) -> Duration {
        // The upper 53 bits are the significand of a double in [0, 1).
        let unit = (self.jitter.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let delay = self.floor + self.floor.mul_f64(unit);
        self.floor = (self.floor * 2).min(self.floor_max);
        delay
    }

    /// Takes note of how long the book of the session that ended was live, zero if it never was. Delays grow on unless
    /// that was [`GOOD_SESSION_MIN`] or more.
    pub fn session_ended(&mut self, live: Duration) {
        if live >= GOOD_SESSION_MIN {
            self.floor = self.floor_min;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The floors in seconds of the first eight delays.
    const FLOORS_S: [u64; 8] = [1, 2, 4, 8, 16, 30, 30, 30];

    proptest! {
        #[test]
        fn each_delay_lies_between_its_floor_and_twice_that(seed: u64) {
            let mut backoff = Backoff::new(seed);
            for floor_s in FLOORS_S {
                let delay = backoff.next_delay();
                let floor = Duration::from_secs(floor_s);
                prop_assert!(floor <= delay && delay < floor * 2, "{delay:?} for a floor of {floor:?}");
                prop_assert!(DELAY_MIN <= delay && delay <= DELAY_MAX);
            }
        }

        #[test]
        fn a_seed_decides_every_delay(seed: u64) {
            let (mut left, mut right) = (Backoff::new(seed), Backoff::new(seed));
            for _ in FLOORS_S {
                prop_assert_eq!(left.next_delay(), right.next_delay());
            }
        }
    }

    #[test]
    fn jitter_spreads_over_the_whole_range() {
        let mut tenths = [0_u32; 10];
        for seed in 0..10_000 {
            let above_s = (Backoff::new(seed).next_delay() - DELAY_MIN).as_secs_f64();
            tenths[(above_s * 10.0) as usize] += 1;
        }
        // 1,000 are expected in each, with a standard deviation of 30.
        assert!(tenths.iter().all(|count| (850..1_150).contains(count)), "{tenths:?}");
    }

    #[test]
    fn other_bounds_hold_too() {
        let (min, max) = (Duration::from_millis(10), Duration::from_millis(50));
        let mut backoff = Backoff::between(7, min, max);
        let delays: Vec<Duration> = (0..100).map(|_| backoff.next_delay()).collect();
        assert!(delays.iter().all(|delay| (min..max).contains(delay)), "{delays:?}");
        assert!(delays.iter().any(|&delay| delay > Duration::from_millis(45)));
    }

    #[test]
    fn only_a_good_session_shortens_the_delay() {
        let mut backoff = Backoff::new(7);
        for _ in 0..4 {
            backoff.next_delay();
        }
        backoff.session_ended(GOOD_SESSION_MIN - Duration::from_millis(1));
        assert!(backoff.next_delay() >= Duration::from_secs(16));
        backoff.session_ended(GOOD_SESSION_MIN);
        assert!(backoff.next_delay() < Duration::from_secs(2));
        assert!(backoff.next_delay() >= Duration::from_secs(2), "and doubles from there again");
    }
}
