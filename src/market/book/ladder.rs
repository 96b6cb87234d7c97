//! One side of the book.
//!
//! Prices become *keys*, which rise from the best price outwards on both sides, so that everything else is written once.
//! Levels whose keys fall into a window of [`SLOTS`] lie in an array; the others in a sorted vector. Between frames the
//! best level, if there is one, is in the window.
//!
//! ```
//! use papertrader::market::book::{Bids, Ladder};
//!
//! let mut bids = Ladder::<Bids>::default();
//! for (price_ticks, size_lots) in [(9_999, 300), (10_000, 200), (9_000, 100)] {
//!     bids.stage(price_ticks, size_lots);
//! }
//! bids.end_snapshot().expect("three levels are not too many");
//!
//! bids.set(10_000, 0);
//! bids.settle().expect("two levels are not too many");
//! let prices: Vec<u64> = bids.levels().map(|level| level.price_ticks).collect();
//! assert_eq!(prices, [9_999, 9_000]);
//! ```

use super::bitmap::{Bitmap, SLOTS};
use super::direction::Direction;
use super::top::{Level, TOP_LEVELS, Top};
use crate::market::units::COUNT_MAX;
use std::hint::{black_box, select_unpredictable};
use std::marker::PhantomData;

/// Where the window puts the best level when it moves: a quarter is left for better prices.
const BEST_SLOT: usize = SLOTS / 4;
/// The window moves when the best level has fallen back beyond this slot.
const BEST_SLOT_MAX: usize = SLOTS / 2;

/// Levels that a side keeps outside its window. The venue's largest books have some ten thousand.
pub const FAR_LEVELS_MAX: usize = 1 << 20;
/// Far levels that a frame may shift to keep them in order before it leaves the order to its end: sixteen megabytes, a few
/// milliseconds. Real frames shift some hundred; a hostile one could shift all for each of its million levels.
const FAR_SHIFTS_MAX: usize = 1 << 20;
/// Far levels for which there is room beyond those of the snapshot without asking the allocator.
const FAR_LEVELS_SPARE: usize = 1 << 15;

/// The best levels lie close together where their slots take less than so many: two and a half words of the bitmap. Frames of
/// a book whose ten best lie within 75 ticks took 84 ns if they were taken for close together and 90 if not, those of one whose
/// ten best lie within 330 ticks 290 and 278 (medians; 11 and 36 levels a frame, AMD EPYC of family 25).
const DENSE_SLOTS: usize = 160;

/// The system gives memory in pieces of at least so many slots.
const PAGE_SLOTS: usize = 4096 / size_of::<u64>();

/// A level outside the window.
#[derive(Clone, Copy, Debug)]
struct Far {
    key: i64,
    size_lots: u64,
}

/// More than [`FAR_LEVELS_MAX`] levels outside the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyLevels;

/// A count that does not fit into 63 bits at a finer scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountOverflow;

/// One side of the book, best level first.
#[derive(Debug)]
pub struct Ladder<D> {
    /// Sizes in lots; slot `s` holds the level with key `base + s`; 0 where there is none.
    window: Box<[u64; SLOTS]>,
    /// The slots whose size is not 0.
    occupied: Bitmap,
    /// The key of slot 0.
    base: i64,
    /// The first occupied slot, [`SLOTS`] when there is none. Within a frame no occupied slot lies before it.
    best_slot: usize,
    /// The best levels as they were when the last frame was settled.
    top: Top,
    /// The slot of the last of them; the last of all where the window has fewer.
    top_slot_max: usize,
    /// Whether any of them may have changed since.
    top_changed: bool,
    /// The levels outside the window, keys falling: the best, where most changes are, is last. During a snapshot every
    /// level in order of arrival. Within a frame that has used up its shifts, its changes in order of arrival behind them.
    far: Vec<Far>,
    /// Far levels shifted by the frame in hand, one more for each that it changes; [`FAR_SHIFTS_MAX`] and more when they are
    /// used up.
    far_shifts: usize,
    /// Changes in order of arrival behind the far levels that lie in order.
    far_unsorted: usize,
    /// Whether a level with a better key than the window's was seen since the window moved.
    better_than_window: bool,
    /// Times that the window moved.
    recentres: u64,
    direction: PhantomData<D>,
}

impl<D: Direction> Default for Ladder<D> {
    fn default() -> Self {
        // Through a vector: zeroed pages that nobody has touched cost nothing, and nothing passes over the stack.
        let window = vec![0; SLOTS].try_into().expect("the vector has SLOTS elements");
        Self {
            window,
            occupied: Bitmap::default(),
            base: 0,
            best_slot: SLOTS,
            top: Top::new(),
            top_slot_max: SLOTS,
            top_changed: false,
            far: Vec::new(),
            far_shifts: 0,
            far_unsorted: 0,
            better_than_window: false,
            recentres: 0,
            direction: PhantomData,
        }
    }
}

