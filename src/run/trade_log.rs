//! The trade log: one CSV row per closed trade, the original program's columns first.
//!
//! ```
//! use papertrader::execution::ledger::{Moment, Position, Trade};
//! use papertrader::run::trade_log::TradeLog;
//!
//! let moment = |sequence| Moment { sequence, venue_sequence_num: sequence, ts_recv_ns: 0, stretch: 1 };
//! let position = Position {
//!     bought: moment(0),
//!     sell_sequence: 20,
//!     buy_amount: 100.0,
//!     volume: 1.0,
//!     volume_taken_again: 0.0,
//!     logit: 0.0,
//!     buy_mid: 99.5,
//! };
//! let trade = Trade {
//!     position,
//!     sold: moment(20),
//!     sell_amount: 99.0,
//!     unsold_volume: 0.0,
//!     volume_taken_again: 0.0,
//!     sell_mid: 99.5,
//! };
//!
//! let mut bytes = Vec::new();
//! let mut log = TradeLog::new(&mut bytes)?;
//! log.write(&trade)?;
//! log.flush()?;
//! drop(log);
//! let text = String::from_utf8(bytes).expect("numbers are UTF-8");
//! assert!(text.starts_with("buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit,"));
//! assert!(text.contains("\n0,20,100.0,99.0,1.0,-1.0,"));
//! # Ok::<(), std::io::Error>(())
//! ```

use crate::execution::ledger::Trade;
use crate::statistics::logistic::probability;
use serde::Serialize;
use std::io::{self, Write};

/// A row. Times are receive times and numbers are printed as the shortest text that reads back the same, so that the same
/// input and settings give the same bytes however fast the run was.
#[derive(Serialize)]
struct Row {
    /// Frames of the book since the session began.
    buy_sequence_number: u64,
    sell_sequence_number: u64,
    /// Quote currency.
    buy_amount: f64,
    sell_amount: f64,
    /// Base currency.
    volume: f64,
    /// Quote currency, before fees: the difference of the two amounts to its last bit, as the original program has it.
    profit: f64,
    buy_venue_sequence_num: u64,
    sell_venue_sequence_num: u64,
    /// Our clock, Unix nanoseconds.
    buy_ts_recv_ns: i64,
    sell_ts_recv_ns: i64,
    /// The model's, at the purchase.
    probability: f64,
    /// Quote units; empty without two sides.
    buy_mid: Option<f64>,
    sell_mid: Option<f64>,
    /// Base currency that the book did not take.
    unsold_volume: f64,
    /// Snapshots between purchase and sale, and book frames that the sale came late.
    snapshots_while_held: u64,
    updates_late: u64,
    /// Base currency that earlier fills of the run had taken from the same level already.
    buy_volume_taken_again: f64,
    sell_volume_taken_again: f64,
}

/// Writes trades to anything that takes bytes.
pub struct TradeLog<W: Write> {
    rows: csv::Writer<W>,
}

impl<W: Write> TradeLog<W> {
    /// A log that begins with the header, which the first [`TradeLog::flush`] writes even if no trade follows.
    ///
    /// # Errors
    /// The header cannot be written.
    pub fn new(output: W) -> io::Result<Self> {
        let mut rows = csv::WriterBuilder::new().has_headers(false).from_writer(output);
        rows.write_record([
            "buy_sequence_number",
            "sell_sequence_number",
            "buy_amount",
            "sell_amount",
            "volume",
            "profit",
            "buy_venue_sequence_num",
            "sell_venue_sequence_num",
            "buy_ts_recv_ns",
            "sell_ts_recv_ns",
            "probability",
            "buy_mid",
            "sell_mid",
            "unsold_volume",
            "snapshots_while_held",
            "updates_late",
            "buy_volume_taken_again",
            "sell_volume_taken_again",
        ])?;
        Ok(Self { rows })
    }

    /// Appends a trade.
    ///
    /// # Errors
    /// The row cannot be written.
    pub fn write(&mut self, trade: &Trade) -> io::Result<()> {
        let position = &trade.position;
        let known = |mid: f64| (!mid.is_nan()).then_some(mid);
        self.rows.serialize(Row {
            buy_sequence_number: position.bought.sequence,
            sell_sequence_number: trade.sold.sequence,
            buy_amount: position.buy_amount,
            sell_amount: trade.sell_amount,
            volume: position.volume,
            profit: trade.difference(),
            buy_venue_sequence_num: position.bought.venue_sequence_num,
            sell_venue_sequence_num: trade.sold.venue_sequence_num,
            buy_ts_recv_ns: position.bought.ts_recv_ns,
            sell_ts_recv_ns: trade.sold.ts_recv_ns,
            probability: probability(position.logit),
            buy_mid: known(position.buy_mid),
            sell_mid: known(trade.sell_mid),
            unsold_volume: trade.unsold_volume,
            snapshots_while_held: trade.snapshots_while_held(),
            updates_late: trade.updates_late(),
            buy_volume_taken_again: position.volume_taken_again,
            sell_volume_taken_again: trade.volume_taken_again,
        })?;
        Ok(())
    }

    /// Hands everything written so far to the system.
    ///
    /// # Errors
    /// It does not take it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.rows.flush()
    }

    /// Ends the log.
    ///
    /// # Errors
    /// What is left cannot be written.
    pub fn into_inner(self) -> io::Result<W> {
        self.rows.into_inner().map_err(|failed| io::Error::new(failed.error().kind(), failed.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::ledger::{Moment, Position};

    #[test]
    fn a_row_reads_back_exactly() {
        let moment = |sequence, stretch| Moment {
            sequence,
            venue_sequence_num: sequence + 7,
            ts_recv_ns: 1_723_161_256_609_369_665,
            stretch,
        };
        let trade = Trade {
            position: Position {
                bought: moment(43, 1),
                sell_sequence: 63,
                buy_amount: 5.0,
                volume: 0.000080899865383,
                volume_taken_again: 0.25,
                logit: 1.0,
                buy_mid: 61804.75,
            },
            sold: moment(64, 3),
            sell_amount: 5.000517759138,
            unsold_volume: 0.0,
            volume_taken_again: 0.5,
            sell_mid: f64::NAN,
        };
        let mut bytes = Vec::new();
        let mut log = TradeLog::new(&mut bytes).unwrap();
        log.write(&trade).unwrap();
        log.flush().unwrap();
        drop(log);
        let text = String::from_utf8(bytes).unwrap();
        let (header, row) = text.trim_end().split_once('\n').unwrap();
        assert!(header.starts_with("buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit,"));
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(cells.len(), header.split(',').count());
        assert_eq!(cells[..2], ["43", "64"]);
        assert_eq!(cells[5].parse::<f64>().unwrap(), trade.sell_amount - trade.position.buy_amount);
        assert_eq!(cells[6..10], ["50", "71", "1723161256609369665", "1723161256609369665"]);
        assert_eq!(cells[10].parse::<f64>().unwrap(), probability(1.0));
        assert_eq!(cells[11..], ["61804.75", "", "0.0", "2", "1", "0.25", "0.5"]);
    }
}
