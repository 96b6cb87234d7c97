//! Fitting a calibration to scores of rows that the model had not seen, as scikit-learn's `CalibratedClassifierCV` does with
//! `ensemble=False`.
//!
//! ```
//! use papertrader::research::calibrating::{CalibrationKind, calibrate};
//! use papertrader::statistics::labels::Ties;
//! use papertrader::strategy::model::Calibration;
//!
//! // Twice as sure as it may be.
//! let scores: Vec<f64> = (0..400).map(|row| if row % 2 == 0 { 2.0 } else { -2.0 }).collect();
//! let signs: Vec<i8> = (0..400).map(|row| if (row % 2 == 0) == (row % 8 < 6) { 1 } else { -1 }).collect();
//! let Calibration::Sigmoid { a, b } = calibrate(CalibrationKind::Sigmoid, &scores, &signs, Ties::Drop)? else { panic!() };
//! assert!((-0.6..-0.4).contains(&a) && b.abs() < 0.1, "{a} {b}");
//! # Ok::<(), papertrader::research::calibrating::NoCalibration>(())
//! ```

use crate::statistics::labels::{Ties, Weight};
use crate::statistics::logistic::probability;
use crate::strategy::model::{Calibration, ISOTONIC_POINTS_MAX};
use serde::Serialize;
use std::fmt;

/// Steps of Newton's method after which a fit counts as failed.
const ITERATIONS_MAX: u32 = 100;

/// Which kind of calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum CalibrationKind {
    /// Platt's: a logistic regression of the score alone.
    Sigmoid,
    /// The monotone steps that fit best.
    Isotonic,
}

impl fmt::Display for CalibrationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sigmoid => "sigmoid",
            Self::Isotonic => "isotonic",
        })
    }
}

/// Why there is no calibration.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum NoCalibration {
    /// The rows have one outcome, or are none.
    #[error("the rows to calibrate on have one class only")]
    OneClass,
    /// Platt's fit went astray.
    #[error("Platt's fit did not converge; the scores may be out of all proportion")]
    NotConverged,
    /// It would turn the model round.
    #[error(
        "Platt's fit says that higher scores mean a fall: its slope is {slope}, which would turn the model round; the folds are \
         too small or too unlike for a calibration, or a few scores are out of all proportion"
    )]
    Falling {
        /// Of the log-odds by the score.
        slope: f64,
    },
    /// More steps than a model's file may have.
    #[error(
        "isotonic calibration has {0} points, at most {ISOTONIC_POINTS_MAX} fit into a model; calibrate with sigmoid"
    )]
    TooManyPoints(usize),
}

/// Fits a calibration to scores (log-odds) and what the mid did after them.
///
/// # Errors
/// See [`NoCalibration`].
pub fn calibrate(
    kind: CalibrationKind,
    scores: &[f64],
    signs: &[i8],
    ties: Ties,
) -> Result<Calibration, NoCalibration> {
    let rows = scores.iter().zip(signs).map(|(&score, &sign)| (score, ties.weight(sign)));
    let rows: Vec<(f64, Weight)> = rows.filter(|(_, weight)| weight.total() > 0.0).collect();
    match kind {
        CalibrationKind::Sigmoid => sigmoid(&rows),
        CalibrationKind::Isotonic => isotonic(rows),
    }
}

fn totals(rows: &[(f64, Weight)]) -> Result<Weight, NoCalibration> {
    let sum =
        |sum: Weight, (_, weight): &(f64, Weight)| Weight { up: sum.up + weight.up, down: sum.down + weight.down };
    let total = rows.iter().fold(Weight::default(), sum);
    if total.up > 0.0 && total.down > 0.0 { Ok(total) } else { Err(NoCalibration::OneClass) }
}

