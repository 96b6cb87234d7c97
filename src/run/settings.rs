//! What a trading session is told, whatever its feed.
//!
//! ```
//! use papertrader::base::cores::Pins;
//! use papertrader::execution::rules::OriginalRules;
//! use papertrader::handoff::Wait;
//! use papertrader::run::session::SessionSettings;
//! use papertrader::run::settings::TradingSettings;
//! use papertrader::strategy::model::Model;
//!
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0], "horizon_updates": 50}"#;
//! let session = SessionSettings {
//!     model: Model::parse("imbalance.json".as_ref(), text)?,
//!     rules: OriginalRules { threshold_logit: 0.4, lag_updates: 20, buy_amount: 100.0 },
//!     pins: Pins::Anywhere,
//!     fused: false,
//!     wait: Wait::Block,
//!     observe: false,
//!     accounts: None,
//! };
//! assert_eq!(session.horizon_updates(), 50);
//! let settings = TradingSettings { session, threshold: 0.6, fee_bps: 1.0, fees: None };
//! assert_eq!(settings.fee_plan().first_tier().maker_bps, 1.0);
//! assert!(settings.for_a_socket().session.fused);
//! # Ok::<(), papertrader::strategy::model::ModelError>(())
//! ```

use crate::base::cores::Pins;
use crate::execution::fees::{FeePlan, FeeSchedule};
use crate::handoff::Wait;
use crate::run::session::SessionSettings;

/// Everything that a trading session needs but its feed.
#[derive(Clone, Debug)]
pub struct TradingSettings {
    /// For the session.
    pub session: SessionSettings,
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

    /// For a session that waits for a socket. If it sleeps, unpinned, until there is something to read, feed and engine
    /// share a thread: waking a second one takes longer than the work that it would do. (Measured over loopback on two
    /// cores, 2,000 frames/s, busy machine, p50 from send to decision: 1.4 times that of a receiver that does nothing
    /// with two threads, 1.0 times with one.)
    #[must_use]
    pub fn for_a_socket(mut self) -> Self {
        self.session.fused |= self.session.wait == Wait::Block && self.session.pins == Pins::Anywhere;
        self
    }
}
