//! What lies under the websocket: the socket that stamps its reads, alone or under TLS.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use crate::base::clock::{Clock, wall_ns};
use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::receive::Receiver;

/// When a socket read returned, and when its bytes had reached this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTime {
    /// A raw reading of the clock when the read returned.
    pub raw: u64,
    /// The same clock when the newest of its bytes had come from the network card or, on this machine, from their sender. Older
    /// bytes of the read have waited longer, and what the sender holds back while our buffer is full has not come yet: from here
    /// to `raw` is the least that a message waited for the read. `None` where the system does not say. Where the system's clock
    /// steps meanwhile, it is off by as much, but never behind `raw`.
    pub arrived_raw: Option<u64>,
    /// The wall clock with it, Unix nanoseconds. It does not fall within a connection: where the system's clock is set back, it
    /// waits.
    pub wall_ns: i64,
    /// Bytes of the connection until then, TLS included.
    pub bytes: u64,
}

/// A non-blocking socket that remembers when its last read with bytes in it returned.
pub(super) struct Socket {
    stream: TcpStream,
    receiver: Receiver,
    clock: Clock,
    rate: Rate,
    last: ReadTime,
}

impl Socket {
    /// For those who wait for it.
    #[cfg(target_os = "linux")]
    pub fn descriptor(&self) -> std::os::fd::BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.stream)
    }

    /// Takes a connected stream.
    pub fn new(stream: TcpStream, clock: Clock) -> Self {
        let last = ReadTime { raw: clock.stamp(), arrived_raw: None, wall_ns: wall_ns(), bytes: 0 };
        let (receiver, rate) = (Receiver::new(&stream), Rate::of(&clock));
        Self { stream, receiver, clock, rate, last }
    }

    /// Stamps a read that just returned.
    fn stamp(&mut self, length: usize, arrived_ns: Option<i64>) {
        let (raw, now_ns) = (self.clock.stamp(), wall_ns());
        let arrived_raw = arrived_ns.map(|arrived_ns| self.rate.before(raw, now_ns.saturating_sub(arrived_ns)));
        let wall_ns = self.last.wall_ns.max(now_ns);
        self.last = ReadTime { raw, arrived_raw, wall_ns, bytes: self.last.bytes + length as u64 };
    }
}

/// How fast a clock counts, for conversions that cost a multiplication.
#[derive(Clone, Copy)]
struct Rate {
    /// Counts in 2^32 nanoseconds.
    counts: u64,
}

impl Rate {
    fn of(clock: &Clock) -> Self {
        Self { counts: clock.later(0, 1 << 32) }
    }

    /// The stamp that lies so many nanoseconds before another; that one itself where they are negative.
    fn before(self, raw: u64, ns: i64) -> u64 {
        let counts = (u128::from(ns.max(0).unsigned_abs()) * u128::from(self.counts)) >> 32;
        raw.saturating_sub(u64::try_from(counts).unwrap_or(u64::MAX))
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.receiver.read(&mut self.stream, buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok((length, arrived_ns)) => {
                    if length > 0 {
                        self.stamp(length, arrived_ns);
                    }
                    return Ok(length);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.stream.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// TCP has nothing to flush.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// TLS over a [`Socket`].
///
/// Unlike `rustls::StreamOwned` it reads the socket only once all plaintext is taken, so that the stamp of the last
/// read is that of the read which completed the plaintext given out; and it reports a write that would block as such.
pub(super) struct TlsStream {
    session: ClientConnection,
    socket: Socket,
}

impl TlsStream {
    /// Begins a session; [`Self::handshake`] brings it up.
    pub fn new(config: Arc<ClientConfig>, name: ServerName<'static>, socket: Socket) -> Result<Self, rustls::Error> {
        Ok(Self { session: ClientConnection::new(config, name)?, socket })
    }

    /// Goes on with the handshake until it is done or the socket would block.
    pub fn handshake(&mut self) -> io::Result<()> {
        loop {
            self.flush()?;
            if !self.session.is_handshaking() {
                return Ok(());
            }
            if self.read_records()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// One read of the socket, and what follows from its bytes. Zero bytes is the end of the stream.
    fn read_records(&mut self) -> io::Result<usize> {
        let length = self.session.read_tls(&mut self.socket)?;
        if let Err(error) = self.session.process_new_packets() {
            // The alert tells the peer why. It is a courtesy: the session has failed whether it goes out or not.
            let _ = self.flush();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(length)
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            self.read_records()?;
            // A peer's key update is answered without being asked for. Should the socket be full, the answer goes
            // out before anything else that is written.
            if self.session.wants_write() {
                match self.flush() {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
        }
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.session.writer().write(bytes)? {
            // The session's buffer is full: make room, or say that there is none.
            0 if !bytes.is_empty() => {
                self.flush()?;
                self.session.writer().write(bytes)
            }
            length => Ok(length),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            if self.session.write_tls(&mut self.socket)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}

/// What a websocket runs over.
pub(super) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

impl Stream {
    /// The socket under it.
    pub fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.socket,
        }
    }

    /// The last read with bytes in it; before the first, when the connection was made.
    pub fn last_read(&self) -> ReadTime {
        self.socket().last
    }

    /// Says that nothing more will be sent: the TLS alert, then the TCP half-close. Best effort, since what for is the
    /// peer's convenience.
    pub fn finish(&mut self) {
        if let Self::Tls(tls) = self {
            tls.session.send_close_notify();
            let _ = tls.flush();
        }
        let _ = self.socket().stream.shutdown(Shutdown::Write);
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_before_another_lies_as_far_before_it_as_it_should() {
        let clock = Clock::new();
        let rate = Rate::of(&clock);
        let raw = clock.later(0, 7_200_000_000_000);
        for ns in [0, 1, 999, 1_000_000, 3_600_000_000_000] {
            let before_ns = clock.between_ns(rate.before(raw, ns), raw);
            assert!(
                before_ns.abs_diff(ns.unsigned_abs()) <= 1 + ns.unsigned_abs() / 1_000_000_000,
                "{before_ns} for {ns}"
            );
        }
        // The system's clock has been set back since the bytes came; it was set far ahead.
        assert_eq!(rate.before(raw, -5), raw);
        assert_eq!(rate.before(raw, i64::MAX), 0);
    }
}
