//! Accounts behind a venue whose tape is late.
//!
//! A venue may tell the trade later than the book that it changed, in batches of a quarter of a second for instance. In order of
//! arrival a queue then shortens twice: by the level's change and by the print. Where both streams say when things happened, the
//! accounts can be kept behind: for a fixed time everything that comes is held, then handed to them in the order in which it
//! happened, on a book of their own. Decisions are not held back: each comes with the update after which it was made, and knows
//! what had been received by then.
//!
//! ```
//! use papertrader::execution::hold_back::TapeClock;
//! use papertrader::market::event::{FrameHead, FrameKind, Print, UNMEASURED, UNSTAMPED};
//! use papertrader::market::units::{Scale, Side};
//!
//! let head = FrameHead {
//!     kind: FrameKind::Prints,
//!     product: 0,
//!     levels: 2,
//!     scale: Scale::default(),
//!     sequence_num: 7,
//!     ts_recv_ns: 3_000,
//!     ts_event_ns: 2_000,
//!     arrived: UNSTAMPED,
//!     received: UNMEASURED,
//!     decoded: UNSTAMPED,
//!     published: UNSTAMPED,
//! };
//! let print = Print { aggressor: Side::Bid, price_ticks: 100, size_lots: 5, trade_id: 7, ts_event_ns: 2_300 };
//! // It happened after its message was sent: its clock is ahead.
//! let mut clock = TapeClock::default();
//! assert_eq!((clock.venue_ns(&print, &head), clock.ahead_ns()), (Some(2_000), 300));
//! ```

mod clock;
mod queue;

pub use self::clock::TapeClock;
pub use self::queue::{FRAMES_ROOM, LEVELS_ROOM, PRINTS_ROOM};
use self::queue::{HeldFrame, HeldPrint, Next, Pushed, Queue};
use super::account::Out;
use super::desk::{Desk, DeskReport};
use super::ledger::Moment;
use crate::market::book::Follower;
use crate::market::event::{Event, FrameHead, FrameKind, Print};

/// The longest that anything can be held, nanoseconds: 10 s.
pub const HOLD_MAX_NS: i64 = 10_000_000_000;

/// For how long makers are kept behind unless something else is asked for, nanoseconds: twice as long as Coinbase collects prints.
pub const HOLD_DEFAULT_NS: i64 = 500_000_000;

/// What was held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldBackCounts {
    /// For how long, nanoseconds of our clock.
    pub hold_ns: i64,
    /// Prints that came.
    pub prints: u64,
    /// Those that came when an update of their time or later had been let go. They are left out: whom they would fill now need
    /// not have been there.
    pub late: u64,
    /// Those without a time that can be held against the book's: they come in the order of their arrival.
    pub untimed: u64,
    /// Updates let go before their time: a snapshot came, the book was lost, or there was no room.
    pub early: u64,
    /// How far the clock of the tape is ahead of the messages' at least, nanoseconds; corrected.
    pub tape_ahead_ns: i64,
}

/// What becomes of the message in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InHand {
    /// It is held.
    Held,
    /// The accounts see it at once: what it does to the book, all that was held has come before it.
    Passed,
}

/// Accounts that are kept behind.
#[derive(Debug)]
pub struct HoldBack {
    desk: Desk,
    /// The accounts' own book, as far behind as they are.
    follower: Follower,
    queue: Queue,
    clock: TapeClock,
    in_hand: InHand,
    /// Whether the accounts' book was live before the frame that they are handed.
    was_live: bool,
    snapshots: u64,
    /// The accounts' time, our clock: that of what they were handed last, never falling but for messages whose times fall.
    now_ns: i64,
    counts: HoldBackCounts,
}

impl HoldBack {
    /// Keeps accounts behind by so many nanoseconds of our clock, at most [`HOLD_MAX_NS`].
    pub fn new(desk: Desk, hold_ns: i64) -> Self {
        Self {
            desk,
            follower: Follower::default(),
            queue: Queue::new(),
            clock: TapeClock::default(),
            in_hand: InHand::Held,
            was_live: false,
            snapshots: 0,
            now_ns: 0,
            counts: HoldBackCounts { hold_ns: hold_ns.clamp(0, HOLD_MAX_NS), ..HoldBackCounts::default() },
        }
    }

    /// A message that is not of prints comes.
    pub fn begin(&mut self, head: &FrameHead, out: Out<'_>) {
        let is_update = head.kind == FrameKind::Update;
        if !is_update || !self.queue.has_room_for(head.levels as usize) {
            self.let_all_go(out);
        }
        if is_update && self.queue.has_room_for(head.levels as usize) {
            self.in_hand = InHand::Held;
            self.queue.push_frame(head);
        } else {
            self.in_hand = InHand::Passed;
            match head.kind {
                FrameKind::Snapshot => self.queue.begin_again(),
                FrameKind::Connected => {
                    self.queue.begin_again();
                    self.clock = TapeClock::default();
                }
                FrameKind::Update | FrameKind::Prints | FrameKind::Invalid(_) => {}
            }
            self.queue.pass(head);
            self.begin_frame(head, out);
        }
    }

    /// Levels of that message, in any number of slices.
    pub fn levels(&mut self, head: &FrameHead, levels: &[Event]) {
        match self.in_hand {
            InHand::Held => self.queue.push_levels(levels),
            InHand::Passed => take_levels(&mut self.desk, &mut self.follower, head.kind, self.was_live, levels),
        }
    }

