//! Paper trading for models of market microstructure.
//!
//! The way of one message, which is the order of the modules:
//!
//! ```text
//!            feed thread (core A)                                  engine thread (core B)
//! socket ─▶ TLS ─▶ websocket ─▶ level2 parse ─▶ ring ─▶ book ─▶ features ─▶ model ─▶ simulator ─▶ trade ring
//!            feed::wire          feed::level2  handoff  book    features   model   simulator        │
//!                                feed::intake           engine                           writer thread ─▶ CSV
//! ```
//!
//! Live sessions and replays differ only in where the messages come from ([`feed::wire`] or [`capture`]); what was
//! recorded, trained or profiled is exactly what trades.

// Words that everything uses.
pub mod base;
pub mod execution;
pub mod market;
pub mod run;
pub mod statistics;
pub mod strategy;

// From the wire to the ring.
pub mod feed;
pub mod handoff;

// From the ring to the decision.
pub mod engine;

// Behind the hot path, and around it.
pub mod capture;
pub mod profile;

// A market to connect to.
pub mod exchange;

// The program.
pub mod cli;
pub mod report;
pub mod research;
