//! One connection's socket: TLS or none, and a bounded outbox between the websocket and it.
//!
//! Writing appends to the outbox and never blocks; [`Transport::pump`] moves the outbox to the socket as far as the
//! socket and the shaping in force allow. So whatever is written, whole websocket frames stay whole and in order.

use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// The outbox's buffer is given back beyond this once it is empty: a snapshot's worth need not stay.
const OUTBOX_KEPT_BYTES: usize = 256 << 10;
/// Time between two writes of a dribble.
const DRIBBLE_PAUSE: Duration = Duration::from_micros(250);
/// A websocket message just above what clients of this feed accept.
const OVERSIZED_BYTES: u64 = (64 << 20) + 1;
/// Fragments of an oversized message, and the portions in which either kind is made.
const FILLER_BYTES: u64 = 1 << 20;

/// How writing differs from as much as the socket takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shape {
    #[default]
    None,
    /// Nothing is written before that time; the outbox keeps it.
    HeldUntil(Instant),
    /// Nothing is ever written again; what would be is dropped.
    Muted,
    /// So many bytes at a time for the next `left` bytes.
    Dribble { bytes_at_a_time: usize, left: usize, next: Instant },
    /// A message without end in sight is being made; everything else is dropped.
    Filling { left: u64, fragments: bool },
}

/// A non-blocking stream for the websocket layer.
#[derive(Debug)]
pub(super) struct Transport {
    socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
    outbox: VecDeque<u8>,
    /// The most that the outbox may hold.
    outbox_bytes_max: usize,
    overflowed: bool,
    shape: Shape,
    /// Since when the socket has taken none of the bytes that it was offered; it will say when it does again.
    blocked_since: Option<Instant>,
    bytes_written: u64,
    /// Bytes that the socket took, TLS's own included.
    socket_bytes: u64,
}

impl Transport {
    pub fn new(
        socket: TcpStream,
        tls: Option<Arc<ServerConfig>>,
        outbox_bytes_max: usize,
    ) -> Result<Self, rustls::Error> {
        let tls = tls.map(ServerConnection::new).transpose()?.map(Box::new);
        Ok(Self {
            socket,
            tls,
            outbox: VecDeque::new(),
            outbox_bytes_max,
            overflowed: false,
            shape: Shape::None,
            blocked_since: None,
            bytes_written: 0,
            socket_bytes: 0,
        })
    }

    /// The socket, for registration and options.
    pub fn socket_mut(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Bytes of plain text that wait to be written.
    pub fn backlog_bytes(&self) -> usize {
        self.outbox.len()
    }

    /// Bytes of plain text given to the socket or to TLS so far.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// Whether more was to be written than the outbox may hold. Bytes are missing then: the connection must end.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Since when the peer has not taken anything although bytes wait for it.
    pub fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    /// Whether silence or slowness is on purpose.
    pub fn is_shaped(&self) -> bool {
        self.shape != Shape::None
    }

    /// Whether nothing of what is still written will reach the peer.
    pub fn drops_all(&self) -> bool {
        matches!(self.shape, Shape::Muted | Shape::Filling { .. })
    }

    /// When [`Self::pump`] is next worth calling although the socket has not become ready.
    pub fn wants_pump_at(&self) -> Option<Instant> {
        match self.shape {
            _ if self.blocked_since.is_some() => None,
            Shape::HeldUntil(until) => Some(until),
            Shape::Dribble { next, .. } => Some(next),
            _ => None,
        }
    }

    /// Appends a text message as one websocket frame.
    pub fn push_text(&mut self, payload: &[u8]) {
        self.push_frame(OpCode::Data(Data::Text), true, payload);
    }

    /// Appends a websocket frame as it is, valid or not.
    pub fn push_frame(&mut self, opcode: OpCode, is_final: bool, payload: &[u8]) {
        let header = header(opcode, is_final, payload.len() as u64);
        self.push(&header);
        self.push(payload);
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.drops_all() {
            return;
        }
        if self.outbox.len() + bytes.len() > self.outbox_bytes_max {
            self.overflowed = true;
        } else {
            self.outbox.extend(bytes);
        }
    }

    /// Writes nothing until then.
    pub fn hold_until(&mut self, until: Instant) {
        self.shape = Shape::HeldUntil(until);
    }

    /// Writes nothing ever again.
    pub fn mute(&mut self) {
        self.outbox.clear();
        self.blocked_since = None;
        self.shape = Shape::Muted;
    }

    /// Writes what is in the outbox now a few bytes at a time.
    pub fn dribble(&mut self, bytes_at_a_time: usize, now: Instant) {
        if self.outbox.is_empty() {
            return;
        }
        self.shape = Shape::Dribble { bytes_at_a_time, left: self.outbox.len(), next: now };
    }

    /// Appends a message above every limit and drops everything after it. The message is made as it is read.
    pub fn oversize(&mut self, fragments: bool) {
        if !fragments {
            self.push(&header(OpCode::Data(Data::Text), true, OVERSIZED_BYTES));
        }
        self.shape = Shape::Filling { left: OVERSIZED_BYTES, fragments };
    }

    /// Moves the outbox to the socket as far as possible.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn pump(&mut self, now: Instant) -> io::Result<()> {
        let blocked_since = self.blocked_since.take().unwrap_or(now);
        let written_before = self.socket_bytes;
        let result = self.pump_until_blocked(now);
        if matches!(&result, Err(error) if error.kind() == ErrorKind::WouldBlock) {
            let has_moved = self.socket_bytes > written_before;
            self.blocked_since = Some(if has_moved { now } else { blocked_since });
            return Ok(());
        }
        if self.outbox.is_empty() && self.outbox.capacity() > OUTBOX_KEPT_BYTES {
            self.outbox.shrink_to(OUTBOX_KEPT_BYTES);
        }
        result
    }

