//! Generated markets, sweeps over them, and what they leave.

use crate::common::{papertrader, succeed};
use papertrader::sweep::result::SweepResult;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The endings of a sweep's results, which are the same bytes for the same arguments.
pub const RESULTS: [&str; 3] = ["csv", "parquet", "json"];

/// A model that the repository has.
pub fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name)
}

/// A folder with generated captures.
pub struct Markets {
    folder: tempfile::TempDir,
    pub captures: Vec<PathBuf>,
}

impl Markets {
    /// So many captures of so many frames each, of different seeds.
    pub fn new(captures: usize, frames: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let captures = (0..captures).map(|seed| {
            let path = folder.path().join(format!("market_{seed:03}.l2"));
            let mut command = papertrader();
            command.args(["generate", "--levels", "300", "--seed", &seed.to_string()]);
            succeed(command.args(["--frames", &frames.to_string(), "--output"]).arg(&path));
            path
        });
        let captures = captures.collect();
        Self { folder, captures }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A sweep over all captures, whose files have that name.
    pub fn sweep(&self, name: &str, arguments: &[&str]) -> Command {
        sweep(&self.captures, self.folder.path(), name, arguments)
    }

    pub fn file(&self, name: &str, ending: &str) -> PathBuf {
        self.path(&format!("{name}.sweep.{ending}"))
    }

    pub fn bytes(&self, name: &str, ending: &str) -> Vec<u8> {
        let path = self.file(name, ending);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn result(&self, name: &str) -> SweepResult {
        SweepResult::read(&self.file(name, "json")).unwrap()
    }

    /// Whether two sweeps left the same bytes.
    pub fn same(&self, one: &str, other: &str) {
        for ending in RESULTS {
            assert!(self.bytes(one, ending) == self.bytes(other, ending), "{one} and {other} differ in {ending}");
        }
    }
}

/// A sweep by `imbalance.json` unless the arguments name another model.
pub fn sweep(captures: &[PathBuf], out: &Path, name: &str, arguments: &[&str]) -> Command {
    let mut command = papertrader();
    command.arg("sweep").args(captures).args(arguments);
    if !arguments.contains(&"--model") {
        command.arg("--model").arg(model("imbalance.json"));
    }
    command.args(["--name", name, "--out"]).arg(out);
    command
}
