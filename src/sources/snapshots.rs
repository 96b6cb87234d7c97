//! Snapshots that follow one another.
//!
//! Some venues send every message as a snapshot. Then a snapshot with levels of one side only leaves the other as it is.
//!
//! ```
//! use papertrader::market::units::Side::{Ask, Bid};
//! use papertrader::sources::number::Number;
//! use papertrader::sources::snapshots::Snapshots;
//! use papertrader::sources::{RawFrame, RawKind, RawLevel};
//!
//! let level = |side, price| RawLevel { side, price: Number::new(price, 0).unwrap(), size: Number::new(1, 0).unwrap() };
//! let mut snapshots = Snapshots::default();
//! let mut frame = RawFrame { levels: vec![level(Bid, 99), level(Ask, 101)], ..RawFrame::default() };
//! snapshots.complete(&mut frame);
//! frame.levels = vec![level(Bid, 98)];
//! snapshots.complete(&mut frame);
//! assert_eq!(frame.levels, [level(Bid, 98), level(Ask, 101)]);
//!
//! // Behind an update the other side may have changed: nobody knows it.
//! frame.kind = RawKind::Update;
//! snapshots.complete(&mut frame);
//! (frame.kind, frame.levels) = (RawKind::Snapshot, vec![level(Bid, 98)]);
//! snapshots.complete(&mut frame);
//! assert_eq!(frame.levels, [level(Bid, 98)]);
//! ```

use super::{RawFrame, RawKind, RawLevel};
use crate::market::units::Side;

/// The snapshot before.
#[derive(Clone, Debug, Default)]
pub struct Snapshots {
    /// Its levels, both sides.
    last: Vec<RawLevel>,
    /// Whether no update has come since.
    is_last: bool,
}

impl Snapshots {
    /// Gives a snapshot of one side the other side of the snapshot directly before, and takes levels of size 0 out of it. Other
    /// frames stay as they are.
    pub fn complete(&mut self, frame: &mut RawFrame) {
        let was_last = std::mem::replace(&mut self.is_last, frame.kind == RawKind::Snapshot);
        if frame.kind != RawKind::Snapshot {
            return;
        }
        frame.levels.retain(|level| !level.size.is_zero());
        let has = |side: Side| frame.levels.iter().any(|level| level.side == side);
        let (bids, asks) = (has(Side::Bid), has(Side::Ask));
        if was_last && bids != asks {
            let other = if bids { Side::Ask } else { Side::Bid };
            frame.levels.extend(self.last.iter().filter(|level| level.side == other));
        }
        self.last.clone_from(&frame.levels);
    }
}
