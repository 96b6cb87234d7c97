//! Frames as a capture: the venue's messages in today's layout.

use crate::capture::{CaptureError, CaptureWriter, Control};
use crate::exchange::market::{LevelUpdate, Trade};
use crate::exchange::message::{L2Kind, Layout, Levels, Prints};
use crate::execution::matching::best::opposite;
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use crate::market::publish::{EngineGone, Publish};
use std::path::Path;

/// Writes messages.
pub(super) struct CaptureSink {
    writer: CaptureWriter,
    product: String,
    sequence_num: u64,
    connection: u64,
    updates: Vec<LevelUpdate>,
    trades: Vec<Trade>,
    message: Vec<u8>,
    error: Option<CaptureError>,
}

impl CaptureSink {
    pub fn create(path: &Path, product: &str, force: bool) -> Result<Self, CaptureError> {
        Ok(Self {
            writer: CaptureWriter::whole(path, force)?,
            product: product.into(),
            sequence_num: 0,
            connection: 1,
            updates: Vec::new(),
            trades: Vec::new(),
            message: Vec::new(),
            error: None,
        })
    }

    pub fn finish(self) -> Result<(), CaptureError> {
        match self.error {
            Some(error) => Err(error),
            None => self.writer.finish().map(|_| ()),
        }
    }

    fn push(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), CaptureError> {
        let (product, scale) = (self.product.as_str(), head.scale);
        let time_ns = if head.ts_event_ns == 0 { head.ts_recv_ns } else { head.ts_event_ns };
        let kind = match head.kind {
            FrameKind::Snapshot => L2Kind::Snapshot,
            FrameKind::Update | FrameKind::Prints => L2Kind::Update,
            FrameKind::Connected => {
                self.connection += 1;
                self.sequence_num = 0;
                let connected = Control::Connected { connection: self.connection };
                return self.writer.control(head.ts_recv_ns, &connected);
            }
            FrameKind::Invalid(fault) => {
                let (connection, fault) = (self.connection, fault.name());
                let lost = Control::Disconnected { connection, fault: fault.into(), cause: fault.into() };
                return self.writer.control(head.ts_recv_ns, &lost);
            }
        };
        if head.kind == FrameKind::Prints {
            let (prints, _) = events.as_chunks::<PRINT_EVENTS>();
            self.trades.clear();
            // Newest first, as the venue sends them.
            self.trades.extend(prints.iter().rev().map(|&print| {
                let Print { aggressor, price_ticks, size_lots, trade_id, ts_event_ns } = Print::decode(print);
                let time_ns = if ts_event_ns == 0 { time_ns } else { ts_event_ns };
                Trade { trade_id, maker: opposite(aggressor), price_ticks, size_lots, time_ns }
            }));
            let prints = Prints { kind, product, scale, trades: &self.trades };
            Layout::default().market_trades(&mut self.message, self.sequence_num, time_ns, &prints);
        } else {
            self.updates.clear();
            self.updates.extend(events.iter().map(|level| LevelUpdate {
                side: level.side(),
                price_ticks: level.price_ticks(),
                size_lots: level.size_lots(),
            }));
            let levels = Levels { kind, product, scale, updates: &self.updates };
            Layout::default().l2_data(&mut self.message, self.sequence_num, time_ns, &levels);
        }
        self.sequence_num += 1;
        self.writer.frame(head.ts_recv_ns, &self.message)
    }
}

impl Publish for CaptureSink {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        if self.error.is_some() {
            return Err(EngineGone);
        }
        self.push(head, events).map_err(|error| {
            self.error = Some(error);
            EngineGone
        })
    }
}
