//! Arbitrary messages in arbitrary order through the intake and the engine. A second, slow reading of the same messages
//! says after each whether there is a book and which; on any other there must be no evaluation, no purchase and no sale.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use papertrader::base::clock::Clock;
use papertrader::engine::Engine;
use papertrader::engine::latency::recorder;
use papertrader::engine::observation::Observation;
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::execution::ledger::Trade;
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::intake::{Arrival, Intake, ScaleRule, Taken};
use papertrader::market::book::BookState;
use papertrader::market::event::{Event, Fault, FrameHead};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::strategy::model::{Model, ModelFile};
use rtrb::{Consumer, RingBuffer};
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct LevelText {
    side: u8,
    price: u16,
    price_decimals: u8,
    size: u16,
    size_decimals: u8,
    zeros: u8,
}

#[derive(Arbitrary, Debug)]
struct Event2<'a> {
    is_snapshot: bool,
    product: u8,
    levels: Vec<LevelText>,
    odd: Option<&'a str>,
}

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    /// What the venue sends: the next number, or one so far off.
    Message {
        skip: i8,
        usual_layout: bool,
        events: Vec<Event2<'a>>,
    },
    Heartbeat {
        skip: i8,
    },
    VenueError {
        skip: i8,
    },
    /// Bytes of any kind.
    Raw(&'a [u8]),
    /// The session ends a connection and makes another.
    Reconnect {
        fault: u8,
    },
    Connected,
    Disconnected {
        fault: u8,
    },
}

/// A level as exact counts of 10^-8.
type Counts = BTreeMap<u128, u128>;

/// What ought to be known.
#[derive(Default)]
struct Oracle {
    expected: Option<u64>,
    book: Option<[Counts; 2]>,
    /// The name of the last snapshot, as a place in [`PRODUCTS`].
    name: Option<usize>,
}

enum Verdict {
    Nothing,
    Fault,
    Snapshot(Vec<(usize, u128, u128)>),
    Update(Vec<(usize, u128, u128)>),
}

struct Watched {
    engine: Engine,
    trades: Consumer<Trade>,
    observations: Consumer<Observation>,
    /// What came out since the last look: evaluations and sales.
    evaluated: u64,
    sold: u64,
}

impl Publish for Watched {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        let was_live = self.engine.book().state() == BookState::Live;
        self.engine.publish(head, levels)?;
        let is_live = self.engine.book().state() == BookState::Live;
        let (mut evaluated, mut sold) = (0, 0);
        let mut observed = 0;
        while let Ok(observation) = self.observations.pop() {
            observed += 1;
            evaluated += u64::from(observation.evaluation.is_some());
        }
        while self.trades.pop().is_ok() {
            sold += 1;
        }
        assert_eq!(
            observed,
            u64::from(is_live && head.kind.is_book_frame()),
            "observed without a book, or not with one"
        );
        assert!(evaluated <= observed, "evaluated without a book");
        assert!(sold == 0 || was_live || is_live, "sold without a book");
        self.evaluated += evaluated;
        self.sold += sold;
        Ok(())
    }
}

fn watched() -> Watched {
    let file = ModelFile {
        features: vec!["imbalance_1".into()],
        intercept: 0.0,
        coefficients: vec![1.0],
        ..ModelFile::default()
    };
    let model = Model::from_file(Path::new("m.json"), &file).expect("a model");
    // Buys whatever it sees.
    let settings = OriginalRules { threshold_logit: -1e9, lag_updates: 2, buy_amount: 5.0 };
    let (recorder, _) = recorder(Clock::new(), Duration::from_secs(3_600));
    let (trades, trades_out) = RingBuffer::new(64);
    let (observations, observations_out) = RingBuffer::new(64);
    let outputs = Outputs { observations: Some(observations), ..Outputs::of(trades) };
    let engine = Engine::new(vec![Trader::original(model, settings, outputs)], recorder, Arc::new(Status::default()));
    Watched { engine, trades: trades_out, observations: observations_out, evaluated: 0, sold: 0 }
}

const PRODUCTS: [&str; 3] = ["BTC-USD", "BTC-USDC", "ETH-USD"];
const SIDES: [&str; 4] = ["bid", "offer", "ask", "buy"];

impl LevelText {
    /// Mostly one of the good ones.
    fn side(&self) -> usize {
        if self.side >= 250 { 3 } else { usize::from(self.side) % 3 }
    }

    fn price_decimals(&self) -> u32 {
        u32::from(self.price_decimals) % 4
    }

    fn size_decimals(&self) -> u32 {
        u32::from(self.size_decimals) % 4
    }

    fn decimal(count: u16, decimals: u32, zeros: u8) -> String {
        let unit = 10_u32.pow(decimals);
        let (whole, fraction) = (u32::from(count) / unit, u32::from(count) % unit);
        if decimals == 0 {
            return whole.to_string();
        }
        format!("{whole}.{fraction:0width$}{}", "0".repeat(usize::from(zeros % 4)), width = decimals as usize)
    }

