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

/// The rank of a level that is not there: behind all others.
const NO_LEVEL: i64 = i64::MAX;
/// Levels of a side that are compared as integers.
pub const RANKED_MAX: usize = 10;
/// Room behind them, so that a place needs no check.
const RANKED_ROOM: usize = RANKED_MAX.next_power_of_two();
const _: () = assert!(RANKED_MAX < RANKED_ROOM, "a level that is not there ends every list");

/// The best levels of a side as integers, at most [`RANKED_MAX`].
#[derive(Clone, Debug)]
pub struct Ranked {
    ranks: [i64; RANKED_ROOM],
    sizes: [u32; RANKED_ROOM],
    count: usize,
}

impl Default for Ranked {
    fn default() -> Self {
        Self { ranks: [NO_LEVEL; RANKED_ROOM], sizes: [0; RANKED_ROOM], count: 0 }
    }
}

impl Ranked {
    /// Makes it empty.
    #[inline]
    pub fn clear(&mut self) {
        self.count = 0;
        self.ranks = [NO_LEVEL; RANKED_ROOM];
    }

    /// Adds the next level if `is_there`. Ranks order levels, best first: the price of an ask, less the price of a bid; all are less than
    /// the greatest integer.
    #[inline]
    pub fn add(&mut self, rank: i64, size: u32, is_there: bool) {
        let at = self.count % RANKED_ROOM;
        (self.ranks[at], self.sizes[at]) = (if is_there { rank } else { NO_LEVEL }, size);
        self.count = (self.count + usize::from(is_there)).min(RANKED_MAX);
    }
}

/// What changes from one side's best levels to the next: [`Differences`] of integers, found by merging.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    removed: [(i64, u32); RANKED_ROOM],
    removed_count: usize,
    set: [(i64, u32); RANKED_ROOM],
    set_count: usize,
}

impl Changes {
    /// Compares two books. Of levels that are not in the order of their ranks more may be told than changes: removals of what is set
    /// again.
    #[inline]
    pub fn find(&mut self, before: &Ranked, after: &Ranked) {
        let (mut removed_count, mut set_count) = (0, 0);
        let (mut old, mut new) = (0, 0);
        // Each step passes a level of one book or of both. Without branches: which of both is better is as good as random.
        loop {
            let (old_at, new_at) = (old % RANKED_ROOM, new % RANKED_ROOM);
            let (old_rank, new_rank) = (before.ranks[old_at], after.ranks[new_at]);
            if old_rank.min(new_rank) == NO_LEVEL {
                break;
            }
            let (old_size, new_size) = (before.sizes[old_at], after.sizes[new_at]);
            self.removed[removed_count % RANKED_ROOM] = (old_rank, old_size);
            self.set[set_count % RANKED_ROOM] = (new_rank, new_size);
            removed_count += usize::from(old_rank < new_rank);
            set_count += usize::from((new_rank < old_rank) | ((new_rank == old_rank) & (new_size != old_size)));
            old += usize::from(old_rank <= new_rank);
            new += usize::from(new_rank <= old_rank);
        }
        (self.removed_count, self.set_count) = (removed_count, set_count);
    }

    /// Levels that are gone, by rank and the size that they had, best first.
    #[inline]
    pub fn removed(&self) -> &[(i64, u32)] {
        &self.removed[..self.removed_count.min(RANKED_ROOM)]
    }

    /// Levels that are new or have another size, by rank and size, best first.
    #[inline]
    pub fn set(&self) -> &[(i64, u32)] {
        &self.set[..self.set_count.min(RANKED_ROOM)]
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
        self.found.clear();
        let mut places = Places::default();
        for level in &self.before {
            if !places.has(&frame.levels, |other| level.side == other.side && level.price == other.price) {
                self.found.push(RawLevel { size: Number::ZERO, ..*level });
            }
        }
        let mut places = Places::default();
        for level in &frame.levels {
            if !places.has(&self.before, |other| level == other) {
                self.found.push(*level);
            }
        }
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
    fn has(&mut self, among: &[RawLevel], is_it: impl Fn(&RawLevel) -> bool) -> bool {
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

    /// Asks, best first.
    fn ranked(book: &BTreeMap<u64, u64>) -> Ranked {
        let mut ranked = Ranked::default();
        for (&price, &size) in book {
            ranked.add(price as i64, size as u32, true);
        }
        ranked
    }

    fn asks(book: &BTreeMap<u64, u64>) -> RawFrame {
        let number = |count: &u64| Number::new(*count, 0).unwrap();
        let level = |(price, size)| RawLevel { side: Side::Ask, price: number(price), size: number(size) };
        RawFrame { levels: book.iter().map(level).collect(), ..RawFrame::default() }
    }

    proptest! {
        #[test]
        fn merging_finds_the_same(
            before in prop::collection::btree_map(1..20_u64, 1..3_u64, 0..=RANKED_MAX),
            after in prop::collection::btree_map(1..20_u64, 1..3_u64, 0..=RANKED_MAX),
        ) {
            let mut differences = Differences::default();
            differences.apply(&mut asks(&before));
            let mut frame = asks(&after);
            differences.apply(&mut frame);
            let mut changes = Changes::default();
            changes.find(&ranked(&before), &ranked(&after));
            let gone = changes.removed().iter().map(|&(rank, _)| (rank as u64, 0));
            let found: Vec<_> = gone.chain(changes.set().iter().map(|&(rank, size)| (rank as u64, size.into()))).collect();
            let same = |level: &RawLevel| (level.price.at(0).unwrap(), level.size.at(0).unwrap());
            prop_assert_eq!(found, frame.levels.iter().map(same).collect::<Vec<_>>());
        }

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
