//! What frames and prints do to an account.

use super::deciding::lots_down;
use super::rules::{AfterTimeout, ExitStyle};
use super::{Account, Action, Out, Place};
use crate::execution::fees::Liquidity;
use crate::execution::fill::mid;
use crate::execution::latency::Latency;
use crate::execution::matching::best::opposite;
use crate::execution::matching::resting::RestingFill;
use crate::execution::records::{AccountKind, MarkoutRecord, OrderKind, Outcome, Purpose, Reason, Record, Traded};
use crate::execution::walk::Want;
use crate::market::event::Event;
use crate::market::units::{COUNT_MAX, Side};

impl Account {
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

    pub(super) fn filled(&mut self, fill: RestingFill, place: &mut Place<'_>, out: Out<'_>) {
        let Some(at) = self.at(fill.id) else { return };
        let Some(order) = self.legs[at].order else { return };
        let scale = place.book.scale();
        let price = fill.price_ticks as f64 / scale.ticks_per_unit();
        let volume = fill.lots as f64 / scale.lots_per_unit();
        let value = self.rules.contract.value(price, volume);
        let quote = self.rules.contract.quote_value(value, volume);
        let fee = self.fees.charge(Liquidity::Maker, value, quote, place.ts_ns);
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
        if self.rules.latency != Latency::Absent {
            self.fall_due(place.now.sequence, place, out);
        }
    }

    pub(super) fn time_out(&mut self, place: &mut Place<'_>, out: Out<'_>) {
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

    pub(super) fn post_exits(&mut self, place: &mut Place<'_>, out: Out<'_>) {
        if self.rules.maker.exits == ExitStyle::Take {
            return;
        }
        let updates = u64::from(self.rules.maker.timeout_updates);
        let (mut next, mut first_live) = (self.next_exit, None);
        while let Some(at) = self.next_at(next) {
            let leg = &mut self.legs[at];
            if leg.due_sequence > place.now.sequence + updates {
                break;
            }
            next = leg.id + 1;
            if leg.exit_posted {
                continue;
            }
            let (id, is_live) = (leg.id, !leg.closed && leg.order.is_some());
            if is_live && !self.is_due(&self.legs[at], place.now.sequence) {
                // Its entry may still be filled: it is looked at again.
                first_live.get_or_insert(id);
                continue;
            }
            let leg = &mut self.legs[at];
            leg.exit_posted = true;
            let leg = &self.legs[at];
            let is_held = !leg.closed && leg.order.is_none() && leg.held() > 0.0;
            if is_held && !self.is_due(leg, place.now.sequence) {
                self.post_exit(at, place, out);
            }
        }
        self.next_exit = first_live.unwrap_or(next);
    }

    pub(super) fn post_exit(&mut self, at: usize, place: &mut Place<'_>, out: Out<'_>) {
        let (side, held) = (opposite(self.legs[at].side), self.legs[at].held());
        // Less than a lot rests nowhere: it is taken when due.
        if lots_down(held, place.book.scale()) == 0 {
            return;
        }
        // Without that side nobody says at which price.
        let Some(best) = place.book.best_of(side) else { return };
        let offset = self.rules.maker.offset_ticks;
        let ticks = match side {
            Side::Bid => best.price_ticks.saturating_add_signed(offset),
            Side::Ask => best.price_ticks.saturating_add_signed(-offset),
        };
        let Some(price_ticks) = self.rules.increments.price(side, ticks, place.book.scale()) else { return };
        let price_ticks = price_ticks.clamp(1, COUNT_MAX);
        self.send(at, Purpose::Exit, OrderKind::Post, Some(price_ticks), Want::Volume(held), place, out);
    }

    /// Where a leg that was not looked at stands, or the next one after it.
    pub(super) fn next_at(&self, leg: u64) -> Option<usize> {
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

    pub(super) fn ask_cancel(
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
        self.take_waiting(place, out);
        if self.rules.latency == Latency::Absent {
            self.fall_due(place.now.sequence, place, out);
        }
    }

    /// Lets exits that have waited take, oldest first, until a side has nothing left for the first of them.
    fn take_waiting(&mut self, place: &mut Place<'_>, out: Out<'_>) {
        let mut is_exhausted = [false; 2];
        for _ in 0..self.waiting.len() {
            let Some(leg) = self.waiting.pop_front() else { break };
            let Some(at) = self.at(leg) else { continue };
            let side = usize::from(self.legs[at].side == Side::Ask);
            if is_exhausted[side] {
                self.waiting.push_back(leg);
                continue;
            }
            self.take_live(at, place, out);
            is_exhausted[side] = self.at(leg).is_some_and(|at| self.legs[at].order.is_some());
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
    pub(super) fn waits(&self, leg: u64, order_id: u64) -> bool {
        let order = self.at(leg).and_then(|at| self.legs[at].order).filter(|order| order.id == order_id);
        order.is_some_and(|order| order.purpose == Purpose::Exit && order.kind == OrderKind::Take)
    }

    /// A scale finer than before.
    pub fn refine(&mut self, ticks_times: u64, lots_times: u64) -> bool {
        self.depletion.rescale(ticks_times, lots_times);
        for leg in &mut self.legs {
            leg.cap_ticks = leg.cap_ticks.map(|cap| cap.saturating_mul(ticks_times));
            if let Some(limit) = leg.order.as_mut().and_then(|order| order.limit_ticks.as_mut()) {
                *limit = limit.saturating_mul(ticks_times);
            }
        }
        self.resting.rescale(ticks_times, lots_times)
    }
}
