//! Frames of another format on their way to an engine.
//!
//! ```
//! use papertrader::engine::status::Status;
//! use papertrader::research::source::Nobody;
//! use papertrader::run::session::Feed;
//! use papertrader::sources::detect::Format;
//! use papertrader::base::clock::Speed;
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::sources::ReaderSettings;
//! use papertrader::sources::replay::FrameReplay;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.csv");
//! std::fs::write(&path, "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
//!     x,P,1585699200000000,1585699200000001,false,bid,9,1\nx,P,1585699200000000,1585699200000001,true,bid,10,1\n")?;
//! let replay = FrameReplay::open(Format::TardisBook, &path, &ReaderSettings::default(), ScaleRule::default(), Speed::Max)?;
//! let outcome = replay.run(&mut Nobody, &Status::default());
//! assert_eq!(outcome.first().counts.frames, 1);
//! assert_eq!(outcome.remarks, ["1 row before the first snapshot: nobody knows the book that they change"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::binance_history::BinanceHistoryReader;
use super::bybit::BybitReader;
use super::databento::DatabentoReader;
use super::detect::Format;
use super::hftbacktest::reader::NpzReader;
use super::lobster::LobsterReader;
use super::merge::Merged;
use super::nautilus::NautilusReader;
use super::okx::OkxReader;
use super::raw::RawReader;
use super::scaler::Scaler;
use super::table::{self, check_no_opening_book, open_table};
use super::tardis::{IncrementalReader, TradesReader, first_product, trades_beside};
use super::{FrameReader, RawFrame, ReadError, ReaderCounts, ReaderSettings};
use crate::base::clock::{Clock, Pacer, Speed};
use crate::capture::Progress;
use crate::capture::replay::{ReplayError, ReplayOutcome};
use crate::engine::status::Status;
use crate::feed::intake::{Arrival, ScaleRule};
use crate::feed::intakes::ProductSeen;
use crate::handoff::Wait;
use crate::market::publish::Publish;
use crate::run::session::Feed;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Frames of a reader on their way to an engine.
pub struct FrameReplay {
    reader: Box<dyn FrameReader>,
    /// The first frame, by which the product is known.
    first: Option<RawFrame>,
    rule: ScaleRule,
    speed: Speed,
    spins: bool,
}

/// Opens the reader of a format.
fn reader_of(format: Format, path: &Path, settings: &ReaderSettings) -> Result<Box<dyn FrameReader>, ReadError> {
    if !matches!(format, Format::Table | Format::Hftbacktest | Format::BinanceHistory) {
        check_no_opening_book(path, settings)?;
    }
    Ok(match format {
        Format::Capture | Format::Frames => {
            return Err(ReadError::file(path, "is of this program's own formats"));
        }
        Format::TardisBook => {
            let book = IncrementalReader::open(path, settings)?;
            match trades_beside(path) {
                Some(beside) => {
                    // A group's trades may begin with those of another product.
                    let product = settings.product.clone().or(first_product(path)?);
                    let trades = TradesReader::open(&beside, &ReaderSettings { product, ..settings.clone() })?;
                    Box::new(Merged::new(book, trades, &[beside]))
                }
                None => Box::new(book),
            }
        }
        Format::Databento => Box::new(DatabentoReader::open(path, settings)?),
        Format::Lobster => Box::new(LobsterReader::open(path, settings)?),
        Format::Hftbacktest => Box::new(NpzReader::open(path, settings)?),
        Format::Nautilus => Box::new(NautilusReader::open(path, settings)?),
        Format::Table => open_table(path, settings)?,
        Format::Bybit => Box::new(BybitReader::open(path, settings)?),
        Format::BinanceHistory => Box::new(BinanceHistoryReader::open(path, settings)?),
        Format::Okx => Box::new(OkxReader::open(path, settings)?),
        Format::Raw => Box::new(RawReader::open(path, settings)?),
    })
}

impl FrameReplay {
    /// Opens a file of a format that is not this program's own.
    ///
    /// # Errors
    /// It cannot be read, or holds no frame of a book.
    pub fn open(
        format: Format,
        path: &Path,
        settings: &ReaderSettings,
        rule: ScaleRule,
        speed: Speed,
    ) -> Result<Self, ReplayError> {
        let reader = reader_of(format, path, settings).map_err(ReplayError::from)?;
        let of_any = || reader_of(format, path, &ReaderSettings { product: None, ..settings.clone() });
        Self::of(reader, path, rule, speed, settings, of_any)
    }

