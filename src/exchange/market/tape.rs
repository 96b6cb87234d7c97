//! The market's prints among its frames, as the venue sends them.

use super::trades::Trade;
use super::{Batches, LevelUpdate};
use std::time::Duration;

/// The time whose trades the venue tells in one message.
pub const PRINTS_EVERY: Duration = Duration::from_millis(250);
/// The most trades of a message: a fuller one goes out early.
const TRADES_MAX: usize = 10_000;

/// What comes next of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A frame of the book.
    Levels,
    /// Prints.
    Prints,
}

/// A market's frames with its prints between them. Prints trail the book: those of the trades within [`PRINTS_EVERY`] of the
/// market's clock come together when the time is over, newest first, after the frames that they explain.
///
/// ```
/// use papertrader::exchange::market::{Batches, MarketConfig, Part, SyntheticMarket, Tape};
/// use std::time::Duration;
///
/// let config = MarketConfig { snapshot_levels: 500, ..MarketConfig::default() };
/// let market = SyntheticMarket::new(&config);
/// let mut last_trade_id = market.trades_before().last().map_or(0, |trade| trade.trade_id);
/// let mut tape = Tape::new(Batches::new(market, Duration::ZERO));
/// let (mut updates, mut trades) = (Vec::new(), Vec::new());
/// for _ in 0..500 {
///     if let (Part::Prints, time_ns) = tape.next_part(&mut updates, &mut trades) {
///         for trade in trades.iter().rev() {
///             assert!(trade.time_ns < time_ns && trade.trade_id == last_trade_id + 1);
///             last_trade_id = trade.trade_id;
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Tape {
    batches: Batches,
    start_ns: i64,
    /// The frame of the book that comes next; empty before there is one.
    ahead: Vec<LevelUpdate>,
    ahead_ns: i64,
    /// Trades of frames that were given out, oldest first.
    pending: Vec<Trade>,
    /// When they are told.
    due_ns: i64,
}

impl Tape {
    /// Follows a market from where it is.
    pub fn new(batches: Batches) -> Self {
        let start_ns = batches.market().now_ns();
        Self { batches, start_ns, ahead: Vec::new(), ahead_ns: 0, pending: Vec::new(), due_ns: 0 }
    }

    /// The last trades before the start, oldest first.
    pub fn trades_before(&self) -> &[Trade] {
        self.batches.market().trades_before()
    }

    /// The next frame into `updates`, as [`Batches::next_frame`] gives it, or the next prints into `trades`, newest first; and
    /// the time at which they are sent. Clears what it fills, and may clear the other.
    pub fn next_part(&mut self, updates: &mut Vec<LevelUpdate>, trades: &mut Vec<Trade>) -> (Part, i64) {
        if self.ahead.is_empty() {
            self.ahead_ns = self.batches.next_frame(&mut self.ahead);
        }
        if !self.pending.is_empty() && self.due_ns <= self.ahead_ns {
            trades.clear();
            trades.extend(self.pending.drain(..).rev());
            return (Part::Prints, self.due_ns);
        }
        updates.clear();
        std::mem::swap(updates, &mut self.ahead);
        if self.pending.is_empty() {
            self.due_ns = self.end_of_time(self.ahead_ns);
        }
        // The batches' last frame is this one.
        self.pending.extend_from_slice(self.batches.trades());
        if self.pending.len() >= TRADES_MAX {
            self.due_ns = self.ahead_ns;
        }
        (Part::Levels, self.ahead_ns)
    }

