//! The writer thread: takes trades, evaluations and latency tables from the engine's rings and puts them on disk.
//!
//! ```
//! use papertrader::base::clock::Clock;
//! use papertrader::engine::latency::recorder;
//! use papertrader::engine::status::Status;
//! use papertrader::run::files::RunFiles;
//! use papertrader::run::writer::{Inputs, write};
//! use rtrb::RingBuffer;
//! use std::time::Duration;
//!
//! let folder = tempfile::tempdir()?;
//! let files = RunFiles::create(folder.path(), "BTC-USD", Some("run"))?;
//! let clock = Clock::new();
//! let (recorder, tables) = recorder(clock.clone(), Duration::from_secs(1));
//! let (trades, trades_out) = RingBuffer::new(16);
//! let inputs =
//!     Inputs { trades: trades_out, records: None, observations: None, logits: None, rows: None, collector: None };
//!
//! // The engine has a live book and ends without a trade.
//! let status = Status::default();
//! status.went_live();
//! recorder.finish();
//! drop(trades);
//! let written = write(&[&files], vec![inputs], tables, &clock, &status)?;
//! assert_eq!(written[0].trades, 0);
//! assert_eq!(std::fs::read_to_string(&files.csv)?.lines().count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::clock::{Clock, wall_ns};
use crate::base::output::OutputError;
use crate::engine::latency::{Stage, StageTable, Tables};
use crate::engine::observation::{Evaluation, Observation};
use crate::engine::status::Status;
use crate::execution::ledger::Trade;
use crate::execution::records::Record;
use crate::market::event::UNSTAMPED;
use crate::run::equity::{Equity, Returns};
use crate::run::execution_logs::ExecutionLogs;
use crate::run::files::RunFiles;
use crate::run::observe::{Collector, Observed};
use crate::run::parquet_logs::{ParquetLogError, write_parquet};
use crate::run::percentiles::write_percentiles;
use crate::run::trade_log::TradeLog;
use crate::statistics::logistic::probability;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriter, IntervalLogWriterBuilder, Tag};
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

/// What the writer thread takes from a trader.
#[derive(Debug)]
pub struct Inputs {
    /// Closed trades.
    pub trades: Consumer<Trade>,
    /// What accounts beside the original's leave, where there are any.
    pub records: Option<Consumer<Record>>,
    /// Live frames, when somebody asked for them.
    pub observations: Option<Consumer<Observation>>,
    /// In their place, the log-odds of live frames of which another strategy on the same book tells.
    pub logits: Option<Consumer<Option<f64>>>,
    /// Features of some evaluations, for the collector.
    pub rows: Option<Consumer<f64>>,
    /// Gathers what a report says of them.
    pub collector: Option<Collector>,
}

impl Inputs {
    /// The share of its room that the fullest ring has filled.
    fn fullest(&self) -> f64 {
        let Self { records, observations, logits, rows, .. } = self;
        let frames = [observations.as_ref().map(filled), logits.as_ref().map(filled)];
        let optional = frames.into_iter().chain([records.as_ref().map(filled), rows.as_ref().map(filled)]);
        optional.flatten().fold(filled(&self.trades), f64::max)
    }
}

/// What the writer thread has written of a strategy.
#[derive(Debug, Default)]
pub struct Written {
    /// Rows of the trade log.
    pub trades: u64,
    /// All latencies of the session: those until the last strategy has decided.
    pub latency: Arc<StageTable>,
    /// What was gathered for the report.
    pub observed: Option<Observed>,
    /// What is to be said of returns by the day, if they were asked for.
    pub returns: Option<Returns>,
}

/// The open files of a run.
struct Outputs {
    trades: TradeLog<BufWriter<File>>,
    /// Their first path is named where one of them cannot be written.
    executions: Option<(PathBuf, ExecutionLogs<BufWriter<File>>)>,
    probabilities: Option<(PathBuf, BufWriter<File>)>,
    decisions: Option<(PathBuf, BufWriter<File>)>,
    equity: Option<Equity>,
}

