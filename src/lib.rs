//! Paper trading for machine-learning models of market microstructure: an exact order book, a model, an execution.
//!
//! A market goes through the whole path here. It is the synthetic one, written to a capture and replayed:
//!
//! ```
//! use papertrader::base::{clock::Speed, cores::Pins};
//! use papertrader::capture::{CaptureWriter, replay::Replay};
//! use papertrader::exchange::market::{MarketConfig, SyntheticMarket};
//! use papertrader::exchange::message::{L2Kind, l2_data};
//! use papertrader::execution::rules::OriginalRules;
//! use papertrader::run::session::{self, Strategy, StrategySettings, ThreadSettings};
//! use papertrader::{feed::intake::ScaleRule, handoff::Wait, run::files::RunFiles, strategy::model::Model};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.zst");
//! let config = MarketConfig { snapshot_levels: 500, ..MarketConfig::default() };
//! let (mut market, mut capture) = (SyntheticMarket::new(&config), CaptureWriter::create(&path)?);
//! let (mut levels, mut message) = (Vec::new(), Vec::new());
//! market.snapshot(&mut levels);
//! for number in 0..1_000 {
//!     let kind = if number == 0 { L2Kind::Snapshot } else { L2Kind::Update };
//!     l2_data(&mut message, kind, &config.product, number, market.now_ns(), config.scale, &levels);
//!     capture.frame(market.now_ns(), &message)?;
//!     market.next_frame(&mut levels);
//! }
//! capture.finish()?;
//!
//! // Buys where bids outweigh asks, and sells 20 updates later.
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#;
//! let model = Model::parse("imbalance.json".as_ref(), text)?;
//! let rules = OriginalRules { threshold_logit: 0.4, lag_updates: 20, buy_amount: 100.0 };
//! let settings = StrategySettings { model: model.into(), rules, observe: false, accounts: None };
//! let threads = ThreadSettings { pins: Pins::Anywhere, fused: false, wait: Wait::Block };
//! let files = RunFiles::create(folder.path(), &config.product, None)?;
//! let replay = Replay::open(&path, None, ScaleRule::default(), Speed::Max)?;
//! let strategies = [Strategy { settings: &settings, files: &files, product: 0 }];
//! let report = session::run(&threads, &strategies, &Default::default(), replay, |_| {})?;
//! assert_eq!(report.engine().counts.frames, 1_000);
//! assert!(report.engine().trader().totals.trades > 0 && files.csv.exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules
//!
//! From the top down; each module uses only those below it:
//!
//! | module | what it holds |
//! | --- | --- |
//! | `cli` | the command line and its commands |
//! | `report` | what is shown after a run: HTML page, `RUN.json`, terminal |
//! | [`sweep`] | many settings over many captures |
//! | [`results`] | a run's logs read back, and what they come to |
//! | [`research`] | from captures to a trained and evaluated model |
//! | [`profile`] | latency at fixed frame rates |
//! | [`exchange`] | the synthetic market and the venue's messages; with the feature `cli` a local exchange |
//! | [`sources`] | other people's formats |
//! | [`capture`] | recording to files and replay from them |
//! | [`feed`] | from the socket to parsed frames |
//! | [`run`] | the threads of a session and the files that it writes |
//! | [`engine`] | a book and its traders, frame by frame |
//! | [`strategy`] | features and models |
//! | [`execution`] | from a decision to money: rules, fills, ledger, fees |
//! | [`handoff`] | the ring between feed thread and engine thread |
//! | [`market`] | units, frames, the order book |
//! | [`statistics`] | labels, metrics, bootstrap intervals |
//! | [`base`] | clocks, cores, files, failures |
//!
//! The Cargo feature `cli`, on by default, adds `cli`, `report` and the local exchange.
//!
//! # The path of a message
//!
//! ```text
//!            feed thread (core A)                                  engine thread (core B)
//! socket ─▶ TLS ─▶ websocket ─▶ level2 parse ─▶ ring ─▶ book ─▶ features ─▶ model ─▶ execution ─▶ trade ring
//!            feed::wire          feed::coinbase handoff  market   strategy           execution        │
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

pub mod sweep;

pub mod results;

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

pub mod sources;
pub mod statistics;

pub mod base;
