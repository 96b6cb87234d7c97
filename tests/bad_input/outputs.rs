//! Disks and pipes that do not take what is written, and what is written when they do.

use super::common::papertrader;
use super::market::{Capture, Replayed, Setup};
use std::fs;

/// The device that is always full.
const FULL: &str = "/dev/full";
const NO_SPACE: &str = "No space left on device (os error 28)";

fn setup() -> Setup {
    Setup::new(Capture::default().snapshot().quiet(4).text().as_bytes())
}

#[test]
fn an_output_folder_that_cannot_be_made_or_written() {
    let setup = setup();
    let file = setup.folder().join("file");
    fs::write(&file, "").unwrap();
    for out in [file.clone(), file.join("deeper"), "/proc/nowhere".into()] {
        let Replayed { code, report, stderr, .. } = setup.replay(&["--out", out.to_str().unwrap()]);
        assert_eq!((code, report.as_str()), (2, ""), "{stderr}");
        assert!(stderr.starts_with(&format!("error: cannot write {}: ", out.display())), "{stderr}");
        assert_eq!(stderr.lines().count(), 1);
    }
    for ending in ["csv", "hlog"] {
        let in_the_way = setup.result(ending);
        fs::create_dir_all(&in_the_way).unwrap();
        let output = setup.command().output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        let expected = format!("error: cannot write {}: Is a directory (os error 21)\n", in_the_way.display());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
        fs::remove_dir_all(setup.out()).unwrap();
    }
    let nowhere = setup.folder().join("nowhere/p.txt");
    let Replayed { code, stderr, .. } = setup.replay(&["--probabilities", nowhere.to_str().unwrap()]);
    let expected = format!("error: cannot write {}: No such file or directory (os error 2)", nowhere.display());
    assert_eq!((code, stderr), (2, expected));
}

#[test]
fn a_full_disk_under_a_generated_capture() {
    let output = papertrader().args(["generate", "--frames", "100", "--output", FULL]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("error: cannot write capture {FULL}: {NO_SPACE}\n"));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let setup = Setup::generated(3_000);
    let bytes = |threads: &[&str]| {
        let replayed = setup.replay(threads).well();
        assert!(replayed.trades.len() > 100, "{} trades", replayed.trades.len());
        (fs::read(setup.result("csv")).unwrap(), fs::read(setup.folder().join("probabilities.txt")).unwrap())
    };
    let first = bytes(&[]);
    assert!(first == bytes(&[]), "another run, other results");
    assert!(first == bytes(&["--fused", "--speed", "1000x"]), "another speed, other results");
}

#[test]
fn names_of_files_do_not_collide() {
    let setup = setup();
    let mut command = papertrader();
    command.arg("replay").arg(setup.capture()).arg("--model").arg(super::market::imbalance_model());
    command.arg("--out").arg(setup.out());
    for _ in 0..3 {
        assert!(command.output().unwrap().status.success());
    }
    let logs = fs::read_dir(setup.out()).unwrap().map(|entry| entry.unwrap().path());
    let logs: Vec<_> = logs.filter(|path| path.extension().is_some_and(|ending| ending == "csv")).collect();
    assert_eq!(logs.len(), 3);
    assert!(logs.iter().all(|path| path.to_str().unwrap().contains("BTC-USD")), "{logs:?}");
}

#[test]
fn what_is_there_is_replaced_only_by_force() {
    let setup = setup();
    let kept = setup.folder().join("kept");
    let kept = kept.to_str().unwrap();
    let capture = setup.capture();
    let capture = capture.to_str().unwrap();
    let model = super::market::imbalance_model();
    let model = model.to_str().unwrap();
    setup.replay(&[]).well();
    let csv = setup.result("csv");
    let csv = csv.to_str().unwrap();
    for command in [
        &["generate", "--frames", "10", "--output", kept][..],
        &["report", csv, "--output", kept],
        &["exchange", "--listen", "127.0.0.1:0", "--tls", "--ca-out", kept],
        &["exchange", "--listen", "127.0.0.1:0", "--send-log", kept],
        &["replay", capture, "--model", model, "--out", "/tmp", "--probabilities", kept],
        &["replay", capture, "--model", model, "--out", "/tmp", "--decisions", kept],
    ] {
        fs::write(kept, "kept").unwrap();
        let output = papertrader().args(command).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), said),
            (Some(2), format!("error: {kept} exists; give --force to replace it\n"))
        );
        assert_eq!(fs::read(kept).unwrap(), b"kept", "{command:?}");
    }
    // A run has one name for all its files.
    for command in [&["replay", capture][..], &["profile", capture, "--rates", "1k", "--seconds", "0.1"]] {
        let output = papertrader()
            .args(command)
            .args(["--model", model, "--name", "run", "--out"])
            .arg(setup.out())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().ends_with(" exists; give --force to replace it\n"));
    }
    // What was begun and not ended is not there.
    let mut child =
        papertrader().args(["generate", "--force", "--frames", "1000000000", "--output", kept]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fs::read(kept).unwrap(), b"kept");
}
