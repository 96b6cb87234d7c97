use super::*;
use crate::market::units::Side;
use proptest::prelude::*;
use serde::de::IgnoredAny;

const SCALE: Scale = Scale { price_decimals: 2, size_decimals: 8 };

fn parse_at(message: &str, scale: Scale) -> (Result<Message, Malformed>, Vec<Event>) {
    let mut levels = vec![Event::level(Side::Bid, 9, 9)];
    let message = Parser::new("BTC-USD").parse(message.as_bytes(), scale, &mut levels);
    (message, levels)
}

fn parse(message: &str) -> (Message, Vec<Event>) {
    let (message, levels) = parse_at(message, SCALE);
    (message.unwrap(), levels)
}

fn bid(price_ticks: u64, size_lots: u64) -> Event {
    Event::level(Side::Bid, price_ticks, size_lots)
}

fn ask(price_ticks: u64, size_lots: u64) -> Event {
    Event::level(Side::Ask, price_ticks, size_lots)
}

/// An `l2_data` update of BTC-USD with one level.
fn with_level(level: &str) -> String {
    format!(
        r#"{{"channel":"l2_data","sequence_num":4,"events":[{{"type":"update","product_id":"BTC-USD","updates":[{level}]}}]}}"#
    )
}

#[test]
fn the_usual_layout() {
    let (message, levels) = parse(
        r#"{"channel":"l2_data","timestamp":"2024-08-08T23:54:16.60936966Z","sequence_num":7,"events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2024-08-08T23:54:16.57608Z","price_level":"61804.7","new_quantity":"0.00314"},{"side":"offer","event_time":"2024-08-08T23:54:16.57608Z","price_level":"61805","new_quantity":"0"}]}]}"#,
    );
    assert_eq!((message.channel, message.sequence_num), (Channel::Level2, Some(7)));
    assert_eq!(message.ts_event_ns, 1_723_161_256_609_369_660);
    assert_eq!((message.book, message.venue_error), (BookPart::Frame(FrameKind::Update), None));
    assert_eq!(levels, [bid(6_180_470, 314_000), ask(6_180_500, 0)]);
}

#[test]
fn the_older_layout() {
    let (message, levels) = parse(
        r#"{"channel":"l2_data","client_id":"","timestamp":"2024-08-08T23:54:16.609369665Z","sequence_num":7,"events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"61804.70","new_quantity":"0.00314"},{"side":"offer","event_time":"1970-01-01T00:00:00Z","price_level":"61805","new_quantity":"0.00000000"}]}]}"#,
    );
    assert_eq!(message.channel, Channel::Level2);
    assert_eq!(message.sequence_num, Some(7));
    assert_eq!(message.ts_event_ns, 1_723_161_256_609_369_665);
    assert_eq!(message.book, BookPart::Frame(FrameKind::Update));
    assert_eq!(message.venue_error, None);
    assert_eq!(levels, [bid(6_180_470, 314_000), ask(6_180_500, 0)]);
}

#[test]
fn any_order_white_space_escapes_and_unknown_fields() {
    let (message, levels) = parse(
        " {\n\t\"events\" : [ { \"updates\" : [ { \"new_quantity\" : \"1\" , \"what\":[{}], \"price_level\":\"\\u0031.5\",\
         \"s\\u0069de\":\"as\\u006b\"} ] , \"x\":null, \"product_id\":\"BTC\\u002dUSD\",\"type\":\"snapshot\" } ],\
         \"more\":{\"events\":[1]},\"sequence_num\": 0 , \"channel\":\"l2\\u005fdata\"}  ",
    );
    assert_eq!(message.book, BookPart::Frame(FrameKind::Snapshot));
    assert_eq!(message.sequence_num, Some(0));
    assert_eq!(levels, [ask(150, 100_000_000)]);
}

