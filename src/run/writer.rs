//! The writer thread: takes trades, evaluations and latency tables from the engine's rings and puts them on disk.

use crate::base::clock::{Clock, wall_ns};
use crate::engine::latency::{Stage, StageTable, Tables};
use crate::engine::observation::Observation;
use crate::engine::status::Status;
use crate::execution::ledger::Trade;
use crate::run::observe::{Collector, Observed};
use crate::run::trade_log::TradeLog;
use crate::statistics::logistic::probability;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use rtrb::Consumer;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// The shortest and the longest rest between two rounds. Where there are no more cores than hot threads, each round takes one
/// of them for some tens of microseconds.
const REST_MIN: Duration = Duration::from_micros(500);
const REST_MAX: Duration = Duration::from_millis(10);
/// A ring that is found fuller than this shortens the rest, and rings that are all emptier than the other prolong it, as shares
/// of their room: what waits is still in the caches, and a burst sixteen times as fast still has room.
const FULL: f64 = 1.0 / 16.0;
const EMPTY: f64 = 1.0 / 64.0;
/// How long a written row may stay in the process's memory; a row is promised on disk within a second.
const FLUSH_AFTER: Duration = Duration::from_millis(250);

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl WriteError {
    /// For `map_err`.
    pub fn at(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self { path: path.into(), source }
    }
}

/// The files of a run: one stem, several endings.
#[derive(Clone, Debug)]
pub struct RunFiles {
    /// Closed trades.
    pub csv: PathBuf,
    /// Percentiles of received → decided.
    pub hgrm: PathBuf,
    /// All stages, an entry per interval.
    pub hlog: PathBuf,
    /// What a report needs besides, and the page itself, unless there is to be no report.
    pub report: Option<ReportFiles>,
    /// The probability of every evaluation, if asked for.
    pub probabilities: Option<PathBuf>,
    /// The wall time of every evaluation, if asked for.
    pub decisions: Option<PathBuf>,
}

/// A run's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFiles {
    /// Numbers, for machines.
    pub json: PathBuf,
    /// Pictures, for people.
    pub html: PathBuf,
}

impl ReportFiles {
    /// Beside a trade log.
    pub fn beside(csv: &Path) -> Self {
        Self { json: csv.with_extension("json"), html: csv.with_extension("html") }
    }

    /// Removes what is there.
    pub fn remove(&self) {
        for path in [&self.json, &self.html] {
            // What is not there need not be removed.
            let _ = fs::remove_file(path);
        }
    }
}

impl RunFiles {
    /// Removes what a run that never began has left.
    pub fn remove(&self) {
        let optional = [&self.probabilities, &self.decisions].into_iter().flatten();
        for path in [&self.csv, &self.hgrm, &self.hlog].into_iter().chain(optional) {
            // What is not there need not be removed.
            let _ = fs::remove_file(path);
        }
        self.report.iter().for_each(ReportFiles::remove);
    }

    /// Whether anything is written of every evaluation.
    pub fn want_evaluations(&self) -> bool {
        self.probabilities.is_some() || self.decisions.is_some()
    }

    /// Names the files of a run of `product` that starts now, in local time, in `folder`, which is made if it is not
    /// there. A name that is taken gets a number. With `stem` the name is that, and what is there is replaced.
    ///
    /// # Errors
    /// The folder cannot be made or no file can be made in it.
    pub fn create(folder: &Path, product: &str, stem: Option<&str>) -> Result<Self, WriteError> {
        fs::create_dir_all(folder).map_err(WriteError::at(folder))?;
        let files = |stem: &str| Self {
            csv: folder.join(format!("{stem}.csv")),
            hgrm: folder.join(format!("{stem}.hgrm")),
            hlog: folder.join(format!("{stem}.hlog")),
            report: None,
            probabilities: None,
            decisions: None,
        };
        if let Some(stem) = stem {
            return Ok(files(stem));
        }
        let started = jiff::Zoned::now().strftime("%Y_%m_%d_%H_%M_%S").to_string();
        // The product's name comes from the venue or a file.
        let harmless =
            |letter: char| if letter.is_ascii_alphanumeric() || "-._".contains(letter) { letter } else { '_' };
        let product: String = product.chars().take(64).map(harmless).collect();
        let mut again = 1;
        loop {
            let suffix = if again == 1 { String::new() } else { format!("_{again}") };
            let named = files(&format!("{started}{product}{suffix}"));
            match File::create_new(&named.csv) {
                Ok(_) => return Ok(named),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => again += 1,
                Err(error) => return Err(WriteError::at(&named.csv)(error)),
            }
        }
    }
}

