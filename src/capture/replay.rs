//! Replays captures through the same path that live sessions take.
//!
//! ```
//! use papertrader::base::clock::Speed;
//! use papertrader::capture::CaptureWriter;
//! use papertrader::capture::replay::Replay;
//! use papertrader::engine::status::Status;
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::research::source::Nobody;
//! use papertrader::run::session::Feed;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("market.txt");
//! let mut writer = CaptureWriter::create(&path)?;
//! writer.frame(0, br#"{"channel":"l2_data","timestamp":"2024-08-09T00:00:00Z","sequence_num":0,"events":[
//!     {"type":"snapshot","product_id":"BTC-USD","updates":[
//!     {"side":"bid","price_level":"61830.17","new_quantity":"0.5"}]}]}"#)?;
//! writer.finish()?;
//!
//! let replay = Replay::open(&path, None, ScaleRule::default(), Speed::Max)?;
//! assert_eq!(replay.product(), "BTC-USD");
//! let outcome = replay.run(&mut Nobody, &Status::default());
//! assert!(outcome.error.is_none());
//! assert_eq!((outcome.first().counts.snapshots, outcome.first().scale.price_decimals), (1, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::clock::{Clock, Pacer, Speed};
use crate::capture::connections::Connections;
use crate::capture::{CaptureError, CaptureReader, Cut, Item};
use crate::engine::status::Status;
use crate::feed::coinbase::level2::Parser;
use crate::feed::intake::{Arrival, ScaleRule};
use crate::feed::intakes::ProductSeen;
use crate::handoff::Wait;
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::Scale;
use crate::run::session::Feed;
use serde::de::IgnoredAny;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// A recording, opened and known to hold the products.
pub struct Replay {
    reader: CaptureReader,
    /// At least one.
    products: Vec<String>,
    rule: ScaleRule,
    speed: Speed,
    /// Whether the wait for a paced frame's due time spins.
    spins: bool,
    /// Whether a thread of its own reads the file.
    reads_ahead: bool,
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A pipe or a device, of which a second reading would not give the same.
    #[error("{path} is no file; a market is read twice, so save it to one first")]
    NotAFile {
        /// Its name.
        path: PathBuf,
    },
    /// No frame of the product.
    #[error("{path} holds no book of {product}; it holds {others}")]
    NoSuchProduct {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        product: String,
        /// What there is.
        others: String,
    },
    /// No frame of any book.
    #[error("{path} holds no frame of the l2_data channel")]
    NoBook {
        /// The file.
        path: PathBuf,
    },
}

impl ReplayError {
    /// As what reading says.
    pub fn into_capture(self) -> CaptureError {
        match self {
            Self::Capture(error) => error,
            other => CaptureError::Foreign(Box::new(other)),
        }
    }
}

/// What a replay has to say at the end.
#[derive(Debug)]
pub struct ReplayOutcome {
    /// What the feed has seen of each product, as asked for or as found; at least one.
    pub products: Vec<ProductSeen>,
    /// Other products in the capture.
    pub other_products: Vec<String>,
    /// Whole lines read.
    pub lines: u64,
    /// How the file was cut, if it was.
    pub cut: Option<Cut>,
    /// Why reading stopped before the end; everything before was used.
    pub error: Option<CaptureError>,
    /// Whether somebody stopped it before the end.
    pub stopped: bool,
    /// How long frames had to wait for the file to be read and decompressed.
    pub waited_for_file: Duration,
    /// Files that were read.
    pub files: u64,
    /// The longest time between the last frame of one and the first of the next, nanoseconds.
    pub longest_hole_ns: i64,
    /// What a user should know of the files, such as what was rounded or left out.
    pub remarks: Vec<String>,
}

impl ReplayOutcome {
    /// The first product's.
    pub fn first(&self) -> &ProductSeen {
        self.products.first().expect("a replay has a product")
    }

    /// Nothing but this has been read.
    pub fn of(product: ProductSeen) -> Self {
        Self {
            products: vec![product],
            other_products: Vec::new(),
            lines: 0,
            cut: None,
            error: None,
            stopped: false,
            waited_for_file: Duration::ZERO,
            files: 0,
            longest_hole_ns: 0,
            remarks: Vec::new(),
        }
    }
}

/// What a replay at full speed is waiting for: the slowest of the threads through which frames pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Reading and decompressing the file.
    File,
    /// Parsing, or the whole path where that runs on one thread.
    Feed,
    /// Everything behind the ring.
    Engine,
}

