//! A long live session in a storm of faults, recorded, with everything checked at the end.
//!
//! An exchange in this process draws from all faults that a session survives. At the end four things must be so: a replay
//! of the recording gives the session's trade log byte for byte; the book that the recording leads to is the exchange's;
//! memory has not grown between the second quarter and the last; and every counter is explained: each fault that the
//! session counted is one that the exchange injected, kind by kind. Exits with 1 if one is not.

use clap::Parser;
use papertrader::base::clock::{Clock, Speed};
use papertrader::base::cores::Pins;
use papertrader::base::output::IfTaken;
use papertrader::capture::recording;
use papertrader::capture::replay::Replay;
use papertrader::capture::{CaptureReader, Control, Item};
use papertrader::engine::Engine;
use papertrader::engine::latency::recorder;
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::exchange::faults::FaultKind;
use papertrader::exchange::{Exchange, ExchangeConfig, ExchangeStats, Pace, SourceConfig, TlsFiles};
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::backoff::Backoff;
use papertrader::feed::intake::{Arrival, Intake, ScaleRule};
use papertrader::feed::live::{LiveFeed, LiveOutcome, LiveSettings};
use papertrader::feed::vitals::Patience;
use papertrader::feed::wire::{Connector, WireConfig};
use papertrader::handoff::Wait;
use papertrader::market::event::{Fault, FaultCounts};
use papertrader::market::units::Scale;
use papertrader::run::files::RunFiles;
use papertrader::run::session::{self, SessionReport, Strategy, StrategySettings, ThreadSettings};
use papertrader::statistics::logistic::logit_of;
use papertrader::strategy::model::Model;
use rtrb::RingBuffer;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const PRODUCT: &str = "BTC-USD";
/// How long nothing may come after the market stopped before everything is taken to be here.
const SETTLED: Duration = Duration::from_secs(3);

#[derive(Parser)]
#[command(about = "A long recorded session in a storm of faults")]
struct Arguments {
    /// How long
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Frames a second, in the mean
    #[arg(long, default_value_t = 300.0)]
    rate: f64,
    /// Seed of the faults and of the market
    #[arg(long, default_value_t = 11)]
    seed: u64,
    /// Seconds between faults, in the mean
    #[arg(long, default_value_t = 2.0)]
    mean: f64,
    /// The model that trades
    #[arg(long, default_value = "models/imbalance.json")]
    model: PathBuf,
    /// Folder for the results, the recording among them
    #[arg(long)]
    out: PathBuf,
}

