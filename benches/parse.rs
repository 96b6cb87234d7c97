//! Raw frames to levels: our parser beside typed structures by sonic-rs and serde_json, and beside its own general way.

mod common;

use common::messages::Messages;
use common::{captures, compare};

fn main() {
    for capture in captures() {
        let (scale, _) = capture.parsed();
        let messages = Messages::new(&capture, scale);
        compare(
            &format!("parse, {}", capture.name),
            messages.work(),
            &mut [
                messages.ours("papertrader"),
                messages.ours_any_layout("papertrader, any layout"),
                messages.typed("sonic-rs, typed", |message| sonic_rs::from_slice(message).expect("a message")),
                messages.typed("serde_json, typed", |message| serde_json::from_slice(message).expect("a message")),
            ],
        );
    }
}
