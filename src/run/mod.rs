//! A session of threads, and what it leaves on disk.
//!
//! ```
//! use papertrader::run::latency_log::LatencyLog;
//! use papertrader::run::files::RunFiles;
//!
//! let folder = tempfile::tempdir()?;
//! let first = RunFiles::create(folder.path(), "BTC-USD", None)?;
//! let second = RunFiles::create(folder.path(), "BTC-USD", None)?;
//! assert!(first.csv.exists() && first.csv != second.csv);
//! // Nothing has run yet.
//! assert_eq!(LatencyLog::read(&first.hlog, true)?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod equity;
pub mod execution_logs;
pub mod files;
pub mod latency_log;
pub mod observe;
pub mod parquet_logs;
mod percentiles;
pub mod session;
pub mod settings;
pub mod spread;
pub mod stage_facts;
pub mod trade_log;
pub mod writer;
