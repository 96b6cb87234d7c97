//! The ring between the feed thread and the engine thread.
//!
//! A frame's events are published by one commit and taken as one chunk. A frame larger than the whole ring passes in
//! pieces and is still one frame to the engine. The feed never drops: when the ring is full it waits, and counts the wait.
//!
//! ```
//! use papertrader::handoff::{RING_EVENTS, Wait, handoff};
//! use papertrader::market::event::{Event, FrameHead, FrameKind, UNMEASURED, UNSTAMPED};
//! use papertrader::market::publish::{EngineGone, Publish};
//! use papertrader::market::units::{Scale, Side};
//! use std::thread;
//!
//! let level = Event::level(Side::Bid, 10_000, 300);
//! let head = FrameHead {
//!     kind: FrameKind::Snapshot,
//!     product: 0,
//!     levels: 1,
//!     scale: Scale { price_decimals: 2, size_decimals: 8 },
//!     sequence_num: 0,
//!     ts_recv_ns: 0,
//!     ts_event_ns: 0,
//!     arrived: UNSTAMPED,
//!     received: UNMEASURED,
//!     decoded: UNSTAMPED,
//!     published: UNSTAMPED,
//! };
//!
//! let (mut publisher, mut taker) = handoff(RING_EVENTS, Wait::Block);
//! let feed = thread::spawn(move || publisher.publish(&head, &[level]));
//! assert_eq!(taker.next_head(), Some(head));
//! taker.take_levels(&head, |levels| assert_eq!(levels, [level]));
//! feed.join().expect("the feed does not panic")?;
//! assert_eq!(taker.next_head(), None);
//! # Ok::<(), EngineGone>(())
//! ```

use crate::market::event::{Event, FrameHead, HEAD_EVENTS};
use crate::market::publish::{EngineGone, Publish};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub mod router;
mod sync;
mod wait;

pub use wait::Wait;
pub(crate) use wait::for_room;
use wait::{Bell, for_events};

/// Events in the ring: 1 MiB, some four thousand ordinary frames.
pub const RING_EVENTS: usize = 1 << 16;

/// Events of the next frame whose slots are claimed ahead: a head and twelve levels.
const CLAIMED_AHEAD: usize = 16;

/// Makes the ring, with room for `capacity` events, at least one frame's head.
pub fn handoff(capacity: usize, wait: Wait) -> (FramePublisher, FrameTaker) {
    assert!(capacity > HEAD_EVENTS, "the ring holds a frame's head and a level");
    let (producer, consumer) = RingBuffer::new(capacity);
    let bell = Arc::new(Bell::default());
    (
        FramePublisher {
            producer,
            wait,
            bell: LastRing(Arc::clone(&bell)),
            full_waits: 0,
            full_waited: Duration::ZERO,
        },
        FrameTaker { consumer, wait, bell, high_water: 0 },
    )
}

/// The feed's half.
#[derive(Debug)]
pub struct FramePublisher {
    // In this order: it has gone when the bell rings for the last time.
    producer: Producer<Event>,
    bell: LastRing,
    wait: Wait,
    full_waits: u64,
    full_waited: Duration,
}

/// Rings the bell when it is dropped, so that an engine that sleeps learns at once that the feed has gone.
#[derive(Debug)]
struct LastRing(Arc<Bell>);

impl Drop for LastRing {
    fn drop(&mut self) {
        self.0.ring();
    }
}

impl FramePublisher {
    /// Frames, or pieces of one, that had to wait for room.
    pub fn full_waits(&self) -> u64 {
        self.full_waits
    }

    /// How long they waited together.
    pub fn full_waited(&self) -> Duration {
        self.full_waited
    }

    /// Touches the whole ring, so that no frame waits for the system to give it memory. Before the first frame.
    pub fn fault_in(&mut self) {
        // Slots are set to zero when they are handed out, and stay free.
        let _ = self.producer.write_chunk(self.producer.buffer().capacity());
    }

    /// Waits until there is room for `events`.
    #[cold]
    fn wait_for_room(&mut self, events: usize) -> Result<(), EngineGone> {
        self.full_waits += 1;
        let from = Instant::now();
        let producer = &self.producer;
        let there_is = for_room(self.wait, events, || producer.slots(), || producer.is_abandoned());
        self.full_waited += from.elapsed();
        if there_is { Ok(()) } else { Err(EngineGone) }
    }

