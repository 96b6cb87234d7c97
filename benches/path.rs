//! The whole path, from a frame's bytes in memory to the decision, beside its obvious twin on the same frames.
//!
//! `cargo bench --bench path` measures; without `--bench`, as under `cargo test --benches`, or with `--test`, one round over
//! a few frames shows that both still agree. The path runs fused, as `papertrader replay --fused --no-report` runs it behind
//! the capture reader: sequence check, parse, book, features, model, simulator, with its stamps and with latencies recorded. The
//! arms take turns round by round, and every round begins with an empty book.

mod common;
mod twin;

use common::{Frames, Nobody, captures, median, rounds, shared_data, spread, stand_in_model, synthetic};
use papertrader::base::clock::Clock;
use papertrader::engine::Engine;
use papertrader::engine::latency::{Tables, recorder};
use papertrader::engine::observation::Observation;
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::execution::ledger::Trade;
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::intake::{Arrival, Intake, ScaleRule};
use papertrader::market::event::UNMEASURED;
use papertrader::statistics::logistic::{logit_of, probability};
use papertrader::strategy::model::Model;
use rtrb::{Consumer, RingBuffer};
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use twin::Twin;

/// Frames when nothing is measured.
const TEST_FRAMES: usize = 2_000;
/// The original's defaults.
const THRESHOLD: f64 = 0.6;
const LAG_UPDATES: u32 = 20;
const BUY_AMOUNT: f64 = 5.0;
/// Probabilities and amounts of both arms may differ by so much: their sums have other orders.
const TOLERANCE: f64 = 1e-9;

/// A market in memory: the bytes of its frames behind one another, as a block of a capture has them.
struct Input {
    name: String,
    product: String,
    bytes: Vec<u8>,
    /// Receive time and the end of the frame's bytes.
    frames: Vec<(i64, usize)>,
}

impl Input {
    fn of(market: &Frames) -> Self {
        let mut input =
            Self { name: market.name.clone(), product: market.product.clone(), bytes: Vec::new(), frames: Vec::new() };
        for (ts_recv_ns, frame) in &market.frames {
            input.bytes.extend_from_slice(frame);
            input.frames.push((*ts_recv_ns, input.bytes.len()));
        }
        input
    }

    fn frames(&self) -> impl Iterator<Item = (i64, &[u8])> {
        let mut start = 0;
        self.frames.iter().map(move |&(ts_recv_ns, end)| {
            let frame = &self.bytes[start..end];
            start = end;
            (ts_recv_ns, frame)
        })
    }
}

/// The fused path, ready to run.
struct Fused {
    clock: Clock,
    intake: Intake,
    engine: Engine,
    /// Large enough for everything that comes, so that nobody needs to take it meanwhile.
    trades: Consumer<Trade>,
    observations: Option<Consumer<Observation>>,
    _tables: Tables,
}

impl Fused {
    fn new(input: &Input, model: &Model, observed: bool) -> Self {
        let clock = Clock::new();
        let (recorder, tables) = recorder(clock.clone(), Duration::from_secs(1));
        let (trades, trades_out) = RingBuffer::new(input.frames.len());
        let (observations, observations_out) = observed.then(|| RingBuffer::new(input.frames.len())).unzip();
        let settings =
            OriginalRules { threshold_logit: logit_of(THRESHOLD), lag_updates: LAG_UPDATES, buy_amount: BUY_AMOUNT };
        let outputs = Outputs { observations, ..Outputs::of(trades) };
        Self {
            intake: Intake::new(&input.product, ScaleRule::default(), clock.clone()),
            engine: Engine::new(
                vec![Trader::original(model.clone(), settings, outputs)],
                recorder,
                Arc::new(Status::default()),
            ),
            clock,
            trades: trades_out,
            observations: observations_out,
            _tables: tables,
        }
    }

