//! What came from a venue or a recording, in numbers.

use crate::market::event::FaultCounts;

/// What an intake has seen.
#[derive(Clone, Debug, Default)]
pub struct IntakeCounts {
    /// Messages of any kind.
    pub messages: u64,
    /// Frames of the product.
    pub frames: u64,
    /// The least and the greatest of their receive times, Unix nanoseconds.
    pub span_ns: Option<(i64, i64)>,
    /// Those of them that were snapshots.
    pub snapshots: u64,
    /// Levels in the product's frames.
    pub levels: u64,
    /// Prints of the product that were published.
    pub prints: u64,
    /// Trades whose prints never came, by the venue's numbers.
    pub prints_lost: u64,
    /// Prints that came again.
    pub prints_repeated: u64,
    /// Prints without side, price or size.
    pub prints_unread: u64,
    /// Error messages by which the venue refused the prints. They leave the book as it is.
    pub prints_refused: u64,
    /// Level messages in which the product had no event.
    pub other_product_frames: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// Acknowledgements.
    pub subscriptions: u64,
    /// Messages of other channels or of none.
    pub other_messages: u64,
    /// Times that a number refined the inferred scale after the first snapshot.
    pub refinements: u64,
    /// What made the book invalid.
    pub faults: FaultCounts,
}

impl IntakeCounts {
    /// Counts those of another recording too.
    pub fn add(&mut self, other: &Self) {
        let Self {
            messages,
            frames,
            span_ns,
            snapshots,
            levels,
            prints,
            prints_lost,
            prints_repeated,
            prints_unread,
            prints_refused,
            other_product_frames,
            heartbeats,
            subscriptions,
            other_messages,
            refinements,
            faults,
        } = other;
        for (count, more) in [
            (&mut self.messages, messages),
            (&mut self.frames, frames),
            (&mut self.snapshots, snapshots),
            (&mut self.levels, levels),
            (&mut self.prints, prints),
            (&mut self.prints_lost, prints_lost),
            (&mut self.prints_repeated, prints_repeated),
            (&mut self.prints_unread, prints_unread),
            (&mut self.prints_refused, prints_refused),
            (&mut self.other_product_frames, other_product_frames),
            (&mut self.heartbeats, heartbeats),
            (&mut self.subscriptions, subscriptions),
            (&mut self.other_messages, other_messages),
            (&mut self.refinements, refinements),
        ] {
            *count += more;
        }
        self.span_ns = match (self.span_ns, *span_ns) {
            (Some((first, last)), Some((from, to))) => Some((first.min(from), last.max(to))),
            (one, other) => one.or(other),
        };
        self.faults.add(faults);
    }
}
