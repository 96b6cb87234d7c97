//! One client and the floor, without a listener and without a thread: what the fuzzer drives.
//!
//! The client's end is one half of a pair of local sockets; everything behind the listener is the exchange's own.

use super::client::Client;
use super::config::{ExchangeConfig, Pace, SourceConfig};
use super::connection::Connection;
use super::floor::Floor;
use super::transport::Transport;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How old a market becomes. Its books grow with time, and what a client is answered grows with them.
const MARKET_LIFE: Duration = Duration::from_secs(3600);

/// What the client received after the websocket handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A text message.
    Text(Vec<u8>),
    /// A control frame, by its opcode.
    Control(u8),
}

/// An exchange with a small market, and one client of it.
pub struct Desk {
    floor: Floor,
    poll: mio::Poll,
    client: UnixStream,
    opened: Instant,
    /// Goes on by [`Desk::pass`] alone.
    now: Instant,
    received: Vec<u8>,
}

impl Desk {
    /// A market that stands still until [`Desk::pass`], with its client admitted.
    ///
    /// # Panics
    /// The system has no sockets left.
    #[must_use]
    pub fn open() -> Self {
        let config = ExchangeConfig {
            products: ["BTC-USD", "ETH-USDC", "A", "B"].map(String::from).into(),
            source: SourceConfig::Synthetic { seed: 7, pace: Pace::Rate { frames_per_s: 2.0 }, snapshot_levels: 20 },
            limits: super::config::Limits { level2_streams_max: 3, ..Default::default() },
            ..ExchangeConfig::default()
        };
        let floor = Floor::open(config).expect("a synthetic market opens");
        let poll = mio::Poll::new().expect("a readiness queue");
        let (client, _) = UnixStream::pair().expect("a pair of sockets");
        let now = Instant::now();
        let mut desk = Self { floor, poll, client, opened: now, now, received: Vec::new() };
        desk.admit();
        desk
    }

    /// Lets go of the client and admits another, to the same market unless it is old: opening one takes longer than most
    /// clients stay.
    ///
    /// # Panics
    /// As [`Desk::open`].
    pub fn admit(&mut self) {
        if self.now > self.opened + MARKET_LIFE {
            *self = Self::open();
            return;
        }
        for slot in 0..self.floor.clients.len() {
            self.floor.remove(slot, self.poll.registry());
        }
        let (client, server) = UnixStream::pair().expect("a pair of sockets");
        for end in [&client, &server] {
            end.set_nonblocking(true).expect("sockets can be made so");
        }
        // A stream like any other: nothing that is done to it from here on asks for TCP.
        let socket = mio::net::TcpStream::from_std(OwnedFd::from(server).into());
        let transport =
            Transport::new(socket, None, self.floor.config.limits.outbox_bytes_max).expect("no TLS, no error");
        let slot = self.floor.free_slot().expect("an empty floor has room");
        self.floor.clients[slot] = Some(Client::new(Connection::new(transport, false, self.now)));
        self.client = client;
        self.received.clear();
    }

