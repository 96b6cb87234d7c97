//! What a fit needs of linear algebra: sums of products, the solution of a symmetric system, eigenvalues.
//!
//! The sums of products are nearly all of a fit's time and are computed here, by the vectors that features use. The rest is
//! nalgebra's. All of it gives the same bits on every machine and for any number of threads. Matrices are symmetric, row by
//! row; only entries right of the diagonal and on it are read.

use crate::strategy::features::lanes::{self, Four, LANES, Lanes, Processor};
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Rows of the product that are summed at a time.
const BLOCK: usize = 4;
const _: () = assert!(BLOCK == LANES, "a row is padded to vectors and so to blocks too");

/// The length of a row of `columns` numbers when it is padded for [`add_products`].
pub(super) fn padded(columns: usize) -> usize {
    columns.next_multiple_of(LANES)
}

/// Adds Σ row·rowᵀ to `sums`, a matrix of `width` columns. Entries left of the diagonal become arbitrary.
///
/// # Panics
/// `width` is not [`padded`], or the lengths do not fit it.
pub(super) fn add_products(rows: &[f64], width: usize, sums: &mut [f64]) {
    assert!(width.is_multiple_of(LANES) && rows.len().is_multiple_of(width) && sums.len() == width * width);
    match Processor::new() {
        Processor::Any => add_products_by(lanes::Plain, rows, width, sums),
        #[cfg(target_arch = "x86_64")]
        Processor::V3(v3) => v3.vectorize(
            #[inline(always)]
            || add_products_by(v3, rows, width, sums),
        ),
    }
}

#[inline(always)]
fn add_products_by<L: Lanes>(lanes: L, rows: &[f64], width: usize, sums: &mut [f64]) {
    for top in (0..width).step_by(BLOCK) {
        let mut left = top;
        // Twelve sums, the vectors that make them and a factor are the sixteen registers.
        while left + 3 * LANES <= width {
            add_block::<L, 3>(lanes, rows, width, (top, left), sums);
            left += 3 * LANES;
        }
        match (width - left) / LANES {
            0 => {}
            1 => add_block::<L, 1>(lanes, rows, width, (top, left), sums),
            _ => add_block::<L, 2>(lanes, rows, width, (top, left), sums),
        }
    }
}

/// One block of the product: its sums stay in registers over all rows.
#[inline(always)]
fn add_block<L: Lanes, const VECTORS: usize>(
    lanes: L,
    rows: &[f64],
    width: usize,
    (top, left): (usize, usize),
    sums: &mut [f64],
) {
    let vectors = |row: &[f64]| -> [Four<L>; VECTORS] {
        let (vectors, _) = row[left..left + VECTORS * LANES].as_chunks::<LANES>();
        std::array::from_fn(|at| Four::of(lanes, vectors[at]))
    };
    let mut block = [[Four::all(lanes, 0.0); VECTORS]; BLOCK];
    for row in rows.chunks_exact(width) {
        let right = vectors(row);
        let factors = row[top..].first_chunk::<BLOCK>().expect("rows are padded to blocks");
        for (sums, &factor) in block.iter_mut().zip(factors) {
            let factor = Four::all(lanes, factor);
            for (sum, &right) in sums.iter_mut().zip(&right) {
                *sum = right.mul_add(factor, *sum);
            }
        }
    }
    for (offset, block) in block.into_iter().enumerate() {
        let at = (top + offset) * width + left;
        for (place, sum) in sums[at..].iter_mut().zip(block.iter().flat_map(|sum| sum.array())) {
            *place += sum;
        }
    }
}

/// The whole matrix: a column below the diagonal is the row right of it.
fn whole(matrix: &[f64], count: usize) -> DMatrix<f64> {
    assert_eq!(matrix.len(), count * count);
    DMatrix::from_fn(count, count, |row, column| matrix[row.min(column) * count + row.max(column)])
}

/// Solves matrix · x = `right` by Cholesky's decomposition; `None` if the matrix is numerically not positive definite.
pub(super) fn solve(matrix: &[f64], right: &[f64]) -> Option<Vec<f64>> {
    let whole = whole(matrix, right.len());
    // The decomposition would take an infinite pivot.
    if !whole.iter().all(|value| value.is_finite()) {
        return None;
    }
    Some(whole.cholesky()?.solve(&DVector::from_column_slice(right)).iter().copied().collect())
}

/// Steps of the iteration after which eigenvalues count as not found; a few for each are usual.
const STEPS_MAX_EACH: usize = 1_000;

