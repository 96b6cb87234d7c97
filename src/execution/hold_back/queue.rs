//! What is held back: updates of the book and prints, merged by the venue's times.

use crate::market::event::{Event, FrameHead, Print};
use crate::market::units::Scale;
use std::collections::VecDeque;

/// Updates for which there is room.
pub const FRAMES_ROOM: usize = 1 << 15;
/// Their levels for which there is room, together.
pub const LEVELS_ROOM: usize = 1 << 18;
/// Prints for which there is room.
pub const PRINTS_ROOM: usize = 1 << 14;

/// An update of the book.
#[derive(Clone, Copy, Debug)]
pub struct HeldFrame {
    /// Its head.
    pub head: FrameHead,
    /// What the model said after it, if it was evaluated.
    pub logit: Option<f64>,
    /// How many of its levels are held.
    levels: usize,
    /// The venue's time of its message, nanoseconds, never falling from frame to frame.
    venue_ns: i64,
}

/// A print.
#[derive(Clone, Copy, Debug)]
pub struct HeldPrint {
    /// What was traded.
    pub print: Print,
    /// Its counts' scale.
    pub scale: Scale,
    /// The venue's number of its message.
    pub sequence_num: u64,
    /// Our clock when that came, Unix nanoseconds.
    pub ts_recv_ns: i64,
    /// Our clock when it would have come, had it been told at once; Unix nanoseconds.
    pub at_once_ns: i64,
    /// When it happened, by the clock of the venue's messages; nanoseconds.
    pub venue_ns: i64,
}

/// What became of a print that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is held, in its place by its time.
    InTime,
    /// It is held, in its place by its arrival.
    Untimed,
    /// It is not held: an update of its time or later has been let go.
    Late,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
pub enum Next {
    /// An update; its levels come first in [`Queue::levels`].
    Frame(HeldFrame),
    /// A print.
    Print(HeldPrint),
}

/// Updates in the order of their arrival, with prints between them by the venue's times: before the first update of the same
/// time or later.
#[derive(Debug)]
pub struct Queue {
    frames: VecDeque<HeldFrame>,
    /// Those of all updates that are held, in order.
    levels: VecDeque<Event>,
    /// By the venue's time; of one time in the order of arrival.
    prints: VecDeque<HeldPrint>,
    /// The venue's time up to which everything has come that is told in time, and that of the last update that was let go.
    came_ns: i64,
    left_ns: i64,
    /// Whether a message of the book had a time. Before one, `came_ns` counts prints.
    has_time: bool,
}

impl Queue {
    /// Nothing is held. The memory is taken here.
    pub fn new() -> Self {
        Self {
            frames: VecDeque::with_capacity(FRAMES_ROOM),
            levels: VecDeque::with_capacity(LEVELS_ROOM),
            prints: VecDeque::with_capacity(PRINTS_ROOM),
            came_ns: i64::MIN,
            left_ns: i64::MIN,
            has_time: false,
        }
    }

    /// Updates that are held.
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Whether an update of so many levels finds room.
    pub fn has_room_for(&self, levels: usize) -> bool {
        self.frames.len() < FRAMES_ROOM && self.levels.len() + levels <= LEVELS_ROOM
    }

    /// Whether a print finds room.
    pub fn has_room_for_print(&self) -> bool {
        self.prints.len() < PRINTS_ROOM
    }

    /// Takes the head of an update for which there is room.
    pub fn push_frame(&mut self, head: &FrameHead) {
        self.came(head);
        self.frames.push_back(HeldFrame { head: *head, logit: None, levels: 0, venue_ns: self.came_ns });
    }

    /// Takes levels of the update that was taken last.
    pub fn push_levels(&mut self, levels: &[Event]) {
        if let Some(frame) = self.frames.back_mut() {
            frame.levels += levels.len();
            self.levels.extend(levels);
        }
    }

    /// What the model said after the update that was taken last.
    pub fn evaluated(&mut self, logit: f64) {
        if let Some(frame) = self.frames.back_mut() {
            frame.logit = Some(logit);
        }
    }

    /// Takes a print for which there is room. `venue_ns` is `None` where it has no time that can be held against the book's: it
    /// comes between what came before it and what comes after.
    pub fn push_print(&mut self, print: Print, head: &FrameHead, venue_ns: Option<i64>) -> Pushed {
        let venue_ns = venue_ns.filter(|_| self.has_time);
        let is_timed = venue_ns.is_some();
        // As long before its message as it happened before that was sent.
        let before_ns = venue_ns.filter(|_| head.ts_event_ns != 0).map_or(0, |ns| head.ts_event_ns.saturating_sub(ns));
        let venue_ns = venue_ns.unwrap_or_else(|| {
            self.came_ns = self.came_ns.saturating_add(1);
            self.came_ns
        });
        let held = HeldPrint {
            print,
            scale: head.scale,
            sequence_num: head.sequence_num,
            ts_recv_ns: head.ts_recv_ns,
            at_once_ns: head.ts_recv_ns.saturating_sub(before_ns),
            venue_ns,
        };
        if venue_ns <= self.left_ns {
            return Pushed::Late;
        }
        let after = self.prints.iter().rev().take_while(|other| other.venue_ns > venue_ns).count();
        self.prints.insert(self.prints.len() - after, held);
        if is_timed { Pushed::InTime } else { Pushed::Untimed }
    }

