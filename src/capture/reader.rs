//! Reads captures line by line.

use super::blocks::{Block, BlockSource, Blocks, End, Progress};
use super::{CaptureError, Control, LineError};
use crate::base::swar;
use crate::market::units::{COUNT_MAX, parse_count};
use data_encoding::BASE64;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What a line carries.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A frame as it arrived.
    Frame(&'a [u8]),
    /// A word of the recorder.
    Control(Control),
}

/// One line of a capture.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// When the frame arrived: our clock, Unix nanoseconds.
    pub ts_recv_ns: i64,
    /// What arrived.
    pub item: Item<'a>,
    /// False for a last line without its line break: it may have been cut.
    pub terminated: bool,
}

/// How a capture ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    /// The compressed data ends in the middle.
    #[error("the compressed data of {path} ends early; the {lines} whole lines before the cut were used")]
    CompressedTail {
        /// The file.
        path: PathBuf,
        /// Whole lines.
        lines: u64,
    },
    /// The last line cannot be read and has no line break.
    #[error("the last line of {path} is cut; the {lines} whole lines before it were used")]
    LastLine {
        /// The file.
        path: PathBuf,
        /// Whole lines.
        lines: u64,
    },
}

/// Reads a capture line by line.
pub struct CaptureReader {
    path: PathBuf,
    blocks: Blocks,
    block: Block,
    /// Bytes of `block` already taken.
    taken: usize,
    /// Lines taken, the current one included.
    lines: u64,
    decoded: Vec<u8>,
    cut: Option<Cut>,
    progress: Arc<Progress>,
    /// How long lines had to wait for the reading thread.
    waited: Duration,
}

