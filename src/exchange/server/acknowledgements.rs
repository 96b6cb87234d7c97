//! Acknowledgements on their way to one client.
//!
//! The venue acknowledges requests in their order, each with everything that the connection was subscribed to then. Today
//! it does so after the first levels: acknowledgements were seen with the numbers 3, 5 and 10.

use super::faults::{Fault, FaultKind};
use crate::exchange::message::{Layout, Subscribed};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The numbers of a connection's first acknowledgements, unless levels are slow to come. Later ones come at once.
const NUMBERS: [u64; 3] = [3, 5, 10];
/// How long an acknowledgement waits for levels before it.
const LEVELS_WITHIN: Duration = Duration::from_millis(500);
/// How late an acknowledgement comes unless the fault says otherwise.
const LATE: Duration = Duration::from_secs(3);

/// Everything that a connection is subscribed to.
#[derive(Clone, Debug, Default)]
pub(super) struct Channels {
    pub level2: Vec<String>,
    pub market_trades: Vec<String>,
    pub heartbeats: bool,
}

/// The answer to a request.
pub(super) struct Acknowledgement {
    channels: Channels,
    /// What is wrong with what it lists.
    odd: Option<FaultKind>,
    /// The number that it waits for. `None`: it waits for the time alone.
    number: Option<u64>,
    /// It is sent then at the latest.
    by: Instant,
}

/// Those of one client, the oldest first.
#[derive(Default)]
pub(super) struct Acknowledgements {
    waiting: VecDeque<Acknowledgement>,
    /// Requests acknowledged on the connection or about to be.
    requests: usize,
}

impl Acknowledgement {
    /// What it lists.
    pub fn set(&self) -> Option<Subscribed<'_>> {
        let Channels { level2, market_trades, heartbeats } = &self.channels;
        let heartbeats_alone = |heartbeats| Subscribed { level2: &[], market_trades: &[], heartbeats };
        match self.odd {
            Some(FaultKind::AckNull) => None,
            Some(FaultKind::AckEmpty) => Some(heartbeats_alone(false)),
            Some(FaultKind::AckPartial) => Some(heartbeats_alone(true)),
            _ => Some(Subscribed { level2, market_trades, heartbeats: *heartbeats }),
        }
    }
}

impl Acknowledgements {
    /// Adds the answer to a request, with the faults that strike it.
    pub fn push(&mut self, channels: Channels, faults: &[Fault], layout: Layout, now: Instant) {
        let late = faults.iter().rfind(|fault| fault.kind == FaultKind::AckLate);
        let odd = faults.iter().map(|fault| fault.kind).rfind(|&kind| kind != FaultKind::AckLate);
        let number = match layout {
            Layout::Year2026 => NUMBERS.get(self.requests).copied().unwrap_or(0),
            Layout::Year2024 => 0,
        };
        let (number, by) = match late {
            Some(fault) => (None, now + fault.duration().unwrap_or(LATE)),
            None => (Some(number), now + LEVELS_WITHIN),
        };
        self.requests += 1;
        self.waiting.push_back(Acknowledgement { channels, odd, number, by });
    }

    /// The next one if it is due. `number` is that of the connection's next message, `None` where no levels come for now:
    /// nothing is waited for then but what is late.
    pub fn pop_due(&mut self, number: Option<u64>, now: Instant) -> Option<Acknowledgement> {
        let first = self.waiting.front()?;
        let is_due = now >= first.by || first.number.is_some_and(|wanted| number.is_none_or(|number| number >= wanted));
        if is_due { self.waiting.pop_front() } else { None }
    }

    /// When the next one is due at the latest.
    pub fn due_by(&self) -> Option<Instant> {
        self.waiting.front().map(|first| first.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(waiting: &mut Acknowledgements, faults: &[&str], layout: Layout, now: Instant) {
        let faults: Vec<Fault> = faults
            .iter()
            .map(|text| match text.parse().expect("a fault") {
                super::super::faults::FaultSpec::Named { fault, .. } => fault,
                random => panic!("{random}"),
            })
            .collect();
        let channels = Channels { level2: vec!["A".into()], market_trades: vec!["A".into()], heartbeats: true };
        waiting.push(channels, &faults, layout, now);
    }

    #[test]
    fn they_have_the_venues_numbers_or_come_after_a_while() {
        let now = Instant::now();
        let mut waiting = Acknowledgements::default();
        for _ in 0..5 {
            push(&mut waiting, &[], Layout::Year2026, now);
        }
        let mut numbers = Vec::new();
        for number in 0..20 {
            while waiting.pop_due(Some(number), now).is_some() {
                numbers.push(number);
            }
        }
        assert_eq!(numbers, [3, 5, 10, 10, 10]);
        let mut waiting = Acknowledgements::default();
        push(&mut waiting, &[], Layout::Year2026, now);
        assert!(waiting.pop_due(Some(2), now).is_none());
        let by = waiting.due_by().expect("one waits");
        assert!(waiting.pop_due(Some(2), by).is_some());
        push(&mut waiting, &[], Layout::Year2026, now);
        assert!(waiting.pop_due(None, now).is_some(), "no levels come");
        push(&mut waiting, &[], Layout::Year2024, now);
        assert!(waiting.pop_due(Some(0), now).is_some(), "the older ones come at once");
        assert!(waiting.due_by().is_none() && waiting.pop_due(None, by).is_none());
    }

    #[test]
    fn late_ones_hold_up_the_next() {
        let now = Instant::now();
        let mut waiting = Acknowledgements::default();
        push(&mut waiting, &["ack-late:700ms"], Layout::Year2026, now);
        push(&mut waiting, &[], Layout::Year2026, now);
        assert!(waiting.pop_due(Some(1_000), now + Duration::from_millis(699)).is_none());
        let then = now + Duration::from_millis(700);
        assert!(waiting.pop_due(Some(1_000), then).is_some() && waiting.pop_due(Some(1_000), then).is_some());
    }

    #[test]
    fn odd_ones_list_what_they_should_not() {
        let now = Instant::now();
        for (faults, books, heartbeats) in [
            (&["ack-empty"][..], 0, false),
            (&["ack-partial"], 0, true),
            (&["ack-null", "ack-partial"], 0, true),
            (&[], 1, true),
        ] {
            let mut waiting = Acknowledgements::default();
            push(&mut waiting, faults, Layout::Year2024, now);
            let acknowledgement = waiting.pop_due(None, now).expect("due");
            let set = acknowledgement.set().expect("a list");
            let listed = (set.level2.len(), set.market_trades.len(), set.heartbeats);
            assert_eq!(listed, (books, books, heartbeats), "{faults:?}");
        }
        let mut waiting = Acknowledgements::default();
        push(&mut waiting, &["ack-null"], Layout::Year2024, now);
        assert!(waiting.pop_due(None, now).expect("due").set().is_none());
    }
}
