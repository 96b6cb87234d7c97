//! Recordings of venues' own messages: a time of receipt and a message a line.
//!
//! Lines of hftbacktest's collector, of Tardis' raw data, of tardis-machine (raw and normalized) and of cryptofeed; inside them
//! messages of Binance (spot and futures), of Bybit (version 5), of Coinbase Exchange and of Kraken (version 2). Recordings of Coinbase Advanced Trade are this program's own
//! captures. Lines are taken in their order; where a clock steps back, the time before it stands and the line is counted.
//!
//! ```
//! use papertrader::sources::raw::RawReader;
//! use papertrader::sources::{FrameReader, RawFrame, RawKind, ReaderSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("btcusdt.txt");
//! std::fs::write(&path, r#"1723161256609369665 {"lastUpdateId":7,"bids":[["61804.7","35"]],"asks":[["61804.8","2"]]}
//! 1723161256618936965 {"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1723161256600,"s":"BTCUSDT","U":6,"u":9,"b":[["61804.7","0"]],"a":[]}}
//! "#)?;
//! let mut reader = RawReader::open(&path, &ReaderSettings::default())?;
//! let (mut frame, mut kinds) = (RawFrame::default(), Vec::new());
//! while reader.next(&mut frame)? {
//!     kinds.push((frame.kind, frame.levels.len()));
//! }
//! assert_eq!(kinds, [(RawKind::Snapshot, 2), (RawKind::Update, 1)]);
//! assert_eq!(reader.product(), "BTCUSDT");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod binance;
mod bybit;
mod coinbase;
mod kraken;
mod line;
mod machine;
mod message;
#[cfg(test)]
mod tests;

use super::bytes::{Lines, open};
use super::{
    FrameReader, RawFrame, RawKind, RawPrint, ReadError, ReaderCounts, ReaderSettings, TimeChoice,
    json::is_plausible_ns,
};
use crate::capture::Progress;
use crate::market::event::Fault;
use binance::Splice;
use line::{Layout, Line};
use message::Message;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// Whether the beginning of a file is a recording of this kind, and of other messages than Coinbase Advanced Trade's.
pub fn is_recording(head: &[u8]) -> bool {
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.trim_ascii()).filter(|line| !line.is_empty());
    let Some(first) = lines.next() else { return false };
    match Layout::of(first) {
        None => false,
        Some(Layout::Collector) => {
            let message = first.splitn(2, |&byte| byte == b' ').nth(1).unwrap_or_default();
            message::is_of_another_venue(message)
        }
        Some(_) => true,
    }
}

/// Reads a recording.
pub struct RawReader {
    lines: Lines,
    layout: Option<Layout>,
    state: State,
}

impl RawReader {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path, settings: &ReaderSettings) -> Result<Self, ReadError> {
        Ok(Self { lines: Lines::new(path, open(path)?), layout: None, state: State::new(settings) })
    }
}

impl FrameReader for RawReader {
    fn next(&mut self, frame: &mut RawFrame) -> Result<bool, ReadError> {
        loop {
            if let Some(mut ready) = self.state.ready.pop_front() {
                std::mem::swap(frame, &mut ready);
                self.state.spare.push(ready);
                return Ok(true);
            }
            let Some(line) = self.lines.next()? else {
                if !self.state.has_begun {
                    let what = "holds no snapshot of the product: nothing can be made of its updates. Record the venue's \
                                snapshot beside them";
                    return Err(ReadError::file(self.lines.path(), what));
                }
                return Ok(false);
            };
            if let Err(what) = self.state.take_line(line, &mut self.layout) {
                return Err(self.lines.wrong(what));
            }
        }
    }

    fn progress(&self) -> Arc<Progress> {
        self.lines.progress()
    }

    fn product(&self) -> &str {
        &self.state.product
    }

    fn counts(&self) -> ReaderCounts {
        self.state.counts
    }

    fn has_event_times_only(&self) -> bool {
        self.state.time == TimeChoice::Event
    }
}

/// What is known from line to line.
struct State {
    product: String,
    time: TimeChoice,
    /// The last time of receipt, of the clock chosen.
    last_ns: i64,
    /// Whether there was a snapshot.
    has_begun: bool,
    /// Whether the book can be trusted.
    is_live: bool,
    /// Binance's updates, as their snapshot comes behind them.
    splice: Splice,
    /// Bybit's book.
    topic: bybit::Topic,
    /// Kraken's book.
    depth: kraken::Depth,
    /// Which of a venue's streams of trades is taken: the first. Others tell the same trades again.
    tape: Option<Tape>,
    /// Frames that are to be given, oldest first.
    ready: VecDeque<RawFrame>,
    /// Frames whose memory is used again.
    spare: Vec<RawFrame>,
    counts: ReaderCounts,
}

/// A stream of trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tape {
    /// One by one.
    Trades,
    /// Those of one order and price together.
    Aggregated,
}

/// Spare frames that are kept.
const SPARE_MAX: usize = 8;

