//! What counts money: positions, trades and their sums.
//!
//! ```
//! use papertrader::execution::ledger::{Moment, Position, Totals, Trade};
//!
//! let at = |sequence| Moment { sequence, venue_sequence_num: sequence, ts_recv_ns: 0 };
//! let position =
//!     Position { bought: at(0), sell_sequence: 20, buy_amount: 100.0, volume: 2.0, logit: 0.5, buy_mid: 50.0 };
//! let trade = Trade { position, sold: at(20), sell_amount: 101.0, unsold_volume: 0.0, sell_mid: 50.5 };
//! let mut totals = Totals::default();
//! totals.count(&trade);
//! assert_eq!((totals.trades, totals.winners, totals.profit), (1, 1, 1.0));
//! ```

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
        self.buy_amount += trade.position.buy_amount;
        self.sell_amount += trade.sell_amount;
        self.profit += profit;
        self.unsold_trades += u64::from(trade.unsold_volume > 0.0);
        self.late_trades += u64::from(trade.sold.sequence > trade.position.sell_sequence);
    }
}
