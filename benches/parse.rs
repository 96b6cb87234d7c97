//! Raw frames to levels: our parser beside typed structures by sonic-rs and serde_json, and beside its own general way.

mod common;

use common::{Arm, Work, captures, compare, mix};
use papertrader::event::Event;
use papertrader::feed::level2::Parser;
use papertrader::units::{Side, parse_count};
use serde::Deserialize;
use std::borrow::Cow;

/// The obvious structures, without a copy where the text has no escapes.
#[derive(Deserialize)]
struct Message<'a> {
    sequence_num: u64,
    #[serde(borrow)]
    events: Vec<BookEvent<'a>>,
}

#[derive(Deserialize)]
struct BookEvent<'a> {
    #[serde(borrow)]
    product_id: Cow<'a, str>,
    #[serde(borrow)]
    updates: Vec<Update<'a>>,
}

#[derive(Deserialize)]
struct Update<'a> {
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    price_level: Cow<'a, str>,
    #[serde(borrow)]
    new_quantity: Cow<'a, str>,
}

fn level_sum(sum: u64, level: Event) -> u64 {
    mix(mix(sum, level.price_ticks() ^ u64::from(level.side() == Side::Ask) << 63), level.size_lots())
}

fn main() {
    for capture in captures() {
        let (scale, parsed) = capture.parsed();
        // The snapshot is a start-up matter.
        let frames = &capture.frames[1..];
        let work = Work {
            frames: frames.len(),
            levels: parsed[1..].iter().map(|(_, levels)| levels.len()).sum(),
            bytes: frames.iter().map(|(_, frame)| frame.len()).sum(),
        };
        let (mut ours, mut general) = (Parser::new(&capture.product), Parser::new(&capture.product));
        let (mut our_levels, mut general_levels) = (Vec::with_capacity(1 << 14), Vec::with_capacity(1 << 14));
        let product = &capture.product;
        let typed_sum = |sum: u64, message: &Message<'_>| {
            message.events.iter().filter(|event| event.product_id == *product).flat_map(|event| &event.updates).fold(
                mix(sum, message.sequence_num),
                |sum, update| {
                    let side = if update.side == "bid" { Side::Bid } else { Side::Ask };
                    let price = parse_count(update.price_level.as_bytes(), scale.price_decimals).expect("a price");
                    let size = parse_count(update.new_quantity.as_bytes(), scale.size_decimals).expect("a size");
                    level_sum(sum, Event::level(side, price, size))
                },
            )
        };
        compare(
            &format!("parse, {}", capture.name),
            work,
            &mut [
                Arm::new("papertrader", || {
                    frames.iter().fold(0, |sum, (_, frame)| {
                        let message = ours.parse(frame, scale, &mut our_levels).expect("a message");
                        our_levels.iter().fold(mix(sum, message.sequence_num.unwrap_or(0)), |sum, &l| level_sum(sum, l))
                    })
                }),
                Arm::new("papertrader, any layout", || {
                    frames.iter().fold(0, |sum, (_, frame)| {
                        let message = general.parse_any_layout(frame, scale, &mut general_levels).expect("a message");
                        general_levels
                            .iter()
                            .fold(mix(sum, message.sequence_num.unwrap_or(0)), |sum, &l| level_sum(sum, l))
                    })
                }),
                Arm::new("sonic-rs, typed", || {
                    frames
                        .iter()
                        .fold(0, |sum, (_, frame)| typed_sum(sum, &sonic_rs::from_slice(frame).expect("a message")))
                }),
                Arm::new("serde_json, typed", || {
                    frames
                        .iter()
                        .fold(0, |sum, (_, frame)| typed_sum(sum, &serde_json::from_slice(frame).expect("a message")))
                }),
            ],
        );
    }
}
