//! Features of the book: a catalogue of names, and the computation of those that a model asks for.

mod catalogue;
mod history;
mod ln;

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

/// Levels of a side that are looked at.
const DEPTH: usize = DEPTH_MAX as usize;

/// A number of each side: bid, ask.
type Pair = [f64; 2];

/// Where the numbers lie from which a row is gathered: prices and sizes by level, bid and ask side by side; what is computed
/// from them; logarithms of any of these.
const PRICES: usize = 0;
const SIZES: usize = PRICES + 2 * DEPTH;
const COMPUTED: usize = SIZES + 2 * DEPTH;
const LOGARITHMS: usize = COMPUTED + FEATURES_MAX;
/// A power of two, so that masked places are in bounds.
const NUMBERS: usize = 512;
const _: () = assert!(LOGARITHMS + FEATURES_MAX <= NUMBERS && NUMBERS.is_power_of_two());

/// A place among the numbers.
type Place = u16;

/// Computes a list of features after each frame.
///
/// The list is compiled once into what its frames need: how many prices and sizes, the few numbers with formulas of their
/// own, the arguments of one batch of logarithms, and the places from which the row is gathered.
#[derive(Debug)]
pub struct FeatureSet {
    features: Vec<Feature>,
    bid_depth: usize,
    ask_depth: usize,
    /// Depths to which prices, sizes, and sums of sizes and of price·size are computed.
    price_depth: usize,
    size_depth: usize,
    sums_depth: usize,
    /// Features with formulas of their own, in the order of their places from [`COMPUTED`] on.
    computed: Vec<Feature>,
    /// Arguments of logarithms, in the order of their places from [`LOGARITHMS`] on.
    ln_of: Vec<Place>,
    /// The place of each of the row's values.
    row_from: Vec<Place>,
    numbers: Box<[f64; NUMBERS]>,
    /// The top of the book after the last frame.
    bids: [Level; DEPTH],
    asks: [Level; DEPTH],
    history: History,
}

/// The place of a 1-based level.
#[inline]
fn at(level: u8) -> usize {
    usize::from(level) - 1
}

/// Finds or adds an entry; its place counted from `from` on.
fn place_of<T: PartialEq>(list: &mut Vec<T>, from: usize, entry: T) -> usize {
    let known = list.iter().position(|other| *other == entry);
    from + known.unwrap_or_else(|| {
        list.push(entry);
        list.len() - 1
    })
}

