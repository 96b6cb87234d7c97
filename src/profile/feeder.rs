//! Presents frames by a schedule.

use super::frames::Frames;
use crate::base::clock::Clock;
use crate::engine::status::Status;
use crate::feed::intake::{Arrival, FaultNote, Intake, IntakeCounts, ScaleRule};
use crate::market::event::UNMEASURED;
use crate::market::publish::{EngineGone, Publish};
use crate::run::session::Feed;
use std::hint::{black_box, spin_loop};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long frames are presented before their latencies are recorded, so that caches and predictors are warm.
const WARM_UP: Duration = Duration::from_millis(100);
/// The longest schedule.
pub const DURATION_MAX: Duration = Duration::from_secs(86_400);
/// A run that is so many times as long as its schedule ends: the rate is far beyond what the machine does.
const LATE_TIMES_MAX: u32 = 2;
/// The pause between the book's snapshot and the first frame that is due, for the engine to take it in.
const SETTLE: Duration = Duration::from_millis(20);

const CACHE_LINE_BYTES: usize = 64;

/// Presents frames at a fixed rate.
///
/// What came between two frames of the book, prints above all, goes right behind the first, unmeasured: what it costs falls on
/// the frames after it.
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
    /// The first faults, which come again with every pass over the frames.
    pub notes: Vec<FaultNote>,
}

impl Feed for Feeder {
    type Outcome = Presented;