impl Outputs {
    /// Opens the files, the latency log besides.
    fn open(files: &RunFiles) -> Result<(Self, BufWriter<File>), OutputError> {
        files.remove_replaced_report();
        let create = |path: &Path| files.open(path).map(BufWriter::new);
        let trades = TradeLog::new(create(&files.csv)?).map_err(OutputError::at(&files.csv))?;
        let optional = |path: &Option<PathBuf>| path.as_ref().map(|path| Ok((path.clone(), create(path)?))).transpose();
        let (probabilities, decisions) = (optional(&files.probabilities)?, optional(&files.decisions)?);
        let executions = match &files.executions {
            None => None,
            Some(paths @ [orders, fills, markouts, legs]) => {
                let outputs = [create(orders)?, create(fills)?, create(markouts)?, create(legs)?];
                let logs = ExecutionLogs::new(outputs).map_err(OutputError::at(&paths[0]))?;
                Some((paths[0].clone(), logs))
            }
        };
        let equity = files.equity.as_ref().map(|equity| Equity::begin(equity, &files.csv)).transpose()?;
        Ok((Self { trades, executions, probabilities, decisions, equity }, create(&files.hlog)?))
    }

    fn flush(&mut self, csv: &Path) -> Result<(), OutputError> {
        self.trades.flush().map_err(OutputError::at(csv))?;
        if let Some((path, logs)) = &mut self.executions {
            logs.flush().map_err(OutputError::at(path))?;
        }
        for (path, output) in self.probabilities.iter_mut().chain(&mut self.decisions) {
            output.flush().map_err(OutputError::at(path))?;
        }
        Ok(())
    }

    /// Writes what is known of an evaluation. `now` is a stamp and the wall time when it was taken.
    fn observation(&mut self, frame: &Observation, clock: &Clock, now: (u64, i64)) -> Result<(), OutputError> {
        let Some(evaluation) = frame.evaluation else { return Ok(()) };
        let number = frame.venue_sequence_num;
        if let Some((path, output)) = &mut self.probabilities {
            writeln!(output, "{number} {:.16e}", probability(evaluation.logit)).map_err(OutputError::at(path))?;
        }
        if let Some((path, output)) = &mut self.decisions {
            let wall_ns = now.1.saturating_sub_unsigned(clock.between_ns(evaluation.decided, now.0));
            writeln!(output, "{number} {wall_ns}").map_err(OutputError::at(path))?;
        }
        Ok(())
    }
}

/// Writes until the engine has gone and everything it sent is written, `inputs` of each strategy into `files` of the same index;
/// who knows that it has gone unparks the thread. A fault stops the run. Of a session whose book never was live nothing is written.
///
/// # Errors
/// A file cannot be made or written.
pub fn write(
    files: &[&RunFiles],
    inputs: Vec<Inputs>,
    tables: Tables,
    clock: &Clock,
    status: &Status,
) -> Result<Vec<Written>, OutputError> {
    if !waited_for_a_book(&inputs, status) {
        return Ok(inputs.iter().map(|_| Written::default()).collect());
    }
    match files.iter().map(|files| Outputs::open(files)).collect::<Result<Vec<_>, _>>() {
        Ok(outputs) => run(files, outputs, inputs, tables, clock, status),
        Err(error) => {
            // The engine does not wait for a thread that has gone.
            status.stop();
            Err(error)
        }
    }
}

/// Whether the engine has gone: with it all of its rings.
fn is_engine_gone(inputs: &[Inputs]) -> bool {
    inputs.iter().all(|inputs| inputs.trades.is_abandoned())
}

