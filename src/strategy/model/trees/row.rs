//! A row of features, laid out for trees.

use super::{Real, ZERO};

/// The row's places: features, then the same with what counts as 0 missing, then that of leaves.
pub const ZERO_MISSING: usize = 128;
pub const OF_LEAVES: usize = 256;
pub const PLACES: usize = 512;

/// A row of features where compiled trees look at them, with room for what they compute.
#[derive(Clone, Debug)]
pub struct Row<T> {
    pub(super) values: Box<[T; PLACES]>,
    pub(super) has_missing: bool,
    /// Of each place that trees ask where their masks for its value are.
    pub(super) masks: Box<[u32; OF_LEAVES]>,
}

impl<T: Real> Default for Row<T> {
    fn default() -> Self {
        let mut values = Box::new([T::default(); PLACES]);
        values[OF_LEAVES] = T::LEAST;
        Self { values, has_missing: false, masks: Box::new([0; OF_LEAVES]) }
    }
}

impl<T: Real> Row<T> {
    /// Takes at most 128 values; of the first `inputs` also with 0 for missing, if trees ask so.
    #[inline]
    pub(super) fn lay_out(&mut self, inputs: usize, zero_is_missing: bool, values: impl Iterator<Item = f64>) {
        let mut has_missing = false;
        for (place, value) in self.values[..ZERO_MISSING].iter_mut().zip(values) {
            *place = T::of(value);
            has_missing |= place.is_none();
        }
        if zero_is_missing {
            for at in 0..inputs {
                let value = self.values[at];
                let is_zero = (-ZERO..=ZERO).contains(&value.wide());
                self.values[ZERO_MISSING + at] = if is_zero { T::NAN } else { value };
                has_missing |= is_zero;
            }
        }
        self.has_missing = has_missing;
    }
}
