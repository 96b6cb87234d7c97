//! The logs of accounts: orders, fills, markouts and legs, a CSV file each.
//!
//! ```
//! use papertrader::execution::records::{AccountKind, MarkoutRecord, Record};
//! use papertrader::run::execution_logs::ExecutionLogs;
//!
//! let mut logs = ExecutionLogs::new([Vec::new(), Vec::new(), Vec::new(), Vec::new()])?;
//! let mids = [100.5, 101.0, f64::NAN, f64::NAN];
//! logs.write(&Record::Markout(MarkoutRecord { account: AccountKind::Taker, order_id: 7, mids }))?;
//! let [_, _, markouts, _] = logs.into_inner()?;
//! let text = String::from_utf8(markouts).expect("numbers are UTF-8");
//! assert_eq!(text, "account,order_id,mid_1,mid_5,mid_20,mid_100\ntaker,7,100.5,101.0,,\n");
//! # Ok::<(), std::io::Error>(())
//! ```

use crate::execution::fees::Liquidity;
use crate::execution::records::{FillRecord, LegRecord, MarkoutRecord, OrderRecord, Record};
use crate::market::units::Side;
use crate::statistics::logistic::probability;
use csv::{Writer, WriterBuilder};
use serde::Serialize;
use std::io::{self, Write};

/// Names of the logs: between a run's name and `.csv`.
pub const LOGS: [&str; 4] = ["orders", "fills", "markouts", "legs"];

/// Writes records as CSV. Times are receive times, numbers the shortest text that reads back the same: the same input and
/// settings give the same bytes however fast the run was. What is unknown is empty.
#[derive(Debug)]
pub struct ExecutionLogs<W: Write> {
    orders: Writer<W>,
    fills: Writer<W>,
    markouts: Writer<W>,
    legs: Writer<W>,
}

/// Prices in quote units, sizes in units of size, money as of the contract.
#[derive(Serialize)]
struct OrderRow {
    account: &'static str,
    order_id: u64,
    leg: u64,
    purpose: &'static str,
    kind: &'static str,
    side: &'static str,
    price: Option<f64>,
    volume: Option<f64>,
    decided_sequence: u64,
    decided_ts_recv_ns: i64,
    probability: f64,
    decided_bid: Option<f64>,
    decided_ask: Option<f64>,
    leg_sequence: u64,
    leg_mid: Option<f64>,
    due_sequence: u64,
    arrived_sequence: Option<u64>,
    arrived_ts_ns: Option<i64>,
    arrived_bid: Option<f64>,
    arrived_ask: Option<f64>,
    queue_ahead: Option<f64>,
    ended_sequence: u64,
    ended_ts_ns: i64,
    outcome: &'static str,
    reason: &'static str,
    filled_volume: f64,
    filled_value: f64,
    fee: f64,
}

#[derive(Serialize)]
struct FillRow {
    account: &'static str,
    fill_id: u64,
    order_id: u64,
    leg: u64,
    purpose: &'static str,
    side: &'static str,
    liquidity: &'static str,
    sequence: u64,
    venue_sequence_num: u64,
    ts_ns: i64,
    price: f64,
    volume: f64,
    value: f64,
    fee: f64,
    mid: Option<f64>,
    best: Option<f64>,
}

#[derive(Serialize)]
struct MarkoutRow {
    account: &'static str,
    order_id: u64,
    mid_1: Option<f64>,
    mid_5: Option<f64>,
    mid_20: Option<f64>,
    mid_100: Option<f64>,
}

#[derive(Serialize)]
struct LegRow {
    account: &'static str,
    leg: u64,
    side: &'static str,
    decided_sequence: u64,
    decided_ts_recv_ns: i64,
    probability: f64,
    decided_mid: Option<f64>,
    due_sequence: u64,
    entered_volume: f64,
    entry_value: f64,
    entry_fee: f64,
    exited_volume: f64,
    exit_value: f64,
    exit_fee: f64,
    profit: f64,
    net: f64,
    closed_sequence: u64,
    closed_ts_ns: i64,
    snapshots_while_held: u64,
    open_volume: f64,
    open_mark_mid: Option<f64>,
    open_mark_walk: Option<f64>,
}

/// The columns of each log, in the order of [`LOGS`].
pub const COLUMNS: [&[&str]; 4] = [
    &[
        "account",
        "order_id",
        "leg",
        "purpose",
        "kind",
        "side",
        "price",
        "volume",
        "decided_sequence",
        "decided_ts_recv_ns",
        "probability",
        "decided_bid",
        "decided_ask",
        "leg_sequence",
        "leg_mid",
        "due_sequence",
        "arrived_sequence",
        "arrived_ts_ns",
        "arrived_bid",
        "arrived_ask",
        "queue_ahead",
        "ended_sequence",
        "ended_ts_ns",
        "outcome",
        "reason",
        "filled_volume",
        "filled_value",
        "fee",
    ],
    &[
        "account",
        "fill_id",
        "order_id",
        "leg",
        "purpose",
        "side",
        "liquidity",
        "sequence",
        "venue_sequence_num",
        "ts_ns",
        "price",
        "volume",
        "value",
        "fee",
        "mid",
        "best",
    ],
    &["account", "order_id", "mid_1", "mid_5", "mid_20", "mid_100"],
    &[
        "account",
        "leg",
        "side",
        "decided_sequence",
        "decided_ts_recv_ns",
        "probability",
        "decided_mid",
        "due_sequence",
        "entered_volume",
        "entry_value",
        "entry_fee",
        "exited_volume",
        "exit_value",
        "exit_fee",
        "profit",
        "net",
        "closed_sequence",
        "closed_ts_ns",
        "snapshots_while_held",
        "open_volume",
        "open_mark_mid",
        "open_mark_walk",
    ],
];

