//! Taking from the book, level by level: less what was taken before, no further than a limit.

use super::depletion::Depletion;
use super::fill::settled;
use crate::market::book::Book;
use crate::market::units::Side;

/// How much to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Want {
    /// Price times size, summed: quote currency for linear contracts of size 1.
    Amount(f64),
    /// Units of size.
    Volume(f64),
}

/// What a level gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelFill {
    /// Its price in ticks.
    pub price_ticks: u64,
    /// Its price in quote units.
    pub price: f64,
    /// Units of size.
    pub volume: f64,
}

/// What a walk took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Walked {
    /// Price times size, summed.
    pub amount: f64,
    /// Units of size.
    pub volume: f64,
    /// Of what was wanted: what no level gave, 0 where rounding left it.
    pub missing: f64,
}

/// Where to take.
#[derive(Clone, Copy, Debug)]
pub struct Shelf<'a> {
    /// The book.
    pub book: &'a Book,
    /// The side whose levels are taken.
    pub side: Side,
    /// What was taken from them before.
    pub taken: Option<&'a Depletion>,
    /// The worst price that is taken, in ticks.
    pub limit_ticks: Option<u64>,
}

impl Shelf<'_> {
    /// Walks levels, best first, in ticks, quote units and units of size.
    #[inline]
    fn each(&self, mut take: impl FnMut(u64, f64, f64) -> bool) {
        let scale = self.book.scale();
        let (ticks_per_unit, lots_per_unit) = (scale.ticks_per_unit(), scale.lots_per_unit());
        let mut room = self.taken.map_or(usize::MAX, |taken| taken.room(self.side));
        let taken = self.taken.filter(|taken| !taken.is_empty());
        let mut level = |price_ticks: u64, size_lots: u64| {
            let beyond = self.limit_ticks.is_some_and(|limit| match self.side {
                Side::Ask => price_ticks > limit,
                Side::Bid => price_ticks < limit,
            });
            if beyond {
                return false;
            }
            let size = size_lots as f64;
            let before = taken.map_or(0.0, |taken| taken.lots(self.side, price_ticks));
            if before == 0.0 {
                // What cannot be remembered is not taken.
                let Some(left) = room.checked_sub(1) else { return false };
                room = left;
            }
            // What rounding leaves of a level is nothing.
            let lots = if before == 0.0 { size } else { settled(size - before, size).max(0.0) };
            lots == 0.0 || take(price_ticks, price_ticks as f64 / ticks_per_unit, lots / lots_per_unit)
        };
        match self.side {
            Side::Bid => self.book.bids().levels().all(|at| level(at.price_ticks, at.size_lots)),
            Side::Ask => self.book.asks().levels().all(|at| level(at.price_ticks, at.size_lots)),
        };
    }

    /// Takes what is wanted and tells of each level: by the same arithmetic as [`super::fill::spend`] and [`super::fill::sell`].
    pub fn walk(&self, want: Want, mut filled: impl FnMut(LevelFill)) -> Walked {
        let mut walked = Walked::default();
        match want {
            Want::Amount(amount) => {
                let mut left = amount;
                self.each(|price_ticks, price, size| {
                    let value = price * size;
                    if left <= value {
                        let volume = left / price;
                        filled(LevelFill { price_ticks, price, volume });
                        walked = Walked { amount, volume: walked.volume + volume, missing: 0.0 };
                        left = 0.0;
                        return false;
                    }
                    filled(LevelFill { price_ticks, price, volume: size });
                    left -= value;
                    walked.amount += value;
                    walked.volume += size;
                    true
                });
                walked.missing = settled(left, amount);
            }
            Want::Volume(volume) => {
                let mut left = volume;
                self.each(|price_ticks, price, size| {
                    if left <= size {
                        filled(LevelFill { price_ticks, price, volume: left });
                        walked = Walked { amount: walked.amount + left * price, volume, missing: 0.0 };
                        left = 0.0;
                        return false;
                    }
                    filled(LevelFill { price_ticks, price, volume: size });
                    left -= size;
                    walked.amount += size * price;
                    walked.volume += size;
                    true
                });
                walked.missing = settled(left, volume);
            }
        }
        walked
    }
}

#[cfg(test)]
mod tests {
    use super::super::fill::{in_units, sell, spend};
    use super::*;
    use crate::market::event::Event;
    use crate::market::units::Scale;
    use proptest::prelude::*;

