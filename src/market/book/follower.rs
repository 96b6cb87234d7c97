//! Keeps a book from published frames: what a frame of each kind does to it, for whoever follows a feed.
//!
//! ```
//! use papertrader::market::book::Follower;
//! use papertrader::market::event::{Event, Fault, FrameHead, FrameKind, UNMEASURED, UNSTAMPED};
//! use papertrader::market::units::{Scale, Side};
//!
//! let level = Event::level(Side::Bid, 10_000, 300);
//! let head = FrameHead {
//!     kind: FrameKind::Snapshot,
//!     product: 0,
//!     levels: 1,
//!     scale: Scale { price_decimals: 2, size_decimals: 8 },
//!     sequence_num: 0,
//!     ts_recv_ns: 0,
//!     ts_event_ns: 0,
//!     arrived: UNSTAMPED,
//!     received: UNMEASURED,
//!     decoded: UNSTAMPED,
//!     published: UNSTAMPED,
//! };
//!
//! let mut follower = Follower::default();
//! follower.count(&head);
//! follower.begin(&head)?;
//! follower.levels(&[level]);
//! follower.end()?;
//! assert!(follower.is_live());
//! assert_eq!(follower.sequence(), Some(0));
//! # Ok::<(), Fault>(())
//! ```

use super::{Book, BookState};
use crate::market::event::{Event, Fault, FrameHead, FrameKind};
use crate::market::units::Scale;

/// What becomes of the levels of the frame in hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Treatment {
    Stage,
    Apply,
    #[default]
    PassOver,
}

/// A book that follows a feed.
///
/// A frame is [counted](Follower::count), while the book still is as it was, [begun](Follower::begin), given its
/// [levels](Follower::levels) in any number of slices, and [ended](Follower::end).
#[derive(Debug, Default)]
pub struct Follower {
    book: Book,
    /// Of the frame that was begun last.
    treatment: Treatment,
    /// Frames of the book since the first snapshot, that one included.
    since_snapshot: u64,
}

impl Follower {
    /// The book.
    #[inline]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// See [`Book::fault_in`].
    pub fn fault_in(&mut self) {
        self.book.fault_in();
    }

    /// Whether the book is live.
    #[inline]
    pub fn is_live(&self) -> bool {
        self.book.state() == BookState::Live
    }

    /// The last frame's place among the frames of the book, 0 being the first snapshot; `None` before that.
    #[inline]
    pub fn sequence(&self) -> Option<u64> {
        self.since_snapshot.checked_sub(1)
    }

    /// Counts a frame, of whatever kind.
    #[inline]
    pub fn count(&mut self, head: &FrameHead) {
        let counts = self.since_snapshot > 0 || matches!(head.kind, FrameKind::Snapshot);
        self.since_snapshot += u64::from(counts && head.kind.is_book_frame());
    }

    /// Does what the frame's kind asks for, before its levels. Gives the scale before, if the frame made it finer.
    ///
    /// # Errors
    /// The book does not fit the frame's scale; it is invalid then, and the levels will be passed over.
    #[inline]
    pub fn begin(&mut self, head: &FrameHead) -> Result<Option<Scale>, Fault> {
        self.treatment = Treatment::PassOver;
        match head.kind {
            FrameKind::Update if self.is_live() => {
                let before = self.book.scale();
                if head.scale != before {
                    self.book.refine(head.scale)?;
                    self.treatment = Treatment::Apply;
                    return Ok(Some(before));
                }
                self.treatment = Treatment::Apply;
            }
            FrameKind::Update | FrameKind::Prints => {}
            FrameKind::Snapshot => {
                self.book.begin_snapshot(head.scale);
                self.treatment = Treatment::Stage;
            }
            FrameKind::Connected => self.book.await_snapshot(),
            FrameKind::Invalid(_) => self.book.invalidate(),
        }
        Ok(None)
    }

