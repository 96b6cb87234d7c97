//! The connection to the venue: TCP, TLS and websocket on one thread, without blocking.
//!
//! [`Connector::connect`] makes a [`Wire`]. A thread that spins calls [`Wire::next_message`] over and over: it reads
//! the socket itself, with no question of readiness before it. (Measured one way over loopback on two cores, p50:
//! 14–17 µs so, 17–19 µs with an `epoll_wait` of zero timeout before each read.) A thread that sleeps calls
//! [`Wire::wait`] whenever there is no message. Pings are answered and writes go on inside [`Wire::next_message`], so a
//! quiet market needs no further care.
//!
//! Once connected, this module allocates nothing. Per message of the feed's usual size, tungstenite allocates nothing
//! but when its buffer grows, rustls one vector for the plaintext of each TLS record; `tests/wire` counts it.
//!
//! A server on this machine, here tungstenite's own, says one thing:
//!
//! ```
//! use papertrader::base::clock::Clock;
//! use papertrader::feed::wire::{Connector, Received, WireConfig};
//! use std::net::TcpListener;
//! use std::sync::atomic::AtomicBool;
//! use std::thread;
//! use std::time::Duration;
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let url = format!("ws://{}", listener.local_addr()?);
//! let server = thread::spawn(move || {
//!     let (stream, _) = listener.accept().unwrap();
//!     let mut websocket = tungstenite::accept(stream).unwrap();
//!     websocket.send(tungstenite::Message::text("hello")).unwrap();
//!     while websocket.read().is_ok() {}
//! });
//!
//! let connector = Connector::new(&WireConfig::new(url))?;
//! let mut wire = connector.connect(&Clock::new(), &AtomicBool::new(false))?;
//! loop {
//!     match wire.next_message()? {
//!         Some(Received::Text { text, read, decoded_raw }) => {
//!             assert!(text == "hello" && read.raw <= decoded_raw);
//!             break;
//!         }
//!         Some(Received::Closed { .. }) => unreachable!("the server goes on reading"),
//!         None => wire.wait(Duration::from_millis(50))?,
//!     }
//! }
//! assert!(wire.close(Duration::from_secs(5)));
//! # server.join().unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod connect;
mod endpoint;
mod error;
mod receive;
mod several;
mod stream;
mod tls;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::base::clock::Clock;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, Utf8Bytes, WebSocket};

use connect::Poller;
pub use connect::{
    CONNECT_TIME_MAX, Connector, HANDSHAKE_BYTES_MAX, HANDSHAKE_TIME_MAX, MESSAGE_BYTES_MAX, WireConfig,
};
pub use error::{ConfigError, Stage, WireError};
pub use several::wait_for_any;
pub use stream::ReadTime;
use stream::Stream;
pub use tls::CA_BYTES_MAX;

/// Control frames taken in one call of [`Wire::next_message`], so that a flood of pings does not keep the caller from
/// its other work.
const CONTROL_FRAMES_MAX: usize = 64;

/// What arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A text message.
    Text {
        /// Its payload, in the buffer that the websocket read it into.
        text: &'a str,
        /// The socket read that completed it. Messages that one read completed share it.
        read: ReadTime,
        /// When TLS and websocket were done with it, as a raw reading of the clock.
        decoded_raw: u64,
    },
    /// The peer closes the connection. [`Wire::close`] answers it; there is nothing more to read.
    Closed {
        /// The close code (RFC 6455, 7.4), if one was given.
        code: Option<u16>,
        /// The reason in words; often empty.
        reason: &'a str,
    },
}

/// One websocket connection; owned by the feed thread.
pub struct Wire {
    websocket: WebSocket<Stream>,
    poller: Poller,
    clock: Clock,
    host: String,
    peer: SocketAddr,
    /// The payload, or close reason, given out last. Empty during the next read, so that the websocket can use its
    /// buffer again instead of allocating another.
    payload: Utf8Bytes,
    /// Set when the last read found the socket empty. Readiness is reported once for each change (edge-triggered), so a
    /// wait is safe only then.
    drained: bool,
    /// Set when the socket did not take all that was written.
    unflushed: bool,
    /// The read that completed the last message or control frame.
    completed: ReadTime,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The peer has sent a close frame.
    ClosedByPeer,
    /// A read or write failed. What a websocket would read after that means nothing.
    Failed,
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Wire").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Wire {
    fn new(websocket: WebSocket<Stream>, poller: Poller, clock: Clock, host: String, peer: SocketAddr) -> Self {
        let (payload, completed) = (Utf8Bytes::default(), websocket.get_ref().last_read());
        let (drained, unflushed, state) = (false, false, State::Open);
        Self { websocket, poller, clock, host, peer, payload, drained, unflushed, completed, state }
    }