impl<D: Direction> Ladder<D> {
    /// Has the system give memory to the window, which is empty yet, now and not when a level first comes into each of its pages.
    pub fn fault_in(&mut self) {
        assert_eq!(self.best_slot, SLOTS, "nothing is overwritten");
        self.window.chunks_mut(PAGE_SLOTS).for_each(|page| page[0] = black_box(0));
    }

    /// The slot of a key, at least [`SLOTS`] when it lies outside the window.
    #[inline]
    fn slot(&self, key: i64) -> usize {
        // Keys of one side have one sign and the base lies within SLOTS of one of them, so that the difference wraps to
        // a value below SLOTS only when it is one.
        usize::try_from(key.wrapping_sub(self.base) as u64).unwrap_or(usize::MAX)
    }

    /// Sets a level's size; 0 removes it. [`Ladder::settle`] follows before anything is read.
    #[inline]
    pub fn set(&mut self, price_ticks: u64, size_lots: u64) {
        let key = D::key(price_ticks);
        let slot = self.slot(key);
        if slot >= SLOTS {
            return self.set_far(key, size_lots);
        }
        // Whether one of the best levels changes, without a decision: which level does is anybody's guess. Of the others no size
        // is loaded, which would come from memory.
        let near = slot.min(self.top_slot_max) % SLOTS;
        self.top_changed |= (slot <= self.top_slot_max) & (self.window[near] != size_lots);
        self.window[slot] = size_lots;
        // Two alternatives were slower by a fifth (66 → 82 ns a frame of eleven levels): all bitmap words set without branches,
        // which chains every level's stores to the loads of the next, and no insertion where there was a level already.
        if size_lots == 0 {
            self.occupied.remove(slot);
        } else {
            self.occupied.insert(slot);
            self.best_slot = self.best_slot.min(slot);
        }
    }

    #[cold]
    fn set_far(&mut self, key: i64, size_lots: u64) {
        self.better_than_window |= key < self.base;
        // Where the window has too few, far levels are among the best.
        self.top_changed |= self.top_slot_max == SLOTS;
        if self.far_shifts >= FAR_SHIFTS_MAX {
            self.far_unsorted += 1;
            return self.far.push(Far { key, size_lots });
        }
        let place = self.far.partition_point(|far| far.key > key);
        self.far_shifts += 1 + self.far.len() - place;
        let present = self.far.get(place).is_some_and(|far| far.key == key);
        match (present, size_lots != 0) {
            (true, true) => self.far[place].size_lots = size_lots,
            (true, false) => {
                self.far.remove(place);
            }
            (false, true) => self.far.insert(place, Far { key, size_lots }),
            (false, false) => {}
        }
    }

    /// Brings the best level back into the window after a frame's changes, and the best levels up to date.
    ///
    /// # Errors
    /// Too many levels lie outside the window.
    #[inline]
    pub fn settle(&mut self) -> Result<(), TooManyLevels> {
        if self.far_shifts > 0 {
            self.settle_far();
        }
        if self.top_changed | self.better_than_window {
            self.settle_top();
        }
        if self.far.len() > FAR_LEVELS_MAX { Err(TooManyLevels) } else { Ok(()) }
    }

    #[cold]
    fn settle_far(&mut self) {
        if self.far_shifts >= FAR_SHIFTS_MAX {
            self.sort_far();
        }
        self.far_shifts = 0;
        self.far_unsorted = 0;
    }

    /// Puts far levels that lie in order of arrival in their order. A later one at the same price wins; a size of 0 removes.
    fn sort_far(&mut self) {
        self.far.sort_by_key(|far| std::cmp::Reverse(far.key));
        self.far.dedup_by(|later, kept| {
            let same = later.key == kept.key;
            if same {
                kept.size_lots = later.size_lots;
            }
            same
        });
        self.far.retain(|far| far.size_lots != 0);
    }

    fn settle_top(&mut self) {
        self.best_slot = self.occupied.next_from(self.best_slot).unwrap_or(SLOTS);
        if self.best_slot > BEST_SLOT_MAX || self.better_than_window {
            self.move_window();
        }
        self.read_top();
    }

    #[cold]
    fn move_window(&mut self) {
        self.better_than_window = false;
        if self.best_slot == SLOTS && self.far.is_empty() {
            return;
        }
        self.empty_window_into_far();
        self.fill_window_from_far();
        self.recentres += 1;
    }

