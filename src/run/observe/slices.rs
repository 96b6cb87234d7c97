//! Areas under the ROC curve over time, in a bounded number of slices, and the intervals that follow from them.
//!
//! A slice is equally many successive evaluations with a known outcome, a horizon's worth at first; when all slices are used,
//! neighbours merge in pairs. What a slice adds to the area is known from its *placements* (DeLong, DeLong and Clarke-Pearson
//! 1988): for each rise the share of all falls that were ranked below it, for each fall the share of all rises ranked above
//! it, half of those ranked equal. The area is the mean of either, and to first order a resample's area is the sum of both
//! means less the area (Obuchowski 1997, for clusters). Slices are then drawn in blocks as `statistics::bootstrap` draws cells.
//!
//! A block is at least ten horizons long, and twice as long as the dependence between finer cells asks for, by the same ratios
//! of sums as in `research`: mean loss, share of rises, and share of rises from the threshold on.

use crate::statistics::blocks::{Cells, HORIZONS_PER_BLOCK, residuals};
use crate::statistics::bootstrap::{BootstrapSettings, Interval, interval, resample};
use serde::{Deserialize, Serialize};

/// The most slices; a power of two. Between half as many and all of them are used, enough for blocks of ten horizons to be at
/// least twenty as soon as a run has two hundred horizons.
pub const SLICES: usize = 128;
const _: () = assert!(SLICES.is_power_of_two(), "slices merge in pairs");
/// The most cells that dependence is looked for in; a power of two.
pub const CELLS: usize = 2_048;
const _: () = assert!(CELLS.is_power_of_two() && CELLS >= SLICES, "cells merge in pairs, and are finer than slices");
/// Resamples, and which.
const REPLICATES: u32 = 1_000;
const SEED: u64 = 1;

/// Up and down of a bin.
pub(super) type Pair = (u64, u64);

/// A bin that is not empty, and its up and down.
type Row = (u32, u32, u32);

/// Sums of placements by slice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Placements {
    /// Over rises: the share of all falls that scored lower, half of those that scored the same.
    pub up: Vec<f64>,
    /// Over falls: the share of all rises that scored higher, half of those that scored the same.
    pub down: Vec<f64>,
}

/// Successive evaluations with a known outcome, a column per quantity; all columns are equally long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slices {
    /// Evaluations in each slice but the last.
    pub evaluations_per_slice: u64,
    /// Rises.
    pub up: Vec<u64>,
    /// Falls.
    pub down: Vec<u64>,
    /// By the model's logit.
    pub model: Placements,
    /// By `imbalance_1`.
    pub imbalance_1: Placements,
}

/// 95 % intervals of areas under the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AucIntervals {
    /// Whole blocks, side by side, with an evaluation after which the mid moved. Below twenty there is no interval.
    pub blocks: usize,
    /// Evaluations with a known outcome in a block.
    pub evaluations_per_block: u64,
    /// So many are asked for by the horizon, ten of which it lasts at least, and by dependence.
    pub evaluations_needed: u64,
    /// Resamples.
    pub replicates: u32,
    /// Decides which.
    pub seed: u64,
    /// Of the model.
    pub auc: Option<Interval>,
    /// Of `imbalance_1` alone.
    pub imbalance_1_auc: Option<Interval>,
    /// Of the model's area less that of `imbalance_1`.
    pub difference: Option<Interval>,
}

/// Fills slices. By score, the model's and then the rival's: at most [`SLICES`] lists of no more rows than there are bins, nor
/// than a slice has evaluations.
#[derive(Debug)]
pub(super) struct Slicer {
    dependence: Dependence,
    per_slice: u64,
    in_current: u64,
    current: [Vec<(u32, u32)>; 2],
    full: Vec<[Vec<Row>; 2]>,
}

impl Slicer {
    /// For a horizon in updates, at least 1, and so many bins of logits and of imbalances.
    pub fn new(horizon: u32, bins: [usize; 2]) -> Self {
        let horizon = u64::from(horizon);
        let current = bins.map(|bins| vec![(0, 0); bins]);
        let dependence = Dependence::new(horizon);
        Self { dependence, per_slice: horizon, in_current: 0, current, full: Vec::with_capacity(SLICES) }
    }

