//! Where a resting order stands in the queue at its price, which a level-2 book does not say.
//!
//! The estimate starts with everything that is displayed when the order arrives. Prints at the price shorten it. What a level
//! loses beyond its prints was cancelled, ahead of the order or behind it: the two models differ in how much of it was ahead.
//!
//! ```
//! use papertrader::execution::matching::queue::{Queue, QueueModel};
//!
//! // 50 lots are displayed when a bid arrives. 30 are sold to the level, which then shows 20.
//! let mut queue = Queue::behind(50);
//! assert_eq!(queue.print(30), 0);
//! queue.level(QueueModel::RiskAverse, 50, 20);
//! assert_eq!(queue.ahead_lots(), 20.0);
//!
//! // A sale of 26 reaches it for 6.
//! assert_eq!(queue.print(26), 6);
//! ```

/// How much of what is cancelled at a level was ahead of a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueModel {
    /// None, as long as the level holds that much: an order advances by prints alone.
    RiskAverse,
    /// A share that falls with the cube of the order's relative place: with *f* ahead and *b* behind, a cancellation was behind
    /// the order with the probability 1 − (f / (f + b))³ and ahead of it otherwise. The `PowerProbQueueFunc3` of hftbacktest, n = 3.
    Power3,
}

/// An order's place in the queue at its price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Queue {
    /// Never below 0, nor above what the level showed last.
    ahead_lots: f64,
    /// Printed at the price since the level changed last: these lots are not cancelled when it does.
    printed_lots: f64,
}

impl Queue {
    /// The place of an order that arrives behind `displayed_lots`.
    pub fn behind(displayed_lots: u64) -> Self {
        Self { ahead_lots: displayed_lots as f64, printed_lots: 0.0 }
    }

    /// What is estimated to be filled before the order is, in lots.
    pub fn ahead_lots(&self) -> f64 {
        self.ahead_lots
    }

    /// Lots finer by so much.
    pub fn rescale(&mut self, lots_times: u64) {
        self.ahead_lots *= lots_times as f64;
        self.printed_lots *= lots_times as f64;
    }

    /// A print of `size_lots` at the order's price, the aggressor being on the other side. Returns how many of its lots reach
    /// the order, whatever the order's size.
    pub fn print(&mut self, size_lots: u64) -> u64 {
        let beyond = size_lots as f64 - self.ahead_lots;
        self.ahead_lots = (-beyond).max(0.0);
        self.printed_lots += size_lots as f64;
        // Half a lot rounds away from zero. The cast saturates.
        beyond.round().max(0.0) as u64
    }

    /// The level at the order's price changes from `before_lots` to `after_lots`.
    pub fn level(&mut self, model: QueueModel, before_lots: u64, after_lots: u64) {
        let (before, after) = (before_lots as f64, after_lots as f64);
        let cancelled = before - after - std::mem::take(&mut self.printed_lots);
        let ahead = self.ahead_lots;
        let left = match model {
            QueueModel::Power3 if cancelled >= 0.0 => {
                let behind = before - ahead;
                let is_behind = if before > 0.0 { 1.0 - (ahead / before).powi(3) } else { 1.0 };
                ahead - (1.0 - is_behind) * cancelled + (behind - is_behind * cancelled).min(0.0)
            }
            _ => ahead,
        };
        self.ahead_lots = left.min(after).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Print(u64),
        Level(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![(1..300_u64).prop_map(Step::Print), (0..1_000_u64).prop_map(Step::Level)];
        prop::collection::vec(step, 0..40)
    }

    #[test]
    fn cancellations_are_shared_out_by_the_place() {
        // Half of 100 is ahead: a cancellation of 40 was ahead with the probability 1/8.
        let mut queue = Queue { ahead_lots: 50.0, printed_lots: 0.0 };
        queue.level(QueueModel::Power3, 100, 60);
        assert_eq!(queue.ahead_lots(), 45.0);
        // More is gone than was behind: 7/8 of 80 are 70, 20 more than there were.
        let mut queue = Queue { ahead_lots: 50.0, printed_lots: 0.0 };
        queue.level(QueueModel::Power3, 100, 20);
        assert_eq!(queue.ahead_lots(), 20.0);
        // What was printed is not cancelled.
        let mut queue = Queue { ahead_lots: 50.0, printed_lots: 40.0 };
        queue.level(QueueModel::Power3, 100, 60);
        assert_eq!(queue.ahead_lots(), 50.0);
    }

    proptest! {
        #[test]
        fn a_place_stays_between_nothing_and_the_level(displayed in 0..1_000_u64, steps in steps()) {
            for model in [QueueModel::RiskAverse, QueueModel::Power3] {
                let (mut queue, mut level) = (Queue::behind(displayed), displayed);
                for &step in &steps {
                    let before = queue.ahead_lots();
                    match step {
                        Step::Print(size) => prop_assert!(queue.print(size) <= size),
                        Step::Level(after) => {
                            queue.level(model, level, after);
                            level = after;
                        }
                    }
                    // Nothing comes before an order that rests.
                    prop_assert!((0.0..=before).contains(&queue.ahead_lots()), "{queue:?} after {before}");
                    prop_assert!(queue.ahead_lots() <= level.max(before as u64 + 1) as f64);
                }
            }
        }

        #[test]
        fn power_3_is_never_behind_risk_averse(displayed in 0..1_000_u64, steps in steps()) {
            let (mut careful, mut bold, mut level) = (Queue::behind(displayed), Queue::behind(displayed), displayed);
            for step in steps {
                match step {
                    Step::Print(size) => prop_assert!(careful.print(size) <= bold.print(size)),
                    Step::Level(after) => {
                        careful.level(QueueModel::RiskAverse, level, after);
                        bold.level(QueueModel::Power3, level, after);
                        level = after;
                    }
                }
                prop_assert!(bold.ahead_lots() <= careful.ahead_lots());
            }
        }
    }
}