/// What the session is to make of a fault of the exchange; `None` where it is to go on as if nothing had been.
fn expected(kind: FaultKind) -> Option<Fault> {
    Some(match kind {
        FaultKind::Gap => Fault::SequenceGap,
        FaultKind::Repeat => Fault::SequenceRepeat,
        FaultKind::Disconnect | FaultKind::DisconnectFin | FaultKind::DisconnectRst => Fault::Disconnected,
        FaultKind::Malformed | FaultKind::InvalidUtf8 => Fault::Malformed,
        FaultKind::Error => Fault::VenueError,
        FaultKind::HugeNumber => Fault::NumberTooLarge,
        _ => return None,
    })
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
            eprintln!("storm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    std::fs::create_dir_all(&arguments.out)?;
    let (ca, capture) = (arguments.out.join("ca.pem"), arguments.out.join("storm.l2.zst"));
    let faults = format!("random:{}/{}ms", arguments.seed, (arguments.mean * 1e3) as u64);
    let exchange = Exchange::start(ExchangeConfig {
        tls: Some(TlsFiles { ca_out: Some(ca.clone()) }),
        source: SourceConfig::Synthetic {
            seed: arguments.seed,
            pace: Pace::Rate { frames_per_s: arguments.rate },
            snapshot_levels: 2_000,
        },
        faults: vec![faults.parse()?],
        ..ExchangeConfig::default()
    })?;
    let model = Model::read(&arguments.model)?;
    let settings = StrategySettings {
        rules: OriginalRules {
            threshold_logit: logit_of(model.threshold.unwrap_or(0.6)),
            lag_updates: model.horizon_updates.unwrap_or(20),
            buy_amount: 5.0,
        },
        model: Arc::new(model),
        observe: true,
        accounts: None,
    };
    let threads = ThreadSettings { pins: Pins::Anywhere, fused: false, wait: Wait::Block };
    let live = LiveSettings {
        connector: Connector::new(&WireConfig { extra_ca: Some(ca), ..WireConfig::new(exchange.url()) })?.into(),
        products: vec![PRODUCT.into()],
        prints: true,
        rule: ScaleRule::default(),
        wait: Wait::Block,
        patience: Patience::default(),
        duration: None,
        max_retries: None,
        credentials: None,
        // The venue's own pace of a second and more would leave most of the time without a connection.
        backoff: Backoff::between(arguments.seed, Duration::from_millis(20), Duration::from_millis(200)),
    };
    let (tape, recording) = recording::start(&capture, IfTaken::Refuse)?;
    let (notices, heard) = crossbeam_channel::bounded(1_024);
    let feed = LiveFeed::new(live, Some(tape), notices);
    let files = RunFiles::create(&arguments.out, PRODUCT, Some("lived"))?;
    let status = Arc::new(Status::default());

    let (lived, truth, resident) = thread::scope(|scope| {
        let strategies = [Strategy { settings: &settings, files: &files, product: 0 }];
        let drop_notices = |_: &Status| heard.try_iter().for_each(drop);
        let (threads, status) = (&threads, &status);
        let session = scope.spawn(move || session::run(threads, &strategies, status, feed, drop_notices));
        let resident = watch(arguments, status, || session.is_finished());
        let truth = exchange.pause().and_then(|()| {
            settle(status);
            exchange.book(PRODUCT)
        });
        status.stop();
        (session.join().expect("the session does not panic"), truth, resident)
    });
    let (lived, truth) = (lived?, truth?.ok_or("the exchange has no book")?);
    let (recorded, failed) = recording.finish();
    if let Some(error) = failed {
        return Err(error.into());
    }
    let stats = exchange.stop()?;
    println!(
        "session: {} frames, {} connections, {} failed attempts, {} trades; recorded {} messages, {} lost",
        lived.feed.first().counts.frames,
        lived.feed.connections,
        lived.feed.failed_attempts,
        lived.engine().trader().totals.trades,
        recorded.frames,
        recorded.lost
    );
    let checks = [
        (
            "the replay of the recording is the session",
            replayed_is_lived(&settings, threads, &capture, &files, &lived)?,
        ),
        (
            "the book is the exchange's",
            book_of(&capture, &settings)? == at_common_scale(truth.scale, [truth.bids, truth.asks]),
        ),
        ("memory is flat", is_flat(&resident)),
        ("every counter is explained", explained(&stats, &lived.feed)),
    ];
    for (what, so) in checks {
        println!("{:<44} {}", what, if so { "yes" } else { "NO" });
    }
    Ok(checks.iter().all(|&(_, so)| so))
}

/// Looks on until the time is up, and samples memory.
fn watch(arguments: &Arguments, status: &Status, has_ended: impl Fn() -> bool) -> Vec<u64> {
    let started = Instant::now();
    let limit = Duration::from_secs_f64(60.0 * arguments.minutes);
    let (mut resident, mut minute) = (Vec::new(), 0);
    while started.elapsed() < limit && !has_ended() {
        thread::sleep(Duration::from_secs(1));
        resident.push(resident_kib());
        if started.elapsed() >= Duration::from_secs(60 * minute) {
            let (now, kib) = (status.read(), resident[resident.len() - 1]);
            println!(
                "minute {minute:>2}: {:>9} frames {:>8} trades {:>5} connections {kib:>8} KiB resident",
                now.frames, now.trades, now.connections
            );
            minute += 1;
        }
    }
    resident
}

/// Waits until the session is connected and nothing more comes.
fn settle(status: &Status) {
    let deadline = Instant::now() + Duration::from_secs(25);
    let (mut seen, mut since) = (0, Instant::now());
    while since.elapsed() < SETTLED && Instant::now() < deadline {
        let now = status.read();
        let is_live = now.connected && now.state == papertrader::market::book::BookState::Live;
        if !is_live || now.frames != seen {
            (seen, since) = (now.frames, Instant::now());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Replays the recording, on two threads and on one: the same trade log, the same faults.
fn replayed_is_lived(
    settings: &StrategySettings,
    threads: ThreadSettings,
    capture: &Path,
    lived_files: &RunFiles,
    lived: &SessionReport<LiveOutcome>,
) -> Result<bool, Box<dyn Error>> {
    let lived_trades = std::fs::read(&lived_files.csv)?;
    let folder = capture.parent().unwrap_or(Path::new("."));
    let mut same = lived.engine().trader().totals.trades > 0;
    for fused in [false, true] {
        let replay = Replay::open(capture, Some(PRODUCT), ScaleRule::default(), Speed::Max)?;
        let files = RunFiles::create(folder, PRODUCT, Some(if fused { "replayed-fused" } else { "replayed" }))?;
        let threads = ThreadSettings { fused, ..threads };
        let strategies = [Strategy { settings, files: &files, product: 0 }];
        let replayed = session::run(&threads, &strategies, &Arc::new(Status::default()), replay, |_| ())?;
        same &= replayed.feed.error.is_none() && replayed.feed.cut.is_none();
        same &= std::fs::read(&files.csv)? == lived_trades;
        same &= replayed.feed.first().counts.faults == lived.feed.first().counts.faults;
        same &= replayed.engine().trader().totals == lived.engine().trader().totals;
        same &= replayed.engine().trader().open_cost_and_worth == lived.engine().trader().open_cost_and_worth;
    }
    Ok(same)
}

/// Price and size in units of 10^-8, best first: bids, asks.
type Levels = [Vec<(u64, u64)>; 2];

fn at_common_scale(scale: Scale, sides: Levels) -> Levels {
    let power = |decimals: u8| 10_u64.pow(u32::from(8 - decimals));
    let (price, size) = (power(scale.price_decimals), power(scale.size_decimals));
    sides.map(|levels| levels.into_iter().map(|(ticks, lots)| (ticks * price, lots * size)).collect())
}

/// The book to which a capture leads.
fn book_of(capture: &Path, settings: &StrategySettings) -> Result<Levels, Box<dyn Error>> {
    let (recorder, mut tables) = recorder(Clock::new(), Duration::from_secs(1));
    let (trades, mut trades_out) = RingBuffer::new(1 << 12);
    let outputs = Outputs::of(trades);
    let status = Arc::new(Status::default());
    let mut engine =
        Engine::new(vec![Trader::original(settings.model.clone(), settings.rules, outputs)], recorder, status);
    let mut intake = Intake::new(PRODUCT, ScaleRule::default(), Clock::new());
    let mut reader = CaptureReader::open(capture)?;
    while let Some(line) = reader.next_line()? {
        let arrival = Arrival { ts_recv_ns: line.ts_recv_ns, arrived: None, received: 0, decoded: 0 };
        match line.item {
            Item::Frame(frame) => drop(intake.take(frame, &arrival, &mut engine)?),
            Item::Control(Control::Connected { .. }) => intake.connected(&arrival, &mut engine)?,
            Item::Control(Control::Disconnected { fault, cause, .. }) => {
                let fault = Fault::by_name(&fault).unwrap_or(Fault::Disconnected);
                intake.disconnected(fault, cause, &arrival, &mut engine)?;
            }
            Item::Control(_) => {}
        }
        while trades_out.pop().is_ok() {}
        while tables.take(|_| ()) {}
    }
    let book = engine.book();
    let bids = book.bids().levels().map(|level| (level.price_ticks, level.size_lots)).collect();
    let asks = book.asks().levels().map(|level| (level.price_ticks, level.size_lots)).collect();
    Ok(at_common_scale(book.scale(), [bids, asks]))
}

/// Samples, one a second, before memory can be judged: the recorder's ring alone takes a minute to be touched once.
const SAMPLES_MIN: usize = 480;

/// The median of the last quarter against that of the second, with a twentieth and 4 MiB of air.
fn is_flat(resident: &[u64]) -> bool {
    let quarter = resident.len() / 4;
    if resident.len() < SAMPLES_MIN {
        println!("memory: too short a run to tell");
        return true;
    }
    let median = |part: &[u64]| {
        let mut sorted = part.to_vec();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or(0)
    };
    let (second, last) = (median(&resident[quarter..2 * quarter]), median(&resident[3 * quarter..]));
    println!("memory: {second} KiB in the second quarter, {last} KiB in the last");
    last <= second + second / 20 + (4 << 10)
}

/// Prints injected and counted faults side by side. A fault that strikes a connection which an earlier one has already
/// ended is not seen: there may be a few of those, but never one seen that was not injected.
fn explained(stats: &ExchangeStats, outcome: &LiveOutcome) -> bool {
    let mut injected = BTreeMap::<Fault, u64>::new();
    for (&kind, &count) in &stats.faults {
        println!("injected {:<18} {count:>6}  {}", kind.name(), expected(kind).map_or("harmless", Fault::name));
        if let Some(fault) = expected(kind) {
            *injected.entry(fault).or_default() += count;
        }
    }
    let seen: &FaultCounts = &outcome.first().counts.faults;
    let refused = stats.faults.get(&FaultKind::Handshake503).copied().unwrap_or(0);
    // Every connection but the last ends with one fault, and every failed attempt is a handshake that was refused.
    let mut good = seen.total() == outcome.connections - 1 && outcome.failed_attempts == refused;
    let mut total_unseen = 0;
    for fault in Fault::ALL {
        let (injected, seen) = (injected.get(&fault).copied().unwrap_or(0), seen.of(fault));
        if injected + seen > 0 {
            println!("{:<30} {injected:>6} injected {seen:>6} seen", fault.name());
        }
        good &= seen <= injected;
        total_unseen += injected.saturating_sub(seen);
    }
    let total: u64 = injected.values().sum();
    println!("{total_unseen} of {total} struck a connection that another had already ended");
    good && total_unseen <= total / 20 + 2
}