    /// Writes bytes as the client and lets the exchange read them. False once the exchange has let go.
    pub fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.client.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
            self.turn();
        }
        self.floor.clients.iter().any(Option::is_some)
    }

    /// Lets time pass: timers, frames that fall due.
    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.turn();
    }

    /// Ends the client's half.
    pub fn hang_up(&mut self) {
        // It may be gone already.
        let _ = self.client.shutdown(std::net::Shutdown::Write);
        self.turn();
    }

    /// Goes on until nothing is due and neither end has anything left to read: a snapshot can be more than a socket holds.
    fn turn(&mut self) {
        loop {
            if let Some(Some(client)) = self.floor.clients.first_mut() {
                client.connection.is_readable = true;
                client.connection.pump(self.now);
            }
            self.floor.read(0, self.now);
            self.floor.on_timers(self.now);
            let more_due = self.floor.send_frames_until(self.now);
            self.floor.reap(self.poll.registry());
            let unread = self.floor.clients[0].as_ref().is_some_and(|client| client.connection.is_readable);
            let received = self.take();
            if !(more_due || unread || received) {
                break;
            }
        }
    }

    /// Reads what has come as the client, if anything.
    fn take(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        let before = self.received.len();
        loop {
            match self.client.read(&mut buffer) {
                Ok(0) | Err(_) => return self.received.len() > before,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// What the exchange said: the head of its answer to the handshake, and the frames behind it if it was a welcome.
    ///
    /// # Errors
    /// What it sent is not made of whole websocket frames as a server sends them.
    pub fn answers(&self) -> io::Result<(String, Vec<Sent>)> {
        let invalid = |text: &str| io::Error::new(ErrorKind::InvalidData, text);
        let Some(end) = memchr::memmem::find(&self.received, b"\r\n\r\n") else {
            return if self.received.is_empty() { Ok(Default::default()) } else { Err(invalid("half a head")) };
        };
        let head = String::from_utf8(self.received[..end].to_vec()).map_err(|_| invalid("no UTF-8"))?;
        let mut rest = &self.received[end + 4..];
        let mut sent = Vec::new();
        while head.starts_with("HTTP/1.1 101 ") && !rest.is_empty() {
            let [first, second, ..] = *rest else { return Err(invalid("half a frame's head")) };
            let (extended, short) = match second {
                0..=125 => (0, usize::from(second)),
                126 => (2, 0),
                127 => (8, 0),
                _ => return Err(invalid("a server masks nothing")),
            };
            let long = rest.get(2..2 + extended).ok_or_else(|| invalid("half a length"))?;
            let length = long.iter().fold(short, |length, &byte| length << 8 | usize::from(byte));
            let payload = rest.get(2 + extended..2 + extended + length).ok_or_else(|| invalid("half a frame"))?;
            rest = &rest[2 + extended + length..];
            match first {
                0x81 => sent.push(Sent::Text(payload.to_vec())),
                0x88..=0x8a if length <= 125 => sent.push(Sent::Control(first & 15)),
                _ => return Err(invalid("a frame that the exchange never sends")),
            }
        }
        Ok((head, sent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const HANDSHAKE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    /// A request as one frame, masked with zeros.
    fn request(kind: &str, products: &[&str]) -> Vec<u8> {
        let text = json!({"type": kind, "channel": "level2", "product_ids": products}).to_string();
        [&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0], text.as_bytes()].concat()
    }

    fn messages(desk: &Desk) -> Vec<Value> {
        let (head, sent) = desk.answers().unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let text = |sent: &Sent| match sent {
            Sent::Text(text) => serde_json::from_slice(text).unwrap(),
            other => panic!("{other:?}"),
        };
        sent.iter().map(text).collect()
    }

    /// What the fuzz target asserts of any input, for one that is known.
    #[test]
    fn a_client_without_a_socket_of_its_own_is_served() {
        let mut desk = Desk::open();
        for _ in 0..2 {
            assert!(desk.write(HANDSHAKE));
            assert!(desk.write(&request("subscribe", &["BTC-USD"])));
            desk.pass(Duration::from_secs(5));
            let messages = messages(&desk);
            assert_eq!(messages[0]["events"][0]["type"], "snapshot");
            assert_eq!(messages[1]["channel"], "subscriptions");
            assert!(messages.len() > 2, "five seconds passed without a frame");
            desk.admit();
        }
        // An unmasked frame, and the end of it.
        desk.write(b"GET / HTTP/1.1\r\n\r\n");
        assert!(!desk.write(b"x"));
    }

    /// The desk read once and let the rest lie, so that half a frame seemed to be all that the exchange had sent.
    #[test]
    fn more_than_a_socket_holds_is_received_whole() {
        let mut desk = Desk::open();
        desk.pass(MARKET_LIFE);
        desk.admit();
        assert!(desk.write(HANDSHAKE));
        let products = ["BTC-USD", "A", "B"];
        let asked = [request("subscribe", &products), request("unsubscribe", &products)].concat();
        assert!(desk.write(&asked.repeat(8)));
        assert!(desk.received.len() > 1 << 20, "{} bytes", desk.received.len());
        let messages = messages(&desk);
        let snapshots = messages.iter().filter(|message| message["events"][0]["type"] == "snapshot");
        assert_eq!(snapshots.count(), 3 * 8);
        assert_eq!(messages.last().unwrap()["channel"], "subscriptions");
        desk.pass(Duration::from_secs(1));
        desk.admit();
        assert_eq!(desk.now, desk.opened, "a market grew old");
    }
}