/// Waits until the book is live. False if the engine goes before.
fn waited_for_a_book(inputs: &[Inputs], status: &Status) -> bool {
    loop {
        // Looked at first: it may have been live in its last moments.
        let engine_gone = is_engine_gone(inputs);
        if status.has_been_live() {
            return true;
        }
        if engine_gone {
            return false;
        }
        thread::park_timeout(REST_MIN);
    }
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

/// The first file that could not be written stops the run; what comes after it is not reported.
struct Faults<'a> {
    status: &'a Status,
    first: Option<OutputError>,
}

impl Faults<'_> {
    fn note(&mut self, result: Result<(), OutputError>) {
        if let Err(error) = result {
            self.status.stop();
            self.first.get_or_insert(error);
        }
    }
}

/// What the rounds need of a strategy.
struct Strategy<'a, 'log> {
    files: &'a RunFiles,
    inputs: Inputs,
    outputs: Outputs,
    intervals: IntervalLogWriter<'log, 'log, BufWriter<File>, V2DeflateSerializer>,
    written: Written,
}

impl Strategy<'_, '_> {
    fn take_trades(&mut self, faults: &mut Faults<'_>) {
        while let Ok(trade) = self.inputs.trades.pop() {
            self.written.trades += 1;
            faults.note(self.outputs.trades.write(&trade).map_err(OutputError::at(&self.files.csv)));
        }
    }

    fn take_records(&mut self, faults: &mut Faults<'_>) {
        let (Some(ring), Some((path, logs))) = (&mut self.inputs.records, &mut self.outputs.executions) else { return };
        while let Ok(record) = ring.pop() {
            faults.note(logs.write(&record).map_err(OutputError::at(path)));
        }
    }

    /// Takes a live frame in, with what this strategy thought of it.
    fn see(&mut self, frame: &Observation, clock: &Clock, now: (u64, i64), faults: &mut Faults<'_>) {
        faults.note(self.outputs.observation(frame, clock, now));
        if let Some(equity) = &mut self.outputs.equity {
            faults.note(equity.see(frame).map_err(OutputError::at(&self.files.csv)));
        }
        if let Some(collector) = &mut self.inputs.collector {
            collector.frame(frame);
        }
    }

    /// The frame as this strategy saw it, if it is told what it thought of frames that another one tells of.
    fn follow(&mut self, frame: &Observation) -> Option<Observation> {
        let logit = self.inputs.logits.as_mut()?.pop().ok()?;
        // All strategies of a session decide at one stamp. Where the other one had no evaluation nobody asks for it.
        let decided = frame.evaluation.map_or(UNSTAMPED, |evaluation| evaluation.decided);
        Some(Observation { evaluation: logit.map(|logit| Evaluation { logit, decided }), ..*frame })
    }

    fn take_rows(&mut self) {
        if let (Some(ring), Some(collector)) = (&mut self.inputs.rows, &mut self.inputs.collector) {
            while let Ok(row) = ring.read_chunk(collector.row_width()) {
                collector.row(row.into_iter());
            }
        }
    }

    /// Writes an interval's latencies. `start` is that of the interval, counted from the log's.
    fn latencies(&mut self, table: &StageTable, start: Duration, duration: Duration, faults: &mut Faults<'_>) {
        let error = OutputError::at(&self.files.hlog);
        for stage in Stage::ALL {
            let tag = Tag::new(stage.tag());
            let line = self.intervals.write_histogram(&table.stage(stage).histogram, start, duration, tag);
            faults.note(line.map_err(|cause| error(io::Error::other(cause))));
        }
    }
}

/// What the rounds need.
struct Writer<'a, 'log> {
    strategies: Vec<Strategy<'a, 'log>>,
    tables: Tables,
    /// All that came through them.
    latency: StageTable,
    clock: &'a Clock,
    /// The stamp from which the latency logs count.
    started: u64,
    status: &'a Status,
    flushed: Instant,
    faults: Faults<'a>,
}

