//! One connection's life: handshake, open, closing, gone.

use super::config::Limits;
use super::transport::Transport;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response, ServerHandshake};
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket, http};

/// How long a client has to answer a close frame or a FIN.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// The longest request: with a JWT it is about 1 KiB, and products are few.
const REQUEST_BYTES_MAX: usize = 64 << 10;
/// Messages read from one client before others get their turn.
const READS_PER_TURN: usize = 64;

/// Why a connection ended, as far as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// The client left, was told to, or was lost.
    Left,
    HandshakeFailed,
    Slow,
}

enum Phase {
    /// `None` only while a handshake is being driven.
    Handshake(Option<Box<MidHandshake<ServerHandshake<Transport, Greeting>>>>),
    Open(Box<WebSocket<Transport>>),
    /// Nothing more is said; what comes is dropped.
    Deaf {
        transport: Box<Transport>,
        until: Option<Instant>,
    },
}

/// The answer to a websocket handshake.
struct Greeting {
    refuse: bool,
}

impl Callback for Greeting {
    fn on_request(self, _: &Request, response: Response) -> Result<Response, ErrorResponse> {
        if !self.refuse {
            return Ok(response);
        }
        let mut refusal = http::Response::new(None);
        *refusal.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        Err(refusal)
    }
}

/// A connection in whatever state.
pub(super) struct Connection {
    phase: Phase,
    pub accepted: Instant,
    /// A close frame was sent and is to be answered by then.
    closing_until: Option<Instant>,
    /// Unread bytes may be left, though the socket will not say so again.
    pub is_readable: bool,
    /// The connection has ended and is to be taken away.
    pub gone: Option<Gone>,
}

