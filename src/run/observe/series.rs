//! The book over time in a bounded number of buckets that keep every extreme: when all are used, neighbours merge in pairs
//! and each holds twice as many frames. What comes out depends on the frames alone.

use crate::engine::observation::Observation;
use serde::{Deserialize, Serialize};

/// The most buckets; a power of two.
pub const BUCKETS: usize = 2_048;
const _: () = assert!(BUCKETS.is_power_of_two(), "buckets merge in pairs");

/// A quantity over a bucket's frames.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "[f64; 5]", from = "[f64; 5]")]
pub struct Extent {
    /// After the bucket's first frame.
    pub first: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// After its last frame.
    pub last: f64,
    /// Over its frames.
    pub mean: f64,
}

/// In `RUN.json`: first, min, max, last, mean.
impl From<Extent> for [f64; 5] {
    fn from(extent: Extent) -> Self {
        let Extent { first, min, max, last, mean } = extent;
        [first, min, max, last, mean]
    }
}

impl From<[f64; 5]> for Extent {
    fn from([first, min, max, last, mean]: [f64; 5]) -> Self {
        Self { first, min, max, last, mean }
    }
}

impl Extent {
    fn of(value: f64) -> Self {
        Self { first: value, min: value, max: value, last: value, mean: value }
    }

    /// What follows on this: `frames` and `later_frames` are how many frames each holds.
    fn join(&self, frames: u64, later: &Self, later_frames: u64) -> Self {
        let share = later_frames as f64 / (frames + later_frames) as f64;
        Self {
            first: self.first,
            min: self.min.min(later.min),
            max: self.max.max(later.max),
            last: later.last,
            mean: self.mean + (later.mean - self.mean) * share,
        }
    }
}

/// Successive live frames with both sides of the book.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    sequence: u64,
    ts_recv_ns: i64,
    frames: u64,
    mid: Extent,
    spread: Extent,
    imbalance: Extent,
}

impl Bucket {
    fn of(frame: &Observation) -> Self {
        let unit = frame.scale.ticks_per_unit();
        let (bid, ask) = (frame.bid.price_ticks as f64, frame.ask.price_ticks as f64);
        let (bid_lots, ask_lots) = (frame.bid.size_lots as f64, frame.ask.size_lots as f64);
        Self {
            sequence: frame.sequence,
            ts_recv_ns: frame.ts_recv_ns,
            frames: 1,
            mid: Extent::of((bid + ask) / 2.0 / unit),
            spread: Extent::of((ask - bid) / unit),
            imbalance: Extent::of((bid_lots - ask_lots) / (bid_lots + ask_lots)),
        }
    }

    fn join(&self, later: &Self) -> Self {
        let join = |a: &Extent, b: &Extent| a.join(self.frames, b, later.frames);
        Self {
            frames: self.frames + later.frames,
            mid: join(&self.mid, &later.mid),
            spread: join(&self.spread, &later.spread),
            imbalance: join(&self.imbalance, &later.imbalance),
            ..*self
        }
    }
}

/// The book's best prices over time, a column per quantity; all columns are equally long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Frames in each bucket but the last.
    pub frames_per_bucket: u64,
    /// Frames of the book since the session began, at each bucket's first frame.
    pub sequence: Vec<u64>,
    /// Receive time of that frame, Unix nanoseconds.
    pub ts_recv_ns: Vec<i64>,
    /// Frames in each bucket.
    pub frames: Vec<u64>,
    /// (Best bid + best ask) / 2, quote units.
    pub mid: Vec<Extent>,
    /// Best ask − best bid, quote units; below 0 when crossed.
    pub spread: Vec<Extent>,
    /// (Best bid's size − best ask's) / (their sum).
    pub imbalance: Vec<Extent>,
}

/// Fills buckets.
#[derive(Debug)]
pub(super) struct Sampler {
    /// Full buckets, `frames_per_bucket` frames each.
    full: Vec<Bucket>,
    current: Option<Bucket>,
    frames_per_bucket: u64,
}

impl Default for Sampler {
    fn default() -> Self {
        Self { full: Vec::with_capacity(BUCKETS), current: None, frames_per_bucket: 1 }
    }
}

impl Sampler {
    #[inline]
    pub fn frame(&mut self, frame: &Observation) {
        let one = Bucket::of(frame);
        let current = self.current.map_or(one, |current| current.join(&one));
        if current.frames < self.frames_per_bucket {
            self.current = Some(current);
            return;
        }
        self.current = None;
        if self.full.len() == BUCKETS {
            self.merge();
            // Half a bucket now.
            self.current = Some(current);
        } else {
            self.full.push(current);
        }
    }

    #[cold]
    fn merge(&mut self) {
        for at in 0..BUCKETS / 2 {
            self.full[at] = self.full[2 * at].join(&self.full[2 * at + 1]);
        }
        self.full.truncate(BUCKETS / 2);
        self.frames_per_bucket *= 2;
    }

    pub fn finish(mut self) -> Series {
        if self.full.len() == BUCKETS && self.current.is_some() {
            self.merge();
        }
        let buckets: Vec<Bucket> = self.full.into_iter().chain(self.current).collect();
        Series {
            frames_per_bucket: self.frames_per_bucket,
            sequence: buckets.iter().map(|bucket| bucket.sequence).collect(),
            ts_recv_ns: buckets.iter().map(|bucket| bucket.ts_recv_ns).collect(),
            frames: buckets.iter().map(|bucket| bucket.frames).collect(),
            mid: buckets.iter().map(|bucket| bucket.mid).collect(),
            spread: buckets.iter().map(|bucket| bucket.spread).collect(),
            imbalance: buckets.iter().map(|bucket| bucket.imbalance).collect(),
        }
    }
}