/// What the writer thread takes from the engine.
#[derive(Debug)]
pub struct Inputs {
    /// Closed trades.
    pub trades: Consumer<Trade>,
    /// Live frames, when somebody asked for them.
    pub observations: Option<Consumer<Observation>>,
    /// Features of some evaluations, for the collector.
    pub rows: Option<Consumer<f64>>,
    /// Gathers what a report says of them.
    pub collector: Option<Collector>,
    /// Latencies.
    pub tables: Tables,
}

/// What the writer thread has written.
#[derive(Debug, Default)]
pub struct Written {
    /// Rows of the trade log.
    pub trades: u64,
    /// All latencies.
    pub latency: StageTable,
    /// What was gathered for the report.
    pub observed: Option<Observed>,
}

/// The open files of a run.
struct Outputs {
    trades: TradeLog<BufWriter<File>>,
    probabilities: Option<(PathBuf, BufWriter<File>)>,
    decisions: Option<(PathBuf, BufWriter<File>)>,
}

impl Outputs {
    fn flush(&mut self, csv: &Path) -> Result<(), WriteError> {
        self.trades.flush().map_err(WriteError::at(csv))?;
        for (path, output) in self.probabilities.iter_mut().chain(&mut self.decisions) {
            output.flush().map_err(WriteError::at(path))?;
        }
        Ok(())
    }

    /// Writes what is known of an evaluation. `now` is a stamp and the wall time when it was taken.
    fn observation(&mut self, frame: &Observation, clock: &Clock, now: (u64, i64)) -> Result<(), WriteError> {
        let Some(evaluation) = frame.evaluation else { return Ok(()) };
        let number = frame.venue_sequence_num;
        if let Some((path, output)) = &mut self.probabilities {
            writeln!(output, "{number} {:.16e}", probability(evaluation.logit)).map_err(WriteError::at(path))?;
        }
        if let Some((path, output)) = &mut self.decisions {
            let wall_ns = now.1.saturating_sub_unsigned(clock.between_ns(evaluation.decided, now.0));
            writeln!(output, "{number} {wall_ns}").map_err(WriteError::at(path))?;
        }
        Ok(())
    }
}

/// Opens the files, so that what is wrong with them is known before anything runs, and gives the thread's work.
///
/// # Errors
/// A file cannot be made.
pub fn prepare(
    files: &RunFiles,
    inputs: Inputs,
    clock: Clock,
    status: Arc<Status>,
) -> Result<impl FnOnce() -> Result<Written, WriteError> + Send + use<>, WriteError> {
    let create = |path: &Path| File::create(path).map(BufWriter::new).map_err(WriteError::at(path));
    let trades = TradeLog::new(create(&files.csv)?).map_err(WriteError::at(&files.csv))?;
    let optional = |path: &Option<PathBuf>| path.as_ref().map(|path| Ok((path.clone(), create(path)?))).transpose();
    let (probabilities, decisions) = (optional(&files.probabilities)?, optional(&files.decisions)?);
    let outputs = Outputs { trades, probabilities, decisions };
    let hlog = create(&files.hlog)?;
    let files = files.clone();
    Ok(move || run(&files, outputs, hlog, inputs, &clock, &status))
}

/// How long to rest after a round, by what was found.
#[derive(Debug)]
struct Rest(Duration);

