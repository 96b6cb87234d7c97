//! Four doubles at a time: as plain code for any processor, and by the vectors of x86-64-v3 (AVX2 and FMA) where they are.
//!
//! Both ways round alike, operation by operation, so that features have the same bits on every machine. Which way is taken
//! is found out once, when a feature set is made.
//!
//! Whatever takes a [`Lanes`] is inlined without fail, closures and all: a function of its own would be compiled for any
//! processor, call each operation, and take ten times as long.

use std::ops::{Add, Div, Mul, Sub};

/// Doubles in a vector.
pub const LANES: usize = 4;

/// A divisor, as a division by it wants it.
#[derive(Clone, Copy, Debug)]
pub struct Divisor {
    divisor: f64,
    /// Of 1 / divisor the nearest double, and of the rest the nearest.
    reciprocal: [f64; 2],
}

impl Divisor {
    /// A power of ten up to 10^18.
    pub fn new(divisor: f64) -> Self {
        let reciprocal = 1.0 / divisor;
        // 1 − divisor · reciprocal is a double.
        Self { divisor, reciprocal: [reciprocal, (-divisor).mul_add(reciprocal, 1.0) / divisor] }
    }
}

/// Below it a count is the mantissa of this double's bits.
const EXACT: u64 = 1 << 52;
const EXACT_BITS: u64 = (EXACT as f64).to_bits();

/// What a biased exponent in the mantissa's place is above the exponent.
const EXPONENT_OFFSET: f64 = EXACT as f64 + 1023.0;
const MANTISSA: u64 = EXACT - 1;
const ONE: u64 = 1.0_f64.to_bits();
/// √½ to its upper half's last bit.
const ROOT_HALF: u64 = 0x3fe6_a09e_0000_0000;

/// A way to compute with four doubles.
pub trait Lanes: Copy {
    /// Four doubles.
    type Doubles: Copy;

    fn of(self, numbers: [f64; LANES]) -> Self::Doubles;
    fn array(self, numbers: Self::Doubles) -> [f64; LANES];
    fn add(self, a: Self::Doubles, b: Self::Doubles) -> Self::Doubles;
    fn subtract(self, a: Self::Doubles, b: Self::Doubles) -> Self::Doubles;
    fn multiply(self, a: Self::Doubles, b: Self::Doubles) -> Self::Doubles;
    fn divide(self, a: Self::Doubles, b: Self::Doubles) -> Self::Doubles;
    /// a · b + c, rounded once.
    fn multiply_add(self, a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles;
    /// Counts below [`EXACT`] divided, correctly rounded.
    fn counts_in_units(self, counts: [u64; LANES], per_unit: Divisor) -> Self::Doubles;
    /// One count, of any size and sign, divided, correctly rounded once it is a double.
    fn count_in_units(self, count: f64, per_unit: Divisor) -> f64;
    /// Takes positive normal numbers apart: exponents of two, and mantissas from √½ to √2.
    fn take_apart(self, numbers: Self::Doubles) -> [Self::Doubles; 2];
}

/// Four doubles that compute as one.
#[derive(Clone, Copy, Debug)]
pub struct Four<L: Lanes>(L, L::Doubles);

impl<L: Lanes> Four<L> {
    #[inline(always)]
    pub fn of(lanes: L, numbers: [f64; LANES]) -> Self {
        Self(lanes, lanes.of(numbers))
    }

    #[inline(always)]
    pub fn all(lanes: L, number: f64) -> Self {
        Self::of(lanes, [number; LANES])
    }

    #[inline(always)]
    pub fn array(self) -> [f64; LANES] {
        self.0.array(self.1)
    }

    /// Of positive normal numbers the exponents of two, and the mantissas from √½ to √2.
    #[inline(always)]
    pub fn take_apart(self) -> [Self; 2] {
        let [exponents, mantissas] = self.0.take_apart(self.1);
        [Self(self.0, exponents), Self(self.0, mantissas)]
    }

    /// `self` · factor + summand, rounded once.
    #[inline(always)]
    pub fn mul_add(self, factor: Self, summand: Self) -> Self {
        Self(self.0, self.0.multiply_add(self.1, factor.1, summand.1))
    }

    /// The sum of all four.
    #[inline(always)]
    pub fn sum(self) -> f64 {
        let [a, b, c, d] = self.array();
        (a + c) + (b + d)
    }

