//! What counts money: positions, trades and their sums.
//!
//! ```
//! use papertrader::execution::ledger::{Moment, Position, Totals, Trade};
//!
//! let at = |sequence| Moment { sequence, venue_sequence_num: sequence, ts_recv_ns: 0, stretch: 1 };
//! let position = Position {
//!     bought: at(0),
//!     sell_sequence: 20,
//!     buy_amount: 100.0,
//!     volume: 2.0,
//!     volume_taken_again: 0.0,
//!     logit: 0.5,
//!     buy_mid: 50.0,
//! };
//! let trade = Trade {
//!     position,
//!     sold: at(20),
//!     sell_amount: 101.0,
//!     unsold_volume: 0.0,
//!     volume_taken_again: 0.0,
//!     sell_mid: 50.5,
//! };
//! let mut totals = Totals::default();
//! totals.count(&trade);
//! assert_eq!((totals.trades, totals.winners, totals.losers, totals.profit), (1, 1, 0, 1.0));
//! ```

use super::fill::settled;

/// The frame at which something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Frames of the book since the session began; 0 is the first snapshot.
    pub sequence: u64,
    /// The venue's number of the frame's message.
    pub venue_sequence_num: u64,
    /// Our clock when it arrived, Unix nanoseconds.
    pub ts_recv_ns: i64,
    /// Snapshots so far, the one that a book of this moment goes back to included: between moments of one number the book
    /// was live without a break.
    pub stretch: u64,
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
    /// Base currency of it that the run's purchases before had bought already: see [`super::fill::Taken`].
    pub volume_taken_again: f64,
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
    /// Base currency for which the run's sales before had used the buyers already: see [`super::fill::Taken`].
    pub volume_taken_again: f64,
    /// The mid of the book that was sold into, in quote units; NaN where it had one side only.
    pub sell_mid: f64,
}

impl Trade {
    /// What was received less what was spent, quote currency, with what rounding left in it.
    pub fn difference(&self) -> f64 {
        self.sell_amount - self.position.buy_amount
    }

    /// Quote currency won or lost, before fees; 0 where rounding alone tells both amounts apart.
    pub fn profit(&self) -> f64 {
        settled(self.difference(), self.position.buy_amount)
    }

    /// Snapshots between purchase and sale: 0 where the book was live without a break.
    pub fn snapshots_while_held(&self) -> u64 {
        self.sold.stretch.saturating_sub(self.position.bought.stretch)
    }

    /// Book frames that the sale came after it fell due: there was no live book of two sides, not crossed and not locked.
    pub fn updates_late(&self) -> u64 {
        self.sold.sequence.saturating_sub(self.position.sell_sequence)
    }
}

/// Sums over all closed trades.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Closed trades.
    pub trades: u64,
    /// Those with a profit above 0.
    pub winners: u64,
    /// Those with a profit below 0. The others made exactly nothing.
    pub losers: u64,
    /// Quote currency spent on them.
    pub buy_amount: f64,
    /// Quote currency received for them.
    pub sell_amount: f64,
    /// Quote currency won, before fees.
    pub profit: f64,
    /// Trades that the book could not buy back whole.
    pub unsold_trades: u64,
    /// Trades sold after they fell due: there was no live book of two sides, not crossed and not locked.
    pub late_trades: u64,
}

impl Totals {
    /// Counts a closed trade.
    #[inline]
    pub fn count(&mut self, trade: &Trade) {
        let profit = trade.profit();
        self.trades += 1;
        self.winners += u64::from(profit > 0.0);
        self.losers += u64::from(profit < 0.0);
        self.buy_amount += trade.position.buy_amount;
        self.sell_amount += trade.sell_amount;
        self.profit += profit;
        self.unsold_trades += u64::from(trade.unsold_volume > 0.0);
        self.late_trades += u64::from(trade.updates_late() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(buy_amount: f64, sell_amount: f64) -> Trade {
        let at = |sequence, stretch| Moment { sequence, venue_sequence_num: sequence, ts_recv_ns: 0, stretch };
        let position = Position {
            bought: at(5, 1),
            sell_sequence: 25,
            buy_amount,
            volume: 1.0,
            volume_taken_again: 0.0,
            logit: 0.0,
            buy_mid: 1.0,
        };
        let sold = at(27, 3);
        Trade { position, sold, sell_amount, unsold_volume: 0.0, volume_taken_again: 0.0, sell_mid: 1.0 }
    }

    #[test]
    fn what_rounding_leaves_is_neither_won_nor_lost() {
        // 5 at 61,804.7 and back.
        let price = 61_804.7_f64;
        let rounded = [5.0 / price * price, 4.999_999_999_999_999, 5.000_000_000_000_001];
        let mut totals = Totals::default();
        for trade in rounded.map(|sold| trade(5.0, sold)).iter().chain(&[trade(5.0, 5.0 + 1e-9), trade(5.0, 4.9)]) {
            totals.count(trade);
        }
        assert_eq!((totals.trades, totals.winners, totals.losers), (5, 1, 1));
        let trade = trade(5.0, 4.999_999_999_999_999);
        assert!(trade.profit() == 0.0 && trade.difference() < 0.0);
    }

    #[test]
    fn a_trade_says_what_it_was_held_across() {
        let trade = trade(1.0, 1.0);
        assert_eq!((trade.snapshots_while_held(), trade.updates_late()), (2, 2));
    }
}
