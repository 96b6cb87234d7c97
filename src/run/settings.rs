//! What a trading session is told, whatever its feed.

use crate::base::cores::Pins;
use crate::handoff::Wait;
use crate::run::session::SessionSettings;

/// Everything that a trading session needs but its feed.
#[derive(Clone, Debug)]
pub struct TradingSettings {
    /// For the session.
    pub session: SessionSettings,
    /// The probability from which to buy.
    pub threshold: f64,
    /// Fee per side in basis points.
    pub fee_bps: f64,
}

impl TradingSettings {
    /// For a session that waits for a socket. If it sleeps, unpinned, until there is something to read, feed and engine
    /// share a thread: waking a second one takes longer than the work that it would do. (Measured over loopback on two
    /// cores, 2,000 frames/s, busy machine, p50 from send to decision: 1.4 times that of a receiver that does nothing
    /// with two threads, 1.0 times with one.)
    #[must_use]
    pub fn for_a_socket(mut self) -> Self {
        self.session.fused |= self.session.wait == Wait::Block && self.session.pins == Pins::Anywhere;
        self
    }
}
