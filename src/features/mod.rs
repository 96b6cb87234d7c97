//! Features of the book: a catalogue of names, and the computation of those that a model asks for.

mod catalogue;
mod history;

pub use catalogue::{CATALOGUE, DEPTH_MAX, Family, Feature, FeatureError, HISTORY_MAX, SEED};

use crate::book::{Book, Level};
use crate::units::Scale;
use history::History;

/// The most features that a model may use.
pub const FEATURES_MAX: usize = 128;

/// Values per vector step of the dot product; rows are padded to a multiple of it.
const LANES: usize = 8;
const _: () = assert!(FEATURES_MAX.is_multiple_of(LANES), "padded rows fit");

/// One frame's features on the stack, in the model's order, zeros behind them.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Row([f64; FEATURES_MAX]);

impl Default for Row {
    fn default() -> Self {
        Self([0.0; FEATURES_MAX])
    }
}

impl Row {
    /// The first `count` values.
    #[inline]
    pub fn values(&self, count: usize) -> &[f64] {
        &self.0[..count]
    }
}

/// Coefficients of a model, padded as a [`Row`] is.
#[derive(Clone, Debug)]
pub struct Weights {
    padded: Vec<f64>,
}

impl Weights {
    /// Weights for a row's first values, at most [`FEATURES_MAX`].
    pub fn new(coefficients: &[f64]) -> Self {
        assert!(coefficients.len() <= FEATURES_MAX, "a model uses at most {FEATURES_MAX} features");
        let mut padded = coefficients.to_vec();
        padded.resize(coefficients.len().next_multiple_of(LANES), 0.0);
        Self { padded }
    }

    /// Σ weight·value.
    ///
    /// Eight sums run side by side, so that the compiler keeps them in vector registers: in the release build's assembly
    /// (`cargo rustc --release --lib -- --emit asm`) the loop body is `mulpd`/`addpd` on two doubles at a time for
    /// plain x86-64. The order of the additions is fixed, so that the result is the same on every machine.
    #[inline]
    pub fn dot(&self, row: &Row) -> f64 {
        let mut sums = [0.0; LANES];
        for (weights, values) in self.padded.chunks_exact(LANES).zip(row.0.chunks_exact(LANES)) {
            for lane in 0..LANES {
                sums[lane] += weights[lane] * values[lane];
            }
        }
        let [a, b, c, d, e, f, g, h] = sums;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}

/// Why a frame has no features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFeatures {
    /// A side has fewer levels than the features look at.
    Thin,
    /// Too few updates since the snapshot for the features' history.
    WarmingUp,
}

/// Computes a list of features after each frame.
#[derive(Debug)]
pub struct FeatureSet {
    features: Vec<Feature>,
    bid_depth: usize,
    ask_depth: usize,
    /// Depth to which sizes and price·size are summed up.
    sums_depth: usize,
    history: History,
}

/// The top of one side in floats, with running sums where a feature asks for them.
struct Top {
    price: [f64; DEPTH_MAX as usize],
    size: [f64; DEPTH_MAX as usize],
    /// Σ size over levels 1..=i+1.
    size_sum: [f64; DEPTH_MAX as usize],
    /// Σ price·size over levels 1..=i+1.
    value_sum: [f64; DEPTH_MAX as usize],
}

impl Top {
    #[inline]
    fn new(levels: &[Level], scale: Scale, sums_depth: usize) -> Self {
        let zero = [0.0; DEPTH_MAX as usize];
        let mut top = Self { price: zero, size: zero, size_sum: zero, value_sum: zero };
        let (ticks_per_unit, lots_per_unit) = (scale.ticks_per_unit(), scale.lots_per_unit());
        for (at, level) in levels.iter().enumerate() {
            top.price[at] = level.price_ticks as f64 / ticks_per_unit;
            top.size[at] = level.size_lots as f64 / lots_per_unit;
        }
        let (mut size_sum, mut value_sum) = (0.0, 0.0);
        for at in 0..sums_depth.min(levels.len()) {
            size_sum += top.size[at];
            value_sum += top.price[at] * top.size[at];
            top.size_sum[at] = size_sum;
            top.value_sum[at] = value_sum;
        }
        top
    }

    #[inline]
    fn vwap(&self, depth: u8) -> f64 {
        self.value_sum[at(depth)] / self.size_sum[at(depth)]
    }
}

/// The place of a 1-based level.
#[inline]
fn at(level: u8) -> usize {
    usize::from(level) - 1
}

