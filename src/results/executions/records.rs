//! Rows of the logs of a run's executions: what of them the report needs.

use crate::execution::fees::Liquidity;
use serde::Serialize;

/// One way to execute the same decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Account {
    /// Takes from the book.
    Taker,
    /// Posts; filled only when the market goes through its price.
    MakerThrough,
    /// Posts; filled by its place in the queue.
    MakerQueue,
    /// Posts; filled by any print at its price.
    MakerTouch,
}

impl Account {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Taker, Self::MakerThrough, Self::MakerQueue, Self::MakerTouch];

    /// Its name in the logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Taker => "taker",
            Self::MakerThrough => "maker-through",
            Self::MakerQueue => "maker-queue",
            Self::MakerTouch => "maker-touch",
        }
    }

    /// Whether it posts.
    pub fn is_maker(self) -> bool {
        self != Self::Taker
    }
}

/// Whether an order opens a leg or closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It opens one.
    Entry,
    /// It closes one.
    Exit,
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Whole.
    Filled,
    /// Withdrawn, perhaps after a part was filled.
    Cancelled,
    /// Never in the book.
    Refused,
}

/// Why an order ended unfilled; the words of the logs.
pub const REASONS: [&str; 11] = [
    "",
    "timeout",
    "due",
    "book invalid",
    "end of run",
    "would cross",
    "no book",
    "crossed book",
    "nothing to take",
    "beyond cap",
    "below least size",
];

/// An order that has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// Within its account.
    pub id: u64,
    /// Within its account.
    pub leg: u64,
    /// Opens or closes.
    pub purpose: Purpose,
    /// It rests, and does not take.
    pub posts: bool,
    /// It buys.
    pub buys: bool,
    /// Frame at which it was decided.
    pub decided_sequence: u64,
    /// The mid then; `None` without two sides.
    pub decided_mid: Option<f64>,
    /// The mid at the decision of its leg.
    pub leg_mid: Option<f64>,
    /// When it acted, Unix nanoseconds; `None` if it never did.
    pub arrived_ts_ns: Option<i64>,
    /// The mid then.
    pub arrived_mid: Option<f64>,
    /// When it ended, Unix nanoseconds.
    pub ended_ts_ns: i64,
    /// How.
    pub outcome: Outcome,
    /// Why, by its place in [`REASONS`].
    pub reason: usize,
    /// What was filled of it.
    pub filled_volume: f64,
    /// For how much money.
    pub filled_value: f64,
    /// Money that its fills came to so far, as they are read.
    pub(super) fills_value: f64,
}

#[cfg(test)]
impl Order {
    /// An entry.
    pub fn test(buys: bool, arrived_mid: Option<f64>, outcome: Outcome) -> Self {
        Self {
            id: 0,
            leg: 0,
            purpose: Purpose::Entry,
            posts: false,
            buys,
            decided_sequence: 0,
            decided_mid: None,
            leg_mid: None,
            arrived_ts_ns: None,
            arrived_mid,
            ended_ts_ns: 0,
            outcome,
            reason: 0,
            filled_volume: 1.0,
            filled_value: 1.0,
            fills_value: 1.0,
        }
    }
}

/// A fill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    /// Place of its order.
    pub order: usize,
    /// Rested or took.
    pub liquidity: Liquidity,
    /// Above 0.
    pub price: f64,
    /// Money, above 0.
    pub value: f64,
    /// Money; a rebate is negative.
    pub fee: f64,
    /// The best price that a taker met.
    pub best: Option<f64>,
}

/// Where the mid went after an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Markout {
    /// Place of its order.
    pub order: usize,
    /// The mid 1, 5, 20 and 100 updates after the leg's decision.
    pub mids: [Option<f64>; 4],
}

/// A leg: a decision that was acted on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leg {
    /// Within its account.
    pub leg: u64,
    /// It bought first.
    pub is_long: bool,
    /// Frame of the decision.
    pub decided_sequence: u64,
    /// Our clock then, Unix nanoseconds.
    pub decided_ts_recv_ns: i64,
    /// What was entered.
    pub entered_volume: f64,
    /// For how much money.
    pub entry_value: f64,
    /// Money; rebates are negative.
    pub entry_fee: f64,
    /// For how much money it was left.
    pub exit_value: f64,
    /// Money; rebates are negative.
    pub exit_fee: f64,
    /// Of what was exited, before fees.
    pub profit: f64,
    /// The same less fees.
    pub net: f64,
    /// When it was closed, Unix nanoseconds.
    pub closed_ts_ns: Option<i64>,
    /// What is still held.
    pub open_volume: f64,
    /// Worth of that at the mid.
    pub open_mark_mid: Option<f64>,
    /// Worth of that by walking the book.
    pub open_mark_walk: Option<f64>,
}

impl Leg {
    /// The share of what was entered that has been exited.
    pub fn closed_share(&self) -> f64 {
        if self.open_volume > 0.0 { 1.0 - self.open_volume / self.entered_volume } else { 1.0 }
    }

    /// What that was entered for.
    pub fn closed_value(&self) -> f64 {
        self.entry_value * self.closed_share()
    }

    /// Its profit less its fees.
    pub fn closed_net(&self) -> f64 {
        self.profit - (self.entry_fee * self.closed_share() + self.exit_fee)
    }
}
