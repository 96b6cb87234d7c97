//! What the mid does after decisions: watched update by update, so that the same input gives the same record.

use super::ledger::Moment;
use super::records::MARKOUT_UPDATES;
use std::collections::VecDeque;

/// Decisions that can wait at once: a frame has at most one, and none waits longer than the last look.
const ROOM: usize = MARKOUT_UPDATES[MARKOUT_UPDATES.len() - 1] as usize + 2;

#[derive(Clone, Copy, Debug)]
struct Waiting {
    order_id: u64,
    sequence: u64,
    mids: [f64; MARKOUT_UPDATES.len()],
}

/// Decisions whose markouts are not all known.
#[derive(Debug)]
pub struct Markouts {
    /// In the order of decision.
    waiting: VecDeque<Waiting>,
    /// Snapshots before the decisions in it.
    stretch: u64,
}

impl Default for Markouts {
    fn default() -> Self {
        Self { waiting: VecDeque::with_capacity(ROOM), stretch: 0 }
    }
}

impl Markouts {
    /// Whether no decision waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A decision in the frame `now`, after [`Markouts::frame`] of it.
    pub fn decided(&mut self, order_id: u64, now: Moment) {
        self.stretch = now.stretch;
        self.waiting.push_back(Waiting { order_id, sequence: now.sequence, mids: [f64::NAN; MARKOUT_UPDATES.len()] });
    }

    /// A live frame whose mid is known, NaN where it has none. Tells of each decision that has been looked at for the last time.
    #[inline]
    pub fn frame(&mut self, now: Moment, mid: f64, known: impl FnMut(u64, [f64; MARKOUT_UPDATES.len()])) {
        if self.waiting.is_empty() {
            return;
        }
        if self.stretch != now.stretch {
            return self.end(known);
        }
        self.look(now.sequence, mid, known);
    }

    fn look(&mut self, sequence: u64, mid: f64, mut known: impl FnMut(u64, [f64; MARKOUT_UPDATES.len()])) {
        for (at, updates) in MARKOUT_UPDATES.into_iter().enumerate() {
            // One decision a frame: where it stands is known but for the frames that decided nothing.
            let Some(decided) = sequence.checked_sub(updates) else { continue };
            if let Ok(waiting) = self.waiting.binary_search_by_key(&decided, |waiting| waiting.sequence) {
                self.waiting[waiting].mids[at] = mid;
            }
        }
        let last = MARKOUT_UPDATES[MARKOUT_UPDATES.len() - 1];
        while let Some(&Waiting { order_id, sequence: decided, mids }) = self.waiting.front() {
            if decided + last > sequence {
                break;
            }
            self.waiting.pop_front();
            known(order_id, mids);
        }
    }

    /// The book was lost, or the run ends: what is not known stays unknown.
    pub fn end(&mut self, mut known: impl FnMut(u64, [f64; MARKOUT_UPDATES.len()])) {
        self.waiting.drain(..).for_each(|waiting| known(waiting.order_id, waiting.mids));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mids_are_those_of_the_updates_after() {
        let at = |sequence, stretch| Moment { sequence, venue_sequence_num: sequence, ts_recv_ns: 0, stretch };
        let mut markouts = Markouts::default();
        let mut known = Vec::new();
        for sequence in 0..300 {
            let stretch = if sequence < 250 { 1 } else { 2 };
            markouts.frame(at(sequence, stretch), sequence as f64, |id, mids| known.push((id, mids)));
            if sequence % 70 == 3 {
                markouts.decided(sequence, at(sequence, stretch));
            }
        }
        let [first, second, third, fourth] = known[..] else { panic!("{known:?}") };
        assert_eq!(first, (3, [4.0, 8.0, 23.0, 103.0]));
        assert_eq!((second, third), ((73, [74.0, 78.0, 93.0, 173.0]), (143, [144.0, 148.0, 163.0, 243.0])));
        // Frame 250 was a snapshot: what came after it is not what came after 213.
        assert_eq!(fourth.0, 213);
        assert_eq!(fourth.1[..3], [214.0, 218.0, 233.0]);
        assert!(fourth.1[3].is_nan());
        markouts.end(|id, mids| assert!(id == 283 && mids[0] == 284.0 && mids[3].is_nan()));
    }
}
