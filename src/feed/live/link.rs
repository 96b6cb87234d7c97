//! One connection of a live session, made again whenever it ends, and the products on it.

use super::session::{FIRST_ATTEMPTS, Session};
use crate::base::clock::wall_ns;
use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use crate::feed::again::{Again, Verdict};
use crate::feed::backoff::Backoff;
use crate::feed::coinbase::secrecy::without_keys;
use crate::feed::coinbase::subscription::{self, Acknowledged, MARKET_TRADES, acknowledged, acknowledges_prints};
use crate::feed::intake::{Arrival, FaultNote, Taken};
use crate::feed::intakes::{Apart, Intakes, Of, Took};
use crate::feed::vitals::{Known, Overdue, Progress, Vitals};
use crate::feed::wire::{ReadTime, Received, Wire, WireError};
use crate::market::event::Fault;
use crate::market::publish::{EngineGone, Publish};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// How long the venue may take to answer our close frame.
const CLOSE_MAX: Duration = Duration::from_millis(500);
/// Messages between two looks at what is overdue while there is always another message.
const MESSAGES_PER_LOOK: u32 = 256;

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
pub(super) enum End {
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

/// A connection and its products.
#[derive(Debug)]
pub(super) struct Link {
    /// The index in the session of its first product; the others follow it.
    first: usize,
    products: Vec<String>,
    /// Which it is, in words, where the session has others at once.
    whose: Option<String>,
    pub intakes: Intakes,
    /// Of each product.
    again: Vec<Again>,
    prints: PrintsState,
    /// Of each product.
    alias_told: Vec<bool>,
    /// The connection in hand, of all that the session has made.
    number: u64,
    /// Connections made, as the engines of its products count them.
    made: u64,
    /// When the first frame made a book of the connection in hand live. One is so until the connection's end.
    live_since: Option<Instant>,
    backoff: Backoff,
    failures_in_a_row: u32,
    /// Why it could not be made, as was said last.
    told: String,
}

impl Link {
    /// For these products of a session, which follow each other in it.
    pub fn new(products: Vec<Apart>, of_several: bool, backoff: &Backoff) -> Self {
        let names: Vec<String> = products.iter().map(|product| product.name().into()).collect();
        Self {
            first: products.first().map_or(0, Apart::product),
            whose: of_several.then(|| match &names[..] {
                [first, .., last] => format!("{first} to {last}"),
                names => names.concat(),
            }),
            intakes: Intakes::together(products),
            again: names.iter().map(|_| Again::new(backoff.clone())).collect(),
            prints: PrintsState::Not,
            alias_told: vec![false; names.len()],
            number: 0,
            made: 0,
            live_since: None,
            backoff: backoff.clone(),
            failures_in_a_row: 0,
            told: String::new(),
            products: names,
        }
    }

    /// It could not be made. Gives the time to wait, or the words with which the session gives up.
    pub fn not_connected<P: Publish>(
        &mut self,
        error: &WireError,
        session: &mut Session<'_, P>,
    ) -> Result<Duration, String> {
        session.failed_attempts += 1;
        self.failures_in_a_row += 1;
        let first_only = if session.connections == 0 { Some(FIRST_ATTEMPTS) } else { None };
        let allowed = session.settings.max_retries.or(first_only);
        if allowed.is_some_and(|allowed| self.failures_in_a_row >= allowed.max(1)) {
            let attempts = if self.failures_in_a_row == 1 { "attempt" } else { "attempts" };
            return Err(format!("{error}; gave up{} after {} {attempts}", self.of_whom(), self.failures_in_a_row));
        }
        // Once: a venue that is down for hours says the same each time.
        let text = error.to_string();
        if text != self.told {
            session.notice(format_args!("{text}; trying again{}", self.of_whom()));
            self.told = text;
        }
        Ok(self.backoff.next_delay())
    }

