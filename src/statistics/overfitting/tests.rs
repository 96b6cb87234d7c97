//! Published examples, cases by hand, and what must hold of noise and of skill.

use super::cross_validation::CrossValidation;
use super::deflated::{Deflated, expected_maximum};
use super::ranks::ranks;
use super::reality_check::{RealityCheck, Resampling};
use super::sharpe::{Moments, probability_above};
use super::{Returns, ReturnsError};
use crate::statistics::overfitting::normal::quantile;
use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

fn is_near(found: f64, known: f64, tolerance: f64) {
    assert!((found - known).abs() <= tolerance, "{found}, known {known}");
}

/// Independent normal profits, `slices` × `settings`.
fn noise(seed: u64, slices: usize, settings: usize) -> Vec<f64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut next = || quantile(((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64);
    (0..slices * settings).map(|_| next()).collect()
}

/// The same with something added to the profits of the first setting.
fn with_skill(mut values: Vec<f64>, settings: usize, skill: f64) -> Vec<f64> {
    values.iter_mut().step_by(settings).for_each(|value| *value += skill);
    values
}

#[test]
fn returns_are_whole_slices_of_numbers() {
    assert_eq!(Returns::new(&[], 0).unwrap_err().to_string(), "there is no setting to judge");
    assert_eq!(
        Returns::new(&[1.0, 2.0, 3.0], 2).unwrap_err().to_string(),
        "3 profits are not a whole number of slices of 2 settings each"
    );
    let error = Returns::new(&[1.0, 2.0, 3.0, f64::NAN], 2).unwrap_err();
    assert_eq!(error, ReturnsError::NotFinite { slice: 1, setting: 1 });
    assert_eq!(error.to_string(), "the profit of setting 1 in slice 1, both counted from 0, is not a finite number");
    let returns = Returns::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2).unwrap();
    assert_eq!((returns.slices(), returns.settings()), (3, 2));
    assert_eq!(returns.of_setting(1).collect::<Vec<_>>(), [2.0, 4.0, 6.0]);
}

#[test]
fn moments_by_hand() {
    // Mean 1, squared deviations 1, 0, 1, 4 … of 0, 1, 2, −1, 3.
    let moments = Moments::of([0.0, 1.0, 2.0, -1.0, 3.0].into_iter());
    assert_eq!((moments.count, moments.mean, moments.skewness), (5, 1.0, 0.0));
    is_near(moments.deviation, 2.5_f64.sqrt(), 1e-15);
    is_near(moments.kurtosis, 34.0 / 5.0 / 4.0, 1e-15);
    // 0, 0, 0, 4: mean 1, m₂ = 3, m₃ = 6, m₄ = 21.
    let moments = Moments::of([0.0, 0.0, 0.0, 4.0].into_iter());
    is_near(moments.skewness, 6.0 / 27.0_f64.sqrt(), 1e-15);
    is_near(moments.kurtosis, 21.0 / 9.0, 1e-15);
    for still in [&[][..], &[3.0], &[0.1; 7]] {
        let moments = Moments::of(still.iter().copied());
        assert_eq!((moments.deviation, moments.sharpe(), moments.probability_above(0.0)), (0.0, None, None));
    }
}

/// Bailey and López de Prado (2014), "A numerical example": five years of daily returns, an annualised Sharpe ratio of 2.5, a
/// skewness of −3 and a kurtosis of 10, the best of 100 trials whose annualised ratios have a variance of ½.
#[test]
fn the_example_of_the_paper_on_the_deflated_sharpe_ratio() {
    let days = 250.0_f64;
    let (sharpe, variance) = (2.5 / days.sqrt(), 0.5 / days);
    let bar = expected_maximum(100.0, variance);
    is_near(bar, 0.1132, 5e-5);
    let probability =
        |trials, shape| probability_above(sharpe, expected_maximum(trials, variance), 1_250, shape).unwrap();
    is_near(probability(100.0, (-3.0, 10.0)), 0.9004, 5e-5);
    // "Should the strategist have made his discovery after running only N = 46": 0.9505; with normal returns after N = 88.
    is_near(probability(46.0, (-3.0, 10.0)), 0.9505, 5e-5);
    is_near(probability(88.0, (0.0, 3.0)), 0.9505, 5e-5);
    // A lone ratio without variance, and one slice.
    assert_eq!(probability_above(1.0, 0.0, 100, (2.0, 5.0)), None);
    assert_eq!(probability_above(1.0, 0.0, 1, (0.0, 3.0)), None);
}