    /// Forgets the venue's times, while nothing is held: one that was wrong is wrong no longer than to the next snapshot.
    pub fn begin_again(&mut self) {
        (self.came_ns, self.left_ns, self.has_time) = (i64::MIN, i64::MIN, false);
    }

    /// A message that is not held passes by, while nothing is held: what happened before it comes too late from now on.
    pub fn pass(&mut self, head: &FrameHead) {
        self.came(head);
        self.left_ns = self.came_ns;
    }

    fn came(&mut self, head: &FrameHead) {
        if head.ts_event_ns != 0 {
            self.came_ns = self.came_ns.max(head.ts_event_ns);
            self.has_time = true;
        }
    }

    /// What comes next, if it has waited long enough: an update by itself; a print with the update before which it comes or,
    /// where no update is held, by itself. The levels of an update are to be taken out, by [`Queue::drop_levels`].
    pub fn next(&mut self, has_waited: impl Fn(i64) -> bool) -> Option<Next> {
        let Some(frame) = self.frames.front() else {
            return self.pop_print(|print| has_waited(print.ts_recv_ns)).map(Next::Print);
        };
        if !has_waited(frame.head.ts_recv_ns) {
            return None;
        }
        let (venue_ns, ts_recv_ns) = (frame.venue_ns, frame.head.ts_recv_ns);
        if let Some(print) = self.pop_print(|print| print.venue_ns <= venue_ns) {
            return Some(Next::Print(HeldPrint { at_once_ns: print.at_once_ns.min(ts_recv_ns), ..print }));
        }
        self.left_ns = venue_ns;
        self.frames.pop_front().map(Next::Frame)
    }

    fn pop_print(&mut self, is_next: impl Fn(&HeldPrint) -> bool) -> Option<HeldPrint> {
        self.prints.front().is_some_and(is_next).then(|| self.prints.pop_front()).flatten()
    }

    /// The levels of an update that has been let go.
    pub fn levels(&self, frame: &HeldFrame) -> [&[Event]; 2] {
        let (first, second) = self.levels.as_slices();
        let from_first = frame.levels.min(first.len());
        [&first[..from_first], &second[..frame.levels - from_first]]
    }

    /// Takes the levels of an update out that has been let go.
    pub fn drop_levels(&mut self, frame: &HeldFrame) {
        self.levels.drain(..frame.levels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::event::{FrameKind, UNMEASURED, UNSTAMPED};
    use crate::market::units::Side;

    fn head(kind: FrameKind, ts_recv_ns: i64, ts_event_ns: i64) -> FrameHead {
        FrameHead {
            kind,
            product: 0,
            levels: 0,
            scale: Scale::default(),
            sequence_num: ts_recv_ns as u64,
            ts_recv_ns,
            ts_event_ns,
            arrived: UNSTAMPED,
            received: UNMEASURED,
            decoded: UNSTAMPED,
            published: UNSTAMPED,
        }
    }

    fn push(queue: &mut Queue, ts_recv_ns: i64, happened_ns: i64) -> Pushed {
        let print = Print { aggressor: Side::Bid, price_ticks: 1, size_lots: 1, trade_id: 0, ts_event_ns: happened_ns };
        queue.push_print(print, &head(FrameKind::Prints, ts_recv_ns, happened_ns), Some(happened_ns))
    }

    /// When everything came that is let go, in that order.
    fn all(queue: &mut Queue) -> Vec<i64> {
        let next = || match queue.next(|_| true)? {
            Next::Frame(frame) => Some(frame.head.ts_recv_ns),
            Next::Print(print) => Some(print.ts_recv_ns),
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn beside_a_book_without_times_prints_stay_in_order_of_arrival() {
        let mut queue = Queue::new();
        queue.pass(&head(FrameKind::Snapshot, 1, 0));
        for at in [2, 4, 6] {
            queue.push_frame(&head(FrameKind::Update, at, 0));
            assert_eq!(push(&mut queue, at + 1, 1_000 - at), Pushed::Untimed);
        }
        assert_eq!(all(&mut queue), [2, 3, 4, 5, 6, 7]);
        // From the first time on they are in order of time.
        queue.push_frame(&head(FrameKind::Update, 8, 2_000));
        queue.push_frame(&head(FrameKind::Update, 9, 2_010));
        assert_eq!(push(&mut queue, 10, 2_005), Pushed::InTime);
        assert_eq!(all(&mut queue), [8, 10, 9]);
    }

    #[test]
    fn a_wrong_time_is_forgotten_where_the_book_begins_again() {
        let mut queue = Queue::new();
        queue.pass(&head(FrameKind::Snapshot, 1, 100));
        queue.push_frame(&head(FrameKind::Update, 2, 1_000_000));
        assert_eq!(all(&mut queue), [2]);
        assert_eq!(push(&mut queue, 3, 110), Pushed::Late);
        queue.begin_again();
        queue.pass(&head(FrameKind::Snapshot, 4, 120));
        assert_eq!((push(&mut queue, 5, 119), push(&mut queue, 6, 121)), (Pushed::Late, Pushed::InTime));
    }
}
