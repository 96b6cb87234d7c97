//! How many thresholds of a feature are below its value.
//!
//! They are counted, not searched: a search makes fewer comparisons, but each waits for the one before. The last of every eight
//! thresholds stands in a list in front, and counting in it tells which eight to look at.

use super::Real;
use super::row::PLACES;
use super::vectors::{AT_ONCE, Vectors};

/// Thresholds that are compared at once.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Eight<T>([T; AT_ONCE]);

/// The thresholds of places.
#[derive(Clone, Debug, Default)]
pub struct Ranks<T> {
    asked: Vec<Asked>,
    /// Of each place the last of each full eight, then all of them; filled up with NaN, which nothing is above.
    thresholds: Vec<Eight<T>>,
}

/// A place with thresholds.
#[derive(Clone, Copy, Debug)]
struct Asked {
    place: u16,
    /// Where the list in front begins, and where that of all.
    start: [u32; 2],
    count: u32,
}

impl<T: Real> Ranks<T> {
    /// Adds a place with its thresholds, which ascend.
    pub fn push(&mut self, place: u16, thresholds: &[T]) {
        let lasts: Vec<T> = thresholds.chunks_exact(AT_ONCE).map(|eight| eight[AT_ONCE - 1]).collect();
        let mut add = |thresholds: &[T], eights: usize| {
            let start = self.thresholds.len() as u32;
            for eight in 0..eights {
                let of = |at: usize| thresholds.get(eight * AT_ONCE + at).copied().unwrap_or(T::NAN);
                self.thresholds.push(Eight(std::array::from_fn(of)));
            }
            start
        };
        let start = [add(&lasts, lasts.len().div_ceil(AT_ONCE)), add(thresholds, lasts.len() + 1)];
        self.asked.push(Asked { place, start, count: thresholds.len() as u32 });
    }

    /// Gives each place the number of its thresholds below its value, or one more than it has if the value is missing: times
    /// `factor`, on top of the place's `first`.
    #[inline(always)]
    pub fn find(&self, by: impl Vectors, values: &[T; PLACES], factor: u32, first: &[u32], to: &mut [u32]) {
        for ((asked, first), to) in self.asked.iter().zip(first).zip(to) {
            let value = values[usize::from(asked.place) % PLACES];
            let [lasts, all] = asked.start.map(|start| start as usize);
            let mut eights = 0;
            for lasts in &self.thresholds[lasts..all] {
                eights += by.above(value, &lasts.0);
            }
            let rank = AT_ONCE * eights + by.above(value, &self.thresholds[all + eights].0);
            let rank = if value.is_none() { asked.count + 1 } else { rank as u32 };
            *to = first + rank * factor;
        }
    }
}
