//! Paper trading by the original program's rules: buy on confidence, sell a fixed number of updates later, by walking the
//! book.
//!
//! The volume that an amount of quote currency buys is a quotient of the two, so that positions are floats although the
//! book is integers.

use crate::market::book::{Book, Level};
use std::collections::VecDeque;

/// The longest holding time in updates.
pub const LAG_MAX: u32 = 1_000_000;

/// What is traded when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatorSettings {
    /// The logit from which to buy.
    pub threshold_logit: f64,
    /// Updates from purchase to sale, at most [`LAG_MAX`].
    pub lag_updates: u32,
    /// Quote currency spent per purchase.
    pub buy_amount: f64,
}

/// The frame at which something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Frames of the book since the session began; 0 is the first snapshot.
    pub sequence: u64,
    /// The venue's number of the frame's message.
    pub venue_sequence_num: u64,
    /// Our clock when it arrived, Unix nanoseconds.
    pub ts_recv_ns: i64,
}

/// Something bought and not yet sold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// The purchase.
    pub bought: Moment,
    /// The update at which it falls due.
    pub sell_sequence: u64,
    /// Quote currency spent.
    pub buy_amount: f64,
    /// Base currency bought.
    pub volume: f64,
    /// The logit that led to the purchase.
    pub logit: f64,
    /// The mid then, in quote units.
    pub buy_mid: f64,
}

/// Something bought and sold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade {
    /// The purchase.
    pub position: Position,
    /// The sale.
    pub sold: Moment,
    /// Quote currency received.
    pub sell_amount: f64,
    /// Base currency for which the book had no buyers; it is written off.
    pub unsold_volume: f64,
    /// The mid of the book that was sold into, in quote units; NaN where it had one side only.
    pub sell_mid: f64,
}

impl Trade {
    /// Quote currency won or lost, before fees.
    pub fn profit(&self) -> f64 {
        self.sell_amount - self.position.buy_amount
    }
}

/// Sums over all closed trades.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Closed trades.
    pub trades: u64,
    /// Those with a profit above 0.
    pub winners: u64,
    /// Quote currency spent on them.
    pub buy_amount: f64,
    /// Quote currency received for them.
    pub sell_amount: f64,
    /// Quote currency won, before fees.
    pub profit: f64,
    /// Trades that the book could not buy back whole.
    pub unsold_trades: u64,
}

/// Holds the open positions.
#[derive(Debug)]
pub struct Simulator {
    settings: SimulatorSettings,
    /// Oldest first, which is also the order in which they fall due. At most `lag_updates + 1`: a frame buys at most once,
    /// and what is due is sold before any purchase, which both need a live book.
    open: VecDeque<Position>,
    totals: Totals,
    /// Purchases wished for but not made because nobody sold.
    empty_asks: u64,
}

/// The mid in quote units, NaN without two sides.
fn mid(book: &Book) -> f64 {
    book.best().map_or(f64::NAN, |(bid, ask)| {
        (bid.price_ticks as f64 + ask.price_ticks as f64) / 2.0 / book.scale().ticks_per_unit()
    })
}

/// Spends `amount` of quote currency on levels of (price, size), best first. Returns what was spent and what was bought.
fn spend(amount: f64, levels: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (mut left, mut volume) = (amount, 0.0);
    for (price, size) in levels {
        let value = price * size;
        if left <= value {
            return (amount, volume + left / price);
        }
        left -= value;
        volume += size;
    }
    (amount - left, volume)
}

/// Sells `volume` of base currency to levels of (price, size), best first. Returns what was received and what was left.
fn sell(volume: f64, levels: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (mut left, mut received) = (volume, 0.0);
    for (price, size) in levels {
        if left <= size {
            return (received + left * price, 0.0);
        }
        left -= size;
        received += size * price;
    }
    (received, left)
}

/// Levels in quote and base units.
fn in_units(book: &Book, levels: impl Iterator<Item = Level>) -> impl Iterator<Item = (f64, f64)> {
    let (ticks_per_unit, lots_per_unit) = (book.scale().ticks_per_unit(), book.scale().lots_per_unit());
    levels.map(move |level| (level.price_ticks as f64 / ticks_per_unit, level.size_lots as f64 / lots_per_unit))
}

impl Simulator {
    /// A simulator without positions. All its memory is taken here.
    pub fn new(settings: SimulatorSettings) -> Self {
        assert!(settings.lag_updates <= LAG_MAX, "the holding time is bounded by LAG_MAX");
        Self {
            settings,
            open: VecDeque::with_capacity(settings.lag_updates as usize + 1),
            totals: Totals::default(),
            empty_asks: 0,
        }
    }

    /// Sells what is due by the frame `now` into `book`, the live book before that frame, and tells of each trade.
    #[inline]
    pub fn sell_due(&mut self, now: Moment, book: &Book, mut closed: impl FnMut(Trade)) {
        while let Some(position) = self.open.front().copied().filter(|position| position.sell_sequence <= now.sequence)
        {
            self.open.pop_front();
            let (sell_amount, unsold_volume) = sell(position.volume, in_units(book, book.bids().levels()));
            let trade = Trade { position, sold: now, sell_amount, unsold_volume, sell_mid: mid(book) };
            let profit = trade.profit();
            self.totals.trades += 1;
            self.totals.winners += u64::from(profit > 0.0);
            self.totals.buy_amount += position.buy_amount;
            self.totals.sell_amount += sell_amount;
            self.totals.profit += profit;
            self.totals.unsold_trades += u64::from(unsold_volume > 0.0);
            closed(trade);
        }
    }

