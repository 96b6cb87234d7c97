//! Kraken's spot market, version 2 of its websocket: books of a depth, whose messages carry a checksum of what they lead to.
//!
//! Source: Kraken's "Spot websockets v2, book" and its guide to the book's checksum.

pub mod depth_book;
