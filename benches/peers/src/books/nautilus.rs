//! nautilus-model: an ordered map of levels per side, each with a map of its orders.

use crate::common::Parsed;
use crate::common::books::{Depth, TOP, levels_sum};
use nautilus_model::data::{BookOrder, OrderBookDelta, OrderBookDeltas};
use nautilus_model::enums::{BookAction, BookType, OrderSide};
use nautilus_model::identifiers::InstrumentId;
use nautilus_model::orderbook::{BookLevel, OrderBook};
use nautilus_model::types::fixed::FIXED_PRECISION;
use nautilus_model::types::{Price, Quantity};
use papertrader::market::event::{Event, FrameKind};
use papertrader::market::units::{Scale, Side};

const INSTRUMENT: &str = "BTC.VENUE";

/// The frames as deltas by price, with the actions that the project's own adapters give them.
pub fn frames(scale: Scale, frames: &[Parsed]) -> Vec<OrderBookDeltas> {
    let instrument_id = InstrumentId::from(INSTRUMENT);
    let delta = |level: &Event| {
        let side = if level.side() == Side::Bid { OrderSide::Buy } else { OrderSide::Sell };
        let (price_decimals, size_decimals) = (scale.price_decimals, scale.size_decimals);
        let (ticks, lots) = (level.price_ticks() as i64, level.size_lots());
        let price = Price::from_mantissa_exponent(ticks, -(price_decimals as i8), price_decimals);
        let size = Quantity::from_mantissa_exponent(lots, -(size_decimals as i8), size_decimals);
        let action = if lots == 0 { BookAction::Delete } else { BookAction::Update };
        OrderBookDelta::new(instrument_id, action, BookOrder::new(side, price, size, 0), 0, 0, 0.into(), 0.into())
    };
    let deltas = |(kind, levels): &Parsed| {
        let clear = (*kind == FrameKind::Snapshot).then(|| OrderBookDelta::clear(instrument_id, 0, 0.into(), 0.into()));
        OrderBookDeltas {
            instrument_id,
            deltas: clear.into_iter().chain(levels.iter().map(delta)).collect(),
            flags: 0,
            sequence: 0,
            ts_event: 0.into(),
            ts_init: 0.into(),
        }
    };
    frames.iter().map(deltas).collect()
}

pub struct Peer {
    book: OrderBook,
    tick: PowerOfTen,
    lot: PowerOfTen,
}

impl Peer {
    pub fn new(scale: Scale) -> Self {
        Self {
            book: OrderBook::new(InstrumentId::from(INSTRUMENT), BookType::L2_MBP),
            tick: PowerOfTen::new(FIXED_PRECISION - scale.price_decimals),
            lot: PowerOfTen::new(FIXED_PRECISION - scale.size_decimals),
        }
    }
}

impl Depth for Peer {
    type Frame = OrderBookDeltas;

    fn touch(deltas: &OrderBookDeltas) -> u64 {
        // A delta lies in two cache lines.
        let both = |delta: &OrderBookDelta| (delta.order.price.raw as u64).wrapping_add(delta.ts_init.as_u64());
        deltas.deltas.iter().map(both).fold(0, u64::wrapping_add)
    }

    fn apply(&mut self, deltas: &OrderBookDeltas) {
        self.book.apply_deltas(deltas).expect("deltas for this book");
    }

    fn top_sum(&self) -> u64 {
        let pair =
            |level: &BookLevel| (self.tick.divide(level.price.value.raw as u64), self.lot.divide(level.size_raw()));
        levels_sum(self.book.bids(Some(TOP)).map(pair), self.book.asks(Some(TOP)).map(pair))
    }
}

/// Turns the book's units, nine decimals whatever the market's are, into ticks and lots without a division, which would
/// charge the book for our checksum.
struct PowerOfTen {
    exponent: u32,
    /// The inverse of `5^exponent` among the integers modulo `2^64`.
    inverse_of_fives: u64,
}

impl PowerOfTen {
    fn new(exponent: u8) -> Self {
        /// 5 times this is 1 modulo `2^64`.
        const INVERSE_OF_FIVE: u64 = 0xcccc_cccc_cccc_cccd;
        let exponent = u32::from(exponent);
        Self { exponent, inverse_of_fives: INVERSE_OF_FIVE.wrapping_pow(exponent) }
    }

    /// Exact for multiples of the power.
    #[inline]
    fn divide(&self, multiple: u64) -> u64 {
        (multiple >> self.exponent).wrapping_mul(self.inverse_of_fives)
    }
}
