//! How fast a word goes from core to core.

use crate::base::clock::Clock;
use crate::base::cores;
use crate::run::session::SessionError;
use crossbeam_utils::CachePadded;
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Hops of a cache line that are timed together, and how often.
const HOPS: u64 = 1 << 12;
const HOP_BATCHES: usize = 15;

/// The time that a word takes from one core to another, nanoseconds: the median over batches of half a round trip. No
/// hand-over between the two can be faster.
///
/// # Errors
/// A core cannot be pinned.
pub fn ping_pong_ns(cores: (Option<usize>, Option<usize>)) -> Result<f64, SessionError> {
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
    let named = || thread::Builder::new().name("ping-pong".into());
    let answers = named().spawn(move || {
        let pinned = cores::pin(cores.1);
        for value in 1..=last {
            await_word(&answering[0], value);
            answering[1].store(value, Ordering::Release);
        }
        pinned
    });
    let answers = answers.map_err(SessionError::Thread)?;
    let asks = named().spawn(move || {
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
    let asked = asks.map_err(SessionError::Thread)?.join().expect(no_panic);
    answers.join().expect(no_panic)?;
    Ok(asked?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_takes_some_time_between_threads() {
        assert!(ping_pong_ns((None, None)).unwrap() > 0.0);
    }
}
