//! Which way prices get worse: what the two sides of a book differ in.
//!
//! ```
//! use papertrader::market::book::direction::{Asks, Bids, Direction};
//!
//! // The better price has the smaller key.
//! assert!(Bids::key(101) < Bids::key(100));
//! assert!(Asks::key(100) < Asks::key(101));
//! assert_eq!(Bids::price_ticks(Bids::key(101)), 101);
//! ```

/// The direction in which a side's prices get worse.
pub trait Direction {
    /// Maps a price to a key: the better the price, the smaller the key. Its own inverse up to the sign.
    fn key(price_ticks: u64) -> i64;
    /// The price of a key.
    fn price_ticks(key: i64) -> u64;
}

/// Buyers: the highest price is the best.
#[derive(Debug)]
pub enum Bids {}

/// Sellers: the lowest price is the best.
#[derive(Debug)]
pub enum Asks {}

// Prices are at most COUNT_MAX = i64::MAX, so that neither the cast nor the negation overflows.
impl Direction for Bids {
    #[inline]
    fn key(price_ticks: u64) -> i64 {
        -(price_ticks as i64)
    }
    #[inline]
    fn price_ticks(key: i64) -> u64 {
        key.wrapping_neg() as u64
    }
}

impl Direction for Asks {
    #[inline]
    fn key(price_ticks: u64) -> i64 {
        price_ticks as i64
    }
    #[inline]
    fn price_ticks(key: i64) -> u64 {
        key as u64
    }
}
