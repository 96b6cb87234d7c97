//! Whether two scores of the same rows have different areas under the ROC curve: the test of DeLong, DeLong and Clarke-Pearson
//! (Biometrics 1988).
//!
//! A row that goes up is *placed* among those that do not: the share of them that score lower, half of that where the scores are
//! equal; and the other way round. The area is the mean of the placements, and the variance of the difference of two areas is
//! that of the differences of placements, by class:
//!
//! > variance = S₁₀ ÷ m + S₀₁ ÷ n, z = difference ÷ √variance, p = erfc(|z| ÷ √2).
//!
//! Sun and Xu (IEEE Signal Processing Letters 2014) find placements as differences of midranks, after one sort instead of in m·n
//! comparisons. Here they are counted in the sorted order, in integers, so that nothing is rounded before the end.
//!
//! The test takes rows as independent. Rows whose labels overlap are not: its p is then too small, and a [paired
//! interval](super::bootstrap) by blocks of time decides.
//!
//! There is no test where a row counts half in both classes ([`Ties::Three`](super::labels::Ties) with a mid that stayed): a
//! placement is that of a row of one class. Nor is there one with fewer than two rows of a class, which have no variance.
//!
//! ```
//! use papertrader::statistics::delong::{DeLong, Placements};
//! use papertrader::statistics::labels::Ties;
//!
//! let signs = [1, 1, 1, -1, -1, -1];
//! let placed = |logits: &[f64]| Placements::new(logits, &signs, Ties::Drop).expect("three rows of each class");
//! let good = placed(&[3.0, 2.0, 0.5, 1.0, -1.0, -2.0]);
//! let bad = placed(&[3.0, -2.0, 0.0, 2.0, 1.0, -1.0]);
//! let test = DeLong::of(&good, &bad);
//! assert!((test.difference - 4.0 / 9.0).abs() < 1e-15);
//! assert!(test.p.is_some_and(|p| p > 0.05));
//! // A model does not differ from itself, and by no chance.
//! assert_eq!(DeLong::of(&good, &good).p, None);
//! ```

use super::labels::{Ties, Weight};
use serde::Serialize;
use std::f64::consts::SQRT_2;

/// What each row of one class is worth among those of the other, by one score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placements {
    /// Of each row that goes up, in order: twice the others that score lower, and once those that score the same.
    ups: Vec<u64>,
    /// Of each other row, in order: twice the ups that score higher, and once those that score the same.
    downs: Vec<u64>,
}

impl Placements {
    /// Places the rows that the ties rule does not leave out. `None` where a row counts in both classes, or a class has fewer than
    /// two. At most 2^32 rows.
    pub fn new(logits: &[f64], signs: &[i8], ties: Ties) -> Option<Self> {
        let is_up = |row: u32| ties.weight(signs[row as usize]).up > 0.0;
        let weights = signs.iter().map(|&sign| ties.weight(sign));
        if weights.clone().any(|Weight { up, down }| up > 0.0 && down > 0.0) {
            return None;
        }
        let counted: Vec<u32> =
            (0..).zip(weights).filter(|(_, weight)| weight.total() > 0.0).map(|(row, _)| row).collect();
        let mut ranked = counted.clone();
        ranked.sort_unstable_by(|&a, &b| logits[a as usize].total_cmp(&logits[b as usize]));
        let ups_in_all = ranked.iter().filter(|&&row| is_up(row)).count() as u64;
        if ups_in_all < 2 || counted.len() as u64 - ups_in_all < 2 {
            return None;
        }
        let mut placed = vec![0; logits.len()];
        let (mut ups, mut downs) = (0, 0);
        for same in ranked.chunk_by(|&a, &b| logits[a as usize] == logits[b as usize]) {
            let here = same.iter().filter(|&&row| is_up(row)).count() as u64;
            let others = same.len() as u64 - here;
            for &row in same {
                let of_up = 2 * downs + others;
                let of_down = 2 * (ups_in_all - ups - here) + here;
                placed[row as usize] = if is_up(row) { of_up } else { of_down };
            }
            ups += here;
            downs += others;
        }
        let (of_ups, of_downs): (Vec<u32>, Vec<u32>) = counted.into_iter().partition(|&row| is_up(row));
        let of = |rows: Vec<u32>| rows.into_iter().map(|row| placed[row as usize]).collect();
        Some(Self { ups: of(of_ups), downs: of(of_downs) })
    }

    /// The area under the curve.
    pub fn auc(&self) -> f64 {
        let wins: u128 = self.ups.iter().map(|&twice| u128::from(twice)).sum();
        wins as f64 / (2.0 * self.ups.len() as f64 * self.downs.len() as f64)
    }
}

