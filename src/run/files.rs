//! The files of a run: their names, and what is said of one that cannot be written.
//!
//! ```
//! use papertrader::run::files::RunFiles;
//!
//! let folder = tempfile::tempdir()?;
//! let files = RunFiles::create(folder.path(), "BTC-USD", Some("monday"))?;
//! assert_eq!(files.csv, folder.path().join("monday.csv"));
//! assert_eq!(files.hlog, folder.path().join("monday.hlog"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::output::{IfTaken, OutputError, check, check_and_hold, open};
use crate::base::places::check_apart;
use crate::run::execution_logs::LOGS;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The files of a run: one stem, several endings.
#[derive(Clone, Debug)]
pub struct RunFiles {
    /// Closed trades.
    pub csv: PathBuf,
    /// Percentiles of the whole way to the decision, [`StageTable::whole`].
    ///
    /// [`StageTable::whole`]: crate::engine::latency::StageTable::whole
    pub hgrm: PathBuf,
    /// All stages, an entry per interval.
    pub hlog: PathBuf,
    /// The logs of accounts beside the original's, where there are any: see [`LOGS`].
    pub executions: Option<[PathBuf; LOGS.len()]>,
    /// The same as Parquet, made when the run has ended, if asked for.
    pub parquet: Option<[PathBuf; LOGS.len()]>,
    /// The closed trades as Parquet, made when the run has ended, if asked for.
    pub trades_parquet: Option<PathBuf>,
    /// What it was worth from time to time, if asked for.
    pub equity: Option<EquityFiles>,
    /// What a report needs besides, and the page itself, unless there is to be no report.
    pub report: Option<ReportFiles>,
    /// The probability of every evaluation, if asked for.
    pub probabilities: Option<PathBuf>,
    /// The wall time of every evaluation, if asked for.
    pub decisions: Option<PathBuf>,
    /// Whether to replace what is there.
    pub replace: bool,
    /// The trade log was made, empty, so that no other process takes the name.
    claim: Option<Arc<Claim>>,
    /// Pipes, open from [`RunFiles::check`] on.
    held: Arc<OnceLock<Vec<File>>>,
}

/// An empty file that keeps a name. It goes with its last owner if nothing was written to it.
#[derive(Debug)]
struct Claim(PathBuf);

impl Drop for Claim {
    fn drop(&mut self) {
        if fs::metadata(&self.0).is_ok_and(|file| file.len() == 0) {
            // What is not there need not be removed.
            let _ = fs::remove_file(&self.0);
        }
    }
}

/// What a run was worth from time to time, for other programs.
#[derive(Clone, Debug, PartialEq)]
pub struct EquityFiles {
    /// hftbacktest's record, if asked for.
    pub record: Option<PathBuf>,
    /// Returns by the day, if asked for.
    pub returns: Option<PathBuf>,
    /// Fee per side, basis points.
    pub fee_bps: f64,
    /// What returns are of, quote currency; `None`: what the run needed.
    pub capital: Option<f64>,
}

/// The ending of hftbacktest's record.
pub const RECORD_ENDING: &str = "equity.npz";
/// The ending of the returns, but for `.csv`, as in [`LOGS`].
pub const RETURNS: &str = "returns";

/// A run's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFiles {
    /// Numbers, for machines.
    pub json: PathBuf,
    /// Pictures, for people.
    pub html: PathBuf,
}

impl ReportFiles {
    /// Beside a trade log.
    pub fn beside(csv: &Path) -> Self {
        Self { json: csv.with_extension("json"), html: csv.with_extension("html") }
    }
}

impl RunFiles {
    /// Whether anything is written of every live frame.
    pub fn want_frames(&self) -> bool {
        self.probabilities.is_some() || self.decisions.is_some() || self.equity.is_some()
    }

    /// Names the files of a run of `product`, in `folder`, which is made if it is not there. Without a `stem` the name is the
    /// time, in local time, and the product; one that is taken gets a number. A given `stem` must be free.
    ///
    /// # Errors
    /// The stem is taken, the folder cannot be made or no file can be made in it.
    pub fn create(folder: &Path, product: &str, stem: Option<&str>) -> Result<Self, OutputError> {
        match stem {
            Some(stem) => Self::named(folder, stem, IfTaken::Refuse),
            None => Self::named(folder, &stem_now(product), IfTaken::Number),
        }
    }

