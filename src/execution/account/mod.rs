//! An account: decisions become legs, legs send orders, orders trade or end, and all of it is written down.
//!
//! A leg has one live order at a time. Its entry is sent at the decision; when it falls due, a fixed number of updates later,
//! what it holds is taken from the book. A maker posts both first.
//!
//! Accounts trade side by side on a [`Desk`](super::desk::Desk), whose example shows one at work. Limits are checked at the
//! decision, with what is under way:
//!
//! ```
//! use papertrader::execution::account::{LEGS_MAX, Limits};
//!
//! let limits = Limits { position: Some(0.5), ..Limits::default() };
//! assert_eq!((limits.cash, limits.open_orders), (None, LEGS_MAX));
//! ```

mod booking;
mod counts;
mod deciding;
mod ending;
mod frames;
mod leg;
mod orders;
mod place;
mod rules;
#[cfg(test)]
mod tests;

pub use self::counts::{AccountCounts, AccountTotals};
use self::leg::Leg;
pub use self::place::{Out, Place};
pub use self::rules::{AccountRules, AfterTimeout, ExitStyle, LEGS_MAX, Limits, MakerRules};
use super::depletion::Depletion;
use super::fees::FeeMeter;
use super::markouts::Markouts;
use super::matching::resting::{FillModel, Resting, RestingFill, Sharing};
use super::records::{AccountKind, Reason};
use super::walk::LevelFill;
use crate::market::event::Event;
use std::collections::VecDeque;

/// Legs for which there is room from the start beyond those of the holding time: orders that are under way, and legs that have
/// closed before an older one.
const LEGS_SPARE: usize = 1 << 12;
/// Fills of one frame for which there is room from the start.
const FILLS_ROOM: usize = 1 << 10;

/// What is on its way to the venue.
#[derive(Clone, Copy, Debug)]
struct Message {
    /// Unix nanoseconds; never falling.
    at_ns: i64,
    leg: u64,
    order_id: u64,
    action: Action,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    /// The order itself.
    Order,
    /// Takes it back and, if asked to, takes from the book what is left.
    Cancel { reason: Reason, then_take: bool },
}

/// An account.
#[derive(Debug)]
pub struct Account {
    kind: AccountKind,
    rules: AccountRules,
    /// In the order of decisions; those closed are taken from the front.
    legs: VecDeque<Leg>,
    /// The number of the first.
    first_leg: u64,
    /// The next legs whose entry times out, whose exit is posted, and that fall due.
    next_timeout: u64,
    next_exit: u64,
    next_due: u64,
    /// In the order sent.
    under_way: VecDeque<Message>,
    last_arrival_ns: i64,
    messages: u64,
    resting: Resting,
    /// Fills of the frame in hand.
    fills: Vec<RestingFill>,
    level_fills: Vec<LevelFill>,
    depletion: Depletion,
    /// Legs whose exit waits for a good book.
    waiting: VecDeque<u64>,
    markouts: Markouts,
    fees: FeeMeter,
    orders: u64,
    fill_ids: u64,
    live_orders: usize,
    /// Units of size in legs, long and short, and money, as limits count them.
    long: f64,
    short: f64,
    cash: f64,
    counts: AccountCounts,
    totals: AccountTotals,
    is_ending: bool,
}

impl Account {
    /// An account without legs. Its memory is taken here.
    pub fn new(kind: AccountKind, rules: AccountRules) -> Self {
        let room = (rules.lag_updates as usize + LEGS_SPARE).min(LEGS_MAX);
        let model = match kind {
            AccountKind::Taker | AccountKind::MakerThrough => FillModel::Through,
            AccountKind::MakerQueue => FillModel::Queue(rules.maker.queue),
            AccountKind::MakerTouch => FillModel::Touch,
        };
        let resting_room = if kind == AccountKind::Taker { 0 } else { room };
        Self {
            kind,
            legs: VecDeque::with_capacity(room),
            first_leg: 0,
            next_timeout: 0,
            next_exit: 0,
            next_due: 0,
            under_way: VecDeque::with_capacity(room),
            last_arrival_ns: i64::MIN,
            messages: 0,
            resting: Resting::new(model, Sharing::Prints, resting_room),
            fills: Vec::with_capacity(FILLS_ROOM),
            level_fills: Vec::with_capacity(FILLS_ROOM),
            depletion: Depletion::default(),
            waiting: VecDeque::with_capacity(room),
            markouts: Markouts::default(),
            fees: FeeMeter::new(&rules.fees),
            orders: 0,
            fill_ids: 0,
            live_orders: 0,
            long: 0.0,
            short: 0.0,
            cash: 0.0,
            counts: AccountCounts::default(),
            totals: AccountTotals::default(),
            is_ending: false,
            rules,
        }
    }

    /// Whose it is.
    pub fn kind(&self) -> AccountKind {
        self.kind
    }

    /// What it has done.
    pub fn counts(&self) -> &AccountCounts {
        &self.counts
    }

    /// What it has come to.
    pub fn totals(&self) -> &AccountTotals {
        &self.totals
    }

    /// Whether frames are nothing to it until it decides.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.legs.is_empty() && self.markouts.is_empty()
    }

    /// Whether an order rests.
    #[inline]
    pub fn rests(&self) -> bool {
        !self.resting.is_empty()
    }

    /// When the next message arrives, Unix nanoseconds; the greatest number where none is under way.
    #[inline]
    pub fn next_arrival_ns(&self) -> i64 {
        self.under_way.front().map_or(i64::MAX, |message| message.at_ns)
    }

    /// Whether levels that the venue names matter to what was taken.
    #[inline]
    pub fn has_taken(&self) -> bool {
        !self.depletion.is_empty()
    }

    /// The venue names levels.
    #[inline]
    pub fn named(&mut self, levels: &[Event]) {
        self.depletion.named(levels);
    }

    fn at(&self, leg: u64) -> Option<usize> {
        let at = leg.checked_sub(self.first_leg)? as usize;
        (at < self.legs.len() && !self.legs[at].closed).then_some(at)
    }

    fn next_leg(&self) -> u64 {
        self.first_leg + self.legs.len() as u64
    }
}
