//! Writes captures. Not for a hot thread: it compresses and writes where it is called.

use super::{CaptureError, Control, encode, fits_on_a_line};
use crate::base::output::{IfTaken, Output};
use flate2::write::GzEncoder;
use std::io::{self, Write};
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
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

enum Encoded {
    Plain(Output),
    Gzip(GzEncoder<Output>),
    Zstd(zstd::Encoder<'static, Output>),
}

impl Encoded {
    fn new(compression: Compression, place: Output) -> io::Result<Self> {
        Ok(match compression {
            Compression::Plain => Self::Plain(place),
            Compression::Gzip => Self::Gzip(GzEncoder::new(place, flate2::Compression::default())),
            Compression::Zstd => Self::Zstd(zstd::Encoder::new(place, ZSTD_LEVEL)?),
        })
    }

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
    output: Encoded,
}

impl CaptureWriter {
    /// Begins a new capture that is read by others while it grows; the name's ending chooses the compression.
    ///
    /// # Errors
    /// The file is there, or it cannot be made.
    pub fn create(path: &Path) -> Result<Self, CaptureError> {
        Self::open(path, IfTaken::Refuse)
    }

    /// The same, where a file that is there need not be refused.
    ///
    /// # Errors
    /// The file is there and `if_taken` refuses, or it cannot be made.
    pub fn open(path: &Path, if_taken: IfTaken) -> Result<Self, CaptureError> {
        Self::new(Output::growing(path, if_taken)?)
    }

    /// Begins a capture that is in its place when [`CaptureWriter::finish`] has made it whole.
    ///
    /// # Errors
    /// The file is there and `force` does not say to replace it, or its folder cannot be written to.
    pub fn whole(path: &Path, force: bool) -> Result<Self, CaptureError> {
        Self::new(Output::create(path, force)?)
    }

    fn new(place: Output) -> Result<Self, CaptureError> {
        let path = place.path().to_owned();
        match Encoded::new(Compression::of(&path), place) {
            Ok(output) => Ok(Self { path, output }),
            Err(source) => Err(CaptureError::Write { path, source }),
        }
    }

    /// Where it is written to.
    pub fn path(&self) -> &Path {
        &self.path
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
        let place = match output {
            Encoded::Plain(place) => Ok(place),
            Encoded::Gzip(writer) => writer.finish(),
            Encoded::Zstd(writer) => writer.finish(),
        };
        let error = |source| CaptureError::Write { path, source };
        Ok(place.map_err(error)?.finish()?)
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CaptureError> {
        write(self.output.writer()).map_err(|source| CaptureError::Write { path: self.path.clone(), source })
    }
}
