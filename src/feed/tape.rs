//! What a live session receives, on its way to whoever records it: a bounded ring of bytes.
//!
//! The feed copies each message into the ring and goes on. If the ring is full the *recording* has a gap, which is counted and
//! marked in its place; the session loses nothing.
//!
//! ```
//! use papertrader::feed::tape::{Found, Record, tape};
//!
//! let (mut tape, mut reader) = tape(1 << 16);
//! tape.connected(1, 1_000, &[]);
//! tape.frame(1, 2_000, b"{}");
//! assert_eq!(reader.take(), Found::Record(1_000, Record::Connected { connection: 1, products: b"" }));
//! assert_eq!(reader.take(), Found::Record(2_000, Record::Frame(b"{}")));
//! assert_eq!(reader.take(), Found::Nothing);
//! drop(tape);
//! assert_eq!(reader.take(), Found::End);
//! ```

use crate::base::clock::wall_ns;
use crate::market::event::Fault;
use rtrb::{Consumer, Producer, RingBuffer};
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

/// How long either end sleeps when there is nothing for it to do.
pub const IDLE: Duration = Duration::from_millis(5);
/// How long a record that must not be lost waits for room.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// What stands before each record in the ring: receive time, kind, connection or lost frames, payload length.
const HEAD_BYTES: usize = 8 + 1 + 8 + 4;

/// A record of the ring besides its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Frame,
    /// The payload lists products, if any, by line breaks.
    Connected,
    /// What follows came over another connection.
    On,
    /// With the fault's number; the payload says the cause.
    Disconnected(u8),
    Gap,
    /// With the fault's number; the payload says product and cause, a line break between them.
    Invalid(u8),
}

/// The byte of a record of [`Kind::Disconnected`] is this and the fault's number.
const DISCONNECTED: u8 = 4;
/// The byte of a record of [`Kind::Invalid`] is this and the fault's number.
const INVALID: u8 = 128;
const _: () = assert!(DISCONNECTED as usize + Fault::ALL.len() <= INVALID as usize, "kinds do not overlap");

#[derive(Clone, Copy, Debug)]
struct Head {
    ts_recv_ns: i64,
    kind: Kind,
    /// The connection, or the frames lost.
    count: u64,
    payload_bytes: u32,
}

impl Head {
    fn encode(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..8].copy_from_slice(&self.ts_recv_ns.to_le_bytes());
        bytes[8] = match self.kind {
            Kind::Frame => 0,
            Kind::Connected => 1,
            Kind::Gap => 2,
            Kind::On => 3,
            Kind::Disconnected(fault) => DISCONNECTED + fault,
            Kind::Invalid(fault) => INVALID + fault,
        };
        bytes[9..17].copy_from_slice(&self.count.to_le_bytes());
        bytes[17..].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; HEAD_BYTES]) -> Self {
        let word = |at: usize| bytes[at..at + 8].try_into().expect("eight bytes");
        Self {
            ts_recv_ns: i64::from_le_bytes(word(0)),
            kind: match bytes[8] {
                0 => Kind::Frame,
                1 => Kind::Connected,
                2 => Kind::Gap,
                3 => Kind::On,
                invalid @ INVALID.. => Kind::Invalid(invalid - INVALID),
                more => Kind::Disconnected(more - DISCONNECTED),
            },
            count: u64::from_le_bytes(word(9)),
            payload_bytes: u32::from_le_bytes(bytes[17..].try_into().expect("four bytes")),
        }
    }
}

/// Makes the ring: what the feed writes on, and what the recorder reads from.
pub fn tape(ring_bytes: usize) -> (Tape, TapeReader) {
    let (ring, taken) = RingBuffer::new(ring_bytes);
    (Tape { ring, lost: 0, on: None }, TapeReader { ring: taken, payload: Vec::new() })
}

/// The feed's end.
#[derive(Debug)]
pub struct Tape {
    ring: Producer<u8>,
    /// Frames lost since the last record that found room.
    lost: u64,
    /// The connection whose frames the reader expects, where there are several at once.
    on: Option<u64>,
}

