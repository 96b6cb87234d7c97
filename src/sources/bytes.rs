//! A file's bytes, plain or decompressed, out of a tar archive where they are in one, and lines of them of bounded length.
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
//! assert_eq!((lines.number(), lines.is_open()), (2, true));
//! assert_eq!(lines.next()?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::{ReadError, tarred};
use crate::capture::{LINE_BYTES_MAX, Progress, ZSTD_WINDOW_LOG_MAX};
use crossbeam_channel::{Receiver, Sender, bounded};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// How files begin that are compressed in ways that are not read, what that is, and what unpacks them.
const PACKED: [(&[u8], &str, &str); 6] = [
    (b"\xfd7zXZ\0", "xz", "xz -dk"),
    (b"BZh", "bzip2", "bzip2 -dk"),
    (b"\x04\x22\x4d\x18", "lz4", "lz4 -dk"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x"),
    (b"Rar!\x1a\x07", "RAR", "unrar x"),
    (b"\x1f\x9d", "compress", "uncompress -k"),
];
/// What follows bzip2's letters and its level: the first block, or the end.
const BZIP2_BLOCKS: [&[u8]; 2] = [b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"];
/// Bytes asked for at a time.
const READ_BYTES: usize = 256 << 10;

/// A file's content, decompressed by its first bytes, and how far the file has been read.
pub struct Bytes {
    inner: Box<dyn Read + Send>,
    progress: Arc<Progress>,
}

impl Bytes {
    /// Of a reader that was opened otherwise, such as an archive's member.
    pub fn of(inner: impl Read + Send + 'static, progress: Arc<Progress>) -> Self {
        Self { inner: Box::new(inner), progress }
    }

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

/// Opens a file, plain, gzip or zstd; what is compressed is decompressed by a thread of its own. Of a tar archive the content is
/// that of its members, one after the other.
///
/// # Errors
/// The system says why.
pub fn open(path: &Path) -> Result<Bytes, ReadError> {
    let Opened { inner, progress, kind } = open_here(path)?;
    let ahead = match kind {
        Kind::Plain => return Ok(Bytes { inner, progress }),
        Kind::Compressed => Ahead::begin(|blocks| {
            blocks.send(inner);
        }),
        Kind::Tar => Ahead::begin(|blocks| {
            if let Err(error) = tarred::members(inner, &mut |member| blocks.send(member)) {
                blocks.fail(error);
            }
        }),
    };
    let ahead = ahead.map_err(|error| ReadError::file(path, format_args!("cannot be read: {error}")))?;
    Ok(Bytes { inner: Box::new(ahead), progress })
}

/// Refuses a file that is compressed in a way that is not read. What cannot be opened is left to its reader.
///
/// # Errors
/// It is.
pub fn check_unpacked(path: &Path) -> Result<(), ReadError> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut head));
    if read.is_ok() { check_packing(path, &head) } else { Ok(()) }
}

fn check_packing(path: &Path, head: &[u8]) -> Result<(), ReadError> {
    let packed = PACKED.iter().find(|(magic, ..)| head.starts_with(magic));
    let is_text = |name: &str| name == "bzip2" && !head.get(4..10).is_some_and(|block| BZIP2_BLOCKS.contains(&block));
    match packed {
        Some(&(_, name, tool)) if !is_text(name) => {
            let what = format_args!("is compressed by {name}, which is not read here: unpack it first, by {tool}");
            Err(ReadError::file(path, what))
        }
        _ => Ok(()),
    }
}

/// Whether a file is a tar archive, compressed or not.
///
/// # Errors
/// The system says why.
pub fn is_tar(path: &Path) -> Result<bool, ReadError> {
    Ok(open_here(path)?.kind == Kind::Tar)
}

/// The beginning of a file's content.
///
/// # Errors
/// The system says why.
pub fn head(path: &Path, bytes: usize) -> Result<Vec<u8>, ReadError> {
    let mut head = Vec::new();
    let Opened { inner, kind, .. } = open_here(path)?;
    match inner.take(bytes as u64).read_to_end(&mut head) {
        // Of a file that is cut, what there is tells its format too.
        Err(error) if head.is_empty() && error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(ReadError::file(path, format_args!("cannot be read: {error}")))
        }
        _ if kind == Kind::Tar => Ok(tarred::beginning(&head)),
        _ => Ok(head),
    }
}

/// Blocks in flight between the thread that decompresses and the one that takes.
const BLOCKS_AHEAD: usize = 4;

/// A reader on a thread of its own.
struct Ahead {
    filled: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    block: Vec<u8>,
    /// Bytes of the block that have been taken.
    taken: usize,
}

/// That thread's end of it.
struct Blocks {
    filled: Sender<io::Result<Vec<u8>>>,
    empty: Receiver<Vec<u8>>,
    /// One that turned out to stay empty.
    spare: Option<Vec<u8>>,
}

impl Blocks {
    /// Sends all of a reader. False if that failed, or if nobody takes blocks any more.
    fn send(&mut self, mut from: impl Read) -> bool {
        while let Some(mut block) = self.spare.take().or_else(|| self.empty.recv().ok()) {
            block.clear();
            let read = from.by_ref().take(READ_BYTES as u64).read_to_end(&mut block);
            let is_last = !matches!(read, Ok(1..));
            // What was read before an error comes before it.
            let error = read.err();
            if block.is_empty() {
                self.spare = Some(block);
            } else if self.filled.send(Ok(block)).is_err() {
                return false;
            }
            if let Some(error) = error {
                self.fail(error);
                return false;
            }
            if is_last {
                return true;
            }
        }
        false
    }