/// The eigenvalues from the smallest; `None` if the matrix is not finite or the iteration does not find them.
pub(super) fn eigenvalues(matrix: &[f64], count: usize) -> Option<Vec<f64>> {
    let whole = whole(matrix, count);
    if count == 0 || !whole.iter().all(|value| value.is_finite()) {
        return (count == 0).then(Vec::new);
    }
    let found = SymmetricEigen::try_new(whole, f64::EPSILON, STEPS_MAX_EACH * count)?;
    let mut values: Vec<f64> = found.eigenvalues.iter().copied().collect();
    values.sort_by(f64::total_cmp);
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::features::lanes::tests::by_every_way;
    use proptest::prelude::*;

    /// Rows with zeros behind their numbers.
    fn rows() -> impl Strategy<Value = (usize, Vec<Vec<f64>>)> {
        (1..40_usize).prop_flat_map(|columns| {
            let row = prop::collection::vec(-10.0..10.0, columns);
            prop::collection::vec(row, 0..30).prop_map(move |rows| (columns, rows))
        })
    }

    fn products(lanes: impl Lanes, columns: usize, rows: &[Vec<f64>]) -> Vec<f64> {
        let width = padded(columns);
        let zeros = vec![0.0; width - columns];
        let flat: Vec<f64> = rows.iter().flat_map(|row| row.iter().chain(&zeros)).copied().collect();
        let mut sums = vec![0.0; width * width];
        add_products_by(lanes, &flat, width, &mut sums);
        let mut by_best = vec![0.0; width * width];
        add_products(&flat, width, &mut by_best);
        assert_eq!(sums, by_best, "the same bits on every processor");
        sums.chunks_exact(width).take(columns).flat_map(|row| row[..columns].to_vec()).collect()
    }

    /// A matrix of which `eigenvalues` gives what was put in, whatever axes it is turned to.
    fn turned(values: &[f64], angles: &[f64]) -> Vec<f64> {
        let count = values.len();
        let mut matrix = vec![0.0; count * count];
        for (at, value) in values.iter().enumerate() {
            matrix[at * count + at] = *value;
        }
        for (at, angle) in angles.iter().enumerate() {
            let (low, high) = (at % count, (at + 1 + at / count) % count);
            if low == high {
                continue;
            }
            let (sine, cosine) = angle.sin_cos();
            for columns in [false, true] {
                for other in 0..count {
                    let place = |axis: usize| if columns { other * count + axis } else { axis * count + other };
                    let (a, b) = (matrix[place(low)], matrix[place(high)]);
                    matrix[place(low)] = cosine * a - sine * b;
                    matrix[place(high)] = sine * a + cosine * b;
                }
            }
        }
        matrix
    }

    proptest! {
        #[test]
        fn products_are_those_of_the_definition((columns, rows) in rows()) {
            by_every_way!(lanes => {
                let sums = products(lanes, columns, &rows);
                for a in 0..columns {
                    for b in a..columns {
                        let expected: f64 = rows.iter().map(|row| row[a] * row[b]).sum();
                        prop_assert!((sums[a * columns + b] - expected).abs() <= 1e-11, "{a} {b}");
                    }
                }
            });
        }

        #[test]
        fn solutions_solve(
            values in prop::collection::vec(0.1..1e3_f64, 1..20),
            angles in prop::collection::vec(0.0..6.0, 60),
            x in prop::collection::vec(-10.0..10.0_f64, 20),
        ) {
            let count = values.len();
            let mut matrix = turned(&values, &angles);
            let right: Vec<f64> =
                matrix.chunks_exact(count).map(|row| row.iter().zip(&x).map(|(value, x)| value * x).sum()).collect();
            // What is left of the diagonal does not matter.
            for row in 1..count {
                matrix[row * count..][..row].fill(f64::NAN);
            }
            for (solved, x) in solve(&matrix, &right).expect("positive definite").iter().zip(&x) {
                prop_assert!((solved - x).abs() <= 1e-8, "{solved} {x}");
            }
        }

        #[test]
        fn eigenvalues_are_those_of_the_matrix_before_it_was_turned(
            mut values in prop::collection::vec(-10.0..10.0_f64, 1..20),
            angles in prop::collection::vec(0.0..6.0, 60),
        ) {
            let found = eigenvalues(&turned(&values, &angles), values.len()).expect("a finite matrix");
            values.sort_by(f64::total_cmp);
            for (found, expected) in found.iter().zip(&values) {
                prop_assert!((found - expected).abs() <= 1e-12, "{found} {expected}");
            }
        }
    }

    #[test]
    fn known_matrices_have_their_eigenvalues() {
        assert_eq!(eigenvalues(&[], 0), Some(vec![]));
        assert_eq!(eigenvalues(&[3.0], 1), Some(vec![3.0]));
        // All correlations alike: one eigenvalue of 1 + (n − 1)·r, the others 1 − r.
        let count = 9;
        let alike: Vec<f64> = (0..81).map(|at| if at / count == at % count { 1.0 } else { 0.75 }).collect();
        let found = eigenvalues(&alike, count).expect("a finite matrix");
        assert!(found[..8].iter().all(|value| (value - 0.25).abs() < 1e-15), "{found:?}");
        assert!((found[8] - 7.0).abs() < 1e-14, "{found:?}");
        let singular = eigenvalues(&[1.0, 1.0, 1.0, 1.0], 2).expect("a finite matrix");
        assert!(singular[0].abs() < 1e-15 && (singular[1] - 2.0).abs() < 1e-15, "{singular:?}");
    }

    #[test]
    fn what_has_no_answer_has_none() {
        assert_eq!(solve(&[1.0, 2.0, 2.0, 1.0], &[1.0, 1.0]), None);
        assert_eq!(solve(&[0.0], &[1.0]), None);
        assert_eq!(solve(&[f64::NAN], &[1.0]), None);
        assert_eq!(solve(&[f64::INFINITY], &[1.0]), None);
        assert_eq!(eigenvalues(&[1.0, f64::NAN, f64::NAN, 1.0], 2), None);
        assert_eq!(eigenvalues(&[f64::INFINITY], 1), None);
    }
}