    fn run(self, engine: &mut impl Publish, status: &Status) -> Presented {
        let clock = Clock::new();
        let mut intake = Intake::new(&self.frames.product, self.rule, clock.clone());
        let period_ns = 1e9 / self.rate as f64;
        let warm_up = (WARM_UP.as_secs_f64() * self.rate as f64).ceil() as u64;
        let duration = self.duration.min(DURATION_MAX);
        let due = (duration.as_secs_f64() * self.rate as f64).ceil() as u64;
        let longest_ns = (WARM_UP + duration * LATE_TIMES_MAX).as_nanos() as u64;
        let (mut start, mut at) = (clock.stamp(), 0);
        let (mut presented, mut elapsed_ns) = (0, 0);
        for n in 0..warm_up + due {
            let due_ns = (n as f64 * period_ns) as u64;
            if at == 0 {
                // What the engine has not taken yet is late, and stays so: only the time for the snapshot is left out.
                let caught_up = || status.frames() >= intake.counts().frames;
                while !caught_up() && !status.stopping() && clock.between_ns(start, clock.stamp()) <= longest_ns {
                    spin_loop();
                }
                let began = clock.stamp();
                let (ts_recv_ns, snapshot) = self.frames.frame(0);
                let arrival = Arrival { ts_recv_ns, arrived: None, received: UNMEASURED, decoded: UNMEASURED };
                intake.begin_again();
                if intake.take(snapshot, &arrival, engine).is_err() || self.take_behind(0, &mut intake, engine).is_err()
                {
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
            if intake.take(frame, &Arrival { ts_recv_ns, arrived: None, received, decoded }, engine).is_err() {
                break;
            }
            if self.take_behind(at, &mut intake, engine).is_err() {
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
        Presented { due, presented, elapsed_ns, counts: intake.counts().clone(), notes: intake.notes().to_vec() }
    }
}

impl Feeder {
    /// Presents what came between a frame of the book and the next.
    fn take_behind(&self, at: usize, intake: &mut Intake, engine: &mut impl Publish) -> Result<(), EngineGone> {
        for (ts_recv_ns, message) in self.frames.behind(at) {
            let arrival = Arrival { ts_recv_ns, arrived: None, received: UNMEASURED, decoded: UNMEASURED };
            intake.take(message, &arrival, engine)?;
        }
        Ok(())
    }
}

/// Brings a frame into the caches.
fn bring_near(frame: &[u8]) {
    frame.chunks(CACHE_LINE_BYTES).for_each(|line| {
        black_box(line[0]);
    });
}

#[cfg(test)]
mod tests {
    use super::super::frames::tests::{capture, capture_with_prints};
    use super::*;
    use crate::engine::latency::STAGES_EVERY;
    use crate::exchange::market::MarketConfig;
    use crate::market::book::Book;
    use crate::market::event::{Event, FrameHead, FrameKind, UNSTAMPED};

    /// Takes frames as an engine does, some of them late.
    #[derive(Default)]
    struct Heads {
        heads: Vec<FrameHead>,
        status: Arc<Status>,
        frames: u64,
        takes: Duration,
    }

    impl Publish for Heads {
        fn publish(&mut self, head: &FrameHead, _: &[Event]) -> Result<(), EngineGone> {
            self.heads.push(*head);
            self.frames += u64::from(head.kind.is_book_frame());
            self.status.publish(&Book::default(), self.frames);
            thread::sleep(self.takes);
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
        let status = Arc::clone(&heads.status);
        let presented = feeder.run(&mut heads, &status);
        assert_eq!((presented.due, presented.presented), (200, 200));
        // 200 frames of warm-up and 200 measured ones are eight passes.
        assert_eq!((presented.counts.frames, presented.counts.snapshots), (408, 8));
        assert_eq!(presented.counts.faults.total(), 0);
        let book_frames = heads.heads.iter().filter(|head| head.kind.is_book_frame()).zip(1_u64..);
        let measured: Vec<(&FrameHead, u64)> = book_frames.filter(|(head, _)| head.received != UNMEASURED).collect();
        assert_eq!(measured.len(), 200);
        let clock = Clock::new();
        for pair in measured.windows(2) {
            for (head, number) in pair {
                let stamped = number % STAGES_EVERY == 1;
                assert_eq!(head.published != UNSTAMPED, stamped);
                assert!(head.received <= head.decoded && (!stamped || head.decoded <= head.published));
            }
            // A period, or more where a snapshot lies between.
            assert!(clock.between_ns(pair[0].0.received, pair[1].0.received) >= 499_000);
        }
    }

    /// Prints, and what else came between, go behind the frame that they followed; they have no place in the schedule.
    #[test]
    fn prints_are_presented_behind_their_frame() {
        let file = capture_with_prints(30);
        let product = MarketConfig::default().product;
        let frames = Arc::new(Frames::read(file.path(), &product).unwrap());
        assert_eq!((frames.len(), frames.prints()), (31, 10));
        let feeder = Feeder { frames, rule: ScaleRule::default(), rate: 100, duration: Duration::from_millis(600) };
        let mut heads = Heads::default();
        let status = Arc::clone(&heads.status);
        let presented = feeder.run(&mut heads, &status);
        // 10 frames of warm-up and 60 measured ones are two passes and ten updates.
        assert_eq!((presented.due, presented.presented, presented.counts.snapshots), (60, 60, 3));
        assert_eq!((presented.counts.faults.total(), presented.counts.prints_lost), (0, 0), "{:?}", presented.notes);
        assert_eq!(presented.counts.prints, 2 * 10 + 3);
        for pair in heads.heads.windows(2) {
            if pair[1].kind == FrameKind::Prints {
                assert_eq!((pair[1].received, pair[1].sequence_num), (UNMEASURED, pair[0].sequence_num + 2));
            }
        }
        assert!(heads.heads.iter().all(|head| head.kind != FrameKind::Prints || head.published == UNSTAMPED));
    }

    /// The schedule goes on while the engine catches up, also where the capture begins again.
    #[test]
    fn a_backlog_is_carried_over_the_capture_s_end() {
        let file = capture(20);
        let product = MarketConfig::default().product;
        let frames = Arc::new(Frames::read(file.path(), &product).unwrap());
        let (rate, duration) = (2_000, Duration::from_millis(600));
        let feeder = Feeder { frames, rule: ScaleRule::default(), rate, duration };
        // Three times as long as a frame's period, in the warm-up too.
        let mut heads = Heads { takes: Duration::from_micros(1_500), ..Heads::default() };
        let status = Arc::clone(&heads.status);
        feeder.run(&mut heads, &status);
        let clock = Clock::new();
        let late_ns = |head: &FrameHead| clock.between_ns(head.received, head.decoded);
        let measured: Vec<u64> = heads.heads.iter().filter(|head| head.received != UNMEASURED).map(late_ns).collect();
        // Each frame is later than the last, by the two thirds that the engine is too slow for, over all passes.
        assert!(measured.is_sorted(), "{measured:?}");
        assert!(measured.last().unwrap() > &100_000_000, "{measured:?}");
    }

    #[test]
    fn a_rate_beyond_the_machine_ends_and_counts_from_the_due_times() {
        let file = capture(200);
        let product = MarketConfig::default().product;
        let frames = Arc::new(Frames::read(file.path(), &product).unwrap());
        let feeder =
            Feeder { frames, rule: ScaleRule::default(), rate: 1_000_000_000, duration: Duration::from_millis(5) };
        let mut heads = Heads::default();
        let status = Arc::clone(&heads.status);
        let presented = feeder.run(&mut heads, &status);
        assert_eq!(presented.due, 5_000_000);
        assert!(presented.presented < presented.due);
    }
}
