//! From successive books to their differences.
//!
//! A row of a table of books is no snapshot: features and labels would begin again at each. So the first book becomes a snapshot
//! and each later one the levels by which it differs. A book that shows so many levels says nothing of those behind its last: what
//! falls out of sight there is removed, and shown again when it comes back.
//!
//! ```
//! use papertrader::market::units::Side::{Ask, Bid};
//! use papertrader::sources::differences::Differences;
//! use papertrader::sources::number::Number;
//! use papertrader::sources::{RawFrame, RawKind, RawLevel};
//!
//! let level = |side, price: u64, size: u64| RawLevel {
//!     side,
//!     price: Number::new(price, 0).unwrap(),
//!     size: Number::new(size, 0).unwrap(),
//! };
//! let mut differences = Differences::default();
//! let mut frame = RawFrame::default();
//! frame.levels = vec![level(Bid, 99, 5), level(Ask, 101, 7)];
//! differences.apply(&mut frame);
//! assert_eq!((frame.kind, frame.levels.len()), (RawKind::Snapshot, 2));
//! frame.levels = vec![level(Bid, 98, 6), level(Ask, 101, 7)];
//! differences.apply(&mut frame);
//! assert_eq!((frame.kind, &frame.levels[..]), (RawKind::Update, &[level(Bid, 99, 0), level(Bid, 98, 6)][..]));
//! ```

use super::number::Number;
use super::{RawFrame, RawKind, RawLevel};
use crate::market::units::Side;

/// A level of a book that is compared with another book's.
pub trait Shown: Copy + PartialEq {
    /// Whether both are of one side and price, whatever their sizes.
    fn has_price_of(&self, other: &Self) -> bool;
}

impl Shown for RawLevel {
    #[inline]
    fn has_price_of(&self, other: &Self) -> bool {
        self.side == other.side && self.price == other.price
    }
}

/// Tells the levels of `before` at whose prices `after` has none.
#[inline]
pub fn removed<L: Shown>(before: &[L], after: &[L], mut tell: impl FnMut(L)) {
    let mut places = Places::default();
    for level in before {
        if !places.has(after, |other| level.has_price_of(other)) {
            tell(*level);
        }
    }
}

/// Tells the levels of `after` that `before` lacks or has with another size.
#[inline]
pub fn set<L: Shown>(before: &[L], after: &[L], mut tell: impl FnMut(L)) {
    let mut places = Places::default();
    for level in after {
        if !places.has(before, |other| level == other) {
            tell(*level);
        }
    }
}

/// The book before.
#[derive(Clone, Debug, Default)]
pub struct Differences {
    /// Both sides, each by price and size in the order in which it was given.
    before: Vec<RawLevel>,
    /// Whether there was a book before.
    has_begun: bool,
    found: Vec<RawLevel>,
}

impl Differences {
    /// The next book becomes a snapshot: the file says that it begins again.
    pub fn begin_again(&mut self) {
        self.has_begun = false;
    }

    /// Turns a whole book into what it changes: removals first, then what is new or has another size, in the order given. Levels of
    /// size 0 are none. The first becomes a snapshot.
    pub fn apply(&mut self, frame: &mut RawFrame) {
        frame.levels.retain(|level| !level.size.is_zero());
        if !self.has_begun {
            self.has_begun = true;
            frame.kind = RawKind::Snapshot;
            self.before.clone_from(&frame.levels);
            return;
        }
        frame.kind = RawKind::Update;
        let found = &mut self.found;
        found.clear();
        removed(&self.before, &frame.levels, |level| found.push(RawLevel { size: Number::ZERO, ..level }));
        set(&self.before, &frame.levels, |level| found.push(level));
        std::mem::swap(&mut self.before, &mut frame.levels);
        frame.levels.clone_from(&self.found);
    }

    /// The book given last.
    pub fn book(&self) -> impl Iterator<Item = &RawLevel> {
        self.before.iter()
    }

    /// How many levels of a side it has.
    pub fn levels(&self, side: Side) -> usize {
        self.before.iter().filter(|level| level.side == side).count()
    }
}

/// Looks levels up that come in nearly the same order as those among which they are looked for: books of tens of levels, of which
/// most stay in their places.
#[derive(Default)]
struct Places {
    /// Where the next one is expected.
    next: usize,
}

impl Places {
    #[inline]
    fn has<L>(&mut self, among: &[L], is_it: impl Fn(&L) -> bool) -> bool {
        let at = match among.get(self.next) {
            Some(expected) if is_it(expected) => Some(self.next),
            _ => among.iter().position(is_it),
        };
        if let Some(at) = at {
            self.next = at + 1;
        }
        at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn differences_add_up_to_the_books(
            books in prop::collection::vec(prop::collection::btree_map((any::<bool>(), 1..30_u64), 0..5_u64, 0..12), 1..20),
        ) {
            let mut differences = Differences::default();
            let mut book = BTreeMap::new();
            for (at, whole) in books.iter().enumerate() {
                let levels = whole.iter().map(|(&(ask, price), &size)| RawLevel {
                    side: if ask { Side::Ask } else { Side::Bid },
                    price: Number::new(price, 0).unwrap(),
                    size: Number::new(size, 0).unwrap(),
                }).collect();
                let mut frame = RawFrame { levels, ..RawFrame::default() };
                differences.apply(&mut frame);
                prop_assert_eq!(frame.kind, if at == 0 { RawKind::Snapshot } else { RawKind::Update });
                for level in &frame.levels {
                    let key = (level.side == Side::Ask, level.price.at(0).unwrap());
                    let before = if level.size.is_zero() { book.remove(&key) } else { book.insert(key, level.size.at(0).unwrap()) };
                    // Nothing is told that does not change.
                    prop_assert_ne!(before.unwrap_or(0), level.size.at(0).unwrap());
                }
                let shown: BTreeMap<_, _> = whole.iter().filter(|(_, size)| **size > 0).map(|(key, size)| (*key, *size)).collect();
                prop_assert_eq!(&book, &shown);
            }
        }
    }
}
