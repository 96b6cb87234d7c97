//! Several products together against their intakes alone, each of which gets every message.

use super::*;
use crate::market::event::{Event, FrameHead, UNMEASURED, UNSTAMPED};
use proptest::prelude::*;
use std::fmt::Write as _;

const PRODUCTS: [&str; 3] = ["BTC-USD", "ETH-USD", "SOL-USDC"];
const ARRIVAL: Arrival = Arrival { ts_recv_ns: 1, arrived: None, received: UNMEASURED, decoded: UNSTAMPED };

/// What each product's engine gets.
#[derive(Default)]
struct Published(Vec<(FrameHead, Vec<Event>)>);

impl Publish for Published {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.0.push((*head, levels.to_vec()));
        Ok(())
    }
}

impl Published {
    fn of(&self, product: u8) -> Vec<(FrameHead, Vec<Event>)> {
        self.0.iter().filter(|(head, _)| head.product == product).cloned().collect()
    }
}

/// One thing that happens to a feed.
#[derive(Clone, Debug)]
enum Step {
    /// A message, without its number.
    Message {
        before: String,
        after: String,
    },
    /// The number jumps.
    Gap,
    /// A text as it is.
    Text(&'static str),
    Connected,
    Disconnected,
    RecordingGap,
    BeginAgain,
}

fn level(price: &str, size: &str) -> String {
    format!(
        r#"{{"side":"bid","event_time":"2026-09-30T02:39:54.18954Z","price_level":"{price}","new_quantity":"{size}"}}"#
    )
}

fn event(kind: &str, product: &str, price: &str, size: &str) -> String {
    let product = if product.is_empty() { String::new() } else { format!(r#""product_id":"{product}","#) };
    format!(r#"{{"type":"{kind}",{product}"updates":[{},{}]}}"#, level(price, size), level("7", "0"))
}

fn trade(product: &str, id: u64, price: &str) -> String {
    format!(
        r#"{{"product_id":"{product}","trade_id":"{id}","price":"{price}","size":"0.5","time":"2026-09-30T02:39:54.18954Z","side":"SELL"}}"#
    )
}

fn message(channel: &str, events: &str) -> Step {
    Step::Message {
        before: format!(r#"{{"channel":"{channel}","timestamp":"2026-09-30T02:39:54.406912Z","sequence_num":"#),
        after: format!(r#","events":[{events}]}}"#),
    }
}

fn steps() -> impl Strategy<Value = Step> {
    // One that a session has, its twin, one that it has not, none.
    let product = prop::sample::select(vec!["BTC-USD", "ETH-USD", "SOL-USDC", "SOL-USD", "XRP-USD", ""]);
    let own = prop::sample::select(PRODUCTS.to_vec());
    let kind = prop::sample::select(vec!["snapshot", "update", "update", "update", "other"]);
    let price =
        prop::sample::select(vec!["61804.7", "61804.75", "9", "0.00000001", "-1", "1e5", "61804.123456789012345678"]);
    let good = prop::sample::select(vec!["61804.7", "9"]);
    let size = prop::sample::select(vec!["0", "0.5", "1.25", "3000000000"]);
    let known = (kind.clone(), own.clone(), good, size.clone())
        .prop_map(|(kind, product, price, size)| message("l2_data", &event(kind, product, price, size)));
    let any = (kind.clone(), product.clone(), price.clone(), size.clone())
        .prop_map(|(kind, product, price, size)| message("l2_data", &event(kind, product, price, size)));
    let several =
        prop::collection::vec((kind.clone(), product.clone(), price.clone(), size), 0..4).prop_map(|events| {
            let events: Vec<String> =
                events.into_iter().map(|(kind, product, price, size)| event(kind, product, price, size)).collect();
            message("l2_data", &events.join(", "))
        });
    let trades = (kind, prop::collection::vec((own, 1..40_u64, price), 0..4), prop::bool::ANY).prop_map(
        |(kind, trades, of_one)| {
            let first = trades.first().map_or("", |&(product, ..)| product);
            let trades: Vec<String> = trades
                .iter()
                .map(|&(product, id, price)| trade(if of_one { first } else { product }, id, price))
                .collect();
            message("market_trades", &format!(r#"{{"type":"{kind}","trades":[{}]}}"#, trades.join(",")))
        },
    );
    let channel = prop::sample::select(vec!["heartbeats", "subscriptions", "status", "l2_data"]);
    let texts = prop::sample::select(vec![
        "{",
        r#"{"channel":"l2_data","events":[]}"#,
        r#"{"type":"error","message":"no"}"#,
        r#"{"type":"error","message":"market_trades is not for you"}"#,
    ]);
    prop_oneof![
        20 => known,
        6 => any,
        4 => several,
        4 => trades,
        3 => channel.prop_map(|channel| message(channel, "")),
        1 => Just(Step::Gap),
        1 => texts.prop_map(Step::Text),
        1 => Just(Step::Connected),
        1 => Just(Step::Disconnected),
        1 => Just(Step::RecordingGap),
        1 => Just(Step::BeginAgain),
    ]
}

/// Does a step to all together and to each alone.
fn take(step: &Step, number: &mut u64, together: &mut (Intakes, Published), alone: &mut [(Intake, Published)]) {
    let (intakes, published) = together;
    let text = match step {
        Step::Message { before, after } => {
            let mut text = before.clone();
            write!(text, "{number}{after}").expect("strings take all");
            *number += 1;
            text
        }
        Step::Text(text) => (*text).into(),
        Step::Gap => {
            *number += 5;
            return;
        }
        Step::Connected => {
            *number = 0;
            intakes.connected(&ARRIVAL, published).unwrap();
            alone.iter_mut().for_each(|(intake, published)| intake.connected(&ARRIVAL, published).unwrap());
            return;
        }
        Step::Disconnected => {
            intakes.disconnected(Fault::Disconnected, "lost", &ARRIVAL, published).unwrap();
            for (intake, published) in alone {
                intake.disconnected(Fault::Disconnected, "lost".into(), &ARRIVAL, published).unwrap();
            }
            return;
        }
        Step::RecordingGap => {
            intakes.fault(Fault::RecordingGap, "gap".into(), &ARRIVAL, published).unwrap();
            for (intake, published) in alone {
                intake.fault(Fault::RecordingGap, "gap".into(), &ARRIVAL, published).unwrap();
            }
            return;
        }
        Step::BeginAgain => {
            intakes.begin_again();
            alone.iter_mut().for_each(|(intake, _)| intake.begin_again());
            return;
        }
    };
    let took = intakes.take(text.as_bytes(), &ARRIVAL, published).unwrap();
    let taken: Vec<Taken> = alone
        .iter_mut()
        .map(|(intake, published)| intake.take(text.as_bytes(), &ARRIVAL, published).unwrap())
        .collect();
    match took.of {
        Of::Product(product) => assert_eq!(took.taken, taken[product], "{text}"),
        Of::All if !matches!(took.taken, Taken::Other) => {
            assert!(taken.iter().all(|taken| *taken == took.taken), "{text}: {took:?} {taken:?}");
        }
        Of::All => assert!(taken.iter().all(|taken| *taken == Taken::Other), "{text}: {taken:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn products_together_are_as_each_alone(
        steps in prop::collection::vec(steps(), 0..80), ambiguous: bool, given in prop::option::of(0..3_u8),
    ) {
        // Two products of one name at the venue, or three of different names.
        let products = if ambiguous { ["SOL-USD", "ETH-USD", "SOL-USDC"] } else { PRODUCTS };
        let rule = ScaleRule { price_decimals: given, size_decimals: None };
        let clock = Clock::new();
        let mut together = (Intakes::new(&products, rule, clock.clone()), Published::default());
        let mut alone = products.map(|product| (Intake::new(product, rule, clock.clone()), Published::default()));
        let mut number = 0;
        for step in &steps {
            take(step, &mut number, &mut together, &mut alone);
        }
        let (intakes, published) = together;
        for (index, (intake, expected)) in alone.into_iter().enumerate() {
            let product = index as u8;
            let expected: Vec<_> =
                expected.0.into_iter().map(|(head, levels)| (FrameHead { product, ..head }, levels)).collect();
            prop_assert_eq!(published.of(product), expected);
            prop_assert_eq!(format!("{:?}", intakes.counts(index)), format!("{:?}", intake.counts()));
            prop_assert_eq!(intakes.intake(index).notes(), intake.notes());
            prop_assert_eq!(intakes.is_synced(index), intake.is_synced());
            prop_assert_eq!(intakes.intake(index).scale(), intake.scale());
            let alias = |intake: &Intake| intake.parser().alias().map(str::to_owned);
            prop_assert_eq!(alias(intakes.intake(index)), alias(&intake));
        }
    }

    /// Of one product it is its intake.
    #[test]
    fn one_product_is_its_intake(steps in prop::collection::vec(steps(), 0..60)) {
        let clock = Clock::new();
        let mut together = (Intakes::new(&["ETH-USD"], ScaleRule::default(), clock.clone()), Published::default());
        let mut alone = [(Intake::new("ETH-USD", ScaleRule::default(), clock), Published::default())];
        let mut number = 0;
        for step in &steps {
            take(step, &mut number, &mut together, &mut alone);
        }
        let [(intake, expected)] = alone;
        prop_assert_eq!(together.1.0, expected.0);
        prop_assert_eq!(format!("{:?}", together.0.counts(0)), format!("{:?}", intake.counts()));
        prop_assert_eq!(together.0.other_products(), intake.parser().other_products().collect::<Vec<_>>());
    }
}

fn text(number: u64, step: &Step) -> String {
    let Step::Message { before, after } = step else { panic!("no message") };
    format!("{before}{number}{after}")
}

#[test]
fn a_fault_of_one_products_levels_leaves_the_others() {
    let rule = ScaleRule { price_decimals: Some(1), size_decimals: None };
    let (mut intakes, mut published) = (Intakes::new(&PRODUCTS, rule, Clock::new()), Published::default());
    intakes.connected(&ARRIVAL, &mut published).unwrap();
    let mut number = 0;
    let mut take = |intakes: &mut Intakes, step: &Step| {
        number += 1;
        intakes.take(text(number - 1, step).as_bytes(), &ARRIVAL, &mut published).unwrap()
    };
    for product in PRODUCTS {
        take(&mut intakes, &message("l2_data", &event("snapshot", product, "9", "1")));
    }
    let synced = |intakes: &Intakes| [0, 1, 2].map(|product| intakes.is_synced(product));
    assert_eq!(synced(&intakes), [true; 3]);
    for (price, fault) in [("-1", Fault::BadNumber), ("9.25", Fault::OffGrid), ("1e30", Fault::BadNumber)] {
        let took = take(&mut intakes, &message("l2_data", &event("update", "ETH-USD", price, "1")));
        let Taken::Fault(note) = &took.taken else { panic!("{took:?}") };
        assert_eq!((took.of, note.fault), (Of::Product(1), fault));
        assert_eq!(synced(&intakes), [true, false, true]);
        let took = take(&mut intakes, &message("l2_data", &event("snapshot", "ETH-USD", "9.5", "1")));
        assert_eq!(took, Took { of: Of::Product(1), taken: Taken::Frame });
        assert_eq!(synced(&intakes), [true; 3]);
    }
    assert_eq!([0, 1, 2].map(|product| intakes.counts(product).faults.total()), [0, 3, 0]);
    assert_eq!([0, 1, 2].map(|product| intakes.counts(product).messages), [9; 3]);
    assert_eq!([0, 1, 2].map(|product| intakes.counts(product).frames), [1, 4, 1]);
    assert_eq!([0, 1, 2].map(|product| intakes.counts(product).other_product_frames), [8, 2, 8]);
}
