//! What a trading session is told of a strategy, what it pays included.
//!
//! ```
//! use papertrader::execution::rules::OriginalRules;
//! use papertrader::run::session::StrategySettings;
//! use papertrader::run::settings::TradingSettings;
//! use papertrader::strategy::model::Model;
//!
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0], "horizon_updates": 50}"#;
//! let strategy = StrategySettings {
//!     model: Model::parse("imbalance.json".as_ref(), text)?.into(),
//!     rules: OriginalRules { threshold_logit: 0.4, lag_updates: 20, buy_amount: 100.0 },
//!     observe: false,
//!     accounts: None,
//! };
//! assert_eq!(strategy.horizon_updates(), 50);
//! let settings = TradingSettings { strategy, threshold: 0.6, fee_bps: 1.0, fees: None };
//! assert_eq!(settings.fee_plan().first_tier().maker_bps, 1.0);
//! # Ok::<(), papertrader::strategy::model::ModelError>(())
//! ```

use crate::execution::fees::{FeePlan, FeeSchedule};
use crate::run::session::StrategySettings;

/// Everything that a strategy is told.
#[derive(Clone, Debug)]
pub struct TradingSettings {
    /// For the session.
    pub strategy: StrategySettings,
    /// The probability from which to buy.
    pub threshold: f64,
    /// Fee per side in basis points; with a schedule that of a taker where the account begins.
    pub fee_bps: f64,
    /// The schedule, if one is given.
    pub fees: Option<FeePlan>,
}

impl TradingSettings {
    /// The schedule by which fills are charged: the one that is given, else the same fee for both sides.
    pub fn fee_plan(&self) -> FeePlan {
        self.fees.clone().unwrap_or_else(|| {
            let schedule = FeeSchedule::flat("as given", self.fee_bps, self.fee_bps);
            FeePlan { schedule: schedule.expect("the command line lets no other fee pass"), trailing_value: 0.0 }
        })
    }
}
