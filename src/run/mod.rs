//! A session of threads, and what it leaves on disk.

pub mod files;
pub mod latency_log;
pub mod observe;
mod percentiles;
pub mod session;
pub mod settings;
pub mod stage_facts;
pub mod trade_log;
pub mod writer;
