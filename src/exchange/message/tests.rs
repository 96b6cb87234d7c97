use super::*;
use crate::feed::coinbase::level2::{BookPart, Parser};
use crate::market::event::{Event, FrameKind, Print};
use crate::market::units::{COUNT_MAX, DECIMALS_MAX, parse_count};
use proptest::prelude::*;

const TIME_NS: i64 = 1_723_161_256_609_369_660;
const SCALE: Scale = Scale { price_decimals: 2, size_decimals: 8 };
const LAYOUTS: [Layout; 2] = [Layout::Year2026, Layout::Year2024];

fn rendered(render: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = b"what was there before".to_vec();
    render(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

const UPDATES: [LevelUpdate; 3] = [
    LevelUpdate { side: Side::Bid, price_ticks: 6_180_470, size_lots: 3_500_000_000 },
    LevelUpdate { side: Side::Ask, price_ticks: 8_385_505_700, size_lots: 1 },
    LevelUpdate { side: Side::Ask, price_ticks: 1, size_lots: 0 },
];

fn levels(kind: L2Kind, updates: &[LevelUpdate]) -> Levels<'_> {
    Levels { kind, product: "BTC-USD", scale: SCALE, updates }
}

#[test]
fn todays_levels_are_the_venues_text() {
    for (kind, name) in [(L2Kind::Snapshot, "snapshot"), (L2Kind::Update, "update")] {
        let text = rendered(|out| l2_data(out, kind, "BTC-USD", 0, TIME_NS, SCALE, &UPDATES));
        let expected = concat!(
            r#"{"channel":"l2_data","timestamp":"2024-08-08T23:54:16.60936966Z","sequence_num":0,"#,
            r#""events":[{"type":"KIND","product_id":"BTC-USD","updates":["#,
            r#"{"side":"bid","event_time":"2024-08-08T23:54:16.576088Z","price_level":"61804.7","new_quantity":"35"},"#,
            r#"{"side":"offer","event_time":"2024-08-08T23:54:16.576088Z","price_level":"83855057","new_quantity":"0.00000001"},"#,
            r#"{"side":"offer","event_time":"2024-08-08T23:54:16.576088Z","price_level":"0.01","new_quantity":"0"}]}]}"#,
        );
        assert_eq!(text, expected.replace("KIND", name));
    }
}

#[test]
fn older_snapshot_is_the_venues_text() {
    let text = rendered(|out| Layout::Year2024.l2_data(out, 0, TIME_NS, &levels(L2Kind::Snapshot, &UPDATES)));
    assert_eq!(
        text,
        concat!(
            r#"{"channel":"l2_data","client_id":"","timestamp":"2024-08-08T23:54:16.609369660Z","sequence_num":0,"#,
            r#""events":[{"type":"snapshot","product_id":"BTC-USD","updates":["#,
            r#"{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"61804.7","new_quantity":"35"},"#,
            r#"{"side":"offer","event_time":"1970-01-01T00:00:00Z","price_level":"83855057","new_quantity":"0.00000001"},"#,
            r#"{"side":"offer","event_time":"1970-01-01T00:00:00Z","price_level":"0.01","new_quantity":"0"}]}]}"#,
        )
    );
}

#[test]
fn older_update_carries_the_frames_time() {
    let text = rendered(|out| Layout::Year2024.l2_data(out, 17, TIME_NS, &levels(L2Kind::Update, &UPDATES[..1])));
    assert_eq!(
        text,
        concat!(
            r#"{"channel":"l2_data","client_id":"","timestamp":"2024-08-08T23:54:16.609369660Z","sequence_num":17,"#,
            r#""events":[{"type":"update","product_id":"BTC-USD","updates":["#,
            r#"{"side":"bid","event_time":"2024-08-08T23:54:16.609369660Z","price_level":"61804.7","new_quantity":"35"}]}]}"#,
        )
    );
}

#[test]
fn times_are_exact_over_the_whole_range() {
    for (time_ns, today, older) in [
        (0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000000Z"),
        (1, "1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"),
        (1_709_164_800_100_000_000, "2024-02-29T00:00:00.1Z", "2024-02-29T00:00:00.100000000Z"),
        (i64::MAX, "2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775807Z"),
        (i64::MIN, "1677-09-21T00:12:43.145224192Z", "1677-09-21T00:12:43.145224192Z"),
    ] {
        for (layout, expected) in LAYOUTS.into_iter().zip([today, older]) {
            let text = rendered(|out| layout.heartbeat(out, 0, time_ns, 0));
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(value["timestamp"], expected);
        }
    }
}

#[test]
fn heartbeats_are_the_venues_text() {
    let beat = |layout: Layout| rendered(|out| layout.heartbeat(out, 3, TIME_NS, 139_651));
    assert_eq!(
        beat(Layout::Year2026),
        concat!(
            r#"{"channel":"heartbeats","timestamp":"2024-08-08T23:54:16.60936966Z","sequence_num":3,"#,
            r#""events":[{"current_time":"2024-08-08 23:54:16.60936966 +0000 UTC m=+139651.000000000","#,
            r#""heartbeat_counter":139651}]}"#,
        )
    );
    assert_eq!(
        beat(Layout::Year2024),
        concat!(
            r#"{"channel":"heartbeats","client_id":"","timestamp":"2024-08-08T23:54:16.609369660Z","sequence_num":3,"#,
            r#""events":[{"current_time":"2024-08-08 23:54:16.60936966 +0000 UTC m=+139651.000000000","#,
            r#""heartbeat_counter":"139651"}]}"#,
        )
    );
}

#[test]
fn subscriptions_list_the_whole_set() {
    let products = ["BTC-USD".to_owned(), "ETH-USD".to_owned()];
    let set = |level2, heartbeats| Some(Subscribed { level2, market_trades: &[], heartbeats });
    let all = Subscribed { level2: &products[..1], market_trades: &products[1..], heartbeats: true };
    for (set, today, older) in [
        (
            set(&products[..], true),
            r#"{"level2":["BTC-USD","ETH-USD"],"heartbeats":["heartbeats"]}"#,
            r#"{"heartbeats":["heartbeats"],"level2":["BTC-USD","ETH-USD"]}"#,
        ),
        (
            Some(all),
            r#"{"level2":["BTC-USD"],"market_trades":["ETH-USD"],"heartbeats":["heartbeats"]}"#,
            r#"{"heartbeats":["heartbeats"],"level2":["BTC-USD"],"market_trades":["ETH-USD"]}"#,
        ),
        (set(&products[..1], false), r#"{"level2":["BTC-USD"]}"#, r#"{"level2":["BTC-USD"]}"#),
        (set(&[], true), r#"{"heartbeats":["heartbeats"]}"#, r#"{"heartbeats":["heartbeats"]}"#),
        (set(&[], false), "{}", "{}"),
        (None, "null", "null"),
    ] {
        for (layout, expected) in LAYOUTS.into_iter().zip([today, older]) {
            let text = rendered(|out| layout.subscriptions(out, 1, TIME_NS, set));
            let (head, tail) = text.split_once(r#""events":"#).expect("events");
            let head_expected = match layout {
                Layout::Year2026 => r#"{"channel":"subscriptions","timestamp":"2024-08-08T23:54:16.60936966Z","#,
                Layout::Year2024 => {
                    r#"{"channel":"subscriptions","client_id":"","timestamp":"2024-08-08T23:54:16.609369660Z","#
                }
            };
            assert_eq!(head, format!(r#"{head_expected}"sequence_num":1,"#));
            assert_eq!(tail, format!(r#"[{{"subscriptions":{expected}}}]}}"#));
        }
    }
}

#[test]
fn prints_are_the_venues_text() {
    let trade =
        |trade_id, maker, price_ticks, size_lots, time_ns| Trade { trade_id, maker, price_ticks, size_lots, time_ns };
    let trades = [
        trade(1_100_253_498, Side::Bid, 8_327_940, 100_000_000, TIME_NS),
        trade(1_100_253_497, Side::Ask, 8_327_935, 720_495, TIME_NS - 9_369_660),
    ];
    let prints = |kind| Prints { kind, product: "BTC-USD", scale: SCALE, trades: &trades };
    let today = rendered(|out| Layout::Year2026.market_trades(out, 39, TIME_NS, &prints(L2Kind::Update)));
    assert_eq!(
        today,
        concat!(
            r#"{"channel":"market_trades","timestamp":"2024-08-08T23:54:16.60936966Z","sequence_num":39,"events":["#,
            r#"{"type":"update","trades":["#,
            r#"{"product_id":"BTC-USD","trade_id":"1100253498","price":"83279.4","size":"1","#,
            r#""time":"2024-08-08T23:54:16.609369Z","side":"BUY"},"#,
            r#"{"product_id":"BTC-USD","trade_id":"1100253497","price":"83279.35","size":"0.00720495","#,
            r#""time":"2024-08-08T23:54:16.6Z","side":"SELL"}]}]}"#,
        )
    );
    let older = rendered(|out| Layout::Year2024.market_trades(out, 39, TIME_NS, &prints(L2Kind::Snapshot)));
    assert_eq!(
        older,
        today
            .replace(
                r#","timestamp":"2024-08-08T23:54:16.60936966Z""#,
                r#","client_id":"","timestamp":"2024-08-08T23:54:16.609369660Z""#
            )
            .replace("update", "snapshot")
            .replace("16.6Z", "16.600000Z")
    );
    // The reader gives back what was written, oldest first.
    for text in [today, older] {
        let mut prints = Vec::new();
        let read = Parser::new("BTC-USD").parse(text.as_bytes(), SCALE, &mut prints).expect("JSON");
        assert!(matches!(read.book, BookPart::Prints(_)), "{text}");
        let (prints, _) = prints.as_chunks();
        for (&print, trade) in prints.iter().zip(trades.iter().rev()) {
            let print = Print::decode(print);
            assert_eq!(
                (print.trade_id, print.price_ticks, print.size_lots),
                (trade.trade_id, trade.price_ticks, trade.size_lots)
            );
            assert_ne!(print.aggressor, trade.maker);
            assert_eq!(print.ts_event_ns, trade.time_ns / 1_000 * 1_000);
        }
    }
}

#[test]
fn text_of_others_is_escaped() {
    assert_eq!(
        rendered(|out| error(out, "no \"channel\" \\ in\n\u{1}")),
        r#"{"type":"error","message":"no \"channel\" \\ in\n\u0001"}"#
    );
    let text = rendered(|out| l2_data(out, L2Kind::Update, "A\"B", 0, 0, SCALE, &[]));
    assert!(text.ends_with(r#""product_id":"A\"B","updates":[]}]}"#), "{text}");
}

#[test]
fn grown_buffer_is_kept() {
    for layout in LAYOUTS {
        let mut out = Vec::new();
        let mut render = |kind| {
            layout.l2_data(&mut out, u64::MAX, TIME_NS, &levels(kind, &UPDATES));
            (out.as_ptr(), out.capacity())
        };
        let first = render(L2Kind::Update);
        assert_eq!(render(L2Kind::Snapshot), first);
        assert_eq!(render(L2Kind::Update), first);
    }
}

#[test]
fn layouts_read_back_by_their_names() {
    for layout in LAYOUTS {
        assert_eq!(layout.to_string().parse(), Ok(layout));
    }
    for text in ["", "2025", "today", " 2026"] {
        let error = text.parse::<Layout>().expect_err("not a layout");
        assert_eq!(error.to_string(), format!("'{text}' is not a layout: 2026 or 2024"));
    }
}

proptest! {
    #[test]
    fn decimals_read_back_and_are_shortest(count in 0..=COUNT_MAX, decimals in 0..=DECIMALS_MAX) {
        let text = rendered(|out| { out.clear(); decimal(out, count, decimals) });
        prop_assert_eq!(parse_count(text.as_bytes(), decimals), Ok(count));
        prop_assert!(!text.contains('.') || !text.ends_with(['0', '.']), "{}", text);
    }

    #[test]
    fn event_times_are_a_little_before_and_never_go_back(
        time_ns in i64::MIN + 1_000_000_000..i64::MAX, step_ns in 0..1_000_000_000_i64,
    ) {
        let event_ns = event_time_ns(time_ns);
        prop_assert!((30_000_000..=45_001_000).contains(&(time_ns - event_ns)), "{}", time_ns - event_ns);
        prop_assert_eq!(event_ns.rem_euclid(1_000), 0);
        prop_assert!(event_time_ns(time_ns.saturating_add(step_ns)) >= event_ns);
    }

    #[test]
    fn messages_are_json_with_exact_levels(
        levels in proptest::collection::vec((any::<bool>(), 0..=COUNT_MAX, 0..=COUNT_MAX), 0..40),
        time_ns: i64,
        sequence_num: u64,
        product in ".*",
        is_today: bool,
    ) {
        let side = |bid| if bid { Side::Bid } else { Side::Ask };
        let updates: Vec<_> = levels
            .iter()
            .map(|&(bid, price_ticks, size_lots)| LevelUpdate { side: side(bid), price_ticks, size_lots })
            .collect();
        let layout = LAYOUTS[usize::from(!is_today)];
        let levels = Levels { kind: L2Kind::Update, product: &product, scale: SCALE, updates: &updates };
        let text = rendered(|out| layout.l2_data(out, sequence_num, time_ns, &levels));
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(&value["sequence_num"], sequence_num);
        prop_assert_eq!(&value["events"][0]["product_id"], &product);
        prop_assert_eq!(value.get("client_id").is_none(), is_today);
        let read_ns = |value: &serde_json::Value| {
            let time: Timestamp = value.as_str().expect("a text").parse().expect("RFC 3339");
            time.as_nanosecond()
        };
        prop_assert_eq!(read_ns(&value["timestamp"]), i128::from(time_ns));
        let event_ns = if is_today { event_time_ns(time_ns) } else { time_ns };
        let read = value["events"][0]["updates"].as_array().expect("levels");
        prop_assert_eq!(read.len(), updates.len());
        for (read, update) in read.iter().zip(&updates) {
            let count = |key: &str, decimals| parse_count(read[key].as_str().expect("a text").as_bytes(), decimals);
            prop_assert_eq!(&read["side"], if update.side == Side::Bid { "bid" } else { "offer" });
            prop_assert_eq!(read_ns(&read["event_time"]), i128::from(event_ns));
            prop_assert_eq!(count("price_level", SCALE.price_decimals), Ok(update.price_ticks));
            prop_assert_eq!(count("new_quantity", SCALE.size_decimals), Ok(update.size_lots));
        }
    }

    /// One parser over messages of both layouts by turns, its fast way and its general one: the same levels.
    #[test]
    fn both_layouts_are_read_alike_by_both_ways(
        frames in proptest::collection::vec(
            (any::<bool>(), any::<bool>(), 0..i64::MAX,
             proptest::collection::vec((any::<bool>(), 1..=1_000_000_000_000_u64, 0..=1_000_000_000_000_u64), 0..40)),
            1..6,
        ),
    ) {
        let (mut fast, mut general) = (Parser::new("BTC-USD"), Parser::new("BTC-USD"));
        let (mut by_fast, mut by_general) = (Vec::new(), Vec::new());
        for ((is_today, is_snapshot, time_ns, drawn), sequence_num) in frames.into_iter().zip(0_u64..) {
            let updates: Vec<_> = drawn
                .into_iter()
                .map(|(is_bid, price_ticks, size_lots)| {
                    LevelUpdate { side: if is_bid { Side::Bid } else { Side::Ask }, price_ticks, size_lots }
                })
                .collect();
            let (kind, expected) = match is_snapshot {
                true => (L2Kind::Snapshot, FrameKind::Snapshot),
                false => (L2Kind::Update, FrameKind::Update),
            };
            let layout = LAYOUTS[usize::from(!is_today)];
            let text = rendered(|out| layout.l2_data(out, sequence_num, time_ns, &levels(kind, &updates)));
            let message = fast.parse(text.as_bytes(), SCALE, &mut by_fast);
            prop_assert_eq!(&message, &general.parse_any_layout(text.as_bytes(), SCALE, &mut by_general));
            let message = message.expect("a message");
            prop_assert_eq!((message.sequence_num, message.ts_event_ns), (Some(sequence_num), time_ns));
            prop_assert_eq!(message.book, BookPart::Frame(expected));
            let expected: Vec<_> =
                updates.iter().map(|level| Event::level(level.side, level.price_ticks, level.size_lots)).collect();
            prop_assert!(by_fast == expected && by_general == expected);
        }
    }
}