impl Writer<'_, '_> {
    /// Takes what comes until the engine has gone and everything it sent is taken. After a fault it goes on taking, so
    /// that the engine never waits for it.
    fn work(&mut self) {
        let mut rest = Rest(REST_MIN);
        loop {
            // Looked at first: what was sent before the engine went is then taken below.
            let engine_gone = self.strategies.iter().all(|strategy| strategy.inputs.trades.is_abandoned());
            let fullest = self.strategies.iter().map(|strategy| strategy.inputs.fullest()).fold(0.0, f64::max);
            for strategy in &mut self.strategies {
                strategy.take_trades(&mut self.faults);
                strategy.take_records(&mut self.faults);
            }
            self.take_observations();
            self.strategies.iter_mut().for_each(Strategy::take_rows);
            self.take_tables();
            if self.flushed.elapsed() >= FLUSH_AFTER || engine_gone {
                self.flush();
                self.flushed = Instant::now();
            }
            if engine_gone {
                break;
            }
            thread::park_timeout(rest.after(fullest));
        }
    }

    /// Takes live frames: one strategy tells of them, the others of their log-odds, in the same order.
    fn take_observations(&mut self) {
        let Self { strategies, clock, faults, .. } = self;
        let Some(leader) = strategies.iter().position(|strategy| strategy.inputs.observations.is_some()) else {
            return;
        };
        let told = |strategy: &Strategy<'_, '_>| {
            let Inputs { observations, logits, .. } = &strategy.inputs;
            observations.as_ref().map(Consumer::slots).or(logits.as_ref().map(Consumer::slots))
        };
        // The engine may be in the middle of a frame.
        let whole = strategies.iter().filter_map(told).min().unwrap_or(0);
        // One reading of both clocks a round: they drift apart by less than a nanosecond within it.
        let now = (clock.stamp(), wall_ns());
        for _ in 0..whole {
            let ring = strategies[leader].inputs.observations.as_mut();
            let Some(frame) = ring.and_then(|ring| ring.pop().ok()) else { return };
            strategies[leader].see(&frame, clock, now, faults);
            for strategy in &mut *strategies {
                if let Some(frame) = strategy.follow(&frame) {
                    strategy.see(&frame, clock, now, faults);
                }
            }
        }
    }

    fn flush(&mut self) {
        for Strategy { files, inputs, outputs, .. } in &mut self.strategies {
            self.faults.note(outputs.flush(&files.csv));
            if inputs.collector.as_mut().is_some_and(Collector::is_out_of_depth) {
                self.status.went_out_of_depth();
            }
        }
    }

    fn take_tables(&mut self) {
        let Self { strategies, tables, latency, clock, started, status, faults, .. } = self;
        while tables.take(|table| {
            let (from, to) = table.span();
            let start = Duration::from_nanos(clock.between_ns(*started, from));
            let duration = Duration::from_nanos(clock.between_ns(from, to));
            for strategy in &mut *strategies {
                strategy.latencies(table, start, duration, faults);
            }
            latency.add(table);
            let whole = latency.stage(latency.whole());
            if let Some((p50_ns, p99_ns)) = whole.quantile_ns(0.5).zip(whole.quantile_ns(0.99)) {
                status.latency(p50_ns, p99_ns);
            }
        }) {}
    }
}