    /// Counts an evaluation in its two bins. `reached` is whether it reached the threshold.
    #[inline]
    pub fn add(&mut self, bins: [usize; 2], sign: i8, logit: f64, reached: bool) {
        self.dependence.add(sign, logit, reached);
        for (current, bin) in self.current.iter_mut().zip(bins) {
            let (up, down) = &mut current[bin];
            *up = up.saturating_add(u32::from(sign > 0));
            *down = down.saturating_add(u32::from(sign < 0));
        }
        self.in_current += 1;
        if self.in_current == self.per_slice {
            self.close();
        }
    }

    #[cold]
    fn close(&mut self) {
        if self.full.len() == SLICES {
            // The current one is half a slice then.
            return self.merge();
        }
        let rows = self.current.each_mut().map(|bins| {
            let filled = bins.iter().enumerate().filter(|(_, (up, down))| up + down > 0);
            let rows = filled.map(|(bin, &(up, down))| (bin as u32, up, down)).collect();
            bins.fill((0, 0));
            rows
        });
        self.full.push(rows);
        self.in_current = 0;
    }

    fn merge(&mut self) {
        let mut pairs = std::mem::take(&mut self.full).into_iter();
        self.full.reserve(SLICES);
        while let (Some(mut first), Some(second)) = (pairs.next(), pairs.next()) {
            for (rows, later) in first.iter_mut().zip(second) {
                *rows = merged(rows, &later);
            }
            self.full.push(first);
        }
        self.per_slice *= 2;
    }

    /// The slices, and what they say; `totals` are all counts by bin of each score, the lowest first.
    pub fn finish(mut self, totals: [&[Pair]; 2]) -> (Slices, AucIntervals) {
        if self.in_current > 0 {
            if self.full.len() == SLICES {
                self.merge();
            }
            self.close();
        }
        let by_score: Vec<Columns> = (0..2)
            .map(|score| columns(self.full.iter().map(|slice| &slice[score][..]), &Ranks::of(totals[score])))
            .collect();
        let [model, imbalance_1] = [0, 1].map(|score: usize| by_score[score].placements.clone());
        let Columns { up, down, .. } = by_score.into_iter().next().unwrap_or_default();
        let slices = Slices { evaluations_per_slice: self.per_slice, up, down, model, imbalance_1 };
        let intervals = slices.intervals(self.dependence.evaluations_needed());
        (slices, intervals)
    }
}

/// Two lists of rows as one.
fn merged(first: &[Row], second: &[Row]) -> Vec<Row> {
    let mut rows = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.iter().peekable(), second.iter().peekable());
    loop {
        let row = match (first.peek(), second.peek()) {
            (Some(&&(a, up, down)), Some(&&(b, more_up, more_down))) if a == b => {
                first.next();
                second.next();
                (a, up.saturating_add(more_up), down.saturating_add(more_down))
            }
            (Some(a), Some(b)) if a.0 > b.0 => *second.next().expect("peeked"),
            (Some(_), _) => *first.next().expect("peeked"),
            (None, Some(_)) => *second.next().expect("peeked"),
            (None, None) => break,
        };
        rows.push(row);
    }
    rows.shrink_to_fit();
    rows
}

/// Shares of all falls below a bin, and of all rises above it, half of the bin's own included.
struct Ranks(Vec<(f64, f64)>);

impl Ranks {
    fn of(totals: &[Pair]) -> Self {
        let (ups, downs) = totals.iter().fold((0, 0), |sums, pair| (sums.0 + pair.0, sums.1 + pair.1));
        let (mut ups_so_far, mut downs_so_far) = (0, 0);
        let ranks = totals.iter().map(|&(up, down)| {
            let (above, below) = (ups - ups_so_far - up, downs_so_far);
            (ups_so_far, downs_so_far) = (ups_so_far + up, downs_so_far + down);
            let share = |whole: u64, part: u64, all: u64| {
                if all == 0 { 0.0 } else { (whole as f64 + part as f64 / 2.0) / all as f64 }
            };
            (share(below, down, downs), share(above, up, ups))
        });
        Self(ranks.collect())
    }
}

#[derive(Default)]
struct Columns {
    up: Vec<u64>,
    down: Vec<u64>,
    placements: Placements,
}

