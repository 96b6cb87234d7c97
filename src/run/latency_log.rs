//! `RUN.hlog` read back: the latency to the decision over time and, where nothing else tells them, every stage's figures.
//!
//! ```
//! use papertrader::run::latency_log::LatencyLog;
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! // A session over 100 frames of the synthetic market.
//! let folder = tempfile::tempdir()?;
//! let capture = synthetic::capture(folder.path(), 100)?;
//! let (_, _, files, report) = synthetic::session(&capture)?;
//!
//! let log = LatencyLog::read(&files.hlog, false)?.expect("the session wrote it");
//! let evaluated: u64 = log.intervals.iter().map(|interval| interval.count).sum();
//! assert_eq!(evaluated, report.engine().trader().counts.inferences);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::small_file;
use crate::engine::latency::{RANGE_NS_MAX, Stage, StageTimes};
use crate::run::stage_facts::StageFacts;
use data_encoding::BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogHistogram, IntervalLogIterator, LogEntry};
use std::io;
use std::path::{Path, PathBuf};

/// The largest log that is read: a run writes some 2 kB a second, this in ten days.
const BYTES_MAX: u64 = 2 << 30;
/// Intervals on a page; where a run has more, neighbours are summed up.
const INTERVALS_MAX: usize = 720;

/// The latency to the decision over a stretch of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyInterval {
    /// Seconds since the run's start.
    pub from_s: f64,
    /// Seconds since the run's start.
    pub to_s: f64,
    /// Evaluated frames.
    pub count: u64,
    /// Nanoseconds.
    pub p50_ns: u64,
    /// Nanoseconds.
    pub p99_ns: u64,
    /// Nanoseconds.
    pub max_ns: u64,
}

/// What an interval log says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LatencyLog {
    /// What the intervals are of: [`Stage::Arrival`] where the log has any of it, else [`Stage::Total`].
    pub whole: Stage,
    /// In the order of time; those without an evaluated frame are left out.
    pub intervals: Vec<LatencyInterval>,
    /// Every stage's sums over the run, when asked for. The maxima are those of the histograms: exact to three digits.
    pub stages: Vec<StageFacts>,
}

/// Why there is nothing of an interval log.
#[derive(Debug, thiserror::Error)]
pub enum LatencyLogError {
    /// The file.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not as HdrHistogram writes it.
    #[error("{path}: entry {entry} is no histogram of an interval log: {what}")]
    Entry {
        /// The file.
        path: PathBuf,
        /// Counted from 1, comments left out.
        entry: usize,
        /// What is wrong.
        what: String,
    },
}

/// Several intervals as one.
struct Sum {
    from_s: f64,
    to_s: f64,
    histogram: Histogram<u64>,
}

