//! Reads captures: the file's bytes into blocks of whole lines, the blocks into lines.
//!
//! Reading and decompressing can be moved to a thread of its own ([`CaptureReader::read_ahead`]), which hands over
//! blocks and gets them back to fill again; the thread that takes the lines then does no I/O.

use super::{CaptureError, Control, LINE_BYTES_MAX, LineError, ZSTD_WINDOW_LOG_MAX};
use crossbeam_channel::{Receiver, Sender, bounded};
use data_encoding::BASE64;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes asked of the decompressor at a time.
const READ_BYTES: usize = 64 << 10;
/// A block is handed over once it holds this many bytes of whole lines.
const BLOCK_BYTES: usize = 256 << 10;
/// Blocks in flight between the reading thread and the taking one.
const BLOCKS_AHEAD: usize = 4;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How far a capture has been read, for a progress bar in another thread.
#[derive(Debug, Default)]
pub struct Progress {
    bytes_read: AtomicU64,
    bytes_total: AtomicU64,
}

impl Progress {
    /// Bytes of the file as it lies on disk that have been read.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// The file's length when it was opened.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total.load(Ordering::Relaxed)
    }
}

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

/// Whole lines, each with its line break except perhaps the last of the file.
#[derive(Default)]
struct Block {
    /// Its first `len` bytes are the lines. What lies behind them is left from before: clearing it for every read would
    /// cost as much as a good part of the reading.
    bytes: Vec<u8>,
    len: usize,
    end: Option<End>,
}

impl Block {
    fn lines(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// So many bytes of room behind the lines.
    fn room(&mut self, bytes: usize) -> &mut [u8] {
        if self.bytes.len() < self.len + bytes {
            self.bytes.resize(self.len + bytes, 0);
        }
        &mut self.bytes[self.len..self.len + bytes]
    }
}

/// What follows a block when it is the last.
enum End {
    File,
    Cut,
    Failed(io::Error),
    LineTooLong,
}

/// The file's bytes as blocks of whole lines.
struct BlockSource {
    input: Box<dyn Read + Send>,
    carry: Vec<u8>,
}

impl BlockSource {
    /// Fills `block`. A block with an `end` is the last.
    fn fill(&mut self, block: &mut Block) {
        block.end = None;
        block.len = 0;
        block.room(self.carry.len()).copy_from_slice(&self.carry);
        block.len = self.carry.len();
        self.carry.clear();
        // Where the last line begins: all before it are whole.
        let mut line_start = 0;
        loop {
            let before = block.len;
            match self.input.read(block.room(READ_BYTES)) {
                Ok(0) => {
                    block.end = Some(End::File);
                    return;
                }
                Ok(read) => {
                    block.len += read;
                    // Only the line that was begun before can have become too long.
                    let fresh = &block.lines()[before..];
                    let first_break = memchr::memchr(b'\n', fresh);
                    let last_break = first_break.and_then(|_| memchr::memrchr(b'\n', fresh));
                    if first_break.map_or(block.len, |first| before + first) - line_start > LINE_BYTES_MAX {
                        block.len = line_start;
                        block.end = Some(End::LineTooLong);
                        return;
                    }
                    if let Some(last) = last_break {
                        line_start = before + last + 1;
                    }
                    if block.len >= BLOCK_BYTES && line_start > 0 {
                        self.carry.extend_from_slice(&block.lines()[line_start..]);
                        block.len = line_start;
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    block.len = line_start;
                    let cut = error.kind() == io::ErrorKind::UnexpectedEof;
                    block.end = Some(if cut { End::Cut } else { End::Failed(error) });
                    return;
                }
            }
        }
    }
}

/// Where the blocks come from.
enum Blocks {
    Inline(BlockSource),
    Ahead { filled: Receiver<Block>, empty: Sender<Block> },
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

/// A reader that counts the bytes that pass.
struct Counted<R> {
    inner: R,
    progress: Arc<Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.progress.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
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
    pub fn from_input(path: &Path, mut input: impl Read + Send + 'static, bytes: u64) -> Result<Self, CaptureError> {
        let open_error = |source| CaptureError::Open { path: path.into(), source };
        let progress = Arc::new(Progress::default());
        progress.bytes_total.store(bytes, Ordering::Relaxed);

        let mut magic = Vec::with_capacity(ZSTD_MAGIC.len());
        input.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut magic).map_err(open_error)?;
        if magic.is_empty() {
            return Err(CaptureError::Empty { path: path.into() });
        }
        let whole = io::Cursor::new(magic.clone()).chain(input);
        let counted = Counted { inner: whole, progress: Arc::clone(&progress) };
        let input: Box<dyn Read + Send> = if magic.starts_with(GZIP_MAGIC) {
            Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, counted)))
        } else if magic == ZSTD_MAGIC {
            let mut decoder = zstd::Decoder::new(counted).map_err(open_error)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(open_error)?;
            Box::new(decoder)
        } else {
            Box::new(counted)
        };
        Ok(Self {
            path: path.into(),
            blocks: Blocks::Inline(BlockSource { input, carry: Vec::new() }),
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
        let Blocks::Inline(mut source) = self.blocks else { return Ok(self) };
        let (filled_in, filled) = bounded::<Block>(BLOCKS_AHEAD);
        let (empty, empty_out) = bounded::<Block>(BLOCKS_AHEAD + 1);
        for _ in 0..BLOCKS_AHEAD {
            empty.send(Block::default()).expect("the channel holds all blocks");
        }
        thread::Builder::new()
            .name("capture-reader".into())
            .spawn(move || {
                while let Ok(mut block) = empty_out.recv() {
                    source.fill(&mut block);
                    let last = block.end.is_some();
                    if filled_in.send(block).is_err() || last {
                        break;
                    }
                }
            })
            .map_err(|source| CaptureError::Open { path: self.path.clone(), source })?;
        self.blocks = Blocks::Ahead { filled, empty };
        Ok(self)
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
        if self.taken == self.block.len && !self.next_block()? {
            return Ok(None);
        }
        let rest = &self.block.bytes[self.taken..self.block.len];
        let (line, terminated) = match memchr::memchr(b'\n', rest) {
            Some(at) => (&rest[..at], true),
            None => (rest, false),
        };
        self.taken += line.len() + usize::from(terminated);
        self.lines += 1;
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
            match &mut self.blocks {
                Blocks::Inline(source) => source.fill(&mut self.block),
                Blocks::Ahead { filled, empty } => {
                    let used = std::mem::take(&mut self.block);
                    // A closed channel means that the reading thread has already sent its last block.
                    let _ = empty.try_send(used);
                    let block = filled.try_recv().or_else(|_| {
                        let from = Instant::now();
                        let block = filled.recv();
                        self.waited += from.elapsed();
                        block
                    });
                    self.block = block.unwrap_or(Block { end: Some(End::File), ..Block::default() });
                }
            }
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
    let ts_recv_ns = crate::units::parse_count(time, 0).map_err(|_| LineError::NoTime)?;
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
