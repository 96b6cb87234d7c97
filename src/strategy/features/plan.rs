//! What a list of features needs computed, and where each number lies.

use super::FEATURES_MAX;
use super::catalogue::{DEPTH_MAX, Feature};
use super::lanes::LANES;
use crate::market::book::{TOP_LEVELS, TOP_ROOM};
use std::ops::{Index, IndexMut};

/// The sides of the market, where each has a place.
pub const BID: usize = 0;
pub const ASK: usize = 1;

/// Levels of a side that are looked at.
const DEPTH: usize = DEPTH_MAX as usize;
const _: () = assert!(DEPTH == TOP_LEVELS, "the book keeps at hand what features look at");

/// A place among the numbers.
pub type Place = u8;
const PLACES: usize = 1 << Place::BITS;

/// What is computed of a book, each number at its place.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Numbers([[f64; LANES]; PLACES / LANES]);

impl Default for Numbers {
    fn default() -> Self {
        Self([[0.0; LANES]; PLACES / LANES])
    }
}

impl Numbers {
    /// The numbers as vectors.
    #[inline(always)]
    pub fn vectors(&self) -> &[[f64; LANES]; PLACES / LANES] {
        &self.0
    }

    /// The vectors from a place on that begins one.
    #[inline(always)]
    pub fn vectors_from(&mut self, place: usize) -> &mut [[f64; LANES]] {
        debug_assert!(place.is_multiple_of(LANES));
        &mut self.0[place / LANES..]
    }
}

impl Index<Place> for Numbers {
    type Output = f64;

    #[inline(always)]
    fn index(&self, place: Place) -> &f64 {
        &self.0.as_flattened()[usize::from(place)]
    }
}

impl IndexMut<Place> for Numbers {
    #[inline(always)]
    fn index_mut(&mut self, place: Place) -> &mut f64 {
        &mut self.0.as_flattened_mut()[usize::from(place)]
    }
}

/// Where prices and sizes by level lie, of bids and of asks.
pub const PRICES: [usize; 2] = [0, TOP_ROOM];
pub const SIZES: [usize; 2] = [2 * TOP_ROOM, 3 * TOP_ROOM];
/// Sums of sizes over levels 1..=i+1.
const SIZE_SUMS: [usize; 2] = [4 * TOP_ROOM, 4 * TOP_ROOM + DEPTH];
/// Features with formulas of their own.
pub const COMPUTED: usize = SIZE_SUMS[1] + DEPTH;
/// At most of all sizes and of all averages.
pub const LOGARITHMS: usize = COMPUTED + FEATURES_MAX;
/// The number one, whose logarithm stands in for arguments that a batch lacks.
pub const ONE: Place = (LOGARITHMS + 4 * DEPTH) as Place;
const _: () = assert!(LOGARITHMS + 4 * DEPTH < PLACES, "a place names every number");
const _: () = assert!((4 * DEPTH).is_multiple_of(LANES), "batches of logarithms stay in their room");
const _: () =
    assert!(LOGARITHMS.is_multiple_of(LANES) && TOP_ROOM.is_multiple_of(LANES), "vectors begin at their places");

/// The place of a 1-based level behind the first.
const fn at(level: u8) -> usize {
    level as usize - 1
}

/// The place of a sum of sizes, which is that of the first where nothing else is summed up.
pub const fn size_sum(side: usize, depth: u8) -> Place {
    (if depth == 1 { SIZES[side] } else { SIZE_SUMS[side] + at(depth) }) as Place
}

/// A sum over the first levels of a side.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    pub side: usize,
    pub depth: u8,
    /// 1 for the levels that are summed up, 0 for the others.
    pub shares: [[f64; LANES]; TOP_ROOM / LANES],
    /// Where the sum of sizes belongs.
    pub sizes: Place,
    /// Where the average price weighted by size belongs, if it is asked for.
    pub vwap: Option<Place>,
}

/// A list of features, compiled.
#[derive(Debug)]
pub struct Plan {
    /// How many levels are looked at, of bids and of asks.
    pub depths: [usize; 2],
    pub sums: Vec<Sum>,
    /// Features that both sides make, or history, with their places.
    pub computed: Vec<(Feature, Place)>,
    /// Arguments of logarithms, whose own places follow each other from [`LOGARITHMS`] on.
    pub ln_of: Vec<[Place; LANES]>,
    /// The place of each feature.
    pub places: Vec<Place>,
    /// Whether features depend on what was before, and not on the best levels alone.
    pub looks_back: bool,
}

