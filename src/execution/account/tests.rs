//! What holds always, whatever the market and the rules.

use super::rules::*;
use crate::execution::contract::{Contract, Increments};
use crate::execution::desk::{AccountReport, Desk};
use crate::execution::fees::{FeePlan, FeeSchedule, Liquidity};
use crate::execution::latency::Latency;
use crate::execution::ledger::Moment;
use crate::execution::matching::best::opposite;
use crate::execution::matching::queue::QueueModel;
use crate::execution::original::Original;
use crate::execution::records::{
    AccountKind, FillRecord, LegRecord, OrderKind, OrderRecord, Outcome, Purpose, Reason, Record,
};
use crate::execution::rules::OriginalRules;
use crate::market::book::Book;
use crate::market::event::{Event, Print};
use crate::market::units::{Scale, Side};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SCALE: Scale = Scale { price_decimals: 1, size_decimals: 2 };

/// A frame: its time after the one before, its levels, and the logit after it; or prints; or the loss of the book.
#[derive(Clone, Debug)]
enum Frame {
    Update(Vec<(Side, u64, u64)>, f64),
    Prints(Vec<(Side, u64, u64)>),
    Lost,
}

fn rules() -> AccountRules {
    AccountRules {
        threshold_logit: 0.5,
        short: true,
        lag_updates: 4,
        amount: 40.0,
        latency: Latency::Absent,
        depletion: true,
        contract: Contract::default(),
        increments: Increments::default(),
        cap_bps: None,
        limits: Limits::default(),
        fees: FeePlan { schedule: FeeSchedule::flat("x", -1.0, 5.0).unwrap(), trailing_value: 0.0 },
        maker: MakerRules {
            offset_ticks: 0,
            timeout_updates: 2,
            after_timeout: AfterTimeout::Drop,
            exits: ExitStyle::Post,
            queue: QueueModel::RiskAverse,
        },
        takers_side: false,
    }
}

/// Two sides that never cross for long: bids below 1,000 and asks above, now and then a level on the wrong side.
fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let level = (0..12_u64, prop_oneof![1 => Just(0), 4 => 1..400_u64], prop::bool::weighted(0.02), any::<bool>())
        .prop_map(|(away, size, wrong, ask)| match (ask, wrong) {
            (false, false) => (Side::Bid, 999 - away, size),
            (false, true) => (Side::Bid, 1_001 + away / 4, size),
            (true, false) => (Side::Ask, 1_001 + away, size),
            (true, true) => (Side::Ask, 999 - away / 4, size),
        });
    let print = (any::<bool>(), 0..6_u64, 1..300_u64).prop_map(|(buys, away, lots)| {
        if buys { (Side::Bid, 1_001 + away, lots) } else { (Side::Ask, 999 - away, lots) }
    });
    let logit = prop_oneof![Just(1.0), Just(-1.0), Just(0.0), Just(f64::NAN)];
    let frame = prop_oneof![
        12 => (prop::collection::vec(level, 0..6), logit).prop_map(|(levels, logit)| Frame::Update(levels, logit)),
        5 => prop::collection::vec(print, 1..4).prop_map(Frame::Prints),
        1 => Just(Frame::Lost),
    ];
    prop::collection::vec(frame, 1..80)
}

/// A mirror at 1,000.
fn mirrored(frames: &[Frame]) -> Vec<Frame> {
    let other = |&(side, price, size): &(Side, u64, u64)| (opposite(side), 2_000 - price, size);
    let frame = |frame: &Frame| match frame {
        Frame::Update(levels, logit) => Frame::Update(levels.iter().map(other).collect(), -logit),
        Frame::Prints(prints) => Frame::Prints(prints.iter().map(other).collect()),
        Frame::Lost => Frame::Lost,
    };
    frames.iter().map(frame).collect()
}

