//! Accounts that are kept behind do with a late tape what others do with one that is told at once.

use super::latency::recorder;
use super::status::Status;
use super::trader::{Outputs, Trader};
use super::*;
use crate::base::clock::Clock;
use crate::execution::account::{AccountRules, AfterTimeout, ExitStyle, Limits, MakerRules};
use crate::execution::contract::{Contract, Increments};
use crate::execution::desk::Desk;
use crate::execution::fees::{FeePlan, FeeSchedule};
use crate::execution::hold_back::{HoldBack, HoldBackCounts};
use crate::execution::latency::Latency;
use crate::execution::matching::queue::QueueModel;
use crate::execution::records::{AccountKind, Record};
use crate::execution::rules::OriginalRules;
use crate::market::event::{Print, UNMEASURED, UNSTAMPED};
use crate::market::units::Side;
use crate::strategy::model::{Model, ModelFile};
use proptest::prelude::*;
use rtrb::RingBuffer;

const MS: i64 = 1_000_000;
/// The venue tells prints at most so late.
const BATCH_NS: i64 = 250 * MS;
const HOLD_NS: i64 = 1_000 * MS;
/// Our clock beside the venue's.
const DELAY_NS: i64 = 7 * MS + 3;

#[derive(Clone, Debug)]
enum What {
    Update(Vec<(Side, u64, u64)>),
    Print(Side, u64, u64),
    Snapshot,
    Lost,
    Finer,
}

/// Something that happens, so many milliseconds after what came before.
type Step = (i64, What);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let side = || prop_oneof![Just(Side::Bid), Just(Side::Ask)];
    let level = (side(), 0..8_u64, prop_oneof![1 => Just(0), 4 => 1..60_u64], prop::bool::weighted(0.03))
        .prop_map(|(side, away, size, wrong)| (side, price(if wrong { other(side) } else { side }, away), size));
    let what = prop_oneof![
        60 => prop::collection::vec(level, 0..5).prop_map(What::Update),
        30 => (side(), 0..4_u64, 1..40_u64).prop_map(|(side, away, lots)| What::Print(side, price(other(side), away), lots)),
        1 => Just(What::Snapshot),
        1 => Just(What::Lost),
        1 => Just(What::Finer),
    ];
    prop::collection::vec((0..40_i64, what), 1..250)
}

fn other(side: Side) -> Side {
    if side == Side::Bid { Side::Ask } else { Side::Bid }
}

fn price(side: Side, away: u64) -> u64 {
    if side == Side::Bid { 999 - away } else { 1_000 + away }
}

fn rules(latency: Latency) -> AccountRules {
    AccountRules {
        threshold_logit: 0.2,
        short: true,
        lag_updates: 6,
        amount: 2_000.0,
        latency,
        depletion: true,
        contract: Contract::default(),
        increments: Increments::default(),
        cap_bps: None,
        limits: Limits { open_orders: 5, ..Limits::default() },
        fees: FeePlan { schedule: FeeSchedule::flat("x", -1.0, 5.0).unwrap(), trailing_value: 0.0 },
        maker: MakerRules {
            offset_ticks: 0,
            timeout_updates: 4,
            after_timeout: AfterTimeout::Take,
            exits: ExitStyle::Post,
            queue: QueueModel::RiskAverse,
        },
        takers_side: false,
    }
}

/// A message: its kind, its number, when the venue sent it, its scale and its events.
type Message = (FrameKind, u64, i64, Scale, Vec<Event>);

