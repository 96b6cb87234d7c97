//! From a decision to an order: at which price, for how much, and whether limits let it.

use super::leg::Leg;
use super::rules::LEGS_MAX;
use super::{Account, Out, Place};
use crate::execution::contract::Contract;
use crate::execution::fill::mid;
use crate::execution::matching::best::opposite;
use crate::execution::records::{AccountKind, OrderKind, Purpose, Traded};
use crate::execution::walk::Want;
use crate::market::units::{COUNT_MAX, Scale, Side};

impl Account {
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
            OrderKind::Take => self.taking(best.price_ticks, place.book.scale(), self.cap_ticks(side, place)),
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
            cap_ticks: self.cap_ticks(side, place),
            reserved,
            entry_ended: false,
            order: None,
            exit_posted: false,
            closed: false,
        };
        self.legs.push_back(leg);
        self.count_leg(side, (0.0, 0.0), reserved);
        self.markouts.decided(self.orders, place.now);
        let at = self.legs.len() - 1;
        self.send(at, Purpose::Entry, kind, limit_ticks, want, place, out);
    }

    /// The worst price that an entry takes, ticks: so far from the best that it could take at the decision or, where nobody is
    /// there, from its own side's. `None` without a cap.
    fn cap_ticks(&self, side: Side, place: &Place<'_>) -> Option<u64> {
        let best = place.book.best_of(opposite(side)).or_else(|| place.book.best_of(side))?;
        let (best_ticks, share) = (best.price_ticks as f64, self.rules.cap_bps? / 1e4);
        Some(match side {
            // Casts saturate.
            Side::Bid => (best_ticks * (1.0 + share)).floor() as u64,
            Side::Ask => (best_ticks * (1.0 - share)).ceil().max(0.0) as u64,
        })
    }

    /// What a taker asks for: the worst price, how much, and what limits count.
    pub(super) fn taking(&self, best_ticks: u64, scale: Scale, cap: Option<u64>) -> (Option<u64>, Want, (f64, f64)) {
        let best = best_ticks as f64 / scale.ticks_per_unit();
        let volume = self.rules.contract.volume(self.rules.amount, best);
        let want = match self.rules.contract {
            Contract::Linear { size } => Want::Amount(self.rules.amount / size),
            Contract::Inverse { .. } => Want::Volume(volume),
        };
        (cap, want, (volume, self.rules.amount))
    }

    /// What a maker asks for, in whole lots of the book; `None` below the least size.
    pub(super) fn posting(&self, side: Side, best_ticks: u64, scale: Scale) -> Option<(Option<u64>, Want, (f64, f64))> {
        let offset = self.rules.maker.offset_ticks;
        let ticks = match side {
            Side::Bid => best_ticks.saturating_add_signed(offset),
            Side::Ask => best_ticks.saturating_add_signed(-offset),
        };
        let price_ticks = self.rules.increments.price(side, ticks, scale)?.clamp(1, COUNT_MAX);
        let price = price_ticks as f64 / scale.ticks_per_unit();
        let lots = self.rules.increments.lots_down(self.rules.contract.volume(self.rules.amount, price), scale);
        let volume = lots as f64 / scale.lots_per_unit();
        let value = self.rules.contract.value(price, volume);
        let allowed = lots > 0 && self.rules.increments.allow(volume, value);
        let quote = self.rules.contract.quote_value(value, volume);
        allowed.then_some((Some(price_ticks), Want::Volume(volume), (volume, quote)))
    }

    /// Whether limits let a leg be opened; counts which does not.
    pub(super) fn may_open(&mut self, side: Side, (volume, cash): (f64, f64)) -> bool {
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

    pub(super) fn count_leg(&mut self, side: Side, before: (f64, f64), after: (f64, f64)) {
        let held = match side {
            Side::Bid => &mut self.long,
            Side::Ask => &mut self.short,
        };
        *held = (*held + after.0 - before.0).max(0.0);
        self.cash = (self.cash + after.1 - before.1).max(0.0);
    }
}

/// Whole lots of the book in a volume, rounding of decimal fractions aside.
pub(super) fn lots_down(volume: f64, scale: Scale) -> u64 {
    let lots = volume * scale.lots_per_unit();
    // The cast saturates.
    ((lots * (1.0 + 1e-12) + 1e-9).floor() as u64).min(COUNT_MAX)
}
