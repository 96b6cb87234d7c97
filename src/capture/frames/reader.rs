//! Opens a file of blocks and reads it block by block.

use super::decode::{Batch, decode};
use super::findings::Findings;
use super::{
    BEGINS_WITH_SNAPSHOT, BLOCK_HEADER_BYTES, BLOCK_MAGIC, END_MAGIC, ENDING_BYTES, FINDINGS_BYTES, HEADER_BYTES_MAX,
    Header, INDEX_ENTRIES_MAX, INDEX_ENTRY_BYTES, INDEX_MAGIC, MAGIC, PAYLOAD_BYTES_MAX, TOTALS_BYTES, VERSION,
    VERSION_MIN,
};
use crate::capture::{CaptureError, Progress};
use crate::market::event::{Fault, FrameKind};
use crate::market::units::{DECIMALS_MAX, Scale};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// Where a block is and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Where it begins, bytes from the file's beginning.
    pub offset: u64,
    /// Time of receipt of its first frame, Unix nanoseconds.
    pub first_ns: i64,
    /// Greatest time of receipt.
    pub last_ns: i64,
    /// Frames of any kind.
    pub frames: u32,
    /// 1: the first is a snapshot.
    pub flags: u32,
    /// Levels.
    pub levels: u64,
}

/// Sums over a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames of the book.
    pub frames: u64,
    /// Snapshots among them.
    pub snapshots: u64,
    /// Their levels.
    pub levels: u64,
    /// Prints.
    pub prints: u64,
}

/// All blocks of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// In their order.
    pub entries: Vec<IndexEntry>,
    /// Over all of them.
    pub totals: Totals,
    /// What was found in all frames; `None` of a file of version 1.
    pub findings: Option<Findings>,
}

/// A file of frames, open at its first block.
pub struct FrameFile {
    input: BufReader<File>,
    header: Header,
    /// The faults of the header's list that this program knows; others are malformed messages to it.
    faults: Vec<Fault>,
    index: Option<Index>,
    /// Where the next block begins, and how long the file is.
    offset: u64,
    length: u64,
    stored: Vec<u8>,
    payload: Vec<u8>,
    progress: Arc<Progress>,
    scale: Scale,
    last_ns: i64,
    damaged: Vec<u64>,
    is_cut: bool,
}

/// What a block turned out to be.
enum Found {
    Frames,
    Damaged,
    Unknown,
    End,
}