/// The messages of a market whose prints are told one by one at once, or in batches.
fn messages(steps: &[Step], batched: bool) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut scale = Scale { price_decimals: 1, size_decimals: 0 };
    let (mut finer, mut now_ns) = (1, 1_000 * MS);
    // The batch in hand: its number, when it began, and its prints.
    let (mut number, mut began_ns, mut batch) = (1_000_000, 0, Vec::new());
    let all = |finer: u64| -> Vec<Event> {
        (0..10)
            .flat_map(|away| [Side::Bid, Side::Ask].map(|side| Event::level(side, finer * price(side, away), 30)))
            .collect()
    };
    let mut tell = |messages: &mut Vec<Message>, batch: &mut Vec<Event>, now_ns: i64, scale: Scale| {
        if !batch.is_empty() {
            messages.push((FrameKind::Prints, number, now_ns, scale, std::mem::take(batch)));
            number += 1;
        }
        number
    };
    messages.push((FrameKind::Snapshot, 0, now_ns, scale, all(finer)));
    let ending = [(20, What::Update(vec![])), (300, What::Update(vec![]))];
    for (at, (after_ms, what)) in steps.iter().chain(&ending).enumerate() {
        now_ns += after_ms * MS + 1;
        let is_end = at + 1 == steps.len() + ending.len();
        // What replaces the book or its scale comes when everything before it has been told.
        let ends_batch = !matches!(what, What::Update(_) | What::Print(..)) || is_end;
        let batch_number = if ends_batch || now_ns >= began_ns + BATCH_NS {
            tell(&mut messages, &mut batch, now_ns - 1, scale)
        } else {
            tell(&mut messages, &mut Vec::new(), now_ns, scale)
        };
        let number = at as u64 + 1;
        match what {
            What::Update(levels) => {
                let event = |&(side, price, size): &(Side, u64, u64)| Event::level(side, finer * price, size);
                messages.push((FrameKind::Update, number, now_ns, scale, levels.iter().map(event).collect()));
            }
            &What::Print(aggressor, price_ticks, size_lots) => {
                let price_ticks = finer * price_ticks;
                let print = Print { aggressor, price_ticks, size_lots, trade_id: number, ts_event_ns: now_ns };
                if batch.is_empty() {
                    began_ns = now_ns;
                }
                batch.extend(print.encode());
                if !batched {
                    messages.push((FrameKind::Prints, batch_number, now_ns, scale, print.encode().to_vec()));
                }
            }
            What::Snapshot => messages.push((FrameKind::Snapshot, number, now_ns, scale, all(finer))),
            What::Lost => messages.push((FrameKind::Invalid(Fault::SequenceGap), number, now_ns, scale, vec![])),
            What::Finer => {
                if scale.price_decimals < 3 {
                    (scale.price_decimals, finer) = (scale.price_decimals + 1, finer * 10);
                }
                messages.push((FrameKind::Update, number, now_ns, scale, vec![]));
            }
        }
    }
    if !batched {
        // The batches were made for their numbers alone.
        messages.retain(|(kind, _, _, _, events)| *kind != FrameKind::Prints || events.len() == 2);
        let mut seen = std::collections::BTreeSet::new();
        messages.retain(|(kind, _, _, _, events)| {
            let print = events.first_chunk().filter(|_| *kind == FrameKind::Prints).map(|&print| Print::decode(print));
            print.is_none_or(|print| seen.insert(print.trade_id))
        });
    }
    messages
}

/// What the accounts do with these messages.
fn run(messages: &[Message], hold_ns: Option<i64>, latency: Latency) -> (Vec<Record>, Option<HoldBackCounts>) {
    let file = ModelFile {
        features: vec!["imbalance_1".into()],
        intercept: 0.0,
        coefficients: vec![1.0],
        ..ModelFile::default()
    };
    let model = Model::from_file("m.json".as_ref(), &file).unwrap();
    let (trades, _taken) = RingBuffer::new(1_000);
    let original = OriginalRules { threshold_logit: f64::INFINITY, lag_updates: 3, buy_amount: 5.0 };
    let trader = Trader::original(model, original, Outputs::of(trades));
    let kinds = [&[AccountKind::Taker][..], &AccountKind::MAKERS].concat();
    let (records, mut told) = RingBuffer::new(1 << 20);
    let desk = Desk::new(&kinds, &rules(latency));
    let trader = match hold_ns {
        None => trader.with_desk(desk, records),
        Some(hold_ns) => trader.with_hold_back(HoldBack::new(desk, hold_ns), records),
    };
    let (recorder, _tables) = recorder(Clock::new(), Duration::MAX);
    let mut engine = Engine::new(vec![trader], recorder, Arc::new(Status::default()));
    for (kind, sequence_num, venue_ns, scale, events) in messages {
        let head = FrameHead {
            kind: *kind,
            product: 0,
            levels: events.len() as u32,
            scale: *scale,
            sequence_num: *sequence_num,
            ts_recv_ns: venue_ns + DELAY_NS,
            ts_event_ns: *venue_ns,
            arrived: UNSTAMPED,
            received: UNMEASURED,
            decoded: UNMEASURED,
            published: UNSTAMPED,
        };
        engine.publish(&head, events).unwrap();
    }
    let report = engine.finish();
    (std::iter::from_fn(|| told.pop().ok()).collect(), report.trader().hold_back)
}

