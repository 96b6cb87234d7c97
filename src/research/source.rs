//! The captures that rows come from: one product, in order of time, read while somebody looks on.
//!
//! ```
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::research::dataset::FeatureRows;
//! use papertrader::research::source::{Nobody, RowShape, Source, Watch};
//! use papertrader::statistics::labels::LabelRule;
//! use papertrader::strategy::features::{Feature, FeatureSet};
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // 100 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let source = Source::open(&[synthetic::capture(folder.path(), 100)?], None, ScaleRule::default())?;
//! assert_eq!(source.product(), "BTC-USD");
//!
//! let mut features = FeatureRows::new(FeatureSet::new(&[Feature::Mid, Feature::SpreadTicks]));
//! let shape = RowShape { label: LabelRule::mid_after(20), every: 10 };
//! let mut labelled = 0;
//! let facts = source.read_rows(shape, &mut features, &Watch { bar: &Nobody, stop: &|| false }, &mut |row| {
//!     assert_eq!(row.values.len(), 2);
//!     labelled += u64::from(row.change.is_some());
//!     Ok(())
//! })?;
//! assert_eq!((facts[0].counts.rows, labelled), (10, 8));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::dataset::{Collector, LabelledRow, Observer, RowCounts, SinkError};
use super::source_error::{Broken, NoPrints, SourceError};
use crate::capture::replay::{ReplayError, check_file};
use crate::capture::{CaptureError, CaptureReader, Progress};
use crate::engine::status::Status;
use crate::feed::breaks::Breaks;
use crate::feed::intake::ScaleRule;
use crate::market::event::{Event, FrameHead};
use crate::market::publish::{EngineGone, Publish};
use crate::run::session::Feed;
use crate::sources::market::{Market, MarketSettings};
use crate::statistics::labels::LabelRule;
use crate::strategy::features::Input;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Captures of one product, in order of time.
#[derive(Clone, Debug)]
pub struct Source {
    paths: Vec<PathBuf>,
    product: String,
    settings: MarketSettings,
    overlap_allowed: bool,
}

/// A capture that has been read.
#[derive(Clone, Debug, Serialize)]
pub struct CaptureFacts {
    /// As it was named.
    pub path: PathBuf,
    /// Of the file as it lies on disk, hexadecimal.
    pub sha256: String,
    /// Receive time of its first frame, Unix nanoseconds.
    pub first_ts_recv_ns: i64,
    /// Receive time of its last frame, Unix nanoseconds.
    pub last_ts_recv_ns: i64,
    /// Decimals of its tick, that of its first live book.
    pub price_decimals: u8,
    /// What made its book unreliable.
    #[serde(flatten)]
    pub breaks: Breaks,
    /// How the file was cut, if it was.
    pub cut: Option<String>,
    /// What a user should know of it besides.
    #[serde(skip)]
    pub remarks: Vec<String>,
    /// Prints of the product that it holds.
    #[serde(skip)]
    pub prints: u64,
    /// What became of its frames.
    pub counts: RowCounts,
}

/// Shows how far the reading has come.
pub trait ReadProgress {
    /// Called now and then with the bytes read so far, of [`Source::bytes`].
    fn bytes_read(&self, bytes: u64);
}

/// Who looks on while captures are read.
pub struct Watch<'a> {
    /// Shows the bytes read.
    pub bar: &'a dyn ReadProgress,
    /// Whether somebody asked for the end.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// Frames to two takers, and a look at the progress now and then.
struct Tee<'a, A, B> {
    first: A,
    second: &'a mut B,
    watch: &'a Watch<'a>,
    status: &'a Status,
    progress: Arc<Progress>,
    bytes_before: u64,
    frames: u64,
    span: Option<(i64, i64)>,
}

/// Frames between two looks at the watch.
const WATCH_EVERY: u64 = 1024;