    /// When the trades of this moment are told; later than it.
    fn end_of_time(&self, time_ns: i64) -> i64 {
        let every_ns = PRINTS_EVERY.as_nanos() as i64;
        let past_ns = time_ns.saturating_sub(self.start_ns);
        time_ns.saturating_add(every_ns - past_ns.rem_euclid(every_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MarketConfig, SyntheticMarket};
    use super::*;
    use crate::market::units::Side;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Book = BTreeMap<(Side, u64), u64>;

    fn set(book: &mut Book, update: &LevelUpdate) {
        if update.size_lots == 0 {
            book.remove(&(update.side, update.price_ticks));
        } else {
            book.insert((update.side, update.price_ticks), update.size_lots);
        }
    }

    /// What levels lost by the frames whose prints are still to come: what is told must be among it.
    type Lost = BTreeMap<(Side, u64), u64>;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn prints_explain_what_the_book_lost(seed: u64, batch_ms in prop_oneof![Just(0), Just(50), Just(400)]) {
            let config = MarketConfig { seed, snapshot_levels: 500, ..MarketConfig::default() };
            let market = SyntheticMarket::new(&config);
            let (mut updates, mut trades, mut book) = (Vec::new(), Vec::new(), Book::new());
            market.snapshot(&mut updates);
            updates.iter().for_each(|update| set(&mut book, update));
            let before = market.trades_before();
            prop_assert_eq!(before.len(), super::super::TRADES_BEFORE);
            let mut last = *before.last().expect("there are some");
            prop_assert!(before.windows(2).all(|pair| pair[0].trade_id + 1 == pair[1].trade_id));
            prop_assert!(last.time_ns <= config.start_ns);

            let mut plain = Batches::new(market.clone(), Duration::from_millis(batch_ms));
            let mut tape = Tape::new(Batches::new(market, Duration::from_millis(batch_ms)));
            let (mut lost, mut expected) = (Lost::new(), Vec::new());
            let (mut told, mut last_ns, mut messages) = (0_u64, config.start_ns, 0);
            for _ in 0..3_000 {
                let (part, time_ns) = tape.next_part(&mut updates, &mut trades);
                prop_assert!(time_ns >= last_ns);
                last_ns = time_ns;
                if part == Part::Levels {
                    // The frames are those without prints.
                    prop_assert_eq!(plain.next_frame(&mut expected), time_ns);
                    prop_assert_eq!(&expected, &updates);
                    for update in &updates {
                        let place = (update.side, update.price_ticks);
                        let shown = book.get(&place).copied().unwrap_or(0);
                        *lost.entry(place).or_default() += shown.saturating_sub(update.size_lots);
                        set(&mut book, update);
                    }
                    continue;
                }
                prop_assert!(!trades.is_empty());
                messages += 1;
                for trade in trades.iter().rev() {
                    prop_assert_eq!(trade.trade_id, last.trade_id + 1);
                    prop_assert!(trade.time_ns >= last.time_ns && trade.time_ns < time_ns && trade.size_lots > 0);
                    let explained = lost.get_mut(&(trade.maker, trade.price_ticks)).expect("a level that lost");
                    prop_assert!(*explained >= trade.size_lots, "{:?} of {}", trade, explained);
                    *explained -= trade.size_lots;
                    last = *trade;
                    told += 1;
                }
                // Whatever is told is told by now.
                lost.clear();
            }
            prop_assert!(messages > 5 && told > messages, "{} prints in {} messages", told, messages);
        }
    }

    /// A print is no larger than what its level showed before the frame, and there the best price that the frame left: every
    /// better one has changed.
    #[test]
    fn a_print_is_no_larger_than_its_level_shows() {
        let config = MarketConfig { seed: 7, snapshot_levels: 2_000, ..MarketConfig::default() };
        let market = SyntheticMarket::new(&config);
        let (mut updates, mut book) = (Vec::new(), Book::new());
        market.snapshot(&mut updates);
        updates.iter().for_each(|update| set(&mut book, update));
        let mut batches = Batches::new(market, Duration::ZERO);
        let mut prints = 0;
        for _ in 0..5_000 {
            batches.next_frame(&mut updates);
            for trade in batches.trades() {
                let shown = book.get(&(trade.maker, trade.price_ticks)).copied().unwrap_or(0);
                assert!(trade.size_lots <= shown, "{trade:?} where {shown} were shown");
                let is_better = |ticks: u64| match trade.maker {
                    Side::Bid => ticks > trade.price_ticks,
                    Side::Ask => ticks < trade.price_ticks,
                };
                let better = book.keys().filter(|(side, ticks)| *side == trade.maker && is_better(*ticks));
                for place in better {
                    let has_changed = updates.iter().any(|update| (update.side, update.price_ticks) == *place);
                    assert!(has_changed, "{trade:?} while {place:?} was better");
                }
                prints += 1;
            }
            updates.iter().for_each(|update| set(&mut book, update));
        }
        assert!(prints > 500, "{prints}");
    }
}
