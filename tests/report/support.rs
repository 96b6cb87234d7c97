//! Runs to report on.

use crate::common::{papertrader, succeed};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub const HEADER: &str = "buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit";

/// A folder with runs.
pub struct Runs {
    pub folder: tempfile::TempDir,
}

impl Runs {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    /// A capture of the synthetic market.
    pub fn capture(&self, frames: u32) -> PathBuf {
        let path = self.path("market.l2");
        let frames = frames.to_string();
        succeed(papertrader().args(["generate", "--seed", "7", "--frames", &frames, "--output"]).arg(&path));
        path
    }

    /// Replays a capture with a model of the project.
    pub fn replay(&self, capture: &Path, name: &str, more: &[&str]) -> String {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/synthetic.json");
        self.replay_with(capture, &model, name, more)
    }

    pub fn replay_with(&self, capture: &Path, model: &Path, name: &str, more: &[&str]) -> String {
        let mut command = papertrader();
        command.arg("replay").arg(capture).arg("--model").arg(model).arg("--out").arg(self.folder.path());
        succeed(command.args(["--force", "--name", name]).args(more))
    }

    pub fn report(&self, name: &str) -> String {
        succeed(papertrader().arg("report").arg(self.path(name)))
    }
}

/// A value of a JSON file by its path; entries of lists also by their `stage`.
pub fn at<'a>(json: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(json, |value, step| match (value.as_array(), step.parse::<usize>()) {
        (Some(list), Ok(place)) => &list[place],
        (Some(list), Err(_)) => list.iter().find(|entry| entry["stage"] == step).unwrap_or(&Value::Null),
        _ => &value[step],
    })
}

/// What a page holds between two marks.
pub fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let start = page.find(from).unwrap_or_else(|| panic!("no {from}"));
    let end = page[start..].find(to).unwrap_or_else(|| panic!("no {to}"));
    &page[start..start + end]
}