impl LatencyLog {
    /// Reads a log; `None` where there is none.
    ///
    /// # Errors
    /// See [`LatencyLogError`].
    pub fn read(path: &Path, with_stages: bool) -> Result<Option<Self>, LatencyLogError> {
        match small_file::read(path, BYTES_MAX) {
            Ok(bytes) => Self::parse(path, &bytes, with_stages).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LatencyLogError::Read { path: path.into(), source }),
        }
    }

    /// Reads a log's text; `path` is what errors call it.
    ///
    /// # Errors
    /// [`LatencyLogError::Entry`].
    pub fn parse(path: &Path, bytes: &[u8], with_stages: bool) -> Result<Self, LatencyLogError> {
        let bad = |entry: usize, what: String| LatencyLogError::Entry { path: path.into(), entry: entry + 1, what };
        let mut intervals = Vec::new();
        for (at, entry) in IntervalLogIterator::new(bytes).enumerate() {
            // A run that was killed leaves a last line without its end.
            match entry {
                Ok(LogEntry::Interval(interval)) => intervals.push((at, interval)),
                Ok(_) => {}
                Err(_) if !bytes.ends_with(b"\n") => break,
                Err(error) => return Err(bad(at, format!("{error:?}"))),
            }
        }
        let is = |interval: &IntervalLogHistogram<'_>, stage: Stage| {
            interval.tag().is_some_and(|tag| tag.as_str() == stage.tag())
        };
        let has_arrivals = intervals.iter().any(|(_, interval)| is(interval, Stage::Arrival) && interval.max() > 0.0);
        let whole = if has_arrivals { Stage::Arrival } else { Stage::Total };
        let of_whole = || intervals.iter().filter(|(_, interval)| is(interval, whole));
        let together = of_whole().count().div_ceil(INTERVALS_MAX).max(1);
        let mut deserializer = Deserializer::new();
        let mut read = |at: usize, interval: &IntervalLogHistogram<'_>| -> Result<Histogram<u64>, LatencyLogError> {
            let bytes = BASE64.decode(interval.encoded_histogram().as_bytes());
            let bytes = bytes.map_err(|error| bad(at, error.to_string()))?;
            deserializer.deserialize(&mut &bytes[..]).map_err(|error| bad(at, error.to_string()))
        };

        let mut log = Self { whole, ..Self::default() };
        let mut sum: Option<Sum> = None;
        for (number, (at, interval)) in of_whole().enumerate() {
            let histogram = read(*at, interval)?;
            let from_s = interval.start_timestamp().as_secs_f64();
            let to_s = from_s + interval.duration().as_secs_f64();
            match &mut sum {
                Some(sum) => {
                    sum.to_s = to_s;
                    sum.histogram.add(&histogram).map_err(|error| bad(*at, error.to_string()))?;
                }
                None => sum = Some(Sum { from_s, to_s, histogram }),
            }
            if (number + 1).is_multiple_of(together) {
                log.intervals.extend(sum.take().and_then(Sum::interval));
            }
        }
        log.intervals.extend(sum.and_then(Sum::interval));
        if with_stages {
            for stage in Stage::ALL {
                let mut times = StageTimes::default();
                for (at, interval) in intervals.iter().filter(|(_, interval)| is(interval, stage)) {
                    times.add(&read(*at, interval)?).map_err(|error| bad(*at, error.to_string()))?;
                }
                log.stages.push(StageFacts::of(stage, &times));
            }
        }
        Ok(log)
    }
}

/// Points of the distribution that [`decision_latencies_ns`] gives.
const POINTS: u32 = 10_000;

/// The latencies to the decision of a run's interval log: 10,000 quantiles, evenly spaced, in nanoseconds. From the machine's
/// receive stamps where the log has them, else from the read.
///
/// # Errors
/// The log cannot be read, or is none.
pub fn decision_latencies_ns(path: &Path) -> Result<Vec<i64>, LatencyLogError> {
    let read = |source| LatencyLogError::Read { path: path.into(), source };
    let bytes = small_file::read(path, BYTES_MAX).map_err(read)?;
    let whole = LatencyLog::parse(path, &bytes, false)?.whole;
    let bad = |entry: usize, what: String| LatencyLogError::Entry { path: path.into(), entry: entry + 1, what };
    let mut sum = StageTimes::default();
    let mut deserializer = Deserializer::new();
    for (at, entry) in IntervalLogIterator::new(&bytes).enumerate() {
        let Ok(LogEntry::Interval(interval)) = entry else { continue };
        if interval.tag().is_some_and(|tag| tag.as_str() == whole.tag()) {
            let encoded = BASE64.decode(interval.encoded_histogram().as_bytes());
            let encoded = encoded.map_err(|error| bad(at, error.to_string()))?;
            let histogram = deserializer.deserialize(&mut &encoded[..]).map_err(|error| bad(at, error.to_string()))?;
            sum.add(&histogram).map_err(|error| bad(at, error.to_string()))?;
        }
    }
    let at = |point: u32| sum.quantile_ns((f64::from(point) + 0.5) / f64::from(POINTS));
    Ok((0..POINTS).filter_map(at).map(|ns| ns.min(RANGE_NS_MAX) as i64).collect())
}

impl Sum {
    fn interval(self) -> Option<LatencyInterval> {
        let Self { from_s, to_s, histogram } = self;
        let at = |quantile| histogram.value_at_quantile(quantile).min(RANGE_NS_MAX);
        (!histogram.is_empty()).then(|| LatencyInterval {
            from_s,
            to_s,
            count: histogram.len(),
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            max_ns: histogram.max(),
        })
    }
}
