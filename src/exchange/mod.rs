//! A local exchange that speaks the venue's protocol.

pub mod market;
pub mod message;
