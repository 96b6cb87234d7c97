//! Natural logarithms of several numbers at once.
//!
//! The algorithm is that of FreeBSD's `e_log.c` (Sun Microsystems 1993): `x = 2^k (1 + f)` with `1 + f` between √½ and √2, and
//! a polynomial in `s = f / (2 + f)`; the error is below 1 ulp. It has neither tables nor branches, so that the compiler
//! keeps the lanes in vector registers, and its operations are those of IEEE 754 alone: every machine gives the same bits.

/// Numbers that are taken at a time: two vectors of plain x86-64 or ARM, whose chains of operations overlap.
pub const LANES: usize = 4;

const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
/// `Lg1` to `Lg7` of the source, as its bits.
const COEFFICIENTS: [f64; 7] = [
    f64::from_bits(0x3fe5_5555_5555_5593),
    f64::from_bits(0x3fd9_9999_9997_fa04),
    f64::from_bits(0x3fd2_4924_9422_9359),
    f64::from_bits(0x3fcc_71c5_1d8e_78af),
    f64::from_bits(0x3fc7_4664_96cb_03de),
    f64::from_bits(0x3fc3_9a09_d078_c69f),
    f64::from_bits(0x3fc2_f112_df3e_5244),
];

/// The bits of √½, cut to its high word.
const SQRT_HALF: u64 = 0x3fe6_a09e_0000_0000;
const ONE: u64 = 0x3ff0_0000_0000_0000;
const FRACTION: u64 = 0x000f_ffff_ffff_ffff;
/// `2^52`, whose last fraction bit is worth 1.
const TWO_52: u64 = 0x4330_0000_0000_0000;

/// Replaces numbers by their natural logarithms, within 1 ulp of [`f64::ln`].
#[inline]
pub fn ln(numbers: &mut [[f64; LANES]]) {
    for lanes in numbers {
        if lanes.iter().all(|number| number.is_normal() && *number > 0.0) {
            *lanes = ln_of_normal(*lanes);
        } else {
            *lanes = lanes.map(f64::ln);
        }
    }
}

#[inline]
fn ln_of_normal(lanes: [f64; LANES]) -> [f64; LANES] {
    let [c1, c2, c3, c4, c5, c6, c7] = COEFFICIENTS;
    lanes.map(|x| {
        let bits = x.to_bits() + (ONE - SQRT_HALF);
        // The biased exponent as the last bits of a double near 2^52, which spares the conversion that vectors lack.
        let k = f64::from_bits(TWO_52 | bits >> 52) - (f64::from_bits(TWO_52) + 1023.0);
        let f = f64::from_bits((bits & FRACTION) + SQRT_HALF) - 1.0;
        let s = f / (2.0 + f);
        let z = s * s;
        let w = z * z;
        let even = w * (c2 + w * (c4 + w * c6));
        let odd = z * (c1 + w * (c3 + w * (c5 + w * c7)));
        let half_square = 0.5 * f * f;
        k * LN2_HIGH - ((half_square - (s * (half_square + (odd + even)) + k * LN2_LOW)) - f)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ulps(a: f64, b: f64) -> u64 {
        let ordered = |x: f64| if x < 0.0 { -((x.to_bits() & !(1 << 63)) as i64) } else { x.to_bits() as i64 };
        ordered(a).abs_diff(ordered(b))
    }

    fn assert_close(numbers: [f64; LANES]) {
        let mut ours = [numbers];
        ln(&mut ours);
        for (number, ours) in numbers.into_iter().zip(ours[0]) {
            let plain = number.ln();
            assert!(ulps(ours, plain) <= 1 || (ours.is_nan() && plain.is_nan()), "ln {number:e}: {ours:e}, {plain:e}");
        }
    }

    #[test]
    fn edges_are_those_of_the_plain_logarithm() {
        let edges = [
            1.0,
            1.0 + f64::EPSILON,
            1.0 - f64::EPSILON / 2.0,
            f64::MIN_POSITIVE,
            f64::MAX,
            0.5_f64.sqrt(),
            2.0_f64.sqrt(),
            0.0,
            -0.0,
            -1.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            5e-324,
            1e-18,
            9.3e18,
            f64::from_bits(SQRT_HALF),
            f64::from_bits(SQRT_HALF - 1),
            1e-310,
            2.0,
        ];
        for lanes in edges.chunks_exact(LANES) {
            assert_close([lanes[0], lanes[1], lanes[2], lanes[3]]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn sizes_and_prices_have_logarithms_within_an_ulp(
            counts in [1..1_u64 << 63, 1..1_u64 << 40, 1..1_u64 << 20, 1..2000_u64], decimals in 0..=18_i32,
        ) {
            assert_close(counts.map(|count| count as f64 / 10_f64.powi(decimals)));
        }

        #[test]
        fn all_normal_numbers_have_logarithms_within_an_ulp(bits in [any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()]) {
            assert_close(bits.map(|bits| f64::from_bits(bits & !(1 << 63))));
        }

        #[test]
        fn numbers_around_one_have_logarithms_within_an_ulp(numbers in [0.5..2.0_f64, 0.99..1.01, 0.7..0.72, 1.4..1.42]) {
            assert_close(numbers);
        }
    }
}
