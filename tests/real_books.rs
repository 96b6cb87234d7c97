//! The book on real captures, against ordered maps, after every frame.

mod common;

use common::shared_data;
use papertrader::book::{Book, Level};
use papertrader::capture::{CaptureReader, Item};
use papertrader::clock::Clock;
use papertrader::event::{Event, FrameHead, FrameKind};
use papertrader::feed::intake::{Arrival, EngineGone, Intake, Publish, ScaleRule, Taken};
use papertrader::units::Side;
use std::collections::BTreeMap;

/// Applies frames to both kinds of book and compares them.
#[derive(Default)]
struct Both {
    book: Book,
    bids: BTreeMap<u64, u64>,
    asks: BTreeMap<u64, u64>,
    frames: u64,
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
                assert_eq!(head.scale, self.book.scale());
                self.book.apply(levels);
                self.book.end_update().unwrap();
            }
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
        self.frames += 1;
        Ok(())
    }
}

#[test]
fn equals_ordered_maps_after_every_frame_of_the_captures() {
    let Some(data) = shared_data() else { return };
    for (name, product, frames) in [("btc-perp-a", "BTC-PERP", 26_823), ("btc-spot-a", "BTC-USDT", 3_449)] {
        let mut reader = CaptureReader::open(&data.join(format!("captures/{name}.l2.gz"))).unwrap();
        let mut intake = Intake::new(product, ScaleRule::default(), Clock::new());
        let mut both = Both::default();
        while let Some(line) = reader.next_line().unwrap() {
            let Item::Frame(frame) = line.item else { panic!("no control lines here") };
            let arrival = Arrival { ts_recv_ns: line.ts_recv_ns, received: 0, decoded: 0 };
            assert_eq!(intake.take(frame, &arrival, &mut both).unwrap(), Taken::Frame);
        }
        assert_eq!(both.frames, frames);
        assert!(both.book.bids().far_levels() + both.book.asks().far_levels() > 0, "the window holds all of {name}");
    }
}
