//! What the benches share: frames to work on, and arms that are timed in turns.
//!
//! The arms of a comparison run interleaved, round by round in one process, so that whatever else the machine does hits all
//! of them alike; a ratio is the median of the rounds' ratios. Every round's arms must give the same checksum.
#![allow(dead_code)]

use papertrader::capture::{CaptureReader, Item};
use papertrader::clock::Clock;
use papertrader::event::{Event, FrameHead, FrameKind};
use papertrader::exchange::market::{MarketConfig, SyntheticMarket};
use papertrader::exchange::message::{self, L2Kind};
use papertrader::feed::intake::{Arrival, EngineGone, Intake, Publish, ScaleRule};
use papertrader::units::Scale;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// Frames of one product, as they arrived.
pub struct Frames {
    pub name: String,
    pub product: String,
    pub frames: Vec<(i64, Vec<u8>)>,
}

/// A frame's kind and levels.
pub type Parsed = (FrameKind, Vec<Event>);

const SYNTHETIC_FRAMES: usize = 20_000;

impl Frames {
    pub fn bytes(&self) -> usize {
        self.frames.iter().map(|(_, frame)| frame.len()).sum()
    }

    /// The frames' levels, at the scale that all of them need.
    pub fn parsed(&self) -> (Scale, Vec<Parsed>) {
        struct Collect(Scale, Vec<Parsed>);
        impl Publish for Collect {
            fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
                self.0 = head.scale;
                self.1.push((head.kind, levels.to_vec()));
                Ok(())
            }
        }
        let mut scale = Scale::default();
        // The second time all frames are read at the scale that the first found.
        for _ in 0..2 {
            let rule = ScaleRule {
                price_decimals: Some(scale.price_decimals).filter(|_| scale != Scale::default()),
                size_decimals: Some(scale.size_decimals).filter(|_| scale != Scale::default()),
            };
            let mut intake = Intake::new(&self.product, rule, Clock::new());
            let mut collect = Collect(scale, Vec::new());
            for (ts_recv_ns, frame) in &self.frames {
                let arrival = Arrival { ts_recv_ns: *ts_recv_ns, received: 0, decoded: 0 };
                intake.take(frame, &arrival, &mut collect).expect("the collector stays");
            }
            if collect.0 == scale {
                return (scale, collect.1);
            }
            scale = collect.0;
        }
        panic!("a scale that changes again");
    }
}

/// The real captures where they are, else the project's own synthetic market.
pub fn captures() -> Vec<Frames> {
    // Beside the project, whichever of its packages is being built.
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let folder = above.find_map(|above| Some(above.join("shared/data/captures")).filter(|folder| folder.is_dir()));
    let real: Vec<Frames> = [("btc-perp-a", "BTC-PERP"), ("btc-spot-a", "BTC-USDT")]
        .into_iter()
        .filter_map(|(name, product)| {
            let folder = folder.as_ref()?;
            let mut reader = CaptureReader::open(&folder.join(format!("{name}.l2.gz"))).ok()?;
            let mut frames = Vec::new();
            while let Some(line) = reader.next_line().expect("a good capture") {
                if let Item::Frame(frame) = line.item {
                    frames.push((line.ts_recv_ns, frame.to_vec()));
                }
            }
            Some(Frames { name: name.into(), product: product.into(), frames })
        })
        .collect();
    if real.is_empty() { vec![synthetic()] } else { real }
}

/// Frames of the synthetic market.
pub fn synthetic() -> Frames {
    let config = MarketConfig::default();
    let mut market = SyntheticMarket::new(&config);
    let (mut levels, mut frame) = (Vec::new(), Vec::new());
    market.snapshot(&mut levels);
    message::l2_data(&mut frame, L2Kind::Snapshot, &config.product, 0, market.now_ns(), config.scale, &levels);
    let mut frames = vec![(market.now_ns(), frame.clone())];
    for sequence_num in 1..SYNTHETIC_FRAMES as u64 {
        let time_ns = market.next_frame(&mut levels);
        message::l2_data(&mut frame, L2Kind::Update, &config.product, sequence_num, time_ns, config.scale, &levels);
        frames.push((time_ns, frame.clone()));
    }
    Frames { name: "synthetic".into(), product: config.product, frames }
}

/// One way to do the work: runs all of it and gives a checksum.
pub struct Arm<'a> {
    pub name: &'a str,
    pub run: Box<dyn FnMut() -> u64 + 'a>,
}

impl<'a> Arm<'a> {
    pub fn new(name: &'a str, run: impl FnMut() -> u64 + 'a) -> Self {
        Self { name, run: Box::new(run) }
    }
}

/// How much work a round is.
#[derive(Clone, Copy)]
pub struct Work {
    pub frames: usize,
    pub levels: usize,
    /// 0 where bytes mean nothing.
    pub bytes: usize,
}

/// Rounds that are timed; `ROUNDS` overrides. One without `--bench`, as under `cargo test --benches`, which only shows that
/// the arms agree.
pub fn rounds() -> usize {
    if std::env::args().all(|argument| argument != "--bench") {
        return 1;
    }
    std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(31).max(1)
}

/// Runs the arms in turns and prints a line for each; gives their median times, nanoseconds. The first arm is the one that
/// the others are compared with.
///
/// # Panics
/// Two arms give different checksums.
pub fn compare(title: &str, work: Work, arms: &mut [Arm<'_>]) -> Vec<f64> {
    let rounds = rounds();
    let mut times_ns = vec![Vec::with_capacity(rounds); arms.len()];
    // The first round warms up.
    for round in 0..=rounds {
        let mut sums = Vec::with_capacity(arms.len());
        // Each arm comes first as often as any other.
        for turn in 0..arms.len() {
            let at = (turn + round) % arms.len();
            let started = Instant::now();
            let sum = black_box((arms[at].run)());
            let time_ns = started.elapsed().as_nanos() as f64;
            sums.push((arms[at].name, sum));
            if round > 0 {
                times_ns[at].push(time_ns);
            }
        }
        assert!(sums.iter().all(|&(_, sum)| sum == sums[0].1), "{title}: different results: {sums:?}");
    }
    println!("{title}: {} frames, {} levels, {rounds} rounds, medians", work.frames, work.levels);
    println!("  {:<44} {:>11} {:>11} {:>8} {:>8}", "", "ns/frame", "ns/level", "GB/s", "ratio");
    for (arm, times) in arms.iter().zip(&times_ns) {
        let time_ns = median(times.clone());
        let ratio = median(times.iter().zip(&times_ns[0]).map(|(time, first)| time / first).collect());
        let rate = if work.bytes > 0 { format!("{:.2}", work.bytes as f64 / time_ns) } else { String::new() };
        println!(
            "  {:<44} {:>11.1} {:>11.2} {rate:>8} {ratio:>7.2}x",
            arm.name,
            time_ns / work.frames as f64,
            time_ns / work.levels.max(1) as f64,
        );
    }
    times_ns.into_iter().map(median).collect()
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Mixes a number into a checksum.
#[inline]
pub fn mix(sum: u64, number: u64) -> u64 {
    (sum.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95)
}
