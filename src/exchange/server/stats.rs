//! What an exchange has done so far.

use super::faults::FaultKind;
use crate::market::event::FaultCounts;
use std::collections::BTreeMap;
use std::time::Duration;

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeStats {
    /// Connections now, in whatever state.
    pub clients: usize,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed unheard because there were too many.
    pub refused: u64,
    /// TLS or websocket handshakes that failed or took too long, those that a fault spoiled included.
    pub handshakes_failed: u64,
    /// Connections closed because nothing was subscribed to in time.
    pub no_subscribe: u64,
    /// Clients disconnected because they did not read fast enough.
    pub slow_clients: u64,
    /// Level2 frames of the market, over all products, whether or not a client received them.
    pub market_frames: u64,
    /// Messages by type, over all clients.
    pub sent: MessageCounts,
    /// Bytes given to the sockets, or to TLS before them.
    pub bytes_sent: u64,
    /// The latest that a paced frame came after it fell due.
    pub behind_max: Duration,
    /// Levels of a capture whose price, size or side cannot be: served, but not in the exchange's book.
    pub levels_refused: u64,
    /// What a capture lacks: gaps and repeats of its own numbers, frames that cannot be read, connections that ended. What is
    /// served is numbered anew, so that clients do not see it.
    pub recording_faults: FaultCounts,
    /// The source has no more frames.
    pub source_ended: bool,
    /// Why a capture ended before its end.
    pub source_error: Option<String>,
    /// How often each fault struck.
    pub faults: BTreeMap<FaultKind, u64>,
}

/// Messages sent, by type. What a fault adds, spoils or withholds is not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// Snapshots in answer to a subscribe.
    pub snapshots: u64,
    /// Level2 frames of the market.
    pub updates: u64,
    /// Messages of prints, those in answer to a subscribe included.
    pub prints: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// Acknowledgements.
    pub subscriptions: u64,
    /// Errors in answer to bad requests.
    pub errors: u64,
}
