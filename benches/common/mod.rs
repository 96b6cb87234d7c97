//! What the benches share: frames to work on, and arms that are timed in turns.
//!
//! The arms of a comparison run interleaved, round by round in one process, so that whatever else the machine does hits all
//! of them alike; a ratio is the median of the rounds' ratios. Every round's arms must give the same checksum.
#![allow(dead_code)]

pub mod books;
pub mod messages;

use papertrader::base::clock::{Clock, Speed};
use papertrader::capture::replay::Replay;
use papertrader::capture::{CaptureError, CaptureReader, Item};
use papertrader::exchange::market::{Batches, MarketConfig, Part, SyntheticMarket, Tape};
use papertrader::exchange::message::{self, L2Kind, Layout, Prints};
use papertrader::feed::intake::{Arrival, Intake, ScaleRule};
use papertrader::market::event::{Event, FrameHead, FrameKind};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::market::units::Scale;
use papertrader::strategy::features::SEED;
use papertrader::strategy::model::{Model, ModelFile};
use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Frames of one product, as they arrived.
pub struct Frames {
    pub name: String,
    pub product: String,
    pub frames: Vec<(i64, Vec<u8>)>,
    /// From a file, not made for the occasion.
    pub is_recorded: bool,
}

/// A frame's kind and levels.
pub type Parsed = (FrameKind, Vec<Event>);

const SYNTHETIC_FRAMES: usize = 20_000;

impl Frames {
    /// A capture's frames of the first product that it holds.
    pub fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let product = Replay::open(path, None, ScaleRule::default(), Speed::Max)?.product().to_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self::read(path, &name, &product)?)
    }

    fn read(path: &Path, name: &str, product: &str) -> Result<Self, CaptureError> {
        let mut reader = CaptureReader::open(path)?;
        let mut frames = Vec::new();
        while let Some(line) = reader.next_line()? {
            if let Item::Frame(frame) = line.item {
                frames.push((line.ts_recv_ns, frame.to_vec()));
            }
        }
        Ok(Self { name: name.into(), product: product.into(), frames, is_recorded: true })
    }

    pub fn bytes(&self) -> usize {
        self.frames.iter().map(|(_, frame)| frame.len()).sum()
    }

    /// The frames' levels, at the scale that all of them need.
    pub fn parsed(&self) -> (Scale, Vec<Parsed>) {
        struct Collect(Scale, Vec<Parsed>);
        impl Publish for Collect {
            fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
                // Prints may have a finer scale, which is theirs alone.
                if head.kind == FrameKind::Prints {
                    return Ok(());
                }
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
                let arrival = Arrival { ts_recv_ns: *ts_recv_ns, arrived: None, received: 0, decoded: 0 };
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

/// What lies beside the project, whichever of its packages is being built: captures and models that were not made by it.
pub fn shared_data() -> Option<PathBuf> {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.find_map(|above| Some(above.join("shared/data")).filter(|folder| folder.is_dir()))
}

/// The recorded captures where they are, else the project's own synthetic market.
pub fn captures() -> Vec<Frames> {
    let data = shared_data();
    let real: Vec<Frames> = [("btc-perp-a", "BTC-PERP"), ("btc-spot-a", "BTC-USDT")]
        .into_iter()
        .filter_map(|(name, product)| {
            let path = data.as_ref()?.join(format!("captures/{name}.l2.gz"));
            path.is_file().then(|| Frames::read(&path, name, product).expect("a good capture"))
        })
        .collect();
    if real.is_empty() { vec![synthetic()] } else { real }
}

/// Recorded captures with prints where they are, else the project's own synthetic market with its prints.
pub fn captures_with_prints() -> Vec<Frames> {
    let data = shared_data();
    let real: Vec<Frames> = [("btc-perp-a.today", "BTC-PERP"), ("btc-spot-a.today", "BTC-USDT")]
        .into_iter()
        .filter_map(|(name, product)| {
            let path = data.as_ref()?.join(format!("captures/{name}.l2.gz"));
            path.is_file().then(|| Frames::read(&path, name, product).expect("a good capture"))
        })
        .collect();
    if real.is_empty() { vec![synthetic_with_prints()] } else { real }
}

/// Frames of the synthetic market and messages of prints between them.
fn synthetic_with_prints() -> Frames {
    let config = MarketConfig::default();
    let market = SyntheticMarket::new(&config);
    let (mut levels, mut trades, mut message) = (Vec::new(), Vec::new(), Vec::new());
    let (product, scale, layout) = (config.product.as_str(), config.scale, Layout::default());
    market.snapshot(&mut levels);
    message::l2_data(&mut message, L2Kind::Snapshot, product, 0, market.now_ns(), scale, &levels);
    let mut frames = vec![(market.now_ns(), message.clone())];
    let (mut tape, kind) = (Tape::new(Batches::new(market, Duration::ZERO)), L2Kind::Update);
    for sequence_num in 1..SYNTHETIC_FRAMES as u64 {
        let (part, time_ns) = tape.next_part(&mut levels, &mut trades);
        match part {
            Part::Levels => message::l2_data(&mut message, kind, product, sequence_num, time_ns, scale, &levels),
            Part::Prints => {
                let prints = Prints { kind, product, scale, trades: &trades };
                layout.market_trades(&mut message, sequence_num, time_ns, &prints);
            }
        }
        frames.push((time_ns, message.clone()));
    }
    Frames { name: "synthetic with prints".into(), product: config.product, frames, is_recorded: false }
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
    Frames { name: "synthetic".into(), product: config.product, frames, is_recorded: false }
}

/// Takes frames and does nothing.
pub struct Nobody;

impl Publish for Nobody {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        black_box((head, levels));
        Ok(())
    }
}

/// A model of the original's features without its file: the imbalance at the best and a little of all else.
pub fn stand_in_model() -> Model {
    let coefficients = SEED.iter().map(|feature| match feature.to_string().as_str() {
        "imbalance_1" => 2.0,
        name if name.starts_with("ln_") && name.contains("size") => 0.01,
        _ => 1e-7,
    });
    let file = ModelFile {
        features: SEED.iter().map(ToString::to_string).collect(),
        intercept: 0.0,
        coefficients: coefficients.collect(),
        ..ModelFile::default()
    };
    Model::from_file(Path::new("stand-in"), &file).expect("a good model")
}

/// One way to do the work: runs all of it, and gives a checksum and the time in nanoseconds.
pub struct Arm<'a> {
    pub name: &'a str,
    pub run: Box<dyn FnMut() -> (u64, f64) + 'a>,
}

