//! What made a book unreliable, for reports: how often by cause, and the first few spelt out.
//!
//! ```
//! use papertrader::feed::breaks::Breaks;
//! use papertrader::feed::intake::FaultNote;
//! use papertrader::market::event::{Fault, FaultCounts};
//!
//! let mut feed = FaultCounts::default();
//! feed.count(Fault::SequenceGap);
//! let detail = "sequence_num 4 where 1 was due".into();
//! let breaks = Breaks::new(&feed, &FaultCounts::default(), &[FaultNote { fault: Fault::SequenceGap, detail }]);
//! assert_eq!(
//!     breaks.to_string(),
//!     "the book became unreliable 1 time: sequence gap 1 (sequence gap: sequence_num 4 where 1 was due)"
//! );
//! ```

use super::intake::FaultNote;
use crate::base::one_line::OneLine;
use crate::market::event::FaultCounts;
use serde::Serialize;
use std::cmp::Reverse;
use std::fmt::{self, Display, Formatter, Write};

/// Faults that are kept spelt out.
pub const NOTES_MAX: usize = 10;
/// Those of them that stand in a line.
const NOTES_IN_LINE: usize = 3;

/// A cause and how often it was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Its name.
    pub fault: &'static str,
    /// At least 1.
    pub count: u64,
}

/// What made a book unreliable. Its text is one line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Breaks {
    /// How often.
    #[serde(rename = "faults")]
    pub total: u64,
    /// By cause, the most frequent first.
    #[serde(rename = "faults_by_kind")]
    pub causes: Vec<Cause>,
    /// The first that the feed found, at most [`NOTES_MAX`].
    #[serde(rename = "fault_notes")]
    pub notes: Vec<String>,
}

impl Breaks {
    /// Of what the feed found, with its notes, and what the book itself found.
    pub fn new(feed: &FaultCounts, book: &FaultCounts, notes: &[FaultNote]) -> Self {
        let mut counts = feed.clone();
        counts.add(book);
        let mut causes: Vec<Cause> = counts.iter().map(|(fault, count)| Cause { fault: fault.name(), count }).collect();
        causes.sort_by_key(|cause| Reverse(cause.count));
        let notes = notes.iter().take(NOTES_MAX).map(|note| format!("{}: {}", note.fault.name(), note.detail));
        Self { total: counts.total(), causes, notes: notes.collect() }
    }

    /// Whether nothing broke the book.
    pub fn is_none(&self) -> bool {
        self.total == 0
    }
}

/// `1 time`, `2 times`.
pub fn times(count: u64) -> String {
    if count == 1 { "1 time".into() } else { format!("{count} times") }
}

impl Display for Breaks {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let causes: Vec<String> = self.causes.iter().map(|Cause { fault, count }| format!("{fault} {count}")).collect();
        write!(f, "the book became unreliable {}: {}", times(self.total), causes.join(", "))?;
        if self.notes.is_empty() {
            return Ok(());
        }
        // Notes quote venues and files.
        let notes = self.notes[..self.notes.len().min(NOTES_IN_LINE)].join("; ");
        let more = if self.total > NOTES_IN_LINE as u64 { "; and more" } else { "" };
        write!(OneLine(&mut *f), " ({notes}{more})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::event::Fault;

    #[test]
    fn causes_come_by_frequency_and_the_first_few_are_spelt_out() {
        let (mut feed, mut book) = (FaultCounts::default(), FaultCounts::default());
        (0..2).for_each(|_| feed.count(Fault::SequenceGap));
        (0..12).for_each(|_| feed.count(Fault::VenueError));
        book.count(Fault::StaysCrossed);
        let note = |at: u32| FaultNote { fault: Fault::VenueError, detail: format!("{at}\n") };
        let breaks = Breaks::new(&feed, &book, &(0..12).map(note).collect::<Vec<_>>());
        assert_eq!((breaks.total, breaks.notes.len()), (15, NOTES_MAX));
        let [error, gap, crossed] = [Fault::VenueError, Fault::SequenceGap, Fault::StaysCrossed].map(Fault::name);
        assert_eq!(
            breaks.to_string(),
            format!(
                "the book became unreliable 15 times: {error} 12, {gap} 2, {crossed} 1 ({error}: 0\\n; {error}: 1\\n; \
                 {error}: 2\\n; and more)"
            )
        );
        assert!(Breaks::default().is_none() && !breaks.is_none());
    }
}
