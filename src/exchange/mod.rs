//! A local exchange that speaks the venue's protocol, so that every machine has something real to connect to.
//!
//! ```text
//!  sockets ══ transport.rs ── connection.rs ── client.rs ──┐
//!             TLS, outbox     handshake, close  numbering  │
//!  capture ══ playback.rs ──┐                              ├── floor.rs ── event_loop.rs ── server.rs ── its starter
//!  market.rs ───────────────┴── feed.rs ── frame.rs ───────┤   requests,   one thread       handle
//!                               what falls due, books      │   frames
//!  faults.rs ── fault_plan.rs ── sabotage.rs ──────────────┘
//! ```
//!
//! [`Exchange::start`] starts one from an [`ExchangeConfig`]. Each connection has its own `sequence_num`, contiguous from
//! 0 over all channels. A level2 subscribe is answered by a snapshot and the `subscriptions` message, which lists the
//! whole set, `-USDC` products as the `-USD` twins whose data they get; a second subscribe to the same product by the
//! message alone.
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
//! for request in subscribe("BTC-USD", None, 0)? {
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

// The server.
#[cfg(feature = "cli")]
mod client;
#[cfg(feature = "cli")]
mod command;
#[cfg(feature = "cli")]
mod config;
#[cfg(feature = "cli")]
mod connection;
#[cfg(feature = "cli")]
mod depth;
#[cfg(feature = "cli")]
mod event_loop;
#[cfg(feature = "cli")]
pub mod fault_plan;
#[cfg(feature = "cli")]
pub mod faults;
#[cfg(feature = "cli")]
mod feed;
#[cfg(feature = "cli")]
mod floor;
#[cfg(feature = "cli")]
mod frame;
#[cfg(all(feature = "cli", any(test, fuzzing)))]
pub mod fuzzing;
#[cfg(feature = "cli")]
mod playback;
#[cfg(feature = "cli")]
mod product;
#[cfg(feature = "cli")]
mod request;
#[cfg(feature = "cli")]
mod sabotage;
#[cfg(feature = "cli")]
mod send_log;
#[cfg(feature = "cli")]
mod server;
#[cfg(feature = "cli")]
mod stats;
#[cfg(feature = "cli")]
mod tls;
#[cfg(feature = "cli")]
mod transport;

#[cfg(feature = "cli")]
pub use config::{ExchangeConfig, ExchangeError, Limits, Pace, SourceConfig, SpeedError, TlsFiles};
#[cfg(feature = "cli")]
pub use depth::BookState;
#[cfg(feature = "cli")]
pub use server::{Exchange, RunningExchange};
#[cfg(feature = "cli")]
pub use stats::{ExchangeStats, MessageCounts};
#[cfg(feature = "cli")]
pub use tls::CertificateError;
