//! A market, whatever its format: what a path names, opened and replayed.
//!
//! ```
//! use papertrader::engine::status::Status;
//! use papertrader::research::source::Nobody;
//! use papertrader::run::session::Feed;
//! use papertrader::sources::market::{Market, MarketSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.csv");
//! std::fs::write(&path, "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
//!     deribit,BTC-PERPETUAL,1585699200245000,1585699200250351,true,bid,6421.5,18640\n")?;
//! let market = Market::open(&path, &MarketSettings::default())?;
//! assert_eq!(market.product(), "BTC-PERPETUAL");
//! let outcome = market.run(&mut Nobody, &Status::default());
//! assert_eq!((outcome.counts.snapshots, outcome.scale.price_decimals), (1, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::bybit::BybitReader;
use super::databento::DatabentoReader;
use super::detect::{Format, detect};
use super::hftbacktest::reader::NpzReader;
use super::lobster::LobsterReader;
use super::merge::Merged;
use super::raw::RawReader;
use super::scaler::Scaler;
use super::table::TableReader;
use super::tardis::{IncrementalReader, TradesReader, trades_beside};
use super::window::{Window, Windowed};
use super::{FrameReader, RawFrame, ReadError, ReaderCounts, ReaderSettings};
use crate::base::clock::{Clock, Pacer, Speed};
use crate::capture::frames::FastReplay;
use crate::capture::replay::{Replay, ReplayError, ReplayOutcome, check_file};
use crate::capture::{CaptureError, CaptureReader, Progress};
use crate::engine::status::Status;
use crate::feed::intake::{Arrival, ScaleRule};
use crate::handoff::Wait;
use crate::market::event::{FrameHead, FrameKind, UNMEASURED, UNSTAMPED};
use crate::market::publish::Publish;
use crate::run::session::Feed;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How a market is opened.
#[derive(Clone, Debug)]
pub struct MarketSettings {
    /// The format that the user insists on; else it is told by content and name.
    pub format: Option<Format>,
    /// How other people's files are read.
    pub reader: ReaderSettings,
    /// Which scale.
    pub rule: ScaleRule,
    /// How fast.
    pub speed: Speed,
    /// Hot threads of the run that reads it.
    pub hot_threads: usize,
    /// Which part of it.
    pub window: Window,
}

impl Default for MarketSettings {
    fn default() -> Self {
        let (reader, rule) = (ReaderSettings::default(), ScaleRule::default());
        Self { format: None, reader, rule, speed: Speed::Max, hot_threads: 1, window: Window::default() }
    }
}

impl MarketSettings {
    /// Of a product, at full speed.
    pub fn of(product: Option<&str>, rule: ScaleRule) -> Self {
        let reader = ReaderSettings {
            product: product.map(Into::into),
            price_decimals: rule.price_decimals,
            size_decimals: rule.size_decimals,
            ..ReaderSettings::default()
        };
        Self { reader, rule, ..Self::default() }
    }

    /// The same of another product.
    #[must_use]
    pub fn of_product(&self, product: &str) -> Self {
        let mut settings = self.clone();
        settings.reader.product = Some(product.into());
        settings
    }
}

/// A market that is open.
pub struct Market {
    path: PathBuf,
    kind: Kind,
    window: Window,
    /// Files that follow, and how they are opened.
    more: Vec<PathBuf>,
    settings: MarketSettings,
}

enum Kind {
    /// One of this program's captures.
    Capture(Box<Replay>),
    /// Its frames.
    Fast(Box<FastReplay>),
    /// Somebody else's.
    Foreign(Box<FrameReplay>),
}

/// Frames of a reader on their way to an engine.
pub struct FrameReplay {
    reader: Box<dyn FrameReader>,
    /// The first frame, by which the product is known.
    first: Option<RawFrame>,
    rule: ScaleRule,
    speed: Speed,
    spins: bool,
    progress: Arc<Progress>,
}

fn foreign(error: ReadError) -> CaptureError {
    CaptureError::Foreign(Box::new(error))
}

/// Opens the reader of a format.
fn reader_of(
    format: Format,
    path: &Path,
    settings: &ReaderSettings,
) -> Result<(Box<dyn FrameReader>, Arc<Progress>), ReadError> {
    match format {
        Format::Capture | Format::Frames => Err(ReadError::file(path, "is of this program's own formats")),
        Format::Databento => {
            let reader = DatabentoReader::open(path, settings)?;
            let progress = reader.progress();
            Ok((Box::new(reader), progress))
        }
        Format::Lobster => {
            let reader = LobsterReader::open(path, settings)?;
            let progress = reader.progress();
            Ok((Box::new(reader), progress))
        }
        Format::TardisBook => {
            let book = IncrementalReader::open(path, settings)?;
            let progress = book.progress();
            Ok(match trades_beside(path) {
                Some(trades) => (Box::new(Merged::new(book, TradesReader::open(&trades, settings)?)), progress),
                None => (Box::new(book), progress),
            })
        }
        Format::Hftbacktest => {
            let reader = NpzReader::open(path, settings)?;
            let progress = reader.progress();
            Ok((Box::new(reader), progress))
        }
        Format::Table => {
            let table = TableReader::open(path, settings)?;
            let progress = table.progress();
            Ok((Box::new(table), progress))
        }
        Format::Bybit => {
            let reader = BybitReader::open(path, settings)?;
            let progress = reader.progress();
            Ok((Box::new(reader), progress))
        }
        Format::Raw => {
            let reader = RawReader::open(path, settings)?;
            let progress = reader.progress();
            Ok((Box::new(reader), progress))
        }
    }
}