    /// The same by a given name. It is taken if any of a run's files of that name is there.
    ///
    /// # Errors
    /// As for [`RunFiles::create`].
    pub fn named(folder: &Path, stem: &str, if_taken: IfTaken) -> Result<Self, OutputError> {
        fs::create_dir_all(folder).map_err(OutputError::at(folder))?;
        let files = |number: u32| {
            let with = |ending: &str| match number {
                1 => folder.join(format!("{stem}.{ending}")),
                _ => folder.join(format!("{stem}_{number}.{ending}")),
            };
            Self {
                csv: with("csv"),
                hgrm: with("hgrm"),
                hlog: with("hlog"),
                executions: None,
                parquet: None,
                trades_parquet: None,
                equity: None,
                report: None,
                probabilities: None,
                decisions: None,
                replace: if_taken == IfTaken::Replace,
                claim: None,
                held: Arc::default(),
            }
        };
        if if_taken == IfTaken::Replace {
            let named = files(1);
            return check(&named.csv, if_taken).map(|_| named);
        }
        for number in 1.. {
            let mut named = files(number);
            let taken = match taken_by(&named.csv) {
                Some(path) => path,
                None => match open(&named.csv, IfTaken::Refuse) {
                    Ok(_) => {
                        named.claim = Some(Arc::new(Claim(named.csv.clone())));
                        return Ok(named);
                    }
                    Err(OutputError::Exists(path)) => path,
                    Err(error) => return Err(error),
                },
            };
            if if_taken == IfTaken::Refuse {
                return Err(OutputError::Exists(taken));
            }
        }
        unreachable!("numbers do not end")
    }

    /// Looks at the places of all files before anything runs, and holds pipes open for their readers.
    ///
    /// # Errors
    /// One is taken or cannot be written to, or is a pipe from which nobody reads.
    pub fn check(&self) -> Result<(), OutputError> {
        let pipes = self.all().map(|path| {
            // The trade log is this run's already.
            let is_ours = self.claim.is_some() && path == self.csv;
            check_and_hold(path, IfTaken::refuse_unless(self.replace || is_ours))
        });
        let held = pipes.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        // What was held before is open too.
        let _ = self.held.set(held);
        Ok(())
    }

    /// Every file that the run writes, the trade log first.
    fn all(&self) -> impl Iterator<Item = &Path> {
        let given = [&self.probabilities, &self.decisions].into_iter().flatten();
        self.own().chain(given.map(PathBuf::as_path))
    }

    /// Those that are named after the run.
    fn own(&self) -> impl Iterator<Item = &Path> {
        let report = self.report.iter().flat_map(|report| [&report.json, &report.html]);
        let logs = self.executions.iter().chain(&self.parquet).flatten();
        [&self.csv, &self.hgrm, &self.hlog]
            .into_iter()
            .chain(logs)
            .chain(report)
            .chain(self.for_others())
            .map(PathBuf::as_path)
    }

    /// What other programs read of closed trades.
    pub fn for_others(&self) -> impl Iterator<Item = &PathBuf> {
        let equity = self.equity.iter().flat_map(|equity| [&equity.record, &equity.returns]).flatten();
        self.trades_parquet.iter().chain(equity)
    }

    /// Refuses to write over what the run reads, and to write two files to one place, whatever may be replaced. `others` are
    /// written beside the run's own.
    ///
    /// # Errors
    /// As for [`check_apart`].
    pub fn check_apart_from(&self, inputs: &[&Path], others: &[&Path]) -> Result<(), OutputError> {
        // Those too that the run does without: a report of that name is removed.
        let spare = files_of(&self.csv).into_iter().filter(|path| !self.own().any(|own| own == path));
        let given = self.all().chain(others.iter().copied()).map(Path::to_owned);
        check_apart(given.chain(spare), inputs)
    }

