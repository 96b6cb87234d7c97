use super::*;
use proptest::prelude::*;

/// By the textbook: shares with their floor, one by one.
fn plain_psi(trained: &[u64], seen: &[u64]) -> f64 {
    let shares = |counts: &[u64]| -> Vec<f64> {
        let rows: f64 = counts.iter().map(|&count| count as f64).sum();
        counts.iter().map(|&count| (count as f64 / rows).max(1e-4)).collect()
    };
    shares(trained).iter().zip(shares(seen)).map(|(p, q)| (q - p) * (q / p).ln()).sum()
}

#[test]
fn the_index_is_that_of_a_calculation_by_hand() {
    // 0.1 · ln(0.6 / 0.5) + 0.1 · ln(0.5 / 0.4).
    let by_hand = 0.1 * 1.2_f64.ln() + 0.1 * 1.25_f64.ln();
    let found = psi(&[50, 50], &[60, 40]).unwrap();
    assert!((found - by_hand).abs() < 1e-12 && (by_hand - 0.040_546_510_810_816_44).abs() < 1e-15, "{found}");
    // An empty bin has a share of 1 in 10,000: 0.4999 · ln(0.5 / 0.0001) + 0.5 · ln(2).
    let empty = psi(&[5, 5], &[0, 10]).unwrap();
    assert!((empty - (0.4999 * 5000_f64.ln() + 0.5 * 2_f64.ln())).abs() < 1e-12, "{empty}");
    assert_eq!((psi(&[0, 0], &[1, 2]), psi(&[1, 2], &[0, 0])), (None, None));
}

#[test]
fn deciles_of_discrete_values_keep_their_true_shares() {
    // Six zeros, three ones, a two: one edge below the common lowest value, and none twice.
    let mut values = [0.0, 1.0, 0.0, 2.0, 0.0, 1.0, 0.0, -0.0, 1.0, 0.0];
    let edges = decile_edges(&mut values);
    assert_eq!(edges, [(-0.0_f64).next_down(), 0.0, 1.0]);
    let mut profile = Profile::new(edges.clone(), vec![edges], 1);
    values.iter().for_each(|&value| profile.add(value, std::iter::once(value)));
    let trained = profile.finish();
    assert_eq!((&trained.score.counts, &trained.features[0].counts), (&vec![0, 6, 3, 1], &vec![0, 6, 3, 1]));
    assert_eq!([-1.0, 0.0, 0.5, 1.0, 9.0].map(|value| trained.score.bin(value)), [0, 1, 2, 2, 3]);
    // What never moved in training is seen to move either way.
    assert_eq!(decile_edges(&mut [7.0; 20]), [7.0_f64.next_down(), 7.0]);
    assert!(decile_edges(&mut []).is_empty());
}

#[test]
fn stretches_of_the_training_are_the_reference() {
    // Four stretches of the shortest length; the last one is of another kind.
    let rows = 4 * WINDOW_ROWS;
    let value = |row: u64| if row < 3 * WINDOW_ROWS { (row % 10) as f64 } else { 9.0 };
    let mut all: Vec<f64> = (0..rows).map(value).collect();
    let edges = decile_edges(&mut all);
    let mut profile = Profile::new(edges.clone(), vec![edges], 16);
    (0..rows).for_each(|row| profile.add(value(row), std::iter::once(value(row))));
    let trained = profile.finish();
    assert_eq!((trained.rows, &trained.window_rows), (rows, &vec![WINDOW_ROWS, 2 * WINDOW_ROWS]));
    let largest = |length: u64| {
        let stretches = (0..rows / length).map(|at| {
            let mut seen = vec![0; trained.score.counts.len()];
            (at * length..(at + 1) * length).for_each(|row| seen[trained.score.bin(value(row))] += 1);
            psi(&trained.score.counts, &seen).unwrap()
        });
        stretches.fold(0.0, f64::max)
    };
    assert_eq!(trained.score.psi_max, [largest(WINDOW_ROWS), largest(2 * WINDOW_ROWS)]);
    // One row in sixteen: even values alone where all go round.
    assert!(trained.features[0].psi_max[0] > trained.score.psi_max[0] * 0.5);
    for (rows, length) in
        [(1, None), (WINDOW_ROWS - 1, None), (WINDOW_ROWS, Some(0)), (3 * WINDOW_ROWS, Some(1)), (u64::MAX, Some(1))]
    {
        assert_eq!(trained.length_for(rows), length);
    }
}

