//! The latency profile: frames in memory, presented by a schedule fixed beforehand.
//!
//! The feeder is an open loop: a frame is due at its time whether or not the ones before are done, and its latency counts
//! from then. A stall is so seen by every frame that it delays; a feeder that waited for its turn would see it once
//! (coordinated omission: G. Tene, "How NOT to Measure Latency", 2013).
//!
//! A frame that is waited for is brought into the caches first, where the read that receives it from a socket leaves it. One that
//! is late already comes from memory.

use crate::base::clock::Clock;
use crate::base::cores::{self, CoresError};
use crate::capture::{CaptureError, CaptureReader, Item};
use crate::engine::status::Status;
use crate::feed::coinbase::level2::{BookPart, Parser};
use crate::feed::intake::{Arrival, Intake, IntakeCounts, ScaleRule};
use crate::market::event::FrameKind;
use crate::market::event::UNMEASURED;
use crate::market::publish::Publish;
use crate::market::units::Scale;
use crate::run::session::Feed;
use crossbeam_utils::CachePadded;
use std::fs;
use std::hint::{black_box, spin_loop};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// The most bytes of frames that are held in memory.
pub const BYTES_MAX: usize = 1 << 30;
/// How long frames are presented before their latencies are recorded, so that caches and predictors are warm.
const WARM_UP: Duration = Duration::from_millis(100);
/// A run that is so many times as long as its schedule ends: the rate is far beyond what the machine does.
const LATE_TIMES_MAX: u32 = 2;
/// The pause between the book's snapshot and the first frame that is due, for the engine to take it in.
const SETTLE: Duration = Duration::from_millis(20);

const CACHE_LINE_BYTES: usize = 64;

/// Frames of one product in memory.
#[derive(Debug)]
pub struct Frames {
    /// The product.
    pub product: String,
    /// Frames behind one another, the first a snapshot of the product, none of the others.
    bytes: Vec<u8>,
    /// Receive time and the end of each frame's bytes.
    ends: Vec<(i64, usize)>,
}

/// Why there are no frames to present.
#[derive(Debug, thiserror::Error)]
pub enum FramesError {
    /// The file.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// No updates that follow a snapshot.
    #[error("{path} holds no snapshot of {product} with updates behind it")]
    NoUpdates {
        /// The file.
        path: PathBuf,
        /// The product.
        product: String,
    },
}

impl Frames {
    /// Reads a capture's frames of `product` from its first snapshot to the second or the end, at most [`BYTES_MAX`].
    ///
    /// # Errors
    /// See [`FramesError`].
    pub fn read(path: &Path, product: &str) -> Result<Self, FramesError> {
        let mut reader = CaptureReader::open(path)?;
        let mut parser = Parser::new(product);
        let mut levels = Vec::new();
        let mut frames = Self { product: product.into(), bytes: Vec::new(), ends: Vec::new() };
        let mut scale = Scale::default();
        while let Some(line) = reader.next_line()? {
            let Item::Frame(frame) = line.item else { continue };
            let Ok(mut message) = parser.parse(frame, scale, &mut levels) else { continue };
            if let BookPart::Finer(needs) = message.book {
                scale = needs;
                let Ok(finer) = parser.parse(frame, scale, &mut levels) else { continue };
                message = finer;
            }
            match message.book {
                BookPart::Frame(FrameKind::Snapshot) if !frames.ends.is_empty() => break,
                BookPart::Frame(FrameKind::Snapshot) => {}
                BookPart::None => continue,
                _ if frames.ends.is_empty() => continue,
                _ => {}
            }
            if frames.bytes.len() + frame.len() > BYTES_MAX {
                break;
            }
            frames.bytes.extend_from_slice(frame);
            frames.ends.push((line.ts_recv_ns, frames.bytes.len()));
        }
        if frames.ends.len() < 2 {
            return Err(FramesError::NoUpdates { path: path.into(), product: product.into() });
        }
        Ok(frames)
    }

    /// How many there are, the snapshot included; at least 2.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Receive time and bytes of a frame.
    #[inline]
    fn frame(&self, at: usize) -> (i64, &[u8]) {
        let start = if at == 0 { 0 } else { self.ends[at - 1].1 };
        let (ts_recv_ns, end) = self.ends[at];
        (ts_recv_ns, &self.bytes[start..end])
    }
}

/// Presents frames at a fixed rate.
///
/// When the updates are used up they begin again behind a snapshot, which has no place in the schedule: it shifts by as
/// long as the snapshot takes.
#[derive(Debug)]
pub struct Feeder {
    /// What is presented.
    pub frames: Arc<Frames>,
    /// The scale that the user gave.
    pub rule: ScaleRule,
    /// Frames a second; at least 1.
    pub rate: u64,
    /// How long frames are due, behind the warm-up.
    pub duration: Duration,
}

