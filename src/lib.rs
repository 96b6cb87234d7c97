//! papertrader: paper trading for models of market microstructure.

pub mod exchange;
pub mod feed;
pub mod units;
