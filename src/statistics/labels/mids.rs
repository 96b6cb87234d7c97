//! Mids as integers, and how they move.
//!
//! ```
//! use papertrader::statistics::labels::DoubleMid;
//!
//! // From 100.005 to 100.01, the second in a finer scale.
//! let now = DoubleMid { ticks: 20_001, price_decimals: 2 };
//! let later = DoubleMid { ticks: 200_020, price_decimals: 3 };
//! assert_eq!(now.mid_ticks(), 10_000.5);
//! let change = now.change_to(later);
//! assert_eq!((change.sign, change.ticks), (1, 0.5));
//! ```

/// How the mid moved over the horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// 1 up, 0 the same, −1 down: compared as integers.
    pub sign: i8,
    /// In ticks of the row's own scale; half ticks occur.
    pub ticks: f64,
}

/// Twice the mid as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoubleMid {
    /// Best bid + best ask, in ticks.
    pub ticks: u64,
    /// A tick is 10 to the power of minus this.
    pub price_decimals: u8,
}

impl DoubleMid {
    /// The change from this mid to a later one, whose scale may have become finer (or, after a new snapshot, coarser).
    pub fn change_to(self, later: Self) -> Change {
        let finest = self.price_decimals.max(later.price_decimals);
        // At most 2^64 · 10^18, which 128 bits hold with a sign.
        let at_finest = |mid: Self| i128::from(mid.ticks) * 10_i128.pow(u32::from(finest - mid.price_decimals));
        let change = at_finest(later) - at_finest(self);
        let double_tick = 2 * 10_i128.pow(u32::from(finest - self.price_decimals));
        Change { sign: change.signum() as i8, ticks: change as f64 / double_tick as f64 }
    }

    /// The mid in ticks; half ticks occur.
    pub fn mid_ticks(self) -> f64 {
        self.ticks as f64 / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mids_of_different_scales_compare() {
        let mid = |ticks, price_decimals| DoubleMid { ticks, price_decimals };
        assert_eq!(mid(25, 1).change_to(mid(250, 2)), Change { sign: 0, ticks: 0.0 });
        assert_eq!(mid(25, 1).change_to(mid(251, 2)), Change { sign: 1, ticks: 0.05 });
        assert_eq!(mid(250, 2).change_to(mid(24, 1)), Change { sign: -1, ticks: -5.0 });
        assert_eq!(mid(u64::MAX, 0).change_to(mid(u64::MAX, 18)).sign, -1);
    }

    proptest! {
        #[test]
        fn at_one_scale_a_change_is_a_difference(from in 0..1_u64 << 50, to in 0..1_u64 << 50, price_decimals in 0..=18_u8) {
            let change = DoubleMid { ticks: from, price_decimals }.change_to(DoubleMid { ticks: to, price_decimals });
            prop_assert_eq!(change.ticks, (to as f64 - from as f64) / 2.0);
            prop_assert_eq!(i64::from(change.sign), (to as i64 - from as i64).signum());
        }
    }
}