/// Platt (1999), "Probabilistic outputs for support vector machines": targets are (n₊ + 1) ÷ (n₊ + 2) and 1 ÷ (n₋ + 2), which keeps
/// what is certain finite. The loss is convex; Newton's method with shortened steps (Lin, Lin and Weng 2007).
fn sigmoid(rows: &[(f64, Weight)]) -> Result<Calibration, NoCalibration> {
    let total = totals(rows)?;
    let (high, low) = ((total.up + 1.0) / (total.up + 2.0), 1.0 / (total.down + 2.0));
    // p = 1 ÷ (1 + e^(a·score + b)); here with slope −a and intercept −b.
    let loss = |slope: f64, intercept: f64| -> f64 {
        let of_row = |&(score, weight): &(f64, Weight)| {
            let logit = slope * score + intercept;
            let small = (-logit.abs()).exp().ln_1p();
            let (as_up, as_down) = (small + (-logit).max(0.0), small + logit.max(0.0));
            let target = weight.up * high + weight.down * low;
            target * as_up + (weight.total() - target) * as_down
        };
        rows.iter().map(of_row).sum()
    };
    let (mut slope, mut intercept) = (0.0, ((total.up + 1.0) / (total.down + 1.0)).ln());
    let mut here = loss(slope, intercept);
    for _ in 0..ITERATIONS_MAX {
        let (mut gradient, mut hessian) = ([0.0; 2], [0.0; 3]);
        for &(score, weight) in rows {
            let p = probability(slope * score + intercept);
            let residual = weight.total() * p - (weight.up * high + weight.down * low);
            let curvature = weight.total() * p * (1.0 - p);
            gradient[0] += residual * score;
            gradient[1] += residual;
            hessian[0] += curvature * score * score;
            hessian[1] += curvature * score;
            hessian[2] += curvature;
        }
        // A little curvature where all scores are one score.
        let (first, last) = (hessian[0] + 1e-12, hessian[2] + 1e-12);
        let determinant = first * last - hessian[1] * hessian[1];
        let step = [
            (last * gradient[0] - hessian[1] * gradient[1]) / determinant,
            (first * gradient[1] - hessian[1] * gradient[0]) / determinant,
        ];
        let decrement = gradient[0] * step[0] + gradient[1] * step[1];
        if !decrement.is_finite() {
            return Err(NoCalibration::NotConverged);
        }
        if decrement <= 1e-12 && slope < 0.0 {
            return Err(NoCalibration::Falling { slope });
        }
        if decrement <= 1e-12 {
            return Ok(Calibration::Sigmoid { a: -slope, b: -intercept });
        }
        let mut share = 1.0;
        loop {
            let there = loss(slope - share * step[0], intercept - share * step[1]);
            if there <= here + 1e-12 * here.abs() {
                (slope, intercept, here) = (slope - share * step[0], intercept - share * step[1], there);
                break;
            }
            share /= 2.0;
            if share < 1e-10 {
                return Err(NoCalibration::NotConverged);
            }
        }
    }
    Err(NoCalibration::NotConverged)
}

