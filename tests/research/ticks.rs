//! Features of prices: in the session's ticks whatever the scale becomes, and the same at any price.

use crate::common::{papertrader, succeed};
use crate::support::{csv_table, moving};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Cells of the columns of these names, of a capture's table with a horizon of 2.
fn columns(capture: &Path, features: &str, names: &[&str]) -> Vec<Vec<String>> {
    let table = capture.with_extension("csv");
    succeed(
        papertrader()
            .arg("features")
            .arg(capture)
            .args(["--horizon", "2", "--force", "--features", features, "-o"])
            .arg(&table),
    );
    let (header, cells) = csv_table(&table);
    let place = |name: &&str| header.iter().position(|column| column == name).unwrap();
    let places: Vec<usize> = names.iter().map(place).collect();
    cells.iter().map(|row| places.iter().map(|&at| row[at].clone()).collect()).collect()
}

/// The same market, with a level far off of one decimal more that comes with a frame and goes with the next.
fn with_a_fine_level(folder: &TempDir, capture: &Path, at: usize) -> std::path::PathBuf {
    let text = fs::read_to_string(capture).unwrap();
    let level = |quantity: u32| format!(r#"{{"side":"bid","price_level":"0.001","new_quantity":"{quantity}"}},"#);
    let line = |(number, line): (usize, &str)| match number.checked_sub(at) {
        Some(after @ (0 | 1)) => line.replace(r#""updates":["#, &format!(r#""updates":[{}"#, level(1 - after as u32))),
        _ => line.to_owned(),
    };
    let path = folder.path().join("fine.l2");
    fs::write(&path, text.lines().enumerate().map(line).collect::<Vec<_>>().join("\n") + "\n").unwrap();
    path
}

/// `spread_ticks` went from 1 to 10 with such a level, and stayed there.
#[test]
fn a_finer_scale_changes_neither_features_nor_labels() {
    let folder = tempfile::tempdir().unwrap();
    let frames = |from: u32| (0..200).map(move |number: u32| (from + number / 7 % 3, 1 + number % 5));
    let plain = moving(&folder, "plain.l2", 0, frames(10_000), "A-USD");
    let fine = with_a_fine_level(&folder, &plain, 50);
    let features = "spread_ticks,bid_minus_ask,microprice_minus_mid,mid,mid_return_3,ofi_1_3";
    let names: Vec<&str> =
        features.split(',').chain(["price_decimals", "mid_ticks", "mid_change_ticks", "label"]).collect();
    let (of_plain, of_fine) = (columns(&plain, features, &names), columns(&fine, features, &names));
    assert_eq!(of_plain.len(), 197);
    assert!(of_plain == of_fine);
    assert!(of_fine.iter().all(|row| row[0] == "1.0" && row[6] == "2"));

    // Both are of one tick, and go together.
    let later = moving(&folder, "later.l2", 1 << 40, frames(10_000), "A-USD");
    let table = folder.path().join("both.csv");
    let mut both = papertrader();
    both.arg("features").arg(&fine).arg(&later).args(["--features", "spread_ticks", "-o"]).arg(&table);
    succeed(&mut both);
    assert_eq!(csv_table(&table).1.len(), 400);
}

/// The spread was one tick in all frames and had two values as a difference of floats: the model was scaled by 3e-14, and gave
/// the same market at another price any probability.
#[test]
fn a_market_at_another_price_is_the_same_market() {
    let folder = tempfile::tempdir().unwrap();
    let frames = |from: u32| (0..600).map(move |number: u32| (from + number * number / 7 % 3, 1 + number % 5));
    let low = moving(&folder, "low.l2", 0, frames(100_000), "A-USD");
    let high = moving(&folder, "high.l2", 0, frames(6_100_000), "A-USD");
    let features = "bid_minus_ask,imbalance_1,spread_ticks,microprice_minus_mid";
    let names: Vec<&str> = features.split(',').collect();
    let (of_low, of_high) = (columns(&low, features, &names), columns(&high, features, &names));
    assert!(of_low == of_high);
    assert!(of_low.iter().all(|row| row[0] == "-0.01"));

    let model = folder.path().join("m.json");
    let shown = succeed(
        papertrader().arg("train").arg(&low).args(["--features", features, "--resamples", "100", "-o"]).arg(&model),
    );
    assert!(shown.contains("    +0.000000  bid_minus_ask\n"), "{shown}");
    let model: Value = serde_json::from_str(&fs::read_to_string(&model).unwrap()).unwrap();
    let report: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("m.report.json")).unwrap()).unwrap();
    for (at, name) in [(0, "bid_minus_ask"), (2, "spread_ticks")] {
        assert_eq!((&model["coefficients"][at], &model["scale"][at]), (&0.0.into(), &1.0.into()), "{name}");
        let said = format!("feature {name} is constant in the training part; its weight is 0");
        assert!(report["warnings"].as_array().unwrap().contains(&said.into()), "{}", report["warnings"]);
    }
}
