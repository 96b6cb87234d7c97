//! One connection: its handshake, its subscriptions and its numbering.

use super::config::Limits;
use super::feed::Product;
use super::frame::MarketFrame;
use super::message::{self, L2Kind};
use super::send_log::SendLog;
use super::stats::ExchangeStats;
use super::transport::Transport;
use crate::clock;
use std::time::{Duration, Instant};
use tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response, ServerHandshake};
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket, http};

const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
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
    /// `None` only within [`Client::on_ready`].
    Handshake(Option<Box<MidHandshake<ServerHandshake<Transport, Greeting>>>>),
    Open(Box<WebSocket<Transport>>),
    /// Nothing more is said; what comes is dropped.
    Deaf {
        transport: Transport,
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

/// A subscription to one product's book.
struct Stream {
    product: usize,
    /// The snapshot is still to come then, and updates after it.
    late_until: Option<Instant>,
}

/// A clock that ticks for one client.
struct Heartbeats {
    next: Instant,
    counter: u64,
}

/// What the work on a client needs besides the client.
pub(super) struct Desk<'a> {
    pub now: Instant,
    /// The exchange's wall clock.
    pub now_ns: i64,
    pub limits: &'a Limits,
    pub products: &'a [Product],
    pub stats: &'a mut ExchangeStats,
    /// For rendering.
    pub out: &'a mut Vec<u8>,
}

/// One connection.
pub(super) struct Client {
    phase: Phase,
    accepted: Instant,
    /// The number of the next message.
    sequence_num: u64,
    streams: Vec<Stream>,
    heartbeats: Option<Heartbeats>,
    /// Anything was ever subscribed to.
    has_subscribed: bool,
    /// Level2 is silent, until then or for good.
    silent: Option<Option<Instant>>,
    /// A close frame was sent and is to be answered by then.
    closing_until: Option<Instant>,
    /// Unread bytes may be left, though the socket will not say so again.
    pub is_readable: bool,
    pub send_log: Option<SendLog>,
    pub gone: Option<Gone>,
}

