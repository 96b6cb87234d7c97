//! The original program's execution: what is bought is sold a fixed number of updates later, both by walking the book.
//!
//! The volume that an amount of quote currency buys is a quotient of the two, so that positions are floats although the
//! book is integers.
//!
//! ```
//! use papertrader::execution::ledger::Moment;
//! use papertrader::execution::original::Original;
//! use papertrader::execution::rules::OriginalRules;
//! use papertrader::market::book::Book;
//! use papertrader::market::event::Event;
//! use papertrader::market::units::{Scale, Side};
//!
//! let mut book = Book::default();
//! book.begin_snapshot(Scale { price_decimals: 2, size_decimals: 2 });
//! book.stage(&[Event::level(Side::Bid, 9_900, 500), Event::level(Side::Ask, 10_000, 500)]);
//! book.end_snapshot().expect("two levels are not too many");
//!
//! let rules = OriginalRules { threshold_logit: 0.4, lag_updates: 20, buy_amount: 100.0 };
//! let mut original = Original::new(rules);
//! let at = |sequence| Moment { sequence, venue_sequence_num: sequence, ts_recv_ns: 0, stretch: 1 };
//! // 100.00 buys one unit at the ask, which brings 99.00 at the bid.
//! original.buy(at(0), 0.7, &book);
//! original.sell_due(at(19), &book, |_| unreachable!("nothing is due yet"));
//! original.sell_due(at(20), &book, |trade| assert_eq!(trade.profit(), -1.0));
//! assert_eq!((original.totals().trades, original.totals().winners), (1, 0));
//! ```

use super::fill::{Taken, in_units, mid, sell, spend};
use super::ledger::{Moment, Position, Totals, Trade};
use super::rules::{LAG_MAX, OriginalRules};
use crate::market::book::Book;
use std::collections::VecDeque;

/// Holds the open positions.
#[derive(Debug)]
pub struct Original {
    rules: OriginalRules,
    /// Oldest first, which is also the order in which they fall due. At most `lag_updates + 1`: a frame buys at most once,
    /// and what is due is sold before any purchase, which both need a live book.
    open: VecDeque<Position>,
    totals: Totals,
    /// What purchases have taken of the best ask, and sales of the best bid.
    asks_taken: Taken,
    bids_taken: Taken,
    /// Purchases wished for but not made because nobody sold.
    empty_asks: u64,
}

impl Original {
    /// An execution without positions. All its memory is taken here.
    pub fn new(rules: OriginalRules) -> Self {
        assert!(rules.lag_updates <= LAG_MAX, "the holding time is bounded by LAG_MAX");
        Self {
            rules,
            open: VecDeque::with_capacity(rules.lag_updates as usize + 1),
            totals: Totals::default(),
            asks_taken: Taken::default(),
            bids_taken: Taken::default(),
            empty_asks: 0,
        }
    }

    /// Sells what is due by the frame `now` into `book`, the live book before that frame, and tells of each trade.
    #[inline(always)] // Built into the engine's loop: mostly nothing is due.
    pub fn sell_due(&mut self, now: Moment, book: &Book, mut closed: impl FnMut(Trade)) {
        while self.open.front().is_some_and(|position| position.sell_sequence <= now.sequence) {
            let Some(position) = self.open.pop_front() else { break };
            let (sell_amount, unsold_volume) = sell(position.volume, in_units(book, book.bids().levels()));
            let best = in_units(book, book.bids().levels()).next();
            let volume_taken_again = self.bids_taken.again(now.stretch, best, position.volume);
            let sell_mid = mid(book);
            let trade = Trade { position, sold: now, sell_amount, unsold_volume, volume_taken_again, sell_mid };
            self.totals.count(&trade);
            closed(trade);
        }
    }

    /// Buys in the frame `now` from `book`, the live book after that frame. False if nobody sold.
    #[inline]
    pub fn buy(&mut self, now: Moment, logit: f64, book: &Book) -> bool {
        let (buy_amount, volume) = spend(self.rules.buy_amount, in_units(book, book.asks().levels()));
        if volume == 0.0 {
            self.empty_asks += 1;
            return false;
        }
        let best = in_units(book, book.asks().levels()).next();
        let volume_taken_again = self.asks_taken.again(now.stretch, best, volume);
        let sell_sequence = now.sequence + u64::from(self.rules.lag_updates);
        debug_assert!(self.open.len() <= self.rules.lag_updates as usize, "one purchase a frame");
        let buy_mid = mid(book);
        let bought = now;
        self.open.push_back(Position { bought, sell_sequence, buy_amount, volume, volume_taken_again, logit, buy_mid });
        true
    }

    /// What is bought and sold when.
    #[inline]
    pub fn rules(&self) -> &OriginalRules {
        &self.rules
    }

    /// Sums over all closed trades.
    #[inline]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Purchases not made because nobody sold.
    pub fn empty_asks(&self) -> u64 {
        self.empty_asks
    }

    /// What is bought and not yet sold, oldest first.
    #[inline]
    pub fn open(&self) -> impl ExactSizeIterator<Item = &Position> {
        self.open.iter()
    }