    /// The address that the connection goes to.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// When bytes of any kind last arrived; before the first, when the connection was made.
    pub fn last_read(&self) -> ReadTime {
        self.websocket.get_ref().last_read()
    }

    /// The bytes of a message that has begun to arrive and is not whole; 0 if there is none.
    pub fn bytes_under_way(&self) -> u64 {
        self.last_read().bytes - self.completed.bytes
    }

    /// Sends a text message. What the socket does not take at once goes out in later calls of [`Self::next_message`].
    ///
    /// # Errors
    /// [`WireError::Backlogged`] if too much waits to be sent already; any other ends the connection.
    pub fn send_text(&mut self, text: &str) -> Result<(), WireError> {
        if self.state != State::Open {
            return Err(WireError::Ended);
        }
        let sent = self.websocket.send(Message::text(text));
        self.written(sent)
    }

    /// Gives the next message, or `None` if there is none for now: either the socket has been read empty, or it is time
    /// for the caller to look after its other work. The next call drops the message.
    ///
    /// # Errors
    /// See [`WireError`]; the connection is then of no further use.
    pub fn next_message(&mut self) -> Result<Option<Received<'_>>, WireError> {
        if self.state != State::Open {
            return Err(WireError::Ended);
        }
        self.payload = Utf8Bytes::default();
        self.drained = false;
        if self.unflushed {
            let flushed = self.websocket.flush();
            self.written(flushed)?;
        }
        for _ in 0..CONTROL_FRAMES_MAX {
            let message = self.websocket.read();
            if message.is_ok() {
                self.completed = self.last_read();
            }
            match message {
                Ok(Message::Text(text)) => {
                    let decoded_raw = self.clock.stamp();
                    let read = self.completed;
                    self.payload = text;
                    return Ok(Some(Received::Text { text: &self.payload, read, decoded_raw }));
                }
                // The answer to a ping goes out with the next read.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Ok(Message::Binary(payload)) => {
                    self.state = State::Failed;
                    return Err(WireError::Binary { length: payload.len() });
                }
                Ok(Message::Close(frame)) => {
                    self.state = State::ClosedByPeer;
                    let code = frame.as_ref().map(|frame| frame.code.into());
                    self.payload = frame.map(|frame| frame.reason).unwrap_or_default();
                    return Ok(Some(Received::Closed { code, reason: &self.payload }));
                }
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.drained = true;
                    return Ok(None);
                }
                Err(error) => {
                    self.state = State::Failed;
                    return Err(WireError::from_websocket(&self.host, error));
                }
            }
        }
        Ok(None)
    }

    /// Sleeps until there is something to read, room to write what waits to be sent, `longest` has passed, or a signal
    /// has come. Returns at once if the socket has not been read empty. Call [`Self::next_message`] after it.
    ///
    /// # Errors
    /// [`WireError::Io`] if the system cannot wait.
    pub fn wait(&mut self, longest: Duration) -> Result<(), WireError> {
        if !self.drained {
            return Ok(());
        }
        self.poller.wait(longest).map_err(WireError::Io)
    }

    /// Ends the connection in order: close frame (or the answer to the peer's), TLS closure alert, end of the TCP
    /// stream; then waits for the peer to do the same, `longest` at most. Says whether the peer answered the close
    /// frame or sent one of its own. Messages that still arrive are dropped. After an error it waits for nothing.
    pub fn close(mut self, longest: Duration) -> bool {
        let start = Instant::now();
        let normal = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        // What the socket does not take now is sent by the flush below, and an error shows up there again.
        let _ = self.websocket.close(Some(normal));
        let mut answered = self.state == State::ClosedByPeer;
        let mut finished = false;
        while self.state != State::Failed {
            if answered && !finished && self.websocket.flush().is_ok() {
                self.websocket.get_mut().finish();
                finished = true;
            }
            match self.websocket.read() {
                Ok(Message::Close(_)) => answered = true,
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = longest.saturating_sub(start.elapsed());
                    if left.is_zero() || self.poller.wait(left).is_err() {
                        break;
                    }
                }
                Err(_) => break,
            }
            if start.elapsed() >= longest {
                break;
            }
        }
        if !finished {
            self.websocket.get_mut().finish();
        }
        answered
    }

    /// Takes the result of a write or flush. That the socket is full is no error: the rest is buffered.
    fn written(&mut self, result: tungstenite::Result<()>) -> Result<(), WireError> {
        match result {
            Ok(()) => {
                self.unflushed = false;
                Ok(())
            }
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.unflushed = true;
                Ok(())
            }
            Err(error) => {
                let error = WireError::from_websocket(&self.host, error);
                if !matches!(error, WireError::Backlogged) {
                    self.state = State::Failed;
                }
                Err(error)
            }
        }
    }
}