#[test]
fn what_is_wrong_with_a_distribution_is_named() {
    let bins = TrainedBins { edges: vec![0.0, 1.0], counts: vec![1, 0, 2], psi_max: vec![0.5] };
    let good = TrainingDistribution { rows: 3, window_rows: vec![2_048], score: bins.clone(), features: vec![bins] };
    assert_eq!(good.fault(1), None);
    let with = |change: fn(&mut TrainingDistribution)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad.fault(1).unwrap()
    };
    assert_eq!(good.fault(2).unwrap(), "features has 1 entries for 2 features");
    assert_eq!(with(|bad| bad.window_rows = vec![0]), "window_rows do not ascend");
    assert_eq!(
        with(|bad| bad.window_rows = vec![1, 2]),
        "features[0].psi_max has 1 entries for 2 lengths of window_rows"
    );
    assert_eq!(with(|bad| bad.score.edges = vec![1.0, 1.0]), "score.edges do not ascend");
    assert_eq!(with(|bad| bad.score.edges = vec![0.0; 11]), "score.edges has 11 entries; it has at most 10");
    assert_eq!(with(|bad| bad.score.edges = vec![f64::NAN]), "score.edges do not ascend");
    assert_eq!(with(|bad| bad.score.counts = vec![1]), "score.counts has 1 entries for 2 edges; it has one more");
    let none = "counts counts no rows, or more than any training has";
    assert_eq!(with(|bad| bad.features[0].counts = vec![0; 3]), format!("features[0].{none}"));
    assert_eq!(with(|bad| bad.features[0].counts[1] = u64::MAX), format!("features[0].{none}"));
    assert_eq!(with(|bad| bad.features[0].psi_max = vec![-1.0]), "features[0].psi_max has one below 0");
}

proptest! {
    /// Against the textbook, and by what such an index has to be.
    #[test]
    fn the_index_is_that_of_the_textbook(
        (trained, seen) in (1..12_usize).prop_flat_map(|bins| {
            (prop::collection::vec(0..1_000_u64, bins), prop::collection::vec(0..1_000_u64, bins))
        }),
    ) {
        let Some(found) = psi(&trained, &seen) else {
            prop_assert!(trained.iter().sum::<u64>() == 0 || seen.iter().sum::<u64>() == 0);
            return Ok(());
        };
        prop_assert!((found - plain_psi(&trained, &seen)).abs() < 1e-9);
        prop_assert!(found >= 0.0);
        prop_assert_eq!(psi(&seen, &trained), Some(found));
        prop_assert_eq!(psi(&seen, &seen), Some(0.0));
        // Twice the rows are the same shares.
        let twice: Vec<u64> = seen.iter().map(|count| 2 * count).collect();
        prop_assert_eq!(psi(&trained, &twice), Some(found));
    }

    /// Whatever the values, tenths hold about a tenth unless values are common, and every bin edge is one of them.
    #[test]
    fn edges_are_ranks(values in prop::collection::vec(-50..50_i32, 1..400)) {
        let mut values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let edges = decile_edges(&mut values);
        prop_assert!(edges.is_sorted_by(|a, b| a < b) && edges.len() <= 10);
        let own = edges.iter().filter(|edge| values.contains(edge)).count();
        prop_assert!(edges.len() - own <= 1);
        for tenth in 1..10 {
            let rank = (values.len() * tenth).div_ceil(10);
            // The smallest value that so many do not pass.
            let decile = values.iter().copied().find(|&value| values.iter().filter(|&&other| other <= value).count() >= rank);
            prop_assert!(edges.contains(&decile.unwrap()));
        }
    }

    /// However often windows merge, nothing is lost and they are all alike.
    #[test]
    fn windows_hold_every_row_once(rows in prop::collection::vec(0..4_usize, 0..900), half in 1..5_usize, length in 1..7_u64) {
        let mut windows = Windows::new(2 * half, length, 4);
        rows.iter().for_each(|&place| windows.add(std::iter::once(place)));
        let width = windows.rows_per_window() as usize;
        prop_assert!(width.is_multiple_of(length as usize) && (width / length as usize).is_power_of_two());
        let found: Vec<&[u64]> = windows.full().iter().map(Vec::as_slice).chain(windows.begun()).collect();
        prop_assert!(found.len() <= 2 * half && (width == length as usize || found.len() > half));
        prop_assert_eq!(found.len(), rows.len().div_ceil(width));
        for (window, rows) in found.iter().zip(rows.chunks(width)) {
            for place in 0..4 {
                prop_assert_eq!(window[place], rows.iter().filter(|&&row| row == place).count() as u64);
            }
        }
        prop_assert_eq!(windows.total().iter().sum::<u64>(), rows.len() as u64);
    }
}