    /// It was made.
    pub fn connected<P: Publish>(&mut self, session: &mut Session<'_, P>) {
        self.failures_in_a_row = 0;
        self.told.clear();
        session.connections += 1;
        session.reconnects += u64::from(self.made > 0);
        self.number = session.connections;
        self.made += 1;
        self.live_since = None;
    }

    /// It is over. Gives the time to wait before the next attempt; `None` when the session is over too.
    pub fn ended<P: Publish>(&mut self, wire: Wire, end: &End, session: &mut Session<'_, P>) -> Option<Duration> {
        // A connection that is broken is not waited for.
        let patience = if matches!(end, End::Session) { CLOSE_MAX } else { Duration::ZERO };
        wire.close(patience);
        let live = self.live_since.map_or(Duration::ZERO, |since| since.elapsed());
        let End::Fault(fault, cause) = end else { return None };
        // Recorded, shown and reported.
        let cause = without_keys(cause);
        let arrival = session.now();
        if let Some(tape) = &mut session.tape {
            tape.disconnected(self.number, arrival.ts_recv_ns, *fault, &cause);
        }
        session.notice(format_args!("{}: {cause}; reconnecting{}", fault.name(), self.of_whom()));
        self.intakes.disconnected(*fault, &cause, &arrival, session.engine).ok()?;
        self.backoff.session_ended(live);
        Some(self.backoff.next_delay())
    }

    /// Asks for the products.
    pub fn subscribe<P: Publish>(&mut self, wire: &mut Wire, session: &mut Session<'_, P>) -> Result<Vitals, End> {
        let arrival = session.now();
        if let Some(tape) = &mut session.tape {
            let products = if self.whose.is_some() { &self.products[..] } else { &[] };
            tape.connected(self.number, arrival.ts_recv_ns, products);
        }
        self.intakes.connected(&arrival, session.engine)?;
        self.again.iter_mut().for_each(Again::connected);
        let now_unix_s = u64::try_from(arrival.ts_recv_ns / 1_000_000_000).unwrap_or(0);
        let credentials = session.settings.credentials.as_ref();
        // What ended the last connection before the acknowledgement may have been about the prints: this time without them.
        let spared = self.prints == PrintsState::Refused;
        let prints = session.settings.prints && !spared;
        self.prints = if prints { PrintsState::Asked } else { PrintsState::Not };
        session.prints_subscribed.asked += u64::from(prints);
        if spared {
            let of_whom = self.of_whom();
            session.notice(format_args!(
                "this connection{of_whom} leaves out {MARKET_TRADES}, which the venue may have refused"
            ));
        }
        let messages = subscription::subscribe(&self.products, prints, credentials, now_unix_s)
            .map_err(|error| End::Fault(Fault::SubscriptionRefused, error.to_string()))?;
        for message in &messages {
            wire.send_text(message)?;
        }
        Ok(Vitals::new(session.clock.stamp(), self.products.len()))
    }

    /// Takes messages while there are any, but not for ever, and sees to what is overdue. Says whether it took one last.
    #[inline]
    pub fn take_messages<P: Publish>(
        &mut self,
        wire: &mut Wire,
        vitals: &mut Vitals,
        session: &mut Session<'_, P>,
    ) -> Result<bool, End> {
        let mut left = MESSAGES_PER_LOOK;
        let took = loop {
            let took = self.take_message(wire, vitals, session)?;
            left -= 1;
            if !took || left == 0 {
                break took;
            }
        };
        if session.is_over() {
            return Err(End::Session);
        }
        self.look_after_products(wire, vitals, session)?;
        if !took {
            // Only once everything that has come is read: a process that was suspended finds its heartbeats waiting.
            let progress = Progress { last_byte: wire.last_read().raw, bytes_under_way: wire.bytes_under_way() };
            let known = |product: usize| {
                let intake = self.intakes.intake(product);
                let (frame, waits) = (intake.frame_received(), self.again[product].is_planned());
                Known { synced: intake.is_synced(), frame, waits }
            };
            if let Some(overdue) = vitals.overdue(&session.settings.patience, &session.clock, known, progress) {
                self.take_overdue(overdue, session)?;
            }
        }
        Ok(took)
    }

