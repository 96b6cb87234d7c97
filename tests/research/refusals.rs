//! What research refuses, and what it leaves when it is interrupted.

use crate::common::{fail, papertrader, succeed};
use crate::support::{THIN_FEATURES, moving, synthetic};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn bad_input_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("m.json");
    let train = |captures: &[&PathBuf], more: &[&str]| {
        let (code, message) =
            fail(papertrader().arg("train").args(captures).arg("-o").arg(&out).args(["--resamples", "100"]).args(more));
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(!out.exists());
        (code, message)
    };
    let jumping = |number: u32| (10_000 + number / 7 % 3, 1 + number % 5);
    let good = moving(&folder, "good.l2", 0, (0..2_000).map(jumping), "A-USD");

    let short = moving(&folder, "short.l2", 0, (0..90).map(jumping), "A-USD");
    let (code, message) = train(&[&short], &THIN_FEATURES);
    assert_eq!(code, 2);
    assert!(message.starts_with("error: too few rows: ") && message.ends_with("; 100 are needed"), "{message}");

    let rising = moving(&folder, "rising.l2", 0, (0..2_000).map(|number| (10_000 + number, 1 + number % 5)), "A-USD");
    let (code, message) = train(&[&rising], &THIN_FEATURES);
    assert_eq!(code, 2);
    assert!(message.starts_with("error: one class only: the mid goes up after every one of the "), "{message}");

    let (code, message) = train(&[&good], &["--features", "ask_size_1"]);
    assert_eq!(code, 2);
    assert!(message.starts_with("error: every feature is constant over the "), "{message}");

    // A side with too few levels gives no row, and all of them none at all.
    let (code, message) = train(&[&good], &[]);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        "error: no frame has features: of 2000 frames 2000 left the book live, 2000 of these with fewer levels than the \
         features look at and 0 with fewer updates than they look back on"
    );

    let other = moving(&folder, "other.l2", 1 << 40, (0..200).map(jumping), "B-USD");
    let (code, message) = train(&[&good, &other], &THIN_FEATURES);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        format!(
            "error: the captures are of different products: {} holds A-USD, {} does not; name the product with --product, or \
             leave that capture out",
            good.display(),
            other.display()
        )
    );

    let coarse = moving(&folder, "coarse.l2", 1 << 40, (0..200).map(|n| (10_000 + 10 * (n / 7 % 3), 1)), "A-USD");
    let text = fs::read_to_string(&coarse).unwrap().replace("100.01", "100.10").replace("100.11", "100.20");
    fs::write(&coarse, text.replace("100.21", "100.30")).unwrap();
    let (code, message) = train(&[&good, &coarse], &THIN_FEATURES);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        format!(
            "error: the captures have different ticks: {} has 2 decimals in its prices, {} has 1; give the product's \
             --tick-size if they are of one market",
            good.display(),
            coarse.display()
        )
    );

    let (code, message) = train(&[&good], &["--features", "imbalance_1", "--horizon", "2000"]);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        "error: the horizon of 2000 updates is longer than the captures: the longest stretch with a live book has 2000 frames"
    );

    let overlapping = moving(&folder, "overlapping.l2", 19_000_000_000, (0..2_000).map(jumping), "A-USD");
    let test = overlapping.display().to_string();
    let (code, message) = train(&[&good], &["--features", "imbalance_1", "--test", &test]);
    assert_eq!(code, 2);
    assert_eq!(
        message,
        format!(
            "error: the test capture {test} overlaps the training capture {} in time: the model would be tested on what it \
             has seen; give --allow-overlap if that is meant",
            good.display()
        )
    );
    let (code, message) = train(&[&good, &overlapping], &THIN_FEATURES);
    assert_eq!(code, 2);
    assert!(message.contains(" overlap in time, so that the same rows would count twice"), "{message}");

    // Told, it goes.
    let told = ["--test", &test, "--allow-overlap", "--features", "imbalance_1,ask_size_1", "--resamples", "100"];
    let report = succeed(papertrader().arg("train").arg(&good).args(told).arg("-o").arg(&out));
    assert!(report.contains("test part"), "{report}");
    let warnings: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("m.report.json")).unwrap()).unwrap();
    let warnings = warnings["warnings"].as_array().unwrap();
    let constant = "feature ask_size_1 is constant in the training part; its weight is 0";
    assert!(warnings.iter().any(|warning| warning == constant), "{warnings:?}");

    let before = fs::read(&out).unwrap();
    let (code, message) = fail(papertrader().arg("train").arg(&good).args(THIN_FEATURES).arg("-o").arg(&out));
    assert_eq!((code, message), (2, format!("error: {} exists; give --force to replace it", out.display())));
    assert_eq!(fs::read(&out).unwrap(), before);
    for (name, ends) in [("t.txt", "the name must end in .csv or .parquet"), ("t.csv", "")] {
        let table = folder.path().join(name);
        let mut features = papertrader();
        features.arg("features").arg(&good).args(THIN_FEATURES).arg("-o").arg(&table);
        if ends.is_empty() {
            succeed(&mut features);
            let (code, message) = fail(&mut features);
            assert_eq!((code, message), (2, format!("error: {} exists; give --force to replace it", table.display())));
        } else {
            let (code, message) = fail(&mut features);
            assert!(code == 2 && message.ends_with(ends), "{message}");
        }
    }
    let stray: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part"))
        .collect();
    assert!(stray.is_empty(), "{stray:?}");
}

/// Ctrl-C in the middle of an export leaves neither half a table nor a file beside it.
#[cfg(unix)]
#[test]
fn an_interrupt_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 3, 40_000);
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut features = papertrader();
    features.arg("features").arg(&capture).args(["--features", "all", "-o"]).arg(out.join("t.csv"));
    let running = features.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let written =
        || fs::read_dir(&out).unwrap().filter_map(|entry| entry.unwrap().metadata().ok()).map(|file| file.len());
    while written().sum::<u64>() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(String::from_utf8(ended.stderr).unwrap().trim_end(), "error: interrupted; nothing was written");
    assert_eq!(written().count(), 0);
}

/// A choice that would take minutes ends at once.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_choice() {
    let folder = tempfile::tempdir().unwrap();
    let capture = synthetic(&folder, "a.l2", 3, 8_000);
    let mut select = papertrader();
    select.arg("select").arg(&capture).args(["--features", "all", "--at-most", "40", "--validate", "kfold:20", "-o"]);
    select.arg(folder.path().join("m.json"));
    let running = select.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Rows are read in less; whatever it does by then, it ends.
    std::thread::sleep(Duration::from_secs(2));
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(String::from_utf8(ended.stderr).unwrap().trim_end(), "error: interrupted; nothing was written");
    assert!(!folder.path().join("m.json").exists());
}
