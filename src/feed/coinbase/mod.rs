//! Coinbase Advanced Trade: its messages, its counter, its subscriptions and keys.
//!
//! ```
//! use papertrader::feed::coinbase::level2::{Channel, Parser};
//! use papertrader::feed::coinbase::subscription;
//! use papertrader::market::units::Scale;
//!
//! let requests = subscription::subscribe(&["BTC-USD"], false, None, 0)?;
//! assert_eq!(requests[0], r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}"#);
//! assert_eq!(requests[1], r#"{"type":"subscribe","channel":"heartbeats"}"#);
//!
//! let text = br#"{"channel":"subscriptions","sequence_num":1,"events":[{"subscriptions":{"level2":["BTC-USD"]}}]}"#;
//! let message = Parser::new("BTC-USD").parse(text, Scale::default(), &mut Vec::new())?;
//! assert_eq!((message.channel, message.sequence_num), (Channel::Subscriptions, Some(1)));
//! assert_eq!(subscription::acknowledged(text, "BTC-USD"), subscription::Acknowledged::Yes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod auth;
pub mod level2;
pub mod pieces;
pub mod secrecy;
pub mod sequence;
pub mod subscription;
pub mod whose;
