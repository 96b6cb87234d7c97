//! What accounts cost on the fused path, nanoseconds a frame: the original alone beside it with a taker, and with three makers
//! whose orders do not rest, of which ten rest, or a thousand.
//!
//! `cargo bench --bench executions` measures, all arms in turns; otherwise one round over a few frames shows that accounts leave
//! the original's trades as they are.

mod common;

use common::{Frames, captures_with_prints, median, rounds, shared_data, stand_in_model, synthetic};
use papertrader::base::clock::Clock;
use papertrader::engine::Engine;
use papertrader::engine::latency::{Tables, recorder};
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::execution::account::{AccountRules, AfterTimeout, ExitStyle, Limits, MakerRules};
use papertrader::execution::contract::{Contract, Increments};
use papertrader::execution::desk::Desk;
use papertrader::execution::fees::{FeePlan, FeeSchedule};
use papertrader::execution::latency::Latency;
use papertrader::execution::ledger::Trade;
use papertrader::execution::matching::queue::QueueModel;
use papertrader::execution::records::{AccountKind, Record};
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::intake::{Arrival, Intake, ScaleRule};
use papertrader::market::event::UNMEASURED;
use papertrader::statistics::logistic::logit_of;
use papertrader::strategy::model::Model;
use rtrb::{Consumer, RingBuffer};
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Frames when nothing is measured.
const TEST_FRAMES: usize = 2_000;
/// Room for what a frame leaves, whose records are taken after it, and for what the end of a run does.
const RECORDS: usize = 1 << 14;
const RULES: OriginalRules =
    OriginalRules { threshold_logit: 0.405_465_108_108_164_4, lag_updates: 20, buy_amount: 5.0 };

/// What runs beside the original.
#[derive(Clone, Copy)]
struct Arm {
    name: &'static str,
    kinds: &'static [AccountKind],
    /// The logit from which accounts decide.
    threshold_logit: f64,
    lag_updates: u32,
    /// Far behind the best price orders rest and are not filled.
    offset_ticks: i64,
}

const MAKERS: &[AccountKind] = &AccountKind::MAKERS;

/// Every frame decides; of three accounts each has as many orders resting as a leg has updates.
const ARMS: [Arm; 7] = [
    Arm { name: "original", kinds: &[], threshold_logit: f64::INFINITY, lag_updates: 20, offset_ticks: 0 },
    Arm { name: "original again", kinds: &[], threshold_logit: f64::INFINITY, lag_updates: 20, offset_ticks: 0 },
    Arm {
        name: "+ taker, deciding",
        kinds: &[AccountKind::Taker],
        threshold_logit: RULES.threshold_logit,
        lag_updates: 20,
        offset_ticks: 0,
    },
    Arm {
        name: "+ taker, idle",
        kinds: &[AccountKind::Taker],
        threshold_logit: f64::INFINITY,
        lag_updates: 20,
        offset_ticks: 0,
    },
    Arm { name: "+ makers, idle", kinds: MAKERS, threshold_logit: f64::INFINITY, lag_updates: 20, offset_ticks: 0 },
    Arm {
        name: "+ makers, 10 rest",
        kinds: MAKERS,
        threshold_logit: f64::NEG_INFINITY,
        lag_updates: 10,
        offset_ticks: -2_000,
    },
    Arm {
        name: "+ makers, 1,000 rest",
        kinds: MAKERS,
        threshold_logit: f64::NEG_INFINITY,
        lag_updates: 1_000,
        offset_ticks: -2_000,
    },
];

impl Arm {
    fn rules(&self) -> AccountRules {
        AccountRules {
            threshold_logit: self.threshold_logit,
            short: false,
            lag_updates: self.lag_updates,
            amount: 1e6,
            latency: Latency::Absent,
            depletion: true,
            contract: Contract::default(),
            increments: Increments::default(),
            cap_bps: None,
            limits: Limits::default(),
            fees: FeePlan {
                schedule: FeeSchedule::flat("none", 0.0, 0.0).expect("no fee is a fee"),
                trailing_value: 0.0,
            },
            maker: MakerRules {
                offset_ticks: self.offset_ticks,
                timeout_updates: self.lag_updates,
                after_timeout: AfterTimeout::Drop,
                exits: ExitStyle::Take,
                queue: QueueModel::RiskAverse,
            },
            takers_side: false,
        }
    }
}