/// The exact expectation of the maximum of N normal variables, which the formula approximates.
#[test]
fn maxima_are_about_those_of_normal_variables() {
    for (trials, exact) in [(10.0, 1.538_75), (100.0, 2.507_59), (1_000.0, 3.241_44)] {
        is_near(expected_maximum(trials, 1.0), exact, 0.04);
        is_near(expected_maximum(trials, 4.0), 2.0 * expected_maximum(trials, 1.0), 1e-12);
    }
    for trials in [1.0, 1.2, 1.5] {
        assert!(expected_maximum(trials, 1.0) >= 0.0);
    }
}

#[test]
fn alike_settings_are_one_trial() {
    let series = noise(1, 100, 1);
    let alike: Vec<f64> = series.iter().flat_map(|&value| [1.0, 2.0, 4.0, 0.0].map(|times| value * times)).collect();
    let found = Deflated::of(&Returns::new(&alike, 4).unwrap()).unwrap();
    // The fourth never traded.
    assert_eq!((found.best, found.trials), (0, 3));
    is_near(found.mean_correlation.unwrap(), 1.0, 1e-12);
    is_near(found.effective_trials, 1.0, 1e-9);
    is_near(found.probability, found.probability_alone, 1e-9);

    let apart = noise(2, 400, 30);
    let found = Deflated::of(&Returns::new(&apart, 30).unwrap()).unwrap();
    assert!(found.mean_correlation.unwrap().abs() < 0.02, "{found:?}");
    assert!(found.effective_trials > 29.0);
    assert!(found.probability_all <= found.probability && found.probability < found.probability_alone);
}

/// Settings that lose by different fees spread more than chance makes them: the bar stays where chance puts it.
#[test]
fn what_truly_differs_does_not_raise_the_bar() {
    let mut values = with_skill(noise(6, 200, 20), 20, 0.5);
    values
        .chunks_mut(20)
        .for_each(|row| row.iter_mut().enumerate().skip(1).for_each(|(at, value)| *value -= 0.2 * at as f64));
    let found = Deflated::of(&Returns::new(&values, 20).unwrap()).unwrap();
    assert!(found.variance_between > 0.5, "{found:?}");
    assert_eq!((found.best, found.variance), (0, 1.0 / 199.0));
    assert!(found.probability > 0.99 && found.probability_unbounded < 0.01, "{found:?}");
    // Of noise alone both are nearly the same.
    let values = noise(7, 200, 20);
    let found = Deflated::of(&Returns::new(&values, 20).unwrap()).unwrap();
    assert!((found.variance_between * 199.0 - 1.0).abs() < 0.6 && found.probability < 0.95, "{found:?}");
}

/// The mean correlation by its definition: pair by pair.
#[test]
fn the_mean_correlation_is_that_of_all_pairs() {
    let values = noise(3, 50, 6);
    let returns = Returns::new(&values, 6).unwrap();
    let moments = returns.moments();
    let (mut sum, mut pairs) = (0.0, 0.0);
    for one in 0..6 {
        for other in 0..one {
            let products = returns.of_setting(one).zip(returns.of_setting(other));
            let covariance: f64 =
                products.map(|(a, b)| (a - moments[one].mean) * (b - moments[other].mean)).sum::<f64>() / 49.0;
            sum += covariance / moments[one].deviation / moments[other].deviation;
            pairs += 1.0;
        }
    }
    is_near(Deflated::of(&returns).unwrap().mean_correlation.unwrap(), sum / pairs, 1e-12);
}

