//! The simulated exchange: resting orders, the queue in front of them, and what fills them.
//!
//! It sees levels and prints in the venue's order and decides from them when an order that never was at the venue would have
//! been filled. Everything is in ticks and lots; only the place in the queue is an estimate. Levels are looked at one by one
//! only while an order rests.
//!
//! ```
//! use papertrader::execution::matching::resting::{FillModel, Order, Resting, Sharing};
//! use papertrader::execution::matching::queue::QueueModel;
//! use papertrader::market::units::Side::{Ask, Bid};
//!
//! let mut resting = Resting::new(FillModel::Queue(QueueModel::RiskAverse), Sharing::Alone, 16);
//! // Five lots are displayed when it arrives.
//! resting.post(Order { id: 1, side: Bid, price_ticks: 100, lots: 3 }, 5);
//!
//! // Seven lots are sold at 100: five were ahead of the order.
//! let mut fills = Vec::new();
//! resting.print(Ask, 100, 7, &mut |fill| fills.push(fill));
//! assert_eq!((fills[0].id, fills[0].lots, fills[0].price_ticks), (1, 2, 100));
//! ```

pub mod best;
pub mod queue;
pub mod resting;
#[cfg(test)]
mod twin;
