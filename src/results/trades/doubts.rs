//! Which trades no market would have made like that.

use super::table::TradeTable;
use crate::execution::fees::Turnover;
use crate::execution::fill::ROUNDING;
use serde::Serialize;

/// Trades held across a gap, and what the others come to.
///
/// A trade is held across a gap if its position was open while the book was not live without a break, so that a snapshot
/// came between purchase and sale, or if its sale waited beyond its due frame for a live book of two sides, neither crossed
/// nor locked. Such a position is sold at a time that the rules do not mean, an hour later instead of ten seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HeldAcrossGaps {
    /// How many there are.
    pub trades: u64,
    /// Their profit in quote currency, before fees.
    pub gross_profit: f64,
    /// The profit of all other trades, before fees.
    pub others_gross_profit: f64,
    /// The same in basis points of what they bought; `None` without other trades.
    pub others_gross_bps: Option<f64>,
    /// The fee per side at which the others win and lose nothing, basis points.
    pub others_break_even_fee_bps: Option<f64>,
}

impl HeldAcrossGaps {
    /// Of a trade log; `None` where it does not say.
    pub fn of(table: &TradeTable) -> Option<Self> {
        let (snapshots, late) = (&table.snapshots_while_held, &table.updates_late);
        if snapshots.len() != table.len() || late.len() != table.len() {
            return None;
        }
        let (mut trades, mut gross_profit) = (0, 0.0);
        let (mut others, mut others_gross_profit) = (Turnover::default(), 0.0);
        for at in 0..table.len() {
            if snapshots[at] > 0 || late[at] > 0 {
                trades += 1;
                gross_profit += table.profit[at];
            } else {
                others.bought += table.bought[at];
                others.sold += table.sold[at];
                others_gross_profit += table.profit[at];
            }
        }
        Some(Self {
            trades,
            gross_profit,
            others_gross_profit,
            others_gross_bps: others.over_bought_bps(others_gross_profit),
            others_break_even_fee_bps: others.break_even_fee_bps(others_gross_profit),
        })
    }
}

/// Trades whose purchase or sale took volume that an earlier fill of the run had taken already; `None` where the log does
/// not say.
pub fn taken_again(table: &TradeTable) -> Option<u64> {
    let (bought, sold) = (&table.buy_volume_taken_again, &table.sell_volume_taken_again);
    let is_told = bought.len() == table.len() && sold.len() == table.len();
    is_told.then(|| bought.iter().zip(sold).filter(|&(&bought, &sold)| bought > 0.0 || sold > 0.0).count() as u64)
}

/// Trades that bought less than a lot, which no venue sells.
pub fn below_a_lot(table: &TradeTable, lot: f64) -> u64 {
    table.volume.iter().filter(|&&volume| is_below(volume, lot)).count() as u64
}

/// Whether a volume is less than a lot. One that was bought exactly may have become a little less.
fn is_below(volume: f64, lot: f64) -> bool {
    volume < lot * (1.0 - ROUNDING)
}

/// Whether a trade was held across a gap, took liquidity again, or bought less than a lot, as far as the log and the lot tell.
pub fn is_doubtful(table: &TradeTable, at: usize, lot: Option<f64>) -> bool {
    let counted = |column: &[u64]| column.get(at).is_some_and(|&count| count > 0);
    let taken = |column: &[f64]| column.get(at).is_some_and(|&volume| volume > 0.0);
    counted(&table.snapshots_while_held)
        || counted(&table.updates_late)
        || taken(&table.buy_volume_taken_again)
        || taken(&table.sell_volume_taken_again)
        || lot.zip(table.volume.get(at)).is_some_and(|(lot, &volume)| is_below(volume, lot))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TradeTable {
        TradeTable {
            bought: vec![100.0, 100.0, 100.0, 50.0],
            sold: vec![101.0, 90.0, 103.0, 51.0],
            profit: vec![1.0, -10.0, 3.0, 1.0],
            volume: vec![0.01, 0.01 * (1.0 - 1e-15), 0.009, 2.0],
            snapshots_while_held: vec![0, 1, 0, 0],
            updates_late: vec![0, 0, 5, 0],
            buy_volume_taken_again: vec![0.0, 0.0, 1.0, 0.5],
            sell_volume_taken_again: vec![0.0, 0.0, 1.0, 0.0],
            ..TradeTable::default()
        }
    }

    #[test]
    fn trades_across_gaps_are_apart_from_the_others() {
        let gaps = HeldAcrossGaps::of(&table()).unwrap();
        assert_eq!((gaps.trades, gaps.gross_profit, gaps.others_gross_profit), (2, -7.0, 2.0));
        assert_eq!(gaps.others_gross_bps, Some(1e4 * 2.0 / 150.0));
        assert_eq!(gaps.others_break_even_fee_bps, Some(1e4 * 2.0 / 302.0));
        let all = TradeTable { updates_late: vec![1; 4], ..table() };
        assert_eq!(HeldAcrossGaps::of(&all).unwrap().others_gross_bps, None);
    }

    #[test]
    fn a_trade_is_counted_once_however_often_it_takes_again() {
        assert_eq!(taken_again(&table()), Some(2));
    }

    #[test]
    fn a_lot_is_enough() {
        assert_eq!((below_a_lot(&table(), 0.01), below_a_lot(&table(), 0.000_01)), (1, 0));
    }

    #[test]
    fn a_log_that_does_not_say_gives_nothing() {
        let old = TradeTable { snapshots_while_held: Vec::new(), buy_volume_taken_again: Vec::new(), ..table() };
        assert_eq!((HeldAcrossGaps::of(&old), taken_again(&old)), (None, None));
    }
}