fn columns<'a>(slices: impl Iterator<Item = &'a [Row]>, Ranks(ranks): &Ranks) -> Columns {
    let mut columns = Columns::default();
    for rows in slices {
        let (mut counts, mut sums) = ((0, 0), (0.0, 0.0));
        for &(bin, up, down) in rows {
            let (below, above) = ranks[bin as usize];
            counts = (counts.0 + u64::from(up), counts.1 + u64::from(down));
            sums = (sums.0 + f64::from(up) * below, sums.1 + f64::from(down) * above);
        }
        columns.up.push(counts.0);
        columns.down.push(counts.1);
        columns.placements.up.push(sums.0);
        columns.placements.down.push(sums.1);
    }
    columns
}

impl Slices {
    /// Intervals by blocks of at least so many evaluations.
    fn intervals(&self, evaluations_needed: u64) -> AucIntervals {
        let count = self.up.len();
        let shortest = evaluations_needed.div_ceil(self.evaluations_per_slice.max(1));
        let scores = [&self.model, &self.imbalance_1];
        let cells = Cells::of_rows(count, shortest as usize).chosen(&[]);
        let blocks = cells.blocks_with(|slice| self.up[slice] + self.down[slice] > 0);
        let settings = BootstrapSettings { block_s: None, replicates: REPLICATES, seed: SEED };
        let once = vec![1; count];
        let areas = scores.map(|placements| self.both_means(placements, &once) / 2.0);
        let resampled = resample(&cells, settings, 1, |times| {
            [0, 1].map(|score| self.both_means(scores[score], times) - areas[score])
        });
        let of = |figure: f64, value: &dyn Fn(&[f64; 2]) -> f64, range: (f64, f64)| {
            let interval = interval(figure, resampled.iter().map(value).collect(), blocks);
            interval.map(|interval| interval.within(range))
        };
        AucIntervals {
            blocks,
            evaluations_per_block: cells.per_block as u64 * self.evaluations_per_slice,
            evaluations_needed,
            replicates: REPLICATES,
            seed: SEED,
            auc: of(areas[0], &|areas| areas[0], (0.0, 1.0)),
            imbalance_1_auc: of(areas[1], &|areas| areas[1], (0.0, 1.0)),
            difference: of(areas[0] - areas[1], &|areas| areas[0] - areas[1], (-1.0, 1.0)),
        }
    }

    /// Mean placement of rises plus that of falls, over the slices as often as `times` says: twice the area over all of them.
    /// NaN without rises or without falls.
    fn both_means(&self, placements: &Placements, times: &[u32]) -> f64 {
        let mean = |sums: &[f64], counts: &[u64]| {
            let drawn = sums.iter().zip(counts).zip(times);
            let (sum, count) = drawn.fold((0.0, 0.0), |(sum, count), ((placed, evaluations), &times)| {
                (sum + f64::from(times) * placed, count + f64::from(times) * *evaluations as f64)
            });
            sum / count
        };
        mean(&placements.up, &self.up) + mean(&placements.down, &self.down)
    }
}

/// Parts and wholes of mean loss, share of rises, and share of rises from the threshold on, over successive evaluations.
type Ratios = [(f64, f64); 3];

fn joined(first: Ratios, second: Ratios) -> Ratios {
    std::array::from_fn(|at| (first[at].0 + second[at].0, first[at].1 + second[at].1))
}

/// Fills cells of a horizon's worth of evaluations, which merge in pairs when all are used.
#[derive(Debug)]
struct Dependence {
    horizon: u64,
    per_cell: u64,
    in_current: u64,
    current: Ratios,
    full: Vec<Ratios>,
}

impl Dependence {
    fn new(horizon: u64) -> Self {
        let full = Vec::with_capacity(CELLS);
        Self { horizon, per_cell: horizon, in_current: 0, current: Ratios::default(), full }
    }

    #[inline]
    fn add(&mut self, sign: i8, logit: f64, reached: bool) {
        if sign != 0 {
            let up = f64::from(u8::from(sign > 0));
            // −ln of the probability of what happened.
            let loss = (-logit.abs()).exp().ln_1p() + if sign > 0 { -logit } else { logit }.max(0.0);
            let of_reached = if reached { (up, 1.0) } else { (0.0, 0.0) };
            self.current = joined(self.current, [(loss, 1.0), (up, 1.0), of_reached]);
        }
        self.in_current += 1;
        if self.in_current == self.per_cell {
            self.close();
        }
    }