impl FeatureSet {
    /// Prepares the computation of `features`, at most [`FEATURES_MAX`], in this order.
    pub fn new(features: &[Feature]) -> Self {
        assert!(features.len() <= FEATURES_MAX, "a model uses at most {FEATURES_MAX} features");
        let deepest = |depth: fn(Feature) -> u8| features.iter().map(|&f| usize::from(depth(f))).max().unwrap_or(0);
        let sums_depth = deepest(|feature| match feature {
            Feature::Imbalance(n)
            | Feature::BidVwap(n)
            | Feature::AskVwap(n)
            | Feature::LnBidVwap(n)
            | Feature::LnAskVwap(n) => n,
            _ => 0,
        });
        let (mut computed, mut ln_of) = (Vec::new(), Vec::new());
        let mut row_from = Vec::new();
        for &feature in features {
            let mut compute = |feature| place_of(&mut computed, COMPUTED, feature);
            let (place, is_ln) = match feature {
                Feature::BidPrice(n) => (PRICES + 2 * at(n), false),
                Feature::AskPrice(n) => (PRICES + 2 * at(n) + 1, false),
                Feature::BidSize(n) => (SIZES + 2 * at(n), false),
                Feature::AskSize(n) => (SIZES + 2 * at(n) + 1, false),
                Feature::LnBidSize(n) => (SIZES + 2 * at(n), true),
                Feature::LnAskSize(n) => (SIZES + 2 * at(n) + 1, true),
                Feature::LnBidVwap(n) => (compute(Feature::BidVwap(n)), true),
                Feature::LnAskVwap(n) => (compute(Feature::AskVwap(n)), true),
                other => (compute(other), false),
            };
            let place = if is_ln { place_of(&mut ln_of, LOGARITHMS, place as Place) } else { place };
            row_from.push(place as Place);
        }
        Self {
            features: features.to_vec(),
            bid_depth: deepest(|feature| feature.depth().0),
            ask_depth: deepest(|feature| feature.depth().1),
            price_depth: sums_depth.max(deepest(|feature| match feature {
                Feature::BidPrice(n) | Feature::AskPrice(n) => n,
                Feature::BidMinusAsk | Feature::Mid | Feature::MicropriceMinusMid => 1,
                _ => 0,
            })),
            size_depth: sums_depth.max(deepest(|feature| match feature {
                Feature::BidSize(n) | Feature::AskSize(n) | Feature::LnBidSize(n) | Feature::LnAskSize(n) => n,
                Feature::MicropriceMinusMid => 1,
                _ => 0,
            })),
            sums_depth,
            computed,
            ln_of,
            row_from,
            numbers: Box::new([0.0; NUMBERS]),
            bids: [Level::default(); DEPTH],
            asks: [Level::default(); DEPTH],
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
        let (bids, asks) = (&mut self.bids[..self.bid_depth], &mut self.asks[..self.ask_depth]);
        if fill(bids, book.bids().levels()) < bids.len() || fill(asks, book.asks().levels()) < asks.len() {
            self.history.reset();
            return Err(NoFeatures::Thin);
        }
        let warm = self.history.update(bids, asks, ts_recv_ns);
        if !warm {
            return Err(NoFeatures::WarmingUp);
        }
        self.compute(book.scale());
        let numbers = &*self.numbers;
        for (value, &place) in row.0.iter_mut().zip(&self.row_from) {
            *value = numbers[usize::from(place) % NUMBERS];
        }
        Ok(())
    }

    /// Computes all numbers that the row is gathered from.
    #[inline]
    fn compute(&mut self, scale: Scale) {
        let (ticks_per_unit, lots_per_unit) = (scale.ticks_per_unit(), scale.lots_per_unit());
        let numbers = &mut *self.numbers;
        let levels = || self.bids.iter().zip(&self.asks);
        // Counts are below 2^63: as signed numbers they convert by one instruction.
        let ticks = |level: &Level| level.price_ticks as i64 as f64;
        let lots = |level: &Level| level.size_lots as i64 as f64;
        let (prices, rest) = numbers.split_at_mut(SIZES);
        let (prices, _) = prices[PRICES..].as_chunks_mut::<2>();
        for (pair, (bid, ask)) in prices.iter_mut().zip(levels()).take(self.price_depth) {
            *pair = [ticks(bid) / ticks_per_unit, ticks(ask) / ticks_per_unit];
        }
        let (sizes, _) = rest[..COMPUTED - SIZES].as_chunks_mut::<2>();
        for (pair, (bid, ask)) in sizes.iter_mut().zip(levels()).take(self.size_depth) {
            *pair = [lots(bid) / lots_per_unit, lots(ask) / lots_per_unit];
        }
        // Over levels 1..=i+1, in units and not in ticks and lots, whose roundings would depend on the scale in force.
        let mut size_sums: [Pair; DEPTH] = [[0.0; 2]; DEPTH];
        let mut value_sums: [Pair; DEPTH] = [[0.0; 2]; DEPTH];
        let (mut size_sum, mut value_sum) = ([0.0; 2], [0.0; 2]);
        for (at, (price, size)) in prices.iter().zip(&*sizes).enumerate().take(self.sums_depth) {
            for side in 0..2 {
                size_sum[side] += size[side];
                value_sum[side] += price[side] * size[side];
            }
            (size_sums[at], value_sums[at]) = (size_sum, value_sum);
        }
        let (bid, ask) = (0, 1);
        let vwap = |side: usize, depth: u8| value_sums[at(depth)][side] / size_sums[at(depth)][side];
        let [bid_price, ask_price] = [numbers[PRICES], numbers[PRICES + 1]];
        let [bid_size, ask_size] = [numbers[SIZES], numbers[SIZES + 1]];
        for (number, feature) in numbers[COMPUTED..LOGARITHMS].iter_mut().zip(&self.computed) {
            *number = match *feature {
                Feature::BidMinusAsk => bid_price - ask_price,
                Feature::Imbalance(n) => {
                    let [bid_size, ask_size] = size_sums[at(n)];
                    (bid_size - ask_size) / (bid_size + ask_size)
                }
                Feature::BidVwap(n) => vwap(bid, n),
                Feature::AskVwap(n) => vwap(ask, n),
                Feature::Mid => (bid_price + ask_price) / 2.0,
                // Microprice and mid are close: their difference is formed before anything is rounded.
                Feature::MicropriceMinusMid => {
                    let half_spread = (ask_price - bid_price) / 2.0;
                    half_spread * (bid_size - ask_size) / (bid_size + ask_size)
                }
                // A crossed book's spread is negative.
                Feature::SpreadTicks => ticks(&self.asks[0]) - ticks(&self.bids[0]),
                Feature::MidReturn(k) => self.history.mid_return(k),
                Feature::Ofi { levels, updates } => self.history.ofi_lots(levels, updates) as f64 / lots_per_unit,
                Feature::UpdatesSinceMidChange => self.history.updates_since_mid_change() as f64,
                Feature::SecondsSinceUpdate => self.history.since_update_ns() as f64 / 1e9,
                Feature::BidPrice(_)
                | Feature::AskPrice(_)
                | Feature::BidSize(_)
                | Feature::AskSize(_)
                | Feature::LnBidSize(_)
                | Feature::LnAskSize(_)
                | Feature::LnBidVwap(_)
                | Feature::LnAskVwap(_) => unreachable!("prices, sizes and logarithms have places of their own"),
            };
        }
        let (arguments, logarithms) = numbers.split_at_mut(LOGARITHMS);
        for (places, results) in self.ln_of.chunks(ln::LANES).zip(logarithms.chunks_mut(ln::LANES)) {
            // The lanes that are left over compute the logarithm of 1.
            let mut lanes = [1.0; ln::LANES];
            for (lane, &place) in lanes.iter_mut().zip(places) {
                *lane = arguments[usize::from(place)];
            }
            ln::ln(std::slice::from_mut(&mut lanes));
            results.copy_from_slice(&lanes);
        }
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
