//! The four logs of a run's executions, read and held against each other.

use super::ExecutionsError;
use super::reader::{BadRow, Row, read};
use super::records::{Account, Fill, Leg, Markout, Order, Outcome, Purpose, REASONS};
use crate::execution::fees::Liquidity;
use crate::run::execution_logs::COLUMNS;
use crate::run::files::execution_logs;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

/// Sums and products that are equal but for rounding differ by less, as a share of the money or volume that they are of.
const ROUNDING: f64 = 1e-9;
/// The same of one difference of two values, which is written as it was computed.
const ROUNDING_ONCE: f64 = 1e-11;

/// What one account did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountLogs {
    /// In the order of their ends.
    pub orders: Vec<Order>,
    places: HashMap<u64, usize>,
    /// In the order of the log.
    pub fills: Vec<Fill>,
    /// In the order of the log.
    pub markouts: Vec<Markout>,
    /// In the order in which they were closed.
    pub legs: Vec<Leg>,
    known_legs: HashSet<u64>,
}

/// What all accounts did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logs {
    /// By [`Account::ALL`].
    accounts: [AccountLogs; 4],
    /// Whether a gain is one where the value falls: contracts of a fixed amount of quote currency. `None` where no leg tells.
    pub inverse: Option<bool>,
    /// Logs whose last row was cut, with its line.
    pub cut: Vec<(PathBuf, u64)>,
    /// Fills and markouts left out because the run was killed before their orders had ended or were on disk.
    pub left_out: u64,
    /// Whether the run was killed: it has an interval log, but not what is written at its end.
    was_killed: bool,
}

fn account(row: &mut Row<'_>) -> Result<usize, BadRow> {
    let words = [("taker", 0), ("maker-through", 1), ("maker-queue", 2), ("maker-touch", 3)];
    row.word(&words, "taker, maker-through, maker-queue or maker-touch")
}

fn purpose(row: &mut Row<'_>) -> Result<Purpose, BadRow> {
    row.word(&[("entry", Purpose::Entry), ("exit", Purpose::Exit)], "entry or exit")
}

fn buys(row: &mut Row<'_>) -> Result<bool, BadRow> {
    row.word(&[("buy", true), ("sell", false)], "buy or sell")
}

fn bad(what: impl Into<String>) -> BadRow {
    BadRow::Row(what.into())
}

/// Whether two numbers are the same but for rounding, at the size of what they are computed from.
fn is_same(one: f64, other: f64, size: f64) -> bool {
    (one - other).abs() <= ROUNDING * size.max(f64::MIN_POSITIVE)
}

fn mid(bid: Option<f64>, ask: Option<f64>) -> Option<f64> {
    bid.zip(ask).map(|(bid, ask)| (bid + ask) / 2.0)
}

impl Logs {
    /// The logs beside a trade log, by their endings.
    pub fn paths(csv: &Path) -> [PathBuf; 4] {
        execution_logs(csv, "csv")
    }

    /// Reads the logs beside a trade log; `None` where there is none of them.
    ///
    /// # Errors
    /// One of them is missing or holds what no run writes.
    pub fn read(csv: &Path) -> Result<Option<Self>, ExecutionsError> {
        let paths = Self::paths(csv);
        let Some(there) = paths.iter().find(|path| path.exists()) else { return Ok(None) };
        if let Some(missing) = paths.iter().find(|path| !path.exists()) {
            return Err(ExecutionsError::Missing { path: missing.clone(), beside: there.clone() });
        }
        let open =
            |path: &PathBuf| File::open(path).map_err(|source| ExecutionsError::Read { path: path.clone(), source });
        let [orders, fills, markouts, legs] = &paths;
        Self::read_from(csv, [open(orders)?, open(fills)?, open(markouts)?, open(legs)?]).map(Some)
    }

    /// The same from what lies in the files, in the order of [`Logs::paths`], which errors name.
    ///
    /// # Errors
    /// They hold what no run writes.
    pub fn read_from<R: Read + Seek>(csv: &Path, files: [R; 4]) -> Result<Self, ExecutionsError> {
        let was_killed = csv.with_extension("hlog").exists() && !csv.with_extension("hgrm").exists();
        let mut logs = Self { was_killed, ..Self::default() };
        let [orders, fills, markouts, legs] = &Self::paths(csv);
        let [in_orders, in_fills, in_markouts, in_legs] = files;
        let mut cut = Vec::new();
        let mut note = |path: &PathBuf, line: Option<u64>| cut.extend(line.map(|line| (path.clone(), line)));
        let [of_orders, of_fills, of_markouts, of_legs] = COLUMNS;
        note(orders, read(orders, in_orders, of_orders, |row| logs.take_order(row))?);
        note(fills, read(fills, in_fills, of_fills, |row| logs.take_fill(row))?);
        note(markouts, read(markouts, in_markouts, of_markouts, |row| logs.take_markout(row))?);
        note(legs, read(legs, in_legs, of_legs, |row| logs.take_leg(row))?);
        logs.cut = cut;
        logs.check_values(orders)?;
        Ok(logs)
    }

