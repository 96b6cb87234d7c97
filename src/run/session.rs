//! Puts the threads together: a feed, an engine, a writer, and the caller, who watches.

use crate::base::clock::Clock;
use crate::base::cores::{self, CoresError, Pins};
use crate::engine::latency::recorder;
use crate::engine::observation::{OBSERVATION_RING, row_ring};
use crate::engine::status::Status;
use crate::engine::trader::{Outputs, Trader};
use crate::engine::{Engine, EngineReport};
use crate::execution::rules::OriginalRules;
use crate::handoff::{RING_EVENTS, Wait, handoff};
use crate::market::publish::Publish;
use crate::run::files::{RunFiles, WriteError};
use crate::run::observe::Collector;
use crate::run::writer::{self, Inputs, Written};
use crate::strategy::model::Model;
use rtrb::RingBuffer;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Trades on their way to the writer thread.
const TRADE_RING: usize = 1 << 14;
/// The interval of the latency log.
const LATENCY_INTERVAL: Duration = Duration::from_secs(1);
/// How often the caller gets to look.
const WATCH_EVERY: Duration = Duration::from_millis(100);

/// How a session runs, whatever its feed.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// The model.
    pub model: Model,
    /// What is traded when.
    pub rules: OriginalRules,
    /// Where the hot threads run.
    pub pins: Pins,
    /// Feed and engine on one thread, without the ring.
    pub fused: bool,
    /// How they wait for each other.
    pub wait: Wait,
    /// Whether to gather what every live frame says, for a report.
    pub observe: bool,
}

impl SessionSettings {
    /// Updates from an evaluation to the mid that it is scored against: the model's horizon, else the holding time.
    pub fn horizon_updates(&self) -> u32 {
        self.model.horizon_updates.unwrap_or(self.rules.lag_updates).max(1)
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
    /// The engine's.
    pub engine: EngineReport,
    /// The writer's, or why it could not write.
    pub written: Result<Written, WriteError>,
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
    Write(#[from] WriteError),
    /// A core.
    #[error(transparent)]
    Cores(#[from] CoresError),
}

/// Runs a feed to its end. `watch` is called on this thread some ten times a second meanwhile.
///
/// # Errors
/// The session could not start.
pub fn run<F: Feed>(
    settings: &SessionSettings,
    files: &RunFiles,
    status: &Arc<Status>,
    feed: F,
    mut watch: impl FnMut(&Status),
) -> Result<SessionReport<F::Outcome>, SessionError> {
    let clock = Clock::new();
    let stamp_floor_ns = clock.floor_ns();
    let (recorder, tables) = recorder(clock.clone(), LATENCY_INTERVAL);
    let (trades, trades_out) = RingBuffer::new(TRADE_RING);
    let model = &settings.model;
    let (observations, observations_out) =
        (settings.observe || files.want_evaluations()).then(|| RingBuffer::new(OBSERVATION_RING)).unzip();
    let (rows, rows_out) = settings.observe.then(|| row_ring(model.features.len())).unzip();
    let collector = settings
        .observe
        .then(|| Collector::new(&model.features, settings.rules.threshold_logit, settings.horizon_updates()));
    let inputs = Inputs { trades: trades_out, observations: observations_out, rows: rows_out, collector, tables };
    let write = writer::prepare(files, inputs, clock, Arc::clone(status))?;
    let outputs = Outputs { trades, observations, rows };
    let mut engine =
        Engine::new(vec![Trader::original(model.clone(), settings.rules, outputs)], recorder, Arc::clone(status));
    let (pins, wait) = (settings.pins, settings.wait);
    // Threads that spin are to lose no time later; others start the sooner.
    let faults_in = wait == Wait::Spin;

    thread::scope(|scope| {
        let spawn_error = "the system can start a thread";
        let writer = thread::Builder::new().name("writer".into()).spawn_scoped(scope, write).expect(spawn_error);
        let hot = |name: &str| thread::Builder::new().name(name.into());
        // Says to the watching loop that the hot threads have ended: the sender goes with the feed thread.
        let (ended, has_ended) = crossbeam_channel::bounded::<()>(0);

        let (feed, engine, (ring_full_waits, ring_full_waited)) = if settings.fused {
            let fused = hot("fused").spawn_scoped(scope, move || {
                let _ended = ended;
                cores::pin(pins.feed())?;
                if faults_in {
                    engine.fault_in();
                }
                let outcome = feed.run(&mut engine, status);
                Ok::<_, CoresError>((outcome, engine.finish()))
            });
            let fused = fused.expect(spawn_error);
            watch_until_ended(&has_ended, status, &mut watch);
            let (outcome, report) = join(fused)?;
            (outcome, report, (0, Duration::ZERO))
        } else {
            let (mut publisher, taker) = handoff(RING_EVENTS, wait);
            let engine = hot("engine").spawn_scoped(scope, move || {
                cores::pin(pins.engine())?;
                if faults_in {
                    engine.fault_in();
                }
                Ok::<_, CoresError>(engine.run(taker))
            });
            let feed = hot("feed").spawn_scoped(scope, move || {
                let _ended = ended;
                cores::pin(pins.feed())?;
                if faults_in {
                    publisher.fault_in();
                }
                let outcome = feed.run(&mut publisher, status);
                Ok::<_, CoresError>((outcome, (publisher.full_waits(), publisher.full_waited())))
            });
            let (engine, feed) = (engine.expect(spawn_error), feed.expect(spawn_error));
            watch_until_ended(&has_ended, status, &mut watch);
            let (outcome, full) = join(feed)?;
            (outcome, join(engine)?, full)
        };
        writer.thread().unpark();
        let written = join(writer);
        Ok(SessionReport { feed, engine, written, ring_full_waits, ring_full_waited, stamp_floor_ns })
    })
}

fn watch_until_ended(ended: &crossbeam_channel::Receiver<()>, status: &Status, watch: &mut impl FnMut(&Status)) {
    // Nothing is ever sent: the only other outcome than a time-out is that the sender has gone.
    while ended.recv_timeout(WATCH_EVERY) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
        watch(status);
    }
}

/// A thread's result; its panic, which only a defect of this program causes, goes on here.
fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
