//! Writes frames as a file of blocks.

use super::encode::Encoder;
use super::findings::{Finder, Findings};
use super::reader::{Index, IndexEntry, Totals};
use super::{
    BLOCK_BYTES, BLOCK_HEADER_BYTES, BLOCK_MAGIC, END_MAGIC, Header, INDEX_MAGIC, MAGIC, PAYLOAD_BYTES_MAX, VERSION,
};
use crate::base::output::{IfTaken, Output, OutputError};
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS};
use crate::market::publish::{EngineGone, Publish};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const ZSTD_LEVEL: i32 = 3;

/// Writes what it is told as an engine is. The file is in its place, whole, when it is finished.
pub struct FrameWriter {
    path: PathBuf,
    output: Output,
    /// Where the next block begins.
    offset: u64,
    encoder: Encoder,
    compressor: Option<zstd::bulk::Compressor<'static>>,
    index: Index,
    finder: Finder,
    /// Why nothing is taken any more.
    error: Option<OutputError>,
}

impl FrameWriter {
    /// Begins a file.
    ///
    /// # Errors
    /// It is there and not to be replaced, or it cannot be made.
    pub fn create(path: &Path, header: &Header, compress: bool, if_taken: IfTaken) -> Result<Self, OutputError> {
        let at = |source| OutputError::Write { path: path.into(), source };
        let mut output = Output::create(path, if_taken == IfTaken::Replace)?;
        let header = serde_json::to_vec(header).map_err(|error| at(error.into()))?;
        let opening = [
            &MAGIC[..],
            &VERSION.to_le_bytes(),
            &(header.len() as u32).to_le_bytes(),
            &header,
            &crc32fast::hash(&header).to_le_bytes(),
        ]
        .concat();
        output.write_all(&opening).map_err(at)?;
        let compressor = compress.then(|| zstd::bulk::Compressor::new(ZSTD_LEVEL)).transpose().map_err(at)?;
        let (path, offset) = (path.into(), opening.len() as u64);
        let (encoder, index, finder) = (Encoder::new(), Index::default(), Finder::default());
        Ok(Self { path, output, offset, encoder, compressor, index, finder, error: None })
    }

    fn end_block(&mut self) -> io::Result<()> {
        let Encoder { payload, scale_at_start: scale, frames, levels, first_ns, last_ns, flags, .. } = &self.encoder;
        if *frames == 0 {
            return Ok(());
        }
        let too_large = || io::Error::other("a frame is larger than a block can be");
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(too_large());
        }
        let compressed = self.compressor.as_mut().map(|compressor| compressor.compress(payload)).transpose()?;
        // What does not become smaller stays as it is.
        let compressed = compressed.filter(|compressed| compressed.len() < payload.len());
        let (codec, stored) = compressed.as_ref().map_or((0, payload), |compressed| (1, compressed));
        let mut header = Vec::with_capacity(BLOCK_HEADER_BYTES);
        header.extend(BLOCK_MAGIC);
        for number in [*frames, payload.len() as u32, stored.len() as u32, crc32fast::hash(stored)] {
            header.extend(number.to_le_bytes());
        }
        header.extend([codec, scale.price_decimals, scale.size_decimals, *flags as u8]);
        header.extend(first_ns.to_le_bytes());
        header.extend(last_ns.to_le_bytes());
        header.extend(0_u32.to_le_bytes());
        header.extend(crc32fast::hash(&header).to_le_bytes());
        debug_assert_eq!(header.len(), BLOCK_HEADER_BYTES);
        self.output.write_all(&header)?;
        self.output.write_all(stored)?;
        self.index.entries.push(IndexEntry {
            offset: self.offset,
            first_ns: *first_ns,
            last_ns: *last_ns,
            frames: *frames,
            flags: *flags,
            levels: *levels,
        });
        self.offset += (header.len() + stored.len()) as u64;
        self.encoder.begin_again();
        Ok(())
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn push(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), OutputError> {
        self.append(head, events).map_err(|source| OutputError::Write { path: self.path.clone(), source })
    }

    fn append(&mut self, head: &FrameHead, events: &[Event]) -> io::Result<()> {
        if head.kind == FrameKind::Snapshot {
            self.end_block()?;
        }
        self.encoder.push(head, events);
        self.finder.take(head);
        let Totals { frames, snapshots, levels, prints } = &mut self.index.totals;
        match head.kind {
            FrameKind::Prints => *prints += (events.len() / PRINT_EVENTS) as u64,
            kind if kind.is_book_frame() => {
                *frames += 1;
                *snapshots += u64::from(kind == FrameKind::Snapshot);
                *levels += events.len() as u64;
            }
            _ => {}
        }
        if self.encoder.payload.len() >= BLOCK_BYTES { self.end_block() } else { Ok(()) }
    }

    /// Writes the index and puts the file in its place.
    ///
    /// # Errors
    /// Something could not be written; then there is no file.
    pub fn finish(mut self) -> Result<Totals, OutputError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.end_block().map_err(|source| OutputError::Write { path: self.path.clone(), source })?;
        let at = |source| OutputError::Write { path: self.path.clone(), source };
        let mut index = [&INDEX_MAGIC[..], &(self.index.entries.len() as u32).to_le_bytes()].concat();
        for entry in &self.index.entries {
            index.extend(entry.offset.to_le_bytes());
            index.extend(entry.first_ns.to_le_bytes());
            index.extend(entry.last_ns.to_le_bytes());
            index.extend(entry.frames.to_le_bytes());
            index.extend(entry.flags.to_le_bytes());
            index.extend(entry.levels.to_le_bytes());
        }
        let Totals { frames, snapshots, levels, prints } = self.index.totals;
        for total in [frames, snapshots, levels, prints] {
            index.extend(total.to_le_bytes());
        }
        let Findings { faults, back, timed, ahead, far_ahead, longest_pause_ns, first_ns, last_ns, scale } =
            self.finder.findings();
        for count in [faults, back, timed, ahead, far_ahead] {
            index.extend(count.to_le_bytes());
        }
        for ns in [longest_pause_ns, first_ns, last_ns] {
            index.extend(ns.to_le_bytes());
        }
        for decimals in [scale.price_decimals, scale.size_decimals] {
            index.extend(u64::from(decimals).to_le_bytes());
        }
        index.extend(crc32fast::hash(&index).to_le_bytes());
        index.extend(self.offset.to_le_bytes());
        index.extend(END_MAGIC);
        self.output.write_all(&index).map_err(at)?;
        self.output.finish()?;
        Ok(self.index.totals)
    }
}

impl Publish for FrameWriter {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        if self.error.is_some() {
            return Err(EngineGone);
        }
        self.push(head, events).map_err(|error| {
            self.error = Some(error);
            EngineGone
        })
    }
}