#[test]
fn several_events_and_products() {
    let event = |kind: &str, product: &str, price: u64| {
        format!(
            r#"{{"type":"{kind}","product_id":"{product}","updates":[{{"side":"bid","price_level":"{price}","new_quantity":"1"}}]}}"#
        )
    };
    let message_of =
        |events: &[String]| format!(r#"{{"channel":"l2_data","sequence_num":1,"events":[{}]}}"#, events.join(","));
    let one = 100_000_000;
    let (message, levels) = parse(&message_of(&[
        event("update", "BTC-USD", 1),
        event("update", "ETH-USD", 2),
        event("update", "BTC-USD", 3),
    ]));
    assert_eq!(message.book, BookPart::Frame(FrameKind::Update));
    assert_eq!(levels, [bid(100, one), bid(300, one)]);

    // A snapshot makes void what stands before it; what follows changes it.
    let (message, levels) = parse(&message_of(&[
        event("update", "BTC-USD", 1),
        event("snapshot", "BTC-USD", 2),
        event("update", "BTC-USD", 3),
    ]));
    assert_eq!(message.book, BookPart::Frame(FrameKind::Snapshot));
    assert_eq!(levels, [bid(200, one), bid(300, one)]);

    let (message, _) = parse(&message_of(&[event("update", "ETH-USD", 1)]));
    assert_eq!(message.book, BookPart::None);
    let (message, levels) = parse(&message_of(&[event("surprise", "BTC-USD", 1), event("update", "BTC-USD", 2)]));
    assert_eq!(message.book, BookPart::Frame(FrameKind::Update));
    assert_eq!(levels, [bid(200, one)]);
    let (message, _) = parse(r#"{"channel":"l2_data","sequence_num":1,"events":[]}"#);
    assert_eq!(message.book, BookPart::None);
}

#[test]
fn faults_of_another_product_are_not_ours() {
    // The product comes after its levels, whose numbers would be errors or would refine the scale.
    let (message, levels) = parse(
        r#"{"channel":"l2_data","sequence_num":1,"events":[{"updates":[{"side":"bid","price_level":"1e400","new_quantity":"1"},{"side":"bid","price_level":"0.00000001","new_quantity":"1"}],"type":"update","product_id":"PEPE-USD"},{"type":"update","product_id":"BTC-USD","updates":[]}]}"#,
    );
    assert_eq!(message.book, BookPart::Frame(FrameKind::Update));
    assert_eq!(levels, []);
}

#[test]
fn other_products_and_aliases_are_remembered() {
    let message = |product: &str| {
        format!(
            r#"{{"channel":"l2_data","sequence_num":1,"events":[{{"type":"snapshot","product_id":"{product}","updates":[]}}]}}"#
        )
    };
    let mut parser = Parser::new("BTC-USDC");
    let mut parse = |product: &str| parser.parse(message(product).as_bytes(), SCALE, &mut Vec::new()).unwrap().book;
    assert_eq!(parse("ETH-USD"), BookPart::None);
    assert_eq!(parse("ETH-USD"), BookPart::None);
    assert_eq!(parse("BTC-USD"), BookPart::Frame(FrameKind::Snapshot));
    assert_eq!(parse("BTC-USD"), BookPart::Frame(FrameKind::Snapshot));
    for n in 0..100 {
        parse(&format!("P{n}"));
    }
    assert_eq!(parser.alias(), Some("BTC-USD"));
    assert_eq!(parser.other_products().count(), OTHER_PRODUCTS_MAX);
    assert_eq!(parser.other_products().next(), Some("ETH-USD"));
    assert_eq!(Parser::new("BTC-USD").alias(), None);
}

/// The venue streams BTC-USDC as BTC-USD, but USDT-USDC and USDT-USD are two markets.
#[test]
fn a_twin_is_another_market_once_the_product_has_levels_of_its_own() {
    let message = |kind: &str, product: &str| {
        format!(
            r#"{{"channel":"l2_data","sequence_num":1,"events":[{{"type":"{kind}","product_id":"{product}","updates":[]}}]}}"#
        )
    };
    // Both layouts, and both orders of arrival.
    for spaces in ["", " "] {
        let mut parser = Parser::new("USDT-USDC");
        let mut parse = |kind: &str, product: &str| {
            let text = message(kind, product).replace(':', &format!(":{spaces}"));
            parser.parse(text.as_bytes(), SCALE, &mut Vec::new()).unwrap().book
        };
        assert_eq!(parse("snapshot", "USDT-USDC"), BookPart::Frame(FrameKind::Snapshot));
        assert_eq!(parse("snapshot", "USDT-USD"), BookPart::None);
        assert_eq!(parse("update", "USDT-USD"), BookPart::None);
        assert_eq!(parse("update", "USDT-USDC"), BookPart::Frame(FrameKind::Update));
        assert_eq!(parser.alias(), None);
        assert_eq!(parser.other_products().collect::<Vec<_>>(), ["USDT-USD"]);

        // The venue's alias: until a snapshot of its own the product is streamed under the other name.
        let mut parser = Parser::new("USDT-USDC");
        let mut parse = |kind: &str, product: &str| {
            let text = message(kind, product).replace(':', &format!(":{spaces}"));
            parser.parse(text.as_bytes(), SCALE, &mut Vec::new()).unwrap().book
        };
        assert_eq!(parse("update", "USDT-USD"), BookPart::Frame(FrameKind::Update));
        assert_eq!(parse("snapshot", "USDT-USD"), BookPart::Frame(FrameKind::Snapshot));
        assert_eq!(parse("update", "USDT-USDC"), BookPart::None);
        assert_eq!(parse("snapshot", "USDT-USDC"), BookPart::Frame(FrameKind::Snapshot));
        assert_eq!(parse("update", "USDT-USDC"), BookPart::Frame(FrameKind::Update));
        assert_eq!(parse("update", "USDT-USD"), BookPart::None);
        assert_eq!(parse("snapshot", "USDT-USD"), BookPart::None);
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize, open: &str, close: &str| {
        format!(r#"{{"channel":"other","meta":{}1{}}}"#, open.repeat(depth), close.repeat(depth))
    };
    let is_malformed = |text: &str| Parser::new("P").parse(text.as_bytes(), SCALE, &mut Vec::new()).is_err();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]"), (r#"["]}",{"a":"#, "}]")] {
        let each = close.len();
        // Within the message's own object.
        let deepest = 127 / each;
        assert!(!is_malformed(&nested(deepest, open, close)), "{open}");
        assert!(is_malformed(&nested(deepest + 1, open, close)), "{open}");
        assert!(is_malformed(&nested(1_000_000, open, close)), "{open}");
        assert!(is_malformed(&nested(1_000_000, open, "")), "{open}");
    }
    // Brackets in strings are text.
    let text = format!(r#"{{"channel":"other","meta":"{}"}}"#, "[{\\\"".repeat(10_000));
    assert!(!is_malformed(&text));
}

#[test]
fn null_is_an_empty_list() {
    let message = |updates: &str| {
        let head =
            r#"{"channel":"l2_data","sequence_num":1,"events":[{"type":"update","product_id":"BTC-USD","updates":"#;
        let text = format!("{head}{updates}}}]}}");
        Parser::new("BTC-USD").parse(text.as_bytes(), SCALE, &mut Vec::new()).unwrap().book
    };
    assert_eq!(message("null"), BookPart::Frame(FrameKind::Update));
    assert_eq!(message("null"), message("[]"));
    assert!(matches!(message("{}"), BookPart::Impossible(_)) && matches!(message("7"), BookPart::Impossible(_)));
    let none = br#"{"channel":"l2_data","sequence_num":1,"events":null}"#;
    assert_eq!(Parser::new("P").parse(none, SCALE, &mut Vec::new()).unwrap().book, BookPart::None);
}

/// Sixty-four names of a message's length each would be gigabytes.
#[test]
fn names_beyond_the_bound_are_not_remembered() {
    let mut parser = Parser::new("BTC-USD");
    for length in [PRODUCT_BYTES_MAX, PRODUCT_BYTES_MAX + 1, 1 << 20] {
        let message = format!(
            r#"{{"channel":"l2_data","sequence_num":1,"events":[{{"type":"update","product_id":"{}","updates":[]}}]}}"#,
            "P".repeat(length)
        );
        assert_eq!(parser.parse(message.as_bytes(), SCALE, &mut Vec::new()).unwrap().book, BookPart::None);
    }
    assert_eq!(parser.other_products().map(str::len).collect::<Vec<_>>(), [PRODUCT_BYTES_MAX]);
}

#[test]
fn finer_numbers_ask_for_a_scale() {
    let level = r#"{"side":"bid","price_level":"61804.7250","new_quantity":"3.5"}"#;
    let (message, _) = parse_at(&with_level(level), Scale::default());
    let needs = Scale { price_decimals: 3, size_decimals: 1 };
    assert_eq!(message.unwrap().book, BookPart::Finer(needs));
    let (message, levels) = parse_at(&with_level(level), needs);
    assert_eq!(message.unwrap().book, BookPart::Frame(FrameKind::Update));
    assert_eq!(levels, [bid(61_804_725, 35)]);
}

#[test]
fn impossible_levels_are_named() {
    let with = |side: &str, price: &str, quantity: &str| {
        with_level(&format!(
            r#"{{"side":"bid","price_level":"1","new_quantity":"1"}},{{"side":"{side}","price_level":"{price}","new_quantity":"{quantity}"}}"#
        ))
    };
    let long = "1234567890123456789012345678901234567890";
    let longest = "9".repeat(60);
    for (message, fault, text) in [
        (with("buy", "1", "1"), Fault::UnknownSide, "level 1: side 'buy' is neither bid nor offer".to_string()),
        (with("bid", "-1", "1"), Fault::BadNumber, "level 1: price_level '-1' is negative".into()),
        (with("bid", "1", "-0.5"), Fault::BadNumber, "level 1: new_quantity '-0.5' is negative".into()),
        (with("bid", "", "1"), Fault::BadNumber, "level 1: price_level '' is empty".into()),
        (with("bid", "1", ""), Fault::BadNumber, "level 1: new_quantity '' is empty".into()),
        (with("bid", "0.00", "1"), Fault::BadNumber, "level 1: price_level is zero".into()),
        (with("bid", "1e400", "1"), Fault::BadNumber, "level 1: price_level '1e400' is not a decimal number".into()),
        (with("bid", "NaN", "1"), Fault::BadNumber, "level 1: price_level 'NaN' is not a decimal number".into()),
        (with("bid", "1", long), Fault::NumberTooLarge, format!("level 1: new_quantity '{long}' is too large")),
        (
            with("bid", &longest, "1"),
            Fault::NumberTooLarge,
            format!("level 1: price_level '{}…' is too large", &longest[..48]),
        ),
        (
            with("bid", "0.1234567890123456789", "1"),
            Fault::NumberTooLarge,
            "level 1: price_level '0.1234567890123456789' needs 19 decimals".into(),
        ),
        (with("bid", "a\\nb", "1"), Fault::BadNumber, "level 1: price_level 'a\\nb' is not a decimal number".into()),
        (
            with_level(r#"{"side":"bid","price_level":61804.7,"new_quantity":"1"}"#),
            Fault::Malformed,
            "level 0: it is no object of side, price and quantity".into(),
        ),
        (with_level("7"), Fault::Malformed, "level 0: it is no object of side, price and quantity".into()),
        (
            r#"{"channel":"l2_data","events":[{"type":"update","product_id":"BTC-USD","updates":{}}]}"#.into(),
            Fault::Malformed,
            "level 0: it has updates that are no array".into(),
        ),
        (
            r#"{"channel":"l2_data","events":[{"type":"update","product_id":"BTC-USD"}]}"#.into(),
            Fault::Malformed,
            "level 0: it has no updates".into(),
        ),
        (
            r#"{"channel":"l2_data","events":[{"product_id":"BTC-USD","updates":[]}]}"#.into(),
            Fault::Malformed,
            "level 0: it has no type".into(),
        ),
        (
            r#"{"channel":"l2_data","events":[{"type":"update","updates":[]}]}"#.into(),
            Fault::Malformed,
            "level 0: it has no product_id".into(),
        ),
    ] {
        let BookPart::Impossible(error) = parse(&message).0.book else { panic!("{message} passes") };
        assert_eq!((error.fault, error.to_string()), (fault, text), "{message}");
    }
}

#[test]
fn other_channels_are_passed_over_whatever_they_hold() {
    for (text, channel, error) in [
        (
            r#"{"channel":"heartbeats","timestamp":"2023-06-23T20:31:56.121961769Z","sequence_num":3,"events":[{"current_time":"x","heartbeat_counter":3049}]}"#,
            Channel::Heartbeats,
            None,
        ),
        (
            r#"{"channel":"subscriptions","sequence_num":3,"events":[{"subscriptions":{"level2":["BTC-USD"]}}]}"#,
            Channel::Subscriptions,
            None,
        ),
        (
            r#"{"channel":"ticker","sequence_num":3,"events":[{"type":"snapshot","tickers":[1,{}]},3,[],null]}"#,
            Channel::Other,
            None,
        ),
        (r#"{"channel":7,"sequence_num":3,"timestamp":[],"events":{"a":true}}"#, Channel::Other, None),
        (r#"{"type":"error","message":"channel required","sequence_num":3}"#, Channel::Other, Some("channel required")),
        (r#"{"type":"error","sequence_num":3}"#, Channel::Other, Some("")),
    ] {
        let (message, _) = parse(text);
        assert_eq!(message.sequence_num, Some(3), "{text}");
        assert_eq!(
            (message.channel, message.book, message.venue_error.as_deref()),
            (channel, BookPart::None, error),
            "{text}"
        );
    }
    assert_eq!(parse("{}").0.sequence_num, None);
    assert_eq!(parse(r#"{"sequence_num":-1}"#).0.sequence_num, None);
    assert_eq!(parse(r#"{"sequence_num":"7"}"#).0.sequence_num, None);
}

#[test]
fn what_is_no_message_object_is_malformed() {
    for text in [
        "",
        " ",
        "7",
        "[]",
        "null",
        "{",
        "{]",
        r#"{"a":}"#,
        r#"{"a":1}x"#,
        r#"{"a":1}{"#,
        "{\"a\":\"\n\"}",
        "\u{feff}{}",
    ] {
        assert!(parse_at(text, SCALE).0.is_err(), "{text:?} passes");
    }
    let invalid_utf8 = b"{\"channel\":\"\xff\xfe\"}";
    assert_eq!(Parser::new("BTC-USD").parse(invalid_utf8, SCALE, &mut Vec::new()), Err(Malformed::Utf8));
    let error = parse_at(r#"{"a":1}x"#, SCALE).0.unwrap_err();
    assert!(error.to_string().starts_with("not a JSON object, from byte "), "{error}");
}

/// By the grammar (RFC 8259), but for escapes of no character and numbers that are no double, which a reader may refuse, and for
/// nesting, whose depth it may bound.
#[test]
fn what_is_passed_over_is_json_still() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(100), close.repeat(100));
    let values = [
        (true, r#""\\u12G4""#.into()),
        (true, r#""\\\u1234""#.into()),
        (true, "9".repeat(300)),
        (true, deep("[", "]")),
        (true, deep(r#"{"a":"#, "}")),
        (false, r#""\u12G4""#.into()),
        (false, r#""\u123""#.into()),
        (false, r#""\\\u123""#.into()),
        (false, r#""\u""#.into()),
        (false, r#""\q""#.into()),
        (false, "\"\u{1}\"".into()),
        (false, "01".into()),
        (false, "-".into()),
        (false, "1.".into()),
        (false, "[1,]".into()),
        (false, "[1 2]".into()),
        (false, "[}".into()),
        (false, r#"{"b" 1}"#.into()),
        (false, r#"{"b":1,}"#.into()),
        (false, "truex".into()),
    ];
    for (is_json, value) in values {
        for text in [format!(r#"{{"a":{value}}}"#), format!(r#"{{"a":[{{"b":{value}}}],"c":1}}"#)] {
            assert_eq!(serde_json::from_str::<IgnoredAny>(&text).is_ok(), is_json, "{text}");
            assert_eq!(parse_at(&text, SCALE).0.is_ok(), is_json, "{text}");
        }
    }
    for refused in [r#"{"a":"\ud800"}"#, r#"{"a":1e999}"#] {
        assert!(parse_at(refused, SCALE).0.is_err(), "{refused}");
    }
    let error = parse_at(r#"{"a":"\\","b":"\u12G4"}"#, SCALE).0.unwrap_err();
    assert_eq!(error, Malformed::Json { offset: 20 });
}

/// The obvious parser of a well-formed update, by typed structures.
mod twin {
    use serde::Deserialize;

    #[derive(Deserialize)]
    pub struct Message {
        pub sequence_num: u64,
        pub events: Vec<Event>,
    }

    #[derive(Deserialize)]
    pub struct Event {
        pub updates: Vec<Level>,
    }

    #[derive(Deserialize)]
    pub struct Level {
        pub side: String,
        pub price_level: String,
        pub new_quantity: String,
    }
}

proptest! {
    #[test]
    fn agrees_with_typed_structures(
        sequence_num: u64,
        levels in prop::collection::vec((any::<bool>(), 1..1_000_000_000_u64, 0..1_000_000_000_000_u64, 0..4_usize), 0..30),
        pretty: bool,
    ) {
        let updates: Vec<_> = levels.iter().map(|&(is_ask, price, size, zeros)| serde_json::json!({
            "side": if is_ask { "offer" } else { "bid" },
            "event_time": "2024-08-08T23:54:16Z",
            "price_level": format!("{}.{:02}{}", price / 100, price % 100, "0".repeat(zeros)),
            "new_quantity": format!("{}.{:08}", size / 100_000_000, size % 100_000_000),
        })).collect();
        // serde_json sorts keys: the product comes before the type and both before the updates.
        let value = serde_json::json!({
            "channel": "l2_data", "sequence_num": sequence_num,
            "events": [{"type": "update", "product_id": "BTC-USD", "updates": updates}],
        });
        let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let (message, events) = parse(&text);
        prop_assert_eq!(message.book, BookPart::Frame(FrameKind::Update));

        let twin: twin::Message = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(message.sequence_num, Some(twin.sequence_num));
        let twin_levels: Vec<(bool, f64, f64)> = twin.events[0].updates.iter()
            .map(|level| (level.side == "offer", level.price_level.parse().unwrap(), level.new_quantity.parse().unwrap()))
            .collect();
        let ours: Vec<(bool, f64, f64)> = events.iter()
            .map(|event| (event.side() == Side::Ask, event.price_ticks() as f64 / 1e2, event.size_lots() as f64 / 1e8))
            .collect();
        prop_assert_eq!(ours, twin_levels);
    }

    #[test]
    fn no_mutation_panics(
        cuts in prop::collection::vec((0..400_usize, any::<u8>()), 1..6),
        end in 0..400_usize,
    ) {
        let mut bytes = with_level(r#"{"side":"bid","event_time":"2024-08-08T23:54:16Z","price_level":"61804.70","new_quantity":"0.00314000"}"#).into_bytes();
        for (at, byte) in cuts {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        bytes.truncate(end.max(1));
        let mut levels = Vec::new();
        let parsed = Parser::new("BTC-USD").parse(&bytes, SCALE, &mut levels);
        // Whatever passes is valid JSON to an independent reader as well.
        if parsed.is_ok() {
            prop_assert!(serde_json::from_slice::<IgnoredAny>(&bytes).is_ok());
        }
    }
}
