//! What a venue takes.
//!
//! ```
//! use papertrader::execution::fees::Turnover;
//!
//! // Bought for 100 and sold for 101 at 10 basis points per side.
//! let turnover = Turnover { bought: 100.0, sold: 101.0 };
//! assert!((turnover.net(1.0, 10.0) - 0.799).abs() < 1e-12);
//! assert!((turnover.break_even_fee_bps(1.0).unwrap() - 49.75).abs() < 0.01);
//! ```

mod meter;
mod presets;
mod schedule;

pub use meter::FeeMeter;
pub use presets::{LOWEST_TAKER, PRESETS, Preset};
pub use schedule::{
    FEE_BPS_MAX, FeePlan, FeeSchedule, Liquidity, ScheduleError, TIERS_MAX, Tier, WINDOW_DAYS, WINDOW_DAYS_MAX, is_fee,
};

/// The lowest taker fee of the [`PRESETS`], basis points per side: that of [`LOWEST_TAKER`]. Passing promotions and discounts
/// for holding a venue's token are left out. Most accounts pay far more: takers of the usual venues 4 to 60 basis points.
///
/// What loses at this fee loses everywhere: no verdict calls it a gain.
pub const LOWEST_TAKER_FEE_BPS: f64 = LOWEST_TAKER.lowest_taker_bps();

/// The fee at which a run's verdict is given, basis points per side: what the user says to pay, but no less than
/// [`LOWEST_TAKER_FEE_BPS`]. All fills take from the book, so that a maker's fee or rebate is nobody's here: the
/// other executions have a report of their own.
pub fn verdict_fee_bps(fee_bps: f64) -> f64 {
    fee_bps.max(LOWEST_TAKER_FEE_BPS)
}

/// Fees per side, in basis points of the amount traded, for which the net profit is told.
pub const FEES_BPS: [f64; 6] = [0.0, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Money that went both ways, in quote currency: what a fee is taken of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Turnover {
    /// Spent on purchases.
    pub bought: f64,
    /// Received for sales.
    pub sold: f64,
}

impl Turnover {
    /// Quote currency that a fee of `fee_bps` per side takes.
    pub fn fee(self, fee_bps: f64) -> f64 {
        fee_bps / 1e4 * (self.bought + self.sold)
    }

    /// The profit that is left of `gross` after a fee of `fee_bps` per side.
    pub fn net(self, gross: f64, fee_bps: f64) -> f64 {
        gross - self.fee(fee_bps)
    }

    /// The fee per side, in basis points, that would leave nothing of `gross`; `None` where nothing was traded.
    pub fn break_even_fee_bps(self, gross: f64) -> Option<f64> {
        let amount = self.bought + self.sold;
        (amount > 0.0).then(|| 1e4 * gross / amount)
    }

    /// A profit over the amount bought, in basis points; `None` where nothing was bought.
    pub fn over_bought_bps(self, profit: f64) -> Option<f64> {
        (self.bought > 0.0).then(|| 1e4 * profit / self.bought)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_break_even_fee_leaves_nothing() {
        let turnover = Turnover { bought: 100.0, sold: 101.0 };
        assert_eq!(turnover.net(1.0, 0.0), 1.0);
        assert_eq!(turnover.fee(10.0), 0.001 * 201.0);
        assert_eq!(turnover.net(1.0, 10.0), 1.0 - 0.001 * 201.0);
        let fee_bps = turnover.break_even_fee_bps(1.0).unwrap();
        assert!(turnover.net(1.0, fee_bps).abs() < 1e-12);
        assert_eq!(turnover.over_bought_bps(1.0), Some(100.0));
        assert_eq!([-1.0, 0.0, 0.5, 5.0].map(verdict_fee_bps), [0.5, 0.5, 0.5, 5.0]);
        let nothing = Turnover::default();
        assert_eq!((nothing.break_even_fee_bps(0.0), nothing.over_bought_bps(0.0)), (None, None));
    }
}
