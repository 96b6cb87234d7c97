//! Writes captures. Not for a hot thread: it compresses and writes where it is called.

use super::{CaptureError, Control, encode, fits_on_a_line};
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const ZSTD_LEVEL: i32 = 3;

/// How a capture is compressed, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    Plain,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

impl Compression {
    /// What a file name asks for.
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

enum Output {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

impl Output {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(writer) => writer,
            Self::Gzip(writer) => writer,
            Self::Zstd(writer) => writer,
        }
    }
}

/// Writes a capture, line by line. Without [`CaptureWriter::finish`] a compressed file lacks its end and is read as cut.
pub struct CaptureWriter {
    path: PathBuf,
    output: Output,
}

impl CaptureWriter {
    /// Creates or replaces the file; the name's ending chooses the compression.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn create(path: &Path) -> Result<Self, CaptureError> {
        let create = || -> io::Result<Output> {
            let file = BufWriter::with_capacity(256 << 10, File::create(path)?);
            Ok(match Compression::of(path) {
                Compression::Plain => Output::Plain(file),
                Compression::Gzip => Output::Gzip(GzEncoder::new(file, flate2::Compression::default())),
                Compression::Zstd => Output::Zstd(zstd::Encoder::new(file, ZSTD_LEVEL)?),
            })
        };
        let output = create().map_err(|source| CaptureError::Write { path: path.into(), source })?;
        Ok(Self { path: path.into(), output })
    }

    /// Appends a frame as it arrived.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn frame(&mut self, ts_recv_ns: i64, frame: &[u8]) -> Result<(), CaptureError> {
        if !fits_on_a_line(frame) {
            return self.control(ts_recv_ns, &encode(frame));
        }
        self.write(|writer| {
            write!(writer, "{ts_recv_ns} ")?;
            writer.write_all(frame)?;
            writer.write_all(b"\n")
        })
    }

    /// Appends a word of the recorder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn control(&mut self, ts_recv_ns: i64, control: &Control) -> Result<(), CaptureError> {
        self.write(|writer| {
            write!(writer, "{ts_recv_ns} ")?;
            serde_json::to_writer(&mut *writer, control)?;
            writer.write_all(b"\n")
        })
    }

    /// Hands everything written so far to the system, so that it survives the end of this process.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn flush(&mut self) -> Result<(), CaptureError> {
        self.write(|writer| writer.flush())
    }

    /// Ends the file properly.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> Result<(), CaptureError> {
        let Self { path, output } = self;
        let finish = || match output {
            Output::Plain(mut writer) => writer.flush(),
            Output::Gzip(writer) => writer.finish()?.flush(),
            Output::Zstd(writer) => writer.finish()?.flush(),
        };
        finish().map_err(|source| CaptureError::Write { path, source })
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CaptureError> {
        write(self.output.writer()).map_err(|source| CaptureError::Write { path: self.path.clone(), source })
    }
}
