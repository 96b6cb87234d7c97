//! Natural logarithms, four at a time.

use super::lanes::{Four, Lanes};

const LN2_HI: f64 = 6.931_471_803_691_238e-1;
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;
/// Of (ln(1 + f) − 2s) / s in powers of s², s being f / (2 + f).
const SERIES: [f64; 7] = [
    6.666_666_666_666_735e-1,
    3.999_999_999_940_942e-1,
    2.857_142_874_366_239e-1,
    2.222_219_843_214_978_4e-1,
    1.818_357_216_161_805e-1,
    1.531_383_769_920_937_3e-1,
    1.479_819_860_511_658_6e-1,
];

/// Natural logarithms of positive normal numbers, each within a unit in the last place.
///
/// The method of FreeBSD's `e_log.c` (Sun Microsystems 1993) without its branches, a product and a sum rounded once where that
/// shortens the way. No table is read: every machine gives the same bits.
#[inline(always)]
pub fn ln<L: Lanes>(lanes: L, numbers: Four<L>) -> Four<L> {
    let [one, two, half] = [Four::all(lanes, 1.0), Four::all(lanes, 2.0), Four::all(lanes, 0.5)];
    let [ln2_hi, ln2_lo] = [Four::all(lanes, LN2_HI), Four::all(lanes, LN2_LO)];
    let [l1, l2, l3] = [Four::all(lanes, SERIES[0]), Four::all(lanes, SERIES[1]), Four::all(lanes, SERIES[2])];
    let [l4, l5] = [Four::all(lanes, SERIES[3]), Four::all(lanes, SERIES[4])];
    let [l6, l7] = [Four::all(lanes, SERIES[5]), Four::all(lanes, SERIES[6])];

    let [exponent, mantissa] = numbers.take_apart();
    let f = mantissa - one;
    let s = f / (f + two);
    let z = s * s;
    let w = z * z;
    let odd = w.mul_add(w.mul_add(w.mul_add(l7, l5), l3), l1);
    let even = w.mul_add(w.mul_add(l6, l4), l2);
    let half_square = half * f * f;
    let rest = z.mul_add(odd, w.mul_add(even, half_square));
    exponent.mul_add(ln2_hi, (s.mul_add(rest, exponent * ln2_lo) - half_square) + f)
}

#[cfg(test)]
mod tests {
    use super::super::lanes::tests::by_every_way;
    use super::super::lanes::{LANES, Plain};
    use super::*;
    use proptest::prelude::*;

    fn assert_close(numbers: [f64; LANES]) {
        let plain = ln(Plain, Four::of(Plain, numbers)).array();
        by_every_way!(lanes => assert_eq!(ln(lanes, Four::of(lanes, numbers)).array(), plain));
        for (number, ours) in numbers.into_iter().zip(plain) {
            let theirs = number.ln();
            let units = (ours.to_bits() as i64 - theirs.to_bits() as i64).unsigned_abs();
            assert!(units <= 1, "ln {number:e}: {ours:e} against {theirs:e}");
        }
    }

    #[test]
    fn logarithms_are_within_a_unit_of_the_standard_librarys() {
        for decimals in 0..=18 {
            let unit = 10_f64.powi(decimals);
            for count in (1..20_000_u64).chain([61_804_700, 838_550_570_000, i64::MAX as u64]) {
                assert_close([0, 1, 7, 1_000].map(|more| (count + more) as f64 / unit));
            }
        }
        for exponent in -1020..=1022 {
            let power = 2_f64.powi(exponent);
            assert_close([power, power.next_up(), power.next_down(), power * std::f64::consts::SQRT_2]);
        }
        assert_eq!(ln(Plain, Four::all(Plain, 1.0)).array(), [0.0; LANES]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn logarithms_of_any_size_and_of_any_double_are_too(count in 1..1_u64 << 53, decimals in 0..=18, wide: [u64; 3]) {
            let any = |bits: u64| Some(f64::from_bits(bits >> 1)).filter(|number| number.is_normal()).unwrap_or(1.0);
            assert_close([count as f64 / 10_f64.powi(decimals), any(wide[0]), any(wide[1]), any(wide[2])]);
        }
    }
}
