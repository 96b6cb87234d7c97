//! What a sweep is told.
//!
//! ```
//! use papertrader::strategy::model::Model;
//! use papertrader::sweep::plan::{Plan, PlannedModel};
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("imbalance.json");
//! std::fs::write(&file, r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#)?;
//! let model = PlannedModel::of(Model::read(&file)?)?;
//! assert_eq!((model.facts.features, model.facts.sha256.len()), (1, 64));
//! let plan = Plan::new(vec![model], Vec::new(), vec!["market.l2".into()]);
//! assert_eq!((plan.rows(), plan.fee_bps), (0, 0.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::result::{Execution, Setting, SweptModel};
use crate::execution::account::{AccountRules, AfterTimeout, ExitStyle, Limits, MakerRules};
use crate::execution::contract::{Contract, Increments};
use crate::execution::fees::{FeePlan, FeeSchedule};
use crate::execution::hold_back::HOLD_DEFAULT_NS;
use crate::execution::latency::Latency;
use crate::execution::matching::queue::QueueModel;
use crate::execution::rules::OriginalRules;
use crate::research::source::sha256;
use crate::research::source_error::SourceError;
use crate::sources::market::MarketSettings;
use crate::statistics::logistic::logit_of;
use crate::strategy::model::Model;
use std::path::PathBuf;
use std::sync::Arc;

/// A model of a sweep, as read.
#[derive(Clone, Debug)]
pub struct PlannedModel {
    /// Traders share it.
    pub model: Arc<Model>,
    /// What is told of it.
    pub facts: SweptModel,
}

impl PlannedModel {
    /// A model that was read from its path.
    ///
    /// # Errors
    /// The file cannot be read again, for its hash.
    pub fn of(model: Model) -> Result<Self, SourceError> {
        let facts = SweptModel {
            path: model.path.display().to_string(),
            sha256: sha256(&model.path)?,
            features: model.features.len() as u32,
        };
        Ok(Self { model: Arc::new(model), facts })
    }
}

/// What accounts beside the original's rules are told, the settings apart.
#[derive(Clone, Debug)]
pub struct AccountPlan {
    /// Threshold, holding time, amount, latency, timeout and side of prints are put in by setting and capture.
    pub rules: AccountRules,
    /// Updates that an entry rests at most; `None`: half of the holding time.
    pub maker_timeout_updates: Option<u32>,
    /// For how long accounts are kept behind, nanoseconds, or not at all. `None`: makers for [`HOLD_DEFAULT_NS`], takers not.
    pub hold_ns: Option<Option<i64>>,
    /// Whether prints name the taker's side; `None`: each capture tells.
    pub takers_side: Option<bool>,
}

impl AccountPlan {
    /// As `replay` has it where no option says otherwise.
    pub fn plain(fees: FeePlan) -> Self {
        let rules = AccountRules {
            threshold_logit: 0.0,
            short: false,
            lag_updates: 1,
            amount: 1.0,
            latency: Latency::Absent,
            depletion: true,
            contract: Contract::Linear { size: 1.0 },
            increments: Increments { lot: None, tick: None, size_min: 0.0, value_min: 0.0 },
            cap_bps: None,
            limits: Limits::default(),
            fees,
            maker: MakerRules {
                offset_ticks: 0,
                timeout_updates: 1,
                after_timeout: AfterTimeout::default(),
                exits: ExitStyle::default(),
                queue: QueueModel::RiskAverse,
            },
            takers_side: false,
        };
        Self { rules, maker_timeout_updates: None, hold_ns: None, takers_side: None }
    }

    /// The rules of a setting's account over a capture whose prints name the taker's side or not.
    pub fn rules_of(&self, setting: &Setting, takers_side: bool) -> AccountRules {
        let timeout_updates = self.maker_timeout_updates.unwrap_or(setting.lag_updates.div_ceil(2));
        AccountRules {
            threshold_logit: logit_of(setting.threshold),
            lag_updates: setting.lag_updates,
            amount: setting.buy_amount,
            latency: setting.order_latency_ns.map_or(Latency::Absent, Latency::Fixed),
            maker: MakerRules { timeout_updates, ..self.rules.maker },
            takers_side,
            ..self.rules.clone()
        }
    }

    /// For how long the account of a setting is kept behind, nanoseconds.
    pub fn hold_ns_of(&self, execution: Execution) -> Option<i64> {
        self.hold_ns.unwrap_or_else(|| execution.is_maker().then_some(HOLD_DEFAULT_NS))
    }
}

/// What a sweep is told.
#[derive(Clone, Debug)]
pub struct Plan {
    /// By their numbers.
    pub models: Vec<PlannedModel>,
    /// By their numbers: see [`Axes::settings`](super::grid::Axes::settings).
    pub settings: Vec<Setting>,
    /// Each a market of its own.
    pub captures: Vec<PathBuf>,
    /// How they are opened.
    pub market: MarketSettings,
    /// Fee per side that net figures of the original count, basis points; with a schedule that of a taker where the account begins.
    pub fee_bps: f64,
    /// The schedule, if one is given.
    pub fees: Option<FeePlan>,
    /// For accounts.
    pub accounts: AccountPlan,
    /// Slices of each capture's time.
    pub slices: u32,
    /// The folder for the logs of every setting, if they are kept.
    pub logs: Option<PathBuf>,
    /// The folder for what does not fit into memory.
    pub spill: PathBuf,
}

impl Plan {
    /// Of models and captures, at no fee; what does not fit into memory goes where the system has such files.
    ///
    /// # Panics
    /// Never: no fee is a fee.
    pub fn new(models: Vec<PlannedModel>, settings: Vec<Setting>, captures: Vec<PathBuf>) -> Self {
        let schedule = FeeSchedule::flat("as given", 0.0, 0.0).expect("no fee is a fee");
        Self {
            models,
            settings,
            captures,
            market: MarketSettings::default(),
            fee_bps: 0.0,
            fees: None,
            accounts: AccountPlan::plain(FeePlan { schedule, trailing_value: 0.0 }),
            slices: super::result::SLICES,
            logs: None,
            spill: std::env::temp_dir(),
        }
    }

    /// The original's rules of a setting.
    pub fn rules_of(setting: &Setting) -> OriginalRules {
        OriginalRules {
            threshold_logit: logit_of(setting.threshold),
            lag_updates: setting.lag_updates,
            buy_amount: setting.buy_amount,
        }
    }

    /// How many rows there will be.
    pub fn rows(&self) -> u64 {
        self.settings.len() as u64 * self.captures.len() as u64
    }
}
