//! When each frame was given to one client's socket.

use super::config::ExchangeError;
use crate::base::output::{IfTaken, OutputError, open};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Frames that are logged: a quarter of an hour at 2,000 a second, 32 MiB, reserved at the start.
const FRAMES_MAX: usize = 1 << 21;

/// A log in memory until its client is gone.
#[derive(Debug)]
pub(super) struct SendLog {
    path: PathBuf,
    file: File,
    /// `(sequence_num, wall_ns)`.
    frames: Vec<(u64, i64)>,
}

impl SendLog {
    /// Creates the file, so that a path that cannot be written shows at the start.
    pub fn create(path: &Path, replace: bool) -> Result<Self, ExchangeError> {
        let (path, file) = open(path, IfTaken::refuse_unless(replace))?;
        Ok(Self { path, file, frames: Vec::with_capacity(FRAMES_MAX) })
    }

    /// Notes a frame, unless the log is full.
    pub fn push(&mut self, sequence_num: u64, wall_ns: i64) {
        if self.frames.len() < FRAMES_MAX {
            self.frames.push((sequence_num, wall_ns));
        }
    }

    /// Writes `sequence_num wall_ns` lines.
    pub fn write(self) -> Result<(), ExchangeError> {
        let Self { path, file, frames } = self;
        let write = || {
            let mut file = BufWriter::new(file);
            for (sequence_num, wall_ns) in frames {
                writeln!(file, "{sequence_num} {wall_ns}")?;
            }
            file.flush()
        };
        Ok(write().map_err(OutputError::at(&path))?)
    }
}
