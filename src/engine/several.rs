//! Engines of several products on one thread.
//!
//! A frame goes to the engine of its product. The engines share nothing: what one does is what it would do alone.
//!
//! ```
//! use papertrader::base::clock::Clock;
//! use papertrader::engine::Engine;
//! use papertrader::engine::latency::recorder;
//! use papertrader::engine::several::Engines;
//! use papertrader::engine::status::Status;
//! use papertrader::engine::trader::{Outputs, Trader};
//! use papertrader::execution::rules::OriginalRules;
//! use papertrader::feed::intake::{Arrival, ScaleRule};
//! use papertrader::feed::intakes::Intakes;
//! use papertrader::market::event::{UNMEASURED, UNSTAMPED};
//! use papertrader::strategy::model::Model;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! let text = r#"{"features": ["imbalance_1"], "intercept": 0.0, "coefficients": [2.0]}"#;
//! let model = Arc::new(Model::parse("imbalance.json".as_ref(), text)?);
//! let engine = |_| {
//!     let rules = OriginalRules { threshold_logit: 0.4, lag_updates: 20, buy_amount: 100.0 };
//!     let (recorder, _tables) = recorder(Clock::new(), Duration::MAX);
//!     let trader = Trader::original(Arc::clone(&model), rules, Outputs::of(rtrb::RingBuffer::new(100).0));
//!     Engine::new(vec![trader], recorder, Arc::new(Status::default()))
//! };
//! let products = ["BTC-USD", "ETH-USD"];
//! let mut engines = Engines::new([0, 1].map(|product| (product, engine(product))).into());
//!
//! let mut intakes = Intakes::new(&products, ScaleRule::default(), Clock::new());
//! let arrival = Arrival { ts_recv_ns: 0, arrived: None, received: UNMEASURED, decoded: UNSTAMPED };
//! for (number, product) in products.iter().enumerate() {
//!     let text = format!(
//!         r#"{{"channel":"l2_data","sequence_num":{number},"events":[{{"type":"snapshot","product_id":"{product}",
//!         "updates":[{{"side":"bid","price_level":"4012.5","new_quantity":"1"}}]}}]}}"#
//!     );
//!     intakes.take(text.as_bytes(), &arrival, &mut engines)?;
//! }
//! let reports = engines.finish();
//! assert_eq!(reports.iter().map(|(product, report)| (*product, report.counts.frames)).collect::<Vec<_>>(), [(0, 1), (1, 1)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::{Engine, EngineReport};
use crate::handoff::FrameTaker;
use crate::market::event::{Event, FrameHead, PRODUCTS_MAX};
use crate::market::publish::{EngineGone, Publish};

/// No engine of this thread.
const NONE: u8 = u8::MAX;
const _: () = assert!(PRODUCTS_MAX < NONE as usize);

/// Engines, each of which has a product of its own.
#[derive(Debug)]
pub struct Engines {
    /// At least one, with the indices of their products.
    engines: Vec<(u8, Engine)>,
    /// The place of a product's engine among them.
    places: Box<[u8; 1 << u8::BITS]>,
}

impl Engines {
    /// Engines, at least one, with the indices of their products, each once.
    pub fn new(engines: Vec<(u8, Engine)>) -> Self {
        assert!(!engines.is_empty(), "a thread has an engine");
        let mut places = Box::new([NONE; 1 << u8::BITS]);
        for (place, (product, _)) in (0..).zip(&engines) {
            let before = std::mem::replace(&mut places[usize::from(*product)], place);
            assert_eq!(before, NONE, "a product has one engine");
        }
        Self { engines, places }
    }

    /// The engine of a frame's product.
    #[inline]
    fn of(&mut self, head: &FrameHead) -> Option<&mut Engine> {
        let place = self.places[usize::from(head.product)];
        self.engines.get_mut(usize::from(place)).map(|(_, engine)| engine)
    }

    /// As [`Engine::fault_in`].
    pub fn fault_in(&mut self) {
        self.engines.iter_mut().for_each(|(_, engine)| engine.fault_in());
    }

