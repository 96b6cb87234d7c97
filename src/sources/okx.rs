//! OKX's downloadable order books: `SYMBOL-L2orderbook-400lv-YYYY-MM-DD.tar.gz`, members of JSON lines, or such a member unpacked.
//!
//! A line is a whole book (`snapshot`) or what changed in it (`update`) with absolute sizes, 0 removes; levels are price, size and
//! number of orders. Sizes of swaps and futures are in contracts. The files have the venue's times only, `ts` in milliseconds, and no
//! numbers: a line that is missing cannot be told. An archive may hold several products, a member each; lines are counted over all
//! of them.
//!
//! ```
//! use papertrader::sources::okx::OkxReader;
//! use papertrader::sources::{FrameReader, RawFrame, RawKind, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("BTC-USDT-L2orderbook-400lv-2025-08-01.data");
//! std::fs::write(&path, r#"{"instId":"BTC-USDT","action":"snapshot","ts":"1754006400005","asks":[["115716.7","0.8","3"]],"bids":[["115716.6","1.2","9"]]}
//! {"instId":"BTC-USDT","action":"update","ts":"1754006400015","asks":[["115716.7","0","0"]],"bids":[]}
//! "#)?;
//! let mut reader = OkxReader::open(&path, &ReaderSettings::default())?;
//! let (mut frame, mut kinds) = (RawFrame::default(), Vec::new());
//! while reader.next(&mut frame)? {
//!     kinds.push((frame.kind, frame.levels.len(), frame.ts_recv_ns));
//! }
//! assert_eq!(kinds, [(RawKind::Snapshot, 2, 1_754_006_400_005_000_000), (RawKind::Update, 1, 1_754_006_400_015_000_000)]);
//! assert_eq!((reader.product(), reader.has_event_times_only()), ("BTC-USDT", true));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::book_lines::{BookLines, LinesReader};
use super::bytes::Lines;
use super::json::{Pair, Text, ms_to_ns, parse, push_levels, shown};
use super::zipped::open_data;
use super::{RawFrame, RawKind, ReadError, ReaderCounts, ReaderSettings};
use crate::market::units::Side;
use serde::Deserialize;
use std::borrow::Cow;
use std::path::Path;

/// How far times may go back from line to line. Members or parts in another order than that of time go back further.
const BACK_NS_MAX: i64 = 60_000_000_000;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "instId", borrow)]
    product: Cow<'a, str>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    ts: Text<'a>,
    #[serde(borrow)]
    asks: Vec<Pair<'a>>,
    #[serde(borrow)]
    bids: Vec<Pair<'a>>,
}

/// Whether the beginning of a file is a line of this kind. Messages of the venue's `books` channel have the same keys within others.
pub fn is_book(head: &[u8]) -> bool {
    let end = memchr::memchr(b'\n', head).unwrap_or(head.len());
    let line = head[..end].trim_ascii_start();
    let has = |key: &str| memchr::memmem::find(line, key.as_bytes()).is_some();
    let keys = ["\"instId\"", "\"action\"", "\"ts\"", "\"asks\""];
    line.starts_with(b"{") && keys.into_iter().all(has) && !has("\"data\"")
}

/// Whether a member's name is one that the venue gives.
pub fn is_named(member: &str) -> bool {
    member.contains("-L2orderbook-")
}

/// Reads one file.
pub type OkxReader = LinesReader<OkxLines>;

/// What OKX's messages do to the book.
pub struct OkxLines {
    product: String,
    has_begun: bool,
    last_ns: i64,
    counts: ReaderCounts,
}

impl LinesReader<OkxLines> {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or is a zip archive without such a member.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        let bytes = open_data(path, "a member NAME.data of OKX's")?;
        let product = settings.product.clone().unwrap_or_default();
        let book = OkxLines { product, has_begun: false, last_ns: i64::MIN, counts: ReaderCounts::default() };
        Ok(Self::new(Lines::new(path, bytes), book))
    }
}

impl BookLines for OkxLines {
    fn take(&mut self, line: &[u8], frame: &mut RawFrame) -> Result<bool, String> {
        let Message { product, action, ts, asks, bids } = parse(line)?;
        if self.product.is_empty() {
            self.product = product.clone().into_owned();
        }
        if product != self.product {
            self.counts.other_products += 1;
            return Ok(false);
        }
        let is_snapshot = match action.as_ref() {
            "snapshot" => true,
            "update" => false,
            other => return Err(format!("action '{}' is neither snapshot nor update", shown(other.as_bytes()))),
        };
        let ts_ns = self.time(ts.as_str())?;
        if !is_snapshot && !self.has_begun {
            self.counts.before_snapshot += 1;
            return Ok(false);
        }
        self.has_begun = true;
        frame.begin(if is_snapshot { RawKind::Snapshot } else { RawKind::Update }, self.last_ns, ts_ns);
        push_levels(frame, Side::Bid, &bids)?;
        push_levels(frame, Side::Ask, &asks)?;
        if is_snapshot {
            frame.levels.retain(|level| !level.size.is_zero());
        }
        Ok(true)
    }

    fn has_begun(&self) -> bool {
        self.has_begun
    }

    fn product(&self) -> &str {
        &self.product
    }

    fn counts(&self) -> ReaderCounts {
        self.counts
    }
}

impl OkxLines {
    /// Reads a time; [`OkxLines::last_ns`] does not go back.
    fn time(&mut self, text: &str) -> Result<i64, String> {
        let ms = text.parse().map_err(|_| format!("ts '{}' is not a whole number", shown(text.as_bytes())))?;
        let ts_ns = ms_to_ns(ms, "ts")?;
        let back_ns = self.last_ns.saturating_sub(ts_ns);
        if back_ns > BACK_NS_MAX {
            let seconds = back_ns / 1_000_000_000;
            return Err(format!("ts '{ms}' goes back by {seconds} s; give parts as files, which are put into order"));
        }
        self.counts.out_of_order += u64::from(back_ns > 0);
        self.last_ns = self.last_ns.max(ts_ns);
        Ok(ts_ns)
    }
}

#[cfg(test)]
mod tests;
