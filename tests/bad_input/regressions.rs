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
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!("error: cannot print to standard output: {NO_SPACE}\n")
    );
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

#[test]
fn a_capture_from_a_pipe_lost_its_beginning() {
    let setup = Setup::generated(3_000);
    let whole = setup.replay(&[]).well();
    let mut command = papertrader();
    command.args([
        "replay",
        "/dev/stdin",
        "--threshold",
        "0.6",
        "--lag",
        "2",
        "--override-model",
        "--name",
        "run",
        "--force",
    ]);
    command.arg("--model");
    command.arg(super::market::imbalance_model()).arg("--out").arg(setup.out());
    let mut cat = Command::new("cat").arg(setup.capture()).stdout(Stdio::piped()).spawn().unwrap();
    let output = command.stdin(cat.stdout.take().unwrap()).output().unwrap();
    // What it could not write is of no interest.
    drop(cat.kill());
    cat.wait().unwrap();
    // It would lose what was read to find the product.
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), stderr.as_str()),
        (Some(2), "error: /dev/stdin is no file; a market is read twice, so save it to one first\n")
    );
    // A file is one under any name.
    let output = command.stdin(File::open(setup.capture()).unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(Replayed::new(&setup, output).trades, whole.trades);
}

#[test]
fn a_stop_let_a_frame_go_whose_time_had_not_come() {
    let capture = super::market::Capture::default().snapshot().quiet(1);
    let year_later = super::market::message("BTC-USD", "update", 2, &super::market::QUIET);
    let capture = capture.line(&format!("1754697600000000000 {year_later}"));
    let setup = Setup::new(capture.text().as_bytes());
    let mut command = setup.command();
    command.args(["--speed", "1x"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    eventually("both frames' probabilities on disk", || setup.evaluated().len() == 2);
    signal(&child, "INT");
    let replayed = Replayed::new(&setup, child.wait_with_output().unwrap()).well();
    // The frame that was not due is not taken.
    assert_eq!((replayed.count("frames"), replayed.evaluated), (2, vec![0, 1]));
    assert!(replayed.report.contains(", stopped before the end\n"));
}

/// A product's name gives the terminal no commands and does not break a line.
#[test]
fn names_from_a_capture_commanded_the_terminal() {
    let capture = Capture::default().snapshot().frame("\\u001b[2J\\nX", "snapshot", &super::market::BOOK);
    capture.replay().well().says("passed over              \\u{1b}[2J\\nX");
    let refused = capture.replay_with(&["--product", "DOGE-USD"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.ends_with("; it holds BTC-USD, \\u{1b}[2J X"), "{}", refused.stderr);
}

/// Terminals: `script` of util-linux gives the program one.
#[test]
fn progress_took_two_lines_of_a_terminal() {
    let text = Capture::default().snapshot().quiet(60).text().to_string();
    let setup = Setup::new(text.as_bytes());
    let arguments = ["--speed", "1x"];
    // The capture lasts 0.6 s, several looks of the watching thread. Not a terminal: silence.
    setup.replay(&arguments).well();

    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no `script` to make a terminal");
        return;
    }
    let mut command = setup.command();
    let words = command.args(arguments).get_args().map(|word| format!("'{}'", word.to_str().unwrap()));
    let line = format!("{} {} >/dev/null", env!("CARGO_BIN_EXE_papertrader"), words.collect::<Vec<_>>().join(" "));
    let output = Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success());
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("frames/s") && shown.contains("trades") && shown.contains("profit"), "{shown:?}");
    // It never has to go up to a line before, and the last thing is to clear the line.
    let cleared = ["\r\x1b[2K", "\x1b[2K"];
    assert!(!shown.contains("\x1b[1A"), "{shown:?}");
    assert!(cleared.iter().any(|clear| shown.ends_with(clear)), "{shown:?}");
}

/// Every snapshot bought and none sold, as often as the book came and went.
#[test]
fn positions_piled_up_while_the_book_came_and_went() {
    let capture = (0..40).fold(Capture::default(), |capture, _| {
        let again = capture.snapshot();
        let next = again.next();
        again.raw("cut").numbered(next)
    });
    let replayed =
        capture.replay().well().says("open positions           2, cost 10.000000, no live book to mark them");
    // With a holding time of two frames.
    let expected: Vec<(u64, u64)> = (0..38).map(|frame| (frame, frame + 2)).collect();
    assert_eq!(replayed.trades, expected);
}
