//! Nothing is allocated on the hot threads between the snapshot and the last frame.

mod common;
#[allow(dead_code)] // Of the messages, what one graph needs.
#[path = "../src/strategy/model/onnx/proto.rs"]
mod proto;

use papertrader::base::clock::Clock;
use papertrader::capture::{CaptureReader, Item};
use papertrader::engine::Engine;
use papertrader::engine::latency::recorder;
use papertrader::engine::observation::{OBSERVATION_RING, row_ring};
use papertrader::engine::several::Engines;
use papertrader::engine::status::Status;
use papertrader::engine::trader::{Outputs, Trader};
use papertrader::exchange::market::{Batches, MarketConfig, Part, SyntheticMarket, Tape};
use papertrader::exchange::message::{self, L2Kind, Prints};
use papertrader::execution::account::{AccountRules, AfterTimeout, ExitStyle, Limits, MakerRules};
use papertrader::execution::contract::{Contract, Increments};
use papertrader::execution::desk::Desk;
use papertrader::execution::fees::{FeePlan, FeeSchedule};
use papertrader::execution::hold_back::HoldBack;
use papertrader::execution::latency::Latency;
use papertrader::execution::matching::queue::QueueModel;
use papertrader::execution::records::AccountKind;
use papertrader::execution::rules::OriginalRules;
use papertrader::feed::intake::{Arrival, Intake, ScaleRule};
use papertrader::feed::intakes::Intakes;
use papertrader::handoff::router::Router;
use papertrader::handoff::{FramePublisher, Wait, handoff};
use papertrader::market::event::{Event, FrameHead};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::strategy::model::{Model, ModelOptions};
use rtrb::RingBuffer;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

thread_local! {
    /// Allocations of this thread since it began to count; `None` while it does not.
    static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The system's allocator, counting for threads that asked for it.
struct Counting;

fn count() {
    // A thread that is ending has no counter any more.
    let _ = COUNTED.try_with(|counted| counted.set(counted.get().map(|count| count + 1)));
}

// SAFETY: every call is passed on to the system's allocator unchanged; the counter is a thread-local without a destructor
// and allocates nothing. In a test, so that no benchmark pays for it: there is no other way to count.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count_from_now() {
    COUNTED.set(Some(0));
}

fn counted() -> u64 {
    COUNTED.get().expect("this thread counts")
}

/// Begins to count with the first frame after the snapshot, and tells the shared total what it has counted after each.
struct CountingEngine {
    engine: Engine,
    total: Arc<AtomicU64>,
    frames: u64,
}

