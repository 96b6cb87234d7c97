//! The exchange's one thread: sockets, market and timers in turn.
//!
//! One thread serves everything, so what a client sees is in one order and needs no lock: a snapshot holds exactly the
//! frames before it. Between two turns the thread sleeps in the system's readiness queue until a socket is ready or
//! something falls due; the last millisecond before that it sleeps by the clock, and spins the very last if asked to.

use super::client::Client;
use super::command::{Command, Commands};
use super::config::{ExchangeConfig, ExchangeError};
use super::connection::Connection;
use super::faults::{FaultKind, FaultSpec, Occasion};
use super::floor::Floor;
use super::stats::ExchangeStats;
use super::tls::Certificates;
use super::transport::Transport;
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
/// A client's token is its slot and this.
const CLIENTS: usize = 2;

/// Sockets whose readiness is taken in at a time.
const EVENTS_PER_TURN: usize = 256;
/// A turn at least this often, whatever falls due.
const TURN_MAX: Duration = Duration::from_secs(1);
/// The readiness queue counts in whole milliseconds and wakes up a little late.
const POLL_MARGIN: Duration = Duration::from_micros(200);
/// After the system refused to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long clients have, when the exchange stops, to answer its close frame.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// Everything that the thread owns.
pub(super) struct EventLoop {
    floor: Floor,
    certificates: Option<Certificates>,
    commands: Commands,
    poll: Poll,
    waker: Arc<Waker>,
    listener: TcpListener,
    local_addr: SocketAddr,
    /// Connections may be waiting, though the listener will not say so again.
    accept_at: Option<Instant>,
}

impl EventLoop {
    pub fn new(
        config: ExchangeConfig,
        certificates: Option<Certificates>,
        commands: Commands,
    ) -> Result<Self, ExchangeError> {
        check_faults(&config.faults, certificates.is_some())?;
        let listen_error = |source| ExchangeError::Listen { address: config.listen, source };
        let mut listener = TcpListener::bind(config.listen).map_err(listen_error)?;
        let local_addr = listener.local_addr().map_err(listen_error)?;
        let poll = Poll::new().map_err(ExchangeError::System)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(ExchangeError::System)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).map_err(ExchangeError::System)?;
        Ok(Self {
            floor: Floor::open(config)?,
            certificates,
            commands,
            poll,
            waker: Arc::new(waker),
            listener,
            local_addr,
            accept_at: None,
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
            self.on_events(&events);
            self.floor.on_timers(Instant::now());
            self.floor.send_due_frames();
            self.floor.reap(self.poll.registry());
        }
        self.floor.close_all(CloseCode::Away, "the exchange stops");
        let deadline = Instant::now() + STOP_WITHIN;
        self.floor.reap(self.poll.registry());
        while self.floor.clients.iter().any(Option::is_some) && Instant::now() < deadline {
            self.poll_events(&mut events, Duration::from_millis(10))?;
            self.on_events(&events);
            self.floor.on_timers(Instant::now());
            self.floor.reap(self.poll.registry());
        }
        for slot in 0..self.floor.clients.len() {
            self.floor.remove(slot, self.poll.registry());
        }
        match self.floor.send_log_error.take() {
            Some(error) => Err(error),
            None => Ok(self.floor.stats()),
        }
    }

    /// Answers what the handle asked. False to stop.
    fn obey(&mut self) -> bool {
        let floor = &mut self.floor;
        while let Ok(command) = self.commands.try_recv() {
            // An asker that has gone needs no answer.
            match command {
                Command::Stats(answer) => {
                    let _ = answer.try_send(floor.stats());
                }
                Command::Book(name, answer) => {
                    let product = floor.feed.find(&name);
                    let _ = answer.try_send(product.map(|product| floor.feed.products[product].depth.state()));
                }
                Command::Pause(answer) => {
                    floor.feed.pause(Instant::now());
                    let _ = answer.try_send(());
                }
                Command::Resume(answer) => {
                    floor.feed.resume(Instant::now());
                    let _ = answer.try_send(());
                }
                Command::Inject(fault, answer) => {
                    let checked = check_faults(&[fault], self.certificates.is_some());
                    if checked.is_ok() {
                        floor.plan.add(fault);
                    }
                    let _ = answer.try_send(checked);
                }
                Command::Stop => return false,
            }
        }
        true
    }

