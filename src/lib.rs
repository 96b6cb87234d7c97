//! papertrader: paper trading for models of market microstructure.

pub mod book;
pub mod capture;
pub mod clock;
pub mod event;
pub mod exchange;
pub mod features;
pub mod feed;
pub mod handoff;
pub mod latency;
pub mod model;
pub mod simulator;
pub mod units;