    /// Counts below 2^63 divided, correctly rounded once they are doubles.
    #[inline(always)]
    pub fn in_units(lanes: L, counts: &[[u64; LANES]; 3], per_unit: Divisor) -> [Self; 3] {
        let [a, b, c] = *counts;
        if counts.as_flattened().iter().fold(0, |all, count| all | count) < EXACT {
            return [
                Self(lanes, lanes.counts_in_units(a, per_unit)),
                Self(lanes, lanes.counts_in_units(b, per_unit)),
                Self(lanes, lanes.counts_in_units(c, per_unit)),
            ];
        }
        let [a, b, c] = large_in_units(counts, per_unit.divisor);
        [Self::of(lanes, a), Self::of(lanes, b), Self::of(lanes, c)]
    }
}

#[cold]
fn large_in_units(counts: &[[u64; LANES]; 3], per_unit: f64) -> [[f64; LANES]; 3] {
    counts.map(|counts| counts.map(|count| count as i64 as f64 / per_unit))
}

macro_rules! operator {
    ($operator:ident, $function:ident, $lanes_function:ident) => {
        impl<L: Lanes> $operator for Four<L> {
            type Output = Self;

            #[inline(always)]
            fn $function(self, other: Self) -> Self {
                Self(self.0, self.0.$lanes_function(self.1, other.1))
            }
        }
    };
}
operator!(Add, add, add);
operator!(Sub, sub, subtract);
operator!(Mul, mul, multiply);
operator!(Div, div, divide);

/// For any processor.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

#[inline(always)]
fn each(a: [f64; LANES], b: [f64; LANES], operation: impl Fn(f64, f64) -> f64) -> [f64; LANES] {
    std::array::from_fn(|lane| operation(a[lane], b[lane]))
}

impl Lanes for Plain {
    type Doubles = [f64; LANES];

