//! Files of a venue's book, a message a line.
//!
//! ```
//! use papertrader::sources::okx::OkxReader;
//! use papertrader::sources::{FrameReader, RawFrame, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("BTC-USDT-L2orderbook-400lv-2024-08-08.data");
//! std::fs::write(&path, "{\"instId\":\"BTC-USDT\",\"action\":\"snapshot\",\"ts\":\"1723161256610\",\"asks\":[],\"bids\":[[\"9\",\"1\",\"1\"]]}\n")?;
//! // A `BookLines` of that venue's messages.
//! let mut reader = OkxReader::open(&path, &ReaderSettings::default())?;
//! let mut frame = RawFrame::default();
//! assert!(reader.next(&mut frame)?);
//! assert_eq!((reader.product(), reader.counts().rows), ("BTC-USDT", 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::bytes::Lines;
use super::{FrameReader, RawFrame, ReadError, ReaderCounts};
use crate::capture::Progress;
use std::sync::Arc;

/// What a venue's messages do to its book. Their times are the venue's.
pub trait BookLines: Send {
    /// Puts what a message says into the frame; false if that is nothing.
    ///
    /// # Errors
    /// It is not what the venue sends.
    fn take(&mut self, message: &[u8], frame: &mut RawFrame) -> Result<bool, String>;

    /// Whether a snapshot of the product has come.
    fn has_begun(&self) -> bool;

    /// The product, empty before the first message.
    fn product(&self) -> &str;

    /// What was counted, but for rows.
    fn counts(&self) -> ReaderCounts;
}

/// Reads one file.
pub struct LinesReader<B> {
    lines: Lines,
    book: B,
    rows: u64,
}

impl<B> LinesReader<B> {
    pub(super) fn new(lines: Lines, book: B) -> Self {
        Self { lines, book, rows: 0 }
    }
}

impl<B: BookLines> FrameReader for LinesReader<B> {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        loop {
            let Some(line) = self.lines.next()? else {
                if !self.book.has_begun() {
                    let what = "holds no snapshot of the product: nothing can be made of its updates";
                    return Err(ReadError::file(self.lines.path(), what));
                }
                return Ok(false);
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            self.rows += 1;
            match self.book.take(line, frame) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(what) => return Err(self.lines.wrong(what)),
            }
        }
    }

    fn progress(&self) -> Arc<Progress> {
        self.lines.progress()
    }

    fn product(&self) -> &str {
        self.book.product()
    }

    fn counts(&self) -> ReaderCounts {
        ReaderCounts { rows: self.rows, ..self.book.counts() }
    }

    fn has_event_times_only(&self) -> bool {
        true
    }
}
