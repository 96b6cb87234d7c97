//! Several products over one connection, and more of them over several.

use crate::support::*;
use papertrader::base::clock::Speed;
use papertrader::base::output::IfTaken;
use papertrader::capture::recording;
use papertrader::capture::replay::{Replay, ReplayOutcome};
use papertrader::engine::status::Status;
use papertrader::exchange::{ExchangeConfig, Limits, Pace, SourceConfig};
use papertrader::feed::intake::ScaleRule;
use papertrader::feed::intakes::ProductSeen;
use papertrader::feed::live::{LiveFeed, LiveOutcome, LiveSettings};
use papertrader::handoff::Wait;
use papertrader::market::event::{Event, Fault, FrameHead, FrameKind, UNSTAMPED};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::run::session::Feed;
use std::path::Path;
use std::sync::Arc;

const PRODUCTS: [&str; 3] = ["BTC-USD", "ETH-USD", "SOL-USD"];

fn products() -> Vec<String> {
    PRODUCTS.map(String::from).into()
}

fn several(faults: &[&str]) -> ExchangeConfig {
    ExchangeConfig { products: products(), ..market(faults) }
}

/// All that engines get, by product, but for the stamps; ends the session after so many frames.
struct Kept {
    frames: Vec<Vec<(FrameHead, Vec<Event>)>>,
    taken: u64,
    enough: u64,
    status: Arc<Status>,
}

impl Kept {
    fn new(products: usize, enough: u64) -> Self {
        Self { frames: vec![Vec::new(); products], taken: 0, enough, status: Arc::default() }
    }

    fn kinds(&self, product: usize) -> impl Iterator<Item = FrameKind> + '_ {
        self.frames[product].iter().map(|(head, _)| head.kind)
    }
}

impl Publish for Kept {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        let stamp = UNSTAMPED;
        // One session's indices are not another's.
        let head = FrameHead { arrived: stamp, received: stamp, decoded: stamp, published: stamp, ..*head };
        self.frames[usize::from(head.product)].push((FrameHead { product: 0, ..head }, levels.to_vec()));
        self.taken += u64::from(head.kind.is_book_frame());
        if self.taken == self.enough {
            self.status.stop();
        }
        Ok(())
    }
}

/// Lives a session of so many frames with a recording.
fn lived(settings: LiveSettings, capture: &Path, frames: u64) -> (LiveOutcome, Kept, Vec<String>) {
    let (tape, recorder) = recording::start(capture, IfTaken::Refuse).expect("a recording");
    let (notices, heard) = crossbeam_channel::unbounded();
    let mut kept = Kept::new(settings.products.len(), frames);
    let status = Arc::clone(&kept.status);
    let outcome = LiveFeed::new(settings, Some(tape), notices).run(&mut kept, &status);
    let (recorded, error) = recorder.finish();
    assert!(error.is_none(), "{error:?}");
    assert_eq!((recorded.frames, recorded.lost), (outcome.messages, 0));
    (outcome, kept, heard.try_iter().collect())
}

fn replayed(capture: &Path, products: &[String]) -> (ReplayOutcome, Kept) {
    let replay = Replay::open_products_beside(1, capture, products, ScaleRule::default(), Speed::Max);
    let mut kept = Kept::new(products.len().max(1), u64::MAX);
    let outcome = replay.expect("a capture").run(&mut kept, &Status::default());
    assert!(outcome.error.is_none() && outcome.cut.is_none());
    (outcome, kept)
}

/// Replays a recording, the products together and each alone, and compares.
fn assert_recorded_is_lived(outcome: &LiveOutcome, kept: &Kept, capture: &Path) {
    let names: Vec<String> = outcome.products.iter().map(|product| product.name.clone()).collect();
    let (together, frames) = replayed(capture, &names);
    for (index, name) in names.iter().enumerate() {
        assert!(frames.frames[index] == kept.frames[index], "{name} together");
        let counts = |of: &ProductSeen| format!("{:?} {:?}", of.counts, of.notes);
        assert_eq!(counts(&together.products[index]), counts(&outcome.products[index]));
        let (alone, frames) = replayed(capture, std::slice::from_ref(name));
        assert!(frames.frames[0] == kept.frames[index], "{name} alone");
        assert_eq!(alone.first().counts.faults, outcome.products[index].counts.faults);
    }
}

#[test]
fn with_random_faults_recorded_is_lived() {
    for seed in [1, 2] {
        let exchange = start(several(&[&format!("random:{seed}/60")]));
        let folder = tempfile::tempdir().expect("a folder");
        let capture = folder.path().join("a.l2.zst");
        let settings = LiveSettings { products: products(), ..settings(&exchange) };
        let (outcome, kept, notices) = lived(settings, &capture, 4_000);
        assert!(outcome.first().counts.faults.total() >= 10, "{:?}", outcome.first().counts.faults);
        assert!(kept.frames.iter().all(|frames| frames.len() > 500), "{notices:#?}");
        assert_recorded_is_lived(&outcome, &kept, &capture);
    }
}

