//! What a model's decisions would have earned: the engine itself, beside the rows.
//!
//! ```
//! use papertrader::research::economics::{Closed, Economics};
//! use papertrader::statistics::blocks::Cells;
//! use papertrader::statistics::bootstrap::BootstrapSettings;
//!
//! let trade = |second: i64, sold| {
//!     let ts_recv_ns = second * 1_000_000_000;
//!     Closed { capture: 0, sequence: 0, ts_recv_ns, bought: 100.0, sold }
//! };
//! let trades = [trade(0, 101.0), trade(1, 99.0), trade(2, 100.6)];
//! let cells = Cells::new(trades.iter().map(|trade| (trade.capture, trade.ts_recv_ns)), 10.0);
//! let cell_of = |trade: &Closed| (trade.ts_recv_ns / 1_000_000_000) as usize;
//! let settings = BootstrapSettings { block_s: None, replicates: 100, seed: 1 };
//! let economics = Economics::of(&trades, 0, &cells, cell_of, settings, 1);
//! assert_eq!(economics.winners, Some(2.0 / 3.0));
//! assert!((economics.gross_bps.unwrap() - 20.0).abs() < 1e-9);
//! // Three seconds are no twenty blocks of ten.
//! assert_eq!(economics.gross_bps_interval, None);
//! ```

use crate::base::clock::Clock;
use crate::engine::Engine;
use crate::engine::latency::recorder;
use crate::engine::status::Status;
use crate::engine::trader::{Outputs, Trader};
use crate::execution::fees::{FEES_BPS, Turnover};
use crate::execution::ledger::Trade;
use crate::execution::rules::OriginalRules;
use crate::market::event::{Event, FrameHead};
use crate::market::publish::{EngineGone, Publish};
use crate::statistics::blocks::Cells;
use crate::statistics::bootstrap::{BootstrapSettings, Interval, interval, resample};
use crate::strategy::model::Model;
use rtrb::{Consumer, RingBuffer};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// A closed trade, as far as the economics need it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Closed {
    /// The capture in which it was made.
    pub capture: u32,
    /// Frames of the book since its first snapshot, at the purchase.
    pub sequence: u64,
    /// Receive time of the purchase, Unix nanoseconds.
    pub ts_recv_ns: i64,
    /// Quote currency spent.
    pub bought: f64,
    /// Quote currency received.
    pub sold: f64,
}

/// What a model did in a capture.
#[derive(Clone, Debug, PartialEq)]
pub struct Traded {
    /// What it bought and sold.
    pub closed: Vec<Closed>,
    /// How many positions it left open.
    pub open: usize,
}

/// The engine with one model over one capture.
pub struct Backtest {
    capture: u32,
    engine: Engine,
    trades: Consumer<Trade>,
    closed: Vec<Closed>,
}

impl Backtest {
    /// A backtest with an empty book.
    pub fn new(capture: u32, model: &Model, settings: OriginalRules) -> Self {
        // Latencies are nobody's here; the recorder keeps one table and needs no reader.
        let (recorder, _) = recorder(Clock::new(), Duration::MAX);
        // One frame closes at most all open positions, a frame's purchase for each update of the holding time.
        let (trades, trades_out) = RingBuffer::new(settings.lag_updates as usize + 2);
        let outputs = Outputs::of(trades);
        let engine = Engine::new(
            vec![Trader::original(model.clone(), settings, outputs)],
            recorder,
            Arc::new(Status::default()),
        );
        Self { capture, engine, trades: trades_out, closed: Vec::new() }
    }

    /// Ends the capture.
    pub fn finish(self) -> Traded {
        Traded { open: self.engine.finish().trader().open_positions, closed: self.closed }
    }
}

impl Publish for Backtest {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.engine.publish(head, levels)?;
        while let Ok(trade) = self.trades.pop() {
            self.closed.push(Closed {
                capture: self.capture,
                sequence: trade.position.bought.sequence,
                ts_recv_ns: trade.position.bought.ts_recv_ns,
                bought: trade.position.buy_amount,
                sold: trade.sell_amount,
            });
        }
        Ok(())
    }
}

/// Several side by side.
impl Publish for Vec<Backtest> {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.iter_mut().try_for_each(|backtest| backtest.publish(head, levels))
    }
}