    /// Moves the window's levels to the far ones, in order: those worse than the window stand before, those better after.
    fn empty_window_into_far(&mut self) {
        let base = self.base;
        let place = self.far.partition_point(|far| far.key >= base);
        let mut slot = self.best_slot;
        let from = self.far.len();
        while let Some(occupied) = self.occupied.next_from(slot) {
            self.far.push(Far { key: base + occupied as i64, size_lots: std::mem::take(&mut self.window[occupied]) });
            slot = occupied + 1;
        }
        // Keys must fall, and the better ones stay last.
        self.far[from..].reverse();
        self.far[place..].rotate_left(from - place);
        self.occupied.clear();
        self.best_slot = SLOTS;
    }

    /// Places the window around the best far level and moves into it what belongs there.
    fn fill_window_from_far(&mut self) {
        let Some(best) = self.far.last() else { return };
        // Saturation keeps the base within SLOTS of the best key at the ends of the range.
        self.base = best.key.saturating_sub(BEST_SLOT as i64);
        while let Some(&Far { key, size_lots }) = self.far.last() {
            let slot = self.slot(key);
            if slot >= SLOTS {
                break;
            }
            self.window[slot] = size_lots;
            self.occupied.insert(slot);
            self.far.pop();
        }
        self.best_slot = self.occupied.next_from(0).unwrap_or(SLOTS);
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        let mut slot = self.best_slot;
        while let Some(occupied) = self.occupied.next_from(slot) {
            self.window[occupied] = 0;
            slot = occupied + 1;
        }
        self.occupied.clear();
        self.best_slot = SLOTS;
        self.far.clear();
        self.far_shifts = 0;
        self.far_unsorted = 0;
        self.better_than_window = false;
        self.read_top();
    }

    /// Takes a level of a snapshot, after [`Ladder::clear`] and before [`Ladder::end_snapshot`]. A later level at the same
    /// price wins.
    pub fn stage(&mut self, price_ticks: u64, size_lots: u64) {
        self.far.push(Far { key: D::key(price_ticks), size_lots });
    }

    /// Makes a book of the staged levels.
    ///
    /// # Errors
    /// Too many levels lie outside the window.
    pub fn end_snapshot(&mut self) -> Result<(), TooManyLevels> {
        self.sort_far();
        self.far.reserve(self.far.len() + FAR_LEVELS_SPARE);
        self.fill_window_from_far();
        self.read_top();
        if self.far.len() > FAR_LEVELS_MAX { Err(TooManyLevels) } else { Ok(()) }
    }

    /// Multiplies all prices and sizes, as a finer scale asks.
    ///
    /// # Errors
    /// A count would pass [`COUNT_MAX`]. The ladder is left without some levels and must be cleared.
    pub fn rescale(&mut self, ticks_times: u64, lots_times: u64) -> Result<(), CountOverflow> {
        self.empty_window_into_far();
        for far in &mut self.far {
            let times = |count: u64, times: u64| {
                count.checked_mul(times).filter(|&count| count <= COUNT_MAX).ok_or(CountOverflow)
            };
            far.key = D::key(times(D::price_ticks(far.key), ticks_times)?);
            far.size_lots = times(far.size_lots, lots_times)?;
        }
        self.fill_window_from_far();
        self.read_top();
        Ok(())
    }

    /// The best level.
    #[inline]
    pub fn best(&self) -> Option<Level> {
        let Top { price_ticks: [price_ticks, ..], size_lots: [size_lots, ..], .. } = self.top;
        (size_lots != 0).then_some(Level { price_ticks, size_lots })
    }

    /// The best levels.
    #[inline]
    pub fn top(&self) -> &Top {
        &self.top
    }

    /// Reads the best levels anew; the same as from [`Ladder::levels`], by fewer instructions.
    fn read_top(&mut self) {
        if self.top_slot_max.wrapping_sub(self.best_slot) < DENSE_SLOTS {
            self.read_top_by::<false>();
        } else {
            self.read_top_by::<true>();
        }
    }

    /// The same for levels that lie close together or far apart. Of those that lie far apart it cannot be foreseen which word of
    /// the bitmap holds another one, and the word after it is read in any case instead.
    #[inline(always)]
    fn read_top_by<const SPARSE: bool>(&mut self) {
        let Self { window, occupied, top, base, best_slot, .. } = self;
        top.version += 1;
        self.top_changed = false;
        let mut word = *best_slot / 64;
        let mut bits = occupied.word(word);
        let mut later = occupied.later_words(word);
        let mut slot = 0;
        for at in 0..TOP_LEVELS {
            if bits == 0 {
                let next = if word < SLOTS / 64 { occupied.next_word_after(word) } else { None };
                let Some(next) = next else { return self.read_top_of_far(at) };
                word = next;
                (bits, later) = (occupied.word(word), occupied.later_words(word));
            }
            slot = word * 64 + bits.trailing_zeros() as usize;
            top.price_ticks[at] = D::price_ticks(*base + slot as i64);
            top.size_lots[at] = window[slot % SLOTS];
            // Clears the lowest bit.
            bits &= bits - 1;
            if !SPARSE {
                continue;
            }
            // Where there is none in this group of words, the decision above is made.
            let ends = (bits == 0) & (later != 0);
            let next = word / 64 * 64 + later.trailing_zeros() as usize % 64;
            bits = select_unpredictable(ends, occupied.word(next), bits);
            word = select_unpredictable(ends, next, word);
            later = select_unpredictable(ends, later & later.wrapping_sub(1), later);
        }
        top.len = TOP_LEVELS;
        self.top_slot_max = slot;
    }