    /// Takes a message if there is one.
    #[inline]
    fn take_message<P: Publish>(
        &mut self,
        wire: &mut Wire,
        vitals: &mut Vitals,
        session: &mut Session<'_, P>,
    ) -> Result<bool, End> {
        let (text, read, decoded) = match wire.next_message()? {
            None => return Ok(false),
            Some(Received::Text { text, read, decoded_raw }) => (text, read, decoded_raw),
            Some(Received::Closed { code, reason }) => {
                let mut cause = String::from("the venue closed the connection");
                if let Some(code) = code {
                    // Writing to a string does not fail.
                    let _ = write!(cause, " with code {code}");
                }
                if !reason.is_empty() && !session.traces.as_mut().is_some_and(|traces| traces.are_in(reason.as_bytes()))
                {
                    let _ = write!(cause, " ({})", quote(reason, QUOTE_CHARS_MAX));
                }
                self.may_be_refused();
                return Err(End::Fault(Fault::Disconnected, cause));
            }
        };
        let ReadTime { raw: received, arrived_raw: arrived, wall_ns: ts_recv_ns, .. } = read;
        session.messages += 1;
        session.stamped_messages += u64::from(arrived.is_some());
        let message = text.as_bytes();
        if let Some(traces) = &mut session.traces
            && traces.are_in(message)
        {
            self.may_be_refused();
            return Err(End::Fault(
                Fault::VenueError,
                "the venue sent our own token or key's name back; not shown".into(),
            ));
        }
        if let Some(tape) = &mut session.tape {
            tape.frame(self.number, ts_recv_ns, message);
        }
        let arrival = Arrival { ts_recv_ns, arrived, received, decoded };
        let Took { of, taken } = self.intakes.take(message, &arrival, session.engine)?;
        match taken {
            Taken::Frame => {
                let product = if let Of::Product(product) = of { product } else { 0 };
                let intake = self.intakes.intake(product);
                session.venue_ages.record(intake.ts_event_ns(), ts_recv_ns);
                if self.live_since.is_none() {
                    self.live_since = Some(Instant::now());
                }
                if !self.alias_told[product] && intake.parser().alias().is_some() {
                    self.tell_alias(product, session);
                }
            }
            Taken::Heartbeat => vitals.heartbeat = received,
            Taken::Subscriptions => {
                let products = &self.products;
                let all_prints = || products.iter().all(|product| acknowledges_prints(message, product));
                if self.prints == PrintsState::Asked && all_prints() {
                    self.prints = PrintsState::Acknowledged;
                    session.prints_subscribed.acknowledged += 1;
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
            Taken::PrintsRefused(text) => session.tell_refusal(&text),
            Taken::Prints | Taken::Other => {}
            Taken::Fault(FaultNote { fault, detail }) => {
                if let Of::Product(product) = of {
                    self.product_lost(product, fault, &detail, session);
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
    fn look_after_products<P: Publish>(
        &mut self,
        wire: &mut Wire,
        vitals: &mut Vitals,
        session: &mut Session<'_, P>,
    ) -> Result<(), End> {
        let status = session.status;
        for (product, status) in status.products().skip(self.first).take(self.products.len()).enumerate() {
            if let Some(fault) = status.take_engine_fault(self.made) {
                self.book_lost(product, fault, "found by the book".into(), session)?;
            }
        }
        for product in 0..self.again.len() {
            if self.again[product].is_due() {
                self.subscribe_again(wire, vitals, product, session)?;
            }
        }
        Ok(())
    }

    /// What is overdue ends the connection, or is one product's alone.
    #[cold]
    fn take_overdue<P: Publish>(
        &mut self,
        Overdue { product, fault, text }: Overdue,
        session: &mut Session<'_, P>,
    ) -> Result<(), End> {
        let Some(product) = product else { return Err(End::Fault(fault, text)) };
        if self.intakes.is_synced(product) {
            return self.book_lost(product, fault, text, session);
        }
        let text = self.named(product, text);
        let others_are_well = (0..self.again.len()).any(|other| self.intakes.is_synced(other));
        let snapshots = self.intakes.intake(product).counts().snapshots;
        if !others_are_well || self.again[product].overdue(snapshots) == Verdict::Reconnect {
            return Err(End::Fault(fault, text));
        }
        session.notice(format_args!("{}: {text}; subscribing again", fault.name()));
        Ok(())
    }

    /// A product's book is unreliable for a reason that its messages do not say: recorded, so that a replay knows it too. The
    /// only product's ends the connection.
    #[cold]
    fn book_lost<P: Publish>(
        &mut self,
        product: usize,
        fault: Fault,
        cause: String,
        session: &mut Session<'_, P>,
    ) -> Result<(), End> {
        if self.products.len() == 1 {
            return Err(End::Fault(fault, cause));
        }
        let arrival = session.now();
        if let Some(tape) = &mut session.tape {
            tape.invalid(arrival.ts_recv_ns, &self.products[product], fault, &cause);
        }
        self.product_lost(product, fault, &cause, session);
        self.intakes.fault_of(product, fault, cause, &arrival, session.engine)?;
        Ok(())
    }

    /// Plans a new subscription to a product whose book was lost, and to any other that the same message lost.
    #[cold]
    fn product_lost<P: Publish>(&mut self, product: usize, fault: Fault, cause: &str, session: &mut Session<'_, P>) {
        for index in 0..self.again.len() {
            let intake = self.intakes.intake(index);
            if index != product && !intake.is_invalid() {
                continue;
            }
            let planned = self.again[index].lost(intake.counts().snapshots);
            if index == product && planned.is_some() {
                let cause = self.named(product, without_keys(cause).into_owned());
                session.notice(format_args!("{}: {cause}; subscribing again", fault.name()));
            }
        }
    }

    #[cold]
    fn subscribe_again<P: Publish>(
        &mut self,
        wire: &mut Wire,
        vitals: &mut Vitals,
        product: usize,
        session: &mut Session<'_, P>,
    ) -> Result<(), End> {
        let credentials = session.settings.credentials.as_ref();
        let now_unix_s = u64::try_from(wall_ns() / 1_000_000_000).unwrap_or(0);
        let messages = subscription::subscribe_again(&self.products[product], credentials, now_unix_s)
            .map_err(|error| End::Fault(Fault::SubscriptionRefused, error.to_string()))?;
        for message in &messages {
            wire.send_text(message)?;
        }
        self.again[product].asked(self.intakes.intake(product).counts().snapshots);
        vitals.subscribed_again(product, session.clock.stamp());
        Ok(())
    }

    /// Whose the connection is, where there are several at once.
    fn of_whom(&self) -> String {
        self.whose.as_ref().map_or_else(String::new, |whose| format!(" for {whose}"))
    }

    /// A cause with its product's name, where there are several.
    fn named(&self, product: usize, cause: String) -> String {
        if self.whose.is_some() || self.products.len() > 1 {
            format!("{}: {cause}", self.products[product])
        } else {
            cause
        }
    }

    #[cold]
    fn tell_alias<P: Publish>(&mut self, product: usize, session: &mut Session<'_, P>) {
        self.alias_told[product] = true;
        if let Some(alias) = self.intakes.intake(product).parser().alias() {
            session.notice(format_args!("{} is streamed as {alias}", self.products[product]));
        }
    }

    /// The venue has had enough of the connection: of the prints, if it has not acknowledged them.
    #[cold]
    fn may_be_refused(&mut self) {
        if self.prints == PrintsState::Asked {
            self.prints = PrintsState::Refused;
        }
    }
}
