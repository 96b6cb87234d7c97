//! Resting orders and what fills them, by one fill model.
//!
//! ```
//! use papertrader::execution::matching::resting::{FillModel, Order, Resting, Sharing};
//! use papertrader::market::units::Side::{Ask, Bid};
//!
//! // Two lots are printed at the price of an offer, then the best bid rises to it.
//! let mut resting = Resting::new(FillModel::Touch, Sharing::Alone, 16);
//! resting.post(Order { id: 7, side: Ask, price_ticks: 101, lots: 5 }, 40);
//! let mut left = Vec::new();
//! resting.print(Bid, 101, 2, &mut |fill| left.push(fill.left_lots));
//! resting.improved(Bid, 101, &mut |fill| left.push(fill.left_lots));
//! assert_eq!(left, [3, 0]);
//! assert!(resting.is_empty());
//! ```

use super::best::is_better;
use super::queue::{Queue, QueueModel};
use crate::market::units::Side;

/// What fills a resting order. In this order each fills whatever the one before does, order by order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillModel {
    /// Only what goes strictly through the order's price: the other side's best price or a print beyond it.
    Through,
    /// Its place in the queue at its price, the other side's best price at it, or anything through it.
    Queue(QueueModel),
    /// As if nothing were ahead of it: every print at its price.
    Touch,
}

/// Whether orders of one owner know of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Each is filled as if it were the only one.
    Alone,
    /// Orders at one price share a print, oldest first.
    Prints,
}

/// An order to buy or sell at a price or better, which takes nothing when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The owner's number of it.
    pub id: u64,
    /// The side of the book on which it rests.
    pub side: Side,
    /// Its price in ticks.
    pub price_ticks: u64,
    /// Its size in lots, at least 1.
    pub lots: u64,
}

/// What a resting order traded: lots at its own price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingFill {
    /// [`Order::id`].
    pub id: u64,
    /// The order's side.
    pub side: Side,
    /// Its price in ticks.
    pub price_ticks: u64,
    /// Lots traded.
    pub lots: u64,
    /// Lots left, 0 where it is filled whole and rests no more.
    pub left_lots: u64,
}

/// An order in the book; its lots are those that are left.
#[derive(Clone, Copy, Debug)]
struct Place {
    order: Order,
    queue: Queue,
}

/// The orders of one owner under one fill model.
#[derive(Debug)]
pub struct Resting {
    model: FillModel,
    sharing: Sharing,
    /// By price, the best first; those of one price in order of arrival.
    bids: Vec<Place>,
    asks: Vec<Place>,
}

impl Resting {
    /// Without orders, with room for so many a side.
    pub fn new(model: FillModel, sharing: Sharing, room: usize) -> Self {
        Self { model, sharing, bids: Vec::with_capacity(room), asks: Vec::with_capacity(room) }
    }

    /// Whether no order rests.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// Orders that rest.
    pub fn len(&self) -> usize {
        self.bids.len() + self.asks.len()
    }

    #[inline]
    fn side(&mut self, side: Side) -> &mut Vec<Place> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// Takes an order that crosses nobody, behind what is displayed at its price. At once it is behind its owner's others.
    pub fn post(&mut self, order: Order, displayed_lots: u64) {
        let side = self.side(order.side);
        let at = side.partition_point(|place| !is_better(order.side, order.price_ticks, place.order.price_ticks));
        side.insert(at, Place { order, queue: Queue::behind(displayed_lots) });
    }

    /// Takes an order out. Gives the lots that were left; `None` if it does not rest.
    pub fn cancel(&mut self, side: Side, price_ticks: u64, id: u64) -> Option<u64> {
        let (from, to) = self.range(side, price_ticks);
        let side = self.side(side);
        let at = from + side[from..to].iter().position(|place| place.order.id == id)?;
        Some(side.remove(at).order.lots)
    }

