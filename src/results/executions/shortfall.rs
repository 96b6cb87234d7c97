//! What executions cost against the mid at which they were decided (Perold 1988), in parts.
//!
//! Of a fill of value v at price p, with d = 1 for a buy and −1 for a sell, R the mid at the decision, A the mid when the order
//! arrived and B the best price that a taker met then, money at a price x being v · x ÷ p:
//!
//! - *latency*: d · (money at A − money at R): what the market moved until the order could act, waits of earlier orders of the
//!   leg included;
//! - *spread*: d · (money at B − money at A); of a maker d · (v − money at A), which is mostly earned and so negative;
//! - *walk*: d · (v − money at B), beyond the best price; 0 of a maker;
//! - *fees*: as charged.
//!
//! They add up to d · (v − money at R) + fees. R is the mid at the leg's decision for entries, and for exits the mid at the
//! decision of the leg's first exit order. Contracts that are worth a fixed amount of quote currency have money v · p ÷ x and
//! the other d. Where A is not known it counts as R, where B is not as p; a fill without R is left out and counted.

use super::logs::{AccountLogs, Logs};
use super::records::{Account, Fill, Order, Purpose};
use crate::execution::fees::Liquidity;
use crate::execution::fill::settled;
use serde::Serialize;
use std::collections::HashMap;

/// The parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Parts {
    /// To or from the best price.
    pub spread: f64,
    /// Between decision and arrival.
    pub latency: f64,
    /// Beyond the best price.
    pub walk: f64,
    /// As charged.
    pub fees: f64,
    /// Their sum.
    pub total: f64,
}

/// The shortfall of some fills; below 0 they were better than the mid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Shortfall {
    /// How many.
    pub fills: u64,
    /// Their value, money.
    pub value: f64,
    /// In money.
    pub money: Parts,
    /// In basis points of the value; `None` without fills.
    pub bps: Option<Parts>,
}

/// Entries and exits apart, and together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Shortfalls {
    /// Fills of entries.
    pub entries: Shortfall,
    /// Fills of exits.
    pub exits: Shortfall,
    /// Both.
    pub all: Shortfall,
    /// Fills left out: the book had one side at the decision.
    pub unknown: u64,
}

impl Parts {
    fn add(&mut self, other: Self) {
        self.spread += other.spread;
        self.latency += other.latency;
        self.walk += other.walk;
        self.fees += other.fees;
        self.total += other.total;
    }

    fn over(self, value: f64) -> Option<Self> {
        let bps = |part: f64| 1e4 * part / value;
        (value > 0.0).then(|| Self {
            spread: bps(self.spread),
            latency: bps(self.latency),
            walk: bps(self.walk),
            fees: bps(self.fees),
            total: bps(self.total),
        })
    }
}

impl Shortfall {
    fn add(&mut self, value: f64, parts: Parts) {
        self.fills += 1;
        self.value += value;
        self.money.add(parts);
        self.bps = self.money.over(self.value);
    }
}

/// The parts of one fill whose decision's mid is `reference`.
fn parts(fill: &Fill, order: &Order, reference: f64, inverse: bool) -> Parts {
    let Fill { price, value, fee, .. } = *fill;
    let money = |at: f64| match at == price {
        // Without the rounding of a quotient: who took the best price did not walk.
        true => value,
        false if inverse => value * price / at,
        false => value * at / price,
    };
    let direction = if order.buys != inverse { 1.0 } else { -1.0 };
    let arrived = money(order.arrived_mid.unwrap_or(reference));
    let best = match fill.liquidity {
        Liquidity::Taker => money(fill.best.unwrap_or(price)),
        Liquidity::Maker => value,
    };
    // What quotients of one price leave is nothing.
    let cost = |of: f64| settled(direction * of, value);
    Parts {
        spread: cost(best - arrived),
        latency: cost(arrived - money(reference)),
        walk: cost(value - best),
        fees: fee,
        total: cost(value - money(reference)) + fee,
    }
}

