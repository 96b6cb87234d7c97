//! The original's 28 features and the logit after every frame: a compiled feature set beside plain scalar code on the same
//! book, which is the catalogue's formulas one after another. Both take the ten best levels that the book keeps at hand. The
//! book is timed besides and taken off: frames must follow each other, since the feature set computes what a frame has changed.

mod common;

use common::{Arm, Parsed, Work, captures, compare};
use papertrader::book::{Book, Level};
use papertrader::features::{FeatureSet, SEED, Weights};
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

/// An arm that runs `evaluate` on the book after every frame behind the snapshot and sums up what it gives. The book stays from
/// round to round; the snapshot that begins it anew is not timed.
fn arm<'a>(name: &'a str, scale: Scale, frames: &'a [Parsed], mut evaluate: impl FnMut(&Book) -> f64 + 'a) -> Arm<'a> {
    let (snapshot, updates) = (&frames[0].1, &frames[1..]);
    let prepare = move |book: &mut Book| {
        book.begin_snapshot(scale);
        book.stage(snapshot);
        book.end_snapshot().expect("a book of ordinary size");
    };
    Arm::prepared(name, Book::default(), prepare, move |book| {
        updates.iter().fold(0, |sum, (_, levels)| {
            book.apply(levels);
            book.end_update().expect("a book of ordinary size");
            sum.wrapping_add(steps(evaluate(black_box(book))))
        })
    })
}

/// The formulas of the catalogue, one after another.
fn plain(book: &Book, weights: &[f64; 28]) -> f64 {
    let scale = book.scale();
    let price = |level: &Level| level.price_ticks as f64 / scale.ticks_per_unit();
    let size = |level: &Level| level.size_lots as f64 / scale.lots_per_unit();
    let (mut bids, mut asks) = ([Level::default(); 10], [Level::default(); 10]);
    bids.iter_mut().zip(book.bids().top().levels()).for_each(|(place, level)| *place = level);
    asks.iter_mut().zip(book.asks().top().levels()).for_each(|(place, level)| *place = level);
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
        let work = Work::of_updates(&frames);
        let placed = Weights::new(&SEED, &weights);
        let (mut features, mut logit) = (FeatureSet::new(&SEED), 0.0);
        // As the engine does it.
        let ours = move |book: &Book| {
            if features.update(book, 0).expect("a book of ordinary size") {
                logit = features.dot(&placed);
            }
            logit
        };
        // What the plain code gives after each frame, for the arm that only keeps the book.
        let mut logits = Vec::new();
        (arm("", scale, &frames, |book| {
            logits.push(plain(book, &weights));
            0.0
        })
        .run)();
        let mut known = logits.iter().cycle();
        let times_ns = compare(
            &format!("features, {}: a frame's book, 28 features and logit", capture.name),
            work,
            &mut [
                arm("papertrader", scale, &frames, ours),
                arm("plain scalar code", scale, &frames, |book| plain(book, &weights)),
                arm("the book alone", scale, &frames, move |_| *known.next().expect("it begins again")),
            ],
        );
        let [ours_ns, plain_ns] =
            [times_ns[0], times_ns[1]].map(|time_ns| (time_ns - times_ns[2]) / work.frames as f64);
        println!("  without the book: {ours_ns:.1} ns a frame, plain {plain_ns:.1}, {:.2}x\n", plain_ns / ours_ns);
    }
}