    /// Publishes a head, or none, and levels by one commit.
    ///
    /// Alternatives, in nanoseconds for a frame of 11 levels and one of 36, published and taken on one core: this, whose
    /// slots are set to zero before they are copied to, 19 and 33; the ring's iterator over head and levels 26 and 51;
    /// both staged in a vector and pushed as a slice 24 and 42. Two pushes of slices would show the engine half a frame.
    #[inline]
    fn commit(&mut self, head: &[Event], levels: &[Event]) -> Result<(), EngineGone> {
        let events = head.len() + levels.len();
        if self.producer.cached_slots() < events && self.producer.slots() < events {
            self.wait_for_room(events)?;
        }
        let mut chunk = self.producer.write_chunk(events).expect("there is room: only this thread fills the ring");
        let (first, second) = chunk.as_mut_slices();
        if second.is_empty() {
            let (head_slots, level_slots) = first.split_at_mut(head.len());
            head_slots.copy_from_slice(head);
            level_slots.copy_from_slice(levels);
        } else {
            // The ring's end lies within the frame.
            for (slot, event) in first.iter_mut().chain(second).zip(head.iter().chain(levels)) {
                *slot = *event;
            }
        }
        chunk.commit_all();
        if self.wait == Wait::Block {
            self.bell.0.ring();
        }
        self.claim_ahead();
        Ok(())
    }

    /// Writes to the slots of the next frame, so that their cache lines, which the engine's core has had last, come to this one
    /// while nobody waits for them: a frame's hop takes 1.8 times that of a single line so, and took 3.0 times.
    #[inline]
    fn claim_ahead(&mut self) {
        // Slots are set to zero when they are handed out, and stay free. Where there are none a wait for room follows.
        let _ = self.producer.write_chunk(CLAIMED_AHEAD);
    }

    /// Publishes a frame that the ring cannot hold: its head first, then what fits.
    #[cold]
    fn publish_in_pieces(&mut self, head: [Event; HEAD_EVENTS], levels: &[Event]) -> Result<(), EngineGone> {
        self.commit(&head, &[])?;
        let piece = self.producer.buffer().capacity().div_ceil(2);
        levels.chunks(piece).try_for_each(|levels| self.commit(&[], levels))
    }
}

impl Publish for FramePublisher {
    #[inline]
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        if self.producer.is_abandoned() {
            return Err(EngineGone);
        }
        let events = HEAD_EVENTS + levels.len();
        let head = head.encode();
        if events > self.producer.buffer().capacity() {
            return self.publish_in_pieces(head, levels);
        }
        self.commit(&head, levels)
    }
}

/// The engine's half.
#[derive(Debug)]
pub struct FrameTaker {
    consumer: Consumer<Event>,
    wait: Wait,
    bell: Arc<Bell>,
    high_water: usize,
}

impl FrameTaker {
    /// The most events that were ever seen waiting in the ring.
    pub fn high_water(&self) -> usize {
        self.high_water
    }

    /// Waits for the next frame and reads its head; its levels stay in the ring for [`FrameTaker::take_levels`]. `None`
    /// when the feed has gone and everything is taken.
    #[inline]
    pub fn next_head(&mut self) -> Option<FrameHead> {
        self.await_events(HEAD_EVENTS).then(|| {
            let chunk = self.consumer.read_chunk(HEAD_EVENTS).expect("they have been awaited");
            let (first, second) = chunk.as_slices();
            // At the ring's end it is in two parts.
            let in_parts = || std::array::from_fn(|at| *first.get(at).unwrap_or_else(|| &second[at - first.len()]));
            FrameHead::decode(first.first_chunk().copied().unwrap_or_else(in_parts))
        })
    }

    /// Takes the frame whose head was just read: gives its levels, in as few slices as the ring allows, and frees its room.
    ///
    /// The feed's index is looked at when all that was seen of it has been taken, and room is freed frame by frame. Nothing is
    /// gained otherwise, since the feed looks at what is freed once in a lap. Frames of 11 and of 36 levels, streamed from core to
    /// core, took 75 to 76 and 162 to 169 ns each so; 76 and 162 to 163 with room freed after 64 events, 75 to 76 and 157 to 170
    /// after 256, 75 to 76 and 160 to 168 after 1,024, 76 to 91 and 165 to 170 after 8,192; 75 to 76 and 169 to 170 with a look
    /// for every frame (medians of 15 rounds, twice, AMD EPYC of family 25).
    #[inline]
    pub fn take_levels(&mut self, head: &FrameHead, mut levels: impl FnMut(&[Event])) {
        let events = HEAD_EVENTS + head.levels as usize;
        let Ok(chunk) = self.consumer.read_chunk(events) else { return self.take_pieces(head, levels) };
        let (first, second) = chunk.as_slices();
        let head_in_second = HEAD_EVENTS.saturating_sub(first.len());
        levels(&first[first.len().min(HEAD_EVENTS)..]);
        if second.len() > head_in_second {
            levels(&second[head_in_second..]);
        }
        chunk.commit_all();
    }

    /// The same for a frame of which a part has not been published yet.
    #[cold]
    fn take_pieces(&mut self, head: &FrameHead, mut levels: impl FnMut(&[Event])) {
        self.consumer.read_chunk(HEAD_EVENTS).expect("the head has been read").commit_all();
        let mut left = head.levels as usize;
        while left > 0 && self.await_events(1) {
            let here = left.min(self.consumer.slots());
            let chunk = self.consumer.read_chunk(here).expect("they are there");
            let (first, second) = chunk.as_slices();
            levels(first);
            levels(second);
            chunk.commit_all();
            left -= here;
        }
    }

