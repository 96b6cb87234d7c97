//! Puts the threads together: a feed, an engine, a writer, and the caller, who watches.
//!
//! A feed is anything that publishes frames. A capture, on one thread:
//!
//! ```
//! use papertrader::base::clock::Speed;
//! use papertrader::base::cores::Pins;
//! use papertrader::capture::replay::Replay;
//! use papertrader::execution::rules::OriginalRules;
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::handoff::Wait;
//! use papertrader::run::session::{self, Strategy, StrategySettings, ThreadSettings};
//! use papertrader::run::files::RunFiles;
//! use papertrader::strategy::model::Model;
//! use std::sync::Arc;
//!
//! # mod synthetic { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/synthetic.rs")); }
//! let folder = tempfile::tempdir()?;
//! let capture = synthetic::capture(folder.path(), 100)?;
//!
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#;
//! let settings = StrategySettings {
//!     model: Model::parse("imbalance.json".as_ref(), text)?.into(),
//!     rules: OriginalRules { threshold_logit: f64::NEG_INFINITY, lag_updates: 20, buy_amount: 100.0 },
//!     observe: false,
//!     accounts: None,
//! };
//! let threads = ThreadSettings { pins: Pins::Anywhere, fused: true, wait: Wait::Block };
//! let files = RunFiles::create(folder.path(), "BTC-USD", Some("run"))?;
//! let replay = Replay::open(&capture, None, ScaleRule::default(), Speed::Max)?;
//! let strategies = [Strategy { settings: &settings, files: &files, product: 0 }];
//! let report = session::run(&threads, &strategies, &Arc::default(), replay, |_| {})?;
//! assert_eq!(report.feed.first().counts.frames, 100);
//! assert_eq!((report.engine().trader().totals.trades, report.written?[0].trades), (80, 80));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::base::clock::Clock;
use crate::base::cores::{self, CoresError, Pins};
use crate::base::output::OutputError;
use crate::engine::latency::recorder;
use crate::engine::observation::{OBSERVATION_RING, row_ring};
use crate::engine::several::Engines;
use crate::engine::status::Status;
use crate::engine::trader::{Outputs, Trader, TraderReport};
use crate::engine::{Engine, EngineReport};
use crate::execution::account::AccountRules;
use crate::execution::desk::Desk;
use crate::execution::hold_back::HoldBack;
use crate::execution::records::AccountKind;
use crate::execution::rules::OriginalRules;
use crate::handoff::router::Router;
use crate::handoff::{FramePublisher, RING_EVENTS, Wait, handoff};
use crate::market::publish::Publish;
use crate::run::files::RunFiles;
use crate::run::observe::Collector;
use crate::run::spread::Spread;
use crate::run::writer::{self, Inputs, Written};
use crate::statistics::labels::LabelRule;
use crate::strategy::model::Model;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rtrb::RingBuffer;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Trades on their way to the writer thread.
const TRADE_RING: usize = 1 << 14;
/// Records of accounts on their way to it.
const RECORD_RING: usize = 1 << 14;
/// The least room of a ring: many strategies share the memory that one has, down to this.
const RING_MIN: usize = 1 << 10;
/// The interval of the latency log.
const LATENCY_INTERVAL: Duration = Duration::from_secs(1);
/// How often the caller gets to look.
const WATCH_EVERY: Duration = Duration::from_millis(100);

/// Where and how a session's hot threads run, whatever its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadSettings {
    /// Where the hot threads run.
    pub pins: Pins,
    /// Feed and engine on one thread, without the ring.
    pub fused: bool,
    /// How they wait for each other.
    pub wait: Wait,
}

impl ThreadSettings {
    /// For a session that waits for a socket. If it sleeps, unpinned, until there is something to read, feed and engine
    /// share a thread: waking a second one takes longer than the work that it would do. (Measured over loopback on two
    /// cores, 2,000 frames/s, busy machine, p50 from send to decision: 1.4 times that of a receiver that does nothing
    /// with two threads, 1.0 times with one.)
    #[must_use]
    pub fn for_a_socket(mut self) -> Self {
        self.fused |= self.wait == Wait::Block && self.pins == Pins::Anywhere;
        self
    }
}

/// What a session is told of a strategy.
#[derive(Clone, Debug)]
pub struct StrategySettings {
    /// The model. Strategies that share it have it evaluated once.
    pub model: Arc<Model>,
    /// What is traded when.
    pub rules: OriginalRules,
    /// Whether to gather what every live frame says, for a report.
    pub observe: bool,
    /// Accounts beside the original's.
    pub accounts: Option<AccountSettings>,
}

/// A strategy of a session, and its files.
#[derive(Clone, Copy, Debug)]
pub struct Strategy<'a> {
    /// What it is told.
    pub settings: &'a StrategySettings,
    /// What it writes.
    pub files: &'a RunFiles,
    /// The index of what it trades among the session's products.
    pub product: usize,
}