fn known(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}

fn order_side(side: Side) -> &'static str {
    match side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    }
}

impl<W: Write> ExecutionLogs<W> {
    /// Logs that begin with their headers, in the order of [`LOGS`]. The first [`ExecutionLogs::flush`] writes them even if
    /// nothing follows.
    ///
    /// # Errors
    /// A header cannot be written.
    pub fn new(outputs: [W; LOGS.len()]) -> io::Result<Self> {
        let [orders, fills, markouts, legs] =
            outputs.map(|output| WriterBuilder::new().has_headers(false).from_writer(output));
        let mut logs = Self { orders, fills, markouts, legs };
        for (log, columns) in logs.all().into_iter().zip(COLUMNS) {
            log.write_record(columns)?;
        }
        Ok(logs)
    }

    fn all(&mut self) -> [&mut Writer<W>; LOGS.len()] {
        let Self { orders, fills, markouts, legs } = self;
        [orders, fills, markouts, legs]
    }

    /// Appends a record to its log. An error is of the log with that number.
    ///
    /// # Errors
    /// The row cannot be written.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Order(order) => self.orders.serialize(order_row(order)),
            Record::Fill(fill) => self.fills.serialize(fill_row(fill)),
            Record::Markout(markout) => self.markouts.serialize(markout_row(markout)),
            Record::Leg(leg) => self.legs.serialize(leg_row(leg)),
        }?;
        Ok(())
    }

    /// Hands everything written so far to the system. Legs and orders follow their fills.
    ///
    /// # Errors
    /// It does not take it.
    pub fn flush(&mut self) -> io::Result<()> {
        let Self { orders, fills, markouts, legs } = self;
        [fills, orders, markouts, legs].into_iter().try_for_each(Writer::flush)
    }

    /// Ends the logs.
    ///
    /// # Errors
    /// What is left cannot be written.
    pub fn into_inner(self) -> io::Result<[W; LOGS.len()]> {
        let Self { orders, fills, markouts, legs } = self;
        let end = |log: Writer<W>| log.into_inner().map_err(csv::IntoInnerError::into_error);
        Ok([end(orders)?, end(fills)?, end(markouts)?, end(legs)?])
    }
}

fn order_row(order: &OrderRecord) -> OrderRow {
    let arrived = order.arrived.as_ref();
    OrderRow {
        account: order.account.name(),
        order_id: order.order_id,
        leg: order.leg,
        purpose: order.purpose.name(),
        kind: order.kind.name(),
        side: order_side(order.side),
        price: known(order.price),
        volume: known(order.volume),
        decided_sequence: order.decided.sequence,
        decided_ts_recv_ns: order.decided.ts_recv_ns,
        probability: probability(order.logit),
        decided_bid: known(order.decided_quotes.bid),
        decided_ask: known(order.decided_quotes.ask),
        leg_sequence: order.leg_sequence,
        leg_mid: known(order.leg_mid),
        due_sequence: order.due_sequence,
        arrived_sequence: arrived.map(|at| at.sequence),
        arrived_ts_ns: arrived.map(|at| at.ts_ns),
        arrived_bid: arrived.and_then(|at| known(at.quotes.bid)),
        arrived_ask: arrived.and_then(|at| known(at.quotes.ask)),
        queue_ahead: arrived.and_then(|at| known(at.queue_ahead)),
        ended_sequence: order.ended_sequence,
        ended_ts_ns: order.ended_ts_ns,
        outcome: order.outcome.name(),
        reason: order.outcome.reason().map_or("", |reason| reason.name()),
        filled_volume: order.traded.volume,
        filled_value: order.traded.value,
        fee: order.traded.fee,
    }
}

fn fill_row(fill: &FillRecord) -> FillRow {
    FillRow {
        account: fill.account.name(),
        fill_id: fill.fill_id,
        order_id: fill.order_id,
        leg: fill.leg,
        purpose: fill.purpose.name(),
        side: order_side(fill.side),
        liquidity: match fill.liquidity {
            Liquidity::Maker => "maker",
            Liquidity::Taker => "taker",
        },
        sequence: fill.sequence,
        venue_sequence_num: fill.venue_sequence_num,
        ts_ns: fill.ts_ns,
        price: fill.price,
        volume: fill.traded.volume,
        value: fill.traded.value,
        fee: fill.traded.fee,
        mid: known(fill.mid),
        best: known(fill.best),
    }
}

