//! The feed thread: from bytes to events.

pub mod level2;
