//! The feed thread: from bytes to events.

pub mod backoff;
pub mod coinbase;
pub mod intake;
pub mod live;
pub mod tape;
pub mod vitals;
pub mod wire;