fn foreign(path: &Path, what: impl std::fmt::Display) -> CaptureError {
    CaptureError::Foreign(format!("{}: {what}", path.display()).into())
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the caller has that many bytes")
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(number(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(number(bytes, at))
}

impl FrameFile {
    /// Opens a file. Its index is read if it is whole.
    ///
    /// # Errors
    /// It cannot be read, is none, is of a later version, or its header is damaged.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let wrong = |source: io::Error| foreign(path, format_args!("cannot be read: {source}"));
        let file = File::open(path).map_err(|source| CaptureError::Open { path: path.into(), source })?;
        let length = file.metadata().map_err(wrong)?.len();
        let mut input = BufReader::with_capacity(1 << 20, file);
        let mut opening = [0; 16];
        let cut = |_| foreign(path, "is cut within its header; convert it again");
        input.read_exact(&mut opening).map_err(cut)?;
        if &opening[..8] != MAGIC {
            return Err(foreign(path, "is no file of frames"));
        }
        match u32_at(&opening, 8) {
            VERSION_MIN..=VERSION => {}
            version => {
                let what =
                    format!("is of version {version}; this program reads {VERSION_MIN} to {VERSION}: use a newer one");
                return Err(foreign(path, what));
            }
        }
        let bytes = u32_at(&opening, 12) as usize;
        if bytes > HEADER_BYTES_MAX {
            return Err(foreign(path, format_args!("its header of {bytes} bytes is longer than {HEADER_BYTES_MAX}")));
        }
        let mut text = vec![0; bytes + 4];
        input.read_exact(&mut text).map_err(cut)?;
        let crc = u32_at(&text, bytes);
        text.truncate(bytes);
        if crc32fast::hash(&text) != crc {
            return Err(foreign(path, "its header is damaged: the checksum is another"));
        }
        let header: Header = serde_json::from_slice(&text)
            .map_err(|error| foreign(path, format_args!("its header is not as it should be: {error}")))?;
        let offset = 16 + bytes as u64 + 4;
        let index = read_index(&mut input, length, offset).ok().flatten();
        input.seek(SeekFrom::Start(offset)).map_err(wrong)?;
        let faults = header.faults.iter().map(|name| Fault::by_name(name).unwrap_or(Fault::Malformed)).collect();
        let progress = Arc::new(Progress::of(length));
        let is_cut = index.is_none();
        Ok(Self {
            input,
            header,
            faults,
            index,
            offset,
            length,
            stored: Vec::new(),
            payload: Vec::new(),
            progress,
            scale: Scale::default(),
            last_ns: 0,
            damaged: Vec::new(),
            is_cut,
        })
    }

    /// What it says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its blocks; `None` of a file that was cut.
    pub fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    /// How far it has been read.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Where damaged blocks were, bytes from the beginning.
    pub fn damaged(&self) -> &[u64] {
        &self.damaged
    }

    /// Whether the end is missing.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Goes to the last block that begins with a snapshot and before `ts_ns`. Needs the index.
    ///
    /// # Errors
    /// The system's.
    pub fn seek(&mut self, ts_ns: i64) -> io::Result<()> {
        let Some(index) = &self.index else { return Ok(()) };
        let good = |entry: &&IndexEntry| entry.flags & BEGINS_WITH_SNAPSHOT != 0 && entry.first_ns <= ts_ns;
        if let Some(entry) = index.entries.iter().rev().find(good) {
            self.offset = entry.offset;
            self.input.seek(SeekFrom::Start(entry.offset))?;
        }
        Ok(())
    }

    /// Reads the next block into `batch`; false at the end. A damaged one becomes a frame that says that the recording has a gap.
    ///
    /// # Errors
    /// The system's.
    pub fn next(&mut self, batch: &mut Batch) -> io::Result<bool> {
        loop {
            match self.block(batch)? {
                Found::Frames => return Ok(true),
                Found::Unknown => {}
                Found::End => return Ok(false),
                Found::Damaged => {
                    batch.lone(FrameKind::Invalid(Fault::RecordingGap), self.last_ns, self.scale);
                    return Ok(true);
                }
            }
        }
    }

    fn block(&mut self, batch: &mut Batch) -> io::Result<Found> {
        let at = self.offset;
        let mut header = [0; BLOCK_HEADER_BYTES];
        if self.length < at + 4 {
            return Ok(Found::End);
        }
        self.input.read_exact(&mut header[..4])?;
        if &header[..4] == INDEX_MAGIC {
            return Ok(Found::End);
        }
        if self.length < at + BLOCK_HEADER_BYTES as u64 {
            self.is_cut = true;
            return Ok(Found::End);
        }
        self.input.read_exact(&mut header[4..])?;
        let good = crc32fast::hash(&header[..BLOCK_HEADER_BYTES - 4]) == u32_at(&header, BLOCK_HEADER_BYTES - 4);
        let (decoded, stored) = (u32_at(&header, 8) as usize, u32_at(&header, 12) as usize);
        let scale = Scale { price_decimals: header[21], size_decimals: header[22] };
        let fits = decoded <= PAYLOAD_BYTES_MAX && stored <= PAYLOAD_BYTES_MAX;
        if !good || !fits || scale.price_decimals > DECIMALS_MAX || scale.size_decimals > DECIMALS_MAX {
            return self.skip_damaged(at);
        }
        let end = at + (BLOCK_HEADER_BYTES + stored) as u64;
        if self.length < end {
            self.is_cut = true;
            return Ok(Found::End);
        }
        self.stored.resize(stored, 0);
        self.input.read_exact(&mut self.stored)?;
        self.offset = end;
        self.progress.read_to(end);
        if &header[..4] != BLOCK_MAGIC {
            return Ok(Found::Unknown);
        }
        let (frames, crc, codec) = (u32_at(&header, 4), u32_at(&header, 16), header[20]);
        let first_ns = u64_at(&header, 24) as i64;
        let is_whole = crc32fast::hash(&self.stored) == crc;
        let payload = match codec {
            0 if stored == decoded => Some(&self.stored),
            1 if is_whole => {
                self.payload.resize(decoded, 0);
                let length = zstd::bulk::decompress_to_buffer(&self.stored, &mut self.payload);
                length.is_ok_and(|length| length == decoded).then_some(&self.payload)
            }
            _ => None,
        };
        let read = payload
            .filter(|_| is_whole)
            .and_then(|payload| decode(payload, frames, first_ns, scale, &self.faults, batch));
        (self.scale, self.last_ns) = (scale, first_ns);
        if read.is_none() {
            self.damaged.push(at);
            return Ok(Found::Damaged);
        }
        if batch.is_empty() { Ok(Found::Unknown) } else { Ok(Found::Frames) }
    }

    /// Behind a block whose header is damaged: the next one that the index knows.
    fn skip_damaged(&mut self, at: u64) -> io::Result<Found> {
        self.damaged.push(at);
        let next = self.index.as_ref().and_then(|index| index.entries.iter().find(|entry| entry.offset > at));
        match next {
            Some(entry) => {
                self.offset = entry.offset;
                self.input.seek(SeekFrom::Start(entry.offset))?;
            }
            // Nobody knows how long it is.
            None => {
                self.offset = self.length;
                self.input.seek(SeekFrom::Start(self.length))?;
            }
        }
        Ok(Found::Damaged)
    }
}

/// Reads the index at the end; `None` where it is not there or damaged.
fn read_index(input: &mut BufReader<File>, length: u64, blocks_from: u64) -> io::Result<Option<Index>> {
    let Some(ending_at) = length.checked_sub(ENDING_BYTES as u64).filter(|&at| at >= blocks_from) else {
        return Ok(None);
    };
    let mut ending = [0; ENDING_BYTES];
    input.seek(SeekFrom::Start(ending_at))?;
    input.read_exact(&mut ending)?;
    let at = u64_at(&ending, 0);
    if &ending[8..] != END_MAGIC || at < blocks_from || at >= ending_at {
        return Ok(None);
    }
    let bytes = ending_at - at;
    if bytes > (INDEX_ENTRIES_MAX * INDEX_ENTRY_BYTES + TOTALS_BYTES + FINDINGS_BYTES + 12) as u64 {
        return Ok(None);
    }
    let mut bytes = vec![0; bytes as usize];
    input.seek(SeekFrom::Start(at))?;
    input.read_exact(&mut bytes)?;
    let Some((content, crc)) = bytes.split_last_chunk::<4>() else { return Ok(None) };
    let is_good = content.starts_with(INDEX_MAGIC) && crc32fast::hash(content) == u32::from_le_bytes(*crc);
    let Some(entries) = content.get(8..).filter(|_| is_good) else { return Ok(None) };
    let count = u32_at(content, 4) as usize;
    let blocks = count.saturating_mul(INDEX_ENTRY_BYTES);
    let has_findings = match entries.len().checked_sub(blocks) {
        Some(TOTALS_BYTES) => false,
        Some(left) if left == TOTALS_BYTES + FINDINGS_BYTES => true,
        _ => return Ok(None),
    };
    let (entries, totals) = entries.split_at(blocks);
    let (totals, findings) = totals.split_at(TOTALS_BYTES);
    let entry = |bytes: &[u8]| IndexEntry {
        offset: u64_at(bytes, 0),
        first_ns: u64_at(bytes, 8) as i64,
        last_ns: u64_at(bytes, 16) as i64,
        frames: u32_at(bytes, 24),
        flags: u32_at(bytes, 28),
        levels: u64_at(bytes, 32),
    };
    let totals = Totals {
        frames: u64_at(totals, 0),
        snapshots: u64_at(totals, 8),
        levels: u64_at(totals, 16),
        prints: u64_at(totals, 24),
    };
    let entries = entries.chunks_exact(INDEX_ENTRY_BYTES).map(entry).collect();
    Ok(Some(Index { entries, totals, findings: has_findings.then(|| read_findings(findings)) }))
}

/// Of [`FINDINGS_BYTES`] bytes.
fn read_findings(bytes: &[u8]) -> Findings {
    let ns = |at| u64_at(bytes, at) as i64;
    // What no scale has is none that was written.
    let decimals = |at| u8::try_from(u64_at(bytes, at)).unwrap_or(u8::MAX).min(DECIMALS_MAX);
    Findings {
        faults: u64_at(bytes, 0),
        back: u64_at(bytes, 8),
        timed: u64_at(bytes, 16),
        ahead: u64_at(bytes, 24),
        far_ahead: u64_at(bytes, 32),
        longest_pause_ns: ns(40),
        first_ns: ns(48),
        last_ns: ns(56),
        scale: Scale { price_decimals: decimals(64), size_decimals: decimals(72) },
    }
}
