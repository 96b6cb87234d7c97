//! The exchange's one thread: sockets, market and timers in turn.
//!
//! One thread serves everything, so what a client sees is in one order and needs no lock: a snapshot holds exactly the
//! frames before it. Between two turns the thread sleeps in the system's readiness queue until a socket is ready or
//! something falls due; the last millisecond before a frame it sleeps by the clock, and spins the very last if asked to.

use super::client::{Client, Desk, Gone};
use super::config::{ExchangeConfig, ExchangeError, SourceConfig};
use super::fault_plan::FaultPlan;
use super::faults::{Fault, FaultKind, FaultSpec, Occasion};
use super::feed::Feed;
use super::frame::MarketFrame;
use super::request::{Channel, Request, RequestError};
use super::sabotage;
use super::send_log::SendLog;
use super::server::{Command, Commands};
use super::stats::ExchangeStats;
use super::tls::Certificates;
use super::transport::Transport;
use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::protocol::frame::coding::CloseCode;

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
/// The first client's token.
const CLIENTS: usize = 2;

/// Sockets whose readiness is taken in at a time.
const EVENTS_PER_TURN: usize = 256;
/// Frames that go out before sockets get their turn.
const FRAMES_PER_TURN: usize = 64;
/// A turn at least this often, whatever falls due.
const TURN_MAX: Duration = Duration::from_secs(1);
/// The readiness queue counts in whole milliseconds and wakes up a little late.
const POLL_MARGIN: Duration = Duration::from_micros(200);
/// After the system refused to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A market without a pace of its own waits for clients with more than this before them.
const UNPACED_BACKLOG_BYTES: usize = 1 << 20;
/// How long clients have, when the exchange stops, to answer its close frame.
const STOP_WITHIN: Duration = Duration::from_secs(1);
/// How late a snapshot comes unless the fault says otherwise.
const LATE_SNAPSHOT: Duration = Duration::from_secs(3);

/// Everything that the thread owns.
pub(super) struct EventLoop {
    config: ExchangeConfig,
    certificates: Option<Certificates>,
    commands: Commands,
    poll: Poll,
    waker: Arc<Waker>,
    listener: TcpListener,
    local_addr: SocketAddr,
    /// Connections may be waiting, though the listener will not say so again.
    accept_at: Option<Instant>,
    /// Slots; a free one is `None`. A client's token is its slot and [`CLIENTS`].
    clients: Vec<Option<Client>>,
    feed: Feed,
    start_on_subscribe: bool,
    plan: FaultPlan,
    stats: ExchangeStats,
    /// For the first client that subscribes to level2.
    send_log: Option<SendLog>,
    send_log_error: Option<ExchangeError>,
    // What follows is kept for its memory only.
    frame: MarketFrame,
    out: Vec<u8>,
    receivers: Vec<usize>,
    struck: Vec<Fault>,
    requests: Vec<Option<String>>,
}