    fn text(&self) -> String {
        format!(
            r#"{{"side":"{}","event_time":"2024-08-08T23:54:16Z","price_level":"{}","new_quantity":"{}"}}"#,
            SIDES[self.side()],
            Self::decimal(self.price, self.price_decimals(), self.zeros),
            Self::decimal(self.size, self.size_decimals(), self.zeros)
        )
    }

    /// Side, price and size in 10^-8; none if it is impossible under the given grid.
    fn exact(&self, grid: Option<(u32, u32)>) -> Option<(usize, u128, u128)> {
        let exact = |count: u16, decimals: u32| u128::from(count) * 10_u128.pow(8 - decimals);
        let (price, size) = (exact(self.price, self.price_decimals()), exact(self.size, self.size_decimals()));
        let on_grid = grid.is_none_or(|(price_decimals, size_decimals)| {
            price % 10_u128.pow(8 - price_decimals) == 0 && size % 10_u128.pow(8 - size_decimals) == 0
        });
        (self.side() < 3 && price > 0 && on_grid).then_some((usize::from(self.side() > 0), price, size))
    }
}

/// The product's own name is the second; the first is the twin under which the venue may stream it.
const OWN: usize = 1;

/// Whether levels of an event are those of the market, where the last snapshot came under `known`; else the name after it.
fn ours(event: &Event2<'_>, known: Option<usize>) -> Option<Option<usize>> {
    let name = usize::from(event.product) % 3;
    match (name, event.is_snapshot) {
        (2, _) => None,
        (OWN, true) => Some(Some(OWN)),
        (name, true) => (known != Some(OWN)).then_some(Some(name)),
        (name, false) => known.is_none_or(|known| known == name).then_some(known),
    }
}

