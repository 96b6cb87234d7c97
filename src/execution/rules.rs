//! What decides: when to buy and when to sell.
//!
//! ```
//! use papertrader::execution::rules::OriginalRules;
//!
//! let rules = OriginalRules { threshold_logit: 0.4, lag_updates: 20, buy_amount: 100.0 };
//! assert!(rules.wants(0.4) && !rules.wants(0.3) && !rules.wants(f64::NAN));
//! ```

/// The longest holding time in updates.
pub const LAG_MAX: u32 = 1_000_000;

/// The original program's rules: buy on confidence, sell a fixed number of updates later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OriginalRules {
    /// The logit from which to buy.
    pub threshold_logit: f64,
    /// Updates from purchase to sale, at most [`LAG_MAX`].
    pub lag_updates: u32,
    /// Quote currency spent per purchase.
    pub buy_amount: f64,
}

impl OriginalRules {
    /// Whether a logit asks for a purchase.
    #[inline]
    pub fn wants(&self, logit: f64) -> bool {
        logit >= self.threshold_logit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_included() {
        let rules = OriginalRules { threshold_logit: 0.0, lag_updates: 2, buy_amount: 100.0 };
        assert!(rules.wants(0.0));
        assert!(!rules.wants(-1e-9));
        assert!(!rules.wants(f64::NAN));
    }
}