impl<'a> Arm<'a> {
    pub fn new(name: &'a str, mut run: impl FnMut() -> u64 + 'a) -> Self {
        Self::prepared(name, (), |()| {}, move |()| run())
    }

    /// An arm with a state that stays from round to round. `prepare` brings it back to its beginning and is not timed.
    pub fn prepared<S: 'a>(
        name: &'a str,
        state: S,
        mut prepare: impl FnMut(&mut S) + 'a,
        mut run: impl FnMut(&mut S) -> u64 + 'a,
    ) -> Self {
        Self::in_blocks(name, state, 1, move |state, _| prepare(state), move |state, _| run(state))
    }

    /// An arm that does its work block by block, with `prepare` before each block, which is not timed.
    pub fn in_blocks<S: 'a>(
        name: &'a str,
        mut state: S,
        blocks: usize,
        mut prepare: impl FnMut(&mut S, usize) + 'a,
        mut run: impl FnMut(&mut S, usize) -> u64 + 'a,
    ) -> Self {
        let run = move || {
            (0..blocks).fold((0, 0.0), |(sum, time_ns), block| {
                prepare(&mut state, block);
                let (block_sum, block_ns) = timed(&mut || run(&mut state, block));
                (mix(sum, block_sum), time_ns + block_ns)
            })
        };
        Self { name, run: Box::new(run) }
    }
}

/// Never inlined: `tools/bench-peers.sh --instructions` counts what happens in here.
#[inline(never)]
fn timed(run: &mut dyn FnMut() -> u64) -> (u64, f64) {
    let started = Instant::now();
    let sum = black_box(run());
    (sum, started.elapsed().as_nanos() as f64)
}

/// How much work a round is.
#[derive(Clone, Copy)]
pub struct Work {
    pub frames: usize,
    pub levels: usize,
    /// 0 where bytes mean nothing.
    pub bytes: usize,
}

impl Work {
    /// All frames but the first, which is the snapshot that the others change.
    pub fn of_updates(frames: &[Parsed]) -> Self {
        let updates = &frames[1..];
        Self { frames: updates.len(), levels: updates.iter().map(|(_, levels)| levels.len()).sum(), bytes: 0 }
    }
}

/// Rounds that are timed; `ROUNDS` overrides. One without `--bench`, as under `cargo test --benches`, which only shows that
/// the arms agree.
pub fn rounds() -> usize {
    if std::env::args().all(|argument| argument != "--bench") {
        return 1;
    }
    std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(31).max(1)
}

/// Runs the arms in turns and prints a line for each; gives each arm's times by round, nanoseconds. The first arm is the one
/// that the others are compared with.
///
/// # Panics
/// Two arms give different checksums.
pub fn compare(title: &str, work: Work, arms: &mut [Arm<'_>]) -> Vec<Vec<f64>> {
    compare_rounds(rounds(), title, work, arms)
}

/// As [`compare`], with so many rounds.
///
/// # Panics
/// Two arms give different checksums.
pub fn compare_rounds(rounds: usize, title: &str, work: Work, arms: &mut [Arm<'_>]) -> Vec<Vec<f64>> {
    let mut times_ns = vec![Vec::with_capacity(rounds); arms.len()];
    let mut agreed = None;
    // The first round warms up.
    for round in 0..=rounds {
        // Each arm comes first as often as any other.
        for turn in 0..arms.len() {
            let at = (turn + round) % arms.len();
            let (sum, time_ns) = (arms[at].run)();
            let &mut (first, expected) = agreed.get_or_insert((arms[at].name, sum));
            assert_eq!(sum, expected, "{title}: {} and {first} give different results", arms[at].name);
            if round > 0 {
                times_ns[at].push(time_ns);
            }
        }
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
    times_ns
}

pub fn median(values: Vec<f64>) -> f64 {
    spread(values)[1]
}

/// The least, the median and the most.
pub fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

/// Mixes a number into a checksum.
#[inline]
pub fn mix(sum: u64, number: u64) -> u64 {
    (sum.rotate_left(5) ^ number).wrapping_mul(FACTOR)
}

/// Mixes a level into a checksum. Only a rotation and an exclusive or wait for the level before, not the multiplications, so
/// that the checksum is not what bounds a fast arm.
#[inline]
pub fn mix_level(sum: u64, price_ticks: u64, size_lots: u64) -> u64 {
    sum.rotate_left(5) ^ (price_ticks.wrapping_mul(FACTOR) ^ size_lots).wrapping_mul(FACTOR)
}

const FACTOR: u64 = 0x517c_c1b7_2722_0a95;
