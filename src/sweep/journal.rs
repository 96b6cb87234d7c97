//! What a sweep has done so far, on disk: a line for the sweep, then a line for every part as it is made. A sweep that was stopped, or
//! killed, goes on from it.
//!
//! ```
//! use papertrader::sweep::journal::{Identity, Journal};
//! use papertrader::sweep::result::SweepResult;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("a.sweep.part");
//! let identity = Identity::default();
//! drop(Journal::begin(&path, &identity, false)?);
//! let (_, parts) = Journal::go_on(&path, &identity)?;
//! assert!(parts.is_empty());
//! let other = Identity { slices: 9, ..identity };
//! let error = Journal::go_on(&path, &other).unwrap_err().to_string();
//! assert!(error.ends_with("a.sweep.part is of a sweep of other slices; give the same arguments, or another name"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::Part;
use super::plan::Plan;
use super::result::{Setting, SweptModel};
use crate::base::output::{IfTaken, OutputError, is_special, open};
use crate::research::source::sha256;
use crate::sources::files::companion;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The longest line: a part of [`super::TRADERS_MAX`] traders with all slices.
const LINE_BYTES_MAX: u64 = 256 << 20;

/// What two sweeps have in common of which one goes on where the other ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The program's version.
    pub program_version: String,
    /// By their numbers.
    pub models: Vec<SweptModel>,
    /// By their numbers.
    pub settings: Vec<Setting>,
    /// As they were named, by their numbers.
    pub captures: Vec<String>,
    /// Of each capture's time.
    pub slices: u32,
    /// Everything else that rows depend on, in words.
    pub told: String,
}

impl Identity {
    /// Of a plan.
    pub fn of(plan: &Plan) -> Self {
        let Plan { market, fee_bps, fees, accounts, logs, .. } = plan;
        // What is wrong with it is said where it is read.
        let opening = market.reader.initial_snapshot.as_deref().and_then(|path| sha256(path).ok());
        Self {
            program_version: env!("CARGO_PKG_VERSION").into(),
            models: plan.models.iter().map(|model| model.facts.clone()).collect(),
            settings: plan.settings.clone(),
            captures: plan.captures.iter().map(|path| path.display().to_string()).collect(),
            slices: plan.slices,
            told: format!("{market:?} {opening:?} {fee_bps:?} {fees:?} {accounts:?} {:?}", logs.is_some()),
        }
    }

    /// In what two differ first; `None` where they do not.
    fn differs(&self, other: &Self) -> Option<&'static str> {
        let pairs = [
            ("program versions", self.program_version == other.program_version),
            ("models", self.models == other.models),
            ("settings", self.settings == other.settings),
            ("captures", self.captures == other.captures),
            ("slices", self.slices == other.slices),
            ("options", self.told == other.told),
        ];
        pairs.into_iter().find(|&(_, is_same)| !is_same).map(|(what, _)| what)
    }
}

