//! From captures to a model that can be trusted: rows of features with labels, a fit to the optimum, an evaluation that
//! does not flatter, and the files that come of it.
//!
//! Rows come from the same intake, book and features that trade, and the economics of a model from the same engine.

pub mod dataset;
pub mod economics;
pub mod evaluation;
pub mod export;
pub mod feature_list;
pub mod fit;
pub mod passes;
pub mod report;
pub mod scaler;
pub mod scoring;
pub mod selection;
pub mod source;
pub mod source_error;
pub mod table;
pub mod training;
