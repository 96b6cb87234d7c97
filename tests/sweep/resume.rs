//! A sweep that is stopped, killed, or cut on the disk goes on, and leaves the bytes of one that was not.

use crate::common::{fail, stderr, succeed};
use crate::support::{Markets, RESULTS};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const GRID: [&str; 6] = ["--threshold", "0.4:0.8:0.05", "--lag", "2,10,30", "--threads", "2"];

fn lines(path: &Path) -> usize {
    fs::read(path).map_or(0, |bytes| bytes.iter().filter(|&&byte| byte == b'\n').count())
}

/// Starts a sweep, and gives it when its journal has so many lines; `None` when it has ended before.
fn begun(mut command: Command, journal: &Path, due: usize) -> Option<Child> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while lines(journal) < due {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
    Some(child)
}

fn resumed(markets: &Markets, name: &str) -> Command {
    markets.sweep(name, &[&GRID[..], &["--resume"]].concat())
}

#[test]
fn ctrl_c_keeps_what_is_done() {
    let markets = Markets::new(12, 1_000);
    succeed(&mut markets.sweep("whole", &GRID));
    assert!(!markets.file("whole", "part").exists());
    let journal = markets.file("stopped", "part");
    let child = begun(markets.sweep("stopped", &GRID), &journal, 3).expect("twelve captures outlast two");
    let status = Command::new("sh").arg("-c").arg(format!("kill -INT {}", child.id())).status().unwrap();
    assert!(status.success());
    let output = child.wait_with_output().unwrap();
    let (error, code) = (stderr(&output), output.status.code());
    let due = format!(" of 324 rows are done and kept in {}; give --resume to go on\n", journal.display());
    assert!(error.starts_with("error: stopped: ") && error.ends_with(&due) && code == Some(1), "{error}");
    assert!(RESULTS.iter().all(|ending| !markets.file("stopped", ending).exists()));
    let kept = lines(&journal);
    assert!(kept >= 3);
    // Without saying what is meant, nothing is lost.
    let (code, error) = fail(&mut markets.sweep("stopped", &GRID));
    let said = format!(
        "error: {} exists: that sweep was stopped; give --resume to go on, or --force to begin again",
        journal.display()
    );
    assert_eq!((code, error), (2, said));
    assert_eq!(lines(&journal), kept);
    succeed(&mut resumed(&markets, "stopped"));
    markets.same("whole", "stopped");
    assert!(!journal.exists());
}

#[test]
fn kills_at_any_moment_lose_no_row_that_was_done() {
    let markets = Markets::new(6, 600);
    succeed(&mut markets.sweep("whole", &GRID));
    let journal = markets.file("killed", "part");
    let mut random = Xoshiro256PlusPlus::seed_from_u64(9);
    let (mut kills, mut before) = (0, 0);
    loop {
        let command = if journal.exists() { resumed(&markets, "killed") } else { markets.sweep("killed", &GRID) };
        // Until it has done a little more than before, and then a moment.
        let Some(mut child) = begun(command, &journal, before + 1) else { break };
        thread::sleep(Duration::from_micros(random.next_u64() % 20_000));
        child.kill().unwrap();
        child.wait().unwrap();
        if markets.file("killed", "json").exists() {
            break;
        }
        kills += 1;
        assert!(lines(&journal) > before, "what was done is kept");
        before = lines(&journal);
        assert!(kills < 50, "every start does at least a line more");
    }
    assert!(kills >= 2, "killed {kills} times");
    if journal.exists() {
        succeed(&mut resumed(&markets, "killed"));
    }
    markets.same("whole", "killed");
}

/// A journal cut at any byte, as a full disk or a lost machine leaves it.
#[test]
fn a_journal_that_was_cut_anywhere_is_gone_on_with() {
    let markets = Markets::new(3, 300);
    let journal = markets.file("cut", "part");
    succeed(&mut markets.sweep("whole", &GRID));
    // A capture that breaks leaves the journal of the others.
    let whole = fs::read(&markets.captures[1]).unwrap();
    fs::write(&markets.captures[1], [&whole[..], b"nonsense\n"].concat()).unwrap();
    fail(&mut markets.sweep("cut", &GRID));
    fs::write(&markets.captures[1], whole).unwrap();
    let text = fs::read(&journal).unwrap();
    assert_eq!(lines(&journal), 1 + 2);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
    let drawn = (0..8).map(|_| (random.next_u64() % text.len() as u64) as usize);
    for length in [0, 1, text.len() - 1, text.len()].into_iter().chain(drawn) {
        fs::write(&journal, &text[..length]).unwrap();
        succeed(&mut resumed(&markets, "cut"));
        markets.same("whole", "cut");
        assert!(!journal.exists(), "{length}");
    }
}

