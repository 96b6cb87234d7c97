//! From one thread to another: frames of eleven levels through the ring, there and back, beside the raw ping-pong of a cache
//! line between the same cores, which no hand-over can beat; then one after another, as a replay sends them.
//!
//! `CORES=A,B` pins the two threads; without it they go where the system puts them, and the figures mean little.

mod common;

use common::{median, rounds};
use papertrader::base::cores;
use papertrader::handoff::{RING_EVENTS, Wait, handoff};
use papertrader::market::event::{Event, FrameHead, FrameKind};
use papertrader::market::publish::Publish;
use papertrader::market::units::{Scale, Side};
use papertrader::profile::ping_pong_ns;
use std::thread;
use std::time::Instant;

const LEVELS: usize = 11;
const FRAMES: u64 = 20_000;
const STREAMED: u64 = 300_000;

fn head(levels: &[Event]) -> FrameHead {
    FrameHead {
        kind: FrameKind::Update,
        product: 0,
        levels: levels.len() as u32,
        scale: Scale::default(),
        sequence_num: 0,
        ts_recv_ns: 0,
        ts_event_ns: 0,
        arrived: 0,
        received: 0,
        decoded: 0,
        published: 0,
    }
}

/// A frame's way through a ring, nanoseconds: half a round trip.
fn ring_hop_ns(cores: (Option<usize>, Option<usize>), wait: Wait, levels: &[Event]) -> f64 {
    let (mut there, mut at_other) = handoff(RING_EVENTS, wait);
    let (mut back, mut at_home) = handoff(RING_EVENTS, wait);
    let head = head(levels);
    thread::scope(|scope| {
        scope.spawn(move || {
            cores::pin(cores.1).expect("the core is there");
            let mut taken = Vec::with_capacity(LEVELS);
            while let Some(head) = at_other.next_head() {
                taken.clear();
                at_other.take_levels(&head, |levels| taken.extend_from_slice(levels));
                back.publish(&head, &taken).expect("the other end is there");
            }
        });
        let asking = scope.spawn(move || {
            cores::pin(cores.0).expect("the core is there");
            let started = Instant::now();
            let mut sum = 0;
            for _ in 0..FRAMES {
                there.publish(&head, levels).expect("the other end is there");
                let head = at_home.next_head().expect("the other end is there");
                at_home.take_levels(&head, |levels| sum += levels.len() as u64);
            }
            assert_eq!(sum, FRAMES * levels.len() as u64);
            started.elapsed().as_nanos() as f64 / (2 * FRAMES) as f64
        });
        asking.join().expect("the thread only counts")
    })
}

/// A frame's share of a stream from one thread to the other, nanoseconds.
fn stream_ns(cores: (Option<usize>, Option<usize>), wait: Wait, levels: &[Event]) -> f64 {
    let (mut there, mut at_other) = handoff(RING_EVENTS, wait);
    let head = head(levels);
    thread::scope(|scope| {
        let taking = scope.spawn(move || {
            cores::pin(cores.1).expect("the core is there");
            let mut sum = 0;
            while let Some(head) = at_other.next_head() {
                at_other
                    .take_levels(&head, |levels| sum += levels.iter().map(|level| level.price_ticks()).sum::<u64>());
            }
            sum
        });
        let giving = scope.spawn(move || {
            cores::pin(cores.0).expect("the core is there");
            let started = Instant::now();
            for _ in 0..STREAMED {
                there.publish(&head, levels).expect("the other end is there");
            }
            started
        });
        let started = giving.join().expect("the thread only publishes");
        assert_eq!(taking.join().expect("the thread only adds"), STREAMED * levels.len() as u64);
        started.elapsed().as_nanos() as f64 / STREAMED as f64
    })
}

fn main() {
    let named = std::env::var("CORES").ok().map(|text| {
        let cores: Vec<usize> = text.split(',').filter_map(|core| core.trim().parse().ok()).collect();
        (cores[0], cores[1])
    });
    let (cores, wait) = match named {
        Some((a, b)) => ((Some(a), Some(b)), Wait::Spin),
        None => ((None, None), Wait::Yield),
    };
    let levels = vec![Event::level(Side::Bid, 1, 1); LEVELS];
    let rounds = rounds();
    let (mut raw, mut one, mut eleven, mut streamed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        raw.push(ping_pong_ns(cores).expect("the cores are there"));
        one.push(ring_hop_ns(cores, wait, &levels[..0]));
        eleven.push(ring_hop_ns(cores, wait, &levels));
        streamed.push(stream_ns(cores, wait, &levels));
    }
    let ratio = |hops: &[f64]| median(hops.iter().zip(&raw).map(|(hop, raw)| hop / raw).collect());
    println!("ring: {FRAMES} frames there and back, {rounds} rounds, medians; cores {cores:?}, wait {}", wait.name());
    println!("  {:<32} {:>8} {:>8}", "", "ns/hop", "ratio");
    println!("  {:<32} {:>8.1} {:>7.2}x", "cache line, raw", median(raw.clone()), 1.0);
    println!("  {:<32} {:>8.1} {:>7.2}x", "ring, a frame's head alone", median(one.clone()), ratio(&one));
    println!("  {:<32} {:>8.1} {:>7.2}x", "ring, a frame of eleven levels", median(eleven.clone()), ratio(&eleven));
    println!("  {:<32} {:>8.1}", "the same, one after another", median(streamed));
}