    #[cold]
    fn close(&mut self) {
        if self.full.len() == CELLS {
            for at in 0..CELLS / 2 {
                self.full[at] = joined(self.full[2 * at], self.full[2 * at + 1]);
            }
            self.full.truncate(CELLS / 2);
            self.per_cell *= 2;
            // The current one is half a cell now.
            return;
        }
        self.full.push(std::mem::take(&mut self.current));
        self.in_current = 0;
    }

    /// How long a block must be.
    fn evaluations_needed(mut self) -> u64 {
        let shortest = HORIZONS_PER_BLOCK * self.horizon;
        if self.in_current > 0 {
            if self.full.len() == CELLS {
                self.close();
            }
            self.close();
        }
        let cells = Cells::of_rows(self.full.len(), shortest.div_ceil(self.per_cell) as usize);
        let series = [0, 1, 2].map(|ratio: usize| residuals(self.full.iter().map(|ratios| ratios[ratio])));
        (cells.needed(&series) as u64 * self.per_cell).max(shortest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::blocks::{BLOCKS_MAX, BLOCKS_MIN};
    use proptest::prelude::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    const BINS: [usize; 2] = [100, 7];

    /// All evaluations in slices.
    fn sliced(horizon: u32, evaluations: &[([usize; 2], i8)]) -> (Slices, AucIntervals) {
        let mut slicer = Slicer::new(horizon, BINS);
        let mut totals = BINS.map(|bins| vec![(0, 0); bins]);
        for &(bins, sign) in evaluations {
            let logit = bins[0] as f64 / 20.0 - 2.5;
            slicer.add(bins, sign, logit, logit >= 1.0);
            for (totals, bin) in totals.iter_mut().zip(bins) {
                totals[bin].0 += u64::from(sign > 0);
                totals[bin].1 += u64::from(sign < 0);
            }
        }
        slicer.finish([&totals[0], &totals[1]])
    }

    /// Every pair of a rise and a fall, one by one.
    fn area_by_pairs(evaluations: &[([usize; 2], i8)], score: usize) -> f64 {
        let of =
            |wanted: i8| evaluations.iter().filter(move |(_, sign)| *sign == wanted).map(move |(bins, _)| bins[score]);
        let (mut wins, mut pairs) = (0.0, 0.0);
        for (up, down) in of(1).flat_map(|up| of(-1).map(move |down| (up, down))) {
            pairs += 1.0;
            wins += if up > down { 1.0 } else { f64::from(u8::from(up == down)) / 2.0 };
        }
        wins / pairs
    }

    proptest! {
        /// However often slices have merged, their placements add up to the area, and nothing is lost.
        #[test]
        fn slices_hold_every_evaluation_once(
            evaluations in prop::collection::vec(((0..100_usize, 0..7_usize), -1..=1_i8), 0..1_500),
            horizon in 1..4_u32,
        ) {
            let evaluations: Vec<_> = evaluations.into_iter().map(|((a, b), sign)| ([a, b], sign)).collect();
            let (slices, _) = sliced(horizon, &evaluations);
            let per_slice = slices.evaluations_per_slice as usize;
            prop_assert!(slices.up.len() <= SLICES && slices.up.len() == evaluations.len().div_ceil(per_slice));
            prop_assert!(per_slice == horizon as usize || slices.up.len() > SLICES / 2);
            for (at, part) in evaluations.chunks(per_slice).enumerate() {
                let count = |wanted: i8| part.iter().filter(|(_, sign)| *sign == wanted).count() as u64;
                prop_assert_eq!((slices.up[at], slices.down[at]), (count(1), count(-1)));
            }
            let all = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
            for (score, Placements { up, down }) in [&slices.model, &slices.imbalance_1].into_iter().enumerate() {
                let area = area_by_pairs(&evaluations, score);
                for found in [up.iter().sum::<f64>() / all(&slices.up), down.iter().sum::<f64>() / all(&slices.down)] {
                    prop_assert!((found - area).abs() < 1e-9 || area.is_nan(), "{} and {}", found, area);
                }
            }
        }
    }

    /// A market whose mid goes by independent steps, and a score that knows a part of the next ten and errs slowly: labels
    /// overlap, and errors last. The other score knows less.
    fn world(seed: u64, evaluations: usize) -> Vec<([usize; 2], i8)> {
        const AHEAD: usize = 10;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut unit = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
        let steps: Vec<f64> = (0..evaluations + AHEAD).map(|_| unit()).collect();
        let (mut error, mut other) = (0.0, 0.0);
        let rows = steps.windows(AHEAD).take(evaluations).map(|ahead| {
            let change: f64 = ahead.iter().sum();
            error = 0.9 * error + unit();
            other = 0.9 * other + unit();
            let bin =
                |score: f64, bins: usize| ((score / 4.0 + 0.5) * bins as f64).clamp(0.0, bins as f64 - 1.0) as usize;
            (
                [bin(0.7 * change + error, BINS[0]), bin(0.3 * change + other, BINS[1])],
                if change > 0.0 { 1 } else { -1 },
            )
        });
        rows.collect()
    }

    /// 95 of 100 intervals hold the truth, that of the difference too; those for independent evaluations hold it far less often.
    #[test]
    fn intervals_hold_the_truth() {
        const WORLDS: u64 = 400;
        let area = |evaluations: &[([usize; 2], i8)], score: usize| {
            let (slices, _) = sliced(10, evaluations);
            let placements = [&slices.model, &slices.imbalance_1][score];
            placements.up.iter().sum::<f64>() / slices.up.iter().sum::<u64>() as f64
        };
        let long = world(1_000_000, 2_000_000);
        let truth = [0, 1].map(|score| area(&long, score));
        assert!(truth[0] > truth[1] + 0.05 && truth[1] > 0.55, "{truth:?}");
        for evaluations in [3_000, 12_000] {
            let (mut told, mut held) = (0.0, [0.0; 3]);
            let mut as_if_independent = 0.0;
            for seed in 0..WORLDS {
                let (slices, intervals) = sliced(10, &world(seed, evaluations));
                assert!(intervals.blocks <= BLOCKS_MAX && intervals.evaluations_per_block >= 100, "{intervals:?}");
                assert_eq!(intervals.auc.is_some(), intervals.blocks >= BLOCKS_MIN);
                // Where little time shows much dependence there is none.
                told += f64::from(u8::from(intervals.auc.is_some()));
                let found = [intervals.auc, intervals.imbalance_1_auc, intervals.difference];
                for (held, (ends, truth)) in
                    held.iter_mut().zip(found.iter().zip([truth[0], truth[1], truth[0] - truth[1]]))
                {
                    *held += f64::from(u8::from(ends.is_some_and(|ends| ends.low <= truth && truth <= ends.high)));
                }
                // Hanley and McNeil 1982.
                let a = area(&world(seed, evaluations), 0);
                let [ups, downs] = [&slices.up, &slices.down].map(|counts| counts.iter().sum::<u64>() as f64);
                let (q1, q2) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
                let variance =
                    (a * (1.0 - a) + (ups - 1.0) * (q1 - a * a) + (downs - 1.0) * (q2 - a * a)) / (ups * downs);
                as_if_independent += f64::from(u8::from((a - truth[0]).abs() < 1.96 * variance.sqrt())) / WORLDS as f64;
            }
            assert!(told > 0.8 * WORLDS as f64, "{told}");
            let shares = held.map(|held: f64| held / told);
            assert!(shares.iter().all(|share| (0.92..=0.985).contains(share)), "{evaluations}: {shares:?}");
            assert!(as_if_independent < 0.8, "{as_if_independent}");
        }
    }

    #[test]
    fn short_runs_have_no_interval() {
        let (_, intervals) = sliced(10, &world(1, 1_900));
        assert!(intervals.blocks < BLOCKS_MIN && intervals.auc.is_none() && intervals.difference.is_none());
        // Nothing at all, and a horizon that is longer than everything.
        for (slices, intervals) in [sliced(1, &[]), sliced(100_000, &world(1, 50_000))] {
            assert!(slices.up.len() <= 1);
            assert_eq!((intervals.blocks, intervals.auc), (0, None));
        }
        // Rises alone have no area.
        let rises: Vec<_> = (0..5_000).map(|at| ([at % 100, 0], 1)).collect();
        assert_eq!(sliced(1, &rises).1.auc, None);
    }
}
