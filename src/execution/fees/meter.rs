//! Fees fill by fill, by the value that the account has traded lately.

use super::schedule::{FeePlan, FeeSchedule, Liquidity, Tier};

const DAY_NS: i64 = 86_400_000_000_000;

/// Value traded on the last days, the current one included. Bounded and allocated at the start: a number a day.
#[derive(Clone, Debug, PartialEq)]
struct TrailingValue {
    /// By day modulo their number; quote currency, from 0 on.
    by_day: Vec<f64>,
    /// The current day, counted from 1970; `None` before the first fill. It never falls.
    day: Option<i64>,
    /// Sum over the days before the current one that still count.
    before: f64,
}

impl TrailingValue {
    /// What was traded before the first fill counts as spread evenly over the days before it.
    fn new(window_days: u32, at_first: f64) -> Self {
        let days = window_days.max(1) as usize;
        let mut by_day = vec![if days > 1 { at_first / (days - 1) as f64 } else { 0.0 }; days];
        // The current day's place, of day 0 until there is one.
        by_day[0] = if days > 1 { 0.0 } else { at_first };
        Self { by_day, day: None, before: if days > 1 { at_first } else { 0.0 } }
    }

    fn place(&self, day: i64) -> usize {
        day.rem_euclid(self.by_day.len() as i64) as usize
    }

    /// Goes on to the day of a time; times that go back stay where they are.
    fn go_to(&mut self, ts_ns: i64) {
        let to = ts_ns.div_euclid(DAY_NS);
        let Some(day) = self.day else {
            // The first day's own place is the empty one.
            let place = self.place(to);
            self.by_day.rotate_right(place);
            self.day = Some(to);
            return;
        };
        if to <= day {
            return;
        }
        // Days beyond the window are forgotten, all of them after a long pause.
        for passed in 1..=(to.saturating_sub(day)).min(self.by_day.len() as i64) {
            let place = self.place(to - passed + 1);
            self.by_day[place] = 0.0;
        }
        self.day = Some(to);
        let current = self.place(to);
        self.before = (0..self.by_day.len()).filter(|&place| place != current).map(|place| self.by_day[place]).sum();
    }

    fn value(&self) -> f64 {
        self.before + self.by_day[self.day.map_or(0, |day| self.place(day))]
    }

    fn add(&mut self, value: f64) {
        let place = self.day.map_or(0, |day| self.place(day));
        self.by_day[place] += value;
    }
}

/// Charges fills by a schedule.
///
/// A day is one of UTC, and a tier looks back over the current day and those before it. A fill pays by what was traded before
/// it. What the account had traded before its first fill counts as spread evenly over the days before that.
///
/// ```
/// use papertrader::execution::fees::{FeeMeter, FeePlan, FeeSchedule, Liquidity, Tier};
///
/// let tier = |from_value, maker_bps, taker_bps| Tier { from_value, maker_bps, taker_bps };
/// let schedule = FeeSchedule::new("mine", 30, vec![tier(0.0, 1.0, 5.0), tier(1_000.0, -1.0, 4.0)])?;
/// let mut meter = FeeMeter::new(&FeePlan { schedule, trailing_value: 0.0 });
/// assert_eq!(meter.charge(Liquidity::Taker, 1_000.0, 1_000.0, 0), 0.5);
/// // Now it is in the second tier.
/// assert_eq!(meter.charge(Liquidity::Maker, 1_000.0, 1_000.0, 0), -0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FeeMeter {
    schedule: FeeSchedule,
    trailing: TrailingValue,
}

impl FeeMeter {
    /// For an account that begins where `plan` says.
    pub fn new(plan: &FeePlan) -> Self {
        let trailing = TrailingValue::new(plan.schedule.window_days(), plan.trailing_value);
        Self { schedule: plan.schedule.clone(), trailing }
    }

    /// What a fill at Unix nanoseconds `ts_ns` would pay.
    pub fn tier(&mut self, ts_ns: i64) -> Tier {
        self.trailing.go_to(ts_ns);
        self.schedule.tier(self.trailing.value())
    }

    /// The fee of a fill of so much value (positive, quote currency) at Unix nanoseconds `ts_ns`; below 0 it is a rebate.
    pub fn charge(&mut self, liquidity: Liquidity, value: f64, quote_value: f64, ts_ns: i64) -> f64 {
        let bps = self.tier(ts_ns).bps(liquidity);
        self.trailing.add(quote_value);
        bps / 1e4 * value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(window_days: u32, trailing_value: f64) -> FeePlan {
        let tier = |from_value, maker_bps, taker_bps| Tier { from_value, maker_bps, taker_bps };
        let tiers = vec![tier(0.0, 2.0, 8.0), tier(100.0, 0.0, 5.0), tier(250.0, -1.0, 3.0)];
        FeePlan { schedule: FeeSchedule::new("x", window_days, tiers).unwrap(), trailing_value }
    }

    #[test]
    fn what_was_traded_before_leaves_day_by_day() {
        // 290 spread over 29 days: 100 are left 19 days later.
        let mut meter = FeeMeter::new(&plan(30, 290.0));
        let first = 20_000;
        let mut taker = |day: i64| meter.tier((first + day) * DAY_NS + 5).taker_bps;
        assert_eq!([0, 4, 5, 19, 20, 29, 400].map(&mut taker), [3.0, 3.0, 5.0, 5.0, 8.0, 8.0, 8.0]);
        // A time that goes back changes nothing.
        assert_eq!(taker(0), 8.0);
    }

    #[test]
    fn a_window_of_a_day_forgets_at_midnight() {
        let mut meter = FeeMeter::new(&plan(1, 100.0));
        assert_eq!(meter.tier(-1).taker_bps, 5.0);
        assert_eq!(meter.tier(0).taker_bps, 8.0);
    }

    proptest! {
        /// The sum of fees is that of rate times value, each rate being that of what was traded before in the days that count.
        #[test]
        fn fees_are_rates_times_values(
            window_days in 1_u32..40,
            first_day in -100_i64..100,
            fills in proptest::collection::vec((0_i64..12, 0_u32..60, any::<bool>()), 1..80),
        ) {
            let plan = plan(window_days, 0.0);
            let mut meter = FeeMeter::new(&plan);
            let mut traded: Vec<(i64, f64)> = Vec::new();
            let (mut day, mut fees, mut expected) = (first_day, 0.0, 0.0);
            for (pause, value, rests) in fills {
                // Half of the fills are on the day of the one before.
                day += (pause - 5).max(0);
                let value = f64::from(value);
                let liquidity = if rests { Liquidity::Maker } else { Liquidity::Taker };
                let since = traded.iter().filter(|(on, _)| *on > day - i64::from(window_days)).map(|(_, value)| value).sum();
                let bps = plan.schedule.tier(since).bps(liquidity);
                expected += bps / 1e4 * value;
                fees += meter.charge(liquidity, value, value, day * DAY_NS + DAY_NS / 2);
                traded.push((day, value));
            }
            prop_assert!((fees - expected).abs() < 1e-9, "{fees} {expected}");
        }
    }
}