/// The rounds, and what is written at the end.
fn run(
    files: &[&RunFiles],
    outputs: Vec<(Outputs, BufWriter<File>)>,
    inputs: Vec<Inputs>,
    tables: Tables,
    clock: &Clock,
    status: &Status,
) -> Result<Vec<Written>, OutputError> {
    let started = clock.stamp();
    let (outputs, mut hlogs): (Vec<Outputs>, Vec<_>) = outputs.into_iter().unzip();
    let mut serializers: Vec<_> = hlogs.iter().map(|_| V2DeflateSerializer::new()).collect();
    let begun = SystemTime::now();
    let logs = hlogs.iter_mut().zip(&mut serializers).zip(files).map(|((hlog, serializer), files)| {
        IntervalLogWriterBuilder::new()
            .add_comment("papertrader: nanoseconds; one line per stage and interval, the stage as tag")
            .with_start_time(begun)
            .with_max_value_divisor(1.0)
            .begin_log_with(hlog, serializer)
            .map_err(OutputError::at(&files.hlog))
    });
    let intervals: Vec<_> = logs.collect::<Result<_, _>>()?;
    let strategies = files.iter().zip(inputs).zip(outputs).zip(intervals);
    let strategies = strategies.map(|(((&files, inputs), outputs), intervals)| Strategy {
        files,
        inputs,
        outputs,
        intervals,
        written: Written::default(),
    });
    let faults = Faults { status, first: None };
    let strategies = strategies.collect();
    let latency = StageTable::default();
    let mut writer = Writer { strategies, tables, latency, clock, started, status, flushed: Instant::now(), faults };
    writer.work();

    let Writer { strategies, latency, mut faults, .. } = writer;
    let latency = Arc::new(latency);
    let ended: Vec<_> = strategies
        .into_iter()
        .map(|Strategy { files, inputs, outputs, written, .. }| (files, inputs.collector, outputs.equity, written))
        .collect();
    for (hlog, (files, ..)) in hlogs.iter_mut().zip(&ended) {
        faults.note(hlog.flush().map_err(OutputError::at(&files.hlog)));
    }
    let mut all = Vec::new();
    for (files, collector, equity, mut written) in ended {
        faults.note(check_kept(&files.csv));
        faults.note(write_hgrm(files, &latency));
        written.latency = Arc::clone(&latency);
        if faults.first.is_none() {
            faults.note(write_parquet_logs(files));
            match write_equity(files, equity) {
                Ok(returns) => written.returns = returns,
                Err(error) => faults.note(Err(error)),
            }
        }
        written.observed = collector.map(Collector::finish);
        all.push(written);
    }
    faults.first.map_or(Ok(all), Err)
}

/// Writes what the run was worth, if it is to be. Gives what is to be said of returns, where they were asked for.
fn write_equity(files: &RunFiles, gathered: Option<Equity>) -> Result<Option<Returns>, OutputError> {
    let Some((equity, asked)) = gathered.zip(files.equity.as_ref()) else { return Ok(None) };
    let returns = equity.finish(asked, &files.csv, files.replace)?;
    Ok(returns.filter(|_| asked.returns.is_some()))
}

/// Writes the logs as Parquet that are to be.
fn write_parquet_logs(files: &RunFiles) -> Result<(), OutputError> {
    let pairs = files.executions.iter().zip(&files.parquet).flat_map(|(csv, parquet)| csv.iter().zip(parquet));
    let trades = files.trades_parquet.iter().map(|parquet| (&files.csv, parquet));
    for (csv, path) in trades.chain(pairs) {
        write_parquet(csv, path, files.replace).map_err(|error| match error {
            ParquetLogError::Output(error) => error,
            error => OutputError::at(path)(io::Error::other(error)),
        })?;
    }
    Ok(())
}

/// Refuses a file that was removed while it was written: its rows are gone with this process.
fn check_kept(path: &Path) -> Result<(), OutputError> {
    if path.exists() {
        return Ok(());
    }
    let removed = io::Error::new(io::ErrorKind::NotFound, "it was removed while the program ran");
    Err(OutputError::at(path)(removed))
}

fn write_hgrm(files: &RunFiles, latency: &StageTable) -> Result<(), OutputError> {
    let mut output = BufWriter::new(files.open(&files.hgrm)?);
    let whole = latency.whole();
    let written = write_percentiles(&mut output, &latency.stage(whole).histogram)
        .and_then(|()| writeln!(output, "# nanoseconds, {}", whole.name()));
    written.and_then(|()| output.flush()).map_err(OutputError::at(&files.hgrm))
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
