//! What rows of other programs cannot say: that the book is lost, that the clock went back, that the tape has a clock of its own.

use crate::execution::hold_back::TapeClock;
use crate::market::event::{Event, FrameHead, FrameKind, PRINT_EVENTS, Print};
use crate::report::text::counted;

/// Passes on what rows can say, and counts the rest.
///
/// Before the first snapshot and where the book is lost, the rows of a book that nobody knows would read as those of a good one, and trades would meet what it was
/// before: both are left out until the next snapshot. Prints
/// before the first one meet no book and stay.
#[derive(Default)]
pub(super) struct ForRows {
    has_begun: bool,
    is_lost: bool,
    losses: u64,
    frames_before: u64,
    frames_left_out: u64,
    prints_left_out: u64,
    clock: TapeClock,
    last_ns: Option<i64>,
    back: u64,
    back_ns_max: i64,
    prints: Vec<Event>,
}

impl ForRows {
    /// What is to be written of a message, if anything is.
    pub fn pass<'a>(&'a mut self, head: &FrameHead, events: &'a [Event]) -> Option<&'a [Event]> {
        let before_ns = self.last_ns.unwrap_or(head.ts_recv_ns);
        if head.ts_recv_ns < before_ns {
            self.back += 1;
            self.back_ns_max = self.back_ns_max.max(before_ns.saturating_sub(head.ts_recv_ns));
        }
        self.last_ns = Some(before_ns.max(head.ts_recv_ns));
        match head.kind {
            FrameKind::Snapshot => (self.has_begun, self.is_lost) = (true, false),
            FrameKind::Invalid(_) | FrameKind::Connected => {
                if head.kind == FrameKind::Connected {
                    self.clock = TapeClock::default();
                }
                self.losses += u64::from(self.has_begun && !self.is_lost);
                self.is_lost = self.has_begun;
                return None;
            }
            FrameKind::Update if !self.has_begun => {
                self.frames_before += 1;
                return None;
            }
            FrameKind::Update if self.is_lost => {
                self.frames_left_out += 1;
                return None;
            }
            FrameKind::Prints if self.is_lost => {
                self.prints_left_out += (events.len() / PRINT_EVENTS) as u64;
                return None;
            }
            FrameKind::Prints => return Some(self.corrected(head, events)),
            FrameKind::Update => {}
        }
        Some(events)
    }

    /// Prints with their times on the clock of the messages; without one where it means nothing.
    fn corrected(&mut self, head: &FrameHead, events: &[Event]) -> &[Event] {
        self.prints.clear();
        for &print in events.as_chunks::<PRINT_EVENTS>().0 {
            let print = Print::decode(print);
            let ts_event_ns = self.clock.venue_ns(&print, head).unwrap_or(0);
            self.prints.extend(Print { ts_event_ns, ..print }.encode());
        }
        &self.prints
    }

    /// Whether there was a book to write.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// What the user should know.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.frames_before > 0 {
            let frames = counted(self.frames_before, "frame");
            remarks.push(format!(
                "{frames} before the first snapshot are left out: nobody knows the book that they change"
            ));
        }
        if self.losses > 0 {
            remarks.push(format!(
                "the book was lost {}; rows cannot say so, {} and {} until the next snapshot are left out",
                counted(self.losses, "time"),
                counted(self.frames_left_out, "frame"),
                counted(self.prints_left_out, "print")
            ));
        }
        if self.back > 0 {
            remarks.push(format!(
                "the times of receipt of {} went back by up to {} s and were moved behind those before",
                counted(self.back, "message"),
                self.back_ns_max as f64 / 1e9
            ));
        }
        if self.clock.ahead_ns() > 0 {
            remarks.push(format!(
                "the venue's times of prints are {} s ahead of those of its messages and were moved back by that",
                self.clock.ahead_ns() as f64 / 1e9
            ));
        }
        remarks
    }
}
