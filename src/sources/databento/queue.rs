//! Frames that a record has ended, and prints that wait for theirs.
//!
//! ```
//! use papertrader::sources::databento::queue::Queue;
//! use papertrader::sources::databento::record::Record;
//! use papertrader::sources::{RawFrame, RawKind};
//!
//! let mut queue = Queue::default();
//! let trade = Record { action: b'T', side: b'B', price: 13_400_000_000, size: 1, ..Record::default() };
//! queue.print(&trade, 7)?;
//! queue.end_prints();
//! let mut frame = RawFrame::default();
//! assert!(queue.pop(&mut frame));
//! assert_eq!((frame.kind, frame.ts_recv_ns, frame.prints.len()), (RawKind::Prints, 7, 1));
//! # Ok::<(), String>(())
//! ```

use super::record::{Record, UNDEFINED_SIZE, price, size};
use crate::sources::{FRAME_LEVELS_MAX, RawFrame, RawKind, RawPrint};
use std::collections::VecDeque;

/// Frames in order. A record ends at most four.
#[derive(Debug, Default)]
pub struct Queue {
    frames: VecDeque<RawFrame>,
    /// Their memory is used again.
    spare: Vec<RawFrame>,
    prints: Vec<RawPrint>,
    prints_at_ns: i64,
    prints_without_side: u64,
}

impl Queue {
    /// Takes the oldest frame.
    pub fn pop(&mut self, frame: &mut RawFrame) -> bool {
        let Some(mut next) = self.frames.pop_front() else { return false };
        std::mem::swap(frame, &mut next);
        self.spare.push(next);
        true
    }

    /// Adds a frame, to be filled.
    pub fn push(&mut self, kind: RawKind, ts_recv_ns: i64, ts_event_ns: i64) -> &mut RawFrame {
        let mut frame = self.spare.pop().unwrap_or_default();
        frame.begin(kind, ts_recv_ns, ts_event_ns);
        self.frames.push_back(frame);
        let at = self.frames.len() - 1;
        &mut self.frames[at]
    }

    /// Prints without the aggressor's side.
    pub fn prints_without_side(&self) -> u64 {
        self.prints_without_side
    }

    /// Keeps a trade for the frame of its time.
    ///
    /// # Errors
    /// Its side is unknown to the format, or its price or size is none.
    pub fn print(&mut self, trade: &Record, ts_recv_ns: i64) -> Result<(), String> {
        if self.prints_at_ns != ts_recv_ns || self.prints.len() == FRAME_LEVELS_MAX {
            self.end_prints();
        }
        let Some(aggressor) = trade.side()? else {
            self.prints_without_side += 1;
            return Ok(());
        };
        if matches!(trade.size, 0 | UNDEFINED_SIZE) {
            return Err("a trade without a size".into());
        }
        self.prints_at_ns = ts_recv_ns;
        self.prints.push(RawPrint {
            aggressor,
            price: price(trade.price)?,
            size: size(trade.size.into()),
            // Databento numbers packets, not trades.
            trade_id: 0,
            ts_event_ns: trade.ts_event_ns,
        });
        Ok(())
    }

    /// Puts the prints that wait into a frame.
    pub fn end_prints(&mut self) {
        let Some(ts_event_ns) = self.prints.iter().map(|print| print.ts_event_ns).max() else { return };
        let ts_recv_ns = self.prints_at_ns;
        let mut prints = std::mem::take(&mut self.prints);
        self.push(RawKind::Prints, ts_recv_ns, ts_event_ns).prints.append(&mut prints);
        self.prints = prints;
    }

    /// The same if they are older than a time.
    pub fn end_prints_before(&mut self, ts_recv_ns: i64) {
        if self.prints_at_ns != ts_recv_ns {
            self.end_prints();
        }
    }
}
