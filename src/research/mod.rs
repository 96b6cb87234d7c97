//! From captures to a model that can be trusted: rows of features with labels, a fit to the optimum, an evaluation that
//! does not flatter, and the files that come of it.
//!
//! Rows come from the same intake, book and features that trade, and the economics of a model from the same engine.
//!
//! ```
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::research::feature_list::parse_features;
//! use papertrader::research::source::{Nobody, Source, Watch};
//! use papertrader::research::training::{TrainSettings, train};
//! use papertrader::statistics::labels::{LabelRule, Ties};
//! use papertrader::strategy::model::Model;
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 2,000 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let source = Source::open(&[synthetic::capture(folder.path(), 2_000)?], None, ScaleRule::default())?;
//! let settings = TrainSettings {
//!     features: parse_features("imbalance_1,spread_ticks,ofi_1_20")?,
//!     beside: Vec::new(),
//!     choose: None,
//!     validate: None,
//!     label: LabelRule::mid_after(20),
//!     embargo: 0,
//!     ties: Ties::Drop,
//!     c: Some(1.0),
//!     test_share: 0.3,
//!     memory_bytes: 1 << 20,
//!     threads: 1,
//! };
//! let trained = train(&source, &settings, &Watch { bar: &Nobody, stop: &|| false }, &|| ())?;
//! let file = trained.model.to_file(20, 0.6, None);
//! let model = Model::from_file("trained.json".as_ref(), &file)?;
//! // More bids than asks at the top foretell a rise.
//! assert!(model.linear().is_some_and(|linear| linear.coefficients[0] > 0.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod calibrating;
pub mod dataset;
pub mod distribution;
pub mod economics;
pub mod evaluation;
pub mod export;
pub mod feature_choice;
pub mod feature_list;
pub mod fit;
pub mod folds;
pub mod importance;
mod matrix;
pub mod passes;
pub mod penalty;
pub mod regression;
pub mod report;
pub mod scaler;
pub mod scoring;
pub mod source;
pub mod source_error;
pub mod table;
pub mod tape_export;
pub mod training;
pub mod validation;
pub mod validation_report;