impl Rest {
    /// `fullest` is the share of its room that the fullest ring had filled.
    fn after(&mut self, fullest: f64) -> Duration {
        if fullest > FULL {
            self.0 = (self.0 / 2).max(REST_MIN);
        } else if fullest < EMPTY {
            self.0 = (self.0 * 2).min(REST_MAX);
        }
        self.0
    }
}

/// The share of its room that a ring has filled.
fn filled<T>(ring: &Consumer<T>) -> f64 {
    ring.slots() as f64 / ring.buffer().capacity() as f64
}

/// Writes until the engine has gone and everything it sent is written; who knows that it has gone unparks the thread. After a
/// fault it goes on taking, so that the engine never waits for it, and stops the run.
fn run(
    files: &RunFiles,
    mut outputs: Outputs,
    mut hlog: BufWriter<File>,
    mut inputs: Inputs,
    clock: &Clock,
    status: &Status,
) -> Result<Written, WriteError> {
    let mut fault = None;
    let mut note = |result: Result<(), WriteError>| {
        if let Err(error) = result {
            status.stop();
            fault.get_or_insert(error);
        }
    };
    let mut written = Written::default();
    let started = clock.stamp();
    let hlog_error = WriteError::at(&files.hlog);
    {
        let mut serializer = V2DeflateSerializer::new();
        let mut intervals = IntervalLogWriterBuilder::new()
            .add_comment("papertrader: nanoseconds; one line per stage and interval, the stage as tag")
            .with_start_time(SystemTime::now())
            .with_max_value_divisor(1.0)
            .begin_log_with(&mut hlog, &mut serializer)
            .map_err(&hlog_error)?;
        let mut flushed = Instant::now();
        let mut rest = Rest(REST_MIN);
        loop {
            // Looked at first: what was sent before the engine went is then taken below.
            let engine_gone = inputs.trades.is_abandoned();
            let fullest = [
                filled(&inputs.trades),
                inputs.observations.as_ref().map_or(0.0, filled),
                inputs.rows.as_ref().map_or(0.0, filled),
            ];
            let fullest = fullest.into_iter().fold(0.0, f64::max);
            while let Ok(trade) = inputs.trades.pop() {
                written.trades += 1;
                note(outputs.trades.write(&trade).map_err(WriteError::at(&files.csv)));
            }
            if let Some(ring) = &mut inputs.observations {
                // One reading of both clocks a round: they drift apart by less than a nanosecond within it.
                let now = (clock.stamp(), wall_ns());
                while let Ok(frame) = ring.pop() {
                    note(outputs.observation(&frame, clock, now));
                    if let Some(collector) = &mut inputs.collector {
                        collector.frame(&frame);
                    }
                }
            }
            if let (Some(ring), Some(collector)) = (&mut inputs.rows, &mut inputs.collector) {
                while let Ok(row) = ring.read_chunk(collector.row_width()) {
                    collector.row(row.into_iter());
                }
            }
            while inputs.tables.take(|table| {
                written.latency.add(table);
                let total = &written.latency.stage(Stage::Total).histogram;
                status.latency(total.value_at_quantile(0.5), total.value_at_quantile(0.99));
                let (from, to) = table.span();
                let start = Duration::from_nanos(clock.between_ns(started, from));
                let duration = Duration::from_nanos(clock.between_ns(from, to));
                for stage in Stage::ALL {
                    let tag = Tag::new(stage.tag());
                    let line = intervals.write_histogram(&table.stage(stage).histogram, start, duration, tag);
                    note(line.map_err(|error| hlog_error(io::Error::other(error))));
                }
            }) {}
            if flushed.elapsed() >= FLUSH_AFTER || engine_gone {
                note(outputs.flush(&files.csv));
                flushed = Instant::now();
            }
            if engine_gone {
                break;
            }
            thread::park_timeout(rest.after(fullest));
        }
    }
    note(hlog.flush().map_err(&hlog_error));
    // Its rows went to a file without a name, which is gone with this process.
    if !files.csv.exists() {
        let removed = io::Error::new(io::ErrorKind::NotFound, "it was removed while the program ran");
        note(Err(WriteError::at(&files.csv)(removed)));
    }
    let percentiles = File::create(&files.hgrm).and_then(|file| {
        let mut output = BufWriter::new(file);
        write_percentiles(&mut output, &written.latency.stage(Stage::Total).histogram)?;
        output.flush()
    });
    note(percentiles.map_err(WriteError::at(&files.hgrm)));
    written.observed = inputs.collector.map(Collector::finish);
    fault.map_or(Ok(written), Err)
}

