//! From captures to a model that can be trusted: rows of features with labels, a fit to the optimum, an evaluation that
//! does not flatter, and the files that come of it.
//!
//! Rows come from the same intake, book and features that trade, and the economics of a model from the same engine.

pub mod dataset;
pub mod export;
pub mod follow;
pub mod labels;
pub mod output;
pub mod source;
