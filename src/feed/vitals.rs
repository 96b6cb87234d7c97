//! Whether a connection is alive: what has come over it, and what is overdue.
//!
//! ```
//! use papertrader::feed::vitals::Patience;
//! use std::time::Duration;
//!
//! // A product that trades rarely may be silent for longer.
//! let patience = Patience { stale_after: Duration::from_secs(600), ..Patience::default() };
//! assert!(patience.heartbeat < patience.snapshot && patience.snapshot < patience.stale_after);
//! ```

use crate::base::clock::Clock;
use crate::market::event::Fault;
use std::time::Duration;

/// How long the session waits before it gives a connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the subscription to the snapshot, and to its acknowledgement.
    pub snapshot: Duration,
    /// From heartbeat to heartbeat; the venue sends one a second.
    pub heartbeat: Duration,
    /// Without any byte.
    pub bytes: Duration,
    /// Without a frame of the product although heartbeats come.
    pub stale_after: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            snapshot: Duration::from_secs(10),
            heartbeat: Duration::from_secs(5),
            bytes: Duration::from_secs(10),
            stale_after: Duration::from_secs(30),
        }
    }
}

/// What has come over the connection in hand, and when, in stamps.
#[derive(Debug)]
pub(super) struct Vitals {
    subscribed: u64,
    pub acknowledged: bool,
    pub heartbeat: u64,
    /// The last frame of the product.
    pub frame: u64,
}

impl Vitals {
    /// Of a connection over which the subscription went just now.
    pub fn new(now: u64) -> Self {
        Self { subscribed: now, acknowledged: false, heartbeat: now, frame: now }
    }

    /// What is overdue, if anything is; `bytes` is the stamp of the last byte.
    pub fn overdue(&self, patience: &Patience, clock: &Clock, synced: bool, bytes: u64) -> Option<(Fault, String)> {
        let now = clock.stamp();
        let late = |since: u64, limit: Duration| Duration::from_nanos(clock.between_ns(since, now)) > limit;
        if late(bytes, patience.bytes) {
            return Some((Fault::NoBytes, format!("no bytes for {:?}", patience.bytes)));
        }
        if late(self.heartbeat, patience.heartbeat) {
            return Some((Fault::NoHeartbeat, format!("no heartbeat for {:?}", patience.heartbeat)));
        }
        if !synced && late(self.subscribed, patience.snapshot) {
            return Some((Fault::NoSnapshot, format!("no snapshot {:?} after subscribing", patience.snapshot)));
        }
        if !self.acknowledged && late(self.subscribed, patience.snapshot) {
            let text = format!("no acknowledgement {:?} after subscribing", patience.snapshot);
            return Some((Fault::SubscriptionRefused, text));
        }
        if synced && late(self.frame, patience.stale_after) {
            return Some((Fault::StaleProduct, format!("no frame of the product for {:?}", patience.stale_after)));
        }
        None
    }
}
