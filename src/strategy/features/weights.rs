//! A model's coefficients, laid out as the numbers of a feature set are.

use super::compiled::Compiled;
use super::input::Input;
use super::lanes::{Four, LANES, Lanes};
use super::plan::{self, Numbers, Place};
use super::together::Share;

/// A vector of coefficients and where the numbers lie that it weighs.
#[derive(Clone, Copy, Debug)]
struct Weighing {
    /// In vectors.
    place: u8,
    weights: [f64; LANES],
}

/// The same where the numbers lie apart, in a set that computes other lists too.
#[derive(Clone, Copy, Debug)]
struct Gathering {
    places: [Place; LANES],
    weights: [f64; LANES],
}

/// Coefficients for the features of a set.
///
/// The dot product runs over the vectors of numbers in which a feature lies, in their order and not the model's, with zeros for
/// what else they hold: no row is gathered for it, unless the set computes other lists too, which puts them elsewhere.
#[derive(Clone, Debug)]
pub struct Weights {
    vectors: Vec<Weighing>,
    /// In place of `vectors`, in their order, if there are any.
    apart: Vec<Gathering>,
}

impl Weights {
    /// Coefficients of `features`, a list that [`check`](super::check) has passed, in the same order.
    pub fn new<I: Clone + Into<Input>>(features: &[I], coefficients: &[f64]) -> Self {
        let inputs: Vec<Input> = features.iter().cloned().map(Into::into).collect();
        let plan = Compiled::new(&inputs).unwrap_or_else(|error| panic!("{error}")).plan;
        assert_eq!(features.len(), coefficients.len(), "a coefficient for each feature");
        let mut by_place = Numbers::default();
        let mut weighs = Numbers::default();
        for (&place, &coefficient) in plan.places.iter().zip(coefficients) {
            // The same feature may be named twice.
            by_place[place] += coefficient;
            weighs[place] = 1.0;
        }
        let vectors = by_place.vectors().iter().zip(weighs.vectors()).enumerate();
        let weighing = vectors.filter(|(_, (_, weighs))| **weighs != [0.0; LANES]);
        let weighing = weighing.map(|(place, (&weights, _))| Weighing { place: place as u8, weights });
        Self { vectors: weighing.collect(), apart: Vec::new() }
    }

    /// The same for features that are a part of a set. The sum has the bits that it has alone: what is added to what is decided by
    /// the list itself.
    pub fn within<I: Clone + Into<Input>>(features: &[I], coefficients: &[f64], share: &Share) -> Self {
        let alone = Self::new(features, coefficients);
        let inputs: Vec<Input> = features.iter().cloned().map(Into::into).collect();
        let plan = Compiled::new(&inputs).unwrap_or_else(|error| panic!("{error}")).plan;
        if plan.places == share.places() {
            return alone;
        }
        let place = |own: Place| {
            if usize::from(own) < plan::COMPUTED {
                // Levels and sums of sizes lie where they lie in every set.
                return own;
            }
            let of = plan.places.iter().position(|&place| place == own);
            // What the list does not name has no weight; the number one is finite as that is.
            of.map_or(plan::ONE, |at| share.places()[at])
        };
        let lane = |of: u8, lane: usize| (usize::from(of) * LANES + lane) as Place;
        let gathering = alone.vectors.iter().map(|&Weighing { place: of, weights }| Gathering {
            places: std::array::from_fn(|at| place(lane(of, at))),
            weights,
        });
        Self { apart: gathering.collect(), vectors: Vec::new() }
    }

    /// Σ weight·number, as two sums of four side by side, in the same order on every machine.
    #[inline(always)]
    pub fn dot<L: Lanes>(&self, lanes: L, numbers: &Numbers) -> f64 {
        if !self.apart.is_empty() {
            return self.dot_apart(lanes, numbers);
        }
        let numbers = numbers.vectors();
        let (mut even, mut odd) = (Four::all(lanes, 0.0), Four::all(lanes, 0.0));
        for pair in self.vectors.chunks(2) {
            let Weighing { place, weights } = pair[0];
            even = even + Four::of(lanes, weights) * Four::of(lanes, numbers[usize::from(place)]);
            if let Some(&Weighing { place, weights }) = pair.get(1) {
                odd = odd + Four::of(lanes, weights) * Four::of(lanes, numbers[usize::from(place)]);
            }
        }
        (even + odd).sum()
    }

    #[inline(always)]
    fn dot_apart<L: Lanes>(&self, lanes: L, numbers: &Numbers) -> f64 {
        let (mut even, mut odd) = (Four::all(lanes, 0.0), Four::all(lanes, 0.0));
        let product = |Gathering { places, weights }: Gathering| {
            Four::of(lanes, weights) * Four::of(lanes, places.map(|place| numbers[place]))
        };
        for pair in self.apart.chunks(2) {
            even = even + product(pair[0]);
            if let Some(&second) = pair.get(1) {
                odd = odd + product(second);
            }
        }
        (even + odd).sum()
    }
}
