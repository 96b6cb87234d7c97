//! A live session: connect, subscribe, read, publish; and begin again when anything makes the book unreliable.
//!
//! With several products on the connection, what makes one book unreliable and not the others costs that book alone: it is
//! subscribed to again. More products than a connection may have are spread over several, in the session's order, each with a counter
//! and faults of its own; one thread reads them all.
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
//!     connector: Connector::new(&WireConfig::new(exchange.url()))?.into(),
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

mod link;
mod one;
mod session;
mod several;

use super::age::VenueAges;
use super::backoff::Backoff;
use super::coinbase::auth::Credentials;
use super::coinbase::subscription::PRODUCTS_PER_CONNECTION;
use super::intake::ScaleRule;
use super::intakes::{Apart, ProductSeen};
use super::tape::Tape;
use super::vitals::Patience;
use super::wire::Connector;
use crate::base::clock::Clock;
use crate::engine::status::Status;
use crate::handoff::Wait;
use crate::market::publish::Publish;
use crate::run::session::Feed;
use crossbeam_channel::Sender;
use link::Link;
pub use session::FIRST_ATTEMPTS;
use session::Session;
use several::Dialler;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a live feed is told.
#[derive(Debug)]
pub struct LiveSettings {
    /// Makes the connections.
    pub connector: Arc<Connector>,
    /// The products to subscribe to: at least one, at most [`crate::market::event::PRODUCTS_MAX`], each once. They are on as
    /// many [`connections`] as they need.
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
    /// Of each connection, where there are to be several at once.
    diallers: io::Result<Vec<Dialler>>,
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
    /// Messages received, over all connections.
    pub messages: u64,
    /// Those of them with the system's stamp of their arrival.
    pub stamped_messages: u64,
    /// How old the products' frames were by the venue's clock.
    pub venue_ages: VenueAges,
    /// Connections made.
    pub connections: u64,
    /// Those of them that took the place of one that had ended.
    pub reconnects: u64,
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
    /// The venue's error messages that say no.
    pub refusals: u64,
}

/// How many connections at once so many products need.
pub fn connections(products: usize) -> usize {
    products.div_ceil(PRODUCTS_PER_CONNECTION).max(1)
}

impl LiveFeed {
    /// A feed that also records onto `tape` and sends notices. Makes the threads on which connections are made, if it needs several,
    /// and connects to nothing yet.
    pub fn new(settings: LiveSettings, tape: Option<Tape>, notices: Sender<String>) -> Self {
        let links = connections(settings.products.len());
        let dialled = if links > 1 { links } else { 0 };
        let diallers = (0..dialled).map(|_| Dialler::start(&settings.connector)).collect();
        Self { settings, diallers, tape, notices }
    }
}

impl Feed for LiveFeed {
    type Outcome = LiveOutcome;

    fn run(self, engine: &mut impl Publish, status: &Status) -> LiveOutcome {
        let Self { settings, diallers, tape, notices } = self;
        let clock = Clock::new();
        let mut products = Apart::all(&settings.products, settings.rule, &clock);
        // Evenly.
        let on_each = products.len().div_ceil(connections(products.len()));
        let several = products.len() > on_each;
        let mut links = Vec::new();
        while !products.is_empty() {
            let rest = products.split_off(products.len().min(on_each));
            links.push(Link::new(products, several, &settings.backoff));
            products = rest;
        }
        let mut session = Session {
            settings: &settings,
            tape,
            notices,
            clock,
            engine,
            status,
            ends: settings.duration.and_then(|duration| Instant::now().checked_add(duration)),
            messages: 0,
            stamped_messages: 0,
            venue_ages: VenueAges::default(),
            connections: 0,
            reconnects: 0,
            prints_subscribed: PrintsSubscribed::default(),
            prints_refusal_told: false,
            failed_attempts: 0,
            links: links.len(),
            links_up: 0,
            traces: settings.credentials.as_ref().map(Credentials::traces),
        };
        let gave_up = match (&mut links[..], diallers) {
            ([link], _) => session.on_one(link),
            (_, Ok(diallers)) => {
                let (left, gave_up) = session.on_several(links, diallers);
                links = left;
                gave_up
            }
            (_, Err(error)) => Some(format!("no thread to connect on: {error}")),
        };
        status.connected(session.connections, session.reconnects, false);
        let mut other_products = Vec::new();
        for other in links.iter().flat_map(|link| link.intakes.other_products()) {
            if !settings.products.contains(&other) && !other_products.contains(&other) {
                other_products.push(other);
            }
        }
        let products = links.into_iter().flat_map(|link| link.intakes.apart());
        LiveOutcome {
            products: products.map(|product| product.seen()).collect(),
            other_products,
            messages: session.messages,
            stamped_messages: session.stamped_messages,
            venue_ages: session.venue_ages,
            connections: session.connections,
            reconnects: session.reconnects,
            prints_subscribed: session.prints_subscribed,
            failed_attempts: session.failed_attempts,
            gave_up,
            stopped: status.stopping(),
        }
    }
}