impl Bound {
    /// For the report.
    pub fn text(self, fused: bool, reads_ahead: bool) -> &'static str {
        match (self, fused, reads_ahead) {
            (Self::File, ..) => "reading and decompressing the file",
            (Self::Feed, true, true) => "parsing and the engine, on one thread",
            (Self::Feed, true, false) => "reading, parsing and the engine, on one thread",
            (Self::Feed, false, true) => "parsing",
            (Self::Feed, false, false) => "reading and parsing, on one thread",
            (Self::Engine, ..) => "the engine",
        }
    }
}

/// What the feed thread, which stands between the two others, waited for, as shares of the replay's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waits {
    /// For the file to be read and decompressed.
    pub file: f64,
    /// For room in the ring to the engine.
    pub engine: f64,
}

impl Waits {
    /// Of a replay that took `elapsed`.
    pub fn new(for_file: Duration, for_engine: Duration, elapsed: Duration) -> Self {
        let share = |waited: Duration| waited.as_secs_f64() / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        Self { file: share(for_file), engine: share(for_engine) }
    }

    /// The slowest: what the feed thread waited for most, or the feed itself where that is less than a tenth of the time,
    /// since the first blocks always come late.
    pub fn bound(self) -> Bound {
        match self {
            Self { file, engine } if file.max(engine) <= 0.1 => Bound::Feed,
            Self { file, engine } if file > engine => Bound::File,
            _ => Bound::Engine,
        }
    }
}

/// The product of a capture's first book frame, or `product` if there is a frame of it.
fn find_product(path: &Path, product: Option<&str>) -> Result<String, ReplayError> {
    let mut reader = CaptureReader::open(path)?;
    // No product has an empty name: the parser then only collects the names that it sees.
    let mut parser = Parser::new(product.unwrap_or(""));
    let mut levels = Vec::new();
    loop {
        let line = match reader.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(error) => return Err(error.into()),
        };
        let Item::Frame(frame) = line.item else { continue };
        let Ok(message) = parser.parse(frame, Scale::default(), &mut levels) else { continue };
        match product {
            Some(product) if message.book != crate::feed::coinbase::level2::BookPart::None => return Ok(product.into()),
            Some(_) => {}
            None => {
                if let Some(first) = parser.other_products().next() {
                    return Ok(first.into());
                }
            }
        }
    }
    let others: Vec<&str> = parser.other_products().collect();
    Err(match product {
        Some(product) if !others.is_empty() => {
            ReplayError::NoSuchProduct { path: path.into(), product: product.into(), others: others.join(", ") }
        }
        _ => ReplayError::NoBook { path: path.into() },
    })
}

/// Refuses a pipe or a device, which cannot be read twice.
///
/// # Errors
/// [`ReplayError::NotAFile`].
pub fn check_file(path: &Path) -> Result<(), ReplayError> {
    // What cannot be looked at cannot be opened either: the reader says why.
    let special = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    if special { Err(ReplayError::NotAFile { path: path.into() }) } else { Ok(()) }
}

impl Replay {
    /// Opens a capture, to replay one product: the one named or the first that appears.
    ///
    /// # Errors
    /// The file cannot be read, is no capture, or does not hold the product.
    pub fn open(path: &Path, product: Option<&str>, rule: ScaleRule, speed: Speed) -> Result<Self, ReplayError> {
        Self::open_beside(1, path, product, rule, speed)
    }

    /// The same for a run on so many hot threads. If they leave no core to a thread that reads ahead, the feed reads a file
    /// that is not compressed for itself: another thread would only fetch what the feed fetches once more, from that thread's
    /// caches. On two cores 500,000 frames of 1,348 bytes took 1.09 and 1.20 times as long with it, in two runs of 21 pairs.
    ///
    /// # Errors
    /// The file cannot be read, is no capture, or does not hold the product.
    pub fn open_beside(
        hot_threads: usize,
        path: &Path,
        product: Option<&str>,
        rule: ScaleRule,
        speed: Speed,
    ) -> Result<Self, ReplayError> {
        let products = product.map(Into::into);
        Self::open_products_beside(hot_threads, path, products.as_slice(), rule, speed)
    }

    /// The same for several products; without any, for the first that appears.
    ///
    /// # Errors
    /// The file cannot be read, is no capture, or does not hold one of the products.
    pub fn open_products_beside(
        hot_threads: usize,
        path: &Path,
        products: &[String],
        rule: ScaleRule,
        speed: Speed,
    ) -> Result<Self, ReplayError> {
        check_file(path)?;
        let products = match products {
            [] => vec![find_product(path, None)?],
            products => {
                products.iter().map(|product| find_product(path, Some(product))).collect::<Result<Vec<_>, _>>()?
            }
        };
        let mut reader = CaptureReader::open(path)?;
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let reads_ahead = !reader.is_plain() || cores > hot_threads;
        if reads_ahead {
            reader = reader.read_ahead()?;
        }
        Ok(Self { reader, products, rule, speed, spins: false, reads_ahead })
    }

