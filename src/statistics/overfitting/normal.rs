//! The standard normal distribution and its quantiles.
//!
//! ```
//! use papertrader::statistics::overfitting::normal::{quantile, share_below};
//!
//! assert!((share_below(1.96) - 0.975_002_1).abs() < 1e-7);
//! assert!((quantile(0.975) - 1.959_964).abs() < 1e-6);
//! ```

use std::f64::consts::SQRT_2;

/// Beyond this a double's share is 0 or 1.
const FARTHEST: f64 = 40.0;

/// The share of a standard normal variable below `z`.
pub fn share_below(z: f64) -> f64 {
    0.5 * libm::erfc(-z / SQRT_2)
}

/// The z with the share `share` below it; infinite at 0 and 1 and beyond them.
///
/// Halves the range until no double lies between its ends: slower than a series, as exact as [`share_below`].
pub fn quantile(share: f64) -> f64 {
    if share <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if share >= 1.0 {
        return f64::INFINITY;
    }
    // Both tails alike: the share above is computed for what lies above the middle, where 1 − share is exact.
    if share > 0.5 {
        return -quantile(1.0 - share);
    }
    let (mut low, mut high) = (-FARTHEST, 0.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if share_below(middle) < share { low = middle } else { high = middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To the digits of the usual tables.
    #[test]
    fn quantiles_are_those_of_tables() {
        for (share, z) in [
            (0.5, 0.0),
            (0.9, 1.281_551_565_544_6),
            (0.95, 1.644_853_626_951_5),
            (0.975, 1.959_963_984_540_1),
            (0.99, 2.326_347_874_040_8),
            (0.999, 3.090_232_306_167_8),
            (1e-9, -5.997_807_015_007_7),
        ] {
            assert!((quantile(share) - z).abs() < 1e-12, "{share}: {}", quantile(share));
            assert!((share_below(z) / share - 1.0).abs() < 1e-11, "{z}: {}", share_below(z));
        }
        assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!((quantile(-1.0), quantile(2.0)), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
