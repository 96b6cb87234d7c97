//! Several products over one connection: an [`Intake`] each, and what they share, the sequence of messages. A session's products
//! may be [`Apart`], on several connections.
//!
//! A message's number is checked once. A gap, a repeat, a message that is none and the venue's errors make all books unreliable;
//! a level that is impossible, off its grid or before its snapshot only that of its product. Every product's frames are those
//! that its own intake would publish of the same messages.
//!
//! ```
//! use papertrader::base::clock::Clock;
//! use papertrader::feed::intake::{Arrival, ScaleRule, Taken};
//! use papertrader::feed::intakes::{Intakes, Of};
//! use papertrader::market::event::{Fault, UNMEASURED, UNSTAMPED};
//! use papertrader::research::source::Nobody;
//!
//! let mut intakes = Intakes::new(&["BTC-USD", "ETH-USD"], ScaleRule::default(), Clock::new());
//! let arrival = Arrival { ts_recv_ns: 0, arrived: None, received: UNMEASURED, decoded: UNSTAMPED };
//! intakes.connected(&arrival, &mut Nobody)?;
//! let snapshot = |number: u64, product: &str, price: &str| {
//!     format!(
//!         r#"{{"channel":"l2_data","sequence_num":{number},"events":[{{"type":"snapshot","product_id":"{product}",
//!         "updates":[{{"side":"bid","price_level":"{price}","new_quantity":"1"}}]}}]}}"#
//!     )
//! };
//! let took = intakes.take(snapshot(0, "ETH-USD", "4012.5").as_bytes(), &arrival, &mut Nobody)?;
//! assert_eq!((took.of, took.taken), (Of::Product(1), Taken::Frame));
//! let took = intakes.take(snapshot(1, "BTC-USD", "-1").as_bytes(), &arrival, &mut Nobody)?;
//! let Taken::Fault(note) = took.taken else { panic!("no price is negative") };
//! assert_eq!((took.of, note.fault), (Of::Product(0), Fault::BadNumber));
//! assert!(intakes.is_synced(1) && !intakes.is_synced(0));
//!
//! // Message 2 was lost.
//! let took = intakes.take(snapshot(3, "BTC-USD", "61830.17").as_bytes(), &arrival, &mut Nobody)?;
//! assert_eq!(took.of, Of::All);
//! assert!(!intakes.is_synced(1));
//! # Ok::<(), papertrader::market::publish::EngineGone>(())
//! ```

use super::coinbase::level2::{Channel, Malformed, Message};
use super::coinbase::sequence::Sequence;
use super::coinbase::subscription::MARKET_TRADES;
use super::coinbase::whose::Whose;
use super::intake::{Arrival, FaultNote, Intake, IntakeCounts, ScaleRule, Taken};
use crate::base::clock::Clock;
use crate::market::event::{Fault, PRODUCTS_MAX};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::Scale;

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The product's of this index alone.
    Product(usize),
    /// The connection's, and with it every product's.
    All,
}

/// What a message was, and whose. Products are told by their places on the connection. Of a message about several products it is what is gravest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Took {
    /// Whose frame, prints or fault; of other messages [`Of::All`].
    pub of: Of,
    /// What it was.
    pub taken: Taken,
}

/// What a feed knows of a product at its end.
#[derive(Clone, Debug)]
pub struct ProductSeen {
    /// Its name.
    pub name: String,
    /// The name under which its levels came, when that is another.
    pub alias: Option<String>,
    /// What the feed has seen.
    pub counts: IntakeCounts,
    /// The first faults.
    pub notes: Vec<FaultNote>,
    /// The scale at the end.
    pub scale: Scale,
}

impl ProductSeen {
    /// Nothing has been seen.
    pub fn nothing(name: &str, scale: Scale) -> Self {
        Self { name: name.into(), alias: None, counts: IntakeCounts::default(), notes: Vec::new(), scale }
    }
}

/// What the products have seen together. Of the messages that only one product's intake looked at the others have these counts.
#[derive(Debug, Default)]
struct Together {
    messages: u64,
    heartbeats: u64,
    subscriptions: u64,
    other_messages: u64,
    prints_refused: u64,
    looked_at_by_one: Alone,
}

/// Messages that one product's intake looked at, the others not.
#[derive(Clone, Copy, Debug, Default)]
struct Alone {
    of_levels: u64,
    of_prints: u64,
}