    /// Goes on with the levels outside the window, where it had `filled` only.
    #[cold]
    fn read_top_of_far(&mut self, filled: usize) {
        let Self { top, far, .. } = self;
        self.top_slot_max = SLOTS;
        top.len = TOP_LEVELS.min(filled + far.len());
        let mut far = far.iter().rev().map(|far| (D::price_ticks(far.key), far.size_lots));
        for at in filled..TOP_LEVELS {
            (top.price_ticks[at], top.size_lots[at]) = far.next().unwrap_or((0, 0));
        }
    }

    /// All levels, best first.
    #[inline]
    pub fn levels(&self) -> Levels<'_, D> {
        let word = self.best_slot / 64;
        Levels { ladder: self, word, bits: self.occupied.word(word), far_left: self.far.len() }
    }

    /// The far levels that lie in order.
    fn far_in_order(&self) -> &[Far] {
        &self.far[..self.far.len() - self.far_unsorted]
    }

    /// The size at a price in lots, 0 where there is no level. Also between the levels of a frame; what a frame changes outside
    /// the window after its shifts are used up is seen at its end.
    #[inline]
    pub fn size_at(&self, price_ticks: u64) -> u64 {
        let key = D::key(price_ticks);
        let slot = self.slot(key);
        if slot < SLOTS { self.window[slot] } else { self.far_size_at(key) }
    }

    #[cold]
    fn far_size_at(&self, key: i64) -> u64 {
        let far = self.far_in_order();
        far.get(far.partition_point(|far| far.key > key)).filter(|far| far.key == key).map_or(0, |far| far.size_lots)
    }

    /// The best price that is worse than `price_ticks`. Also between the levels of a frame, as [`Ladder::size_at`].
    #[inline]
    pub fn next_behind(&self, price_ticks: u64) -> Option<u64> {
        let key = D::key(price_ticks).checked_add(1)?;
        let from = match self.slot(key) {
            slot if slot < SLOTS => Some(slot),
            // Better than the window, or worse.
            _ if key < self.base => Some(0),
            _ => None,
        };
        let near = from.and_then(|slot| self.occupied.next_from(slot)).map(|slot| self.base + slot as i64);
        if near.is_some() && !self.better_than_window {
            return near.map(D::price_ticks);
        }
        let far = self.far_in_order();
        let outside = far[..far.partition_point(|far| far.key >= key)].last().map(|far| far.key);
        [near, outside].into_iter().flatten().min().map(D::price_ticks)
    }

    /// How many times the window has moved since the start.
    pub fn recentres(&self) -> u64 {
        self.recentres
    }

    /// Levels outside the window.
    pub fn far_levels(&self) -> usize {
        self.far.len()
    }
}

/// Walks a ladder from the best level outwards.
#[derive(Debug)]
pub struct Levels<'a, D> {
    ladder: &'a Ladder<D>,
    /// The window's word of slots in hand; the number of words when only far levels are left.
    word: usize,
    /// Its slots that have not been walked over.
    bits: u64,
    far_left: usize,
}

impl<D: Direction> Iterator for Levels<'_, D> {
    type Item = Level;

    // Always: out of line the iterator's state goes through memory, which costs as much again.
    #[inline(always)]
    fn next(&mut self) -> Option<Level> {
        if self.bits == 0 {
            let next = if self.word < SLOTS / 64 { self.ladder.occupied.next_word_after(self.word) } else { None };
            let Some(word) = next else { return self.next_far() };
            self.word = word;
            self.bits = self.ladder.occupied.word(word);
        }
        let slot = self.word * 64 + self.bits.trailing_zeros() as usize;
        // Clears the lowest bit.
        self.bits &= self.bits - 1;
        Some(Level {
            price_ticks: D::price_ticks(self.ladder.base + slot as i64),
            size_lots: self.ladder.window[slot % SLOTS],
        })
    }
}

impl<D: Direction> Levels<'_, D> {
    #[cold]
    fn next_far(&mut self) -> Option<Level> {
        self.word = SLOTS / 64;
        self.far_left = self.far_left.checked_sub(1)?;
        let Far { key, size_lots } = self.ladder.far[self.far_left];
        Some(Level { price_ticks: D::price_ticks(key), size_lots })
    }
}
