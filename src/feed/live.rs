//! A live session: connect, subscribe, read, publish; and begin again when anything makes the book unreliable.
//!
//! With several products on the connection, what makes one book unreliable and not the others costs that book alone: it is
//! subscribed to again.
//!
//! ```
//! # #[cfg(feature = "cli")] {
//! use papertrader::engine::status::Status;
//! use papertrader::exchange::{Exchange, ExchangeConfig};
//! use papertrader::feed::backoff::Backoff;
//! use papertrader::feed::intake::ScaleRule;
//! use papertrader::feed::live::{LiveFeed, LiveSettings};
//! use papertrader::feed::vitals::Patience;
//! use papertrader::feed::wire::{Connector, WireConfig};
//! use papertrader::handoff::Wait;
//! use papertrader::research::source::Nobody;
//! use papertrader::run::session::Feed;
//! use std::time::Duration;
//!
//! // The local exchange stands in for the venue.
//! let exchange = Exchange::start(ExchangeConfig::default())?;
//! let settings = LiveSettings {
//!     connector: Connector::new(&WireConfig::new(exchange.url()))?,
//!     products: vec!["BTC-USD".into()],
//!     prints: true,
//!     rule: ScaleRule::default(),
//!     wait: Wait::Block,
//!     patience: Patience::default(),
//!     duration: Some(Duration::from_secs(1)),
//!     max_retries: None,
//!     credentials: None,
//!     backoff: Backoff::new(7),
//! };
//! let (notices, _heard) = crossbeam_channel::unbounded();
//! let outcome = LiveFeed::new(settings, None, notices).run(&mut Nobody, &Status::default());
//! assert_eq!((outcome.connections, outcome.first().counts.snapshots), (1, 1));
//! assert_eq!(outcome.first().counts.faults.total(), 0);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::again::{Again, Verdict};
use super::age::VenueAges;
use super::backoff::Backoff;
use super::coinbase::auth::{Credentials, Traces};
use super::coinbase::secrecy::without_keys;
use super::coinbase::subscription::{self, Acknowledged, MARKET_TRADES, acknowledged, acknowledges_prints};
use super::intake::{Arrival, FaultNote, ScaleRule, Taken};
use super::intakes::{Intakes, Of, ProductSeen, Took};
use super::tape::Tape;
use super::vitals::{Known, Overdue, Patience, Progress, Vitals};
use super::wire::{Connector, ReadTime, Received, Wire, WireError};
use crate::base::clock::{Clock, wall_ns};
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use crate::engine::status::Status;
use crate::handoff::Wait;
use crate::market::event::Fault;
use crate::market::publish::{EngineGone, Publish};
use crate::run::session::Feed;
use crossbeam_channel::Sender;
use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

/// Attempts to connect for the first time, unless the user says otherwise.
pub const FIRST_ATTEMPTS: u32 = 5;
/// The longest sleep of a blocking feed: how late it notices that it shall stop or that something is overdue.
const SLEEP_MAX: Duration = Duration::from_millis(50);
/// How long the venue may take to answer our close frame.
const CLOSE_MAX: Duration = Duration::from_millis(500);
/// Messages between two looks at what is overdue while there is always another message.
const MESSAGES_PER_LOOK: u32 = 256;

/// What a live feed is told.
#[derive(Debug)]
pub struct LiveSettings {
    /// Makes the connections.
    pub connector: Connector,
    /// The products to subscribe to: at least one, at most [`subscription::PRODUCTS_PER_CONNECTION`], each once.
    pub products: Vec<String>,
    /// Whether to subscribe to their prints besides their books.
    pub prints: bool,
    /// Tick and lot, if given.
    pub rule: ScaleRule,
    /// How the feed waits for bytes: spinning it reads without sleeping.
    pub wait: Wait,
    /// When to give a connection up.
    pub patience: Patience,
    /// How long to run; `None` until stopped.
    pub duration: Option<Duration>,
    /// Attempts in a row that may fail before the session ends; `None`: five before the first connection, then no limit.
    pub max_retries: Option<u32>,
    /// Signs subscriptions.
    pub credentials: Option<Credentials>,
    /// The delays between attempts.
    pub backoff: Backoff,
}