    /// One account's.
    pub fn of(&self, account: Account) -> &AccountLogs {
        &self.accounts[account as usize]
    }

    fn take_order(&mut self, row: &mut Row<'_>) -> Result<(), BadRow> {
        let at = account(row)?;
        let (id, leg, purpose) = (row.count()?, row.count()?, purpose(row)?);
        let posts = row.word(&[("post", true), ("take", false)], "post or take")?;
        let buys = buys(row)?;
        row.price_or_none()?;
        let volume = row.amount_or_none()?;
        let decided_sequence = row.count()?;
        row.time()?;
        row.share()?;
        let decided_mid = mid(row.price_or_none()?, row.price_or_none()?);
        row.count()?;
        let leg_mid = row.price_or_none()?;
        row.count()?;
        row.count_or_none()?;
        let arrived_ts_ns = row.time_or_none()?;
        let arrived_mid = mid(row.price_or_none()?, row.price_or_none()?);
        row.amount_or_none()?;
        row.count()?;
        let ended_ts_ns = row.time()?;
        let outcomes = [("filled", Outcome::Filled), ("cancelled", Outcome::Cancelled), ("refused", Outcome::Refused)];
        let outcome = row.word(&outcomes, "filled, cancelled or refused")?;
        let mut reasons = [("", 0); REASONS.len()];
        reasons.iter_mut().enumerate().for_each(|(at, reason)| *reason = (REASONS[at], at));
        let reason = row.word(&reasons, "nothing or a reason that orders end for")?;
        let filled_volume = row.amount()?;
        let filled_value = row.amount()?;
        row.money()?;
        let possible = match outcome {
            // A take ends when its amount is spent.
            Outcome::Filled if !posts => filled_volume > 0.0 && reason == 0,
            Outcome::Filled => reason == 0 && volume.is_some_and(|volume| is_same(filled_volume, volume, volume)),
            Outcome::Cancelled => reason > 0 && volume.is_none_or(|volume| filled_volume <= volume),
            Outcome::Refused => reason > 0 && filled_volume == 0.0,
        };
        if !possible {
            let (how, why) = (format!("{outcome:?}").to_lowercase(), REASONS[reason]);
            return Err(bad(format!("no order ends {how} for the reason '{why}' with {filled_volume} filled")));
        }
        let AccountLogs { orders, places, .. } = &mut self.accounts[at];
        if places.insert(id, orders.len()).is_some() {
            return Err(bad(format!("order {id} of {} ended before", Account::ALL[at].name())));
        }
        orders.push(Order {
            id,
            leg,
            purpose,
            posts,
            buys,
            decided_sequence,
            decided_mid,
            leg_mid,
            arrived_ts_ns,
            arrived_mid,
            ended_ts_ns,
            outcome,
            reason,
            filled_volume,
            filled_value,
            fills_value: 0.0,
        });
        Ok(())
    }

    /// Where an order stands; `None` where the run was killed before it was written.
    fn order(&mut self, at: usize, id: u64) -> Result<Option<usize>, BadRow> {
        let place = self.accounts[at].places.get(&id).copied();
        if place.is_none() && self.was_killed {
            self.left_out += 1;
            return Ok(None);
        }
        let name = Account::ALL[at].name();
        place.map(Some).ok_or_else(|| bad(format!("{name} has no order {id}")))
    }

    fn take_fill(&mut self, row: &mut Row<'_>) -> Result<(), BadRow> {
        let at = account(row)?;
        row.count()?;
        let id = row.count()?;
        let (leg, purpose, buys) = (row.count()?, purpose(row)?, buys(row)?);
        let sides = [("maker", Liquidity::Maker), ("taker", Liquidity::Taker)];
        let liquidity = row.word(&sides, "maker or taker")?;
        row.count()?;
        row.count()?;
        row.time()?;
        let price = row.above_zero()?;
        row.above_zero()?;
        let value = row.above_zero()?;
        let fee = row.money()?;
        row.price_or_none()?;
        let best = row.price_or_none()?;
        let Some(order) = self.order(at, id)? else { return Ok(()) };
        let AccountLogs { orders, fills, .. } = &mut self.accounts[at];
        let of = &mut orders[order];
        if (of.leg, of.purpose, of.buys) != (leg, purpose, buys) {
            return Err(bad(format!("order {id} has another leg, purpose or side than its fill")));
        }
        of.fills_value += value;
        fills.push(Fill { order, liquidity, price, value, fee, best });
        Ok(())
    }

