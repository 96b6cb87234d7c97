//! The feed: from the socket to events.

pub mod auth;
pub mod backoff;
pub mod wire;
