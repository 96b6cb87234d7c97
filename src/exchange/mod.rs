//! A local exchange that speaks the venue's protocol, so that every machine has something real to connect to.
//!
//! The synthetic market and the messages are there for any user of the library; the server needs the feature `cli`.
//!
//! ```
//! # #[cfg(feature = "cli")] {
//! use papertrader::base::clock::Clock;
//! use papertrader::exchange::{Exchange, ExchangeConfig};
//! use papertrader::feed::coinbase::subscription::subscribe;
//! use papertrader::feed::wire::{Connector, Received, WireConfig};
//! use std::sync::atomic::AtomicBool;
//! use std::time::Duration;
//!
//! let exchange = Exchange::start(ExchangeConfig::default())?;
//! let connector = Connector::new(&WireConfig::new(exchange.url()))?;
//! let mut wire = connector.connect(&Clock::new(), &AtomicBool::new(false))?;
//! for request in subscribe(&["BTC-USD"], false, None, 0)? {
//!     wire.send_text(&request)?;
//! }
//! let snapshot = loop {
//!     match wire.next_message()? {
//!         Some(Received::Text { text, .. }) => break text.to_owned(),
//!         Some(Received::Closed { .. }) => unreachable!("the exchange goes on"),
//!         None => wire.wait(Duration::from_millis(50))?,
//!     }
//! };
//! assert!(snapshot.contains(r#""sequence_num":0,"events":[{"type":"snapshot","product_id":"BTC-USD""#));
//! assert!(wire.close(Duration::from_secs(5)));
//! assert_eq!(exchange.stop()?.sent.snapshots, 1);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod market;
pub mod message;
pub mod reencode;

#[cfg(feature = "cli")]
mod server;
#[cfg(feature = "cli")]
pub use server::*;
