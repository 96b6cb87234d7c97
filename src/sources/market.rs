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
//! assert_eq!((outcome.first().counts.snapshots, outcome.first().scale.price_decimals), (1, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::bytes::check_unpacked;
use super::detect::{Format, detect};
use super::replay::FrameReplay;
use super::window::{Window, Windowed};
use super::{ReadError, ReaderSettings, table};
use crate::base::clock::Speed;
use crate::capture::frames::FastReplay;
use crate::capture::replay::{Replay, ReplayError, ReplayOutcome, check_file};
use crate::capture::{CaptureError, CaptureReader, Progress};
use crate::engine::status::Status;
use crate::feed::intake::ScaleRule;
use crate::feed::intakes::ProductSeen;
use crate::handoff::Wait;
use crate::market::event::{FrameHead, FrameKind, UNMEASURED, UNSTAMPED};
use crate::market::publish::Publish;
use crate::market::units::Scale;
use crate::run::session::Feed;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a market is opened.
#[derive(Clone, Debug)]
pub struct MarketSettings {
    /// The format that the user insists on; else it is told by content and name.
    pub format: Option<Format>,
    /// How other people's files are read.
    pub reader: ReaderSettings,
    /// Products to replay together with that of `reader`, each once: of captures alone.
    pub also: Vec<String>,
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
        Self {
            format: None,
            reader,
            also: Vec::new(),
            rule,
            speed: Speed::Max,
            hot_threads: 1,
            window: Window::default(),
        }
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

/// Refuses several products of a file that is no capture.
fn of_one_product(path: &Path) -> ReplayError {
    ReadError::file(path, "is no capture, and holds one market: give --product one product").into()
}

/// The format of files of which each goes on where the one before ends; `None` where each begins with a snapshot of its own.
fn format_of_parts(paths: &[PathBuf], settings: &MarketSettings) -> Option<Format> {
    let of_all = |due: Format| !paths.is_empty() && paths.iter().all(|path| format_of(path, settings) == Some(due));
    let format = [Format::Nautilus, Format::Hftbacktest, Format::Table].into_iter().find(|&format| of_all(format))?;
    let is_whole = |path: &PathBuf| !table::is_unmarked(path).unwrap_or(false);
    (format != Format::Table || !paths.iter().any(is_whole)).then_some(format)
}

/// A market that is open.
pub struct Market {
    path: PathBuf,
    kind: Kind,
    window: Window,
    /// Files that follow, and how they are opened.
    more: Vec<PathBuf>,
    settings: MarketSettings,
    wait: Wait,
}

/// The format that the user insists on, else that of the content.
fn format_of(path: &Path, settings: &MarketSettings) -> Option<Format> {
    // What cannot be read the reader of captures refuses in its own words.
    settings.format.or_else(|| detect(path).unwrap_or(None))
}

enum Kind {
    /// One of this program's captures.
    Capture(Box<Replay>),
    /// Its frames.
    Fast(Box<FastReplay>),
    /// Somebody else's.
    Foreign(Box<FrameReplay>),
}

impl Market {
    /// Opens a file of any format.
    ///
    /// # Errors
    /// It cannot be read, or does not hold the product.
    pub fn open(path: &Path, settings: &MarketSettings) -> Result<Self, ReplayError> {
        check_file(path)?;
        check_unpacked(path).map_err(ReplayError::from)?;
        let found = format_of(path, settings);
        let MarketSettings { reader, also, rule, speed, hot_threads, .. } = settings;
        let product = reader.product.as_deref();
        let kind = match found {
            None | Some(Format::Capture) => {
                let products: Vec<String> = reader.product.iter().chain(also).cloned().collect();
                Kind::Capture(Box::new(Replay::open_products_beside(*hot_threads, path, &products, *rule, *speed)?))
            }
            Some(_) if !also.is_empty() => return Err(of_one_product(path)),
            Some(Format::Frames) if rule.price_decimals.or(rule.size_decimals).is_some() => {
                let what = "has the steps that it was written with: leave --tick-size and --lot-size out";
                return Err(ReadError::file(path, what).into());
            }
            Some(Format::Frames) if reader.initial_snapshot.is_some() => {
                return Err(ReadError::file(path, "brings its own book: leave --initial-snapshot out").into());
            }
            Some(Format::Frames) => {
                Kind::Fast(Box::new(FastReplay::open(path, product, *speed, settings.window.from_ns)?))
            }
            Some(format) => Kind::Foreign(Box::new(FrameReplay::open(format, path, reader, *rule, *speed)?)),
        };
        Ok(Self::of(path, kind, settings))
    }

