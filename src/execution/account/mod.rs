//! An account: decisions become legs, legs send orders, orders trade or end, and all of it is written down.
//!
//! A leg has one live order at a time. Its entry is sent at the decision; when it falls due, a fixed number of updates later,
//! what it holds is taken from the book. A maker posts both first.

mod leg;
pub mod rules;

use self::leg::{Leg, LiveOrder};
use self::rules::{AccountRules, AfterTimeout, ExitStyle, LEGS_MAX};
use super::contract::Contract;
use super::depletion::Depletion;
use super::fees::{FeeMeter, Liquidity};
use super::fill::mid;
use super::ledger::Moment;
use super::markouts::Markouts;
use super::matching::best::{Best, opposite};
use super::matching::resting::{FillModel, Order, Resting, RestingFill, Sharing};
use super::records::{
    AccountKind, Arrived, FillRecord, LegRecord, MARKOUT_UPDATES, MarkoutRecord, OrderKind, OrderRecord, Outcome,
    Purpose, Quotes, Reason, Record, Traded,
};
use super::walk::{LevelFill, Shelf, Walked, Want};
use crate::market::book::{Book, BookState};
use crate::market::event::Event;
use crate::market::units::{COUNT_MAX, Scale, Side};
use std::collections::VecDeque;

/// Fills of one frame for which there is room from the start.
const FILLS_ROOM: usize = 1 << 10;

/// What an account has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountCounts {
    /// Decisions that asked for an order.
    pub decisions: u64,
    /// Those not acted on because the book was crossed or locked.
    pub withheld_crossed: u64,
    /// Those not acted on because a side of the book was empty.
    pub withheld_one_sided: u64,
    /// Those not acted on because the position would have passed its limit.
    pub limited_position: u64,
    /// The same for cash.
    pub limited_cash: u64,
    /// The same for open orders.
    pub limited_orders: u64,
    /// Those whose order would have been below the least size or value.
    pub below_least_size: u64,
    /// Orders sent.
    pub sent: u64,
    /// Those that were filled.
    pub filled: u64,
    /// Those that were cancelled.
    pub cancelled: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Entries of which the slippage cap dropped a part.
    pub capped: u64,
    /// Exits that waited for a live book of two sides, not crossed and not locked.
    pub waited: u64,
}

/// What an account has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AccountTotals {
    /// Legs that were entered and have closed.
    pub legs: u64,
    /// Their profit before fees.
    pub profit: f64,
    /// Value traded by orders that rested.
    pub maker_value: f64,
    /// Value traded by orders that took.
    pub taker_value: f64,
    /// All fees.
    pub fees: f64,
    /// Legs open at the end.
    pub open_legs: u64,
}

/// Where and when something happens.
#[derive(Debug)]
pub struct Place<'a> {
    /// The book, between two frames.
    pub book: &'a Book,
    /// The exchange's best prices, followed while an order of any account rests.
    pub best: &'a mut Best,
    /// Whether they are followed.
    pub follows: &'a mut bool,
    /// The book's last frame; its time is that of the message in hand.
    pub now: Moment,
    /// Our clock at which it happens, Unix nanoseconds.
    pub ts_ns: i64,
    /// Whether the book is about to be lost: nobody trades on it any more.
    pub is_lost: bool,
}

impl Place<'_> {
    fn quotes(&self) -> Quotes {
        let ticks_per_unit = self.book.scale().ticks_per_unit();
        let price = |side| self.book.best_of(side).map_or(f64::NAN, |level| level.price_ticks as f64 / ticks_per_unit);
        Quotes { bid: price(Side::Bid), ask: price(Side::Ask) }
    }

    fn is_live(&self) -> bool {
        !self.is_lost && self.book.state() == BookState::Live
    }

    /// Whether the book is live, has two sides and is neither crossed nor locked.
    fn is_tradable(&self) -> bool {
        self.is_live() && self.book.best().is_some_and(|(bid, ask)| bid.price_ticks < ask.price_ticks)
    }
}

