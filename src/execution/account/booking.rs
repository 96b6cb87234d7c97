//! What orders trade and how they end, as it is written down.

use super::leg::{Leg, LiveOrder};
use super::{Account, Out, Place};
use crate::execution::contract::Contract;
use crate::execution::fees::Liquidity;
use crate::execution::fill::mid;
use crate::execution::matching::best::opposite;
use crate::execution::records::{FillRecord, LegRecord, OrderKind, OrderRecord, Outcome, Purpose, Record, Traded};
use crate::execution::walk::{LevelFill, Walked, Want};
use crate::market::units::Side;

impl Account {
    /// Books what a walk took.
    pub(super) fn record_taken(
        &mut self,
        at: usize,
        order: &LiveOrder,
        walked: Walked,
        place: &Place<'_>,
        out: Out<'_>,
    ) {
        let from = opposite(order.side);
        let ticks_per_unit = place.book.scale().ticks_per_unit();
        let lots_per_unit = place.book.scale().lots_per_unit();
        let best = place.book.best_of(from).map_or(f64::NAN, |level| level.price_ticks as f64 / ticks_per_unit);
        let mut traded = Traded::default();
        let contract = self.rules.contract;
        for index in 0..self.level_fills.len() {
            let LevelFill { price_ticks, price, volume } = self.level_fills[index];
            if volume == 0.0 {
                continue;
            }
            if self.rules.depletion {
                self.depletion.take(from, price_ticks, volume * lots_per_unit);
            }
            let value = contract.value(price, volume);
            let fee = self.fees.charge(Liquidity::Taker, value, contract.quote_value(value, volume), place.ts_ns);
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
    pub(super) fn record_fill(
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

    pub(super) fn book_traded(&mut self, at: usize, liquidity: Liquidity, traded: Traded) {
        let leg = &mut self.legs[at];
        let before = leg.counted(self.rules.contract);
        if let Some(order) = &mut leg.order {
            order.traded.add(traded);
            match order.purpose {
                Purpose::Entry => leg.entered.add(traded),
                Purpose::Exit => leg.exited.add(traded),
            }
        }
        let (side, after) = (leg.side, leg.counted(self.rules.contract));
        self.count_leg(side, before, after);
        match liquidity {
            Liquidity::Maker => self.totals.maker_value += traded.value,
            Liquidity::Taker => self.totals.taker_value += traded.value,
        }
        self.totals.fees += traded.fee;
    }

    /// Writes an order down as ended and forgets it.
    pub(super) fn record_end(
        &mut self,
        at: usize,
        outcome: Outcome,
        place: &Place<'_>,
        out: Out<'_>,
    ) -> Option<LiveOrder> {
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
    pub(super) fn end(&mut self, at: usize, outcome: Outcome, place: &mut Place<'_>, out: Out<'_>) {
        let Some(order) = self.record_end(at, outcome, place, out) else { return };
        if order.purpose == Purpose::Entry {
            let leg = &mut self.legs[at];
            let before = leg.counted(self.rules.contract);
            leg.entry_ended = true;
            let (side, after) = (leg.side, leg.counted(self.rules.contract));
            self.count_leg(side, before, after);
        }
        self.go_on(at, place, out);
    }

    /// What a leg without an order does next.
    pub(super) fn go_on(&mut self, at: usize, place: &mut Place<'_>, out: Out<'_>) {
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
    pub(super) fn is_due(&self, leg: &Leg, sequence: u64) -> bool {
        leg.due_sequence <= sequence || leg.id < self.next_due
    }

    pub(super) fn close(&mut self, at: usize, place: &Place<'_>, out: Out<'_>) {
        let leg = &mut self.legs[at];
        let before = leg.counted(self.rules.contract);
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

    pub(super) fn leg_record(&self, at: usize, place: &Place<'_>) -> LegRecord {
        let leg = &self.legs[at];
        let (bought, sold) = match leg.side {
            Side::Bid => (leg.entered.value, leg.exited.value),
            Side::Ask => (leg.exited.value, leg.entered.value),
        };
        // What is open is not sold yet: the profit is that of the part that is.
        let share = if leg.closed || leg.entered.volume == 0.0 { 1.0 } else { leg.exited.volume / leg.entered.volume };
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
            profit: self.rules.contract.profit(bought, sold),
            closed_sequence: place.now.sequence,
            closed_ts_ns: place.ts_ns,
            snapshots_while_held: place.now.stretch.saturating_sub(leg.decided.stretch),
            open_volume: leg.held(),
            open_marks: (f64::NAN, f64::NAN),
        }
    }
}
