//! papertrader: paper trading for models of market microstructure.

pub mod capture;
pub mod units;
pub mod exchange;
