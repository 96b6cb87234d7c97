//! What features remember from update to update, in integers: ticks, lots, nanoseconds.

use super::{DEPTH_MAX, Feature};
use crate::market::book::{Level, Top};
use crate::market::units::Scale;

/// The top of one side as it was.
type Side = [Level; DEPTH_MAX as usize];

/// The state behind the features that look back.
#[derive(Debug)]
pub struct History {
    /// Updates since the snapshot that are needed.
    needed: u32,
    /// Whether any feature needs the mid.
    uses_mid: bool,
    /// Updates since the snapshot, the snapshot not counted. `None` before it.
    updates: Option<u32>,
    /// Twice the mid, in ticks, of the latest updates.
    mids: Ring,
    updates_since_mid_change: u64,
    ts_recv_ns: i64,
    since_update_ns: i64,
    /// One per depth that some feature sums to.
    flows: Vec<Flow>,
    bids: Side,
    asks: Side,
}

/// The order flow over levels 1..=`levels`.
#[derive(Debug)]
struct Flow {
    levels: u8,
    /// The flow, in lots, summed since the snapshot, after each of the latest updates.
    totals: Ring,
}

/// The latest values of a series, as many as somebody looks back on.
#[derive(Debug)]
struct Ring {
    values: Vec<i64>,
    newest: usize,
}

impl Ring {
    fn new(back: u32) -> Self {
        Self { values: vec![0; back as usize + 1], newest: 0 }
    }

    #[inline]
    fn push(&mut self, value: i64) {
        self.newest = if self.newest + 1 == self.values.len() { 0 } else { self.newest + 1 };
        self.values[self.newest] = value;
    }

    /// The value `back` pushes ago; 0 is the newest.
    #[inline]
    fn back(&self, back: u32) -> i64 {
        let back = back as usize;
        let at = if back <= self.newest { self.newest - back } else { self.newest + self.values.len() - back };
        self.values[at]
    }
}

impl History {
    /// Memory enough for `features`.
    pub fn new(features: &[Feature]) -> Self {
        let mid_back = features.iter().map(|f| if let Feature::MidReturn(k) = f { *k } else { 0 }).max().unwrap_or(0);
        let mut flows: Vec<Flow> = Vec::new();
        for depth in 1..=DEPTH_MAX {
            let back = features.iter().filter_map(|feature| match *feature {
                Feature::Ofi { levels, updates } if levels == depth => Some(updates),
                _ => None,
            });
            flows.extend(back.max().map(|back| Flow { levels: depth, totals: Ring::new(back) }));
        }
        Self {
            needed: features.iter().map(|feature| feature.history()).max().unwrap_or(0),
            uses_mid: features.iter().any(|f| matches!(f, Feature::MidReturn(_) | Feature::UpdatesSinceMidChange)),
            updates: None,
            mids: Ring::new(mid_back),
            updates_since_mid_change: 0,
            ts_recv_ns: 0,
            since_update_ns: 0,
            flows,
            bids: Side::default(),
            asks: Side::default(),
        }
    }

    /// Whether the next update is its first.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.updates.is_none()
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.updates = None;
    }

    /// Follows the book to a finer scale.
    pub fn refine(&mut self, from: Scale, to: Scale) {
        let times = |from: u8, to: u8| 10_i64.checked_pow(u32::from(to.saturating_sub(from))).unwrap_or(i64::MAX);
        let ticks_times = times(from.price_decimals, to.price_decimals);
        let lots_times = times(from.size_decimals, to.size_decimals);
        // The book has refused counts that overflow. Twice a mid saturates; totals wrap, as they do when they are summed.
        self.mids.values.iter_mut().for_each(|mid| *mid = mid.saturating_mul(ticks_times));
        for total in self.flows.iter_mut().flat_map(|flow| &mut flow.totals.values) {
            *total = total.wrapping_mul(lots_times);
        }
        for level in self.bids.iter_mut().chain(&mut self.asks) {
            level.price_ticks = level.price_ticks.saturating_mul(ticks_times.unsigned_abs());
            level.size_lots = level.size_lots.saturating_mul(lots_times.unsigned_abs());
        }
    }

    /// Takes the best levels after an update into account, of which there are as many as the features look at. Returns whether
    /// there is history enough for all features.
    #[inline]
    pub fn update(&mut self, bids: &Top, asks: &Top, ts_recv_ns: i64) -> bool {
        let first = self.updates.is_none();
        let updates = self.updates.map_or(0, |updates| updates.saturating_add(1));
        self.updates = Some(updates);
        self.since_update_ns = ts_recv_ns.saturating_sub(self.ts_recv_ns);
        self.ts_recv_ns = ts_recv_ns;
        if self.uses_mid {
            // Below 2^64 together: each price is below 2^63; real ones are below 2^62 and their sum is exact.
            let mid = bids.price_ticks()[0].saturating_add(asks.price_ticks()[0]).min(i64::MAX as u64) as i64;
            self.updates_since_mid_change =
                if first || mid != self.mids.back(0) { 0 } else { self.updates_since_mid_change + 1 };
            self.mids.push(mid);
        }
        if !self.flows.is_empty() {
            self.update_flows(bids, asks, first);
        }
        updates >= self.needed
    }

    fn update_flows(&mut self, bids: &Top, asks: &Top, first: bool) {
        let mut now = [Side::default(); 2];
        for (side, top) in now.iter_mut().zip([bids, asks]) {
            side.iter_mut().zip(top.levels()).for_each(|(place, level)| *place = level);
        }
        let [bids, asks] = now;
        for flow in &mut self.flows {
            let levels = usize::from(flow.levels);
            let total = if first {
                0
            } else {
                let change: i64 = (0..levels)
                    .map(|at| {
                        inflow(self.bids[at], bids[at], u64::ge).wrapping_sub(inflow(self.asks[at], asks[at], u64::le))
                    })
                    .fold(0, i64::wrapping_add);
                // Sums wrap and differences of sums are exact as long as the flow itself fits.
                flow.totals.back(0).wrapping_add(change)
            };
            flow.totals.push(total);
        }
        (self.bids, self.asks) = (bids, asks);
    }

    #[inline]
    pub fn mid_return(&self, updates: u32) -> f64 {
        let (now, then) = (self.mids.back(0), self.mids.back(updates));
        // Counts from 0 to 2^63 - 1: their difference is exact.
        (now - then) as f64 / then as f64
    }

    #[inline]
    pub fn ofi_lots(&self, levels: u8, updates: u32) -> i64 {
        let totals =
            &self.flows.iter().find(|flow| flow.levels == levels).expect("kept for every depth asked for").totals;
        totals.back(0).wrapping_sub(totals.back(updates))
    }

    #[inline]
    pub fn updates_since_mid_change(&self) -> u64 {
        self.updates_since_mid_change
    }

    #[inline]
    pub fn since_update_ns(&self) -> i64 {
        self.since_update_ns
    }
}

/// One side's and level's part of the order-flow imbalance, in lots: what has come to the level minus what has gone, where
/// `keeps(new, old)` says that the new price is at least as good as the old one.
#[inline]
fn inflow(old: Level, new: Level, keeps: impl Fn(&u64, &u64) -> bool) -> i64 {
    // Sizes are below 2^63.
    let came = if keeps(&new.price_ticks, &old.price_ticks) { new.size_lots as i64 } else { 0 };
    let went = if keeps(&old.price_ticks, &new.price_ticks) { old.size_lots as i64 } else { 0 };
    came - went
}