/// Profit before fees and amount bought, in quote currency, by the cell of the purchase.
pub fn by_cell(trades: &[Closed], cells: &Cells, cell_of: impl Fn(&Closed) -> usize) -> Vec<(f64, f64)> {
    let mut by_cell = vec![(0.0, 0.0); cells.count];
    for trade in trades {
        let (gross, bought) = &mut by_cell[cell_of(trade)];
        *gross += trade.sold - trade.bought;
        *bought += trade.bought;
    }
    by_cell
}

/// What trades came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Economics {
    /// Closed trades.
    pub trades: u64,
    /// Positions still open at the end of a capture; they are in no other figure.
    pub open: u64,
    /// Share of trades with a profit above 0, before fees.
    pub winners: Option<f64>,
    /// Profit before fees, in quote currency.
    pub gross: f64,
    /// Profit before fees over the amount bought, in basis points.
    pub gross_bps: Option<f64>,
    /// Of `gross_bps`.
    pub gross_bps_interval: Option<Interval>,
    /// The fee per side, in basis points, at which nothing is won or lost.
    pub break_even_fee_bps: Option<f64>,
    /// Profit in quote currency at fees per side.
    pub net: Vec<Net>,
}

/// Profit at a fee.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Net {
    /// Basis points per side.
    pub fee_bps: f64,
    /// Quote currency.
    pub profit: f64,
}

impl Economics {
    /// Sums up trades. `cell_of` says in which of the cells of time a trade was made.
    pub fn of(
        trades: &[Closed],
        open: u64,
        cells: &Cells,
        cell_of: impl Fn(&Closed) -> usize,
        settings: BootstrapSettings,
        threads: usize,
    ) -> Self {
        let bought: f64 = trades.iter().map(|trade| trade.bought).sum();
        let sold: f64 = trades.iter().map(|trade| trade.sold).sum();
        let gross = sold - bought;
        let turnover = Turnover { bought, sold };
        let by_cell = by_cell(trades, cells, cell_of);
        let resampled = resample(cells, settings, threads, |times| {
            let (mut gross, mut bought) = (0.0, 0.0);
            for (cell, &times) in by_cell.iter().zip(times) {
                gross += cell.0 * f64::from(times);
                bought += cell.1 * f64::from(times);
            }
            gross / bought * 1e4
        });
        let winners = trades.iter().filter(|trade| trade.sold > trade.bought).count();
        Self {
            trades: trades.len() as u64,
            open,
            winners: (!trades.is_empty()).then(|| winners as f64 / trades.len() as f64),
            gross,
            gross_bps: turnover.over_bought_bps(gross),
            gross_bps_interval: interval(
                turnover.over_bought_bps(gross).unwrap_or(f64::NAN),
                resampled,
                cells.blocks_with(|cell| by_cell[cell].1 > 0.0),
            ),
            break_even_fee_bps: turnover.break_even_fee_bps(gross),
            net: FEES_BPS.map(|fee_bps| Net { fee_bps, profit: turnover.net(gross, fee_bps) }).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_by_hand() {
        let closed = |bought: f64, sold: f64| Closed { capture: 0, sequence: 0, ts_recv_ns: 0, bought, sold };
        let cells = Cells { of_row: Vec::new(), count: 1, per_block: 10, cell_s: 1.0 };
        let settings = BootstrapSettings { block_s: None, replicates: 10, seed: 1 };
        let economics = Economics::of(&[closed(100.0, 101.0), closed(100.0, 99.5)], 3, &cells, |_| 0, settings, 1);
        assert_eq!((economics.trades, economics.open, economics.winners), (2, 3, Some(0.5)));
        assert_eq!((economics.gross, economics.gross_bps), (0.5, Some(25.0)));
        let fee = economics.break_even_fee_bps.unwrap();
        assert!((0.5 - fee / 1e4 * 400.5).abs() < 1e-12, "{fee}");
        assert!((economics.net[2].profit - (0.5 - 400.5 / 1e4)).abs() < 1e-12);
        let none = Economics::of(&[], 0, &cells, |_| 0, settings, 1);
        assert_eq!((none.winners, none.gross_bps, none.break_even_fee_bps), (None, None, None));
    }
}
