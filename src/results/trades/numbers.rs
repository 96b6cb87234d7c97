//! What trades come to. Every figure follows from the trade log and the fee; `simulations/README.md` gives the formulas.

use super::doubts::{HeldAcrossGaps, below_a_lot, is_doubtful, taken_again};
use super::table::TradeTable;
use crate::execution::fees::{FEES_BPS, LOWEST_TAKER_FEE_BPS, Turnover, verdict_fee_bps};
use crate::execution::fill::settled;
use crate::statistics::blocks::{Cells, Reach, residuals};
use crate::statistics::bootstrap::{BootstrapSettings, Interval, interval, resample};
use serde::Serialize;
use std::thread;

const REPLICATES: u32 = 1_000;
const SEED: u64 = 1;
/// Fewer trades than this tell nothing.
pub const TRADES_MIN: u64 = 30;
/// Runs shorter than this many hours have no table by hour, nor have longer ones than a month: their clock jumped.
const HOURS: std::ops::RangeInclusive<i64> = 2..=744;
const HOUR_NS: i64 = 3_600_000_000_000;

/// What may be said of the mean profit per trade, by the intervals before fees and at the verdict's fee: the run's, but no
/// less than the lowest that a venue publishes ([`verdict_fee_bps`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// There are no trades.
    NoTrades,
    /// There are too few, or they cover too little time.
    TooFew,
    /// At the verdict's fee it lies above 0.
    Gain,
    /// As a gain, but not without the trades that no market would have made like that: held across a
    /// gap, from liquidity taken before, of less than a lot.
    GainInDoubt,
    /// Before fees it lies above 0, at the verdict's fee it does not.
    GainBeforeFeesOnly,
    /// At the verdict's fee it lies below 0, and before fees not above.
    Loss,
    /// Neither.
    Undecided,
}

/// Profit at a fee.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FeeRow {
    /// Basis points per side.
    pub fee_bps: f64,
    /// Quote currency.
    pub profit: f64,
    /// Basis points of what was bought.
    pub bps: f64,
}

/// A tenth of the run, by the sequence number of the sale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Tenth {
    /// Its first sequence number.
    pub from_sequence: u64,
    /// Trades sold in it.
    pub trades: u64,
    /// Those with a profit above 0.
    pub winners: u64,
    /// Quote currency, before fees.
    pub profit: f64,
}

/// An hour of the run, by the receive time of the sale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Hour {
    /// Counted from the first purchase, from 0.
    pub hour: u64,
    /// Trades sold in it.
    pub trades: u64,
    /// Those with a profit above 0.
    pub winners: u64,
    /// Quote currency, before fees.
    pub profit: f64,
}

/// Nearest-rank quantiles of a quantity over trades.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// The least.
    pub min: f64,
    /// A twentieth lie at or below it.
    pub p5: f64,
    /// A quarter.
    pub p25: f64,
    /// Half.
    pub p50: f64,
    /// Three quarters.
    pub p75: f64,
    /// All but a twentieth.
    pub p95: f64,
    /// The greatest.
    pub max: f64,
}

impl Quantiles {
    /// Of values that are numbers; `None` without any.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = ((share * values.len() as f64).ceil() as usize).clamp(1, values.len());
            values[rank - 1]
        };
        let min = *values.first()?;
        Some(Self { min, p5: at(0.05), p25: at(0.25), p50: at(0.5), p75: at(0.75), p95: at(0.95), max: at(1.0) })
    }
}

/// 95 % intervals by the circular block bootstrap over the purchases' receive times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BlockInterval {
    /// Blocks with purchases that the trades' time holds side by side.
    pub blocks: usize,
    /// Length of a block as it was chosen, number of resamples, seed.
    pub settings: BootstrapSettings,
    /// Of the gross profit, basis points of what was bought.
    pub gross_bps: Option<Interval>,
    /// Of the profit at the verdict's fee, basis points of what was bought.
    pub verdict_bps: Option<Interval>,
    /// Of the net profit at the run's fee, basis points of what was bought.
    pub net_bps: Option<Interval>,
}

