//! A long session against a busy exchange in the same process: memory, drops, and the two books at the end.
//!
//! Prints the exchange's URL first, so that other clients can join, then a line each minute, then the verdict. Exits
//! with 1 if a frame was lost, a fault found, or the books differ.

use clap::Parser;
use papertrader::base::clock::Clock;
use papertrader::engine::Engine;
use papertrader::engine::latency::recorder;
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::exchange::{BookState, Exchange, ExchangeConfig, Pace, RunningExchange, SourceConfig, TlsFiles};
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::backoff::Backoff;
use papertrader::feed::intake::ScaleRule;
use papertrader::feed::live::{LiveFeed, LiveOutcome, LiveSettings};
use papertrader::feed::vitals::Patience;
use papertrader::feed::wire::{Connector, WireConfig};
use papertrader::handoff::{FrameTaker, RING_EVENTS, Wait, handoff};
use papertrader::market::publish::Publish;
use papertrader::market::units::Scale;
use papertrader::run::session::Feed;
use papertrader::statistics::logistic::logit_of;
use papertrader::strategy::model::Model;
use rtrb::RingBuffer;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PRODUCT: &str = "BTC-USD";

#[derive(Parser)]
#[command(about = "A long session against a busy exchange: memory, drops, books")]
struct Arguments {
    /// How long
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// Frames a second, in the mean
    #[arg(long, default_value_t = 1_500.0)]
    rate: f64,
    /// The model that trades
    #[arg(long, default_value = "models/imbalance.json")]
    model: PathBuf,
    /// Where the exchange writes its certificate
    #[arg(long)]
    ca_out: PathBuf,
}

/// The engine's thread. Gives the engine back, for its book.
fn trade(mut frames: FrameTaker, mut engine: Engine, updates: &AtomicU64) -> Engine {
    let mut levels = Vec::new();
    while let Some(head) = frames.next_head() {
        levels.clear();
        frames.take_levels(&head, |slice| levels.extend_from_slice(slice));
        if engine.publish(&head, &levels).is_err() {
            break;
        }
        if head.kind.is_book_frame() {
            updates.fetch_add(levels.len() as u64, Ordering::Relaxed);
        }
    }
    engine
}