impl<A: Publish, B: Publish> Publish for Tee<'_, A, B> {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        if self.frames.is_multiple_of(WATCH_EVERY) {
            self.watch.bar.bytes_read(self.bytes_before + self.progress.bytes_read());
            if (self.watch.stop)() {
                self.status.stop();
            }
        }
        self.frames += 1;
        if head.kind.is_book_frame() {
            let (first, last) = self.span.unwrap_or((head.ts_recv_ns, head.ts_recv_ns));
            self.span = Some((first, last.max(head.ts_recv_ns)));
        }
        self.first.publish(head, levels)?;
        self.second.publish(head, levels)
    }
}

/// Takes frames and progress, and does nothing with them.
#[derive(Debug, Default)]
pub struct Nobody;

impl ReadProgress for Nobody {
    fn bytes_read(&self, _: u64) {}
}

impl Publish for Nobody {
    fn publish(&mut self, _: &FrameHead, _: &[Event]) -> Result<(), EngineGone> {
        Ok(())
    }
}

/// The receive time of a market's first line or frame.
fn first_time(path: &Path, settings: &MarketSettings) -> Result<i64, ReplayError> {
    if let Some(first_ns) = Market::open(path, settings)?.first_ts_recv_ns() {
        return Ok(first_ns);
    }
    let mut reader = CaptureReader::open(path)?;
    Ok(reader.next_line()?.map_or(0, |line| line.ts_recv_ns))
}

/// The receive times of a market's first and last line or frame. Reads all of it.
fn time_span(path: &Path, settings: &MarketSettings) -> Result<(i64, i64), SourceError> {
    let market = Market::open(path, settings)?;
    if market.first_ts_recv_ns().is_some() {
        let outcome = market.run(&mut Nobody, &Status::default());
        let span_ns = outcome.first().counts.span_ns;
        check_outcome(outcome.error, outcome.stopped)?;
        return Ok(span_ns.unwrap_or_default());
    }
    let mut reader = CaptureReader::open(path)?.read_ahead()?;
    let mut span = None;
    while let Some(line) = reader.next_line()? {
        let (first, last) = span.unwrap_or((line.ts_recv_ns, line.ts_recv_ns));
        span = Some((first, last.max(line.ts_recv_ns)));
    }
    Ok(span.unwrap_or((0, 0)))
}

/// SHA-256 of a file as it lies on disk.
pub fn sha256(path: &Path) -> Result<String, SourceError> {
    let error = |source| SourceError::Hash { path: path.into(), source };
    let mut file = File::open(path).map_err(error)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hash.update(&buffer[..read]),
            Err(again) if again.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(error(source)),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

impl CaptureFacts {
    /// What the user should know about the file.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let broken = self.broken().map(|broken| format!("{broken}; no label reaches across"));
        let remarks = self.remarks.iter().map(|remark| format!("{}: {remark}", self.path.display()));
        broken.into_iter().chain(self.cut.clone()).chain(remarks)
    }

    /// What made its book unreliable, with the file's name.
    fn broken(&self) -> Option<String> {
        (!self.breaks.is_none()).then(|| format!("{}: {}", self.path.display(), self.breaks))
    }
}

/// What made the captures' books unreliable.
pub fn broken(facts: &[CaptureFacts]) -> Broken {
    Broken::new(facts.iter().filter_map(CaptureFacts::broken).collect())
}

/// Why features of the tape are worthless in some captures, where that is so: the first of `features` that reads the tape, and
/// the captures without a print.
pub fn without_prints<'a>(features: impl IntoIterator<Item = &'a Input>, facts: &[CaptureFacts]) -> Option<NoPrints> {
    let feature = features.into_iter().find(|feature| feature.reads_tape())?.clone();
    let captures: Vec<PathBuf> = facts.iter().filter(|fact| fact.prints == 0).map(|fact| fact.path.clone()).collect();
    (!captures.is_empty()).then_some(NoPrints { feature, captures })
}