    fn of(path: &Path, kind: Kind, settings: &MarketSettings) -> Self {
        let (window, settings) = (settings.window, settings.clone());
        Self { path: path.into(), kind, window, more: Vec::new(), settings, wait: Wait::Block }
    }

    /// Opens files of which each goes on where the one before ends.
    fn open_parts(format: Format, paths: &[PathBuf], settings: &MarketSettings) -> Result<Self, ReplayError> {
        for path in paths {
            if !settings.also.is_empty() {
                return Err(of_one_product(path));
            }
            check_file(path)?;
            check_unpacked(path).map_err(ReplayError::from)?;
        }
        let MarketSettings { reader, rule, speed, .. } = settings;
        let kind = Kind::Foreign(Box::new(FrameReplay::open_parts(format, paths, reader, *rule, *speed)?));
        Ok(Self::of(paths.first().map_or(Path::new(""), PathBuf::as_path), kind, settings))
    }

    /// Opens files of one market, in the order of their first times of receipt. Each begins with its own snapshot, but for files that go on where the one before ends: parts of a
    /// NautilusTrader catalogue, hftbacktest's events, tables of changes that mark no snapshot.
    ///
    /// # Errors
    /// One cannot be read, or does not hold the product of the first.
    pub fn open_all(paths: &[PathBuf], settings: &MarketSettings) -> Result<Self, ReplayError> {
        let [path] = paths else {
            if let Some(format) = format_of_parts(paths, settings) {
                let paths =
                    if format == Format::Hftbacktest { Self::in_order(paths, settings)? } else { paths.to_vec() };
                return Self::open_parts(format, &paths, settings);
            }
            let mut paths = Self::in_order(paths, settings)?.into_iter();
            let Some(first) = paths.next() else {
                return Err(ReadError::file(Path::new(""), "no file is named").into());
            };
            let first = Self::open(&first, settings)?;
            let mut settings = MarketSettings { window: Window::default(), ..settings.of_product(first.product()) };
            // It is the first one's.
            settings.reader.initial_snapshot = None;
            return Ok(Self { more: paths.collect(), settings, ..first });
        };
        Self::open(path, settings)
    }