impl Publish for CountingEngine {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.engine.publish(head, levels)?;
        self.frames += 1;
        if self.frames == 1 {
            count_from_now();
        } else {
            self.total.store(counted(), Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Everything at once: latency, both sides, makers that post in front of the best price.
fn account_rules() -> AccountRules {
    AccountRules {
        threshold_logit: 0.2,
        short: true,
        lag_updates: 20,
        amount: 5_000.0,
        latency: Latency::Drawn { ns: (0..100).map(|at| at * 300_000).collect(), seed: 1 },
        depletion: true,
        contract: Contract::default(),
        increments: Increments::default(),
        cap_bps: Some(5.0),
        limits: Limits { position: Some(1e9), cash: Some(1e12), ..Limits::default() },
        fees: FeePlan { schedule: FeeSchedule::flat("flat", 1.0, 2.0).unwrap(), trailing_value: 0.0 },
        maker: MakerRules {
            offset_ticks: 1,
            timeout_updates: 10,
            after_timeout: AfterTimeout::Take,
            exits: ExitStyle::Post,
            queue: QueueModel::Power3,
        },
        takers_side: false,
    }
}

fn engine(model: &Model, hold_ns: Option<i64>) -> (Engine, impl Drop + Send + use<>) {
    let (recorder, tables) = recorder(Clock::new(), Duration::from_millis(1));
    let (trades, mut trades_out) = RingBuffer::new(1 << 12);
    let (observations, mut observations_out) = RingBuffer::new(OBSERVATION_RING);
    let (rows, mut rows_out) = row_ring(model.features.len());
    let settings = OriginalRules { threshold_logit: 0.0, lag_updates: 20, buy_amount: 5.0 };
    let outputs = Outputs { observations: Some(observations), rows: Some(rows), ..Outputs::of(trades) };
    let (records, mut records_out) = RingBuffer::new(1 << 12);
    let desk = Desk::new(&AccountKind::ALL, &account_rules());
    let shared = Arc::new(model.clone());
    let trader = Trader::original(Arc::clone(&shared), settings, outputs);
    let trader = match hold_ns {
        None => trader.with_desk(desk, records),
        Some(hold_ns) => trader.with_hold_back(HoldBack::new(desk, hold_ns), records),
    };
    // Strategies beside it: of the same model, and of one whose features are computed with others'.
    let (mut traders, mut others) = (vec![trader], Vec::new());
    let linear = |features: &str| {
        let text = format!(r#"{{"features":[{features}],"intercept":0.1,"coefficients":[1.0,0.5]}}"#);
        Arc::new(Model::parse("m.json".as_ref(), &text).unwrap())
    };
    let [sizes, logarithms] = [r#""imbalance_3","mid""#, r#""x = ln(bid_size_1)","imbalance_3""#].map(linear);
    for model in [shared, sizes, logarithms] {
        let (trades, trades_out) = RingBuffer::new(1 << 12);
        let (logits, logits_out) = RingBuffer::new(OBSERVATION_RING);
        let (rows, rows_out) = row_ring(model.features.len());
        let outputs = Outputs { logits: Some(logits), rows: Some(rows), ..Outputs::of(trades) };
        traders.push(Trader::original(model, settings, outputs));
        others.push((trades_out, logits_out, rows_out));
    }
    let engine = Engine::new(traders, recorder, Arc::new(Status::default()));
    // Another thread plays the writer.
    let mut tables = tables;
    let thread = std::thread::spawn(move || {
        while !trades_out.is_abandoned() {
            while trades_out.pop().is_ok() {}
            while records_out.pop().is_ok() {}
            while observations_out.pop().is_ok() {}
            while rows_out.pop().is_ok() {}
            for (trades, logits, rows) in &mut others {
                while trades.pop().is_ok() {}
                while logits.pop().is_ok() {}
                while rows.pop().is_ok() {}
            }
            while tables.take(|_| ()) {}
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    struct Joined(Option<std::thread::JoinHandle<()>>);
    impl Drop for Joined {
        fn drop(&mut self) {
            if let Some(thread) = self.0.take() {
                thread.join().unwrap();
            }
        }
    }
    (engine, Joined(Some(thread)))
}

/// Feeds frames fused and returns the allocations after the snapshot.
fn fused(frames: &[(i64, Vec<u8>)], product: &str, model: &Model, hold_ns: Option<i64>) -> u64 {
    let (engine, _writer) = engine(model, hold_ns);
    let total = Arc::new(AtomicU64::new(0));
    let mut engine = CountingEngine { engine, total: Arc::clone(&total), frames: 0 };
    feed(frames, product, &mut engine);
    assert_eq!(engine.frames, frames.len() as u64);
    let prints = frames.iter().filter(|(_, frame)| frame.starts_with(br#"{"channel":"market_trades""#)).count();
    let report = engine.engine.finish();
    assert_eq!(report.counts.frames, (frames.len() - prints) as u64);
    assert!(report.trader().desk.accounts.iter().all(|account| account.counts.decisions > 0), "accounts have decided");
    assert!(report.traders[2..].iter().all(|trader| trader.totals.trades > 0), "strategies beside it have traded");
    total.load(Ordering::Relaxed)
}

fn feed(frames: &[(i64, Vec<u8>)], product: &str, engine: &mut impl Publish) {
    let clock = Clock::new();
    let mut intake = Intake::new(product, ScaleRule::default(), clock.clone());
    for (ts_recv_ns, frame) in frames {
        let stamp = clock.stamp();
        let arrival = Arrival { ts_recv_ns: *ts_recv_ns, arrived: None, received: stamp, decoded: stamp };
        intake.take(frame, &arrival, engine).unwrap();
    }
}

/// Counts the feed thread's allocations after the snapshot.
struct CountingFeed {
    publisher: FramePublisher,
    frames: u64,
}

impl Publish for CountingFeed {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        self.publisher.publish(head, levels)?;
        self.frames += 1;
        if self.frames == 1 {
            count_from_now();
        }
        Ok(())
    }
}

/// Feeds frames through the ring and returns the allocations of the feed thread and of the engine thread.
fn two_threads(
    frames: &[(i64, Vec<u8>)],
    product: &str,
    model: &Model,
    hold_ns: Option<i64>,
    wait: Wait,
) -> (u64, u64) {
    let (engine, _writer) = engine(model, hold_ns);
    let (publisher, mut taker) = handoff(1 << 14, wait);
    let total = Arc::new(AtomicU64::new(0));
    let mut engine = CountingEngine { engine, total: Arc::clone(&total), frames: 0 };
    let by_feed = std::thread::scope(|scope| {
        scope.spawn(move || {
            // The loop of `Engine::run`, with a buffer in place of the pieces in which a snapshot passes.
            let mut levels = Vec::with_capacity(1 << 20);
            while let Some(head) = taker.next_head() {
                levels.clear();
                taker.take_levels(&head, |slice| levels.extend_from_slice(slice));
                engine.publish(&head, &levels).unwrap();
            }
        });
        let feeding = scope.spawn(move || {
            let mut counting = CountingFeed { publisher, frames: 0 };
            feed(frames, product, &mut counting);
            counted()
        });
        feeding.join().unwrap()
    });
    (by_feed, total.load(Ordering::Relaxed))
}

fn assert_none(frames: &[(i64, Vec<u8>)], product: &str, model: &Model) {
    // Accounts that see everything as it comes, and accounts that are kept behind.
    for hold_ns in [None, Some(500_000_000)] {
        assert_eq!(fused(frames, product, model, hold_ns), 0, "{product} fused, {hold_ns:?}");
        for wait in [Wait::Spin, Wait::Yield, Wait::Block] {
            let counted = two_threads(frames, product, model, hold_ns, wait);
            assert_eq!(counted, (0, 0), "{product} by two threads, {wait:?}, {hold_ns:?}");
        }
    }
}

#[test]
fn none_on_the_synthetic_market() {
    let config = MarketConfig::default();
    let mut market = SyntheticMarket::new(&config);
    let (mut levels, mut frame) = (Vec::new(), Vec::new());
    market.snapshot(&mut levels);
    message::l2_data(&mut frame, L2Kind::Snapshot, &config.product, 0, market.now_ns(), config.scale, &levels);
    let mut frames = vec![(market.now_ns(), frame.clone())];
    for sequence_num in 1..5_000 {
        let time_ns = market.next_frame(&mut levels);
        message::l2_data(&mut frame, L2Kind::Update, &config.product, sequence_num, time_ns, config.scale, &levels);
        frames.push((time_ns, frame.clone()));
    }
    let model = Model::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json")).unwrap();
    assert_none(&frames, &config.product, &model);
    // Trees too: by masks of 32 leaves, by masks of 64, and walked.
    for leaves in [3, 40, 65] {
        let trees = common::forest(&["imbalance_1", "spread_ticks", "ofi_5_20"], leaves);
        assert_none(&frames, &config.product, &Model::parse("trees.txt".as_ref(), &trees).unwrap());
    }
    assert_none(&frames, &config.product, &compiled_graph());
}

/// Three products through one intake and a router, on the feed's thread and on two engine threads.
#[test]
fn none_with_several_products() {
    let products = ["BTC-USD", "ETH-USD", "SOL-USD"];
    let mut frames: Vec<(i64, Vec<u8>)> = Vec::new();
    let (mut levels, mut frame) = (Vec::new(), Vec::new());
    let mut markets = products.map(|product| {
        let config = MarketConfig { product: product.into(), ..MarketConfig::default() };
        (SyntheticMarket::new(&config), config)
    });
    for number in 0..6_000 {
        let (market, config) = &mut markets[number % 3];
        let (kind, time_ns) = if number < 3 {
            market.snapshot(&mut levels);
            (L2Kind::Snapshot, market.now_ns())
        } else {
            (L2Kind::Update, market.next_frame(&mut levels))
        };
        message::l2_data(&mut frame, kind, &config.product, number as u64, time_ns, config.scale, &levels);
        frames.push((time_ns, frame.clone()));
    }
    let model = Model::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json")).unwrap();
    let take_all = |engine: &mut dyn FnMut(&FrameHead, &[Event])| {
        struct Each<'a>(&'a mut dyn FnMut(&FrameHead, &[Event]));
        impl Publish for Each<'_> {
            fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
                (self.0)(head, levels);
                Ok(())
            }
        }
        let clock = Clock::new();
        let mut intakes = Intakes::new(&products, ScaleRule::default(), clock.clone());
        for (at, (ts_recv_ns, frame)) in frames.iter().enumerate() {
            let stamp = clock.stamp();
            let arrival = Arrival { ts_recv_ns: *ts_recv_ns, arrived: None, received: stamp, decoded: stamp };
            // From each product's first update on.
            if at == 6 {
                count_from_now();
            }
            intakes.take(frame, &arrival, &mut Each(engine)).unwrap();
        }
        counted()
    };
    let with_writers = || -> (Vec<(u8, Engine)>, Vec<_>) {
        (0..3)
            .map(|product| (product, engine(&model, None)))
            .map(|(product, (engine, writer))| ((product, engine), writer))
            .unzip()
    };
    let (engines, _writers) = with_writers();
    let mut engines = Engines::new(engines);
    assert_eq!(take_all(&mut |head, levels| engines.publish(head, levels).unwrap()), 0);
    let reports = engines.finish();
    assert!(reports.iter().all(|(_, report)| report.counts.frames == 2_000));

    let (engines, _writers) = with_writers();
    let mut groups: [Vec<(u8, Engine)>; 2] = Default::default();
    engines.into_iter().for_each(|(product, engine)| groups[usize::from(product) % 2].push((product, engine)));
    let (rings, takers): (Vec<_>, Vec<_>) = groups.iter().map(|_| handoff(1 << 14, Wait::Yield)).unzip();
    let by_feed = std::thread::scope(|scope| {
        for (group, mut taker) in groups.into_iter().zip(takers) {
            scope.spawn(move || {
                // The loop of `Engines::run`, with a buffer in place of the pieces in which a snapshot passes.
                let (mut engines, mut levels) = (Engines::new(group), Vec::with_capacity(1 << 20));
                let mut taken = 0;
                while let Some(head) = taker.next_head() {
                    levels.clear();
                    taker.take_levels(&head, |slice| levels.extend_from_slice(slice));
                    engines.publish(&head, &levels).unwrap();
                    taken += 1;
                    if taken == 10 {
                        count_from_now();
                    }
                }
                assert_eq!(counted(), 0);
            });
        }
        let mut router = Router::new(rings, &[0, 1, 0]);
        take_all(&mut |head, levels| router.publish(head, levels).unwrap())
    });
    assert_eq!(by_feed, 0);
}

/// An ONNX graph with steps of each kind: a scaler, what is missing filled in, a tree, a product, a norm, and numbers copied.
fn compiled_graph() -> Model {
    use proto::{Attribute, Entry, FLOAT, GraphProto, ModelProto, NodeProto, ValueInfo};
    use proto::{Dim, Shape, TensorProto, TensorType, TypeProto};
    let attribute = |name: &str| Attribute { name: name.into(), ..Attribute::default() };
    let floats = |name: &str, floats: &[f32]| Attribute { floats: floats.to_vec(), ..attribute(name) };
    let ints = |name: &str, ints: &[i64]| Attribute { ints: ints.to_vec(), ..attribute(name) };
    let modes = ["BRANCH_LEQ", "LEAF", "LEAF"].map(Into::into).to_vec();
    let tree = vec![
        ints("nodes_treeids", &[0; 3]),
        ints("nodes_nodeids", &[0, 1, 2]),
        ints("nodes_featureids", &[0; 3]),
        Attribute { strings: modes, ..attribute("nodes_modes") },
        floats("nodes_values", &[0.0; 3]),
        ints("nodes_truenodeids", &[1, 0, 0]),
        ints("nodes_falsenodeids", &[2, 0, 0]),
        ints("target_treeids", &[0; 2]),
        ints("target_nodeids", &[1, 2]),
        ints("target_ids", &[0; 2]),
        floats("target_weights", &[-0.5, 0.5]),
    ];
    let node = |op: &str, inputs: &[&str], output: &str, attribute| NodeProto {
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        op_type: op.into(),
        attribute,
        ..NodeProto::default()
    };
    let value = |name: &str| {
        let shape = Some(Shape { dim: vec![Dim { value: 0 }, Dim { value: 3 }] });
        let tensor = Some(TensorType { element: FLOAT, shape });
        ValueInfo { name: name.into(), kind: Some(TypeProto { tensor }) }
    };
    let weights = TensorProto {
        name: "w".into(),
        dims: vec![3, 1],
        data_type: FLOAT,
        float_data: vec![1.0, -0.5, 0.25],
        ..TensorProto::default()
    };
    let filling = vec![floats("imputed_value_floats", &[0.5])];
    let graph = GraphProto {
        node: vec![
            node("Scaler", &["x"], "scaled", vec![floats("offset", &[0.5]), floats("scale", &[2.0])]),
            node("Imputer", &["scaled"], "filled", filling),
            node("TreeEnsembleRegressor", &["filled"], "tree", tree),
            node("MatMul", &["filled", "w"], "linear", vec![]),
            node("Concat", &["tree", "linear"], "scores", vec![Attribute { i: Some(1), ..attribute("axis") }]),
            node("Softmax", &["scores"], "p", vec![]),
        ],
        initializer: vec![weights],
        input: vec![value("x")],
        output: vec![value("p")],
    };
    let features = Entry { key: "features".into(), value: "imbalance_1,spread_ticks,ofi_5_20".into() };
    let file = prost::Message::encode_to_vec(&ModelProto { graph: Some(graph), metadata_props: vec![features] });
    Model::parse_bytes("graph.onnx".as_ref(), &file, &ModelOptions::default()).unwrap()
}

#[test]
fn none_on_the_synthetic_market_with_prints() {
    let config = MarketConfig::default();
    let market = SyntheticMarket::new(&config);
    let (mut levels, mut trades, mut frame) = (Vec::new(), Vec::new(), Vec::new());
    market.snapshot(&mut levels);
    message::l2_data(&mut frame, L2Kind::Snapshot, &config.product, 0, market.now_ns(), config.scale, &levels);
    let mut frames = vec![(market.now_ns(), frame.clone())];
    let mut tape = Tape::new(Batches::new(market, Duration::ZERO));
    let (kind, product, scale) = (L2Kind::Update, config.product.as_str(), config.scale);
    let mut prints = 0;
    for sequence_num in 1..5_000 {
        let (part, time_ns) = tape.next_part(&mut levels, &mut trades);
        if part == Part::Prints {
            let all = Prints { kind, product, scale, trades: &trades };
            message::Layout::default().market_trades(&mut frame, sequence_num, time_ns, &all);
            prints += trades.len();
        } else {
            message::l2_data(&mut frame, kind, product, sequence_num, time_ns, scale, &levels);
        }
        frames.push((time_ns, frame.clone()));
    }
    assert!(prints > 500, "{prints}");
    let model = Model::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/imbalance.json")).unwrap();
    assert_none(&frames, &config.product, &model);
    let text = r#"{"features": ["print_imbalance_100", "print_vwap_minus_mid_500ms", "last_print_side"], "intercept": 0.0,
                   "coefficients": [1.0, 1.0, 1.0]}"#;
    let model = Model::parse("tape.json".as_ref(), text).unwrap();
    assert_none(&frames, &config.product, &model);
    // Every function that looks back, by updates and by time.
    let text = r#"{"features": [
                     {"slope": "(mid - mean(mid, 50)) / (1 + std(mid, 50))"}, {"slow": "ema(ln(bid_size_1), 20) - ema(mid, 500ms)"},
                     {"moved": "delta(ask_price_2, 1s) + lag(bid_size_3 * 2, 300ms)"}, {"wide": "std(sum(ask_size, 1..5), 2s)"},
                     {"undefined_now_and_then": "1 / updates_since_mid_change"}, {"bought": "lag(print_imbalance_100, 7)"}
                   ], "intercept": 0.0, "coefficients": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}"#;
    let model = Model::parse("expressions.json".as_ref(), text).unwrap();
    assert_none(&frames, &config.product, &model);
}

#[test]
fn none_on_the_captures() {
    let Some(data) = common::shared_data() else { return };
    let model = Model::read(&data.join("models/20_update_log_classifier.txt")).unwrap();
    for (name, product) in [
        ("btc-perp-a", "BTC-PERP"),
        ("btc-spot-a", "BTC-USDT"),
        ("btc-perp-a.trades", "BTC-PERP"),
        ("btc-spot-a.trades", "BTC-USDT"),
    ] {
        let path = data.join(format!("captures/{name}.l2.gz"));
        if !path.is_file() {
            eprintln!("SKIPPED: there is no {name}");
            continue;
        }
        let mut reader = CaptureReader::open(&path).unwrap();
        let mut frames = Vec::new();
        while let Some(line) = reader.next_line().unwrap() {
            let Item::Frame(frame) = line.item else { panic!("no control lines here") };
            frames.push((line.ts_recv_ns, frame.to_vec()));
        }
        assert_none(&frames, product, &model);
    }
}

/// As a replay on few cores reads a plain capture on its feed thread.
#[test]
fn none_while_a_plain_capture_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("market.l2");
    let mut text = Vec::new();
    for number in 0..20_000_usize {
        // Lines of all lengths up to some kilobytes, in no order.
        let length = 50 + number * 7_919 % 5_003;
        text.extend_from_slice(format!("{number} {{\"x\":\"{}\"}}\n", "y".repeat(length)).as_bytes());
    }
    std::fs::write(&path, &text).unwrap();
    let mut reader = CaptureReader::open(&path).unwrap();
    reader.next_line().unwrap();
    count_from_now();
    let mut lines = 1;
    while reader.next_line().unwrap().is_some() {
        lines += 1;
    }
    assert_eq!((lines, counted()), (20_000, 0));
}

#[test]
fn the_counter_counts() {
    count_from_now();
    drop(std::hint::black_box(Box::new(1_u64)));
    assert_eq!(counted(), 1);
    drop(std::hint::black_box(vec![0_u8; 10]));
    assert_eq!(counted(), 2);
}
