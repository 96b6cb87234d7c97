//! A model's coefficients, laid out as the numbers of a feature set are.

use super::compiled::Compiled;
use super::input::Input;
use super::lanes::{Four, LANES, Lanes};
use super::plan::Numbers;

/// A vector of coefficients and where the numbers lie that it weighs.
#[derive(Clone, Copy, Debug)]
struct Weighing {
    /// In vectors.
    place: u8,
    weights: [f64; LANES],
}

/// Coefficients for the features of a set.
///
/// The dot product runs over the vectors of numbers in which a feature lies, in their order and not the model's, with zeros for
/// what else they hold: no row is gathered for it.
#[derive(Clone, Debug)]
pub struct Weights {
    vectors: Vec<Weighing>,
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
        Self { vectors: weighing.collect() }
    }

    /// Σ weight·number, as two sums of four side by side, in the same order on every machine.
    #[inline(always)]
    pub fn dot<L: Lanes>(&self, lanes: L, numbers: &Numbers) -> f64 {
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
}