/// The difference of two areas, and how far it is from none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DeLong {
    /// The first area less the second.
    pub difference: f64,
    /// Of the difference, by independent rows.
    pub standard_error: f64,
    /// The difference in standard errors; `None` where these are 0, as of a score and itself.
    pub z: Option<f64>,
    /// The probability of a difference as large, either way, where there is none.
    pub p: Option<f64>,
}

impl DeLong {
    /// Compares two placements of the same rows.
    ///
    /// # Panics
    /// They are of different numbers of rows.
    pub fn of(first: &Placements, second: &Placements) -> Self {
        let counts = |placements: &Placements| (placements.ups.len(), placements.downs.len());
        assert_eq!(counts(first), counts(second), "the rows are the same");
        let (ups, downs) = (first.ups.len() as f64, first.downs.len() as f64);
        let (sum, of_ups) = spread(&first.ups, &second.ups);
        let (_, of_downs) = spread(&first.downs, &second.downs);
        let difference = sum as f64 / (2.0 * ups * downs);
        // Both are in halves of a row of the other class.
        let variance = of_ups / (4.0 * downs * downs) / ups + of_downs / (4.0 * ups * ups) / downs;
        let standard_error = variance.sqrt();
        let z = (variance > 0.0).then(|| difference / standard_error);
        Self { difference, standard_error, z, p: z.map(|z| libm::erfc(z.abs() / SQRT_2)) }
    }
}

