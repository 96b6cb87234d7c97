//! The original's 28 features and the logit after every frame: a compiled feature set beside plain scalar code on the same
//! book, which is the catalogue's formulas one after another. Each frame's book is evaluated eight times, so that little
//! of the time is the book's; what that is is timed besides.

mod common;

use common::{Arm, Parsed, Work, captures, compare};
use papertrader::book::{Book, Level};
use papertrader::event::FrameKind;
use papertrader::features::{FeatureSet, Row, SEED, Weights};
use papertrader::units::Scale;
use std::hint::black_box;

/// Evaluations of a frame's book.
const TIMES: usize = 8;

/// The arms' logits differ in their last bits: they are compared in steps of a millionth.
const STEPS_PER_UNIT: f64 = 1e6;

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
        (0..TIMES).fold(sum, |sum, _| {
            let steps = (evaluate(black_box(&book)) * STEPS_PER_UNIT).round();
            sum.wrapping_add(steps as i64 as u64)
        })
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
        let work = Work { frames: frames.len() * TIMES, levels: frames.len() * TIMES * 20, bytes: 0 };
        let padded = Weights::new(&weights);
        let (mut features, mut row) = (FeatureSet::new(&SEED), Row::default());
        compare(
            &format!("features, {}: 28 features and logit, an eighth of the book", capture.name),
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
        compare(
            &format!("features, {}: the eighth of the book", capture.name),
            work,
            &mut [Arm::new("papertrader", || {
                run(scale, &frames, |book| book.best().map_or(0.0, |(bid, _)| bid.size_lots as f64))
            })],
        );
    }
}
