//! Features of the book: a catalogue of names, and the computation of those that a model asks for.

mod catalogue;
mod history;

pub use catalogue::{CATALOGUE, DEPTH_MAX, Family, Feature, FeatureError, HISTORY_MAX, SEED};

use crate::book::ladder::Direction;
use crate::book::{Book, Ladder, Level};
use crate::units::Scale;
use history::History;

/// The most features that a model may use.
pub const FEATURES_MAX: usize = 128;

/// Values per vector step of the dot product; rows are padded to a multiple of it.
const LANES: usize = 8;
const _: () = assert!(FEATURES_MAX.is_multiple_of(LANES), "padded rows fit");

/// Logarithms that are computed again together when one of their arguments has changed. By the standard library: packed in
/// vector registers, as FreeBSD's `e_log.c` without its branches, they took 1.07 to 1.15 times as long.
const LN_BATCH: usize = 4;

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

const BID: usize = 0;
const ASK: usize = 1;

/// Where the numbers lie from which a row is gathered: prices and sizes by level, of bids and of asks; what is computed from
/// them; logarithms of any of these.
const PRICES: [usize; 2] = [0, DEPTH];
const SIZES: [usize; 2] = [2 * DEPTH, 3 * DEPTH];
const COMPUTED: usize = 4 * DEPTH;
const LOGARITHMS: usize = COMPUTED + FEATURES_MAX;
/// The number one, whose logarithm stands in for arguments that a batch lacks, and behind it zero.
const ONE: usize = LOGARITHMS + FEATURES_MAX;
const ZERO: usize = ONE + 1;
/// A power of two, so that masked places are in bounds.
const NUMBERS: usize = 512;
const _: () = assert!(ZERO < NUMBERS && NUMBERS.is_power_of_two());

/// A place among the numbers.
type Place = u16;

/// Computes a list of features after each frame.
///
/// The list is compiled once into what its frames need: how many prices and sizes, the few numbers with formulas of their
/// own, the arguments of one batch of logarithms, and the places from which the row is gathered.
#[derive(Debug)]
pub struct FeatureSet {
    features: Vec<Feature>,
    /// Whether prices and sizes of all levels and their sums are computed, or the best level's alone.
    all_levels: bool,
    /// Features with formulas of their own, in the order of their places from [`COMPUTED`] on.
    computed: Vec<Feature>,
    /// Arguments of logarithms, in the order of their places from [`LOGARITHMS`] on.
    ln_of: Vec<[Place; LN_BATCH]>,
    /// The place of each of the row's values, zeros behind.
    row_from: Vec<[Place; LANES]>,
    numbers: Box<[f64; NUMBERS]>,
    /// The arguments of which `numbers` holds the logarithms, four at a time.
    ln_known: Vec<[f64; LN_BATCH]>,
    sides: [Side; 2],
    /// The scale at which the numbers of both sides were computed, if they are those of the levels.
    computed_at: Option<Scale>,
    history: History,
}

/// The top of one side of the book after the last frame.
#[derive(Debug, Default)]
struct Side {
    /// Levels that are looked at.
    depth: usize,
    levels: [Level; DEPTH],
    /// Over levels 1..=i+1, in units and not in ticks and lots, whose roundings would depend on the scale in force.
    size_sums: [f64; DEPTH],
    value_sums: [f64; DEPTH],
}

impl Side {
    /// Takes over the levels. Whether any has changed; `None` where there are too few.
    #[inline]
    fn follow<D: Direction>(&mut self, ladder: &Ladder<D>) -> Option<bool> {
        let mut levels = [Level::default(); DEPTH];
        let (now, before) = (&mut levels[..self.depth], &mut self.levels[..self.depth]);
        if ladder.top(now) < now.len() {
            return None;
        }
        let changed = now != before;
        if changed {
            before.copy_from_slice(now);
        }
        Some(changed)
    }

