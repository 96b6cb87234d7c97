//! The exchange's server: one thread that serves sockets, market and faults.
//!
//! ```text
//!  sockets ══ transport.rs ── connection.rs ── client.rs ──┐
//!             TLS, outbox     handshake, close  numbering  │
//!  capture ══ playback.rs ──┐                              ├── floor.rs ── event_loop.rs ── handle.rs ── its starter
//!  market.rs ───────────────┴── feed.rs ── frame.rs ───────┤   requests,   one thread       handle
//!                               what falls due, books      │   frames
//!  faults.rs ── fault_plan.rs ── sabotage.rs ──────────────┘
//! ```
//!
//! [`Exchange::start`] starts one from an [`ExchangeConfig`]. Each connection has its own `sequence_num`, contiguous from
//! 0 over all channels. A level2 subscribe is answered by a snapshot and the `subscriptions` message, which lists the
//! whole set, `-USDC` products as the `-USD` twins whose data they get; a second subscribe to the same product by the
//! message alone. As the venue does it today, the message comes a few updates after the snapshot
//! (`acknowledgements.rs`).

mod acknowledgements;
mod client;
mod command;
mod config;
mod connection;
mod depth;
mod event_loop;
pub mod fault_plan;
pub mod faults;
mod feed;
mod floor;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod handle;
mod playback;
mod product;
mod request;
mod sabotage;
mod send_log;
mod stats;
mod tls;
mod transport;

pub use config::{ExchangeConfig, ExchangeError, Limits, Pace, SourceConfig, SpeedError, TlsFiles};
pub use depth::BookState;
pub use handle::{Exchange, RunningExchange};
pub use stats::{ExchangeStats, MessageCounts};
pub use tls::CertificateError;