/// A number that no book holds: its product is subscribed to again, and the others notice nothing.
#[test]
fn a_fault_of_one_product_costs_no_connection() {
    let exchange = start(several(&["huge-number@400", "huge-number@900"]));
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.l2");
    let settings = LiveSettings { products: products(), ..settings(&exchange) };
    let (outcome, kept, notices) = lived(settings, &capture, 2_000);
    assert_eq!(outcome.connections, 1, "{notices:#?}");
    let faults: u64 = outcome.products.iter().map(|product| product.counts.faults.of(Fault::NumberTooLarge)).sum();
    assert_eq!(faults, 2);
    for (index, product) in outcome.products.iter().enumerate() {
        // As many snapshots as faults, and the first one.
        let lost = product.counts.faults.total();
        assert_eq!(product.counts.snapshots, 1 + lost, "{}", product.name);
        assert_eq!(kept.kinds(index).filter(|kind| matches!(kind, FrameKind::Invalid(_))).count() as u64, lost);
        assert_eq!(kept.kinds(index).filter(|&kind| kind == FrameKind::Connected).count(), 1);
    }
    let said = notices.iter().filter(|notice| notice.starts_with("number too large: "));
    assert!(said.clone().count() == 2 && said.clone().all(|notice| notice.ends_with("; subscribing again")));
    assert!(said.clone().all(|notice| PRODUCTS.iter().any(|product| notice.contains(product))), "{notices:#?}");
    assert_recorded_is_lived(&outcome, &kept, &capture);
}

/// What engines find in a book is that book's alone, and is recorded: no message says it.
#[test]
fn what_an_engine_finds_costs_one_product() {
    let exchange = start(several(&[]));
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.l2.gz");
    let settings = LiveSettings { products: products(), ..settings(&exchange) };
    let (tape, recorder) = recording::start(&capture, IfTaken::Refuse).expect("a recording");
    let (notices, _heard) = crossbeam_channel::unbounded();
    let mut kept = Kept::new(3, 1_500);
    kept.status = Arc::new(Status::of_products(3));
    let status = Arc::clone(&kept.status);
    status.of(1).engine_found(Fault::StaysCrossed, 1);
    let outcome = LiveFeed::new(settings, Some(tape), notices).run(&mut kept, &status);
    assert!(recorder.finish().1.is_none());
    assert_eq!(outcome.connections, 1);
    let faults = |index: usize| outcome.products[index].counts.faults.of(Fault::StaysCrossed);
    assert_eq!([0, 1, 2].map(faults), [0, 1, 0]);
    assert_eq!(outcome.products[1].counts.snapshots, 2);
    assert_recorded_is_lived(&outcome, &kept, &capture);
}

#[test]
fn the_venue_refuses_what_it_does_not_know() {
    let exchange = start(several(&[]));
    let folder = tempfile::tempdir().expect("a folder");
    let products = vec!["BTC-USD".into(), "NO-SUCH".into()];
    let settings = LiveSettings { products, duration: Some(std::time::Duration::from_secs(1)), ..settings(&exchange) };
    let (outcome, _, notices) = lived(settings, &folder.path().join("a.l2"), 1_000);
    assert!(outcome.products.iter().all(|product| product.counts.snapshots == 0));
    let said = r"error message from the venue: a message: the venue says 'unknown product \'NO-SUCH\''; reconnecting";
    assert!(notices.iter().any(|notice| notice == said), "{notices:#?}");
}

/// So many products of small books.
fn many(count: usize, faults: &[&str]) -> ExchangeConfig {
    let source = SourceConfig::Synthetic { seed: 7, pace: Pace::Rate { frames_per_s: 2_000.0 }, snapshot_levels: 20 };
    ExchangeConfig { products: (1..=count).map(|number| format!("P{number}-USD")).collect(), source, ..market(faults) }
}

/// How often each product's connection was made.
fn connected(kept: &Kept) -> Vec<usize> {
    let times = |product| kept.kinds(product).filter(|&kind| kind == FrameKind::Connected).count();
    (0..kept.frames.len()).map(times).collect()
}

