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

// Both panic where nobody reads: `cli::printer` and `cli::display` do not.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

// Each room imports only rooms below it (`tests/rooms.rs`).

// What people use.
#[cfg(feature = "cli")]
pub mod cli;

#[cfg(feature = "cli")]
pub mod report;

pub mod research;

pub mod profile;

pub mod exchange;

// From the wire to the ring.
pub mod capture;

pub mod feed;

// From the ring to money, and what it leaves.
pub mod run;

pub mod engine;

pub mod strategy;

pub mod execution;

pub mod handoff;

// Words that everything uses.
pub mod market;

pub mod statistics;

pub mod base;
