//! Whether intervals hold what they say: made-up worlds whose truth is known.
//!
//! A world is a row per second with a ratio of sums as its figure, whose truth is 0: parts that are independent or an
//! autoregression of order one, wholes that vary. An interval of 95 % may hold the truth in 93 to 97 of 100 worlds. The small
//! test runs with the suite; the large one, with ten times the worlds and narrower bounds, by
//! `cargo test --lib coverage -- --ignored`.

use super::blocks::{Cells, residuals};
use super::bootstrap::{BootstrapSettings, interval, resample};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// How the cells of worlds depend on each other, how many there are, and how blocks come about.
#[derive(Clone, Copy, Debug)]
struct Case {
    /// How much of a cell's value goes over into the next one's.
    of_last: f64,
    cells: usize,
    /// Cells in a block; `None` to choose.
    per_block: Option<usize>,
}

const fn case(of_last: f64, cells: usize, per_block: Option<usize>) -> Case {
    Case { of_last, cells, per_block }
}

/// Blocks as long as the dependence asks for: 20, 50 and 200.
const GIVEN: [Case; 6] = [
    case(0.0, 200, Some(10)),
    case(0.0, 500, Some(10)),
    case(0.0, 2_000, Some(10)),
    case(0.6, 600, Some(30)),
    case(0.6, 1_500, Some(30)),
    case(0.6, 6_000, Some(30)),
];

/// Enough time for the blocks that are chosen.
const CHOSEN: [Case; 6] = [
    case(0.0, 200, None),
    case(0.0, 500, None),
    case(0.0, 2_000, None),
    case(0.6, 1_000, None),
    case(0.6, 2_000, None),
    case(0.6, 6_000, None),
];

/// Too little time for most worlds: what is told all the same may not be wrong more often.
const SHORT: [Case; 4] = [case(0.0, 190, None), case(0.6, 200, None), case(0.6, 500, None), case(0.9, 1_000, None)];

/// Parts and wholes per cell.
fn world(case: Case, seed: u64) -> Vec<(f64, f64)> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut unit = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let mut value = 0.0;
    let cell = || {
        value = case.of_last * value + unit() + unit() + unit() - 1.5;
        (value, 1.0 + unit())
    };
    std::iter::repeat_with(cell).skip(100).take(case.cells).collect()
}

/// Shares of worlds with an interval, and of worlds whose interval does not hold 0.
fn shares(case: Case, worlds: u64) -> (f64, f64) {
    let (mut told, mut wrong) = (0_u32, 0_u32);
    for seed in 0..worlds {
        let world = world(case, seed);
        let cells = Cells::new((0..case.cells).map(|row| (0, row as i64 * 1_000_000_000)), 10.0);
        let cells = match case.per_block {
            Some(per_block) => Cells { per_block, ..cells },
            None => cells.chosen(&[residuals(world.iter().copied())]),
        };
        let ratio = |times: &[u32]| {
            let cells =
                world.iter().zip(times).map(|(cell, &times)| (cell.0 * f64::from(times), cell.1 * f64::from(times)));
            let (part, whole) = cells.fold((0.0, 0.0), |sums, cell| (sums.0 + cell.0, sums.1 + cell.1));
            part / whole
        };
        let settings = BootstrapSettings { block_s: None, replicates: 100, seed: 1 };
        let resampled = resample(&cells, settings, 1, ratio);
        let Some(ends) = interval(ratio(&vec![1; case.cells]), resampled, cells.blocks()) else { continue };
        told += 1;
        wrong += u32::from(ends.low > 0.0 || ends.high < 0.0);
    }
    (f64::from(told) / worlds as f64, f64::from(wrong) / worlds as f64)
}

fn assert_coverage(worlds: u64, tolerance: f64) {
    for case in GIVEN.into_iter().chain(CHOSEN) {
        let (told, wrong) = shares(case, worlds);
        assert!(told > 0.9, "{case:?}: {told} of the worlds have an interval");
        let covered = 1.0 - wrong / told;
        assert!((covered - 0.95).abs() <= tolerance, "{case:?}: {covered} of the intervals hold the truth");
    }
    for case in SHORT {
        let (told, wrong) = shares(case, worlds);
        assert!(told < 0.9, "{case:?}: {told} of the worlds have an interval");
        assert!(wrong <= 0.05 + tolerance, "{case:?}: {wrong} of the worlds have an interval without the truth");
    }
}

#[test]
fn intervals_hold_the_truth() {
    assert_coverage(1_000, 0.02);
}

#[test]
#[ignore = "takes a minute of its own: ten times the worlds of the one above; run by cargo test --lib coverage -- --ignored"]
fn intervals_hold_the_truth_in_many_worlds() {
    assert_coverage(10_000, 0.015);
}
