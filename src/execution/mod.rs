//! From a decision to money.

pub mod simulator;
