//! The two orders of hftbacktest's rows: what the venue did, by its time, and what the recorder saw, by its own.
//!
//! A row that has the same place in both stands once, with both flags; one that is told late, such as the prints of a batch, stands
//! twice: where it happened with EXCH, where it was seen with LOCAL.
//!
//! ```
//! use papertrader::sources::hftbacktest::event::{Bits, HftEvent};
//! use papertrader::sources::hftbacktest::order::TwoOrders;
//!
//! let row = |ev, exch_ts, local_ts| HftEvent { ev, exch_ts, local_ts, px: 9.0, qty: 1.0 };
//! let mut orders = TwoOrders::default();
//! // Depth that is seen at once, and a trade before it that is seen behind it.
//! orders.push(row(1, 20, 21));
//! orders.push(row(2, 10, 30));
//! let mut rows = Vec::new();
//! orders.finish(|row| rows.push((row.ev & 0xff, row.ev & Bits::EXCH != 0, row.is_local())));
//! assert_eq!(rows, [(2, true, false), (1, true, true), (2, false, true)]);
//! ```

use super::event::{Bits, HftEvent, Kind};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// How long rows are held for what the venue did before and the recorder saw later, by the recorder's time.
pub const HOLD_NS: i64 = 10_000_000_000;
/// The most rows that are held.
pub const ROWS_MAX: usize = 1 << 20;

/// A row's place at the venue: its time, trades before the depth that shows them, and else as they were seen.
type Place = (i64, bool, u64);

/// Rows on their way into both orders.
#[derive(Debug, Default)]
pub struct TwoOrders {
    /// In the recorder's order; each with its place at the venue.
    seen: VecDeque<(Place, HftEvent)>,
    /// Those that are still to happen. Rows are in `seen` too.
    to_happen: BinaryHeap<Reverse<(Place, Row)>>,
    rows: u64,
    last_exch_ns: Option<i64>,
}

/// A row that is not compared: places differ.
#[derive(Debug)]
struct Row(HftEvent);

impl PartialEq for Row {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Row {}

impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Row {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl TwoOrders {
    /// Takes a row without flags, whose `local_ts` is not before that of the row before, nor before its own `exch_ts`. Gives its
    /// time at the venue, which is moved behind what has been written where the row comes later than rows are held.
    pub fn push(&mut self, mut row: HftEvent) -> i64 {
        debug_assert!(row.exch_ts <= row.local_ts);
        row.exch_ts = self.last_exch_ns.map_or(row.exch_ts, |last_ns| row.exch_ts.max(last_ns));
        let place = (row.exch_ts, Kind::of(row.ev) != Kind::Trade, self.rows);
        self.rows += 1;
        self.seen.push_back((place, row));
        self.to_happen.push(Reverse((place, Row(row))));
        row.exch_ts
    }

    /// Writes what was seen so long ago that nothing is to come before it.
    pub fn drain<E>(&mut self, mut write: impl FnMut(HftEvent) -> Result<(), E>) -> Result<(), E> {
        let newest_ns = self.seen.back().map_or(i64::MIN, |(_, row)| row.local_ts);
        while self
            .seen
            .front()
            .is_some_and(|(_, row)| self.seen.len() > ROWS_MAX || row.local_ts < newest_ns.saturating_sub(HOLD_NS))
        {
            self.write_one(&mut write)?;
        }
        Ok(())
    }

    /// Writes what is left.
    pub fn finish(mut self, mut write: impl FnMut(HftEvent)) {
        while !self.seen.is_empty() {
            let _: Result<(), std::convert::Infallible> = self.write_one(&mut |row| {
                write(row);
                Ok(())
            });
        }
    }

    /// The next row of the two orders.
    fn write_one<E>(&mut self, write: &mut impl FnMut(HftEvent) -> Result<(), E>) -> Result<(), E> {
        let Some(&(seen, row)) = self.seen.front() else { return Ok(()) };
        let flagged = |row: HftEvent, flags| HftEvent { ev: row.ev | flags, ..row };
        match self.to_happen.peek() {
            Some(Reverse((place, happens))) if *place <= seen => {
                let (is_same, happens) = (*place == seen, happens.0);
                self.to_happen.pop();
                self.last_exch_ns = Some(happens.exch_ts);
                if is_same {
                    self.seen.pop_front();
                    return write(flagged(row, Bits::EXCH | Bits::LOCAL));
                }
                write(flagged(happens, Bits::EXCH))
            }
            // It has happened before.
            _ => {
                self.seen.pop_front();
                write(flagged(row, Bits::LOCAL))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_orders_hold_and_nothing_is_lost(
            rows in prop::collection::vec((any::<bool>(), 0..4_i64, 0..30_i64), 0..200),
            drains in any::<u64>(),
        ) {
            let (mut local_ts, mut orders, mut written) = (1_000, TwoOrders::default(), Vec::new());
            let given: Vec<_> = rows.iter().enumerate().map(|(at, &(is_trade, later, late))| {
                // Seconds, so that rows are written on the way.
                local_ts += later * 1_000_000_000;
                let exch_ts = local_ts - late * 1_000_000_000;
                HftEvent { ev: 1 + u64::from(is_trade), exch_ts, local_ts, px: at as f64, qty: 1.0 }
            }).collect();
            let mut moved = Vec::new();
            for (at, row) in given.iter().enumerate() {
                moved.push(HftEvent { exch_ts: orders.push(*row), ..*row });
                if drains >> (at % 64) & 1 == 1 {
                    orders.drain(|row| { written.push(row); Ok::<(), ()>(()) }).unwrap();
                }
            }
            orders.finish(|row| written.push(row));
            let of = |flag: u64| written.iter().filter(move |row| row.ev & flag != 0).map(|row| HftEvent { ev: row.ev & 0xff, ..*row });
            prop_assert_eq!(of(Bits::LOCAL).collect::<Vec<_>>(), moved.clone());
            let happened: Vec<_> = of(Bits::EXCH).collect();
            prop_assert!(happened.is_sorted_by_key(|row| row.exch_ts));
            // Every row once, told apart by its price.
            let mut prices: Vec<_> = happened.iter().map(|row| row.px as usize).collect();
            prices.sort_unstable();
            prop_assert_eq!(prices, (0..given.len()).collect::<Vec<_>>());
            for row in &happened {
                prop_assert_eq!(row.exch_ts, moved[row.px as usize].exch_ts);
            }
            // What is told within the hold keeps its time.
            for (row, moved) in given.iter().zip(&moved) {
                prop_assert!(row.exch_ts == moved.exch_ts || row.local_ts - row.exch_ts > HOLD_NS, "{:?} {:?}", row, moved);
            }
            prop_assert!(written.iter().all(|row| row.exch_ts <= row.local_ts));
        }
    }
}