/// The sum of the differences of placements, and their sample variance.
fn spread(first: &[u64], second: &[u64]) -> (i128, f64) {
    let (mut sum, mut squares) = (0_i128, 0_i128);
    for (&a, &b) in first.iter().zip(second) {
        let difference = i128::from(a) - i128::from(b);
        sum += difference;
        squares += difference * difference;
    }
    // With m and n rows, 2^32 together, at most m² (2n)² ≤ 2^126.
    let count = first.len() as i128;
    let scatter = count * squares - sum * sum;
    (sum, scatter as f64 / count as f64 / (count - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::metrics::Ranking;
    use proptest::prelude::*;

    fn test(first: &[f64], second: &[f64], signs: &[i8], ties: Ties) -> Option<DeLong> {
        Some(DeLong::of(&Placements::new(first, signs, ties)?, &Placements::new(second, signs, ties)?))
    }

    /// Difference and variance by the paper's definitions: ψ of every pair, and covariances of the components' means.
    fn plain(scores: [&[f64]; 2], signs: &[i8], ties: Ties) -> Option<(f64, f64)> {
        let rows_of = |is_up: bool| {
            let rows = (0..signs.len()).filter(|&row| match ties.weight(signs[row]) {
                Weight { up, down } if is_up => up > 0.0 && down == 0.0,
                Weight { up, down } => down > 0.0 && up == 0.0,
            });
            rows.collect::<Vec<usize>>()
        };
        let (ups, downs) = (rows_of(true), rows_of(false));
        let counts_both = signs.contains(&0) && ties == Ties::Three;
        if counts_both || ups.len() < 2 || downs.len() < 2 {
            return None;
        }
        let psi = |scores: &[f64], up: usize, down: usize| match scores[up].partial_cmp(&scores[down]) {
            Some(std::cmp::Ordering::Greater) => 1.0,
            Some(std::cmp::Ordering::Equal) => 0.5,
            _ => 0.0,
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let by_up = scores.map(|scores| -> Vec<f64> {
            ups.iter().map(|&up| mean(&downs.iter().map(|&down| psi(scores, up, down)).collect::<Vec<_>>())).collect()
        });
        let by_down = scores.map(|scores| -> Vec<f64> {
            downs.iter().map(|&down| mean(&ups.iter().map(|&up| psi(scores, up, down)).collect::<Vec<_>>())).collect()
        });
        let covariance = |a: &[f64], b: &[f64]| {
            let products = a.iter().zip(b).map(|(x, y)| (x - mean(a)) * (y - mean(b)));
            products.sum::<f64>() / (a.len() - 1) as f64
        };
        let of_difference =
            |[a, b]: &[Vec<f64>; 2]| (covariance(a, a) + covariance(b, b) - 2.0 * covariance(a, b)) / a.len() as f64;
        Some((mean(&by_up[0]) - mean(&by_up[1]), of_difference(&by_up) + of_difference(&by_down)))
    }

    /// Two ups and two downs. The first score has one pair the wrong way round, the second three.
    ///
    /// Placements of the ups: 1 and ½ by the first, 0 and ½ by the second; of the downs: ½ and 1, 0 and ½. Differences: 1 and 0
    /// of the ups, ½ and ½ of the downs: the variance is ½ ÷ 2 + 0 ÷ 2.
    #[test]
    fn a_small_case_by_hand() {
        let signs = [1, 1, -1, -1];
        let found = test(&[4.0, 2.0, 3.0, 1.0], &[1.0, 3.0, 4.0, 2.0], &signs, Ties::Drop).unwrap();
        assert_eq!((found.difference, found.standard_error, found.z), (0.5, 0.5, Some(1.0)));
        // 2 (1 − Φ(1)).
        assert!((found.p.unwrap() - 0.317_310_507_862_914).abs() < 1e-14, "{found:?}");
        let first = Placements::new(&[4.0, 2.0, 3.0, 1.0], &signs, Ties::Drop).unwrap();
        assert_eq!((&first.ups[..], &first.downs[..], first.auc()), (&[4, 2][..], &[2, 4][..], 0.75));
        // Equal scores count half.
        let all_equal = Placements::new(&[7.0; 4], &signs, Ties::Drop).unwrap();
        assert_eq!((&all_equal.ups[..], all_equal.auc()), (&[2, 2][..], 0.5));
    }

    #[test]
    fn where_there_is_no_test() {
        let scores = [0.0, 1.0, 2.0, 3.0, 4.0];
        for (signs, ties) in [
            ([1, 1, 1, 1, 1], Ties::Drop),
            ([-1, -1, -1, -1, -1], Ties::Drop),
            ([1, -1, -1, -1, -1], Ties::Drop),
            ([1, 1, 1, 1, -1], Ties::Down),
            ([1, 1, 0, 0, 0], Ties::Drop),
            // A tie is half an up and half a down.
            ([1, 1, 0, -1, -1], Ties::Three),
        ] {
            assert_eq!(Placements::new(&scores, &signs, ties), None, "{signs:?} {ties}");
        }
        assert!(Placements::new(&scores, &[1, 1, 0, 0, 0], Ties::Down).is_some());
        assert!(Placements::new(&scores, &[1, 1, -1, -1, -1], Ties::Three).is_some());
        assert_eq!(Placements::new(&[], &[], Ties::Drop), None);
        // One separates the classes, the other the wrong way round: nothing varies.
        let signs = [1, 1, -1, -1];
        let found = test(&[3.0, 3.0, 1.0, 1.0], &[0.0, 0.0, 1.0, 2.0], &signs, Ties::Drop).unwrap();
        assert_eq!(found, DeLong { difference: 1.0, standard_error: 0.0, z: None, p: None });
    }

    #[test]
    fn far_differences_have_a_probability() {
        let signs: Vec<i8> = (0..20_000).map(|row| if row % 2 == 0 { 1 } else { -1 }).collect();
        let noise = |row: u64| (row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / (1 << 24) as f64;
        let weak: Vec<f64> = (0..20_000).map(noise).collect();
        let strong: Vec<f64> = weak.iter().zip(&signs).map(|(noise, &sign)| noise + 0.4 * f64::from(sign)).collect();
        let DeLong { z, p, .. } = test(&strong, &weak, &signs, Ties::Drop).unwrap();
        assert!(z.unwrap() > 40.0 && p == Some(0.0), "{z:?} {p:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn counting_agrees_with_every_pair(
            rows in prop::collection::vec((-3..4_i8, -3..4_i8, -1..=1_i8), 0..40),
            ties in prop_oneof![Just(Ties::Drop), Just(Ties::Down), Just(Ties::Three)],
        ) {
            let first: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let second: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
            let signs: Vec<i8> = rows.iter().map(|row| row.2).collect();
            let found = test(&first, &second, &signs, ties);
            let expected = plain([&first, &second], &signs, ties);
            prop_assert_eq!(found.is_some(), expected.is_some());
            if let (Some(found), Some((difference, variance))) = (found, expected) {
                prop_assert!((found.difference - difference).abs() < 1e-12);
                prop_assert!((found.standard_error.powi(2) - variance).abs() < 1e-12, "{:?} {}", found, variance);
                let auc = |scores: &[f64]| Ranking::new(scores, &signs, ties).auc(|row| ties.weight(signs[row]));
                prop_assert!((found.difference - (auc(&first) - auc(&second))).abs() < 1e-12);
                // The other way round it is the same difference.
                let swapped = test(&second, &first, &signs, ties).unwrap();
                prop_assert_eq!(swapped.z, found.z.map(|z| -z));
                prop_assert_eq!((swapped.p, swapped.standard_error), (found.p, found.standard_error));
                prop_assert!(found.p.is_none_or(|p| (0.0..=1.0).contains(&p)));
                // A score, or one that ranks alike, does not differ from itself.
                let alike: Vec<f64> = first.iter().map(|score| score.exp()).collect();
                let itself = test(&first, &alike, &signs, ties).unwrap();
                prop_assert_eq!(itself, DeLong { difference: 0.0, standard_error: 0.0, z: None, p: None });
            }
        }
    }
}
