//! What the mid did after an evaluation, by the rules of `research`: the horizon is counted in frames of the book and never
//! reaches over a snapshot, a gap or an invalid book.

use crate::statistics::labels::DoubleMid;
use std::collections::VecDeque;

/// What an evaluation ranks its moment by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// The model's log-odds.
    pub logit: f64,
    /// The one-feature rival: (best bid's size − best ask's) / (their sum); NaN without either.
    pub imbalance: f64,
}

/// An evaluation whose outcome will not change any more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settled {
    /// The evaluation.
    pub scores: Scores,
    /// 1 up, 0 the same, −1 down; `None` where the book was lost, or the run ended, before the horizon.
    pub sign: Option<i8>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    sequence: u64,
    mid: DoubleMid,
    scores: Scores,
}

/// Evaluations on their way to their horizon.
#[derive(Debug)]
pub struct Horizon {
    updates: u64,
    stretch: u64,
    /// At most `updates`, oldest first.
    waiting: VecDeque<Waiting>,
}

impl Horizon {
    /// So many updates ahead, at least 1.
    pub fn new(updates: u32) -> Self {
        assert!(updates >= 1, "a horizon lies ahead");
        Self { updates: u64::from(updates), stretch: 0, waiting: VecDeque::new() }
    }

    /// Takes a live frame, and tells of each evaluation that it settles.
    #[inline]
    pub fn frame(
        &mut self,
        stretch: u64,
        sequence: u64,
        mid: Option<DoubleMid>,
        scores: Option<Scores>,
        mut settled: impl FnMut(Settled),
    ) {
        if stretch != self.stretch {
            self.flush(&mut settled);
            self.stretch = stretch;
        }
        if let Some(due) = self.waiting.front().copied().filter(|due| due.sequence + self.updates == sequence) {
            self.waiting.pop_front();
            settled(Settled { scores: due.scores, sign: mid.map(|mid| due.mid.change_to(mid).sign) });
        }
        match (scores, mid) {
            (Some(scores), Some(mid)) => self.waiting.push_back(Waiting { sequence, mid, scores }),
            (Some(scores), None) => settled(Settled { scores, sign: None }),
            (None, _) => {}
        }
    }

    /// No outcome can come for what waits.
    pub fn flush(&mut self, settled: &mut impl FnMut(Settled)) {
        self.waiting.drain(..).for_each(|waiting| settled(Settled { scores: waiting.scores, sign: None }));
    }
}
