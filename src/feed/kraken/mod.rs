//! Kraken's spot market, version 2 of its websocket: books of a depth, whose messages carry a checksum of what they lead to.
//!
//! Source: Kraken's documents, "Spot websockets v2: book" and the guide to its checksum.
//!
//! ```
//! use papertrader::feed::kraken::depth_book::{DEPTHS, DepthBook};
//! use papertrader::market::units::Side;
//!
//! // A subscription to ten levels of a side; prices of one decimal, sizes of eight.
//! let mut book = DepthBook::new(DEPTHS[0]);
//! book.set(Side::Ask, 788_716, 421_103_066);
//! book.set(Side::Bid, 788_715, 1_266_503);
//! assert_eq!(book.checksum(), crc32fast::hash(b"7887164211030667887151266503"));
//! ```

pub mod depth_book;
