//! The exchange's best prices, event by event, within a frame too.
//!
//! A venue's frame lists its changes side by side, so that a book in the middle of one is often crossed. Where a level comes
//! that crosses the other side, it is the other side's levels that are outdated: the best price there moves to the next level
//! that is not crossed, though the crossed ones are still listed (as in hftbacktest's depth).
//!
//! ```
//! use papertrader::execution::matching::best::Best;
//! use papertrader::market::book::Book;
//! use papertrader::market::event::Event;
//! use papertrader::market::units::{Scale, Side::{Ask, Bid}};
//!
//! let mut book = Book::default();
//! book.begin_snapshot(Scale::default());
//! book.stage(&[Event::level(Bid, 100, 5), Event::level(Ask, 101, 5), Event::level(Ask, 103, 5)]);
//! book.end_snapshot().expect("three levels are not too many");
//!
//! let mut best = Best::of(&book);
//! assert_eq!(best.follow(&book, Event::level(Bid, 102, 1)), Some(102));
//! assert_eq!((best.price(Bid), best.price(Ask)), (Some(102), Some(103)));
//! ```

use crate::market::book::Book;
use crate::market::event::Event;
use crate::market::units::Side;

/// Both best prices, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Best {
    bid: Option<u64>,
    ask: Option<u64>,
}

/// Whether `price` is better than `other` for who rests on `side`.
#[inline]
pub fn is_better(side: Side, price: u64, other: u64) -> bool {
    match side {
        Side::Bid => price > other,
        Side::Ask => price < other,
    }
}

/// The other side.
#[inline]
pub fn opposite(side: Side) -> Side {
    match side {
        Side::Bid => Side::Ask,
        Side::Ask => Side::Bid,
    }
}

impl Best {
    /// Those of a book between two frames.
    pub fn of(book: &Book) -> Self {
        let price = |side| book.best_of(side).map(|level| level.price_ticks);
        Self { bid: price(Side::Bid), ask: price(Side::Ask) }
    }

    /// A side's best price, in ticks.
    #[inline]
    pub fn price(&self, side: Side) -> Option<u64> {
        match side {
            Side::Bid => self.bid,
            Side::Ask => self.ask,
        }
    }

    fn price_mut(&mut self, side: Side) -> &mut Option<u64> {
        match side {
            Side::Bid => &mut self.bid,
            Side::Ask => &mut self.ask,
        }
    }

    /// Whether an order to rest on `side` at `price_ticks` would take instead.
    #[inline]
    pub fn crosses(&self, side: Side, price_ticks: u64) -> bool {
        self.price(opposite(side)).is_some_and(|other| !is_better(side, other, price_ticks))
    }

    /// Follows a level that `book` is about to take. Gives the side's best price where the level made it better.
    #[inline]
    pub fn follow(&mut self, book: &Book, level: Event) -> Option<u64> {
        let (side, price_ticks) = (level.side(), level.price_ticks());
        let best = self.price_mut(side);
        if level.size_lots() == 0 {
            if *best == Some(price_ticks) {
                *best = book.next_behind(side, price_ticks);
            }
            return None;
        }
        if best.is_some_and(|best| !is_better(side, price_ticks, best)) {
            return None;
        }
        *best = Some(price_ticks);
        if self.crosses(side, price_ticks) {
            let other = opposite(side);
            *self.price_mut(other) = book.next_behind(other, price_ticks);
        }
        Some(price_ticks)
    }

    /// A scale finer by so much.
    pub fn rescale(&mut self, ticks_times: u64) {
        for best in [&mut self.bid, &mut self.ask] {
            *best = best.and_then(|price| price.checked_mul(ticks_times));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::twin::Depth;
    use super::*;
    use crate::market::units::Scale;
    use Side::{Ask, Bid};
    use proptest::prelude::*;

    fn book(levels: &[(Side, u64, u64)]) -> Book {
        let mut book = Book::default();
        book.begin_snapshot(Scale::default());
        let events: Vec<Event> = levels.iter().map(|&(side, price, size)| Event::level(side, price, size)).collect();
        book.stage(&events);
        book.end_snapshot().unwrap();
        book
    }

    #[test]
    fn both_sides_follow_events() {
        for (own, other, at) in [(Bid, Ask, (|price| price) as fn(u64) -> u64), (Ask, Bid, |price| 1_000 - price)] {
            let levels = [(own, 100, 5), (own, 98, 5), (other, 101, 4), (other, 103, 6)];
            let mut book = book(&levels.map(|(side, price, size)| (side, at(price), size)));
            let mut best = Best::of(&book);
            let mut take = |side, price, size| {
                let level = Event::level(side, at(price), size);
                let improved = best.follow(&book, level);
                book.apply(&[level]);
                (improved, best.price(own), best.price(other))
            };
            let some = |price| Some(at(price));
            // It crosses 101, which is still listed but no longer the best.
            assert_eq!(take(own, 102, 7), (some(102), some(102), some(103)));
            // Without it, the outdated level is not the best again; a level named again is.
            assert_eq!(take(own, 102, 0), (None, some(100), some(103)));
            assert_eq!(take(other, 101, 2), (some(101), some(100), some(101)));
            // Nothing behind it: the side has no best price.
            assert_eq!(take(own, 104, 1), (some(104), some(104), None));
        }
    }

    proptest! {
        #[test]
        fn best_prices_are_those_of_the_maps(
            levels in prop::collection::vec((any::<bool>(), 1..40_u64, 0..3_u64), 1..200),
        ) {
            let mut book = book(&[]);
            let (mut best, mut maps) = (Best::of(&book), Depth::default());
            for (ask, price, size) in levels {
                let side = if ask { Ask } else { Bid };
                let level = Event::level(side, price, size);
                let improved = best.follow(&book, level);
                book.apply(&[level]);
                prop_assert_eq!(maps.set(side, price, size).improved_to, improved);
                prop_assert_eq!([best.price(Bid), best.price(Ask)], [maps.best(Bid), maps.best(Ask)]);
            }
        }
    }
}
