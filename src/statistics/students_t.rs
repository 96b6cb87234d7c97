//! Student's t: how much wider than a normal one an interval from few blocks is.
//!
//! ```
//! use papertrader::statistics::students_t::two_sided_95;
//!
//! assert!((two_sided_95(19) - 2.093_024).abs() < 1e-6);
//! assert!((two_sided_95(1_000_000) - 1.959_966).abs() < 1e-5);
//! ```

use std::f64::consts::FRAC_2_PI;

/// The share of Student's t with `freedom` degrees, at least one, that lies between −t and t: the finite sums of Abramowitz
/// and Stegun (1964), 26.7.3 for odd and 26.7.4 for even degrees.
fn share_within(t: f64, freedom: u32) -> f64 {
    let whole = f64::from(freedom) + t * t;
    let sine = t / whole.sqrt();
    let cosine_squared = f64::from(freedom) / whole;
    let is_odd = freedom % 2 == 1;
    // Each term of the sum follows from the one before it.
    let (mut sum, mut term) = (0.0, if is_odd { cosine_squared.sqrt() } else { 1.0 });
    for at in (if is_odd { 3 } else { 2 }..=freedom).step_by(2) {
        sum += term;
        term *= cosine_squared * f64::from(at - 1) / f64::from(at);
    }
    if is_odd { FRAC_2_PI * (libm::atan(t / f64::from(freedom).sqrt()) + sine * sum) } else { sine * sum }
}

/// The t between whose negative and itself 95 % of Student's t lies; `freedom` of 0 counts as 1.
pub fn two_sided_95(freedom: u32) -> f64 {
    let freedom = freedom.max(1);
    // One degree has 12.7; with more it falls towards the normal distribution's 1.96.
    let (mut low, mut high) = (1.9, 13.0);
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return middle;
        }
        if share_within(middle, freedom) < 0.95 { low = middle } else { high = middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To the digits of the usual tables.
    #[test]
    fn quantiles_are_those_of_tables() {
        let table = [
            (1, 12.706_204_736),
            (2, 4.302_652_730),
            (3, 3.182_446_305),
            (10, 2.228_138_852),
            (19, 2.093_024_054),
            (49, 2.009_575_237),
            (100, 1.983_971_519),
        ];
        for (freedom, t) in table {
            assert!((two_sided_95(freedom) - t).abs() < 1e-9, "{freedom}: {}", two_sided_95(freedom));
        }
        assert_eq!(two_sided_95(0), two_sided_95(1));
    }

    #[test]
    fn quantiles_fall_towards_the_normal_one() {
        let all: Vec<f64> = (1..400).map(two_sided_95).collect();
        assert!(all.windows(2).all(|pair| pair[0] > pair[1] && pair[1] > 1.959_96));
    }
}