#[test]
fn a_journal_of_something_else_is_refused() {
    let markets = Markets::new(2, 300);
    let journal = markets.file("a", "part");
    let (code, error) = fail(&mut resumed(&markets, "a"));
    let missing =
        format!("error: {} is not there: no sweep of that name was stopped; leave --resume out", journal.display());
    assert_eq!((code, error), (2, missing));
    let whole = fs::read(&markets.captures[1]).unwrap();
    fs::write(&markets.captures[1], [&whole[..], b"nonsense\n"].concat()).unwrap();
    fail(&mut markets.sweep("a", &GRID));
    fs::write(&markets.captures[1], &whole).unwrap();
    let kept = fs::read_to_string(&journal).unwrap();
    for (arguments, what) in [
        (&["--threshold", "0.4"][..], "settings"),
        (&["--lag", "2"], "settings"),
        (&["--slices", "9"], "slices"),
        (&["--fee-bps", "1"], "options"),
        (&["--from", "2024-01-01"], "options"),
        (&["--model", &crate::support::model("synthetic.json").display().to_string()], "models"),
    ] {
        let options = ["--threshold", "0.4:0.8:0.05", "--lag", "2,10,30", "--threads", "2"];
        let kept_options = options.chunks(2).filter(|pair| !arguments.contains(&pair[0])).flatten();
        let all: Vec<&str> = kept_options.chain(arguments).copied().chain(["--resume"]).collect();
        let (code, error) = fail(&mut markets.sweep("a", &all));
        let said = format!(
            "error: {} is of a sweep of other {what}; give the same arguments, or another name",
            journal.display()
        );
        assert_eq!((code, error), (2, said));
    }
    let line_2 = kept.lines().nth(1).unwrap();
    for (text, said) in [
        (kept.replacen(line_2, "{}", 1), "line 2: missing field `capture`"),
        (
            kept.replacen("\"setting\":3,", "\"setting\":300,", 1),
            "line 2: the row of capture 0 and setting 300 is none",
        ),
        (kept.replacen(line_2, &line_2.replacen("market_000", "market_001", 1), 1), "line 2: capture 0 is not "),
        ("nonsense\n".into(), "line 1: expected "),
    ] {
        fs::write(&journal, text).unwrap();
        let (code, error) = fail(&mut resumed(&markets, "a"));
        assert!(code == 2 && error.contains(said), "{error}");
        assert!(error.ends_with("; give --force instead of --resume to begin again"), "{error}");
    }
    // Rows of a file that is another one now.
    fs::write(&journal, &kept).unwrap();
    let first = fs::read_to_string(&markets.captures[0]).unwrap();
    let shorter = first.trim_end().rsplit_once('\n').unwrap().0;
    fs::write(&markets.captures[0], format!("{shorter}\n")).unwrap();
    let (code, error) = fail(&mut resumed(&markets, "a"));
    let said = format!(
        "error: {} is not what it was when {} was written; give --force instead of --resume to begin again",
        markets.captures[0].display(),
        journal.display()
    );
    assert_eq!((code, error), (2, said));
    fs::write(&markets.captures[0], first).unwrap();
    succeed(&mut resumed(&markets, "a"));
    succeed(&mut markets.sweep("b", &GRID));
    markets.same("a", "b");
}

/// A sweep with the journal of a capture that is done, another being broken.
fn half_done(markets: &Markets, name: &str, options: &[&str]) {
    let whole = fs::read(&markets.captures[1]).unwrap();
    fs::write(&markets.captures[1], [&whole[..], b"nonsense\n"].concat()).unwrap();
    fail(&mut markets.sweep(name, options));
    fs::write(&markets.captures[1], whole).unwrap();
}