    /// Sleeps until a socket is ready or something falls due, and fills `events`.
    fn wait(&mut self, events: &mut Events) -> Result<(), ExchangeError> {
        let now = Instant::now();
        let unread = self.floor.clients.iter().flatten().any(|client| client.connection.is_readable);
        let due = self.floor.next_due().into_iter().chain(self.accept_at).chain(unread.then_some(now)).min();
        let wait = due.map_or(TURN_MAX, |due| due.saturating_duration_since(now).min(TURN_MAX));
        let whole_ms = wait.saturating_sub(POLL_MARGIN).as_millis();
        self.poll_events(events, Duration::from_millis(u64::try_from(whole_ms).unwrap_or(u64::MAX)))?;
        if let Some(due) = due.filter(|_| events.is_empty() && wait < TURN_MAX) {
            let rest = due.saturating_duration_since(Instant::now());
            let spin = self.floor.config.spin;
            if rest > spin {
                thread::sleep(rest - spin);
            }
            while Instant::now() < due {
                std::hint::spin_loop();
            }
        }
        Ok(())
    }

    fn poll_events(&mut self, events: &mut Events, timeout: Duration) -> Result<(), ExchangeError> {
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            result => result.map_err(ExchangeError::System),
        }
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
                    if let Some(Some(client)) = self.floor.clients.get_mut(token - CLIENTS) {
                        let connection = &mut client.connection;
                        connection.is_readable |= event.is_readable() || event.is_read_closed() || event.is_error();
                        if event.is_writable() {
                            connection.pump(now);
                        }
                    }
                }
            }
        }
        for slot in 0..self.floor.clients.len() {
            self.floor.read(slot, now);
        }
    }

    fn accept(&mut self, now: Instant) {
        self.accept_at = None;
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => {
                    if self.admit(socket, now).is_err() {
                        self.floor.counts.handshakes_failed += 1;
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

    /// Makes a client of a connection, with the faults that strike it.
    fn admit(&mut self, mut socket: TcpStream, now: Instant) -> io::Result<()> {
        let floor = &mut self.floor;
        let Some(slot) = floor.free_slot() else {
            floor.counts.refused += 1;
            return Ok(());
        };
        floor.counts.accepted += 1;
        socket.set_nodelay(true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(slot + CLIENTS), interest)?;
        let mut struck = Vec::new();
        floor.plan.strike(Occasion::Connection, now, &mut struck);
        let find = |kind| struck.iter().find(|fault| fault.kind == kind);
        let tls = self.certificates.as_ref().map(|certificates| {
            if find(FaultKind::ExpiredCert).is_some() {
                &certificates.expired
            } else if find(FaultKind::WrongHostCert).is_some() {
                &certificates.wrong_host
            } else {
                &certificates.good
            }
        });
        let transport =
            Transport::new(socket, tls.cloned(), floor.config.limits.outbox_bytes_max).map_err(io::Error::other)?;
        let connection = match find(FaultKind::HandshakeHang) {
            Some(fault) => Connection::hung(transport, fault.duration().map(|duration| now + duration), now),
            None => Connection::new(transport, find(FaultKind::Handshake503).is_some(), now),
        };
        floor.clients[slot] = Some(Client::new(connection));
        Ok(())
    }
}

/// Certificate faults need certificates.
fn check_faults(faults: &[FaultSpec], has_tls: bool) -> Result<(), ExchangeError> {
    match faults.iter().find(|fault| fault.needs_tls() && !has_tls) {
        Some(&fault) => Err(ExchangeError::FaultNeedsTls { fault }),
        None => Ok(()),
    }
}