impl State {
    fn new(settings: &ReaderSettings) -> Self {
        Self {
            product: settings.product.clone().unwrap_or_default(),
            time: settings.time,
            last_ns: i64::MIN,
            has_begun: false,
            is_live: false,
            splice: Splice::default(),
            topic: bybit::Topic::default(),
            depth: kraken::Depth::default(),
            tape: None,
            ready: VecDeque::new(),
            spare: Vec::new(),
            counts: ReaderCounts::default(),
        }
    }

    fn take_line(&mut self, line: &[u8], layout: &mut Option<Layout>) -> Result<(), String> {
        if layout.is_none() && !line.trim_ascii().is_empty() {
            *layout = Some(Layout::of(line).ok_or_else(line::unknown)?);
        }
        let Some(layout) = *layout else { return Ok(()) };
        self.counts.rows += 1;
        match layout.parse(line)? {
            Line::Nothing => Ok(()),
            Line::Disconnected => {
                self.lose(Fault::Disconnected);
                self.splice.clear(&mut self.counts);
                Ok(())
            }
            Line::Normalized => machine::take(self, line),
            Line::Message { ts_recv_ns, text, symbol } => match message::parse(text)? {
                Message::Other => Ok(()),
                Message::Binance(message) => binance::take(self, ts_recv_ns, &message, symbol),
                Message::Bybit(message) => bybit::take(self, ts_recv_ns, &message),
                Message::Coinbase(message) => coinbase::take(self, ts_recv_ns, &message),
                Message::Kraken(message) => kraken::take(self, ts_recv_ns, &message),
            },
        }
    }

    /// Whether a message is of the product, which is that of the first message of a book where none is asked for.
    fn is_ours(&mut self, product: &str) -> bool {
        if self.product.is_empty() {
            self.product = product.into();
        }
        let ours = self.product == product;
        self.counts.other_products += u64::from(!ours);
        ours
    }

    /// Whether a trade is of another product, which is counted. The tape may come before the book, which names the product.
    fn is_anothers_trade(&mut self, product: &str) -> bool {
        let anothers = !self.product.is_empty() && self.product != product;
        self.counts.other_products += u64::from(anothers);
        anothers
    }

    /// The time that counts as that of receipt.
    fn stamp(&mut self, ts_recv_ns: i64, ts_event_ns: i64) -> i64 {
        let ts_ns = match self.time {
            TimeChoice::Event if ts_event_ns > 0 => ts_event_ns,
            // What has no time of the venue's happened after what came before it.
            TimeChoice::Event if self.last_ns != i64::MIN => self.last_ns,
            _ => ts_recv_ns,
        };
        self.counts.out_of_order += u64::from(ts_ns < self.last_ns);
        self.last_ns = self.last_ns.max(ts_ns);
        self.last_ns
    }

    /// An empty frame.
    fn frame(&mut self, kind: RawKind, ts_recv_ns: i64, ts_event_ns: i64) -> RawFrame {
        let mut frame = self.spare.pop().unwrap_or_default();
        self.spare.truncate(SPARE_MAX);
        frame.begin(kind, ts_recv_ns, ts_event_ns);
        frame
    }

    /// Gives a snapshot.
    fn give_snapshot(&mut self, mut frame: RawFrame) {
        frame.levels.retain(|level| !level.size.is_zero());
        (self.has_begun, self.is_live) = (true, true);
        self.give(frame);
    }

    /// Gives an update, if there is a book that it changes.
    fn give_update(&mut self, frame: RawFrame) {
        if self.is_live {
            self.give(frame);
        } else {
            self.counts.before_snapshot += 1;
        }
    }

    fn give(&mut self, mut frame: RawFrame) {
        frame.ts_recv_ns = self.stamp(frame.ts_recv_ns, frame.ts_event_ns);
        self.ready.push_back(frame);
    }

    /// Gives a trade. The tape begins with the book.
    fn give_print(&mut self, ts_recv_ns: i64, print: RawPrint) {
        if !self.has_begun {
            self.counts.before_snapshot += 1;
            return;
        }
        // Futures' streams tell of what is no trade of the book as one of price or size 0.
        if print.price.is_zero() || print.size.is_zero() {
            self.counts.prints_without_side += 1;
            return;
        }
        let mut frame = self.frame(RawKind::Prints, ts_recv_ns, print.ts_event_ns);
        frame.prints.push(print);
        self.give(frame);
    }

    /// The book cannot be trusted any more, if there was one.
    fn lose(&mut self, fault: Fault) {
        if !self.is_live {
            return;
        }
        self.is_live = false;
        let frame = self.frame(RawKind::Lost(fault), self.last_ns, 0);
        self.ready.push_back(frame);
    }
}

/// The venue's time, RFC 3339; 0 where it is none, such as the year 1.
fn utc_ns(text: &str) -> i64 {
    crate::base::clock::parse_utc_ns(text.as_bytes()).filter(|&ns| is_plausible_ns(ns)).unwrap_or(0)
}
