//! Frames of any market as the venue's messages, and any market line by line.
//!
//! ```
//! use papertrader::capture::Item;
//! use papertrader::exchange::reencode::MarketLines;
//! use papertrader::sources::market::MarketSettings;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.csv");
//! std::fs::write(&path, "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
//!     deribit,BTC-PERPETUAL,1585699200245000,1585699200250351,true,bid,6421.5,18640\n")?;
//! let mut lines = MarketLines::open(&path, &MarketSettings::default())?;
//! let line = lines.next_line()?.expect("a snapshot");
//! let Item::Frame(message) = line.item else { panic!("a message") };
//! assert!(std::str::from_utf8(message)?.contains(r#""price_level":"6421.5","new_quantity":"18640""#));
//! assert_eq!(lines.next_line()?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::market::{LevelUpdate, Trade};
use super::message::{L2Kind, Layout, Levels, Prints};
use crate::capture::replay::ReplayError;
use crate::capture::{CaptureError, CaptureReader, Control, Item, Line};
use crate::engine::status::Status;
use crate::execution::matching::best::opposite;
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use crate::market::publish::{EngineGone, Publish};
use crate::run::session::Feed;
use crate::sources::detect::{Format, detect};
use crate::sources::market::{Market, MarketSettings};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::path::Path;
use std::thread;

/// Messages on their way from the thread that reads a market.
const MESSAGES_AHEAD: usize = 256;

/// What a frame is on a capture's line.
#[derive(Debug, PartialEq, Eq)]
pub enum Reencoded<'a> {
    /// The venue's message, in today's layout.
    Message(&'a [u8]),
    /// A word of the recorder.
    Control(Control),
}

/// Makes messages of frames, numbered one after the other.
#[derive(Debug)]
pub struct Reencoder {
    product: String,
    sequence_num: u64,
    connection: u64,
    updates: Vec<LevelUpdate>,
    trades: Vec<Trade>,
    message: Vec<u8>,
}

impl Reencoder {
    /// Of a product.
    pub fn new(product: &str) -> Self {
        let (updates, trades, message) = (Vec::new(), Vec::new(), Vec::new());
        Self { product: product.into(), sequence_num: 0, connection: 1, updates, trades, message }
    }

    /// Makes a line of a frame.
    pub fn encode(&mut self, head: &FrameHead, events: &[Event]) -> Reencoded<'_> {
        let (product, scale) = (self.product.as_str(), head.scale);
        let time_ns = if head.ts_event_ns == 0 { head.ts_recv_ns } else { head.ts_event_ns };
        let kind = match head.kind {
            FrameKind::Snapshot => L2Kind::Snapshot,
            FrameKind::Update | FrameKind::Prints => L2Kind::Update,
            FrameKind::Connected => {
                self.connection += 1;
                self.sequence_num = 0;
                return Reencoded::Control(Control::Connected { connection: self.connection, products: Vec::new() });
            }
            FrameKind::Invalid(fault) => {
                let (connection, fault) = (self.connection, fault.name());
                let lost = Control::Disconnected { connection, fault: fault.into(), cause: fault.into() };
                return Reencoded::Control(lost);
            }
        };
        if head.kind == FrameKind::Prints {
            let (prints, _) = events.as_chunks::<PRINT_EVENTS>();
            self.trades.clear();
            // Newest first, as the venue sends them.
            self.trades.extend(prints.iter().rev().map(|&print| {
                let Print { aggressor, price_ticks, size_lots, trade_id, ts_event_ns } = Print::decode(print);
                let time_ns = if ts_event_ns == 0 { time_ns } else { ts_event_ns };
                Trade { trade_id, maker: opposite(aggressor), price_ticks, size_lots, time_ns }
            }));
            let prints = Prints { kind, product, scale, trades: &self.trades };
            Layout::default().market_trades(&mut self.message, self.sequence_num, time_ns, &prints);
        } else {
            self.updates.clear();
            self.updates.extend(events.iter().map(|level| LevelUpdate {
                side: level.side(),
                price_ticks: level.price_ticks(),
                size_lots: level.size_lots(),
            }));
            let levels = Levels { kind, product, scale, updates: &self.updates };
            Layout::default().l2_data(&mut self.message, self.sequence_num, time_ns, &levels);
        }
        self.sequence_num += 1;
        Reencoded::Message(&self.message)
    }
}

/// Lines of a market: a capture's own, or those that its frames would be.
pub enum MarketLines {
    /// A capture, as it was recorded.
    Capture(Box<CaptureReader>),
    /// Another format, read on a thread of its own.
    Encoded(Encoded),
}

/// A line from the reading thread: its time and what it carries.
type Sent = Result<(i64, Owned), CaptureError>;

enum Owned {
    Message(Vec<u8>),
    Control(Control),
}

/// Messages that a thread makes.
pub struct Encoded {
    product: String,
    sent: Receiver<Sent>,
    message: Vec<u8>,
    lines: u64,
}

struct Sending {
    reencoder: Reencoder,
    sender: Sender<Sent>,
}

impl Publish for Sending {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        let line = match self.reencoder.encode(head, events) {
            Reencoded::Message(message) => Owned::Message(message.to_vec()),
            Reencoded::Control(control) => Owned::Control(control),
        };
        self.sender.send(Ok((head.ts_recv_ns, line))).map_err(|_| EngineGone)
    }
}

impl MarketLines {
    /// Opens a market of any format.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path, settings: &MarketSettings) -> Result<Self, ReplayError> {
        let format = settings.format.or_else(|| detect(path).ok().flatten());
        if matches!(format, None | Some(Format::Capture)) && settings.window.is_all() {
            return Ok(Self::Capture(Box::new(CaptureReader::open(path)?.read_ahead()?)));
        }
        let market = Market::open(path, settings)?;
        let product = market.product().to_owned();
        let (sender, sent) = bounded(MESSAGES_AHEAD);
        let reencoder = Reencoder::new(&product);
        let failed = |source: io::Error| CaptureError::Foreign(format!("cannot start a thread: {source}").into());
        thread::Builder::new()
            .name("market-reader".into())
            .spawn(move || {
                let mut sending = Sending { reencoder, sender };
                if let Some(error) = market.run(&mut sending, &Status::default()).error {
                    // Nobody may be there any more.
                    let _ = sending.sender.send(Err(error));
                }
            })
            .map_err(failed)?;
        Ok(Self::Encoded(Encoded { product, sent, message: Vec::new(), lines: 0 }))
    }

    /// The product of another format than a capture, which has one.
    pub fn product(&self) -> Option<&str> {
        match self {
            Self::Capture(_) => None,
            Self::Encoded(encoded) => Some(&encoded.product),
        }
    }

    /// Lines taken so far.
    pub fn lines(&self) -> u64 {
        match self {
            Self::Capture(reader) => reader.lines(),
            Self::Encoded(encoded) => encoded.lines,
        }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// The file is not what it should be.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, CaptureError> {
        match self {
            Self::Capture(reader) => reader.next_line(),
            Self::Encoded(encoded) => {
                // A closed channel means that the thread has sent everything.
                let Ok(sent) = encoded.sent.recv() else { return Ok(None) };
                let (ts_recv_ns, line) = sent?;
                encoded.lines += 1;
                let item = match line {
                    Owned::Control(control) => Item::Control(control),
                    Owned::Message(message) => {
                        encoded.message = message;
                        Item::Frame(&encoded.message)
                    }
                };
                Ok(Some(Line { ts_recv_ns, item, terminated: true }))
            }
        }
    }
}