    /// Removes the report of the run that is replaced, its percentiles, its logs of accounts and what was made for other programs:
    /// they say nothing of this one.
    pub fn remove_replaced_report(&self) {
        if self.replace {
            let ReportFiles { json, html } = ReportFiles::beside(&self.csv);
            // Percentiles are written at the end: without them a run was killed. A pipe stays for its reader.
            let percentiles =
                fs::symlink_metadata(&self.hgrm).is_ok_and(|file| file.is_file()).then(|| self.hgrm.clone());
            let for_others = all_for_others(&self.csv);
            for path in all_execution_logs(&self.csv).chain([json, html]).chain(for_others).chain(percentiles) {
                // What is not there need not be removed.
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Opens one of these files.
    ///
    /// # Errors
    /// It is there, and not to be replaced, or cannot be made.
    pub fn open(&self, path: &Path) -> Result<File, OutputError> {
        let ours = self.claim.is_some() && path == self.csv;
        open(path, IfTaken::refuse_unless(self.replace || ours)).map(|(_, file)| file)
    }
}

/// The time, in local time, and the product, as a name.
pub fn stem_now(product: &str) -> String {
    let started = jiff::Zoned::now().strftime("%Y_%m_%d_%H_%M_%S").to_string();
    started + &harmless(product)
}

/// A product's name, which comes from the venue or a file, as a part of a file's name.
pub fn harmless(product: &str) -> String {
    let harmless = |letter: char| if letter.is_ascii_alphanumeric() || "-._".contains(letter) { letter } else { '_' };
    product.chars().take(64).map(harmless).collect()
}

/// The files that a run with this trade log may write.
pub fn files_of(csv: &Path) -> Vec<PathBuf> {
    let files = ["csv", "hgrm", "hlog", "json", "html"].map(|ending| csv.with_extension(ending));
    files.into_iter().chain(all_execution_logs(csv)).chain(all_for_others(csv)).collect()
}

/// The files for other programs beside a trade log: its Parquet, hftbacktest's record, the returns.
pub fn all_for_others(csv: &Path) -> [PathBuf; 3] {
    let with = |ending: &str| csv.with_extension(ending);
    [with("trades.parquet"), with(RECORD_ENDING), with(&format!("{RETURNS}.csv"))]
}

/// The logs of accounts beside a trade log, in either format.
fn all_execution_logs(csv: &Path) -> impl Iterator<Item = PathBuf> {
    execution_logs(csv, "csv").into_iter().chain(execution_logs(csv, "parquet"))
}

/// The logs of accounts beside a trade log with that ending, `csv` or `parquet`, in the order of [`LOGS`].
pub fn execution_logs(csv: &Path, ending: &str) -> [PathBuf; LOGS.len()] {
    LOGS.map(|log| csv.with_extension(format!("{log}.{ending}")))
}

/// A file that a run with this trade log may write and that is there already.
pub fn taken_by(csv: &Path) -> Option<PathBuf> {
    // Also those that this run may do without: they would seem to belong to it.
    files_of(csv).into_iter().find(|path| fs::symlink_metadata(path).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_collide_and_hold_nothing_of_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let runs: Vec<_> = (0..3).map(|_| RunFiles::create(folder.path(), "../a b/C-1", None).unwrap()).collect();
        let names: Vec<PathBuf> = runs.iter().map(|run| run.csv.clone()).collect();
        for name in &names {
            assert_eq!(name.parent(), Some(folder.path()));
            assert!(name.to_str().unwrap().contains(".._a_b_C-1"), "{}", name.display());
            assert!(name.exists());
        }
        assert_ne!(names[0], names[1]);
        let named = RunFiles::create(folder.path(), "x", Some("run")).unwrap();
        assert_eq!(named.hlog, folder.path().join("run.hlog"));
        assert!(named.csv.exists());
        drop((named.clone(), named));
        assert!(!folder.path().join("run.csv").exists());
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = RunFiles::create(&file.join("in"), "x", None).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot write {}/in: ", file.display())), "{error}");
    }

    #[test]
    fn a_name_is_taken_by_any_of_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("run.html"), "kept").unwrap();
        fs::write(at("run_2.hlog"), "kept").unwrap();
        // The capture, most likely.
        fs::write(at("run_3.l2.zst"), "kept").unwrap();
        let named = |if_taken| RunFiles::named(folder.path(), "run", if_taken);
        let error = named(IfTaken::Refuse).unwrap_err();
        assert_eq!(error.to_string(), format!("{} exists; give --force to replace it", at("run.html").display()));
        let third = named(IfTaken::Number).unwrap();
        assert_eq!(third.csv, at("run_3.csv"));
        third.open(&third.csv).unwrap();
        fs::write(&third.hlog, "of another").unwrap();
        assert!(matches!(third.open(&third.hlog), Err(OutputError::Exists(_))));
        // Nothing is replaced before there is something to write.
        fs::write(at("run.csv"), "old").unwrap();
        let replacing = named(IfTaken::Replace).unwrap();
        drop(replacing.clone());
        assert_eq!(fs::read(at("run.csv")).unwrap(), b"old");
        replacing.open(&replacing.csv).unwrap();
        assert_eq!(fs::read(at("run.csv")).unwrap(), b"");
    }
}