/// What a feeder has done.
#[derive(Debug)]
pub struct Presented {
    /// Frames that were due.
    pub due: u64,
    /// Frames that were presented and measured.
    pub presented: u64,
    /// From the first due time to the last frame's end, nanoseconds, the time for snapshots left out.
    pub elapsed_ns: u64,
    /// What the intake saw, warm-up and snapshots included.
    pub counts: IntakeCounts,
}

impl Feed for Feeder {
    type Outcome = Presented;

    fn run(self, engine: &mut impl Publish, status: &Status) -> Presented {
        let clock = Clock::new();
        let mut intake = Intake::new(&self.frames.product, self.rule, clock.clone());
        let period_ns = 1e9 / self.rate as f64;
        let warm_up = (WARM_UP.as_secs_f64() * self.rate as f64).ceil() as u64;
        let due = (self.duration.as_secs_f64() * self.rate as f64).ceil() as u64;
        let longest_ns = (WARM_UP + self.duration * LATE_TIMES_MAX).as_nanos() as u64;
        let (mut start, mut at) = (clock.stamp(), 0);
        let (mut presented, mut elapsed_ns) = (0, 0);
        for n in 0..warm_up + due {
            let due_ns = (n as f64 * period_ns) as u64;
            if at == 0 {
                let began = clock.stamp();
                let (ts_recv_ns, snapshot) = self.frames.frame(0);
                let arrival = Arrival { ts_recv_ns, received: UNMEASURED, decoded: UNMEASURED };
                intake.begin_again();
                if intake.take(snapshot, &arrival, engine).is_err() {
                    break;
                }
                thread::sleep(SETTLE);
                start += clock.stamp() - began;
                at = 1;
            }
            let due_at = clock.later(start, due_ns);
            let (ts_recv_ns, frame) = self.frames.frame(at);
            let mut now = clock.stamp();
            if now < due_at {
                bring_near(frame);
            }
            while now < due_at {
                spin_loop();
                now = clock.stamp();
            }
            if status.stopping() || clock.between_ns(start, now) > longest_ns {
                break;
            }
            let measured = n >= warm_up;
            let (received, decoded) = if measured { (due_at, now) } else { (UNMEASURED, UNMEASURED) };
            if intake.take(frame, &Arrival { ts_recv_ns, received, decoded }, engine).is_err() {
                break;
            }
            presented += u64::from(measured);
            at = (at + 1) % self.frames.len();
            if n + 1 == warm_up + due {
                elapsed_ns = clock.between_ns(clock.later(start, (warm_up as f64 * period_ns) as u64), clock.stamp());
            }
        }
        if elapsed_ns == 0 {
            elapsed_ns = clock.between_ns(clock.later(start, (warm_up as f64 * period_ns) as u64), clock.stamp());
        }
        Presented { due, presented, elapsed_ns, counts: intake.counts().clone() }
    }
}

/// Brings a frame into the caches.
fn bring_near(frame: &[u8]) {
    frame.chunks(CACHE_LINE_BYTES).for_each(|line| {
        black_box(line[0]);
    });
}

/// Hops of a cache line that are timed together, and how often.
const HOPS: u64 = 1 << 12;
const HOP_BATCHES: usize = 15;

/// The time that a word takes from one core to another, nanoseconds: the median over batches of half a round trip. No
/// hand-over between the two can be faster.
///
/// # Errors
/// A core cannot be pinned.
pub fn ping_pong_ns(cores: (Option<usize>, Option<usize>)) -> Result<f64, CoresError> {
    let words = Arc::new([CachePadded::new(AtomicU64::new(0)), CachePadded::new(AtomicU64::new(0))]);
    let last = HOPS * HOP_BATCHES as u64;
    // Without a core of its own each, neither waits for the other's time slice to end.
    let pause = if cores.0.is_some() && cores.1.is_some() { spin_loop } else { thread::yield_now };
    let await_word = move |word: &AtomicU64, value: u64| {
        // Acquire pairs with the other side's release, as in a real hand-over.
        while word.load(Ordering::Acquire) < value {
            pause();
        }
    };
    let answering = Arc::clone(&words);
    let answers = thread::spawn(move || {
        let pinned = cores::pin(cores.1);
        for value in 1..=last {
            await_word(&answering[0], value);
            answering[1].store(value, Ordering::Release);
        }
        pinned
    });
    let asks = thread::spawn(move || {
        let pinned = cores::pin(cores.0);
        let clock = Clock::new();
        let mut batches_ns = Vec::with_capacity(HOP_BATCHES);
        for batch in 0..HOP_BATCHES as u64 {
            let from = clock.stamp();
            for value in batch * HOPS + 1..=(batch + 1) * HOPS {
                words[0].store(value, Ordering::Release);
                await_word(&words[1], value);
            }
            batches_ns.push(clock.between_ns(from, clock.stamp()) as f64 / (2 * HOPS) as f64);
        }
        batches_ns.sort_by(f64::total_cmp);
        pinned.map(|()| batches_ns[HOP_BATCHES / 2])
    });
    let no_panic = "the threads only count";
    let asked = asks.join().expect(no_panic);
    answers.join().expect(no_panic)?;
    asked
}

