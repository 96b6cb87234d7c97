//! Several products over one connection.

use crate::support::*;
use papertrader::base::clock::Speed;
use papertrader::base::output::IfTaken;
use papertrader::capture::recording;
use papertrader::capture::replay::{Replay, ReplayOutcome};
use papertrader::engine::status::Status;
use papertrader::exchange::ExchangeConfig;
use papertrader::feed::intake::ScaleRule;
use papertrader::feed::live::{LiveFeed, LiveOutcome, LiveSettings};
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
    frames: [Vec<(FrameHead, Vec<Event>)>; 3],
    taken: u64,
    enough: u64,
    status: Arc<Status>,
}

impl Kept {
    fn new(enough: u64) -> Self {
        Self { frames: Default::default(), taken: 0, enough, status: Arc::default() }
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
    let mut kept = Kept::new(frames);
    let status = Arc::clone(&kept.status);
    let outcome = LiveFeed::new(settings, Some(tape), notices).run(&mut kept, &status);
    let (recorded, error) = recorder.finish();
    assert!(error.is_none(), "{error:?}");
    assert_eq!((recorded.frames, recorded.lost), (outcome.first().counts.messages, 0));
    (outcome, kept, heard.try_iter().collect())
}

fn replayed(capture: &Path, products: &[String]) -> (ReplayOutcome, Kept) {
    let replay = Replay::open_products_beside(1, capture, products, ScaleRule::default(), Speed::Max);
    let mut kept = Kept::new(u64::MAX);
    let outcome = replay.expect("a capture").run(&mut kept, &Status::default());
    assert!(outcome.error.is_none() && outcome.cut.is_none());
    (outcome, kept)
}

/// Replays a recording, the products together and each alone, and compares.
fn assert_recorded_is_lived(outcome: &LiveOutcome, kept: &Kept, capture: &Path) {
    let (together, frames) = replayed(capture, &products());
    for (index, name) in PRODUCTS.into_iter().enumerate() {
        assert!(frames.frames[index] == kept.frames[index], "{name} together");
        let counts = |of: &papertrader::feed::intakes::ProductSeen| format!("{:?} {:?}", of.counts, of.notes);
        assert_eq!(counts(&together.products[index]), counts(&outcome.products[index]));
        let (alone, frames) = replayed(capture, &[name.into()]);
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
    let mut kept = Kept::new(1_500);
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
