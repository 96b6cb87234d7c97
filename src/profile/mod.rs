//! The latency profile: frames in memory, presented by a schedule fixed beforehand.
//!
//! The feeder is an open loop: a frame is due at its time whether or not the ones before are done, and its latency counts
//! from then. A stall is so seen by every frame that it delays; a feeder that waited for its turn would see it once
//! (coordinated omission: G. Tene, "How NOT to Measure Latency", 2013).
//!
//! A frame that is waited for is brought into the caches first, where the read that receives it from a socket leaves it. One that
//! is late already comes from memory.

mod feeder;
mod frames;
mod noise;
mod ping_pong;

pub use feeder::{Feeder, Presented};
pub use frames::{BYTES_MAX, Frames, FramesError};
pub use noise::{Noise, NoiseMeter};
pub use ping_pong::ping_pong_ns;
