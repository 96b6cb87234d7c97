//! Frames as rows of Tardis' `incremental_book_L2`, prints as rows of `trades` beside it.
//!
//! Times are in microseconds there: frames of one microsecond would become one, so that a frame whose time does not rise gets the
//! next microsecond.

use crate::base::output::{Output, OutputError};
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use crate::market::units::{Decimal, Side};
use crate::report::text::counted;
use crate::sources::tardis::{BOOK_HEADER, TRADES_HEADER, trades_path};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Plain or gzip.
enum Rows {
    Plain(Output),
    Gzip(GzEncoder<Output>),
}

impl Rows {
    fn create(path: &Path, force: bool) -> Result<Self, OutputError> {
        let output = Output::create(path, force)?;
        Ok(match path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz")) {
            true => Self::Gzip(GzEncoder::new(output, Compression::default())),
            false => Self::Plain(output),
        })
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.write_all(text),
            Self::Gzip(encoder) => encoder.write_all(text),
        }
    }

    /// Writes it to its end. It is not in its place yet.
    fn end(self, path: &Path) -> Result<Output, OutputError> {
        let ended = match self {
            Self::Plain(output) => Ok(output),
            Self::Gzip(encoder) => encoder.finish(),
        };
        let whole = ended.and_then(|mut output| output.flush().map(|()| output));
        whole.map_err(OutputError::at(path))
    }
}

/// Writes rows.
pub(super) struct TardisSink {
    path: PathBuf,
    product: String,
    book: Rows,
    /// Made with the first print.
    trades: Option<(PathBuf, Rows)>,
    force: bool,
    last_us: i64,
    /// Messages with a time of the venue that is that of their receipt, to the microsecond.
    equal: u64,
    /// Whether the message before was of prints.
    were_prints: bool,
    text: Vec<u8>,
}

impl TardisSink {
    pub fn create(path: &Path, product: &str, force: bool) -> Result<Self, OutputError> {
        let mut book = Rows::create(path, force)?;
        let at = |source| OutputError::Write { path: path.into(), source };
        book.write(format!("{BOOK_HEADER}\n").as_bytes()).map_err(at)?;
        Ok(Self {
            path: path.into(),
            product: product.into(),
            book,
            trades: None,
            force,
            last_us: i64::MIN,
            equal: 0,
            were_prints: false,
            text: Vec::new(),
        })
    }

    /// Gives what the user should know. Both files are whole before one takes its place.
    pub fn finish(self) -> Result<Option<String>, OutputError> {
        let equal = (self.equal > 0).then(|| {
            let messages = counted(self.equal, "message");
            format!("the venue's time of {messages} is that of their receipt to the microsecond, which these rows read as none\n")
        });
        let book = self.book.end(&self.path)?;
        let trades = self.trades.map(|(path, rows)| rows.end(&path)).transpose()?;
        book.finish()?;
        match trades {
            Some(trades) => trades.finish()?,
            None if self.force => {
                let removed = super::remove_trades(&trades_path(&self.path))?;
                return Ok(removed.into_iter().chain(equal).reduce(|all, note| all + &note));
            }
            None => {}
        }
        Ok(equal)
    }

    pub fn push(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), OutputError> {
        // Of one time the trades are read first: behind the book they need a time of their own.
        let is_print = head.kind == FrameKind::Prints;
        let is_new = i64::from(!(is_print && self.were_prints));
        let local_us = (head.ts_recv_ns / 1_000).max(self.last_us.saturating_add(is_new));
        (self.last_us, self.were_prints) = (local_us, is_print);
        let time_us = if head.ts_event_ns == 0 { local_us } else { head.ts_event_ns / 1_000 };
        self.equal += u64::from(head.ts_event_ns != 0 && time_us == local_us);
        let decimal = |count, decimals| Decimal { count, decimals };
        self.text.clear();
        match head.kind {
            FrameKind::Snapshot | FrameKind::Update => {
                let is_snapshot = head.kind == FrameKind::Snapshot;
                for level in events {
                    let side = if level.side() == Side::Bid { "bid" } else { "ask" };
                    let price = decimal(level.price_ticks(), head.scale.price_decimals);
                    let size = decimal(level.size_lots(), head.scale.size_decimals);
                    // To a vector: it does not fail.
                    let _ = writeln!(
                        self.text,
                        ",{},{time_us},{local_us},{is_snapshot},{side},{price},{size}",
                        self.product
                    );
                }
                self.book.write(&self.text).map_err(|source| OutputError::Write { path: self.path.clone(), source })
            }
            FrameKind::Prints => self.prints(head, events, local_us),
            FrameKind::Connected | FrameKind::Invalid(_) => Ok(()),
        }
    }

    fn prints(&mut self, head: &FrameHead, events: &[Event], local_us: i64) -> Result<(), OutputError> {
        let (prints, _) = events.as_chunks::<PRINT_EVENTS>();
        for &print in prints {
            let Print { aggressor, price_ticks, size_lots, trade_id, ts_event_ns } = Print::decode(print);
            let side = if aggressor == Side::Bid { "buy" } else { "sell" };
            let price = Decimal { count: price_ticks, decimals: head.scale.price_decimals };
            let size = Decimal { count: size_lots, decimals: head.scale.size_decimals };
            let time_us = if ts_event_ns == 0 { local_us } else { ts_event_ns / 1_000 };
            let _ = writeln!(self.text, ",{},{time_us},{local_us},{trade_id},{side},{price},{size}", self.product);
        }
        if self.trades.is_none() {
            let path = trades_path(&self.path);
            let mut rows = Rows::create(&path, self.force)?;
            rows.write(format!("{TRADES_HEADER}\n").as_bytes())
                .map_err(|source| OutputError::Write { path: path.clone(), source })?;
            self.trades = Some((path, rows));
        }
        let Some((path, rows)) = &mut self.trades else { return Ok(()) };
        rows.write(&self.text).map_err(|source| OutputError::Write { path: path.clone(), source })
    }
}