impl Strategy<'_> {
    /// Whether anything is gathered or written of every live frame.
    fn wants_frames(&self) -> bool {
        self.settings.observe || self.files.want_frames()
    }
}

/// Accounts beside the original's.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// Which.
    pub kinds: Vec<AccountKind>,
    /// What they are told.
    pub rules: AccountRules,
    /// For how long they are kept behind, so that prints come to them in the order of the venue's times; nanoseconds of our
    /// clock. `None`: they see everything as it comes.
    pub hold_ns: Option<i64>,
}

impl StrategySettings {
    /// Updates from an evaluation to the mid that it is scored against: the model's horizon, else the holding time.
    pub fn horizon_updates(&self) -> u32 {
        self.model.horizon_updates.unwrap_or(self.rules.lag_updates).max(1)
    }

    /// What an evaluation is scored against: the model's label, else the mid after [`StrategySettings::horizon_updates`].
    pub fn label(&self) -> LabelRule {
        self.model.label.unwrap_or_else(|| LabelRule::mid_after(self.horizon_updates()))
    }
}

/// Where frames come from. It runs on the feed thread until its end or until the status says stop.
pub trait Feed: Send {
    /// What it has to say at the end.
    type Outcome: Send;

    /// Publishes frames to the engine.
    fn run(self, engine: &mut impl Publish, status: &Status) -> Self::Outcome;
}

/// What is known after a session.
#[derive(Debug)]
pub struct SessionReport<O> {
    /// The feed's.
    pub feed: O,
    /// The engines', by their products' indices; at least one.
    pub engines: Vec<EngineReport>,
    /// Which engines shared a thread.
    pub spread: Spread,
    /// Of each strategy its product, and its place among that one's traders.
    places: Vec<(usize, usize)>,
    /// What the writer has written of each strategy, in their order, or why it could not write.
    pub written: Result<Vec<Written>, OutputError>,
    /// Times that the feed found the ring full.
    pub ring_full_waits: u64,
    /// How long it waited then, all together.
    pub ring_full_waited: Duration,
    /// The cost of a stamp.
    pub stamp_floor_ns: u64,
}

/// Why a session could not start.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A file.
    #[error(transparent)]
    Write(#[from] OutputError),
    /// A core.
    #[error(transparent)]
    Cores(#[from] CoresError),
    /// The system refuses a thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

impl<O> SessionReport<O> {
    /// The first product's engine's.
    pub fn engine(&self) -> &EngineReport {
        self.engines.first().expect("a session has a product")
    }

    /// What came of a strategy, by its index.
    pub fn strategy(&self, index: usize) -> StrategyReport<'_> {
        let (product, place) = self.places[index];
        let engine = &self.engines[product];
        StrategyReport {
            product,
            engine,
            trader: &engine.traders[place],
            written: self.written.as_ref().ok().and_then(|written| written.get(index)),
        }
    }
}

/// What came of one strategy of a session.
#[derive(Clone, Copy, Debug)]
pub struct StrategyReport<'a> {
    /// The index of its product.
    pub product: usize,
    /// Its product's engine.
    pub engine: &'a EngineReport,
    /// Its trader.
    pub trader: &'a TraderReport,
    /// What was written, unless something could not be.
    pub written: Option<&'a Written>,
}