/// A live feed, to be run.
#[derive(Debug)]
pub struct LiveFeed {
    settings: LiveSettings,
    /// Gets a copy of everything received.
    tape: Option<Tape>,
    /// Gets a line about every fault, for somebody to print.
    notices: Sender<String>,
}

/// What a live feed has to say at the end.
#[derive(Debug)]
pub struct LiveOutcome {
    /// What the feed has seen of each product, in their order; at least one.
    pub products: Vec<ProductSeen>,
    /// Other products seen.
    pub other_products: Vec<String>,
    /// Messages with the system's stamp of their arrival.
    pub stamped_messages: u64,
    /// How old the products' frames were by the venue's clock.
    pub venue_ages: VenueAges,
    /// Connections made.
    pub connections: u64,
    /// Those of them on which prints were subscribed to, and on which the venue acknowledged them.
    pub prints_subscribed: PrintsSubscribed,
    /// Attempts to connect that failed.
    pub failed_attempts: u64,
    /// Why the session ended before its time: no connection could be made.
    pub gave_up: Option<String>,
    /// Whether somebody stopped it before its time.
    pub stopped: bool,
}

impl LiveOutcome {
    /// The first product's.
    pub fn first(&self) -> &ProductSeen {
        self.products.first().expect("a session has a product")
    }
}

/// On how many connections the venue was asked for prints, and said yes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrintsSubscribed {
    /// Connections that subscribed.
    pub asked: u64,
    /// Connections whose subscription the venue acknowledged.
    pub acknowledged: u64,
}

/// How far the subscription to prints has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PrintsState {
    /// Not on this connection.
    #[default]
    Not,
    Asked,
    Acknowledged,
    /// Perhaps: the venue sent an error or closed the connection, and did not say what it was about.
    Refused,
}

/// Why a connection is over.
enum End {
    /// The session is over: stopped, or its time is up.
    Session,
    /// Something was wrong with the connection or with what came over it.
    Fault(Fault, String),
    EngineGone,
}

impl From<EngineGone> for End {
    fn from(_: EngineGone) -> Self {
        Self::EngineGone
    }
}

impl From<WireError> for End {
    fn from(error: WireError) -> Self {
        let fault = match error {
            WireError::InvalidUtf8
            | WireError::Binary { .. }
            | WireError::TooLong { .. }
            | WireError::Protocol { .. } => Fault::Malformed,
            _ => Fault::Disconnected,
        };
        Self::Fault(fault, error.to_string())
    }
}

/// The session's state over its connections.
struct Run<'a, P> {
    settings: &'a LiveSettings,
    tape: Option<Tape>,
    notices: Sender<String>,
    clock: Clock,
    intakes: Intakes,
    /// Of each product.
    again: Vec<Again>,
    engine: &'a mut P,
    status: &'a Status,
    ends: Option<Instant>,
    stamped_messages: u64,
    venue_ages: VenueAges,
    connections: u64,
    prints: PrintsState,
    prints_subscribed: PrintsSubscribed,
    prints_refusal_told: bool,
    failed_attempts: u64,
    /// Of each product.
    alias_told: Vec<bool>,
    /// When the first frame made a book of the connection in hand live. One is so until the connection's end.
    live_since: Option<Instant>,
    /// Finds our tokens and our key's name, which are secrets, in what the venue sends: an error message may quote the request.
    traces: Option<Traces>,
}

impl LiveFeed {
    /// A feed that also records onto `tape` and sends notices.
    pub fn new(settings: LiveSettings, tape: Option<Tape>, notices: Sender<String>) -> Self {
        Self { settings, tape, notices }
    }
}

impl Feed for LiveFeed {
    type Outcome = LiveOutcome;