#[test]
fn more_products_than_a_connection_has_are_spread_and_recorded_is_lived() {
    let config = many(40, &["random:3/400"]);
    let products = config.products.clone();
    let exchange = start(config);
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.l2.zst");
    let settings = LiveSettings { products: products.clone(), ..settings(&exchange) };
    let (outcome, kept, notices) = lived(settings, &capture, 12_000);
    assert!(outcome.connections >= 3 && outcome.reconnects == outcome.connections - 3, "{notices:#?}");
    assert!(kept.frames.iter().all(|frames| frames.len() > 50), "{notices:#?}");
    let faults: u64 = outcome.products.iter().map(|product| product.counts.faults.total()).sum();
    assert!(faults > 10, "{notices:#?}");
    assert_recorded_is_lived(&outcome, &kept, &capture);
    // Some of several connections, in another order.
    let some = [31, 2, 15, 0, 39].map(|index: usize| products[index].clone());
    let (_, frames) = replayed(&capture, &some);
    for (index, name) in some.iter().enumerate() {
        let lived = products.iter().position(|product| product == name).expect("one of them");
        assert!(frames.frames[index] == kept.frames[lived], "{name} among some");
    }
    // Without the first connection's beginning its frames are nobody's, which is said, and the others' are the same.
    let cut = folder.path().join("cut.l2");
    let text = zstd::decode_all(std::fs::File::open(&capture).expect("the recording")).expect("zstd");
    let text = String::from_utf8(text).expect("lines of text");
    let from = text.find("\"connection\":2,").and_then(|at| text[..at].rfind('\n')).expect("a second connection");
    std::fs::write(&cut, &text[from + 1..]).expect("written");
    let (outcome, frames) = replayed(&cut, &products);
    let remark = "the beginning of connection 1, which lists its products, is missing: its frames were passed over";
    assert_eq!(outcome.remarks, [remark]);
    assert!(frames.frames[20] == kept.frames[20] && frames.frames[39] == kept.frames[39]);
    // Without a name the first product is replayed, as ever.
    let (outcome, frames) = replayed(&capture, &[]);
    let first = products.iter().position(|product| *product == outcome.first().name).expect("one of them");
    assert!(frames.frames[0] == kept.frames[first]);
}

#[test]
fn a_connection_that_ends_costs_only_its_products() {
    let config = many(20, &["disconnect-fin@3000"]);
    let products = config.products.clone();
    let exchange = start(config);
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.l2");
    let settings = LiveSettings { products, ..settings(&exchange) };
    let (outcome, kept, notices) = lived(settings, &capture, 8_000);
    assert_eq!((outcome.connections, outcome.reconnects), (3, 1), "{notices:#?}");
    let mut made = connected(&kept);
    if made[0] == 1 {
        made.reverse();
    }
    let expected: Vec<usize> = std::iter::repeat_n(2, 10).chain(std::iter::repeat_n(1, 10)).collect();
    assert_eq!(made, expected);
    for (times, product) in connected(&kept).into_iter().zip(&outcome.products) {
        let lost = product.counts.faults.of(Fault::Disconnected);
        assert_eq!((product.counts.faults.total(), lost), (times as u64 - 1, times as u64 - 1), "{}", product.name);
    }
    assert_recorded_is_lived(&outcome, &kept, &capture);
}

/// The first connection's books are traded while the second one is refused again and again.
#[test]
fn a_connection_that_cannot_be_made_does_not_keep_the_others_waiting() {
    let config = many(17, &[]);
    let limits = Limits { clients_max: 1, ..Limits::default() };
    let products = config.products.clone();
    let exchange = start(ExchangeConfig { limits, ..config });
    let folder = tempfile::tempdir().expect("a folder");
    for wait in [Wait::Block, Wait::Yield] {
        let settings = LiveSettings { products: products.clone(), wait, ..settings(&exchange) };
        let (outcome, kept, notices) = lived(settings, &folder.path().join(format!("{wait:?}.l2")), 2_000);
        assert_eq!((outcome.connections, outcome.gave_up.is_none()), (1, true), "{notices:#?}");
        assert!(outcome.failed_attempts > 1, "{notices:#?}");
        let live = outcome.products.iter().filter(|product| product.counts.snapshots == 1).count();
        assert!(live == 9 || live == 8, "{live}");
        let made = connected(&kept).into_iter().sum::<usize>();
        assert_eq!(made, live);
    }
    // As many times as it may fail, and no more.
    let settings = LiveSettings { products, max_retries: Some(3), ..settings(&exchange) };
    let (outcome, ..) = lived(settings, &folder.path().join("ends.l2"), u64::MAX);
    let why = outcome.gave_up.expect("it gave up");
    // One of the two.
    let ends = |products: &str| why.ends_with(&format!("; gave up for {products} after 3 attempts"));
    assert!(ends("P1-USD to P9-USD") || ends("P10-USD to P17-USD"), "{why}");
}