/// Why a sweep cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is none.
    #[error("{0} is not there: no sweep of that name was stopped; leave --resume out")]
    Missing(PathBuf),
    /// The file.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line that no sweep writes.
    #[error("{path}, line {line}: {what}; give --force instead of --resume to begin again")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// Of another sweep.
    #[error("{path} is of a sweep of other {what}; give the same arguments, or another name")]
    Other {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// A capture is not what its rows were made of.
    #[error("{capture} is not what it was when {path} was written; give --force instead of --resume to begin again")]
    Changed {
        /// The file.
        path: PathBuf,
        /// The capture.
        capture: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// A journal that grows. No other sweep writes it meanwhile.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Begins one.
    ///
    /// # Errors
    /// It is there and not to be replaced, another sweep writes it, or it cannot be written.
    pub fn begin(path: &Path, identity: &Identity, replace: bool) -> Result<Self, OutputError> {
        let file = if replace && path.exists() && !is_special(path) {
            // Emptied only once it is ours.
            let file = OpenOptions::new().write(true).open(path).map_err(OutputError::at(path))?;
            hold(&file, path)?;
            file.set_len(0).map_err(OutputError::at(path))?;
            file
        } else {
            let (_, file) = open(path, IfTaken::refuse_unless(replace))?;
            hold(&file, path)?;
            file
        };
        let mut journal = Self { path: path.into(), file };
        journal.line(identity)?;
        Ok(journal)
    }

    /// Opens one that a sweep left, and gives what it had done. A line that was not written to its end is cut off.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn go_on(path: &Path, identity: &Identity) -> Result<(Self, Vec<Part>), JournalError> {
        let read = |source| JournalError::Read { path: path.into(), source };
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(JournalError::Missing(path.into())),
            file => file.map_err(read)?,
        };
        hold(&file, path)?;
        let mut reader = BufReader::new(&file);
        let (mut bytes, mut whole, mut number) = (Vec::new(), 0, 0);
        let mut parts: Vec<Part> = Vec::new();
        loop {
            bytes.clear();
            let length = io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut bytes).map_err(read)?;
            number += 1;
            let wrong = |what: String| JournalError::Line { path: path.into(), line: number, what };
            if bytes.last() != Some(&b'\n') {
                if length as u64 == LINE_BYTES_MAX {
                    return Err(wrong(format!("it is longer than {LINE_BYTES_MAX} bytes")));
                }
                break;
            }
            let json = |error: serde_json::Error| wrong(error.to_string());
            if number == 1 {
                let written: Identity = serde_json::from_slice(&bytes).map_err(json)?;
                if let Some(what) = written.differs(identity) {
                    return Err(JournalError::Other { path: path.into(), what });
                }
            } else {
                let part: Part = serde_json::from_slice(&bytes).map_err(json)?;
                check(&part, identity).map_err(wrong)?;
                parts.push(part);
            }
            whole += length as u64;
        }
        if whole == 0 {
            // Killed before its first line: as good as a new one.
            drop(file);
            return Ok((Self::begin(path, identity, true)?, Vec::new()));
        }
        let cut = file.set_len(whole).and_then(|()| (&file).seek(SeekFrom::End(0)));
        cut.map_err(OutputError::at(path))?;
        Ok((Self { path: path.into(), file }, parts))
    }

    /// Appends a part. It is the system's when this returns.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, part: &Part) -> Result<(), OutputError> {
        self.line(part)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), OutputError> {
        let error = OutputError::at(&self.path);
        let mut line = serde_json::to_vec(value).map_err(|cause| error(cause.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(error)
    }
}

/// Keeps other sweeps from a journal as long as it is open, where the system can.
fn hold(file: &File, path: &Path) -> Result<(), OutputError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(OutputError::at(path)(io::Error::other("another sweep writes it"))),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Whether a part is one that a sweep of this kind writes.
///
/// # Errors
/// What is wrong with it.
pub fn check(part: &Part, identity: &Identity) -> Result<(), String> {
    let Part { capture, rows } = part;
    if identity.captures.get(capture.number as usize) != Some(&capture.path) {
        return Err(format!("capture {} is not {}", capture.number, capture.path));
    }
    if capture.in_sample.len() != identity.models.len() {
        return Err("it does not say of every model whether it is in sample".into());
    }
    let slices = identity.slices as usize;
    let is_wrong = |row: &&super::result::Row| {
        row.capture != capture.number
            || row.setting as usize >= identity.settings.len()
            || row.slice_net.len() != slices
            || row.slice_bought.len() != slices
    };
    match rows.iter().find(is_wrong) {
        Some(row) => {
            Err(format!("the row of capture {} and setting {} is none of the sweep's", row.capture, row.setting))
        }
        None => Ok(()),
    }
}

/// Refuses to go on with rows of captures that are other files now, or are read beside others. What is not there is not looked at.
///
/// # Errors
/// [`JournalError::Changed`].
pub fn check_captures(path: &Path, parts: &[Part]) -> Result<(), JournalError> {
    let is_changed = |part: &&Part| {
        let capture = Path::new(&part.capture.path);
        let Ok(length) = capture.metadata().map(|file| file.len()) else { return false };
        length != part.capture.bytes
            || sha256(capture).is_ok_and(|now| now != part.capture.sha256)
            || beside_sha256(capture) != part.capture.beside_sha256
    };
    match parts.iter().find(is_changed) {
        Some(part) => Err(JournalError::Changed { path: path.into(), capture: part.capture.path.clone() }),
        None => Ok(()),
    }
}

/// The hash of the file that is read beside a capture, if there is one.
pub fn beside_sha256(capture: &Path) -> Option<String> {
    companion(capture).and_then(|beside| sha256(&beside).ok())
}
