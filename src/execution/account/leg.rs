//! A decision that was acted on, from its entry to its exit.

use crate::execution::contract::Contract;
use crate::execution::fill::settled;
use crate::execution::ledger::Moment;
use crate::execution::records::{Arrived, OrderKind, Purpose, Quotes, Traded};
use crate::execution::walk::Want;
use crate::market::units::Side;

/// An order that has not ended.
#[derive(Clone, Copy, Debug)]
pub struct LiveOrder {
    pub id: u64,
    pub purpose: Purpose,
    pub kind: OrderKind,
    /// [`Side::Bid`] buys.
    pub side: Side,
    /// Of one that rests its price, of one that takes the worst that it takes; ticks.
    pub limit_ticks: Option<u64>,
    pub want: Want,
    pub decided: Moment,
    pub quotes: Quotes,
    pub arrived: Option<Arrived>,
    /// Whether a cancellation is under way.
    pub cancelled: bool,
    /// Whether it is an exit that could not trade all it was to when it acted.
    pub has_waited: bool,
    pub traded: Traded,
}

impl LiveOrder {
    /// Units of size that have not traded; of an order for an amount, none are known.
    pub fn left(&self) -> f64 {
        match self.want {
            Want::Volume(volume) => settled(volume - self.traded.volume, volume).max(0.0),
            Want::Amount(_) => 0.0,
        }
    }
}

/// A leg.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    pub id: u64,
    /// The side of its entry.
    pub side: Side,
    pub decided: Moment,
    pub logit: f64,
    pub mid: f64,
    pub due_sequence: u64,
    pub entered: Traded,
    pub exited: Traded,
    /// The worst price that its entry takes, ticks.
    pub cap_ticks: Option<u64>,
    /// What limits count of it while its entry has not ended: units of size, and quote currency.
    pub reserved: (f64, f64),
    pub entry_ended: bool,
    pub order: Option<LiveOrder>,
    /// Whether its exit has been posted, or was not to be.
    pub exit_posted: bool,
    pub closed: bool,
}

impl Leg {
    /// Units of size that are held.
    pub fn held(&self) -> f64 {
        settled(self.entered.volume - self.exited.volume, self.entered.volume).max(0.0)
    }

    /// What limits count of it: units of size, and quote currency.
    pub fn counted(&self, contract: Contract) -> (f64, f64) {
        let entered = contract.quote_value(self.entered.value, self.entered.volume);
        match (self.closed, self.entry_ended) {
            (true, _) => (0.0, 0.0),
            (false, true) => (self.held(), entered),
            (false, false) => (self.reserved.0.max(self.entered.volume), self.reserved.1.max(entered)),
        }
    }
}
