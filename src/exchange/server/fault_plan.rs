//! Decides which faults strike an occasion.
//!
//! ```
//! use papertrader::exchange::fault_plan::FaultPlan;
//! use papertrader::exchange::faults::{FaultKind, Occasion};
//! use std::time::Instant;
//!
//! let mut plan = FaultPlan::new(&["gap@2".parse()?]);
//! let (now, mut due) = (Instant::now(), Vec::new());
//! plan.strike(Occasion::Frame, now, &mut due);
//! assert!(due.is_empty());
//! plan.strike(Occasion::Frame, now, &mut due);
//! assert_eq!(due[0].kind, FaultKind::Gap);
//! assert_eq!(plan.fired()[&FaultKind::Gap], 1);
//! # Ok::<(), papertrader::exchange::faults::FaultError>(())
//! ```

use super::faults::{Amount, Fault, FaultKind, FaultSpec, Moment, Occasion, When};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What `random` draws from: faults after which a client that behaves well gets on within seconds.
const SURVIVABLE: [FaultKind; 22] = [
    FaultKind::Gap,
    FaultKind::Repeat,
    FaultKind::Disconnect,
    FaultKind::DisconnectFin,
    FaultKind::DisconnectRst,
    FaultKind::Stall,
    FaultKind::Malformed,
    FaultKind::InvalidUtf8,
    FaultKind::UnknownChannel,
    FaultKind::Error,
    FaultKind::Fragmented,
    FaultKind::Dribble,
    FaultKind::LateSnapshot,
    FaultKind::OffTick,
    FaultKind::Crossed,
    FaultKind::HugeNumber,
    FaultKind::Handshake503,
    FaultKind::PingFlood,
    FaultKind::AckEmpty,
    FaultKind::AckPartial,
    FaultKind::AckNull,
    FaultKind::AckLate,
];

/// The faults of a run and how far each has come.
#[derive(Debug, Default)]
pub struct FaultPlan {
    rules: Vec<Rule>,
    random: Vec<RandomRule>,
    /// Drawn faults that wait for a snapshot, an acknowledgement or a connection.
    waiting: Vec<Fault>,
    /// When the first client connected.
    started: Option<Instant>,
    fired: BTreeMap<FaultKind, u64>,
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    when: When,
    times: Option<u64>,
    /// Occasions since the rule was made.
    seen: u64,
    fired: u64,
    /// When it fired last, from the start.
    last: Duration,
}

#[derive(Debug)]
struct RandomRule {
    random: Xoshiro256PlusPlus,
    mean: Moment,
    /// Frames or nanoseconds from the last fault to the next.
    distance: u64,
    /// Frames seen, or nanoseconds since the start, when the last fault was drawn.
    last: u64,
    seen: u64,
}

impl FaultPlan {
    /// A plan of all these.
    pub fn new(specs: &[FaultSpec]) -> Self {
        let mut plan = Self::default();
        specs.iter().for_each(|&spec| plan.add(spec));
        plan
    }

    /// Survivable faults at a mean distance, for endurance tests. With a distance in frames, a seed gives the same faults
    /// at the same frames in every run.
    pub fn random(seed: u64, mean: Moment) -> Self {
        Self::new(&[FaultSpec::Random { seed, mean }])
    }

    /// Adds a fault; its occasions count from now.
    pub fn add(&mut self, spec: FaultSpec) {
        match spec {
            FaultSpec::Named { fault, when, times } => {
                self.rules.push(Rule { fault, when, times, seen: 0, fired: 0, last: Duration::ZERO });
            }
            FaultSpec::Random { seed, mean } => {
                let mut rule =
                    RandomRule { random: Xoshiro256PlusPlus::seed_from_u64(seed), mean, distance: 0, last: 0, seen: 0 };
                rule.distance = rule.draw_distance();
                self.random.push(rule);
            }
        }
    }

    /// Counts an occasion and appends the faults that strike it to `due`.
    pub fn strike(&mut self, occasion: Occasion, now: Instant, due: &mut Vec<Fault>) {
        if occasion == Occasion::Connection {
            self.started.get_or_insert(now);
        }
        let elapsed = self.started.map_or(Duration::ZERO, |started| now.duration_since(started));
        let first = due.len();
        due.extend(
            self.rules
                .iter_mut()
                .filter(|rule| rule.fault.kind.occasion() == occasion)
                .filter_map(|rule| rule.strike(elapsed)),
        );
        if occasion == Occasion::Frame {
            for fault in self.random.iter_mut().filter_map(|rule| rule.strike(elapsed)) {
                if fault.kind.occasion() == Occasion::Frame {
                    due.push(fault);
                } else if !self.waiting.iter().any(|waiting| waiting.kind == fault.kind) {
                    self.waiting.push(fault);
                }
            }
        }
        due.extend(self.waiting.extract_if(.., |fault| fault.kind.occasion() == occasion));
        for fault in &due[first..] {
            *self.fired.entry(fault.kind).or_default() += 1;
        }
    }

    /// How often each kind has struck.
    pub fn fired(&self) -> &BTreeMap<FaultKind, u64> {
        &self.fired
    }
}

