//! The waits of feed, engine and writer through all interleavings, by loom.
//!
//! What is run is `src/handoff/wait.rs` itself. In place of the system stands loom's model of threads and memory, in which
//! a sleep has no time limit: a wait that is not woken hangs here for ever, and loom reports it. In place of the ring stands
//! a model of its indices with the orderings that rtrb gives them; values lie in relaxed words, so that one that is read
//! before it is published shows.

#[path = "../../src/handoff/wait.rs"]
#[allow(dead_code)]
mod wait;

/// The system, as `wait.rs` asks for it.
mod sync {
    pub use loom::hint::spin_loop;
    pub use loom::sync::atomic::{AtomicBool, Ordering, fence};
    pub use loom::thread::{Thread, current, yield_now};
    use std::time::Duration;

    pub const LOOKS_BEFORE_SLEEP: u32 = 0;

    /// Without a limit.
    pub fn park_timeout(_: Duration) {
        loom::thread::park();
    }

    pub fn sleep(_: Duration) {
        yield_now();
    }

    /// The standard library's, with what it promises about memory and no more.
    #[derive(Debug)]
    pub struct OnceLock<T> {
        is_set: AtomicBool,
        value: std::sync::OnceLock<T>,
    }

    impl<T> Default for OnceLock<T> {
        fn default() -> Self {
            Self { is_set: AtomicBool::new(false), value: std::sync::OnceLock::new() }
        }
    }

    impl<T> OnceLock<T> {
        pub fn get(&self) -> Option<&T> {
            if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
        }

        pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
            let value = self.value.get_or_init(make);
            self.is_set.store(true, Ordering::Release);
            value
        }
    }
}

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;
use wait::{Bell, Wait, for_events, for_room};

/// The shared part of a ring: values from 1, their count so far at either end, and who has gone.
struct Ring {
    slots: Vec<AtomicUsize>,
    head: AtomicUsize,
    tail: AtomicUsize,
    abandoned: AtomicBool,
}

/// The end that fills it; what it holds drops in the order of `handoff::FramePublisher`.
struct Filling {
    ring: Half,
    bell: LastRing,
    wait: Wait,
    tail: usize,
}

struct Taking {
    ring: Half,
    bell: Arc<Bell>,
    wait: Wait,
    head: usize,
}

/// An end of the ring, which says so when it goes.
struct Half(Arc<Ring>);

impl Drop for Half {
    fn drop(&mut self) {
        self.0.abandoned.store(true, Ordering::Release);
    }
}

struct LastRing(Arc<Bell>);

impl Drop for LastRing {
    fn drop(&mut self) {
        self.0.ring();
    }
}

fn ring(capacity: usize, wait: Wait) -> (Filling, Taking) {
    let ring = Arc::new(Ring {
        slots: (0..capacity).map(|_| AtomicUsize::new(0)).collect(),
        head: AtomicUsize::new(0),
        tail: AtomicUsize::new(0),
        abandoned: AtomicBool::new(false),
    });
    let bell = Arc::new(Bell::default());
    (
        Filling { ring: Half(Arc::clone(&ring)), bell: LastRing(Arc::clone(&bell)), wait, tail: 0 },
        Taking { ring: Half(ring), bell, wait, head: 0 },
    )
}

impl Filling {
    /// Publishes so many values by one commit; false when the other end has gone.
    fn publish(&mut self, count: usize) -> bool {
        let ring = &self.ring.0;
        if ring.abandoned.load(Ordering::Acquire) {
            return false;
        }
        let room = || ring.slots.len() - (self.tail - ring.head.load(Ordering::Acquire));
        if room() < count && !for_room(self.wait, count, room, || ring.abandoned.load(Ordering::Acquire)) {
            return false;
        }
        for value in self.tail..self.tail + count {
            ring.slots[value % ring.slots.len()].store(value + 1, Ordering::Relaxed);
        }
        self.tail += count;
        ring.tail.store(self.tail, Ordering::Release);
        if self.wait == Wait::Block {
            self.bell.0.ring();
        }
        true
    }
}

impl Taking {
    /// Takes so many values, which are the next ones; false when the other end has gone without leaving them.
    fn take(&mut self, count: usize) -> bool {
        let ring = &self.ring.0;
        let there = || ring.tail.load(Ordering::Acquire) - self.head;
        if for_events(self.wait, &self.bell, count, there, || ring.abandoned.load(Ordering::Acquire)).is_none() {
            return false;
        }
        for value in self.head..self.head + count {
            assert_eq!(
                ring.slots[value % ring.slots.len()].load(Ordering::Relaxed),
                value + 1,
                "out of order or unwritten"
            );
        }
        self.head += count;
        ring.head.store(self.head, Ordering::Release);
        true
    }

    fn take_all(mut self, count: usize) -> usize {
        let mut taken = 0;
        while self.take(count) {
            taken += count;
        }
        taken
    }
}

const WAITS: [Wait; 3] = [Wait::Spin, Wait::Yield, Wait::Block];