    fn run(self, engine: &mut impl Publish, status: &Status) -> LiveOutcome {
        let Self { settings, tape, notices } = self;
        let clock = Clock::new();
        let mut run = Run {
            settings: &settings,
            tape,
            notices,
            intakes: Intakes::new(&settings.products, settings.rule, clock.clone()),
            again: settings.products.iter().map(|_| Again::new(settings.backoff.clone())).collect(),
            clock,
            engine,
            status,
            ends: settings.duration.and_then(|duration| Instant::now().checked_add(duration)),
            stamped_messages: 0,
            venue_ages: VenueAges::default(),
            connections: 0,
            prints: PrintsState::Not,
            prints_subscribed: PrintsSubscribed::default(),
            prints_refusal_told: false,
            failed_attempts: 0,
            alias_told: vec![false; settings.products.len()],
            live_since: None,
            traces: settings.credentials.as_ref().map(Credentials::traces),
        };
        let gave_up = run.until_the_end();
        status.connected(run.connections, false);
        LiveOutcome {
            products: run.intakes.seen(),
            other_products: run.intakes.other_products(),
            stamped_messages: run.stamped_messages,
            venue_ages: run.venue_ages,
            connections: run.connections,
            prints_subscribed: run.prints_subscribed,
            failed_attempts: run.failed_attempts,
            gave_up,
            stopped: status.stopping(),
        }
    }
}

