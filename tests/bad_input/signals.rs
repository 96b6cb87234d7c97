//! Ctrl-C and SIGTERM: what was done is reported, and files are whole.

use super::market::{Replayed, Setup};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use papertrader::engine::latency::STAGES_EVERY;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Sends a signal.
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", child.id())).status().unwrap();
    assert!(status.success());
}

/// Waits for something that happens sooner or later.
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < Duration::from_secs(60), "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The values in an interval log's entries with this tag; all entries must decode.
fn values_in_hlog(log: &[u8], tag: &str) -> u64 {
    let mut values = 0;
    for entry in IntervalLogIterator::new(log) {
        let LogEntry::Interval(entry) = entry.expect("a line of an interval log") else { continue };
        let bytes = data_encoding::BASE64.decode(entry.encoded_histogram().as_bytes()).expect("base64");
        let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
        if entry.tag().expect("every entry has a tag").as_str() == tag {
            values += histogram.len();
        }
    }
    values
}

/// The count in the last lines of a percentile distribution, after checking that it adds up.
fn values_in_hgrm(text: &str) -> u64 {
    let (table, summary) = text.split_at(text.find("#[Mean").expect("a summary"));
    let last: Vec<&str> = table.trim_end().lines().last().unwrap().split_whitespace().collect();
    assert_eq!((last[1], last.len()), ("1.000000000000", 3), "{table}");
    let total = summary.lines().nth(1).unwrap().rsplit_once('=').unwrap().1;
    assert_eq!(total.trim_end_matches(']').trim(), last[2], "{text}");
    assert_eq!(summary.lines().count(), 4);
    assert_eq!(summary.lines().last(), Some("# nanoseconds, received → decided"));
    last[2].parse().unwrap()
}

/// A replay of some hundred seconds, stopped after some trades.
fn stopped_by(name: &str, arguments: &[&str]) {
    let setup = Setup::generated(20_000);
    let mut command = setup.command();
    command.args(["--speed", "1x"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    eventually("a trade on disk while it runs", || {
        fs::read_to_string(setup.result("csv")).is_ok_and(|log| log.lines().count() > 1)
    });
    signal(&child, name);
    let replayed = Replayed::new(&setup, child.wait_with_output().unwrap()).well();
    let ran_for = replayed.report.lines().find(|line| line.trim().starts_with("ran for")).unwrap();
    assert!(ran_for.ends_with(", stopped before the end"), "{ran_for}");
    let (frames, evaluations) = (replayed.count("frames"), replayed.count("evaluations"));
    assert!(frames > 2 && frames < 20_000, "{frames} frames");
    assert_eq!(replayed.trades.len() as u64, replayed.count("closed trades"));
    assert_eq!(replayed.evaluated.len() as u64, evaluations);
    let log = fs::read(setup.result("hlog")).unwrap();
    // The first, and each behind it by the stride.
    assert_eq!(values_in_hlog(&log, "parse"), frames.div_ceil(STAGES_EVERY));
    assert_eq!(values_in_hlog(&log, "total"), evaluations);
    assert_eq!(values_in_hgrm(&fs::read_to_string(setup.result("hgrm")).unwrap()), evaluations);

    // The same as far as it went.
    let (rows, evaluated) = (setup.rows(), replayed.evaluated);
    let whole = setup.replay(&[]).well();
    assert_eq!(setup.rows()[..rows.len()], rows);
    assert_eq!(whole.evaluated[..evaluated.len()], evaluated);
}

#[test]
fn ctrl_c_ends_a_replay_cleanly() {
    stopped_by("INT", &[]);
    stopped_by("INT", &["--fused"]);
}

#[test]
fn sigterm_ends_a_replay_cleanly() {
    stopped_by("TERM", &["--wait", "yield"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_second_signal_ends_the_program_at_once() {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    // It waits for somebody to take its probabilities from a full pipe, and nothing but a second signal ends that.
    let setup = Setup::generated(100);
    let pipe = setup.folder().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut both_ends = fs::File::options();
    both_ends.read(true).write(true).custom_flags(nix::libc::O_NONBLOCK);
    let mut full = both_ends.open(&pipe).unwrap();
    while full.write(&[b'\n'; 4096]).is_ok() {}
    for names in [["INT", "INT"], ["TERM", "INT"]] {
        let mut command = setup.command();
        let mut child = command.arg("--probabilities").arg(&pipe).spawn().unwrap();
        eventually("the trade log's creation", || setup.result("csv").exists());
        signal(&child, names[0]);
        thread::sleep(Duration::from_millis(100));
        assert_eq!(child.try_wait().unwrap(), None);
        signal(&child, names[1]);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        fs::remove_dir_all(setup.out()).unwrap();
    }
}
