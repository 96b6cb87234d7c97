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

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl WriteError {
    /// For `map_err`.
    pub fn at(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self { path: path.into(), source }
    }
}

/// The files of a run: one stem, several endings.
#[derive(Clone, Debug)]
pub struct RunFiles {
    /// Closed trades.
    pub csv: PathBuf,
    /// Percentiles of received → decided.
    pub hgrm: PathBuf,
    /// All stages, an entry per interval.
    pub hlog: PathBuf,
    /// What a report needs besides, and the page itself, unless there is to be no report.
    pub report: Option<ReportFiles>,
    /// The probability of every evaluation, if asked for.
    pub probabilities: Option<PathBuf>,
    /// The wall time of every evaluation, if asked for.
    pub decisions: Option<PathBuf>,
}

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

    /// Removes what is there.
    pub fn remove(&self) {
        for path in [&self.json, &self.html] {
            // What is not there need not be removed.
            let _ = fs::remove_file(path);
        }
    }
}

impl RunFiles {
    /// Removes what a run that never began has left.
    pub fn remove(&self) {
        let optional = [&self.probabilities, &self.decisions].into_iter().flatten();
        for path in [&self.csv, &self.hgrm, &self.hlog].into_iter().chain(optional) {
            // What is not there need not be removed.
            let _ = fs::remove_file(path);
        }
        self.report.iter().for_each(ReportFiles::remove);
    }

    /// Whether anything is written of every evaluation.
    pub fn want_evaluations(&self) -> bool {
        self.probabilities.is_some() || self.decisions.is_some()
    }

    /// Names the files of a run of `product` that starts now, in local time, in `folder`, which is made if it is not
    /// there. A name that is taken gets a number. With `stem` the name is that, and what is there is replaced.
    ///
    /// # Errors
    /// The folder cannot be made or no file can be made in it.
    pub fn create(folder: &Path, product: &str, stem: Option<&str>) -> Result<Self, WriteError> {
        fs::create_dir_all(folder).map_err(WriteError::at(folder))?;
        let files = |stem: &str| Self {
            csv: folder.join(format!("{stem}.csv")),
            hgrm: folder.join(format!("{stem}.hgrm")),
            hlog: folder.join(format!("{stem}.hlog")),
            report: None,
            probabilities: None,
            decisions: None,
        };
        if let Some(stem) = stem {
            return Ok(files(stem));
        }
        let started = jiff::Zoned::now().strftime("%Y_%m_%d_%H_%M_%S").to_string();
        // The product's name comes from the venue or a file.
        let harmless =
            |letter: char| if letter.is_ascii_alphanumeric() || "-._".contains(letter) { letter } else { '_' };
        let product: String = product.chars().take(64).map(harmless).collect();
        let mut again = 1;
        loop {
            let suffix = if again == 1 { String::new() } else { format!("_{again}") };
            let named = files(&format!("{started}{product}{suffix}"));
            match File::create_new(&named.csv) {
                Ok(_) => return Ok(named),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => again += 1,
                Err(error) => return Err(WriteError::at(&named.csv)(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_collide_and_hold_nothing_of_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<PathBuf> =
            (0..3).map(|_| RunFiles::create(folder.path(), "../a b/C-1", None).unwrap().csv).collect();
        for name in &names {
            assert_eq!(name.parent(), Some(folder.path()));
            assert!(name.to_str().unwrap().contains(".._a_b_C-1"), "{}", name.display());
            assert!(name.exists());
        }
        assert_ne!(names[0], names[1]);
        let named = RunFiles::create(folder.path(), "x", Some("run")).unwrap();
        assert_eq!(named.hlog, folder.path().join("run.hlog"));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = RunFiles::create(&file.join("in"), "x", None).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot write {}/in: ", file.display())), "{error}");
    }
}
