//! Ctrl-C and SIGTERM.

use crate::base::failure::Failure;
use crate::engine::status::Status;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a program that a signal ended at once: 128 and the number of SIGINT, as shells have it.
const ENDED_AT_ONCE: i32 = 130;

/// Set by the first Ctrl-C or SIGTERM; the second ends the program at once.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches for the signals from now on.
    ///
    /// # Errors
    /// The system refuses handlers.
    pub fn watch() -> Result<Self, Failure> {
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the second signal finds the flag set by the first.
            flag::register_conditional_shutdown(signal, ENDED_AT_ONCE, Arc::clone(&interrupt.0))
                .and_then(|_| flag::register(signal, Arc::clone(&interrupt.0)))
                .map_err(Failure::running)?;
        }
        Ok(interrupt)
    }

    /// Whether somebody asked for the end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Passes the wish on to the hot threads.
    pub fn pass_on(&self, status: &Status) {
        if self.is_set() {
            status.stop();
        }
    }
}