#[test]
fn one_sweep_at_a_time_writes_a_journal() {
    let markets = Markets::new(2, 300);
    half_done(&markets, "a", &GRID);
    let journal = markets.file("a", "part");
    let kept = fs::read(&journal).unwrap();
    let held = fs::File::open(&journal).unwrap();
    held.lock().unwrap();
    let said = format!("error: cannot write {}: another sweep writes it", journal.display());
    for mut second in [resumed(&markets, "a"), markets.sweep("a", &[&GRID[..], &["--force"]].concat())] {
        assert_eq!(fail(&mut second).1, said);
        assert!(fs::read(&journal).unwrap() == kept, "nothing of it is touched");
    }
    drop(held);
    succeed(&mut resumed(&markets, "a"));
}

#[test]
fn what_rows_were_made_of_is_looked_at_again() {
    let markets = Markets::new(2, 300);
    let journal = markets.file("a", "part");
    half_done(&markets, "a", &GRID);
    // Other bytes of the same length.
    let first = fs::read_to_string(&markets.captures[0]).unwrap();
    let last = first.trim_end().rsplit_once('\n').unwrap().1;
    let number = last.split(' ').next().unwrap();
    let later = (number.parse::<i64>().unwrap() + 1).to_string();
    fs::write(&markets.captures[0], first.replacen(&format!("\n{number} "), &format!("\n{later} "), 1)).unwrap();
    assert_eq!(markets.captures[0].metadata().unwrap().len(), first.len() as u64);
    let changed = |path: &std::path::Path, journal: &std::path::Path| {
        let (path, journal) = (path.display(), journal.display());
        format!(
            "error: {path} is not what it was when {journal} was written; give --force instead of --resume to begin again"
        )
    };
    let due = (2, changed(&markets.captures[0], &journal));
    assert_eq!(fail(&mut resumed(&markets, "a")), due);
    fs::write(&markets.captures[0], &first).unwrap();
    succeed(&mut resumed(&markets, "a"));
}

#[test]
fn the_trades_beside_a_book_belong_to_what_rows_were_made_of() {
    let markets = Markets::new(2, 400);
    let at = |name: &str| markets.path(name);
    for (number, capture) in markets.captures.iter().enumerate() {
        let out = at(&format!("k{number}.csv"));
        succeed(crate::common::papertrader().arg("convert").arg(capture).arg("-o").arg(out));
    }
    let books = [at("k0.csv"), at("k1.csv")];
    assert!(at("k0_trades.csv").exists());
    let whole = fs::read(&books[1]).unwrap();
    fs::write(&books[1], [&whole[..], b"nonsense\n"].concat()).unwrap();
    fail(&mut crate::support::sweep(&books, &at(""), "b", &GRID));
    fs::write(&books[1], whole).unwrap();
    let again = || crate::support::sweep(&books, &at(""), "b", &[&GRID[..], &["--resume"]].concat());
    let trades = fs::read_to_string(at("k0_trades.csv")).unwrap();
    for other in [Some(trades.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n"), None] {
        match other {
            Some(shorter) => fs::write(at("k0_trades.csv"), shorter).unwrap(),
            None => fs::remove_file(at("k0_trades.csv")).unwrap(),
        }
        let (code, error) = fail(&mut again());
        assert!(code == 2 && error.contains("k0.csv is not what it was when "), "{error}");
    }
    fs::write(at("k0_trades.csv"), trades).unwrap();
    succeed(&mut again());
}

#[test]
fn logs_that_are_gone_are_made_again() {
    let markets = Markets::new(2, 300);
    let options = [&GRID[..], &["--execution", "original,taker", "--keep-logs"]].concat();
    succeed(&mut markets.sweep("whole", &options));
    half_done(&markets, "a", &options);
    fs::remove_file(markets.file("a", "logs").join("000000-000000.csv")).unwrap();
    fs::remove_file(markets.file("a", "logs").join("000000-000001.fills.csv")).unwrap();
    succeed(&mut markets.sweep("a", &[&options[..], &["--resume"]].concat()));
    let logs = |name: &str| {
        let files = fs::read_dir(markets.file(name, "logs")).unwrap().flatten();
        let mut files: Vec<_> = files.map(|file| (file.file_name(), fs::read(file.path()).unwrap())).collect();
        files.sort();
        files
    };
    assert!(logs("a") == logs("whole"));
    markets.same("a", "whole");
}
