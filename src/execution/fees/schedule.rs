//! Rates by tiers of traded value.

use std::fmt::{self, Display, Formatter};

/// The largest fee, either way, basis points.
pub const FEE_BPS_MAX: f64 = 10_000.0;
/// The most tiers of a schedule.
pub const TIERS_MAX: usize = 64;
/// The most days of trading that decide a tier.
pub const WINDOW_DAYS_MAX: u32 = 366;
/// The days of trading that most venues look at.
pub const WINDOW_DAYS: u32 = 30;
/// No traded value is larger.
const VALUE_MAX: f64 = 1e50;

/// What is paid from some traded value on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tier {
    /// Value traded in the days that count, quote currency, from which this tier holds.
    pub from_value: f64,
    /// Basis points of the value of a fill that rested in the book; below 0 it is a rebate.
    pub maker_bps: f64,
    /// Basis points of the value of a fill that took from the book.
    pub taker_bps: f64,
}

/// Which side of a trade an order was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liquidity {
    /// It rested in the book.
    Maker,
    /// It took from the book.
    Taker,
}

impl Tier {
    /// The fee of one side, basis points.
    pub fn bps(&self, liquidity: Liquidity) -> f64 {
        match liquidity {
            Liquidity::Maker => self.maker_bps,
            Liquidity::Taker => self.taker_bps,
        }
    }
}

/// Tiers, and what they are called.
#[derive(Clone, Debug, PartialEq)]
pub struct FeeSchedule {
    name: String,
    /// Date and source of what a venue publishes.
    published: Option<(String, String)>,
    /// At least 1, at most [`WINDOW_DAYS_MAX`].
    window_days: u32,
    /// At least one, the first from 0, rising.
    tiers: Vec<Tier>,
}

/// Why tiers are no schedule.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// None or too many.
    #[error("{0} tiers; a schedule has 1 to {TIERS_MAX}")]
    Count(usize),
    /// The first does not begin at 0.
    #[error("tier 1 begins at {0}; the first begins at 0")]
    First(f64),
    /// Out of order.
    #[error("tier {tier} begins at {from_value}, which is not above tier {}'s {before}", tier - 1)]
    Order {
        /// Counted from 1.
        tier: usize,
        /// Where it begins.
        from_value: f64,
        /// Where the one before it begins.
        before: f64,
    },
    /// No rate.
    #[error("tier {tier}: {bps} is not a fee; a fee is a number of basis points from -10000 to 10000")]
    Rate {
        /// Counted from 1.
        tier: usize,
        /// What it would be.
        bps: f64,
    },
    /// No window.
    #[error("{0} days; a tier looks back 1 to {WINDOW_DAYS_MAX} days")]
    Window(u32),
}

impl FeeSchedule {
    /// Of tiers by the value traded in `window_days` days.
    ///
    /// # Errors
    /// They are none, too many, out of order, do not begin at 0, or have impossible rates.
    pub fn new(name: impl Into<String>, window_days: u32, tiers: Vec<Tier>) -> Result<Self, ScheduleError> {
        if !(1..=WINDOW_DAYS_MAX).contains(&window_days) {
            return Err(ScheduleError::Window(window_days));
        }
        if !(1..=TIERS_MAX).contains(&tiers.len()) {
            return Err(ScheduleError::Count(tiers.len()));
        }
        if tiers[0].from_value != 0.0 {
            return Err(ScheduleError::First(tiers[0].from_value));
        }
        for (number, tier) in (1..).zip(&tiers) {
            if let Some(bps) = [tier.maker_bps, tier.taker_bps].into_iter().find(|bps| !is_fee(*bps)) {
                return Err(ScheduleError::Rate { tier: number, bps });
            }
            let before = if number > 1 { tiers[number - 2].from_value } else { -1.0 };
            if !(tier.from_value > before && tier.from_value <= VALUE_MAX) {
                return Err(ScheduleError::Order { tier: number, from_value: tier.from_value, before });
            }
        }
        Ok(Self { name: name.into(), published: None, window_days, tiers })
    }

    /// The same rates whatever is traded.
    ///
    /// # Errors
    /// A rate is impossible.
    pub fn flat(name: impl Into<String>, maker_bps: f64, taker_bps: f64) -> Result<Self, ScheduleError> {
        Self::new(name, WINDOW_DAYS, vec![Tier { from_value: 0.0, maker_bps, taker_bps }])
    }

