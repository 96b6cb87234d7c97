//! The end of a run.

use super::{Account, Out, Place};
use crate::execution::fill::mid;
use crate::execution::records::{LegRecord, MarkoutRecord, Outcome, Reason, Record};
use crate::execution::walk::{Shelf, Want};
use crate::market::book::BookState;

impl Account {
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
    pub(super) fn mark(&self, at: usize, place: &Place<'_>) -> (f64, f64) {
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
