//! What the logs of executions come to. `simulations/README.md` gives the formulas.

use super::logs::{AccountLogs, Logs};
use super::records::{Account, Leg, Order, Outcome, Purpose, REASONS};
use super::shortfall::Shortfalls;
use crate::execution::fees::Liquidity;
use crate::execution::fill::settled;
use crate::results::trades::{drawdowns, go_forward};
use crate::statistics::blocks::{Cells, Reach, residuals};
use crate::statistics::bootstrap::{BootstrapSettings, Interval, interval, resample};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::thread;

const REPLICATES: u32 = 1_000;
const SEED: u64 = 1;
/// Updates after the decision at which the mid is looked at.
pub const MARKOUT_UPDATES: [u32; 4] = [1, 5, 20, 100];

/// How often orders ended one way for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// Why; empty for what was filled.
    pub reason: &'static str,
    /// How often entries did.
    pub entries: u64,
    /// How often exits did.
    pub exits: u64,
}

/// Counts of orders.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OrderCounts {
    /// All.
    pub sent: u64,
    /// Filled whole.
    pub filled: u64,
    /// Withdrawn.
    pub cancelled: u64,
    /// Those of them of which a part was filled.
    pub cancelled_in_part: u64,
    /// Never in the book.
    pub refused: u64,
    /// By outcome and reason, what there was.
    pub ended: Vec<Ended>,
}

/// How long entries waited until they were filled whole, from their arrival; seconds, nearest rank.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FillTimes {
    /// Half waited no longer.
    pub p50: f64,
    /// Nine in ten waited no longer.
    pub p90: f64,
}

/// 95 % intervals by the circular block bootstrap over the decisions' receive times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NetInterval {
    /// Blocks with entered legs that the legs' time holds side by side.
    pub blocks: usize,
    /// Length of a block as it was chosen, number of resamples, seed.
    pub settings: BootstrapSettings,
    /// Of the gross profit, basis points of the value that has been exited.
    pub gross_bps: Option<Interval>,
    /// Of the net profit, basis points of the same.
    pub net_bps: Option<Interval>,
}

/// What is held at the end of the run on one side; in no profit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Open {
    /// Legs.
    pub legs: u64,
    /// What the open part was entered for.
    pub entry_value: f64,
    /// Worth at the mid; `None` where a leg has none, as without a live book.
    pub mark_mid: Option<f64>,
    /// Worth by walking the book.
    pub mark_walk: Option<f64>,
}

/// Where the mid went, in basis points of the decision's mid towards the order's side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Drift {
    /// Entries of which it is known.
    pub count: u64,
    /// Their mean; `None` without any.
    pub mean_bps: Option<f64>,
}

/// The same so many updates later, by what became of the entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MarkoutNumbers {
    /// Updates after the decision.
    pub updates: u32,
    /// Of entries of which something was filled.
    pub filled: Drift,
    /// Of the others.
    pub unfilled: Drift,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountNumbers {
    /// Which.
    pub account: Account,
    /// Decisions that were acted on.
    pub legs: u64,
    /// Those of them that entered something.
    pub entered_legs: u64,
    /// Those that are open at the end.
    pub open_legs: u64,
    /// Orders.
    pub orders: OrderCounts,
    /// Entries sent; of a maker those that it posted.
    pub entries: u64,
    /// Entries filled whole.
    pub entries_filled: u64,
    /// The second over the first.
    pub fill_rate: Option<f64>,
    /// How long the filled waited.
    pub time_to_fill_s: Option<FillTimes>,
    /// Money that entries came to.
    pub entered_value: f64,
    /// The part of it that has been exited: what basis points are of.
    pub closed_value: f64,
    /// Realised profit before fees.
    pub gross: f64,
    /// Over the value that has been exited, basis points.
    pub gross_bps: Option<f64>,
    /// Fees of all fills.
    pub fees: f64,
    /// Gross less all fees.
    pub net: f64,
    /// Gross less the fees of what has been exited, over the value of that, basis points.
    pub net_bps: Option<f64>,
    /// How sure that is; `None` without legs or with receive times that go back.
    pub interval: Option<NetInterval>,
    /// Value of the fills that rested, of what has been exited.
    pub maker_value: f64,
    /// Value of the fills that took, of the same.
    pub taker_value: f64,
    /// The maker fee at which nothing is left where takers pay nothing, basis points; `None` without such fills.
    pub break_even_maker_bps: Option<f64>,
    /// The taker fee at which nothing is left where makers pay nothing, basis points; `None` without such fills.
    pub break_even_taker_bps: Option<f64>,
    /// The deepest fall of the cumulative net of the legs, which begins at 0, below its highest point before.
    pub drawdown_max: f64,
    /// What is still held long.
    pub open_long: Open,
    /// What is still held short.
    pub open_short: Open,
    /// Against the mid at the decision.
    pub shortfall: Shortfalls,
    /// Where the mid went after entries.
    pub markouts: Vec<MarkoutNumbers>,
}

