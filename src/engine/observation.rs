//! What the engine hands the writer thread of every live frame, for reports: a fixed-size record by one push.
//!
//! ```
//! use papertrader::engine::observation::{ROW_EVERY, row_ring};
//! use papertrader::market::book::Book;
//! use papertrader::market::event::Event;
//! use papertrader::market::units::{Scale, Side};
//! use papertrader::strategy::features::{Feature, FeatureSet};
//!
//! let mut book = Book::default();
//! book.begin_snapshot(Scale { price_decimals: 2, size_decimals: 2 });
//! book.stage(&[Event::level(Side::Bid, 9_999, 300), Event::level(Side::Ask, 10_001, 100)]);
//! book.end_snapshot().expect("two levels are not too many");
//! let mut features = FeatureSet::new(&[Feature::Mid, Feature::SpreadTicks]);
//! features.update(&book, 0).expect("the book has both sides");
//!
//! let (mut sender, mut rows) = row_ring(2);
//! let mut waits = 0;
//! (0..ROW_EVERY).for_each(|_| sender.evaluated(|| features.values(), &mut waits));
//! assert_eq!(rows.slots(), 2);
//! assert_eq!((rows.pop(), rows.pop()), (Ok(100.0), Ok(2.0)));
//! ```

use crate::market::book::Level;
use crate::market::units::Scale;
use crate::strategy::features::FEATURES_MAX;
use rtrb::{Consumer, Producer, RingBuffer};
use std::thread;

/// Records on their way to the writer thread.
pub const OBSERVATION_RING: usize = 1 << 16;
/// Of so many evaluations one gives its features.
pub const ROW_EVERY: u32 = 16;
/// Feature values on their way to the writer thread: some forty thousand frames of a model of 28 features.
const ROW_RING: usize = 1 << 16;

/// One evaluation of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The model's log-odds.
    pub logit: f64,
    /// The stamp of the decision; [`crate::market::event::UNSTAMPED`] for a frame whose latencies are not recorded.
    pub decided: u64,
}

/// A frame that left the book live.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Frames of the book since the session began; 0 is the first snapshot.
    pub sequence: u64,
    /// The venue's number of the frame's message.
    pub venue_sequence_num: u64,
    /// Our clock when it arrived, Unix nanoseconds.
    pub ts_recv_ns: i64,
    /// Snapshots so far. Frames of the same number follow one another without a gap: nothing but a snapshot makes a book
    /// live.
    pub stretch: u64,
    /// The best bid; without size where there is none.
    pub bid: Level,
    /// The best ask; without size where there is none.
    pub ask: Level,
    /// Of the four numbers above.
    pub scale: Scale,
    /// `None` where the frame had no features.
    pub evaluation: Option<Evaluation>,
}

const _: () = assert!(size_of::<Observation>() <= 96, "a record is copied per frame");

/// The engine's end of the ring of feature rows.
#[derive(Debug)]
pub struct RowSender {
    ring: Producer<f64>,
    width: usize,
    until_next: u32,
}

/// A ring for rows of `width` features, and its end at the writer thread, where rows lie behind one another.
pub fn row_ring(width: usize) -> (RowSender, Consumer<f64>) {
    assert!(width <= FEATURES_MAX, "a model uses at most {FEATURES_MAX} features");
    let (ring, rows) = RingBuffer::new(ROW_RING);
    // The first evaluation is the first of its sixteen.
    (RowSender { ring, width, until_next: 1 }, rows)
}

impl RowSender {
    /// Hands over the features of every [`ROW_EVERY`]th evaluation; waits when the ring is full, and counts the wait.
    #[inline]
    pub fn evaluated<V: Iterator<Item = f64>>(&mut self, values: impl FnOnce() -> V, waits: &mut u64) {
        self.until_next -= 1;
        if self.until_next == 0 {
            self.until_next = ROW_EVERY;
            self.send(values(), waits);
        }
    }

    fn send(&mut self, values: impl Iterator<Item = f64>, waits: &mut u64) {
        let mut waited = false;
        loop {
            if let Ok(room) = self.ring.write_chunk_uninit(self.width) {
                room.fill_from_iter(values);
                return;
            }
            // A writer that has gone has reported why, and the run is ending.
            if self.ring.is_abandoned() {
                return;
            }
            *waits += u64::from(!waited);
            waited = true;
            thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::features::{FeatureSet, SEED};

    #[test]
    fn every_sixteenth_row_goes_whole() {
        let (mut sender, mut rows) = row_ring(3);
        let features = FeatureSet::new(&SEED[..3]);
        let mut waits = 0;
        for _ in 0..=2 * ROW_EVERY {
            sender.evaluated(|| features.values(), &mut waits);
        }
        let mut values = 0;
        while rows.pop().is_ok() {
            values += 1;
        }
        assert_eq!((values, waits), (9, 0));
        drop(rows);
        // A full ring without a reader does not hold the engine.
        (0..ROW_EVERY * ROW_RING as u32).for_each(|_| sender.evaluated(|| features.values(), &mut waits));
    }
}
