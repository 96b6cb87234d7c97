//! Random draws that are the same on every machine.
//!
//! Integers come from one named generator. Floats see only `+ − × ÷`, which IEEE 754 fixes to the last bit, and the
//! software logarithm and exponential of `libm`, which consist of nothing else; the system's own may differ in the last
//! bit and would let two machines take different branches.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A seeded stream of draws.
#[derive(Clone, Debug)]
pub(super) struct Draw(Xoshiro256PlusPlus);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Uniform in `[0, 1)`, a multiple of `2^-53`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in `0..bound`, with a bias below `bound · 2^-64`. A bound of 0 gives 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True with the probability given.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponential with mean 1; at most 36.8, because [`Draw::unit`] stays 2^-53 below 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.unit())
    }

    /// A number whose binary logarithm is spread as the table says: it picks an octave `o` with the table's weight and a
    /// number in `2^o .. 2^(o+1)`, uniformly.
    pub(super) fn by_octave(&mut self, table: &Octaves) -> u64 {
        let mut at = self.below(table.total) as u32;
        let mut octave = table.first;
        for &weight in table.weights {
            if at < weight {
                break;
            }
            at -= weight;
            octave += 1;
        }
        let low = 1_u64 << octave;
        low + self.below(low)
    }
}

/// Weights of successive octaves.
#[derive(Debug)]
pub(super) struct Octaves {
    first: u32,
    weights: &'static [u32],
    total: u64,
}

impl Octaves {
    /// The first weight is that of `2^first .. 2^(first+1)`.
    pub(super) const fn new(first: u32, weights: &'static [u32]) -> Self {
        let (mut total, mut index) = (0, 0);
        while index < weights.len() {
            total += weights[index] as u64;
            index += 1;
        }
        assert!(total > 0 && first as usize + weights.len() < 64, "octaves lie in 64 bits and some weight is not zero");
        Self { first, weights, total }
    }
}
