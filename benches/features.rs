//! The original's 28 features and the logit after every frame: a compiled feature set beside plain scalar code on the same
//! book, which is the catalogue's formulas one after another. Both need a book, which is timed besides and taken off: frames
//! must follow each other, since the feature set computes what a frame has changed. Then the packed logarithm beside the
//! standard library's, on the sizes and prices that the features take it of.

mod common;

use common::{Arm, Parsed, Work, captures, compare};
use papertrader::book::{Book, Level};
use papertrader::event::FrameKind;
use papertrader::features::{FeatureSet, Row, SEED, Weights};
use papertrader::units::Scale;
use std::hint::black_box;

/// The arms' logits differ in their last bits: they are compared in steps of a millionth.
const STEPS_PER_UNIT: f64 = 1e6;

fn steps(value: f64) -> u64 {
    (value * STEPS_PER_UNIT).round() as i64 as u64
}

fn weights() -> [f64; 28] {
    std::array::from_fn(|at| if at == 23 { 2.0 } else { 1e-7 * (at + 1) as f64 })
}

/// Runs `evaluate` on the book after every frame and sums up what it gives.
fn run(scale: Scale, frames: &[Parsed], mut evaluate: impl FnMut(&Book) -> f64) -> u64 {
    let mut book = Book::default();
    frames.iter().fold(0, |sum, (kind, levels)| {
        if *kind == FrameKind::Snapshot {
            book.begin_snapshot(scale);
            book.stage(levels);
            book.end_snapshot().expect("a book of ordinary size");
        } else {
            book.apply(levels);
            book.end_update().expect("a book of ordinary size");
        }
        sum.wrapping_add(steps(evaluate(black_box(&book))))
    })
}

/// The formulas of the catalogue, one after another.
fn plain(book: &Book, weights: &[f64; 28]) -> f64 {
    let scale = book.scale();
    let price = |level: &Level| level.price_ticks as f64 / scale.ticks_per_unit();
    let size = |level: &Level| level.size_lots as f64 / scale.lots_per_unit();
    let (mut bids, mut asks) = ([Level::default(); 10], [Level::default(); 10]);
    bids.iter_mut().zip(book.bids().levels()).for_each(|(place, level)| *place = level);
    asks.iter_mut().zip(book.asks().levels()).for_each(|(place, level)| *place = level);
    let vwap = |levels: &[Level; 10]| {
        levels.iter().map(|level| price(level) * size(level)).sum::<f64>() / levels.iter().map(size).sum::<f64>()
    };
    let mut row = [0.0; 28];
    row[0] = price(&bids[0]) - price(&asks[0]);
    for at in 0..3 {
        row[1 + at] = size(&bids[at]);
        row[4 + at] = size(&asks[at]);
        row[7 + at] = price(&bids[at]);
        row[10 + at] = price(&asks[at]);
    }
    for at in 0..5 {
        row[13 + at] = size(&bids[at]).ln();
        row[18 + at] = size(&asks[at]).ln();
    }
    let (bid, ask) = (size(&bids[0]), size(&asks[0]));
    row[23] = (bid - ask) / (bid + ask);
    row[24] = vwap(&bids);
    row[25] = vwap(&asks);
    row[26] = row[24].ln();
    row[27] = row[25].ln();
    row.iter().zip(weights).map(|(value, weight)| value * weight).sum()
}

fn main() {
    let weights = weights();
    for capture in captures() {
        let (scale, frames) = capture.parsed();
        let work = Work { frames: frames.len(), levels: frames.len() * 20, bytes: 0 };
        let padded = Weights::new(&weights);
        let (mut features, mut row) = (FeatureSet::new(&SEED), Row::default());
        let times_ns = compare(
            &format!("features, {}: a frame's book, 28 features and logit", capture.name),
            work,
            &mut [
                Arm::new("papertrader", || {
                    run(scale, &frames, |book| match features.update(book, 0, &mut row) {
                        Ok(()) => padded.dot(&row),
                        Err(_) => 0.0,
                    })
                }),
                Arm::new("plain scalar code", || run(scale, &frames, |book| plain(book, &weights))),
            ],
        );
        let book_ns = compare(
            &format!("features, {}: the book alone", capture.name),
            work,
            &mut [Arm::new("papertrader", || {
                run(scale, &frames, |book| book.best().map_or(0.0, |(bid, _)| bid.size_lots as f64))
            })],
        );
        let [ours_ns, plain_ns] =
            [times_ns[0], times_ns[1]].map(|time_ns| (time_ns - book_ns[0]) / frames.len() as f64);
        println!("  without the book: {ours_ns:.1} ns a frame, plain {plain_ns:.1}, {:.2}x\n", plain_ns / ours_ns);
    }
}