    /// A print.
    pub fn print(&mut self, head: &FrameHead, print: Print, out: Out<'_>) {
        if !self.queue.has_room_for_print() {
            self.let_all_go(out);
        }
        let venue_ns = self.clock.venue_ns(&print, head);
        self.counts.tape_ahead_ns = self.counts.tape_ahead_ns.max(self.clock.ahead_ns());
        self.counts.prints += 1;
        match self.queue.push_print(print, head, venue_ns) {
            Pushed::InTime => {}
            Pushed::Untimed => self.counts.untimed += 1,
            Pushed::Late => self.counts.late += 1,
        }
    }

    /// After a message: `logit` is what the model said, if it was evaluated. Lets go what has been held for long enough.
    pub fn end(&mut self, head: &FrameHead, logit: Option<f64>, out: Out<'_>) {
        if head.kind != FrameKind::Prints {
            match (self.in_hand, logit) {
                (InHand::Held, Some(logit)) => self.queue.evaluated(logit),
                (InHand::Held, None) => {}
                (InHand::Passed, logit) => self.end_frame(head, logit, out),
            }
        }
        let (now_ns, hold_ns) = (head.ts_recv_ns, self.counts.hold_ns);
        // A clock that was set back by more than that is no reason to wait.
        self.let_go(|ts_recv_ns| now_ns < ts_recv_ns || now_ns.saturating_sub(ts_recv_ns) >= hold_ns, out);
    }

    fn let_all_go(&mut self, out: Out<'_>) {
        self.counts.early += self.queue.frames() as u64;
        self.let_go(|_| true, out);
    }

    fn let_go(&mut self, has_waited: impl Fn(i64) -> bool, out: Out<'_>) {
        while let Some(next) = self.queue.next(&has_waited) {
            match next {
                Next::Print(held) => self.hand_print(&held, out),
                Next::Frame(held) => self.hand_frame(&held, out),
            }
        }
    }

    fn hand_print(&mut self, held: &HeldPrint, out: Out<'_>) {
        self.now_ns = self.now_ns.max(held.at_once_ns);
        let (ts_ns, book) = (self.now_ns, self.follower.book());
        self.desk.arrivals(ts_ns, book, out);
        if self.desk.rests() {
            self.desk.print(book, &held.print, held.scale);
            self.desk.settle(book, held.sequence_num, ts_ns, out);
        }
    }

    fn hand_frame(&mut self, held: &HeldFrame, out: Out<'_>) {
        let head = held.head;
        self.begin_frame(&head, out);
        for levels in self.queue.levels(held) {
            take_levels(&mut self.desk, &mut self.follower, head.kind, self.was_live, levels);
        }
        self.queue.drop_levels(held);
        self.end_frame(&head, held.logit, out);
    }

    /// As the engine does it with its own book.
    fn begin_frame(&mut self, head: &FrameHead, out: Out<'_>) {
        let Self { desk, follower, .. } = self;
        self.now_ns = head.ts_recv_ns;
        desk.arrivals(head.ts_recv_ns, follower.book(), out);
        self.was_live = follower.is_live();
        if self.was_live && head.kind != FrameKind::Update {
            desk.book_lost(head.ts_recv_ns, follower.book(), out);
        }
        follower.count(head);
        if self.was_live && head.kind.is_book_frame() {
            self.close_due(head, out);
        }
        self.snapshots += u64::from(head.kind == FrameKind::Snapshot);
        let Self { desk, follower, .. } = self;
        match follower.begin(head) {
            Ok(None) => {}
            Ok(Some(before)) => desk.refine(before, head.scale),
            Err(_) => self.lost(head, out),
        }
    }

    fn end_frame(&mut self, head: &FrameHead, logit: Option<f64>, out: Out<'_>) {
        if self.follower.end().is_err() {
            self.lost(head, out);
        }
        if !head.kind.is_book_frame() || !self.follower.is_live() {
            return;
        }
        if !self.was_live {
            self.close_due(head, out);
        }
        let Some(moment) = self.moment(head) else { return };
        let Self { desk, follower, .. } = self;
        desk.after_frame(moment, follower.book(), out);
        if let Some(logit) = logit {
            desk.decide(moment, logit, follower.book(), out);
        }
    }

    fn close_due(&mut self, head: &FrameHead, out: Out<'_>) {
        let Some(moment) = self.moment(head) else { return };
        let Self { desk, follower, .. } = self;
        if follower.book().best().is_some_and(|(bid, ask)| bid.price_ticks < ask.price_ticks) {
            desk.close_due(moment, follower.book(), out);
        }
    }

    /// The book has found a fault itself.
    #[cold]
    fn lost(&mut self, head: &FrameHead, out: Out<'_>) {
        if !self.follower.is_live() {
            self.desk.book_lost(head.ts_recv_ns, self.follower.book(), out);
        }
    }

    fn moment(&self, head: &FrameHead) -> Option<Moment> {
        let sequence = self.follower.sequence()?;
        let (venue_sequence_num, ts_recv_ns) = (head.sequence_num, head.ts_recv_ns);
        Some(Moment { sequence, venue_sequence_num, ts_recv_ns, stretch: self.snapshots })
    }

    /// Ends the run: all that is held is let go.
    pub fn finish(mut self, out: Out<'_>) -> (DeskReport, HoldBackCounts) {
        self.let_go(|_| true, out);
        (self.desk.finish(self.follower.book(), out), self.counts)
    }
}

/// Levels of a frame: one by one only while an order rests.
fn take_levels(desk: &mut Desk, follower: &mut Follower, kind: FrameKind, was_live: bool, levels: &[Event]) {
    if kind != FrameKind::Update || !was_live {
        return follower.levels(levels);
    }
    desk.named(levels);
    if !desk.rests() {
        return follower.levels(levels);
    }
    for level in levels {
        desk.level(follower.book(), *level);
        follower.levels(std::slice::from_ref(level));
    }
}
