//! papertrader: paper trading for models of market microstructure.

pub mod book;
pub mod capture;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod cores;
pub mod engine;
pub mod event;
pub mod exchange;
pub mod failure;
pub mod features;
pub mod feed;
pub mod handoff;
pub mod latency;
pub mod model;
pub mod replay;
pub mod report;
pub mod session;
pub mod simulator;
pub mod status;
pub mod trade_log;
pub mod units;
pub mod writer;
