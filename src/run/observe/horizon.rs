//! What the mid did after an evaluation, by the rules of `research`: the horizon is counted in frames of the book and never
//! reaches over a snapshot, a gap or an invalid book.

use crate::engine::observation::Observation;
use crate::statistics::labels::{DoubleMid, Label, LabelRule, Labeller};
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
    stretch: u64,
    by: By,
}

#[derive(Debug)]
enum By {
    /// The mid so many updates later, the label of nearly all models, compared without the labeller's wide integers.
    Mid {
        updates: u64,
        /// At most `updates`, oldest first.
        waiting: VecDeque<Waiting>,
    },
    /// Any other rule.
    Rule {
        labels: Box<Labeller>,
        has_tick: bool,
        /// A row of `labels` each.
        waiting: VecDeque<Scores>,
    },
}

impl Horizon {
    /// By a rule that looks at least one update ahead.
    pub fn new(rule: LabelRule) -> Self {
        let by = match rule.span_updates() {
            Some(updates) if rule == LabelRule::mid_after(updates) => {
                assert!(updates >= 1, "a horizon lies ahead");
                By::Mid { updates: u64::from(updates), waiting: VecDeque::new() }
            }
            _ => By::Rule { labels: Box::new(Labeller::new(rule)), has_tick: false, waiting: VecDeque::new() },
        };
        Self { stretch: 0, by }
    }

    /// Takes a live frame, and tells of each evaluation that it settles.
    #[inline]
    pub fn frame(
        &mut self,
        frame: &Observation,
        mid: Option<DoubleMid>,
        scores: Option<Scores>,
        mut settled: impl FnMut(Settled),
    ) {
        if frame.stretch != self.stretch {
            self.flush(&mut settled);
            self.stretch = frame.stretch;
        }
        let sequence = frame.sequence;
        match &mut self.by {
            By::Mid { updates, waiting } => {
                if let Some(due) = waiting.front().copied().filter(|due| due.sequence + *updates == sequence) {
                    waiting.pop_front();
                    settled(Settled { scores: due.scores, sign: mid.map(|mid| due.mid.change_to(mid).sign) });
                }
                if let (Some(scores), Some(mid)) = (scores, mid) {
                    waiting.push_back(Waiting { sequence, mid, scores });
                }
            }
            By::Rule { labels, has_tick, waiting } => {
                if !*has_tick {
                    // As in research: a tick is one of the first live book.
                    labels.set_tick_decimals(frame.scale.price_decimals);
                    *has_tick = true;
                }
                labels.frame(sequence, frame.ts_recv_ns, mid);
                settle_known(labels, waiting, &mut settled);
                if let (Some(scores), Some(_)) = (scores, mid) {
                    labels.row();
                    waiting.push_back(scores);
                }
            }
        }
        if let (Some(scores), None) = (scores, mid) {
            settled(Settled { scores, sign: None });
        }
    }

    /// No outcome can come for what waits.
    pub fn flush(&mut self, settled: &mut impl FnMut(Settled)) {
        match &mut self.by {
            By::Mid { waiting, .. } => {
                waiting.drain(..).for_each(|waiting| settled(Settled { scores: waiting.scores, sign: None }));
            }
            By::Rule { labels, waiting, .. } => {
                labels.reset();
                settle_known(labels, waiting, settled);
            }
        }
    }
}

fn settle_known(labels: &mut Labeller, waiting: &mut VecDeque<Scores>, settled: &mut impl FnMut(Settled)) {
    while let Some(Label { change, .. }) = labels.next_known() {
        if let Some(scores) = waiting.pop_front() {
            settled(Settled { scores, sign: change.map(|change| change.sign) });
        }
    }
}