/// All interleavings with at most so many switches away from a thread that could go on.
const PREEMPTIONS: usize = 2;

fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    // Waits that look again and again make long paths.
    builder.max_branches = 10_000;
    builder.check(run);
}

#[test]
fn everything_published_is_taken_and_the_feeds_end_is_seen() {
    for wait in WAITS {
        model(move || {
            let (mut feed, engine) = ring(2, wait);
            let engine = thread::spawn(move || assert_eq!(engine.take_all(1), 2));
            (0..2).for_each(|_| assert!(feed.publish(1)));
            drop(feed);
            engine.join().unwrap();
        });
    }
}

#[test]
fn a_full_ring_makes_the_feed_wait_and_loses_nothing() {
    for wait in WAITS {
        model(move || {
            let (mut feed, engine) = ring(1, wait);
            let engine = thread::spawn(move || assert_eq!(engine.take_all(1), 3));
            (0..3).for_each(|_| assert!(feed.publish(1)));
            drop(feed);
            engine.join().unwrap();
        });
    }
}

#[test]
fn a_feed_before_a_full_ring_learns_that_the_engine_has_gone() {
    for wait in WAITS {
        model(move || {
            let (mut feed, mut engine) = ring(1, wait);
            let engine = thread::spawn(move || assert!(engine.take(1)));
            let published = (0..3).take_while(|_| feed.publish(1)).count();
            assert!((1..3).contains(&published), "{published}");
            engine.join().unwrap();
        });
    }
}

#[test]
fn an_engine_in_the_middle_of_a_frame_learns_that_the_feed_has_gone() {
    for wait in WAITS {
        model(move || {
            let (mut feed, mut engine) = ring(2, wait);
            let engine = thread::spawn(move || {
                assert!(!engine.take(2));
                assert!(engine.take(1), "what was published before the feed went is still there");
                assert!(!engine.take(1));
            });
            assert!(feed.publish(1));
            drop(feed);
            engine.join().unwrap();
        });
    }
}

#[test]
fn a_feed_that_never_began_ends_the_engine() {
    for wait in WAITS {
        model(move || {
            let (feed, engine) = ring(1, wait);
            let engine = thread::spawn(move || assert_eq!(engine.take_all(1), 0));
            drop(feed);
            engine.join().unwrap();
        });
    }
}

/// As the session has it: the caller sets the flag, the feed looks at it between frames, the engine ends with the feed.
#[test]
fn a_stop_ends_feed_and_engine_in_turn() {
    for wait in WAITS {
        model(move || {
            let stop = Arc::new(AtomicBool::new(false));
            let (mut feed, engine) = ring(1, wait);
            let stopping = Arc::clone(&stop);
            let feeding = thread::spawn(move || {
                // A source of two frames stands for one without an end.
                (0..2).take_while(|_| !stopping.load(Ordering::Relaxed) && feed.publish(1)).count()
            });
            let engine = thread::spawn(move || engine.take_all(1));
            stop.store(true, Ordering::Relaxed);
            let published = feeding.join().unwrap();
            assert_eq!(engine.join().unwrap(), published);
        });
    }
}

/// The engine hands on what it takes by a second ring, as `engine::push` does, and the writer takes it as `Writer::work`
/// does: it looks first whether the engine has gone, and then takes what there is.
fn write_all(trades: &Taking) -> usize {
    let ring = &trades.ring.0;
    let mut head = 0;
    loop {
        let gone = ring.abandoned.load(Ordering::Acquire);
        while head < ring.tail.load(Ordering::Acquire) {
            head += 1;
            ring.head.store(head, Ordering::Release);
        }
        if gone {
            return head;
        }
        thread::yield_now();
    }
}

#[test]
fn a_full_trade_ring_makes_the_engine_wait_and_loses_nothing() {
    model(|| {
        let (mut feed, mut engine) = ring(2, Wait::Block);
        let (mut trades, written) = ring(1, Wait::Yield);
        let engine = thread::spawn(move || {
            while engine.take(1) {
                assert!(trades.publish(1));
            }
        });
        let writer = thread::spawn(move || assert_eq!(write_all(&written), 2));
        (0..2).for_each(|_| assert!(feed.publish(1)));
        drop(feed);
        engine.join().unwrap();
        writer.join().unwrap();
    });
}

#[test]
fn a_writer_that_has_gone_holds_nobody_up() {
    model(|| {
        let (mut feed, mut engine) = ring(1, Wait::Block);
        let (mut trades, written) = ring(1, Wait::Yield);
        let engine = thread::spawn(move || {
            let mut taken = 0;
            while engine.take(1) {
                taken += 1;
                trades.publish(1);
            }
            taken
        });
        let writer = thread::spawn(move || drop(written));
        (0..2).for_each(|_| assert!(feed.publish(1)));
        drop(feed);
        assert_eq!(engine.join().unwrap(), 2);
        writer.join().unwrap();
    });
}
