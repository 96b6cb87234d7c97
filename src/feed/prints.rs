//! Whether the tape is whole: a venue numbers a product's trades one by one, so that lost prints are seen.
//!
//! ```
//! use papertrader::feed::prints::Continuity;
//!
//! let mut tape = Continuity::default();
//! assert!(tape.is_new(7) && tape.is_new(8));
//! // 9 and 10 never come, and 8 comes again.
//! assert!(tape.is_new(11) && !tape.is_new(8));
//! assert_eq!((tape.lost(), tape.repeated()), (2, 1));
//! ```

/// Follows the numbers of a product's trades.
#[derive(Clone, Copy, Debug, Default)]
pub struct Continuity {
    /// The greatest number seen; 0 before any.
    last_trade_id: u64,
    lost: u64,
    repeated: u64,
}

impl Continuity {
    /// Takes any number next, as when a recording begins again.
    pub fn begin_again(&mut self) {
        self.last_trade_id = 0;
    }

    /// Whether a print has not been seen before; the trades between it and the last one are counted as lost. One without a
    /// number, 0, is taken for new.
    pub fn is_new(&mut self, trade_id: u64) -> bool {
        if trade_id == 0 {
            return true;
        }
        if trade_id <= self.last_trade_id {
            self.repeated += 1;
            return false;
        }
        if self.last_trade_id > 0 {
            self.lost = self.lost.saturating_add(trade_id - self.last_trade_id - 1);
        }
        self.last_trade_id = trade_id;
        true
    }

    /// Takes note of the venue's newest trade before a subscription: what came since the last print was never sent.
    pub fn subscribed_after(&mut self, trade_id: u64) {
        if trade_id > self.last_trade_id {
            if self.last_trade_id > 0 {
                self.lost = self.lost.saturating_add(trade_id - self.last_trade_id);
            }
            self.last_trade_id = trade_id;
        }
    }

    /// Trades whose prints never came.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Prints that came more than once; the first counts.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_between_two_subscriptions_is_lost() {
        let mut tape = Continuity::default();
        tape.subscribed_after(100);
        assert!(tape.is_new(101));
        tape.subscribed_after(105);
        assert!(tape.is_new(106));
        assert_eq!(tape.lost(), 4);
        // An older snapshot, as one that came late.
        tape.subscribed_after(90);
        assert!(tape.is_new(107));
        assert_eq!((tape.lost(), tape.repeated()), (4, 0));
    }

    #[test]
    fn numbers_at_the_ends_of_their_range_do_no_harm() {
        let mut tape = Continuity::default();
        assert!(tape.is_new(0) && tape.is_new(1) && tape.is_new(u64::MAX) && !tape.is_new(u64::MAX));
        tape.begin_again();
        assert!(tape.is_new(5));
        tape.subscribed_after(u64::MAX);
        assert_eq!(tape.lost(), u64::MAX);
    }
}