/// What became of all frames, or why that is not enough for one label.
///
/// # Errors
/// [`SourceError::NoRows`] or [`SourceError::Horizon`].
pub fn total_counts(facts: &[CaptureFacts], label: LabelRule) -> Result<RowCounts, SourceError> {
    let mut total = RowCounts::default();
    facts.iter().for_each(|fact| total.add(&fact.counts));
    let RowCounts { frames, live, thin, warming_up, undefined, rows, unlabelled, longest_live, .. } = total;
    if rows == 0 {
        return Err(SourceError::NoRows { frames, live, thin, warming_up, undefined, broken: broken(facts) });
    }
    if rows == unlabelled {
        return Err(SourceError::Horizon { label, longest_live, broken: broken(facts) });
    }
    Ok(total)
}

impl Source {
    /// Opens captures of one product, the one named or the first that the earliest capture holds, and puts them in order
    /// of time.
    ///
    /// # Errors
    /// A file cannot be read or does not hold the product.
    pub fn open(paths: &[PathBuf], product: Option<&str>, rule: ScaleRule) -> Result<Self, SourceError> {
        Self::open_with(paths, &MarketSettings::of(product, rule))
    }

    /// The same of any format.
    ///
    /// # Errors
    /// As for [`Source::open`].
    pub fn open_with(paths: &[PathBuf], settings: &MarketSettings) -> Result<Self, SourceError> {
        let product = settings.reader.product.as_deref();
        paths.iter().try_for_each(|path| check_file(path))?;
        let timed = |path: &PathBuf| Ok::<_, ReplayError>((first_time(path, settings)?, path.clone()));
        let mut timed = paths.iter().map(timed).collect::<Result<Vec<_>, _>>()?;
        timed.sort_by_key(|(first_ns, _)| *first_ns);
        let paths: Vec<PathBuf> = timed.into_iter().map(|(_, path)| path).collect();
        let mut found = product.map(ToOwned::to_owned);
        for path in &paths {
            let asked = found.as_deref().map_or_else(|| settings.clone(), |product| settings.of_product(product));
            match Market::open(path, &asked) {
                Ok(replay) => {
                    found.get_or_insert_with(|| replay.product().to_owned());
                }
                Err(ReplayError::NoSuchProduct { path: other, product: asked, .. }) if product.is_none() => {
                    return Err(SourceError::Products { first: paths[0].clone(), product: asked, other });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { paths, product: found.unwrap_or_default(), settings: settings.clone(), overlap_allowed: false })
    }

    /// These captures and then others of the same product. Reads the files to see whether they share a moment, which is
    /// refused unless `overlap_allowed`.
    ///
    /// # Errors
    /// As for [`Source::open`], and [`SourceError::TestOverlap`].
    pub fn with_more(&self, paths: &[PathBuf], overlap_allowed: bool) -> Result<Self, SourceError> {
        let more = Self::open_with(paths, &self.settings.of_product(&self.product)).map_err(|error| match error {
            SourceError::Replay(ReplayError::NoSuchProduct { path: other, product, .. }) => {
                SourceError::Products { first: self.paths[0].clone(), product, other }
            }
            error => error,
        })?;
        if !overlap_allowed {
            let spans = self.paths.iter().map(|path| time_span(path, &self.settings)).collect::<Result<Vec<_>, _>>()?;
            for second in &more.paths {
                let span = time_span(second, &self.settings)?;
                if let Some(at) = spans.iter().position(|&other| overlap(span, other)) {
                    return Err(SourceError::TestOverlap { train: self.paths[at].clone(), test: second.clone() });
                }
            }
        }
        Ok(Self { paths: [&self.paths[..], &more.paths[..]].concat(), overlap_allowed, ..self.clone() })
    }

    /// The product.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// The files, in order of time.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// How many bytes there are to read.
    pub fn bytes(&self) -> u64 {
        self.paths.iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum()
    }

    /// Reads the captures from first to last; `sink` gets every row.
    ///
    /// # Errors
    /// As for [`Source::read`].
    pub fn read_rows<O: Observer>(
        &self,
        shape: RowShape,
        observer: &mut O,
        watch: &Watch<'_>,
        sink: &mut dyn FnMut(&LabelledRow<'_>) -> Result<(), SinkError>,
    ) -> Result<Vec<CaptureFacts>, SourceError> {
        self.read(shape, observer, watch, sink, |_| Nobody, |_, _| {})
    }

    /// Reads the captures from first to last. `sink` gets every row; `beside` makes, for each capture by its number,
    /// somebody who gets every frame after the rows did, and `done` takes him back.
    ///
    /// # Errors
    /// A capture is not as it should be, the sink fails, or somebody stopped the program.
    pub fn read<O: Observer, B: Publish>(
        &self,
        shape: RowShape,
        observer: &mut O,
        watch: &Watch<'_>,
        sink: &mut dyn FnMut(&LabelledRow<'_>) -> Result<(), SinkError>,
        mut beside: impl FnMut(u32) -> B,
        mut done: impl FnMut(u32, B),
    ) -> Result<Vec<CaptureFacts>, SourceError> {
        let mut facts: Vec<CaptureFacts> = Vec::new();
        let mut bytes_before = 0;
        let status = Status::default();
        for (number, path) in (0..).zip(&self.paths) {
            let replay = Market::open(path, &self.settings.of_product(&self.product))?;
            let progress = replay.progress();
            let mut second = beside(number);
            let mut tee = Tee {
                first: Collector::new(number, shape.label, shape.every, observer, sink),
                second: &mut second,
                watch,
                status: &status,
                progress: Arc::clone(&progress),
                bytes_before,
                frames: 0,
                span: None,
            };
            let outcome = replay.run(&mut tee, &status);
            let Tee { first: collector, span, .. } = tee;
            let breaks = Breaks::new(&outcome.first().counts.faults, collector.faults(), &outcome.first().notes);
            // A capture without a live book has no tick of its own.
            let price_decimals = collector.tick_decimals().unwrap_or(outcome.first().scale.price_decimals);
            let prints = outcome.first().counts.prints;
            let counts = collector.finish().map_err(SourceError::Sink)?;
            done(number, second);
            bytes_before += progress.bytes_total();
            check_outcome(outcome.error, outcome.stopped)?;
            let (first_ts_recv_ns, last_ts_recv_ns) = span.unwrap_or_default();
            let fact = CaptureFacts {
                path: path.clone(),
                sha256: sha256(path)?,
                first_ts_recv_ns,
                last_ts_recv_ns,
                price_decimals,
                breaks,
                cut: outcome.cut.map(|cut| cut.to_string()),
                remarks: outcome.remarks,
                prints,
                counts,
            };
            for before in &facts {
                check_pair(before, &fact, self.overlap_allowed)?;
            }
            facts.push(fact);
        }
        Ok(facts)
    }
}

/// Whether a capture was read to its end.
fn check_outcome(error: Option<CaptureError>, stopped: bool) -> Result<(), SourceError> {
    match error {
        Some(error) => Err(error.into()),
        None if stopped => Err(SourceError::Interrupted),
        None => Ok(()),
    }
}

/// Checks that two captures belong together.
fn check_pair(before: &CaptureFacts, after: &CaptureFacts, overlap_allowed: bool) -> Result<(), SourceError> {
    if before.price_decimals != after.price_decimals {
        return Err(SourceError::Ticks {
            first: before.path.clone(),
            first_decimals: before.price_decimals,
            other: after.path.clone(),
            other_decimals: after.price_decimals,
        });
    }
    let overlap =
        overlap((before.first_ts_recv_ns, before.last_ts_recv_ns), (after.first_ts_recv_ns, after.last_ts_recv_ns));
    if overlap && !overlap_allowed {
        return Err(SourceError::Overlap { first: before.path.clone(), second: after.path.clone() });
    }
    Ok(())
}

/// Whether two closed spans of time share a moment.
fn overlap(a: (i64, i64), b: (i64, i64)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

/// Which rows there are and how far ahead they look.
#[derive(Clone, Copy, Debug)]
pub struct RowShape {
    /// What a row is scored against.
    pub label: LabelRule,
    /// Every so many evaluated frames become a row.
    pub every: u32,
}