    /// Waits until so many events are there; false when the feed has gone without leaving them.
    #[inline]
    fn await_events(&mut self, events: usize) -> bool {
        if self.consumer.cached_slots() >= events {
            return true;
        }
        let consumer = &self.consumer;
        let there = for_events(self.wait, &self.bell, events, || consumer.slots(), || consumer.is_abandoned());
        self.high_water = self.high_water.max(there.unwrap_or(0));
        there.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::event::FrameKind;
    use crate::market::units::{Scale, Side};
    use proptest::prelude::*;
    use std::thread;
    use std::time::Duration;

    fn head(sequence_num: u64, levels: usize) -> FrameHead {
        FrameHead {
            kind: FrameKind::Update,
            product: 0,
            levels: levels as u32,
            scale: Scale::default(),
            sequence_num,
            ts_recv_ns: 0,
            ts_event_ns: 0,
            arrived: 0,
            received: 0,
            decoded: 0,
            published: 0,
        }
    }

    fn level(n: u64) -> Event {
        Event::level(Side::Ask, n, n)
    }

    /// Sends frames of the given sizes through a ring and returns what arrives.
    fn pass(sizes: &[usize], capacity: usize, wait: Wait) -> Vec<(u64, Vec<Event>)> {
        let (mut publisher, mut taker) = handoff(capacity, wait);
        thread::scope(|scope| {
            scope.spawn(move || {
                publisher.fault_in();
                let mut n = 0;
                for (sequence_num, &size) in sizes.iter().enumerate() {
                    let levels: Vec<Event> = (n..n + size as u64).map(level).collect();
                    n += size as u64;
                    publisher.publish(&head(sequence_num as u64, size), &levels).unwrap();
                }
            });
            let mut frames = Vec::new();
            while let Some(head) = taker.next_head() {
                let mut levels = Vec::new();
                taker.take_levels(&head, |slice| levels.extend_from_slice(slice));
                assert_eq!(levels.len(), head.levels as usize);
                frames.push((head.sequence_num, levels));
            }
            assert!(taker.high_water() <= capacity && taker.high_water() >= HEAD_EVENTS.min(sizes.len()));
            frames
        })
    }

    fn expected(sizes: &[usize]) -> Vec<(u64, Vec<Event>)> {
        let mut n = 0;
        sizes
            .iter()
            .enumerate()
            .map(|(sequence_num, &size)| {
                let levels = (n..n + size as u64).map(level).collect();
                n += size as u64;
                (sequence_num as u64, levels)
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn every_frame_arrives_whole_and_in_order(
            sizes in prop::collection::vec(0..60_usize, 0..80),
            capacity in 5..70_usize,
            wait in prop_oneof![Just(Wait::Spin), Just(Wait::Yield), Just(Wait::Block)],
        ) {
            prop_assert_eq!(pass(&sizes, capacity, wait), expected(&sizes));
        }
    }

    #[test]
    fn a_frame_much_larger_than_the_ring_is_one_frame() {
        let sizes = [3, 10_000, 0, 5];
        for wait in [Wait::Spin, Wait::Yield, Wait::Block] {
            assert_eq!(pass(&sizes, 64, wait), expected(&sizes));
        }
    }

    #[test]
    fn a_frame_is_visible_whole_or_not_at_all() {
        let (mut publisher, mut taker) = handoff(64, Wait::Spin);
        assert_eq!(taker.consumer.slots(), 0);
        publisher.publish(&head(0, 3), &[level(1), level(2), level(3)]).unwrap();
        assert_eq!(taker.consumer.slots(), HEAD_EVENTS + 3);
        let taken = taker.next_head().unwrap();
        let mut slices = 0;
        taker.take_levels(&taken, |_| slices += 1);
        assert_eq!(slices, 1);
    }

    #[test]
    fn a_feed_that_waits_counts_it_and_is_told_when_the_engine_goes() {
        for wait in [Wait::Spin, Wait::Yield, Wait::Block] {
            let (mut publisher, taker) = handoff(8, wait);
            publisher.publish(&head(0, 4), &[level(1); 4]).unwrap();
            assert_eq!(publisher.full_waits(), 0);
            let waiting =
                thread::spawn(move || (publisher.publish(&head(1, 4), &[level(1); 4]), publisher.full_waits()));
            thread::sleep(Duration::from_millis(20));
            drop(taker);
            assert_eq!(waiting.join().unwrap(), (Err(EngineGone), 1));
        }
    }

    #[test]
    fn a_feed_that_goes_in_the_middle_of_a_large_frame_ends_the_engine() {
        let (mut publisher, mut taker) = handoff(16, Wait::Block);
        publisher.commit(&head(0, 1_000).encode(), &[]).unwrap();
        publisher.commit(&[], &[level(1); 2]).unwrap();
        drop(publisher);
        let taken = taker.next_head().unwrap();
        let mut levels = 0;
        taker.take_levels(&taken, |slice| levels += slice.len());
        assert_eq!(levels, 2);
        assert_eq!(taker.next_head(), None);
    }
}
