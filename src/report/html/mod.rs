//! Pages that need nothing else: no network, no script, light and dark as the reader's system is.
//!
//! ```
//! use papertrader::report::html::{escaped, page};
//! use papertrader::report::material::Material;
//!
//! let folder = tempfile::tempdir()?;
//! let csv = folder.path().join("run.csv");
//! let rows = "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit\n0,20,100,101,1,1\n";
//! std::fs::write(&csv, rows)?;
//! let page = page(&Material::read(&csv)?);
//! assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("<script"));
//! assert_eq!(escaped("<b>"), "&lt;b&gt;");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod document;
mod escape;
pub(in crate::report) mod head;
mod run;
pub(in crate::report) mod slots;
pub(in crate::report) mod tables;

pub use document::{Document, Shown};
pub use escape::escaped;
pub use run::{break_even, comparison, doubts_in_text, finding, lowest_taker_fee, page};
