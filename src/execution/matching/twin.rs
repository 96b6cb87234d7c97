//! The plain twin of the simulated exchange: ordered maps, and every order looked at for every event. As it was compared fill by
//! fill with hftbacktest's.

use super::queue::{Queue, QueueModel};
use crate::market::units::Side;
use std::collections::BTreeMap;

/// What a level did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The level's size before, in lots.
    pub before_lots: u64,
    /// The side's best price, in ticks, where the level made it better.
    pub improved_to: Option<u64>,
}

/// Both sides.
#[derive(Clone, Debug, Default)]
pub struct Depth {
    bids: Levels,
    asks: Levels,
}

/// A side. Keys rise from the best price outwards: asks by their price, bids by its negative.
#[derive(Clone, Debug, Default)]
struct Levels {
    lots: BTreeMap<i64, u64>,
    best: Option<i64>,
}

fn key(side: Side, price_ticks: u64) -> i64 {
    // Prices are at most COUNT_MAX.
    match side {
        Side::Bid => -(price_ticks as i64),
        Side::Ask => price_ticks as i64,
    }
}

impl Levels {
    fn next_behind(&self, key: i64) -> Option<i64> {
        self.lots.range(key.saturating_add(1)..).next().map(|(&key, _)| key)
    }
}

impl Depth {
    fn side(&self, side: Side) -> &Levels {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// The best price, in ticks.
    pub fn best(&self, side: Side) -> Option<u64> {
        self.side(side).best.map(i64::unsigned_abs)
    }

    /// What is displayed at a price, in lots.
    pub fn lots(&self, side: Side, price_ticks: u64) -> u64 {
        self.side(side).lots.get(&key(side, price_ticks)).copied().unwrap_or(0)
    }

    /// A level's new size; 0 removes it.
    pub fn set(&mut self, side: Side, price_ticks: u64, size_lots: u64) -> Change {
        let (own, other) = match side {
            Side::Bid => (&mut self.bids, &mut self.asks),
            Side::Ask => (&mut self.asks, &mut self.bids),
        };
        let key = key(side, price_ticks);
        if size_lots == 0 {
            let before_lots = own.lots.remove(&key).unwrap_or(0);
            if own.best == Some(key) {
                own.best = own.next_behind(key);
            }
            return Change { before_lots, improved_to: None };
        }
        let before_lots = own.lots.insert(key, size_lots).unwrap_or(0);
        if own.best.is_some_and(|best| best <= key) {
            return Change { before_lots, improved_to: None };
        }
        own.best = Some(key);
        // The same price has the opposite key on the other side.
        if other.best.is_some_and(|best| best <= -key) {
            other.best = other.next_behind(-key);
        }
        Change { before_lots, improved_to: Some(price_ticks) }
    }
}

/// An order to buy or sell at a price or better, which takes nothing when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The sender's number.
    pub id: u64,
    /// The side of the book on which it rests.
    pub side: Side,
    /// Its price in ticks.
    pub price_ticks: u64,
    /// Its size in lots.
    pub lots: u64,
}

/// What a resting order traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// [`Order::id`].
    pub order_id: u64,
    /// Lots traded.
    pub lots: u64,
    /// At this price, the order's own, in ticks.
    pub price_ticks: u64,
}

/// An order in the book.
#[derive(Clone, Copy, Debug)]
struct Resting {
    /// Its lots are those that are left.
    order: Order,
    queue: Queue,
}

/// Resting orders on a market's depth. Orders do not know of each other: each is filled as if it were alone.
#[derive(Debug)]
pub struct Exchange {
    model: QueueModel,
    depth: Depth,
    /// In order of arrival.
    resting: Vec<Resting>,
}

impl Exchange {
    /// Without levels and orders.
    pub fn new(model: QueueModel) -> Self {
        Self { model, depth: Depth::default(), resting: Vec::new() }
    }

    /// Takes an order that must rest. Refused, false, where it would cross the other side.
    pub fn post(&mut self, order: Order) -> bool {
        let crosses = match order.side {
            Side::Bid => self.depth.best(Side::Ask).is_some_and(|best| order.price_ticks >= best),
            Side::Ask => self.depth.best(Side::Bid).is_some_and(|best| order.price_ticks <= best),
        };
        if !crosses {
            let queue = Queue::behind(self.depth.lots(order.side, order.price_ticks));
            self.resting.push(Resting { order, queue });
        }
        !crosses
    }

    /// Takes an order out. Gives what was left of it; `None` if it does not rest any more.
    pub fn cancel(&mut self, id: u64) -> Option<Order> {
        let at = self.resting.iter().position(|resting| resting.order.id == id)?;
        Some(self.resting.remove(at).order)
    }

    /// A level's new size; 0 removes it. What the other side's better price reaches is filled whole.
    pub fn level(&mut self, side: Side, price_ticks: u64, size_lots: u64, fills: &mut Vec<Fill>) {
        let change = self.depth.set(side, price_ticks, size_lots);
        let at_level = |order: &Order| order.side == side && order.price_ticks == price_ticks;
        for resting in self.resting.iter_mut().filter(|resting| at_level(&resting.order)) {
            resting.queue.level(self.model, change.before_lots, size_lots);
        }
        if let Some(best) = change.improved_to {
            self.fill_whole(fills, |order| match side {
                Side::Bid => order.side == Side::Ask && order.price_ticks <= best,
                Side::Ask => order.side == Side::Bid && order.price_ticks >= best,
            });
        }
    }

    /// A print: `aggressor` is the side from which the taker came, [`Side::Ask`] for a sale. Orders at better prices are filled
    /// whole, those at its own for what reaches them.
    pub fn print(&mut self, aggressor: Side, price_ticks: u64, size_lots: u64, fills: &mut Vec<Fill>) {
        self.fill_whole(fills, |order| match aggressor {
            Side::Bid => order.side == Side::Ask && order.price_ticks < price_ticks,
            Side::Ask => order.side == Side::Bid && order.price_ticks > price_ticks,
        });
        for Resting { order, queue } in &mut self.resting {
            if order.side != aggressor && order.price_ticks == price_ticks {
                let lots = queue.print(size_lots).min(order.lots);
                if lots > 0 {
                    order.lots -= lots;
                    fills.push(Fill { order_id: order.id, lots, price_ticks });
                }
            }
        }
        self.resting.retain(|resting| resting.order.lots > 0);
    }

    fn fill_whole(&mut self, fills: &mut Vec<Fill>, is_reached: impl Fn(&Order) -> bool) {
        self.resting.retain(|Resting { order, .. }| {
            let reached = is_reached(order);
            if reached {
                fills.push(Fill { order_id: order.id, lots: order.lots, price_ticks: order.price_ticks });
            }
            !reached
        });
    }
}
