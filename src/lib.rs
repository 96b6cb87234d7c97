//! papertrader: paper trading for models of market microstructure.

pub mod book;
pub mod capture;
pub mod clock;
pub mod event;
pub mod exchange;
pub mod units;
