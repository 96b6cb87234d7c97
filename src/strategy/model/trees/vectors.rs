//! Masks and comparisons of several at once: as plain code for any processor, and by the vectors of x86-64-v3 where they are.

use super::Real;
pub use crate::strategy::features::lanes::Plain;
#[cfg(target_arch = "x86_64")]
pub use crate::strategy::features::lanes::V3;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d, _CMP_GT_OQ};
use std::array;

/// Thresholds that are compared at once.
pub const AT_ONCE: usize = 8;
/// Words of a mask.
const WORDS: usize = 8;

/// The masks of a block's trees, one line of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Mask(pub [u64; WORDS]);

impl Mask {
    pub const ALL: Self = Self([u64::MAX; WORDS]);
}

/// A way to compute. All give the same.
pub trait Vectors: Copy {
    /// A [`Mask`].
    type Mask: Copy;
    fn of(self, mask: &Mask) -> Self::Mask;
    fn and(self, a: Self::Mask, b: Self::Mask) -> Self::Mask;
    fn mask(self, mask: Self::Mask) -> Mask;
    /// How many of these a value is above.
    fn above<T: Real>(self, value: T, others: &[T; AT_ONCE]) -> usize;
}

impl Vectors for Plain {
    type Mask = [u64; WORDS];

    #[inline(always)]
    fn of(self, mask: &Mask) -> [u64; WORDS] {
        mask.0
    }
    #[inline(always)]
    fn and(self, a: [u64; WORDS], b: [u64; WORDS]) -> [u64; WORDS] {
        array::from_fn(|word| a[word] & b[word])
    }
    #[inline(always)]
    fn mask(self, mask: [u64; WORDS]) -> Mask {
        Mask(mask)
    }
    #[inline(always)]
    fn above<T: Real>(self, value: T, others: &[T; AT_ONCE]) -> usize {
        others.iter().map(|&other| usize::from(value > other)).sum()
    }
}

#[cfg(target_arch = "x86_64")]
impl Vectors for V3 {
    type Mask = [pulp::u64x4; 2];

    #[inline(always)]
    fn of(self, mask: &Mask) -> [pulp::u64x4; 2] {
        pulp::cast(mask.0)
    }
    #[inline(always)]
    fn and(self, [a, b]: [pulp::u64x4; 2], [c, d]: [pulp::u64x4; 2]) -> [pulp::u64x4; 2] {
        [self.and_u64x4(a, c), self.and_u64x4(b, d)]
    }
    #[inline(always)]
    fn mask(self, mask: [pulp::u64x4; 2]) -> Mask {
        Mask(pulp::cast(mask))
    }
    #[inline(always)]
    fn above<T: Real>(self, value: T, others: &[T; AT_ONCE]) -> usize {
        value.above(self, others)
    }
}

/// How many of eight doubles a value is above.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn doubles_above(v3: V3, value: f64, others: &[f64; AT_ONCE]) -> usize {
    let value = v3.avx._mm256_set1_pd(value);
    let [a, b]: [__m256d; 2] = pulp::cast(*others);
    let a = v3.avx._mm256_movemask_pd(v3.avx._mm256_cmp_pd::<_CMP_GT_OQ>(value, a));
    let b = v3.avx._mm256_movemask_pd(v3.avx._mm256_cmp_pd::<_CMP_GT_OQ>(value, b));
    (a | (b << 4)).count_ones() as usize
}

/// How many of eight floats a value is above.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn floats_above(v3: V3, value: f32, others: &[f32; AT_ONCE]) -> usize {
    let others: __m256 = pulp::cast(*others);
    let above = v3.avx._mm256_cmp_ps::<_CMP_GT_OQ>(v3.avx._mm256_set1_ps(value), others);
    v3.avx._mm256_movemask_ps(above).count_ones() as usize
}
