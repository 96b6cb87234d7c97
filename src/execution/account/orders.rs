//! Orders: sent, arriving, resting, taking, taken back.

use super::deciding::lots_down;
use super::leg::LiveOrder;
use super::{Account, Action, Message, Out, Place};
use crate::execution::contract::Contract;
use crate::execution::ledger::Moment;
use crate::execution::matching::best::{Best, opposite};
use crate::execution::matching::resting::Order;
use crate::execution::records::{Arrived, OrderKind, Outcome, Purpose, Reason, Traded};
use crate::execution::walk::{Shelf, Want};

impl Account {
    #[expect(clippy::too_many_arguments, reason = "an order has that many facts")]
    pub(super) fn send(
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
    pub(super) fn start(
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
            has_waited: false,
            traded: Traded::default(),
        });
        self.orders += 1;
        self.live_orders += 1;
        self.counts.sent += 1;
        leg.id
    }

    /// Sends a message, or acts at once where there is no latency.
    pub(super) fn dispatch(&mut self, leg: u64, order_id: u64, action: Action, place: &mut Place<'_>, out: Out<'_>) {
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

    pub(super) fn arrive(&mut self, message: Message, place: &mut Place<'_>, out: Out<'_>) {
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

    pub(super) fn arrived(place: &Place<'_>, queue_ahead: f64) -> Arrived {
        Arrived { sequence: place.now.sequence, ts_ns: place.ts_ns, quotes: place.quotes(), queue_ahead }
    }

    pub(super) fn post(&mut self, at: usize, order: LiveOrder, place: &mut Place<'_>, out: Out<'_>) {
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

    pub(super) fn cancel(
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
            let limit_ticks = self.legs[at].cap_ticks;
            self.start(at, Purpose::Entry, OrderKind::Take, limit_ticks, Want::Volume(left), place);
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

    pub(super) fn take_live(&mut self, at: usize, place: &mut Place<'_>, out: Out<'_>) {
        if let Some(order) = self.legs[at].order {
            self.take(at, order, place, out);
        }
    }

    pub(super) fn take(&mut self, at: usize, order: LiveOrder, place: &mut Place<'_>, out: Out<'_>) {
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
            return self.wait(at);
        }
        let arrived = Self::arrived(place, f64::NAN);
        if let Some(order) = &mut self.legs[at].order {
            order.arrived.get_or_insert(arrived);
        }
        let taken = self.rules.depletion.then_some(&self.depletion);
        let shelf = Shelf { book: place.book, side: from, taken, limit_ticks: order.limit_ticks };
        let want = if is_entry { self.entry_want(&shelf, order.want, at) } else { Ok(Want::Volume(order.left())) };
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
        if !is_entry && walked.missing > 0.0 {
            // Nobody else is there to trade with.
            return self.wait(at);
        }
        let outcome = if walked.volume > 0.0 { Outcome::Filled } else { Outcome::Refused(Reason::NothingToTake) };
        self.end(at, outcome, place, out);
    }

    /// Lets an exit wait for the next frame.
    fn wait(&mut self, at: usize) {
        let Some(order) = &mut self.legs[at].order else { return };
        self.counts.waited += u64::from(!order.has_waited);
        order.has_waited = true;
        self.waiting.push_back(self.legs[at].id);
    }

    /// What an entry takes of a shelf: whole lots and no more than limits count; or why nothing.
    pub(super) fn entry_want(&self, shelf: &Shelf<'_>, want: Want, at: usize) -> Result<Want, Reason> {
        let leg = &self.legs[at];
        let reserved_volume = leg.reserved.0 - leg.entered.volume;
        let mut want = want;
        if let (Some(_), Want::Volume(_), Contract::Linear { size }) =
            (self.rules.limits.cash, want, self.rules.contract)
        {
            // What a maker takes may cost more than what it had posted.
            let left = ((leg.reserved.1 - leg.entered.value) / size).max(0.0);
            if shelf.walk(want, |_| {}).amount > left {
                want = Want::Volume(shelf.walk(Want::Amount(left), |_| {}).volume);
            }
        }
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
}
