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