    fn fail(&self, error: io::Error) {
        // Where nobody takes any more, nobody asks.
        let _ = self.filled.send(Err(error));
    }
}

impl Ahead {
    fn begin(work: impl FnOnce(&mut Blocks) + Send + 'static) -> io::Result<Self> {
        let (filled_in, filled) = bounded::<io::Result<Vec<u8>>>(BLOCKS_AHEAD);
        let (empty, empty_out) = bounded::<Vec<u8>>(BLOCKS_AHEAD + 1);
        for _ in 0..BLOCKS_AHEAD {
            empty.send(Vec::new()).expect("the channel holds all blocks");
        }
        let mut blocks = Blocks { filled: filled_in, empty: empty_out, spare: None };
        // It ends with the file, or when nobody takes its blocks any more.
        thread::Builder::new().name("source-reader".into()).spawn(move || work(&mut blocks))?;
        Ok(Self { filled, empty, block: Vec::new(), taken: 0 })
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() {
            // A closed channel means that everything has been sent.
            let Ok(block) = self.filled.recv() else { return Ok(0) };
            let used = std::mem::replace(&mut self.block, block?);
            let _ = self.empty.try_send(used);
            self.taken = 0;
        }
        let bytes = (self.block.len() - self.taken).min(buffer.len());
        buffer[..bytes].copy_from_slice(&self.block[self.taken..self.taken + bytes]);
        self.taken += bytes;
        Ok(bytes)
    }
}

/// A file, open on this thread.
struct Opened {
    inner: Box<dyn Read + Send>,
    progress: Arc<Progress>,
    kind: Kind,
}

/// What has to be done with a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Compressed,
    /// Compressed or not.
    Tar,
}

/// The first bytes of a reader, fewer where it ends or fails, and how it failed.
fn begin(inner: &mut impl Read) -> (Vec<u8>, Option<io::Error>) {
    let mut begun = Vec::new();
    let error = inner.take(tarred::HEAD_BYTES as u64).read_to_end(&mut begun).err();
    (begun, error)
}

/// A reader that fails.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn open_here(path: &Path) -> Result<Opened, ReadError> {
    let wrong = |error: io::Error| ReadError::file(path, format_args!("cannot be read: {error}"));
    let file = File::open(path).map_err(wrong)?;
    let metadata = file.metadata().map_err(wrong)?;
    if metadata.is_dir() {
        return Err(ReadError::file(path, "is a folder"));
    }
    let progress = Arc::new(Progress::of(metadata.len()));
    let mut counted = Progress::counting(&progress, file);
    let (begun, error) = begin(&mut counted);
    if let Some(error) = error {
        return Err(wrong(error));
    }
    check_packing(path, &begun)?;
    let (is_gzip, is_zstd) = (begun.starts_with(GZIP_MAGIC), begun.starts_with(ZSTD_MAGIC));
    let kind = if tarred::is_archive(&begun) { Kind::Tar } else { Kind::Plain };
    let whole = io::Cursor::new(begun).chain(counted);
    let mut inner: Box<dyn Read + Send> = if is_gzip {
        Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, whole)))
    } else if is_zstd {
        let mut decoder = zstd::stream::read::Decoder::new(whole).map_err(wrong)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(wrong)?;
        Box::new(decoder)
    } else {
        return Ok(Opened { inner: Box::new(whole), progress, kind });
    };
    let (begun, error) = begin(&mut inner);
    let kind = if tarred::is_archive(&begun) { Kind::Tar } else { Kind::Compressed };
    let rest = if error.is_some() { Box::new(Failed(error)) } else { inner };
    Ok(Opened { inner: Box::new(io::Cursor::new(begun).chain(rest)), progress, kind })
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
    is_open: bool,
    /// A line that is not given again; empty where there is none.
    header: Vec<u8>,
}

impl Lines {
    /// Of a file's bytes.
    pub fn new(path: &Path, bytes: Bytes) -> Self {
        let buffer = vec![0; READ_BYTES];
        let header = Vec::new();
        Self { path: path.into(), bytes, buffer, from: 0, to: 0, number: 0, is_at_end: false, is_open: false, header }
    }

    /// Reads the first line as a header. Files that were put one behind the other, in an archive or not, have it again: there
    /// it is passed over.
    ///
    /// # Errors
    /// As for [`Lines::next`].
    pub fn header(&mut self) -> Result<Option<&[u8]>, ReadError> {
        let header = self.next()?.map(<[u8]>::to_vec);
        let is_there = header.is_some();
        self.header = header.unwrap_or_default();
        Ok(is_there.then_some(&self.header))
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

    /// Whether the line given last has no break behind it: the file's end may be missing.
    pub fn is_open(&self) -> bool {
        self.is_open
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
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                // Rows differ from it in length or in what they begin with.
                if !self.header.is_empty() && line == self.header {
                    looked = self.from;
                    continue;
                }
                return Ok(Some(&self.buffer[from..from + line.len()]));
            }
            looked = self.to;
            if self.is_at_end {
                let line = &self.buffer[self.from..self.to];
                self.from = self.to;
                self.is_open |= !line.is_empty();
                self.number += u64::from(!line.is_empty());
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                return Ok(Some(line).filter(|&line| !line.is_empty() && line != self.header));
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
