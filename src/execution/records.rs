//! What executions leave behind: orders, fills, markouts and legs, as their logs have them.
//!
//! ```
//! use papertrader::execution::records::{AccountKind, Outcome, Reason};
//!
//! let outcome = Outcome::Cancelled(Reason::Timeout);
//! assert_eq!((outcome.name(), outcome.reason().map(Reason::name)), ("cancelled", Some("timeout")));
//! assert_eq!(AccountKind::MAKERS.map(AccountKind::name), ["maker-through", "maker-queue", "maker-touch"]);
//! ```

use super::fees::Liquidity;
use super::ledger::Moment;
use crate::market::units::Side;

/// An execution that keeps an account of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// Takes from the book.
    Taker,
    /// Posts; filled by what goes through its price.
    MakerThrough,
    /// Posts; filled by its place in the queue.
    MakerQueue,
    /// Posts; filled by every print at its price.
    MakerTouch,
}

impl AccountKind {
    /// All kinds, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Taker, Self::MakerThrough, Self::MakerQueue, Self::MakerTouch];
    /// The three that post, from the one that is filled least to the one that is filled most.
    pub const MAKERS: [Self; 3] = [Self::MakerThrough, Self::MakerQueue, Self::MakerTouch];

    /// The name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Taker => "taker",
            Self::MakerThrough => "maker-through",
            Self::MakerQueue => "maker-queue",
            Self::MakerTouch => "maker-touch",
        }
    }
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It opens a leg.
    Entry,
    /// It closes one.
    Exit,
}

impl Purpose {
    /// The name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Exit => "exit",
        }
    }
}

/// How an order trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// It rests and takes nothing.
    Post,
    /// It takes what it can when it arrives, and no more.
    Take,
}

impl OrderKind {
    /// The name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Take => "take",
        }
    }
}

/// Why an order ended without being filled whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It rested too long.
    Timeout,
    /// Its leg fell due.
    Due,
    /// The book was lost, or replaced by a snapshot.
    BookInvalid,
    /// The run ended.
    EndOfRun,
    /// It would have taken.
    WouldCross,
    /// There was no live book, or no such side of it.
    NoBook,
    /// The book was crossed or locked.
    CrossedBook,
    /// No level was left to take.
    NothingToTake,
    /// All levels lay beyond the slippage cap.
    BeyondCap,
    /// It would have been below the least size or value.
    BelowLeastSize,
}

impl Reason {
    /// The name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Due => "due",
            Self::BookInvalid => "book invalid",
            Self::EndOfRun => "end of run",
            Self::WouldCross => "would cross",
            Self::NoBook => "no book",
            Self::CrossedBook => "crossed book",
            Self::NothingToTake => "nothing to take",
            Self::BeyondCap => "beyond cap",
            Self::BelowLeastSize => "below least size",
        }
    }
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it traded that could.
    Filled,
    /// It was taken back before all of it had traded.
    Cancelled(Reason),
    /// It never rested nor traded.
    Refused(Reason),
}

impl Outcome {
    /// The name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Filled => "filled",
            Self::Cancelled(_) => "cancelled",
            Self::Refused(_) => "refused",
        }
    }

    /// Why, where it was not filled.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Filled => None,
            Self::Cancelled(reason) | Self::Refused(reason) => Some(reason),
        }
    }
}

/// Volume, value and fees, summed over fills.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traded {
    /// Units of size.
    pub volume: f64,
    /// Money: see [`super::contract::Contract`].
    pub value: f64,
    /// Money.
    pub fee: f64,
}

impl Traded {
    /// Adds a fill.
    pub fn add(&mut self, other: Self) {
        self.volume += other.volume;
        self.value += other.value;
        self.fee += other.fee;
    }
}

/// Best prices in quote units; NaN where a side is empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quotes {
    /// The best bid.
    pub bid: f64,
    /// The best ask.
    pub ask: f64,
}

impl Quotes {
    /// None are known.
    pub const UNKNOWN: Self = Self { bid: f64::NAN, ask: f64::NAN };

    /// The mid in quote units, NaN without two sides.
    pub fn mid(self) -> f64 {
        (self.bid + self.ask) / 2.0
    }
}

