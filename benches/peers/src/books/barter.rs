//! barter-data: a sorted vector of decimals per side.

use crate::common::Parsed;
use crate::common::books::{Depth, levels_sum};
use barter_data::books::{Level, OrderBook};
use barter_data::subscription::book::OrderBookEvent;
use papertrader::market::event::{Event, FrameKind};
use papertrader::market::units::{Scale, Side};
use rust_decimal::Decimal;

/// The frames as the book's events. All decimals of a kind have the same scale, so that none needs to be brought to another's
/// for a comparison.
pub fn frames(scale: Scale, frames: &[Parsed]) -> Vec<OrderBookEvent> {
    let pair = |level: &Event| {
        let price = Decimal::new(level.price_ticks() as i64, scale.price_decimals.into());
        (price, Decimal::new(level.size_lots() as i64, scale.size_decimals.into()))
    };
    let event = |(kind, levels): &Parsed| {
        let side = |side: Side| levels.iter().filter(move |level| level.side() == side).map(pair);
        let book = OrderBook::new(0, None, side(Side::Bid), side(Side::Ask));
        if *kind == FrameKind::Snapshot { OrderBookEvent::Snapshot(book) } else { OrderBookEvent::Update(book) }
    };
    frames.iter().map(event).collect()
}

#[derive(Default)]
pub struct Peer {
    book: OrderBook,
}

impl Depth for Peer {
    type Frame = OrderBookEvent;

    fn touch(event: &OrderBookEvent) -> u64 {
        let (OrderBookEvent::Snapshot(levels) | OrderBookEvent::Update(levels)) = event;
        let levels = levels.bids().levels().iter().chain(levels.asks().levels());
        levels.map(|level| level.price.mantissa() as u64).fold(0, u64::wrapping_add)
    }

    fn apply(&mut self, event: &OrderBookEvent) {
        self.book.update(event);
    }

    fn top_sum(&self) -> u64 {
        let pair = |level: &Level| (level.price.mantissa() as u64, level.amount.mantissa() as u64);
        levels_sum(self.book.bids().levels().iter().map(pair), self.book.asks().levels().iter().map(pair))
    }
}
