//! The captures that rows come from: one product, in order of time, read with a progress bar.

use super::dataset::{Collector, LabelledRow, Observer, RowCounts, SinkError};
use crate::capture::{CaptureError, CaptureReader, Progress};
use crate::clock::Speed;
use crate::event::{Event, FrameHead};
use crate::failure::Failure;
use crate::features::{CATALOGUE, FEATURES_MAX, Feature, FeatureError, SEED};
use crate::feed::intake::{EngineGone, Publish, ScaleRule};
use crate::replay::{Replay, ReplayError, ReplayOutcome};
use crate::session::Feed;
use crate::status::Status;
use crate::units::Scale;
use indicatif::ProgressBar;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is wrong with the captures as a set.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// One of them.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// One of them, while it was read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Different products.
    #[error(
        "the captures are of different products: {first} holds {product}, {other} does not; name the product with --product, \
         or leave that capture out"
    )]
    Products {
        /// The capture that decided.
        first: PathBuf,
        /// Its product.
        product: String,
        /// The one that lacks it.
        other: PathBuf,
    },
    /// Different scales.
    #[error(
        "the captures have different ticks: {first} has {first_decimals} decimals in its prices, {other} has {other_decimals}; \
         give the product's --tick-size if they are of one market"
    )]
    Ticks {
        /// The capture that decided.
        first: PathBuf,
        /// Its decimals.
        first_decimals: u8,
        /// The one that differs.
        other: PathBuf,
        /// Its decimals.
        other_decimals: u8,
    },
    /// Two captures of the same time.
    #[error("{first} and {second} overlap in time, so that the same rows would count twice; leave one out")]
    Overlap {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A capture to test on of a time that was trained on.
    #[error(
        "the test capture {test} overlaps the training capture {train} in time: the model would be tested on what it has \
         seen; give --allow-overlap if that is meant"
    )]
    TestOverlap {
        /// Trained on.
        train: PathBuf,
        /// To be tested on.
        test: PathBuf,
    },
    /// A capture cannot be hashed.
    #[error("cannot read capture {path}: {source}")]
    Hash {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No frame had features.
    #[error(
        "no frame has features: of {frames} frames {live} left the book live, {thin} of these with fewer levels than the \
         features look at and {warming_up} with fewer updates than they look back on"
    )]
    NoRows {
        /// Frames of the book.
        frames: u64,
        /// Those that left the book live.
        live: u64,
        /// Without enough levels.
        thin: u64,
        /// Without enough history.
        warming_up: u64,
    },
    /// No row has a label.
    #[error(
        "the horizon of {horizon} updates is longer than the captures: the longest stretch with a live book has \
         {longest_live} frames"
    )]
    Horizon {
        /// What was asked for.
        horizon: u32,
        /// Frames.
        longest_live: u64,
    },
    /// Somebody stopped the program.
    #[error("interrupted; nothing was written")]
    Interrupted,
    /// Rows could not be taken.
    #[error(transparent)]
    Sink(SinkError),
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Interrupted | SourceError::Sink(_) => Self::running(error),
            _ => Self::input(error),
        }
    }
}

/// Captures of one product, in order of time.
#[derive(Clone, Debug)]
pub struct Source {
    paths: Vec<PathBuf>,
    product: String,
    rule: ScaleRule,
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
    /// Decimals of its prices.
    pub price_decimals: u8,
    /// Times that the book became unreliable.
    pub faults: u64,
    /// How the file was cut, if it was.
    pub cut: Option<String>,
    /// What became of its frames.
    pub counts: RowCounts,
}

/// Who looks on while captures are read.
pub struct Watch<'a> {
    /// Shows the bytes read.
    pub bar: &'a ProgressBar,
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
            self.watch.bar.set_position(self.bytes_before + self.progress.bytes_read());
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

/// Nobody.
#[derive(Debug, Default)]
pub struct Nobody;

impl Publish for Nobody {
    fn publish(&mut self, _: &FrameHead, _: &[Event]) -> Result<(), EngineGone> {
        Ok(())
    }
}

