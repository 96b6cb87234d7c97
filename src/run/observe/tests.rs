use super::calibration::ASINH_STEP;
use super::*;
use crate::engine::observation::Evaluation;
use crate::market::book::Level;
use crate::market::units::Scale;
use crate::statistics::labels::Ties;
use crate::statistics::logistic::logit_of;
use crate::statistics::metrics::Ranking;
use proptest::prelude::*;

const SCALE: Scale = Scale { price_decimals: 1, size_decimals: 0 };

fn frame(sequence: u64, stretch: u64, bid_ticks: u64, logit: Option<f64>) -> Observation {
    Observation {
        sequence,
        venue_sequence_num: sequence,
        ts_recv_ns: sequence as i64 * 1_000,
        stretch,
        bid: Level { price_ticks: bid_ticks, size_lots: 3 },
        ask: Level { price_ticks: bid_ticks + 2, size_lots: 1 },
        scale: SCALE,
        evaluation: logit.map(|logit| Evaluation { logit, decided: 0 }),
    }
}

fn collector(horizon: u32) -> Collector {
    Collector::new(&[], logit_of(0.6), horizon)
}

#[test]
fn outcomes_are_settled_at_the_horizon_and_never_over_a_snapshot() {
    let mut collector = collector(2);
    // Bids after frames 0..: evaluations at each; frame 5 begins another stretch.
    for (sequence, (stretch, bid)) in
        [(1, 10), (1, 11), (1, 11), (1, 10), (1, 11), (2, 50), (2, 50), (2, 50)].into_iter().enumerate()
    {
        collector.frame(&frame(sequence as u64, stretch, bid, Some(if bid == 50 { 1.0 } else { -1.0 })));
    }
    let observed = collector.finish();
    let calibration = observed.calibration;
    // 0 → 2 up, 1 → 3 down, 2 → 4 same; 3 and 4 cross the snapshot; 5 → 7 same; 6 and 7 have no horizon.
    assert_eq!(calibration.below, Outcomes { up: 1, down: 1, tied: 1, unknown: 2 });
    assert_eq!(calibration.at_or_above, Outcomes { up: 0, down: 0, tied: 1, unknown: 2 });
    assert_eq!((calibration.evaluations, observed.live_frames, observed.one_sided_frames), (8, 8, 0));
}

#[test]
fn frames_without_evaluation_or_without_a_side_count_as_such() {
    let mut collector = collector(1);
    collector.frame(&frame(0, 1, 10, Some(0.1)));
    let mut one_sided = frame(1, 1, 10, Some(0.2));
    one_sided.ask = Level::default();
    collector.frame(&one_sided);
    collector.frame(&frame(2, 1, 12, None));
    collector.frame(&frame(3, 1, 12, Some(f64::NAN)));
    collector.frame(&frame(4, 1, 12, None));
    let observed = collector.finish();
    assert_eq!(observed.calibration.outcomes, Outcomes { unknown: 2, ..Outcomes::default() });
    assert_eq!((observed.calibration.evaluations, observed.calibration.not_a_number), (3, 1));
    assert_eq!((observed.one_sided_frames, observed.book.frames.len()), (1, 4));
    assert_eq!(observed.calibration.score, Score::default());
}

#[test]
fn nothing_at_all_is_no_number() {
    let observed = collector(20).finish();
    assert_eq!(observed.calibration.score, Score::default());
    assert!(observed.book.mid.is_empty() && observed.calibration.roc().is_empty());
    assert_eq!(observed.features.rows, 0);
}

#[test]
fn welford_agrees_with_two_passes() {
    let mut collector = Collector::new(&["mid".parse().unwrap()], logit_of(0.6), 1);
    let values: Vec<f64> = (0..1000).map(|n| 60_000.0 + f64::from(n % 37) * 0.1).collect();
    values.iter().for_each(|&value| collector.row([value].into_iter()));
    let [feature] = &collector.finish().features.features[..] else { panic!("one feature") };
    let mean = values.iter().sum::<f64>() / 1000.0;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 1000.0;
    assert!((feature.mean.unwrap() - mean).abs() < 1e-9);
    assert!((feature.standard_deviation.unwrap() - variance.sqrt()).abs() < 1e-9);
}

