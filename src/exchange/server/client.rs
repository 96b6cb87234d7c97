//! One client: its subscriptions, its numbering and what is sent to it.

use super::acknowledgements::{Acknowledgements, Channels};
use super::config::Limits;
use super::connection::Connection;
use super::faults::Fault;
use super::frame::{About, MarketFrame};
use super::product::Product;
use super::send_log::SendLog;
use super::stats::ExchangeStats;
use crate::base::clock;
use crate::exchange::message::{self, L2Kind, Layout, Levels, TRADES, begin_prints};
use std::time::{Duration, Instant};
use tungstenite::protocol::frame::coding::CloseCode;

const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

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
    pub layout: Layout,
    pub limits: &'a Limits,
    pub products: &'a [Product],
    pub stats: &'a mut ExchangeStats,
    /// For rendering.
    pub out: &'a mut Vec<u8>,
}

/// A client on its connection.
pub(super) struct Client {
    pub connection: Connection,
    /// The number of the next message.
    sequence_num: u64,
    /// In the order of subscribing.
    streams: Vec<Stream>,
    /// Products whose prints it gets, in the order of subscribing.
    tapes: Vec<usize>,
    heartbeats: Option<Heartbeats>,
    acknowledgements: Acknowledgements,
    /// Anything was ever subscribed to.
    has_subscribed: bool,
    /// Level2 and the prints are silent, until then or for good.
    silent: Option<Option<Instant>>,
    pub send_log: Option<SendLog>,
}

