//! The latency profile: frames in memory, presented by a schedule fixed beforehand.
//!
//! The feeder is an open loop: a frame is due at its time whether or not the ones before are done, and its latency counts
//! from then. A stall is so seen by every frame that it delays; a feeder that waited for its turn would see it once
//! (coordinated omission: G. Tene, "How NOT to Measure Latency", 2013).
//!
//! A frame that is waited for is brought into the caches first, where the read that receives it from a socket leaves it. One that
//! is late already comes from memory.
//!
//! ```
//! use papertrader::engine::status::Status;
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::profile::{Feeder, Frames};
//! use papertrader::research::source::Nobody;
//! use papertrader::run::session::Feed;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // A snapshot and 99 updates of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let capture = synthetic::capture(folder.path(), 100)?;
//! let frames = Arc::new(Frames::read(&capture, "BTC-USD")?);
//! assert_eq!(frames.len(), 100);
//!
//! let feeder = Feeder { frames, rule: ScaleRule::default(), rate: 1_000, duration: Duration::from_millis(50) };
//! let presented = feeder.run(&mut Nobody, &Status::default());
//! assert_eq!(presented.due, 50);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod feeder;
mod frames;
mod noise;
mod ping_pong;

pub use feeder::{DURATION_MAX, Feeder, Presented};
pub use frames::{BYTES_MAX, Frames, FramesError};
pub use noise::{Noise, NoiseMeter};
pub use ping_pong::ping_pong_ns;