    fn book(levels: &[(u64, u64)]) -> Book {
        let mut book = Book::default();
        book.begin_snapshot(Scale { price_decimals: 1, size_decimals: 3 });
        let both = levels.iter().flat_map(|&(price, size)| {
            [Event::level(Side::Ask, 1_000 + price, size), Event::level(Side::Bid, 1_000 - price, size)]
        });
        book.stage(&both.collect::<Vec<_>>());
        book.end_snapshot().unwrap();
        book
    }

    #[test]
    fn a_walk_takes_from_so_many_levels_and_not_one_more() {
        use super::super::depletion::LEVELS_MAX;
        let mut book = Book::default();
        book.begin_snapshot(Scale::default());
        book.stage(&(1..=LEVELS_MAX as u64 + 9).map(|price| Event::level(Side::Ask, price, 1)).collect::<Vec<_>>());
        book.end_snapshot().unwrap();
        let mut depletion = Depletion::default();
        let all = Want::Volume(1e9);
        fn asks<'a>(book: &'a Book, taken: Option<&'a Depletion>) -> Shelf<'a> {
            Shelf { book, side: Side::Ask, taken, limit_ticks: None }
        }
        assert_eq!(asks(&book, None).walk(all, |_| {}).volume, (LEVELS_MAX + 9) as f64);
        let mut fills = Vec::new();
        assert_eq!(asks(&book, Some(&depletion)).walk(all, |fill| fills.push(fill)).volume, LEVELS_MAX as f64);
        fills.iter().for_each(|fill| depletion.take(Side::Ask, fill.price_ticks, fill.volume));
        assert_eq!(depletion.room(Side::Ask), 0);
        assert_eq!(asks(&book, Some(&depletion)).walk(all, |_| {}).volume, 0.0);
    }

    proptest! {
        #[test]
        fn walks_are_the_originals(
            levels in prop::collection::vec((1..100_u64, 1..5_000_u64), 0..20), wanted in 0.001..1e5_f64,
        ) {
            let book = book(&levels);
            let none = Depletion::default();
            for taken in [None, Some(&none)] {
                let mut levels_volume = 0.0;
                let asks = Shelf { book: &book, side: Side::Ask, taken, limit_ticks: None };
                let walked = asks.walk(Want::Amount(wanted), |fill| levels_volume += fill.volume);
                prop_assert_eq!((walked.amount, walked.volume), spend(wanted, in_units(&book, book.asks().levels())));
                prop_assert!((levels_volume - walked.volume).abs() <= 1e-9 * walked.volume);
                let bids = Shelf { side: Side::Bid, ..asks };
                let walked = bids.walk(Want::Volume(wanted), |_| {});
                let (received, missing) = sell(wanted, in_units(&book, book.bids().levels()));
                prop_assert_eq!((walked.amount, walked.missing), (received, missing));
            }
        }

        #[test]
        fn what_was_taken_is_never_taken_again(
            levels in prop::collection::vec((1..20_u64, 1..5_000_u64), 1..20),
            wanted in prop::collection::vec(0.001..20.0_f64, 1..12), limit in 0..25_u64,
        ) {
            let book = book(&levels);
            let mut depletion = Depletion::default();
            let mut worst = 0.0_f64;
            for &volume in &wanted {
                let mut fills = Vec::new();
                let shelf =
                    Shelf { book: &book, side: Side::Ask, taken: Some(&depletion), limit_ticks: Some(1_000 + limit) };
                let walked = shelf.walk(Want::Volume(volume), |fill| fills.push(fill));
                // Never better than without what was taken.
                let fresh = Shelf { taken: None, ..shelf }.walk(Want::Volume(volume), |_| {});
                prop_assert!(walked.volume <= fresh.volume * (1.0 + 1e-12));
                if walked.missing == 0.0 {
                    prop_assert!(walked.amount >= fresh.amount * (1.0 - 1e-12));
                }
                for fill in &fills {
                    prop_assert!(fill.price_ticks <= 1_000 + limit);
                    // Within one book prices only get worse.
                    prop_assert!(fill.price >= worst);
                    worst = worst.max(fill.price);
                    depletion.take(Side::Ask, fill.price_ticks, fill.volume * 1_000.0);
                }
            }
            for level in book.asks().levels() {
                prop_assert!(depletion.lots(Side::Ask, level.price_ticks) <= level.size_lots as f64 * (1.0 + 1e-9));
            }
        }
    }
}
