//! The stages of the path one by one, each in a function of its own, to be counted under callgrind: see
//! `tools/count-instructions.sh`. It times nothing.
//!
//! The first argument that is no option is the capture: `btc-perp-a`, `btc-spot-a` or `synthetic`.

mod common;

use common::{Frames, Nobody, Parsed, captures, stand_in_model, synthetic};
use papertrader::base::clock::Clock;
use papertrader::engine::Engine;
use papertrader::engine::latency::{EngineStamps, Recorder, STAGES_EVERY, recorder};
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::coinbase::level2::Parser;
use papertrader::feed::intake::{Arrival, Intake, ScaleRule};
use papertrader::market::book::Book;
use papertrader::market::event::UNSTAMPED;
use papertrader::market::event::{Event, FrameHead, FrameKind};
use papertrader::market::publish::Publish;
use papertrader::market::units::Scale;
use papertrader::strategy::features::{FeatureSet, SEED, Weights};
use rtrb::RingBuffer;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

/// Frames that are counted, behind the snapshot.
const FRAMES: usize = 3_000;

fn take(intake: &mut Intake, clock: &Clock, engine: &mut impl Publish, (ts_recv_ns, frame): &(i64, Vec<u8>)) {
    let stamp = clock.stamp();
    let arrival = Arrival { ts_recv_ns: *ts_recv_ns, arrived: None, received: stamp, decoded: stamp };
    black_box(intake.take(frame, &arrival, engine)).expect("the engine stays");
}

#[inline(never)]
fn stage_parse(parser: &mut Parser, scale: Scale, levels: &mut Vec<Event>, frames: &[(i64, Vec<u8>)]) {
    for (_, frame) in frames {
        black_box(parser.parse(frame, scale, levels)).expect("a message");
        black_box(&levels);
    }
}

#[inline(never)]
fn stage_intake(intake: &mut Intake, clock: &Clock, frames: &[(i64, Vec<u8>)]) {
    frames.iter().for_each(|frame| take(intake, clock, &mut Nobody, frame));
}

#[inline(never)]
fn stage_book(book: &mut Book, levels: &[Event]) {
    book.apply(levels);
    book.end_update().expect("a book of ordinary size");
}

#[inline(never)]
fn stage_features(features: &mut FeatureSet, book: &Book) -> bool {
    black_box(features.update(book, 0)).expect("a book of ordinary size")
}

#[inline(never)]
fn stage_logit(features: &FeatureSet, weights: &Weights) {
    black_box(features.dot(weights));
}

#[inline(never)]
fn stage_record(recorder: &mut Recorder, head: &FrameHead, stamps: &EngineStamps) {
    recorder.record(head, stamps);
}

#[inline(never)]
fn stage_whole_path(intake: &mut Intake, clock: &Clock, engine: &mut Engine, frames: &[(i64, Vec<u8>)]) {
    frames.iter().for_each(|frame| take(intake, clock, engine, frame));
}

fn main() {
    let name = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let capture = match name.as_deref() {
        None => captures().remove(0),
        Some(name) => captures().into_iter().find(|capture| capture.name == name).unwrap_or_else(synthetic),
    };
    let capture = Frames { frames: capture.frames.into_iter().take(FRAMES + 1).collect(), ..capture };
    let (scale, parsed) = capture.parsed();
    let counted = &parsed[1..];
    let levels: usize = counted.iter().map(|(_, levels)| levels.len()).sum();
    let bytes: usize = capture.frames[1..].iter().map(|(_, frame)| frame.len()).sum();
    println!("{} {} {levels} {bytes}", capture.name, counted.len());
    let (snapshot, updates) = capture.frames.split_first().expect("a snapshot");
    let clock = Clock::new();

    let (mut parser, mut room) = (Parser::new(&capture.product), Vec::with_capacity(1 << 14));
    parser.parse(&snapshot.1, scale, &mut room).expect("a snapshot");
    stage_parse(&mut parser, scale, &mut room, updates);

    let mut intake = Intake::new(&capture.product, ScaleRule::default(), clock.clone());
    take(&mut intake, &clock, &mut Nobody, snapshot);
    stage_intake(&mut intake, &clock, updates);

    behind_the_ring(scale, &parsed);

    let (recorder, _tables) = recorder(clock.clone(), Duration::from_secs(3600));
    let (trades, _trades) = RingBuffer::new(FRAMES);
    let settings = OriginalRules { threshold_logit: 0.5, lag_updates: 20, buy_amount: 5.0 };
    let outputs = Outputs::of(trades);
    let mut engine =
        Engine::new(vec![Trader::original(stand_in_model(), settings, outputs)], recorder, Arc::new(Status::default()));
    let mut intake = Intake::new(&capture.product, ScaleRule::default(), clock.clone());
    take(&mut intake, &clock, &mut engine, snapshot);
    stage_whole_path(&mut intake, &clock, &mut engine, updates);
    black_box(engine.finish());
}

/// Book, features, logit and the recording of latencies, frame by frame.
fn behind_the_ring(scale: Scale, parsed: &[Parsed]) {
    let (mut book, mut features) = (Book::default(), FeatureSet::new(&SEED));
    let weights = Weights::new(&SEED, &[0.5; 28]);
    let (mut recorder, _tables) = recorder(Clock::new(), Duration::from_secs(3600));
    for (at, (kind, levels)) in parsed.iter().enumerate() {
        if *kind == FrameKind::Snapshot {
            book.begin_snapshot(scale);
            book.stage(levels);
            book.end_snapshot().expect("a book of ordinary size");
            features.update(&book, 0).expect("a book of ordinary size");
            continue;
        }
        stage_book(&mut book, levels);
        if stage_features(&mut features, &book) {
            stage_logit(&features, &weights);
        }
        let from = at as u64 * 100_000;
        let head = FrameHead {
            kind: *kind,
            product: 0,
            levels: levels.len() as u32,
            scale,
            sequence_num: at as u64,
            ts_recv_ns: 0,
            ts_event_ns: 0,
            arrived: 0,
            received: from,
            decoded: from + 40,
            published: if (at as u64).is_multiple_of(STAGES_EVERY) { from + 1_000 } else { UNSTAMPED },
        };
        let stamps =
            EngineStamps { taken: from + 1_400, applied: from + 2_000, decided: Some((from + 2_500, from + 2_550)) };
        stage_record(&mut recorder, &head, &stamps);
    }
}
