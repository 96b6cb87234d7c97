//! The book on real captures, against ordered maps, after every frame.

mod common;

use common::shared_data;
use papertrader::base::clock::Clock;
use papertrader::capture::{CaptureReader, Item};
use papertrader::feed::intake::{Arrival, Intake, ScaleRule, Taken};
use papertrader::market::book::{Book, Level, TOP_LEVELS};
use papertrader::market::event::{Event, FrameHead, FrameKind};
use papertrader::market::publish::{EngineGone, Publish};
use papertrader::market::units::{Scale, Side};
use std::collections::BTreeMap;

/// Applies frames to both kinds of book and compares them.
#[derive(Default)]
struct Both {
    book: Book,
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
    frames: u64,
    refinements: u64,
}

impl Both {
    /// Multiplies the maps' counts when a finer number refines the scale.
    fn follow(&mut self, scale: Scale) {
        let from = self.book.scale();
        if scale == from {
            return;
        }
        self.book.refine(scale).unwrap();
        let ticks_times = 10_u64.pow(u32::from(scale.price_decimals - from.price_decimals));
        let lots_times = 10_u64.pow(u32::from(scale.size_decimals - from.size_decimals));
        for side in [&mut self.bids, &mut self.asks] {
            *side = side.iter().map(|(price, size)| (price * ticks_times, size * lots_times)).collect();
        }
        self.refinements += 1;
    }
}

impl Publish for Both {
    fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
        match head.kind {
            FrameKind::Snapshot => {
                self.bids.clear();
                self.asks.clear();
                self.book.begin_snapshot(head.scale);
                self.book.stage(levels);
                self.book.end_snapshot().unwrap();
            }
            FrameKind::Update => {
                self.follow(head.scale);
                self.book.apply(levels);
                self.book.end_update().unwrap();
            }
            FrameKind::Prints => return Ok(()),
            other => panic!("{other:?} in a good capture"),
        }
        for level in levels {
            let side = if level.side() == Side::Bid { &mut self.bids } else { &mut self.asks };
            match level.size_lots() {
                0 => side.remove(&level.price_ticks()),
                lots => side.insert(level.price_ticks(), lots),
            };
        }
        // The whole of both sides now and then, their tops after every frame.
        let depth = if self.frames.is_multiple_of(64) { usize::MAX } else { 40 };
        let level = |(&price_ticks, &size_lots): (&u64, &u64)| Level { price_ticks, size_lots };
        let bids: Vec<Level> = self.bids.iter().rev().take(depth).map(level).collect();
        let asks: Vec<Level> = self.asks.iter().take(depth).map(level).collect();
        assert_eq!(self.book.bids().levels().take(depth).collect::<Vec<_>>(), bids, "frame {}", self.frames);
        assert_eq!(self.book.asks().levels().take(depth).collect::<Vec<_>>(), asks, "frame {}", self.frames);
        let (best_bids, best_asks) = (&bids[..bids.len().min(TOP_LEVELS)], &asks[..asks.len().min(TOP_LEVELS)]);
        assert_eq!(self.book.bids().top().levels().collect::<Vec<_>>(), best_bids, "frame {}", self.frames);
        assert_eq!(self.book.asks().top().levels().collect::<Vec<_>>(), best_asks, "frame {}", self.frames);
        self.frames += 1;
        Ok(())
    }
}

#[test]
fn equals_ordered_maps_after_every_frame_of_the_captures() {
    let Some(data) = shared_data() else { return };
    for (name, product, frames, refinements) in
        [("btc-perp-a", "BTC-PERP", 26_823, 0), ("btc-spot-a", "BTC-USDT", 3_449, 1)]
    {
        let mut reader = CaptureReader::open(&data.join(format!("captures/{name}.l2.gz"))).unwrap();
        let mut intake = Intake::new(product, ScaleRule::default(), Clock::new());
        let mut both = Both::default();
        while let Some(line) = reader.next_line().unwrap() {
            let Item::Frame(frame) = line.item else { panic!("no control lines here") };
            let arrival = Arrival { ts_recv_ns: line.ts_recv_ns, arrived: None, received: 0, decoded: 0 };
            assert_eq!(intake.take(frame, &arrival, &mut both).unwrap(), Taken::Frame);
        }
        // The spot snapshot needs five decimals of quantity; some later number needs more.
        assert_eq!((both.frames, both.refinements), (frames, refinements), "{name}");
    }
}