/// Runs a feed of one product to its end, with at least one strategy on its book. `watch` is called on this thread some ten times
/// a second meanwhile.
///
/// # Errors
/// The session could not start.
pub fn run<F: Feed>(
    threads: &ThreadSettings,
    strategies: &[Strategy<'_>],
    status: &Arc<Status>,
    feed: F,
    watch: impl FnMut(&Status),
) -> Result<SessionReport<F::Outcome>, SessionError> {
    run_products(threads, &Spread::together(1), strategies, status, feed, watch)
}

/// The same with a feed of the products that `spread` has, each of which has a strategy. `status` is one of as many products.
/// Each product's results are written on a thread of their own.
///
/// # Errors
/// The session could not start.
pub fn run_products<F: Feed>(
    threads: &ThreadSettings,
    spread: &Spread,
    strategies: &[Strategy<'_>],
    status: &Arc<Status>,
    feed: F,
    mut watch: impl FnMut(&Status),
) -> Result<SessionReport<F::Outcome>, SessionError> {
    let clock = Clock::new();
    let stamp_floor_ns = clock.floor_ns();
    let products = spread.engine_of().len();
    let mut places = vec![(0, 0); strategies.len()];
    let (mut groups, mut writers) = (Vec::new(), Vec::new());
    for product in 0..products {
        let own = strategies.iter().enumerate().filter(|(_, strategy)| strategy.product == product);
        let own: Vec<(usize, &Strategy<'_>)> = own.collect();
        own.iter().enumerate().for_each(|(place, &(index, _))| places[index] = (product, place));
        let (recorder, tables) = recorder(clock.clone(), LATENCY_INTERVAL);
        // The first that wants frames is told of them, the others of what they thought of them.
        let leader = own.iter().position(|(_, strategy)| strategy.wants_frames());
        let of = |(place, (_, strategy)): (usize, &(usize, &Strategy<'_>))| {
            trader_and_inputs(strategy, strategies.len(), Some(place) == leader)
        };
        let (traders, inputs): (Vec<Trader>, Vec<Inputs>) = own.iter().enumerate().map(of).unzip();
        groups.push(Engine::new(traders, recorder, Arc::clone(status.of(product))));
        writers.push((own.iter().map(|(_, strategy)| strategy.files).collect::<Vec<&RunFiles>>(), inputs, tables));
    }
    strategies.iter().try_for_each(|strategy| strategy.files.check())?;
    let clock = &clock;
    thread::scope(|scope| {
        let writers = writers.into_iter().enumerate().map(|(product, (files, inputs, tables))| {
            let name = if product == 0 { "writer".into() } else { format!("writer{}", product + 1) };
            spawn(scope, &name, move || writer::write(&files, inputs, tables, clock, status.of(product)))
        });
        let writers = writers.collect::<Result<Vec<_>, _>>()?;
        let ran = if threads.fused {
            run_fused(threads, groups, feed, status, &mut watch)
        } else {
            run_on_threads(threads, spread, groups, feed, status, &mut watch)
        };
        let Ran { feed, engines, ring_full_waits, ring_full_waited } = ran?;
        writers.iter().for_each(|writer| writer.thread().unpark());
        let written: Result<Vec<Vec<Written>>, OutputError> = writers.into_iter().map(join).collect();
        let written = written.map(|written| in_order(&places, written));
        let spread = spread.clone();
        Ok(SessionReport { feed, engines, spread, places, written, ring_full_waits, ring_full_waited, stamp_floor_ns })
    })
}

/// What was written by product, in the order of the strategies.
fn in_order(places: &[(usize, usize)], written: Vec<Vec<Written>>) -> Vec<Written> {
    let mut written: Vec<_> = written.into_iter().map(Vec::into_iter).collect();
    // A product's strategies are in the same order there.
    places.iter().filter_map(|&(product, _)| written[product].next()).collect()
}

/// The trader of one of so many strategies, and the other ends of its rings, for the writer thread. A leader tells of frames for
/// the others on its book.
fn trader_and_inputs(strategy: &Strategy<'_>, strategies: usize, leads: bool) -> (Trader, Inputs) {
    let Strategy { settings, .. } = strategy;
    let room = |of_one: usize| (of_one / strategies).max(RING_MIN);
    let (trades, trades_out) = RingBuffer::new(room(TRADE_RING));
    let model = &settings.model;
    let wants = strategy.wants_frames();
    let (observations, observations_out) = (wants && leads).then(|| RingBuffer::new(room(OBSERVATION_RING))).unzip();
    let (logits, logits_out) = (wants && !leads).then(|| RingBuffer::new(room(OBSERVATION_RING))).unzip();
    let (rows, rows_out) = settings.observe.then(|| row_ring(model.features.len())).unzip();
    let collector = settings.observe.then(|| {
        let (threshold_logit, horizon) = (settings.rules.threshold_logit, settings.horizon_updates());
        Collector::by_label(&model.features, threshold_logit, settings.label(), horizon)
            .drifting_from(model.distribution.as_ref())
    });
    let outputs = Outputs { trades: trades.into(), observations, logits, rows };
    let trader = Trader::original(Arc::clone(model), settings.rules, outputs);
    let (trader, records) = match &settings.accounts {
        None => (trader, None),
        Some(AccountSettings { kinds, rules, hold_ns }) => {
            let (records, records_out) = RingBuffer::new(room(RECORD_RING));
            let desk = Desk::new(kinds, rules);
            let trader = match *hold_ns {
                None => trader.with_desk(desk, records),
                Some(hold_ns) => trader.with_hold_back(HoldBack::new(desk, hold_ns), records),
            };
            (trader, Some(records_out))
        }
    };
    let (observations, logits, rows) = (observations_out, logits_out, rows_out);
    (trader, Inputs { trades: trades_out, records, observations, logits, rows, collector })
}

/// What the hot threads leave.
struct Ran<O> {
    feed: O,
    /// By their products.
    engines: Vec<EngineReport>,
    ring_full_waits: u64,
    ring_full_waited: Duration,
}

/// Feed and engines on one thread.
fn run_fused<F: Feed>(
    threads: &ThreadSettings,
    mut engines: Vec<Engine>,
    feed: F,
    status: &Status,
    watch: &mut impl FnMut(&Status),
) -> Result<Ran<F::Outcome>, SessionError> {
    let (pins, faults_in) = (threads.pins, faults_in(threads));
    let (ended, has_ended) = end_signal();
    thread::scope(|scope| {
        let fused = spawn(scope, "fused", move || {
            let _ended = ended;
            cores::pin(pins.feed())?;
            if faults_in {
                engines.iter_mut().for_each(Engine::fault_in);
            }
            if let [engine] = &mut engines[..] {
                let outcome = feed.run(engine, status);
                return Ok((outcome, engines.into_iter().map(Engine::finish).collect()));
            }
            let mut engines = Engines::new((0..).zip(engines).collect());
            let outcome = feed.run(&mut engines, status);
            Ok::<_, CoresError>((outcome, by_product(engines.finish())))
        })?;
        watch_until_ended(&has_ended, status, watch);
        let (feed, engines) = join(fused)?;
        Ok(Ran { feed, engines, ring_full_waits: 0, ring_full_waited: Duration::ZERO })
    })
}

/// Feed and engines on threads of their own, with a ring to each engine thread.
fn run_on_threads<F: Feed>(
    threads: &ThreadSettings,
    spread: &Spread,
    engines: Vec<Engine>,
    feed: F,
    status: &Status,
    watch: &mut impl FnMut(&Status),
) -> Result<Ran<F::Outcome>, SessionError> {
    let (pins, faults_in) = (threads.pins, faults_in(threads));
    let (ended, has_ended) = end_signal();
    let mut groups: Vec<Vec<(u8, Engine)>> = (0..spread.engines()).map(|_| Vec::new()).collect();
    for ((product, engine), &thread) in (0..).zip(engines).zip(spread.engine_of()) {
        groups[thread].push((product, engine));
    }
    let (mut rings, takers): (Vec<_>, Vec<_>) = groups.iter().map(|_| handoff(RING_EVENTS, threads.wait)).unzip();
    thread::scope(|scope| {
        let engines = groups.into_iter().zip(takers).enumerate().map(|(place, (group, taker))| {
            let name = if place == 0 { "engine".into() } else { format!("engine{}", place + 1) };
            spawn(scope, &name, move || {
                cores::pin(pins.engine_at(place))?;
                let mut engines = Engines::new(group);
                if faults_in {
                    engines.fault_in();
                }
                Ok::<_, CoresError>(engines.run(taker))
            })
        });
        let engines = engines.collect::<Result<Vec<_>, _>>()?;
        let feed = spawn(scope, "feed", move || {
            let _ended = ended;
            cores::pin(pins.feed())?;
            if faults_in {
                rings.iter_mut().for_each(FramePublisher::fault_in);
            }
            if let [ring] = &mut rings[..] {
                let outcome = feed.run(ring, status);
                return Ok((outcome, ring.full_waits(), ring.full_waited()));
            }
            let mut router = Router::new(rings, spread.engine_of());
            let outcome = feed.run(&mut router, status);
            Ok::<_, CoresError>((outcome, router.full_waits(), router.full_waited()))
        })?;
        watch_until_ended(&has_ended, status, watch);
        let (feed, ring_full_waits, ring_full_waited) = join(feed)?;
        let reports: Result<Vec<_>, CoresError> = engines.into_iter().map(join).collect();
        let engines = by_product(reports?.into_iter().flatten().collect());
        Ok(Ran { feed, engines, ring_full_waits, ring_full_waited })
    })
}

fn by_product(mut reports: Vec<(u8, EngineReport)>) -> Vec<EngineReport> {
    reports.sort_by_key(|&(product, _)| product);
    reports.into_iter().map(|(_, report)| report).collect()
}

/// Threads that spin must lose no time later; others start sooner without.
fn faults_in(threads: &ThreadSettings) -> bool {
    threads.wait == Wait::Spin
}

/// Tells the watching loop that the hot threads have ended: the sender goes with the feed thread.
fn end_signal() -> (Sender<()>, Receiver<()>) {
    bounded(0)
}

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<thread::ScopedJoinHandle<'scope, T>, SessionError> {
    thread::Builder::new().name(name.into()).spawn_scoped(scope, work).map_err(SessionError::Thread)
}

fn watch_until_ended(ended: &Receiver<()>, status: &Status, watch: &mut impl FnMut(&Status)) {
    // Nothing is ever sent: the only other outcome than a time-out is that the sender has gone.
    while ended.recv_timeout(WATCH_EVERY) == Err(RecvTimeoutError::Timeout) {
        watch(status);
    }
}

/// A thread's result; its panic, which only a defect of this program causes, goes on here.
fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