impl Rule {
    fn strike(&mut self, elapsed: Duration) -> Option<Fault> {
        self.seen += 1;
        if self.times.is_some_and(|times| self.fired >= times) {
            return None;
        }
        let due = match self.when {
            When::At(Moment::Occasions(first)) => self.seen >= first,
            When::At(Moment::Time(time)) => elapsed >= time,
            When::Every(Moment::Occasions(distance)) => self.seen.is_multiple_of(distance),
            When::Every(Moment::Time(distance)) => elapsed >= self.last + distance,
        };
        due.then(|| {
            self.fired += 1;
            self.last = elapsed;
            self.fault
        })
    }
}

impl RandomRule {
    fn strike(&mut self, elapsed: Duration) -> Option<Fault> {
        self.seen += 1;
        let position = match self.mean {
            Moment::Occasions(_) => self.seen,
            Moment::Time(_) => u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
        };
        if position - self.last < self.distance {
            return None;
        }
        self.last = position;
        self.distance = self.draw_distance();
        let kind = SURVIVABLE[(self.random.next_u64() % SURVIVABLE.len() as u64) as usize];
        let amount = matches!(kind, FaultKind::Stall | FaultKind::LateSnapshot | FaultKind::AckLate)
            .then(|| Amount::Duration(Duration::from_millis(50 + self.random.next_u64() % 450)));
        Some(Fault { kind, amount })
    }

    /// Exponentially distributed with the rule's mean, at least 1.
    fn draw_distance(&mut self) -> u64 {
        let mean = match self.mean {
            Moment::Occasions(occasions) => occasions as f64,
            Moment::Time(time) => time.as_nanos() as f64,
        };
        // 53 random bits in (0, 1]: the logarithm is finite.
        let uniform = ((self.random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        ((-libm::log(uniform) * mean) as u64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The occasions, counted from 1, that a specification strikes when one occurs every `step_ms`.
    fn struck(spec: &str, step_ms: u64, occasions: u64) -> Vec<u64> {
        let mut plan = FaultPlan::new(&[spec.parse().expect("a fault")]);
        let start = Instant::now();
        let mut due = Vec::new();
        plan.strike(Occasion::Connection, start, &mut due);
        (1..=occasions)
            .filter(|n| {
                due.clear();
                plan.strike(Occasion::Frame, start + Duration::from_millis(n * step_ms), &mut due);
                !due.is_empty()
            })
            .collect()
    }

    #[test]
    fn fires_when_it_should() {
        for (spec, expected) in [
            ("gap", vec![1]),
            ("gap@3", vec![3]),
            ("gap@3x2", vec![3, 4]),
            ("gap/3", vec![3, 6, 9]),
            ("gap/3x2", vec![3, 6]),
            ("gap@25ms", vec![3]),
            ("gap@20msx2", vec![2, 3]),
            ("gap/25ms", vec![3, 6, 9]),
            ("gap/25msx2", vec![3, 6]),
            ("late-snapshot@3", vec![]),
        ] {
            assert_eq!(struck(spec, 10, 10), expected, "{spec}");
        }
    }

    #[test]
    fn occasions_are_counted_apart() {
        let specs = ["handshake-503@2", "late-snapshot@1", "gap@2"].map(|spec| spec.parse().expect("a fault"));
        let mut plan = FaultPlan::new(&specs);
        let now = Instant::now();
        let mut strike = |occasion| {
            let mut due = Vec::new();
            plan.strike(occasion, now, &mut due);
            due.into_iter().map(|fault| fault.kind).collect::<Vec<_>>()
        };
        assert_eq!(strike(Occasion::Connection), []);
        assert_eq!(strike(Occasion::Snapshot), [FaultKind::LateSnapshot]);
        assert_eq!(strike(Occasion::Frame), []);
        assert_eq!(strike(Occasion::Connection), [FaultKind::Handshake503]);
        assert_eq!(strike(Occasion::Frame), [FaultKind::Gap]);
        let fired = [FaultKind::Gap, FaultKind::LateSnapshot, FaultKind::Handshake503].map(|kind| (kind, 1));
        assert_eq!(*plan.fired(), BTreeMap::from(fired));
    }

    #[test]
    fn random_faults_are_a_function_of_the_seed() {
        let run = |seed| {
            let mut plan = FaultPlan::random(seed, Moment::Occasions(20));
            let now = Instant::now();
            let mut frames = Vec::new();
            for frame in 0..20_000 {
                let mut due = Vec::new();
                plan.strike(Occasion::Frame, now, &mut due);
                frames.extend(due.into_iter().map(|fault| (frame, fault)));
            }
            let mut elsewhere = Vec::new();
            plan.strike(Occasion::Connection, now, &mut elsewhere);
            plan.strike(Occasion::Snapshot, now, &mut elsewhere);
            plan.strike(Occasion::Acknowledgement, now, &mut elsewhere);
            (frames, elsewhere, plan.fired().len())
        };
        let (frames, elsewhere, kinds) = run(7);
        assert_eq!(run(7), (frames.clone(), elsewhere.clone(), kinds));
        assert_ne!(run(8).0, frames);
        // 1,000 expected of which 6 in 22 wait for another occasion.
        assert!((600..850).contains(&frames.len()), "{}", frames.len());
        assert_eq!(elsewhere.len(), 6);
        assert_eq!(kinds, SURVIVABLE.len());
    }

    #[test]
    fn random_faults_by_time_keep_their_mean() {
        let strikes = struck("random:3/100ms", 1, 60_000).len();
        assert!((450..650).contains(&strikes), "{strikes}");
    }
}
