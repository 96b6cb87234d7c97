//! From what a trader did to a row.

use super::plan::Plan;
use super::result::{Row, Setting, SweptCapture};
use crate::execution::fees::Turnover;
use crate::market::units::Scale;
use crate::results::executions::{Account, AccountNumbers, Leg, Logs};
use crate::results::trades::{TradeNumbers, TradeTable, is_doubtful};

/// Equal slices of a closed span of time.
struct Slices {
    first_ns: i64,
    span_ns: i128,
    net: Vec<f64>,
    bought: Vec<f64>,
}

impl Slices {
    fn new(count: u32, live_ns: Option<(i64, i64)>) -> Self {
        let (first_ns, last_ns) = live_ns.unwrap_or_default();
        let zeros = vec![0.0; count as usize];
        Self { first_ns, span_ns: i128::from(last_ns) - i128::from(first_ns) + 1, net: zeros.clone(), bought: zeros }
    }

    /// What was sold at that time. Before the first slice is in it, behind the last one in that.
    fn add(&mut self, ts_ns: i64, net: f64, bought: f64) {
        let since_ns = (i128::from(ts_ns) - i128::from(self.first_ns)).clamp(0, self.span_ns.max(1) - 1);
        let slice = since_ns * self.net.len() as i128 / self.span_ns.max(1);
        if let (Some(of_net), Some(of_bought)) = (self.net.get_mut(slice as usize), self.bought.get_mut(slice as usize))
        {
            *of_net += net;
            *of_bought += bought;
        }
    }
}

/// The row of a setting by the original's rules.
pub fn of_trades(plan: &Plan, setting: &Setting, capture: &SweptCapture, table: &TradeTable, open: u64) -> Row {
    let scale = Scale { price_decimals: capture.price_decimals, size_decimals: capture.size_decimals };
    let lot = 1.0 / scale.lots_per_unit();
    let numbers = TradeNumbers::of_on(table, plan.fee_bps, lot, 1);
    let mut slices = Slices::new(plan.slices, capture.live_ns);
    let (mut doubtful, mut doubtful_net_profit) = (0, 0.0);
    for at in 0..table.len() {
        let turnover = Turnover { bought: table.bought[at], sold: table.sold[at] };
        let net = turnover.net(table.profit[at], plan.fee_bps);
        slices.add(table.sell_ts_recv_ns[at], net, turnover.bought);
        if is_doubtful(table, at, Some(lot)) {
            doubtful += 1;
            doubtful_net_profit += net;
        }
    }
    let interval = numbers.interval;
    let finding = serde_json::to_value(numbers.finding).ok();
    Row {
        capture: capture.number,
        setting: setting.number,
        trades: numbers.trades,
        winners: numbers.winners,
        win_rate: numbers.win_rate,
        bought: numbers.bought,
        gross_profit: numbers.gross_profit,
        net_profit: numbers.net_profit,
        gross_bps: numbers.gross_bps,
        net_bps: numbers.net_bps,
        gross_bps_interval: interval.and_then(|interval| interval.gross_bps),
        net_bps_interval: interval.and_then(|interval| interval.net_bps),
        blocks: interval.map(|interval| interval.blocks as u64),
        break_even_fee_bps: numbers.break_even_fee_bps,
        drawdown_max: numbers.drawdown_max,
        held_s_p50: numbers.held_s.map(|held| held.p50),
        open,
        orders: None,
        fill_rate: None,
        fees: None,
        finding: finding.and_then(|finding| finding.as_str().map(Into::into)),
        doubtful: Some(doubtful),
        doubtful_net_profit: Some(doubtful_net_profit),
        slice_net: slices.net,
        slice_bought: slices.bought,
    }
}

/// The row of a setting by an account.
pub fn of_account(plan: &Plan, setting: &Setting, capture: &SweptCapture, logs: &Logs, account: Account) -> Row {
    let numbers = AccountNumbers::of_on(logs, account, 1);
    let mut slices = Slices::new(plan.slices, capture.live_ns);
    let closed: Vec<&Leg> = logs.of(account).legs.iter().filter(|leg| leg.closed_value() > 0.0).collect();
    for leg in &closed {
        let ts_ns = leg.closed_ts_ns.unwrap_or(leg.decided_ts_recv_ns);
        slices.add(ts_ns, leg.closed_net(), leg.closed_value());
    }
    let winners = closed.iter().filter(|leg| leg.closed_net() > 0.0).count() as u64;
    let interval = numbers.interval;
    Row {
        capture: capture.number,
        setting: setting.number,
        trades: closed.len() as u64,
        winners,
        win_rate: (!closed.is_empty()).then(|| winners as f64 / closed.len() as f64),
        bought: numbers.closed_value,
        gross_profit: numbers.gross,
        net_profit: numbers.net,
        gross_bps: numbers.gross_bps,
        net_bps: numbers.net_bps,
        gross_bps_interval: interval.and_then(|interval| interval.gross_bps),
        net_bps_interval: interval.and_then(|interval| interval.net_bps),
        blocks: interval.map(|interval| interval.blocks as u64),
        break_even_fee_bps: if account.is_maker() {
            numbers.break_even_maker_bps
        } else {
            numbers.break_even_taker_bps
        },
        drawdown_max: numbers.drawdown_max,
        held_s_p50: None,
        open: numbers.open_legs,
        orders: Some(numbers.orders.sent),
        fill_rate: numbers.fill_rate,
        fees: Some(numbers.fees),
        finding: None,
        doubtful: None,
        doubtful_net_profit: None,
        slice_net: slices.net,
        slice_bought: slices.bought,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_equal_and_hold_all() {
        let mut slices = Slices::new(4, Some((100, 107)));
        (98..=109).for_each(|ts_ns| slices.add(ts_ns, 1.0, 2.0));
        // Eight nanoseconds, two a slice; what is before and behind counts at the ends.
        assert_eq!((slices.net, slices.bought), (vec![4.0, 2.0, 2.0, 4.0], vec![8.0, 4.0, 4.0, 8.0]));
        let mut nothing = Slices::new(2, None);
        nothing.add(5, 1.0, 1.0);
        assert_eq!(nothing.net, [1.0, 0.0]);
        let mut all = Slices::new(3, Some((i64::MIN, i64::MAX)));
        [i64::MIN, 0, i64::MAX].into_iter().for_each(|ts_ns| all.add(ts_ns, 1.0, 1.0));
        assert_eq!(all.net, [1.0, 1.0, 1.0]);
    }
}
