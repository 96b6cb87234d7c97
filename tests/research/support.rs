//! Captures of made-up markets, rows by the library, and the engine that trades with what it infers.

use crate::common::{papertrader, succeed};
use papertrader::capture::replay::Replay;
use papertrader::engine::Engine;
use papertrader::engine::latency::recorder;
use papertrader::engine::observation::Observation;
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::intake::ScaleRule;
use papertrader::market::event::{Event, FrameHead};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::research::dataset::FeatureRows;
use papertrader::research::source::{Nobody, RowShape, Source, Watch};
use papertrader::research::table::{RowKey, Table};
use papertrader::run::session::Feed;
use papertrader::statistics::labels::LabelRule;
use papertrader::strategy::features::{Feature, FeatureSet, Input};
use papertrader::strategy::model::{Model, ModelFile};
use rtrb::{Consumer, RingBuffer};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A capture of the synthetic market.
pub fn synthetic(folder: &TempDir, name: &str, seed: u32, frames: u32) -> PathBuf {
    let path = folder.path().join(name);
    let (seed, frames) = (seed.to_string(), frames.to_string());
    succeed(
        papertrader()
            .args(["generate", "--no-trades", "--levels", "600", "--seed", &seed, "--frames", &frames, "-o"])
            .arg(&path),
    );
    path
}

