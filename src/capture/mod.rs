//! Capture files: what arrived, frame by frame, with the time at which it arrived.
//!
//! One line per frame: `<ts_recv_ns> <raw frame>`, plain or compressed by gzip or zstd, told apart by content. A line
//! whose frame is an object that begins with the key `papertrader` is a [`Control`] line of the recorder: a connection
//! opened or lost, a product's book that the session could not trust, a hole in the recording, or a frame that cannot stand on a line as it is.
//!
//! ```
//! use papertrader::capture::{CaptureReader, CaptureWriter, Control, Item};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.zst");
//! let mut writer = CaptureWriter::create(&path)?;
//! writer.control(1_723_161_600_000_000_000, &Control::Connected { connection: 1, products: vec![] })?;
//! writer.frame(1_723_161_600_000_250_000, br#"{"channel":"heartbeats"}"#)?;
//! writer.finish()?;
//!
//! let mut reader = CaptureReader::open(&path)?;
//! let line = reader.next_line()?.expect("the connection");
//! assert_eq!(line.item, Item::Control(Control::Connected { connection: 1, products: vec![] }));
//! let line = reader.next_line()?.expect("the frame");
//! assert_eq!(line.ts_recv_ns, 1_723_161_600_000_250_000);
//! assert_eq!(line.item, Item::Frame(br#"{"channel":"heartbeats"}"#));
//! assert!(reader.next_line()?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocks;
mod connections;
pub mod frames;
mod reader;
pub mod recording;
pub mod replay;
pub mod tape_check;
mod writer;

pub use blocks::Progress;
pub use reader::{CaptureReader, Cut, Item, Line};
pub use writer::{CaptureWriter, Compression};

use crate::base::output::OutputError;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// The longest line that a capture may hold, without its line break: the largest message that a session accepts, in
/// base64, and some air. It bounds a reader's memory, whatever a compressed file expands to.
pub const LINE_BYTES_MAX: usize = 96 << 20;

/// The largest window, as a power of two in bytes, that a zstd capture may ask memory for: 128 MiB.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// What every control line's frame begins with.
const CONTROL_PREFIX: &[u8] = b"{\"papertrader\":";

/// A line of the recorder's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "papertrader", rename_all = "kebab-case")]
pub enum Control {
    /// A connection was made; its frames follow and its sequence numbers start anew.
    Connected {
        /// Counts the session's connections from 1.
        connection: u64,
        /// The products on it, where the session spreads them over several connections; else none are listed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        products: Vec<String>,
    },
    /// The frames that follow came over this one of several connections, until the next such line or the next connection.
    On {
        /// The connection.
        connection: u64,
    },
    /// The connection ended; the book cannot be trusted until the next snapshot.
    Disconnected {
        /// The connection that ended.
        connection: u64,
        /// The kind of fault, by [`crate::market::event::Fault::name`].
        #[serde(default)]
        fault: String,
        /// Why, as the session reported it.
        cause: String,
    },
    /// The session could not trust one product's book any more, and asked for a new snapshot of it; the connection went on.
    Invalid {
        /// The product.
        product: String,
        /// The kind of fault, by [`crate::market::event::Fault::name`].
        fault: String,
        /// Why, as the session reported it.
        cause: String,
    },
    /// The recorder could not keep up: frames are missing here that the session did see, of whichever connection.
    Gap {
        /// Frames lost.
        frames: u64,
    },
    /// A frame that holds a line break, is not UTF-8, or looks like a control line.
    Frame {
        /// The frame's bytes in standard base64 with padding.
        base64: String,
    },
}

impl Control {
    fn parse(frame: &[u8]) -> Option<Result<Self, serde_json::Error>> {
        frame.starts_with(CONTROL_PREFIX).then(|| serde_json::from_slice(frame))
    }
}

/// Whether a frame can stand on a line of its own without being taken for something else.
fn fits_on_a_line(frame: &[u8]) -> bool {
    memchr::memchr2(b'\n', b'\r', frame).is_none()
        && !frame.starts_with(CONTROL_PREFIX)
        && std::str::from_utf8(frame).is_ok()
}

fn encode(frame: &[u8]) -> Control {
    Control::Frame { base64: BASE64.encode(frame) }
}

/// What can be wrong with a capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be made, or not in its place.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The file cannot be opened.
    #[error("cannot open capture {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has no bytes, or none once decompressed.
    #[error("capture {path} is empty; record one with `papertrader record` or make one with `papertrader generate`")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The compressed data ends before the first line does.
    #[error("capture {path} is cut: its compressed data ends within the first line")]
    CutAtStart {
        /// The file.
        path: PathBuf,
    },
    /// The first line is not one of a capture.
    #[error("{path} is not a capture: line 1 {reason}; a line reads `<receive time in Unix ns> <frame>`")]
    NotACapture {
        /// The file.
        path: PathBuf,
        /// What is wrong with its first line.
        reason: LineError,
    },
    /// A later line is not one of a capture.
    #[error("capture {path}, line {line}: {reason}; a line reads `<receive time in Unix ns> <frame>`")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: LineError,
    },
    /// Reading or decompressing failed in the middle.
    #[error("cannot read capture {path} after line {lines}: {source}; what came before was used")]
    Read {
        /// The file.
        path: PathBuf,
        /// Whole lines read before.
        lines: u64,
        /// What the system or the decompressor said.
        source: io::Error,
    },
    /// A line passes [`LINE_BYTES_MAX`].
    #[error("capture {path}, line {line}: longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
    },
    /// A file of another format.
    #[error(transparent)]
    Foreign(Box<dyn std::error::Error + Send + Sync>),
    /// A capture cannot be created or written.
    #[error("cannot write capture {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a line is not a capture's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// No digits, or too many, before the first space.
    #[error("does not begin with a receive time and a space")]
    NoTime,
    /// Nothing after the time.
    #[error("has a receive time but no frame")]
    NoFrame,
    /// It begins like a control line and is none.
    #[error("is a control line that cannot be read ({0})")]
    BadControl(String),
}

#[cfg(test)]
mod tests;
