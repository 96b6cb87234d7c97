//! Keeps a book from published frames, by the engine's rules, and says what each frame did to it.

use crate::book::{Book, BookState};
use crate::event::{Event, FaultCounts, FrameHead, FrameKind};
use crate::units::Scale;

/// What a frame did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its place among the frames of the book, 0 being the first snapshot; `None` before that and for what is no frame of
    /// the book.
    pub sequence: Option<u64>,
    /// It replaced or lost the book: what features remember from before is void.
    pub anew: bool,
    /// The scale before, when it made the book's scale finer.
    pub refined_from: Option<Scale>,
    /// Whether the book can be used now.
    pub live: bool,
}

/// A book that follows a feed.
#[derive(Debug, Default)]
pub struct Follower {
    book: Book,
    frames: u64,
    /// Frames of the book from the first snapshot on.
    since_snapshot: u64,
    faults: FaultCounts,
}

impl Follower {
    /// The book after the last frame.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Frames of the book so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Faults that the book itself found.
    pub fn faults(&self) -> &FaultCounts {
        &self.faults
    }

    /// Takes a frame.
    pub fn take(&mut self, head: &FrameHead, levels: &[Event]) -> Step {
        let mut step = Step { sequence: None, anew: false, refined_from: None, live: false };
        if head.kind.is_book_frame() {
            self.frames += 1;
            if self.since_snapshot > 0 || head.kind == FrameKind::Snapshot {
                step.sequence = Some(self.since_snapshot);
                self.since_snapshot += 1;
            }
        }
        match head.kind {
            FrameKind::Update if self.book.state() == BookState::Live => {
                let scale = self.book.scale();
                let mut settled = Ok(());
                if head.scale != scale {
                    step.refined_from = Some(scale);
                    settled = self.book.refine(head.scale);
                }
                let settled = settled.and_then(|()| {
                    self.book.apply(levels);
                    self.book.end_update()
                });
                settled.unwrap_or_else(|fault| self.faults.count(fault));
            }
            FrameKind::Update => {}
            FrameKind::Snapshot => {
                step.anew = true;
                self.book.begin_snapshot(head.scale);
                self.book.stage(levels);
                self.book.end_snapshot().unwrap_or_else(|fault| self.faults.count(fault));
            }
            FrameKind::Connected => {
                step.anew = true;
                self.book.await_snapshot();
            }
            FrameKind::Invalid(_) => {
                step.anew = true;
                self.book.invalidate();
            }
        }
        step.live = self.book.state() == BookState::Live && head.kind.is_book_frame();
        step
    }
}
