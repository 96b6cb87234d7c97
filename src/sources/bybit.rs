//! Bybit's downloadable order books: `YYYY-MM-DD_SYMBOL_ob500.data.zip`, one member of JSON lines, or that member unpacked.
//!
//! Each line is a message of the venue's `orderbook` topic: a snapshot, or a delta with absolute sizes, 0 removes. `u` counts by 1;
//! after a gap nothing is believed until the next snapshot, and 1 begins again. The files have the venue's times only, `ts` in
//! milliseconds. Source: Bybit, API version 5, "Orderbook".
//!
//! ```
//! use papertrader::sources::bybit::BybitReader;
//! use papertrader::sources::{FrameReader, RawFrame, RawKind, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("2024-12-01_XRPUSDT_ob500.data");
//! std::fs::write(&path, r#"{"topic":"orderbook.500.XRPUSDT","type":"snapshot","ts":1733011200691,
//!     "data":{"s":"XRPUSDT","b":[["1.9531","6203"]],"a":[["1.9532","100"]],"u":7,"seq":1},"cts":1733011200589}"#.replace('\n', ""))?;
//! let mut reader = BybitReader::open(&path, &ReaderSettings::default())?;
//! let mut frame = RawFrame::default();
//! assert!(reader.next(&mut frame)?);
//! assert_eq!((frame.kind, frame.levels.len(), frame.ts_recv_ns), (RawKind::Snapshot, 2, 1_733_011_200_691_000_000));
//! assert_eq!((reader.product(), reader.has_event_times_only()), ("XRPUSDT", true));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::book_lines::{BookLines, LinesReader};
use super::bytes::Lines;
use super::json::{Pair, ms_to_ns, parse, push_levels, shown};
use super::zipped;
use super::{RawFrame, RawKind, ReadError, ReaderCounts, ReaderSettings};
use crate::market::event::Fault;
use crate::market::units::Side;
use serde::Deserialize;
use std::borrow::Cow;
use std::path::Path;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    ts: i64,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    s: Cow<'a, str>,
    #[serde(borrow)]
    b: Vec<Pair<'a>>,
    #[serde(borrow)]
    a: Vec<Pair<'a>>,
    u: u64,
}

/// Whether the beginning of a file is a message of this kind.
pub fn is_book(head: &[u8]) -> bool {
    head.starts_with(b"{\"topic\":\"orderbook.")
}

/// Where the book stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Continuity {
    /// No snapshot yet.
    NotBegun,
    /// A message is missing; no snapshot since.
    Lost,
    /// The last `u`.
    Live(u64),
}

/// Reads one file.
pub type BybitReader = LinesReader<BybitLines>;

/// What Bybit's messages do to the book.
pub struct BybitLines {
    product: String,
    continuity: Continuity,
    last_ns: i64,
    counts: ReaderCounts,
}

impl LinesReader<BybitLines> {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or is an archive without such a member.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let bytes = zipped::open_data(path, "a member NAME.data of Bybit's")?;
        let book = BybitLines {
            product: settings.product.clone().unwrap_or_default(),
            continuity: Continuity::NotBegun,
            last_ns: i64::MIN,
            counts: ReaderCounts::default(),
        };
        Ok(Self::new(Lines::new(path, bytes), book))
    }
}

impl BookLines for BybitLines {
    fn take(&mut self, line: &[u8], frame: &mut RawFrame) -> Result<bool, String> {
        let Message { topic, kind, ts, data } = parse(line)?;
        if !topic.starts_with("orderbook.") {
            return Err(format!("topic '{}' is not a book's", shown(topic.as_bytes())));
        }
        if self.product.is_empty() {
            self.product = data.s.clone().into_owned();
        }
        if data.s != self.product {
            self.counts.other_products += 1;
            return Ok(false);
        }
        let is_snapshot = match kind.as_ref() {
            "snapshot" => true,
            // The venue's service has begun again: such a message is whole.
            "delta" => data.u == 1,
            other => return Err(format!("type '{}' is neither snapshot nor delta", shown(other.as_bytes()))),
        };
        let ts_ns = ms_to_ns(ts, "ts")?;
        self.counts.out_of_order += u64::from(ts_ns < self.last_ns);
        self.last_ns = self.last_ns.max(ts_ns);
        let kind = match self.continuity {
            _ if is_snapshot => RawKind::Snapshot,
            Continuity::NotBegun | Continuity::Lost => {
                self.counts.before_snapshot += 1;
                return Ok(false);
            }
            Continuity::Live(last) if last.checked_add(1) == Some(data.u) => RawKind::Update,
            Continuity::Live(last) => {
                let fault = if data.u > last { Fault::SequenceGap } else { Fault::SequenceRepeat };
                self.continuity = Continuity::Lost;
                frame.begin(RawKind::Lost(fault), self.last_ns, ts_ns);
                return Ok(true);
            }
        };
        frame.begin(kind, self.last_ns, ts_ns);
        push_levels(frame, Side::Bid, &data.b)?;
        push_levels(frame, Side::Ask, &data.a)?;
        if is_snapshot {
            frame.levels.retain(|level| !level.size.is_zero());
        }
        self.continuity = Continuity::Live(data.u);
        Ok(true)
    }

    fn has_begun(&self) -> bool {
        self.continuity != Continuity::NotBegun
    }

    fn product(&self) -> &str {
        &self.product
    }

    fn counts(&self) -> ReaderCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
