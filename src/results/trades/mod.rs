//! The trade log read back, and what its trades come to.
//!
//! ```
//! use papertrader::results::trades::{Finding, TradeNumbers, TradeTable};
//!
//! let folder = tempfile::tempdir()?;
//! let csv = folder.path().join("run.csv");
//! let rows = "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit\n0,20,100,101,1,1\n";
//! std::fs::write(&csv, rows)?;
//! let table = TradeTable::read(&csv)?;
//! let numbers = TradeNumbers::of(&table, 10.0);
//! assert_eq!((numbers.trades, numbers.win_rate), (1, Some(1.0)));
//! // 10 basis points of what was bought and of what was sold.
//! assert!((numbers.net_profit - (1.0 - 0.201)).abs() < 1e-12);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod doubts;
pub(in crate::results) mod lines;
mod numbers;
mod table;

pub use doubts::{HeldAcrossGaps, is_doubtful};
pub use numbers::{
    BlockInterval, FeeRow, Finding, Hour, Quantiles, TRADES_MIN, Tenth, TradeNumbers, drawdowns, profits_bps,
};
pub use table::{TradeTable, TradesError, go_forward};
