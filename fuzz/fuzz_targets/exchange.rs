//! The exchange behind its listener: whatever a client says, in whatever portions, it answers with whole frames, JSON and
//! numbers without a gap, or lets go.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use papertrader::exchange::fuzzing::{Desk, Sent};
use std::cell::RefCell;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    Handshake,
    Raw(&'a [u8]),
    Text(&'a str),
    Request {
        unsubscribe: bool,
        channel: u8,
        products: Vec<u8>,
    },
    Frame {
        is_final: bool,
        opcode: u8,
        mask: [u8; 4],
        payload: &'a [u8],
    },
    /// A frame whose length is only claimed.
    Claim(u64),
    Pass {
        ms: u16,
    },
    HangUp,
}

const HANDSHAKE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn bytes(piece: &Piece<'_>) -> Vec<u8> {
    const MASK: [u8; 4] = [1, 2, 3, 4];
    match piece {
        Piece::Handshake => HANDSHAKE.to_vec(),
        Piece::Raw(bytes) => bytes.to_vec(),
        Piece::Text(text) => frame(0x81, MASK, text.as_bytes()),
        Piece::Request { unsubscribe, channel, products } => {
            let kind = if *unsubscribe { "unsubscribe" } else { "subscribe" };
            let channel = ["level2", "market_trades", "heartbeats", "ticker"][usize::from(*channel) % 4];
            let names = ["BTC-USD", "ETH-USD", "ETH-USDC", "A", "B", "C", ""];
            let products: Vec<&str> = products.iter().map(|&product| names[usize::from(product) % 7]).collect();
            let text = serde_json::json!({"type": kind, "channel": channel, "product_ids": products}).to_string();
            frame(0x81, MASK, text.as_bytes())
        }
        Piece::Frame { is_final, opcode, mask, payload } => {
            frame(u8::from(*is_final) << 7 | opcode & 0x7f, *mask, payload)
        }
        Piece::Claim(length) => {
            let mut bytes = vec![0x81, 0x80 | 127];
            bytes.extend(length.to_be_bytes());
            bytes.extend(MASK);
            bytes
        }
        Piece::Pass { .. } | Piece::HangUp => Vec::new(),
    }
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::new(Desk::open());
}

fuzz_target!(|input: (bool, u8, Vec<Piece<'_>>)| {
    let (greets, portion, pieces) = input;
    DESK.with_borrow_mut(|desk| serve(desk, greets, portion, &pieces));
});

fn serve(desk: &mut Desk, greets: bool, portion: u8, pieces: &[Piece<'_>]) {
    desk.admit();
    if greets {
        desk.write(HANDSHAKE);
    }
    for piece in pieces {
        match piece {
            Piece::Pass { ms } => desk.pass(Duration::from_millis(u64::from(*ms) / 4)),
            Piece::HangUp => desk.hang_up(),
            _ => {
                for part in bytes(piece).chunks(usize::from(portion) + 1) {
                    if !desk.write(part) {
                        break;
                    }
                }
            }
        }
    }
    let (_, sent) = desk.answers().expect("whole frames");
    let mut next = 0;
    let mut closed = false;
    for sent in sent {
        match sent {
            Sent::Text(text) => {
                assert!(!closed, "nothing follows a close frame");
                let message: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
                if message["type"] == "error" {
                    continue;
                }
                assert_eq!(message["sequence_num"], next, "numbers without a gap");
                next += 1;
            }
            Sent::Control(opcode) => closed |= opcode == 8,
        }
    }
}
