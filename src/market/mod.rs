//! What a market is: its units, the events of its frames, its book.
//!
//! ```
//! use papertrader::market::book::Book;
//! use papertrader::market::event::{Event, Fault};
//! use papertrader::market::units::{Scale, Side, parse_count};
//!
//! let scale = Scale { price_decimals: 2, size_decimals: 8 };
//! let price_ticks = parse_count(b"61830.17", scale.price_decimals).unwrap();
//! let size_lots = parse_count(b"0.5", scale.size_decimals).unwrap();
//!
//! let mut book = Book::default();
//! book.begin_snapshot(scale);
//! book.stage(&[Event::level(Side::Bid, price_ticks, size_lots)]);
//! book.end_snapshot()?;
//! assert_eq!(book.bids().best().map(|level| level.price_ticks), Some(6_183_017));
//! # Ok::<(), Fault>(())
//! ```

pub mod book;
pub mod event;
pub mod prints;
pub mod publish;
pub mod units;
