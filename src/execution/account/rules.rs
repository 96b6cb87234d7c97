//! What an account is told.

use crate::execution::contract::{Contract, Increments};
use crate::execution::fees::FeePlan;
use crate::execution::latency::Latency;
use crate::execution::matching::queue::QueueModel;

/// What becomes of an entry that rested too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterTimeout {
    /// It is dropped.
    #[default]
    Drop,
    /// What is left of it is taken from the book.
    Take,
}

/// How a maker leaves a leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExitStyle {
    /// An order is posted [`MakerRules::timeout_updates`] before the leg falls due; what is left of it then is taken.
    #[default]
    Post,
    /// It is taken when the leg falls due.
    Take,
}

/// How makers post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MakerRules {
    /// How far in front of the own side's best price, in ticks; behind it where negative.
    pub offset_ticks: i64,
    /// Updates that an entry rests at most, and that an exit is posted before it falls due. From 1 to the holding time.
    pub timeout_updates: u32,
    /// What then becomes of an entry.
    pub after_timeout: AfterTimeout,
    /// How legs are left.
    pub exits: ExitStyle,
    /// The queue of the account in the middle.
    pub queue: QueueModel,
}

/// What an account may hold, checked at decisions with what is under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Units of size, long and short each.
    pub position: Option<f64>,
    /// Quote currency in entries: spent, or asked for and under way.
    pub cash: Option<f64>,
    /// Orders under way and resting.
    pub open_orders: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { position: None, cash: None, open_orders: LEGS_MAX }
    }
}

/// The most legs that are open at once. A decision beyond them is not acted on, and counted.
pub const LEGS_MAX: usize = 1 << 16;

/// What an account is told.
#[derive(Clone, Debug)]
pub struct AccountRules {
    /// The logit from which to buy.
    pub threshold_logit: f64,
    /// Whether to sell from the mirrored logit down.
    pub short: bool,
    /// Updates from a decision until its leg falls due, at least 1.
    pub lag_updates: u32,
    /// Quote currency per decision.
    pub amount: f64,
    /// From a decision to the venue.
    pub latency: Latency,
    /// Whether what was taken from a level stays taken until the venue names it.
    pub depletion: bool,
    /// What a unit of size is.
    pub contract: Contract,
    /// Which sizes and prices there are.
    pub increments: Increments,
    /// An entry takes no level that is further than so many basis points from the best at its decision.
    pub cap_bps: Option<f64>,
    /// What may be held.
    pub limits: Limits,
    /// What the venue takes.
    pub fees: FeePlan,
    /// How makers post.
    pub maker: MakerRules,
    /// Whether prints say the taker's side where the venue's would say the maker's.
    pub takers_side: bool,
}