/// What the system took from the hot threads, read from `/proc`; nothing where there is no such thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noise {
    /// Time that the hypervisor gave to others, over all cores, milliseconds.
    pub steal_ms: Option<u64>,
    /// Times that the system took a core from a hot thread that had not offered it.
    pub involuntary_switches: Option<u64>,
}

/// Reads [`Noise`] while a session runs.
#[derive(Debug)]
pub struct NoiseMeter {
    steal_before_ms: Option<u64>,
    switches: Option<u64>,
}

/// The names that a session gives its hot threads.
const HOT_THREADS: [&str; 3] = ["feed", "engine", "fused"];
/// Milliseconds per unit of `/proc/stat`, whose user-visible rate is 100 a second on every Linux.
const STAT_UNIT_MS: u64 = 10;

impl NoiseMeter {
    /// Begins.
    pub fn start() -> Self {
        Self { steal_before_ms: read_steal_ms(), switches: None }
    }

    /// Looks at the hot threads; to be called now and then while they run.
    pub fn look(&mut self) {
        let switches: Vec<u64> = fs::read_dir("/proc/self/task")
            .into_iter()
            .flatten()
            .flatten()
            .filter(|task| {
                let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
                HOT_THREADS.contains(&name.trim_end())
            })
            .filter_map(|task| involuntary_switches(&fs::read_to_string(task.path().join("status")).ok()?))
            .collect();
        if !switches.is_empty() {
            // A thread that has ended is not listed any more.
            self.switches = self.switches.max(Some(switches.iter().sum()));
        }
    }

    /// What happened since the start.
    pub fn noise(&self) -> Noise {
        let steal_ms = read_steal_ms().zip(self.steal_before_ms).map(|(now, before)| now.saturating_sub(before));
        Noise { steal_ms, involuntary_switches: self.switches }
    }
}

fn read_steal_ms() -> Option<u64> {
    steal_ms(&fs::read_to_string("/proc/stat").ok()?)
}

/// The eighth number of the line `cpu`, see proc_stat(5).
fn steal_ms(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    line.split_whitespace().nth(7)?.parse().ok().map(|units: u64| units * STAT_UNIT_MS)
}

/// The number behind `nonvoluntary_ctxt_switches`, see proc_pid_status(5).
fn involuntary_switches(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?.trim().parse().ok()
}

/// Steal per second of a run above which its tail is not ours, milliseconds.
const STEAL_MS_PER_S_MAX: f64 = 1.0;
/// Involuntary switches per second of a run above which its tail is not ours.
const SWITCHES_PER_S_MAX: f64 = 5.0;

