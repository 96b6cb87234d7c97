//! A product that the exchange serves.

use super::depth::Depth;

/// One product that the exchange serves.
#[derive(Debug)]
pub(super) struct Product {
    pub name: String,
    pub depth: Depth,
}
