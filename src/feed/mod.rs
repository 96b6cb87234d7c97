//! The feed thread: from bytes to events.
//!
//! ```
//! use papertrader::feed::coinbase::level2::{BookPart, Parser};
//! use papertrader::feed::coinbase::sequence::Sequence;
//! use papertrader::market::event::FrameKind;
//! use papertrader::market::units::Scale;
//!
//! let text = br#"{"channel":"l2_data","timestamp":"2024-08-09T00:00:00Z","sequence_num":0,"events":[
//!     {"type":"snapshot","product_id":"BTC-USD","updates":[
//!     {"side":"bid","price_level":"61830.17","new_quantity":"0.5"}]}]}"#;
//! let mut levels = Vec::new();
//! let scale = Scale { price_decimals: 2, size_decimals: 8 };
//! let message = Parser::new("BTC-USD").parse(text, scale, &mut levels)?;
//! assert_eq!(message.book, BookPart::Frame(FrameKind::Snapshot));
//! assert_eq!(levels[0].price_ticks(), 6_183_017);
//!
//! let mut sequence = Sequence::default();
//! sequence.connected();
//! assert_eq!(sequence.check(message.sequence_num.expect("level2 messages are numbered")), Ok(()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod again;
pub mod age;
pub mod backoff;
pub mod breaks;
pub mod coinbase;
mod counts;
pub mod intake;
pub mod intakes;
pub mod kraken;
pub mod live;
pub mod prints;
pub mod tape;
pub mod vitals;
pub mod wire;
