//! What TLS and websocket allocate for a message, counted on the client's thread.

use std::io::{Read, Write};

use allocation_counter::{AllocationInfo, measure};
use papertrader::feed::wire::{Received, Wire};
use tungstenite::WebSocket;

use crate::server::{Authority, Server};
use crate::{HANG, connect_plain, connect_tls};

const SNAPSHOT_BYTES: usize = 1 << 20;
const UPDATE_BYTES: usize = 1_500;
const WARM_UP: usize = 200;
const UPDATES: usize = 2_000;

/// A snapshot, then updates, each only after the client has asked for it, so that each has a read of its own.
fn serve<S: Read + Write>(mut socket: WebSocket<S>) {
    socket.send("s".repeat(SNAPSHOT_BYTES).into()).expect("sent");
    let update = "u".repeat(UPDATE_BYTES);
    for _ in 0..WARM_UP + UPDATES {
        socket.read().expect("the client's turn");
        socket.send(update.as_str().into()).expect("sent");
    }
    while socket.read().is_ok() {}
}

/// Counts what taking the messages allocates, with the waits for them.
fn measured(wire: &mut Wire) -> AllocationInfo {
    let take = |wire: &mut Wire| loop {
        match wire.next_message().expect("no error") {
            Some(Received::Text { text, .. }) => break text.len(),
            Some(other) => panic!("{other:?}"),
            None => wire.wait(HANG).expect("a wait"),
        }
    };
    assert_eq!(take(wire), SNAPSHOT_BYTES);
    let mut total = AllocationInfo::default();
    for index in 0..WARM_UP + UPDATES {
        wire.send_text("next").expect("sent");
        let of_one = measure(|| assert_eq!(take(wire), UPDATE_BYTES));
        if index >= WARM_UP {
            total += of_one;
        }
    }
    total
}

fn report(name: &str, total: &AllocationInfo) -> (f64, f64) {
    let (count, bytes) = (total.count_total as f64 / UPDATES as f64, total.bytes_total as f64 / UPDATES as f64);
    println!("{name}: {count:.3} allocations, {bytes:.0} bytes a message of {UPDATE_BYTES} bytes");
    (count, bytes)
}

#[test]
fn allocations_per_message_are_few_and_bounded() {
    let server = Server::plain(serve);
    let mut wire = connect_plain(server.port());
    let (count, bytes) = report("plain", &measured(&mut wire));
    assert!(count < 0.01 && bytes < 100.0, "the websocket uses its buffer again");
    drop(wire);

    let authority = Authority::new();
    let server = Server::tls(&authority.server("localhost", |_| {}), serve);
    let mut wire = connect_tls(server.port(), &authority).expect("a connection");
    let (count, bytes) = report("TLS", &measured(&mut wire));
    assert!(count < 1.01 && bytes < 1.1 * UPDATE_BYTES as f64, "one plaintext vector a record");
}