    /// Opens files of a format of which each goes on where the one before ends: only the first need begin with a snapshot.
    ///
    /// # Errors
    /// One cannot be read, or they hold no frame of a book.
    pub fn open_parts(
        format: Format,
        paths: &[PathBuf],
        settings: &ReaderSettings,
        rule: ScaleRule,
        speed: Speed,
    ) -> Result<Self, ReplayError> {
        let opened = match format {
            Format::Table => table::open_parts(paths, settings),
            Format::Hftbacktest => NpzReader::open_parts(paths, settings).map(|reader| Box::new(reader) as Box<_>),
            _ => NautilusReader::open_all(paths, settings).map(|reader| Box::new(reader) as Box<_>),
        };
        let reader = opened.map_err(ReplayError::from)?;
        let path = paths.first().map_or(Path::new(""), PathBuf::as_path);
        let of_any = || reader_of(format, path, &ReaderSettings { product: None, ..settings.clone() });
        Self::of(reader, path, rule, speed, settings, of_any)
    }

    fn of(
        mut reader: Box<dyn FrameReader>,
        path: &Path,
        rule: ScaleRule,
        speed: Speed,
        settings: &ReaderSettings,
        of_any: impl FnOnce() -> Result<Box<dyn FrameReader>, ReadError>,
    ) -> Result<Self, ReplayError> {
        let mut first = RawFrame::default();
        let found = reader.next(&mut first);
        let ReaderCounts { rows, other_products, .. } = reader.counts();
        if let (Some(asked), Err(_) | Ok(false), true) = (&settings.product, &found, rows > 0 && rows == other_products)
        {
            let found = of_any().map(|mut any| {
                // Whatever comes of it, its first row is read.
                let _ = any.next(&mut first);
                any.product().to_owned()
            });
            let holds = found.ok().filter(|product| !product.is_empty());
            let holds = holds.map_or_else(String::new, |product| format!("; its first rows are of {product}"));
            return Err(ReadError::file(path, format!("holds no row of {asked}{holds}")).into());
        }
        let first = found.map_err(ReplayError::from)?.then_some(first);
        if first.is_none() {
            return Err(ReadError::file(path, "holds no frame of a book").into());
        }
        Ok(Self { reader, first, rule, speed, spins: false })
    }

    /// The product.
    pub fn product(&self) -> &str {
        self.reader.product()
    }

    /// How far the file has been read.
    pub fn progress(&self) -> Arc<Progress> {
        self.reader.progress()
    }

    /// Whether the wait for a paced frame's due time spins.
    pub fn wait(&mut self, wait: Wait) {
        self.spins = wait == Wait::Spin;
    }

    /// The time of receipt of the first frame.
    pub fn first_ts_recv_ns(&self) -> i64 {
        self.first.as_ref().map_or(0, |frame| frame.ts_recv_ns)
    }
}

impl Feed for FrameReplay {
    type Outcome = ReplayOutcome;

    fn run(self, engine: &mut impl Publish, status: &Status) -> ReplayOutcome {
        let Self { mut reader, first, rule, speed, spins, .. } = self;
        let clock = Clock::new();
        let mut scaler = Scaler::new(rule, clock.clone());
        let mut pacer = Pacer::new(speed, clock.clone(), spins);
        let mut frame = first.unwrap_or_default();
        let (mut stopped, mut error) = (false, None);
        loop {
            let due = pacer.wait_until_due(frame.ts_recv_ns, || status.stopping());
            if status.stopping() {
                stopped = true;
                break;
            }
            let taken_up = clock.stamp();
            let received = due.unwrap_or(taken_up);
            let arrival = Arrival { ts_recv_ns: frame.ts_recv_ns, arrived: None, received, decoded: taken_up };
            if scaler.take(&frame, &arrival, engine).is_err() {
                stopped = true;
                break;
            }
            match reader.next(&mut frame) {
                Ok(true) => {}
                Ok(false) => break,
                Err(what) => {
                    error = Some(what.into());
                    break;
                }
            }
        }
        let mut remarks = reader.remarks();
        let holes = reader.holes();
        remarks.extend(holes.remark());
        let unread = scaler.counts().prints_unread;
        if unread > 0 {
            let trades = if unread == 1 { "trade" } else { "trades" };
            remarks.push(format!("{unread} {trades} of price or size 0, or of more than a book can hold, left out"));
        }
        if reader.has_event_times_only() {
            remarks.insert(0, "times of receipt are the venue's".into());
        }
        let seen = ProductSeen {
            counts: scaler.counts().clone(),
            notes: scaler.notes().to_vec(),
            ..ProductSeen::nothing(reader.product(), scaler.scale())
        };
        ReplayOutcome {
            lines: reader.counts().rows,
            remarks,
            error,
            stopped,
            files: holes.files(),
            longest_hole_ns: holes.longest_ns(),
            ..ReplayOutcome::of(seen)
        }
    }
}