    /// Takes the input; without a stamp, and so without a latency recorded, unless they are `measured`. One machine code for
    /// both, so that they do not differ by where it lies.
    #[inline(never)]
    fn run(&mut self, input: &Input, measured: bool) {
        for (ts_recv_ns, frame) in input.frames() {
            let stamp = if measured { self.clock.stamp() } else { UNMEASURED };
            let arrival = Arrival { ts_recv_ns, arrived: None, received: stamp, decoded: stamp };
            black_box(self.intake.take(frame, &arrival, &mut self.engine).expect("a fused engine does not end"));
        }
    }
}

fn new_twin(input: &Input, model: &Model) -> Twin {
    let linear = model.linear().expect("no trees");
    Twin::new(twin::Settings {
        product: input.product.clone(),
        intercept: linear.intercept,
        coefficients: linear.coefficients[..].try_into().expect("a model of the original's features"),
        threshold_logit: logit_of(THRESHOLD),
        lag_updates: u64::from(LAG_UPDATES),
        buy_amount: BUY_AMOUNT,
    })
}

/// Runs both and compares every probability, every decision and every trade. Gives the counts of evaluations and trades.
fn compare(input: &Input, model: &Model) -> (usize, usize) {
    let mut fused = Fused::new(input, model, true);
    fused.run(input, true);
    assert_eq!(fused.intake.counts().faults.total(), 0, "a good capture");
    let mut twin = new_twin(input, model);
    let mut observations = fused.observations.take().expect("it has been asked for");
    let mut evaluations = 0;
    for (at, (_, frame)) in input.frames().enumerate() {
        let Some(logit) = twin.take(frame) else { continue };
        let ours = observations.pop().expect("the path has evaluated as many frames").evaluation;
        let ours = ours.expect("every frame is evaluated").logit;
        let (ours, twins) = (probability(ours), probability(logit));
        assert!((ours - twins).abs() <= TOLERANCE, "frame {at}: {ours} against {twins}");
        evaluations += 1;
    }
    assert!(observations.is_empty(), "the path has evaluated more frames");
    for (at, trade) in twin.trades().iter().enumerate() {
        let ours = fused.trades.pop().expect("the path has traded as often");
        let pair = (ours.position.bought.sequence, ours.sold.sequence);
        assert_eq!(pair, (trade.buy_sequence, trade.sell_sequence), "trade {at}");
        let off = (ours.sell_amount - trade.sell_amount).abs();
        assert!(off <= TOLERANCE * trade.sell_amount, "trade {at}: {} against {}", ours.sell_amount, trade.sell_amount);
    }
    assert!(fused.trades.is_empty(), "the path has traded more often");
    assert_eq!(fused.engine.finish().trader().open_positions, twin.open_positions());
    (evaluations, twin.trades().len())
}

/// The path as far as the ring, alone: sequence check and parse.
struct Parse {
    clock: Clock,
    intake: Intake,
}

impl Parse {
    fn new(input: &Input) -> Self {
        let clock = Clock::new();
        Self { intake: Intake::new(&input.product, ScaleRule::default(), clock.clone()), clock }
    }

    fn run(&mut self, input: &Input) {
        for (ts_recv_ns, frame) in input.frames() {
            let stamp = self.clock.stamp();
            let arrival = Arrival { ts_recv_ns, arrived: None, received: stamp, decoded: stamp };
            black_box(self.intake.take(frame, &arrival, &mut Nobody).expect("nobody ends"));
        }
    }
}

/// The times of one round.
#[derive(Clone, Copy)]
struct Round {
    fused: Duration,
    unstamped: Duration,
    parse: Duration,
    twin: Duration,
}

