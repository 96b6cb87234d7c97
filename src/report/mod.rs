//! What is said at the end of a run.
//!
//! ```
//! use papertrader::report::material::Material;
//! use papertrader::report::summary::Summary;
//!
//! let folder = tempfile::tempdir()?;
//! let csv = folder.path().join("run.csv");
//! let rows = "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit\n0,20,100,101,1,1\n";
//! std::fs::write(&csv, rows)?;
//! let material = Material::read(&csv)?;
//! assert_eq!((material.name.as_str(), material.numbers.gross_profit), ("run", 1.0));
//! assert!(!Summary(&material).to_string().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod chart;
pub use crate::results::executions;
pub mod figures;
pub mod html;
pub mod in_sample;
pub mod material;
pub mod overview;
pub mod publish;
pub mod research;
pub mod run_file;
pub mod summary;
pub mod sweep;
pub mod terminal;
pub mod text;
pub use crate::results::trades;