#[test]
fn where_nothing_is_judged() {
    let resampling = Resampling { replicates: 10, seed: 1 };
    let judged = |values: &[f64], settings| {
        let returns = Returns::new(values, settings).unwrap();
        let of_halves = CrossValidation::of(&returns).is_some();
        (Deflated::of(&returns).is_some(), of_halves, RealityCheck::of(&returns, resampling, 1).is_some())
    };
    assert_eq!(judged(&noise(1, 19, 3), 3), (false, true, false));
    assert_eq!(judged(&noise(1, 15, 3), 3), (false, false, false));
    assert_eq!(judged(&noise(1, 20, 3), 3), (true, true, true));
    // One setting needs no correction for many, and has no rank.
    assert_eq!(judged(&noise(1, 64, 1), 1), (true, false, true));
    // Nobody traded.
    assert_eq!(judged(&[0.0; 120], 3), (false, false, false));
    assert_eq!(judged(&[], 3), (false, false, false));
    let values = noise(1, 64, 2);
    let returns = Returns::new(&values, 2).unwrap();
    assert_eq!(RealityCheck::of(&returns, Resampling { replicates: 0, seed: 1 }, 1), None);
    for blocks in [0, 1, 7, 18, 66] {
        assert_eq!(CrossValidation::with_blocks(&returns, blocks), None, "{blocks}");
    }
}

/// Four slices in four blocks, three settings. In sample {1, 2}: ratios by hand give the first setting; and so on.
#[test]
fn a_small_cross_validation_by_hand() {
    // Two blocks of two slices. On the first: means 2, 1, −1; on the second: −2, 1, 3; all with the deviation √2.
    let values = [3.0, 2.0, 0.0, 1.0, 0.0, -2.0, -1.0, 2.0, 4.0, -3.0, 0.0, 2.0];
    let found = CrossValidation::with_blocks(&Returns::new(&values, 3).unwrap(), 2).unwrap();
    // The first setting is best on the first half and last of three on the second: ω = 1/4. The third the other way round.
    assert_eq!(found.logits.len(), 2);
    found.logits.iter().for_each(|&logit| is_near(logit, (1.0_f64 / 3.0).ln(), 1e-15));
    assert_eq!((found.splits, found.probability, found.loss_probability), (2, 1.0, 1.0));
    // The other way: what is best stays best, ω = 3/4.
    let values = [3.0, 2.0, 0.0, 1.0, 0.0, -2.0, 3.0, 2.0, 0.0, 1.0, 0.0, -2.0];
    let found = CrossValidation::with_blocks(&Returns::new(&values, 3).unwrap(), 2).unwrap();
    assert_eq!((found.probability, found.loss_probability), (0.0, 0.0));
    is_near(found.median_logit, 3.0_f64.ln(), 1e-15);
    // All alike: the middle rank, half of everything.
    let values: Vec<f64> = (0..20).flat_map(|slice| [f64::from(slice % 3); 5]).collect();
    let found = CrossValidation::of(&Returns::new(&values, 5).unwrap()).unwrap();
    assert_eq!((found.blocks, found.splits, found.probability), (10, 252, 0.5));
    assert!(found.logits.iter().all(|&logit| logit == 0.0));
}

/// Over many seeds what is best on one half of noise is anywhere on the other. A truly better setting stays the best.
#[test]
fn noise_is_overfitted_half_of_the_time_and_skill_is_not() {
    let probability =
        |values: &[f64]| CrossValidation::with_blocks(&Returns::new(values, 12).unwrap(), 8).unwrap().probability;
    let mean = (0..60).map(|seed| probability(&noise(seed, 64, 12))).sum::<f64>() / 60.0;
    is_near(mean, 0.5, 0.06);
    for seed in 0..10 {
        assert!(probability(&with_skill(noise(seed, 64, 12), 12, 1.0)) < 0.05, "{seed}");
    }
}

