//! Recorded is lived: the replay of a session's recording trades the same, byte for byte.

use crate::common::{reported, succeed};
use crate::support::*;
use papertrader::base::clock::Speed;
use papertrader::base::cores::Pins;
use papertrader::base::output::IfTaken;
use papertrader::capture::recording;
use papertrader::capture::replay::Replay;
use papertrader::engine::status::Status;
use papertrader::engine::trader::TraderCounts;
use papertrader::engine::{EngineCounts, EngineReport};
use papertrader::exchange::{ExchangeConfig, Pace, SourceConfig};
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::intake::{IntakeCounts, ScaleRule};
use papertrader::feed::live::{LiveFeed, LiveSettings};
use papertrader::handoff::Wait;
use papertrader::run::files::RunFiles;
use papertrader::run::session::{self, SessionReport, Strategy, StrategySettings, ThreadSettings};
use papertrader::strategy::model::Model;
use std::path::Path;
use std::sync::Arc;

/// Every fault that a session survives and that costs no more than a moment, some of them at the first frames of a
/// connection.
const FAULTS: [&str; 15] = [
    "gap@60",
    "repeat@120",
    "disconnect@180",
    "disconnect-fin@181",
    "disconnect-rst@240",
    "malformed@300",
    "invalid-utf8@360",
    "unknown-channel@420",
    "error@480",
    "fragmented@540",
    "off-tick@600",
    "crossed@660",
    "huge-number@720",
    "huge-number@721",
    "stall:100ms@780",
];

fn threads(fused: bool) -> ThreadSettings {
    ThreadSettings { pins: Pins::Anywhere, fused, wait: Wait::Block }
}

