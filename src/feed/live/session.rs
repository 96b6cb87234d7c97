//! What the connections of a live session share.

use super::{LiveSettings, PrintsSubscribed};
use crate::base::clock::{Clock, wall_ns};
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use crate::engine::status::Status;
use crate::feed::age::VenueAges;
use crate::feed::coinbase::auth::Traces;
use crate::feed::coinbase::secrecy::without_keys;
use crate::feed::intake::Arrival;
use crate::feed::tape::Tape;
use crate::feed::wire::WireError;
use crate::handoff::Wait;
use crate::market::publish::Publish;
use crossbeam_channel::Sender;
use std::thread;
use std::time::{Duration, Instant};

/// Attempts to connect for the first time, unless the user says otherwise.
pub const FIRST_ATTEMPTS: u32 = 5;
/// The longest sleep of a blocking feed: how late it notices that it shall stop or that something is overdue.
pub(super) const SLEEP_MAX: Duration = Duration::from_millis(50);

/// What all connections of a session write to and count on.
pub(super) struct Session<'a, P> {
    pub settings: &'a LiveSettings,
    pub tape: Option<Tape>,
    pub notices: Sender<String>,
    pub clock: Clock,
    pub engine: &'a mut P,
    pub status: &'a Status,
    pub ends: Option<Instant>,
    pub messages: u64,
    pub stamped_messages: u64,
    pub venue_ages: VenueAges,
    /// Made so far.
    pub connections: u64,
    /// Those of them that were made in place of one that had ended.
    pub reconnects: u64,
    pub prints_subscribed: PrintsSubscribed,
    pub prints_refusal_told: bool,
    pub failed_attempts: u64,
    /// Links of the session, and those of them that are connected now.
    pub links: usize,
    pub links_up: usize,
    /// Finds our tokens and our key's name, which are secrets, in what the venue sends: an error message may quote the request.
    pub traces: Option<Traces>,
}

impl<P: Publish> Session<'_, P> {
    /// Waits as the feed is told to, where there is nothing to read.
    #[inline]
    pub fn wait(&self, sleep: impl FnOnce() -> Result<(), WireError>) -> Result<(), WireError> {
        match self.settings.wait {
            Wait::Spin => Ok(()),
            Wait::Yield => {
                thread::yield_now();
                Ok(())
            }
            Wait::Block => sleep(),
        }
    }

    /// Shows how many connections there were, and whether all that there should be are there.
    pub fn tell_status(&self) {
        self.status.connected(self.connections, self.reconnects, self.links_up == self.links);
    }

    /// A moment of no message's.
    pub fn now(&self) -> Arrival {
        let stamp = self.clock.stamp();
        Arrival { ts_recv_ns: wall_ns(), arrived: None, received: stamp, decoded: stamp }
    }

    /// Whether the session was stopped, or its time is up.
    pub fn is_over(&self) -> bool {
        self.status.stopping() || self.ends.is_some_and(|ends| Instant::now() >= ends)
    }

    /// Sleeps between two attempts; false when the session is over.
    pub fn sleep(&self, delay: Duration) -> bool {
        let wake = Instant::now() + delay;
        while !self.is_over() {
            let left = wake.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(SLEEP_MAX));
        }
        false
    }

    /// The venue does not serve the prints: says so once.
    #[cold]
    pub fn tell_refusal(&mut self, text: &str) {
        self.prints_subscribed.refusals += 1;
        if !self.prints_refusal_told {
            self.prints_refusal_told = true;
            let text = without_keys(text);
            let text = quote(&text, QUOTE_CHARS_MAX);
            self.notice(format_args!("no prints, the book goes on: the venue says '{text}'"));
        }
    }

    /// Says something to whoever listens.
    pub fn notice(&self, text: std::fmt::Arguments<'_>) {
        // Nobody has to listen, and nobody listens any more when the program ends.
        let _ = self.notices.try_send(text.to_string());
    }
}