    /// `WouldBlock` if the socket takes no more, else everything that may go is gone.
    fn pump_until_blocked(&mut self, now: Instant) -> io::Result<()> {
        loop {
            self.write_tls()?;
            self.fill();
            let allowed = self.allowed_bytes(now);
            let waiting = self.outbox.as_slices().0;
            let waiting = &waiting[..waiting.len().min(allowed)];
            if waiting.is_empty() {
                return Ok(());
            }
            let written = match &mut self.tls {
                Some(tls) => tls.writer().write(waiting),
                None => self.socket.write(waiting),
            };
            match written {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.wrote(count, now),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn wrote(&mut self, count: usize, now: Instant) {
        self.outbox.drain(..count);
        self.bytes_written += count as u64;
        if self.tls.is_none() {
            self.socket_bytes += count as u64;
        }
        if let Shape::Dribble { left, next, .. } = &mut self.shape {
            *left -= count;
            *next = now + DRIBBLE_PAUSE;
            if *left == 0 {
                self.shape = Shape::None;
            }
        }
    }

    /// Bytes that the shape lets pass now.
    fn allowed_bytes(&mut self, now: Instant) -> usize {
        match self.shape {
            Shape::None | Shape::Filling { .. } => usize::MAX,
            Shape::Muted => 0,
            Shape::HeldUntil(until) if now < until => 0,
            Shape::HeldUntil(_) => {
                self.shape = Shape::None;
                usize::MAX
            }
            Shape::Dribble { next, .. } if now < next => 0,
            Shape::Dribble { bytes_at_a_time, left, .. } => bytes_at_a_time.min(left),
        }
    }

    /// Makes the next portion of an oversized message once the one before has gone.
    fn fill(&mut self) {
        let Shape::Filling { left, fragments } = self.shape else { return };
        if !self.outbox.is_empty() {
            return;
        }
        if left == 0 {
            self.mute();
            return;
        }
        let portion = left.min(FILLER_BYTES);
        if fragments {
            let opcode = if left == OVERSIZED_BYTES { Data::Text } else { Data::Continue };
            self.outbox.extend(header(OpCode::Data(opcode), left == portion, portion));
        }
        let spaces = [b' '; 4096];
        let mut missing = portion as usize;
        while missing > 0 {
            let count = missing.min(spaces.len());
            self.outbox.extend(&spaces[..count]);
            missing -= count;
        }
        self.shape = Shape::Filling { left: left - portion, fragments };
    }

    /// Writes what TLS has ready.
    fn write_tls(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.socket_bytes += count as u64,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes what can be written, with TLS's notice of the end. The connection is not used after it.
    pub fn finish(&mut self) {
        // The peer may be gone already, and nothing is owed to it then.
        let _ = self.pump(Instant::now());
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = self.write_tls();
        }
    }

    /// Ends our half of the TCP connection after what is in the outbox, without a word by websocket or TLS.
    pub fn send_fin(&mut self) -> io::Result<()> {
        self.pump(Instant::now())?;
        self.socket.shutdown(Shutdown::Write)
    }

    /// Makes the coming drop of the socket reset the connection.
    pub fn reset_on_drop(&mut self) -> io::Result<()> {
        socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO))
    }

    /// Reads and drops what still comes after [`Self::send_fin`]. True once the peer has ended its half too.
    pub fn drain(&mut self) -> bool {
        let mut scratch = [0; 4096];
        loop {
            match self.socket.read(&mut scratch) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    }
}

/// A server's frame header.
fn header(opcode: OpCode, is_final: bool, payload_bytes: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(10);
    FrameHeader { is_final, opcode, ..FrameHeader::default() }
        .format(payload_bytes, &mut bytes)
        .expect("a Vec takes every byte");
    bytes
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(tls) = &mut self.tls else { return self.socket.read(buffer) };
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            let processed = tls.process_new_packets();
            // Also after a failure: the alert says why. What does not go now goes with the next pump.
            match self.write_tls() {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        if self.overflowed { Err(ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pump(Instant::now())
    }
}