/// Runs every arm once: beginning with another one in each round, forwards and backwards, and with the path's two instances
/// in changing roles.
fn round(input: &Input, model: &Model, number: usize) -> Round {
    let mut paths = [Fused::new(input, model, false), Fused::new(input, model, false)];
    let (mut parse, mut twin) = (Parse::new(input), new_twin(input, model));
    let mut times = [Duration::ZERO; 4];
    for turn in 0..times.len() {
        let backwards = number / times.len() % 2 == 1;
        let turn = if backwards { times.len() - 1 - turn } else { turn };
        let arm = (number + turn) % times.len();
        let started = Instant::now();
        match arm {
            0 | 1 => paths[(number + arm) % 2].run(input, arm == 0),
            2 => parse.run(input),
            _ => input.frames().for_each(|(_, frame)| {
                black_box(twin.take(frame));
            }),
        }
        times[arm] = started.elapsed();
    }
    for path in paths {
        assert_eq!(path.engine.finish().trader().totals.trades, twin.trades().len() as u64);
    }
    let [fused, unstamped, parse, twin] = times;
    Round { fused, unstamped, parse, twin }
}

fn measure(input: &Input, model: &Model) {
    let (evaluations, trades) = compare(input, model);
    let rounds: Vec<Round> = (0..rounds()).map(|number| round(input, model, number)).collect();
    let levels = {
        let mut fused = Fused::new(input, model, false);
        fused.run(input, true);
        fused.intake.counts().levels
    };
    let frames = input.frames.len();
    println!("{}: {frames} frames, {levels} level updates, {} features", input.name, model.features.len());
    println!("  {:<24} {:>20} {:>10}", format!("{} rounds", rounds.len()), "ns/frame", "ns/level");
    println!("  {:<24} {:>9} {:>10} {:>10} {:>10}", "", "least", "median", "least", "median");
    let arm = |name: &str, time: fn(&Round) -> Duration| {
        let [least_ns, median_ns, _] = spread(rounds.iter().map(|round| time(round).as_nanos() as f64).collect());
        let (frames, levels) = (frames as f64, levels as f64);
        let [least, median] = [least_ns, median_ns].map(|time_ns| time_ns / frames);
        let [least_level, median_level] = [least_ns, median_ns].map(|time_ns| time_ns / levels);
        println!("  {name:<24} {least:>9.0} {median:>10.0} {least_level:>10.1} {median_level:>10.1}");
        least_ns
    };
    let fused = arm("fused path", |round| round.fused);
    arm("without stamps", |round| round.unstamped);
    arm("its intake alone", |round| round.parse);
    let twin = arm("obvious twin", |round| round.twin);
    let ratios = rounds.iter().map(|round| round.twin.as_secs_f64() / round.fused.as_secs_f64());
    let [least, middle, most] = spread(ratios.collect());
    println!("  twin / fused: {:.2} by the least times, {middle:.2} by the median of the rounds' ratios", twin / fused);
    println!("                ({least:.2} to {most:.2})");
    let stamps = rounds.iter().map(|round| round.fused.as_secs_f64() / round.unstamped.as_secs_f64() - 1.0);
    let stamps = median(stamps.collect());
    println!("  stamps and their recording: {:.1} % by the median of the rounds' ratios", 100.0 * stamps);
    println!("  the same {evaluations} probabilities within {TOLERANCE:e}, and the same {trades} trades\n");
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let measures = arguments.iter().any(|a| a == "--bench") && arguments.iter().all(|a| a != "--test");
    let original = shared_data().map(|data| data.join("models/20_update_log_classifier.txt"));
    let original = original.filter(|path| path.is_file()).map(|path| Model::read(&path)).transpose()?;
    let mut markets = captures();
    if !measures && markets[0].is_recorded {
        markets.push(synthetic());
    }
    for market in markets {
        let mut input = Input::of(&market);
        let model = original.clone().filter(|_| market.is_recorded).unwrap_or_else(stand_in_model);
        if measures {
            measure(&input, &model);
        } else {
            input.frames.truncate(TEST_FRAMES);
            let (evaluations, trades) = compare(&input, &model);
            round(&input, &model, 0);
            println!("{}: the same {evaluations} probabilities and {trades} trades; not measured", input.name);
        }
    }
    Ok(())
}
