//! The exchange's floor: clients, market and faults, and what passes between them.

use super::client::{Client, Desk};
use super::config::{ExchangeConfig, ExchangeError};
use super::connection::Gone;
use super::fault_plan::FaultPlan;
use super::faults::{Fault, FaultKind, Occasion};
use super::feed::Feed;
use super::frame::{About, MarketFrame};
use super::request::{Channel, Request, RequestError};
use super::sabotage;
use super::send_log::SendLog;
use super::stats::ExchangeStats;
use mio::Registry;
use std::time::{Duration, Instant};
use tungstenite::protocol::frame::coding::CloseCode;

/// Frames that go out before sockets get their turn.
const FRAMES_PER_TURN: usize = 64;
/// A market without a pace of its own waits for clients with more than this before them.
const UNPACED_BACKLOG_BYTES: usize = 1 << 20;
/// How late a snapshot comes unless the fault says otherwise.
const LATE_SNAPSHOT: Duration = Duration::from_secs(3);

/// Everybody on the floor.
pub(super) struct Floor {
    pub config: ExchangeConfig,
    start_on_subscribe: bool,
    /// Slots; a free one is `None`.
    pub clients: Vec<Option<Client>>,
    pub feed: Feed,
    pub plan: FaultPlan,
    /// Without what [`Self::stats`] adds.
    pub counts: ExchangeStats,
    /// For the first client that subscribes to level2.
    send_log: Option<SendLog>,
    pub send_log_error: Option<ExchangeError>,
    // What follows is kept for its memory only.
    frame: MarketFrame,
    out: Vec<u8>,
    receivers: Vec<usize>,
    struck: Vec<Fault>,
    requests: Vec<Option<String>>,
}

impl Floor {
    pub fn open(config: ExchangeConfig) -> Result<Self, ExchangeError> {
        let mut feed = Feed::open(&config)?;
        let start_on_subscribe = config.start_on_subscribe.unwrap_or(config.source.is_recorded());
        if !start_on_subscribe {
            feed.start(Instant::now());
        }
        Ok(Self {
            plan: FaultPlan::new(&config.faults),
            send_log: config.send_log.as_deref().map(|path| SendLog::create(path, config.replace_files)).transpose()?,
            config,
            start_on_subscribe,
            clients: Vec::new(),
            feed,
            counts: ExchangeStats::default(),
            send_log_error: None,
            frame: MarketFrame::default(),
            out: Vec::new(),
            receivers: Vec::new(),
            struck: Vec::new(),
            requests: Vec::new(),
        })
    }

    pub fn stats(&mut self) -> ExchangeStats {
        let mut stats = self.counts.clone();
        for client in self.clients.iter_mut().flatten() {
            stats.clients += 1;
            stats.bytes_sent += client.connection.transport().map_or(0, |transport| transport.bytes_written());
        }
        stats.market_frames = self.feed.frames;
        stats.behind_max = self.feed.behind_max;
        stats.levels_refused = self.feed.levels_refused();
        stats.recording_faults = self.feed.recording_faults();
        stats.source_ended = self.feed.has_ended();
        stats.source_error = self.feed.error.as_ref().map(ToString::to_string);
        stats.faults = self.plan.fired().clone();
        stats
    }

    /// A free slot for a client, unless there are too many.
    pub fn free_slot(&mut self) -> Option<usize> {
        if let Some(slot) = self.clients.iter().position(Option::is_none) {
            return Some(slot);
        }
        (self.clients.len() < self.config.limits.clients_max).then(|| {
            self.clients.push(None);
            self.clients.len() - 1
        })
    }

    /// When anything falls due, sooner or later.
    pub fn next_due(&mut self) -> Option<Instant> {
        let frame_due = self.feed.next_due().filter(|_| self.market_may_go());
        let limits = &self.config.limits;
        self.clients.iter().flatten().filter_map(|client| client.next_timer(limits)).chain(frame_due).min()
    }

    /// A market without a pace makes its next frame when somebody reads and nobody is behind.
    fn market_may_go(&mut self) -> bool {
        if !self.feed.is_unpaced() {
            return true;
        }
        let mut anybody = false;
        for client in self.clients.iter_mut().flatten().filter(|client| client.is_reading()) {
            let Some(transport) = client.connection.open().filter(|transport| !transport.drops_all()) else { continue };
            if transport.backlog_bytes() > UNPACED_BACKLOG_BYTES {
                return false;
            }
            anybody = true;
        }
        anybody
    }

    /// Reads a client's requests and answers them.
    pub fn read(&mut self, slot: usize, now: Instant) {
        let Some(client) = &mut self.clients[slot] else { return };
        if !client.connection.is_readable || client.connection.gone.is_some() {
            return;
        }
        let mut requests = std::mem::take(&mut self.requests);
        client.connection.read(now, &mut requests);
        for request in requests.drain(..) {
            let request = request.as_deref().ok_or(RequestError::Binary).and_then(Request::parse);
            if let Err(error) = request.and_then(|request| self.answer(slot, request, now)) {
                let (client, mut desk) = self.at_desk(slot, now);
                client.send_error(&error.to_string(), &mut desk);
            }
        }
        self.requests = requests;
    }

