//! What a report costs where a run was large: a trade log, an interval log and ten million observed frames are made up, read
//! back and turned into a page, each step timed.
//!
//! `cargo run --release --example large_report [FOLDER [TRADES [FRAMES]]]`

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use papertrader::engine::latency::{RANGE_NS_MAX, Stage};
use papertrader::engine::observation::{Evaluation, Observation};
use papertrader::execution::ledger::{Moment, Position, Trade};
use papertrader::market::book::Level;
use papertrader::market::units::Scale;
use papertrader::report::html::page;
use papertrader::report::material::Material;
use papertrader::report::run_file::{
    Counters, ModelFacts, RunFile, SCHEMA, SCHEMA_VERSION, Settings, Timing, TradingCounters, WhatRan,
};
use papertrader::report::trades::{TradeNumbers, TradeTable};
use papertrader::run::observe::Collector;
use papertrader::run::trade_log::TradeLog;
use papertrader::statistics::logistic::logit_of;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A step of the mid, ticks, and the time between frames.
const FRAME_NS: i64 = 3_000_000;
const LAG: u64 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "large-report".into()));
    let trades: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let frames: u64 = arguments.next().map_or(Ok(10_000_000), |text| text.parse())?;
    fs::create_dir_all(&folder)?;
    let csv = folder.join("large.csv");
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    write_trades(&csv, trades, frames, &mut random)?;
    write_latencies(&csv.with_extension("hlog"), 3_600, &mut random)?;

    let began = Instant::now();
    let mut collector = Collector::new(&["mid".parse()?], logit_of(0.6), LAG as u32);
    let mut bid_ticks = 6_180_000;
    for sequence in 0..frames {
        let draw = random.next_u64();
        bid_ticks += (draw % 3) * u64::from(draw % 11 == 0) + 1;
        bid_ticks -= 1 + u64::from(draw % 11 == 0);
        let logit = (draw >> 40) as f64 / f64::from(1 << 22) - 2.0;
        collector.frame(&Observation {
            sequence,
            venue_sequence_num: sequence,
            ts_recv_ns: sequence as i64 * FRAME_NS,
            stretch: 1,
            bid: Level { price_ticks: bid_ticks, size_lots: 1 + draw % 100 },
            ask: Level { price_ticks: bid_ticks + 1 + draw % 5, size_lots: 1 + draw % 77 },
            scale: Scale { price_decimals: 2, size_decimals: 0 },
            evaluation: Some(Evaluation { logit, decided: 0 }),
        });
        if sequence.is_multiple_of(16) {
            collector.row([bid_ticks as f64].into_iter());
        }
    }
    let observed = collector.finish();
    let gathering = began.elapsed();
    println!(
        "gathering {frames} frames: {gathering:.2?}, {:.0} ns a frame",
        gathering.as_nanos() as f64 / frames as f64
    );

    // As after a run.
    let began = Instant::now();
    let table = TradeTable::read(&csv)?;
    println!("reading {} trades: {:.2?}", table.len(), began.elapsed());
    let began = Instant::now();
    let numbers = TradeNumbers::of(&table, 0.0);
    println!("their figures: {:.2?}", began.elapsed());
    run_file(observed, numbers, trades).write(&csv.with_extension("json"), true)?;
    drop(table);

    // `papertrader report`.
    let began = Instant::now();
    let material = Material::read(&csv)?;
    let read = began.elapsed();
    let text = page(&material);
    fs::write(csv.with_extension("html"), &text)?;
    let whole = began.elapsed();
    println!("papertrader report: {whole:.2?}, of which reading {read:.2?}");
    println!("page: {} bytes; RUN.json: {} bytes", text.len(), fs::metadata(csv.with_extension("json"))?.len());
    material.remarks.iter().for_each(|remark| println!("remark: {remark}"));
    Ok(())
}

fn write_trades(path: &Path, trades: u64, frames: u64, random: &mut Xoshiro256PlusPlus) -> Result<(), Box<dyn Error>> {
    let mut log = TradeLog::new(BufWriter::new(File::create(path)?))?;
    let every = (frames / (trades + LAG)).max(1);
    for number in 0..trades {
        let at = |sequence: u64| Moment {
            sequence,
            venue_sequence_num: sequence,
            ts_recv_ns: sequence as i64 * FRAME_NS,
            stretch: 1,
        };
        // Uniform around a small gain, and now and then far off.
        let draw = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 - 0.49;
        let won = if number % 9_973 == 0 { 40.0 * draw } else { draw };
        let buy_amount = 5.0;
        log.write(&Trade {
            position: Position {
                bought: at(number * every),
                sell_sequence: number * every + LAG,
                buy_amount,
                volume: buy_amount / 61_800.0,
                volume_taken_again: 0.0,
                logit: 0.5,
                buy_mid: 61_800.0,
            },
            sold: at(number * every + LAG),
            sell_amount: buy_amount * (1.0 + 1e-4 * won),
            unsold_volume: 0.0,
            volume_taken_again: 0.0,
            sell_mid: 61_800.0 * (1.0 + 1e-4 * won),
        })?;
    }
    log.flush()?;
    Ok(())
}

fn write_latencies(path: &Path, seconds: u64, random: &mut Xoshiro256PlusPlus) -> Result<(), Box<dyn Error>> {
    let mut output = BufWriter::new(File::create(path)?);
    let mut serializer = V2DeflateSerializer::new();
    {
        let mut log =
            IntervalLogWriterBuilder::new().with_max_value_divisor(1.0).begin_log_with(&mut output, &mut serializer)?;
        for second in 0..seconds {
            for stage in Stage::ALL {
                let mut times = Histogram::<u64>::new_with_bounds(1, RANGE_NS_MAX, 3)?;
                (0..300).try_for_each(|_| times.record(100 + random.next_u64() % 5_000))?;
                let start = Duration::from_secs(second);
                log.write_histogram(&times, start, Duration::from_secs(1), Tag::new(stage.tag()))
                    .map_err(|error| format!("{error:?}"))?;
            }
        }
    }
    output.flush()?;
    Ok(())
}

/// The file of a run that was not one: without stages, which are then those of the interval log.
fn run_file(
    observed: papertrader::run::observe::Observed,
    trades: TradeNumbers,
    closed_trades: u64,
) -> RunFile<TradeNumbers> {
    RunFile {
        schema: SCHEMA.into(),
        schema_version: SCHEMA_VERSION,
        program_version: env!("CARGO_PKG_VERSION").into(),
        run: WhatRan {
            in_sample: None,
            title: "a made-up run".into(),
            product: "BTC-USD".into(),
            streamed_as: None,
            passed_over: Vec::new(),
            tick: "0.01".into(),
            lot: "1".into(),
            stopped: false,
            fault: None,
        },
        settings: Settings {
            threshold: 0.6,
            lag_updates: LAG as u32,
            horizon_updates: LAG as u32,
            buy_amount: 5.0,
            fee_bps: 0.0,
            fees: None,
            model: ModelFacts { path: "none".into(), intercept: None, features: Vec::new() },
        },
        counters: Counters {
            trading: TradingCounters { closed_trades, ..TradingCounters::default() },
            ..Counters::default()
        },
        trades,
        executions: None,
        observed: Some(observed),
        timing: Timing::default(),
    }
}