    /// Takes levels of the frame.
    #[inline]
    pub fn levels(&mut self, levels: &[Event]) {
        match self.treatment {
            Treatment::Apply => self.book.apply(levels),
            Treatment::Stage => self.book.stage(levels),
            Treatment::PassOver => {}
        }
    }

    /// Settles the book after the frame's last level.
    ///
    /// # Errors
    /// [`Fault::TooManyLevels`]; the book is invalid then.
    #[inline]
    pub fn end(&mut self) -> Result<(), Fault> {
        match self.treatment {
            Treatment::Apply => self.book.end_update(),
            Treatment::Stage => self.book.end_snapshot(),
            Treatment::PassOver => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::units::Side;

    const COARSE: Scale = Scale { price_decimals: 1, size_decimals: 2 };
    const FINE: Scale = Scale { price_decimals: 2, size_decimals: 2 };

    fn take(follower: &mut Follower, kind: FrameKind, scale: Scale, price_ticks: u64) -> Result<Option<Scale>, Fault> {
        let levels = [Event::level(Side::Bid, price_ticks, 7), Event::level(Side::Ask, price_ticks + 1, 7)];
        let head = FrameHead {
            kind,
            product: 0,
            levels: 2,
            scale,
            sequence_num: 0,
            ts_recv_ns: 0,
            ts_event_ns: 0,
            arrived: 0,
            received: 0,
            decoded: 0,
            published: 0,
        };
        follower.count(&head);
        let begun = follower.begin(&head);
        // In two slices, as at the end of a ring.
        follower.levels(&levels[..1]);
        follower.levels(&levels[1..]);
        follower.end().and(begun)
    }

    #[test]
    fn frames_make_change_and_lose_the_book() {
        use BookState::{Empty, Invalid, Live, Syncing};
        let mut follower = Follower::default();
        assert_eq!((follower.book().state(), follower.sequence()), (Empty, None));
        let lost = FrameKind::Invalid(Fault::SequenceGap);
        // The kind, the scale and the bid of a frame; the state behind it, its place, the scale before and the best bid.
        let (u, s, c) = (FrameKind::Update, FrameKind::Snapshot, FrameKind::Connected);
        let steps = [
            (c, COARSE, 1, Syncing, None, None, None),
            (u, COARSE, 2, Syncing, None, None, None),
            (s, COARSE, 50, Live, Some(0), None, Some(50)),
            (u, COARSE, 51, Live, Some(1), None, Some(51)),
            (u, FINE, 600, Live, Some(2), Some(COARSE), Some(600)),
            (u, FINE, 601, Live, Some(3), None, Some(601)),
            (s, COARSE, 40, Live, Some(4), None, Some(40)),
            (lost, COARSE, 90, Invalid, Some(4), None, None),
            (u, COARSE, 90, Invalid, Some(5), None, None),
            (c, COARSE, 90, Syncing, Some(5), None, None),
            (s, FINE, 30, Live, Some(6), None, Some(30)),
        ];
        for (at, (kind, scale, price, state, sequence, refined_from, best)) in steps.into_iter().enumerate() {
            assert_eq!(take(&mut follower, kind, scale, price), Ok(refined_from), "step {at}");
            assert_eq!((follower.book().state(), follower.sequence()), (state, sequence), "step {at}");
            let bid = follower.book().bids().best().map(|level| level.price_ticks);
            assert_eq!(bid, best, "step {at}");
            assert_eq!(follower.is_live(), state == Live);
        }
    }

    #[test]
    fn a_book_that_does_not_fit_a_scale_is_lost() {
        let mut follower = Follower::default();
        take(&mut follower, FrameKind::Snapshot, COARSE, u64::MAX >> 2).unwrap();
        let finest = Scale { price_decimals: 9, ..COARSE };
        assert_eq!(take(&mut follower, FrameKind::Update, finest, 5), Err(Fault::NumberTooLarge));
        assert_eq!((follower.book().state(), follower.sequence()), (BookState::Invalid, Some(1)));
        assert_eq!(follower.book().best(), None);
    }
}