/// A bucket that was not full yet came out as one more than there may be.
#[test]
fn a_bucket_begun_behind_a_full_row_was_one_too_many() {
    for (count, buckets) in [(BUCKETS, BUCKETS), (2 * BUCKETS, BUCKETS), (2 * BUCKETS + 1, BUCKETS / 2 + 1)] {
        let mut collector = collector(1);
        (0..count as u64).for_each(|n| collector.frame(&frame(n, 1, 1_000, None)));
        let book = collector.finish().book;
        assert_eq!((book.mid.len(), book.frames.iter().sum::<u64>()), (buckets, count as u64));
    }
}

proptest! {
    /// Against every pair of frames, and the area under the curve against the exact ranking.
    #[test]
    fn outcomes_and_area_are_those_of_the_frames(
        steps in prop::collection::vec((0..3_u64, -900.0..900.0_f64, prop::bool::weighted(0.02)), 2..300),
        horizon in 1..6_usize,
    ) {
        let mut collector = collector(horizon as u32);
        let (mut bid, mut stretch) = (1_000, 1);
        let mut frames = Vec::new();
        for (sequence, &(step, logit, anew)) in steps.iter().enumerate() {
            bid = bid + step - 1;
            stretch += u64::from(anew);
            // In the middles of bins, so that the bins lose nothing.
            let logit = (((logit.asinh() / ASINH_STEP).floor() + 0.5) * ASINH_STEP).sinh();
            frames.push((stretch, bid, logit));
            collector.frame(&frame(sequence as u64, stretch, bid, Some(logit)));
        }
        let (mut logits, mut signs) = (Vec::new(), Vec::new());
        for (at, &(stretch, bid, logit)) in frames.iter().enumerate() {
            if let Some(&(later_stretch, later_bid, _)) = frames.get(at + horizon) && later_stretch == stretch {
                logits.push(logit);
                signs.push(later_bid.cmp(&bid) as i8);
            }
        }
        let calibration = collector.finish().calibration;
        let count = |sign| signs.iter().filter(|&&s| s == sign).count() as u64;
        prop_assert_eq!(calibration.outcomes, Outcomes {
            up: count(1), down: count(-1), tied: count(0), unknown: (frames.len() - signs.len()) as u64,
        });
        let exact = Ranking::new(&logits, &signs, Ties::Drop).auc(|row| Ties::Drop.weight(signs[row]));
        match calibration.score.auc {
            Some(auc) => prop_assert!((auc - exact).abs() < 1e-12, "{} and {}", auc, exact),
            None => prop_assert!(exact.is_nan()),
        }
        let (below, above) = calibration.split_at(0.6);
        prop_assert_eq!((below, above), (calibration.below, calibration.at_or_above));
    }

    /// No extreme is lost, however many frames share a bucket.
    #[test]
    fn buckets_keep_every_extreme(count in 1..20_000_usize, seed in 0..1_000_u64) {
        let mut collector = collector(1);
        let mids: Vec<u64> = (0..count as u64).map(|n| 1_000 + (n * 7_919 + seed * 104_729) % 613).collect();
        mids.iter().enumerate().for_each(|(n, &bid)| collector.frame(&frame(n as u64, 1, bid, None)));
        let book = collector.finish().book;
        prop_assert!(book.mid.len() <= BUCKETS);
        prop_assert_eq!(book.frames.iter().sum::<u64>(), count as u64);
        let mut at = 0;
        for (bucket, (&frames, &sequence)) in book.frames.iter().zip(&book.sequence).enumerate() {
            prop_assert_eq!(sequence, at as u64);
            if bucket + 1 < book.frames.len() {
                prop_assert_eq!(frames, book.frames_per_bucket);
            }
            let held: Vec<f64> = mids[at..at + frames as usize].iter().map(|&bid| (bid + 1) as f64 / 10.0).collect();
            let Extent { first, min, max, last, mean } = book.mid[bucket];
            prop_assert_eq!((first, last), (held[0], held[held.len() - 1]));
            prop_assert_eq!(min, held.iter().copied().fold(f64::INFINITY, f64::min));
            prop_assert_eq!(max, held.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            prop_assert!((mean - held.iter().sum::<f64>() / frames as f64).abs() < 1e-9);
            at += frames as usize;
        }
    }
}
