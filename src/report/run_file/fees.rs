//! The schedule by which a run's fills were charged.

use crate::execution::fees::{FeePlan, FeeSchedule, Tier};
use serde::{Deserialize, Serialize};

/// No traded value is larger.
const VALUE_MAX: f64 = 1e50;

/// A schedule, and where the account began in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeeFacts {
    /// What it is called.
    pub name: String,
    /// From when on it was in force, where a venue publishes it.
    pub date: Option<String>,
    /// Where a venue publishes it.
    pub source: Option<String>,
    /// Days of trading that decide the tier.
    pub window_days: u32,
    /// Value that the account had traded before, quote currency.
    pub trailing_value: f64,
    /// From the lowest traded value.
    pub tiers: Vec<TierFacts>,
}

/// What is paid from some traded value on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TierFacts {
    /// Quote currency.
    pub from_value: f64,
    /// Basis points of what rested in the book.
    pub maker_bps: f64,
    /// Basis points of what took from it.
    pub taker_bps: f64,
}

impl From<&FeePlan> for FeeFacts {
    fn from(FeePlan { schedule, trailing_value }: &FeePlan) -> Self {
        let facts = |&Tier { from_value, maker_bps, taker_bps }: &Tier| TierFacts { from_value, maker_bps, taker_bps };
        Self {
            name: schedule.name().into(),
            date: schedule.date().map(Into::into),
            source: schedule.source().map(Into::into),
            window_days: schedule.window_days(),
            trailing_value: *trailing_value,
            tiers: schedule.tiers().iter().map(facts).collect(),
        }
    }
}

impl FeeFacts {
    /// The schedule again.
    ///
    /// # Errors
    /// What is impossible in it.
    pub fn plan(&self) -> Result<FeePlan, String> {
        let Self { trailing_value, .. } = *self;
        if !(0.0..=VALUE_MAX).contains(&trailing_value) {
            return Err(format!("trailing_value is {trailing_value}; a traded value is from 0 on"));
        }
        let tier =
            |&TierFacts { from_value, maker_bps, taker_bps }: &TierFacts| Tier { from_value, maker_bps, taker_bps };
        let tiers = self.tiers.iter().map(tier).collect();
        let schedule = FeeSchedule::new(&self.name, self.window_days, tiers).map_err(|error| error.to_string())?;
        let published = self.date.as_ref().zip(self.source.as_ref());
        let schedule = match published {
            Some((date, source)) => schedule.published(date, source),
            None => schedule,
        };
        Ok(FeePlan { schedule, trailing_value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::fees::PRESETS;

    #[test]
    fn a_schedule_is_read_back() {
        for preset in PRESETS {
            let plan = preset.plan(5e6);
            let text = serde_json::to_string(&FeeFacts::from(&plan)).unwrap();
            assert_eq!(serde_json::from_str::<FeeFacts>(&text).unwrap().plan().unwrap(), plan);
        }
        let facts = FeeFacts::from(&PRESETS[0].plan(0.0));
        let bad = FeeFacts { trailing_value: -1.0, ..facts.clone() };
        assert_eq!(bad.plan().unwrap_err(), "trailing_value is -1; a traded value is from 0 on");
        let bad = FeeFacts { tiers: Vec::new(), ..facts };
        assert_eq!(bad.plan().unwrap_err(), "0 tiers; a schedule has 1 to 64");
    }
}