impl EventLoop {
    pub fn new(
        config: ExchangeConfig,
        certificates: Option<Certificates>,
        commands: Commands,
    ) -> Result<Self, ExchangeError> {
        check_faults(&config.faults, certificates.is_some())?;
        let mut feed = Feed::open(&config)?;
        let start_on_subscribe =
            config.start_on_subscribe.unwrap_or(matches!(config.source, SourceConfig::Capture { .. }));
        let listen_error = |source| ExchangeError::Listen { address: config.listen, source };
        let mut listener = TcpListener::bind(config.listen).map_err(listen_error)?;
        let local_addr = listener.local_addr().map_err(listen_error)?;
        let poll = Poll::new().map_err(ExchangeError::System)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(ExchangeError::System)?);
        listener.register(poll.registry(), LISTENER, Interest::READABLE).map_err(ExchangeError::System)?;
        if !start_on_subscribe {
            feed.start(Instant::now());
        }
        Ok(Self {
            plan: FaultPlan::new(&config.faults),
            send_log: config.send_log.clone().map(SendLog::new),
            config,
            certificates,
            commands,
            poll,
            waker,
            listener,
            local_addr,
            accept_at: None,
            clients: Vec::new(),
            feed,
            start_on_subscribe,
            stats: ExchangeStats::default(),
            send_log_error: None,
            frame: MarketFrame::default(),
            out: Vec::new(),
            receivers: Vec::new(),
            struck: Vec::new(),
            requests: Vec::new(),
        })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Serves until told to stop.
    pub fn run(mut self) -> Result<ExchangeStats, ExchangeError> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        while self.obey() {
            self.wait(&mut events)?;
            self.serve(&events);
        }
        self.close_all(CloseCode::Away, "the exchange stops");
        let deadline = Instant::now() + STOP_WITHIN;
        while self.clients.iter().any(Option::is_some) && Instant::now() < deadline {
            self.poll_events(&mut events, Some(Duration::from_millis(10)))?;
            self.on_events(&events);
            self.on_timers();
            self.reap();
        }
        for slot in 0..self.clients.len() {
            self.remove(slot);
        }
        match self.send_log_error.take() {
            Some(error) => Err(error),
            None => Ok(self.stats()),
        }
    }

    /// One turn.
    fn serve(&mut self, events: &Events) {
        self.on_events(events);
        self.on_timers();
        self.send_due_frames();
        self.reap();
    }

    /// Answers what the handle asked. False to stop.
    fn obey(&mut self) -> bool {
        // An asker that has gone needs no answer.
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Stats(answer) => drop(answer.send(self.stats())),
                Command::Book(product, answer) => {
                    let product = self.feed.find(&product).map(|product| self.feed.products[product].depth.state());
                    let _ = answer.send(product);
                }
                Command::Pause(answer) => {
                    self.feed.pause(Instant::now());
                    let _ = answer.send(());
                }
                Command::Resume(answer) => {
                    self.feed.resume(Instant::now());
                    let _ = answer.send(());
                }
                Command::Inject(fault, answer) => {
                    let checked = check_faults(&[fault], self.certificates.is_some());
                    if checked.is_ok() {
                        self.plan.add(fault);
                    }
                    let _ = answer.send(checked);
                }
                Command::Stop => return false,
            }
        }
        true
    }

    fn stats(&mut self) -> ExchangeStats {
        let mut stats = self.stats.clone();
        for client in self.clients.iter_mut().flatten() {
            stats.clients += 1;
            stats.bytes_sent += client.transport().map_or(0, |transport| transport.bytes_written());
        }
        stats.market_frames = self.feed.frames;
        stats.behind_max = self.feed.behind_max;
        stats.levels_refused = self.feed.levels_refused();
        stats.source_ended = self.feed.has_ended();
        stats.source_error = self.feed.error.as_ref().map(ToString::to_string);
        stats.faults = self.plan.fired().clone();
        stats
    }

    /// Sleeps until a socket is ready or something falls due, and fills `events`.
    fn wait(&mut self, events: &mut Events) -> Result<(), ExchangeError> {
        let now = Instant::now();
        let frame_due = self.feed.next_due().filter(|_| !self.feed.is_unpaced() || self.unpaced_may_go());
        let unread = self.clients.iter().flatten().any(|client| client.is_readable);
        let limits = &self.config.limits;
        let timers = self.clients.iter_mut().flatten().filter_map(|client| client.next_timer(limits));
        let due = timers.chain(frame_due).chain(self.accept_at).chain(unread.then_some(now)).min();
        let wait = due.map_or(TURN_MAX, |due| due.saturating_duration_since(now).min(TURN_MAX));
        let by_queue = Duration::from_millis(wait.saturating_sub(POLL_MARGIN).as_millis() as u64);
        self.poll_events(events, Some(by_queue))?;
        if let Some(due) = due.filter(|_| events.is_empty() && wait < TURN_MAX) {
            let rest = due.saturating_duration_since(Instant::now());
            if rest > self.config.spin {
                thread::sleep(rest - self.config.spin);
            }
            while Instant::now() < due {
                std::hint::spin_loop();
            }
        }
        Ok(())
    }

    fn poll_events(&mut self, events: &mut Events, timeout: Option<Duration>) -> Result<(), ExchangeError> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            result => result.map_err(ExchangeError::System),
        }
    }

    /// Whether a market without a pace may make its next frame: somebody reads, and nobody is behind.
    fn unpaced_may_go(&mut self) -> bool {
        let mut anybody = false;
        for client in self.clients.iter_mut().flatten() {
            let subscribed = client.streams() > 0;
            let Some(websocket) = client.open().filter(|_| subscribed) else { continue };
            let transport = websocket.get_ref();
            if transport.backlog_bytes() > UNPACED_BACKLOG_BYTES && !transport.is_shaped() {
                return false;
            }
            anybody = true;
        }
        anybody
    }

    fn on_events(&mut self, events: &Events) {
        let now = Instant::now();
        if self.accept_at.is_some_and(|at| now >= at) {
            self.accept(now);
        }
        for event in events {
            match event.token() {
                LISTENER => self.accept(now),
                WAKER => {}
                Token(token) => {
                    if let Some(Some(client)) = self.clients.get_mut(token - CLIENTS) {
                        client.is_readable |= event.is_readable() || event.is_read_closed() || event.is_error();
                        if event.is_writable() {
                            client.pump(now);
                        }
                    }
                }
            }
        }
        for slot in 0..self.clients.len() {
            self.read(slot, now);
        }
    }

    fn read(&mut self, slot: usize, now: Instant) {
        let Some(client) = self.clients[slot].as_mut().filter(|client| client.is_readable && client.gone.is_none())
        else {
            return;
        };
        let mut requests = std::mem::take(&mut self.requests);
        client.on_ready(now, &mut requests);
        for request in requests.drain(..) {
            let request = request.as_deref().ok_or(RequestError::Binary).and_then(Request::parse);
            let answer = request.and_then(|request| self.answer(slot, request, now));
            if let Err(error) = answer {
                let (client, mut desk) = self.at_desk(slot, now);
                client.send_error(&error.to_string(), &mut desk);
            }
        }
        self.requests = requests;
    }

    /// A client and what the work on it needs.
    fn at_desk(&mut self, slot: usize, now: Instant) -> (&mut Client, Desk<'_>) {
        let client = self.clients[slot].as_mut().expect("the slot is taken while its client is served");
        let desk = Desk {
            now,
            now_ns: self.feed.now_ns(),
            limits: &self.config.limits,
            products: &self.feed.products,
            stats: &mut self.stats,
            out: &mut self.out,
        };
        (client, desk)
    }

    fn answer(&mut self, slot: usize, request: Request, now: Instant) -> Result<(), RequestError> {
        match request {
            Request::Subscribe(Channel::Level2(names)) => self.subscribe(slot, &names, now)?,
            Request::Unsubscribe(Channel::Level2(names)) => {
                let products = self.find_products(&names)?;
                let (client, _) = self.at_desk(slot, now);
                products.into_iter().for_each(|product| client.unsubscribe(product));
            }
            Request::Subscribe(Channel::Heartbeats) => self.at_desk(slot, now).0.set_heartbeats(true, now),
            Request::Unsubscribe(Channel::Heartbeats) => self.at_desk(slot, now).0.set_heartbeats(false, now),
        }
        let (client, mut desk) = self.at_desk(slot, now);
        client.send_subscriptions(&mut desk);
        Ok(())
    }

    /// The products of these names, each once.
    fn find_products(&self, names: &[String]) -> Result<Vec<usize>, RequestError> {
        let mut products = Vec::new();
        for name in names {
            let product = self.feed.find(name).ok_or_else(|| RequestError::UnknownProduct(name.clone()))?;
            if !products.contains(&product) {
                products.push(product);
            }
        }
        Ok(products)
    }

    /// Adds products to a client's level2, all or none, with a snapshot for each that has a book. One that the client
    /// already subscribes to is left as it is.
    fn subscribe(&mut self, slot: usize, names: &[String], now: Instant) -> Result<(), RequestError> {
        let mut products = self.find_products(names)?;
        let max = self.config.limits.level2_streams_max;
        let (client, _) = self.at_desk(slot, now);
        products.retain(|&product| !client.is_subscribed(product));
        if client.streams() + products.len() > max {
            return Err(RequestError::TooManyStreams { max });
        }
        for product in products {
            self.struck.clear();
            if self.feed.products[product].depth.has_snapshot {
                self.plan.strike(Occasion::Snapshot, now, &mut self.struck);
            }
            let late_by = self.struck.iter().rfind(|fault| fault.kind == FaultKind::LateSnapshot);
            let late_until = late_by.map(|fault| now + fault.duration().unwrap_or(LATE_SNAPSHOT));
            let (client, mut desk) = self.at_desk(slot, now);
            client.subscribe(product, late_until);
            if late_until.is_none() {
                client.send_snapshot(product, &mut desk);
            }
        }
        if let Some(log) = self.send_log.take() {
            self.at_desk(slot, now).0.send_log = Some(log);
        }
        if self.start_on_subscribe && !self.feed.is_started() {
            self.feed.start(now);
            // A recording's first frame, its snapshot, comes before the acknowledgement like any other snapshot.
            self.send_next_frame(now);
        }
        Ok(())
    }

    fn on_timers(&mut self) {
        let now = Instant::now();
        for slot in 0..self.clients.len() {
            let Some(client) = &mut self.clients[slot] else { continue };
            if client.next_timer(&self.config.limits).is_none_or(|at| at > now) {
                continue;
            }
            let (client, mut desk) = self.at_desk(slot, now);
            client.on_timer(&mut desk);
        }
    }

    fn send_due_frames(&mut self) {
        for _ in 0..FRAMES_PER_TURN {
            if self.feed.is_unpaced() && !self.unpaced_may_go() {
                return;
            }
            if !self.send_next_frame(Instant::now()) {
                break;
            }
        }
        if self.config.close_at_end && self.feed.has_ended() {
            self.close_all(CloseCode::Normal, "the recording is over");
        }
    }

    /// Sends the next frame to all whom it concerns, if it is due.
    fn send_next_frame(&mut self, now: Instant) -> bool {
        if !self.feed.take(now, &mut self.frame) {
            return false;
        }
        let mut receivers = std::mem::take(&mut self.receivers);
        receivers.clear();
        let frame = &self.frame;
        let receives = |client: &mut Option<Client>| client.as_mut().is_some_and(|client| client.receives(frame));
        receivers
            .extend(self.clients.iter_mut().enumerate().filter_map(|(slot, client)| receives(client).then_some(slot)));
        if !receivers.is_empty() {
            self.struck.clear();
            self.plan.strike(Occasion::Frame, now, &mut self.struck);
            let frame = std::mem::take(&mut self.frame);
            let struck = std::mem::take(&mut self.struck);
            for &slot in &receivers {
                let (client, mut desk) = self.at_desk(slot, now);
                sabotage::deliver(client, &frame, &struck, &mut desk);
            }
            (self.frame, self.struck) = (frame, struck);
        }
        self.receivers = receivers;
        true
    }

    fn accept(&mut self, now: Instant) {
        self.accept_at = None;
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => {
                    if self.admit(socket, now).is_err() {
                        self.stats.handshakes_failed += 1;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(_) => {
                    self.accept_at = Some(now + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    fn admit(&mut self, mut socket: TcpStream, now: Instant) -> io::Result<()> {
        let slot = match self.clients.iter().position(Option::is_none) {
            Some(slot) => slot,
            None if self.clients.len() < self.config.limits.clients_max => {
                self.clients.push(None);
                self.clients.len() - 1
            }
            None => {
                self.stats.refused += 1;
                return Ok(());
            }
        };
        self.stats.accepted += 1;
        socket.set_nodelay(true)?;
        socket.register(self.poll.registry(), Token(slot + CLIENTS), Interest::READABLE | Interest::WRITABLE)?;
        self.struck.clear();
        self.plan.strike(Occasion::Connection, now, &mut self.struck);
        let find = |kind| self.struck.iter().find(|fault| fault.kind == kind);
        let tls = self.certificates.as_ref().map(|certificates| {
            if find(FaultKind::ExpiredCert).is_some() {
                &certificates.expired
            } else if find(FaultKind::WrongHostCert).is_some() {
                &certificates.wrong_host
            } else {
                &certificates.good
            }
        });
        let transport = Transport::new(socket, tls.cloned(), self.config.limits.outbox_bytes_max)
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        let client = match find(FaultKind::HandshakeHang) {
            Some(fault) => Client::hung(transport, fault.duration().map(|duration| now + duration), now),
            None => Client::new(transport, find(FaultKind::Handshake503).is_some(), now),
        };
        self.clients[slot] = Some(client);
        Ok(())
    }

    fn close_all(&mut self, code: CloseCode, reason: &'static str) {
        let now = Instant::now();
        for client in self.clients.iter_mut().flatten() {
            if client.open().is_some() {
                client.close(code, reason, now);
            } else if !client.is_closing() {
                client.gone.get_or_insert(Gone::Left);
            }
        }
        self.reap();
    }

    /// Removes the clients that are gone.
    fn reap(&mut self) {
        for slot in 0..self.clients.len() {
            if self.clients[slot].as_ref().is_some_and(|client| client.gone.is_some()) {
                self.remove(slot);
            }
        }
    }

    fn remove(&mut self, slot: usize) {
        let Some(mut client) = self.clients[slot].take() else { return };
        match client.gone {
            Some(Gone::HandshakeFailed) => self.stats.handshakes_failed += 1,
            Some(Gone::Slow) => self.stats.slow_clients += 1,
            Some(Gone::Left) | None => {}
        }
        if let Some(transport) = client.transport() {
            self.stats.bytes_sent += transport.bytes_written();
            // The socket leaves the queue by itself when it is closed.
            let _ = transport.socket_mut().deregister(self.poll.registry());
        }
        if let Some(Err(error)) = client.send_log.take().map(|log| log.write()) {
            self.send_log_error.get_or_insert(error);
        }
    }
}

/// Certificate faults need certificates.
fn check_faults(faults: &[FaultSpec], has_tls: bool) -> Result<(), ExchangeError> {
    match faults.iter().find(|fault| fault.needs_tls() && !has_tls) {
        Some(&fault) => Err(ExchangeError::FaultNeedsTls { fault }),
        None => Ok(()),
    }
}