impl Connection {
    /// A connection whose websocket handshake is to come, and to be refused with status 503 if so wished.
    pub fn new(transport: Transport, refuse: bool, now: Instant) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(4 << 10)
            .write_buffer_size(0)
            .max_message_size(Some(REQUEST_BYTES_MAX))
            .max_frame_size(Some(REQUEST_BYTES_MAX));
        let handshake = ServerHandshake::start(transport, Greeting { refuse }, Some(config));
        Self::in_phase(Phase::Handshake(Some(Box::new(handshake))), now)
    }

    /// A connection on which nothing is ever said, until then or until the client leaves.
    pub fn hung(transport: Transport, until: Option<Instant>, now: Instant) -> Self {
        Self::in_phase(Phase::Deaf { transport: Box::new(transport), until }, now)
    }

    fn in_phase(phase: Phase, accepted: Instant) -> Self {
        Self { phase, accepted, closing_until: None, is_readable: false, gone: None }
    }

    /// The socket's stream, except in the middle of a handshake.
    pub fn transport(&mut self) -> Option<&mut Transport> {
        match &mut self.phase {
            Phase::Handshake(handshake) => Some(handshake.as_mut()?.get_mut().get_mut()),
            Phase::Open(websocket) => Some(websocket.get_mut()),
            Phase::Deaf { transport, .. } => Some(transport),
        }
    }

    /// Whether messages may still be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_)) && self.closing_until.is_none() && self.gone.is_none()
    }

    /// The stream of an open connection, to append messages to.
    pub fn open(&mut self) -> Option<&mut Transport> {
        self.is_open().then(|| self.transport()).flatten()
    }

    /// A close frame was sent.
    pub fn is_closing(&self) -> bool {
        self.closing_until.is_some()
    }

    /// Reads what has come and appends the messages to `requests`; a binary one as `None`.
    pub fn read(&mut self, now: Instant, requests: &mut Vec<Option<String>>) {
        self.is_readable = false;
        self.shake_hands();
        let websocket = match &mut self.phase {
            Phase::Open(websocket) => websocket,
            Phase::Handshake(_) => return,
            Phase::Deaf { transport, .. } => {
                if transport.drain() {
                    self.end(Gone::Left);
                }
                return;
            }
        };
        for _ in 0..READS_PER_TURN {
            match websocket.read() {
                Ok(Message::Text(text)) => requests.push(Some(text.as_str().to_owned())),
                Ok(Message::Binary(_)) => requests.push(None),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    self.pump(now);
                    return;
                }
                Err(Error::ConnectionClosed) => {
                    websocket.get_mut().finish();
                    self.end(Gone::Left);
                    return;
                }
                Err(_) if websocket.get_ref().overflowed() => {
                    self.end(Gone::Slow);
                    return;
                }
                Err(error @ (Error::Protocol(_) | Error::Capacity(_) | Error::Utf8(_))) => {
                    let code = match error {
                        Error::Capacity(_) => CloseCode::Size,
                        Error::Utf8(_) => CloseCode::Invalid,
                        _ => CloseCode::Protocol,
                    };
                    self.close(code, "", now);
                    self.send_fin(now);
                    return;
                }
                Err(_) => {
                    self.end(Gone::Left);
                    return;
                }
            }
        }
        self.is_readable = true;
    }

    fn shake_hands(&mut self) {
        let Phase::Handshake(handshake) = &mut self.phase else { return };
        let Some(handshake) = handshake.take() else { return };
        match handshake.handshake() {
            Ok(websocket) => self.phase = Phase::Open(Box::new(websocket)),
            Err(HandshakeError::Interrupted(handshake)) => *self.handshake_slot() = Some(Box::new(handshake)),
            Err(HandshakeError::Failure(_)) => self.end(Gone::HandshakeFailed),
        }
    }

    /// Writes what waits and can be written.
    pub fn pump(&mut self, now: Instant) {
        let Some(transport) = self.transport() else { return };
        let result = transport.pump(now);
        if transport.overflowed() {
            self.end(Gone::Slow);
        } else if result.is_err() {
            self.end(Gone::Left);
        }
    }

    /// The first reason is the true one.
    fn end(&mut self, gone: Gone) {
        self.gone.get_or_insert(gone);
    }

    /// Sends a close frame; the connection ends when it is answered, or soon without an answer.
    pub fn close(&mut self, code: CloseCode, reason: &'static str, now: Instant) {
        if !self.is_open() {
            return;
        }
        if let Phase::Open(websocket) = &mut self.phase {
            // Whether or not it can be sent, the connection ends.
            let _ = websocket.close(Some(CloseFrame { code, reason: reason.into() }));
            self.closing_until = Some(now + CLOSE_WITHIN);
        }
    }

    /// Ends our half of the TCP connection without a word, and drops what still comes until the client ends its half.
    pub fn send_fin(&mut self, now: Instant) {
        match std::mem::replace(&mut self.phase, Phase::Handshake(None)) {
            Phase::Open(websocket) => {
                let mut transport = Box::new(websocket.into_inner());
                if transport.send_fin().is_err() {
                    self.end(Gone::Left);
                }
                self.phase = Phase::Deaf { transport, until: Some(now + CLOSE_WITHIN) };
                // What has come already will not be announced again.
                self.is_readable = true;
            }
            other => self.phase = other,
        }
    }

    /// Resets the connection.
    pub fn reset(&mut self) {
        if let Some(transport) = self.transport() {
            // If the option cannot be set the connection is lost anyway.
            let _ = transport.reset_on_drop();
        }
        self.end(Gone::Left);
    }

    /// When [`Self::on_timer`] has something to do.
    pub fn next_timer(&self, limits: &Limits) -> Option<Instant> {
        match &self.phase {
            Phase::Handshake(_) => Some(self.accepted + limits.subscribe_within),
            Phase::Deaf { until, .. } => *until,
            Phase::Open(websocket) => {
                let transport = websocket.get_ref();
                let times = [slow_at(transport, limits), transport.wants_pump_at(), self.closing_until];
                times.into_iter().flatten().min()
            }
        }
    }

    /// Does what has fallen due.
    pub fn on_timer(&mut self, now: Instant, limits: &Limits) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        match &self.phase {
            Phase::Handshake(_) if now >= self.accepted + limits.subscribe_within => self.end(Gone::HandshakeFailed),
            Phase::Deaf { until, .. } if is_due(*until) => self.end(Gone::Left),
            Phase::Open(websocket) => {
                let transport = websocket.get_ref();
                let (is_slow, is_pump_due) = (is_due(slow_at(transport, limits)), is_due(transport.wants_pump_at()));
                if is_slow {
                    self.end(Gone::Slow);
                } else if is_due(self.closing_until) {
                    self.end(Gone::Left);
                } else if is_pump_due {
                    self.pump(now);
                }
            }
            _ => {}
        }
    }

    fn handshake_slot(&mut self) -> &mut Option<Box<MidHandshake<ServerHandshake<Transport, Greeting>>>> {
        match &mut self.phase {
            Phase::Handshake(slot) => slot,
            _ => unreachable!("the phase changes only once the handshake is done"),
        }
    }
}

/// When a client that still takes nothing will have been slow for too long.
fn slow_at(transport: &Transport, limits: &Limits) -> Option<Instant> {
    let since = transport.blocked_since().filter(|_| !transport.is_shaped());
    since.map(|since| since + limits.blocked_max)
}
