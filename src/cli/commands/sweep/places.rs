//! Where a sweep writes.

use super::SweepResultArgs;
use crate::base::failure::Failure;
use crate::base::output::{IfTaken, OutputError, check};
use crate::base::places::check_apart;
use crate::report::sweep::publish::SweepFiles;
use crate::sweep::{SweepError, is_log_name};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a sweep.
#[derive(Debug)]
pub struct Places {
    pub csv: PathBuf,
    pub parquet: PathBuf,
    pub json: PathBuf,
    /// What the page is made from, and the page.
    pub report: SweepFiles,
    pub journal: PathBuf,
    pub logs: PathBuf,
}

impl Places {
    pub fn of(folder: &Path, stem: &str) -> Self {
        let with = |ending: &str| folder.join(format!("{stem}.sweep.{ending}"));
        let (name, html, report) = (stem.into(), with("html"), with("report.json"));
        Self {
            csv: with("csv"),
            parquet: with("parquet"),
            json: with("json"),
            report: SweepFiles { name, html, json: report },
            journal: with("part"),
            logs: with("logs"),
        }
    }

    /// Those that a sweep leaves when it has ended.
    pub fn results(&self) -> [&PathBuf; 5] {
        [&self.csv, &self.parquet, &self.json, &self.report.json, &self.report.html]
    }

    pub fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.results().into_iter().chain([&self.journal, &self.logs])
    }

    /// A sweep's error; of one that somebody stopped, how it goes on.
    pub fn stopped(&self, error: SweepError) -> Failure {
        match error {
            SweepError::Stopped { .. } => {
                let journal = self.journal.display();
                Failure::running(format!("{error} and kept in {journal}; give --resume to go on"))
            }
            error => Failure::running(error),
        }
    }

    /// Removes what a sweep of before has kept of its settings: they were others.
    pub fn remove_logs(&self) -> Result<(), Failure> {
        let Ok(files) = fs::read_dir(&self.logs) else { return Ok(()) };
        for path in files.flatten().map(|file| file.path()).filter(|path| is_log_name(path)) {
            fs::remove_file(&path).map_err(OutputError::at(&path)).map_err(Failure::running)?;
        }
        Ok(())
    }

    /// Looks at all places before anything runs.
    pub fn check(&self, args: &SweepResultArgs, inputs: &[PathBuf]) -> Result<(), Failure> {
        // Logs of a sweep of before go, whatever they are by now.
        let logs = fs::read_dir(&self.logs).into_iter().flatten().flatten().map(|file| file.path());
        let outputs = self.all().cloned().chain(logs.filter(|path| is_log_name(path)));
        check_apart(outputs, inputs).map_err(Failure::input)?;
        if let Some(parent) = self.csv.parent() {
            fs::create_dir_all(parent).map_err(OutputError::at(parent)).map_err(Failure::input)?;
        }
        if args.resume || args.force {
            let mut files = self.results().into_iter().chain([&self.journal]);
            return files.try_for_each(|path| check(path, IfTaken::Replace).map(drop)).map_err(Failure::input);
        }
        if self.journal.exists() {
            return Err(Failure::input(format!(
                "{} exists: that sweep was stopped; give --resume to go on, or --force to begin again",
                self.journal.display()
            )));
        }
        self.all().try_for_each(|path| check(path, IfTaken::Refuse).map(drop)).map_err(Failure::input)
    }
}