/// The messages of a capture, and after frame `at` a message with the prints that `prints` gives for it: the taker's side, price
/// and size. Trades are numbered from 1 on.
pub fn with_prints(
    plain: &Path,
    path: &Path,
    prints: impl Fn(usize) -> Vec<(&'static str, String, String)>,
) -> PathBuf {
    let (mut text, mut sequence_num, mut trade_id) = (String::new(), 0, 0);
    for (at, line) in fs::read_to_string(plain).unwrap().lines().enumerate() {
        let (ts_recv_ns, message) = line.split_once(' ').unwrap();
        let product = message.split(r#""product_id":""#).nth(1).unwrap().split('"').next().unwrap();
        let (before, after) = message.split_once(r#""sequence_num":"#).unwrap();
        let after = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
        text.push_str(&format!("{ts_recv_ns} {before}\"sequence_num\":{sequence_num}{after}\n"));
        sequence_num += 1;
        // The message tells the maker's side, and the newest trade first.
        let mut trades: Vec<String> = Vec::new();
        for (side, price, size) in prints(at) {
            trade_id += 1;
            let maker = if side == "BUY" { "SELL" } else { "BUY" };
            trades.push(format!(
                r#"{{"product_id":"{product}","trade_id":"{trade_id}","price":"{price}","size":"{size}","time":"2024-08-08T23:54:15.617Z","side":"{maker}"}}"#
            ));
        }
        if !trades.is_empty() {
            trades.reverse();
            text.push_str(&format!(
                r#"{ts_recv_ns} {{"channel":"market_trades","timestamp":"2024-08-08T23:54:16Z","sequence_num":{sequence_num},"events":[{{"type":"update","trades":[{}]}}]}}"#,
                trades.join(",")
            ));
            text.push('\n');
            sequence_num += 1;
        }
    }
    fs::write(path, text).unwrap();
    path.into()
}

/// A table of rows with a label, by the library.
pub struct Rows {
    pub table: Table,
    pub labelled: u64,
    pub ties: u64,
}

pub fn rows(captures: &[PathBuf], features: &[Feature], horizon: u32) -> Rows {
    let source = Source::open(captures, None, ScaleRule::default()).unwrap();
    let mut rows = Rows { table: Table::new(features.len(), usize::MAX), labelled: 0, ties: 0 };
    let watch = Watch { bar: &Nobody, stop: &|| false };
    source
        .read_rows(
            RowShape { label: LabelRule::mid_after(horizon), every: 1 },
            &mut FeatureRows::new(FeatureSet::new(features)),
            &watch,
            &mut |row| {
                let Some(change) = row.change else { return Ok(()) };
                rows.labelled += 1;
                if change.sign == 0 {
                    rows.ties += 1;
                    return Ok(());
                }
                let head = row.head;
                let key = RowKey {
                    ordinal: head.sequence,
                    sequence: head.sequence,
                    until: row.until,
                    capture: head.capture,
                    sign: change.sign,
                };
                Ok(rows.table.push(key, row.values)?)
            },
        )
        .unwrap();
    rows.table.finish().unwrap();
    rows
}

/// The engine that trades, with what it infers.
struct Watched {
    engine: Engine,
    observations: Consumer<Observation>,
    seen: Vec<(u64, f64)>,
}

impl Publish for Watched {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.engine.publish(head, levels)?;
        while let Ok(frame) = self.observations.pop() {
            self.seen.extend(frame.evaluation.map(|evaluation| (frame.venue_sequence_num, evaluation.logit)));
        }
        Ok(())
    }
}

pub fn one_feature(feature: &Input) -> Model {
    let file = ModelFile {
        features: vec![feature.definition()],
        intercept: 0.0,
        coefficients: vec![1.0],
        ..ModelFile::default()
    };
    Model::from_file("one.json".as_ref(), &file).unwrap()
}

/// The venue's sequence number and the logit of each evaluation.
pub fn seen_by_the_engine(capture: &Path, model: Model) -> Vec<(u64, f64)> {
    let settings = OriginalRules { threshold_logit: f64::INFINITY, lag_updates: 1, buy_amount: 1.0 };
    let (recorder, _tables) = recorder(papertrader::base::clock::Clock::new(), Duration::MAX);
    let (trades, _trades) = RingBuffer::new(8);
    let (observations, observations_out) = RingBuffer::new(8);
    let outputs = Outputs { observations: Some(observations), ..Outputs::of(trades) };
    let engine = Engine::new(vec![Trader::original(model, settings, outputs)], recorder, Arc::new(Status::default()));
    let mut watched = Watched { engine, observations: observations_out, seen: Vec::new() };
    let replay = Replay::open(capture, None, ScaleRule::default(), papertrader::base::clock::Speed::Max).unwrap();
    let outcome = replay.run(&mut watched, &Status::default());
    assert!(outcome.error.is_none());
    watched.seen
}

/// Header and cells of a table that `features` wrote.
pub fn csv_table(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().iter().map(Into::into).collect();
    (header, reader.records().map(|record| record.unwrap().iter().map(Into::into).collect()).collect())
}

/// A capture of a made-up market: a frame per pair of best sizes and bid price in ticks, the spread one tick.
pub fn made_up(
    folder: &TempDir,
    name: &str,
    start_ns: i64,
    frames: impl Iterator<Item = (u32, u32)>,
    product: &str,
) -> PathBuf {
    let mut text = String::new();
    for (number, (bid_ticks, size)) in frames.enumerate() {
        let level = |side: &str, ticks: u32, size: u32| {
            format!(
                r#"{{"side":"{side}","event_time":"2024-08-08T23:54:15.96458Z","price_level":"{}.{:02}","new_quantity":"{size}"}}"#,
                ticks / 100,
                ticks % 100
            )
        };
        text.push_str(&format!(
            concat!(
                r#"{} {{"channel":"l2_data","timestamp":"2024-08-08T23:54:16Z","sequence_num":{},"#,
                r#""events":[{{"type":"snapshot","product_id":"{}","updates":[{},{}]}}]}}"#,
                "\n"
            ),
            start_ns + number as i64 * 10_000_000,
            number,
            product,
            level("bid", bid_ticks, size),
            level("offer", bid_ticks + 1, 5)
        ));
    }
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Updates rather than snapshots after the first frame: what `made_up` makes, with a market that moves.
pub fn moving(
    folder: &TempDir,
    name: &str,
    start_ns: i64,
    prices: impl Iterator<Item = (u32, u32)>,
    product: &str,
) -> PathBuf {
    let path = made_up(folder, name, start_ns, prices, product);
    let text = fs::read_to_string(&path).unwrap();
    let mut previous: Option<(String, String)> = None;
    let mut out = String::new();
    for line in text.lines() {
        let prices: Vec<&str> = line
            .match_indices("price_level\":\"")
            .map(|(at, key)| line[at + key.len()..].split('"').next().unwrap())
            .collect();
        let (bid, ask) = (prices[0].to_owned(), prices[1].to_owned());
        match previous.replace((bid.clone(), ask.clone())) {
            None => out.push_str(line),
            Some((old_bid, old_ask)) => {
                let mut removed = String::new();
                let mut remove = |side: &str, price: &str| {
                    removed.push_str(&format!(r#"{{"side":"{side}","price_level":"{price}","new_quantity":"0"}},"#));
                };
                if old_bid != bid {
                    remove("bid", &old_bid);
                    remove("offer", &old_ask);
                }
                let line = line.replace(r#""type":"snapshot""#, r#""type":"update""#);
                out.push_str(&line.replace(r#""updates":["#, &format!(r#""updates":[{removed}"#)));
            }
        }
        out.push('\n');
    }
    fs::write(&path, out).unwrap();
    path
}

/// The features that a market of one level a side has.
pub const THIN_FEATURES: [&str; 2] = ["--features", "imbalance_1,bid_size_1"];
