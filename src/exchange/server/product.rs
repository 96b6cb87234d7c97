//! A product that the exchange serves.

use super::depth::Depth;
use crate::exchange::market::TRADES_BEFORE;
use std::collections::VecDeque;

/// One product that the exchange serves.
#[derive(Debug)]
pub(super) struct Product {
    pub name: String,
    pub depth: Depth,
    /// The last prints as JSON, newest first; at most [`TRADES_BEFORE`].
    pub prints: VecDeque<Box<[u8]>>,
}

impl Product {
    /// One without a book yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), depth: Depth::default(), prints: VecDeque::new() }
    }

    /// Takes note of a print.
    pub fn push_print(&mut self, json: &[u8]) {
        self.prints.truncate(TRADES_BEFORE - 1);
        self.prints.push_front(json.into());
    }
}
