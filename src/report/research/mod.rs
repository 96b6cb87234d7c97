//! What training and evaluation found, as a page and as text.
//!
//! ```
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::report::research::{page, terminal};
//! use papertrader::research::report::Report;
//! use papertrader::research::scoring::{By, Contestant, Rules, score};
//! use papertrader::research::source::{Nobody, Source, Watch};
//! use papertrader::statistics::bootstrap::BootstrapSettings;
//! use papertrader::statistics::labels::{LabelRule, Ties};
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 200 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let source = Source::open(&[synthetic::capture(folder.path(), 200)?], None, ScaleRule::default())?;
//! let contestants = [Contestant { name: "coin".into(), by: By::Constant(0.5) }];
//! let bootstrap = BootstrapSettings { block_s: None, replicates: 100, seed: 1 };
//! let (label, ties) = (LabelRule::mid_after(20), Ties::Drop);
//! let rules = Rules { label, horizon: 20, ties, threshold: 0.6, buy_amount: 100.0, bootstrap, threads: 1 };
//! let watch = Watch { bar: &Nobody, stop: &|| false };
//! let (parts, captures) = score(&source, &contestants, &rules, 1, &|_, _, _| Some(0), &watch)?;
//! let report = Report {
//!     headline: Vec::new(),
//!     title: "a coin".into(),
//!     program_version: "1.0",
//!     product: source.product().into(),
//!     captures,
//!     rules: (&rules).into(),
//!     fit: None,
//!     training: None,
//!     validation: None,
//!     choice: None,
//!     calibration: None,
//!     tried: None,
//!     test: parts[0].report(&contestants, &rules),
//!     importance: None,
//!     baselines: "none",
//!     warnings: Vec::new(),
//! }
//! .warn();
//! assert!(terminal(&report).contains("a coin") && page(&report).contains("a coin"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod importance;
mod page;
mod tables;
mod terminal;

pub use page::page;
pub use terminal::terminal;