    #[inline(always)]
    fn of(self, numbers: [f64; LANES]) -> [f64; LANES] {
        numbers
    }
    #[inline(always)]
    fn array(self, numbers: [f64; LANES]) -> [f64; LANES] {
        numbers
    }
    #[inline(always)]
    fn add(self, a: [f64; LANES], b: [f64; LANES]) -> [f64; LANES] {
        each(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn subtract(self, a: [f64; LANES], b: [f64; LANES]) -> [f64; LANES] {
        each(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn multiply(self, a: [f64; LANES], b: [f64; LANES]) -> [f64; LANES] {
        each(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn divide(self, a: [f64; LANES], b: [f64; LANES]) -> [f64; LANES] {
        each(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn multiply_add(self, a: [f64; LANES], b: [f64; LANES], c: [f64; LANES]) -> [f64; LANES] {
        std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
    }
    #[inline(always)]
    fn counts_in_units(self, counts: [u64; LANES], per_unit: Divisor) -> [f64; LANES] {
        counts.map(|count| (f64::from_bits(EXACT_BITS | count) - EXACT as f64) / per_unit.divisor)
    }
    #[inline(always)]
    fn count_in_units(self, count: f64, per_unit: Divisor) -> f64 {
        count / per_unit.divisor
    }
    #[inline(always)]
    fn take_apart(self, numbers: [f64; LANES]) -> [[f64; LANES]; 2] {
        let bits = numbers.map(|number| number.to_bits() + (ONE - ROOT_HALF));
        [
            bits.map(|bits| f64::from_bits(EXACT_BITS | (bits >> 52)) - EXPONENT_OFFSET),
            bits.map(|bits| f64::from_bits((bits & MANTISSA) + ROOT_HALF)),
        ]
    }
}

#[cfg(target_arch = "x86_64")]
pub use pulp::x86::V3;

#[cfg(target_arch = "x86_64")]
impl Lanes for V3 {
    type Doubles = pulp::f64x4;

    #[inline(always)]
    fn of(self, numbers: [f64; LANES]) -> pulp::f64x4 {
        pulp::cast(numbers)
    }
    #[inline(always)]
    fn array(self, numbers: pulp::f64x4) -> [f64; LANES] {
        pulp::cast(numbers)
    }
    #[inline(always)]
    fn add(self, a: pulp::f64x4, b: pulp::f64x4) -> pulp::f64x4 {
        self.add_f64x4(a, b)
    }
    #[inline(always)]
    fn subtract(self, a: pulp::f64x4, b: pulp::f64x4) -> pulp::f64x4 {
        self.sub_f64x4(a, b)
    }
    #[inline(always)]
    fn multiply(self, a: pulp::f64x4, b: pulp::f64x4) -> pulp::f64x4 {
        self.mul_f64x4(a, b)
    }
    #[inline(always)]
    fn divide(self, a: pulp::f64x4, b: pulp::f64x4) -> pulp::f64x4 {
        self.div_f64x4(a, b)
    }
    #[inline(always)]
    fn multiply_add(self, a: pulp::f64x4, b: pulp::f64x4, c: pulp::f64x4) -> pulp::f64x4 {
        self.mul_add_f64x4(a, b, c)
    }

    /// By two multiplications: N. Brisebarre, J.-M. Muller and S. K. Raina, "Accelerating correctly rounded floating-point
    /// division when the divisor is known in advance", IEEE Transactions on Computers 53 (2004), method 2.
    ///
    /// Let u be a unit in the last place of the quotient of a count below 2^53 and 10^k. What the last operation rounds is off by
    /// less than 2^-52 · u. A middle of two doubles is an odd multiple of u/2, a number of 54 bits. Count − middle · 10^k is a
    /// multiple of 2^k · u/2, which is at most 1 since the quotient is at least 2^52 · u, and it is not zero, since a count has no
    /// 54 bits: quotient and middle are at least u / (2 · 5^k) apart. For k up to 21 that is more than 2^-52 · u.
    #[inline(always)]
    fn counts_in_units(self, counts: [u64; LANES], per_unit: Divisor) -> pulp::f64x4 {
        let bits = self.or_u64x4(pulp::cast(counts), self.splat_u64x4(EXACT_BITS));
        let numbers = self.sub_f64x4(pulp::cast(bits), self.splat_f64x4(EXACT as f64));
        let [nearest, rest] = per_unit.reciprocal;
        self.mul_add_f64x4(numbers, self.splat_f64x4(nearest), self.mul_f64x4(numbers, self.splat_f64x4(rest)))
    }
    /// As [`Lanes::counts_in_units`]: a larger double is a count below 2^53 times a power of two, and roundings know no sign.
    #[inline(always)]
    fn count_in_units(self, count: f64, per_unit: Divisor) -> f64 {
        let [nearest, rest] = per_unit.reciprocal;
        count.mul_add(nearest, count * rest)
    }

    #[inline(always)]
    fn take_apart(self, numbers: pulp::f64x4) -> [pulp::f64x4; 2] {
        let bits = self.wrapping_add_u64x4(pulp::cast(numbers), self.splat_u64x4(ONE - ROOT_HALF));
        let exponents = self.or_u64x4(self.shr_const_u64x4::<52>(bits), self.splat_u64x4(EXACT_BITS));
        let mantissas = self.and_u64x4(bits, self.splat_u64x4(MANTISSA));
        let mantissas = self.wrapping_add_u64x4(mantissas, self.splat_u64x4(ROOT_HALF));
        [self.sub_f64x4(pulp::cast(exponents), self.splat_f64x4(EXPONENT_OFFSET)), pulp::cast(mantissas)]
    }
}

/// The best way that this processor has.
#[derive(Clone, Copy, Debug)]
pub enum Processor {
    /// Any.
    Any,
    /// One with x86-64-v3.
    #[cfg(target_arch = "x86_64")]
    V3(V3),
}

impl Processor {
    /// Finds out.
    pub fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = V3::try_new() {
            return Self::V3(v3);
        }
        Self::Any
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs a test by every way that this processor has.
    macro_rules! by_every_way {
        ($lanes:ident => $test:expr) => {{
            let $lanes = $crate::strategy::features::lanes::Plain;
            $test;
            #[cfg(target_arch = "x86_64")]
            if let Some($lanes) = $crate::strategy::features::lanes::V3::try_new() {
                $test;
            } else {
                eprintln!("SKIPPED: no x86-64-v3");
            }
        }};
    }

    pub(crate) use by_every_way;

    fn assert_divides<L: Lanes>(lanes: L, counts: [u64; LANES], decimals: u32) {
        let divisor = 10_u64.pow(decimals) as f64;
        let units = Four::in_units(lanes, &[counts, [0; LANES], [1; LANES]], Divisor::new(divisor));
        assert_eq!(units[2].array(), [1.0 / divisor; LANES]);
        assert_eq!(units[0].array(), counts.map(|count| count as f64 / divisor), "{counts:?} / 10^{decimals}");
    }

    fn assert_divides_one<L: Lanes>(lanes: L, count: f64, decimals: u32) {
        let divisor = 10_u64.pow(decimals) as f64;
        let quotient = lanes.count_in_units(count, Divisor::new(divisor));
        assert_eq!(quotient.to_bits(), (count / divisor).to_bits(), "{count} / 10^{decimals}");
    }

    #[test]
    fn counts_about_which_rounding_might_err_are_divided_correctly() {
        for decimals in 0..=18 {
            let divisor = 10_u64.pow(decimals);
            for bit in 0..63 {
                // Multiples of the divisor and what lies about powers of two and about middles of two quotients.
                let power = 1_u64 << bit;
                let middle = (u128::from(divisor) * ((1 << 53) + 1)) >> (63 - bit).min(60);
                let middle = middle as u64 & (i64::MAX as u64);
                for count in [power, power / divisor * divisor, middle] {
                    let about = [count.saturating_sub(1), count, count + 1, count ^ 3];
                    by_every_way!(lanes => assert_divides(lanes, about, decimals));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn counts_are_divided_correctly(counts: [u64; LANES], bits in 0..63_u32, decimals in 0..=18_u32) {
            let counts = counts.map(|count| count >> (63 - bits) >> 1);
            by_every_way!(lanes => assert_divides(lanes, counts, decimals));
        }

        #[test]
        fn one_count_of_any_size_and_sign_is_divided_correctly(count: i64, bits in 0..64_u32, decimals in 0..=18_u32) {
            let count = (count >> (63 - bits)) as f64;
            by_every_way!(lanes => assert_divides_one(lanes, count, decimals));
        }
    }
}