/// The recorder's end.
#[derive(Debug)]
pub struct TapeReader {
    ring: Consumer<u8>,
    payload: Vec<u8>,
}

/// What a look at the tape finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A record, and when it was made: our clock, Unix nanoseconds.
    Record(i64, Record<'a>),
    /// Nothing yet.
    Nothing,
    /// The feed has gone and everything is taken.
    End,
}

/// A record of the tape.
#[derive(Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A message.
    Frame(&'a [u8]),
    /// A connection was made.
    Connected {
        /// Counts from 1.
        connection: u64,
        /// The products on it, a line each, where the session has several connections at once; else none.
        products: &'a [u8],
    },
    /// The messages that follow came over this one of several connections.
    On {
        /// The connection.
        connection: u64,
    },
    /// The connection ended.
    Disconnected {
        /// Counts from 1.
        connection: u64,
        /// The kind of its fault.
        fault: Option<Fault>,
        /// Why, as the session reported it.
        cause: &'a [u8],
    },
    /// A product's book could not be trusted any more; the connection went on.
    Invalid {
        /// The product.
        product: &'a [u8],
        /// The kind of its fault.
        fault: Option<Fault>,
        /// Why, as the session reported it.
        cause: &'a [u8],
    },
    /// Messages found the ring full.
    Gap {
        /// How many.
        frames: u64,
    },
}

impl Tape {
    /// Records a message of a connection.
    #[inline]
    pub fn frame(&mut self, connection: u64, ts_recv_ns: i64, frame: &[u8]) {
        let recorded = self.make_up_gap(ts_recv_ns)
            && self.turn_to(connection, ts_recv_ns)
            && self.push(ts_recv_ns, Kind::Frame, 0, frame);
        self.lost += u64::from(!recorded);
    }

    /// Records that a connection was made. Counted from 1, and with these products, where the session has several at once.
    pub fn connected(&mut self, connection: u64, ts_recv_ns: i64, products: &[String]) {
        let is_told = self.control(ts_recv_ns, Kind::Connected, connection, &products.join("\n"));
        if !products.is_empty() {
            // Number 0 is none's: the next frame says whose it is.
            self.on = Some(if is_told { connection } else { 0 });
        }
    }

    /// Records that a connection ended.
    pub fn disconnected(&mut self, connection: u64, ts_recv_ns: i64, fault: Fault, cause: &str) {
        self.control(ts_recv_ns, Kind::Disconnected(fault as u8), connection, cause);
    }

    /// Records that a product's book could not be trusted any more while the connection went on.
    pub fn invalid(&mut self, ts_recv_ns: i64, product: &str, fault: Fault, cause: &str) {
        // No name of a product holds a line break: `cli` refuses control characters, and the venue has none.
        self.control(ts_recv_ns, Kind::Invalid(fault as u8), 0, &format!("{product}\n{cause}"));
    }

    /// Control records are rare and a recording without them would replay differently: they wait for room, a moment. Says whether
    /// there was some.
    fn control(&mut self, ts_recv_ns: i64, kind: Kind, connection: u64, text: &str) -> bool {
        let started = Instant::now();
        while !(self.make_up_gap(ts_recv_ns) && self.push(ts_recv_ns, kind, connection, text.as_bytes())) {
            if self.ring.is_abandoned() || started.elapsed() > WAIT_MAX {
                // A replay must not run over its place: the gap that stands there instead makes the book invalid too.
                self.lost += 1;
                return false;
            }
            thread::sleep(IDLE);
        }
        true
    }

    /// Says that what follows came over this connection, if it is another. False if there is no room for it.
    #[inline]
    fn turn_to(&mut self, connection: u64, ts_recv_ns: i64) -> bool {
        if self.on.is_some_and(|on| on != connection) {
            if !self.push(ts_recv_ns, Kind::On, connection, &[]) {
                return false;
            }
            self.on = Some(connection);
        }
        true
    }