    /// Whether a logit asks for a purchase.
    #[inline]
    pub fn wants(&self, logit: f64) -> bool {
        logit >= self.settings.threshold_logit
    }

    /// Buys in the frame `now` from `book`, the live book after that frame.
    pub fn buy(&mut self, now: Moment, logit: f64, book: &Book) {
        let (buy_amount, volume) = spend(self.settings.buy_amount, in_units(book, book.asks().levels()));
        if volume == 0.0 {
            self.empty_asks += 1;
            return;
        }
        let sell_sequence = now.sequence + u64::from(self.settings.lag_updates);
        debug_assert!(self.open.len() <= self.settings.lag_updates as usize, "one purchase a frame");
        self.open.push_back(Position { bought: now, sell_sequence, buy_amount, volume, logit, buy_mid: mid(book) });
    }

    /// Sums over all closed trades.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Purchases not made because nobody sold.
    pub fn empty_asks(&self) -> u64 {
        self.empty_asks
    }

    /// What is bought and not yet sold, oldest first.
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
    use proptest::prelude::*;

    const SETTINGS: SimulatorSettings = SimulatorSettings { threshold_logit: 0.0, lag_updates: 2, buy_amount: 100.0 };

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
        Moment { sequence, venue_sequence_num: sequence + 100, ts_recv_ns: 7 }
    }

    #[test]
    fn a_purchase_walks_the_asks_and_a_sale_the_bids() {
        let mut simulator = Simulator::new(SETTINGS);
        // 100 buys 3 at 20.0 and 40 / 25.0 = 1.6 at 25.0.
        simulator.buy(moment(5), 0.1, &book(&[(190, 1)], &[(200, 3), (250, 9)]));
        let mut trades = Vec::new();
        let rich = book(&[(300, 2), (280, 100)], &[(310, 1)]);
        simulator.sell_due(moment(6), &rich, |trade| trades.push(trade));
        assert_eq!(trades, []);
        let (cost, worth) = simulator.mark(&rich);
        assert_eq!((cost, worth), (100.0, 2.0 * 30.0 + (4.6 - 2.0) * 28.0));
        simulator.sell_due(moment(7), &rich, |trade| trades.push(trade));
        let [trade] = trades[..] else { panic!("one trade") };
        assert_eq!(trade.position.volume, 4.6);
        assert_eq!(trade.sell_amount, 2.0 * 30.0 + (4.6 - 2.0) * 28.0);
        assert_eq!((trade.position.bought, trade.sold), (moment(5), moment(7)));
        assert_eq!((trade.position.buy_mid, trade.sell_mid), (19.5, 30.5));
        assert_eq!(simulator.totals().profit, trade.profit());
        assert_eq!((simulator.totals().trades, simulator.totals().winners), (1, 1));
        assert_eq!(simulator.open().len(), 0);
    }

    #[test]
    fn a_book_that_runs_out_fills_what_there_is() {
        let mut simulator = Simulator::new(SETTINGS);
        simulator.buy(moment(0), 0.1, &book(&[], &[(200, 2)]));
        let position = *simulator.open().next().unwrap();
        assert_eq!((position.buy_amount, position.volume), (40.0, 2.0));
        assert!(position.buy_mid.is_nan());
        let mut trades = Vec::new();
        simulator.sell_due(moment(2), &book(&[(100, 1)], &[]), |trade| trades.push(trade));
        assert_eq!((trades[0].sell_amount, trades[0].unsold_volume), (10.0, 1.0));
        assert_eq!(simulator.totals().unsold_trades, 1);
        simulator.buy(moment(3), 0.1, &book(&[(100, 1)], &[]));
        assert_eq!((simulator.open().len(), simulator.empty_asks()), (0, 1));
    }

    #[test]
    fn positions_overlap_and_are_sold_oldest_first() {
        let mut simulator = Simulator::new(SimulatorSettings { lag_updates: 3, ..SETTINGS });
        let book = book(&[(190, 1000)], &[(200, 1000)]);
        let mut sold = Vec::new();
        for sequence in 0..10 {
            // Nothing can be sold in frames 4 to 6, as when the book is not live.
            if !(4..7).contains(&sequence) {
                simulator.sell_due(moment(sequence), &book, |trade| {
                    sold.push((trade.position.bought.sequence, trade.sold.sequence));
                });
                simulator.buy(moment(sequence), 0.0, &book);
            }
        }
        assert_eq!(sold, [(0, 3), (1, 7), (2, 7), (3, 7)]);
        assert_eq!(simulator.open().len(), 3);
    }

    #[test]
    fn the_threshold_is_included() {
        let simulator = Simulator::new(SETTINGS);
        assert!(simulator.wants(0.0));
        assert!(!simulator.wants(-1e-9));
        assert!(!simulator.wants(f64::NAN));
    }

    proptest! {
        /// Against exact integers: sizes and prices whose products are whole.
        #[test]
        fn walks_agree_with_integers(
            levels in prop::collection::vec((1..1_000_u64, 1..1_000_u64), 1..20),
            volume in 1..20_000_u64,
        ) {
            let mut left = volume;
            let mut received = 0;
            for &(price, size) in &levels {
                let taken = left.min(size);
                received += taken * price;
                left -= taken;
            }
            let floats = || levels.iter().map(|&(price, size)| (price as f64, size as f64));
            prop_assert_eq!(sell(volume as f64, floats()), (received as f64, left as f64));
            // Spending what a sale brought buys the volume back.
            let (spent, bought) = spend(received as f64, floats());
            prop_assert_eq!(spent, received as f64);
            prop_assert!((bought - (volume - left) as f64).abs() < 1e-9);
        }
    }
}