    /// The same, but spinning until a paced frame is due where `wait` says so, as a live feed spins until bytes come.
    #[must_use]
    pub fn waiting(self, wait: Wait) -> Self {
        Self { spins: wait == Wait::Spin, ..self }
    }

    /// The product that will be replayed, the first where there are several.
    pub fn product(&self) -> &str {
        self.products.first().map_or("", String::as_str)
    }

    /// All of them.
    pub fn products(&self) -> &[String] {
        &self.products
    }

    /// Whether a thread of its own reads the file.
    pub fn reads_ahead(&self) -> bool {
        self.reads_ahead
    }

    /// How far the file has been read.
    pub fn progress(&self) -> std::sync::Arc<crate::capture::Progress> {
        self.reader.progress()
    }

    /// Takes lines until the end; true if somebody stopped it before.
    fn take_lines(
        reader: &mut CaptureReader,
        connections: &mut Connections,
        pacer: &mut Pacer,
        clock: &Clock,
        engine: &mut impl Publish,
        status: &Status,
    ) -> Result<bool, Stopped> {
        loop {
            let Some(line) = reader.next_line()? else { return Ok(false) };
            let due = pacer.wait_until_due(line.ts_recv_ns, || status.stopping());
            // After the wait, which a stop ends: a frame whose time has not come is not traded on.
            if status.stopping() {
                return Ok(true);
            }
            // A paced frame counts as received when it is due, so that whatever keeps this thread from it is seen in its latency.
            let taken_up = clock.stamp();
            let received = due.unwrap_or(taken_up);
            let arrival = Arrival { ts_recv_ns: line.ts_recv_ns, arrived: None, received, decoded: taken_up };
            match line.item {
                Item::Frame(frame) => {
                    if !line.terminated && sonic_rs::from_slice::<IgnoredAny>(frame).is_err() {
                        reader.last_line_is_cut();
                        return Ok(false);
                    }
                    if let Some(intakes) = connections.current() {
                        intakes.take(frame, &arrival, engine)?;
                    }
                }
                Item::Control(control) => connections.take(control, &arrival, engine)?,
            }
        }
    }
}

/// Why lines are taken no more.
enum Stopped {
    Capture(CaptureError),
    EngineGone,
}

impl From<CaptureError> for Stopped {
    fn from(error: CaptureError) -> Self {
        Self::Capture(error)
    }
}

impl From<EngineGone> for Stopped {
    fn from(_: EngineGone) -> Self {
        Self::EngineGone
    }
}

impl Feed for Replay {
    type Outcome = ReplayOutcome;