fn start(book: &mut Book) {
    book.begin_snapshot(SCALE);
    let levels = (0..8).flat_map(|away| {
        [Event::level(Side::Bid, 999 - away, 100 + away), Event::level(Side::Ask, 1_001 + away, 100 + away)]
    });
    book.stage(&levels.collect::<Vec<_>>());
    book.end_snapshot().unwrap();
}

/// Runs accounts as the engine does, 1 ms a frame.
fn run(kinds: &[AccountKind], rules: &AccountRules, frames: &[Frame]) -> (Vec<Record>, Vec<AccountReport>) {
    let mut desk = Desk::new(kinds, rules);
    let mut book = Book::default();
    let mut records = Vec::new();
    let mut out = |record| records.push(record);
    let (mut sequence, mut stretch) = (0, 1);
    start(&mut book);
    let at = |sequence: u64, stretch, number: usize| Moment {
        sequence,
        venue_sequence_num: number as u64,
        ts_recv_ns: number as i64 * 1_000_000,
        stretch,
    };
    desk.after_frame(at(0, 1, 0), &book, &mut out);
    for (number, frame) in frames.iter().enumerate().map(|(number, frame)| (number + 1, frame)) {
        let ts_recv_ns = number as i64 * 1_000_000;
        desk.arrivals(ts_recv_ns, &book, &mut out);
        match frame {
            Frame::Update(levels, logit) => {
                sequence += 1;
                let now = at(sequence, stretch, number);
                if book.best().is_some_and(|(bid, ask)| bid.price_ticks < ask.price_ticks) {
                    desk.close_due(now, &book, &mut out);
                }
                let levels: Vec<Event> =
                    levels.iter().map(|&(side, price, size)| Event::level(side, price, size)).collect();
                desk.named(&levels);
                for level in levels {
                    if desk.rests() {
                        desk.level(&book, level);
                    }
                    book.apply(&[level]);
                }
                book.end_update().unwrap();
                desk.after_frame(now, &book, &mut out);
                desk.decide(now, *logit, &book, &mut out);
            }
            Frame::Prints(prints) => {
                for &(aggressor, price_ticks, size_lots) in prints {
                    let print = Print { aggressor, price_ticks, size_lots, trade_id: 0, ts_event_ns: 0 };
                    if desk.rests() {
                        desk.print(&book, &print, SCALE);
                    }
                }
                desk.settle(&book, number as u64, ts_recv_ns, &mut out);
            }
            Frame::Lost => {
                desk.book_lost(ts_recv_ns, &book, &mut out);
                book.invalidate();
                start(&mut book);
                (sequence, stretch) = (sequence + 1, stretch + 1);
                desk.after_frame(at(sequence, stretch, number), &book, &mut out);
            }
        }
    }
    let reports = desk.finish(&book, &mut out);
    (records, reports.accounts)
}

fn orders(records: &[Record]) -> Vec<OrderRecord> {
    records.iter().filter_map(|record| if let Record::Order(order) = record { Some(*order) } else { None }).collect()
}

fn fills(records: &[Record]) -> Vec<FillRecord> {
    records.iter().filter_map(|record| if let Record::Fill(fill) = record { Some(*fill) } else { None }).collect()
}

fn legs(records: &[Record]) -> Vec<LegRecord> {
    records.iter().filter_map(|record| if let Record::Leg(leg) = record { Some(*leg) } else { None }).collect()
}

