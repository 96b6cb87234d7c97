//! Frames of a capture in memory.

use crate::capture::{CaptureError, CaptureReader, Item};
use crate::feed::coinbase::level2::{BookPart, Parser};
use crate::market::event::FrameKind;
use crate::market::units::Scale;
use std::path::{Path, PathBuf};

/// The most bytes of frames that are held in memory.
pub const BYTES_MAX: usize = 1 << 30;

/// Frames of one product in memory.
#[derive(Debug)]
pub struct Frames {
    /// The product.
    pub product: String,
    /// Frames behind one another, the first a snapshot of the product, none of the others.
    bytes: Vec<u8>,
    /// Receive time and the end of each frame's bytes.
    ends: Vec<(i64, usize)>,
}

/// Why there are no frames to present.
#[derive(Debug, thiserror::Error)]
pub enum FramesError {
    /// The file.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// No updates that follow a snapshot.
    #[error("{path} holds no snapshot of {product} with updates behind it")]
    NoUpdates {
        /// The file.
        path: PathBuf,
        /// The product.
        product: String,
    },
}

impl Frames {
    /// Reads a capture's frames of `product` from its first snapshot to the second or the end, at most [`BYTES_MAX`].
    ///
    /// # Errors
    /// See [`FramesError`].
    pub fn read(path: &Path, product: &str) -> Result<Self, FramesError> {
        let mut reader = CaptureReader::open(path)?;
        let mut parser = Parser::new(product);
        let mut levels = Vec::new();
        let mut frames = Self { product: product.into(), bytes: Vec::new(), ends: Vec::new() };
        let mut scale = Scale::default();
        while let Some(line) = reader.next_line()? {
            let Item::Frame(frame) = line.item else { continue };
            let Ok(mut message) = parser.parse(frame, scale, &mut levels) else { continue };
            if let BookPart::Finer(needs) = message.book {
                scale = needs;
                let Ok(finer) = parser.parse(frame, scale, &mut levels) else { continue };
                message = finer;
            }
            match message.book {
                BookPart::Frame(FrameKind::Snapshot) if !frames.ends.is_empty() => break,
                BookPart::Frame(FrameKind::Snapshot) => {}
                BookPart::None | BookPart::Prints(_) => continue,
                _ if frames.ends.is_empty() => continue,
                _ => {}
            }
            if frames.bytes.len() + frame.len() > BYTES_MAX {
                break;
            }
            frames.bytes.extend_from_slice(frame);
            frames.ends.push((line.ts_recv_ns, frames.bytes.len()));
        }
        if frames.ends.len() < 2 {
            return Err(FramesError::NoUpdates { path: path.into(), product: product.into() });
        }
        Ok(frames)
    }

    /// How many there are, the snapshot included; at least 2.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Receive time and bytes of a frame.
    #[inline]
    pub(super) fn frame(&self, at: usize) -> (i64, &[u8]) {
        let start = if at == 0 { 0 } else { self.ends[at - 1].1 };
        let (ts_recv_ns, end) = self.ends[at];
        (ts_recv_ns, &self.bytes[start..end])
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::exchange::market::{MarketConfig, SyntheticMarket};
    use crate::exchange::message::{L2Kind, l2_data};
    use std::io::Write;

    /// A capture with `updates` updates behind a snapshot, and one snapshot more.
    pub fn capture(updates: u64) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let config = MarketConfig::default();
        let mut market = SyntheticMarket::new(&config);
        let (mut levels, mut frame) = (Vec::new(), Vec::new());
        for sequence_num in 0..updates + 2 {
            let kind = if sequence_num == 0 || sequence_num == updates + 1 { L2Kind::Snapshot } else { L2Kind::Update };
            if kind == L2Kind::Snapshot {
                market.snapshot(&mut levels)
            } else {
                _ = market.next_frame(&mut levels)
            }
            let time_ns = market.now_ns();
            l2_data(&mut frame, kind, &config.product, sequence_num, time_ns, config.scale, &levels);
            writeln!(file, "{time_ns} {}", String::from_utf8(frame.clone()).unwrap()).unwrap();
        }
        file
    }

    #[test]
    fn a_capture_without_updates_is_refused() {
        let file = capture(0);
        let error = Frames::read(file.path(), &MarketConfig::default().product).unwrap_err();
        assert!(error.to_string().ends_with("with updates behind it"), "{error}");
        assert!(matches!(Frames::read(file.path(), "X-Y"), Err(FramesError::NoUpdates { .. })));
    }
}