impl Alone {
    fn count(&mut self, channel: Channel) {
        match channel {
            Channel::Level2 => self.of_levels += 1,
            Channel::Trades => self.of_prints += 1,
            Channel::Heartbeats | Channel::Subscriptions | Channel::Other => {}
        }
    }
}

/// A product of a session and its intake, which no connection has yet.
#[derive(Debug)]
pub struct Apart {
    name: String,
    intake: Intake,
}

impl Apart {
    /// The session's products, in their order: at most [`PRODUCTS_MAX`], each named once.
    pub fn all<T: AsRef<str>>(products: &[T], rule: ScaleRule, clock: &Clock) -> Vec<Self> {
        assert!(products.len() <= PRODUCTS_MAX, "a session has a bound to its products");
        let apart = |(product, index): (&T, u8)| {
            let name = product.as_ref();
            Self { name: name.into(), intake: Intake::new(name, rule, clock.clone()).of_product(index) }
        };
        products.iter().zip(0..).map(apart).collect()
    }

    /// The product's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its index in the session.
    pub fn product(&self) -> usize {
        self.intake.product()
    }

    /// What has been seen of it on its connections.
    pub fn seen(&self) -> ProductSeen {
        ProductSeen {
            name: self.name.clone(),
            alias: self.intake.parser().alias().map(Into::into),
            counts: self.intake.counts().clone(),
            notes: self.intake.notes().to_vec(),
            scale: self.intake.scale(),
        }
    }

    /// As [`Intakes::fault`], of this product.
    ///
    /// # Errors
    /// The engine has ended.
    pub fn fault(
        &mut self,
        fault: Fault,
        detail: &str,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<(), EngineGone> {
        self.intake.fault(fault, detail.into(), arrival, engine).map(|_| ())
    }
}

/// The intakes of a connection's products. Of one product it is its intake.
#[derive(Debug)]
pub struct Intakes {
    whose: Whose,
    /// At least one.
    intakes: Vec<Intake>,
    names: Vec<String>,
    sequence: Sequence,
    together: Together,
    /// Of each product, the messages that only its intake looked at.
    alone: Vec<Alone>,
    /// A message of several products, as each reads it.
    read: Vec<(usize, Result<Message, Malformed>)>,
}

impl Intakes {
    /// For all of a session's products: at least one and at most [`PRODUCTS_MAX`], each named once.
    pub fn new<T: AsRef<str>>(products: &[T], rule: ScaleRule, clock: Clock) -> Self {
        Self::together(Apart::all(products, rule, &clock))
    }

    /// For those products of a session, at least one, that one connection has.
    pub fn together(products: Vec<Apart>) -> Self {
        assert!(!products.is_empty(), "a connection has products");
        let (names, intakes): (Vec<_>, Vec<_>) =
            products.into_iter().map(|Apart { name, intake }| (name, intake)).unzip();
        Self {
            whose: Whose::new(&names),
            sequence: Sequence::default(),
            together: Together::default(),
            alone: vec![Alone::default(); names.len()],
            read: Vec::with_capacity(names.len()),
            intakes,
            names,
        }
    }

    /// The products without their connection. Each has counted what they saw together.
    pub fn apart(mut self) -> Vec<Apart> {
        for product in 0..self.intakes.len() {
            let counts = self.counts(product);
            self.intakes[product].counted(counts);
        }
        self.names.into_iter().zip(self.intakes).map(|(name, intake)| Apart { name, intake }).collect()
    }

    /// The products' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The products: their indices in the session, and their names.
    pub fn products(&self) -> impl Iterator<Item = (usize, &str)> {
        self.intakes.iter().map(Intake::product).zip(self.names.iter().map(String::as_str))
    }

    /// A product's own intake. Its counts lack what the products share: [`Intakes::counts`] has all.
    pub fn intake(&self, product: usize) -> &Intake {
        &self.intakes[product]
    }

    /// What has been seen so far, as a product's own intake would have counted it.
    pub fn counts(&self, product: usize) -> IntakeCounts {
        let (own, alone) = (self.intakes[product].counts(), self.alone[product]);
        let Together { messages, heartbeats, subscriptions, other_messages, prints_refused, looked_at_by_one } =
            &self.together;
        IntakeCounts {
            messages: own.messages + messages,
            heartbeats: own.heartbeats + heartbeats,
            subscriptions: own.subscriptions + subscriptions,
            other_messages: own.other_messages + other_messages + looked_at_by_one.of_prints - alone.of_prints,
            prints_refused: own.prints_refused + prints_refused,
            other_product_frames: own.other_product_frames + looked_at_by_one.of_levels - alone.of_levels,
            ..own.clone()
        }
    }

