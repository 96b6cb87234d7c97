// What examples of the documents share: a small capture of the synthetic market, and a run over it.

use papertrader::base::clock::Speed;
use papertrader::base::cores::Pins;
use papertrader::capture::replay::{Replay, ReplayOutcome};
use papertrader::capture::{CaptureError, CaptureWriter};
use papertrader::exchange::market::{MarketConfig, SyntheticMarket};
use papertrader::exchange::message::{L2Kind, l2_data};
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::intake::ScaleRule;
use papertrader::handoff::Wait;
use papertrader::run::session::{self as sessions, SessionReport, Strategy, StrategySettings, ThreadSettings};
use papertrader::run::files::RunFiles;
use papertrader::strategy::model::Model;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Writes so many frames, the first a snapshot, to `market.txt` in a folder.
pub fn capture(folder: &Path, frames: u64) -> Result<PathBuf, CaptureError> {
    let path = folder.join("market.txt");
    let config = MarketConfig { snapshot_levels: 500, ..MarketConfig::default() };
    let mut market = SyntheticMarket::new(&config);
    let mut capture = CaptureWriter::create(&path)?;
    let (mut levels, mut frame) = (Vec::new(), Vec::new());
    market.snapshot(&mut levels);
    let mut kind = L2Kind::Snapshot;
    for number in 0..frames {
        l2_data(&mut frame, kind, &config.product, number, market.now_ns(), config.scale, &levels);
        capture.frame(market.now_ns(), &frame)?;
        market.next_frame(&mut levels);
        kind = L2Kind::Update;
    }
    capture.finish()?;
    Ok(path)
}

/// A strategy, the threads on which it ran, its files, and what came of it.
pub type Session = (StrategySettings, ThreadSettings, RunFiles, SessionReport<ReplayOutcome>);

/// Replays a capture with a model that buys often, on one thread; the files are `run.csv` and its like beside the capture.
#[allow(dead_code)]
pub fn session(capture: &Path) -> Result<Session, Box<dyn std::error::Error>> {
    let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#;
    let settings = StrategySettings {
        model: Model::parse("imbalance.json".as_ref(), text)?.into(),
        rules: OriginalRules { threshold_logit: 0.4, lag_updates: 20, buy_amount: 100.0 },
        observe: true,
        accounts: None,
    };
    let threads = ThreadSettings { pins: Pins::Anywhere, fused: true, wait: Wait::Block };
    let files = RunFiles::create(capture.parent().ok_or("no folder")?, "BTC-USD", Some("run"))?;
    let replay = Replay::open(capture, None, ScaleRule::default(), Speed::Max)?;
    let strategies = [Strategy { settings: &settings, files: &files, product: 0 }];
    let report = sessions::run(&threads, &strategies, &Arc::default(), replay, |_| {})?;
    Ok((settings, threads, files, report))
}
