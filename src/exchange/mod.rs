//! A local exchange that speaks the venue's protocol.

pub mod fault_plan;
pub mod faults;
pub mod market;
pub mod message;
