//! papertrader: paper trading for models of market microstructure.

pub mod units;
pub mod exchange;
