//! The simulated exchange: resting orders, the queue in front of them, and what fills them.
//!
//! It sees levels and prints in the venue's order and decides from them when an order that never was at the venue would have
//! been filled. Everything is in ticks and lots; only the place in the queue is an estimate.
//!
//! ```
//! use papertrader::execution::matching::queue::QueueModel;
//! use papertrader::execution::matching::{Exchange, Order};
//! use papertrader::market::units::Side::{Ask, Bid};
//!
//! let mut exchange = Exchange::new(QueueModel::RiskAverse);
//! let mut fills = Vec::new();
//! for (side, price, size) in [(Bid, 100, 5), (Ask, 101, 5)] {
//!     exchange.level(side, price, size, &mut fills);
//! }
//! assert!(exchange.post(Order { id: 1, side: Bid, price_ticks: 100, lots: 3 }));
//!
//! // Seven lots are sold at 100: five were ahead of the order.
//! exchange.print(Ask, 100, 7, &mut fills);
//! assert_eq!((fills[0].order_id, fills[0].lots, fills[0].price_ticks), (1, 2, 100));
//! ```

pub mod depth;
pub mod queue;

use self::depth::Depth;
use self::queue::{Queue, QueueModel};
use crate::market::units::Side;

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

    /// The market.
    pub fn depth(&self) -> &Depth {
        &self.depth
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