/// Of noise a test says 5 % in one of twenty cases; of skill nearly always.
#[test]
fn the_reality_check_is_as_sure_as_it_says() {
    let resampling = Resampling { replicates: 200, seed: 11 };
    let check = |values: &[f64]| RealityCheck::of(&Returns::new(values, 15).unwrap(), resampling, 2).unwrap();
    let found: Vec<RealityCheck> = (0..200).map(|seed| check(&noise(1_000 + seed, 60, 15))).collect();
    let share_below = |p: f64, of: fn(&RealityCheck) -> f64| {
        found.iter().filter(|check| of(check) <= p).count() as f64 / found.len() as f64
    };
    for p in [0.05_f64, 0.25, 0.5, 0.75] {
        // Three standard errors of a share of 200, and 0.04 for resamples of few slices.
        let tolerance = 3.0 * (p * (1.0 - p) / 200.0).sqrt() + 0.04;
        is_near(share_below(p, |check| check.white), p, tolerance);
        is_near(share_below(p, |check| check.spa.upper), p, tolerance);
    }
    assert!(
        found.iter().all(|check| check.spa.lower <= check.spa.consistent && check.spa.consistent <= check.spa.upper)
    );
    for seed in 0..10 {
        let RealityCheck { white, spa, .. } = check(&with_skill(noise(seed, 60, 15), 15, 1.0));
        assert!(white < 0.02 && spa.upper < 0.02, "{seed}: {white} {spa:?}");
    }
    // Losers say nothing of the best one: Hansen's test leaves them out, White's does not mind them either, for they vary alike.
    let mut values = with_skill(noise(4, 60, 15), 15, 0.35);
    let alone = check(&values).spa.consistent;
    values.chunks_mut(15).for_each(|row| row[1..].iter_mut().for_each(|value| *value = 10.0 * *value - 30.0));
    let found = check(&values);
    assert!(found.spa.consistent < alone && found.spa.consistent < 0.05, "{alone} {found:?}");
    assert!(found.spa.lower <= found.spa.consistent && found.spa.upper > found.spa.consistent, "{found:?}");
    assert!(found.white > 0.2, "{found:?}");
}

#[test]
fn threads_change_nothing() {
    let values = noise(8, 40, 5);
    let by = |threads| {
        RealityCheck::of(&Returns::new(&values, 5).unwrap(), Resampling { replicates: 101, seed: 3 }, threads)
    };
    assert_eq!(by(0), by(1));
    assert_eq!(by(1), by(3));
    assert_ne!(by(1), RealityCheck::of(&Returns::new(&values, 5).unwrap(), Resampling { replicates: 101, seed: 4 }, 1));
}

#[test]
fn dependence_makes_longer_blocks() {
    let mut value = 0.0;
    let slow: Vec<f64> = noise(5, 640, 1)
        .into_iter()
        .map(|next| {
            value = 0.9 * value + next;
            value
        })
        .collect();
    let of = |values: &[f64]| {
        RealityCheck::of(&Returns::new(values, 1).unwrap(), Resampling { replicates: 50, seed: 1 }, 1)
            .unwrap()
            .block_slices
    };
    assert!(of(&slow) > 15.0 && of(&slow) <= 64.0, "{}", of(&slow));
    assert!(of(&noise(5, 640, 1)) < 10.0);
}

