//! Parsers: raw messages to levels.

use crate::Arguments;
use crate::common::messages::{Message, Messages};
use crate::common::{Arm, Frames, mix};
use simd_json::Buffers;

/// The parsers on one capture.
pub fn run(arguments: &Arguments, capture: &Frames) {
    let (scale, _) = capture.parsed();
    let messages = Messages::new(capture, scale);
    let arms = vec![
        messages.ours("papertrader parser"),
        messages.typed("sonic-rs, typed", |message| sonic_rs::from_slice(message).expect("a message")),
        simd_json_typed(&messages),
        messages.typed("serde_json, typed", |message| serde_json::from_slice(message).expect("a message")),
    ];
    arguments.run(&format!("parse, {}: raw messages to levels", capture.name), messages.work(), arms);
}

/// It parses in place: before every round it gets the messages anew, which is not timed, as a feed that owns the bytes that it
/// received copies nothing. Its buffers are kept from message to message.
fn simd_json_typed<'a>(messages: &'a Messages<'a>) -> Arm<'a> {
    let copies: Vec<Vec<u8>> = messages.messages.iter().map(|message| message.to_vec()).collect();
    let refill = |(copies, _): &mut (Vec<Vec<u8>>, Buffers)| {
        for (copy, message) in copies.iter_mut().zip(&messages.messages) {
            copy.copy_from_slice(message);
        }
    };
    let run = |(copies, buffers): &mut (Vec<Vec<u8>>, Buffers)| {
        copies.iter_mut().fold(0, |sum, message| {
            let message: Message = simd_json::serde::from_slice_with_buffers(message, buffers).expect("a message");
            mix(sum, message.sum(messages.product, messages.scale))
        })
    };
    Arm::prepared("simd-json, typed", (copies, Buffers::default()), refill, run)
}