    /// Whether a product's book is as the venue has it, as far as the feed can tell.
    pub fn is_synced(&self, product: usize) -> bool {
        self.intakes[product].is_synced()
    }

    /// Other products than the session's seen in level messages, at most 64.
    pub fn other_products(&self) -> Vec<String> {
        let mut others: Vec<String> = Vec::new();
        for other in self.intakes.iter().flat_map(|intake| intake.parser().other_products()) {
            let is_known = others.iter().chain(&self.names).any(|known| known == other);
            if !is_known && others.len() < super::coinbase::level2::OTHER_PRODUCTS_MAX {
                others.push(other.into());
            }
        }
        others
    }

    /// Tells the engines of a new connection.
    ///
    /// # Errors
    /// The engine has ended.
    pub fn connected(&mut self, arrival: &Arrival, engine: &mut impl Publish) -> Result<(), EngineGone> {
        self.sequence.connected();
        self.intakes.iter_mut().try_for_each(|intake| intake.connected(arrival, engine))
    }

    /// Takes any sequence number next, as when a recording begins again.
    pub fn begin_again(&mut self) {
        self.sequence = Sequence::default();
        self.intakes.iter_mut().for_each(Intake::begin_again);
    }

    /// Tells the engines that no book can be trusted, and counts why.
    ///
    /// # Errors
    /// The engine has ended.
    pub fn fault(
        &mut self,
        fault: Fault,
        detail: String,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<FaultNote, EngineGone> {
        for intake in &mut self.intakes {
            intake.fault(fault, detail.clone(), arrival, engine)?;
        }
        Ok(FaultNote { fault, detail })
    }

    /// Tells a product's engine that its book cannot be trusted, and counts why.
    ///
    /// # Errors
    /// The engine has ended.
    pub fn fault_of(
        &mut self,
        product: usize,
        fault: Fault,
        detail: String,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<FaultNote, EngineGone> {
        self.intakes[product].fault(fault, detail, arrival, engine)
    }

    /// Tells the engines that the connection ended, as [`Intake::disconnected`] does.
    ///
    /// # Errors
    /// The engine has ended.
    pub fn disconnected(
        &mut self,
        fault: Fault,
        detail: &str,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<(), EngineGone> {
        self.intakes.iter_mut().try_for_each(|intake| intake.disconnected(fault, detail.into(), arrival, engine))
    }

    /// Takes one message.
    ///
    /// # Errors
    /// The engine has ended.
    #[inline]
    pub fn take(&mut self, message: &[u8], arrival: &Arrival, engine: &mut impl Publish) -> Result<Took, EngineGone> {
        let [only] = &mut self.intakes[..] else { return self.take_together(message, arrival, engine) };
        let taken = only.take(message, arrival, engine)?;
        let of = if matches!(taken, Taken::Frame | Taken::Prints) { Of::Product(0) } else { Of::All };
        Ok(Took { of, taken })
    }

    fn take_together(&mut self, text: &[u8], arrival: &Arrival, engine: &mut impl Publish) -> Result<Took, EngineGone> {
        self.together.messages += 1;
        let first = self.whose.find(text).unwrap_or(0);
        let intake = &mut self.intakes[first];
        let foreign = intake.parser().foreign();
        let message = match intake.parse(text) {
            Ok(message) => message,
            Err(malformed) => {
                let detail = format!("message {} is {malformed}", self.together.messages);
                return self.all(Fault::Malformed, detail, arrival, engine);
            }
        };
        self.read.clear();
        let tells_of_markets = matches!(message.channel, Channel::Level2 | Channel::Trades);
        let is_of_several = intake.parser().foreign() != foreign || self.whose.is_ambiguous();
        if tells_of_markets && is_of_several {
            let others = self.intakes.iter_mut().enumerate().filter(|&(product, _)| product != first);
            self.read.extend(others.map(|(product, intake)| (product, intake.parse(text))));
        }
        let mut gap = None;
        match message.sequence_num.map(|number| self.sequence.check(number)) {
            Some(Ok(())) => {}
            Some(Err((fault, expected))) => {
                let detail = format!("sequence_num {} where {expected} was due", message.sequence_num.unwrap_or(0));
                gap = Some(self.fault_keeping_levels(fault, detail, arrival, engine)?);
            }
            None if message.channel == Channel::Level2 => {
                let detail = format!("message {} of l2_data has no sequence_num", self.together.messages);
                return self.all(Fault::Malformed, detail, arrival, engine);
            }
            None => {}
        }
        let took = self.take_content(first, message, arrival, engine)?;
        Ok(gap.map_or(took, |note| Took { of: Of::All, taken: Taken::Fault(note) }))
    }

    /// A fault of the connection.
    #[cold]
    fn all(
        &mut self,
        fault: Fault,
        detail: String,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<Took, EngineGone> {
        let taken = Taken::Fault(self.fault(fault, detail, arrival, engine)?);
        Ok(Took { of: Of::All, taken })
    }

    /// The same in the middle of a message: a snapshot mends what the gap before it broke.
    #[cold]
    fn fault_keeping_levels(
        &mut self,
        fault: Fault,
        detail: String,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<FaultNote, EngineGone> {
        for intake in &mut self.intakes {
            let levels = std::mem::take(&mut intake.levels);
            intake.fault(fault, detail.clone(), arrival, engine)?;
            intake.levels = levels;
        }
        Ok(FaultNote { fault, detail })
    }

    /// Takes what a message says besides its number: first as the product read it which it names first.
    fn take_content(
        &mut self,
        first: usize,
        message: Message,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<Took, EngineGone> {
        if let Some(text) = &message.venue_error {
            if text.contains(MARKET_TRADES) {
                self.together.prints_refused += 1;
                return Ok(Took { of: Of::All, taken: Taken::PrintsRefused(text.clone()) });
            }
            let at = message.sequence_num.map_or_else(|| "a message".into(), |number| format!("sequence_num {number}"));
            return self.all(Fault::VenueError, format!("{at}: the venue says '{text}'"), arrival, engine);
        }
        let (counter, taken) = match message.channel {
            Channel::Level2 | Channel::Trades => return self.take_markets(first, message, arrival, engine),
            Channel::Heartbeats => (&mut self.together.heartbeats, Taken::Heartbeat),
            Channel::Subscriptions => (&mut self.together.subscriptions, Taken::Subscriptions),
            Channel::Other => (&mut self.together.other_messages, Taken::Other),
        };
        *counter += 1;
        Ok(Took { of: Of::All, taken })
    }

    #[inline]
    fn take_markets(
        &mut self,
        first: usize,
        message: Message,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<Took, EngineGone> {
        if self.read.is_empty() {
            self.together.looked_at_by_one.count(message.channel);
            self.alone[first].count(message.channel);
            let taken = self.intakes[first].take_content(message, arrival, engine)?;
            return Ok(Took { of: of_product(first, &taken), taken });
        }
        self.take_several(first, message, arrival, engine)
    }

    /// Takes a message that tells of several products, or of one in a way that only the general reader knows.
    #[cold]
    fn take_several(
        &mut self,
        first: usize,
        message: Message,
        arrival: &Arrival,
        engine: &mut impl Publish,
    ) -> Result<Took, EngineGone> {
        let mut gravest = Took { of: Of::All, taken: Taken::Other };
        self.read.push((first, Ok(message)));
        self.read.sort_unstable_by_key(|&(product, _)| product);
        for (product, message) in self.read.drain(..) {
            let intake = &mut self.intakes[product];
            let taken = match message {
                Ok(message) => intake.take_content(message, arrival, engine)?,
                // What is nested too deeply for the product that reads it may be passed over by others.
                Err(malformed) => {
                    let detail = format!("message {} is {malformed}", self.together.messages);
                    Taken::Fault(intake.fault(Fault::Malformed, detail, arrival, engine)?)
                }
            };
            if gravity(&taken) > gravity(&gravest.taken) {
                gravest = Took { of: of_product(product, &taken), taken };
            }
        }
        Ok(gravest)
    }
}

fn of_product(product: usize, taken: &Taken) -> Of {
    if matches!(taken, Taken::Other) { Of::All } else { Of::Product(product) }
}

fn gravity(taken: &Taken) -> u8 {
    match taken {
        Taken::Fault(_) => 3,
        Taken::Frame => 2,
        Taken::Prints => 1,
        Taken::Heartbeat | Taken::Subscriptions | Taken::PrintsRefused(_) | Taken::Other => 0,
    }
}

#[cfg(test)]
mod tests;