    fn run(self, engine: &mut impl Publish, status: &Status) -> ReplayOutcome {
        let Self { mut reader, products, rule, speed, spins, .. } = self;
        let clock = Clock::new();
        let mut connections = Connections::new(&products, rule, &clock);
        let mut pacer = Pacer::new(speed, clock.clone(), spins);
        let taken = Self::take_lines(&mut reader, &mut connections, &mut pacer, &clock, engine, status);
        let (stopped, error) = match taken {
            Ok(stopped) => (stopped, None),
            Err(Stopped::EngineGone) => (true, None),
            Err(Stopped::Capture(error)) => (false, Some(error)),
        };
        let remarks = connections.remarks();
        let (products, other_products) = connections.seen();
        ReplayOutcome {
            products,
            other_products,
            lines: reader.lines(),
            cut: reader.cut().cloned(),
            error,
            stopped,
            waited_for_file: reader.waited(),
            files: 1,
            longest_hole_ns: 0,
            remarks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::event::{Event, FrameHead};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    #[derive(Default)]
    struct Frames(Vec<(u64, Vec<Event>)>);

    impl Publish for Frames {
        fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
            self.0.push((head.sequence_num, levels.to_vec()));
            Ok(())
        }
    }

    /// An engine that stands still in one frame, and keeps all stamps.
    struct Stalls {
        clock: Clock,
        at: usize,
        heads: Vec<FrameHead>,
        /// When it went on.
        went_on: u64,
    }

    impl Publish for Stalls {
        fn publish(&mut self, head: &FrameHead, _: &[Event]) -> Result<(), EngineGone> {
            if self.heads.len() == self.at {
                thread::sleep(Duration::from_millis(30));
                self.went_on = self.clock.stamp();
            }
            self.heads.push(*head);
            Ok(())
        }
    }

    #[test]
    fn a_stall_is_seen_in_every_paced_frame_that_it_delays() {
        const PERIOD_NS: u64 = 1_000_000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.l2");
        let text: String = (0..40_u64)
            .map(|number| {
                let kind = if number == 0 { "snapshot" } else { "update" };
                let level = format!(r#"{{"side":"bid","price_level":"1","new_quantity":"{number}"}}"#);
                let time_ns = number * PERIOD_NS * 4;
                format!(
                    r#"{time_ns} {{"channel":"l2_data","sequence_num":{number},"events":[{{"type":"{kind}","product_id":"P","updates":[{level}]}}]}}"#
                ) + "\n"
            })
            .collect();
        fs::write(&path, text).unwrap();
        for wait in [Wait::Block, Wait::Spin] {
            let replay = Replay::open(&path, None, ScaleRule::default(), Speed::Times(4.0)).unwrap().waiting(wait);
            let clock = Clock::new();
            let mut engine = Stalls { clock: clock.clone(), at: 5, heads: Vec::new(), went_on: 0 };
            let outcome = replay.run(&mut engine, &Status::default());
            assert_eq!((outcome.first().counts.frames, engine.heads.len()), (40, 40));
            let first = engine.heads[0].received;
            let mut delayed = 0;
            for (number, head) in (0..).zip(&engine.heads) {
                // Received when due, whatever happened, and never taken up before.
                let since_first_ns = clock.between_ns(first, head.received);
                assert!(since_first_ns.abs_diff(number * PERIOD_NS) <= 1, "frame {number}: {since_first_ns}");
                assert!(head.decoded >= head.received, "frame {number}");
                if number > 5 && head.received < engine.went_on {
                    delayed += 1;
                    assert!(head.decoded >= engine.went_on, "frame {number} waited until the engine went on");
                }
            }
            // Frame 5 was not taken up before it was due, and 29 more were due in the 30 ms after that.
            assert!(delayed >= 29, "{delayed}");
        }
    }

    #[test]
    fn where_no_core_is_left_the_feed_reads_a_plain_file_and_nothing_else_differs() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, gzip) = (folder.path().join("m.l2"), folder.path().join("m.l2.gz"));
        let text: String = (0..3_000)
            .map(|number| {
                let kind = if number == 0 { "snapshot" } else { "update" };
                let level = format!(r#"{{"side":"bid","event_time":"","price_level":"1","new_quantity":"{number}"}}"#);
                format!(
                    r#"{number} {{"channel":"l2_data","sequence_num":{number},"events":[{{"type":"{kind}","product_id":"P","updates":[{level}]}}]}}"#
                ) + "\n"
            })
            .collect();
        fs::write(&plain, &text).unwrap();
        let mut encoder = GzEncoder::new(fs::File::create(&gzip).unwrap(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
        let frames = |path: &Path, hot_threads: usize, reads_ahead: bool| {
            let replay = Replay::open_beside(hot_threads, path, None, ScaleRule::default(), Speed::Max).unwrap();
            assert_eq!(replay.reads_ahead(), reads_ahead, "{} beside {hot_threads}", path.display());
            let mut frames = Frames::default();
            let outcome = replay.run(&mut frames, &Status::default());
            assert_eq!((outcome.lines, outcome.error.is_none(), outcome.stopped), (3_000, true, false));
            frames.0
        };
        let ahead = frames(&plain, 0, true);
        assert_eq!(ahead.len(), 3_000);
        assert!(frames(&plain, usize::MAX, false) == ahead);
        assert!(frames(&gzip, usize::MAX, true) == ahead);
    }

    #[test]
    fn the_slowest_thread_bounds_a_replay() {
        let bound = |file_ms, engine_ms| {
            let [file, engine] = [file_ms, engine_ms].map(Duration::from_millis);
            Waits::new(file, engine, Duration::from_secs(10)).bound()
        };
        assert_eq!(bound(5_000, 20), Bound::File);
        assert_eq!(bound(2_000, 3_000), Bound::Engine);
        assert_eq!(bound(20, 1_001), Bound::Engine);
        assert_eq!(bound(999, 1_000), Bound::Feed);
        assert_eq!(Waits::new(Duration::ZERO, Duration::ZERO, Duration::ZERO).bound(), Bound::Feed);
        assert_eq!(Bound::Feed.text(false, true), "parsing");
        assert_eq!(Bound::Feed.text(true, false), "reading, parsing and the engine, on one thread");
    }
}