fn markout_row(markout: &MarkoutRecord) -> MarkoutRow {
    let [mid_1, mid_5, mid_20, mid_100] = markout.mids.map(known);
    MarkoutRow { account: markout.account.name(), order_id: markout.order_id, mid_1, mid_5, mid_20, mid_100 }
}

fn leg_row(leg: &LegRecord) -> LegRow {
    LegRow {
        account: leg.account.name(),
        leg: leg.leg,
        side: match leg.side {
            Side::Bid => "long",
            Side::Ask => "short",
        },
        decided_sequence: leg.decided.sequence,
        decided_ts_recv_ns: leg.decided.ts_recv_ns,
        probability: probability(leg.logit),
        decided_mid: known(leg.mid),
        due_sequence: leg.due_sequence,
        entered_volume: leg.entered.volume,
        entry_value: leg.entered.value,
        entry_fee: leg.entered.fee,
        exited_volume: leg.exited.volume,
        exit_value: leg.exited.value,
        exit_fee: leg.exited.fee,
        profit: leg.profit,
        net: leg.profit - leg.entered.fee - leg.exited.fee,
        closed_sequence: leg.closed_sequence,
        closed_ts_ns: leg.closed_ts_ns,
        snapshots_while_held: leg.snapshots_while_held,
        open_volume: leg.open_volume,
        open_mark_mid: known(leg.open_marks.0),
        open_mark_walk: known(leg.open_marks.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::records::AccountKind;

    #[test]
    fn each_log_has_the_columns_of_its_rows() {
        let traded = crate::execution::records::Traded::default();
        let moment = crate::execution::ledger::Moment { sequence: 3, venue_sequence_num: 4, ts_recv_ns: 5, stretch: 1 };
        let quotes = crate::execution::records::Quotes::UNKNOWN;
        let order = OrderRecord {
            account: AccountKind::MakerQueue,
            order_id: 1,
            leg: 2,
            purpose: crate::execution::records::Purpose::Entry,
            kind: crate::execution::records::OrderKind::Post,
            side: Side::Ask,
            price: 1.5,
            volume: 0.1,
            decided: moment,
            logit: 0.0,
            decided_quotes: quotes,
            leg_sequence: 3,
            leg_mid: 1.25,
            due_sequence: 23,
            arrived: None,
            ended_sequence: 9,
            ended_ts_ns: 10,
            outcome: crate::execution::records::Outcome::Cancelled(crate::execution::records::Reason::EndOfRun),
            traded,
        };
        let fill = FillRecord {
            account: AccountKind::Taker,
            fill_id: 0,
            order_id: 1,
            leg: 2,
            purpose: crate::execution::records::Purpose::Exit,
            side: Side::Bid,
            liquidity: crate::execution::fees::Liquidity::Taker,
            sequence: 3,
            venue_sequence_num: 4,
            ts_ns: 5,
            price: 1.5,
            traded,
            mid: f64::NAN,
            best: 1.5,
        };
        let leg = LegRecord {
            account: AccountKind::MakerTouch,
            leg: 2,
            side: Side::Bid,
            decided: moment,
            logit: 0.0,
            mid: 1.25,
            due_sequence: 23,
            entered: traded,
            exited: traded,
            profit: 0.5,
            closed_sequence: 24,
            closed_ts_ns: 11,
            snapshots_while_held: 0,
            open_volume: 0.0,
            open_marks: (f64::NAN, f64::NAN),
        };
        let mut logs = ExecutionLogs::new([Vec::new(), Vec::new(), Vec::new(), Vec::new()]).unwrap();
        let markout = MarkoutRecord { account: AccountKind::Taker, order_id: 1, mids: [1.0; 4] };
        for record in [Record::Order(order), Record::Fill(fill), Record::Markout(markout), Record::Leg(leg)] {
            logs.write(&record).unwrap();
        }
        let texts = logs.into_inner().unwrap().map(|bytes| String::from_utf8(bytes).unwrap());
        let rows = texts.each_ref().map(|text| text.lines().nth(1).unwrap());
        assert_eq!(
            rows,
            [
                "maker-queue,1,2,entry,post,sell,1.5,0.1,3,5,0.5,,,3,1.25,23,,,,,,9,10,cancelled,end of run,0.0,0.0,0.0",
                "taker,0,1,2,exit,buy,taker,3,4,5,1.5,0.0,0.0,0.0,,1.5",
                "taker,1,1.0,1.0,1.0,1.0",
                "maker-touch,2,long,3,5,0.5,1.25,23,0.0,0.0,0.0,0.0,0.0,0.0,0.5,0.5,24,11,0,0.0,,",
            ]
        );
        for text in &texts {
            let columns = text.lines().map(|line| line.split(',').count()).collect::<Vec<_>>();
            assert_eq!(columns[0], columns[1], "{text}");
        }
    }
}
