//! Parsed frames into a book, then the ten best levels of both sides: our book beside two ordered maps.

mod common;

use common::books::{Maps, Ours, apply_alone, apply_and_read};
use common::{Work, captures, compare};

fn main() {
    for capture in captures() {
        let (scale, frames) = capture.parsed();
        let work = Work::of_updates(&frames);
        compare(
            &format!("book, {}: apply and read the ten best", capture.name),
            work,
            &mut [
                apply_and_read("papertrader", Ours::new(scale), &frames),
                apply_and_read("two BTreeMaps", Maps::default(), &frames),
            ],
        );
        compare(
            &format!("book, {}: apply alone", capture.name),
            work,
            &mut [
                apply_alone("papertrader", Ours::new(scale), &frames),
                apply_alone("two BTreeMaps", Maps::default(), &frames),
            ],
        );
    }
}
