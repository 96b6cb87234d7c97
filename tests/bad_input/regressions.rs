//! Bugs that were found, each by its name.

use super::common::papertrader;
use super::market::{Capture, Replayed, Setup};
use super::signals::{eventually, signal};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

/// The device that is always full.
const FULL: &str = "/dev/full";
const NO_SPACE: &str = "No space left on device (os error 28)";

fn setup() -> Setup {
    Setup::new(Capture::default().snapshot().quiet(4).text().as_bytes())
}

#[test]
fn a_full_disk_was_taken_for_a_bad_argument() {
    for ending in ["csv", "hlog", "hgrm"] {
        for threads in [&[][..], &["--fused"]] {
            let setup = setup();
            fs::create_dir(setup.out()).unwrap();
            symlink(FULL, setup.result(ending)).unwrap();
            let output = setup.command().args(threads).output().unwrap();
            let error = format!("error: cannot write {}: {NO_SPACE}\n", setup.result(ending).display());
            assert_eq!(String::from_utf8(output.stderr).unwrap(), error);
            assert_eq!(output.status.code(), Some(1));
            let report = String::from_utf8(output.stdout).unwrap();
            assert!(report.contains("\nmodel and trades\n") && report.contains("closed trades"), "{report}");
        }
    }
    let setup = setup();
    let replayed = setup.replay(&["--probabilities", FULL]);
    assert_eq!((replayed.code, replayed.stderr), (1, format!("error: cannot write {FULL}: {NO_SPACE}")));
    assert!(replayed.report.contains("\nmodel and trades\n"));
}

/// The engine fills the writer's ring many times over and must not wait for a writer that cannot write.
#[test]
fn a_full_disk_under_a_long_run() {
    let setup = Setup::generated(20_000);
    fs::create_dir(setup.out()).unwrap();
    symlink(FULL, setup.result("csv")).unwrap();
    for threads in [&[][..], &["--fused"]] {
        let output = setup.command().args(["--threshold", "0.5"]).args(threads).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = format!("error: cannot write {}: {NO_SPACE}\n", setup.result("csv").display());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), error);
    }
}

#[test]
fn a_report_that_nobody_took_was_a_panic() {
    let setup = setup();
    let full = File::options().write(true).open(FULL).unwrap();
    let output = setup.command().stdout(full).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("error: cannot print the report: {NO_SPACE}\n"));
    assert_eq!(output.status.code(), Some(1));

    // A reader that has seen enough, as `head` has, is no fault.
    let mut child = setup.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
    assert_eq!(setup.rows().len(), 3);
}

#[test]
fn an_error_that_nobody_took_was_a_panic() {
    let full = || File::options().write(true).open(FULL).unwrap();
    let status = papertrader().args(["replay", "missing.l2", "--model", "missing.txt"]).stderr(full()).status();
    assert_eq!(status.unwrap().code(), Some(2));
    let cut = Setup::new(format!("{}17231", Capture::default().snapshot().text()).as_bytes());
    assert_eq!(cut.command().stdout(Stdio::null()).stderr(full()).status().unwrap().code(), Some(0));
}