/// The pool-adjacent-violators algorithm (Ayer and others 1955); of each step the first and the last score are kept, as
/// scikit-learn keeps them.
fn isotonic(mut rows: Vec<(f64, Weight)>) -> Result<Calibration, NoCalibration> {
    totals(&rows)?;
    rows.retain(|(score, _)| score.is_finite());
    rows.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    // Weight of up, weight, and the first and the last score: equal scores are one point, then falling steps are pooled.
    let mut steps: Vec<(f64, f64, f64, f64)> = Vec::new();
    for (score, weight) in rows {
        match steps.last_mut().filter(|step| step.3 == score && step.2 == score) {
            Some(step) => (step.0, step.1) = (step.0 + weight.up, step.1 + weight.total()),
            None => steps.push((weight.up, weight.total(), score, score)),
        }
    }
    let mut pooled: Vec<(f64, f64, f64, f64)> = Vec::new();
    for mut step in steps {
        while let Some(before) = pooled.pop_if(|before| before.0 * step.1 >= step.0 * before.1) {
            step = (before.0 + step.0, before.1 + step.1, before.2, step.3);
        }
        pooled.push(step);
    }
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for (up, weight, first, last) in pooled {
        let ends = if first < last { vec![first, last] } else { vec![first] };
        for end in ends {
            x.push(end);
            y.push(up / weight);
        }
    }
    if x.len() > ISOTONIC_POINTS_MAX {
        Err(NoCalibration::TooManyPoints(x.len()))
    } else {
        Ok(Calibration::Isotonic { x, y })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 24 rows: scores (7·n mod 24 − 12) ÷ 4, up where the score and the number agree.
    fn rows() -> (Vec<f64>, Vec<i8>) {
        let score = |row: i32| f64::from(7 * row % 24 - 12) / 4.0;
        let sign = |row: i32| if score(row) + f64::from(row % 5 - 2) > 0.0 { 1 } else { -1 };
        ((0..24).map(score).collect(), (0..24).map(sign).collect())
    }

    /// By scikit-learn 1.9: `_SigmoidCalibration`, and `IsotonicRegression(out_of_bounds="clip")`.
    #[test]
    fn calibrations_are_those_of_scikit_learn() {
        let steps = [(-3.0, 0.0), (0.0, 0.0), (0.25, 0.75), (2.0, 0.75), (2.25, 1.0), (2.75, 1.0)];
        let (scores, signs) = rows();
        let Ok(Calibration::Sigmoid { a, b }) = calibrate(CalibrationKind::Sigmoid, &scores, &signs, Ties::Drop) else {
            panic!()
        };
        assert!((a - -1.050_202_5).abs() < 1e-5 && (b - 0.716_444_7).abs() < 1e-5, "{a} {b}");
        let isotonic = calibrate(CalibrationKind::Isotonic, &scores, &signs, Ties::Drop);
        let Ok(Calibration::Isotonic { x, y }) = isotonic else { panic!() };
        assert_eq!(x, steps.map(|point| point.0));
        for (ours, (_, theirs)) in y.iter().zip(steps) {
            assert!((ours - theirs).abs() < 1e-12, "{ours} {theirs}");
        }
    }

    proptest! {
        /// Monotone, within bounds, and no worse than the plain steps of the min-max formula.
        #[test]
        fn isotonic_steps_are_those_of_the_min_max_formula(rows in prop::collection::vec((-5_i8..5, any::<bool>()), 2..40)) {
            let scores: Vec<f64> = rows.iter().map(|&(score, _)| f64::from(score)).collect();
            let signs: Vec<i8> = rows.iter().map(|&(_, up)| if up { 1 } else { -1 }).collect();
            let ups = signs.iter().filter(|&&sign| sign > 0).count();
            let found = calibrate(CalibrationKind::Isotonic, &scores, &signs, Ties::Drop);
            if ups == 0 || ups == signs.len() {
                prop_assert_eq!(found, Err(NoCalibration::OneClass));
                return Ok(());
            }
            let calibration = found.unwrap();
            prop_assert_eq!(calibration.fault(), None);
            let mean = |from: f64, to: f64| {
                let within: Vec<i8> = (0..scores.len()).filter(|&row| (from..=to).contains(&scores[row])).map(|row| signs[row]).collect();
                within.iter().filter(|&&sign| sign > 0).count() as f64 / within.len() as f64
            };
            for &score in &scores {
                let below = scores.iter().filter(|&&other| other <= score);
                let plain = below.map(|&from| {
                    scores.iter().filter(|&&other| other >= score).map(|&to| mean(from, to)).fold(f64::INFINITY, f64::min)
                });
                let plain = plain.fold(f64::NEG_INFINITY, f64::max);
                let ours = probability(calibration.log_odds(score));
                prop_assert!((ours - plain).abs() < 1e-9, "{}: {} {}", score, ours, plain);
            }
        }
    }

    #[test]
    fn a_model_is_not_turned_round() {
        let error =
            calibrate(CalibrationKind::Sigmoid, &[1.0, 1.0, 1.0, -1.0, -1.0, -1.0], &[-1, -1, 1, 1, 1, -1], Ties::Drop);
        assert!(matches!(error, Err(NoCalibration::Falling { slope }) if slope < 0.0), "{error:?}");
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("Platt's fit says that higher scores mean a fall: its slope is -0."), "{text}");
    }

    #[test]
    fn what_cannot_be_calibrated_is_said() {
        for kind in [CalibrationKind::Sigmoid, CalibrationKind::Isotonic] {
            for (signs, ties) in
                [(&[1, 1][..], Ties::Drop), (&[], Ties::Drop), (&[0, 0], Ties::Drop), (&[0, -1], Ties::Down)]
            {
                let scores = vec![0.5; signs.len()];
                assert_eq!(calibrate(kind, &scores, signs, ties), Err(NoCalibration::OneClass));
            }
        }
        // One score for all: a constant.
        let Ok(Calibration::Sigmoid { a, b }) =
            calibrate(CalibrationKind::Sigmoid, &[1.0; 6], &[1, -1, 1, 1, -1, 1], Ties::Drop)
        else {
            panic!()
        };
        // Targets 5/6 and 1/4, four and two of them.
        let share = (4.0 * 5.0 / 6.0 + 2.0 / 4.0) / 6.0;
        assert!((probability(-(a + b)) - share).abs() < 1e-6);
        let halves = calibrate(CalibrationKind::Isotonic, &[-1.0, 1.0], &[0, 1], Ties::Three).unwrap();
        assert_eq!(halves, Calibration::Isotonic { x: vec![-1.0, 1.0], y: vec![0.5, 1.0] });
    }
}
