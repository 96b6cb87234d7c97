//! Frames to a block's payload.

use super::{BEGINS_WITH_SNAPSHOT, TAG_EVENT_TIME, TAG_NUMBER, TAG_SCALE, zigzag};
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use crate::market::units::{Scale, Side};

/// What a frame is told by its difference from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub ts_recv_ns: i64,
    pub sequence_num: u64,
    pub scale: Scale,
    /// Of bids and of asks.
    pub price_ticks: [u64; 2],
    pub print_ticks: u64,
    pub trade_id: u64,
}

impl Before {
    pub fn new(ts_recv_ns: i64, scale: Scale) -> Self {
        // The number before 0.
        Self { ts_recv_ns, sequence_num: u64::MAX, scale, price_ticks: [0; 2], print_ticks: 0, trade_id: 0 }
    }
}

/// A block that grows.
#[derive(Debug)]
pub(super) struct Encoder {
    pub payload: Vec<u8>,
    before: Before,
    pub scale_at_start: Scale,
    pub frames: u32,
    pub levels: u64,
    pub first_ns: i64,
    pub last_ns: i64,
    pub flags: u32,
}

impl Encoder {
    pub fn new() -> Self {
        Self {
            payload: Vec::new(),
            before: Before::new(0, Scale::default()),
            scale_at_start: Scale::default(),
            frames: 0,
            levels: 0,
            first_ns: 0,
            last_ns: 0,
            flags: 0,
        }
    }

    /// Empties it for the next block.
    pub fn begin_again(&mut self) {
        self.payload.clear();
        (self.frames, self.levels, self.flags) = (0, 0, 0);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.payload.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.payload.push(number as u8);
    }

    /// Appends a frame.
    pub fn push(&mut self, head: &FrameHead, events: &[Event]) {
        if self.frames == 0 {
            self.before = Before::new(head.ts_recv_ns, head.scale);
            self.scale_at_start = head.scale;
            (self.first_ns, self.last_ns) = (head.ts_recv_ns, head.ts_recv_ns);
            self.flags = if head.kind == FrameKind::Snapshot { BEGINS_WITH_SNAPSHOT } else { 0 };
        }
        self.frames += 1;
        self.last_ns = self.last_ns.max(head.ts_recv_ns);
        let (kind, fault) = match head.kind {
            FrameKind::Snapshot => (0, None),
            FrameKind::Update => (1, None),
            FrameKind::Prints => (2, None),
            FrameKind::Connected => (3, None),
            FrameKind::Invalid(fault) => (4, Some(fault as u8)),
        };
        let has_time = head.ts_event_ns != 0;
        let has_scale = head.scale != self.before.scale;
        let number = head.sequence_num.wrapping_sub(self.before.sequence_num).wrapping_sub(1) as i64;
        let tag = kind
            | if has_time { TAG_EVENT_TIME } else { 0 }
            | if has_scale { TAG_SCALE } else { 0 }
            | if number != 0 { TAG_NUMBER } else { 0 };
        self.payload.push(tag);
        self.payload.extend(fault);
        if has_scale {
            self.payload.extend([head.scale.price_decimals, head.scale.size_decimals]);
        }
        self.varint(zigzag(head.ts_recv_ns.wrapping_sub(self.before.ts_recv_ns)));
        if has_time {
            self.varint(zigzag(head.ts_event_ns.wrapping_sub(head.ts_recv_ns)));
        }
        if number != 0 {
            self.varint(zigzag(number));
        }
        self.before.ts_recv_ns = head.ts_recv_ns;
        self.before.sequence_num = head.sequence_num;
        if head.kind == FrameKind::Prints {
            self.prints(head, events);
        } else {
            self.before.scale = head.scale;
            self.varint(events.len() as u64);
            self.levels += events.len() as u64;
            for level in events {
                let side = usize::from(level.side() == Side::Ask);
                self.varint(level.size_lots() << 1 | side as u64);
                self.varint(zigzag(level.price_ticks().wrapping_sub(self.before.price_ticks[side]) as i64));
                self.before.price_ticks[side] = level.price_ticks();
            }
        }
    }

    fn prints(&mut self, head: &FrameHead, events: &[Event]) {
        let (prints, _) = events.as_chunks::<PRINT_EVENTS>();
        self.varint(prints.len() as u64);
        for &print in prints {
            let Print { aggressor, price_ticks, size_lots, trade_id, ts_event_ns } = Print::decode(print);
            self.varint(size_lots << 1 | u64::from(aggressor == Side::Ask));
            self.varint(zigzag(price_ticks.wrapping_sub(self.before.print_ticks) as i64));
            self.varint(zigzag(trade_id.wrapping_sub(self.before.trade_id).wrapping_sub(1) as i64));
            let since = zigzag(ts_event_ns.wrapping_sub(head.ts_recv_ns));
            // A time as far away as that is none.
            self.varint(if ts_event_ns == 0 { 0 } else { since.saturating_add(1) });
            (self.before.print_ticks, self.before.trade_id) = (price_ticks, trade_id);
        }
    }
}
