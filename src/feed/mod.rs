//! The feed thread: from bytes to events.

pub mod intake;
pub mod level2;
pub mod sequence;