impl Market {
    /// Opens a file of any format.
    ///
    /// # Errors
    /// It cannot be read, or does not hold the product.
    pub fn open(path: &Path, settings: &MarketSettings) -> Result<Self, ReplayError> {
        check_file(path)?;
        let found = match settings.format {
            Some(format) => Some(format),
            // What cannot be read the reader of captures refuses in its own words.
            None => detect(path).unwrap_or(None),
        };
        let MarketSettings { reader, rule, speed, hot_threads, .. } = settings;
        let product = reader.product.as_deref();
        let kind = match found {
            None | Some(Format::Capture) => {
                Kind::Capture(Box::new(Replay::open_beside(*hot_threads, path, product, *rule, *speed)?))
            }
            Some(Format::Frames) => {
                Kind::Fast(Box::new(FastReplay::open(path, product, *speed, settings.window.from_ns)?))
            }
            Some(format) => Kind::Foreign(Box::new(FrameReplay::open(format, path, settings)?)),
        };
        Ok(Self { path: path.into(), kind, window: settings.window, more: Vec::new(), settings: settings.clone() })
    }

    /// Opens files of one market, in the order of their first times of receipt.
    ///
    /// # Errors
    /// One cannot be read, or does not hold the product of the first.
    pub fn open_all(paths: &[PathBuf], settings: &MarketSettings) -> Result<Self, ReplayError> {
        let [path] = paths else {
            let timed = paths.iter().map(|path| Ok((Self::open(path, settings)?.begins_ns()?, path)));
            let mut timed = timed.collect::<Result<Vec<_>, ReplayError>>()?;
            timed.sort_by_key(|&(first_ns, _)| first_ns);
            let mut paths = timed.into_iter().map(|(_, path)| path.clone());
            let Some(first) = paths.next() else {
                return Err(foreign(ReadError::file(Path::new(""), "no file is named")).into());
            };
            let first = Self::open(&first, settings)?;
            let settings = MarketSettings { window: Window::default(), ..settings.of_product(first.product()) };
            return Ok(Self { more: paths.collect(), settings, ..first });
        };
        Self::open(path, settings)
    }

    /// The time of receipt of the first line or frame.
    fn begins_ns(&self) -> Result<i64, ReplayError> {
        if let Some(first_ns) = self.first_ts_recv_ns() {
            return Ok(first_ns);
        }
        let mut reader = CaptureReader::open(&self.path)?;
        Ok(reader.next_line()?.map_or(0, |line| line.ts_recv_ns))
    }

    /// The same, but spinning until a paced frame is due where `wait` says so.
    #[must_use]
    pub fn waiting(self, wait: Wait) -> Self {
        let kind = match self.kind {
            Kind::Capture(replay) => Kind::Capture(Box::new(replay.waiting(wait))),
            Kind::Fast(mut replay) => {
                replay.wait(wait);
                Kind::Fast(replay)
            }
            Kind::Foreign(mut frames) => {
                frames.spins = wait == Wait::Spin;
                Kind::Foreign(frames)
            }
        };
        Self { kind, ..self }
    }

    /// The product.
    pub fn product(&self) -> &str {
        match &self.kind {
            Kind::Capture(replay) => replay.product(),
            Kind::Fast(replay) => replay.product(),
            Kind::Foreign(frames) => frames.reader.product(),
        }
    }

    /// Whether a thread of its own reads the file.
    pub fn reads_ahead(&self) -> bool {
        match &self.kind {
            Kind::Capture(replay) => replay.reads_ahead(),
            Kind::Fast(_) => true,
            Kind::Foreign(_) => false,
        }
    }

    /// The time of receipt of the first frame; `None` of a capture, whose reader knows its first line.
    pub fn first_ts_recv_ns(&self) -> Option<i64> {
        match &self.kind {
            Kind::Capture(_) => None,
            Kind::Fast(replay) => Some(replay.first_ts_recv_ns()),
            Kind::Foreign(frames) => Some(frames.first_ts_recv_ns()),
        }
    }

    /// How far the file has been read.
    pub fn progress(&self) -> Arc<Progress> {
        match &self.kind {
            Kind::Capture(replay) => replay.progress(),
            Kind::Fast(replay) => replay.progress(),
            Kind::Foreign(frames) => Arc::clone(&frames.progress),
        }
    }
}

