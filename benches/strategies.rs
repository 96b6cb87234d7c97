//! What further strategies cost on the fused path, nanoseconds a frame beside one alone, and beside others whose features are
//! computed apart.
//!
//! `cargo bench --bench strategies` measures, all arms in turns; otherwise one round over a few frames shows that strategies leave
//! each other's trades as they are.

mod common;

use common::{Frames, captures, median, rounds, stand_in_model, synthetic};
use papertrader::base::clock::Clock;
use papertrader::engine::Engine;
use papertrader::engine::latency::{Tables, recorder};
use papertrader::engine::observation::{OBSERVATION_RING, Observation, row_ring};
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::execution::ledger::Trade;
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::intake::{Arrival, Intake, ScaleRule};
use papertrader::market::event::UNMEASURED;
use papertrader::strategy::features::{Feature, SEED};
use papertrader::strategy::model::{Model, ModelFile};
use rtrb::{Consumer, RingBuffer};
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Frames when nothing is measured.
const TEST_FRAMES: usize = 2_000;

/// Strategies on one book.
struct Arm {
    name: &'static str,
    /// Each one's model and the logit from which it buys.
    strategies: Vec<(Arc<Model>, f64)>,
    /// Whether the writer thread would be told of every frame, as for a report.
    is_observed: bool,
}

fn linear(features: Vec<Feature>, coefficient: f64) -> Arc<Model> {
    let coefficients = vec![coefficient; features.len()];
    let features = features.iter().map(ToString::to_string).collect();
    let file = ModelFile { features, intercept: 0.0, coefficients, ..ModelFile::default() };
    Arc::new(Model::from_file("bench.json".as_ref(), &file).expect("a model of the catalogue"))
}

/// 28 features of which the original's model has none.
fn others() -> Vec<Feature> {
    use Feature::{AskPrice, AskSize, AskVwap, BidPrice, BidSize, BidVwap, Imbalance, LnAskSize, LnBidSize};
    let of_sides = (4..=6).flat_map(|n| [BidPrice(n), AskPrice(n), BidSize(n), AskSize(n)]);
    let sums = (2..=6).flat_map(|n| [Imbalance(n), BidVwap(n)]).chain([AskVwap(4), AskVwap(5)]);
    of_sides.chain(sums).chain([LnBidSize(6), LnAskSize(6), LnBidSize(7), LnAskSize(7)]).collect()
}

fn arms() -> Vec<Arm> {
    // Nobody buys, so that the times are those of deciding.
    let never = f64::INFINITY;
    let first = (Arc::new(stand_in_model()), never);
    let same_features = || (linear(SEED.to_vec(), 1e-6), never);
    let other_features = || (linear(others(), 1e-6), never);
    let arm = |name, strategies, is_observed| Arm { name, strategies, is_observed };
    let eight: Vec<_> = (0..8).map(|_| same_features()).collect();
    let eight_thresholds: Vec<_> = (0..8).map(|_| first.clone()).collect();
    vec![
        arm("one", vec![first.clone()], false),
        arm("one again", vec![first.clone()], false),
        arm("two thresholds of one model", vec![first.clone(), first.clone()], false),
        arm("+ another of the same 28 features", vec![first.clone(), same_features()], false),
        arm("+ one of 28 other features", vec![first.clone(), other_features()], false),
        arm("the mid alone", vec![(linear(vec![Feature::Mid], 1e-6), never)], false),
        arm("28 other features alone", vec![other_features()], false),
        arm("eight thresholds of one model", eight_thresholds, false),
        arm("eight of the same 28 features", eight, false),
        arm("one, observed", vec![first.clone()], true),
        arm("+ another of the same, both observed", vec![first, same_features()], true),
    ]
}

/// What the writer thread would take: the frames of the first strategy, the log-odds of the others, and rows of features.
struct Observed {
    frames: Consumer<Observation>,
    logits: Consumer<Option<f64>>,
    rows: Consumer<f64>,
}

/// The fused path, ready to run.
struct Path {
    intake: Intake,
    engine: Engine,
    _trades: Vec<Consumer<Trade>>,
    observations: Vec<Observed>,
    _tables: Tables,
}