/// The figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TradeNumbers {
    /// Closed trades.
    pub trades: u64,
    /// Those with a profit above 0, before fees.
    pub winners: u64,
    /// Those with a profit below 0. The others made exactly nothing.
    pub losers: u64,
    /// Winners over trades.
    pub win_rate: Option<f64>,
    /// Quote currency spent.
    pub bought: f64,
    /// Quote currency received.
    pub sold: f64,
    /// Quote currency, before fees.
    pub gross_profit: f64,
    /// Gross profit per trade in basis points: of what was bought.
    pub gross_bps: Option<f64>,
    /// Fee per side that the net figures count, basis points.
    pub fee_bps: f64,
    /// Quote currency, after fees.
    pub net_profit: f64,
    /// Net profit per trade in basis points: of what was bought.
    pub net_bps: Option<f64>,
    /// The fee per side at which nothing is won or lost, basis points.
    pub break_even_fee_bps: Option<f64>,
    /// The fee per side at which the finding is made, basis points: see [`verdict_fee_bps`].
    pub verdict_fee_bps: f64,
    /// Profit per trade at that fee, basis points of what was bought.
    pub verdict_bps: Option<f64>,
    /// Profit at fees.
    pub by_fee: Vec<FeeRow>,
    /// The deepest fall of the cumulative gross profit, which begins at 0, from its highest point before; quote currency.
    pub drawdown_max: f64,
    /// Profit over amount bought of each trade, basis points.
    pub profit_bps: Option<Quantiles>,
    /// Updates from purchase to sale.
    pub held_updates: Option<Quantiles>,
    /// Seconds from purchase to sale.
    pub held_s: Option<Quantiles>,
    /// Trades that the book could not buy back whole.
    pub sold_in_part: u64,
    /// Trades held across a gap, and the profit without them; `None` where the log does not say.
    pub held_across_gaps: Option<HeldAcrossGaps>,
    /// Trades that took volume which earlier fills of the run had taken from the same level; `None` where the log does not
    /// say.
    pub took_again: Option<u64>,
    /// Trades that bought less than the product's lot; `None` where that is not known.
    pub below_lot: Option<u64>,
    /// How sure the profit is; `None` without receive times that go forward.
    pub interval: Option<BlockInterval>,
    /// What follows.
    pub finding: Finding,
    /// By tenths of the run, from the first purchase to the last sale; empty without trades.
    pub tenths: Vec<Tenth>,
    /// By hour, for runs of two hours and more.
    pub hours: Vec<Hour>,
}

