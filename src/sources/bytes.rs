//! A file's bytes, plain or decompressed, and lines of them of bounded length.
//!
//! ```
//! use papertrader::sources::bytes::{Lines, open};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("rows.csv");
//! std::fs::write(&path, "a,b\r\n1,2")?;
//! let mut lines = Lines::new(&path, open(&path)?);
//! assert_eq!(lines.next()?, Some(&b"a,b"[..]));
//! assert_eq!(lines.next()?, Some(&b"1,2"[..]));
//! assert_eq!(lines.number(), 2);
//! assert_eq!(lines.next()?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::ReadError;
use crate::capture::{LINE_BYTES_MAX, Progress, ZSTD_WINDOW_LOG_MAX};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Bytes asked for at a time.
const READ_BYTES: usize = 256 << 10;

/// A file's content, decompressed by its first bytes, and how far the file has been read.
pub struct Bytes {
    inner: Box<dyn Read + Send>,
    progress: Arc<Progress>,
}

impl Bytes {
    /// How far the file has been read.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

/// Opens a file, plain, gzip or zstd.
///
/// # Errors
/// The system says why.
pub fn open(path: &Path) -> Result<Bytes, ReadError> {
    let wrong = |error: io::Error| ReadError::file(path, format_args!("cannot be read: {error}"));
    let file = File::open(path).map_err(wrong)?;
    let metadata = file.metadata().map_err(wrong)?;
    if metadata.is_dir() {
        return Err(ReadError::file(path, "is a folder"));
    }
    let progress = Arc::new(Progress::of(metadata.len()));
    let mut counted = Progress::counting(&progress, file);
    let mut magic = [0; 4];
    let mut have = 0;
    while have < magic.len() {
        match counted.read(&mut magic[have..]) {
            Ok(0) => break,
            Ok(read) => have += read,
            Err(again) if again.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(wrong(error)),
        }
    }
    let whole = io::Cursor::new(magic[..have].to_vec()).chain(counted);
    let inner: Box<dyn Read + Send> = if magic[..have].starts_with(GZIP_MAGIC) {
        Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, whole)))
    } else if magic[..have].starts_with(ZSTD_MAGIC) {
        let mut decoder = zstd::stream::read::Decoder::new(whole).map_err(wrong)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(wrong)?;
        Box::new(decoder)
    } else {
        Box::new(whole)
    };
    Ok(Bytes { inner, progress })
}

/// Lines of bounded length, without their breaks.
pub struct Lines {
    path: PathBuf,
    bytes: Bytes,
    buffer: Vec<u8>,
    /// What of the buffer has been read from the file and not been given.
    from: usize,
    to: usize,
    number: u64,
    is_at_end: bool,
}

impl Lines {
    /// Of a file's bytes.
    pub fn new(path: &Path, bytes: Bytes) -> Self {
        Self { path: path.into(), bytes, buffer: vec![0; READ_BYTES], from: 0, to: 0, number: 0, is_at_end: false }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far the file has been read.
    pub fn progress(&self) -> Arc<Progress> {
        self.bytes.progress()
    }

    /// The number of the line given last, counted from 1; 0 before.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The error of the line given last.
    pub fn wrong(&self, what: impl std::fmt::Display) -> ReadError {
        ReadError::row(&self.path, self.number, what)
    }

    /// The next line, without `\n` or `\r\n`; `None` at the end.
    ///
    /// # Errors
    /// The file or its compression ends in the middle, or a line is longer than [`LINE_BYTES_MAX`].
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn next(&mut self) -> Result<Option<&[u8]>, ReadError> {
        let mut looked = self.from;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[looked..self.to]) {
                let (from, end) = (self.from, looked + at);
                self.from = end + 1;
                self.number += 1;
                let line = &self.buffer[from..end];
                return Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)));
            }
            looked = self.to;
            if self.is_at_end {
                let line = &self.buffer[self.from..self.to];
                self.from = self.to;
                self.number += u64::from(!line.is_empty());
                return Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)).filter(|line| !line.is_empty()));
            }
            looked -= self.fill()?;
        }
    }

    /// Reads more. Gives by how much what there was has moved to the front.
    fn fill(&mut self) -> Result<usize, ReadError> {
        let moved = self.from;
        if moved > 0 {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - moved);
        }
        if self.to == self.buffer.len() {
            if self.to > LINE_BYTES_MAX {
                let what = format!("is longer than {LINE_BYTES_MAX} bytes");
                return Err(ReadError::row(&self.path, self.number + 1, what));
            }
            self.buffer.resize(2 * self.to, 0);
        }
        loop {
            match self.bytes.read(&mut self.buffer[self.to..]) {
                Ok(0) => {
                    self.is_at_end = true;
                    return Ok(moved);
                }
                Ok(read) => {
                    self.to += read;
                    return Ok(moved);
                }
                Err(again) if again.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    let what = "the compressed data ends early; what came before was used";
                    return Err(ReadError::row(&self.path, self.number + 1, what));
                }
                Err(error) => {
                    return Err(ReadError::row(&self.path, self.number + 1, format_args!("cannot be read: {error}")));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lines_are_those_of_the_text(lines in prop::collection::vec("[a-z,]{0,40}", 0..50), crlf in any::<bool>(), long in 0..3_usize) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.csv");
            let long = "y".repeat(long * 300_000);
            let all: Vec<&str> = lines.iter().map(String::as_str).chain([long.as_str(), "end"]).collect();
            std::fs::write(&path, all.join(if crlf { "\r\n" } else { "\n" })).unwrap();
            let mut read = Lines::new(&path, open(&path).unwrap());
            for line in all {
                prop_assert_eq!(read.next().unwrap(), Some(line.as_bytes()));
            }
            prop_assert_eq!(read.next().unwrap(), None);
        }
    }
}
