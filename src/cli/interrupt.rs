//! Ctrl-C and SIGTERM.

use super::guest;
use crate::base::failure::Failure;
use crate::base::output;
use crate::engine::status::Status;
use crossbeam_channel::{RecvTimeoutError, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{panic, thread};

/// The exit status of a program that a signal ended at once: 128 and the number of SIGINT, as shells have it.
const ENDED_AT_ONCE: i32 = 130;

/// How often somebody who waits looks whether it is set.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Decides once whether work is finished or given up.
#[derive(Clone, Debug, Default)]
pub struct Decision(Arc<AtomicBool>);

impl Decision {
    /// Whether the caller is the first to decide.
    pub fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

/// Set by the first Ctrl-C or SIGTERM; the second ends the program at once.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches for the signals from now on; on a thread that works for a host, for the host's wish.
    ///
    /// # Errors
    /// The system refuses handlers.
    pub fn watch() -> Result<Self, Failure> {
        if let Some(end) = guest::end() {
            return Ok(Self(end));
        }
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the second signal finds the flag set by the first.
            flag::register_conditional_shutdown(signal, ENDED_AT_ONCE, Arc::clone(&interrupt.0))
                .and_then(|_| flag::register(signal, Arc::clone(&interrupt.0)))
                .map_err(Failure::running)?;
        }
        Ok(interrupt)
    }

    /// The same as a flag.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Asks for the end.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked for the end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Does work on a thread of its own, to end without it when somebody asks for that: reading, writing and computing may take as
    /// long as they like. What its outputs wrote is removed then, and `None` comes back, for a program that ends. The work takes
    /// the decision before it puts an output in its place, and does not if it is too late.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn or_give_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Decision) -> T + Send + 'static,
    ) -> Result<Option<T>, Failure> {
        let (done, waiting) = bounded(1);
        let decision = Decision::default();
        let of_work = decision.clone();
        let working = thread::Builder::new().name("work".into());
        // Where nobody waits any more, nobody asks.
        let working = working.spawn(move || drop(done.send(work(&of_work)))).map_err(Failure::running)?;
        loop {
            match waiting.recv_timeout(LOOK_EVERY) {
                Ok(result) => return Ok(Some(result)),
                Err(RecvTimeoutError::Timeout) if self.is_set() && decision.take() => {
                    output::abandon();
                    return Ok(None);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => match working.join() {
                    Ok(()) => return Ok(None),
                    Err(panicked) => panic::resume_unwind(panicked),
                },
            }
        }
    }

    /// Passes the wish on to the hot threads.
    pub fn pass_on(&self, status: &Status) {
        if self.is_set() {
            status.stop();
        }
    }
}