impl Client {
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            sequence_num: 0,
            streams: Vec::new(),
            tapes: Vec::new(),
            heartbeats: None,
            acknowledgements: Acknowledgements::default(),
            has_subscribed: false,
            silent: None,
            send_log: None,
        }
    }

    /// Whether this client gets that product's frames now.
    pub fn wants(&self, product: usize) -> bool {
        self.silent.is_none()
            && self.streams.iter().any(|stream| stream.product == product && stream.late_until.is_none())
    }

    /// Whether this client gets that product's prints now.
    fn wants_prints(&self, product: usize) -> bool {
        self.silent.is_none() && self.tapes.contains(&product)
    }

    /// Whether any part of the frame is for this client now.
    pub fn receives(&self, frame: &MarketFrame) -> bool {
        self.connection.is_open()
            && frame.concerns(|product| match frame.about {
                About::Books => self.wants(product),
                About::Prints => self.wants_prints(product),
            })
    }

    /// Whether any frames are for this client now.
    pub fn is_reading(&self) -> bool {
        self.connection.is_open()
            && self.silent.is_none()
            && (!self.tapes.is_empty() || self.streams.iter().any(|stream| stream.late_until.is_none()))
    }

    /// Uses up a sequence number.
    pub fn next_sequence_num(&mut self) -> u64 {
        let sequence_num = self.sequence_num;
        self.sequence_num += 1;
        sequence_num
    }

    /// Sends a rendered message.
    pub fn send(&mut self, text: &[u8], now: Instant) {
        if let Some(transport) = self.connection.open() {
            transport.push_text(text);
            self.connection.pump(now);
        }
    }

    /// Sends the client's part of a frame.
    pub fn send_frame(&mut self, frame: &MarketFrame, desk: &mut Desk<'_>) {
        let sequence_num = self.next_sequence_num();
        frame.render(desk.out, sequence_num, |product| self.wants(product));
        let Some(transport) = self.connection.open() else { return };
        let goes_at_once = transport.backlog_bytes() == 0 && !transport.is_shaped();
        transport.push_text(desk.out);
        if let Some(log) = self.send_log.as_mut().filter(|_| goes_at_once) {
            log.push(sequence_num, clock::wall_ns());
        }
        self.connection.pump(desk.now);
        desk.stats.sent.updates += 1;
    }

    /// Sends the client's part of a frame of prints, but for so many of the oldest.
    pub fn send_prints(&mut self, frame: &MarketFrame, left_out: usize, desk: &mut Desk<'_>) {
        if frame.render_prints(desk.out, self.sequence_num, |product| self.wants_prints(product), left_out) {
            self.next_sequence_num();
            desk.stats.sent.prints += 1;
            self.send(desk.out, desk.now);
        }
    }

    /// Sends a product's last prints, if there are any yet.
    pub fn send_prints_snapshot(&mut self, product: usize, desk: &mut Desk<'_>) {
        let Product { prints, .. } = &desk.products[product];
        if prints.is_empty() {
            return;
        }
        let sequence_num = self.next_sequence_num();
        desk.layout.envelope(desk.out, TRADES, sequence_num, desk.now_ns);
        begin_prints(desk.out, L2Kind::Snapshot);
        for (at, print) in prints.iter().enumerate() {
            if at > 0 {
                desk.out.push(b',');
            }
            desk.out.extend_from_slice(print);
        }
        desk.out.extend_from_slice(b"]}]}");
        desk.stats.sent.prints += 1;
        self.send(desk.out, desk.now);
    }

    /// Answers a bad request.
    pub fn send_error(&mut self, reason: &str, desk: &mut Desk<'_>) {
        message::error(desk.out, reason);
        desk.stats.sent.errors += 1;
        self.send(desk.out, desk.now);
    }

    /// Acknowledges a request with everything that is subscribed to now: at once in the older layout, after the first
    /// levels in today's.
    pub fn acknowledge(&mut self, faults: &[Fault], desk: &mut Desk<'_>) {
        let name = |product: usize| desk.products[product].name.clone();
        let channels = Channels {
            level2: self.streams.iter().map(|stream| name(stream.product)).collect(),
            market_trades: self.tapes.iter().map(|&product| name(product)).collect(),
            heartbeats: self.heartbeats.is_some(),
        };
        self.acknowledgements.push(channels, faults, desk.layout, desk.now);
        self.send_acknowledgements(desk);
    }

    /// Sends the acknowledgements that are due.
    pub fn send_acknowledgements(&mut self, desk: &mut Desk<'_>) {
        loop {
            let more_levels = self.is_reading().then_some(self.sequence_num);
            let Some(acknowledgement) = self.acknowledgements.pop_due(more_levels, desk.now) else { return };
            let sequence_num = self.next_sequence_num();
            desk.layout.subscriptions(desk.out, sequence_num, desk.now_ns, acknowledgement.set());
            desk.stats.sent.subscriptions += 1;
            self.send(desk.out, desk.now);
        }
    }

    /// Sends a product's book as of now, if there is one yet.
    pub fn send_snapshot(&mut self, product: usize, desk: &mut Desk<'_>) {
        let Product { name, depth, .. } = &desk.products[product];
        if !depth.has_snapshot {
            return;
        }
        let mut levels = Vec::new();
        depth.levels(&mut levels);
        let sequence_num = self.next_sequence_num();
        let levels = Levels { kind: L2Kind::Snapshot, product: name, scale: depth.scale, updates: &levels };
        desk.layout.l2_data(desk.out, sequence_num, desk.now_ns, &levels);
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

    /// Adds a product's prints; false if they are subscribed to already.
    pub fn subscribe_prints(&mut self, product: usize) -> bool {
        self.has_subscribed = true;
        let is_new = !self.tapes.contains(&product);
        if is_new {
            self.tapes.push(product);
        }
        is_new
    }

    pub fn unsubscribe_prints(&mut self, product: usize) {
        self.tapes.retain(|&other| other != product);
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

    /// Makes level2 and the prints silent, until then or for good.
    pub fn silence(&mut self, until: Option<Instant>) {
        self.silent = Some(until);
    }

    /// When [`Self::on_timer`] has something to do.
    pub fn next_timer(&self, limits: &Limits) -> Option<Instant> {
        let of_connection = self.connection.next_timer(limits);
        if !self.connection.is_open() {
            return of_connection;
        }
        let times = of_connection.into_iter().chain(self.subscribe_deadline(limits)).chain(self.silent.flatten());
        let times = times.chain(self.heartbeats.as_ref().map(|heartbeats| heartbeats.next));
        let times = times.chain(self.acknowledgements.due_by());
        times.chain(self.streams.iter().filter_map(|stream| stream.late_until)).min()
    }

    /// Until when something must be subscribed to.
    fn subscribe_deadline(&self, limits: &Limits) -> Option<Instant> {
        (!self.has_subscribed).then(|| self.connection.accepted + limits.subscribe_within)
    }

    /// Does what has fallen due.
    pub fn on_timer(&mut self, desk: &mut Desk<'_>) {
        self.connection.on_timer(desk.now, desk.limits);
        if !self.connection.is_open() {
            return;
        }
        if self.subscribe_deadline(desk.limits).is_some_and(|deadline| desk.now >= deadline) {
            desk.stats.no_subscribe += 1;
            self.connection.close(CloseCode::Policy, "nothing subscribed to in time", desk.now);
            return;
        }
        self.beat(desk);
        self.send_late_snapshots(desk);
        self.send_acknowledgements(desk);
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
        desk.layout.heartbeat(desk.out, sequence_num, desk.now_ns, counter);
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
            if is_over(stream.late_until) || (silence_is_over && stream.late_until.is_none()) {
                stream.late_until = None;
                let product = stream.product;
                self.send_snapshot(product, desk);
            }
        }
    }
}
