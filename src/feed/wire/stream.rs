//! What lies under the websocket: the socket that stamps its reads, alone or under TLS.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use crate::base::clock::{Clock, wall_ns};
use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

/// When bytes arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTime {
    /// A raw reading of the clock.
    pub raw: u64,
    /// The wall clock with it, Unix nanoseconds. It does not fall within a connection: where the system's clock is set back, it
    /// waits.
    pub wall_ns: i64,
    /// Bytes of the connection until then, TLS included.
    pub bytes: u64,
}

/// A non-blocking socket that remembers when its last read with bytes in it returned.
pub(super) struct Socket {
    stream: TcpStream,
    clock: Clock,
    last: ReadTime,
}

impl Socket {
    /// Takes a connected stream.
    pub fn new(stream: TcpStream, clock: Clock) -> Self {
        let last = ReadTime { raw: clock.stamp(), wall_ns: wall_ns(), bytes: 0 };
        Self { stream, clock, last }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(length) if length > 0 => {
                    let raw = self.clock.stamp();
                    let wall_ns = self.last.wall_ns.max(wall_ns());
                    self.last = ReadTime { raw, wall_ns, bytes: self.last.bytes + length as u64 };
                    return Ok(length);
                }
                other => return other,
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
    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.socket,
        }
    }

    /// When the last read with bytes in it returned; before the first, when the connection was made.
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
