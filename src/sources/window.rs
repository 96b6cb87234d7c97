//! A part of a market by its time of receipt.
//!
//! What came before only builds the book: the part begins with a snapshot of it, so that everything behind sees a market that
//! begins there. Prints from before are left out.
//!
//! ```
//! use papertrader::market::event::{Event, FrameHead, FrameKind, UNMEASURED, UNSTAMPED};
//! use papertrader::market::publish::{EngineGone, Publish};
//! use papertrader::market::units::{Scale, Side};
//! use papertrader::sources::window::{Window, Windowed};
//!
//! struct Kinds(Vec<(FrameKind, usize)>);
//! impl Publish for Kinds {
//!     fn publish(&mut self, head: &FrameHead, levels: &[Event]) -> Result<(), EngineGone> {
//!         self.0.push((head.kind, levels.len()));
//!         Ok(())
//!     }
//! }
//! let head = |kind, ts_recv_ns| FrameHead {
//!     kind,
//!     product: 0,
//!     levels: 1,
//!     scale: Scale::default(),
//!     sequence_num: 0,
//!     ts_recv_ns,
//!     ts_event_ns: 0,
//!     arrived: UNSTAMPED,
//!     received: UNMEASURED,
//!     decoded: UNSTAMPED,
//!     published: UNSTAMPED,
//! };
//! let mut kinds = Kinds(Vec::new());
//! let mut part = Windowed::new(&mut kinds, Window { from_ns: 15, to_ns: 30 }, 1);
//! part.publish(&head(FrameKind::Snapshot, 10), &[Event::level(Side::Bid, 99, 1)])?;
//! part.publish(&head(FrameKind::Update, 12), &[Event::level(Side::Ask, 101, 1)])?;
//! part.publish(&head(FrameKind::Update, 20), &[Event::level(Side::Ask, 100, 1)])?;
//! assert!(part.publish(&head(FrameKind::Update, 30), &[]).is_err() && part.has_ended());
//! assert_eq!(kinds.0, [(FrameKind::Snapshot, 2), (FrameKind::Update, 1)]);
//! # Ok::<(), EngineGone>(())
//! ```

use crate::market::book::{Book, Follower};
use crate::market::event::{Event, FrameHead, FrameKind};
use crate::market::publish::{EngineGone, Publish};
use crate::market::units::Side;

/// From when to when, Unix nanoseconds of the time of receipt; the end is outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first moment.
    pub from_ns: i64,
    /// The first moment after it.
    pub to_ns: i64,
}

impl Default for Window {
    fn default() -> Self {
        Self { from_ns: i64::MIN, to_ns: i64::MAX }
    }
}

impl Window {
    /// Whether it is all of time.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// Passes on what is in a window.
pub struct Windowed<'a, P> {
    engine: &'a mut P,
    window: Window,
    /// Of each product.
    before: Vec<Before>,
    levels: Vec<Event>,
    has_begun: bool,
    has_ended: bool,
}

/// A product before the window.
#[derive(Default)]
struct Before {
    /// Its book.
    follower: Follower,
    /// Whether anything of it was in the window.
    has_begun: bool,
}

impl<'a, P: Publish> Windowed<'a, P> {
    /// Before an engine that takes frames of so many products.
    pub fn new(engine: &'a mut P, window: Window, products: usize) -> Self {
        let before = (0..products).map(|_| Before::default()).collect();
        Self { engine, window, before, levels: Vec::new(), has_begun: false, has_ended: false }
    }

    /// Whether anything was in the window.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether the window's end has come: then nothing is taken any more.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The book before the window as a snapshot, unless the first frame is one itself.
    #[cold]
    fn begin(&mut self, head: &FrameHead) -> Result<(), EngineGone> {
        self.has_begun = true;
        let Before { follower, has_begun } = &mut self.before[usize::from(head.product)];
        *has_begun = true;
        if !follower.is_live() || head.kind == FrameKind::Snapshot {
            return Ok(());
        }
        levels_of(follower.book(), &mut self.levels);
        let snapshot = FrameHead {
            kind: FrameKind::Snapshot,
            levels: self.levels.len() as u32,
            scale: follower.book().scale(),
            sequence_num: head.sequence_num.wrapping_sub(1),
            ts_event_ns: 0,
            ..*head
        };
        self.engine.publish(&snapshot, &self.levels)
    }
}