impl Kind {
    fn run(self, engine: &mut impl Publish, status: &Status) -> ReplayOutcome {
        match self {
            Self::Capture(replay) => replay.run(engine, status),
            Self::Fast(replay) => replay.run(engine, status),
            Self::Foreign(frames) => frames.run(engine, status),
        }
    }
}

impl Market {
    fn run_all(self, engine: &mut impl Publish, status: &Status) -> ReplayOutcome {
        let Self { mut path, kind, more, settings, .. } = self;
        let mut all = kind.run(engine, status);
        for next in more {
            if all.stopped || all.error.is_some() {
                break;
            }
            match Self::run_next(&path, &all, &next, &settings, engine, status) {
                Ok(outcome) => add(&mut all, outcome),
                Err(error) => all.error = Some(error),
            }
            path = next;
        }
        all
    }

    /// Goes on with a file behind another: as after a reconnection, the book waits for its snapshot.
    fn run_next(
        before: &Path,
        all: &ReplayOutcome,
        path: &Path,
        settings: &MarketSettings,
        engine: &mut impl Publish,
        status: &Status,
    ) -> Result<ReplayOutcome, CaptureError> {
        let opened = Self::open(path, settings).and_then(|market| Ok((market.begins_ns()?, market)));
        let (first_ns, market) = opened.map_err(|error| match error {
            ReplayError::Capture(error) => error,
            other => CaptureError::Foreign(Box::new(other)),
        })?;
        let last_ns = all.counts.span_ns.map_or(i64::MIN, |(_, last_ns)| last_ns);
        if first_ns <= last_ns {
            let what = format_args!(
                "begins {} ns before {} ends: give files that do not overlap, or --from and --to",
                last_ns - first_ns,
                before.display()
            );
            return Err(foreign(ReadError::file(path, what)));
        }
        let connected = FrameHead {
            kind: FrameKind::Connected,
            levels: 0,
            scale: all.scale,
            sequence_num: 0,
            ts_recv_ns: first_ns,
            ts_event_ns: 0,
            arrived: UNSTAMPED,
            received: UNMEASURED,
            decoded: UNSTAMPED,
            published: UNSTAMPED,
        };
        if engine.publish(&connected, &[]).is_err() {
            return Ok(ReplayOutcome { stopped: true, ..ReplayOutcome::nothing(&all.product, all.scale) });
        }
        Ok(market.kind.run(engine, status))
    }
}

/// What a further file came to.
fn add(all: &mut ReplayOutcome, more: ReplayOutcome) {
    let last_ns = all.counts.span_ns.map(|(_, last_ns)| last_ns);
    if let (Some(last_ns), Some((first_ns, _))) = (last_ns, more.counts.span_ns) {
        all.longest_hole_ns = all.longest_hole_ns.max(first_ns.saturating_sub(last_ns));
    }
    all.files += 1;
    all.counts.add(&more.counts);
    all.notes.extend(more.notes);
    for name in more.other_products {
        if !all.other_products.contains(&name) {
            all.other_products.push(name);
        }
    }
    all.scale = more.scale;
    all.lines += more.lines;
    all.cut = all.cut.take().or(more.cut);
    all.error = more.error;
    all.stopped = more.stopped;
    all.waited_for_file += more.waited_for_file;
}

impl Feed for Market {
    type Outcome = ReplayOutcome;

    fn run(self, engine: &mut impl Publish, status: &Status) -> ReplayOutcome {
        if self.window.is_all() {
            return self.run_all(engine, status);
        }
        let mut part = Windowed::new(engine, self.window);
        let outcome = self.run_all(&mut part, status);
        // The window's end is nobody's stop.
        ReplayOutcome { stopped: outcome.stopped && !part.has_ended(), ..outcome }
    }
}

impl FrameReplay {
    fn open(format: Format, path: &Path, settings: &MarketSettings) -> Result<Self, ReplayError> {
        let MarketSettings { reader, rule, speed, .. } = settings;
        let (mut reader, progress) = reader_of(format, path, reader).map_err(foreign)?;
        let mut first = RawFrame::default();
        let first = reader.next(&mut first).map_err(foreign)?.then_some(first);
        if first.is_none() {
            return Err(foreign(ReadError::file(path, "holds no frame of a book")).into());
        }
        Ok(Self { reader, first, rule: *rule, speed: *speed, spins: false, progress })
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
                    error = Some(foreign(what));
                    break;
                }
            }
        }
        let ReaderCounts { rows, .. } = reader.counts();
        ReplayOutcome {
            product: reader.product().into(),
            alias: None,
            counts: scaler.counts().clone(),
            notes: scaler.notes().to_vec(),
            other_products: Vec::new(),
            scale: scaler.scale(),
            lines: rows,
            cut: None,
            error,
            stopped,
            waited_for_file: Duration::ZERO,
            files: 1,
            longest_hole_ns: 0,
        }
    }
}