/// The fused path, ready to run.
struct Path {
    intake: Intake,
    engine: Engine,
    _trades: Consumer<Trade>,
    records: Option<Consumer<Record>>,
    _tables: Tables,
}

impl Path {
    fn new(market: &Frames, frames: usize, model: &Model, arm: &Arm) -> Self {
        let clock = Clock::new();
        let (recorder, tables) = recorder(clock.clone(), Duration::from_secs(1));
        let (trades, trades_out) = RingBuffer::new(frames);
        let trader = Trader::original(model.clone(), RULES, Outputs::of(trades));
        let (trader, records) = if arm.kinds.is_empty() {
            (trader, None)
        } else {
            let (records, records_out) = RingBuffer::new(RECORDS);
            (trader.with_desk(Desk::new(arm.kinds, &arm.rules()), records), Some(records_out))
        };
        Self {
            intake: Intake::new(&market.product, ScaleRule::default(), clock),
            engine: Engine::new(vec![trader], recorder, Arc::new(Status::default())),
            _trades: trades_out,
            records,
            _tables: tables,
        }
    }

    #[inline(never)]
    fn run(&mut self, frames: &[(i64, Vec<u8>)]) {
        for (ts_recv_ns, frame) in frames {
            let arrival = Arrival { ts_recv_ns: *ts_recv_ns, arrived: None, received: UNMEASURED, decoded: UNMEASURED };
            black_box(self.intake.take(frame, &arrival, &mut self.engine).expect("a fused engine does not end"));
            if let Some(records) = &mut self.records {
                while records.pop().is_ok() {}
            }
        }
    }
}

/// Runs every arm once, beginning with another one in each round; nanoseconds a frame.
fn round(market: &Frames, frames: &[(i64, Vec<u8>)], model: &Model, number: usize) -> [f64; ARMS.len()] {
    let mut times = [0.0; ARMS.len()];
    let mut trades = Vec::new();
    for turn in 0..ARMS.len() {
        let at = (number + turn) % ARMS.len();
        let mut path = Path::new(market, frames.len(), model, &ARMS[at]);
        let started = Instant::now();
        path.run(frames);
        times[at] = started.elapsed().as_nanos() as f64 / frames.len() as f64;
        trades.push(path.engine.finish().trader().totals.trades);
    }
    assert!(trades.iter().all(|&count| count == trades[0]), "accounts change the original: {trades:?}");
    times
}

fn measure(market: &Frames, frames: &[(i64, Vec<u8>)], model: &Model) {
    let times: Vec<_> = (0..rounds()).map(|number| round(market, frames, model, number)).collect();
    println!("{}: {} messages, {} rounds, medians", market.name, frames.len(), times.len());
    for (at, arm) in ARMS.iter().enumerate() {
        let of = |arm: usize| median(times.iter().map(|times| times[arm]).collect());
        let more = median(times.iter().map(|times| times[at] - times[0]).collect());
        println!("  {:<22} {:>8.0} ns a message, {more:>+8.1} beside the original", arm.name, of(at));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let measures = arguments.iter().any(|a| a == "--bench") && arguments.iter().all(|a| a != "--test");
    let original = shared_data().map(|data| data.join("models/20_update_log_classifier.txt"));
    let original = original.filter(|path| path.is_file()).map(|path| Model::read(&path)).transpose()?;
    let mut markets = captures_with_prints();
    if markets.is_empty() {
        markets.push(synthetic());
    }
    assert!((RULES.threshold_logit - logit_of(0.6)).abs() < 1e-12, "the original's threshold");
    for market in markets {
        let model = original.clone().filter(|_| market.is_recorded).unwrap_or_else(stand_in_model);
        if measures {
            measure(&market, &market.frames, &model);
        } else {
            round(&market, &market.frames[..market.frames.len().min(TEST_FRAMES)], &model, 0);
            println!("{}: accounts leave the original's trades as they are; not measured", market.name);
        }
    }
    Ok(())
}
