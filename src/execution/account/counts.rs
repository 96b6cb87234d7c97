//! What an account has done, in numbers.

/// What an account has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountCounts {
    /// Decisions that asked for an order.
    pub decisions: u64,
    /// Those not acted on because the book was crossed or locked.
    pub withheld_crossed: u64,
    /// Those not acted on because a side of the book was empty.
    pub withheld_one_sided: u64,
    /// Those not acted on because the position would have passed its limit.
    pub limited_position: u64,
    /// The same for cash.
    pub limited_cash: u64,
    /// The same for open orders.
    pub limited_orders: u64,
    /// Those whose order would have been below the least size or value.
    pub below_least_size: u64,
    /// Orders sent.
    pub sent: u64,
    /// Those that were filled.
    pub filled: u64,
    /// Those that were cancelled.
    pub cancelled: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Entries of which the slippage cap dropped a part.
    pub capped: u64,
    /// Exits that waited for a live book of two sides, not crossed and not locked.
    pub waited: u64,
}

impl AccountCounts {
    /// Decisions that were not acted on and orders that did not do all they were to, by what kept them from it.
    pub fn kept_from_acting(&self) -> [(&'static str, u64); 8] {
        [
            ("book crossed or locked", self.withheld_crossed),
            ("book one-sided", self.withheld_one_sided),
            ("position limit", self.limited_position),
            ("cash limit", self.limited_cash),
            ("open orders limit", self.limited_orders),
            ("below the least size", self.below_least_size),
            ("cut by the cap", self.capped),
            ("exits that waited", self.waited),
        ]
    }
}

/// What an account has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AccountTotals {
    /// Legs that were entered and have closed.
    pub legs: u64,
    /// Their profit before fees.
    pub profit: f64,
    /// Value traded by orders that rested.
    pub maker_value: f64,
    /// Value traded by orders that took.
    pub taker_value: f64,
    /// All fees.
    pub fees: f64,
    /// Legs open at the end.
    pub open_legs: u64,
}
