//! What fills: orders that take from the book, level by level.
//!
//! ```
//! use papertrader::execution::fill::{sell, spend};
//!
//! // Price and size of each level, best first.
//! let asks = [(10.0, 2.0), (11.0, 5.0)];
//! assert_eq!(spend(42.0, asks.into_iter()), (42.0, 4.0));
//! let bids = [(9.0, 1.0), (8.0, 2.0)];
//! assert_eq!(sell(4.0, bids.into_iter()), (25.0, 1.0));
//! ```

use crate::market::book::{Book, Level};

/// The mid in quote units, NaN without two sides.
#[inline]
pub fn mid(book: &Book) -> f64 {
    book.best().map_or(f64::NAN, |(bid, ask)| {
        (bid.price_ticks as f64 + ask.price_ticks as f64) / 2.0 / book.scale().ticks_per_unit()
    })
}

/// The share of a volume, or of an amount, that rounding may leave of it.
pub const ROUNDING: f64 = 1e-12;

/// What is left of `whole` in the end, or 0 where rounding left it: what is bought for 5 and sold at the same price brings
/// 4.999999999999999, which is no loss.
#[inline]
pub fn settled(left: f64, whole: f64) -> f64 {
    if left.abs() <= whole * ROUNDING { 0.0 } else { left }
}

/// The best level of a side that a run has filled from, and how much of it.
///
/// Fills leave the book as the venue sends it, so that two of them can take the same volume. A level counts as still the
/// same while the best price and its size are those of the fill before and no snapshot came between.
///
/// ```
/// use papertrader::execution::fill::Taken;
///
/// let mut taken = Taken::default();
/// // The best level shows 3, of which each fill takes 2.
/// assert_eq!(taken.again(0, Some((10.0, 3.0)), 2.0), 0.0);
/// assert_eq!(taken.again(0, Some((10.0, 3.0)), 2.0), 1.0);
/// // The venue has sent another size.
/// assert_eq!(taken.again(0, Some((10.0, 4.0)), 2.0), 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Taken {
    /// Snapshots before the last fill.
    stretch: u64,
    /// Price and size of the best level then, in quote and base units.
    level: (f64, f64),
    /// Taken from it so far, by all fills since it shows that; base units.
    volume: f64,
}

impl Taken {
    /// Notes a fill of `volume` that begins at the level `best`, (price, size), after `stretch` snapshots. Gives how much of
    /// what it took there the fills before had taken already, base units.
    #[inline]
    pub fn again(&mut self, stretch: u64, best: Option<(f64, f64)>, volume: f64) -> f64 {
        let Some(level) = best else { return 0.0 };
        if (self.stretch, self.level) != (stretch, level) {
            *self = Self { stretch, level, volume: 0.0 };
        }
        let size = level.1;
        let taken = volume.min(size);
        let left = (size - self.volume).max(0.0);
        self.volume += taken;
        settled((taken - left).max(0.0), size)
    }
}

/// Spends `amount` of quote currency on levels of (price, size), best first. Returns what was spent and what was bought.
#[inline]
pub fn spend(amount: f64, levels: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (mut left, mut spent, mut volume) = (amount, 0.0, 0.0);
    for (price, size) in levels {
        let value = price * size;
        if left <= value {
            return (amount, volume + left / price);
        }
        left -= value;
        // Not `amount - left`: of an amount out of all proportion nothing would be seen to be spent.
        spent += value;
        volume += size;
    }
    (spent, volume)
}

/// Sells `volume` of base currency to levels of (price, size), best first. Returns what was received and what was left.
#[inline]
pub fn sell(volume: f64, levels: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (mut left, mut received) = (volume, 0.0);
    for (price, size) in levels {
        if left <= size {
            return (received + left * price, 0.0);
        }
        left -= size;
        received += size * price;
    }
    // Sizes are decimal fractions, which sums of doubles miss by a little: 0.1 + 0.2 is more than 0.3.
    (received, settled(left, volume))
}

/// Levels in quote and base units.
#[inline]
pub fn in_units(book: &Book, levels: impl Iterator<Item = Level>) -> impl Iterator<Item = (f64, f64)> {
    let (ticks_per_unit, lots_per_unit) = (book.scale().ticks_per_unit(), book.scale().lots_per_unit());
    levels.map(move |level| (level.price_ticks as f64 / ticks_per_unit, level.size_lots as f64 / lots_per_unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rounding_is_no_remainder() {
        assert_eq!(sell(0.1 + 0.2, [(1.0, 0.1), (1.0, 0.2)].into_iter()).1, 0.0);
        assert!(sell(0.3 + 1e-9, [(1.0, 0.1), (1.0, 0.2)].into_iter()).1 > 9e-10);
    }

    #[test]
    fn a_level_is_taken_once_and_then_again() {
        let mut taken = Taken::default();
        let bid = Some((100.0, 0.06));
        assert_eq!(taken.again(1, bid, 0.05), 0.0);
        assert!((taken.again(1, bid, 0.05) - 0.04).abs() < 1e-15);
        // All of it is gone: the next one takes nothing that was left. What lies below the best level is not looked at.
        assert_eq!(taken.again(1, bid, 0.05), 0.05);
        assert_eq!(taken.again(1, bid, 9.0), 0.06);
        // Another size, another price, another snapshot, no level at all.
        assert_eq!(taken.again(1, Some((100.0, 0.07)), 0.07), 0.0);
        assert_eq!(taken.again(1, Some((99.0, 0.07)), 0.07), 0.0);
        assert_eq!(taken.again(2, Some((99.0, 0.07)), 0.07), 0.0);
        assert_eq!(taken.again(2, None, 1.0), 0.0);
        assert_eq!(taken.again(2, Some((99.0, 0.07)), 0.01), 0.01);
    }

    #[test]
    fn a_level_that_is_taken_to_its_end_by_rounded_parts_is_taken_once() {
        let mut taken = Taken::default();
        let again: Vec<f64> = [0.1, 0.2].iter().map(|&volume| taken.again(0, Some((1.0, 0.3)), volume)).collect();
        assert_eq!(again, [0.0, 0.0]);
    }

    #[test]
    fn what_is_spent_of_too_much_is_what_there_was() {
        let asks = [(100.0, 2.0), (101.0, 3.0)];
        for amount in [504.0, 1e17, 1e308] {
            assert_eq!(spend(amount, asks.into_iter()), (503.0, 5.0), "{amount}");
        }
    }

    proptest! {
        /// Against exact integers: sizes and prices whose products are whole.
        #[test]
        fn walks_agree_with_integers(
            levels in prop::collection::vec((1..1_000_u64, 1..1_000_u64), 1..20),
            volume in 1..20_000_u64,
        ) {
            let mut left = volume;
            let mut received = 0;
            for &(price, size) in &levels {
                let taken = left.min(size);
                received += taken * price;
                left -= taken;
            }
            let floats = || levels.iter().map(|&(price, size)| (price as f64, size as f64));
            prop_assert_eq!(sell(volume as f64, floats()), (received as f64, left as f64));
            // Spending what a sale brought buys the volume back.
            let (spent, bought) = spend(received as f64, floats());
            prop_assert_eq!(spent, received as f64);
            prop_assert!((bought - (volume - left) as f64).abs() < 1e-9);
        }
    }
}
