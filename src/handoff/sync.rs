//! What [`super::wait`] needs of the system. `tests/handoff_model` puts a model of it in its place.

pub use std::hint::spin_loop;
pub use std::sync::OnceLock;
pub use std::sync::atomic::{AtomicBool, Ordering, fence};
pub use std::thread::{Thread, current, park_timeout, sleep, yield_now};

/// Looks before a blocking thread goes to sleep: what comes in a burst is taken without a wake-up.
pub const LOOKS_BEFORE_SLEEP: u32 = 256;
