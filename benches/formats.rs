//! Markets on disk to decisions, on one thread beside the one that reads: captures, frames, rows of Tardis, in turns.

mod common;

use common::{captures, median, rounds, shared_data, stand_in_model};
use papertrader::base::clock::Clock;
use papertrader::base::output::IfTaken;
use papertrader::capture::frames::{FrameWriter, Header};
use papertrader::capture::{CaptureWriter, Compression};
use papertrader::engine::Engine;
use papertrader::engine::latency::recorder;
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::execution::rules::OriginalRules;
use papertrader::market::event::{Event, FrameHead, FrameKind};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::market::units::{Decimal, Side};
use papertrader::run::session::Feed;
use papertrader::sources::market::{Market, MarketSettings};
use papertrader::sources::tardis::BOOK_HEADER;
use papertrader::strategy::model::Model;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows of Tardis, a microsecond apart at least.
#[derive(Default)]
struct Rows {
    text: String,
    last_us: i64,
    levels: usize,
}

impl Publish for Rows {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.last_us = (self.last_us + 1).max(head.ts_recv_ns / 1_000);
        let (us, is_snapshot) = (self.last_us, head.kind == FrameKind::Snapshot);
        self.levels += levels.len();
        for level in levels {
            let side = if level.side() == Side::Bid { "bid" } else { "ask" };
            let price = Decimal { count: level.price_ticks(), decimals: head.scale.price_decimals };
            let size = Decimal { count: level.size_lots(), decimals: head.scale.size_decimals };
            writeln!(self.text, "venue,PRODUCT,{us},{us},{is_snapshot},{side},{price},{size}")
                .expect("a String takes all");
        }
        Ok(())
    }
}

/// A market's way to its decisions: how many, and how long it took, nanoseconds.
fn replay(path: &Path, model: &Model) -> (u64, f64) {
    let (recorder, _tables) = recorder(Clock::new(), Duration::MAX);
    let (trades, _taken) = rtrb::RingBuffer::new(1 << 20);
    let rules = OriginalRules { threshold_logit: f64::INFINITY, lag_updates: 20, buy_amount: 5.0 };
    let status = Arc::new(Status::default());
    let trader = Trader::original(model.clone(), rules, Outputs::of(trades));
    let mut engine = Engine::new(vec![trader], recorder, Arc::clone(&status));
    let begun = Instant::now();
    let market = Market::open(path, &MarketSettings::default()).expect("a market");
    let outcome = market.run(&mut engine, &status);
    let elapsed_ns = begun.elapsed().as_nanos() as f64;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    (engine.finish().trader().counts.inferences, elapsed_ns)
}

fn main() {
    let recorded = shared_data().map(|data| data.join("models/20_update_log_classifier.txt"));
    let recorded = recorded.filter(|path| path.is_file());
    let model = recorded.map_or_else(stand_in_model, |path| Model::read(&path).expect("a model"));
    for capture in captures() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["m.l2", "m.l2.zst"] {
            let mut writer = CaptureWriter::create(&at(name)).expect("a new file");
            assert_eq!(Compression::of(&at(name)) == Compression::Zstd, name.ends_with("zst"));
            capture
                .frames
                .iter()
                .for_each(|(ts_recv_ns, frame)| writer.frame(*ts_recv_ns, frame).expect("there is room"));
            writer.finish().expect("there is room");
        }
        let open = || Market::open(&at("m.l2"), &MarketSettings::default()).expect("a capture");
        for (name, compress) in [("m.frames", true), ("plain.frames", false)] {
            let header = Header::of(&capture.product);
            let mut writer = FrameWriter::create(&at(name), &header, compress, IfTaken::Refuse).expect("a new file");
            open().run(&mut writer, &Status::default());
            writer.finish().expect("there is room");
        }
        let mut rows = Rows::default();
        open().run(&mut rows, &Status::default());
        fs::write(at("m.csv"), format!("{BOOK_HEADER}\n{}", rows.text)).expect("there is room");
        let arms: [(&str, PathBuf); 5] = [
            ("capture, .l2.zst", at("m.l2.zst")),
            ("capture, .l2", at("m.l2")),
            ("frames", at("m.frames")),
            ("frames, plain", at("plain.frames")),
            ("tardis, .csv", at("m.csv")),
        ];
        let mut times = [const { Vec::new() }; 5];
        for round in 0..=rounds() {
            let mut decisions = Vec::new();
            for turn in 0..arms.len() {
                let which = (turn + round) % arms.len();
                let (inferences, ns) = replay(&arms[which].1, &model);
                decisions.push(inferences);
                if round > 0 {
                    times[which].push(ns);
                }
            }
            assert!(decisions.windows(2).all(|pair| pair[0] == pair[1]), "{decisions:?}");
        }
        let frames = capture.frames.len();
        println!(
            "markets to decisions, {}: {frames} frames, {} levels, {} rounds, medians",
            capture.name,
            rows.levels,
            rounds()
        );
        println!("  {:<18} {:>12} {:>12} {:>12} {:>12}", "", "bytes", "frames/s", "x .l2.zst", "x .l2");
        for ((name, path), own) in arms.iter().zip(&times) {
            let bytes = path.metadata().map_or(0, |file| file.len());
            let ratio = |other: usize| median(times[other].iter().zip(own).map(|(other, own)| other / own).collect());
            let rate = frames as f64 * 1e9 / median(own.clone());
            println!("  {name:<18} {bytes:>12} {rate:>12.0} {:>12.2} {:>12.2}", ratio(0), ratio(1));
        }
    }
}