/// The receive time of a capture's first line.
fn first_time(path: &Path) -> Result<i64, CaptureError> {
    let mut reader = CaptureReader::open(path)?;
    Ok(reader.next_line()?.map_or(0, |line| line.ts_recv_ns))
}

/// The receive times of a capture's first and last line. Reads all of it.
pub fn time_span(path: &Path) -> Result<(i64, i64), CaptureError> {
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
        let path = self.path.display();
        let faults = (self.faults > 0)
            .then(|| format!("{path}: the book became unreliable {} times; no label reaches across", self.faults));
        faults.into_iter().chain(self.cut.clone())
    }
}

/// What became of all frames, or why that is not enough for one label.
///
/// # Errors
/// [`SourceError::NoRows`] or [`SourceError::Horizon`].
pub fn total_counts(facts: &[CaptureFacts], horizon: u32) -> Result<RowCounts, SourceError> {
    let mut total = RowCounts::default();
    facts.iter().for_each(|fact| total.add(&fact.counts));
    let RowCounts { frames, live, thin, warming_up, rows, unlabelled, longest_live, .. } = total;
    if rows == 0 {
        return Err(SourceError::NoRows { frames, live, thin, warming_up });
    }
    if rows == unlabelled {
        return Err(SourceError::Horizon { horizon, longest_live });
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
        let timed = |path: &PathBuf| Ok::<_, CaptureError>((first_time(path)?, path.clone()));
        let mut timed = paths.iter().map(timed).collect::<Result<Vec<_>, _>>()?;
        timed.sort_by_key(|(first_ns, _)| *first_ns);
        let paths: Vec<PathBuf> = timed.into_iter().map(|(_, path)| path).collect();
        let mut found = product.map(ToOwned::to_owned);
        for path in &paths {
            match Replay::open(path, found.as_deref(), rule, Speed::Max) {
                Ok(replay) => {
                    found.get_or_insert_with(|| replay.product().to_owned());
                }
                Err(ReplayError::NoSuchProduct { path: other, product: asked, .. }) if product.is_none() => {
                    return Err(SourceError::Products { first: paths[0].clone(), product: asked, other });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { paths, product: found.unwrap_or_default(), rule, overlap_allowed: false })
    }

    /// These captures and then others of the same product. Reads the files to see whether they share a moment, which is
    /// refused unless `overlap_allowed`.
    ///
    /// # Errors
    /// As for [`Source::open`], and [`SourceError::TestOverlap`].
    pub fn with_more(&self, paths: &[PathBuf], overlap_allowed: bool) -> Result<Self, SourceError> {
        let more = Self::open(paths, Some(&self.product), self.rule).map_err(|error| match error {
            SourceError::Replay(ReplayError::NoSuchProduct { path: other, product, .. }) => {
                SourceError::Products { first: self.paths[0].clone(), product, other }
            }
            error => error,
        })?;
        if !overlap_allowed {
            let spans = self.paths.iter().map(|path| time_span(path)).collect::<Result<Vec<_>, _>>()?;
            for second in &more.paths {
                let span = time_span(second)?;
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
            let replay = Replay::open(path, Some(&self.product), self.rule, Speed::Max)?;
            let progress = replay.progress();
            let mut second = beside(number);
            let mut tee = Tee {
                first: Collector::new(number, shape.horizon, shape.every, observer, sink),
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
            let counts = collector.finish().map_err(SourceError::Sink)?;
            done(number, second);
            bytes_before += progress.bytes_total();
            let fact = self.facts(path, outcome, counts, span.unwrap_or_default())?;
            for before in &facts {
                check_pair(before, &fact, self.overlap_allowed)?;
            }
            facts.push(fact);
        }
        Ok(facts)
    }

    fn facts(
        &self,
        path: &Path,
        outcome: ReplayOutcome,
        counts: RowCounts,
        (first_ts_recv_ns, last_ts_recv_ns): (i64, i64),
    ) -> Result<CaptureFacts, SourceError> {
        if let Some(error) = outcome.error {
            return Err(error.into());
        }
        if outcome.stopped {
            return Err(SourceError::Interrupted);
        }
        let Scale { price_decimals, .. } = outcome.scale;
        Ok(CaptureFacts {
            path: path.into(),
            sha256: sha256(path)?,
            first_ts_recv_ns,
            last_ts_recv_ns,
            price_decimals,
            faults: outcome.counts.faults.total(),
            cut: outcome.cut.map(|cut| cut.to_string()),
            counts,
        })
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
    /// Updates from a row to the mid that it is scored against.
    pub horizon: u32,
    /// Every so many evaluated frames become a row.
    pub every: u32,
}

/// What is wrong with a list of features.
#[derive(Debug, thiserror::Error)]
pub enum FeatureListError {
    /// A name.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// A name that comes twice.
    #[error("feature '{0}' is named twice")]
    Twice(Feature),
    /// Too many.
    #[error("{0} features are too many; a model has at most {FEATURES_MAX}")]
    TooMany(usize),
}

/// Numbers of updates that `all` stands for.
const MID_RETURNS: [u32; 3] = [1, 20, 100];
const OFI_LEVELS: [u8; 3] = [1, 5, 10];
const OFI_UPDATES: [u32; 3] = [1, 20, 100];

/// Reads a list of features: `seed` for the original program's 28, `all` for every family at every depth and a few
/// lengths of history, or names separated by commas.
///
/// # Errors
/// See [`FeatureListError`].
pub fn parse_features(text: &str) -> Result<Vec<Feature>, FeatureListError> {
    let features: Vec<Feature> = match text {
        "seed" => return Ok(SEED.to_vec()),
        "all" => return Ok(all_features()),
        names => names.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>()?,
    };
    if features.len() > FEATURES_MAX {
        return Err(FeatureListError::TooMany(features.len()));
    }
    for (index, feature) in features.iter().enumerate() {
        if features[..index].contains(feature) {
            return Err(FeatureListError::Twice(*feature));
        }
    }
    Ok(features)
}

/// The seed's features and then the rest of the catalogue.
fn all_features() -> Vec<Feature> {
    let mut features = SEED.to_vec();
    for family in CATALOGUE {
        let pattern = family.pattern;
        let names: Vec<String> = if pattern == "ofi_N_K" {
            let pairs = OFI_LEVELS.iter().flat_map(|n| OFI_UPDATES.iter().map(move |k| (n, k)));
            pairs.map(|(n, k)| format!("ofi_{n}_{k}")).collect()
        } else if let Some(family) = pattern.strip_suffix("_K") {
            MID_RETURNS.iter().map(|k| format!("{family}_{k}")).collect()
        } else if let Some(family) = pattern.strip_suffix("_N") {
            (1..=crate::features::DEPTH_MAX).map(|n| format!("{family}_{n}")).collect()
        } else {
            vec![pattern.to_owned()]
        };
        for name in names {
            let feature = name.parse().expect("the catalogue's patterns name features");
            if !features.contains(&feature) {
                features.push(feature);
            }
        }
    }
    assert!(features.len() <= FEATURES_MAX, "all features fit a model");
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_features() {
        assert_eq!(parse_features("seed").unwrap(), SEED);
        let all = parse_features("all").unwrap();
        assert_eq!(all[..28], SEED);
        assert_eq!(all.len(), 128);
        assert_eq!(parse_features("mid, imbalance_3").unwrap(), [Feature::Mid, Feature::Imbalance(3)]);
        for (text, message) in [
            ("mid,mid", "feature 'mid' is named twice"),
            ("", "unknown feature ''; `papertrader features --list` names all"),
            ("imbalance_11", "feature 'imbalance_11': the depth goes from 1 to 10"),
        ] {
            assert_eq!(parse_features(text).unwrap_err().to_string(), message);
        }
        let many: Vec<String> = (1..=129).map(|k| format!("mid_return_{k}")).collect();
        assert_eq!(
            parse_features(&many.join(",")).unwrap_err().to_string(),
            "129 features are too many; a model has at most 128"
        );
    }
}