    /// A client and what the work on it needs.
    fn at_desk(&mut self, slot: usize, now: Instant) -> (&mut Client, Desk<'_>) {
        let client = self.clients[slot].as_mut().expect("a client keeps its slot while it is served");
        let desk = Desk {
            now,
            now_ns: self.feed.now_ns(),
            layout: self.config.layout,
            limits: &self.config.limits,
            products: &self.feed.products,
            stats: &mut self.counts,
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
            Request::Subscribe(Channel::MarketTrades(names)) => {
                let products = self.find_products(&names)?;
                let (client, mut desk) = self.at_desk(slot, now);
                for product in products {
                    if client.subscribe_prints(product) {
                        client.send_prints_snapshot(product, &mut desk);
                    }
                }
            }
            Request::Unsubscribe(Channel::MarketTrades(names)) => {
                let products = self.find_products(&names)?;
                let (client, _) = self.at_desk(slot, now);
                products.into_iter().for_each(|product| client.unsubscribe_prints(product));
            }
            Request::Subscribe(Channel::Heartbeats) => self.at_desk(slot, now).0.set_heartbeats(true, now),
            Request::Unsubscribe(Channel::Heartbeats) => self.at_desk(slot, now).0.set_heartbeats(false, now),
        }
        let mut struck = std::mem::take(&mut self.struck);
        struck.clear();
        self.plan.strike(Occasion::Acknowledgement, now, &mut struck);
        let (client, mut desk) = self.at_desk(slot, now);
        client.acknowledge(&struck, &mut desk);
        self.struck = struck;
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

    /// Does what has fallen due for clients.
    pub fn on_timers(&mut self, now: Instant) {
        for slot in 0..self.clients.len() {
            let next = self.clients[slot].as_ref().and_then(|client| client.next_timer(&self.config.limits));
            if next.is_some_and(|at| now >= at) {
                let (client, mut desk) = self.at_desk(slot, now);
                client.on_timer(&mut desk);
            }
        }
    }

    /// Sends the frames that have fallen due, as many as fit into a turn.
    pub fn send_due_frames(&mut self) {
        for _ in 0..FRAMES_PER_TURN {
            if !self.market_may_go() || !self.send_next_frame(Instant::now()) {
                break;
            }
        }
        if self.config.close_at_end && self.feed.has_ended() {
            self.close_all(CloseCode::Normal, "the recording is over");
        }
    }

    /// Sends the frames that fall due until a time of the caller's choice, as many as fit into a turn. False once all are
    /// sent.
    #[cfg(any(test, fuzzing))]
    pub fn send_frames_until(&mut self, now: Instant) -> bool {
        (0..FRAMES_PER_TURN).all(|_| self.send_next_frame(now))
    }

    /// Sends the next frame to all whom it concerns, if it is due.
    fn send_next_frame(&mut self, now: Instant) -> bool {
        if !self.feed.take(now, &mut self.frame) {
            return false;
        }
        let mut receivers = std::mem::take(&mut self.receivers);
        receivers.clear();
        receivers.extend((0..self.clients.len()).filter(|&slot| {
            let client = &self.clients[slot];
            client.as_ref().is_some_and(|client| client.receives(&self.frame))
        }));
        if !receivers.is_empty() {
            let (frame, mut struck) = (std::mem::take(&mut self.frame), std::mem::take(&mut self.struck));
            struck.clear();
            let occasion = match frame.about {
                About::Books => Occasion::Frame,
                About::Prints => Occasion::Prints,
            };
            self.plan.strike(occasion, now, &mut struck);
            for &slot in &receivers {
                let (client, mut desk) = self.at_desk(slot, now);
                match frame.about {
                    About::Books => sabotage::deliver(client, &frame, &struck, &mut desk),
                    // A print that is lost is the only fault that prints have of their own.
                    About::Prints => client.send_prints(&frame, struck.len(), &mut desk),
                }
                client.send_acknowledgements(&mut desk);
            }
            (self.frame, self.struck) = (frame, struck);
        }
        self.receivers = receivers;
        true
    }

    /// Sends everybody a close frame, or away who cannot get one.
    pub fn close_all(&mut self, code: CloseCode, reason: &'static str) {
        let now = Instant::now();
        for client in self.clients.iter_mut().flatten() {
            client.connection.close(code, reason, now);
            if !client.connection.is_closing() {
                client.connection.gone.get_or_insert(Gone::Left);
            }
        }
    }

    /// Removes the clients that are gone.
    pub fn reap(&mut self, registry: &Registry) {
        for slot in 0..self.clients.len() {
            if self.clients[slot].as_ref().is_some_and(|client| client.connection.gone.is_some()) {
                self.remove(slot, registry);
            }
        }
    }

    /// Ends a client's connection, if it has not ended yet.
    pub fn remove(&mut self, slot: usize, registry: &Registry) {
        let Some(mut client) = self.clients[slot].take() else { return };
        match client.connection.gone {
            Some(Gone::HandshakeFailed) => self.counts.handshakes_failed += 1,
            Some(Gone::Slow) => self.counts.slow_clients += 1,
            Some(Gone::Left) | None => {}
        }
        if let Some(transport) = client.connection.transport() {
            self.counts.bytes_sent += transport.bytes_written();
            // A socket that is closed leaves the queue by itself too.
            let _ = registry.deregister(transport.socket_mut());
        }
        if let Some(Err(error)) = client.send_log.take().map(SendLog::write) {
            self.send_log_error.get_or_insert(error);
        }
    }
}
