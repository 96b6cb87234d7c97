//! The original's 28 features and the logit after every frame: a compiled feature set, by names and written out as expressions,
//! beside plain scalar code, which is the
//! catalogue's formulas one after another. Both take the ten best levels of both sides as the book kept them after each frame.

mod common;

use common::{Arm, Parsed, Work, captures, compare};
use papertrader::market::book::{Book, Level, Top};
use papertrader::market::units::Scale;
use papertrader::strategy::features::{FeatureSet, Input, SEED, Weights};
use std::hint::black_box;

/// Frames whose best levels are brought into the caches at a time, where the book has them.
const BLOCK_FRAMES: usize = 256;

/// The arms' logits differ in their last bits: they are compared in steps of a millionth.
const STEPS_PER_UNIT: f64 = 1e6;

fn steps(value: f64) -> u64 {
    (value * STEPS_PER_UNIT).round() as i64 as u64
}

fn weights() -> [f64; 28] {
    std::array::from_fn(|at| if at == 23 { 2.0 } else { 1e-7 * (at + 1) as f64 })
}

/// The best levels of both sides after each frame, the snapshot included.
fn tops(scale: Scale, frames: &[Parsed]) -> Vec<[Top; 2]> {
    let mut book = Book::default();
    book.begin_snapshot(scale);
    book.stage(&frames[0].1);
    book.end_snapshot().expect("a book of ordinary size");
    let mut tops = vec![[book.bids().top().clone(), book.asks().top().clone()]];
    for (_, levels) in &frames[1..] {
        book.apply(levels);
        book.end_update().expect("a book of ordinary size");
        tops.push([book.bids().top().clone(), book.asks().top().clone()]);
    }
    tops
}

/// An arm that runs `evaluate` on what every frame behind the snapshot left, and sums up what it gives.
fn arm<'a, E: FnMut([&Top; 2]) -> f64 + 'a>(name: &'a str, tops: &'a [[Top; 2]], evaluate: E) -> Arm<'a> {
    let (snapshot, updates) = (&tops[0], &tops[1..]);
    let block = |at: usize| &updates[at * BLOCK_FRAMES..updates.len().min((at + 1) * BLOCK_FRAMES)];
    let prepare = move |evaluate: &mut E, at: usize| {
        if at == 0 {
            // Whatever is kept is kept of this.
            black_box(evaluate(snapshot.each_ref()));
        }
        black_box(
            block(at).iter().flatten().map(|top| top.price_ticks()[0] ^ top.size_lots()[9]).fold(0, |a, b| a ^ b),
        );
    };
    Arm::in_blocks(name, evaluate, updates.len().div_ceil(BLOCK_FRAMES), prepare, move |evaluate: &mut E, at| {
        block(at).iter().fold(0, |sum, tops| sum.wrapping_add(steps(evaluate(black_box(tops.each_ref())))))
    })
}

/// The formulas of the catalogue, one after another.
fn plain([best_bids, best_asks]: [&Top; 2], scale: Scale, weights: &[f64; 28]) -> f64 {
    let price = |level: &Level| level.price_ticks as f64 / scale.ticks_per_unit();
    let size = |level: &Level| level.size_lots as f64 / scale.lots_per_unit();
    let (mut bids, mut asks) = ([Level::default(); 10], [Level::default(); 10]);
    bids.iter_mut().zip(best_bids.levels()).for_each(|(place, level)| *place = level);
    asks.iter_mut().zip(best_asks.levels()).for_each(|(place, level)| *place = level);
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

/// The original's features as expressions. `one` is what each level is multiplied by: nothing, so that the catalogue's features are
/// found in them, or `1 * `, so that the program computes them.
fn written_out(one: &str) -> Vec<Input> {
    let mut texts = vec!["bid_price_1 - ask_price_1".to_owned()];
    for family in ["bid_size", "ask_size", "bid_price", "ask_price"] {
        texts.extend((1..=3).map(|level| format!("{one}{family}_{level}")));
    }
    for family in ["bid_size", "ask_size"] {
        texts.extend((1..=5).map(|level| format!("ln({one}{family}_{level})")));
    }
    texts.push(format!("({one}bid_size_1 - {one}ask_size_1) / ({one}bid_size_1 + {one}ask_size_1)"));
    let vwap = |side: &str| format!("sum({one}{side}_price * {side}_size, 1..10) / sum({one}{side}_size, 1..10)");
    texts.extend([vwap("bid"), vwap("ask"), format!("ln({})", vwap("bid")), format!("ln({})", vwap("ask"))]);
    let named = texts.iter().enumerate().map(|(at, text)| format!("x{at} = {text}"));
    named.map(|definition| definition.parse().expect("an expression")).collect()
}

fn main() {
    let weights = weights();
    for capture in captures() {
        let (scale, frames) = capture.parsed();
        let work = Work::of_updates(&frames);
        let tops = tops(scale, &frames);
        // As the engine does it.
        let ours = |inputs: &[Input]| {
            let placed = Weights::new(inputs, &weights);
            let (mut features, mut logit) = (FeatureSet::new(inputs), 0.0);
            move |tops: [&Top; 2]| {
                if features.update_from(tops, scale, 0).expect("a book of ordinary size") {
                    logit = features.dot(&placed);
                }
                logit
            }
        };
        compare(
            &format!("features, {}: 28 features and logit", capture.name),
            work,
            &mut [
                arm("papertrader", &tops, ours(&SEED.map(Input::from))),
                arm("papertrader, expressions", &tops, ours(&written_out(""))),
                arm("papertrader, expressions by the program", &tops, ours(&written_out("1 * "))),
                arm("plain scalar code", &tops, |tops| plain(tops, scale, &weights)),
            ],
        );
    }
}