    /// Records the gap, if there is one. False if there is still no room for it.
    #[inline]
    fn make_up_gap(&mut self, ts_recv_ns: i64) -> bool {
        if self.lost > 0 {
            if !self.push(ts_recv_ns, Kind::Gap, self.lost, &[]) {
                return false;
            }
            self.lost = 0;
        }
        true
    }

    #[inline]
    fn push(&mut self, ts_recv_ns: i64, kind: Kind, count: u64, payload: &[u8]) -> bool {
        let bytes = HEAD_BYTES + payload.len();
        if self.ring.cached_slots() < bytes && self.ring.slots() < bytes {
            return false;
        }
        let head = Head {
            ts_recv_ns,
            kind,
            count,
            payload_bytes: u32::try_from(payload.len()).expect("a ring of less than 4 GiB"),
        };
        let room = "there is room: only this thread fills the ring";
        self.ring.push_entire_slice(&head.encode()).expect(room);
        self.ring.push_entire_slice(payload).expect(room);
        true
    }
}

impl Drop for Tape {
    /// Marks what was lost at the very end, too: nothing comes after it that would.
    fn drop(&mut self) {
        let started = Instant::now();
        while !self.make_up_gap(wall_ns()) && !self.ring.is_abandoned() && started.elapsed() < WAIT_MAX {
            thread::sleep(IDLE);
        }
    }
}

impl TapeReader {
    /// Takes the next record.
    pub fn take(&mut self) -> Found<'_> {
        if self.ring.slots() < HEAD_BYTES {
            let ended = self.ring.is_abandoned() && self.ring.slots() < HEAD_BYTES;
            return if ended { Found::End } else { Found::Nothing };
        }
        let mut head = [0; HEAD_BYTES];
        if !read_whole(&mut self.ring, &mut head) {
            return Found::End;
        }
        let Head { ts_recv_ns, kind, count, payload_bytes } = Head::decode(&head);
        self.payload.resize(payload_bytes as usize, 0);
        if !read_whole(&mut self.ring, &mut self.payload) {
            return Found::End;
        }
        let record = match kind {
            Kind::Frame => Record::Frame(&self.payload),
            Kind::Connected => Record::Connected { connection: count, products: &self.payload },
            Kind::On => Record::On { connection: count },
            Kind::Gap => Record::Gap { frames: count },
            Kind::Disconnected(fault) => {
                let fault = Fault::ALL.get(usize::from(fault)).copied();
                Record::Disconnected { connection: count, fault, cause: &self.payload }
            }
            Kind::Invalid(fault) => {
                let fault = Fault::ALL.get(usize::from(fault)).copied();
                let end = self.payload.iter().position(|&byte| byte == b'\n').unwrap_or(self.payload.len());
                let (product, cause) = self.payload.split_at(end);
                Record::Invalid { product, fault, cause: cause.get(1..).unwrap_or_default() }
            }
        };
        Found::Record(ts_recv_ns, record)
    }
}

/// Reads exactly so many bytes of a record; false when the feed has gone in its middle.
fn read_whole(ring: &mut Consumer<u8>, into: &mut [u8]) -> bool {
    while ring.slots() < into.len() {
        if ring.is_abandoned() && ring.slots() < into.len() {
            return false;
        }
        thread::sleep(IDLE);
    }
    ring.read_exact(into).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ring_makes_a_marked_gap_and_never_waits() {
        let (mut tape, mut reader) = tape(100);
        // Nobody takes anything meanwhile.
        for ts_recv_ns in 0..5 {
            tape.frame(1, ts_recv_ns, &[b'x'; 20]);
        }
        assert_eq!(tape.lost, 3);
        for ts_recv_ns in 0..2 {
            assert_eq!(reader.take(), Found::Record(ts_recv_ns, Record::Frame(&[b'x'; 20])));
        }
        assert_eq!(reader.take(), Found::Nothing);
        tape.frame(1, 9, b"{}");
        drop(tape);
        assert_eq!(reader.take(), Found::Record(9, Record::Gap { frames: 3 }));
        assert_eq!(reader.take(), Found::Record(9, Record::Frame(b"{}")));
        assert_eq!(reader.take(), Found::End);
    }
}