fn message(number: u64, usual_layout: bool, events: &[Event2<'_>]) -> String {
    let events: Vec<String> = events
        .iter()
        .map(|event| {
            let levels: Vec<String> = event.levels.iter().map(LevelText::text).collect();
            let (kind, product) =
                (if event.is_snapshot { "snapshot" } else { "update" }, PRODUCTS[usize::from(event.product) % 3]);
            let levels = levels.join(",");
            match event.odd {
                None => format!(r#"{{"type":"{kind}","product_id":"{product}","updates":[{levels}]}}"#),
                Some(odd) => format!(
                    r#"{{"updates":[{levels}],"x":{},"product_id":"{product}","type":"{kind}"}}"#,
                    serde_json::Value::from(odd)
                ),
            }
        })
        .collect();
    let events = events.join(",");
    if usual_layout {
        // Today's layout, and the older one with its client.
        let client = if number.is_multiple_of(4) { r#""client_id":"","# } else { "" };
        format!(
            r#"{{"channel":"l2_data",{client}"timestamp":"2024-08-08T23:54:16.609Z","sequence_num":{number},"events":[{events}]}}"#
        )
    } else {
        format!(r#"{{ "events": [{events}] , "sequence_num": {number}, "channel":"l2_data" }}"#)
    }
}

/// What the events of a message mean together.
fn meaning(events: &[Event2<'_>], grid: Option<(u32, u32)>, name: &mut Option<usize>) -> Verdict {
    let mut known = *name;
    let mut is_snapshot = false;
    let mut levels = Vec::new();
    let mut any = false;
    for event in events {
        let Some(after) = ours(event, known) else { continue };
        known = after;
        any = true;
        if event.is_snapshot {
            levels.clear();
            is_snapshot = true;
        }
        for level in &event.levels {
            match level.exact(grid) {
                Some(level) => levels.push(level),
                None => return Verdict::Fault,
            }
        }
    }
    *name = known;
    match (any, is_snapshot) {
        (false, _) => Verdict::Nothing,
        (true, true) => Verdict::Snapshot(levels),
        (true, false) => Verdict::Update(levels),
    }
}

impl Oracle {
    fn number(&mut self, number: u64) {
        if self.expected.is_some_and(|expected| expected != number) {
            self.book = None;
        }
        self.expected = Some(number.wrapping_add(1));
    }

    fn take(&mut self, verdict: Verdict) {
        let set = |book: &mut [Counts; 2], levels: Vec<(usize, u128, u128)>| {
            for (side, price, size) in levels {
                match size {
                    0 => book[side].remove(&price),
                    _ => book[side].insert(price, size),
                };
            }
        };
        match verdict {
            Verdict::Nothing => {}
            Verdict::Fault => self.book = None,
            Verdict::Snapshot(levels) => set(self.book.insert(Default::default()), levels),
            Verdict::Update(levels) => {
                if let Some(book) = &mut self.book {
                    set(book, levels);
                }
            }
        }
    }
}

fn check(watched: &Watched, oracle: &Oracle) {
    let book = watched.engine.book();
    assert_eq!(
        book.state() == BookState::Live,
        oracle.book.is_some(),
        "a book where there is none, or none where there is"
    );
    let Some([bids, asks]) = &oracle.book else { return };
    let scale = book.scale();
    let (tick, lot) =
        (10_u128.pow(8 - u32::from(scale.price_decimals)), 10_u128.pow(8 - u32::from(scale.size_decimals)));
    let exact = |price: u64, size: u64| (u128::from(price) * tick, u128::from(size) * lot);
    let ours = book.bids().levels().map(|level| exact(level.price_ticks, level.size_lots));
    assert!(ours.eq(bids.iter().rev().map(|(&price, &size)| (price, size))), "bids differ");
    let ours = book.asks().levels().map(|level| exact(level.price_ticks, level.size_lots));
    assert!(ours.eq(asks.iter().map(|(&price, &size)| (price, size))), "asks differ");
}

fuzz_target!(|input: (bool, Vec<Act<'_>>)| {
    let (given, acts) = input;
    let grid = given.then_some((2, 2));
    let rule = ScaleRule { price_decimals: given.then_some(2), size_decimals: given.then_some(2) };
    let mut intake = Intake::new("BTC-USDC", rule, Clock::new());
    let mut watched = watched();
    let mut oracle = Oracle::default();
    let arrival = |n: usize| Arrival { ts_recv_ns: n as i64, arrived: None, received: n as u64, decoded: n as u64 };
    let fault_of = |fault: u8| Fault::ALL[usize::from(fault) % Fault::ALL.len()];
    for (n, act) in acts.iter().enumerate() {
        let arrival = arrival(n);
        let next = oracle.expected.unwrap_or(0);
        let off = |skip: i8| if skip.unsigned_abs() < 100 { next } else { next.wrapping_add_signed(i64::from(skip)) };
        let (evaluated, sold) = (watched.evaluated, watched.sold);
        let was_live = oracle.book.is_some();
        match act {
            Act::Message { skip, usual_layout, events } => {
                let text = message(off(*skip), *usual_layout, events);
                oracle.number(off(*skip));
                let verdict = meaning(events, grid, &mut oracle.name);
                oracle.take(verdict);
                intake.take(text.as_bytes(), &arrival, &mut watched).expect("the engine is there");
            }
            Act::Heartbeat { skip } => {
                let text = format!(r#"{{"channel":"heartbeats","sequence_num":{},"events":[]}}"#, off(*skip));
                oracle.number(off(*skip));
                intake.take(text.as_bytes(), &arrival, &mut watched).expect("the engine is there");
            }
            Act::VenueError { skip } => {
                let text = format!(r#"{{"type":"error","message":"no","sequence_num":{}}}"#, off(*skip));
                oracle.number(off(*skip));
                oracle.take(Verdict::Fault);
                intake.take(text.as_bytes(), &arrival, &mut watched).expect("the engine is there");
            }
            Act::Raw(bytes) => {
                let taken = intake.take(bytes, &arrival, &mut watched).expect("the engine is there");
                // No book comes from what is no JSON; one that does come from bytes like these is the parser's affair.
                match taken {
                    Taken::Fault(_) => {}
                    _ => assert!(serde_json::from_slice::<IgnoredAny>(bytes).is_ok()),
                }
                // Whatever it was, the connection ends here for both.
                intake
                    .disconnected(Fault::Malformed, String::new(), &arrival, &mut watched)
                    .expect("the engine is there");
                intake.connected(&arrival, &mut watched).expect("the engine is there");
                oracle = Oracle { expected: Some(0), book: None, name: oracle.name };
                check(&watched, &oracle);
                continue;
            }
            Act::Reconnect { fault } => {
                let fault = fault_of(*fault);
                intake.disconnected(fault, String::new(), &arrival, &mut watched).expect("the engine is there");
                oracle.book = None;
                check(&watched, &oracle);
                intake.connected(&arrival, &mut watched).expect("the engine is there");
                oracle.expected = Some(0);
            }
            Act::Connected => {
                intake.connected(&arrival, &mut watched).expect("the engine is there");
                oracle = Oracle { expected: Some(0), book: None, name: oracle.name };
            }
            Act::Disconnected { fault } => {
                let fault = fault_of(*fault);
                intake.disconnected(fault, String::new(), &arrival, &mut watched).expect("the engine is there");
                oracle.book = None;
            }
        }
        check(&watched, &oracle);
        if oracle.book.is_none() {
            assert_eq!(watched.evaluated, evaluated, "evaluated a book that the oracle calls invalid");
            assert!(was_live || watched.sold == sold, "sold into a book that the oracle calls invalid");
        }
    }
});