impl Client {
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
        Self::in_phase(Phase::Deaf { transport, until }, now)
    }

    fn in_phase(phase: Phase, now: Instant) -> Self {
        Self {
            phase,
            accepted: now,
            sequence_num: 0,
            streams: Vec::new(),
            heartbeats: None,
            has_subscribed: false,
            silent: None,
            closing_until: None,
            is_readable: false,
            send_log: None,
            gone: None,
        }
    }

    /// The socket's stream, except in the middle of a handshake.
    pub fn transport(&mut self) -> Option<&mut Transport> {
        match &mut self.phase {
            Phase::Handshake(handshake) => Some(handshake.as_mut()?.get_mut().get_mut()),
            Phase::Open(websocket) => Some(websocket.get_mut()),
            Phase::Deaf { transport, .. } => Some(transport),
        }
    }

    /// The open connection, if messages may still be sent on it.
    pub fn open(&mut self) -> Option<&mut WebSocket<Transport>> {
        match &mut self.phase {
            Phase::Open(websocket) if self.closing_until.is_none() && self.gone.is_none() => Some(websocket),
            _ => None,
        }
    }

    /// Whether this client gets that product's frames now.
    pub fn wants(&self, product: usize) -> bool {
        self.silent.is_none()
            && self.streams.iter().any(|stream| stream.product == product && stream.late_until.is_none())
    }

    /// Whether any part of the frame is for this client now.
    pub fn receives(&mut self, frame: &MarketFrame) -> bool {
        self.open().is_some() && frame.concerns(|product| self.wants(product))
    }

    /// Reads what has come and appends the messages to `requests`; a binary one as `None`.
    pub fn on_ready(&mut self, now: Instant, requests: &mut Vec<Option<String>>) {
        self.is_readable = false;
        if let Phase::Handshake(handshake) = &mut self.phase {
            let Some(handshake) = handshake.take() else { return };
            match handshake.handshake() {
                Ok(websocket) => self.phase = Phase::Open(Box::new(websocket)),
                Err(HandshakeError::Interrupted(handshake)) => {
                    self.phase = Phase::Handshake(Some(Box::new(handshake)));
                    return;
                }
                Err(HandshakeError::Failure(_)) => {
                    self.gone = Some(Gone::HandshakeFailed);
                    return;
                }
            }
        }
        match &mut self.phase {
            Phase::Handshake(_) => {}
            Phase::Deaf { transport, .. } => {
                if transport.drain() {
                    self.gone = Some(Gone::Left);
                }
            }
            Phase::Open(websocket) => {
                for _ in 0..READS_PER_TURN {
                    match websocket.read() {
                        Ok(Message::Text(text)) => requests.push(Some(text.as_str().to_owned())),
                        Ok(Message::Binary(_)) => requests.push(None),
                        Ok(_) => {}
                        Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                            self.pump(now);
                            return;
                        }
                        Err(error) => {
                            let overflowed = websocket.get_ref().overflowed();
                            if matches!(error, Error::ConnectionClosed) {
                                websocket.get_mut().finish();
                            } else {
                                // Says what was wrong, if the client is still there to hear it.
                                close(websocket, CloseCode::Protocol, "");
                            }
                            self.gone.get_or_insert(if overflowed { Gone::Slow } else { Gone::Left });
                            return;
                        }
                    }
                }
                self.is_readable = true;
            }
        }
    }

    /// Writes what waits and can be written.
    pub fn pump(&mut self, now: Instant) {
        let Some(transport) = self.transport() else { return };
        let result = transport.pump(now);
        if transport.overflowed() {
            self.gone.get_or_insert(Gone::Slow);
        } else if result.is_err() {
            self.gone.get_or_insert(Gone::Left);
        }
    }

    /// Uses up a sequence number.
    pub fn next_sequence_num(&mut self) -> u64 {
        let sequence_num = self.sequence_num;
        self.sequence_num += 1;
        sequence_num
    }

    /// Sends a rendered message.
    pub fn send(&mut self, text: &[u8], now: Instant) {
        let Some(websocket) = self.open() else { return };
        websocket.get_mut().push_text(text);
        self.pump(now);
    }

    /// Sends the client's part of a frame.
    pub fn send_frame(&mut self, frame: &MarketFrame, desk: &mut Desk<'_>) {
        let sequence_num = self.next_sequence_num();
        frame.render(desk.out, sequence_num, |product| self.wants(product));
        let Some(websocket) = self.open() else { return };
        let transport = websocket.get_mut();
        let goes_at_once = transport.backlog_bytes() == 0 && !transport.is_shaped();
        transport.push_text(desk.out);
        if let Some(log) = self.send_log.as_mut().filter(|_| goes_at_once) {
            log.push(sequence_num, clock::wall_ns());
        }
        desk.stats.sent.updates += 1;
        self.pump(desk.now);
    }

    /// Answers a bad request.
    pub fn send_error(&mut self, reason: &str, desk: &mut Desk<'_>) {
        message::error(desk.out, reason);
        desk.stats.sent.errors += 1;
        self.send(desk.out, desk.now);
    }

    /// Acknowledges a request with everything that is subscribed to.
    pub fn send_subscriptions(&mut self, desk: &mut Desk<'_>) {
        let products: Vec<String> =
            self.streams.iter().map(|stream| desk.products[stream.product].name.clone()).collect();
        let sequence_num = self.next_sequence_num();
        message::subscriptions(desk.out, sequence_num, desk.now_ns, &products, self.heartbeats.is_some());
        desk.stats.sent.subscriptions += 1;
        desk.stats.requests += 1;
        self.send(desk.out, desk.now);
    }

    /// Sends a product's book as of now, if there is one yet.
    pub fn send_snapshot(&mut self, product: usize, desk: &mut Desk<'_>) {
        let Product { name, depth } = &desk.products[product];
        if !depth.has_snapshot {
            return;
        }
        let mut levels = Vec::new();
        depth.levels(&mut levels);
        let sequence_num = self.next_sequence_num();
        message::l2_data(desk.out, L2Kind::Snapshot, name, sequence_num, desk.now_ns, depth.scale, &levels);
        desk.stats.sent.snapshots += 1;
        self.send(desk.out, desk.now);
    }

    /// Products of level2 that the client subscribes to.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    pub fn is_subscribed(&self, product: usize) -> bool {
        self.streams.iter().any(|stream| stream.product == product)
    }

    /// Adds a product. With a time, its snapshot and updates come only then.
    pub fn subscribe(&mut self, product: usize, late_until: Option<Instant>) {
        self.has_subscribed = true;
        self.streams.push(Stream { product, late_until });
    }

    pub fn unsubscribe(&mut self, product: usize) {
        self.streams.retain(|stream| stream.product != product);
    }

    /// Begins or ends the heartbeats.
    pub fn set_heartbeats(&mut self, on: bool, now: Instant) {
        self.has_subscribed |= on;
        self.heartbeats = match self.heartbeats.take() {
            _ if !on => None,
            None => Some(Heartbeats { next: now + HEARTBEAT_EVERY, counter: 0 }),
            running => running,
        };
    }

    /// Makes level2 silent, until then or for good.
    pub fn silence(&mut self, until: Option<Instant>) {
        self.silent = Some(until);
    }

    /// Sends a close frame; the connection ends when it is answered, or soon without an answer.
    pub fn close(&mut self, code: CloseCode, reason: &'static str, now: Instant) {
        let Some(websocket) = self.open() else { return };
        close(websocket, code, reason);
        self.closing_until = Some(now + CLOSE_WITHIN);
    }

    /// A close frame was sent.
    pub fn is_closing(&self) -> bool {
        self.closing_until.is_some()
    }

    /// Ends our half of the TCP connection without a word.
    pub fn send_fin(&mut self, now: Instant) {
        let placeholder = Phase::Handshake(None);
        match std::mem::replace(&mut self.phase, placeholder) {
            Phase::Open(websocket) => {
                let mut transport = websocket.into_inner();
                if transport.send_fin().is_err() {
                    self.gone.get_or_insert(Gone::Left);
                }
                self.phase = Phase::Deaf { transport, until: Some(now + CLOSE_WITHIN) };
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
        self.gone.get_or_insert(Gone::Left);
    }

    /// When [`Self::on_timer`] has something to do.
    pub fn next_timer(&mut self, limits: &Limits) -> Option<Instant> {
        let deadline = self.accepted + limits.subscribe_within;
        match &mut self.phase {
            Phase::Handshake(_) => return Some(deadline),
            Phase::Deaf { until, .. } => return *until,
            Phase::Open(_) => {}
        }
        let transport = self.transport().expect("an open connection has its stream");
        let blocked = transport.blocked_since().filter(|_| !transport.is_shaped());
        let of_transport = [blocked.map(|since| since + limits.blocked_max), transport.wants_pump_at()];
        let times = of_transport.into_iter().flatten().chain(self.closing_until);
        if self.open().is_none() {
            return times.min();
        }
        let times = times.chain((!self.has_subscribed).then_some(deadline));
        let times = times.chain(self.heartbeats.as_ref().map(|heartbeats| heartbeats.next));
        let times = times.chain(self.silent.flatten());
        times.chain(self.streams.iter().filter_map(|stream| stream.late_until)).min()
    }

    /// Does what has fallen due.
    pub fn on_timer(&mut self, desk: &mut Desk<'_>) {
        let (now, limits) = (desk.now, desk.limits);
        let is_late = now >= self.accepted + limits.subscribe_within;
        match &self.phase {
            Phase::Handshake(_) if is_late => self.gone = Some(Gone::HandshakeFailed),
            Phase::Deaf { until: Some(until), .. } if now >= *until => self.gone = Some(Gone::Left),
            Phase::Open(websocket) => {
                let transport = websocket.get_ref();
                let blocked = transport.blocked_since().filter(|_| !transport.is_shaped());
                if blocked.is_some_and(|since| now >= since + limits.blocked_max) {
                    self.gone.get_or_insert(Gone::Slow);
                }
                if transport.wants_pump_at().is_some_and(|at| now >= at) {
                    self.pump(now);
                }
                if self.closing_until.is_some_and(|until| now >= until) {
                    self.gone.get_or_insert(Gone::Left);
                }
            }
            _ => {}
        }
        if self.open().is_none() {
            return;
        }
        if is_late && !self.has_subscribed {
            desk.stats.no_subscribe += 1;
            self.close(CloseCode::Policy, "nothing subscribed to in time", now);
            return;
        }
        self.beat(desk);
        self.send_late_snapshots(desk);
    }

    fn beat(&mut self, desk: &mut Desk<'_>) {
        let Some(heartbeats) = self.heartbeats.as_mut().filter(|heartbeats| desk.now >= heartbeats.next) else {
            return;
        };
        heartbeats.counter += 1;
        // After a hold-up the beat goes on from now and does not catch up.
        heartbeats.next = (heartbeats.next + HEARTBEAT_EVERY).max(desk.now);
        let counter = heartbeats.counter;
        let sequence_num = self.next_sequence_num();
        message::heartbeat(desk.out, sequence_num, desk.now_ns, counter);
        desk.stats.sent.heartbeats += 1;
        self.send(desk.out, desk.now);
    }

    fn send_late_snapshots(&mut self, desk: &mut Desk<'_>) {
        let now = desk.now;
        let is_over = |until: Option<Instant>| until.is_some_and(|until| now >= until);
        let silence_is_over = self.silent.is_some_and(is_over);
        if silence_is_over {
            self.silent = None;
        }
        for index in 0..self.streams.len() {
            let stream = &mut self.streams[index];
            let comes_now = is_over(stream.late_until) || (silence_is_over && stream.late_until.is_none());
            if comes_now {
                stream.late_until = None;
                let product = stream.product;
                self.send_snapshot(product, desk);
            }
        }
    }
}

fn close(websocket: &mut WebSocket<Transport>, code: CloseCode, reason: &'static str) {
    // Whether or not it can be sent, the connection ends.
    let _ = websocket.close(Some(CloseFrame { code, reason: reason.into() }));
}
