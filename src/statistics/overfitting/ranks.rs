//! Ranks and their correlation: whether what is better here is better there.
//!
//! ```
//! use papertrader::statistics::overfitting::ranks::{correlation, ranks};
//!
//! assert_eq!(ranks(&[5.0, 7.0, 5.0, 1.0]), [2.5, 1.0, 2.5, 4.0]);
//! assert_eq!(correlation(&[1.0, 2.0, 3.0], &[10.0, 20.0, 90.0]), Some(1.0));
//! assert_eq!(correlation(&[1.0, 2.0, 3.0], &[4.0, 4.0, 4.0]), None);
//! ```

/// The rank of each value, 1 for the greatest; equal values share the mean of their ranks. What is no number ranks by
/// [`f64::total_cmp`].
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[b].total_cmp(&values[a]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for same in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = before as f64 + (same.len() as f64 + 1.0) / 2.0;
        same.iter().for_each(|&at| ranks[at] = rank);
        before += same.len();
    }
    ranks
}

/// Spearman's rank correlation of two series of one length; `None` where one of them does not vary.
pub fn correlation(one: &[f64], other: &[f64]) -> Option<f64> {
    let middle = (one.len() as f64 + 1.0) / 2.0;
    let centred = |values| ranks(values).into_iter().map(|rank| rank - middle).collect::<Vec<f64>>();
    let (one, other) = (centred(one), centred(other));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scale = (product(&one, &one) * product(&other, &other)).sqrt();
    (scale > 0.0).then(|| (product(&one, &other) / scale).clamp(-1.0, 1.0))
}