impl Plan {
    /// Of what was asked to be computed, with the places of a list's features. `reads` are those of the catalogue that are looked
    /// at; what is made of them may look back where they do not.
    pub fn new(building: Building, places: Vec<Place>, reads: &[Feature], looks_back_besides: bool) -> Self {
        let deepest = |depth: fn(Feature) -> u8| reads.iter().map(|&f| usize::from(depth(f))).max().unwrap_or(0);
        Self {
            depths: [deepest(|feature| feature.depth().0), deepest(|feature| feature.depth().1)],
            sums: building.sums,
            computed: building.computed,
            ln_of: in_vectors(&building.ln_of, ONE),
            places,
            looks_back: looks_back_besides || reads.iter().any(|&feature| looks_back(feature)),
        }
    }
}

fn looks_back(feature: Feature) -> bool {
    feature.reads_tape()
        || matches!(
            feature,
            Feature::MidReturn(_) | Feature::Ofi { .. } | Feature::UpdatesSinceMidChange | Feature::SecondsSinceUpdate
        )
}

/// Places in whole vectors, the last filled up.
fn in_vectors(places: &[Place], filling: Place) -> Vec<[Place; LANES]> {
    places.chunks(LANES).map(|chunk| std::array::from_fn(|at| chunk.get(at).copied().unwrap_or(filling))).collect()
}

/// What is asked to be computed, as it is gathered.
#[derive(Debug, Default)]
pub struct Building {
    sums: Vec<Sum>,
    computed: Vec<(Feature, Place)>,
    ln_of: Vec<Place>,
    /// Places taken from [`COMPUTED`] on. A list that takes too many is refused: places beyond are not used.
    taken: usize,
}

impl Building {
    /// The place of a feature's value, which is made to be computed.
    pub fn place(&mut self, feature: Feature) -> Place {
        self.place_of(feature) as Place
    }

    /// The place of the sizes of a side summed over levels 1..=depth, which are made to be computed.
    pub fn size_sum(&mut self, side: usize, depth: u8) -> Place {
        self.sum(side, depth).sizes
    }

    /// How many places are taken; there are [`FEATURES_MAX`].
    pub fn taken(&self) -> usize {
        self.taken
    }

    fn place_of(&mut self, feature: Feature) -> usize {
        match feature {
            Feature::BidPrice(n) => PRICES[BID] + at(n),
            Feature::AskPrice(n) => PRICES[ASK] + at(n),
            Feature::BidSize(n) => SIZES[BID] + at(n),
            Feature::AskSize(n) => SIZES[ASK] + at(n),
            Feature::BidVwap(n) => self.vwap(BID, n),
            Feature::AskVwap(n) => self.vwap(ASK, n),
            Feature::LnBidSize(n) => self.ln(SIZES[BID] + at(n)),
            Feature::LnAskSize(n) => self.ln(SIZES[ASK] + at(n)),
            Feature::LnBidVwap(n) => {
                let vwap = self.vwap(BID, n);
                self.ln(vwap)
            }
            Feature::LnAskVwap(n) => {
                let vwap = self.vwap(ASK, n);
                self.ln(vwap)
            }
            of_both => {
                if let Feature::Imbalance(n @ 2..) = of_both {
                    self.sum(BID, n);
                    self.sum(ASK, n);
                }
                let known = self.computed.iter().find(|(feature, _)| *feature == of_both).map(|&(_, place)| place);
                usize::from(known.unwrap_or_else(|| {
                    let place = self.next();
                    self.computed.push((of_both, place));
                    place
                }))
            }
        }
    }

    /// A place for something else.
    pub fn next(&mut self) -> Place {
        self.taken += 1;
        (COMPUTED + self.taken - 1) as Place
    }

    fn sum(&mut self, side: usize, depth: u8) -> &mut Sum {
        let known = self.sums.iter().position(|sum| (sum.side, sum.depth) == (side, depth));
        let index = known.unwrap_or_else(|| {
            let share = |level| if level < usize::from(depth) { 1.0 } else { 0.0 };
            let shares = std::array::from_fn(|vector| std::array::from_fn(|lane| share(vector * LANES + lane)));
            self.sums.push(Sum { side, depth, shares, sizes: size_sum(side, depth), vwap: None });
            self.sums.len() - 1
        });
        &mut self.sums[index]
    }

    fn vwap(&mut self, side: usize, depth: u8) -> usize {
        let known = self.sum(side, depth).vwap;
        let place = known.unwrap_or_else(|| self.next());
        self.sum(side, depth).vwap = Some(place);
        usize::from(place)
    }

    fn ln(&mut self, of: usize) -> usize {
        let of = of as Place;
        let known = self.ln_of.iter().position(|place| *place == of);
        LOGARITHMS
            + known.unwrap_or_else(|| {
                self.ln_of.push(of);
                self.ln_of.len() - 1
            })
    }
}
