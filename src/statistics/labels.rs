//! What a row is scored against: whether the mid is higher some updates later.
//!
//! ```
//! use papertrader::statistics::labels::{DoubleMid, Ties, Weight};
//!
//! // From 100.005 to 100.01, the second in a finer scale.
//! let now = DoubleMid { ticks: 20_001, price_decimals: 2 };
//! let later = DoubleMid { ticks: 200_020, price_decimals: 3 };
//! assert_eq!(now.mid_ticks(), 10_000.5);
//! let change = now.change_to(later);
//! assert_eq!((change.sign, change.ticks), (1, 0.5));
//!
//! assert_eq!(Ties::Drop.weight(0), Weight { up: 0.0, down: 0.0 });
//! assert_eq!(Ties::Three.weight(0), Weight { up: 0.5, down: 0.5 });
//! ```

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest horizon in updates.
pub const HORIZON_MAX: u32 = 100_000;

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

/// What becomes of rows after which the mid is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Ties {
    /// They are left out; the probability is that of up, given that the mid moves.
    #[default]
    Drop,
    /// They count as not up; the probability is that of up.
    Down,
    /// A third outcome, worth half an up and half a down; the probability is that of up plus half of that of a tie.
    Three,
}

/// How much a row counts as up and as not up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weight {
    /// As up.
    pub up: f64,
    /// As not up.
    pub down: f64,
}

impl Weight {
    /// Both together; 0 for a row that is left out.
    pub fn total(self) -> f64 {
        self.up + self.down
    }
}

impl Ties {
    /// The weight of a row whose mid moved by `sign`.
    #[inline]
    pub fn weight(self, sign: i8) -> Weight {
        match (sign, self) {
            (1.., _) => Weight { up: 1.0, down: 0.0 },
            (..0, _) | (0, Self::Down) => Weight { up: 0.0, down: 1.0 },
            (0, Self::Drop) => Weight::default(),
            (0, Self::Three) => Weight { up: 0.5, down: 0.5 },
        }
    }

    /// What a probability of the model means, for reports.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Drop => "P(up), given that the mid moves within the horizon",
            Self::Down => "P(up) over all rows",
            Self::Three => "P(up) + P(tie) / 2 over all rows",
        }
    }
}

impl fmt::Display for Ties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop => "drop",
            Self::Down => "down",
            Self::Three => "three",
        })
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

    #[test]
    fn ties_weigh_as_asked() {
        for (ties, up, down) in [(Ties::Drop, 0.0, 0.0), (Ties::Down, 0.0, 1.0), (Ties::Three, 0.5, 0.5)] {
            assert_eq!(ties.weight(0), Weight { up, down });
            assert_eq!(ties.weight(1), Weight { up: 1.0, down: 0.0 });
            assert_eq!(ties.weight(-1), Weight { up: 0.0, down: 1.0 });
        }
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
