//! Parsers: raw messages to levels.

use crate::Arguments;
use crate::common::Frames;
use crate::common::messages::Messages;
use simd_json::Buffers;

/// The parsers on one capture.
pub fn run(arguments: &Arguments, capture: &Frames) {
    let (scale, _) = capture.parsed();
    let messages = Messages::new(capture, scale);
    let mut buffers = Buffers::default();
    let arms = vec![
        messages.ours("papertrader parser"),
        messages.typed("sonic-rs, typed", |message| sonic_rs::from_slice(message).expect("a message")),
        // It parses in place, and keeps its buffers from message to message.
        messages.typed("simd-json, typed", move |message| {
            simd_json::serde::from_slice_with_buffers(message, &mut buffers).expect("a message")
        }),
        messages.typed("serde_json, typed", |message| serde_json::from_slice(message).expect("a message")),
    ];
    arguments.run(&format!("parse, {}: raw messages to levels", capture.name), messages.work(), arms);
}
