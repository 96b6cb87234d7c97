//! Logits and probabilities.
//!
//! ```
//! use papertrader::statistics::logistic::{logit_of, probability};
//!
//! assert_eq!(probability(0.0), 0.5);
//! assert_eq!(probability(-1e9), 0.0);
//! assert!((probability(logit_of(0.6)) - 0.6).abs() < 1e-15);
//! ```

/// The probability of a logit: 1 / (1 + e^−z), without overflow on either side.
pub fn probability(logit: f64) -> f64 {
    if logit >= 0.0 {
        1.0 / (1.0 + (-logit).exp())
    } else {
        let odds = logit.exp();
        odds / (1.0 + odds)
    }
}

/// The logit of a probability: ln(p / (1 − p)).
pub fn logit_of(probability: f64) -> f64 {
    (probability / (1.0 - probability)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_and_logits_are_inverse_and_do_not_overflow() {
        for p in [1e-12, 0.1, 0.5, 0.6, 1.0 - 1e-12] {
            assert!((probability(logit_of(p)) - p).abs() < 1e-15, "{p}");
        }
        assert_eq!(probability(-1e4), 0.0);
        assert_eq!(probability(1e4), 1.0);
    }
}
