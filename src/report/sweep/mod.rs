//! What a sweep came to, as numbers, as a page and as text: the best of its settings against what luck gives the best of as many.
//!
//! ```
//! use papertrader::report::sweep::{SweepReport, page, terminal};
//! use papertrader::sweep::result::SweepResult;
//!
//! let report = SweepReport::of("grid", &SweepResult::default());
//! assert!(terminal(&report).contains("No capture could be read to its end"));
//! assert!(page(&report).starts_with("<!DOCTYPE html>"));
//! ```

mod facts;
pub mod numbers;
mod page;
pub mod publish;
pub(in crate::report) mod settings;
mod tables;
mod terminal;
mod verdict;

pub use numbers::SweepReport;
pub use page::page;
pub use publish::publish;
pub use terminal::terminal;
