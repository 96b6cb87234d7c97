//! Frames of a capture in memory, and what came between them.

use crate::capture::replay::ReplayError;
use crate::capture::{CaptureError, Item};
use crate::exchange::reencode::MarketLines;
use crate::feed::coinbase::level2::{BookPart, Channel, Parser};
use crate::market::event::FrameKind;
use crate::market::units::Scale;
use crate::sources::market::MarketSettings;
use std::path::{Path, PathBuf};

/// The most bytes of frames that are held in memory.
pub const BYTES_MAX: usize = 1 << 30;

/// Frames of one product's book in memory, and the messages between them, prints above all.
#[derive(Debug)]
pub struct Frames {
    /// The product.
    pub product: String,
    /// Messages behind one another, the first a snapshot of the product, none of the others.
    bytes: Vec<u8>,
    /// Receive time and the end of each message's bytes.
    ends: Vec<(i64, usize)>,
    /// Which of the messages are frames of the book.
    book: Vec<usize>,
    /// How many are of prints.
    prints: usize,
}

/// Why there are no frames to present.
#[derive(Debug, thiserror::Error)]
pub enum FramesError {
    /// The file.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] ReplayError),
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
    /// Reads a market's frames of `product` from its first snapshot to the second or the end, at most [`BYTES_MAX`].
    ///
    /// # Errors
    /// See [`FramesError`].
    pub fn read(path: &Path, product: &str) -> Result<Self, FramesError> {
        Self::read_market(path, product, &MarketSettings::default())
    }

    /// The same of any format.
    ///
    /// # Errors
    /// See [`FramesError`].
    pub fn read_market(path: &Path, product: &str, settings: &MarketSettings) -> Result<Self, FramesError> {
        let mut reader = MarketLines::open(path, &settings.of_product(product))?;
        let mut parser = Parser::new(product);
        let mut levels = Vec::new();
        let mut frames =
            Self { product: product.into(), bytes: Vec::new(), ends: Vec::new(), book: Vec::new(), prints: 0 };
        let mut scale = Scale::default();
        while let Some(line) = reader.next_line()? {
            let Item::Frame(frame) = line.item else { continue };
            let Ok(mut message) = parser.parse(frame, scale, &mut levels) else { continue };
            if let BookPart::Finer(needs) = message.book {
                let Ok(finer) = parser.parse(frame, needs, &mut levels) else { continue };
                if message.channel == Channel::Level2 {
                    scale = needs;
                }
                message = finer;
            }
            let is_first = frames.ends.is_empty();
            match message.book {
                BookPart::Frame(FrameKind::Snapshot) if !is_first => break,
                BookPart::Frame(FrameKind::Snapshot) => {}
                _ if is_first => continue,
                _ => {}
            }
            if frames.bytes.len() + frame.len() > BYTES_MAX {
                break;
            }
            match message.book {
                // What else came has its place in the connection's numbers.
                BookPart::None => {}
                BookPart::Prints(_) => frames.prints += 1,
                _ => frames.book.push(frames.ends.len()),
            }
            frames.bytes.extend_from_slice(frame);
            frames.ends.push((line.ts_recv_ns, frames.bytes.len()));
        }
        if frames.len() < 2 {
            return Err(FramesError::NoUpdates { path: path.into(), product: product.into() });
        }
        Ok(frames)
    }

    /// How many frames of the book there are, the snapshot included; at least 2.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.book.len()
    }

    /// How many messages of prints there are.
    pub fn prints(&self) -> usize {
        self.prints
    }

    /// Receive time and bytes of a frame of the book.
    #[inline]
    pub(super) fn frame(&self, at: usize) -> (i64, &[u8]) {
        self.message(self.book[at])
    }

    /// The same of the messages between a frame of the book and the next.
    #[inline]
    pub(super) fn behind(&self, at: usize) -> impl Iterator<Item = (i64, &[u8])> {
        let next = self.book.get(at + 1).copied().unwrap_or(self.ends.len());
        (self.book[at] + 1..next).map(|at| self.message(at))
    }

    fn message(&self, at: usize) -> (i64, &[u8]) {
        let start = if at == 0 { 0 } else { self.ends[at - 1].1 };
        let (ts_recv_ns, end) = self.ends[at];
        (ts_recv_ns, &self.bytes[start..end])
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::exchange::market::{MarketConfig, SyntheticMarket, Trade};
    use crate::exchange::message::{L2Kind, Layout, Prints, l2_data};
    use crate::market::units::Side;
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

    /// The same with a heartbeat and a print behind every third update.
    pub fn capture_with_prints(updates: u64) -> tempfile::NamedTempFile {
        let plain = std::fs::read_to_string(capture(updates).path()).unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let layout = Layout::default();
        let (mut sequence_num, mut message) = (0, Vec::new());
        for (line, at) in plain.lines().zip(0..) {
            let was = format!("\"sequence_num\":{at},");
            writeln!(file, "{}", line.replacen(&was, &format!("\"sequence_num\":{sequence_num},"), 1)).unwrap();
            sequence_num += 1;
            if at > 0 && at % 3 == 0 && at <= updates {
                let time_ns = line.split_once(' ').unwrap().0.parse().unwrap();
                layout.heartbeat(&mut message, sequence_num, time_ns, at);
                writeln!(file, "{time_ns} {}", str::from_utf8(&message).unwrap()).unwrap();
                let trades = [Trade { trade_id: at / 3, maker: Side::Bid, price_ticks: 7, size_lots: 1, time_ns }];
                let config = MarketConfig::default();
                let (kind, product, scale) = (L2Kind::Update, config.product.as_str(), config.scale);
                let prints = Prints { kind, product, scale, trades: &trades };
                layout.market_trades(&mut message, sequence_num + 1, time_ns, &prints);
                writeln!(file, "{time_ns} {}", str::from_utf8(&message).unwrap()).unwrap();
                sequence_num += 2;
            }
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