/// Percentile steps per halving of the distance to 100 %, as HdrHistogram's tools use it.
const TICKS_PER_HALF_DISTANCE: u32 = 5;

/// Writes a histogram in HdrHistogram's percentile distribution format (`AbstractHistogram.outputPercentileDistribution`
/// of the Java library), which its plotter reads.
fn write_percentiles(output: &mut impl Write, histogram: &Histogram<u64>) -> io::Result<()> {
    writeln!(output, "{:>12} {:>14} {:>10} {:>14}\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let (value, quantile) = (step.value_iterated_to() as f64, step.quantile_iterated_to());
        write!(output, "{value:>12.3} {quantile:>2.12} {total:>10}")?;
        if quantile < 1.0 {
            write!(output, " {:>14.2}", 1.0 / (1.0 - quantile))?;
        }
        writeln!(output)?;
    }
    let sub_buckets = 2 * 10_u32.pow(u32::from(histogram.sigfig()));
    writeln!(output, "#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]", histogram.mean(), histogram.stdev())?;
    writeln!(output, "#[Max     = {:>12.3}, Total count    = {:>12}]", histogram.max() as f64, histogram.len())?;
    writeln!(
        output,
        "#[Buckets = {:>12}, SubBuckets     = {:>12}]",
        histogram.buckets(),
        sub_buckets.next_power_of_two()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_rests_long_while_little_comes_and_shortly_while_much_does() {
        let mut rest = Rest(REST_MIN);
        let mut settled = |fullest| (0..20).map(|_| rest.after(fullest)).last().unwrap();
        assert_eq!(settled(0.0), REST_MAX);
        assert_eq!(settled(0.03), REST_MAX);
        assert_eq!(settled(0.9), REST_MIN);
        assert_eq!(settled(0.03), REST_MIN);
        let (mut ring, filling) = rtrb::RingBuffer::new(4);
        ring.push(()).unwrap();
        assert_eq!(filled(&filling), 0.25);
        // Rows are promised on disk within a second.
        assert!(FLUSH_AFTER + REST_MAX < Duration::from_millis(500));
    }

    #[test]
    fn percentiles_are_written_as_the_plotter_reads_them() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        (1..=1000).for_each(|value| histogram.record(value).unwrap());
        let mut bytes = Vec::new();
        write_percentiles(&mut bytes, &histogram).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(lines[2], "       1.000 0.000000000000          1           1.00");
        assert!(lines.contains(&"     500.000 0.500000000000        500           2.00"), "{text}");
        assert!(lines.contains(&"    1000.000 1.000000000000       1000"), "{text}");
        assert!(text.ends_with(
            "#[Mean    =      500.500, StdDeviation   =      288.675]\n#[Max     =     1000.000, Total count    =         1000]\n\
             #[Buckets =           26, SubBuckets     =         2048]\n"
        ), "{text}");
    }

    #[test]
    fn names_do_not_collide_and_hold_nothing_of_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<PathBuf> =
            (0..3).map(|_| RunFiles::create(folder.path(), "../a b/C-1", None).unwrap().csv).collect();
        for name in &names {
            assert_eq!(name.parent(), Some(folder.path()));
            assert!(name.to_str().unwrap().contains(".._a_b_C-1"), "{}", name.display());
            assert!(name.exists());
        }
        assert_ne!(names[0], names[1]);
        let named = RunFiles::create(folder.path(), "x", Some("run")).unwrap();
        assert_eq!(named.hlog, folder.path().join("run.hlog"));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = RunFiles::create(&file.join("in"), "x", None).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot write {}/in: ", file.display())), "{error}");
    }
}
