//! What a size of an order means and which sizes and prices there are.
//!
//! ```
//! use papertrader::execution::contract::{Contract, Increments};
//!
//! // Ten contracts of 100 quote units at 50 and 40: worth 20 and 25 base units.
//! let inverse = Contract::Inverse { size: 100.0 };
//! assert_eq!((inverse.value(50.0, 10.0), inverse.value(40.0, 10.0)), (20.0, 25.0));
//! // Who bought at 40 and sold at 50 has won five.
//! assert_eq!(inverse.profit(25.0, 20.0), 5.0);
//!
//! let steps = Increments { lot: Some(0.1), ..Increments::default() };
//! assert!((steps.size_down(0.37) - 0.3).abs() < 1e-12);
//! ```

use super::fill::ROUNDING;
use crate::market::units::{COUNT_MAX, Scale, Side};

/// What a unit of size is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Contract {
    /// So many base units, paid in quote currency. Spot is linear with size 1.
    Linear {
        /// Base units.
        size: f64,
    },
    /// So many quote units, paid in base currency.
    Inverse {
        /// Quote units.
        size: f64,
    },
}

impl Default for Contract {
    fn default() -> Self {
        Self::Linear { size: 1.0 }
    }
}

impl Contract {
    /// What `volume` units of size are worth at a price: quote currency for a linear contract, base currency for an inverse one.
    #[inline]
    pub fn value(self, price: f64, volume: f64) -> f64 {
        match self {
            Self::Linear { size } => price * volume * size,
            Self::Inverse { size } => volume * size / price,
        }
    }

    /// A value in quote currency, which an inverse contract has by its volume alone.
    #[inline]
    pub fn quote_value(self, value: f64, volume: f64) -> f64 {
        match self {
            Self::Linear { .. } => value,
            Self::Inverse { size } => volume * size,
        }
    }

    /// What who bought for one value and sold for the other has won, before fees.
    #[inline]
    pub fn profit(self, bought: f64, sold: f64) -> f64 {
        match self {
            Self::Linear { .. } => sold - bought,
            Self::Inverse { .. } => bought - sold,
        }
    }

    /// The volume that an amount of quote currency is at a price.
    pub fn volume(self, amount: f64, price: f64) -> f64 {
        match self {
            Self::Linear { size } => amount / size / price,
            Self::Inverse { size } => amount / size,
        }
    }
}

/// Lots beyond which a number of them is not exact.
const LOTS_MAX: f64 = 9_007_199_254_740_992.0;

/// Which sizes and prices a venue takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Increments {
    /// Sizes are multiples of this; any size where it is `None`.
    pub lot: Option<f64>,
    /// Prices of resting orders are multiples of this, in quote units; any tick of the book where it is `None`.
    pub tick: Option<f64>,
    /// The least size.
    pub size_min: f64,
    /// The least value.
    pub value_min: f64,
}

impl Increments {
    /// The greatest size that is not above `volume`.
    #[inline]
    pub fn size_down(&self, volume: f64) -> f64 {
        match self.lot {
            None => volume,
            // Of so many lots one more is less than rounding.
            Some(lot) if volume / lot >= LOTS_MAX => volume,
            // Quotients of decimal fractions miss whole numbers by a little.
            Some(lot) => (volume / lot * (1.0 + ROUNDING) + ROUNDING).floor() * lot,
        }
    }

    /// The greatest number of the book's lots that is not above `volume` and a size that the venue takes; 0 where there is none.
    #[inline]
    pub fn lots_down(&self, volume: f64, scale: Scale) -> u64 {
        let lots = volume * scale.lots_per_unit();
        // The cast saturates.
        let lots = ((lots * (1.0 + ROUNDING) + 1e-9).floor() as u64).min(COUNT_MAX);
        match self.lot.map(|lot| common_step(lot * scale.lots_per_unit())) {
            None => lots,
            Some(Some(step)) => lots / step * step,
            Some(None) => 0,
        }
    }

    /// The price for an order that rests on `side`: down for who buys, up for who sells. `None` where no tick of the book is one
    /// that the venue takes.
    #[inline]
    pub fn price(&self, side: Side, price_ticks: u64, scale: Scale) -> Option<u64> {
        let step = self.tick.map_or(Some(1), |tick| common_step(tick * scale.ticks_per_unit()))?;
        Some(match side {
            Side::Bid => price_ticks / step * step,
            Side::Ask => price_ticks.div_ceil(step).saturating_mul(step),
        })
    }

    /// Whether an order is large enough.
    #[inline]
    pub fn allow(&self, volume: f64, value: f64) -> bool {
        volume > 0.0 && volume >= self.size_min && value >= self.value_min
    }
}

/// The least whole number that is a multiple of a step; `None` where that is more than a thousand of it.
fn common_step(step: f64) -> Option<u64> {
    let whole = |times: &f64| {
        let product = times * step;
        (product - product.round()).abs() <= 1e-9 * product.max(1.0) && product.round() >= 1.0
    };
    let times = (1..=1_000_u32).map(f64::from).find(whole)?;
    // The cast saturates.
    Some((times * step).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn steps_that_differ_meet_at_a_multiple_of_both() {
        let scale = Scale { price_decimals: 1, size_decimals: 0 };
        let steps = |lot, tick| Increments { lot: Some(lot), tick: Some(tick), ..Increments::default() };
        // A lot of 1.5 beside whole lots; a tick of 0.15 beside 0.1.
        let odd = steps(1.5, 0.15);
        assert_eq!((odd.lots_down(2.9, scale), odd.lots_down(3.0, scale), odd.lots_down(8.9, scale)), (0, 3, 6));
        assert_eq!(odd.price(Side::Bid, 1_000, scale), Some(999));
        assert_eq!(odd.price(Side::Ask, 1_000, scale), Some(1_002));
        // A finer step is the book's.
        let fine = steps(0.1, 0.05);
        assert_eq!((fine.lots_down(2.9, scale), fine.price(Side::Ask, 7, scale)), (2, Some(7)));
        // Steps that do not meet.
        let never = steps(1e-320, std::f64::consts::PI);
        assert_eq!((never.lots_down(1e9, scale), never.price(Side::Bid, 1_000, scale)), (0, None));
        assert_eq!(never.size_down(1.25), 1.25);
    }

    proptest! {
        #[test]
        fn sizes_are_multiples_not_above_what_was_asked(count in 0..10_000_u32, share in 0.0..0.999, exponent in 0..8_i32) {
            let lot = 10_f64.powi(-exponent);
            let steps = Increments { lot: Some(lot), ..Increments::default() };
            let volume = (f64::from(count) + share) * lot;
            prop_assert_eq!((steps.size_down(volume) / lot).round(), f64::from(count));
        }

        #[test]
        fn prices_are_multiples_that_do_not_cross_what_was_asked(price in 1..1_000_000_u64, multiple in 1..500_u64) {
            let scale = Scale { price_decimals: 2, size_decimals: 0 };
            let steps = Increments { tick: Some(multiple as f64 / 100.0), ..Increments::default() };
            let (bid, ask) = (steps.price(Side::Bid, price, scale).unwrap(), steps.price(Side::Ask, price, scale).unwrap());
            prop_assert!(bid <= price && price <= ask && ask - bid < 2 * multiple);
            prop_assert_eq!((bid % multiple, ask % multiple), (0, 0));
        }
    }
}
