//! Databento's books of ten levels: the records that the library `dbn` decodes, and ours to frames and to decisions, in turns.
//!
//! The file is made from a capture: a record for each frame that changes the ten best levels, sizes cut to what a record can hold.

mod common;

use common::{captures, median, rounds, shared_data, stand_in_model};
use dbn::decode::{DbnDecoder, DecodeRecordRef};
use dbn::encode::EncodeRecord;
use papertrader::base::clock::Clock;
use papertrader::capture::CaptureWriter;
use papertrader::engine::Engine;
use papertrader::engine::latency::recorder;
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::execution::rules::OriginalRules;
use papertrader::market::book::Follower;
use papertrader::market::event::{Event, FrameHead};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::run::session::Feed;
use papertrader::sources::databento::DatabentoReader;
use papertrader::sources::market::{Market, MarketSettings};
use papertrader::sources::{FrameReader, RawFrame, ReaderSettings};
use papertrader::strategy::model::Model;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The ten best levels of each side, once for each change of them.
#[derive(Default)]
struct TenBest {
    follower: Follower,
    records: Vec<dbn::Mbp10Msg>,
}

impl Publish for TenBest {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.follower.count(head);
        let _ = self.follower.begin(head);
        if head.kind.is_book_frame() {
            self.follower.levels(levels);
        }
        let _ = self.follower.end();
        if !(head.kind.is_book_frame() && self.follower.is_live()) {
            return Ok(());
        }
        let book = self.follower.book();
        let unit = 10_i64.pow(9 - u32::from(head.scale.price_decimals));
        let mut record = dbn::Mbp10Msg::default();
        (record.hd.publisher_id, record.hd.instrument_id) = (1, 1);
        (record.hd.ts_event, record.ts_recv) = (head.ts_recv_ns as u64, head.ts_recv_ns as u64);
        (record.action, record.side, record.flags) = (b'A' as _, b'N' as _, dbn::flags::LAST.into());
        let price = |ticks: u64| ticks as i64 * unit;
        let size = |lots: u64| (lots % 1_000_000_000) as u32 + 1;
        for level in &mut record.levels {
            (level.bid_px, level.ask_px) = (i64::MAX, i64::MAX);
        }
        for (to, level) in record.levels.iter_mut().zip(book.bids().levels()) {
            (to.bid_px, to.bid_sz) = (price(level.price_ticks), size(level.size_lots));
        }
        for (to, level) in record.levels.iter_mut().zip(book.asks().levels()) {
            (to.ask_px, to.ask_sz) = (price(level.price_ticks), size(level.size_lots));
        }
        if self.records.last().is_none_or(|last| last.levels != record.levels) {
            self.records.push(record);
        }
        Ok(())
    }
}

fn encoded(records: &[dbn::Mbp10Msg], symbol: &str) -> Vec<u8> {
    let metadata = dbn::Metadata::builder()
        .dataset("XNAS.ITCH")
        .schema(Some(dbn::Schema::Mbp10))
        .start(0)
        .stype_in(None)
        .stype_out(dbn::SType::InstrumentId)
        .symbols(vec![symbol.into()])
        .build();
    let mut file = Vec::new();
    let mut encoder = dbn::encode::dbn::Encoder::new(&mut file, &metadata).expect("a vector takes all");
    records.iter().for_each(|record| encoder.encode_record(record).expect("a vector takes all"));
    file
}

/// The library alone: each record decoded and its best prices looked at. Gives how many there are.
fn library(path: &Path) -> usize {
    let file = std::io::BufReader::with_capacity(256 << 10, fs::File::open(path).expect("a file"));
    let mut decoder = DbnDecoder::new(file).expect("metadata");
    let (mut count, mut sum) = (0, 0_i64);
    while let Some(record) = decoder.decode_record_ref().expect("records") {
        let record = record.try_get::<dbn::Mbp10Msg>().expect("ten levels");
        sum = sum.wrapping_add(record.levels[0].bid_px ^ record.levels[9].ask_px);
        count += 1;
    }
    std::hint::black_box(sum);
    count
}

/// Our reader alone, to frames of decimals.
fn reader(path: &Path) -> usize {
    let mut reader = DatabentoReader::open(path, &ReaderSettings::default()).expect("a file");
    let (mut frame, mut count) = (RawFrame::default(), 0);
    while reader.next(&mut frame).expect("records") {
        count += 1;
    }
    count
}

/// The whole path to decisions.
fn decisions(path: &Path, model: &Model) -> usize {
    let (recorder, _tables) = recorder(Clock::new(), Duration::MAX);
    let (trades, _taken) = rtrb::RingBuffer::new(1 << 20);
    let rules = OriginalRules { threshold_logit: f64::INFINITY, lag_updates: 20, buy_amount: 5.0 };
    let status = Arc::new(Status::default());
    let trader = Trader::original(model.clone(), rules, Outputs::of(trades));
    let mut engine = Engine::new(vec![trader], recorder, Arc::clone(&status));
    let market = Market::open(path, &MarketSettings::default()).expect("a market");
    let outcome = market.run(&mut engine, &status);
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    outcome.first().counts.frames as usize
}

fn main() {
    let recorded = shared_data().map(|data| data.join("models/20_update_log_classifier.txt"));
    let recorded = recorded.filter(|path| path.is_file());
    let model = recorded.map_or_else(stand_in_model, |path| Model::read(&path).expect("a model"));
    for capture in captures() {
        let folder = tempfile::tempdir().expect("a folder");
        let (text, path) = (folder.path().join("m.l2"), folder.path().join("m.dbn"));
        let mut writer = CaptureWriter::create(&text).expect("a new file");
        for (ts_recv_ns, frame) in &capture.frames {
            writer.frame(*ts_recv_ns, frame).expect("there is room");
        }
        writer.finish().expect("there is room");
        let mut best = TenBest::default();
        Market::open(&text, &MarketSettings::default()).expect("a capture").run(&mut best, &Status::default());
        fs::write(&path, encoded(&best.records, &capture.product)).expect("there is room");
        let names = ["dbn's decoder alone", "ours to frames", "ours to decisions"];
        let arms: [Box<dyn Fn() -> usize>; 3] =
            [Box::new(|| library(&path)), Box::new(|| reader(&path)), Box::new(|| decisions(&path, &model))];
        let mut times = [const { Vec::new() }; 3];
        // The first round warms up, and each arm comes first as often as any other.
        for round in 0..=rounds() {
            for turn in 0..arms.len() {
                let at = (turn + round) % arms.len();
                let begun = Instant::now();
                let count = arms[at]();
                let elapsed_ns = begun.elapsed().as_nanos() as f64;
                assert_eq!(count, best.records.len(), "{}", names[at]);
                if round > 0 {
                    times[at].push(elapsed_ns);
                }
            }
        }
        let records = best.records.len();
        println!("databento, mbp-10, {}: {records} records, {} rounds, medians", capture.name, rounds());
        for (name, own) in names.iter().zip(&times) {
            let ratio = median(times[0].iter().zip(own).map(|(library, own)| library / own).collect());
            println!(
                "  {name:<22} {:>9.1} ns/record {ratio:>7.3}x of its records a second",
                median(own.clone()) / records as f64
            );
        }
    }
}