    fn levels(&self) -> &[Level] {
        &self.levels[..self.depth]
    }
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

/// A list in chunks of `N`, the last filled up.
fn in_chunks<const N: usize>(places: &[Place], filling: Place) -> Vec<[Place; N]> {
    places.chunks(N).map(|chunk| std::array::from_fn(|at| chunk.get(at).copied().unwrap_or(filling))).collect()
}

impl FeatureSet {
    /// Prepares the computation of `features`, at most [`FEATURES_MAX`], in this order.
    pub fn new(features: &[Feature]) -> Self {
        assert!(features.len() <= FEATURES_MAX, "a model uses at most {FEATURES_MAX} features");
        let deepest = |depth: fn(Feature) -> u8| features.iter().map(|&f| usize::from(depth(f))).max().unwrap_or(0);
        let (mut computed, mut ln_of) = (Vec::new(), Vec::new());
        let mut row_from = Vec::new();
        for &feature in features {
            let mut compute = |feature| place_of(&mut computed, COMPUTED, feature);
            let (place, is_ln) = match feature {
                Feature::BidPrice(n) => (PRICES[BID] + at(n), false),
                Feature::AskPrice(n) => (PRICES[ASK] + at(n), false),
                Feature::BidSize(n) => (SIZES[BID] + at(n), false),
                Feature::AskSize(n) => (SIZES[ASK] + at(n), false),
                Feature::LnBidSize(n) => (SIZES[BID] + at(n), true),
                Feature::LnAskSize(n) => (SIZES[ASK] + at(n), true),
                Feature::LnBidVwap(n) => (compute(Feature::BidVwap(n)), true),
                Feature::LnAskVwap(n) => (compute(Feature::AskVwap(n)), true),
                other => (compute(other), false),
            };
            let place = if is_ln { place_of(&mut ln_of, LOGARITHMS, place as Place) } else { place };
            row_from.push(place as Place);
        }
        let ln_of: Vec<_> = in_chunks(&ln_of, ONE as Place);
        let mut numbers = Box::new([0.0; NUMBERS]);
        numbers[ONE] = 1.0;
        Self {
            features: features.to_vec(),
            sides: [
                Side { depth: deepest(|feature| feature.depth().0), ..Side::default() },
                Side { depth: deepest(|feature| feature.depth().1), ..Side::default() },
            ],
            all_levels: features.iter().any(|feature| {
                let (bids, asks) = feature.depth();
                bids.max(asks) > 1 && !matches!(feature, Feature::Ofi { .. })
            }),
            computed,
            // No argument equals what is no number.
            ln_known: vec![[f64::NAN; LN_BATCH]; ln_of.len()],
            ln_of,
            row_from: in_chunks(&row_from, ZERO as Place),
            numbers,
            computed_at: None,
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
        let [bids, asks] = &mut self.sides;
        let (Some(bids_changed), Some(asks_changed)) = (bids.follow(book.bids()), asks.follow(book.asks())) else {
            self.history.reset();
            self.computed_at = None;
            return Err(NoFeatures::Thin);
        };
        let warm = self.history.update(bids.levels(), asks.levels(), ts_recv_ns);
        if !warm {
            self.computed_at = None;
            return Err(NoFeatures::WarmingUp);
        }
        let anew = self.computed_at.replace(book.scale()) != Some(book.scale());
        self.compute(book.scale(), [bids_changed || anew, asks_changed || anew]);
        let numbers = &*self.numbers;
        let (chunks, _) = row.0.as_chunks_mut();
        for (values, places) in chunks.iter_mut().zip(&self.row_from) {
            *values = places.map(|place| numbers[usize::from(place) % NUMBERS]);
        }
        Ok(())
    }

    /// Computes prices, sizes and their sums of a side whose levels have changed.
    fn compute_side(&mut self, which: usize, ticks_per_unit: f64, lots_per_unit: f64) {
        let side = &mut self.sides[which];
        let numbers = &mut *self.numbers;
        // Counts are below 2^63: as signed numbers they convert by one instruction.
        let price = |level: Level| level.price_ticks as i64 as f64 / ticks_per_unit;
        let size = |level: Level| level.size_lots as i64 as f64 / lots_per_unit;
        if !self.all_levels {
            let [best, ..] = side.levels;
            (numbers[PRICES[which]], numbers[SIZES[which]]) = (price(best), size(best));
            (side.size_sums[0], side.value_sums[0]) = (size(best), price(best) * size(best));
            return;
        }
        // All levels, in loops of fixed length. Those that nobody looks at are zeros, as their sums are to nobody's harm.
        let (prices, sizes) = (side.levels.map(price), side.levels.map(size));
        *numbers[PRICES[which]..].first_chunk_mut().expect("there is room") = prices;
        *numbers[SIZES[which]..].first_chunk_mut().expect("there is room") = sizes;
        let (mut size_sum, mut value_sum) = (0.0, 0.0);
        for at in 0..DEPTH {
            size_sum += sizes[at];
            value_sum += prices[at] * sizes[at];
            (side.size_sums[at], side.value_sums[at]) = (size_sum, value_sum);
        }
    }

    /// Computes all numbers that the row is gathered from; those of a side alone if it has changed.
    #[inline]
    fn compute(&mut self, scale: Scale, changed: [bool; 2]) {
        let (ticks_per_unit, lots_per_unit) = (scale.ticks_per_unit(), scale.lots_per_unit());
        for side in [BID, ASK] {
            if changed[side] {
                self.compute_side(side, ticks_per_unit, lots_per_unit);
            }
        }
        let numbers = &mut *self.numbers;
        let sides = &self.sides;
        let ticks = |side: usize| sides[side].levels[0].price_ticks as i64 as f64;
        let vwap = |side: usize, depth: u8| sides[side].value_sums[at(depth)] / sides[side].size_sums[at(depth)];
        let [bid_price, ask_price] = PRICES.map(|place| numbers[place]);
        let [bid_size, ask_size] = SIZES.map(|place| numbers[place]);
        for (number, feature) in numbers[COMPUTED..LOGARITHMS].iter_mut().zip(&self.computed) {
            *number = match *feature {
                Feature::BidMinusAsk => bid_price - ask_price,
                Feature::Imbalance(n) => {
                    let [bid_size, ask_size] = [BID, ASK].map(|side| sides[side].size_sums[at(n)]);
                    (bid_size - ask_size) / (bid_size + ask_size)
                }
                Feature::BidVwap(n) => vwap(BID, n),
                Feature::AskVwap(n) => vwap(ASK, n),
                Feature::Mid => (bid_price + ask_price) / 2.0,
                // Microprice and mid are close: their difference is formed before anything is rounded.
                Feature::MicropriceMinusMid => {
                    let half_spread = (ask_price - bid_price) / 2.0;
                    half_spread * (bid_size - ask_size) / (bid_size + ask_size)
                }
                // A crossed book's spread is negative.
                Feature::SpreadTicks => ticks(ASK) - ticks(BID),
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
        for (at, (places, known)) in self.ln_of.iter().zip(&mut self.ln_known).enumerate() {
            let lanes = places.map(|place| numbers[usize::from(place) % NUMBERS]);
            if lanes != *known {
                *known = lanes;
                *numbers[LOGARITHMS + at * LN_BATCH..].first_chunk_mut().expect("there is room") = lanes.map(f64::ln);
            }
        }
    }
}

#[cfg(test)]
mod tests;