/// A count of 0 is no divisor.
fn over(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

impl TradeNumbers {
    /// Of a trade log, at a fee per side in basis points.
    pub fn of(table: &TradeTable, fee_bps: f64) -> Self {
        Self::of_trades(table, fee_bps, all_cores())
    }

    /// The same with what bought less than `lot`, the product's, base currency; on up to `threads` threads, which change nothing.
    pub fn of_on(table: &TradeTable, fee_bps: f64, lot: f64, threads: usize) -> Self {
        Self::of_trades(table, fee_bps, threads).with_lot_on(table, Some(lot), threads)
    }

    fn of_trades(table: &TradeTable, fee_bps: f64, threads: usize) -> Self {
        let trades = table.len() as u64;
        let winners = table.profit.iter().filter(|&&profit| profit > 0.0).count() as u64;
        let bought: f64 = table.bought.iter().sum();
        let sold: f64 = table.sold.iter().sum();
        let losers = table.profit.iter().filter(|&&profit| profit < 0.0).count() as u64;
        let gross_profit = settled(table.profit.iter().sum(), bought);
        let verdict_fee_bps = verdict_fee_bps(fee_bps);
        let turnover = Turnover { bought, sold };
        let net = |fee_bps: f64| turnover.net(gross_profit, fee_bps);
        let bps = |profit: f64| turnover.over_bought_bps(profit);
        let held = table.buy_sequence.iter().zip(&table.sell_sequence).map(|(buy, sell)| (sell - buy) as f64);
        let held_ns = table.buy_ts_recv_ns.iter().zip(&table.sell_ts_recv_ns);
        let held_s = held_ns.map(|(&buy, &sell)| sell.saturating_sub(buy) as f64 / 1e9);
        let held_s: Vec<f64> = held_s.collect();
        let interval = table.is_in_time().then(|| block_interval(table, fee_bps, held_s.clone(), threads)).flatten();
        let mut by_fee: Vec<FeeRow> = FEES_BPS
            .into_iter()
            .chain([LOWEST_TAKER_FEE_BPS, fee_bps])
            .map(|fee_bps| FeeRow { fee_bps, profit: net(fee_bps), bps: bps(net(fee_bps)).unwrap_or(0.0) })
            .collect();
        by_fee.sort_by(|a, b| a.fee_bps.total_cmp(&b.fee_bps));
        by_fee.dedup_by(|a, b| a.fee_bps == b.fee_bps);
        Self {
            trades,
            winners,
            losers,
            win_rate: over(winners as f64, trades as f64),
            bought,
            sold,
            gross_profit,
            gross_bps: bps(gross_profit),
            fee_bps,
            net_profit: net(fee_bps),
            net_bps: bps(net(fee_bps)),
            break_even_fee_bps: turnover.break_even_fee_bps(gross_profit),
            verdict_fee_bps,
            verdict_bps: bps(net(verdict_fee_bps)),
            by_fee,
            drawdown_max: drawdowns(&table.profit).fold(0.0, f64::max),
            profit_bps: Quantiles::of(profits_bps(table).collect()),
            held_updates: Quantiles::of(held.collect()),
            held_s: Quantiles::of(held_s),
            sold_in_part: table.unsold_volume.iter().filter(|&&volume| volume > 0.0).count() as u64,
            held_across_gaps: HeldAcrossGaps::of(table),
            took_again: taken_again(table),
            below_lot: None,
            interval,
            finding: doubted(finding(trades, interval), table, fee_bps, None, threads),
            tenths: tenths(table),
            hours: hours(table),
        }
    }

    /// With what bought less than `lot`, the product's, base currency.
    #[must_use]
    pub fn with_lot(self, table: &TradeTable, lot: Option<f64>) -> Self {
        self.with_lot_on(table, lot, all_cores())
    }

    fn with_lot_on(self, table: &TradeTable, lot: Option<f64>, threads: usize) -> Self {
        let finding = doubted(self.finding, table, self.fee_bps, lot, threads);
        Self { below_lot: lot.map(|lot| below_a_lot(table, lot)), finding, ..self }
    }
}

fn all_cores() -> usize {
    thread::available_parallelism().map_or(1, Into::into)
}

/// Each trade's profit over the amount bought, basis points.
pub fn profits_bps(table: &TradeTable) -> impl Iterator<Item = f64> {
    table.profit.iter().zip(&table.bought).map(|(profit, bought)| 1e4 * profit / bought)
}

/// How far the sum of profits lies below its highest point, 0 included, after each trade.
pub fn drawdowns(profits: &[f64]) -> impl Iterator<Item = f64> {
    profits.iter().scan((0.0, 0.0_f64), |(sum, highest), profit| {
        *sum += profit;
        *highest = highest.max(*sum);
        Some(*highest - *sum)
    })
}

/// A finding that no trade gives doubts of: a gain that is none without the doubtful trades is in doubt.
fn doubted(finding: Finding, table: &TradeTable, fee_bps: f64, lot: Option<f64>, threads: usize) -> Finding {
    if finding != Finding::Gain {
        return finding;
    }
    let others = table.only(|at| !is_doubtful(table, at, lot));
    // Of a table without doubtful trades there is no further one.
    match others.len() == table.len() || TradeNumbers::of_trades(&others, fee_bps, threads).finding == Finding::Gain {
        true => Finding::Gain,
        false => Finding::GainInDoubt,
    }
}

fn finding(trades: u64, interval: Option<BlockInterval>) -> Finding {
    let known = interval.and_then(|interval| Some((interval.gross_bps?, interval.verdict_bps?)));
    match known {
        _ if trades == 0 => Finding::NoTrades,
        Some(_) if trades < TRADES_MIN => Finding::TooFew,
        None => Finding::TooFew,
        Some((_, verdict)) if verdict.low > 0.0 => Finding::Gain,
        Some((gross, _)) if gross.low > 0.0 => Finding::GainBeforeFeesOnly,
        Some((_, verdict)) if verdict.high < 0.0 => Finding::Loss,
        Some(_) => Finding::Undecided,
    }
}

/// What the purchases of a cell come to: profit, amounts bought and sold.
#[derive(Clone, Copy, Debug, Default)]
struct CellSums {
    profit: f64,
    turnover: Turnover,
}

impl CellSums {
    fn add_times(&mut self, other: &Self, times: f64) {
        self.profit += other.profit * times;
        self.turnover.bought += other.turnover.bought * times;
        self.turnover.sold += other.turnover.sold * times;
    }

    /// Gross profit, and net profit at the verdict's fee and at the run's, in basis points of what was bought; NaN where nothing was.
    fn bps(&self, fee_bps: f64) -> [f64; 3] {
        [self.profit, self.turnover.net(self.profit, verdict_fee_bps(fee_bps)), self.turnover.net(self.profit, fee_bps)]
            .map(|profit| self.turnover.over_bought_bps(profit).unwrap_or(f64::NAN))
    }
}

/// `None` without trades.
fn block_interval(table: &TradeTable, fee_bps: f64, held_s: Vec<f64>, threads: usize) -> Option<BlockInterval> {
    let times_ns = table.buy_ts_recv_ns.iter().map(|&ts_recv_ns| (0, ts_recv_ns));
    let cells = Cells::new(times_ns, Reach::of(held_s)?.shortest_block_s());
    let mut by_cell = vec![CellSums::default(); cells.count];
    for (at, &cell) in cells.of_row.iter().enumerate() {
        let turnover = Turnover { bought: table.bought[at], sold: table.sold[at] };
        by_cell[cell as usize].add_times(&CellSums { profit: table.profit[at], turnover }, 1.0);
    }
    let net = |sums: &CellSums| (sums.turnover.net(sums.profit, fee_bps), sums.turnover.bought);
    let cells = cells.chosen(&[residuals(by_cell.iter().map(net))]);
    let blocks = cells.blocks_with(|cell| by_cell[cell].turnover.bought > 0.0);
    let settings = BootstrapSettings { block_s: Some(cells.block_s()), replicates: REPLICATES, seed: SEED };
    let over = |times: &[u32]| {
        let mut sums = CellSums::default();
        for (cell, &times) in by_cell.iter().zip(times).filter(|&(_, &times)| times > 0) {
            sums.add_times(cell, f64::from(times));
        }
        sums.bps(fee_bps)
    };
    let resampled = resample(&cells, settings, threads, over);
    let figures = over(&vec![1; cells.count]);
    let of = |which: usize| interval(figures[which], resampled.iter().map(|bps| bps[which]).collect(), blocks);
    Some(BlockInterval { blocks, settings, gross_bps: of(0), verdict_bps: of(1), net_bps: of(2) })
}

fn tenths(table: &TradeTable) -> Vec<Tenth> {
    let (Some(&first), Some(&last)) = (table.buy_sequence.iter().min(), table.sell_sequence.iter().max()) else {
        return Vec::new();
    };
    let span = u128::from(last - first) + 1;
    let mut tenths: Vec<Tenth> = (0..10_u128)
        // The first number whose tenth this is.
        .map(|tenth| Tenth {
            from_sequence: first.saturating_add((tenth * span).div_ceil(10) as u64),
            ..Tenth::default()
        })
        .collect();
    for (&sell, &profit) in table.sell_sequence.iter().zip(&table.profit) {
        let tenth = &mut tenths[(u128::from(sell - first) * 10 / span) as usize];
        tenth.trades += 1;
        tenth.winners += u64::from(profit > 0.0);
        tenth.profit += profit;
    }
    tenths
}

fn hours(table: &TradeTable) -> Vec<Hour> {
    let (Some(&first), Some(&last)) = (table.buy_ts_recv_ns.iter().min(), table.sell_ts_recv_ns.iter().max()) else {
        return Vec::new();
    };
    let span = last.saturating_sub(first);
    if !table.is_in_time() || !HOURS.contains(&(span / HOUR_NS)) {
        return Vec::new();
    }
    let mut hours: Vec<Hour> = (0..=(span / HOUR_NS) as u64).map(|hour| Hour { hour, ..Hour::default() }).collect();
    for (&sell, &profit) in table.sell_ts_recv_ns.iter().zip(&table.profit) {
        // A sale before the first purchase needs a clock that went back.
        let hour = &mut hours[(sell.saturating_sub(first).max(0) / HOUR_NS) as usize];
        hour.trades += 1;
        hour.winners += u64::from(profit > 0.0);
        hour.profit += profit;
    }
    hours
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::blocks::BLOCKS_MIN;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    /// Trades of 100, a purchase every `every_s` seconds, held for a second and ten updates.
    fn table(profits: &[f64], every_s: f64) -> TradeTable {
        let count = profits.len() as u64;
        let at = |n: u64, held_s: f64| ((n as f64 * every_s + held_s) * 1e9) as i64;
        TradeTable {
            buy_sequence: (0..count).map(|n| n * 10).collect(),
            sell_sequence: (0..count).map(|n| n * 10 + 10).collect(),
            bought: vec![100.0; profits.len()],
            sold: profits.iter().map(|profit| 100.0 + profit).collect(),
            profit: profits.to_vec(),
            buy_ts_recv_ns: (0..count).map(|n| at(n, 0.0)).collect(),
            sell_ts_recv_ns: (0..count).map(|n| at(n, 1.0)).collect(),
            ..TradeTable::default()
        }
    }

    /// Independent profits of this mean, uniform over a width of 6.
    fn noisy(seed: u64, mean: f64, count: usize) -> Vec<f64> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let unit = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        std::iter::repeat_with(unit).map(|unit| mean + 6.0 * (unit - 0.5)).take(count).collect()
    }

    #[test]
    fn sums_by_hand() {
        let numbers = TradeNumbers::of(&table(&[1.0, -3.0, 1.0, 2.0], 1.0), 2.0);
        assert_eq!((numbers.trades, numbers.winners, numbers.losers, numbers.win_rate), (4, 3, 1, Some(0.75)));
        assert_eq!((numbers.verdict_fee_bps, numbers.verdict_bps), (2.0, numbers.net_bps));
        assert_eq!((numbers.gross_profit, numbers.gross_bps), (1.0, Some(25.0)));
        assert_eq!(numbers.net_profit, 1.0 - 2.0 / 1e4 * 801.0);
        assert!((numbers.break_even_fee_bps.unwrap() - 1e4 / 801.0).abs() < 1e-12);
        assert_eq!(numbers.drawdown_max, 3.0);
        assert_eq!(
            numbers.by_fee.iter().map(|row| row.fee_bps).collect::<Vec<_>>(),
            [0.0, 0.5, 1.0, 2.0, 2.5, 10.0, 60.0]
        );
        assert_eq!(numbers.finding, Finding::TooFew);
        let [held, updates] = [numbers.held_s, numbers.held_updates].map(Option::unwrap);
        assert_eq!((held.min, held.max, updates.p50), (1.0, 1.0, 10.0));
        // Sequence numbers 0 to 40: a tenth is 4.1 of them.
        let trades: Vec<u64> = numbers.tenths.iter().map(|tenth| tenth.trades).collect();
        assert_eq!(trades, [0, 0, 1, 0, 1, 0, 0, 1, 0, 1]);
        assert_eq!(numbers.tenths[9].from_sequence, 37);
        assert!(numbers.hours.is_empty());
    }

    #[test]
    fn nothing_has_no_figures() {
        let numbers = TradeNumbers::of(&TradeTable::default(), 1.0);
        assert_eq!((numbers.finding, numbers.win_rate, numbers.gross_bps), (Finding::NoTrades, None, None));
        assert!(numbers.tenths.is_empty() && numbers.profit_bps.is_none() && numbers.interval.is_none());
    }

    #[test]
    fn findings_follow_the_interval() {
        let noisy = |mean: f64| noisy(1, mean, 500);
        for (mean, finding) in [(0.5, Finding::Gain), (-0.5, Finding::Loss), (0.0, Finding::Undecided)] {
            assert_eq!(TradeNumbers::of(&table(&noisy(mean), 1.0), 0.0).finding, finding, "{mean}");
        }
        // 0.5 of 100 is 50 bp. A gain before fees is none at a fee that takes more.
        assert_eq!(TradeNumbers::of(&table(&noisy(0.5), 1.0), 60.0).finding, Finding::GainBeforeFeesOnly);
        assert_eq!(TradeNumbers::of(&table(&noisy(0.5), 1.0), 10.0).finding, Finding::Gain);
        assert_eq!(TradeNumbers::of(&table(&noisy(0.0), 1.0), 60.0).finding, Finding::Loss);
        // Many trades in no time, few in much.
        let numbers = TradeNumbers::of(&table(&noisy(0.5), 0.38), 0.0);
        assert_eq!((numbers.finding, numbers.interval.unwrap().blocks), (Finding::TooFew, BLOCKS_MIN - 1));
        assert_eq!(TradeNumbers::of(&table(&noisy(0.5), 0.41), 0.0).finding, Finding::Gain);
        assert_eq!(
            TradeNumbers::of(&table(&noisy(0.5)[..TRADES_MIN as usize - 1], 60.0), 0.0).finding,
            Finding::TooFew
        );
    }

    /// A demo's minute of trades held for a tenth of a second has blocks enough, and a log that alternates between long gains
    /// and long losses has not.
    #[test]
    fn blocks_follow_holding_times_and_dependence() {
        let held = |profits: &[f64], held_ns: i64| {
            let mut table = table(profits, 0.1);
            table.sell_ts_recv_ns = table.buy_ts_recv_ns.iter().map(|buy_ns| buy_ns + held_ns).collect();
            TradeNumbers::of(&table, 0.0)
        };
        let interval = held(&noisy(1, 0.0, 600), 100_000_000).interval.unwrap();
        assert_eq!(interval.blocks, 50);
        assert!((interval.settings.block_s.unwrap() - 1.2).abs() < 1e-9);
        let noise = noisy(1, 0.0, 600).into_iter().zip(0..);
        let waves: Vec<f64> = noise.map(|(noise, n)| f64::from(n / 60 % 2) + 0.1 * noise).collect();
        let numbers = held(&waves, 100_000_000);
        assert_eq!(numbers.finding, Finding::TooFew);
        assert!(numbers.interval.unwrap().blocks < 10 && numbers.gross_bps.unwrap() > 0.0);
    }

    /// 1,000 logs of 200 trades in 51 s, none with an edge: the interval of one in twenty lies beside it.
    #[test]
    fn logs_without_an_edge_have_no_verdict() {
        let mut verdicts = 0;
        for log in 0..1_000 {
            let mut buys_ns: Vec<i64> = noisy(log, 3.0, 200).into_iter().map(|at| (at / 6.0 * 51e9) as i64).collect();
            buys_ns.sort_unstable();
            let profits = noisy(1_000_000 + log, 0.0, 200);
            let sells_ns = buys_ns.iter().map(|buy_ns| buy_ns + 100_000_000).collect();
            let table = TradeTable { buy_ts_recv_ns: buys_ns, sell_ts_recv_ns: sells_ns, ..table(&profits, 1.0) };
            let interval = TradeNumbers::of(&table, 0.0).interval.unwrap();
            assert_eq!(interval.gross_bps.is_some(), interval.blocks >= BLOCKS_MIN);
            verdicts += u32::from(interval.gross_bps.is_some_and(|gross| gross.low > 0.0 || gross.high < 0.0));
        }
        assert!((35..=65).contains(&verdicts), "{verdicts} of 1000");
    }

    #[test]
    fn what_loses_at_the_lowest_published_fee_is_no_gain() {
        // 0.6 bp a trade, the two sides' lowest fees are 1 bp.
        let profits: Vec<f64> = noisy(1, 0.0, 500).into_iter().map(|noise| 0.006 + 1e-3 * noise).collect();
        for fee_bps in [0.0, -2.0, 0.1] {
            let numbers = TradeNumbers::of(&table(&profits, 1.0), fee_bps);
            assert_eq!((numbers.finding, numbers.verdict_fee_bps), (Finding::GainBeforeFeesOnly, LOWEST_TAKER_FEE_BPS));
            let interval = numbers.interval.unwrap();
            // Said as it was computed, whatever the verdict.
            assert!(interval.net_bps.unwrap().low > 0.0 && interval.verdict_bps.unwrap().high < 0.0);
        }
        assert_eq!(
            TradeNumbers::of(&table(&profits.iter().map(|profit| 2.0 * profit).collect::<Vec<_>>(), 1.0), 0.0).finding,
            Finding::Gain
        );
    }

    #[test]
    fn a_gain_must_not_hang_on_trades_that_no_market_would_have_made() {
        // A fifth of the trades wins what the others lose.
        let luck = noisy(2, 0.0, 500);
        let lucky = |at: usize| luck[at] > 1.8;
        let mut log = TradeTable { volume: vec![1.0; 500], ..table(&noisy(1, 0.5, 500), 1.0) };
        (0..500).filter(|&at| !lucky(at)).for_each(|at| log.profit[at] -= 1.0);
        (0..500).filter(|&at| lucky(at)).for_each(|at| log.profit[at] += 9.0);
        let with = |change: fn(&mut TradeTable, Vec<f64>), lot| {
            let mut log = log.clone();
            change(&mut log, (0..500).map(|at| f64::from(u8::from(lucky(at)))).collect());
            TradeNumbers::of(&log, 0.0).with_lot(&log, lot).finding
        };
        assert_eq!(with(|_, _| {}, Some(0.001)), Finding::Gain);
        assert_eq!(with(|log, doubts| log.buy_volume_taken_again = doubts, None), Finding::GainInDoubt);
        assert_eq!(with(|log, doubts| log.sell_volume_taken_again = doubts, None), Finding::GainInDoubt);
        let late =
            |log: &mut TradeTable, doubts: Vec<f64>| log.updates_late = doubts.into_iter().map(|n| n as u64).collect();
        assert_eq!(with(late, None), Finding::GainInDoubt);
        assert_eq!(with(|_, _| {}, Some(1e9)), Finding::GainInDoubt);
        // Doubts of trades on which it does not hang.
        let others = |log: &mut TradeTable, doubts: Vec<f64>| {
            log.sell_volume_taken_again = doubts.into_iter().map(|doubt| 1.0 - doubt).collect();
        };
        assert_eq!(with(others, None), Finding::Gain);
    }

    #[test]
    fn nothing_won_is_nothing_lost() {
        let numbers = TradeNumbers::of(&table(&[0.0, 0.1, 0.2, -0.3, 0.0], 1.0), 0.0);
        assert_eq!((numbers.winners, numbers.losers, numbers.trades), (2, 1, 5));
        // 0.1 + 0.2 − 0.3 is 5.6e-17.
        assert_eq!((numbers.gross_profit, numbers.break_even_fee_bps), (0.0, Some(0.0)));
    }

    #[test]
    fn long_runs_have_hours() {
        let numbers = TradeNumbers::of(&table(&[1.0, -1.0, 2.0], 3_600.0), 0.0);
        let hours: Vec<(u64, u64, f64)> =
            numbers.hours.iter().map(|hour| (hour.hour, hour.trades, hour.profit)).collect();
        assert_eq!(hours, [(0, 1, 1.0), (1, 1, -1.0), (2, 1, 2.0)]);
        // A clock that jumps by years.
        assert!(TradeNumbers::of(&table(&[1.0, 1.0], 1e9), 0.0).hours.is_empty());
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let quantiles = Quantiles::of((1..=10).rev().map(f64::from).collect()).unwrap();
        assert_eq!((quantiles.min, quantiles.p5, quantiles.p25, quantiles.p50), (1.0, 1.0, 3.0, 5.0));
        assert_eq!((quantiles.p75, quantiles.p95, quantiles.max), (8.0, 10.0, 10.0));
        assert_eq!(Quantiles::of(Vec::new()), None);
    }
}