/// Least and greatest over the models of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bracket {
    /// The worst account's.
    pub low: f64,
    /// The best account's.
    pub high: f64,
}

/// The maker's accounts together: what really would have happened lies between them, or near.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Makers {
    /// Net profit.
    pub net: Bracket,
    /// Over the value that has been exited, basis points; `None` where an account exited nothing.
    pub net_bps: Option<Bracket>,
    /// From the lowest to the highest end of their intervals; `None` where an account has none.
    pub net_bps_interval: Option<Interval>,
}

/// The report's numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExecutionNumbers {
    /// Accounts with orders, in their order.
    pub accounts: Vec<AccountNumbers>,
    /// The maker's together.
    pub makers: Option<Makers>,
}

/// A sum that begins at 0, where `sum` begins at −0.
fn total(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

fn over(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

impl ExecutionNumbers {
    /// Of the logs.
    pub fn of(logs: &Logs) -> Self {
        let is_there = |account: &Account| {
            let AccountLogs { orders, legs, .. } = logs.of(*account);
            !orders.is_empty() || !legs.is_empty()
        };
        let threads = thread::available_parallelism().map_or(1, Into::into);
        let there = Account::ALL.into_iter().filter(is_there);
        let accounts: Vec<AccountNumbers> =
            there.map(|account| AccountNumbers::of_on(logs, account, threads)).collect();
        let makers = Makers::of(&accounts);
        Self { accounts, makers }
    }

    /// Which accounts only rebates left with a gain, in a sentence.
    pub fn rebates_alone(&self) -> Option<String> {
        let so = self.accounts.iter().filter(|account| account.net > 0.0 && account.gross <= 0.0);
        let names: Vec<&str> = so.map(|account| account.account.name()).collect();
        (!names.is_empty())
            .then(|| format!("Rebates alone make the net of {} a gain: before fees it won nothing.", names.join(", ")))
    }

    /// One account's.
    pub fn account(&self, account: Account) -> Option<&AccountNumbers> {
        self.accounts.iter().find(|numbers| numbers.account == account)
    }
}

impl Makers {
    fn of(accounts: &[AccountNumbers]) -> Option<Self> {
        let makers: Vec<&AccountNumbers> = accounts.iter().filter(|numbers| numbers.account.is_maker()).collect();
        let bracket = |values: &mut dyn Iterator<Item = f64>| {
            let (low, high) =
                values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (value.min(low), value.max(high)));
            Bracket { low, high }
        };
        if makers.is_empty() {
            return None;
        }
        let bps: Option<Vec<f64>> = makers.iter().map(|numbers| numbers.net_bps).collect();
        let intervals: Option<Vec<Interval>> = makers.iter().map(|numbers| numbers.interval?.net_bps).collect();
        let net_bps_interval = intervals.map(|all| {
            let Bracket { low, .. } = bracket(&mut all.iter().map(|interval| interval.low));
            let Bracket { high, .. } = bracket(&mut all.iter().map(|interval| interval.high));
            Interval { low, high }
        });
        Some(Self {
            net: bracket(&mut makers.iter().map(|numbers| numbers.net)),
            net_bps: bps.map(|bps| bracket(&mut bps.into_iter())),
            net_bps_interval,
        })
    }
}

impl AccountNumbers {
    /// Of an account's logs, on up to `threads` threads. They change nothing of it.
    pub fn of_on(logs: &Logs, account: Account, threads: usize) -> Self {
        let of = logs.of(account);
        let sum = |part: fn(&Leg) -> f64| total(of.legs.iter().map(part));
        let entered_value = sum(|leg| leg.entry_value);
        let gross = settled(sum(|leg| leg.profit), entered_value);
        let fees = sum(|leg| leg.entry_fee + leg.exit_fee);
        let net = gross - fees;
        let closed_value = sum(Leg::closed_value);
        let open: HashMap<u64, f64> =
            of.legs.iter().filter(|leg| leg.open_volume > 0.0).map(|leg| (leg.leg, leg.closed_share())).collect();
        let value = |liquidity: Liquidity| {
            total(of.fills.iter().filter(|fill| fill.liquidity == liquidity).map(|fill| {
                let order = &of.orders[fill.order];
                let open = open.get(&order.leg).filter(|_| order.purpose == Purpose::Entry);
                fill.value * open.unwrap_or(&1.0)
            }))
        };
        let (maker_value, taker_value) = (value(Liquidity::Maker), value(Liquidity::Taker));
        let nets: Vec<f64> = of.legs.iter().map(|leg| leg.net).collect();
        // What a maker takes of an entry that nobody filled is a second order of its leg.
        let is_entry = |order: &&Order| order.purpose == Purpose::Entry && order.posts == account.is_maker();
        let entries = of.orders.iter().filter(is_entry);
        let filled: Vec<&Order> = entries.clone().filter(|order| order.outcome == Outcome::Filled).collect();
        let (entries, entries_filled) = (entries.count() as u64, filled.len() as u64);
        Self {
            account,
            legs: of.legs.len() as u64,
            entered_legs: of.legs.iter().filter(|leg| leg.entered_volume > 0.0).count() as u64,
            open_legs: of.legs.iter().filter(|leg| leg.open_volume > 0.0).count() as u64,
            orders: OrderCounts::of(&of.orders),
            entries,
            entries_filled,
            fill_rate: over(entries_filled as f64, entries as f64),
            time_to_fill_s: FillTimes::of(&filled),
            entered_value,
            closed_value,
            gross,
            gross_bps: over(1e4 * gross, closed_value),
            fees,
            net,
            net_bps: over(1e4 * settled(sum(Leg::closed_net), closed_value), closed_value),
            interval: net_interval(&of.legs, threads),
            maker_value,
            taker_value,
            break_even_maker_bps: over(1e4 * gross, maker_value),
            break_even_taker_bps: over(1e4 * gross, taker_value),
            drawdown_max: drawdowns(&nets).fold(0.0, f64::max),
            open_long: Open::of(&of.legs, true),
            open_short: Open::of(&of.legs, false),
            shortfall: Shortfalls::of(logs, account),
            markouts: markouts(of),
        }
    }

    /// The maker fee that leaves nothing at a taker fee, basis points: the break-even line. `None` where no fill rested.
    pub fn break_even_maker_bps_at(&self, taker_bps: f64) -> Option<f64> {
        over(1e4 * self.gross - taker_bps * self.taker_value, self.maker_value)
    }
}

impl OrderCounts {
    fn of(orders: &[Order]) -> Self {
        let count = |outcome| orders.iter().filter(|order| order.outcome == outcome).count() as u64;
        let mut ended: BTreeMap<(Outcome, usize), [u64; 2]> = BTreeMap::new();
        for order in orders {
            let counts = ended.entry((order.outcome, order.reason)).or_default();
            counts[usize::from(order.purpose == Purpose::Exit)] += 1;
        }
        let in_part = |order: &&Order| order.outcome == Outcome::Cancelled && order.filled_volume > 0.0;
        Self {
            sent: orders.len() as u64,
            filled: count(Outcome::Filled),
            cancelled: count(Outcome::Cancelled),
            cancelled_in_part: orders.iter().filter(in_part).count() as u64,
            refused: count(Outcome::Refused),
            ended: ended
                .into_iter()
                .map(|((outcome, reason), [entries, exits])| Ended { outcome, reason: REASONS[reason], entries, exits })
                .collect(),
        }
    }
}

impl FillTimes {
    fn of(filled: &[&Order]) -> Option<Self> {
        let waited = |order: &&Order| Some(order.ended_ts_ns.saturating_sub(order.arrived_ts_ns?).max(0) as f64 / 1e9);
        let mut waited: Vec<f64> = filled.iter().filter_map(waited).collect();
        waited.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| waited[((share * waited.len() as f64).ceil() as usize).clamp(1, waited.len()) - 1];
        (!waited.is_empty()).then(|| Self { p50: at(0.5), p90: at(0.9) })
    }
}

impl Open {
    fn of(legs: &[Leg], is_long: bool) -> Self {
        let open = legs.iter().filter(|leg| leg.is_long == is_long && leg.open_volume > 0.0);
        let marks = |mark: fn(&Leg) -> Option<f64>| open.clone().map(mark).sum::<Option<f64>>();
        let count = open.clone().count() as u64;
        Self {
            legs: count,
            entry_value: total(open.clone().map(|leg| leg.entry_value * leg.open_volume / leg.entered_volume)),
            mark_mid: marks(|leg| leg.open_mark_mid).filter(|_| count > 0),
            mark_walk: marks(|leg| leg.open_mark_walk).filter(|_| count > 0),
        }
    }
}

fn markouts(logs: &AccountLogs) -> Vec<MarkoutNumbers> {
    let number = |(at, updates): (usize, u32)| {
        // Count and sum, of the unfilled and of the filled.
        let mut sums = [(0_u64, 0.0); 2];
        for markout in &logs.markouts {
            let order = &logs.orders[markout.order];
            let Some((mid, from)) = markout.mids[at].zip(order.leg_mid) else { continue };
            let (count, sum) = &mut sums[usize::from(order.filled_volume > 0.0)];
            *count += 1;
            *sum += if order.buys { 1e4 * (mid / from - 1.0) } else { -1e4 * (mid / from - 1.0) };
        }
        let [unfilled, filled] =
            sums.map(|(count, sum)| Drift { count, mean_bps: (count > 0).then(|| sum / count as f64) });
        MarkoutNumbers { updates, filled, unfilled }
    };
    MARKOUT_UPDATES.into_iter().enumerate().map(number).collect()
}

/// What the legs decided in a cell come to.
#[derive(Clone, Copy, Debug, Default)]
struct CellSums {
    gross: f64,
    net: f64,
    closed: f64,
}

impl CellSums {
    fn add_times(&mut self, other: &Self, times: f64) {
        self.gross += other.gross * times;
        self.net += other.net * times;
        self.closed += other.closed * times;
    }

    /// Basis points of the value that has been exited; NaN where nothing was.
    fn bps(&self) -> [f64; 2] {
        [self.gross, self.net].map(|profit| over(1e4 * profit, self.closed).unwrap_or(f64::NAN))
    }
}

/// As the interval of trades: blocks over the decisions' receive times. `None` without legs that exited something.
fn net_interval(legs: &[Leg], threads: usize) -> Option<NetInterval> {
    let mut entered: Vec<&Leg> = legs.iter().filter(|leg| leg.closed_value() > 0.0).collect();
    entered.sort_by_key(|leg| (leg.decided_sequence, leg.leg));
    let times_ns: Vec<i64> = entered.iter().map(|leg| leg.decided_ts_recv_ns).collect();
    if !go_forward(&times_ns) {
        return None;
    }
    let held_s = |leg: &&Leg| {
        let closed_ts_ns = leg.closed_ts_ns?;
        Some(closed_ts_ns.saturating_sub(leg.decided_ts_recv_ns).max(0) as f64 / 1e9)
    };
    let reach = Reach::of(entered.iter().filter_map(held_s).collect())?;
    let cells = Cells::new(times_ns.into_iter().map(|ts_recv_ns| (0, ts_recv_ns)), reach.shortest_block_s());
    let mut by_cell = vec![CellSums::default(); cells.count];
    for (leg, &cell) in entered.iter().zip(&cells.of_row) {
        let sums = CellSums { gross: leg.profit, net: leg.closed_net(), closed: leg.closed_value() };
        by_cell[cell as usize].add_times(&sums, 1.0);
    }
    let cells = cells.chosen(&[residuals(by_cell.iter().map(|sums| (sums.net, sums.closed)))]);
    let blocks = cells.blocks_with(|cell| by_cell[cell].closed > 0.0);
    let settings = BootstrapSettings { block_s: Some(cells.block_s()), replicates: REPLICATES, seed: SEED };
    let over = |times: &[u32]| {
        let mut sums = CellSums::default();
        for (cell, &times) in by_cell.iter().zip(times).filter(|&(_, &times)| times > 0) {
            sums.add_times(cell, f64::from(times));
        }
        sums.bps()
    };
    let resampled = resample(&cells, settings, threads, over);
    let figures = over(&vec![1; cells.count]);
    let of = |which: usize| interval(figures[which], resampled.iter().map(|bps| bps[which]).collect(), blocks);
    Some(NetInterval { blocks, settings, gross_bps: of(0), net_bps: of(1) })
}