/// Two that share a model, and others whose features are computed with its, or have a past of their own.
fn strategies(observe: bool) -> Vec<StrategySettings> {
    let shared = Arc::new(Model::read(&model_path()).expect("a model"));
    let linear = |features: &str| {
        let text = format!(r#"{{"features": [{features}], "intercept": 0.0, "coefficients": [2.0, 0.1]}}"#);
        Arc::new(Model::parse("m.json".as_ref(), &text).expect("a model"))
    };
    let all = [
        (Arc::clone(&shared), rules()),
        (shared, OriginalRules { lag_updates: 3, ..rules() }),
        (linear(r#""imbalance_3", "ln_bid_size_2""#), rules()),
        (linear(r#""ofi_2_5", "imbalance_1""#), rules()),
    ];
    all.map(|(model, rules)| StrategySettings { model, rules, observe, accounts: None }).into()
}

fn files(folder: &Path, stem: &str, strategies: usize) -> Vec<RunFiles> {
    let named = |at| RunFiles::create(folder, PRODUCT, Some(&format!("{stem}.{at}"))).expect("files");
    (0..strategies).map(named).collect()
}

fn with_files<'a>(settings: &'a [StrategySettings], files: &'a [RunFiles]) -> Vec<Strategy<'a>> {
    settings.iter().zip(files).map(|(settings, files)| Strategy { settings, files, product: 0 }).collect()
}

/// What must not depend on whether it was lived or replayed. How often the engine waited for the writer may.
fn counts<O>(report: &SessionReport<O>) -> (EngineCounts, Vec<TraderCounts>, EngineReport) {
    let engine = report.engine().clone();
    let done = engine.traders.iter().map(|trader| TraderCounts { writer_waits: 0, ..trader.counts.clone() });
    (engine.counts.clone(), done.collect(), engine)
}

/// Lives a session of so many frames with a recording, replays it, and compares. Gives what was counted.
fn lived_and_replayed(settings: LiveSettings, name: &str, fused: bool, frames: u64) -> IntakeCounts {
    let folder = tempfile::tempdir().expect("a folder");
    let (capture, rule) = (folder.path().join(name), settings.rule);
    let (tape, recorder) = recording::start(&capture, IfTaken::Refuse).expect("a recording");
    let (notices, _heard) = crossbeam_channel::bounded(10_000);
    let status = Arc::new(Status::default());
    let settings_of = strategies(fused);
    let lived_files = files(folder.path(), "lived", settings_of.len());
    let enough = |status: &Status| {
        if status.read().frames >= frames {
            status.stop();
        }
    };
    let feed = LiveFeed::new(settings, Some(tape), notices);
    let strategies = with_files(&settings_of, &lived_files);
    let lived = session::run(&threads(fused), &strategies, &status, feed, enough).expect("a session");
    let (recorded, error) = recorder.finish();
    assert!(error.is_none(), "{error:?}");
    assert_eq!((recorded.frames, recorded.lost), (lived.feed.first().counts.messages, 0));

    let lived_faults = lived.feed.first().counts.faults.clone();
    let lived_trades: Vec<String> = lived_files.iter().map(|files| read(&files.csv)).collect();
    let trades = lived_trades.iter().map(|log| log.lines().count());
    assert!(trades.min().is_some_and(|least| least > 50), "too few trades: {:?}", lived.engine().counts);
    // The threads of the replay need not be the session's.
    for fused in [false, true] {
        let replay = Replay::open(&capture, Some(PRODUCT), rule, Speed::Max).expect("a capture");
        let stem = if fused { "replayed-fused" } else { "replayed" };
        let replay_files = files(folder.path(), stem, settings_of.len());
        let status = Arc::new(Status::default());
        let strategies = with_files(&settings_of, &replay_files);
        let replayed = session::run(&threads(fused), &strategies, &status, replay, |_| {}).expect("a replay");
        assert!(replayed.feed.error.is_none() && replayed.feed.cut.is_none());
        let replayed_trades: Vec<String> = replay_files.iter().map(|files| read(&files.csv)).collect();
        assert_eq!(replayed_trades, lived_trades, "{name}, fused: {fused}");
        let (lived_counts, lived_done, lived) = counts(&lived);
        let (replayed_counts, replayed_done, replayed_engine) = counts(&replayed);
        assert_eq!(lived_done, replayed_done);
        assert_eq!(lived_counts, replayed_counts);
        for (lived, replayed) in lived.traders.iter().zip(&replayed_engine.traders) {
            assert_eq!(lived.totals, replayed.totals);
            assert_eq!(lived.open_cost_and_worth, replayed.open_cost_and_worth);
        }
        assert_eq!(lived.book_state, replayed_engine.book_state);
        assert_eq!(replayed.feed.first().counts.faults, lived_faults);
    }
    lived.feed.first().counts.clone()
}

fn plainly(name: &str) {
    for fused in [false, true] {
        let exchange = start(market(&[]));
        let counts = lived_and_replayed(settings(&exchange), name, fused, 600);
        assert_eq!(counts.faults.total(), 0);
    }
}

#[test]
fn plain_capture() {
    plainly("a.l2");
}

#[test]
fn gzip_capture() {
    plainly("a.l2.gz");
}

#[test]
fn zstd_capture() {
    plainly("a.l2.zst");
}

#[test]
fn with_every_survivable_fault() {
    for (name, fused) in [("a.l2", false), ("a.l2.zst", true)] {
        let exchange = start(market(&FAULTS));
        let counts = lived_and_replayed(settings(&exchange), name, fused, 1_000);
        assert!(counts.faults.total() >= 9, "{:?}", counts.faults);
        assert!(counts.snapshots >= 9);
    }
}

#[test]
fn with_a_given_tick() {
    let exchange = start(market(&["off-tick@100", "off-tick@300"]));
    let rule = ScaleRule { price_decimals: Some(2), size_decimals: None };
    let counts = lived_and_replayed(LiveSettings { rule, ..settings(&exchange) }, "a.l2.gz", false, 600);
    assert_eq!(counts.faults.total(), 2);
}

#[test]
fn with_random_faults() {
    let source = SourceConfig::Synthetic { seed: 3, pace: Pace::Rate { frames_per_s: 1_000.0 }, snapshot_levels: 500 };
    for (seed, fused) in [(1, false), (2, true)] {
        let random = format!("random:{seed}/40");
        let exchange = start(with_tls(ExchangeConfig { source: source.clone(), ..market(&[&random]) }));
        let counts = lived_and_replayed(settings(&exchange), "a.l2.zst", fused, 4_000);
        assert!(counts.faults.total() >= 20, "{:?}", counts.faults);
    }
}

/// The same by the program itself, with its own delays between attempts.
#[test]
fn by_the_program() {
    let exchange = start(with_tls(market(&["gap@300", "disconnect-rst@600", "crossed@700"])));
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.l2.zst");
    let report = succeed(live(&exchange, folder.path()).args(["--duration", "10"]).arg("--record").arg(&capture));
    assert_eq!(reported(&report, "connected"), "3 times (2 reconnects)");
    assert_eq!(reported(&report, "sequence gap"), "1");
    assert_eq!(reported(&report, "connection lost"), "1");
    assert_eq!(reported(&report, "crossed or locked"), "1");
    assert_eq!(reported(&report, "state at the end"), "live");
    let replayed = succeed(&mut replay(&capture, folder.path()));
    let trades = read(&folder.path().join("live.csv"));
    assert!(trades.lines().count() > 50);
    assert_eq!(read(&folder.path().join("replay.csv")), trades);
    for name in ["messages", "frames", "snapshots", "level updates", "sequence gap", "connection lost", "evaluations"] {
        assert_eq!(reported(&replayed, name), reported(&report, name), "{name}");
    }
}

/// The same product under its other name.
#[test]
fn under_an_alias() {
    let exchange = start(market(&[]));
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.l2");
    let mut command = live(&exchange, folder.path());
    command.args(["--duration", "2", "--product", "BTC-USDC"]).arg("--record").arg(&capture);
    let output = command.output().expect("it runs");
    let (report, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "warning: BTC-USDC is streamed as BTC-USD\n");
    assert!(reported(&report, "product").starts_with("BTC-USDC (streamed as BTC-USD), "), "{report}");
    succeed(replay(&capture, folder.path()).args(["--product", "BTC-USDC"]));
    assert_eq!(read(&folder.path().join("replay.csv")), read(&folder.path().join("live.csv")));
}

/// Recording alone, which is replayed like any other capture.
#[test]
fn without_a_model() {
    let exchange = start(market(&["gap@100"]));
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.l2.gz");
    let mut command = crate::common::papertrader();
    command.arg("record").arg(&capture).args(["--url", &exchange.url(), "--duration", "4"]);
    let report = succeed(&mut command);
    assert_eq!(reported(&report, "connected"), "2 times (1 reconnect)");
    assert_eq!(reported(&report, "sequence gap"), "1");
    let replayed = succeed(&mut replay(&capture, folder.path()));
    let frames = reported(&replayed, "frames").replace(',', "");
    assert_eq!(frames, reported(&report, "frames"));
    assert_eq!(reported(&replayed, "sequence gap"), "1");
}
