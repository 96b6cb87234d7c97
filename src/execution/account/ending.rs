//! The end of a run.

use super::{Account, Out, Place};
use crate::execution::depletion::Depletion;
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
        // What each takes of the last book the next one does not get.
        let mut taken = std::mem::take(&mut self.depletion);
        for leg in self.first_leg..self.next_leg() {
            let Some(at) = self.at(leg) else { continue };
            if self.legs[at].order.is_some() {
                self.end(at, Outcome::Cancelled(Reason::EndOfRun), place, out);
            }
            let Some(at) = self.at(leg) else { continue };
            self.totals.open_legs += 1;
            let record = LegRecord { open_marks: self.mark(at, &mut taken, place), ..self.leg_record(at, place) };
            self.totals.profit += record.profit;
            out(Record::Leg(record));
        }
    }

    /// What a leg's open part is worth: at the mid and by walking the book, which is not known where the book has not that much.
    fn mark(&self, at: usize, taken: &mut Depletion, place: &Place<'_>) -> (f64, f64) {
        if place.book.state() != BookState::Live {
            return (f64::NAN, f64::NAN);
        }
        let leg = &self.legs[at];
        let contract = self.rules.contract;
        let held = leg.held();
        let (mut worth, mut fills) = (0.0, Vec::new());
        // Long ones would be sold to the bids, short ones bought back from the asks.
        let shelf = Shelf { book: place.book, side: leg.side, taken: Some(taken), limit_ticks: None };
        let walked = shelf.walk(Want::Volume(held), |fill| fills.push(fill));
        let lots_per_unit = place.book.scale().lots_per_unit();
        for fill in fills {
            worth += contract.value(fill.price, fill.volume);
            taken.take(leg.side, fill.price_ticks, fill.volume * lots_per_unit);
        }
        (contract.value(mid(place.book), held), if walked.missing > 0.0 { f64::NAN } else { worth })
    }
}