impl FeatureSet {
    /// Prepares the computation of `features`, at most [`FEATURES_MAX`], in this order.
    pub fn new(features: &[Feature]) -> Self {
        assert!(features.len() <= FEATURES_MAX, "a model uses at most {FEATURES_MAX} features");
        let depth = |pick: fn((u8, u8)) -> u8| features.iter().map(|f| usize::from(pick(f.depth()))).max().unwrap_or(0);
        let sums_depth = features
            .iter()
            .map(|feature| match *feature {
                Feature::Imbalance(n)
                | Feature::BidVwap(n)
                | Feature::AskVwap(n)
                | Feature::LnBidVwap(n)
                | Feature::LnAskVwap(n) => usize::from(n),
                _ => 0,
            })
            .max()
            .unwrap_or(0);
        Self {
            features: features.to_vec(),
            bid_depth: depth(|(bid, _)| bid),
            ask_depth: depth(|(_, ask)| ask),
            sums_depth,
            history: History::new(features),
        }
    }

    /// The features, in order.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Forgets what was before: the book has been replaced or lost.
    pub fn reset(&mut self) {
        self.history.reset();
    }

    /// Follows the book to a finer scale.
    pub fn refine(&mut self, from: Scale, to: Scale) {
        self.history.refine(from, to);
    }

    /// Takes the book after a frame received at `ts_recv_ns` into account and computes its features into `row`.
    ///
    /// # Errors
    /// Why there are none after this frame; `row` is then undefined.
    #[inline]
    pub fn update(&mut self, book: &Book, ts_recv_ns: i64, row: &mut Row) -> Result<(), NoFeatures> {
        let mut bids = [Level::default(); DEPTH_MAX as usize];
        let mut asks = [Level::default(); DEPTH_MAX as usize];
        let (bids, asks) = (&mut bids[..self.bid_depth], &mut asks[..self.ask_depth]);
        if fill(bids, book.bids().levels()) < bids.len() || fill(asks, book.asks().levels()) < asks.len() {
            self.history.reset();
            return Err(NoFeatures::Thin);
        }
        let warm = self.history.update(bids, asks, ts_recv_ns);
        if !warm {
            return Err(NoFeatures::WarmingUp);
        }
        let scale = book.scale();
        let bid = Top::new(bids, scale, self.sums_depth);
        let ask = Top::new(asks, scale, self.sums_depth);
        for (value, feature) in row.0.iter_mut().zip(&self.features) {
            *value = match *feature {
                Feature::BidMinusAsk => bid.price[0] - ask.price[0],
                Feature::BidSize(n) => bid.size[at(n)],
                Feature::AskSize(n) => ask.size[at(n)],
                Feature::BidPrice(n) => bid.price[at(n)],
                Feature::AskPrice(n) => ask.price[at(n)],
                Feature::LnBidSize(n) => bid.size[at(n)].ln(),
                Feature::LnAskSize(n) => ask.size[at(n)].ln(),
                Feature::Imbalance(n) => {
                    let (bid_size, ask_size) = (bid.size_sum[at(n)], ask.size_sum[at(n)]);
                    (bid_size - ask_size) / (bid_size + ask_size)
                }
                Feature::BidVwap(n) => bid.vwap(n),
                Feature::AskVwap(n) => ask.vwap(n),
                Feature::LnBidVwap(n) => bid.vwap(n).ln(),
                Feature::LnAskVwap(n) => ask.vwap(n).ln(),
                Feature::Mid => (bid.price[0] + ask.price[0]) / 2.0,
                // Microprice and mid are close: their difference is formed before anything is rounded.
                Feature::MicropriceMinusMid => {
                    let half_spread = (ask.price[0] - bid.price[0]) / 2.0;
                    half_spread * (bid.size[0] - ask.size[0]) / (bid.size[0] + ask.size[0])
                }
                // A crossed book's spread is negative.
                Feature::SpreadTicks => asks[0].price_ticks as f64 - bids[0].price_ticks as f64,
                Feature::MidReturn(k) => self.history.mid_return(k),
                Feature::Ofi { levels, updates } => {
                    self.history.ofi_lots(levels, updates) as f64 / scale.lots_per_unit()
                }
                Feature::UpdatesSinceMidChange => self.history.updates_since_mid_change() as f64,
                Feature::SecondsSinceUpdate => self.history.since_update_ns() as f64 / 1e9,
            };
        }
        Ok(())
    }
}

/// Fills `levels` from the best outwards; returns how many there were.
#[inline]
fn fill(levels: &mut [Level], mut from: impl Iterator<Item = Level>) -> usize {
    for (filled, place) in levels.iter_mut().enumerate() {
        match from.next() {
            Some(level) => *place = level,
            None => return filled,
        }
    }
    levels.len()
}

#[cfg(test)]
mod tests;
