//! Statistics that research, runs and reports share: labels, metrics, intervals.

pub mod bootstrap;
pub mod labels;
pub mod logistic;
pub mod metrics;
