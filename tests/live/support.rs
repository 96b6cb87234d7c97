//! Sessions in this process, watched frame by frame, and the program as a process of its own.

use crate::common::papertrader;
use papertrader::base::clock::Clock;
use papertrader::engine::latency::{Tables, recorder};
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::engine::{Engine, EngineReport};
use papertrader::exchange::faults::FaultKind;
use papertrader::exchange::{Exchange, ExchangeConfig, Pace, RunningExchange, SourceConfig, TlsFiles};
use papertrader::execution::ledger::Trade;
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::backoff::Backoff;
use papertrader::feed::intake::ScaleRule;
use papertrader::feed::live::{LiveFeed, LiveOutcome, LiveSettings};
use papertrader::feed::vitals::Patience;
use papertrader::feed::wire::{Connector, WireConfig};
use papertrader::handoff::Wait;
use papertrader::market::book::BookState as State;
use papertrader::market::event::{Event, Fault, FrameHead};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::market::units::Scale;
use papertrader::run::session::Feed;
use papertrader::statistics::logistic::logit_of;
use papertrader::strategy::model::Model;
use rtrb::{Consumer, RingBuffer};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longer than anything that should happen takes, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The product that everything here trades.
pub const PRODUCT: &str = "BTC-USD";

/// A small and brisk synthetic market with these faults.
pub fn market(faults: &[&str]) -> ExchangeConfig {
    ExchangeConfig {
        source: SourceConfig::Synthetic { seed: 7, pace: Pace::Rate { frames_per_s: 500.0 }, snapshot_levels: 200 },
        faults: faults.iter().map(|fault| fault.parse().expect("a fault")).collect(),
        ..ExchangeConfig::default()
    }
}

pub fn with_tls(config: ExchangeConfig) -> ExchangeConfig {
    ExchangeConfig { tls: Some(TlsFiles::default()), ..config }
}

pub fn start(config: ExchangeConfig) -> RunningExchange {
    Exchange::start(config).expect("the exchange starts")
}

/// Waits until something is so.
pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "never so: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub fn fired(exchange: &RunningExchange, kind: FaultKind) -> u64 {
    exchange.stats().expect("the exchange runs").faults.get(&kind).copied().unwrap_or(0)
}

/// The model whose file the project has.
pub fn model_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json")
}

/// Rules under which there is much to sell.
pub fn rules() -> OriginalRules {
    OriginalRules { threshold_logit: logit_of(0.6), lag_updates: 5, buy_amount: 5.0 }
}

/// The same as arguments.
pub const RULES: [&str; 5] = ["--threshold", "0.6", "--lag", "5", "--override-model"];

/// What a session with this exchange is told: short delays between attempts, and patience for a busy machine.
pub fn settings(exchange: &RunningExchange) -> LiveSettings {
    LiveSettings {
        connector: connector(exchange, |_| {}),
        products: vec![PRODUCT.into()],
        prints: true,
        rule: ScaleRule::default(),
        wait: Wait::Block,
        patience: Patience::default(),
        duration: None,
        max_retries: None,
        credentials: None,
        backoff: Backoff::between(7, Duration::from_millis(5), Duration::from_millis(20)),
    }
}

pub fn connector(exchange: &RunningExchange, change: impl FnOnce(&mut WireConfig)) -> Arc<Connector> {
    let authority = exchange.ca_pem().map(|pem| {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        std::io::Write::write_all(&mut file, pem.as_bytes()).expect("written");
        file
    });
    let extra_ca = authority.as_ref().map(|file| file.path().to_path_buf());
    let mut config = WireConfig { extra_ca, ..WireConfig::new(exchange.url()) };
    change(&mut config);
    Connector::new(&config).expect("usable settings").into()
}

/// Price and size in units of 10^-8, best first: bids, asks.
type Levels = [Vec<(u64, u64)>; 2];

fn at_common_scale(scale: Scale, sides: [Vec<(u64, u64)>; 2]) -> Levels {
    let price = 10_u64.pow(u32::from(8 - scale.price_decimals));
    let size = 10_u64.pow(u32::from(8 - scale.size_decimals));
    sides.map(|levels| levels.into_iter().map(|(ticks, lots)| (ticks * price, lots * size)).collect())
}

/// The exchange's own book.
pub fn true_book(exchange: &RunningExchange) -> Levels {
    let book = exchange.book(PRODUCT).expect("the exchange runs").expect("a product");
    at_common_scale(book.scale, [book.bids, book.asks])
}

fn book_of(engine: &Engine) -> Levels {
    let book = engine.book();
    let bids = book.bids().levels().map(|level| (level.price_ticks, level.size_lots)).collect();
    let asks = book.asks().levels().map(|level| (level.price_ticks, level.size_lots)).collect();
    at_common_scale(book.scale(), [bids, asks])
}

/// The engine with a guard: it must not trade on a book that is not live. Shows its book to others after every frame.
struct Watched {
    engine: Engine,
    status: Arc<Status>,
    trades: Consumer<Trade>,
    tables: Tables,
    shown: Arc<Mutex<Option<Levels>>>,
}

