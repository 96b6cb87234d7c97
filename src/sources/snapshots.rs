//! Snapshots that follow one another.
//!
//! Some venues send every message as a snapshot. Then a snapshot with levels of one side only leaves the other as it is. Rows of one
//! snapshot may also bear several times of receipt: then each part goes on behind the deepest level of the part before.
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
//! // A part that goes on behind several levels of that side adds to them.
//! frame = RawFrame { levels: vec![level(Bid, 99), level(Bid, 98)], ..RawFrame::default() };
//! snapshots.complete(&mut frame);
//! (frame.kind, frame.levels) = (RawKind::Snapshot, vec![level(Bid, 97)]);
//! snapshots.complete(&mut frame);
//! assert_eq!((frame.kind, &frame.levels), (RawKind::Update, &vec![level(Bid, 97)]));
//!
//! // Behind an update the other side may have changed: nobody knows it.
//! frame.kind = RawKind::Update;
//! snapshots.complete(&mut frame);
//! (frame.kind, frame.levels) = (RawKind::Snapshot, vec![level(Bid, 98)]);
//! snapshots.complete(&mut frame);
//! assert_eq!(frame.levels, [level(Bid, 98)]);
//! ```

use super::{FRAME_LEVELS_MAX, RawFrame, RawKind, RawLevel};
use crate::market::units::Side;
use std::cmp::Ordering;

/// The snapshot before.
#[derive(Clone, Debug, Default)]
pub struct Snapshots {
    /// Its levels, both sides, of all its parts.
    last: Vec<RawLevel>,
    /// The venue's time of it; 0 where there is none.
    last_event_ns: i64,
    /// Whether no update has come since.
    is_last: bool,
}

fn is_behind(level: &RawLevel, before: &RawLevel) -> bool {
    let order = level.price.cmp_value(before.price);
    order == if level.side == Side::Bid { Ordering::Less } else { Ordering::Greater }
}

/// The level of a side that is farthest from the best, or nearest to it, and how many there are.
fn extreme(levels: &[RawLevel], side: Side, is_farthest: bool) -> Option<(RawLevel, usize)> {
    let mut own = levels.iter().filter(|level| level.side == side);
    let first = *own.next()?;
    Some(own.fold((first, 1), |(found, count), &level| {
        (if is_behind(&level, &found) == is_farthest { level } else { found }, count + 1)
    }))
}

impl Snapshots {
    /// Gives a snapshot of one side the other side of the snapshot directly before, and takes levels of size 0 out of it. One that
    /// goes on behind it becomes an update of the same book. Other frames stay as they are.
    pub fn complete(&mut self, frame: &mut RawFrame) {
        let was_last = std::mem::replace(&mut self.is_last, frame.kind == RawKind::Snapshot);
        if frame.kind != RawKind::Snapshot {
            return;
        }
        frame.levels.retain(|level| !level.size.is_zero());
        if was_last && self.goes_on(frame) {
            self.last.extend_from_slice(&frame.levels);
            frame.kind = RawKind::Update;
            return;
        }
        let has = |side: Side| frame.levels.iter().any(|level| level.side == side);
        let (bids, asks) = (has(Side::Bid), has(Side::Ask));
        if was_last && bids != asks {
            let other = if bids { Side::Ask } else { Side::Bid };
            frame.levels.extend(self.last.iter().filter(|level| level.side == other));
        }
        self.last.clone_from(&frame.levels);
        self.last_event_ns = frame.ts_event_ns;
    }

    /// Whether a frame is a further part of the snapshot before: each side that both have goes on behind the deepest level. One level
    /// alone that is followed by a deeper one may have moved, unless the venue gave both the same time.
    fn goes_on(&self, frame: &RawFrame) -> bool {
        let is_of_time = frame.ts_event_ns != 0 && frame.ts_event_ns == self.last_event_ns;
        let goes_on = |side| {
            let (nearest, _) = extreme(&frame.levels, side, false)?;
            let (farthest, count) = extreme(&self.last, side, true)?;
            Some((count > 1 || is_of_time) && is_behind(&nearest, &farthest))
        };
        let sides = [goes_on(Side::Bid), goes_on(Side::Ask)];
        sides.contains(&Some(true))
            && !sides.contains(&Some(false))
            && self.last.len() + frame.levels.len() <= FRAME_LEVELS_MAX
    }
}
