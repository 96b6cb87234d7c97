//! Captures as frames: what passes through the ring, in compressed blocks with checksums and an index by time.
//!
//! A replay skips the parsing of messages, goes to a time without reading what is before, and finds damage block by block. All
//! numbers are little-endian; *varint* is an unsigned LEB128 of at most 64 bits; *zigzag* maps a signed number to an unsigned one,
//! 0, −1, 1, −2 to 0, 1, 2, 3; differences wrap at 64 bits; CRC-32 is that of gzip and PNG.
//!
//! | part | content |
//! | --- | --- |
//! | opening | `PTFRAMES`, u32 version (2), u32 length of the header, the header, u32 CRC-32 of the header |
//! | header | JSON: `product`, `venue`, `program`, `made_from` (`path`, `sha256`, `format`), `faults` (names by their number) |
//! | blocks | one after the other, each [`BLOCK_HEADER_BYTES`] bytes of header and its payload |
//! | index | `INDX`, u32 number of blocks, an entry of 40 bytes for each, totals, u32 CRC-32 of all of it |
//! | ending | u64 where the index begins, `PTFRMEND` |
//!
//! A block's header: `BLCK`, u32 frames, u32 bytes of the payload decoded, u32 bytes as stored, u32 CRC-32 of the stored bytes, u8
//! codec (0 as it is, 1 zstd), u8 price decimals and u8 size decimals at its beginning, u8 flags (1: its first frame is a
//! snapshot), i64 time of receipt of the first frame and i64 greatest one in Unix ns, u32 zero, u32 CRC-32 of these 44 bytes. An index entry: u64
//! offset of the block, i64 first and i64 greatest time, u32 frames, u32 flags, u64 levels. Totals: u64 frames of the book, u64
//! snapshots, u64 levels, u64 prints; then what was found in all frames, see [`Findings`]: u64 faults, u64 times that go back, u64
//! venue's times, u64 those after receipt, u64 those more than a day after it, i64 longest pause, i64 least and i64 greatest time of
//! receipt, u64 price decimals and u64 size decimals of the last frame of the book. Files of version 1 lack what was found and are
//! else the same.
//!
//! A frame of a payload:
//!
//! | field | when | content |
//! | --- | --- | --- |
//! | tag | always | u8: bits 0–2 kind (0 snapshot, 1 update, 2 prints, 3 connected, 4 book invalid), 8 a venue's time follows, 16 a scale follows, 32 a number follows |
//! | fault | kind 4 | u8, by the header's list |
//! | scale | tag & 16 | u8 price decimals, u8 size decimals: of this frame alone if it is of prints, else from here on |
//! | time | always | varint of zigzag: time of receipt less that of the frame before; of the first less the block's first |
//! | venue's time | tag & 8 | varint of zigzag: venue's time less time of receipt; without it there is none |
//! | number | tag & 32 | varint of zigzag: venue's number less that of the frame before less 1; without it that is 0. Before the first: −1 |
//! | count | always | varint: levels or prints |
//! | level | kinds 0, 1 | varint of 2 · size in lots + (1 for asks); varint of zigzag: price in ticks less that of the level before of its side (0 before the first) |
//! | print | kind 2 | varint of 2 · size + (1 for a sale); varint of zigzag: price less that of the print before; varint of zigzag: trade number less that of the print before less 1; varint: 0 without a time, else 1 + zigzag of its time less the frame's time of receipt |
//!
//! Everything begins again with each block. Readers pass over blocks of other magics by their stored length.
//!
//! ```
//! use papertrader::base::output::IfTaken;
//! use papertrader::capture::frames::{FrameFile, FrameWriter, Header};
//! use papertrader::market::event::{Event, FrameHead, FrameKind, UNMEASURED, UNSTAMPED};
//! use papertrader::market::publish::Publish;
//! use papertrader::market::units::{Scale, Side};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.frames");
//! let mut writer = FrameWriter::create(&path, &Header::of("BTC-USD"), true, IfTaken::Refuse)?;
//! let head = FrameHead {
//!     kind: FrameKind::Snapshot,
//!     product: 0,
//!     levels: 1,
//!     scale: Scale { price_decimals: 2, size_decimals: 8 },
//!     sequence_num: 0,
//!     ts_recv_ns: 1_723_161_600_000_000_000,
//!     ts_event_ns: 0,
//!     arrived: UNSTAMPED,
//!     received: UNMEASURED,
//!     decoded: UNSTAMPED,
//!     published: UNSTAMPED,
//! };
//! writer.publish(&head, &[Event::level(Side::Bid, 6_183_017, 5)])?;
//! writer.finish()?;
//! let file = FrameFile::open(&path)?;
//! assert_eq!((file.header().product.as_str(), file.index().expect("it is whole").totals.frames), ("BTC-USD", 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decode;
mod encode;
mod findings;
mod reader;
mod replay;
#[cfg(test)]
mod tests;
mod writer;

pub use decode::Batch;
pub use findings::{FAR_NS, Finder, Findings};
pub use reader::{FrameFile, Index, IndexEntry, Totals};
pub use replay::FastReplay;
pub use writer::FrameWriter;

use crate::market::event::Fault;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a file begins with.
pub const MAGIC: &[u8; 8] = b"PTFRAMES";
/// What a whole file ends with.
const END_MAGIC: &[u8; 8] = b"PTFRMEND";
const BLOCK_MAGIC: &[u8; 4] = b"BLCK";
const INDEX_MAGIC: &[u8; 4] = b"INDX";
/// The version that is written.
pub const VERSION: u32 = 2;
/// The oldest version that is read.
pub const VERSION_MIN: u32 = 1;
/// Bytes of a block's header.
pub const BLOCK_HEADER_BYTES: usize = 48;
const INDEX_ENTRY_BYTES: usize = 40;
const TOTALS_BYTES: usize = 32;
const FINDINGS_BYTES: usize = 80;
const ENDING_BYTES: usize = 16;
/// A block ends with the frame by which its payload reaches so many bytes, or before a snapshot.
const BLOCK_BYTES: usize = 256 << 10;
/// The largest header, and the largest payload of a block, bytes.
pub const HEADER_BYTES_MAX: usize = 1 << 20;
/// The largest payload of a block, decoded or as stored: room for a frame of the most levels.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;
/// The most blocks that an index lists: more than a terabyte of them.
pub const INDEX_ENTRIES_MAX: usize = 1 << 22;
/// A block's first frame is a snapshot.
const BEGINS_WITH_SNAPSHOT: u32 = 1;

const TAG_EVENT_TIME: u8 = 8;
const TAG_SCALE: u8 = 16;
const TAG_NUMBER: u8 = 32;

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The product.
    pub product: String,
    /// The venue; empty where it is not known.
    #[serde(default)]
    pub venue: String,
    /// The program that wrote it, with its version.
    #[serde(default)]
    pub program: String,
    /// What it was made from.
    #[serde(default)]
    pub made_from: Vec<MadeFrom>,
    /// Names of faults, by the number that stands in frames.
    #[serde(default)]
    pub faults: Vec<String>,
}

/// A file that another was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeFrom {
    /// As it was named.
    pub path: PathBuf,
    /// Of the file as it lay on disk, hexadecimal.
    pub sha256: String,
    /// Its format.
    pub format: String,
}

impl Header {
    /// Of a product, by this program.
    pub fn of(product: &str) -> Self {
        Self {
            product: product.into(),
            venue: String::new(),
            program: concat!("papertrader ", env!("CARGO_PKG_VERSION")).into(),
            made_from: Vec::new(),
            faults: Fault::ALL.iter().map(|fault| fault.name().into()).collect(),
        }
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
