//! What a look at all frames of a market finds.

use crate::market::event::{FrameHead, FrameKind};
use crate::market::units::Scale;

/// A venue's time that is later than that of receipt by more than this is wrong, whatever the clocks: a day.
pub const FAR_NS: i64 = 86_400_000_000_000;

/// What is found in the heads of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// How often the book was lost.
    pub faults: u64,
    /// Frames whose times of receipt are before those of the frames before them.
    pub back: u64,
    /// Frames with a venue's time.
    pub timed: u64,
    /// Those of them whose venue's time is after their time of receipt.
    pub ahead: u64,
    /// Those of them where it is so by more than [`FAR_NS`].
    pub far_ahead: u64,
    /// The longest time from a frame to the next, nanoseconds.
    pub longest_pause_ns: i64,
    /// The least time of receipt, Unix nanoseconds; 0 where there is no frame.
    pub first_ns: i64,
    /// The greatest one.
    pub last_ns: i64,
    /// The scale of the last frame of the book.
    pub scale: Scale,
}

/// Finds them.
#[derive(Clone, Debug, Default)]
pub struct Finder {
    findings: Findings,
    /// The time of receipt of the frame before.
    before_ns: Option<i64>,
}

impl Finder {
    /// Takes the next frame.
    #[inline]
    pub fn take(&mut self, head: &FrameHead) {
        let found = &mut self.findings;
        let ns = head.ts_recv_ns;
        match self.before_ns.replace(ns) {
            None => (found.first_ns, found.last_ns) = (ns, ns),
            Some(before_ns) => {
                found.back += u64::from(ns < before_ns);
                found.longest_pause_ns = found.longest_pause_ns.max(ns.saturating_sub(before_ns));
                (found.first_ns, found.last_ns) = (found.first_ns.min(ns), found.last_ns.max(ns));
            }
        }
        if head.ts_event_ns != 0 {
            found.timed += 1;
            found.ahead += u64::from(head.ts_event_ns > ns);
            found.far_ahead += u64::from(head.ts_event_ns.saturating_sub(ns) > FAR_NS);
        }
        found.faults += u64::from(matches!(head.kind, FrameKind::Invalid(_)));
        if head.kind.is_book_frame() {
            found.scale = head.scale;
        }
    }

    /// What was found so far.
    pub fn findings(&self) -> Findings {
        self.findings
    }
}