fn latencies() -> impl Strategy<Value = Latency> {
    prop_oneof![Just(Latency::Absent), Just(Latency::Fixed(0)), (1..90_i64).prop_map(|ms| Latency::Fixed(ms * MS))]
}

/// As text: what is not known is not a number.
fn same(records: &[Record], others: &[Record]) -> Result<(), TestCaseError> {
    for (record, other) in records.iter().zip(others) {
        prop_assert_eq!(format!("{record:#?}"), format!("{other:#?}"));
    }
    prop_assert_eq!(records.len(), others.len());
    Ok(())
}

proptest! {
    #[test]
    fn a_late_tape_is_as_good_as_one_told_at_once(steps in steps(), latency in latencies()) {
        let (at_once, _) = run(&messages(&steps, false), None, latency.clone());
        let (late, counts) = run(&messages(&steps, true), Some(HOLD_NS), latency);
        let prints = steps.iter().filter(|(_, what)| matches!(what, What::Print(..))).count() as u64;
        let counts = counts.unwrap();
        prop_assert_eq!((counts.prints, counts.late, counts.untimed, counts.tape_ahead_ns), (prints, 0, 0, 0));
        same(&at_once, &late)?;
    }

    /// Without prints there is nothing to wait for: held or not, the accounts do the same.
    #[test]
    fn without_a_tape_nothing_changes(steps in steps(), latency in latencies(), hold_ms in 0..500_i64) {
        let messages: Vec<Message> =
            messages(&steps, true).into_iter().filter(|message| message.0 != FrameKind::Prints).collect();
        let (at_once, none) = run(&messages, None, latency.clone());
        let (held, _) = run(&messages, Some(hold_ms * MS), latency);
        prop_assert_eq!(none, None);
        same(&at_once, &held)?;
    }
}

/// More updates, or more prints, than there is room for come without any being lost.
#[test]
fn what_finds_no_room_is_let_go_early() {
    let scale = Scale { price_decimals: 1, size_decimals: 0 };
    let both = [Event::level(Side::Bid, 999, 30), Event::level(Side::Ask, 1_000, 30)];
    let snapshot = || (FrameKind::Snapshot, 0, 1_000 * MS, scale, both.to_vec());
    // All within a tenth of a second, and with a size for each side to decide upon.
    let update = |number: u64, levels: usize| {
        let event = Event::level(Side::Bid, 999, 30 + number % 40);
        (FrameKind::Update, number, 1_000 * MS + number as i64, scale, vec![event; levels])
    };
    let at_once = |messages: &[Message]| run(messages, None, Latency::Fixed(1_000)).0;
    for levels in [1, 20] {
        let messages: Vec<Message> =
            std::iter::once(snapshot()).chain((1..40_000).map(|at| update(at, levels))).collect();
        let (held, counts) = run(&messages, Some(HOLD_NS), Latency::Fixed(1_000));
        assert!(counts.unwrap().early >= if levels == 1 { 32_768 } else { 13_107 }, "{counts:?}");
        same(&at_once(&messages), &held).unwrap();
    }
    // A single one that is larger than the room.
    let messages = [snapshot(), update(1, 3), update(2, 300_000), update(3, 3)];
    let (held, counts) = run(&messages, Some(HOLD_NS), Latency::Fixed(1_000));
    assert_eq!(counts.unwrap().early, 1);
    same(&at_once(&messages), &held).unwrap();
    // Prints.
    let print = |at: u64| Print {
        aggressor: Side::Ask,
        price_ticks: 999,
        size_lots: 1,
        trade_id: at,
        ts_event_ns: 1_000 * MS + 5,
    };
    let prints: Vec<Event> = (1..20_000).flat_map(|at| print(at).encode()).collect();
    let messages = [snapshot(), update(1, 1), (FrameKind::Prints, 2, 1_000 * MS + 6, scale, prints), update(9, 1)];
    let (_, counts) = run(&messages, Some(HOLD_NS), Latency::Fixed(1_000));
    let HoldBackCounts { prints, late, early, .. } = counts.unwrap();
    assert_eq!((prints, late, early), (19_999, 0, 1));
}
