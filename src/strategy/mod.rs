//! From a book to a decision: features and models.

pub mod features;
pub mod model;