impl Path {
    fn new(market: &Frames, arm: &Arm) -> Self {
        let clock = Clock::new();
        let (recorder, tables) = recorder(clock.clone(), Duration::from_secs(1));
        let (mut traders, mut taken, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for (model, threshold_logit) in &arm.strategies {
            let (trades, trades_out) = RingBuffer::new(1 << 10);
            let (observations, observations_out) = RingBuffer::new(OBSERVATION_RING);
            let (logits, logits_out) = RingBuffer::new(OBSERVATION_RING);
            let (rows, rows_out) = row_ring(model.features.len());
            let mut outputs = Outputs::of(trades);
            if arm.is_observed {
                outputs.rows = Some(rows);
                match taken.is_empty() {
                    true => outputs.observations = Some(observations),
                    false => outputs.logits = Some(logits),
                }
                seen.push(Observed { frames: observations_out, logits: logits_out, rows: rows_out });
            }
            let rules = OriginalRules { threshold_logit: *threshold_logit, lag_updates: 20, buy_amount: 5.0 };
            traders.push(Trader::original(Arc::clone(model), rules, outputs));
            taken.push(trades_out);
        }
        Self {
            intake: Intake::new(&market.product, ScaleRule::default(), clock),
            engine: Engine::new(traders, recorder, Arc::new(Status::default())),
            _trades: taken,
            observations: seen,
            _tables: tables,
        }
    }

    /// Nanoseconds that the engine took, what takes its observations away left out.
    #[inline(never)]
    fn run(&mut self, frames: &[(i64, Vec<u8>)]) -> f64 {
        let mut elapsed = Duration::ZERO;
        for frames in frames.chunks(OBSERVATION_RING / 2) {
            let started = Instant::now();
            for (ts_recv_ns, frame) in frames {
                let arrival =
                    Arrival { ts_recv_ns: *ts_recv_ns, arrived: None, received: UNMEASURED, decoded: UNMEASURED };
                black_box(self.intake.take(frame, &arrival, &mut self.engine).expect("a fused engine does not end"));
            }
            elapsed += started.elapsed();
            for Observed { frames, logits, rows } in &mut self.observations {
                while frames.pop().is_ok() {}
                while logits.pop().is_ok() {}
                while rows.pop().is_ok() {}
            }
        }
        elapsed.as_nanos() as f64
    }
}

/// Runs every arm once, beginning with another one in each round; nanoseconds a frame.
fn round(market: &Frames, frames: &[(i64, Vec<u8>)], arms: &[Arm], number: usize) -> Vec<f64> {
    let mut times = vec![0.0; arms.len()];
    for turn in 0..arms.len() {
        let at = (number + turn) % arms.len();
        let mut path = Path::new(market, &arms[at]);
        times[at] = path.run(frames) / frames.len() as f64;
        let report = path.engine.finish();
        let evaluated = report.traders.iter().map(|trader| trader.counts.inferences);
        assert!(evaluated.clone().all(|count| count > 0), "{}: {:?}", arms[at].name, evaluated.collect::<Vec<_>>());
    }
    times
}

fn measure(market: &Frames, frames: &[(i64, Vec<u8>)], arms: &[Arm]) {
    let times: Vec<_> = (0..rounds()).map(|number| round(market, frames, arms, number)).collect();
    println!("{}: {} messages, {} rounds, medians", market.name, frames.len(), times.len());
    for (at, arm) in arms.iter().enumerate() {
        let of = |arm: usize| median(times.iter().map(|times| times[arm]).collect());
        let beside = arms.iter().position(|other| other.is_observed == arm.is_observed).unwrap_or(0);
        let more = median(times.iter().map(|times| times[at] - times[beside]).collect());
        println!("  {:<38} {:>8.0} ns a message, {more:>+8.1} beside {}", arm.name, of(at), arms[beside].name);
    }
    let features = median(times.iter().map(|times| times[6] - times[5]).collect());
    println!("  28 other features alone take {features:.1} ns more than the mid alone");
}

/// Strategies that buy leave each other's trades as they are.
fn check(market: &Frames, frames: &[(i64, Vec<u8>)]) {
    let strategies = [
        (Arc::new(stand_in_model()), 0.0),
        (linear(SEED.to_vec(), 1e-6), 0.0),
        (linear(others(), -1e-6), f64::NEG_INFINITY),
    ];
    let traded = |strategies: &[(Arc<Model>, f64)]| -> Vec<String> {
        let mut path = Path::new(market, &Arm { name: "checked", strategies: strategies.to_vec(), is_observed: false });
        path.run(&frames[..frames.len().min(1 << 10)]);
        path.engine.finish().traders.iter().map(|trader| format!("{:?}", trader.totals)).collect()
    };
    let alone: Vec<String> = strategies.iter().flat_map(|strategy| traded(std::slice::from_ref(strategy))).collect();
    assert_eq!(traded(&strategies), alone, "{}: strategies change each other", market.name);
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let measures = arguments.iter().any(|a| a == "--bench") && arguments.iter().all(|a| a != "--test");
    let mut markets = captures();
    if markets.is_empty() {
        markets.push(synthetic());
    }
    let arms = arms();
    for market in markets {
        check(&market, &market.frames);
        if measures {
            measure(&market, &market.frames, &arms);
        } else {
            round(&market, &market.frames[..market.frames.len().min(TEST_FRAMES)], &arms, 0);
            println!("{}: strategies leave each other's trades as they are; not measured", market.name);
        }
    }
    Ok(())
}
