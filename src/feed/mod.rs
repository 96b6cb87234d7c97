//! The feed: from the socket to events.

pub mod wire;