impl Publish for Watched {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        let was_live = self.engine.book().state() == State::Live;
        let before = self.status.read();
        self.engine.publish(head, levels)?;
        let after = self.status.read();
        let is_live = self.engine.book().state() == State::Live;
        // What fell due without a book is sold into the first live one, which a snapshot makes.
        let could_sell = was_live || is_live;
        assert!(could_sell || after.trades == before.trades, "sold into a book that is not live: {head:?}");
        assert!(
            is_live || after.open_positions <= before.open_positions,
            "bought from a book that is not live: {head:?}"
        );
        *self.shown.lock().expect("no panic") = is_live.then(|| book_of(&self.engine));
        while self.trades.pop().is_ok() {}
        while self.tables.take(|_| ()) {}
        Ok(())
    }
}

/// A session on a thread of its own.
pub struct Session {
    status: Arc<Status>,
    shown: Arc<Mutex<Option<Levels>>>,
    pub notices: crossbeam_channel::Receiver<String>,
    thread: JoinHandle<(LiveOutcome, EngineReport)>,
}

impl Session {
    pub fn start(settings: LiveSettings) -> Self {
        let status = Arc::new(Status::default());
        let shown = Arc::new(Mutex::new(None));
        let (sender, notices) = crossbeam_channel::bounded(10_000);
        let feed = LiveFeed::new(settings, None, sender);
        let (for_thread, show) = (Arc::clone(&status), Arc::clone(&shown));
        let thread = thread::spawn(move || {
            let status = for_thread;
            let (recorder, tables) = recorder(Clock::new(), Duration::from_millis(100));
            let (trades, trades_out) = RingBuffer::new(1 << 12);
            let outputs = Outputs::of(trades);
            let model = Model::read(&model_path()).expect("a model");
            let engine = Engine::new(vec![Trader::original(model, rules(), outputs)], recorder, Arc::clone(&status));
            let mut watched = Watched { engine, status: Arc::clone(&status), trades: trades_out, tables, shown: show };
            let outcome = feed.run(&mut watched, &status);
            (outcome, watched.engine.finish())
        });
        Self { status, shown, notices, thread }
    }

    /// A session with the settings that suit this exchange.
    pub fn with(exchange: &RunningExchange) -> Self {
        Self::start(settings(exchange))
    }

    pub fn connections(&self) -> u64 {
        self.status.read().connections
    }

    pub fn frames(&self) -> u64 {
        self.status.read().frames
    }

    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for so many frames more.
    pub fn go_on(&self, frames: u64) {
        let until = self.frames() + frames;
        wait_until("the session goes on", || self.frames() >= until || self.has_ended());
    }

    /// Stops the market, and waits until the session's book is the exchange's, level by level.
    pub fn assert_book(&self, exchange: &RunningExchange) {
        exchange.pause().expect("the exchange runs");
        let truth = true_book(exchange);
        assert!(truth.iter().all(|levels| levels.len() > 10));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown.lock().expect("the session did not panic").clone();
            if shown.as_ref() == Some(&truth) {
                break;
            }
            assert!(!self.has_ended(), "the session has ended");
            if Instant::now() > deadline {
                let [bids, asks] = shown.unwrap_or_default();
                let differs = |ours: &[(u64, u64)], truth: &[(u64, u64)]| {
                    ours.iter().zip(truth).find(|(ours, truth)| ours != truth).map(|(ours, truth)| (*ours, *truth))
                };
                panic!(
                    "the books differ: {} and {} bids, {:?}; {} and {} asks, {:?}",
                    bids.len(),
                    truth[0].len(),
                    differs(&bids, &truth[0]),
                    asks.len(),
                    truth[1].len(),
                    differs(&asks, &truth[1])
                );
            }
            thread::sleep(Duration::from_millis(5));
        }
        exchange.resume().expect("the exchange runs");
    }

    pub fn stop(self) -> (LiveOutcome, EngineReport) {
        self.status.stop();
        self.wait()
    }

    /// Waits for its own end.
    pub fn wait(self) -> (LiveOutcome, EngineReport) {
        wait_until("the session ends", || self.thread.is_finished());
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// What was counted, as pairs.
pub fn faults(outcome: &LiveOutcome) -> Vec<(Fault, u64)> {
    outcome.first().counts.faults.iter().collect()
}

/// The program with a live session with this exchange, its results in a folder under the name `live`.
pub fn live(exchange: &RunningExchange, folder: &Path) -> Command {
    let mut command = papertrader();
    command.args(["live", "--product", PRODUCT, "--url", &exchange.url(), "--name", "live"]).args(RULES);
    command.arg("--model").arg(model_path()).arg("--out").arg(folder);
    if let Some(pem) = exchange.ca_pem() {
        let path = folder.join("ca.pem");
        std::fs::write(&path, pem).expect("written");
        command.arg("--ca-cert").arg(path);
    }
    command
}

/// The program with a replay of this capture under the same rules, its results under the name `replay`.
pub fn replay(capture: &Path, folder: &Path) -> Command {
    let mut command = papertrader();
    command.arg("replay").arg(capture).args(["--product", PRODUCT, "--speed", "max", "--name", "replay"]).args(RULES);
    command.arg("--model").arg(model_path()).arg("--out").arg(folder);
    command
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
