//! The trade log read back, and what its trades come to.

mod numbers;
mod table;

pub use numbers::{
    BlockInterval, FeeRow, Finding, Hour, Quantiles, TRADES_MIN, Tenth, TradeNumbers, drawdowns, profits_bps,
};
pub use table::{TradeTable, TradesError, go_forward};
