//! When a product's book is subscribed to again, on a connection whose other books are good.
//!
//! The venue sends a snapshot for a subscription, and does not say whether for a second one on the same connection too. So the
//! book is asked for once more; where no snapshot comes of it, a new connection is made, once. A product that has none even then
//! is asked for now and then, and costs the others nothing more.

use super::backoff::Backoff;
use std::time::{Duration, Instant};

/// What is planned for one product.
#[derive(Debug)]
pub(super) struct Again {
    backoff: Backoff,
    /// When the request goes out.
    due: Option<Instant>,
    /// When the last one went, or the connection was made.
    asked: Instant,
    /// The snapshots that the product had had when it was asked for last on this connection.
    asked_after: Option<u64>,
    /// Those that it had had when it cost a connection.
    cost_after: Option<u64>,
}

impl Again {
    /// Nothing is planned.
    pub fn new(backoff: Backoff) -> Self {
        Self { backoff, due: None, asked: Instant::now(), asked_after: None, cost_after: None }
    }

    /// A connection was made, and the book subscribed to.
    pub fn connected(&mut self) {
        (self.due, self.asked, self.asked_after) = (None, Instant::now(), None);
    }

    /// The book was lost after so many snapshots. Says whether and when the request is now planned; `None` if it was before, or
    /// its answer is still awaited.
    pub fn lost(&mut self, snapshots: u64) -> Option<Duration> {
        if self.due.is_some() || self.asked_after == Some(snapshots) {
            return None;
        }
        Some(self.plan())
    }

    fn plan(&mut self) -> Duration {
        let now = Instant::now();
        self.backoff.session_ended(now.saturating_duration_since(self.asked));
        let delay = self.backoff.next_delay();
        self.due = Some(now + delay);
        delay
    }

    /// No snapshot came in time, after so many before. Plans another request where that is all that can be done; else the
    /// connection is to end, which is not asked for again until a snapshot has come.
    pub fn overdue(&mut self, snapshots: u64) -> Verdict {
        let was_asked_for = self.asked_after == Some(snapshots);
        if was_asked_for && self.cost_after != Some(snapshots) {
            self.cost_after = Some(snapshots);
            return Verdict::Reconnect;
        }
        self.plan();
        Verdict::Ask
    }

    /// Whether a request waits for its time.
    pub fn is_planned(&self) -> bool {
        self.due.is_some()
    }

    /// Whether the request is to go out now.
    pub fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }

    /// The request went out, after so many snapshots.
    pub fn asked(&mut self, snapshots: u64) {
        (self.due, self.asked, self.asked_after) = (None, Instant::now(), Some(snapshots));
    }
}

/// What is to be done about a product without a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is asked for again.
    Ask,
    /// The connection is to end.
    Reconnect,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again() -> Again {
        Again::new(Backoff::between(7, Duration::ZERO, Duration::ZERO))
    }

    #[test]
    fn a_lost_book_is_asked_for_once_per_snapshot() {
        let mut again = again();
        assert!(!again.is_planned());
        assert!(again.lost(1).is_some() && again.lost(1).is_none() && again.is_due());
        again.asked(1);
        // Whatever comes of the old stream meanwhile.
        assert!(!again.is_planned() && again.lost(1).is_none());
        assert!(again.lost(2).is_some());
        again.connected();
        assert!(!again.is_planned() && again.lost(2).is_some());
    }

    #[test]
    fn a_product_costs_a_connection_once() {
        let mut again = again();
        // The connection's own subscription had no answer.
        assert_eq!(again.overdue(0), Verdict::Ask);
        again.asked(0);
        assert_eq!(again.overdue(0), Verdict::Reconnect);
        again.connected();
        for _ in 0..3 {
            assert_eq!(again.overdue(0), Verdict::Ask);
            again.asked(0);
        }
        // A snapshot came, and then none.
        assert_eq!(again.overdue(1), Verdict::Ask);
        again.asked(1);
        assert_eq!(again.overdue(1), Verdict::Reconnect);
    }

    #[test]
    fn delays_grow_while_a_book_is_lost_again_and_again() {
        let mut again = Again::new(Backoff::new(7));
        let delays: Vec<Duration> = (1..5)
            .map(|snapshots| {
                let delay = again.lost(snapshots).expect("planned");
                again.asked(snapshots);
                delay
            })
            .collect();
        assert!(delays.is_sorted() && delays[0] < Duration::from_secs(2) && delays[3] >= Duration::from_secs(8));
    }
}