/// The mid at the decision of each leg's first exit order, where it is known.
fn first_exits(logs: &AccountLogs) -> HashMap<u64, (u64, u64, Option<f64>)> {
    let mut first: HashMap<u64, (u64, u64, Option<f64>)> = HashMap::new();
    for order in logs.orders.iter().filter(|order| order.purpose == Purpose::Exit) {
        let this = (order.decided_sequence, order.id, order.decided_mid);
        let known = first.entry(order.leg).or_insert(this);
        if (this.0, this.1) < (known.0, known.1) {
            *known = this;
        }
    }
    first
}

impl Shortfalls {
    /// Of an account.
    pub fn of(logs: &Logs, account: Account) -> Self {
        let inverse = logs.inverse.unwrap_or(false);
        let logs = logs.of(account);
        let exits = first_exits(logs);
        let mut found = Self::default();
        for fill in &logs.fills {
            let order = &logs.orders[fill.order];
            let reference = match order.purpose {
                Purpose::Entry => order.leg_mid,
                Purpose::Exit => exits.get(&order.leg).and_then(|&(_, _, mid)| mid),
            };
            let Some(reference) = reference else {
                found.unknown += 1;
                continue;
            };
            let parts = parts(fill, order, reference, inverse);
            match order.purpose {
                Purpose::Entry => found.entries.add(fill.value, parts),
                Purpose::Exit => found.exits.add(fill.value, parts),
            }
            found.all.add(fill.value, parts);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::Outcome;
    use super::*;
    use proptest::prelude::*;

    fn order(buys: bool, arrived_mid: Option<f64>) -> Order {
        Order::test(buys, arrived_mid, Outcome::Filled)
    }

    proptest! {
        #[test]
        fn parts_add_up(
            (price, reference, arrived, best) in (1.0..1e5_f64, 0.9..1.1_f64, 0.9..1.1_f64, 0.9..1.1_f64),
            (value, fee) in (1e-3..1e6_f64, -10.0..10.0_f64),
            (buys, inverse, takes, knows) in any::<(bool, bool, bool, bool)>(),
        ) {
            let liquidity = if takes { Liquidity::Taker } else { Liquidity::Maker };
            let fill = Fill { order: 0, liquidity, price, value, fee, best: (takes && knows).then_some(price * best) };
            let found = parts(&fill, &order(buys, knows.then_some(price * arrived)), price * reference, inverse);
            let sum = found.spread + found.latency + found.walk + found.fees;
            prop_assert!((sum - found.total).abs() <= 1e-12 * (value + fee.abs()), "{found:?}");
            // Whoever trades at the mid of the decision pays fees alone.
            let at_mid = parts(&fill, &order(buys, None), price, inverse);
            prop_assert!((at_mid.total - fee).abs() <= 1e-12 * value);
            // A buyer's cost is a seller's gain.
            let other = parts(&fill, &order(!buys, knows.then_some(price * arrived)), price * reference, inverse);
            prop_assert!((found.total - fee + other.total - fee).abs() <= 1e-12 * value);
        }
    }

    #[test]
    fn a_buyer_pays_more_where_the_market_rises() {
        let fill =
            Fill { order: 0, liquidity: Liquidity::Taker, price: 102.0, value: 1_020.0, fee: 1.0, best: Some(101.5) };
        let Parts { spread, latency, walk, fees, total } = parts(&fill, &order(true, Some(101.0)), 100.0, false);
        assert_eq!((spread.round_ties_even(), latency, walk, fees, total), (5.0, 10.0, 5.0, 1.0, 21.0));
        // Of 1,000 contracts of 1: 1,000 ÷ 100 in the end.
        let fill = Fill { order: 0, liquidity: Liquidity::Maker, price: 100.0, value: 10.0, fee: 0.0, best: None };
        let found = parts(&fill, &order(true, None), 80.0, true);
        assert_eq!((found.latency, found.spread, found.total), (0.0, 2.5, 2.5));
        // 0.7 · 0.1 ÷ 0.1 is not 0.7.
        let fill = Fill { order: 0, liquidity: Liquidity::Taker, price: 0.1, value: 0.7, fee: 0.0, best: Some(0.1) };
        assert_ne!(0.7 * 0.1 / 0.1, 0.7);
        assert_eq!(parts(&fill, &order(true, None), 0.2, false).walk, 0.0);
    }
}
