//! Calibration of a score, as scikit-learn's `CalibratedClassifierCV` fits it.
//!
//! ```
//! use papertrader::strategy::model::Model;
//!
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0],
//!     "calibration": {"kind": "isotonic", "x": [-1.0, 1.0], "y": [0.25, 0.75]}}"#;
//! let mut model = Model::parse("calibrated.json".as_ref(), text)?;
//! // The score 2 · 0 lies half way: 0.25 + 0.5 · 0.5.
//! assert_eq!(model.logit_of_row(&[0.0]), 0.0);
//! # Ok::<(), papertrader::strategy::model::ModelError>(())
//! ```

use super::evaluator::log_odds;
use serde::{Deserialize, Serialize};

/// The most points of an isotonic calibration.
pub const ISOTONIC_POINTS_MAX: usize = 1 << 16;

/// What makes a probability of a model's score, the score being its log-odds without it (scikit-learn's `decision_function`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Calibration {
    /// Platt's: 1 / (1 + e^(a·score + b)).
    Sigmoid {
        /// `a_`; below 0 where the score rises with the probability.
        a: f64,
        /// `b_`.
        b: f64,
    },
    /// Linear between points, and constant beyond them.
    Isotonic {
        /// Scores, ascending: `X_thresholds_`.
        x: Vec<f64>,
        /// Probabilities, not descending: `y_thresholds_`.
        y: Vec<f64>,
    },
}

impl Calibration {
    /// What is wrong with it, if anything.
    pub fn fault(&self) -> Option<(String, f64, &'static str)> {
        let (x, y) = match self {
            Self::Sigmoid { a, b } => {
                let bad = [("a", a), ("b", b)].into_iter().find(|(_, number)| !number.is_finite());
                return bad.map(|(name, &number)| (format!("calibration.{name}"), number, "numbers must be finite"));
            }
            Self::Isotonic { x, y } => (x, y),
        };
        if x.is_empty() || x.len() != y.len() || x.len() > ISOTONIC_POINTS_MAX {
            let rule = "calibration.x and calibration.y have the same length, from 1 to 65536";
            return Some(("the length of calibration.y".into(), y.len() as f64, rule));
        }
        for at in 0..x.len() {
            if !x[at].is_finite() || at > 0 && x[at] <= x[at - 1] {
                return Some((format!("calibration.x[{at}]"), x[at], "scores are finite and ascend"));
            }
            if !(0.0..=1.0).contains(&y[at]) || at > 0 && y[at] < y[at - 1] {
                return Some((
                    format!("calibration.y[{at}]"),
                    y[at],
                    "probabilities lie from 0 to 1 and do not descend",
                ));
            }
        }
        None
    }

    /// The calibrated log-odds of a score.
    pub fn log_odds(&self, score: f64) -> f64 {
        match self {
            Self::Sigmoid { a, b } => -(a * score + b),
            Self::Isotonic { x, y } => log_odds(between(x, y, score)),
        }
    }
}

/// Linear interpolation, as numpy's `interp` does it.
fn between(x: &[f64], y: &[f64], at: f64) -> f64 {
    if at.is_nan() {
        return at;
    }
    // The first point beyond.
    let beyond = x.partition_point(|&point| point <= at);
    match (beyond.checked_sub(1), x.get(beyond)) {
        (None, _) => y[0],
        (Some(last), None) => y[last],
        (Some(before), Some(_)) => {
            let slope = (y[beyond] - y[before]) / (x[beyond] - x[before]);
            slope * (at - x[before]) + y[before]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::logistic::probability;

    #[test]
    fn isotonic_calibration_is_linear_between_points_and_clipped_beyond() {
        let isotonic = Calibration::Isotonic { x: vec![-2.0, 0.0, 1.0], y: vec![0.125, 0.25, 0.75] };
        assert_eq!(isotonic.fault(), None);
        for (score, expected) in
            [(-9.0, 0.125), (-2.0, 0.125), (-1.0, 0.1875), (0.0, 0.25), (0.5, 0.5), (1.0, 0.75), (7.0, 0.75)]
        {
            assert!((probability(isotonic.log_odds(score)) - expected).abs() < 1e-15, "{score}");
        }
        assert!(isotonic.log_odds(f64::NAN).is_nan());
        // One point is a constant; 0 and 1 stay finite.
        let steps = Calibration::Isotonic { x: vec![0.0, 1.0], y: vec![0.0, 1.0] };
        assert!(steps.log_odds(-1.0).is_finite() && steps.log_odds(2.0).is_finite());
        assert!(probability(Calibration::Isotonic { x: vec![3.0], y: vec![0.5] }.log_odds(-1.0)) == 0.5);
    }

    #[test]
    fn a_sigmoid_is_platts() {
        let sigmoid = Calibration::Sigmoid { a: -1.5, b: 0.25 };
        assert_eq!(sigmoid.log_odds(2.0), 2.75);
        assert_eq!(sigmoid.fault(), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let isotonic =
            |x: &[f64], y: &[f64]| Calibration::Isotonic { x: x.to_vec(), y: y.to_vec() }.fault().map(|fault| fault.0);
        assert_eq!(isotonic(&[0.0, 0.0], &[0.1, 0.2]).as_deref(), Some("calibration.x[1]"));
        assert_eq!(isotonic(&[0.0, 1.0], &[0.3, 0.2]).as_deref(), Some("calibration.y[1]"));
        assert_eq!(isotonic(&[0.0], &[1.5]).as_deref(), Some("calibration.y[0]"));
        assert_eq!(isotonic(&[], &[]).as_deref(), Some("the length of calibration.y"));
        assert_eq!(isotonic(&[0.0, 1.0], &[0.5]).as_deref(), Some("the length of calibration.y"));
        assert_eq!(
            Calibration::Sigmoid { a: f64::NAN, b: 0.0 }.fault().map(|fault| fault.0).as_deref(),
            Some("calibration.a")
        );
    }
}