    /// Takes all orders out.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Where the orders of a price stand.
    #[inline]
    fn range(&self, side: Side, price_ticks: u64) -> (usize, usize) {
        let places = match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        };
        let from = places.partition_point(|place| is_better(side, place.order.price_ticks, price_ticks));
        let at_price = places[from..].iter().take_while(|place| place.order.price_ticks == price_ticks);
        (from, from + at_price.count())
    }

    /// A level changes from `before_lots` to `after_lots`.
    #[inline]
    pub fn level(&mut self, side: Side, price_ticks: u64, before_lots: u64, after_lots: u64) {
        let FillModel::Queue(model) = self.model else { return };
        let (from, to) = self.range(side, price_ticks);
        for place in &mut self.side(side)[from..to] {
            place.queue.level(model, before_lots, after_lots);
        }
    }

    /// A side's best price becomes better: `price_ticks`. It fills what it reaches on the other side, whole.
    #[inline]
    pub fn improved(&mut self, side: Side, price_ticks: u64, filled: &mut impl FnMut(RestingFill)) {
        let own = super::best::opposite(side);
        let through = self.model == FillModel::Through;
        self.fill_whole(own, filled, |price| is_better(own, price, price_ticks) || (!through && price == price_ticks));
    }

    /// A print: `aggressor` is the side from which the taker came, [`Side::Ask`] for a sale. Orders at better prices are filled
    /// whole, those at its own for what reaches them.
    pub fn print(&mut self, aggressor: Side, price_ticks: u64, lots: u64, filled: &mut impl FnMut(RestingFill)) {
        let own = super::best::opposite(aggressor);
        self.fill_whole(own, filled, |price| is_better(own, price, price_ticks));
        if self.model == FillModel::Through {
            return;
        }
        let (from, to) = self.range(own, price_ticks);
        let (model, sharing) = (self.model, self.sharing);
        let places = self.side(own);
        let mut left_lots = lots;
        for Place { order, queue } in &mut places[from..to] {
            let reached = match model {
                FillModel::Queue(_) => queue.print(left_lots),
                FillModel::Through | FillModel::Touch => left_lots,
            };
            let traded = reached.min(order.lots);
            if traded > 0 {
                order.lots -= traded;
                let Order { id, side, price_ticks, lots } = *order;
                filled(RestingFill { id, side, price_ticks, lots: traded, left_lots: lots });
                if sharing == Sharing::Prints {
                    left_lots -= traded;
                }
            }
        }
        if to > from {
            places.retain(|place| place.order.lots > 0);
        }
    }

    /// Fills what is reached, which is what stands first.
    #[inline]
    fn fill_whole(&mut self, side: Side, filled: &mut impl FnMut(RestingFill), is_reached: impl Fn(u64) -> bool) {
        let places = self.side(side);
        let reached = places.iter().take_while(|place| is_reached(place.order.price_ticks)).count();
        for Place { order: Order { id, side, price_ticks, lots }, .. } in places.drain(..reached) {
            filled(RestingFill { id, side, price_ticks, lots, left_lots: 0 });
        }
    }

    /// A scale finer by so much. Gives false where a count does not fit any more.
    pub fn rescale(&mut self, ticks_times: u64, lots_times: u64) -> bool {
        self.bids.iter_mut().chain(&mut self.asks).all(|Place { order, queue }| {
            queue.rescale(lots_times);
            let scaled = order.price_ticks.checked_mul(ticks_times).zip(order.lots.checked_mul(lots_times));
            scaled.map(|(price_ticks, lots)| *order = Order { price_ticks, lots, ..*order }).is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::twin::{self, Exchange};
    use super::*;
    use crate::execution::matching::best::Best;
    use crate::market::book::Book;
    use crate::market::event::Event;
    use crate::market::units::Scale;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const MODELS: [FillModel; 4] = [
        FillModel::Through,
        FillModel::Queue(QueueModel::RiskAverse),
        FillModel::Queue(QueueModel::Power3),
        FillModel::Touch,
    ];

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Level(Side, u64, u64),
        Print(Side, u64, u64),
        Post(Side, u64, u64),
        Cancel(u64),
    }

    fn side() -> impl Strategy<Value = Side> {
        prop_oneof![Just(Side::Bid), Just(Side::Ask)]
    }

    /// A market around 20 that is often crossed, with orders on it.
    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (side(), 10..30_u64, prop_oneof![Just(0), 1..60_u64]).prop_map(|(s, p, q)| Step::Level(s, p, q)),
            4 => (side(), 10..30_u64, 1..60_u64).prop_map(|(s, p, q)| Step::Print(s, p, q)),
            2 => (side(), 10..30_u64, 1..30_u64).prop_map(|(s, p, q)| Step::Post(s, p, q)),
            1 => (0..20_u64).prop_map(Step::Cancel),
        ];
        prop::collection::vec(step, 1..120)
    }

    /// Runs steps; gives (step, order, lots) of each fill, and of each order its side, price and whether it was taken.
    fn run(model: FillModel, sharing: Sharing, steps: &[Step]) -> Vec<(usize, u64, u64)> {
        let mut book = Book::default();
        book.begin_snapshot(Scale::default());
        book.end_snapshot().unwrap();
        let mut best = Best::of(&book);
        let mut resting = Resting::new(model, sharing, 8);
        let mut posted = BTreeMap::new();
        let mut fills = Vec::new();
        for (at, &step) in steps.iter().enumerate() {
            let mut filled = |fill: RestingFill| fills.push((at, fill.id, fill.lots));
            match step {
                Step::Level(side, price, size) => {
                    let level = Event::level(side, price, size);
                    resting.level(side, price, book.size_at(side, price), size);
                    let improved = best.follow(&book, level);
                    book.apply(&[level]);
                    if let Some(price) = improved {
                        resting.improved(side, price, &mut filled);
                    }
                }
                Step::Print(aggressor, price, lots) => resting.print(aggressor, price, lots, &mut filled),
                Step::Post(side, price_ticks, lots) => {
                    let id = posted.len() as u64;
                    posted.insert(id, (side, price_ticks));
                    if !best.crosses(side, price_ticks) {
                        resting.post(Order { id, side, price_ticks, lots }, book.size_at(side, price_ticks));
                    }
                }
                Step::Cancel(id) => {
                    if let Some(&(side, price)) = posted.get(&id) {
                        resting.cancel(side, price, id);
                    }
                }
            }
        }
        fills
    }

    /// The same by the plain twin, orders sorted within a step as the other one does not care to.
    fn run_twin(model: QueueModel, steps: &[Step]) -> Vec<(usize, u64, u64)> {
        let mut exchange = Exchange::new(model);
        let (mut fills, mut step_fills, mut posted) = (Vec::new(), Vec::new(), 0);
        for (at, &step) in steps.iter().enumerate() {
            match step {
                Step::Level(side, price, size) => exchange.level(side, price, size, &mut step_fills),
                Step::Print(aggressor, price, lots) => exchange.print(aggressor, price, lots, &mut step_fills),
                Step::Post(side, price_ticks, lots) => {
                    exchange.post(twin::Order { id: posted, side, price_ticks, lots });
                    posted += 1;
                }
                Step::Cancel(id) => drop(exchange.cancel(id)),
            }
            step_fills.sort_by_key(|fill| fill.order_id);
            fills.extend(step_fills.drain(..).map(|fill| (at, fill.order_id, fill.lots)));
        }
        fills
    }

    /// What each order has traded after each step.
    fn traded(fills: &[(usize, u64, u64)]) -> BTreeMap<u64, Vec<(usize, u64)>> {
        let mut orders: BTreeMap<u64, Vec<(usize, u64)>> = BTreeMap::new();
        for &(at, id, lots) in fills {
            let order = orders.entry(id).or_default();
            let before = order.last().map_or(0, |&(_, traded)| traded);
            order.push((at, before + lots));
        }
        orders
    }

    proptest! {
        #[test]
        fn fills_are_the_plain_twins(steps in steps()) {
            for model in [QueueModel::RiskAverse, QueueModel::Power3] {
                let mut fills = run(FillModel::Queue(model), Sharing::Alone, &steps);
                fills.sort_unstable();
                prop_assert_eq!(fills, run_twin(model, &steps));
            }
        }

        #[test]
        fn each_model_fills_what_the_one_before_does(steps in steps()) {
            // Alone: an order filled later lets the next one have more of a print that is shared.
            let [mut less, ..] = MODELS.map(|_| BTreeMap::new());
            for model in MODELS {
                let more = traded(&run(model, Sharing::Alone, &steps));
                for (id, fills) in &less {
                    for &(at, lots) in fills {
                        let by_then = more.get(id).and_then(|fills: &Vec<(usize, u64)>| {
                            fills.iter().take_while(|&&(then, _)| then <= at).last()
                        });
                        prop_assert!(by_then.is_some_and(|&(_, more)| more >= lots), "{:?}: order {} at {}", model, id, at);
                    }
                }
                less = more;
            }
        }

        #[test]
        fn a_shared_print_is_not_used_twice(steps in steps()) {
            for model in MODELS {
                let fills = run(model, Sharing::Prints, &steps);
                for (at, step) in steps.iter().enumerate() {
                    let Step::Print(aggressor, price, lots) = *step else { continue };
                    let at_price = |id: u64| {
                        let posts = steps.iter().filter_map(|step| match *step {
                            Step::Post(side, price, _) => Some((side, price)),
                            _ => None,
                        });
                        posts.into_iter().nth(id as usize) == Some((super::super::best::opposite(aggressor), price))
                    };
                    let used: u64 = fills.iter().filter(|fill| fill.0 == at && at_price(fill.1)).map(|fill| fill.2).sum();
                    prop_assert!(used <= lots, "{used} of {lots}");
                }
            }
        }

        #[test]
        fn a_mirrored_market_gives_mirrored_fills(steps in steps()) {
            let other = super::super::best::opposite;
            let mirrored: Vec<Step> = steps.iter().map(|&step| match step {
                Step::Level(side, price, size) => Step::Level(other(side), 40 - price, size),
                Step::Print(side, price, size) => Step::Print(other(side), 40 - price, size),
                Step::Post(side, price, lots) => Step::Post(other(side), 40 - price, lots),
                Step::Cancel(id) => Step::Cancel(id),
            }).collect();
            for model in MODELS {
                for sharing in [Sharing::Alone, Sharing::Prints] {
                    prop_assert_eq!(run(model, sharing, &steps), run(model, sharing, &mirrored));
                }
            }
        }
    }
}
