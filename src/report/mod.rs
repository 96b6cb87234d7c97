//! What is said at the end of a run.

pub mod terminal;
