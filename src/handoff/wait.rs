//! How the two ends of the ring wait for each other.
//!
//! Nothing here knows the ring: it is asked through functions. `tests/handoff_model` runs this file, as it is, through
//! all interleavings of the two threads with a model of the ring and of the system.

use super::sync::{
    AtomicBool, LOOKS_BEFORE_SLEEP, OnceLock, Ordering, Thread, current, fence, park_timeout, sleep, spin_loop,
    yield_now,
};
use crossbeam_utils::CachePadded;
use std::time::Duration;

/// How a thread waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Wait {
    /// Look again at once: lowest latency, a whole core.
    Spin,
    /// Let other threads run between looks.
    Yield,
    /// Sleep until woken: least power.
    Block,
}

impl Wait {
    /// The name used on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Yield => "yield",
            Self::Block => "block",
        }
    }
}

/// The longest sleep: no wait depends on a wake-up alone.
const SLEEP_MAX: Duration = Duration::from_millis(10);
/// The sleep of a feed that finds the ring full. The engine is at work then and needs no waking.
const FULL_SLEEP: Duration = Duration::from_micros(50);

/// Wakes a sleeping engine.
#[derive(Debug, Default)]
pub struct Bell {
    asleep: CachePadded<AtomicBool>,
    sleeper: OnceLock<Thread>,
}

impl Bell {
    /// Called by the feed after it has published, and after it has gone.
    #[inline]
    pub fn ring(&self) {
        // Orders the commit before the look at the flag; pairs with the fence in `sleep_unless`, so that of a commit and
        // a falling asleep at the same time at least one sees the other.
        fence(Ordering::SeqCst);
        // Relaxed: the fence orders it, and a spurious wake-up does no harm.
        if self.asleep.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        if let Some(sleeper) = self.sleeper.get() {
            sleeper.unpark();
        }
    }

    /// Called by the engine: sleeps until rung, a while at the most, unless there is something to do.
    #[cold]
    fn sleep_unless(&self, ready: impl Fn() -> bool) {
        self.sleeper.get_or_init(current);
        // Relaxed: the fence orders it before the look at the ring.
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !ready() {
            park_timeout(SLEEP_MAX);
        }
        self.asleep.store(false, Ordering::Relaxed);
    }
}

/// The engine waits until so many events are in the ring, and learns how many there are; `None` when the feed has gone
/// without leaving them.
#[inline]
pub fn for_events(
    wait: Wait,
    bell: &Bell,
    events: usize,
    there: impl Fn() -> usize,
    feed_gone: impl Fn() -> bool,
) -> Option<usize> {
    let mut looks = 0;
    loop {
        let now = there();
        if now >= events {
            return Some(now);
        }
        if feed_gone() {
            // What the feed published before it went is visible now at the latest.
            return Some(there()).filter(|&now| now >= events);
        }
        looks += 1;
        match wait {
            Wait::Yield => yield_now(),
            Wait::Block if looks > LOOKS_BEFORE_SLEEP => bell.sleep_unless(|| there() >= events || feed_gone()),
            Wait::Spin | Wait::Block => spin_loop(),
        }
    }
}

/// The feed waits until there is room for so many events; false when the engine has gone.
#[cold]
pub fn for_room(wait: Wait, events: usize, room: impl Fn() -> usize, engine_gone: impl Fn() -> bool) -> bool {
    while room() < events {
        if engine_gone() {
            return false;
        }
        match wait {
            Wait::Spin => spin_loop(),
            Wait::Yield => yield_now(),
            Wait::Block => sleep(FULL_SLEEP),
        }
    }
    true
}