    /// The files in the order of their first times of receipt.
    fn in_order(paths: &[PathBuf], settings: &MarketSettings) -> Result<Vec<PathBuf>, ReplayError> {
        let timed = paths.iter().map(|path| Ok((Self::open(path, settings)?.begins_ns()?, path)));
        let mut timed = timed.collect::<Result<Vec<_>, ReplayError>>()?;
        timed.sort_by_key(|&(first_ns, _)| first_ns);
        Ok(timed.into_iter().map(|(_, path)| path.clone()).collect())
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
                frames.wait(wait);
                Kind::Foreign(frames)
            }
        };
        Self { kind, wait, ..self }
    }

    /// The products.
    pub fn products(&self) -> Vec<String> {
        match &self.kind {
            Kind::Capture(replay) => replay.products().to_vec(),
            Kind::Fast(_) | Kind::Foreign(_) => vec![self.product().into()],
        }
    }

    /// The product, the first where there are several.
    pub fn product(&self) -> &str {
        match &self.kind {
            Kind::Capture(replay) => replay.product(),
            Kind::Fast(replay) => replay.product(),
            Kind::Foreign(frames) => frames.product(),
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
            Kind::Foreign(frames) => frames.progress(),
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
        let Self { mut path, kind, more, settings, wait, .. } = self;
        let mut all = kind.run(engine, status);
        for next in more {
            if all.stopped || all.error.is_some() {
                break;
            }
            match Self::open_next(&path, &all, &next, &settings) {
                Ok((first_ns, market)) => add(&mut all, market.waiting(wait).run_behind(first_ns, engine, status)),
                Err(error) => all.error = Some(error),
            }
            path = next;
        }
        all
    }

    /// Opens a file behind another, and says when it begins.
    fn open_next(
        before: &Path,
        all: &ReplayOutcome,
        path: &Path,
        settings: &MarketSettings,
    ) -> Result<(i64, Self), CaptureError> {
        let market = Self::open(path, settings).map_err(ReplayError::into_capture)?;
        let first_ns = market.begins_ns().map_err(ReplayError::into_capture)?;
        let last_ns = span_ns(all).map_or(i64::MIN, |(_, last_ns)| last_ns);
        if first_ns <= last_ns {
            let (by_ns, before) = (last_ns.saturating_sub(first_ns), before.display());
            let what = match by_ns {
                0 => format!("begins at the time at which {before} ends: give files that do not overlap"),
                _ => format!("begins {by_ns} ns before {before} ends: give files that do not overlap"),
            };
            return Err(ReadError::file(path, what).into());
        }
        Ok((first_ns, market))
    }

    /// Goes on behind another file: as after a reconnection, the book waits for its snapshot.
    fn run_behind(self, first_ns: i64, engine: &mut impl Publish, status: &Status) -> ReplayOutcome {
        let products = self.products();
        let connected = |product| FrameHead {
            kind: FrameKind::Connected,
            product,
            levels: 0,
            scale: Scale::default(),
            sequence_num: 0,
            ts_recv_ns: first_ns,
            ts_event_ns: 0,
            arrived: UNSTAMPED,
            received: UNMEASURED,
            decoded: UNSTAMPED,
            published: UNSTAMPED,
        };
        for (product, _) in (0..).zip(&products) {
            if engine.publish(&connected(product), &[]).is_err() {
                let products = products.iter().map(|name| ProductSeen::nothing(name, Scale::default())).collect();
                let nothing = ReplayOutcome::of(ProductSeen::nothing(self.product(), Scale::default()));
                return ReplayOutcome { products, stopped: true, ..nothing };
            }
        }
        self.kind.run(engine, status)
    }
}

/// The least and the greatest time of receipt of any product's frame, Unix nanoseconds.
fn span_ns(outcome: &ReplayOutcome) -> Option<(i64, i64)> {
    let spans = outcome.products.iter().filter_map(|product| product.counts.span_ns);
    spans.reduce(|(first, last), (from, to)| (first.min(from), last.max(to)))
}

/// What a further file came to.
fn add(all: &mut ReplayOutcome, more: ReplayOutcome) {
    let last_ns = span_ns(all).map(|(_, last_ns)| last_ns);
    if let (Some(last_ns), Some((first_ns, _))) = (last_ns, span_ns(&more)) {
        all.longest_hole_ns = all.longest_hole_ns.max(first_ns.saturating_sub(last_ns));
    }
    all.files += more.files;
    for (all, product) in all.products.iter_mut().zip(more.products) {
        all.counts.add(&product.counts);
        all.notes.extend(product.notes);
        if more.files > 0 {
            all.scale = product.scale;
        }
    }
    for name in more.other_products {
        if !all.other_products.contains(&name) {
            all.other_products.push(name);
        }
    }
    for remark in more.remarks {
        if !all.remarks.contains(&remark) {
            all.remarks.push(remark);
        }
    }
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
        let mut part = Windowed::new(engine, self.window, self.products().len());
        let outcome = self.run_all(&mut part, status);
        let mut remarks = outcome.remarks;
        if outcome.error.is_none() && !part.has_begun() {
            remarks.push("nothing is between --from and --to".into());
        }
        // The window's end is nobody's stop.
        ReplayOutcome { stopped: outcome.stopped && !part.has_ended(), remarks, ..outcome }
    }
}
