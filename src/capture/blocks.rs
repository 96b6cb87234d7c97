//! A capture's bytes as blocks of whole lines, plain or decompressed.
//!
//! Reading and decompressing can be moved to a thread of its own ([`Blocks::ahead`]), which hands over blocks and gets them back
//! to fill again; the thread that takes the lines then does no I/O.

use super::{LINE_BYTES_MAX, ZSTD_WINDOW_LOG_MAX};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes asked of the file, or of its decompressor, at a time.
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
    /// Nothing read yet of so many bytes.
    pub fn of(bytes_total: u64) -> Self {
        Self { bytes_total: bytes_total.into(), ..Self::default() }
    }

    /// A reader that counts the bytes that pass.
    pub fn counting<R: Read>(progress: &Arc<Self>, inner: R) -> impl Read + use<R> {
        Counted { inner, progress: Arc::clone(progress) }
    }

    /// The first so many bytes have been read.
    pub fn read_to(&self, bytes: u64) {
        self.bytes_read.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of the file as it lies on disk that have been read.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// The file's length when it was opened.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total.load(Ordering::Relaxed)
    }
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

/// Whole lines, each with its line break except perhaps the last of the file.
#[derive(Default)]
pub(super) struct Block {
    /// Its first `len` bytes are the lines. What lies behind them is left from before: clearing it for every read would
    /// cost as much as a good part of the reading.
    pub bytes: Vec<u8>,
    pub len: usize,
    pub end: Option<End>,
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
pub(super) enum End {
    File,
    Cut,
    Failed(io::Error),
    LineTooLong,
}

/// The file's bytes as blocks of whole lines.
pub(super) struct BlockSource {
    input: Box<dyn Read + Send>,
    is_plain: bool,
    carry: Vec<u8>,
}

impl BlockSource {
    /// Takes an input, plain or compressed, as its first bytes tell. `None` when it holds nothing.
    pub fn new(mut input: impl Read + Send + 'static, progress: Arc<Progress>) -> io::Result<Option<Self>> {
        let mut magic = Vec::with_capacity(ZSTD_MAGIC.len());
        input.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut magic)?;
        if magic.is_empty() {
            return Ok(None);
        }
        let counted = Counted { inner: io::Cursor::new(magic.clone()).chain(input), progress };
        let (is_gzip, is_zstd) = (magic.starts_with(GZIP_MAGIC), magic == ZSTD_MAGIC);
        let input: Box<dyn Read + Send> = if is_gzip {
            Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, counted)))
        } else if is_zstd {
            let mut decoder = zstd::Decoder::new(counted)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        } else {
            Box::new(counted)
        };
        Ok(Some(Self { input, is_plain: !is_gzip && !is_zstd, carry: Vec::with_capacity(READ_BYTES) }))
    }

    /// Fills `block`. A block with an `end` is the last.
    fn fill(&mut self, block: &mut Block) {
        block.end = None;
        block.len = 0;
        if block.bytes.capacity() == 0 {
            // For any block but one of a longer line: a feed that reads for itself allocates no more.
            block.bytes.reserve(BLOCK_BYTES + READ_BYTES);
        }
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
pub(super) enum Blocks {
    Inline(BlockSource),
    Ahead { filled: Receiver<Block>, empty: Sender<Block> },
}

impl Blocks {
    /// Whether the file is not compressed. Only before it is read ahead.
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Inline(source) if source.is_plain)
    }

    /// Moves reading and decompressing to a thread of its own, which ends by itself with its last block or when nobody takes
    /// its blocks any more.
    pub fn ahead(self) -> io::Result<Self> {
        let Self::Inline(mut source) = self else { return Ok(self) };
        let (filled_in, filled) = bounded::<Block>(BLOCKS_AHEAD);
        let (empty, empty_out) = bounded::<Block>(BLOCKS_AHEAD + 1);
        for _ in 0..BLOCKS_AHEAD {
            empty.send(Block::default()).expect("the channel holds all blocks");
        }
        thread::Builder::new().name("capture-reader".into()).spawn(move || {
            while let Ok(mut block) = empty_out.recv() {
                source.fill(&mut block);
                let last = block.end.is_some();
                if filled_in.send(block).is_err() || last {
                    break;
                }
            }
        })?;
        Ok(Self::Ahead { filled, empty })
    }

    /// Replaces `block` by the next one. Gives how long the reading thread kept it waiting.
    pub fn next(&mut self, block: &mut Block) -> Duration {
        let mut waited = Duration::ZERO;
        match self {
            Self::Inline(source) => source.fill(block),
            Self::Ahead { filled, empty } => {
                // A closed channel means that the reading thread has already sent its last block.
                let _ = empty.try_send(std::mem::take(block));
                let next = filled.try_recv().or_else(|_| {
                    let from = Instant::now();
                    let next = filled.recv();
                    waited = from.elapsed();
                    next
                });
                *block = next.unwrap_or(Block { end: Some(End::File), ..Block::default() });
            }
        }
        waited
    }
}