/// Where records go.
pub type Out<'a> = &'a mut dyn FnMut(Record);

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
        let room = (rules.lag_updates as usize + 64).min(LEGS_MAX);
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

    // Deciding.

    /// A decision on a side in the frame `place.now`, after the frame.
    pub fn decide(&mut self, side: Side, logit: f64, place: &mut Place<'_>, out: Out<'_>) {
        self.counts.decisions += 1;
        if place.book.is_crossed_or_locked() {
            self.counts.withheld_crossed += 1;
            return;
        }
        let (kind, from) = match self.kind {
            AccountKind::Taker => (OrderKind::Take, opposite(side)),
            _ => (OrderKind::Post, side),
        };
        let Some(best) = place.book.best_of(from) else {
            self.counts.withheld_one_sided += 1;
            return;
        };
        let (limit_ticks, want, reserved) = match kind {
            OrderKind::Take => self.taking(side, best.price_ticks, place.book.scale()),
            OrderKind::Post => match self.posting(side, best.price_ticks, place.book.scale()) {
                Some(posting) => posting,
                None => {
                    self.counts.below_least_size += 1;
                    return;
                }
            },
        };
        if !self.may_open(side, reserved) {
            return;
        }
        let leg = Leg {
            id: self.next_leg(),
            side,
            decided: place.now,
            logit,
            mid: mid(place.book),
            due_sequence: place.now.sequence + u64::from(self.rules.lag_updates),
            entered: Traded::default(),
            exited: Traded::default(),
            written_off: 0.0,
            reserved,
            entry_ended: false,
            order: None,
            closed: false,
        };
        self.legs.push_back(leg);
        self.count_leg(side, (0.0, 0.0), reserved);
        self.markouts.decided(self.orders, place.now);
        let at = self.legs.len() - 1;
        self.send(at, Purpose::Entry, kind, limit_ticks, want, place, out);
    }

    /// What a taker asks for: the worst price, how much, and what limits count.
    fn taking(&self, side: Side, best_ticks: u64, scale: Scale) -> (Option<u64>, Want, (f64, f64)) {
        let best = best_ticks as f64 / scale.ticks_per_unit();
        let cap = self.rules.cap_bps.map(|bps| {
            let share = bps / 1e4;
            match side {
                // Casts saturate.
                Side::Bid => (best_ticks as f64 * (1.0 + share)).floor() as u64,
                Side::Ask => (best_ticks as f64 * (1.0 - share)).ceil().max(0.0) as u64,
            }
        });
        let volume = self.rules.contract.volume(self.rules.amount, best);
        let want = match self.rules.contract {
            Contract::Linear { size } => Want::Amount(self.rules.amount / size),
            Contract::Inverse { .. } => Want::Volume(volume),
        };
        (cap, want, (volume, self.rules.amount))
    }

    /// What a maker asks for, in whole lots of the book; `None` below the least size.
    fn posting(&self, side: Side, best_ticks: u64, scale: Scale) -> Option<(Option<u64>, Want, (f64, f64))> {
        let offset = self.rules.maker.offset_ticks;
        let ticks = match side {
            Side::Bid => best_ticks.saturating_add_signed(offset),
            Side::Ask => best_ticks.saturating_add_signed(-offset),
        };
        let price_ticks = self.rules.increments.price(side, ticks, scale).clamp(1, COUNT_MAX);
        let price = price_ticks as f64 / scale.ticks_per_unit();
        let volume = self.rules.increments.size_down(self.rules.contract.volume(self.rules.amount, price));
        let lots = lots_down(volume, scale);
        let volume = lots as f64 / scale.lots_per_unit();
        let value = self.rules.contract.value(price, volume);
        let allowed = lots > 0 && self.rules.increments.allow(volume, value);
        allowed.then_some((Some(price_ticks), Want::Volume(volume), (volume, value)))
    }

    /// Whether limits let a leg be opened; counts which does not.
    fn may_open(&mut self, side: Side, (volume, cash): (f64, f64)) -> bool {
        let limits = self.rules.limits;
        let held = match side {
            Side::Bid => self.long,
            Side::Ask => self.short,
        };
        if self.live_orders >= limits.open_orders.min(LEGS_MAX) || self.legs.len() >= LEGS_MAX {
            self.counts.limited_orders += 1;
        } else if limits.position.is_some_and(|limit| held + volume > limit) {
            self.counts.limited_position += 1;
        } else if limits.cash.is_some_and(|limit| self.cash + cash > limit) {
            self.counts.limited_cash += 1;
        } else {
            return true;
        }
        false
    }

    fn count_leg(&mut self, side: Side, before: (f64, f64), after: (f64, f64)) {
        let held = match side {
            Side::Bid => &mut self.long,
            Side::Ask => &mut self.short,
        };
        *held = (*held + after.0 - before.0).max(0.0);
        self.cash = (self.cash + after.1 - before.1).max(0.0);
    }

    // Sending.

    #[expect(clippy::too_many_arguments, reason = "an order has that many facts")]
    fn send(
        &mut self,
        at: usize,
        purpose: Purpose,
        kind: OrderKind,
        limit_ticks: Option<u64>,
        want: Want,
        place: &mut Place<'_>,
        out: Out<'_>,
    ) {
        let leg = self.start(at, purpose, kind, limit_ticks, want, place);
        let order_id = self.orders - 1;
        self.dispatch(leg, order_id, Action::Order, place, out);
    }

    /// Makes an order; the leg's number.
    fn start(
        &mut self,
        at: usize,
        purpose: Purpose,
        kind: OrderKind,
        limit_ticks: Option<u64>,
        want: Want,
        place: &Place<'_>,
    ) -> u64 {
        let leg = &mut self.legs[at];
        debug_assert!(leg.order.is_none(), "one live order a leg");
        let side = if purpose == Purpose::Entry { leg.side } else { opposite(leg.side) };
        let decided = Moment { ts_recv_ns: place.ts_ns, ..place.now };
        leg.order = Some(LiveOrder {
            id: self.orders,
            purpose,
            kind,
            side,
            limit_ticks,
            want,
            decided,
            quotes: place.quotes(),
            arrived: None,
            cancelled: false,
            traded: Traded::default(),
        });
        self.orders += 1;
        self.live_orders += 1;
        self.counts.sent += 1;
        leg.id
    }

    /// Sends a message, or acts at once where there is no latency.
    fn dispatch(&mut self, leg: u64, order_id: u64, action: Action, place: &mut Place<'_>, out: Out<'_>) {
        let message = self.messages;
        self.messages += 1;
        match self.rules.latency.of(message) {
            None => self.arrive(Message { at_ns: place.ts_ns, leg, order_id, action }, place, out),
            Some(ns) => {
                // Messages arrive in the order sent.
                let at_ns = place.ts_ns.saturating_add(ns).max(self.last_arrival_ns);
                self.last_arrival_ns = at_ns;
                self.under_way.push_back(Message { at_ns, leg, order_id, action });
            }
        }
    }

    /// Lets everything arrive that is due before a message that came at `before_ns`.
    pub fn arrivals(&mut self, before_ns: i64, place: &mut Place<'_>, out: Out<'_>) {
        while let Some(&message) = self.under_way.front().filter(|message| message.at_ns < before_ns) {
            self.under_way.pop_front();
            place.ts_ns = message.at_ns;
            self.arrive(message, place, out);
        }
    }

    // Arriving.

    fn arrive(&mut self, message: Message, place: &mut Place<'_>, out: Out<'_>) {
        let Some(at) = self.at(message.leg) else { return };
        // A cancellation of what has ended meanwhile.
        let Some(order) = self.legs[at].order.filter(|order| order.id == message.order_id) else { return };
        match message.action {
            Action::Cancel { reason, then_take } => self.cancel(at, order, reason, then_take, place, out),
            Action::Order => match order.kind {
                OrderKind::Post => self.post(at, order, place, out),
                OrderKind::Take => self.take(at, order, place, out),
            },
        }
    }

    fn arrived(place: &Place<'_>, queue_ahead: f64) -> Arrived {
        Arrived { sequence: place.now.sequence, ts_ns: place.ts_ns, quotes: place.quotes(), queue_ahead }
    }

    fn post(&mut self, at: usize, order: LiveOrder, place: &mut Place<'_>, out: Out<'_>) {
        let Some(price_ticks) = order.limit_ticks else { return };
        let book = place.book;
        if !place.is_live() {
            return self.end(at, Outcome::Refused(Reason::NoBook), place, out);
        }
        if !*place.follows {
            *place.best = Best::of(book);
        }
        let displayed = book.size_at(order.side, price_ticks);
        let scale = book.scale();
        let arrived = Self::arrived(place, displayed as f64 / scale.lots_per_unit());
        if let Some(order) = &mut self.legs[at].order {
            order.arrived = Some(arrived);
        }
        if place.best.crosses(order.side, price_ticks) {
            return self.end(at, Outcome::Refused(Reason::WouldCross), place, out);
        }
        *place.follows = true;
        // The book may be finer than when the order was sent, never coarser.
        let lots = lots_down(order.left(), scale);
        self.resting.post(Order { id: self.legs[at].id, side: order.side, price_ticks, lots }, displayed);
    }

    fn cancel(
        &mut self,
        at: usize,
        order: LiveOrder,
        reason: Reason,
        then_take: bool,
        place: &mut Place<'_>,
        out: Out<'_>,
    ) {
        if let Some(price_ticks) = order.limit_ticks {
            self.resting.cancel(order.side, price_ticks, self.legs[at].id);
        }
        let take_entry = then_take && order.purpose == Purpose::Entry;
        let left = order.left();
        if take_entry && left > 0.0 {
            self.record_end(at, Outcome::Cancelled(reason), place, out);
            self.start(at, Purpose::Entry, OrderKind::Take, None, Want::Volume(left), place);
            return self.take_live(at, place, out);
        }
        if then_take && order.purpose == Purpose::Exit {
            self.record_end(at, Outcome::Cancelled(reason), place, out);
            let held = self.legs[at].held();
            self.start(at, Purpose::Exit, OrderKind::Take, None, Want::Volume(held), place);
            return self.take_live(at, place, out);
        }
        self.end(at, Outcome::Cancelled(reason), place, out);
    }

    fn take_live(&mut self, at: usize, place: &mut Place<'_>, out: Out<'_>) {
        if let Some(order) = self.legs[at].order {
            self.take(at, order, place, out);
        }
    }

    fn take(&mut self, at: usize, order: LiveOrder, place: &mut Place<'_>, out: Out<'_>) {
        let is_entry = order.purpose == Purpose::Entry;
        let from = opposite(order.side);
        if is_entry {
            let refused = if !place.is_live() || place.book.best_of(from).is_none() {
                Some(Reason::NoBook)
            } else {
                place.book.is_crossed_or_locked().then_some(Reason::CrossedBook)
            };
            if let Some(reason) = refused {
                return self.end(at, Outcome::Refused(reason), place, out);
            }
        } else if !place.is_tradable() {
            self.counts.waited += 1;
            return self.waiting.push_back(self.legs[at].id);
        }
        let arrived = Self::arrived(place, f64::NAN);
        if let Some(order) = &mut self.legs[at].order {
            order.arrived = Some(arrived);
        }
        let taken = self.rules.depletion.then_some(&self.depletion);
        let shelf = Shelf { book: place.book, side: from, taken, limit_ticks: order.limit_ticks };
        let want =
            if is_entry { self.entry_want(&shelf, order.want, self.legs[at].reserved.0) } else { Ok(order.want) };
        let want = match want {
            Ok(want) => want,
            Err(reason) => return self.end(at, Outcome::Refused(reason), place, out),
        };
        self.level_fills.clear();
        let fills = &mut self.level_fills;
        let walked = shelf.walk(want, |fill| fills.push(fill));
        if is_entry && walked.missing > 0.0 && order.limit_ticks.is_some() {
            self.counts.capped += 1;
        }
        self.record_taken(at, &order, walked, place, out);
        if !is_entry {
            // Nobody is left who would take it.
            let missing = walked.missing;
            self.legs[at].written_off += missing;
        }
        let outcome = if walked.volume > 0.0 { Outcome::Filled } else { Outcome::Refused(Reason::NothingToTake) };
        self.end(at, outcome, place, out);
    }

    /// What an entry takes of a shelf: whole lots and no more than limits count; or why nothing.
    fn entry_want(&self, shelf: &Shelf<'_>, want: Want, reserved_volume: f64) -> Result<Want, Reason> {
        let walked = shelf.walk(want, |_| {});
        if walked.volume == 0.0 {
            return Err(if shelf.limit_ticks.is_some() { Reason::BeyondCap } else { Reason::NothingToTake });
        }
        let most = if self.rules.limits.position.is_some() { reserved_volume } else { f64::INFINITY };
        let volume = self.rules.increments.size_down(walked.volume.min(most));
        let want = if volume == walked.volume { want } else { Want::Volume(volume) };
        let value = match self.rules.contract {
            Contract::Linear { size } => walked.amount * size,
            Contract::Inverse { size } => walked.volume * size,
        };
        if self.rules.increments.allow(volume, value * volume / walked.volume) {
            Ok(want)
        } else {
            Err(Reason::BelowLeastSize)
        }
    }

    /// Books what a walk took.
    fn record_taken(&mut self, at: usize, order: &LiveOrder, walked: Walked, place: &Place<'_>, out: Out<'_>) {
        let from = opposite(order.side);
        let ticks_per_unit = place.book.scale().ticks_per_unit();
        let lots_per_unit = place.book.scale().lots_per_unit();
        let best = place.book.best_of(from).map_or(f64::NAN, |level| level.price_ticks as f64 / ticks_per_unit);
        let mut traded = Traded::default();
        for index in 0..self.level_fills.len() {
            let LevelFill { price_ticks, price, volume } = self.level_fills[index];
            if volume == 0.0 {
                continue;
            }
            if self.rules.depletion && (!self.depletion.is_full(from) || self.depletion.lots(from, price_ticks) > 0.0) {
                self.depletion.take(from, price_ticks, volume * lots_per_unit);
            }
            let value = self.rules.contract.value(price, volume);
            let fee = self.fees.charge(Liquidity::Taker, value, place.ts_ns);
            traded.add(Traded { volume, value, fee });
            let fill = Traded { volume, value, fee };
            self.record_fill(at, order, Liquidity::Taker, price, fill, best, place, out);
        }
        // Sums as the original program has them: of one price they are exact.
        let value = match self.rules.contract {
            Contract::Linear { size } => walked.amount * size,
            Contract::Inverse { .. } => traded.value,
        };
        self.book_traded(at, Liquidity::Taker, Traded { volume: walked.volume, value, fee: traded.fee });
    }

    #[expect(clippy::too_many_arguments, reason = "a fill has that many facts")]
    fn record_fill(
        &mut self,
        at: usize,
        order: &LiveOrder,
        liquidity: Liquidity,
        price: f64,
        traded: Traded,
        best: f64,
        place: &Place<'_>,
        out: Out<'_>,
    ) {
        out(Record::Fill(FillRecord {
            account: self.kind,
            fill_id: self.fill_ids,
            order_id: order.id,
            leg: self.legs[at].id,
            purpose: order.purpose,
            side: order.side,
            liquidity,
            sequence: place.now.sequence,
            venue_sequence_num: place.now.venue_sequence_num,
            ts_ns: place.ts_ns,
            price,
            traded,
            mid: mid(place.book),
            best,
        }));
        self.fill_ids += 1;
    }

    fn book_traded(&mut self, at: usize, liquidity: Liquidity, traded: Traded) {
        let leg = &mut self.legs[at];
        let before = leg.counted();
        if let Some(order) = &mut leg.order {
            order.traded.add(traded);
            match order.purpose {
                Purpose::Entry => leg.entered.add(traded),
                Purpose::Exit => leg.exited.add(traded),
            }
        }
        let (side, after) = (leg.side, leg.counted());
        self.count_leg(side, before, after);
        match liquidity {
            Liquidity::Maker => self.totals.maker_value += traded.value,
            Liquidity::Taker => self.totals.taker_value += traded.value,
        }
        self.totals.fees += traded.fee;
    }

    // Ending.

    /// Writes an order down as ended and forgets it.
    fn record_end(&mut self, at: usize, outcome: Outcome, place: &Place<'_>, out: Out<'_>) -> Option<LiveOrder> {
        let leg = &mut self.legs[at];
        let order = leg.order.take()?;
        self.live_orders -= 1;
        match outcome {
            Outcome::Filled => self.counts.filled += 1,
            Outcome::Cancelled(_) => self.counts.cancelled += 1,
            Outcome::Refused(_) => self.counts.refused += 1,
        }
        let ticks_per_unit = place.book.scale().ticks_per_unit();
        out(Record::Order(OrderRecord {
            account: self.kind,
            order_id: order.id,
            leg: leg.id,
            purpose: order.purpose,
            kind: order.kind,
            side: order.side,
            price: order.limit_ticks.map_or(f64::NAN, |ticks| ticks as f64 / ticks_per_unit),
            volume: if let Want::Volume(volume) = order.want { volume } else { f64::NAN },
            decided: order.decided,
            logit: leg.logit,
            decided_quotes: order.quotes,
            leg_sequence: leg.decided.sequence,
            leg_mid: leg.mid,
            due_sequence: leg.due_sequence,
            arrived: order.arrived,
            ended_sequence: place.now.sequence,
            ended_ts_ns: place.ts_ns,
            outcome,
            traded: order.traded,
        }));
        Some(order)
    }

    /// Ends an order, and does what its leg needs next.
    fn end(&mut self, at: usize, outcome: Outcome, place: &mut Place<'_>, out: Out<'_>) {
        let Some(order) = self.record_end(at, outcome, place, out) else { return };
        if order.purpose == Purpose::Entry {
            let leg = &mut self.legs[at];
            let before = leg.counted();
            leg.entry_ended = true;
            let (side, after) = (leg.side, leg.counted());
            self.count_leg(side, before, after);
        }
        self.go_on(at, place, out);
    }

    /// What a leg without an order does next.
    fn go_on(&mut self, at: usize, place: &mut Place<'_>, out: Out<'_>) {
        let leg = &self.legs[at];
        let held = leg.held();
        if held == 0.0 {
            return self.close(at, place, out);
        }
        if self.is_ending {
            return;
        }
        let sequence = place.now.sequence;
        if self.is_due(leg, sequence) {
            self.send(at, Purpose::Exit, OrderKind::Take, None, Want::Volume(held), place, out);
        }
    }

    /// Whether a leg falls due at the frame `sequence`, of those that [`Account::fall_due`] has looked at.
    fn is_due(&self, leg: &Leg, sequence: u64) -> bool {
        leg.due_sequence <= sequence || leg.id < self.next_due
    }

    fn close(&mut self, at: usize, place: &Place<'_>, out: Out<'_>) {
        let leg = &mut self.legs[at];
        let before = leg.counted();
        leg.closed = true;
        let (side, entered) = (leg.side, leg.entered.volume > 0.0);
        let record = self.leg_record(at, place);
        if entered {
            self.totals.legs += 1;
            self.totals.profit += record.profit;
        }
        out(Record::Leg(record));
        self.count_leg(side, before, (0.0, 0.0));
        while self.legs.front().is_some_and(|leg| leg.closed) {
            self.legs.pop_front();
            self.first_leg += 1;
        }
        if self.legs.is_empty() {
            // What sums of fractions have left.
            (self.long, self.short, self.cash) = (0.0, 0.0, 0.0);
        }
    }

    fn leg_record(&self, at: usize, place: &Place<'_>) -> LegRecord {
        let leg = &self.legs[at];
        let (bought, sold) = match leg.side {
            Side::Bid => (leg.entered.value, leg.exited.value),
            Side::Ask => (leg.exited.value, leg.entered.value),
        };
        // What is open is not sold yet: the profit is that of the part that is.
        let share = if leg.closed || leg.entered.volume == 0.0 {
            1.0
        } else {
            (leg.exited.volume + leg.written_off) / leg.entered.volume
        };
        let (bought, sold) = match leg.side {
            Side::Bid => (bought * share, sold),
            Side::Ask => (bought, sold * share),
        };
        LegRecord {
            account: self.kind,
            leg: leg.id,
            side: leg.side,
            decided: leg.decided,
            logit: leg.logit,
            mid: leg.mid,
            due_sequence: leg.due_sequence,
            entered: leg.entered,
            exited: leg.exited,
            written_off: leg.written_off,
            profit: self.rules.contract.profit(bought, sold),
            closed_sequence: place.now.sequence,
            closed_ts_ns: place.ts_ns,
            snapshots_while_held: place.now.stretch.saturating_sub(leg.decided.stretch),
            open_volume: leg.held(),
            open_marks: (f64::NAN, f64::NAN),
        }
    }

    // Frames.

    /// The exchange names a level: what rests at it moves up in the queue. Before the book takes it.
    #[inline]
    pub fn level(&mut self, level: Event, before_lots: u64) {
        self.resting.level(level.side(), level.price_ticks(), before_lots, level.size_lots());
    }

    /// A side's best price became better.
    #[inline]
    pub fn improved(&mut self, side: Side, price_ticks: u64) {
        let fills = &mut self.fills;
        self.resting.improved(side, price_ticks, &mut |fill| fills.push(fill));
    }

    /// A print, in the book's scale.
    #[inline]
    pub fn print(&mut self, aggressor: Side, price_ticks: u64, lots: u64) {
        let fills = &mut self.fills;
        self.resting.print(aggressor, price_ticks, lots, &mut |fill| fills.push(fill));
    }

    /// What goes through a price that lies between two ticks: `price_ticks` is the next tick that it has not reached.
    #[inline]
    pub fn print_beyond(&mut self, aggressor: Side, price_ticks: u64) {
        let fills = &mut self.fills;
        self.resting.print(aggressor, price_ticks, 0, &mut |fill| fills.push(fill));
    }

    /// Books what the frame in hand has filled.
    pub fn settle(&mut self, place: &mut Place<'_>, out: Out<'_>) {
        if self.fills.is_empty() {
            return;
        }
        let mut fills = std::mem::take(&mut self.fills);
        for fill in fills.drain(..) {
            self.filled(fill, place, out);
        }
        // Its room is kept.
        self.fills = fills;
    }

    fn filled(&mut self, fill: RestingFill, place: &mut Place<'_>, out: Out<'_>) {
        let Some(at) = self.at(fill.id) else { return };
        let Some(order) = self.legs[at].order else { return };
        let scale = place.book.scale();
        let price = fill.price_ticks as f64 / scale.ticks_per_unit();
        let volume = fill.lots as f64 / scale.lots_per_unit();
        let value = self.rules.contract.value(price, volume);
        let fee = self.fees.charge(Liquidity::Maker, value, place.ts_ns);
        let traded = Traded { volume, value, fee };
        self.record_fill(at, &order, Liquidity::Maker, price, traded, f64::NAN, place, out);
        self.book_traded(at, Liquidity::Maker, traded);
        if fill.left_lots == 0 {
            self.end(at, Outcome::Filled, place, out);
        }
    }

    /// After a live frame: entries that have rested too long, exits to post and, where orders have a latency, legs that fall due.
    #[inline]
    pub fn after_frame(&mut self, place: &mut Place<'_>, out: Out<'_>) {
        let Self { markouts, kind, .. } = self;
        let known = |order_id, mids| out(Record::Markout(MarkoutRecord { account: *kind, order_id, mids }));
        markouts.frame(place.now, mid(place.book), known);
        if self.legs.is_empty() {
            return;
        }
        if self.kind != AccountKind::Taker {
            self.time_out(place, out);
            self.post_exits(place, out);
        }
        if self.rules.latency != super::latency::Latency::Absent {
            self.fall_due(place.now.sequence, place, out);
        }
    }

    fn time_out(&mut self, place: &mut Place<'_>, out: Out<'_>) {
        let updates = u64::from(self.rules.maker.timeout_updates);
        while let Some(at) = self.next_at(self.next_timeout) {
            let leg = &self.legs[at];
            if leg.decided.sequence + updates > place.now.sequence {
                break;
            }
            let id = leg.id;
            self.next_timeout = id + 1;
            let order = leg.order.filter(|order| order.purpose == Purpose::Entry && order.kind == OrderKind::Post);
            if let Some(order) = order.filter(|order| !order.cancelled) {
                let then_take = self.rules.maker.after_timeout == AfterTimeout::Take;
                self.ask_cancel(at, order.id, Reason::Timeout, then_take, place, out);
            }
        }
    }

    fn post_exits(&mut self, place: &mut Place<'_>, out: Out<'_>) {
        if self.rules.maker.exits == ExitStyle::Take {
            return;
        }
        let updates = u64::from(self.rules.maker.timeout_updates);
        while let Some(at) = self.next_at(self.next_exit) {
            let leg = &self.legs[at];
            if leg.due_sequence > place.now.sequence + updates {
                break;
            }
            // An entry that is still live is waited for, in its turn.
            if !leg.closed && leg.order.is_some() && !self.is_due(leg, place.now.sequence) {
                break;
            }
            self.next_exit = leg.id + 1;
            let is_held = !leg.closed && leg.order.is_none() && leg.held() > 0.0;
            if is_held && !self.is_due(leg, place.now.sequence) {
                self.post_exit(at, place, out);
            }
        }
    }

    fn post_exit(&mut self, at: usize, place: &mut Place<'_>, out: Out<'_>) {
        let (side, held) = (opposite(self.legs[at].side), self.legs[at].held());
        // Without that side nobody says at which price: it is taken when due.
        let Some(best) = place.book.best_of(side) else { return };
        let offset = self.rules.maker.offset_ticks;
        let ticks = match side {
            Side::Bid => best.price_ticks.saturating_add_signed(offset),
            Side::Ask => best.price_ticks.saturating_add_signed(-offset),
        };
        let price_ticks = self.rules.increments.price(side, ticks, place.book.scale()).clamp(1, COUNT_MAX);
        self.send(at, Purpose::Exit, OrderKind::Post, Some(price_ticks), Want::Volume(held), place, out);
    }

    /// Where a leg that was not looked at stands, or the next one after it.
    fn next_at(&self, leg: u64) -> Option<usize> {
        let at = leg.saturating_sub(self.first_leg) as usize;
        (at < self.legs.len()).then_some(at)
    }

    /// Exits legs that fall due by the frame `sequence`.
    pub fn fall_due(&mut self, sequence: u64, place: &mut Place<'_>, out: Out<'_>) {
        while let Some(at) = self.next_at(self.next_due) {
            let leg = &self.legs[at];
            if leg.due_sequence > sequence {
                break;
            }
            self.next_due = leg.id + 1;
            if leg.closed {
                continue;
            }
            match leg.order {
                None => self.go_on(at, place, out),
                Some(order) if order.kind == OrderKind::Post && !order.cancelled => {
                    let then_take = order.purpose == Purpose::Exit;
                    self.ask_cancel(at, order.id, Reason::Due, then_take, place, out);
                }
                // It takes already, or a cancellation is under way, after which it goes on.
                Some(_) => {}
            }
        }
    }

    fn ask_cancel(
        &mut self,
        at: usize,
        order_id: u64,
        reason: Reason,
        then_take: bool,
        place: &mut Place<'_>,
        out: Out<'_>,
    ) {
        let leg = &mut self.legs[at];
        let id = leg.id;
        if let Some(order) = &mut leg.order {
            order.cancelled = true;
        }
        self.dispatch(id, order_id, Action::Cancel { reason, then_take }, place, out);
    }

    /// Before the book frame `place.now` in a live book of two sides, not crossed and not locked: exits that have waited and,
    /// where orders act in the deciding instant, legs that fall due.
    #[inline]
    pub fn close_due(&mut self, place: &mut Place<'_>, out: Out<'_>) {
        if self.legs.is_empty() {
            return;
        }
        while let Some(leg) = self.waiting.pop_front() {
            if let Some(at) = self.at(leg) {
                self.take_live(at, place, out);
            }
        }
        if self.rules.latency == super::latency::Latency::Absent {
            self.fall_due(place.now.sequence, place, out);
        }
    }

    /// The book is about to be lost, or a snapshot to replace it: what rests and what is under way is cancelled, but for exits
    /// that take, which wait; what was taken is forgotten.
    pub fn book_lost(&mut self, place: &mut Place<'_>, out: Out<'_>) {
        self.depletion.clear();
        let Self { markouts, kind, .. } = self;
        markouts.end(|order_id, mids| out(Record::Markout(MarkoutRecord { account: *kind, order_id, mids })));
        self.resting.clear();
        let mut under_way = std::mem::take(&mut self.under_way);
        under_way.retain(|message| self.waits(message.leg, message.order_id));
        self.under_way = under_way;
        for leg in self.first_leg..self.next_leg() {
            let Some(at) = self.at(leg) else { continue };
            if self.legs[at].order.is_some_and(|order| !self.waits(leg, order.id)) {
                self.end(at, Outcome::Cancelled(Reason::BookInvalid), place, out);
            }
        }
    }

    /// Whether an order is an exit that takes.
    fn waits(&self, leg: u64, order_id: u64) -> bool {
        let order = self.at(leg).and_then(|at| self.legs[at].order).filter(|order| order.id == order_id);
        order.is_some_and(|order| order.purpose == Purpose::Exit && order.kind == OrderKind::Take)
    }

    /// A scale finer than before.
    pub fn refine(&mut self, ticks_times: u64, lots_times: u64) -> bool {
        self.depletion.rescale(ticks_times, lots_times);
        for leg in &mut self.legs {
            if let Some(limit) = leg.order.as_mut().and_then(|order| order.limit_ticks.as_mut()) {
                *limit = limit.saturating_mul(ticks_times);
            }
        }
        self.resting.rescale(ticks_times, lots_times)
    }

    /// The run ends: orders are cancelled, what is held is marked.
    pub fn finish(&mut self, place: &mut Place<'_>, out: Out<'_>) {
        self.is_ending = true;
        self.under_way.clear();
        self.resting.clear();
        self.fills.clear();
        let Self { markouts, kind, .. } = self;
        markouts.end(|order_id, mids| out(Record::Markout(MarkoutRecord { account: *kind, order_id, mids })));
        for leg in self.first_leg..self.next_leg() {
            let Some(at) = self.at(leg) else { continue };
            if self.legs[at].order.is_some() {
                self.end(at, Outcome::Cancelled(Reason::EndOfRun), place, out);
            }
            let Some(at) = self.at(leg) else { continue };
            self.totals.open_legs += 1;
            let record = LegRecord { open_marks: self.mark(at, place), ..self.leg_record(at, place) };
            self.totals.profit += record.profit;
            out(Record::Leg(record));
        }
    }

    /// What a leg's open part is worth: at the mid and by walking the book.
    fn mark(&self, at: usize, place: &Place<'_>) -> (f64, f64) {
        if place.book.state() != BookState::Live {
            return (f64::NAN, f64::NAN);
        }
        let leg = &self.legs[at];
        let contract = self.rules.contract;
        let held = leg.held();
        let mut worth = 0.0;
        // Long ones would be sold to the bids, short ones bought back from the asks.
        let shelf = Shelf { book: place.book, side: leg.side, taken: None, limit_ticks: None };
        shelf.walk(Want::Volume(held), |fill| worth += contract.value(fill.price, fill.volume));
        (contract.value(mid(place.book), held), worth)
    }
}

/// Whole lots of the book in a volume, rounding of decimal fractions aside.
fn lots_down(volume: f64, scale: Scale) -> u64 {
    let lots = volume * scale.lots_per_unit();
    // The cast saturates.
    ((lots * (1.0 + 1e-12) + 1e-9).floor() as u64).min(COUNT_MAX)
}

const _: () = assert!(MARKOUT_UPDATES.len() == 4, "the log has a column for each");

#[cfg(test)]
mod tests;
