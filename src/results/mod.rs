//! The logs of a run read back, and what they come to: its trades, and what its accounts did.
//!
//! ```
//! use papertrader::results::trades::{TradeNumbers, TradeTable};
//!
//! let numbers = TradeNumbers::of(&TradeTable::default(), 1.0);
//! assert_eq!((numbers.trades, numbers.win_rate), (0, None));
//! ```

pub mod executions;
pub mod trades;
