//! The venue's times of prints on the clock of its messages.

use crate::market::event::{FrameHead, Print};

/// A print that claims to be further than this ahead of its own message has no time that could be corrected.
const AHEAD_MAX_NS: i64 = 10_000_000_000;

/// How far the clock of the tape is ahead of that of the messages, as far as can be known: no trade is told before it happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TapeClock {
    /// Nanoseconds, never falling in a connection: the furthest that a print has been ahead of its own message.
    ahead_ns: i64,
}

impl TapeClock {
    /// When a print of that message happened, by the clock of the messages. `None` where it has no time that means anything.
    pub fn venue_ns(&mut self, print: &Print, head: &FrameHead) -> Option<i64> {
        if print.ts_event_ns == 0 {
            return None;
        }
        if head.ts_event_ns != 0 {
            let ahead_ns = print.ts_event_ns.saturating_sub(head.ts_event_ns);
            if ahead_ns > AHEAD_MAX_NS {
                return None;
            }
            self.ahead_ns = self.ahead_ns.max(ahead_ns);
        }
        Some(print.ts_event_ns.saturating_sub(self.ahead_ns))
    }

    /// How far it is ahead, nanoseconds; 0 where nothing showed that it is.
    pub fn ahead_ns(&self) -> i64 {
        self.ahead_ns
    }
}