    /// With the date from which on it was in force and where it is published.
    #[must_use]
    pub fn published(self, date: impl Into<String>, source: impl Into<String>) -> Self {
        Self { published: Some((date.into(), source.into())), ..self }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// From when on it was in force, where a venue publishes it.
    pub fn date(&self) -> Option<&str> {
        self.published.as_ref().map(|(date, _)| date.as_str())
    }

    /// Where a venue publishes it.
    pub fn source(&self) -> Option<&str> {
        self.published.as_ref().map(|(_, source)| source.as_str())
    }

    /// Days of trading that decide the tier.
    pub fn window_days(&self) -> u32 {
        self.window_days
    }

    /// From the lowest traded value.
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// The tier of an account that has traded `value` in the days that count.
    pub fn tier(&self, value: f64) -> Tier {
        let at = self.tiers.partition_point(|tier| tier.from_value <= value);
        self.tiers[at.saturating_sub(1)]
    }
}

impl Display for FeeSchedule {
    /// Its name, with its date where it has one.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.date() {
            Some(date) => write!(f, "{}, {date}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A schedule, and where an account begins in it.
#[derive(Clone, Debug, PartialEq)]
pub struct FeePlan {
    /// The tiers.
    pub schedule: FeeSchedule,
    /// Value traded in the days before the first fill, quote currency, from 0 on.
    pub trailing_value: f64,
}

impl FeePlan {
    /// What the first fill pays.
    pub fn first_tier(&self) -> Tier {
        self.schedule.tier(self.trailing_value)
    }
}

/// Whether a number can be a fee in basis points.
pub fn is_fee(bps: f64) -> bool {
    bps.abs() <= FEE_BPS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiers(from_values: &[f64]) -> Vec<Tier> {
        let tier = |&from_value: &f64| Tier { from_value, maker_bps: 1.0, taker_bps: 2.0 };
        from_values.iter().map(tier).collect()
    }

    #[test]
    fn a_tier_holds_from_its_value_on() {
        let rates = [(0.0, 4.0, 6.0), (10.0, 1.0, 5.0), (20.0, -1.0, 3.0)];
        let tiers = rates.map(|(from_value, maker_bps, taker_bps)| Tier { from_value, maker_bps, taker_bps });
        let schedule = FeeSchedule::new("x", 30, tiers.to_vec()).unwrap();
        for (value, at) in [(0.0, 0), (9.9, 0), (10.0, 1), (19.0, 1), (20.0, 2), (1e9, 2), (f64::NAN, 0), (-1.0, 0)] {
            assert_eq!(schedule.tier(value), tiers[at], "{value}");
        }
        assert_eq!(tiers[2].bps(Liquidity::Maker), -1.0);
        assert_eq!(FeePlan { schedule, trailing_value: 12.0 }.first_tier().bps(Liquidity::Taker), 5.0);
    }

    #[test]
    fn a_schedule_may_have_so_many_tiers_and_not_one_more() {
        let of = |count: usize| {
            let from_values: Vec<f64> = (0..count).map(|at| at as f64).collect();
            FeeSchedule::new("x", WINDOW_DAYS_MAX, tiers(&from_values))
        };
        assert_eq!(of(TIERS_MAX).unwrap().tier(1e9).from_value, 63.0);
        assert_eq!(of(TIERS_MAX + 1).unwrap_err(), ScheduleError::Count(65));
    }

    #[test]
    fn what_is_no_schedule_is_named() {
        let flat = |maker, taker| FeeSchedule::flat("x", maker, taker).unwrap_err().to_string();
        let of = |days, from: &[f64]| FeeSchedule::new("x", days, tiers(from)).unwrap_err().to_string();
        for (error, text) in [
            (of(30, &[]), "0 tiers; a schedule has 1 to 64"),
            (of(30, &[0.0; 65]), "65 tiers; a schedule has 1 to 64"),
            (of(30, &[5.0]), "tier 1 begins at 5; the first begins at 0"),
            (of(30, &[0.0, 10.0, 10.0]), "tier 3 begins at 10, which is not above tier 2's 10"),
            (of(30, &[0.0, 10.0, 5.0]), "tier 3 begins at 5, which is not above tier 2's 10"),
            (of(30, &[0.0, f64::NAN]), "tier 2 begins at NaN, which is not above tier 1's 0"),
            (of(0, &[0.0]), "0 days; a tier looks back 1 to 366 days"),
            (flat(0.0, 1e5), "tier 1: 100000 is not a fee; a fee is a number of basis points from -10000 to 10000"),
            (flat(f64::NAN, 0.0), "tier 1: NaN is not a fee; a fee is a number of basis points from -10000 to 10000"),
        ] {
            assert_eq!(error, text);
        }
    }
}