/// Resident memory of this process, KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let exchange = Exchange::start(ExchangeConfig {
        tls: Some(TlsFiles { ca_out: Some(arguments.ca_out.clone()) }),
        source: SourceConfig::Synthetic {
            seed: 7,
            pace: Pace::Rate { frames_per_s: arguments.rate },
            snapshot_levels: 20_000,
        },
        ..ExchangeConfig::default()
    })?;
    println!("exchange at {}", exchange.url());
    let config = WireConfig { extra_ca: Some(arguments.ca_out.clone()), ..WireConfig::new(exchange.url()) };
    let settings = LiveSettings {
        connector: Connector::new(&config)?.into(),
        products: vec![PRODUCT.into()],
        prints: true,
        rule: ScaleRule::default(),
        wait: Wait::Block,
        patience: Patience::default(),
        duration: None,
        max_retries: None,
        credentials: None,
        backoff: Backoff::new(1),
    };
    let model = Model::read(&arguments.model)?;
    let rules = OriginalRules {
        threshold_logit: logit_of(model.threshold.unwrap_or(0.6)),
        lag_updates: model.horizon_updates.unwrap_or(20),
        buy_amount: 5.0,
    };
    let status = Arc::new(Status::default());
    let (recorder, mut tables) = recorder(Clock::new(), Duration::from_secs(1));
    let (trades, mut trades_out) = RingBuffer::new(1 << 12);
    let outputs = Outputs::of(trades);
    let engine = Engine::new(vec![Trader::original(model, rules, outputs)], recorder, Arc::clone(&status));
    let (mut publisher, taker) = handoff(RING_EVENTS, Wait::Block);
    let (notices, heard) = crossbeam_channel::bounded(64);
    let feed = LiveFeed::new(settings, None, notices);
    let updates = AtomicU64::new(0);

    let (outcome, engine, full_waits, truth) = thread::scope(|scope| {
        let (status, updates) = (&*status, &updates);
        let trading = scope.spawn(move || trade(taker, engine, updates));
        let feeding = scope.spawn(move || (feed.run(&mut publisher, status), publisher.full_waits()));
        let started = Instant::now();
        let limit = Duration::from_secs_f64(60.0 * arguments.minutes);
        let mut minutes = 0;
        while started.elapsed() < limit && !feeding.is_finished() {
            // The writer thread's part.
            while trades_out.pop().is_ok() {}
            while tables.take(|_| ()) {}
            heard.try_iter().for_each(|notice| println!("{notice}"));
            if started.elapsed() >= Duration::from_secs(60 * minutes) {
                let (now, updates) = (status.read(), updates.load(Ordering::Relaxed));
                println!(
                    "minute {minutes:>2}: {:>9} frames {updates:>10} updates {:>8} trades, {:>7} KiB resident",
                    now.frames,
                    now.trades,
                    resident_kib()
                );
                minutes += 1;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let truth = all_arrived(&exchange, status);
        status.stop();
        let join = "the session does not panic";
        let (outcome, full_waits) = feeding.join().expect(join);
        (outcome, trading.join().expect(join), full_waits, truth)
    });
    let stats = exchange.stop()?;
    println!("exchange: {} market frames, latest {:?} behind", stats.market_frames, stats.behind_max);
    verdict(&outcome, &engine, full_waits, truth?.as_ref())
}

/// Stops the market, waits until its frames have arrived, and gives the exchange's book.
fn all_arrived(
    exchange: &RunningExchange,
    status: &Status,
) -> Result<Option<BookState>, papertrader::exchange::ExchangeError> {
    exchange.pause()?;
    let book = exchange.book(PRODUCT)?;
    let mut frames = 0;
    // Nothing more for a second and a half: everything that was on its way is here.
    loop {
        thread::sleep(Duration::from_millis(1_500));
        let now = status.read().frames;
        if now == frames {
            return Ok(book);
        }
        frames = now;
    }
}

fn verdict(
    outcome: &LiveOutcome,
    engine: &Engine,
    full_waits: u64,
    truth: Option<&BookState>,
) -> Result<bool, Box<dyn Error>> {
    let truth = truth.ok_or("the exchange has no book")?;
    let book = engine.book();
    let (price_factor, size_factor) = factors(truth.scale, book.scale());
    let at_truths_scale = |levels: &mut dyn Iterator<Item = (u64, u64)>| -> Vec<(u64, u64)> {
        levels.map(|(price, size)| (price * price_factor, size * size_factor)).collect()
    };
    let bids = at_truths_scale(&mut book.bids().levels().map(|level| (level.price_ticks, level.size_lots)));
    let asks = at_truths_scale(&mut book.asks().levels().map(|level| (level.price_ticks, level.size_lots)));
    let equal = bids == truth.bids && asks == truth.asks;
    let counts = &outcome.first().counts;
    println!(
        "session: {} frames, {} level updates, {} faults, {} connections, {full_waits} waits for room in the ring",
        counts.frames,
        counts.levels,
        counts.faults.total(),
        outcome.connections
    );
    println!("books: {} bids, {} asks, {}", bids.len(), asks.len(), if equal { "equal" } else { "DIFFERENT" });
    Ok(equal && counts.faults.total() == 0 && outcome.connections == 1)
}

/// What our counts are to be multiplied by. Our scale is inferred, and at most as fine as the exchange's.
fn factors(fine: Scale, coarse: Scale) -> (u64, u64) {
    let factor = |fine: u8, coarse: u8| 10_u64.pow(u32::from(fine.saturating_sub(coarse)));
    (factor(fine.price_decimals, coarse.price_decimals), factor(fine.size_decimals, coarse.size_decimals))
}