impl Noise {
    /// Why a run of so many seconds is not to be trusted; nothing if it is.
    pub fn complaints(self, seconds: f64) -> Vec<String> {
        let mut complaints = Vec::new();
        if let Some(steal_ms) = self.steal_ms
            && steal_ms as f64 > STEAL_MS_PER_S_MAX * seconds
        {
            complaints.push(format!("the hypervisor took {steal_ms} ms of {seconds:.1} s from this machine"));
        }
        if let Some(switches) = self.involuntary_switches
            && switches as f64 > SWITCHES_PER_S_MAX * seconds
        {
            complaints.push(format!("the system took the core from a hot thread {switches} times in {seconds:.1} s"));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::latency::STAGES_EVERY;
    use crate::exchange::market::{MarketConfig, SyntheticMarket};
    use crate::exchange::message::{L2Kind, l2_data};
    use crate::market::event::UNSTAMPED;
    use crate::market::event::{Event, FrameHead};
    use crate::market::publish::EngineGone;
    use std::io::Write;

    /// A capture with `updates` updates behind a snapshot, and one snapshot more.
    fn capture(updates: u64) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let config = MarketConfig::default();
        let mut market = SyntheticMarket::new(&config);
        let (mut levels, mut frame) = (Vec::new(), Vec::new());
        for sequence_num in 0..updates + 2 {
            let kind = if sequence_num == 0 || sequence_num == updates + 1 { L2Kind::Snapshot } else { L2Kind::Update };
            if kind == L2Kind::Snapshot {
                market.snapshot(&mut levels)
            } else {
                _ = market.next_frame(&mut levels)
            }
            let time_ns = market.now_ns();
            l2_data(&mut frame, kind, &config.product, sequence_num, time_ns, config.scale, &levels);
            writeln!(file, "{time_ns} {}", String::from_utf8(frame.clone()).unwrap()).unwrap();
        }
        file
    }

    #[derive(Default)]
    struct Heads(Vec<FrameHead>);

    impl Publish for Heads {
        fn publish(&mut self, head: &FrameHead, _: &[Event]) -> Result<(), EngineGone> {
            self.0.push(*head);
            Ok(())
        }
    }

    #[test]
    fn frames_are_presented_by_the_schedule_and_begin_again() {
        let file = capture(50);
        let product = MarketConfig::default().product;
        let frames = Arc::new(Frames::read(file.path(), &product).unwrap());
        assert_eq!(frames.len(), 51);
        let (rate, duration) = (2_000, Duration::from_millis(100));
        let feeder = Feeder { frames, rule: ScaleRule::default(), rate, duration };
        let mut heads = Heads::default();
        let presented = feeder.run(&mut heads, &Status::default());
        assert_eq!((presented.due, presented.presented), (200, 200));
        // 200 frames of warm-up and 200 measured ones are eight passes.
        assert_eq!((presented.counts.frames, presented.counts.snapshots), (408, 8));
        assert_eq!(presented.counts.faults.total(), 0);
        let measured: Vec<&FrameHead> = heads.0.iter().filter(|head| head.received != UNMEASURED).collect();
        assert_eq!(measured.len(), 200);
        let clock = Clock::new();
        for pair in measured.windows(2) {
            for head in pair {
                let stamped = head.sequence_num.is_multiple_of(STAGES_EVERY);
                assert_eq!(head.published != UNSTAMPED, stamped);
                assert!(head.received <= head.decoded && (!stamped || head.decoded <= head.published));
            }
            // A period, or more where a snapshot lies between.
            assert!(clock.between_ns(pair[0].received, pair[1].received) >= 499_000);
        }
    }

    #[test]
    fn a_rate_beyond_the_machine_ends_and_counts_from_the_due_times() {
        let file = capture(200);
        let product = MarketConfig::default().product;
        let frames = Arc::new(Frames::read(file.path(), &product).unwrap());
        let feeder =
            Feeder { frames, rule: ScaleRule::default(), rate: 1_000_000_000, duration: Duration::from_millis(5) };
        let mut heads = Heads::default();
        let presented = feeder.run(&mut heads, &Status::default());
        assert_eq!(presented.due, 5_000_000);
        assert!(presented.presented < presented.due);
    }

    #[test]
    fn a_capture_without_updates_is_refused() {
        let file = capture(0);
        let error = Frames::read(file.path(), &MarketConfig::default().product).unwrap_err();
        assert!(error.to_string().ends_with("with updates behind it"), "{error}");
        assert!(matches!(Frames::read(file.path(), "X-Y"), Err(FramesError::NoUpdates { .. })));
    }

    #[test]
    fn the_systems_words_are_read() {
        assert_eq!(steal_ms("cpu  1 2 3 4 5 6 7 89 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n"), Some(890));
        assert_eq!(steal_ms("cpu  1 2 3\n"), None);
        assert_eq!(steal_ms(""), None);
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t17\n";
        assert_eq!(involuntary_switches(status), Some(17));
        assert_eq!(involuntary_switches("Name:\tx\n"), None);
    }

    #[test]
    fn noise_is_called_by_its_name() {
        let quiet = Noise { steal_ms: Some(1), involuntary_switches: Some(3) };
        assert!(quiet.complaints(1.0).is_empty() && Noise::default().complaints(1.0).is_empty());
        let loud = Noise { steal_ms: Some(20), involuntary_switches: Some(70) };
        assert_eq!(
            loud.complaints(2.0),
            [
                "the hypervisor took 20 ms of 2.0 s from this machine",
                "the system took the core from a hot thread 70 times in 2.0 s"
            ]
        );
    }

    #[test]
    fn a_word_takes_some_time_between_threads() {
        assert!(ping_pong_ns((None, None)).unwrap() > 0.0);
    }
}
