//! Where and when something happens.

use crate::execution::ledger::Moment;
use crate::execution::matching::best::Best;
use crate::execution::records::Quotes;
use crate::execution::records::Record;
use crate::market::book::{Book, BookState};
use crate::market::units::Side;

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
    pub(super) fn quotes(&self) -> Quotes {
        let ticks_per_unit = self.book.scale().ticks_per_unit();
        let price = |side| self.book.best_of(side).map_or(f64::NAN, |level| level.price_ticks as f64 / ticks_per_unit);
        Quotes { bid: price(Side::Bid), ask: price(Side::Ask) }
    }

    pub(super) fn is_live(&self) -> bool {
        !self.is_lost && self.book.state() == BookState::Live
    }

    /// Whether the book is live, has two sides and is neither crossed nor locked.
    pub(super) fn is_tradable(&self) -> bool {
        self.is_live() && self.book.best().is_some_and(|(bid, ask)| bid.price_ticks < ask.price_ticks)
    }
}

/// Where records go.
pub type Out<'a> = &'a mut dyn FnMut(Record);
