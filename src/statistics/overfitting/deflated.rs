//! The deflated Sharpe ratio: the probability that the best setting's true Sharpe ratio is above what the best of as many
//! settings without skill shows.
//!
//! Bailey and López de Prado (Journal of Portfolio Management 2014), "The deflated Sharpe ratio: correcting for selection bias,
//! backtest overfitting and non-normality". With N independent trials whose Sharpe ratios vary by V around 0, the greatest one
//! is expected at
//!
//! > SR₀ = √V ((1 − γ) Φ⁻¹(1 − 1 ÷ N) + γ Φ⁻¹(1 − 1 ÷ (N e))),
//!
//! with the Euler–Mascheroni constant γ; the deflated ratio is the [probabilistic one](super::sharpe) against SR₀.
//!
//! Settings beside each other trade nearly alike and are not N independent trials. Their effective number is that of the
//! paper's appendix, from the mean correlation ρ of all pairs: ρ + (1 − ρ) N, with ρ below 0 taken as 0. Both are
//! reported; the verdict is by the effective number.
//!
//! V is the variance between the settings, and no more than 1 ÷ (n − 1), which the ratio of n slices without skill has
//! by chance. The paper has no such bound: its trials differ by chance alone. Settings of a sweep do not; fees alone put those
//! that trade much far below the others, and with the whole of their spread for V every edge would be called luck. What the
//! ratio is without the bound is reported too.
//!
//! ```
//! use papertrader::statistics::overfitting::deflated::expected_maximum;
//!
//! // Of 1,000 trials of variance 1 (Bailey and others 2014).
//! assert!((expected_maximum(1_000.0, 1.0) - 3.26).abs() < 0.005);
//! assert_eq!(expected_maximum(1.0, 1.0), 0.0);
//! ```

use super::normal::quantile;
use super::sharpe::Moments;
use super::{Returns, SLICES_MIN, best_of};
use serde::{Deserialize, Serialize};

/// The Euler–Mascheroni constant.
const EULER_MASCHERONI: f64 = 0.577_215_664_901_532_9;

/// SR₀ for so many independent trials, at least 1, whose Sharpe ratios have the variance `variance` around 0; not below 0, which
/// a single trial has.
pub fn expected_maximum(trials: f64, variance: f64) -> f64 {
    // 1 − 1 ÷ N as a share above: its complement is small and exact.
    let above = |share: f64| -quantile(share);
    let [first, second] = [above(1.0 / trials), above(1.0 / (trials * std::f64::consts::E))];
    if trials <= 1.0 {
        return 0.0;
    }
    variance.max(0.0).sqrt() * ((1.0 - EULER_MASCHERONI) * first + EULER_MASCHERONI * second).max(0.0)
}

/// The best setting against the best of luck.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deflated {
    /// The setting with the greatest Sharpe ratio, from 0.
    pub best: usize,
    /// What its slices are like.
    pub moments: Moments,
    /// Its Sharpe ratio, of a slice.
    pub sharpe: f64,
    /// The probability that its true ratio is above 0, as if it were the only setting.
    pub probability_alone: f64,
    /// Settings with a Sharpe ratio: those that traded.
    pub trials: usize,
    /// The mean correlation of all pairs of them; `None` of one.
    pub mean_correlation: Option<f64>,
    /// How many independent trials they are worth: at least 1, at most `trials`.
    pub effective_trials: f64,
    /// The variance of their Sharpe ratios, by n − 1; 0 of one.
    pub variance_between: f64,
    /// V: the same, but at most what chance gives.
    pub variance: f64,
    /// The greatest ratio that as many effective trials without skill are expected to show.
    pub expected_maximum: f64,
    /// The deflated Sharpe ratio, a probability.
    pub probability: f64,
    /// The same if every setting were an independent trial.
    pub probability_all: f64,
    /// The same as `probability` with V as the settings have it, however much they truly differ.
    pub probability_unbounded: f64,
}

impl Deflated {
    /// Of a sweep; `None` where no setting traded, where there are fewer than [`SLICES_MIN`] slices, or where the best ratio has
    /// no variance.
    pub fn of(returns: &Returns<'_>) -> Option<Self> {
        if returns.slices() < SLICES_MIN {
            return None;
        }
        let of_settings = returns.moments();
        let best = best_of(&of_settings)?;
        let moments = of_settings[best];
        let sharpes: Vec<f64> = of_settings.iter().filter_map(Moments::sharpe).collect();
        let trials = sharpes.len();
        let spread = Moments::of(sharpes.iter().copied());
        let variance_between = spread.deviation * spread.deviation;
        let variance = variance_between.min(1.0 / (returns.slices() as f64 - 1.0));
        let mean_correlation = mean_correlation(returns, &of_settings);
        let effective_trials = mean_correlation.map_or(1.0, |mean| {
            let mean = mean.clamp(0.0, 1.0);
            mean + (1.0 - mean) * trials as f64
        });
        let bar = expected_maximum(effective_trials, variance);
        Some(Self {
            best,
            moments,
            sharpe: moments.sharpe()?,
            probability_alone: moments.probability_above(0.0)?,
            trials,
            mean_correlation,
            effective_trials,
            variance_between,
            variance,
            expected_maximum: bar,
            probability: moments.probability_above(bar)?,
            probability_all: moments.probability_above(expected_maximum(trials as f64, variance))?,
            probability_unbounded: moments.probability_above(expected_maximum(effective_trials, variance_between))?,
        })
    }
}

/// The mean correlation of all pairs of settings that vary; `None` of fewer than two.
///
/// With z the standardised profits of a slice, the sum over all pairs and both orders is Σ over slices (Σ z)² ÷ (n − 1): no
/// pair is looked at by itself.
fn mean_correlation(returns: &Returns<'_>, moments: &[Moments]) -> Option<f64> {
    let count = moments.iter().filter(|moments| moments.deviation > 0.0).count() as f64;
    if count < 2.0 {
        return None;
    }
    let of_slice = |row: &[f64]| {
        let varying = row.iter().zip(moments).filter(|(_, moments)| moments.deviation > 0.0);
        let sum: f64 = varying.map(|(value, moments)| (value - moments.mean) / moments.deviation).sum();
        sum * sum
    };
    let all = returns.rows().map(of_slice).sum::<f64>() / (returns.slices() as f64 - 1.0);
    Some((all - count) / (count * (count - 1.0)))
}