/// The splits as the paper has them: every choice of half of the blocks, and each setting's moments on it.
fn plain_splits(returns: &Returns<'_>, blocks: usize) -> Vec<f64> {
    let slices = returns.slices();
    let traded: Vec<usize> =
        (0..returns.settings()).filter(|&setting| returns.of_setting(setting).any(|value| value != 0.0)).collect();
    let sharpes = |is_in: &dyn Fn(usize) -> bool| -> Vec<f64> {
        let of = |&setting: &usize| {
            let values: Vec<f64> = returns
                .of_setting(setting)
                .enumerate()
                .filter(|&(slice, _)| is_in(slice))
                .map(|(_, value)| value)
                .collect();
            Moments::of(values.iter().copied()).sharpe().unwrap_or(0.0)
        };
        traded.iter().map(of).collect()
    };
    let block_of = |slice: usize| (0..blocks).find(|block| slice < (block + 1) * slices / blocks).unwrap();
    let masks = (0..1_u32 << blocks).filter(|mask| mask.count_ones() as usize == blocks / 2);
    let logit = |mask: u32| {
        let chosen = |slice: usize| mask >> block_of(slice) & 1 == 1;
        let (within, outside) = (sharpes(&chosen), sharpes(&|slice| !chosen(slice)));
        let best = within.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Rank 1 is the worst.
        let ranked = ranks(&outside.iter().map(|sharpe| -sharpe).collect::<Vec<_>>());
        let of_best: Vec<f64> = (0..within.len()).filter(|&at| within[at] == best).map(|at| ranked[at]).collect();
        let relative = of_best.iter().sum::<f64>() / of_best.len() as f64 / (within.len() as f64 + 1.0);
        (relative / (1.0 - relative)).ln()
    };
    masks.map(logit).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Sums of blocks, and each pair of halves once, give what every split by itself gives.
    #[test]
    fn sums_of_blocks_agree_with_every_split(
        seed in 0_u64..1_000, settings in 2_usize..6, slices in 12_usize..30, half in 1_usize..4, idle in any::<bool>(),
    ) {
        let mut values = noise(seed, slices, settings);
        if idle {
            values.iter_mut().skip(1).step_by(settings).for_each(|value| *value = 0.0);
        }
        let returns = Returns::new(&values, settings).unwrap();
        let Some(found) = CrossValidation::with_blocks(&returns, 2 * half) else {
            prop_assert!(idle && settings == 2);
            return Ok(());
        };
        let sorted = |mut logits: Vec<f64>| {
            logits.sort_unstable_by(f64::total_cmp);
            logits
        };
        let (found, expected) = (sorted(found.logits), sorted(plain_splits(&returns, 2 * half)));
        prop_assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            prop_assert!((found - expected).abs() < 1e-9, "{} {}", found, expected);
        }
    }

    /// Neither the unit of the profits nor the order of the settings counts, and the same input gives the same bytes.
    #[test]
    fn units_and_order_do_not_count(seed in 0_u64..1_000, settings in 2_usize..6, slices in 20_usize..40, power in -20_i32..20) {
        let values = noise(seed, slices, settings);
        let returns = Returns::new(&values, settings).unwrap();
        let scaled: Vec<f64> = values.iter().map(|value| value * 2_f64.powi(power)).collect();
        let turned: Vec<f64> = values.chunks(settings).flat_map(|row| row.iter().rev().copied()).collect();
        let resampling = Resampling { replicates: 40, seed };
        let judge = |values: &[f64]| {
            let returns = Returns::new(values, settings).unwrap();
            let deflated = Deflated::of(&returns).unwrap();
            let halves = CrossValidation::of(&returns).unwrap();
            let check = RealityCheck::of(&returns, resampling, 1).unwrap();
            (deflated.probability, halves.probability, check.white, check.spa.consistent)
        };
        let found = judge(&values);
        prop_assert_eq!(found, judge(&values));
        prop_assert_eq!(found, judge(&scaled));
        let other = judge(&turned);
        prop_assert!((found.0 - other.0).abs() < 1e-9);
        prop_assert_eq!((found.1, found.2, found.3), (other.1, other.2, other.3));
        prop_assert!([found.0, found.1, found.2, found.3].iter().all(|share| (0.0..=1.0).contains(share)));
        prop_assert_eq!(returns.best().map(|best| settings - 1 - best), Returns::new(&turned, settings).unwrap().best());
    }
}
