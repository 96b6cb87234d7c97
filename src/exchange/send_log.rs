//! When each frame was given to one client's socket.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// Frames that are logged: a quarter of an hour at 2,000 a second, 32 MiB, reserved at the start.
const FRAMES_MAX: usize = 1 << 21;

/// A log in memory until its client is gone.
#[derive(Debug)]
pub(super) struct SendLog {
    path: PathBuf,
    /// `(sequence_num, wall_ns)`.
    frames: Vec<(u64, i64)>,
}

impl SendLog {
    pub fn new(path: PathBuf) -> Self {
        Self { path, frames: Vec::with_capacity(FRAMES_MAX) }
    }

    /// Notes a frame, unless the log is full.
    pub fn push(&mut self, sequence_num: u64, wall_ns: i64) {
        if self.frames.len() < FRAMES_MAX {
            self.frames.push((sequence_num, wall_ns));
        }
    }

    /// Writes `sequence_num wall_ns` lines.
    pub fn write(&self) -> Result<(), super::ExchangeError> {
        let write = || {
            let mut file = BufWriter::new(File::create(&self.path)?);
            for (sequence_num, wall_ns) in &self.frames {
                writeln!(file, "{sequence_num} {wall_ns}")?;
            }
            file.flush()
        };
        write().map_err(|source| super::ExchangeError::Write { path: self.path.clone(), source })
    }
}
