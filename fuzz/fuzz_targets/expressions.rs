//! Expressions: an error of one line that points into the text, or a program that computes any books without a panic, and the same
//! again from what it is written as.
#![no_main]

use libfuzzer_sys::fuzz_target;
use papertrader::market::book::Book;
use papertrader::market::event::Event;
use papertrader::market::units::{Scale, Side};
use papertrader::strategy::features::{FeatureSet, Input, check};

fn book(seed: u64) -> Book {
    let mut book = Book::default();
    book.begin_snapshot(Scale { price_decimals: 2, size_decimals: 3 });
    let random = |n: u64| (seed ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50;
    for level in 0..10 {
        book.stage(&[
            Event::level(Side::Bid, 100_000 - 20 * level - random(level) % 20, 1 + random(level + 10)),
            Event::level(Side::Ask, 100_001 + 20 * level + random(level + 20) % 20, 1 + random(level + 30)),
        ]);
    }
    book.end_snapshot().expect("ten levels a side");
    book
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut inputs: Vec<Input> = Vec::new();
    for (at, line) in text.split(';').take(8).enumerate() {
        match format!("x{at} = {line}").parse::<Input>() {
            Err(error) => {
                let shown = error.to_string();
                assert!(
                    shown.starts_with(&format!("\"x{at}\", column ")) && !shown.contains(char::is_control),
                    "{shown:?}"
                );
            }
            Ok(input) => {
                assert_eq!(input.definition().parse().as_ref(), Ok(&input));
                inputs.push(input);
            }
        }
    }
    if inputs.is_empty() || check(&inputs).is_err() {
        return;
    }
    let (mut set, mut again) = (FeatureSet::new(&inputs), FeatureSet::new(&inputs));
    for update in 0..40_u64 {
        let (book, now_ns) = (book(update), (update * 70_000_000) as i64);
        let outcomes = [set.update(&book, now_ns), again.update(&book, now_ns)];
        assert_eq!(outcomes[0], outcomes[1]);
        if outcomes[0].is_ok() {
            assert!(set.values().all(f64::is_finite));
            assert!(set.values().map(f64::to_bits).eq(again.values().map(f64::to_bits)));
        }
    }
});
