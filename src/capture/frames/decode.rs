//! A block's payload back to frames.

use super::encode::Before;
use super::{TAG_EVENT_TIME, TAG_NUMBER, TAG_SCALE, unzigzag};
use crate::feed::intake::FRAME_LEVELS_MAX;
use crate::market::event::{Event, Fault, FrameHead, FrameKind, Print, UNMEASURED, UNSTAMPED};
use crate::market::units::{COUNT_MAX, DECIMALS_MAX, Scale, Side};

/// Frames of a block.
#[derive(Debug, Default)]
pub struct Batch {
    heads: Vec<FrameHead>,
    /// The events of all frames, one after the other.
    events: Vec<Event>,
    /// Where each frame's end.
    ends: Vec<usize>,
}

impl Batch {
    /// How many frames.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// A frame; its stamps are [`UNSTAMPED`].
    #[inline]
    pub fn frame(&self, at: usize) -> (&FrameHead, &[Event]) {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        (&self.heads[at], &self.events[from..self.ends[at]])
    }

    /// Forgets everything and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.heads.clear();
        self.events.clear();
        self.ends.clear();
    }

    /// A frame of its own, without events.
    pub(super) fn lone(&mut self, kind: FrameKind, ts_recv_ns: i64, scale: Scale) {
        self.clear();
        self.heads.push(head(kind, 0, scale, 0, ts_recv_ns, 0));
        self.ends.push(0);
    }
}

fn head(kind: FrameKind, levels: u32, scale: Scale, sequence_num: u64, ts_recv_ns: i64, ts_event_ns: i64) -> FrameHead {
    FrameHead {
        kind,
        product: 0,
        levels,
        scale,
        sequence_num,
        ts_recv_ns,
        ts_event_ns,
        arrived: UNSTAMPED,
        received: UNMEASURED,
        decoded: UNSTAMPED,
        published: UNSTAMPED,
    }
}

/// Reads a payload.
struct Cursor<'a> {
    left: &'a [u8],
}

impl Cursor<'_> {
    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let (&byte, left) = self.left.split_first()?;
        self.left = left;
        Some(byte)
    }

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        // Most are of one byte or two.
        let first = u64::from(self.byte()?);
        if first < 0x80 {
            return Some(first);
        }
        let second = u64::from(self.byte()?);
        if second < 0x80 {
            return Some(first & 0x7f | second << 7);
        }
        self.long(first & 0x7f | (second & 0x7f) << 7)
    }

    #[inline]
    fn long(&mut self, mut number: u64) -> Option<u64> {
        for shift in (14..64).step_by(7) {
            let byte = u64::from(self.byte()?);
            // The tenth byte has one bit.
            if shift == 63 && byte > 1 {
                return None;
            }
            number |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        self.varint().map(unzigzag)
    }

    fn scale(&mut self) -> Option<Scale> {
        let scale = Scale { price_decimals: self.byte()?, size_decimals: self.byte()? };
        (scale.price_decimals <= DECIMALS_MAX && scale.size_decimals <= DECIMALS_MAX).then_some(scale)
    }
}

/// Reads a whole payload of so many frames into `batch`. `None` where it is not what an encoder writes.
pub(super) fn decode(
    payload: &[u8],
    frames: u32,
    first_ns: i64,
    scale: Scale,
    faults: &[Fault],
    batch: &mut Batch,
) -> Option<()> {
    batch.clear();
    let mut cursor = Cursor { left: payload };
    let mut before = Before::new(first_ns, scale);
    for _ in 0..frames {
        frame(&mut cursor, &mut before, faults, batch)?;
    }
    cursor.left.is_empty().then_some(())
}

#[inline]
fn frame(cursor: &mut Cursor<'_>, before: &mut Before, faults: &[Fault], batch: &mut Batch) -> Option<()> {
    let tag = cursor.byte()?;
    let kind = match tag & 7 {
        0 => FrameKind::Snapshot,
        1 => FrameKind::Update,
        2 => FrameKind::Prints,
        3 => FrameKind::Connected,
        4 => FrameKind::Invalid(*faults.get(usize::from(cursor.byte()?))?),
        _ => return None,
    };
    let scale = if tag & TAG_SCALE != 0 { cursor.scale()? } else { before.scale };
    let ts_recv_ns = before.ts_recv_ns.wrapping_add(cursor.signed()?);
    let ts_event_ns = if tag & TAG_EVENT_TIME != 0 { ts_recv_ns.wrapping_add(cursor.signed()?) } else { 0 };
    let number = if tag & TAG_NUMBER != 0 { cursor.signed()? } else { 0 };
    let sequence_num = before.sequence_num.wrapping_add(1).wrapping_add(number as u64);
    let count = usize::try_from(cursor.varint()?).ok().filter(|&count| count <= FRAME_LEVELS_MAX)?;
    (before.ts_recv_ns, before.sequence_num) = (ts_recv_ns, sequence_num);
    let from = batch.events.len();
    match kind {
        FrameKind::Prints => {
            if cursor.left.len() < 4 * count {
                return None;
            }
            for _ in 0..count {
                batch.events.extend(print(cursor, before, ts_recv_ns)?.encode());
            }
        }
        _ => {
            before.scale = scale;
            // A level takes two bytes at least: memory is bounded by the payload.
            if cursor.left.len() < 2 * count || (count > 0 && !kind.is_book_frame()) {
                return None;
            }
            for _ in 0..count {
                batch.events.push(level(cursor, before)?);
            }
        }
    }
    let levels = (batch.events.len() - from) as u32;
    batch.heads.push(head(kind, levels, scale, sequence_num, ts_recv_ns, ts_event_ns));
    batch.ends.push(batch.events.len());
    Some(())
}

#[inline]
fn level(cursor: &mut Cursor<'_>, before: &mut Before) -> Option<Event> {
    let word = cursor.varint()?;
    let (side, at) = if word & 1 == 0 { (Side::Bid, 0) } else { (Side::Ask, 1) };
    let price_ticks = before.price_ticks[at].wrapping_add(cursor.signed()? as u64);
    before.price_ticks[at] = price_ticks;
    (price_ticks <= COUNT_MAX).then(|| Event::level(side, price_ticks, word >> 1))
}

fn print(cursor: &mut Cursor<'_>, before: &mut Before, ts_recv_ns: i64) -> Option<Print> {
    let word = cursor.varint()?;
    let price_ticks = before.print_ticks.wrapping_add(cursor.signed()? as u64);
    let trade_id = before.trade_id.wrapping_add(1).wrapping_add(cursor.signed()? as u64);
    let ts_event_ns = match cursor.varint()? {
        0 => 0,
        since => ts_recv_ns.wrapping_add(unzigzag(since - 1)),
    };
    (before.print_ticks, before.trade_id) = (price_ticks, trade_id);
    let aggressor = if word & 1 == 0 { Side::Bid } else { Side::Ask };
    (price_ticks <= COUNT_MAX).then_some(Print { aggressor, price_ticks, size_lots: word >> 1, trade_id, ts_event_ns })
}