/// When and into which book an order acted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrived {
    /// The book's last frame then.
    pub sequence: u64,
    /// Our clock when the order was decided on plus its latency, Unix nanoseconds.
    pub ts_ns: i64,
    /// Best prices then.
    pub quotes: Quotes,
    /// Of an order that rests: what was displayed at its price, in units of size; else NaN.
    pub queue_ahead: f64,
}

/// An order that has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderRecord {
    /// Whose.
    pub account: AccountKind,
    /// Its number in the account, from 0 in the order of decisions.
    pub order_id: u64,
    /// Its leg's number.
    pub leg: u64,
    /// What it was for.
    pub purpose: Purpose,
    /// How it trades.
    pub kind: OrderKind,
    /// [`Side::Bid`] buys.
    pub side: Side,
    /// Quote units; NaN without a limit.
    pub price: f64,
    /// Units of size asked for; NaN where an amount was.
    pub volume: f64,
    /// The frame after which it was decided on.
    pub decided: Moment,
    /// The logit of its leg's decision.
    pub logit: f64,
    /// Best prices at its decision.
    pub decided_quotes: Quotes,
    /// The frame of its leg's decision.
    pub leg_sequence: u64,
    /// The mid at its leg's decision.
    pub leg_mid: f64,
    /// The update at which its leg falls due.
    pub due_sequence: u64,
    /// `None` if the run ended before it acted.
    pub arrived: Option<Arrived>,
    /// The book's last frame when it ended.
    pub ended_sequence: u64,
    /// Our clock then, Unix nanoseconds.
    pub ended_ts_ns: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// What it traded.
    pub traded: Traded,
}

/// What an order traded at one price at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FillRecord {
    /// Whose.
    pub account: AccountKind,
    /// Its number in the account, from 0.
    pub fill_id: u64,
    /// Its order's number.
    pub order_id: u64,
    /// Its leg's number.
    pub leg: u64,
    /// What its order was for.
    pub purpose: Purpose,
    /// [`Side::Bid`] buys.
    pub side: Side,
    /// Who was there first.
    pub liquidity: Liquidity,
    /// The book's last frame; of a fill by a frame's own events, that frame.
    pub sequence: u64,
    /// The venue's number of the message.
    pub venue_sequence_num: u64,
    /// Our clock, Unix nanoseconds.
    pub ts_ns: i64,
    /// Quote units.
    pub price: f64,
    /// Volume, value and fee.
    pub traded: Traded,
    /// The mid then, in quote units; NaN without two sides.
    pub mid: f64,
    /// Of a taker: the best price that its order found; else NaN.
    pub best: f64,
}

/// The updates after a decision at which mids are looked at.
pub const MARKOUT_UPDATES: [u64; 4] = [1, 5, 20, 100];

/// What the mid did after a leg's decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarkoutRecord {
    /// Whose.
    pub account: AccountKind,
    /// The number of the leg's first order.
    pub order_id: u64,
    /// The mids [`MARKOUT_UPDATES`] after, in quote units; NaN where the book was not live without a break until then.
    pub mids: [f64; MARKOUT_UPDATES.len()],
}

/// A leg at its end, or at the end of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LegRecord {
    /// Whose.
    pub account: AccountKind,
    /// Its number in the account, from 0.
    pub leg: u64,
    /// The side of its entry: [`Side::Bid`] is long.
    pub side: Side,
    /// Its decision.
    pub decided: Moment,
    /// The logit then.
    pub logit: f64,
    /// The mid then.
    pub mid: f64,
    /// The update at which it fell due.
    pub due_sequence: u64,
    /// What its entry traded.
    pub entered: Traded,
    /// What its exits traded.
    pub exited: Traded,
    /// Money won by what was entered and exited, before fees.
    pub profit: f64,
    /// The book's last frame when it closed.
    pub closed_sequence: u64,
    /// Our clock then, Unix nanoseconds.
    pub closed_ts_ns: i64,
    /// Snapshots while it was held.
    pub snapshots_while_held: u64,
    /// What is open at the end of the run, in units of size.
    pub open_volume: f64,
    /// What that is worth at the mid, and by walking the book; NaN where it is closed, there is no book, or
    /// the book has not that much.
    pub open_marks: (f64, f64),
}

/// A line of one of the logs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Record {
    /// Of the log of orders.
    Order(OrderRecord),
    /// Of the log of fills.
    Fill(FillRecord),
    /// Of the log of markouts.
    Markout(MarkoutRecord),
    /// Of the log of legs.
    Leg(LegRecord),
}