fn variants() -> impl Strategy<Value = AccountRules> {
    let latency = prop_oneof![
        Just(Latency::Absent),
        Just(Latency::Fixed(0)),
        Just(Latency::Fixed(2_500_000)),
        Just(Latency::Drawn { ns: vec![0, 900_000, 7_000_000].into(), seed: 3 }),
    ];
    let exits = prop_oneof![Just(ExitStyle::Post), Just(ExitStyle::Take)];
    let then = prop_oneof![Just(AfterTimeout::Drop), Just(AfterTimeout::Take)];
    (
        latency,
        exits,
        then,
        1..=4_u32,
        -2..=2_i64,
        any::<bool>(),
        prop::option::of(0.05..0.5_f64),
        prop::option::of(1.0..60.0_f64),
        prop::option::of(30.0..150.0_f64),
    )
        .prop_map(
            |(latency, exits, after_timeout, timeout_updates, offset_ticks, depletion, position, cap_bps, cash)| {
                let maker = MakerRules { offset_ticks, timeout_updates, after_timeout, exits, ..rules().maker };
                let limits = Limits { position, cash, ..Limits::default() };
                AccountRules { latency, depletion, limits, cap_bps, maker, ..rules() }
            },
        )
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

proptest! {
    #[test]
    fn books_balance(frames in frames(), rules in variants()) {
        let (records, reports) = run(&AccountKind::ALL, &rules, &frames);
        for report in reports {
            let kind = report.kind;
            let orders: Vec<_> = orders(&records).into_iter().filter(|order| order.account == kind).collect();
            let fills: Vec<_> = fills(&records).into_iter().filter(|fill| fill.account == kind).collect();
            let legs: Vec<_> = legs(&records).into_iter().filter(|leg| leg.account == kind).collect();
            let counts = report.counts;
            prop_assert_eq!(counts.sent, counts.filled + counts.cancelled + counts.refused);
            prop_assert_eq!(counts.sent, orders.len() as u64);
            let ids: Vec<u64> = {
                let mut ids: Vec<u64> = orders.iter().map(|order| order.order_id).collect();
                ids.sort_unstable();
                ids
            };
            prop_assert_eq!(ids, (0..counts.sent).collect::<Vec<_>>());
            // Each leg is written once.
            let mut numbers: Vec<u64> = legs.iter().map(|leg| leg.leg).collect();
            numbers.sort_unstable();
            prop_assert_eq!(&numbers, &(0..numbers.len() as u64).collect::<Vec<_>>());
            // What fills say is what their orders and legs say.
            for order in &orders {
                let own: Vec<_> = fills.iter().filter(|fill| fill.order_id == order.order_id).collect();
                let volume: f64 = own.iter().map(|fill| fill.traded.volume).sum();
                prop_assert!(near(volume, order.traded.volume), "{:?} {:?}", order, own);
                let refused = matches!(order.outcome, Outcome::Refused(_));
                prop_assert!(!refused || own.is_empty());
                prop_assert!(own.iter().all(|fill| (fill.liquidity == Liquidity::Maker) == (order.kind == OrderKind::Post)));
                // A posted order fills at its own price.
                prop_assert!(order.kind == OrderKind::Take || own.iter().all(|fill| near(fill.price, order.price)));
                let takes_entry = order.purpose == Purpose::Entry && order.kind == OrderKind::Take;
                prop_assert_eq!(takes_entry && !order.price.is_nan(), takes_entry && rules.cap_bps.is_some());
                if takes_entry && !order.price.is_nan() {
                    let beyond = |price: f64| if order.side == Side::Bid { price > order.price } else { price < order.price };
                    prop_assert!(own.iter().all(|fill| !beyond(fill.price)), "{:?}", order);
                }
            }
            let fee: f64 = fills.iter().map(|fill| fill.traded.fee).sum();
            let of = |liquidity| fills.iter().filter(|fill| fill.liquidity == liquidity).map(|fill| fill.traded.value).sum::<f64>();
            prop_assert!(near(fee, of(Liquidity::Maker) * -1e-4 + of(Liquidity::Taker) * 5e-4));
            prop_assert!(near(fee, report.totals.fees));
            // Equity: cash is what was sold less what was bought; marked at what entries cost, it is the profit.
            let cash: f64 = fills.iter().map(|fill| if fill.side == Side::Bid { -fill.traded.value } else { fill.traded.value }).sum();
            let mut open_cost = 0.0;
            for leg in &legs {
                prop_assert!(leg.open_volume >= 0.0);
                prop_assert!(near(leg.entered.volume, leg.exited.volume + leg.open_volume), "{:?}", leg);
                if leg.entered.volume > 0.0 {
                    let share = leg.open_volume / leg.entered.volume;
                    open_cost += if leg.side == Side::Bid { leg.entered.value * share } else { -leg.entered.value * share };
                }
            }
            let profit: f64 = legs.iter().map(|leg| leg.profit).sum();
            prop_assert!(near(cash + open_cost, profit), "cash {cash}, open {open_cost}, profit {profit}");
            prop_assert!(near(profit, report.totals.profit));
            if let Some(limit) = rules.limits.cash {
                let mut open = 0.0;
                for record in &records {
                    match record {
                        Record::Fill(fill) if fill.account == kind && fill.purpose == Purpose::Entry => open += fill.traded.value,
                        Record::Leg(leg) if leg.account == kind => open -= leg.entered.value,
                        _ => {}
                    }
                    prop_assert!(open <= limit * (1.0 + 1e-9) + 1e-9, "{open} above {limit}");
                }
            }
            if let Some(limit) = rules.limits.position {
                let mut held = BTreeMap::from([(Side::Bid, 0.0_f64), (Side::Ask, 0.0)]);
                for fill in &fills {
                    let (side, sign) = match fill.purpose {
                        Purpose::Entry => (fill.side, 1.0),
                        Purpose::Exit => (opposite(fill.side), -1.0),
                    };
                    let held = held.entry(side).or_default();
                    *held += sign * fill.traded.volume;
                    prop_assert!(*held <= limit * (1.0 + 1e-9), "{held} above {limit}");
                }
            }
        }
    }

    #[test]
    fn arrivals_never_fall_back_and_a_constant_distribution_is_fixed(frames in frames(), ns in 0..5_000_000_i64) {
        let fixed = AccountRules { latency: Latency::Fixed(ns), ..rules() };
        let drawn = AccountRules { latency: Latency::Drawn { ns: vec![ns, ns].into(), seed: 9 }, ..rules() };
        let (records, _) = run(&AccountKind::ALL, &fixed, &frames);
        prop_assert_eq!(format!("{records:?}"), format!("{:?}", run(&AccountKind::ALL, &drawn, &frames).0));
        for order in orders(&records) {
            if let Some(arrived) = order.arrived {
                prop_assert!(arrived.ts_ns >= order.decided.ts_recv_ns);
                prop_assert!(order.kind == OrderKind::Take || arrived.ts_ns >= order.decided.ts_recv_ns + ns);
            }
        }
        let drawn = AccountRules { latency: Latency::Drawn { ns: vec![0, 9_000_000].into(), seed: 1 }, ..rules() };
        let (records, _) = run(&AccountKind::ALL, &drawn, &frames);
        for kind in AccountKind::ALL {
            let mut arrivals: Vec<_> = orders(&records)
                .into_iter()
                .filter(|order| order.account == kind && order.purpose == Purpose::Entry)
                .filter_map(|order| Some((order.order_id, order.arrived?.ts_ns)))
                .collect();
            arrivals.sort_unstable();
            prop_assert!(arrivals.is_sorted_by_key(|&(_, ts_ns)| ts_ns));
        }
    }

    #[test]
    fn a_mirrored_market_gives_mirrored_records(frames in frames(), rules in variants()) {
        // Caps and amounts are not symmetric about a price: both are left out, contracts of quote units are the same both ways.
        let rules = AccountRules {
            cap_bps: None,
            limits: Limits::default(),
            contract: Contract::Inverse { size: 100.0 },
            ..rules
        };
        let (records, _) = run(&AccountKind::ALL, &rules, &frames);
        let (other, _) = run(&AccountKind::ALL, &rules, &mirrored(&frames));
        let shape = |records: &[Record], flip: bool| -> Vec<_> {
            let ticks = |price: f64| { let ticks = (price * 10.0).round() as u64; if flip { 2_000 - ticks } else { ticks } };
            let side = |side| if flip { opposite(side) } else { side };
            fills(records).iter().map(|fill| {
                (fill.account, fill.order_id, fill.sequence, side(fill.side), ticks(fill.price), (fill.traded.volume * 1e6).round() as i64)
            }).collect()
        };
        prop_assert_eq!(shape(&records, false), shape(&other, true));
        let outcomes = |records: &[Record]| orders(records).iter().map(|order| (order.account, order.order_id, order.outcome)).collect::<Vec<_>>();
        prop_assert_eq!(outcomes(&records), outcomes(&other));
    }

    #[test]
    fn a_plain_taker_is_the_original(frames in frames()) {
        let plain = AccountRules { short: false, depletion: false, ..rules() };
        let (records, _) = run(&[AccountKind::Taker], &plain, &frames);
        // The original over the same frames.
        let mut original = Original::new(OriginalRules { threshold_logit: 0.5, lag_updates: 4, buy_amount: 40.0 });
        let mut book = Book::default();
        start(&mut book);
        let (mut sequence, mut stretch, mut trades) = (0, 1, Vec::new());
        for frame in &frames {
            match frame {
                Frame::Update(levels, logit) => {
                    sequence += 1;
                    let now = Moment { sequence, venue_sequence_num: 0, ts_recv_ns: 0, stretch };
                    if book.best().is_some_and(|(bid, ask)| bid.price_ticks < ask.price_ticks) {
                        original.sell_due(now, &book, |trade| trades.push(trade));
                    }
                    let levels: Vec<Event> = levels.iter().map(|&(side, price, size)| Event::level(side, price, size)).collect();
                    book.apply(&levels);
                    book.end_update().unwrap();
                    if original.rules().wants(*logit) && !book.is_crossed_or_locked() {
                        original.buy(now, *logit, &book);
                    }
                }
                Frame::Prints(_) => {}
                Frame::Lost => {
                    start(&mut book);
                    (sequence, stretch) = (sequence + 1, stretch + 1);
                }
            }
        }
        let own: BTreeMap<u64, LegRecord> =
            legs(&records).into_iter().filter(|leg| leg.entered.volume > 0.0).map(|leg| (leg.decided.sequence, leg)).collect();
        for trade in &trades {
            let leg = &own[&trade.position.bought.sequence];
            // What nobody buys the original writes off; here it stays open, and is sold when somebody comes.
            if trade.unsold_volume > 0.0 {
                prop_assert!(leg.open_volume > 0.0 || leg.closed_sequence > trade.sold.sequence);
                continue;
            }
            prop_assert_eq!((leg.entered.value, leg.entered.volume), (trade.position.buy_amount, trade.position.volume));
            prop_assert_eq!((leg.exited.value, leg.closed_sequence), (trade.sell_amount, trade.sold.sequence));
            prop_assert_eq!(leg.open_volume, 0.0);
        }
        prop_assert_eq!(own.values().filter(|leg| leg.open_volume == 0.0).count() <= trades.len(), true);
    }

    #[test]
    fn whole_lots_and_least_sizes_hold(frames in frames(), lot in prop_oneof![Just(0.01), Just(0.25)], value_min in 0.0..60.0_f64) {
        let increments = Increments { lot: Some(lot), tick: Some(0.3), size_min: lot, value_min };
        let (records, _) = run(&AccountKind::ALL, &AccountRules { increments, ..rules() }, &frames);
        for order in orders(&records) {
            if order.kind == OrderKind::Post {
                let ticks = (order.price / 0.3).round() * 0.3;
                prop_assert!((order.price - ticks).abs() < 1e-9, "{}", order.price);
            }
            if order.purpose == Purpose::Entry && order.traded.volume > 0.0 && order.outcome == Outcome::Filled {
                let lots = order.traded.volume / lot;
                prop_assert!((lots - lots.round()).abs() < 1e-6, "{lots} lots");
                prop_assert!(order.traded.value >= value_min * (1.0 - 1e-9) || order.kind == OrderKind::Post);
            }
        }
    }
}

/// A short that cannot be bought back whole is no gain: what nobody sells stays open until somebody does.
#[test]
fn what_the_book_cannot_give_stays_open() {
    let update = |levels: &[(Side, u64, u64)], logit| Frame::Update(levels.to_vec(), logit);
    let wait = || update(&[], f64::NAN);
    let nobody_sells: Vec<(Side, u64, u64)> = (0..8).map(|away| (Side::Ask, 1_001 + away, 0)).collect();
    let few: Vec<_> = [&nobody_sells[1..], &[(Side::Ask, 1_010, 30)]].concat();
    let [a_few, more] = [update(&few, f64::NAN), update(&[(Side::Ask, 1_020, 1_000)], f64::NAN)];
    // Sold short at sequence 1, due at 5: 100 lots at 100.1 are left and 30 at 101.0, of 200.
    let rules = AccountRules { amount: 199.8, ..rules() };
    let short = |frames: &[Frame]| {
        let (records, _) = run(&[AccountKind::Taker], &rules, frames);
        *legs(&records).first().unwrap()
    };
    let begin = [update(&[(Side::Bid, 999, 1_000)], -1.0), wait(), wait(), a_few];
    let open = short(&[&begin[..], &[wait(), wait()]].concat());
    assert_eq!((open.exited.volume, open.open_volume), (1.3, 0.7));
    assert!(near(open.profit, 99.9 * 1.3 - 100.1 - 101.0 * 0.3), "{}", open.profit);
    assert!(open.open_marks.1.is_nan(), "nobody would sell it");
    let closed = short(&[&begin[..], &[wait(), more, wait()]].concat());
    assert_eq!((closed.exited.volume, closed.open_volume, closed.closed_sequence), (2.0, 0.0, 7));
    assert!(near(closed.profit, 199.8 - 100.1 - 101.0 * 0.3 - 102.0 * 0.7), "{}", closed.profit);
}

/// One market that is followed by hand.
#[test]
fn a_maker_rests_is_filled_and_leaves() {
    let update = |levels: &[(Side, u64, u64)], logit| Frame::Update(levels.to_vec(), logit);
    let rules = AccountRules { amount: 99.9, short: false, ..rules() };
    let frames = [
        // Decided at sequence 1: one unit at 99.9, behind 100 lots.
        update(&[], 1.0),
        Frame::Prints(vec![(Side::Ask, 999, 150)]),
        Frame::Prints(vec![(Side::Ask, 999, 60)]),
        update(&[], f64::NAN),
        // Two updates before it is due at sequence 5 an exit is posted, at 100.1.
        update(&[], f64::NAN),
        Frame::Prints(vec![(Side::Bid, 1_002, 1)]),
    ];
    let (records, reports) = run(&AccountKind::MAKERS, &rules, &frames);
    let of = |kind: AccountKind| {
        let fills = fills(&records).into_iter().filter(move |fill| fill.account == kind);
        fills.map(|fill| (fill.sequence, fill.side, fill.price, fill.traded.volume)).collect::<Vec<_>>()
    };
    // Of 150 lots 50 reach it through the queue; touch has all of it; nothing went through the price.
    assert_eq!(of(AccountKind::MakerThrough), []);
    assert_eq!(
        of(AccountKind::MakerQueue),
        [(1, Side::Bid, 99.9, 0.5), (1, Side::Bid, 99.9, 0.5), (3, Side::Ask, 100.1, 1.0),]
    );
    assert_eq!(of(AccountKind::MakerTouch), [(1, Side::Bid, 99.9, 1.0), (3, Side::Ask, 100.1, 1.0)]);
    let profits: Vec<f64> = reports.iter().map(|report| (report.totals.profit * 1e6).round() / 1e6).collect();
    assert_eq!(profits, [0.0, 0.2, 0.2]);
    let through = orders(&records).into_iter().find(|order| order.account == AccountKind::MakerThrough).unwrap();
    assert_eq!((through.outcome, through.ended_sequence), (Outcome::Cancelled(Reason::Timeout), 3));
}