impl<P: Publish> Run<'_, P> {
    /// Connects again and again. Gives the reason if no connection can be made.
    fn until_the_end(&mut self) -> Option<String> {
        let mut backoff = self.settings.backoff.clone();
        let mut failures_in_a_row = 0;
        let mut told = String::new();
        loop {
            let connector = &self.settings.connector;
            let wire = match connector.connect_until(&self.clock, self.status.stop_flag(), self.ends) {
                Ok(wire) => wire,
                Err(_) if self.is_over() => return None,
                Err(error) => {
                    self.failed_attempts += 1;
                    failures_in_a_row += 1;
                    let first_only = if self.connections == 0 { Some(FIRST_ATTEMPTS) } else { None };
                    let allowed = self.settings.max_retries.or(first_only);
                    if allowed.is_some_and(|allowed| failures_in_a_row >= allowed.max(1)) {
                        let attempts = if failures_in_a_row == 1 { "attempt" } else { "attempts" };
                        return Some(format!("{error}; gave up after {failures_in_a_row} {attempts}"));
                    }
                    // Once: a venue that is down for hours says the same each time.
                    let text = error.to_string();
                    if text != told {
                        self.notice(format_args!("{text}; trying again"));
                        told = text;
                    }
                    if !self.sleep(backoff.next_delay()) {
                        return None;
                    }
                    continue;
                }
            };
            failures_in_a_row = 0;
            told.clear();
            self.connections += 1;
            self.status.connected(self.connections, true);
            self.live_since = None;
            let end = self.connection(wire);
            let live = self.live_since.map_or(Duration::ZERO, |since| since.elapsed());
            self.status.connected(self.connections, false);
            match end {
                End::Session | End::EngineGone => return None,
                End::Fault(fault, cause) => {
                    // Recorded, shown and reported.
                    let cause = without_keys(&cause).into_owned();
                    let arrival = self.now();
                    if let Some(tape) = &mut self.tape {
                        tape.disconnected(arrival.ts_recv_ns, fault, &cause);
                    }
                    self.notice(format_args!("{}: {cause}; reconnecting", fault.name()));
                    if self.intakes.disconnected(fault, &cause, &arrival, self.engine).is_err() {
                        return None;
                    }
                    backoff.session_ended(live);
                    if !self.sleep(backoff.next_delay()) {
                        return None;
                    }
                }
            }
        }
    }

    /// One connection from its beginning to its end.
    fn connection(&mut self, mut wire: Wire) -> End {
        let end = match self.subscribe(&mut wire) {
            Ok(vitals) => self.read(&mut wire, vitals),
            Err(end) => end,
        };
        // A connection that is broken is not waited for.
        let patience = if matches!(end, End::Session) { CLOSE_MAX } else { Duration::ZERO };
        wire.close(patience);
        end
    }

    fn subscribe(&mut self, wire: &mut Wire) -> Result<Vitals, End> {
        let arrival = self.now();
        if let Some(tape) = &mut self.tape {
            tape.connected(arrival.ts_recv_ns);
        }
        self.intakes.connected(&arrival, self.engine)?;
        self.again.iter_mut().for_each(Again::connected);
        let now_unix_s = u64::try_from(arrival.ts_recv_ns / 1_000_000_000).unwrap_or(0);
        let credentials = self.settings.credentials.as_ref();
        // What ended the last connection before the acknowledgement may have been about the prints: this time without them.
        let spared = self.prints == PrintsState::Refused;
        let prints = self.settings.prints && !spared;
        self.prints = if prints { PrintsState::Asked } else { PrintsState::Not };
        self.prints_subscribed.asked += u64::from(prints);
        if spared {
            self.notice(format_args!("this connection leaves out {MARKET_TRADES}, which the venue may have refused"));
        }
        let messages = subscription::subscribe(&self.settings.products, prints, credentials, now_unix_s)
            .map_err(|error| End::Fault(Fault::SubscriptionRefused, error.to_string()))?;
        for message in &messages {
            wire.send_text(message)?;
        }
        Ok(Vitals::new(self.clock.stamp(), self.settings.products.len()))
    }

    /// Takes messages until the connection or the session ends.
    fn read(&mut self, wire: &mut Wire, mut vitals: Vitals) -> End {
        let mut until_look = 0;
        loop {
            let took = match self.take_message(wire, &mut vitals) {
                Ok(took) => took,
                Err(end) => return end,
            };
            until_look -= 1;
            if took && until_look > 0 {
                continue;
            }
            until_look = MESSAGES_PER_LOOK as i32;
            if self.is_over() {
                return End::Session;
            }
            if let Err(end) = self.look_after_products(wire, &mut vitals) {
                return end;
            }
            if !took {
                // Only once everything that has come is read: a process that was suspended finds its heartbeats waiting.
                let progress = Progress { last_byte: wire.last_read().raw, bytes_under_way: wire.bytes_under_way() };
                let known = |product: usize| {
                    let intake = self.intakes.intake(product);
                    let (frame, waits) = (intake.frame_received(), self.again[product].is_planned());
                    Known { synced: intake.is_synced(), frame, waits }
                };
                if let Some(overdue) = vitals.overdue(&self.settings.patience, &self.clock, known, progress)
                    && let Err(end) = self.take_overdue(overdue)
                {
                    return end;
                }
                let waited = match self.settings.wait {
                    Wait::Spin => Ok(()),
                    Wait::Yield => {
                        thread::yield_now();
                        Ok(())
                    }
                    Wait::Block => wire.wait(SLEEP_MAX),
                };
                if let Err(error) = waited {
                    return error.into();
                }
            }
        }
    }

    /// Takes a message if there is one.
    #[inline]
    fn take_message(&mut self, wire: &mut Wire, vitals: &mut Vitals) -> Result<bool, End> {
        let (text, read, decoded) = match wire.next_message()? {
            None => return Ok(false),
            Some(Received::Text { text, read, decoded_raw }) => (text, read, decoded_raw),
            Some(Received::Closed { code, reason }) => {
                let mut cause = String::from("the venue closed the connection");
                if let Some(code) = code {
                    // Writing to a string does not fail.
                    let _ = write!(cause, " with code {code}");
                }
                if !reason.is_empty() && !self.traces.as_mut().is_some_and(|traces| traces.are_in(reason.as_bytes())) {
                    let _ = write!(cause, " ({})", quote(reason, QUOTE_CHARS_MAX));
                }
                self.may_be_refused();
                return Err(End::Fault(Fault::Disconnected, cause));
            }
        };
        let ReadTime { raw: received, arrived_raw: arrived, wall_ns: ts_recv_ns, .. } = read;
        self.stamped_messages += u64::from(arrived.is_some());
        let message = text.as_bytes();
        if let Some(traces) = &mut self.traces
            && traces.are_in(message)
        {
            self.may_be_refused();
            return Err(End::Fault(
                Fault::VenueError,
                "the venue sent our own token or key's name back; not shown".into(),
            ));
        }
        if let Some(tape) = &mut self.tape {
            tape.frame(ts_recv_ns, message);
        }
        let arrival = Arrival { ts_recv_ns, arrived, received, decoded };
        let Took { of, taken } = self.intakes.take(message, &arrival, self.engine)?;
        match taken {
            Taken::Frame => {
                let product = if let Of::Product(product) = of { product } else { 0 };
                let intake = self.intakes.intake(product);
                self.venue_ages.record(intake.ts_event_ns(), ts_recv_ns);
                if self.live_since.is_none() {
                    self.live_since = Some(Instant::now());
                }
                if !self.alias_told[product] && intake.parser().alias().is_some() {
                    self.tell_alias(product);
                }
            }
            Taken::Heartbeat => vitals.heartbeat = received,
            Taken::Subscriptions => {
                let products = &self.settings.products;
                let all_prints = || products.iter().all(|product| acknowledges_prints(message, product));
                if self.prints == PrintsState::Asked && all_prints() {
                    self.prints = PrintsState::Acknowledged;
                    self.prints_subscribed.acknowledged += 1;
                }
                for (product, vitals) in products.iter().zip(&mut vitals.products) {
                    match acknowledged(message, product) {
                        Acknowledged::Yes => vitals.acknowledged = true,
                        // One that was subscribed to again was none for a moment.
                        Acknowledged::Other(cause) if !vitals.again => {
                            return Err(End::Fault(Fault::SubscriptionRefused, cause));
                        }
                        Acknowledged::NotYet | Acknowledged::Other(_) => {}
                    }
                }
            }
            Taken::PrintsRefused(text) => self.tell_refusal(&text),
            Taken::Prints | Taken::Other => {}
            Taken::Fault(FaultNote { fault, detail }) => {
                if let Of::Product(product) = of {
                    self.product_lost(product, fault, &detail);
                    return Ok(true);
                }
                if fault == Fault::VenueError {
                    self.may_be_refused();
                }
                return Err(End::Fault(fault, detail));
            }
        }
        Ok(true)
    }

    /// Sees to what engines found in books, and to products whose time has come to be subscribed to again.
    fn look_after_products(&mut self, wire: &mut Wire, vitals: &mut Vitals) -> Result<(), End> {
        let status = self.status;
        for (product, status) in status.products().take(self.settings.products.len()).enumerate() {
            if let Some(fault) = status.take_engine_fault(self.connections) {
                self.book_lost(product, fault, "found by the book".into())?;
            }
        }
        for product in 0..self.again.len() {
            if self.again[product].is_due() {
                self.subscribe_again(wire, vitals, product)?;
            }
        }
        Ok(())
    }

    /// What is overdue ends the connection, or is one product's alone.
    #[cold]
    fn take_overdue(&mut self, Overdue { product, fault, text }: Overdue) -> Result<(), End> {
        let Some(product) = product else { return Err(End::Fault(fault, text)) };
        if self.intakes.is_synced(product) {
            return self.book_lost(product, fault, text);
        }
        let text = self.named(product, text);
        let others_are_well = (0..self.again.len()).any(|other| self.intakes.is_synced(other));
        let snapshots = self.intakes.intake(product).counts().snapshots;
        if !others_are_well || self.again[product].overdue(snapshots) == Verdict::Reconnect {
            return Err(End::Fault(fault, text));
        }
        self.notice(format_args!("{}: {text}; subscribing again", fault.name()));
        Ok(())
    }

    /// A product's book is unreliable for a reason that its messages do not say: recorded, so that a replay knows it too. The
    /// only product's ends the connection.
    #[cold]
    fn book_lost(&mut self, product: usize, fault: Fault, cause: String) -> Result<(), End> {
        if self.settings.products.len() == 1 {
            return Err(End::Fault(fault, cause));
        }
        let arrival = self.now();
        if let Some(tape) = &mut self.tape {
            tape.invalid(arrival.ts_recv_ns, &self.settings.products[product], fault, &cause);
        }
        self.product_lost(product, fault, &cause);
        self.intakes.fault_of(product, fault, cause, &arrival, self.engine)?;
        Ok(())
    }

    /// Plans a new subscription to a product whose book was lost, and to any other that the same message lost.
    #[cold]
    fn product_lost(&mut self, product: usize, fault: Fault, cause: &str) {
        for index in 0..self.again.len() {
            let intake = self.intakes.intake(index);
            if index != product && !intake.is_invalid() {
                continue;
            }
            let planned = self.again[index].lost(intake.counts().snapshots);
            if index == product && planned.is_some() {
                let cause = self.named(product, without_keys(cause).into_owned());
                self.notice(format_args!("{}: {cause}; subscribing again", fault.name()));
            }
        }
    }

    #[cold]
    fn subscribe_again(&mut self, wire: &mut Wire, vitals: &mut Vitals, product: usize) -> Result<(), End> {
        let credentials = self.settings.credentials.as_ref();
        let now_unix_s = u64::try_from(wall_ns() / 1_000_000_000).unwrap_or(0);
        let messages = subscription::subscribe_again(&self.settings.products[product], credentials, now_unix_s)
            .map_err(|error| End::Fault(Fault::SubscriptionRefused, error.to_string()))?;
        for message in &messages {
            wire.send_text(message)?;
        }
        self.again[product].asked(self.intakes.intake(product).counts().snapshots);
        vitals.subscribed_again(product, self.clock.stamp());
        Ok(())
    }

    /// A cause with its product's name, where there are several.
    fn named(&self, product: usize, cause: String) -> String {
        match &self.settings.products[..] {
            [_] => cause,
            products => format!("{}: {cause}", products[product]),
        }
    }

    #[cold]
    fn tell_alias(&mut self, product: usize) {
        self.alias_told[product] = true;
        if let Some(alias) = self.intakes.intake(product).parser().alias() {
            self.notice(format_args!("{} is streamed as {alias}", self.settings.products[product]));
        }
    }

    /// The venue has had enough of the connection: of the prints, if it has not acknowledged them.
    #[cold]
    fn may_be_refused(&mut self) {
        if self.prints == PrintsState::Asked {
            self.prints = PrintsState::Refused;
        }
    }

    #[cold]
    fn tell_refusal(&mut self, text: &str) {
        if !self.prints_refusal_told {
            self.prints_refusal_told = true;
            let text = without_keys(text);
            let text = quote(&text, QUOTE_CHARS_MAX);
            self.notice(format_args!("no prints, the book goes on: the venue says '{text}'"));
        }
    }

    fn now(&self) -> Arrival {
        let stamp = self.clock.stamp();
        Arrival { ts_recv_ns: wall_ns(), arrived: None, received: stamp, decoded: stamp }
    }

    fn is_over(&self) -> bool {
        self.status.stopping() || self.ends.is_some_and(|ends| Instant::now() >= ends)
    }

    /// Sleeps between two attempts; false when the session is over.
    fn sleep(&self, delay: Duration) -> bool {
        let wake = Instant::now() + delay;
        while !self.is_over() {
            let left = wake.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(SLEEP_MAX));
        }
        false
    }

    fn notice(&self, text: std::fmt::Arguments<'_>) {
        // Nobody has to listen, and nobody listens any more when the program ends.
        let _ = self.notices.try_send(text.to_string());
    }
}