    fn take_markout(&mut self, row: &mut Row<'_>) -> Result<(), BadRow> {
        let at = account(row)?;
        let id = row.count()?;
        let mids = [row.price_or_none()?, row.price_or_none()?, row.price_or_none()?, row.price_or_none()?];
        let Some(order) = self.order(at, id)? else { return Ok(()) };
        if self.accounts[at].orders[order].purpose != Purpose::Entry {
            return Err(bad(format!("order {id} is no entry")));
        }
        self.accounts[at].markouts.push(Markout { order, mids });
        Ok(())
    }

    fn take_leg(&mut self, row: &mut Row<'_>) -> Result<(), BadRow> {
        let at = account(row)?;
        let leg = row.count()?;
        let is_long = row.word(&[("long", true), ("short", false)], "long or short")?;
        let decided_sequence = row.count()?;
        let decided_ts_recv_ns = row.time()?;
        row.share()?;
        row.price_or_none()?;
        row.count()?;
        let (entered_volume, entry_value, entry_fee) = (row.amount()?, row.amount()?, row.money()?);
        let (exited_volume, exit_value, exit_fee) = (row.amount()?, row.amount()?, row.money()?);
        let (profit, net) = (row.money()?, row.money()?);
        row.count_or_none()?;
        let closed_ts_ns = row.time_or_none()?;
        row.count()?;
        let open_volume = row.amount_or_none()?.unwrap_or_default();
        let (open_mark_mid, open_mark_walk) = (row.money_or_none()?, row.money_or_none()?);
        let left = exited_volume + open_volume;
        if !is_same(left, entered_volume, entered_volume) {
            return Err(bad(format!("{entered_volume} was entered, {left} exited or still open")));
        }
        let turnover = entry_value + exit_value;
        let fees = entry_fee + exit_fee;
        if !is_same(net, profit - fees, turnover) {
            return Err(bad(format!("net {net} is not profit {profit} less fees {fees}")));
        }
        let is_whole = exited_volume > 0.0 && is_same(exited_volume, entered_volume, entered_volume);
        if is_whole && !is_same(entry_value, exit_value, turnover) {
            self.take_direction(is_long, exit_value - entry_value, profit, turnover)?;
        }
        let AccountLogs { legs, known_legs, .. } = &mut self.accounts[at];
        if !known_legs.insert(leg) {
            return Err(bad(format!("leg {leg} of {} was closed before", Account::ALL[at].name())));
        }
        legs.push(Leg {
            leg,
            is_long,
            decided_sequence,
            decided_ts_recv_ns,
            entered_volume,
            entry_value,
            entry_fee,
            exit_value,
            exit_fee,
            profit,
            net,
            closed_ts_ns,
            open_volume,
            open_mark_mid,
            open_mark_walk,
        });
        Ok(())
    }

    /// Learns from a whole leg which way its contracts count, or finds that it counts another way than those before.
    fn take_direction(&mut self, is_long: bool, rise: f64, profit: f64, turnover: f64) -> Result<(), BadRow> {
        let linear = if is_long { rise } else { -rise };
        let inverse = match profit {
            profit if (profit - linear).abs() <= ROUNDING_ONCE * turnover => false,
            profit if (profit + linear).abs() <= ROUNDING_ONCE * turnover => true,
            _ => return Err(bad(format!("profit {profit} is not what exit value less entry value comes to"))),
        };
        if *self.inverse.get_or_insert(inverse) != inverse {
            return Err(bad(format!("profit {profit} has another sign than the values of the legs before say")));
        }
        Ok(())
    }

    /// Every order's fills come to what it says.
    fn check_values(&self, path: &Path) -> Result<(), ExecutionsError> {
        if self.was_killed || !self.cut.is_empty() {
            return Ok(());
        }
        for (account, logs) in Account::ALL.iter().zip(&self.accounts) {
            let wrong = |order: &&Order| !is_same(order.filled_value, order.fills_value, order.filled_value);
            if let Some(order) = logs.orders.iter().find(wrong) {
                let Order { id, filled_value, fills_value, .. } = order;
                let what = format!(
                    "order {id} of {} has a filled_value of {filled_value}, its fills come to {fills_value}",
                    account.name()
                );
                return Err(ExecutionsError::Sums { path: path.into(), what });
            }
        }
        Ok(())
    }
}
