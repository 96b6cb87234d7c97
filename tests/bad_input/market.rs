//! Small captures written by hand, and replays of them.
//!
//! The book of every snapshot makes the model want to buy: with `imbalance.json` a position is opened in every frame that
//! leaves the book live and neither crossed nor thin, so that the trade log shows which frames those were.

use super::common::papertrader;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The product of the captures.
pub const PRODUCT: &str = "BTC-USD";
/// The receive time of the first line, Unix nanoseconds.
const START_NS: i64 = 1_723_161_600_000_000_000;
/// From line to line.
const STEP_NS: i64 = 10_000_000;

/// A level of a message: side, price, quantity, as the venue writes them.
pub type Level<'a> = (&'a str, &'a str, &'a str);

/// A book with ten times as much to buy as to sell at the best.
pub const BOOK: [Level; 4] =
    [("bid", "100", "10"), ("bid", "99.9", "5"), ("offer", "100.1", "1"), ("offer", "100.2", "50")];
/// A change that keeps it so.
pub const QUIET: [Level; 1] = [("bid", "99.9", "6")];

/// A message of the `l2_data` channel.
pub fn message(product: &str, kind: &str, sequence_num: u64, levels: &[Level]) -> String {
    let levels: Vec<String> = levels
        .iter()
        .map(|(side, price, quantity)| {
            format!(r#"{{"side":"{side}","event_time":"2024-08-08T23:59:59.96458Z","price_level":"{price}","new_quantity":"{quantity}"}}"#)
        })
        .collect();
    format!(
        r#"{{"channel":"l2_data","timestamp":"2024-08-09T00:00:00Z","sequence_num":{sequence_num},"events":[{{"type":"{kind}","product_id":"{product}","updates":[{}]}}]}}"#,
        levels.join(",")
    )
}

/// A capture, line by line. Frames are numbered as they come unless a test says otherwise.
#[derive(Clone, Default)]
pub struct Capture {
    text: String,
    lines: i64,
    next: u64,
}

impl Capture {
    /// Anything behind a receive time.
    pub fn raw(mut self, frame: &str) -> Self {
        self.text += &format!("{} {frame}\n", START_NS + self.lines * STEP_NS);
        self.lines += 1;
        self
    }

    /// A line as it is.
    pub fn line(mut self, line: &str) -> Self {
        self.text += &format!("{line}\n");
        self.lines += 1;
        self
    }

    /// The next frame's number.
    pub fn numbered(mut self, next: u64) -> Self {
        self.next = next;
        self
    }

    /// That number.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// A frame of any product and kind.
    pub fn frame(self, product: &str, kind: &str, levels: &[Level]) -> Self {
        let next = self.next;
        self.raw(&message(product, kind, next, levels)).numbered(next + 1)
    }

    /// A snapshot of [`BOOK`].
    pub fn snapshot(self) -> Self {
        self.frame(PRODUCT, "snapshot", &BOOK)
    }

    /// An update of these levels.
    pub fn update(self, levels: &[Level]) -> Self {
        self.frame(PRODUCT, "update", levels)
    }

    /// So many updates that change nothing of importance.
    pub fn quiet(self, updates: usize) -> Self {
        (0..updates).fold(self, |capture, _| capture.update(&QUIET))
    }

    /// The text of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replays it with the usual settings.
    pub fn replay(&self) -> Replayed {
        self.replay_with(&[])
    }

    /// Replays it with more arguments.
    pub fn replay_with(&self, arguments: &[&str]) -> Replayed {
        Setup::new(self.text.as_bytes()).replay(arguments)
    }
}

/// A folder with a capture.
pub struct Setup {
    folder: TempDir,
}

impl Setup {
    /// A folder with a capture of these bytes.
    pub fn new(capture: &[u8]) -> Self {
        let setup = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(setup.capture(), capture).unwrap();
        setup
    }

    /// A folder with a generated capture.
    pub fn generated(frames: u64) -> Self {
        let setup = Self::new(&[]);
        let mut command = papertrader();
        command.args(["generate", "--force", "--levels", "1000", "--frames", &frames.to_string(), "--output"]);
        assert!(command.arg(setup.capture()).status().unwrap().success());
        setup
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The capture in it.
    pub fn capture(&self) -> PathBuf {
        self.folder().join("capture.l2")
    }

    /// Where results go.
    pub fn out(&self) -> PathBuf {
        self.folder().join("out")
    }

    /// A file of the results.
    pub fn result(&self, ending: &str) -> PathBuf {
        self.out().join(format!("run.{ending}"))
    }

    /// A replay of the capture: a purchase wherever the bids outweigh the asks, a sale two frames later.
    pub fn command(&self) -> Command {
        let mut command = papertrader();
        command.arg("replay").arg(self.capture()).arg("--model").arg(imbalance_model());
        command.args(["--threshold", "0.6", "--lag", "2", "--override-model", "--name", "run", "--force", "--out"]);
        command.arg(self.out());
        command.arg("--probabilities").arg(self.folder().join("probabilities.txt"));
        command
    }

    /// Runs it.
    pub fn replay(&self, arguments: &[&str]) -> Replayed {
        Replayed::new(self, self.command().args(arguments).output().unwrap())
    }

    /// The cells of the trade log without its header, after checking that no row is cut.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let log = fs::read_to_string(self.result("csv")).unwrap_or_default();
        assert!(log.is_empty() || log.ends_with('\n'), "a cut row:\n{log}");
        let rows: Vec<Vec<String>> = log.lines().map(|row| row.split(',').map(Into::into).collect()).collect();
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "a cut row:\n{log}");
        rows.into_iter().skip(1).collect()
    }

    /// The venue's numbers of the frames that were evaluated, which are those that left a live book.
    pub fn evaluated(&self) -> Vec<u64> {
        let text = fs::read_to_string(self.folder().join("probabilities.txt")).unwrap_or_default();
        text.lines().map(|line| line.split_once(' ').unwrap().0.parse().unwrap()).collect()
    }
}

/// The smallest model.
pub fn imbalance_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json")
}

/// A replay that has ended.
pub struct Replayed {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub report: String,
    /// Standard error.
    pub stderr: String,
    /// The frames of purchase and sale of each trade, counted from the first.
    pub trades: Vec<(u64, u64)>,
    /// Quote currency received for each trade.
    pub received: Vec<f64>,
    /// See [`Setup::evaluated`].
    pub evaluated: Vec<u64>,
}

impl Replayed {
    /// Reads what a replay left.
    pub fn new(setup: &Setup, output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panicked"), "{stderr}");
        let rows = setup.rows();
        Self {
            code: output.status.code().expect("no signal ends the program"),
            report: String::from_utf8(output.stdout).unwrap(),
            stderr: stderr.trim_end().into(),
            trades: rows.iter().map(|row| (row[0].parse().unwrap(), row[1].parse().unwrap())).collect(),
            received: rows.iter().map(|row| row[3].parse().unwrap()).collect(),
            evaluated: setup.evaluated(),
        }
    }

    /// A count of the report; 0 where it has no such line. Of several lines the first.
    pub fn count(&self, name: &str) -> u64 {
        let count = self.report.lines().find_map(|line| {
            let rest = line.trim_start().strip_prefix(name)?.strip_prefix(' ')?;
            rest.trim().replace(',', "").parse().ok()
        });
        count.unwrap_or(0)
    }

    /// Checks that it went well and silently.
    pub fn well(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""));
        self
    }

    /// Checks a line of the report.
    pub fn says(self, line: &str) -> Self {
        assert!(self.report.lines().any(|said| said.trim() == line), "no line '{line}' in\n{}", self.report);
        self
    }
}