impl CaptureReader {
    /// Opens a capture, plain or compressed, as its first bytes tell.
    ///
    /// # Errors
    /// The file cannot be opened or read, or holds nothing.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let open_error = |source| CaptureError::Open { path: path.into(), source };
        let file = File::open(path).map_err(open_error)?;
        let metadata = file.metadata().map_err(open_error)?;
        if metadata.is_dir() {
            return Err(open_error(io::ErrorKind::IsADirectory.into()));
        }
        Self::from_input(path, file, metadata.len())
    }

    /// The same from any input, of so many bytes as far as is known. The path only names it.
    ///
    /// # Errors
    /// The input cannot be read, or holds nothing.
    pub fn from_input(path: &Path, input: impl Read + Send + 'static, bytes: u64) -> Result<Self, CaptureError> {
        let open_error = |source| CaptureError::Open { path: path.into(), source };
        let progress = Arc::new(Progress::of(bytes));
        let Some(source) = BlockSource::new(input, Arc::clone(&progress)).map_err(open_error)? else {
            return Err(CaptureError::Empty { path: path.into() });
        };
        Ok(Self {
            path: path.into(),
            blocks: Blocks::Inline(source),
            block: Block::default(),
            taken: 0,
            lines: 0,
            decoded: Vec::new(),
            cut: None,
            progress,
            waited: Duration::ZERO,
        })
    }

    /// Moves reading and decompressing to a thread of its own, which ends by itself at the end of the file or when this
    /// reader is dropped.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn read_ahead(mut self) -> Result<Self, CaptureError> {
        self.blocks = self.blocks.ahead().map_err(|source| CaptureError::Open { path: self.path.clone(), source })?;
        Ok(self)
    }

    /// Whether the file is not compressed.
    pub fn is_plain(&self) -> bool {
        self.blocks.is_plain()
    }

    /// How far the file has been read.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// How long lines had to wait for the reading thread, if there is one.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lines taken so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// After the last line: how the file was cut, if it was.
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Says that the unterminated line just taken cannot be used: it counts as cut.
    pub fn last_line_is_cut(&mut self) {
        self.lines -= 1;
        self.cut = Some(Cut::LastLine { path: self.path.clone(), lines: self.lines });
    }

    /// The next line, or `None` at the end.
    ///
    /// # Errors
    /// See [`CaptureError`]. After an error there are no more lines; all lines before it were good.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, CaptureError> {
        let (start, terminated) = loop {
            if self.taken == self.block.len && !self.next_block()? {
                return Ok(None);
            }
            let start = self.taken;
            let rest = &self.block.bytes[start..self.block.len];
            let at = memchr::memchr(b'\n', rest);
            self.taken = start + at.map_or(rest.len(), |at| at + 1);
            self.lines += 1;
            // Empty lines are passed over.
            if !rest[..at.unwrap_or(rest.len())].iter().all(u8::is_ascii_whitespace) {
                break (start, at.is_some());
            }
        };
        let line = &self.block.bytes[start..self.taken - usize::from(terminated)];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match parse_line(line, &mut self.decoded) {
            Ok((ts_recv_ns, Parsed::Frame(frame))) => {
                Ok(Some(Line { ts_recv_ns, item: Item::Frame(frame), terminated }))
            }
            Ok((ts_recv_ns, Parsed::Decoded)) => {
                Ok(Some(Line { ts_recv_ns, item: Item::Frame(&self.decoded), terminated }))
            }
            Ok((ts_recv_ns, Parsed::Control(control))) => {
                Ok(Some(Line { ts_recv_ns, item: Item::Control(control), terminated }))
            }
            Err(_) if !terminated && self.lines > 1 => {
                self.lines -= 1;
                self.cut = Some(Cut::LastLine { path: self.path.clone(), lines: self.lines });
                Ok(None)
            }
            Err(reason) => {
                // Nothing more, whatever is asked.
                self.taken = self.block.len;
                self.block.end = Some(End::File);
                let (path, line) = (self.path.clone(), self.lines);
                Err(if line == 1 {
                    CaptureError::NotACapture { path, reason }
                } else {
                    CaptureError::BadLine { path, line, reason }
                })
            }
        }
    }

    /// Takes the next block that has lines. False at the end of the file.
    fn next_block(&mut self) -> Result<bool, CaptureError> {
        loop {
            match self.block.end.take() {
                None => {}
                Some(End::File) if self.lines == 0 => return Err(CaptureError::Empty { path: self.path.clone() }),
                Some(End::File) => {
                    self.block = Block { end: Some(End::File), ..Block::default() };
                    self.taken = 0;
                    return Ok(false);
                }
                Some(End::Cut) if self.lines == 0 => {
                    self.finish();
                    return Err(CaptureError::CutAtStart { path: self.path.clone() });
                }
                Some(End::Cut) => {
                    self.cut = Some(Cut::CompressedTail { path: self.path.clone(), lines: self.lines });
                    self.finish();
                    return Ok(false);
                }
                Some(End::Failed(source)) => {
                    let error = CaptureError::Read { path: self.path.clone(), lines: self.lines, source };
                    self.finish();
                    return Err(error);
                }
                Some(End::LineTooLong) => {
                    let error = CaptureError::LineTooLong { path: self.path.clone(), line: self.lines + 1 };
                    self.finish();
                    return Err(error);
                }
            }
            self.taken = 0;
            self.waited += self.blocks.next(&mut self.block);
            if self.block.len > 0 {
                return Ok(true);
            }
        }
    }

    /// From here on there is nothing more, whatever is asked.
    fn finish(&mut self) {
        self.lines = self.lines.max(1);
        self.block = Block { end: Some(End::File), ..Block::default() };
        self.taken = 0;
    }
}

enum Parsed<'a> {
    Frame(&'a [u8]),
    Decoded,
    Control(Control),
}

/// Splits a line; a frame in base64 is decoded into `decoded`.
fn parse_line<'a>(line: &'a [u8], decoded: &mut Vec<u8>) -> Result<(i64, Parsed<'a>), LineError> {
    let space = memchr::memchr(b' ', line).ok_or(LineError::NoTime)?;
    let (time, frame) = (&line[..space], &line[space + 1..]);
    let usual = swar::whole(time).filter(|&count| count <= COUNT_MAX);
    let ts_recv_ns = usual.map_or_else(|| parse_count(time, 0), Ok).map_err(|_| LineError::NoTime)?;
    // COUNT_MAX is i64::MAX.
    let ts_recv_ns = ts_recv_ns as i64;
    if frame.is_empty() {
        return Err(LineError::NoFrame);
    }
    let parsed = match Control::parse(frame) {
        None => Parsed::Frame(frame),
        Some(Ok(Control::Frame { base64 })) => {
            *decoded = BASE64.decode(base64.as_bytes()).map_err(|error| LineError::BadControl(error.to_string()))?;
            Parsed::Decoded
        }
        Some(Ok(control)) => Parsed::Control(control),
        Some(Err(error)) => return Err(LineError::BadControl(error.to_string())),
    };
    Ok((ts_recv_ns, parsed))
}