/// All levels of a book: bids from the highest down, asks from the lowest up.
fn levels_of(book: &Book, levels: &mut Vec<Event>) {
    levels.clear();
    levels.extend(book.bids().levels().map(|level| Event::level(Side::Bid, level.price_ticks, level.size_lots)));
    levels.extend(book.asks().levels().map(|level| Event::level(Side::Ask, level.price_ticks, level.size_lots)));
}

impl<P: Publish> Publish for Windowed<'_, P> {
    fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
        let Before { follower, has_begun } = &mut self.before[usize::from(head.product)];
        if *has_begun && head.ts_recv_ns < self.window.to_ns {
            return self.engine.publish(head, events);
        }
        if head.ts_recv_ns >= self.window.to_ns {
            self.has_ended = true;
            return Err(EngineGone);
        }
        if head.ts_recv_ns >= self.window.from_ns {
            self.begin(head)?;
            return self.engine.publish(head, events);
        }
        follower.count(head);
        // A book that is lost is not live, and begins no window.
        let _ = follower.begin(head);
        if head.kind.is_book_frame() {
            follower.levels(events);
        }
        let _ = follower.end();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::event::{UNMEASURED, UNSTAMPED};
    use crate::market::units::Scale;
    use proptest::prelude::*;

    /// A book, and the frames behind the window's beginning.
    #[derive(Default)]
    struct Books {
        follower: Follower,
        frames: u64,
    }

    impl Publish for Books {
        fn publish(&mut self, head: &FrameHead, events: &[Event]) -> Result<(), EngineGone> {
            self.frames += 1;
            self.follower.count(head);
            self.follower.begin(head).unwrap();
            self.follower.levels(events);
            self.follower.end().unwrap();
            Ok(())
        }
    }

    fn all(book: &Book) -> Vec<(Side, u64, u64)> {
        let mut levels = Vec::new();
        levels_of(book, &mut levels);
        levels.iter().map(|level| (level.side(), level.price_ticks(), level.size_lots())).collect()
    }

    proptest! {
        #[test]
        fn the_book_in_a_window_is_the_whole_markets(
            frames in prop::collection::vec(prop::collection::vec((any::<bool>(), 1..30_u64, 0..5_u64), 0..4), 1..60),
            from in 0..60_i64,
            to in 0..70_i64,
        ) {
            let (mut whole, mut part) = (Books::default(), Books::default());
            let mut windowed = Windowed::new(&mut part, Window { from_ns: from, to_ns: to }, 1);
            let mut expected = Vec::new();
            for (number, frame) in (0..).zip(&frames) {
                let levels: Vec<Event> = frame
                    .iter()
                    .map(|&(ask, price, size)| Event::level(if ask { Side::Ask } else { Side::Bid }, price, size))
                    .collect();
                let head = FrameHead {
                    kind: if number == 0 { FrameKind::Snapshot } else { FrameKind::Update },
                    product: 0,
                    levels: levels.len() as u32,
                    scale: Scale::default(),
                    sequence_num: number as u64,
                    ts_recv_ns: number,
                    ts_event_ns: 0,
                    arrived: UNSTAMPED,
                    received: UNMEASURED,
                    decoded: UNSTAMPED,
                    published: UNSTAMPED,
                };
                whole.publish(&head, &levels).unwrap();
                if number < to {
                    expected = all(whole.follower.book());
                }
                prop_assert_eq!(windowed.publish(&head, &levels).is_ok(), number < to);
            }
            let begun = from < to && from < frames.len() as i64;
            let inside = (to.min(frames.len() as i64) - from).max(0) as u64;
            prop_assert_eq!(part.frames, if begun { inside + u64::from(from > 0) } else { 0 });
            if begun {
                prop_assert_eq!(all(part.follower.book()), expected);
            }
        }
    }
}
