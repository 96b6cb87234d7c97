//! The writer thread: takes trades, evaluations and latency tables from the engine's rings and puts them on disk.

use crate::base::clock::{Clock, wall_ns};
use crate::engine::latency::{Stage, StageTable, Tables};
use crate::engine::observation::Observation;
use crate::engine::status::Status;
use crate::execution::ledger::Trade;
use crate::run::files::{RunFiles, WriteError};
use crate::run::observe::{Collector, Observed};
use crate::run::percentiles::write_percentiles;
use crate::run::trade_log::TradeLog;
use crate::statistics::logistic::probability;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use rtrb::Consumer;
use std::fs::File;
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
}
