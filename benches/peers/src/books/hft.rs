//! hftbacktest: sizes as floats by tick, in a hash map, or in an array over a range of interest.

use crate::common::Parsed;
use crate::common::books::{Depth, levels_sum};
use hftbacktest::depth::{HashMapMarketDepth, L2MarketDepth, MarketDepth, ROIVectorMarketDepth};
use hftbacktest::types::Side as HftSide;
use papertrader::market::event::{Event, FrameKind};
use papertrader::market::units::{Scale, Side};

/// A level's price and size in units of the product.
pub struct Level {
    side: Side,
    price: f64,
    size: f64,
}

/// A frame's levels, and whether they replace the book.
pub struct Frame {
    is_snapshot: bool,
    levels: Vec<Level>,
}

/// The frames in floats.
pub fn frames(scale: Scale, frames: &[Parsed]) -> Vec<Frame> {
    let level = |level: &Event| Level {
        side: level.side(),
        price: level.price_ticks() as f64 / scale.ticks_per_unit(),
        size: level.size_lots() as f64 / scale.lots_per_unit(),
    };
    let frame = |(kind, levels): &Parsed| Frame {
        is_snapshot: *kind == FrameKind::Snapshot,
        levels: levels.iter().map(level).collect(),
    };
    frames.iter().map(frame).collect()
}

/// Prices that `ROIVectorMarketDepth` keeps; it ignores levels outside.
pub struct Range {
    lowest: f64,
    highest: f64,
}

impl Range {
    /// A tenth of the best bid to either side, in whole units.
    pub fn around_best_bid(snapshot: &Frame) -> Self {
        let bids = snapshot.levels.iter().filter(|level| level.side == Side::Bid);
        let best = bids.map(|level| level.price).fold(0.0, f64::max);
        Self { lowest: (best * 0.9).floor(), highest: (best * 1.1).ceil() }
    }

    /// The range, and how much of the frames it leaves out.
    pub fn describe(&self, frames: &[Frame]) -> String {
        let kept = |level: &&Level| (self.lowest..=self.highest).contains(&level.price);
        let updates = || frames[1..].iter().flat_map(|frame| &frame.levels);
        let (all, kept) = (updates().count(), updates().filter(kept).count());
        let (lowest, highest) = (self.lowest, self.highest);
        format!(
            "ROIVectorMarketDepth has a range of interest of {lowest} to {highest} and ignores {} of {all} levels, which \
             lie outside",
            all - kept
        )
    }
}

/// A book, and what turns its floats back into lots.
pub struct Peer<D> {
    depth: D,
    lots_per_unit: f64,
}

impl<D: L2MarketDepth> Peer<D> {
    fn apply(&mut self, frame: &Frame) {
        if frame.is_snapshot {
            self.depth.clear_depth(HftSide::None, 0.0);
        }
        for level in &frame.levels {
            match level.side {
                Side::Bid => self.depth.update_bid_depth(level.price, level.size, 0),
                Side::Ask => self.depth.update_ask_depth(level.price, level.size, 0),
            };
        }
    }

    /// The level at a tick, if there is one.
    fn level(&self, tick: i64, size: f64) -> Option<(u64, u64)> {
        // Rounded by the conversion, which is cheaper than to call for it.
        (size > 0.0).then_some((tick as u64, (size * self.lots_per_unit + 0.5) as u64))
    }
}

impl Peer<HashMapMarketDepth> {
    pub fn new(scale: Scale) -> Self {
        let depth = HashMapMarketDepth::new(1.0 / scale.ticks_per_unit(), 1.0 / scale.lots_per_unit());
        Self { depth, lots_per_unit: scale.lots_per_unit() }
    }
}

impl Depth for Peer<HashMapMarketDepth> {
    type Frame = Frame;

    fn touch(frame: &Frame) -> u64 {
        frame.levels.iter().map(|level| level.price.to_bits()).fold(0, u64::wrapping_add)
    }

    fn apply(&mut self, frame: &Frame) {
        Peer::apply(self, frame);
    }

    /// Tick by tick from the best, as its tutorials read the book.
    fn top_sum(&self) -> u64 {
        let depth = &self.depth;
        let bids = (depth.low_bid_tick..=depth.best_bid_tick).rev();
        let asks = depth.best_ask_tick..=depth.high_ask_tick;
        levels_sum(
            bids.filter_map(|tick| self.level(tick, depth.bid_qty_at_tick(tick))),
            asks.filter_map(|tick| self.level(tick, depth.ask_qty_at_tick(tick))),
        )
    }
}

impl Peer<ROIVectorMarketDepth> {
    pub fn new(scale: Scale, range: &Range) -> Self {
        let (tick, lot) = (1.0 / scale.ticks_per_unit(), 1.0 / scale.lots_per_unit());
        let depth = ROIVectorMarketDepth::new(tick, lot, range.lowest, range.highest);
        Self { depth, lots_per_unit: scale.lots_per_unit() }
    }
}

impl Depth for Peer<ROIVectorMarketDepth> {
    type Frame = Frame;

    fn touch(frame: &Frame) -> u64 {
        frame.levels.iter().map(|level| level.price.to_bits()).fold(0, u64::wrapping_add)
    }

    fn apply(&mut self, frame: &Frame) {
        Peer::apply(self, frame);
    }

    /// Along its arrays from the best, which is its quickest way.
    fn top_sum(&self) -> u64 {
        let depth = &self.depth;
        // Of an empty side the best tick is the least or the greatest that there is.
        let bids_end = depth.best_bid_tick.saturating_sub(depth.roi_lb).saturating_add(1).max(0) as usize;
        let asks_begin = depth.best_ask_tick.saturating_sub(depth.roi_lb) as usize;
        let level = |(at, &size): (usize, &f64)| self.level(depth.roi_lb + at as i64, size);
        let bids = depth.bid_depth()[..bids_end].iter().enumerate().rev();
        let asks = depth.ask_depth().iter().enumerate().skip(asks_begin);
        levels_sum(bids.filter_map(level), asks.filter_map(level))
    }
}
