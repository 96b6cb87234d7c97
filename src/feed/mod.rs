//! The feed thread: from bytes to events.

pub mod auth;
pub mod backoff;
pub mod intake;
pub mod level2;
pub mod live;
pub mod sequence;
pub mod subscription;
pub mod vitals;
pub mod wire;