    /// What the open positions cost, and what each would bring alone if sold into `book` now, summed up.
    pub fn mark(&self, book: &Book) -> (f64, f64) {
        self.open.iter().fold((0.0, 0.0), |(cost, worth), position| {
            let (received, _) = sell(position.volume, in_units(book, book.bids().levels()));
            (cost + position.buy_amount, worth + received)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::event::Event;
    use crate::market::units::{Scale, Side};

    const RULES: OriginalRules = OriginalRules { threshold_logit: 0.0, lag_updates: 2, buy_amount: 100.0 };

    fn book(bids: &[(u64, u64)], asks: &[(u64, u64)]) -> Book {
        let mut book = Book::default();
        book.begin_snapshot(Scale { price_decimals: 1, size_decimals: 0 });
        let events = |side: Side, levels: &[(u64, u64)]| -> Vec<Event> {
            levels.iter().map(|&(price, size)| Event::level(side, price, size)).collect()
        };
        book.stage(&events(Side::Bid, bids));
        book.stage(&events(Side::Ask, asks));
        book.end_snapshot().unwrap();
        book
    }

    fn moment(sequence: u64) -> Moment {
        Moment { sequence, venue_sequence_num: sequence + 100, ts_recv_ns: 7, stretch: 1 }
    }

    #[test]
    fn a_purchase_walks_the_asks_and_a_sale_the_bids() {
        let mut original = Original::new(RULES);
        // 100 buys 3 at 20.0 and 40 / 25.0 = 1.6 at 25.0.
        original.buy(moment(5), 0.1, &book(&[(190, 1)], &[(200, 3), (250, 9)]));
        let mut trades = Vec::new();
        let rich = book(&[(300, 2), (280, 100)], &[(310, 1)]);
        original.sell_due(moment(6), &rich, |trade| trades.push(trade));
        assert_eq!(trades, []);
        let (cost, worth) = original.mark(&rich);
        assert_eq!((cost, worth), (100.0, 2.0 * 30.0 + (4.6 - 2.0) * 28.0));
        original.sell_due(moment(7), &rich, |trade| trades.push(trade));
        let [trade] = trades[..] else { panic!("one trade") };
        assert_eq!(trade.position.volume, 4.6);
        assert_eq!(trade.sell_amount, 2.0 * 30.0 + (4.6 - 2.0) * 28.0);
        assert_eq!((trade.position.bought, trade.sold), (moment(5), moment(7)));
        assert_eq!((trade.position.buy_mid, trade.sell_mid), (19.5, 30.5));
        assert_eq!(original.totals().profit, trade.profit());
        assert_eq!((original.totals().trades, original.totals().winners), (1, 1));
        assert_eq!(original.open().len(), 0);
    }

    #[test]
    fn a_book_that_runs_out_fills_what_there_is() {
        let mut original = Original::new(RULES);
        original.buy(moment(0), 0.1, &book(&[], &[(200, 2)]));
        let position = *original.open().next().unwrap();
        assert_eq!((position.buy_amount, position.volume), (40.0, 2.0));
        assert!(position.buy_mid.is_nan());
        let mut trades = Vec::new();
        original.sell_due(moment(2), &book(&[(100, 1)], &[]), |trade| trades.push(trade));
        assert_eq!((trades[0].sell_amount, trades[0].unsold_volume), (10.0, 1.0));
        assert_eq!(original.totals().unsold_trades, 1);
        original.buy(moment(3), 0.1, &book(&[(100, 1)], &[]));
        assert_eq!((original.open().len(), original.empty_asks()), (0, 1));
    }

    #[test]
    fn positions_that_take_the_same_level_say_so() {
        let mut original = Original::new(OriginalRules { lag_updates: 3, buy_amount: 5.0, ..RULES });
        // Each purchase takes half of the ask; three are then sold into a bid that has room for one.
        let book = book(&[(1_000, 1), (500, 9)], &[(1_000, 1)]);
        let mut trades = Vec::new();
        for sequence in 0..3 {
            original.buy(moment(sequence), 0.1, &book);
        }
        original.sell_due(moment(9), &book, |trade| trades.push(trade));
        let again: Vec<(f64, f64)> =
            trades.iter().map(|trade| (trade.position.volume_taken_again, trade.volume_taken_again)).collect();
        // 0.05 of 1 unit each: there is enough.
        assert_eq!(again, [(0.0, 0.0); 3]);
        let mut original = Original::new(OriginalRules { lag_updates: 3, buy_amount: 60.0, ..RULES });
        trades.clear();
        for sequence in 0..3 {
            original.buy(moment(sequence), 0.1, &book);
        }
        original.sell_due(moment(9), &book, |trade| trades.push(trade));
        let again: Vec<(f64, f64)> =
            trades.iter().map(|trade| (trade.position.volume_taken_again, trade.volume_taken_again)).collect();
        let [first, second, third] = again[..] else { panic!("three trades") };
        assert_eq!(first, (0.0, 0.0));
        assert!((second.0 - 0.2).abs() < 1e-12 && (second.1 - 0.2).abs() < 1e-12, "{second:?}");
        assert!((third.0 - 0.6).abs() < 1e-12 && (third.1 - 0.6).abs() < 1e-12, "{third:?}");
    }

    #[test]
    fn positions_overlap_and_are_sold_oldest_first() {
        let mut original = Original::new(OriginalRules { lag_updates: 3, ..RULES });
        let book = book(&[(190, 1000)], &[(200, 1000)]);
        let mut sold = Vec::new();
        for sequence in 0..10 {
            // Nothing can be sold in frames 4 to 6, as when the book is not live.
            if !(4..7).contains(&sequence) {
                original.sell_due(moment(sequence), &book, |trade| {
                    sold.push((trade.position.bought.sequence, trade.sold.sequence));
                });
                original.buy(moment(sequence), 0.0, &book);
            }
        }
        assert_eq!(sold, [(0, 3), (1, 7), (2, 7), (3, 7)]);
        assert_eq!(original.open().len(), 3);
    }
}