    /// The hot loop: takes frames, all of these engines' products, until the feed has gone.
    pub fn run(mut self, mut frames: FrameTaker) -> Vec<(u8, EngineReport)> {
        if self.engines.len() == 1
            && let Some((product, engine)) = self.engines.pop()
        {
            return vec![(product, engine.run(frames))];
        }
        while let Some(head) = frames.next_head() {
            match self.of(&head) {
                Some(engine) => {
                    engine.begin(&head);
                    frames.take_levels(&head, |levels| engine.levels(&head, levels));
                    engine.end(&head);
                }
                None => frames.take_levels(&head, |_| ()),
            }
        }
        let ring_high_water_events = frames.high_water();
        let reports = self.finish().into_iter();
        reports.map(|(product, report)| (product, EngineReport { ring_high_water_events, ..report })).collect()
    }

    /// Ends all of them; each as [`Engine::finish`].
    pub fn finish(self) -> Vec<(u8, EngineReport)> {
        self.engines.into_iter().map(|(product, engine)| (product, engine.finish())).collect()
    }
}

/// Fused: the feed calls the engines on its own thread.
impl Publish for Engines {
    #[inline]
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        match self.of(head) {
            Some(engine) => engine.publish(head, levels),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::engine::latency::recorder;
    use crate::engine::status::Status;
    use crate::engine::trader::{Outputs, Trader};
    use crate::execution::ledger::Trade;
    use crate::execution::rules::OriginalRules;
    use crate::handoff::router::Router;
    use crate::handoff::{Wait, handoff};
    use crate::market::event::{Fault, FrameKind, UNMEASURED, UNSTAMPED};
    use crate::market::units::{Scale, Side};
    use crate::strategy::model::{Model, ModelFile};
    use proptest::prelude::*;
    use rtrb::{Consumer, RingBuffer};
    use std::sync::Arc;
    use std::time::Duration;

    const PRODUCTS: u8 = 3;

    fn engine(product: u8, status: &Arc<Status>) -> (Engine, Consumer<Trade>) {
        let features = vec![["imbalance_1", "ofi_1_3", "spread_ticks"][usize::from(product)].into()];
        let file = ModelFile { features, intercept: 0.1, coefficients: vec![1.0], ..ModelFile::default() };
        let model = Model::from_file("m.json".as_ref(), &file).unwrap();
        let (trades, taken) = RingBuffer::new(1_000);
        let rules = OriginalRules { threshold_logit: 0.0, lag_updates: 2, buy_amount: 5.0 };
        let (recorder, _tables) = recorder(Clock::new(), Duration::MAX);
        let trader = Trader::original(model, rules, Outputs::of(trades));
        (Engine::new(vec![trader], recorder, Arc::clone(status.of(usize::from(product)))), taken)
    }

    /// What comes of a product: report, state and trades.
    fn result(report: &EngineReport, status: &Status, mut taken: Consumer<Trade>) -> String {
        let trades: Vec<Trade> = std::iter::from_fn(|| taken.pop().ok()).collect();
        let report = EngineReport { ring_high_water_events: 0, ..report.clone() };
        format!("{report:?} {:?} {trades:?}", status.read())
    }

    fn alone(frames: &[(FrameHead, Vec<Event>)]) -> Vec<String> {
        let of_product = |product: u8| {
            let status = Arc::new(Status::of_products(PRODUCTS.into()));
            let (mut engine, taken) = engine(product, &status);
            let own = frames.iter().filter(|(head, _)| head.product == product);
            own.for_each(|(head, levels)| engine.publish(head, levels).unwrap());
            result(&engine.finish(), status.of(product.into()), taken)
        };
        (0..PRODUCTS).map(of_product).collect()
    }

    /// On so many threads, or on the feed's.
    fn together(frames: &[(FrameHead, Vec<Event>)], threads: usize) -> Vec<String> {
        let status = Arc::new(Status::of_products(PRODUCTS.into()));
        let (engines, taken): (Vec<_>, Vec<_>) = (0..PRODUCTS).map(|product| engine(product, &status)).unzip();
        let mut reports = if threads == 0 {
            let mut engines = Engines::new((0..).zip(engines).collect());
            frames.iter().for_each(|(head, levels)| engines.publish(head, levels).unwrap());
            engines.finish()
        } else {
            let thread_of: Vec<usize> = (0..usize::from(PRODUCTS)).map(|product| product % threads).collect();
            let mut groups: Vec<Vec<(u8, Engine)>> = (0..threads).map(|_| Vec::new()).collect();
            (0..).zip(engines).for_each(|(product, engine)| {
                groups[thread_of[usize::from(product)]].push((product, engine));
            });
            // Smaller than some frames.
            let (rings, takers): (Vec<_>, Vec<_>) = (0..threads).map(|_| handoff(11, Wait::Yield)).unzip();
            std::thread::scope(|scope| {
                let threads: Vec<_> = groups
                    .into_iter()
                    .zip(takers)
                    .map(|(group, taker)| scope.spawn(|| Engines::new(group).run(taker)))
                    .collect();
                let mut router = Router::new(rings, &thread_of);
                frames.iter().for_each(|(head, levels)| router.publish(head, levels).unwrap());
                drop(router);
                threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
            })
        };
        reports.sort_by_key(|&(product, _)| product);
        assert_eq!(reports.len(), usize::from(PRODUCTS));
        let results = reports.iter().zip(taken);
        results.map(|((product, report), taken)| result(report, status.of((*product).into()), taken)).collect()
    }

    /// A product, what happens to it, and levels: the side, the offset from the other side's best price, the size.
    type Update = (u8, u8, Vec<(bool, u64, u64)>);

    /// Frames of all products, each of which begins with a snapshot.
    fn frames(updates: &[Update]) -> Vec<(FrameHead, Vec<Event>)> {
        let all: Vec<Event> = (0..12)
            .flat_map(|at| [Event::level(Side::Bid, 999 - at, 5), Event::level(Side::Ask, 1_000 + at, 5)])
            .collect();
        let snapshots = (0..PRODUCTS).map(|product| (product, FrameKind::Snapshot, all.clone()));
        let updates = updates.iter().map(|(product, kind, levels)| {
            let event = |&(is_ask, offset, size): &(bool, u64, u64)| {
                let (side, price) = if is_ask { (Side::Ask, 998 + offset) } else { (Side::Bid, 1_001 - offset) };
                Event::level(side, price, size)
            };
            match kind {
                0 => (*product, FrameKind::Invalid(Fault::BadNumber), Vec::new()),
                1 => (*product, FrameKind::Snapshot, all.clone()),
                _ => (*product, FrameKind::Update, levels.iter().map(event).collect()),
            }
        });
        let numbered = (0..).zip(snapshots.chain(updates));
        let frame = |(number, (product, kind, levels)): (u64, (u8, FrameKind, Vec<Event>))| {
            let head = FrameHead {
                kind,
                product,
                levels: levels.len() as u32,
                scale: Scale { price_decimals: 1, size_decimals: 0 },
                sequence_num: number,
                ts_recv_ns: number as i64 * 1_000_000_000,
                ts_event_ns: 0,
                arrived: UNSTAMPED,
                received: UNMEASURED,
                decoded: UNMEASURED,
                published: UNSTAMPED,
            };
            (head, levels)
        };
        numbered.map(frame).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn products_do_not_know_of_each_other_on_any_number_of_threads(
            updates in prop::collection::vec(
                (0..PRODUCTS, 0..24_u8, prop::collection::vec((any::<bool>(), 0..14_u64, 0..9_u64), 0..6)), 0..200,
            ),
        ) {
            let frames = frames(&updates);
            let alone = alone(&frames);
            for threads in 0..=usize::from(PRODUCTS) {
                prop_assert_eq!(&together(&frames, threads), &alone, "{} threads", threads);
            }
        }
    }

    #[test]
    fn the_products_of_the_test_trade() {
        let updates: Vec<_> = (0..300_u64)
            .map(|at| ((at % 3) as u8, 9, vec![(at % 2 == 0, 2 + at % 5, at % 7), (at % 5 == 0, 3, 1 + at % 4)]))
            .collect();
        let results = alone(&frames(&updates));
        assert!(results.iter().all(|result| !result.contains("totals: Totals { trades: 0,")), "{results:#?}");
    }
}
